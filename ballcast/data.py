"""Simulated balls for networks of your own, in torch: fresh ones without end, or those of a set. docs/data.md

    from torch.utils.data import DataLoader
    from ballcast.data import FreshBalls, SetBalls

    train = FreshBalls("table_tennis", split="train", horizons=(0.1, 0.2, 0.4))
    for ball in DataLoader(train, batch_size=64, num_workers=4):
        ball["position"], ball["seen"], ball["future"]      # (64, 96, 3) m, (64, 96), (64, 96, 3, 3) m
    validation = FreshBalls("table_tennis", split="validation", count=1000)
    stored = SetBalls("set.npz")                            # of python -m ballcast.sim

Ball i of a split is the same on every machine, by (split, seed, i) alone, and no two splits share a ball. With several
workers, or several processes (rank, ranks), each makes its own balls, and all together make every ball once.
"""

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from ballcast import sim

SPLITS = ("train", "validation", "test")  # the purposes of sim.draw: test is what evaluate.py scores
BLOCK = 64  # balls that are made at once
FRAMES = 96  # of a ball, by default


class _BallData(IterableDataset):
    """Balls as dicts of float32 tensors, and their number, block by block."""

    def __init__(self, frames: int, horizons: Sequence[float], first: int, count: int | None, rank: int, ranks: int):
        if frames < 1 or first < 0 or (count is not None and count < 1):
            raise ValueError(f"frames {frames} and count {count} must be at least 1, first {first} at least 0")
        if not 0 <= rank < ranks:
            raise ValueError(f"rank {rank} of {ranks}: must be from 0 to {ranks - 1}")
        if np.ndim(horizons) != 1 or any(not 0 < h < np.inf for h in horizons):
            raise ValueError(f"horizons {horizons!r}: a sequence of seconds above 0, such as (0.1, 0.2)")
        self.frames, self.horizons = frames, np.array(horizons, float)
        self.first, self.count, self.rank, self.ranks = first, count, rank, ranks

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        worker = get_worker_info()
        own, parts = (worker.id, worker.num_workers) if worker else (0, 1)
        last = np.inf if self.count is None else self.first + self.count
        for block in itertools.count(self.rank * parts + own, self.ranks * parts):
            begin = self.first + block * BLOCK
            if begin >= last:
                return
            yield from self._items(begin, int(min(BLOCK, last - begin)))

    def __len__(self) -> int:
        if self.count is None:
            raise TypeError("fresh balls have no end; give a count")
        return self.count

    def _balls(self, begin: int, count: int) -> sim.Balls:
        raise NotImplementedError

    def _items(self, begin, count):
        balls = self._balls(begin, count)
        columns = to_columns(balls, self.frames, self.horizons)
        columns["number"] = torch.arange(begin, begin + count)
        for n in range(count):
            yield {name: column[n] for name, column in columns.items()}


class FreshBalls(_BallData):
    """Balls that are simulated as they are asked for. Without a count they have no end."""

    def __init__(
        self, sport: sim.Sport | str | Path, split: str = "train", *, seed: int = 0, frames: int = FRAMES,
        horizons: Sequence[float] = (), first: int = 0, count: int | None = None, rank: int = 0, ranks: int = 1,
    ):  # fmt: skip
        super().__init__(frames, horizons, first, count, rank, ranks)
        if split not in SPLITS:
            raise ValueError(f"split {split!r}: there are {', '.join(SPLITS)}")
        self.sport = sport if isinstance(sport, sim.Sport) else sim.load(sport)
        self.split, self.seed = split, seed

    def _balls(self, begin: int, count: int) -> sim.Balls:
        return sim.draw(self.sport, count, first=begin, seed=self.seed, purpose=self.split)


class SetBalls(_BallData):
    """The balls of a generated set (.npz): all of them, or `count` from number `first` on."""

    def __init__(
        self, path: str | Path, *, frames: int = FRAMES, horizons: Sequence[float] = (), first: int = 0,
        count: int | None = None, rank: int = 0, ranks: int = 1,
    ):  # fmt: skip
        self.set = sim.open_set(path)
        count = len(self.set) - first if count is None else count
        if first + count > len(self.set):
            raise ValueError(f"{path} holds {len(self.set)} balls; {first} to {first + count} are not in it")
        super().__init__(frames, horizons, first, count, rank, ranks)

    def _balls(self, begin: int, count: int) -> sim.Balls:
        return self.set.balls(begin, count)


def to_columns(balls: sim.Balls, frames: int, horizons: np.ndarray) -> dict[str, Tensor]:
    """The columns of docs/data.md, float32, of B balls with at most `frames` frames each; horizons (H,) s."""
    counts = np.minimum(np.diff(balls.offsets), frames)
    seen = np.arange(frames) < counts[:, None]
    rows = balls.offsets[:-1, None] + np.minimum(np.arange(frames), counts[:, None] - 1)
    time = balls.time[rows]
    columns = {"seen": seen, "time": np.where(seen, time - time[:, :1], 0.0)}
    for name, a in (("position", balls.position), ("truth_position", balls.truth_position),
                    ("truth_velocity", balls.truth_velocity), ("truth_spin", balls.truth_spin)):  # fmt: skip
        columns[name] = np.where(seen[:, :, None], a[rows], 0.0)
    if len(horizons):
        columns["future"] = np.where(seen[:, :, None, None], _future(balls, time, horizons), 0.0)
    per_ball = ("launch_position", "launch_velocity", "launch_spin", "parameters", "rate", "noise", "jitter")
    columns |= {name: getattr(balls, name) for name in per_ball}
    return {name: torch.from_numpy(np.ascontiguousarray(a, np.float32)) for name, a in columns.items()}


def _future(balls, time, horizons):
    """True positions (B, T, H, 3) m at `horizons` (H,) s after each of the times (B, T) s."""
    grid = (time[:, :, None] + horizons).reshape(len(time), -1)
    order = np.argsort(grid, axis=1)
    increasing = np.take_along_axis(grid, order, 1) + 1e-12 * np.arange(grid.shape[1])
    found = np.empty((*grid.shape, 3))
    np.put_along_axis(found, order[:, :, None], balls.flight(increasing).position, 1)
    return found.reshape(*time.shape, len(horizons), 3)
