"""What a place's own launches tell of a ball, as those of a launcher whose balls all start at one point.

A track that begins with one of them is fitted with that launch as its prior. The fits, and the one that knows no
launch, are compared by their evidence (Laplace's approximation); so a ball that begins elsewhere is left as it is.
"""

import math

import numpy as np

from ballcast.models.estimation.fit import Fit, map_fit
from ballcast.models.estimation.prior import ANYWHERE_SD, MIN_OTHERS, Prior, launch_priors, sport_prior
from ballcast.sim.kernels.compiled_sport import CompiledSport
from ballcast.sim.sport import Sport


class Launches:
    """The measured launches of a sport; false if it has none."""

    def __init__(self, sport: Sport):
        found = launch_priors(sport)
        self.priors = [prior for _, prior in found]
        self.log_terms = [_log_terms(weight, prior.precision) for weight, prior in found]
        wide = sport_prior(sport).precision
        wide[:3, :3] = np.eye(3) / ANYWHERE_SD**2
        self.wide_terms = _log_terms(max(1.0 - sum(weight for weight, _ in found), MIN_OTHERS), wide)

    def __bool__(self) -> bool:
        return bool(self.priors)

    def fit(
        self, sport: CompiledSport, t: np.ndarray, y: np.ndarray, fit: Fit, prior: Prior, max_flights: int
    ) -> tuple[Fit, Prior]:
        """(Fit, its Prior) of frames t (T,) s and y (T, 3) m with the launch that explains them best.

        fit, prior: without one; they are returned if that is as likely.
        """
        best = fit, prior
        largest = _log_evidence(fit, self.wide_terms)
        for launch, terms in zip(self.priors, self.log_terms):
            x = fit.x.copy()
            other = map_fit(sport, t, y, x, launch, max_flights)
            if (evidence := _log_evidence(other, terms)) > largest:
                best, largest = (other, launch), evidence
        return best


def _log_terms(weight, precision):
    return math.log(weight) + 0.5 * float(np.linalg.slogdet(precision)[1])


def _log_evidence(fit, terms):
    """The logarithm of the evidence of a Fit, but for what all fits of these frames share."""
    return terms - fit.cost + 0.5 * float(np.linalg.slogdet(fit.covariance)[1])
