"""The engine's arithmetic and steps are counted as they are, and a core's limits are of a plausible size."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ballcast import sim
from benchmarks import core_limits, engine_limit
from benchmarks.traced import Traced, operation, operations


def test_arithmetic_is_counted_once_where_it_is_needed():
    x, y, k = Traced.input(3.0), Traced.input(-2.0), Traced(0.5)
    total = x * y + y * x  # one product
    unneeded = x / y
    half = (k * 2.0) * x  # one product: that of constants is made once, outside the loop
    chosen = operation("min")(operation("sqrt")(x), abs(y - 1.0))
    assert operations([total, half, chosen]) == {"*": 2, "+": 1, "sqrt": 1, "-": 1}
    assert (total.value, chosen.value, unneeded.value, half.value) == (-12.0, 3.0**0.5, -1.5, 3.0)
    assert operations([2.0, k + 1.0]) == {}


@pytest.fixture(scope="module")
def counted(tmp_path_factory):
    """What is counted of eight balls of tennis; where it was counted; their launches."""
    folder = tmp_path_factory.mktemp("counts")
    launch = engine_limit.launches_of(sim.load("tennis"), 8)
    np.savez(folder / "launches.npz", tennis=launch)
    command = [sys.executable, "-m", "benchmarks.engine_counts", str(folder)]
    run = subprocess.run(command, env=os.environ | {"NUMBA_DISABLE_JIT": "1"}, cwd=Path(__file__).parents[1],
                         stdout=subprocess.PIPE, check=True)  # fmt: skip
    return json.loads(run.stdout.splitlines()[-1])["tennis"], folder, launch


def test_counted_flights_are_those_of_the_engine(counted):
    _, folder, launch = counted
    sport = sim.load("tennis")
    with np.load(folder / "positions.npz") as positions:
        for dtype, within in ((np.float64, 1e-9), (np.float32, 1e-4)):
            engine = engine_limit.positions_of(sport, launch, dtype)
            assert np.abs(positions[f"tennis_all_{np.dtype(dtype).name}"] - engine).max() < within


def test_steps_and_flops_are_counted(counted):
    counts = counted[0]
    # constant Cd: two roots and a division an evaluation, six of them a step; a root and a division for its length
    assert (
        counts["divisions_of_step"] == 20
        and counts["exponentials_of_step"] == 0
        and 500 < counts["flops_of_step"] < 800
    )
    assert counts["flops_of_frame"] == 2 + 3 * 2 * 5  # a fraction, and three polynomials of degree five
    sport, launch = sim.load("tennis"), counted[2]
    impacts = len(sim.simulate(sport, *launch, engine_limit.TIMES).impacts) / 8
    steps = counts["steps_all_float64"]
    assert steps["again"] >= impacts > 0.5  # the step of every impact is made again
    assert steps["float64"] - steps["again"] >= engine_limit.TIMES[-1] / 0.12 and steps["float32"] == 0


def test_shares_of_the_time_and_of_the_peak():
    counts = {"flops_of_step": 100, "flops_of_frame": 10,
              "steps_all_float32": {"float32": 20.0, "float64": 5.0, "again": 2.0},
              "steps_none_float32": {"float32": 11.0, "float64": 0.0, "again": 0.0}}  # fmt: skip
    limits = {"multiply_add_gflops_float32": 100.0, "multiply_add_gflops_float64": 50.0, "gigabytes_per_second": 10.0}
    of_a_ball = {"whole": 1e-6, "one_frame": 8e-7, "no_surfaces": 3e-7, "one_step": 1e-7}  # s
    taken = {run: time * engine_limit.BALLS for run, time in of_a_ball.items()}
    row = engine_limit.row(counts, "float32", taken, limits)
    assert row.million_ball_steps_per_second == pytest.approx(200)
    assert row.flops_per_ball_step == pytest.approx((25 * 100 + 2000) / 200)
    assert row.share_of_peak == pytest.approx((2000 + 2000) / 100e3 + 500 / 50e3)  # those in float64 weigh twice
    assert row.nanoseconds_a_step == pytest.approx(20) and row.share_of_peak_in_steps == pytest.approx(0.05)
    assert row.gigabytes_per_second == pytest.approx(2.4) and row.share_of_memory == pytest.approx(0.24)
    shares = row.time_starts, row.time_steps, row.time_contacts, row.time_frames
    assert shares == pytest.approx((0.08, 0.4, 0.32, 0.2))


def test_a_core_divides_more_slowly_than_it_multiplies(monkeypatch):
    monkeypatch.setattr(core_limits, "REGISTERS", (8,))
    monkeypatch.setattr(core_limits, "LOOPS", 20_000)
    multiplied, divided = (core_limits.operations_per_second(name, np.float32) for name in ("multiply_add", "divide"))
    assert 1e9 < divided < multiplied < 1e13
    assert 1e8 < core_limits.bytes_per_second(np.zeros(2_000_000)) < 1e13
