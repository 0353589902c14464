"""Where a ball can be: the planes and level boards of a sport that bound it, and where the drawn line of a path ends.

Planes bound the place on one side (a floor, walls). Boards (a table) are passed neither from above nor from below.
Nets, rings and bars are left out: a ball passes beside them.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ballcast.render.scene import Scene
from ballcast.sim.jit import strict

if TYPE_CHECKING:
    from ballcast.sim.sport import Surface

BARRIER = np.dtype([("axis", "i8"), ("offset", "f8"), ("inward", "f8"), ("low", "f8", 3), ("high", "f8", 3)])
REST_DISTANCE, REST_TIME = 0.01, 0.1  # m from its last position, and s there, of a ball at rest
PASSED = 2.0  # radii: a path whose centre is this far within a barrier has passed it; bounces are rounded off by less
CONTACT_HEIGHT = 0.3  # radii above the ground at which a ball outside the place counts as on it
GOES_ON, RESTS, ENDS_ON_FLOOR, PASSES_BARRIER = range(4)


class Place:
    """What bounds the balls of a sport.

    barriers  (S,) BARRIER: `inward` 1 or -1 is the free side of a plane, 0 of a board
    ground    m, the height of the floor; -inf without one
    bounds    (2, 2) m: on the floor outside these, across and along, a ball has left the place
    """

    def __init__(self, surfaces: Sequence["Surface"], scene: Scene, radius: float):
        """The place of a sport's surfaces, for a ball of a radius in m."""
        level = [s for s in surfaces if s.supports]
        boards = [s for s in level if s.kind == "rectangle"]
        planes = [s for s in surfaces if s.kind == "plane"]
        rows = [_barrier(s, _inward(s, surfaces)) for s in planes] + [_barrier(s, 0.0) for s in boards]
        self.barriers = np.array(rows, BARRIER)
        self.ground = min((s.high[2] for s in level if s.kind == "plane"), default=-np.inf)
        self.bounds = np.full((2, 2), np.nan) if boards else np.stack([scene.low, scene.high])
        self.radius = float(radius)

    def drawn_path(self, times: np.ndarray, path: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
        """The part of a path (H, 3) m at times (H,) s that is drawn: times (N,), positions (N, 3), and why it ends.

        It ends at rest; on the floor, for a ball that has left the place; before a plane or board that it would pass.
        """
        times, path = np.ascontiguousarray(times, float), np.ascontiguousarray(path, float)
        if len(path) < 2:
            return times, path, GOES_ON
        place = self.barriers, self.ground, self.bounds, self.radius
        out_times, out, count, reason = _drawn_path(times, path, *place)
        return out_times[:count], out[:count], reason


def _inward(plane, surfaces):
    """On which side of a plane the place is: the side of the other surfaces' middle."""
    axis = int(np.flatnonzero(np.equal(plane.low, plane.high))[0])
    ends = [end for s in surfaces for end in (s.low[axis], s.high[axis]) if np.isfinite(end)]
    return 1.0 if plane.low[axis] <= np.mean(ends) else -1.0


def _barrier(surface, inward):
    axis = int(np.flatnonzero(np.equal(surface.low, surface.high))[0])
    return axis, surface.low[axis], inward, surface.low, surface.high


@strict
def _drawn_path(times, path, barriers, ground, bounds, radius):
    """drawn_path() as arrays of (H + 1) rows, their count, and the reason."""
    last = len(path) - 1
    out_times, out = np.empty(last + 2), np.empty((last + 2, 3))
    end, reason = last, GOES_ON
    while end > 0 and _squared_distance(path[end - 1], path[last]) < REST_DISTANCE**2:
        end -= 1
    if times[last] - times[end] >= REST_TIME:
        reason = RESTS
    else:
        end = last
    out_times[: end + 1], out[: end + 1] = times[: end + 1], path[: end + 1]
    for k in range(1, end + 1):
        steps, cause = _steps_to_barrier(path, k, barriers, radius), PASSES_BARRIER
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
    return out_times, out, end + 1, reason


@strict
def _squared_distance(a, b):
    return (a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2 + (a[2] - b[2]) ** 2


@strict
def _steps_to_barrier(path, k, barriers, radius):
    """After which part of the step to point k the path touches a barrier that it then passes; NaN if it passes none."""
    for n in range(len(barriers)):
        axis, offset, side = barriers[n]["axis"], barriers[n]["offset"], barriers[n]["inward"]
        if side == 0.0:
            side = 1.0 if path[k - 1, axis] >= offset else -1.0
        before, after = side * (path[k - 1, axis] - offset) - radius, side * (path[k, axis] - offset) - radius
        if after >= 0.0 or (before < 0.0 and k > 1):
            continue
        steps = max(before, 0.0) / (max(before, 0.0) - after)
        if barriers[n]["inward"] == 0.0 and not _is_over(path, k, steps, barriers[n]["low"], barriers[n]["high"]):
            continue
        for m in range(k, len(path)):
            gap = side * (path[m, axis] - offset) - radius
            if gap < -PASSED * radius:
                return steps
            if gap >= 0.0:
                break
    return math.nan


@strict
def _is_over(path, k, steps, low, high):
    """Whether the path lies within a level rectangle, seen from above, after a part of the step to point k."""
    x = path[k - 1, 0] + steps * (path[k, 0] - path[k - 1, 0])
    y = path[k - 1, 1] + steps * (path[k, 1] - path[k - 1, 1])
    return low[0] <= x <= high[0] and low[1] <= y <= high[1]


@strict
def _steps_to_floor(path, k, barriers, contact, bounds, radius):
    """After how many steps from point k - 1 a ball outside the place meets the floor, up to 2; NaN if it does not."""
    x, y, z = path[k, 0], path[k, 1], path[k, 2]
    for n in range(len(barriers)):
        is_over_board = barriers[n]["inward"] == 0.0 and z > barriers[n]["offset"]
        if is_over_board and _is_over(path, k, 1.0, barriers[n]["low"], barriers[n]["high"]):
            return math.nan
    if bounds[0, 0] <= x <= bounds[1, 0] and bounds[0, 1] <= y <= bounds[1, 1]:
        return math.nan
    if z - contact < CONTACT_HEIGHT * radius:
        return 1.0
    fall = path[k - 1, 2] - z
    if fall > 0.0 and k + 1 < len(path) and path[k + 1, 2] > z:  # it bounces between two points
        return 1.0 + min((z - contact) / fall, 1.0)
    return math.nan
