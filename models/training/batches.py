"""Batches to train on: fresh simulated balls, what a network reads of them, and the truth it is to tell.

    batches = Batches(sport, "filter", batch=256, seed=0)
    batch = batches[7]            # the same to the bit whenever it is asked for: a Batch of arrays

Ball and choices of step k depend on (purpose, seed, k) alone. Of every sequence some frames are chosen, one in each
stretch of equal length, and at those the loss is taken: neighbours have much the same to say.
"""

from collections import namedtuple

import numpy as np
from ballcast.models.encoding.features import FRAMES as LAGS
from ballcast.models.encoding.features import SETS, SIZES, read, whitener
from ballcast.models.encoding.nominal import KNOTS, LANDS, SEEN, STEP, base, shown, spot_of, unit
from ballcast.models.estimation.fit import SIZE
from ballcast.models.estimation.kalman import fresh, start_of
from ballcast.sim import rng
from ballcast.sim.jit import kernel
from ballcast.sim.kernels.flight import surroundings

from ballcast import sim

FRAMES, CHOSEN = 96, 16  # of a sequence, at most; and those with a loss
FROM_LAUNCH = 0.6  # share of the sequences that begin with the launch; the others anywhere
LEAST = 24  # frames of a sequence that begins anywhere, where there are so many
GROUP, WITHOUT = 32, 4  # balls that share a place; one group in so many lacks the optional surfaces
REGISTERED, MISPLACED = 0.001, 0.05  # m: half of all trackers see the place less far off its height; the most
FAR = 30.0  # standard deviations, beyond which the truth is held
ACTIVE = 1e-5  # of the first standard deviation: an unknown that differs less is known

# arrays of B sequences: features (B, T, F) float32, times (B, T) s since the first, frames (B, N) chosen; at those base
# (B, N, SEEN), the baseline as it is shown, truth (B, N, D) beside the filter's belief in its standard deviations
# (None: not known), future (B, N, KNOTS, 3) and landing (B, N, 4) beside the baseline in its units, known (B, N, KNOTS)
# or None (all are), lands (B, N): 1, 0, or -1 if it is not known; unit (B, N, KNOTS, 3) m, what the future is told in;
# and the count of real frames
Batch = namedtuple("Batch", "features times frames base truth future known lands landing unit count")


class Batches:
    """Batches of `batch` balls by number; of `ranks` processes number `rank` has its own slice of each.

    Of a sequence `chosen` frames have a loss; the truth is held `far` standard deviations from what it lies beside.
    """

    def __init__(
        self, sport, kind, batch=256, seed=0, purpose="train", rank=0, ranks=1, balls=None, chosen=CHOSEN, far=FAR
    ):
        if batch % (GROUP * ranks):
            raise ValueError(f"--batch {batch}: a multiple of {GROUP * ranks}")
        self.sport, self.kind, self.seed, self.purpose, self.balls = sport, kind, seed, purpose, balls
        self.batch, self.share, self.rank, self.chosen, self.far = batch, batch // ranks, rank, chosen, far
        if balls is not None and len(balls) < GROUP:
            raise ValueError(f"--data: {len(balls)} balls are too few; at least {GROUP}")
        optional = [s.name for s in sport.surfaces if s.optional and balls is None]
        self.places = [sport, sport.without(*optional)] if optional else [sport]
        self.surroundings, self.start = [surroundings(place) for place in self.places], start_of(sport)
        self.landing = [np.array([s.landing for s in place.surfaces], bool) for place in self.places]
        self.active, self.size = active(self.start), SIZES[kind] + 1

    def __getitem__(self, step):
        chance = np.random.default_rng((self.seed, rng.PURPOSES.index(self.purpose), step))
        height = REGISTERED * np.tan(np.pi * (chance.random(self.batch) - 0.5))
        height = np.clip(height, -MISPLACED, MISPLACED)
        begin, late = chance.random(self.batch), chance.random(self.batch) > FROM_LAUNCH
        within = chance.random((self.batch, self.chosen))
        parts = []
        for first in range(self.rank * self.share, (self.rank + 1) * self.share, GROUP):
            s = slice(first, first + GROUP)
            bare = len(self.places) > 1 and (first // GROUP) % WITHOUT == 0
            number = step * self.batch + first
            parts.append(self._group(number, bare, height[s], np.where(late[s], begin[s], 0.0), within[s]))
        *columns, counts = zip(*parts)
        return Batch(*(None if c[0] is None else np.concatenate(c) for c in columns), sum(counts))

    def _group(self, number, bare, height, begin, within):
        """The Batch of GROUP balls, from ball `number` on."""
        sport = self.places[bare]
        balls = self._balls(sport, number)
        lengths = np.diff(balls.offsets)
        skipped = (begin * np.maximum(lengths - LEAST, 0)).astype(int)
        first, count = balls.offsets[:-1] + skipped, np.minimum(lengths - skipped, FRAMES)
        frames = ((np.arange(self.chosen) + within) / self.chosen * count[:, None]).astype(int)
        frames = np.minimum(frames, count[:, None] - 1)
        seen = balls.position.copy()
        seen[:, 2] += np.repeat(height, lengths)
        features, times, x, sd, L = self.look(bare, balls.time, seen, first, count, frames)
        at = first[:, None] + frames
        truth = _truth(balls, at, height)[..., self.active] - x[..., self.active]
        future, lands, landing = _ahead(balls, balls.time[at])
        future[..., 2] += height[:, None, None]
        landing[..., 3] += height[:, None]
        base, unit = self.beside(bare, x, sd, L, truth, future, landing)
        landing *= lands[..., None]
        told = (np.clip(a, -self.far, self.far).astype(np.float32) for a in (truth, future, landing))
        truth, future, landing = told
        lands = lands.astype(np.float32)
        return features, times, frames, base, truth, future, None, lands, landing, unit, count.sum()

    def look(self, bare, time, seen, first, count, frames):
        """What is read of B sequences, count (B,) frames from `first` on, of time (N,) s and places seen (N, 3) m.

        features (B, FRAMES, F), times (B, FRAMES) s since the first; and at the chosen frames (B, n) what baselines
        start from, x and sd, and the whitener L of the filter's belief.
        """
        shape, size = frames.shape, len(self.active)
        features = np.zeros((shape[0], FRAMES, self.size), np.float32)
        features[:, :, -1] = bare
        x, sd, L = np.zeros((*shape, SIZE)), np.zeros((*shape, 3, 3)), np.zeros((*shape, size, size))
        told = SETS[self.kind], self.surroundings[bare], self.start, fresh(1)[0]
        _read(*told, time, seen, first, count, frames, self.active, features, x, sd, L)
        rows = first[:, None] + np.minimum(np.arange(FRAMES), count[:, None] - 1)
        return features, time[rows] - time[first][:, None], x, sd, L

    def beside(self, bare, x, sd, L, truth, future, landing):
        """Turn the truth (B, n, D), the future (B, n, KNOTS, 3) and landings (B, n, 4) into what lies beside the filter
        and its forecast, in place; what is shown of that forecast (B, n, SEEN), and the unit (B, n, KNOTS, 3) m."""
        base, unit = np.empty((*x.shape[:2], SEEN), np.float32), np.empty((*x.shape[:2], KNOTS, 3), np.float32)
        place, landed = self.surroundings[bare], self.landing[bare]
        _beside(SETS[self.kind], place, landed, x, sd, L, base, unit, truth, future, landing)
        return base, unit

    def _balls(self, sport, number):
        if self.balls is None:
            return sim.draw(sport, GROUP, first=number, seed=self.seed, purpose=self.purpose)
        return self.balls.balls(number % (len(self.balls) // GROUP * GROUP), GROUP)


def active(start):
    """The unknowns (D,) that differ from ball to ball."""
    return np.flatnonzero(np.sqrt(np.diag(start.covariance)) > ACTIVE)


def _truth(balls, at, height):
    """The unknowns (B, N, SIZE) at frames `at` (B, N)."""
    state = [a[at] for a in (balls.truth_position, balls.truth_velocity, balls.truth_spin)]
    own = np.concatenate([np.log(balls.parameters[:, :4]), balls.parameters[:, 4:], height[:, None]], 1)
    return np.concatenate([*state, np.broadcast_to(own[:, None], (*at.shape, own.shape[1]))], 2)


def _ahead(balls, t):
    """After times t (B, N) s: places (B, N, KNOTS, 3), whether a landing comes (B, N), and when and where (B, N, 4)."""
    count, chosen = t.shape
    t = np.maximum.accumulate(t + 1e-9 * np.arange(chosen), axis=1)  # short tracks have frames chosen twice
    times, order = np.empty((count, chosen * KNOTS + 1)), np.empty((count, chosen * KNOTS), int)
    _merge(t, times, order)
    times[:, -1] = np.maximum(times[:, -2] + 1e-6, t[:, -1] + LANDS)
    flight = balls.flight(times)
    future = np.take_along_axis(flight.position, order[:, :, None], 1).reshape(count, chosen, KNOTS, 3)
    hits = flight.impacts
    landed = np.isin(hits.surface, balls.sport.landing_surfaces)
    ball, when, where = hits.ball[landed], hits.time[landed], hits.place[landed]
    late = times.max() + 1.0  # so that one sorted row holds all balls
    n = np.searchsorted(ball * late + when, np.arange(count)[:, None] * late + t, side="right")
    there = np.append(ball, -1)[n] == np.arange(count)[:, None]
    n = np.minimum(n, len(ball) - 1)
    there &= when[n] - t < LANDS
    landing = np.concatenate([(when[n] - t)[..., None], where[n]], 2)
    return future, there, landing


@kernel
def _merge(t, times, order):
    """Sort t[b, n] + STEP * (j + 1) into times[b]; order[b, n * KNOTS + j] is where it went."""
    for b in range(len(t)):
        next, before = np.zeros(KNOTS, np.int64), -1.0
        for m in range(t.shape[1] * KNOTS):
            least, j = np.inf, 0
            for k in range(KNOTS):
                if next[k] < t.shape[1] and t[b, next[k]] + STEP * (k + 1) < least:
                    least, j = t[b, next[k]] + STEP * (k + 1), k
            before = max(least, before + 1e-12)
            times[b, m] = before
            order[b, next[j] * KNOTS + j] = m
            next[j] += 1


@kernel
def _beside(kind, place, landing, x, sd, L, seen, units, truth, future, landed):
    """See Batches.beside."""
    where, scale, one = np.empty(4), np.empty(4), np.empty(3)
    places, times = np.empty((KNOTS, 3)), STEP * np.arange(1, KNOTS + 1)
    for b in range(truth.shape[0]):
        for n in range(truth.shape[1]):
            base(kind, place, landing, x[b, n], sd[b, n], times, places, where, scale)
            shown(places, where, x[b, n], seen[b, n])
            for k in range(KNOTS):
                unit(sd[b, n], times[k], one)
                for i in range(3):
                    units[b, n, k, i] = one[i]
                    future[b, n, k, i] = (future[b, n, k, i] - places[k, i]) / one[i]
            for i in range(4):
                landed[b, n, i] = (landed[b, n, i] - where[i]) / scale[i]
            if kind == LAGS:
                continue
            for i in range(truth.shape[2]):
                a = truth[b, n, i]
                for j in range(i):
                    a -= L[b, n, i, j] * truth[b, n, j]
                truth[b, n, i] = a / L[b, n, i, i]


@kernel
def _read(kind, place, start, m, time, seen, first, count, frames, active, features, x, sd, L):
    """See Batches.look."""
    for b in range(len(first)):
        m.frames, n = 0, 0
        for k in range(count[b]):
            row = features[b, k]
            read(kind, place, start, m, time[first[b] + k], seen[first[b] + k], row[:-1])
            while n < frames.shape[1] and frames[b, n] == k:
                spot_of(kind, m, row, x[b, n], sd[b, n])
                whitener(m.P, active, L[b, n])
                n += 1
