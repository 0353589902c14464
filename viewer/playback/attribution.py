"""Which observed frames matter for a forecast: how far it moves when one of them is moved.

It compares the forecasts of a batch of histories, each with one frame moved along one axis, so it works for every
predictor.
"""

import numpy as np

from ballcast.tracks import Track

LEAD_TIME = 0.3  # s
PERTURBATION = 2e-3  # m
MAX_FRAMES = 160  # of the last ones
CHUNK_FRAMES = 4  # frames moved at a time


class Attribution:
    """Forecasts LEAD_TIME after `now` for frames time (T,) s, position (T, 3) m, one of them moved."""

    def __init__(self, forecaster, time, position, now):
        self.predictor, self.forecaster = forecaster.predictor, forecaster
        self.history = np.asarray(time), np.asarray(position)
        self.now, self.forecast_times = now, np.array([now + LEAD_TIME])
        self.time, self.sensitivity = np.empty(0), np.empty(0)

    @property
    def title(self):
        if not len(self.sensitivity):
            return "dots that matter"
        return f"dots that matter: 1 mm at the tallest moves the forecast by {self.sensitivity.max():.2f} mm"

    def compute_some(self):
        """Compute the next frames; whether any are left."""
        time, position = self.history
        end = len(time) - len(self.sensitivity)
        rows = np.arange(max(end - CHUNK_FRAMES, len(time) - MAX_FRAMES, 0), end)
        if not len(rows):
            return False
        perturbed = [position.copy() for _ in range(3 * len(rows))]
        for i, history in enumerate(perturbed):
            history[rows[i // 3], i % 3] += PERTURBATION
        tracks = [Track(time, history, "") for history in (position, *perturbed)]
        forecasts = self.predictor.forecast_batch(tracks, self.forecast_times)
        predictions = np.array([forecast.mean[0] for forecast in forecasts])
        slopes = (predictions[1:] - predictions[0]).reshape(len(rows), 9) / PERTURBATION
        self.sensitivity = np.append(np.linalg.norm(slopes, axis=1) / np.sqrt(3), self.sensitivity)
        self.time = time[rows[0] :]
        return True
