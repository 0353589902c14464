"""The loop: events -> session -> picture, on a screen or (headless) without one.

    App(source, choice, headless=True, frames=120, screenshot="out.png").run()

Headless every frame is 1/60 s and the picture holds no wall-clock reading: the same call gives the same PNG, byte for
byte. With a screen time is real.
"""

import gc
import io
import os
import time

import numpy as np
import pygame

from models.weights import write
from viewer import keys
from viewer.camera import Camera
from viewer.draw import Painter
from viewer.film import Film
from viewer.panel import Panel
from viewer.session import FRAME, Session
from viewer.throw import Throw

RATE = 60  # frames/s
SLOWEST = 0.1  # s; a frame that took longer counts as this much
GRASP, LEAST = 24, 0.03  # px within which the mouse takes the ball; share of the usual speed that is a throw
TOAST = 150  # frames that a message stays
SHIFT = 0.09  # of the width: the place stands this far right of the middle, beside the panel


class App:
    """One window, or none when headless. Raises ValueError without a screen.

    frames      how many; None: until it is closed
    screenshot  where the last picture goes
    waiting     what the window says until its first frame is there
    shown       numbers of the predictors that forecast from the start
    record      where the film goes
    """

    def __init__(
        self,
        source,
        choice,
        size=(1280, 720),
        headless=False,
        frames=None,
        screenshot=None,
        waiting="one moment ...",
        shown=(0,),
        record=None,
    ):
        self.headless, self.frames, self.screenshot = headless, frames, screenshot
        self.screen = _open(size, headless, waiting)
        self.session = Session(source, choice, shown=shown, clock=None if headless else time.perf_counter)
        self.painter, self.panel = Painter(source.sport), Panel()
        self.held, self.running, self.help, self.toast, self.message = set(), True, False, 0, ""
        self.scrubbing, self.thrown = False, None  # whether the time line is dragged; a Throw that is being made
        self.film = Film(record, self.screen.get_size()) if record else None
        self.reset_camera()
        gc.collect()
        gc.freeze()  # a full collection over all that numba and scipy keep would cost 50 ms, in the middle of a flight

    def run(self):
        """Show frame after frame; then save the screenshot that was asked for."""
        clock, shown = pygame.time.Clock(), 0
        try:
            while self.running and shown != self.frames:
                passed = min(SLOWEST, clock.tick(0 if self.headless else RATE) / 1000)
                self.frame(FRAME if self.headless or self.film else passed)
                shown += 1
            if self.screenshot:
                save_png(self.screen, self.screenshot)
        finally:
            if self.film:
                self.film.close()
            pygame.display.quit()

    def frame(self, elapsed):
        """One frame: what was asked for, `elapsed` s more of the show, the picture."""
        for event in pygame.event.get():
            keys.handle(self, event)
        keys.turn_while_held(self, elapsed)
        self._fit()
        self.session.advance(0.0 if self.thrown else elapsed)
        self.toast = max(0, self.toast - 1)
        self.painter.paint(self.screen, self.session, self.camera, self.thrown)
        self.panel.paint(self.screen, self.session, self.camera, self.message if self.toast else "", self.help)
        if self.film:
            self.film.add(self.screen)
        pygame.display.flip()

    # --- what the keys ask for ----------------------------------------------------------------------------------------

    def turn(self, azimuth, elevation):
        self.camera = self.camera.turned(azimuth, elevation)

    def zoom(self, factor):
        self.camera = self.camera.zoomed(factor)

    def look_from(self, azimuth, elevation):
        self.camera = self.camera.seen_from(azimuth, elevation)

    def reset_camera(self):
        size = self.screen.get_size()
        self.camera = Camera.of(self.session.sport.view, size, SHIFT * size[0])

    def pause(self):
        self.session.paused = not self.session.paused

    def toggle_truth(self):
        self.session.truth = not self.session.truth

    def scrub(self, pixel):
        """Go to the moment of the time line that the mouse is at."""
        if self.scrubbing:
            self.session.rewind(self.panel.time_at(self.session, pixel))

    def take(self, pixel):
        """Take the ball, where the mouse is on it, to throw it."""
        place = self.session.ball.at(self.session.now)[0]
        on = np.linalg.norm(self.camera.project(place[None])[0][0] - pixel) <= GRASP
        if on and self.session.source.live and not self.scrubbing:
            self.thrown = Throw(place, self.session.source.usual_speed, self.session.sport.ball.radius)
            self.taken = pixel

    def pull(self, pixel):
        self.thrown.pull(self.camera, np.subtract(pixel, self.taken))
        speed, spin = np.linalg.norm(self.thrown.velocity), self.thrown
        self.say(f"{speed:.1f} m/s, topspin {spin.top:.0f} rad/s, sidespin {spin.side:.0f} rad/s")

    def let_go(self):
        """Throw the ball that was taken, unless it was hardly pulled."""
        throw, self.thrown = self.thrown, None
        if throw and np.linalg.norm(throw.velocity) > LEAST * throw.speed:
            self.session.throw(throw.place, throw.velocity, throw.spin)

    def toggle_help(self):
        self.help = not self.help

    def quit(self):
        self.running = False

    def save(self):
        """Save the picture under the next free name in the current folder, and say so (or why not)."""
        name = _free_name(".png")
        try:
            save_png(self.screen, name)
            self.say(f"saved {name}")
        except OSError as error:
            self.say(f"{name} cannot be written: {error.strerror}")

    def record(self):
        """Begin a film under the next free name in the current folder, or end the one that is being made."""
        try:
            if self.film:
                film, self.film = self.film, None
                film.close()
                self.say(f"saved {film.path}")
            else:
                self.film = Film(_free_name(".mp4"), self.screen.get_size())
                self.say(f"recording {self.film.path}")
        except (ImportError, OSError, ValueError) as error:
            self.say(str(error))

    def say(self, message):
        """Show a message for a while."""
        self.message, self.toast = message, TOAST

    def _fit(self):
        """The camera follows the window's size."""
        self.screen = pygame.display.get_surface()
        if (size := self.screen.get_size()) != self.camera.size:
            self.camera = self.camera.resized(size, SHIFT * size[0])


def _open(size, headless, waiting):
    """The surface to draw on. The sound card stays closed: only display and fonts are started."""
    if headless:
        os.environ["SDL_VIDEODRIVER"] = "dummy"
    try:
        pygame.display.init()
        pygame.font.init()
        screen = pygame.display.set_mode(size, 0 if headless else pygame.RESIZABLE)
    except pygame.error as error:
        raise ValueError(f"no window can be opened ({error}); --headless needs no screen") from error
    pygame.display.set_caption("Ballcast")
    words = pygame.font.Font(None, 28).render(waiting, True, (158, 168, 180))
    screen.blit(words, words.get_rect(center=screen.get_rect().center))
    pygame.display.flip()
    return screen


def _free_name(suffix):
    """The first name in the current folder that is not taken."""
    names = (f"ballcast-{number:03d}{suffix}" for number in range(1, 1000))
    return next((name for name in names if not os.path.exists(name)), f"ballcast-001{suffix}")


def save_png(surface, path):
    """Write a PNG whole or not at all. Raises OSError."""
    buffer = io.BytesIO()
    pygame.image.save(surface, buffer, "picture.png")
    write(path, buffer.getvalue())
