"""The filter on pixels of one ball, and the network that reads it, live."""

import functools
import math

import numpy as np
from numpy.typing import ArrayLike

from ballcast.models.encoding.features import FILTER, FeatureFrontend
from ballcast.models.estimation.candidates import Association, Associator, check_candidates
from ballcast.models.estimation.pixel_filter import PixelFilter
from ballcast.models.frame_gate import TAKEN, FrameStatus
from ballcast.models.predictors.pixel_features import advance_network, observe_and_read, read_again
from ballcast.models.predictors.pixel_frames import PixelFrames, check_started
from ballcast.sim import Sport
from ballcast.sim.kernels.packed import Packed
from ballcast.tracks.camera import Camera


class PixelStreamFilter:
    """The filter on pixels of one ball, and the network that reads it."""

    def __init__(self, name: str, sport: Sport, frontend: FeatureFrontend, memory_size: int):
        """memory_size: how many numbers the network remembers."""
        if frontend.feature_set != FILTER:
            raise ValueError(f"{name} reads positions, not the filter, and takes no pixels; physics and gru_physics do")
        self.frames, self.filter = PixelFrames(), PixelFilter(sport)
        self._name, self._associator = name, Associator()
        self._gap, self._memory_before = 0.0, np.zeros(memory_size, np.float32)

    @property
    def has_frames(self) -> bool:
        """Whether the ball has been seen."""
        return self.frames.last_time > -math.inf

    @property
    def camera_count(self) -> int:
        """The number of cameras that have seen the ball."""
        return self.frames.camera_count

    def restart(self) -> None:
        """Forget the ball; the cameras are kept."""
        self.frames.restart()
        self.filter.restart()

    def observe(
        self, packed: Packed, state: np.record, row: np.ndarray, time: np.ndarray, pixel: ArrayLike, camera: Camera,
        diameter: float | None,
    ) -> FrameStatus:  # fmt: skip
        """Take a frame at time (1,) s, if it can be: its FrameStatus. ValueError if it is none. `state` is the
        filter's, packed the Memory of it."""
        running, t, before = self.filter, float(time[0]), self.frames.last_time
        status, u, v, index = self.frames.check(t, pixel, camera, diameter)
        if status is not TAKEN:
            return status
        if index == len(running.cameras):
            running.index(camera)
        running.add(t, u, v, index, diameter)
        if running.has_started:
            self._gap, fits = t - before, running.fits
            is_lost = observe_and_read(packed, running.packed, 0, time, running.image, index, self._memory_before)
            running.work(state, is_lost)
            if is_lost or running.fits != fits:
                read_again(packed, 0, self._gap, time, self._memory_before)
            return status
        running.work(state, False)
        if running.has_started:
            self._gap, self._memory_before[:] = 0.0, 0.0
            advance_network(packed, row, 0.0, time)
        return status

    def observe_candidates(
        self, packed: Packed, state: np.record, time: np.ndarray, pixels: ArrayLike, scores: ArrayLike, camera: Camera,
        diameters: ArrayLike | None,
    ) -> Association:  # fmt: skip
        """Weigh the candidates of a frame at time (1,) s and take what is plausible."""
        running, t, before = self.filter, float(time[0]), self.frames.last_time
        frame = check_candidates(t, pixels, scores, diameters)
        check_started(self._name, running.has_started)
        index = self.frames.check_time(t, camera)
        running.index(camera)
        if running.is_lost:
            self.finish(packed, state, time)
        found = self._associator.weigh(running, state, t, index, frame)
        if self._associator.has_plausible:
            self.frames.note(t, index)
            self._gap = t - before
            arguments = packed, running.packed, 0, time, running.image, index, self._memory_before
            if self._associator.take(running, state, t, index, functools.partial(observe_and_read, *arguments)):
                read_again(packed, 0, self._gap, time, self._memory_before)
        return found

    def finish(self, packed: Packed, state: np.record, time: np.ndarray) -> None:
        """Finish the fit that is under way: no frame is expected for now. time (1,) s: that of the last frame."""
        fits = self.filter.fits
        self.filter.finish(state)
        if self.filter.fits != fits:
            read_again(packed, 0, self._gap, time, self._memory_before)
