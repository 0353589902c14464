"""The forecast in the image from the hypotheses of the tracker: mean and covariance at times ahead. Compiled.

Each hypothesis flies on. Where the ground is, is known only roughly: the ball bounces at one of several rows, each as
likely as the bounces before tell. The forecast is the mean and the covariance of all of these futures.
"""

import math

import numpy as np

from ballcast.sim.jit import strict
from ballcast.vision.image_motion import DRAG, GRAVITY, KEPT, MEMORY, RISE, fly

QUANTILES = np.array([-1.383, -0.967, -0.674, -0.431, -0.21, 0.0, 0.21, 0.431, 0.674, 0.967, 1.383])  # of a Gaussian
FINE = 0.01  # s, of the integration
MAX_TIMES = 64


@strict
def forecast(hypotheses, weights, laws, ground, spread, times, mean, covariance):
    """Fill mean (H, 2) and covariance (H, 2, 2) at `times` (H,) s after the last frame.

    weights: of the hypotheses, sum 1. ground, spread: the row at which the ball bounces, and its standard deviation.
    """
    mean[:], covariance[:] = 0.0, 0.0
    state, around = np.empty(6), np.empty((6, 6))
    future = np.empty((len(times), 5))
    for h in range(len(hypotheses)):
        one = hypotheses[h]
        rows = ground + spread * QUANTILES
        below = 0
        for row in rows:
            below += 1 if row > one["mean"][1] else 0
        share = weights[h] / max(below, 1)
        for q in range(len(rows)):
            row = rows[q]
            if below == 0 and q > 0:
                break
            if below > 0 and row <= one["mean"][1]:
                continue
            walk(one["mean"], laws, row if below else np.inf, times, future)
            for k in range(len(times)):
                u, v = future[k, 0], future[k, 1]
                mean[k, 0] += share * u
                mean[k, 1] += share * v
                covariance[k, 0, 0] += share * (u * u + future[k, 2])
                covariance[k, 0, 1] += share * u * v
                covariance[k, 1, 1] += share * (v * v + future[k, 3])
        for k in range(len(times)):
            fly(one["mean"], one["covariance"], times[k], laws, state, around)
            for i in range(2):
                for j in range(2):
                    covariance[k, i, j] += weights[h] * around[i, j]
    for k in range(len(times)):
        covariance[k, 0, 0] -= mean[k, 0] ** 2
        covariance[k, 0, 1] -= mean[k, 0] * mean[k, 1]
        covariance[k, 1, 1] -= mean[k, 1] ** 2
        covariance[k, 1, 0] = covariance[k, 0, 1]


@strict
def walk(start, laws, row, times, future):
    """Fill the future (H, 5) of a ball that bounces at a row: u, v, variances of them by the bounce, and whether."""
    u, v, x, y, p, q = start[0], start[1], start[2], start[3], start[4], start[5]
    now, bounced, du, dv = 0.0, -1.0, 0.0, 0.0
    keep = math.exp(-FINE / MEMORY)
    for k in range(len(times)):
        while now < times[k] - 1e-9:
            dt = min(FINE, times[k] - now)
            speed = math.sqrt(x * x + y * y)
            a, b = p - laws[DRAG] * speed * x, q + laws[GRAVITY] - laws[DRAG] * speed * y
            u, v = u + dt * (x + 0.5 * dt * a), v + dt * (y + 0.5 * dt * b)
            x, y = x + dt * a, y + dt * b
            p, q = p * keep, q * keep
            now += dt
            if v > row and y > 0.0 and bounced < 0.0:
                bounced, du, dv = now, KEPT[1] * x, RISE[1] * y
                after = y - RISE[0] * y
                v = row + (v - row) * after / max(y, 1e-6)
                x, y = KEPT[0] * x, after
        since = now - bounced if bounced >= 0.0 else 0.0
        future[k, 0], future[k, 1], future[k, 2], future[k, 3] = u, v, (du * since) ** 2, (dv * since) ** 2
        future[k, 4] = 1.0 if bounced >= 0.0 else 0.0
