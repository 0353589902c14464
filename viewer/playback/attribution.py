"""Which of the frames seen so far matter for the forecast: how far it moves where one of them is moved.

    why = Why(watcher, time, position, now)
    while why.work(): ...            # a few frames at a time, the newest first
    why.time, why.weight             # (N,) s, (N,) metres of the forecast per metre of the frame

Differences over a batch of histories, each with one frame moved a little along one axis; it asks the predictor what it
would have said, so it works for all of them.
"""

import numpy as np

from ballcast.tracks import Track

LEAD_TIME = 0.3  # s ahead
PERTURBATION = 2e-3  # m
MAX_FRAMES = 160  # of the last ones are asked about
CHUNK_FRAMES = 4  # frames asked about at a time


class Attribution:
    """What a watcher's predictor would say, LEAD after `now`, if frames time (T,) s, position (T, 3) m were moved."""

    def __init__(self, forecaster, time, position, now):
        self.predictor, self.forecaster = forecaster.predictor, forecaster
        self.history = np.asarray(time), np.asarray(position)
        self.now, self.forecast_times = now, np.array([now + LEAD_TIME])
        self.time, self.sensitivity = np.empty(0), np.empty(0)

    @property
    def title(self):
        peak = f", {self.sensitivity.max():.2f} mm a mm at most" if len(self.sensitivity) else ""
        return f"how far each frame moves the forecast {LEAD_TIME:g} s ahead of {self.predictor.name}{peak}"

    def compute_some(self):
        """Ask about the next frames; whether any are left."""
        time, position = self.history
        end = len(time) - len(self.sensitivity)
        rows = np.arange(max(end - CHUNK_FRAMES, len(time) - MAX_FRAMES, 0), end)
        if not len(rows):
            return False
        perturbed = [position.copy() for _ in range(3 * len(rows))]
        for i, history in enumerate(perturbed):
            history[rows[i // 3], i % 3] += PERTURBATION
        tracks = [Track(time, history, "") for history in (position, *perturbed)]
        predictions = np.array(
            [forecast.mean[0] for forecast in self.predictor.forecast_batch(tracks, self.forecast_times)]
        )
        slopes = (predictions[1:] - predictions[0]).reshape(len(rows), 9) / PERTURBATION
        self.sensitivity = np.append(np.linalg.norm(slopes, axis=1) / np.sqrt(3), self.sensitivity)
        self.time = time[rows[0] :]
        return True
