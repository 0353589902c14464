"""python -m ballcast.models: every frame of a pipe is answered before the next comes; a file gives the same rows."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ballcast import sim
from ballcast.models.__main__ import HEADER
from ballcast.tracks import Track, write_track

ROOT = Path(__file__).parents[1]
TIME = np.arange(12) / 180.0
POSITION = sim.simulate(sim.load("table_tennis"), [[0, -1.2, 0.3]], [[0.3, 5, 1]], [[50, 0, 0]], TIME).position[0]


def start(*arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "ballcast.models", *arguments, "--predictor", "parabola", "--at", "0.1", "0.2"],
        cwd=ROOT, env=os.environ | {"PYTHONUNBUFFERED": "1"}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_a_pipe_is_answered_frame_by_frame_and_a_file_alike(tmp_path):
    run, rows = start("-"), []
    run.stdin.write("x,t,y,z\n")
    for k, (t, (x, y, z)) in enumerate(zip(TIME, POSITION, strict=True)):
        run.stdin.write(f"{float(x)!r},{float(t)!r},{float(y)!r},{float(z)!r}\n")
        run.stdin.flush()
        if k == 0:
            assert run.stdout.readline().strip() == HEADER
        if k >= 2:  # the answer comes while the pipe stays open
            rows += [run.stdout.readline(), run.stdout.readline()]
    run.stdin.write("0.1,soon,1,1\n1,nan,1,1\n0,0.01,0,0\n1,2\n")
    remaining, err = run.communicate(timeout=300)
    assert run.returncode == 1 and remaining == ""
    reasons = [
        "'soon' is not a number",
        "nan, 1, 1, 1 is not finite",
        "not come after",
        "2 cells where there should be 4",
    ]
    assert all(f"row {n}: " in line for n, line in zip(range(14, 18), err.splitlines(), strict=True))
    assert all(reason in line for reason, line in zip(reasons, err.splitlines(), strict=True))
    write_track(tmp_path / "a.csv", Track(TIME, POSITION))
    out, _ = start(str(tmp_path / "a.csv")).communicate(timeout=300)
    assert out.splitlines() == [HEADER, *(row.strip() for row in rows)]


@pytest.mark.parametrize("text, message", [("", "nothing came"), ("a,b\n1,2\n", "no column t, x, y, z")])
def test_a_pipe_that_is_no_track_ends_with_one_line(text, message):
    out, error = (run := start("-")).communicate(text, timeout=300)
    assert run.returncode == 2 and message in error and len(error.splitlines()) == 1


def test_a_clock_that_jumps_back_begins_a_new_ball_in_the_pipe():
    lines = [f"{t:.6f},{x:.6f},{y:.6f},{z:.6f}\n" for t, (x, y, z) in zip(TIME, POSITION, strict=True)]
    out, err = (run := start("-")).communicate("".join(["# a tracker\n", "t,x,y,z\n", *lines, *lines]), timeout=300)
    rows = out.splitlines()[1:]
    assert run.returncode == 0 and len(rows) == 2 * 2 * (len(lines) - 2) and rows[: len(rows) // 2] * 2 == rows
    assert len(err.splitlines()) == 1 and "a new ball begins" in err


def test_ids_give_a_column_in_the_pipe_and_in_a_file_alike(tmp_path):
    lines = ["ball_id,t_ms,x,y,z\n"]
    for t, (x, y, z) in zip(TIME, POSITION, strict=True):
        lines += [
            f"{ball},{1000 * t:.3f},{x + shift:.6f},{y:.6f},{z:.6f}\n" for ball, shift in (("a", 0.0), ("b", 0.1))
        ]
    live, err = (run := start("-")).communicate("".join(lines), timeout=300)
    assert run.returncode == 0 and err == "" and live.splitlines()[0] == HEADER + ",ball"
    (tmp_path / "two.csv").write_text("".join(lines))
    recorded, err = start(str(tmp_path / "two.csv")).communicate(timeout=300)
    assert err == "" and sorted(recorded.splitlines()) == sorted(live.splitlines())
    assert {row.rpartition(",")[2] for row in live.splitlines()[1:]} == {"a", "b"}


def test_a_pipe_takes_the_options_of_files():
    text = "\n".join(["when x y z", *(f"{1000 * k} {0.1 * k} 1 2" for k in range(5)), ""])
    arguments = ("--columns", "t=when", "--time-scale", "1e-6", "--axes=-y,x,z", "--origin", "0,0,1")
    out, err = (run := start("-", *arguments)).communicate(text, timeout=300)
    assert run.returncode == 0 and err == ""
    t, _, x, y, z = map(float, out.splitlines()[-1].split(",")[:5])
    assert (t, x) == (0.004, -1.0) and y > 0.4 and abs(z - (1.0 - 4.905 * 0.2**2)) < 0.1
