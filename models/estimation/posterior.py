"""What follows from a fit: samples of its posterior flown ahead; their spread, their landings. Compiled.

Laplace's covariance carried along is too narrow past a bounce, where small differences part ways, so draws are flown
through the engine's lanes. The draws are fixed, and chosen so that their mean and covariance are exact.
"""

import math

import numpy as np

from ballcast.models.estimation.fit import HEIGHT, UNKNOWNS, cholesky, to_launch
from ballcast.sim import engine
from ballcast.sim.jit import kernel
from ballcast.sim.kernels import aerodynamics as flight
from ballcast.sim.kernels import contact as impact
from ballcast.sim.kernels import lanes

CONTACTS_PER_SAMPLE = 8  # impacts kept for each draw


def standard_normal_samples(count, seed=0):
    """(count, 16) standard normal draws; the first is the mean, and mean and covariance of all are exact."""
    raw = np.random.default_rng(seed).standard_normal((count - 1, UNKNOWNS))
    orthonormal, _ = np.linalg.qr(raw - raw.mean(axis=0))
    orthonormal -= orthonormal.mean(axis=0)
    return np.concatenate([np.zeros((1, UNKNOWNS)), orthonormal * math.sqrt(count - 1)])


@kernel
def cholesky_with_jitter(covariance):
    """L (16, 16), lower, of covariance = L L^T, a hair widened where it is flat."""
    L, sd = np.zeros((UNKNOWNS, UNKNOWNS)), np.sqrt(np.diag(covariance)) + 1e-12
    correlation = covariance / np.outer(sd, sd)
    for i in range(UNKNOWNS):
        correlation[i, i] += 1e-9
    cholesky(correlation, L)
    for i in range(UNKNOWNS):
        L[i] *= sd[i]
    return L


@kernel
def transform_samples(mean, covariance, standard_normal):
    """Unknowns (K, 16) of the Gaussian, by standard draws (K, 16)."""
    return mean + standard_normal @ cholesky_with_jitter(covariance).T


def compile_lane_sport(sport, dtype):
    """What the lanes need of the sport to fly draws in that precision."""
    drag_model, aero = flight.air(sport, dtype)
    surfaces = impact.surfaces(sport)
    boxes = engine.contact_boxes(surfaces).astype(dtype)
    return drag_model, aero, flight.air(sport, np.float64)[1], surfaces, boxes, sport.ball.inertia


@kernel
def fly_samples(lane_sport, samples, times, contacts):
    """Places (K, H, 3) m of draws (K, 16) at times (H,) s after them, as the tracker sees them; impacts into log.

    With how many impacts there are in the log; the places are as precise as the sky.
    """
    positions = np.empty((len(samples), len(times), 3), lane_sport[4].dtype)
    return positions, fly_samples_into(lane_sport, samples, times.reshape((1, len(times))), positions, contacts)


@kernel
def fly_samples_into(lane_sport, samples, times, positions, contacts):
    """The same at times (K, H) s, a row a draw, or one row for all, into places (K, H, 3); how many impacts."""
    drag_model, aero, aero64, surfaces, boxes, inertia = lane_sport
    count, (time_rows, horizons) = len(samples), times.shape
    launches, padded_times = np.empty((count, 15)), np.full((time_rows, horizons + lanes.CHUNK), np.inf)
    for n in range(count):
        launches[n] = to_launch(samples[n])
    padded_times[:, :horizons] = times
    out, none, counts = positions.reshape(-1), np.empty((0, 0, 0), positions.dtype), np.full(count, horizons)
    task = lanes.Task(
        drag_model, aero, aero64, surfaces, boxes, inertia, launches, padded_times, counts, out, none, none, contacts
    )
    used = lanes.run(task, 0, count)
    for n in range(count):
        for k in range(horizons):
            positions[n, k, 2] += samples[n, HEIGHT]
    return min(used, len(contacts))


@kernel
def covariance_about_first(samples):
    """Second moments (H, 3, 3) of samples (K, H, 3) about the first of them, the likeliest."""
    count, horizons, _ = samples.shape
    covariance = np.zeros((horizons, 3, 3))
    for n in range(1, count):
        for k in range(horizons):
            dx, dy, dz = (
                samples[n, k, 0] - samples[0, k, 0],
                samples[n, k, 1] - samples[0, k, 1],
                samples[n, k, 2] - samples[0, k, 2],
            )
            covariance[k, 0, 0] += dx * dx
            covariance[k, 1, 0] += dy * dx
            covariance[k, 1, 1] += dy * dy
            covariance[k, 2, 0] += dz * dx
            covariance[k, 2, 1] += dz * dy
            covariance[k, 2, 2] += dz * dz
    covariance /= count - 1
    for i, j in ((0, 1), (0, 2), (1, 2)):
        covariance[:, i, j] = covariance[:, j, i]
    return covariance


@kernel
def first_landings(contacts, used, landing, samples):
    """The first landing of each draw (K, 5): time (inf: none), place as the tracker sees it, surface."""
    landings = np.full((len(samples), 5), np.inf)
    for row in range(used):
        n, j, t = int(contacts[row, 0]), int(contacts[row, 1]), contacts[row, 2]
        if landing[j] and t < landings[n, 0]:
            landings[n, 0], landings[n, 4] = t, j
            for i in range(3):
                landings[n, 1 + i] = contacts[row, 3 + i] + (samples[n, HEIGHT] if i == 2 else 0.0)
    return landings


@kernel
def median_landing_first(landings):
    """The landings (K, 5), the first of them in the middle of those on the surface that most draws reach."""
    surface = np.median(landings[:, 4])
    chosen = landings[landings[:, 4] == surface]
    if len(chosen) and surface < math.inf:
        for i in range(5):
            landings[0, i] = np.median(chosen[:, i])
    return landings


@kernel
def modal_landing(landings, surfaces):
    """(probability of a landing, time and place (4,), covariance (4, 4)) on the surface where most draws land.

    That of the first draw, the likeliest, where it lands there too; else the mean.
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
