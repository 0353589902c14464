"""The network says what it believes of the ball, the simulator flies that belief ahead: through impacts, to any time.

The running filter has a Gaussian belief; the network, which remembers how the filter was surprised, moves and reshapes
it; draws of the outcome fly in the engine's lanes.
"""

from collections import namedtuple

import numpy as np

from models.baseline import KNOTS, STEP
from models.features import whitener
from models.fit import SIZE
from models.kalman import hold
from models.network import believe
from models.neural import Neural
from models.physics import AHEAD, UNSETTLED, believed
from models.posterior import LOG_SHARE, first_landings, fly_draws, likeliest_landing, spread_about_first, standard_draws
from models.predictor import Forecast, Landing
from models.told import factor
from sim.compiled import kernel
from sim.lanes import LOG

DRAWS = 24
# of B balls: belief x (B, 16) and its covariance (B, 16, 16); at H times mean (B, H, 3) m, covariance (B, H, 3, 3) and
# draws (B, K, H, 3); the landing as in recurrent.py
Flown = namedtuple("Flown", "x P mean covariance places probability landing landing_covariance")
Believed = namedtuple("Believed", "last last_covariance")


class GruPhysics(Neural):
    """The network's belief, flown ahead by the simulator. Shows the spin and the parameters it believes in."""

    name = "gru_physics"

    def __init__(self, sport, path=None):
        super().__init__(sport, path)
        self.standard = np.ascontiguousarray(standard_draws(DRAWS)[:, : len(self.active)])
        widen = self.info.get("widen", {})
        self.widen = np.array([1.0, *widen.get("flown", np.ones(KNOTS))]), float(widen.get("flown_landing", 1.0))

    def ahead(self, watch, rows, times):
        told = self.brain, self.eye.place, self.active, self.landing, self.standard, self.widen
        return flown(*told, watch.h[rows], watch.x[rows], watch.memories[rows], times)

    def said(self, ahead, n, last):
        landing = None
        if ahead.probability[n] >= 0.5:
            at = ahead.landing[n]
            landing = Landing(last + at[0], at[1:], ahead.landing_covariance[n], float(ahead.probability[n]))
        belief = believed(Believed(ahead.x[n], ahead.P[n]))
        return Forecast(ahead.mean[n], ahead.covariance[n], ahead.places[n], landing, belief)


@kernel
def flown(brain, place, active, landing, standard, widen, h, x, memories, times):
    """What is Flown of balls with memories h (B, H), features x (B, F), at times (B, H) s from their last frames."""
    count, asked, size = times.shape[0], times.shape[1], len(active)
    X, P = np.empty((count, SIZE)), np.zeros((count, SIZE, SIZE))
    mean, covariance = np.empty((count, asked, 3)), np.empty((count, asked, 3, 3))
    places = np.empty((count, len(standard), asked, 3))
    probability, at, spread = np.empty(count), np.empty((count, 4)), np.empty((count, 4, 4))
    told, L, log = believe(brain, x, h), np.empty((size, size)), np.empty((LOG_SHARE * len(standard), LOG))
    for b in range(count):
        m = memories[b]
        whitener(m.P, active, L)
        A = L @ factor(told[b, size : 2 * size], told[b, 2 * size :])
        off, draws = L @ told[b, :size].astype(np.float64), np.empty((len(standard), SIZE))
        strayed = standard @ A.T
        X[b] = m.x
        for i in range(size):
            X[b, active[i]] += off[i]
        C = A @ A.T
        for i in range(size):
            for j in range(size):
                P[b, active[i], active[j]] = C[i, j]
        for n in range(len(draws)):
            draws[n] = X[b]
            for i in range(size):
                draws[n, active[i]] += strayed[n, i]
            hold(draws[n])
        X[b] = draws[0]
        places[b], used = fly_draws(place, draws, times[b], log)
        landings = first_landings(log, used, landing, draws)
        if (landings[:, 0] == np.inf).mean() > UNSETTLED and times[b, -1] < AHEAD:
            _, used = fly_draws(place, draws, np.array([AHEAD]), log)
            landings = first_landings(log, used, landing, draws)
        probability[b], at[b], spread[b] = likeliest_landing(landings, len(landing))
        spread[b] *= widen[1]
        mean[b], covariance[b] = places[b, 0], spread_about_first(places[b])
        for k in range(asked):
            s = min(times[b, k] / STEP, KNOTS - 1e-9)
            n = int(s)
            covariance[b, k] *= widen[0][n] + (s - n) * (widen[0][n + 1] - widen[0][n])
    return Flown(X, P, mean, covariance, places, probability, at, spread)
