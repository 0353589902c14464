"""The region of a forecast in an image: where the ball is with probability 0.9, over all times of the forecast.

    region = image_region(size, times, pixel, covariance)       # confidence_tube.Region, or None

At each time the region is an ellipse; between two times it moves and grows evenly. It is densest in the middle. The
region ends before it covers too much of the picture.
"""

import math

import numpy as np

from ballcast.render.confidence_tube import (
    GRID_ROWS,
    MAX_SHARE,
    MIN_LEAD_TIME,
    MIN_RADIUS,
    OUTSIDE,
    Region,
)
from ballcast.sim.jit import strict

CHI_90_2DOF = 2.1460  # standard deviations that contain 90 % of a normal distribution in two dimensions
DENSE_RADIUS = 0.03  # of the picture's height: a larger region is fainter in its middle


def image_region(
    size: tuple[int, int], now: float, times: np.ndarray, pixel: np.ndarray, covariance: np.ndarray
) -> Region | None:
    """The Region of times (H,) s, pixel (H, 2) px, covariance (H, 2, 2) px^2 in a picture (width, height) px."""
    if len(times) < 2:
        return None
    spacing = max(1, round(size[1] / GRID_ROWS))
    density = np.full((-(-size[1] // spacing) + 1, -(-size[0] // spacing) + 1), OUTSIDE, np.float32)
    pixels = size[0] * size[1]
    path = np.array(times, float), np.array(pixel, float) / spacing, np.array(covariance, float) / spacing**2
    until, count, (left, top, right, bottom) = _stamp(
        density, *path, now + MIN_LEAD_TIME, MAX_SHARE * pixels / spacing**2, DENSE_RADIUS * len(density)
    )
    if not count:
        return None
    part = density[top:bottom, left:right].copy()
    return Region(part, (left * spacing, top * spacing), spacing, until, count * spacing**2 / pixels)


@strict
def _stamp(density, times, pixel, covariance, first_end, max_count, dense):
    """Raise `density` to the region's. Returns its last time, its number of grid points, and their box."""
    rows, columns = density.shape
    count, until, left, top, right, bottom = 0, times[0], columns, rows, 0, 0
    ellipse = np.empty((len(times), 3))  # of each: variance across, down, and their covariance, 90 %
    for k in range(len(times)):
        ellipse[k, 0] = CHI_90_2DOF**2 * covariance[k, 0, 0] + MIN_RADIUS**2
        ellipse[k, 1] = CHI_90_2DOF**2 * covariance[k, 1, 1] + MIN_RADIUS**2
        ellipse[k, 2] = CHI_90_2DOF**2 * covariance[k, 0, 1]
    for k in range(len(times) - 1):
        area = math.pi * math.sqrt(max(ellipse[k + 1, 0] * ellipse[k + 1, 1] - ellipse[k + 1, 2] ** 2, 0.0))
        if times[k] >= first_end and area > max_count:
            break
        smallest = math.sqrt(_smaller(ellipse[k, 0], ellipse[k, 1], ellipse[k, 2]))
        length = math.hypot(pixel[k + 1, 0] - pixel[k, 0], pixel[k + 1, 1] - pixel[k, 1])
        steps = min(64, max(1, math.ceil(length / (0.5 * smallest))))
        for n in range(steps):
            part = (n + 1.0) / steps
            a = ellipse[k, 0] + part * (ellipse[k + 1, 0] - ellipse[k, 0])
            b = ellipse[k, 1] + part * (ellipse[k + 1, 1] - ellipse[k, 1])
            c = ellipse[k, 2] + part * (ellipse[k + 1, 2] - ellipse[k, 2])
            x = pixel[k, 0] + part * (pixel[k + 1, 0] - pixel[k, 0])
            y = pixel[k, 1] + part * (pixel[k + 1, 1] - pixel[k, 1])
            new, box = _stamp_ellipse(density, x, y, a, b, c, dense)
            count += new
            left, top, right, bottom = min(left, box[0]), min(top, box[1]), max(right, box[2]), max(bottom, box[3])
        until = times[k + 1]
        if count > max_count and until >= first_end:
            break
    return until, count, (left, top, right, bottom)


@strict
def _smaller(a, b, c):
    """The smaller eigenvalue of ((a, c), (c, b))."""
    return max(0.5 * (a + b - math.hypot(a - b, 2.0 * c)), 1e-6)


@strict
def _stamp_ellipse(density, x, y, a, b, c, dense):
    """Raise `density` to that of an ellipse at (x, y). Returns how many points are new in the region, and its box."""
    rows, columns = density.shape
    determinant = max(a * b - c * c, 1e-9)
    weight = math.sqrt(min(1.0, dense / math.sqrt(0.5 * (a + b))))
    across, down = math.sqrt(a), math.sqrt(b)
    left, right = max(0, math.floor(x - across)), min(columns, math.ceil(x + across) + 1)
    top, bottom = max(0, math.floor(y - down)), min(rows, math.ceil(y + down) + 1)
    new = 0
    if right <= left or bottom <= top:
        return new, (columns, rows, 0, 0)
    for j in range(top, bottom):
        for i in range(left, right):
            u, v = i - x, j - y
            value = 1.0 - (b * u * u - 2.0 * c * u * v + a * v * v) / determinant
            value = value * weight if value > 0.0 else max(value, OUTSIDE)
            if value > density[j, i]:
                new += value > 0.0 and density[j, i] <= 0.0
                density[j, i] = value
    return new, (left, top, right, bottom)
