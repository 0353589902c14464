"""The trunk of `mingru` and `transformer` at run time, compiled: one frame of models/nets/blocks.py.

The state of one ball is one row of numbers, updated in place. For `mingru` it is h of every layer. For `transformer` it
is a ring buffer of keys and values for every layer, and the number of frames as the last entry.
"""

from collections import namedtuple

import numpy as np

from ballcast.models.runtime.layers import Linear, float32, linear, mlp, sigmoid
from ballcast.sim.jit import inlined, kernel

ATTENTION_HEADS = 4
NORM_EPSILON = 1e-5  # added to a variance
Norm = namedtuple("Norm", "gain bias")  # (H,), or (L, H) of L layers
# Norm and Linear layers, L of them stacked, flat as NetworkWeights is;
# the rotary frequencies (D / 2,) rad/s; the frames of the ring buffer
BlockStack = namedtuple(
    "BlockStack",
    "norm1_gain norm1_bias mixer_weight mixer_bias out_weight out_bias norm2_gain norm2_bias mlp_in_weight mlp_in_bias "
    "mlp_out_weight mlp_out_bias final_norm_gain final_norm_bias frequencies window",
)
MIXER_TENSORS = {"mingru": "mixer.gates", "transformer": "mixer.qkv"}


def pack_blocks(shape: dict, tensors: dict[str, np.ndarray]) -> BlockStack:
    """The blocks of a network, by the tensor names of models/nets/blocks.py. Empty if the trunk has no blocks."""
    layers = range(shape["layers"] if shape["model"] in MIXER_TENSORS else 0)

    def stack(record, name, rank):
        parts = []
        for part, dimensions in (("weight", rank), ("bias", 2)):
            rows = [tensors[f"trunk.blocks.{n}.{name}.{part}"].T for n in layers]
            parts.append(np.array(rows, float32) if rows else np.zeros((0,) * dimensions, float32))
        return record(*parts)

    mixer = stack(Linear, MIXER_TENSORS.get(shape["model"], ""), 3)
    norm1, norm2 = (stack(Norm, name, 2) for name in ("norm", "mlp.0"))
    out, mlp_in, mlp_out = (stack(Linear, name, 3) for name in ("out", "mlp.1", "mlp.3"))
    final_norm = Norm(*(np.array(tensors.get(f"trunk.norm.{part}", ()), float32) for part in ("weight", "bias")))
    frequencies = np.array(tensors.get("trunk.blocks.0.mixer.frequencies", ()), float)
    window = shape["window"] if len(frequencies) else 0
    parts = norm1, mixer, out, norm2, mlp_in, mlp_out, final_norm
    return BlockStack._make((*(a for part in parts for a in part), frequencies, window))


def stack_state_size(blocks: BlockStack) -> int:
    """The length of one ball's state."""
    layers, units = blocks.norm1_gain.shape
    return layers * blocks.window * 2 * units + 1 if blocks.window else layers * units


@kernel
def layer_norm(inputs, gain, bias):
    """Normalise the rows of inputs (B, H) to mean 0 and variance 1, then apply gain and bias (H,)."""
    out = np.empty_like(inputs)
    for k in range(len(inputs)):
        mean, variance = float32(0.0), float32(0.0)
        for i in range(inputs.shape[1]):
            mean += inputs[k, i]
        mean /= float32(inputs.shape[1])
        for i in range(inputs.shape[1]):
            variance += (inputs[k, i] - mean) * (inputs[k, i] - mean)
        scale = float32(1.0) / np.sqrt(variance / float32(inputs.shape[1]) + float32(NORM_EPSILON))
        for i in range(inputs.shape[1]):
            out[k, i] = (inputs[k, i] - mean) * scale * gain[i] + bias[i]
    return out


@kernel
def advance_blocks(blocks, activations, times, h, state, rows):
    """Pass activations (n, H) of a frame at times (n,) s through all layers into h (n, H).

    The state of ball k is state[rows[k]].
    """
    for n in range(len(blocks.norm1_gain)):
        normed = layer_norm(activations, blocks.norm1_gain[n], blocks.norm1_bias[n])
        projection = linear(normed, blocks.mixer_weight[n], blocks.mixer_bias[n])
        mixed = np.empty_like(activations)
        for k in range(len(activations)):
            if blocks.window:
                _attention_step(blocks, n, projection[k], times[k], state[rows[k]], mixed[k])
            else:
                _mingru_step(n, projection[k], state[rows[k]], mixed[k])
        activations = activations + linear(mixed, blocks.out_weight[n], blocks.out_bias[n])
        normed = layer_norm(activations, blocks.norm2_gain[n], blocks.norm2_bias[n])
        mlp_in = Linear(blocks.mlp_in_weight[n], blocks.mlp_in_bias[n])
        activations = activations + mlp(normed, mlp_in, Linear(blocks.mlp_out_weight[n], blocks.mlp_out_bias[n]))
    h[:] = layer_norm(activations, blocks.final_norm_gain, blocks.final_norm_bias)
    if blocks.window:
        for k in range(len(activations)):  # the frame count stays below two windows: float32 holds it exactly
            count = state[rows[k], -1] + float32(1.0)
            state[rows[k], -1] = float32(blocks.window) if count >= float32(2 * blocks.window) else count


@kernel
def _mingru_step(layer, projection, state, out):
    """minGRU: update h of a layer by gate and candidate, projection (2 H,), and copy it to out (H,)."""
    U = len(out)
    h = state[layer * U : (layer + 1) * U]
    for i in range(U):
        h[i] += sigmoid(projection[i]) * (projection[U + i] - h[i])
        out[i] = h[i]


@kernel
def _attention_step(blocks, layer, projection, t, state, out):
    """Attention: store key and value of projection (3 H,) in the layer's ring buffer; answer the query, out (H,)."""
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
    """Rotate query and key, the first 2 H entries of the projection, by the angles frequencies x t, head by head."""
    half, U = len(frequencies), len(projection) // 3
    for i in range(half):
        cos, sin = float32(np.cos(frequencies[i] * t)), float32(np.sin(frequencies[i] * t))
        for first in range(i, 2 * U, 2 * half):
            real, imaginary = projection[first], projection[first + half]
            projection[first], projection[first + half] = real * cos - imaginary * sin, real * sin + imaginary * cos
