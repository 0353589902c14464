"""The lessons: what their pages say is so, and the figures in a page are those of its script."""

import inspect

import numpy as np
import pytest

from ballcast import sim
from lessons import gates, long_memory, parallel
from lessons.balls import networks
from lessons.gradients import cases
from lessons.page import FOLDER, Page
from lessons.positions import features, positions


def test_gradients_vanish_and_explode_but_not_where_gates_are_set_for_the_length():
    results = cases()
    span = {case: float(norms.max() / norms.min()) for case, norms in results.items()}
    for name in ("rnn", "lstm", "gru"):
        assert span[name, "as torch makes it"] > 1e3, name
    for name in ("lstm", "gru"):
        assert span[name, "biases for the length"] < 1e2, name
    loud = ("rnn", "weights x 4")
    assert span[loud] > 1e3 and results[loud][-1] > 1e3 > 1 > results["rnn", "as torch makes it"][-1] * 1e3


def test_gates_open_at_the_bounce():
    predictor = networks("gru")["gru"]
    balls = sim.draw(predictor.sport, 48, seed=3, purpose="validation")
    about = gates.aligned(gates.gates_along_flight(predictor, balls), gates.bounces(balls))[:, :, 0].mean(axis=(0, 2))
    assert about[gates.BEFORE] > 1.3 * about[: gates.BEFORE - 1].max()


def test_a_small_gru_waits_only_where_its_gates_are_set_for_the_length():
    steps = 120
    (unset, nothing), (set_, _) = (long_memory.trained(n, 100, steps) for n in ("gru", "gru, biases for the length"))
    assert set_ < 0.6 * nothing and set_ < 0.7 * unset


def test_where_lines_cross():
    assert parallel.break_even_length([1, 2, 4], [2, 2, 2], (10, 100, 1000)) == 100
    assert parallel.break_even_length([1, 4, 4], [2, 2, 2], (10, 100, 1000)) == 32
    assert parallel.break_even_length([3, 4], [2, 2], (10, 100)) == 10
    assert parallel.break_even_length([3, 1], [2, 2], (10, 100)) is None


def test_what_is_kept_for_the_way_back_grows_with_the_length():
    sizes = [parallel.saved_activation_bytes(parallel.timed_pass("gru", length, 1)) for length in (50, 200)]
    assert 3 * sizes[0] < sizes[1] < 5 * sizes[0]


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
