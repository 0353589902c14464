"""Launches of a sport's strokes, without the rallies that they are part of: how balls are in play, many at once.

launches, counts = stroke_launches(sport, 4000, seed)     # (N, LAUNCH_SIZE), (N,) bool

A rally looks for a stroke that the next player reaches, one after the other. Here each stroke begins anywhere in the
box in which its player meets the ball, and is drawn alone; `counts` says which of them reach their zones.
"""

from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np

from ballcast.sim import engine, rng
from ballcast.sim.dataset import draw_launches
from ballcast.sim.kernels.layout import DRAG, LAUNCH_SIZE, POSITION, SPIN, VELOCITY
from ballcast.sim.launch import NUMBER, draw_launch, launch_records
from ballcast.sim.shooting import FRAME_TIME, MIRROR, NOT_MIRRORED, SPIN_MIRROR
from ballcast.sim.strokes import Stroke
from ballcast.sim.umpire import BallPath, judge

if TYPE_CHECKING:
    from ballcast.sim.sport import Sport

PURPOSE = 1001  # beside rng.PURPOSES and that of rallies: no rally has these strokes


def stroke_launches(sport: "Sport", count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Launches (N, LAUNCH_SIZE) of strokes, N about `count`, and which of them (N,) reach their zones.

    Each role has the same share of them, and within it each stroke by its weight; where play begins from both ends,
    half are of a player at either end. Empty for a sport without strokes.
    """
    strokes = [stroke for stroke in sport.strokes if not stroke.holds]
    if not strokes:
        return np.empty((0, LAUNCH_SIZE)), np.empty(0, bool)
    stream = np.empty(4, np.uint64)
    rng.seed_stream(stream, PURPOSE, seed, 0)
    parts, counts, drawn = [], [], draw_launches(sport, count, seed)[:, DRAG:]
    for stroke, share in zip(strokes, _shares(strokes), strict=True):
        launches = _drawn(stroke, max(round(share * count), 1), stream, float(sport.world.gravity))
        launches[:, DRAG:] = np.resize(drawn, (len(launches), drawn.shape[1]))
        mirrored = (np.arange(len(launches)) % 2 == 1) & has_two_ends(sport)
        to_other_end(launches[1::2] if has_two_ends(sport) else launches[:0])
        parts.append(launches)
        counts.append(_counts(sport, stroke, launches, mirrored))
    return np.concatenate(parts), np.concatenate(counts)


def has_two_ends(sport: "Sport") -> bool:
    """Whether play begins from both ends."""
    return any(stroke.launch.mirror > 0.0 for stroke in sport.strokes)


def to_other_end(launches: np.ndarray) -> None:
    """Turn launches (N, LAUNCH_SIZE) into those of a player at the other end, in place."""
    launches[:, POSITION] *= MIRROR
    launches[:, VELOCITY] *= MIRROR
    launches[:, SPIN] *= SPIN_MIRROR


def _shares(strokes: list[Stroke]) -> np.ndarray:
    """The share (S,) of each stroke."""
    weights = np.array([stroke.weight for stroke in strokes])
    roles = [stroke.role for stroke in strokes]
    totals = np.array([weights[[other == role for other in roles]].sum() for role in roles])
    return weights / totals / len(set(roles))


def _drawn(stroke, count, stream, gravity):
    """`count` launches of a stroke by a player at negative y, (N, LAUNCH_SIZE); without their parameters."""
    record, launches = launch_records(SimpleNamespace(launches=(stroke.launch,))), np.empty((count, LAUNCH_SIZE))
    record[0]["mirror"] = 0.0
    distributions, meet = record[0]["distributions"], stroke.meet
    for launch in launches:
        for axis in range(3) if meet is not None else ():
            if axis != meet.axis:
                low, high = meet.low[axis], meet.high[axis]
                distributions[axis] = (NUMBER, low + (high - low) * rng.uniform(stream), 0.0, 0.0, 0.0)
        draw_launch(stream, record, gravity, launch)
    return launches


def _counts(sport, stroke, launches, mirrored):
    """Which launches (N, LAUNCH_SIZE) reach the zones of their stroke, (N,)."""
    times = np.arange(0.0, sport.sensor.duration, FRAME_TIME)
    flight = engine.simulate(
        sport, launches[:, POSITION], launches[:, VELOCITY], launches[:, SPIN], times, launches[:, DRAG:]
    )
    impacts = flight.impacts
    assert impacts is not None
    is_landing = np.isin(impacts.surface, sport.landing_surfaces)
    ends = np.searchsorted(impacts.ball, np.arange(len(launches) + 1))
    counts = np.empty(len(launches), bool)
    for b in range(len(launches)):
        rows = slice(ends[b], ends[b + 1])
        contacts = impacts.time[rows], impacts.position[rows], impacts.surface[rows], is_landing[rows]
        path = BallPath(times, flight.position[b], *contacts)
        counts[b] = judge(stroke, sport, path, MIRROR if mirrored[b] else NOT_MIRRORED).counts
    return counts
