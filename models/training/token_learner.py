"""Training of `tokens`: train.py --model tokens. The shipped gru is frozen; a vocabulary and a decoder are learnt.

The vocabulary comes first, from a few batches.
"""

from collections import namedtuple
from dataclasses import asdict

import numpy as np
import torch

from ballcast.models.encoding.nominal import HORIZONS
from ballcast.models.encoding.tokenizer import CONTEXT_FEATURES, tokenize
from ballcast.models.encoding.vocabulary import learn_vocabulary
from ballcast.models.estimation.unknowns import UNKNOWNS
from ballcast.models.nets.network import NetworkShape
from ballcast.models.nets.token_decoder import TokenNetwork, TokenSizes
from ballcast.models.registry import require_weights, serves
from ballcast.models.runtime import weights
from ballcast.models.training.batches import Batch
from ballcast.models.training.learner import Learner
from ballcast.sim import Sport

LOSS_FRAMES = 6  # frames of a sequence from which a path is predicted
VOCABULARY_BATCHES = 8  # batches that the vocabulary is learnt from
REFINEMENTS = 2  # the paths are tokenized again with the new vocabulary: a token corrects the rounding of those before
TARGET_LIMIT = 1e4  # standard deviations: paths that deviate far are kept as they are
TokenLoss = namedtuple("TokenLoss", "words")  # mean cross-entropy of a token, nats
# of M paths: nominal starts (M, UNKNOWNS), units (M, 3) m, futures (M, HORIZONS, 3) m, and the sport's number (M,)
TokenPaths = namedtuple("TokenPaths", "starts position_sds futures sports")


class TokenLearner(Learner):
    """A Learner whose network predicts the future token by token."""

    batch_options = {"loss_frames": LOSS_FRAMES, "target_limit": TARGET_LIMIT, "keep_paths": True}
    words = TokenSizes.words

    @property
    def sport(self) -> Sport:
        """The one sport that it learns from."""
        return self.sports[0]

    def initial_network(self) -> TokenNetwork:
        sport = self.sport
        path = self.config["finetune"] or require_weights("gru", sport)
        info, parts = weights.read(path)
        if info["model"] != "gru" or not serves(info, sport):
            found = f"weights of {info['model']} for {', '.join(info['sports'])}"
            raise ValueError(f"{path}: {found}; tokens is trained on a gru for {sport.name}")
        torch.manual_seed(self.config["seed"])
        sizes = TokenSizes(words=self.words, **({"units": self.config["units"]} if self.config["units"] else {}))
        network = TokenNetwork(NetworkShape(**info["shape"]), sizes)
        network.load_state_dict(network.state_dict() | {name: torch.from_numpy(a) for name, a in parts.items()})
        network.token_decoder.initialise(*self.vocabulary(sizes.words))
        return network

    def vocabulary(self, words: int) -> tuple[np.ndarray, np.ndarray]:
        """A vocabulary (V, 3) of this many tokens, and the tokens (M, HORIZONS) of a few batches."""
        all_paths = [token_paths(self.batches[2**40 + n]) for n in range(VOCABULARY_BATCHES)]
        vocabulary, rng = np.empty((0, 3)), np.random.default_rng(0)
        for _ in range(1 + REFINEMENTS):
            displaced = np.concatenate([self.tokenize(paths, vocabulary)[2] for paths in all_paths])
            vocabulary = learn_vocabulary(displaced.reshape(-1, 3), words, rng)
        return vocabulary, np.concatenate([self.tokenize(paths, vocabulary)[0] for paths in all_paths])

    def tokenize(self, paths: TokenPaths, vocabulary: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Tokens (M, HORIZONS), context (M, HORIZONS, CONTEXT_FEATURES) and displacements (M, HORIZONS, 3)."""
        shape = len(paths.starts), HORIZONS
        tokens, context = np.zeros(shape, int), np.empty((*shape, CONTEXT_FEATURES), np.float32)
        out: tuple[np.ndarray, np.ndarray, np.ndarray] = tokens, context, np.empty((*shape, 3))
        for number in np.unique(paths.sports):
            rows = np.flatnonzero(paths.sports == number)
            part = [a[rows] for a in out]
            tokenize(self.batches.pool[number][1].sport, *(a[rows] for a in paths[:3]), vocabulary, *part)
            for whole, a in zip(out, part):
                whole[rows] = a
        return out

    def losses(self, network: torch.nn.Module, batch: Batch) -> TokenLoss:
        vocabulary = self.network.token_decoder.vocabulary.double().cpu().numpy()
        tokens, context, _ = self.tokenize(token_paths(batch), vocabulary)
        inputs = batch.features, batch.times, batch.loss_frames, batch.nominal
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.autocast):
            loss = network(*inputs, *(torch.from_numpy(a).to(self.device) for a in (context, tokens)))
        return TokenLoss(loss.mean())

    def metadata(self) -> dict:
        return super().metadata() | {"sizes": asdict(self.network.sizes)}


def token_paths(batch: Batch) -> TokenPaths:
    """The paths of a Batch, of arrays or tensors, made with keep_paths."""
    future = np.asarray(batch.future.cpu() if torch.is_tensor(batch.future) else batch.future, float)
    sport, start, positions, position_sd = batch.paths
    futures = (positions + position_sd * future).reshape(-1, HORIZONS, 3)
    sports = np.repeat(sport, future.shape[1])
    return TokenPaths(start.reshape(-1, UNKNOWNS), position_sd[:, :, 0].reshape(-1, 3), futures, sports)
