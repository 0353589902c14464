"""Motion as words: a path becomes a sentence, a sentence a path. Compiled.

From knot to knot the simulator flies a ball on from where the words before have led. A word says how the ball was
displaced beside that flight: it stands for one of V displacements (V, 3), learnt from many flights
(models/nets/vocabulary.py), in the standard deviations of the running filter. Where a ball goes as it was believed to,
words are short; where it clips a net that it was to pass, they are long, and the flight goes on from there.

    state = outset(spot)                               # of a path, (STATE,)
    end, met = onward(sport, spot, state, times, path, contacts)      # what physics expect at the next knot
    note(state, end, met, unit, k, numbers)            # what is true of it, for a network
    lead(state, end, met, displacement, unit)          # the word: the state at the next knot

    spell(sport, spots, units, futures, vocabulary, said, numbers, displaced)    # the words of flights that are known
"""

import math

import numpy as np

from ballcast.models.encoding.nominal import HORIZON_STEP, HORIZONS
from ballcast.models.estimation.fit import HEIGHT, to_launch
from ballcast.models.runtime.layers import float32
from ballcast.sim.jit import kernel
from ballcast.sim.kernels.flight import fly_ball
from ballcast.sim.kernels.layout import CONTACT_DTYPE

PATH_STATE_SIZE = 10  # place, velocity, spin, and how many words ago the path was last in doubt
# numbers that go with a word: place, velocity, how much both will change until the next knot (3, 3, 3, 3), whether the
# ball meets something until then, logarithms of the unit (3,), one over the words since the last doubt, the knot
CONTEXT_FEATURES = 18
SPEED_SCALE, LOG_SD_OFFSET, FEATURE_LIMIT = (
    5.0,
    -5.0,
    12.0,
)  # m/s; of logarithms of units in m; at which numbers are held
SURPRISE_LENGTH = 4.0  # units, beyond which a word is a surprise
MAX_AVERAGING = 6  # words, after which doubt grows no less
MAX_CONTACTS = 4  # of a stretch between knots, among which a landing is looked for


@kernel
def initial_state(nominal_start):
    """The state (STATE,) of a path that begins at a spot (16,)."""
    state = np.empty(PATH_STATE_SIZE)
    state[:9], state[9] = nominal_start[:9], 1.0
    return state


@kernel
def propagate(sport, nominal_start, state, times, trajectory, contacts):
    """Fly a path on to times[-1] s: (its place, velocity and spin there (9,), how many surfaces it met).

    Its motion at times (T,) s goes into trajectory (T, 6), the first contacts into contacts (n,), as fly_ball has them.
    """
    launch, expected_state = to_launch(nominal_start), np.empty(9)
    launch[:9] = state[:9]
    flight = fly_ball(sport, launch, times, np.empty(0), trajectory, np.empty((0, 3, 0)), contacts)
    for i in range(3):
        expected_state[i], expected_state[3 + i] = flight.position[i], flight.velocity[i]
        expected_state[6 + i] = flight.spin[i]
    return expected_state, flight.contact_count


@kernel
def advance(state, expected_state, has_contact, displacement, position_sd):
    """Move a state on to the next knot, in place, where a word displaces it by displacement (3,) units (3,) m.

    Words are a grid, so each is off by a little: it is believed as a measurement would be, the less the more words
    were said since the path was in doubt (the gains of a least-squares line). A surprise is believed in full.
    """
    length2 = 0.0
    for i in range(3):
        length2 += displacement[i] * displacement[i]
    n = 2.0 if length2 > SURPRISE_LENGTH * SURPRISE_LENGTH else min(state[9] + 1.0, MAX_AVERAGING)
    alpha, beta = 2.0 * (2.0 * n - 1.0) / (n * (n + 1.0)), 6.0 / (n * (n + 1.0))
    state[:9], state[9] = expected_state, 2.0 if has_contact else n
    for i in range(3):
        state[i] += alpha * position_sd[i] * displacement[i]
        state[3 + i] += beta * position_sd[i] * displacement[i] / HORIZON_STEP


@kernel
def context_features(state, expected_state, has_contact, position_sd, k, out):
    """The NUMBERS that go with word k, into out."""
    for i in range(3):
        out[i], out[3 + i] = float32(state[i]), float32(state[3 + i] / SPEED_SCALE)
        out[6 + i] = float32((expected_state[i] - state[i]) / (SPEED_SCALE * HORIZON_STEP))
        out[9 + i] = float32((expected_state[3 + i] - state[3 + i]) / SPEED_SCALE)
        out[13 + i] = float32(0.5 * (math.log(position_sd[i]) - LOG_SD_OFFSET))
    out[12], out[16], out[17] = float32(has_contact), float32(1.0 / state[9]), float32(k / HORIZONS)
    for i in range(CONTEXT_FEATURES):
        out[i] = min(max(out[i], float32(-FEATURE_LIMIT)), float32(FEATURE_LIMIT))


@kernel
def quantise(displacement, vocabulary):
    """The word that stands for the displacement nearest to that (3,)."""
    token, smallest = 0, np.inf
    for k in range(len(vocabulary)):
        distance2 = 0.0
        for i in range(3):
            distance2 += (displacement[i] - vocabulary[k, i]) ** 2
        if distance2 < smallest:
            token, smallest = k, distance2
    return token


@kernel
def tokenize(sport, nominal_starts, position_sds, futures, vocabulary, tokens, context, displaced):
    """Words said (M, KNOTS) of flights through futures (M, KNOTS, 3) m that begin at spots (M, 16).

    units (M, 3) m; numbers (M, KNOTS, NUMBERS) and how the ball was displaced (M, KNOTS, 3) are told too. Each word
    goes from where the words before have led, so errors do not add up. Of an empty vocabulary every displacement is a
    word of its own.
    """
    times, trajectory, contacts = np.array([HORIZON_STEP]), np.empty((1, 6)), np.empty(0, CONTACT_DTYPE)
    for n in range(len(nominal_starts)):
        state = initial_state(nominal_starts[n])
        for k in range(HORIZONS):
            expected_state, met = propagate(sport, nominal_starts[n], state, times, trajectory, contacts)
            has_contact = met > 0
            context_features(state, expected_state, has_contact, position_sds[n], k, context[n, k])
            displacement = displaced[n, k]
            for i in range(3):
                height = nominal_starts[n, HEIGHT] if i == 2 else 0.0
                displacement[i] = (futures[n, k, i] - height - expected_state[i]) / position_sds[n, i]
            if len(vocabulary):
                tokens[n, k] = quantise(displacement, vocabulary)
                displacement = vocabulary[tokens[n, k]]
            advance(state, expected_state, has_contact, displacement, position_sds[n])
