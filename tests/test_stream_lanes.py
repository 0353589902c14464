"""Random numbers in vectors: the logarithm, the streams side by side, and the sensor, against plain loops."""

import dataclasses
import hashlib
import math

import numpy as np
import pytest

from ballcast import sim
from ballcast.sim import rng
from ballcast.sim.dataset import CHUNK_BALLS, checked_setting, initialise_ball
from ballcast.sim.kernels.layout import LAUNCH_SIZE
from ballcast.sim.sensor import MAX_EXPOSURE_OFFSET, TRACK_SENSOR_DTYPE, to_tracker_frame

TRACKS, FIRST, DURATION = 20, 40, 1.3
ALL_DEFAULT = {"rate": None, "duration": DURATION, "wind": (0.0, 0.0), "launch_state": None, "place": None}


def logarithms(x):
    """Of x (N,), through make_normal, which divides: x sqrt(-2 log(x) / x) squared is -2 x log x."""
    ones = np.ones(len(x))
    rng.make_normal(ones, x, len(x))
    return ones


def test_the_logarithm_is_right_to_the_last_place_or_two():
    x = np.random.default_rng(0).random(100_000)
    x = np.concatenate([x, x**8, 1.0 - 1e-9 * x, [2.0**-104, 1.0 - 2.0**-53, 0.9375, np.nextafter(0.9375, 0.0)]])
    exact = np.sqrt(-2.0 * np.log(x.astype(np.longdouble)) / x)
    np.testing.assert_allclose(logarithms(x), exact.astype(float), rtol=4.5e-16)


def test_the_logarithm_has_the_same_bits_everywhere():
    """A library's own differs between systems, and so would the balls."""
    whole = np.arange(1, 200_001, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    x = (whole >> np.uint64(11)).astype(float) * 2.0**-53
    assert hashlib.sha256(logarithms(x).astype("<f8").tobytes()).hexdigest()[:16] == "9e68ba2600354b98"


def plain_track(setting, number):
    """Of ball `number`: its sensor, the stamps and exposures of its frames, their errors, and which are observed."""
    stream, state, sensors = np.empty(4, np.uint64), np.empty(LAUNCH_SIZE), np.empty(1, TRACK_SENSOR_DTYPE)
    initialise_ball(setting, number, stream, state, sensors[0])
    sensor, ranges = sensors[0], setting.ranges[0]
    rate, phase = sensor["rate"], rng.uniform(stream)
    stamps = (np.arange(int(setting.duration * rate)) + phase) / rate
    offsets = sensor["jitter"] * np.array([rng.normal(stream) for _ in stamps])
    limit = np.minimum(MAX_EXPOSURE_OFFSET / rate, stamps)
    exposures = stamps + np.minimum(np.maximum(offsets, -limit), MAX_EXPOSURE_OFFSET / rate)
    errors, is_observed = np.zeros((len(stamps), 3)), np.zeros(len(stamps), bool)
    shortest, longest = sensor["burst_run"]
    starts = sensor["miss"] / (sensor["miss"] + (1 - sensor["miss"]) * 0.5 * (shortest + longest))
    cameras, missing, drift = sensor["cameras"], 0, np.zeros((3, 3))
    kept = math.exp(-cameras / (rate * sensor["drift_time"]))
    for k in range(len(stamps)):
        if sensor["drift"][0] > 0:
            step = math.sqrt(1 - kept**2) if k >= cameras else 1.0
            change = step * sensor["drift"] * [rng.normal(stream) for _ in range(3)]
            drift[k % cameras] = kept * drift[k % cameras] + change
        errors[k] = drift[k % cameras] + sensor["noise"] * [rng.normal(stream) for _ in range(3)]
        if missing == 0 and rng.uniform(stream) < starts:
            missing = int(shortest + (longest - shortest + 1) * rng.uniform(stream))
        if sensor["outlier"] > 0 and rng.uniform(stream) < sensor["outlier"]:
            low, high = ranges["outlier_size"]
            size, z = low + (high - low) * rng.uniform(stream), 2 * rng.uniform(stream) - 1
            angle, level = 2 * math.pi * rng.uniform(stream), math.sqrt(1 - z**2)
            errors[k] += size * np.array([level * math.cos(angle), level * math.sin(angle), z])
        is_observed[k], missing = missing == 0, max(missing - 1, 0)
    return sensor, stamps, exposures, errors, is_observed


@pytest.fixture(scope="module")
def sport():
    """Table tennis with all that a sensor does in half of the tracks, and many frames missing."""
    whole = sim.load("table_tennis")
    drift = dataclasses.replace(whole.sensor.drift, share=0.5, turns=0.5)
    outlier = dataclasses.replace(whole.sensor.outlier, share=0.5, rate=(0.1, 0.3))
    sensor = dataclasses.replace(whole.sensor, drift=drift, outlier=outlier, miss=(0.1, 0.5))
    return dataclasses.replace(whole, sensor=sensor)


def test_tracks_are_those_of_a_plain_loop_over_frames(sport):
    """Tracks of different rates share the lanes: each has its own numbers, whatever its neighbours use."""
    setting = checked_setting(sport, TRACKS, FIRST, 3, "train", **ALL_DEFAULT)
    balls = sim.draw(sport, TRACKS, first=FIRST, seed=3, duration=DURATION)
    assert (balls.drift[:, 0] > 0).sum() in range(4, 17) and (balls.outlier > 0).sum() in range(4, 17)
    launches = balls.launch_position, balls.launch_velocity, balls.launch_spin
    for i in range(TRACKS):
        sensor, stamps, exposures, errors, is_observed = plain_track(setting, FIRST + i)
        rows = slice(balls.offsets[i], balls.offsets[i + 1])
        assert np.array_equal(balls.time[rows], stamps[is_observed])
        own = [a[i : i + 1] for a in (*launches, balls.parameters)]
        path = sim.simulate(sport, *own[:3], exposures, own[3]).position[0]
        expected = to_tracker_frame(sensor["frame"], path + errors)[is_observed]
        np.testing.assert_allclose(balls.position[rows], expected, rtol=0, atol=1e-12)


def test_a_path_is_measured_as_by_the_plain_loop(sport):
    time, position = sim.measure_path(sport, lambda t: np.outer(t, (1.0, 2.0, 3.0)), DURATION, 7, 3, "train")
    setting = checked_setting(sport, 1, 7, 3, "train", **ALL_DEFAULT)
    _, stamps, exposures, errors, is_observed = plain_track(setting, 7)
    assert np.array_equal(time, stamps[is_observed])
    np.testing.assert_allclose(position, (np.outer(exposures, (1, 2, 3)) + errors)[is_observed], rtol=0, atol=1e-12)


def test_threads_draw_the_same_balls(sport, monkeypatch):
    drawn = []
    for threads in ("1", "3"):
        monkeypatch.setenv("NUMBA_NUM_THREADS", threads)
        drawn.append(sim.draw(sport, 3 * CHUNK_BALLS + 5, duration=0.3))
    for field in dataclasses.fields(sim.Balls)[1:]:
        assert np.array_equal(*(getattr(balls, field.name) for balls in drawn)), field.name
