"""What cameras measure of flights: frame times, blur, noise, borders, what hides the ball, false detections.

    balls = sim.draw(sport, 100, cameras=sim.random_cameras(sport, 2))
    time, pixel, camera, diameter = balls.pixels.of(0)         # the frames of ball 0, merged by time
    cameras = [Camera(*sensor.calibrated) for sensor in balls.pixels.sensors[0]]

Each camera of each ball has a random stream of its own, from (purpose, seed, number of the ball, number of the camera).
So a camera's pixels do not depend on the other cameras, and the tracks in space do not depend on the cameras at all.

A frame shows the streak that the ball draws while the shutter is open. A ball is not seen outside the image, behind the
camera, and where a rectangle of the sport (a table, a net, a board) lies between; nets, the optional rectangles, let it
through in some frames. Planes (floors, walls) and thin rods hide nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ballcast.sim import engine, rng
from ballcast.sim.detector import FRAME_DTYPE, OCCLUDER_DTYPE, draw_exposures, measure_pixels
from ballcast.sim.kernels.lanes import CHUNK
from ballcast.sim.pixel_sensor import CameraLike, PixelSensor, pixel_sensor_records

if TYPE_CHECKING:
    from ballcast.sim.sport import Sport

PATH_STEP = 1e-3  # s, over which the velocity along a path is taken
BATCH = 512  # balls simulated at once, which bounds the memory beside the result
Cameras = Sequence[PixelSensor | CameraLike] | Callable[[int], Sequence[PixelSensor | CameraLike]]


@dataclass(frozen=True)
class Pixels:
    """What cameras saw of B balls, N frames in all, flat (ball i: offsets[i] to offsets[i + 1]), merged by time.

    Positions are in the sport's frame, without the error of a tracker's frame of reference.
    """

    sensors: tuple[tuple[PixelSensor, ...], ...]  # of each ball
    offsets: np.ndarray  # (B + 1,)
    time: np.ndarray  # (N,) s, the stamps; do not decrease
    pixel: np.ndarray  # (N, 2) px, as measured
    camera: np.ndarray  # (N,) index into the ball's sensors
    diameter: np.ndarray  # (N,) px, as measured; NaN where the camera measures none
    exposed: np.ndarray  # (N,) s, when the middle of the exposure truly was
    truth_position: np.ndarray  # (N, 3) m, then
    truth_velocity: np.ndarray  # (N, 3) m/s
    is_false: np.ndarray  # (N,) whether it is a false detection

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def of(self, ball: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Time (T,) s, pixel (T, 2) px, camera (T,) and diameter (T,) px of one ball, by its row."""
        part = slice(self.offsets[ball], self.offsets[ball + 1])
        return self.time[part], self.pixel[part], self.camera[part], self.diameter[part]


def see_flights(sport: "Sport", launches: np.ndarray, cameras: Cameras, duration: float, first: int = 0, seed: int = 0,
                purpose: str = "train") -> Pixels:  # fmt: skip
    """What cameras see of balls `first` on of a set (purpose, seed) in `duration` seconds: sim.draw calls it.

    launches (B, LAUNCH_SIZE) in the order of kernels/layout.py. cameras: the sensors of every ball, or a function from
    the number of a ball to its own; a tracks.Camera is taken with the usual numbers. ValueError says what is wrong.
    """
    sensors = _sensors_of_balls(cameras, first, len(launches))
    parts = []
    for begin in range(0, len(launches), BATCH):
        part = slice(begin, min(begin + BATCH, len(launches)))

        def fly(times, counts, part=part):
            position, velocity = np.empty((*_inner(times), 3)), np.empty((*_inner(times), 3))
            spin = np.empty_like(velocity)
            engine.fly_batch(sport, launches[part], times, counts, position, velocity, spin)
            return position, velocity

        stream = rng.PURPOSES.index(purpose), seed, first + begin
        frames = _see(sport, sensors[part], duration, stream, fly)
        frames["ball"] += begin
        parts.append(frames)
    return _pixels(sensors, np.concatenate(parts))


def see_path(sport: "Sport", path: Callable[[np.ndarray], np.ndarray], duration: float, cameras: Cameras,
             number: int = 0, seed: int = 0, purpose: str = "play") -> Pixels:  # fmt: skip
    """What cameras see of any path for `duration` seconds, as ball `number` of a set: the Pixels of one ball.

    path gives positions (T, 3) m at times (T,) s from 0 on, such as those of a rally. The rest as for see_flights.
    """
    if purpose not in rng.PURPOSES:
        raise ValueError(f"purpose {purpose!r} is not known; there are {', '.join(rng.PURPOSES)}")
    if not 0 < duration < np.inf:
        raise ValueError(f"duration = {duration} must be above 0")
    sensors = _sensors_of_balls(cameras, number, 1)

    def fly(times, counts):
        own, position, velocity = times[0, : counts[0]], np.zeros((*_inner(times), 3)), np.zeros((*_inner(times), 3))
        before = np.clip(own - 0.5 * PATH_STEP, 0.0, max(duration - PATH_STEP, 0.0))
        after = before + PATH_STEP
        position[0, : counts[0]] = path(own)
        velocity[0, : counts[0]] = (path(after) - path(before)) / (after - before)[:, None]
        return position, velocity

    return _pixels(sensors, _see(sport, sensors, duration, (rng.PURPOSES.index(purpose), seed, number), fly))


def occluders(sport: "Sport") -> np.ndarray:
    """The rectangles of a sport that can hide a ball, (S,) OCCLUDER_DTYPE."""
    rows = []
    for surface in sport.surfaces:
        if surface.kind == "rectangle":
            axis = next(k for k in range(3) if surface.low[k] == surface.high[k])
            rows.append((surface.low, surface.high, axis, surface.optional))
    return np.array(rows, OCCLUDER_DTYPE)


def _sensors_of_balls(cameras, first, count):
    """The sensors of each ball."""
    if callable(cameras):
        return tuple(_sensors(cameras(number)) for number in range(first, first + count))
    return (_sensors(cameras),) * count


def _sensors(cameras):
    sensors = tuple(one if isinstance(one, PixelSensor) else PixelSensor.of(one) for one in cameras)
    if not sensors:
        raise ValueError("no cameras; name at least one")
    return sensors


def _inner(times):
    """The shape of times without their padding."""
    return times.shape[0], times.shape[1] - CHUNK


def _see(sport, sensors, duration, stream, fly):
    """The frames (N,) FRAME_DTYPE of some balls, ordered by ball and time."""
    found, kept, radius, duration = [], occluders(sport), float(sport.ball.radius), float(duration)
    records = {rig: pixel_sensor_records(rig) for rig in set(sensors)}
    for k in range(max(map(len, sensors))):
        rows = np.array([b for b, rig in enumerate(sensors) if k < len(rig)])
        own = np.array([records[sensors[b]][k] for b in rows])
        frames = int(duration * own["rate"].max()) + 1
        times = np.full((len(sensors), frames + CHUNK), np.inf)
        times[:, 0] = 0.0
        counts = np.ones(len(sensors), np.int64)
        draw_exposures(*stream, k, rows, own, duration, frames, times, counts)
        position, velocity = fly(times, counts)
        out = np.zeros(int(counts[rows].sum()), FRAME_DTYPE)
        flights = times, counts, position, velocity
        total = measure_pixels(*stream, k, rows, own, kept, radius, *flights, out)
        found.append(out[:total])
    frames = np.concatenate(found)
    return frames[np.lexsort((frames["camera"], frames["time"], frames["ball"]))]


def _pixels(sensors, frames):
    """Pixels of frames ordered by ball and time."""
    offsets = np.searchsorted(frames["ball"], np.arange(len(sensors) + 1))
    keys = ("time", "pixel", "camera", "diameter", "exposed", "position", "velocity", "is_false")
    return Pixels(sensors, offsets, *(np.ascontiguousarray(frames[key]) for key in keys))
