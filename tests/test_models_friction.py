"""Where a ball grips, every friction above a border gives the same flight: what `physics` then claims of friction."""

import math

import numpy as np
import pytest

from ballcast import models, sim
from ballcast.models.estimation.friction import grip_border, truncated_normal
from ballcast.models.predictors import physics
from ballcast.sim import PARAMETERS
from ballcast.sim.kernels.compiled_sport import compile_sport
from ballcast.tracks import Track

FRICTION = PARAMETERS.index("friction")
BALLS, SEEN_AFTER, LEAD = 160, 0.15, np.array([0.05, 0.1, 0.2])  # s after the bounce; s after the last frame


def grips(sport, impacts):
    """Whether the ball's contact point stands still after its first contact, with a surface that bears it."""
    surface, v, w = sport.surfaces[impacts.surface[0]], impacts.velocity_after[0], impacts.spin_after[0]
    slip = math.hypot(v[0] - sport.ball.radius * w[1], v[1] + sport.ball.radius * w[0])
    return surface.supports and slip < 1e-6


def gripping_balls(sport):
    """(Track with one bounce, true positions at LEAD after it, true friction) of each ball that grips."""
    balls, rng = sim.draw(sport, BALLS, seed=21, purpose="validation"), np.random.default_rng(3)
    for i in range(BALLS):
        launch = [a[i : i + 1] for a in (balls.launch_position, balls.launch_velocity, balls.launch_spin)]
        parameters = balls.parameters[i : i + 1]
        impacts = sim.simulate(sport, *launch, [3.0], parameters=parameters).impacts
        if len(impacts.time) == 0 or impacts.time[0] < 0.1 or not grips(sport, impacts):
            continue
        end = impacts.time[0] + SEEN_AFTER
        if len(impacts.time) > 1 and impacts.time[1] < end + LEAD[-1]:
            continue
        times = np.arange(0, end, 1 / sport.sensor.rate)[-60:]
        path = sim.simulate(sport, *launch, [*times, *(times[-1] + LEAD)], parameters=parameters).position[0]
        noise = rng.normal(0, sport.sensor.usual_noise, (len(times), 3))
        yield Track(times, path[: len(times)] + noise), path[len(times) :], parameters[0, FRICTION]


def forecasts(predictor, balls):
    """Errors (N, H) m, and true frictions minus believed ones in standard deviations (N,)."""
    errors, offsets = [], []
    for track, truth, friction in balls:
        forecast = predictor.forecast(track, track.time[-1] + LEAD)
        errors.append(np.linalg.norm(forecast.mean - truth, axis=1))
        sd = math.sqrt(forecast.belief.covariance[9 + FRICTION, 9 + FRICTION])
        offsets.append((friction - forecast.belief.parameters[FRICTION]) / sd)
    return np.array(errors), np.array(offsets)


@pytest.mark.parametrize("name", ["table_tennis", "tennis"])
def test_of_balls_that_grip_the_interval_of_friction_holds_the_truth(name, monkeypatch):
    """A fit that ended in a slip claimed 0.64 +- 0.01 for a true 0.84, and the forecasts suffered."""
    sport = sim.load(name)
    predictor, balls = models.load("physics", sport=name), list(gripping_balls(sport))
    errors, offsets = forecasts(predictor, balls)
    assert len(balls) > 50
    assert np.mean(abs(offsets) < 1.645) >= 0.85
    assert np.mean(abs(offsets) > 4) <= 0.02
    monkeypatch.setattr(physics, "release_friction", lambda sport, t, y, fit, prior: fit)
    before, _ = forecasts(predictor, balls)
    assert (np.median(errors, axis=0) <= 1.01 * np.median(before, axis=0)).all()


def test_a_slip_is_still_measured():
    """A ball that slides through its bounce tells its friction."""
    sport = sim.load("tennis")
    times = np.arange(0, 0.36, 1 / 120)
    launch = [[0.0, -10.0, 1.0]], [[0.0, 30.0, -3.0]], [[0.0, 0.0, 0.0]]
    flight = sim.simulate(sport, *launch, times, parameters=[[1.0, 1.0, 1.0, 0.8, 0.0, 0.0]])
    assert len(flight.impacts.time) == 1 and not grips(sport, flight.impacts)
    noise = np.random.default_rng(0).normal(0, 0.003, (len(times), 3))
    belief = models.load("physics", sport=sport).forecast(Track(times, flight.position[0] + noise), [0.4]).belief
    sd = math.sqrt(belief.covariance[9 + FRICTION, 9 + FRICTION])
    assert sd < 0.1 and abs(belief.parameters[FRICTION] - 0.8) < 3 * sd


@pytest.mark.parametrize("factor", [0.99, 1.01])
def test_the_border_is_where_the_ball_begins_to_slip(factor):
    sport = sim.load("table_tennis")
    x = np.zeros(16)
    x[:6], x[12] = (0.0, -1.0, 0.3, 0.0, 4.0, -1.0), 2.0
    border = math.exp(grip_border(compile_sport(sport), 0.3, x))
    parameters = [[1.0, 1.0, 1.0, factor * border, 0.0, 0.0]]
    impacts = sim.simulate(sport, x[None, :3], x[None, 3:6], x[None, 6:9], [0.3], parameters=parameters).impacts
    assert len(impacts.time) == 1 and grips(sport, impacts) == (factor > 1)


@pytest.mark.parametrize("low", [-8.0, -1.0, 0.0, 2.0, 5.1, 19.0, 21.0])
def test_the_moments_of_a_truncated_normal(low):
    z = np.linspace(low, low + 20, 400_001)
    density = np.exp(-0.5 * (z * z - low * low)) if low > 0 else np.exp(-0.5 * z * z)
    mean = np.sum(z * density) / density.sum()
    variance = np.sum((z - mean) ** 2 * density) / density.sum()
    assert truncated_normal(low) == pytest.approx((mean, variance), rel=0.02, abs=1e-4)
