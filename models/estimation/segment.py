"""Which of the frames one flight explains: fits that drop old frames after a hit, and try other starts. Compiled."""

import numpy as np

from ballcast.models.estimation.arc import initial_arc, theil_sen_arc
from ballcast.models.estimation.fit import map_fit
from ballcast.sim.jit import kernel
from ballcast.sim.kernels.layout import DRAG, FRICTION

HEAVY_TAIL_DEGREES = 4.0  # of Student's t: so few make a fit doubtful
DOUBTFUL_FACTOR = 0.9  # so many times the usual factor for errors that last make a fit doubtful
OUTLIER_SQUARE = 20.0  # a squared residual that makes a fit doubtful
RESTART_FRAMES = (4, 9)  # numbers of frames that other starts are made from
GRIPPING = 1.0  # added to the logarithm of the friction where a ball is to grip
TRIAL_FLIGHTS, TRIAL_MARGIN = 3, 3.0  # flights of another start, and by how much its cost may then be larger
OUTLIER_WEIGHT = 0.1  # a frame with less weight is an outlier, or of another flight
MAX_OUTLIER_FRACTION = 0.15  # with more outliers, or with most of the latest, the frames are not of one flight
LATEST_FRAMES, MIN_FRAMES = 4, 5  # MIN_FRAMES are never dropped


@kernel
def fit_last_segment(sport, t, y, x, is_warm, prior, broad_prior, max_flights):
    """(Fit, first frame used) of as many of the last frames as one flight explains; after a hit, those since then.

    x (16,): the unknowns at t[0] if the start is warm; otherwise an arc through the first frames is the start. prior is
    of this ball; broad_prior is used once frames are dropped.
    """
    first = 0
    while True:
        if not is_warm:
            x = prior.mean.copy()
            x[:6] = initial_arc(t[first:], y[first:], sport.aero.gravity)
        fit = map_fit(sport, t[first:], y[first:], x, prior, max_flights)
        if not is_warm and _is_doubtful(fit, prior):
            fit = _multi_start(sport, t[first:], y[first:], fit, prior, max_flights)
        remaining = len(t) - first
        is_outlier = fit.weights < OUTLIER_WEIGHT
        is_rejected = is_outlier.mean() > MAX_OUTLIER_FRACTION or is_outlier[-LATEST_FRAMES:].mean() > 0.5
        if not is_rejected or remaining <= MIN_FRAMES:
            return fit, first
        first, is_warm, prior = len(t) - max(MIN_FRAMES, remaining // 2), False, broad_prior


@kernel
def _is_doubtful(fit, prior):
    """Whether a frame is farther off than noise explains, or many are off alike: the fit may miss a contact, or take it
    wrongly."""
    degrees = fit.noise[4]
    if fit.noise_factor > DOUBTFUL_FACTOR * prior.noise_factor:
        return True
    return degrees <= HEAVY_TAIL_DEGREES or (degrees + 3.0) / (fit.weights.min() + 1e-9) - degrees > OUTLIER_SQUARE


@kernel
def _multi_start(sport, t, y, fit, prior, max_flights):
    """The best of a Fit, of those that start from arcs through the very first frames, before an early contact, and of
    one that starts with a grip."""
    for count in RESTART_FRAMES:
        if count < len(t):
            x = prior.mean.copy()
            theil_sen_arc(t[:count], y[:count], sport.aero.gravity, x[:6])
            other = map_fit(sport, t, y, x, prior, np.int64(TRIAL_FLIGHTS))
            if other.cost < fit.cost + TRIAL_MARGIN:
                other = map_fit(sport, t, y, other.x, prior, max_flights // 2)
            if other.cost < fit.cost:
                fit = other
    if fit.first_contact < np.inf:  # it may have slipped where the ball gripped, with a drag that makes up for it
        x = fit.x.copy()
        x[DRAG], x[FRICTION] = prior.mean[DRAG], prior.mean[FRICTION] + GRIPPING
        other = map_fit(sport, t, y, x, prior, max_flights)
        if other.cost < fit.cost:
            fit = other
    return fit
