"""The trunk of a parallel network at run time, compiled: one step of models/nets/blocks.py, for one ball or for many.

What a ball remembers is one row of numbers, moved on in place. Of `mingru` it is h of every layer; of a `transformer`
the rings of keys and values of every layer, and at its end how far they are filled.
"""

from collections import namedtuple

import numpy as np

from ballcast.models.runtime.layers import float32, linear, sigmoid, silu
from ballcast.sim.jit import inlined, kernel

ATTENTION_HEADS = 4
NORM_EPSILON = float32(1e-5)  # added to a variance
MINGRU, TRANSFORMER = 0, 1
# of L layers: gains and shifts of the two norms (L, H), of the last (H,); W and b of what a mixer reads, of what it
# tells, and of the two layers of the mlp; frequencies (D / 2,) rad/s; frames of a ring
BlockStack = namedtuple(
    "BlockStack",
    "norm1_gain norm1_bias mixer_weight mixer_bias out_weight out_bias norm2_gain norm2_bias "
    "mlp_in_weight mlp_in_bias mlp_out_weight mlp_out_bias final_gain final_bias frequencies window",
)
LAYER_TENSORS = (
    "norm.weight", "norm.bias", "mixer.read.weight", "mixer.read.bias", "tell.weight", "tell.bias",
    "mlp.0.weight", "mlp.0.bias", "mlp.1.weight", "mlp.1.bias", "mlp.3.weight", "mlp.3.bias",
)  # fmt: skip


def pack_blocks(shape, tensors):
    """The Stack of a network's tensors, by their names in models/nets/blocks.py; empty where it has none."""
    layers = range(shape["layers"]) if "trunk.norm.weight" in tensors else ()
    parts = [[tensors[f"trunk.blocks.{n}.{name}"].T for n in layers] for name in LAYER_TENSORS]
    ranks = [
        3 if name.endswith("weight") and "norm" not in name and name != "mlp.0.weight" else 2 for name in LAYER_TENSORS
    ]
    parts = [np.array(part, float32).reshape((0,) * rank if not part else (len(part), *part[0].shape))
             for part, rank in zip(parts, ranks)]  # fmt: skip
    norm = [np.array(tensors.get(f"trunk.norm.{name}", ()), float32) for name in ("weight", "bias")]
    frequencies = np.array(tensors.get("trunk.blocks.0.mixer.frequencies", ()), float)
    return BlockStack(*parts, *norm, frequencies, shape.get("window", 0) if len(frequencies) else 0)


def stack_state_size(blocks):
    """How many numbers a ball remembers."""
    layers, units = blocks.norm1_gain.shape
    return layers * blocks.window * 2 * units + 1 if blocks.window else layers * units


@kernel
def layer_norm(inputs, gain, bias):
    """Rows of x (B, H) with mean 0 and variance 1, then gain and shift (H,)."""
    out = np.empty_like(inputs)
    for k in range(len(inputs)):
        mean, variance = float32(0.0), float32(0.0)
        for i in range(inputs.shape[1]):
            mean += inputs[k, i]
        mean /= float32(inputs.shape[1])
        for i in range(inputs.shape[1]):
            variance += (inputs[k, i] - mean) * (inputs[k, i] - mean)
        scale = float32(1.0) / np.sqrt(variance / float32(inputs.shape[1]) + NORM_EPSILON)
        for i in range(inputs.shape[1]):
            out[k, i] = (inputs[k, i] - mean) * scale * gain[i] + bias[i]
    return out


@kernel
def advance_blocks(blocks, activations, times, h, cell_state, rows):
    """Take x (n, H), read at times (n,) s, through all layers into h (n, H); ball k remembers in state[rows[k]]."""
    for layer in range(len(blocks.norm1_gain)):
        projection = linear(
            layer_norm(activations, blocks.norm1_gain[layer], blocks.norm1_bias[layer]),
            blocks.mixer_weight[layer],
            blocks.mixer_bias[layer],
        )
        mixed = np.empty_like(activations)
        for k in range(len(activations)):
            if blocks.window:
                _attention_step(blocks, layer, projection[k], times[k], cell_state[rows[k]], mixed[k])
            else:
                _mingru_step(layer, projection[k], cell_state[rows[k]], mixed[k])
        activations = activations + linear(mixed, blocks.out_weight[layer], blocks.out_bias[layer])
        expanded = silu(
            linear(
                layer_norm(activations, blocks.norm2_gain[layer], blocks.norm2_bias[layer]),
                blocks.mlp_in_weight[layer],
                blocks.mlp_in_bias[layer],
            )
        )
        activations = activations + linear(expanded, blocks.mlp_out_weight[layer], blocks.mlp_out_bias[layer])
    h[:] = layer_norm(activations, blocks.final_gain, blocks.final_bias)
    if blocks.window:
        for k in range(len(activations)):
            _count_frame(cell_state[rows[k]], blocks.window)


@kernel
def _mingru_step(layer, projection, state, out):
    """minGRU: layer n's memory moves on by gate and candidate, read (2 H,), and is told."""
    U = len(out)
    layer_state = state[layer * U : (layer + 1) * U]
    for i in range(U):
        layer_state[i] += sigmoid(projection[i]) * (projection[U + i] - layer_state[i])
        out[i] = layer_state[i]


@kernel
def _attention_step(blocks, layer, projection, t, state, out):
    """Attention: key and value, of read (3 H,), go into layer n's ring; what the query finds there is told."""
    U, window, count = len(out), blocks.window, int(state[-1])
    cache = state[layer * window * 2 * U : (layer + 1) * window * 2 * U].reshape((window, 2 * U))
    cache_length = min(count + 1, window)
    _rotate(blocks.frequencies, t, projection)
    cache[count % window] = projection[U:]
    head_size = U // ATTENTION_HEADS
    scale, weights = float32(1.0 / np.sqrt(head_size)), np.empty(cache_length, np.float32)
    for first in range(0, U, head_size):
        top = float32(-np.inf)
        for j in range(cache_length):
            dot = float32(0.0)
            for i in range(first, first + head_size):
                dot += projection[i] * cache[j, i]
            weights[j] = dot * scale
            top = max(top, weights[j])
        total = float32(0.0)
        for j in range(cache_length):
            weights[j] = np.exp(weights[j] - top)
            total += weights[j]
        out[first : first + head_size] = float32(0.0)
        for j in range(cache_length):
            weight = weights[j] / total
            for i in range(first, first + head_size):
                out[i] += weight * cache[j, U + i]


@inlined
def _rotate(frequencies, t, projection):
    """Turn the query and the key, read (2 H and more), by frequencies x t s, head by head."""
    half, U = len(frequencies), len(projection) // 3
    for i in range(half):
        cos, sin = float32(np.cos(frequencies[i] * t)), float32(np.sin(frequencies[i] * t))
        for first in range(i, 2 * U, 2 * half):
            real, imaginary = projection[first], projection[first + half]
            projection[first], projection[first + half] = real * cos - imaginary * sin, real * sin + imaginary * cos


@inlined
def _count_frame(state, window):
    """One frame more: as a number that stays small, however long the ball is watched."""
    state[-1] += float32(1.0)
    if state[-1] >= float32(2 * window):
        state[-1] = float32(window)
