"""A camera that turns and zooms: between rows, in gaps, from files, and what is refused."""

import numpy as np
import pytest

from ballcast.tracks import Camera, MovingCamera, TrackError, read_moving_camera, write_moving_camera
from ballcast.tracks.camera import rotation_of
from ballcast.tracks.moving_camera import vector_of

SIZE = 1280, 720


def camera(pan, focal=1400.0, lens=()):
    R = rotation_of([0.0, pan, 0.0]) @ rotation_of([1.7, 0.1, -0.2])
    K = np.array([[focal, 0.0, 639.5], [0.0, focal, 359.5], [0.0, 0.0, 1.0]])
    return Camera(K, lens, R, -R @ np.array([0.5, -20.0, 6.0]), SIZE, "broadcast")


@pytest.mark.parametrize("angle", [0.0, 1e-9, 0.3, 2.0, 3.1, np.pi])
@pytest.mark.parametrize("axis", [(1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.6, -0.64, 0.48), (-0.6, 0.0, 0.8)])
def test_the_vector_of_a_rotation_gives_it_back(angle, axis):
    R = rotation_of(angle * np.array(axis))
    np.testing.assert_allclose(rotation_of(vector_of(R)), R, atol=1e-8)


def test_the_picture_moves_evenly_between_two_rows():
    moving = MovingCamera(np.array([1.0, 1.04]), (camera(0.0), camera(0.02, 1500.0)))
    middle, point = moving(1.02), np.array([0.3, 1.0, 0.5])
    assert middle.K[0, 0] == pytest.approx(1450.0)
    ends = [one.project(point) for one in moving.cameras]
    np.testing.assert_allclose(middle.project(point), np.mean(ends, axis=0), atol=1.0)
    np.testing.assert_allclose(middle.centre, [0.5, -20.0, 6.0], atol=1e-12)


def test_it_is_unknown_in_gaps_and_before_and_after():
    times = np.array([0.0, 0.04, 0.08, 0.48, 0.52])
    moving = MovingCamera(times, tuple(camera(0.01 * k) for k in range(5)))
    assert moving(-0.01) is moving.cameras[0] and moving(0.53) is moving.cameras[4] and moving(0.09) is not None
    assert moving(0.3) is None and moving(-0.1) is None and moving(0.6) is None


def test_a_file_gives_the_same_cameras(tmp_path):
    path = tmp_path / "cameras.csv"
    cameras = [camera(0.01 * k, 1400.0 + k, (-0.1, 0.02, 1e-4, 0.0)) for k in range(3)]
    write_moving_camera(path, [0.0, 0.04, 0.08], cameras)
    moving = read_moving_camera(path)
    for one, read in zip(cameras, moving.cameras):
        point = [0.3, 1.0, 0.5]
        np.testing.assert_allclose(read.project(point), one.project(point), atol=1e-4)
        assert read.size == SIZE


def test_what_calibrate_writes_is_read_with_the_size_of_the_video(tmp_path):
    path = tmp_path / "cameras.csv"
    path.write_text("frame,time,f,k1,rx,ry,rz,tx,ty,tz,rms_px\n0,0.0,1400,0.0,1.7,0.1,-0.2,0,1,20,0.5\n")
    one = read_moving_camera(path, size=SIZE)(0.0)
    assert one.size == SIZE and one.K[0, 2] == 639.5 and not len(one.distortion)


@pytest.mark.parametrize(
    "text, says",
    [
        ("", "no rows"),
        ("frame,time,f\n0,0.0,1400\n", "column rx is missing"),
        ("time,f,rx,ry,rz,tx,ty,tz\n0.0,1400,0,0,0,0,1,20\n", "width and height"),
        ("frame,f,rx,ry,rz,tx,ty,tz,width,height\n0,1400,0,0,0,0,1,20,1280,720\n", "no column time"),
        ("time,f,rx,ry,rz,tx,ty,tz,width,height\n0,x,0,0,0,0,1,20,1280,720\n", "row 2"),
        ("time,f,rx,ry,rz,tx,ty,tz,width,height\n0,,0,0,0,0,1,20,1280,720\n", "row 2"),
        ("time,f,rx,ry,rz,tx,ty,tz,width,height\n" + 2 * "0.5,1400,0,0,0,0,1,20,1280,720\n", "does not come after"),
    ],
)
def test_a_wrong_file_ends_in_one_line(tmp_path, text, says):
    path = tmp_path / "cameras.csv"
    path.write_text(text)
    with pytest.raises(TrackError, match=says) as caught:
        read_moving_camera(path)
    assert "\n" not in str(caught.value) and "cameras.csv" in str(caught.value)
