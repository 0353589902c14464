"""Drawn balls: seeded one by one, seen as the sensor says, with the truth beside them."""

import dataclasses

import numpy as np
import pytest

from ballcast import sim
from ballcast.sim import rng

SPORT = sim.load("table_tennis")


@pytest.fixture(scope="module", params=sim.names())
def balls(request):
    return sim.draw(sim.load(request.param), 2000, purpose="test")


def test_a_ball_depends_on_its_number_alone(balls):
    some = sim.draw(balls.sport, 3, first=1500, purpose="test")
    cut = slice(balls.offsets[1500], balls.offsets[1503])
    for name in ("time", "position", "truth_position", "truth_velocity", "truth_spin"):
        assert np.array_equal(getattr(some, name), getattr(balls, name)[cut]), name
    assert np.array_equal(some.parameters, balls.parameters[1500:1503])


def test_purposes_and_seeds_never_share_a_ball():
    sport, launches = sim.load("room"), []
    for purpose in rng.PURPOSES:
        for seed in (0, 1):
            launches.append(sim.draw(sport, 200, seed=seed, purpose=purpose, duration=0.1).launch_position)
    assert len(np.unique(np.concatenate(launches), axis=0)) == 200 * len(launches)


def test_stamps_rise_and_frames_are_few_enough(balls):
    for i in range(50):
        time = balls.time[balls.offsets[i] : balls.offsets[i + 1]]
        assert (np.diff(time) > 0).all() and time[0] >= 0
        assert len(time) <= balls.sport.sensor.duration * balls.rate[i] + 1


def test_noise_is_what_the_sensor_says(balls):
    """The scatter off the truth, taken along the two directions across the flight, where no time jitter enters."""
    off = balls.position - balls.truth_position
    speed = np.linalg.norm(balls.truth_velocity, axis=1, keepdims=True)
    along = balls.truth_velocity / np.maximum(speed, 1e-9)
    across = off - (off * along).sum(axis=1, keepdims=True) * along
    low, high = balls.sport.sensor.noise
    error = np.hypot(balls.noise, balls.drift[:, :3])
    expected = np.median(np.linalg.norm(error, axis=1)) * np.sqrt(2 / 3)
    assert 0.6 * expected < np.median(np.linalg.norm(across, axis=1)) < 1.1 * expected
    assert low <= balls.noise.min() and balls.noise.max() <= high
    beyond = np.maximum(balls.sport.sensor.outlier.size[0], 4 * np.linalg.norm(error, axis=1))
    fraction = (np.linalg.norm(off, axis=1) > np.repeat(beyond, np.diff(balls.offsets))).mean()
    assert 0.001 < fraction < 0.008  # a quarter of the tracks, one or two frames in a hundred


def test_misses_have_the_asked_rates(balls):
    frames = np.floor(balls.sport.sensor.duration * balls.rate)
    missed = 1 - np.diff(balls.offsets) / frames
    assert 0.3 < (missed < 0.005).mean() < 0.6  # half of the tracks miss nothing, fewer than that by chance
    assert missed.mean() == pytest.approx(np.mean(balls.sport.sensor.miss), abs=0.012)


def test_parameters_spread_as_specified(balls):
    spread = balls.sport.spread.total
    sds = np.log(balls.parameters[:, :4]).std(axis=0)
    assert np.allclose(sds, spread[:4], rtol=0.08)
    assert np.allclose(balls.parameters[:, 4:].std(axis=0), spread[4:], rtol=0.08)


def test_balls_of_one_place_are_more_alike():
    sport = sim.load("table_tennis")
    places = [np.log(sim.draw(sport, 400, duration=0.1, place=n).parameters[:, :4]) for n in range(40)]
    assert np.allclose([p.std(axis=0) for p in places], sport.spread.own[:4], rtol=0.2)
    assert np.allclose(np.std([p.mean(axis=0) for p in places], axis=0), sport.spread.between[:4], rtol=0.35)
    again = sim.draw(sport, 3, duration=0.1, place=7).parameters
    assert np.array_equal(again, np.exp(np.hstack([places[7][:3], [[-np.inf] * 2] * 3])))  # no wind indoors


def test_drift_lasts_as_long_and_is_as_large_as_drawn():
    sport = sim.load("table_tennis")
    drift = dataclasses.replace(sport.sensor.drift, share=0.7, turns=0.0)
    sport = dataclasses.replace(sport, sensor=dataclasses.replace(sport.sensor, drift=drift))
    balls = sim.draw(sport, 300, purpose="test")
    off = (balls.position - balls.truth_position)[:, 2]
    lasting = np.repeat(balls.drift[:, 2] > balls.noise[:, 2], np.diff(balls.offsets))[1:]
    steady = np.repeat(balls.drift[:, 2] == 0.0, np.diff(balls.offsets))[1:]
    is_same = np.diff(np.repeat(np.arange(300), np.diff(balls.offsets))) == 0
    limit = np.quantile(np.abs(off), 0.98)
    off = np.clip(off / limit, -1, 1)
    pairs = off[1:] * off[:-1]
    correlation = [pairs[is_same & rows].mean() / (off[1:][is_same & rows] ** 2).mean() for rows in (lasting, steady)]
    assert correlation[0] > 0.4 and abs(correlation[1]) < 0.1


def test_cameras_that_take_turns_have_each_its_own_drift():
    """Two or three of them: frames six apart are of the same camera, neighbours are not."""
    sport = sim.load("table_tennis")
    drift = sim.sport.Drift(1.0, (5.0, 5.0), (0.3, 0.3), turns=1.0)
    sensor = dataclasses.replace(sport.sensor, drift=drift, miss=(0.0,), noise=(0.002, 0.002))
    balls = sim.draw(dataclasses.replace(sport, sensor=sensor), 60, purpose="test", duration=0.5)
    off = (balls.position - balls.truth_position)[:, 0].reshape(60, -1)
    limit = np.quantile(np.abs(off), 0.98)
    off = np.clip(off, -limit, limit)
    near, far = ((off[:, k:] * off[:, :-k]).mean() / (off**2).mean() for k in (1, 6))
    assert far > 0.7 and abs(near) < 0.3


def test_tracks_are_in_the_trackers_frame():
    """Measured and true positions are too high and turned alike; launches are in the sport's frame."""
    balls = sim.draw(sim.load("table_tennis"), 40, purpose="test")
    assert np.abs(balls.frame[:, 0]).max() > 0.005 and 1e-3 < balls.frame[:, 1:].std() < 0.02
    launch = balls.launch_position, balls.launch_velocity, balls.launch_spin
    times = np.linspace(0.1, 1.0, 5)
    world = sim.simulate(balls.sport, *launch, times, balls.parameters).position
    height, x, y = balls.frame.T[:, :, None]
    seen = balls.flight(times).position
    assert np.allclose(seen[..., 2], world[..., 2] + height + x * world[..., 1] - y * world[..., 0])
    assert np.allclose(np.linalg.norm(seen, axis=2), np.linalg.norm(world, axis=2), atol=0.08)


def test_truth_is_the_flight(balls):
    time = balls.time[: balls.offsets[1]]
    flight = sim.draw(balls.sport, 1, purpose="test").flight(time)
    assert np.abs(flight.position[0] - balls.truth_position[: balls.offsets[1]]).max() < 1e-12


def test_training_draws_the_rate_of_each_ball():
    sport = sim.load("table_tennis")
    rate = sim.draw(sport, 500, purpose="train", duration=0.2).rate
    assert 60 <= rate.min() < 80 and 220 < rate.max() <= 240
    assert (sim.draw(sport, 5, purpose="train", duration=0.2, rate=100.0).rate == 100).all()


@pytest.mark.parametrize("change", [{"purpose": "fun"}, {"count": 0}, {"seed": -1}, {"rate": -5.0}, {"duration": 0.0}])
def test_nonsense_is_refused_in_one_line(change):
    with pytest.raises(ValueError, match=next(iter(change))) as caught:
        sim.draw(sim.load("room"), **({"count": 3} | change))
    assert "\n" not in str(caught.value)


def test_a_ball_launched_otherwise_is_the_same_ball_observed_by_the_same_tracker():
    launched = np.array([[0.1, -1.0, 0.4], [0.0, 4.0, 2.0], [-100.0, 0.0, 20.0]])
    plain, own = (sim.draw(SPORT, 3, seed=1, purpose="play", launch_state=way) for way in (None, launched))
    for part, value in zip((own.launch_position, own.launch_velocity, own.launch_spin), launched):
        assert np.array_equal(part, np.tile(value, (3, 1)))
    for name in ("parameters", "rate", "noise", "jitter", "outlier"):
        assert np.array_equal(getattr(own, name), getattr(plain, name))


def test_a_wind_blows_beside_what_each_ball_draws():
    plain, blown = (sim.draw(SPORT, 3, seed=1, purpose="play", wind=wind) for wind in ((0, 0), (2.0, -3.0)))
    np.testing.assert_allclose(blown.parameters - plain.parameters, np.tile([0, 0, 0, 0, 2.0, -3.0], (3, 1)))
    assert not np.allclose(blown.flight([0.5]).position, plain.flight([0.5]).position, atol=1e-3)


@pytest.mark.parametrize("wrong", [{"wind": (1.0,)}, {"wind": (np.nan, 0)}, {"launch_state": np.zeros((2, 3))}])
def test_a_wind_or_launch_that_cannot_be_is_refused(wrong):
    with pytest.raises(ValueError, match="finite numbers"):
        sim.draw(SPORT, 1, **wrong)


@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("run", [(1.0, 1.0), (2.0, 6.0)])
def test_as_many_frames_are_missed_as_the_sport_says(fraction, run):
    burst = sim.sport.DropoutBurst(1.0, run)
    sensor = dataclasses.replace(SPORT.sensor, miss=(fraction,), burst=burst)
    balls = sim.draw(SPORT.replace(sensor=sensor), 200, purpose="test")
    frames = int(SPORT.sensor.duration * SPORT.sensor.rate)
    assert 1 - balls.offsets[-1] / (200 * frames) == pytest.approx(fraction, abs=0.015)
