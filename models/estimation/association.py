"""Which candidate of a frame is the ball, by a filter on pixels: probabilistic data association. Compiled.

A frame has N candidates, most of them clutter, perhaps none of them the ball. Each component of the filter weighs each
candidate by how well it expects it (Bar-Shalom, Daum and Huang 2009). What remains plausible is kept as a sum:

    predict_frame       a copy of the filter, at the time of the frame
    weigh_candidates    the probability of each candidate, and that none of them is the ball
    take_candidate      a copy that has taken one of them
    join                two filters as one: the components of both, reduced to as many as there is room for

So the covariance holds both that a candidate is the ball and that it is not. A component expects a pixel with the
density of Student's t, as in measurement.py; clutter is spread evenly over the picture.
"""

import math

import numpy as np

from ballcast.models.estimation.gaussian_sum import SCRATCH_ROWS, _drop_lost, _predict, match_moments
from ballcast.models.estimation.hypotheses import put_on_surface
from ballcast.models.estimation.measurement import update
from ballcast.models.estimation.mixture import (
    COMPONENTS,
    DEAD,
    LAST_CONTACT,
    LOG_WEIGHT,
    MIN_LOG_WEIGHT,
    ON_SURFACE,
    ROW,
    ROWS,
    _mix,
    refresh,
)
from ballcast.models.estimation.pixel_measurement import (
    CAMERA,
    FRAME_SIZE,
    _add_common,
    _metres_in_a_pixel,
    _point,
    _spread,
    _variance,
    measure_pixel,
)
from ballcast.models.estimation.pixels import image_of, out_of_camera
from ballcast.models.estimation.prior import FILTER_DEGREES
from ballcast.sim.jit import inlined, kernel
from ballcast.sim.kernels.borrowed import borrowed
from ballcast.sim.kernels.lane_numbers import empty_rows, lane_max, load

GATE2 = 300.0  # squared standard deviations, beyond which a component does not expect the ball
SURPRISE, WIDER2 = 0.02, 16.0  # fraction of the frames in which the variance is so many times what a component expects
MIN_SIZE_RATIO = 0.05  # a diameter that is wrong speaks no more against a candidate
COMPARED = 6  # unknowns that tell components apart: position and velocity
OTHER_PATH = 1e3  # squared standard deviations between a component that lies and one that flies


@kernel
def predict_frame(packed, state, t):
    """Take a filter to t s, a time not before its last frame."""
    sport, filter_prior, _, _, _ = borrowed(packed.value)
    last = state.recent_frames[0, 0]
    if t > last:
        _predict(sport, filter_prior, state, empty_rows(SCRATCH_ROWS), last, t)
        _drop_lost(filter_prior, state.components[:])


@inlined
def _frame_of(cameras, c, image, ball):
    """A frame y (FRAME_SIZE,) of camera c, without the metres of a pixel; see pixel_measurement.py."""
    y = np.empty(FRAME_SIZE)
    y[0], y[1], y[2] = image[0], image[1], image[2]
    y[3], y[4], y[6], y[7] = _variance(cameras, c, 0), _variance(cameras, c, 1), ball, cameras.late[c]
    y[CAMERA:] = cameras.rows[c]
    return y


@kernel
def weigh_candidates(packed, state, c, images, prior, area, probability, expected):
    """Weigh the candidates of a frame of camera c by a filter that predict_frame has taken to its time.

    images (N, 3) px: u, v, diameter (0: not measured); prior (N,): probabilities by their looks alone; area: of the
    picture, px2. Fills probability (N + 1,), the last that none is the ball, and expected (5,): u, v px and the
    covariance uu, uv, vv px2 of the pixel that the filter expects.
    """
    _, _, cameras, _, ball = borrowed(packed.value)
    s, y, count = state.components[:], _frame_of(cameras, c, np.zeros(3), ball), len(images)
    camera, factor, total = y[CAMERA:], state.noise_factor, 0.0
    probability[:], expected[:] = 0.0, 0.0
    mean_size = _mean_size(images)
    for i in range(COMPONENTS):
        if s[LOG_WEIGHT, i] > DEAD:
            weight = math.exp(s[LOG_WEIGHT, i])
            total += weight
            a, b, depth = _point(state, s, i, y)
            image, by_u, by_v, by_scale = image_of(camera, a, b, depth)
            uu, vv = _spread(s, i, camera, by_u) + factor * y[3], _spread(s, i, camera, by_v) + factor * y[3]
            uv = _joint_spread(s, i, camera, by_u, by_v)
            _add_moments(expected, weight, image[0], image[1], uu, uv, vv)
            size, size_variance = ball * image[2], ball * ball * _spread(s, i, camera, by_scale) + y[4]
            determinant = uu * vv - uv * uv
            density = weight * area / (2.0 * math.pi * math.sqrt(determinant))
            for n in range(count):
                du, dv = images[n, 0] - image[0], images[n, 1] - image[1]
                square = (vv * du * du - 2.0 * uv * du * dv + uu * dv * dv) / determinant
                if square < GATE2:
                    likelihood = density * _expectation(square)
                    if images[n, 2] > 0.0:
                        likelihood *= _size_ratio(images[n, 2], size, size_variance, mean_size)
                    probability[n] += prior[n] * likelihood
    if not total > 0.0:  # the filter has lost the ball
        probability[count], expected[:] = 1.0, math.nan
        return
    probability[count] = total * (1.0 - prior.sum())
    probability /= probability.sum()
    _finish_moments(expected, total)


@inlined
def _expectation(square):
    """The density of a pixel so many squared standard deviations off, over that of a Gaussian at its middle: Student's
    t, or in SURPRISE of the frames one that is wider, as after a bounce that was not as expected."""
    power = -0.5 * FILTER_DEGREES - 1.0
    wide = SURPRISE / WIDER2 * (1.0 + square / (WIDER2 * FILTER_DEGREES)) ** power
    return (1.0 - SURPRISE) * (1.0 + square / FILTER_DEGREES) ** power + wide


@inlined
def _joint_spread(s, i, camera, by_u, by_v):
    """The covariance of two numbers whose derivatives by the camera's point are by_u and by_v, of component i."""
    d, e, total = (
        out_of_camera(camera, by_u[0], by_u[1], by_u[2]),
        out_of_camera(camera, by_v[0], by_v[1], by_v[2]),
        0.0,
    )
    for k in range(3):
        for j in range(3):
            total += d[k] * e[j] * s[ROW[k, j], i]
    return total


@inlined
def _add_moments(expected, weight, u, v, uu, uv, vv):
    """Add a component to sums of u, v, and of their second moments."""
    expected[0] += weight * u
    expected[1] += weight * v
    expected[2] += weight * (uu + u * u)
    expected[3] += weight * (uv + u * v)
    expected[4] += weight * (vv + v * v)


@inlined
def _finish_moments(expected, total):
    """Turn these sums into the mean and the covariance."""
    for k in range(5):
        expected[k] /= total
    u, v = expected[0], expected[1]
    expected[2] -= u * u
    expected[3] -= u * v
    expected[4] -= v * v


@inlined
def _mean_size(images):
    """The mean of the diameters that were measured, px."""
    total, count = 0.0, 0
    for n in range(len(images)):
        if images[n, 2] > 0.0:
            total += images[n, 2]
            count += 1
    return total / max(count, 1)


@inlined
def _size_ratio(size, expected, variance, mean):
    """How much more likely a diameter is of the ball than of clutter, whose diameters are exponential with a mean."""
    ball = math.exp(-0.5 * (size - expected) ** 2 / variance) / math.sqrt(2.0 * math.pi * variance)
    return max(ball * mean * math.exp(size / mean), MIN_SIZE_RATIO)


@kernel
def take_candidate(packed, state, c, image):
    """Correct a filter that predict_frame has taken to the time of a frame by image (3,) px, of camera c."""
    sport, _, cameras, _, ball = borrowed(packed.value)
    s, y = state.components[:], _frame_of(cameras, c, image, ball)
    y[5] = _metres_in_a_pixel(state, s, y)
    update(measure_pixel, state, s, empty_rows(SCRATCH_ROWS), y)
    if lane_max(load(s, ON_SURFACE)) > 0.5:
        for i in range(COMPONENTS):
            if s[ON_SURFACE, i] > 0.5:
                put_on_surface(sport, state, s, i)


@kernel
def join(packed, state, other, share):
    """Add to a filter another one of the same ball at the same time, whose share of both is between 0 and 1."""
    _, _, _, common, _ = borrowed(packed.value)
    s, pool = state.components[:], np.empty((ROWS, 2 * COMPONENTS), np.float32)
    _fill(pool, 0, state, s, 1.0 - share, state.origin)
    _fill(pool, COMPONENTS, other, other.components[:], share, state.origin)
    _reduce(pool)
    n = 0
    for i in range(2 * COMPONENTS):
        if pool[LOG_WEIGHT, i] > DEAD:
            for k in range(ROWS):
                s[k, n] = pool[k, i]
            n += 1
    for i in range(n, COMPONENTS):
        s[LOG_WEIGHT, i] = DEAD
    refresh(s)
    match_moments(state, s)
    _add_common(state, common, 0.0)
    for k in range(3):
        state.recent_frames[0, 1 + k] = state.x[k]


@inlined
def _fill(pool, first, state, s, share, origin):
    """Put the components of a filter into a pool from lane `first` on, relative to an origin, with this much weight."""
    total = 0.0
    for i in range(COMPONENTS):
        if s[LOG_WEIGHT, i] > DEAD:
            total += math.exp(s[LOG_WEIGHT, i])
    for i in range(COMPONENTS):
        for k in range(ROWS):
            pool[k, first + i] = s[k, i]
        for k in range(3):
            pool[k, first + i] += state.origin[k] - origin[k]
        if s[LOG_WEIGHT, i] > DEAD and share > 0.0:
            pool[LOG_WEIGHT, first + i] = s[LOG_WEIGHT, i] + math.log(share / total)
        else:
            pool[LOG_WEIGHT, first + i] = DEAD


@kernel
def _reduce(pool):
    """Drop the light components of a pool, and merge those that cost least until COMPONENTS are left (Salmond 1990)."""
    size, largest, count = pool.shape[1], np.float32(DEAD), 0
    for i in range(size):
        largest = max(largest, pool[LOG_WEIGHT, i])
    for i in range(size):
        if pool[LOG_WEIGHT, i] < largest + MIN_LOG_WEIGHT:
            pool[LOG_WEIGHT, i] = DEAD
        elif pool[LOG_WEIGHT, i] > DEAD:
            count += 1
    while count > COMPONENTS:
        best, one, two = math.inf, -1, -1
        for i in range(size):
            if pool[LOG_WEIGHT, i] > DEAD:
                for j in range(i):
                    if pool[LOG_WEIGHT, j] > DEAD:
                        cost = _cost(pool, i, j)
                        if cost < best:
                            best, one, two = cost, i, j
        _merge_into(pool, one, two)
        count -= 1


@inlined
def _cost(pool, i, j):
    """What merging two components of a pool changes: their weights, and the squared distance between them."""
    a, b = math.exp(pool[LOG_WEIGHT, i]), math.exp(pool[LOG_WEIGHT, j])
    distance2 = OTHER_PATH * (pool[ON_SURFACE, i] - pool[ON_SURFACE, j]) ** 2
    distance2 += OTHER_PATH * (pool[LAST_CONTACT, i] - pool[LAST_CONTACT, j]) ** 2
    for k in range(COMPARED):
        d = pool[k, i] - pool[k, j]
        distance2 += d * d / (pool[ROW[k, k], i] + pool[ROW[k, k], j] + 1e-12)
    return a * b / (a + b) * distance2


@inlined
def _merge_into(pool, i, j):
    """Merge component i of a pool into j."""
    a, b = math.exp(pool[LOG_WEIGHT, i]), math.exp(pool[LOG_WEIGHT, j])
    if a > b:
        pool[LAST_CONTACT, j], pool[ON_SURFACE, j] = pool[LAST_CONTACT, i], pool[ON_SURFACE, i]
    _mix(pool, i, j, a / (a + b))
    pool[LOG_WEIGHT, j], pool[LOG_WEIGHT, i] = math.log(a + b), DEAD
