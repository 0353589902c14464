"""What learns to speak: train.py --model tokens. A sport's gru reads the balls and stays as it is; words are learnt.

The vocabulary is learnt first, from a few batches.
"""

from collections import namedtuple
from dataclasses import asdict

import numpy as np
import torch

from ballcast.models.encoding.nominal import HORIZONS
from ballcast.models.encoding.tokenizer import CONTEXT_FEATURES, tokenize
from ballcast.models.encoding.vocabulary import learn_vocabulary
from ballcast.models.estimation.fit import UNKNOWNS
from ballcast.models.nets.network import NetworkShape
from ballcast.models.nets.token_decoder import TokenNetwork, TokenSizes
from ballcast.models.registry import require_weights
from ballcast.models.runtime import weights
from ballcast.models.training.learner import Learner

LOSS_FRAMES = 6  # frames of a sequence from which a path is said
VOCABULARY_BATCHES = 8  # batches that words are learnt from
REFINEMENTS = 2  # how often their paths are said anew with what was learnt: a word mends what those before have left
TARGET_LIMIT = 1e4  # standard deviations: a ball that goes another way is not held back
TokenLoss = namedtuple("TokenLoss", "words")  # mean cross-entropy of a word, nats
# of M paths: spots they begin at (M, 16), units (M, 3) m, futures (M, KNOTS, 3) m, which surroundings are theirs (M,)
TokenPaths = namedtuple("TokenPaths", "starts position_sds futures variants")


class TokenLearner(Learner):
    """A Learner whose network says futures word by word."""

    batch_options = {"loss_frames": LOSS_FRAMES, "target_limit": TARGET_LIMIT}
    words = TokenSizes.words

    def initial_network(self):
        path = self.config["finetune"] or require_weights("gru", self.sport)
        info, parts = weights.read(path)
        if info["model"] != "gru" or info["sport"] != self.sport.name:
            found = f"weights of {info['model']} for {info['sport']}"
            raise ValueError(f"{path}: {found}; tokens is taught on a gru for {self.sport.name}")
        torch.manual_seed(self.config["seed"])
        sizes = TokenSizes(words=self.words, **({"units": self.config["units"]} if self.config["units"] else {}))
        network = TokenNetwork(NetworkShape(**info["shape"]), sizes)
        network.load_state_dict({name: torch.from_numpy(a) for name, a in parts.items()}, strict=False)
        network.speech.initialise(*self.vocabulary(sizes.words))
        return network

    def vocabulary(self, words):
        """A vocabulary (V, 3) of so many words, and what is said with it of a few batches, (M, KNOTS)."""
        all_paths = [token_paths(self.batches[2**40 + n]) for n in range(VOCABULARY_BATCHES)]
        vocabulary, rng = np.empty((0, 3)), np.random.default_rng(0)
        for _ in range(1 + REFINEMENTS):
            displaced = np.concatenate([self.tokenize(paths, vocabulary)[2] for paths in all_paths])
            vocabulary = learn_vocabulary(displaced.reshape(-1, 3), words, rng)
        return vocabulary, np.concatenate([self.tokenize(paths, vocabulary)[0] for paths in all_paths])

    def tokenize(self, paths, vocabulary):
        """Words (M, KNOTS), numbers (M, KNOTS, NUMBERS) and displacements (M, KNOTS, 3) of Paths; see words.spell."""
        shape = len(paths.starts), HORIZONS
        out = np.zeros(shape, int), np.empty((*shape, CONTEXT_FEATURES), np.float32), np.empty((*shape, 3))
        for variant, sport in enumerate(self.batches.compiled_variants):
            rows = np.flatnonzero(paths.variants == variant)
            part = [a[rows] for a in out]
            tokenize(sport, paths.starts[rows], paths.position_sds[rows], paths.futures[rows], vocabulary, *part)
            for whole, a in zip(out, part):
                whole[rows] = a
        return out

    def losses(self, network, batch):
        vocabulary = self.network.speech.vocabulary.double().cpu().numpy()
        tokens, numbers, _ = (
            torch.from_numpy(a).to(self.device) for a in self.tokenize(token_paths(batch), vocabulary)
        )
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.autocast):
            loss = network(batch.features, batch.times, batch.loss_frames, batch.nominal, numbers, tokens)
        return TokenLoss(loss.mean())

    def metadata(self):
        return super().metadata() | {"sizes": asdict(self.network.sizes)}


def token_paths(batch):
    """The Paths of a Batch, of arrays or tensors."""
    features, nominal, position_sd, future = (np.asarray(a.cpu() if hasattr(a, "cpu") else a, float) for a in
                                    (batch.features, batch.nominal, batch.position_sd, batch.future))  # fmt: skip
    balls = np.arange(len(features))[:, None]
    start = features[balls, np.asarray(batch.loss_frames)]
    positions = nominal[..., : 3 * HORIZONS].reshape(position_sd.shape) + start[..., None, :3]
    futures = (positions + position_sd * future).reshape(-1, HORIZONS, 3)
    start = start.reshape(len(futures), -1)
    return TokenPaths(
        np.ascontiguousarray(start[:, :UNKNOWNS]),
        position_sd[..., 0, :].reshape(-1, 3),
        futures,
        start[:, -1].astype(int),
    )
