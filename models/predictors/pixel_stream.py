"""The filter on pixels of one ball, and the network that reads it, live."""

import numpy as np
from numpy.typing import ArrayLike

from ballcast.models.encoding.features import FILTER, FeatureFrontend
from ballcast.models.estimation.pixel_filter import PixelFilter
from ballcast.models.predictors.pixel_features import advance_network
from ballcast.models.predictors.pixel_frames import PixelFrames
from ballcast.sim import Sport
from ballcast.sim.kernels.packed import Packed
from ballcast.tracks.camera import Camera


class PixelStreamFilter:
    """The filter on pixels of one ball, and the network that reads it."""

    def __init__(self, name: str, sport: Sport, frontend: FeatureFrontend):
        if frontend.feature_set != FILTER:
            raise ValueError(f"{name} reads positions, not the filter, and takes no pixels; physics and gru_physics do")
        self.frames, self.filter = PixelFrames(), PixelFilter(sport)

    @property
    def has_frames(self) -> bool:
        """Whether the ball has been seen."""
        return bool(self.frames.rows)

    def restart(self) -> None:
        """Forget the ball; the cameras are kept."""
        self.frames = PixelFrames(self.frames.cameras)
        self.filter.restart()

    def observe(
        self, packed: Packed, state: np.record, row: np.ndarray, time: np.ndarray, pixel: ArrayLike, camera: Camera,
        diameter: float | None,
    ) -> None:  # fmt: skip
        """Take a frame at time (1,) s; ValueError if it is none. `state` is the filter's, packed the Memory of it."""
        self.frames.add(float(time[0]), pixel, camera, diameter)
        before = float(state["recent_frames"][0, 0]) if state["frames"] else float(time[0])
        if self.filter.observe(state, float(time[0]), np.asarray(pixel, float), camera, diameter):
            advance_network(packed, row, max(float(time[0]) - before, 0.0), time)
