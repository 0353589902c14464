"""Frames that err alike count for less: in the filter, and in the fit."""

import dataclasses

import numpy as np
import pytest

from ballcast import models, sim
from ballcast.models.encoding.features import make_frontend
from ballcast.models.estimation.correlated_noise import factor_of, usual_factor
from ballcast.models.estimation.filter_state import new_filter_states
from ballcast.models.estimation.gaussian_sum import observe
from ballcast.sim.sport import Drift, Outlier, TrackerFrame

BALLS, DURATION = 60, 0.45
WHITE, LASTING = Drift(), Drift(1.0, (1.5, 1.5), (0.03, 0.03))


def drawn(drift):
    """A sport whose trackers have this drift and nothing else that is wrong, and balls of it, without the net."""
    sport = sim.load("table_tennis").without("net")
    clean = {"outlier": Outlier(0.0, (0.0, 0.0), (0.1, 0.1)), "miss": (0.0,), "frame": TrackerFrame()}
    sensor = dataclasses.replace(sport.sensor, drift=drift, noise=(0.002, 0.002), **clean)
    return sim.draw(dataclasses.replace(sport, sensor=sensor), BALLS, purpose="test", duration=DURATION)


def tracks(balls):
    rows = [slice(a, b) for a, b in zip(balls.offsets[:-1], balls.offsets[1:])]
    return [(balls.time[r], np.ascontiguousarray(balls.position[r])) for r in rows]


@pytest.fixture(scope="module")
def filtered():
    """By drift: the filter states after all frames. The filter expects the sport's usual trackers."""
    frontend = make_frontend(sim.load("table_tennis").without("net"), "filter")
    found = {}
    for drift in (WHITE, LASTING):
        states = new_filter_states(BALLS)
        for state, (time, position) in zip(states, tracks(drawn(drift))):
            for t, y in zip(time, position):
                observe(frontend.sport, frontend.filter_prior, state, t, y)
        found[drift] = states
    return found


def test_the_usual_factor_is_that_of_the_sports_trackers():
    sensor = sim.load("table_tennis").sensor
    assert usual_factor(dataclasses.replace(sensor, drift=Drift())) == 1.0
    assert 1.2 < usual_factor(sensor) < 3.0
    longer = factor_of(np.array([1.0]), 0.05, 180.0) > factor_of(np.array([1.0]), 0.005, 180.0)
    larger = factor_of(np.array([2.0]), 0.05, 180.0) > factor_of(np.array([0.5]), 0.05, 180.0)
    turns = factor_of(np.array([2.0]), 0.05, 180.0, 3) < factor_of(np.array([2.0]), 0.05, 180.0)
    assert longer.all() and larger.all() and turns.all()


def test_the_filter_finds_out_whether_errors_last(filtered):
    white, lasting = (np.median(filtered[drift]["noise_factor"]) for drift in (WHITE, LASTING))
    assert white < 1.4 and lasting > 1.5 * white


def test_the_filters_spread_fits_errors_that_last(filtered):
    """The velocity's error over its standard deviation, across the flight: without the factor it is above 2."""
    for drift, states in filtered.items():
        balls = drawn(drift)
        last = balls.offsets[1:] - 1
        off = states["x"][:, 3:6] - balls.truth_velocity[last]
        sd = np.sqrt(np.diagonal(states["P"], axis1=1, axis2=2)[:, 3:6])
        assert 0.4 < np.median(np.abs(off / sd)) / 0.6745 < 1.6, drift


def test_the_fit_finds_out_too():
    predictor = models.load("physics", sim.load("table_tennis").without("net"))
    factors = []
    for drift in (WHITE, LASTING):
        fits = [
            predictor.fit(*track, predictor.prior.mean, False, predictor.prior)[0]
            for track in tracks(drawn(drift))[:20]
        ]
        factors.append(np.median([fit.noise_factor for fit in fits]))
    assert factors[0] < 1.6 and factors[1] > 1.3 * factors[0]
