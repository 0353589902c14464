"""The state, at the first of some frames, that explains them best: maximum a posteriori on the simulator, compiled.

Unknown are position, velocity, spin, the ball's own parameters and the height at which the tracker sees the place.
Levenberg and Marquardt's method on the flight's own Jacobian; the prior is a Gaussian. The sensor is learnt with the
rest (likelihood.py), unless it is told. While the flight is still far from the frames the sensor is doubted, or every
frame beyond a contact that is not yet found would look like an outlier.
"""

import math
from collections import namedtuple

import numpy as np
from ballcast.models.estimation.likelihood import learn, tails, weigh
from ballcast.models.estimation.linear import cholesky, inverse, solve
from ballcast.sim.jit import kernel
from ballcast.sim.kernels import tangent as columns
from ballcast.sim.kernels.flight import MET, fly
from ballcast.sim.kernels.tangent import C

# unknowns: position (m), velocity (m/s), spin (rad/s), drag, lift, restitution, friction (logarithms), wind (m/s),
# height (m)
SIZE, LOGS, HEIGHT = 16, 9, 15
# what a fit believes before it sees: mean (16,) and precision (16, 16) of the unknowns; the height beyond which half of
# all trackers see the place (m, Cauchy's law; 0: the precision says it all); the sensor (5,), least and greatest of its
# variances (4,), for how many frames that counts (0: it is told), and the share of outliers
Prior = namedtuple("Prior", "mean precision registered sensor least most weight outliers")
# what a fit finds: unknowns (16,) and their covariance (16, 16) at the first frame, and at the last; weights of the
# frames (T,); the sensor (5,); cost (minus log-likelihood); when the ball first and last met a surface (s from the
# first frame; inf, -inf: never)
Fit = namedtuple("Fit", "x covariance last last_covariance weights sensor cost first_contact last_contact")
LESSONS = 5  # of learning the sensor, at most
DAMPING, LEAST_DAMPING, MOST_DAMPING = 1e-3, 1e-7, 1e8
NINE_IN_TEN = 6.25  # of squared residuals of three numbers are less
STOP = 4e-3  # a step that promises to lessen the cost by less is the last


@kernel
def launch_of(x):
    """The row of a launch (see engine.launch_rows) of unknowns (16,)."""
    row = np.empty(15)
    row[:9] = x[:9]
    row[9], row[10], row[11], row[12] = math.exp(x[9]), math.exp(x[10]), x[13], x[14]
    row[13], row[14] = math.exp(x[11]), math.exp(x[12])
    return row


@kernel
def _flown(place, x, t, s, path, jacobian):
    """Fly the unknowns: path (T, 6), jacobian (T, 3, 16) of what is seen by the unknowns; see sensitivity.fly."""
    row = launch_of(x)
    columns.unit(s)
    for k, factor in ((0, row[9]), (1, row[10]), (2, row[13]), (3, row[14])):
        s[(columns.OWN + k) * C + LOGS + k] = factor  # by the logarithm
    flight = fly(place, row, t, s, path, jacobian, np.empty((0, MET)))
    for n in range(len(t)):
        path[n, 2] += x[HEIGHT]
        jacobian[n, 2, HEIGHT] = 1.0
    return flight


@kernel
def _believe(x, prior, A, g):
    """Cost of the prior, its gradient g (16,) and Hessian A (16, 16)."""
    off = x - prior.mean
    A[:] = prior.precision
    g[:] = A @ off
    cost = 0.5 * np.dot(off, g)
    if prior.registered > 0.0:
        a, h = 1.0 / prior.registered**2, x[HEIGHT]
        A[HEIGHT, HEIGHT] += 2.0 * a / (1.0 + a * h * h)
        g[HEIGHT] += 2.0 * a / (1.0 + a * h * h) * h
        cost += math.log1p(a * h * h)
    return cost


@kernel
def _cost(path, jacobian, y, x, prior, sensor, weights, squares, A, g):
    cost = _believe(x, prior, A, g)
    return cost + weigh(path, jacobian, y, sensor, prior.outliers, weights, squares, A, g)


@kernel
def fit(place, t, y, x, prior, most):
    """The Fit to frames t (T,) s and y (T, 3) m, begun at unknowns x (16,), in at most so many flights.

    place: sensitivity.surroundings; prior: a Prior.
    """
    t, x, count, sensor = t - t[0], x.copy(), len(t), prior.sensor.copy()
    s, s1 = np.zeros(columns.ROWS * C), np.zeros(columns.ROWS * C)
    path, path1 = np.empty((count, 6)), np.empty((count, 6))
    jacobian, jacobian1 = np.empty((count, 3, SIZE)), np.empty((count, 3, SIZE))
    weights, weights1, squares, squares1 = np.empty(count), np.empty(count), np.empty(count), np.empty(count)
    A, A1, g, g1 = np.empty((SIZE, SIZE)), np.empty((SIZE, SIZE)), np.empty(SIZE), np.empty(SIZE)
    flight = _flown(place, x, t, s, path, jacobian)
    cost = _cost(path, jacobian, y, x, prior, sensor, weights, squares, A, g)
    doubt, damping, lessons = _doubt(squares, math.inf), DAMPING, LESSONS if prior.weight > 0.0 else 0
    doubted = _doubted(sensor, doubt)
    if doubt > 1.0:
        cost = _cost(path, jacobian, y, x, prior, doubted, weights, squares, A, g)
    for _ in range(most):
        step, promise = _step(A, g, damping)
        moved, settled = False, not promise > STOP
        if settled and doubt == 1.0 and lessons == 0:
            break
        if not settled:
            x1 = _within(x - step)
            flight1 = _flown(place, x1, t, s1, path1, jacobian1)
            cost1 = _cost(path1, jacobian1, y, x1, prior, doubted, weights1, squares1, A1, g1)
            moved = cost1 < cost
            damping = max(0.1 * damping, LEAST_DAMPING) if moved else 10.0 * damping
        if moved:
            x, flight, cost = x1, flight1, cost1
            s, s1, path, path1, jacobian, jacobian1 = s1, s, path1, path, jacobian1, jacobian
            weights, weights1, squares, squares1 = weights1, weights, squares1, squares
            A, A1, g, g1 = A1, A, g1, g
        if (moved or settled) and (doubt > 1.0 or lessons > 0):  # else the sensor stays what it is, and so the cost
            doubt = _doubt(squares * doubt, doubt) if doubt > 1.0 else 1.0
            if doubt == 1.0 and lessons > 0:
                sensor[4] = tails(squares)
                more = learn(path, jacobian, y, weights, inverse(A), prior, sensor)
                lessons = lessons - 1 if more else 0
            doubted = _doubted(sensor, doubt)
            cost = _cost(path, jacobian, y, x, prior, doubted, weights, squares, A, g)
        elif not moved and damping > MOST_DAMPING:
            break
    covariance = inverse(A) * (sensor[4] + 5.0) / (sensor[4] + 3.0)  # of Student's t the weighted Hessian says too much
    last, M = _moved(x, flight, s)
    return Fit(x, covariance, last, M @ covariance @ M.T, weights, sensor, cost, flight[3], flight[4])


@kernel
def _doubt(squares, before):
    """By how much to widen the sensor so that nine in ten frames count: half of what it was `before`, at most."""
    far = np.sort(squares)[int(0.9 * (len(squares) - 1))] / NINE_IN_TEN
    return max(1.0, min(far, 0.5 * before))


@kernel
def _doubted(sensor, doubt):
    wide = doubt * sensor
    wide[4] = sensor[4]
    return wide


@kernel
def _step(A, g, damping):
    """(step, by how much it promises to lessen the cost) of Levenberg and Marquardt; NaN where there is none."""
    L, B, D = np.empty((SIZE, SIZE)), np.empty((SIZE, SIZE)), np.empty(SIZE)
    for i in range(SIZE):
        D[i] = 1.0 / math.sqrt(A[i, i])
    for i in range(SIZE):
        for j in range(SIZE):
            B[i, j] = A[i, j] * D[i] * D[j]
        B[i, i] += damping
    if not cholesky(B, L):
        return g, math.nan
    step = D * solve(L, D * g)
    return step, 0.5 * np.dot(g, step)


@kernel
def _within(x):
    """The unknowns, kept to numbers that can be flown."""
    for k in range(LOGS, LOGS + 4):
        x[k] = min(max(x[k], -2.5), 2.5)
    for k in range(3, 9):
        most = 100.0 if k < 6 else 2000.0
        x[k] = min(max(x[k], -most), most)
    return x


@kernel
def _moved(x, flight, s):
    """The unknowns (16,) at the end of a flight, and how they change with those at its start, (16, 16)."""
    last, M = x.copy(), np.eye(SIZE)
    for i in range(3):
        last[i], last[3 + i], last[6 + i] = flight[0][i], flight[1][i], flight[2][i]
    for i in range(9):
        for j in range(SIZE):
            M[i, j] = s[i * C + j]
    return last, M


@kernel
def absorb(place, t, y, cut, found, prior):
    """Mean (16,) and precision (16, 16) at frame `cut` by the frames before it: the rest of a Fit may go on from there.

    Linear about the Fit; a little is added to the covariance, since a flight is never known to the last digit.
    """
    times = t[: cut + 1] - t[0]
    s, path, jacobian = np.zeros(columns.ROWS * C), np.empty((cut + 1, 6)), np.empty((cut + 1, 3, SIZE))
    weights, squares, A, g = np.empty(cut), np.empty(cut), np.empty((SIZE, SIZE)), np.empty(SIZE)
    flight = _flown(place, found.x, times, s, path, jacobian)
    _cost(path[:cut], jacobian[:cut], y[:cut], found.x, prior, found.sensor, weights, squares, A, g)
    covariance = inverse(A)
    last, M = _moved(found.x, flight, s)
    mean = last - M @ (covariance @ g)
    covariance = M @ covariance @ M.T
    for i in range(SIZE):
        covariance[i, i] += WANDER[i]
    return mean, inverse(covariance)


# m, m/s, rad/s, logarithms, m/s, m
WANDER = np.repeat([5e-4, 2e-2, 2.0, 1e-2, 1e-2, 1e-4], [3, 3, 3, 4, 2, 1]) ** 2
