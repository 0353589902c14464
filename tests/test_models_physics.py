"""The physics forecast finds back simulated balls: through a bounce, with outliers, after a hit, in every sport."""

import numpy as np
import pytest

from ballcast import models, sim
from ballcast.tracks import Track

SPORT = sim.load("table_tennis")
TIME = np.arange(40) / 180.0  # s, 0.22 s


@pytest.fixture(scope="module")
def physics():
    return models.load("physics", SPORT)


def simulated(times, velocity=(0.3, 5.0, 1.0), spin=(-120.0, 30.0, 40.0), position=(0.1, -1.5, 0.3)):
    return sim.simulate(SPORT, [position], [velocity], [spin], times)


def noisy_track(flight, time, seed=0, noise=0.002):
    return Track(time, flight.position[0] + np.random.default_rng(seed).normal(0.0, noise, (len(time), 3)))


def test_without_noise_the_flight_is_found(physics):
    times = np.append(TIME, TIME[-1] + 0.2)
    flight = simulated(times)
    forecast = physics.forecast(Track(TIME, flight.position[0, :-1]), times[-1:])
    assert np.linalg.norm(forecast.mean[0] - flight.position[0, -1]) < 0.025
    assert np.linalg.norm(forecast.belief.velocity - flight.velocity[0, -2]) < 0.1
    assert (
        np.linalg.norm((forecast.belief.spin - flight.spin[0, -2])[[0, 2]]) < 40.0
    )  # along the flight none can see it


def test_a_history_with_a_bounce_is_fitted_through(physics):
    velocity = (0.3, 5.0, -1.5)
    times = np.append(TIME, TIME[-1] + 0.2)
    flight = simulated(times, velocity)
    assert (flight.impacts.time < TIME[-5]).any(), "the bounce lies in the history"
    off = []
    for seed in range(8):
        history = noisy_track(simulated(TIME, velocity), TIME, seed)
        off.append(np.linalg.norm(physics.forecast(history, times[-1:]).mean[0] - flight.position[0, -1]))
        _, first_frame = physics.fit(history.time, history.position, physics.prior.mean, False, physics.prior)
        assert first_frame == 0, "no frame was dropped"
    assert np.median(off) < 0.02 and max(off) < 0.05


@pytest.mark.parametrize("bad", [0, 1, 20, 38, 39])
def test_an_outlier_costs_little(physics, bad):
    times = np.append(TIME, TIME[-1] + 0.2)
    history = noisy_track(simulated(TIME), TIME)
    position = history.position.copy()
    position[bad] += [0.2, -0.3, 0.25]
    off = physics.forecast(Track(TIME, position), times[-1:]).mean - physics.forecast(history, times[-1:]).mean
    assert np.linalg.norm(off) < 0.015


def test_a_table_that_stands_lower_than_it_should_is_found(physics):
    velocity = (0.3, 5.0, -1.5)
    times = np.append(TIME, TIME[-1] + 0.2)
    low = [0.0, 0.0, -0.02]
    history = noisy_track(simulated(TIME, velocity), TIME)
    forecast = physics.forecast(Track(TIME, history.position + low), times[-1:])
    assert np.linalg.norm(forecast.mean[0] - simulated(times, velocity).position[0, -1] - low) < 0.025


def test_the_landing_is_the_first_on_a_landing_surface(physics):
    history = noisy_track(simulated(TIME), TIME)
    impacts = simulated(np.array([2.0])).impacts
    first = np.flatnonzero(np.isin(impacts.surface, SPORT.landing_surfaces) & (impacts.time > TIME[-1]))[0]
    landing = physics.forecast(history, [TIME[-1] + 0.01]).landing
    assert abs(landing.time - impacts.time[first]) < 0.01
    assert np.linalg.norm(landing.position - impacts.position[first]) < 0.05


def test_a_stream_stays_near_the_batch_and_forgets_a_hit(physics):
    """A ball flies, is hit back in the middle, and flies again: 17 frames after, the stream knows where it goes."""
    time = np.arange(100) / 180.0
    out = simulated(time[:50]).position[0]
    back = simulated(np.append(time[: len(time) - 50], 0.5), (0.2, -6.0, 1.5), (100.0, 0.0, 0.0), out[-1])
    track = np.concatenate([out, back.position[0, 1:-1]])
    track += np.random.default_rng(3).normal(0.0, 0.002, track.shape)
    stream, off = physics.stream(), []
    for k in range(len(track)):
        stream.observe(time[k], track[k])
        if 66 <= k <= 80 or k in (20, 40):
            mean = stream.forecast([time[k] + 0.1]).mean[0]
            truth = simulated([time[k] + 0.1]).position[0, 0]
            if k >= 66:
                truth = simulated([time[k] + 0.1 - time[49]], (0.2, -6.0, 1.5), (100.0, 0.0, 0.0), out[-1]).position[
                    0, 0
                ]
            off.append(np.linalg.norm(mean - truth))
    assert np.median(off) < 0.02 and max(off) < 0.08


def test_a_stream_recovers_from_frames_of_another_ball(physics):
    """Ten seconds later another ball: nothing of the first one counts any more."""
    stream = physics.stream()
    other = simulated(TIME, (0.0, 7.0, 0.5))
    for start, flight in ((0.0, simulated(TIME)), (10.0, other)):
        for t, position in zip(TIME, flight.position[0], strict=True):
            stream.observe(start + t, position)
        forecast = stream.forecast([start + TIME[-1] + 0.1])
    truth = simulated([TIME[-1] + 0.1], (0.0, 7.0, 0.5)).position[0, 0]
    assert np.linalg.norm(forecast.mean[0] - truth) < 0.02


@pytest.mark.parametrize("name", sim.names())
def test_every_sport_is_forecast_better_than_by_an_arc(name):
    sport = sim.load(name)
    physics, parabola = models.load("physics", sport), models.load("parabola", sport)
    balls = sim.draw(sport, 24, seed=2, purpose="validation", duration=0.7)
    off = []
    for begin, end in zip(balls.offsets[:-1], balls.offsets[1:], strict=True):
        time = balls.time[begin:end]
        rows = np.searchsorted(time, time[0] + np.array([0.3, 0.5]))
        if rows[0] < 5 or rows[1] >= len(time):
            continue
        history = Track(time[: rows[0]], balls.position[begin : begin + rows[0]])
        truth = balls.truth_position[begin + rows[1]]
        off.append([np.linalg.norm(p.forecast(history, time[rows[1:]]).mean[0] - truth) for p in (physics, parabola)])
    assert len(off) > 12
    with_physics, by_arc = np.median(off, axis=0)
    assert with_physics < 0.6 * by_arc and with_physics < 20 * sport.sensor.usual_noise  # measured: 0.5, 18
