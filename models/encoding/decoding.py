"""From the numbers a network tells to places, spreads and landings. Compiled.

A law of D numbers is told as mean, log-scales and regressions (models/nets/losses.py): e = A z with z standard.
"""

import math

import numpy as np
from ballcast.models.encoding.nominal import KNOTS, STEP, unit
from ballcast.sim.jit import kernel

PLACE = 9  # numbers of a knot
LEAST, MOST = -7.0, 7.0  # of log-scales


@kernel
def factor(scales, regressions):
    """A (D, D), lower, of e = A z by log-scales (D,) and regressions (D (D - 1) / 2,)."""
    size, n = len(scales), 0
    A = np.zeros((size, size))
    for i in range(size):
        for j in range(i):
            for k in range(j + 1):
                A[i, k] += regressions[n] * A[j, k]
            n += 1
        A[i, i] = math.exp(min(max(scales[i], LEAST), MOST))
    return A


@kernel
def path_of(told, mean, scale, widen, sd, times, places):
    """(mean (H, 3) m, covariance (H, 3, 3) m2) at times (H,) s of a path told beside the baseline's places (H, 3).

    mean and scale (KNOTS, 3): what the path is measured in, besides the baseline's units; widen (KNOTS,): by how much
    the variances are to be larger. Between knots what is told goes straight; at the last frame it is the baseline's.
    """
    off, A = np.zeros((KNOTS + 1, 3)), np.zeros((KNOTS + 1, 3, 3))
    A[0] = np.eye(3)
    for k in range(KNOTS):
        row = told[PLACE * k : PLACE * (k + 1)]
        L = factor(row[3:6], row[6:9]) * math.sqrt(widen[k])
        for i in range(3):
            off[k + 1, i] = mean[k, i] + scale[k, i] * row[i]
            for j in range(3):
                A[k + 1, i, j] = scale[k, i] * L[i, j]
    out, covariance, one, B = np.empty((len(times), 3)), np.empty((len(times), 3, 3)), np.empty(3), np.empty((3, 3))
    for h in range(len(times)):
        s = min(times[h] / STEP, float(KNOTS))  # past the last knot the baseline's units go on growing
        k = min(int(s), KNOTS - 1)
        f = s - k
        unit(sd, times[h], one)
        for i in range(3):
            out[h, i] = places[h, i] + one[i] * ((1.0 - f) * off[k, i] + f * off[k + 1, i])
            for j in range(3):
                B[i, j] = one[i] * ((1.0 - f) * A[k, i, j] + f * A[k + 1, i, j])
        for i in range(3):
            for j in range(3):
                covariance[h, i, j] = B[i, 0] * B[j, 0] + B[i, 1] * B[j, 1] + B[i, 2] * B[j, 2]
    return out, covariance


@kernel
def landing_of(told, mean, scale, widen, where, one):
    """(probability, time from the last frame and place (4,), covariance (4, 4)) of the landing told.

    where and one (4,): the baseline's landing and its unit.
    """
    row, at, spread = told[PLACE * KNOTS :], np.empty(4), np.empty((4, 4))
    A = factor(row[5:9], row[9:15])
    for i in range(4):
        at[i] = where[i] + one[i] * (mean[i] + scale[i] * row[1 + i])
        for j in range(4):
            a = 0.0
            for k in range(4):
                a += A[i, k] * A[j, k]
            spread[i, j] = widen * scale[i] * scale[j] * one[i] * one[j] * a
    at[0] = max(at[0], 1e-4)
    return 1.0 / (1.0 + math.exp(-row[0])), at, spread
