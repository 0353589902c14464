"""Balls of the test set, and how far off a predictor is on them: what the lessons ask of networks.

balls = some(300)                              # evaluation's Suite
off = errors(models.load("gru"), seen, times, truth)      # m
"""

import numpy as np

from ballcast import models, sim
from ballcast.evaluation.metrics import distance
from ballcast.evaluation.suites import simulated
from ballcast.tracks import Track

SPORT = "table_tennis"
NOISE, RATE = 0.002, 180.0  # m and frames/s, where a lesson sees a ball of its own


def test_balls(count, seed=0):
    """A Suite of so many balls."""
    return simulated(sim.load(SPORT), count, seed)


def networks(*names):
    """name -> predictor."""
    return {name: models.load(name, SPORT) for name in names}


def errors(predictor, histories, times, truth):
    """Distances (B, H) m of its forecasts from the truth (B, H, 3) at times (B, H) s, of Tracks seen."""
    return distance(np.array([forecast.mean for forecast in predictor.forecast_batch(histories, times)]), truth)


def last_frames(track, frames):
    """The last so many frames of a Track."""
    return Track(track.time[-frames:], track.position[-frames:])


def interval(errors, seed=0):
    """Half the width of the 95 % interval of the median of errors (B,), by resampling balls."""
    picks = np.random.default_rng(seed).integers(0, len(errors), (1000, len(errors)))
    low, high = np.quantile(np.median(errors[picks], axis=1), (0.025, 0.975))
    return (high - low) / 2
