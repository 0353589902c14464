"""Where a fit starts: a robust ballistic arc through the first frames. Compiled.

Theil-Sen (the median slope over pairs of frames) tolerates three outliers in ten. A shorter arc replaces a longer one
if it fits far better, since a bounce or a hit may lie among the frames.
`parabola` does the same in numpy.
"""

import numpy as np

from ballcast.sim.jit import kernel

BOUNCE_RATIO = 2.0  # a longer arc with this many times the scale of a shorter one has a bounce or a hit in it
MIN_SCALE = 1e-4  # m; no tracker is better
MAX_ARC_FRAMES = 24  # of the first arc
MIN_ARC_FRAMES = 6  # of the shortest


@kernel
def initial_arc(t, y, gravity):
    """Position and velocity (6,) at t[0] of the longest arc that fits the first frames t (T,) s, y (T, 3) m."""
    n = min(len(t), MAX_ARC_FRAMES)
    best, smallest = np.empty((3, 6)), np.inf
    scale, count = np.empty(3), 0
    while count < 3 and (n >= MIN_ARC_FRAMES or count == 0):
        scale[count] = theil_sen_arc(t[:n], y[:n], gravity, best[count])
        smallest = min(smallest, scale[count])
        count, n = count + 1, n // 2
    for i in range(count):
        if scale[i] <= BOUNCE_RATIO * smallest:
            return best[i]
    return best[0]


@kernel
def theil_sen_arc(t, y, gravity, out):
    """Fill out (6,) with position and velocity at t[0], Theil-Sen in each axis; returns the median distance, m."""
    n = len(t)
    slopes, intercepts, distance2 = np.empty(n * (n - 1) // 2), np.empty(n), np.zeros(n)
    for k in range(3):
        fall = 0.5 * gravity if k == 2 else 0.0
        count = 0
        for i in range(n):
            for j in range(i + 1 + n // 4, n):  # pairs close in time say little of the slope
                a, b = t[i] - t[0], t[j] - t[0]
                slopes[count] = (y[j, k] - y[i, k]) / (b - a) + fall * (a + b)
                count += 1
        v = np.median(slopes[:count])
        for i in range(n):
            a = t[i] - t[0]
            intercepts[i] = y[i, k] + fall * a * a - v * a
        out[k], out[3 + k] = np.median(intercepts), v
        for i in range(n):
            distance2[i] += (intercepts[i] - out[k]) ** 2
    return max(np.sqrt(np.median(distance2)), MIN_SCALE)
