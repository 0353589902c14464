"""Batches made where the network learns from them: on a GPU nothing of a batch leaves it.

    batches = DeviceBatches(sports, "filter", 3072, seed=0, device="cuda")
    batch = batches[7]            # a Batch of tensors, as those of batches.py

A GPU wants many balls at once: those of CHUNK batches are drawn together, sport after sport, and dealt to the batches
in random order. The balls and random choices of a chunk depend on (purpose, seed, chunk) alone. Features and targets
are those of batches.py: for `raw` by torch, so that the same code runs on the CPU; for `filter` device_beliefs.py.
"""

import threading
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ballcast import sim
from ballcast.models.encoding.features import (
    FEATURE_SIZES,
    FRAME_LAGS,
    USUAL_GAP,
    VELOCITY_LAG,
    VELOCITY_RATIO,
    FeatureFrontend,
)
from ballcast.models.encoding.features import MAX_FRAMES as MAX_COUNT
from ballcast.models.encoding.nominal import HORIZON_STEP, HORIZONS
from ballcast.models.training import device_beliefs
from ballcast.models.training.batches import (
    GROUP,
    LAUNCH_FRACTION,
    LOSS_FRAMES,
    MAX_FRAMES,
    MIN_FRAMES,
    TARGET_LIMIT,
    VARIANT_PERIOD,
    Batch,
    active_mask,
    future_of,
)
from ballcast.models.training.device_flights import device_future_of, to_tensor
from ballcast.models.training.sports import SportPool
from ballcast.sim import rng

CHUNK = 16  # batches
RANDOM_AT_ONCE = 8  # random sports in a chunk: every sport is drawn on its own
STREAM = 11  # of the random choices, apart from those of batches.py


class Sequences(NamedTuple):
    """The frames of B sequences, T of each; frames from `count` on repeat the last one."""

    time: Tensor  # (B, T) s
    position: Tensor  # (B, T, 3) m
    count: Tensor  # (B,)
    loss_frames: Tensor  # (B, N)
    first: Tensor  # (B,) rows of the first frames in the arrays of the balls


class DeviceBatches:
    """Batches of `batch` balls by number. With several processes (`ranks`), each draws its own part of every batch."""

    balls = None

    def __init__(
        self,
        sports: Sequence[sim.Sport],
        feature_set: str,
        batch: int,
        seed: int = 0,
        *,
        device: str | torch.device,
        purpose: str = "train",
        rank: int = 0,
        ranks: int = 1,
        random_sports: int = 0,
    ):
        if batch % (GROUP * ranks):
            raise ValueError(f"--batch {batch}: must be a multiple of {GROUP * ranks}")
        self.batch, self.local_batch, self.rank, self.ranks = batch, batch // ranks, rank, ranks
        self.seed, self.purpose, self.device = seed, purpose, torch.device(device)
        self.feature_set, self.size = feature_set, FEATURE_SIZES[feature_set] + 1
        self.pool = SportPool(sports, random_sports, feature_set, purpose)
        self._number, self._lock = -1, threading.Lock()
        self._chunk: Any = None

    def __getitem__(self, step: int) -> Batch:
        number, place = divmod(step, CHUNK)
        with self._lock:
            if number != self._number:
                self._chunk = None  # its memory is needed
                self._chunk, self._number = self._make(number), number
            whole, order, counts = self._chunk
        rows = order[place * self.local_batch : (place + 1) * self.local_batch]
        tensors = {name: a[rows] for name, a in whole._asdict().items() if isinstance(a, Tensor)}
        return whole._replace(frame_count=counts[place], **tensors)

    def _make(self, number):
        """(Batch of all balls of a chunk, their order, the frames of each batch)."""
        generator = np.random.default_rng((self.seed, rng.PURPOSES.index(self.purpose), number, self.rank, STREAM))
        size = CHUNK * self.local_batch
        kinds, groups = np.unique(self._kinds(generator, size // GROUP), return_counts=True)
        first, parts = (number * self.ranks + self.rank) * size, []
        for kind, count in zip(kinds, GROUP * groups):
            parts.append(self._part(int(kind), first, int(count), generator))
            first += int(count)
        columns = [torch.cat(column) if isinstance(column[0], Tensor) else None for column in zip(*parts)]
        order = torch.from_numpy(generator.permutation(size)).to(self.device)
        whole = Batch._make(columns)
        counts = whole.frame_count[order].view(CHUNK, -1).sum(1).tolist()
        return whole._replace(frame_count=None), order, counts

    def _kinds(self, generator, groups):
        """The numbers in the pool of the sports of groups of balls."""
        index, named = self.pool.draw(generator, groups), len(self.pool.sports)
        if self.pool.random_count:
            some = generator.integers(self.pool.random_count, size=RANDOM_AT_ONCE)
            index = np.where(index < named, index, named + some[index % RANDOM_AT_ONCE])
        varies = np.array([self.pool.has_variants(int(i)) for i in index])
        return 2 * index + (varies & (np.arange(groups) % VARIANT_PERIOD == 0))

    def _part(self, kind, first, count, generator):
        """The Batch of balls of one sport; frame_count has the frames of every ball."""
        sport, frontend = self.pool[kind]
        balls = self._draw(sport, first, count)
        start, starts_late = generator.random(count), generator.random(count) > LAUNCH_FRACTION
        jitter = torch.from_numpy(generator.random((count, LOSS_FRAMES))).to(self.device)
        start = torch.from_numpy(np.where(starts_late, start, 0.0)).to(self.device)
        sequences, begin = cut(balls, start, jitter)
        t = begin[:, None] + gather(sequences.time, sequences.loss_frames)
        is_on_cpu = self.device.type == "cpu"
        targets = map(torch.from_numpy, future_of(balls, t.numpy())) if is_on_cpu else device_future_of(balls, t)
        if self.feature_set == "raw":
            return raw_batch(frontend, sequences, *targets)
        truth = device_beliefs.true_unknowns(balls, sequences.first[:, None] + sequences.loss_frames)
        return device_beliefs.filter_batch(frontend, sequences, *device_beliefs.follow(frontend, sequences), truth,
                                           *targets)  # fmt: skip

    def _draw(self, sport, first, count):
        """Balls, as they are measured; with the truth, where the targets need it."""
        if self.device.type == "cpu" or self.feature_set != "raw":
            own = {"first": first, "seed": self.seed, "purpose": self.purpose}
            return sim.draw(sport, count, **own, device=self.device.type)
        from ballcast.sim.cuda.dataset import draw_measured  # here: importing it asks for numba-cuda

        return draw_measured(sport, count, first, self.seed, self.purpose)


def cut(balls: Any, start: Tensor, jitter: Tensor) -> tuple[Sequences, Tensor]:
    """Sequences of B balls, which begin at the launch or later, start (B,) of [0, 1) of what may be left out; and the
    time of their first frames (B,) s. jitter (B, N): of the loss frames, as in batches.spread_frames."""
    offsets, time, position = (to_tensor(a, start.device) for a in (balls.offsets, balls.time, balls.position))
    lengths = offsets.diff()
    skipped = (start * (lengths - MIN_FRAMES).clamp(min=0)).long()
    count, n = (lengths - skipped).clamp(max=MAX_FRAMES), jitter.shape[1]
    stretches = (torch.arange(n, device=start.device) + jitter) / n
    loss_frames = torch.minimum((stretches * count[:, None]).long(), count[:, None] - 1)
    frames = torch.arange(MAX_FRAMES, device=start.device).minimum(count[:, None] - 1)
    first = offsets[:-1] + skipped
    rows = first[:, None] + frames
    time = time[rows]
    return Sequences(time - time[:, :1], position[rows].float(), count, loss_frames, first), time[:, 0]


def raw_batch(
    frontend: FeatureFrontend, sequences: Sequences, future: Tensor, has_landing: Tensor, landing: Tensor
) -> Batch:
    """The Batch of Sequences of one sport, of which future (B, N, HORIZONS, 3) m, has_landing (B, N) and landing
    (B, N, 4) s, m are known; frame_count (B,)."""
    time, position, count, loss_frames, _ = sequences
    now, velocity = straight_lines(sequences)
    seconds = HORIZON_STEP * torch.arange(1, HORIZONS + 1, device=time.device, dtype=now.dtype)
    future = future - now[:, :, None] - seconds[:, None] * velocity[:, :, None]
    landing = torch.cat([landing[..., :1], landing[..., 1:] - now], -1) * has_landing[..., None]
    future, landing = (a.clamp(-TARGET_LIMIT, TARGET_LIMIT).float() for a in (future, landing))
    nominal, active = now.new_zeros(*loss_frames.shape, 0), torch.from_numpy(active_mask(frontend, 1))
    return Batch(raw_features(frontend, sequences), time, loss_frames, nominal, None,
                 active.to(time.device).expand(len(count), -1), future, None, has_landing.float(), landing, None,
                 count)  # fmt: skip


def straight_lines(sequences: Sequences) -> tuple[Tensor, Tensor]:
    """What raw targets are residuals to: position (B, N, 3) m at the loss frames, and velocity (B, N, 3) m/s."""
    velocity = recent_velocity(sequences.time, sequences.position)
    return gather(sequences.position, sequences.loss_frames), gather(velocity, sequences.loss_frames)


def recent_velocity(time: Tensor, position: Tensor) -> Tensor:
    """As features.recent_velocity, at every frame: (B, T, 3) m/s of positions (B, T, 3) m at times (B, T) s."""
    before = (torch.arange(time.shape[1], device=time.device) - VELOCITY_LAG).clamp(min=0)
    seconds = (time - time[:, before]).to(position.dtype)[..., None]
    return torch.where(seconds > 0.0, (position - position[:, before]) / seconds, 0.0)


def raw_features(frontend: FeatureFrontend, sequences: Sequences) -> Tensor:
    """Features (B, T, F + 1) as features.extract has them for `raw`; 0 from `count` on."""
    time, position, count = sequences[:3]
    scales, frames = frontend.scales, torch.arange(time.shape[1], device=time.device)
    velocity, out = recent_velocity(time, position), position.new_zeros(*time.shape, FEATURE_SIZES["raw"] + 1)
    out[..., :3] = position / (scales.speed * scales.speed / scales.gravity)
    out[..., 3:6] = torch.asinh(position / scales.radius)
    out[..., 6:9] = velocity / scales.speed
    k = 9
    for lag in FRAME_LAGS:
        seconds = (time[:, lag:] - time[:, :-lag]).to(out.dtype)
        out[:, lag:, k] = seconds / USUAL_GAP
        difference = (position[:, lag:] - position[:, :-lag]) / seconds[..., None] - velocity[:, lag:]
        out[:, lag:, k + 1 : k + 4] = torch.asinh(VELOCITY_RATIO * difference / scales.speed)
        k += 4
    gap = torch.diff(time, dim=1, prepend=time[:, :1])
    out[..., k] = torch.log(gap / USUAL_GAP + 0.1)
    out[..., k + 1] = torch.log((frames + 1).clamp(max=MAX_COUNT))
    out[..., k + 2 : -1] = torch.from_numpy(scales.descriptors).to(out)
    out[..., -1] = frontend.surfaces_absent
    return out.masked_fill_((frames >= count[:, None])[..., None], 0.0)


def gather(a: Tensor, frames: Tensor) -> Tensor:
    """Frames (B, N) of a (B, T, ...)."""
    return a[torch.arange(len(a), device=a.device)[:, None], frames]
