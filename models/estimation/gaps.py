"""What a fit does with a gap of seconds: which frames belong together, and where a fit starts that has few of them.

A flight across a long gap is chaotic where the ball bounces, and its fit slow. So a fit looks at the frames after the
last gap, unless the ball lies where it lay before, or one flight explains the first frames after the gap as well.
A ball at rest is a fit of its own, which steps from one that moves do not reach.
"""

import numpy as np

from ballcast.models.estimation.fit import Fit, map_fit
from ballcast.models.estimation.prior import Prior
from ballcast.models.estimation.segment import MIN_FRAMES, OUTLIER_WEIGHT, fit_last_segment
from ballcast.sim.kernels.compiled_sport import CompiledSport
from ballcast.sim.sport import Sport

GAP_FRACTION, MAX_GAP = 0.25, 0.75  # of the sport's track; s: a longer time without a frame is a gap
SPAN_FRACTION = 2.0  # of the sport's track: older frames say nothing of today's flight
ACROSS_FRACTION = 1.0  # of the sport's track: nothing is simulated across a longer gap
ACROSS_FLIGHTS = 4  # of the fit across a gap
REST_MARGIN = 3.0  # a fit at rest may cost so much more than one that moves, whose velocity follows the noise
STILL_SDS = 8.0  # of the sensor: frames so near to one another are of a ball at rest


def first_frame(sport: Sport, t: np.ndarray) -> int:
    """The first of the frames at t (T,) s that a fit looks at: after the last gap, and not too old."""
    gaps = np.flatnonzero(np.diff(t) > shortest_gap(sport))
    span = SPAN_FRACTION * sport.sensor.duration
    return max(int(gaps[-1]) + 1 if len(gaps) else 0, int(np.searchsorted(t, t[-1] - span)))


def shortest_gap(sport: Sport) -> float:
    """s: a longer time without a frame is a gap."""
    return min(GAP_FRACTION * sport.sensor.duration, MAX_GAP)


def fit_after_gap(
    sport: Sport, compiled: CompiledSport, t: np.ndarray, y: np.ndarray, start: int, prior: Prior, max_flights: int
) -> tuple[Fit, int]:
    """(Fit, first frame used) of frames t (T,) s and y (T, 3) m, of which those from `start` on are after a gap."""
    still = first_still_frame(sport, y)
    if still < start and len(t) - still >= 3:
        fit = map_fit(compiled, t[still:], y[still:], at_rest(compiled, y[still:], prior), prior, max_flights)
        if explains(fit, len(t) - still):
            return fit, still
    count = len(t) - start
    if count < MIN_FRAMES and t[start] - t[start - 1] < ACROSS_FRACTION * sport.sensor.duration:
        begin = first_frame(sport, t[:start])
        if start - begin >= MIN_FRAMES:
            before = t[begin:start], y[begin:start]
            fit, dropped = fit_last_segment(compiled, *before, prior.mean, False, prior, prior, max_flights)
            begin += dropped
            fit = map_fit(compiled, t[begin:], y[begin:], fit.x, prior, ACROSS_FLIGHTS)
            if explains(fit, count):
                return fit, begin
    fit, dropped = fit_frames(compiled, t[start:], y[start:], prior, max_flights)
    return fit, start + dropped


def rest_if_as_good(
    sport: Sport, compiled: CompiledSport, t: np.ndarray, y: np.ndarray, fit: Fit, prior: Prior, max_flights: int
) -> Fit:
    """The Fit of frames t (T,) s and y (T, 3) m; about the ball at rest, if that explains them nearly as well.

    A ball at rest tells nothing of how fast it may yet be: the spread stays that of the fit that moves.
    """
    is_far = max(abs(y[0] - y[-1])) > still_distance(sport)  # the same as below for most balls, and quicker
    if len(t) < MIN_FRAMES or is_far or first_still_frame(sport, y) > 0:
        return fit
    resting = map_fit(compiled, t, y, at_rest(compiled, y, prior), prior, max_flights)
    if not explains(resting, len(t)) or resting.cost > fit.cost + REST_MARGIN:
        return fit
    return resting._replace(covariance=fit.covariance, final_covariance=fit.final_covariance)


def at_rest(compiled: CompiledSport, y: np.ndarray, prior: Prior) -> np.ndarray:
    """Where the fit of a ball starts, (16,), that lies at y (T, 3) m: on the level surface nearest to it."""
    x, centre, surfaces = prior.mean.copy(), np.median(y, axis=0), compiled.surfaces
    is_over = (surfaces["low"][:, :2] <= centre[:2]).all(axis=1) & (centre[:2] <= surfaces["high"][:, :2]).all(axis=1)
    heights = (surfaces["high"][:, 2] + surfaces["contact_distance"])[is_over & (surfaces["supports"] > 0)]
    if len(heights):
        centre[2] = heights[np.argmin(abs(heights - centre[2]))]
    x[:3], x[3:9] = centre, 0.0
    return x


def fit_frames(
    compiled: CompiledSport, t: np.ndarray, y: np.ndarray, prior: Prior, max_flights: int
) -> tuple[Fit, int]:
    """As fit_last_segment from a cold start, for a single frame or two as well: they start from the prior."""
    if len(t) >= 3:
        return fit_last_segment(compiled, t, y, prior.mean, False, prior, prior, max_flights)
    x = prior.mean.copy()
    x[:3] = y[0]
    if len(t) == 2:
        x[3:6] = (y[1] - y[0]) / (t[1] - t[0])
    return map_fit(compiled, t, y, x, prior, max_flights), 0


def explains(fit: Fit, count: int) -> bool:
    """Whether none of the last `count` frames of a Fit is an outlier."""
    return bool((fit.weights[-count:] > OUTLIER_WEIGHT).all() and np.isfinite(fit.final).all())


def first_still_frame(sport: Sport, y: np.ndarray) -> int:
    """The first of the last frames y (T, 3) m that are all where the last one is."""
    moved = np.abs(y - y[-1]).max(axis=1) > still_distance(sport)
    return int(np.flatnonzero(moved)[-1] + 1) if moved.any() else 0


def still_distance(sport: Sport) -> float:
    """m: frames of a ball at rest are no farther from one another along an axis."""
    return STILL_SDS * sport.sensor.usual_noise
