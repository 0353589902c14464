"""The network that speaks: a GRU that predicts the next word of a ball's path, at run time. Compiled.

    speech = speech_of(tensors)              # of a file of weights of `tokens`
    h = begin(speech, read)                  # (1, H): what is remembered before the first word
    move(speech, before, numbers, h)         # h (K, H) moves on, in place, by the words before and what is true of each
    word = choose(speech, query(speech, h), chances)      # (K,) by chances between 0 and 1

Held equal to models/nets/speech.py by tests. float32 all through.
"""

from collections import namedtuple

import numpy as np
from ballcast.models.encoding.tokenizer import NUMBERS
from ballcast.models.runtime.layers import F, linear, silu, tanh
from ballcast.models.runtime.network import gated
from ballcast.sim.jit import kernel

# the vocabulary (V, 3), its embedding (V, E) and what each word is worth by itself (V,); then W, b of the two layers
# that begin, of the cell, of the query
Speech = namedtuple("Speech", "vocabulary embedding worth B1 b1 B2 b2 Wx bx Wh bh Q q")
LAYERS = ("begin.0", "begin.2", "cell", "cell", "query")
PARTS = (("weight", "bias"), ("weight", "bias"), ("weight_ih_l0", "bias_ih_l0"), ("weight_hh_l0", "bias_hh_l0"),
         ("weight", "bias"))  # fmt: skip


def speech_of(tensors):
    """The Speech of a network's tensors, by their names in models/nets/speech.py."""
    names = [f"speech.{layer}.{part}" for layer, parts in zip(LAYERS, PARTS) for part in parts]
    whole = [tensors[f"speech.{name}"] for name in ("vocabulary", "embedding.weight", "worth")]
    return Speech(*(np.ascontiguousarray(a, F) for a in (*whole, *(tensors[name].T for name in names))))


@kernel
def begin(speech, read):
    """What is remembered before the first word, (B, H), of what the path's head reads (B, ...)."""
    h = linear(silu(linear(read, speech.B1, speech.b1)), speech.B2, speech.b2)
    for b in range(len(h)):
        for i in range(h.shape[1]):
            h[b, i] = tanh(h[b, i])
    return h


@kernel
def move(speech, before, numbers, h):
    """Move memories h (K, H) on, in place, by words said before (K,), -1 for none, and numbers (K, NUMBERS)."""
    size = speech.embedding.shape[1]
    x = np.zeros((len(h), size + NUMBERS), np.float32)
    for k in range(len(h)):
        if before[k] >= 0:
            x[k, :size] = speech.embedding[before[k]]
        x[k, size:] = numbers[k]
    gated(linear(x, speech.Wx, speech.bx), linear(h, speech.Wh, speech.bh), h)


@kernel
def query(speech, h):
    """What each word is worth now, (K, V): logarithms of its chance, up to a constant."""
    return linear(linear(h, speech.Q, speech.q), speech.embedding.T, speech.worth)


@kernel
def choose(worth, chances):
    """The word (K,) at which the sum of the chances, by worth (K, V), passes chances (K,)."""
    word, weights = np.empty(len(worth), np.int64), np.empty(worth.shape[1], np.float32)
    for k in range(len(worth)):
        most, total = worth[k].max(), F(0.0)
        for w in range(len(weights)):
            weights[w] = np.exp(worth[k, w] - most)
            total += weights[w]
        left, w = F(chances[k]) * total, 0
        while w < len(weights) - 1 and left >= weights[w]:
            left -= weights[w]
            w += 1
        word[k] = w
    return word
