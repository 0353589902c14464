"""OptiTrack Motive's CSV and the HDF5 files of table-tennis launchers."""

import sys

import numpy as np
import pytest

from ballcast.tracks import TrackError, TrackLineReader, read_track, read_tracks

TIME = np.arange(40) / 120.0
BALL = np.column_stack([0.5 + TIME, 1.0 + 2.0 * TIME - 4.905 * TIME**2, 3.0 * TIME])  # y points up

# --- Motive -----------------------------------------------------------------------------------------------------------


def motive(objects, unit="Meters", version="1.23", blank=True, time=True, missed=()):
    """An export of objects (type, name, factor of BALL): rigid bodies with rotation, markers with position alone."""
    keys = ["", "Type"], ["", "Name"], ["", "ID"], ["", ""], ["Frame", "Time (Seconds)"]
    for kind, name, _ in objects:
        columns = [("Rotation", axis) for axis in "XYZW"] if kind == "Rigid Body" else []
        for component, axis in [*columns, *(("Position", axis) for axis in "XYZ")]:
            for row, cell in zip(keys, (kind, name, "1F", component, axis)):
                row.append(cell)
    head = f"Format Version,{version},Take Name,Take 1,Capture Frame Rate,120.000000,Export Frame Rate,120.000000,"
    rows = [head + f"Rotation Type,Quaternion,Length Units,{unit},Coordinate Space,Global", *([""] if blank else [])]
    rows += [",".join(row) for row in keys]
    for k, (t, p) in enumerate(zip(TIME, BALL)):
        cells = [str(k), f"{t:.6f}" if time else ""]
        for kind, _, factor in objects:
            quaternion = ["0.1", "0.2", "0.3", "0.9"] if kind == "Rigid Body" else []
            position = [f"{v * factor:.6f}" for v in p]
            cells += [""] * (len(quaternion) + 3) if k in missed else quaternion + position
        rows.append(",".join(cells))
    if not time:
        rows = [row.replace("Time (Seconds)", "Timecode") for row in rows]
    return "\n".join(rows) + "\n"


def stored(tmp_path, text, name="Take 1.csv"):
    (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path / name


@pytest.mark.parametrize("options", [{}, {"blank": False, "version": "1.25"}, {"time": False}])
@pytest.mark.parametrize("unit, factor", [("Meters", 1.0), ("Millimeters", 1000.0), ("Centimeters", 100.0)])
def test_a_rigid_body_is_a_track_in_our_frame(tmp_path, options, unit, factor):
    file = stored(tmp_path, motive([("Rigid Body", "Ball", factor)], unit, missed=(5, 6), **options))
    track = read_track(file)
    seen = ~np.isin(np.arange(40), (5, 6))
    np.testing.assert_allclose(track.time, TIME[seen], atol=1e-6)
    np.testing.assert_allclose(track.position, np.column_stack([BALL[:, 0], -BALL[:, 2], BALL[:, 1]])[seen], atol=2e-6)
    (note,) = track.notes
    assert "2 of 40 rows have no position" in note and f"first: row {13 - (not options.get('blank', True))}" in note
    np.testing.assert_allclose(read_track(file, axes="x,y,z").position, BALL[seen], atol=2e-6)
    assert "--axes=x,-z,y" in " ".join(read_track(file, axes="x,y,z").notes)


def test_of_many_objects_those_called_ball_are_read(tmp_path):
    objects = [("Rigid Body", "Racket", 0.5), ("Rigid Body", "ball 1", 1.0), ("Rigid Body Marker", "ball 1:M1", 1.0)]
    track = read_track(stored(tmp_path, motive(objects)))
    assert track.name == "Take 1" and not track.notes and abs(track.position[0, 0] - 0.5) < 1e-6


def test_markers_are_read_where_there_is_no_rigid_body(tmp_path):
    tracks = read_tracks(stored(tmp_path, motive([("Marker", "Unlabeled 1", 1.0), ("Marker", "Unlabeled 2", 1.1)])))
    assert [track.name for track in tracks] == ["Take 1/Unlabeled 1", "Take 1/Unlabeled 2"]
    assert "2 objects, each is a track: Unlabeled 1, Unlabeled 2" in tracks[0].notes[0]


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda text: text.replace("Meters", "Furlongs"), "unknown Length Units 'Furlongs'; known are meters"),
        (lambda text: text.replace("Position", "Residual"), "no positions of rigid bodies or markers"),
        (lambda text: text.replace("Frame,Time", "Time"), "no row Frame,Time"),
        (lambda text: text.replace("0.500000", "half"), "row 8: not a number"),
        (lambda text: "".join(text.splitlines(keepends=True)[:7]), "0 frames"),
    ],
)
def test_other_exports_are_refused(tmp_path, change, message):
    file = stored(tmp_path, change(motive([("Rigid Body", "Ball", 1.0)])))
    with pytest.raises(TrackError, match=message) as error:
        read_track(file)
    assert "\n" not in str(error.value) and str(file) in str(error.value)


def test_motive_is_not_read_line_by_line():
    with pytest.raises(TrackError, match="read as a file"):
        TrackLineReader("Format Version,1.23,Take Name,Take 1")


# --- HDF5 -------------------------------------------------------------------------------------------------------------


def launcher(path, groups, times="time_stamps"):
    """An HDF5 file of the ball, in groups of these names."""
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        for k, name in enumerate(groups):
            file[f"{name}/{times}"], file[f"{name}/positions"] = TIME, BALL[:, [0, 2, 1]] + [k, 0, 0]
            file[f"{name}/launch_param"] = np.zeros(5)
    return path


def test_each_group_is_a_track_in_the_order_of_its_number(tmp_path):
    tracks = read_tracks(launcher(tmp_path / "balls.hdf5", [f"originals/{k}" for k in range(12)]))
    assert [track.name for track in tracks] == [f"balls/{k}" for k in range(12)]
    np.testing.assert_allclose([track.position[0, 0] for track in tracks], 0.5 + np.arange(12))
    np.testing.assert_array_equal(tracks[3].time, TIME)


def test_processed_balls_are_preferred_and_a_folder_may_hold_such_files(tmp_path):
    launcher(tmp_path / "a.h5", ["originals/0", "processed/first", "processed/second"], "timestamps")
    assert [track.name for track in read_tracks(tmp_path, scale=2.0, rotate=90)] == ["a/first", "a/second"]
    assert [track.name for track in read_tracks(launcher(tmp_path / "b.dat", ["0"]))] == ["b/0"]  # known by its bytes


def test_hdf5_files_that_hold_no_track_are_refused(tmp_path):
    whole = launcher(tmp_path / "a.hdf5", ["originals/0"]).read_bytes()
    (tmp_path / "cut.hdf5").write_bytes(whole[: len(whole) // 2])
    for file, message in (
        (launcher(tmp_path / "none.hdf5", []), "no group with positions"),
        (tmp_path / "cut.hdf5", "cannot be read as HDF5"),
    ):
        with pytest.raises(TrackError, match=message) as error:
            read_tracks(file)
        assert "\n" not in str(error.value)


def test_without_h5py_one_line_says_what_to_install(tmp_path, monkeypatch):
    (tmp_path / "a.hdf5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(TrackError, match="needs h5py: pip install h5py, or ballcast\\[formats\\]"):
        read_track(tmp_path / "a.hdf5")


def test_the_launcher_of_the_mpi(data_folder):
    pytest.importorskip("h5py")
    files = sorted((data_folder / "mpi").glob("*.hdf5"))
    if not files:
        pytest.skip("no launcher files")
    tracks = read_tracks(files, axes="-y,x,z", origin=(0, 1.37, 0.741), ground=-0.76)
    assert len(tracks) > 10 and not any(track.notes for track in tracks)
    assert abs(np.median(np.concatenate([np.diff(track.time) for track in tracks])) - 1 / 179) < 1e-4
    lows = [track.position[:, 2].min() for track in tracks]
    assert abs(np.median(lows) - 0.02) < 0.01  # most bounce on the table
