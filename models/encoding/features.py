"""What a network reads of every frame, from times and positions alone. Compiled.

Two sets of features, by name:
    filter    the running filter's estimate (kalman.py), its uncertainty, and the innovation of the frame
    frames    the last frames: displacements and gaps, no memory beyond them
Missing frames are absent; the gaps in time are features.
"""

import math
from typing import NamedTuple

import numpy as np

from ballcast.models.estimation.kalman import HISTORY_FRAMES, observe, store_frame, summary
from ballcast.models.estimation.linear import cholesky_with_jitter
from ballcast.models.estimation.prior import FilterPrior
from ballcast.models.estimation.unknowns import UNKNOWNS
from ballcast.sim.jit import kernel

FILTER, FRAMES = 0, 1
FEATURE_SETS = {"filter": FILTER, "frames": FRAMES}
FRAME_LAGS = (1, 2, 3, 4, 6, 8, 12, 16)  # frames back, of `frames`
FILTER_LAGS = (2, 4, 8)  # of `filter`
FEATURE_SIZES = {"filter": 2 * UNKNOWNS + 12 + 3 * len(FILTER_LAGS), "frames": 3 + 4 * len(FRAME_LAGS)}
MIN_SD = 1e-9
JITTER = 1e-6  # fraction of the variances, added to them
MAX_AGE, CONTACT_DECAY = 2.0, 0.1  # s
assert max(FRAME_LAGS) < HISTORY_FRAMES


class FeatureFrontend(NamedTuple):
    """What turns frames into features."""

    feature_set: int  # FILTER or FRAMES
    sport: tuple  # the compiled sport
    filter_prior: FilterPrior
    surfaces_absent: float  # 1 if the sport's optional surfaces are absent: the last feature


@kernel
def extract(frontend, state, t, y, out):
    """Update the filter state with a frame at t s, y (3,) m, and fill its features (F + 1,)."""
    before = state.recent_frames[0, 0]
    if frontend.feature_set == FRAMES:
        store_frame(state, t, y)
        _lag_features(summary(state), out[:-1])
    else:
        observe(frontend.sport, frontend.filter_prior, state, t, y)
        _filter_features(summary(state), t - before if state.frames > 1 else 0.0, out[:-1])
    out[-1] = frontend.surfaces_absent


@kernel
def _lag_features(known, out):
    """Position, then for each lag the gap and the mean velocity over it; 0 if there are too few frames."""
    now = known.recent_frames[0]
    out[:] = 0.0
    out[:3] = now[1:]
    k = 3
    for lag in FRAME_LAGS:
        if lag < known.frames:
            then = known.recent_frames[lag]
            out[k] = now[0] - then[0]
            for i in range(3):
                out[k + 1 + i] = (now[1 + i] - then[1 + i]) / out[k]
        k += 4


@kernel
def _filter_features(known, gap, out):
    """Estimate and standard deviations, innovation, noise, times, and recent motion relative to the estimate."""
    for k in range(UNKNOWNS):
        out[k] = known.mean[k]
        out[UNKNOWNS + k] = 0.5 * math.log(max(known.covariance[k, k], MIN_SD**2))
    k = 2 * UNKNOWNS
    for i in range(3):
        out[k + i] = math.asinh(known.innovation[i] / known.innovation_sd[i])
    for i in range(4):
        out[k + 3 + i] = 0.5 * math.log(known.noise[i] + 1e-12)
    out[k + 7], out[k + 8] = math.log1p(known.mahalanobis2), math.log(known.inflation)
    out[k + 9] = math.log(gap + 1e-3)
    t = known.recent_frames[0, 0]
    out[k + 10] = min(t - known.start_time, MAX_AGE)
    out[k + 11] = math.exp((known.last_contact_time - t) / CONTACT_DECAY)
    k += 12
    for lag in FILTER_LAGS:
        back = min(lag, known.frames - 1)
        for i in range(3):
            displacement = known.recent_frames[0, 1 + i] - known.recent_frames[back, 1 + i]
            seconds = t - known.recent_frames[back, 0]
            out[k + i] = math.asinh(displacement / seconds - known.mean[3 + i]) if back > 0 else 0.0
        k += 3


@kernel
def active_cholesky(covariance, active_unknowns, L):
    """Fill L (D, D), lower: L L^T is the covariance of the active unknowns, with JITTER."""
    block = np.empty(L.shape)
    for i in range(len(active_unknowns)):
        for j in range(len(active_unknowns)):
            block[i, j] = covariance[active_unknowns[i], active_unknowns[j]]
    cholesky_with_jitter(block, JITTER, L)
