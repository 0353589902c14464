"""Balls of the test set, and the errors of predictors on them, for all lessons."""

import numpy as np
import torch

from ballcast import models, sim
from ballcast.evaluation.metrics import distance
from ballcast.evaluation.suites import simulated
from ballcast.models.nets.network import Network, NetworkShape
from ballcast.models.registry import weights_path
from ballcast.models.runtime.weights import read

SPORT = "table_tennis"
NOISE, RATE = 0.002, 180.0  # m, frames/s: of the balls that a lesson simulates itself


def test_balls(count, seed=0):
    """The Suite of the first `count` balls of the test set."""
    return simulated(sim.load(SPORT), count, seed)


def networks(*names):
    return {name: models.load(name, SPORT) for name in names}


def trained(name="gru"):
    """The Network of a predictor that ships, for torch."""
    info, parts = read(weights_path(name, sim.load(SPORT)))
    network = Network(NetworkShape(**info["shape"]))
    network.load_state_dict({key: torch.from_numpy(part) for key, part in parts.items()})
    return network


def errors(predictor, histories, times, truth):
    """Distances (B, H) m of a predictor's forecasts from the truth (B, H, 3) m at times (B, H) s."""
    return distance(np.array([forecast.mean for forecast in predictor.forecast_batch(histories, times)]), truth)


def make_cases(count, frames, *lead_times):
    """(histories, times (B, H) s, truth (B, H, 3) m): the first `frames` frames of each test ball that has as many."""
    suite = test_balls(count)
    rows = np.array([i for i, track in enumerate(suite.tracks) if len(track) >= frames])
    histories = [suite.tracks[i][:frames] for i in rows]
    times = np.array([track.time[-1] for track in histories])[:, None] + np.array(lead_times)
    return histories, times, suite.flight(rows, times).position


def interval(errors, seed=0):
    """Half the width of the 95 % bootstrap interval of the median of errors (B,)."""
    picks = np.random.default_rng(seed).integers(0, len(errors), (1000, len(errors)))
    low, high = np.quantile(np.median(errors[picks], axis=1), (0.025, 0.975))
    return (high - low) / 2
