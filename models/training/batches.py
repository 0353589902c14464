"""Batches to train on: fresh simulated balls, what a network reads of them, and the truth it is to tell.

    batches = Batches(sport, "filter", batch=256, seed=0)
    batch = batches[7]            # the same to the bit whenever it is asked for: a Batch of arrays

Ball and choices of step k depend on (purpose, seed, k) alone. Of every sequence some frames are chosen, one in each
stretch of equal length, and at those the loss is taken: neighbours have much the same to say.
"""

from collections import namedtuple

import numpy as np

from ballcast import sim
from ballcast.models.encoding.features import FEATURE_SETS, FEATURE_SIZES, active_cholesky, extract
from ballcast.models.encoding.features import FRAMES as LAGS
from ballcast.models.encoding.nominal import (
    HORIZON_STEP,
    HORIZONS,
    LANDING_HORIZON,
    NOMINAL_FEATURES,
    fill_nominal_features,
    fill_nominal_start,
    free_flight_sd,
    nominal_trajectory,
)
from ballcast.models.estimation.fit import UNKNOWNS
from ballcast.models.estimation.kalman import make_filter_prior, new_filter_states
from ballcast.sim import rng
from ballcast.sim.jit import kernel
from ballcast.sim.kernels.compiled_sport import compile_sport

MAX_FRAMES, LOSS_FRAMES = 96, 16  # of a sequence, at most; and those with a loss
LAUNCH_FRACTION = 0.6  # share of the sequences that begin with the launch; the others anywhere
MIN_FRAMES = 24  # frames of a sequence that begins anywhere, where there are so many
GROUP, VARIANT_PERIOD = 32, 4  # balls that share a place; one group in so many lacks the optional surfaces
HEIGHT_OFFSET_SCALE = 0.001  # m: half of all trackers see the place less far off its height
MAX_HEIGHT_OFFSET = 0.05  # m: the most
TARGET_LIMIT = 30.0  # standard deviations, beyond which the truth is held
MIN_SD = 1e-5  # of the first standard deviation: an unknown that differs less is known

# arrays of B sequences: features (B, T, F) float32, times (B, T) s since the first, frames (B, N) chosen; at those base
# (B, N, SEEN), the baseline as it is shown, truth (B, N, D) beside the filter's belief in its standard deviations
# (None: not known), future (B, N, KNOTS, 3) and landing (B, N, 4) beside the baseline in its units, known (B, N, KNOTS)
# or None (all are), lands (B, N): 1, 0, or -1 if it is not known; unit (B, N, KNOTS, 3) m, what the future is told in;
# and the count of real frames
Batch = namedtuple(
    "Batch", "features times loss_frames nominal truth future future_known has_landing landing position_sd frame_count"
)


class Batches:
    """Batches of `batch` balls by number; of `ranks` processes number `rank` has its own slice of each.

    Of a sequence `chosen` frames have a loss; the truth is held `far` standard deviations from what it lies beside.
    """

    def __init__(
        self,
        sport,
        feature_set,
        batch=256,
        seed=0,
        purpose="train",
        rank=0,
        ranks=1,
        balls=None,
        loss_frames=LOSS_FRAMES,
        target_limit=TARGET_LIMIT,
    ):
        if batch % (GROUP * ranks):
            raise ValueError(f"--batch {batch}: a multiple of {GROUP * ranks}")
        self.sport, self.feature_set, self.seed, self.purpose, self.balls = sport, feature_set, seed, purpose, balls
        self.batch, self.local_batch, self.rank = batch, batch // ranks, rank
        self.loss_frames, self.target_limit = loss_frames, target_limit
        if balls is not None and len(balls) < GROUP:
            raise ValueError(f"--data: {len(balls)} balls are too few; at least {GROUP}")
        optional = [s.name for s in sport.surfaces if s.optional and balls is None]
        self.sport_variants = [sport, sport.without(*optional)] if optional else [sport]
        self.compiled_variants = [compile_sport(variant) for variant in self.sport_variants]
        self.filter_prior = make_filter_prior(sport)
        self.active_unknowns, self.size = active_unknowns(self.filter_prior), FEATURE_SIZES[feature_set] + 1

    def __getitem__(self, step):
        generator = np.random.default_rng((self.seed, rng.PURPOSES.index(self.purpose), step))
        height = HEIGHT_OFFSET_SCALE * np.tan(np.pi * (generator.random(self.batch) - 0.5))
        height = np.clip(height, -MAX_HEIGHT_OFFSET, MAX_HEIGHT_OFFSET)
        start_fraction, starts_late = generator.random(self.batch), generator.random(self.batch) > LAUNCH_FRACTION
        start_fraction = np.where(starts_late, start_fraction, 0.0)
        jitter = generator.random((self.batch, self.loss_frames))
        parts = []
        for first in range(self.rank * self.local_batch, (self.rank + 1) * self.local_batch, GROUP):
            rows = slice(first, first + GROUP)
            without_optional = len(self.sport_variants) > 1 and (first // GROUP) % VARIANT_PERIOD == 0
            number = step * self.batch + first
            parts.append(self._group(number, without_optional, height[rows], start_fraction[rows], jitter[rows]))
        *columns, counts = zip(*parts)
        return Batch(*(None if c[0] is None else np.concatenate(c) for c in columns), sum(counts))

    def _group(self, number, without_optional, height, start_fraction, jitter):
        """The Batch of GROUP balls, from ball `number` on."""
        sport = self.sport_variants[without_optional]
        balls = self._balls(sport, number)
        lengths = np.diff(balls.offsets)
        skipped = (start_fraction * np.maximum(lengths - MIN_FRAMES, 0)).astype(int)
        first, count = balls.offsets[:-1] + skipped, np.minimum(lengths - skipped, MAX_FRAMES)
        loss_frames = ((np.arange(self.loss_frames) + jitter) / self.loss_frames * count[:, None]).astype(int)
        loss_frames = np.minimum(loss_frames, count[:, None] - 1)
        observed = balls.position.copy()
        observed[:, 2] += np.repeat(height, lengths)
        features, times, x, variances, L = self.extract_features(
            without_optional, balls.time, observed, first, count, loss_frames
        )
        rows = first[:, None] + loss_frames
        truth = _true_unknowns(balls, rows, height)[..., self.active_unknowns] - x[..., self.active_unknowns]
        future, has_landing, landing = _future(balls, balls.time[rows])
        future[..., 2] += height[:, None, None]
        landing[..., 3] += height[:, None]
        nominal, position_sd = self.to_residuals(without_optional, x, variances, L, truth, future, landing)
        landing *= has_landing[..., None]
        targets = (
            np.clip(a, -self.target_limit, self.target_limit).astype(np.float32) for a in (truth, future, landing)
        )
        truth, future, landing = targets
        has_landing = has_landing.astype(np.float32)
        return (
            features,
            times,
            loss_frames,
            nominal,
            truth,
            future,
            None,
            has_landing,
            landing,
            position_sd,
            count.sum(),
        )

    def extract_features(self, without_optional, time, position, first, count, loss_frames):
        """What is read of B sequences, count (B,) frames from `first` on, of time (N,) s and places seen (N, 3) m.

        features (B, FRAMES, F), times (B, FRAMES) s since the first; and at the chosen frames (B, n) what baselines
        start from, x and sd, and the whitener L of the filter's belief.
        """
        shape, size = loss_frames.shape, len(self.active_unknowns)
        features = np.zeros((shape[0], MAX_FRAMES, self.size), np.float32)
        features[:, :, -1] = without_optional
        x, variances, L = np.zeros((*shape, UNKNOWNS)), np.zeros((*shape, 3, 3)), np.zeros((*shape, size, size))
        inputs = (
            FEATURE_SETS[self.feature_set],
            self.compiled_variants[without_optional],
            self.filter_prior,
            new_filter_states(1)[0],
        )
        _extract(*inputs, time, position, first, count, loss_frames, self.active_unknowns, features, x, variances, L)
        rows = first[:, None] + np.minimum(np.arange(MAX_FRAMES), count[:, None] - 1)
        return features, time[rows] - time[first][:, None], x, variances, L

    def to_residuals(self, without_optional, x, variances, L, truth, future, landing):
        """Turn the truth (B, n, D), the future (B, n, KNOTS, 3) and landings (B, n, 4) into what lies beside the filter
        and its forecast, in place; what is shown of that forecast (B, n, SEEN), and the unit (B, n, KNOTS, 3) m."""
        nominal = np.empty((*x.shape[:2], NOMINAL_FEATURES), np.float32)
        position_sd = np.empty((*x.shape[:2], HORIZONS, 3), np.float32)
        sport = self.compiled_variants[without_optional]
        _residuals(
            FEATURE_SETS[self.feature_set],
            sport,
            x,
            variances,
            L,
            nominal,
            position_sd,
            truth,
            future,
            landing,
        )
        return nominal, position_sd

    def _balls(self, sport, number):
        if self.balls is None:
            return sim.draw(sport, GROUP, first=number, seed=self.seed, purpose=self.purpose)
        return self.balls.balls(number % (len(self.balls) // GROUP * GROUP), GROUP)


def active_unknowns(prior):
    """The unknowns (D,) that differ from ball to ball."""
    return np.flatnonzero(np.sqrt(np.diag(prior.covariance)) > MIN_SD)


def _true_unknowns(balls, rows, height):
    """The unknowns (B, N, SIZE) at frames `at` (B, N)."""
    state = [a[rows] for a in (balls.truth_position, balls.truth_velocity, balls.truth_spin)]
    parameters = np.concatenate([np.log(balls.parameters[:, :4]), balls.parameters[:, 4:], height[:, None]], 1)
    return np.concatenate([*state, np.broadcast_to(parameters[:, None], (*rows.shape, parameters.shape[1]))], 2)


def _future(balls, t):
    """After times t (B, N) s: places (B, N, KNOTS, 3), whether a landing comes (B, N), and when and where (B, N, 4)."""
    count, loss_frames = t.shape
    t = np.maximum.accumulate(t + 1e-9 * np.arange(loss_frames), axis=1)  # short tracks have frames chosen twice
    times, order = np.empty((count, loss_frames * HORIZONS + 1)), np.empty((count, loss_frames * HORIZONS), int)
    _merge_times(t, times, order)
    times[:, -1] = np.maximum(times[:, -2] + 1e-6, t[:, -1] + LANDING_HORIZON)
    flight = balls.flight(times)
    future = np.take_along_axis(flight.position, order[:, :, None], 1).reshape(count, loss_frames, HORIZONS, 3)
    impacts = flight.impacts
    is_landing = np.isin(impacts.surface, balls.sport.landing_surfaces)
    ball, landing_time, landing_position = (
        impacts.ball[is_landing],
        impacts.time[is_landing],
        impacts.position[is_landing],
    )
    stride = times.max() + 1.0  # so that one sorted row holds all balls
    n = np.searchsorted(ball * stride + landing_time, np.arange(count)[:, None] * stride + t, side="right")
    has_landing = np.append(ball, -1)[n] == np.arange(count)[:, None]
    n = np.minimum(n, len(ball) - 1)
    has_landing &= landing_time[n] - t < LANDING_HORIZON
    landing = np.concatenate([(landing_time[n] - t)[..., None], landing_position[n]], 2)
    return future, has_landing, landing


@kernel
def _merge_times(t, times, order):
    """Sort t[b, n] + STEP * (j + 1) into times[b]; order[b, n * KNOTS + j] is where it went."""
    for b in range(len(t)):
        cursor, previous = np.zeros(HORIZONS, np.int64), -1.0
        for m in range(t.shape[1] * HORIZONS):
            earliest, j = np.inf, 0
            for k in range(HORIZONS):
                if cursor[k] < t.shape[1] and t[b, cursor[k]] + HORIZON_STEP * (k + 1) < earliest:
                    earliest, j = t[b, cursor[k]] + HORIZON_STEP * (k + 1), k
            previous = max(earliest, previous + 1e-12)
            times[b, m] = previous
            order[b, cursor[j] * HORIZONS + j] = m
            cursor[j] += 1


@kernel
def _residuals(feature_set, sport, x, variances, L, nominal, position_sds, truth, future, landings):
    """See Batches.beside."""
    nominal_landing, landing_sd, axis_sd = np.empty(4), np.empty(4), np.empty(3)
    positions, times = np.empty((HORIZONS, 3)), HORIZON_STEP * np.arange(1, HORIZONS + 1)
    for b in range(truth.shape[0]):
        for n in range(truth.shape[1]):
            nominal_trajectory(
                feature_set, sport, x[b, n], variances[b, n], times, positions, nominal_landing, landing_sd
            )
            fill_nominal_features(positions, nominal_landing, x[b, n], nominal[b, n])
            for k in range(HORIZONS):
                free_flight_sd(variances[b, n], times[k], axis_sd)
                for i in range(3):
                    position_sds[b, n, k, i] = axis_sd[i]
                    future[b, n, k, i] = (future[b, n, k, i] - positions[k, i]) / axis_sd[i]
            for i in range(4):
                landings[b, n, i] = (landings[b, n, i] - nominal_landing[i]) / landing_sd[i]
            if feature_set == LAGS:
                continue
            for i in range(truth.shape[2]):
                a = truth[b, n, i]
                for j in range(i):
                    a -= L[b, n, i, j] * truth[b, n, j]
                truth[b, n, i] = a / L[b, n, i, i]


@kernel
def _extract(
    feature_set, sport, prior, state, time, position, first, count, loss_frames, active, features, x, variances, L
):
    """See Batches.look."""
    for b in range(len(first)):
        state.frames, n = 0, 0
        for k in range(count[b]):
            row = features[b, k]
            extract(feature_set, sport, prior, state, time[first[b] + k], position[first[b] + k], row[:-1])
            while n < loss_frames.shape[1] and loss_frames[b, n] == k:
                fill_nominal_start(feature_set, state, row, x[b, n], variances[b, n])
                active_cholesky(state.P, active, L[b, n])
                n += 1
