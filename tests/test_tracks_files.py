"""Track files: good, bad and cut off; the public sets as they are; writing and reading back."""

import io
import os
import sys
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ballcast import sim
from ballcast.tracks import Track, TrackError, TrackLineReader, read_track, read_tracks, table, write_track
from ballcast.tracks.files import SAMPLES
from ballcast.tracks.layout import Layout, split_cells

GOOD = "t,x,y,z\n0.0,0.1,-1.3,0.3\n0.1,0.2,-1.2,0.25\n0.2,0.3,-1.1,0.2\n"
HUGE = 1e300


def stored(tmp_path, content, name="ball.csv"):
    """A file with this content."""
    file = tmp_path / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


def refusal(call, *arguments, **options):
    """The message of the TrackError that a call raises, checked to be one line."""
    with pytest.raises(TrackError) as error:
        call(*arguments, **options)
    assert "\n" not in str(error.value) and len(str(error.value)) < 400
    return str(error.value)


# --- good files -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        GOOD,
        GOOD.rstrip("\n"),
        GOOD + "\n\n  \n",
        "\n" + GOOD,
        GOOD.replace("\n", "\r\n"),
        GOOD.replace("\n", "\r"),
        "\ufeff" + GOOD,
        GOOD.replace(",", ";"),
        GOOD.replace(",", "\t"),
        GOOD.replace(",", ", "),
        GOOD.replace("t,x,y,z", '"t","x","y","z"'),
        GOOD.replace("0.2,-1.2", '"0.2",-1.2'),
        GOOD.replace("0.25", "2.5e-1").replace("0.1,0.2", "1E-1,.2"),
        GOOD.replace("t,x,y,z", "Timestamp,X,Y,Z"),
        GOOD.replace("t,x,y,z\n", "").replace(",", ";"),
    ],
)
def test_reads_what_programs_write(tmp_path, content):
    track = read_track(stored(tmp_path, content))
    np.testing.assert_array_equal(track.time, [0, 0.1, 0.2])
    np.testing.assert_array_equal(track.position, [[0.1, -1.3, 0.3], [0.2, -1.2, 0.25], [0.3, -1.1, 0.2]])
    assert track.name == "ball"
    first, *rest = filter(str.strip, content.replace("\r", "\n").splitlines(keepends=True))
    reader = TrackLineReader(first)
    lines = [first, *rest] if reader.has_no_header else rest
    frames = [reader.frame(row, line) for row, line in enumerate(lines, 2)]
    np.testing.assert_array_equal(track.time, [t for t, _ in frames])
    np.testing.assert_array_equal(track.position, [position for _, position in frames])


def test_columns_stand_in_any_order_and_further_ones_are_kept_as_text(tmp_path):
    track = read_track(stored(tmp_path, 'id,z,y,x,t,why\n007,3,2,1,0,"a,b"\n008,3,2,1.5,1,\n'))
    np.testing.assert_array_equal(track.position, [[1, 2, 3], [1.5, 2, 3]])
    assert {key: list(values) for key, values in track.columns.items()} == {"id": ["007", "008"], "why": ["a,b", ""]}


def test_absolute_times_stay(tmp_path):
    track = read_track(stored(tmp_path, "t,x,y,z\n1700000000.125,0,0,1\n1700000000.25,0,0,1\n"))
    assert track.time[0] == 1700000000.125


def test_scale_axes_and_origin_bring_other_frames_in(tmp_path):
    file = stored(tmp_path, "t,x,y,z\n0,100,200,300\n1,110,210,310\n")
    track = read_track(file, scale=0.001, axes="x,-z,y", origin=(0, 0, 0.05))
    np.testing.assert_allclose(track.position, [[0.1, -0.3, 0.15], [0.11, -0.31, 0.16]], atol=1e-15)
    reader = TrackLineReader("t,x,y,z", scale=0.001, axes="x,-z,y", origin=(0, 0, 0.05))
    np.testing.assert_array_equal(reader.frame(2, "0,100,200,300")[1], track.position[0])


def test_a_line_that_is_no_frame_is_refused_with_its_row():
    reader = TrackLineReader("t,x,y,z", name="pipe")
    for line, message in (
        ("0,1,2", "3 cells"),
        ("0,1,2,3,4", "5 cells"),
        ("0,a,2,3", "'a'"),
        ("0,nan,2,3", "not finite"),
    ):
        error = refusal(reader.frame, 7, line)
        assert error.startswith("pipe, row 7: ") and message in error
    assert "header" in refusal(TrackLineReader, "0,1,2,3") and "no column z" in refusal(TrackLineReader, "t,x,y")


def test_format_can_be_named(tmp_path):
    bare = GOOD.replace("t,x,y,z\n", "")  # commas: not known as SpinDOE by its shape
    assert len(read_track(stored(tmp_path, bare), format="spindoe")) == 3
    assert "no column t" in refusal(read_track, stored(tmp_path, GOOD.replace("t,", "when,")), format="csv")
    assert "no column Timestamp" in refusal(read_track, stored(tmp_path, GOOD), format="tt3d")
    assert "one of csv, tt3d, spindoe, motive, hdf5" in refusal(read_track, stored(tmp_path, GOOD), format="trackman")


def test_reads_standard_input_and_streams(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(GOOD.encode())))
    assert len(read_track("-")) == 3
    assert len(read_tracks(io.StringIO(GOOD))[0]) == 3


def test_of_repeated_times_the_first_is_kept_and_it_is_noted(tmp_path):
    track = read_track(stored(tmp_path, "t,x,y,z\n0,1,0,0\n\n0,2,0,0\n1,3,0,0\n1,4,0,0\n"))
    np.testing.assert_array_equal(track.position[:, 0], [1, 3])
    assert len(track.notes) == 1 and "2 of 4 rows left out (first: row 4)" in track.notes[0]


def test_millimetres_get_a_hint_not_a_crash(tmp_path):
    file = stored(tmp_path, "t,x,y,z\n0,0,-1370,100\n1,0,1370,100\n")
    assert "span 2740 m; are these millimetres? try --scale 0.001" in read_track(file).notes[0]
    assert read_track(file, scale=0.001).notes == ()


def test_a_last_row_without_line_end_is_pointed_out(tmp_path):
    assert "no line end after the last row" in read_track(stored(tmp_path, GOOD[:-2])).notes[0]
    assert read_track(stored(tmp_path, GOOD)).notes == ()


def test_a_folder_is_read_flat_and_in_order(tmp_path):
    for name in ("b.csv", "a.CSV", "index.csv", "._a.csv", "readme.txt"):
        stored(tmp_path, GOOD if name in ("b.csv", "a.CSV") else b"\0junk", name)
    (tmp_path / "below.csv").mkdir()
    assert [track.name for track in read_tracks(tmp_path)] == ["a", "b"]
    assert [track.name for track in read_tracks([str(tmp_path / "b.csv"), tmp_path])] == ["b", "a", "b"]


# --- bad files --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content, message",
    [
        ("", "the file is empty"),
        ("\n \n", "the file is empty"),
        ("t,x,y,z\n", "0 rows of numbers; a track needs at least 2"),
        (GOOD[:25], "1 rows of numbers"),
        ("t,x,y,z\n1,0,0,0\n1,0,0,1\n", "all rows have the same time"),
        ("t,x,y\n0,0,0\n1,0,0\n", "row 1: no column z in the header 't,x,y'; it needs t,x,y,z"),
        ("when,x,y,z\n0,0,0,0\n", "row 1: no column t in the header"),
        ("t,x,y,z,x\n0,0,0,0,0\n", "row 1: column 'x' is twice in the header"),
        ("Timestamp,X,Y\n0,0,0\n", "row 1: no column z in the header"),
        ("Timestamp,X,Y,Z,u,v,l,theta\n0,0,0,0,0,0,0,0\n", "row 1: a TT3D pixel file"),
        ("0,0,0,0\n1,0,0,0\n", "row 1: numbers where the header should be"),
        (GOOD.replace("-1.2", "abc"), "row 3: 'abc' is not a number"),
        (GOOD.replace("-1.2", "1_2"), "row 3: '1_2' is not a number"),
        (GOOD.replace("-1.2", "0x12"), "row 3: '0x12' is not a number"),
        (GOOD.replace("-1.2", "x" * 10000), "row 3: 'xxx"),
        (GOOD.replace("-1.2", '"' + "x" * 200000), "row 3: 1 cells"),
        (GOOD.replace("\n0.1", "\n\n\n0.1").replace("-1.2", "abc"), "row 5: 'abc' is not a number"),
        (GOOD.replace("0.1,0.2", "NaN,0.2"), "row 3: t, x, y, z = nan"),
        (GOOD.replace("-1.2", "-inf"), "row 3: .* is not finite"),
        (GOOD.replace("-1.2", "1e999"), "row 3: .* is not finite"),
        (GOOD.replace("\n0.2,", "\n0.05,"), "row 4: time 0.05 s does not come after 0.1 s; sort the rows"),
        (GOOD.replace(",0.25", ",0.25,9"), "row 3: 5 cells where there should be 4"),
        ("t;x;y;z\n0;0,5;1;1\n1;0,5;1;1\n", "row 2: '0,5' has a decimal comma; write decimals with a point"),
        (
            "t,x,y,z\n0,5,0,1,1\n1,0,1,1\n",
            "row 2: 5 cells where there should be 4; decimal commas\\? write decimals with a point",
        ),
        (GOOD[:-8], "row 4: 3 cells where there should be 4; cut off"),
        (GOOD[:-16], "row 4: 1 cells .* cut off"),
        ("0;0;0;0\n1;0;0\n", "row 2: 3 cells"),
        (GOOD.encode("utf-16"), "binary or UTF-16"),
        (bytes(range(256)), "binary or UTF-16"),
        (b"t,x,y,z\n0,0,0,0\n1,0,0,\xe9\n", "row 3: byte 0xe9 is not UTF-8"),
        (b"\x89PNG\r\n\x1a\n" + b"\xff" * 50, "row 1: byte 0x89 is not UTF-8"),
    ],
)
def test_refuses_with_one_line_that_names_file_and_row(tmp_path, content, message):
    file = stored(tmp_path, content)
    with pytest.raises(TrackError, match=message):
        read_track(file)
    assert str(file) in refusal(read_track, file)


@pytest.mark.parametrize("length", range(len(GOOD)))
def test_cut_off_anywhere_it_is_refused_or_pointed_out(tmp_path, length):
    file = stored(tmp_path, GOOD[:length])
    try:
        track = read_track(file)
    except TrackError as error:
        assert "\n" not in str(error)
    else:
        assert GOOD[:length].endswith("\n") or "cut off" in track.notes[0]


def test_missing_files_and_folders_without_tracks_are_refused(tmp_path):
    assert "cannot be read (No such file" in refusal(read_track, tmp_path / "none.csv")
    assert "cannot be read (No such file" in refusal(read_tracks, [tmp_path / "none.csv"])
    assert "a folder, not a file" in refusal(read_track, tmp_path)
    assert "no .csv track in this folder" in refusal(read_tracks, tmp_path)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"axes": "x,y"}, "name each of the file's x, y and z once"),
        ({"axes": "x,x,z"}, "name each"),
        ({"axes": "x,--y,z"}, "name each"),
        ({"axes": "x,y,up"}, "name each"),
        ({"axes": "x,,z"}, "name each"),
        ({"scale": 0}, "scale 0: metres per unit"),
        ({"scale": float("nan")}, "scale nan"),
        ({"scale": "big"}, "scale 'big': metres per unit"),
        ({"origin": (0, 0)}, "three finite numbers"),
        ({"origin": (0, 0, np.inf)}, "three finite numbers"),
    ],
)
def test_refuses_senseless_placements(tmp_path, options, message):
    assert message in refusal(read_track, stored(tmp_path, GOOD), **options)


def test_the_fast_and_the_slow_reader_agree(tmp_path):
    rng = np.random.default_rng(0)
    track = Track(np.cumsum(rng.random(200)), rng.normal(size=(200, 3)) * 10.0 ** rng.integers(-300, 1, (200, 1)))
    write_track(tmp_path / "ball.csv", track)
    lines = (tmp_path / "ball.csv").read_text().splitlines()[1:]
    layout = Layout(",", 4, (1, 2, 3), 0)
    slow = [table.row_values("", split_cells(line, ","), layout) for line in lines]
    np.testing.assert_array_equal(slow, np.column_stack([track.time, track.position]))
    np.testing.assert_array_equal(slow, table.read_values("", range(200), lines, layout))


def test_a_million_rows_read_in_seconds_and_the_bad_one_is_named(tmp_path):
    rows = [f"{index / 180!r},0.25,{index * 1e-9!r},1.5" for index in range(1_000_000)]
    file = stored(tmp_path, "\n".join(["t,x,y,z", *rows, ""]))
    start = time.perf_counter()
    track = read_track(file)
    assert len(track) == 1_000_000 and track.position[-1, 1] == 999_999 * 1e-9
    assert time.perf_counter() - start < 20  # 2 s on an idle core
    rows[200_000] = "5000,0.25,O,1.5"
    assert "row 200002: 'O' is not a number" in refusal(read_track, stored(tmp_path, "\n".join(["t,x,y,z", *rows, ""])))


# --- writing ----------------------------------------------------------------------------------------------------------

numbers = st.floats(-HUGE, HUGE)
texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8)
names = texts.map(str.strip).filter(lambda name: name not in ("", "t", "x", "y", "z") and "\ufeff" not in name)


@st.composite
def any_tracks(draw):
    times = sorted(draw(st.lists(numbers, min_size=2, max_size=20, unique=True)))
    count = len(times)
    position = draw(st.lists(st.tuples(numbers, numbers, numbers), min_size=count, max_size=count))
    columns = draw(st.dictionaries(names, st.lists(texts, min_size=count, max_size=count), max_size=3))
    return Track(times, position, columns=columns)


@given(any_tracks())
def test_what_is_written_reads_back_to_the_bit(tmp_path_factory, track):
    file = tmp_path_factory.mktemp("round") / "ball.csv"
    write_track(file, track)
    again = read_track(file, keep_all=True)
    assert again.time.tobytes() == track.time.tobytes()
    assert again.position.tobytes() == track.position.tobytes()
    assert {key: list(values) for key, values in again.columns.items()} == {
        key: list(values) for key, values in track.columns.items()
    }


def test_nothing_half_written_stays(tmp_path, monkeypatch):
    file = tmp_path / "ball.csv"
    track = read_track(stored(tmp_path, GOOD, "given.csv"))
    write_track(file, track)
    before = file.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert "cannot be written (No space left on device)" in refusal(write_track, file, track[:2])
    assert file.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ball.csv", "given.csv"]


def test_what_a_csv_cannot_hold_is_refused(tmp_path):
    track = Track([0, 1], np.zeros((2, 3)), columns={"why": ["a\nb", "c"]})
    assert "line break" in refusal(write_track, tmp_path / "ball.csv", track)
    for name in ("x", ""):
        assert "must be unique" in refusal(
            write_track, tmp_path / "ball.csv", Track([0, 1], np.zeros((2, 3)), columns={name: [1, 2]})
        )
    assert "cannot be written" in refusal(write_track, tmp_path / "none" / "ball.csv", Track([0], [[0, 0, 0]]))
    assert not list(tmp_path.iterdir())


# --- recorded balls ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("folder, rate", [("tt3d/3d", 179), ("spindoe", 145)])
def test_the_public_sets_read_whole(data_folder, folder, rate):
    tracks = read_tracks(data_folder / folder)
    assert len(tracks) == len([file for file in (data_folder / folder).glob("*.csv") if file.name != "index.csv"])
    steps = np.concatenate([np.diff(track.time) for track in tracks])
    assert abs(1 / np.median(steps) - rate) < 10
    assert all(np.abs(track.position).max() < 5 for track in tracks)
    assert all("row" in note for track in tracks for note in track.notes)  # repeated times alone are remarked on


def test_pixel_files_are_refused(data_folder):
    assert "pixel file" in refusal(read_tracks, data_folder / "tt3d" / "pixels" / "side")


def test_the_sample_is_read_by_its_name_and_says_that_it_is_simulated(tmp_path, monkeypatch):
    assert list(SAMPLES) == ["rally"] and "Simulated by Ballcast" in SAMPLES["rally"].read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    sample = read_track("rally", ground=sim.load("table_tennis").ground)
    assert sample.name == "rally" and not sample.notes and len(sample) > 500
    assert np.all(np.abs(sample.position) < 5) and 0.1 < sample.position[:, 2].max() < 2  # m, above the table
    write_track("rally", sample.until(1.0))
    assert len(read_track("rally")) < len(sample)  # a file of one's own has this name
