"""Confidence intervals by resampling tracks, never frames (Efron 1979, the percentile interval)."""

from collections.abc import Callable

import numpy as np

COUNT = 1000  # resamples


def resampled(size: int, seed: int = 0, count: int = COUNT) -> np.ndarray:
    """Track numbers (count, size), drawn with replacement."""
    return np.random.default_rng(seed).integers(size, size=(count, size))


def interval(
    values: np.ndarray, statistic: Callable, seed: int = 0, count: int = COUNT, fraction: float = 0.95
) -> tuple[float, float]:
    """(low, high) of statistic over the tracks of values (N, ...), its first axis; NaN for fewer than two tracks."""
    values = np.asarray(values, float)
    if len(values) < 2:
        return np.nan, np.nan
    found = statistic(np.moveaxis(values[resampled(len(values), seed, count)], 1, 0))
    return tuple(np.quantile(found, [0.5 - 0.5 * fraction, 0.5 + 0.5 * fraction], axis=0))


def paired(
    a: np.ndarray, b: np.ndarray, statistic: Callable, seed: int = 0, count: int = COUNT, fraction: float = 0.95
) -> tuple[float, float, float]:
    """(difference, low, high) of statistic(a) - statistic(b), a and b (N,) of the same tracks, resampled together."""
    a, b = np.asarray(a, float), np.asarray(b, float)
    rows = resampled(len(a), seed, count).T
    found = statistic(a[rows]) - statistic(b[rows])
    low, high = np.quantile(found, [0.5 - 0.5 * fraction, 0.5 + 0.5 * fraction])
    return float(statistic(a) - statistic(b)), float(low), float(high)
