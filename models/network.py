"""A trained network at run time: one step of the memory, and the two heads, compiled, for one ball or for many at once.

    brain = brain_of(tensors)                     # of a file of weights
    remember(brain, features, h, c)               # (B, F), (B, H), (B, H): the memory moves on, in place
    told = believe(brain, features, h)            # what models/nets/network.py tells, held equal to it by tests

float32 all through.
"""

from collections import namedtuple

import numpy as np

from sim.compiled import kernel, piece

CELLS = ("gru", "lstm", "rnn", "mlp")
GATES = {"gru": 3, "lstm": 4, "rnn": 1}
F = np.float32
HELD = F(20.0)  # standard deviations, beyond which a feature is held
# cell: index in CELLS. Of the trunk Wx (F, G H), bx, Wh (H, G H), bh (of `mlp` two layers); of each head two layers;
# what the features are measured in
Brain = namedtuple("Brain", "cell mean inverse base_mean base_inverse Wx bx Wh bh B1 b1 B2 b2 P1 p1 P2 p2")


def brain_of(model, tensors):
    """The Brain of a model's tensors, by their names in models/nets/network.py."""
    trunk = ("trunk.layers.0.weight", "trunk.layers.0.bias", "trunk.layers.2.weight", "trunk.layers.2.bias")
    if model != "mlp":
        trunk = ("trunk.weight_ih_l0", "trunk.bias_ih_l0", "trunk.weight_hh_l0", "trunk.bias_hh_l0")
    heads = [f"{head}.{layer}.{part}" for head in ("belief", "path") for layer in (0, 2) for part in ("weight", "bias")]
    empty = np.zeros((0, 0), F), np.zeros(0, F)
    parts = [tensors.get(name, empty[name.endswith("bias")]) for name in (*trunk, *heads)]
    parts = [np.ascontiguousarray(a.T, F) for a in parts]
    measures = (a for name in ("read", "base") for a in (tensors[f"{name}_mean"], F(1.0) / tensors[f"{name}_scale"]))
    return Brain(CELLS.index(model), *measures, *parts)


@piece
def tanh(x):
    """tanh by Eigen's quotient of polynomials, within 2e-7: it vectorises."""
    x = min(max(x, F(-7.9053111)), F(7.9053111))
    q = x * x
    p = q * (q * F(-2.76076847742355e-16) + F(2.00018790482477e-13)) + F(-8.60467152213735e-11)
    p = q * (q * (q * p + F(5.12229709037114e-08)) + F(1.48572235717979e-05)) + F(6.37261928875436e-04)
    p = x * (q * p + F(4.89352455891786e-03))
    d = q * (q * (q * F(1.19825839466702e-06) + F(1.18534705686654e-04)) + F(2.26843463243900e-03))
    return p / (d + F(4.89352518554385e-03))


@piece
def sigmoid(x):
    return F(0.5) + F(0.5) * tanh(F(0.5) * x)


@kernel
def linear(x, W, b):
    """x W + b for x (B, F), W (F, N), b (N,)."""
    if len(x) == 1:  # a matrix times a vector: no blocks to be packed
        out = np.empty((1, W.shape[1]), np.float32)
        out[0] = np.dot(x[0], W)
    else:
        out = np.dot(x, W)
    for k in range(len(out)):
        for i in range(len(b)):
            out[k, i] += b[i]
    return out


@kernel
def silu(x):
    """x sigmoid(x), in place."""
    flat = x.reshape(-1)
    for i in range(len(flat)):
        flat[i] *= sigmoid(flat[i])
    return x


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
def remember(brain, x, h, c):
    """Move the memories h, c (B, H) on by a frame of features x (B, F), in place."""
    a = linear(x, brain.Wx, brain.bx)
    if brain.cell == 3:
        h[:] = silu(linear(silu(a), brain.Wh, brain.bh))
        return
    b, H = linear(h, brain.Wh, brain.bh), h.shape[1]
    for k in range(len(h)):
        if brain.cell == 0:
            for i in range(H):
                r, z = sigmoid(a[k, i] + b[k, i]), sigmoid(a[k, H + i] + b[k, H + i])
                n = tanh(a[k, 2 * H + i] + r * b[k, 2 * H + i])
                h[k, i] = n + z * (h[k, i] - n)
        elif brain.cell == 1:
            for i in range(H):
                take, forget = sigmoid(a[k, i] + b[k, i]), sigmoid(a[k, H + i] + b[k, H + i])
                g, tell = tanh(a[k, 2 * H + i] + b[k, 2 * H + i]), sigmoid(a[k, 3 * H + i] + b[k, 3 * H + i])
                c[k, i] = forget * c[k, i] + take * g
                h[k, i] = tell * tanh(c[k, i])
        else:
            for i in range(H):
                h[k, i] = tanh(a[k, i] + b[k, i])


@kernel
def believe(brain, x, h):
    """What the belief's head tells of memories h (B, H) and features x (B, F)."""
    return linear(silu(linear(np.hstack((h, x)), brain.B1, brain.b1)), brain.B2, brain.b2)


@kernel
def foresee(brain, x, h, base, told):
    """What the path's head tells; base (B, SEEN): the baselines; told (B, ...): the belief's first columns, or none."""
    read = np.hstack((h, x, measured(base, brain.base_mean, brain.base_inverse), told))
    return linear(silu(linear(read, brain.P1, brain.p1)), brain.P2, brain.p2)
