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
