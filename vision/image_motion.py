"""How a ball moves in the image, as a filter sees it: Gaussians of place, velocity and acceleration. Compiled.

The state is (u, v, u', v', u'', v''). The unit of length is the height of the picture, so that settings hold for every
resolution; times are in s. A free flight in perspective is nearly a parabola: the acceleration stays near that of
gravity, whose size in the image is not known, and changes slowly. At a turn the velocity changes at once, at some time
between two frames.
"""

import math

import numpy as np

from ballcast.sim.jit import strict

BOUNCE, HIT = 2, 3  # kinds of turns, numbers as in hypotheses.py
SPEED = 1.2  # heights/s, standard deviation of each part of the velocity of a ball of which nothing is known
ACCELERATION = 1.5  # heights/s^2, standard deviation of each part of the acceleration about that of gravity
MEMORY = 0.5  # s in which the acceleration forgets: drag and perspective change it
UNSTEADY = 0.02  # heights/s per square root of s: what else changes the velocity, as the air and the shutter
HIT_SPEED = 1.5  # heights/s, standard deviation of each part of the velocity after a hit
KEPT = 0.85, 0.15  # share of the horizontal velocity that a bounce leaves, and its standard deviation
RISE = (
    1.7,
    0.35,
)  # by how much a bounce turns the vertical velocity upward, in falling speeds, and its share that varies
MIN_RISE = 0.3  # heights/s, and its standard deviation


@strict
def start(u, v, noise, gravity, mean, covariance):
    """Fill the state of a ball that is seen for the first time. noise (3,): variances uu, uv, vv of its place."""
    mean[:], covariance[:] = 0.0, 0.0
    mean[0], mean[1], mean[5] = u, v, gravity
    covariance[0, 0], covariance[0, 1], covariance[1, 0], covariance[1, 1] = noise[0], noise[1], noise[1], noise[2]
    for k in range(2):
        covariance[2 + k, 2 + k], covariance[4 + k, 4 + k] = SPEED**2, ACCELERATION**2


@strict
def fly(mean, covariance, dt, gravity, new_mean, new_covariance):
    """Fill the state after dt s of free flight. gravity (2,): the vertical acceleration, and its deviation."""
    keep = math.exp(-dt / MEMORY)
    F = np.zeros((6, 6))
    for k in range(6):
        F[k, k] = 1.0 if k < 4 else keep
    for k in range(2):
        F[k, 2 + k], F[k, 4 + k], F[2 + k, 4 + k] = dt, 0.5 * dt * dt, dt
    for i in range(6):
        value = 0.0
        for j in range(6):
            value += F[i, j] * mean[j]
        new_mean[i] = value
    new_mean[5] += (1.0 - keep) * gravity[0]
    FP = np.zeros((6, 6))
    for i in range(6):
        for k in range(i % 2, 6, 2) if i < 4 else range(i, i + 1):
            if F[i, k] != 0.0:
                for j in range(6):
                    FP[i, j] += F[i, k] * covariance[k, j]
    for i in range(6):
        for j in range(6):
            value = 0.0
            for k in range(6):
                value += FP[i, k] * F[j, k]
            new_covariance[i, j] = value
    q = UNSTEADY**2
    for k in range(2):
        a = ACCELERATION if k == 0 else gravity[1]
        new_covariance[4 + k, 4 + k] += (1.0 - keep * keep) * a * a
        new_covariance[k, k] += q * dt**3 / 3.0
        new_covariance[k, 2 + k] += 0.5 * q * dt * dt
        new_covariance[2 + k, k] += 0.5 * q * dt * dt
        new_covariance[2 + k, 2 + k] += q * dt


@strict
def turn(kind, mean, covariance, dt, gravity, new_mean, new_covariance):
    """Fill the state after dt s in which the ball bounced or was hit, at any time of them."""
    before, variance, after = np.empty(2), np.empty(2), np.empty(2)
    for k in range(2):
        before[k] = mean[2 + k] + 0.5 * dt * mean[4 + k]
    if kind == HIT:
        after[:], variance[:] = 0.0, HIT_SPEED**2
    else:
        rise = max(RISE[0] * before[1], MIN_RISE)
        after[0], after[1] = KEPT[0] * before[0], before[1] - rise
        variance[0] = (KEPT[1] * before[0]) ** 2 + 0.01 + KEPT[0] ** 2 * covariance[2, 2]
        variance[1] = max(RISE[1] * abs(before[1]), MIN_RISE) ** 2 + covariance[3, 3]
    new_covariance[:] = 0.0
    for k in range(2):
        new_mean[k] = mean[k] + 0.5 * dt * (before[k] + after[k])
        new_mean[2 + k], new_mean[4 + k] = after[k], mean[4 + k]
        new_covariance[k, 2 + k] = new_covariance[2 + k, k] = 0.5 * dt * variance[k]
        new_covariance[2 + k, 2 + k] = variance[k]
        a = ACCELERATION if k == 0 else gravity[1]
        new_covariance[4 + k, 4 + k] = a * a if kind == HIT else covariance[4 + k, 4 + k] + 0.25 * a * a
        if kind == HIT:
            new_mean[4 + k] = gravity[0] * k
        for j in range(2):
            jump = (after[k] - before[k]) * (after[j] - before[j])
            new_covariance[k, j] += covariance[k, j] + jump * dt * dt / 12.0
        new_covariance[k, k] += dt * dt * (variance[k] + covariance[2 + k, 2 + k]) / 3.0


@strict
def correct(mean, covariance, u, v, noise):
    """Correct a state with a measured place (u, v), whose noise has the variances uu, uv, vv (3,)."""
    a, b, c = covariance[0, 0] + noise[0], covariance[0, 1] + noise[1], covariance[1, 1] + noise[2]
    det = a * c - b * b
    p, q, r = c / det, -b / det, a / det
    du, dv = u - mean[0], v - mean[1]
    gain = np.empty((6, 2))
    for i in range(6):
        x, y = covariance[i, 0], covariance[i, 1]
        gain[i, 0], gain[i, 1] = x * p + y * q, x * q + y * r
    rows = covariance[:2].copy()
    for i in range(6):
        mean[i] += gain[i, 0] * du + gain[i, 1] * dv
        for j in range(6):
            covariance[i, j] -= gain[i, 0] * rows[0, j] + gain[i, 1] * rows[1, j]
    for i in range(6):
        for j in range(i):
            covariance[i, j] = covariance[j, i] = 0.5 * (covariance[i, j] + covariance[j, i])


@strict
def correct_velocity(mean, covariance, x, y, value, variance):
    """Correct a state with a measured part of the velocity: x u' + y v' = value."""
    column = np.empty(6)
    for i in range(6):
        column[i] = covariance[i, 2] * x + covariance[i, 3] * y
    S = column[2] * x + column[3] * y + variance
    innovation = value - mean[2] * x - mean[3] * y
    for i in range(6):
        mean[i] += column[i] / S * innovation
    for i in range(6):
        for j in range(6):
            covariance[i, j] -= column[i] * column[j] / S
