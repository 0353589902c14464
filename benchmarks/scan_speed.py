"""How fast trunks train on sequences: python -m benchmarks.scan_speed [LENGTH ...]. In float32, on torch's threads.

Forward and backward of trunks of the same width, on random numbers: frames/s by the length of the sequences and the
batch size. `gru` and `rnn` run from frame to frame; `mingru` (a scan) and `transformer` (attention to a window) compute
all frames at once. Then the scan of mingru alone, against the sequential reference. On a machine that others use too,
OMP_NUM_THREADS=1 is steadier.

Keys of the last line: MODEL_LENGTH_BATCH (frames/s), ratio (mingru over gru, length 2000, batch 1; null if that was not
measured), parameters_MODEL, scan_us, one_by_one_us (microseconds a frame, same length and batch), threads.
"""

import json
import os
import sys
import time

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that wait by spinning stall where others work too

import numpy as np  # noqa: E402 - the environment must be set before torch is imported
import torch  # noqa: E402

from ballcast.models.nets.network import DEFAULT_SIZES, Network, NetworkShape  # noqa: E402
from ballcast.models.nets.scan import scan, sequential_scan  # noqa: E402

NETWORKS = ("rnn", "gru", "mingru", "transformer")
SCANS = {"scan": scan, "one_by_one": sequential_scan}
LENGTHS, BATCHES = (50, 200, 1000, 2000, 5000), (1, 8, 64)
FEATURES, UNITS, RATE = 54, 192, 180.0  # frames/s
ROUNDS, MIN_TIME, MAX_TIME = 5, 0.1, 4.0  # measurements, whose median counts; s, the least of one and the most of all


def training_pass(model, length, batch):
    """A function that runs a trunk forward and backward on sequences (batch, length), and its parameter count."""
    network = Network(NetworkShape(model, FEATURES, 0, **DEFAULT_SIZES.get(model, {}) | {"units": UNITS}))
    features, times = torch.randn(batch, length, FEATURES), torch.arange(length).expand(batch, length) / RATE

    def run_pass():
        network.zero_grad()
        network.hidden(features, times).mean().backward()

    return run_pass, sum(p.numel() for p in network.trunk.parameters())


def scan_pass(name, length, batch):
    """A function that runs a scan of SCANS forward and backward."""
    a, b = torch.rand(batch, length, UNITS, requires_grad=True), torch.randn(batch, length, UNITS, requires_grad=True)
    return lambda: SCANS[name](a, b).sum().backward()


def seconds(work):
    """Seconds that `work` takes: the median of some rounds, after one to warm up."""
    work()
    taken, begun = [], time.perf_counter()
    while len(taken) < ROUNDS and (not taken or time.perf_counter() - begun < MAX_TIME):
        begin, count = time.perf_counter(), 0
        while not count or time.perf_counter() - begin < MIN_TIME:
            work()
            count += 1
        taken.append((time.perf_counter() - begin) / count)
    return float(np.median(taken))


def main():
    result = {"threads": (threads := torch.get_num_threads())}
    print(f"frames/s, {UNITS} units, {threads} threads")
    print(f"{'length':>7}{'batch':>7}" + "".join(f"{name:>13}" for name in NETWORKS) + "   mingru/gru")
    for length in map(int, sys.argv[1:] or LENGTHS):
        for batch in BATCHES:
            row = {}
            for name in NETWORKS:
                work, result[f"parameters_{name}"] = training_pass(name, length, batch)
                row[name] = batch * length / seconds(work)
            result |= {f"{name}_{length}_{batch}": round(v) for name, v in row.items()}
            speeds = "".join(f"{v:>13,.0f}" for v in row.values())
            print(f"{length:>7}{batch:>7}{speeds}{row['mingru'] / row['gru']:>13.1f}", flush=True)
    gru, mingru = result.get("gru_2000_1"), result.get("mingru_2000_1")
    result["ratio"] = round(mingru / gru, 2) if gru else None
    result |= {f"{name}_us": round(1e6 * seconds(scan_pass(name, 2000, 1)) / 2000, 3) for name in SCANS}
    print(f"the scan, length 2,000, batch 1: {result['scan_us']} us a frame; one by one {result['one_by_one_us']}")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
