"""What one pass over the frames tells of a ball: an extended Kalman filter on the simulator, compiled.

    memory = fresh(count)                        # (B,) records, one a ball, of constant size
    observe(place, start, memory[b], t, y)       # takes in a frame; memory[b].x, .P are then the belief at it

The unknowns are those of fit.py. The flight's own Jacobian carries the belief from frame to frame, through impacts too.
The sensor's variances are learnt on the way; frames far off count less, as Student's t has it. While the spin is not
known the law of lift is far from straight: a few times early on all frames since the start are fitted together. Where
several frames in a row are far off the ball has gone another way, and the filter begins again there.
It is a first guess, a Gaussian where the truth is bent: networks read it and say what it misses.
"""

import math
from collections import namedtuple

import numpy as np
from ballcast.models.estimation.fit import HEIGHT, LOGS, SIZE, Prior, fit, launch_of
from ballcast.models.predictors.physics import sport_prior
from ballcast.sim.jit import kernel, piece
from ballcast.sim.kernels import tangent as columns
from ballcast.sim.kernels.contact import dot
from ballcast.sim.kernels.flight import MET, fly
from ballcast.sim.kernels.tangent import C

# what a filter believes before it sees: mean (16,) and covariance (16, 16) of the unknowns; the sensor's variances
# (4,), m2 of the axes and s2 of the stamps, the least and greatest they can be; the variance that each unknown gains in
# a second; and the Prior of the fits
Start = namedtuple("Start", "mean covariance sensor least most wander prior")
# frames since it began, at which they are fitted together, in at most so many flights
FITS, FLIGHTS = (6, 12, 24, 36, 48, 60, 72, 84, 96), 8
RECENT = 97  # frames kept
DEGREES = 6.0  # of Student's t
SENSOR_FRAMES = 4.0  # that the sport's own sensor counts for
SETTLED = 3  # frames, before which residuals tell nothing of the sensor
STRANGE, STRANGERS = 6.0, 4  # a frame that counts so many times less is strange; so many in a row, and all begins anew
AWAY = 1.0  # m, standard deviation of the first place before it is seen
REGISTERED = 0.003  # m, standard deviation of the tracker's height
# what the unknowns wander in a second, in standard deviations of their first spread: spin times lift bends the law of
# what is believed, and a Gaussian of it grows too sure unless it is shaken
WANDER = np.array([0.0] * 3 + [1e-3] * 3 + [0.3] * 3 + [0.01, 0.4, 0.01, 0.01] + [0.01] * 2 + [0.01])
LEAST_VARIANCE = 1e-14
MOST_SPEED, MOST_SPIN, MOST_LOG, MOST_HEIGHT = 120.0, 2000.0, 1.5, 0.2
MEMORY = np.dtype(
    [
        ("frames", np.int64),  # seen
        ("fresh", np.int64),  # frames since it began
        ("strange", np.int64),  # frames in a row
        ("since", np.float64),  # s, time of the frame it began with
        ("contact", np.float64),  # s, time of the last contact
        ("first", np.float64, (SIZE,)),  # the likeliest state at the frame it began with, by the last fit
        ("x", np.float64, (SIZE,)),  # belief at the last frame: mean
        ("P", np.float64, (SIZE, SIZE)),  # and covariance
        ("sensor", np.float64, (4,)),
        ("tally", np.float64, (5,)),  # sums of variances met, and frames
        ("innovation", np.float64, (3,)),  # of the last frame, m
        ("innovation_sd", np.float64, (3,)),
        ("square", np.float64),  # of the innovation, in standard deviations
        ("widened", np.float64),  # how many times less than a clean one the last frame counted
        ("recent", np.float64, (RECENT, 4)),  # the last frames, newest first: t, x, y, z
        ("path", np.float64, (1, 6)),  # scratch
        ("jacobian", np.float64, (1, 3, SIZE)),
        ("columns", np.float64, (columns.ROWS * C,)),
    ]
)


def start_of(sport):
    """The Start of a ball of this sport, seen by a tracker such as the sport's."""
    prior = sport_prior(sport)
    covariance = np.diag(1.0 / np.diag(prior.precision))
    covariance[:3, :3] = AWAY**2 * np.eye(3)
    covariance[HEIGHT, HEIGHT] = REGISTERED**2
    wander = WANDER**2 * np.diag(covariance)
    told = prior._replace(precision=np.linalg.inv(covariance), registered=0.0, weight=0.0)
    return Start(prior.mean, covariance, prior.sensor[:4], prior.least, prior.most, wander, told)


def fresh(count):
    """Memories (B,) of balls of which nothing was seen."""
    return np.zeros(count, MEMORY)


@kernel
def observe(place, start, m, t, y):
    """Take a frame at t s, y (3,) m into memory m."""
    if m.frames == 0:
        _begin(start, m, t, y)
        m.sensor[:] = start.sensor
        m.tally[:] = 0.0
    else:
        _predict(place, start, m, t - m.recent[0, 0], t)
    _update(m, y)
    m.strange = m.strange + 1 if m.widened > STRANGE else 0
    if m.strange >= STRANGERS:
        _begin(start, m, t, y)
        _update(m, y)
    elif m.frames >= SETTLED:
        _learn(start, m, y)
    keep(m, t, y)
    m.fresh += 1
    for count in FITS:
        if m.fresh == count:
            _fit(place, start, m)


@kernel
def keep(m, t, y):
    """Note a frame among the recent ones."""
    m.frames += 1
    m.recent[1:] = m.recent[:-1].copy()
    m.recent[0, 0] = t
    m.recent[0, 1:] = y


@kernel
def _begin(start, m, t, y):
    m.x[:] = start.mean
    m.P[:] = start.covariance
    m.strange, m.fresh, m.since, m.contact = 0, 0, t, -np.inf
    for i in range(3):
        m.x[i] = y[i]
    m.first[:] = m.x


@kernel
def _predict(place, start, m, dt, t):
    """Carry the belief on by dt s."""
    x, P, s = m.x, m.P, m.columns
    row, times = launch_of(x), np.full(1, dt)
    columns.unit(s)
    for k, factor in ((0, row[9]), (1, row[10]), (2, row[13]), (3, row[14])):
        s[(columns.OWN + k) * C + LOGS + k] = factor  # by the logarithm
    flight = fly(place, row, times, s, m.path, m.jacobian, np.empty((0, MET)))
    if flight[4] > 0.0:
        m.contact = t - dt + flight[4]
    for i in range(3):
        x[i], x[3 + i], x[6 + i] = flight[0][i], flight[1][i], flight[2][i]
    _carry(s, P)
    for k in range(SIZE):
        P[k, k] += start.wander[k] * dt


@kernel
def _carry(s, P):
    """Take a covariance P (16, 16) along with the state's columns, the first rows of s. Small for BLAS: by loops."""
    row, carried = np.empty(SIZE), np.empty((9, SIZE))
    for i in range(9):
        row[:] = 0.0
        for k in range(SIZE):
            a = s[i * C + k]
            if a != 0.0:
                for j in range(SIZE):
                    row[j] += a * P[k, j]
        carried[i] = row
    for i in range(9):
        for j in range(i + 1):
            a = 0.0
            for k in range(SIZE):
                a += carried[i, k] * s[j * C + k]
            P[i, j] = P[j, i] = a
        for j in range(9, SIZE):
            P[i, j] = P[j, i] = carried[i, j]


@kernel
def _update(m, y):
    """Weigh a frame y (3,) m against the belief, and move the belief."""
    x, P, sensor = m.x, m.P, m.sensor
    H, S, R = np.empty((SIZE, 3)), np.empty((3, 3)), np.empty((3, 3))  # H: the unknowns' covariance with what is seen
    for k in range(SIZE):
        H[k, 0], H[k, 1], H[k, 2] = P[k, 0], P[k, 1], P[k, 2] + P[k, HEIGHT]
    for i in range(3):
        for j in range(3):
            S[i, j] = H[i, j] + (H[HEIGHT, j] if i == 2 else 0.0)
            R[i, j] = sensor[3] * x[3 + i] * x[3 + j] + (sensor[i] if i == j else 0.0)
    r = y[0] - x[0], y[1] - x[1], y[2] - x[2] - x[HEIGHT]
    widened, G = 1.0, inverse3(S, R, 1.0)
    g = times3(G, r)
    m.square = dot(r, g)
    for i in range(3):
        m.innovation[i], m.innovation_sd[i] = r[i], math.sqrt(S[i, i] + R[i, i])
    for _ in range(4):  # the residual that is left, against the sensor alone, says how far off the frame is
        square = widened * widened * dot(g, times3(R, g))
        wider = max(1.0, (DEGREES + square) / (DEGREES + 3.0))
        if abs(wider - widened) < 0.02 * widened:
            break
        widened = wider
        G = inverse3(S, R, widened)
        g = times3(G, r)
    for k in range(SIZE):
        x[k] += H[k, 0] * g[0] + H[k, 1] * g[1] + H[k, 2] * g[2]
        a, b, c = times3(G, (H[k, 0], H[k, 1], H[k, 2]))
        for i in range(SIZE):
            P[k, i] -= a * H[i, 0] + b * H[i, 1] + c * H[i, 2]
        P[k, k] = max(P[k, k], LEAST_VARIANCE)
        for i in range(k):
            P[i, k] = P[k, i] = 0.5 * (P[i, k] + P[k, i])
    m.widened = widened
    hold(x)


@kernel
def _fit(place, start, m):
    """Fit all frames since it began together, and go on from there."""
    frames, sensor, mean = m.recent[: m.fresh][::-1].copy(), np.empty(5), start.mean.copy()
    sensor[:4], sensor[4] = m.sensor, DEGREES
    mean[:3] = frames[0, 1:]
    p = start.prior
    prior = Prior(mean, p.precision, p.registered, sensor, p.least, p.most, p.weight, p.outliers)
    t, y = np.ascontiguousarray(frames[:, 0]), np.ascontiguousarray(frames[:, 1:])
    found = fit(place, t, y, m.first, prior, FLIGHTS)
    for i in range(SIZE):
        if not found.last_covariance[i, i] > 0.0:
            return
    m.first[:], m.x[:], m.P[:] = found.x, found.last, found.last_covariance
    hold(m.x)


@kernel
def hold(x):
    """Keep unknowns to numbers that can be flown."""
    for i in range(3):
        x[3 + i] = min(max(x[3 + i], -MOST_SPEED), MOST_SPEED)
        x[6 + i] = min(max(x[6 + i], -MOST_SPIN), MOST_SPIN)
    for k in range(LOGS, LOGS + 4):
        x[k] = min(max(x[k], -MOST_LOG), MOST_LOG)
    x[HEIGHT] = min(max(x[HEIGHT], -MOST_HEIGHT), MOST_HEIGHT)


@piece
def times3(A, x):
    """A x for A (3, 3) and a tuple of three."""
    return (
        A[0, 0] * x[0] + A[0, 1] * x[1] + A[0, 2] * x[2],
        A[1, 0] * x[0] + A[1, 1] * x[1] + A[1, 2] * x[2],
        A[2, 0] * x[0] + A[2, 1] * x[1] + A[2, 2] * x[2],
    )


@kernel
def inverse3(S, R, k):
    """The inverse of S + k R, both (3, 3) and symmetric."""
    a, b, c = S[0, 0] + k * R[0, 0], S[0, 1] + k * R[0, 1], S[0, 2] + k * R[0, 2]
    d, e, f = S[1, 1] + k * R[1, 1], S[1, 2] + k * R[1, 2], S[2, 2] + k * R[2, 2]
    p, q, r = d * f - e * e, c * e - b * f, b * e - c * d
    A, det = np.empty((3, 3)), a * p + b * q + c * r
    A[0, 0], A[0, 1], A[0, 2] = p / det, q / det, r / det
    A[1, 1], A[1, 2], A[2, 2] = (a * f - c * c) / det, (b * c - a * e) / det, (a * d - b * b) / det
    A[1, 0], A[2, 0], A[2, 1] = A[0, 1], A[0, 2], A[1, 2]
    return A


@kernel
def _learn(start, m, y):
    """Move the sensor's variances towards what a frame tells: expectation and maximisation, see likelihood.py."""
    x, P, sensor, tally = m.x, m.P, m.sensor, m.tally
    v, a, R = x[3:6], np.empty(3), np.empty((3, 3))
    e = y - x[:3]
    e[2] -= x[HEIGHT]
    va = 0.0
    for i in range(3):
        for j in range(3):
            R[i, j] = e[i] * e[j] + P[i, j]
        a[i] = v[i] / sensor[i]
        va += v[i] * a[i]
    for i in range(3):
        R[2, i] += P[HEIGHT, i]
        R[i, 2] += P[i, HEIGHT]
    R[2, 2] += P[HEIGHT, HEIGHT]
    var, weight, Ra = 1.0 / (1.0 / (sensor[3] + 1e-14) + va), 1.0 / m.widened, R @ a
    delay = weight * var * var * (a @ Ra) + var
    for i in range(3):
        tally[i] += weight * (R[i, i] - 2.0 * v[i] * var * Ra[i]) + v[i] * v[i] * delay
    tally[3] += delay
    tally[4] += 1.0
    for i in range(4):
        found = (tally[i] + SENSOR_FRAMES * start.sensor[i]) / (tally[4] + SENSOR_FRAMES)
        sensor[i] = min(max(found, start.least[i]), start.most[i])
