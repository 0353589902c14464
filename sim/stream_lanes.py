"""The random streams of LANES balls side by side: a block of numbers of each at a time, and normal numbers out of it.

A block is drawn before it is known how many of its numbers are used: which pairs of neighbours lie in the unit circle,
as Marsaglia's polar method asks for, is worked out for all of them in vectors. Then each ball takes its own numbers one
after the other, and finds the next pair by counting zeros. The next block begins with the first number that it left.
The numbers are those of rng.py, to the bit.
"""

from typing import NamedTuple

import numpy as np

from ballcast.sim.jit import strict
from ballcast.sim.kernels.strict_code import inlined_strict, strict_kernel
from ballcast.sim.kernels.word_lanes import (
    LANES,
    load_words,
    mark_inside,
    store_words,
    to_centred,
    trailing_zeros,
    zero_rows,
    zero_words,
)
from ballcast.sim.rng import next_state, store_state

WORD = 64  # bits
BLOCK_WORDS = 6
BLOCK = WORD * BLOCK_WORDS  # numbers of each ball
SPARE = 8  # rows of numbers behind the block that may be looked at and must not count
ONE, EVEN = np.uint64(1), np.uint64(0x5555555555555555)


class StreamLanes(NamedTuple):
    """A block of numbers of LANES streams."""

    state: np.ndarray  # (4, LANES) where the block begins
    states: np.ndarray  # (4 (BLOCK_WORDS + 1), LANES) after every WORD numbers
    numbers: np.ndarray  # (BLOCK + SPARE, LANES) in [-1, 1)
    # (BLOCK_WORDS + 2, LANES): bit k + 1 of them all says whether numbers k and k + 1 lie in the unit circle
    inside: np.ndarray
    position: np.ndarray  # (LANES,) of the first number that is left


def new_stream_lanes() -> StreamLanes:
    """StreamLanes of no balls."""
    state, states, inside = (zero_rows(n, np.uint64) for n in (4, 4 * (BLOCK_WORDS + 1), BLOCK_WORDS + 2))
    return StreamLanes(state, states, zero_rows(BLOCK + SPARE, np.float64), inside, np.zeros(LANES, np.int64))


@strict
def set_lane(lanes, i, stream):
    """Have lane i begin where a stream (4,) stands."""
    for k in range(4):
        lanes.states[k, i] = stream[k]
    lanes.position[i] = 0


@strict
def store_lane(lanes, i, stream):
    """Set a stream (4,) to where lane i has come."""
    row, states = 4 * (lanes.position[i] // WORD), lanes.states
    state = states[row, i], states[row + 1, i], states[row + 2, i], states[row + 3, i]
    for _ in range(lanes.position[i] % WORD):
        state, _ = next_state(state)
    store_state(stream, state)


@strict_kernel
def draw_block(lanes):
    """Draw the next block, from the number on that each lane left: at most WORD - 1 of it are drawn again."""
    for i in range(LANES):
        for k in range(4):
            lanes.state[k, i] = lanes.states[4 * (lanes.position[i] // WORD) + k, i]
        lanes.position[i] %= WORD
    rows, states, numbers = lanes.state, lanes.states, lanes.numbers
    state = load_words(rows, 0), load_words(rows, 1), load_words(rows, 2), load_words(rows, 3)
    _store_state(states, 0, state)
    before = zero_words()
    for word in range(BLOCK_WORDS):
        inside, bit = zero_words(), ONE
        for k in range(WORD):
            state, bits = next_state(state)
            number = to_centred(bits)
            store_words(numbers, WORD * word + k, number)
            inside |= mark_inside(before, number, bit)
            before, bit = number, bit << ONE
        store_words(lanes.inside, word, inside)
        _store_state(states, word + 1, state)


@strict
def _store_state(states, k, state):
    store_words(states, 4 * k, state[0])
    store_words(states, 4 * k + 1, state[1])
    store_words(states, 4 * k + 2, state[2])
    store_words(states, 4 * k + 3, state[3])


@inlined_strict
def number_at(lanes, i, position):
    """The number in [0, 1) at a position of lane i."""
    return 0.5 * (lanes.numbers[position, i] + 1.0)


@inlined_strict
def take_points(lanes, i, position, x, rr, begin, end):
    """Fill x and rr [begin:end], for `make_normal`, from the numbers of lane i at `position` on.

    The first that is not filled, because the block has come to its end, or `end`; and the position after the last.
    """
    n, lane, p, inside = np.uint64(begin), np.uint64(i), np.uint64(position), lanes.inside  # unsigned: not from the end
    last, numbers = p, lanes.numbers
    while n < end and p < np.uint64(BLOCK):
        bit = p + ONE
        word, shift = bit // np.uint64(WORD), bit % np.uint64(WORD)
        found = inside[word, lane] >> shift | inside[word + ONE, lane] << ONE << np.uint64(WORD - 1) - shift
        found &= EVEN  # pairs that begin an even number of numbers on
        while found != 0 and n < end:
            at = p + trailing_zeros(found)
            x[n], y = numbers[at, lane], numbers[at + ONE, lane]
            rr[n] = x[n] * x[n] + y * y
            found &= found - ONE
            n, last = n + ONE, at + np.uint64(2)
        p += np.uint64(WORD)
    return np.int64(n), np.int64(last)
