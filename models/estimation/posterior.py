"""What follows from a fit: samples of its posterior flown ahead; their spread, their landings. Compiled.

Laplace's covariance carried along is too narrow past a bounce, where small differences part ways, so draws are flown
through the engine's lanes. The draws are fixed, and chosen so that their mean and covariance are exact.
"""

import math

import numpy as np

from ballcast.models.estimation.fit import HEIGHT, UNKNOWNS, cholesky, to_launch
from ballcast.sim.jit import kernel
from ballcast.sim.kernels.lanes import CHUNK, LaneTask, fly_lanes
from ballcast.sim.kernels.layout import LAUNCH_SIZE

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


@kernel
def fly_samples(lane_sport, samples, times, contacts):
    """Positions (K, H, 3) m of samples (K, 16) at times (H,) s, as the tracker sees them, in the lanes' precision.

    contacts (n,) CONTACT_DTYPE gets the first contacts of all samples; how many there are is returned too.
    """
    positions = np.empty((len(samples), len(times), 3), lane_sport.boxes.dtype)
    return positions, fly_samples_into(lane_sport, samples, times.reshape((1, len(times))), positions, contacts)


@kernel
def fly_samples_into(lane_sport, samples, times, positions, contacts):
    """The same at times (K, H) s, a row a sample, or (1, H), into positions (K, H, 3); how many contacts there are."""
    count, (time_rows, horizons) = len(samples), times.shape
    launches, padded_times = np.empty((count, LAUNCH_SIZE)), np.full((time_rows, horizons + CHUNK), np.inf)
    for n in range(count):
        launches[n] = to_launch(samples[n])
    padded_times[:, :horizons] = times
    out, none, counts = positions.reshape(-1), np.empty((0, 0, 0), positions.dtype), np.full(count, horizons)
    task = LaneTask(lane_sport, launches, padded_times, counts, out, none, none, contacts)
    used = fly_lanes(task, 0, count)
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
def first_landings(lane_sport, contacts, used, samples, after):
    """The first landing of each sample later than `after` s, (K, 5): time from then (inf: none), position as the
    tracker sees it, surface. contacts: the first `used` count."""
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
