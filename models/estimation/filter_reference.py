"""The definition of the running filter: one component of the Gaussian sum in plain numpy, float64.

Tests hold the compiled filter (gaussian_sum.py and what it calls) to this. It shares no code with it: flights are the
simulator's, their derivatives are differences of flights, and covariances are multiplied as matrices. It covers what
one frame does with components: predict, update, split, merge, and the pass that linearises the last frames anew.
"""

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from ballcast.models.estimation.likelihood import OUTLIER_DENSITY
from ballcast.models.estimation.measurement import INFLATION_ROUNDS
from ballcast.models.estimation.mixture import SPLIT_OFFSET
from ballcast.models.estimation.prior import FILTER_DEGREES as DEGREES
from ballcast.models.estimation.prior import OUTLIER_RATE
from ballcast.models.estimation.smoothing import PASS_NOISE
from ballcast.models.estimation.unknowns import HEIGHT, LOG_PARAMETERS, UNKNOWNS, clamp
from ballcast.sim.engine import simulate
from ballcast.sim.sport import Sport

NEWTON_ROUNDS, SHORT_TIME = 6, 1e-4  # -, s
DIFFERENCES = np.repeat([1e-3, 1e-3, 1e-1, 1e-3, 1e-3, 1e-3], [3, 3, 3, 4, 2, 1])  # of unknowns, in flights compared
MEASURED = np.zeros((3, UNKNOWNS))  # H: a tracker's positions are too high by the unknown HEIGHT
MEASURED[:, :3], MEASURED[2, HEIGHT] = np.eye(3), 1.0


class Component(NamedTuple):
    """One Gaussian of the sum."""

    mean: np.ndarray  # (16,) of the unknowns
    covariance: np.ndarray  # (16, 16)
    log_weight: float = 0.0


class Point(NamedTuple):
    """Frames since the anchor that are neighbours, as one."""

    weight: float  # how many frames it counts for
    time: float  # s since the anchor, their mean
    time_variance: float  # s2
    position: np.ndarray  # (3,) m, their mean


def fly(sport: Sport, x: np.ndarray, dt: float) -> np.ndarray:
    """Unknowns x (N, 16) after a flight of dt s, contacts included."""
    factors = x[:, 9:HEIGHT].copy()
    factors[:, :4] = np.exp(x[:, LOG_PARAMETERS])
    flight = simulate(sport, x[:, :3], x[:, 3:6], x[:, 6:9], [dt], factors)
    assert flight.velocity is not None and flight.spin is not None
    return np.hstack([flight.position[:, 0], flight.velocity[:, 0], flight.spin[:, 0], x[:, 9:]])


def transition(sport: Sport, x: np.ndarray, dt: float) -> tuple[np.ndarray, np.ndarray]:
    """Unknowns x (16,) after a flight of dt s, and their derivatives F (16, 16) by those before it."""
    step = np.diag(DIFFERENCES)
    after = fly(sport, np.vstack([x, x + step, x - step]), dt)
    return after[0], (after[1 : UNKNOWNS + 1] - after[UNKNOWNS + 1 :]).T / (2.0 * DIFFERENCES)


def predict(sport: Sport, c: Component, dt: float, process_noise: np.ndarray) -> Component:
    """The component dt s later; process_noise (16,): variance that each unknown gains per second."""
    mean, F = transition(sport, c.mean, dt)
    return Component(mean, F @ c.covariance @ F.T + gained(process_noise) * dt, c.log_weight)


def gained(process_noise: np.ndarray) -> np.ndarray:
    """The covariance (16, 16) that the unknowns gain per second.

    The noise of HEIGHT is that of a tilted frame of reference. The ball's height gains it with the opposite sign, so
    that their sum, which is measured, is as well known as before.
    """
    noise = np.diag(process_noise)
    noise[2, 2] += process_noise[HEIGHT]
    noise[2, HEIGHT] = noise[HEIGHT, 2] = -process_noise[HEIGHT]
    return noise


def frame_noise(noise: np.ndarray, velocity: np.ndarray) -> np.ndarray:
    """R (3, 3) of a frame, by variances of the axes (m2) and of the time stamps (s2), noise (4,)."""
    return np.diag(noise[:3]) + noise[3] * np.outer(velocity, velocity)


def update(c: Component, y: np.ndarray, noise: np.ndarray, factor: float = 1.0) -> tuple[Component, float]:
    """The component corrected by a frame y (3,) m, and how many times less than an inlier the frame counted.

    factor: how many times the noise counts, because neighbouring frames err alike.

    Residuals follow Student's t: the frame's noise is inflated until it fits what is left of the residual. A small
    fraction of the frames are outliers, spread evenly.
    """
    r, h, R = y - MEASURED @ c.mean, MEASURED @ c.covariance @ MEASURED.T, frame_noise(noise, c.mean[3:6])
    inflation = 1.0
    for _ in range(INFLATION_ROUNDS):
        left = factor * inflation * R @ np.linalg.solve(h + factor * inflation * R, r)  # the residual after the update
        inflation = max(1.0, (DEGREES + float(left @ np.linalg.solve(R, left))) / (DEGREES + 3.0))
    log_weight = c.log_weight + max(log_density(r, h + factor * R), math.log(OUTLIER_RATE * OUTLIER_DENSITY))
    c = correct(c, r, factor * inflation * R)
    clamp(c.mean)
    return c._replace(log_weight=log_weight), inflation


def correct(c: Component, r: np.ndarray, R: np.ndarray) -> Component:
    """Kalman's update by the residual r (3,) of a measurement with noise R (3, 3)."""
    K = c.covariance @ MEASURED.T @ np.linalg.inv(MEASURED @ c.covariance @ MEASURED.T + R)
    return Component(c.mean + K @ r, c.covariance - K @ MEASURED @ c.covariance, c.log_weight)


def log_density(r: np.ndarray, S: np.ndarray) -> float:
    """Logarithm of the density of Student's t in three dimensions at r (3,), with scale S (3, 3)."""
    normaliser = math.lgamma(0.5 * DEGREES + 1.5) - math.lgamma(0.5 * DEGREES) - 1.5 * math.log(DEGREES * math.pi)
    square = r @ np.linalg.solve(S, r)
    return normaliser - 0.5 * math.log(np.linalg.det(S)) - 0.5 * (DEGREES + 3.0) * math.log1p(square / DEGREES)


def widest_spin(c: Component) -> np.ndarray:
    """Unit vector (3,) along which the spin is known worst."""
    return np.linalg.eigh(c.covariance[6:9, 6:9])[1][:, -1]


def split(c: Component, direction: np.ndarray) -> tuple[Component, Component]:
    """Two halves of a component, moved by SPLIT_OFFSET standard deviations of the spin along a unit vector (3,) and
    narrower by as much, so that mean and covariance of both together are the component's."""
    column = c.covariance[:, 6:9] @ direction
    shift = SPLIT_OFFSET * column / math.sqrt(direction @ column[6:9])
    narrower, log_weight = c.covariance - np.outer(shift, shift), c.log_weight - math.log(2.0)
    return Component(c.mean - shift, narrower, log_weight), Component(c.mean + shift, narrower, log_weight)


def merge(components: Iterable[Component]) -> Component:
    """One component with the mean, the covariance and the weight of all together."""
    means, covariances, log_weights = map(np.array, zip(*components, strict=True))
    weights = np.exp(log_weights - log_weights.max())
    log_total, weights = log_weights.max() + math.log(weights.sum()), weights / weights.sum()
    mean = weights @ means
    between = (means - mean).T * weights @ (means - mean)
    return Component(mean, np.tensordot(weights, covariances, 1) + between, log_total)


def acceleration(sport: Sport, x: np.ndarray) -> np.ndarray:
    """The acceleration (3,) m/s2 in the air."""
    return (fly(sport, x[None], SHORT_TIME)[0, 3:6] - x[3:6]) / SHORT_TIME


def launch_of(sport: Sport, x: np.ndarray, dt: float) -> np.ndarray:
    """The unknowns (16,) from which a flight of dt s leads to x (16,), by Newton's rule."""
    start = x - np.concatenate([dt * x[3:6], np.zeros(UNKNOWNS - 3)])
    for _ in range(NEWTON_ROUNDS):
        end, F = transition(sport, start, dt)
        start = start + np.linalg.solve(F, x - end)
    return start


def linearise_anew(sport: Sport, c: Component, anchor: Component, points: Iterable[Point], now: float,
                   noise: np.ndarray, process_noise: np.ndarray) -> Component:  # fmt: skip
    """The component at `now` s since the anchor, filtered from the anchor anew.

    The filter is linearised about one flight, which leads to the component's present mean. It estimates the deviation
    from this flight.
    """
    flight, time = launch_of(sport, c.mean, now), 0.0
    deviation = Component(anchor.mean - flight, anchor.covariance, c.log_weight)
    for point in [*points, Point(0.0, now, 0.0, np.zeros(3))]:
        dt, time = point.time - time, point.time
        flight, F = transition(sport, flight, dt)
        noise_gained = PASS_NOISE * gained(process_noise) * dt
        deviation = Component(F @ deviation.mean, F @ deviation.covariance @ F.T + noise_gained, c.log_weight)
        if point.weight > 0.0:
            bend = 0.5 * point.time_variance * acceleration(sport, flight)  # its path is no straight line
            r = point.position - bend - MEASURED @ (flight + deviation.mean)
            R = frame_noise(noise / point.weight, flight[3:6])
            square = float(r @ np.linalg.solve(MEASURED @ deviation.covariance @ MEASURED.T + R, r))
            deviation = correct(deviation, r, max(1.0, (DEGREES + square) / (DEGREES + 3.0)) * R)
    mean = flight + deviation.mean
    clamp(mean)
    return deviation._replace(mean=mean)
