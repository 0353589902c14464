"""One predictor on one ball: the frames that it got, every forecast that it made, and their errors.

Forecasts are not scored across a hit: they say where the ball goes if nobody hits it. From pixels a forecast takes
longer than a frame of the window; then it is made in a thread, and appears as soon as it is there.

Everything is kept for as long as the show can be rewound, so that a past moment looks as it did.
"""

from bisect import bisect_right
from operator import attrgetter, itemgetter
from typing import NamedTuple

import numpy as np

from ballcast import models
from ballcast.tracks import PixelTrack
from ballcast.viewer.playback import sight
from ballcast.viewer.playback.thread import ThreadedStream

LEAD_TIMES = (0.1, 0.2, 0.4)  # s ahead at which forecasts are scored
LANDING_TOLERANCE = 0.05  # s by which a forecast may be older than its lead time before a landing
REPLAY_FRAMES = 1000  # frames that a predictor gets again when the ball continues differently
GATE_GROUPS, SORT_FRAME = 32, 8  # groups of a GRU's units; the frame by whose gates they are formed
LATENCY_SMOOTHING = 0.9  # weight of the earlier latencies in the mean that is shown
_made_at, _time = attrgetter("made_at"), itemgetter(0)  # of a forecast, of a frame that was read


class StampedForecast(NamedTuple):
    """A forecast as drawn and scored; landing and belief as in models, or None."""

    made_at: float  # s
    times: np.ndarray  # (H,) s
    mean: np.ndarray  # (H, 3) m
    covariance: np.ndarray | None  # (H, 3, 3) m2
    landing: object
    belief: object


class Forecaster:
    """A predictor's stream on a ball. `number`: of the predictor in the pool; `latency` in s, with a clock.

    problem  why it cannot forecast this ball, one line; else ""
    """

    def __init__(self, predictor, remark, number, ball, lead_times, clock=None):
        self.predictor, self.remark, self.number = predictor, remark, number
        self.ball, self.lead_times, self.clock, self.latency = ball, lead_times, clock, None
        self.sees_pixels = isinstance(ball.frames, PixelTrack)
        self.has_gates = getattr(predictor, "has_gates", False) and not self.sees_pixels
        self.problem = sight.refusal(predictor) if self.sees_pixels else ""
        self.stream = self._new_stream()
        self.frames_fed, self.landings_scored = 0, 0
        self.forecasts, self._pending_scores, self._landings = [], [], []
        self._read, self._gates = [], []  # of each frame: time, features, hidden state; gates, once asked for
        self._scores = {lead_time: ([], []) for lead_time in LEAD_TIMES}  # times s, errors m
        self._rows = np.searchsorted(lead_times, LEAD_TIMES)

    def update(self, now, hidden_frames):
        """Observe the frames up to `now` that are not hidden (T,), forecast, score forecasts for times now past."""
        frames = self.ball.frames
        arrived = int(np.searchsorted(frames.time, now, side="right"))
        began = self.clock() if self.clock else 0.0
        try:
            for row in range(self.frames_fed, arrived):
                if not (hidden_frames[row] or self.problem):
                    self._observe(row)
            if 0 < arrived < len(frames) and not self.problem:
                self._forecast(now)
                if self.clock and not self._is_threaded:
                    self._took(self.clock() - began)
        except ValueError as error:
            if not self.sees_pixels:
                raise
            self.problem = str(error)
        self.frames_fed = arrived
        self._score(now)
        self._score_landings(now)

    def forget(self, before):
        self.forecasts = [forecast for forecast in self.forecasts if forecast.made_at >= before]
        self._read, self._gates = [read for read in self._read if read[0] >= before], []
        for times, errors in self._scores.values():
            count = bisect_right(times, before)
            del times[:count], errors[:count]

    def branch(self, ball, now, hidden_frames):
        """Continue with another ball, which was the same until `now`: everything later is discarded."""
        self.ball, self.frames_fed = ball, int(np.searchsorted(ball.frames.time, now, side="right"))
        self.forecasts = self.forecasts[: bisect_right(self.forecasts, now, key=_made_at)]
        points = [point for forecast in self.forecasts for point in self._scored_points(forecast)]
        self._pending_scores = [point for point in points if point[0] > now]
        for times, errors in self._scores.values():
            count = bisect_right(times, now)
            del times[count:], errors[count:]
        self._landings = [landing for landing in self._landings if landing[0] <= now]
        self.landings_scored = int(np.searchsorted(ball.landing_time, now, side="right"))
        self.stream, self._read, self._gates = self._new_stream(), [], []
        for row in () if self.problem else np.flatnonzero(~hidden_frames[: self.frames_fed])[-REPLAY_FRAMES:]:
            self._observe(row)

    def forecast(self, now):
        """The latest forecast made up to `now`, or None."""
        index = bisect_right(self.forecasts, now, key=_made_at)
        return self.forecasts[index - 1] if index else None

    def errors(self, now):
        """lead time -> errors (m) of the forecasts for times up to `now`."""
        return {lead_time: errors[: bisect_right(times, now)] for lead_time, (times, errors) in self._scores.items()}

    def error_series(self, lead_time, now):
        """The errors at a lead time, in order: the times forecast (N,) s, and distances (N,) m."""
        times, errors = self._scores[lead_time]
        count = bisect_right(times, now)
        return np.array(times[:count]), np.array(errors[:count])

    def gates(self, now):
        """Times (T,) s of the frames and a GRU's gates at them in 255ths, update and reset (T, 2, GATE_GROUPS)."""
        count, cached = bisect_right(self._read, now, key=_time), len(self._gates)
        if cached < count:
            _, features, hidden = map(np.array, zip(*self._read[cached:count]))
            gates = self.predictor.gates(features, hidden)
            if not cached:
                order = np.argsort(gates[min(SORT_FRAME, count) - 1, 0])  # units of similar update gates are one group
                self._order = order[: len(order) // GATE_GROUPS * GATE_GROUPS].reshape(GATE_GROUPS, -1)
                self._gates = np.empty((0, 2, GATE_GROUPS), np.uint8)
            self._gates = np.concatenate([self._gates, (255 * gates[:, :, self._order].mean(-1)).astype(np.uint8)])
        return np.array([read[0] for read in self._read[:count]]), self._gates[:count]

    def landing_errors(self, now):
        """lead time -> errors (m, s) of the forecasts of the last landing before `now`."""
        return next((errors for time, errors in reversed(self._landings) if time <= now), {})

    @property
    def _is_threaded(self):
        return self.sees_pixels and self.clock is not None

    def _new_stream(self):
        stream = self.predictor.stream()
        return ThreadedStream(stream) if self._is_threaded else stream

    def _observe(self, row):
        """Give a frame to the stream. ValueError if it cannot take pixels."""
        if self._is_threaded:
            return self.stream.observe(self.ball.frames, row)
        hidden = self.stream.hidden if self.has_gates else None
        sight.observe(self.stream, self.ball.frames, row)
        if self.has_gates:
            self._read.append((self.ball.frames.time[row], self.stream.features, hidden))

    def _forecast(self, now):
        times = now + self.lead_times
        if self._is_threaded:
            answer = self.stream.ask(now, times)
            if answer is not None and answer.forecast is not None:
                self._took(answer.seconds)
                self._keep(answer.now, answer.times, answer.forecast)
            return
        try:
            forecast = self.stream.forecast(times)
        except models.HistoryTooShort:
            return
        self._keep(now, times, forecast)

    def _keep(self, now, times, forecast):
        """Keep a forecast; one with numbers that are not finite is none."""
        if not np.isfinite(forecast.mean).all():
            return
        outputs = np.asarray(forecast.mean), forecast.covariance, forecast.landing, forecast.belief
        self.forecasts.append(StampedForecast(now, times, *outputs))
        self._pending_scores += self._scored_points(self.forecasts[-1])

    def _took(self, seconds):
        """Smooth the latency."""
        earlier = seconds if self.latency is None else self.latency
        self.latency = LATENCY_SMOOTHING * earlier + (1 - LATENCY_SMOOTHING) * seconds

    def _scored_points(self, forecast):
        """The points of a forecast to be scored: (time, lead time, position) each."""
        return [(forecast.times[row], lead_time, forecast.mean[row]) for lead_time, row in zip(LEAD_TIMES, self._rows)]

    def _score(self, now):
        due = [entry for entry in self._pending_scores if entry[0] <= now]
        self._pending_scores = [entry for entry in self._pending_scores if entry[0] > now]
        for time, lead_time, position in due:
            if self.ball.is_known_at(time) and not self.ball.is_hit(time - lead_time, time):
                self._scores[lead_time][0].append(time)
                self._scores[lead_time][1].append(float(np.linalg.norm(position - self.ball.state_at(time)[0])))

    def _score_landings(self, now):
        """When the ball has landed: the errors of the landing forecast at each lead time before."""
        ball = self.ball
        while self.landings_scored < len(ball.landing_time) and ball.landing_time[self.landings_scored] <= now:
            time, position = ball.landing_time[self.landings_scored], ball.landing_position[self.landings_scored]
            earlier = ball.landing_time[self.landings_scored - 1] if self.landings_scored else -np.inf
            errors = {}
            for lead_time in LEAD_TIMES:
                forecast = self.forecast(time - lead_time + 1e-9)
                oldest = max(earlier, time - lead_time - LANDING_TOLERANCE)
                is_due = forecast and forecast.made_at >= oldest and not ball.is_hit(forecast.made_at, time)
                if is_due and forecast.landing is not None:
                    distance = float(np.linalg.norm(forecast.landing.position - position))
                    errors[lead_time] = (distance, float(forecast.landing.time - time))
            self._landings.append((time, errors))
            self.landings_scored += 1
