"""What learns to speak: train.py --model tokens. A sport's gru reads the balls and stays as it is; words are learnt.

The vocabulary is learnt first, from a few batches.
"""

from collections import namedtuple
from dataclasses import asdict

import numpy as np
import torch
from ballcast.models.encoding.nominal import KNOTS
from ballcast.models.encoding.tokenizer import NUMBERS, spell
from ballcast.models.encoding.vocabulary import grouped
from ballcast.models.estimation.fit import SIZE
from ballcast.models.nets.network import Shape
from ballcast.models.nets.token_decoder import Sizes, Tokens
from ballcast.models.predictors.neural import weights_of
from ballcast.models.runtime import weights
from ballcast.models.training.learner import Learner

CHOSEN, SURVEYED = 6, 8  # frames of a sequence from which a path is said; batches that words are learnt from
AGAIN = 2  # how often their paths are said anew with what was learnt: a word also mends what those before have left
FAR = 1e4  # standard deviations: a ball that goes another way is not held back
Spelled = namedtuple("Spelled", "words")  # mean cross-entropy of a word, nats
# of M paths: spots they begin at (M, 16), units (M, 3) m, futures (M, KNOTS, 3) m, which surroundings are theirs (M,)
Paths = namedtuple("Paths", "spots units futures bare")


class Speaker(Learner):
    """A Learner whose network says futures word by word."""

    balls = {"chosen": CHOSEN, "far": FAR}
    words = Sizes.words

    def begun(self):
        path = self.config["finetune"] or weights_of("gru", self.sport)
        info, parts = weights.read(path)
        if info["model"] != "gru" or info["sport"] != self.sport.name:
            told = f"weights of {info['model']} for {info['sport']}"
            raise ValueError(f"{path}: {told}; tokens is taught on a gru for {self.sport.name}")
        torch.manual_seed(self.config["seed"])
        sizes = Sizes(words=self.words, **({"units": self.config["units"]} if self.config["units"] else {}))
        network = Tokens(Shape(**info["shape"]), sizes)
        network.load_state_dict({name: torch.from_numpy(a) for name, a in parts.items()}, strict=False)
        network.speech.teach(*self.vocabulary(sizes.words))
        return network

    def vocabulary(self, words):
        """A vocabulary (V, 3) of so many words, and what is said with it of a few batches, (M, KNOTS)."""
        every = [paths(self.batches[2**40 + n]) for n in range(SURVEYED)]
        found, rng = np.empty((0, 3)), np.random.default_rng(0)
        for _ in range(1 + AGAIN):
            displaced = np.concatenate([self.spelled(own, found)[2] for own in every])
            found = grouped(displaced.reshape(-1, 3), words, rng)
        return found, np.concatenate([self.spelled(own, found)[0] for own in every])

    def spelled(self, own, vocabulary):
        """Words (M, KNOTS), numbers (M, KNOTS, NUMBERS) and displacements (M, KNOTS, 3) of Paths; see words.spell."""
        shape = len(own.spots), KNOTS
        out = np.zeros(shape, int), np.empty((*shape, NUMBERS), np.float32), np.empty((*shape, 3))
        for bare, place in enumerate(self.batches.surroundings):
            rows = np.flatnonzero(own.bare == bare)
            part = [a[rows] for a in out]
            spell(place, own.spots[rows], own.units[rows], own.futures[rows], vocabulary, *part)
            for whole, a in zip(out, part):
                whole[rows] = a
        return out

    def losses(self, network, batch):
        vocabulary = self.network.speech.vocabulary.double().cpu().numpy()
        said, numbers, _ = (torch.from_numpy(a).to(self.device) for a in self.spelled(paths(batch), vocabulary))
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.autocast):
            told = network(batch.features, batch.times, batch.frames, batch.base, numbers, said)
        return Spelled(told.mean())

    def told(self):
        return super().told() | {"sizes": asdict(self.network.sizes)}


def paths(batch):
    """The Paths of a Batch, of arrays or tensors."""
    features, base, unit, future = (np.asarray(a.cpu() if hasattr(a, "cpu") else a, float) for a in
                                    (batch.features, batch.base, batch.unit, batch.future))  # fmt: skip
    balls = np.arange(len(features))[:, None]
    start = features[balls, np.asarray(batch.frames)]
    places = base[..., : 3 * KNOTS].reshape(unit.shape) + start[..., None, :3]
    futures = (places + unit * future).reshape(-1, KNOTS, 3)
    start = start.reshape(len(futures), -1)
    return Paths(
        np.ascontiguousarray(start[:, :SIZE]), unit[..., 0, :].reshape(-1, 3), futures, start[:, -1].astype(int)
    )
