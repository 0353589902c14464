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

NEAR = 0.05  # m; what is nearer is not drawn
STEEPEST, FLATTEST = 88.0, 2.0  # degrees above the horizon


@dataclass(frozen=True)
class Camera:
    """Where it looks, from which side, how far away. Angles in degrees; `azimuth` 0 looks along y, from -y."""

    target: tuple  # (3,) m
    azimuth: float
    elevation: float
    distance: float  # m
    field_of_view: float  # degrees, vertical
    size: tuple  # (width, height) px
    shift: float = 0.0  # px, by how much the target stands right of the middle

    @classmethod
    def of(cls, view, size, shift=0.0):
        """The camera of a sport's View."""
        x, y, z = np.subtract(view.eye, view.target)
        distance = float(np.hypot(np.hypot(x, y), z))
        azimuth, elevation = np.degrees([np.arctan2(x, -y), np.arcsin(z / distance)])
        return cls(tuple(view.target), float(azimuth), float(elevation), distance, view.field_of_view, size, shift)

    def turned(self, azimuth, elevation):
        """The camera turned round its target by so many degrees."""
        tilt = float(np.clip(self.elevation + elevation, FLATTEST, STEEPEST))
        return dataclasses.replace(self, azimuth=(self.azimuth + azimuth) % 360, elevation=tilt)

    def seen_from(self, azimuth, elevation):
        """The camera on another side of its target, in degrees."""
        return dataclasses.replace(self, azimuth=azimuth % 360, elevation=float(np.clip(elevation, FLATTEST, STEEPEST)))

    def panned(self, right, down):
        """The camera moved so that its target stands so many pixels further right and down in the picture."""
        step = (-right * self.axes[0] - down * self.axes[1]) * self.distance / self.focal
        return dataclasses.replace(self, target=tuple(float(t) for t in self.target + step))

    def followed(self, target, nearer):
        """The camera moved over to another target (3,) m, at `nearer` times its distance."""
        return dataclasses.replace(self, target=tuple(map(float, target)), distance=self.distance * nearer)

    def zoomed(self, factor):
        """The camera nearer by `factor`; no nearer than 0.3 m, no farther than 300 m."""
        return dataclasses.replace(self, distance=float(np.clip(self.distance / factor, 0.3, 300.0)))

    def resized(self, size, shift):
        """The same camera with a picture of another size."""
        return dataclasses.replace(self, size=size, shift=shift)

    @cached_property
    def eye(self):
        """Where the camera is, (3,) m."""
        return np.array(self.target) - self.distance * self.axes[2]

    @cached_property
    def axes(self):
        """The picture's right, down and forward as rows, (3, 3)."""
        a, e = np.radians([self.azimuth, self.elevation])
        forward = np.array([-np.sin(a) * np.cos(e), np.cos(a) * np.cos(e), -np.sin(e)])
        right = np.array([np.cos(a), np.sin(a), 0.0])
        return np.stack([right, np.cross(forward, right), forward])

    @property
    def focal(self):
        """Pixels per radian in the middle of the picture."""
        return 0.5 * self.size[1] / np.tan(np.radians(self.field_of_view) / 2)

    @property
    def centre(self):
        """Where the target is in the picture, (2,) px."""
        return np.array([self.size[0] / 2 + self.shift, self.size[1] / 2])

    def project(self, points):
        """Pixels (N, 2) and depth (N,) m of points (N, 3) m; NaN pixels for what is behind or too near."""
        local = (np.asarray(points, float) - self.eye) @ self.axes.T
        depth = local[:, 2]
        with np.errstate(divide="ignore", invalid="ignore"):
            xy = self.centre + self.focal * local[:, :2] / depth[:, None]
        xy[~(depth > NEAR)] = np.nan
        return xy, depth

    def outline(self, polygon):
        """The pixels (M, 2) of a polygon's corners (N, 3) m, cut off where it comes too near; perhaps none."""
        local = (np.asarray(polygon, float) - self.eye) @ self.axes.T
        if local[:, 2].min() <= NEAR:
            local = _cut(local)
        if len(local) < 3:
            return np.empty((0, 2))
        return np.clip(self.centre + self.focal * local[:, :2] / local[:, 2:], -2e4, 2e4)


def _cut(local):
    """What is left of a polygon (N, 3) in the camera's axes where it is far enough away."""
    kept = []
    for here, there in zip(local, np.roll(local, -1, axis=0), strict=True):
        if here[2] > NEAR:
            kept.append(here)
        if (here[2] > NEAR) != (there[2] > NEAR):
            kept.append(here + (there - here) * (NEAR * 1.0001 - here[2]) / (there[2] - here[2]))
    return np.array(kept).reshape(-1, 3)
