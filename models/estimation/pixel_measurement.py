"""Frames of a filter that are pixels: what update() of measurement.py measures, and what surrounds it. Compiled.

The components of gaussian_sum.py are propagated, weighed, merged and split as with positions. Only what is measured
differs: u, v and the diameter, turned into metres at the ball's distance, so that the densities of outliers mean the
same. A frame without a diameter has a third number that says nothing. The noise of each camera is adapted.
"""

import math
from typing import NamedTuple

import numpy as np

from ballcast.models.estimation.contact_side import note_contact_side
from ballcast.models.estimation.correlated_noise import note_errors
from ballcast.models.estimation.filter_state import store_frame
from ballcast.models.estimation.gaussian_sum import (
    OUTLIER_INFLATION,
    REFRESH_EVERY,
    SCRATCH_ROWS,
    _average_innovations,
    _drop_lost,
    _is_lost,
    _predict,
    match_moments,
)
from ballcast.models.estimation.hypotheses import put_on_surface
from ballcast.models.estimation.linear import cholesky_with_jitter
from ballcast.models.estimation.measurement import update
from ballcast.models.estimation.mixture import (
    COMPONENTS,
    DEAD,
    KEPT_ROWS,
    LAST_CONTACT,
    LOG_WEIGHT,
    MEAN,
    ON_SURFACE,
    ROW,
    likeliest,
    reduce_mixture,
    refresh,
    split_widest,
)
from ballcast.models.estimation.pixels import CAMERA_SIZE, image_of, into_camera, out_of_camera
from ballcast.models.estimation.prior import FilterPrior
from ballcast.models.estimation.unknowns import UNKNOWNS, clamp
from ballcast.sim.jit import inlined, kernel
from ballcast.sim.kernels.borrowed import borrowed
from ballcast.sim.kernels.compiled_sport import CompiledSport
from ballcast.sim.kernels.lane_numbers import empty_rows, lane_max, load, store

OUTLIERS_TO_RESTART = 4  # in a row
THIRD_SD = 0.02  # m, of the third number: with it the density of outliers over that of inliers is as in the fit
NO_DIAMETER = 1e-9  # m2: update() takes a variance that is not above 0 for a failure of rounding
# a frame: u, v, diameter (0: none), variances of the pixel and the diameter (px2), metres in a pixel, diameter of the
# ball (m), how late the camera's clock is (s), and the camera
CAMERA = 8
FRAME_SIZE = CAMERA + CAMERA_SIZE


class SeenBy(NamedTuple):
    """Cameras as corrected by fits, and their noise: variances in px2 of a pixel's coordinate and of the diameter."""

    rows: np.ndarray  # (C, CAMERA_SIZE)
    late: np.ndarray  # (C,) s, of their clocks
    usual: np.ndarray  # (C, 2)
    sums: np.ndarray  # (C, 2) of squared residuals, px2
    counts: np.ndarray  # (C, 2) of frames
    bounds: np.ndarray  # (2, 2) the smallest and the largest, of each
    pseudo_frames: float  # that `usual` counts for


class PixelConstants(NamedTuple):
    """What a filter on pixels is given with each frame."""

    sport: CompiledSport
    prior: FilterPrior
    cameras: SeenBy
    common: np.ndarray  # (16, 16): what all components leave open alike
    ball: float  # m, diameter


@inlined
def measure_pixel(state, s, U, y):
    """The pixel and the diameter of a ball; y (FRAME_SIZE,). See update() in measurement.py."""
    camera, origin, late = y[CAMERA:], state.origin, y[7]  # of a few milliseconds, in which the path is straight
    px, py, pz = load(s, 0) + late * load(s, 3), load(s, 1) + late * load(s, 4), load(s, 2) + late * load(s, 5)
    a, b, c = into_camera(camera, px + origin[0], py + origin[1], pz + origin[2])
    image, by_u, by_v, by_scale = image_of(camera, a, b, c)
    metres, third = y[5], 0.0
    if y[2] > 0.0:
        third = THIRD_SD / math.sqrt(y[4])
    u0, u1, u2 = out_of_camera(camera, metres * by_u[0], metres * by_u[1], metres * by_u[2])
    v0, v1, v2 = out_of_camera(camera, metres * by_v[0], metres * by_v[1], metres * by_v[2])
    k = third * y[6]
    d0, d1, d2 = out_of_camera(camera, k * by_scale[0], k * by_scale[1], k * by_scale[2])
    for i in range(UNKNOWNS):
        p = load(s, ROW[i, 0]) + late * load(s, ROW[i, 3])
        q = load(s, ROW[i, 1]) + late * load(s, ROW[i, 4])
        r = load(s, ROW[i, 2]) + late * load(s, ROW[i, 5])
        store(U, 3 * i, u0 * p + u1 * q + u2 * r)
        store(U, 3 * i + 1, v0 * p + v1 * q + v2 * r)
        store(U, 3 * i + 2, d0 * p + d1 * q + d2 * r)
    ux, uy, uz = load(U, 0) + late * load(U, 9), load(U, 3) + late * load(U, 12), load(U, 6) + late * load(U, 15)
    vx, vy, vz = load(U, 1) + late * load(U, 10), load(U, 4) + late * load(U, 13), load(U, 7) + late * load(U, 16)
    dx, dy, dz = load(U, 2) + late * load(U, 11), load(U, 5) + late * load(U, 14), load(U, 8) + late * load(U, 17)
    h = (
        u0 * ux + u1 * uy + u2 * uz,
        v0 * ux + v1 * uy + v2 * uz,
        v0 * vx + v1 * vy + v2 * vz,
        d0 * ux + d1 * uy + d2 * uz,
        d0 * vx + d1 * vy + d2 * vz,
        d0 * dx + d1 * dy + d2 * dz + NO_DIAMETER,
    )
    variance, zero = metres * metres * y[3], 0.0 * image[0]
    R = variance + zero, zero, variance + zero, zero, zero, THIRD_SD * THIRD_SD + zero
    return (metres * (y[0] - image[0]), metres * (y[1] - image[1]), third * (y[2] - y[6] * image[2])), h, R


@kernel
def observe_pixel(packed, state, t, image, c):
    """Update a filter that is started with a frame of camera c at t s, image (3,) px: u, v, diameter (0: none).

    packed: PixelConstants, whose `common` is taken along and added to the covariance, and whose noise is adapted.
    Returns whether the filter is lost: nothing explains the last frames.
    """
    sport, filter_prior, cameras, common, ball = borrowed(packed.value)
    y = np.empty(FRAME_SIZE)
    y[0], y[1], y[2] = image[0], image[1], image[2]
    y[3], y[4], y[6], y[7] = _variance(cameras, c, 0), _variance(cameras, c, 1), ball, cameras.late[c]
    y[CAMERA:] = cameras.rows[c]
    is_lost, pixel2, diameter2 = _observe(sport, filter_prior, state, t, y, common)
    weight = 1.0 / state.inflation
    cameras.sums[c, 0] += weight * pixel2
    cameras.counts[c, 0] += 1.0
    if image[2] > 0.0:
        cameras.sums[c, 1] += weight * diameter2
        cameras.counts[c, 1] += 1.0
    return is_lost


@inlined
def _variance(cameras, c, k):
    """The variance of a pixel's coordinate (k = 0) or of a diameter (1) of camera c, px2."""
    pseudo, sums, counts = cameras.pseudo_frames, cameras.sums[c, k], cameras.counts[c, k]
    variance = (pseudo * cameras.usual[c, k] + sums) / (pseudo + counts + 1e-9)
    return min(max(variance, cameras.bounds[k, 0]), cameras.bounds[k, 1])


@kernel
def _observe(sport, filter_prior, state, t, y, common):
    """Update a filter with a frame y (FRAME_SIZE,) at t s: whether it is lost, and the squared residuals of a
    coordinate and of the diameter, px2, with the filter's own uncertainty."""
    scratch, s, x = empty_rows(SCRATCH_ROWS), state.components[:], state.x
    before, last = (x[3], x[4], x[5], x[6], x[7], x[8]), state.recent_frames[0, 0]
    is_near = False
    if t > last:
        is_near = _predict(sport, filter_prior, state, scratch, last, t)
        _drop_lost(filter_prior, s)
    y[5] = _metres_in_a_pixel(state, s, y)
    update(measure_pixel, state, s, scratch, y)
    if lane_max(load(s, ON_SURFACE)) > 0.5:
        for i in range(COMPONENTS):
            if s[ON_SURFACE, i] > 0.5:
                put_on_surface(sport, state, s, i)
    if not lane_max(load(s, LOG_WEIGHT)) > DEAD:
        return True, 0.0, 0.0
    if is_near or state.frames % REFRESH_EVERY == 0:
        refresh(s)
    reduce_mixture(s, state.anchor[:], state.frames)
    split_widest(s, state.anchor[:], filter_prior.split_spin_sd)
    _average_innovations(state)
    note_errors(state, filter_prior.noise_factor, filter_prior.max_noise_factor)
    state.consecutive_outliers = state.consecutive_outliers + 1 if state.inflation > OUTLIER_INFLATION else 0
    is_lost = state.consecutive_outliers >= OUTLIERS_TO_RESTART or _is_lost(state)
    match_moments(state, s)
    note_contact_side(sport, state, before)
    pixel2, diameter2 = _squared_residuals(state, s, y)
    _add_common(state, common, t - last)
    for k in range(3):
        state.noise[k] = y[5] * y[5] * y[3]
    store_frame(state, t, x[:3])
    state.frames_since_start += 1
    return is_lost, pixel2, diameter2


@kernel
def _add_common(state, common, dt):
    """Take a covariance common (16, 16) along for dt s, on straight paths, and add it to P."""
    if dt > 0.0:
        for i in range(3):
            for j in range(UNKNOWNS):
                common[i, j] += dt * common[3 + i, j]
        for i in range(UNKNOWNS):
            for j in range(3):
                common[i, j] += dt * common[i, 3 + j]
    for i in range(UNKNOWNS):
        for j in range(UNKNOWNS):
            state.P[i, j] += common[i, j]


@kernel
def _metres_in_a_pixel(state, s, y):
    """Metres across the line of sight that a pixel is, where the likeliest component has the ball."""
    a, b, c = _point(state, s, likeliest(s), y)
    image, _, _, _ = image_of(y[CAMERA:], a, b, c)
    return 1.0 / image[2]


@inlined
def _point(state, s, i, y):
    """Where component i has the ball when a frame y is taken, in the camera's frame."""
    x = s[0, i] + y[7] * s[3, i] + state.origin[0]
    z = s[2, i] + y[7] * s[5, i] + state.origin[2]
    return into_camera(y[CAMERA:], x, s[1, i] + y[7] * s[4, i] + state.origin[1], z)


@kernel
def _squared_residuals(state, s, y):
    """The squared residuals of a coordinate and of the diameter, px2; see _observe."""
    i, camera = likeliest(s), y[CAMERA:]
    a, b, c = _point(state, s, i, y)
    image, by_u, by_v, by_scale = image_of(camera, a, b, c)
    pixel2 = 0.5 * ((y[0] - image[0]) ** 2 + (y[1] - image[1]) ** 2)
    pixel2 += 0.5 * (_spread(s, i, camera, by_u) + _spread(s, i, camera, by_v))
    diameter2 = (y[2] - y[6] * image[2]) ** 2 + y[6] * y[6] * _spread(s, i, camera, by_scale) if y[2] > 0.0 else 0.0
    return pixel2, diameter2


@inlined
def _spread(s, i, camera, by):
    """The variance of a number whose derivative by the camera's point is `by`, of component i."""
    d, total = out_of_camera(camera, by[0], by[1], by[2]), 0.0
    for k in range(3):
        for j in range(3):
            total += d[k] * d[j] * s[ROW[k, j], i]
    return total


@kernel
def start_filter(filter_prior, state, times, path, means, covariances, log_weights, contacts):
    """Start a filter at its last frame from a mixture: means (M, 16), covariances (M, 16, 16), logarithms of weights.

    times (T,) s and path (T, 3) m are of the frames that led there; contacts (M,): times of the last contacts, s.
    """
    s, n = state.components[:], len(times)
    if state.frames == 0:
        state.noise[:], state.noise_sums[:] = filter_prior.noise, 0.0
        state.frames = n - 1
    state.consecutive_outliers, state.start_time, state.frames_since_start = 0, times[0], n
    state.mahalanobis2, state.inflation, state.nis_average, state.drift[:] = 3.0, 1.0, 3.0, 0.0
    state.innovation[:], state.innovation_sd[:] = 0.0, np.sqrt(filter_prior.noise[:3])
    state.error_average[:], state.error_sums[:], state.noise_factor = 0.0, 0.0, filter_prior.noise_factor
    state.point_count, state.frames_since_anchor, state.frames_per_point, state.anchor_time = 0, 0, 1, times[-1]
    state.anchor[:] = 0.0
    for k in range(3):
        state.origin[k] = means[0, k]
    for i in range(COMPONENTS):
        s[LOG_WEIGHT, i] = DEAD
    for i in range(min(len(means), COMPONENTS)):
        for k in range(UNKNOWNS):
            s[MEAN + k, i] = means[i, k] - (state.origin[k] if k < 3 else 0.0)
            for j in range(k + 1):
                s[ROW[k, j], i] = covariances[i, k, j]
        s[LOG_WEIGHT, i], s[ON_SURFACE, i] = log_weights[i], 0.0
        s[LAST_CONTACT, i] = contacts[i] - times[0] if contacts[i] > -np.inf else -1e6
    refresh(s)
    for k in range(KEPT_ROWS):
        store(state.anchor, k, load(s, k))
    match_moments(state, s)
    for k in range(min(n, len(state.recent_frames))):
        state.recent_frames[k, 0] = times[n - 1 - k]
        state.recent_frames[k, 1:] = path[n - 1 - k]
    state.frames = max(state.frames + 1, n)


@kernel
def mixture_samples(state, standard_normal, samples):
    """Fill samples (K, 16) of the filter's mixture from standard normal ones (K, 16), by weight; returns how many."""
    s, used, total, point = state.components[:], 0, 0.0, 0.0
    for i in range(COMPONENTS):
        if s[LOG_WEIGHT, i] > DEAD:
            total += math.exp(s[LOG_WEIGHT, i])
    P, L = np.empty((UNKNOWNS, UNKNOWNS)), np.empty((UNKNOWNS, UNKNOWNS))
    for i in range(COMPONENTS):
        if s[LOG_WEIGHT, i] > DEAD:
            point += len(samples) * math.exp(s[LOG_WEIGHT, i]) / total
            count = min(int(point + 0.5), len(samples)) - used
            if count > 0:
                for k in range(UNKNOWNS):
                    for j in range(k + 1):
                        P[k, j] = P[j, k] = s[ROW[k, j], i]
                cholesky_with_jitter(P, 1e-6, L)
                for n in range(used, used + count):
                    for k in range(UNKNOWNS):
                        a = s[k, i] + (state.origin[k] if k < 3 else 0.0)
                        for j in range(k + 1):
                            a += L[k, j] * standard_normal[n, j]
                        samples[n, k] = a
                    clamp(samples[n])
                used += count
    return used
