"""The running filter on a GPU: the CPU's own functions, a lane of a ball being a thread (sim/cuda/lane_threads.py).

    follow, fly = kernels()
    follow[blocks, threads](frontend, sequences, filtered)    # features of all frames, the belief at the loss frames
    fly[blocks, threads](frontend, filtered, nominal)         # the nominal forecasts from there

Numbers are float64 where the CPU's lanes are float32; the rows of lanes are float32 on both. Importing this module asks
for numba-cuda.
"""

import functools
import math
from typing import Any, NamedTuple

import numpy as np
from numba import cuda

from ballcast.models.encoding.features import FEATURE_SIZES, _filter_features
from ballcast.models.encoding.nominal import (
    CONTACT_FEATURES,
    HORIZON_STEP,
    HORIZONS,
    NOMINAL_FEATURES,
    fill_nominal_features,
    fill_variances,
    free_flight_sd,
    nominal_flight,
)
from ballcast.models.estimation.filter_state import FILTER_STATE_DTYPE, summary
from ballcast.models.estimation.gaussian_sum import observe
from ballcast.models.estimation.mixture import COVARIANCE
from ballcast.models.estimation.unknowns import LOG_PARAMETERS, UNKNOWNS
from ballcast.sim.cuda.device_functions import device
from ballcast.sim.cuda.lane_threads import LanePrecision, from_lane, lane, lane_sum
from ballcast.sim.kernels.air_tangent import FACTOR_RATE
from ballcast.sim.kernels.lane_numbers import LANES
from ballcast.sim.kernels.layout import DRAG, LAUNCH_SIZE
from ballcast.sim.kernels.tangent import COLUMNS as CPU_COLUMNS
from ballcast.sim.kernels.tangent import PARAMETERS as PARAMETER_ROWS
from ballcast.sim.kernels.tangent import STAGE_RATES, STAGE_STATES, TANGENT_SIZE

FEATURES, FLIGHT_TIMES = FEATURE_SIZES["filter"], HORIZONS + 1  # the shapes of arrays are known when it is compiled
COLUMNS = 1  # of a tangent that a thread has: that of the unknown with its lane's number


def _thread_dtype():
    """What a thread has of a FILTER_STATE_DTYPE: its own columns of rows of lanes, all the rest."""
    fields = [(name, FILTER_STATE_DTYPE[name].base, FILTER_STATE_DTYPE[name].shape) for name in FILTER_STATE_DTYPE.names
              if name != "padding"]  # fmt: skip
    own = [(name, kind, (shape[0], 1) if name in ("components", "anchor") else shape) for name, kind, shape in fields]
    return np.dtype(own, align=True)


THREAD_STATE_DTYPE = _thread_dtype()


class Frames(NamedTuple):
    """The frames of B sequences, T of each, as arrays on the GPU."""

    time: Any  # (B, T) s
    position: Any  # (B, T, 3) m
    count: Any  # (B,) frames that are there
    loss_frames: Any  # (B, N)


class Filtered(NamedTuple):
    """What the filter makes of sequences, arrays on the GPU."""

    features: Any  # (B, T, F + 1)
    mean: Any  # (B, N, UNKNOWNS) of the belief at the loss frames
    covariance: Any  # (B, N, UNKNOWNS, UNKNOWNS)


class Nominal(NamedTuple):
    """The nominal forecasts at the loss frames, arrays on the GPU."""

    position: Any  # (B, N, HORIZONS, 3) m
    sd: Any  # (B, N, HORIZONS, 3) m, of free flight
    landing: Any  # (B, N, 4) s, m
    scale: Any  # (B, N, 4), its standard deviations
    features: Any  # (B, N, NOMINAL_FEATURES)


def follow_balls(frontend: Any, sequences: Frames, filtered: Filtered) -> None:
    """Kernel. Filter sequence number thread // LANES; frontend: a FeatureFrontend of arrays on the GPU."""
    b = cuda.grid(1) // LANES
    if b >= sequences.count.shape[0]:
        return
    sport, prior, scales = frontend.sport, frontend.filter_prior, frontend.scales
    states, out, y = cuda.local.array(1, THREAD_STATE_DTYPE), np.empty(FEATURES), np.empty(3)
    state, n, before = states[0], 0, sequences.time[b, 0]
    _clear(state)
    for k in range(sequences.count[b]):
        t = sequences.time[b, k]
        for i in range(3):
            y[i] = sequences.position[b, k, i]
        observe(sport, prior, state, t, y)
        _filter_features(sport, scales, summary(state), t - before, out)
        before = t
        for first in range(0, FEATURES, LANES):
            if first + lane() < FEATURES:
                filtered.features[b, k, first + lane()] = out[first + lane()]
        if lane() == 0:
            filtered.features[b, k, FEATURES] = frontend.surfaces_absent
        while n < sequences.loss_frames.shape[1] and sequences.loss_frames[b, n] == k:
            filtered.mean[b, n, lane()] = state.x[lane()]
            for i in range(UNKNOWNS):
                filtered.covariance[b, n, i, lane()] = state.P[i, lane()]
            n += 1


def fly_nominal(frontend: Any, filtered: Filtered, written: Nominal) -> None:
    """Kernel. The nominal forecast of loss frame number `thread`, from the belief there."""
    row, count = cuda.grid(1), filtered.mean.shape[1]
    if row >= filtered.mean.shape[0] * count:
        return
    b, n, sport = row // count, row % count, frontend.sport
    x, variances, times = filtered.mean[b, n], np.empty((3, 3)), np.empty(HORIZONS)
    trajectory, until, features = np.empty((FLIGHT_TIMES, 3)), np.empty(FLIGHT_TIMES), np.empty(NOMINAL_FEATURES)
    contact_features, sd, rest = np.empty(CONTACT_FEATURES), np.empty(3), (written.landing[b, n], written.scale[b, n])
    fill_variances(filtered.covariance[b, n], variances)
    for k in range(HORIZONS):
        times[k] = HORIZON_STEP * (k + 1)
    positions = written.position[b, n]
    nominal_flight(sport, x, variances, times, until, trajectory, positions, *rest, contact_features)
    fill_nominal_features(frontend.scales, sport, x, variances, positions, rest[0], contact_features, features)
    for k in range(NOMINAL_FEATURES):
        written.features[b, n, k] = features[k]
    for k in range(HORIZONS):
        free_flight_sd(variances, times[k], sd)
        for i in range(3):
            written.sd[b, n, k, i] = sd[i]


@device
def _clear(state):
    """The state of a ball without a frame."""
    state.frames, state.consecutive_outliers, state.noise_factor, state.rolling = 0, 0, 1.0, 0.0
    state.components[:] = 0.0
    state.anchor[:] = 0.0
    state.recent_frames[:] = 0.0
    state.x[:] = 0.0


@device
def to_launch(x):
    """As unknowns.to_launch, a tuple."""
    parameters = math.exp(x[9]), math.exp(x[10]), math.exp(x[11]), math.exp(x[12]), x[13], x[14]
    return x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7], x[8], *parameters


@device
def seed_unknowns(tangent, launch):
    """As unknowns.seed_unknowns."""
    tangent[:] = 0.0
    for i in range(9):
        if lane() == i:
            tangent[i] = 1.0
    for i in range(9, LAUNCH_SIZE):
        if lane() == i:
            tangent[PARAMETER_ROWS + i - DRAG] = launch[i] if i in LOG_PARAMETERS else 1.0


@device
def tangent_times(tangent, k, vector):
    """As gaussian_sum.tangent_times."""
    return lane_sum(tangent[k] * vector[lane()])


@device
def propagate_by_tangent(tangent, P):
    """As gaussian_sum.propagate_by_tangent."""
    propagated = np.empty(9)  # column of this lane
    for i in range(9):
        propagated[i] = 0.0
        for k in range(UNKNOWNS):
            propagated[i] += from_lane(tangent[i], k) * P[k, lane()]
    for i in range(9):
        for j in range(i + 1):
            P[i, j] = lane_sum(propagated[i] * tangent[j])
            P[j, i] = P[i, j]
        for j in range(9, UNKNOWNS):
            P[i, j] = from_lane(propagated[i], j)
            P[j, i] = P[i, j]


@device
def motion_covariance(tangent, P, covariance):
    """As contact_side.motion_covariance."""
    propagated = np.empty(6)
    for i in range(6):
        propagated[i] = 0.0
        for k in range(UNKNOWNS):
            propagated[i] += from_lane(tangent[3 + i], k) * P[k, lane()]
    for i in range(6):
        for j in range(6):
            covariance[i, j] = lane_sum(propagated[i] * tangent[3 + j])


@device
def position_jacobian(tangent, f, h, out, k):
    """Nobody asks for that of positions under way."""


@device
def covariance_row(k, j):
    """As mixture.ROW[k, j]: a table would fill the memory of constants."""
    return COVARIANCE + max(k, j) * (max(k, j) + 1) // 2 + min(k, j)


REPLACED = {f.__name__: f for f in (to_launch, seed_unknowns, tangent_times, propagate_by_tangent, motion_covariance,
                                    position_jacobian)}  # fmt: skip
# of a tangent a thread has one column, and the numbers of a step's stages, which are of the ball
FEWER = STAGE_STATES - STAGE_STATES // CPU_COLUMNS
CONSTANTS = {"ROW": covariance_row, "C": COLUMNS, "COLUMNS": COLUMNS, "WIDTH": COLUMNS} | {
    name: value - FEWER for name, value in (("TANGENT_SIZE", TANGENT_SIZE), ("STAGE_STATES", STAGE_STATES),
                                            ("STAGE_RATES", STAGE_RATES), ("FACTOR_RATE", FACTOR_RATE))
}  # fmt: skip
PACKAGE = "ballcast.models.estimation"  # whose functions work on rows of lanes


@functools.cache
def kernels() -> tuple[Any, Any]:
    """follow_balls and fly_nominal, compiled at their first calls: for a minute or two, once for all sports."""
    precision = LanePrecision(np.float64, PACKAGE, **REPLACED | CONSTANTS)
    return tuple(cuda.jit(precision.function(kernel)) for kernel in (follow_balls, fly_nominal))
