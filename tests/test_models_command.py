"""python -m ballcast.models: every frame of a pipe is answered before the next comes; a file gives the same rows."""

import gc
import io
import json
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from ballcast import sim
from ballcast.models import Forecast, HistoryTooShort, Predictor, Stream
from ballcast.models.__main__ import Options, run
from ballcast.models.answers import HEADER
from ballcast.tracks import Camera, PixelTrack, Track, write_cameras, write_pixels, write_track

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


PARABOLA = {"predictor": "parabola", "at": (0.0, 0.1), "latency": 0.03, "plane": "y=0.3"}


@pytest.fixture
def answer(monkeypatch, capsys):
    """answer(lines, **options) -> (exit status, rows of standard output, lines of standard error) of a pipe."""

    def answer(lines, **options):
        text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        status = run(Options("-", **(PARABOLA | options)))
        out, err = capsys.readouterr()
        return status, out.splitlines(), err.splitlines()

    return answer


def frames_of(ball, shift=0.0, begin=0.0):
    rows = zip((TIME + begin).tolist(), (POSITION + [shift, 0, 0]).tolist(), strict=True)
    return [{"id": ball, "t": t, "x": x, "y": y, "z": z} for t, (x, y, z) in rows]


def test_lines_of_json_are_answered_with_lines_of_json_ball_by_ball(answer):
    pairs = zip(frames_of("a"), frames_of("b, the other", 0.1), strict=True)
    lines = [line for pair in pairs for line in pair]
    bad = ['{"t": 1', "[1]", {"t": 0.2, "x": None, "id": "a"}, {"t": 0.3, "x": 1, "y": "far", "z": 1, "id": "a"}]
    status, rows, errors = answer([*lines, *bad], json=True)
    assert status == 1 and len(errors) == 4 and "row 25: no JSON object" in errors[0] and "'far'" in errors[3]
    assert "missed frame" in errors[2]
    found = [json.loads(row) for row in rows]
    assert [row["ball"] for row in found] == ["a", "b, the other"] * 10
    last, other = found[-2:]
    assert last["t"] == pytest.approx(TIME[-1], abs=1e-6) and last["landing"] is None
    assert [ahead["at"] for ahead in last["forecast"]] == [0.0, 0.1]
    assert last["forecast"][1]["t"] == pytest.approx(TIME[-1] + 0.13, abs=1e-6)
    crossing = last["crossing"]
    assert crossing["position"][1] == pytest.approx(0.3) and crossing["velocity"][1] > 4.0
    assert other["crossing"]["position"][0] == pytest.approx(crossing["position"][0] + 0.1, abs=1e-3)


def test_a_plane_has_columns_and_a_latency_moves_the_forecast(answer):
    lines = ["t,x,y,z", *(f"{t:.6f},{x:.6f},{y:.6f},{z:.6f}" for t, (x, y, z) in zip(TIME, POSITION, strict=True))]
    _, rows, _ = answer(lines)
    header = rows[0].split(",")
    cells = dict(zip(header, rows[-1].split(","), strict=True))
    assert header[13:25] == [f"crossing_{name}" for name in "t x y z vx vy vz sd_t sd_x sd_y sd_z probability".split()]
    assert float(cells["crossing_y"]) == pytest.approx(0.3) and cells["crossing_sd_t"] == ""
    _, same, _ = answer(lines, plane="0,-2,0,-0.6")
    assert [row.split(",")[13:] for row in same] == [row.split(",")[13:] for row in rows]
    _, ahead, _ = answer(lines, latency=0.0, at=(0.03, 0.13), plane="")
    assert [row.split(",")[2:5] for row in ahead[1:]] == [row.split(",")[2:5] for row in rows[1:]]
    assert answer(lines, plane="y=9")[1][-1].split(",")[13:] == [""] * 12


def test_a_ball_that_was_silent_is_closed_and_begins_anew(answer):
    both = [*frames_of("a"), *frames_of("b", begin=5.0), *frames_of("a", begin=5.0)]
    _, rows, errors = answer(both, json=True, silence=2.0)
    counts = [json.loads(row)["ball"] for row in rows]
    assert not errors and counts == ["a"] * 10 + ["b"] * 10 + ["a"] * 10  # two frames of each are too few
    _, rows, _ = answer(both, json=True, silence=60.0)
    assert len(rows) == 32  # the second `a` goes on


@pytest.mark.parametrize(
    "options, message",
    [
        ({"plane": "w=1"}, "--plane w=1: write y=1.2, or a,b,c,d for the plane"),
        ({"plane": "0,0,0,1"}, "--plane 0,0,0,1"),
        ({"latency": -1.0}, "--latency -1: seconds, 0 or more"),
        ({"silence": 0.0}, "--silence 0: seconds above 0"),
        ({"latency": 0.0}, "--at 0 0.1: seconds above 0 that increase"),
        ({"json": True}, "no JSON object such as"),
    ],
)
def test_what_cannot_be_asked_ends_with_one_line(answer, options, message):
    with pytest.raises(ValueError, match=message) as error:
        answer(["t,x,y,z"], **options)
    assert "\n" not in str(error.value)


# --- pixels -----------------------------------------------------------------------------------------------------------

ALONG = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])  # R of a camera that looks along y
CAMERAS = [Camera([[1200.0, 0, 640], [0, 1200, 360], [0, 0, 1]], [], ALONG, -ALONG @ at, (1280, 720), name)
           for name, at in (("behind", (0.0, -6.0, 0.8)), ("low", (1.0, -5.0, 0.5)))]  # fmt: skip


class Middle(Predictor):
    """The table's middle, once three pixels were seen: nothing to compile."""

    name, min_frames = "middle", 3

    def stream(self):
        return MiddleStream(self)


class MiddleStream(Stream):
    def observe_pixel(self, time, pixel, camera, diameter=None):
        assert camera.name in ("behind", "low") and len(pixel) == 2
        self._add(np.array([time, *pixel, 0.0 if diameter is None else diameter]))

    def forecast(self, times):
        if self._end < 3:
            raise HistoryTooShort("three are needed")
        return Forecast(np.zeros((len(times), 3)), np.tile(1e-4 * np.eye(3), (len(times), 1, 1)))


@pytest.fixture
def ask(tmp_path, monkeypatch, capsys):
    """ask(text, **options) -> (exit status, rows of standard output, lines of standard error) of a pipe of pixels."""
    monkeypatch.syspath_prepend(Path(__file__).parent)
    write_cameras(tmp_path / "cameras.yaml", CAMERAS)

    def ask(text, file="-", **options):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        options = {"predictor": "test_models_command:Middle", "at": (0.1, 0.2), **options}
        status = run(Options(file, str(tmp_path / "cameras.yaml"), **options))
        out, err = capsys.readouterr()
        return status, out.splitlines(), err.splitlines()

    return ask


def seen():
    """The stroke as both cameras see it, 60 Hz each, every second frame."""
    index = np.arange(12) % 2
    pixel = np.array([CAMERAS[k].project(p) for k, p in zip(index, POSITION, strict=True)])
    return PixelTrack(TIME, pixel, index, CAMERAS)


def as_lines(track):
    names = [camera.name for camera in track.cameras]
    rows = zip(track.time.tolist(), track.camera, track.pixel.tolist(), strict=True)
    return [f"{t!r},{names[k]},{u!r},{v!r}\n" for t, k, (u, v) in rows]


def test_pixels_of_a_pipe_and_of_a_file_are_answered_alike(ask, tmp_path):
    write_pixels(tmp_path / "ball.csv", seen())
    lines = as_lines(seen())
    status, rows, notes = ask("".join(["# a tracker\n", "t,camera,u,v\n", *lines]))
    assert status == 0 and not notes and rows[0] == HEADER and len(rows) == 1 + 2 * 10
    assert (0, rows, []) == ask("".join(lines)) == ask("", str(tmp_path / "ball.csv"))
    assert (0, rows, []) == ask("".join([*lines[1::-1], *lines[2:]]), wait=0.02)


def test_the_forecast_in_the_images_has_columns_of_each_camera(ask):
    _, rows, _ = ask("".join(as_lines(seen())), image=True)
    assert rows[0] == HEADER + ",behind_u,behind_v,behind_sd_u,behind_sd_v,low_u,low_v,low_sd_u,low_sd_v"
    u, v, sd_u, sd_v = map(float, rows[1].split(",")[13:17])
    assert (u, v) == (640.0, 520.0) and abs(sd_u - 0.01 * 1200 / 6) < 1e-3 and sd_v == pytest.approx(sd_u, rel=0.02)


def test_bad_lines_of_pixels_are_left_out_and_a_new_ball_is_begun(ask):
    lines = as_lines(seen())
    text = ["0.2,top,1,2\n", "0.2,low,1\n", "0.2,low,1,two\n", "0.0,behind,5,5\n"]
    status, rows, errors = ask("".join([*lines, *text, *lines]))
    assert status == 1 and len(rows) == 1 + 2 * 20 and len(errors) == 5
    assert "left out: standard input, row 13: unknown camera 'top'; the cameras are behind, low" in errors[0]
    assert all(f"left out: standard input, row {row}: " in line for row, line in zip((13, 14, 15), errors))
    assert "row 16: the clock jumps back" in errors[3] and "a new ball begins" in errors[3] and "row 17" in errors[4]


@pytest.mark.parametrize(
    "text, options, message",
    [
        ("", {}, "nothing came; it should start with the line t,camera,u,v"),
        ("t,u,v\n", {}, r"no column camera, and there are 2 cameras \(behind, low\)"),
        ("t,camera,u,v\n", {"predictor": "parabola"}, "parabola takes positions, not pixels"),
        ("t,camera,u,v\n", {"wait": 5.0}, "wait 5: seconds"),
        ("t,camera,u,v\n", {"file": "ball.csv", "wait": 0.1}, "--wait is for a pipe"),
        ("t,camera,u,v\n", {"file": "none.csv"}, "none.csv: cannot be read"),
    ],
)
def test_pixels_that_cannot_be_read_end_with_one_line(ask, text, options, message):
    with pytest.raises((ValueError, OSError), match=message) as error:
        ask(text, **options)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("option", [{"image": True}, {"wait": 0.1}])
def test_options_of_pixels_need_cameras(option):
    with pytest.raises(ValueError, match="is for pixels: add --cameras FILE"):
        run(Options("-", predictor="parabola", **option))


def test_an_hour_of_pixels_takes_no_more_memory_than_its_first_minutes(ask):
    lines = [f"{k / 60:.6f},{('behind', 'low')[k % 2]},{640 + k % 9},{400 + k % 7}\n" for k in range(6000)]
    held = []
    ask("".join(lines[:100]), at=(0.1,))  # loads what is loaded once
    for count in (1000, 6000):
        tracemalloc.start()
        ask("".join(lines[:count]), at=(0.1,))
        gc.collect()
        held.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
    assert held[1] < held[0] + 500_000  # 5000 frames more would be 1.5 MB


def test_pixels_are_asked_in_json_too(ask):
    lines = [dict(zip("t camera u v".split(), line.strip().split(","), strict=True)) for line in as_lines(seen())]
    text = "\n".join(json.dumps(line | {"t": float(line["t"])}) for line in lines)
    status, rows, errors = ask(text, json=True, image=True, plane="y=1")
    found = json.loads(rows[-1])
    assert status == 0 and not errors and found["crossing"] is None and found["forecast"][0]["sd"] == [0.01] * 3
    assert found["forecast"][0]["images"]["behind"]["u"] == 640.0
