"""Endless seeded balls: launch, parameters, flight, sensor; what the sensor measures, and the truth.

balls = draw(sport, 1000, seed=0, purpose="train")
balls.time[balls.offsets[i] : balls.offsets[i + 1]]     # the stamps of ball i
"""

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ballcast.sim import engine, launch, rng
from ballcast.sim import sensor as sensors
from ballcast.sim.jit import strict
from ballcast.sim.kernels.borrowed import borrowed
from ballcast.sim.kernels.lanes import CHUNK
from ballcast.sim.kernels.layout import DRAG, LAUNCH_SIZE, POSITION, SPIN, VELOCITY, WIND_X
from ballcast.sim.kernels.word_lanes import LANES
from ballcast.sim.stream_lanes import new_stream_lanes

if TYPE_CHECKING:  # an import would make every edit of sport.py compile this module anew
    from ballcast.sim.sport import Sport

BATCH = 1024  # balls of a generated set that are written at once
CHUNK_BALLS = 128  # balls simulated at once, so that what is not the result stays in the processor's caches
SHORT = 0.05  # s, of frames where they do not matter
PLACES = 17  # seed of the places


@dataclass(frozen=True)
class Balls:
    """What was measured of B balls, N frames in all, flat (ball i: offsets[i] to offsets[i + 1]), and the truth.

    Measured and true positions are in the frames of the trackers (sensor.py); the launches are in the sport's frame.
    """

    sport: "Sport"
    offsets: np.ndarray  # (B + 1,)
    time: np.ndarray  # (N,) s, the stamps
    position: np.ndarray  # (N, 3) m, as measured
    truth_position: np.ndarray  # (N, 3) m, at the stamps
    truth_velocity: np.ndarray  # (N, 3) m/s
    truth_spin: np.ndarray  # (N, 3) rad/s
    launch_position: np.ndarray  # (B, 3) m, at t = 0
    launch_velocity: np.ndarray  # (B, 3) m/s
    launch_spin: np.ndarray  # (B, 3) rad/s
    parameters: np.ndarray  # (B, 6), in the order of sim.PARAMETERS
    rate: np.ndarray  # (B,) Hz
    noise: np.ndarray  # (B, 3) m, standard deviation of each axis
    jitter: np.ndarray  # (B,) s, standard deviation of the time stamps
    outlier: np.ndarray  # (B,) fraction of the frames that are outliers
    drift: np.ndarray  # (B, 5) m, standard deviation of the drift of each axis; s, how long it lasts; cameras in turn
    frame: np.ndarray  # (B, 3) m, how much too high the tracker's frame is; rad, how it is turned about x and y

    def __len__(self) -> int:
        return len(self.parameters)

    def flight(self, times: ArrayLike) -> engine.Flight:
        """The true Flight of all the balls at `times`, (T,) or (B, T) s from launch, in the frames of the trackers.

        It is computed on the CPU, also of balls that were drawn on a GPU.
        """
        launch_state = (self.launch_position, self.launch_velocity, self.launch_spin)
        flight = engine.simulate(self.sport, *launch_state, times, self.parameters)
        return in_tracker_frames(flight, np.asarray(self.frame))


def in_tracker_frames(flight: engine.Flight, frames: np.ndarray) -> engine.Flight:
    """The Flight of B balls in the frames (B, 3) of their trackers, as in Balls."""
    if not frames.any():
        return flight
    rows = np.repeat(frames, flight.position.shape[1], 0)
    moved = {
        name: sensors.to_tracker_frame(rows, a.reshape(-1, 3), name == "position").reshape(a.shape)
        for name, a in (("position", flight.position), ("velocity", flight.velocity), ("spin", flight.spin))
        if a is not None
    }
    impacts = flight.impacts
    if impacts is not None:
        position = sensors.to_tracker_frame(frames[impacts.ball], impacts.position)
        impacts = dataclasses.replace(impacts, position=position)
    return dataclasses.replace(flight, impacts=impacts, **moved)


def draw(sport: "Sport", count: int, first: int = 0, seed: int = 0, purpose: str = "train", *,
         rate: float | None = None, duration: float | None = None, wind: ArrayLike = (0.0, 0.0),
         launch_state: ArrayLike | None = None, place: int | None = None) -> Balls:  # fmt: skip
    """Balls `first` to `first + count` of the set (purpose, seed), as a tracker measures them for `duration` seconds.

    purpose is one of rng.PURPOSES; `train` draws the frame rate of each ball, the others take the sensor's. rate (Hz)
    and duration (s) override the sport's. wind (2,) m/s is added to that of each ball; launch_state (3, 3), a position
    (m), velocity (m/s) and spin (rad/s), replaces play's launches. Every ball is of a place of its own (a table, a
    hall, a day), unless they all are of the `place` of that number. Ball i depends on (purpose, seed, i) alone, its
    parameters and its sensor not even on how it is launched. ValueError says what is wrong.
    """
    setting = checked_setting(sport, count, first, seed, purpose, rate=rate, duration=duration, wind=wind,
                              launch_state=launch_state, place=place)  # fmt: skip
    frames = int(setting.duration * setting.ranges["rate"][0, 1])
    tracks = _allocate_tracks(count, frames)

    def work(begin, end):
        """Draw balls `begin` to `end`, from the row on that they reach at most; that row and the one after them."""
        batch, row = _allocate(min(CHUNK_BALLS, end - begin), frames), begin * frames
        lanes, errors = new_stream_lanes(), sensors.new_errors(frames)
        for b in range(begin, end, CHUNK_BALLS):
            batch = _Batch(*(a[: end - b] for a in batch))
            _initialise(setting, lanes, first + b, batch)
            flight = batch.position, batch.velocity, batch.spin
            engine.fly_batch(sport, batch.launches, batch.moments, 2 * batch.counts, *flight)
            row = _measure(setting.ranges, lanes, errors, batch, tracks, b, row)
        return begin * frames, row

    return _balls(sport, tracks, engine.run_in_threads(work, count, CHUNK_BALLS))


def checked_setting(sport: "Sport", count: int, first: int, seed: int, purpose: str, *, rate: float | None,
                    duration: float | None, wind: ArrayLike, launch_state: ArrayLike | None,
                    place: int | None) -> "_Setting":  # fmt: skip
    """What all balls share that `draw` makes with these arguments. ValueError says what is wrong with them."""
    _check(count, first, seed, purpose, rate, duration, wind, launch_state)
    return _make_setting(sport, seed, purpose, rate, duration, wind, launch_state, place)


def draw_launches(sport: "Sport", count: int, seed: int = 0, purpose: str = "train") -> np.ndarray:
    """The launches (B, LAUNCH_SIZE) of the first balls that `draw` simulates, without their flights."""
    setting = _make_setting(sport, seed, purpose, duration=SHORT)
    batch = _allocate(count, int(SHORT * setting.ranges["rate"][0, 1]))
    _initialise(setting, new_stream_lanes(), 0, batch)
    return batch.launches


def measure_path(sport: "Sport", path: Callable[[np.ndarray], np.ndarray], duration: float, number: int = 0,
                 seed: int = 0, purpose: str = "play", *,
                 rate: float | None = None) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """What the tracker of ball `number` of a set measures of any path for `duration` seconds: stamps (N,) s, and
    positions (N, 3) m.

    path gives positions (T, 3) m at times (T,) s from 0 on. The other arguments are those of `draw`. The tracker's
    frame of reference is that of the path.
    """
    _check(1, number, seed, purpose, rate, duration, None, None)
    setting = _make_setting(sport, seed, purpose, rate, duration)
    batch, lanes = _allocate(1, int(duration * setting.ranges["rate"][0, 1])), new_stream_lanes()
    _initialise(setting, lanes, number, batch)
    count = int(batch.counts[0])
    exposed = np.array(path(batch.exposures[0, :count]), float, order="C")
    errors = sensors.new_errors(count)
    sensors.draw_errors(lanes, batch.streams, batch.track_sensors, setting.ranges[0], batch.counts, errors)
    sensors.add_errors(batch.track_sensors[0], exposed, errors.deviates[0, 0], errors.displacement[0])
    is_observed = errors.is_observed[0]
    return batch.stamps[0, :count][is_observed], errors.displacement[0][is_observed]


def _make_setting(sport, seed, purpose, rate=None, duration=None, wind=(0.0, 0.0), launch_state=None, place=None):
    spread, duration = np.array(sport.spread.total), duration or sport.sensor.duration
    centre = np.append(np.zeros(4), wind)
    if place is not None:
        spread, offset = np.array(sport.spread.own), np.random.default_rng((PLACES, place)).standard_normal(6)
        centre += np.array(sport.spread.between) * offset
    ranges, misses = sensors.sensor_ranges(sport.sensor, rate, purpose == "train")
    return _Setting(
        rng.PURPOSES.index(purpose), seed, launch.launch_records(sport),
        np.asarray(np.empty((0, 3)) if launch_state is None else launch_state, float, order="C"),
        float(sport.world.gravity), centre, spread,
        ranges, misses, float(duration),
    )  # fmt: skip


def _check(count, first, seed, purpose, rate, duration, wind, launch_state):
    if purpose not in rng.PURPOSES:
        raise ValueError(f"purpose {purpose!r} is not known; there are {', '.join(rng.PURPOSES)}")
    for name, value, minimum in (("count", count, 1), ("first", first, 0), ("seed", seed, 0)):
        if not minimum <= value < 2**62:
            raise ValueError(f"{name} = {value} must be a whole number from {minimum} on")
    for name, value in (("rate", rate), ("duration", duration)):
        if value is not None and not 0 < value < np.inf:
            raise ValueError(f"{name} = {value} must be above 0")
    for name, value, shape in (("wind", wind, (2,)), ("launch_state", launch_state, (3, 3))):
        if value is not None and not (np.shape(value) == shape and np.isfinite(value).all()):
            raise ValueError(f"{name} = {value} must be {shape} finite numbers")


class _Setting(NamedTuple):
    """What all balls of a set share."""

    purpose: int
    seed: int
    launches: np.ndarray  # LAUNCH_DTYPE
    launch_state: np.ndarray  # (3, 3) in place of the launches, or (0, 3)
    gravity: float  # m/s2
    centre: np.ndarray  # (6,) of the parameters, of logarithms for the four factors
    spread: np.ndarray  # (6,) standard deviations of the parameters, of logarithms for the four factors
    ranges: np.ndarray  # (1,) SENSOR_RANGES_DTYPE
    misses: np.ndarray  # rates of missed frames, of which each track draws one
    duration: float  # s


class _Batch(NamedTuple):
    """Arrays of B balls and T frames that every batch fills anew."""

    launches: np.ndarray  # (B, LAUNCH_SIZE)
    track_sensors: np.ndarray  # (B,) TRACK_SENSOR_DTYPE
    streams: np.ndarray  # (B, 4) random streams
    counts: np.ndarray  # (B,) frames
    stamps: np.ndarray  # (B, T) s
    exposures: np.ndarray  # (B, T) s
    moments: np.ndarray  # (B, 2 T + CHUNK) s, stamps and exposures, two and two, in order
    position: np.ndarray  # (B, 2 T, 3) m, at the moments
    velocity: np.ndarray
    spin: np.ndarray


class _Tracks(NamedTuple):
    """Tracks of B balls, as in Balls: of each ball, and of N frames or more."""

    lengths: np.ndarray  # (B,) observed frames
    launches: np.ndarray  # (B, LAUNCH_SIZE)
    sensors: np.ndarray  # (B,) TRACK_SENSOR_DTYPE
    time: np.ndarray  # (N,) s
    measured: np.ndarray  # (N, 3) m
    position: np.ndarray  # (N, 3) m
    velocity: np.ndarray  # (N, 3) m/s
    spin: np.ndarray  # (N, 3) rad/s


def _allocate(count, frames):
    return _Batch(
        np.empty((count, LAUNCH_SIZE)), np.empty(count, sensors.TRACK_SENSOR_DTYPE), np.empty((count, 4), np.uint64),
        np.empty(count, np.int64), *(np.empty((count, frames)) for _ in range(2)),
        np.full((count, 2 * frames + CHUNK), np.inf), *(np.empty((count, 2 * frames, 3)) for _ in range(3)),
    )  # fmt: skip


def _allocate_tracks(count, frames):
    """Tracks of at most so many frames each. Memory is taken when it is written to."""
    own = np.empty(count, np.int64), np.empty((count, LAUNCH_SIZE)), np.empty(count, sensors.TRACK_SENSOR_DTYPE)
    return _Tracks(*own, np.empty(count * frames), *(np.empty((count * frames, 3)) for _ in range(4)))


def _balls(sport, tracks, parts):
    """The Balls, of parts of the rows (begin, end), which are moved together; the rest of the memory is given back."""
    rows, total = (tracks.time, tracks.measured, tracks.position, tracks.velocity, tracks.spin), 0
    for begin, end in parts:
        for a in rows if begin > total else ():
            a[total : total + end - begin] = a[begin:end]
        total += end - begin
    for a in rows:
        a.resize((total, *a.shape[1:]), refcheck=False)
    states = (tracks.launches[:, part].copy() for part in (POSITION, VELOCITY, SPIN, slice(DRAG, None)))
    rate, noise, jitter, outlier, frame = (tracks.sensors[k].copy() for k in
                                           ("rate", "noise", "jitter", "outlier", "frame"))  # fmt: skip
    drift = np.column_stack([tracks.sensors[k] for k in ("drift", "drift_time", "cameras")])
    offsets = np.concatenate([[0], np.cumsum(tracks.lengths)])
    return Balls(sport, offsets, *rows, *states, rate, noise, jitter, outlier, drift, frame)


@strict
def _initialise(setting, lanes, first, batch):
    """Launch, parameters, sensor and frame times of balls `first` on; the streams then stand where the noise begins."""
    points = np.empty((LANES, 2, batch.stamps.shape[1]))
    for b in range(len(batch.launches)):
        initialise_ball(setting, first + b, batch.streams[b], batch.launches[b], batch.track_sensors[b])
    for begin in range(0, len(batch.launches), LANES):
        own = slice(begin, min(begin + LANES, len(batch.launches)))
        stamps, exposures, counts = batch.stamps[own], batch.exposures[own], batch.counts[own]
        tracks = batch.streams[own], batch.track_sensors[own], setting.duration, counts, stamps, exposures
        sensors.draw_frame_times(lanes, *tracks, points)
        for i in range(len(counts)):
            for k in range(counts[i]):  # an exposure lies between the stamps before and after its own
                before, after = min(stamps[i, k], exposures[i, k]), max(stamps[i, k], exposures[i, k])
                batch.moments[begin + i, 2 * k], batch.moments[begin + i, 2 * k + 1] = before, after


@strict
def initialise_ball(setting, number, stream, state, sensor):
    """Fill stream, launch and parameters, and sensor of one ball."""
    rng.seed_stream(stream, setting.purpose, setting.seed, number)
    launch.draw_launch(stream, setting.launches, setting.gravity, state)
    if len(setting.launch_state):
        for k in range(9):
            state[k] = setting.launch_state[k // 3, k % 3]
    for k in range(6):
        x = setting.centre[k] + setting.spread[k] * rng.normal(stream)
        state[DRAG + k] = math.exp(x) if DRAG + k < WIND_X else x
    sensors.draw_sensor(stream, setting.ranges[0], setting.misses, sensor)


@strict
def _measure(ranges, lanes, errors, batch, tracks, first, row):
    """Add the balls of a batch to the tracks, as balls `first` on and in rows `row` on; the row after them."""
    batch, tracks = borrowed(batch), borrowed(tracks)
    exposed = np.empty((batch.stamps.shape[1], 3))
    for b in range(len(batch.counts)):
        sensor, count, path, i = batch.track_sensors[b], batch.counts[b], batch.position[b], b % LANES
        if i == 0:
            own = slice(b, min(b + LANES, len(batch.counts)))
            group = batch.streams[own], batch.track_sensors[own], ranges[0], batch.counts[own]
            sensors.draw_errors(lanes, *group, errors)
        for k in range(count):
            m = 2 * k + (batch.exposures[b, k] > batch.stamps[b, k])
            exposed[k, 0], exposed[k, 1], exposed[k, 2] = path[m, 0], path[m, 1], path[m, 2]
        measured, is_observed = errors.displacement[i, :count], errors.is_observed[i]
        sensors.add_errors(sensor, exposed, errors.deviates[i, 0], measured)
        tracks.sensors[first + b] = sensor
        for k in range(LAUNCH_SIZE):
            tracks.launches[first + b, k] = batch.launches[b, k]
        begin, row = row, _collect(sensor, batch, b, measured, is_observed, tracks, row)
        tracks.lengths[first + b] = row - begin
    return row


@strict
def _collect(sensor, batch, b, measured, is_observed, tracks, n):
    """Write the observed frames of ball b, from row n of the tracks on, in its tracker's frame; the row after them."""
    height, tilt = sensor["frame"][0], (sensor["frame"][1], sensor["frame"][2])
    stamps, exposures = batch.stamps[b], batch.exposures[b]
    path, velocity, spin = batch.position[b], batch.velocity[b], batch.spin[b]
    for k in range(batch.counts[b]):
        if is_observed[k]:
            m = 2 * k + (exposures[k] <= stamps[k])
            tracks.time[n] = stamps[k]
            sensors.turn_vector(height, tilt, measured, k, tracks.measured, n)
            sensors.turn_vector(height, tilt, path, m, tracks.position, n)
            sensors.turn_vector(0.0, tilt, velocity, m, tracks.velocity, n)
            sensors.turn_vector(0.0, tilt, spin, m, tracks.spin, n)
            n += 1
    return n
