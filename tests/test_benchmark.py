"""The benchmark: questions and answers as CSV files, by any program; zero-shot and adapted rows apart."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from test_documented_commands import Inline

from ballcast import models, sim
from ballcast.evaluation import adapted, evaluate, harness, protocols, questions, split_files, suites
from ballcast.evaluation.predictions import Predictions
from ballcast.evaluation.results import Results, ranking
from ballcast.evaluation.suites import Suite
from ballcast.models.runtime import weights
from ballcast.tracks import Track, write_track

ROOT = Path(__file__).parents[1]
WEIGHTS = ROOT / "models" / "weights" / "gru.safetensors"
SPORT = sim.load("table_tennis")


def stroke(name, seed, count=80):
    """A noisy ball thrown over the table; it lands once."""
    t = np.arange(count) / 160.0
    y = np.stack([0.1 + 0 * t, -1.3 + 4.0 * t, 0.4 + 1.5 * t - 4.9 * t**2], axis=1)
    return Track(t + 7.0 * seed, y + 0.002 * np.random.default_rng(seed).standard_normal(y.shape), name)


@pytest.fixture
def run(monkeypatch, capsys):
    """run(arguments): evaluate.py, in this process; its exit status and what it printed."""
    monkeypatch.setattr(harness, "ProcessPoolExecutor", Inline)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["evaluate.py", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            evaluate.main()
        printed = capsys.readouterr()
        return stop.value.code, printed.out, printed.err

    return run


@pytest.fixture
def recordings(tmp_path):
    """A folder of three strokes."""
    folder = tmp_path / "place"
    folder.mkdir()
    for seed, name in enumerate(("one", "two", "three")):
        write_track(folder / f"{name}.csv", stroke(name, seed))
    return folder


def exported(folder):
    """(questions, landings, histories) of an export: rows; (track, seen) -> Track."""
    tables = [[line.split(",") for line in (folder / name).read_text().splitlines()] for name in questions.HEADS]
    heads, (asked, landings, frames) = [",".join(t[0]) for t in tables], [t[1:] for t in tables]
    assert heads == list(questions.HEADS.values())
    histories = {}
    for track, seen, *numbers in frames:
        histories.setdefault((track, seen), []).append([float(v) for v in numbers])
    arrays = {key: np.array(rows) for key, rows in histories.items()}
    return asked, landings, {key: Track(a[:, 0], a[:, 1:]) for key, a in arrays.items()}


def write_answers(path, predictor, asked, landings, histories):
    """Answer an export with a predictor."""
    lines = ["track,seen,time,x,y,z,landing"]
    for track, seen, time in asked:
        x, y, z = predictor.forecast(histories[track, seen], [float(time)]).mean[0].tolist()
        lines.append(f"{track},{seen},{time},{x!r},{y!r},{z!r},")
    for track, seen in landings:
        history = histories[track, seen]
        landing = predictor.forecast(history, [history.time[-1] + 1.0]).landing
        if landing is not None:
            lines.append(f"{track},{seen},{float(landing.time)!r},{','.join(map(repr, landing.position.tolist()))},1")
    path.write_text("\n".join(lines) + "\n")


# --- questions and answers --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ("simulated", "recorded"))
def test_a_predictor_through_csv_files_has_the_row_of_the_predictor_itself(source, run, recordings, tmp_path):
    protocols = ["--protocol", "horizon", "landing", "l4dc2023"]
    setting = [*(["--tracks", recordings] if source == "recorded" else ["--balls", 6]), *protocols]
    assert run(*setting, "--export", tmp_path / "asked")[0] == 0
    write_answers(tmp_path / "theirs.csv", models.load("gru"), *exported(tmp_path / "asked"))
    code, out, err = run(*setting, "--predictor", "gru", "--predictions", tmp_path / "theirs.csv", "--no-latency",
                       "--json", tmp_path / "a.json")  # fmt: skip
    assert code == 0, err
    found = Results.read(tmp_path / "a.json").errors
    cells = [cell for cell in found if cell.startswith("gru|")]
    assert len({cell.split("|")[2] for cell in cells}) == (3 if source == "simulated" else 2)  # none lands
    for cell in cells:
        theirs = found[cell.replace("gru|", "theirs|", 1)]
        assert theirs == pytest.approx(found[cell], abs=1e-6) and theirs.keys() == found[cell].keys()
    assert "theirs against gru" in out and re.search(r"theirs: answers (\d+) of \1 questions", out)


def test_an_export_has_no_frame_after_the_history(run, tmp_path):
    assert run("--balls", 5, "--export", tmp_path)[0] == 0
    asked, landings, histories = exported(tmp_path)
    assert {(track, seen) for track, seen, *_ in [*asked, *landings]} == histories.keys()
    assert {track.partition("/")[0] for track, *_ in asked} == {"sim:table_tennis"}
    for track, seen, time in asked:
        history = histories[track, seen]
        assert history.time[-1] < float(time) and history.time[-1] - history.time[0] <= float(seen) + 1e-6


def test_the_program_of_the_page_answers_every_question(run, tmp_path):
    code = re.search(r"```python\n(.+?)```", (ROOT / "docs/benchmark.md").read_text("utf-8"), re.DOTALL)[1]
    assert "ballcast" not in code and code.count("\n") <= 32
    (tmp_path / "answer.py").write_text(code)
    setting = ["--balls", 4, "--protocol", "horizon", "landing", "--history", 0.2]
    assert run(*setting, "--export", tmp_path / "questions")[0] == 0
    subprocess.run([sys.executable, "-I", "answer.py", "questions"], cwd=tmp_path, check=True)
    code, out, _ = run(*setting, "--predictor", "parabola", "--predictions", tmp_path / "parabola_by_hand.csv",
                       "--no-latency", "--json", tmp_path / "a.json")  # fmt: skip
    assert code == 0 and re.search(r"parabola_by_hand: answers (\d+) of \1 questions", out)
    medians = {r.predictor: r.value for r in Results.read(tmp_path / "a.json").rows
               if (r.metric, r.horizon) == ("median", 0.1)}  # fmt: skip
    assert medians["parabola_by_hand"] < 3 * medians["parabola"] + 0.05


HEAD = "track,seen,time,x,y,z"
COVARIANCE = "cxx,cxy,cxz,cyy,cyz,czz"


@pytest.mark.parametrize(
    "text, message",
    [
        ("track,seen,x,y,z\n", "header"),
        (f"{HEAD},cxx\n", "header"),
        (f"{HEAD}\n", "no rows"),
        (f"{HEAD}\np/a,0.1,1,2,3,4\np/b,0.1,1,2,3,4\n", "row 3: nothing is asked of a track 'p/b'"),
        (f"{HEAD}\np/a,0.1,1,2,nan,4\n", "row 2: y is nan"),
        (f"{HEAD}\np/a,0.1,1,2,3\n", "row 2: z is ''"),
        (f"{HEAD}\np/a,0.1,1,2,high,4\n", "row 2: y is 'high'"),
        (f"{HEAD},{COVARIANCE}\np/a,0.1,1,2,3,4,1,0,0,-1,0,1\n", "row 2: cxx cxy"),
        (f"{HEAD},{COVARIANCE}\np/a,0.1,1,2,3,4,1,0,0,,0,1\n", "row 2: cyy is ''"),
    ],
)
def test_a_wrong_row_is_named(text, message, tmp_path):
    path = tmp_path / "theirs.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        Predictions.read(path, {"p/a"})
    assert "\n" not in str(error.value)


def answer_rows(suite, cases, keep=lambda n: True):
    """Rows that answer the first time of each case with the truth, and a covariance of 1 cm."""
    for n in filter(keep, range(len(cases))):
        x, y, z = cases.truth[n, 0]
        name = suite.full_name(cases.track_numbers[n])
        yield f'"{name}",{cases.history:g},{cases.times[n, 0]:.6f},{x},{y},{z},1e-4,0,0,1e-4,0,1e-4'


def test_missing_rows_are_counted_and_a_second_answer_is_refused(tmp_path):
    suite = Suite("place", SPORT, [stroke(name, seed) for seed, name in enumerate(("a", "b,c", "d"))])
    cases, path = protocols.horizon(suite, 0.1, (0.1, 0.2)), tmp_path / "theirs.csv"
    known = {suite.full_name(i) for i in range(3)}
    rows = [*answer_rows(suite, cases, lambda n: n < 2)]
    path.write_text("\n".join([f"\ufeff{HEAD},{COVARIANCE}", *rows]) + "\n", encoding="utf-8")
    found = Predictions.read(path, known)
    answers = found.answers(suite, cases)
    assert found.name == "theirs" and found.counts(suite, cases) == (2, 6)
    np.testing.assert_allclose(answers.mean[:2, 0], cases.truth[:2, 0])
    np.testing.assert_allclose(answers.covariance[0, 0], 1e-4 * np.eye(3))
    assert np.isnan(answers.mean[2]).all() and np.isnan(answers.mean[:, 1]).all()
    path.write_text("\n".join([f"{HEAD},{COVARIANCE}", *rows, rows[0]]) + "\n")
    with pytest.raises(ValueError, match="row 4 answers the question of row 2 again"):
        Predictions.read(path, known).answers(suite, cases)


def test_wrong_use_of_the_options_ends_with_one_line(run, recordings, tmp_path):
    theirs, parabola = tmp_path / "theirs.csv", tmp_path / "parabola.csv"
    for path in (theirs, parabola):
        path.write_text(f"{HEAD}\nsim:table_tennis/0,0.1,99,1,2,3\n")
    few = ("--balls", 2, "--protocol", "horizon", "--history", 0.1, "--predictor", "constant_velocity")
    for arguments, message in (
        ((*few, "--predictions", parabola), "rename the file"),
        ((*few, "--predictions", theirs, theirs), "rename the file"),
        ((*few, "--predictions", theirs), "answers none of 12 questions"),
        ((*few, "--predictions", tmp_path / "nope.csv"), "nope.csv"),
        (("--export", tmp_path / "q", "--predictor", "gru"), "scores nothing"),
        (("--balls", 2, "--export", theirs), "is a file"),
        (("--protocol", "bounce"), "--suite real"),
        (("--only", "lfg"), "--suite real"),
        (("--suite", "real", "--only", "moon"), "tt3d"),
    ):
        code, _, error = run(*arguments)
        assert code == 2 and message in error and len(error.strip().splitlines()) == 1, (arguments, error)


def test_nobody_is_first_on_a_choice_of_tracks():
    cells = {f"{n}|s|horizon|0.1|0.1": {str(k): e + 0.001 * k for k in range(c)}
             for n, e, c in (("all", 0.1, 40), ("few", 0.01, 20), ("most", 0.2, 38))}  # fmt: skip
    found = Results("c", "0", 0, errors=cells, side_information=dict.fromkeys(("few", "all", "most"), ""))
    assert [*ranking(found, "s", "horizon", 0.1, 0.1)] == ["all", "most", "few"]


# --- zero-shot and adapted --------------------------------------------------------------------------------------------


@pytest.fixture
def tuned(tmp_path):
    """tuned(tracks, kept): weights as they are fine-tuned on tracks of these names."""

    def tuned(tracks, kept=()):
        info, tensors = weights.read(WEIGHTS)
        adapted._of_weights.cache_clear()
        info["adapted"] = {"tracks": list(tracks), "kept": list(kept), "without": []}
        weights.save(tmp_path / "tuned" / "weights.safetensors", tensors, info)
        return tmp_path / "tuned" / "weights.safetensors"

    (tmp_path / "tuned").mkdir()
    return tuned


def test_an_adapted_predictor_is_marked_and_not_scored_on_what_it_learnt_from(run, recordings, tuned, tmp_path):
    path = tuned(["one"], kept=["two"])
    setting = ["--tracks", recordings, "--protocol", "horizon", "--history", 0.2, "--no-latency"]
    names = ["gru", path, f"{path}:gru_physics"]
    code, out, _ = run(*setting, "--predictor", *names, "--json", tmp_path / "a.json")
    found = Results.read(tmp_path / "a.json")
    assert code == 0 and out.count("tuned (adapted)") and "tuned:gru_physics (adapted)" in out
    assert "2 of 3 tracks left out: it learnt from them" in " ".join(out.split())
    for cell, errors in found.errors.items():
        assert errors.keys() == ({"one", "two", "three"} if cell.startswith("gru|") else {"three"})
    assert {row.adapted for row in found.rows if row.predictor == "gru"} == {False}
    assert {row.adapted for row in found.rows if row.predictor != "gru"} == {True}
    assert out.index("tuned (adapted)") > out.index(" gru ")
    code, _, error = run(*setting, "--predictor", tuned(["one", "two", "three"]))
    assert code == 2 and "it learnt from every track" in error and len(error.strip().splitlines()) == 1


def test_an_identified_sport_leaves_out_its_tracks():
    suite = Suite("place", SPORT, [stroke("one", 1), stroke("balls/2", 2), stroke("three", 3)])

    class Identified:
        identified = ("place/one", "balls#2")

    assert adapted.adapted_tracks("physics", SPORT) is None
    learnt = adapted.adapted_tracks("physics", Identified)
    assert list(adapted.is_unseen(suite, learnt)) == [False, False, True]
    simulated = suites.simulated(SPORT, 3, 0)
    assert adapted.is_unseen(simulated, frozenset({"0"})).all()


# --- the command of the splits ----------------------------------------------------------------------------------------


def test_the_splits_command_says_what_it_cannot_print(tmp_path, capsys, monkeypatch):
    h5py = pytest.importorskip("h5py")
    (tmp_path / "set" / "inside").mkdir(parents=True)
    write_track(tmp_path / "set" / "inside" / "008.csv", stroke("008", 1))
    with h5py.File(tmp_path / "balls.hdf5", "w") as file:
        for k in range(10):
            ball = stroke("", k)
            file[f"originals/{k}/time_stamps"], file[f"originals/{k}/positions"] = ball.time, ball.position

    def failure(*arguments):
        monkeypatch.setattr(sys, "argv", ["splits", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            split_files.main()
        assert stop.value.code == 2
        return capsys.readouterr().err.strip().splitlines()

    assert "name its folders inside" in failure(tmp_path / "set")[0]
    lines = failure(tmp_path / "balls.hdf5")
    assert re.search(r"only \d+ of its 10 balls are in train, validation; --out", lines[0]) and len(lines) == 2
    split_files.run(split_files.Options((str(tmp_path / "balls.hdf5"),), out=tmp_path / "learn"))
    written = {path.stem for path in (tmp_path / "learn").iterdir()}
    assert written == {f"balls#{k}" for k in range(10) if split_files.split_of(f"balls#{k}") != "test"}
    assert "empty folder" in failure(tmp_path / "balls.hdf5", "--out", tmp_path / "learn")[0]
    assert "names" not in failure("moon")[0] and "tt3d" in failure("moon")[0]
