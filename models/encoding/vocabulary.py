"""Words learnt from flights: the displacements that a ball makes, put into so many groups (k-means).

vocabulary = grouped(displacements, words=512, rng=rng)        # (V, 3) of displacements (N, 3)
"""

import numpy as np
from scipy.spatial import cKDTree

ROUNDS = 20  # of k-means
COMPANDING_SCALE = 0.3  # units: smaller displacements are told apart evenly, larger ones, which are rare, by ratios
SORT_AXIS = 1  # words are sorted by how far they lead along the court, so that neighbours in the list are alike


def learn_vocabulary(displacements, words, rng):
    """A vocabulary (V, 3), sorted, of displacements (N, 3)."""
    vocabulary = expand(k_means(compand(displacements), words, rng))
    return vocabulary[np.argsort(vocabulary[:, SORT_AXIS])]


def compand(displacements):
    """Displacements measured so that the large ones do not need as many words."""
    return np.arcsinh(displacements / COMPANDING_SCALE)


def expand(companded):
    return COMPANDING_SCALE * np.sinh(companded)


def k_means(points, count, rng):
    """k-means: the middles (count, 3) of groups of points (N, 3)."""
    centroids = points[rng.choice(len(points), count, replace=False)]
    for _ in range(ROUNDS):
        _, group = cKDTree(centroids).query(points)
        size = np.bincount(group, minlength=count)
        sums = np.stack([np.bincount(group, points[:, i], count) for i in range(3)], 1)
        empty = size == 0
        centroids = sums / np.maximum(size, 1)[:, None]
        centroids[empty] = points[rng.choice(len(points), empty.sum(), replace=False)]
    return centroids
