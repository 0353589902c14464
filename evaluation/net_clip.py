"""Balls that reach the net: those that touch it, and those that pass within a radius of its top. A millimetre decides
where they go, so a single normal distribution does not describe their future.

They are selected from the test set by their true flight, which predictors do not know.
"""

from collections.abc import Sequence

import numpy as np

from ballcast import sim
from ballcast.evaluation.protocols import HORIZONS, MIN_FRAMES, Cases
from ballcast.evaluation.suites import Suite, simulated

LEAD_TIME_RANGE = 0.1, 0.2  # s, from the last frame to the net
STEP = 0.002  # s, between the positions that are checked
MIN_DRAWN = 2000  # balls
OVERSAMPLING = 8  # balls drawn per ball wanted: about one in 8 reaches the net late enough


def net_clips(sport: sim.Sport, count: int, seed: int = 0, horizons: Sequence = HORIZONS) -> tuple[Suite, Cases]:
    """The Suite and its first `count` Cases; fewer if fewer balls reach the net."""
    suite = simulated(sport, max(MIN_DRAWN, OVERSAMPLING * count), seed)
    ends = np.array([track.time[-1] if len(track) else 0.0 for track in suite.tracks])
    when = net_arrival_times(suite, ends)
    before = np.random.default_rng(seed).uniform(*LEAD_TIME_RANGE, len(when))
    histories = {i: suite.tracks[i].until(when[i] - before[i]) for i in np.flatnonzero(when < np.inf)}
    rows = np.array([i for i, track in histories.items() if len(track) >= MIN_FRAMES][:count], int)
    histories = [histories[i] for i in rows]
    times = np.array([track.time[-1] for track in histories])[:, None] + np.asarray(horizons, float)
    truth, clear_of_edges = suite.flight(rows, times).position, np.zeros(len(rows), bool)
    sensor_covariance = np.zeros((*times.shape, 3, 3))
    return suite, Cases("net_clip", 0.0, rows, histories, times, truth, clear_of_edges, sensor_covariance)


def net_arrival_times(suite: Suite, ends: np.ndarray) -> np.ndarray:
    """Time (B,) s at which each ball first touches the net or passes its top, before `ends` (B,) s; else inf."""
    times = np.arange(1, int(ends.max() / STEP) + 1) * STEP
    flight = suite.flight(np.arange(len(ends)), np.broadcast_to(times, (len(ends), len(times))))
    (net,) = (k for k, surface in enumerate(suite.sport.surfaces) if surface.name == "net")
    when, hits = np.full(len(ends), np.inf), flight.impacts
    np.minimum.at(when, hits.ball[hits.surface == net], hits.time[hits.surface == net])
    low, high = (np.array(getattr(suite.sport.surfaces[net], end)) for end in ("low", "high"))
    gap = np.linalg.norm(flight.position - np.clip(flight.position, low, high), axis=2) - suite.sport.ball.radius
    close = (gap < suite.sport.ball.radius) & (flight.position[..., 2] > high[2])
    passes = np.where(close.any(axis=1), times[close.argmax(axis=1)], np.inf)
    when = np.minimum(when, passes)
    return np.where(when < ends, when, np.inf)
