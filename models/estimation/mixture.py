"""The components of a Gaussian sum: where they stand in memory, how they are split, merged and dropped. Compiled.

A ball's components are the lanes of rows, an array (ROWS, COMPONENTS) float32: of each its mean, the lower triangle of
its covariance, the logarithm of its weight (0 for the likeliest, DEAD for one that is not in use), and the time of its
last contact. Lanes not in use go along; they hold finite numbers.
"""

import math

import numpy as np

from ballcast.models.estimation.unknowns import UNKNOWNS
from ballcast.sim.jit import inlined, kernel
from ballcast.sim.kernels.lane_numbers import LANES, lane_max, lane_sum, load, same_in_all, store, where

COMPONENTS = LANES
MEAN, COVARIANCE = 0, UNKNOWNS
COVARIANCE_ROWS = UNKNOWNS * (UNKNOWNS + 1) // 2
LOG_WEIGHT = COVARIANCE + COVARIANCE_ROWS
LAST_CONTACT = LOG_WEIGHT + 1  # s since the filter's start
NEAR = LAST_CONTACT + 1  # 1: comes near a surface in this frame
ON_SURFACE = NEAR + 1  # 1: the ball lies or rolls on a surface; 0: it is in the air
ROWS = ON_SURFACE + 1
DELTA = ROWS  # in a pass that linearises about another flight: deviation of the belief from the mean
PASS_ROWS = DELTA + UNKNOWNS
KEPT_ROWS = LOG_WEIGHT  # of an anchor: mean and covariance
# the row of each element of the covariance
ROW = np.array(
    [[COVARIANCE + max(k, j) * (max(k, j) + 1) // 2 + min(k, j) for j in range(UNKNOWNS)] for k in range(UNKNOWNS)]
)
DEAD = -1e30  # logarithm of the weight of a component that is not in use
MIN_LOG_WEIGHT = -8.0  # lighter components, relative to the heaviest, are dropped
MIN_SPLIT_LOG_WEIGHT = -4.0  # lighter ones are not split
SPLIT_OFFSET = 0.8  # standard deviations by which each half is moved
GATE_VARIANCE = 1.0 / SPLIT_OFFSET**2 - 1.0  # each half is the whole times a Gaussian about GATE_OFFSET: in variances,
GATE_OFFSET = 1.0 / SPLIT_OFFSET  # and standard deviations, of the whole
POWER_ITERATIONS = 4
MERGE_DISTANCE2 = 0.25  # squared distance in standard deviations, of velocity and spin


@inlined
def reduce_mixture(s, anchor, number):
    """Drop components of little weight; merge one, another at each `number`, into its neighbour if they are alike."""
    log_weight = load(s, LOG_WEIGHT)
    log_weight = log_weight - lane_max(log_weight)
    store(s, LOG_WEIGHT, where(log_weight < MIN_LOG_WEIGHT, DEAD, log_weight))
    i = number % COMPONENTS
    if s[LOG_WEIGHT, i] > DEAD:
        lies, distance2 = s[ON_SURFACE, i] > 0.5, 0.0 * load(s, MEAN)
        for k in range(3, 5 if lies else 9):  # of a ball that lies the rest follows
            d = load(s, MEAN + k) - s[MEAN + k, i]
            distance2 += d * d / (load(s, ROW[k, k]) + s[ROW[k, k], i] + 1e-12)
        other = load(s, ON_SURFACE) - s[ON_SURFACE, i]
        if not lies:
            d = load(s, LAST_CONTACT) - s[LAST_CONTACT, i]
            distance2 += 1e3 * d * d
        distance2 = where(load(s, LOG_WEIGHT) > DEAD, distance2 + other * other, 1e30)
        store(s, NEAR, distance2)
        best, smallest = -1, np.float32(MERGE_DISTANCE2)
        for j in range(COMPONENTS):
            if j != i and s[NEAR, j] < smallest:
                best, smallest = j, s[NEAR, j]
        if best >= 0:
            _merge(s, anchor, i, best)


@kernel
def _merge(s, anchor, i, j):
    """Merge component i into j, with the mean and the covariance of both together; their anchors too."""
    total = math.exp(s[LOG_WEIGHT, i]) + math.exp(s[LOG_WEIGHT, j])
    a = math.exp(s[LOG_WEIGHT, i]) / total
    _mix(s, i, j, a)
    _mix(anchor, i, j, a)
    s[LOG_WEIGHT, j], s[LOG_WEIGHT, i] = math.log(total), DEAD


@inlined
def _mix(s, i, j, a):
    """Put the moments of a of component i and 1 - a of j into j."""
    b = 1.0 - a
    for k in range(UNKNOWNS):
        for m in range(k + 1):
            d = (s[k, i] - s[k, j]) * (s[m, i] - s[m, j])
            s[ROW[k, m], j] = a * s[ROW[k, m], i] + b * s[ROW[k, m], j] + a * b * d
    for k in range(UNKNOWNS):
        s[k, j] = a * s[k, i] + b * s[k, j]


@inlined
def split_widest(s, anchor, limit_sd):
    """Split the component that has most weight and most spread of the spin, if there is room for one more."""
    free = -1
    for i in range(COMPONENTS):
        if not s[LOG_WEIGHT, i] > DEAD:
            free = i
            break
    if free >= 0:
        e, variance = _widest_spin(s)
        log_weight = load(s, LOG_WEIGHT)
        may_split = (variance > limit_sd * limit_sd) & (log_weight > MIN_SPLIT_LOG_WEIGHT) & (load(s, ON_SURFACE) < 0.5)
        score = where(may_split, math.exp(log_weight) * variance, 0.0)
        if lane_max(score) > 0.0:
            store(s, NEAR, score)
            i = 0
            for j in range(1, COMPONENTS):
                if s[NEAR, j] > s[NEAR, i]:
                    i = j
            store(s, NEAR, e[0])
            x = s[NEAR, i]
            store(s, NEAR, e[1])
            y = s[NEAR, i]
            store(s, NEAR, e[2])
            _split(s, anchor, i, free, x, y, s[NEAR, i])


@inlined
def _widest_spin(s):
    """(unit vector, variance) of the direction in which the spin is known worst, of each component."""
    xx, xy, yy = load(s, ROW[6, 6]), load(s, ROW[7, 6]), load(s, ROW[7, 7])
    xz, yz, zz = load(s, ROW[8, 6]), load(s, ROW[8, 7]), load(s, ROW[8, 8])
    x, y, z = same_in_all(0.5), same_in_all(0.6), same_in_all(0.62)
    variance = same_in_all(0.0)
    for _ in range(POWER_ITERATIONS):
        a, b, c = xx * x + xy * y + xz * z, xy * x + yy * y + yz * z, xz * x + yz * y + zz * z
        variance = math.sqrt(a * a + b * b + c * c) + 1e-12
        k = 1.0 / variance
        x, y, z = k * a, k * b, k * c
    return (x, y, z), variance


@kernel
def _split(s, anchor, i, free, x, y, z):
    """Split component i along the direction of spin (x, y, z): half of it goes to the lane `free`; its anchor too.

    Mean and covariance of both together stay what they were. Where rounding has made the variance negative, nothing is.
    """
    variance = s[ROW[6, 6], i] * x * x + s[ROW[7, 7], i] * y * y + s[ROW[8, 8], i] * z * z
    variance += 2.0 * (s[ROW[7, 6], i] * x * y + s[ROW[8, 6], i] * x * z + s[ROW[8, 7], i] * y * z)
    if not variance > 0.0:
        return
    for k in range(ROWS):
        s[k, free] = s[k, i]
    for k in range(KEPT_ROWS):
        anchor[k, free] = anchor[k, i]
    centre, offset = s[6, i] * x + s[7, i] * y + s[8, i] * z, GATE_OFFSET * math.sqrt(variance)
    for rows in (s, anchor):
        _gate(rows, i, x, y, z, centre - offset, GATE_VARIANCE * variance)
        _gate(rows, free, x, y, z, centre + offset, GATE_VARIANCE * variance)
    s[LOG_WEIGHT, i] -= math.log(2.0)
    s[LOG_WEIGHT, free] = s[LOG_WEIGHT, i]


@kernel
def _gate(s, i, x, y, z, centre, variance):
    """Multiply component i by a Gaussian of its spin along (x, y, z)."""
    d = np.empty(UNKNOWNS)
    for k in range(UNKNOWNS):
        d[k] = s[ROW[k, 6], i] * x + s[ROW[k, 7], i] * y + s[ROW[k, 8], i] * z
    total = d[6] * x + d[7] * y + d[8] * z + variance
    shift = (centre - (s[6, i] * x + s[7, i] * y + s[8, i] * z)) / total
    for k in range(UNKNOWNS):
        s[k, i] += d[k] * shift
        for j in range(k + 1):
            s[ROW[k, j], i] -= d[k] * d[j] / total


@inlined
def weights_of(s):
    """The weights of the components, which sum to 1; the logarithms are shifted so that the largest is 0.

    All are 0 if none is in use.
    """
    log_weight = load(s, LOG_WEIGHT)
    log_weight = where(log_weight > DEAD, log_weight - lane_max(log_weight), DEAD)
    store(s, LOG_WEIGHT, log_weight)
    weight = where(log_weight > DEAD, math.exp(log_weight), 0.0)
    return weight / max(lane_sum(weight), 1e-30)


@inlined
def average(weight, value):
    """The weighted average over the components; lanes that are not in use may hold anything."""
    return lane_sum(where(weight > 0.0, weight * value, 0.0))


@inlined
def likeliest(s):
    """The number of the component with the largest weight."""
    best = 0
    for i in range(1, COMPONENTS):
        if s[LOG_WEIGHT, i] > s[LOG_WEIGHT, best]:
            best = i
    return best


@kernel
def refresh(s):
    """Fill the lanes that are not in use with the likeliest component, before what they hold runs away."""
    i, is_free = likeliest(s), load(s, LOG_WEIGHT) <= DEAD
    for k in range(KEPT_ROWS):
        store(s, k, where(is_free, s[k, i], load(s, k)))
