"""A trained network at run time: one frame of the trunk, and the two heads, compiled, in float32, for a batch of balls.

    network = pack_weights(shape, tensors)                # of a file of weights
    advance(network, features, times, h, state, rows)     # the next frame; updates h and state in place
    belief = belief_head(network, features, h)            # equal to models/nets/network.py, by tests

h (B, H) is what the heads read. `state` is the rest of the memory: c of an lstm, or the state of blocks.py.
"""

from collections import namedtuple

import numpy as np

from ballcast.models.runtime.blocks import advance_blocks, pack_blocks, stack_state_size
from ballcast.models.runtime.layers import Linear, float32, linear, mlp, pack_linear, sigmoid, silu, tanh
from ballcast.sim.jit import kernel

TRUNK_KINDS = ("gru", "lstm", "rnn", "mlp", "mingru", "transformer", "own")  # own: torch runs it (models/own_trunk.py)
GRU, LSTM, RNN, MLP, MINGRU, TRANSFORMER, OWN = range(7)
OWN_FRAMES = 96  # that a trunk of your own reads, as many as it was trained on
FEATURE_LIMIT = 20.0  # standardised features are clamped to this
TRUNK_LAYERS = dict.fromkeys(("gru", "lstm", "rnn"), ("trunk.weight_ih_l0", "trunk.weight_hh_l0")) | {
    "mlp": ("trunk.layers.0.weight", "trunk.layers.2.weight"),
} | dict.fromkeys(("mingru", "transformer"), ("trunk.input.weight", ""))  # fmt: skip
HEAD_LAYERS = ("belief.0.weight", "belief.2.weight", "path.0.weight", "path.2.weight")
# flat, because numba reads every record within a record from Python at every call.
# trunk_kind: index in TRUNK_KINDS; mean and 1 / scale of the features (F,) and of the nominal features; layers
# (`hidden` is a cell's recurrent layer, or the second layer of an mlp); a BlockStack
NetworkWeights = namedtuple(
    "NetworkWeights",
    "trunk_kind feature_mean feature_scale_inverse nominal_mean nominal_scale_inverse "
    "input_weight input_bias hidden_weight hidden_bias belief_hidden_weight belief_hidden_bias belief_out_weight "
    "belief_out_bias path_hidden_weight path_hidden_bias path_out_weight path_out_bias blocks",
)


def pack_weights(shape: dict, tensors: dict[str, np.ndarray]) -> NetworkWeights:
    """The weights of a NetworkShape, as a dict, from tensors with the names of models/nets/network.py."""
    names = "feature", "nominal"
    scaling = (a for n in names for a in (tensors[f"{n}_mean"], float32(1.0) / tensors[f"{n}_scale"]))
    of_layers = *TRUNK_LAYERS.get(shape["model"], ("", "")), *HEAD_LAYERS
    layers = (a for name in of_layers for a in pack_linear(tensors, name))
    kind = "own" if ":" in shape["model"] else shape["model"]
    parts = TRUNK_KINDS.index(kind), *scaling, *layers, pack_blocks(shape, tensors)
    return NetworkWeights._make(parts)


def state_size(network: NetworkWeights) -> int:
    """The length of one ball's row of `state`."""
    if network.trunk_kind == OWN:
        return 1 + OWN_FRAMES * (len(network.feature_mean) + 2)
    return len(network.hidden_weight) if network.trunk_kind == LSTM else stack_state_size(network.blocks)


@kernel
def standardise(raw_features, mean, scale_inverse):
    """Features (B, F) minus the mean, over the scale, clamped; float32."""
    out = np.empty(raw_features.shape, np.float32)
    for k in range(len(raw_features)):
        for i in range(raw_features.shape[1]):
            a = (float32(raw_features[k, i]) - mean[i]) * scale_inverse[i]
            out[k, i] = min(max(a, float32(-FEATURE_LIMIT)), float32(FEATURE_LIMIT))
    return out


@kernel
def advance(network, features, times, h, state, rows):
    """Update h (n, H) and state[rows] (n, M), in place, by one frame of features (n, F) at times (n,) s."""
    if network.trunk_kind == OWN:
        keep_frame(features, times, state, rows)
        return
    a = linear(features, network.input_weight, network.input_bias)
    if network.trunk_kind >= MINGRU:
        advance_blocks(network.blocks, a, times, h, state, rows)
        return
    if network.trunk_kind == MLP:
        h[:] = silu(linear(silu(a), network.hidden_weight, network.hidden_bias))
        return
    b, U = linear(h, network.hidden_weight, network.hidden_bias), h.shape[1]
    if network.trunk_kind == GRU:
        gru_cell(a, b, h)
        return
    for k in range(len(h)):
        if network.trunk_kind == LSTM:
            cell = state[rows[k]]
            for i in range(U):
                input_gate, forget_gate = sigmoid(a[k, i] + b[k, i]), sigmoid(a[k, U + i] + b[k, U + i])
                candidate = tanh(a[k, 2 * U + i] + b[k, 2 * U + i])
                output_gate = sigmoid(a[k, 3 * U + i] + b[k, 3 * U + i])
                cell[i] = forget_gate * cell[i] + input_gate * candidate
                h[k, i] = output_gate * tanh(cell[i])
        else:
            for i in range(U):
                h[k, i] = tanh(a[k, i] + b[k, i])


@kernel
def keep_frame(features, times, state, rows):
    """Keep a frame of features (n, F) at times (n,) s in state[rows] (n, M): the number of frames seen, then a ring of
    the last OWN_FRAMES, each its time as two numbers that add up to it, and its features."""
    size = features.shape[1] + 2
    for k in range(len(rows)):
        row = state[rows[k]]
        count = int(row[0])
        at = 1 + (count % OWN_FRAMES) * size
        row[at] = float32(times[k])
        row[at + 1] = float32(times[k] - float(row[at]))
        row[at + 2 : at + size] = features[k]
        # the count stays below two rings: float32 holds it exactly
        row[0] = float32(OWN_FRAMES if count + 1 == 2 * OWN_FRAMES else count + 1)


@kernel
def gru_cell(a, b, h):
    """Update the hidden states h (n, H) of a GRU in place, from its layers of the input, a, and of h, b (n, 3 H)."""
    U = h.shape[1]
    for k in range(len(h)):
        for i in range(U):
            r, z = sigmoid(a[k, i] + b[k, i]), sigmoid(a[k, U + i] + b[k, U + i])
            n = tanh(a[k, 2 * U + i] + r * b[k, 2 * U + i])
            h[k, i] = n + z * (h[k, i] - n)


@kernel
def belief_head(network, features, h):
    """The outputs of the belief head for hidden states h (B, H) and features (B, F)."""
    hidden = Linear(network.belief_hidden_weight, network.belief_hidden_bias)
    return mlp(np.hstack((h, features)), hidden, Linear(network.belief_out_weight, network.belief_out_bias))


@kernel
def path_head_input(network, features, h, nominal_features, belief_outputs):
    """The input of the path head: also nominal features (B, NOMINAL_FEATURES), and belief means and log-scales."""
    nominal = standardise(nominal_features, network.nominal_mean, network.nominal_scale_inverse)
    return np.hstack((h, features, nominal, belief_outputs))


@kernel
def path_head(network, features, h, nominal_features, belief_outputs):
    """The outputs of the path head; arguments as in `path_head_input`."""
    inputs = path_head_input(network, features, h, nominal_features, belief_outputs)
    hidden = Linear(network.path_hidden_weight, network.path_hidden_bias)
    return mlp(inputs, hidden, Linear(network.path_out_weight, network.path_out_bias))
