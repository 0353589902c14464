"""The contract of models/contract.py, over every predictor in the registry."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ballcast import models, sim
from ballcast.tracks import Track

LEAD_TIMES = np.linspace(0.02, 0.6, 30)  # s
DIRECT = dict.fromkeys(("gru", "gru_raw", "lstm", "rnn", "mlp", "mingru", "transformer"), ("covariance", "landing"))
WITHOUT_FILTER = ("mlp", "gru_raw")  # no physics: the spread before the first horizon is that of the first horizon
LAUNCH = [[0.1, -1.4, 0.3]], [[0.3, 5.0, 1.5]], [[-80.0, 0.0, 20.0]]
GIVES = DIRECT | {  # name -> what a forecast holds besides the mean
    "gru_physics": ("covariance", "samples", "landing", "belief"),
    "physics": ("covariance", "samples", "landing", "belief"),
    "ukf": ("covariance", "samples", "landing", "belief"),
    "tokens": ("covariance", "samples", "landing"),
    "parabola": (),
    "constant_velocity": (),
}


@pytest.fixture(scope="module", params=models.PREDICTORS)
def predictor(request):
    return models.load(request.param)  # fails where its weights do not ship


@pytest.fixture(scope="module")
def history():
    """A ball over its own side of the table, 0.15 s at 180 Hz with a little noise; its clock does not start at 0."""
    time = np.arange(28) / 180.0
    flight = sim.simulate(sim.load("table_tennis"), *LAUNCH, time)
    noise = np.random.default_rng(1).normal(0.0, 0.002, (len(time), 3))
    return Track(time + 1234.5, flight.position[0] + noise)


def test_a_forecast_holds_what_its_predictor_gives(predictor, history):
    times = history.time[-1] + LEAD_TIMES
    forecast = predictor.forecast(history, times)
    given = [name for name in ("covariance", "samples", "landing", "belief") if getattr(forecast, name) is not None]
    assert given == list(GIVES[predictor.name])
    assert forecast.mean.shape == (len(times), 3) and np.isfinite(forecast.mean).all()
    assert np.linalg.norm(forecast.mean[0] - history.position[-1]) < 0.2  # the ball does not jump
    if "covariance" in given:
        assert forecast.covariance.shape == (len(times), 3, 3) and is_covariance(forecast.covariance)
        sd = np.sqrt(np.trace(forecast.covariance, axis1=1, axis2=2))
        assert (sd > 1e-4).all() and sd[-1] < 1.0  # m
        assert sd[0] < 0.01 < sd[-1] or predictor.name in WITHOUT_FILTER
    if "samples" in given:
        assert forecast.samples.shape[1:] == (len(times), 3) and len(forecast.samples) >= 18
        assert (np.ptp(forecast.samples, axis=0) > 0.0).all()


def test_the_landing_is_on_the_table(predictor, history):
    landing = predictor.forecast(history, history.time[-1] + LEAD_TIMES).landing
    if "landing" not in GIVES[predictor.name]:
        assert landing is None
        return
    impacts = sim.simulate(predictor.sport, *LAUNCH, [2.0]).impacts
    first = np.flatnonzero(np.isin(impacts.surface, predictor.sport.landing_surfaces))[0]
    seconds, metres = (0.2, 1.0) if predictor.name in WITHOUT_FILTER else (0.01, 0.04)
    assert abs(landing.time - history.time[0] - impacts.time[first]) < seconds
    assert np.linalg.norm(landing.position - impacts.position[first]) < metres
    assert landing.covariance.shape == (4, 4) and is_covariance(landing.covariance, -1e-12)  # the table is flat: 0 in z
    assert 0.5 <= landing.probability <= 1.0


def test_the_belief_is_of_the_last_frame(predictor, history):
    belief = predictor.forecast(history, history.time[-1] + LEAD_TIMES).belief
    if "belief" not in GIVES[predictor.name]:
        assert belief is None
        return
    assert np.linalg.norm(belief.position - history.position[-1]) < 0.02
    assert belief.velocity.shape == belief.spin.shape == (3,) and 4.0 < belief.velocity[1] < 5.5
    assert belief.parameters.shape == (len(sim.PARAMETERS),) and (belief.parameters[:4] > 0.0).all()
    size = 9 + len(sim.PARAMETERS)
    assert belief.covariance.shape == (size, size) and (np.diag(belief.covariance) >= 0.0).all()
    assert np.linalg.eigvalsh(belief.covariance[:6, :6]).min() > 0.0  # position and velocity are never known exactly


def is_covariance(matrices, least=0.0):
    """Whether matrices (..., D, D) are symmetric, with eigenvalues above `least`."""
    is_symmetric = np.allclose(matrices, np.swapaxes(matrices, -1, -2), rtol=1e-9)
    return is_symmetric and np.linalg.eigvalsh(matrices).min() > least


def test_a_forecast_is_the_same_again_and_on_any_clock(predictor, history):
    times = history.time[-1] + LEAD_TIMES
    mean = predictor.forecast(history, times).mean
    assert np.array_equal(mean, predictor.forecast(history, times).mean)
    early = Track(history.time - 1234.5, history.position)
    assert np.allclose(mean, predictor.forecast(early, times - 1234.5).mean, atol=1e-4)


def test_other_times_do_not_change_the_forecast_of_one(predictor, history):
    times = history.time[-1] + LEAD_TIMES
    alone = predictor.forecast(history, times[10:11]).mean[0]
    assert np.allclose(alone, predictor.forecast(history, times).mean[10], atol=2e-4)


def test_a_batch_is_its_forecasts(predictor, history):  # but for rounding: sums of BLAS depend on the number of rows
    tracks, times = [history, history[:-4]], history.time[-1] + LEAD_TIMES
    forecasts = predictor.forecast_batch(tracks, times)
    for track, forecast in zip(tracks, forecasts, strict=True):
        assert np.allclose(forecast.mean, predictor.forecast(track, times).mean, atol=1e-5)
    rows = predictor.forecast_batch(tracks, np.array([times, times + 0.1]))
    assert np.allclose(rows[1].mean, predictor.forecast(tracks[1], times + 0.1).mean, atol=1e-5)


@pytest.mark.parametrize("shift, message", [(-0.01, "not after the last seen"), (0.0, "not after the last seen")])
def test_times_of_observed_frames_are_refused(predictor, history, shift, message):
    with pytest.raises(ValueError, match=message) as caught:
        predictor.forecast(history, [history.time[-1] + shift, history.time[-1] + 0.1])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("times", [[2000.0, 1999.0], [np.nan], [np.inf], [[2000.0]], [2000.0, 2000.0]])
def test_impossible_times_are_refused(predictor, history, times):
    with pytest.raises(ValueError, match="finite seconds that increase"):
        predictor.forecast(history, times)


def test_too_few_frames_are_too_short(predictor, history):
    with pytest.raises(models.HistoryTooShort, match=f"needs {predictor.min_frames} frames"):
        predictor.forecast(history[: predictor.min_frames - 1], [2000.0])
    stream = predictor.stream()
    with pytest.raises(models.HistoryTooShort):
        stream.forecast([2000.0])
    assert predictor.forecast(history[: predictor.min_frames], [history.time[-1]]).mean.shape == (1, 3)


def test_a_stream_forecasts_what_the_history_does(predictor, history):
    stream = predictor.stream()
    times = history.time[-1] + LEAD_TIMES
    for time, position in zip(history.time, history.position, strict=True):
        stream.observe(time, position)
    assert np.allclose(stream.forecast(times).mean, predictor.forecast(history, times).mean, atol=1e-4)


def test_a_stream_that_restarts_is_as_a_fresh_one(predictor, history):
    stream, times = predictor.stream(), history.time[-1] + LEAD_TIMES
    for k in range(40):  # another ball, on a later clock
        stream.observe(history.time[-1] + 10 + k / 60, (0.02 * k, 1.0 - 0.05 * k, 0.5 + 0.03 * k))
        if k == 30:
            stream.forecast(history.time[-1] + 12 + LEAD_TIMES)
    stream.restart()
    with pytest.raises(models.HistoryTooShort):
        stream.forecast(times)
    fresh = predictor.stream()
    for time, position in zip(history.time, history.position):
        stream.observe(time, position)
        fresh.observe(time, position)
    again, first = stream.forecast(times), fresh.forecast(times)
    assert np.array_equal(again.mean, first.mean) and len(stream.frames[0]) == len(fresh.frames[0])
    assert first.covariance is None or np.array_equal(again.covariance, first.covariance)


def test_a_stream_refuses_impossible_frames(predictor):
    stream = predictor.stream()
    stream.observe(1.0, (0.0, 0.0, 1.0))
    for time, position in [
        (1.0, (0, 0, 1)),
        (0.5, (0, 0, 1)),
        (2.0, (0, 0, np.nan)),
        (np.inf, (0, 0, 1)),
        (2.0, (0, 1)),
    ]:
        with pytest.raises(ValueError):
            stream.observe(time, position)
    stream.observe(1.1, (0.0, 0.0, 1.0))


def test_a_stream_keeps_no_more_than_its_window(predictor):
    stream = predictor.stream()
    for frame in range(3 * predictor.window + 1):
        stream.observe(frame / 100, (0.01 * frame, 0.0, 5.0))
    time, position = stream.frames
    assert len(time) == len(position) == predictor.window and time[-1] == 3 * predictor.window / 100
    assert np.allclose(np.diff(time), 0.01)


def test_a_predictor_declares_its_side_information(predictor):
    assert predictor.name in models.PREDICTORS and set(GIVES) == set(models.PREDICTORS)
    assert predictor.side_information in ("sport", "sport, by its weights", "gravity", "nothing")


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(
        ValueError, match="no predictor is called 'oracle'; there are gru_physics, gru, physics"
    ) as caught:
        models.load("oracle")
    assert "\n" not in str(caught.value)
    with pytest.raises(sim.SportError, match="table_tennis"):
        models.load("parabola", sport="curling")


def test_forecasting_needs_no_torch():
    root = Path(__file__).parents[1]
    loads = "[models.load(n) for n in models.available(sim.load('table_tennis'))]"
    code = f"import sys; from ballcast import models, sim; {loads}; print(*sys.modules)"
    environment = os.environ | {"PYTHONPATH": str(root)}
    run = subprocess.run([sys.executable, "-c", code], cwd=root, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert not {"torch", "pygame"} & set(run.stdout.split())
