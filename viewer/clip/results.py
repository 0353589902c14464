"""What was found in each frame of a clip, and forecast then: kept without the images, so that memory is bounded.

results = Results()
results.add(result)
results.at(now)            # the Result of the last frame up to a time, or None
"""

from bisect import bisect_left, bisect_right
from operator import attrgetter
from typing import NamedTuple

import numpy as np

from ballcast.tracks import Camera
from ballcast.vision.follow import Seen, VideoForecast

MAX_RESULTS = 8000  # frames that are kept: about 40 MB
TRAIL = 0.5  # s of the ball's way that is shown behind it
GAP = 0.3  # s: frames farther apart do not follow each other
EVENTS = "hit", "bounce"
_time = attrgetter("time")


class Landing(NamedTuple):
    """Where and when the ball lands: pixel (2,) px, covariance (2, 2) px^2 or None, place (3,) m or None."""

    time: float
    pixel: np.ndarray
    covariance: np.ndarray | None
    place: np.ndarray | None


class Path(NamedTuple):
    """A forecast: times (H,) s, pixel (H, 2) px, covariance (H, 2, 2) px^2; in space, with a camera, m and m^2."""

    times: np.ndarray
    pixel: np.ndarray
    covariance: np.ndarray
    landing: Landing | None = None
    mean: np.ndarray | None = None  # (H, 3)
    spread: np.ndarray | None = None  # (H, 3, 3), its covariance
    position: np.ndarray | None = None  # (3,) m, of the ball in the last frame
    space_landing: object = None  # of models, or None


class Result(NamedTuple):
    """A frame as it was when it was the last one. number: in the order of decoding; time: s."""

    number: int
    time: float
    pixel: np.ndarray | None  # (2,) px, of the ball; None if it was not seen
    probability: float
    diameter: float  # px
    flight: int
    event: str  # "", "hit", "bounce" or "lost"
    note: str
    candidates: np.ndarray  # (N, 2) float32 px
    path: Path | None
    camera: Camera | None


def result_of(seen: Seen, forecast: VideoForecast | None, camera: Camera | None) -> Result:
    """The Result of a frame, in half precision where a picture needs no more."""
    pixel = None if seen.pixel is None else np.array(seen.pixel, float)
    candidates = np.asarray(seen.candidates.pixel, np.float32)
    return Result(
        seen.number, seen.time, pixel, float(seen.probability), float(seen.diameter), seen.flight, seen.event,
        seen.note, candidates, None if forecast is None else _path(forecast), camera,
    )  # fmt: skip


def _path(forecast):
    """A VideoForecast as a Path; None if it has numbers that are not finite."""
    if not np.isfinite(forecast.pixel).all():
        return None
    landing, space = forecast.landing, forecast.space
    if landing is not None:
        covariance = None if landing.covariance is None else np.array(landing.covariance, float)
        covariance = covariance if covariance is not None and np.isfinite(covariance).all() else None
        place = getattr(landing, "place", None)
        landing = Landing(float(landing.time), np.array(landing.pixel, float), covariance, place)
    path = Path(np.array(forecast.times), _small(forecast.pixel), _small(forecast.covariance), landing)
    if space is None or not np.isfinite(space.mean).all():
        return path
    position = None if space.belief is None else np.array(space.belief.position, float)
    return path._replace(
        mean=_small(space.mean), spread=_small(space.covariance), position=position, space_landing=space.landing
    )


def _small(values):
    return None if values is None else np.asarray(values, np.float32)


class Results:
    """Results by their times; of more than MAX_RESULTS, those farthest from the newest are dropped."""

    def __init__(self, limit: int = MAX_RESULTS):
        self._limit, self._results = limit, []

    def __len__(self) -> int:
        return len(self._results)

    def add(self, result: Result) -> None:
        """Keep a Result; it replaces one of the same frame."""
        index = bisect_left(self._results, result.time, key=_time)
        if index < len(self._results) and self._results[index].number == result.number:
            self._results[index] = result
            return
        self._results.insert(index, result)
        if len(self._results) > self._limit:
            self._results.pop(0 if index > len(self._results) // 2 else -1)

    def at(self, now: float) -> Result | None:
        """The Result of the last frame up to a time, s, if that is no more than GAP before."""
        index = bisect_right(self._results, now, key=_time)
        result = self._results[index - 1] if index else None
        return result if result is not None and now - result.time <= GAP else None

    def next(self, time: float, step: int) -> Result | None:
        """The Result `step` frames after (or, if negative, before) that of a time, if they follow each other."""
        index = bisect_right(self._results, time, key=_time) - 1 + step
        if not 0 <= index < len(self._results) or abs(self._results[index].time - time) > abs(step) * GAP:
            return None
        return self._results[index]

    def before(self, result: Result, seconds: float = TRAIL) -> list[Result]:
        """The Results of the last `seconds` up to a Result, itself included."""
        last = bisect_right(self._results, result.time, key=_time)
        return self._results[bisect_left(self._results, result.time - seconds, key=_time) : last]

    def covered(self) -> list[tuple[float, float]]:
        """From when to when (s) there are results."""
        times = np.array([result.time for result in self._results])
        if not len(times):
            return []
        ends = np.flatnonzero(np.diff(times) > GAP)
        return list(zip(times[[0, *(ends + 1)]].tolist(), times[[*ends, len(times) - 1]].tolist()))

    def events(self) -> list[tuple[float, str]]:
        """(time s, kind) of all hits and bounces."""
        return [(result.time, result.event) for result in self._results if result.event in EVENTS]
