"""Which of the frames seen so far matter for the forecast: how far it moves where one of them is moved.

    why = Why(watcher, time, position, now)
    while why.work(): ...            # a few frames at a time, the newest first
    why.time, why.weight             # (N,) s, (N,) metres of the forecast per metre of the frame

Differences over a batch of histories, each with one frame moved a little along one axis; it asks the predictor what it
would have said, so it works for all of them.
"""

import numpy as np
from ballcast.tracks import Track

LEAD = 0.3  # s ahead
MOVED = 2e-3  # m
FRAMES = 160  # of the last ones are asked about
SHARE = 4  # frames asked about at a time


class Why:
    """What a watcher's predictor would say, LEAD after `now`, if frames time (T,) s, position (T, 3) m were moved."""

    def __init__(self, watcher, time, position, now):
        self.predictor, self.watcher = watcher.predictor, watcher
        self.history = np.asarray(time), np.asarray(position)
        self.now, self.ahead = now, np.array([now + LEAD])
        self.time, self.weight = np.empty(0), np.empty(0)

    @property
    def title(self):
        most = f", {self.weight.max():.2f} mm a mm at most" if len(self.weight) else ""
        return f"how far each frame moves the forecast {LEAD:g} s ahead of {self.predictor.name}{most}"

    def work(self):
        """Ask about the next frames; whether any are left."""
        time, position = self.history
        end = len(time) - len(self.weight)
        rows = np.arange(max(end - SHARE, len(time) - FRAMES, 0), end)
        if not len(rows):
            return False
        moved = [position.copy() for _ in range(3 * len(rows))]
        for n, history in enumerate(moved):
            history[rows[n // 3], n % 3] += MOVED
        tracks = [Track(time, history, "") for history in (position, *moved)]
        said = np.array([forecast.mean[0] for forecast in self.predictor.forecast_batch(tracks, self.ahead)])
        slopes = (said[1:] - said[0]).reshape(len(rows), 9) / MOVED
        self.weight = np.append(np.linalg.norm(slopes, axis=1) / np.sqrt(3), self.weight)
        self.time = time[rows[0] :]
        return True
