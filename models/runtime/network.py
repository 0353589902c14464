"""A trained network at run time: one step of the memory, and the two heads, compiled, for one ball or for many at once.

    brain = brain_of(shape, tensors)                  # of a file of weights
    remember(brain, features, times, h, state, rows)  # the memory moves on, in place
    told = believe(brain, features, h)                # what models/nets/network.py tells, held equal to it by tests

h (B, H) is what the heads read. What else is remembered, c of an lstm, the stack's memory (stack.py), is in `state`.

float32 all through.
"""

from collections import namedtuple

import numpy as np
from ballcast.models.runtime.blocks import remembered, stack_of, through
from ballcast.models.runtime.layers import F, linear, sigmoid, silu, tanh
from ballcast.sim.jit import kernel

CELLS = ("gru", "lstm", "rnn", "mlp", "mingru", "transformer")
HELD = F(20.0)  # standard deviations, beyond which a feature is held
CELL = ("trunk.weight_ih_l0", "trunk.bias_ih_l0", "trunk.weight_hh_l0", "trunk.bias_hh_l0")
TRUNKS = {  # the names of Wx, bx, Wh, bh, where it is not a cell
    "mlp": ("trunk.layers.0.weight", "trunk.layers.0.bias", "trunk.layers.2.weight", "trunk.layers.2.bias"),
    "mingru": ("trunk.read.weight", "trunk.read.bias", "", "bias"),
    "transformer": ("trunk.read.weight", "trunk.read.bias", "", "bias"),
}
# cell: index in CELLS. Of the trunk Wx (F, G H), bx, Wh (H, G H), bh (of `mlp` two layers, of a stack what it reads);
# of each head two layers; what the features are measured in; a Stack
Brain = namedtuple("Brain", "cell mean inverse base_mean base_inverse Wx bx Wh bh B1 b1 B2 b2 P1 p1 P2 p2 stack")


def brain_of(shape, tensors):
    """The Brain of a network's tensors, by their names in models/nets/network.py; shape: its Shape, a dict."""
    trunk = TRUNKS.get(shape["model"], CELL)
    heads = [f"{head}.{layer}.{part}" for head in ("belief", "path") for layer in (0, 2) for part in ("weight", "bias")]
    empty = np.zeros((0, 0), F), np.zeros(0, F)
    parts = [tensors.get(name, empty[name.endswith("bias")]) for name in (*trunk, *heads)]
    parts = [np.ascontiguousarray(a.T, F) for a in parts]
    measures = (a for name in ("read", "base") for a in (tensors[f"{name}_mean"], F(1.0) / tensors[f"{name}_scale"]))
    return Brain(CELLS.index(shape["model"]), *measures, *parts, stack_of(shape, tensors))


def size_of(brain):
    """How many numbers of `state` a ball needs."""
    return len(brain.Wh) if brain.cell == CELLS.index("lstm") else remembered(brain.stack)


@kernel
def measured(raw, mean, inverse):
    """Numbers (B, F) in the network's own measure, float32."""
    out = np.empty(raw.shape, np.float32)
    for k in range(len(raw)):
        for i in range(raw.shape[1]):
            a = (F(raw[k, i]) - mean[i]) * inverse[i]
            out[k, i] = min(max(a, -HELD), HELD)
    return out


@kernel
def remember(brain, x, times, h, state, rows):
    """Move memories on by a frame of features x (n, F) at times (n,) s, in place: h (n, H), and state[rows] (n, M)."""
    a = linear(x, brain.Wx, brain.bx)
    if brain.cell >= 4:
        through(brain.stack, a, times, h, state, rows)
        return
    if brain.cell == 3:
        h[:] = silu(linear(silu(a), brain.Wh, brain.bh))
        return
    b, H = linear(h, brain.Wh, brain.bh), h.shape[1]
    if brain.cell == 0:
        gated(a, b, h)
        return
    for k in range(len(h)):
        if brain.cell == 1:
            c = state[rows[k]]
            for i in range(H):
                take, forget = sigmoid(a[k, i] + b[k, i]), sigmoid(a[k, H + i] + b[k, H + i])
                g, tell = tanh(a[k, 2 * H + i] + b[k, 2 * H + i]), sigmoid(a[k, 3 * H + i] + b[k, 3 * H + i])
                c[i] = forget * c[i] + take * g
                h[k, i] = tell * tanh(c[i])
        else:
            for i in range(H):
                h[k, i] = tanh(a[k, i] + b[k, i])


@kernel
def gated(a, b, h):
    """Move a GRU's memories h (n, H) on, in place, by what it reads, a (n, 3 H), and what it remembers, b (n, 3 H)."""
    H = h.shape[1]
    for k in range(len(h)):
        for i in range(H):
            r, z = sigmoid(a[k, i] + b[k, i]), sigmoid(a[k, H + i] + b[k, H + i])
            n = tanh(a[k, 2 * H + i] + r * b[k, 2 * H + i])
            h[k, i] = n + z * (h[k, i] - n)


@kernel
def believe(brain, x, h):
    """What the belief's head tells of memories h (B, H) and features x (B, F)."""
    return linear(silu(linear(np.hstack((h, x)), brain.B1, brain.b1)), brain.B2, brain.b2)


@kernel
def reading(brain, x, h, base, told):
    """What the path's head reads; base (B, SEEN): the baselines; told (B, ...): the belief's first columns, or none."""
    return np.hstack((h, x, measured(base, brain.base_mean, brain.base_inverse), told))


@kernel
def foresee(brain, x, h, base, told):
    """What the path's head tells; base and told as in `reading`."""
    return linear(silu(linear(reading(brain, x, h, base, told), brain.P1, brain.p1)), brain.P2, brain.p2)
