"""One ball after the other: the clock, what was seen so far, who forecasts; and back to any moment of this ball.

    session = Session(source, Choice(["gru", "physics"], sport))
    session.advance(1 / 60)       # s; everything below then speaks of the new moment
    session.forecast.mean, session.errors[0.1], session.ball.at(session.now)
    session.rewind(session.now - 0.5)

The predictors are given the frames seen up to now, in order, through their streams, and nothing else. What then
happened (`ball.at`) is used to draw the ball and to score forecasts whose time has come. A moment gone back to shows
what was forecast then; past the last moment that was reached the show goes on as if nobody had looked back. Knows no
window and no wall clock but the one it may be given, to measure latency.
"""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass

import numpy as np
from ballcast.viewer.playback.forecaster import LEADS, Watcher

from ballcast import models

FRAME = 1 / 60  # s, one step
CAUGHT_UP = 1000  # frames, and as many moments, that a newly chosen predictor is shown of what was
REWIND = 1800  # moments that one can go back
SPEEDS = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0, 2.0, 4.0, 8.0)
SLOWED = 20  # times slower than the ball the model in the panel spins


class Choice:
    """The predictors to choose from, loaded when first used. Raises ValueError for one that does not exist."""

    def __init__(self, names, sport):
        self.names, self.sport, self._loaded = list(names), sport, {}

    def load(self, index):
        """The predictor, and a remark: "" or why another stands in for it."""
        if index not in self._loaded:
            self._loaded[index] = self._load(self.names[index])
        return self._loaded[index]

    def _load(self, name):
        try:
            return models.load(name, sport=self.sport), ""
        except ValueError as error:
            if name not in models.PREDICTORS or name == "physics":
                raise
            return models.load("physics", sport=self.sport), f"{error}; physics instead"


@dataclass(frozen=True, eq=False)
class Moment:
    """A moment of the show: s on the ball's clock, and how the ball (3, 3), and its slow model, were turned."""

    now: float
    turn: np.ndarray
    slow_turn: np.ndarray


class Session:
    """Where the show stands. `index` counts the balls, `now` is the time on the ball's own clock."""

    def __init__(self, source, choice, speed=1.0, shown=(0,), clock=None):
        self.source, self.choice, self.speed, self.clock = source, choice, speed, clock
        self.sport = source.sport
        self.paused, self.index, self.hidden = False, 0, False
        span = self.sport.sensor.duration * 2 / 3
        self.offsets = np.unique(np.round(np.append(np.linspace(span / 60, span, 60), LEADS), 6))
        self.chosen = list(shown)  # numbers of the predictors, the first of them the one that the panel speaks of
        self.again()

    # --- what a person asks for ---------------------------------------------------------------------------------------

    def again(self):
        """The same ball from its start."""
        self.ball = self.source.ball(self.index)
        self.missed, self.newest = np.zeros(len(self.ball.seen), bool), 0  # frames hidden; those that have come at all
        self.moments = []
        self.watchers = [self._watcher(number) for number in self.chosen]
        self._look(Moment(self.ball.start, np.eye(3), np.eye(3)))

    def next(self):
        """The next ball."""
        self.index += 1
        self.again()

    def throw(self, position, velocity, spin):
        """The next ball, launched by hand: (3,) m, m/s, rad/s. Only of a live source."""
        self.source.throw(self.index + 1, position, velocity, spin)
        self.paused = False
        self.next()

    def choose(self, number):
        """That predictor alone. Nothing happens when there are not so many."""
        if number < len(self.choice.names):
            self._show([number])

    def beside(self, number):
        """That predictor beside the others, or no longer; one always stays."""
        if number < len(self.choice.names):
            rest = [n for n in self.chosen if n != number]
            self._show(rest or [number] if number in self.chosen else [*rest, number])

    def change(self, rule, value):
        """Let the ball fly by another rule from this moment on, and all after it; None: by the sport's own again.

        What had been after this moment is gone. Only of a live source, whose predictors are not told.
        """
        self.source.world = {key: old for key, old in self.source.world.items() if key != rule}
        if value is not None:
            self.source.world[rule] = value
        if self.now < self.ball.time[-1]:
            self._branch()

    def throw_kind(self, step):
        """The next ball as the next of the sport's throws, or of play: round and round."""
        kinds = [None, *range(len(self.sport.throws))]
        self.source.kind = kinds[(kinds.index(self.source.kind) + step) % len(kinds)]
        self.paused = False
        self.next()

    def hide(self):
        """Hide the ball from the predictors, or show it again: the forecast runs on without new frames."""
        self.hidden = not self.hidden

    def faster(self, steps):
        """So many speeds up (or, negative, down)."""
        nearest = int(np.argmin(np.abs(np.log(np.array(SPEEDS) / self.speed))))
        self.speed = SPEEDS[int(np.clip(nearest + steps, 0, len(SPEEDS) - 1))]

    def step(self):
        """Pause, and go one frame on."""
        self.paused = True
        if self.now < self.moments[-1].now:
            self._moment = self.moments[bisect_right(self.moments, self.now, key=_now)]
        else:
            self._move(FRAME * self.speed)

    def back(self):
        """Pause, and go one frame back."""
        self.paused = True
        self._moment = self.moments[max(0, bisect_left(self.moments, self.now, key=_now) - 1)]

    def rewind(self, time):
        """Pause, and go to the last moment up to a time, s, that has been."""
        self.paused = True
        self._moment = self.moments[max(0, bisect_right(self.moments, time, key=_now) - 1)]

    def advance(self, elapsed):
        """`elapsed` seconds pass in front of the window."""
        if not self.paused:
            self._move(elapsed * self.speed)

    # --- what is to be seen -------------------------------------------------------------------------------------------

    @property
    def now(self):
        return self._moment.now

    @property
    def turn(self):
        return self._moment.turn

    @property
    def slow_turn(self):
        return self._moment.slow_turn

    @property
    def seen(self):
        """The numbers of the frames that the predictors were shown so far."""
        return np.flatnonzero(~self.missed[: self._arrived(self.now)])

    @property
    def predictor(self):
        return self.watchers[0].predictor

    @property
    def forecast(self):
        """What the first predictor forecasts, a Shown or None."""
        return self.watchers[0].forecast(self.now)

    @property
    def errors(self):
        """lead -> errors (m) of the first predictor's forecasts."""
        return self.watchers[0].errors(self.now)

    @property
    def landing_errors(self):
        """lead -> how far off (m, s) the first predictor forecast the last landing."""
        return self.watchers[0].landing_errors(self.now)

    @property
    def spin(self):
        """The ball's spin (3,) rad/s: the true one, else what the predictor believes, else None."""
        return self.ball.at(self.now)[2] if self.ball.spin is not None else self.believed_spin

    @property
    def believed_spin(self):
        """The spin (3,) rad/s that the last forecast believes in, or None."""
        forecast = self.forecast
        return None if forecast is None or forecast.belief is None else np.asarray(forecast.belief.spin)

    # --- time passes --------------------------------------------------------------------------------------------------

    def _show(self, numbers):
        """Watchers for these predictors; a new one is shown all that was, moment by moment."""
        there = {watcher.number: watcher for watcher in self.watchers}
        self.watchers = [there.get(number) or self._caught_up(self._watcher(number)) for number in numbers]
        self.chosen = numbers

    def _branch(self):
        """The ball goes on from here by the rules of now."""
        self.ball = self.source.branch(self.ball, self.index, self.now)
        del self.moments[bisect_right(self.moments, self.now, key=_now) :]
        self.newest = self._arrived(self.now)
        self.missed = np.append(self.missed[: self.newest], np.zeros(len(self.ball.seen) - self.newest, bool))
        for watcher in self.watchers:
            watcher.branch(self.ball, self.now, self.missed)

    def _watcher(self, number):
        return Watcher(*self.choice.load(number), number, self.ball, self.offsets, self.clock)

    def _caught_up(self, watcher):
        moments = self.moments[-CAUGHT_UP:]
        watcher.fed = max(0, self._arrived(moments[0].now) - CAUGHT_UP)
        watcher.landed = int(np.searchsorted(self.ball.landing_time, moments[0].now, side="right"))
        for moment in moments:
            watcher.look(moment.now, self.missed)
        return watcher

    def _arrived(self, now):
        return int(np.searchsorted(self.ball.seen.time, now, side="right"))

    def _move(self, elapsed):
        """Time passes on the ball's clock: over moments that have been, or on from the last of them."""
        now, last = self.now + elapsed, self.moments[-1]
        if now > self.ball.end:
            self.next()
        elif now <= last.now:
            was = self.moments[bisect_right(self.moments, now, key=_now) - 1]
            self._moment = Moment(now, was.turn, was.slow_turn)
        else:
            self._moment = last
            spin, turn, slow = self.spin, last.turn, last.slow_turn
            if spin is not None and now <= self.ball.time[-1]:
                turn = rotation(spin * (now - last.now)) @ turn
                slow = rotation(spin * (now - last.now) / SLOWED) @ slow
            self._look(Moment(now, turn, slow))

    def _look(self, moment):
        """A new moment: the frames that came in are shown to the predictors, unless the ball is hidden."""
        self._moment = moment
        self.moments.append(moment)
        arrived = self._arrived(moment.now)
        self.missed[self.newest : arrived] = self.hidden
        self.newest = arrived
        for watcher in self.watchers:
            watcher.look(moment.now, self.missed)
        if len(self.moments) > 2 * REWIND:
            del self.moments[:REWIND]
            for watcher in self.watchers:
                watcher.forget(self.moments[0].now)


def _now(moment):
    return moment.now


def rotation(angle):
    """The rotation (3, 3) about the vector angle (3,) rad, by its length (Rodrigues)."""
    size = float(np.linalg.norm(angle))
    if size < 1e-12:
        return np.eye(3)
    x, y, z = angle / size
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(size) * cross + (1 - np.cos(size)) * cross @ cross
