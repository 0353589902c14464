"""The state at the first of some frames that explains them best: maximum a posteriori on the simulator. Compiled.

Levenberg-Marquardt on the flight's own Jacobian, with a Gaussian prior of the unknowns (unknowns.py). The sensor's
noise is estimated too (likelihood.py), unless the prior says that it is known. While the flight is still far from the
frames the noise is inflated; otherwise every frame after a contact that is not found yet would look like an outlier.
"""

import math
from typing import NamedTuple

import numpy as np

from ballcast.models.estimation import likelihood
from ballcast.models.estimation.correlated_noise import factor_of_residuals
from ballcast.models.estimation.linear import cholesky_solve, scaled_cholesky, spd_inverse
from ballcast.models.estimation.unknowns import HEIGHT, UNKNOWNS, clamp, seed_unknowns, to_launch
from ballcast.sim.jit import kernel
from ballcast.sim.kernels.flight import fly_ball
from ballcast.sim.kernels.layout import CONTACT_DTYPE
from ballcast.sim.kernels.tangent import COLUMNS, TANGENT_SIZE

MAX_EM_ROUNDS = 5  # of estimating the noise
DAMPING, MIN_DAMPING, MAX_DAMPING = 1e-3, 1e-7, 1e8
CHI2_90_3DOF = 6.25  # 90 % quantile of chi-squared with three degrees of freedom
MIN_DECREASE = 4e-3  # the fit has converged if the next step is predicted to lessen the cost by less
# m, m/s, rad/s, logarithms, m/s, m: added when old frames are marginalised, since the linearisation is not exact
MARGINALISATION_VARIANCES = np.repeat([5e-4, 2e-2, 2.0, 1e-2, 1e-2, 1e-4], [3, 3, 3, 4, 2, 1]) ** 2


class Fit(NamedTuple):
    """What a fit finds."""

    x: np.ndarray  # (16,) the unknowns at the first frame
    covariance: np.ndarray  # (16, 16)
    final: np.ndarray  # (16,) the unknowns at the last frame
    final_covariance: np.ndarray  # (16, 16)
    weights: np.ndarray  # (T,) robust weights of the frames
    noise: np.ndarray  # (5,) variances of the axes (m2) and of the time stamps (s2), degrees of freedom
    noise_factor: float  # how many times the noise counts, because neighbouring frames err alike
    cost: float  # minus log-posterior
    first_contact: float  # s from the first frame; inf: none
    last_contact: float  # -inf: none


class Linearisation(NamedTuple):
    """One flight, its derivatives by the unknowns, and the cost of the frames about it to second order."""

    tangent: np.ndarray  # derivatives of the state at the last frame; see sim/kernels/tangent.py
    trajectory: np.ndarray  # (T, 6) position and velocity at the frames
    jacobian: np.ndarray  # (T, 3, 16)
    weights: np.ndarray  # (T,) robust weights of the frames
    squared_residuals: np.ndarray  # (T,) in standard deviations
    hessian: np.ndarray  # (16, 16) of the cost
    gradient: np.ndarray  # (16,)


@kernel
def _new_linearisation(count):
    trajectory, jacobian = np.empty((count, 6)), np.empty((count, 3, UNKNOWNS))
    hessian, gradient = np.empty((UNKNOWNS, UNKNOWNS)), np.empty(UNKNOWNS)
    tangent, weights, squared_residuals = np.zeros(TANGENT_SIZE), np.empty(count), np.empty(count)
    return Linearisation(tangent, trajectory, jacobian, weights, squared_residuals, hessian, gradient)


@kernel
def linearised_flight(sport, x, t, tangent, trajectory, jacobian):
    """Fly the unknowns to times t (T,) s: fills the measured path (T, 6) and its Jacobian; see fly_ball."""
    launch = to_launch(x)
    seed_unknowns(tangent, launch)
    flight = fly_ball(sport, launch, t, tangent, trajectory, jacobian, np.empty(0, CONTACT_DTYPE))
    for n in range(len(t)):
        trajectory[n, 2] += x[HEIGHT]
        jacobian[n, 2, HEIGHT] = 1.0
    return flight


@kernel
def _evaluate(at, y, x, prior, noise):
    """The cost of unknowns x (16,) whose flight is in `at`; fills its weights, residuals, Hessian and gradient."""
    cost = _prior_terms(x, prior, at.hessian, at.gradient)
    frames = at.trajectory[: len(y)], at.jacobian[: len(y)]
    return cost + likelihood.accumulate_normal_equations(
        *frames, y, noise, prior.outlier_rate, at.weights, at.squared_residuals, at.hessian, at.gradient
    )


@kernel
def _prior_terms(x, prior, hessian, gradient):
    """The cost of the prior; fills its gradient (16,) and Hessian (16, 16)."""
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
def map_fit(sport, t, y, start, prior, max_flights):
    """The Fit to frames t (T,) s and y (T, 3) m, from unknowns start (16,), in at most max_flights flights."""
    t, x, noise, damping = t - t[0], start.copy(), prior.noise.copy(), DAMPING
    current, trial = _new_linearisation(len(t)), _new_linearisation(len(t))
    em_rounds_left = MAX_EM_ROUNDS if prior.pseudo_frames > 0.0 else 0
    flight = linearised_flight(sport, x, t, *current[:3])
    cost = _evaluate(current, y, x, prior, noise)
    inflation, factor = _noise_inflation(current.squared_residuals, math.inf), prior.noise_factor
    inflated = _inflated(noise, inflation * factor)
    if inflation * factor > 1.0:
        cost = _evaluate(current, y, x, prior, inflated)
    for _ in range(max_flights):
        step, predicted_decrease = _step(current.hessian, current.gradient, damping)
        is_accepted, is_converged = False, not predicted_decrease > MIN_DECREASE
        if is_converged and inflation == 1.0 and em_rounds_left == 0:
            break
        if not is_converged:
            trial_x = x - step
            clamp(trial_x)
            trial_flight = linearised_flight(sport, trial_x, t, *trial[:3])
            trial_cost = _evaluate(trial, y, trial_x, prior, inflated)
            is_accepted = trial_cost < cost
            damping = max(0.1 * damping, MIN_DAMPING) if is_accepted else 10.0 * damping
        if is_accepted:
            x, flight, cost = trial_x, trial_flight, trial_cost
            current, trial = trial, current
        if (is_accepted or is_converged) and (inflation > 1.0 or em_rounds_left > 0):  # else the noise is settled
            if inflation > 1.0:
                inflation = _noise_inflation(current.squared_residuals * (inflation * factor), inflation)
            if inflation == 1.0 and em_rounds_left > 0:
                more = _estimate_sensor(current, y, prior, noise)
                em_rounds_left = em_rounds_left - 1 if more else 0
                factor = factor_of_residuals(current.trajectory, y, noise, prior.noise_factor)
            inflated = _inflated(noise, inflation * factor)
            cost = _evaluate(current, y, x, prior, inflated)
        elif not is_accepted and damping > MAX_DAMPING:
            break
    covariance = spd_inverse(current.hessian) * (noise[4] + 5.0) / (noise[4] + 3.0)  # Student's t: wider than 1 / H
    final, transition = _state_transition(x, flight, current.tangent)
    final_covariance = transition @ covariance @ transition.T
    contacts = flight.first_contact_time, flight.last_contact_time
    return Fit(x, covariance, final, final_covariance, current.weights, noise, factor, cost, *contacts)


@kernel
def _noise_inflation(squared_residuals, before):
    """The factor on the noise that keeps nine in ten frames as inliers; at most half of what it was before."""
    inflation = np.sort(squared_residuals)[int(0.9 * (len(squared_residuals) - 1))] / CHI2_90_3DOF
    return max(1.0, min(inflation, 0.5 * before))


@kernel
def _inflated(noise, inflation):
    inflated = inflation * noise
    inflated[4] = noise[4]
    return inflated


@kernel
def _estimate_sensor(at, y, prior, noise):
    """Update the noise (5,) from the residuals; returns whether it still changes."""
    noise[4] = likelihood.estimate_degrees_of_freedom(at.squared_residuals)
    return likelihood.estimate_noise(at.trajectory, at.jacobian, y, at.weights, spd_inverse(at.hessian), prior, noise)


@kernel
def _step(hessian, gradient, damping):
    """(step, predicted decrease of the cost) of Levenberg-Marquardt."""
    L = np.empty((UNKNOWNS, UNKNOWNS))
    scale = 1.0 / scaled_cholesky(hessian, damping, L)
    step = scale * cholesky_solve(L, scale * gradient)
    return step, 0.5 * np.dot(gradient, step)


@kernel
def _state_transition(x, flight, tangent):
    """The unknowns (16,) at the end of a flight, and their derivatives by those at its start, (16, 16)."""
    final, transition = x.copy(), np.eye(UNKNOWNS)
    for i in range(3):
        final[i], final[3 + i], final[6 + i] = flight.position[i], flight.velocity[i], flight.spin[i]
    for i in range(9):
        for j in range(UNKNOWNS):
            transition[i, j] = tangent[i * COLUMNS + j]
    return final, transition


@kernel
def marginalise(sport, t, y, cut, fit, prior):
    """Mean (16,) and precision (16, 16) at frame `cut` given the frames before it: a prior for the later ones.

    Linear about the Fit; the covariance is widened a little, since the flight is not linear.
    """
    at = _new_linearisation(cut + 1)
    flight = linearised_flight(sport, fit.x, t[: cut + 1] - t[0], *at[:3])
    _evaluate(at, y[:cut], fit.x, prior, _inflated(fit.noise, fit.noise_factor))
    covariance = spd_inverse(at.hessian)
    final, transition = _state_transition(fit.x, flight, at.tangent)
    mean = final - transition @ (covariance @ at.gradient)
    covariance = transition @ covariance @ transition.T
    for i in range(UNKNOWNS):
        covariance[i, i] += MARGINALISATION_VARIANCES[i]
    return mean, spd_inverse(covariance)
