"""Where sampled paths land: the first time that one comes down to a ground and goes up again. Compiled."""

import numpy as np

from sim.compiled import kernel

FINE = 0.01  # s, between the places that are looked at
NEAR = 0.04  # m, by which the lowest place that is looked at may lie above where the ball meets the ground


@kernel
def touches(path, times, grounds, out):
    """Whether a path (T, 3) at times (T,) s lands on one of grounds (G, 6), low and high of the ball's centre on them.

    out (4,): when and where, by the last stretch of the way down, prolonged.
    """
    for k in range(2, len(path) - 1):
        if not (path[k - 1, 2] > path[k, 2] <= path[k + 1, 2]):
            continue
        for g in range(len(grounds)):
            low, high = grounds[g, :3], grounds[g, 3:]
            over = low[0] <= path[k, 0] <= high[0] and low[1] <= path[k, 1] <= high[1]
            fall = path[k - 2, 2] - path[k - 1, 2]
            if over and fall > 0.0 and abs(path[k, 2] - high[2]) < NEAR:
                s = min(max((path[k - 1, 2] - high[2]) / fall, 0.0), 2.0)
                out[0] = times[k - 1] + s * (times[k] - times[k - 1])
                out[1:] = path[k - 1] + s * (path[k - 1] - path[k - 2])
                return g
    return -1


@kernel
def landing_of(paths, times, grounds, at, spread):
    """The share of paths (K, T, 3) that land; mean `at` (4,) and covariance (4, 4), s and m, where most of them do."""
    found, where = np.empty((len(paths), 4)), np.empty(len(paths), np.int64)
    votes = np.zeros(len(grounds))
    for n in range(len(paths)):
        where[n] = touches(paths[n], times, grounds, found[n])
        if where[n] >= 0:
            votes[where[n]] += 1.0
    at[:], spread[:] = 0.0, 0.0
    chosen, most = np.argmax(votes), max(votes.max(), 1.0)
    for n in range(len(paths)):
        if where[n] == chosen:
            at += found[n] / most
    for n in range(len(paths)):
        if where[n] == chosen:
            off = found[n] - at
            for i in range(4):
                for j in range(4):
                    spread[i, j] += off[i] * off[j] / most
    return votes.sum() / len(paths)
