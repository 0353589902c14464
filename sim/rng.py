"""A random stream for every ball, from (purpose, seed, its number) alone: xoshiro256++ (Blackman and Vigna 2019).

The first state is one-to-one in the three, so no two balls share a stream; a few idle draws then mix it.
"""

import math

import numpy as np
from ballcast.sim.jit import exact

PURPOSES = ("train", "validation", "test", "play", "data")
U = np.uint64


@exact
def _mix(x):
    """splitmix64's finaliser: one-to-one on 64 bits."""
    x = (x ^ (x >> U(30))) * U(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> U(27))) * U(0x94D049BB133111EB)
    return x ^ (x >> U(31))


@exact
def start(stream, purpose, seed, number):
    """Set `stream` (4,) uint64 to the first state of a ball."""
    stream[0] = _mix(U(number) + U(0x9E3779B97F4A7C15))
    stream[1] = _mix(U(seed) + U(0x3C6EF372FE94F82B))
    stream[2] = _mix(U(purpose) + U(0xDAA66D2C7DDF743F))
    stream[3] = U(0x78DDE6E5FD29F05F)
    for _ in range(12):
        _next(stream)


@exact
def _rotate(x, k):
    return (x << U(k)) | (x >> U(64 - k))


@exact
def _next(s):
    result = _rotate(s[0] + s[3], 23) + s[0]
    t = s[1] << U(17)
    s[2] ^= s[0]
    s[3] ^= s[1]
    s[1] ^= s[2]
    s[0] ^= s[3]
    s[2] ^= t
    s[3] = _rotate(s[3], 45)
    return result


@exact
def uniform(stream):
    """A number in [0, 1)."""
    return float(_next(stream) >> U(11)) * (1.0 / 9007199254740992.0)


@exact
def normal(stream):
    """A standard normal number, by Marsaglia's polar method; its twin is thrown away: a stream has no memory."""
    while True:
        x, y = 2.0 * uniform(stream) - 1.0, 2.0 * uniform(stream) - 1.0
        r = x * x + y * y
        if 0.0 < r < 1.0:
            return x * math.sqrt(-2.0 * math.log(r) / r)
