"""Crossings of planes and spheres, frames that cannot be true, and the loop and the callback of docs/robots.md."""

import math
import re
import sys
import tracemalloc
import types
from pathlib import Path

import numpy as np
import pytest

from ballcast import models, sim
from ballcast.models import Forecast

PAGE = (Path(__file__).parents[1] / "docs" / "robots.md").read_text(encoding="utf-8")
G, BOUNCE = 9.81, 0.37  # m/s2; s
TIMES = 5.0 + np.linspace(0.0, 0.8, 41)  # s
SPORT = sim.load("table_tennis")


def arc(t):
    """Position and velocity (T, 3) of a ball that bounces on z = 0 at BOUNCE, without air."""
    t = np.asarray(t)[:, None]
    start, v = np.array([0.1, -1.0, 0.5 * G * BOUNCE**2 + 1.0 * BOUNCE]), np.array([0.3, 4.0, -1.0])
    down, after = np.array([0.0, 0.0, -G]), np.maximum(t - BOUNCE, 0.0)
    landing, falls = start + BOUNCE * v + 0.5 * BOUNCE**2 * down, np.minimum(t, BOUNCE)
    up = (v + BOUNCE * down) * [0.9, 0.8, -0.9]
    position = np.where(
        t < BOUNCE, start + falls * v + 0.5 * falls**2 * down, landing + after * up + 0.5 * after**2 * down
    )
    return position, np.where(t < BOUNCE, v + t * down, up + after * down)


def forecast(**fields):
    position, velocity = arc(TIMES - 5.0)
    return Forecast(position, **({"velocity": velocity, "times": TIMES} | fields))


@pytest.mark.parametrize("y", [-0.6, 0.3, 0.5, 0.9])
def test_a_plane_is_crossed_where_the_flight_crosses_it_also_after_a_bounce(y):
    fine = np.linspace(0.0, 0.8, 80001)
    true, speed = (a[np.argmax(arc(fine)[0][:, 1] > y)] for a in arc(fine))
    found = forecast().at_plane((0, 2, 0), 2 * y)
    np.testing.assert_allclose(found.position, true, atol=2e-4)
    np.testing.assert_allclose(found.velocity, speed, atol=0.02)
    assert abs(found.time - 5.0 - fine[np.argmax(arc(fine)[0][:, 1] > y)]) < 5e-5
    assert found.covariance is None and found.probability == 1.0
    without = forecast(velocity=None).at_plane((0, 1, 0), y)  # by differences of positions, and no bend at the bounce
    np.testing.assert_allclose(without.position, true, atol=0.02)


def test_between_two_times_the_ball_bounces_and_no_lower():
    low = 0.01  # m: the last time before the bounce is at 0.36 s, 32 mm above the table
    found = forecast().at_plane((0, 0, 1), low)
    assert 5.36 < found.time < 5.0 + BOUNCE and found.velocity[2] < -4.5
    assert forecast().at_plane((0, 0, 1), -0.005) is None
    assert forecast().at_plane((0, 1, 0), 3.0) is None


def test_a_sphere_is_entered_from_outside_and_a_fast_ball_does_not_pass_through():
    centre = arc([0.511])[0][0]
    found = forecast().at_sphere(centre, 0.03)  # passed within 20 ms
    assert abs(np.linalg.norm(found.position - centre) - 0.03) < 1e-6 and 5.49 < found.time < 5.511
    inside = forecast().at_sphere(arc([0.0])[0][0], 0.1)
    assert inside.time == 5.0 and np.array_equal(inside.position, arc([0.0])[0][0])
    assert forecast().at_sphere(centre + [0.2, 0, 0], 0.1) is None


def test_the_spread_is_that_of_many_paths_with_the_forecasts_errors():
    rng = np.random.default_rng(1)
    factor = 0.03 * rng.normal(size=(3, 3))
    velocity = np.tile([0.5, 3.0, -1.0], (41, 1))
    mean = (TIMES - 5.0)[:, None] * velocity
    paths = mean + (rng.normal(size=(4000, 1, 3)) @ factor.T)
    crossing = Forecast(mean, np.tile(factor @ factor.T, (41, 1, 1)), velocity=velocity, times=TIMES)
    by_formula = crossing.at_plane((0, 1, 0.2), 1.0)
    each = np.array([(1.0 - p[0] @ [0, 1, 0.2]) / (velocity[0] @ [0, 1, 0.2]) for p in paths])
    at = np.column_stack([each, paths[:, 0] + each[:, None] * velocity[0]])
    np.testing.assert_allclose(by_formula.covariance, np.cov(at.T), atol=0.05 * np.abs(np.cov(at.T)).max())
    samples = Forecast(mean, crossing.covariance, paths[:40], velocity=velocity, times=TIMES).at_plane((0, 1, 0.2), 1.0)
    off = paths[:40, 0] - mean[0]
    scale = np.trace(crossing.covariance[0]) / (np.sum(off**2) / 39)  # that of the positions
    middle = np.median(at[:40], axis=0)
    beside = at[:40] - middle
    middle[1:] -= (middle[1:] @ [0, 1, 0.2] - 1.0) * np.array([0, 1, 0.2]) / 1.04  # onto the plane
    np.testing.assert_allclose([samples.time - 5.0, *samples.position], middle, atol=1e-9)
    np.testing.assert_allclose(samples.covariance, scale * beside.T @ beside / 39, atol=1e-9)
    assert samples.probability == by_formula.probability == pytest.approx(1.0)


def test_the_probability_is_that_of_reaching_the_plane():
    velocity = np.tile([0.0, 1.0, 0.0], (41, 1))
    mean, covariance = (TIMES - 5.0)[:, None] * velocity, np.tile(0.01 * np.eye(3), (41, 1, 1))
    known = Forecast(mean, covariance, velocity=velocity, times=TIMES)
    assert known.at_plane((0, 1, 0), 0.7).probability == pytest.approx(0.5 * math.erfc(-1.0 / math.sqrt(2.0)))
    assert known.at_plane((0, 1, 0), 0.9) is None  # one standard deviation short
    paths = np.stack([mean * factor for factor in (1.0, 1.0, 1.0, 0.5, 1.1, 1.2, 0.4, 1.0, 0.3, 1.0)])
    some = Forecast(mean, None, paths, velocity=velocity, times=TIMES).at_plane((0, 1, 0), 0.7)
    assert some.probability == 0.7 and some.time == pytest.approx(5.7) and some.covariance[0, 0] > 0.0
    short = Forecast(0.5 * mean, None, paths, times=TIMES).at_plane((0, 1, 0), 0.7)  # the mean path does not cross
    assert short.probability == 0.7 and short.time == pytest.approx(5.7)
    assert Forecast(mean, None, paths[-3:], times=TIMES).at_plane((0, 1, 0), 0.95) is None


@pytest.mark.parametrize(
    "call", [lambda f: f.at_plane((0, 0, 0), 1), lambda f: f.at_plane((0, 1), 1), lambda f: f.at_sphere((0, 0, 1), 0.0),
             lambda f: f.at_plane((0, np.nan, 0), 1), lambda f: Forecast(f.mean).at_plane((0, 1, 0), 1)],
)  # fmt: skip
def test_what_is_no_plane_or_sphere_is_refused_in_one_line(call):
    with pytest.raises(ValueError) as caught:
        call(forecast())
    assert "\n" not in str(caught.value)


LAUNCH = [[0.1, -1.4, 0.3]], [[0.3, 5.0, 1.5]], [[-80.0, 0.0, 20.0]]


def frames(count=40, rate=180.0):
    time = np.arange(count) / rate
    noise = np.random.default_rng(1).normal(0.0, 0.002, (count, 3))
    return time, sim.simulate(SPORT, *LAUNCH, time).position[0] + noise


@pytest.mark.parametrize("name", ["gru_physics", "gru", "physics", "parabola"])
def test_a_stream_answers_with_crossings_or_none_and_never_raises(name):
    stream, (time, position) = models.load(name).stream(), frames()
    assert stream.at_plane((0, 1, 0), 0.4) is None and stream.forecast_at(1.0) is None
    for t, p in zip(time, position, strict=True):
        stream.observe(t, p)
    fine = np.linspace(0.0, 0.6, 6001)
    flight = sim.simulate(SPORT, *LAUNCH, fine)
    k = np.argmax(flight.position[0, :, 1] > 0.4)
    found = stream.at_plane((0, 1, 0), 0.4)
    assert abs(found.time - fine[k]) < 0.04 and np.linalg.norm(found.position - flight.position[0, k]) < 0.1
    if name != "parabola":  # which knows neither uncertainty nor air
        assert abs(found.time - fine[k]) < 3.0 * math.sqrt(found.covariance[0, 0])
        assert np.linalg.norm(found.velocity - flight.velocity[0, k]) < 0.8
    moment = stream.forecast_at(time[-1] + 0.05)
    j = np.argmin(np.abs(fine - moment.time))
    assert np.linalg.norm(moment.velocity - flight.velocity[0, j]) < 0.8
    assert stream.forecast_at(time[-1]) is None and stream.forecast_at(math.nan) is None
    assert stream.at_plane((0, 1, 0), -2.0) is None
    assert stream.at_sphere(flight.position[0, k], 0.1).time < found.time


def test_many_balls_cross_at_once_as_each_alone():
    predictor, (time, position) = models.load("gru_physics"), frames()
    batch, stream = predictor.streams(2), predictor.stream()
    for t, p in zip(time, position, strict=True):
        batch.observe(np.full(2, t), np.stack([p, p * [1, -1, 1]]))
        stream.observe(t, p)
    both, one = batch.at_plane((0, 1, 0), 0.4), stream.at_plane((0, 1, 0), 0.4)
    np.testing.assert_allclose(both.time[0], one.time, atol=1e-5)
    np.testing.assert_allclose(both.covariance[0], one.covariance, rtol=1e-3, atol=1e-8)
    assert both.probability[1] == 0.0 and np.isnan(both.position[1]).all()
    assert np.isfinite(batch.at_sphere((0.0, 0.4, 0.2), 0.5).time[0])


@pytest.mark.parametrize("name", ["gru", "physics", "parabola"])
def test_frames_that_cannot_be_true_are_left_out_with_a_status(name):
    stream, clean = models.load(name).stream(), models.load(name).stream()
    time, position = frames(30)
    for k, (t, p) in enumerate(zip(time, position, strict=True)):
        if k > 12:
            assert stream.observe(t, (np.nan, 0.0, 0.0)) == "not finite" and stream.observe(np.inf, p) == "not finite"
            assert stream.observe(1.7e18 + 1e9 * t, p) == "not seconds"  # nanoseconds
            assert stream.observe(t - 0.02, p) == "late" and stream.observe(t, position[k - 1]) == "held"
            assert stream.observe(t, (0, 0, 0)) == "held" and stream.observe(t, p + 30.0) == "far off"
        assert stream.observe(t, p) == clean.observe(t, p) == "taken"
    times = time[-1] + np.array([0.1, 0.3])
    np.testing.assert_array_equal(stream.forecast(times).mean, clean.forecast(times).mean)
    with pytest.raises(ValueError, match=r"time and a position \(3,\)"):
        stream.observe(1.0, (1.0, 2.0))


@pytest.mark.parametrize("shift", [-3600.0, 0.0])
def test_a_stream_goes_on_after_a_clock_that_was_set_or_a_ball_that_was_taken_away(shift):
    stream, fresh = models.load("gru").stream(), models.load("gru").stream()
    time, position = frames(20)
    for t, p in zip(time, position, strict=True):
        stream.observe(t, p + (0.0 if shift else 40.0))
    later = time + time[-1] + 0.01 + shift
    statuses = [stream.observe(t, p) for t, p in zip(later, position, strict=True)]
    assert statuses[:4] == ["late" if shift else "far off"] * 3 + ["restarted"] and set(statuses[4:]) == {"taken"}
    for t, p in zip(later[3:], position[3:], strict=True):
        fresh.observe(t, p)
    np.testing.assert_array_equal(stream.forecast([later[-1] + 0.1]).mean, fresh.forecast([later[-1] + 0.1]).mean)


def test_a_stream_of_bad_frames_does_not_grow():
    stream, rng, held = models.load("constant_velocity").stream(), np.random.default_rng(0), []
    tracemalloc.start()
    for k in range(2000):
        bad = [np.zeros(3), np.full(3, np.nan), np.full(3, 1e6), np.ones(3)][k % 4] if rng.random() < 0.5 else None
        stream.observe(k / 200 - 0.1 * (k % 7 == 0), np.array([0.0, 0.01 * k % 3, 0.3]) if bad is None else bad)
        if k % 10 == 0:
            stream.at_plane((0, 1, 0), 1.2)
        if k in (1000, 1999):
            held.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert held[1] < held[0] + 20_000


def test_the_python_of_the_page_runs_and_moves_the_racket(monkeypatch):
    loop, callback = re.findall(r"```python\n(.+?)```", PAGE, re.DOTALL)
    assert len(loop.strip().splitlines()) <= 10
    monkeypatch.setattr("ballcast.warm_up.warm", lambda *_: None)
    moved, (time, position) = [], frames()
    exec(loop, {"tracker": lambda: zip(time, position, strict=True), "move_racket": lambda *a: moved.append(a)})
    assert len(moved) > 20 and moved[-1][1][1] == pytest.approx(1.2)
    published = run_node(callback, monkeypatch, time, position)
    goal, (when, where, *_) = published[-1], moved[-1]
    assert goal.header.stamp.sec + 1e-9 * goal.header.stamp.nanosec == pytest.approx(when, abs=1e-5)
    assert goal.pose.position.x == pytest.approx(where[0], abs=1e-5)


def run_node(code, monkeypatch, time, position):
    """What a node published that was given frames, with stand-ins for ROS."""
    published, nodes = [], []

    class Node:
        def __init__(self, name):
            nodes.append(self)

        def create_publisher(self, *_):
            return types.SimpleNamespace(publish=published.append)

        def create_subscription(self, kind, topic, callback, profile):
            self.callback = callback

    class Pose:
        def __init__(self):
            stamp, place = types.SimpleNamespace(), types.SimpleNamespace()
            self.header, self.pose = types.SimpleNamespace(stamp=stamp), types.SimpleNamespace(position=place)

    def spin(node):
        for t, (x, y, z) in zip(time, position, strict=True):
            stamp = types.SimpleNamespace(sec=int(t), nanosec=round(1e9 * (t % 1)))
            header = types.SimpleNamespace(stamp=stamp, frame_id="table")
            node.callback(types.SimpleNamespace(header=header, point=types.SimpleNamespace(x=x, y=y, z=z)))

    ros = {
        "rclpy": {"init": lambda: None, "spin": spin}, "rclpy.node": {"Node": Node},
        "rclpy.qos": {"qos_profile_sensor_data": None}, "geometry_msgs": {},
        "geometry_msgs.msg": {"PointStamped": None, "PoseStamped": Pose},
    }  # fmt: skip
    for name, content in ros.items():
        module = types.ModuleType(name)
        module.__dict__.update(content)
        monkeypatch.setitem(sys.modules, name, module)
    exec(code, {})
    return published
