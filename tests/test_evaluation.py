"""Protocols ask what they should; broken predictors are named, the rest scored; limits; evaluate.py as a command."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ballcast import models, sim
from ballcast.evaluation import evaluate, harness, limits, protocols, suites
from ballcast.evaluation.results import Results, compare, joined_errors
from ballcast.evaluation.scores import score
from ballcast.tracks import Track, write_track

ROOT = Path(__file__).parents[1]
SPORT = sim.load("table_tennis")


@pytest.fixture(scope="module")
def simulated():
    return suites.simulated(SPORT, 40, seed=4)


def straight(speed, count=40):
    """A track along y at 100 Hz."""
    time = np.arange(count) / 100.0
    return Track(time, np.stack([0 * time, speed * time, 1 + 0 * time], axis=1), f"v{speed:g}")


# --- protocols --------------------------------------------------------------------------------------------------------


def test_horizon_asks_past_the_last_frame_and_keeps_the_true_flight(simulated):
    cases = protocols.horizon(simulated, 0.2, (0.1, 0.4))
    n = 3
    i, history = cases.track_numbers[n], cases.histories[n]
    assert history.time[-1] <= simulated.tracks[i].time[0] + 0.2 + 1e-6
    assert np.allclose(cases.times[n] - history.time[-1], [0.1, 0.4])
    truth = simulated.balls.flight(cases.times[n]).position[i]
    assert np.allclose(cases.truth[n], truth, atol=1e-12)


def test_recorded_tracks_are_asked_at_frames_and_not_past_their_end():
    suite = suites.Suite("s", SPORT, [straight(2.0), straight(1.0, 3)])
    cases = protocols.horizon(suite, 0.1, (0.095, 0.5))
    assert cases.track_numbers.tolist() == [0], "a track of three frames is too short"
    assert cases.times[0, 0] == pytest.approx(0.2) and np.isnan(cases.times[0, 1]) and cases.beyond_end == 1
    assert cases.truth[0, 0] == pytest.approx([0, 0.4, 1])
    assert np.diagonal(cases.sensor_covariance[0, 0])[1] > np.diagonal(cases.sensor_covariance[0, 0])[0], (
        "late stamps widen it along y"
    )


def test_landing_history_ends_before_the_first_landing(simulated):
    cases = protocols.landing(simulated, 0.2)
    every = protocols.true_landings(simulated)
    assert len(every) == 40 and len(cases) > 20
    for i, history, (when, *_) in zip(cases.track_numbers, cases.histories, cases.truth, strict=True):
        assert history.time[-1] <= when - 0.2
        between = [at[0] for at in every[i] if history.time[-1] < at[0] < when]
        assert not between, "it is the next landing"


def test_a_recorded_landing_is_that_of_the_true_flight():
    time = np.arange(60) / 200.0
    flight = sim.simulate(SPORT, [[0, -1.2, 0.25]], [[0.2, 4, -0.5]], [[0, 0, 0]], time)
    suite = suites.Suite("s", SPORT, [Track(time, flight.position[0])])
    (when, *position) = protocols.landing(suite, 0.1).truth[0]
    assert abs(when - flight.impacts.time[0]) < 2e-4
    assert np.linalg.norm(position - flight.impacts.position[0]) < 2e-3


def test_balls_at_the_net_and_at_edges_are_not_clear():
    launch = np.array([[0, -1.0, 0.5], [0, -1.0, 0.1], [0.76, -0.5, 0.3], [0.5, -0.5, 0.3]])
    velocity = np.array([[0, 5, 1], [0, 5, 0.2], [0, 0.5, 0], [0, 0.5, 0]], float)
    zero, balls = np.zeros((4, 3)), sim.draw(SPORT, 4, purpose="test")
    columns = {"launch_position": launch, "launch_velocity": velocity, "launch_spin": zero}
    balls = sim.Balls(**{k: columns.get(k, getattr(balls, k)) for k in sim.Balls.__dataclass_fields__})
    balls.parameters[:] = [1, 1, 1, 1, 0, 0]
    found = suites.is_clear_of_edges(suites.Suite("s", SPORT, [None] * 4, balls), np.arange(4), np.full(4, 0.3))
    assert found.tolist() == [True, False, False, True]


# --- the harness ------------------------------------------------------------------------------------------------------


def test_what_a_broken_predictor_does_is_named():
    track, times = straight(2.0).until(0.2), np.array([0.3, 0.4])
    sys.path.insert(0, str(ROOT / "tests"))
    causes = {}
    for name in ("Raises", "Nan", "Shape", "Still"):
        causes[name] = harness.make_forecast(models.load(f"own_predictors:{name}", SPORT), track, times)
    assert causes["Raises"] == "RuntimeError: out of ideas"
    assert "not finite" in causes["Nan"] and "shape (2, 2), not (2, 3)" in causes["Shape"]
    assert causes["Still"][0].shape == (2, 3)
    short = harness.make_forecast(models.load("physics", SPORT), track[:2], times)
    assert short is None


def scored(suite, cases, *names):
    """{(predictor, metric): value} of predictors on the cases, asked here and not in workers."""
    results, valid = Results("", "", 0), ~np.isnan(cases.times)
    for name in names:
        predictor = harness.load(name, SPORT)
        answers = harness.Answers(np.full(cases.truth.shape, np.nan), np.full((*cases.truth.shape, 3), np.nan))
        for n, history in enumerate(cases.histories):
            found = harness.make_forecast(predictor, history, cases.times[n][valid[n]])
            harness._store(answers, n, valid[n], history, found)
        results.side_information[name] = predictor.side_information
        score(results, name, suite, cases, answers, (0.1,))
    return {(r.predictor, r.metric): r.value for r in results.rows}


def test_scores_of_a_predictor_that_is_known_by_hand():
    """A line through straight tracks errs by nothing; one that stays errs by speed times time."""
    sys.path.insert(0, str(ROOT / "tests"))
    suite = suites.Suite("s", SPORT, [straight(1.0), straight(2.0), straight(4.0)])
    value = scored(suite, protocols.horizon(suite, 0.1, (0.1,)), "constant_velocity", "own_predictors:Still")
    assert value["constant_velocity", "median"] == pytest.approx(0.0, abs=1e-9)
    assert value["own_predictors:Still", "median"] == pytest.approx(0.2)
    assert value["own_predictors:Still", "mean"] == pytest.approx(0.7 / 3)
    assert value["own_predictors:Still", "coverage90"] == 1.0
    assert ("constant_velocity", "nll") not in value


def test_l4dc2023_of_three_tracks_known_by_hand():
    """One that stays where it was 0.11 s before the end errs by 0.11 s of speed, by a metre where the ball jumps."""
    sys.path.insert(0, str(ROOT / "tests"))
    jump = straight(4.0).position + [[0, 0, float(k == 37)] for k in range(40)]
    tracks = [straight(1.0), straight(2.0), Track(straight(4.0).time, jump)]
    suite = suites.Suite("s", SPORT, [*tracks, straight(1.0, 20)])  # of the last, nine frames are early enough
    cases = protocols.l4dc2023(suite, 0.1)
    assert [len(history) for history in cases.histories] == [29, 29, 29]
    assert cases.times[0] == pytest.approx([0.35, 0.36, 0.37, 0.38, 0.39])
    value = scored(suite, cases, "own_predictors:Still")
    worst = np.hypot(4 * 0.09, 1.0)
    assert value["own_predictors:Still", "median"] == pytest.approx(0.22)
    assert value["own_predictors:Still", "q10"] == pytest.approx(0.11 + 0.2 * 0.11)
    assert value["own_predictors:Still", "q90"] == pytest.approx(0.22 + 0.8 * (worst - 0.22))


def test_l4dc2023_asks_no_observed_frame():
    time = np.arange(20) / 30.0  # 30 Hz: the last five frames span more than 0.1 s
    suite = suites.Suite("s", SPORT, [Track(time, np.stack([time, time, time], axis=1))])
    cases = protocols.l4dc2023(suite, 0.1)
    assert cases.histories[0].time[-1] == time[-5]
    assert np.isnan(cases.times[0]).tolist() == [True, False, False, False, False]


def test_limits_know_more_than_physics(simulated):
    cases = protocols.horizon(simulated, 0.2, (0.2, 0.4))
    off = {}
    for name in ("oracle", "informed"):
        limit = limits.load(name, SPORT)
        found = [
            limit.forecast(cases.histories[n], cases.times[n], simulated.truth_of(cases.track_numbers[n]))
            for n in range(24)
        ]
        off[name] = np.median(np.linalg.norm(np.array([f.mean for f in found]) - cases.truth[:24], axis=2), axis=0)
        assert all(f.covariance.shape == (2, 3, 3) and f.landing.probability > 0.5 for f in found)
    assert (off["oracle"] < off["informed"]).all() and off["informed"][0] < 0.055


# --- results ----------------------------------------------------------------------------------------------------------


def test_an_evaluation_in_slices_has_the_errors_of_the_whole(tmp_path):
    whole = suites.simulated(SPORT, 6, seed=4)
    slices = suites.simulated(SPORT, 2, seed=4), suites.simulated(SPORT, 4, seed=4, first=2)
    for a, b in zip(whole.tracks, [track for part in slices for track in part.tracks], strict=True):
        assert a.name == b.name and np.array_equal(a.position, b.position)
    sets = tmp_path / "set.npz"
    sim.sets.write_set(sets, SPORT.name, 5)
    assert [track.name for track in suites.generated(sets, 9, 3).tracks] == ["3", "4"]
    with pytest.raises(ValueError, match="--first 5: .* holds 5 balls"):
        suites.generated(sets, 1, 5)
    parts = [Results("", "", 0, [], {"p|s|horizon|0.1|0.1": errors}) for errors in ({"0": 1.0}, {"2": 3.0, "1": 2.0})]
    assert joined_errors(parts) == {"p|s|horizon|0.1|0.1": {"0": 1.0, "1": 2.0, "2": 3.0}}
    with pytest.raises(ValueError, match="two runs have track 0"):
        joined_errors([parts[0], parts[0]])


def test_results_come_back_and_compare(tmp_path):
    errors = {f"a|s|horizon|0.1|{h}": {str(i): 0.1 * i for i in range(40)} for h in (0.1, 0.2)}
    first = Results("c", "v", 1, [], errors, {"a": "nothing"})
    worse = {k: {t: e + (0.05 if k.endswith("0.2") else 0.0) for t, e in v.items()} for k, v in errors.items()}
    first.write(tmp_path / "a.json")
    Results("c", "v", 1, [], worse, {"a": "nothing"}).write(tmp_path / "b.json")
    lines = compare(Results.read(tmp_path / "a.json"), Results.read(tmp_path / "b.json"))
    assert len(lines) == 2 and "+0.2 s: +50.0 mm" in lines[0] and lines[1].startswith("1 of 2")
    assert [p.name for p in sorted(tmp_path.iterdir())] == ["a.json", "b.json"]


# --- the command ------------------------------------------------------------------------------------------------------


def test_the_command_scores_what_it_can_and_names_what_failed(tmp_path):
    out = tmp_path / "r.json"
    names = ["own_predictors:Raises", "own_predictors:Nan", "constant_velocity"]
    arguments = [
        "--predictor",
        *names,
        "--balls",
        "20",
        "--horizon",
        "0.1",
        "--history",
        "0.2",
        "--protocol",
        "horizon",
    ]
    env = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}
    run = subprocess.run(
        [sys.executable, "evaluate.py", *arguments, "--json", str(out)],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 1, run.stderr
    assert "own_predictors:Raises: sim:table_tennis, horizon, 0.2 s: failed on 20 of 20 tracks" in run.stdout
    assert "out of ideas" in run.stdout and "not finite" in run.stdout
    rows = json.loads(out.read_text())["rows"]
    assert {r["predictor"] for r in rows if r["metric"] == "median"} == {"constant_velocity"}
    assert any(r["metric"] == "latency_p99" for r in rows)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ("--predictor nope", "nope"),
        ("--sport nope", "nope"),
        ("--without lamp", "net"),
        ("--horizon 0", "horizon"),
        ("--history 0.2 0.1", "increase"),
        ("--protocol guess", "landing"),
        ("--balls 0", "balls"),
        ("--json /no/such/folder/r.json", "cannot be written"),
        ("--tracks EMPTY", "EMPTY"),
        ("--tracks TRACK --predictor oracle", "truth"),
        ("--tracks none.npz", "none.npz"),
        ("--first -1", "--first -1: from 0 on"),
        ("--tracks TRACK --first 2", "simulated balls or generated sets"),
        ("--compare TRACK TRACK", "results"),
        ("--compare TRACK", "results"),
        ("--compare TRACK TRACK TRACK", "one or two"),
        ("--suite all", "real"),
        ("--suite real --split all --tracks TRACK", "--tracks"),
        ("--split all", "--suite real"),
        ("--predictor own_predictors:Nobody", "Nobody"),
        ("--predictor own_predictors:NoPredictor", "subclass"),
    ],
)
def test_wrong_input_ends_with_one_line(arguments, message, tmp_path, capsys, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tests"))
    (tmp_path / "EMPTY").mkdir()
    write_track(tmp_path / "TRACK.csv", straight(2.0))
    paths = {"EMPTY": str(tmp_path / "EMPTY"), "TRACK": str(tmp_path / "TRACK.csv")}
    monkeypatch.setattr(sys, "argv", ["evaluate.py", *(paths.get(word, word) for word in arguments.split())])
    with pytest.raises(SystemExit) as stop:
        evaluate.main()
    error = capsys.readouterr().err.strip()
    assert stop.value.code == 2 and message in error and len(error.splitlines()) == 1


def test_net_clip_balls_are_observed_before_the_net_and_come_to_it():
    from ballcast.evaluation.net_clip import LEAD_TIME_RANGE, net_clips

    sport = sim.load("table_tennis")
    suite, cases = net_clips(sport, 20)
    assert len(cases) == 20
    radius, top = sport.ball.radius, 0.1425
    for row, history, times in zip(cases.track_numbers, cases.histories, cases.times):
        path = np.linspace(history.time[-1], history.time[-1] + LEAD_TIME_RANGE[1] + 0.02, 400)
        there = suite.flight([row], path[None]).position[0]
        near = np.abs(there[:, 1]) <= 2 * radius
        assert near.any() and (there[near, 2] < top + 2.1 * radius).any()
        early = path < history.time[-1] + LEAD_TIME_RANGE[0] - 0.03
        assert early.sum() > 50 and (np.abs(there[early, 1]) > radius).all()
        assert times[0] > history.time[-1] and len(history) >= 5
