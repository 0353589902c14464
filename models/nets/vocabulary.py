"""Words learnt from flights: the displacements that a ball makes, put into so many groups (k-means).

vocabulary = learn(z, words=512)        # (V, 3) of paths z (M, KNOTS, 3), as models/words.py has them
"""

import numpy as np
from scipy.spatial import cKDTree

from models.words import decode, encode

ROUNDS, AGAIN = 20, 2  # of k-means; and how often the paths are said anew with what was learnt
FINE = 0.3  # standard deviations: smaller displacements are told apart evenly, larger ones by ratios
ORDER = 1  # words are sorted by how far they lead along the court, so that neighbours in the list are alike


def learn(z, words, seed=0):
    """A vocabulary (V, 3), sorted, of paths z (M, KNOTS, 3)."""
    rng = np.random.default_rng(seed)
    steps, vocabulary = np.diff(z, axis=1, prepend=0.0).reshape(-1, 3), None
    for _ in range(1 + AGAIN):
        vocabulary = wide(means(narrow(steps), words, rng))
        before = np.concatenate([np.zeros_like(z[:, :1]), decode(encode(z, vocabulary), vocabulary)[:, :-1]], 1)
        steps = (z - before).reshape(-1, 3)  # a word also mends what the words before have left
    return vocabulary[np.argsort(vocabulary[:, ORDER])]


def narrow(steps):
    """Displacements measured so that the large ones, which are rare, do not need as many words."""
    return np.arcsinh(steps / FINE)


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
