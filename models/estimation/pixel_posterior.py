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
from ballcast.models.estimation.linear import cholesky_with_jitter
from ballcast.models.estimation.pixel_fit import PixelFit, PixelPrior, Pixels, robust_weight
from ballcast.models.estimation.pixels import CLOCK, ERRORS, LOG_FOCAL, erring, image_of, into_camera
from ballcast.models.estimation.unknowns import UNKNOWNS, clamp, to_launch
from ballcast.sim.jit import kernel
from ballcast.sim.kernels.flight import fly_ball
from ballcast.sim.kernels.layout import CONTACT_DTYPE

SAMPLES = 1200
WIDENING = 1.15  # of the standard deviations of every second sample
MIN_EFFECTIVE = 60.0  # samples that must carry the weight
JITTER = 1e-9


class WeightedFlights(NamedTuple):
    """Flights of the posterior."""

    weights: np.ndarray  # (N,) that sum to 1
    final: np.ndarray  # (N, 16) the unknowns at the last frame
    paths: np.ndarray  # (N, T, 3) m at the frames; (N, 0, 3) if they were not asked for
    errors: np.ndarray  # (N, 8 C) of the cameras
    effective: float  # samples that carry the weight, before it was flattened


def weigh_flights(
    sport, pixels: Pixels, fits: list[PixelFit], shares: np.ndarray, prior: FlightPrior, own: PixelPrior, end: float,
    with_paths: bool = False,
) -> WeightedFlights:  # fmt: skip
    """Samples of the posterior of Pixels.

    fits, shares (M,): a mixture; own: the PixelPrior of any Gaussian of the FlightPrior, of which what follows the
    state is used; end: s from the epoch, of the last frame.
    """
    rng = np.random.default_rng(len(pixels.time))
    counts = np.diff(np.concatenate([[0], np.floor(np.cumsum(shares) * SAMPLES + 0.5).astype(int)]))
    factors = [_factor(fit.covariance) for fit in fits]
    samples = np.concatenate([_draw(fit.x, L, n, rng) for fit, L, n in zip(fits, factors, counts, strict=True) if n])
    log = _log_prior(samples, prior, own) - _log_proposal(samples, fits, factors, counts / SAMPLES)
    final = np.empty((len(samples), UNKNOWNS))
    paths = np.empty((len(samples), len(pixels.time) if with_paths else 0, 3))
    likelihood = np.empty(len(samples))
    top = fits[0]
    fly_past(sport, pixels, samples, (top.noise, top.noise_factor, own.outlier_rate), end, likelihood, final, paths)
    weights, effective = _flattened(log + likelihood)
    return WeightedFlights(weights, final, paths, samples[:, UNKNOWNS:], effective)


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


def _log_proposal(samples, fits, factors, shares):
    """The logarithm (N,) of the density that samples (N, D) were drawn from."""
    total, size = np.full(len(samples), -np.inf), samples.shape[1]
    for fit, L, share in zip(fits, factors, shares, strict=True):
        if share > 0.0:
            square = (solve_triangular(L, (samples - fit.x).T, lower=True) ** 2).sum(axis=0)
            near, wide = -0.5 * square, -0.5 * square / WIDENING**2 - size * math.log(WIDENING)
            total = np.logaddexp(total, np.logaddexp(near, wide) + math.log(share) - np.log(np.diag(L)).sum())
    return total


def _log_prior(samples, prior, own):
    """The logarithm (N,) of the prior's density at samples (N, D), but for a constant."""
    L = np.linalg.cholesky(prior.covariances)
    inverse = np.linalg.inv(L)
    white = np.einsum("kij,nj->kni", inverse, samples[:, :9]) - np.einsum("kij,kj->ki", inverse, prior.means)[:, None]
    log = np.log(prior.weights) - np.log(np.diagonal(L, axis1=1, axis2=2)).sum(axis=1)
    log = log[:, None] - 0.5 * (white**2).sum(axis=2)
    top = log.max(axis=0)
    rest = samples[:, 9:] - own.mean[9:]
    precision = own.precision[9:, 9:]
    return top + np.log(np.exp(log - top).sum(axis=0)) - 0.5 * np.einsum("ni,ij,nj->n", rest, precision, rest)


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
def fly_past(sport, pixels, samples, sensor, end, likelihood, final, paths):
    """Fly samples (N, D) past the frames: fills the log-likelihood (N,), the unknowns at `end` s (N, 16), and paths.

    sensor: (noise (C, 2) px2, how many times it counts (C,), fraction of outliers).
    """
    count, size = len(pixels.time), len(pixels.cameras)
    trajectory, jacobian = np.empty((count, 6)), np.empty((count, 3, 0))
    stamps, times, order, none = np.empty(count), np.empty(count), np.arange(count), np.empty(0)
    for i in range(len(samples)):
        x = samples[i]
        for n in range(count):
            stamps[n] = pixels.time[n] + x[UNKNOWNS + ERRORS * pixels.camera[n] + CLOCK]
        if size > 1:
            order = np.argsort(stamps)
        for k in range(count):
            times[k] = max(stamps[order[k]], 0.0)
        flight = fly_ball(sport, to_launch(x), times, none, trajectory, jacobian, np.empty(0, CONTACT_DTYPE))
        final[i] = x[:UNKNOWNS]
        for j in range(3):
            final[i, j] = flight.position[j] + (end - times[-1]) * flight.velocity[j]
            final[i, 3 + j], final[i, 6 + j] = flight.velocity[j], flight.spin[j]
        likelihood[i] = 0.0
        for k in range(count):
            n = order[k]
            early = min(stamps[n], 0.0)
            for j in range(3):
                trajectory[k, j] += early * trajectory[k, 3 + j]
            likelihood[i] += _log_density(sport, pixels, n, x, trajectory[k], sensor)
            if paths.shape[1]:
                for j in range(3):
                    paths[i, n, j] = trajectory[k, j]


@kernel
def _log_density(sport, pixels, n, x, position, sensor):
    """The log-density of frame n given where the ball is."""
    c = pixels.camera[n]
    camera, first, noise, factor, rate = pixels.cameras[c], UNKNOWNS + ERRORS * c, sensor[0], sensor[1], sensor[2]
    errors = x[first : first + ERRORS]
    p, q, r = into_camera(camera, position[0], position[1], position[2])
    p, q, r = erring(errors, p, q, r)
    image, _, _, _ = image_of(camera, p, q, r)
    grow = math.exp(errors[LOG_FOCAL])
    a, b = 1.0 / math.sqrt(noise[c, 0] * factor[c]), 1.0 / math.sqrt(noise[c, 1] * factor[c])
    du = a * (grow * (image[0] - camera[2]) + camera[2] - pixels.image[n, 0])
    dv = a * (grow * (image[1] - camera[3]) + camera[3] - pixels.image[n, 1])
    square, dimensions, scale, area = du * du + dv * dv, 2.0, 2.0 * math.log(a), camera[24] * camera[25]
    if pixels.image[n, 2] > 0.0:
        dd = b * (grow * 2.0 * sport.radius * image[2] - pixels.image[n, 2])
        square, dimensions, scale, area = square + dd * dd, 3.0, scale + math.log(b), 0.5 * area * camera[24]
    _, loss = robust_weight(square, dimensions, scale, rate, area)
    return -loss
