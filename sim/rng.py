"""A random stream for every ball, from (purpose, seed, its number) alone: xoshiro256++ (Blackman and Vigna 2019).

The first state is one-to-one in the three, so no two balls share a stream; a few idle draws then mix it.
"""

import math

import numpy as np

from ballcast.sim.jit import strict

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
    for _ in range(12):
        _next(stream)


@strict
def _rotate(x, k):
    return (x << uint64(k)) | (x >> uint64(64 - k))


@strict
def _next(stream):
    result = _rotate(stream[0] + stream[3], 23) + stream[0]
    t = stream[1] << uint64(17)
    stream[2] ^= stream[0]
    stream[3] ^= stream[1]
    stream[1] ^= stream[2]
    stream[0] ^= stream[3]
    stream[2] ^= t
    stream[3] = _rotate(stream[3], 45)
    return result


@strict
def uniform(stream):
    """A number in [0, 1)."""
    return float(_next(stream) >> uint64(11)) * (1.0 / 9007199254740992.0)


@strict
def normal(stream):
    """A standard normal number, by Marsaglia's polar method; its twin is thrown away: a stream has no memory."""
    while True:
        x, y = 2.0 * uniform(stream) - 1.0, 2.0 * uniform(stream) - 1.0
        r = x * x + y * y
        if 0.0 < r < 1.0:
            return x * math.sqrt(-2.0 * math.log(r) / r)
