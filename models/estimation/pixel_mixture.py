"""What pixels tell of a flight: a mixture of fits, started along the rays of the first frames.

    mixture = fit_mixture(sport, compiled, track, model)
    flights = weigh(sport, compiled, track, mixture, model)         # samples of the posterior, with weights

One camera does not see depth. So a fit starts from every Gaussian of the flights of a sport (flight_prior.py) that the
first frames allow: where its flights cross their rays. Each ends in a mode of the posterior, with a weight by its
evidence (Laplace's approximation, exact for a posterior that is Gaussian about each mode). Frames after a bounce decide
between them. Several cameras that see the first frames leave few starts.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from ballcast.models.estimation.camera_model import CameraModel
from ballcast.models.estimation.flight_prior import FlightPrior, flight_prior
from ballcast.models.estimation.pixel_fit import PixelFit, PixelPrior, fit_pixels
from ballcast.models.estimation.pixel_posterior import SAMPLES, WeightedFlights, weigh_flights
from ballcast.models.estimation.pixel_starts import FIRST_FRAMES, START_MARGIN, best_of, best_starts, to_pixels
from ballcast.models.estimation.pixels import CLOCK, ERRORS, LOG_FOCAL, SHIFT, TURN
from ballcast.models.estimation.segment import LATEST_FRAMES, MAX_OUTLIER_FRACTION, MIN_FRAMES, OUTLIER_WEIGHT
from ballcast.models.estimation.steps import Steps, finished
from ballcast.models.estimation.unknowns import HEIGHT, PARAMETERS, UNKNOWNS
from ballcast.sim.kernels.compiled_sport import CompiledSport, compile_lanes
from ballcast.sim.sport import Sport
from ballcast.tracks.camera import Camera
from ballcast.tracks.pixel_track import PixelTrack

MAX_STARTS, TRIAL_FLIGHTS, MAX_FLIGHTS = 24, 6, 20
TRIAL_MARGIN, WEIGHT_MARGIN = 9.0, 7.0  # logarithms of evidence below the best that are dropped
SEVERAL_CAMERAS_STARTS = 4  # where two cameras see the first frames
MAX_FAR_OFF, FAR_OFF_FLIGHTS = 6, 8  # fits of cameras that are further off, of each scale; flights of each
MEDIAN_ROUNDS, MEDIAN_CORE = 15, 0.3  # of the median distance, within which all paths count alike
PINNED = 1e12  # precision of what is known
LEARNING_LOSS, OPEN_CLOCK = 1.1, 0.1  # factor on the covariance from ball to ball; s
LESSON, MIN_SHARE = (-3.0, 1.0), 0.01  # logarithms by which one ball speaks for other scales of cameras; never less
WARM_FLIGHTS, MAX_WARM_MODES, NEW_STARTS = 8, 12, 16  # where fits start from the modes of earlier frames
DECIDED = 0.9  # weight of a mode after a bounce: with more no others are looked for
MAX_LOST_FRAMES = 16  # the last ones, in which the path of a ball that is lost is looked for
MAX_NOISE_RISE = 2.5  # times the variance of the noise before: with more, these modes miss something
START_WORK, FIT_WORK, FRAME_WORK = 4.0, 0.08, 0.004  # ms: of the starts, of a fit, of each of its frames


class PixelMixture(NamedTuple):
    """The posterior of a flight, a sum of Gaussians."""

    epoch: float  # s: the time that the unknowns are of
    fits: list[PixelFit]  # the most likely first
    weights: np.ndarray  # (M,) that sum to 1
    gaussians: list[int]  # of the FlightPrior, that each fit has as its prior
    prior: FlightPrior  # of the flight


def fit_mixture(sport: Sport, compiled: CompiledSport, track: PixelTrack, model: CameraModel) -> PixelMixture:
    """The PixelMixture of a track of one flight, with at least one frame."""
    return finished(mixture_steps(sport, compiled, track, model))


def mixture_steps(
    sport: Sport, compiled: CompiledSport, track: PixelTrack, model: CameraModel, prior: FlightPrior | None = None
) -> Steps[PixelMixture]:
    """As fit_mixture, in steps; prior: of this flight, if more is known of it than of others."""
    prior = prior or flight_prior(sport)
    likeliest = model.likeliest(len(track.cameras))
    starts, rank = best_starts(sport, track, prior, model)
    several = len(np.unique(track.camera[:FIRST_FRAMES])) > 1
    chosen = best_of(rank, START_MARGIN)[: SEVERAL_CAMERAS_STARTS if several else MAX_STARTS].tolist()
    priors = {k: gaussian_prior(sport, prior, k, track.cameras, likeliest) for k in chosen}
    fitted, work = _Fitter(compiled, track, prior, priors), FIT_WORK + FRAME_WORK * len(track)
    yield START_WORK
    found = []
    for k in chosen:
        found.append(fitted(k, _with_state(priors[k][1], starts[k]), TRIAL_FLIGHTS))
        yield work
    top = max(found, key=_evidence)[2].x
    for i, each in enumerate(found):
        found[i] = max(each, fitted(each[1], top, TRIAL_FLIGHTS), key=_evidence)
        yield work
    limit, ends = max(map(_evidence, found)) - TRIAL_MARGIN, []
    for each in found:
        if _evidence(each) >= limit:
            ends.append(fitted(each[1], each[2].x, MAX_FLIGHTS))
            yield work
    far_starts = [(k, starts[k]) for k in chosen]
    ends += yield from _far_off_steps(sport, compiled, track, model, prior, ends, far_starts)
    return _mixture_of(float(track.time[0]), ends, prior)


def warm_steps(
    sport: Sport, compiled: CompiledSport, track: PixelTrack, model: CameraModel, before: PixelMixture
) -> Steps[PixelMixture]:
    """The PixelMixture of a track, of whose first frames the one `before` is: fits start from its modes, and from a few
    of the best starts, since early frames drop modes that a bounce may bring back."""
    prior, modes = before.prior, list(zip(before.gaussians, before.fits, strict=True))[:MAX_WARM_MODES]
    starts, chosen = np.empty((0, 9)), []
    if not is_decided(before):
        starts, rank = best_starts(sport, track, prior, model)
        yield START_WORK
        chosen = best_of(rank, START_MARGIN)[:NEW_STARTS].tolist()
    likeliest = model.likeliest(len(track.cameras))
    priors = {k: gaussian_prior(sport, prior, k, track.cameras, likeliest) for k in {*chosen, *before.gaussians}}
    fitted, found = _Fitter(compiled, track, prior, priors), {}
    for k, start in [(k, fit.x) for k, fit in modes] + [(k, starts[k]) for k in chosen]:
        fit = fitted(k, _with_state(priors[k][1], start), WARM_FLIGHTS)
        found[k] = max(found.get(k, fit), fit, key=_evidence)
        yield FIT_WORK + FRAME_WORK * len(track)
    ends = list(found.values())
    ends += yield from _far_off_steps(sport, compiled, track, model, prior, ends, [])
    return _mixture_of(before.epoch, ends, prior)


def is_decided(mixture: PixelMixture) -> bool:
    """Whether a bounce has decided between the modes."""
    return mixture.fits[0].last_contact > -math.inf and mixture.weights[0] > DECIDED


class _Fitter:
    """Fits of a track: fitter(k, x, flights) is (logarithm of the evidence, k, PixelFit) of Gaussian k, from x (N,)."""

    def __init__(self, compiled, track, prior, priors):
        self.compiled, self.pixels, self.prior, self.priors = compiled, to_pixels(track), prior, priors

    def __call__(self, k, x, flights):
        fit = fit_pixels(self.compiled, self.pixels, x, self.priors[k][0], np.int64(flights))
        return _log_evidence(self.prior, self.priors[k][0], fit, k), k, fit


def _mixture_of(epoch, found, prior):
    """The PixelMixture of fits, as a _Fitter makes them, the best first."""
    logs = np.array([each[0] for each in found])
    best = best_of(logs, WEIGHT_MARGIN)
    weights = np.exp(logs[best] - logs[best[0]])
    fits, gaussians = [found[i][2] for i in best], [found[i][1] for i in best]
    return PixelMixture(epoch, fits, weights / weights.sum(), gaussians, prior)


def _far_off_steps(sport, compiled, track, model, prior, found, starts):
    """Fits of cameras that are further off than the likeliest, in steps: from the best of those found of these, and
    from the best of some starts (k, state), since a far-off camera sees a bounce on the table elsewhere."""
    likeliest, more, top = model.likeliest(len(track.cameras)), [], max(map(_evidence, found))
    for other in model.alternatives(len(track.cameras)):
        if other.scales[0] >= 1.0 and other.scales != likeliest.scales:
            fits = yield from _other_cameras(sport, compiled, track, other, prior, found, starts)
            share = math.log(other.scale_shares[0] / likeliest.scale_shares[0])
            share -= max(max(map(_evidence, fits)) - top, 0.0)  # explains the frames no better: see weigh_flights
            more += [(log + share, k, fit) for log, k, fit in fits]
    return more


def _other_cameras(sport, compiled, track, model, prior, found, starts=()):
    """Fits with another CameraModel, from the best of those found and of some starts, in steps."""
    best = sorted(found, key=_evidence)[-MAX_FAR_OFF:]
    pairs = [(k, fit.x) for _, k, fit in best] + list(starts)[:MAX_FAR_OFF]
    priors = {k: gaussian_prior(sport, prior, k, track.cameras, model) for k, _ in pairs}
    fitted, fits = _Fitter(compiled, track, prior, priors), []
    for k, x in pairs:
        fits.append(fitted(k, _with_state(priors[k][1], x), FAR_OFF_FLIGHTS))
        yield FIT_WORK + FRAME_WORK * len(track)
    return fits


def gaussian_prior(
    sport: Sport, prior: FlightPrior, k: int, cameras: Sequence[Camera], model: CameraModel
) -> tuple[PixelPrior, np.ndarray]:
    """The PixelPrior of Gaussian k with these cameras, and its mean, where a fit may start.

    Time is that of the mean of the cameras' clocks, since none of them is better than another.
    """
    size = UNKNOWNS + ERRORS * len(cameras)
    mean, sd = np.zeros(size), np.ones(size)
    mean[:9] = prior.means[k]
    sd[PARAMETERS] = np.maximum(sport.spread.total, 1e-6)
    sd[HEIGHT] = PINNED**-0.5
    for c in range(len(cameras)):
        first = UNKNOWNS + ERRORS * c
        turn = model.turn / math.sqrt(cameras[c].K[0, 0] * cameras[c].K[1, 1])
        sd[first + TURN : first + SHIFT] = max(turn, model.angle, 1e-6)
        sd[first + SHIFT : first + LOG_FOCAL] = max(model.shift, 1e-6)
        sd[first + LOG_FOCAL] = max(model.focal, 1e-6)
        sd[first + CLOCK] = max(model.clock, 1e-6)
    precision = np.diag(sd**-2.0)
    if model.learned is not None:
        known = slice(UNKNOWNS, UNKNOWNS + len(model.learned[0]))
        mean[known], precision[known, known] = model.learned[0], np.linalg.inv(model.learned[1])
    clocks = slice(UNKNOWNS + CLOCK, None, ERRORS)
    precision[clocks, clocks] += PINNED
    precision[:9, :9] = np.linalg.inv(prior.covariances[k])
    noise = np.array([model.noise**2, model.diameter_noise**2])
    bounds = np.array(model.noise_range) ** 2
    return PixelPrior(mean, precision, noise, bounds, model.pseudo_frames, model.outlier_rate), mean.copy()


def _log_evidence(prior, own, fit, k):
    """The logarithm of the evidence of Gaussian k, but for what all have in common."""
    return (
        math.log(prior.weights[k])
        - fit.cost
        + 0.5 * (np.linalg.slogdet(own.precision)[1] + np.linalg.slogdet(fit.covariance)[1])
    )


def _evidence(each):
    """What fits are compared by; NaN is the smallest."""
    return each[0] if math.isfinite(each[0]) else -math.inf


def _with_state(mean, state):
    x = mean.copy()
    x[: len(state)] = state
    return x


def weigh(
    sport: Sport, compiled: CompiledSport, track: PixelTrack, mixture: PixelMixture, model: CameraModel,
    with_paths: bool = False,
) -> WeightedFlights:  # fmt: skip
    """The posterior of the flight in a track, whose PixelMixture is known, as WeightedFlights."""
    return finished(weigh_steps(sport, compiled, track, mixture, model, with_paths))


def weigh_steps(
    sport: Sport, compiled: CompiledSport, track: PixelTrack, mixture: PixelMixture, model: CameraModel,
    with_paths: bool = False, samples: int = SAMPLES,
) -> Steps[WeightedFlights]:  # fmt: skip
    """As weigh, in steps, by that many flights."""
    prior = mixture.prior
    others = model.alternatives(len(track.cameras))
    own = [with_first_clock(gaussian_prior(sport, prior, 0, track.cameras, a)[0], mixture.fits[0].x) for a in others]
    shares, usual = np.array([a.scale_shares[0] for a in others]), others.index(model.likeliest(len(track.cameras)))
    end, simulators = float(track.time[-1]) - mixture.epoch, (compiled, compile_lanes(sport))
    return weigh_flights(
        simulators, to_pixels(track), mixture.fits, mixture.weights, prior, own, shares, end,
        usual=usual, with_paths=with_paths, count=samples,
    )  # fmt: skip


def with_first_clock(own: PixelPrior, x: np.ndarray) -> PixelPrior:
    """A PixelPrior in which cameras err independently: the clock of the first is as in unknowns x (N,)."""
    mean, precision, clocks = own.mean.copy(), own.precision.copy(), slice(UNKNOWNS + CLOCK, None, ERRORS)
    precision[clocks, clocks] -= PINNED
    first = UNKNOWNS + CLOCK
    mean[first], precision[first, first] = x[first], PINNED
    return own._replace(mean=mean, precision=precision)


def learn_cameras(
    sport: Sport, compiled: CompiledSport, track: PixelTrack, mixture: PixelMixture, model: CameraModel
) -> CameraModel:
    """A CameraModel that knows what a ball, whose PixelMixture is known, has taught of the cameras' errors.

    The mean of the clocks, which is the definition of time, is left open here.
    """
    found = list(zip(np.log(mixture.weights), mixture.gaussians, mixture.fits, strict=True))
    others = model.alternatives(len(track.cameras))
    each = [finished(_other_cameras(sport, compiled, track, other, mixture.prior, found)) for other in others]
    evidence = np.array([np.logaddexp.reduce([_evidence(fit) for fit in fits]) for fits in each])
    lesson = np.clip(evidence - evidence[others.index(model.likeliest(len(track.cameras)))], *LESSON)
    shares = np.array([other.scale_shares[0] for other in others]) * np.exp(lesson)
    shares = np.maximum(shares / shares.sum(), MIN_SHARE)
    shares /= shares.sum()
    taught = [replace(other, learned=_errors_of(fits), scale_shares=(float(share),))
              for other, fits, share in zip(others, each, shares, strict=True)]  # fmt: skip
    return replace(model, taught=tuple(taught))


def _errors_of(found):
    """Mean (8 C,) and covariance (8 C, 8 C) of the cameras' errors by fits."""
    logs, errors = np.array([_evidence(each) for each in found]), np.array([each[2].x[UNKNOWNS:] for each in found])
    weights = np.exp(logs - logs.max())
    weights /= weights.sum()
    mean = weights @ errors
    covariance = (errors - mean).T @ (weights[:, None] * (errors - mean))
    for each, weight in zip(found, weights, strict=True):
        covariance += weight * each[2].covariance[UNKNOWNS:, UNKNOWNS:]
    covariance *= LEARNING_LOSS
    covariance[CLOCK::ERRORS, CLOCK::ERRORS] += OPEN_CLOCK**2
    return mean, covariance


def median_weights(paths: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The weights (N,) by which the mean of paths (N, T, 3) m with some weights (N,) is their geometric median.

    Where one camera leaves two flights far from each other, no ball is at their mean. Weiszfeld's iteration.
    """
    flat, central = paths.reshape(len(paths), -1), weights
    for _ in range(MEDIAN_ROUNDS):
        distance = np.sqrt(((flat - central @ flat) ** 2).mean(axis=1))
        central = weights / np.maximum(distance, MEDIAN_CORE * np.median(distance) + 1e-9)
        central /= central.sum()
    return central


def resample(values: np.ndarray, weights: np.ndarray, count: int) -> np.ndarray:
    """`count` of some values (N, ...), by their weights (N,), the heaviest first."""
    points = (np.arange(count - 1) + 0.5) / (count - 1)
    rows = np.searchsorted(np.cumsum(weights), points * weights.sum()).clip(max=len(weights) - 1)
    return values[np.concatenate([[weights.argmax()], rows])]


def fit_last_flight(
    sport: Sport, compiled: CompiledSport, track: PixelTrack, model: CameraModel
) -> tuple[PixelMixture, int]:
    """(PixelMixture, first frame used) of as many of the last frames as one flight explains."""
    return finished(flight_steps(sport, compiled, track, model))


def flight_steps(
    sport: Sport, compiled: CompiledSport, track: PixelTrack, model: CameraModel, before: PixelMixture | None = None,
    is_lost: bool = False, prior: FlightPrior | None = None,
) -> Steps[tuple[PixelMixture, int]]:  # fmt: skip
    """As fit_last_flight, in steps; `before`: the PixelMixture of some of the frames, where one is known. is_lost: it
    does not explain the last frames. prior: of the flight that the first frame is of, if more is known of it."""
    first = max(0, len(track) - MAX_LOST_FRAMES) if is_lost else 0
    if before is not None and before.epoch == track.time[0] and not is_lost:
        mixture = yield from warm_steps(sport, compiled, track, model, before)
        if not (_is_rejected(mixture) or _is_noisier(mixture, before)):
            return mixture, 0
    while True:
        mixture = yield from mixture_steps(sport, compiled, track[first:], model, None if first else prior)
        remaining = len(track) - first
        if remaining <= MIN_FRAMES or not _is_rejected(mixture):
            break
        first = len(track) - max(MIN_FRAMES, remaining // 2)
    if is_lost and first == len(track) - MAX_LOST_FRAMES > 0:  # it was not hit just now
        whole = yield from mixture_steps(sport, compiled, track, model, prior)
        earlier = whole.fits[0].weights[:first] < OUTLIER_WEIGHT
        if not (_is_rejected(whole) or earlier.mean() > MAX_OUTLIER_FRACTION):
            return whole, 0
    return mixture, first


def _is_rejected(mixture):
    """Whether too many frames are outliers, or most of the last ones."""
    is_outlier = mixture.fits[0].weights < OUTLIER_WEIGHT
    return is_outlier.mean() > MAX_OUTLIER_FRACTION or is_outlier[-LATEST_FRAMES:].mean() > 0.5


def _is_noisier(mixture, before):
    """Whether the noise of a camera has become much larger than it was."""
    now, earlier = mixture.fits[0].noise[:, 0], before.fits[0].noise[:, 0]
    return bool((now[: len(earlier)] > MAX_NOISE_RISE * earlier).any())
