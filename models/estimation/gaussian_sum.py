"""The running filter: a Gaussian-sum filter on the simulator, bounded time and constant memory a frame. Compiled.

    states = new_filter_states(count)            # (B,) records, one for each ball
    observe(sport, filter_prior, states[b], t, y)
    summary(states[b])                           # what others read of a filter: estimate, innovation, noise, frames

The belief is a sum of at most COMPONENTS Gaussians with weights (Alspach and Sorenson 1972). Each is an extended Kalman
filter. Where one is too wide for the flight to be linear across it, it is split (mixture.py); those that the frames do
not support are dropped, and those that have become alike are merged (Salmond 1990). The components of a ball are the
lanes of the processor's vectors (sim/kernels/lane_numbers.py), so that a frame costs the same however many there are.
A component that comes near a surface is flown by the simulator, with the flight's own Jacobian.

The sensor's variances are adapted; outliers count less, by Student's t. After several outliers in a row the ball has
changed its path, and the filter restarts from the last frames. A frame is taken by the parts of these modules:

    filter_state   the record of one ball
    free_flight    components in the air, as lanes
    measurement    a frame corrects and weighs them
    mixture        they are split, merged, dropped
    smoothing      frames since the last contact are linearised anew
    grip           those that may grip or slip at a contact are split
    contact_side   the velocity where the ball may be before a contact or after it
    correlated_noise  how many times the noise of a frame counts
    hypotheses     how components start, in the air or on a surface
"""

import math

import numpy as np

from ballcast.models.estimation.contact_side import note_contact_side, touches_at_start
from ballcast.models.estimation.correlated_noise import note_errors, reset_errors
from ballcast.models.estimation.filter_state import store_frame
from ballcast.models.estimation.free_flight import add_process_noise, predict_mean, propagate
from ballcast.models.estimation.grip import condition, split_by_grip
from ballcast.models.estimation.hypotheses import initialise, lying_height, put_on_surface, suppose_hit
from ballcast.models.estimation.likelihood import add_expected_variances
from ballcast.models.estimation.measurement import measure_position, update
from ballcast.models.estimation.mixture import (
    COMPONENTS,
    DEAD,
    KEPT_ROWS,
    LAST_CONTACT,
    LOG_WEIGHT,
    MEAN,
    MIN_SPLIT_LOG_WEIGHT,
    NEAR,
    ON_SURFACE,
    ROW,
    ROWS,
    average,
    likeliest,
    reduce_mixture,
    refresh,
    split_widest,
    weights_of,
)
from ballcast.models.estimation.prior import FILTER_PSEUDO_FRAMES
from ballcast.models.estimation.smoothing import is_pass_due, linearise_anew, note_point
from ballcast.models.estimation.unknowns import HEIGHT, UNKNOWNS, seed_unknowns, to_launch
from ballcast.sim.jit import inlined, kernel
from ballcast.sim.kernels.flight import fly_ball
from ballcast.sim.kernels.lane_numbers import empty_rows, lane_max, lane_sum, load, store, where
from ballcast.sim.kernels.layout import CONTACT_DTYPE
from ballcast.sim.kernels.tangent import COLUMNS, TANGENT_SIZE

MIN_FRAMES_TO_ADAPT = 3  # fewer frames say nothing of the noise
OUTLIER_INFLATION = 6.0  # a frame that counts this many times less is an outlier
OUTLIERS_TO_RESTART = 4  # in a row
REFRESH_EVERY = 8  # frames
MIN_FRAMES_TO_HIT = 12  # since the start
HIT_NIS = 25.0  # normalised innovation squared of a frame that may be a hit
NIS_DECAY, MAX_NIS = 0.1, 16.0  # of the running average; a larger square counts as this
MAX_NIS_AVERAGE = 7.5  # with more, and this fraction of it to one side, the belief does not explain the frames
ONE_SIDED = 0.4
MAX_LANDING_SD = 0.2  # m/s, of the vertical velocity of a component that stops bouncing
ROLLING_NOISE = 0.5  # m/s in a second: how the ground changes the velocity
CONTACT_NOISE = 0.005  # m/s of the velocity, and of the spin at the ball's surface
CONTACT_JITTER = 1e-4  # fraction of the variances, added to them
SCRATCH_ROWS = 9 * UNKNOWNS


@kernel
def observe(sport, filter_prior, state, t, y):
    """Update the filter with a frame at t s, y (3,) m."""
    scratch, s = empty_rows(SCRATCH_ROWS), state.components[:]
    x = state.x
    before = x[3], x[4], x[5], x[6], x[7], x[8]
    if state.frames == 0:
        for k in range(len(state.noise)):
            state.noise[k] = filter_prior.noise[k]
        state.noise_sums[:] = 0.0
        initialise(sport, filter_prior, state, t, y)
        state.nis_average, state.drift[:] = 3.0, 0.0
        reset_errors(state, filter_prior.noise_factor)
    else:
        _take(sport, filter_prior, state, scratch, state.recent_frames[0, 0], t, y)
        _average_innovations(state)
        note_errors(state, filter_prior.noise_factor, filter_prior.max_noise_factor)
    state.consecutive_outliers = state.consecutive_outliers + 1 if state.inflation > OUTLIER_INFLATION else 0
    if state.consecutive_outliers >= OUTLIERS_TO_RESTART or _is_lost(state):
        _restart(sport, filter_prior, state, scratch, t, y)
        state.nis_average, state.drift[:] = 3.0, 0.0
        reset_errors(state, filter_prior.noise_factor)
    match_moments(state, s)
    note_contact_side(sport, state, before)
    if state.frames_since_start >= MIN_FRAMES_TO_ADAPT:
        _adapt_noise(filter_prior, state, s, y)
    store_frame(state, t, y)
    state.frames_since_start += 1


@inlined
def _average_innovations(state):
    """Update the running averages of the innovation and of its square; one far off counts as one of MAX_NIS."""
    square = state.mahalanobis2
    scale = math.sqrt(min(1.0, MAX_NIS / (square + 1e-9)))
    state.nis_average += NIS_DECAY * (min(square, MAX_NIS) - state.nis_average)
    for k in range(3):
        z = scale * state.innovation[k] / state.innovation_sd[k]
        state.drift[k] += NIS_DECAY * (z - state.drift[k])


@inlined
def _is_lost(state):
    """Whether the belief does not explain the last frames: they are far off, and to one side. A sensor that is only
    noisier than thought errs to all sides."""
    one_sided = state.drift[0] ** 2 + state.drift[1] ** 2 + state.drift[2] ** 2
    return state.nis_average > MAX_NIS_AVERAGE and one_sided > ONE_SIDED * state.nis_average


@kernel
def _take(sport, filter_prior, state, scratch, before, t, y):
    """Take a frame at t s, y (3,) m, after one at `before`."""
    s = state.components[:]
    is_near = _predict(sport, filter_prior, state, scratch, before, t)
    _drop_lost(filter_prior, s)
    update(measure_position, state, s, scratch, y)
    if lane_max(load(s, ON_SURFACE)) > 0.5:
        for i in range(COMPONENTS):
            if s[ON_SURFACE, i] > 0.5:
                put_on_surface(sport, state, s, i)
    if not lane_max(load(s, LOG_WEIGHT)) > DEAD:  # no component is finite
        initialise(sport, filter_prior, state, t, y)
        return
    if is_near or state.frames % REFRESH_EVERY == 0:
        refresh(s)
    reduce_mixture(s, state.anchor[:], state.frames)
    note_point(state, s, before, t, y)
    if is_pass_due(state):
        linearise_anew(sport, filter_prior, state, scratch, t)
    split_widest(s, state.anchor[:], filter_prior.split_spin_sd)
    if _may_be_hit(state):
        suppose_hit(sport, filter_prior, state, s, t, y)


@inlined
def _may_be_hit(state):
    """Whether nothing explains the last two frames of a ball that is known. A tracker errs too, seldom twice."""
    is_known = state.frames_since_start > MIN_FRAMES_TO_HIT and state.consecutive_outliers > 0
    return is_known and state.inflation > OUTLIER_INFLATION and state.mahalanobis2 > HIT_NIS


@inlined
def _drop_lost(filter_prior, s):
    """Drop components that know their velocity worse than the prior does: no flight is linear across them."""
    variance, limit = load(s, ROW[3, 3]) + load(s, ROW[4, 4]) + load(s, ROW[5, 5]), 0.0
    for k in range(3, 6):
        limit += 2.0 * filter_prior.covariance[k, k]
    store(s, LOG_WEIGHT, where(variance < limit, load(s, LOG_WEIGHT), DEAD))


@kernel
def _restart(sport, filter_prior, state, scratch, t, y):
    """Start anew: from the last frames, or from this one alone where they do not explain it."""
    recent, count = state.recent_frames, min(state.frames, OUTLIERS_TO_RESTART - 1)
    initialise(sport, filter_prior, state, recent[count - 1, 0], recent[count - 1, 1:])
    for n in range(count - 2, -1, -1):
        _take(sport, filter_prior, state, scratch, recent[n + 1, 0], recent[n, 0], recent[n, 1:])
    _take(sport, filter_prior, state, scratch, recent[0, 0], t, y)
    state.frames_since_start = count
    if state.inflation > OUTLIER_INFLATION:
        initialise(sport, filter_prior, state, t, y)


@kernel
def _predict(sport, filter_prior, state, scratch, start, t):
    """Propagate all components from `start` to t s: through the air as lanes, those near a surface by the simulator."""
    s, dt, before = state.components[:], t - start, empty_rows(UNKNOWNS)
    for k in range(UNKNOWNS):
        store(before, k, load(s, MEAN + k))
    count, is_near = predict_mean(sport, s, state.origin[:], dt)
    is_flown = np.zeros(COMPONENTS, np.bool_)
    flown = empty_rows(ROWS) if is_near else before
    if is_near:
        for i in range(COMPONENTS):
            if not is_flown[i] and s[LOG_WEIGHT, i] > DEAD and (s[NEAR, i] > 0.5 or s[ON_SURFACE, i] > 0.5):
                is_flown[i] = _fly(sport, state, before, flown, is_flown, i, start, dt)
    for k in range(UNKNOWNS):
        store(s, MEAN + k, load(before, k))
    propagate(sport, s, scratch, dt, count)
    if is_near:
        for i in range(COMPONENTS):
            if is_flown[i]:
                for k in range(LAST_CONTACT + 1):
                    if k != LOG_WEIGHT:
                        s[k, i] = flown[k, i]
    add_process_noise(s, filter_prior.process_noise, dt)
    return is_near


@kernel
def _fly(sport, state, before, flown, is_flown, i, start, dt):
    """Fly component i by dt s from its mean in `before`: its mean, covariance and last contact go into `flown`. Where
    it may grip or slip, and there is room, it is split.

    Returns False, and does nothing, where the ball would stop bouncing but its vertical speed is not known well enough.
    """
    s, contacts, tangent = state.components[:], np.empty(1, CONTACT_DTYPE), np.empty(TANGENT_SIZE)
    x, P = np.empty(UNKNOWNS), np.empty((UNKNOWNS, UNKNOWNS))
    _unpack(state, before, i, x, P)
    contacts[0]["surface"] = -1
    if not _fly_into(sport, state, flown, i, x, P, contacts, tangent, start, dt):
        return False
    is_split = contacts[0]["surface"] >= 0 and s[ON_SURFACE, i] < 0.5 and s[LOG_WEIGHT, i] > MIN_SPLIT_LOG_WEIGHT
    other = _free_lane(s) if is_split else -1
    if other >= 0:
        _unpack(state, before, i, x, P)
        is_flown[other] = _split_by_grip(sport, state, flown, i, other, x, P, contacts, tangent, start, dt)
    return True


@kernel
def _split_by_grip(sport, state, flown, i, other, x, P, contacts, tangent, start, dt):
    """Split component i, x (16,) and P (16, 16) before a contact: the part that does the other (grip or slip) goes to
    the lane `other`. Returns whether it is split."""
    s, covariance, after = state.components[:], np.empty(UNKNOWNS), np.empty(UNKNOWNS)
    share, shift, less, other_shift, other_less = split_by_grip(sport, contacts[0], to_launch(x), P, covariance)
    if share == 0.0:
        return False
    condition(x, P, covariance, other_shift, other_less)
    for k in range(UNKNOWNS):
        after[k] = tangent_times(tangent, k, covariance) if k < 9 else covariance[k]
    s[ON_SURFACE, other] = 0.0
    if not _fly_into(sport, state, flown, other, x, P, contacts, tangent, start, dt):
        return False
    for k in range(UNKNOWNS):
        flown[MEAN + k, i] += shift * after[k]
        for j in range(k + 1):
            flown[ROW[k, j], i] -= less * after[k] * after[j]
    for k in range(KEPT_ROWS):
        state.anchor[k, other] = state.anchor[k, i]
    s[LOG_WEIGHT, other] = s[LOG_WEIGHT, i] + math.log(share)
    s[LOG_WEIGHT, i] += math.log(1.0 - share)
    return True


@kernel
def _unpack(state, before, i, x, P):
    """Fill x (16,) and P (16, 16) with component i, whose mean is in `before`."""
    s, origin = state.components[:], state.origin[:]
    for k in range(UNKNOWNS):
        x[k] = before[k, i] + (origin[k] if k < 3 else 0.0)
        for j in range(k + 1):
            P[k, j] = P[j, k] = s[ROW[k, j], i]


@inlined
def _free_lane(s):
    """The number of a lane that is not in use; -1 if there is none."""
    for i in range(COMPONENTS):
        if not s[LOG_WEIGHT, i] > DEAD:
            return i
    return -1


@kernel
def _fly_into(sport, state, flown, i, x, P, contacts, tangent, start, dt):
    """Fly x (16,), P (16, 16) by dt s, into lane i of `flown`; contacts (1,) gets the first contact. See _fly."""
    s, origin, launch = state.components[:], state.origin[:], to_launch(x)
    tangent[:] = 0.0
    seed_unknowns(tangent, launch)
    times, paths = np.empty(1), (np.empty((1, 6)), np.empty((1, 3, UNKNOWNS)))
    times[0] = dt
    contact_time = 0.0 if touches_at_start(sport, x, contacts) else -1.0
    flight = fly_ball(sport, launch, times, tangent, *paths, contacts)
    contact_time = max(contact_time, flight.last_contact_time)
    for k in range(3):
        x[k], x[3 + k], x[6 + k] = flight.position[k], flight.velocity[k], flight.spin[k]
    lies = x[5] == 0.0 and x[2] < lying_height(sport, x[0], x[1], x[2]) + 1e-6
    if lies and s[ON_SURFACE, i] < 0.5 and P[5, 5] > MAX_LANDING_SD * MAX_LANDING_SD:
        return False
    propagate_by_tangent(tangent, P)
    if s[ON_SURFACE, i] > 0.5:
        P[3, 3] += ROLLING_NOISE * ROLLING_NOISE * dt
        P[4, 4] += ROLLING_NOISE * ROLLING_NOISE * dt
    elif lies:
        s[ON_SURFACE, i] = 1.0  # it has stopped bouncing
    for k in range(UNKNOWNS):
        flown[MEAN + k, i] = x[k] - (origin[k] if k < 3 else 0.0)
        for j in range(k + 1):
            flown[ROW[k, j], i] = P[k, j]
    flown[LAST_CONTACT, i] = s[LAST_CONTACT, i]
    if contact_time >= 0.0:
        for k in range(3, 9):  # a ball that grips has the spin that its velocity says, which float32 cannot hold
            sd = CONTACT_NOISE if k < 6 else CONTACT_NOISE / sport.radius
            flown[ROW[k, k], i] += sd * sd
        for k in range(9):  # nor can it hold the covariance past a net's edge, which is close to singular
            flown[ROW[k, k], i] *= 1.0 + CONTACT_JITTER
        flown[LAST_CONTACT, i] = start - state.start_time + max(contact_time, 1e-4)
    return True


@inlined
def tangent_times(tangent, k, vector):
    """The product of row k of a tangent and a vector (16,)."""
    return np.dot(tangent[k * COLUMNS : k * COLUMNS + UNKNOWNS], vector)


@kernel
def propagate_by_tangent(tangent, P):
    """Propagate a covariance P (16, 16) by the first nine rows of a tangent. Loops: it is too small for BLAS."""
    row, propagated = np.empty(UNKNOWNS), np.empty((9, UNKNOWNS))
    for i in range(9):
        row[:] = 0.0
        for k in range(UNKNOWNS):
            a = tangent[i * COLUMNS + k]
            if a != 0.0:
                for j in range(UNKNOWNS):
                    row[j] += a * P[k, j]
        propagated[i] = row
    for i in range(9):
        for j in range(i + 1):
            a = 0.0
            for k in range(UNKNOWNS):
                a += propagated[i, k] * tangent[j * COLUMNS + k]
            P[i, j] = P[j, i] = a
        for j in range(9, UNKNOWNS):
            P[i, j] = P[j, i] = propagated[i, j]


@kernel
def match_moments(state, s):
    """Set x and P to the mean and the covariance of the mixture."""
    x, P, weight = state.x, state.P, weights_of(s)
    state.effective_components, state.top_weight = 1.0 / lane_sum(weight * weight), lane_max(weight)
    for k in range(UNKNOWNS):
        x[k] = average(weight, load(s, MEAN + k))
    for k in range(UNKNOWNS):
        offset = load(s, MEAN + k) - x[k]
        for j in range(k + 1):
            P[k, j] = P[j, k] = average(weight, load(s, ROW[k, j]) + offset * (load(s, MEAN + j) - x[j]))
    state.rolling = average(weight, load(s, ON_SURFACE))
    for k in range(3):
        state.between[k] = max(1.0 - average(weight, load(s, ROW[3 + k, 3 + k])) / P[3 + k, 3 + k], 0.0)
        x[k] += state.origin[k]
    last = s[LAST_CONTACT, likeliest(s)]
    state.last_contact_time = state.start_time + last if last > -1e5 else -np.inf


@kernel
def _adapt_noise(filter_prior, state, s, y):
    """Update the sensor's variances by a frame: expectation-maximisation as in likelihood.py."""
    i, noise, sums, moments = likeliest(s), state.noise[:], state.noise_sums[:], np.empty((3, 3))
    e, v = np.empty(3), np.empty(3)
    for k in range(3):
        e[k], v[k] = y[k] - state.origin[k] - s[k, i], s[3 + k, i]
    e[2] -= s[HEIGHT, i]
    for k in range(3):
        for j in range(3):
            moments[k, j] = e[k] * e[j] + s[ROW[k, j], i]
    for k in range(3):
        moments[2, k] += s[ROW[HEIGHT, k], i]
        moments[k, 2] += s[ROW[HEIGHT, k], i]
    moments[2, 2] += s[ROW[HEIGHT, HEIGHT], i]
    add_expected_variances(v, moments, 1.0 / state.inflation, noise, sums)
    sums[4] += 1.0
    for k in range(4):
        variance = (sums[k] + FILTER_PSEUDO_FRAMES * filter_prior.noise[k]) / (sums[4] + FILTER_PSEUDO_FRAMES)
        noise[k] = min(max(variance, filter_prior.min_variances[k]), filter_prior.max_variances[k])
