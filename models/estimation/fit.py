"""The state, at the first of some frames, that explains them best: maximum a posteriori on the simulator, compiled.

Unknown are position, velocity, spin, the ball's own parameters and the height at which the tracker sees the place.
Levenberg and Marquardt's method on the flight's own Jacobian; the prior is a Gaussian. The sensor is learnt with the
rest (likelihood.py), unless it is told. While the flight is still far from the frames the sensor is doubted, or every
frame beyond a contact that is not yet found would look like an outlier.
"""

import math
from collections import namedtuple

import numpy as np

from ballcast.models.estimation.likelihood import (
    accumulate_normal_equations,
    estimate_degrees_of_freedom,
    estimate_noise,
)
from ballcast.models.estimation.linear import cholesky, cholesky_solve, spd_inverse
from ballcast.sim.jit import kernel
from ballcast.sim.kernels import tangent as columns
from ballcast.sim.kernels.flight import fly_ball
from ballcast.sim.kernels.layout import CONTACT_DTYPE, DRAG, FRICTION, LAUNCH_SIZE, LIFT, RESTITUTION
from ballcast.sim.kernels.tangent import C

# the unknowns are a launch (sim.kernels.layout) with logarithms of its four factors, then the tracker's height (m)
HEIGHT, UNKNOWNS = 15, 16
LOG_PARAMETERS = (DRAG, LIFT, RESTITUTION, FRICTION)
# what a fit believes before it sees: mean (16,) and precision (16, 16) of the unknowns; the height beyond which half of
# all trackers see the place (m, Cauchy's law; 0: the precision says it all); the sensor (5,), least and greatest of its
# variances (4,), for how many frames that counts (0: it is told), and the share of outliers
Prior = namedtuple(
    "Prior", "mean precision height_offset_scale noise min_variances max_variances pseudo_frames outlier_rate"
)
# what a fit finds: unknowns (16,) and their covariance (16, 16) at the first frame, and at the last; weights of the
# frames (T,); the sensor (5,); cost (minus log-likelihood); when the ball first and last met a surface (s from the
# first frame; inf, -inf: never)
Fit = namedtuple("Fit", "x covariance final final_covariance weights noise cost first_contact last_contact")
MAX_EM_ROUNDS = 5  # of learning the sensor, at most
DAMPING, MIN_DAMPING, MAX_DAMPING = 1e-3, 1e-7, 1e8
CHI2_90_3DOF = 6.25  # of squared residuals of three numbers are less
MIN_DECREASE = 4e-3  # a step that promises to lessen the cost by less is the last


@kernel
def to_launch(x):
    """The launch (LAUNCH_SIZE,) of unknowns (16,)."""
    launch = x[:LAUNCH_SIZE].copy()
    for k in LOG_PARAMETERS:
        launch[k] = math.exp(x[k])
    return launch


@kernel
def seed_unknowns(tangent, launch):
    """Set the tangent of a launch by the unknowns: as by the launch, but by the logarithms of its factors."""
    columns.unit(tangent)
    for k in LOG_PARAMETERS:
        tangent[(columns.OWN + k - DRAG) * C + k] = launch[k]


@kernel
def _linearised_flight(sport, x, t, tangent, trajectory, jacobian):
    """Fly the unknowns: trajectory (T, 6), jacobian (T, 3, 16) of the measured positions; see fly_ball."""
    launch = to_launch(x)
    seed_unknowns(tangent, launch)
    flight = fly_ball(sport, launch, t, tangent, trajectory, jacobian, np.empty(0, CONTACT_DTYPE))
    for n in range(len(t)):
        trajectory[n, 2] += x[HEIGHT]
        jacobian[n, 2, HEIGHT] = 1.0
    return flight


@kernel
def _prior_terms(x, prior, hessian, gradient):
    """Cost of the prior, its gradient g (16,) and Hessian A (16, 16)."""
    offset = x - prior.mean
    hessian[:] = prior.precision
    gradient[:] = hessian @ offset
    cost = 0.5 * np.dot(offset, gradient)
    if prior.height_offset_scale > 0.0:
        precision, height = 1.0 / prior.height_offset_scale**2, x[HEIGHT]
        hessian[HEIGHT, HEIGHT] += 2.0 * precision / (1.0 + precision * height * height)
        gradient[HEIGHT] += 2.0 * precision / (1.0 + precision * height * height) * height
        cost += math.log1p(precision * height * height)
    return cost


@kernel
def _cost(trajectory, jacobian, y, x, prior, noise, weights, squared_residuals, hessian, gradient):
    cost = _prior_terms(x, prior, hessian, gradient)
    return cost + accumulate_normal_equations(
        trajectory, jacobian, y, noise, prior.outlier_rate, weights, squared_residuals, hessian, gradient
    )


@kernel
def map_fit(sport, t, y, x, prior, max_flights):
    """The Fit to frames t (T,) s and y (T, 3) m, begun at unknowns x (16,), in at most so many flights.

    sport: a CompiledSport; prior: a Prior.
    """
    t, x, count, noise = t - t[0], x.copy(), len(t), prior.noise.copy()
    tangent, tangent1 = np.zeros(columns.ROWS * C), np.zeros(columns.ROWS * C)
    trajectory, trajectory1 = np.empty((count, 6)), np.empty((count, 6))
    jacobian, jacobian1 = np.empty((count, 3, UNKNOWNS)), np.empty((count, 3, UNKNOWNS))
    weights, weights1, squared_residuals, squared_residuals1 = (
        np.empty(count),
        np.empty(count),
        np.empty(count),
        np.empty(count),
    )
    hessian, hessian1, gradient, gradient1 = (
        np.empty((UNKNOWNS, UNKNOWNS)),
        np.empty((UNKNOWNS, UNKNOWNS)),
        np.empty(UNKNOWNS),
        np.empty(UNKNOWNS),
    )
    flight = _linearised_flight(sport, x, t, tangent, trajectory, jacobian)
    cost = _cost(trajectory, jacobian, y, x, prior, noise, weights, squared_residuals, hessian, gradient)
    inflation, damping, em_rounds_left = (
        _noise_inflation(squared_residuals, math.inf),
        DAMPING,
        MAX_EM_ROUNDS if prior.pseudo_frames > 0.0 else 0,
    )
    inflated = _inflated(noise, inflation)
    if inflation > 1.0:
        cost = _cost(trajectory, jacobian, y, x, prior, inflated, weights, squared_residuals, hessian, gradient)
    for _ in range(max_flights):
        step, predicted_decrease = _step(hessian, gradient, damping)
        is_accepted, is_converged = False, not predicted_decrease > MIN_DECREASE
        if is_converged and inflation == 1.0 and em_rounds_left == 0:
            break
        if not is_converged:
            x1 = _clamp(x - step)
            flight1 = _linearised_flight(sport, x1, t, tangent1, trajectory1, jacobian1)
            cost1 = _cost(
                trajectory1, jacobian1, y, x1, prior, inflated, weights1, squared_residuals1, hessian1, gradient1
            )
            is_accepted = cost1 < cost
            damping = max(0.1 * damping, MIN_DAMPING) if is_accepted else 10.0 * damping
        if is_accepted:
            x, flight, cost = x1, flight1, cost1
            tangent, tangent1, trajectory, trajectory1, jacobian, jacobian1 = (
                tangent1,
                tangent,
                trajectory1,
                trajectory,
                jacobian1,
                jacobian,
            )
            weights, weights1, squared_residuals, squared_residuals1 = (
                weights1,
                weights,
                squared_residuals1,
                squared_residuals,
            )
            hessian, hessian1, gradient, gradient1 = hessian1, hessian, gradient1, gradient
        if (is_accepted or is_converged) and (
            inflation > 1.0 or em_rounds_left > 0
        ):  # else the sensor stays what it is, and so the cost
            inflation = _noise_inflation(squared_residuals * inflation, inflation) if inflation > 1.0 else 1.0
            if inflation == 1.0 and em_rounds_left > 0:
                noise[4] = estimate_degrees_of_freedom(squared_residuals)
                more = estimate_noise(trajectory, jacobian, y, weights, spd_inverse(hessian), prior, noise)
                em_rounds_left = em_rounds_left - 1 if more else 0
            inflated = _inflated(noise, inflation)
            cost = _cost(trajectory, jacobian, y, x, prior, inflated, weights, squared_residuals, hessian, gradient)
        elif not is_accepted and damping > MAX_DAMPING:
            break
    covariance = (
        spd_inverse(hessian) * (noise[4] + 5.0) / (noise[4] + 3.0)
    )  # of Student's t the weighted Hessian says too much
    final, transition = _state_transition(x, flight, tangent)
    contacts = flight.first_contact_time, flight.last_contact_time
    return Fit(x, covariance, final, transition @ covariance @ transition.T, weights, noise, cost, *contacts)


@kernel
def _noise_inflation(squared_residuals, before):
    """By how much to widen the sensor so that nine in ten frames count: half of what it was `before`, at most."""
    inflation = np.sort(squared_residuals)[int(0.9 * (len(squared_residuals) - 1))] / CHI2_90_3DOF
    return max(1.0, min(inflation, 0.5 * before))


@kernel
def _inflated(noise, inflation):
    inflated = inflation * noise
    inflated[4] = noise[4]
    return inflated


@kernel
def _step(hessian, gradient, damping):
    """(step, by how much it promises to lessen the cost) of Levenberg and Marquardt; NaN where there is none."""
    L, scaled, scale = np.empty((UNKNOWNS, UNKNOWNS)), np.empty((UNKNOWNS, UNKNOWNS)), np.empty(UNKNOWNS)
    for i in range(UNKNOWNS):
        scale[i] = 1.0 / math.sqrt(hessian[i, i])
    for i in range(UNKNOWNS):
        for j in range(UNKNOWNS):
            scaled[i, j] = hessian[i, j] * scale[i] * scale[j]
        scaled[i, i] += damping
    if not cholesky(scaled, L):
        return gradient, math.nan
    step = scale * cholesky_solve(L, scale * gradient)
    return step, 0.5 * np.dot(gradient, step)


@kernel
def _clamp(x):
    """The unknowns, kept to numbers that can be flown."""
    for k in LOG_PARAMETERS:
        x[k] = min(max(x[k], -2.5), 2.5)
    for k in range(3, 9):
        limit = 100.0 if k < 6 else 2000.0
        x[k] = min(max(x[k], -limit), limit)
    return x


@kernel
def _state_transition(x, flight, tangent):
    """The unknowns (16,) at the end of a flight, and how they change with those at its start, (16, 16)."""
    final, transition = x.copy(), np.eye(UNKNOWNS)
    for i in range(3):
        final[i], final[3 + i], final[6 + i] = flight.position[i], flight.velocity[i], flight.spin[i]
    for i in range(9):
        for j in range(UNKNOWNS):
            transition[i, j] = tangent[i * C + j]
    return final, transition


@kernel
def marginalise(sport, t, y, cut, fit, prior):
    """Mean (16,) and precision (16, 16) at frame `cut` by the frames before it: the rest of a Fit may go on from there.

    Linear about the Fit; a little is added to the covariance, since a flight is never known to the last digit.
    """
    times = t[: cut + 1] - t[0]
    tangent, trajectory, jacobian = np.zeros(columns.ROWS * C), np.empty((cut + 1, 6)), np.empty((cut + 1, 3, UNKNOWNS))
    weights, squared_residuals, hessian, gradient = (
        np.empty(cut),
        np.empty(cut),
        np.empty((UNKNOWNS, UNKNOWNS)),
        np.empty(UNKNOWNS),
    )
    flight = _linearised_flight(sport, fit.x, times, tangent, trajectory, jacobian)
    _cost(
        trajectory[:cut],
        jacobian[:cut],
        y[:cut],
        fit.x,
        prior,
        fit.noise,
        weights,
        squared_residuals,
        hessian,
        gradient,
    )
    covariance = spd_inverse(hessian)
    final, transition = _state_transition(fit.x, flight, tangent)
    mean = final - transition @ (covariance @ gradient)
    covariance = transition @ covariance @ transition.T
    for i in range(UNKNOWNS):
        covariance[i, i] += MARGINALISATION_VARIANCES[i]
    return mean, spd_inverse(covariance)


# m, m/s, rad/s, logarithms, m/s, m
MARGINALISATION_VARIANCES = np.repeat([5e-4, 2e-2, 2.0, 1e-2, 1e-2, 1e-4], [3, 3, 3, 4, 2, 1]) ** 2
