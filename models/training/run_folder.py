"""A training run in a folder: config.json, metrics.jsonl, checkpoints, weights.safetensors. It may stop at any moment.

Files are written atomically, so each is whole or missing. A run continues from its last checkpoint as if it had never
stopped: a step depends on its number and on the checkpoint alone.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from ballcast.models.runtime.weights import read_metadata
from ballcast.sim.files import write_atomically

CHECKPOINTS_KEPT = 2


@dataclass
class RunState:
    """How far a run has come."""

    step: int = 0  # steps done
    best: float | None = None  # the best validation score
    skipped: int = 0  # steps without an update, because a gradient was not finite
    frames: int = 0  # frames learnt from, over all processes
    best_step: int = 0  # the step of the best validation score
    stale: int = 0  # validations since then
    ended: bool = False  # the run ended before its last step: nothing improves any more, or the time is over


class RunFolder:
    """The files of a run."""

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        self.weights = self.folder / "weights.safetensors"

    def require_empty(self) -> None:
        """Raises ValueError if the folder has any content."""
        if self.folder.exists() and (not self.folder.is_dir() or any(self.folder.iterdir())):
            raise ValueError(f"--out {self.folder}: there is something already; name another folder, or --resume")

    def config(self) -> dict:
        """The config of the run in this folder. Raises ValueError if there is none."""
        try:
            return json.loads((self.folder / "config.json").read_text())
        except (OSError, ValueError):
            raise ValueError(f"--resume: {self.folder} holds no training run (config.json); start one") from None

    def write_config(self, config: dict) -> None:
        """Write config.json; make the folder if it is not there."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_atomically(self.folder / "config.json", json.dumps(config, indent=1).encode())

    def log(self, **numbers: float) -> None:
        """Append a line to metrics.jsonl."""
        with open(self.folder / "metrics.jsonl", "a") as file:
            file.write(json.dumps(numbers) + "\n")

    def truncate_log(self, step: int) -> None:
        """Remove what a stopped run wrote after its last checkpoint, at `step`: lines of metrics, temporary files."""
        for stray in self.folder.glob(".*.tmp"):
            stray.unlink()
        path = self.folder / "metrics.jsonl"
        if path.exists():
            lines = [line for line in path.read_text().splitlines() if _read_step(line) <= step]
            write_atomically(path, "".join(line + "\n" for line in lines).encode())

    def save_checkpoint(self, state: RunState, network: torch.nn.Module, optimizer: torch.optim.Optimizer) -> None:
        """Write a checkpoint, and delete old ones."""
        tensors = {f"network.{name}": a for name, a in network.state_dict().items()}
        for n, values in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{n}.{name}": a for name, a in values.items()}
        content = save({k: a.contiguous() for k, a in tensors.items()}, {"ballcast": json.dumps(asdict(state))})
        write_atomically(self.folder / f"checkpoint-{state.step:08d}.safetensors", content)
        for path in self.checkpoints()[:-CHECKPOINTS_KEPT]:
            path.unlink()

    def checkpoints(self) -> list[Path]:
        """The checkpoint files, oldest first."""
        return sorted(self.folder.glob(f"checkpoint-{'[0-9]' * 8}.safetensors"))

    def last_step(self) -> int:
        """The step of the last checkpoint; 0 if there is none."""
        return int(self.checkpoints()[-1].stem.rpartition("-")[2]) if self.checkpoints() else 0

    def load_checkpoint(self, network: torch.nn.Module, optimizer: torch.optim.Optimizer) -> RunState:
        """Load the last checkpoint, if there is one."""
        if not self.checkpoints():
            return RunState()
        path = self.checkpoints()[-1]
        content = path.read_bytes()
        try:
            tensors, state = load(content), RunState(**read_metadata(content))
            own = {k.removeprefix("network."): a for k, a in tensors.items() if k.startswith("network.")}
            network.load_state_dict(own)
        except (SafetensorError, ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path}: not a checkpoint ({error}); delete it to resume from the one before") from None
        except RuntimeError:
            raise ValueError(f"{path}: of another version of Ballcast; start a new run") from None
        optimizer_state, states = optimizer.state_dict(), {}
        for name, a in tensors.items():
            if name.startswith("optimizer."):
                _, n, key = name.split(".")
                states.setdefault(int(n), {})[key] = a
        optimizer.load_state_dict(optimizer_state | {"state": states})
        return state


def _read_step(line):
    try:
        return json.loads(line)["step"]
    except (ValueError, KeyError, TypeError):
        return float("inf")  # the last line of a run that was killed
