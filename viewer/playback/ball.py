"""One ball as the viewer plays it: what a tracker measured, and where the ball was."""

from dataclasses import dataclass

import numpy as np

from ballcast.tracks import PixelTrack, Track

CALL_TIME = 0.9  # s for which a call is shown
MAX_GAP = 0.05  # s; in a longer gap of a recording the ball's position is unknown


@dataclass(frozen=True, eq=False)
class BallRecord:
    """A measured track, and the motion behind it. Only the session decides what a predictor gets.

    Of recorded pixels the motion is not known: its positions and velocities are NaN.
    """

    name: str
    track: Track  # what a tracker measured
    time: np.ndarray  # (N,) s, of the motion, on the track's clock
    position: np.ndarray  # (N, 3) m
    velocity: np.ndarray  # (N, 3) m/s
    spin: np.ndarray | None  # (N, 3) rad/s
    landing_time: np.ndarray  # (L,) s
    landing_position: np.ndarray  # (L, 3) m, of the ball's centre
    is_recorded: bool  # the motion is itself a measurement
    end: float  # s, until when the ball is shown
    calls: tuple = ()  # (time s, text, position (3,) m): what is called of the strokes of a rally, and where
    hits: tuple = ()  # s, when players hit it; unknown, so empty, of a recording
    parameter_history: tuple = ()  # (since s, (6,)): the true parameters from then on, relative to the sport's preset
    pixels: PixelTrack | None = None  # what cameras see, if predictors get that and not the track

    @property
    def frames(self):
        """All that a predictor may get, frame by frame: a PixelTrack, or a Track."""
        return self.track if self.pixels is None else self.pixels

    @property
    def is_motion_known(self):
        """Whether it is known where the ball is at all."""
        return bool(np.isfinite(self.position[0, 0]))

    @property
    def start(self):
        return float(self.time[0])

    def state_at(self, time):
        """Position, velocity and spin (or None) at one time, (3,) each; constant before and after the known motion."""
        right = min(max(int(np.searchsorted(self.time, time)), 1), len(self.time) - 1)
        a, b = self.time[right - 1], self.time[right]
        fraction = min(max(float((time - a) / (b - a)), 0.0), 1.0)
        values = (self.position, self.velocity, self.spin)
        return [None if v is None else v[right - 1] + fraction * (v[right] - v[right - 1]) for v in values]

    def positions_at(self, times):
        """Those of times (T,) s at which the position is known, and the positions (N, 3) m."""
        right = np.clip(np.searchsorted(self.time, times), 1, len(self.time) - 1)
        is_known = (not self.is_recorded) | (self.time[right] - self.time[right - 1] <= MAX_GAP)
        is_known = is_known & self.is_motion_known
        times = times[is_known & (times >= self.time[0]) & (times <= self.time[-1])]
        return times, np.column_stack([np.interp(times, self.time, axis) for axis in self.position.T])

    def parameters(self, time):
        """The true parameters (6,) at a time, in the order of sim.PARAMETERS, or None."""
        return next((values for since, values in reversed(self.parameter_history) if since <= time), None)

    def call(self, time):
        """(text, position (3,) m) of what has just been called at a time, or None."""
        return next(((text, at) for since, text, at in reversed(self.calls) if since <= time < since + CALL_TIME), None)

    def is_hit(self, since, until):
        """Whether a player hits it from one time on, s, and before another. Never in a recording: it does not say."""
        return any(since <= hit < until for hit in self.hits)

    def is_known_at(self, time):
        """Whether the position at a time is known: not after the ball's end, not in a gap of a recording."""
        return len(self.positions_at(np.array([time]))[0]) > 0
