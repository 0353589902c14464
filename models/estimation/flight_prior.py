"""Where a ball of a sport may be first seen, how fast, and with what spin: a sum of Gaussians over simulated flights.

A camera does not see depth. What bounds it is how the sport is played: position, velocity and spin go together. They
are taken along the flights of simulated balls, and gathered into a few dozen Gaussians by k-means. They are wider than
these flights, since people play as no simulated launch does, and one of them covers what none of them does.

Launches of some sports are from one end alone, though it is played from both. There most flights are strokes of its
rallies that reach their zones; the launches, half of them turned round, are the others. Launches of a sport miss more
often than people do: where play lands on another surface than the ground, as on a table, most flights are taken to
reach it. From far behind, one that does and one that passes over it look alike.
"""

import functools
from typing import NamedTuple

import numpy as np
from scipy.cluster.vq import kmeans2

from ballcast.sim import engine
from ballcast.sim.dataset import draw_launches
from ballcast.sim.kernels.layout import DRAG, LAUNCH_SIZE, POSITION, SPIN, VELOCITY
from ballcast.sim.sport import Sport
from ballcast.sim.stroke_launches import has_two_ends, stroke_launches, to_other_end

BALLS, FRAMES = 6000, 2  # flights, and moments of each
COMPONENTS = 96
LATENESS = 5.0  # a moment is the duration times a uniform number to this power: most balls are first seen early
SCALES = np.repeat(
    [1.0, 1.0, 0.7], 3
)  # of position, velocity and spin, in standard deviations, where they are gathered
WIDENING = 1.25  # of the standard deviations of each Gaussian
MARGIN = 0.12  # of the standard deviations of all: no Gaussian is narrower
BROAD_SHARE, BROAD_WIDENING = 0.05, 1.5  # weight, and widening of standard deviations, of the Gaussian over all
MIN_SDS = np.repeat([0.05, 0.2, 2.0], 3)  # m, m/s, rad/s
TABLE_SHARE = 0.75  # of the flights touch first what play lands on, if that is not the ground
LATE_WEIGHT = 0.25  # of a moment after the first contact
PLAYED, STROKES = 0.7, 3000  # share of strokes, and how many flights are some, where launches are from one end alone
DRAWN, MISSED = 2.5, 0.15  # strokes that are drawn for each of them; for each that reaches its zones, those that do not
SEED = 5
MIN_WEIGHT = 1e-4  # of a Gaussian, relative to the heaviest: lighter ones are far from where a ball is known to be


class FlightPrior(NamedTuple):
    """A sum of K Gaussians of position (m), velocity (m/s) and spin (rad/s)."""

    weights: np.ndarray  # (K,) that sum to 1
    means: np.ndarray  # (K, 9)
    covariances: np.ndarray  # (K, 9, 9)


@functools.lru_cache(32)
def flight_prior(sport: Sport) -> FlightPrior:
    """The FlightPrior of a Sport. Its arrays are shared by all callers."""
    states = _states_in_flight(sport)
    sd = np.maximum(states.std(axis=0), MIN_SDS)
    scaled = (states - states.mean(axis=0)) / sd * SCALES
    _, labels = kmeans2(scaled, COMPONENTS, seed=SEED, minit="++")
    floor = np.diag((MARGIN * sd) ** 2)
    parts = [states[labels == k] for k in range(COMPONENTS) if (labels == k).sum() > len(sd)]
    weights = [(1.0 - BROAD_SHARE) * len(part) / len(states) for part in parts] + [BROAD_SHARE]
    covariances = [WIDENING**2 * np.cov(part.T) + floor for part in parts]
    covariances.append(BROAD_WIDENING**2 * np.cov(states.T) + floor)
    means = [*(part.mean(axis=0) for part in parts), states.mean(axis=0)]
    return FlightPrior(np.array(weights) / np.sum(weights), np.array(means), np.array(covariances))


def near(prior: FlightPrior, position: np.ndarray, covariance: np.ndarray, probability: float = 1.0) -> FlightPrior:
    """The FlightPrior of a ball that is first seen near a position (3,) m, known with a covariance (3, 3) m2, with this
    probability; else anywhere."""
    sums = prior.covariances[:, :3, :3] + covariance
    gain = np.linalg.solve(sums, prior.covariances[:, :3, :]).transpose(0, 2, 1)  # (K, 9, 3)
    offset = position - prior.means[:, :3]
    means = prior.means + np.einsum("kij,kj->ki", gain, offset)
    covariances = prior.covariances - gain @ prior.covariances[:, :3, :]
    square = np.einsum("ki,kij,kj->k", offset, np.linalg.inv(sums), offset)
    logs = np.log(prior.weights) - 0.5 * square - 0.5 * np.linalg.slogdet(sums)[1]
    weights = np.exp(logs - logs.max())
    kept = weights > MIN_WEIGHT
    covariances = 0.5 * (covariances + covariances.transpose(0, 2, 1))
    there = FlightPrior(weights[kept] / weights[kept].sum(), means[kept], covariances[kept])
    if probability >= 1.0:
        return there
    shares = probability * there.weights, (1.0 - probability) * prior.weights
    return FlightPrior(np.concatenate(shares), *(np.concatenate(pair) for pair in zip(there[1:], prior[1:])))


def _states_in_flight(sport):
    """States (N, 9) of simulated balls at random moments, of those that move in the air."""
    launches, shares = _launches(sport)
    rng = np.random.default_rng(SEED)
    times = np.sort(sport.sensor.duration * rng.uniform(size=(len(launches), FRAMES)) ** LATENESS, axis=1)
    state = launches[:, POSITION], launches[:, VELOCITY], launches[:, SPIN]
    flight = engine.simulate(sport, *state, times, launches[:, DRAG:LAUNCH_SIZE])
    states = np.concatenate([flight.position, flight.velocity, flight.spin], axis=2).reshape(-1, 9)
    end = np.tile([0.0, sport.sensor.duration], (len(launches), 1))
    impacts = engine.simulate(sport, *state, end, launches[:, DRAG:LAUNCH_SIZE]).impacts
    weights = _weights(sport, times, impacts, shares).ravel()
    is_moving = np.isfinite(states).all(axis=1) & (np.linalg.norm(states[:, 3:6], axis=1) > 0.5)
    is_moving &= abs(states[:, 5]) > 1e-6
    states, total = states[is_moving], np.cumsum(weights[is_moving])
    return states[np.searchsorted(total, (np.arange(len(states)) + 0.5) / len(states) * total[-1])]


def _launches(sport):
    """Launches (B, LAUNCH_SIZE), of the sport and of its strokes, and how much each of them counts (B,)."""
    if not has_two_ends(sport) or any(launch.mirror > 0.0 for launch in sport.launches):
        return draw_launches(sport, BALLS), np.ones(BALLS)
    wide = draw_launches(sport, BALLS - STROKES)
    to_other_end(wide[::2])
    played, counts = stroke_launches(sport, round(DRAWN * STROKES), SEED)
    missed = np.flatnonzero(~counts)[: round(MISSED * counts.sum())]
    played = np.concatenate([played[counts], played[missed]])
    shares = np.append(np.full(len(wide), (1.0 - PLAYED) / len(wide)), np.full(len(played), PLAYED / len(played)))
    return np.concatenate([wide, played]), shares


def _weights(sport, times, impacts, shares):
    """How much each of the moments `times` (B, T) counts, by its ball's share (B,) and first impact."""
    first, surface = np.full(len(times), np.inf), np.full(len(times), -1)
    for ball, time, touched in zip(impacts.ball, impacts.time, impacts.surface, strict=True):
        if time < first[ball]:
            first[ball], surface[ball] = time, touched
    is_table = [part.landing and part.kind != "plane" for part in sport.surfaces]
    lands = np.append(is_table, False)[surface]
    weights = shares[:, None] * np.where(times > first[:, None], LATE_WEIGHT, 1.0)
    landed = float(shares @ lands / shares.sum())
    if 0.0 < landed < TABLE_SHARE:
        weights *= np.where(lands, TABLE_SHARE / landed, (1.0 - TABLE_SHARE) / (1.0 - landed))[:, None]
    return weights
