"""What layers are made of at run time, compiled, in float32: activations and the product with a matrix."""

import numpy as np
from ballcast.sim.jit import kernel, piece

F = np.float32


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
