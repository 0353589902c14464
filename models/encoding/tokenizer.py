"""Motion as tokens: a path becomes a sequence of tokens, a sequence a path. Compiled.

From horizon to horizon the simulator propagates a ball from where the previous tokens have led. A token says how the
ball deviates from that: it stands for one of V displacements (V, 3), learnt from many flights (vocabulary.py), in
standard deviations of the running filter. Displacements are short while a ball goes as expected. They are long when it
clips a net that it was expected to pass; the flight then continues from there.

    state = initial_state(nominal_start)                                        # of a path, (10,)
    expected_state, contact_count = propagate(sport, nominal_start, state, times, trajectory, contacts)
    context_features(state, expected_state, has_contact, position_sd, k, out)   # what a network reads with token k
    advance(state, expected_state, has_contact, displacement, position_sd)      # the state at the next horizon
"""

import math

import numpy as np

from ballcast.models.encoding.nominal import HORIZON_STEP, HORIZONS
from ballcast.models.estimation.unknowns import HEIGHT, to_launch
from ballcast.sim.jit import kernel
from ballcast.sim.kernels.flight import fly_ball
from ballcast.sim.kernels.layout import CONTACT_DTYPE

PATH_STATE_SIZE = 10  # position, velocity, spin, and the number of tokens since the last surprise
# numbers that go with a token: position, velocity, how much both will change until the next horizon (3, 3, 3, 3),
# whether there is a contact until then, logarithms of position_sd (3,), one over the tokens since the last surprise,
# the number of the horizon
CONTEXT_FEATURES = 18
SPEED_SCALE = 5.0  # m/s
LOG_SD_OFFSET = -5.0  # of logarithms of standard deviations in m
FEATURE_LIMIT = 12.0  # features are clipped there
SURPRISE_LENGTH = 4.0  # standard deviations; a longer displacement is a surprise
MAX_AVERAGING = 6  # tokens that are averaged at most
MAX_CONTACTS = 4  # between two horizons: a landing is one of these, or none
float32 = np.float32


@kernel
def initial_state(nominal_start):
    """The state (10,) of a path that starts at unknowns (16,)."""
    state = np.empty(PATH_STATE_SIZE)
    state[:9], state[9] = nominal_start[:9], 1.0
    return state


@kernel
def propagate(sport, nominal_start, state, times, trajectory, contacts):
    """(expected position, velocity and spin (9,) at times[-1] s after the state; number of contacts until then).

    Fills trajectory (T, 6) at times (T,) s, and contacts (n,), as fly_ball does.
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
    """Move a state to the next horizon, in place, displaced by displacement (3,) times position_sd (3,) m.

    Tokens are quantised, so each is weighed as a measurement: the less, the more tokens there were since the last
    surprise (an alpha-beta filter with the gains of a least-squares line). A surprise is taken in full.
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
    """Fill out (18,), what a network reads together with token k."""
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
    """The token whose displacement is nearest to the given one (3,)."""
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
    """Fill the tokens (M, 20) of flights through futures (M, 20, 3) m that start at unknowns (M, 16).

    position_sds (M, 3) m. Also fills context (M, 20, 18) and displaced (M, 20, 3). Each token starts where the previous
    ones have led, so errors do not accumulate. With an empty vocabulary every displacement is taken exactly.
    """
    times, trajectory, contacts = np.array([HORIZON_STEP]), np.empty((1, 6)), np.empty(0, CONTACT_DTYPE)
    for n in range(len(nominal_starts)):
        state = initial_state(nominal_starts[n])
        for k in range(HORIZONS):
            expected_state, count = propagate(sport, nominal_starts[n], state, times, trajectory, contacts)
            has_contact = count > 0
            context_features(state, expected_state, has_contact, position_sds[n], k, context[n, k])
            displacement = displaced[n, k]
            for i in range(3):
                height = nominal_starts[n, HEIGHT] if i == 2 else 0.0
                displacement[i] = (futures[n, k, i] - height - expected_state[i]) / position_sds[n, i]
            if len(vocabulary):
                tokens[n, k] = quantise(displacement, vocabulary)
                displacement = vocabulary[tokens[n, k]]
            advance(state, expected_state, has_contact, displacement, position_sds[n])
