"""A real window: play.py under Xvfb, driven by xdotool through every key and the mouse, as a person would."""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pygame
import pytest

from ballcast.viewer import keys
from ballcast.viewer.screen import draw_pixels

ROOT = Path(__file__).parents[1]
NAMES = {" ": "space", ".": "period", ",": "comma", "[": "bracketleft", "]": "bracketright", "+": "plus", "=": "equal",
         "-": "minus", "_": "underscore", "page down": "Next", "page up": "Prior", "left": "Left", "right": "Right",
         "up": "Up", "down": "Down", "backspace": "BackSpace", "escape": "Escape", "tab": "Tab"}  # fmt: skip

pytestmark = pytest.mark.skipif(not (shutil.which("Xvfb") and shutil.which("xdotool")), reason="needs Xvfb and xdotool")


def xdotool_name(key):
    """What xdotool calls a key of BINDINGS."""
    bare = key.removeprefix("shift+")
    name = NAMES.get(bare, bare.upper() if bare.startswith("f") and bare[1:].isdigit() else bare)
    return f"shift+{name}" if key != bare else name


@pytest.fixture
def screen():
    """The name of a display of its own."""
    read, write = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", "1400x900x24"], pass_fds=[write], stderr=subprocess.DEVNULL
    )
    os.close(write)
    with os.fdopen(read) as pipe:
        number = pipe.readline().strip()
    yield f":{number}"
    server.terminate()
    server.wait()


def test_every_key_and_the_mouse_in_a_real_window(screen, tmp_path):
    environment = os.environ | {"DISPLAY": screen, "PYTHONPATH": str(ROOT)}
    environment.pop("SDL_VIDEODRIVER", None)
    command = [sys.executable, str(ROOT / "play.py"), "--predictor", "gru", "parabola", "--size", "1000x600"]
    show = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True)

    def do(*words):
        assert show.poll() is None, show.stderr.read()
        return subprocess.run(["xdotool", *map(str, words)], env=environment, capture_output=True, text=True).stdout

    do("mousemove", 700, 450)  # nobody manages the windows here: the keys go to what the mouse is over
    deadline = time.monotonic() + 300
    while not list(tmp_path.glob("*.png")):
        assert time.monotonic() < deadline, "the window never saved a picture"
        time.sleep(0.3)
        do("key", "s")
    window = re.search(r"window:(\d+)", do("getmouselocation"))[1]
    for binding in keys.BINDINGS:
        for key in set(binding.keys) - {"q", "escape"}:
            do("key", xdotool_name(key))
            if key == "m":
                do("key", "Down", "key", "Escape")  # out of the menu again
            if key == "j":
                do("key", "j")  # out of the game again
    do("mousedown", 1, "mousemove_relative", 40, 20, "mouseup", 1, "click", 4, "click", 5)
    do("mousedown", 3, "mousemove_relative", "--", -30, 10, "mouseup", 3)
    do("mousemove", "--window", window, 500, 594, "mousedown", 1, "mousemove_relative", 60, 0, "mouseup", 1)
    do("windowsize", window, 700, 500)
    time.sleep(0.5)
    do("key", "s")
    do("key", "q")
    assert show.wait(30) == 0, show.stderr.read()
    sizes = [pygame.image.load(file).get_size() for file in sorted(tmp_path.glob("*.png"))]
    assert sizes[0] == (1000, 600) and sizes[-1] == (700, 500)


def test_a_surface_is_free_after_drawing_even_if_a_reference_cycle_kept_the_pixels():
    """Once seen while code was compiling: pygame_Blit: Surfaces must not be locked."""
    surface = pygame.Surface((8, 8))

    def draw(pixels):
        pixels[:] = 0xFFFFFF
        try:
            raise ValueError
        except ValueError as error:  # as inside the compiler: the cycle holds this frame, and its pixels
            error.itself = error

    draw_pixels(surface, draw)
    assert not surface.get_locked()
    surface.blit(pygame.Surface((2, 2)), (0, 0))
    assert surface.get_at((4, 4))[:3] == (255, 255, 255)
