"""PixelSensor: a camera, and what a detector measures of the ball in its images.

    sensor = PixelSensor.of(camera, rate=25.0, noise=2.0)      # camera: a tracks.Camera, or anything with its fields
    camera = Camera(*sensor.calibrated)                        # what a forecaster may know of it

The camera is OpenCV's model, as in tracks/camera.py, which this package does not import: here a camera is plain
numbers. The projection itself is compiled (project), and tests hold it equal to Camera.project.
"""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from ballcast.sim.jit import strict

PIXEL_SENSOR_DTYPE = np.dtype(
    [("focal", "f8", 2), ("middle", "f8", 2), ("distortion", "f8", 8), ("turn", "f8", (3, 3)), ("shift", "f8", 3)]
    + [("centre", "f8", 3), ("size", "f8", 2), ("fold", "f8")]
    + [(name, "f8") for name in ("rate", "exposure", "clock_offset", "jitter", "noise", "blur_noise", "miss")]
    + [("burst", "f8", 2), ("outlier", "f8"), ("diameter_noise", "f8"), ("diameter_scale", "f8"), ("net", "f8")]
    + [("trigger", "i8")]
)
RANGES = {  # of the fields of PixelSensor
    "rate": (1e-9, math.inf), "exposure": (0.0, math.inf), "clock_offset": (-math.inf, math.inf),
    "jitter": (0.0, math.inf), "noise": (0.0, math.inf), "blur_noise": (0.0, math.inf), "miss": (0.0, 0.99),
    "outlier": (0.0, 1.0), "diameter_scale": (1e-9, math.inf), "net": (0.0, 1.0),
}  # fmt: skip
DETECTOR_FIELDS = ("rate", "exposure", "clock_offset", "jitter", "noise", "blur_noise", "miss", "burst", "outlier",
                   "diameter_noise", "diameter_scale", "net", "trigger")  # fmt: skip
FREE = -1  # trigger of a camera that runs by itself
MAX_RADIUS, RADII = 10.0, 10001  # at depth 1, within which the fold of a distortion is looked for
WITHOUT_DIAMETER = math.nan  # diameter_noise of a detector that does not measure it


class Lens(NamedTuple):
    """The numbers of a calibrated camera, in the order of tracks.Camera."""

    K: np.ndarray  # (3, 3) px
    distortion: np.ndarray  # (0,), (4,), (5,) or (8,), OpenCV's order
    R: np.ndarray  # (3, 3)
    t: np.ndarray  # (3,) m
    size: tuple[int, int]  # px, width and height
    name: str


class CameraLike(Protocol):
    """Anything with the numbers of a camera: a tracks.Camera is one."""

    @property
    def K(self) -> np.ndarray: ...
    @property
    def distortion(self) -> np.ndarray: ...
    @property
    def R(self) -> np.ndarray: ...
    @property
    def t(self) -> np.ndarray: ...
    @property
    def size(self) -> tuple[int, int]: ...
    @property
    def name(self) -> str: ...


@dataclass(frozen=True, eq=False, kw_only=True)
class PixelSensor:
    """A camera and its detector. Arrays are not copied and must not be changed.

    A stamp is the time of the middle of the exposure, plus clock_offset, plus a little noise: jitter. The measured
    pixel is the middle of the streak that the ball draws while the shutter is open, plus noise.
    """

    lens: Lens  # as it is
    calibrated: Lens  # as its calibration says
    rate: float = 60.0  # Hz
    exposure: float = 0.002  # s
    clock_offset: float = 0.0  # s by which its stamps are late
    jitter: float = 0.0  # s, standard deviation of the stamps
    trigger: int = FREE  # cameras of one trigger, a number from 0 on, expose at the same times
    noise: float = 1.0  # px, standard deviation of u and of v
    blur_noise: float = 0.0  # standard deviation along the streak over the streak's length, beside that
    miss: float = 0.0  # fraction of the frames in which the detector misses the ball
    burst: tuple[float, float] = (1.0, 1.0)  # frames that it misses in a run, shortest and longest
    outlier: float = 0.0  # fraction of the frames with a false detection in place of the ball, or of nothing
    diameter_noise: float = WITHOUT_DIAMETER  # px, standard deviation; nan: it measures no diameter
    diameter_scale: float = 1.0  # of the measured diameter over the true one
    net: float = 1.0  # probability, for each frame, that a ball behind a net is not found

    def __post_init__(self):
        for name, (low, high) in RANGES.items():
            value = getattr(self, name)
            if not (math.isfinite(value) and low <= value <= high):
                raise ValueError(f"{name} = {value} of camera {self.lens.name!r} must be from {low:g} to {high:g}")
        if self.exposure * self.rate > 1.0:
            interval = 1.0 / self.rate
            raise ValueError(f"exposure = {self.exposure:g} s is longer than the frame interval, {interval:g} s")
        if not 1 <= self.burst[0] <= self.burst[1]:
            raise ValueError(f"burst = {self.burst} must rise from at least 1")

    @staticmethod
    def of(camera: CameraLike, **numbers: Any) -> "PixelSensor":
        """The sensor of a camera that is as calibrated; `numbers` are other fields. ValueError says which is wrong."""
        lens = Lens(camera.K, np.asarray(camera.distortion), camera.R, camera.t, camera.size, camera.name)
        return PixelSensor(**({"lens": lens, "calibrated": lens} | numbers))

    def replace(self, **changes: Any) -> "PixelSensor":
        """The sensor with other numbers; ValueError says which is wrong."""
        return dataclasses.replace(self, **changes)

    def project(self, points: np.ndarray) -> np.ndarray:
        """Pixels (N, 2) of points (N, 3) m; NaN for what is behind the camera or beyond the fold of its distortion."""
        pixels = np.empty((len(points), 2))
        project_all(pixel_sensor_records([self])[0], np.ascontiguousarray(points, float), pixels)
        return pixels


def pixel_sensor_records(sensors: Sequence[PixelSensor]) -> np.ndarray:
    """The numbers of sensors for compiled code, (C,) PIXEL_SENSOR_DTYPE."""
    records = np.zeros(len(sensors), PIXEL_SENSOR_DTYPE)
    for record, sensor in zip(records, sensors):
        K, distortion, R, t, size, _ = sensor.lens
        record["focal"], record["middle"], record["size"] = (K[0][0], K[1][1]), (K[0][2], K[1][2]), size
        record["distortion"][: len(distortion)] = distortion
        record["turn"], record["shift"], record["centre"] = R, t, -np.asarray(R).T @ t
        record["fold"] = fold_radius(record["distortion"])
        for name in DETECTOR_FIELDS:
            record[name] = getattr(sensor, name)
    return records


def fold_radius(distortion: np.ndarray) -> float:
    """The radius at depth 1 from which on the distorted radius no longer grows; infinite if there is none."""
    radius = np.linspace(0.0, MAX_RADIUS, RADII)
    k1, k2, _, _, k3, k4, k5, k6 = distortion
    square = radius * radius
    with np.errstate(all="ignore"):
        below = 1.0 + square * (k4 + square * (k5 + square * k6))
        reached = radius * (1.0 + square * (k1 + square * (k2 + square * k3))) / below
    is_over = ~(np.diff(reached) > 0.0)
    return float(radius[is_over.argmax()]) if is_over.any() else math.inf


@strict
def project(sensor, x, y, z):
    """The pixel u, v of a point, and its depth (m); NaN, NaN where the camera has no picture of it."""
    turn, shift, k, focal, middle = (
        sensor["turn"], sensor["shift"], sensor["distortion"], sensor["focal"], sensor["middle"]
    )  # fmt: skip
    depth = turn[2, 0] * x + turn[2, 1] * y + turn[2, 2] * z + shift[2]
    if not depth > 0.0:
        return math.nan, math.nan, depth
    a = (turn[0, 0] * x + turn[0, 1] * y + turn[0, 2] * z + shift[0]) / depth
    b = (turn[1, 0] * x + turn[1, 1] * y + turn[1, 2] * z + shift[1]) / depth
    square = a * a + b * b
    if math.sqrt(square) > sensor["fold"]:
        return math.nan, math.nan, depth
    scale = 1.0 + square * (k[0] + square * (k[1] + square * k[4]))
    scale /= 1.0 + square * (k[5] + square * (k[6] + square * k[7]))
    u = scale * a + 2.0 * k[2] * a * b + k[3] * (square + 2.0 * a * a)
    v = scale * b + k[2] * (square + 2.0 * b * b) + 2.0 * k[3] * a * b
    return focal[0] * u + middle[0], focal[1] * v + middle[1], depth


@strict
def project_all(sensor, points, pixels):
    """Fill the pixels (N, 2) of points (N, 3)."""
    for n in range(len(points)):
        pixels[n, 0], pixels[n, 1], _ = project(sensor, points[n, 0], points[n, 1], points[n, 2])
