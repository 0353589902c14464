"""Batches to train on: fresh simulated balls, the features of their frames, and the targets.

    batches = Batches(sport, "filter", batch=256, seed=0)
    batch = batches[7]            # a Batch of arrays; the same to the bit each time

The balls and random choices of batch k depend on (purpose, seed, k) alone; so does the sport of each group of GROUP
balls, if there are several (sports.py). The loss is computed at some frames of every
sequence, one in each stretch of equal length, because neighbouring frames teach much the same.
"""

import contextlib
import itertools
from collections import deque, namedtuple
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ballcast import sim
from ballcast.models.encoding.features import (
    FEATURE_SETS,
    FEATURE_SIZES,
    FILTER,
    FeatureFrontend,
    active_cholesky,
    extract,
)
from ballcast.models.encoding.nominal import (
    CONTACT_FEATURES,
    HORIZON_STEP,
    HORIZONS,
    LANDING_HORIZON,
    NOMINAL_FEATURES,
    NOMINAL_SIZES,
    fill_nominal_features,
    fill_nominal_start,
    free_flight_sd,
    nominal_trajectory,
)
from ballcast.models.estimation.filter_state import new_filter_states, summary
from ballcast.models.estimation.unknowns import UNKNOWNS
from ballcast.models.training.sports import SportPool
from ballcast.sim import rng
from ballcast.sim.jit import kernel
from ballcast.sim.kernels.borrowed import borrowed
from ballcast.sim.sensor import frame_height

MAX_FRAMES, LOSS_FRAMES = 96, 16  # of a sequence: frames at most, and frames with a loss
LAUNCH_FRACTION = 0.6  # of the sequences begin with the launch; the others begin anywhere
MIN_FRAMES = 24  # frames of a sequence that begins anywhere, if the track has so many
GROUP, VARIANT_PERIOD = 32, 4  # balls that share a sport; every fourth group lacks the optional surfaces
FEATURE_SET_NAMES = {number: name for name, number in FEATURE_SETS.items()}
TARGET_LIMIT = 30.0  # standard deviations: targets are clamped to this

# arrays of B sequences: features (B, T, F) float32, times (B, T) s since the first frame, loss_frames (B, N); at those,
# nominal features (B, N, NOMINAL_FEATURES); truth (B, N, UNKNOWNS), the residual to the filter's estimate in its
# standard deviations (None: not known); active (B, UNKNOWNS), 1 for the unknowns that vary in the ball's sport and
# 0 for others, whose truth is 0 and does not count; future (B, N, HORIZONS, 3) and landing (B, N, 4), the residuals to
# the nominal forecast in its units; future_known (B, N, HORIZONS), 1 or 0 (None: all known); has_landing (B, N), 1, 0,
# or -1 (not known); and the number of frames. Only with keep_paths: Paths. Only of recorded balls: Later
Batch = namedtuple(
    "Batch",
    "features times loss_frames nominal truth active future future_known has_landing landing paths frame_count later",
    defaults=[None],
)
# for `tokens`: numbers (B,) of the sports in the pool; the nominal start x (B, N, UNKNOWNS), positions (B, N, HORIZONS,
# 3) m, and their standard deviations of free flight (B, N, HORIZONS, 3) m, the unit of the future
Paths = namedtuple("Paths", "sport start positions position_sd")
# of recorded balls (later_frames.py), the frames measured later, linear in the residual of the belief: at L times the
# error of the flight that belongs to a residual 0, offset (B, N, L, 3), its slope by the residual (B, N, L, 3,
# UNKNOWNS), and the variance of the measurement (B, N, L, 3), all in units of m; known (B, N, L), 1 or 0
Later = namedtuple("Later", "offset slope variance known")
# measured frames of B balls: time (N,) s, position (N, 3) m; of each sequence the first row (B,), the number of frames
# (B,), and the frames with a loss (B, n), counted from the first row
Sequences = namedtuple("Sequences", "time position first count loss_frames")
# at these frames: truth (B, n, UNKNOWNS) or None, future (B, n, HORIZONS, 3) m, future_known, has_landing as in Batch,
# landing (B, n, 4): s from the frame, m
Targets = namedtuple("Targets", "truth future future_known has_landing landing")
# what the nominal forecast starts from: x (B, n, UNKNOWNS), variances (B, n, 3, 3); the Cholesky factor of the filter's
# covariance of the active unknowns (B, n, D, D)
Starts = namedtuple("Starts", "x variances cholesky")


class Batches:
    """Batches of `batch` balls by number. With several processes (`ranks`), each has its own slice of every batch."""

    def __init__(
        self,
        sports: sim.Sport | Sequence[sim.Sport],
        feature_set: str,
        batch: int = 256,
        seed: int = 0,
        *,
        purpose: str = "train",
        rank: int = 0,
        ranks: int = 1,
        balls: sim.BallSet | None = None,
        loss_frames: int = LOSS_FRAMES,
        target_limit: float = TARGET_LIMIT,
        random_sports: int = 0,
        keep_paths: bool = False,
    ):
        if batch % (GROUP * ranks):
            raise ValueError(f"--batch {batch}: must be a multiple of {GROUP * ranks}")
        if balls is not None and len(balls) < GROUP:
            raise ValueError(f"--data: {len(balls)} balls are too few; at least {GROUP} are needed")
        sports = [sports] if isinstance(sports, sim.Sport) else list(sports)
        if balls is not None and (len(sports) > 1 or random_sports):
            raise ValueError("--data: a set is of one sport; name that --sport alone")
        self.feature_set, self.seed, self.purpose, self.balls = feature_set, seed, purpose, balls
        self.batch, self.local_batch, self.rank = batch, batch // ranks, rank
        self.loss_frames, self.target_limit, self.keep_paths = loss_frames, target_limit, keep_paths
        self.pool = SportPool(sports, random_sports, feature_set, purpose)
        self.size = FEATURE_SIZES[feature_set] + 1

    def __getitem__(self, step: int) -> Batch:
        generator = np.random.default_rng((self.seed, rng.PURPOSES.index(self.purpose), step))
        start_fraction, starts_late = generator.random(self.batch), generator.random(self.batch) > LAUNCH_FRACTION
        start_fraction = np.where(starts_late, start_fraction, 0.0)
        jitter = generator.random((self.batch, self.loss_frames))
        sports, parts = self.pool.draw(generator, self.batch // GROUP), []
        for first in range(self.rank * self.local_batch, (self.rank + 1) * self.local_batch, GROUP):
            rows, group = slice(first, first + GROUP), first // GROUP
            index, number = sports[group], step * self.batch + first
            is_variant = self.balls is None and group % VARIANT_PERIOD == 0 and self.pool.has_variants(index)
            parts.append(self._group(number, 2 * index + is_variant, start_fraction[rows], jitter[rows]))
        *columns, paths, counts, _ = zip(*parts)
        paths = Paths(*map(np.concatenate, zip(*paths))) if self.keep_paths else None
        return Batch._make([*(None if c[0] is None else np.concatenate(c) for c in columns), paths, sum(counts), None])

    def _group(self, number, sport, start_fraction, jitter):
        """The Batch of GROUP balls, from ball `number` on; sport: its number in the pool."""
        if self.balls is None:
            balls = sim.draw(self.pool[sport][0], GROUP, first=number, seed=self.seed, purpose=self.purpose)
        else:
            balls = self.balls.balls(number % (len(self.balls) // GROUP * GROUP), GROUP)
        lengths = np.diff(balls.offsets)
        skipped = (start_fraction * np.maximum(lengths - MIN_FRAMES, 0)).astype(int)
        first, count = balls.offsets[:-1] + skipped, np.minimum(lengths - skipped, MAX_FRAMES)
        sequences = Sequences(balls.time, balls.position, first, count, spread_frames(jitter, count))
        rows = first[:, None] + sequences.loss_frames
        future, has_landing, landing = future_of(balls, balls.time[rows])
        truth = true_unknowns(balls, rows)
        return self.assemble(sport, sequences, Targets(truth, future, None, has_landing, landing))

    def assemble(self, sport: int, sequences: Sequences, targets: Targets) -> Batch:
        """The Batch of sequences of one sport, by its number in the pool; the arrays in `targets` are overwritten."""
        batch, starts, positions, sd = assemble(self.pool[sport][1], sequences, targets, self.target_limit)
        return batch._replace(
            paths=Paths(np.full(len(sd), sport), starts.x, positions, sd) if self.keep_paths else None
        )


def assemble(
    frontend: FeatureFrontend, sequences: Sequences, targets: Targets, limit: float, max_frames: int = MAX_FRAMES
) -> tuple[Batch, Starts, np.ndarray, np.ndarray]:
    """The Batch of sequences of at most `max_frames` frames of one sport; what its nominal forecasts start from; their
    positions (B, n, HORIZONS, 3) m and standard deviations of free flight. The arrays in `targets` are overwritten."""
    time, _, first, count, loss_frames = sequences
    shape = loss_frames.shape
    size = FEATURE_SIZES[FEATURE_SET_NAMES[frontend.feature_set]] + 1
    features = np.zeros((shape[0], max_frames, size), np.float32)
    starts = new_starts(frontend, shape)
    _extract(frontend, new_filter_states(shape[0]), sequences, features, starts)
    rows = first[:, None] + np.minimum(np.arange(max_frames), count[:, None] - 1)
    times = time[rows] - time[first][:, None]
    return residual_batch(frontend, features, times, loss_frames, int(count.sum()), starts, targets, limit)


def new_starts(frontend: FeatureFrontend, shape: tuple[int, ...]) -> Starts:
    """Starts of loss frames (B, n), to be filled."""
    size = len(frontend.scales.active)
    return Starts(np.zeros((*shape, UNKNOWNS)), np.zeros((*shape, 3, 3)), np.zeros((*shape, size, size)))


def residual_batch(
    frontend: FeatureFrontend, features: np.ndarray, times: np.ndarray, loss_frames: np.ndarray, frame_count: int,
    starts: Starts, targets: Targets, limit: float,
) -> tuple[Batch, Starts, np.ndarray, np.ndarray]:  # fmt: skip
    """The Batch of sequences whose features (B, T, F), at times (B, T) s, and Starts at loss_frames (B, n) are known;
    the rest as for `assemble`."""
    shape, active = loss_frames.shape, frontend.scales.active
    truth, whole = np.zeros((*shape, len(active))), np.zeros((*shape, UNKNOWNS), np.float32)
    if targets.truth is not None:
        truth[:] = targets.truth[..., active] - starts.x[..., active]
    size = NOMINAL_SIZES[FEATURE_SET_NAMES[frontend.feature_set]]
    nominal, positions = np.empty((*shape, size), np.float32), np.empty((*shape, HORIZONS, 3))
    residuals, sd = (truth, targets.future, targets.landing), np.empty(positions.shape)
    _residuals(frontend, starts, nominal, positions, sd, residuals)
    targets.landing[:] *= (targets.has_landing > 0)[..., None]
    truth, future, landing = (np.clip(a, -limit, limit).astype(np.float32) for a in residuals)
    whole[..., active] = truth
    batch = Batch(features, times, loss_frames, nominal, None if targets.truth is None else whole,
                  active_mask(frontend, shape[0]), future, targets.future_known,
                  targets.has_landing.astype(np.float32), landing, None, frame_count)  # fmt: skip
    return batch, starts, positions, sd


@contextlib.contextmanager
def prefetch(batches: "Batches", first: int, workers: int = 1) -> Iterator[Iterator[Batch]]:
    """With an iterator over the batches from number `first` on, which threads make while the network learns. They are
    the same for any number of `workers`."""
    pool, depth = ThreadPoolExecutor(workers), workers + 2
    ahead = deque(pool.submit(batches.__getitem__, first + n) for n in range(depth))

    def feed():
        for number in itertools.count(first + depth):
            ahead.append(pool.submit(batches.__getitem__, number))
            yield ahead.popleft().result()

    try:
        yield feed()
    finally:
        pool.shutdown(cancel_futures=True)


def spread_frames(jitter: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Frames (B, n), one in each of n equal stretches of count (B,) frames; jitter (B, n) in [0, 1)."""
    n = jitter.shape[1]
    frames = ((np.arange(n) + jitter) / n * count[:, None]).astype(int)
    return np.minimum(frames, count[:, None] - 1)


def true_unknowns(balls: sim.Balls, rows: np.ndarray) -> np.ndarray:
    """The true unknowns (B, n, UNKNOWNS) at rows (B, n). A tilted frame is, where the ball is, one that is too high."""
    position, velocity, spin = (a[rows] for a in (balls.truth_position, balls.truth_velocity, balls.truth_spin))
    height = frame_height(balls.frame[:, None], position)
    parameters = np.concatenate([np.log(balls.parameters[:, :4]), balls.parameters[:, 4:]], 1)
    parameters = np.broadcast_to(parameters[:, None], (*rows.shape, parameters.shape[1]))
    position = position - height[..., None] * (0.0, 0.0, 1.0)
    return np.concatenate([position, velocity, spin, parameters, height[..., None]], 2)


def future_of(balls: sim.Balls, t: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """After times t (B, n) s: positions (B, n, HORIZONS, 3), whether a landing follows (B, n), and it (B, n, 4)."""
    count, loss_frames = t.shape
    t = np.maximum.accumulate(t + 1e-9 * np.arange(loss_frames), axis=1)  # in short tracks a frame may occur twice
    grid = (t[:, :, None] + HORIZON_STEP * np.arange(1, HORIZONS + 1)).reshape(count, -1)
    order = np.argsort(grid, axis=1)
    times = np.take_along_axis(grid, order, 1) + 1e-12 * np.arange(grid.shape[1])  # strictly increasing
    last = np.maximum(times[:, -1] + 1e-6, t[:, -1] + LANDING_HORIZON)
    flight = balls.flight(np.column_stack([times, last]))
    future = np.empty((*grid.shape, 3))
    np.put_along_axis(future, order[:, :, None], flight.position[:, :-1], 1)
    impacts = flight.impacts
    assert impacts is not None
    is_landing = np.isin(impacts.surface, balls.sport.landing_surfaces)
    ball, time, position = (a[is_landing] for a in (impacts.ball, impacts.time, impacts.position))
    stride = last.max() + 1.0  # one sorted row holds the landings of all balls
    n = np.searchsorted(ball * stride + time, np.arange(count)[:, None] * stride + t, side="right")
    ball, time, position = (
        np.append(ball, -1),
        np.append(time, np.inf),
        np.vstack([position, np.zeros(3)]),
    )  # last: none
    has_landing = (ball[n] == np.arange(count)[:, None]) & (time[n] - t < LANDING_HORIZON)
    landing = np.concatenate([np.where(has_landing, time[n] - t, 0.0)[..., None], position[n]], 2)
    return future.reshape(count, loss_frames, HORIZONS, 3), has_landing, landing


def active_mask(frontend: FeatureFrontend, count: int) -> np.ndarray:
    """Rows (count, UNKNOWNS) with 1 for the unknowns that vary in the sport, and 0."""
    mask = np.zeros((count, UNKNOWNS), np.float32)
    mask[:, frontend.scales.active] = 1.0
    return mask


@kernel
def _extract(frontend, states, sequences, features, starts):
    """Fill features (B, MAX_FRAMES, F) and Starts, frame by frame, from filter states (B,) without a frame."""
    time, position, first, count, loss_frames = sequences
    frontend = borrowed(frontend)
    row, active = np.empty(features.shape[2]), frontend.scales.active
    for b in range(len(first)):
        state, n = states[b], 0
        for k in range(count[b]):
            extract(frontend, state, time[first[b] + k], position[first[b] + k], row)
            features[b, k] = row
            while n < loss_frames.shape[1] and loss_frames[b, n] == k:
                fill_nominal_start(frontend.feature_set, state, starts.x[b, n], starts.variances[b, n])
                active_cholesky(summary(state).covariance, active, starts.cholesky[b, n])
                n += 1


@kernel
def _residuals(frontend, starts, nominal, all_positions, position_sds, targets):
    """Fill nominal features, positions and their sds; turn targets (truth, future, landings) into residuals."""
    truth, future, landings = targets
    nominal_landing, landing_sd, axis_sd = np.empty(4), np.empty(4), np.empty(3)
    times, contact_features = HORIZON_STEP * np.arange(1, HORIZONS + 1), np.empty(CONTACT_FEATURES)
    row, sport = np.empty(NOMINAL_FEATURES), frontend.sport
    for b in range(truth.shape[0]):
        for n in range(truth.shape[1]):
            x, variances, L = starts.x[b, n], starts.variances[b, n], starts.cholesky[b, n]
            positions = all_positions[b, n]
            nominal_trajectory(
                frontend.feature_set, sport, x, variances, times, positions, nominal_landing, landing_sd,
                contact_features,
            )  # fmt: skip
            if nominal.shape[2] > 0:  # else the network reads none
                fill_nominal_features(
                    frontend.scales, sport, x, variances, positions, nominal_landing, contact_features, row
                )
                nominal[b, n] = row
            for k in range(HORIZONS):
                free_flight_sd(variances, times[k], axis_sd)
                for i in range(3):
                    position_sds[b, n, k, i] = axis_sd[i]
                    future[b, n, k, i] = (future[b, n, k, i] - positions[k, i]) / axis_sd[i]
            for i in range(4):
                landings[b, n, i] = (landings[b, n, i] - nominal_landing[i]) / landing_sd[i]
            if frontend.feature_set != FILTER:
                continue
            for i in range(truth.shape[2]):
                a = truth[b, n, i]
                for j in range(i):
                    a -= L[i, j] * truth[b, n, j]
                truth[b, n, i] = a / L[i, i]
