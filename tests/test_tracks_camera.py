"""Camera: OpenCV's model, what it refuses, and the files it is read from and written to."""

import math
import os
from pathlib import Path

import numpy as np
import pytest

from ballcast.tracks import Camera, TrackError, read_cameras, write_cameras
from ballcast.tracks.camera import rotation_of

yaml = pytest.importorskip("yaml", reason="PyYAML, which reads camera files, is not installed")
ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("BALLCAST_DATA", ROOT.parent / "shared" / "data"))
K = [[1200.0, 0.0, 640.0], [0.0, 1100.0, 360.0], [0.0, 0.0, 1.0]]
TO_Y = [[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]]  # the camera looks along our y, x to the right
T = [0.0, 1.0, 5.0]  # it is at (0, -5, 1)
LENSES = {
    "none": [],
    "four": [-0.2, 0.05, 0.002, -0.001],
    "five": [-0.25, 0.12, -0.001, 0.003, -0.02],
    "eight": [0.4, -0.1, 0.001, 0.002, 0.01, 0.6, -0.05, 0.003],
}


def camera(distortion=(), size=(1280, 720), **changed):
    values = {"K": K, "distortion": distortion, "R": TO_Y, "t": T, "size": size, "name": "side"} | changed
    return Camera(**values)


def points_in_view(seed=0, count=500):
    random = np.random.default_rng(seed)
    return random.uniform([-2.0, -1.0, 0.0], [2.0, 4.0, 2.0], (count, 3))


# --- projection -------------------------------------------------------------------------------------------------------


def test_a_point_is_where_it_is_computed_by_hand():
    # (1, 0, 1.5) is 5 m ahead, 1 m to the right, 0.5 m above the camera's centre
    np.testing.assert_allclose(camera().project([1.0, 0.0, 1.5]), [640 + 1200 * 0.2, 360 - 1100 * 0.1], atol=1e-12)
    np.testing.assert_allclose(camera().centre, [0.0, -5.0, 1.0], atol=1e-15)
    # x, y = 0.2, -0.1; r^2 = 0.05; s = 1 - 0.2 * 0.05 + 0.05 * 0.0025 = 0.990125
    # x' = 0.198025 + 2 * 0.002 * -0.02 - 0.001 * 0.13 = 0.197815; y' = -0.0990125 + 0.002 * 0.07 + 0.00004 = -0.0988325
    expected = [640 + 1200 * 0.197815, 360 - 1100 * 0.0988325]
    np.testing.assert_allclose(camera(LENSES["four"]).project([1.0, 0.0, 1.5]), expected, atol=1e-9)


def test_eight_coefficients_by_hand():
    # r^2 = 0.05: s = (1 + 0.02 - 0.00025 + 0.00000125) / (1 + 0.03 - 0.000125 + 0.000000375)
    s = 1.01975125 / 1.029875375
    x, y = 0.2 * s - 2 * 0.001 * 0.02 + 0.002 * 0.13, -0.1 * s + 0.001 * 0.07 - 2 * 0.002 * 0.02
    np.testing.assert_allclose(
        camera(LENSES["eight"]).project([1, 0, 1.5]), [640 + 1200 * x, 360 + 1100 * y], atol=1e-9
    )


@pytest.mark.parametrize("lens", LENSES)
def test_project_is_opencv(lens):
    cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed")
    for seed in range(5):
        random = np.random.default_rng(seed)
        R = rotation_of(random.normal(size=3))
        t = random.normal(size=3) + [0.0, 0.0, 6.0]
        one = camera(LENSES[lens], R=R, t=t)
        points = (random.uniform([-2, -1.5, -2], [2, 1.5, 3], (400, 3)) + [0, 0, 6.0] - t) @ R
        theirs, jacobian = cv2.projectPoints(points, cv2.Rodrigues(R)[0], t, one.K, one.distortion)
        np.testing.assert_allclose(one.project(points), theirs[:, 0], atol=1e-6, rtol=0)
        by_t = jacobian[:, 3:6].reshape(-1, 2, 3)  # d pixel / d t; the point moves by R^T of that
        np.testing.assert_allclose(one.jacobian(points), by_t @ R, rtol=1e-6, atol=1e-4)


@pytest.mark.parametrize("lens", LENSES)
def test_the_jacobian_is_the_derivative(lens):
    one, points, step = camera(LENSES[lens]), points_in_view(), 1e-6
    numeric = [(one.project(points + step * e) - one.project(points - step * e)) / (2 * step) for e in np.eye(3)]
    np.testing.assert_allclose(one.jacobian(points), np.stack(numeric, axis=-1), atol=1e-5)


@pytest.mark.parametrize("lens", LENSES)
def test_a_ray_leads_back_to_its_point(lens):
    one, points = camera(LENSES[lens]), points_in_view()
    points = points[one.sees(points)]
    origin, directions = one.rays(one.project(points))
    offset = points - origin
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1.0, atol=1e-15)
    along = (offset * directions).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(along * directions, offset, atol=1e-11)
    again = one.project(origin + 7.0 * directions)
    np.testing.assert_allclose(again, one.project(points), atol=1e-9)
    assert len(points) > 300


def test_shapes_follow_the_points():
    one = camera(LENSES["five"])
    for shape in ((), (4,), (2, 3)):
        points = np.zeros((*shape, 3))
        assert one.project(points).shape == (*shape, 2) and one.jacobian(points).shape == (*shape, 2, 3)
        assert one.sees(points).shape == one.diameters(points, 0.04).shape == shape
        assert one.rays(np.zeros((*shape, 2)))[1].shape == (*shape, 3)
    with pytest.raises(TrackError, match=r"points must be \(..., 3\)"):
        one.project(np.zeros((3, 2)))


def test_a_point_behind_the_camera_has_no_pixel():
    one, points = camera(LENSES["five"]), np.array([[0.0, -6.0, 1.0], [0.0, -5.0, 1.0], [0.0, 1.0, 1.0]])
    assert np.isnan(one.project(points)).all(axis=1).tolist() == [True, True, False]
    assert np.isnan(one.jacobian(points)).all(axis=(1, 2)).tolist() == [True, True, False]
    assert np.isnan(one.diameters(points, 0.04)).tolist() == [True, True, False]
    assert one.sees(points).tolist() == [False, False, True]


def test_the_image_ends_half_a_pixel_beyond_the_last_centre():
    pixels = [[-0.5, 0.0], [-0.6, 0.0], [1279.5, 719.5], [1279.6, 0.0], [0.0, 719.6], [math.nan, 0.0]]
    assert camera().holds(pixels).tolist() == [True, False, True, False, False, False]


def test_the_fold_of_a_distortion_bounds_what_is_seen():
    one = camera([-0.6, 0.0, 0.0, 0.0])  # s r = r - 0.6 r^3 grows up to r = 0.745, where it is 0.497
    assert one.fold == pytest.approx(math.sqrt(1 / 1.8), abs=1e-3) and camera().fold == math.inf
    inside, beyond = [3.0, 0.0, 1.0], [6.0, 0.0, 1.0]  # r = 0.6, 1.2
    assert one.sees([inside, beyond]).tolist() == [True, False]
    assert one.holds(one.project(beyond))  # OpenCV's formula puts it into the image
    corner = [640 + 1200 * 0.51, 360.0]
    assert np.isnan(one.rays([corner, one.project(inside)])[1]).all(axis=1).tolist() == [True, False]


def test_the_diameter_is_that_of_the_projected_ball():
    one, centre, radius = camera(LENSES["five"]), np.array([1.2, 0.5, 1.6]), 0.02
    out, _ = one.rays(one.project(centre))
    axis = (centre - out) / np.linalg.norm(centre - out)
    side = np.cross(axis, [0, 0, 1.0])
    side /= np.linalg.norm(side)
    angle = np.linspace(0, 2 * np.pi, 2000, endpoint=False)[:, None]
    rim = centre + radius * (np.cos(angle) * side + np.sin(angle) * np.cross(axis, side))
    x, y = one.project(rim).T
    area = 0.5 * abs(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)))
    assert one.diameters(centre, 2 * radius) == pytest.approx(2 * math.sqrt(area / math.pi), rel=1e-3)


# --- what a Camera refuses --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changed, message",
    [
        ({"R": np.diag([1.0, 1.0, 0.0])}, "R is singular"),
        ({"R": np.zeros((3, 3))}, "R is singular"),
        ({"R": np.diag([1.0, 1.0, -1.0])}, "R is left-handed .* a mirror image"),
        ({"R": 1.1 * np.eye(3)}, "R is no rotation"),
        ({"R": [[1, 0.1, 0], [0, 1, 0], [0, 0, 1]]}, "R is no rotation"),
        ({"R": np.eye(2)}, r"R must be a rotation matrix \(3, 3\)"),
        ({"R": np.full((3, 3), np.nan)}, "R has numbers that are not finite"),
        ({"t": [0, 0]}, r"t must be \(3,\) m"),
        ({"t": ["a", "b", "c"]}, "t must be an array of numbers"),
        ({"K": np.eye(2)}, r"K must be \(3, 3\)"),
        ({"K": np.diag([-1200, 1200, 1.0])}, "focal lengths must be above 0"),
        ({"K": [[1200, 3, 640], [0, 1200, 360], [0, 0, 1]]}, "without skew"),
        ({"distortion": [0.1, 0.2]}, "2 distortion coefficients; there are 0, 4, 5, 8"),
        ({"distortion": [-1.0, 0.1, 0.0, 0.0]}, "does not invert: only .* % of the image"),
        ({"distortion": [-1.5, 0.0, 0.0, 0.0]}, "does not invert"),
        ({"size": (1280.5, 720)}, "size must be"),
        ({"size": (1280, 0)}, "size must be"),
        ({"size": 1280}, "size must be"),
    ],
)
def test_refuses_in_one_line(changed, message):
    with pytest.raises(TrackError, match=message) as error:
        camera(**changed)
    assert "\n" not in str(error.value)


def test_takes_a_rounded_rotation_and_is_then_exact():
    R = rotation_of([0.3, -1.2, 2.0])
    rounded = camera(R=np.round(R, 4)).R
    np.testing.assert_allclose(rounded @ rounded.T, np.eye(3), atol=1e-15)
    np.testing.assert_allclose(rounded, R, atol=1e-4)
    assert (camera(R=R).R == R).all()


def test_owns_its_arrays():
    t = np.array(T)
    one = camera(t=t)
    t[:] = 0
    assert one.t.tolist() == T
    for array in (one.K, one.distortion, one.R, one.t):
        with pytest.raises(ValueError, match="read-only"):
            array[..., 0] = 1


def test_a_rotation_vector_turns_about_itself():
    np.testing.assert_allclose(rotation_of([0, 0, math.pi / 2]), [[0, -1, 0], [1, 0, 0], [0, 0, 1]], atol=1e-15)
    assert (rotation_of([0, 0, 0]) == np.eye(3)).all()
    with pytest.raises(TrackError, match="rvec"):
        rotation_of([1, 2])


# --- files ------------------------------------------------------------------------------------------------------------

OURS = """cameras:
  left: {width: 1280, height: 720, K: [[1200, 0, 640], [0, 1100, 360], [0, 0, 1]],
         distortion: [-0.2, 0.05, 2e-3, -1e-3], R: [[1, 0, 0], [0, 0, -1], [0, 1, 0]], t: [0, 1, 5]}
  right: {width: 1280, height: 720, K: [1200, 0, 640, 0, 1100, 360, 0, 0, 1], rvec: [1.5707963267948966, 0, 0],
          tvec: [1, 1, 5]}
"""
TT3D = "rvec: [1.5707963267948966, 0.0, 0.0]\ntvec: [0.0, 1.0, 5.0]\nf: 1200.0\nw: 1280\nh: 720\n"
CALIBRATED = """image_width: 1280
image_height: 720
camera_name: head
camera_matrix: {rows: 3, cols: 3, data: [1200, 0, 640, 0, 1100, 360, 0, 0, 1]}
distortion_model: plumb_bob
distortion_coefficients: {rows: 1, cols: 5, data: [-0.25, 0.12, -0.001, 0.003, -0.02]}
rectification_matrix: {rows: 3, cols: 3, data: [1, 0, 0, 0, 1, 0, 0, 0, 1]}
projection_matrix: {rows: 3, cols: 4, data: [1200, 0, 640, 0, 0, 1100, 360, 0, 0, 0, 1, 0]}
"""
MESSAGE = """header: {frame_id: camera}
height: 720
width: 1280
distortion_model: rational_polynomial
D: [0.4, -0.1, 0.001, 0.002, 0.01, 0.6, -0.05, 0.003]
K: [1200.0, 0.0, 640.0, 0.0, 1100.0, 360.0, 0.0, 0.0, 1.0]
R: [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
P: [1200.0, 0.0, 640.0, 0.0, 0.0, 1100.0, 360.0, 0.0, 0.0, 0.0, 1.0, 0.0]
"""


@pytest.fixture
def read(tmp_path):
    def read_text(text, **pose):
        (tmp_path / "cam.yaml").write_text(text, encoding="utf-8")
        return read_cameras(tmp_path / "cam.yaml", **pose)

    return read_text


def test_reads_our_file(read):
    left, right = read(OURS)
    assert (left.name, right.name) == ("left", "right")
    np.testing.assert_array_equal(left.project([1, 0, 1.5]), camera(LENSES["four"]).project([1, 0, 1.5]))
    np.testing.assert_allclose(right.R, TO_Y, atol=1e-15)
    assert right.size == (1280, 720) and len(right.distortion) == 0 and right.K[1, 1] == 1100


def test_reads_a_file_of_tt3d(read):
    (one,) = read(TT3D)
    assert one.name == "cam" and one.K.tolist() == [[1200, 0, 640], [0, 1200, 360], [0, 0, 1]]
    np.testing.assert_allclose(one.project([1.0, 0.0, 1.5]), [880.0, 240.0], atol=1e-9)


def test_reads_a_camera_info_file_of_ros_with_a_pose(read):
    (one,) = read(CALIBRATED, R=TO_Y, t=T)
    assert one.name == "head" and one.distortion.tolist() == LENSES["five"] and one.R.tolist() == TO_Y
    (one,) = read(MESSAGE + "rvec: [1.5707963267948966, 0, 0]\ntvec: [0, 1, 5]\n")
    assert one.distortion.tolist() == LENSES["eight"] and one.name == "cam"
    np.testing.assert_allclose(one.R, TO_Y, atol=1e-15)  # R of a message rectifies: it is no pose
    (ros2,) = read(MESSAGE.replace("\nD:", "\nd:").replace("\nK:", "\nk:").replace("\nR:", "\nr:"), R=TO_Y, t=T)
    assert (ros2.K == one.K).all()


OPENCV = """%YAML:1.0
---
calibration_time: "Fri Nov 27 12:00:00 2026"
image_width: 1280
image_height: 720
camera_matrix: !!opencv-matrix
   rows: 3
   cols: 3
   dt: d
   data: [ 1.2e+03, 0., 6.4e+02, 0., 1.2e+03, 3.6e+02, 0., 0., 1. ]
distortion_coefficients: !!opencv-matrix
   rows: 1
   cols: 5
   dt: d
   data: [ -2.0e-01, 5.0e-02, 2.0e-03,
       -1.0e-03, 0. ]
rvec: !!opencv-matrix
   rows: 3
   cols: 1
   dt: d
   data: [ 1.5707963267948966, 0., 0. ]
tvec: !!opencv-matrix
   rows: 3
   cols: 1
   dt: d
   data: [ 0., 1., 5. ]
"""


@pytest.mark.parametrize("first", ["%YAML:1.0", "%YAML 1.2"])
def test_reads_a_file_of_opencv(read, first):
    (one,) = read(OPENCV.replace("%YAML:1.0", first))
    assert one.size == (1280, 720) and one.distortion.tolist() == [-0.2, 0.05, 0.002, -0.001, 0.0]
    np.testing.assert_allclose(one.R, TO_Y, atol=1e-15)
    assert one.t.tolist() == T and one.K[0, 0] == 1200.0
    (other,) = read(OPENCV.replace("camera_matrix", "cameraMatrix").replace("distortion_coefficients", "distCoeffs"))
    assert (other.K == one.K).all() and (other.distortion == one.distortion).all()


def test_coefficients_of_opencv_that_are_zero_are_left_out(read):
    more = OPENCV.replace("-1.0e-03, 0. ]", "-1.0e-03, 0., 0.1, 0., 0., 0., 0., 0., 0., 0., 0. ]")
    assert read(more)[0].distortion.tolist() == [-0.2, 0.05, 0.002, -0.001, 0.0, 0.1, 0.0, 0.0]
    with pytest.raises(TrackError, match="14 coefficients of distortion; there should be 0 or 4 or 5 or 8"):
        read(more.replace("0., 0. ]", "0., 0.01 ]"))


def test_reads_what_opencv_itself_writes(tmp_path):
    cv2 = pytest.importorskip("cv2")
    file = cv2.FileStorage(str(tmp_path / "one.yaml"), cv2.FILE_STORAGE_WRITE)
    values = {"camera_matrix": [[1200.0, 0, 640], [0, 1200, 360], [0, 0, 1]], "distortion_coefficients": [[-0.2] * 5],
              "rvec": [[1.5707963267948966], [0], [0]], "tvec": [[0.0], [1.0], [5.0]]}  # fmt: skip
    for key, value in values.items():
        file.write(key, np.array(value, float))
    file.write("image_width", 1280)
    file.write("image_height", 720)
    file.release()
    (one,) = read_cameras(tmp_path / "one.yaml")
    np.testing.assert_allclose(one.centre, [0.0, -5.0, 1.0], atol=1e-12)
    assert one.distortion.tolist() == [-0.2] * 5 and one.size == (1280, 720)


def test_a_message_that_ros_prints_may_end_a_document(read):
    assert read(MESSAGE + "---\n", R=TO_Y, t=T)[0].distortion.tolist() == LENSES["eight"]
    with pytest.raises(TrackError, match="a second document; split the file at ---"):
        read(MESSAGE + "---\n" + MESSAGE, R=TO_Y, t=T)


def test_writes_what_it_reads_to_the_bit(tmp_path, read):
    cameras = [
        camera(LENSES[lens], name=lens, R=rotation_of([0.1, 2.0, -0.3]), t=[1e-7, 2e22, 1 / 3]) for lens in LENSES
    ]
    write_cameras(tmp_path / "out.yaml", cameras)
    for before, after in zip(cameras, read_cameras(tmp_path / "out.yaml"), strict=True):
        assert (before.name, before.size) == (after.name, after.size)
        for key in ("K", "distortion", "R", "t"):
            np.testing.assert_array_equal(getattr(before, key), getattr(after, key))
    assert [file.name for file in tmp_path.iterdir()] == ["out.yaml"]
    with pytest.raises(TrackError, match="camera 'none' is there twice"):
        write_cameras(tmp_path / "out.yaml", [cameras[0], cameras[0]])
    with pytest.raises(TrackError, match="cannot be written"):
        write_cameras(tmp_path / "no folder" / "out.yaml", cameras)


@pytest.mark.parametrize(
    "text, message",
    [
        (OURS.replace("right", "left"), r"row 4: 'left' is already in row 2; rename"),
        (OURS.replace("[0, 0, -1], [0, 1, 0]]", "[0, 0, 1], [0, 1, 0]]"), r"row 2: camera 'left': R is left-handed"),
        (OURS.replace("[0, 0, -1]", "[0, 0, 0]"), r"row 2: camera 'left': R is singular"),
        (OURS.replace("-0.2, 0.05", "-1.0, 0.1"), r"row 2: camera 'left': the distortion does not invert"),
        (OURS.replace("width: 1280, height: 720, K: [[", "width: -3, height: 720, K: [["), r"row 2.*width is -3"),
        (OURS.replace("width: 1280, height: 720, K: [[", "height: 720, K: [["), r"row 2.*width is missing"),
        (OURS.replace("tvec", "shift"), r"row 4: camera 'right': unknown key 'shift'"),
        (OURS.replace(",\n          tvec: [1, 1, 5]", ""), r"row 4: camera 'right': has no pose"),
        (OURS.replace("1.5707963267948966, 0, 0]", "1.57, 0]"), r"row 4: camera 'right': rvec must be"),
        (OURS.replace("[0, 1, 5]", "[0, one, 5]"), r"row 2.*t must be a list of numbers"),
        (OURS.replace("distortion: [", "distortion: ["[:-1]), r"row \d+: not YAML"),
        ("cameras: 3\n", "must hold cameras by name"),
        ("just text\n", "holds no `key: value` lines"),
        ("", "holds no `key: value` lines"),
        ("a: 1\nb: 2\n", "not a camera file known here; it has the keys a, b"),
        (TT3D.replace("f: 1200.0", "f: wide"), "f is 'wide'"),
        (TT3D.replace("h: 720\n", ""), "h is missing"),
        (CALIBRATED, "holds no pose; add the lines rvec and tvec"),
        (MESSAGE, "holds no pose"),
        (
            CALIBRATED.replace("plumb_bob", "equidistant"),
            "distortion model 'equidistant'; known are plumb_bob, rational",
        ),
        (CALIBRATED.replace("plumb_bob", "rational_polynomial"), "5 coefficients .*; there should be 8"),
        (CALIBRATED.replace("image_height: 720\n", ""), "without height"),
        ("%YAML:1.0\n---\nM: !!opencv-matrix\n", "not YAML"),
    ],
)
def test_a_wrong_file_is_refused_in_one_line(read, text, message):
    with pytest.raises(TrackError, match=message) as error:
        read(text)
    assert "\n" not in str(error.value) and "cam.yaml" in str(error.value)


def test_a_file_that_is_not_there_and_half_a_pose(read, tmp_path):
    with pytest.raises(TrackError, match="cannot be read"):
        read_cameras(tmp_path / "none.yaml")
    with pytest.raises(TrackError, match="one pose; give both or none"):
        read(CALIBRATED, R=TO_Y)
    with pytest.raises(TrackError, match="pose of one camera, but the file holds 2"):
        read(OURS, R=TO_Y, t=T)


@pytest.mark.skipif(not (DATA / "lfg").is_dir(), reason="the recorded balls of lfg are not here (BALLCAST_DATA)")
def test_reads_the_recorded_cameras():
    cameras = read_cameras(DATA / "lfg" / "cameras.yaml")
    assert [one.name for one in cameras] == ["camera_1", "camera_2", "camera_3"]
    assert all(one.sees([0.0, 0.0, 0.2]) for one in cameras)  # over the middle of the table
    assert cameras[0].fold < 0.6 and cameras[1].fold == math.inf  # fitted where the ball was, not in the corners
