"""How near the engine is to what one core can do, in every sport: python -m benchmarks.sim_speed --part sports.

The launches of each sport with all its surfaces, 200 frames at 180 Hz, positions written to an existing array, in
float32 and float64. The arithmetic and the steps are counted (engine_counts.py), the core's limits measured
(core_limits.py), all in one run. A flop is one addition, subtraction, multiplication, division, root, exponential or
logarithm of one number; comparisons and choices are none. Contacts are not counted.

Where the time goes is found by differences: frames, against the same flights with one frame; a step and a start, from
flights without surfaces, long and short. The rest is contacts: looking for them, resolving them, flying anew.
"""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ballcast import sim
from benchmarks import core_limits, engine_counts
from benchmarks.core_limits import fastest

DTYPES = (np.float32, np.float64)
PRECISIONS = tuple(np.dtype(dtype).name for dtype in DTYPES)
BALLS, COUNTED_BALLS, IMPACT_BALLS, ROUNDS = 20_000, 128, 2000, 6
FRAMES, TIMES, PLACES = engine_counts.FRAMES, engine_counts.TIMES, engine_counts.PLACES
RUNS = {  # the place, and the times asked for; of the last, one step a ball
    "whole": ("all", TIMES), "one_frame": ("all", TIMES[-1:]),
    "no_surfaces": ("none", TIMES[-1:]), "one_step": ("none", np.array([1e-6])),
}  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One sport in one precision."""

    million_ball_steps_per_second: float
    flops_per_ball_step: float
    gflops: float  # 1e9 flops per second
    share_of_peak: float
    share_of_peak_in_steps: float  # while nothing but steps is computed
    nanoseconds_a_step: float
    gigabytes_per_second: float
    share_of_memory: float
    time_starts: float  # shares of the time
    time_steps: float
    time_contacts: float
    time_frames: float


def measure() -> dict[str, Any]:
    """{"limits": of the core, "sports": {sport: {"counts": ..., "float32": ..., "float64": ...}}}; prints tables."""
    sports = {name: sim.load(name) for name in sim.names()}
    launches = {name: launches_of(sport, BALLS) for name, sport in sports.items()}
    counts, difference = counted(sports, launches)
    for name, sport in sports.items():
        counts[name]["impacts"] = impacts(sport, launches[name])
    limits, taken = limits_of_the_core(), seconds(sports, launches)
    rows = {n: {k: row(counts[n], k, taken[n, k], limits) for k in PRECISIONS} for n in sports}
    print_limits(limits)
    print_counts(counts, difference)
    for kind in PRECISIONS:
        print_speeds(kind, rows)
    found = {n: {"counts": counts[n]} | {k: vars(r) for k, r in of.items()} for n, of in rows.items()}
    return {"limits": limits, "sports": found}


def launches_of(sport: sim.Sport, count: int) -> np.ndarray:
    """Positions, velocities and spins (3, B, 3) of the first test balls."""
    balls = sim.draw(sport, count, purpose="test", duration=0.1)
    return np.stack([balls.launch_position, balls.launch_velocity, balls.launch_spin])


def counted(sports: dict[str, sim.Sport], launches: dict[str, np.ndarray]) -> tuple[dict, float]:
    """What engine_counts.py counts of the first balls; how far its positions are from the engine's at most, mm."""
    few = {name: launch[:, :COUNTED_BALLS] for name, launch in launches.items()}
    with tempfile.TemporaryDirectory() as folder:
        np.savez(Path(folder) / "launches.npz", **few)
        command = [sys.executable, "-m", "benchmarks.engine_counts", folder]
        done = subprocess.run(command, env=os.environ | {"NUMBA_DISABLE_JIT": "1"}, stdout=subprocess.PIPE, check=True)
        with np.load(Path(folder) / "positions.npz") as positions:
            differences = [
                np.abs(positions[f"{name}_all_{kind}"] - positions_of(sport, few[name], dtype)).max()
                for name, sport in sports.items()
                for dtype, kind in zip(DTYPES, PRECISIONS)
            ]
    return json.loads(done.stdout.splitlines()[-1]), 1e3 * float(max(differences))


def positions_of(sport: sim.Sport, launch: np.ndarray, dtype: type) -> np.ndarray:
    """Positions (B, T, 3) m of the compiled engine."""
    out = np.zeros((launch.shape[1], FRAMES, 3), dtype)
    sim.simulate(sport, *launch, TIMES, dtype=dtype, out=out)
    return out


def impacts(sport: sim.Sport, launch: np.ndarray) -> float:
    """Impacts of a ball, on average."""
    found = sim.simulate(sport, *launch[:, :IMPACT_BALLS], TIMES).impacts
    return len(found) / IMPACT_BALLS


def limits_of_the_core() -> dict[str, float]:
    """Billions a second: flops by multiply-adds, divisions, roots; and bytes."""
    result = {}
    for dtype, kind in zip(DTYPES, PRECISIONS):
        for name, flops in core_limits.OPERATIONS.items():
            result[f"{name}_gflops_{kind}"] = 1e-9 * flops * core_limits.operations_per_second(name, dtype)
    result["gigabytes_per_second"] = 1e-9 * core_limits.bytes_per_second(np.zeros((BALLS, FRAMES, 3)))
    return result


def seconds(sports: dict[str, sim.Sport], launches: dict[str, np.ndarray]) -> dict[tuple, dict[str, float]]:
    """CPU time of each of RUNS, s, of each sport and precision: the least of a few rounds, taken in turn."""
    outs = {(len(t), d): np.zeros((BALLS, len(t), 3), d) for _, t in RUNS.values() for d in DTYPES}
    taken: dict = {(name, kind): dict.fromkeys(RUNS, np.inf) for name in sports for kind in PRECISIONS}
    for _ in range(ROUNDS):
        for name, sport in sports.items():
            for dtype, kind in zip(DTYPES, PRECISIONS):
                for run, (place, times) in RUNS.items():
                    changed, out = PLACES[place](sport), outs[len(times), dtype]
                    took = fastest(sim.simulate, changed, *launches[name], times, rounds=1, dtype=dtype, out=out)
                    taken[name, kind][run] = min(taken[name, kind][run], took)
    return taken


def row(counts: dict, kind: str, taken: dict[str, float], limits: dict[str, float]) -> Row:
    """One sport in one precision, from its counts and the seconds of its RUNS."""
    peaks = {k: 1e9 * limits[f"multiply_add_gflops_{k}"] for k in PRECISIONS}
    steps, step_flops, frame_flops = counts[f"steps_all_{kind}"], counts["flops_of_step"], counts["flops_of_frame"]
    flops = step_flops * (steps["float32"] + steps["float64"]) + frame_flops * FRAMES  # of a ball
    at_peak = frame_flops * FRAMES / peaks[kind] + sum(step_flops * steps[k] / peaks[k] for k in PRECISIONS)
    whole, one_frame, no_surfaces, one_step = (taken[run] / BALLS for run in RUNS)  # s a ball
    step = (no_surfaces - one_step) / (counts[f"steps_none_{kind}"][kind] - 1)
    start, of_steps = one_step - step, step * steps[kind]
    written = 1e-9 * 3 * np.dtype(kind).itemsize * FRAMES / whole
    return Row(
        1e-6 * FRAMES / whole, flops / FRAMES, 1e-9 * flops / whole, at_peak / whole, step_flops / peaks[kind] / step,
        1e9 * step, written, written / limits["gigabytes_per_second"], start / whole, of_steps / whole,
        (one_frame - start - of_steps) / whole, (whole - one_frame) / whole,
    )  # fmt: skip


def print_limits(limits: dict[str, float]) -> None:
    """The core's limits."""
    for kind in PRECISIONS:
        peak, divide, root = (limits[f"{name}_gflops_{kind}"] for name in core_limits.OPERATIONS)
        print(f"this core in {kind}: {peak:.0f} GFLOP/s by multiply-adds; {divide:.1f} billion divisions a second, "
              f"or {root:.1f} billion roots")  # fmt: skip
    print(f"this core fills memory at {limits['gigabytes_per_second']:.1f} GB/s")


def print_counts(counts: dict[str, dict], difference: float) -> None:
    """What each sport takes: arithmetic and steps."""
    lines = ["sport|flops of|divisions,|exp,|flops of|impacts|steps,|of them|anew in|steps,|of them",
             "|a step|roots|log|a frame|a ball|float32|again|float64|float64|again"]  # fmt: skip
    for sport, of in counts.items():
        single, double = of["steps_all_float32"], of["steps_all_float64"]
        steps = [single["float32"], single["again"], single["float64"], double["float64"], double["again"]]
        flops = [of[f"{name}_of_step"] for name in ("flops", "divisions", "exponentials")]
        numbers = [*flops, of["flops_of_frame"], f"{of['impacts']:.2f}"]
        lines.append("|".join(map(str, [sport, *numbers, *(f"{x:.1f}" for x in steps)])))
    print_columns("counted", lines)
    print(f"positions of the counted flights are {difference:.4f} mm from the engine's at most")


def print_speeds(kind: str, rows: dict[str, dict[str, Row]]) -> None:
    """How fast each sport is, and where its time goes."""
    lines = ["sport|million|flops a|GFLOP/s|% of|% in|ns a|GB/s|% of|% of the|steps|contacts|frames",
             "|ball-steps/s|ball-step||peak|steps|step||memory|time: starts|||"]  # fmt: skip
    for name, of in rows.items():
        r = of[kind]
        shares = r.time_starts, r.time_steps, r.time_contacts, r.time_frames
        numbers = [f"{r.million_ball_steps_per_second:.1f}", f"{r.flops_per_ball_step:.0f}", f"{r.gflops:.1f}",
                   f"{100 * r.share_of_peak:.1f}", f"{100 * r.share_of_peak_in_steps:.0f}",
                   f"{r.nanoseconds_a_step:.1f}", f"{r.gigabytes_per_second:.1f}",
                   f"{100 * r.share_of_memory:.0f}"]  # fmt: skip
        lines.append("|".join([name, *numbers, *(f"{100 * share:.0f}" for share in shares)]))
    print_columns(f"{kind}, {3 * np.dtype(kind).itemsize} bytes written a ball-step", lines)


def print_columns(title: str, lines: list[str]) -> None:
    """Cells, cut at |, under one another."""
    cells = [line.split("|") for line in lines]
    widths = [max(map(len, column)) for column in zip(*cells)]
    print(f"\n{title}")
    for first, *rest in cells:
        print(first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(rest, widths[1:])), sep="  ")
