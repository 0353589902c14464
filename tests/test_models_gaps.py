"""Gaps of seconds, and a ball that rests: every predictor answers with finite numbers, and soon."""

import time

import numpy as np
import pytest

from ballcast import models, sim
from ballcast.sim.dataset import draw_launches
from ballcast.tracks import Track

SPORT, LEAD, RATE = "table_tennis", np.array([0.1, 0.3, 0.6]), 120.0  # s, Hz
GAPS = (1.0, 3.0, 10.0)  # s
MAX_MS = 60.0  # of CPU for a frame and its forecast; physics took over 100
WITHOUT_FILTER = ("constant_velocity", "parabola", "physics", "ukf")  # the others stand on gaussian_sum.py


def path(sport, launch, times):
    """Positions (T, 3) m of a launch (15,)."""
    parts = launch[None, :3], launch[None, 3:6], launch[None, 6:9]
    return sim.simulate(sport, *parts, times, parameters=launch[None, 9:15]).position[0]


def tracks(sport, kind, gap, count=6):
    """(times (T,), measured (T, 3), true positions (3, 3) m at LEAD after the last) of a kind of track."""
    launches, rng = draw_launches(sport, 2 * count), np.random.default_rng(0)
    run = np.arange(20) / RATE
    for first, second in zip(launches[:count], launches[count:]):
        again = run[-1] + gap + run
        if kind == "another ball":
            position = np.concatenate([path(sport, first, run), path(sport, second, run)])
            times, truth = np.concatenate([run, again]), path(sport, second, run[-1] + LEAD)
        else:
            spread = np.cumsum(rng.choice([0.01, 0.4, gap], 20))
            times = {"the same ball": np.concatenate([run, again]), "at rest": np.concatenate([run, 60 + again]),
                     "few frames": gap * np.arange(12), "any gaps": spread}[kind]  # fmt: skip
            whole = path(sport, first, np.concatenate([times, times[-1] + LEAD]))
            position, truth = whole[: len(times)], whole[len(times) :]
        noise = rng.normal(0, sport.sensor.usual_noise, position.shape)
        yield times, position + noise, truth


def answers(predictor, times, position):
    """The forecasts of a stream after each frame that it may be asked after; and the CPU time of the slowest, ms.

    A predictor that samples takes 20 ms for each: it is asked after every fifth frame, and after the last.
    """
    stream, forecasts, slowest, every = predictor.stream(), [], 0.0, 5 if predictor.name == "tokens" else 1
    for n, (t, y) in enumerate(zip(times, position), 1):
        start = time.thread_time()
        stream.observe(t, y)
        if n >= max(predictor.min_frames, 3) and (n == len(times) or n % every == 0):
            forecasts.append(stream.forecast(t + LEAD))
            slowest = max(slowest, 1e3 * (time.thread_time() - start))
    return forecasts, slowest


def is_finite(forecast):
    arrays = forecast.mean, forecast.covariance, forecast.samples
    return all(np.isfinite(a).all() for a in arrays if a is not None)


@pytest.mark.parametrize("kind", ["another ball", "the same ball", "at rest"])
@pytest.mark.parametrize("name", models.available(sim.load(SPORT)))
def test_after_a_gap_every_predictor_answers_with_finite_numbers(name, kind):
    sport = sim.load(SPORT)
    predictor = models.load(name, sport=sport)
    for gap in GAPS:
        for times, position, _ in tracks(sport, kind, gap, count=2):
            forecasts, _ = answers(predictor, times, position)
            whole = predictor.forecast(Track(times, position), times[-1] + LEAD)
            assert all(is_finite(forecast) for forecast in [*forecasts, whole])


@pytest.mark.parametrize("kind", ["few frames", "any gaps"])
@pytest.mark.parametrize("name", WITHOUT_FILTER)
def test_tracks_full_of_gaps_have_finite_forecasts(name, kind):
    """ukf answered NaN ever after."""
    for sport in map(sim.load, (SPORT, "golf")):
        predictor = models.load(name, sport=sport)
        for times, position, _ in (track for gap in GAPS for track in tracks(sport, kind, gap, count=6)):
            assert all(is_finite(forecast) for forecast in answers(predictor, times, position)[0])


@pytest.mark.parametrize("kind", ["another ball", "the same ball", "at rest", "few frames"])
@pytest.mark.parametrize("sport", [SPORT, "soccer", "golf"])
@pytest.mark.parametrize("name", ["physics", "ukf"])
def test_after_a_gap_the_spread_is_honest_and_the_answer_quick(name, sport, kind):
    """physics was 600 m off after gaps, and took over 100 ms a frame."""
    sport = sim.load(sport)
    predictor = models.load(name, sport=sport)
    balls = [track for gap in GAPS for track in tracks(sport, kind, gap)]
    answers(predictor, *balls[0][:2])  # compiles what is missing
    inside, slowest = [], []
    for times, position, truth in balls:
        forecasts, ms = answers(predictor, times, position)
        slowest.append(ms)
        floor = (0.5 * sport.sensor.usual_noise) ** 2 * np.eye(3)  # of what a ball on the ground may seem to be off
        error, covariance = truth - forecasts[-1].mean, forecasts[-1].covariance + floor
        inside.append(np.einsum("hi,hij,hj->h", error, np.linalg.inv(covariance), error) < 25.0)
        assert np.linalg.norm(error, axis=1).max() < 40.0  # m
    assert np.mean(inside) >= 0.85
    assert np.median(slowest) < MAX_MS
