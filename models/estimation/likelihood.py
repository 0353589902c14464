"""How likely frames are on a flight, and what they tell of the sensor: noise, jitter, tails, outliers. Compiled.

A frame errs by noise of its axes and by the jitter of its time stamp, along the flight. Beyond a share of outliers,
spread far and wide, residuals follow Student's t, whose degrees of freedom say how heavy the tails are.
A sensor is the variances of the axes (m2) and of the time stamps (s2), and the degrees of freedom, (5,).
"""

import math

import numpy as np
from ballcast.sim.jit import kernel, piece

ROUNDS, LEARNT = 3, 0.15  # of one lesson; the change (of a logarithm) that calls for another
NORMAL = 1e3  # degrees of freedom, from where Student's t is the normal law
TAILS = np.array([2.0, 4.0, 8.0, 30.0])
OUTLYING = 40.0  # a squared residual that tells nothing of the tails
OUTLIER_DENSITY = 4.0  # per m3: outliers spread over a ball of radius 0.4 m


@kernel
def weigh(path, jacobian, y, sensor, outliers, weights, squares, A, g):
    """Cost of frames y (T, 3) at a flight; its gradient and Gauss-Newton Hessian are added to g (16,) and A (16, 16).

    Into weights (T,) goes by how much each frame counts, into squares (T,) its squared residual in standard deviations.
    """
    cost, size = 0.0, len(g)
    rows, left, e = np.empty((3 * len(y), size)), np.empty(3 * len(y)), np.empty(3)
    scale, degrees = 1.0 / np.sqrt(sensor[:3]), sensor[4]
    spread = 0.5 * np.log(sensor[:3]).sum() + _normaliser(degrees)
    for n in range(len(y)):
        r, ee, er, rr = left[3 * n : 3 * n + 3], 0.0, 0.0, 0.0
        for i in range(3):
            e[i], r[i] = path[n, 3 + i] * scale[i], (path[n, i] - y[n, i]) * scale[i]
            ee, er, rr = ee + e[i] * e[i], er + e[i] * r[i], rr + r[i] * r[i]
        widened = 1.0 + sensor[3] * ee
        z = rr - sensor[3] * er * er / widened
        weight, loss = _weight(z, degrees, outliers, spread + 0.5 * math.log(widened))
        weights[n], squares[n], cost = weight, z, cost + loss
        root = math.sqrt(weight)
        gain = root * (1.0 / math.sqrt(widened) - 1.0) / (ee + 1e-30)
        for i in range(3):
            r[i] = root * r[i] + gain * er * e[i]
        for j in range(size):
            a, b, d = scale[0] * jacobian[n, 0, j], scale[1] * jacobian[n, 1, j], scale[2] * jacobian[n, 2, j]
            along = gain * (e[0] * a + e[1] * b + e[2] * d)
            rows[3 * n, j] = root * a + along * e[0]
            rows[3 * n + 1, j] = root * b + along * e[1]
            rows[3 * n + 2, j] = root * d + along * e[2]
    A += rows.T @ rows
    g += rows.T @ left
    return cost


@kernel
def _normaliser(degrees):
    """What minus the log of a density of three numbers of unit scale has beside its exponent."""
    if degrees > NORMAL:
        return 1.5 * math.log(2.0 * math.pi)
    return math.lgamma(0.5 * degrees) - math.lgamma(0.5 * degrees + 1.5) + 1.5 * math.log(degrees * math.pi)


@piece
def _weight(z, degrees, outliers, spread):
    """(weight, loss) of a frame whose whitened residual has the square z; spread: what its loss is beside that."""
    weight, near = 1.0, math.log(1.0 - outliers) - spread
    if degrees > NORMAL:
        near -= 0.5 * z
    else:
        weight, near = (degrees + 3.0) / (degrees + z), near - 0.5 * (degrees + 3.0) * math.log1p(z / degrees)
    far = math.log(outliers * OUTLIER_DENSITY + 1e-30)
    top = max(near, far)
    whole = top + math.log(math.exp(near - top) + math.exp(far - top))
    return weight * math.exp(near - whole), -whole


@kernel
def tails(squares):
    """The degrees of freedom among TAILS that make squared residuals (T,) likeliest, each at its best scale."""
    best, chosen = -math.inf, TAILS[0]
    for degrees in TAILS:
        scale, likelihood = 1.0, 0.0
        for _ in range(4):
            total, count, likelihood = 0.0, 0.0, 0.0
            for z in squares:
                if z < OUTLYING:
                    total += z * (degrees + 3.0) / (degrees + z / scale)
                    count += 3.0
                    likelihood -= 0.5 * (degrees + 3.0) * math.log1p(z / (scale * degrees)) + 1.5 * math.log(scale)
            likelihood -= count / 3.0 * _normaliser(degrees)
            scale = max(total / max(count, 1.0), 1e-6)
        if likelihood > best:
            best, chosen = likelihood, degrees
    return chosen


@kernel
def _spread_of(path, jacobian, y, covariance):
    """Second moments (T, 3, 3) of what separates frames and flight, that of the unknowns included."""
    R = np.empty((len(y), 3, 3))
    JC = (jacobian.reshape((3 * len(y), len(covariance))) @ covariance).reshape(jacobian.shape)
    for n in range(len(y)):
        for i in range(3):
            for j in range(i + 1):
                a = (path[n, i] - y[n, i]) * (path[n, j] - y[n, j])
                for k in range(len(covariance)):
                    a += JC[n, i, k] * jacobian[n, j, k]
                R[n, i, j] = R[n, j, i] = a
    return R


@kernel
def learn(path, jacobian, y, weights, covariance, prior, sensor):
    """Move the sensor's variances towards what the residuals tell; whether there is more to learn.

    Expectation and maximisation: what is expected of a frame is the delay of its stamp, given what separates it from
    the flight.
    """
    R, a, found, before = _spread_of(path, jacobian, y, covariance), np.empty(3), np.empty(4), sensor.copy()
    for _ in range(ROUNDS):
        found[:] = prior.weight * prior.sensor[:4]
        for n in range(len(y)):
            va = 0.0
            for i in range(3):
                a[i] = path[n, 3 + i] / sensor[i]
                va += path[n, 3 + i] * a[i]
            var, aRa = 1.0 / (1.0 / (sensor[3] + 1e-14) + va), 0.0
            for i in range(3):
                for j in range(3):
                    aRa += a[i] * R[n, i, j] * a[j]
            delay = weights[n] * var * var * aRa + var
            found[3] += delay
            for i in range(3):
                Ra = R[n, i, 0] * a[0] + R[n, i, 1] * a[1] + R[n, i, 2] * a[2]
                v = path[n, 3 + i]
                found[i] += weights[n] * (R[n, i, i] - 2.0 * v * var * Ra) + v * v * delay
        for i in range(4):
            sensor[i] = min(max(found[i] / (prior.weight + len(y)), prior.least[i]), prior.most[i])
    change = 0.0
    for i in range(4):
        change = max(change, abs(math.log(sensor[i] / before[i])))
    return change > LEARNT
