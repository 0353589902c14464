"""A training run in a folder: config.json, metrics.jsonl, checkpoints, weights.safetensors. Any moment may be its last.

Files are written aside, synced and renamed, so that each is whole or not there. A run goes on from its last checkpoint
as if it had never stopped: what a step does depends on its number and on the checkpoint alone.
"""

import json
import re
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load, save

from ballcast.models.runtime.weights import read_metadata, write_atomically

CHECKPOINTS_KEPT = 2  # checkpoints


class RunFolder:
    def __init__(self, folder):
        self.folder = Path(folder)

    def require_empty(self):
        """Raises ValueError where the folder is not there to be filled."""
        if self.folder.exists() and (not self.folder.is_dir() or any(self.folder.iterdir())):
            raise ValueError(f"--out {self.folder}: there is something already; name another folder, or --resume")

    def create(self, config):
        """Make the folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.write_config(config)

    def config(self):
        """The config of the run that was begun here. ValueError if there is none."""
        try:
            return json.loads((self.folder / "config.json").read_text())
        except (OSError, ValueError):
            message = f"--resume: {self.folder} holds no training run (config.json); begin one without it"
            raise ValueError(message) from None

    def write_config(self, config):
        """Keep the config, a dict."""
        write_atomically(self.folder / "config.json", json.dumps(config, indent=1).encode())

    def log(self, **numbers):
        """Add a line to metrics.jsonl."""
        with open(self.folder / "metrics.jsonl", "a") as file:
            file.write(json.dumps(numbers) + "\n")

    def truncate_log(self, step):
        """Drop what a stopped run wrote after its last checkpoint, at `step`: lines of metrics, halves of files."""
        for stray in self.folder.glob(".*.tmp"):
            stray.unlink()
        path = self.folder / "metrics.jsonl"
        if not path.exists():
            return
        lines = [line for line in path.read_text().splitlines() if _read_step(line) <= step]
        write_atomically(path, "".join(line + "\n" for line in lines).encode())

    # --- checkpoints --------------------------------------------------------------------------------------------------

    def save_checkpoint(self, step, network, optimizer, best):
        """Write a checkpoint after `step` steps, and let go of old ones."""
        tensors = {f"network.{name}": a for name, a in network.state_dict().items()}
        for n, state in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{n}.{name}": a for name, a in state.items()}
        metadata = {"ballcast": json.dumps({"step": step, "best": best})}
        write_atomically(
            self.folder / f"checkpoint-{step:08d}.safetensors",
            save({k: a.contiguous() for k, a in tensors.items()}, metadata),
        )
        for path in self.checkpoints()[:-CHECKPOINTS_KEPT]:
            path.unlink()

    def checkpoints(self):
        """The files of checkpoints, oldest first."""
        return sorted(p for p in self.folder.glob("checkpoint-*.safetensors") if re.search(r"-\d{8}\.", p.name))

    def load_checkpoint(self, network, optimizer):
        """Put back the last checkpoint: (steps done, best score so far); (0, None) if there is none."""
        if not self.checkpoints():
            return 0, None
        path = self.checkpoints()[-1]
        content = path.read_bytes()
        try:
            tensors = load(content)
            metadata = read_metadata(content)
        except (SafetensorError, ValueError, KeyError) as error:
            raise ValueError(f"{path}: no checkpoint ({error}); delete it, and the one before is used") from None
        network.load_state_dict({k.removeprefix("network."): a for k, a in tensors.items() if k.startswith("network.")})
        optimizer_state, state = optimizer.state_dict(), {}
        for name, a in tensors.items():
            if name.startswith("optimizer."):
                _, n, key = name.split(".")
                state.setdefault(int(n), {})[key] = a
        optimizer.load_state_dict(optimizer_state | {"state": state})
        return metadata["step"], metadata["best"]


def _read_step(line):
    try:
        return json.loads(line)["step"]
    except (ValueError, KeyError, TypeError):
        return float("inf")  # the last line of a run that was killed
