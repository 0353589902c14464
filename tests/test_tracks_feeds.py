"""What trackers really deliver: names, units, times, separators, ids, missed frames; and notes on what looks wrong."""

import io
import re

import numpy as np
import pytest

from ballcast import sim
from ballcast.tracks import ReadOptions, Track, TrackError, TrackLineReader, read_track, read_tracks, write_track
from ballcast.tracks.notes import misdirected_gravity
from ballcast.tracks.options import Placement

GOOD = "t,x,y,z\n0.0,0.1,-1.3,0.3\n0.1,0.2,-1.2,0.25\n0.2,0.3,-1.1,0.2\n"
TIME = np.arange(60) / 60.0
FLIGHT = np.column_stack([0.5 * TIME, 6.0 * TIME - 3.0, 1.0 + 4.0 * TIME - 4.905 * TIME**2])


def read(text, **options):
    return read_track(io.StringIO(text), **options)


def refusal(text, **options):
    with pytest.raises(TrackError) as error:
        read_tracks(io.StringIO(text), **options)
    assert "\n" not in str(error.value) and len(str(error.value)) < 400
    return str(error.value)


def as_text(time, position, header="t,x,y,z", separator=","):
    rows = [separator.join(map(repr, map(float, (t, *p)))) for t, p in zip(time, position)]
    return "\n".join([header, *rows, ""])


def is_good(track):
    np.testing.assert_allclose(track.time, [0, 0.1, 0.2], atol=1e-12)
    np.testing.assert_allclose(track.position, [[0.1, -1.3, 0.3], [0.2, -1.2, 0.25], [0.3, -1.1, 0.2]], atol=1e-12)


# --- layouts ----------------------------------------------------------------------------------------------------------

BARE = GOOD.partition("\n")[2]


@pytest.mark.parametrize(
    "text, options",
    [
        (GOOD.replace("t,x,y,z", "time,X,Y,Z"), {}),
        (GOOD.replace("t,x,y,z", "Time (s),pos_x,pos_y,pos_z"), {}),
        (GOOD.replace("t,x,y,z", "timestamp,Position.X,Position.Y,Position.Z"), {}),
        (GOOD.replace("t,x,y,z", "time_s,x [m],y [m],z [m]"), {}),
        (GOOD.replace("t,x,y,z", "when,east,north,up"), {"columns": "t=when,x=east,y=north,z=up"}),
        (GOOD.replace("t,x,y,z", "when,x,y,z"), {"columns": " t = when "}),
        (BARE, {"columns": "t=1,x=2,y=3,z=4"}),
        (GOOD.replace(",", " "), {}),
        (GOOD.replace(",", "   "), {}),
        (BARE.replace(",", " "), {"columns": "t=1,x=2,y=3,z=4"}),
        ("# by a tracker\n" + GOOD.replace("\n0.1", "\n# a pause\n0.1"), {}),
        ("# t,x,y,z\n" + BARE, {}),
        ("# t x y z\n" + BARE.replace(",", " "), {}),
        ("x,y,z\n0.1,-1.3,0.3\n0.2,-1.2,0.25\n0.3,-1.1,0.2\n", {"rate": 10}),
        ("0.1,-1.3,0.3\n0.2,-1.2,0.25\n0.3,-1.1,0.2\n", {"rate": 10}),
        ("frame,x,y,z\n0,0.1,-1.3,0.3\n1,0.2,-1.2,0.25\n2,0.3,-1.1,0.2\n", {"rate": 10}),
        ("t,x,y,z\n0,0.1,-1.3,0.3\n1,0.2,-1.2,0.25\n2,0.3,-1.1,0.2\n", {"rate": 10}),
        ("0;0.1;-1.3;0.3\n1;0.2;-1.2;0.25\n2;0.3;-1.1;0.2\n", {"rate": 10}),
        ("t,x,y,z\n0,100,-1300,300\n100,200,-1200,250\n200,300,-1100,200\n", {"time_scale": 1e-3, "scale": 1e-3}),
        ("t_ms,x_mm,y_mm,z_mm\n0,100,-1300,300\n100,200,-1200,250\n200,300,-1100,200\n", {}),
    ],
)
def test_reads_what_trackers_write_in_files_and_in_pipes(text, options):
    track = read(text, **options)
    is_good(track)
    assert track.notes == ()
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    comment = text.splitlines()[0].lstrip("# ") if text.startswith("#") else ""
    reader = TrackLineReader(lines[0], comment=comment, **options)
    frames = [reader.frame(k, line) for k, line in enumerate(lines[0 if reader.has_no_header else 1 :])]
    np.testing.assert_array_equal([t for t, _ in frames], track.time)
    np.testing.assert_array_equal([position for _, position in frames], track.position)


def test_iso_times():
    rows = ["2020-06-05T20:29:57.840+02:00,1,2,3", "2020-06-05T18:29:57.880Z,2,2,3", "2020-06-05 18:29:57.92,3,2,3"]
    track = read("\n".join(["t,x,y,z", *rows, ""]))
    np.testing.assert_allclose(track.time - 1591381797.0, [0.84, 0.88, 0.92], atol=1e-6)
    track = read("t,x,y,z\n20:29:57.840,1,2,3\n20:29:57.880,2,2,3\n")
    np.testing.assert_allclose(track.time, [73797.84, 73797.88], atol=1e-9)
    assert "'2020-13-05T00:00' is not a number" in refusal("t,x,y,z\n2020-13-05T00:00,1,2,3\n1,1,2,3\n")


def test_an_up_axis_in_the_header_sets_the_axes_unless_they_are_given():
    text = "t,x,y_up,z\n0,1,2,3\n1,1,5,3\n"
    np.testing.assert_array_equal(read(text).position, [[1, -3, 2], [1, -3, 5]])
    np.testing.assert_array_equal(read(text, axes="x,y,z").position, [[1, 2, 3], [1, 5, 3]])


def test_rotate_turns_x_to_y_after_axes_and_before_origin():
    text = "t,x,y,z\n0,1,2,3\n1,2,2,3\n"
    np.testing.assert_array_equal(read(text, rotate=90).position, [[-2, 1, 3], [-2, 2, 3]])
    turned = read(text, rotate=270, axes="-y,x,z", origin="1,2,3").position  # axes: (-2, 1, 3); turned: (1, 2, 3)
    np.testing.assert_array_equal(turned, [[0, 0, 0], [1, 0, 0]])
    third = read(text, rotate=30.0).position
    np.testing.assert_allclose(third[0], [np.sqrt(0.75) - 1.0, 0.5 + 2 * np.sqrt(0.75), 3], atol=1e-12)


def test_an_id_makes_several_tracks(tmp_path):
    rows = [f"{k / 10},{b},{b + k},2,3" for k in range(4) for b in (7, 3)]
    file = tmp_path / "two.csv"
    file.write_text("\n".join(["t,ball_id,x,y,z", *rows, "0.9,5,0,1,2", ""]))
    tracks = read_tracks(file)
    assert [track.name for track in tracks] == ["two/7", "two/3"]
    np.testing.assert_array_equal(tracks[1].position[:, 0], [3, 4, 5, 6])
    assert len(tracks[0].notes) == 1 and "ball 5: 1 of 1 rows have a position" in tracks[0].notes[0]
    with pytest.raises(TrackError, match="holds 2 balls"):
        read_track(file)
    times = [line for line in file.read_text().splitlines() if ",3," not in line or line.startswith("t")]
    assert len(read("\n".join(times).replace("0.9,5,", "0.9,7,"), columns="id=")) == 5


def test_frame_numbers_of_several_balls_are_counted_for_each():
    tracks = read_tracks(io.StringIO("id,x,y,z\na,1,1,1\nb,2,1,1\na,2,1,1\nb,3,1,1\n"), rate=50)
    assert [list(track.time) for track in tracks] == [[0, 0.02], [0, 0.02]]


@pytest.mark.parametrize(
    "text, options, message",
    [
        (GOOD.replace("t,x", "when,x"), {}, "no column t in the header .*--columns t=NAME.*--rate HZ"),
        (GOOD, {"columns": "x=east"}, "--columns x=east: there is no such column; there are t, x, y, z"),
        (GOOD, {"columns": "east"}, "write KEY=NAME"),
        (GOOD, {"columns": "w=x"}, "write KEY=NAME once each.*keys: t, x, y, z, id, frame"),
        (GOOD.replace("t,x,y,z", "t,X,pos_x,z"), {}, "which column is x, 'X' or 'pos_x'\\? Say --columns x=X"),
        (GOOD.replace("t,x,y,z", "t,x_mm,y_m,z_m"), {}, "different units"),
        (BARE, {}, "numbers where the header should be.*--columns t=1,x=2,y=3,z=4"),
        (BARE, {"columns": "t=1,x=2,y=3,z=9"}, "has columns 1 to 4"),
        (BARE, {"columns": "x=2,y=3,z=4"}, "say which column is t, or --rate HZ"),
        (BARE, {"columns": "t=when,x=2,y=3,z=4"}, "takes numbers from 1"),
        ("t,x,y,z\n0,1.5,1,1\n1,1,5,1,1\n", {}, "row 3: 5 cells .* decimal commas"),
        ("t;x;y;z\n0;1;1;1\n1;1,5;1;1\n", {}, "row 3: '1,5' has a decimal comma; write decimals with a point"),
        ("0;0,1;0,2;0,3\n0,1;0,2;0,2;0,3\n", {}, "row 1: '0,1' has a decimal comma"),
        ("t x y z\n0 1 1 1\n1 1,5 1 1\n", {}, "row 3: '1,5' has a decimal comma"),
        (GOOD, {"rate": 0}, "rate 0: frames per second"),
        (GOOD, {"rate": 10, "time_scale": 2.0}, "give one of them"),
        (GOOD, {"time_scale": -1}, "time-scale -1: seconds per unit"),
        (GOOD, {"rotate": float("nan")}, "degrees about z"),
        ("t,x,y,z\n0,1,2,3\n1,,,\n", {}, "1 of 2 rows have a position"),
        ("t,x,y,z\n,1,2,3\n1,1,2,3\n", {}, "row 2: '' is not a number"),
    ],
)
def test_refuses_what_cannot_be_understood(text, options, message):
    assert re.search(message, refusal(text, **options)), refusal(text, **options)


# --- notes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cells", [",,", "nan,nan,nan", "NaN,0.2,0.3", "NA,NA,NA", " , , ", "null,null,null", "-,-,-"])
def test_rows_without_a_position_are_missed_frames_with_one_note(cells):
    track = read(GOOD.replace("0.2,-1.2,0.25", cells) + f"0.3,{cells}\n" + "0.4,0.5,-0.9,0.1\n")
    np.testing.assert_allclose(track.time, [0, 0.2, 0.4])
    (note,) = track.notes
    assert "2 of 5 rows have no position (first: row 3)" in note


def test_held_and_zero_frames_get_a_note_each():
    position = FLIGHT.copy()
    position[10:14], position[30:32] = position[9], 0.0
    track = read(as_text(TIME, position))
    assert len(track) == 54
    zero, held = track.notes
    assert "2 of 60 rows are (0, 0, 0)" in zero and "first: row 32" in zero and "--keep-all" in zero
    assert "4 of 60 rows repeat the position before" in held and "first: row 12" in held and "--keep-all" in held
    whole = read(as_text(TIME, position), keep_all=True)
    assert len(whole) == 60 and not whole.notes


@pytest.mark.parametrize(
    "factor, words", [(1e3, "milliseconds? try --time-scale 0.001"), (1e6, "--time-scale 1e-6"), (1e9, "1e-9")]
)
def test_times_in_other_units_are_noticed(factor, words):
    (note,) = read(as_text(np.round(TIME * factor), FLIGHT)).notes
    assert words in note and "the ball moves " in note and " m/s" in note
    assert read(as_text(np.round(TIME * factor), FLIGHT), time_scale=1 / factor).notes == ()


def test_frame_numbers_in_place_of_times_are_noticed():
    (note,) = read(as_text(np.arange(60), FLIGHT)).notes
    assert "frame numbers? try --rate" in note
    assert read(as_text(np.arange(60), FLIGHT), rate=60).notes == ()


def test_milliseconds_and_millimetres_are_noticed_together():
    notes = read(as_text(TIME * 1e3, FLIGHT * 1e3)).notes
    assert len(notes) == 2 and "--scale 0.001" in notes[0] and "--time-scale 0.001" in notes[1]


@pytest.mark.parametrize("axes", ["x,z,-y", "x,-z,y", "z,x,y", "y,z,x", "-z,y,x", "x,-y,-z"])
def test_gravity_that_does_not_point_down_is_noticed_and_the_note_mends_it(axes):
    wrong = Placement.parse(axes).apply(FLIGHT)
    (note,) = read(as_text(TIME, wrong)).notes
    assert "not along -z; try --axes=" in note
    mended = read(as_text(TIME, wrong), axes=note.rpartition("--axes=")[2])
    assert mended.notes == ()
    np.testing.assert_allclose(mended.position[:, 2], FLIGHT[:, 2], atol=1e-12)
    assert np.isclose(np.linalg.det(np.linalg.lstsq(wrong, mended.position, rcond=None)[0]), 1.0)  # a turn, no mirror


def test_a_note_on_gravity_takes_the_axes_that_were_given_into_account():
    (note,) = read(as_text(TIME, FLIGHT), axes="x,-z,y").notes
    assert "--axes=x,y,z" in note


@pytest.mark.parametrize("name", sim.names())
def test_simulated_balls_fall_down_in_every_sport(name):
    balls = sim.draw(sim.load(name), 40, purpose="test")
    tracks = [slice(a, b) for a, b in zip(balls.offsets, balls.offsets[1:])]
    found = [misdirected_gravity(balls.time[rows], balls.position[rows]) for rows in tracks]
    assert not any(found)


def test_balls_under_the_ground_get_a_note():
    (note,) = read_track(io.StringIO(as_text(TIME, FLIGHT - [0, 0, 1.5])), ground=0.0).notes
    assert "frames are under the ground, down to z = " in note and "--origin" in note
    assert read_track(io.StringIO(as_text(TIME, FLIGHT)), ground=-0.8).notes == ()
    rolling = np.column_stack([TIME, TIME, 0 * TIME])  # a feed that puts balls on the ground at 0
    assert read_track(io.StringIO(as_text(TIME[1:], rolling[1:])), ground=0.0).notes == ()


def test_the_ground_of_a_sport_is_its_lowest_surface():
    assert sim.load("table_tennis").ground == -0.76 and sim.load("basketball").ground == 0.0


def test_of_several_balls_in_a_file_the_first_carries_one_note_of_each_kind():
    rows = [f"{b},{k},{p[0]},{p[1]},{p[2]}" for b in range(3) for k, p in enumerate(FLIGHT)]
    tracks = read_tracks(io.StringIO("\n".join(["id,t,x,y,z", *rows, ""])))
    assert len(tracks) == 3 and [len(track.notes) for track in tracks] == [1, 0, 0]
    assert "--rate" in tracks[0].notes[0] and tracks[0].notes[0].endswith("(and in 2 more tracks)")


def test_options_have_one_home():
    """The three command lines hold the same dataclass."""
    from ballcast.evaluation import evaluate
    from ballcast.models import __main__ as forecasts
    from ballcast.viewer import play

    options = play.Options(), evaluate.Options(), forecasts.Options("-")
    assert all(each.reading == ReadOptions() for each in options)


# --- recorded balls ---------------------------------------------------------------------------------------------------


def test_free_throws_in_milliseconds_and_feet(data_folder):
    files = sorted((data_folder / "freethrow").glob("*.csv"))
    if not files:
        pytest.skip("no free throws")
    tracks = read_tracks(files, time_scale=0.001, scale=0.3048, axes="-y,x,z", ground=0.0)
    assert len(tracks) == len(files) and all(len(track) > 100 for track in tracks)
    assert all(len(track.notes) == 1 and "have no position" in track.notes[0] for track in tracks)
    assert all("--time-scale 0.001" in " ".join(track.notes) for track in read_tracks(files))


def test_a_dribbled_ball_with_its_y_up(data_folder):
    file = data_folder / "basketball" / "Ball_6.csv"
    if not file.is_file():
        pytest.skip(f"no {file}")
    assert read_track(file, ground=0.0).notes == ()
    assert "try --axes=x,-z,y" in read_track(file, axes="x,y,z").notes[0]


def test_iso_times_of_a_match(data_folder):
    folder = data_folder / "soccer"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    iso, plain = (read_track(folder / f"dfl_rolling_pass{end}.csv") for end in ("_iso", ""))
    np.testing.assert_allclose(iso.time - iso.time[0], plain.time, atol=1e-6)


def test_written_tracks_read_back_with_their_zeros(tmp_path):
    write_track(tmp_path / "a.csv", Track(TIME, 0 * FLIGHT))
    assert len(read_track(tmp_path / "a.csv", keep_all=True)) == 60


def test_numbers_that_are_no_balls_get_no_note_on_gravity():
    time = np.array([-1.80143985e16, 0.0, 1.0, 2.0])
    assert misdirected_gravity(time, np.zeros((4, 3))) is None
    assert misdirected_gravity(np.arange(40) / 100, np.full((40, 3), 1e300)) is None
