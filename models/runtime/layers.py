"""What layers are made of at run time, compiled, in float32: activations and the product with a matrix."""

import numpy as np

from ballcast.sim.jit import inlined, kernel

float32 = np.float32


@inlined
def tanh(x):
    """tanh by Eigen's quotient of polynomials, within 2e-7: it vectorises."""
    x = min(max(x, float32(-7.9053111)), float32(7.9053111))
    q = x * x
    p = q * (q * float32(-2.76076847742355e-16) + float32(2.00018790482477e-13)) + float32(-8.60467152213735e-11)
    p = q * (q * (q * p + float32(5.12229709037114e-08)) + float32(1.48572235717979e-05)) + float32(
        6.37261928875436e-04
    )
    p = x * (q * p + float32(4.89352455891786e-03))
    d = q * (q * (q * float32(1.19825839466702e-06) + float32(1.18534705686654e-04)) + float32(2.26843463243900e-03))
    return p / (d + float32(4.89352518554385e-03))


@inlined
def sigmoid(x):
    return float32(0.5) + float32(0.5) * tanh(float32(0.5) * x)


@kernel
def linear(inputs, weight, bias):
    """x W + b for x (B, F), W (F, N), b (N,)."""
    if len(inputs) == 1:  # a matrix times a vector: no blocks to be packed
        out = np.empty((1, weight.shape[1]), np.float32)
        out[0] = np.dot(inputs[0], weight)
    else:
        out = np.dot(inputs, weight)
    for k in range(len(out)):
        for i in range(len(bias)):
            out[k, i] += bias[i]
    return out


@kernel
def silu(inputs):
    """x sigmoid(x), in place."""
    flat = inputs.reshape(-1)
    for i in range(len(flat)):
        flat[i] *= sigmoid(flat[i])
    return inputs
