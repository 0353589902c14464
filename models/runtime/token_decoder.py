"""The decoder of `tokens` at run time: a GRU that predicts the next token of a ball's path. Compiled, in float32.

    decoder = pack_token_decoder(tensors)                # of a file of weights of `tokens`
    h = initial_hidden(decoder, inputs)                  # (1, H): the hidden state before the first token
    step(decoder, previous_tokens, context, h)           # updates h (K, H) in place
    tokens = sample_tokens(token_logits(decoder, h), uniforms)     # (K,), from uniform random numbers

Equal to models/nets/token_decoder.py, by tests.
"""

from collections import namedtuple

import numpy as np

from ballcast.models.runtime.layers import Linear, float32, linear, mlp, pack_linear, tanh
from ballcast.models.runtime.network import gru_cell
from ballcast.sim.jit import kernel

# vocabulary (V, 3), embedding (V, E), then Linear layers: two for the initial hidden state, two of the cell, two from a
# hidden state (H,) to a query (E,) to logits (V,)
TokenDecoderWeights = namedtuple(
    "TokenDecoderWeights", "vocabulary embedding initial_hidden initial_out input hidden project logits"
)
LAYERS = ("initial_hidden.0.weight", "initial_hidden.2.weight", "cell.weight_ih_l0", "cell.weight_hh_l0",
          "project.weight")  # fmt: skip


def pack_token_decoder(tensors: dict[str, np.ndarray]) -> TokenDecoderWeights:
    """The decoder from tensors with the names of models/nets/token_decoder.py."""
    names = ("vocabulary", "embedding.weight", "logit_bias")
    vocabulary, embedding, bias = (np.ascontiguousarray(tensors[f"token_decoder.{n}"], float32) for n in names)
    layers = (pack_linear(tensors, f"token_decoder.{name}") for name in LAYERS)
    logits = Linear(np.ascontiguousarray(embedding.T), bias)
    return TokenDecoderWeights._make([vocabulary, embedding, *layers, logits])


@kernel
def initial_hidden(decoder, inputs):
    """The hidden states (B, H) before the first token, from the inputs of the path head (B, F)."""
    h = mlp(inputs, decoder.initial_hidden, decoder.initial_out)
    for b in range(len(h)):
        for i in range(h.shape[1]):
            h[b, i] = tanh(h[b, i])
    return h


@kernel
def step(decoder, previous_tokens, context, h):
    """Update h (K, H) in place by the tokens before, (K,), -1 for none, and context features (K, C)."""
    size = decoder.embedding.shape[1]
    inputs = np.zeros((len(h), size + context.shape[1]), np.float32)
    for k in range(len(h)):
        if previous_tokens[k] >= 0:
            inputs[k, :size] = decoder.embedding[previous_tokens[k]]
        inputs[k, size:] = context[k]
    a = linear(inputs, decoder.input.weight, decoder.input.bias)
    gru_cell(a, linear(h, decoder.hidden.weight, decoder.hidden.bias), h)


@kernel
def token_logits(decoder, h):
    """The logits (K, V) of the next tokens."""
    queries = linear(h, decoder.project.weight, decoder.project.bias)
    return linear(queries, decoder.logits.weight, decoder.logits.bias)


@kernel
def sample_tokens(logits, uniforms):
    """The tokens (K,) where the cumulative probability by logits (K, V) passes uniforms (K,)."""
    tokens, weights = np.empty(len(logits), np.int64), np.empty(logits.shape[1], np.float32)
    for k in range(len(logits)):
        top, total = logits[k].max(), float32(0.0)
        for token in range(len(weights)):
            weights[token] = np.exp(logits[k, token] - top)
            total += weights[token]
        remaining, token = float32(uniforms[k]) * total, 0
        while token < len(weights) - 1 and remaining >= weights[token]:
            remaining -= weights[token]
            token += 1
        tokens[k] = token
    return tokens
