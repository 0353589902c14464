"""vision.court_finder, line_fit and moving: cameras from painted lines, what is refused, cameras that turn."""

import os
from pathlib import Path

import clips
import numpy as np
import pytest

from ballcast import sim
from ballcast.render.backdrop import Backdrop
from ballcast.render.camera import FixedCamera
from ballcast.render.scene import Scene
from ballcast.tracks import Camera, read_cameras
from ballcast.tracks.camera import rotation_of
from ballcast.vision.court_finder import find_court, find_lines_of
from ballcast.vision.landmarks import CalibrationError
from ballcast.vision.line_fit import place_lines
from ballcast.vision.moving import follow, next_fit
from ballcast.vision.video import Frame, read_frame

cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed (extra video)")

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("BALLCAST_DATA", ROOT.parent / "shared" / "data")) / "video"
TENNIS, TABLE = sim.load("tennis"), sim.load("table_tennis")
SIZE = 1280, 720
HALF_PIXEL = 0.5  # the renderer's pixel centres are halves


def camera_at(centre, target, focal, turn=(0.0, 0.0, 0.0), size=SIZE):
    """A Camera without distortion; turn (3,) rad about its own axes."""
    forwards = np.subtract(target, centre) / np.linalg.norm(np.subtract(target, centre))
    right = np.cross(forwards, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    R = rotation_of(turn) @ np.array([right, np.cross(forwards, right), forwards])
    K = [[focal, 0.0, 0.5 * (size[0] - 1)], [0.0, focal, 0.5 * (size[1] - 1)], [0.0, 0.0, 1.0]]
    return Camera(K, [], R, -R @ centre, size)


BEHIND = camera_at((2.0, -27.0, 8.0), (0.0, 0.0, -0.5), 1300.0, (0.0, 0.0, 0.02))
CORNER = camera_at((3.0, -3.5, 2.0), (0.0, 0.0, 0.0), 1500.0)


def picture(sport, camera, seed=0):
    """What a camera sees of a sport's place, rendered, blurred and with noise."""
    middle = camera.K[:2, 2] + HALF_PIXEL
    fixed = FixedCamera(camera.centre, camera.R, camera.K[0, 0], middle, camera.size, 10.0)
    whole = Backdrop.of(Scene.of(sport), sport.view, fixed).whole.T
    image = np.stack([whole & 255, (whole >> 8) & 255, (whole >> 16) & 255], axis=-1).astype(np.uint8)
    noise = np.random.default_rng(seed).normal(0.0, 3.0, image.shape)
    return np.clip(cv2.GaussianBlur(image, (0, 0), 0.8) + noise, 0, 255).astype(np.uint8)


def apart(sport, found, true):
    """RMS distance of the landmarks in two cameras' pictures, px; a place looks the same from its other end."""
    points = np.array(sport.view.landmarks[0].points)
    points = points[true.sees(points)]
    errors = [found.project(points * [side, side, 1.0]) - true.project(points) for side in (1.0, -1.0)]
    return min(np.sqrt((error**2).sum(axis=1).mean()) for error in errors)


@pytest.mark.parametrize(
    "sport, camera",
    [
        (TENNIS, BEHIND),
        (TENNIS, camera_at((22.0, -8.0, 9.0), (0.0, 0.0, 0.0), 1250.0)),
        (TABLE, CORNER),
        (TABLE, camera_at((4.5, 0.3, 2.5), (0.0, 0.0, 0.0), 1800.0)),
        (TABLE, camera_at((0.5, 5.0, 2.2), (0.0, 0.0, 0.0), 1800.0)),
    ],
)
def test_the_camera_is_found_from_the_lines_alone(sport, camera):
    result = find_court(picture(sport, camera), sport, "cam")
    assert apart(sport, result.camera, camera) < 1.0 and result.rms < 1.0
    assert abs(result.camera.K[0, 0] / camera.K[0, 0] - 1.0) < max(0.02, 3 * result.focal_spread)
    assert result.camera.name == "cam" and result.camera.size == SIZE
    assert abs(np.linalg.norm(result.camera.centre) - np.linalg.norm(camera.centre)) < 4 * result.place_spread + 0.05


def test_half_a_court_and_a_player_before_it_are_enough():
    camera = camera_at((2.0, -22.0, 8.0), (3.5, 1.0, 0.0), 1500.0)
    image = picture(TENNIS, camera)
    cv2.rectangle(image, (560, 300), (640, 470), (40, 30, 160), -1)
    assert apart(TENNIS, find_court(image, TENNIS).camera, camera) < 1.5


def test_what_has_no_such_lines_is_refused_in_one_line():
    noise = np.random.default_rng(0).integers(0, 255, (720, 1280, 3), dtype=np.uint8)
    grey = np.full((720, 1280, 3), 90, np.uint8)
    grid = grey.copy()
    grid[::60] = grid[:, ::80] = 240
    for image, sport in (
        (noise, TENNIS), (grey, TABLE), (grid, TENNIS), (grid, TABLE), (picture(TENNIS, BEHIND), TABLE),
        (picture(TABLE, CORNER), TENNIS), (picture(TABLE.without("net"), CORNER), TABLE),
    ):  # fmt: skip
        with pytest.raises(CalibrationError, match="are not found in the picture: .*; give --points") as caught:
            find_court(image, sport)
        assert "\n" not in str(caught.value)
    with pytest.raises(CalibrationError, match="golf has too few lines"):
        find_court(grey, sim.load("golf"))


@pytest.mark.parametrize("name", sim.names())
def test_the_lines_of_every_sport_are_level_and_straight(name):
    lines = place_lines(sim.load(name))
    assert lines.ends.shape == (len(lines.width), 2, 3) and len(np.unique(lines.ends[:, :, 2])) <= 1
    assert len(lines.across) + len(lines.along) == len(lines.ends)
    if name == "tennis":
        assert sorted(set(lines.across)) == [-11.835, -6.375, 6.375, 11.835]
        assert sorted(set(lines.along)) == [-5.46, -4.09, 0.0, 4.09, 5.46]
        assert lines.tape is not None and np.ptp(lines.tape[:, 0]) == pytest.approx(0.6 * 12.8)


# --- cameras that turn ------------------------------------------------------------------------------------------------


def panned(k):
    """The camera BEHIND, turned by 0.12 degrees and zoomed by 0.3 % for each frame."""
    R = rotation_of([0.0, np.radians(0.12 * k), 0.0]) @ BEHIND.R
    K = BEHIND.K * np.array([[1.003**k] * 2 + [1.0]] * 2 + [[1.0] * 3])
    return Camera(K, [], R, -R @ BEHIND.centre, SIZE)


def test_a_camera_that_turns_and_zooms_is_followed_and_found_again():
    grey = np.full((720, 1280, 3), 90, np.uint8)
    shown = [None if k in (4, 5) else panned(k) for k in range(10)]
    frames = [Frame(k, 0.2 * k, grey if c is None else picture(TENNIS, c, k)) for k, c in enumerate(shown)]
    found = list(follow(frames, TENNIS))
    assert [number for number, _, _ in found] == list(range(10))
    assert [k for k, _, fit in found if fit is None][:2] == [4, 5] and found[-1][2] is not None
    for (_, _, fit), true in zip(found, shown):
        if fit is not None:
            assert apart(TENNIS, fit.view.camera(SIZE), true) < 1.0
    places = [fit.view.centre for _, _, fit in found[:4]]
    assert np.ptp(places, axis=0).max() < 0.02  # it stands


def test_lines_that_jump_are_lost():
    fit = find_lines_of(picture(TENNIS, BEHIND), TENNIS)
    away = camera_at((2.0, -27.0, 8.0), (6.0, 0.0, 0.0), 1300.0)
    assert next_fit(picture(TENNIS, away), fit) is None


# --- the command ------------------------------------------------------------------------------------------------------


def test_the_command_finds_a_still_and_a_turning_camera(tmp_path):
    clips.write_clip(tmp_path / "clip.mp4", [picture(TENNIS, panned(k), k) for k in range(4)])
    status, out, error = clips.calibrate(
        "clip.mp4", "--sport", "tennis", "--out", "a.yaml", "--show", "a.png", folder=tmp_path
    )
    assert (status, error) == (0, "") and "places on the lines of tennis in frame 0" in out
    (camera,) = read_cameras(tmp_path / "a.yaml")
    assert apart(TENNIS, camera, BEHIND) < 1.5 and (tmp_path / "a.png").exists()
    status, out, error = clips.calibrate("clip.mp4", "--sport", "tennis", "--moving", "m.csv", folder=tmp_path)
    assert (status, error) == (0, "") and out == "m.csv: the camera of 4 frames\n"
    rows = np.genfromtxt(tmp_path / "m.csv", delimiter=",", names=True)
    assert rows["frame"].tolist() == [0, 1, 2, 3] and (np.diff(rows["f"]) > 2.0).all()


def test_the_command_says_where_no_lines_are_found(tmp_path):
    clips.write_clip(tmp_path / "clip.mp4", [np.full((96, 160, 3), 90, np.uint8)] * 3)
    for arguments, words in (
        (("--sport", "tennis"), "the lines of tennis are not found in the picture"),
        (("--sport", "tennis", "--moving", "m.csv"), "found in none of"),
        (("--sport", "tennis", "--moving", "m.csv", "--out", "a.yaml"), "leave out --points, --out"),
        (("--sport", "tennis", "--moving", "m.txt"), "has to end in .csv"),
    ):
        status, out, error = clips.calibrate("clip.mp4", *arguments, folder=tmp_path)
        assert status == 2 and out == "" and error.count("\n") == 1 and words in error, error
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


# --- recorded clips ---------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not DATA.is_dir(), reason="the recorded clips are not here: set BALLCAST_DATA")
@pytest.mark.parametrize(
    "clip, sport, limit", [("tt00", TABLE, 1.5), ("tennis3", TENNIS, 1.5), ("tennis5", TENNIS, 1.8)]
)
def test_recorded_courts_are_found_where_they_were_labelled(clip, sport, limit):
    known = read_cameras(DATA / f"{clip}_camera.yaml")[0]
    image = read_frame(DATA / f"{clip}.mp4", 12).image
    assert apart(sport, find_court(image, sport).camera, known) < limit  # the issue asks for 5 px
    with pytest.raises(CalibrationError):
        find_court(image, TABLE if sport is TENNIS else TENNIS)


@pytest.mark.skipif(not DATA.is_dir(), reason="the recorded clips are not here: set BALLCAST_DATA")
@pytest.mark.parametrize("clip, sport", [("ball", TABLE), ("ball", TENNIS), ("ball3", TABLE), ("ball3", TENNIS)])
def test_no_court_is_found_in_a_room(clip, sport):
    for number in (0, 30):
        with pytest.raises(CalibrationError):
            find_court(read_frame(DATA / f"{clip}.mp4", number).image, sport)
