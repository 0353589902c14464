"""What pixels tell of a flight: a mixture of fits, started along the rays of the first frames.

    mixture = fit_mixture(sport, compiled, track, model)
    samples = draw_samples(mixture, time, count)

One camera does not see depth. So a fit starts from every Gaussian of the flights of a sport (flight_prior.py) that the
first frames allow: where its flights cross their rays. Each ends in a mode of the posterior, with a weight by its
evidence (Laplace's approximation, exact for a posterior that is Gaussian about each mode). Frames after a bounce decide
between them. Several cameras that see the first frames leave few starts.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ballcast.models.estimation.flight_prior import FlightPrior, flight_prior
from ballcast.models.estimation.pixel_fit import PixelFit, PixelPrior, Pixels, fit_pixels, misfits
from ballcast.models.estimation.pixel_posterior import WeightedFlights, weigh_flights
from ballcast.models.estimation.pixels import CLOCK, ERRORS, LOG_FOCAL, SHIFT, TURN, camera_row
from ballcast.models.estimation.segment import LATEST_FRAMES, MAX_OUTLIER_FRACTION, MIN_FRAMES, OUTLIER_WEIGHT
from ballcast.models.estimation.unknowns import HEIGHT, PARAMETERS, UNKNOWNS
from ballcast.sim.kernels.compiled_sport import CompiledSport
from ballcast.sim.sport import Sport
from ballcast.tracks.camera import Camera
from ballcast.tracks.pixel_track import PixelTrack

FIRST_SPAN, FIRST_FRAMES, MIN_FIRST_FRAMES = 0.13, 16, 3  # s and frames that starts are made from
SAMPLES = 32  # flights of each Gaussian, of which one is a start
MISFIT_FRAMES, MISFIT_NOISE = 24, 8.0  # that these are weighed by; of the noise in pixels
START_ROUNDS = 3  # of the depth that turns pixels into metres
START_NOISE = 3.0  # of the noise in pixels, where a parabola stands for a flight
MAX_STARTS, TRIAL_FLIGHTS, MAX_FLIGHTS = 24, 6, 20
START_MARGIN, TRIAL_MARGIN, WEIGHT_MARGIN = 14.0, 9.0, 7.0  # logarithms of evidence below the best that are dropped
SEVERAL_CAMERAS_STARTS = 4  # where two cameras see the first frames
PINNED = 1e12  # precision of what is known


@dataclass(frozen=True, eq=False)
class CameraModel:
    """How well cameras and their trackers are known: standard deviations."""

    noise: float = 2.0  # px, usual, of a pixel's coordinates
    diameter_noise: float = 0.7  # px, usual
    noise_range: tuple[float, float] = (0.25, 5.0)  # factors of these
    pseudo_frames: float = 5.0  # that these count for
    outlier_rate: float = 0.01  # fraction of the frames
    turn: float = 4.0  # px by which a turn of the camera moves its image
    shift: float = 0.01  # m, displaced
    focal: float = 0.008  # fraction of the focal length
    clock: float = 0.005  # s between the clocks of two cameras
    learned: tuple[tuple[np.ndarray, np.ndarray], ...] = ()  # of each camera, from balls before: mean and covariance


class PixelMixture(NamedTuple):
    """The posterior of a flight, a sum of Gaussians."""

    epoch: float  # s: the time that the unknowns are of
    fits: list[PixelFit]  # the most likely first
    weights: np.ndarray  # (M,) that sum to 1


def fit_mixture(sport: Sport, compiled: CompiledSport, track: PixelTrack, model: CameraModel) -> PixelMixture:
    """The PixelMixture of a track of one flight, with at least one frame."""
    pixels, prior = to_pixels(track), flight_prior(sport)
    starts, rank = _starts(sport, compiled, track, pixels, prior, model)
    several = len(np.unique(track.camera[: FIRST_FRAMES])) > 1
    chosen = _best(rank, START_MARGIN)[: SEVERAL_CAMERAS_STARTS if several else MAX_STARTS]
    priors = {k: gaussian_prior(sport, prior, k, track.cameras, model) for k in chosen}

    def fitted(k, x, flights):
        fit = fit_pixels(compiled, pixels, x, priors[k][0], np.int64(flights))
        return _log_evidence(prior, priors[k][0], fit, k), k, fit

    found = [fitted(k, _with_state(priors[k][1], starts[k]), TRIAL_FLIGHTS) for k in chosen]
    top = max(found, key=_evidence)[2].x
    found = [max(each, fitted(each[1], top, TRIAL_FLIGHTS), key=_evidence) for each in found]
    limit = max(each[0] for each in found) - TRIAL_MARGIN
    found = [fitted(k, fit.x, MAX_FLIGHTS) for log, k, fit in found if log >= limit]
    logs, fits = np.array([each[0] for each in found]), [each[2] for each in found]
    best = _best(logs, WEIGHT_MARGIN)
    weights = np.exp(logs[best] - logs[best[0]])
    return PixelMixture(float(track.time[0]), [fits[i] for i in best], weights / weights.sum())


def to_pixels(track: PixelTrack) -> Pixels:
    """The Pixels of a track; times from its first frame."""
    image = np.full((len(track), 3), np.nan)
    image[:, :2] = track.pixel
    if track.diameter is not None:
        image[:, 2] = track.diameter
    cameras = np.array([camera_row(camera) for camera in track.cameras])
    return Pixels(np.array(track.time - track.time[0]), image, np.array(track.camera, np.int64), cameras)


def gaussian_prior(
    sport: Sport, prior: FlightPrior, k: int, cameras: Sequence[Camera], model: CameraModel
) -> tuple[PixelPrior, np.ndarray]:
    """The PixelPrior of Gaussian k with these cameras, and its mean, where a fit may start."""
    size = UNKNOWNS + ERRORS * len(cameras)
    mean, sd = np.zeros(size), np.ones(size)
    mean[:9] = prior.means[k]
    sd[PARAMETERS] = np.maximum(sport.spread.total, 1e-6)
    sd[HEIGHT] = PINNED**-0.5
    for c in range(len(cameras)):
        first = UNKNOWNS + ERRORS * c
        sd[first + TURN : first + SHIFT] = max(model.turn / math.sqrt(cameras[c].K[0, 0] * cameras[c].K[1, 1]), 1e-6)
        sd[first + SHIFT : first + LOG_FOCAL] = max(model.shift, 1e-6)
        sd[first + LOG_FOCAL] = max(model.focal, 1e-6)
        sd[first + CLOCK] = max(model.clock, 1e-6) if c else PINNED**-0.5
    precision = np.diag(sd**-2.0)
    for c, (offset, covariance) in enumerate(model.learned[: len(cameras)]):
        own = slice(UNKNOWNS + ERRORS * c, UNKNOWNS + ERRORS * (c + 1))
        mean[own], precision[own, own] = offset, np.linalg.inv(covariance)
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


def _best(logs, margin):
    """The indices of the largest of some logarithms, within a margin, the largest first."""
    logs = np.where(np.isfinite(logs), logs, -np.inf)
    order = np.argsort(-logs)
    return order[logs[order] >= logs[order[0]] - margin]


def _evidence(each):
    """What fits are compared by; NaN is the smallest."""
    return each[0] if math.isfinite(each[0]) else -math.inf


def _with_state(mean, state):
    x = mean.copy()
    x[: len(state)] = state
    return x


def _starts(sport, compiled, track, pixels, prior, model):
    """Of each Gaussian, the state (K, 9) at the first frame of the best of some flights that pass the first frames, and
    how well that passes all (K,), a logarithm."""
    q, covariance, evidence = _arcs(sport, track, prior, model)
    states, rank = np.zeros((len(q), 9)), np.full(len(q), -np.inf)
    rows = _best(evidence, START_MARGIN)
    part = FlightPrior(*(a[rows] for a in prior))
    samples = _sample_states(part, q[rows], covariance[rows])  # (K, N, 9)
    misfit = _misfit(compiled, pixels, samples.reshape(-1, 9), model).reshape(samples.shape[:2])
    best = misfit.argmin(axis=1)
    states[rows] = samples[np.arange(len(rows)), best]
    rank[rows] = evidence[rows] - misfit[np.arange(len(rows)), best]
    return states, rank


def _sample_states(prior, q, covariance):
    """Samples (K, N, 9) of states whose positions and velocities have mean q (K, 6) and this covariance (K, 6, 6); the
    spin goes with them as each Gaussian says. The first is the mean."""
    normal = np.random.default_rng(1).standard_normal((len(q), SAMPLES, 9))
    normal[:, 0] = 0.0
    eye = 1e-10 * np.eye(6)
    arcs = q[:, None] + np.einsum("kij,knj->kni", np.linalg.cholesky(covariance + eye), normal[..., :6])
    joint = prior.covariances
    gain = np.linalg.solve(joint[:, :6, :6], joint[:, :6, 6:]).transpose(0, 2, 1)
    rest = joint[:, 6:, 6:] - gain @ joint[:, :6, 6:]
    spin = prior.means[:, None, 6:] + np.einsum("kij,knj->kni", gain, arcs - prior.means[:, None, :6])
    spin += np.einsum("kij,knj->kni", np.linalg.cholesky(rest), normal[..., 6:])
    return np.concatenate([arcs, spin], axis=2)


def _misfit(compiled, pixels, states, model):
    """How badly flights from states (N, 9) pass the frames, (N,)."""
    rows = np.unique(np.linspace(0, len(pixels.time) - 1, MISFIT_FRAMES).astype(int))
    few = Pixels(*(np.ascontiguousarray(a[rows]) for a in pixels[:3]), pixels.cameras)
    return misfits(compiled, few, np.ascontiguousarray(states), MISFIT_NOISE * model.noise)


def _arcs(sport, track, prior, model):
    """Positions and velocities at the first frame of parabolas that the first frames and each Gaussian leave: mean
    (K, 6), covariance (K, 6, 6), and the logarithms (K,) of their evidence."""
    count = max(int(np.searchsorted(track.time, track.time[0] + FIRST_SPAN, side="right")), MIN_FIRST_FRAMES)
    rows = np.unique(np.linspace(0, min(count, len(track)) - 1, FIRST_FRAMES).astype(int))
    first = track[rows]
    first = first[np.isfinite(_ray_rows(sport, first)[1]).all(axis=1)]
    across, along, centre, focal, depth = _ray_rows(sport, first)
    t = first.time - first.time[0]
    means, covariances = prior.means[:, :6], prior.covariances[:, :6, :6]
    precision, q, log = np.linalg.inv(covariances), prior.means[:, :6].copy(), np.log(prior.weights)
    fall = -0.5 * sport.world.gravity * t**2
    drop = np.zeros((len(t), 3))
    drop[:, 2] = fall
    goal = centre - drop  # p + v t is this on the ray
    for _ in range(START_ROUNDS):
        position = q[:, None, :3] + q[:, None, 3:] * t[:, None]  # (K, N, 3)
        distance = np.maximum(np.einsum("kni,ni->kn", position - goal, along), 0.3)
        scale = focal / (START_NOISE * model.noise * distance)  # (K, N) 1 / m
        A = np.concatenate([across, across * t[:, None, None]], axis=2)  # (N, 2, 6)
        A = scale[:, :, None, None] * A
        b = scale[:, :, None] * np.einsum("nji,ni->nj", across, goal)
        if np.isfinite(depth).any():
            known = np.isfinite(depth)
            sd = 1.0 / (0.15 * depth[known])
            D = sd[:, None] * np.concatenate([along[known], along[known] * t[known, None]], axis=1)
            d = sd * (depth[known] + np.einsum("ni,ni->n", along[known], goal[known]))
            H, g = D.T @ D, D.T @ d
        else:
            H, g, D, d = 0.0, 0.0, None, None
        hessian = precision + np.einsum("knji,knjl->kil", A, A) + H
        right = np.einsum("kij,kj->ki", precision, means) + np.einsum("knji,knj->ki", A, b) + g
        q = np.linalg.solve(hessian, right[..., None])[..., 0]
    offset = q - means
    square = np.einsum("ki,kij,kj->k", offset, precision, offset)
    square += ((np.einsum("knji,ki->knj", A, q) - b) ** 2).sum(axis=(1, 2))
    if D is not None:
        square += ((q @ D.T - d) ** 2).sum(axis=1)
    volume = np.linalg.slogdet(precision)[1] - np.linalg.slogdet(hessian)[1]
    return q, np.linalg.inv(hessian), log - 0.5 * square + 0.5 * volume + 2.0 * np.log(scale).sum(axis=1)


def _ray_rows(sport, track):
    """Of each frame: two directions across its ray (N, 2, 3), the ray (N, 3), the camera's centre (N, 3), the focal
    length (N,) px and the depth (N,) m by its diameter, NaN without one."""
    along, centre, focal = np.empty((len(track), 3)), np.empty((len(track), 3)), np.empty(len(track))
    for c, camera in enumerate(track.cameras):
        own = track.camera == c
        if own.any():
            centre[own], along[own] = camera.rays(track.pixel[own])
            focal[own] = math.sqrt(camera.K[0, 0] * camera.K[1, 1])
    helper = np.where(abs(along[:, 2:]) < 0.9, [[0.0, 0.0, 1.0]], [[1.0, 0.0, 0.0]])
    side = np.cross(along, helper)
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    across = np.stack([side, np.cross(along, side)], axis=1)
    depth = np.full(len(track), np.nan)
    if track.diameter is not None:
        depth = 2.0 * sport.ball.radius * focal / track.diameter
    return across, along, centre, focal, depth


def weigh(
    sport: Sport, compiled: CompiledSport, track: PixelTrack, mixture: PixelMixture, model: CameraModel,
    with_paths: bool = False,
) -> WeightedFlights:  # fmt: skip
    """The posterior of the flight in a track, whose PixelMixture is known, as WeightedFlights."""
    prior = flight_prior(sport)
    own, _ = gaussian_prior(sport, prior, 0, track.cameras, model)
    end = float(track.time[-1]) - mixture.epoch
    return weigh_flights(
        compiled, to_pixels(track), mixture.fits, mixture.weights, prior, own, end, with_paths
    )


def learn_cameras(mixture: PixelMixture, cameras: int) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """What a ball has taught of so many cameras' errors: mean (8,) and covariance (8, 8) of each."""
    fit, parts = mixture.fits[0], []
    for c in range(cameras):
        own = slice(UNKNOWNS + ERRORS * c, UNKNOWNS + ERRORS * (c + 1))
        parts.append((fit.x[own].copy(), fit.covariance[own, own].copy()))
    return tuple(parts)


def resample(values: np.ndarray, weights: np.ndarray, count: int) -> np.ndarray:
    """`count` of some values (N, ...), by their weights (N,), the heaviest first."""
    points = (np.arange(count - 1) + 0.5) / (count - 1)
    rows = np.searchsorted(np.cumsum(weights), points * weights.sum()).clip(max=len(weights) - 1)
    return values[np.concatenate([[weights.argmax()], rows])]


def fit_last_flight(
    sport: Sport, compiled: CompiledSport, track: PixelTrack, model: CameraModel
) -> tuple[PixelMixture, int]:
    """(PixelMixture, first frame used) of as many of the last frames as one flight explains."""
    first = 0
    while True:
        mixture, remaining = fit_mixture(sport, compiled, track[first:], model), len(track) - first
        is_outlier = mixture.fits[0].weights < OUTLIER_WEIGHT
        is_rejected = is_outlier.mean() > MAX_OUTLIER_FRACTION or is_outlier[-LATEST_FRAMES:].mean() > 0.5
        if not is_rejected or remaining <= MIN_FRAMES:
            return mixture, first
        first = len(track) - max(MIN_FRAMES, remaining // 2)
