"""Train the weights that ship: python -m ballcast.models.training.ship [NAME ...]. A stopped run continues.

`gru` learns from all sports and serves every one. The others, SPORT-MODEL, are for comparison on one sport. Each file
comes from a run of train.py in runs/weights/, with two processes. Finished runs are not repeated.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from ballcast.models.registry import WEIGHTS_FOLDER

MILLION_FRAMES = {  # that each learns from; tokens learns on top of the shipped gru
    "gru": 500, "table_tennis-lstm": 12, "table_tennis-rnn": 12, "table_tennis-mlp": 12, "table_tennis-mingru": 12,
    "table_tennis-transformer": 12, "table_tennis-tokens": 12,
}  # fmt: skip
RUNS = Path("runs") / "weights"


def main() -> None:
    wrong = [name for name in sys.argv[1:] if name not in MILLION_FRAMES]
    if wrong:
        raise SystemExit(f"ship: {wrong[0]} does not ship; there are {', '.join(MILLION_FRAMES)}")
    for name in sys.argv[1:] or MILLION_FRAMES:
        trained = train(name)
        WEIGHTS_FOLDER.mkdir(exist_ok=True)
        shutil.copyfile(trained, WEIGHTS_FOLDER / f"{name}.safetensors")


def train(name: str) -> Path:
    """Train to the end; the file of weights."""
    out, (sport, _, model), processes = RUNS / name, name.rpartition("-"), min(os.cpu_count() or 1, 2)
    begin = ["--sport", sport or "all", "--model", model, "--frames", str(1e6 * MILLION_FRAMES[name])]
    if (out / "config.json").exists():
        begin = ["--resume"]
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    print(f"{name}: training", flush=True)
    subprocess.run([*launch, "train.py", "--out", str(out), *begin], check=True, env=environment)
    return out / "weights.safetensors"


if __name__ == "__main__":
    main()
