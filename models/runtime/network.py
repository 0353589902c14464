"""A trained network at run time: one step of the memory, and the two heads, compiled, for one ball or for many at once.

    brain = brain_of(shape, tensors)                  # of a file of weights
    remember(brain, features, times, h, state, rows)  # the memory moves on, in place
    told = believe(brain, features, h)                # what models/nets/network.py tells, held equal to it by tests

h (B, H) is what the heads read. What else is remembered, c of an lstm, the stack's memory (stack.py), is in `state`.

float32 all through.
"""

from collections import namedtuple

import numpy as np

from ballcast.models.runtime.blocks import advance_blocks, pack_blocks, stack_state_size
from ballcast.models.runtime.layers import float32, linear, sigmoid, silu, tanh
from ballcast.sim.jit import kernel

TRUNK_KINDS = ("gru", "lstm", "rnn", "mlp", "mingru", "transformer")
FEATURE_LIMIT = float32(20.0)  # standard deviations, beyond which a feature is held
CELL_TENSORS = ("trunk.weight_ih_l0", "trunk.bias_ih_l0", "trunk.weight_hh_l0", "trunk.bias_hh_l0")
TRUNK_TENSORS = {  # the names of Wx, bx, Wh, bh, where it is not a cell
    "mlp": ("trunk.layers.0.weight", "trunk.layers.0.bias", "trunk.layers.2.weight", "trunk.layers.2.bias"),
    "mingru": ("trunk.read.weight", "trunk.read.bias", "", "bias"),
    "transformer": ("trunk.read.weight", "trunk.read.bias", "", "bias"),
}
# cell: index in CELLS. Of the trunk Wx (F, G H), bx, Wh (H, G H), bh (of `mlp` two layers, of a stack what it reads);
# of each head two layers; what the features are measured in; a Stack
NetworkWeights = namedtuple(
    "NetworkWeights",
    "trunk_kind feature_mean feature_scale_inverse nominal_mean nominal_scale_inverse "
    "input_weight input_bias hidden_weight hidden_bias "
    "belief_hidden_weight belief_hidden_bias belief_out_weight belief_out_bias "
    "path_hidden_weight path_hidden_bias path_out_weight path_out_bias blocks",
)


def pack_weights(shape, tensors):
    """The Brain of a network's tensors, by their names in models/nets/network.py; shape: its Shape, a dict."""
    trunk = TRUNK_TENSORS.get(shape["model"], CELL_TENSORS)
    heads = [f"{head}.{layer}.{part}" for head in ("belief", "path") for layer in (0, 2) for part in ("weight", "bias")]
    empty = np.zeros((0, 0), float32), np.zeros(0, float32)
    parts = [tensors.get(name, empty[name.endswith("bias")]) for name in (*trunk, *heads)]
    parts = [np.ascontiguousarray(a.T, float32) for a in parts]
    scalings = (
        a for name in ("read", "base") for a in (tensors[f"{name}_mean"], float32(1.0) / tensors[f"{name}_scale"])
    )
    return NetworkWeights(TRUNK_KINDS.index(shape["model"]), *scalings, *parts, pack_blocks(shape, tensors))


def state_size(network):
    """How many numbers of `state` a ball needs."""
    return (
        len(network.hidden_weight)
        if network.trunk_kind == TRUNK_KINDS.index("lstm")
        else stack_state_size(network.blocks)
    )


@kernel
def standardise(raw_features, mean, scale_inverse):
    """Numbers (B, F) in the network's own measure, float32."""
    out = np.empty(raw_features.shape, np.float32)
    for k in range(len(raw_features)):
        for i in range(raw_features.shape[1]):
            a = (float32(raw_features[k, i]) - mean[i]) * scale_inverse[i]
            out[k, i] = min(max(a, -FEATURE_LIMIT), FEATURE_LIMIT)
    return out


@kernel
def advance(network, features, times, h, cell_state, rows):
    """Move memories on by a frame of features x (n, F) at times (n,) s, in place: h (n, H), and state[rows] (n, M)."""
    a = linear(features, network.input_weight, network.input_bias)
    if network.trunk_kind >= 4:
        advance_blocks(network.blocks, a, times, h, cell_state, rows)
        return
    if network.trunk_kind == 3:
        h[:] = silu(linear(silu(a), network.hidden_weight, network.hidden_bias))
        return
    b, U = linear(h, network.hidden_weight, network.hidden_bias), h.shape[1]
    if network.trunk_kind == 0:
        gru_cell(a, b, h)
        return
    for k in range(len(h)):
        if network.trunk_kind == 1:
            cell = cell_state[rows[k]]
            for i in range(U):
                input_gate, forget_gate = sigmoid(a[k, i] + b[k, i]), sigmoid(a[k, U + i] + b[k, U + i])
                candidate, output_gate = (
                    tanh(a[k, 2 * U + i] + b[k, 2 * U + i]),
                    sigmoid(a[k, 3 * U + i] + b[k, 3 * U + i]),
                )
                cell[i] = forget_gate * cell[i] + input_gate * candidate
                h[k, i] = output_gate * tanh(cell[i])
        else:
            for i in range(U):
                h[k, i] = tanh(a[k, i] + b[k, i])


@kernel
def gru_cell(a, b, h):
    """Move a GRU's memories h (n, H) on, in place, by what it reads, a (n, 3 H), and what it remembers, b (n, 3 H)."""
    U = h.shape[1]
    for k in range(len(h)):
        for i in range(U):
            r, z = sigmoid(a[k, i] + b[k, i]), sigmoid(a[k, U + i] + b[k, U + i])
            n = tanh(a[k, 2 * U + i] + r * b[k, 2 * U + i])
            h[k, i] = n + z * (h[k, i] - n)


@kernel
def belief_head(network, features, h):
    """What the belief's head tells of memories h (B, H) and features x (B, F)."""
    return linear(
        silu(linear(np.hstack((h, features)), network.belief_hidden_weight, network.belief_hidden_bias)),
        network.belief_out_weight,
        network.belief_out_bias,
    )


@kernel
def path_head_input(network, features, h, nominal_features, belief_outputs):
    """What the path's head reads; base (B, SEEN): the baselines; told (B, ...): the belief's first columns, or none."""
    return np.hstack(
        (
            h,
            features,
            standardise(nominal_features, network.nominal_mean, network.nominal_scale_inverse),
            belief_outputs,
        )
    )


@kernel
def path_head(network, features, h, nominal_features, belief_outputs):
    """What the path's head tells; base and told as in `reading`."""
    return linear(
        silu(
            linear(
                path_head_input(network, features, h, nominal_features, belief_outputs),
                network.path_hidden_weight,
                network.path_hidden_bias,
            )
        ),
        network.path_out_weight,
        network.path_out_bias,
    )
