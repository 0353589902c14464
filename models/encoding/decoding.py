"""From a network's outputs to positions, covariances and landings. Compiled.

A Gaussian of D numbers is output as mean, log-scales and regressions (models/nets/losses.py): its deviation is A z with
z standard normal.
"""

import math

import numpy as np

from ballcast.models.encoding.features import FILTER, JITTER
from ballcast.models.encoding.nominal import HORIZON_STEP, HORIZONS, free_flight_sd
from ballcast.models.estimation.filter_state import summary
from ballcast.models.estimation.linear import cholesky_with_jitter
from ballcast.models.estimation.unknowns import HEIGHT, UNKNOWNS
from ballcast.sim.jit import inlined, kernel

PATH_OUTPUTS, LANDING_OUTPUTS = 9, 15  # of one horizon; of the landing
MIN_LOG_SCALE, MAX_LOG_SCALE = -7.0, 7.0  # of log-scales


@kernel
def regression_factor(scales, regressions):
    """The matrix A (D, D), lower, of log-scales (D,) and regressions (D (D - 1) / 2,)."""
    factor = np.zeros((len(scales), len(scales)))
    _fill_regression_factor(scales, regressions, factor)
    return factor


@inlined
def _fill_regression_factor(scales, regressions, factor):
    """Fill the lower triangle of A (D, D)."""
    n = 0
    for i in range(len(scales)):
        for k in range(i):
            factor[i, k] = 0.0
        for j in range(i):
            for k in range(j + 1):
                factor[i, k] += regressions[n] * factor[j, k]
            n += 1
        factor[i, i] = math.exp(min(max(scales[i], MIN_LOG_SCALE), MAX_LOG_SCALE))


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
def position_factor(feature_set, state, out):
    """Fill the lower triangle of out (3, 3) with the Cholesky factor of the correlation of the filter's position at the
    last frame: one camera leaves it long along the line of sight. 0, not known, for networks without a filter."""
    out[:] = 0.0
    if feature_set != FILTER:
        return
    P, block = summary(state).covariance, np.empty((3, 3))
    for i in range(3):
        for j in range(3):
            block[i, j] = P[i, j]
    block[2, 2] += P[HEIGHT, HEIGHT] + 2.0 * P[2, HEIGHT]
    for i in range(2):
        block[2, i] += P[i, HEIGHT]
        block[i, 2] = block[2, i]
    cholesky_with_jitter(block, JITTER, out)
    for i in range(3):
        sd = 0.0
        for j in range(i + 1):
            sd += out[i, j] * out[i, j]
        for j in range(i + 1):
            out[i, j] /= math.sqrt(sd)


@kernel
def decode_path(outputs, mean, scale, variance_factor, now, variances, times, positions, out, covariance):
    """Fill the mean, out (H, 3) m, and the covariance (H, 3, 3) m2 at times (H,) s, about nominal positions (H, 3) m.

    mean and scale (20, 3): the scaling of the outputs, in standard deviations of free flight; variance_factor (21,):
    the calibration of variances, at the last frame and at the horizons; now (3, 3): position_factor. Residuals are
    interpolated linearly between horizons; they are 0 at the last frame. Where `now` is 0, the spread before the first
    horizon is that at the first horizon.
    """
    nodes = _path_nodes(outputs, mean, scale, variance_factor, now)
    position_sd = np.empty(3)
    for n in range(len(times)):
        # after the last horizon the standard deviations of free flight still grow
        grid_position = min(times[n] / HORIZON_STEP, float(HORIZONS))
        segment = min(int(grid_position), HORIZONS - 1)
        after = grid_position - segment
        before, low, high = 1.0 - after, nodes[segment], nodes[segment + 1]
        free_flight_sd(variances, times[n], position_sd)
        sx, sy, sz = position_sd[0], position_sd[1], position_sd[2]
        out[n, 0] = positions[n, 0] + sx * (before * low[0] + after * high[0])
        out[n, 1] = positions[n, 1] + sy * (before * low[1] + after * high[1])
        out[n, 2] = positions[n, 2] + sz * (before * low[2] + after * high[2])
        xx = sx * (before * low[3] + after * high[3])
        yx, yy = sy * (before * low[4] + after * high[4]), sy * (before * low[5] + after * high[5])
        zx, zy = sz * (before * low[6] + after * high[6]), sz * (before * low[7] + after * high[7])
        zz = sz * (before * low[8] + after * high[8])
        covariance[n, 0, 0], covariance[n, 1, 1] = xx * xx, yx * yx + yy * yy
        covariance[n, 2, 2] = zx * zx + zy * zy + zz * zz
        covariance[n, 0, 1] = covariance[n, 1, 0] = xx * yx
        covariance[n, 0, 2] = covariance[n, 2, 0] = xx * zx
        covariance[n, 1, 2] = covariance[n, 2, 1] = yx * zx + yy * zy


@inlined
def _path_nodes(outputs, mean, scale, variance_factor, now):
    """Residuals at the last frame and at the horizons (21, 9), in standard deviations of free flight: the mean, and the
    lower triangle of the factor of the covariance, by rows."""
    nodes, L = np.zeros((HORIZONS + 1, PATH_OUTPUTS)), np.empty((3, 3))
    factor, k = math.sqrt(variance_factor[0]), 3
    for i in range(3):
        for j in range(i + 1):
            nodes[0, k] = factor * now[i, j]
            k += 1
    for segment in range(HORIZONS):
        row, node = outputs[PATH_OUTPUTS * segment : PATH_OUTPUTS * (segment + 1)], nodes[segment + 1]
        _fill_regression_factor(row[3:6], row[6:9], L)
        factor, k = math.sqrt(variance_factor[segment + 1]), 3
        for i in range(3):
            node[i] = mean[segment, i] + scale[segment, i] * row[i]
            for j in range(i + 1):
                node[k] = scale[segment, i] * (factor * L[i, j])
                k += 1
    if now[0, 0] == 0.0:
        nodes[0, 3:] = nodes[1, 3:]
    return nodes


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
