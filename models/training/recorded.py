"""Recorded balls to learn from: their future is what was measured later; of spin and landing nothing is known.

Batches take turns: one of fresh simulated balls, one of recorded ones, so that nothing is forgotten.
"""

import zlib

import numpy as np

from ballcast.models.encoding.nominal import HORIZON_STEP, HORIZONS
from ballcast.models.training.batches import LOSS_FRAMES, MAX_FRAMES, TARGET_LIMIT, Batch

VALIDATION_PERIOD = 5  # one track in so many is kept for validation
MIN_TRACK_LENGTH = 8  # frames of a track
MAX_GAP = 0.04  # s, between frames that a place may be taken from


def split_tracks(tracks):
    """Tracks to learn from, and those kept for validation, by their names."""
    long = [track for track in tracks if len(track) >= MIN_TRACK_LENGTH]
    is_validation = [zlib.crc32(track.name.encode()) % VALIDATION_PERIOD == 0 for track in long]
    parts = [t for t, k in zip(long, is_validation) if not k], [t for t, k in zip(long, is_validation) if k]
    if not all(parts):
        raise ValueError(
            f"--tracks: {len(tracks)} tracks of {MIN_TRACK_LENGTH} frames and more are too few; both parts need some"
        )
    return parts


class MixedBatches:
    """Every second batch of `batches`, the others of recorded tracks."""

    def __init__(self, batches, tracks, seed):
        self.simulated, self.tracks, self.seed = batches, tracks, seed
        self.feature_set, self.size = batches.feature_set, batches.size
        self.active_unknowns, self.sport = batches.active_unknowns, batches.sport

    def __getitem__(self, step):
        if step % 2 == 0 or step >= 2**40:
            return self.simulated[step]
        simulated = self.simulated
        generator = np.random.default_rng((self.seed, step, simulated.rank))
        return self._recorded(
            generator, [self.tracks[n] for n in generator.integers(len(self.tracks), size=simulated.local_batch)]
        )

    def _recorded(self, generator, tracks):
        simulated, count = self.simulated, len(tracks)
        length = np.array([len(track) for track in tracks])
        first = (generator.random(count) * np.maximum(length - 2 * MIN_TRACK_LENGTH, 0)).astype(int)
        frame_counts = np.minimum(length - first, MAX_FRAMES)
        loss_frames = (
            (np.arange(LOSS_FRAMES) + generator.random((count, LOSS_FRAMES))) / LOSS_FRAMES * frame_counts[:, None]
        ).astype(int)
        loss_frames = np.minimum(loss_frames, frame_counts[:, None] - 1)
        offsets = np.concatenate([[0], np.cumsum(length)])
        time, position = np.concatenate([t.time for t in tracks]), np.concatenate([t.position for t in tracks])
        future, future_known = np.zeros((count, LOSS_FRAMES, HORIZONS, 3)), np.zeros((count, LOSS_FRAMES, HORIZONS))
        for b, track in enumerate(tracks):
            target_times = track.time[first[b] + loss_frames[b]][:, None] + HORIZON_STEP * np.arange(1, HORIZONS + 1)
            next_frame = np.clip(np.searchsorted(track.time, target_times), 1, len(track) - 1)
            future_known[b] = (target_times <= track.time[-1]) & (
                track.time[next_frame] - track.time[next_frame - 1] < MAX_GAP
            )
            for i in range(3):
                future[b, ..., i] = np.interp(target_times, track.time, track.position[:, i])
        features, times, x, variances, L = simulated.extract_features(
            0, time, position, offsets[:-1] + first, frame_counts, loss_frames
        )
        shape = loss_frames.shape
        nominal, position_sd = simulated.to_residuals(
            0, x, variances, L, np.zeros((*shape, len(simulated.active_unknowns))), future, np.zeros((*shape, 4))
        )
        future = np.clip(future, -TARGET_LIMIT, TARGET_LIMIT).astype(np.float32)
        has_landing = np.full(shape, -1.0, np.float32)
        landing = np.zeros((*shape, 4), np.float32)
        return Batch(
            features,
            times,
            loss_frames,
            nominal,
            None,
            future,
            future_known.astype(np.float32),
            has_landing,
            landing,
            position_sd,
            frame_counts.sum(),
        )
