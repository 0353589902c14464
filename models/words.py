"""Motion as words: a path becomes a sentence, a sentence a path. Compiled.

A network's normal law says where the ball should be at every knot (told.py); z (KNOTS, 3) is where it is beside that
law's middle, in its standard deviations. From knot to knot z is displaced, and a word stands for a displacement: one of
V vectors (V, 3), learnt from many flights (models/nets/vocabulary.py). At the first knot it is displaced from 0.

    said = encode(z, vocabulary)       # (M, KNOTS) of z (M, KNOTS, 3)
    z = decode(said, vocabulary)       # off by less than a word's own cell, however long the sentence
"""

import numpy as np

from sim.compiled import kernel


@kernel
def nearest(step, vocabulary):
    """The word whose displacement is nearest to a step (3,)."""
    found, least = 0, np.inf
    for w in range(len(vocabulary)):
        x, y, z = step[0] - vocabulary[w, 0], step[1] - vocabulary[w, 1], step[2] - vocabulary[w, 2]
        square = x * x + y * y + z * z
        if square < least:
            found, least = w, square
    return found


@kernel
def encode(z, vocabulary):
    """Words (M, KNOTS) of paths z (M, KNOTS, 3).

    Each word goes from where the words before have led, not from where the ball was: so errors do not add up.
    """
    said, reached, step = np.empty(z.shape[:2], np.int64), np.empty(3), np.empty(3)
    for m in range(len(z)):
        reached[:] = 0.0
        for k in range(z.shape[1]):
            for i in range(3):
                step[i] = z[m, k, i] - reached[i]
            said[m, k] = nearest(step, vocabulary)
            for i in range(3):
                reached[i] += vocabulary[said[m, k], i]
    return said


def decode(said, vocabulary):
    """Paths z (..., KNOTS, 3) that words (..., KNOTS) lead along."""
    return np.cumsum(vocabulary[said], axis=-2)
