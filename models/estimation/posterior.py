"""What follows from a fit: samples of its posterior flown ahead; their spread, their landings. Compiled.

Laplace's covariance carried along is too narrow past a bounce, where small differences part ways, so draws are flown
through the engine's lanes. The draws are fixed, and chosen so that their mean and covariance are exact.
"""

import math

import numpy as np
from ballcast.models.estimation.fit import HEIGHT, SIZE, cholesky, launch_of
from ballcast.sim import engine
from ballcast.sim.jit import kernel
from ballcast.sim.kernels import aerodynamics as flight
from ballcast.sim.kernels import contact as impact
from ballcast.sim.kernels import lanes

LOG_SHARE = 8  # impacts kept for each draw


def standard_draws(count, seed=0):
    """(count, 16) standard normal draws; the first is the mean, and mean and covariance of all are exact."""
    raw = np.random.default_rng(seed).standard_normal((count - 1, SIZE))
    q, _ = np.linalg.qr(raw - raw.mean(axis=0))
    q -= q.mean(axis=0)
    return np.concatenate([np.zeros((1, SIZE)), q * math.sqrt(count - 1)])


@kernel
def root(covariance):
    """L (16, 16), lower, of covariance = L L^T, a hair widened where it is flat."""
    L, D = np.zeros((SIZE, SIZE)), np.sqrt(np.diag(covariance)) + 1e-12
    R = covariance / np.outer(D, D)
    for i in range(SIZE):
        R[i, i] += 1e-9
    cholesky(R, L)
    for i in range(SIZE):
        L[i] *= D[i]
    return L


@kernel
def spread_draws(mean, covariance, standard):
    """Unknowns (K, 16) of the Gaussian, by standard draws (K, 16)."""
    return mean + standard @ root(covariance).T


def sky(sport, dtype):
    """What the lanes need of the sport to fly draws in that precision."""
    family, c = flight.air(sport, dtype)
    rows = impact.surfaces(sport)
    boxes = engine.boxes_of(rows).astype(dtype)
    return family, c, flight.air(sport, np.float64)[1], rows, boxes, sport.ball.inertia


@kernel
def fly_draws(sky, draws, times, log):
    """Places (K, H, 3) m of draws (K, 16) at times (H,) s after them, as the tracker sees them; impacts into log.

    With how many impacts there are in the log; the places are as precise as the sky.
    """
    places = np.empty((len(draws), len(times), 3), sky[4].dtype)
    return places, fly_each(sky, draws, times.reshape((1, len(times))), places, log)


@kernel
def fly_each(sky, draws, times, places, log):
    """The same at times (K, H) s, a row a draw, or one row for all, into places (K, H, 3); how many impacts."""
    family, c, c64, rows, boxes, inertia = sky
    count, (told, asked) = len(draws), times.shape
    launch, padded = np.empty((count, 15)), np.full((told, asked + lanes.CHUNK), np.inf)
    for n in range(count):
        launch[n] = launch_of(draws[n])
    padded[:, :asked] = times
    out, none, counts = places.reshape(-1), np.empty((0, 0, 0), places.dtype), np.full(count, asked)
    task = lanes.Task(family, c, c64, rows, boxes, inertia, launch, padded, counts, out, none, none, log)
    used = lanes.run(task, 0, count)
    for n in range(count):
        for k in range(asked):
            places[n, k, 2] += draws[n, HEIGHT]
    return min(used, len(log))


@kernel
def spread_about_first(samples):
    """Second moments (H, 3, 3) of samples (K, H, 3) about the first of them, the likeliest."""
    count, asked, _ = samples.shape
    spread = np.zeros((asked, 3, 3))
    for n in range(1, count):
        for k in range(asked):
            x, y, z = (
                samples[n, k, 0] - samples[0, k, 0],
                samples[n, k, 1] - samples[0, k, 1],
                samples[n, k, 2] - samples[0, k, 2],
            )
            spread[k, 0, 0] += x * x
            spread[k, 1, 0] += y * x
            spread[k, 1, 1] += y * y
            spread[k, 2, 0] += z * x
            spread[k, 2, 1] += z * y
            spread[k, 2, 2] += z * z
    spread /= count - 1
    for i, j in ((0, 1), (0, 2), (1, 2)):
        spread[:, i, j] = spread[:, j, i]
    return spread


@kernel
def first_landings(log, used, landing, draws):
    """The first landing of each draw (K, 5): time (inf: none), place as the tracker sees it, surface."""
    found = np.full((len(draws), 5), np.inf)
    for m in range(used):
        n, j, t = int(log[m, 0]), int(log[m, 1]), log[m, 2]
        if landing[j] and t < found[n, 0]:
            found[n, 0], found[n, 4] = t, j
            for i in range(3):
                found[n, 1 + i] = log[m, 3 + i] + (draws[n, HEIGHT] if i == 2 else 0.0)
    return found


@kernel
def middle_first(landings):
    """The landings (K, 5), the first of them in the middle of those on the surface that most draws reach."""
    surface = np.median(landings[:, 4])
    chosen = landings[landings[:, 4] == surface]
    if len(chosen) and surface < math.inf:
        for i in range(5):
            landings[0, i] = np.median(chosen[:, i])
    return landings


@kernel
def likeliest_landing(found, surfaces):
    """(probability of a landing, time and place (4,), covariance (4, 4)) on the surface where most draws land.

    That of the first draw, the likeliest, where it lands there too; else the mean.
    """
    votes, landed = np.zeros(surfaces), 0
    for n in range(len(found)):
        if found[n, 0] < np.inf:
            landed += 1
            votes[int(found[n, 4])] += 1
    at, spread, most = np.zeros(4), np.zeros((4, 4)), max(votes.max(), 1.0)
    chosen = found[found[:, 4] == float(np.argmax(votes))]
    if landed > 0:
        for i in range(4):
            at[i] = found[0, i] if found[0, 4] == chosen[0, 4] else chosen[:, i].mean()
    for n in range(len(chosen)):
        for i in range(4):
            for j in range(4):
                spread[i, j] += (chosen[n, i] - at[i]) * (chosen[n, j] - at[j]) / most
    return landed / len(found), at, spread
