"""Runs predictors over cases, shared out to worker processes of one thread each. What leaves here is what was answered.

A predictor is handed a history and times, nothing else; a limit its Told besides. One that raises, or answers NaN or
a wrong shape, has failed on that track: this is counted and named, and the rest goes on.
"""

import multiprocessing
import os
import time
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import dataclass, field

import numpy as np

from ballcast import models
from ballcast.evaluation import limits
from ballcast.tracks import Track

CHUNK = 16  # cases that a worker takes at once
THREADS = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
LATENCY_TIMES = np.linspace(1 / 60, 1.0, 60)  # s
LATENCY_FRAMES, LATENCY_TRACKS = 60, 6


@dataclass(eq=False)
class Answers:
    """What a predictor said to N cases at H times; NaN where it was not asked, has failed, or does not say."""

    mean: np.ndarray  # (N, H, 3) m
    covariance: np.ndarray  # (N, H, 3, 3) m2
    samples: dict = field(default_factory=dict)  # case -> (K, H', 3) m at the times that were asked
    landing: np.ndarray | None = None  # (N, 4) s and m
    too_short: int = 0  # histories that were too short for it
    failures: list = field(default_factory=list)  # of (track, cause)


def one_thread():
    """Let this process, and those it starts, compute in one thread: call it before numba is imported."""
    for name in THREADS:
        os.environ[name] = "1"


def load(name, sport):
    """The predictor or limit of that name."""
    return limits.load(name, sport) if name in limits.LIMITS else models.load(name, sport)


class Workers:
    """Processes that forecast; use it with `with`."""

    def __init__(self, count):
        spawn = multiprocessing.get_context("spawn")
        self.pool = ProcessPoolExecutor(count, mp_context=spawn)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.pool.shutdown(wait=kind is None, cancel_futures=True)

    def forecast(self, name, suite, cases, progress=lambda done: None):
        """The Answers of a predictor or limit to cases of a suite; progress(n) is called as n more are done."""
        requested = ~np.isnan(cases.times)
        answers = Answers(np.full((*cases.times.shape, 3), np.nan), np.full((*cases.times.shape, 3, 3), np.nan))
        answers.landing = np.full((len(cases), 4), np.nan)
        is_limit = name in limits.LIMITS
        pending = {}
        for first in range(0, len(cases), CHUNK):
            numbers = range(first, min(first + CHUNK, len(cases)))
            work = [
                (
                    n,
                    _track_arrays(cases.histories[n]),
                    cases.times[n, requested[n]],
                    suite.truth_of(cases.track_numbers[n]) if is_limit else None,
                )
                for n in numbers
                if requested[n].any()
            ]
            pending[self.pool.submit(_forecast_cases, name, suite.sport, work)] = len(numbers)
        while pending:
            done, _ = wait(pending, return_when=FIRST_COMPLETED)
            for future in done:
                for n, answer in future.result():
                    _store(answers, n, requested[n], cases.histories[n], answer)
                progress(pending.pop(future))
        return answers


def _track_arrays(track):
    """What goes to a worker of a track."""
    return track.time, track.position, track.name


def _store(answers, n, requested, history, answer):
    if isinstance(answer, str):
        answers.failures.append((history.name, answer))
    elif answer is None:
        answers.too_short += 1
    else:
        mean, covariance, samples, landing = answer
        answers.mean[n, requested] = mean
        if covariance is not None:
            answers.covariance[n, requested] = covariance
        if samples is not None:
            answers.samples[n] = samples
        if landing is not None:
            answers.landing[n] = landing


_loaded: dict = {}  # in a worker: (name, sport) -> predictor


def _forecast_cases(name, sport, work):
    """In a worker: (case, answer) of each case; a string is the cause of a failure, None a history too short."""
    key = name, sport
    if key not in _loaded:
        _loaded[key] = load(name, sport)
    return [(n, make_forecast(_loaded[key], Track(*track_arrays), *arguments)) for n, track_arrays, *arguments in work]


def make_forecast(predictor, history, times, truth=None):
    """(mean, covariance, samples, landing) of one forecast; or the cause of its failure; or None, too short."""
    try:
        forecast = predictor.forecast(history, times) if truth is None else predictor.forecast(history, times, truth)
        return _checked(forecast, len(times))
    except models.HistoryTooShort:
        return None
    except Exception as error:  # noqa: BLE001 - a stranger's predictor may raise anything; it is named to the user
        return f"{type(error).__name__}: {' '.join(str(error).split())}"[:200]


def _checked(forecast, count):
    mean, covariance, samples = (_array(getattr(forecast, k)) for k in ("mean", "covariance", "samples"))
    for what, a, shape in (("mean", mean, (count, 3)), ("covariance", covariance, (count, 3, 3))):
        if a is not None and (a.shape != shape or not np.isfinite(a).all()):
            raise ValueError(f"its {what} is not finite" if a.shape == shape else f"its {what} has shape {a.shape}, "
                             f"not {shape}")  # fmt: skip
    if mean is None or (samples is not None and (samples.shape[1:] != (count, 3) or not np.isfinite(samples).all())):
        raise ValueError("it has no mean" if mean is None else f"its samples (K, {count}, 3) are not all there")
    landing = forecast.landing
    if landing is not None and landing.probability >= 0.5:
        return mean, covariance, samples, np.array([landing.time, *landing.position], float)
    return mean, covariance, samples, None


def _array(values):
    return None if values is None else np.asarray(values, float)


def latency(predictor, tracks):
    """Seconds (M,) that a stream takes to observe a frame and forecast 60 times, over frames of a few tracks, warm."""
    durations = []
    for number, track in enumerate(tracks[: LATENCY_TRACKS + 1]):
        stream = predictor.stream()
        for t, position in zip(track.time[:LATENCY_FRAMES], track.position[:LATENCY_FRAMES], strict=True):
            begin = time.perf_counter()
            stream.observe(t, position)
            try:
                stream.forecast(t + LATENCY_TIMES)
            except models.HistoryTooShort:
                continue
            if number:  # the first warms up
                durations.append(time.perf_counter() - begin)
    return np.array(durations)
