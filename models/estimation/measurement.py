"""A frame corrects the components of a filter, and weighs them. Compiled.

What is measured is an argument, `measure`: it fills U = P H^T, the covariance of the unknowns with what is measured,
and returns the residual, H P H^T and the covariance of the noise. Symmetric matrices of three are xx, xy, yy, xz, yz,
zz.
"""

import math

import numpy as np

from ballcast.models.estimation.likelihood import OUTLIER_DENSITY
from ballcast.models.estimation.mixture import DEAD, LOG_WEIGHT, MEAN, ROW, average, refresh, weights_of
from ballcast.models.estimation.prior import FILTER_DEGREES, OUTLIER_RATE
from ballcast.models.estimation.unknowns import (
    HEIGHT,
    LOG_PARAMETERS,
    MAX_HEIGHT,
    MAX_LOG,
    MAX_SPEED,
    MAX_SPIN,
    UNKNOWNS,
)
from ballcast.sim.jit import inlined
from ballcast.sim.kernels.lane_numbers import any_lane, lane_max, load, store, where

LOG_OUTLIER = math.log(OUTLIER_RATE * OUTLIER_DENSITY)
INFLATION_ROUNDS = 3  # of reweighing a frame by its residual
MIN_VARIANCE = 1e-12
ROUNDING, WIDE = 1e-7, 30.0  # float32 resolves this fraction of a variance of the position; m2, over which it matters
MAX_SQUARE = 1e30  # normalised innovation squared of a component with sound numbers
LOG_NORMALISER = (
    math.lgamma(0.5 * FILTER_DEGREES + 1.5)
    - math.lgamma(0.5 * FILTER_DEGREES)
    - 1.5 * math.log(FILTER_DEGREES * math.pi)
)


@inlined
def update(measure, state, s, U, y):
    """Correct all components by what was measured, y, and weigh them by it.

    Components whose numbers rounding has spoilt, as it does after gaps of seconds, are dropped; perhaps none is left.
    """
    (rx, ry, rz), h, R = measure(state, s, U, y)
    rounding, factor = ROUNDING * max(h[0] + h[2] + h[5] - WIDE, 0.0), state.noise_factor
    R = R[0] + rounding, R[1], R[2] + rounding, R[3], R[4], R[5] + rounding
    inverse, determinant = inverse6(add_scaled6(h, R, factor))
    a, b, c = times6(inverse, rx, ry, rz)
    square = rx * a + ry * b + rz * c
    is_sound = (
        (h[0] > 0.0) & (h[2] > 0.0) & (h[5] > 0.0) & (determinant > 0.0) & (square >= 0.0) & (square < MAX_SQUARE)
    )
    store(s, LOG_WEIGHT, where(is_sound, load(s, LOG_WEIGHT), DEAD))
    if not lane_max(load(s, LOG_WEIGHT)) > DEAD:
        return
    weight = weights_of(s)
    _note_innovation(state, weight, (rx, ry, rz), add_scaled6(h, R, 1.0))
    likelihood = LOG_NORMALISER - 0.5 * (FILTER_DEGREES + 3.0) * math.log(1.0 + square / FILTER_DEGREES)
    likelihood = max(likelihood - 0.5 * math.log(determinant), LOG_OUTLIER)
    store(s, LOG_WEIGHT, where(is_sound, max(load(s, LOG_WEIGHT) + likelihood, DEAD), DEAD))
    inflation = max(1.0, 0.0 * square)
    for _ in range(INFLATION_ROUNDS):  # the residual after the update, relative to the noise, says how far off it is
        p, q, r = times6(R, a, b, c)
        residual = factor * factor * inflation * inflation * (a * p + b * q + c * r)
        inflation = max(1.0, (FILTER_DEGREES + residual) / (FILTER_DEGREES + 3.0))
        inverse, determinant = inverse6(add_scaled6(h, R, factor * inflation))
        a, b, c = times6(inverse, rx, ry, rz)
    correct(s, MEAN, U, inverse, (a, b, c))
    clamp_components(s)
    weight = weights_of(s)
    state.inflation = average(weight, inflation)
    if any_lane(where(is_sound, 0.0, 1.0) > 0.5):
        refresh(s)


@inlined
def measure_position(state, s, U, y):
    """The position of the ball, y (3,) m, in the tracker's frame, which is too high by the unknown HEIGHT."""
    noise, origin = state.noise, state.origin
    h = position_columns(s, U)
    R = frame_noise(noise[0], noise[1], noise[2], noise[3], load(s, 3), load(s, 4), load(s, 5))
    rx, ry = (y[0] - origin[0]) - load(s, 0), (y[1] - origin[1]) - load(s, 1)
    rz = (y[2] - origin[2]) - load(s, 2) - load(s, HEIGHT)
    return (rx, ry, rz), h, R


@inlined
def position_columns(s, U):
    """Fill U = P H^T (48 rows); returns H P H^T."""
    for k in range(UNKNOWNS):
        store(U, 3 * k, load(s, ROW[k, 0]))
        store(U, 3 * k + 1, load(s, ROW[k, 1]))
        store(U, 3 * k + 2, load(s, ROW[k, 2]) + load(s, ROW[k, HEIGHT]))
    height = 3 * HEIGHT
    return (load(U, 0), load(U, 3), load(U, 4), load(U, 6) + load(U, height), load(U, 7) + load(U, height + 1),
            load(U, 8) + load(U, height + 2))  # fmt: skip


@inlined
def frame_noise(x, y, z, jitter, vx, vy, vz):
    """The covariance of a frame's noise, at velocity v."""
    return (jitter * vx * vx + x, jitter * vx * vy, jitter * vy * vy + y,
            jitter * vx * vz, jitter * vy * vz, jitter * vz * vz + z)  # fmt: skip


@inlined
def correct(s, mean, U, inverse, weighted):
    """Correct means (rows from `mean` on) and covariances; weighted: `inverse`, of S, times the residual."""
    a, b, c = weighted
    for k in range(UNKNOWNS):
        ux, uy, uz = load(U, 3 * k), load(U, 3 * k + 1), load(U, 3 * k + 2)
        store(s, mean + k, load(s, mean + k) + ux * a + uy * b + uz * c)
        gx, gy, gz = times6(inverse, ux, uy, uz)
        for j in range(k + 1):
            less = gx * load(U, 3 * j) + gy * load(U, 3 * j + 1) + gz * load(U, 3 * j + 2)
            store(s, ROW[k, j], load(s, ROW[k, j]) - less)
        store(s, ROW[k, k], max(load(s, ROW[k, k]), MIN_VARIANCE))


@inlined
def _note_innovation(state, weight, r, S):
    """Keep the innovation of the mixture, its standard deviations and its square in them."""
    x, y, z = average(weight, r[0]), average(weight, r[1]), average(weight, r[2])
    dx, dy, dz = r[0] - x, r[1] - y, r[2] - z
    xx, yy, zz = (average(weight, S[0] + dx * dx), average(weight, S[2] + dy * dy), average(weight, S[5] + dz * dz))
    xy, xz, yz = (average(weight, S[1] + dx * dy), average(weight, S[3] + dx * dz), average(weight, S[4] + dy * dz))
    inverse, _ = inverse6(
        (np.float64(xx), np.float64(xy), np.float64(yy), np.float64(xz), np.float64(yz), np.float64(zz))
    )
    a, b, c = times6(inverse, x, y, z)
    state.innovation[0], state.innovation[1], state.innovation[2] = x, y, z
    state.innovation_sd[0], state.innovation_sd[1], state.innovation_sd[2] = math.sqrt(xx), math.sqrt(yy), math.sqrt(zz)
    state.mahalanobis2 = x * a + y * b + z * c


@inlined
def add_scaled6(a, b, k):
    return a[0] + k * b[0], a[1] + k * b[1], a[2] + k * b[2], a[3] + k * b[3], a[4] + k * b[4], a[5] + k * b[5]


@inlined
def inverse6(S):
    """(the inverse, the determinant) of a symmetric matrix of three; both are xx, xy, yy, xz, yz, zz."""
    xx, xy, yy, xz, yz, zz = S
    a, b, c = yy * zz - yz * yz, xz * yz - xy * zz, xy * yz - xz * yy
    determinant = xx * a + xy * b + xz * c
    k = 1.0 / determinant
    return (k * a, k * b, k * (xx * zz - xz * xz), k * c, k * (xy * xz - xx * yz), k * (xx * yy - xy * xy)), determinant


@inlined
def times6(S, x, y, z):
    return S[0] * x + S[1] * y + S[3] * z, S[1] * x + S[2] * y + S[4] * z, S[3] * x + S[4] * y + S[5] * z


@inlined
def clamp_components(s):
    for i in range(3):
        store(s, 3 + i, min(max(load(s, 3 + i), -MAX_SPEED), MAX_SPEED))
        store(s, 6 + i, min(max(load(s, 6 + i), -MAX_SPIN), MAX_SPIN))
    for k in LOG_PARAMETERS:
        store(s, k, min(max(load(s, k), -MAX_LOG), MAX_LOG))
    store(s, HEIGHT, min(max(load(s, HEIGHT), -MAX_HEIGHT), MAX_HEIGHT))
