"""A comparison filter, as practitioners use it: an unscented Kalman filter (filterpy) on the same physics.

Its state is position, velocity, spin, the ball's own parameters and the tracker's height, as far as the sport lets them
differ. Prior, sensor noise and process noise are the sport's. Sigma points are propagated by the simulator, through
bounces too. A frame with a large innovation is gated; after several in a row the filter restarts there, and after a gap
at once.
"""

import math
from typing import Any

import numpy as np
from filterpy.kalman import MerweScaledSigmaPoints, UnscentedKalmanFilter
from numpy.typing import ArrayLike

from ballcast.models.contract import Forecast, Predictor, Stream, measured, with_times
from ballcast.models.estimation import linear, posterior, prior
from ballcast.models.estimation.gaps import shortest_gap
from ballcast.models.estimation.unknowns import UNKNOWNS, active_unknowns, clamp, to_launch
from ballcast.sim import Sport
from ballcast.sim.jit import kernel
from ballcast.sim.kernels.compiled_sport import compile_lanes, compile_sport
from ballcast.sim.kernels.flight import fly_ball
from ballcast.sim.kernels.layout import CONTACT_DTYPE
from ballcast.tracks import Track

GATE_CHI2 = 16.27  # squared innovation in standard deviations: one inlier in a thousand is farther off
OUTLIERS_TO_RESTART = 4  # gated frames in a row


class Ukf(Predictor):
    """Unscented Kalman filter on the simulator, with filterpy."""

    name = "ukf"
    side_information = "sport"
    min_frames = 3

    def __init__(self, sport: Sport):
        super().__init__(sport)
        self.compiled_sport, self.lane_sport = compile_sport(sport), compile_lanes(sport)
        self.filter_prior = prior.make_filter_prior(sport)
        self.active_unknowns = active_unknowns(self.filter_prior.covariance)
        points = math.sqrt(len(self.active_unknowns)) * np.eye(UNKNOWNS)[self.active_unknowns]
        self.standard_normal = np.concatenate([np.zeros((1, UNKNOWNS)), points, -points])  # sigma points

    def forecast(self, history: Track, times: ArrayLike) -> Forecast:  # type: ignore[override]
        if not isinstance(history, Track):
            return self.forecast_pixels(history, times)
        times, stream = self.check_times(measured(history).time, times), self.stream()
        for time, position in zip(history.time, history.position):
            stream.observe(time, position)
        return stream.forecast(times)

    def stream(self) -> "UkfStream":
        return UkfStream(self)


class UkfStream(Stream):
    """One ball: the filter, and the last frames."""

    predictor: Ukf

    def __init__(self, predictor: Ukf):
        super().__init__(predictor)
        self.filter: Any = None  # a _Filter from the first frame on
        self.consecutive_outliers = 0

    def restart(self) -> None:
        super().restart()
        self.filter, self.consecutive_outliers = None, 0

    def _add(self, frame: np.ndarray) -> None:
        before = self._frames[self._end - 1, 0] if self._end else math.nan
        super()._add(frame)
        time, y = self._frames[self._end - 1, 0], self._frames[self._end - 1, 1:]
        if self.filter is not None and not self._predict(time - before, y):
            self.filter = None
        if self.filter is None:
            self.filter, self.consecutive_outliers = _Filter(self.predictor, y), 0
        if not self.consecutive_outliers:
            self.filter.update_frame(y)
            if not self.filter.is_sound():
                self.filter = _Filter(self.predictor, y)
                self.filter.update_frame(y)

    def _is_outlier(self) -> bool:
        return self.consecutive_outliers > 0

    def _predict(self, dt, y):
        """Take the filter dt s ahead, to a frame y (3,) m; returns whether the filter goes on.

        After a gap its sigma points may be anywhere: it restarts where one of them is lost, or the frame is gated.
        """
        self.filter.predict(dt)
        if not self.filter.is_sound():
            return False
        is_gated = not self.filter.mahalanobis2(y) <= GATE_CHI2
        self.consecutive_outliers = self.consecutive_outliers + 1 if is_gated else 0
        is_gap = dt > shortest_gap(self.predictor.sport)
        return self.consecutive_outliers < (1 if is_gap else OUTLIERS_TO_RESTART)

    def forecast(self, times: ArrayLike) -> Forecast:
        frame_times, _ = self.frames
        times, last = self.predictor.check_times(frame_times, times), frame_times[-1]
        predictor, (x, P) = self.predictor, self.filter.estimate()
        prediction = posterior.predict_ahead(predictor.lane_sport, predictor.standard_normal, x, P, times - last)
        forecast = posterior.to_forecast(x, P, prediction, last, predictor.sport.ground)
        return predictor.to_tracker_frame(with_times(forecast, times))


class _Filter(UnscentedKalmanFilter):
    """filterpy's filter of the active unknowns, started at a first frame y (3,) m."""

    def __init__(self, predictor, y):
        self.predictor, self.active_unknowns, start = predictor, predictor.active_unknowns, predictor.filter_prior
        size = len(self.active_unknowns)
        # all weights are positive, the mean's is 0: spin makes the covariance too wide for others
        points = MerweScaledSigmaPoints(size, alpha=1.0, beta=0.0, kappa=0.0, sqrt_method=_upper)
        super().__init__(size, 3, 1.0, self.measure, None, points)
        self.unknowns = start.mean.copy()
        self.unknowns[:3] = y
        self.x = self.unknowns[self.active_unknowns]
        self.P = start.covariance[np.ix_(self.active_unknowns, self.active_unknowns)].copy()
        self.sigmas_f = points.sigma_points(self.x, self.P)

    def compute_process_sigmas(self, dt, fx=None, **_):
        """Propagate the sigma points by dt s, all at once."""
        rows = self.to_unknowns(self.points_fn.sigma_points(self.x, self.P))
        propagate(self.predictor.compiled_sport, rows, dt)
        process_noise = self.predictor.filter_prior.process_noise[self.active_unknowns]
        self.sigmas_f, self.Q = rows[:, self.active_unknowns], np.diag(process_noise * dt)

    def to_unknowns(self, points):
        """The unknowns (N, 16) of points (N, D)."""
        rows = np.repeat(self.unknowns[None], len(points), axis=0)
        rows[:, self.active_unknowns] = points
        return rows

    @staticmethod
    def measure(x):
        """Where the tracker measures a ball of this state: the height is the last of the active unknowns."""
        return np.array([x[0], x[1], x[2] + x[-1]])

    def measurement_noise(self):
        """Covariance (3, 3) of a frame: noise of the axes, and jitter of the time stamp along the velocity."""
        v, variances = self.x[3:6], self.predictor.filter_prior.noise
        return np.diag(variances[:3]) + variances[3] * np.outer(v, v)

    def mahalanobis2(self, y):
        """The squared innovation of a frame, in standard deviations."""
        H = np.zeros((3, len(self.x)))
        H[0, 0] = H[1, 1] = H[2, 2] = H[2, -1] = 1.0
        r = y - self.measure(self.x)
        return r @ np.linalg.solve(H @ self.P @ H.T + self.measurement_noise(), r)

    def update_frame(self, y):
        """Correct the estimate by a frame."""
        self.update(y, R=self.measurement_noise())
        self.P = 0.5 * (self.P + self.P.T)
        rows = self.to_unknowns(self.x[None])
        clamp(rows[0])
        self.x = rows[0, self.active_unknowns]

    def is_sound(self):
        """Whether the estimate is finite and has no negative variance."""
        return bool(np.isfinite(self.x).all() and np.isfinite(self.P).all() and (np.diag(self.P) > 0).all())

    def estimate(self):
        """Mean (16,) and covariance (16, 16) of the unknowns at the last frame."""
        covariance = np.zeros((UNKNOWNS, UNKNOWNS))
        covariance[np.ix_(self.active_unknowns, self.active_unknowns)] = self.P
        return self.to_unknowns(self.x[None])[0], covariance


def _upper(matrix):
    """U (D, D) of matrix = U^T U, also if rounding has made the matrix indefinite."""
    L = np.empty(matrix.shape)
    linear.cholesky_with_jitter(np.ascontiguousarray(matrix), posterior.JITTER, L)
    return L.T


@kernel
def propagate(sport, rows, dt):
    """Propagate unknowns (N, 16) by dt s, in place."""
    trajectory, jacobian, times, none = np.empty((1, 6)), np.empty((1, 3, UNKNOWNS)), np.full(1, dt), np.empty(0)
    for n in range(len(rows)):
        clamp(rows[n])
        flight = fly_ball(sport, to_launch(rows[n]), times, none, trajectory, jacobian, np.empty(0, CONTACT_DTYPE))
        for i in range(3):
            rows[n, i], rows[n, 3 + i], rows[n, 6 + i] = flight.position[i], flight.velocity[i], flight.spin[i]
