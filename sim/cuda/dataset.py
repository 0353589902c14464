"""Endless seeded balls on the GPU: as sim/dataset.py, whose random integers are the same to the bit.

Draws are in float64, and differ from the CPU's by the rounding of logarithms and sines. Flights are in float32.
"""

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numba import cuda

from ballcast.sim.cuda import engine, memory
from ballcast.sim.cuda.arrays import DeviceArray
from ballcast.sim.cuda.device_functions import device
from ballcast.sim.cuda.flight import BLOCK, Frames, Written
from ballcast.sim.dataset import Balls, checked_setting, initialise_ball
from ballcast.sim.kernels.layout import DRAG, LAUNCH_SIZE
from ballcast.sim.rng import load_state, next_normal, next_uniform, store_state
from ballcast.sim.sensor import (
    MAX_CAMERAS,
    TRACK_SENSOR_DTYPE,
    burst_length,
    burst_rate,
    drift_kept,
    frame_times,
    outlier,
)

if TYPE_CHECKING:
    from ballcast.sim.sport import Sport

DTYPE = np.float32  # of flights
CAMERAS = MAX_CAMERAS, 3
STREAM_SIZE = 4
COLUMNS = 14  # of Columns.sensor
WITH_TRUTH = True  # set where a kernel is compiled
FRAME_ARRAYS = 12  # so many arrays of positions take the memory of all that there is of a frame


class Tracks(NamedTuple):
    """Balls and sensors, T frames of B of them, frames first."""

    streams: Any  # (STREAM_SIZE, B) random streams
    sensors: Any  # (B,) TRACK_SENSOR_DTYPE
    launches: Any  # (LAUNCH_SIZE, B)
    flown: Any  # the same in float32
    stamps: Any  # (T, B) s
    stamp_frames: Frames
    exposure_frames: Frames
    measured: Any  # (T, 3, B) m
    is_observed: Any  # (T, B)
    lengths: Any  # (B,) observed frames


class Columns(NamedTuple):
    """Observed frames of all balls, one after the other, and what is of a ball."""

    offsets: Any  # (B + 1,)
    time: Any  # (N,) s
    measured: Any  # (N, 3) m, in the trackers' frames, as the truth
    truth: Any  # (3, N, 3) position, velocity and spin; (3, 0, 3) where it is not asked for
    sensor: Any  # (COLUMNS, B) rate, noise, jitter, outlier, drift, frame: see Balls


def draw_measured(sport: "Sport", count: int, first: int, seed: int, purpose: str) -> Balls:
    """As sim.draw on the GPU, in less time: without the truth, whose arrays are empty."""
    setting = checked_setting(sport, count, first, seed, purpose, rate=None, duration=None, wind=(0.0, 0.0),
                              launch_state=None, place=None)  # fmt: skip
    return draw_balls(sport, setting, count, first, with_truth=False)


def draw_balls(sport: "Sport", setting: Any, count: int, first: int, *, with_truth: bool = True) -> Balls:
    """Balls `first` to `first + count` of a set; setting: dataset._Setting."""
    engine.require_gpu()
    shape = int(setting.duration * setting.ranges["rate"][0, 1]), 3, count
    engine.require_memory(shape, np.dtype(DTYPE), FRAME_ARRAYS)
    setting = type(setting)(*(_to_device(v) if isinstance(v, np.ndarray) else v for v in setting))
    tracks = _allocate(shape)
    _launch(initialise_balls, count, setting, first, tracks)
    exposed = true = engine.written_to(memory.empty(shape, DTYPE))
    engine.fly_batch(sport, tracks.flown, tracks.exposure_frames, exposed)
    if with_truth:
        true = engine.written_to(*(memory.empty(shape, DTYPE) for _ in range(3)))
        engine.fly_batch(sport, tracks.flown, tracks.stamp_frames, true)
    _launch(measure_balls, count, setting.ranges, tracks, exposed.position)
    offsets = np.concatenate([[0], np.cumsum(tracks.lengths.copy_to_host(), dtype=np.int64)])
    total = int(offsets[-1])
    vectors = memory.empty((total, 3), DTYPE), memory.empty((3, total if with_truth else 0, 3), DTYPE)
    columns = Columns(cuda.to_device(offsets), memory.empty(total), *vectors, memory.empty((COLUMNS, count)))
    _launch(collect_balls, count, tracks, true, columns, WITH_TRUTH=with_truth)
    return _balls(sport, tracks.launches, columns)


def _to_device(array):
    """A copy on the GPU."""
    return cuda.to_device(array.astype(aligned(array.dtype)))


def aligned(dtype: np.dtype) -> np.dtype:
    """A dtype whose records say that their numbers lie on whole addresses: else a GPU reads them byte by byte."""
    if dtype.fields is None:
        return dtype
    return np.dtype([(name, aligned(dtype[name].base), dtype[name].shape) for name in dtype.names or ()], align=True)


def _allocate(shape):
    frames, _, count = shape
    room = memory.empty
    counts = room(count, np.int32)
    blocks, rests, other_blocks, other_rests = (room((frames, count), DTYPE) for _ in range(4))
    stamp_frames, exposure_frames = Frames(blocks, rests, counts), Frames(other_blocks, other_rests, counts)
    return Tracks(
        room((STREAM_SIZE, count), np.uint64), room(count, aligned(TRACK_SENSOR_DTYPE)), room((LAUNCH_SIZE, count)),
        room((LAUNCH_SIZE, count), DTYPE), room((frames, count)), stamp_frames, exposure_frames, room(shape, DTYPE),
        room((frames, count), np.bool_), room(count, np.int32),
    )  # fmt: skip


def _launch(kernel, count, *arguments, **constants):
    engine.launch(engine.compiled(kernel, np.float64, **constants), count, engine.THREADS, *arguments)


def _balls(sport, launches, columns):
    """The Balls, views of the arrays."""
    states = (DeviceArray(launches[k:m], (1, 0)) for k, m in ((0, 3), (3, 6), (6, 9), (DRAG, LAUNCH_SIZE)))
    rows, truth = columns.sensor, (columns.truth[i] for i in range(3))
    own = rows[0], DeviceArray(rows[1:4], (1, 0)), rows[4], rows[5]
    rest = DeviceArray(rows[6:11], (1, 0)), DeviceArray(rows[11:14], (1, 0))
    return Balls(sport, columns.offsets, columns.time, columns.measured, *truth, *states, *own, *rest)


def initialise_balls(setting: Any, first: int, tracks: Tracks) -> None:
    """Kernel. Draw launch, parameters, sensor and frame times of the balls."""
    b = cuda.grid(1)
    if b >= tracks.launches.shape[1]:
        return
    launch, sensor = tracks.launches[:, b], tracks.sensors[b]
    stream = cuda.local.array(STREAM_SIZE, np.uint64)  # in registers, without a loop over it
    initialise_ball(setting, first + b, stream, launch, sensor)
    for k in range(LAUNCH_SIZE):
        tracks.flown[k, b] = launch[k]
    state, phase = next_uniform(load_state(stream))
    count = int(setting.duration * sensor["rate"])
    tracks.stamp_frames.counts[b] = count
    for k in range(count):
        state, deviate = next_normal(state)
        stamp, exposure = frame_times(sensor, phase, k, deviate)
        tracks.stamps[k, b] = stamp
        _set_time(tracks.stamp_frames, k, b, stamp)
        _set_time(tracks.exposure_frames, k, b, exposure)
    store_state(tracks.streams[:, b], state)


@device
def _set_time(frames, k, b, time):
    """Set the time of frame k."""
    block = float(math.floor(time / BLOCK))
    frames.blocks[k, b], frames.rests[k, b] = block, time - block * BLOCK


def measure_balls(ranges: Any, tracks: Tracks, exposed: Any) -> None:
    """Kernel. What the trackers measure of positions exposed (T, 3, B): draw_errors and add_errors in one loop."""
    b = cuda.grid(1)
    if b >= exposed.shape[2]:
        return
    state, sensor, drift = load_state(tracks.streams[:, b]), tracks.sensors[b], cuda.local.array(CAMERAS, np.float64)
    starts, cameras, kept = burst_rate(sensor), sensor["cameras"], drift_kept(sensor)
    for i in range(3 * MAX_CAMERAS):
        drift[i // 3, i % 3] = 0.0
    missing, total = 0, 0
    for k in range(tracks.stamp_frames.counts[b]):
        camera = k % cameras
        if sensor["drift"][0] > 0.0:
            step = math.sqrt(1.0 - kept * kept) if k >= cameras else 1.0
            for i in range(3):
                state, deviate = next_normal(state)
                drift[camera, i] = kept * drift[camera, i] + step * sensor["drift"][i] * deviate
        state, x = next_normal(state)
        state, y = next_normal(state)
        state, z = next_normal(state)
        if missing == 0:
            state, u = next_uniform(state)
            if u < starts:
                state, u = next_uniform(state)
                missing = burst_length(sensor, u)
        moved = 0.0, 0.0, 0.0
        if sensor["outlier"] > 0.0:
            state, u = next_uniform(state)
            if u < sensor["outlier"]:
                state, u = next_uniform(state)
                state, v = next_uniform(state)
                state, w = next_uniform(state)
                moved = outlier(ranges[0], u, v, w)
        noise = sensor["noise"]
        tracks.measured[k, 0, b] = exposed[k, 0, b] + noise[0] * x + drift[camera, 0] + moved[0]
        tracks.measured[k, 1, b] = exposed[k, 1, b] + noise[1] * y + drift[camera, 1] + moved[1]
        tracks.measured[k, 2, b] = exposed[k, 2, b] + noise[2] * z + drift[camera, 2] + moved[2]
        tracks.is_observed[k, b] = missing == 0
        total += missing == 0
        missing = max(missing - 1, 0)
    tracks.lengths[b] = total


def collect_balls(tracks: Tracks, true: Written, columns: Columns) -> None:
    """Kernel. The observed frames of the balls one after the other, in the trackers' frames of reference."""
    b = cuda.grid(1)
    if b >= tracks.lengths.shape[0]:
        return
    sensor, n, truth = tracks.sensors[b], columns.offsets[b], columns.truth
    frame = sensor["frame"]
    for k in range(tracks.stamp_frames.counts[b]):
        if tracks.is_observed[k, b]:
            columns.time[n] = tracks.stamps[k, b]
            _to_tracker_frame(frame, tracks.measured, k, b, frame[0], columns.measured, n)
            if WITH_TRUTH:
                _to_tracker_frame(frame, true.position, k, b, frame[0], truth[0], n)
                _to_tracker_frame(frame, true.velocity, k, b, 0.0, truth[1], n)
                _to_tracker_frame(frame, true.spin, k, b, 0.0, truth[2], n)
            n += 1
    rows = columns.sensor
    rows[0, b], rows[4, b], rows[5, b] = sensor["rate"], sensor["jitter"], sensor["outlier"]
    for i in range(3):
        rows[1 + i, b], rows[6 + i, b], rows[11 + i, b] = sensor["noise"][i], sensor["drift"][i], frame[i]
    rows[9, b], rows[10, b] = sensor["drift_time"], float(sensor["cameras"])


@device
def _to_tracker_frame(frame, vectors, k, b, height, out, n):
    """As sensor.to_tracker_frame: vector k of ball b, out[n]; height 0 unless it is a position."""
    x, y, z = vectors[k, 0, b], vectors[k, 1, b], vectors[k, 2, b]
    out[n, 0], out[n, 1], out[n, 2] = x + frame[2] * z, y - frame[1] * z, z + frame[1] * y - frame[2] * x + height
