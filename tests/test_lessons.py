"""The lessons: what their pages say is so, and the figures in a page are those of its script."""

import inspect

import numpy as np
import pytest

from lessons.balls import networks
from lessons.page import FOLDER, Page
from lessons.positions import features, positions


@pytest.mark.parametrize("page", sorted(FOLDER.glob("[a-z]*.md")), ids=lambda page: page.stem)
def test_every_page_has_its_script_its_picture_and_its_figures(page):
    text = page.read_text(encoding="utf-8")
    assert (FOLDER / f"{page.stem}.py").exists() and (FOLDER / f"{page.stem}.png").exists()
    assert f"python -m lessons.{page.stem}" in text and f"({page.stem}.png)" in text
    assert len(text.partition("```text\n")[2].partition("```")[0].splitlines()) > 2
    assert page.name in (FOLDER / "README.md").read_text(encoding="utf-8")


def test_a_page_is_filled_with_what_was_printed_and_with_its_code(tmp_path, capsys):
    (tmp_path / "own.md").write_text("# Own\n\n```python\nold\n```\n\n```text\nold\n```\n\nAfter.\n")
    page = Page("own", tmp_path, tmp_path / "new")
    page.print("7 of 9")
    page.code(networks)
    page.save(page.figure()[0])
    page.close()
    source = inspect.getsource(networks)
    expected = f"# Own\n\n```python\n{source}```\n\n```text\n7 of 9\n```\n\nAfter.\n"
    assert (tmp_path / "new" / "own.md").read_text() == expected
    assert (tmp_path / "new" / "own.png").stat().st_size > 1000 and not (tmp_path / "own.png").exists()
    assert "lines differ" in capsys.readouterr().out
    (tmp_path / "own.md").write_text("no block")
    with pytest.raises(ValueError, match="0 blocks ```python"):
        page.close()


def test_what_a_network_reads_is_the_position_and_the_step_to_it():
    inputs, targets = positions(8, frames=5)
    read = features(inputs)
    assert read.shape == (8, 5, 6) and targets.shape == (8, 5, 3)
    np.testing.assert_allclose(read[:, 0, 3:], 0.0)
    np.testing.assert_allclose(read[:, 3, 3:] * 5.0 / 60.0, inputs[:, 3] - inputs[:, 2], atol=1e-6)
    other = positions(8, frames=5, purpose="test")[0]
    assert float((other - inputs).abs().min(dim=1)[0].max()) > 0.01
