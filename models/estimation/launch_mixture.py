"""How a place launches its balls: a mixture of Gaussians of the state at the first frame, as [[launch]] tables.

    launches = measured_launches(states, variances, share=0.95)      # states (J, 9): position, velocity, spin

A launcher has a few settings, a player a few strokes; so a few components. Their number is the one that explains balls
best that were left out. Covariances are held together by a common one, in proportion to their numbers of balls.
"""

import math

import numpy as np

from ballcast.sim.launch import COMPONENTS, NORMAL, POSITION_FORMS, SPIN_FORMS, Launch

MAX_COMPONENTS, BALLS_EACH = 8, 12  # balls that a component needs
FOLDS, STARTS, ROUNDS = 4, 2, 30  # of cross-validation; of expectation-maximisation
SHRINKAGE, PSEUDO_BALLS = 0.15, 8.0  # of a component's covariance towards this part of that of all balls
MIN_SDS = np.repeat([0.005, 0.05, 3.0], 3)  # m, m/s, rad/s: no launcher repeats better, as far as is known
MARGIN = 0.02  # nats a ball by which more components must explain better
DIMENSIONS = 9


def measured_launches(states: np.ndarray, variances: np.ndarray, share: float) -> tuple[Launch, ...]:
    """Launches of balls with states (J, 9) at their first frames; `share` is the sum of their weights.

    variances (J, 9): how well the states are known. Their mean is taken off the spread that is seen.
    """
    scale = np.maximum(states.std(axis=0), MIN_SDS)
    z, known = states / scale, np.minimum(variances / scale**2, 0.5).mean(axis=0)
    floor = (MIN_SDS / scale) ** 2
    best = max(range(1, max(1, min(MAX_COMPONENTS, len(z) // BALLS_EACH)) + 1), key=lambda k: _score(z, k, floor))
    weights, means, covariances = _fit(z, best, floor)
    launches = []
    for weight, mean, covariance in zip(weights, means, covariances):
        covariance = _without_errors(covariance, known, floor) * np.outer(scale, scale)
        launches.append(_launch(share * weight, mean * scale, covariance))
    return tuple(launches)


def _launch(weight, mean, covariance):
    sd = np.sqrt(np.diag(covariance))
    numbers = tuple((NORMAL, float(m), float(s), -math.inf, math.inf) for m, s in zip(mean, sd))
    correlation = tuple(tuple(float(v) for v in row) for row in covariance / np.outer(sd, sd))
    forms = list(POSITION_FORMS).index("components"), COMPONENTS, list(SPIN_FORMS).index("components")
    return Launch(float(weight), *forms, numbers, (0.0, 0.0), (0.0, 0.0, 0.0), 0.0, correlation)


def _without_errors(covariance, known, floor):
    """A covariance (9, 9) less the variances (9,) of the errors, but for a part of it that always remains."""
    values, axes = np.linalg.eigh(covariance - np.diag(known))
    low = np.maximum(0.1 * np.diag(axes.T @ covariance @ axes), 1e-6)
    return (axes * np.maximum(values, low)) @ axes.T + np.diag(floor) * 0.1


def _score(z, count, floor):
    """The mean log-likelihood of balls z (J, 9) that were left out, less a margin for each component."""
    fold, total = np.arange(len(z)) % FOLDS, 0.0
    for k in range(FOLDS):
        if (fold == k).any():
            total += _log_density(z[fold == k], *_fit(z[fold != k], count, floor)).sum()
    return total / len(z) - MARGIN * count


def _fit(z, count, floor):
    """Weights (C,), means (C, 9) and covariances (C, 9, 9) of the mixture of balls z (J, 9)."""
    common = np.cov(z.T) + np.diag(floor) if len(z) > 1 else np.eye(DIMENSIONS)
    random, best, largest = np.random.default_rng(0), None, -math.inf
    for _ in range(STARTS if count > 1 else 1):
        weights = np.full(count, 1.0 / count)
        means, covariances = z[random.choice(len(z), count, replace=False)], np.array([common] * count)
        if count == 1:
            means = z.mean(axis=0)[None]
        for _ in range(ROUNDS):
            log = _component_densities(z, weights, means, covariances)
            share = np.exp(log - np.logaddexp.reduce(log, axis=1)[:, None])
            balls = share.sum(axis=0) + 1e-9
            weights, means = balls / len(z), (share.T @ z) / balls[:, None]
            covariances = np.array([_covariance(z - m, s, n, common, floor) for m, s, n in zip(means, share.T, balls)])
        density = float(_log_density(z, weights, means, covariances).sum())
        if density > largest:
            best, largest = (weights, means, covariances), density
    return best


def _covariance(offset, share, balls, common, floor):
    prior = SHRINKAGE * np.diag(np.diag(common))
    return ((share[:, None] * offset).T @ offset + PSEUDO_BALLS * prior) / (balls + PSEUDO_BALLS) + np.diag(floor)


def _component_densities(z, weights, means, covariances):
    """Logarithms (J, C) of the density of each component, but for a constant."""
    columns = []
    for weight, mean, covariance in zip(weights, means, covariances):
        L = np.linalg.cholesky(covariance)
        u = np.linalg.solve(L, (z - mean).T)
        columns.append(math.log(weight + 1e-300) - np.log(np.diag(L)).sum() - 0.5 * (u * u).sum(axis=0))
    return np.stack(columns, axis=1)


def _log_density(z, weights, means, covariances):
    return np.logaddexp.reduce(_component_densities(z, weights, means, covariances), axis=1)
