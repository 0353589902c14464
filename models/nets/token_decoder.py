"""A decoder that generates paths token by token, on top of the trunk and the heads of a trained `gru`.

    network = TokenNetwork(shape, TokenSizes(words=512))        # the gru is frozen
    loss = network(features, times, loss_frames, nominal, context, tokens)     # (B, N): cross-entropy of a token, nats

All tokens of a path are learnt at once. Each is predicted from the true tokens before it (teacher forcing) and from the
state of the path that those lead to.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ballcast.models.encoding.nominal import HORIZONS
from ballcast.models.encoding.tokenizer import CONTEXT_FEATURES
from ballcast.models.encoding.vocabulary import compand
from ballcast.models.nets.network import Network, NetworkShape, gather_frames

INITIAL_EMBEDDING_SCALE = 0.1  # of the random part of an embedding


@dataclass(frozen=True)
class TokenSizes:
    """The sizes of a decoder."""

    words: int = 512  # of the vocabulary
    embedding: int = 48
    units: int = 128
    hidden: int = 128  # of the layer between the inputs of the path head and the initial hidden state


class TokenDecoder(nn.Module):
    """From the inputs of the path head to the tokens of a path."""

    def __init__(self, sizes: TokenSizes, inputs: int):
        super().__init__()
        self.register_buffer("vocabulary", torch.zeros(sizes.words, 3))
        self.embedding = nn.Embedding(sizes.words, sizes.embedding)
        self.logit_bias = nn.Parameter(torch.zeros(sizes.words))
        hidden = nn.Linear(inputs, sizes.hidden)
        self.initial_hidden = nn.Sequential(hidden, nn.SiLU(), nn.Linear(sizes.hidden, sizes.units), nn.Tanh())
        self.cell = nn.GRU(sizes.embedding + CONTEXT_FEATURES, sizes.units, batch_first=True)
        self.project = nn.Linear(sizes.units, sizes.embedding)

    def initialise(self, vocabulary: np.ndarray, tokens: np.ndarray) -> None:
        """Set the vocabulary (V, 3), and the logit bias by how often each token is among tokens (M, HORIZONS).
        Embeddings start with the companded displacement of the token and its products, so that similar displacements
        have similar embeddings."""
        self.vocabulary[:] = torch.from_numpy(vocabulary)
        counts = np.bincount(tokens.ravel(), minlength=len(vocabulary))
        small = torch.from_numpy(compand(vocabulary)).float()
        row, column = torch.triu_indices(3, 3)
        means = torch.cat([small, small[:, row] * small[:, column] / 2], 1)
        with torch.no_grad():
            self.logit_bias[:] = torch.from_numpy(np.log(counts + 1.0) - np.log(counts.sum()))
            self.embedding.weight *= INITIAL_EMBEDDING_SCALE
            self.embedding.weight[:, : means.shape[1]] = means

    def forward(self, inputs: Tensor, context: Tensor, tokens: Tensor) -> Tensor:
        """Logits (M, HORIZONS, V) of inputs (M, F), context (M, HORIZONS, CONTEXT_FEATURES), tokens (M, HORIZONS)."""
        before = torch.cat([torch.zeros_like(self.embedding(tokens[:, :1])), self.embedding(tokens[:, :-1])], 1)
        h, _ = self.cell(torch.cat([before, context], -1), self.initial_hidden(inputs)[None])
        return self.project(h) @ self.embedding.weight.T + self.logit_bias


class TokenNetwork(Network):
    """A frozen gru and a decoder."""

    def __init__(self, shape: NetworkShape, sizes: TokenSizes):
        super().__init__(shape)
        self.sizes = sizes
        for p in self.parameters():
            p.requires_grad_(False)
        self.token_decoder = TokenDecoder(sizes, self.path[0].in_features)

    def forward(  # type: ignore[override]
        self, features: Tensor, times: Tensor, loss_frames: Tensor, nominal: Tensor, context: Tensor, tokens: Tensor
    ) -> Tensor:
        """The mean cross-entropy (B, N) of a token.
        context (M, HORIZONS, CONTEXT_FEATURES) and tokens (M, HORIZONS) are of M = B N paths; the rest as in a Batch.
        """
        inputs = self.path_inputs(features, times, loss_frames, nominal).flatten(0, 1)
        logits = self.token_decoder(inputs, context, tokens)
        loss = cross_entropy(logits.flatten(0, 1), tokens.flatten(), reduction="none")
        return loss.view(*loss_frames.shape, HORIZONS).mean(-1)

    @torch.no_grad()
    def path_inputs(self, features: Tensor, times: Tensor, loss_frames: Tensor, nominal: Tensor) -> Tensor:
        """The inputs of the path head (B, N, F)."""
        features = self.standardise(features)
        hidden = self.hidden(features, times)
        hidden, features = (gather_frames(a, loss_frames) for a in (hidden, features))
        return self.head_inputs(hidden, features, nominal)[1]
