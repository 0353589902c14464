"""What a network reads of every frame, from times and positions alone. Compiled.

Two sets, by name:
    filter    what the running filter (kalman.py) believes at the frame, how sure it is, and how the frame surprised it
    frames    the last frames as they are, displacements and gaps: no memory beyond them
Missing frames are simply absent; gaps are read.
"""

import math

import numpy as np

from ballcast.models.estimation.fit import UNKNOWNS
from ballcast.models.estimation.kalman import HISTORY_FRAMES, observe, store_frame
from ballcast.models.estimation.linear import cholesky
from ballcast.sim.jit import kernel

FILTER, FRAMES = 0, 1
FEATURE_SETS = {"filter": FILTER, "frames": FRAMES}
FRAME_LAGS = np.array([1, 2, 3, 4, 6, 8, 12, 16])  # frames back, of `frames`
FILTER_LAGS = np.array([2, 4, 8])  # of `filter`
FEATURE_SIZES = {"filter": 2 * UNKNOWNS + 12 + 3 * len(FILTER_LAGS), "frames": 3 + 4 * len(FRAME_LAGS)}
MIN_SD = 1e-9
MAX_AGE, CONTACT_DECAY = 2.0, 0.1  # s
assert max(FRAME_LAGS) < HISTORY_FRAMES


@kernel
def extract(feature_set, sport, filter_prior, state, t, y, out):
    """Take a frame at t s, y (3,) m into memory m, and tell its features out (F,)."""
    before = state.recent_frames[0, 0]
    if feature_set == FRAMES:
        store_frame(state, t, y)
        _lag_features(state, FRAME_LAGS, out)
    else:
        observe(sport, filter_prior, state, t, y)
        _filter_features(state, t - before if state.frames > 1 else 0.0, out)


@kernel
def _lag_features(state, lags, out):
    """Place, then for each lag the gap and the mean velocity over it; 0 where there were not so many frames."""
    now = state.recent_frames[0]
    out[:] = 0.0
    out[:3] = now[1:]
    for n in range(len(lags)):
        if lags[n] < state.frames:
            then, k = state.recent_frames[lags[n]], 3 + 4 * n
            out[k] = now[0] - then[0]
            for i in range(3):
                out[k + 1 + i] = (now[1 + i] - then[1 + i]) / out[k]


@kernel
def _filter_features(state, gap, out):
    """Means and standard deviations of the unknowns, surprise, sensor, times, recent motion beside that believed."""
    for k in range(UNKNOWNS):
        out[k] = state.x[k]
        out[UNKNOWNS + k] = 0.5 * math.log(max(state.P[k, k], MIN_SD**2))
    k = 2 * UNKNOWNS
    for i in range(3):
        out[k + i] = math.asinh(state.innovation[i] / state.innovation_sd[i])
    for i in range(4):
        out[k + 3 + i] = 0.5 * math.log(state.noise[i] + 1e-12)
    out[k + 7], out[k + 8] = math.log1p(state.mahalanobis2), math.log(state.inflation)
    out[k + 9] = math.log(gap + 1e-3)
    t = state.recent_frames[0, 0]
    out[k + 10], out[k + 11] = (
        min(t - state.start_time, MAX_AGE),
        math.exp((state.last_contact_time - t) / CONTACT_DECAY),
    )
    k += 12
    for lag in FILTER_LAGS:
        back = min(lag, state.frames - 1)
        for i in range(3):
            displacement = state.recent_frames[0, 1 + i] - state.recent_frames[back, 1 + i]
            seconds = t - state.recent_frames[back, 0]
            out[k + i] = math.asinh(displacement / seconds - state.x[3 + i]) if back > 0 else 0.0
        k += 3


@kernel
def active_cholesky(P, active_unknowns, L):
    """L (D, D), lower, of the active unknowns' covariance L L^T, a hair widened (without one, the diagonal)."""
    sd = np.empty(len(active_unknowns))
    for i in range(len(active_unknowns)):
        sd[i] = math.sqrt(max(P[active_unknowns[i], active_unknowns[i]], MIN_SD**2))
    correlation = np.empty(L.shape)
    for i in range(len(active_unknowns)):
        for j in range(len(active_unknowns)):
            correlation[i, j] = P[active_unknowns[i], active_unknowns[j]] / (sd[i] * sd[j])
        correlation[i, i] += 1e-6
    if not cholesky(correlation, L):
        L[:] = np.eye(len(active_unknowns))
    for i in range(len(active_unknowns)):
        for j in range(i + 1):
            L[i, j] *= sd[i]
