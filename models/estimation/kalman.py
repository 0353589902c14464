"""The running filter: an extended Kalman filter on the simulator, constant time and memory per frame. Compiled.

    states = new_filter_states(count)            # (B,) records, one for each ball
    observe(sport, filter_prior, states[b], t, y)
    summary(states[b])                           # what others read of a filter: estimate, innovation, noise, frames

The flight's own Jacobian propagates the covariance from frame to frame, through impacts too. The sensor's variances
are adapted; outliers count less, by Student's t. While the spin is not known the effect of lift is far from linear: at
a few early frames all frames since the start are fitted together. After several outliers in a row the ball has changed
its path, and the filter restarts there. The estimate is a Gaussian, which the truth is not; networks correct it.
"""

import math
from collections import namedtuple

import numpy as np

from ballcast.models.estimation.fit import linearised_flight, map_fit
from ballcast.models.estimation.likelihood import add_expected_variances
from ballcast.models.estimation.linear import inverse3, matvec3
from ballcast.models.estimation.prior import FILTER_DEGREES, FILTER_PSEUDO_FRAMES, Prior
from ballcast.models.estimation.unknowns import HEIGHT, UNKNOWNS, clamp
from ballcast.sim.jit import inlined, kernel
from ballcast.sim.kernels.tangent import COLUMNS, TANGENT_SIZE
from ballcast.sim.kernels.vectors import dot

REFIT_AT, MAX_FLIGHTS = (6, 12, 24, 36, 48, 60, 72, 84, 96), 8  # frames since the start; flights of one refit
HISTORY_FRAMES = 97  # frames kept
MIN_FRAMES_TO_ADAPT = 3  # fewer frames say nothing of the noise
OUTLIER_INFLATION = 6.0  # a frame that counts this many times less is an outlier
OUTLIERS_TO_RESTART = 4  # in a row
MIN_VARIANCE = 1e-14
FILTER_STATE_DTYPE = np.dtype([
    ("frames", np.int64), ("frames_since_start", np.int64), ("consecutive_outliers", np.int64),  # numbers of frames
    ("start_time", np.float64), ("last_contact_time", np.float64),  # s; it started at the frame of start_time
    ("start_estimate", np.float64, (UNKNOWNS,)),  # unknowns at the frame it started at, by the last refit
    ("x", np.float64, (UNKNOWNS,)), ("P", np.float64, (UNKNOWNS, UNKNOWNS)),  # at the last frame: mean and covariance
    ("noise", np.float64, (4,)),  # variances of the axes (m2) and of the time stamps (s2)
    ("noise_sums", np.float64, (5,)),  # sums of expected variances, and their number
    ("innovation", np.float64, (3,)), ("innovation_sd", np.float64, (3,)), ("mahalanobis2", np.float64),  # m, m, -
    ("inflation", np.float64),  # how many times less than an inlier the last frame counted
    ("recent_frames", np.float64, (HISTORY_FRAMES, 4)),  # newest first: t, x, y, z
    ("trajectory", np.float64, (1, 6)), ("jacobian", np.float64, (1, 3, UNKNOWNS)),  # scratch, as is the tangent
    ("tangent", np.float64, (TANGENT_SIZE,)),
])  # fmt: skip

# what others read of one filter, as in FILTER_STATE_DTYPE; arrays are views. Of a mixture of Gaussians also: the
# effective number of its components, the largest weight, the running average of mahalanobis2, the probability that the
# ball rolls or rests, and the share of the velocity's variance (3,) that lies between components; this filter has one
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
        1.0, 1.0, state.mahalanobis2, 0.0, (0.0, 0.0, 0.0),
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
    if state.frames == 0:
        _initialise(filter_prior, state, t, y)
        state.noise[:] = filter_prior.noise
        state.noise_sums[:] = 0.0
    else:
        _predict(sport, filter_prior, state, t - state.recent_frames[0, 0], t)
    _update(state, y)
    state.consecutive_outliers = state.consecutive_outliers + 1 if state.inflation > OUTLIER_INFLATION else 0
    if state.consecutive_outliers >= OUTLIERS_TO_RESTART:
        _initialise(filter_prior, state, t, y)
        _update(state, y)
    elif state.frames >= MIN_FRAMES_TO_ADAPT:
        _adapt_noise(filter_prior, state, y)
    store_frame(state, t, y)
    state.frames_since_start += 1
    for count in REFIT_AT:
        if state.frames_since_start == count:
            _batch_refit(sport, filter_prior, state)


@inlined
def store_frame(state, t, y):
    """Count a frame and keep it among the recent ones."""
    state.frames += 1
    state.recent_frames[1:] = state.recent_frames[:-1].copy()
    state.recent_frames[0, 0] = t
    state.recent_frames[0, 1:] = y


@kernel
def _initialise(filter_prior, state, t, y):
    state.x[:] = filter_prior.mean
    state.P[:] = filter_prior.covariance
    state.consecutive_outliers, state.frames_since_start, state.start_time, state.last_contact_time = 0, 0, t, -np.inf
    for i in range(3):
        state.x[i] = y[i]
    state.start_estimate[:] = state.x


@kernel
def _predict(sport, filter_prior, state, dt, t):
    """Propagate the estimate by dt s, to t s."""
    x, P, tangent = state.x[:], state.P[:], state.tangent[:]
    flight = linearised_flight(sport, x, np.full(1, dt), tangent, state.trajectory[:], state.jacobian[:])
    if flight.last_contact_time > 0.0:
        state.last_contact_time = t - dt + flight.last_contact_time
    for i in range(3):
        x[i], x[3 + i], x[6 + i] = flight.position[i], flight.velocity[i], flight.spin[i]
    _propagate_covariance(tangent, P)
    for k in range(UNKNOWNS):
        P[k, k] += filter_prior.process_noise[k] * dt


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
def _update(state, y):
    """Correct the estimate by a frame y (3,) m."""
    x, P, noise = state.x[:], state.P[:], state.noise[:]
    PHt, HPHt, R, S = np.empty((UNKNOWNS, 3)), np.empty((3, 3)), np.empty((3, 3)), np.empty((3, 3))
    for k in range(UNKNOWNS):
        PHt[k, 0], PHt[k, 1], PHt[k, 2] = P[k, 0], P[k, 1], P[k, 2] + P[k, HEIGHT]
    for i in range(3):
        for j in range(3):
            HPHt[i, j] = PHt[i, j] + (PHt[HEIGHT, j] if i == 2 else 0.0)
            R[i, j] = noise[3] * x[3 + i] * x[3 + j] + (noise[i] if i == j else 0.0)
    r = y[0] - x[0], y[1] - x[1], y[2] - x[2] - x[HEIGHT]
    inflation = 1.0
    _innovation_covariance(HPHt, R, inflation, S)
    S_inverse = inverse3(S)
    weighted = matvec3(S_inverse, r)
    state.mahalanobis2 = dot(r, weighted)
    for i in range(3):
        state.innovation[i], state.innovation_sd[i] = r[i], math.sqrt(S[i, i])
    for _ in range(4):  # the residual after the update, relative to the sensor's noise, says how far off the frame is
        squared_residual = inflation * inflation * dot(weighted, matvec3(R, weighted))
        next_inflation = max(1.0, (FILTER_DEGREES + squared_residual) / (FILTER_DEGREES + 3.0))
        if abs(next_inflation - inflation) < 0.02 * inflation:
            break
        inflation = next_inflation
        _innovation_covariance(HPHt, R, inflation, S)
        S_inverse = inverse3(S)
        weighted = matvec3(S_inverse, r)
    for k in range(UNKNOWNS):
        x[k] += PHt[k, 0] * weighted[0] + PHt[k, 1] * weighted[1] + PHt[k, 2] * weighted[2]
        a, b, c = matvec3(S_inverse, (PHt[k, 0], PHt[k, 1], PHt[k, 2]))
        for i in range(UNKNOWNS):
            P[k, i] -= a * PHt[i, 0] + b * PHt[i, 1] + c * PHt[i, 2]
        P[k, k] = max(P[k, k], MIN_VARIANCE)
        for i in range(k):
            P[i, k] = P[k, i] = 0.5 * (P[i, k] + P[k, i])
    state.inflation = inflation
    clamp(x)


@inlined
def _innovation_covariance(HPHt, R, inflation, S):
    """Fill S (3, 3), the innovation covariance with inflated noise R (3, 3)."""
    for i in range(3):
        for j in range(3):
            S[i, j] = HPHt[i, j] + inflation * R[i, j]


@kernel
def _batch_refit(sport, filter_prior, state):
    """Fit all frames since the start together, and continue from that estimate."""
    frames = state.recent_frames[: state.frames_since_start][::-1].copy()
    t, y = np.ascontiguousarray(frames[:, 0]), np.ascontiguousarray(frames[:, 1:])
    noise, mean = np.empty(5), filter_prior.mean.copy()
    noise[:4], noise[4], mean[:3] = state.noise, FILTER_DEGREES, y[0]
    bounds = filter_prior.min_variances, filter_prior.max_variances
    prior = Prior(mean, filter_prior.precision, 0.0, noise, *bounds, 0.0, filter_prior.outlier_rate)
    fit = map_fit(sport, t, y, state.start_estimate[:], prior, np.int64(MAX_FLIGHTS))
    for i in range(UNKNOWNS):
        if not fit.final_covariance[i, i] > 0.0:
            return
    state.start_estimate[:], state.x[:], state.P[:] = fit.x, fit.final, fit.final_covariance
    clamp(state.x[:])


@kernel
def _adapt_noise(filter_prior, state, y):
    """Update the sensor's variances by a frame: expectation-maximisation as in likelihood.py."""
    x, P, noise, sums, moments = state.x[:], state.P[:], state.noise[:], state.noise_sums[:], np.empty((3, 3))
    e = y - x[:3]
    e[2] -= x[HEIGHT]
    for i in range(3):
        for j in range(3):
            moments[i, j] = e[i] * e[j] + P[i, j]
    for i in range(3):
        moments[2, i] += P[HEIGHT, i]
        moments[i, 2] += P[i, HEIGHT]
    moments[2, 2] += P[HEIGHT, HEIGHT]
    add_expected_variances(x[3:6], moments, 1.0 / state.inflation, noise, sums)
    sums[4] += 1.0
    for i in range(4):
        variance = (sums[i] + FILTER_PSEUDO_FRAMES * filter_prior.noise[i]) / (sums[4] + FILTER_PSEUDO_FRAMES)
        noise[i] = min(max(variance, filter_prior.min_variances[i]), filter_prior.max_variances[i])
