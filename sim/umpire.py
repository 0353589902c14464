"""What becomes of a stroke: which zones its ball reaches, and where the next player can meet it.

All positions are those of a player at negative y: a stroke from the other end is mirrored before.
"""

from dataclasses import dataclass

import numpy as np

from ballcast.sim.strokes import Meet, Stroke, Zone

NO_NAMES: frozenset[str] = frozenset()


@dataclass(frozen=True, eq=False)
class BallPath:
    """The path of a stroke as a line through points, its contacts among them."""

    time: np.ndarray  # (N,) s from the stroke
    position: np.ndarray  # (N, 3) m
    contact_time: np.ndarray  # (C,) s
    contact_position: np.ndarray  # (C, 3) m
    contact_surface: tuple[str, ...]  # their names
    landing_time: np.ndarray  # (L,) s, of the contacts with landing surfaces

    def crossings(self, axis: int, at: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Where it crosses the plane axis = at: times (K,) s, positions (K, 3) m, directions (K,) +-1."""
        beyond = self.position[:, axis] > at
        row = np.flatnonzero(beyond[1:] != beyond[:-1])
        a, b = self.position[row], self.position[row + 1]
        fraction = (at - a[:, axis]) / (b[:, axis] - a[:, axis])
        time = self.time[row] + fraction * (self.time[row + 1] - self.time[row])
        return time, a + fraction[:, None] * (b - a), np.where(beyond[row + 1], 1.0, -1.0)


@dataclass(frozen=True, eq=False)
class Verdict:
    """Whether a stroke counts, and when (s from the stroke) and where ((3,) m) that was decided."""

    counts: bool
    time: float
    position: np.ndarray


def judge(stroke: Stroke, zones: tuple[Zone, ...], path: BallPath) -> Verdict:
    """The Verdict on a stroke: it counts if its ball reaches the stroke's zones in their order and nothing before."""
    wanted = list(stroke.zones)
    events = [*_contacts(zones, path), *_passes([z for z in zones if z.name in wanted], path)]
    for time, position, names in sorted(events, key=lambda event: event[0]):
        if wanted[0] not in names:
            return Verdict(False, time, position)
        wanted.pop(0)
        if not wanted:
            return Verdict(True, time, position)
    return Verdict(False, float(path.time[-1]), path.position[-1])


def _contacts(zones, path):
    """(time, position, names of the zones there) of the contacts with surfaces that have zones."""
    for time, position, surface in zip(path.contact_time, path.contact_position, path.contact_surface, strict=True):
        there = [z for z in zones if z.surface == surface]
        if there:
            yield float(time), position, frozenset(z.name for z in there if inside(position, z))


def _passes(zones, path):
    """(time, position, names) of the passes through windows, and of those beside them that are faults."""
    for zone in zones:
        if not zone.surface:
            for time, position, direction in zip(*path.crossings(zone.axis, zone.low[zone.axis]), strict=True):
                if inside(position, zone):
                    yield float(time), position, frozenset((zone.name,))
                elif direction == zone.towards:
                    yield float(time), position, NO_NAMES


def inside(position: np.ndarray, box: Zone | Meet) -> bool:
    """Whether a position (3,) lies in a box, in those axes in which the box is not flat."""
    return all(low == high or low <= x <= high for x, low, high in zip(position, box.low, box.high, strict=True))


def meeting_time(meet: Meet, at: float, path: BallPath, reached: float) -> float | None:
    """When (s from the stroke) a player meets the ball in the plane axis = at; None if he cannot.

    The path is in the frame of that player; `reached` is the time (s) at which the ball reaches the stroke's last zone.
    """
    since, until = 0.0, reached
    if not meet.before:
        later = path.landing_time[path.landing_time > reached + 1e-9]
        few, many = (int(n) for n in meet.bounces)
        if len(later) < few:
            return None
        since = later[few - 1] if few else reached
        until = later[many] if len(later) > many else path.time[-1]
    for time, position, direction in zip(*path.crossings(meet.axis, at), strict=True):
        if since < time < until and direction * meet.towards >= 0 and inside(position, meet):
            return float(time)
    return None
