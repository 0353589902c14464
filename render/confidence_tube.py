"""The region that contains the ball with probability 0.9, as a pale tube round the forecast.

At each time the ellipsoid is projected to an ellipse; neighbouring ellipses are joined along their sides.
"""

import math

import numpy as np

from ballcast.render.camera import NEAR_PLANE, OrbitCamera
from ballcast.sim.jit import strict

CHI_90_3DOF = 2.5003  # standard deviations that contain 90 % of a normal distribution in three dimensions
ELLIPSE_POINTS = 16
MAX_SIZE = 3000.0  # px; larger ellipses are not drawn
UNIT_CIRCLE = np.column_stack([f(np.linspace(0, 2 * np.pi, ELLIPSE_POINTS, False)) for f in (np.cos, np.sin)])


def confidence_tube(camera: OrbitCamera, mean: np.ndarray, covariance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The tube of a forecast, mean (H, 3) m and covariance (H, 3, 3) m2: corners (M, 2) px and starts (K + 1,)."""
    ellipses, tangent_points = ellipse_outlines(camera, mean, covariance)
    ellipses = ellipses[len(ellipses) % 2 == 0 :: 2]  # every second one, and the last: quads fill the gaps
    quads = np.concatenate([tangent_points[:-1], tangent_points[1:, ::-1]], axis=1)
    corners = np.concatenate([ellipses.reshape(-1, 2), quads.reshape(-1, 2)])
    starts = np.cumsum([0] + [ELLIPSE_POINTS] * len(ellipses) + [4] * len(quads))
    return corners, starts


def ellipse_outlines(camera: OrbitCamera, mean: np.ndarray, covariance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ellipses (K, ELLIPSE_POINTS, 2) px, and the two points (K, 2, 2) of each that are farthest from the path."""
    projection = camera.eye, camera.basis, camera.focal_length, camera.principal_point
    xy, pixel_covariance = _project_ellipsoids(*projection, np.asarray(mean), np.asarray(covariance))
    if len(xy) < 2:
        return np.empty((0, ELLIPSE_POINTS, 2)), np.empty((0, 2, 2))
    return _ellipses(xy, pixel_covariance)


@strict
def _project_ellipsoids(eye, basis, focal_length, principal_point, mean, covariance):
    """Centres (K, 2) px and covariances (K, 2, 2) px2, scaled to 90 %, of the times at which they can be drawn."""
    xy, pixel_covariance, count = np.empty((len(mean), 2)), np.empty((len(mean), 2, 2)), 0
    for k in range(len(mean)):
        x, y, z = mean[k, 0] - eye[0], mean[k, 1] - eye[1], mean[k, 2] - eye[2]
        depth = basis[2, 0] * x + basis[2, 1] * y + basis[2, 2] * z
        if not depth > NEAR_PLANE:
            continue
        squared_scale = (CHI_90_3DOF * focal_length / depth) ** 2
        for i in range(2):
            across = basis[i, 0] * x + basis[i, 1] * y + basis[i, 2] * z
            xy[count, i] = principal_point[i] + focal_length * across / depth
            for j in range(2):
                variance = 0.0
                for m in range(3):
                    for n in range(3):
                        variance += basis[i, m] * covariance[k, m, n] * basis[j, n]
                pixel_covariance[count, i, j] = squared_scale * variance + (1e-6 if i == j else 0.0)
        size = math.sqrt(pixel_covariance[count, 0, 0] + pixel_covariance[count, 1, 1])
        if size < MAX_SIZE and not math.isnan(xy[count, 0]):
            count += 1
    return xy[:count], pixel_covariance[:count]


@strict
def _ellipses(xy, pixel_covariance):
    """The ellipses and points of ellipse_outlines()."""
    ellipses, tangent_points, last = np.empty((len(xy), ELLIPSE_POINTS, 2)), np.empty((len(xy), 2, 2)), len(xy) - 1
    for k in range(len(xy)):
        a = math.sqrt(pixel_covariance[k, 0, 0])
        b = pixel_covariance[k, 1, 0] / a
        c = math.sqrt(max(pixel_covariance[k, 1, 1] - b * b, 0.0))
        for n in range(ELLIPSE_POINTS):
            ellipses[k, n, 0] = xy[k, 0] + a * UNIT_CIRCLE[n, 0]
            ellipses[k, n, 1] = xy[k, 1] + b * UNIT_CIRCLE[n, 0] + c * UNIT_CIRCLE[n, 1]
        before, after = max(k - 1, 0), min(k + 1, last)
        normal_x, normal_y = xy[before, 1] - xy[after, 1], xy[after, 0] - xy[before, 0]
        x = pixel_covariance[k, 0, 0] * normal_x + pixel_covariance[k, 0, 1] * normal_y
        y = pixel_covariance[k, 1, 0] * normal_x + pixel_covariance[k, 1, 1] * normal_y
        norm = math.sqrt(max(x * normal_x + y * normal_y, 1e-12))
        for side, sign in ((0, 1.0), (1, -1.0)):
            tangent_points[k, side, 0] = xy[k, 0] + sign * x / norm
            tangent_points[k, side, 1] = xy[k, 1] + sign * y / norm
    return ellipses, tangent_points
