"""Cameras that pictures are painted from: one that looks at a target and turns round it, one that stands anywhere.

World frame: x across, y along, z up. Picture frame: x to the right, y down, in pixels.
"""

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ballcast.sim.view import CameraView

NEAR_PLANE = 0.05  # m; nearer points are not drawn
MAX_ELEVATION, MIN_ELEVATION = 88.0, 2.0  # degrees above the horizon


class Perspective:
    """What all cameras do. `basis` is the picture's right, down and forward as rows; lengths in m and px."""

    eye: Any  # (3,) m
    basis: Any  # (3, 3)
    focal_length: Any  # px
    principal_point: Any  # (2,) px
    size: Any  # (width, height) px
    distance: Any  # m, to what it looks at: the scale of what is drawn as large as the picture needs it

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pixels (N, 2) and depth (N,) m of points (N, 3) m; NaN pixels for points behind or too near."""
        local = (np.asarray(points, float) - self.eye) @ self.basis.T
        depth = local[:, 2]
        with np.errstate(divide="ignore", invalid="ignore"):
            xy = self.principal_point + self.focal_length * local[:, :2] / depth[:, None]
        xy[~(depth > NEAR_PLANE)] = np.nan
        return xy, depth

    def project_polygon(self, polygon: np.ndarray) -> np.ndarray:
        """The pixels (M, 2) of a polygon's corners (N, 3) m, clipped where it is too near; perhaps none."""
        local = (np.asarray(polygon, float) - self.eye) @ self.basis.T
        if local[:, 2].min() <= NEAR_PLANE:
            local = _clip_near(local)
        if len(local) < 3:
            return np.empty((0, 2))
        return np.clip(self.principal_point + self.focal_length * local[:, :2] / local[:, 2:], -2e4, 2e4)


@dataclass(frozen=True)
class OrbitCamera(Perspective):
    """Where it looks, from which side, from how far. Angles in degrees; `azimuth` 0 looks along y, from -y."""

    target: tuple[float, float, float]  # (3,) m
    azimuth: float
    elevation: float
    distance: float  # m
    field_of_view: float  # degrees, vertical
    size: tuple[int, int]  # (width, height) px
    principal_shift: float = 0.0  # px, how far the target is right of the middle
    fitted: bool = False  # to a place, from its direction; False once somebody has turned, moved or zoomed it

    @classmethod
    def of(cls, view: "CameraView", size: tuple[int, int], principal_shift: float = 0.0) -> "OrbitCamera":
        x, y, z = np.subtract(view.eye, view.target)
        distance = float(np.hypot(np.hypot(x, y), z))
        azimuth, elevation = np.degrees([np.arctan2(x, -y), np.arcsin(z / distance)])
        direction = float(azimuth), float(elevation), distance
        return cls(tuple(view.target), *direction, view.field_of_view, size, principal_shift)

    def orbited(self, azimuth: float, elevation: float) -> "OrbitCamera":
        return self.from_direction(self.azimuth + azimuth, self.elevation + elevation)

    def from_direction(self, azimuth: float, elevation: float) -> "OrbitCamera":
        """The camera on another side of its target, in degrees."""
        tilt = float(np.clip(elevation, MIN_ELEVATION, MAX_ELEVATION))
        return dataclasses.replace(self, azimuth=azimuth % 360, elevation=tilt, fitted=False)

    def panned(self, right: float, down: float) -> "OrbitCamera":
        """The camera moved so that its target is this many pixels further right and down in the picture."""
        step = (-right * self.basis[0] - down * self.basis[1]) * self.distance / self.focal_length
        x, y, z = map(float, self.target + step)
        return dataclasses.replace(self, target=(x, y, z), fitted=False)

    def moved_to(self, position: np.ndarray) -> "OrbitCamera":
        """The camera, its direction and distance kept, at a position (3,) m in its own axes: right, down, forward."""
        x, y, z = map(float, (position + (0.0, 0.0, self.distance)) @ self.basis)
        return dataclasses.replace(self, target=(x, y, z))

    def zoomed(self, factor: float) -> "OrbitCamera":
        """The camera nearer by `factor`; no nearer than 0.3 m, no farther than 1000 m."""
        return dataclasses.replace(self, distance=float(np.clip(self.distance / factor, 0.3, 1000.0)), fitted=False)

    @cached_property
    def eye(self) -> np.ndarray:
        """Where the camera is, (3,) m."""
        return np.array(self.target) - self.distance * self.basis[2]

    @cached_property
    def basis(self) -> np.ndarray:
        """The picture's right, down and forward as rows, (3, 3)."""
        azimuth, elevation = np.radians([self.azimuth, self.elevation])
        level = np.cos(elevation)
        forward = np.array([-np.sin(azimuth) * level, np.cos(azimuth) * level, -np.sin(elevation)])
        right = np.array([np.cos(azimuth), np.sin(azimuth), 0.0])
        return np.stack([right, np.cross(forward, right), forward])

    @property
    def focal_length(self) -> float:
        """Pixels per radian in the middle of the picture."""
        return 0.5 * self.size[1] / np.tan(np.radians(self.field_of_view) / 2)

    @property
    def principal_point(self) -> np.ndarray:
        """Where the target is in the picture, (2,) px."""
        return np.array([self.size[0] / 2 + self.principal_shift, self.size[1] / 2])


class FixedCamera(Perspective):
    """A calibrated camera with its image scaled to a picture of `size` (width, height) px, without its distortion.

    basis     (3, 3) turns our frame into the camera's: tracks.Camera.R
    focal_length, principal_point  px of the picture
    distance  m, from which things that follow a picture's scale take it
    """

    def __init__(
        self, eye: np.ndarray, basis: np.ndarray, focal_length: float, principal_point: np.ndarray,
        size: tuple[int, int], distance: float,
    ):  # fmt: skip
        self.eye, self.basis, self.focal_length = eye, basis, focal_length
        self.principal_point, self.size, self.distance = principal_point, size, distance


def _clip_near(local):
    """The part of a polygon (N, 3) in the camera's axes that is far enough away."""
    clipped = []
    for start, end in zip(local, np.roll(local, -1, axis=0), strict=True):
        if start[2] > NEAR_PLANE:
            clipped.append(start)
        if (start[2] > NEAR_PLANE) != (end[2] > NEAR_PLANE):
            clipped.append(start + (end - start) * (NEAR_PLANE * 1.0001 - start[2]) / (end[2] - start[2]))
    return np.array(clipped).reshape(-1, 3)
