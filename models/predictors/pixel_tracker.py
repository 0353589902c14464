"""The stream of `physics` on pixels: the running filter, samples of whose belief are simulated ahead.

A fit of all frames for each forecast would cost tens of milliseconds. The filter fits a few times for a ball, and
follows the frames between (pixel_filter.py).
"""

import functools
import math

import numpy as np
from numpy.typing import ArrayLike

from ballcast.models.contract import Forecast, HistoryTooShort, compiled_arrays, expected_landing
from ballcast.models.estimation.camera_model import CameraModel
from ballcast.models.estimation.candidates import Association, Associator, check_candidates
from ballcast.models.estimation.filter_state import new_filter_states
from ballcast.models.estimation.pixel_filter import MIN_FRAMES, PixelFilter
from ballcast.models.estimation.pixel_measurement import mixture_samples, observe_pixel
from ballcast.models.estimation.posterior import keep_above, standard_normal_samples, transform_samples
from ballcast.models.estimation.unknowns import UNKNOWNS, to_belief
from ballcast.models.frame_gate import TAKEN, FrameStatus
from ballcast.models.predictors.pixel_frames import PixelFrames, check_started
from ballcast.models.predictors.pixel_physics import predict_samples
from ballcast.sim import Sport
from ballcast.sim.jit import kernel
from ballcast.sim.kernels.compiled_sport import compile_lanes
from ballcast.tracks.camera import Camera

SAMPLES = 96  # simulated ahead


class PixelTracker:
    """One ball seen by cameras."""

    def __init__(self, sport: Sport, next_contact: np.ndarray):
        self.sport, self.lane_sport, self.next_contact = sport, compile_lanes(sport), next_contact
        self.normal = standard_normal_samples(SAMPLES, 99)
        self.frames, self.filter, self.state = PixelFrames(), PixelFilter(sport), new_filter_states(1)[0]
        self.associator = Associator()

    @property
    def has_frames(self) -> bool:
        """Whether the ball has been seen."""
        return self.frames.last_time > -math.inf

    def observe(self, time: float, pixel: ArrayLike, camera: Camera, diameter: float | None) -> FrameStatus:
        """Take a frame, if it can be: its FrameStatus. ValueError if it is none."""
        status, u, v, _ = self.frames.check(time, pixel, camera, diameter)
        if status is TAKEN:
            self.filter.observe(self.state, time, np.array([u, v]), camera, diameter)
        return status

    def observe_candidates(
        self, time: float, pixels: ArrayLike, scores: ArrayLike, camera: Camera, diameters: ArrayLike | None
    ) -> Association:
        """Weigh the candidates of a frame and take what is plausible; ValueError if it is no frame."""
        frame = check_candidates(time, pixels, scores, diameters)
        check_started("physics", self.filter.has_started)
        index, running = self.frames.check_time(time, camera), self.filter
        running.index(camera)
        if running.is_lost:
            running.finish(self.state)
        found = self.associator.weigh(running, self.state, time, index, frame)
        if self.associator.has_plausible:
            self.frames.note(time, index)
            follow = functools.partial(observe_pixel, running.packed, self.state, time, running.image, index)
            self.associator.take(running, self.state, time, index, follow)
        return found

    def forecast(self, times: np.ndarray) -> Forecast:
        """The Forecast at times (H,) s, after the last frame. HistoryTooShort before the first fit."""
        if not self.filter.has_started:
            raise HistoryTooShort(f"physics needs {MIN_FRAMES} frames; {self.filter.frames_kept} were seen")
        if self.filter.is_lost:
            self.filter.finish(self.state)
        last, state = self.frames.last_time, self.state
        covariance = self.filter.common + self.next_contact
        prediction = predict_mixture(self.lane_sport, state, self.normal, covariance, compiled_arrays(times - last)[0])
        landing = expected_landing(last, prediction.probability, prediction.landing, prediction.landing_covariance)
        mean = prediction.positions[0].astype(float)
        keep_above(self.sport.ground, mean)
        belief = to_belief(state["x"].copy(), state["P"] + self.next_contact)
        moving, spread = prediction.velocity, prediction.velocity_covariance
        return Forecast(mean, prediction.covariance, prediction.positions, landing, belief, moving, spread, times)

    def restart(self) -> CameraModel:
        """Forget the ball; what is known of the cameras now that it has been seen."""
        model = self.filter.learned()
        self.frames.restart()
        self.filter.model = model
        self.filter.restart()
        self.state = new_filter_states(1)[0]
        return model


@kernel
def predict_mixture(lane_sport, state, normal, covariance, times):
    """The Prediction at times (H,) s after the last frame of samples of a filter's mixture, which are as many as the
    rows of `normal` (K, 16); covariance (16, 16): what is open beside the mixture."""
    samples = np.empty((len(normal), UNKNOWNS))
    samples = samples[: mixture_samples(state, normal, samples)]
    other = transform_samples(np.zeros(UNKNOWNS), covariance, normal[::-1].copy())
    for n in range(len(samples)):
        for k in range(UNKNOWNS):
            samples[n, k] += other[n, k]
    return predict_samples(lane_sport, samples, times)
