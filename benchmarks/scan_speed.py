"""How fast sequences are learnt from: python -m benchmarks.scan_speed [LENGTH ...]. float32, on the cores torch takes.

Measured are forward and backward of the trunk alone, of one width, on random numbers: frames/s by the length of the
sequences and how many there are. `gru` and `rnn` go from frame to frame, `mingru` (a scan) and `transformer`
(attention to a window) take all frames at once. Then mingru's scan alone beside its one-by-one twin. On a machine that
others use too, OMP_NUM_THREADS=1 is steadier.

Keys of the last line: MODEL_LENGTH_BATCH (frames/s), ratio (mingru over gru, length 2000, batch 1; null where that was
not measured), parameters_MODEL, scan_us, one_by_one_us (microseconds a frame, the same length and batch), threads.
"""

import json
import os
import sys
import time

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that wait by spinning stall where others work too

import numpy as np  # noqa: E402 - the environment must be set before torch is imported

NETWORKS = ("rnn", "gru", "mingru", "transformer")
LENGTHS, BATCHES = (50, 200, 1000, 2000, 5000), (1, 8, 64)
UNITS = 192
ROUNDS, MIN_TIME, MAX_TIME = 5, 0.1, 4.0  # measurements, the middle one counts; s, to repeat up to and to stop after


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
    """Measure, print for people, then one JSON object."""
    from ballcast.models.nets.timing import SCANS, scan_pass, threads, training_pass

    result = {"threads": threads()}
    print(f"frames/s, {UNITS} units, {threads()} threads")
    print(f"{'length':>7}{'batch':>7}" + "".join(f"{name:>13}" for name in NETWORKS) + "   mingru/gru")
    for length in map(int, sys.argv[1:] or LENGTHS):
        for batch in BATCHES:
            row = {}
            for name in NETWORKS:
                work, result[f"parameters_{name}"] = training_pass(name, length, batch, UNITS)
                row[name] = batch * length / seconds(work)
            result |= {f"{name}_{length}_{batch}": round(v) for name, v in row.items()}
            ratio = row["mingru"] / row["gru"]
            print(
                f"{length:>7}{batch:>7}" + "".join(f"{v:>13,.0f}" for v in row.values()) + f"{ratio:>13.1f}", flush=True
            )
    at = "2000_1"
    result["ratio"] = round(result[f"mingru_{at}"] / result[f"gru_{at}"], 2) if f"gru_{at}" in result else None
    result |= {f"{name}_us": round(1e6 * seconds(scan_pass(name, 2000, 1, UNITS)) / 2000, 3) for name in SCANS}
    print(
        f"the scan alone, length 2,000, batch 1: {result['scan_us']} us a frame; one by one {result['one_by_one_us']}"
    )
    print(json.dumps(result))


if __name__ == "__main__":
    main()
