"""Confidence intervals by resampling tracks, never frames (Efron 1979, the percentile interval)."""

from collections.abc import Callable

import numpy as np

COUNT, QUANTILES = 1000, (0.5 - 0.475, 0.5 + 0.475)  # resamples; of a 95 % interval


def resampled(size: int, seed: int = 0, count: int = COUNT) -> np.ndarray:
    """Track numbers (count, size), drawn with replacement."""
    return np.random.default_rng(seed).integers(size, size=(count, size))


def interval(values: np.ndarray, statistic: Callable, seed: int = 0, count: int = COUNT) -> tuple[float, float]:
    """The 95 % interval of statistic over the tracks of values (N, ...), its first axis; NaN for fewer than two."""
    values = np.asarray(values, float)
    if len(values) < 2:
        return np.nan, np.nan
    found = statistic(np.moveaxis(values[resampled(len(values), seed, count)], 1, 0))
    return tuple(np.quantile(found, QUANTILES, axis=0))


def paired(a: np.ndarray, b: np.ndarray, statistic: Callable) -> tuple[float, float, float]:
    """statistic(a) - statistic(b) and its 95 % interval, a and b (N,) of the same tracks, resampled together."""
    a, b = np.asarray(a, float), np.asarray(b, float)
    rows = resampled(len(a)).T
    found = statistic(a[rows]) - statistic(b[rows])
    low, high = np.quantile(found, QUANTILES)
    return float(statistic(a) - statistic(b)), float(low), float(high)
