"""What a tracker measures of a flight: frame times, jitter of stamps, noise, drift, outliers, missed frames, its frame.

Every track draws its own sensor (rate, noise of each axis, jitter, drift, rate and pattern of misses, outliers, and how
its frame lies in the sport's) and keeps it. A camera's frame is exposed a little before or after its stamp; what is
measured is where the ball is then. Drift is an error that lasts: other pairs of cameras, or lenses that are not quite
known, displace neighbouring frames alike (an Ornstein-Uhlenbeck process). Where cameras take turns, each has its own.
A tracker's frame of reference is a little too high and tilted; all positions of a track, measured and true, are in it.
"""

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ballcast.sim.jit import strict
from ballcast.sim.kernels.borrowed import borrowed
from ballcast.sim.kernels.strict_code import strict_kernel
from ballcast.sim.kernels.word_lanes import LANES
from ballcast.sim.rng import make_normal, normal, uniform
from ballcast.sim.stream_lanes import BLOCK, draw_block, number_at, set_lane, store_lane, take_points

if TYPE_CHECKING:  # an import would make every edit of sport.py compile this module anew
    from ballcast.sim.sport import Sensor

MAX_EXPOSURE_OFFSET = 0.4  # of the frame interval, from time stamp to exposure: so exposures keep their order
SENSOR_RANGES_DTYPE = np.dtype(  # how the sensors of a sport's tracks differ: low and high
    [(name, "f8", 2) for name in ("rate", "noise", "jitter", "burst_run", "outlier_rate", "outlier_size")]
    + [("burst_share", "f8"), ("outlier_share", "f8")]  # of the tracks
    + [("drift_share", "f8"), ("drift_ratio", "f8", 2), ("drift_time", "f8", 2)]  # of the tracks; of the noise; s
    + [("turns_share", "f8")]  # of the tracks with drift: cameras take turns
    + [("height", "f8"), ("tilt", "f8")]  # m, scale of Cauchy's law; rad, standard deviation
    + [("frame_offset", "f8", 3)]  # about which they are spread: m, rad, rad
)
TRACK_SENSOR_DTYPE = np.dtype(
    [("rate", "f8"), ("noise", "f8", 3), ("jitter", "f8")]  # Hz; standard deviations of each axis (m), of stamps (s)
    + [("miss", "f8"), ("burst_run", "f8", 2), ("outlier", "f8")]  # fractions of the frames; a run's lowest and highest
    + [("drift", "f8", 3), ("drift_time", "f8")]  # standard deviation of each axis, m; s
    + [("cameras", "i8")]  # that take turns, each with its own drift
    + [("frame", "f8", 3)]  # m, how much too high it is; rad, how it is turned about x and y
)
MAX_CAMERAS = 3  # that take turns
MAX_HEIGHT_SCALES = 15.0  # a frame is too high or low by at most so many scales


def sensor_ranges(sensor: "Sensor", rate: float | None, training: bool) -> tuple[np.ndarray, np.ndarray]:
    """One SENSOR_RANGES_DTYPE record, (1,), and the rates of missed frames, of a sport's Sensor.

    The frame rate is `rate` (Hz) if it is given, else the sensor's, in training any in its range.
    """
    ranges = np.zeros(1, SENSOR_RANGES_DTYPE)
    record = ranges[0]
    record["rate"] = rate if rate else sensor.train_rate if training else sensor.rate
    record["noise"], record["jitter"] = sensor.noise, sensor.jitter
    record["burst_share"], record["burst_run"] = sensor.burst.share, sensor.burst.run
    record["outlier_share"], record["outlier_rate"] = sensor.outlier.share, sensor.outlier.rate
    record["outlier_size"] = sensor.outlier.size
    record["drift_share"], record["drift_ratio"] = sensor.drift.share, sensor.drift.ratio
    record["drift_time"], record["turns_share"] = sensor.drift.time, sensor.drift.turns
    record["height"], record["tilt"] = sensor.frame.height, math.radians(sensor.frame.tilt)
    record["frame_offset"] = known_frame(sensor)
    return ranges, np.array(sensor.miss)


@strict
def _between(stream, ends):
    return ends[0] + (ends[1] - ends[0]) * uniform(stream)


@strict
def draw_sensor(stream, ranges, misses, sensor):
    """Fill the TRACK_SENSOR_DTYPE record of one track."""
    sensor["rate"] = _between(stream, ranges["rate"])
    for k in range(3):
        sensor["noise"][k] = _between_logs(stream, ranges["noise"])
    sensor["jitter"] = _between(stream, ranges["jitter"])
    sensor["miss"] = misses[min(int(uniform(stream) * len(misses)), len(misses) - 1)]
    has_bursts = uniform(stream) < ranges["burst_share"]
    has_outliers = uniform(stream) < ranges["outlier_share"]
    outlier_rate = _between(stream, ranges["outlier_rate"])
    for k in range(2):
        sensor["burst_run"][k] = ranges["burst_run"][k] if has_bursts else 1.0
    sensor["outlier"] = outlier_rate if has_outliers else 0.0
    has_drift = uniform(stream) < ranges["drift_share"]
    for k in range(3):
        ratio = _between_logs(stream, ranges["drift_ratio"]) if has_drift else 0.0
        sensor["drift"][k] = ratio * sensor["noise"][k]
    sensor["drift_time"] = _between_logs(stream, ranges["drift_time"]) if has_drift else 1.0
    has_turns = uniform(stream) < ranges["turns_share"]
    sensor["cameras"] = 2 + int((MAX_CAMERAS - 1) * uniform(stream)) if has_drift and has_turns else 1
    scales = math.tan(math.pi * (uniform(stream) - 0.5))
    sensor["frame"][0] = ranges["height"] * min(max(scales, -MAX_HEIGHT_SCALES), MAX_HEIGHT_SCALES)
    sensor["frame"][1], sensor["frame"][2] = ranges["tilt"] * normal(stream), ranges["tilt"] * normal(stream)
    for k in range(3):
        sensor["frame"][k] += ranges["frame_offset"][k]


@strict
def _between_logs(stream, ends):
    """Evenly between the logarithms of the ends; an end may be 0."""
    low = max(ends[0], 1e-3 * ends[1])
    return low * (ends[1] / low) ** uniform(stream) if low > 0.0 else 0.0


@strict
def frame_times(sensor, phase, k, deviate):
    """Stamp and exposure (s) of frame k of a track, which starts `phase` of a frame after the launch.

    deviate: a standard normal number.
    """
    rate = sensor["rate"]
    stamp, offset = (k + phase) / rate, sensor["jitter"] * deviate
    limit = min(MAX_EXPOSURE_OFFSET / rate, stamp)
    return stamp, stamp + min(max(offset, -limit), MAX_EXPOSURE_OFFSET / rate)


@strict_kernel
def draw_frame_times(lanes, streams, sensors, duration, counts, stamps, exposures, points):
    """Fill how many frames (B,) up to LANES tracks have, and their stamps and exposures (B, T) s.

    Each starts within a frame of the launch. lanes: StreamLanes; points (LANES, 2, T) is room for random points.
    """
    lanes = borrowed(lanes)
    phases, drawn = np.empty(LANES), np.zeros(LANES, np.int64)
    for i in range(len(streams)):
        phases[i], counts[i] = uniform(streams[i]), int(duration * sensors[i]["rate"])
        set_lane(lanes, i, streams[i])
    busy = True
    while busy:
        draw_block(lanes)
        busy = False
        for i in range(len(streams)):
            block = i, lanes.position[i], points[i, 0], points[i, 1], drawn[i], counts[i]
            drawn[i], lanes.position[i] = take_points(lanes, *block)
            busy |= drawn[i] < counts[i]
    for i in range(len(streams)):
        make_normal(points[i, 0], points[i, 1], counts[i])
        for k in range(counts[i]):
            stamps[i, k], exposures[i, k] = frame_times(sensors[i], phases[i], k, points[i, 0, k])
        store_lane(lanes, i, streams[i])


@strict
def burst_rate(sensor):
    """The rate at which bursts start, so that the expected fraction of missed frames is sensor["miss"]."""
    run = 0.5 * (sensor["burst_run"][0] + sensor["burst_run"][1])
    return sensor["miss"] / (sensor["miss"] + (1.0 - sensor["miss"]) * run)


@strict
def burst_length(sensor, u):
    """How many frames a burst misses; u: a number in [0, 1)."""
    shortest, longest = sensor["burst_run"][0], sensor["burst_run"][1]
    return int(shortest + (longest - shortest + 1.0) * u)


@strict
def outlier(ranges, u, v, w):
    """By how much, (3,) m, an outlier is displaced; u, v, w: numbers in [0, 1)."""
    size = ranges["outlier_size"][0] + (ranges["outlier_size"][1] - ranges["outlier_size"][0]) * u
    z, angle = 2.0 * v - 1.0, 2.0 * math.pi * w
    level = math.sqrt(1.0 - z * z)
    return size * level * math.cos(angle), size * level * math.sin(angle), size * z


@strict
def drift_kept(sensor):
    """The share of a camera's drift that is left at its next frame."""
    return math.exp(-sensor["cameras"] / (sensor["rate"] * sensor["drift_time"]))


class Errors(NamedTuple):
    """What is drawn of LANES tracks of at most T frames; see `draw_errors`."""

    deviates: np.ndarray  # (LANES, 2, 6 T) normal numbers in [:, 0], 3 or 6 of each frame
    displacement: np.ndarray  # (LANES, T, 3) m, of outliers
    is_observed: np.ndarray  # (LANES, T)


def new_errors(frames: int) -> Errors:
    """Errors of at most so many frames."""
    room = np.empty((LANES, 2, 6 * frames)), np.empty((LANES, frames, 3))
    return Errors(*room, np.empty((LANES, frames), np.bool_))


@strict_kernel
def draw_errors(lanes, streams, sensors, ranges, counts, errors):
    """Fill the Errors of up to LANES tracks of `counts` frames. lanes: StreamLanes."""
    lanes, errors = borrowed(lanes), borrowed(errors)
    drawn, missing = np.zeros(LANES, np.int64), np.zeros(LANES, np.int64)
    for i in range(len(streams)):
        set_lane(lanes, i, streams[i])
    busy = True
    while busy:
        draw_block(lanes)
        busy = False
        for i in range(len(streams)):
            drawn[i], missing[i] = _draw_frames(lanes, i, sensors[i], ranges, counts[i], errors, drawn[i], missing[i])
            busy |= drawn[i] < counts[i]
    for i in range(len(streams)):
        make_normal(errors.deviates[i, 0], errors.deviates[i, 1], _deviates_per_frame(sensors[i]) * counts[i])


@strict
def _deviates_per_frame(sensor):
    return 6 if sensor["drift"][0] > 0.0 else 3


@strict
def _draw_frames(lanes, i, sensor, ranges, count, errors, k, missing):
    """Draw frames k on of track i from a block, so that at most `count` are drawn; the first that is not.

    missing: how many frames from this one on are missing; also returned.
    """
    x, rr = errors.deviates[i, 0], errors.deviates[i, 1]
    displacement, is_observed = errors.displacement[i], errors.is_observed[i]
    per_frame, has_outliers, starts = _deviates_per_frame(sensor), sensor["outlier"] > 0.0, burst_rate(sensor)
    while k < count:
        n, p = take_points(lanes, i, lanes.position[i], x, rr, per_frame * k, per_frame * (k + 1))
        if n < per_frame * (k + 1):
            break
        now, moved = missing, (0.0, 0.0, 0.0)
        if now == 0:
            p += 1
            if number_at(lanes, i, p - 1) < starts:
                p += 1
                now = burst_length(sensor, number_at(lanes, i, p - 1))
        if has_outliers:
            p += 1
            if number_at(lanes, i, p - 1) < sensor["outlier"]:
                p += 3
                u, v, w = number_at(lanes, i, p - 3), number_at(lanes, i, p - 2), number_at(lanes, i, p - 1)
                moved = outlier(ranges, u, v, w)
        if p > BLOCK:  # the frame is drawn again, from the next block
            break
        displacement[k, 0], displacement[k, 1], displacement[k, 2] = moved
        is_observed[k], missing, lanes.position[i] = now == 0, max(now - 1, 0), p
        k += 1
    return k, missing


@strict_kernel
def add_errors(sensor, exposed, deviates, position):
    """Fill measured positions (T, 3) m, which hold the displacements, from those at the exposures and the deviates."""
    kept, cameras, drift = drift_kept(sensor), sensor["cameras"], np.zeros((MAX_CAMERAS, 3))
    step, has_drift, n = math.sqrt(1.0 - kept * kept), sensor["drift"][0] > 0.0, 0
    for k in range(len(position)):
        camera = k % cameras
        if has_drift:
            for i in range(3):
                change = (step if k >= cameras else 1.0) * sensor["drift"][i] * deviates[n + i]
                drift[camera, i] = kept * drift[camera, i] + change
            n += 3
        for i in range(3):
            noise = sensor["noise"][i] * deviates[n + i]
            position[k, i] = exposed[k, i] + noise + drift[camera, i] + position[k, i]
        n += 3


@strict
def turn_vector(height, tilt, vectors, k, out, n):
    """As to_tracker_frame, of vector k: fill out[n]. height: 0 unless it is a position; tilt: about x and y, rad."""
    x, y, z = vectors[k, 0], vectors[k, 1], vectors[k, 2]
    out[n, 0], out[n, 1], out[n, 2] = x + tilt[1] * z, y - tilt[0] * z, z + (tilt[0] * y - tilt[1] * x) + height


def to_tracker_frame(frame: np.ndarray, vectors: np.ndarray, is_position: bool = True) -> np.ndarray:
    """Vectors (..., 3) of the sport's frame in the frames (..., 3) of trackers, or in that (3,) of one: too high by m,
    turned about x and y by rad.

    The angles are small: to first order.
    """
    height, x, y = frame[..., 0], frame[..., 1], frame[..., 2]
    vx, vy, vz = vectors[..., 0], vectors[..., 1], vectors[..., 2]
    turned = vectors + np.stack([y * vz, -x * vz, x * vy - y * vx], axis=-1)
    if is_position:
        turned[..., 2] += height
    return turned


def to_sport_frame(frame: np.ndarray, position: np.ndarray) -> np.ndarray:
    """Positions (..., 3) m in the frame (3,) of a tracker, in the sport's: the inverse of to_tracker_frame."""
    shifted = np.array(position, float)
    shifted[..., 2] -= frame[0]
    return to_tracker_frame(-frame, shifted, is_position=False)


def known_frame(sensor: "Sensor") -> np.ndarray:
    """How the frames of a sport's trackers are known to lie, (3,): m too high, turned about x and y by rad."""
    height, *degrees = sensor.frame.offset
    return np.array([height, *np.radians(degrees)])


def frame_height(frame: np.ndarray, position: np.ndarray) -> np.ndarray:
    """By how much, m, trackers' frames (..., 3) are too high where a ball is, position (..., 3) m."""
    return frame[..., 0] + frame[..., 1] * position[..., 1] - frame[..., 2] * position[..., 0]
