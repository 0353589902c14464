"""The network that speaks: a GRU that predicts the next word of a ball's path, at run time. Compiled.

    speech = speech_of(tensors)              # of a file of weights of `tokens`
    h = begin(speech, read)                  # (1, H): what is remembered before the first word
    move(speech, before, numbers, h)         # h (K, H) moves on, in place, by the words before and what is true of each
    word = choose(speech, query(speech, h), chances)      # (K,) by chances between 0 and 1

Held equal to models/nets/speech.py by tests. float32 all through.
"""

from collections import namedtuple

import numpy as np

from ballcast.models.encoding.tokenizer import CONTEXT_FEATURES
from ballcast.models.runtime.layers import float32, linear, silu, tanh
from ballcast.models.runtime.network import gru_cell
from ballcast.sim.jit import kernel

# the vocabulary (V, 3), its embedding (V, E) and what each word is worth by itself (V,); then W, b of the two layers
# that begin, of the cell, of the query
TokenDecoderWeights = namedtuple(
    "TokenDecoderWeights",
    "vocabulary embedding logit_bias initial_hidden_weight initial_hidden_bias initial_out_weight initial_out_bias "
    "input_weight input_bias hidden_weight hidden_bias query_weight query_bias",
)
LAYER_TENSORS = ("begin.0", "begin.2", "cell", "cell", "query")
TENSOR_PARTS = (("weight", "bias"), ("weight", "bias"), ("weight_ih_l0", "bias_ih_l0"), ("weight_hh_l0", "bias_hh_l0"),
         ("weight", "bias"))  # fmt: skip


def pack_token_decoder(tensors):
    """The Speech of a network's tensors, by their names in models/nets/speech.py."""
    names = [f"speech.{layer}.{part}" for layer, parts in zip(LAYER_TENSORS, TENSOR_PARTS) for part in parts]
    whole = [tensors[f"speech.{name}"] for name in ("vocabulary", "embedding.weight", "worth")]
    return TokenDecoderWeights(
        *(np.ascontiguousarray(a, float32) for a in (*whole, *(tensors[name].T for name in names)))
    )


@kernel
def initial_hidden(decoder, inputs):
    """What is remembered before the first word, (B, H), of what the path's head reads (B, ...)."""
    h = linear(
        silu(linear(inputs, decoder.initial_hidden_weight, decoder.initial_hidden_bias)),
        decoder.initial_out_weight,
        decoder.initial_out_bias,
    )
    for b in range(len(h)):
        for i in range(h.shape[1]):
            h[b, i] = tanh(h[b, i])
    return h


@kernel
def step(decoder, previous_tokens, context, h):
    """Move memories h (K, H) on, in place, by words said before (K,), -1 for none, and numbers (K, NUMBERS)."""
    size = decoder.embedding.shape[1]
    inputs = np.zeros((len(h), size + CONTEXT_FEATURES), np.float32)
    for k in range(len(h)):
        if previous_tokens[k] >= 0:
            inputs[k, :size] = decoder.embedding[previous_tokens[k]]
        inputs[k, size:] = context[k]
    gru_cell(
        linear(inputs, decoder.input_weight, decoder.input_bias),
        linear(h, decoder.hidden_weight, decoder.hidden_bias),
        h,
    )


@kernel
def token_logits(decoder, h):
    """What each word is worth now, (K, V): logarithms of its chance, up to a constant."""
    return linear(linear(h, decoder.query_weight, decoder.query_bias), decoder.embedding.T, decoder.logit_bias)


@kernel
def sample_tokens(logits, uniforms):
    """The word (K,) at which the sum of the chances, by worth (K, V), passes chances (K,)."""
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
