"""Motion as sentences: displacements of a ball become tokens, and the network of lesson 5 predicts the next one.

vocabulary = make_vocabulary(displacements(4000, "train"))      # (WORDS, 3) m: the displacement of each token
indices = encode(displacements(4000, "train"), vocabulary)      # (B, T + 1), like the words of sentences
"""

import numpy as np
import torch
from scipy.cluster.vq import kmeans2, vq

from lessons.positions import FRAMES, positions

WORDS, EVERY = 128, 3  # tokens; frames from one displacement to the next


def displacements(count: int, purpose: str) -> np.ndarray:
    """How far balls move (B, T, 3) m from every EVERY-th measured position to the next."""
    measured, _ = positions(count, FRAMES + 1, purpose=purpose)
    return np.diff(measured[:, ::EVERY].double().numpy(), axis=1)


def make_vocabulary(steps: np.ndarray, words: int = WORDS) -> np.ndarray:
    """The displacement (words, 3) m of each token: the centres of clusters of displacements (B, T, 3) m."""
    return kmeans2(steps.reshape(-1, 3), words, minit="++", rng=np.random.default_rng(0))[0]


def encode(steps: np.ndarray, vocabulary: np.ndarray) -> torch.Tensor:
    """Indices (B, T + 1): 0 for the start, and 1 + the token whose displacement is nearest."""
    tokens = vq(steps.reshape(-1, 3), vocabulary)[0].reshape(steps.shape[:2])
    return torch.from_numpy(np.pad(1 + tokens, ((0, 0), (1, 0))).astype(np.int64))


def sample_tokens(network, start: torch.Tensor, count: int, generator: torch.Generator) -> torch.Tensor:
    """Sequences of indices (B, T + count): each goes on from its start (B, T), one sampled token after the other."""
    indices = start
    with torch.no_grad():
        for _ in range(count):
            scores = network(indices)[:, -1]
            scores[:, 0] = -torch.inf  # the start comes once
            indices = torch.cat([indices, torch.multinomial(torch.softmax(scores, 1), 1, generator=generator)], 1)
    return indices
