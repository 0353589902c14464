"""The posterior of a flight seen by cameras, as weighted flights: importance sampling about a PixelMixture.

The fits of pixel_mixture.py are linear about their modes. A flight is not: lift is spin times speed, a ball grips or
slips, depth turns pixels into metres. So samples of the mixture are flown past the frames, and weighed by how well they
pass them, and by the prior. Where too few samples carry the weight, their weights are flattened.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy.linalg import solve_triangular

from ballcast.models.estimation.flight_prior import FlightPrior
from ballcast.models.estimation.linear import cholesky_solve, cholesky_with_jitter, scaled_cholesky
from ballcast.models.estimation.pixel_fit import PixelFit, PixelPrior, Pixels, robust_weight
from ballcast.models.estimation.pixels import CLOCK, ERRORS, LOG_FOCAL, erring, image_of, into_camera
from ballcast.models.estimation.steps import Steps
from ballcast.models.estimation.unknowns import UNKNOWNS, clamp, fill_launch
from ballcast.sim.jit import kernel
from ballcast.sim.kernels.compiled_sport import CompiledSport, LaneSport
from ballcast.sim.kernels.lanes import CHUNK, LaneTask, fly_lanes
from ballcast.sim.kernels.layout import CONTACT_DTYPE, LAUNCH_SIZE

SAMPLES = 1200
WIDENING = 1.15  # of the standard deviations of every second sample
MIN_EFFECTIVE = 60.0  # samples that must carry the weight
JITTER = 1e-9
MAX_IMAGES = 6000  # flights times frames that are taken in one step
DRAW_WORK, IMAGE_WORK = 5e-3, 2e-4  # ms, of a flight that is drawn, of a frame that one is flown past


class WeightedFlights(NamedTuple):
    """Flights of the posterior."""

    weights: np.ndarray  # (N,) that sum to 1
    final: np.ndarray  # (N, 16) the unknowns at the last frame
    paths: np.ndarray  # (N, T, 6) m, m/s at the frames; (N, 0, 6) if they were not asked for
    errors: np.ndarray  # (N, 8 C) of the cameras
    origin: np.ndarray  # (N,) the fit that each was drawn about
    effective: float  # samples that carry the weight, before it was flattened


def weigh_flights(
    simulators: tuple[CompiledSport, LaneSport], pixels: Pixels, fits: list[PixelFit], shares: np.ndarray,
    prior: FlightPrior, own: list[PixelPrior], own_shares: np.ndarray, end: float, *, usual: int,
    with_paths: bool = False, count: int = SAMPLES,
) -> Steps[WeightedFlights]:  # fmt: skip
    """`count` samples of the posterior of Pixels; yields about how long each step took, ms.

    fits, shares (M,): a mixture; own, own_shares (Q,): PixelPriors of any Gaussian of the FlightPrior, of which what
    follows the state is used, one for each way in which the cameras may be known, and its probability; usual: the one
    of these than which no other is taken to explain the frames better, since errors of the laws of flight and of the
    lens look like a far-off camera; end: s from the epoch, of the last frame. The errors of the cameras are not
    sampled: given a flight they are close to Gaussian, and integrated.
    """
    rng, top = np.random.default_rng(len(pixels.time)), fits[0]
    counts = np.diff(np.concatenate([[0], np.floor(np.cumsum(shares) * count + 0.5).astype(int)]))
    modes = [fit.x[:UNKNOWNS] for fit in fits]
    factors = [_factor(fit.covariance[:UNKNOWNS, :UNKNOWNS]) for fit in fits]
    samples = np.concatenate([_draw(x, L, n, rng) for x, L, n in zip(modes, factors, counts, strict=True) if n])
    log = _log_prior(samples, prior, own[0]) - _log_proposal(samples, modes, factors, counts / count)
    out = _Flown(np.empty((len(samples), len(own))), np.empty((len(samples), UNKNOWNS)),
                 np.empty((len(samples), len(pixels.time) if with_paths else 0, 6)),
                 np.empty((len(samples), len(own), len(top.x) - UNKNOWNS)))  # fmt: skip
    means = np.array([other.mean[UNKNOWNS:] for other in own])
    precisions = np.array([other.precision[UNKNOWNS:, UNKNOWNS:] for other in own])
    errors, rate = top.x[UNKNOWNS:].copy(), own[0].outlier_rate
    sensor = _Sensor(top.noise, top.noise_factor, rate, top.weights, errors, means, precisions)
    yield DRAW_WORK * count
    batch = max(64, MAX_IMAGES // len(pixels.time))
    for first in range(0, len(samples), batch):
        part = slice(first, first + batch)
        fly_past(simulators, pixels, samples[part], sensor, end, _Flown(*(a[part] for a in out)))
        yield IMAGE_WORK * len(samples[part]) * len(pixels.time)
    each = log[:, None] + out.likelihood
    evidence = np.logaddexp.reduce(each, axis=0)
    each += np.log(own_shares) - np.maximum(evidence - evidence[usual], 0.0)
    log = np.logaddexp.reduce(each, axis=1)
    errors = np.einsum("nq,nqe->ne", np.exp(each - log[:, None]), out.errors)
    weights, effective = _flattened(log)
    origin = np.repeat(np.arange(len(fits)), counts)
    return WeightedFlights(weights, out.final, out.paths, errors, origin, effective)


class _Sensor(NamedTuple):
    """What is known of the cameras."""

    noise: np.ndarray  # (C, 2) px2
    factor: np.ndarray  # (C,) how many times it counts
    outlier_rate: float
    weights: np.ndarray  # (T,) robust weights of the frames
    errors: np.ndarray  # (8 C,) about which the cameras' errors are linear
    means: np.ndarray  # (Q, 8 C) of the errors, by each of the priors
    precisions: np.ndarray  # (Q, 8 C, 8 C) of the errors, by the priors; cameras err independently


class _Flown(NamedTuple):
    """What flights past the frames fill."""

    likelihood: np.ndarray  # (N, Q) logarithms, by each prior of the cameras' errors
    final: np.ndarray  # (N, 16)
    paths: np.ndarray  # (N, T or 0, 6) m, m/s
    errors: np.ndarray  # (N, Q, 8 C)


def _factor(covariance):
    L = np.empty(covariance.shape)
    cholesky_with_jitter(covariance, JITTER, L)
    return L


def _draw(x, L, count, rng):
    """Samples (count, N) about a mode, every second one wider."""
    normal = rng.standard_normal((count, len(x)))
    normal[::2] *= WIDENING
    samples = x + normal @ L.T
    for row in samples:
        clamp(row[:UNKNOWNS])
    return samples


def _log_proposal(samples, modes, factors, shares):
    """The logarithm (N,) of the density that samples (N, D) were drawn from."""
    total, size = np.full(len(samples), -np.inf), samples.shape[1]
    for mode, L, share in zip(modes, factors, shares, strict=True):
        if share > 0.0:
            square = (solve_triangular(L, (samples - mode).T, lower=True) ** 2).sum(axis=0)
            near, wide = -0.5 * square, -0.5 * square / WIDENING**2 - size * math.log(WIDENING)
            total = np.logaddexp(total, np.logaddexp(near, wide) + math.log(share) - np.log(np.diag(L)).sum())
    return total


def _log_prior(samples, prior, own):
    """The logarithm (N,) of the prior's density at samples (N, D), but for a constant."""
    L = np.linalg.cholesky(prior.covariances)
    inverse = np.linalg.inv(L)
    white = (inverse.reshape(-1, 9) @ samples[:, :9].T).reshape(len(L), 9, -1)
    white -= inverse @ prior.means[..., None]
    log = np.log(prior.weights) - np.log(np.diagonal(L, axis1=1, axis2=2)).sum(axis=1)
    log = log[:, None] - 0.5 * np.einsum("kin,kin->kn", white, white)
    top = log.max(axis=0)
    rest = samples[:, 9:] - own.mean[9:UNKNOWNS]
    precision = own.precision[9:UNKNOWNS, 9:UNKNOWNS]
    return top + np.log(np.exp(log - top).sum(axis=0)) - 0.5 * ((rest @ precision) * rest).sum(axis=1)


def _flattened(log):
    """Weights (N,) that sum to 1 from logarithms, flattened if too few samples carry them, and how many do."""
    log = np.where(np.isfinite(log), log, -np.inf)
    log, power, first = log - log.max(), 1.0, None
    while True:
        weights = np.exp(power * log)
        weights /= weights.sum()
        effective = 1.0 / (weights**2).sum()
        first = effective if first is None else first
        if effective >= min(MIN_EFFECTIVE, 0.5 * np.isfinite(log).sum()) or power < 0.02:
            return weights, first
        power *= 0.8


@kernel
def fly_past(simulators, pixels, samples, sensor, end, out):
    """Fly samples (N, 16) past the frames: fills a _Flown with the unknowns at `end` s and the rest."""
    sport, lane_sport = simulators
    frames, size, count = len(pixels.time), len(pixels.cameras), len(samples)
    residual, by_errors, path = np.empty((frames, 3)), np.empty((frames, 3, ERRORS)), np.empty(6)
    stamps = pixels.time.copy()
    for n in range(frames):
        stamps[n] += sensor.errors[ERRORS * pixels.camera[n] + CLOCK]
    order = np.argsort(stamps) if size > 1 else np.arange(frames)
    times = np.maximum(stamps[order], 0.0)
    launches, padded_times = np.empty((count, LAUNCH_SIZE)), np.full((1, frames + CHUNK), np.inf)
    for i in range(count):
        fill_launch(samples[i], launches[i])
    padded_times[0, :frames] = times
    position = np.empty((count, frames, 3), lane_sport.boxes.dtype)
    velocity, spin = np.empty(position.shape, position.dtype), np.empty(position.shape, position.dtype)
    flown = position.reshape(-1), velocity, spin, np.empty(count, np.int8), np.empty(0, CONTACT_DTYPE)
    fly_lanes(LaneTask(lane_sport, launches, padded_times, np.full(count, frames), *flown), np.int64(0), count, False)
    for i in range(count):
        out.final[i] = samples[i]
        for j in range(3):
            v = velocity[i, frames - 1, j]
            out.final[i, j] = position[i, frames - 1, j] + (end - times[-1]) * v
            out.final[i, 3 + j], out.final[i, 6 + j] = v, spin[i, frames - 1, j]
        for k in range(frames):
            n = order[k]
            early = min(stamps[n], 0.0)
            for j in range(3):
                path[j], path[3 + j] = position[i, k, j] + early * velocity[i, k, j], velocity[i, k, j]
            _see(sport, pixels, n, sensor.errors, path, residual[n], by_errors[n])
            if out.paths.shape[1]:
                out.paths[i, n] = path
        _log_likelihood(pixels, sensor, residual, by_errors, out.errors[i], out.likelihood[i])


@kernel
def _see(sport, pixels, n, all_errors, path, residual, by_errors):
    """Fill the residual (3,) of frame n, px, and its derivatives (3, ERRORS) by its camera's errors."""
    c = pixels.camera[n]
    camera, errors = pixels.cameras[c], all_errors[ERRORS * c : ERRORS * c + ERRORS]
    p, q, r = into_camera(camera, path[0], path[1], path[2])
    x, y, z = erring(errors, p, q, r)
    image, by_u, by_v, by_scale = image_of(camera, x, y, z)
    grow, diameter = math.exp(errors[LOG_FOCAL]), 2.0 * sport.radius
    u, v, size = grow * (image[0] - camera[2]), grow * (image[1] - camera[3]), grow * diameter * image[2]
    residual[0], residual[1] = u + camera[2] - pixels.image[n, 0], v + camera[3] - pixels.image[n, 1]
    residual[2] = size - pixels.image[n, 2] if pixels.image[n, 2] > 0.0 else 0.0
    v0, v1, v2 = path[3], path[4], path[5]
    speed = into_camera(camera, v0, v1, v2)
    speed = speed[0] - camera[21], speed[1] - camera[22], speed[2] - camera[23]
    for i in range(3 if pixels.image[n, 2] > 0.0 else 2):
        by = by_u if i == 0 else (by_v if i == 1 else by_scale)
        scale = grow * (diameter if i == 2 else 1.0)
        a, b, d = scale * by[0], scale * by[1], scale * by[2]
        row = by_errors[i]
        row[0], row[1], row[2] = d * q - b * r, a * r - d * p, b * p - a * q
        row[3], row[4], row[5] = a, b, d
        row[LOG_FOCAL] = u if i == 0 else (v if i == 1 else size)
        row[CLOCK] = a * speed[0] + b * speed[1] + d * speed[2]


@kernel
def _log_likelihood(pixels, sensor, residual, by_errors, errors, logs):
    """Fill the log-densities (Q,) of the frames given a flight, the cameras' errors integrated, and these, errors
    (Q, 8 C), by each prior of them."""
    hessian, gradient, step = np.zeros((ERRORS, ERRORS)), np.zeros(ERRORS), np.empty(ERRORS)
    logs[:] = 0.0
    for c in range(len(pixels.cameras)):
        _normal_equations(pixels, sensor, residual, by_errors, c, hessian, gradient)
        for q in range(len(logs)):
            logs[q] += _likelihood_by(q, pixels, sensor, residual, by_errors, c, hessian, gradient, step)
            for j in range(ERRORS):
                errors[q, ERRORS * c + j] = sensor.errors[ERRORS * c + j] - step[j]


@kernel
def _normal_equations(pixels, sensor, residual, by_errors, c, hessian, gradient):
    """Fill what the frames say of the errors of camera c: hessian (8, 8), gradient (8,)."""
    scale = np.full(3, 1.0 / (sensor.noise[c, 0] * sensor.factor[c]))
    scale[2] = 1.0 / (sensor.noise[c, 1] * sensor.factor[c])
    hessian[:], gradient[:] = 0.0, 0.0
    for n in range(len(residual)):
        if pixels.camera[n] == c:
            for i in range(3 if pixels.image[n, 2] > 0.0 else 2):
                a = sensor.weights[n] * scale[i]
                for j in range(ERRORS):
                    gradient[j] += a * by_errors[n, i, j] * residual[n, i]
                    for k in range(j + 1):
                        hessian[j, k] += a * by_errors[n, i, j] * by_errors[n, i, k]
    for j in range(ERRORS):
        for k in range(j):
            hessian[k, j] = hessian[j, k]


@kernel
def _likelihood_by(q, pixels, sensor, residual, by_errors, c, hessian, gradient, step):
    """The log-density of the frames of camera c by prior q of its errors; fills the step (8,) to these."""
    own, L = slice(ERRORS * c, ERRORS * c + ERRORS), np.empty((ERRORS, ERRORS))
    precision, offset = sensor.precisions[q, own, own].copy(), sensor.errors[own] - sensor.means[q, own]
    total = 0.5 * _log_determinant(precision)
    root = scaled_cholesky(hessian + precision, 0.0, L)
    step[:] = cholesky_solve(L, (gradient + np.dot(precision, offset)) / root) / root
    for j in range(ERRORS):
        total -= math.log(L[j, j] * root[j])
    left = offset - step
    total -= 0.5 * np.dot(left, np.dot(precision, left))
    a, b = 1.0 / (sensor.noise[c, 0] * sensor.factor[c]), 1.0 / (sensor.noise[c, 1] * sensor.factor[c])
    for n in range(len(residual)):
        if pixels.camera[n] == c:
            square, sized = 0.0, pixels.image[n, 2] > 0.0
            for i in range(3 if sized else 2):
                e = residual[n, i]
                for j in range(ERRORS):
                    e -= by_errors[n, i, j] * step[j]
                square += (a if i < 2 else b) * e * e
            area = pixels.cameras[c, 24] * pixels.cameras[c, 25]
            density = math.log(a) + (0.5 * math.log(b) if sized else 0.0)
            area *= 0.5 * pixels.cameras[c, 24] if sized else 1.0
            total -= robust_weight(square, 3.0 if sized else 2.0, density, sensor.outlier_rate, area)[1]
    return total


@kernel
def _log_determinant(matrix):
    """The logarithm of the determinant of a positive definite matrix."""
    L = np.empty(matrix.shape)
    root, total = scaled_cholesky(matrix, 0.0, L), 0.0
    for j in range(len(L)):
        total += 2.0 * math.log(L[j, j] * root[j])
    return total
