"""The physics forecast: the state that explains what was seen, fitted on the simulator, then simulated ahead.

Maximum a posteriori by scipy's least_squares (fit.py says what is fitted). What follows the last frame
is one more simulated flight. A stream starts each fit from the last one.
"""

import numpy as np

from models.fit import Fitter
from models.predictor import Belief, Forecast, Landing, Predictor, Stream

PARTS = np.split(np.arange(9), 3)
AHEAD = 2.0  # s beyond the last seen frame, at least, in which a landing is looked for
WARM = 3  # evaluations that a fit gets when it starts from that of a frame ago
COLD = 30
FORGOTTEN = 5.0  # s after which an earlier fit is no help any more
LEAST = 5  # frames that are never dropped


class Physics(Predictor):
    """Fits position, velocity, spin and the ball's own parameters to the last 60 frames; simulates. Told the sport."""

    name = "physics"
    told = "sport"
    needs = 3
    window = 60

    def __init__(self, sport):
        super().__init__(sport)
        self.fitter = Fitter(sport)

    def predict(self, time, position, times):
        return self.ahead(self.explain(time, position), time[-1], times)

    def stream(self):
        return PhysicsStream(self)

    def explain(self, time, position, start=None):
        """The Fit of as many of the last frames as one flight explains: after a hit, those since the hit."""
        fit = start or self.fitter.fit(time, position, None, COLD)
        fit = self.fitter.fit(time, position, fit, WARM)
        while fit.lost and len(time) > LEAST:
            kept = max(LEAST, len(time) // 2)
            time, position = time[-kept:], position[-kept:]
            fit = self.fitter.fit(time, position, None, COLD)
            fit = self.fitter.fit(time, position, fit, WARM)
        return fit

    def ahead(self, fit, last, times):
        """The Forecast at times (H,) s that follows from a Fit, the last frame seen at `last` s."""
        asked = np.append(last, times)
        end = max(asked[-1], last + AHEAD) + 1e-6
        flight = self.fitter.fly(fit.state, fit.parameters, np.append(asked, end) - fit.time)
        flight.position[..., 2] += fit.height
        now = Belief(flight.position[0, 0], flight.velocity[0, 0], flight.spin[0, 0], fit.parameters)
        landing = self.landing(flight.impacts, fit, last)
        return Forecast(flight.position[0, 1:-1], landing=landing, belief=now)

    def landing(self, impacts, fit, last):
        """The first impact on a landing surface after `last` s in the flight of a Fit; None without one."""
        landed = np.isin(impacts.surface, self.sport.landing_surfaces) & (impacts.time + fit.time > last)
        if not landed.any():
            return None
        first = int(landed.argmax())
        return Landing(fit.time + float(impacts.time[first]), impacts.place[first] + [0.0, 0.0, fit.height])


class PhysicsStream(Stream):
    """Keeps the last Fit: the next one starts from it, and frames from before a hit are forgotten."""

    def __init__(self, predictor):
        super().__init__(predictor)
        self._fit = None

    def forecast(self, times):
        time, position = self.seen
        times = self.predictor.checked(time, times)
        if self._fit and self._fit.time < time[-1] - FORGOTTEN:
            self._fit = None
        if self._fit:
            since = np.searchsorted(time, self._fit.time)
            time, position = time[since:], position[since:]
        self._fit = self.predictor.explain(time, position, self._fit)
        return self.predictor.ahead(self._fit, time[-1], times)
