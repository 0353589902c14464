"""Films: as many frames as were shown, of the window's size, with its colours; whole, or not there at all."""

import numpy as np
import pygame
import pytest
from viewer_fakes import FixedPool, OneBall, Recorder

from ballcast.viewer.film import Film
from ballcast.viewer.window import App

imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg")


def frames_of(path):
    """The size (width, height) and the frames (N, height, width, 3) of a film."""
    frames = imageio_ffmpeg.read_frames(str(path))
    size = next(frames)["size"]
    return size, np.array([np.frombuffer(frame, np.uint8).reshape(size[1], size[0], 3) for frame in frames])


@pytest.mark.parametrize("name, count", [("a.mp4", 30), ("a.gif", 10)])
def test_a_film_holds_what_was_shown(tmp_path, monkeypatch, name, count):
    monkeypatch.setattr(pygame.display, "quit", lambda: None)  # the screen is looked at afterwards
    app = App(OneBall(), FixedPool(Recorder()), (641, 360), True, frames=30, record=tmp_path / name)
    app.run()
    size, frames = frames_of(tmp_path / name)
    assert size == (640, 360) and len(frames) == count
    shown = pygame.image.tobytes(app.screen, "RGB")
    shown = np.frombuffer(shown, np.uint8).reshape(360, 641, 3)[:, :640].astype(float)
    assert np.abs(frames[-1] - shown).mean() < 6 and np.abs(frames[-1] - frames[0].astype(float)).mean() > 0.05
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_window_that_changes_its_size_and_is_closed_leaves_a_whole_film(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    app = App(OneBall(), FixedPool(Recorder()), (320, 180), headless=True, frames=20)
    app.record()
    for size in ((320, 180), (480, 300), (331, 201)):
        pygame.display.set_mode(size)
        app.frame(1 / 60)
    app.quit()
    app.run()
    size, frames = frames_of(tmp_path / "ballcast-001.mp4")
    assert size == (320, 180) and len(frames) == 3


def test_a_film_without_frames_is_none(tmp_path):
    Film(tmp_path / "a.mp4", (64, 64)).close()
    assert list(tmp_path.iterdir()) == []
