"""The loop: events -> session -> picture, with a screen or (headless) without one.

Headless, every frame is 1/60 s and no wall clock is shown: the same call gives the same PNG. Else time is real.
"""

import dataclasses
import gc
import io
import os
import threading
import time

import numpy as np
import pygame

from ballcast.render.painter import compile_kernels
from ballcast.render.palette import BACKGROUND_COLOR, MUTED_COLOR
from ballcast.sim.files import write_atomically
from ballcast.viewer import keys
from ballcast.viewer.film import Film
from ballcast.viewer.options import DEFAULT
from ballcast.viewer.panels.canvas import Canvas
from ballcast.viewer.panels.timeline import Timeline
from ballcast.viewer.picture import Overlays, Picture, sliders
from ballcast.viewer.playback.attribution import Attribution
from ballcast.viewer.playback.overrides import OVERRIDES
from ballcast.viewer.playback.session import FRAME_TIME, Session
from ballcast.viewer.playback.throw import Throw

FRAME_RATE = 60  # frames/s
COMPILING_RATE = 30  # frames/s while a process beside the window compiles: it needs the processor
WAITING_RATE = 20  # frames/s while nothing flies yet, so that compiling gets the time
MAX_FRAME_TIME = 0.1  # s; a frame that took longer counts as this much
PICK_RADIUS = 24  # px within which the mouse takes the ball
MIN_THROW_FRACTION = 0.03  # of the sport's usual speed; a slower throw is none
MESSAGE_FRAMES = 150  # frames that a message stays
NOT_THROWN, NOT_CHANGED = "a recording is not thrown", "a recording flies as it flew"


class App:
    """One window, or none when headless. Raises ValueError without a screen.

    frames      how many; None: until the window is closed
    shown       numbers of the predictors that forecast from the start
    warm_start  a WarmStart: the window opens before everything is compiled
    """

    def __init__(
        self, source, pool, size=(1280, 720), headless=False, *, frames=None, screenshot=None,
        shown=(0,), record=None, options=DEFAULT, warm_start=None,
    ):  # fmt: skip
        self.headless, self.frames, self.screenshot, self.warm_start = headless, frames, screenshot, warm_start
        self.screen, self.running, self.film = _open(size, headless), True, None
        if warm_start and not self._wait(source):
            return
        self.session = Session(source, pool, shown=shown, clock=None if headless else time.perf_counter)
        self.picture, self.options = Picture(source.sport), options
        self.held, self.message_frames, self.message = set(), 0, ""
        self.scrubbing, self.sliding, self.throw = False, None, None  # what the mouse drags: time, a slider, the ball
        self.attribution = None  # an Attribution, as long as the show is paused at its moment
        self.film = Film(record, self.screen.get_size()) if record else None
        self.reset_camera()
        gc.collect()
        gc.freeze()  # a full collection over all that numba and scipy keep would take 50 ms in the middle of a flight

    def _wait(self, source):
        """Show what is being compiled, until a picture can be drawn and a ball can fly; False if it is closed."""
        thread, clock = threading.Thread(target=compile_kernels, daemon=True), pygame.time.Clock()
        thread.start()
        while self.running and (thread.is_alive() or not (source.ready or source.stand_in)):
            self.warm_start.poll()
            for event in pygame.event.get():
                self.running &= event.type != pygame.QUIT and keys.name_of(event) not in keys.QUIT
            drawing = "compiling what draws the picture, once"
            _write(self.screen, drawing if thread.is_alive() else self.warm_start.message)
            clock.tick(WAITING_RATE)
        return self.running

    def run(self):
        clock, frame_count = pygame.time.Clock(), 0
        try:
            while self.running and frame_count != self.frames:
                rate = COMPILING_RATE if self.warm_start and self.warm_start.message else FRAME_RATE
                elapsed = min(MAX_FRAME_TIME, clock.tick(0 if self.headless else rate) / 1000)
                self.frame(FRAME_TIME if self.headless or self.film else elapsed)
                frame_count += 1
            if self.screenshot and frame_count:
                self.session.paused |= self.options.why
                while self._update_attribution():
                    self.frame(0.0)
                save_png(self.screen, self.screenshot)
        finally:
            if self.film:
                self.film.close()
            if self.warm_start:
                self.warm_start.close()
            pygame.display.quit()

    def frame(self, elapsed):
        """One frame: handle events, advance the show by `elapsed` s, paint."""
        for event in pygame.event.get():
            keys.handle(self, event)
        keys.orbit_while_held(self, elapsed)
        self.screen = pygame.display.get_surface()
        for number in self.warm_start.poll(self.session.ball) if self.warm_start else ():
            self.session.exchange(number)
        self.session.advance(0.0 if self.throw else elapsed)
        self.camera = self.picture.framed_camera(self.session, self.camera, self.screen.get_size(), self.options)
        self._update_attribution()
        self.message_frames = max(0, self.message_frames - 1)
        message = self.message if self.message_frames else self.warm_start.message if self.warm_start else ""
        overlays = Overlays(self.throw, message, self.attribution)
        self.picture.paint(self.screen, self.session, self.camera, self.options, overlays)
        if self.film:
            self.film.add(self.screen)
        pygame.display.flip()

    def orbit(self, azimuth, elevation):
        self.camera = self.camera.orbited(azimuth, elevation)

    def zoom(self, factor):
        self.camera = self.camera.zoomed(factor)

    def view_from(self, azimuth, elevation):
        self.reset_camera((azimuth, elevation))

    def reset_camera(self, direction=None):
        """The sport's own view, or the view from a direction (azimuth, elevation), fitted to the place."""
        self.camera = self.picture.fitted_camera(self.session, self.screen.get_size(), self.options, direction)

    def pause(self):
        self.session.paused = not self.session.paused

    def toggle(self, name):
        self.options = dataclasses.replace(self.options, **{name: not getattr(self.options, name)})

    def throw_kind(self, step):
        if self._is_simulated(NOT_THROWN):
            self.session.throw_kind(step)
            source = self.session.source
            self.show_message(source.throw_kinds[source.throw_kind])

    def _is_simulated(self, otherwise=""):
        """Whether balls come from the simulator, and it is compiled; if not, a message shows why."""
        source = self.session.source
        if otherwise and not (source.live and source.ready):
            self.show_message("the simulator is still being compiled" if source.live else otherwise)
        return source.live and source.ready

    def toggle_attribution(self):
        self.toggle("why")
        self.session.paused = self.session.paused or self.options.why

    def _update_attribution(self):
        """While the show is paused, compute a little more of the attribution; whether any is left."""
        session, forecaster = self.session, self.session.forecasters[0]
        wanted = self.options.why and session.paused and forecaster.forecast(session.now) is not None
        at = self.attribution and (self.attribution.forecaster, self.attribution.now)
        if not wanted:
            self.attribution = None
        elif at != (forecaster, session.now):
            rows, track = session.observed_frames, session.ball.track
            self.attribution = Attribution(forecaster, track.time[rows], track.position[rows], session.now)
        return bool(wanted) and self.attribution.compute_some()

    def select_override(self, step):
        self.options = dataclasses.replace(self.options, slider=(self.options.slider + step) % len(OVERRIDES))

    def move_override(self, steps):
        """Move the selected slider by a number of steps; None: back to the sport's own value."""
        override, session = OVERRIDES[self.options.slider], self.session
        if self._is_simulated(NOT_CHANGED):
            value = session.source.world.get(override.name, override.default(session.sport))
            value = None if steps is None else override.clipped(value + steps * override.step)
            session.set_override(override.name, value)

    def press_slider(self, pixel):
        """Take the slider at a pixel, if there is one; whether there is."""
        if self.options.sliders and self._is_simulated():
            self.sliding = sliders(Canvas(self.screen), self.options).slider_at(pixel)
            self.drag_slider(pixel)
        return self.sliding is not None

    def drag_slider(self, pixel):
        if self.sliding is not None:
            self.options = dataclasses.replace(self.options, slider=self.sliding)
            value = sliders(Canvas(self.screen), self.options).value_at(self.sliding, pixel)
            if self.session.source.world.get(OVERRIDES[self.sliding].name) != value:
                self.session.set_override(OVERRIDES[self.sliding].name, value)

    def press_timeline(self, pixel):
        """Take the timeline if it is at a pixel; whether it is."""
        self.scrubbing = Timeline(Canvas(self.screen)).contains(pixel)
        self.drag_timeline(pixel)
        return self.scrubbing

    def drag_timeline(self, pixel):
        if self.scrubbing:
            self.session.rewind(Timeline(Canvas(self.screen)).time_at(self.session, pixel))

    def press_ball(self, pixel):
        position, camera = self.session.ball.state_at(self.session.now)[0], self._active_camera()
        if self._is_simulated() and np.linalg.norm(camera.project(position[None])[0][0] - pixel) <= PICK_RADIUS:
            self.throw = Throw(position, self.session.source.typical_speed, self.session.sport.ball.radius)
            self.press_position = pixel

    def _active_camera(self):
        return self.picture.camera(self.session, self.camera, self.options)

    def drag_ball(self, pixel):
        self.throw.drag(self._active_camera(), np.subtract(pixel, self.press_position))
        speed, spin = np.linalg.norm(self.throw.velocity), self.throw
        self.show_message(f"{speed:.1f} m/s, topspin {spin.top:.0f} rad/s, sidespin {spin.side:.0f} rad/s")

    def release(self):
        """Throw the taken ball, unless it was hardly dragged."""
        throw, self.throw = self.throw, None
        if throw and np.linalg.norm(throw.velocity) > MIN_THROW_FRACTION * throw.speed:
            self.session.throw(throw.position, throw.velocity, throw.spin)

    def quit(self):
        self.running = False

    def save(self):
        """Save the picture under the next free name in the current folder; a message gives the name or the reason."""
        name = _free_name(".png")
        try:
            save_png(self.screen, name)
            self.show_message(f"saved {name}")
        except OSError as error:
            self.show_message(f"{name} cannot be written: {error.strerror}")

    def record(self):
        """Start a film under the next free name in the current folder, or finish the current one."""
        try:
            if self.film:
                film, self.film = self.film, None
                film.close()
                self.show_message(f"saved {film.path}")
            else:
                self.film = Film(_free_name(".mp4"), self.screen.get_size())
                self.show_message(f"recording {self.film.path}")
        except (ImportError, OSError, ValueError) as error:
            self.show_message(str(error))

    def show_message(self, message):
        self.message, self.message_frames = message, MESSAGE_FRAMES


def _open(size, headless):
    """The surface to draw on. Only display and fonts are started, not the sound card."""
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
    _write(screen, "one moment ...")
    return screen


def _write(screen, text):
    image = pygame.font.Font(None, 28).render(text, True, MUTED_COLOR)
    screen.fill(BACKGROUND_COLOR)
    screen.blit(image, image.get_rect(center=screen.get_rect().center))
    pygame.display.flip()


def _free_name(suffix):
    names = (f"ballcast-{number:03d}{suffix}" for number in range(1, 1000))
    return next((name for name in names if not os.path.exists(name)), f"ballcast-001{suffix}")


def save_png(surface, path):
    """Write a PNG completely or not at all. Raises OSError."""
    buffer = io.BytesIO()
    pygame.image.save(surface, buffer, "picture.png")
    write_atomically(path, buffer.getvalue())
