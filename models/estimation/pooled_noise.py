"""The noise of a tracker by all tracks together: of the axes, and of the time stamps.

The noise of a stamp acts along the velocity. One track hardly tells it from the noise of an axis; balls that fly in
other directions and at other speeds do. Residuals r (3,) m of a flight with velocity v have the covariance
diag(axes) + jitter v v^T, to which the uncertainty of the flight is no part: it is added to their squares.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize

from ballcast.models.estimation.track_messages import Air, TrackFit, linearised
from ballcast.models.estimation.unknowns import UNKNOWNS

MAX_SQUARE = 11.34  # standard deviations squared: 99 in 100 frames are nearer, a frame farther off is an outlier
KEPT_VARIANCE = 0.957  # of the variance that is left without those frames
MODEL_ERROR = 0.007  # of the logarithms: the flights are not exact, nor is the share of outliers
ROUNDS = 5  # of leaving out outliers
MIN_SD = 1e-5  # m, s
STEP = 1e-3  # of logarithms, of the numerical derivatives
FRAMES_EACH = 150  # of a track, evenly chosen


class Noise(NamedTuple):
    """Standard deviations of the axes (m) and of the stamps (s)."""

    sd: np.ndarray  # (4,)
    error: np.ndarray  # (4,) of their logarithms
    between: np.ndarray  # (4,) by how much the logarithms differ from track to track


def pool(air: Air, fits: Sequence[TrackFit]) -> Noise:
    """The Noise of all fits together."""
    moments, velocities = _moments(air, fits)
    owner = np.concatenate([np.full(len(m), j) for j, m in enumerate(moments)])
    M, v = np.concatenate(moments), np.concatenate(velocities)

    middle = np.log(np.sqrt(np.median([fit.fit.noise[:4] for fit in fits], axis=0)) + MIN_SD)
    for _ in range(ROUNDS):
        keep = _parts(middle, M, v)[0] < MAX_SQUARE
        found = minimize(_total, middle, (M[keep], v[keep]), "L-BFGS-B", bounds=[(math.log(MIN_SD), 0.0)] * 4)
        middle = found.x - 0.5 * math.log(KEPT_VARIANCE)
    M, v, owner = M[keep], v[keep], owner[keep]
    scores = [(_costs(middle + e, M, v) - _costs(middle - e, M, v)) / (2.0 * STEP) for e in STEP * np.eye(4)]
    by_track = np.array([np.bincount(owner, row, len(fits)) for row in scores])  # (4, J)
    hessian = _hessian(lambda x: _total(x, M, v), middle)
    inverse = np.linalg.inv(hessian + 1e-6 * np.eye(4) * np.diag(hessian).max())
    covariance = inverse @ (by_track @ by_track.T) @ inverse * len(fits) / max(len(fits) - 1, 1)
    own = 0.5 * np.log(np.array([fit.fit.noise[:4] for fit in fits]))
    sampling = np.mean([1.0 / (2.0 * max(len(m), 2)) for m in moments])
    between = np.sqrt(np.maximum(own.var(axis=0) - sampling, 0.0))
    return Noise(np.exp(middle), np.sqrt(np.diag(covariance) + MODEL_ERROR**2), between)


def _moments(air, fits):
    """For each track the second moments (T, 3, 3) of its residuals, and velocities (T, 3)."""
    moments, velocities = [], []
    for fit in fits:
        path, jacobian = linearised(air, fit)
        rows = np.unique(np.linspace(0, len(path) - 1, min(len(path), FRAMES_EACH)).round().astype(int))
        J, r = jacobian[rows][:, :, :UNKNOWNS], fit.position[rows] - path[rows, :3]
        C = fit.fit.covariance / max(fit.fit.noise_factor, 1.0)
        moments.append(r[:, :, None] * r[:, None] + J @ C @ J.transpose(0, 2, 1))
        velocities.append(path[rows, 3:])
    return moments, velocities


def _parts(logs, M, v):
    """Squared residuals (N,) in standard deviations, and logarithms of the determinants."""
    s, jitter = np.exp(2.0 * logs[:3]), math.exp(2.0 * logs[3])
    a = v / s
    inflation = 1.0 + jitter * (v * a).sum(axis=1)
    square = (np.einsum("nkk->nk", M) / s).sum(axis=1) - jitter * np.einsum("nk,nkl,nl->n", a, M, a) / inflation
    return square, np.log(inflation) + np.log(s).sum()


def _costs(logs, M, v):
    square, log_determinant = _parts(logs, M, v)
    return 0.5 * (square + log_determinant)


def _total(logs, M, v):
    return float(_costs(logs, M, v).sum())


def _hessian(cost, x):
    """The second derivatives (4, 4) of a cost, numerically."""
    h, E = 10.0 * STEP, np.eye(len(x))
    terms = [[cost(x + h * a + h * b) - cost(x + h * a - h * b) - cost(x - h * a + h * b) + cost(x - h * a - h * b)
              for b in E] for a in E]  # fmt: skip
    return np.array(terms) / (4.0 * h * h)
