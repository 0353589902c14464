"""Runs predictors over cases, in worker processes of one thread each, and collects their answers.

A predictor gets a history and times, nothing else; a limit gets its Truth too. A predictor that raises an error, or
answers with NaN or a wrong shape, has failed on that track: the failure is recorded, and the run continues.
"""

import multiprocessing
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ballcast import models, sim
from ballcast.evaluation import limits, pixel_limits
from ballcast.evaluation.protocols import Cases
from ballcast.evaluation.reconstruction import SMOOTH, Smoother
from ballcast.evaluation.suites import Suite
from ballcast.tracks import PixelTrack, Track

CHUNK = 16  # cases that a worker takes at once
LATENCY_TIMES = np.linspace(1 / 60, 1.0, 60)  # s
LATENCY_FRAMES, LATENCY_TRACKS = 60, 6


@dataclass(eq=False)
class Answers:
    """A predictor's answers to N cases at H times; NaN where it was not asked, failed, or has no such output."""

    mean: np.ndarray  # (N, H, 3) m
    covariance: np.ndarray  # (N, H, 3, 3) m2
    samples: dict[int, np.ndarray] = field(default_factory=dict)  # case -> (K, H', 3) m at the H' times that were asked
    landing: np.ndarray | None = None  # (N, 4) s and m
    too_short: int = 0  # histories with too few frames for it
    failures: list[tuple[str, str]] = field(default_factory=list)  # (track, cause)


def load(name: str, sport: sim.Sport, of_pixels: bool = False) -> Any:
    """The predictor of that name, or the limit, of tracks or of pixels; or what reconstructs."""
    if name == SMOOTH:
        return Smoother(sport)
    if of_pixels and name == pixel_limits.LIMIT:
        return pixel_limits.PixelLimit(sport)
    return limits.load(name, sport) if name in limits.LIMITS else models.load(name, sport)


class Workers:
    """Processes that forecast; a context manager."""

    def __init__(self, count: int):
        self.pool = ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("spawn"))

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.pool.shutdown(wait=kind is None, cancel_futures=True)

    def forecast(self, name: str, suite: Suite, cases: Cases, progress: Callable = lambda done: None) -> Answers:
        """The Answers of a predictor or limit to cases of a suite; progress(n) is called when n more are done."""
        requested = ~np.isnan(cases.times)
        answers = Answers(np.full((*cases.times.shape, 3), np.nan), np.full((*cases.times.shape, 3, 3), np.nan))
        answers.landing = np.full((len(cases), 4), np.nan)
        pending = {}
        for first in range(0, len(cases), CHUNK):
            numbers, work = range(first, min(first + CHUNK, len(cases))), []
            for n in (n for n in numbers if requested[n].any()):
                truth = suite.truth_of(cases.track_numbers[n]) if name in limits.LIMITS else None
                work.append((n, _to_send(cases.histories[n]), cases.times[n, requested[n]], truth))
            pending[self.pool.submit(_forecast_cases, name, suite.sport, work)] = len(numbers)
        while pending:
            done, _ = wait(pending, return_when=FIRST_COMPLETED)
            for future in done:
                for n, answer in future.result():
                    _store(answers, n, requested[n], cases.histories[n], answer)
                progress(pending.pop(future))
        return answers


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


def _to_send(history):
    """The class of a history and its arguments: further columns of its file never reach a predictor."""
    if isinstance(history, PixelTrack):
        return PixelTrack, (
            history.time,
            history.pixel,
            history.camera,
            history.cameras,
            history.diameter,
            history.name,
        )
    return Track, (history.time, history.position, history.name)


_loaded: dict = {}  # in a worker: (name, sport, whether it gets pixels) -> predictor


def _forecast_cases(name, sport, work):
    """In a worker: (case, answer) of each case, the answer as returned by make_forecast."""
    found = []
    for n, (kind, parts), *arguments in work:
        key = name, sport, kind is PixelTrack
        if key not in _loaded:
            _loaded[key] = load(*key)
        found.append((n, make_forecast(_loaded[key], kind(*parts), *arguments)))
    return found


def make_forecast(
    predictor: Any, history: Track | PixelTrack, times: np.ndarray, truth: limits.Truth | None = None
) -> tuple | str | None:
    """(mean, covariance, samples, landing) of one forecast; a string if it failed; None if the history is too short."""
    try:
        forecast = predictor.forecast(history, times) if truth is None else predictor.forecast(history, times, truth)
        return _checked(forecast, len(times))
    except models.HistoryTooShort:
        return None
    except Exception as error:  # noqa: BLE001 - a user's own predictor may raise anything
        return f"{type(error).__name__}: {' '.join(str(error).split())}"[:200]


def _checked(forecast, count):
    mean, covariance, samples = (_array(getattr(forecast, k)) for k in ("mean", "covariance", "samples"))
    if mean is None:
        raise ValueError("it has no mean")
    for what, a, shape in (("mean", mean, (count, 3)), ("covariance", covariance, (count, 3, 3))):
        if a is not None and a.shape != shape:
            raise ValueError(f"its {what} has shape {a.shape}, not {shape}")
        if a is not None and not np.isfinite(a).all():
            raise ValueError(f"its {what} is not finite")
    if samples is not None and (samples.shape[1:] != (count, 3) or not np.isfinite(samples).all()):
        raise ValueError(f"its samples are not finite, or not of shape (K, {count}, 3)")
    landing = getattr(forecast, "landing", None)
    if landing is not None and landing.probability >= 0.5:
        return mean, covariance, samples, np.array([landing.time, *landing.position], float)
    return mean, covariance, samples, None


def _array(values):
    return None if values is None else np.asarray(values, float)


def latency(
    predictor: models.Predictor, tracks: Sequence[Track | PixelTrack], count: int = LATENCY_TRACKS
) -> np.ndarray:
    """Seconds (M,) in which a stream observes one frame and forecasts 60 times, for frames of `count` tracks, warm."""
    durations = []
    for number, track in enumerate(tracks[: count + 1]):
        stream = predictor.stream()
        for frame in range(min(len(track), LATENCY_FRAMES)):
            t, begin = float(track.time[frame]), time.perf_counter()
            _observe(stream, track, frame)
            try:
                stream.forecast(t + LATENCY_TIMES)
            except models.HistoryTooShort:
                continue
            if number:  # the first warms up
                durations.append(time.perf_counter() - begin)
    return np.array(durations)


def _observe(stream, track, frame):
    """Let a stream see one frame of a track."""
    if isinstance(track, Track):
        stream.observe(float(track.time[frame]), track.position[frame])
        return
    size = np.nan if track.diameter is None else float(track.diameter[frame])
    diameter = size if np.isfinite(size) else None
    stream.observe_pixel(float(track.time[frame]), track.pixel[frame], track.cameras[track.camera[frame]], diameter)


def refusal(predictor: Any, suite: Suite) -> str:
    """What a predictor says that cannot take the pixels of a suite; "" if it can."""
    seen = next((track for track in suite.tracks if len(track)), None)
    if seen is None or not isinstance(seen, PixelTrack) or not isinstance(predictor, models.Predictor):
        return ""
    try:
        predictor.forecast(seen[:1], seen.time[:1] + 0.1)
    except models.HistoryTooShort:
        return ""
    except ValueError as error:
        return str(error) if "pixels" in str(error) else ""
    except Exception:  # noqa: BLE001 - a user's own predictor may raise anything; it is named when it forecasts
        return ""
    return ""
