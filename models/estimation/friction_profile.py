"""What tracks tell of friction, of which a ball that grips tells a lower bound alone.

Above a border every friction gives the same flight (friction.py), so a Gaussian says too much or too little. Each track
is fitted at several frictions; its best costs, the profile, are its likelihood. The friction of the place and how balls
differ in it follow on a grid, without linearisation.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.interpolate import PchipInterpolator

from ballcast.models.estimation.fit import map_fit
from ballcast.models.estimation.friction import PIN_SD
from ballcast.models.estimation.prior import Prior
from ballcast.models.estimation.track_messages import TrackFit
from ballcast.sim.kernels.compiled_sport import CompiledSport
from ballcast.sim.kernels.layout import FRICTION

NODES = np.array([-1.0, -0.6, -0.35, -0.2, -0.1, 0.0, 0.1, 0.2, 0.35, 0.6, 1.0])  # logarithms of factors
NEAR = np.array([-0.08, -0.03, 0.0, 0.03, 0.08])  # about the friction of the track's own fit
GRID = np.linspace(-1.0, 1.0, 101)
TAUS = np.exp(np.linspace(math.log(0.02), math.log(0.4), 16))
TAU_SPREAD = 0.7  # of the logarithm of tau about the sport's own
MAX_FLIGHTS, MAX_TRACKS = np.int64(8), 80  # flights of a fit; tracks, evenly chosen
MAX_FALL = 40.0  # of a logarithm of a likelihood
OPEN_FALL = 1.92  # of the log-likelihood at the end of the grid: a smaller one leaves it open (chi-squared, 95 %)
QUANTILES = 0.025, 0.5, 0.975


class Friction(NamedTuple):
    """The friction of a place, as logarithms of factors."""

    middle: float  # median
    sd: float
    low: float  # of the 95 % interval; -inf or inf where the tracks set no such bound
    high: float
    tau: float  # how balls differ
    tracks: int  # that touched the surface


def profile(sport: CompiledSport, track: TrackFit, prior: Prior) -> np.ndarray:
    """The log-likelihood of a track (GRID,) at each friction, all else as is best; the largest is 0."""
    fit = track.fit
    known = prior._replace(noise=fit.noise, pseudo_frames=0.0, noise_factor=fit.noise_factor)
    best = min(max(float(fit.x[FRICTION]), NODES[0]), NODES[-1])
    nodes = np.unique(np.clip([*NODES, *(best + NEAR)], NODES[0], NODES[-1]).round(4))
    costs, middle = np.empty(len(nodes)), int(np.abs(nodes - best).argmin())
    for order in (range(middle, len(nodes)), range(middle - 1, -1, -1)):
        x = fit.x.copy()
        for k in order:
            x[FRICTION] = nodes[k]
            at = map_fit(sport, track.time, track.position, x, _pinned(known, nodes[k]), MAX_FLIGHTS)
            costs[k], x = at.cost, at.x.copy()
    return np.maximum(PchipInterpolator(nodes, costs.min() - costs)(GRID), -MAX_FALL)


def _pinned(prior, friction):
    mean, precision = prior.mean.copy(), prior.precision.copy()
    mean[FRICTION], precision[FRICTION, FRICTION] = friction, PIN_SD**-2
    return prior._replace(mean=mean, precision=precision)


def estimate(profiles: Sequence[np.ndarray], weights: np.ndarray, mean: float, sd: float, own: float) -> Friction:
    """The Friction by the profiles (J, GRID) of tracks with weights (J,).

    mean, sd: what was known of the place; own: how balls were thought to differ.
    """
    likelihood = np.array([_place_likelihood(profiles, weights, tau) for tau in TAUS])  # (TAUS, GRID)
    posterior = likelihood - 0.5 * ((GRID - mean) / sd) ** 2
    posterior -= 0.5 * (np.log(TAUS / own)[:, None] / TAU_SPREAD) ** 2
    p = np.exp(posterior - posterior.max())
    p /= p.sum()
    over_theta = p.sum(axis=0)
    low, middle, high = (float(np.interp(q, np.cumsum(over_theta), GRID)) for q in QUANTILES)
    ends = likelihood.max(axis=0)
    is_open = ends[[0, -1]] > ends.max() - OPEN_FALL
    spread = math.sqrt(float(over_theta @ (GRID - over_theta @ GRID) ** 2))
    tau = float(p.sum(axis=1) @ TAUS)
    return Friction(
        middle, spread, -math.inf if is_open[0] else low, math.inf if is_open[1] else high, tau, len(profiles)
    )


def _place_likelihood(profiles, weights, tau):
    """The log-likelihood (GRID,) of the place's friction, if balls differ by tau."""
    kernel = np.exp(-0.5 * ((GRID[:, None] - GRID) / tau) ** 2)
    kernel /= kernel.sum(axis=1, keepdims=True)
    return sum((w * np.log(kernel @ np.exp(row) + 1e-300) for w, row in zip(weights, profiles)), np.zeros(len(GRID)))
