"""What every predictor does: from the measured frames of one ball to a forecast of its flight.

    predictor = models.load("physics", sport="table_tennis")
    forecast = predictor.forecast(history, times)      # times (H,) s, all after the last frame
    stream = predictor.stream()                        # live: stream.observe(t, p); stream.forecast(times)
    crossing = stream.at_plane((0, 1, 0), 1.2)         # when and where the ball crosses the plane y = 1.2 m, or None

A predictor gets the history, never the truth. It declares what else it knows as `side_information`.

Frames and forecasts are in the tracker's frame of reference. If the sport's file says how that lies in the sport's own
frame (`sensor.frame.offset`), frames are brought into it where they come in, and forecasts back where they go out.
"""

import dataclasses
import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ballcast.models.frame_gate import ACCEPTED, FAR_OFF, RESTARTED, TAKEN, FrameGate, FrameStatus, four_numbers
from ballcast.sim.sensor import known_frame, to_sport_frame, to_tracker_frame
from ballcast.sim.sport import Sport
from ballcast.tracks.held import measured_frames
from ballcast.tracks.track import Track

if TYPE_CHECKING:  # an import would make every edit of them compile what imports this module anew
    from ballcast.tracks.camera import Camera
    from ballcast.tracks.pixel_track import PixelTrack

MIN_LANDING_PROBABILITY = 0.5  # a forecast names no landing, and no crossing, that is less likely
AHEAD, AHEAD_TIMES, FIRST_AHEAD = 1.0, 60, 1e-3  # s, number, s: of the times at which a crossing is looked for


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
class Crossing:
    """When and where the ball first crosses a plane, or first comes within reach of a point."""

    time: float  # s
    position: np.ndarray  # (3,) m, the ball's centre then
    velocity: np.ndarray  # (3,) m/s then
    covariance: np.ndarray | None = None  # (4, 4) of time and position: that in the plane, across it nothing is left
    probability: float = 1.0  # that it crosses before the forecast ends


class Moment(NamedTuple):
    """Where the ball is at one time."""

    time: float  # s
    position: np.ndarray  # (3,) m
    velocity: np.ndarray | None  # (3,) m/s
    covariance: np.ndarray | None  # (3, 3) m2 of the position
    velocity_covariance: np.ndarray | None  # (3, 3) (m/s)2


@dataclass(frozen=True, eq=False)
class Forecast:
    """Where the ball will be at the asked times."""

    mean: np.ndarray  # (H, 3) m
    covariance: np.ndarray | None = None  # (H, 3, 3) m2, of the true position
    samples: np.ndarray | None = None  # (K, H, 3) m
    landing: Landing | None = None
    belief: Belief | None = None
    velocity: np.ndarray | None = None  # (H, 3) m/s
    velocity_covariance: np.ndarray | None = None  # (H, 3, 3) (m/s)2, of the true velocity
    times: np.ndarray | None = None  # (H,) s, as asked

    def at_plane(self, normal: ArrayLike, offset: float) -> Crossing | None:
        """The first Crossing of the plane normal . position = offset, from either side, between the first of the times
        and the last; None if it is less likely than 0.5. normal (3,) of any length; offset in m times that length.

        Between two times the path is the cubic through positions and velocities, or two straight ends that meet where
        a bounce lies between. Times 20 ms apart or closer are right for a flying ball. ValueError for a wrong plane."""
        from ballcast.models import crossing  # here: what is compiled does not depend on it

        return crossing.first_crossing(self, crossing.plane(normal, offset))

    def at_sphere(self, centre: ArrayLike, radius: float) -> Crossing | None:
        """As at_plane: when the ball's centre first comes within radius (m) of centre (3,) m, the reach of a robot. A
        ball that is within it at the first of the times enters then. ValueError for a wrong sphere."""
        from ballcast.models import crossing

        return crossing.first_crossing(self, crossing.sphere(centre, radius))


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
        self.sport, frame = sport, known_frame(sport.sensor)
        self.tracker_frame = frame if frame.any() else None  # (3,) as known_frame; None: the sport's own

    def to_sport_frame(self, position: np.ndarray) -> np.ndarray:
        """Measured positions (..., 3) m in the sport's frame."""
        return position if self.tracker_frame is None else to_sport_frame(self.tracker_frame, position)

    def to_tracker_frame(self, forecast: Forecast) -> Forecast:
        """A Forecast in the sport's frame, in the tracker's. Covariances stay: the frame is turned by little."""
        frame, landing, belief = self.tracker_frame, forecast.landing, forecast.belief
        if frame is None:
            return forecast
        if landing:
            landing = dataclasses.replace(landing, position=to_tracker_frame(frame, landing.position))
        if belief:
            vectors = {k: to_tracker_frame(frame, getattr(belief, k), k == "position")
                       for k in ("position", "velocity", "spin")}  # fmt: skip
            belief = dataclasses.replace(belief, **vectors)
        samples = None if forecast.samples is None else to_tracker_frame(frame, forecast.samples)
        velocity = None if forecast.velocity is None else to_tracker_frame(frame, forecast.velocity, False)
        return dataclasses.replace(forecast, mean=to_tracker_frame(frame, forecast.mean), samples=samples,
                                   landing=landing, belief=belief, velocity=velocity)  # fmt: skip

    def predict(self, time: np.ndarray, position: np.ndarray, times: np.ndarray) -> Forecast:
        """The Forecast at times (H,) s from the frames time (T,) s and position (T, 3) m, all of them checked.

        The frames and the forecast are in the sport's frame of reference."""
        raise NotImplementedError

    def forecast(self, history: "Track | PixelTrack", times: ArrayLike) -> Forecast:
        """The Forecast at times (H,) s (absolute, increasing, after the last frame) from a Track, or a PixelTrack.
        HistoryTooShort if the history has fewer than `min_frames` frames; ValueError for wrong times.
        Frames that measure nothing, held or (0, 0, 0), are left out, see tracks/held.py."""
        if not isinstance(history, Track):
            return self.forecast_pixels(history, times)
        history = measured(history)
        times = self.check_times(history.time, times)
        position = self.to_sport_frame(history.position[-self.window :])
        return self.to_tracker_frame(with_times(self.predict(history.time[-self.window :], position, times), times))

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

    A frame that measures nothing or cannot be true is left out: `observe` says so, see frame_gate.py.
    """

    def __init__(self, predictor: Predictor):
        self.predictor = predictor
        self._frames = np.empty((2 * predictor.window, 4))  # t, x, y, z; the last `window` of them count
        self._end = 0
        self._gate = FrameGate()

    @property
    def frames(self) -> tuple[np.ndarray, np.ndarray]:
        """The frames kept, in the sport's frame: time (T,) s, position (T, 3) m, T at most the predictor's window."""
        frames = self._frames[max(0, self._end - self.predictor.window) : self._end]
        return frames[:, 0], frames[:, 1:]

    @property
    def last_time(self) -> float:
        """The time of the last frame that was taken, s; -inf before the first."""
        return float(self._frames[self._end - 1, 0]) if self._end else -math.inf

    def observe(self, time: float, position: ArrayLike) -> FrameStatus:
        """Add a frame: time in s, after the previous one; position (3,) m, NaN where the ball was not seen. The
        FrameStatus says whether it was taken. ValueError if these are not four numbers."""
        frame = four_numbers(time, position)
        status = self._gate.check(*frame)
        if status is RESTARTED:
            self.restart()
            self._gate.check(*frame)
        if status in ACCEPTED:
            self._take(frame)
        return FAR_OFF if status is TAKEN and self._is_outlier() else status

    def observe_pixel(
        self, time: float, pixel: ArrayLike, camera: "Camera", diameter: float | None = None
    ) -> FrameStatus:
        """Add a frame of a Camera: time in s, not before the previous one; pixel (2,), NaN where the ball was not seen;
        diameter of the ball's image, px, if it was measured. The FrameStatus says whether it was taken. ValueError for
        anything else, or if this predictor cannot take pixels."""
        raise ValueError(no_pixels(self.predictor.name))

    def restart(self) -> None:
        """Forget everything: a new ball begins, on any clock. The same as a fresh stream, without allocating one."""
        self._end = 0
        self._gate.restart()

    def _take(self, frame: tuple[float, float, float, float]) -> None:
        """Take a frame of the tracker: t, x, y, z."""
        row = np.array(frame)
        row[1:] = self.predictor.to_sport_frame(row[1:])
        self._add(row)

    def _is_outlier(self) -> bool:
        """Whether the last frame was taken, but given little weight, as far as is known."""
        return False

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
        times = self.predictor.check_times(time, times)
        return self.predictor.to_tracker_frame(with_times(self.predictor.predict(time, position, times), times))

    def forecast_at(self, time: float) -> Moment | None:
        """The Moment at one time, s on the clock of the frames: `now + latency` of a robot. None while there are too
        few frames, and for a time that does not come after the last one."""
        if not self.last_time < time < math.inf:
            return None
        forecast = self._forecast_if_known(np.array([time], float))
        if forecast is None:
            return None
        rest = (forecast.velocity, forecast.covariance, forecast.velocity_covariance)
        return Moment(float(time), forecast.mean[0], *(None if a is None else a[0] for a in rest))

    def at_plane(self, normal: ArrayLike, offset: float, within: float = AHEAD) -> Crossing | None:
        """The first Crossing of a plane within so many seconds after the last frame, as Forecast.at_plane; None too
        while there are too few frames."""
        forecast = self._forecast_if_known(self.last_time + times_ahead(within))
        return None if forecast is None else forecast.at_plane(normal, offset)

    def at_sphere(self, centre: ArrayLike, radius: float, within: float = AHEAD) -> Crossing | None:
        """When the ball first comes within reach, within so many seconds after the last frame, as Forecast.at_sphere;
        None too while there are too few frames."""
        forecast = self._forecast_if_known(self.last_time + times_ahead(within))
        return None if forecast is None else forecast.at_sphere(centre, radius)

    def _forecast_if_known(self, times):
        """The Forecast; None while there are too few frames."""
        try:
            return with_times(self.forecast(times), times)
        except HistoryTooShort:
            return None


@functools.lru_cache(maxsize=8)
def times_ahead(within: float) -> np.ndarray:
    """Times (60,) s after the last frame, at which a crossing is looked for."""
    if not FIRST_AHEAD < within < math.inf:
        raise ValueError(f"within {within!r}: seconds above {FIRST_AHEAD:g}")
    return np.array([FIRST_AHEAD, *np.linspace(0.0, within, AHEAD_TIMES)[1:]])


def with_times(forecast: Forecast, times: np.ndarray) -> Forecast:
    """A Forecast that holds its times (H,) s."""
    return forecast if forecast.times is not None else dataclasses.replace(forecast, times=times)


def no_pixels(name: str) -> str:
    """What a predictor says that cannot take pixels."""
    return f"{name} takes positions, not pixels; physics and gru_physics take pixels"


def measured(history: Track) -> Track:
    """The history without the frames that measure nothing: itself if there are none."""
    mask = measured_frames(history.time, history.position)
    return history if mask.all() else history[mask]


def compiled_arrays(*arrays: ArrayLike) -> tuple[np.ndarray, ...]:
    """Copies that are float64, contiguous and writable: compiled code takes this one type of array."""
    return tuple(np.array(a, float, order="C") for a in arrays)


def expected_landing(last: float, probability: float, at: np.ndarray, covariance: np.ndarray) -> Landing | None:
    """The Landing at time (s after the last frame, at `last` s) and position `at` (4,); None if it is unlikely."""
    if probability < MIN_LANDING_PROBABILITY:
        return None
    return Landing(last + at[0], at[1:], covariance, float(probability))
