"""What every predictor does: from the measured frames of one ball to a forecast of its flight.

    predictor = models.load("physics", sport="table_tennis")
    forecast = predictor.forecast(history, times)      # times (H,) s, all after the last frame
    stream = predictor.stream()                        # live: stream.observe(t, p); stream.forecast(times)

A predictor gets the history, never the truth. It declares what else it knows as `side_information`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from ballcast.sim.sport import Sport
from ballcast.tracks.held import RepeatFilter, measured_frames
from ballcast.tracks.track import Track

if TYPE_CHECKING:  # an import would make every edit of them compile what imports this module anew
    from ballcast.tracks.camera import Camera
    from ballcast.tracks.pixel_track import PixelTrack

MIN_LANDING_PROBABILITY = 0.5  # a forecast names no landing that is less likely


class HistoryTooShort(ValueError):
    """The history has fewer frames than the predictor needs."""


TooShort = HistoryTooShort  # the first version's name


@dataclass(frozen=True, eq=False)
class Landing:
    """The first contact with a landing surface after the last measured frame."""

    time: float  # s
    position: np.ndarray  # (3,) m, the ball's centre
    covariance: np.ndarray | None = None  # (4, 4) of time and position
    probability: float = 1.0


@dataclass(frozen=True, eq=False)
class Belief:
    """The predictor's estimate of the state and the parameters at the last frame."""

    position: np.ndarray  # (3,) m
    velocity: np.ndarray  # (3,) m/s
    spin: np.ndarray  # (3,) rad/s
    parameters: np.ndarray  # (6,) in the order of sim.PARAMETERS
    covariance: np.ndarray | None = None  # (15, 15) of all of these in this order


@dataclass(frozen=True, eq=False)
class Forecast:
    """Where the ball will be at the asked times."""

    mean: np.ndarray  # (H, 3) m
    covariance: np.ndarray | None = None  # (H, 3, 3) m2, of the true position
    samples: np.ndarray | None = None  # (K, H, 3) m
    landing: Landing | None = None
    belief: Belief | None = None


def _increase(times):
    """Whether times (H,) are finite and increase: of what increases only the ends may be infinite."""
    if not len(times):
        return True
    return math.isfinite(times[0]) and math.isfinite(times[-1]) and bool((times[1:] > times[:-1]).all())


class Predictor:
    """Base of all predictors. One that looks at nothing but its last `window` frames defines `predict` alone."""

    name = ""
    side_information = "nothing"  # what it knows beyond the history: "nothing", "gravity" or "sport"
    min_frames = 2  # frames
    window = 60  # frames; it looks at no more

    def __init__(self, sport: Sport):
        self.sport = sport

    def predict(self, time: np.ndarray, position: np.ndarray, times: np.ndarray) -> Forecast:
        """The Forecast at times (H,) s from the frames time (T,) s and position (T, 3) m, all of them checked."""
        raise NotImplementedError

    def forecast(self, history: "Track | PixelTrack", times: ArrayLike) -> Forecast:
        """The Forecast at times (H,) s (absolute, increasing, after the last frame) from a Track, or a PixelTrack.
        HistoryTooShort if the history has fewer than `min_frames` frames; ValueError for wrong times.
        Frames that measure nothing, held or (0, 0, 0), are left out, see tracks/held.py."""
        if not isinstance(history, Track):
            return self.forecast_pixels(history, times)
        history = measured(history)
        times = self.check_times(history.time, times)
        return self.predict(history.time[-self.window :], history.position[-self.window :], times)

    def forecast_pixels(self, history: "PixelTrack", times: ArrayLike) -> Forecast:
        """As `forecast`, from a PixelTrack. ValueError if this predictor cannot take one."""
        raise ValueError(no_pixels(self.name))

    def forecast_batch(self, tracks: Sequence[Track], times: ArrayLike) -> list[Forecast]:
        """One Forecast per track. times (H,) s for all of them, or one row for each, (B, H)."""
        times = np.asarray(times, float)
        rows = times if times.ndim == 2 else [times] * len(tracks)
        return [self.forecast(track, row) for track, row in zip(tracks, rows, strict=True)]

    def stream(self) -> "Stream":
        """A Stream, for one ball observed live."""
        return Stream(self)

    def check_times(self, frame_times: np.ndarray, times: ArrayLike) -> np.ndarray:
        """The asked times as an array (H,) s, after the frames' times (T,) s. ValueError if they are not."""
        if len(frame_times) < self.min_frames:
            raise HistoryTooShort(f"{self.name} needs {self.min_frames} frames; {len(frame_times)} were seen")
        times = np.asarray(times, float)
        if times.ndim != 1 or not _increase(times):
            raise ValueError("times must be one row of finite seconds that increase")
        if len(times) and times[0] <= frame_times[-1]:
            asked, last = f"time {times[0]:g} s", f"the last seen frame at {frame_times[-1]:g} s"
            raise ValueError(f"{asked} is not after {last}; ask for later ones")
        return times


class Stream:
    """One ball observed live: constant time and memory per frame, however long.

    Frames that measure nothing, held or (0, 0, 0), are left out, see tracks/held.py.
    """

    def __init__(self, predictor: Predictor):
        self.predictor = predictor
        self._frames = np.empty((2 * predictor.window, 4))  # t, x, y, z; the last `window` of them count
        self._end = 0
        self._repeats = RepeatFilter()

    @property
    def frames(self) -> tuple[np.ndarray, np.ndarray]:
        """The frames kept: time (T,) s and position (T, 3) m, T at most the predictor's window."""
        frames = self._frames[max(0, self._end - self.predictor.window) : self._end]
        return frames[:, 0], frames[:, 1:]

    def observe(self, time: float, position: ArrayLike) -> None:
        """Add a frame: time in s, after the previous one; position (3,) m. ValueError for anything else."""
        frame = check_frame(time, position, self._frames[self._end - 1, 0] if self._end else None)
        if self._repeats.is_measured(*frame.tolist()):
            self._add(frame)

    def observe_pixel(self, time: float, pixel: ArrayLike, camera: "Camera", diameter: float | None = None) -> None:
        """Add a frame of a Camera: time in s, not before the previous one; pixel (2,); diameter of the ball's image,
        px, if it was measured. ValueError for anything else, or if this predictor cannot take pixels."""
        raise ValueError(no_pixels(self.predictor.name))

    def restart(self) -> None:
        """Forget everything: a new ball begins, on any clock. The same as a fresh stream, without allocating one."""
        self._end = 0
        self._repeats.restart()

    def _add(self, frame: np.ndarray) -> None:
        """Remember a frame (4,)."""
        if self._end == len(self._frames):
            self._end = self.predictor.window
            self._frames[: self._end] = self._frames[self._end :]
        self._frames[self._end] = frame
        self._end += 1

    def forecast(self, times: ArrayLike) -> Forecast:
        """The Forecast at times (H,) s, as Predictor.forecast."""
        time, position = self.frames
        return self.predictor.predict(time, position, self.predictor.check_times(time, times))


def no_pixels(name: str) -> str:
    """What a predictor says that cannot take pixels."""
    return f"{name} takes positions, not pixels; physics and gru_physics take pixels"


def measured(history: Track) -> Track:
    """The history without the frames that measure nothing: itself if there are none."""
    mask = measured_frames(history.time, history.position)
    return history if mask.all() else history[mask]


def check_frame(time: float, position: ArrayLike, previous: float | None = None) -> np.ndarray:
    """A frame as (4,): t, x, y, z. ValueError if it is none, or not after the previous time (s)."""
    frame = np.array([time, *np.asarray(position)], float)
    if frame.shape != (4,) or not np.isfinite(frame).all():
        raise ValueError(f"a frame is a finite time and position (3,), not {time!r}, {position!r}")
    if previous is not None and frame[0] <= previous:
        raise ValueError(f"frame at {frame[0]:g} s does not come after the one before, at {previous:g} s")
    return frame


def compiled_arrays(*arrays: ArrayLike) -> tuple[np.ndarray, ...]:
    """Copies that are float64, contiguous and writable: compiled code takes this one type of array."""
    return tuple(np.array(a, float, order="C") for a in arrays)


def expected_landing(last: float, probability: float, at: np.ndarray, covariance: np.ndarray) -> Landing | None:
    """The Landing at time (s after the last frame, at `last` s) and position `at` (4,); None if it is unlikely."""
    if probability < MIN_LANDING_PROBABILITY:
        return None
    return Landing(last + at[0], at[1:], covariance, float(probability))
