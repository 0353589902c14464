"""Where a ball can be: the planes and level boards of a sport that bound it, and where the drawn line of a path ends.

Planes bound the place on one side (a floor, walls). Boards (a table) are passed neither from above nor from below.
Nets, rings and bars are left out: a ball passes beside them.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ballcast.render.scene import Scene
from ballcast.sim.jit import strict

if TYPE_CHECKING:
    from ballcast.sim.sport import Surface

BARRIER = np.dtype([("axis", "i8"), ("offset", "f8"), ("inward", "f8"), ("low", "f8", 3), ("high", "f8", 3)])
REST_DISTANCE, REST_TIME = 0.01, 0.1  # m from its last position, and s there, of a ball at rest
PASSED = 0.5  # m behind a surface: a path that gets there has passed it
PASSING_SPEED = 0.2  # m/s into a surface: a path that keeps this to its end passes it
CONTACT_HEIGHT = 0.3  # radii above the ground at which a ball that comes down outside the place has reached it
MIN_FALL = 0.02  # radii by which it comes down in one step; else it rolls
NO_LANDING = np.full(4, np.nan)
GOES_ON, RESTS, ENDS_ON_FLOOR, PASSES_BARRIER, FALLS = range(5)  # why a line ends where it ends


class Place:
    """What bounds the balls of a sport.

    barriers  (S,) BARRIER: `inward` 1 or -1 is the free side of a plane, 0 of a board
    ground    m, the height of the floor; -inf without one
    bounds    (2, 2) m: on the floor outside these, across and along, a ball has left the place
    """

    def __init__(self, surfaces: Sequence["Surface"], scene: Scene, radius: float, gravity: float):
        """The place of a sport's surfaces, for a ball of a radius in m; gravity in m/s2."""
        level = [s for s in surfaces if s.supports]
        boards = [s for s in level if s.kind == "rectangle"]
        planes = [s for s in surfaces if s.kind == "plane"]
        rows = [_barrier(s, _inward(s, surfaces)) for s in planes] + [_barrier(s, 0.0) for s in boards]
        self.barriers = np.array(rows, BARRIER)
        self.ground = min((s.high[2] for s in level if s.kind == "plane"), default=-np.inf)
        self.bounds = np.full((2, 2), np.nan) if boards else np.stack([scene.low, scene.high])
        self.radius, self.gravity = float(radius), float(gravity)

    def drawn_path(
        self, times: np.ndarray, path: np.ndarray, landing: Any = None
    ) -> tuple[np.ndarray, np.ndarray, int]:
        """The line that is drawn of a path (H, 3) m at times (H,) s: times (N,), positions (N, 3), and why it ends.

        It ends at rest; on the floor, for a ball that has left the place; before a plane or board that it would pass.
        A path that ends in the air falls freely from there, to its landing (with a time and a position) if that is
        later. Returns new arrays.
        """
        times, path = np.array(times, float), np.array(path, float, order="C")
        if len(path) < 2:
            return times, path, GOES_ON
        end = NO_LANDING if landing is None else np.array([landing.time, *landing.position], float)
        place = self.barriers, self.ground, self.bounds, self.radius, self.gravity
        out_times, out, count, reason = _drawn_path(times, path, end, *place)
        return out_times[:count], out[:count], reason

    def ray_end(self, origin: np.ndarray, direction: np.ndarray, farthest: float) -> np.ndarray:
        """Where a ray from a point (3,) m in a unit direction (3,) meets the first barrier, or is `farthest` m long."""
        end = farthest
        for barrier in self.barriers:
            axis, low, high = barrier["axis"], barrier["low"], barrier["high"]
            rate = direction[axis]
            distance = (barrier["offset"] - origin[axis]) / rate if abs(rate) > 1e-9 else -1.0
            across = np.delete(origin + distance * direction - np.stack([low, high]), axis, axis=1)
            is_met = barrier["inward"] != 0.0 or bool((across[0] >= 0.0).all() and (across[1] <= 0.0).all())
            end = distance if is_met and 0.0 < distance < end else end
        return origin + end * direction


def _inward(plane, surfaces):
    """On which side of a plane the place is: the side of the other surfaces' middle."""
    axis = int(np.flatnonzero(np.equal(plane.low, plane.high))[0])
    ends = [end for s in surfaces for end in (s.low[axis], s.high[axis]) if np.isfinite(end)]
    return 1.0 if plane.low[axis] <= np.mean(ends) else -1.0


def _barrier(surface, inward):
    axis = int(np.flatnonzero(np.equal(surface.low, surface.high))[0])
    return axis, surface.low[axis], inward, surface.low, surface.high


@strict
def _drawn_path(times, path, landing, barriers, ground, bounds, radius, gravity):
    """drawn_path() as arrays of 2 H rows, their count, and the reason."""
    last = len(path) - 1
    out_times, out = np.empty(2 * last + 2), np.empty((2 * last + 2, 3))
    end, reason = last, GOES_ON
    while end > 0 and _squared_distance(path[end - 1], path[last]) < REST_DISTANCE**2:
        end -= 1
    if times[last] - times[end] >= REST_TIME:
        reason = RESTS
    else:
        end = last
    out_times[: end + 1], out[: end + 1] = times[: end + 1], path[: end + 1]
    for k in range(1, end + 1):
        steps, cause = _steps_to_barrier(path, k, times[k] - times[k - 1], barriers, radius), PASSES_BARRIER
        if math.isnan(steps):
            steps, cause = _steps_to_floor(path, k, barriers, ground + radius, bounds, radius), ENDS_ON_FLOOR
        if not math.isnan(steps):
            end, reason = (k, cause) if steps <= 1.0 else (k + 1, cause)
            out_times[end] = times[k - 1] + steps * (times[k] - times[k - 1])
            for i in range(3):
                out[end, i] = path[k - 1, i] + steps * (path[k, i] - path[k - 1, i])
            if cause == ENDS_ON_FLOOR:
                out[end, 2] = ground + radius
            break
    if reason == GOES_ON and path[last, 2] > ground + (1.0 + CONTACT_HEIGHT) * radius:
        end = _fall(out_times, out, last, landing, barriers, radius, gravity)
        reason = FALLS if end > last else GOES_ON
    return out_times, out, end + 1, reason


@strict
def _fall(times, path, end, landing, barriers, radius, gravity):
    """Continue a path that ends in the air as free fall, to its landing (t, x, y, z) or the first barrier.

    Returns its new last row. A path that meets nothing in the rows there are stays as it is.
    """
    dt, velocity = times[end] - times[end - 1], np.empty(3)
    remaining = landing[0] - times[end]
    to_landing = remaining > 0.0  # False without one: NaN
    for i in range(3):
        velocity[i] = (path[end, i] - path[end - 1, i]) / dt
        if to_landing:
            velocity[i] = (landing[1 + i] - path[end, i]) / remaining
    velocity[2] += 0.5 * gravity * (remaining if to_landing else -dt)
    for k in range(end + 1, len(path)):
        passed = (k - end) * dt
        if to_landing and passed >= remaining:
            times[k] = landing[0]
            path[k] = landing[1:]
            return k
        times[k] = times[end] + passed
        for i in range(3):
            path[k, i] = path[end, i] + passed * velocity[i]
        path[k, 2] -= 0.5 * gravity * passed**2
        steps = _steps_to_contact(path[: k + 1], k, barriers, radius)
        if not math.isnan(steps):
            times[k] = times[k - 1] + steps * dt
            for i in range(3):
                path[k, i] = path[k - 1, i] + steps * (path[k, i] - path[k - 1, i])
            return k
    return end


@strict
def _squared_distance(a, b):
    return (a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2 + (a[2] - b[2]) ** 2


@strict
def _steps_to_barrier(path, k, dt, barriers, radius):
    """After which part of the step to point k the path touches a barrier that it then passes; NaN if it passes none.

    It passes one if it goes on into it, without a bounce. The frame of a tracker may be tilted, so that bounces are
    some way behind a barrier.
    """
    for n in range(len(barriers)):
        steps, side = _touch(path, k, barriers[n], radius)
        if not math.isnan(steps):
            axis, goes_on = barriers[n]["axis"], True
            for m in range(k, len(path)):
                gap = side * (path[m, axis] - barriers[n]["offset"]) - radius
                goes_on = goes_on and side * (path[m, axis] - path[m - 1, axis]) < -PASSING_SPEED * dt
                if gap < -PASSED or gap >= 0.0:
                    break
            if gap < -PASSED or goes_on:
                return steps
    return math.nan


@strict
def _steps_to_contact(path, k, barriers, radius):
    """After which part of the step to point k the path touches a barrier; NaN if it touches none."""
    first = np.inf
    for n in range(len(barriers)):
        steps, _ = _touch(path, k, barriers[n], radius)
        if steps < first:
            first = steps
    return first if first < np.inf else math.nan


@strict
def _touch(path, k, barrier, radius):
    """After which part of the step to point k the path is a radius from a barrier, or NaN; and the free side."""
    axis, offset, side = barrier["axis"], barrier["offset"], barrier["inward"]
    if side == 0.0:
        side = 1.0 if path[k - 1, axis] >= offset else -1.0
    before, after = side * (path[k - 1, axis] - offset) - radius, side * (path[k, axis] - offset) - radius
    if after >= 0.0 or (before < 0.0 and k > 1):
        return math.nan, side
    steps = max(before, 0.0) / (max(before, 0.0) - after)
    if barrier["inward"] == 0.0 and not _is_over(path, k, steps, barrier, radius):
        return math.nan, side
    return steps, side


@strict
def _is_over(path, k, steps, board, margin):
    """Whether the path lies over or under a board, a margin within its edges, after a part of the step to point k."""
    for i in range(2):
        at = path[k - 1, i] + steps * (path[k, i] - path[k - 1, i])
        if not board["low"][i] + margin <= at <= board["high"][i] - margin:
            return False
    return True


@strict
def _steps_to_floor(path, k, barriers, contact, bounds, radius):
    """After how many steps from point k - 1 a ball outside the place meets the floor, up to 2; NaN if it does not."""
    x, y, z = path[k, 0], path[k, 1], path[k, 2]
    for n in range(len(barriers)):
        is_over_board = barriers[n]["inward"] == 0.0 and z > barriers[n]["offset"]
        if is_over_board and _is_over(path, k, 1.0, barriers[n], 0.0):
            return math.nan
    if bounds[0, 0] <= x <= bounds[1, 0] and bounds[0, 1] <= y <= bounds[1, 1]:
        return math.nan
    fall = path[k - 1, 2] - z
    if z - contact < CONTACT_HEIGHT * radius and fall > MIN_FALL * radius:
        return 1.0
    if fall > 0.0 and k + 1 < len(path) and path[k + 1, 2] > z:  # it bounces between two points
        return 1.0 + min((z - contact) / fall, 1.0)
    return math.nan
