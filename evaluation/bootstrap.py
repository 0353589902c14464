"""How sure a figure is: intervals by resampling tracks, never frames (Efron 1979, the percentile interval)."""

import numpy as np

COUNT = 1000  # resamples


def resampled(size, seed=0, count=COUNT):
    """Rows of track numbers (count, size), drawn with replacement."""
    return np.random.default_rng(seed).integers(size, size=(count, size))


def interval(values, statistic, seed=0, count=COUNT, share=0.95):
    """(low, high) of statistic over the tracks of values (N, ...), its first axis; NaN for fewer than two."""
    values = np.asarray(values, float)
    if len(values) < 2:
        return np.nan, np.nan
    found = statistic(np.moveaxis(values[resampled(len(values), seed, count)], 1, 0))
    return tuple(np.quantile(found, [0.5 - 0.5 * share, 0.5 + 0.5 * share], axis=0))


def paired(a, b, statistic, seed=0, count=COUNT, share=0.95):
    """(difference, low, high) of statistic(a) - statistic(b), a and b (N,) of the same tracks, drawn together."""
    a, b = np.asarray(a, float), np.asarray(b, float)
    rows = resampled(len(a), seed, count).T
    found = statistic(a[rows]) - statistic(b[rows])
    low, high = np.quantile(found, [0.5 - 0.5 * share, 0.5 + 0.5 * share])
    return float(statistic(a) - statistic(b)), float(low), float(high)
