"""The physics forecast: the state that explains the frames, fitted on the simulator, then simulated ahead.

fit.py and segment.py are the fit, posterior.py what follows from it.
"""

import functools
import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ballcast.models.contract import Forecast, Predictor, Stream, compiled_arrays, with_times
from ballcast.models.estimation.camera_model import CameraModel
from ballcast.models.estimation.fit import Fit, marginalise
from ballcast.models.estimation.fit_spread import read_fit_spread
from ballcast.models.estimation.friction import release_friction
from ballcast.models.estimation.gaps import first_frame, fit_after_gap, fit_frames, rest_if_as_good
from ballcast.models.estimation.launch import Launches
from ballcast.models.estimation.posterior import predict_ahead, standard_normal_samples, to_forecast
from ballcast.models.estimation.prior import Prior, next_contact_covariance, sport_prior
from ballcast.models.estimation.segment import fit_last_segment
from ballcast.models.frame_gate import RESTARTED, FrameStatus
from ballcast.models.predictors.pixel_frames import check_enough, check_started
from ballcast.sim import Sport
from ballcast.sim.kernels.compiled_sport import compile_lanes, compile_sport
from ballcast.tracks.camera import Camera
from ballcast.tracks.pixel_track import PixelTrack

if TYPE_CHECKING:
    from ballcast.models.estimation.candidates import Association
    from ballcast.models.predictors.pixel_physics import PixelForecaster
    from ballcast.models.predictors.pixel_tracker import PixelTracker

SAMPLES = 40  # simulated ahead
MAX_FLIGHTS = 24  # of one fit
FRAMES_AFTER_CONTACT = 8  # so many frames after a contact a stream marginalises those before it
LAUNCH_WINDOW = 240  # frames that it looks at where a place's launches are known: they tell of the first ones
MAX_NOISE_PSEUDO_FRAMES = 30.0  # that a stream's estimate of the noise counts for


class Seen(NamedTuple):
    """What a fit rests on."""

    frames: int  # that say something of this flight
    has_contact: bool  # among them


class Physics(Predictor):
    """Fits position, velocity, spin and the ball's own parameters to the last 60 frames, and simulates ahead."""

    name = "physics"
    side_information = "sport"
    min_frames = 3

    def __init__(self, sport: Sport):
        super().__init__(sport)
        self.compiled_sport, self.lane_sport = compile_sport(sport), compile_lanes(sport)
        self.prior, self.standard_normal = sport_prior(sport), standard_normal_samples(SAMPLES)
        self.launches = Launches(sport)
        if self.launches:
            self.window = LAUNCH_WINDOW
        self.next_contact, self.spread = next_contact_covariance(sport), read_fit_spread(sport.name)

    def predict(self, time: np.ndarray, position: np.ndarray, times: np.ndarray) -> Forecast:
        return self.forecast_fit(*self.fit_track(time, position), times, time[-1])

    @functools.cached_property
    def pixels(self) -> "PixelForecaster":
        """What fits pixels; imported when it is used, since most balls are seen in space."""
        from ballcast.models.predictors.pixel_physics import PixelForecaster

        return PixelForecaster(self.sport, self.next_contact)

    def forecast_pixels(self, history: PixelTrack, times: ArrayLike, cameras: CameraModel | None = None) -> Forecast:
        check_enough(self.name, history)
        times = self.check_times(history.time, times)
        return self.pixels.forecast(history, times, cameras)

    def stream(self) -> "PhysicsStream":
        return PhysicsStream(self)

    def fit_track(self, time: np.ndarray, position: np.ndarray) -> tuple[Fit, Seen]:
        """The Fit of frames time (T,) s, position (T, 3) m that nothing is known of, the last ones of a track."""
        time, position = time[-self.window :], position[-self.window :]
        fit, first = self.fit(time, position, self.prior.mean, False, self.prior)
        return fit, Seen(len(time) - first, fit.last_contact > -math.inf)

    def fit(self, t: np.ndarray, y: np.ndarray, x: np.ndarray, is_warm: bool, prior: Prior) -> tuple[Fit, int]:
        """(Fit, first frame used) of frames t (T,) s, y (T, 3) m; see fit_last_segment. After a gap: see gaps.py."""
        t, y = compiled_arrays(t, y)
        if start := first_frame(self.sport, t):
            prior = self.prior
            fit, first = fit_after_gap(self.sport, self.compiled_sport, t, y, start, prior, MAX_FLIGHTS)
        elif len(t) < self.min_frames:
            fit, first = fit_frames(self.compiled_sport, t, y, prior, MAX_FLIGHTS)
        else:
            fit, first = fit_last_segment(self.compiled_sport, t, y, x, is_warm, prior, self.prior, MAX_FLIGHTS)
        frames, used = (t[first:], y[first:]), self.prior if first else prior
        if prior is self.prior and not first:
            fit, used = self.launches.fit(self.compiled_sport, *frames, fit, used, MAX_FLIGHTS)
        fit = rest_if_as_good(self.sport, self.compiled_sport, *frames, fit, used, MAX_FLIGHTS)
        return release_friction(self.compiled_sport, *frames, fit, used), first

    def forecast_fit(self, fit: Fit, seen: Seen, times: np.ndarray, last: float) -> Forecast:
        """The Forecast of a Fit at times (H,) s; its last frame is at `last` s."""
        factor = self.spread.factor(*seen, float(np.linalg.norm(fit.final[3:6])))
        estimate = fit.final, factor * fit.final_covariance + self.next_contact
        prediction = predict_ahead(self.lane_sport, self.standard_normal, *estimate, times - last)
        return to_forecast(*estimate, prediction, last, self.sport.ground)


class PhysicsStream(Stream):
    """Keeps the frames since the last landing; what earlier ones say is in a Gaussian prior."""

    predictor: Physics
    _x: np.ndarray
    _is_warm: bool
    _flight_start: float  # s: frames from here on are of one flight, in the segment or in the prior
    _has_contact: bool  # in the prior

    def __init__(self, predictor: Physics):
        super().__init__(predictor)
        self._reset(-math.inf)
        self._pixels: "PixelTracker | None" = None  # noqa: UP037
        self.cameras = CameraModel()  # what is known of them

    def restart(self) -> None:
        super().restart()
        self._reset(-math.inf)
        if self._pixels is not None:
            self.cameras = self._pixels.restart()

    @property
    def last_time(self) -> float:
        return (
            self._pixels.frames.last_time if self._pixels is not None and self._pixels.has_frames else super().last_time
        )

    def observe(self, time: float, position: ArrayLike) -> FrameStatus:
        if self._pixels is not None and self._pixels.has_frames:
            raise ValueError("this stream has seen pixels; begin another one for positions")
        return super().observe(time, position)

    def observe_pixel(
        self, time: float, pixel: ArrayLike, camera: Camera, diameter: float | None = None
    ) -> FrameStatus:
        if self._end:
            raise ValueError("this stream has seen positions; begin another one for pixels")
        if self._pixels is None:
            from ballcast.models.predictors.pixel_tracker import PixelTracker  # when it is used: few take pixels

            self._pixels = PixelTracker(self.predictor.sport, self.predictor.next_contact)
        status = self._pixels.observe(time, pixel, camera, diameter)
        if status is RESTARTED:
            self.restart()
            self._pixels.observe(time, pixel, camera, diameter)
        return status

    def restart_near(self, position: ArrayLike, covariance: ArrayLike, probability: float = 1.0) -> None:
        """As restart, where the new ball is first seen by cameras near a position (3,) m, known with a covariance
        (3, 3) m2, with this probability, else anywhere: a ball that was hit goes on from there, if it was the ball."""
        self.restart()
        if self._pixels is not None:
            place = np.asarray(position, float), np.asarray(covariance, float)
            self._pixels.filter.expect_near(*place, probability)

    @property
    def last_contact(self) -> float:
        """When the ball that pixels show touched something last, s; -inf if it has not, as far as is known."""
        return -math.inf if self._pixels is None else float(self._pixels.state["last_contact_time"])

    def observe_candidates(
        self, time: float, pixels: ArrayLike, scores: ArrayLike, camera: Camera, diameters: ArrayLike | None = None
    ) -> "Association":
        """Take a frame by its candidates for the ball, most of which may be clutter: pixels (N, 2); scores (N,), by
        looks alone the probability of each, in (0, 1]; diameters (N,) px, NaN where not measured. N may be 0.
        HistoryTooShort before the first fit, whose frames come by observe_pixel; ValueError for anything else."""
        if self._end:
            raise ValueError("this stream has seen positions; begin another one for pixels")
        check_started(self.predictor.name, self._pixels is not None)
        assert self._pixels is not None
        return self._pixels.observe_candidates(time, pixels, scores, camera, diameters)

    def forecast(self, times: ArrayLike) -> Forecast:
        if self._pixels is not None and self._pixels.has_frames:
            return self._pixels.forecast(self.predictor.check_times(np.array(self._pixels.frames.times), times))
        time, position = self.frames
        times = self.predictor.check_times(time, times)
        if self._segment_start < time[0]:  # frames left the window without a forecast
            self._reset(time[0])
        begin = np.searchsorted(time, self._segment_start)
        time, position = time[begin:], position[begin:]
        fit, first = self.predictor.fit(time, position, self._x, self._is_warm, self._prior)
        if first:
            self._reset(time[first])
        self._x, self._is_warm = fit.x, True
        frames = len(self.frames[0]) - int(np.searchsorted(self.frames[0], self._flight_start))
        seen = Seen(frames, self._has_contact or fit.last_contact > -math.inf)
        if not first:
            self._marginalise_old_frames(time, position, fit)
        forecast = self.predictor.forecast_fit(fit, seen, times, time[-1])
        return self.predictor.to_tracker_frame(with_times(forecast, times))

    def _reset(self, since: float) -> None:
        """Restart with the frames from `since` s on."""
        self._segment_start, self._prior = since, self.predictor.prior
        self._flight_start, self._has_contact = since, False
        self._x, self._is_warm = self._prior.mean, False

    def _marginalise_old_frames(self, time, position, fit):
        """Turn the frames before the last contact, or the oldest of a full window, into the prior."""
        cut = int(np.searchsorted(time, time[0] + fit.last_contact))
        if not 0 < cut <= len(time) - FRAMES_AFTER_CONTACT:
            cut = len(time) // 3 if len(time) >= self.predictor.window - 1 else 0
        if not cut:
            return
        frames = compiled_arrays(time, position)
        mean, precision = marginalise(self.predictor.compiled_sport, *frames, cut, fit, self._prior)
        noise = {"noise": fit.noise, "pseudo_frames": min(self._prior.pseudo_frames + cut, MAX_NOISE_PSEUDO_FRAMES),
                 "noise_factor": fit.noise_factor}  # fmt: skip
        self._prior = self._prior._replace(mean=mean, precision=precision, height_offset_scale=0.0, **noise)
        self._segment_start, self._x = time[cut], mean
        self._has_contact |= fit.last_contact <= time[cut] - time[0]
