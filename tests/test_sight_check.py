"""A camera that sees no ball of the sport is refused in one line, by every program that takes pixels."""

import sys

import numpy as np
import pytest

from ballcast import sim
from ballcast.models.__main__ import main
from ballcast.models.sight_check import check_sight
from ballcast.tracks import Camera, PixelTrack, write_cameras, write_pixels

SPORT = sim.load("table_tennis")
ALONG = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])  # R of a camera that looks along y


def camera(R, at=(0.0, -6.0, 0.8), name="behind"):
    return Camera([[1200.0, 0, 640], [0, 1200, 360], [0, 0, 1]], [], R, -R @ np.array(at), (1280, 720), name)


@pytest.mark.parametrize(
    "wrong, how",
    [
        (camera(ALONG @ np.diag([-1.0, -1.0, 1.0]), name="turned"), "they fly behind it"),
        (camera(ALONG, (30.0, -6.0, 0.8), "aside"), "they fly outside its image"),
    ],
)
def test_a_camera_that_sees_no_ball_is_refused(wrong, how):
    check_sight(SPORT, [camera(ALONG)], "cameras.yaml")
    message = f"cameras.yaml: camera '{wrong.name}' sees no ball of table_tennis: {how}; check the sport, and R and t"
    with pytest.raises(ValueError, match=message) as error:
        check_sight(SPORT, [camera(ALONG), wrong], "cameras.yaml")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("kind", sim.camera_kinds())
def test_random_cameras_are_not_refused(kind):
    sensors = sim.random_cameras(SPORT, 4, kinds=[kind], purpose="test")
    check_sight(SPORT, [Camera(*sensor.calibrated) for sensor in sensors], "")


@pytest.mark.parametrize("program", ["file", "pipe", "viewer"])
def test_the_programs_end_with_one_line(program, tmp_path, monkeypatch, capsys):
    from ballcast.viewer import play

    turned = camera(ALONG @ np.diag([-1.0, -1.0, 1.0]))
    write_cameras(tmp_path / "cameras.yaml", [turned])
    write_pixels(tmp_path / "ball.csv", PixelTrack([0.0, 0.1], [[5, 5], [6, 6]], [0, 0], [turned]))
    ball, cameras = str(tmp_path / "ball.csv"), ["--cameras", str(tmp_path / "cameras.yaml")]
    first = {"file": [ball], "pipe": ["-"], "viewer": ["--headless", "--frames", "1", "--pixels", ball]}[program]
    monkeypatch.setattr(sys, "argv", ["program", *first, *cameras])
    with pytest.raises(SystemExit) as stop:
        play.main() if program == "viewer" else main()
    lines = [line for line in capsys.readouterr().err.splitlines() if "compiling" not in line]
    assert stop.value.code == 2 and len(lines) == 1 and "cameras.yaml: camera 'behind' sees no ball" in lines[0]
