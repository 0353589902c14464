"""The filter that practitioners use: an unscented Kalman filter (filterpy) on the same physics as everything here.

Its state is position, velocity, spin, the ball's own parameters and the tracker's height, as far as the sport lets them
differ; what it believes before it sees, its sensor and its process noise are the sport's. Sigma points are flown by the
simulator, through bounces too. A frame too far off is gated; where several in a row are, the ball has gone another
way, and the filter begins again there.
"""

import math

import numpy as np
from ballcast.models.contract import Predictor, Stream
from ballcast.models.estimation.fit import SIZE, launch_of
from ballcast.models.estimation.kalman import hold, start_of
from ballcast.models.estimation.posterior import root, sky
from ballcast.models.predictors.physics import Found, ahead, told_by
from ballcast.sim.jit import kernel
from ballcast.sim.kernels.flight import MET, fly, surroundings
from filterpy.kalman import MerweScaledSigmaPoints, UnscentedKalmanFilter

GATE = 16.27  # squared innovation, in standard deviations: one good frame in a thousand lies farther off
STRANGERS = 4  # gated frames in a row, after which it begins again
KNOWN = 1e-5  # first standard deviation of an unknown that does not differ from ball to ball


class Ukf(Predictor):
    """Unscented Kalman filter on the simulator, with filterpy. Told the sport."""

    name = "ukf"
    told = "sport"
    needs = 3

    def __init__(self, sport):
        super().__init__(sport)
        self.place, self.sky, self.start = surroundings(sport), sky(sport, np.float32), start_of(sport)
        self.landing = np.array([s.landing for s in sport.surfaces], bool)
        self.active = np.flatnonzero(np.sqrt(np.diag(self.start.covariance)) > KNOWN)
        size = len(self.active)
        self.standard = np.zeros((2 * size + 1, SIZE))  # the sigma points of a standard normal law, the mean first
        for n, k in enumerate(self.active):
            self.standard[1 + n, k], self.standard[1 + size + n, k] = math.sqrt(size), -math.sqrt(size)

    def forecast(self, history, times):
        times, stream = self.checked(history.time, times), self.stream()
        for time, position in zip(history.time, history.position):
            stream.observe(time, position)
        return stream.forecast(times)

    def stream(self):
        return UkfStream(self)


class UkfStream(Stream):
    """One ball: the filter, and the last frames seen."""

    def __init__(self, predictor):
        super().__init__(predictor)
        self.filter, self.strange = None, 0

    def observe(self, time, position):
        before = self._frames[self._end - 1, 0] if self._end else math.nan
        super().observe(time, position)
        time, y = self._frames[self._end - 1, 0], self._frames[self._end - 1, 1:]
        if self.filter is not None:
            self.filter.predict(time - before)
            self.strange = self.strange + 1 if self.filter.off(y) > GATE else 0
        if self.filter is None or self.strange >= STRANGERS:
            self.filter, self.strange = _Filter(self.predictor, y), 0
        if not self.strange:
            self.filter.take(y)

    def forecast(self, times):
        seen, _ = self.seen
        times = self.predictor.checked(seen, times)
        p, found = self.predictor, Found(*self.filter.belief())
        return told_by(found, ahead(p.sky, p.landing, p.standard, found, times - seen[-1]), seen[-1])


class _Filter(UnscentedKalmanFilter):
    """filterpy's filter of the active unknowns, begun at a first frame y (3,) m."""

    def __init__(self, predictor, y):
        self.p, self.active, start = predictor, predictor.active, predictor.start
        size = len(self.active)
        # weights that are all positive, the middle's 0: spin makes the covariance too wide for others
        points = MerweScaledSigmaPoints(size, alpha=1.0, beta=0.0, kappa=0.0, sqrt_method=_upper)
        super().__init__(size, 3, 1.0, self.seen, None, points)
        self.whole = start.mean.copy()
        self.whole[:3] = y
        self.x, self.P = self.whole[self.active], start.covariance[np.ix_(self.active, self.active)].copy()
        self.sigmas_f = points.sigma_points(self.x, self.P)

    def compute_process_sigmas(self, dt, fx=None, **_):
        """Fly the sigma points for dt s, all at once."""
        rows = self.full(self.points_fn.sigma_points(self.x, self.P))
        carry(self.p.place, rows, dt)
        self.sigmas_f, self.Q = rows[:, self.active], np.diag(self.p.start.wander[self.active] * dt)

    def full(self, points):
        """The unknowns (N, 16) of points (N, D)."""
        rows = np.repeat(self.whole[None], len(points), axis=0)
        rows[:, self.active] = points
        return rows

    @staticmethod
    def seen(x):
        """Where the tracker sees a ball of this state: the height is the last of the active unknowns."""
        return np.array([x[0], x[1], x[2] + x[-1]])

    def sensor(self):
        """Covariance (3, 3) of a frame: noise of the axes, and the jitter of its time stamp along the flight."""
        v, variances = self.x[3:6], self.p.start.sensor
        return np.diag(variances[:3]) + variances[3] * np.outer(v, v)

    def off(self, y):
        """The squared innovation of a frame, in standard deviations."""
        H = np.zeros((3, len(self.x)))
        H[0, 0] = H[1, 1] = H[2, 2] = H[2, -1] = 1.0
        r = y - self.seen(self.x)
        return r @ np.linalg.solve(H @ self.P @ H.T + self.sensor(), r)

    def take(self, y):
        """Weigh a frame against the belief."""
        self.update(y, R=self.sensor())
        self.P = 0.5 * (self.P + self.P.T)
        rows = self.full(self.x[None])
        hold(rows[0])
        self.x = rows[0, self.active]

    def belief(self):
        """Mean (16,) and covariance (16, 16) at the last frame."""
        covariance = np.zeros((SIZE, SIZE))
        covariance[np.ix_(self.active, self.active)] = self.P
        return self.full(self.x[None])[0], covariance


def _upper(A):
    """U (D, D) of A = U^T U, also where rounding has made A impossible."""
    whole = np.zeros((SIZE, SIZE))
    whole[: len(A), : len(A)] = A
    return root(whole)[: len(A), : len(A)].T


@kernel
def carry(place, rows, dt):
    """Fly unknowns (N, 16) on by dt s, in place."""
    path, jacobian, times, none = np.empty((1, 6)), np.empty((1, 3, SIZE)), np.full(1, dt), np.empty(0)
    for n in range(len(rows)):
        hold(rows[n])
        flight = fly(place, launch_of(rows[n]), times, none, path, jacobian, np.empty((0, MET)))
        for i in range(3):
            rows[n, i], rows[n, 3 + i], rows[n, 6 + i] = flight[0][i], flight[1][i], flight[2][i]
