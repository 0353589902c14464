"""What `models.smooth` says of all frames, as the answer to a question, so that it is scored as forecasts are."""

import numpy as np

from ballcast import models, sim
from ballcast.tracks import PixelTrack, Track

SMOOTH = "smooth"


class Smoother:
    """Answers where a ball was at the frames of its track."""

    name = SMOOTH
    side_information = "sport, and the frames after the asked time"

    def __init__(self, sport: sim.Sport):
        self.sport = sport

    def forecast(self, history: Track | PixelTrack, times: np.ndarray) -> models.Forecast:
        """Positions and covariances at times (H,) s, each of them that of a frame."""
        found = models.smooth(history, self.sport)
        rows = np.searchsorted(found.time, times)
        return models.Forecast(found.position[rows], found.covariance[rows])
