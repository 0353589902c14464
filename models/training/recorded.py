"""Recorded balls to learn from. Their future is what was measured later; their spin and landing are not known.

Batches alternate between simulated and recorded balls, so that nothing is forgotten.
"""

import zlib
from collections.abc import Sequence

import numpy as np

from ballcast.models.encoding.nominal import HORIZON_STEP, HORIZONS
from ballcast.models.training.batches import LOSS_FRAMES, MAX_FRAMES, Batch, Batches, Sequences, Targets, spread_frames
from ballcast.sim import Sport
from ballcast.sim.sensor import known_frame, to_sport_frame
from ballcast.tracks import Track

VALIDATION_PERIOD = 5  # about one track in five is kept for validation
MIN_TRACK_LENGTH = 8  # frames
MAX_GAP = 0.04  # s between the frames that a position is interpolated from


def split_tracks(tracks: Sequence[Track]) -> tuple[list[Track], list[Track]]:
    """Tracks for training and for validation, split by their names."""
    long = [track for track in tracks if len(track) >= MIN_TRACK_LENGTH]
    is_validation = [zlib.crc32(track.name.encode()) % VALIDATION_PERIOD == 0 for track in long]
    parts = [t for t, k in zip(long, is_validation) if not k], [t for t, k in zip(long, is_validation) if k]
    if not all(parts):
        raise ValueError(f"--tracks: {len(long)} tracks of at least {MIN_TRACK_LENGTH} frames are too few")
    return parts


def in_sport_frame(sport: Sport, tracks: Sequence[Track]) -> list[Track]:
    """Tracks in the sport's frame of reference, by what its file says of the tracker's (`sensor.frame.offset`)."""
    frame = known_frame(sport.sensor)
    return [Track(t.time, to_sport_frame(frame, t.position), t.name) if frame.any() else t for t in tracks]


class MixedBatches:
    """Batches of simulated balls at even numbers, of recorded tracks at odd numbers."""

    def __init__(self, batches: Batches, tracks: Sequence[Track], seed: int):
        self.simulated, self.tracks, self.seed = batches, tracks, seed
        self.feature_set, self.size, self.pool = batches.feature_set, batches.size, batches.pool

    def __getitem__(self, step: int) -> Batch:
        if step % 2 == 0 or step >= 2**40:
            return self.simulated[step]
        generator = np.random.default_rng((self.seed, step, self.simulated.rank))
        numbers = generator.integers(len(self.tracks), size=self.simulated.local_batch)
        return self._recorded(generator, [self.tracks[n] for n in numbers])

    def _recorded(self, generator, tracks):
        """The Batch of these tracks, each from a random frame on."""
        length, shape = np.array([len(track) for track in tracks]), (len(tracks), LOSS_FRAMES)
        first = (generator.random(len(tracks)) * np.maximum(length - 2 * MIN_TRACK_LENGTH, 0)).astype(int)
        count = np.minimum(length - first, MAX_FRAMES)
        loss_frames = spread_frames(generator.random(shape), count)
        future, known = np.zeros((*shape, HORIZONS, 3)), np.zeros((*shape, HORIZONS), np.float32)
        for b, track in enumerate(tracks):
            times = track.time[first[b] + loss_frames[b]][:, None] + HORIZON_STEP * np.arange(1, HORIZONS + 1)
            after = np.clip(np.searchsorted(track.time, times), 1, len(track) - 1)
            known[b] = (times <= track.time[-1]) & (track.time[after] - track.time[after - 1] < MAX_GAP)
            for i in range(3):
                future[b, ..., i] = np.interp(times, track.time, track.position[:, i])
        time, position = (np.concatenate([getattr(t, name) for t in tracks]) for name in ("time", "position"))
        offsets = np.concatenate([[0], np.cumsum(length)])[:-1]
        sequences = Sequences(time, position, offsets + first, count, loss_frames)
        targets = Targets(None, future, known, np.full(shape, -1.0), np.zeros((*shape, 4)))
        return self.simulated.assemble(0, sequences, targets)
