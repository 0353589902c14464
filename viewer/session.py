"""One ball after the other: the clock, what was seen so far, the forecast, and how wrong earlier forecasts were.

    session = Session(source, Choice(["physics"], sport))
    session.advance(1 / 60)       # s; everything below then speaks of the new moment
    session.forecast.mean, session.errors[0.1], session.ball.at(session.now)

The predictor is given the frames seen up to now, in order, through its stream, and nothing else. What then happened
(`ball.at`) is used to draw the ball and to score forecasts whose time has come. Knows no window and no wall clock.
"""

from dataclasses import dataclass

import numpy as np

import models

FRAME = 1 / 60  # s, one step
LEADS = (0.1, 0.2, 0.3)  # s ahead at which forecasts are scored
LATE = 0.05  # s by which a forecast may miss its lead before a landing
KEPT = 0.6  # s that forecasts are kept
CAUGHT_UP = 1000  # frames that a newly chosen predictor is shown of what was seen so far
SPEEDS = (0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
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
class Shown:
    """A forecast as drawn and scored: mean (H, 3) m and covariance (H, 3, 3) m2 or None at times (H,) s; landing and
    belief as in models, or None."""

    made: float
    times: np.ndarray
    mean: np.ndarray
    covariance: np.ndarray | None
    landing: object
    belief: object


class Session:
    """Where the show stands. `index` counts the balls, `now` is the time on the ball's own clock."""

    def __init__(self, source, choice, speed=1.0):
        self.source, self.choice, self.speed = source, choice, speed
        self.sport = source.sport
        self.paused, self.chosen, self.index, self.hidden = False, 0, 0, False
        span = self.sport.sensor.duration * 2 / 3
        self.offsets = np.unique(np.round(np.append(np.linspace(span / 60, span, 60), LEADS), 6))
        self.lead_rows = np.searchsorted(self.offsets, LEADS)
        self.predictor, self.remark = choice.load(0)
        self.again()

    # --- what a person asks for ---------------------------------------------------------------------------------------

    def again(self):
        """The same ball from its start."""
        self.ball = self.source.ball(self.index)
        self.now = self.ball.start
        self.turn, self.slow_turn = np.eye(3), np.eye(3)
        self.missed, self.newest = np.zeros(len(self.ball.seen), bool), 0  # frames hidden; those that have come at all
        self._restart()

    def next(self):
        """The next ball."""
        self.index += 1
        self.again()

    def choose(self, index):
        """Another predictor, from this moment on. Nothing happens when there are not so many."""
        if index < len(self.choice.names):
            self.predictor, self.remark = self.choice.load(index)
            self.chosen = index
            self._restart()

    def hide(self):
        """Hide the ball from the predictor, or show it again: the forecast runs on without new frames."""
        self.hidden = not self.hidden

    def faster(self, steps):
        """So many speeds up (or, negative, down)."""
        nearest = int(np.argmin(np.abs(np.log(np.array(SPEEDS) / self.speed))))
        self.speed = SPEEDS[int(np.clip(nearest + steps, 0, len(SPEEDS) - 1))]

    def step(self):
        """Pause, and go one frame on."""
        self.paused = True
        self._move(FRAME * self.speed)

    def advance(self, elapsed):
        """`elapsed` seconds pass in front of the window."""
        if not self.paused:
            self._move(elapsed * self.speed)

    # --- what was seen and forecast -----------------------------------------------------------------------------------

    @property
    def seen(self):
        """The numbers of the frames that the predictor was shown so far."""
        return np.flatnonzero(~self.missed[: self.fed])

    @property
    def spin(self):
        """The ball's spin (3,) rad/s: the true one, else what the predictor believes, else None."""
        return self.ball.at(self.now)[2] if self.ball.spin is not None else self.believed_spin

    @property
    def believed_spin(self):
        """The spin (3,) rad/s that the last forecast believes in, or None."""
        belief = self.forecast.belief if self.forecast else None
        return None if belief is None else np.asarray(belief.spin)

    def _restart(self):
        """A fresh stream, shown what was seen up to now."""
        self.stream = self.predictor.stream()
        self.forecast, self.past, self.due = None, [], []
        self.errors = {lead: [] for lead in LEADS}
        self.landing_errors = {}
        self.landed = int(np.searchsorted(self.ball.landing_time, self.now, side="right"))
        self.fed = max(0, self._arrived() - CAUGHT_UP)
        self._look()

    def _arrived(self):
        return int(np.searchsorted(self.ball.seen.time, self.now, side="right"))

    def _move(self, elapsed):
        """Time passes on the ball's clock."""
        self.now += elapsed
        if self.now > self.ball.end:
            self.next()
            return
        if (spin := self.spin) is not None and self.now <= self.ball.time[-1]:
            self.turn = rotation(spin * elapsed) @ self.turn
            self.slow_turn = rotation(spin * elapsed / SLOWED) @ self.slow_turn
        self._look()

    def _look(self):
        """Show the predictor the frames that came in; forecast; score the forecasts whose time has come."""
        track, arrived = self.ball.seen, self._arrived()
        for row in range(self.fed, arrived):
            self.missed[row] |= self.hidden and row >= self.newest
            if not self.missed[row]:
                self.stream.observe(track.time[row], track.position[row])
        self.fed, self.newest = arrived, max(arrived, self.newest)
        if 0 < arrived < len(track):
            self._forecast()
        self._score()
        self._score_landings()

    def _forecast(self):
        times = self.now + self.offsets
        try:
            forecast = self.stream.forecast(times)
        except models.TooShort:
            return
        told = np.asarray(forecast.mean), forecast.covariance, forecast.landing, forecast.belief
        self.forecast = Shown(self.now, times, *told)
        self.past = [past for past in self.past if past.made > self.now - KEPT] + [self.forecast]
        self.due += [(times[row], lead, self.forecast.mean[row]) for lead, row in zip(LEADS, self.lead_rows)]

    # --- what then happened -------------------------------------------------------------------------------------------

    def _score(self):
        """Distances (m) between the forecasts that were for a time now past, and where the ball then was."""
        ripe = [due for due in self.due if due[0] <= self.now]
        self.due = [due for due in self.due if due[0] > self.now]
        for time, lead, place in ripe:
            if self.ball.known(time):
                self.errors[lead].append(float(np.linalg.norm(place - self.ball.at(time)[0])))

    def _score_landings(self):
        """When the ball lands: how far off (m, s) the landing was forecast, each lead before it."""
        ball = self.ball
        while self.landed < len(ball.landing_time) and ball.landing_time[self.landed] <= self.now:
            time, place = ball.landing_time[self.landed], ball.landing_place[self.landed]
            earlier = ball.landing_time[self.landed - 1] if self.landed else -np.inf
            self.landing_errors = {}
            for lead in LEADS:
                made = [p for p in self.past if max(earlier, time - lead - LATE) <= p.made <= time - lead + 1e-9]
                if made and (landing := made[-1].landing) is not None:
                    off = float(np.linalg.norm(landing.place - place))
                    self.landing_errors[lead] = (off, float(landing.time - time))
            self.landed += 1


def rotation(angle):
    """The rotation (3, 3) about the vector angle (3,) rad, by its length (Rodrigues)."""
    size = float(np.linalg.norm(angle))
    if size < 1e-12:
        return np.eye(3)
    x, y, z = angle / size
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(size) * cross + (1 - np.cos(size)) * cross @ cross
