"""Words learnt from flights: the displacements that a ball makes, put into so many groups (k-means).

vocabulary = grouped(displacements, words=512, rng=rng)        # (V, 3) of displacements (N, 3)
"""

import numpy as np
from scipy.spatial import cKDTree

ROUNDS = 20  # of k-means
FINE = 0.3  # units: smaller displacements are told apart evenly, larger ones, which are rare, by ratios
ORDER = 1  # words are sorted by how far they lead along the court, so that neighbours in the list are alike


def grouped(displacements, words, rng):
    """A vocabulary (V, 3), sorted, of displacements (N, 3)."""
    vocabulary = wide(means(narrow(displacements), words, rng))
    return vocabulary[np.argsort(vocabulary[:, ORDER])]


def narrow(displacements):
    """Displacements measured so that the large ones do not need as many words."""
    return np.arcsinh(displacements / FINE)


def wide(narrowed):
    return FINE * np.sinh(narrowed)


def means(points, count, rng):
    """k-means: the middles (count, 3) of groups of points (N, 3)."""
    middles = points[rng.choice(len(points), count, replace=False)]
    for _ in range(ROUNDS):
        _, group = cKDTree(middles).query(points)
        size = np.bincount(group, minlength=count)
        sums = np.stack([np.bincount(group, points[:, i], count) for i in range(3)], 1)
        empty = size == 0
        middles = sums / np.maximum(size, 1)[:, None]
        middles[empty] = points[rng.choice(len(points), empty.sum(), replace=False)]
    return middles
