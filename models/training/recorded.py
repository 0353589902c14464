"""Recorded balls to learn from: their future is what was measured later; of spin and landing nothing is known.

Batches take turns: one of fresh simulated balls, one of recorded ones, so that nothing is forgotten.
"""

import zlib

import numpy as np
from ballcast.models.encoding.nominal import KNOTS, STEP
from ballcast.models.training.batches import CHOSEN, FAR, FRAMES, Batch

KEPT = 5  # one track in so many is kept for validation
LEAST = 8  # frames of a track
GAP = 0.04  # s, between frames that a place may be taken from


def split(tracks):
    """Tracks to learn from, and those kept for validation, by their names."""
    long = [track for track in tracks if len(track) >= LEAST]
    kept = [zlib.crc32(track.name.encode()) % KEPT == 0 for track in long]
    learnt = [t for t, k in zip(long, kept) if not k], [t for t, k in zip(long, kept) if k]
    if not all(learnt):
        raise ValueError(f"--tracks: {len(tracks)} tracks of {LEAST} frames and more are too few; both parts need some")
    return learnt


class Mixed:
    """Every second batch of `batches`, the others of recorded tracks."""

    def __init__(self, batches, tracks, seed):
        self.simulated, self.tracks, self.seed = batches, tracks, seed
        self.kind, self.size, self.active, self.sport = batches.kind, batches.size, batches.active, batches.sport

    def __getitem__(self, step):
        if step % 2 == 0 or step >= 2**40:
            return self.simulated[step]
        own = self.simulated
        chance = np.random.default_rng((self.seed, step, own.rank))
        return self._recorded(chance, [self.tracks[n] for n in chance.integers(len(self.tracks), size=own.share)])

    def _recorded(self, chance, tracks):
        own, count = self.simulated, len(tracks)
        length = np.array([len(track) for track in tracks])
        first = (chance.random(count) * np.maximum(length - 2 * LEAST, 0)).astype(int)
        seen = np.minimum(length - first, FRAMES)
        frames = ((np.arange(CHOSEN) + chance.random((count, CHOSEN))) / CHOSEN * seen[:, None]).astype(int)
        frames = np.minimum(frames, seen[:, None] - 1)
        offsets = np.concatenate([[0], np.cumsum(length)])
        time, place = np.concatenate([t.time for t in tracks]), np.concatenate([t.position for t in tracks])
        future, known = np.zeros((count, CHOSEN, KNOTS, 3)), np.zeros((count, CHOSEN, KNOTS))
        for b, track in enumerate(tracks):
            asked = track.time[first[b] + frames[b]][:, None] + STEP * np.arange(1, KNOTS + 1)
            after = np.clip(np.searchsorted(track.time, asked), 1, len(track) - 1)
            known[b] = (asked <= track.time[-1]) & (track.time[after] - track.time[after - 1] < GAP)
            for i in range(3):
                future[b, ..., i] = np.interp(asked, track.time, track.position[:, i])
        features, times, x, sd, L = own.look(0, time, place, offsets[:-1] + first, seen, frames)
        shape = frames.shape
        base, unit = own.beside(0, x, sd, L, np.zeros((*shape, len(own.active))), future, np.zeros((*shape, 4)))
        future, unknown = np.clip(future, -FAR, FAR).astype(np.float32), np.full(shape, -1.0, np.float32)
        landing = np.zeros((*shape, 4), np.float32)
        return Batch(
            features, times, frames, base, None, future, known.astype(np.float32), unknown, landing, unit, seen.sum()
        )
