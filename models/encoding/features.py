"""What a network reads of every frame, from times and positions alone. Compiled.

Three sets of features, by name:
    filter    the running filter's estimate (gaussian_sum.py), its uncertainty, and the innovation of the frame
    frames    the last frames: displacements and gaps, no memory beyond them (what `mlp` reads)
    raw       the measured positions without a filter: place, velocities over the last frames, and what the sport is
Missing frames are absent; the gaps in time are features. Features are dimensionless (scales.py), and as many for every
sport. A change of what they are needs another FEATURES_VERSION (models/runtime/weights.py).
"""

import functools
import math
from typing import NamedTuple

import numpy as np

from ballcast.models.encoding.scales import DESCRIPTORS, FeatureScales, air_acceleration, has_obstacles, make_scales
from ballcast.models.estimation.filter_state import HISTORY_FRAMES, store_frame, summary
from ballcast.models.estimation.gaussian_sum import observe
from ballcast.models.estimation.linear import cholesky_with_jitter
from ballcast.models.estimation.prior import FilterPrior, make_filter_prior
from ballcast.models.estimation.unknowns import UNKNOWNS
from ballcast.sim.jit import kernel
from ballcast.sim.kernels.compiled_sport import CompiledSport, compile_sport
from ballcast.sim.sport import Sport

FILTER, FRAMES, RAW = 0, 1, 2
FEATURE_SETS = {"filter": FILTER, "frames": FRAMES, "raw": RAW}
FRAME_LAGS = (1, 2, 3, 4, 6, 8, 12, 16)  # frames back, of `frames` and `raw`
FILTER_LAGS = (2, 4, 8)  # of `filter`
FILTER_LAYOUT = {  # of `filter`, in this order: name -> numbers; (s): seconds enter
    "innovation": 3,  # of the frame, in its standard deviations
    "surprise": 3,  # its squared length, the running average of that, and how many times less the frame counted
    "mixture": 6,  # components, largest weight, probability of rolling, share of the variance between components
    "velocity": 3,  # over U
    "spin": 3,  # R w / U
    "mean": 10,  # of spin, factors, wind and height, from the prior's mean, in the prior's standard deviations
    "log sd": 16,  # of position over R, velocity over U, others over the prior's
    "log noise": 4,  # of the sensor: axes over R, time stamps over R / U
    "log gap": 1,  # to the frame before, over R / U
    "log frames": 1,  # that were seen, at most MAX_FRAMES
    "air": 4,  # drag and lift (3,) over g
    "height": 2,  # of the ball above what supports it below, over R and over U^2 / g
    "place": 3,  # position over U^2 / g
    "motion": 3 * len(FILTER_LAGS),  # mean velocities over the last frames from the estimate's, without air, in sds
    "time": 3,  # (s) age, how recent the last contact is, log gap over 0.01 s
    "sport": len(DESCRIPTORS),
}
RAW_LAYOUT = {  # of `raw`, in this order; a frame that was missed is no frame: the gap says that time has passed
    "place": 3,  # position over U^2 / g
    "nearness": 3,  # asinh of position over R: where the table and the net are, to the millimetre
    "velocity": 3,  # mean velocity since VELOCITY_LAG frames ago, or the first frame, over U
    "lags": 4
    * len(FRAME_LAGS),  # for each lag: (s) seconds over 0.01 s; asinh of how much the mean velocity since then
    # differs from that, over U / VELOCITY_RATIO; 0 where no frame was seen
    "log gap": 1,  # (s) to the frame before, over 0.01 s
    "log frames": 1,  # that were seen, at most MAX_FRAMES
    "sport": len(DESCRIPTORS),
}
FEATURE_SIZES = {
    "filter": sum(FILTER_LAYOUT.values()),
    "frames": 3 + 4 * len(FRAME_LAGS),
    "raw": sum(RAW_LAYOUT.values()),
}
VELOCITY_LAG, VELOCITY_RATIO = 4, 20.0  # frames, of a straight line; differences of U / 20 are as small as noise
MIN_SD = 1e-9
JITTER = 1e-6  # fraction of the variances, added to them
MAX_AGE, CONTACT_DECAY, USUAL_GAP = 2.0, 0.1, 0.01  # s
MIN_GAP, MAX_FRAMES = 0.02, 90  # over R / U; of a count
MAX_HEIGHT = 1e4  # over R: nothing is below the ball
SPIN_COLUMN = 6  # of the first unknown of "mean"
assert max(FRAME_LAGS) < HISTORY_FRAMES


class FeatureFrontend(NamedTuple):
    """What turns frames into features."""

    feature_set: int  # FILTER, FRAMES or RAW
    sport: CompiledSport
    filter_prior: FilterPrior
    scales: FeatureScales
    surfaces_absent: float  # 1 if the sport has no obstacle such as a net: the last feature


@functools.lru_cache(512)
def make_frontend(sport: Sport, feature_set: str) -> FeatureFrontend:
    """The FeatureFrontend of a Sport for the feature set of that name. Its arrays are shared by all callers."""
    prior = make_filter_prior(sport)
    scales = make_scales(sport, prior)
    return FeatureFrontend(FEATURE_SETS[feature_set], compile_sport(sport), prior, scales, 1.0 - has_obstacles(sport))


@kernel
def extract(frontend, state, t, y, out):
    """Update the filter state with a frame at t s, y (3,) m, and fill its features (F + 1,)."""
    known = summary(state)
    gap = t - known.recent_frames[0, 0] if known.frames > 0 else 0.0
    if frontend.feature_set == FRAMES:
        store_frame(state, t, y)
        _lag_features(frontend.scales, summary(state), out[:-1])
    elif frontend.feature_set == RAW:
        store_frame(state, t, y)
        _raw_features(frontend.scales, summary(state), gap, out[:-1])
    else:
        observe(frontend.sport, frontend.filter_prior, state, t, y)
        _filter_features(frontend.sport, frontend.scales, summary(state), gap, out[:-1])
    out[-1] = frontend.surfaces_absent


@kernel
def _lag_features(scales, known, out):
    """Position over U^2 / g, then for each lag the gap and the mean velocity over it; 0 if there are too few frames."""
    now, length = known.recent_frames[0], scales.speed * scales.speed / scales.gravity
    out[:] = 0.0
    for i in range(3):
        out[i] = now[1 + i] / length
    k = 3
    for lag in FRAME_LAGS:
        if lag < known.frames:
            then = known.recent_frames[lag]
            seconds = now[0] - then[0]
            out[k] = seconds / USUAL_GAP
            for i in range(3):
                out[k + 1 + i] = (now[1 + i] - then[1 + i]) / (seconds * scales.speed)
        k += 4


@kernel
def recent_velocity(known, lag, velocity):
    """Fill velocity (3,) m/s with the mean over the last `lag` frames, or over as many as there are; 0 of one frame."""
    lag = min(lag, known.frames - 1)
    velocity[:] = 0.0
    if lag > 0:
        now, then = known.recent_frames[0], known.recent_frames[lag]
        velocity[:] = (now[1:] - then[1:]) / (now[0] - then[0])


@kernel
def _raw_features(scales, known, gap, out):
    """Fill the features of RAW_LAYOUT."""
    now, length, velocity = known.recent_frames[0], scales.speed * scales.speed / scales.gravity, np.empty(3)
    recent_velocity(known, VELOCITY_LAG, velocity)
    out[:] = 0.0
    for i in range(3):
        out[i], out[3 + i] = now[1 + i] / length, math.asinh(now[1 + i] / scales.radius)
        out[6 + i] = velocity[i] / scales.speed
    k = 9
    for lag in FRAME_LAGS:
        if lag < known.frames:
            then = known.recent_frames[lag]
            seconds = now[0] - then[0]
            out[k] = seconds / USUAL_GAP
            for i in range(3):
                difference = (now[1 + i] - then[1 + i]) / seconds - velocity[i]
                out[k + 1 + i] = math.asinh(VELOCITY_RATIO * difference / scales.speed)
        k += 4
    out[k] = math.log(gap / USUAL_GAP + 0.1)
    out[k + 1] = math.log(float(min(known.frames, MAX_FRAMES)))
    out[k + 2 :] = scales.descriptors


@kernel
def _filter_features(sport, scales, known, gap, out):
    """Fill the features of FILTER_LAYOUT."""
    k = _innovation_features(known, out)
    k = _estimate_features(scales, known, out, k)
    x, noise = known.mean, known.noise
    for i in range(3):
        out[k + i] = 0.5 * math.log(noise[i] / (scales.radius * scales.radius) + 1e-10)
    rate = scales.speed / scales.radius  # 1/s
    out[k + 3] = 0.5 * math.log(noise[3] * rate * rate + 1e-6)
    out[k + 4] = math.log(gap * rate + MIN_GAP)
    out[k + 5] = math.log(float(min(known.frames, MAX_FRAMES)))
    k += 6
    air_acceleration(sport, x, out[k : k + 4])
    for i in range(4):
        out[k + i] = math.asinh(out[k + i] / scales.gravity)
    length = scales.speed * scales.speed / scales.gravity
    height = height_above_support(sport, x)
    out[k + 4] = math.asinh(min(height / scales.radius, MAX_HEIGHT))
    out[k + 5] = math.asinh(min(height, MAX_HEIGHT * scales.radius) / length)
    for i in range(3):
        out[k + 6 + i] = math.asinh(x[i] / length)
    k = _motion_features(scales, known, out, k + 9)
    t = known.recent_frames[0, 0]
    out[k] = min(t - known.start_time, MAX_AGE)
    out[k + 1] = math.exp((known.last_contact_time - t) / CONTACT_DECAY)
    out[k + 2] = math.log(gap / USUAL_GAP + 0.1)
    for i in range(len(scales.descriptors)):
        out[k + 3 + i] = scales.descriptors[i]


@kernel
def _innovation_features(known, out):
    """Fill "innovation", "surprise" and "mixture"; the number of the next column."""
    for i in range(3):
        ratio = known.innovation[i] / known.innovation_sd[i]
        out[i] = math.asinh(ratio) if math.isfinite(ratio) else 0.0  # a covariance may be indefinite, by rounding
    out[3], out[4] = math.log1p(known.mahalanobis2), math.log1p(known.nis_average)
    out[5] = math.log(known.inflation)
    out[6], out[7], out[8] = math.log(known.components), known.top_weight, known.rolling
    for i in range(3):
        out[9 + i] = known.between[i]
    return 12


@kernel
def _estimate_features(scales, known, out, k):
    """Fill "velocity", "spin", "mean" and "log sd" from column k on; the number of the next column."""
    x, P = known.mean, known.covariance
    for i in range(3):
        out[k + i] = x[3 + i] / scales.speed
        out[k + 3 + i] = x[6 + i] * scales.radius / scales.speed
    k += 6
    for i in range(SPIN_COLUMN, UNKNOWNS):
        out[k + i - SPIN_COLUMN] = (x[i] - scales.prior_mean[i]) * scales.inverse_sd[i]
    k += UNKNOWNS - SPIN_COLUMN
    for i in range(UNKNOWNS):
        log_sd = 0.5 * math.log(max(P[i, i], MIN_SD**2)) - scales.log_unit[i]
        out[k + i] = log_sd if scales.inverse_sd[i] > 0.0 else 0.0
    return k + UNKNOWNS


@kernel
def _motion_features(scales, known, out, k):
    """Fill "motion" from column k on; the number of the next column."""
    now = known.recent_frames[0]
    for lag in FILTER_LAGS:
        back = min(lag, known.frames - 1)
        then = known.recent_frames[max(back, 0)]
        seconds = now[0] - then[0]
        for i in range(3):
            out[k + i] = 0.0
            if back > 0:
                variance = known.covariance[3 + i, 3 + i] + 2.0 * known.noise[i] / (seconds * seconds)
                fall = 0.5 * scales.gravity * seconds if i == 2 else 0.0
                off = (now[1 + i] - then[1 + i]) / seconds - known.mean[3 + i] - fall
                out[k + i] = math.asinh(off / math.sqrt(variance))
        k += 3
    return k


@kernel
def height_above_support(sport, x):
    """The height of the ball's lowest point above the highest surface that supports it below, m; inf without one."""
    height = np.inf
    for surface in sport.surfaces:
        low, high = surface["low"], surface["high"]
        inside = low[0] <= x[0] and x[0] <= high[0] and low[1] <= x[1] and x[1] <= high[1]
        if surface["supports"] > 0.0 and inside:
            above = x[2] - low[2] - surface["contact_distance"]
            if above > -surface["contact_distance"]:
                height = min(height, above)
    return height


@kernel
def active_cholesky(covariance, active_unknowns, L):
    """Fill L (D, D), lower: L L^T is the covariance of the active unknowns, with JITTER."""
    block = np.empty(L.shape)
    for i in range(len(active_unknowns)):
        for j in range(len(active_unknowns)):
            block[i, j] = covariance[active_unknowns[i], active_unknowns[j]]
    cholesky_with_jitter(block, JITTER, L)
