"""The lessons: what their pages say is so, and the figures in a page are those of its script."""

import pytest

from lessons.gradients import cases
from lessons.page import FOLDER, Page


def test_gradients_vanish_and_explode_but_not_where_gates_are_set_for_the_length():
    found = cases()
    for (name, how), norms in found.items():
        span = float(norms.max() / norms.min())
        if how == "as torch makes it" or (name == "rnn" and "x" in how):
            assert span > 1e3, (name, how)
        if how == "biases for the length":
            assert span < 1e2, (name, how)
    loud = next(norms for (name, how), norms in found.items() if name == "rnn" and "x" in how)
    assert loud[-1] > 1e3 > 1 > found["rnn", "as torch makes it"][-1] * 1e3


@pytest.mark.parametrize("page", sorted(FOLDER.glob("[a-z]*.md")), ids=lambda page: page.stem)
def test_every_page_has_its_script_its_picture_and_its_figures(page):
    text = page.read_text(encoding="utf-8")
    assert (FOLDER / f"{page.stem}.py").exists() and (FOLDER / f"{page.stem}.png").exists()
    assert f"python -m lessons.{page.stem}" in text and f"({page.stem}.png)" in text
    assert len(text.partition("```text\n")[2].partition("```")[0].splitlines()) > 2
    assert page.name in (FOLDER / "README.md").read_text(encoding="utf-8")


def test_a_page_is_filled_with_what_was_said(tmp_path):
    (tmp_path / "own.md").write_text("# Own\n\n```text\nold\n```\n\nAfter.\n")
    page = Page("own", tmp_path)
    page.say("7 of 9")
    page.close(page.figure()[0])
    assert (tmp_path / "own.md").read_text() == "# Own\n\n```text\n7 of 9\n```\n\nAfter.\n"
    assert (tmp_path / "own.png").stat().st_size > 1000
    (tmp_path / "own.md").write_text("no block")
    with pytest.raises(ValueError, match="no block"):
        page.close(page.figure()[0])
