"""A camera as numbers that a fit may change: where it stands, how it is turned, its focal length, one distortion.

    view = View(R, centre, focal, k1, principal)
    pixels, by_view = view.project_with_derivatives(points)   # (N, 2) px, (N, 2, 8)
    better = view.moved(step)                                 # step (8,), in the order of PARAMETERS

OpenCV's model as in tracks.Camera, with square pixels and k1 alone. Points behind the camera count as just before it,
so that a fit is pushed away from them.
"""

from typing import NamedTuple

import numpy as np

from ballcast.tracks import Camera
from ballcast.tracks.camera import rotation_of

PARAMETERS = ("turn_x", "turn_y", "turn_z", "x", "y", "z", "log_focal", "k1")
# the first three: rad about the camera's own axes (right, down, forwards); then m; the focal length's logarithm
TURN, PLACE, FOCAL, K1 = slice(0, 3), slice(3, 6), 6, 7
NEAREST = 0.01  # m, least depth


class View(NamedTuple):
    """A camera. R (3, 3) turns our frame into its own; centre (3,) m; focal px; principal (2,) px."""

    R: np.ndarray
    centre: np.ndarray
    focal: float
    k1: float
    principal: np.ndarray

    @staticmethod
    def of(camera: Camera) -> "View":
        """The View of a Camera with square pixels and at most k1."""
        k1 = float(camera.distortion[0]) if len(camera.distortion) else 0.0
        return View(camera.R, camera.centre, float(camera.K[0, 0]), k1, camera.K[:2, 2].copy())

    def depth(self, points: np.ndarray) -> np.ndarray:
        """Depths (N,) m of points (N, 3) m; negative behind the camera."""
        return (points - self.centre) @ self.R[2]

    def project(self, points: np.ndarray) -> np.ndarray:
        """Pixels (N, 2) of points (N, 3) m."""
        inside = (points - self.centre) @ self.R.T
        flat = inside[:, :2] / np.maximum(inside[:, 2:], NEAREST)
        stretch = 1.0 + self.k1 * (flat**2).sum(axis=1, keepdims=True)
        return self.principal + self.focal * stretch * flat

    def project_with_derivatives(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pixels (N, 2) of points (N, 3) m and their derivatives (N, 2, 8) by PARAMETERS."""
        inside = (points - self.centre) @ self.R.T
        depth = np.maximum(inside[:, 2], NEAREST)
        flat = inside[:, :2] / depth[:, None]
        square = (flat**2).sum(axis=1)
        stretch = 1.0 + self.k1 * square
        by_flat = self.focal * (
            stretch[:, None, None] * np.eye(2) + 2.0 * self.k1 * flat[:, :, None] * flat[:, None, :]
        )
        by_inside = np.zeros((len(points), 2, 3))
        by_inside[:, 0, 0] = by_inside[:, 1, 1] = 1.0 / depth
        by_inside[:, :, 2] = -flat / depth[:, None]
        by_inside = by_flat @ by_inside
        by_view = np.empty((len(points), 2, len(PARAMETERS)))
        by_view[:, :, TURN] = np.cross(inside[:, None, :], by_inside)  # d (turn x inside)
        by_view[:, :, PLACE] = -by_inside @ self.R
        by_view[:, :, FOCAL] = self.focal * stretch[:, None] * flat
        by_view[:, :, K1] = self.focal * square[:, None] * flat
        return self.principal + self.focal * stretch[:, None] * flat, by_view

    def moved(self, step: np.ndarray) -> "View":
        """The camera with its parameters changed by step (8,)."""
        return View(
            rotation_of(step[TURN]) @ self.R,
            self.centre + step[PLACE],
            self.focal * float(np.exp(np.clip(step[FOCAL], -3.0, 3.0))),
            self.k1 + float(step[K1]),
            self.principal,
        )

    def camera(self, size: tuple[int, int], name: str = "") -> Camera:
        """The Camera of a picture of `size` (width, height) px. TrackError if k1 does not invert in it."""
        K = np.array([[self.focal, 0.0, self.principal[0]], [0.0, self.focal, self.principal[1]], [0.0, 0.0, 1.0]])
        distortion = [self.k1, 0.0, 0.0, 0.0] if self.k1 else []
        return Camera(K, np.array(distortion), self.R, -self.R @ self.centre, size, name)
