"""The lessons: what their pages say is so, and the figures in a page are those of its script."""

import inspect

import numpy as np
import pytest

from lessons import criteria, loss_over_time, memory
from lessons.balls import make_cases, networks
from lessons.page import FOLDER, Page
from lessons.positions import features, positions


def test_a_long_enough_history_distinguishes_two_balls_at_the_same_position():
    pair = memory.spin_pair()
    apart = np.linalg.norm(pair[0][2] - pair[1][2], axis=1)
    assert apart[0] < 0.002 and apart[-1] > 0.08
    predictors = networks("mlp", "gru")
    assert memory.separation(predictors["gru"], pair, 54) > 0.06 > 3 * memory.separation(predictors["gru"], pair, 4)
    assert memory.separation(predictors["mlp"], pair, 54) == memory.separation(predictors["mlp"], pair, 30) < 0.04


def test_the_gradients_of_all_frames_add_up_to_that_of_the_shared_weights():
    network, batch = loss_over_time.trained(), loss_over_time.make_batch(32)
    losses, by_step, (added, whole), by_slice = loss_over_time.gradients(network, batch)
    assert len(losses) == loss_over_time.SLICES and len(by_step) == batch.features.shape[1]
    assert len(added) == len(whole) == 4 and all(float(a.abs().max()) > 0 for a in added)
    for a, b in zip(added, whole):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)
    after = by_slice[3, int(batch.loss_frames[:, 3].max()) + 1 :]
    assert len(after) > 10 and (after == 0).all()  # no frame learns from a loss before it


def test_lengths_do_not_matter_order_does_and_the_past_is_felt():
    assert criteria.remembered(range(1, 501, 7)) < 1e-5
    predictors = networks("mlp", "gru")
    assert all(criteria.padded(predictor, criteria.PADDED) < 1e-5 for predictor in predictors.values())
    histories, times, truth = make_cases(80, criteria.HISTORY_FRAMES, criteria.LEAD_TIME)
    assert len(histories) > 40
    mixed = [criteria.shuffled(track, n) for n, track in enumerate(histories)]
    for predictor in predictors.values():
        off = [np.median(criteria.errors(predictor, tracks, times, truth)) for tracks in (histories, mixed)]
        assert off[1] > 3 * off[0]
    assert (
        criteria.influence(predictors["mlp"], 30, count=8)
        == 0.0
        < 1e-3
        < criteria.influence(predictors["gru"], 30, count=8)
    )
    early, late = (np.median(criteria.late(predictors["gru"], k, 60), axis=1) for k in (0, 60))
    assert late[1] > 2 * early[1] and late[0] < 1.5 * early[0]


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
