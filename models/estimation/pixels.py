"""From a point in space to its pixel and its apparent diameter, with derivatives. Compiled.

A camera is a row of CAMERA_SIZE numbers, `camera_row`: OpenCV's model with eight distortion coefficients, as in
tracks/camera.py. The functions take plain numbers or lanes, so that fits and filters share them. A camera may err: its
errors are ERRORS numbers: it is turned about its own axes (rad) and displaced along them (m), the logarithm of its
focal length is off, and its clock is late (s).
"""

import math
from typing import TYPE_CHECKING

import numpy as np

from ballcast.sim.jit import inlined
from ballcast.sim.kernels.lane_numbers import where

if TYPE_CHECKING:  # an import would make every edit of camera.py compile these modules anew
    from ballcast.tracks.camera import Camera

FOCAL, CENTRE, DISTORTION, ROTATION, TRANSLATION, IMAGE, FOLD2 = 0, 2, 4, 12, 21, 24, 26
CAMERA_SIZE = 27
TURN, SHIFT, LOG_FOCAL, CLOCK = 0, 3, 6, 7  # of a camera's errors
ERRORS = 8
MAX_RADIUS = 1e3  # at depth 1
MIN_DEPTH = 0.05  # m: a point nearer than this, or behind the camera, is taken to be here


def camera_row(camera: "Camera") -> np.ndarray:
    """The numbers (CAMERA_SIZE,) of a Camera."""
    row = np.zeros(CAMERA_SIZE)
    row[FOCAL : FOCAL + 2] = camera.K[0, 0], camera.K[1, 1]
    row[CENTRE : CENTRE + 2] = camera.K[0, 2], camera.K[1, 2]
    row[DISTORTION : DISTORTION + len(camera.distortion)] = camera.distortion
    row[ROTATION : ROTATION + 9], row[TRANSLATION : TRANSLATION + 3] = camera.R.ravel(), camera.t
    row[IMAGE : IMAGE + 2] = camera.size
    row[FOLD2] = min(camera.fold, MAX_RADIUS) ** 2
    return row


@inlined
def into_camera(camera, x, y, z):
    """A point of our frame, m, in the camera's frame."""
    return (
        camera[12] * x + camera[13] * y + camera[14] * z + camera[21],
        camera[15] * x + camera[16] * y + camera[17] * z + camera[22],
        camera[18] * x + camera[19] * y + camera[20] * z + camera[23],
    )


@inlined
def out_of_camera(camera, a, b, c):
    """The derivative by a point of our frame, from that (a, b, c) by the point of the camera's frame."""
    return (
        camera[12] * a + camera[15] * b + camera[18] * c,
        camera[13] * a + camera[16] * b + camera[19] * c,
        camera[14] * a + camera[17] * b + camera[20] * c,
    )


@inlined
def image_of(camera, x, y, z):
    """(u, v, scale) of a point of the camera's frame, m, and the derivative of each by it, (3,).

    scale, px / m: the apparent diameter over the ball's. Its derivative leaves out how the distortion changes.
    """
    depth = max(z, MIN_DEPTH)
    near = 1.0 / depth
    a, b = x * near, y * near
    r2 = a * a + b * b
    k1, k2, p1, p2, k3 = camera[4], camera[5], camera[6], camera[7], camera[8]
    k4, k5, k6 = camera[9], camera[10], camera[11]
    q2 = min(r2, camera[26])  # where the lens's model ends, it goes on without more distortion
    above, below = 1.0 + q2 * (k1 + q2 * (k2 + q2 * k3)), 1.0 + q2 * (k4 + q2 * (k5 + q2 * k6))
    radial = above / below
    slope = (k1 + q2 * (2.0 * k2 + 3.0 * k3 * q2) - radial * (k4 + q2 * (2.0 * k5 + 3.0 * k6 * q2))) / below
    slope = where(r2 < camera[26], slope, 0.0)
    da = radial * a + 2.0 * p1 * a * b + p2 * (r2 + 2.0 * a * a)
    db = radial * b + p1 * (r2 + 2.0 * b * b) + 2.0 * p2 * a * b
    aa = radial + 2.0 * slope * a * a + 2.0 * p1 * b + 6.0 * p2 * a
    ab = 2.0 * (slope * a * b + p1 * a + p2 * b)
    bb = radial + 2.0 * slope * b * b + 6.0 * p1 * b + 2.0 * p2 * a
    fx, fy = camera[0], camera[1]
    oblique = 1.0 + r2
    scale = math.sqrt(fx * fy * abs(aa * bb - ab * ab) * math.sqrt(oblique)) * near
    by_u = fx * near * aa, fx * near * ab, -fx * near * (aa * a + ab * b)
    by_v = fy * near * ab, fy * near * bb, -fy * near * (ab * a + bb * b)
    k = 0.5 * scale * near / oblique
    by_scale = k * a, k * b, -k * r2 - scale * near
    return (fx * da + camera[2], fy * db + camera[3], scale), by_u, by_v, by_scale


@inlined
def erring(errors, x, y, z):
    """A point of the camera's frame, as a camera with these errors has it in its own."""
    p, q, r = errors[0], errors[1], errors[2]
    cx, cy, cz = q * z - r * y, r * x - p * z, p * y - q * x
    return (
        x + cx + 0.5 * (q * cz - r * cy) + errors[3],
        y + cy + 0.5 * (r * cx - p * cz) + errors[4],
        z + cz + 0.5 * (p * cy - q * cx) + errors[5],
    )
