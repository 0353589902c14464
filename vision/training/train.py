"""Train the network that finds the ball, on synthetic images alone.

    python -m ballcast.vision.training --out runs/ball               # an hour and a half on two cores
    python -m ballcast.vision.training --out runs/ball --resume      # goes on where it stopped

The folder then has checkpoint.pt, log.csv and ball.onnx, which vision/network.py runs. Samples are drawn in other
processes; which ones a step sees depends on the seed and the step alone.
"""

import contextlib
import csv
import math
import os
import pickle
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ballcast import command
from ballcast.sim.files import aside, sync_and_rename
from ballcast.vision.network import INPUT

PROGRAM = "python -m ballcast.vision.training"
AHEAD = 3  # batches per process that are drawn ahead
WARM_UP = 200  # steps over which the learning rate rises
CHECKPOINT = "checkpoint.pt"
LOG = "step", "minutes", "loss", "heat", "offset", "size", "recall", "precision"
NEAR = 2.5  # half-size px within which a candidate is a ball, in validation
SURE = 0.5  # probability from which on a candidate counts, in validation


@dataclass(frozen=True, kw_only=True)
class Options:
    """Train the network that finds the ball, on synthetic images alone."""

    out: Path = Path("runs/ball")  # the folder to write
    minutes: float = 85.0  # how long, at most; the learning rate falls to nothing at the end of steps or minutes
    steps: int = 20_000  # how many, at most
    batch: int = 16  # samples per step
    side: int = 192  # px of a sample
    rate: float = 2e-3  # learning rate
    seed: int = 0  # of the samples and the first weights
    workers: int = 1  # processes that draw samples
    threads: int = 0  # of torch; 0: all cores but those of the workers
    every: int = 500  # steps between checkpoints
    resume: bool = False  # go on from the checkpoint in the folder
    device: str = "cpu"  # or cuda


def main() -> None:
    options = command.options(Options, PROGRAM)
    command.run(PROGRAM, lambda: run(options))


def run(options: Options) -> None:
    """Train and write the folder. Raises ValueError or OSError with one line."""
    import torch

    check(options)
    import onnx  # noqa: F401 - needed at the end; ModuleNotFoundError should come before the hours of work

    torch.set_num_threads(options.threads or max(1, (os.cpu_count() or 2) - options.workers))
    options.out.mkdir(parents=True, exist_ok=True)
    learner = Learner(options)
    if options.resume:
        learner.load(options.out / CHECKPOINT)
    try:
        learner.learn()
    except KeyboardInterrupt:
        learner.save()
        print(f"{options.out}: stopped after {learner.step} steps; --resume goes on from there")
        raise
    learner.save()
    learner.export()


def check(options: Options) -> None:
    """Refuse options that cannot work. Raises ValueError."""
    there = (options.out / CHECKPOINT).is_file()
    if options.resume and not there:
        raise ValueError(f"--resume: {options.out / CHECKPOINT} is not there; leave out --resume to begin")
    if there and not options.resume:
        raise ValueError(f"--out {options.out}: has a checkpoint already; --resume goes on with it")
    for name in ("steps", "batch", "workers", "every"):
        if getattr(options, name) < 1:
            raise ValueError(f"--{name} {getattr(options, name)} must be at least 1")
    if options.side < 64 or options.side % 16:
        raise ValueError(f"--side {options.side} must be a multiple of 16 px, at least 64")


class Learner:
    """The network, its optimizer, and how far it is."""

    def __init__(self, options: Options):
        import torch

        from ballcast.vision.training.net import BallNet

        torch.manual_seed(options.seed)
        self.options, self.step, self.minutes = options, 0, 0.0
        self.net = BallNet().to(options.device, memory_format=torch.channels_last)  # the faster order of convolutions
        decayed = [p for p in self.net.parameters() if p.ndim > 1]
        rest = [p for p in self.net.parameters() if p.ndim <= 1]
        groups = [{"params": decayed, "weight_decay": 0.01}, {"params": rest, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=options.rate)

    def learn(self) -> None:
        """Take steps until they, or the minutes, are used up."""
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        options, console = self.options, Console(stderr=True)
        columns = TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn()
        start, before, recent = time.monotonic(), self.minutes, deque(maxlen=100)
        with Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal) as bar:
            task = bar.add_task("training", total=options.steps, completed=self.step)
            with contextlib.suppress(StopIteration), drawn_batches(options, self.step) as batches:
                while self.step < options.steps and self.minutes < options.minutes:
                    recent.append(self.take_step(next(batches)))
                    self.minutes = before + (time.monotonic() - start) / 60.0
                    bar.update(task, completed=self.step, description=f"loss {recent[-1]['loss']:.3f}")
                    if self.step % options.every == 0:
                        self.save()
                        self.report({key: float(np.mean([r[key] for r in recent])) for key in recent[-1]})

    def take_step(self, batch: tuple[np.ndarray, np.ndarray, np.ndarray]) -> dict[str, float]:
        """One step of the optimizer; the loss and its parts."""
        import torch

        from ballcast.vision.training.net import loss, normalised

        self.net.train()
        for group in self.optimizer.param_groups:
            group["lr"] = self.options.rate * self._schedule()
        inputs, answer, weight = (torch.from_numpy(part).to(self.options.device) for part in batch)
        inputs = normalised(inputs).to(memory_format=torch.channels_last)
        with torch.autocast(
            self.options.device, torch.bfloat16, enabled=self.options.device != "cpu" or _has_bfloat16()
        ):
            output = self.net(inputs)
        total, parts = loss(output, answer, weight)
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 5.0)
        self.optimizer.step()
        self.step += 1
        return {"loss": float(total.detach()), **parts}

    def validate(self, count: int = 96) -> tuple[float, float]:
        """Recall and precision on samples of the validation set."""
        import torch

        from ballcast.vision.network import ANSWERED, SHRINK, decode
        from ballcast.vision.training.images import draw_sample
        from ballcast.vision.training.net import normalised
        from ballcast.vision.training.targets import stacked

        self.net.eval()
        found = asked = right = shown = 0
        for number in range(count):
            sample = draw_sample(number, self.options.seed, "validation", self.options.side)
            inputs = torch.from_numpy(stacked([sample])[0]).to(self.options.device)
            with torch.no_grad():
                output = self.net(normalised(inputs))[0].float().cpu().numpy()
            candidates = decode(output, ANSWERED.index(2))
            sure = ((candidates.pixel[candidates.score >= SURE] + 0.5) / SHRINK) - 0.5
            balls = sample.balls[2]
            away = np.hypot(*(sure[:, None] - balls[None, :, :2]).transpose(2, 0, 1))
            is_asked = balls[:, 5] > 0
            asked, found = asked + is_asked.sum(), found + (away[:, is_asked] <= NEAR).any(axis=0).sum()
            # what stands on a ball without weight is neither right nor wrong
            excused = (away[:, ~is_asked] <= 3.0 * NEAR + balls[~is_asked, 2]).any(axis=1)
            good = (away[:, is_asked] <= NEAR).any(axis=1)
            right, shown = right + good.sum(), shown + (good | ~excused).sum()
        return float(found / max(asked, 1)), float(right / max(shown, 1))

    def report(self, means: dict[str, float]) -> None:
        """Add a line to log.csv."""
        recall, precision = self.validate()
        path, values = self.options.out / "log.csv", {"step": self.step, "minutes": self.minutes, **means}
        values |= {"recall": recall, "precision": precision}
        is_new = not path.is_file()
        with open(path, "a", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            if is_new:
                writer.writerow(LOG)
            writer.writerow([f"{values[key]:.4g}" if key != "step" else self.step for key in LOG])

    def save(self) -> None:
        """Write the checkpoint."""
        import torch

        path = self.options.out / CHECKPOINT
        state = {"net": self.net.state_dict(), "optimizer": self.optimizer.state_dict(), "step": self.step}
        torch.save(state | {"minutes": self.minutes, "seed": self.options.seed}, aside(path))
        sync_and_rename(aside(path), path)

    def load(self, path: Path) -> None:
        """Go on from a checkpoint. ValueError if it is none of this network."""
        import torch

        try:
            state: dict[str, Any] = torch.load(path, map_location=self.options.device, weights_only=True)
            self.net.load_state_dict(state["net"])
            self.optimizer.load_state_dict(state["optimizer"])
        except (RuntimeError, KeyError, EOFError, pickle.UnpicklingError) as error:
            raise ValueError(f"{path}: no checkpoint of this network ({str(error).splitlines()[0]})") from error
        self.step, self.minutes = int(state["step"]), float(state["minutes"])

    def export(self) -> None:
        """Write ball.onnx. ModuleNotFoundError without onnx (extra export)."""
        path = self.options.out / "ball.onnx"
        export(self.net, path)
        print(f"{path}: after {self.step} steps, {path.stat().st_size / 1e6:.2f} MB")

    def _schedule(self):
        """The learning rate's factor: it rises, then falls as a half cosine, to 0 at the end of steps or minutes."""
        share = min(1.0, max(self.step / self.options.steps, self.minutes / self.options.minutes))
        return min(1.0, (self.step + 1) / WARM_UP) * 0.5 * (1.0 + math.cos(math.pi * share))


def _has_bfloat16():
    """Whether this processor multiplies bfloat16 itself. Where it does not, PyTorch's is slower than float32."""
    import torch

    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def export(net: Any, path: Path) -> None:
    """Write a BallNet as ONNX, for pictures of any size."""
    import warnings

    import torch

    net = net.cpu().eval()
    frames = torch.zeros(1, 9, 64, 96)
    axes = {INPUT: {2: "height", 3: "width"}, "cells": {2: "rows", 3: "columns"}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(net, (frames,), str(aside(path)), input_names=[INPUT], output_names=["cells"],
                          dynamic_axes=axes, dynamo=False, opset_version=17)  # fmt: skip
    sync_and_rename(aside(path), path)


@contextlib.contextmanager
def drawn_batches(options: Options, first: int) -> Iterator[Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]]:
    """The batches of steps `first` on, drawn ahead in other processes."""
    import multiprocessing

    from ballcast.vision.training.targets import batch

    pool = ProcessPoolExecutor(options.workers, multiprocessing.get_context("spawn"), initializer=_begin_worker)

    def ask(step):
        numbers = range(step * options.batch, (step + 1) * options.batch)
        return pool.submit(batch, numbers, options.seed, "train", options.side)

    def take():
        waiting: deque[Future] = deque()
        for step in range(first, options.steps):
            while len(waiting) < AHEAD * options.workers and step + len(waiting) < options.steps:
                waiting.append(ask(step + len(waiting)))
            yield waiting.popleft().result()

    try:
        yield take()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _begin_worker():
    """One thread per process; Ctrl-C is for the process that asks."""
    import signal

    import cv2

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
