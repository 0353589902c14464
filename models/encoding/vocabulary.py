"""The vocabulary of `tokens`: typical displacements of a ball, learnt from flights by k-means.

vocabulary = learn_vocabulary(displacements, words=512, rng=rng)        # (V, 3) of displacements (N, 3)
"""

import numpy as np
from scipy.spatial import cKDTree

ROUNDS = 20  # of k-means
COMPANDING_SCALE = 0.3  # units: resolution is even below this, and proportional above, where displacements are rare
SORT_AXIS = 1  # tokens are sorted by displacement along the court, so that neighbours in the list are similar


def learn_vocabulary(displacements: np.ndarray, words: int, rng: np.random.Generator) -> np.ndarray:
    """A vocabulary (V, 3), sorted, of displacements (N, 3)."""
    vocabulary = COMPANDING_SCALE * np.sinh(k_means(compand(displacements), words, rng))  # the inverse of compand
    return vocabulary[np.argsort(vocabulary[:, SORT_AXIS])]


def compand(displacements: np.ndarray) -> np.ndarray:
    """Displacements on a scale on which large ones take fewer tokens."""
    return np.arcsinh(displacements / COMPANDING_SCALE)


def k_means(points: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """The centroids (count, 3) of points (N, 3)."""
    centroids = points[rng.choice(len(points), count, replace=False)]
    for _ in range(ROUNDS):
        _, group = cKDTree(centroids).query(points)
        size = np.bincount(group, minlength=count)
        sums = np.stack([np.bincount(group, points[:, i], count) for i in range(3)], 1)
        empty = size == 0
        centroids = sums / np.maximum(size, 1)[:, None]
        centroids[empty] = points[rng.choice(len(points), empty.sum(), replace=False)]
    return centroids
