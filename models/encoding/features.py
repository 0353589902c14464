"""What a network reads of every frame, from times and positions alone. Compiled.

Two sets, by name:
    filter    what the running filter (kalman.py) believes at the frame, how sure it is, and how the frame surprised it
    frames    the last frames as they are, displacements and gaps: no memory beyond them
Missing frames are simply absent; gaps are read.
"""

import math

import numpy as np
from ballcast.models.estimation.fit import SIZE
from ballcast.models.estimation.kalman import RECENT, keep, observe
from ballcast.models.estimation.linear import cholesky
from ballcast.sim.jit import kernel

FILTER, FRAMES = 0, 1
SETS = {"filter": FILTER, "frames": FRAMES}
LAGS = np.array([1, 2, 3, 4, 6, 8, 12, 16])  # frames back, of `frames`
FEW = np.array([2, 4, 8])  # of `filter`
SIZES = {"filter": 2 * SIZE + 12 + 3 * len(FEW), "frames": 3 + 4 * len(LAGS)}
LEAST_SD = 1e-9
LONG, BRIEF = 2.0, 0.1  # s
assert max(LAGS) < RECENT


@kernel
def read(kind, place, start, m, t, y, out):
    """Take a frame at t s, y (3,) m into memory m, and tell its features out (F,)."""
    before = m.recent[0, 0]
    if kind == FRAMES:
        keep(m, t, y)
        _lags(m, LAGS, out)
    else:
        observe(place, start, m, t, y)
        _beliefs(m, t - before if m.frames > 1 else 0.0, out)


@kernel
def _lags(m, lags, out):
    """Place, then for each lag the gap and the mean velocity over it; 0 where there were not so many frames."""
    now = m.recent[0]
    out[:] = 0.0
    out[:3] = now[1:]
    for n in range(len(lags)):
        if lags[n] < m.frames:
            then, k = m.recent[lags[n]], 3 + 4 * n
            out[k] = now[0] - then[0]
            for i in range(3):
                out[k + 1 + i] = (now[1 + i] - then[1 + i]) / out[k]


@kernel
def _beliefs(m, gap, out):
    """Means and standard deviations of the unknowns, surprise, sensor, times, recent motion beside that believed."""
    for k in range(SIZE):
        out[k] = m.x[k]
        out[SIZE + k] = 0.5 * math.log(max(m.P[k, k], LEAST_SD**2))
    k = 2 * SIZE
    for i in range(3):
        out[k + i] = math.asinh(m.innovation[i] / m.innovation_sd[i])
    for i in range(4):
        out[k + 3 + i] = 0.5 * math.log(m.sensor[i] + 1e-12)
    out[k + 7], out[k + 8] = math.log1p(m.square), math.log(m.widened)
    out[k + 9] = math.log(gap + 1e-3)
    t = m.recent[0, 0]
    out[k + 10], out[k + 11] = min(t - m.since, LONG), math.exp((m.contact - t) / BRIEF)
    k += 12
    for lag in FEW:
        back = min(lag, m.frames - 1)
        for i in range(3):
            moved = m.recent[0, 1 + i] - m.recent[back, 1 + i]
            seconds = t - m.recent[back, 0]
            out[k + i] = math.asinh(moved / seconds - m.x[3 + i]) if back > 0 else 0.0
        k += 3


@kernel
def whitener(P, active, L):
    """L (D, D), lower, of the active unknowns' covariance L L^T, a hair widened (without one, the diagonal)."""
    D = np.empty(len(active))
    for i in range(len(active)):
        D[i] = math.sqrt(max(P[active[i], active[i]], LEAST_SD**2))
    R = np.empty(L.shape)
    for i in range(len(active)):
        for j in range(len(active)):
            R[i, j] = P[active[i], active[j]] / (D[i] * D[j])
        R[i, i] += 1e-6
    if not cholesky(R, L):
        L[:] = np.eye(len(active))
    for i in range(len(active)):
        for j in range(i + 1):
            L[i, j] *= D[i]
