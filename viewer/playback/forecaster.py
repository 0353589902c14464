"""One predictor that watches one ball: what it was shown, every forecast it made, and how wrong they were.

    watcher = Watcher(predictor, "", number, ball, offsets)
    watcher.look(now, missed)        # the frames that came in by now; a forecast; scores whose time has come
    watcher.forecast(now)            # the Shown as it was at that moment, also one long past

Nothing is forgotten for as long as the show can be wound back, so a moment of the past looks as it did.
"""

from bisect import bisect_right
from dataclasses import dataclass

import numpy as np

from ballcast import models

LEADS = (0.1, 0.2, 0.4)  # s ahead at which forecasts are scored
LATE = 0.05  # s by which a forecast may miss its lead before a landing
REFED = 1000  # frames of what was, that a predictor is shown again where the ball goes on otherwise
ROWS, BEGUN = 32, 8  # groups of a GRU's units; the frame by whose gates they are put together
KEPT = 0.6  # s that forecasts are drawn
STEADY = 0.9  # of the latency that is shown: the share of what it was


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


class Watcher:
    """A predictor's stream on a ball. `number` says which of the choice it is; `latency` s, where there is a clock."""

    def __init__(self, predictor, remark, number, ball, offsets, clock=None):
        self.predictor, self.remark, self.number, self.ball, self.offsets = predictor, remark, number, ball, offsets
        self.clock, self.latency = clock, None
        self.gated = getattr(predictor, "gated", False)
        self.stream = predictor.stream()
        self.fed, self.landed = 0, 0  # frames shown, landings scored
        self.shown, self._due, self._landings = [], [], []
        self._read, self._gates = [], []  # of each frame shown to a GRU: time, features, memory before; gates if asked
        self._scores = {lead: ([], []) for lead in LEADS}  # times s, errors m
        self._rows = np.searchsorted(offsets, LEADS)

    def look(self, now, missed):
        """Observe the frames up to `now` that were not missed (T,), forecast, score what was for a time now past."""
        track = self.ball.seen
        arrived = int(np.searchsorted(track.time, now, side="right"))
        began = self.clock() if self.clock else 0.0
        for row in range(self.fed, arrived):
            if not missed[row]:
                self._observe(track.time[row], track.position[row])
        self.fed = arrived
        if 0 < arrived < len(track):
            self._forecast(now)
            if self.clock:
                taken = self.clock() - began
                self.latency = taken if self.latency is None else STEADY * self.latency + (1 - STEADY) * taken
        self._score(now)
        self._score_landings(now)

    def forget(self, before):
        """Let go of forecasts made, and scores reached, before that time, s."""
        self.shown = [shown for shown in self.shown if shown.made >= before]
        self._read, self._gates = [read for read in self._read if read[0] >= before], []
        for times, errors in self._scores.values():
            old = bisect_right(times, before)
            del times[:old], errors[:old]

    def branch(self, ball, now, missed):
        """From `now` on it is another ball, which was the same until then: what was made later is forgotten."""
        self.ball, self.fed = ball, int(np.searchsorted(ball.seen.time, now, side="right"))
        self.shown = self.shown[: bisect_right(self.shown, now, key=_made)]
        self._due = [
            (time, lead, place) for shown in self.shown for time, lead, place in self._asked(shown) if time > now
        ]
        for times, errors in self._scores.values():
            kept = bisect_right(times, now)
            del times[kept:], errors[kept:]
        self._landings = [landing for landing in self._landings if landing[0] <= now]
        self.landed = int(np.searchsorted(ball.landing_time, now, side="right"))
        self.stream, self._read, self._gates = self.predictor.stream(), [], []
        for row in np.flatnonzero(~missed[: self.fed])[-REFED:]:
            self._observe(ball.seen.time[row], ball.seen.position[row])

    # --- as it was at a moment ----------------------------------------------------------------------------------------

    def forecast(self, now):
        """The forecast that stood at `now`, or None."""
        index = bisect_right(self.shown, now, key=_made)
        return self.shown[index - 1] if index else None

    def past(self, now):
        """The forecasts made up to `now` that are not too old to be drawn."""
        first, last = (bisect_right(self.shown, t, key=_made) for t in (now - KEPT, now))
        return self.shown[first:last]

    def errors(self, now):
        """lead -> distances (m) between the forecasts for times up to `now` and where the ball then was."""
        return {lead: errors[: bisect_right(times, now)] for lead, (times, errors) in self._scores.items()}

    def strip(self, lead, now):
        """The errors at a lead as they came: times (N,) s for which was forecast, and distances (N,) m."""
        times, errors = self._scores[lead]
        count = bisect_right(times, now)
        return np.array(times[:count]), np.array(errors[:count])

    def gates(self, now):
        """Times (T,) s of the frames and a GRU's gates at them in 255ths, update and reset (T, 2, ROWS).

        Units are taken together that were alike at the ball's BEGUN-th frame, in order of their update gate there.
        """
        count, known = bisect_right(self._read, now, key=_time), len(self._gates)
        if known < count:
            _, features, memory = map(np.array, zip(*self._read[known:count]))
            gates = self.predictor.gates(features, memory)
            if not known:
                self._order = np.argsort(gates[min(BEGUN, count) - 1, 0])
                self._order = self._order[: len(self._order) // ROWS * ROWS].reshape(ROWS, -1)
                self._gates = np.empty((0, 2, ROWS), np.uint8)
            self._gates = np.concatenate([self._gates, (255 * gates[:, :, self._order].mean(-1)).astype(np.uint8)])
        return np.array([read[0] for read in self._read[:count]]), self._gates[:count]

    def landing_errors(self, now):
        """lead -> how far off (m, s) the last landing before `now` was forecast."""
        return next((found for time, found in reversed(self._landings) if time <= now), {})

    # --- on the way ---------------------------------------------------------------------------------------------------

    def _observe(self, time, position):
        memory = self.stream.memory if self.gated else None
        self.stream.observe(time, position)
        if self.gated:
            self._read.append((time, self.stream.features, memory))

    def _forecast(self, now):
        times = now + self.offsets
        try:
            forecast = self.stream.forecast(times)
        except models.TooShort:
            return
        told = np.asarray(forecast.mean), forecast.covariance, forecast.landing, forecast.belief
        self.shown.append(Shown(now, times, *told))
        self._due += self._asked(self.shown[-1])

    def _asked(self, shown):
        """What of a forecast is to be scored: (time, lead, place) each."""
        return [(shown.times[row], lead, shown.mean[row]) for lead, row in zip(LEADS, self._rows)]

    def _score(self, now):
        ripe = [due for due in self._due if due[0] <= now]
        self._due = [due for due in self._due if due[0] > now]
        for time, lead, place in ripe:
            if self.ball.known(time):
                self._scores[lead][0].append(time)
                self._scores[lead][1].append(float(np.linalg.norm(place - self.ball.at(time)[0])))

    def _score_landings(self, now):
        """When the ball lands: how far off the landing was forecast, each lead before it."""
        ball = self.ball
        while self.landed < len(ball.landing_time) and ball.landing_time[self.landed] <= now:
            time, place = ball.landing_time[self.landed], ball.landing_place[self.landed]
            earlier = ball.landing_time[self.landed - 1] if self.landed else -np.inf
            found = {}
            for lead in LEADS:
                shown = self.forecast(time - lead + 1e-9)
                if shown and shown.made >= max(earlier, time - lead - LATE) and shown.landing is not None:
                    off = float(np.linalg.norm(shown.landing.place - place))
                    found[lead] = (off, float(shown.landing.time - time))
            self._landings.append((time, found))
            self.landed += 1


def _made(shown):
    return shown.made


def _time(read):
    return read[0]
