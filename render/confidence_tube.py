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

from ballcast.render.camera import NEAR_PLANE, Perspective
from ballcast.render.place import Place
from ballcast.sim.jit import strict

CHI_90_3DOF = 2.5003  # standard deviations that contain 90 % of a normal distribution in three dimensions
MAX_SHARE = 0.14  # of the picture that a region covers; it ends before it would cover more
MIN_LEAD_TIME = 0.1  # s for which it is drawn, however large
GRID_ROWS = 120  # rows of grid points over the height of the picture
MIN_RADIUS = 0.7  # grid spacings: a smaller region is drawn this large
DENSE_RADIUS = 0.03  # of the picture's height: a larger region is fainter in its middle
MAX_DEVIATION = 0.2  # radii by which a forecast may leave a straight line
MAX_GROWTH, MAX_BEND = 2.5, 1.1  # factors of the variance from end to end of a line, and off even growth
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

    def __init__(self, place: Place, camera: Perspective):
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
        forecast = (np.array(values, float, order="C") for values in (times, mean, covariance))
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
    """Raise `density` to the region's. Returns its last time, its number of grid points, and the box it lies in.

    limits  (rows, columns, 2) m: of each ray, NaN until it is needed
    """
    rows, columns = density.shape
    centre, ellipsoids = _in_camera_axes(mean, covariance, eye, basis, MIN_RADIUS * spacing / focal_length)
    camera = eye, basis, focal_length, principal_point, spacing
    whitening, step, boxes = np.empty((3, 3)), np.empty(3), np.empty((2, 4))
    earlier = np.empty((rows * columns, 3), np.float32)  # what a segment replaces: row, column, density
    until, count, left, top, right, bottom = times[0], 0, columns, rows, 0, 0
    start, longest, dense = 0, len(times) - 1, DENSE_RADIUS * spacing * rows / focal_length
    while start + 1 < len(times):
        end = min(_end_of_segment(times, centre, ellipsoids, start, first_end), longest)
        sizes = _whiten(ellipsoids[start], ellipsoids[end], whitening)
        outer = 0.5 * max(sizes[0], sizes[1]) * (ellipsoids[start] + ellipsoids[end])
        _bounds(centre[start], outer, focal_length, principal_point, spacing, boxes[0])
        _bounds(centre[end], outer, focal_length, principal_point, spacing, boxes[1])
        for i in range(3):
            step[i] = centre[end, i] - centre[start, i]
        weights = _weight(centre[start], ellipsoids[start], dense), _weight(centre[end], ellipsoids[end], dense)
        changed, new, box = _stamp_segment(
            density, limits, barriers, camera, boxes, centre[start], step, whitening, sizes, weights, earlier
        )
        if count + new > max_count and times[start] >= first_end:
            for k in range(changed):
                density[int(earlier[k, 0]), int(earlier[k, 1])] = earlier[k, 2]
            if end == start + 1:
                break
            longest = start + (end - start) // 2  # again, only as far as this
            continue
        count, until, start, longest = count + new, times[end], end, len(times) - 1
        left, top, right, bottom = min(left, box[0]), min(top, box[1]), max(right, box[2]), max(bottom, box[3])
    return until, count, (left, top, right, bottom)


@strict
def _stamp_segment(density, limits, barriers, camera, boxes, centre, step, whitening, sizes, weights, earlier):
    """Raise `density` to that of an ellipsoid that moves by one step.

    Returns the number of grid points that changed, of those that were outside and are inside, and their box.
    """
    eye, basis, focal_length, principal_point, spacing = camera
    rows, columns = density.shape
    sphere = _apply(whitening, centre[0], centre[1], centre[2])
    sphere_step = _apply(whitening, step[0], step[1], step[2])
    w00, w10, w20 = whitening[0, 0], whitening[1, 0], whitening[2, 0]
    changed, new, left, top, right, bottom = 0, 0, columns, rows, 0, 0
    low, high = min(boxes[0, 1], boxes[1, 1]), max(boxes[0, 3], boxes[1, 3])
    for j in range(min(max(math.floor(low), 0), rows), min(max(math.ceil(high) + 1, 0), rows)):
        y = (j * spacing - principal_point[1]) / focal_length
        _, row1, row2 = _apply(whitening, 0.0, y, 1.0)
        first, last = _columns(boxes, float(j), columns)
        for i in range(first, last):
            x = (i * spacing - principal_point[0]) / focal_length
            if math.isnan(limits[j, i, 0]):
                limits[j, i, 0], limits[j, i, 1] = _ray_limits(x, y, eye, basis, barriers)
            near, far = limits[j, i, 0], limits[j, i, 1]
            ray = w00 * x, w10 * x + row1, w20 * x + row2
            nearness, part = _nearness(ray, near, far, sphere, sphere_step, sizes)
            if nearness > 0.0:
                nearness *= weights[0] + part * (weights[1] - weights[0])
            before = density[j, i]
            if nearness > before:
                earlier[changed, 0], earlier[changed, 1], earlier[changed, 2] = j, i, before
                changed += 1
                new += nearness > 0.0 and before <= 0.0
                density[j, i] = nearness
                left, right, top, bottom = min(left, i), max(right, i + 1), min(top, j), max(bottom, j + 1)
    return changed, new, (left, top, right, bottom)


@strict
def _columns(boxes, row, columns):
    """The columns, first and after the last, that a box on its way from boxes[0] to boxes[1] covers in a row."""
    first, last = 0.0, 1.0  # the part of the way on which it touches the row, with a margin of one
    for side in range(2):
        sign = 1.0 if side == 0 else -1.0
        begin = sign * (row - boxes[0, 1 + 2 * side]) + 1.0
        end = sign * (row - boxes[1, 1 + 2 * side]) + 1.0
        if begin < 0.0 and end < 0.0:
            return 0, 0
        if begin < 0.0:
            first = max(first, begin / (begin - end))
        if end < 0.0:
            last = min(last, begin / (begin - end))
    if last < first:
        return 0, 0
    left = boxes[0, 0] + (first if boxes[1, 0] > boxes[0, 0] else last) * (boxes[1, 0] - boxes[0, 0])
    right = boxes[0, 2] + (last if boxes[1, 2] > boxes[0, 2] else first) * (boxes[1, 2] - boxes[0, 2])
    return min(max(math.floor(left), 0), columns), min(max(math.ceil(right) + 1, 0), columns)


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
def _end_of_segment(times, centre, ellipsoids, start, first_end):
    """The last time until which the forecast moves straight and grows evenly; start + 1 or later.

    Straight: it leaves the line by less than MAX_DEVIATION radii. Evenly: the mean variance grows or shrinks by no more
    than MAX_GROWTH, and leaves its line by no more than MAX_BEND. A time at or just after first_end is an end.
    """
    end, size, inverse = start + 1, _trace(ellipsoids[start]), _inverse(ellipsoids[start])
    while end + 1 < len(centre):
        step = centre[end + 1] - centre[start]
        squared_step, last_size = _inner(inverse, step, step), _trace(ellipsoids[end + 1])
        fits = size / MAX_GROWTH < last_size < size * MAX_GROWTH and not times[start] < first_end <= times[end]
        for k in range(start + 1, end + 1):
            off = centre[k] - centre[start]
            along = _inner(inverse, step, off)
            across = _inner(inverse, off, off) - along * along / max(squared_step, 1e-12)
            part = min(max(along / max(squared_step, 1e-12), 0.0), 1.0)
            bend = _trace(ellipsoids[k]) / (size + part * (last_size - size))
            fits = fits and across < MAX_DEVIATION**2 and 1.0 / MAX_BEND < bend < MAX_BEND
        if not fits:
            break
        end += 1
    return end


@strict
def _inverse(a):
    """The inverse of a positive matrix (3, 3)."""
    out = np.empty((3, 3))
    for i in range(3):
        for j in range(3):
            m, n, p, q = (i + 1) % 3, (i + 2) % 3, (j + 1) % 3, (j + 2) % 3
            out[j, i] = a[m, p] * a[n, q] - a[m, q] * a[n, p]
    determinant = a[0, 0] * out[0, 0] + a[0, 1] * out[1, 0] + a[0, 2] * out[2, 0]
    return out / max(determinant, 1e-30)


@strict
def _inner(matrix, a, b):
    total = 0.0
    for i in range(3):
        for j in range(3):
            total += a[i] * matrix[i, j] * b[j]
    return total


@inlined_strict
def _trace(a):
    return a[0, 0] + a[1, 1] + a[2, 2]


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
def _bounds(centre, ellipsoid, focal_length, principal_point, spacing, box):
    """Fill the box (left, top, right, bottom) of an ellipsoid in the picture, in grid spacings."""
    reach = 1.01 * math.sqrt(ellipsoid[2, 2])
    for i in range(2):
        low, high = (-1e6, 1e6) if centre[2] + reach > NEAR_PLANE else (0.0, 0.0)  # tan of the angle
        if centre[2] - reach > NEAR_PLANE:  # its tangents x = u z: a u^2 - 2 b u + c = 0
            a, b = centre[2] ** 2 - ellipsoid[2, 2], centre[2] * centre[i] - ellipsoid[i, 2]
            root = math.sqrt(max(b * b - a * (centre[i] ** 2 - ellipsoid[i, i]), 0.0))
            low, high = (b - root) / a, (b + root) / a
        box[i] = (principal_point[i] + focal_length * low) / spacing
        box[2 + i] = (principal_point[i] + focal_length * high) / spacing


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
def _apply(w, x, y, z):
    """W (3, 3), lower triangular, times a vector."""
    return w[0, 0] * x, w[1, 0] * x + w[1, 1] * y, w[2, 0] * x + w[2, 1] * y + w[2, 2] * z


@inlined_strict
def _nearness(ray, near, far, centre, step, sizes):
    """How near a ray comes to an ellipsoid that moves by a step: 1 in its centre, 0 at its rim; and when, from 0 to 1.

    All are tuples, in axes in which the ellipsoid is a sphere of radius 1; near, far: of the ray, in its own length;
    sizes: its squared radii at the start and at the end of the step.
    """
    (r0, r1, r2), (c0, c1, c2), (d0, d1, d2) = ray, centre, step
    rr, rd, dd = r0 * r0 + r1 * r1 + r2 * r2, r0 * d0 + r1 * d1 + r2 * d2, d0 * d0 + d1 * d1 + d2 * d2
    rc, dc = r0 * c0 + r1 * c1 + r2 * c2, d0 * c0 + d1 * c1 + d2 * c2
    bend = max(dd - rd * rd / rr, 1e-9)  # squared distance from the ray = offset + bend (part - closest)^2
    closest = (rd * rc / rr - dc) / bend
    depth = (rc + closest * rd) / rr
    e0, e1, e2 = depth * r0 - closest * d0 - c0, depth * r1 - closest * d1 - c1, depth * r2 - closest * d2 - c2
    offset, largest = e0 * e0 + e1 * e1 + e2 * e2, max(sizes[0], sizes[1])
    if offset > largest or far <= near:
        return (max(1.0 - offset / largest, OUTSIDE) if far > near else OUTSIDE), 0.0
    part = _part(offset, bend, closest, sizes)
    depth = (rc + part * rd) / rr
    if depth < near or depth > far:
        depth, bend = min(max(depth, near), far), max(dd, 1e-9)
        closest = (depth * rd - dc) / bend
        e0, e1, e2 = depth * r0 - closest * d0 - c0, depth * r1 - closest * d1 - c1, depth * r2 - closest * d2 - c2
        offset = e0 * e0 + e1 * e1 + e2 * e2
        part = _part(offset, bend, closest, sizes)
    distance = (offset + bend * (part - closest) ** 2) / (sizes[0] + part * (sizes[1] - sizes[0]))
    return max(1.0 - distance, OUTSIDE), part


@inlined_strict
def _part(offset, bend, closest, sizes):
    """Where in 0 ... 1 (offset + bend (part - closest)^2) / size is smallest; sizes: at 0 and at 1."""
    growth = sizes[1] - sizes[0]
    size, ratio = sizes[0] + closest * growth, offset / bend
    root = math.sqrt(size * size + growth * growth * ratio)
    if size > 0.0:
        part = closest + growth * ratio / (size + root)
    else:
        part = closest + (root - size) / growth
    return min(max(part, 0.0), 1.0)
