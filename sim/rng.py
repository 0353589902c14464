"""A random stream for every ball, from (purpose, seed, its number) alone: xoshiro256++ (Blackman and Vigna 2019).

The first state is one-to-one in the three, so no two balls share a stream; a few idle draws then mix it.
"""

import math

import numpy as np

from ballcast.sim.jit import inlined, strict
from ballcast.sim.kernels.logarithm import log_fraction
from ballcast.sim.kernels.strict_code import strict_kernel

PURPOSES = ("train", "validation", "test", "play", "data")
uint64 = np.uint64


@strict
def _mix(x):
    """splitmix64's finaliser: one-to-one on 64 bits."""
    x = (x ^ (x >> uint64(30))) * uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> uint64(27))) * uint64(0x94D049BB133111EB)
    return x ^ (x >> uint64(31))


@strict
def seed_stream(stream, purpose, seed, number):
    """Set `stream` (4,) uint64 to the first state of a ball."""
    stream[0] = _mix(uint64(number) + uint64(0x9E3779B97F4A7C15))
    stream[1] = _mix(uint64(seed) + uint64(0x3C6EF372FE94F82B))
    stream[2] = _mix(uint64(purpose) + uint64(0xDAA66D2C7DDF743F))
    stream[3] = uint64(0x78DDE6E5FD29F05F)
    state = load_state(stream)
    for _ in range(12):
        state, _ = next_state(state)
    store_state(stream, state)


@strict
def load_state(stream):
    """The state of a stream, four numbers: in a loop they stay in registers, as an array does not."""
    return stream[0], stream[1], stream[2], stream[3]


@strict
def store_state(stream, state):
    """Set `stream` (4,) to a state."""
    stream[0], stream[1], stream[2], stream[3] = state


@inlined
def _rotate(x, k):
    return (x << uint64(k)) | (x >> uint64(64 - k))


@inlined
def next_state(state):
    """The next state, and 64 random bits."""
    a, b, c, d = state
    bits, e = _rotate(a + d, 23) + a, b << uint64(17)
    c ^= a
    d ^= b
    b ^= c
    a ^= d
    return (a, b, c ^ e, _rotate(d, 45)), bits


@strict
def next_uniform(state):
    """The next state, and a number in [0, 1)."""
    state, bits = next_state(state)
    return state, float(bits >> uint64(11)) * (1.0 / 9007199254740992.0)


@strict
def next_normal(state):
    """The next state, and a standard normal number, by Marsaglia's polar method; its twin is thrown away."""
    while True:
        state, u = next_uniform(state)
        state, v = next_uniform(state)
        x, y = 2.0 * u - 1.0, 2.0 * v - 1.0
        rr = x * x + y * y
        if 0.0 < rr < 1.0:
            return state, x * math.sqrt(-2.0 * math.log(rr) / rr)


@strict
def uniform(stream):
    """A number in [0, 1)."""
    state, u = next_uniform(load_state(stream))
    store_state(stream, state)
    return u


@strict
def normal(stream):
    """A standard normal number."""
    state, x = next_normal(load_state(stream))
    store_state(stream, state)
    return x


@strict_kernel
def make_normal(x, rr, count):
    """Make of the first points in the unit circle, by x and squared radius, the numbers of `next_normal`, in x."""
    for n in range(count):
        x[n] *= math.sqrt(-2.0 * log_fraction(rr[n]) / rr[n])
