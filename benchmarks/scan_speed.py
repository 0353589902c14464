"""How fast sequences are learnt from: python -m benchmarks.scan_speed. On all cores that torch takes, float32.

Measured are forward and backward of the trunk alone, of one width, on random numbers: frames/s by the length of the
sequences and how many there are. `gru` and `rnn` go from frame to frame, `mingru` (a scan) and `transformer`
(attention to a window) take all frames at once. Then mingru's scan alone beside its one-by-one twin.

Keys of the last line: MODEL_LENGTH_BATCH (frames/s), ratio (mingru over gru, length 2000, batch 1), parameters_MODEL,
scan_us, one_by_one_us (microseconds a frame, the same length and batch).
"""

import json
import time

import numpy as np
import torch

from models.nets.network import Network, Shape
from models.nets.scan import one_by_one, scan

NETWORKS = ("rnn", "gru", "mingru", "transformer")
LENGTHS, BATCHES = (50, 200, 1000, 2000, 5000), (1, 8, 64)
FEATURES, UNITS = 54, 192
ROUNDS, LEAST, MOST = 5, 0.1, 4.0  # measurements, the middle one counts; s, to repeat up to and to stop after


def seconds(work):
    """Seconds that `work` takes: the median of some rounds, after one to warm up."""
    work()
    taken, begun = [], time.perf_counter()
    while len(taken) < ROUNDS and (not taken or time.perf_counter() - begun < MOST):
        begin, count = time.perf_counter(), 0
        while not count or time.perf_counter() - begin < LEAST:
            work()
            count += 1
        taken.append((time.perf_counter() - begin) / count)
    return float(np.median(taken))


def speed(network, length, batch):
    """Frames/s of forward and backward."""
    x, times = torch.randn(batch, length, FEATURES), torch.arange(length).expand(batch, length) / 180.0

    def work():
        network.zero_grad()
        network.memory(x, times).mean().backward()

    return batch * length / seconds(work)


def scans(length=2000, batch=1):
    """Microseconds a frame of the scan and of its twin, forward and backward."""
    a = torch.rand(batch, length, UNITS, requires_grad=True)
    b = torch.randn(batch, length, UNITS, requires_grad=True)
    told = ((name, f) for name, f in (("scan_us", scan), ("one_by_one_us", one_by_one)))
    return {name: round(1e6 * seconds(lambda f=f: f(a, b).sum().backward()) / (batch * length), 3) for name, f in told}


def main():
    """Measure, print for people, then one JSON object."""
    networks = {name: Network(Shape(name, FEATURES, 0, units=UNITS)) for name in NETWORKS}
    result = {f"parameters_{n}": sum(p.numel() for p in net.trunk.parameters()) for n, net in networks.items()}
    print(f"frames/s, {UNITS} units, {torch.get_num_threads()} threads")
    print(f"{'length':>7}{'batch':>7}" + "".join(f"{name:>13}" for name in NETWORKS) + "   mingru/gru")
    for length in LENGTHS:
        for batch in BATCHES:
            row = {name: speed(network, length, batch) for name, network in networks.items()}
            result |= {f"{name}_{length}_{batch}": round(v) for name, v in row.items()}
            ratio = row["mingru"] / row["gru"]
            print(
                f"{length:>7}{batch:>7}" + "".join(f"{v:>13,.0f}" for v in row.values()) + f"{ratio:>13.1f}", flush=True
            )
    result["ratio"] = round(result["mingru_2000_1"] / result["gru_2000_1"], 2)
    result |= scans()
    print(
        f"the scan alone, length 2,000, batch 1: {result['scan_us']} us a frame; one by one {result['one_by_one_us']}"
    )
    print(json.dumps(result))


if __name__ == "__main__":
    main()
