"""A network that speaks: a gru that has learnt to read balls, and a second one that says how they go, word by word.

    network = Tokens(shape, Sizes(words=512))        # its gru is that of models/nets/network.py, and does not learn
    loss = network(features, times, frames, base, numbers, said)     # (B, N): cross-entropy of the words, in nats

All words of a sentence are learnt at once: the network is given those before (teacher forcing), and where they led.
"""

from dataclasses import dataclass

import numpy as np
import torch
from ballcast.models.encoding.nominal import KNOTS
from ballcast.models.encoding.tokenizer import NUMBERS
from ballcast.models.encoding.vocabulary import narrow
from ballcast.models.nets.network import Network, at
from torch import nn
from torch.nn.functional import cross_entropy

CALM = 0.1  # what an embedding begins with beside what its word means


@dataclass(frozen=True)
class Sizes:
    """Of what speaks."""

    words: int = 512
    embedding: int = 48
    units: int = 128
    hidden: int = 128  # of the layer that reads what the path's head reads


class Speech(nn.Module):
    """From what is read of a ball to the next word of its path."""

    def __init__(self, sizes, read):
        super().__init__()
        self.register_buffer("vocabulary", torch.zeros(sizes.words, 3))
        self.embedding = nn.Embedding(sizes.words, sizes.embedding)
        self.worth = nn.Parameter(torch.zeros(sizes.words))
        hidden = nn.Linear(read, sizes.hidden)
        self.begin = nn.Sequential(hidden, nn.SiLU(), nn.Linear(sizes.hidden, sizes.units), nn.Tanh())
        self.cell = nn.GRU(sizes.embedding + NUMBERS, sizes.units, batch_first=True)
        self.query = nn.Linear(sizes.units, sizes.embedding)

    def teach(self, vocabulary, said):
        """Begin with a vocabulary (V, 3) and how often each word was said, by words (M, KNOTS).

        An embedding begins with what its word means: displacement and products of it, so that a query can ask for
        words that are near, and neighbours learn from each other.
        """
        self.vocabulary[:] = torch.from_numpy(vocabulary)
        counts = np.bincount(said.ravel(), minlength=len(vocabulary))
        small = torch.from_numpy(narrow(vocabulary)).float()
        row, column = torch.triu_indices(3, 3)
        means = torch.cat([small, small[:, row] * small[:, column] / 2], 1)
        with torch.no_grad():
            self.worth[:] = torch.from_numpy(np.log(counts + 1.0) - np.log(counts.sum()))
            self.embedding.weight *= CALM
            self.embedding.weight[:, : means.shape[1]] = means

    def forward(self, read, numbers, said):
        """Logits (M, KNOTS, V): read (M, R), numbers (M, KNOTS, NUMBERS), words said (M, KNOTS)."""
        before = torch.cat([torch.zeros_like(self.embedding(said[:, :1])), self.embedding(said[:, :-1])], 1)
        h, _ = self.cell(torch.cat([before, numbers], -1), self.begin(read)[None])
        return self.query(h) @ self.embedding.weight.T + self.worth


class Tokens(Network):
    """A gru, which is frozen, and what speaks."""

    def __init__(self, shape, sizes):
        super().__init__(shape)
        self.sizes = sizes
        for p in self.parameters():
            p.requires_grad_(False)
        self.speech = Speech(sizes, self.path[0].in_features)

    def forward(self, features, times, frames, base, numbers, said):
        """The mean cross-entropy (B, N) of a word: of each of M = B N paths numbers (M, KNOTS, NUMBERS), words (M,
        KNOTS); the others as Batch has them."""
        logits = self.speech(self.read(features, times, frames, base).flatten(0, 1), numbers, said)
        return cross_entropy(logits.flatten(0, 1), said.flatten(), reduction="none").view(*frames.shape, KNOTS).mean(-1)

    @torch.no_grad()
    def read(self, features, times, frames, base):
        """What the path's head reads (B, N, R)."""
        features = self.measured(features)
        memory = self.memory(features, times)
        return self.reading(*(at(a, frames) for a in (memory, features)), base)[1]
