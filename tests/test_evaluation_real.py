"""The frozen splits of recorded sets, the suite of them, and the paired comparison of two runs."""

import io
import sys

import numpy as np
import pytest
from rich.console import Console

from ballcast.evaluation import evaluate, split_files, splits
from ballcast.evaluation.paired import paired_tables
from ballcast.evaluation.real import read_set, real_suites
from ballcast.evaluation.results import Results
from ballcast.models.training import recorded
from ballcast.tracks import Track, write_track

FROZEN = {  # names of balls as they were split on the first day; a change of any is a ball trained on and tested
    "train": ("008", "030", "n1_n1_04", "mn5008_topspin#3", "hawkeye_flight_4"),
    "validation": ("010", "012", "n1_n4_00", "mn5008_topspin#5", "T0001"),
    "test": ("002", "004", "000", "n1_n1_00", "no_spin_robot_simple#0", "T0002"),
}


@pytest.mark.parametrize("split", splits.SPLITS)
def test_the_splits_stay_as_they_were(split):
    assert {name: splits.split_of(name) for name in FROZEN[split]} == dict.fromkeys(FROZEN[split], split)


def test_every_remainder_has_one_split_and_most_balls_are_for_tests():
    names = [f"{n:04d}" for n in range(2000)]
    found = [splits.split_of(name) for name in names]
    share = {split: found.count(split) / len(names) for split in splits.SPLITS}
    assert share["test"] == pytest.approx(0.6, abs=0.05) and share["train"] == pytest.approx(0.2, abs=0.05)


def test_fine_tuning_keeps_the_same_balls_for_validation():
    tracks = [Track(np.arange(10.0), np.zeros((10, 3)), f"{n:03d}") for n in range(200)]
    _, validation = recorded.split_tracks(tracks)
    assert {t.name for t in validation} == {t.name for t in tracks if splits.split_of(t.name) == "validation"}


def test_the_files_of_a_split_are_printed(tmp_path, capsys):
    for name in ("002", "008", "010", "index"):
        (tmp_path / f"{name}.csv").write_text("t,x,y,z\n")
    split_files.run(split_files.Options((str(tmp_path),), ("train", "validation")))
    assert [line[-7:] for line in capsys.readouterr().out.splitlines()] == ["008.csv", "010.csv"]
    with pytest.raises(ValueError, match="train, validation, test"):
        split_files.run(split_files.Options((str(tmp_path),), ("tests",)))


def stroke(name, seed):
    """A noisy ball thrown over the table."""
    t = np.arange(80) / 160.0
    y = np.stack([0.1 + 0 * t, -1.3 + 4.0 * t, 0.4 + 1.5 * t - 4.9 * t**2], axis=1)
    return Track(t, y + 0.002 * np.random.default_rng(seed).standard_normal(y.shape), name)


@pytest.fixture
def made_up(tmp_path, monkeypatch):
    """A folder of recorded balls that has TT3D alone: three test balls and one of another split."""
    folder = tmp_path / "data" / "tt3d" / "3d"
    folder.mkdir(parents=True)
    for seed, name in enumerate(("002", "004", "000", "008")):
        write_track(folder / f"{name}.csv", stroke(name, seed))
    monkeypatch.setenv("BALLCAST_DATA", str(tmp_path / "data"))
    return tmp_path


def test_a_set_that_is_missing_is_named_and_left_out(made_up):
    found, notes = real_suites(made_up / "data", "test")
    assert [suite.name for suite in found] == ["tt3d"] and [t.name for t in found[0].tracks] == ["000", "002", "004"]
    assert "3 of 4" in notes[0] and sum("spindoe: skipped" in note for note in notes) == 1
    assert len(real_suites(made_up / "data", "all")[0][0].tracks) == 4
    with pytest.raises(ValueError, match="BALLCAST_DATA"):
        real_suites(made_up, "test")
    with pytest.raises(ValueError, match="one of all, train"):
        real_suites(made_up / "data", "tests")


def test_the_command_evaluates_the_suite_and_compares_it(made_up, monkeypatch, capsys):
    def run(*arguments):
        words = "evaluate.py --suite real --history 0.1 --horizon 0.1 0.2 --predictor".split()
        monkeypatch.setattr(sys, "argv", [*words, *arguments])
        with pytest.raises(SystemExit) as stop:
            evaluate.main()
        return stop.value.code, capsys.readouterr()

    file = str(made_up / "a.json")
    code, printed = run("parabola", "--json", file)
    assert code == 0 and "tt3d: median error" in printed.out and "lfg: skipped" in printed.out
    assert set(Results.read(file).errors["parabola|tt3d|horizon|0.1|0.2"]) == {"000", "002", "004"}
    code, printed = run("constant_velocity", "--compare", file)
    assert code == 0 and "constant_velocity against parabola" in printed.out
    assert "0 of 0 cells of 30 tracks and more are worse" in printed.out


def printed(tables):
    """Tables as text."""
    console = Console(width=200, file=io.StringIO())
    for table in tables:
        console.print(table)
    return console.file.getvalue()


def test_worse_cells_are_marked_and_counted_where_they_have_30_tracks():
    errors = {str(n): 0.01 + 0.001 * n for n in range(40)}
    few = {name: errors[name] for name in list(errors)[:20]}
    cells = {"a|s|horizon|0.1|0.1": errors, "a|s|horizon|0.1|0.2": few, "a|s|horizon|0.1|0.3": errors}
    shift = {"a|s|horizon|0.1|0.1": 0.005, "a|s|horizon|0.1|0.2": 0.005, "a|s|horizon|0.1|0.3": -0.005}
    before = Results("c", "v", 0, [], cells, {"a": "nothing"})
    after = {cell: {n: e + shift[cell] for n, e in found.items()} for cell, found in cells.items()}
    text = printed(paired_tables(before, Results("c", "v", 0, [], after, {"a": "nothing"})))
    assert "!+5.0 (+5.0 to +5.0)" in text and "[+5.0 (+5.0 to +5.0)]" in text and "*-5.0" in text
    assert "1 of 2 cells of 30 tracks and more are worse by their paired interval, 1 are better" in text
    with pytest.raises(ValueError, match="no cell"):
        printed(paired_tables(before, Results("c", "v", 0, [], {}, {"a": "nothing"})))


@pytest.mark.parametrize("name", ("tt3d", "spindoe", "lfg", "mpi"))
def test_recorded_balls_bounce_on_the_table_of_their_sport(name, data_folder):
    """The lowest point of a flight over the table is a ball's radius above it, by 2 cm, in the median over tracks."""
    chosen = splits.recorded_sets()[name]
    if not chosen.paths(data_folder):
        pytest.skip(f"no {chosen.folder} in {data_folder}")
    if name == "mpi":
        pytest.importorskip("h5py")
    tracks = read_set(chosen, data_folder)[:60]
    assert len({track.name for track in tracks}) == len(tracks)
    over = [t.position[(np.abs(t.position[:, 1]) < 1.37) & (np.abs(t.position[:, 0]) < 0.76)] for t in tracks]
    lowest = [position[:, 2].min() for position in over if len(position)]
    assert len(lowest) > 0.9 * len(tracks) and abs(np.median(lowest) - 0.02) < 0.04
