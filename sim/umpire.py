"""What becomes of a stroke: which zones its ball reaches, and where the next player can meet it.

Zones and meeting places are those of a player at negative y; `mirror` is (1, -1, 1) for one at the other end.
"""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter
from typing import TYPE_CHECKING

import numpy as np

from ballcast.sim.strokes import Meet, Stroke, Zone

if TYPE_CHECKING:
    from ballcast.sim.sport import Sport

_time = itemgetter(0)


@dataclass(frozen=True, eq=False)
class BallPath:
    """The path of a stroke: frames, and contacts between them."""

    frame_time: np.ndarray  # (T,) s from the stroke
    frame_position: np.ndarray  # (T, 3) m
    contact_time: np.ndarray  # (C,) s
    contact_position: np.ndarray  # (C, 3) m
    contact_surface: np.ndarray  # (C,) index into sport.surfaces
    is_landing: np.ndarray  # (C,) whether that is a landing surface

    @cached_property
    def _line(self):
        """Times (N,) and positions (N, 3) of frames and contacts, in order."""
        time = np.append(self.frame_time, self.contact_time)
        order = np.argsort(time, kind="stable")
        return time[order], np.append(self.frame_position, self.contact_position, axis=0)[order]

    def crossings(self, axis: int, at: float) -> Iterator[tuple[float, np.ndarray, float]]:
        """Where it crosses the plane axis = at, in order: time (s), position (3,) m, direction +-1."""
        time, position = self._line
        beyond = position[:, axis] > at
        for k in np.flatnonzero(beyond[1:] != beyond[:-1]):
            fraction = (at - position[k, axis]) / (position[k + 1, axis] - position[k, axis])
            where = position[k] + fraction * (position[k + 1] - position[k])
            yield float(time[k] + fraction * (time[k + 1] - time[k])), where, 1.0 if beyond[k + 1] else -1.0


@dataclass(frozen=True, eq=False)
class Verdict:
    """Whether a stroke counts, and when (s from the stroke) and where ((3,) m) that was decided."""

    counts: bool
    time: float
    position: np.ndarray


def judge(stroke: Stroke, sport: "Sport", path: BallPath, mirror: np.ndarray) -> Verdict:
    """The Verdict on a stroke: it counts if its ball reaches the stroke's zones in their order and nothing before.

    mirror (3,) turns positions into those of a player at negative y.
    """
    wanted = list(stroke.zones)
    windows = [zone for zone in sport.zones if zone.name in wanted and not zone.surface]
    passes = (_passes(window, path, mirror) for window in windows)
    for time, position, names in heapq.merge(_contacts(sport, path, mirror), *passes, key=_time):
        if wanted[0] not in names:
            return Verdict(False, time, position)
        wanted.pop(0)
        if not wanted:
            return Verdict(True, time, position)
    return Verdict(False, float(path.frame_time[-1]), path.frame_position[-1])


def _contacts(sport, path, mirror):
    """(time, position, names of the zones there) of the contacts with surfaces that have zones, in order."""
    zones_of = [[z for z in sport.zones if z.surface == surface.name] for surface in sport.surfaces]
    for k, surface in enumerate(path.contact_surface):
        if zones := zones_of[surface]:
            position = path.contact_position[k]
            yield float(path.contact_time[k]), position, [z.name for z in zones if inside(position * mirror, z)]


def _passes(zone, path, mirror):
    """(time, position, [its name]) of the passes through a window, and (time, position, []) of faults beside it."""
    turn = mirror[zone.axis]
    for time, position, direction in path.crossings(zone.axis, turn * zone.low[zone.axis]):
        if inside(position * mirror, zone):
            yield time, position, [zone.name]
        elif direction * turn == zone.towards:
            yield time, position, []


def inside(position: np.ndarray, box: Zone | Meet) -> bool:
    """Whether a position (3,) lies in a box, in those axes in which the box is not flat."""
    (x, y, z), (a, b, c), (d, e, f) = position, box.low, box.high
    return (a <= x <= d or a == d) and (b <= y <= e or b == e) and (c <= z <= f or c == f)


def meeting_time(meet: Meet, at: float, path: BallPath, mirror: np.ndarray, reached: float) -> float | None:
    """When (s from the stroke) a player meets the ball in the plane axis = at; None if it does not come there.

    mirror (3,) turns positions into those of a player at negative y; `reached`: when (s) its last zone is reached.
    """
    since, until = 0.0, reached
    if not meet.before:
        later = path.contact_time[path.is_landing & (path.contact_time > reached + 1e-9)]
        few, many = (int(n) for n in meet.bounces)
        if len(later) < few:
            return None
        since = later[few - 1] if few else reached
        until = later[many] if len(later) > many else path.frame_time[-1]
    turn = mirror[meet.axis]
    for time, position, direction in path.crossings(meet.axis, turn * at):
        if since < time < until and direction * turn * meet.towards >= 0 and inside(position * mirror, meet):
            return time
    return None
