"""A network that speaks: a gru that has learnt to read balls, and a second one that says how they go, word by word.

    network = Tokens(shape, Sizes(words=512))        # its gru is that of models/nets/network.py, and does not learn
    loss = network(features, times, frames, base, future, unit)     # (B, N): cross-entropy of the words, in nats

All words of a sentence are learnt at once: the network is given those before (teacher forcing), and where they led.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from models.baseline import KNOTS, STEP
from models.nets.losses import LEAST, MOST, whitened
from models.nets.network import PLACE, Network, at
from models.nets.vocabulary import narrow
from models.speech import FAST, LEAST_SD, NUMBERS, USUAL
from models.speech import MOST as HELD
from models.words import encode

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

    def teach(self, vocabulary, z):
        """Begin with a vocabulary (V, 3) and how often paths z (M, KNOTS, 3) say each word.

        An embedding begins with what its word means: displacement and products of it, so that a query can ask for
        words that are near, and neighbours learn from each other.
        """
        self.vocabulary[:] = torch.from_numpy(vocabulary)
        counts = np.bincount(encode(z, vocabulary).ravel(), minlength=len(vocabulary))
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

    def forward(self, features, times, frames, base, future, unit):
        """The mean cross-entropy (B, N) of a word; see Batch for what is read."""
        read, numbers, said = self.sentences(features, times, frames, base, future, unit)
        logits = self.speech(read.flatten(0, 1), numbers, said)
        return cross_entropy(logits.flatten(0, 1), said.flatten(), reduction="none").view(*frames.shape, KNOTS).mean(-1)

    @torch.no_grad()
    def sentences(self, features, times, frames, base, future, unit):
        """What is read (B, N, R), and of M = B N paths the numbers (M, KNOTS, NUMBERS) and the words (M, KNOTS)."""
        read, law = self.law(features, times, frames, base)
        z = self.standard(law, future)
        vocabulary = self.speech.vocabulary
        said = torch.from_numpy(encode(z.flatten(0, 1).double().cpu().numpy(), vocabulary.double().cpu().numpy()))
        reached = vocabulary[said.to(z.device)].cumsum(1).view_as(z)
        start = at(features, frames)
        places = base[..., : 3 * KNOTS].unflatten(-1, (KNOTS, 3)) + start[..., None, :3]
        numbers = self.numbers(law, places, unit, start, reached)
        return read, numbers.flatten(0, 1), said.to(z.device)

    def law(self, features, times, frames, base):
        """What the path's head reads, and its law (B, N, KNOTS, 9): mean, log-scales, regressions."""
        features = self.measured(features)
        memory = self.memory(features, times)
        _, read = self.reading(*(at(a, frames) for a in (memory, features)), base)
        return read, self.path(read)[..., : PLACE * KNOTS].unflatten(-1, (KNOTS, PLACE))

    def standard(self, law, future):
        """Where the future (B, N, KNOTS, 3) lies beside the law's middle, in its standard deviations."""
        mean, scales, regressions = law.split(3, -1)
        error = (future - self.path_mean) / self.path_scale - mean
        return whitened(error, scales.clamp(LEAST, MOST), regressions)

    def numbers(self, law, places, unit, start, reached):
        """The NUMBERS (B, N, KNOTS, ...) that go with words: see note() of models/speech.py, which does the same.

        places (B, N, KNOTS, 3) m and unit are the baseline's, start (B, N, F) the features of the last frame, reached
        (B, N, KNOTS, 3) where the words have led, in the law's standard deviations.
        """
        mean, scales, regressions = law.split(3, -1)
        scales, known = scales.clamp(LEAST, MOST), torch.nan_to_num(self.path_scale, posinf=0.0)
        off = self.path_mean + known * (mean + coloured(reached, scales, regressions))
        place = torch.cat([start[..., None, :3], places + unit * off], -2)
        velocity = torch.cat([start[..., None, 3:6], place.diff(dim=-2) / STEP], -2)
        ahead = (places + unit * (self.path_mean + known * mean) - place[..., :-1, :]) / STEP
        sd = torch.log((unit * known * torch.exp(scales)).clamp(min=LEAST_SD)) - USUAL
        z = torch.cat([torch.zeros_like(reached[..., :1, :]), reached[..., :-1, :]], -2)
        done = (torch.arange(KNOTS, device=z.device) / KNOTS)[:, None].expand(*z.shape[:-1], 1)
        told = [place[..., :-1, :], velocity[..., :-1, :] / FAST, 0.5 * z, ahead / FAST, 0.5 * sd, done]
        return torch.cat(told, -1).clamp(-HELD, HELD)


def coloured(z, scales, regressions):
    """Errors (..., 3) of standard z: what `whitened` undoes."""
    x, y, z = (torch.exp(scales) * z).unbind(-1)
    of_x, both_x, both_y = regressions.unbind(-1)
    y = y + of_x * x
    return torch.stack([x, y, z + both_x * x + both_y * y], -1)
