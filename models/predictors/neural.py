"""Trained networks as predictors: what they read, what they remember, and many balls at once.

    predictor = load("gru", sport="table_tennis")
    batch = predictor.streams(1000)             # many balls at once
    batch.observe(time, position)               # (B,) s and (B, 3) m; NaN if a ball was not seen
    batch.forecast(times)                       # a BatchForecast: arrays with the balls first
    batch.forecasts(times)                      # one Forecast per ball

Everything between the frames and the forecast is compiled; torch is not imported.
"""

import copy
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ballcast.models.contract import (
    AHEAD,
    Forecast,
    Predictor,
    Stream,
    compiled_arrays,
    expected_landing,
    measured,
    times_ahead,
)
from ballcast.models.encoding.features import FEATURE_SIZES, extract, make_frontend
from ballcast.models.estimation import filter_state, unknowns
from ballcast.models.estimation.posterior import keep_above
from ballcast.models.frame_gate import RESTARTED, FrameGate, FrameStatus
from ballcast.models.predictors.pixel_frames import check_started
from ballcast.models.registry import WEIGHTS_OF, check_weights, require_weights, variance_factors
from ballcast.models.runtime import weights
from ballcast.models.runtime.network import TRUNK_KINDS, advance, pack_weights, standardise, state_size
from ballcast.sim import Sport
from ballcast.sim.engine import run_in_threads
from ballcast.sim.jit import kernel
from ballcast.sim.kernels.borrowed import borrowed
from ballcast.sim.kernels.packed import Packed, pack
from ballcast.tracks import Camera, PixelTrack, RepeatFilters, Track

if TYPE_CHECKING:
    from ballcast.models.crossing import BatchCrossing
    from ballcast.models.estimation.candidates import Association
    from ballcast.models.predictors.pixel_stream import PixelStreamFilter

READS = {"filter": "the filter", "frames": "the last positions", "raw": "positions"}  # by the name of the features
MIN_BALLS_PER_THREAD = 64  # with fewer balls a second thread costs more than it gains


class Memory(NamedTuple):
    """What is remembered of B balls: arrays with the balls first."""

    filter_states: np.ndarray  # (B,) FILTER_STATE_DTYPE
    hidden: np.ndarray  # (B, H) float32, what the heads of the network read
    cell_state: np.ndarray  # (B, M) float32, what else the network remembers
    features: np.ndarray  # (B, F + 1) float32, of the last frame, standardised
    raw_features: np.ndarray  # (B, F + 1)


class BatchForecast(NamedTuple):
    """Forecasts of B balls at H times: arrays with the balls first; those that a predictor does not give are empty."""

    mean: np.ndarray  # (B, H, 3) m
    covariance: np.ndarray  # (B, H, 3, 3) m2
    samples: np.ndarray  # (B, K, H, 3) m
    probability: np.ndarray  # (B,) of a landing
    landing: np.ndarray  # (B, 4) its time (s after the last frame) and position (m)
    landing_covariance: np.ndarray  # (B, 4, 4)
    velocity: np.ndarray  # (B, H, 3) m/s
    velocity_covariance: np.ndarray  # (B, H, 3, 3) (m/s)2
    x: np.ndarray  # (B, 16) the unknowns at the last frame
    P: np.ndarray  # (B, 16, 16)

    @property
    def path_spread(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What a crossing needs beside the mean: velocity, covariance and samples."""
        return self.velocity, self.covariance, self.samples


class NeuralPredictor(Predictor):
    """A network made by train.py, with a sport's shipped weights or those of a file."""

    side_information = "sport, by its weights"
    window = filter_state.HISTORY_FRAMES  # frames that are kept
    sample_count, has_belief, has_velocity, has_velocity_covariance = 0, False, True, False  # what its forecasts hold
    sample_dtype: type[np.floating] = np.float64

    def __init__(self, sport: Sport, path: Path | str | None = None):
        super().__init__(sport)
        path = path or require_weights(self.name, sport)
        self.info, tensors = weights.read(path)
        check_weights(self.info, WEIGHTS_OF.get(self.name, self.info["model"]), sport, path)
        feature_set = self.info["kind"]
        self.reads = READS[feature_set]
        if self.info["shape"]["features"] != FEATURE_SIZES[feature_set] + 1:
            raise ValueError(f"{path}: weights of another Ballcast, which read other features; train them anew")
        self.tensors = {name: a.astype(float) for name, a in tensors.items()}
        self.network = pack_weights(self.info["shape"], tensors)
        self.frontend, self.factors = make_frontend(sport, feature_set), variance_factors(self.info, sport)
        self.active_unknowns, self.ground = self.frontend.scales.active, sport.ground
        self._of_cameras: dict[str, NeuralPredictor] = {}

    def forecast(self, history: Track | PixelTrack, times: ArrayLike) -> Forecast:
        if not isinstance(history, Track):
            return self.forecast_pixels(history, times)
        history = measured(history)
        return self.forecast_batch([history], self.check_times(history.time, times)[None])[0]

    def forecast_pixels(self, history: PixelTrack, times: ArrayLike) -> Forecast:
        stream = self.stream()
        stream.observe_pixels(history)
        return stream.forecast(times)

    def forecast_batch(self, tracks: Sequence[Track], times: ArrayLike) -> list[Forecast]:
        if any(not isinstance(track, Track) for track in tracks):
            return super().forecast_batch(tracks, times)
        times, tracks = np.asarray(times, float), [measured(track) for track in tracks]
        rows = times if times.ndim == 2 else [times] * len(tracks)
        rows = np.array([self.check_times(track.time, row) for track, row in zip(tracks, rows, strict=True)])
        counts = np.array([len(track) for track in tracks])
        time, position = np.full((counts.max(), len(tracks)), np.nan), np.full((counts.max(), len(tracks), 3), np.nan)
        for n, track in enumerate(tracks):
            time[: counts[n], n], position[: counts[n], n] = track.time, track.position
        batch = self.streams(len(tracks))
        batch.observe_tracks(time, position, counts)
        return batch.forecasts(rows)

    def stream(self) -> "NeuralStream":
        return NeuralStream(self)

    def streams(self, count: int) -> "StreamBatch":
        """A StreamBatch of `count` balls."""
        return StreamBatch(self, count)

    def use_factors(self, factors: dict) -> None:
        """Scale covariances by these factors on variances, as variance_factors of the registry gives them."""

    def leave_means(self) -> None:
        """Correct no mean of the filter, only the spread."""

    def of_cameras(self, count: int) -> "NeuralPredictor":
        """This predictor for balls that so many cameras saw, if its weights have learnt from such balls: with the
        filter's own means, and with their factors."""
        if not self.info.get("pixels"):
            return self
        seen_by = "one" if count == 1 else "several"
        if seen_by not in self._of_cameras:
            other = copy.copy(self)
            other.leave_means()
            other.use_factors(self.factors | self.factors.get("pixels", {}).get(seen_by, {}))
            self._of_cameras[seen_by] = other
        return self._of_cameras[seen_by]

    @property
    def has_gates(self) -> bool:
        """Whether the network is a GRU, whose gates can be read."""
        return TRUNK_KINDS[self.network.trunk_kind] == "gru"

    def gates(self, features: np.ndarray, hidden: np.ndarray) -> np.ndarray:
        """A GRU's update and reset gates (T, 2, H) at frames of features (T, F), with `hidden` (T, H) before each.
        Update is the fraction that is new; reset is 1 where the old is read in full."""
        network, size = self.network, hidden.shape[1]
        a = features @ network.input_weight + network.input_bias
        b = hidden @ network.hidden_weight + network.hidden_bias
        reset, retain = np.split(1 / (1 + np.exp(-(a + b)[:, : 2 * size])), 2, axis=1)
        return np.stack([1 - retain, reset], axis=1)

    def allocate(self, count: int, horizons: int) -> BatchForecast:
        """A BatchForecast of that many balls and times, to be filled."""
        path, size = (count, horizons), unknowns.UNKNOWNS if self.has_belief else 0
        samples = np.empty((count, self.sample_count, horizons, 3), self.sample_dtype)
        belief = np.zeros((count, size)), np.zeros((count, size, size))
        landing = np.empty(count), np.empty((count, 4)), np.empty((count, 4, 4))
        horizons_of = [horizons if has_it else 0 for has_it in (self.has_velocity, self.has_velocity_covariance)]
        velocity = np.empty((count, horizons_of[0], 3)), np.empty((count, horizons_of[1], 3, 3))
        return BatchForecast(np.empty((*path, 3)), np.empty((*path, 3, 3)), samples, *landing, *velocity, *belief)

    def pack(self, memory: Memory) -> Packed:
        """What the kernels of a network take: what turns frames into features, the network, and a Memory."""
        return pack((self.frontend, self.network, memory))

    def predict_into(self, balls: Packed, times: np.ndarray, out: BatchForecast) -> None:
        """Fill `out` with forecasts of the balls of a packed Memory at times (B, H) s after their last frames."""
        raise NotImplementedError

    def to_forecast(self, batch: BatchForecast, n: int, last: float, times: np.ndarray) -> Forecast:
        """The Forecast of ball n at times (H,) s, in the tracker's frame; its last frame is at `last` s."""
        mean, covariance, samples, *landing, velocity, velocity_covariance, x, P = (a[n] for a in batch)
        belief = unknowns.to_belief(x, P) if self.has_belief else None
        paths, expected = samples if self.sample_count else None, expected_landing(last, *landing)
        moving, spread = (a if len(a) else None for a in (velocity, velocity_covariance))
        forecast = Forecast(mean, covariance, paths, expected, belief, moving, spread, times)
        return self.to_tracker_frame(forecast)


class StreamBatch:
    """Many balls at once: constant time and memory per frame, however long."""

    def __init__(self, predictor: NeuralPredictor, count: int):
        network, units = predictor.network, predictor.info["shape"]["units"]
        hidden, cell_state = np.zeros((count, units), np.float32), np.zeros((count, state_size(network)), np.float32)
        features = np.zeros((count, len(network.feature_mean)), np.float32)
        self.predictor, self._repeats = predictor, RepeatFilters(count)
        filter_states = filter_state.new_filter_states(count)
        self.memory = Memory(filter_states, hidden, cell_state, features, np.zeros(features.shape))
        self.filter_states, self.hidden, self.cell_state, self.features, _ = self.memory
        self.packed = predictor.pack(self.memory)

    def observe(self, time: ArrayLike, position: ArrayLike) -> np.ndarray:
        """Add a frame of each ball: time (B,) s, position (B, 3) m; NaN if a ball was not seen. Which (B,) were taken.
        Late frames, and those that measure nothing, held or (0, 0, 0), are left out, see tracks/held.py."""
        time, position = compiled_arrays(time, position)
        placed = self.predictor.to_sport_frame(position)
        rows = np.flatnonzero(np.isfinite(time) & np.isfinite(position).all(axis=1))
        is_late = time[rows] <= filter_state.last_times(self.filter_states)[rows]
        rows = rows[~(is_late & (self.filter_states["frames"][rows] > 0))]
        rows = rows[self._repeats.measured(rows, time[rows], position[rows])]
        packed = self.packed
        run_in_threads(lambda a, b: observe_frame(packed, rows[a:b], time, placed), len(rows), MIN_BALLS_PER_THREAD)
        is_taken = np.zeros(len(time), bool)
        is_taken[rows] = True
        return is_taken

    def restart(self, rows: ArrayLike | None = None) -> None:
        """Forget everything about balls `rows` (n,), by default all: new balls begin."""
        which = slice(None) if rows is None else np.asarray(rows)
        for array in self.memory:
            array[which] = np.zeros((), array.dtype)
        self._repeats.restart(which)

    def observe_tracks(self, time: np.ndarray, position: np.ndarray, counts: np.ndarray) -> None:
        """Add the first counts[b] frames of each ball: time (T, B) s, position (T, B, 3) m, contiguous."""
        packed, rows = self.packed, np.argsort(-counts, kind="stable")
        frames = counts, time, self.predictor.to_sport_frame(position)
        run_in_threads(lambda a, b: observe_tracks(packed, rows[a:b], *frames), len(rows), MIN_BALLS_PER_THREAD)

    def forecast(self, times: ArrayLike) -> BatchForecast:
        """Forecasts of all balls at times (H,) or (B, H) s, in the sport's frame."""
        times = np.broadcast_to(np.asarray(times, float), (len(self.hidden), np.shape(times)[-1]))
        lead_times = times - filter_state.last_times(self.filter_states)[:, None]
        whole = self.predictor.allocate(*lead_times.shape)

        def work_chunk(first, last):
            rows = slice(first, last)
            part = self.predictor.pack(Memory(*(a[rows] for a in self.memory)))
            self.predictor.predict_into(part, lead_times[rows], BatchForecast(*(a[rows] for a in whole)))

        run_in_threads(work_chunk, len(lead_times), MIN_BALLS_PER_THREAD)
        keep_above(self.predictor.ground, whole.mean)
        return whole

    def forecasts(self, times: ArrayLike) -> list[Forecast]:
        """One Forecast per ball."""
        prediction, last = self.forecast(times), filter_state.last_times(self.filter_states)
        rows = np.broadcast_to(np.asarray(times, float), (len(last), np.shape(times)[-1]))
        return [self.predictor.to_forecast(prediction, n, last[n], rows[n]) for n in range(len(last))]

    def at_plane(self, normal: ArrayLike, offset: float, within: float = AHEAD) -> "BatchCrossing":
        """The first crossings of a plane by all balls within so many seconds after their last frames, in the sport's
        frame, as Forecast.at_plane."""
        from ballcast.models import crossing  # here: what is compiled does not depend on it

        return self._first_crossings(crossing.plane(normal, offset), within)

    def at_sphere(self, centre: ArrayLike, radius: float, within: float = AHEAD) -> "BatchCrossing":
        """When all balls first come within reach, as Forecast.at_sphere."""
        from ballcast.models import crossing

        return self._first_crossings(crossing.sphere(centre, radius), within)

    def _first_crossings(self, surface, within):
        from ballcast.models import crossing

        times = filter_state.last_times(self.filter_states)[:, None] + times_ahead(within)
        is_known = self.filter_states["frames"] >= self.predictor.min_frames
        return crossing.first_crossings(surface, times, self.forecast(times), is_known)


class NeuralStream(Stream):
    """One ball observed live."""

    predictor: NeuralPredictor

    def __init__(self, predictor: NeuralPredictor):
        self.predictor, self.batch = predictor, predictor.streams(1)
        self._row, self._time, self._position = np.zeros(1, int), np.zeros(1), np.zeros((1, 3))
        self._gate, self._forecaster = FrameGate(), predictor
        self._pixels: "PixelStreamFilter | None" = None  # noqa: UP037

    @property
    def frames(self) -> tuple[np.ndarray, np.ndarray]:
        return filter_state.kept_frames(self.batch.filter_states[0])

    @property
    def hidden(self) -> np.ndarray:
        """What the network remembers now, (H,)."""
        return self.batch.hidden[0].copy()

    @property
    def features(self) -> np.ndarray:
        """The features of the last frame, (F + 1,), standardised."""
        return self.batch.features[0].copy()

    @property
    def last_time(self) -> float:
        state = self.batch.filter_states[0]
        return float(state["recent_frames"][0, 0]) if state["frames"] else -math.inf

    def observe(self, time: float, position: ArrayLike) -> FrameStatus:
        if self._pixels and self._pixels.has_frames:
            raise ValueError("this stream has seen pixels; begin another one for positions")
        return super().observe(time, position)

    def _take(self, frame: tuple[float, float, float, float]) -> None:
        self._time[0], self._position[0] = frame[0], frame[1:]
        self._position[0] = self.predictor.to_sport_frame(self._position[0])
        if self._forecaster is not self.predictor:
            self._use(self.predictor)
        observe_frame(self.batch.packed, self._row, self._time, self._position)

    def _is_outlier(self) -> bool:
        return bool(self.batch.filter_states["consecutive_outliers"][0])

    def observe_pixel(
        self, time: float, pixel: ArrayLike, camera: Camera, diameter: float | None = None
    ) -> FrameStatus:
        state = self.batch.filter_states[0]
        if self._pixels is None:
            from ballcast.models.predictors.pixel_stream import PixelStreamFilter  # when it is used: few take pixels

            own, size = self.predictor, self.batch.hidden.shape[1] + self.batch.cell_state.shape[1]
            self._pixels = PixelStreamFilter(own.name, own.sport, own.frontend, size)
        if state["frames"] and not self._pixels.has_frames:
            raise ValueError("this stream has seen positions; begin another one for pixels")
        self._time[0] = time
        frame = self._row, self._time, pixel, camera, diameter
        status = self._pixels.observe(self.batch.packed, state, *frame)
        if status is RESTARTED:
            self.restart()
            self._pixels.observe(self.batch.packed, state, *frame)
        forecaster = self.predictor.of_cameras(self._pixels.camera_count)
        if self._forecaster is not forecaster:
            self._use(forecaster)
        return status

    def restart_near(self, position: ArrayLike, covariance: ArrayLike, probability: float = 1.0) -> None:
        """As restart, where the new ball is first seen by cameras near a position (3,) m, known with a covariance
        (3, 3) m2, with this probability, else anywhere: a ball that was hit goes on from there, if it was the ball."""
        self.restart()
        if self._pixels is not None:
            place = np.asarray(position, float), np.asarray(covariance, float)
            self._pixels.filter.expect_near(*place, probability)

    @property
    def last_contact(self) -> float:
        """When the ball that pixels show touched something last, s; -inf if it has not, as far as is known."""
        return float(self.batch.filter_states[0]["last_contact_time"])

    def observe_candidates(
        self, time: float, pixels: ArrayLike, scores: ArrayLike, camera: Camera, diameters: ArrayLike | None = None
    ) -> "Association":
        """Take a frame by its candidates for the ball, most of which may be clutter: pixels (N, 2); scores (N,), by
        looks alone the probability of each, in (0, 1]; diameters (N,) px, NaN where not measured. N may be 0.
        HistoryTooShort before the first fit, whose frames come by observe_pixel; ValueError for anything else."""
        state = self.batch.filter_states[0]
        if state["frames"] and not (self._pixels and self._pixels.has_frames):
            raise ValueError("this stream has seen positions; begin another one for pixels")
        check_started(self.predictor.name, self._pixels is not None)
        assert self._pixels is not None
        self._time[0] = time
        return self._pixels.observe_candidates(self.batch.packed, state, self._time, pixels, scores, camera, diameters)

    def _use(self, forecaster):
        """Read frames and forecast by another form of the predictor."""
        self._forecaster, self.batch.packed = forecaster, forecaster.pack(self.batch.memory)

    def observe_pixels(self, track: PixelTrack) -> None:
        """Add the frames of a PixelTrack."""
        sizes = np.full(len(track), np.nan) if track.diameter is None else track.diameter
        for t, pixel, c, size in zip(track.time, track.pixel, track.camera, sizes, strict=True):
            self.observe_pixel(float(t), pixel, track.cameras[c], float(size) if np.isfinite(size) else None)
        if self._pixels is not None:
            self._pixels.finish(self.batch.packed, self.batch.filter_states[0], self._time)

    def restart(self) -> None:
        self.batch.restart()
        self._gate.restart()
        if self._pixels is not None:
            self._pixels.restart()

    def forecast(self, times: ArrayLike) -> Forecast:
        state = self.batch.filter_states[0]
        frame_times = state["recent_frames"][: min(state["frames"], self.predictor.min_frames), 0][::-1]
        times = self.predictor.check_times(frame_times, times)
        prediction = self.predictor.allocate(1, len(times))
        self._forecaster.predict_into(self.batch.packed, times[None] - frame_times[-1], prediction)
        keep_above(self.predictor.ground, prediction.mean)
        return self.predictor.to_forecast(prediction, 0, frame_times[-1], times)


@kernel
def observe_frame(packed, rows, time, position):
    """Add a frame of balls `rows` (n,) of a packed Memory: time (B,) s, position (B, 3) m."""
    frontend, network, memory = borrowed(packed.value)
    raw_features, hidden = memory.raw_features, memory.hidden
    mean, scale_inverse = network.feature_mean, network.feature_scale_inverse
    for n in range(len(rows)):
        if n + 1 < len(rows):
            filter_state.prefetch_state(memory.filter_states, rows[n + 1])
        b = rows[n]
        extract(frontend, memory.filter_states[b], time[b], position[b], raw_features[b])
    if len(rows) == len(hidden):
        memory.features[:] = standardise(raw_features, mean, scale_inverse)
        advance(network, memory.features, time, hidden, memory.cell_state, np.arange(len(rows)))
        return
    new_features, new_hidden = standardise(raw_features[rows], mean, scale_inverse), hidden[rows]
    advance(network, new_features, time[rows], new_hidden, memory.cell_state, rows)
    for k in range(len(rows)):
        memory.features[rows[k]], hidden[rows[k]] = new_features[k], new_hidden[k]


@kernel
def observe_tracks(packed, rows, counts, time, position):
    """Add the first counts[b] frames of balls `rows` (n,), those with most frames first: time (T, B) s."""
    remaining = len(rows)
    for k in range(counts[rows[0]]):
        while counts[rows[remaining - 1]] <= k:
            remaining -= 1
        observe_frame(packed, rows[:remaining], time[k], position[k])
