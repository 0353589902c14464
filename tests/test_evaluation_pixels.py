"""Evaluation of forecasts from pixels: what is asked, what predictors never get, scores, the limit, the command."""

import csv
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ballcast import models, sim
from ballcast.evaluation import evaluate, harness, leaderboard, pixel_cases, pixel_runs, pixel_scores, pixel_sources
from ballcast.evaluation.pixel_limits import LIMIT, PixelLimit, as_seen, launched
from ballcast.evaluation.pixel_suites import PixelSuite, between_frames
from ballcast.evaluation.pixel_tables import pixel_tables
from ballcast.evaluation.results import Results
from ballcast.evaluation.splits import recorded_sets, split_of
from ballcast.tracks import Camera, PixelTrack, Track, read_cameras, write_cameras, write_pixels, write_track
from ballcast.tracks.camera import rotation_of

SPORT = sim.load("table_tennis")
DATA = Path(os.environ.get("BALLCAST_DATA") or Path(__file__).parents[2] / "shared" / "data")
needs_data = pytest.mark.skipif(not (DATA / "tt3d/pixels").is_dir(), reason=f"no recorded pixels in {DATA}")


def side_camera(name="side"):
    """A camera beside the table, 5 m away."""
    K = np.array([[1200.0, 0, 639.5], [0, 1200.0, 359.5], [0, 0, 1]])
    R = rotation_of([0.3, 0.0, 0.0]) @ np.array([[0.0, 1, 0], [0, 0, -1], [-1, 0, 0]])
    return Camera(K, [], R, -R @ np.array([5.0, 0.0, 1.8]), (1280, 720), name)


@pytest.fixture(scope="module")
def suite():
    """Simulated balls, seen by one camera at 50 Hz."""
    return pixel_sources.simulated_pixels(SPORT, 14, 3, pixel_sources.rigs_of([side_camera()], 50.0, 1.0))


class Given:
    """Answers with the truth, moved by `along` m along the line of sight and by `up` m."""

    def __init__(self, along=0.0, up=0.0):
        self.along, self.up = along, up

    def answers(self, cases):
        found = harness.Answers(np.full(cases.truth.shape, np.nan), np.full((*cases.truth.shape, 3), np.nan))
        centre = side_camera().centre
        sight = cases.truth - centre
        sight /= np.linalg.norm(sight, axis=-1, keepdims=True)
        found.mean[:] = cases.truth + self.along * sight + [0, 0, self.up]
        found.covariance[:] = 0.1**2 * np.eye(3)
        return found


def scored(suite, cases, answers, horizons=(0.0, 0.1)):
    results = Results("", "", 0, side_information={"given": ""})
    pixel_scores.score_pixels(results, "given", suite, cases, answers, horizons)
    return results, {(row.horizon, row.metric): row.value for row in results.rows}


# --- what is asked ----------------------------------------------------------------------------------------------------


def test_histories_are_what_was_seen_first_and_the_truth_is_the_true_flight(suite):
    cases = pixel_cases.pixels(suite, 0.2, (0.0, 0.1))
    assert len(cases) > 8
    for n, i in enumerate(cases.track_numbers):
        history, track = cases.histories[n], suite.tracks[i]
        assert len(history) == (track.time <= track.time[0] + 0.2 + 1e-9).sum()
        assert cases.times[n] - history.time[-1] == pytest.approx([1e-6, 0.1])
        b = suite.balls
        launch = (a[i : i + 1] for a in (b.launch_position, b.launch_velocity, b.launch_spin))
        truth = sim.simulate(SPORT, *launch, cases.times[n], b.parameters[i : i + 1]).position[0]
        assert np.allclose(cases.truth[n], truth, atol=1e-9)
        assert np.allclose(cases.image[n], side_camera().project(truth), atol=1e-6)


def test_histories_end_around_the_first_bounce(suite):
    bounces = suite.bounces()
    for after in pixel_cases.AROUND:
        cases = pixel_cases.pixels_bounce(suite, after, (0.0,))
        assert len(cases) > 3
        for n, i in enumerate(cases.track_numbers):
            time = cases.histories[n].time
            if after == 0.0:
                assert time[-1] > bounces[i] >= time[-2] - 1e-3, "the first frame after it"
            else:
                assert bounces[i] + after - pixel_cases.LATE < time[-1] <= bounces[i] + after + 1e-9


def test_a_truth_is_known_between_near_frames_alone():
    track = Track([0.0, 0.02, 0.2], [[0, 0, 1], [0, 0.2, 1], [0, 2, 1]])
    found = between_frames(track, np.array([-0.01, 0.0, 0.01, 0.1, 0.2, 0.3]))
    assert np.isnan(found[[0, 3, 5]]).all() and found[1:3, 1] == pytest.approx([0, 0.1])


def test_nothing_of_the_truth_reaches_a_predictor(suite):
    """Neither further columns of a file, nor sets of pixels with the truth in them."""
    track = suite.tracks[0]
    whole = replace(track, columns={"X": track.time, "Y": track.time, "Z": track.time})
    kind, parts = harness._to_send(whole)
    assert kind is PixelTrack and not kind(*parts).columns
    assert {type(part) for part in parts} <= {np.ndarray, tuple, str, type(None)}


# --- scores -----------------------------------------------------------------------------------------------------------


def test_an_error_along_the_line_of_sight_is_in_space_and_not_in_the_image(suite):
    cases = pixel_cases.pixels(suite, 0.2, (0.0, 0.1))
    _, value = scored(suite, cases, Given(along=0.3).answers(cases))
    assert value[0.1, "median"] == pytest.approx(0.3) and value[0.1, "along_rmse"] == pytest.approx(0.3)
    assert value[0.1, "across_median"] < 1e-9 and value[0.1, "image_median"] < 1e-6
    assert value[0.1, "coverage90"] == 0.0 and value[0.0, "coverage50"] == 0.0
    _, value = scored(suite, cases, Given(up=0.1).answers(cases))
    assert value[0.0, "median"] == pytest.approx(0.1) and value[0.0, "across_median"] > 0.09
    assert 15 < value[0.0, "image_median"] < 40, "a decimetre of 1200 px at 5 m"
    assert value[0.0, "coverage90"] == 1.0 and value[0.0, "energy"] > 0.0


def test_medians_before_and_after_the_bounce(suite):
    cases = pixel_cases.pixels(suite, 0.4, (0.0,))
    seen_bounce = np.array([h.time[-1] for h in cases.histories]) >= cases.bounce
    answers = Given().answers(cases)
    answers.mean[seen_bounce, 0, 2] += 0.05
    results, value = scored(suite, cases, answers, (0.0,))
    assert value[0.0, "after_bounce"] == pytest.approx(0.05) and value[0.0, "before_bounce"] < 1e-9
    counts = {row.metric: row.tracks for row in results.rows}
    assert counts["after_bounce"] == seen_bounce.sum() and counts["before_bounce"] == (~seen_bounce).sum()


def test_reconstruction_is_the_mean_over_all_frames(suite):
    cases = pixel_cases.reconstruction(suite)
    answers = Given().answers(cases)
    answers.mean[0] += [0, 0, 1.0]
    frames = [len(history) for history in cases.histories]
    _, value = scored(suite, cases, answers)
    assert value[None, "mean"] == pytest.approx(frames[0] / sum(frames)) and value[None, "median"] < 1e-9
    assert value[None, "worst"] == pytest.approx(1.0) and value[None, "lost"] == 0.0
    answers.mean[1] = np.nan
    assert scored(suite, cases, answers)[1][None, "lost"] == pytest.approx(1 / len(cases))


def test_without_a_truth_the_image_alone_is_scored():
    seen = [side_camera().project(np.array([[0.1, y, 0.3] for y in np.linspace(-1, 1, 30)]))] * 2
    tracks = [
        PixelTrack(np.arange(30) / 60, p, np.zeros(30), [side_camera()], name=f"b{i}") for i, p in enumerate(seen)
    ]
    suite = PixelSuite("own", SPORT, tracks)
    cases = pixel_cases.pixels(suite, 0.2, (0.0, 0.1))
    assert not suite.has_space and np.isnan(cases.truth).all()
    assert cases.times[0] == pytest.approx([tracks[0].time[13], tracks[0].time[18]]), "the next frames"
    answers = harness.Answers(np.zeros((2, 2, 3)) + [0.1, 0.0, 0.3], np.full((2, 2, 3, 3), np.nan))
    results, value = scored(suite, cases, answers)
    off = np.linalg.norm(side_camera().project([0.1, 0, 0.3]) - seen[0][18])
    assert value[0.1, "image_median"] == pytest.approx(off, abs=1e-6) and (0.1, "median") not in value
    assert results.errors["given|own|pixels_image|0.2|0.1"]["b0"] == pytest.approx(off, abs=1e-4)
    assert len([*pixel_tables(results)]) == 1


# --- the limit --------------------------------------------------------------------------------------------------------


def forecast_errors(forecast, cases):
    found = [forecast(n, cases.histories[n], cases.times[n]) for n in range(len(cases))]
    return np.array([np.linalg.norm(f.mean - cases.truth[n], axis=1) for n, f in enumerate(found)])


def test_the_limit_errs_less_than_physics_and_less_after_the_bounce(suite):
    limit, physics, rms, median = PixelLimit(SPORT), models.load("physics", SPORT), {}, {}
    for after in (-0.1, 0.2):
        cases = pixel_cases.pixels_bounce(suite, after, (0.0,))
        rows = cases.track_numbers
        for name, forecast in (
            (LIMIT, lambda n, h, t, rows=rows: limit.forecast(h, t, suite.truth_of(rows[n]))),
            ("physics", lambda n, h, t: physics.forecast(h, t)),
        ):
            errors = forecast_errors(forecast, cases)
            rms[name, after], median[name, after] = np.sqrt((errors**2).mean()), np.median(errors)
    assert median[LIMIT, 0.2] < 0.5 * median[LIMIT, -0.1], median
    assert all(rms[LIMIT, after] < 1.05 * rms["physics", after] for after in (-0.1, 0.2)), rms


def test_the_limit_knows_cameras_and_clocks_as_they_are():
    sensor = sim.PixelSensor.of(side_camera(), rate=50.0, noise=0.5)
    wrong = sensor.lens._replace(t=sensor.lens.t + [0, 0.1, 0])
    other = sensor.replace(calibrated=wrong, clock_offset=0.004)
    suite = pixel_sources.simulated_pixels(SPORT, 2, 3, lambda ball: (other,))
    assert suite.tracks[0].cameras[0].t == pytest.approx(wrong.t)
    truth = suite.truth_of(0)
    seen = as_seen(suite.tracks[0], truth)
    assert truth.cameras[0].t == pytest.approx(sensor.lens.t) and truth.noise == pytest.approx(0.5, abs=0.01)
    assert seen.time == pytest.approx(suite.tracks[0].time - 0.004)
    assert np.linalg.norm(truth.cameras[0].project(suite.positions([0], seen.time[None])[0]) - seen.pixel) < 10.0


def test_launches_are_described_as_they_fly():
    for age in (0.0, 0.08):
        prior = launched(SPORT, age)
        assert prior.weights.sum() == pytest.approx(1.0) and (np.linalg.eigvalsh(prior.covariances) > 0).all()
    y = [launched(SPORT, age).weights @ abs(launched(SPORT, age).means[:, 1]) for age in (0.0, 0.08)]
    assert y[1] < y[0], "they fly to the other side"


# --- recorded sets ----------------------------------------------------------------------------------------------------


def test_pixels_have_the_split_of_the_tracks_of_the_same_names():
    sets = [chosen for chosen in recorded_sets().values() if chosen.cameras]
    assert len(sets) == 7 and all(chosen.truth and not chosen.suite for chosen in sets)
    assert {chosen.ball_name("008") for chosen in sets} == {"008"} and split_of("008") == "train"


@needs_data
def test_recorded_pixels_are_those_of_their_tracks():
    only = ("tt3d_side", "lfg_pixels", "lfg_camera_2")
    suites, notes = pixel_sources.pixel_sets(DATA, "test", 12, only=only)
    assert [suite.name for suite in suites] == [*only] and len(notes) == 3
    for suite in suites:
        assert len(suite.tracks) >= 8 and all(split_of(track.name) == "test" for track in suite.tracks)
        assert all(not track.columns for track in suite.tracks)
        offsets = [pixel_sources.image_offset(*pair) for pair in zip(suite.tracks, suite.truth)]
        assert np.median(offsets) < 4.0
    assert suites[0].has_limit and not suites[1].has_limit
    assert len(suites[1].tracks[0].cameras) == 3 and [c.name for c in suites[2].tracks[0].cameras] == ["camera_2"]


@needs_data
def test_the_limit_on_strokes_is_of_the_known_size():
    """Linearised bounds for the side view are 202 mm until the bounce, 34 mm after it (with a prior of their own)."""
    (suite,), _ = pixel_sources.pixel_sets(DATA, "test", 16, only=("tt3d_side",))
    limit = PixelLimit(suite.sport)
    for after, low, high in ((-0.1, 0.08, 0.35), (0.0, 0.01, 0.07)):
        cases = pixel_cases.pixels_bounce(suite, after, (0.0,))
        rows = cases.track_numbers
        errors = forecast_errors(lambda n, h, t, rows=rows: limit.forecast(h, t, suite.truth_of(rows[n])), cases)
        assert low < np.sqrt((errors**2).mean()) < high


# --- the command ------------------------------------------------------------------------------------------------------


@pytest.fixture
def own(tmp_path, suite):
    """A user's files: pixels, cameras, tracks."""
    for folder in ("seen", "truth"):
        (tmp_path / folder).mkdir()
    write_cameras(tmp_path / "cameras.yaml", [side_camera()])
    for i in range(3):
        write_pixels(tmp_path / f"seen/b{i}.csv", suite.tracks[i])
        times = np.arange(0.0, 1.0, 0.01)
        write_track(tmp_path / f"truth/b{i}.csv", Track(times, suite.flight(np.array([i]), times[None]).position[0]))
    return tmp_path


def options(own, **changes):
    base = evaluate.Options(pixels=(str(own / "seen"),), cameras=str(own / "cameras.yaml"), sport=("table_tennis",))
    return replace(base, latency=False, **changes)


def test_the_command_scores_pixels_against_tracks_and_keeps_what_it_found(own, capsys):
    files = {"json": own / "r.json", "report": own / "page"}
    given = options(own, tracks=(str(own / "truth"),), predictor=("physics", "parabola"), history=(0.2,), **files)
    assert evaluate.run(given) == 0
    printed = capsys.readouterr().out
    assert "take positions and no pixels: parabola" in printed and "reconstruction" in printed
    found = Results.read(own / "r.json")
    metrics = {row.metric for row in found.rows if row.protocol == "pixels"}
    assert {"median", "rmse", "along_median", "across_median", "image_median", "coverage90", "energy"} <= metrics
    assert {row.predictor for row in found.rows} == {"physics", "smooth"}
    page = (own / "page/index.html").read_text()
    assert "What the bounce tells" in page and "Reconstruction" in page
    assert evaluate.run(evaluate.Options(compare=(own / "r.json", own / "r.json"))) == 0


def test_questions_of_pixels_are_answered_by_a_file(own, capsys):
    given = options(own, tracks=(str(own / "truth"),), history=(0.2,))
    assert evaluate.run(replace(given, export=own / "q")) == 0
    names = {camera.name for camera in read_cameras(own / "q/cameras.yaml")}
    with open(own / "q/pixels.csv", newline="") as file:
        frames = [*csv.DictReader(file)]
    assert {frame["camera"] for frame in frames} == names == {"side"}
    seen = [float(f["t"]) for f in frames if (f["track"], f["seen"]) == (frames[0]["track"], "0.2")]
    assert seen[0] + 0.15 < max(seen) <= seen[0] + 0.2 + 1e-6
    with open(own / "q/questions.csv", newline="") as file, open(own / "answers.csv", "w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["track", "seen", "time", "x", "y", "z"])
        for row in csv.DictReader(file):
            writer.writerow([row["track"], row["seen"], row["time"], 0.0, 0.0, 0.3])
    given = replace(given, predictor=("physics",), predictions=(own / "answers.csv",), json=own / "r.json")
    assert evaluate.run(given) == 0
    rows = json.loads((own / "r.json").read_text())["rows"]
    counts = {
        p: sum(r["tracks"] for r in rows if r["predictor"] == p and r["metric"] == "median")
        for p in ("physics", "answers")
    }
    assert counts["answers"] >= counts["physics"] > 0
    notes = capsys.readouterr().out.split("answers: answers ")[1].split()
    assert notes[0] == notes[2], "all questions are answered"


WRONG = {  # what is wrong -> (changes of the options, words of the one line)
    "no cameras": ({"cameras": None}, "--cameras"),
    "one camera, no sport": ({"sport": ()}, "--sport"),
    "another protocol": ({"protocol": ("pixels", "landing")}, "landing"),
    "the recorded suite": ({"suite": "real", "protocol": ("pixels",)}, "--suite pixels"),
    "two sports": ({"sport": ("tennis", "table_tennis")}, "one sport"),
    "views of files": ({"views": 2}, "--views"),
    "a limit without the noise": ({"predictor": (LIMIT,)}, "not known"),
    "no such limit": ({"predictor": ("oracle",)}, "informed"),
    "takes no pixels": ({"predictor": ("parabola",)}, "not pixels"),
    "horizons that fall": ({"horizon": (0.2, 0.1)}, "increase"),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_options_end_with_one_line(own, what):
    changes, words = WRONG[what]
    with pytest.raises(ValueError, match=words) as error:
        evaluate.run(options(own, **changes))
    assert "\n" not in str(error.value)


def test_files_that_do_not_belong_together_end_with_one_line(own):
    with_truth = options(own, tracks=(str(own / "truth"),), predictor=("physics",))
    write_cameras(own / "cameras.yaml", [side_camera("a"), side_camera("b")])
    with pytest.raises(ValueError, match="no column camera"):
        evaluate.run(with_truth)
    write_cameras(own / "cameras.yaml", [side_camera()])
    whole = own / "truth/b0.csv"
    lines = whole.read_text().splitlines()
    whole.write_text("\n".join(lines[:12]) + "\n")
    with pytest.raises(ValueError, match="same clock"):
        evaluate.run(with_truth)
    moved = [lines[0], *(f"{t},{x},{y},{float(z) + 1.0}" for t, x, y, z in (line.split(",") for line in lines[1:]))]
    whole.write_text("\n".join(moved) + "\n")
    with pytest.raises(ValueError, match="px from its pixels"):
        evaluate.run(with_truth)
    whole.unlink()
    with pytest.raises(ValueError, match="none is named b0"):
        evaluate.run(with_truth)


def test_simulated_balls_are_seen_by_random_cameras_or_by_named_ones(own):
    base = replace(evaluate.Options(protocol=("pixels",), balls=3), latency=False)
    (random,), _ = pixel_runs.pixel_suites(pixel_runs.pixel_defaults(replace(base, views=2)))
    assert len(random.tracks) == 3 and len(random.tracks[0].cameras) == 2 and random.has_limit
    named = replace(base, cameras=str(own / "cameras.yaml"), reading=replace(base.reading, rate=25.0), pixel_noise=2.0)
    (seen,), _ = pixel_runs.pixel_suites(pixel_runs.pixel_defaults(named))
    assert seen.balls.pixels.sensors[0][0].rate == 25.0 and seen.truth_of(0).noise == pytest.approx(2.0, abs=0.1)


def test_the_leaderboard_has_a_section_of_cameras(suite):
    cases = pixel_cases.pixels_bounce(suite, 0.0, (0.0, 0.1))
    results = Results("", "", 0, side_information={"physics": "sport", LIMIT: "all"})
    suite = replace(suite, name="sim:table_tennis")
    for name, along in (("physics", 0.3), (LIMIT, 0.2)):
        pixel_scores.score_pixels(results, name, suite, cases, Given(along).answers(cases), (0.0, 0.1))
    kept = json.loads(json.dumps(leaderboard.condense_pixels(results, "python evaluate.py", "sim:table_tennis")))
    assert ["physics", 0.0, 0.1, 1.5] in kept["times_limit"]
    page = leaderboard.render([kept])
    assert "## From one camera" in page and "| simulated, one random camera | physics |" in page and "| 1.50 |" in page
