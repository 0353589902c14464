"""Balls that come to the net: those that touch it, and those that pass within a radius of its top. Which way they go
is a matter of a hair, and one normal law cannot say it.

    suite, cases = net_clips(sport, 300)     # seen until 0.1 to 0.2 s before the net, asked as `horizon` asks

They are chosen by the true flight, of purpose `test`; no predictor is told why.
"""

import numpy as np

from ballcast.evaluation.protocols import HORIZONS, MIN_FRAMES, Cases
from ballcast.evaluation.suites import simulated

LEAD_TIME_RANGE = 0.1, 0.2  # s, from the last frame seen to the net
STEP = 0.002  # s, between the places that are looked at
BATCH = 2000  # balls at once
OVERSAMPLING = 8  # of the balls drawn one in about so many comes to the net late enough


def net_clips(sport, count, seed=0, horizons=HORIZONS):
    """The Suite and `count` Cases, the first of the sport's test set; fewer where fewer balls reach the net."""
    suite = simulated(sport, max(BATCH, OVERSAMPLING * count), seed)
    ends = np.array([track.time[-1] if len(track) else 0.0 for track in suite.tracks])
    when = net_arrival_times(suite, ends)
    before = np.random.default_rng(seed).uniform(*LEAD_TIME_RANGE, len(when))
    histories = {i: suite.tracks[i].until(when[i] - before[i]) for i in np.flatnonzero(when < np.inf)}
    rows = np.array([i for i, track in histories.items() if len(track) >= MIN_FRAMES][:count], int)
    histories = [histories[i] for i in rows]
    times = np.array([track.time[-1] for track in histories])[:, None] + np.asarray(horizons, float)
    sensor_covariance, clear_of_edges = np.zeros((*times.shape, 3, 3)), np.zeros(len(rows), bool)
    return suite, Cases(
        "net_clip", 0.0, rows, histories, times, suite.flight(rows, times).position, clear_of_edges, sensor_covariance
    )


def net_arrival_times(suite, ends):
    """When (B,) each ball first touches the net or passes its top, before `ends` (B,) s; inf where it does not."""
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
