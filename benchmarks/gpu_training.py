"""Training on a GPU: python -m benchmarks.gpu_training [--features raw] [--sport table_tennis] --out FOLDER

Needs an NVIDIA GPU, torch built for it and the extra `gpu`. A GRU whose batches are made on the GPU, of the filter's
features by default: how many frames a second are made, are learnt where the batch is there already, and go through the
loop of train.py. Then it trains, without the calibration at the end, which is the CPU's work:
python -m ballcast.models.training.calibrate FOLDER/weights.safetensors SPORT

Keys of the last line: gpu_made_frames_per_second, gpu_learnt_frames_per_second, gpu_training_frames_per_second,
gpu_training_seconds, gpu_training_frames, the validation losses; gpu_feature_difference_..., of the filter's features
from those that the CPU makes of the same frames.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ballcast import command, sim
from ballcast.models.encoding.features import make_frontend
from ballcast.models.encoding.nominal import HORIZONS
from ballcast.models.training import device_beliefs, make_learner, train
from ballcast.models.training.batches import TARGET_LIMIT, Sequences, Targets, assemble
from ballcast.models.training.device_batches import CHUNK, cut
from ballcast.models.training.learner import Learner
from ballcast.models.training.run_folder import RunFolder

STEPS = 32  # that are timed
COMPARED, QUANTILES = 64, {"median": 0.5, "of_999_in_1000": 0.999, "largest": 1.0}  # balls; of differences


@dataclass
class Options:
    """The speed of training on a GPU, and a network trained there."""

    out: Path
    """Folder of the run."""
    features: str = "filter"
    """filter or raw."""
    sport: tuple[str, ...] = ("table_tennis",)
    """Names of sports, or all."""
    minutes: float = 2.0
    """How long to train."""
    batch: int | None = None
    """Balls in a step; by default as train.py."""
    learning_rate: float | None = None
    """The highest learning rate; by default as train.py."""
    units: int | None = None
    """Hidden units; by default as train.py."""
    device: str = "cuda"
    """cuda, cuda:1, ..."""


def main() -> None:
    """Time the parts, then train."""
    options = command.options(Options, "gpu_training")
    command.run("gpu_training", lambda: print(json.dumps(measure(options))))


def measure(options: Options) -> dict[str, float]:
    """The numbers of the last line."""
    own = {"sport": options.sport, "minutes": options.minutes, "batch": options.batch, "units": options.units}
    run = train.Options(
        features=options.features, device=options.device, out=options.out, rate=options.learning_rate, **own
    )
    train.check(run)
    folder, config = train.prepare(run)
    train.require_device(config)
    begin = time.perf_counter()
    learner = make_learner(config)
    print(f"kernels compiled, scales measured in {time.perf_counter() - begin:.1f} s", flush=True)
    found = speeds(learner)
    if options.features == "filter":
        found |= differences(learner.sports[0].levelled(), learner.device)
    print(json.dumps(found), flush=True)
    learner.finish = leave_uncalibrated  # type: ignore[method-assign]
    folder.write_config(config)
    begin = time.perf_counter()
    train.train(learner, folder, config, [])
    rows = [json.loads(line) for line in (folder.folder / "metrics.jsonl").read_text().splitlines()]
    last, scored = ([row for row in rows if key in row][-1] for key in ("frames_per_second", "validation_path"))
    found |= {"gpu_training_frames_per_second": last["frames_per_second"],
              "gpu_training_seconds": round(time.perf_counter() - begin, 1),
              "gpu_training_frames": frames_of(folder)}  # fmt: skip
    return found | {name: value for name, value in scored.items() if name.startswith("validation")}


def leave_uncalibrated(path: Path, state: object) -> None:
    """In place of Learner.finish."""
    print(f"{path}: not calibrated yet")


def frames_of(folder: RunFolder) -> int:
    """The frames that the best weights have learnt from."""
    from ballcast.models.runtime import weights

    return int(weights.read_metadata(folder.weights.read_bytes())["frames"])


def speeds(learner: Learner) -> dict[str, float]:
    """Frames a second that are made, and that are learnt."""
    batches, made = learner.batches, []
    took = seconds(lambda: made.extend(batches[CHUNK * n] for n in (1, 2, 3)), learner.device)
    frames = CHUNK * sum(batch.frame_count for batch in made)
    batch = made[-1]
    learner.step(batch, 0.0, 1.0)
    learnt = seconds(lambda: [learner.step(batch, 0.0, 1.0) for _ in range(STEPS)], learner.device)
    learner.optimizer.state.clear()
    return {"gpu_made_frames_per_second": round(frames / took),
            "gpu_learnt_frames_per_second": round(STEPS * batch.frame_count / learnt)}  # fmt: skip


def differences(sport: sim.Sport, device: torch.device, count: int = COMPARED) -> dict[str, float]:
    """How far the filter's features of some balls are from those that the CPU makes of the same frames."""
    balls, frontend = sim.draw(sport, count, purpose="test", device=device.type), make_frontend(sport, "filter")
    start, jitter = torch.zeros(count, device=device), torch.full((count, 1), 0.5, device=device)
    sequences, _ = cut(balls, start, jitter)
    ours = device_beliefs.follow(frontend, sequences)[0].features.cpu().numpy()
    time, position, frames, loss_frames, _ = (a.cpu().numpy() for a in sequences)
    first = np.arange(count) * time.shape[1]
    flat = Sequences(time.ravel(), position.reshape(-1, 3).astype(float), first, frames, loss_frames)
    none = Targets(None, np.zeros((count, 1, HORIZONS, 3)), None, np.zeros((count, 1)), np.zeros((count, 1, 4)))
    theirs, *_ = assemble(frontend, flat, none, TARGET_LIMIT)
    off = np.abs(ours - theirs.features)[np.arange(time.shape[1]) < frames[:, None]]
    return {f"gpu_feature_difference_{name}": float(np.quantile(off, q)) for name, q in QUANTILES.items()}


def seconds(work: Callable[[], object], device: torch.device) -> float:
    """How long work takes on the device, s."""
    begin = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - begin


if __name__ == "__main__":
    main()
