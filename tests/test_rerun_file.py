"""play.py --rerun and RerunFile: what is in the recording. Where rerun-sdk is installed, its own reader opens it; the
other tests need no more than a stand-in that keeps what is logged."""

import importlib.util
import pathlib as files
import re
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from ballcast import models, sim
from ballcast.render import rerun_file
from ballcast.render.rerun_file import RerunFile, quaternions
from ballcast.tracks import Camera, read_track
from ballcast.viewer import play
from ballcast.viewer.clip.results import Landing, Path, Result
from ballcast.viewer.rerun_log import ClipLog

CHI = rerun_file.CHI_90_3DOF


class StandIn:
    """In place of the module rerun: what is logged is kept as (time, path, name of the archetype, its arguments)."""

    def __init__(self):
        self.logged, self.now, self.blueprint = [], None, self
        self.ViewCoordinates = SimpleNamespace(RIGHT_HAND_Z_UP="z up", RDF="right down forward")

    def RecordingStream(self, _):
        return self

    def save(self, path, default_blueprint):
        path.write_bytes(b"")

    def set_time(self, timeline, duration):
        self.now = duration

    def log(self, path, what, static=False):
        self.logged.append((None if static else self.now, path, *(what if isinstance(what, tuple) else (what, {}))))

    def flush(self):
        pass

    disconnect = set_log_time_enabled = set_log_tick_enabled = lambda self, *_: None

    def __getattr__(self, name):
        def archetype(*values, **named):
            made = name, {"first": values[0] if values else None} | named
            return SimpleNamespace(compress=lambda jpeg_quality: made) if name == "Image" else made

        return archetype

    def of(self, path):
        """(time, arguments) of what was logged at a path."""
        return [(time, named) for time, where, _, named in self.logged if where == path]


@pytest.fixture
def library(monkeypatch):
    stand_in = StandIn()
    found = importlib.util.find_spec
    monkeypatch.setitem(sys.modules, "rerun", stand_in)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: name == "rerun" or found(name, *a))
    return stand_in


def run(monkeypatch, tmp_path, *arguments):
    """play.py without a window, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["play.py", "--headless", "--size", "320x180", *arguments])
    play.main()


def test_a_session_is_logged_as_it_was_live(library, monkeypatch, tmp_path):
    run(monkeypatch, tmp_path, "--track", "rally", "--predictor", "parabola", "--frames", "40", "--rerun", "out.rrd")
    assert [file.name for file in tmp_path.iterdir()] == ["out.rrd"]  # and nothing that was written aside
    track = library.of("world/track")
    recorded = play.make_source(play.Options(track=("rally",)), sim.load("table_tennis")).ball(0).track
    count = int((recorded.time <= track[-1][0]).sum())
    assert len(track) == count > 20 and np.array_equal(track[-1][1]["first"], recorded.position[:count])
    paths = library.of("world/forecasts/parabola/path")
    assert len(paths) > 20 and all(len(named["first"][0]) >= 60 for _, named in paths)
    assert paths[0][0] >= track[1][0]  # no forecast before there are frames
    assert library.of("world/place")[0][0] is None and library.of("world/ball")


def test_cameras_and_their_pixels_are_logged(library, monkeypatch, tmp_path):
    arguments = "--seen-by cameras --predictor parabola --seed 3 --throw single --frames 30 --rerun out.rrd"
    run(monkeypatch, tmp_path, *arguments.split())
    lenses = [named for where in ("camera_1", "camera_2") for _, named in library.of(f"world/cameras/{where}")]
    assert len(lenses) == 4  # a pose and a lens each, once
    assert library.of("world/cameras/camera_1/image/ball") and not library.of("world/track")


def clip_results(camera):
    """Three frames of a clip as they were followed."""
    times = np.linspace(0.1, 0.5, 5)
    mean = np.column_stack([times, 4.0 * times, 1.0 - times])
    spread = np.tile(0.01 * np.eye(3), (5, 1, 1))
    landing = models.Landing(0.5, mean[-1], None, 0.9)
    path = Path(times, camera.project(mean), np.tile(np.eye(2), (5, 1, 1)), Landing(0.5, np.zeros(2), None, None),
                mean, spread, mean[0], landing)  # fmt: skip
    empty = np.empty((0, 2), np.float32)
    for number, (event, pixel, found) in enumerate((("", None, None), ("", np.ones(2), path), ("bounce", None, path))):
        yield Result(number, 0.04 * number, pixel, 1.0, 5.0, 1, event, "", empty, found, camera)


def make_camera():
    K, R = np.array([[600.0, 0, 160], [0, 600, 90], [0, 0, 1]]), np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    return Camera(K, [], R, -R @ (0.0, -6.0, 0.8), (320, 180), "end")


def test_a_clip_is_logged_frame_by_frame(library, tmp_path):
    with ClipLog(tmp_path / "out.rrd", sim.load("table_tennis")) as log:
        for result in clip_results(make_camera()):
            log.add(result, np.zeros((180, 320, 3), np.uint8))
    paths = {where for _, where, _, _ in library.logged}
    assert {"world/cameras/clip", "world/cameras/clip/image", "world/cameras/clip/image/path", "world/track",
            "world/forecasts/forecast/region", "world/forecasts/forecast/landing", "events"} <= paths  # fmt: skip
    assert [time for time, _ in library.of("world/cameras/clip/image")] == [0.0, 0.04, 0.08]
    assert library.of("events") == [(0.08, {"first": "bounce"})]
    label = library.of("world/forecasts/forecast/landing")[-1][1]["labels"]
    assert label == "lands +0.42 s"


def test_regions_are_those_of_nine_balls_in_ten(library, tmp_path):
    root = np.random.default_rng(0).standard_normal((3, 3, 3))
    covariance = root @ root.transpose(0, 2, 1)
    forecast = models.Forecast(np.zeros((3, 3)), covariance)
    with RerunFile(tmp_path / "out.rrd") as file:
        file.forecast(0.0, np.arange(1.0, 4.0), forecast)
    shown = library.of("world/forecasts/forecast/region")[0][1]
    turn = Rotation.from_quat(shown["quaternions"]).as_matrix()
    sizes = np.asarray(shown["half_sizes"]) / CHI
    assert (turn * (sizes**2)[:, None]) @ turn.transpose(0, 2, 1) == pytest.approx(covariance)
    turns = Rotation.random(50, random_state=1)
    assert np.abs((quaternions(turns.as_matrix()) * turns.as_quat()).sum(axis=1)) == pytest.approx(1.0)


@pytest.mark.parametrize("frames", [0, 1])
def test_an_error_leaves_what_was_logged_and_no_empty_file(library, tmp_path, frames):
    with pytest.raises(ZeroDivisionError), RerunFile(tmp_path / "out.rrd") as file:
        for time in range(frames):
            file.frame(time, np.zeros(3))
        raise ZeroDivisionError
    assert [found.name for found in tmp_path.iterdir()] == ["out.rrd"] * frames


@pytest.mark.parametrize(
    "path, message", [("out.txt", "name a file that ends in .rrd"), ("no/out.rrd", "is not a folder"),
                      ("out.rrd", "--rerun needs rerun-sdk: pip install rerun-sdk, or ballcast[rerun]")]
)  # fmt: skip
def test_what_cannot_be_written_is_refused_in_one_line(path, message, monkeypatch, tmp_path, capsys):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == "rerun" else found(name, *a))
    with pytest.raises(SystemExit) as stop:
        run(monkeypatch, tmp_path, "--frames", "2", "--rerun", path)
    error = capsys.readouterr().err
    assert stop.value.code == 2 and message in error and error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_the_reader_of_rerun_opens_it_with_all_entities(tmp_path, monkeypatch):
    pytest.importorskip("rerun", reason="rerun-sdk (167 MB) is an extra of its own")
    from rerun.chunk import RrdReader

    monkeypatch.chdir(tmp_path)
    page = (files.Path(__file__).parents[1] / "docs" / "viewer.md").read_text(encoding="utf-8")
    exec(re.findall(r"```python\n(.+?)```", page, re.DOTALL)[-1], {})
    sport, camera, track = sim.load("table_tennis"), make_camera(), read_track("rally").until(0.5)
    with ClipLog(tmp_path / "clip.rrd", sport) as log:
        for result in clip_results(camera):
            log.add(result, np.zeros((180, 320, 3), np.uint8))
    chunks = list(RrdReader(tmp_path / "stream.rrd").stream())
    paths = {chunk.entity_path for chunk in chunks}
    assert {"/world", "/world/place", "/world/track", "/events", "/world/forecasts/forecast/path"} <= paths
    batches = [chunk.to_record_batch() for chunk in chunks if chunk.entity_path == "/world/track"]
    column = next(name for name in batches[-1].schema.names if "positions" in name)
    assert np.allclose(batches[-1].column(column)[-1].as_py(), track.position, atol=1e-6)
    paths = {chunk.entity_path for chunk in RrdReader(tmp_path / "clip.rrd").stream()}
    assert {f"/world/cameras/clip{end}" for end in ("", "/image", "/image/ball", "/image/path")} <= paths
    assert {"/world/forecasts/forecast/region", "/world/forecasts/forecast/landing"} <= paths
