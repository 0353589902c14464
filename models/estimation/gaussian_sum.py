"""The running filter: a Gaussian-sum filter on the simulator, constant time and memory per frame. Compiled.

    states = new_filter_states(count)            # (B,) records, one for each ball
    observe(sport, filter_prior, states[b], t, y)
    summary(states[b])                           # what others read of a filter: estimate, innovation, noise, frames

The belief is a sum of at most COMPONENTS Gaussians with weights (Alspach and Sorenson 1972). Each is an extended Kalman
filter. Where one is too wide for the flight to be linear across it, it is split (mixture.py); those that the frames do
not support are dropped, and those that have become alike are merged (Salmond 1990). The components of a ball are the
lanes of the processor's vectors (sim/kernels/lane_numbers.py), so that a frame costs the same however many there are.
A component that comes near a surface is flown by the simulator, with the flight's own Jacobian.

The sensor's variances are adapted; outliers count less, by Student's t. After several outliers in a row the ball has
changed its path, and the filter restarts from the last frames.
"""

import math
from collections import namedtuple

import numpy as np

from ballcast.models.estimation.fit import linearised_flight
from ballcast.models.estimation.free_flight import mean_acceleration, move_back, predict_mean, propagate, step_count
from ballcast.models.estimation.likelihood import OUTLIER_DENSITY, add_expected_variances
from ballcast.models.estimation.mixture import (
    COMPONENTS,
    DEAD,
    DELTA,
    KEPT_ROWS,
    LAST_CONTACT,
    LOG_WEIGHT,
    MEAN,
    NEAR,
    ON_SURFACE,
    ROW,
    ROWS,
    reduce_mixture,
    split_widest,
)
from ballcast.models.estimation.prior import FILTER_DEGREES, FILTER_PSEUDO_FRAMES
from ballcast.models.estimation.unknowns import (
    HEIGHT,
    LOG_PARAMETERS,
    MAX_HEIGHT,
    MAX_LOG,
    MAX_SPEED,
    MAX_SPIN,
    UNKNOWNS,
)
from ballcast.sim.jit import inlined, kernel
from ballcast.sim.kernels.lane_numbers import lane_max, lane_sum, load, store, where
from ballcast.sim.kernels.tangent import COLUMNS, TANGENT_SIZE

HISTORY_FRAMES = 24  # frames kept
MIN_FRAMES_TO_ADAPT = 3  # fewer frames say nothing of the noise
OUTLIER_INFLATION = 6.0  # a frame that counts this many times less is an outlier
OUTLIERS_TO_RESTART = 4  # in a row
INFLATION_ROUNDS = 3
MAX_POINTS, PASS_EVERY, MIN_PASS_FRAMES = 12, 12, 5  # normal points; frames between two passes; and before the first
MIN_VARIANCE = 1e-12
PASS_NOISE = 0.1  # of the process noise, where frames are linearised anew
REFRESH_EVERY = 8  # frames
HIT_NIS, HIT_LOG_WEIGHT = 25.0, -2.5  # a frame so far off may be a hit; logarithm of the weight of that
NIS_DECAY, MAX_NIS = 0.1, 16.0  # of the running average; a larger square counts as this
MAX_NIS_AVERAGE = 7.5  # with more the belief does not explain the last frames
HELD_SDS = 3.0  # sd of the noise by which a ball moves between two frames that cannot be equal
ROLLING_LOG_WEIGHT = -3.0  # of the first component on a surface
ROLLING_MARGIN = 0.05  # m, by which the ball may be above the place where it lies
MAX_LANDING_SD = 0.2  # m/s, of the vertical velocity of a component that stops bouncing
ROLLING_NOISE = 0.5  # m/s in a second: how the ground changes the velocity
LOG_NORMALISER = math.lgamma(0.5 * FILTER_DEGREES + 1.5) - math.lgamma(0.5 * FILTER_DEGREES) - 1.5 * math.log(FILTER_DEGREES * math.pi)
SCRATCH_ROWS = 9 * UNKNOWNS
FILTER_STATE_DTYPE = np.dtype([
    ("frames", np.int64), ("frames_since_start", np.int64), ("consecutive_outliers", np.int64),  # numbers of frames
    ("start_time", np.float64), ("last_contact_time", np.float64),  # s; it started at the frame of start_time
    ("origin", np.float64, (3,)),  # m: the components' positions are relative to it
    ("components", np.float32, (ROWS, COMPONENTS)),  # see mixture.py
    ("anchor", np.float32, (KEPT_ROWS, COMPONENTS)), ("anchor_time", np.float64),
    ("points", np.float64, (MAX_POINTS, 6)), ("point_count", np.int64), ("frames_per_point", np.int64),
    ("frames_since_anchor", np.int64), ("phase", np.int64),
    ("x", np.float64, (UNKNOWNS,)), ("P", np.float64, (UNKNOWNS, UNKNOWNS)),  # mean and covariance of the mixture
    ("noise", np.float64, (4,)),  # variances of the axes (m2) and of the time stamps (s2)
    ("noise_sums", np.float64, (5,)),  # sums of expected variances, and their number
    ("innovation", np.float64, (3,)), ("innovation_sd", np.float64, (3,)), ("mahalanobis2", np.float64),  # m, m, -
    ("inflation", np.float64),  # how many times less than an inlier the last frame counted
    ("effective_components", np.float64), ("top_weight", np.float64),  # 1 / sum of squared weights; the largest
    ("nis_average", np.float64),  # running average of mahalanobis2
    ("rolling", np.float64), ("between", np.float64, (3,)),  # probability; share of the velocity's variance
    ("recent_frames", np.float64, (HISTORY_FRAMES, 4)),  # newest first: t, x, y, z
])  # fmt: skip

# what others read of one filter, as in FILTER_STATE_DTYPE; arrays are views
FilterSummary = namedtuple(
    "FilterSummary",
    "frames mean covariance noise innovation innovation_sd mahalanobis2 inflation start_time last_contact_time "
    "recent_frames components top_weight nis_average rolling between",
)


@inlined
def summary(state):
    """The FilterSummary of one filter state."""
    return FilterSummary(
        state.frames, state.x[:], state.P[:], state.noise[:], state.innovation[:], state.innovation_sd[:],
        state.mahalanobis2, state.inflation, state.start_time, state.last_contact_time, state.recent_frames[:],
        state.effective_components, state.top_weight, state.nis_average, state.rolling, state.between[:],
    )  # fmt: skip


def new_filter_states(count: int) -> np.ndarray:
    """Filter states (B,) of balls without a frame."""
    return np.zeros(count, FILTER_STATE_DTYPE)


def last_times(states: np.ndarray) -> np.ndarray:
    """The times (B,) s of the last frames; 0 before the first."""
    return states["recent_frames"][:, 0, 0]


def kept_frames(state: np.record) -> tuple[np.ndarray, np.ndarray]:
    """The frames that one filter keeps, oldest first: time (T,) s and position (T, 3) m."""
    recent = state["recent_frames"][: min(state["frames"], HISTORY_FRAMES)][::-1]
    return recent[:, 0], recent[:, 1:]


@kernel
def observe(sport, filter_prior, state, t, y):
    """Update the filter with a frame at t s, y (3,) m."""
    scratch, s = np.empty((SCRATCH_ROWS, COMPONENTS), np.float32), state.components[:]
    if state.frames == 0:
        state.noise[:] = filter_prior.noise
        state.noise_sums[:] = 0.0
        _initialise(sport, filter_prior, state, t, y)
        state.nis_average = 3.0
    else:
        _take(sport, filter_prior, state, scratch, state.recent_frames[0, 0], t, y)
        state.nis_average += NIS_DECAY * (min(state.mahalanobis2, MAX_NIS) - state.nis_average)
    state.consecutive_outliers = state.consecutive_outliers + 1 if state.inflation > OUTLIER_INFLATION else 0
    if state.consecutive_outliers >= OUTLIERS_TO_RESTART or state.nis_average > MAX_NIS_AVERAGE:
        _restart(sport, filter_prior, state, scratch, t, y)
        state.nis_average = 3.0
    _match_moments(state, s)
    if state.frames_since_start >= MIN_FRAMES_TO_ADAPT:
        _adapt_noise(filter_prior, state, s, y)
    store_frame(state, t, y)
    state.frames_since_start += 1


@kernel
def _take(sport, filter_prior, state, scratch, before, t, y):
    """Take a frame at t s, y (3,) m, after one at `before`."""
    s = state.components[:]
    is_near = _predict(sport, filter_prior, state, scratch, before, t)
    _update(sport, state, s, scratch, y)
    if not lane_max(load(s, LOG_WEIGHT)) > DEAD:  # no component is finite
        _initialise(sport, filter_prior, state, t, y)
        return
    if is_near or state.frames % REFRESH_EVERY == 0:
        _refresh(s)
    reduce_mixture(s, state.anchor[:], state.frames)
    _note_point(state, s, before, t, y)
    if _is_pass_due(state):
        _linearise_anew(sport, filter_prior, state, scratch, t)
    split_widest(s, state.anchor[:], filter_prior.split_spin_sd)
    if state.inflation > OUTLIER_INFLATION and state.mahalanobis2 > HIT_NIS:
        _suppose_hit(sport, filter_prior, state, s, t, y)


@kernel
def _restart(sport, filter_prior, state, scratch, t, y):
    """Start anew: from the last frames, or from this one alone where they do not explain it."""
    recent, count = state.recent_frames, min(state.frames, OUTLIERS_TO_RESTART - 1)
    _initialise(sport, filter_prior, state, recent[count - 1, 0], recent[count - 1, 1:])
    for n in range(count - 2, -1, -1):
        _take(sport, filter_prior, state, scratch, recent[n + 1, 0], recent[n, 0], recent[n, 1:])
    _take(sport, filter_prior, state, scratch, recent[0, 0], t, y)
    state.frames_since_start = count
    if state.inflation > OUTLIER_INFLATION:
        _initialise(sport, filter_prior, state, t, y)


@kernel
def is_measurement(state, t, y):
    """Whether a frame at t s, y (3,) m, is one: not (0, 0, 0), which trackers write for "not seen", and not the
    position before once more where the ball was moving."""
    if y[0] == 0.0 and y[1] == 0.0 and y[2] == 0.0:
        return False
    last = state.recent_frames[0]
    if state.frames == 0 or y[0] != last[1] or y[1] != last[2] or y[2] != last[3]:
        return True
    moved, variance = 0.0, 0.0
    for k in range(3):
        moved += (state.x[3 + k] * (t - last[0])) ** 2
        variance += state.noise[k]
    return moved <= HELD_SDS * HELD_SDS * variance


@inlined
def store_frame(state, t, y):
    """Count a frame and keep it among the recent ones."""
    state.frames += 1
    state.recent_frames[1:] = state.recent_frames[:-1].copy()
    state.recent_frames[0, 0] = t
    state.recent_frames[0, 1:] = y


@kernel
def _initialise(sport, filter_prior, state, t, y):
    """Start at a frame: one component, whose position has the sensor's covariance; the height offset is in the prior."""
    s = state.components[:]
    state.consecutive_outliers, state.frames_since_start, state.start_time, state.last_contact_time = 0, 0, t, -np.inf
    state.mahalanobis2, state.inflation = 3.0, 1.0
    state.innovation[:], state.innovation_sd[:] = 0.0, np.sqrt(filter_prior.noise[:3])
    for k in range(3):
        state.origin[k] = y[k]
    for i in range(COMPONENTS):
        s[LOG_WEIGHT, i] = DEAD
    _start_component(filter_prior, state, s, 0, y, 0.0, -1e6)
    if _lying_height(sport, y[0], y[1], y[2]) > -np.inf:
        _start_component(filter_prior, state, s, 1, y, ROLLING_LOG_WEIGHT, -1e6)
        _lay_down(sport, state, s, 1, y)
    _refresh(s)
    state.phase = np.int64(abs(y[0]) * 1e5) % PASS_EVERY
    _set_anchor(state, t)


@kernel
def _start_component(filter_prior, state, s, i, y, log_weight, last_contact):
    """Let component i start in the air where a frame y (3,) m is; the rest of it is the prior."""
    for k in range(UNKNOWNS):
        s[MEAN + k, i] = filter_prior.mean[k]
        for j in range(k + 1):
            s[ROW[k, j], i] = filter_prior.covariance[k, j] if j >= 3 else 0.0
    for k in range(3):
        s[MEAN + k, i] = y[k] - state.origin[k]
        s[ROW[k, k], i] = state.noise[k] + state.noise[3] * filter_prior.covariance[3 + k, 3 + k]
    variance = filter_prior.covariance[HEIGHT, HEIGHT]  # a position is the measured one minus the height offset
    s[ROW[2, 2], i] += variance
    s[ROW[HEIGHT, 2], i] = -variance
    s[LOG_WEIGHT, i], s[LAST_CONTACT, i], s[ON_SURFACE, i] = log_weight, last_contact, 0.0


@kernel
def _lay_down(sport, state, s, i, y):
    """Let component i lie on the surface at a frame y (3,) m. Trackers put such balls at its top, its middle, or z = 0:
    the tracker's height is what the frame says."""
    s[ON_SURFACE, i] = 1.0
    _put_on_surface(sport, state, s, i)
    s[HEIGHT, i] = y[2] - state.origin[2] - s[2, i]
    for k in range(UNKNOWNS):
        s[ROW[HEIGHT, k], i] = 0.0
    s[ROW[HEIGHT, HEIGHT], i] = state.noise[2]


@kernel
def _suppose_hit(sport, filter_prior, state, s, t, y):
    """After a frame that nothing explains: add components that the ball was hit, and starts anew there."""
    for _ in range(2 if _lying_height(sport, y[0], y[1], y[2]) > -np.inf else 1):
        i = 0
        for j in range(1, COMPONENTS):
            if s[LOG_WEIGHT, j] < s[LOG_WEIGHT, i]:
                i = j
        _start_component(filter_prior, state, s, i, y, HIT_LOG_WEIGHT, t - state.start_time)
        if _ == 1:
            _lay_down(sport, state, s, i, y)
        for k in range(KEPT_ROWS):
            state.anchor[k, i] = s[k, i]


@kernel
def _lying_height(sport, x, y, z):
    """The height of the centre of a ball that lies where its centre was measured, m; -inf if it does not lie there."""
    height = -np.inf
    for surface in sport.surfaces:
        low, high = surface["low"], surface["high"]
        if surface["supports"] > 0.0 and low[0] <= x <= high[0] and low[1] <= y <= high[1]:
            lying = high[2] + surface["contact_distance"]
            if lying - 2.0 * sport.radius - ROLLING_MARGIN <= z <= lying + ROLLING_MARGIN:
                height = max(height, lying)
    return height


@kernel
def _put_on_surface(sport, state, s, i):
    """Let component i lie or roll where it is: height, vertical velocity and spin follow; off the edge it flies."""
    height = _lying_height(sport, s[0, i] + state.origin[0], s[1, i] + state.origin[1], s[2, i] + state.origin[2])
    if not height > -np.inf:
        s[ON_SURFACE, i] = 0.0
        return
    s[2, i], s[5, i] = height - state.origin[2], 0.0
    s[6, i], s[7, i], s[8, i] = -s[4, i] / sport.radius, s[3, i] / sport.radius, 0.0
    for k in (2, 5, 6, 7, 8):
        for j in range(UNKNOWNS):
            s[ROW[k, j], i] = 0.0
    s[ROW[2, 2], i] = s[ROW[5, 5], i] = 1e-8
    for k in (6, 7, 8):
        s[ROW[k, k], i] = 1e-2


@inlined
def _set_anchor(state, t):
    """Let the present belief be the prior of all frames to come: those before are not linearised anew."""
    for k in range(KEPT_ROWS):
        store(state.anchor, k, load(state.components, k))
    state.anchor_time, state.point_count, state.frames_since_anchor = t, 0, 0
    state.frames_per_point = 1


@inlined
def _is_pass_due(state):
    n = state.frames_since_anchor
    return n == MIN_PASS_FRAMES or (n > MIN_PASS_FRAMES and (n + state.phase) % PASS_EVERY == 0)


@kernel
def _note_point(state, s, before, t, y):
    """Add a frame to the normal points since the anchor; after a contact the next frame is an anchor."""
    in_contact = False
    for i in range(COMPONENTS):
        in_contact |= s[LOG_WEIGHT, i] > DEAD and s[LAST_CONTACT, i] > before - state.start_time
    if not in_contact and s[LAST_CONTACT, _likeliest(s)] > state.anchor_time - state.start_time:
        _set_anchor(state, t)
        return
    n, points = state.point_count, state.points
    state.frames_since_anchor += 1
    if n == 0 or points[n - 1, 0] >= state.frames_per_point - 1e-9:
        if n == MAX_POINTS:  # two neighbours become one
            for k in range(MAX_POINTS // 2):
                points[k] = points[2 * k] + points[2 * k + 1]
            n = MAX_POINTS // 2
            state.frames_per_point *= 2
        points[n] = 0.0
        n += 1
    state.point_count = n
    point, dt = points[n - 1], t - state.anchor_time
    point[0] += 1.0
    weight = 1.0 / state.inflation
    point[1] += weight
    point[2] += weight * dt
    for k in range(3):
        point[3 + k] += weight * (y[k] - state.origin[k])


@kernel
def _linearise_anew(sport, filter_prior, state, scratch, t):
    """Filter all frames since the anchor again, about the flight that each component's present mean comes from."""
    s, q = state.components[:], np.empty((ROWS, COMPONENTS), np.float32)
    q[:] = s
    back = state.anchor_time - t
    move_back(sport, q, back, step_count(sport, q, back))
    for k in range(UNKNOWNS):
        store(q, DELTA + k, load(state.anchor, MEAN + k) - load(q, MEAN + k))
    for k in range(UNKNOWNS, KEPT_ROWS):
        store(q, k, load(state.anchor, k))
    now = 0.0
    for n in range(state.point_count):
        weight = state.points[n, 1]
        dt = state.points[n, 2] / weight - now
        _step(sport, filter_prior, q, scratch, dt)
        now += dt
        _assimilate(sport, state, q, scratch, n, weight)
    _step(sport, filter_prior, q, scratch, t - state.anchor_time - now)
    keep = (load(s, LAST_CONTACT) > state.anchor_time - state.start_time) | (load(s, ON_SURFACE) > 0.5)
    smallest = load(q, ROW[0, 0])
    for k in range(1, UNKNOWNS):
        smallest = min(smallest, load(q, ROW[k, k]))
    keep = keep | (where(smallest > 0.0, 0.0, 1.0) > 0.5)  # NaN too
    for k in range(UNKNOWNS):
        store(s, MEAN + k, where(keep, load(s, MEAN + k), load(q, MEAN + k) + load(q, DELTA + k)))
    for k in range(UNKNOWNS, KEPT_ROWS):
        store(s, k, where(keep, load(s, k), load(q, k)))
    _clamp(s)


@inlined
def _step(sport, filter_prior, q, scratch, dt):
    propagate(sport, q, scratch, dt, step_count(sport, q, dt))
    for k in range(UNKNOWNS):
        store(q, ROW[k, k], load(q, ROW[k, k]) + PASS_NOISE * filter_prior.process_noise[k] * dt)


@inlined
def _assimilate(sport, state, q, U, n, weight):
    """Correct the deviations of a pass by normal point n."""
    point, noise = state.points[n], state.noise
    p = load(q, 0) + load(q, DELTA), load(q, 1) + load(q, DELTA + 1), load(q, 2) + load(q, DELTA + 2)
    height = load(q, HEIGHT) + load(q, DELTA + HEIGHT)
    h = _gather(q, U)
    R = _noise(noise[0] / weight, noise[1] / weight, noise[2] / weight, noise[3] / weight, load(q, 3), load(q, 4), load(q, 5))
    I, _ = _inverse(_sum6(h, R, 1.0))
    rx, ry, rz = point[3] / weight - p[0], point[4] / weight - p[1], point[5] / weight - p[2] - height
    _correct(q, DELTA, U, I, _times(I, rx, ry, rz))


@kernel
def _predict(sport, filter_prior, state, scratch, start, t):
    """Propagate all components from `start` to t s: through the air as lanes, those near a surface by the simulator."""
    s, dt = state.components[:], t - start
    before = s[: MEAN + UNKNOWNS].copy()
    count, is_near = predict_mean(sport, s, state.origin[:], dt)
    is_flown = np.zeros(COMPONENTS, np.bool_)
    flown = np.empty((ROWS if is_near else 0, COMPONENTS), np.float32)
    if is_near:
        for i in range(COMPONENTS):
            is_flown[i] = s[LOG_WEIGHT, i] > DEAD and (s[NEAR, i] > 0.5 or s[ON_SURFACE, i] > 0.5)
            if is_flown[i]:
                is_flown[i] = _fly(sport, state, before, flown, i, start, dt)
    for k in range(MEAN + UNKNOWNS):
        store(s, k, load(before, k))
    propagate(sport, s, scratch, dt, count)
    if is_near:
        for i in range(COMPONENTS):
            if is_flown[i]:
                for k in range(LAST_CONTACT + 1):
                    if k != LOG_WEIGHT:
                        s[k, i] = flown[k, i]
    for k in range(UNKNOWNS):
        store(s, ROW[k, k], load(s, ROW[k, k]) + filter_prior.process_noise[k] * dt)
    return is_near


@kernel
def _fly(sport, state, before, flown, i, start, dt):
    """Fly component i by dt s from its mean in `before`: its mean, covariance and last contact go into `flown`.

    Returns False, and does nothing, where the ball would stop bouncing but its vertical speed is not known well enough.
    """
    s, origin = state.components[:], state.origin[:]
    x, P, tangent = np.empty(UNKNOWNS), np.empty((UNKNOWNS, UNKNOWNS)), np.zeros(TANGENT_SIZE)
    for k in range(UNKNOWNS):
        x[k] = before[MEAN + k, i] + (origin[k] if k < 3 else 0.0)
        for j in range(k + 1):
            P[k, j] = P[j, k] = s[ROW[k, j], i]
    flight = linearised_flight(sport, x, np.full(1, dt), tangent, np.empty((1, 6)), np.empty((1, 3, UNKNOWNS)))
    for k in range(3):
        x[k], x[3 + k], x[6 + k] = flight.position[k], flight.velocity[k], flight.spin[k]
    lies = x[5] == 0.0 and x[2] < _lying_height(sport, x[0], x[1], x[2]) + 1e-6
    if lies and s[ON_SURFACE, i] < 0.5 and P[5, 5] > MAX_LANDING_SD * MAX_LANDING_SD:
        return False
    _propagate_covariance(tangent, P)
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
    if flight.last_contact_time > 0.0:
        flown[LAST_CONTACT, i] = start - state.start_time + flight.last_contact_time
    return True


@kernel
def _propagate_covariance(tangent, P):
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
def _update(sport, state, s, U, y):
    """Correct all components by a frame y (3,) m, and weigh them by it."""
    noise, origin = state.noise, state.origin
    h = _gather(s, U)
    R = _noise(noise[0], noise[1], noise[2], noise[3], load(s, 3), load(s, 4), load(s, 5))
    rx, ry = (y[0] - origin[0]) - load(s, 0), (y[1] - origin[1]) - load(s, 1)
    rz = (y[2] - origin[2]) - load(s, 2) - load(s, HEIGHT)
    weight = _weights(s)
    _note_innovation(state, weight, (rx, ry, rz), _sum6(h, R, 1.0))
    I, determinant = _inverse(_sum6(h, R, 1.0))
    a, b, c = _times(I, rx, ry, rz)
    square = rx * a + ry * b + rz * c
    likelihood = LOG_NORMALISER - 0.5 * (FILTER_DEGREES + 3.0) * math.log(1.0 + square / FILTER_DEGREES)
    likelihood = max(likelihood - 0.5 * math.log(determinant), math.log(0.004 * OUTLIER_DENSITY))
    store(s, LOG_WEIGHT, max(load(s, LOG_WEIGHT) + likelihood, DEAD))
    inflation = max(1.0, 0.0 * square)
    for _ in range(INFLATION_ROUNDS):  # the residual after the update, relative to the noise, says how far off it is
        p, q, r = _times(R, a, b, c)
        residual = inflation * inflation * (a * p + b * q + c * r)
        inflation = max(1.0, (FILTER_DEGREES + residual) / (FILTER_DEGREES + 3.0))
        I, determinant = _inverse(_sum6(h, R, inflation))
        a, b, c = _times(I, rx, ry, rz)
    _correct(s, MEAN, U, I, (a, b, c))
    _clamp(s)
    on_surface = load(s, ON_SURFACE)
    if lane_max(on_surface) > 0.5:
        for i in range(COMPONENTS):
            if s[ON_SURFACE, i] > 0.5:
                _put_on_surface(sport, state, s, i)
    weight = _weights(s)
    state.inflation = _average(weight, inflation)


@inlined
def _gather(s, U):
    """Fill U = P H^T (48 rows); returns H P H^T."""
    for k in range(UNKNOWNS):
        store(U, 3 * k, load(s, ROW[k, 0]))
        store(U, 3 * k + 1, load(s, ROW[k, 1]))
        store(U, 3 * k + 2, load(s, ROW[k, 2]) + load(s, ROW[k, HEIGHT]))
    height = 3 * HEIGHT
    return (load(U, 0), load(U, 3), load(U, 4), load(U, 6) + load(U, height), load(U, 7) + load(U, height + 1),
            load(U, 8) + load(U, height + 2))  # fmt: skip


@inlined
def _noise(x, y, z, jitter, vx, vy, vz):
    """The covariance of a frame's noise, at velocity v."""
    return (jitter * vx * vx + x, jitter * vx * vy, jitter * vy * vy + y,
            jitter * vx * vz, jitter * vy * vz, jitter * vz * vz + z)  # fmt: skip


@inlined
def _correct(s, mean, U, I, weighted):
    """Correct means (rows from `mean` on) and covariances; I: inverse innovation covariance, weighted: I times r."""
    a, b, c = weighted
    for k in range(UNKNOWNS):
        ux, uy, uz = load(U, 3 * k), load(U, 3 * k + 1), load(U, 3 * k + 2)
        store(s, mean + k, load(s, mean + k) + ux * a + uy * b + uz * c)
        gx, gy, gz = _times(I, ux, uy, uz)
        for j in range(k + 1):
            less = gx * load(U, 3 * j) + gy * load(U, 3 * j + 1) + gz * load(U, 3 * j + 2)
            store(s, ROW[k, j], load(s, ROW[k, j]) - less)
        store(s, ROW[k, k], max(load(s, ROW[k, k]), MIN_VARIANCE))


@inlined
def _weights(s):
    """The weights of the components, which sum to 1; the logarithms are shifted so that the largest is 0."""
    log_weight = load(s, LOG_WEIGHT)
    log_weight = max(log_weight - lane_max(log_weight), DEAD)
    store(s, LOG_WEIGHT, log_weight)
    weight = where(log_weight > DEAD, math.exp(log_weight), 0.0)
    return weight / lane_sum(weight)


@kernel
def _refresh(s):
    """Fill the lanes that are not in use with the likeliest component, before what they hold runs away."""
    i, is_free = _likeliest(s), load(s, LOG_WEIGHT) <= DEAD
    for k in range(KEPT_ROWS):
        store(s, k, where(is_free, s[k, i], load(s, k)))


@inlined
def _average(weight, value):
    """The weighted average over the components; lanes that are not in use may hold anything."""
    return lane_sum(where(weight > 0.0, weight * value, 0.0))


@inlined
def _note_innovation(state, weight, r, S):
    """Keep the innovation of the mixture, its standard deviations and its square in them."""
    x, y, z = _average(weight, r[0]), _average(weight, r[1]), _average(weight, r[2])
    dx, dy, dz = r[0] - x, r[1] - y, r[2] - z
    xx, yy, zz = (_average(weight, S[0] + dx * dx), _average(weight, S[2] + dy * dy), _average(weight, S[5] + dz * dz))
    xy, xz, yz = (_average(weight, S[1] + dx * dy), _average(weight, S[3] + dx * dz), _average(weight, S[4] + dy * dz))
    inverse, _ = _inverse((np.float64(xx), np.float64(xy), np.float64(yy), np.float64(xz), np.float64(yz), np.float64(zz)))
    a, b, c = _times(inverse, x, y, z)
    state.innovation[0], state.innovation[1], state.innovation[2] = x, y, z
    state.innovation_sd[0], state.innovation_sd[1], state.innovation_sd[2] = math.sqrt(xx), math.sqrt(yy), math.sqrt(zz)
    state.mahalanobis2 = x * a + y * b + z * c


@inlined
def _sum6(a, b, k):
    return a[0] + k * b[0], a[1] + k * b[1], a[2] + k * b[2], a[3] + k * b[3], a[4] + k * b[4], a[5] + k * b[5]


@inlined
def _inverse(S):
    """(the inverse, the determinant) of a symmetric matrix of three; both are xx, xy, yy, xz, yz, zz."""
    xx, xy, yy, xz, yz, zz = S
    a, b, c = yy * zz - yz * yz, xz * yz - xy * zz, xy * yz - xz * yy
    determinant = xx * a + xy * b + xz * c
    k = 1.0 / determinant
    return (k * a, k * b, k * (xx * zz - xz * xz), k * c, k * (xy * xz - xx * yz), k * (xx * yy - xy * xy)), determinant


@inlined
def _times(S, x, y, z):
    return S[0] * x + S[1] * y + S[3] * z, S[1] * x + S[2] * y + S[4] * z, S[3] * x + S[4] * y + S[5] * z


@inlined
def _clamp(s):
    for i in range(3):
        store(s, 3 + i, min(max(load(s, 3 + i), -MAX_SPEED), MAX_SPEED))
        store(s, 6 + i, min(max(load(s, 6 + i), -MAX_SPIN), MAX_SPIN))
    for k in LOG_PARAMETERS:
        store(s, k, min(max(load(s, k), -MAX_LOG), MAX_LOG))
    store(s, HEIGHT, min(max(load(s, HEIGHT), -MAX_HEIGHT), MAX_HEIGHT))


@kernel
def _match_moments(state, s):
    """Set x and P to the mean and the covariance of the mixture."""
    x, P, weight = state.x, state.P, _weights(s)
    state.effective_components, state.top_weight = 1.0 / lane_sum(weight * weight), lane_max(weight)
    for k in range(UNKNOWNS):
        x[k] = _average(weight, load(s, MEAN + k))
    for k in range(UNKNOWNS):
        offset = load(s, MEAN + k) - x[k]
        for j in range(k + 1):
            P[k, j] = P[j, k] = _average(weight, load(s, ROW[k, j]) + offset * (load(s, MEAN + j) - x[j]))
    state.rolling = _average(weight, load(s, ON_SURFACE))
    for k in range(3):
        state.between[k] = max(1.0 - _average(weight, load(s, ROW[3 + k, 3 + k])) / P[3 + k, 3 + k], 0.0)
        x[k] += state.origin[k]
    last = s[LAST_CONTACT, _likeliest(s)]
    state.last_contact_time = state.start_time + last if last > -1e5 else -np.inf


@inlined
def _likeliest(s):
    """The number of the component with the largest weight."""
    best = 0
    for i in range(1, COMPONENTS):
        if s[LOG_WEIGHT, i] > s[LOG_WEIGHT, best]:
            best = i
    return best


@kernel
def _adapt_noise(filter_prior, state, s, y):
    """Update the sensor's variances by a frame: expectation-maximisation as in likelihood.py."""
    i, noise, sums, moments = _likeliest(s), state.noise[:], state.noise_sums[:], np.empty((3, 3))
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
