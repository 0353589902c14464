"""The prior of flights knows strokes from both ends, and where strokes land."""

import numpy as np
import pytest

from ballcast import models, sim
from ballcast.models.estimation.flight_prior import flight_prior
from ballcast.sim.kernels.layout import POSITION, VELOCITY
from ballcast.sim.stroke_launches import stroke_launches
from ballcast.tracks import Camera
from ballcast.vision.filming import looking

TENNIS = sim.load("tennis")


def test_strokes_are_of_both_ends_and_those_that_count_land_in_their_zone():
    launches, counts = stroke_launches(TENNIS, 1000, 1)
    side = np.sign(launches[:, 1])
    assert np.array_equal(side, -np.sign(launches[:, 4]))  # towards the net
    assert abs(side.mean()) < 0.01 and 0.2 < counts.mean() < 0.6
    end = np.tile([0.0, TENNIS.sensor.duration], (len(launches), 1))
    impacts = sim.simulate(TENNIS, launches[:, POSITION], launches[:, VELOCITY], launches[:, 6:9], end,
                           launches[:, 9:]).impacts  # fmt: skip
    on_court = impacts.surface == 0
    balls, first = np.unique(impacts.ball[on_court], return_index=True)
    x, y, _ = impacts.position[on_court][first].T
    is_in = (abs(x) <= 4.115) & (y * side[balls] < 0.0) & (abs(y) <= 11.885)
    assert set(np.flatnonzero(counts)) <= set(balls[is_in])  # of serves fewer count: theirs is a box
    assert counts[balls[is_in]].mean() > 0.5
    again, _ = stroke_launches(TENNIS, 1000, 1)
    np.testing.assert_array_equal(again, launches)


def test_a_sport_without_strokes_has_none():
    launches, counts = stroke_launches(sim.load("golf"), 100)
    assert len(launches) == len(counts) == 0


@pytest.mark.parametrize("name", ["tennis", "volleyball"])
def test_the_prior_knows_balls_from_both_ends(name):
    prior = flight_prior(sim.load(name))
    assert 0.35 < prior.weights[prior.means[:, 4] > 0.0].sum() < 0.65


@pytest.mark.parametrize("end", [-1.0, 1.0])
def test_a_stroke_from_either_end_is_forecast_to_land_in_the_court(end):
    """Filmed from far behind, where depth is the prior's."""
    launch = np.array([[0.5, 11.9 * end, 1.0]]), np.array([[-1.0, -30.0 * end, 3.5]]), np.array([[240.0 * end, 0, 0]])
    times = np.arange(0.0, 0.3, 1 / 30)
    impacts = sim.simulate(TENNIS, *launch, [0.0, 2.0]).impacts
    R = looking(np.array([0.0, -60.0, 12.0]), np.zeros(3))
    K = [[6000.0, 0.0, 959.5], [0.0, 6000.0, 539.5], [0.0, 0.0, 1.0]]
    camera = Camera(K, np.empty(0), R, -R @ [0.0, -60.0, 12.0], (1920, 1080), "behind")
    stream = models.load("physics", sport=TENNIS).stream()
    for time, pixel in zip(times, camera.project(sim.simulate(TENNIS, *launch, times).position[0])):
        stream.observe_pixel(float(time), pixel, camera)
    landing = stream.forecast([1.0]).landing
    assert abs(landing.position[1] - impacts.position[0, 1]) < 3.0
