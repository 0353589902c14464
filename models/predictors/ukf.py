"""The filter that practitioners use: an unscented Kalman filter (filterpy) on the same physics as everything here.

Its state is position, velocity, spin, the ball's own parameters and the tracker's height, as far as the sport lets them
differ; what it believes before it sees, its sensor and its process noise are the sport's. Sigma points are flown by the
simulator, through bounces too. A frame too far off is gated; where several in a row are, the ball has gone another
way, and the filter begins again there.
"""

import math

import numpy as np
from filterpy.kalman import MerweScaledSigmaPoints, UnscentedKalmanFilter

from ballcast.models.contract import Predictor, Stream
from ballcast.models.estimation.fit import UNKNOWNS, to_launch
from ballcast.models.estimation.kalman import clamp, make_filter_prior
from ballcast.models.estimation.posterior import cholesky_with_jitter
from ballcast.models.predictors.physics import Estimate, predict, to_forecast
from ballcast.sim.jit import kernel
from ballcast.sim.kernels.compiled_sport import compile_lanes, compile_sport
from ballcast.sim.kernels.flight import fly_ball
from ballcast.sim.kernels.layout import CONTACT_DTYPE

GATE_CHI2 = 16.27  # squared innovation, in standard deviations: one good frame in a thousand lies farther off
OUTLIERS_TO_RESTART = 4  # gated frames in a row, after which it begins again
MIN_SD = 1e-5  # first standard deviation of an unknown that does not differ from ball to ball


class Ukf(Predictor):
    """Unscented Kalman filter on the simulator, with filterpy. Told the sport."""

    name = "ukf"
    side_information = "sport"
    min_frames = 3

    def __init__(self, sport):
        super().__init__(sport)
        self.compiled_sport, self.lane_sport = compile_sport(sport), compile_lanes(sport)
        self.filter_prior = make_filter_prior(sport)
        self.active_unknowns = np.flatnonzero(np.sqrt(np.diag(self.filter_prior.covariance)) > MIN_SD)
        size = len(self.active_unknowns)
        self.standard_normal = np.zeros(
            (2 * size + 1, UNKNOWNS)
        )  # the sigma points of a standard normal law, the mean first
        for n, k in enumerate(self.active_unknowns):
            self.standard_normal[1 + n, k], self.standard_normal[1 + size + n, k] = math.sqrt(size), -math.sqrt(size)

    def forecast(self, history, times):
        times, stream = self.check_times(history.time, times), self.stream()
        for time, position in zip(history.time, history.position):
            stream.observe(time, position)
        return stream.forecast(times)

    def stream(self):
        return UkfStream(self)


class UkfStream(Stream):
    """One ball: the filter, and the last frames seen."""

    def __init__(self, predictor):
        super().__init__(predictor)
        self.filter, self.consecutive_outliers = None, 0

    def observe(self, time, position):
        before = self._frames[self._end - 1, 0] if self._end else math.nan
        super().observe(time, position)
        time, y = self._frames[self._end - 1, 0], self._frames[self._end - 1, 1:]
        if self.filter is not None:
            self.filter.predict(time - before)
            self.consecutive_outliers = self.consecutive_outliers + 1 if self.filter.mahalanobis2(y) > GATE_CHI2 else 0
        if self.filter is None or self.consecutive_outliers >= OUTLIERS_TO_RESTART:
            self.filter, self.consecutive_outliers = _Filter(self.predictor, y), 0
        if not self.consecutive_outliers:
            self.filter.update_frame(y)

    def forecast(self, times):
        frame_times, _ = self.frames
        times = self.predictor.check_times(frame_times, times)
        predictor, estimate = self.predictor, Estimate(*self.filter.estimate())
        return to_forecast(
            estimate,
            predict(predictor.lane_sport, predictor.standard_normal, estimate, times - frame_times[-1]),
            frame_times[-1],
        )


class _Filter(UnscentedKalmanFilter):
    """filterpy's filter of the active unknowns, begun at a first frame y (3,) m."""

    def __init__(self, predictor, y):
        self.predictor, self.active_unknowns, filter_prior = (
            predictor,
            predictor.active_unknowns,
            predictor.filter_prior,
        )
        size = len(self.active_unknowns)
        # weights that are all positive, the middle's 0: spin makes the covariance too wide for others
        points = MerweScaledSigmaPoints(size, alpha=1.0, beta=0.0, kappa=0.0, sqrt_method=_upper)
        super().__init__(size, 3, 1.0, self.measure, None, points)
        self.unknowns = filter_prior.mean.copy()
        self.unknowns[:3] = y
        self.x, self.P = (
            self.unknowns[self.active_unknowns],
            filter_prior.covariance[np.ix_(self.active_unknowns, self.active_unknowns)].copy(),
        )
        self.sigmas_f = points.sigma_points(self.x, self.P)

    def compute_process_sigmas(self, dt, fx=None, **_):
        """Fly the sigma points for dt s, all at once."""
        rows = self.to_unknowns(self.points_fn.sigma_points(self.x, self.P))
        propagate(self.predictor.compiled_sport, rows, dt)
        self.sigmas_f, self.Q = (
            rows[:, self.active_unknowns],
            np.diag(self.predictor.filter_prior.process_noise[self.active_unknowns] * dt),
        )

    def to_unknowns(self, points):
        """The unknowns (N, 16) of points (N, D)."""
        rows = np.repeat(self.unknowns[None], len(points), axis=0)
        rows[:, self.active_unknowns] = points
        return rows

    @staticmethod
    def measure(x):
        """Where the tracker sees a ball of this state: the height is the last of the active unknowns."""
        return np.array([x[0], x[1], x[2] + x[-1]])

    def measurement_noise(self):
        """Covariance (3, 3) of a frame: noise of the axes, and the jitter of its time stamp along the flight."""
        v, variances = self.x[3:6], self.predictor.filter_prior.noise
        return np.diag(variances[:3]) + variances[3] * np.outer(v, v)

    def mahalanobis2(self, y):
        """The squared innovation of a frame, in standard deviations."""
        H = np.zeros((3, len(self.x)))
        H[0, 0] = H[1, 1] = H[2, 2] = H[2, -1] = 1.0
        r = y - self.measure(self.x)
        return r @ np.linalg.solve(H @ self.P @ H.T + self.measurement_noise(), r)

    def update_frame(self, y):
        """Weigh a frame against the belief."""
        self.update(y, R=self.measurement_noise())
        self.P = 0.5 * (self.P + self.P.T)
        rows = self.to_unknowns(self.x[None])
        clamp(rows[0])
        self.x = rows[0, self.active_unknowns]

    def estimate(self):
        """Mean (16,) and covariance (16, 16) at the last frame."""
        covariance = np.zeros((UNKNOWNS, UNKNOWNS))
        covariance[np.ix_(self.active_unknowns, self.active_unknowns)] = self.P
        return self.to_unknowns(self.x[None])[0], covariance


def _upper(matrix):
    """U (D, D) of A = U^T U, also where rounding has made A impossible."""
    padded = np.zeros((UNKNOWNS, UNKNOWNS))
    padded[: len(matrix), : len(matrix)] = matrix
    return cholesky_with_jitter(padded)[: len(matrix), : len(matrix)].T


@kernel
def propagate(sport, rows, dt):
    """Fly unknowns (N, 16) on by dt s, in place."""
    trajectory, jacobian, times, none = np.empty((1, 6)), np.empty((1, 3, UNKNOWNS)), np.full(1, dt), np.empty(0)
    for n in range(len(rows)):
        clamp(rows[n])
        flight = fly_ball(sport, to_launch(rows[n]), times, none, trajectory, jacobian, np.empty(0, CONTACT_DTYPE))
        for i in range(3):
            rows[n, i], rows[n, 3 + i], rows[n, 6 + i] = flight.position[i], flight.velocity[i], flight.spin[i]
