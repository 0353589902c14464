"""What predictors see of a ball: the positions of a tracker in space, or the pixels of one camera or two.

Cameras stand round the place of a sport, each at its own 60 Hz, and see most of where balls fly. Where they stand
depends on the sport alone. What they see of a ball depends on its seed and number, as its flight does.
"""

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ballcast import sim
from ballcast.tracks import Camera, PixelTrack, Track

if TYPE_CHECKING:
    from ballcast.viewer.playback.ball import BallRecord

TRACKER, ONE_CAMERA, TWO_CAMERAS = SEEN_BY = ("tracker", "camera", "cameras")
NUMBERS = {1: "one", 2: "two", 3: "three", 4: "four"}
SIZE = 1280, 720  # px
RATE, EXPOSURE, NOISE, MISS = 60.0, 1e-3, 1.0, 0.02  # Hz, s, px, fraction of the frames
STANDS = ((-146.0, 15.0, 0.62), (128.0, 24.0, 0.7))  # degrees from the sport's own view, and above; over its distance
FILL, IN_VIEW = 0.94, 0.95  # of the picture that is filled by this share of where balls fly
ANGLES = 12.0, 80.0  # degrees: the narrowest and the widest field of view, across
WALL = 0.4  # m that a camera keeps from walls and floors


class Rig(NamedTuple):
    """Cameras and their detectors, and what is known of them."""

    sensors: tuple[sim.PixelSensor, ...]
    cameras: tuple[Camera, ...]


def words(ball: "BallRecord") -> str:
    """By what a ball is seen, in words: "a 3D tracker", "one camera"."""
    count = len(cameras_of(ball))
    return f"{NUMBERS.get(count, count)} camera{'s' * (count > 1)}" if count else "a 3D tracker"


def cameras_of(ball: "BallRecord") -> tuple[tuple[int, Camera], ...]:
    """(index, Camera) of the cameras that look at a ball, of a recording those that saw it; none for a tracker."""
    if ball.pixels is None:
        return ()
    numbers = np.unique(ball.pixels.camera) if ball.is_recorded else range(len(ball.pixels.cameras))
    return tuple((int(k), ball.pixels.cameras[k]) for k in numbers)


@functools.lru_cache(maxsize=64)
def refusal(predictor) -> str:
    """Why a predictor cannot take pixels, one line; "" if it can."""
    middle, above = np.subtract(SIZE, 1) / 2, np.diag([1.0, -1.0, -1.0])
    K = np.array([[SIZE[0], 0.0, middle[0]], [0.0, SIZE[0], middle[1]], [0.0, 0.0, 1.0]])
    camera = Camera(K, np.empty(0), above, np.array([0.0, 0.0, 9.0]), SIZE, "above")
    try:
        predictor.stream().observe_pixel(0.0, middle, camera)
    except AttributeError:
        return f"{predictor.name} takes positions, not pixels"
    except ValueError as error:
        return str(error)
    return ""


def observe(stream, frames: "Track | PixelTrack", row: int) -> None:
    """Give a stream one frame of a track. ValueError if it cannot take frames of this kind."""
    if isinstance(frames, Track):
        return stream.observe(frames.time[row], frames.position[row])
    diameter = np.nan if frames.diameter is None else float(frames.diameter[row])
    known = None if np.isnan(diameter) else diameter
    stream.observe_pixel(float(frames.time[row]), frames.pixel[row], frames.cameras[frames.camera[row]], known)


@functools.lru_cache(maxsize=16)
def rig_of(sport: sim.Sport, count: int, rate: float | None = None, miss: float | None = None) -> Rig:
    """The first `count` cameras of a sport. rate: Hz, and miss: fraction of missed frames, in place of the usual."""
    points = _points_of_play(sport)
    detector = {
        "rate": rate or RATE, "exposure": EXPOSURE, "noise": NOISE, "miss": MISS if miss is None else min(miss, 0.99)
    }  # fmt: skip
    cameras = tuple(_camera(sport, points, *stand, f"camera {k + 1}") for k, stand in enumerate(STANDS[:count]))
    return Rig(tuple(sim.PixelSensor.of(camera, **detector) for camera in cameras), cameras)


def look_at(
    sport: sim.Sport, rig: Rig, path: Callable[[np.ndarray], np.ndarray], duration: float, number: int, seed: int
) -> PixelTrack:
    """What the cameras of a rig see of ball `number` of a seed in `duration` s; path gives positions (T, 3) m."""
    pixels = sim.see_path(sport, path, duration, rig.sensors, number, seed)
    time, pixel, camera, _ = pixels.of(0)
    return PixelTrack(time, pixel, camera, rig.cameras)


def joined(before: PixelTrack, after: PixelTrack, moment: float) -> PixelTrack:
    """The frames of one track up to a moment, s, and those of another after it."""
    first, second = before.until(moment), after[after.time > moment]
    time = np.concatenate([first.time, second.time])
    pixel, camera = np.concatenate([first.pixel, second.pixel]), np.concatenate([first.camera, second.camera])
    return PixelTrack(time, pixel, camera, after.cameras)


def _points_of_play(sport):
    """Where balls of a sport fly, (N, 3) m, near where its own view looks."""
    from ballcast.viewer.place import place_of
    from ballcast.viewer.playback.source import LiveSource

    return place_of(LiveSource(sport)).paths[:, 0]


def _camera(sport, points, azimuth, elevation, distance, name):
    """A camera that looks at where balls fly, from a side of the sport's own view."""
    offset = np.subtract(sport.view.eye, sport.view.target)
    reach, around = np.linalg.norm(offset), np.arctan2(offset[0], -offset[1]) + np.radians(azimuth)
    middle, up = 0.5 * (points.min(axis=0) + points.max(axis=0)), np.radians(elevation)
    towards = np.array([np.sin(around) * np.cos(up), -np.cos(around) * np.cos(up), np.sin(up)])
    centre = _inside(sport, middle, middle + distance * reach * towards)
    forward = (middle - centre) / np.linalg.norm(middle - centre)
    right = np.cross(forward, (0.0, 0.0, 1.0))
    right /= np.linalg.norm(right)
    R = np.array([right, np.cross(forward, right), forward])
    seen = (points - centre) @ R.T
    extent = np.quantile(np.abs(seen[:, :2]) / np.maximum(seen[:, 2:], 0.1), IN_VIEW, axis=0)
    widest, narrowest = (0.5 * SIZE[0] / np.tan(np.radians(0.5 * angle)) for angle in ANGLES[::-1])
    focal = float(np.clip(FILL * np.min(0.5 * np.array(SIZE) / np.maximum(extent, 1e-6)), widest, narrowest))
    K = [[focal, 0.0, 0.5 * (SIZE[0] - 1)], [0.0, focal, 0.5 * (SIZE[1] - 1)], [0.0, 0.0, 1.0]]
    return Camera(np.array(K), np.empty(0), R, -R @ centre, SIZE, name)


def _inside(sport, middle, centre):
    """A place (3,) m moved to within the walls, and above the floor."""
    centre = centre.copy()
    for surface in sport.surfaces:
        if surface.kind == "plane":
            axis = int(np.flatnonzero(np.equal(surface.low, surface.high))[0])
            side = 1.0 if surface.low[axis] <= middle[axis] else -1.0
            centre[axis] = side * max(side * centre[axis], side * surface.low[axis] + WALL)
    return centre
