"""The trunk of a parallel network at run time, compiled: one step of models/nets/blocks.py, for one ball or for many.

What a ball remembers is one row of numbers, moved on in place. Of `mingru` it is h of every layer; of a `transformer`
the rings of keys and values of every layer, and at its end how far they are filled.
"""

from collections import namedtuple

import numpy as np
from ballcast.models.runtime.layers import F, linear, sigmoid, silu
from ballcast.sim.jit import kernel, piece

HEADS = 4
TINY = F(1e-5)  # added to a variance
MINGRU, TRANSFORMER = 0, 1
# of L layers: gains and shifts of the two norms (L, H), of the last (H,); W and b of what a mixer reads, of what it
# tells, and of the two layers of the mlp; frequencies (D / 2,) rad/s; frames of a ring
Stack = namedtuple("Stack", "gain1 shift1 Wr br Wt bt gain2 shift2 W1 b1 W2 b2 gain shift frequencies window")
LAYER = (
    "norm.weight", "norm.bias", "mixer.read.weight", "mixer.read.bias", "tell.weight", "tell.bias",
    "mlp.0.weight", "mlp.0.bias", "mlp.1.weight", "mlp.1.bias", "mlp.3.weight", "mlp.3.bias",
)  # fmt: skip


def stack_of(shape, tensors):
    """The Stack of a network's tensors, by their names in models/nets/blocks.py; empty where it has none."""
    layers = range(shape["layers"]) if "trunk.norm.weight" in tensors else ()
    parts = [[tensors[f"trunk.blocks.{n}.{name}"].T for n in layers] for name in LAYER]
    ranks = [3 if name.endswith("weight") and "norm" not in name and name != "mlp.0.weight" else 2 for name in LAYER]
    parts = [np.array(part, F).reshape((0,) * rank if not part else (len(part), *part[0].shape))
             for part, rank in zip(parts, ranks)]  # fmt: skip
    norm = [np.array(tensors.get(f"trunk.norm.{name}", ()), F) for name in ("weight", "bias")]
    frequencies = np.array(tensors.get("trunk.blocks.0.mixer.frequencies", ()), float)
    return Stack(*parts, *norm, frequencies, shape.get("window", 0) if len(frequencies) else 0)


def remembered(stack):
    """How many numbers a ball remembers."""
    layers, units = stack.gain1.shape
    return layers * stack.window * 2 * units + 1 if stack.window else layers * units


@kernel
def normed(x, gain, shift):
    """Rows of x (B, H) with mean 0 and variance 1, then gain and shift (H,)."""
    out = np.empty_like(x)
    for k in range(len(x)):
        mean, square = F(0.0), F(0.0)
        for i in range(x.shape[1]):
            mean += x[k, i]
        mean /= F(x.shape[1])
        for i in range(x.shape[1]):
            square += (x[k, i] - mean) * (x[k, i] - mean)
        scale = F(1.0) / np.sqrt(square / F(x.shape[1]) + TINY)
        for i in range(x.shape[1]):
            out[k, i] = (x[k, i] - mean) * scale * gain[i] + shift[i]
    return out


@kernel
def through(stack, x, times, h, state, rows):
    """Take x (n, H), read at times (n,) s, through all layers into h (n, H); ball k remembers in state[rows[k]]."""
    for n in range(len(stack.gain1)):
        read = linear(normed(x, stack.gain1[n], stack.shift1[n]), stack.Wr[n], stack.br[n])
        mixed = np.empty_like(x)
        for k in range(len(x)):
            if stack.window:
                _attend(stack, n, read[k], times[k], state[rows[k]], mixed[k])
            else:
                _scan(n, read[k], state[rows[k]], mixed[k])
        x = x + linear(mixed, stack.Wt[n], stack.bt[n])
        hidden = silu(linear(normed(x, stack.gain2[n], stack.shift2[n]), stack.W1[n], stack.b1[n]))
        x = x + linear(hidden, stack.W2[n], stack.b2[n])
    h[:] = normed(x, stack.gain, stack.shift)
    if stack.window:
        for k in range(len(x)):
            _count(state[rows[k]], stack.window)


@kernel
def _scan(n, read, memory, out):
    """minGRU: layer n's memory moves on by gate and candidate, read (2 H,), and is told."""
    H = len(out)
    mine = memory[n * H : (n + 1) * H]
    for i in range(H):
        mine[i] += sigmoid(read[i]) * (read[H + i] - mine[i])
        out[i] = mine[i]


@kernel
def _attend(stack, n, read, t, memory, out):
    """Attention: key and value, of read (3 H,), go into layer n's ring; what the query finds there is told."""
    H, W, count = len(out), stack.window, int(memory[-1])
    ring = memory[n * W * 2 * H : (n + 1) * W * 2 * H].reshape((W, 2 * H))
    filled = min(count + 1, W)
    _turn(stack.frequencies, t, read)
    ring[count % W] = read[H:]
    D = H // HEADS
    scale, weights = F(1.0 / np.sqrt(D)), np.empty(filled, np.float32)
    for first in range(0, H, D):
        most = F(-np.inf)
        for j in range(filled):
            dot = F(0.0)
            for i in range(first, first + D):
                dot += read[i] * ring[j, i]
            weights[j] = dot * scale
            most = max(most, weights[j])
        total = F(0.0)
        for j in range(filled):
            weights[j] = np.exp(weights[j] - most)
            total += weights[j]
        out[first : first + D] = F(0.0)
        for j in range(filled):
            share = weights[j] / total
            for i in range(first, first + D):
                out[i] += share * ring[j, H + i]


@piece
def _turn(frequencies, t, read):
    """Turn the query and the key, read (2 H and more), by frequencies x t s, head by head."""
    half, H = len(frequencies), len(read) // 3
    for i in range(half):
        cos, sin = F(np.cos(frequencies[i] * t)), F(np.sin(frequencies[i] * t))
        for first in range(i, 2 * H, 2 * half):
            x, y = read[first], read[first + half]
            read[first], read[first + half] = x * cos - y * sin, x * sin + y * cos


@piece
def _count(memory, window):
    """One frame more: as a number that stays small, however long the ball is watched."""
    memory[-1] += F(1.0)
    if memory[-1] >= F(2 * window):
        memory[-1] = F(window)
