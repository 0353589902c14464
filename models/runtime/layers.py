"""The layers of networks at run time, compiled, in float32."""

from typing import NamedTuple

import numpy as np

from ballcast.sim.jit import inlined, kernel

float32 = np.float32


class Linear(NamedTuple):
    """An affine layer x W + b, or a stack of L such layers with L as the first dimension."""

    weight: np.ndarray  # (F, N)
    bias: np.ndarray  # (N,)


def pack_linear(tensors: dict[str, np.ndarray], weight: str) -> Linear:
    """The layer with this name of its torch weight, (N, F). If there is no such tensor, the layer is empty."""
    if weight not in tensors:
        return Linear(np.zeros((0, 0), float32), np.zeros(0, float32))
    bias = tensors[weight.replace("weight", "bias")]
    return Linear(np.ascontiguousarray(tensors[weight].T, float32), np.ascontiguousarray(bias, float32))


@inlined
def tanh(x):
    """tanh by Eigen's quotient of polynomials, within 2e-7. It vectorises."""
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
    """inputs (B, F) weight (F, N) + bias (N,)."""
    if len(inputs) == 1:  # a vector times a matrix: nothing has to be packed into blocks
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


@kernel
def mlp(inputs, hidden, out):
    """Two Linear layers with SiLU between them, of inputs (B, F)."""
    return linear(silu(linear(inputs, hidden.weight, hidden.bias)), out.weight, out.bias)
