"""How a ball moves in the image, as a filter sees it: Gaussians of place, velocity and acceleration. Compiled.

The unit of length is the height of the picture, so that settings hold for every resolution; times are in s. The
acceleration is that of gravity, drag, and a deviation that changes slowly: what perspective and spin do. The state is
(u, v, u', v', deviation of u'', of v''). How large gravity and drag are in the image is not known before;
image_laws.py learns it from the flights of the clip. At a turn the velocity changes at once, at some time between two
frames.
"""

import math

import numpy as np

from ballcast.sim.jit import strict

BOUNCE, HIT = 2, 3  # kinds of turns, numbers as in hypotheses.py
SPEED = 1.5  # heights/s, standard deviation of each part of the velocity of a ball of which nothing is known
HIT_SPEED = 2.0  # heights/s, standard deviation of each part of the velocity after a hit
UNSTEADY = 0.03  # heights/s per square root of s: what else changes the velocity, as the air and the shutter
CHANGE = 0.5  # of the acceleration and 0.5 heights/s^2, per square root of s: by how much it changes in a flight
STEP = 0.05  # s, of the integration
KEPT = 0.9, 0.2  # share of the horizontal velocity that a bounce leaves, and its standard deviation
RISE = 1.7, 0.35  # by how much a bounce turns the vertical velocity upward, in falling speeds, and its deviation
MIN_RISE = 0.3  # heights/s, and its standard deviation
GRAVITY, DRAG, SPREAD_U, SPREAD_V, LEARNED = range(5)  # of the laws: see image_laws.py
PER_DIAMETER = 114.0, 100.0  # 1/s^2, gravity over the diameter, and its deviation: balls of 4 to 24 cm, 9.81 m/s^2
MIN_SPREAD = 0.3  # heights/s^2


@strict
def start(u, v, noise, diameter, laws, mean, covariance):
    """Fill the state of a ball that is seen for the first time. noise (3,): variances uu, uv, vv of its place.

    Before any flight has taught how large gravity is in the image, the ball's diameter (heights) says it roughly.
    """
    mean[:], covariance[:] = 0.0, 0.0
    mean[0], mean[1] = u, v
    covariance[0, 0], covariance[0, 1], covariance[1, 0], covariance[1, 1] = noise[0], noise[1], noise[1], noise[2]
    for k in range(2):
        covariance[2 + k, 2 + k], covariance[4 + k, 4 + k] = SPEED**2, laws[SPREAD_U + k] ** 2
    if laws[LEARNED] == 0.0:
        mean[5] = PER_DIAMETER[0] * diameter - laws[GRAVITY]
        covariance[5, 5] = (PER_DIAMETER[1] * diameter + MIN_SPREAD) ** 2


@strict
def fly(mean, covariance, dt, laws, new_mean, new_covariance):
    """Fill the state after dt s of free flight."""
    steps = max(1, int(math.ceil(dt / STEP)))
    new_mean[:], new_covariance[:] = mean, covariance
    for _ in range(steps):
        _step(new_mean, new_covariance, dt / steps, laws)


@strict
def _step(mean, covariance, dt, laws):
    """One step of `fly`, in place: constant acceleration in it, drag linear in the velocity."""
    drag, x, y = laws[DRAG], mean[2], mean[3]
    speed = math.sqrt(x * x + y * y) + 1e-9
    F, D, a = np.eye(6), np.empty((2, 2)), np.empty(2)
    D[0, 0], D[1, 1] = -drag * (speed + x * x / speed), -drag * (speed + y * y / speed)
    D[0, 1] = D[1, 0] = -drag * x * y / speed
    a[0], a[1] = mean[4] - drag * speed * x, mean[5] + laws[GRAVITY] - drag * speed * y
    half = 0.5 * dt * dt
    for i in range(2):
        mean[i] += dt * mean[2 + i] + half * a[i]
        F[i, 4 + i], F[2 + i, 4 + i] = half, dt
        for j in range(2):
            F[i, 2 + j] = half * D[i, j] + (dt if i == j else 0.0)
            F[2 + i, 2 + j] = dt * D[i, j] + (1.0 if i == j else 0.0)
    for i in range(2):
        mean[2 + i] += dt * a[i] + half * (D[i, 0] * a[0] + D[i, 1] * a[1])
    covariance[:] = _product(_product(F, covariance), F.T.copy())
    q, change = UNSTEADY**2, CHANGE * (abs(mean[4]) + abs(laws[GRAVITY] + mean[5]) + 0.5)
    for k in range(2):
        covariance[4 + k, 4 + k] += dt * change**2
        covariance[k, k] += q * dt**3 / 3.0
        covariance[k, 2 + k] += 0.5 * q * dt * dt
        covariance[2 + k, k] += 0.5 * q * dt * dt
        covariance[2 + k, 2 + k] += q * dt


@strict
def _product(a, b):
    """The product of two matrices (6, 6)."""
    c = np.zeros((6, 6))
    for i in range(6):
        for k in range(6):
            if a[i, k] != 0.0:
                for j in range(6):
                    c[i, j] += a[i, k] * b[k, j]
    return c


@strict
def turn(kind, mean, covariance, dt, laws, new_mean, new_covariance):
    """Fill the state after dt s in which the ball bounced or was hit, at any time of them."""
    variance, after = np.empty(2), np.empty(2)
    x, y = mean[2], mean[3] + 0.5 * dt * (laws[GRAVITY] + mean[5])
    if kind == HIT:
        after[:], variance[:] = 0.0, HIT_SPEED**2
    else:
        after[0], after[1] = KEPT[0] * x, y - max(RISE[0] * y, MIN_RISE)
        variance[0] = (KEPT[1] * x) ** 2 + 0.01 + KEPT[0] ** 2 * covariance[2, 2]
        variance[1] = max(RISE[1] * abs(y), MIN_RISE) ** 2 + covariance[3, 3]
    jump = np.array([after[0] - x, after[1] - y])
    new_covariance[:] = 0.0
    for k in range(2):
        before = y if k else x
        new_mean[k] = mean[k] + 0.5 * dt * (before + after[k])
        new_mean[2 + k], new_mean[4 + k] = after[k], 0.0 if kind == HIT else mean[4 + k]
        new_covariance[k, 2 + k] = new_covariance[2 + k, k] = 0.5 * dt * variance[k]
        new_covariance[2 + k, 2 + k] = variance[k]
        new_covariance[4 + k, 4 + k] = laws[SPREAD_U + k] ** 2
        if kind == BOUNCE:
            new_covariance[4 + k, 4 + k] = min(covariance[4 + k, 4 + k] + 0.25 * laws[SPREAD_U + k] ** 2,
                                               laws[SPREAD_U + k] ** 2)  # fmt: skip
        for j in range(2):
            new_covariance[k, j] += covariance[k, j] + jump[k] * jump[j] * dt * dt / 12.0
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
