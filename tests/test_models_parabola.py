"""The line and the arc: exact where they should be, and not thrown by one bad frame or a bounce."""

import numpy as np
import pytest

from ballcast import models
from ballcast.models.predictors.parabola import arc
from ballcast.tracks import Track

G = 9.81


@pytest.fixture(scope="module")
def parabola():
    return models.load("parabola")


def thrown(t):
    return arc(np.array([0.1, -1.0, 0.3]), np.array([0.4, 5.0, 2.0]), G, t)


@pytest.mark.parametrize("frames", [3, 5, 15, 100])
def test_the_arc_is_exact_in_empty_space(parabola, frames):
    t = np.linspace(0.0, 0.3, frames)
    later = np.array([0.35, 0.5, 1.0])
    assert np.allclose(parabola.forecast(Track(t, thrown(t)), later).mean, thrown(later), atol=1e-9)


@pytest.mark.parametrize("bad", range(12))
def test_one_outlier_moves_it_by_less_than_a_millimetre(parabola, bad):
    t = np.arange(12) / 180.0
    position = thrown(t)
    position[bad] += [0.3, -0.2, 0.4]
    later = np.array([0.2, 0.3])
    assert np.abs(parabola.forecast(Track(t, position), later).mean - thrown(later)).max() < 1e-3


def test_after_a_bounce_it_follows_the_new_arc(parabola):
    t = np.arange(24) / 180.0
    up = arc(thrown(t[12:13])[0], np.array([0.4, 4.0, 3.0]), G, t - t[12])
    position = np.where((t < t[12])[:, None], thrown(t), up)
    later = t[-1] + np.array([0.1])
    wanted = arc(up[12], np.array([0.4, 4.0, 3.0]), G, later - t[12])
    assert np.allclose(parabola.forecast(Track(t, position), later).mean, wanted, atol=1e-9)


def test_constant_velocity_is_exact_on_a_line():
    t = np.array([0.0, 0.01, 0.03, 0.04])
    position = np.multiply.outer(t, [1.0, -2.0, 3.0]) + [0.5, 0.6, 0.7]
    forecast = models.load("constant_velocity").forecast(Track(t, position), [0.1])
    assert np.allclose(forecast.mean, [[0.6, 0.4, 1.0]], atol=1e-12)
    assert forecast.landing is None and forecast.belief is None
