"""What balls share, and how they vary: a linear mixed model of many fits, by empirical Bayes.

Each ball j has K numbers, p_j = theta + b_j. theta is shared; b_j, what is the ball's own, is Gaussian with standard
deviations tau (0: all balls have the same number). A fit says of p_j a mean m_j and an information matrix L_j (K, K),
which is singular where a track tells nothing. theta and tau follow in closed form, by expectation-maximisation of the
restricted likelihood (Laird and Ware 1982). Balls that lie far from the others count less, by Student's t.
"""

from typing import NamedTuple

import numpy as np

ROUNDS, TOLERANCE = 400, 1e-5  # of expectation-maximisation; change of the logarithms of tau at the end
DEGREES = 5.0  # of Student's t over balls
MIN_TAU = 1e-7  # a smaller one is 0


class Messages(NamedTuple):
    """What the fits of J balls say of their K numbers."""

    mean: np.ndarray  # (J, K)
    information: np.ndarray  # (J, K, K)


class Prior(NamedTuple):
    """What is known before: mean and standard deviations of theta, and tau with so many balls behind it."""

    mean: np.ndarray  # (K,)
    sd: np.ndarray  # (K,)
    tau: np.ndarray  # (K,); 0 where balls do not differ
    pseudo_balls: float


class Population(NamedTuple):
    """What balls share, and how they vary."""

    theta: np.ndarray  # (K,)
    covariance: np.ndarray  # (K, K) of theta
    tau: np.ndarray  # (K,)
    own: np.ndarray  # (J, K) each ball's b_j
    own_variance: np.ndarray  # (J, K)
    weights: np.ndarray  # (J,) of the balls, 1 for usual ones
    distances: np.ndarray  # (J,) squared distances from theta, in standard deviations
    ranks: np.ndarray  # (J,) how many numbers a ball tells of


def estimate(messages: Messages, prior: Prior, trust: np.ndarray) -> Population:
    """The Population of J balls; trust (J,) multiplies their weights, 0 leaves a ball out."""
    tau, weights = np.maximum(prior.tau, 0.0), trust.astype(float)
    varies = prior.tau > MIN_TAU
    ranks = _ranks(messages, np.maximum(prior.tau, prior.sd))
    for _ in range(ROUNDS):
        before = tau
        marginal = _marginal_information(messages, tau)
        theta, covariance = _shared(messages, marginal, prior, weights)
        own, own_variance = _own(messages, marginal, theta, covariance, tau)
        tau = _spread(own, own_variance, weights, prior)
        offset = messages.mean - theta
        distances = np.einsum("jk,jkl,jl->j", offset, marginal, offset)
        weights = trust * np.minimum((DEGREES + ranks) / (DEGREES + distances), 1.5)
        if not varies.any() or np.abs(np.log((tau[varies] + 1e-9) / (before[varies] + 1e-9))).max() < TOLERANCE:
            break
    covariance = _robust_covariance(messages, marginal, theta, covariance, weights)
    return Population(theta, covariance, tau, own, own_variance, weights, distances, ranks)


def _marginal_information(messages, tau):
    """What each ball says of theta, (J, K, K): (L^-1 + T)^-1, without an inverse of L."""
    root, L = tau[:, None] * np.eye(len(tau)), messages.information
    inner = np.eye(len(tau)) + root @ L @ root
    return L - L @ root @ np.linalg.solve(inner, root @ L)


def _shared(messages, marginal, prior, weights):
    """theta (K,) and its covariance by the model, (K, K)."""
    information = np.einsum("j,jkl->kl", weights, marginal) + np.diag(prior.sd**-2.0)
    moment = np.einsum("j,jkl,jl->k", weights, marginal, messages.mean) + prior.mean * prior.sd**-2.0
    covariance = np.linalg.inv(information)
    return covariance @ moment, covariance


def _own(messages, marginal, theta, covariance, tau):
    """Means and variances (J, K) of what is each ball's own; that theta is uncertain counts."""
    T = tau**2
    gain = T[:, None] * marginal  # (J, K, K)
    own = np.einsum("jkl,jl->jk", gain, messages.mean - theta)
    variance = T - np.einsum("jkk,k->jk", gain, T)
    variance += np.einsum("jkl,lm,jkm->jk", gain, covariance, gain)
    return own, np.maximum(variance, 0.0)


def _spread(own, own_variance, weights, prior):
    """tau (K,)."""
    sums = np.einsum("j,jk->k", weights, own**2 + own_variance) + prior.pseudo_balls * prior.tau**2
    return np.where(prior.tau > MIN_TAU, np.sqrt(sums / (weights.sum() + prior.pseudo_balls)), 0.0)


def _ranks(messages, sd):
    """How many numbers each ball tells of, (J,): by how much it narrows what has these standard deviations (K,)."""
    scaled = sd[:, None] * messages.information * sd
    return len(sd) - np.trace(np.linalg.inv(np.eye(len(sd)) + scaled), axis1=1, axis2=2)


def _robust_covariance(messages, marginal, theta, covariance, weights):
    """The covariance of theta, (K, K): by the model, or by how the balls scatter where that is more."""
    scores = np.einsum("j,jkl,jl->jk", weights, marginal, messages.mean - theta)
    rest = np.eye(len(theta)) - np.einsum("j,jkl,lm->jkm", weights, marginal, covariance)  # without ball j
    scores = np.linalg.solve(rest, scores[..., None])[..., 0]
    sandwich = covariance @ (scores.T @ scores) @ covariance
    scale = np.sqrt(np.maximum(np.diag(sandwich) / np.diag(covariance), 1.0))
    return covariance * np.outer(scale, scale)
