"""The forecast in the image from the hypotheses of the tracker: mean and covariance at times ahead. Compiled.

Each hypothesis flies on. Where the ground is, is known only roughly: the ball bounces at one of several rows, each as
likely as the bounces before tell. The forecast is the mean and the covariance of all of these futures.
"""

import math

import numpy as np

from ballcast.sim.jit import strict
from ballcast.vision.image_motion import DRAG, GRAVITY, KEPT, RISE, fly

ANYWHERE, SOMEWHERE = 6, 0.5  # rows of a ground that is not known, and the chance of a bounce at one of them
LOWEST, MIN_FALL = 1.0, 0.1  # heights, the lowest of these rows, and how far they reach below the ball at least
FINE = 0.01  # s, of the integration


@strict
def forecast(hypotheses, weights, laws, rows, chance, times, mean, covariance):
    """Fill mean (H, 2) and covariance (H, 2, 2) at `times` (H,) s after the last frame.

    weights: of the hypotheses, sum 1. rows: at which other balls bounced, equally likely; chance: that this one does.
    Else it bounces anywhere below, or not.
    mean is the mean of the likelier futures, with a bounce until then or without; covariance is about it, of all.
    """
    state, around, base = np.empty(6), np.empty((6, 6)), np.zeros((len(times), 2, 2))
    count = len(hypotheses) * (len(rows) + ANYWHERE + 1)
    futures, shares, size = np.empty((count, len(times), 5)), np.empty(count), 0
    for h in range(len(hypotheses)):
        one = hypotheses[h]
        v = one["mean"][1]
        below = 0
        for row in rows:
            below += 1 if row > v else 0
        known = chance if below else 0.0
        for n in range(len(rows)):
            if rows[n] > v:
                walk(one["mean"], laws, rows[n], times, futures[size])
                shares[size] = weights[h] * known / below
                size += 1
        for n in range(ANYWHERE + 1):
            row = v + (n + 0.5) / ANYWHERE * max(LOWEST - v, MIN_FALL) if n < ANYWHERE else np.inf
            walk(one["mean"], laws, row, times, futures[size])
            shares[size] = weights[h] * (1.0 - known) * (SOMEWHERE / ANYWHERE if n < ANYWHERE else 1.0 - SOMEWHERE)
            size += 1
        for k in range(len(times)):
            fly(one["mean"], one["covariance"], times[k], laws, state, around)
            base[k] += weights[h] * around[:2, :2]
    for k in range(len(times)):
        pool(futures[:size, k], shares[:size], mean[k], covariance[k])
        covariance[k] += base[k]


@strict
def pool(futures, shares, mean, covariance):
    """Fill mean (2,) and covariance (2, 2) of futures (N, 5) that have shares (N,)."""
    bounced = 0.0
    for n in range(len(shares)):
        bounced += shares[n] * futures[n, 4]
    side = 1.0 if bounced > 0.5 else 0.0
    mean[:], covariance[:], total = 0.0, 0.0, 0.0
    for n in range(len(shares)):
        if futures[n, 4] == side:
            total += shares[n]
            mean[0] += shares[n] * futures[n, 0]
            mean[1] += shares[n] * futures[n, 1]
    mean /= total
    for n in range(len(shares)):
        u, v = futures[n, 0] - mean[0], futures[n, 1] - mean[1]
        covariance[0, 0] += shares[n] * (u * u + futures[n, 2])
        covariance[0, 1] += shares[n] * u * v
        covariance[1, 1] += shares[n] * (v * v + futures[n, 3])
    covariance[1, 0] = covariance[0, 1]


@strict
def walk(start, laws, row, times, future):
    """Fill the future (H, 5) of a ball that bounces at a row: u, v, variances of them by the bounce, and whether."""
    u, v, x, y, p, q = start[0], start[1], start[2], start[3], start[4], start[5]
    now, bounced, du, dv = 0.0, -1.0, 0.0, 0.0
    for k in range(len(times)):
        while now < times[k] - 1e-9:
            dt = min(FINE, times[k] - now)
            speed = math.sqrt(x * x + y * y)
            a, b = p - laws[DRAG] * speed * x, q + laws[GRAVITY] - laws[DRAG] * speed * y
            u, v = u + dt * (x + 0.5 * dt * a), v + dt * (y + 0.5 * dt * b)
            x, y = x + dt * a, y + dt * b
            now += dt
            if v > row and y > 0.0 and bounced < 0.0:
                bounced, du, dv = now, KEPT[1] * x, RISE[1] * y
                after = y - RISE[0] * y
                v = row + (v - row) * after / max(y, 1e-6)
                x, y = KEPT[0] * x, after
        since = now - bounced if bounced >= 0.0 else 0.0
        future[k, 0], future[k, 1], future[k, 2], future[k, 3] = u, v, (du * since) ** 2, (dv * since) ** 2
        future[k, 4] = 1.0 if bounced >= 0.0 else 0.0
