"""A perspective camera that looks at a target and turns round it.

    camera = Camera.of(sport.view, (1280, 720))
    xy, depth = camera.project(points)       # (N, 3) m -> (N, 2) px, (N,) m
    camera = camera.turned(10, 0).zoomed(1.1)

World frame: x across, y along, z up. Picture frame: x to the right, y down, in pixels.
"""

import dataclasses
from dataclasses import dataclass
from functools import cached_property

import numpy as np

NEAR_PLANE = 0.05  # m; what is nearer is not drawn
MAX_ELEVATION, MIN_ELEVATION = 88.0, 2.0  # degrees above the horizon


@dataclass(frozen=True)
class OrbitCamera:
    """Where it looks, from which side, how far away. Angles in degrees; `azimuth` 0 looks along y, from -y."""

    target: tuple  # (3,) m
    azimuth: float
    elevation: float
    distance: float  # m
    field_of_view: float  # degrees, vertical
    size: tuple  # (width, height) px
    principal_shift: float = 0.0  # px, by how much the target stands right of the middle

    @classmethod
    def of(cls, view, size, principal_shift=0.0):
        """The camera of a sport's View."""
        x, y, z = np.subtract(view.eye, view.target)
        distance = float(np.hypot(np.hypot(x, y), z))
        azimuth, elevation = np.degrees([np.arctan2(x, -y), np.arcsin(z / distance)])
        return cls(
            tuple(view.target), float(azimuth), float(elevation), distance, view.field_of_view, size, principal_shift
        )

    def orbited(self, azimuth, elevation):
        """The camera turned round its target by so many degrees."""
        tilt = float(np.clip(self.elevation + elevation, MIN_ELEVATION, MAX_ELEVATION))
        return dataclasses.replace(self, azimuth=(self.azimuth + azimuth) % 360, elevation=tilt)

    def from_direction(self, azimuth, elevation):
        """The camera on another side of its target, in degrees."""
        return dataclasses.replace(
            self, azimuth=azimuth % 360, elevation=float(np.clip(elevation, MIN_ELEVATION, MAX_ELEVATION))
        )

    def panned(self, right, down):
        """The camera moved so that its target stands so many pixels further right and down in the picture."""
        step = (-right * self.basis[0] - down * self.basis[1]) * self.distance / self.focal_length
        return dataclasses.replace(self, target=tuple(float(t) for t in self.target + step))

    def retargeted(self, target, distance_factor):
        """The camera moved over to another target (3,) m, at `nearer` times its distance."""
        return dataclasses.replace(self, target=tuple(map(float, target)), distance=self.distance * distance_factor)

    def zoomed(self, factor):
        """The camera nearer by `factor`; no nearer than 0.3 m, no farther than 300 m."""
        return dataclasses.replace(self, distance=float(np.clip(self.distance / factor, 0.3, 300.0)))

    def resized(self, size, principal_shift):
        """The same camera with a picture of another size."""
        return dataclasses.replace(self, size=size, principal_shift=principal_shift)

    @cached_property
    def eye(self):
        """Where the camera is, (3,) m."""
        return np.array(self.target) - self.distance * self.basis[2]

    @cached_property
    def basis(self):
        """The picture's right, down and forward as rows, (3, 3)."""
        azimuth, elevation = np.radians([self.azimuth, self.elevation])
        forward = np.array(
            [-np.sin(azimuth) * np.cos(elevation), np.cos(azimuth) * np.cos(elevation), -np.sin(elevation)]
        )
        right = np.array([np.cos(azimuth), np.sin(azimuth), 0.0])
        return np.stack([right, np.cross(forward, right), forward])

    @property
    def focal_length(self):
        """Pixels per radian in the middle of the picture."""
        return 0.5 * self.size[1] / np.tan(np.radians(self.field_of_view) / 2)

    @property
    def principal_point(self):
        """Where the target is in the picture, (2,) px."""
        return np.array([self.size[0] / 2 + self.principal_shift, self.size[1] / 2])

    def project(self, points):
        """Pixels (N, 2) and depth (N,) m of points (N, 3) m; NaN pixels for what is behind or too near."""
        local = (np.asarray(points, float) - self.eye) @ self.basis.T
        depth = local[:, 2]
        with np.errstate(divide="ignore", invalid="ignore"):
            xy = self.principal_point + self.focal_length * local[:, :2] / depth[:, None]
        xy[~(depth > NEAR_PLANE)] = np.nan
        return xy, depth

    def project_polygon(self, polygon):
        """The pixels (M, 2) of a polygon's corners (N, 3) m, cut off where it comes too near; perhaps none."""
        local = (np.asarray(polygon, float) - self.eye) @ self.basis.T
        if local[:, 2].min() <= NEAR_PLANE:
            local = _clip_near(local)
        if len(local) < 3:
            return np.empty((0, 2))
        return np.clip(self.principal_point + self.focal_length * local[:, :2] / local[:, 2:], -2e4, 2e4)


def _clip_near(local):
    """What is left of a polygon (N, 3) in the camera's axes where it is far enough away."""
    clipped = []
    for start, end in zip(local, np.roll(local, -1, axis=0), strict=True):
        if start[2] > NEAR_PLANE:
            clipped.append(start)
        if (start[2] > NEAR_PLANE) != (end[2] > NEAR_PLANE):
            clipped.append(start + (end - start) * (NEAR_PLANE * 1.0001 - start[2]) / (end[2] - start[2]))
    return np.array(clipped).reshape(-1, 3)
