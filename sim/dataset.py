"""Endless seeded balls: launch, parameters, flight, sensor -> what was seen, and the truth.

balls = draw(sport, 1000, seed=0, purpose="train")
balls.time[balls.offsets[i] : balls.offsets[i + 1]]     # the stamps of ball i
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ballcast.sim import engine, launch, rng
from ballcast.sim import sensor as sensors
from ballcast.sim.jit import strict
from ballcast.sim.kernels.lanes import CHUNK
from ballcast.sim.kernels.layout import DRAG, LAUNCH_SIZE, WIND_X

if TYPE_CHECKING:  # an import would make every edit of sport.py compile this module anew
    from ballcast.sim.sport import Sport

BATCH = 1024  # balls flown at once, which bounds what is held beside the result


@dataclass(frozen=True)
class Balls:
    """What was seen of B balls, N frames in all, flat (ball i: offsets[i] to offsets[i + 1]), and the truth."""

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
    outlier: np.ndarray  # (B,) share of the frames that are outliers

    def __len__(self):
        return len(self.parameters)

    def flight(self, times):
        """The true Flight of all the balls at `times`, (T,) or (B, T) s from launch."""
        launch_state = (self.launch_position, self.launch_velocity, self.launch_spin)
        return engine.simulate(self.sport, *launch_state, times, self.parameters)


def draw(sport, count, first=0, seed=0, purpose="train", rate=None, duration=None, wind=(0.0, 0.0), launch_state=None):
    """Balls `first` to `first + count` of the set (purpose, seed), as a tracker sees them for `duration` seconds.

    purpose is one of rng.PURPOSES; `train` draws the frame rate of each ball, the others take the sensor's; rate
    (Hz) and duration (s) override the sport's. wind (2,) m/s blows beside what each ball draws; launched (3, 3) is a
    position (m), velocity (m/s) and spin (rad/s) in place of play's launches. Ball i depends on (purpose, seed, i)
    alone, its own parameters and its sensor not even on how it is launched. ValueError says what is wrong.
    """
    _check(count, first, seed, purpose, rate, duration, wind, launch_state)
    duration = duration or sport.sensor.duration
    row, misses = sensors.sensor_ranges(sport.sensor, rate, purpose == "train")
    spread = sport.spread
    sds = np.array([spread.drag, spread.lift, spread.restitution, spread.friction, *spread.wind])
    wind, launch_state = (
        np.asarray(wind, float),
        np.asarray(np.empty((0, 3)) if launch_state is None else launch_state, float),
    )
    fixed = (rng.PURPOSES.index(purpose), seed, *launch.launch_records(sport), launch_state, sport.world.gravity,
             wind, sds, row, misses, duration)  # fmt: skip
    buffers = _buffers(min(BATCH, count), int(duration * row[1]))
    parts = [
        _draw(sport, buffers, begin, min(BATCH, first + count - begin), *fixed)
        for begin in range(first, first + count, BATCH)
    ]
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    return Balls(sport, np.concatenate([[0], np.cumsum(columns[0])]), *columns[1:])


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


def _buffers(count, longest):
    """Arrays that every batch fills anew: stamps, exposures; places then, true, velocities, spins, seen; kept."""
    times = [np.full((count, longest + CHUNK), np.inf) for _ in range(2)]
    return *times, *(np.empty((count, longest, 3)) for _ in range(5)), np.zeros((count, longest), np.bool_)


def _draw(
    sport, buffers, first, count, purpose, seed, weights, rows, launch_state, gravity, wind, sds, row, misses, duration
):
    """The columns of Balls, with lengths in place of offsets."""
    state, track_sensors = np.empty((count, LAUNCH_SIZE)), np.empty((count, 9))
    streams, counts = np.empty((count, 4), np.uint64), np.empty(count, np.int64)
    stamps, exposures, exposed_position, true_position, velocity, spin, measured_position, is_observed = (
        a[:count] for a in buffers
    )
    _initialise(purpose, seed, first, weights, rows, launch_state, gravity, wind, sds, row, misses, duration, state,
                track_sensors, streams, stamps, exposures, counts)  # fmt: skip
    none = np.empty((0, 0, 0))
    engine.fly_batch(sport, state, exposures, counts, exposed_position.reshape(-1), (none, none), False)
    engine.fly_batch(sport, state, stamps, counts, true_position.reshape(-1), (velocity, spin), False)
    lengths = _measure(streams, track_sensors, row, counts, exposed_position, measured_position, is_observed)
    flat = _collect(is_observed, counts, lengths, stamps, measured_position, true_position, velocity, spin)
    parameters = state[:, DRAG:LAUNCH_SIZE]
    return (
        lengths,
        *flat,
        state[:, :3],
        state[:, 3:6],
        state[:, 6:9],
        parameters,
        track_sensors[:, 0],
        track_sensors[:, 1:4],
        track_sensors[:, 4],
        track_sensors[:, 8],
    )


@strict
def _initialise(purpose, seed, first, weights, rows, launch_state, gravity, wind, sds, row, misses, duration, state,
                track_sensors, streams, stamps, exposures, counts):  # fmt: skip
    """Launch, parameters, sensor and frame times of balls `first` on; streams stay where the noise begins."""
    for b in range(len(state)):
        stream = streams[b]
        rng.seed_stream(stream, purpose, seed, first + b)
        launch.draw_launch(stream, weights, rows, gravity, state[b, :3], state[b, 3:6], state[b, 6:9])
        if len(launch_state):
            for k in range(9):
                state[b, k] = launch_state[k // 3, k % 3]
        for k in range(6):
            x = sds[k] * rng.normal(stream)
            state[b, DRAG + k] = np.exp(x) if DRAG + k < WIND_X else x + wind[DRAG + k - WIND_X]
        sensor = sensors.draw_sensor(stream, row, misses)
        for k in range(9):
            track_sensors[b, k] = sensor[k]
        counts[b] = sensors.draw_frame_times(stream, sensor, duration, stamps[b], exposures[b])


@strict
def _measure(streams, track_sensors, row, counts, exposed_position, measured_position, is_observed):
    lengths = np.empty(len(counts), np.int64)
    for b in range(len(counts)):
        r = track_sensors[b]
        sensor = sensors.TrackSensor(r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7], r[8])
        lengths[b] = sensors.measure(
            streams[b], sensor, row, counts[b], exposed_position[b], measured_position[b], is_observed[b]
        )
    return lengths


@strict
def _collect(is_observed, counts, lengths, stamps, measured_position, true_position, velocity, spin):
    """The kept frames of all balls one after the other: stamps, then places seen and true, velocities, spins."""
    total = lengths.sum()
    time, positions, true_positions, velocities, spins = (
        np.empty(total), np.empty((total, 3)), np.empty((total, 3)), np.empty((total, 3)), np.empty((total, 3))
    )  # fmt: skip
    n = 0
    for b in range(len(is_observed)):
        for k in range(counts[b]):
            if is_observed[b, k]:
                time[n] = stamps[b, k]
                for i in range(3):
                    positions[n, i], true_positions[n, i] = measured_position[b, k, i], true_position[b, k, i]
                    velocities[n, i], spins[n, i] = velocity[b, k, i], spin[b, k, i]
                n += 1
    return time, positions, true_positions, velocities, spins
