"""How far a forecast is from the truth, and how well it knew its uncertainty: errors, regions, proper scores.

A forecast has mean (..., 3) m and covariance (..., 3, 3) m2; truth (..., 3) m is the position of the ball. All
functions return new arrays; NaN gives NaN.
"""

import math

import numpy as np
from scipy.special import ndtr
from scipy.stats import chi2

STATISTICS = {  # of errors (N, ...) over tracks, the first axis
    "median": lambda e: np.median(e, axis=0),
    "mean": lambda e: np.mean(e, axis=0),
    "p90": lambda e: np.quantile(e, 0.9, axis=0),
    "rmse": lambda e: np.sqrt(np.mean(np.square(e), axis=0)),
}
DRAWS = 64


def distance(mean: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Euclidean distance (...) m."""
    return np.linalg.norm(np.asarray(mean) - truth, axis=-1)


def ade(errors: np.ndarray) -> np.ndarray:
    """Average displacement error (N,) m of errors (N, H) m."""
    return np.mean(errors, axis=1)


def fde(errors: np.ndarray) -> np.ndarray:
    """Final displacement error (N,) m of errors (N, H) m: the one at the last time."""
    return errors[:, -1]


def mahalanobis2(mean: np.ndarray, covariance: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Squared Mahalanobis distance (...)."""
    off = np.asarray(mean) - truth
    return np.einsum("...i,...ij,...j", off, np.linalg.inv(_with_jitter(covariance)), off)


def in_region(mean: np.ndarray, covariance: np.ndarray, truth: np.ndarray, fraction: float) -> np.ndarray:
    """Whether the region of probability `fraction` contains the truth (...): 1, 0, or NaN if not known."""
    square = mahalanobis2(mean, covariance, truth)
    return np.where(np.isnan(square), np.nan, square <= chi2.ppf(fraction, 3))


def nll(mean: np.ndarray, covariance: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Negative log-likelihood (...) of the truth, in nats, of its density per m3."""
    covariance = _with_jitter(covariance)
    _, log_determinant = np.linalg.slogdet(covariance)
    return 0.5 * (mahalanobis2(mean, covariance, truth) + log_determinant + 3.0 * math.log(2.0 * math.pi))


def crps(mean: np.ndarray, covariance: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Continuous ranked probability score (...) m of a normal distribution, mean over the axes (Gneiting 2005)."""
    sd = np.sqrt(np.diagonal(_with_jitter(covariance), axis1=-2, axis2=-1))
    z = (truth - np.asarray(mean)) / sd
    density = np.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)
    return np.mean(sd * (z * (2.0 * ndtr(z) - 1.0) + 2.0 * density - 1.0 / math.sqrt(math.pi)), axis=-1)


def energy(samples: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Energy score (...) m of samples (K, ..., 3): E|X - y| - E|X - X'| / 2, over all K^2 pairs."""
    samples = np.asarray(samples)
    off = samples[:, None] - samples
    apart = np.sqrt(np.einsum("...i,...i", off, off)).mean(axis=(0, 1))
    return distance(samples, truth).mean(axis=0) - 0.5 * apart


def min_ade(samples: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Average displacement error (...) m of the best of samples (K, ..., H, 3) of the truth (..., H, 3)."""
    return distance(samples, truth).mean(axis=-1).min(axis=0)


def gaussian_samples(mean: np.ndarray, covariance: np.ndarray, count: int = DRAWS) -> np.ndarray:
    """Samples (count, ..., 3) m of a normal distribution, always the same, for forecasts that have none."""
    draws = np.random.default_rng(0).standard_normal((count, 3))
    draws -= draws.mean(axis=0)
    draws = draws @ np.linalg.inv(np.linalg.cholesky(draws.T @ draws / count)).T  # their covariance is the identity
    root = np.linalg.cholesky(_with_jitter(covariance))
    return mean + np.einsum("...ij,kj->k...i", root, draws)


def _with_jitter(covariance):
    """The covariance with 1e-12 m2 added to its diagonal, so that it can be inverted."""
    return np.asarray(covariance) + 1e-12 * np.eye(3)
