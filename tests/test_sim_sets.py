"""Sets in a file: the same balls to the bit, slices joined are the whole, broken files are refused in a line."""

import dataclasses
import io
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import numpy as np
import pytest

from ballcast import command, sim
from ballcast.sim.__main__ import Options, run
from ballcast.sim.sets import BATCH, VERSION, join_sets, open_set, write_set

ROOT = Path(__file__).parents[1]


@pytest.fixture
def whole(tmp_path):
    write_set(tmp_path / "whole.npz", "table_tennis", 60, seed=3)
    return tmp_path / "whole.npz"


def test_a_set_holds_what_draw_gives(whole):
    found, drawn = (
        open_set(whole).balls(17, 20),
        sim.draw(sim.load("table_tennis"), 20, first=17, seed=3, purpose="data"),
    )
    for field in dataclasses.fields(sim.Balls):
        if field.name != "sport":
            assert np.array_equal(getattr(found, field.name), getattr(drawn, field.name)), field.name
    assert found.sport == drawn.sport
    with np.load(whole) as plain:
        assert plain["position"].shape == (plain["offsets"][-1], 3)


def test_slices_joined_are_the_whole_byte_for_byte(whole, tmp_path):
    write_set(tmp_path / "a.npz", "table_tennis", 25, seed=3)
    write_set(tmp_path / "b.npz", "table_tennis", 35, first=25, seed=3)
    join_sets(tmp_path / "joined.npz", [tmp_path / "b.npz", tmp_path / "a.npz"])
    assert (tmp_path / "joined.npz").read_bytes() == whole.read_bytes()
    assert len([p for p in tmp_path.iterdir() if not p.name.endswith(".npz")]) == 0, "nothing is left lying about"


def test_slices_that_do_not_fit_are_refused(whole, tmp_path):
    write_set(tmp_path / "far.npz", "table_tennis", 5, first=70, seed=3)
    write_set(tmp_path / "other.npz", "table_tennis", 5, first=60, seed=4)
    with pytest.raises(ValueError, match="begins with ball 70"):
        join_sets(tmp_path / "joined.npz", [whole, tmp_path / "far.npz"])
    with pytest.raises(ValueError, match="its seed"):
        join_sets(tmp_path / "joined.npz", [whole, tmp_path / "other.npz"])
    assert not (tmp_path / "joined.npz").exists()


def test_files_that_are_no_sets_are_refused(whole, tmp_path):
    cut, plain, packed = tmp_path / "cut.npz", tmp_path / "plain.npz", tmp_path / "packed.npz"
    cut.write_bytes(whole.read_bytes()[:20000])
    np.savez(plain, a=np.zeros(3))
    np.savez_compressed(packed, info=np.zeros(3))
    for bad in (cut, plain, packed):
        with pytest.raises(ValueError, match=f"{bad.name}: not a set"):
            open_set(bad)
    with pytest.raises(ValueError, match="No such file"):
        open_set(tmp_path / "none.npz")
    with pytest.raises(ValueError, match="holds balls 0 to 60"):
        open_set(whole).balls(50, 20)


def altered(whole, path, **arrays):
    """A copy of a set with some of its members replaced."""
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            out = io.BytesIO()
            np.save(out, arrays[name[:-4]]) if name[:-4] in arrays else out.write(old.read(name))
            new.writestr(name, out.getvalue())
    return path


def test_members_that_do_not_belong_together_are_refused(whole, tmp_path):
    for name in ("time", "noise", "offsets"):
        bad = altered(whole, tmp_path / "bad.npz", **{name: np.zeros(5)})
        with pytest.raises(ValueError, match="bad.npz: not a set.* rows of .* should be"):
            open_set(bad)
    offsets = np.load(whole)["offsets"]
    offsets[30] = 0
    with pytest.raises(ValueError, match="bad.npz: its offsets do not rise"):
        open_set(altered(whole, tmp_path / "bad.npz", offsets=offsets)).balls(25, 10)
    for name, array in (("info", np.frombuffer(b"[1, 2]", np.uint8)), ("rate", np.array([None] * 60))):
        with pytest.raises(ValueError, match="bad.npz: not a set"):
            open_set(altered(whole, tmp_path / "bad.npz", **{name: array}))


def test_a_damaged_file_is_refused_in_a_line_or_read(whole, tmp_path):
    content, bad = whole.read_bytes(), tmp_path / "bad.npz"
    ends = [member.header_offset + 160 for member in zipfile.ZipFile(whole).infolist()]
    offsets = np.random.default_rng(0).choice([*(e - k for e in ends for k in range(160)), *range(-1500, 0)], 300)
    refused = 0
    for k, offset in enumerate(offsets):
        damaged = bytearray(content)
        damaged[offset] ^= 1 + k % 255
        bad.write_bytes(damaged)
        try:
            open_set(bad).balls(0, 60)
        except ValueError as error:
            refused += 1
            assert str(bad) in str(error) and "\n" not in str(error)
    assert refused > 100


def test_a_set_tells_what_it_is_and_brings_its_sport(tmp_path):
    text = (ROOT / "sim/sports/tennis.toml").read_text(encoding="utf-8").replace('name = "tennis"', 'name = "padel"')
    (tmp_path / "own.toml").write_text(text, encoding="utf-8")
    write_set(tmp_path / "own.npz", tmp_path / "own.toml", 3, first=10, seed=1, purpose="test")
    (tmp_path / "own.toml").unlink()
    found = open_set(tmp_path / "own.npz")
    assert found.sport.name == "padel" and found.info["toml"] == text and len(found) == 3
    assert [found.info[k] for k in ("first", "count", "seed", "purpose", "sport")] == [10, 3, 1, "test", "padel"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert VERSION == found.info["ballcast"] == project["version"]


def test_more_than_a_batch_is_written_as_drawn(tmp_path):
    write_set(tmp_path / "set.npz", "basketball", BATCH + 2)
    found = open_set(tmp_path / "set.npz").balls(BATCH - 1, 3)
    drawn = sim.draw(sim.load("basketball"), 3, first=BATCH - 1, purpose="data")
    assert np.array_equal(found.offsets, drawn.offsets) and np.array_equal(found.position, drawn.position)


def commanded(line):
    run(command.options(Options, "python -m ballcast.sim", line.split()))


def test_the_command_writes_slices_and_joins_them(whole, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    commanded("table_tennis --tracks 20 --seed 3 --out a.npz")
    commanded("table_tennis --tracks 40 --first 20 --seed 3 --out b.npz")
    commanded("--join a.npz b.npz --out a.npz")
    assert (tmp_path / "a.npz").read_bytes() == whole.read_bytes()
    assert capsys.readouterr().out.splitlines()[-1].startswith("a.npz: 60 tracks, ")


@pytest.mark.parametrize(
    "line, message",
    [
        ("--out a.npz", "name a sport (baseball, "),
        ("tennis --join b.npz --out a.npz", "or slices with --join"),
        ("quidditch --out a.npz", "no sport is called 'quidditch'"),
        ("none.toml --out a.npz", "none.toml: No such file"),
        ("tennis --out a.csv", "ends in .npz"),
        ("tennis --out none/a.npz", "cannot be written there"),
        ("tennis --tracks 0 --out a.npz", "at least 1"),
        ("tennis --first -1 --out a.npz", "--first -1"),
        ("tennis --purpose fun --out a.npz", "there are train, "),
        ("--join none.npz --out a.npz", "none.npz: No such file"),
        ("--join . --out a.npz", ".: Is a directory"),
    ],
)
def test_the_command_refuses_in_a_line_and_writes_nothing(tmp_path, monkeypatch, line, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError) as error:
        commanded(line)
    assert message in str(error.value) and "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_the_command_ends_a_mistake_with_status_2(tmp_path):
    for line in ("tennis", "tennis --tracks many --out a.npz", "quidditch --out a.npz"):
        done = subprocess.run(
            [sys.executable, "-m", "ballcast.sim", *line.split()], cwd=ROOT, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 2 and len(done.stderr.splitlines()) == 1 and done.stdout == ""


def test_a_writer_that_is_stopped_leaves_nothing(tmp_path):
    def stop(done):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_set(tmp_path / "set.npz", "table_tennis", 10, progress=stop)
    assert list(tmp_path.iterdir()) == []
