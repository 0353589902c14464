"""Fine-tuning on recorded tracks: what is learned from, when it ends, what the file says, and what is refused."""

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra train is not installed")

from ballcast import models, sim  # noqa: E402
from ballcast.models.estimation.unknowns import HEIGHT, UNKNOWNS  # noqa: E402
from ballcast.models.nets import losses  # noqa: E402
from ballcast.models.registry import WEIGHTS_FOLDER, variance_factors  # noqa: E402
from ballcast.models.runtime import weights  # noqa: E402
from ballcast.models.training import kept, recorded, train, whole_flight  # noqa: E402
from ballcast.models.training.batches import Later  # noqa: E402
from ballcast.models.training.finetune import FineTuner, Losses, Recipe  # noqa: E402
from ballcast.models.training.learner import StepResult, to_tensors  # noqa: E402
from ballcast.models.training.run_folder import RunState  # noqa: E402
from ballcast.tracks import Track, write_track  # noqa: E402

ROOT, GRU = Path(__file__).parents[1], WEIGHTS_FOLDER / "gru.safetensors"
QUICK = Recipe(views=2, twins=1)
STEPS = ("--steps", "6", "--batch", "32")
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}


@pytest.fixture(scope="module")
def place():
    """A table without a net, with a slower bounce."""
    return sim.load("table_tennis").without("net")


@pytest.fixture(scope="module")
def tracks(place):
    """Balls that were recorded there: whole flights, with names that the rule splits."""
    balls = sim.draw(place, 24, purpose="test", seed=5)
    ends = itertools.pairwise(balls.offsets)
    return [Track(balls.time[a:b], balls.position[a:b], f"{n:03d}") for n, (a, b) in enumerate(ends)]


@pytest.fixture(scope="module")
def folder(tracks, tmp_path_factory):
    path = tmp_path_factory.mktemp("recordings")
    for track in tracks:
        write_track(path / f"{track.name}.csv", track)
    return path


def config(**changes):
    options = train.Options(finetune=GRU, tracks=("recordings",), without=("net",), batch=32)
    return train.to_config(options) | changes


@pytest.fixture(scope="module")
def tuner(tracks):
    return FineTuner(config(), recipe=QUICK, tracks=recorded.split_tracks(tracks))


def tuned(folder, out, *arguments, program=("train.py",)):
    """(exit status, output, errors) of train.py, or of `-c CODE`, fine-tuning on a folder."""
    command = [sys.executable, *program, "--finetune", str(GRU), "--tracks", str(folder), "--out", str(out)]
    command += map(str, arguments)
    run = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, timeout=300)
    return run.returncode, run.stdout, run.stderr


# --- what is learned from


def test_the_fitted_flight_passes_through_the_frames(tracks, place):
    for track in tracks[:6]:
        _, path, is_known = whole_flight.states_and_path(whole_flight.fit_flights(place, track), track.time)
        assert is_known.mean() > 0.9
        assert np.median(np.linalg.norm(path - track.position, axis=1)[is_known]) < 0.015


def test_later_frames_are_linear_in_the_belief_as_the_simulator_has_them(tuner):
    """At the fitted flight the linearised error is that of the flight itself, and it changes as the simulator says."""
    whole, later = tuner.recorded, tuner.recorded.all.later
    b, n = next((b, n) for b in range(len(whole)) for n in range(4, 20) if later.known[b, n, :3].all())
    view, frame = whole.views[b], whole.all.loss_frames[b, n]
    target = whole.targets[view.track]
    at = whole.tracks[view.track].time[view.rows[frame]]
    x, _, _ = whole_flight.states_and_path(target.flights, np.array([at]))
    x = x[0] * (recorded.MIRROR if view.mirrored else 1.0)
    times = np.array([0.1, 0.2, 0.3])
    measured, _ = target.at(at + times)
    measured[:, 0] *= -1.0 if view.mirrored else 1.0
    step = np.zeros(UNKNOWNS)
    step[3:6] = 1e-3  # m/s
    errors = []
    for state in (x, x + step):
        errors.append(whole_flight.positions_after(whole.places[view.place], state, times) - measured)
    residual = np.linalg.lstsq(later.slope[b, n, :3].reshape(9, -1), (errors[0] - later.offset[b, n, :3]).ravel(),
                               rcond=None)[0]  # fmt: skip
    found = later.offset[b, n, :3] + later.slope[b, n, :3] @ residual
    assert found == pytest.approx(errors[0], abs=2e-3)
    assert np.abs(errors[1] - errors[0]).max() > 5e-5 and whole.all.active[b, HEIGHT] in (0.0, 1.0)


def test_the_loss_of_later_frames_against_its_closed_form():
    generator, size, horizons = np.random.default_rng(0), 4, 3
    mean, scales, regressions = generator.normal(size=4), generator.normal(size=4) * 0.3, generator.normal(size=6)
    slope, offset = generator.normal(size=(horizons, 3, size)), generator.normal(size=(horizons, 3))
    variance, known = generator.uniform(0.1, 1.0, (horizons, 3)), np.array([1.0, 0.0, 1.0])
    coefficients = np.zeros((size, size))
    coefficients[np.tril_indices(size, -1)] = regressions
    factor = np.linalg.inv(np.eye(size) - coefficients) @ np.diag(np.exp(scales))
    expected = 0.0
    for k in range(horizons):
        total = np.square(slope[k] @ factor).sum(axis=1) + variance[k]
        error = offset[k] + slope[k] @ mean
        nll = 0.5 * (losses.LATER_DEGREES + 1) * np.log1p(error**2 / (losses.LATER_DEGREES * total))
        expected += known[k] * (nll + 0.5 * np.log(total)).sum() / horizons
    belief = torch.tensor(np.concatenate([mean, scales, regressions]))[None, None]
    later = Later(*(torch.tensor(a)[None, None] for a in (offset, slope, variance, known)))
    found = losses.later_loss(belief, later, torch.ones(1, size, dtype=torch.float64))
    assert float(found) == pytest.approx(expected, rel=1e-9)


def test_the_distance_from_the_first_network_against_torch(tuner):
    from torch.distributions import MultivariateNormal, kl_divergence

    generator = torch.Generator().manual_seed(0)
    outputs = [0.5 * torch.randn(5, 14, generator=generator, dtype=torch.float64) for _ in range(2)]

    def distribution(output):
        mean, scales, regressions = output.split([4, 4, 6], -1)
        whitener = losses.conditional_matrix(regressions, torch.ones_like(mean))
        return MultivariateNormal(mean, scale_tril=torch.tril(torch.linalg.inv(whitener) @ scales.exp().diag_embed()))

    ours, theirs = map(distribution, outputs)
    assert torch.allclose(losses.divergence(*outputs, 4), kl_divergence(theirs, ours))
    terms = tuner.losses(tuner.network, to_tensors(tuner.batches[0]))
    assert all(abs(term.item()) < 1e-4 for term in terms)  # it has not learned yet


def test_both_heads_and_the_trunk_learn_from_recorded_balls(tuner):
    tuner.network.zero_grad()
    terms = tuner.losses(tuner.network, to_tensors(tuner.batches[1]))
    sum(terms).backward()
    for part in (tuner.network.belief, tuner.network.path, tuner.network.trunk):
        assert all(float(p.grad.abs().sum()) > 0.0 for p in part.parameters())
    assert terms.belief.item() == 0.0  # the true state is not known
    tuner.network.zero_grad()


def test_steps_alternate_between_simulated_and_recorded_balls(tuner):
    simulated, own = tuner.batches[0], tuner.batches[1]
    assert simulated.truth is not None and simulated.later is None and own.truth is None and own.later is not None
    again = tuner.batches[1]
    for name in ("features", "future", "nominal"):
        assert np.array_equal(getattr(own, name), getattr(again, name))


def test_a_twin_is_measured_as_its_ball_was_about_another_flight(tuner):
    whole = tuner.recorded
    twin = whole.targets[whole.originals]
    of = next(t for t in whole.targets[: whole.originals] if t.track.name == twin.track.name)
    own, other = (t.track.position[: len(twin.track)] - whole_flight.states_and_path(
        whole_flight.Flights(whole.sport, t.flights.windows[:1]), t.track.time[: len(twin.track)])[1]
        for t in (of, twin))  # fmt: skip
    assert np.abs(of.track.position[len(twin.track) - 1] - twin.track.position[-1]).max() > 1e-4
    assert own == pytest.approx(other, abs=1e-6)


def test_a_ball_that_keeps_away_from_the_net_is_shown_with_and_without_it(tuner):
    assert {view.place for view in tuner.recorded.views} == {0, 1}
    table = sim.load("table_tennis")
    net = next(s for s in table.surfaces if s.name == "net")
    through = Track([0.0, 0.01, 0.02], [[0, -0.05, 0.1], [0, 0.0, 0.1], [0, 0.05, 0.1]])
    over = Track([0.0, 0.01, 0.02], through.position + [0, 0, net.high[2]])
    assert not recorded.is_clear(table, through) and recorded.is_clear(table, over)


def test_a_kept_track_is_left_out_where_the_rule_keeps_none(tracks):
    training, own = recorded.split_tracks([t for t in tracks if t not in recorded.split_tracks(tracks)[1]])
    assert own and not {t.name for t in own} & {t.name for t in training}


# --- regions


def test_factors_on_kept_tracks_make_regions_hold_nine_in_ten():
    generator, count = np.random.default_rng(1), 400
    shape = (count, kept.HORIZONS)
    difference = generator.normal(size=(*shape, 3)) * 0.06
    covariance, noise = (np.broadcast_to(v**2 * np.eye(3), (*shape, 3, 3)) for v in (0.02, 0.01))
    found = kept.Scores(np.linalg.norm(difference, axis=-1), difference, covariance)
    cases = kept.Cases(np.arange(count), np.full(count, 0.2), [], np.zeros(shape), difference, noise)
    simulated, tails = np.ones(kept.HORIZONS), kept.tail_factors(cases, found)
    factors = kept.factors(cases, found, simulated, tails)
    widened = found._replace(covariance=covariance * np.array(factors)[:, None, None])
    assert kept.coverage(cases, found) < 0.5 and kept.coverage(cases, widened) == pytest.approx(0.9, abs=0.02)
    few = cases._replace(track=np.arange(count) % 2)
    assert all(1.0 < b < a for a, b in zip(factors, kept.factors(few, found, simulated, tails)))


# --- the run


@pytest.fixture(scope="module")
def run(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "tuned"
    status, output, err = tuned(folder, out, "--without", "net", *STEPS)
    assert status == 0, err
    return out, output


def test_a_run_says_what_it_gained_and_the_file_what_it_learned_from(run, tracks):
    out, output = run
    assert "tracks to learn from" in output and f"{out / 'weights.safetensors'} is ready" in output
    info, _ = weights.read(out / "weights.safetensors")
    if "did not improve" in output:
        assert (out / "weights.safetensors").read_bytes() == GRU.read_bytes()
        return
    adapted = info["adapted"]
    assert adapted["tracks"] == [t.name for t in tracks] and adapted["from"] == "gru.safetensors"
    assert adapted["without"] == ["net"] and set(adapted["kept"]) < set(adapted["tracks"])
    assert "kept tracks:" in output and "gru_physics:" in output


INTERRUPTED = """
import os, signal, sys
from ballcast.models.training import train

train.SAVE_INTERVAL, replace = 0.0, os.replace  # a checkpoint after every step

def interrupting_replace(temporary, path):
    replace(temporary, path)
    if "checkpoint-00000003" in str(path):
        os.kill(os.getpid(), signal.SIGINT)

os.replace = interrupting_replace
train.main()
print("and then", flush=True)
sys.argv[1:] = ["--out", sys.argv[sys.argv.index("--out") + 1], "--resume"]
train.main()
"""


def test_ctrl_c_and_resume_write_the_same_file_as_a_run_that_nobody_stopped(run, folder, tmp_path):
    out, _ = run
    program = ["-c", INTERRUPTED]
    status, output, err = tuned(folder, tmp_path / "again", "--without", "net", *STEPS, program=program)
    stopped, _, resumed = output.partition("and then")
    assert status == 0 and "stopped after step" in stopped and "is ready" in resumed, err
    assert (tmp_path / "again" / "weights.safetensors").read_bytes() == (out / "weights.safetensors").read_bytes()


def test_the_best_weights_are_kept_and_the_run_ends_where_nothing_improves(tuner, tmp_path, monkeypatch):
    """Validation scores are made up: the second is the best, and the fifth after it is the last that is asked for."""
    found, saved = iter([3.0, 1.0, *[2.0] * 50]), []
    monkeypatch.setattr(tuner, "scores", lambda batches: {"path": next(found)})
    monkeypatch.setattr(tuner, "step", lambda *_: StepResult(Losses(*torch.zeros(3)), (0.0, 0.0), False))
    monkeypatch.setattr(tuner, "save", lambda path, steps, *_: saved.append(steps))
    monkeypatch.setattr(tuner, "finish", lambda path, state: saved.append(("end", state.best_step, state.step)))
    monkeypatch.setattr(tuner, "validation_interval", 2)
    folder = train.run_folder(train.Options(out=tmp_path / "run"))
    settings = config(steps=100)
    folder.write_config(settings)
    train.train(tuner, folder, settings, [])
    assert saved == [0, 2, ("end", 2, 2 + 2 * tuner.patience)]


def test_a_file_that_is_fine_tuned_serves_every_sport_and_has_regions_of_its_own(tuner, tmp_path, place, tracks):
    path = tmp_path / "a.safetensors"
    tuner.save(path, 1, {})
    cases = kept.kept_cases(tracks, place, (0.2,))
    kept.calibrate_recorded(path, place, cases, cases, ["gru", "gru_physics"])
    info, _ = weights.read(path)
    base, _ = weights.read(GRU)
    assert variance_factors(info, place)["path"] != variance_factors(base, place)["path"]
    tennis = sim.load("tennis")
    assert variance_factors(info, tennis)["path"] == variance_factors(base, tennis)["path"]
    assert models.load(f"{path}:gru", tennis).forecast(tracks[0], [tracks[0].time[-1] + 0.1]).mean.shape == (1, 3)


def shifted(track, shift):
    return Track(track.time, track.position + shift, track.name)


def jumping(track):
    jumps = np.random.default_rng(0).normal(size=track.position.shape) * 0.3
    return Track(track.time, track.position + jumps, track.name)


WRONG = {
    "three tracks": (lambda tracks: tracks[:3], {"without": ("net",)}, "too few"),
    "a table that is too high": (
        lambda tracks: [shifted(t, [0.0, 0.0, 0.1]) for t in tracks], {"without": ("net",)}, "--origin",
    ),
    "half are corrupt": (
        lambda tracks: [jumping(t) if n % 2 else t for n, t in enumerate(tracks)], {"without": ("net",)}, "jump about",
    ),
    "another sport": (lambda tracks: tracks, {"sport": ("basketball",)}, "table_tennis would fit"),
    "a file that is none": (lambda tracks: tracks, {"sport": ("table_tennis",), "without": ("roof",)}, "no surface"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_wrong_recordings_are_refused_in_one_line_and_nothing_is_written(case, tracks, tmp_path):
    change, arguments, message = WRONG[case]
    folder = tmp_path / "recordings"
    folder.mkdir()
    for track in change(tracks):
        write_track(folder / f"{track.name}.csv", track)
    options = train.Options(finetune=GRU, tracks=(str(folder),), out=tmp_path / "out", **arguments)
    with pytest.raises(ValueError, match=message) as refused:
        train.run(options)
    assert "\n" not in str(refused.value) and not (tmp_path / "out").exists()


def test_a_refusal_is_one_line_and_status_2(folder, tmp_path):
    """The table_tennis balls of the fixture, as if a basket hung there."""
    status, output, err = tuned(folder, tmp_path / "out", "--sport", "basketball")
    assert status == 2 and not output and len(err.strip().splitlines()) == 1 and err.startswith("train.py: ")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "options, message",
    [
        ({"without": ("net",)}, "--without"),
        ({"finetune": GRU, "tracks": ("a",), "model": "tokens"}, "--model tokens"),
        ({"tracks": ("a",)}, "--finetune"),
        ({"finetune": GRU, "tracks": ("a",), "frames": 1e6}, "--frames"),
    ],
)
def test_options_that_do_not_go_together(options, message):
    with pytest.raises(ValueError, match=message):
        train.check(train.Options(**options))


def test_how_tracks_are_read_is_in_the_config_and_back(tmp_path):
    options = train.Options(finetune=GRU, tracks=("a",), reading=train.ReadOptions(axes="-y,x,z", origin="0,1,0.7"))
    settings = json.loads(json.dumps(train.to_config(options)))
    assert train.from_config(settings, options).reading == options.reading
    assert (settings["minutes"], settings["batch"], settings["rate"]) == (5.0, 96, 2e-3)


def test_where_the_time_is_short_the_steps_at_the_end_are_left_out():
    settings = config(steps=800)
    train.shorten(settings, RunState(step=50), 1000.7)
    assert settings["steps"] == 800
    train.shorten(settings, RunState(step=50), 200.4)
    assert settings["steps"] == 250
    train.shorten(settings, RunState(step=250), -5.0)
    assert settings["steps"] == 250
