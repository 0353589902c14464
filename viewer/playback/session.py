"""One ball after the other: the clock, the observed frames, the predictors; and back to any moment of this ball.

Predictors get the frames up to now, in order, through their streams, and nothing else. The true motion
(`ball.state_at`) is used to draw the ball and to score forecasts for times now past. A moment gone back to shows what
was forecast then; after the last moment reached, the show continues as if it had never gone back. No window is needed.
"""

import contextlib
from bisect import bisect_left, bisect_right
from collections import deque
from itertools import islice
from operator import attrgetter
from typing import NamedTuple

import numpy as np

from ballcast import models
from ballcast.viewer.playback import sight
from ballcast.viewer.playback.forecaster import LEAD_TIMES, Forecaster

FRAME_TIME = 1 / 60  # s, one step
REPLAY_LIMIT = 1000  # past frames, and as many moments, that a newly chosen predictor gets
REPLAY_PER_FRAME = 3  # past moments that a predictor just compiled gets in one frame of the window
MAX_MOMENTS = 1800  # moments that can be gone back to
SPEEDS = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0, 2.0, 4.0, 8.0)
DISPLAY_SPIN_SLOWDOWN = 20  # by this factor the ball among the numbers spins slower
_now = attrgetter("now")


class PredictorPool:
    """The predictors to choose from, loaded when first used. Raises ValueError for one that does not exist.

    compiled  numbers of those that are compiled; None: wait for any of them
    waiting   numbers of those that were asked for before they were compiled; `parabola` stands in for them
    """

    def __init__(self, names, sport, compiled=None):
        self.names, self.sport, self.compiled, self.waiting, self._loaded = list(names), sport, compiled, [], {}

    def load(self, index):
        """The predictor, and a remark: "" or why another one takes its place."""
        if self.compiled is not None and index not in self.compiled:
            self.waiting += [] if index in self.waiting else [index]
            remark = f"{models.describe('parabola').title} until {self.describe(index).title} is compiled"
            return models.load("parabola", sport=self.sport), remark
        if index not in self._loaded:
            self._loaded[index] = self._load(self.names[index])
        return self._loaded[index]

    def describe(self, index):
        """The models.Description of a predictor: a plain name, and a line on what it is."""
        return models.describe(self.names[index], self._loaded.get(index, (None,))[0])

    def missing(self, index):
        """Why a predictor cannot be loaded for this sport, in one line; "" if it can."""
        if self.names[index] not in models.PREDICTORS and index not in self._loaded:
            try:
                self._loaded[index] = self._load(self.names[index])
            except ValueError as error:
                return str(error)
        return models.missing(self.names[index], self.sport)

    def for_sport(self, sport):
        """The same predictors for another sport; what was compiled serves it too."""
        return PredictorPool(self.names, sport, self.compiled)

    def try_out(self, index, ball):
        """Load a predictor and let it forecast a ball, so that all its kernels are loaded."""
        self._loaded[index] = self._load(self.names[index])
        stream, frames = self._loaded[index][0].stream(), ball.frames
        with contextlib.suppress(ValueError if ball.pixels is not None else models.HistoryTooShort):
            for row in range(len(frames)):
                sight.observe(stream, frames, row)
            stream.forecast(frames.time[-1] + np.linspace(0.01, 1.0, 60))

    def _load(self, name):
        try:
            return models.load(name, sport=self.sport), ""
        except ValueError as error:
            if name not in models.PREDICTORS or name == "physics":
                raise
            return models.load("physics", sport=self.sport), f"{error}; physics instead"


class Moment(NamedTuple):
    """A moment of the show: s on the ball's clock, and the orientations (3, 3) of the ball and of the slow one."""

    now: float
    orientation: np.ndarray
    display_orientation: np.ndarray


class Session:
    """The state of the show. `index` counts the balls, `now` is the time on the ball's own clock."""

    def __init__(self, source, pool, speed=1.0, shown=(0,), clock=None):
        self.source, self.pool, self.speed, self.clock = source, pool, speed, clock
        self.sport = source.sport
        self.paused, self.index, self.hidden = False, 0, False
        span = self.sport.sensor.duration * 2 / 3
        self.lead_times = np.unique(np.round(np.append(np.linspace(span / 60, span, 60), LEAD_TIMES), 6))
        self.selected = list(shown)  # numbers of the predictors; the panel describes the first
        self.restart()

    def restart(self):
        self.ball = self.source.ball(self.index)
        self.hidden_frames, self.frames_arrived = np.zeros(len(self.ball.frames), bool), 0
        self.moments = []
        self._arriving = {}  # number -> the Forecaster of a predictor just compiled, and its _replay
        self.forecasters = [self._forecaster(number) for number in self.selected]
        self._append_moment(Moment(self.ball.start, np.eye(3), np.eye(3)))

    def next(self):
        self.index += 1
        self.restart()

    def throw(self, position, velocity, spin):
        """The next ball, launched by hand: (3,) m, m/s, rad/s. Only of a live source."""
        self.source.throw(self.index + 1, position, velocity, spin)
        self.paused = False
        self.next()

    def select_predictor(self, number):
        if number < len(self.pool.names):
            self._set_forecasters([number])

    def toggle_predictor(self, number):
        """Add that predictor, or remove it; one always stays."""
        if number < len(self.pool.names):
            others = [n for n in self.selected if n != number]
            self._set_forecasters(others or [number] if number in self.selected else [*others, number])

    def set_override(self, name, value):
        """Override the world from now on, for this and later balls; None: as in the sport. Only of a live source."""
        self.source.world = {key: old for key, old in self.source.world.items() if key != name}
        if value is not None:
            self.source.world[name] = value
        if self.now < self.ball.time[-1]:
            self._branch()

    def throw_kind(self, step):
        """The next ball as the next kind of throw of the sport; after the last kind, as in play."""
        kinds = list(self.source.throw_kinds)
        self.set_throw_kind(kinds[(kinds.index(self.source.throw_kind) + step) % len(kinds)])

    def set_throw_kind(self, kind):
        """The next ball as one of source.throw_kinds."""
        self.source.throw_kind = kind
        self.paused = False
        self.next()

    @property
    def seen_by(self):
        """What predictors see of this ball, in words: "a 3D tracker", "one camera"."""
        return sight.words(self.ball)

    @property
    def cameras(self):
        """(index, Camera) of the cameras that see this ball; none if a tracker does."""
        return sight.cameras_of(self.ball)

    def set_seen_by(self, name):
        """Predictors see this ball, from its beginning, and later ones by one of sight.SEEN_BY; only of a live source.

        What was hidden from them is not hidden any more.
        """
        self.source.seen_by = name
        self.ball = self.source.seen(self.ball, self.index)
        self._forget_after_now()
        self.hidden_frames[:] = False
        self._arriving = {}
        self.forecasters = [self._forecaster(number) for number in self.selected]
        for forecaster in self.forecasters:
            deque(self._replay(forecaster), maxlen=0)

    def toggle_hidden(self):
        """Hide the ball from the predictors, or show it again: forecasts continue without new frames."""
        self.hidden = not self.hidden

    def change_speed(self, steps):
        nearest = int(np.argmin(np.abs(np.log(np.array(SPEEDS) / self.speed))))
        self.speed = SPEEDS[int(np.clip(nearest + steps, 0, len(SPEEDS) - 1))]

    def step(self):
        self.paused = True
        if self.now < self.moments[-1].now:
            self._moment = self.moments[bisect_right(self.moments, self.now, key=_now)]
        else:
            self._advance_clock(FRAME_TIME * self.speed)

    def step_back(self):
        self.paused = True
        self._moment = self.moments[max(0, bisect_left(self.moments, self.now, key=_now) - 1)]

    def rewind(self, time):
        """Pause, and go to the last moment up to a time, s."""
        self.paused = True
        self._moment = self.moments[max(0, bisect_right(self.moments, time, key=_now) - 1)]

    def advance(self, elapsed):
        """Advance by `elapsed` seconds of wall clock."""
        self._exchange_arrived()
        if not self.paused:
            self._advance_clock(elapsed * self.speed)

    @property
    def now(self):
        return self._moment.now

    @property
    def orientation(self):
        return self._moment.orientation

    @property
    def display_orientation(self):
        return self._moment.display_orientation

    @property
    def observed_frames(self):
        """The numbers of the frames that the predictors got so far."""
        return np.flatnonzero(~self.hidden_frames[: self._frames_by(self.now)])

    @property
    def predictor(self):
        return self.forecasters[0].predictor

    @property
    def forecast(self):
        """The StampedForecast of the first predictor, or None."""
        return self.forecasters[0].forecast(self.now)

    @property
    def errors(self):
        """lead time -> errors (m) of the first predictor's forecasts."""
        return self.forecasters[0].errors(self.now)

    @property
    def landing_errors(self):
        """lead time -> errors (m, s) of the first predictor's forecasts of the last landing."""
        return self.forecasters[0].landing_errors(self.now)

    @property
    def spin(self):
        """The ball's spin (3,) rad/s: the true one, else the estimate of the first predictor, else None."""
        return self.ball.state_at(self.now)[2] if self.ball.spin is not None else self.estimated_spin

    @property
    def estimated_spin(self):
        """The spin (3,) rad/s in the belief of the last forecast, or None."""
        forecast = self.forecast
        return None if forecast is None or forecast.belief is None else np.asarray(forecast.belief.spin)

    def _set_forecasters(self, numbers):
        """Forecasters for these predictors; a new one gets the past, moment by moment."""
        existing = {forecaster.number: forecaster for forecaster in self.forecasters}
        self.forecasters = []
        for number in numbers:
            self.forecasters.append(existing.get(number) or self._forecaster(number))
            if number not in existing:
                deque(self._replay(self.forecasters[-1]), maxlen=0)
        self.selected = numbers

    def exchange(self, number):
        """Replace the stand-in of a predictor that is compiled now, within some frames of the window."""
        if number in self.selected:
            forecaster = self._forecaster(number)
            self._arriving[number] = forecaster, self._replay(forecaster)

    def _exchange_arrived(self):
        """Give some more of the past to the predictors that replace their stand-ins."""
        for number, (forecaster, replay) in list(self._arriving.items()):
            if number not in self.selected:
                del self._arriving[number]
            elif forecaster.ball is not self.ball:
                self.exchange(number)
            elif len([*islice(replay, REPLAY_PER_FRAME)]) < REPLAY_PER_FRAME:
                self.forecasters[self.selected.index(number)] = self._arriving.pop(number)[0]

    def _branch(self):
        self.ball = self.source.branch(self.ball, self.index, self.now)
        self._forget_after_now()
        for forecaster in self.forecasters:
            forecaster.branch(self.ball, self.now, self.hidden_frames)

    def _forget_after_now(self):
        """The ball is another one from now on."""
        del self.moments[bisect_right(self.moments, self.now, key=_now) :]
        self.frames_arrived = self._frames_by(self.now)
        arrived, hidden = self.hidden_frames[: self.frames_arrived], np.zeros(len(self.ball.frames), bool)
        hidden[: len(arrived)] = arrived
        self.hidden_frames = hidden

    def _forecaster(self, number):
        return Forecaster(*self.pool.load(number), number, self.ball, self.lead_times, self.clock)

    def _replay(self, forecaster):
        """Give a new forecaster the moments so far, one at each step of this generator.

        One that sees pixels gets all frames at once, and forecasts at the last moment only: it is slow.
        """
        start = self.moments[-REPLAY_LIMIT:][0].now
        forecaster.frames_fed = max(0, self._frames_by(start) - REPLAY_LIMIT)
        forecaster.landings_scored = int(np.searchsorted(self.ball.landing_time, start, side="right"))
        index = len(self.moments) - 1 if forecaster.sees_pixels else bisect_left(self.moments, start, key=_now)
        while index < len(self.moments):
            now = self.moments[index].now
            forecaster.update(now, self.hidden_frames)
            yield
            index = bisect_right(self.moments, now, key=_now)

    def _frames_by(self, now):
        return int(np.searchsorted(self.ball.frames.time, now, side="right"))

    def _advance_clock(self, elapsed):
        now, last = self.now + elapsed, self.moments[-1]
        if now > self.ball.end:
            self.next()
        elif now <= last.now:
            moment = self.moments[bisect_right(self.moments, now, key=_now) - 1]
            self._moment = Moment(now, moment.orientation, moment.display_orientation)
        else:
            self._moment = last
            spin, orientation, display_orientation = self.spin, last.orientation, last.display_orientation
            if spin is not None and now <= self.ball.time[-1]:
                orientation = rotation(spin * (now - last.now)) @ orientation
                display_orientation = rotation(spin * (now - last.now) / DISPLAY_SPIN_SLOWDOWN) @ display_orientation
            self._append_moment(Moment(now, orientation, display_orientation))

    def _append_moment(self, moment):
        self._moment = moment
        self.moments.append(moment)
        arrived = self._frames_by(moment.now)
        self.hidden_frames[self.frames_arrived : arrived] = self.hidden
        self.frames_arrived = arrived
        for forecaster in self.forecasters:
            forecaster.update(moment.now, self.hidden_frames)
        if len(self.moments) > 2 * MAX_MOMENTS:
            del self.moments[:MAX_MOMENTS]
            for forecaster in self.forecasters:
                forecaster.forget(self.moments[0].now)


def rotation(angle):
    """The rotation (3, 3) about the vector angle (3,) rad, by its length (Rodrigues)."""
    size = float(np.linalg.norm(angle))
    if size < 1e-12:
        return np.eye(3)
    x, y, z = angle / size
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(size) * cross + (1 - np.cos(size)) * cross @ cross
