"""Motion as words: a path becomes a sentence, a sentence a path. Compiled.

From knot to knot the simulator flies a ball on from where the words before have led. A word says how the ball was
displaced beside that flight: it stands for one of V displacements (V, 3), learnt from many flights
(models/nets/vocabulary.py), in the standard deviations of the running filter. Where a ball goes as it was believed to,
words are short; where it clips a net that it was to pass, they are long, and the flight goes on from there.

    state = outset(spot)                               # of a path, (STATE,)
    end, met = onward(place, spot, state, times, path, contacts)      # what physics expect at the next knot
    note(state, end, met, unit, k, numbers)            # what is true of it, for a network
    lead(state, end, met, displacement, unit)          # the word: the state at the next knot

    spell(place, spots, units, futures, vocabulary, said, numbers, displaced)    # the words of flights that are known
"""

import math

import numpy as np
from ballcast.models.encoding.nominal import KNOTS, STEP
from ballcast.models.estimation.fit import HEIGHT, launch_of
from ballcast.models.runtime.layers import F
from ballcast.sim.jit import kernel
from ballcast.sim.kernels.flight import MET, fly

STATE = 10  # place, velocity, spin, and how many words ago the path was last in doubt
# numbers that go with a word: place, velocity, how much both will change until the next knot (3, 3, 3, 3), whether the
# ball meets something until then, logarithms of the unit (3,), one over the words since the last doubt, the knot
NUMBERS = 18
FAST, USUAL, MOST = 5.0, -5.0, 12.0  # m/s; of logarithms of units in m; at which numbers are held
LONG = 4.0  # units, beyond which a word is a surprise
SETTLED = 6  # words, after which doubt grows no less
CONTACTS = 4  # of a stretch between knots, among which a landing is looked for


@kernel
def outset(spot):
    """The state (STATE,) of a path that begins at a spot (16,)."""
    state = np.empty(STATE)
    state[:9], state[9] = spot[:9], 1.0
    return state


@kernel
def onward(place, spot, state, times, path, contacts):
    """Fly a path on to times[-1] s: (its place, velocity and spin there (9,), whether it met something).

    Its motion at times (T,) s goes into path (T, 6), contacts into contacts (n, MET), as sensitivity.fly has them.
    """
    launch, end = launch_of(spot), np.empty(9)
    launch[:9] = state[:9]
    p, v, w, first, _ = fly(place, launch, times, np.empty(0), path, np.empty((0, 3, 0)), contacts)
    for i in range(3):
        end[i], end[3 + i], end[6 + i] = p[i], v[i], w[i]
    return end, first < math.inf


@kernel
def lead(state, end, met, displacement, unit):
    """Move a state on to the next knot, in place, where a word displaces it by displacement (3,) units (3,) m.

    Words are a grid, so each is off by a little: it is believed as a measurement would be, the less the more words
    were said since the path was in doubt (the gains of a least-squares line). A surprise is believed in full.
    """
    square = 0.0
    for i in range(3):
        square += displacement[i] * displacement[i]
    n = 2.0 if square > LONG * LONG else min(state[9] + 1.0, SETTLED)
    alpha, beta = 2.0 * (2.0 * n - 1.0) / (n * (n + 1.0)), 6.0 / (n * (n + 1.0))
    state[:9], state[9] = end, 2.0 if met else n
    for i in range(3):
        state[i] += alpha * unit[i] * displacement[i]
        state[3 + i] += beta * unit[i] * displacement[i] / STEP


@kernel
def note(state, end, met, unit, k, out):
    """The NUMBERS that go with word k, into out."""
    for i in range(3):
        out[i], out[3 + i] = F(state[i]), F(state[3 + i] / FAST)
        out[6 + i] = F((end[i] - state[i]) / (FAST * STEP))
        out[9 + i] = F((end[3 + i] - state[3 + i]) / FAST)
        out[13 + i] = F(0.5 * (math.log(unit[i]) - USUAL))
    out[12], out[16], out[17] = F(met), F(1.0 / state[9]), F(k / KNOTS)
    for i in range(NUMBERS):
        out[i] = min(max(out[i], F(-MOST)), F(MOST))


@kernel
def nearest(displacement, vocabulary):
    """The word that stands for the displacement nearest to that (3,)."""
    found, least = 0, np.inf
    for w in range(len(vocabulary)):
        square = 0.0
        for i in range(3):
            square += (displacement[i] - vocabulary[w, i]) ** 2
        if square < least:
            found, least = w, square
    return found


@kernel
def spell(place, spots, units, futures, vocabulary, said, numbers, displaced):
    """Words said (M, KNOTS) of flights through futures (M, KNOTS, 3) m that begin at spots (M, 16).

    units (M, 3) m; numbers (M, KNOTS, NUMBERS) and how the ball was displaced (M, KNOTS, 3) are told too. Each word
    goes from where the words before have led, so errors do not add up. Of an empty vocabulary every displacement is a
    word of its own.
    """
    times, path, contacts = np.array([STEP]), np.empty((1, 6)), np.empty((0, MET))
    for m in range(len(spots)):
        state = outset(spots[m])
        for k in range(KNOTS):
            end, met = onward(place, spots[m], state, times, path, contacts)
            note(state, end, met, units[m], k, numbers[m, k])
            one = displaced[m, k]
            for i in range(3):
                height = spots[m, HEIGHT] if i == 2 else 0.0
                one[i] = (futures[m, k, i] - height - end[i]) / units[m, i]
            if len(vocabulary):
                said[m, k] = nearest(one, vocabulary)
                one = vocabulary[said[m, k]]
            lead(state, end, met, one, units[m])
