"""The likelihood of frames given a flight, and the sensor's noise estimated from their residuals. Compiled.

A frame has noise in its three axes and jitter in its time stamp, which acts along the velocity. Residuals follow
Student's t, whose degrees of freedom say how heavy the tails are; a small fraction are outliers, spread evenly.
`noise` (5,) holds the variances of the axes (m2) and of the time stamps (s2), and the degrees of freedom.
"""

import math

import numpy as np

from ballcast.models.estimation.linear import matvec3
from ballcast.sim.jit import inlined, kernel
from ballcast.sim.kernels.vectors import dot

EM_ITERATIONS, EM_TOLERANCE = 3, 0.15  # of one round; the change (of a logarithm) that needs another round
GAUSSIAN_DEGREES = 1e3  # degrees of freedom above which Student's t is taken as the normal distribution
DEGREES_GRID = (2.0, 4.0, 8.0, 30.0)
OUTLIER_CUTOFF = 40.0  # a larger squared residual is an outlier's, and says nothing of the tails
OUTLIER_DENSITY = 4.0  # per m3: outliers are spread over a sphere of radius 0.4 m


@kernel
def accumulate_normal_equations(
    trajectory, jacobian, y, noise, outlier_rate, weights, squared_residuals, hessian, gradient
):
    """The cost (minus log-likelihood) of frames y (T, 3) m given a linearised flight.

    Its gradient is added to `gradient` (16,), its Gauss-Newton Hessian to `hessian` (16, 16). Fills weights (T,) with
    the robust weight of each frame, squared_residuals (T,) with squared residuals in standard deviations.
    """
    cost, size = 0.0, len(gradient)
    rows, residuals, v = np.empty((3 * len(y), size)), np.empty(3 * len(y)), np.empty(3)
    scale, degrees = 1.0 / np.sqrt(noise[:3]), noise[4]
    log_normaliser = 0.5 * np.log(noise[:3]).sum() + _normaliser(degrees)
    for n in range(len(y)):
        r, vv, vr, rr = residuals[3 * n : 3 * n + 3], 0.0, 0.0, 0.0
        for i in range(3):
            v[i], r[i] = trajectory[n, 3 + i] * scale[i], (trajectory[n, i] - y[n, i]) * scale[i]
            vv, vr, rr = vv + v[i] * v[i], vr + v[i] * r[i], rr + r[i] * r[i]
        inflation = 1.0 + noise[3] * vv
        z = rr - noise[3] * vr * vr / inflation
        weight, loss = _robust_weight(z, degrees, outlier_rate, log_normaliser + 0.5 * math.log(inflation))
        weights[n], squared_residuals[n], cost = weight, z, cost + loss
        sqrt_weight = math.sqrt(weight)
        gain = sqrt_weight * (1.0 / math.sqrt(inflation) - 1.0) / (vv + 1e-30)
        for i in range(3):
            r[i] = sqrt_weight * r[i] + gain * vr * v[i]
        for j in range(size):
            a, b, d = scale[0] * jacobian[n, 0, j], scale[1] * jacobian[n, 1, j], scale[2] * jacobian[n, 2, j]
            along = gain * (v[0] * a + v[1] * b + v[2] * d)
            rows[3 * n, j] = sqrt_weight * a + along * v[0]
            rows[3 * n + 1, j] = sqrt_weight * b + along * v[1]
            rows[3 * n + 2, j] = sqrt_weight * d + along * v[2]
    hessian += rows.T @ rows
    gradient += rows.T @ residuals
    return cost


@kernel
def _normaliser(degrees):
    """Minus the logarithm of the normalisation of Student's t in three dimensions, at unit scale."""
    if degrees > GAUSSIAN_DEGREES:
        return 1.5 * math.log(2.0 * math.pi)
    return math.lgamma(0.5 * degrees) - math.lgamma(0.5 * degrees + 1.5) + 1.5 * math.log(degrees * math.pi)


@inlined
def _robust_weight(z, degrees, outlier_rate, log_normaliser):
    """(weight, loss) of a frame whose whitened residual has the square z."""
    weight, log_inlier = 1.0, math.log(1.0 - outlier_rate) - log_normaliser
    if degrees > GAUSSIAN_DEGREES:
        log_inlier -= 0.5 * z
    else:
        weight = (degrees + 3.0) / (degrees + z)
        log_inlier -= 0.5 * (degrees + 3.0) * math.log1p(z / degrees)
    log_outlier = math.log(outlier_rate * OUTLIER_DENSITY + 1e-30)
    top = max(log_inlier, log_outlier)
    log_total = top + math.log(math.exp(log_inlier - top) + math.exp(log_outlier - top))
    return weight * math.exp(log_inlier - log_total), -log_total


@kernel
def estimate_degrees_of_freedom(squared_residuals):
    """The degrees of freedom in DEGREES_GRID that make squared residuals (T,) most likely, each at its best scale."""
    best, chosen = -math.inf, DEGREES_GRID[0]
    for degrees in DEGREES_GRID:
        scale, likelihood = 1.0, 0.0
        for _ in range(4):
            total, count, likelihood = 0.0, 0.0, 0.0
            for z in squared_residuals:
                if z < OUTLIER_CUTOFF:
                    total += z * (degrees + 3.0) / (degrees + z / scale)
                    count += 3.0
                    likelihood -= 0.5 * (degrees + 3.0) * math.log1p(z / (scale * degrees)) + 1.5 * math.log(scale)
            likelihood -= count / 3.0 * _normaliser(degrees)
            scale = max(total / max(count, 1.0), 1e-6)
        if likelihood > best:
            best, chosen = likelihood, degrees
    return chosen


@kernel
def _residual_second_moments(trajectory, jacobian, y, covariance):
    """Second moments (T, 3, 3) of the residuals, with the uncertainty of the flight included."""
    moments = np.empty((len(y), 3, 3))
    JC = (jacobian.reshape((3 * len(y), len(covariance))) @ covariance).reshape(jacobian.shape)
    for n in range(len(y)):
        for i in range(3):
            for j in range(i + 1):
                a = (trajectory[n, i] - y[n, i]) * (trajectory[n, j] - y[n, j])
                for k in range(len(covariance)):
                    a += JC[n, i, k] * jacobian[n, j, k]
                moments[n, i, j] = moments[n, j, i] = a
    return moments


@inlined
def add_expected_variances(v, moments, weight, noise, sums):
    """Add one frame's expected squares of noise to sums (4,): of the axes, and of the time stamp's delay.

    v (3,) m/s: velocity; moments (3, 3) m2: second moments of the residual; weight: the frame's robust weight.
    """
    a = v[0] / noise[0], v[1] / noise[1], v[2] / noise[2]
    product = matvec3(moments, a)
    variance = 1.0 / (1.0 / (noise[3] + 1e-14) + dot(v, a))
    delay = weight * variance * variance * dot(a, product) + variance
    for i in range(3):
        sums[i] += weight * (moments[i, i] - 2.0 * v[i] * variance * product[i]) + v[i] * v[i] * delay
    sums[3] += delay


@kernel
def estimate_noise(trajectory, jacobian, y, weights, covariance, prior, noise):
    """Update the variances in `noise` from the residuals; returns whether they still change.

    Expectation-maximisation: the hidden variable of a frame is the delay of its time stamp.
    """
    moments = _residual_second_moments(trajectory, jacobian, y, covariance)
    sums, before = np.empty(4), noise.copy()
    for _ in range(EM_ITERATIONS):
        sums[:] = prior.pseudo_frames * prior.noise[:4]
        for n in range(len(y)):
            add_expected_variances(trajectory[n, 3:], moments[n], weights[n], noise, sums)
        for i in range(4):
            variance = sums[i] / (prior.pseudo_frames + len(y))
            noise[i] = min(max(variance, prior.min_variances[i]), prior.max_variances[i])
    change = 0.0
    for i in range(4):
        change = max(change, abs(math.log(noise[i] / before[i])))
    return change > EM_TOLERANCE
