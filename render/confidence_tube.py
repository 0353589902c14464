"""The region that contains the ball with probability 0.9: how dense it is, over the picture.

At each time the forecast's covariance is an ellipsoid; between two times its centre moves on a line and its size
changes linearly. Rays through a grid of points over the picture meet the ellipsoids: where a ray comes nearest to a
centre, in standard deviations, its point is densest. Rays end at the floor, at tables and at walls, so nothing of the
region lies below or behind these. The region ends before it covers too much of the picture.
"""

import functools
import math
from typing import NamedTuple

import numpy as np

from ballcast.render.camera import NEAR_PLANE, OrbitCamera
from ballcast.render.place import Place
from ballcast.sim.jit import strict

CHI_90_3DOF = 2.5003  # standard deviations that contain 90 % of a normal distribution in three dimensions
MAX_SHARE = 0.14  # of the picture that a region covers; it ends before it would cover more
MIN_LEAD_TIME = 0.1  # s for which it is drawn, however large
GRID_ROWS = 180  # rows of grid points over the height of the picture
MIN_RADIUS = 0.7  # grid spacings: a smaller region is drawn this large
DENSE_RADIUS = 0.03  # of the picture's height: a larger region is fainter in its middle
MAX_STEP, MAX_GROWTH = 0.5, 1.4  # radii, and factor of the variance, over which steps of a forecast are joined
OUTSIDE = -1.0

inlined_strict = functools.partial(strict, forceinline=True)


class Region(NamedTuple):
    """A region in the picture.

    density  (h, w) float32 at grid points, relative to the densest place: above 0 inside, negative outside
    corner   px: where density[0, 0] is
    spacing  px between grid points
    until    s: the last time whose ellipsoid is part of it
    share    of the picture that it covers
    """

    density: np.ndarray
    corner: tuple[int, int]
    spacing: int
    until: float
    share: float


class RegionGrid:
    """The grid of rays of a camera in a place. It computes where a ray ends when a region first needs it."""

    def __init__(self, place: Place, camera: OrbitCamera):
        self.barriers, self.camera = place.barriers, camera
        self.spacing = max(1, round(camera.size[1] / GRID_ROWS))
        shape = tuple(-(-side // self.spacing) + 1 for side in reversed(camera.size))
        self._density = np.full(shape, OUTSIDE, np.float32)  # as between two calls
        self._limits = np.full((*shape, 2), np.nan, np.float32)  # m: depths between which a ray is in the place

    def region(self, now: float, times: np.ndarray, mean: np.ndarray, covariance: np.ndarray) -> Region | None:
        """The region of a forecast at times (H,) s: mean (H, 3) m, covariance (H, 3, 3) m2. None if out of sight."""
        if len(times) < 2:
            return None
        camera, pixels = self.camera, self.camera.size[0] * self.camera.size[1]
        projection = camera.eye, camera.basis, camera.focal_length, camera.principal_point, float(self.spacing)
        forecast = (np.ascontiguousarray(values, float) for values in (times, mean, covariance))
        limits = now + MIN_LEAD_TIME, MAX_SHARE * pixels / self.spacing**2
        until, count, box = _stamp(self._density, self._limits, self.barriers, *projection, *forecast, *limits)
        if not count:
            return None
        left, top, right, bottom = box
        density = self._density[top:bottom, left:right].copy()
        self._density[top:bottom, left:right] = OUTSIDE
        corner = left * self.spacing, top * self.spacing
        return Region(density, corner, self.spacing, until, count * self.spacing**2 / pixels)


@strict
def _stamp(
    density, limits, barriers, eye, basis, focal_length, principal_point, spacing,
    times, mean, covariance, first_end, max_count,
):  # fmt: skip
    """Raise `density` to the region's. Returns its last time, its number of grid points, and the box it lies in."""
    rows, columns = density.shape
    centre, ellipsoids = _in_camera_axes(mean, covariance, eye, basis, MIN_RADIUS * spacing / focal_length)
    whitening, step, box = np.empty((3, 3)), np.empty(3), np.empty(4, np.int64)
    until, count, left, top, right, bottom = times[0], 0, columns, rows, 0, 0
    last, start = len(times) - 1, 0
    while start < last:
        end = _end_of_segment(centre, ellipsoids, start)
        first_size, last_size = _whiten(ellipsoids[start], ellipsoids[end], whitening)
        outer = 0.5 * max(first_size, last_size) * (ellipsoids[start] + ellipsoids[end])
        _bounds(centre[start], centre[end], outer, focal_length, principal_point, spacing, rows, columns, box)
        dense = DENSE_RADIUS * spacing * rows / focal_length
        first_weight = _weight(centre[start], ellipsoids[start], dense)
        last_weight = _weight(centre[end], ellipsoids[end], dense)
        for i in range(3):
            step[i] = centre[end, i] - centre[start, i]
        new = 0
        for write in range(2):
            for j in range(box[1], box[3]):
                y = (j * spacing - principal_point[1]) / focal_length
                for i in range(box[0], box[2]):
                    if write == 0 and density[j, i] > 0.0:
                        continue
                    x = (i * spacing - principal_point[0]) / focal_length
                    if math.isnan(limits[j, i, 0]):
                        limits[j, i, 0], limits[j, i, 1] = _ray_limits(x, y, eye, basis, barriers)
                    nearness, part = _nearness(
                        x, y, limits[j, i, 0], limits[j, i, 1], centre[start], step, whitening, first_size, last_size
                    )
                    if write == 0:
                        new += nearness > 0.0
                    else:
                        if nearness > 0.0:
                            nearness *= first_weight + part * (last_weight - first_weight)
                        density[j, i] = max(density[j, i], nearness)
            if write == 0 and count + new > max_count and times[start] >= first_end:
                start = last
                break
        if start == last:
            break
        count, until, start = count + new, times[end], end
        if box[2] > box[0] and box[3] > box[1]:
            left, top = min(left, box[0]), min(top, box[1])
            right, bottom = max(right, box[2]), max(bottom, box[3])
    return until, count, (left, top, right, bottom)


@strict
def _in_camera_axes(mean, covariance, eye, basis, min_angle):
    """Centres (H, 3) and 90 % ellipsoids (H, 3, 3) in the camera's axes, m and m2; no smaller than min_angle rad."""
    centre, ellipsoids, turned = np.empty((len(mean), 3)), np.empty((len(mean), 3, 3)), np.empty((3, 3))
    for k in range(len(mean)):
        for i in range(3):
            centre[k, i] = 0.0
            for m in range(3):
                centre[k, i] += basis[i, m] * (mean[k, m] - eye[m])
                turned[i, m] = 0.0
                for n in range(3):
                    turned[i, m] += basis[i, n] * covariance[k, n, m]
        smallest = (min_angle * max(centre[k, 2], NEAR_PLANE)) ** 2
        for i in range(3):
            for j in range(3):
                variance = 0.0
                for m in range(3):
                    variance += turned[i, m] * basis[j, m]
                ellipsoids[k, i, j] = CHI_90_3DOF**2 * variance + (smallest if i == j else 0.0)
    return centre, ellipsoids


@strict
def _end_of_segment(centre, ellipsoids, start):
    """The last time to which the region of a start moves and grows little enough to be drawn as one; start + 1 or later.

    Little: the centre stays within MAX_STEP radii, measured across its shortest axis, and the size within MAX_GROWTH.
    """
    end, size = start + 1, _trace(ellipsoids[start])
    narrow = _narrowest(ellipsoids[start])
    while end + 1 < len(centre):
        moved = 0.0
        for i in range(3):
            moved += (centre[end + 1, i] - centre[start, i]) ** 2
        growth = _trace(ellipsoids[end + 1]) / size
        if moved > MAX_STEP**2 * narrow or not 1.0 / MAX_GROWTH < growth < MAX_GROWTH:
            break
        end += 1
    return end


@inlined_strict
def _trace(a):
    return a[0, 0] + a[1, 1] + a[2, 2]


@inlined_strict
def _narrowest(a):
    """A lower estimate of the smallest eigenvalue of a positive matrix (3, 3): 1 / trace of the inverse."""
    b, c, d = a[1, 1] * a[2, 2] - a[1, 2] ** 2, a[0, 0] * a[2, 2] - a[0, 2] ** 2, a[0, 0] * a[1, 1] - a[0, 1] ** 2
    determinant = (
        a[0, 0] * b - a[0, 1] * (a[0, 1] * a[2, 2] - a[1, 2] * a[0, 2]) + a[0, 2] * (a[0, 1] * a[1, 2] - a[1, 1] * a[0, 2])
    )
    return max(determinant, 0.0) / (b + c + d)


@strict
def _whiten(first, last, whitening):
    """Fill W (3, 3), lower triangular, in which the mean of two ellipsoids is a sphere of radius 1.

    Returns the mean squared radius of each of the two there.
    """
    mean = 0.5 * (first + last)
    root = np.zeros((3, 3))
    for i in range(3):
        for j in range(i + 1):
            rest = mean[i, j]
            for k in range(j):
                rest -= root[i, k] * root[j, k]
            root[i, j] = math.sqrt(max(rest, 1e-14)) if i == j else rest / root[j, j]
    whitening[:] = 0.0
    for i in range(3):
        whitening[i, i] = 1.0 / root[i, i]
        for j in range(i):
            for k in range(j, i):
                whitening[i, j] -= root[i, k] * whitening[k, j]
            whitening[i, j] /= root[i, i]
    sizes = 0.0, 0.0
    for i in range(3):
        for m in range(3):
            for n in range(3):
                both = whitening[i, m] * whitening[i, n] / 3.0
                sizes = sizes[0] + both * first[m, n], sizes[1] + both * last[m, n]
    return sizes


@strict
def _weight(centre, ellipsoid, dense):
    """How dense the middle of an ellipsoid is: 1 up to a mean radius of `dense` rad, then falling with its radius."""
    angle = math.sqrt(_trace(ellipsoid) / 3.0) / max(centre[2], NEAR_PLANE)
    return math.sqrt(min(1.0, dense / angle))


@strict
def _bounds(first, last, ellipsoid, focal_length, principal_point, spacing, rows, columns, box):
    """Fill the box (left, top, right, bottom) of grid points that an ellipsoid covers between two centres."""
    reach = math.sqrt(ellipsoid[2, 2])
    is_near = min(first[2], last[2]) - reach < NEAR_PLANE
    for i in range(2):
        low, high = (-np.inf, np.inf) if is_near else (np.inf, -np.inf)
        for centre in (first, last):
            if not is_near:  # its tangents x = u z: a u^2 - 2 b u + c = 0
                a, b = centre[2] ** 2 - ellipsoid[2, 2], centre[2] * centre[i] - ellipsoid[i, 2]
                root = math.sqrt(max(b * b - a * (centre[i] ** 2 - ellipsoid[i, i]), 0.0))
                low, high = min(low, (b - root) / a), max(high, (b + root) / a)
        count = columns if i == 0 else rows
        start = (principal_point[i] + focal_length * max(low, -1e6)) / spacing
        stop = (principal_point[i] + focal_length * min(high, 1e6)) / spacing
        box[i] = min(max(math.floor(start) - 1, 0), count)
        box[2 + i] = min(max(math.ceil(stop) + 2, 0), count)
    if max(first[2], last[2]) + reach < NEAR_PLANE:
        box[2:] = box[:2]


@strict
def _ray_limits(x, y, eye, basis, barriers):
    """The depths (m) between which the ray (x, y, 1) in the camera's axes is inside planes and before boards."""
    near, far = NEAR_PLANE, np.inf
    for n in range(len(barriers)):
        barrier = barriers[n]
        axis, side = barrier["axis"], barrier["inward"]
        rate = x * basis[0, axis] + y * basis[1, axis] + basis[2, axis]
        if abs(rate) < 1e-12:
            continue
        depth = (barrier["offset"] - eye[axis]) / rate
        if side == 0.0:
            hits = depth > 0.0
            for i in range(2):
                at = eye[i] + depth * (x * basis[0, i] + y * basis[1, i] + basis[2, i])
                hits = hits and barrier["low"][i] <= at <= barrier["high"][i]
            if hits:
                far = min(far, depth)
        elif side * rate > 0.0:
            near = max(near, depth)
        else:
            far = min(far, depth)
    return near, far


@inlined_strict
def _nearness(x, y, near, far, centre, step, whitening, first_size, last_size):
    """How near the ray (x, y, 1) comes to a moving ellipsoid: 1 in its centre, 0 at its rim; and when, from 0 to 1."""
    w = whitening
    r0, r1 = w[0, 0] * x, w[1, 0] * x + w[1, 1] * y
    r2 = w[2, 0] * x + w[2, 1] * y + w[2, 2]
    c0, c1 = w[0, 0] * centre[0], w[1, 0] * centre[0] + w[1, 1] * centre[1]
    c2 = w[2, 0] * centre[0] + w[2, 1] * centre[1] + w[2, 2] * centre[2]
    d0, d1 = w[0, 0] * step[0], w[1, 0] * step[0] + w[1, 1] * step[1]
    d2 = w[2, 0] * step[0] + w[2, 1] * step[1] + w[2, 2] * step[2]
    rr, rd, dd = r0 * r0 + r1 * r1 + r2 * r2, r0 * d0 + r1 * d1 + r2 * d2, d0 * d0 + d1 * d1 + d2 * d2
    rc, dc = r0 * c0 + r1 * c1 + r2 * c2, d0 * c0 + d1 * c1 + d2 * c2
    part = min(max((rd * rc - rr * dc) / max(rr * dd - rd * rd, 1e-12 * rr), 0.0), 1.0)
    depth = (rc + part * rd) / rr
    if depth < near or depth > far:
        if far <= near:
            return -1.0, part
        depth = min(max(depth, near), far)
        part = min(max((depth * rd - dc) / max(dd, 1e-12), 0.0), 1.0)
    e0, e1, e2 = depth * r0 - part * d0 - c0, depth * r1 - part * d1 - c1, depth * r2 - part * d2 - c2
    distance = (e0 * e0 + e1 * e1 + e2 * e2) / (first_size + part * (last_size - first_size))
    return max(1.0 - distance, -1.0), part
