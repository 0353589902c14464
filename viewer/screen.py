"""The surface to draw on, with or without a screen, and pictures of it as files."""

import gc
import io
import os
from collections.abc import Callable
from pathlib import Path

import pygame

from ballcast.render.palette import BACKGROUND_COLOR, MUTED_COLOR
from ballcast.sim.files import write_atomically


def open_screen(size: tuple[int, int], headless: bool) -> pygame.Surface:
    """The surface to draw on. Only display and fonts are started, not the sound card. ValueError without a screen."""
    if headless:
        os.environ["SDL_VIDEODRIVER"] = "dummy"
    try:
        pygame.display.init()
        if pygame.display.get_driver() == "offscreen" and "SDL_VIDEODRIVER" not in os.environ:
            raise pygame.error("there is no display")  # SDL would draw into a window that nobody can look at
        pygame.font.init()
        screen = pygame.display.set_mode(size, 0 if headless else pygame.RESIZABLE)
    except pygame.error as error:
        raise ValueError(f"no window can be opened ({error}); --headless needs no screen") from error
    pygame.display.set_caption("Ballcast")
    pygame.key.set_repeat(350, 40)
    write_line(screen, "one moment ...")
    return screen


def draw_pixels(surface: pygame.Surface, draw: Callable, *arguments: object) -> None:
    """Call draw(pixels, *arguments) with the pixels (W, H) uint32 of a surface, which can be blitted to afterwards.

    Pixels lock their surface as long as they live. If draw compiles, exceptions inside the compiler may leave frames
    behind in a reference cycle, and with them the pixels: they are collected at once.
    """
    draw(pygame.surfarray.pixels2d(surface), *arguments)
    if surface.get_locked():
        gc.collect()


def write_line(screen: pygame.Surface, text: str) -> None:
    """Show one line of text and nothing else."""
    image = pygame.font.Font(None, 28).render(text, True, MUTED_COLOR)
    screen.fill(BACKGROUND_COLOR)
    screen.blit(image, image.get_rect(center=screen.get_rect().center))
    pygame.display.flip()


def free_name(suffix: str) -> str:
    """The next free name of a file in the current folder."""
    names = (f"ballcast-{number:03d}{suffix}" for number in range(1, 1000))
    return next((name for name in names if not os.path.exists(name)), f"ballcast-001{suffix}")


def save_png(surface: pygame.Surface, path: str | Path) -> None:
    """Write a PNG completely or not at all. Raises OSError."""
    buffer = io.BytesIO()
    pygame.image.save(surface, buffer, "picture.png")
    write_atomically(path, buffer.getvalue())


def save_next_png(surface: pygame.Surface) -> str:
    """Write a PNG under the next free name in the current folder: what to say of it, the name or the reason."""
    name = free_name(".png")
    try:
        save_png(surface, name)
        return f"saved {name}"
    except OSError as error:
        return f"{name} cannot be written: {error.strerror}"
