"""A network that speaks: a gru that has learnt to read balls, and a second one that says how they go, word by word.

    network = Tokens(shape, Sizes(words=512))        # its gru is that of models/nets/network.py, and does not learn
    loss = network(features, times, frames, base, numbers, said)     # (B, N): cross-entropy of the words, in nats

All words of a sentence are learnt at once: the network is given those before (teacher forcing), and where they led.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from ballcast.models.encoding.nominal import HORIZONS
from ballcast.models.encoding.tokenizer import CONTEXT_FEATURES
from ballcast.models.encoding.vocabulary import compand
from ballcast.models.nets.network import Network, gather_frames

INITIAL_EMBEDDING_SCALE = 0.1  # what an embedding begins with beside what its word means


@dataclass(frozen=True)
class TokenSizes:
    """Of what speaks."""

    words: int = 512
    embedding: int = 48
    units: int = 128
    hidden: int = 128  # of the layer that reads what the path's head reads


class TokenDecoder(nn.Module):
    """From what is read of a ball to the next word of its path."""

    def __init__(self, sizes, inputs):
        super().__init__()
        self.register_buffer("vocabulary", torch.zeros(sizes.words, 3))
        self.embedding = nn.Embedding(sizes.words, sizes.embedding)
        self.worth = nn.Parameter(torch.zeros(sizes.words))
        hidden = nn.Linear(inputs, sizes.hidden)
        self.begin = nn.Sequential(hidden, nn.SiLU(), nn.Linear(sizes.hidden, sizes.units), nn.Tanh())
        self.cell = nn.GRU(sizes.embedding + CONTEXT_FEATURES, sizes.units, batch_first=True)
        self.query = nn.Linear(sizes.units, sizes.embedding)

    def initialise(self, vocabulary, tokens):
        """Begin with a vocabulary (V, 3) and how often each word was said, by words (M, KNOTS).

        An embedding begins with what its word means: displacement and products of it, so that a query can ask for
        words that are near, and neighbours learn from each other.
        """
        self.vocabulary[:] = torch.from_numpy(vocabulary)
        counts = np.bincount(tokens.ravel(), minlength=len(vocabulary))
        small = torch.from_numpy(compand(vocabulary)).float()
        row, column = torch.triu_indices(3, 3)
        means = torch.cat([small, small[:, row] * small[:, column] / 2], 1)
        with torch.no_grad():
            self.worth[:] = torch.from_numpy(np.log(counts + 1.0) - np.log(counts.sum()))
            self.embedding.weight *= INITIAL_EMBEDDING_SCALE
            self.embedding.weight[:, : means.shape[1]] = means

    def forward(self, inputs, numbers, tokens):
        """Logits (M, KNOTS, V): read (M, R), numbers (M, KNOTS, NUMBERS), words said (M, KNOTS)."""
        before = torch.cat([torch.zeros_like(self.embedding(tokens[:, :1])), self.embedding(tokens[:, :-1])], 1)
        h, _ = self.cell(torch.cat([before, numbers], -1), self.begin(inputs)[None])
        return self.query(h) @ self.embedding.weight.T + self.worth


class TokenNetwork(Network):
    """A gru, which is frozen, and what speaks."""

    def __init__(self, shape, sizes):
        super().__init__(shape)
        self.sizes = sizes
        for p in self.parameters():
            p.requires_grad_(False)
        self.speech = TokenDecoder(sizes, self.path[0].in_features)

    def forward(self, features, times, loss_frames, nominal, numbers, tokens):
        """The mean cross-entropy (B, N) of a word: of each of M = B N paths numbers (M, KNOTS, NUMBERS), words (M,
        KNOTS); the others as Batch has them."""
        logits = self.speech(self.path_inputs(features, times, loss_frames, nominal).flatten(0, 1), numbers, tokens)
        return (
            cross_entropy(logits.flatten(0, 1), tokens.flatten(), reduction="none")
            .view(*loss_frames.shape, HORIZONS)
            .mean(-1)
        )

    @torch.no_grad()
    def path_inputs(self, features, times, loss_frames, nominal):
        """What the path's head reads (B, N, R)."""
        features = self.standardise(features)
        hidden = self.hidden(features, times)
        return self.head_inputs(*(gather_frames(a, loss_frames) for a in (hidden, features)), nominal)[1]
