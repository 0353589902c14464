"""Neighbouring frames that err alike say less than as many frames that err each by itself. Compiled.

A tracker's error lasts for some frames where the same cameras see the ball. The filter takes the noise of its frames
for white; so each frame's noise has to count more, by the factor by which the variance of a mean of such frames is
larger than that of white ones. The factor is measured on the innovations: the variance of their running average, over
the one that white noise gives.
"""

import math
from typing import TYPE_CHECKING

import numpy as np

from ballcast.sim.jit import inlined, kernel
from ballcast.sim.sensor import MAX_CAMERAS

if TYPE_CHECKING:  # an import would make every edit of sport.py compile this module anew
    from ballcast.sim.sport import Sensor

DECAY = 0.25  # of the running average: a mean of about 7 frames
WHITE = DECAY / (2.0 - DECAY)  # variance of that average of white noise of variance 1
PSEUDO_FRAMES = 12.0  # that the sport's own sensors count for
MAX_FACTOR = 12.0
MAX_ERROR = 3.5  # standard deviations: a larger one is an outlier's, or the ball was hit: it does not count
GRID = np.linspace(0.05, 0.95, 10)  # of the distributions of a sport's sensors


def usual_factor(sensor: "Sensor") -> float:
    """The factor of the trackers of a sport, in the mean over them."""
    drift = sensor.drift
    ratio = drift.ratio[0] * (drift.ratio[1] / drift.ratio[0]) ** GRID[:, None]
    time = drift.time[0] * (drift.time[1] / drift.time[0]) ** GRID
    one, *more = (factor_of(ratio, time, sensor.rate, cameras).mean() for cameras in range(1, MAX_CAMERAS + 1))
    return float(1.0 + drift.share * ((1.0 - drift.turns) * one + drift.turns * np.mean(more) - 1.0))


def factor_of(ratio: np.ndarray, time: np.ndarray | float, rate: float, cameras: float = 1.0) -> np.ndarray:
    """The factor of a tracker of `rate` Hz whose errors last for `time` s; ratio: of their size over the noise's.

    cameras: so many take turns, each with errors of its own.
    """
    kept = ((1.0 - DECAY) * np.exp(-1.0 / (rate * time))) ** cameras
    share = ratio**2 / (1.0 + ratio**2)
    return 1.0 - share + share * (1.0 + kept) / (1.0 - kept)


@inlined
def reset_errors(state, factor):
    """Forget the errors; the factor is the sport's."""
    state.error_average[:], state.error_sums[:] = 0.0, 0.0
    state.noise_factor = factor


@inlined
def note_errors(state, factor, max_factor):
    """Update noise_factor by the innovation of a frame; `factor` is the sport's."""
    e, sd = state.innovation, state.innovation_sd
    _add_error((e[0] / sd[0], e[1] / sd[1], e[2] / sd[2]), state.error_average, state.error_sums)
    state.noise_factor = _factor(state.error_sums, factor, max_factor)


@kernel
def factor_of_residuals(trajectory, y, noise, factor):
    """The factor of frames y (T, 3) m beside a flight (T, 6), position and velocity; `factor` is what is expected.

    noise: variances of the axes (m2) and of the time stamps (s2).
    """
    average, sums, error = np.zeros(4), np.zeros(2), np.empty(3)
    for n in range(len(y)):
        for k in range(3):
            variance = noise[k] + noise[3] * trajectory[n, 3 + k] ** 2
            error[k] = (y[n, k] - trajectory[n, k]) / math.sqrt(variance)
        _add_error((error[0], error[1], error[2]), average, sums)
    return _factor(sums, factor, MAX_FACTOR)


@inlined
def _add_error(error, average, sums):
    """Take the error of a frame into the running average, (3,) and the variance that white noise gives it, and sums."""
    x, y, z = error
    if not max(abs(x), abs(y), abs(z)) < MAX_ERROR:
        return
    average[3] += DECAY * (DECAY - (2.0 - DECAY) * average[3])
    average[0] += DECAY * (x - average[0])
    average[1] += DECAY * (y - average[1])
    average[2] += DECAY * (z - average[2])
    sums[0] += average[0] * average[0] + average[1] * average[1] + average[2] * average[2]
    sums[1] += average[3] * (x * x + y * y + z * z)


@inlined
def _factor(sums, factor, max_factor):
    """The factor by these sums, and by what is expected."""
    pseudo = 3.0 * WHITE * PSEUDO_FRAMES
    return min(max((pseudo * factor + sums[0]) / (pseudo + sums[1]), 1.0), max_factor)
