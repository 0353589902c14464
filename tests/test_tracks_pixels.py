"""PixelTrack, and the files of pixels: what is read, left out with a note, refused in one line, and written."""

import os
from pathlib import Path

import numpy as np
import pytest

from ballcast.tracks import Camera, PixelTrack, TrackError, read_cameras, read_pixel_tracks, read_pixels, write_pixels

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("BALLCAST_DATA", ROOT.parent / "shared" / "data"))
K = [[1200.0, 0.0, 640.0], [0.0, 1200.0, 360.0], [0.0, 0.0, 1.0]]
LEFT, RIGHT = (Camera(K, None, np.eye(3), [0, 0, 5], (1280, 720), name) for name in ("left", "right"))
BOTH = [LEFT, RIGHT]
TIME, PIXEL, CAMERA = [0.0, 0.1, 0.1, 0.3], np.arange(8.0).reshape(4, 2), [0, 0, 1, 0]


# --- PixelTrack -------------------------------------------------------------------------------------------------------


def test_two_cameras_may_see_the_ball_at_one_instant():
    track = PixelTrack(TIME, PIXEL, CAMERA, BOTH, [8, 8, np.nan, 9], "ball")
    assert len(track) == 4 and track.cameras == (LEFT, RIGHT) and track.camera.dtype == np.int64
    assert len(track.until(0.1)) == 3 and track.until(0.1).name == "ball"
    assert track.seen_by("right").pixel.tolist() == [[4, 5]] and track.seen_by("right").camera.tolist() == [1]
    assert track[1:].diameter.tolist()[0] == 8 and len(track[:0]) == 0
    with pytest.raises(TrackError, match="unknown camera 'top'; the cameras are left, right"):
        track.seen_by("top")
    with pytest.raises(TypeError, match="slice or a mask"):
        track[0]


def test_owns_its_arrays():
    pixel = PIXEL.copy()
    track = PixelTrack(TIME, pixel, CAMERA, BOTH, columns={"l": np.ones(4)})
    pixel[:] = 0
    np.testing.assert_array_equal(track.pixel, PIXEL)
    for array in (track.time, track.pixel, track.camera, track.columns["l"]):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


@pytest.mark.parametrize(
    "changed, message",
    [
        ({"time": [0, 0.2, 0.1, 0.3]}, r"row 2 \(counting from 0\): time 0.1 s comes before 0.2 s; sort"),
        ({"time": [0, np.nan, 1, 2]}, "row 1 .* not finite"),
        ({"pixel": np.where(PIXEL == 5, np.inf, PIXEL)}, "row 2 .* t, u, v = 0.1, 4, inf is not finite; delete"),
        ({"camera": [0, 0, 2, 0]}, "row 2 .* camera 2 is no index of the 2 cameras, 0 to 1"),
        ({"camera": [0, 0, 0.5, 0]}, "row 2 .* camera 0.5 is no index"),
        ({"camera": [0, 0, -1, 0]}, "row 2 .* camera -1 is no index"),
        ({"diameter": [1, 0, 1, 1]}, "row 1 .* diameter 0 px"),
        ({"diameter": [1, 1]}, "diameter must have one value per row"),
        ({"pixel": np.zeros((4, 3))}, r"got \(4,\), \(4, 3\) and \(4,\)"),
        ({"cameras": []}, "no camera"),
        ({"cameras": [LEFT, LEFT]}, "camera 'left' is there twice"),
        ({"cameras": ["left", "right"]}, "must be a list of Camera; one of them is str"),
        ({"columns": {"l": [1]}}, "column 'l' must have one value per row"),
        ({"time": ["a"] * 4}, "time must be an array of numbers"),
    ],
)
def test_refuses_with_one_line(changed, message):
    with pytest.raises(TrackError, match=message) as error:
        PixelTrack(**({"time": TIME, "pixel": PIXEL, "camera": CAMERA, "cameras": BOTH} | changed))
    assert "\n" not in str(error.value)


# --- files ------------------------------------------------------------------------------------------------------------

OURS = "t,camera,u,v\n0.00,left,100,200\n0.01,right,110,210\n0.02,left,104,202\n0.02,right,114,212\n"
TT3D = "Timestamp,X,Y,Z,u,v,l,theta\n0.0,1,2,3,100,200,9,-1\n0.04,1,2,3,110,201,8,-1\n"
TRACKNET = "Frame,Visibility,X,Y\n0,0,0,0\n1,1,100,200\n2,0,640,345\n3,1,110,201\n"


@pytest.fixture
def read(tmp_path):
    def read_text(text, cameras=BOTH, **options):
        (tmp_path / "ball.csv").write_text(text, encoding="utf-8")
        return read_pixels(tmp_path / "ball.csv", cameras, **options)

    return read_text


def test_reads_our_csv(read):
    track = read(OURS)
    assert track.time.tolist() == [0, 0.01, 0.02, 0.02] and track.camera.tolist() == [0, 1, 0, 1]
    assert track.pixel[1].tolist() == [110, 210] and track.notes == () and track.name == "ball"
    assert track.diameter is None


def test_reads_diameters_other_orders_and_other_names(read):
    track = read("v;u;time_ms;cam;diameter\n200;100;0;left;8.5\n202;104;20;left;\n", [LEFT, RIGHT])
    np.testing.assert_array_equal(track.diameter, [8.5, np.nan])
    assert track.pixel.tolist() == [[100, 200], [104, 202]] and track.time.tolist() == [0, 0.02]
    track = read("stamp,col,row,score\n0,1,2,0.9\n1,3,4,0.8\n", [LEFT], columns="t=stamp,u=col,v=row", time_scale=0.5)
    assert track.time.tolist() == [0, 0.5] and track.pixel.tolist() == [[1, 2], [3, 4]]
    assert track.columns["score"].tolist() == ["0.9", "0.8"]
    assert read("0,1,2\n1,3,4\n", [LEFT], columns="t=1,u=2,v=3").pixel.tolist() == [[1, 2], [3, 4]]
    assert read("u,v\n1,2\n3,4\n", [LEFT], rate=25).time.tolist() == [0, 0.04]
    assert read("frame,t,u,v\n5,x,1,2\n8,x,3,4\n", [LEFT], rate=25).time.tolist() == [0.2, 0.32]


def test_cameras_one_after_the_other_are_merged_by_time(read):
    track = read("t,camera,u,v\n0,left,1,1\n2,left,2,2\n3,left,3,3\n1,right,4,4\n2,right,5,5\n")
    assert track.time.tolist() == [0, 1, 2, 2, 3] and track.camera.tolist() == [0, 1, 0, 1, 0]
    assert track.pixel[:, 0].tolist() == [1, 4, 2, 5, 3]


def test_rows_without_a_header_are_ours_where_they_can_be_nothing_else(read):
    track = read("0,left,1,2\n0.1,right,3,4\n")
    assert track.camera.tolist() == [0, 1] and track.pixel.tolist() == [[1, 2], [3, 4]] and not track.notes
    assert read("0,1,2\n1,3,4\n", [LEFT]).pixel.tolist() == [[1, 2], [3, 4]]
    assert read("1,2\n3,4\n", [LEFT], rate=50).time.tolist() == [0, 0.02]


def test_numbers_of_cameras_count_from_0_with_a_note(read):
    track = read(OURS.replace("left", "0").replace("right", "1"))
    assert track.camera.tolist() == read(OURS).camera.tolist()
    assert "0 is 'left', 1 is 'right', in the order of the file of cameras" in track.notes[0]


@pytest.mark.parametrize(
    "step, options, guess",
    [(1, {}, "frame numbers? try --rate"), (16.5, {}, "milliseconds? try --time-scale 0.001"), (1, {"rate": 50}, "")],
)
def test_times_that_are_no_seconds_get_a_note(read, step, options, guess):
    rows = "".join(f"{step * k},{100 + k},{200 + k}\n" for k in range(9))
    notes = read("t,u,v\n" + rows, [LEFT], **options).notes
    assert [note for note in notes if guess in note] == list(notes) and len(notes) == bool(guess)


def test_reads_tt3d_without_the_truth(read):
    track = read(TT3D, [LEFT])
    assert track.pixel.tolist() == [[100, 200], [110, 201]] and track.time.tolist() == [0, 0.04]
    assert set(track.columns) == {"l", "theta"}


def test_reads_tracknet_and_wasb_with_a_rate(read):
    track = read(TRACKNET, [LEFT], rate=25)
    assert track.time.tolist() == [0.04, 0.12] and track.pixel.tolist() == [[100, 200], [110, 201]]
    assert "2 of 4 rows have no pixel (first: row 2): missed frames" in track.notes[0]
    track = read("file name,visibility,x-coordinate,y-coordinate,status\n0003.jpg,1,5,6,0\n0004.jpg,2,7,8,1\n", [LEFT],
                 rate=50)  # fmt: skip
    assert track.time.tolist() == [0.06, 0.08]
    with pytest.raises(TrackError, match="row 1: frame numbers, as TrackNet and WASB write them; say --rate HZ"):
        read(TRACKNET, [LEFT])


def test_what_was_not_seen_is_left_out_with_a_note(read):
    text = "t,u,v\n0,0,0\n1,1,2\n2,-1,-1\n3,nan,nan\n4,3,4\n4,3,4\n"
    track = read(text, [LEFT])
    assert track.time.tolist() == [1, 4] and len(track.notes) == 3
    assert "1 of 6 rows have no pixel (first: row 5)" in track.notes[0]
    assert (
        "2 of 6 rows are (0, 0) or (-1, -1), which stand for a ball that was not seen (first: row 2)" in track.notes[1]
    )
    assert "they repeat the time of an earlier row of the same camera" in track.notes[2]
    assert len(read(text, [LEFT], keep_all=True)) == 4


def test_a_few_pixels_outside_the_image_get_a_note_and_many_are_refused(read):
    inside = "".join(f"{k},{k},{k}\n" for k in range(1, 30))
    assert "row 31: pixel (1900, 5) is outside the image of 'left', 1280 x 720" in read(
        f"t,u,v\n{inside}31,1900,5\n", [LEFT]
    ).notes[0]  # fmt: skip
    with pytest.raises(TrackError, match=r"row 3: pixel \(1800, 900\) is outside .*; of another resolution\?"):
        read("t,u,v\n0,5,5\n1,1800,900\n2,1700,800\n", [LEFT])


def test_pixels_without_a_ray_get_a_note(read):
    folded = Camera(K, [-0.6, 0, 0, 0], np.eye(3), [0, 0, 5], (1280, 720))  # up to 596 px from the middle
    track = read("t,u,v\n0,5,5\n1,640,360\n2,650,360\n", [folded])
    assert len(track) == 3 and "1 of 3 pixels of '' lie where its distortion does not invert" in track.notes[0]


@pytest.mark.parametrize(
    "text, cameras, options, message",
    [
        (OURS.replace("right", "top"), BOTH, {}, r"row 3: unknown camera 'top'; the cameras are left, right"),
        (OURS, [LEFT, LEFT], {}, "camera 'left' is there twice"),
        (OURS, [], {}, "no camera"),
        ("t,u,v\n0,1,2\n1,2,3\n", BOTH, {}, r"no column camera, and there are 2 cameras \(left, right\)"),
        ("t,camera,u,v,w\n0,left,1,2,3\n", BOTH, {}, "row 1: unknown column 'w'; known are t,camera,u,v,diameter"),
        ("t,camera,u\n0,left,1\n", BOTH, {}, "row 1: no column v in 't,camera,u'; it needs t,camera,u,v"),
        ("camera,u,v\nleft,1,2\n", BOTH, {}, "row 1: no column t; frame numbers, or no times: --rate HZ"),
        ("t,x,y,z\n0,1,2,3\n", [LEFT], {}, "row 1: a track in space"),
        ("t,u,u,v\n0,1,2,3\n", [LEFT], {}, "column 'u' is twice"),
        ("0,1,2\n1,3,4\n", BOTH, {}, "row 1: numbers where the header should be; add the line t,camera,u,v"),
        ("t,camera,u,v\n0,2,1,2\n", BOTH, {}, "row 2: camera 2: numbers of cameras are 0 to 1"),
        ("t,u,v\n0,1,2\n1,two,4\n", [LEFT], {}, "row 3: 'two' is not a number"),
        ("t,u,v\n0,1,2\nx,2,4\n", [LEFT], {}, "row 3: 'x' is not a number"),
        ("t,u,v\n0,1,2\n,2,4\n", [LEFT], {}, "row 3"),
        ("t,u,v\n0,1,2\n1,2\n", [LEFT], {}, "row 3: 2 cells where there should be 3"),
        (
            "t,u,v\n0,1,2\n2,2,2\n1,3,3\n",
            [LEFT],
            {},
            "row 4: time 1 s comes before 2 s, of the same camera 'left'; sort",
        ),
        ("t,u,v\n0,1,2\n1,inf,2\n", [LEFT], {}, "row 3"),
        ("t,u,v,diameter\n0,1,2,3\n1,2,3,-4\n", [LEFT], {}, "row 3: diameter -4 px"),
        ("t,u,v\n0,1,2\n", [LEFT], {}, "1 rows are measurements; a track needs at least 2"),
        ("t,u,v\n0,0,0\n1,0,0\n", [LEFT], {}, r"0 rows are measurements; .*; 2 of 2 rows are \(0, 0\)"),
        ("", [LEFT], {}, "the file is empty; its first line should be t,camera,u,v"),
        (OURS, BOTH, {"columns": "t=when"}, "--columns t=when: there is no such column; there are t, camera, u, v"),
        (OURS, BOTH, {"columns": "x=u"}, "columns 'x=u': write KEY=NAME"),
        (OURS, BOTH, {"scale": 0.001}, "scale: an option of tracks in space"),
        (OURS, BOTH, {"rate": -1}, "rate -1: frames per second"),
    ],
)
def test_a_wrong_file_is_refused_in_one_line(read, text, cameras, options, message):
    with pytest.raises(TrackError, match=message) as error:
        read(text, cameras, **options)
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(TrackError, match="cannot be read"):
        read_pixels(tmp_path / "none.csv", [LEFT])
    with pytest.raises(TrackError, match="no .csv track in this folder"):
        read_pixel_tracks(tmp_path, [LEFT])


def test_writes_what_it_reads_to_the_bit(tmp_path):
    random = np.random.default_rng(0)
    time, pixel, camera = np.sort(random.random(20)), random.random((20, 2)) * 700, random.integers(0, 2, 20)
    diameter = np.where(random.random(20) < 0.3, np.nan, random.random(20) * 30)
    for cameras, sizes in ((BOTH, diameter), (BOTH, None), ([LEFT], diameter)):
        which = camera * (len(cameras) - 1)
        write_pixels(tmp_path / "out.csv", PixelTrack(time, pixel, which, cameras, sizes))
        track = read_pixels(tmp_path / "out.csv", cameras)
        np.testing.assert_array_equal(track.time, time)
        np.testing.assert_array_equal(track.pixel, pixel)
        np.testing.assert_array_equal(track.camera, which)
        assert (track.diameter is None) == (sizes is None)
        np.testing.assert_array_equal(track.diameter, sizes)
    assert [file.name for file in tmp_path.iterdir()] == ["out.csv"]
    with pytest.raises(TrackError, match="cannot be written"):
        write_pixels(tmp_path / "no folder" / "out.csv", track)
    nameless = [Camera(K, None, np.eye(3), [0, 0, 5], (1280, 720)), RIGHT]
    with pytest.raises(TrackError, match="name of camera '' cannot be in a CSV"):
        write_pixels(tmp_path / "out.csv", PixelTrack(time, pixel, camera, nameless))


@pytest.mark.skipif(not (DATA / "lfg").is_dir(), reason="the recorded balls of lfg are not here (BALLCAST_DATA)")
def test_reads_the_recorded_pixels():
    pytest.importorskip("yaml", reason="PyYAML is not installed")
    cameras = read_cameras(DATA / "lfg" / "cameras.yaml")
    files = sorted((DATA / "lfg" / "pixels").glob("*.csv"))[:5]
    for track in read_pixel_tracks(files, cameras):
        assert len(track) > 200 and set(track.camera) == {0, 1, 2}


@pytest.mark.skipif(not (DATA / "tt3d" / "pixels").is_dir(), reason="TT3D's pixels are not here (BALLCAST_DATA)")
@pytest.mark.parametrize("view", ("side", "oblique", "back"))
def test_the_recorded_pixels_of_tt3d_are_its_positions_seen_by_its_cameras(view):
    pytest.importorskip("yaml", reason="PyYAML is not installed")
    (camera,) = read_cameras(DATA / "tt3d" / "pixels" / f"{view}.yaml")
    errors = []
    for file in sorted((DATA / "tt3d" / "pixels" / view).glob("*.csv"))[:20]:
        track = read_pixels(file, [camera])
        truth = np.loadtxt(file, delimiter=",", skiprows=1, usecols=(1, 2, 3))
        errors.append(track.pixel - camera.project(truth))
    errors = np.concatenate(errors)
    assert np.abs(errors.mean(axis=0)).max() < 0.4 and errors.std() == pytest.approx(2.0, abs=0.15)


def test_a_very_small_time_is_a_number_and_no_name_of_an_image(tmp_path):
    file = tmp_path / "ball.csv"
    file.write_text("t,u,v\n6e-05,100,100\n0.005,101,100\n")
    assert read_pixels(file, [LEFT]).time.tolist() == [6e-05, 0.005]
