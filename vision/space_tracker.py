"""The ball in space, from candidates of one camera that is calibrated: the 3D stream behind a Follower.

tracker = SpaceTracker(sport, "physics")
tracker.observe(seen, probability, camera)     # camera: tracks.Camera, of this frame
forecast = tracker.forecast(times)             # of models, or None
"""

import numpy as np
from numpy.typing import ArrayLike

from ballcast import models
from ballcast.models.contract import Forecast
from ballcast.sim import Sport
from ballcast.tracks.camera import Camera
from ballcast.vision.image_tracker import Seen


class SpaceTracker:
    """Follows the ball in space. sport: a name or a Sport; predictor: a name or a file that takes pixels."""

    def __init__(self, sport: str | Sport, predictor: str = "physics"):
        self.stream = models.load(predictor, sport=sport).stream()
        self.camera: Camera | None = None  # of the last frame
        self._flight = None

    def observe(self, seen: Seen, probability: np.ndarray, camera: Camera | None) -> None:
        """Take a frame as the image tracker understood it. probability (N,): of its candidates, by their looks."""
        if self._flight not in (None, seen.flight):
            self.stream.restart()
        self._flight = seen.flight
        self.camera = camera
        if camera is not None and seen.pixel is not None:
            self.stream.observe_pixel(seen.time, seen.pixel, camera)

    def forecast(self, times: ArrayLike) -> Forecast | None:
        """Where the ball will be at times (H,) s; None if it has been seen in too few frames."""
        if self.camera is None:
            return None
        try:
            return self.stream.forecast(times)
        except models.HistoryTooShort:
            return None
