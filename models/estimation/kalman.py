"""What one pass over the frames tells of a ball: an extended Kalman filter on the simulator, compiled.

    memory = fresh(count)                        # (B,) records, one a ball, of constant size
    observe(sport, start, memory[b], t, y)       # takes in a frame; memory[b].x, .P are then the belief at it

The unknowns are those of fit.py. The flight's own Jacobian carries the belief from frame to frame, through impacts too.
The sensor's variances are learnt on the way; frames far off count less, as Student's t has it. While the spin is not
known the law of lift is far from straight: a few times early on all frames since the start are fitted together. Where
several frames in a row are far off the ball has gone another way, and the filter begins again there.
It is a first guess, a Gaussian where the truth is bent: networks read it and say what it misses.
"""

import math
from collections import namedtuple

import numpy as np

from ballcast.models.estimation.fit import HEIGHT, LOG_PARAMETERS, UNKNOWNS, Prior, map_fit, seed_unknowns, to_launch
from ballcast.models.predictors.physics import sport_prior
from ballcast.sim.jit import inlined, kernel
from ballcast.sim.kernels import tangent as columns
from ballcast.sim.kernels.contact import dot
from ballcast.sim.kernels.flight import fly_ball
from ballcast.sim.kernels.layout import CONTACT_DTYPE
from ballcast.sim.kernels.tangent import C

# what a filter believes before it sees: mean (16,) and covariance (16, 16) of the unknowns; the sensor's variances
# (4,), m2 of the axes and s2 of the stamps, the least and greatest they can be; the variance that each unknown gains in
# a second; and the Prior of the fits
FilterPrior = namedtuple("FilterPrior", "mean covariance noise min_variances max_variances process_noise prior")
# frames since it began, at which they are fitted together, in at most so many flights
REFIT_AT, MAX_FLIGHTS = (6, 12, 24, 36, 48, 60, 72, 84, 96), 8
HISTORY_FRAMES = 97  # frames kept
DEGREES_OF_FREEDOM = 6.0  # of Student's t
NOISE_PSEUDO_FRAMES = 4.0  # that the sport's own sensor counts for
MIN_FRAMES_TO_ADAPT = 3  # frames, before which residuals tell nothing of the sensor
OUTLIER_INFLATION, OUTLIERS_TO_RESTART = (
    6.0,
    4,
)  # a frame that counts so many times less is strange; so many in a row, and all begins anew
INITIAL_POSITION_SD = 1.0  # m, standard deviation of the first place before it is seen
HEIGHT_OFFSET_SD = 0.003  # m, standard deviation of the tracker's height
# what the unknowns wander in a second, in standard deviations of their first spread: spin times lift bends the law of
# what is believed, and a Gaussian of it grows too sure unless it is shaken
PROCESS_NOISE_SD = np.array([0.0] * 3 + [1e-3] * 3 + [0.3] * 3 + [0.01, 0.4, 0.01, 0.01] + [0.01] * 2 + [0.01])
MIN_VARIANCE = 1e-14
MAX_SPEED, MAX_SPIN, MAX_LOG, MAX_HEIGHT = 120.0, 2000.0, 1.5, 0.2
FILTER_STATE_DTYPE = np.dtype(
    [
        ("frames", np.int64),  # seen
        ("frames_since_start", np.int64),  # frames since it began
        ("consecutive_outliers", np.int64),  # frames in a row
        ("start_time", np.float64),  # s, time of the frame it began with
        ("last_contact_time", np.float64),  # s, time of the last contact
        ("start_estimate", np.float64, (UNKNOWNS,)),  # the likeliest state at the frame it began with, by the last fit
        ("x", np.float64, (UNKNOWNS,)),  # belief at the last frame: mean
        ("P", np.float64, (UNKNOWNS, UNKNOWNS)),  # and covariance
        ("noise", np.float64, (4,)),
        ("noise_sums", np.float64, (5,)),  # sums of variances met, and frames
        ("innovation", np.float64, (3,)),  # of the last frame, m
        ("innovation_sd", np.float64, (3,)),
        ("mahalanobis2", np.float64),  # of the innovation, in standard deviations
        ("inflation", np.float64),  # how many times less than a clean one the last frame counted
        ("recent_frames", np.float64, (HISTORY_FRAMES, 4)),  # the last frames, newest first: t, x, y, z
        ("trajectory", np.float64, (1, 6)),  # scratch
        ("jacobian", np.float64, (1, 3, UNKNOWNS)),
        ("tangent", np.float64, (columns.ROWS * C,)),
    ]
)


def make_filter_prior(sport):
    """The Start of a ball of this sport, seen by a tracker such as the sport's."""
    prior = sport_prior(sport)
    covariance = np.diag(1.0 / np.diag(prior.precision))
    covariance[:3, :3] = INITIAL_POSITION_SD**2 * np.eye(3)
    covariance[HEIGHT, HEIGHT] = HEIGHT_OFFSET_SD**2
    process_noise = PROCESS_NOISE_SD**2 * np.diag(covariance)
    fit_prior = prior._replace(precision=np.linalg.inv(covariance), height_offset_scale=0.0, pseudo_frames=0.0)
    return FilterPrior(
        prior.mean, covariance, prior.noise[:4], prior.min_variances, prior.max_variances, process_noise, fit_prior
    )


def new_filter_states(count):
    """Memories (B,) of balls of which nothing was seen."""
    return np.zeros(count, FILTER_STATE_DTYPE)


@kernel
def observe(sport, filter_prior, state, t, y):
    """Take a frame at t s, y (3,) m into memory m."""
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


@kernel
def store_frame(state, t, y):
    """Note a frame among the recent ones."""
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
    """Carry the belief on by dt s."""
    x, P, tangent = state.x, state.P, state.tangent
    launch, times = to_launch(x), np.full(1, dt)
    seed_unknowns(tangent, launch)
    flight = fly_ball(sport, launch, times, tangent, state.trajectory, state.jacobian, np.empty(0, CONTACT_DTYPE))
    if flight.last_contact_time > 0.0:
        state.last_contact_time = t - dt + flight.last_contact_time
    for i in range(3):
        x[i], x[3 + i], x[6 + i] = flight.position[i], flight.velocity[i], flight.spin[i]
    _propagate_covariance(tangent, P)
    for k in range(UNKNOWNS):
        P[k, k] += filter_prior.process_noise[k] * dt


@kernel
def _propagate_covariance(tangent, P):
    """Take a covariance P (16, 16) along with the state's columns, the first rows of s. Small for BLAS: by loops."""
    row, propagated = np.empty(UNKNOWNS), np.empty((9, UNKNOWNS))
    for i in range(9):
        row[:] = 0.0
        for k in range(UNKNOWNS):
            a = tangent[i * C + k]
            if a != 0.0:
                for j in range(UNKNOWNS):
                    row[j] += a * P[k, j]
        propagated[i] = row
    for i in range(9):
        for j in range(i + 1):
            a = 0.0
            for k in range(UNKNOWNS):
                a += propagated[i, k] * tangent[j * C + k]
            P[i, j] = P[j, i] = a
        for j in range(9, UNKNOWNS):
            P[i, j] = P[j, i] = propagated[i, j]


@kernel
def _update(state, y):
    """Weigh a frame y (3,) m against the belief, and move the belief."""
    x, P, noise = state.x, state.P, state.noise
    PHt, HPHt, R = (
        np.empty((UNKNOWNS, 3)),
        np.empty((3, 3)),
        np.empty((3, 3)),
    )  # H: the unknowns' covariance with what is seen
    for k in range(UNKNOWNS):
        PHt[k, 0], PHt[k, 1], PHt[k, 2] = P[k, 0], P[k, 1], P[k, 2] + P[k, HEIGHT]
    for i in range(3):
        for j in range(3):
            HPHt[i, j] = PHt[i, j] + (PHt[HEIGHT, j] if i == 2 else 0.0)
            R[i, j] = noise[3] * x[3 + i] * x[3 + j] + (noise[i] if i == j else 0.0)
    r = y[0] - x[0], y[1] - x[1], y[2] - x[2] - x[HEIGHT]
    inflation, S_inverse = 1.0, inverse3(HPHt, R, 1.0)
    weighted = matvec3(S_inverse, r)
    state.mahalanobis2 = dot(r, weighted)
    for i in range(3):
        state.innovation[i], state.innovation_sd[i] = r[i], math.sqrt(HPHt[i, i] + R[i, i])
    for _ in range(4):  # the residual that is left, against the sensor alone, says how far off the frame is
        squared_residual = inflation * inflation * dot(weighted, matvec3(R, weighted))
        next_inflation = max(1.0, (DEGREES_OF_FREEDOM + squared_residual) / (DEGREES_OF_FREEDOM + 3.0))
        if abs(next_inflation - inflation) < 0.02 * inflation:
            break
        inflation = next_inflation
        S_inverse = inverse3(HPHt, R, inflation)
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


@kernel
def _batch_refit(sport, filter_prior, state):
    """Fit all frames since it began together, and go on from there."""
    frames, noise, mean = (
        state.recent_frames[: state.frames_since_start][::-1].copy(),
        np.empty(5),
        filter_prior.mean.copy(),
    )
    noise[:4], noise[4] = state.noise, DEGREES_OF_FREEDOM
    mean[:3] = frames[0, 1:]
    fit_prior = filter_prior.prior
    prior = Prior(
        mean,
        fit_prior.precision,
        fit_prior.height_offset_scale,
        noise,
        fit_prior.min_variances,
        fit_prior.max_variances,
        fit_prior.pseudo_frames,
        fit_prior.outlier_rate,
    )
    t, y = np.ascontiguousarray(frames[:, 0]), np.ascontiguousarray(frames[:, 1:])
    fit = map_fit(sport, t, y, state.start_estimate, prior, MAX_FLIGHTS)
    for i in range(UNKNOWNS):
        if not fit.final_covariance[i, i] > 0.0:
            return
    state.start_estimate[:], state.x[:], state.P[:] = fit.x, fit.final, fit.final_covariance
    clamp(state.x)


@kernel
def clamp(x):
    """Keep unknowns to numbers that can be flown."""
    for i in range(3):
        x[3 + i] = min(max(x[3 + i], -MAX_SPEED), MAX_SPEED)
        x[6 + i] = min(max(x[6 + i], -MAX_SPIN), MAX_SPIN)
    for k in LOG_PARAMETERS:
        x[k] = min(max(x[k], -MAX_LOG), MAX_LOG)
    x[HEIGHT] = min(max(x[HEIGHT], -MAX_HEIGHT), MAX_HEIGHT)


@inlined
def matvec3(matrix, vector):
    """A x for A (3, 3) and a tuple of three."""
    return (
        matrix[0, 0] * vector[0] + matrix[0, 1] * vector[1] + matrix[0, 2] * vector[2],
        matrix[1, 0] * vector[0] + matrix[1, 1] * vector[1] + matrix[1, 2] * vector[2],
        matrix[2, 0] * vector[0] + matrix[2, 1] * vector[1] + matrix[2, 2] * vector[2],
    )


@kernel
def inverse3(HPHt, R, k):
    """The inverse of S + k R, both (3, 3) and symmetric."""
    a, b, c = HPHt[0, 0] + k * R[0, 0], HPHt[0, 1] + k * R[0, 1], HPHt[0, 2] + k * R[0, 2]
    d, e, f = HPHt[1, 1] + k * R[1, 1], HPHt[1, 2] + k * R[1, 2], HPHt[2, 2] + k * R[2, 2]
    p, q, r = d * f - e * e, c * e - b * f, b * e - c * d
    out, det = np.empty((3, 3)), a * p + b * q + c * r
    out[0, 0], out[0, 1], out[0, 2] = p / det, q / det, r / det
    out[1, 1], out[1, 2], out[2, 2] = (a * f - c * c) / det, (b * c - a * e) / det, (a * d - b * b) / det
    out[1, 0], out[2, 0], out[2, 1] = out[0, 1], out[0, 2], out[1, 2]
    return out


@kernel
def _adapt_noise(filter_prior, state, y):
    """Move the sensor's variances towards what a frame tells: expectation and maximisation, see likelihood.py."""
    x, P, noise, noise_sums = state.x, state.P, state.noise, state.noise_sums
    v, a, moments = x[3:6], np.empty(3), np.empty((3, 3))
    e = y - x[:3]
    e[2] -= x[HEIGHT]
    va = 0.0
    for i in range(3):
        for j in range(3):
            moments[i, j] = e[i] * e[j] + P[i, j]
        a[i] = v[i] / noise[i]
        va += v[i] * a[i]
    for i in range(3):
        moments[2, i] += P[HEIGHT, i]
        moments[i, 2] += P[i, HEIGHT]
    moments[2, 2] += P[HEIGHT, HEIGHT]
    var, weight, product = 1.0 / (1.0 / (noise[3] + 1e-14) + va), 1.0 / state.inflation, moments @ a
    delay = weight * var * var * (a @ product) + var
    for i in range(3):
        noise_sums[i] += weight * (moments[i, i] - 2.0 * v[i] * var * product[i]) + v[i] * v[i] * delay
    noise_sums[3] += delay
    noise_sums[4] += 1.0
    for i in range(4):
        variance = (noise_sums[i] + NOISE_PSEUDO_FRAMES * filter_prior.noise[i]) / (noise_sums[4] + NOISE_PSEUDO_FRAMES)
        noise[i] = min(max(variance, filter_prior.min_variances[i]), filter_prior.max_variances[i])
