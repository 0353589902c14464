"""Synthetic video: images show the ball where the truth says, also bent by a lens; files read back; wrong options."""

import csv
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed (extra video)")

from ballcast import sim  # noqa: E402
from ballcast.tracks import read_cameras, read_moving_camera, read_pixels, read_track  # noqa: E402
from ballcast.tracks.camera import Camera  # noqa: E402
from ballcast.vision import rendering  # noqa: E402
from ballcast.vision.exposure import Light, SensorNoise, paint_ball, round_streak  # noqa: E402
from ballcast.vision.figures import Figure  # noqa: E402
from ballcast.vision.filming import resized  # noqa: E402
from ballcast.vision.hall import Layer, PaintedPlace  # noqa: E402
from ballcast.vision.synthetic import SyntheticClip  # noqa: E402
from ballcast.vision.video import open_video  # noqa: E402

SIZE = 480, 270


def above(distortion=(), roll=0.0):
    """A camera beside a table-tennis table, 4 m away and 2.5 m high."""
    centre, target = np.array([4.0, -0.6, 2.5]), np.array([0.0, 0.0, 0.0])
    forward = (target - centre) / np.linalg.norm(target - centre)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    turn = np.array([[np.cos(roll), np.sin(roll), 0.0], [-np.sin(roll), np.cos(roll), 0.0], [0.0, 0.0, 1.0]])
    R = turn @ np.stack([right, np.cross(forward, right), forward])
    K = np.array([[430.0, 0.0, 239.5], [0.0, 430.0, 134.5], [0.0, 0.0, 1.0]])
    return Camera(K, np.array(distortion), R, -R @ centre, SIZE, "beside")


def test_a_streak_has_its_middle_and_its_light_where_it_should():
    image = np.zeros((60, 120, 3), np.uint8)
    streak = round_streak(np.array([30.25, 20.5]), np.array([70.25, 30.5]), 4.0)
    share = paint_ball(image, streak, (200.0, 200.0, 200.0), Light(ambient=1.0, gloss=0.0))
    light = image[..., 0].astype(float) ** 2
    rows, columns = np.mgrid[:60, :120]
    middle = (light * columns).sum() / light.sum(), (light * rows).sum() / light.sum()
    np.testing.assert_allclose(middle, [50.25, 25.5], atol=0.1)
    assert light.sum() / 200.0**2 == pytest.approx(np.pi * 16.0, rel=0.05) and share == pytest.approx(1.0, abs=0.05)


def test_half_of_a_ball_before_the_edge_is_half_seen():
    image, over = np.zeros((60, 60, 3), np.uint8), np.zeros((60, 60), np.float32)
    over[:, 30:] = 1.0
    streak = round_streak(np.array([29.5, 30.0]), np.array([29.5, 30.0]), 6.0)
    assert paint_ball(image, streak, (200.0,) * 3, Light(), over) == pytest.approx(0.5, abs=0.03)


def test_glass_before_the_ball_is_painted_once():
    """It takes its own share of the ball's contrast, and no more."""
    clip = SyntheticClip(sim.load("table_tennis"), 4, camera=above(), rate=25.0)
    clip._figures, clip._bystanders, clip._flicker, clip._shadow, clip._resting = [], [], 0.0, 0.0, []
    clip._noise.add = lambda image: image
    ground, contrasts = np.full((*SIZE[::-1], 3), 90, np.uint8), []
    glass = Layer(np.full_like(ground, 60), np.full(SIZE[::-1], 0.6, np.float32), (0, 0))
    state = [(np.array([0.0, 0.0, 0.5]), np.zeros(3), np.zeros(3))] * 3
    for layers in ([], [glass]):
        clip._place = SimpleNamespace(
            seen_by=lambda camera, layers=layers: SimpleNamespace(ground=ground, layers=layers),
            layer_that_hides=lambda points, camera: np.zeros(len(points), int), scene=SimpleNamespace(floor=None),
        )  # fmt: skip
        images = []
        for clip._color in ((255.0, 255.0, 255.0), (0.0, 0.0, 0.0)):
            images.append(clip._frame(state, 1.0, 1.0, None)[0].astype(float))
        contrasts.append(np.abs(images[0] - images[1]).max())
    assert contrasts[1] == pytest.approx(0.4 * contrasts[0], rel=0.05)


def test_noise_is_as_strong_as_asked_and_fresh_in_each_frame():
    noise, grey = SensorNoise(np.random.default_rng(0), 3.0), np.full((200, 300, 3), 128, np.uint8)
    first, second = noise.add(grey).astype(float), noise.add(grey).astype(float)
    assert first.std() == pytest.approx(3.0, rel=0.1) and first.mean() == pytest.approx(128.0, abs=0.3)
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.05


@pytest.mark.parametrize("camera", [above(), above((-0.2, 0.05, 1e-3, 0.0), 0.1)], ids=["level", "bent and rolled"])
def test_the_painted_table_is_where_the_camera_sees_it(camera):
    sport = sim.load("table_tennis")
    place = PaintedPlace(sport, camera, np.random.default_rng(0)).seen_by(camera)
    table = max(place.layers, key=lambda layer: layer.alpha.sum())
    mask = np.zeros(SIZE[::-1], np.float32)
    mask[table.rows, table.columns] = table.alpha
    x, y = 1.525 / 2, 2.74 / 2
    for corner in ((x, y), (x, -y), (-x, y), (-x, -y)):
        for share, inside in ((0.97, True), (1.03, False)):
            u, v = camera.project(np.array([corner[0] * share, corner[1] * share, 0.0]))
            if inside or corner[0] < 0:  # the board's side is seen below the near edge
                assert (mask[round(v), round(u)] > 0.5) == inside


def test_the_ball_is_painted_where_the_truth_says():
    clip = SyntheticClip(sim.load("table_tennis"), 4, camera=above((-0.1, 0.02, 0.0, 0.0)), rate=25.0)
    clip._figures, clip._bystanders, clip._flicker = [], [], 0.0
    clip._noise.add = lambda image: image
    clip._color, clip._shadow = (255.0, 255.0, 255.0), 0.0
    errors, players = [], type("Nobody", (), {"at": lambda self, time: []})()
    for time in np.arange(1, 9) / 25.0:  # in the first, the ball stands for half of the exposure
        state = [tuple(part[0] for part in clip._rally.state([time + s * clip.exposure])) for s in (-0.5, 0.0, 0.5)]
        image, truth = clip._frame(state, time, time, players)
        clip._color, kept = (0.0, 0.0, 0.0), clip._color
        dark, _ = clip._frame(state, time, time, players)
        clip._color = kept
        light = (image.astype(float) - dark).clip(0).sum(axis=2)
        if truth.is_visible:
            rows, columns = np.mgrid[: SIZE[1], : SIZE[0]]
            middle = np.array([(light * columns).sum(), (light * rows).sum()]) / light.sum()
            errors.append(np.hypot(*(middle - truth.pixel)))
    assert len(errors) >= 4 and max(errors) < 1.0, errors


def test_a_clip_depends_on_its_seed_alone():
    sport = sim.load("tennis")
    first, again, other = ([*SyntheticClip(sport, seed, size=SIZE).frames(2)] for seed in (0, 0, 1))
    assert (first[1][0] == again[1][0]).all() and (first[1][0] != other[1][0]).any()
    assert (first[1][1].pixel == again[1][1].pixel).all()


def test_the_command_writes_a_video_and_its_truth(tmp_path):
    out = tmp_path / "clip.mp4"
    rendering.run(rendering.Options(sport="table_tennis", out=out, seed=2, frames=30, size=SIZE))
    with open_video(out, keep_repeats=True) as video:
        frames = list(video)
    cameras = read_cameras(tmp_path / "clip.camera.yaml")
    with open(tmp_path / "clip.pixels.csv") as file:
        rows = list(csv.DictReader(file))
    track = read_track(tmp_path / "clip.truth.csv", keep_all=True)
    assert len(frames) == len(rows) == len(track.time) == 30 and frames[0].image.shape == (270, 480, 3)
    np.testing.assert_allclose([frame.time for frame in frames], [float(row["t"]) for row in rows], atol=2e-3)
    seen = [row for row in rows if row["visible"] == "1"]
    assert len(seen) > 5
    np.testing.assert_allclose(
        cameras[0].project(track.position[[row["visible"] == "1" for row in rows]]),
        [(float(row["u"]), float(row["v"])) for row in seen],
        atol=1e-2,
    )
    assert len(read_pixels(tmp_path / "clip.pixels.csv", cameras).time) == len(seen)
    assert "hit" in (tmp_path / "clip.events.csv").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "clip.camera.yaml", "clip.events.csv", "clip.mp4", "clip.pixels.csv", "clip.truth.csv"
    ]  # fmt: skip


def test_the_truth_of_a_camera_that_moves_is_a_camera_for_each_frame(tmp_path):
    clip = SyntheticClip(sim.load("tennis"), 1, size=SIZE, rate=25.0, view="broadcast", moving=True)
    truths = rendering.write_clip(clip, tmp_path / "clip.mp4", 4, 23)
    camera_at = read_moving_camera(tmp_path / "clip.cameras.csv")
    assert len(camera_at.times) == 4 and not (tmp_path / "clip.camera.yaml").exists()
    for truth in truths:
        np.testing.assert_allclose(camera_at(truth.time).project(truth.position), truth.pixel, atol=0.01)
    first, last = camera_at.cameras[0], camera_at.cameras[-1]
    np.testing.assert_allclose(first.centre, last.centre, atol=1e-4)
    assert np.hypot(*(first.project([0.0, 0.0, 0.0]) - last.project([0.0, 0.0, 0.0]))) > 0.05


def test_the_place_follows_a_camera_that_turns():
    sport, camera = sim.load("table_tennis"), above()
    turn = np.array([[np.cos(0.05), 0.0, np.sin(0.05)], [0.0, 1.0, 0.0], [-np.sin(0.05), 0.0, np.cos(0.05)]])
    turned = Camera(camera.K, [], turn @ camera.R, turn @ camera.t, SIZE)
    place = PaintedPlace(sport, [camera, turned], np.random.default_rng(0))
    for one in (camera, turned):
        table = max(place.seen_by(one).layers, key=lambda layer: layer.alpha.sum())
        mask = np.zeros(SIZE[::-1], np.float32)
        mask[table.rows, table.columns] = table.alpha
        u, v = one.project(np.array([0.0, 0.0, 0.0]))
        left, _ = one.project(np.array([0.0, -1.30, 0.0]))
        beyond, _ = one.project(np.array([0.0, -1.45, 0.0]))
        assert mask[round(v), round(u)] > 0.5 and (mask[:, round(left)] > 0.5).any()
        assert not (mask[: round(v), round(beyond)] > 0.5).any()


@pytest.mark.parametrize("name, size", [("golf", (320, 180)), ("volleyball", (180, 320))])
def test_golf_and_upright_pictures_are_rendered(name, size):
    clip = SyntheticClip(sim.load(name), 0, size=size)
    images = [image for image, _ in clip.frames(2)]
    assert all(image.shape == (size[1], size[0], 3) and image.std() > 3.0 for image in images)
    assert clip.events and clip.events[0].kind == "hit"


def test_a_figure_in_white_is_the_mask_of_the_figure():
    figure = Figure.random(np.random.default_rng(3))
    image, mask = np.full((200, 160, 3), 7, np.uint8), np.zeros((200, 160, 3), np.uint8)
    figure.paint(image, (80.0, 190.0), 150.0, 0.4, 0.3)
    figure.in_white().paint(mask, (80.0, 190.0), 150.0, 0.4, 0.3)
    changed = (image != 7).any(axis=2)
    assert changed.sum() > 2000 and (mask[changed].min(axis=1) > 0).mean() > 0.98
    assert mask[~changed].max() < 30  # where little of a limb is in a pixel


def test_a_camera_of_another_size_sees_the_same():
    camera = above()
    twice = resized(camera, (960, 540))
    point = np.array([0.3, 0.2, 0.4])
    np.testing.assert_allclose(twice.project(point) + 0.5, 2.0 * (camera.project(point) + 0.5), atol=1e-9)


@pytest.mark.parametrize(
    "arguments, says",
    [
        (("--sport", "table_tennis", "--out", "clip.avi"), "ends in .mp4"),
        (("--sport", "table_tennis", "--out", "clip.mp4", "--size", "101", "50"), "sides must be even"),
        (("--sport", "marbles", "--out", "clip.mp4"), "marbles"),
        (("--sport", "tennis", "--out", "clip.mp4", "--view", "moon"), "--view"),
    ],
)
def test_wrong_options_end_in_one_line(tmp_path, arguments, says):
    run = subprocess.run(
        [sys.executable, "-m", "ballcast.vision", "render", *arguments], cwd=tmp_path, capture_output=True, text=True,
        env={**__import__("os").environ, "PYTHONPATH": str(rendering.Path(__file__).parents[1])},
    )  # fmt: skip
    assert run.returncode == 2 and says in run.stderr and len(run.stderr.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())
