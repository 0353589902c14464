"""Train the weights that ship: python -m ballcast.models.training.ship [NAME ...]. A stopped run continues.

`gru` learns from all sports and serves every one; in the end it learns from pixels, too. The others, SPORT-MODEL, are
for comparison on one sport. Each file comes from a run of train.py in runs/weights/, with two processes. Finished runs
are not repeated.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from ballcast.models.registry import WEIGHTS_FOLDER

MILLION_FRAMES = {  # that each learns from; tokens learns on top of the shipped gru
    "gru": 500, "table_tennis-gru_raw": 47, "table_tennis-lstm": 12, "table_tennis-rnn": 12, "table_tennis-mlp": 12,
    "table_tennis-mingru": 12, "table_tennis-transformer": 12, "table_tennis-tokens": 12,
}  # fmt: skip
PIXELS = ("--balls", "4096")  # that random cameras saw, for gru
PIXEL_STEPS = ("--steps", "1200", "--batch", "128", "--learning-rate", "1e-3")
ONE_THREAD = {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
RUNS = Path("runs") / "weights"


def main() -> None:
    wrong = [name for name in sys.argv[1:] if name not in MILLION_FRAMES]
    if wrong:
        raise SystemExit(f"ship: {wrong[0]} does not ship; there are {', '.join(MILLION_FRAMES)}")
    for name in sys.argv[1:] or MILLION_FRAMES:
        trained = train(name)
        if name == "gru":
            trained = train_on_pixels(trained)
        WEIGHTS_FOLDER.mkdir(exist_ok=True)
        shutil.copyfile(trained, WEIGHTS_FOLDER / f"{name}.safetensors")


def train(name: str) -> Path:
    """Train to the end; the file of weights."""
    sport, _, model = name.rpartition("-")
    return run(name, "--sport", sport or "all", "--model", model, "--frames", str(1e6 * MILLION_FRAMES[name]))


def train_on_pixels(trained: Path) -> Path:
    """Fine-tune the weights of gru on balls that cameras saw, which are made first; the file of weights."""
    folder, processes = RUNS / "pixels", str(min(os.cpu_count() or 1, 2))
    make = [sys.executable, "-m", "ballcast.models.training.pixel_set", str(folder), *PIXELS, "--processes", processes]
    subprocess.run(make, check=True, env=os.environ | ONE_THREAD)
    return run("gru-pixels", "--sport", "all", "--finetune", str(trained), "--pixels", str(folder), *PIXEL_STEPS)


def run(name: str, *begin: str) -> Path:
    """A run of train.py that begins with these options, or continues; the file of weights."""
    out, processes = RUNS / name, min(os.cpu_count() or 1, 2)
    options = ["--resume"] if (out / "config.json").exists() else begin
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    print(f"{name}: training", flush=True)
    subprocess.run([*launch, "train.py", "--out", str(out), *options], check=True, env=os.environ | ONE_THREAD)
    return out / "weights.safetensors"


if __name__ == "__main__":
    main()
