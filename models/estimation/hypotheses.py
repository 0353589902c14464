"""How components start: in the air or lying on a surface, at the first frame, and where the ball may have been hit."""

import math

import numpy as np

from ballcast.models.estimation.mixture import (
    COMPONENTS,
    DEAD,
    KEPT_ROWS,
    LAST_CONTACT,
    LOG_WEIGHT,
    MEAN,
    ON_SURFACE,
    ROW,
    refresh,
)
from ballcast.models.estimation.smoothing import PASS_EVERY, set_anchor
from ballcast.models.estimation.unknowns import HEIGHT, UNKNOWNS
from ballcast.sim.jit import kernel

HIT_LOG_WEIGHT = -2.5  # of a component that was hit in this frame
ROLLING_LOG_WEIGHT = -3.0  # of the first component on a surface
MAX_LAUNCHES, MAX_LOG_RATIO = 10, 7.0  # components of measured launches; how much less likely one may be than none
ROLLING_MARGIN = 0.05  # m, by which the ball may be above the place where it lies


@kernel
def initialise(sport, filter_prior, state, t, y):
    """Start at a frame: one component in the air, and one on a surface where the ball may lie."""
    s = state.components[:]
    state.consecutive_outliers, state.frames_since_start, state.start_time, state.last_contact_time = 0, 0, t, -np.inf
    state.mahalanobis2, state.inflation = 3.0, 1.0
    for k in range(3):
        state.innovation[k], state.innovation_sd[k], state.origin[k] = 0.0, math.sqrt(filter_prior.noise[k]), y[k]
    for i in range(COMPONENTS):
        s[LOG_WEIGHT, i] = DEAD
    _start_component(filter_prior, state, s, 0, y, 0.0, -1e6)
    if lying_height(sport, y[0], y[1], y[2]) > -np.inf:
        _start_component(filter_prior, state, s, 1, y, ROLLING_LOG_WEIGHT, -1e6)
        _lay_down(sport, state, s, 1, y)
    if state.frames == 0:
        _start_with_launches(filter_prior, state, s, y)
    refresh(s)
    state.phase = np.int64(abs(y[0]) * 1e5) % PASS_EVERY
    set_anchor(state, t)


@kernel
def _start_with_launches(filter_prior, state, s, y):
    """At the very first frame y (3,) m: add a component for each measured launch that the ball may have."""
    starts, i, origin = filter_prior.launches, 2, state.origin[:]
    others = starts.log_weights[-1]
    for k in range(min(len(starts.mean), MAX_LAUNCHES)):
        mean, log_weight, e = starts.mean[k], starts.log_weights[k], np.empty(3)
        for a in range(3):
            e[a] = y[a] - mean[a]
        e[2] -= mean[9]
        for a in range(3):
            z = 0.0
            for b in range(a + 1):
                z += starts.whitener[k, a, b] * e[b]
            log_weight -= 0.5 * z * z
        if log_weight < others - MAX_LOG_RATIO:
            continue
        _start_component(filter_prior, state, s, i, y, log_weight - others, -1e6)
        for a in range(len(mean)):
            row, x = (a if a < 9 else HEIGHT), mean[a]
            for b in range(3):
                x += starts.gain[k, a, b] * e[b]
            s[MEAN + row, i] = x - (origin[a] if a < 3 else 0.0)
            for b in range(a + 1):
                s[ROW[row, b if b < 9 else HEIGHT], i] = starts.covariance[k, a, b]
        i += 1


@kernel
def _start_component(filter_prior, state, s, i, y, log_weight, last_contact):
    """Let component i start in the air where a frame y (3,) m is; the rest of it is the prior."""
    for k in range(UNKNOWNS):
        s[MEAN + k, i] = filter_prior.mean[k]
        for j in range(k + 1):
            s[ROW[k, j], i] = filter_prior.covariance[k, j] if j >= 3 else 0.0
    for k in range(3):
        s[MEAN + k, i] = y[k] - state.origin[k]
        s[ROW[k, k], i] = state.noise[k] + state.noise[3] * filter_prior.covariance[3 + k, 3 + k]
    variance = filter_prior.covariance[HEIGHT, HEIGHT]  # a position is the measured one minus the height offset
    s[ROW[2, 2], i] += variance
    s[ROW[HEIGHT, 2], i] = -variance
    s[LOG_WEIGHT, i], s[LAST_CONTACT, i], s[ON_SURFACE, i] = log_weight, last_contact, 0.0


@kernel
def _lay_down(sport, state, s, i, y):
    """Let component i lie on the surface at a frame y (3,) m. Trackers put such balls at its top, its middle, or z = 0:
    the tracker's height is what the frame says."""
    s[ON_SURFACE, i] = 1.0
    put_on_surface(sport, state, s, i)
    s[HEIGHT, i] = y[2] - state.origin[2] - s[2, i]
    for k in range(UNKNOWNS):
        s[ROW[HEIGHT, k], i] = 0.0
    s[ROW[HEIGHT, HEIGHT], i] = state.noise[2]


@kernel
def suppose_hit(sport, filter_prior, state, s, t, y):
    """After frames that nothing explains: add components of a ball that was hit, and starts anew there."""
    for number in range(2 if lying_height(sport, y[0], y[1], y[2]) > -np.inf else 1):
        i = 0
        for j in range(1, COMPONENTS):
            if s[LOG_WEIGHT, j] < s[LOG_WEIGHT, i]:
                i = j
        _start_component(filter_prior, state, s, i, y, HIT_LOG_WEIGHT, t - state.start_time)
        if number == 1:
            _lay_down(sport, state, s, i, y)
        for k in range(KEPT_ROWS):
            state.anchor[k, i] = s[k, i]


@kernel
def lying_height(sport, x, y, z):
    """The height of the centre of a ball that lies where its centre was measured, m; -inf if it does not lie there."""
    height = -np.inf
    for surface in sport.surfaces:
        low, high = surface["low"], surface["high"]
        if surface["supports"] > 0.0 and low[0] <= x <= high[0] and low[1] <= y <= high[1]:
            lying = high[2] + surface["contact_distance"]
            if lying - 2.0 * sport.radius - ROLLING_MARGIN <= z <= lying + ROLLING_MARGIN:
                height = max(height, lying)
    return height


@kernel
def put_on_surface(sport, state, s, i):
    """Let component i lie or roll where it is: height, vertical velocity and spin follow; off the edge it flies."""
    height = lying_height(sport, s[0, i] + state.origin[0], s[1, i] + state.origin[1], s[2, i] + state.origin[2])
    if not height > -np.inf:
        s[ON_SURFACE, i] = 0.0
        return
    s[2, i], s[5, i] = height - state.origin[2], 0.0
    s[6, i], s[7, i], s[8, i] = -s[4, i] / sport.radius, s[3, i] / sport.radius, 0.0
    for k in (2, 5, 6, 7, 8):
        for j in range(UNKNOWNS):
            s[ROW[k, j], i] = 0.0
    s[ROW[2, 2], i] = s[ROW[5, 5], i] = 1e-8
    for k in (6, 7, 8):
        s[ROW[k, k], i] = 1e-2
