"""The factors on the covariance of fits, and what they are for: regions of `physics` that hold nine balls in ten."""

import numpy as np
import pytest
from scipy.stats import chi2

from ballcast import models, sim
from ballcast.models.estimation.fit_spread import FIRST_FRAME, FULL_FRAMES, FitSpread, read_fit_spread
from ballcast.models.training.calibrate import calibration_cases, mahalanobis2, measure_fit_spread

SPREAD = FitSpread((5.0, 10.0), (1.0, 3.0), (2.0, 6.0))


def test_the_factor_grows_with_frames_speed_and_contacts():
    assert SPREAD.factor(FIRST_FRAME, True, 20.0) == 1.0
    assert SPREAD.factor(FULL_FRAMES, False, 7.5) == pytest.approx(2.0)
    assert SPREAD.factor(FULL_FRAMES, True, 20.0) == pytest.approx(6.0)
    half = SPREAD.factor((FIRST_FRAME + FULL_FRAMES) // 2, True, 20.0)
    assert 3.0 < half < 4.0


def test_every_sport_has_factors_and_others_the_usual_ones():
    for name in sim.names():
        spread = read_fit_spread(name)
        assert len(spread.speed) == len(spread.flight) == len(spread.contact) == 4
        assert min(spread.flight + spread.contact) >= 1.0 and list(spread.speed) == sorted(spread.speed)
    assert read_fit_spread("a sport of my own") == FitSpread((0.0,), *read_fit_spread("other")[1:])


def test_regions_hold_nine_in_ten_balls_that_the_factors_were_not_measured_on(monkeypatch):
    monkeypatch.setattr("ballcast.models.training.calibrate.FIRST", 400_000)
    sport = sim.load("table_tennis")
    tracks, times, truth, _, clear = calibration_cases(sport, 500)
    predictor = models.load("physics", sport)
    chosen = [n for n in np.flatnonzero(clear) if len(tracks[n]) >= FULL_FRAMES]
    forecasts = [predictor.forecast(tracks[n], times[n]) for n in chosen]
    errors = np.array([f.mean for f in forecasts]) - truth[chosen]
    distance2 = mahalanobis2(errors, np.array([f.covariance for f in forecasts]))
    assert 0.85 < (distance2 < chi2.ppf(0.9, 3)).mean() < 0.95


def test_measured_again_they_are_alike():
    spread, written = measure_fit_spread(sim.load("tennis"), 600), read_fit_spread("tennis")
    assert np.allclose(spread.speed, written.speed, rtol=0.1)
    assert np.median(spread.flight + spread.contact) == pytest.approx(
        np.median(written.flight + written.contact), rel=0.4
    )
