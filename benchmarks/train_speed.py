"""The cost of training beyond the network itself: python -m benchmarks.train_speed. One process, one torch thread.

Measured in turns: frames/s of the loop of train.py (simulated balls and their features, made by a thread, then losses,
clipped gradients, optimizer), and of forward and backward of the same recurrent layer alone, on random numbers of the
same shapes and precision.

Keys of the last line: loop_frames_per_s, bare_frames_per_s, ratio (the median of the turns).
"""

import os

for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[name] = "1"

import json  # noqa: E402 - the environment must be set before numba and torch are imported
import time  # noqa: E402

import numpy as np  # noqa: E402
import torch  # noqa: E402

from ballcast.models.training.batches import MAX_FRAMES  # noqa: E402
from ballcast.models.training.learner import Learner  # noqa: E402

REPEATS, STEPS, WARM, BATCH, UNITS = 5, 20, 5, 192, 192
CONFIG = {
    "model": "gru", "sport": "table_tennis", "data": None, "finetune": None, "tracks": [], "batch": BATCH, "seed": 0,
    "units": UNITS, "device": "cpu", "rate": 3e-3, "exact": False,
}  # fmt: skip


def loop(learner, feed):
    """Frames/s of some steps of training."""
    begin, frames = time.perf_counter(), 0
    for _ in range(STEPS):
        batch = next(feed)
        learner.step(batch, 1e-4, 1.0)
        frames += int(batch.frame_count)
    return frames / (time.perf_counter() - begin)


def trunk_only(learner):
    """Frames/s of the recurrent layer alone. All frames count, since random sequences have no end."""
    begin = time.perf_counter()
    for _ in range(STEPS):
        features = torch.randn(BATCH, MAX_FRAMES, learner.batches.size)
        with torch.autocast("cpu", torch.bfloat16, enabled=learner.autocast):
            hidden = learner.network.hidden(features, torch.arange(MAX_FRAMES).expand(BATCH, -1) / 180)
        hidden.float().mean().backward()
    return STEPS * BATCH * MAX_FRAMES / (time.perf_counter() - begin)


def main():
    learner, speeds = Learner(CONFIG), []
    with learner.feed(0) as feed:
        for _ in range(WARM):
            learner.step(next(feed), 1e-4, 1.0)
        for _ in range(REPEATS):
            speeds.append((loop(learner, feed), trunk_only(learner)))
            print(f"loop {speeds[-1][0]:,.0f} frames/s, bare {speeds[-1][1]:,.0f} frames/s", flush=True)
    (loops, bares), ratio = np.median(speeds, axis=0), float(np.median([a / b for a, b in speeds]))
    print(json.dumps({"loop_frames_per_s": round(loops), "bare_frames_per_s": round(bares), "ratio": round(ratio, 3)}))


if __name__ == "__main__":
    main()
