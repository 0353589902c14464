"""The network says what it believes of the ball, the simulator flies that belief ahead: through impacts, to any time.

The running filter has a Gaussian belief; the network, which remembers how the filter was surprised, moves and reshapes
it; draws of the outcome fly in the engine's lanes.
"""

from collections import namedtuple

import numpy as np
from ballcast.models.contract import Forecast, Landing
from ballcast.models.encoding.decoding import factor
from ballcast.models.encoding.features import whitener
from ballcast.models.encoding.nominal import KNOTS, STEP
from ballcast.models.estimation.fit import SIZE
from ballcast.models.estimation.kalman import hold
from ballcast.models.estimation.posterior import (
    LOG_SHARE,
    first_landings,
    fly_each,
    likeliest_landing,
    sky,
    spread_about_first,
    standard_draws,
)
from ballcast.models.predictors.neural import Neural
from ballcast.models.predictors.physics import AHEAD, UNSETTLED, Found, believed
from ballcast.models.runtime.network import believe
from ballcast.sim.jit import kernel
from ballcast.sim.kernels.lanes import LOG

DRAWS, GROUP = 18, 8  # of a ball; balls whose draws share the engine's lanes
# of B balls: belief x (B, 16) and its covariance (B, 16, 16); at H times mean (B, H, 3) m, covariance (B, H, 3, 3) and
# draws (B, K, H, 3); the landing as in recurrent.py
Flown = namedtuple("Flown", "x P mean covariance places probability landing landing_covariance")


class GruPhysics(Neural):
    """The network's belief, flown ahead by the simulator. Shows the spin and the parameters it believes in."""

    name = "gru_physics"

    def __init__(self, sport, path=None):
        super().__init__(sport, path)
        self.sky = sky(sport, np.float32)
        self.standard = np.ascontiguousarray(standard_draws(DRAWS)[:, : len(self.active)])
        widen = self.info.get("widen", {})
        self.widen = np.array([1.0, *widen.get("flown", np.ones(KNOTS))]), float(widen.get("flown_landing", 1.0))

    def blank(self, count, asked):
        return Flown(
            np.zeros((count, SIZE)), np.zeros((count, SIZE, SIZE)), np.empty((count, asked, 3)),
            np.empty((count, asked, 3, 3)), np.empty((count, DRAWS, asked, 3), np.float32),
            np.empty(count), np.empty((count, 4)), np.empty((count, 4, 4)),
        )  # fmt: skip

    def ahead(self, watch, rows, times, out):
        told = self.brain, self.sky, self.active, self.landing, self.standard, self.widen
        fly_ahead(*told, watch.h[rows], watch.x[rows], watch.memories[rows], times, out)

    def said(self, ahead, n, last):
        landing = None
        if ahead.probability[n] >= 0.5:
            at = ahead.landing[n]
            landing = Landing(last + at[0], at[1:], ahead.landing_covariance[n], float(ahead.probability[n]))
        belief = believed(Found(ahead.x[n], ahead.P[n]))
        return Forecast(ahead.mean[n], ahead.covariance[n], ahead.places[n], landing, belief)


@kernel
def fly_ahead(brain, sky, active, landing, standard, widen, h, x, memories, times, out):
    """What is Flown, into out, of balls with memories h (B, H), features x (B, F), at times (B, H) s from their last
    frames."""
    (count, asked), K = times.shape, len(standard)
    X, P, mean, covariance, places, probability, at, spread = out
    told = believe(brain, x, h)
    for first in range(0, count, GROUP):
        last = min(first + GROUP, count)
        draws, asks = np.empty(((last - first) * K, SIZE)), np.empty(((last - first) * K, asked))
        for b in range(first, last):
            own = slice((b - first) * K, (b - first + 1) * K)
            _draw(memories[b], told[b], active, standard, X[b], P[b], draws[own])
            asks[own] = times[b]
        landings = _fly(sky, landing, draws, asks, places[first:last].reshape((len(draws), asked, 3)), K)
        for b in range(first, last):
            own = slice((b - first) * K, (b - first + 1) * K)
            probability[b], at[b], spread[b] = likeliest_landing(landings[own], len(landing))
            spread[b] *= widen[1]
            mean[b], covariance[b] = places[b, 0], spread_about_first(places[b])
            for k in range(asked):
                s = min(times[b, k] / STEP, KNOTS - 1e-9)
                n = int(s)
                covariance[b, k] *= widen[0][n] + (s - n) * (widen[0][n + 1] - widen[0][n])


@kernel
def _draw(m, told, active, standard, x, P, draws):
    """The belief x (16,), P (16, 16) that is told beside the filter's, and draws (K, 16) of it."""
    size = len(active)
    L = np.empty((size, size))
    whitener(m.P, active, L)
    A = L @ factor(told[size : 2 * size], told[2 * size :])
    off, strayed, C = L @ told[:size].astype(np.float64), standard @ A.T, A @ A.T
    x[:] = m.x
    for i in range(size):
        x[active[i]] += off[i]
        for j in range(size):
            P[active[i], active[j]] = C[i, j]
    for n in range(len(draws)):
        draws[n] = x
        for i in range(size):
            draws[n, active[i]] += strayed[n, i]
        hold(draws[n])
    x[:] = draws[0]


@kernel
def _fly(sky, landing, draws, times, places, K):
    """Fly the draws of B balls, K each, into places (B K, H, 3) m at times (B K, H) s; their first landings (B K, 5).

    Where too many of a ball's draws have not landed by the last time, those fly on.
    """
    log = np.empty((LOG_SHARE * len(draws), LOG))
    used = fly_each(sky, draws, times, places, log)
    landings, late = first_landings(log, used, landing, draws), np.zeros(len(draws), np.bool_)
    for first in range(0, len(draws), K):
        own = slice(first, first + K)
        if times[first, -1] < AHEAD and (landings[own, 0] == np.inf).mean() > UNSETTLED:
            late[own] = landings[own, 0] == np.inf
    if late.any():
        left = draws[late]
        used = fly_each(sky, left, np.full((1, 1), AHEAD), np.empty((len(left), 1, 3), np.float32), log)
        landings[late] = first_landings(log, used, landing, left)
    return landings
