"""How far a forecast is off, and how well it knew: errors, regions, proper scores. Arrays in, arrays out.

mean (..., 3) m and covariance (..., 3, 3) m2 are a forecast's, truth (..., 3) m is where the ball was. NaN passes.
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


def distance(mean, truth):
    """Euclidean distance (...) m."""
    return np.linalg.norm(np.asarray(mean) - truth, axis=-1)


def ade(errors):
    """Average displacement error (N,) m of errors (N, H) m at the asked times."""
    return np.mean(errors, axis=1)


def fde(errors):
    """Final displacement error (N,) m: that at the last asked time."""
    return errors[:, -1]


def mahalanobis2(mean, covariance, truth):
    """Squared distance (...) in standard deviations."""
    off = np.asarray(mean) - truth
    return np.einsum("...i,...ij,...j", off, _inverse(covariance), off)


def in_region(mean, covariance, truth, fraction):
    """Whether the truth lies in the region that should hold `share` of all (...): 1, 0, or NaN if not known."""
    square = mahalanobis2(mean, covariance, truth)
    return np.where(np.isnan(square), np.nan, square <= chi2.ppf(fraction, 3))


def nll(mean, covariance, truth):
    """Negative log-likelihood (...) of the truth, in nats, its density per m3."""
    covariance = _with_jitter(covariance)
    _, log_determinant = np.linalg.slogdet(covariance)
    return 0.5 * (mahalanobis2(mean, covariance, truth) + log_determinant + 3.0 * math.log(2.0 * math.pi))


def crps(mean, covariance, truth):
    """Continuous ranked probability score (...) m: the mean over the axes of the normal law's (Gneiting 2005)."""
    sd = np.sqrt(np.diagonal(_with_jitter(covariance), axis1=-2, axis2=-1))
    z = (truth - np.asarray(mean)) / sd
    density = np.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)
    return np.mean(sd * (z * (2.0 * ndtr(z) - 1.0) + 2.0 * density - 1.0 / math.sqrt(math.pi)), axis=-1)


def energy(samples, truth):
    """Energy score (...) m of samples (K, ..., 3): E|X - y| - E|X - X'| / 2, over all K^2 pairs."""
    samples = np.asarray(samples)
    off = samples[:, None] - samples
    apart = np.sqrt(np.einsum("...i,...i", off, off)).mean(axis=(0, 1))
    return distance(samples, truth).mean(axis=0) - 0.5 * apart


def min_ade(samples, truth):
    """Average displacement error (...) m of the best of samples (K, ..., H, 3), beside the truth (..., H, 3)."""
    return distance(samples, truth).mean(axis=-1).min(axis=0)


def gaussian_samples(mean, covariance, count=DRAWS):
    """The same (count, ..., 3) samples of a normal law each time, for forecasts that bring none of their own."""
    draws = np.random.default_rng(0).standard_normal((count, 3))
    draws -= draws.mean(axis=0)
    draws = draws @ np.linalg.inv(np.linalg.cholesky(draws.T @ draws / count)).T  # their covariance is the identity
    root = np.linalg.cholesky(_with_jitter(covariance))
    return mean + np.einsum("...ij,kj->k...i", root, draws)


def _with_jitter(covariance):
    """A covariance that can be inverted: by a hair (1e-6 m) wider."""
    return np.asarray(covariance) + 1e-12 * np.eye(3)


def _inverse(covariance):
    return np.linalg.inv(_with_jitter(covariance))
