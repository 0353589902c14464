"""From a network's outputs to positions, covariances and landings. Compiled.

A Gaussian of D numbers is output as mean, log-scales and regressions (models/nets/losses.py): its deviation is A z with
z standard normal.
"""

import math

import numpy as np

from ballcast.models.encoding.nominal import HORIZON_STEP, HORIZONS, free_flight_sd
from ballcast.models.estimation.unknowns import UNKNOWNS
from ballcast.sim.jit import kernel

PATH_OUTPUTS, LANDING_OUTPUTS = 9, 15  # of one horizon; of the landing
MIN_LOG_SCALE, MAX_LOG_SCALE = -7.0, 7.0  # of log-scales


@kernel
def regression_factor(scales, regressions):
    """The matrix A (D, D), lower, of log-scales (D,) and regressions (D (D - 1) / 2,)."""
    size, n = len(scales), 0
    factor = np.zeros((size, size))
    for i in range(size):
        for j in range(i):
            for k in range(j + 1):
                factor[i, k] += regressions[n] * factor[j, k]
            n += 1
        factor[i, i] = math.exp(min(max(scales[i], MIN_LOG_SCALE), MAX_LOG_SCALE))
    return factor


@kernel
def active_outputs(outputs, active_unknowns):
    """Means (D,), log-scales (D,) and regressions (D (D - 1) / 2,) of the active unknowns, of a belief head's outputs,
    which are of all 16: regressions on unknowns that do not vary are left out."""
    size, n = len(active_unknowns), 0
    mean, scales, regressions = np.empty(size), np.empty(size), np.empty(size * (size - 1) // 2)
    for i in range(size):
        k = active_unknowns[i]
        mean[i], scales[i] = outputs[k], outputs[UNKNOWNS + k]
        for j in range(i):
            regressions[n] = outputs[2 * UNKNOWNS + k * (k - 1) // 2 + active_unknowns[j]]
            n += 1
    return mean, scales, regressions


@kernel
def decode_path(outputs, mean, scale, variance_factor, variances, times, positions):
    """(mean (H, 3) m, covariance (H, 3, 3) m2) at times (H,) s, where the nominal positions (H, 3) m are known.

    mean and scale (20, 3): the scaling of the outputs, in standard deviations of free flight; variance_factor (20,):
    the calibration of variances. Residuals are interpolated linearly between horizons; they are 0 at the last frame.
    """
    offset, factors = np.zeros((HORIZONS + 1, 3)), np.zeros((HORIZONS + 1, 3, 3))
    factors[0] = np.eye(3)
    for segment in range(HORIZONS):
        row = outputs[PATH_OUTPUTS * segment : PATH_OUTPUTS * (segment + 1)]
        L = regression_factor(row[3:6], row[6:9]) * math.sqrt(variance_factor[segment])
        for i in range(3):
            offset[segment + 1, i] = mean[segment, i] + scale[segment, i] * row[i]
            for j in range(3):
                factors[segment + 1, i, j] = scale[segment, i] * L[i, j]
    out, covariance = np.empty((len(times), 3)), np.empty((len(times), 3, 3))
    position_sd, factor = np.empty(3), np.empty((3, 3))
    for n in range(len(times)):
        # after the last horizon the standard deviations of free flight still grow
        grid_position = min(times[n] / HORIZON_STEP, float(HORIZONS))
        segment = min(int(grid_position), HORIZONS - 1)
        fraction = grid_position - segment
        free_flight_sd(variances, times[n], position_sd)
        for i in range(3):
            residual = (1.0 - fraction) * offset[segment, i] + fraction * offset[segment + 1, i]
            out[n, i] = positions[n, i] + position_sd[i] * residual
            for j in range(3):
                a = (1.0 - fraction) * factors[segment, i, j] + fraction * factors[segment + 1, i, j]
                factor[i, j] = position_sd[i] * a
        for i in range(3):
            for j in range(3):
                a = factor[i, 0] * factor[j, 0] + factor[i, 1] * factor[j, 1] + factor[i, 2] * factor[j, 2]
                covariance[n, i, j] = a
    return out, covariance


@kernel
def decode_landing(outputs, mean, scale, variance_factor, nominal_landing, landing_sd):
    """(probability, time after the last frame and position (4,), covariance (4, 4)) of the landing.

    nominal_landing and landing_sd (4,): the landing of the nominal trajectory and its standard deviations.
    """
    row, landing, covariance = outputs[PATH_OUTPUTS * HORIZONS :], np.empty(4), np.empty((4, 4))
    factor = regression_factor(row[5:9], row[9:15])
    for i in range(4):
        landing[i] = nominal_landing[i] + landing_sd[i] * (mean[i] + scale[i] * row[1 + i])
        for j in range(4):
            variance = 0.0
            for k in range(4):
                variance += factor[i, k] * factor[j, k]
            covariance[i, j] = variance_factor * scale[i] * scale[j] * landing_sd[i] * landing_sd[j] * variance
    landing[0] = max(landing[0], 1e-4)
    return 1.0 / (1.0 + math.exp(-row[0])), landing, covariance
