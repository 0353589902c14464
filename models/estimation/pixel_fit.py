"""The state at the first of some pixels that explains them best: maximum a posteriori on the simulator. Compiled.

As fit.py, of pixels in place of positions. The unknowns are the 16 of unknowns.py, the tracker's height of which is
pinned, and ERRORS of each camera (pixels.py). Residuals of a frame, in pixels, are Student's t; a few frames are
outliers. The variances of each camera are estimated, with a prior.
"""

import math
from typing import NamedTuple

import numpy as np

from ballcast.models.estimation.correlated_noise import DECAY, MAX_ERROR, MAX_FACTOR, WHITE
from ballcast.models.estimation.linear import cholesky_solve, scaled_cholesky, spd_inverse
from ballcast.models.estimation.pixels import (
    CLOCK,
    ERRORS,
    LOG_FOCAL,
    SHIFT,
    erring,
    image_of,
    into_camera,
    out_of_camera,
)
from ballcast.models.estimation.unknowns import HEIGHT, UNKNOWNS, clamp, fill_launch, seed_unknowns, to_launch
from ballcast.sim.jit import inlined, kernel
from ballcast.sim.kernels.flight import fly_ball
from ballcast.sim.kernels.lanes import CHUNK, LaneTask, fly_lanes
from ballcast.sim.kernels.layout import CONTACT_DTYPE, LAUNCH_SIZE
from ballcast.sim.kernels.tangent import COLUMNS, TANGENT_SIZE

DEGREES = 8.0  # of freedom of Student's t
# logarithms of the normalisation of Student's t in two and in three dimensions
LOG_T, LOG_T_SIZED = (
    math.lgamma(0.5 * (DEGREES + d)) - math.lgamma(0.5 * DEGREES) - 0.5 * d * math.log(DEGREES * math.pi)
    for d in (2.0, 3.0)
)
MAX_EM_ROUNDS = 4  # of estimating the noise
EM_TOLERANCE = 0.1  # change of a variance's logarithm that needs another round
DAMPING, MIN_DAMPING, MAX_DAMPING = 1e-3, 1e-7, 1e8
CHI2_90 = 4.6  # 90 % quantile of chi-squared with two degrees of freedom
MIN_DECREASE = 4e-3  # of the cost in the next step, with less the fit has converged
LASTING_SHARE, LASTING_TIME = 0.1, 0.05  # usual share of the noise's variance that lasts, and for how long, s
LASTING_PSEUDO_FRAMES = 12.0  # that this counts for


class Pixels(NamedTuple):
    """Frames of cameras."""

    time: np.ndarray  # (T,) s from the epoch of the unknowns
    image: np.ndarray  # (T, 3) px: u, v, diameter (NaN where it was not measured)
    camera: np.ndarray  # (T,) int64
    cameras: np.ndarray  # (C, CAMERA_SIZE)


class PixelPrior(NamedTuple):
    """What a fit knows before it sees a pixel: one Gaussian of the unknowns, and the noise of cameras."""

    mean: np.ndarray  # (N,) of the unknowns, N = 16 + 8 C
    precision: np.ndarray  # (N, N)
    noise: np.ndarray  # (2,) px2, usual variances of the pixel and of the diameter
    bounds: np.ndarray  # (2,) factors of them: the smallest and the largest
    pseudo_frames: float  # that these count for; 0: they are known
    outlier_rate: float  # fraction of the frames


class PixelFit(NamedTuple):
    """What a fit of pixels finds."""

    x: np.ndarray  # (N,) the unknowns at the epoch
    covariance: np.ndarray  # (N, N)
    weights: np.ndarray  # (T,) robust weights of the frames
    noise: np.ndarray  # (C, 2) variances, px2
    noise_factor: np.ndarray  # (C,) how many times the noise counts, because neighbouring frames err alike
    cost: float  # minus log-posterior, without the prior's normalisation
    first_contact: float  # s from the epoch; inf: none
    last_contact: float  # -inf: none


class Linearised(NamedTuple):
    """One flight as the cameras see it, and its derivatives by the unknowns."""

    tangent: np.ndarray
    residual: np.ndarray  # (T, 3) px, predicted minus measured; 0 for a diameter that was not measured
    jacobian: np.ndarray  # (T, 3, N)
    weights: np.ndarray  # (T,)
    squares: np.ndarray  # (T,) squared residuals in standard deviations
    hessian: np.ndarray  # (N, N)
    gradient: np.ndarray  # (N,)


@kernel
def new_linearised(count, size):
    hessian, gradient = np.empty((size, size)), np.empty(size)
    frames = np.empty((count, 3)), np.empty((count, 3, size)), np.empty(count), np.empty(count)
    return Linearised(np.zeros(TANGENT_SIZE), *frames, hessian, gradient)


@kernel
def linearise(sport, pixels, x, at):
    """Fly the unknowns past the cameras: fills residuals and Jacobian of `at`; the flight's end, see fly_ball."""
    count, launch = len(pixels.time), to_launch(x)
    stamps = pixels.time.copy()
    for n in range(count):
        stamps[n] += x[UNKNOWNS + ERRORS * pixels.camera[n] + CLOCK]
    order = np.argsort(stamps)
    times = np.maximum(stamps[order], 0.0)
    trajectory, jacobian = np.empty((count, 6)), np.empty((count, 3, COLUMNS))
    seed_unknowns(at.tangent, launch)
    flight = fly_ball(sport, launch, times, at.tangent, trajectory, jacobian, np.empty(0, CONTACT_DTYPE))
    at.jacobian[:] = 0.0
    for k in range(count):
        n = order[k]
        early = min(stamps[n], 0.0)
        if early < 0.0:  # before the epoch the path is straight: a clock is off by milliseconds
            for i in range(3):
                trajectory[k, i] += early * trajectory[k, 3 + i]
        _see(sport, pixels, n, x, trajectory[k], jacobian[k], at.residual[n], at.jacobian[n])
    return flight


@kernel
def _see(sport, pixels, n, x, path, by_launch, residual, jacobian):
    """Fill the residual (3,) of frame n and its Jacobian (3, N), from path (6,) and its Jacobian (3, COLUMNS)."""
    camera, first = pixels.cameras[pixels.camera[n]], UNKNOWNS + ERRORS * pixels.camera[n]
    errors = x[first : first + ERRORS]
    a, b, c = into_camera(camera, path[0], path[1], path[2])
    p, q, r = erring(errors, a, b, c)
    image, by_u, by_v, by_scale = image_of(camera, p, q, r)
    grow, diameter = math.exp(errors[LOG_FOCAL]), 2.0 * sport.radius
    u, v = grow * (image[0] - camera[2]), grow * (image[1] - camera[3])
    residual[0], residual[1] = u + camera[2] - pixels.image[n, 0], v + camera[3] - pixels.image[n, 1]
    _chain(camera, (a, b, c), path, by_launch, by_u, grow, first, jacobian[0])
    _chain(camera, (a, b, c), path, by_launch, by_v, grow, first, jacobian[1])
    jacobian[0, first + LOG_FOCAL], jacobian[1, first + LOG_FOCAL] = u, v
    residual[2] = 0.0
    if pixels.image[n, 2] > 0.0:
        size = grow * diameter * image[2]
        residual[2] = size - pixels.image[n, 2]
        _chain(camera, (a, b, c), path, by_launch, by_scale, grow * diameter, first, jacobian[2])
        jacobian[2, first + LOG_FOCAL] = size


@inlined
def _chain(camera, point, path, by_launch, by, factor, first, row):
    """Fill row (N,): `factor` times the derivative `by` of a number by the camera's point, by all unknowns."""
    a, b, c = factor * by[0], factor * by[1], factor * by[2]
    x, y, z = out_of_camera(camera, a, b, c)
    for j in range(HEIGHT):
        row[j] = x * by_launch[0, j] + y * by_launch[1, j] + z * by_launch[2, j]
    row[first] = c * point[1] - b * point[2]
    row[first + 1] = a * point[2] - c * point[0]
    row[first + 2] = b * point[0] - a * point[1]
    row[first + SHIFT], row[first + SHIFT + 1], row[first + SHIFT + 2] = a, b, c
    row[first + CLOCK] = x * path[3] + y * path[4] + z * path[5]


@kernel
def evaluate(at, pixels, x, prior, noise, inflation):
    """The cost of unknowns x whose images are in `at`; fills its weights, squares, Hessian and gradient.

    noise (C, 2) px2; inflation (C,): how many times it counts.
    """
    offset = x - prior.mean
    at.hessian[:] = prior.precision
    at.gradient[:] = at.hessian @ offset
    cost = 0.5 * np.dot(offset, at.gradient)
    for c in range(len(noise)):
        for k in range(2):
            ratio = noise[c, k] / prior.noise[k]
            cost += 0.5 * prior.pseudo_frames * (2.0 - k) * (math.log(ratio) + 1.0 / ratio)
    count, size = len(pixels.time), len(x)
    rows, residuals = np.empty((3 * count, size)), np.empty(3 * count)
    for n in range(count):
        c, sized = pixels.camera[n], pixels.image[n, 2] > 0.0
        a, b = 1.0 / math.sqrt(noise[c, 0] * inflation[c]), 1.0 / math.sqrt(noise[c, 1] * inflation[c])
        z = (at.residual[n, 0] * a) ** 2 + (at.residual[n, 1] * a) ** 2 + (at.residual[n, 2] * b) ** 2
        area = pixels.cameras[c, 24] * pixels.cameras[c, 25] * (0.5 * pixels.cameras[c, 24] if sized else 1.0)
        log_density = 2.0 * math.log(a) + (math.log(b) if sized else 0.0)
        weight, loss = robust_weight(z, sized, log_density, prior.outlier_rate, area)
        at.weights[n], at.squares[n], cost = weight, z, cost + loss
        root = math.sqrt(weight)
        for i in range(3):
            scale = root * (a if i < 2 else b)
            residuals[3 * n + i] = scale * at.residual[n, i]
            for j in range(size):
                rows[3 * n + i, j] = scale * at.jacobian[n, i, j]
    at.hessian[:] += rows.T @ rows
    at.gradient[:] += rows.T @ residuals
    return cost


@inlined
def robust_weight(square, is_sized, log_density, outlier_rate, area):
    """(weight, loss) of a frame, with a diameter or without: Student's t of this logarithm of the density's scale, and
    outliers over an area."""
    dimensions = 3.0 if is_sized else 2.0
    log_inlier = log_density + math.log(1.0 - outlier_rate) + (LOG_T_SIZED if is_sized else LOG_T)
    log_inlier -= 0.5 * (DEGREES + dimensions) * math.log1p(square / DEGREES)
    log_outlier = math.log(outlier_rate / area)
    log_total = max(log_inlier, log_outlier) + math.log1p(math.exp(-abs(log_inlier - log_outlier)))
    return (DEGREES + dimensions) / (DEGREES + square) * math.exp(log_inlier - log_total), -log_total


@kernel
def fit_pixels(sport, pixels, start, prior, max_flights):
    """The PixelFit of Pixels from unknowns start (N,), in at most max_flights flights."""
    x, damping, count = start.copy(), DAMPING, len(pixels.cameras)
    current, trial = new_linearised(len(pixels.time), len(x)), new_linearised(len(pixels.time), len(x))
    noise, factor = np.empty((count, 2)), np.ones(count)
    noise[:] = prior.noise
    rounds_left = MAX_EM_ROUNDS if prior.pseudo_frames > 0.0 else 0
    flight = linearise(sport, pixels, x, current)
    cost = evaluate(current, pixels, x, prior, noise, factor)
    heat = _heat(current.squares, math.inf)
    if heat > 1.0:
        cost = evaluate(current, pixels, x, prior, noise, heat * factor)
    for _ in range(max_flights):
        step, decrease = _step(current.hessian, current.gradient, damping)
        is_accepted, is_converged = False, not decrease > MIN_DECREASE
        if is_converged and heat == 1.0 and rounds_left == 0:
            break
        if not is_converged:
            trial_x = x - step
            _bound(trial_x)
            trial_flight = linearise(sport, pixels, trial_x, trial)
            trial_cost = evaluate(trial, pixels, trial_x, prior, noise, heat * factor)
            is_accepted = trial_cost < cost
            damping = max(0.1 * damping, MIN_DAMPING) if is_accepted else 10.0 * damping
        if is_accepted:
            x, flight, cost = trial_x, trial_flight, trial_cost
            current, trial = trial, current
        if (is_accepted or is_converged) and (heat > 1.0 or rounds_left > 0):
            if heat > 1.0:
                heat = _heat(current.squares * heat, heat)
            if heat == 1.0 and rounds_left > 0:
                rounds_left = rounds_left - 1 if estimate_noise(current, pixels, prior, noise, factor) else 0
            cost = evaluate(current, pixels, x, prior, noise, heat * factor)
        elif not is_accepted and damping > MAX_DAMPING:
            break
    covariance = spd_inverse(current.hessian) * (DEGREES + 4.0) / (DEGREES + 2.0)  # Student's t: wider than 1 / H
    contacts = flight.first_contact_time, flight.last_contact_time
    return PixelFit(x, covariance, current.weights, noise, factor, cost, *contacts)


@kernel
def _bound(x):
    """Keep the unknowns within their bounds, in place."""
    clamp(x[:UNKNOWNS])


@kernel
def _heat(squares, before):
    """The factor on the noise that keeps nine in ten frames as inliers; at most half of what it was before."""
    heat = np.sort(squares)[int(0.9 * (len(squares) - 1))] / CHI2_90
    return max(1.0, min(heat, 0.5 * before))


@kernel
def _step(hessian, gradient, damping):
    """(step, predicted decrease of the cost) of Levenberg-Marquardt."""
    L = np.empty(hessian.shape)
    scale = 1.0 / scaled_cholesky(hessian, damping, L)
    step = scale * cholesky_solve(L, scale * gradient)
    return step, 0.5 * np.dot(gradient, step)


@kernel
def estimate_noise(at, pixels, prior, noise, factor):
    """Update the variances (C, 2) and the factors (C,) from the residuals; returns whether they still change."""
    count, covariance = len(noise), spd_inverse(at.hessian)
    sums, numbers = np.zeros((count, 2)), np.zeros((count, 2))
    for n in range(len(pixels.time)):
        c, weight = pixels.camera[n], at.weights[n]
        for i in range(3 if pixels.image[n, 2] > 0.0 else 2):
            spread = covariance @ at.jacobian[n, i]
            k = 1 if i == 2 else 0
            sums[c, k] += weight * (at.residual[n, i] ** 2 + np.dot(spread, at.jacobian[n, i]))
            numbers[c, k] += 1.0
    change = 0.0
    for c in range(count):
        for k in range(2):
            pseudo = prior.pseudo_frames * (2.0 - k)
            variance = (pseudo * prior.noise[k] + sums[c, k]) / (pseudo + numbers[c, k])
            variance = min(max(variance, prior.bounds[0] * prior.noise[k]), prior.bounds[1] * prior.noise[k])
            change = max(change, abs(math.log(variance / noise[c, k])))
            noise[c, k] = variance
        factor[c] = _lasting_factor(at, pixels, c, noise[c, 0])
    return change > EM_TOLERANCE


@kernel
def _lasting_factor(at, pixels, camera, variance):
    """How many times the noise of a camera counts because neighbouring frames err alike; see correlated_noise.py."""
    average, kept, sums, expected, first, last, number = np.zeros(2), 0.0, 0.0, 0.0, 0.0, 0.0, 0
    for n in range(len(pixels.time)):
        square = (at.residual[n, 0] ** 2 + at.residual[n, 1] ** 2) / variance
        if pixels.camera[n] == camera and square < MAX_ERROR * MAX_ERROR:
            first, last, number = (first if number else pixels.time[n]), pixels.time[n], number + 1
            kept += DECAY * (DECAY - (2.0 - DECAY) * kept)
            for i in range(2):
                average[i] += DECAY * (at.residual[n, i] - average[i])
                sums += average[i] * average[i] / variance
            expected += kept * square
    if number < 2:
        return 1.0
    decay = math.exp(-(last - first) / (number - 1) / LASTING_TIME)
    usual = 1.0 - LASTING_SHARE + LASTING_SHARE * (1.0 + decay) / (1.0 - decay + 1e-9)
    pseudo = 2.0 * WHITE * LASTING_PSEUDO_FRAMES
    return min(max((pseudo * usual + sums) / (pseudo + expected), 1.0), MAX_FACTOR)


@kernel
def state_at(sport, x, covariance, time):
    """The 16 unknowns at `time` s from the epoch, and their covariance (16, 16), linear in those at the epoch."""
    launch, tangent = to_launch(x), np.zeros(TANGENT_SIZE)
    seed_unknowns(tangent, launch)
    paths = np.empty((1, 6)), np.empty((1, 3, COLUMNS))
    flight = fly_ball(sport, launch, np.full(1, time), tangent, *paths, np.empty(0, CONTACT_DTYPE))
    final, transition = x[:UNKNOWNS].copy(), np.eye(UNKNOWNS)
    for i in range(3):
        final[i], final[3 + i], final[6 + i] = flight.position[i], flight.velocity[i], flight.spin[i]
    for i in range(9):
        for j in range(UNKNOWNS):
            transition[i, j] = tangent[i * COLUMNS + j]
    return final, transition @ covariance[:UNKNOWNS, :UNKNOWNS].copy() @ transition.T


@kernel
def misfits(lane_sport, pixels, states, noise):
    """Half the sums (N,) of logarithms of 1 + the squared residuals of flights from states (N, 9); noise: px."""
    count, frames = len(states), len(pixels.time)
    out, x, launches = np.zeros(count), np.zeros(UNKNOWNS), np.empty((count, LAUNCH_SIZE))
    for i in range(count):
        x[:9] = states[i]
        clamp(x)
        fill_launch(x, launches[i])
    times = np.full((1, frames + CHUNK), np.inf)
    times[0, :frames] = pixels.time
    position, none = np.empty((count, frames, 3), lane_sport.boxes.dtype), np.empty((0, 0, 0), lane_sport.boxes.dtype)
    flown = position.reshape(-1), none, none, np.empty(count, np.int8), np.empty(0, CONTACT_DTYPE)
    fly_lanes(LaneTask(lane_sport, launches, times, np.full(count, frames), *flown), np.int64(0), count, False)
    for i in range(count):
        for n in range(frames):
            camera = pixels.cameras[pixels.camera[n]]
            a, b, c = into_camera(camera, position[i, n, 0], position[i, n, 1], position[i, n, 2])
            image, _, _, _ = image_of(camera, a, b, c)
            du, dv = (image[0] - pixels.image[n, 0]) / noise, (image[1] - pixels.image[n, 1]) / noise
            out[i] += 0.5 * math.log1p(du * du + dv * dv)
    return out


@kernel
def path_at(sport, x, covariance, times):
    """Positions and velocities (T, 6) at times (T,) s from the epoch, increasing from 0 on, and the covariances
    (T, 3, 3) of the positions, linear in those of the unknowns at the epoch."""
    launch, tangent, count = to_launch(x), np.zeros(TANGENT_SIZE), len(times)
    seed_unknowns(tangent, launch)
    trajectory, jacobian, out = np.empty((count, 6)), np.empty((count, 3, COLUMNS)), np.empty((count, 3, 3))
    fly_ball(sport, launch, times, tangent, trajectory, jacobian, np.empty(0, CONTACT_DTYPE))
    own = covariance[:LAUNCH_SIZE, :LAUNCH_SIZE].copy()
    for n in range(count):
        J = jacobian[n, :, :LAUNCH_SIZE].copy()
        out[n] = J @ own @ J.T
    return trajectory, out
