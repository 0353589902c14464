"""Stand-ins for the tests of the viewer: a ball with a known flight, and a predictor that records what it gets."""

from types import SimpleNamespace

import numpy as np

from ballcast import models, sim
from ballcast.tracks import Track
from ballcast.viewer.playback.ball import BallRecord

G = np.array([0.0, 0.0, -9.81])


class Recorder:
    """A predictor, its own stream, and a diary. Forecasts (0, 0, t), and a landing 0.25 s after the last frame."""

    name, side_information = "recorder", "nothing"

    def __init__(self):
        self.observed, self.requests, self.streams = [], [], 0

    def stream(self):
        self.streams += 1
        self.frames_before = len(self.observed)
        return self

    def observe(self, time, position):
        self.observed.append((time, *position))

    def forecast(self, times):
        if len(self.observed) < self.frames_before + 3:
            raise models.HistoryTooShort("3 frames at least")
        last = self.observed[-1][0]
        self.requests.append((last, np.array(times)))
        mean = np.column_stack([0 * times, 0 * times, times])
        landing = SimpleNamespace(time=last + 0.25, position=np.array([0.1, 0.2, 0.02]))
        return SimpleNamespace(mean=mean, covariance=None, landing=landing, belief=None)


class FixedPool:
    """A Choice of ready-made predictors."""

    def __init__(self, *predictors):
        self.names, self.predictors = [p.name for p in predictors], predictors

    def load(self, index):
        return self.predictors[index], ""

    def describe(self, index):
        return models.describe(self.names[index])

    def missing(self, index):
        return ""


class OneBall:
    """A source whose every ball is the same: up from (0, -1, 0.3) and down again, landing once at 0.5 s."""

    live, ready, stand_in = True, True, None
    world = {}

    def __init__(self, measured=False, sport=None, gap=()):
        self.sport = sport or sim.load("table_tennis")
        time = np.arange(0.0, 1.0, 0.01)
        time = time[~np.isin(np.round(time * 100).astype(int), gap)]
        position = np.array([0, -1, 0.3]) + np.outer(time, [0.2, 2.0, 3.0]) + 0.5 * G * time[:, None] ** 2
        velocity = [0.2, 2.0, 3.0] + G * time[:, None]
        noise = np.random.default_rng(0).normal(0, 0.003, position.shape)
        self.one = BallRecord(
            name="one",
            track=Track(time + 10, position + noise),
            time=time + 10,
            position=position,
            velocity=velocity,
            spin=None if measured else np.tile([100.0, 0, 0], (len(time), 1)),
            landing_time=np.array([10.5]),
            landing_position=np.array([[0.1, 0.0, 0.02]]),
            is_recorded=measured,
            end=11.5,
        )

    def ball(self, index):
        return self.one
