"""The viewer's command line as a user types it: it plays, and wrong input ends with one line and exit status 2."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from ballcast import sim
from ballcast.tracks import Track, write_track
from ballcast.viewer import play

ROOT = Path(__file__).parents[1]
SPORT = (ROOT / "sim" / "sports" / "table_tennis.toml").read_text(encoding="utf-8")


def without_progress(err):
    """Standard error without the lines on what is being compiled, which a cold cache brings."""
    return "".join(line for line in err.splitlines(keepends=True) if not line.startswith("compiling, once: "))


@pytest.fixture
def run(monkeypatch, capsys):
    """run("--sport tennis", ...) -> (exit status, what it printed, standard error)."""

    def run(*words):
        words = ["--headless", "--size", "320x180", "--frames", "3", "--predictor", "parabola", *map(str, words)]
        monkeypatch.setattr(sys, "argv", ["play.py", *words])
        status = 0
        try:
            play.main()
        except SystemExit as stop:
            status = stop.code
        printed = capsys.readouterr()
        return status, printed.out, without_progress(printed.err)

    return run


@pytest.fixture
def stroke(tmp_path):
    """A recorded stroke as a file."""
    t = np.arange(0, 0.5, 1 / 180)
    path = tmp_path / "stroke.csv"
    write_track(path, Track(t, np.column_stack([0.1 * t, 4 * t - 1, 0.3 + t - 4.9 * t**2])))
    return path


def refused(result, *words):
    """It ended with exit status 2 and one line that holds the words; nothing was shown."""
    status, out, err = result
    assert status == 2 and out == "" and err.count("\n") == 1 and err.startswith("play.py: "), (status, out, err)
    assert all(word in err for word in words), err


@pytest.mark.parametrize("name", sim.names())
def test_every_sport_plays(run, name, tmp_path):
    out = tmp_path / "out.png"
    assert run("--sport", name, "--screenshot", out)[0] == 0
    assert out.read_bytes().startswith(b"\x89PNG")


def test_as_typed_the_same_command_gives_the_same_picture(tmp_path, stroke):
    files = [tmp_path / "one.png", tmp_path / "two.png"]
    for file in files:
        command = [sys.executable, "play.py", "--headless", "--frames", "40", "--screenshot", file, "--track", stroke]
        environment = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "SDL_VIDEODRIVER")}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
        assert (done.returncode, without_progress(done.stderr)) == (0, "")
    assert files[0].read_bytes() == files[1].read_bytes()


def test_a_track_from_standard_input_and_a_folder(stroke):
    for source, fed in (("-", stroke.read_bytes()), (stroke.parent, None)):
        command = [sys.executable, "play.py", "--headless", "--frames", "2", "--track", source]
        done = subprocess.run(command, cwd=ROOT, input=fed, capture_output=True)
        assert (done.returncode, without_progress(done.stderr.decode())) == (0, "")


def test_recorded_sets_play(run, data_folder):
    tt3d, spindoe = (sorted((data_folder / folder).glob("*.csv"))[0] for folder in ("tt3d/3d", "spindoe"))
    assert run("--track", tt3d, spindoe) == (0, "", "")


def test_a_million_rows_play(run, tmp_path):
    t = np.arange(1_000_000) / 180
    rows = np.column_stack([t, np.sin(t), np.cos(t), 0.5 + 0.3 * np.sin(3 * t)])
    path = tmp_path / "long.csv"
    np.savetxt(path, rows, fmt="%.5f", delimiter=",", header="t,x,y,z", comments="")
    start = time.perf_counter()
    assert run("--track", path)[0] == 0
    assert time.perf_counter() - start < 20


def test_millimetres_get_a_hint_and_scale_mends_them(run, tmp_path):
    t = np.arange(0, 0.5, 1 / 180)
    path = tmp_path / "mm.csv"
    write_track(path, Track(t, 1000 * np.column_stack([0.1 * t, 4 * t - 1, 0.3 + t])))
    status, out, err = run("--track", path)
    assert status == 0 and out == "" and "--scale 0.001" in err and err.count("\n") == 1
    assert run("--track", path, "--scale", "0.001", "--axes", "x,-z,y", "--origin", "0,0,-0.1") == (0, "", "")


@pytest.mark.parametrize(
    "words, message",
    [
        (["--sport", "quidditch"], "no sport is called 'quidditch'; there are baseball"),
        (["--sport", "none.toml"], "none.toml"),
        (["--predictor", "oracle"], "oracle"),
        (["--predictor", "parabola", "nosuch"], "nosuch"),
        (["--size", "1280"], "--size '1280'"),
        (["--size", "0x0"], "--size '0x0'"),
        (["--size", "99999x99999"], "320x180 to 7680x4320"),
        (["--frames", "-1"], "--frames"),
        (["--frames", "many"], "--frames"),
        (["--seed", "-3"], "--seed -3"),
        (["--seed", "x"], "--seed"),
        (["--screenshot", "nofolder/out.png"], "nofolder"),
        (["--screenshot", "out.jpg"], ".png"),
        (["--track", "nosuch.csv"], "nosuch.csv: cannot be read"),
        (["--record", "out.avi"], ".mp4 or .gif"),
        (["--record", "nofolder/out.mp4"], "nofolder"),
        (["--nosuch"], "--nosuch"),
        (["--show", "errors", "nosuch"], "there are truth, errors"),
        (["--throw", "curve"], "table_tennis has serve"),
        (["--world", "moon=1"], "the names are gravity"),
        (["--world", "gravity=99"], "from 0 to 25"),
        (["--world", "gravity=x"], "not a number"),
        (["--scale", "x"], "--scale"),
    ],
)
def test_wrong_options_are_refused_in_a_line(run, words, message):
    refused(run(*words), message)


@pytest.mark.parametrize(
    "old, new, message",
    [
        ("mass = 0.0027 ", "mass = -0.0027 ", "mass"),
        ('form = "crisis"', 'form = "magic"', "magic"),
        ("name =", "name", "not TOML"),
    ],
)
def test_wrong_sports_are_refused_in_a_line(run, tmp_path, old, new, message):
    path = tmp_path / "mine.toml"
    assert old in SPORT
    path.write_text(SPORT.replace(old, new, 1), encoding="utf-8")
    refused(run("--sport", path), "mine.toml", message)


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "empty"),
        (b"t,x,y\n0,1,2\n1,1,2\n", "no column z"),
        (b"t,x,y,z\n0,1,2,3\n1,1,two,3\n", "row 3: 'two' is not a number"),
        (b"t,x,y,z\n0,1,2,3\n1,1,nan,3\n", "1 of 2 rows have a position"),
        (b"t,x,y,z\n0,1,2,3\n1,1,2,3\n0.5,1,2,3\n", "row 4"),
        (b"t,x,y,z\n0,1,2,3\n1,1,2\n", "row 3: 3 cells"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "binary"),
        (b"t,x,y,z\n0,1,2,3\n", "at least 2"),
    ],
)
def test_wrong_tracks_are_refused_in_a_line(run, tmp_path, content, message):
    path = tmp_path / "bad.csv"
    path.write_bytes(content)
    refused(run("--track", path), "bad.csv", message)


@pytest.mark.parametrize(
    "words, message", [(["--origin", "a,b,c"], "origin"), (["--axes", "x,y"], "axes"), (["--format", "xml"], "xml")]
)
def test_wrong_placement_is_refused_in_a_line(run, stroke, words, message):
    refused(run("--track", stroke, *words), message)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is always a screen")
@pytest.mark.parametrize("driver", [{"SDL_VIDEODRIVER": "x11"}, {}])
def test_no_screen_is_reported_in_a_line(stroke, driver, tmp_path):
    away = ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER")
    environment = {key: value for key, value in os.environ.items() if key not in away}
    environment |= driver | {"XDG_RUNTIME_DIR": str(tmp_path)}
    command = [sys.executable, "play.py", "--predictor", "parabola", "--track", stroke]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    refused((done.returncode, done.stdout, done.stderr), "--headless")


def test_help_is_the_manual(run):
    status, out, _ = run("--help")
    assert not status and all(f"--{word}" in out for word in ("sport", "predictor", "track", "headless", "screenshot"))


def test_panels_throws_and_worlds_can_be_asked_for(run, tmp_path):
    picture = tmp_path / "out.png"
    words = ("--throw", "serve", "--world", "gravity=2", "missed=50", "--show", "errors", "sliders", "why", "inset")
    status, _, err = run(*words, "--frames", "25", "--screenshot", picture)
    assert (status, err) == (0, "") and picture.stat().st_size > 10_000
