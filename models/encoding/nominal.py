"""What a network's path is told beside: the filter's own forecast, in the filter's own standard deviations. Compiled.

Networks without a filter (the set `frames`) are told beside a straight line, in metres.
"""

import numpy as np
from ballcast.models.encoding.features import FRAMES
from ballcast.models.estimation.fit import HEIGHT, launch_of
from ballcast.sim.jit import kernel
from ballcast.sim.kernels.flight import MET, fly

KNOTS, STEP = 20, 0.05  # horizons of a path: so many, s apart
LANDS = 1.5  # s ahead in which a landing counts
LEAST_UNIT = 1e-4  # m
MOST_CONTACTS = 8  # among which the landing is looked for
SEEN = 3 * KNOTS + 4  # numbers that a network is shown of its baseline
SLOW = 0.5  # m/s, at which a ball lands at least, for what is uncertain of the moment
LAGGED = 3 + 4 * 3 + 1  # the first column of `frames` that is a velocity


@kernel
def spot_of(kind, m, raw, x, sd):
    """The unknowns x (16,) that a baseline starts from; sd (3, 3): variances of place, its covariances with velocity,
    variances of velocity, axis by axis."""
    if kind == FRAMES:
        x[:], sd[:] = 0.0, 0.0
        sd[0] = 1.0
        x[:3] = m.recent[0, 1:]
        x[3:6] = raw[LAGGED : LAGGED + 3]
        return
    x[:] = m.x
    for i in range(3):
        sd[0, i], sd[1, i], sd[2, i] = m.P[i, i], m.P[i, 3 + i], m.P[3 + i, 3 + i]
    sd[0, 2] += m.P[HEIGHT, HEIGHT] + 2.0 * m.P[2, HEIGHT]
    sd[1, 2] += m.P[5, HEIGHT]


@kernel
def unit(sd, t, out):
    """Standard deviations out (3,) m, t s on, of a ball in free flight."""
    for i in range(3):
        square = sd[0, i] + 2.0 * t * sd[1, i] + t * t * sd[2, i]
        out[i] = np.sqrt(max(square, LEAST_UNIT**2))


@kernel
def straight(x, times, out):
    """Places out (H, 3) m at times (H,) s of a ball that keeps its velocity."""
    for k in range(len(times)):
        for i in range(3):
            out[k, i] = x[i] + times[k] * x[3 + i]


@kernel
def base(kind, place, landing, x, sd, times, places, where, scale):
    """Fill places (H, 3) m at times (H,) s, the baseline's landing `where` (4,) s and m, and its unit `scale` (4,)."""
    if kind == FRAMES:
        straight(x, times, places)
        where[0], scale[:] = 0.0, 1.0
        where[1:] = x[:3]
        return
    until, none = np.append(times, max(LANDS, times[-1] + 1e-6)), np.empty(0)
    path, met = np.empty((len(until), 6)), np.empty((MOST_CONTACTS, MET))
    fly(place, launch_of(x), until, none, path, np.empty((0, 3, 0)), met)
    places[:] = path[:-1, :3]
    places[:, 2] += x[HEIGHT]
    where[0] = LANDS
    where[1:] = path[-1, :3]
    fall = SLOW
    for n in range(len(met)):
        if met[n, 0] < where[0] and landing[int(met[n, 1])]:
            where[0] = met[n, 0]
            where[1:] = met[n, 2:5]
            fall = max(SLOW, abs(met[n, 5]))
            break
    where[3] += x[HEIGHT]
    unit(sd, where[0], scale[1:])
    scale[0] = scale[3] / fall


@kernel
def shown(places, where, x, out):
    """What a network is shown of its baseline, out (SEEN,): places at the knots and the landing, from the spot x on."""
    for k in range(KNOTS):
        for i in range(3):
            out[3 * k + i] = places[k, i] - x[i]
    out[3 * KNOTS] = where[0]
    for i in range(3):
        out[3 * KNOTS + 1 + i] = where[1 + i] - x[i]


@kernel
def both(kind, place, landing, x, sd, times, places, knots, where, scale):
    """`base` at times (H,) s and at the knots (KNOTS, 3), in one flight."""
    every, order = np.empty(len(times) + KNOTS), np.empty(len(times) + KNOTS, np.int64)
    n, k = 0, 0
    for m in range(len(every)):
        knot = STEP * (k + 1)
        if n < len(times) and (k == KNOTS or times[n] <= knot):
            every[m], order[m], n = times[n], KNOTS + n, n + 1
        else:
            every[m], order[m], k = knot, k, k + 1
    out = np.empty((len(every), 3))
    base(kind, place, landing, x, sd, every, out, where, scale)
    for m in range(len(every)):
        if order[m] < KNOTS:
            knots[order[m]] = out[m]
        else:
            places[order[m] - KNOTS] = out[m]
