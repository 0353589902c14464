"""The forecast that follows from an estimate: samples of it simulated ahead, their spread, their landings. Compiled.

A covariance propagated linearly is too narrow after a bounce, where small differences grow, so samples are simulated in
the engine's lanes. Their random numbers are fixed, and chosen so that their mean and covariance are exact.
"""

import math
from typing import NamedTuple

import numpy as np

from ballcast.models.contract import Forecast, expected_landing
from ballcast.models.estimation.linear import cholesky_with_jitter
from ballcast.models.estimation.unknowns import HEIGHT, UNKNOWNS, fill_launch, to_belief
from ballcast.sim.jit import kernel
from ballcast.sim.kernels.lanes import CHUNK, LaneTask, fly_lanes
from ballcast.sim.kernels.layout import CONTACT_DTYPE, LAUNCH_SIZE

CONTACTS_PER_SAMPLE = 8  # impacts kept for each sample
JITTER = 1e-9  # fraction of the variances, added to them
MIN_LANDING_HORIZON = 2.0  # s after the last frame: a landing is looked for until then, or until the last asked time
MAX_UNLANDED = 0.1  # fraction of samples that may be without a landing at the last asked time


class Prediction(NamedTuple):
    """What is ahead of an estimate."""

    positions: np.ndarray  # (K, H, 3) m of samples, the most likely first
    covariance: np.ndarray  # (H, 3, 3) m2 about the first sample
    probability: float  # of a landing
    landing: np.ndarray  # (4,) time (s after the last frame) and position (m)
    landing_covariance: np.ndarray  # (4, 4)
    velocity: np.ndarray  # (H, 3) m/s of the first sample; may be empty
    velocity_covariance: np.ndarray  # (H, 3, 3) (m/s)2 about it; may be empty


def standard_normal_samples(count: int, seed: int = 0) -> np.ndarray:
    """Standard normal samples (count, 16). The first is 0; mean and covariance of all are exactly 0 and 1."""
    raw = np.random.default_rng(seed).standard_normal((count - 1, UNKNOWNS))
    orthonormal, _ = np.linalg.qr(raw - raw.mean(axis=0))
    orthonormal -= orthonormal.mean(axis=0)
    return np.concatenate([np.zeros((1, UNKNOWNS)), orthonormal * math.sqrt(count - 1)])


@kernel
def transform_samples(mean, covariance, standard_normal):
    """Samples (K, 16) of the Gaussian, from standard normal ones (K, 16)."""
    L = np.empty(covariance.shape)
    cholesky_with_jitter(covariance, JITTER, L)
    return mean + standard_normal @ L.T


@kernel
def fly_samples(lane_sport, samples, times, contacts):
    """Simulate samples (K, 16) to times (K, H) s, or (1, H) for all of them; fills the log of contacts.

    Returns measured positions (K, H, 3) m, in the precision of lane_sport, and the number of contacts in the log.
    """
    positions = np.empty((len(samples), times.shape[1], 3), lane_sport.boxes.dtype)
    none = np.empty((0, 0, 0), lane_sport.boxes.dtype)
    return positions, fly_samples_into(lane_sport, samples, times, contacts, positions, none)


@kernel
def fly_samples_into(lane_sport, samples, times, contacts, positions, velocities):
    """As fly_samples, into positions (K, H, 3) m and velocities (K, H, 3) m/s, which may be empty; times (N, H) s: a
    row is of K / N samples that follow one another."""
    count, (time_rows, horizons) = len(samples), times.shape
    launches, padded_times = np.empty((count, LAUNCH_SIZE)), np.full((time_rows, horizons + CHUNK), np.inf)
    for n in range(count):
        fill_launch(samples[n], launches[n])
    padded_times[:, :horizons] = times
    counts, out, spins = np.full(count, horizons), positions.reshape(-1), np.empty_like(velocities)
    status = np.empty(count, np.int8)
    task = LaneTask(lane_sport, launches, padded_times, counts, out, velocities, spins, status, contacts)
    used = fly_lanes(task, np.int64(0), count, False)
    for n in range(count):
        for k in range(horizons):
            positions[n, k, 2] += samples[n, HEIGHT]
    return min(used, len(contacts))


@kernel
def covariance_about_first(samples):
    """Second moments (H, 3, 3) of samples (K, H, 3) about the first, the most likely."""
    covariance = np.empty((samples.shape[1], 3, 3))
    fill_covariance_about_first(samples, covariance)
    return covariance


@kernel
def fill_covariance_about_first(samples, covariance):
    """As covariance_about_first, into covariance (H, 3, 3)."""
    count, size = len(samples), 3 * samples.shape[1]
    flat, offset = samples.reshape((count, size)), np.zeros(size + 2)
    squares, next_products, later_products = np.zeros(size), np.zeros(size), np.zeros(size)
    for n in range(1, count):  # flat, so that the loops are vectorised: some products are of no use
        for m in range(size):
            offset[m] = flat[n, m] - flat[0, m]
        for m in range(size):
            squares[m] += offset[m] * offset[m]
            next_products[m] += offset[m] * offset[m + 1]
            later_products[m] += offset[m] * offset[m + 2]
    scale = 1.0 / (count - 1)
    for k in range(len(covariance)):
        m = 3 * k
        for i in range(3):
            covariance[k, i, i] = scale * squares[m + i]
        covariance[k, 0, 1] = covariance[k, 1, 0] = scale * next_products[m]
        covariance[k, 1, 2] = covariance[k, 2, 1] = scale * next_products[m + 1]
        covariance[k, 0, 2] = covariance[k, 2, 0] = scale * later_products[m]


@kernel
def first_landings(lane_sport, contacts, used, samples, after):
    """The first landing of each sample later than `after` s, (K, 5): time from then (inf: none), measured position,
    surface. The first `used` contacts count."""
    landings = np.full((len(samples), 5), np.inf)
    for contact in contacts[:used]:
        n, surface, t = contact["ball"], contact["surface"], contact["time"] - after
        if lane_sport.sport.is_landing[surface] and 0.0 <= t < landings[n, 0]:
            landings[n, 0], landings[n, 4] = t, surface
            for i in range(3):
                landings[n, 1 + i] = contact["position"][i] + (samples[n, HEIGHT] if i == 2 else 0.0)
    return landings


@kernel
def median_landing_first(landings):
    """The landings (K, 5), the first replaced by the median of those on the surface that most samples reach."""
    surface = np.median(landings[:, 4])
    chosen = landings[landings[:, 4] == surface]
    if len(chosen) and surface < math.inf:
        for i in range(5):
            landings[0, i] = np.median(chosen[:, i])
    return landings


@kernel
def modal_landing(landings, surfaces):
    """(probability of a landing, time and position (4,), covariance (4, 4)) on the surface where most samples land.

    Time and position are those of the first sample, the most likely, if it lands there too; otherwise the mean.
    """
    votes, landed = np.zeros(surfaces), 0
    for n in range(len(landings)):
        if landings[n, 0] < np.inf:
            landed += 1
            votes[int(landings[n, 4])] += 1
    mode, covariance, top = np.zeros(4), np.zeros((4, 4)), max(votes.max(), 1.0)
    chosen = landings[landings[:, 4] == float(np.argmax(votes))]
    if landed > 0:
        for i in range(4):
            mode[i] = landings[0, i] if landings[0, 4] == chosen[0, 4] else chosen[:, i].mean()
    for n in range(len(chosen)):
        for i in range(4):
            for j in range(4):
                covariance[i, j] += (chosen[n, i] - mode[i]) * (chosen[n, j] - mode[j]) / top
    return landed / len(landings), mode, covariance


@kernel
def simulate_samples(lane_sport, samples, times, K, positions, velocities):
    """Fill positions (B K, H, 3) m and velocities (B K, H, 3) m/s of K samples of each of B balls at times (B or 1, H)
    s: first landings (B K, 5).

    If too many samples of a ball have not landed by the last time, those are simulated further.
    """
    contacts = np.empty(CONTACTS_PER_SAMPLE * len(samples), CONTACT_DTYPE)
    used = fly_samples_into(lane_sport, samples, times, contacts, positions, velocities)
    landings, is_late = first_landings(lane_sport, contacts, used, samples, 0.0), np.zeros(len(samples), np.bool_)
    for first in range(0, len(samples), K):
        is_unlanded, end = landings[first : first + K, 0] == np.inf, times[min(first // K, len(times) - 1), -1]
        if end < MIN_LANDING_HORIZON and is_unlanded.mean() > MAX_UNLANDED:
            is_late[first : first + K] = is_unlanded
    if is_late.any():
        late = samples[is_late]
        _, used = fly_samples(lane_sport, late, np.full((1, 1), MIN_LANDING_HORIZON), contacts)
        landings[is_late] = first_landings(lane_sport, contacts, used, late, 0.0)
    return landings


@kernel
def predict_ahead(lane_sport, standard_normal, x, covariance, times):
    """The Prediction of unknowns x (16,) with a covariance (16, 16), at times (H,) s after the last frame.

    standard_normal (K, 16): see standard_normal_samples.
    """
    samples = transform_samples(x, covariance, standard_normal)
    positions = np.empty((len(samples), len(times), 3), lane_sport.boxes.dtype)
    velocities = np.empty_like(positions)
    row = times.reshape((1, len(times)))
    landings = simulate_samples(lane_sport, samples, row, len(samples), positions, velocities)
    landing = modal_landing(landings, len(lane_sport.boxes))
    moving = velocities[0].astype(np.float64), covariance_about_first(velocities)
    return Prediction(positions, covariance_about_first(positions), *landing, *moving)


def to_forecast(
    x: np.ndarray, covariance: np.ndarray, prediction: Prediction, last: float, ground: float | None = None
) -> Forecast:
    """The Forecast of unknowns x (16,), their covariance and Prediction; the last frame is at `last` s.

    ground: the height, m, below which no mean is; None: any.
    """
    landing = expected_landing(last, prediction.probability, prediction.landing, prediction.landing_covariance)
    positions = prediction.positions
    mean = positions[0].astype(float)
    keep_above(ground, mean)
    belief, has_velocity = to_belief(x, covariance), len(prediction.velocity) == len(mean)
    moving = (prediction.velocity, prediction.velocity_covariance) if has_velocity else (None, None)
    return Forecast(mean, prediction.covariance, positions, landing, belief, *moving)


def keep_above(ground: float | None, mean: np.ndarray) -> None:
    """Lift what lies below the ground, a height in m, onto it: of positions mean (..., 3) m, in place.

    A tracker may be centimetres too low: a ball on the ground is then measured in it.
    """
    if ground is not None:
        np.maximum(mean[..., 2], ground, out=mean[..., 2])
