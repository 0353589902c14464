"""The loop: events -> session -> picture, on a screen or (headless) without one.

    App(source, choice, headless=True, frames=120, screenshot="out.png").run()

Headless every frame is 1/60 s and the picture holds no wall-clock reading: the same call gives the same PNG, byte for
byte. With a screen time is real.
"""

import dataclasses
import gc
import io
import os
import time

import numpy as np
import pygame

from ballcast.models.runtime.weights import write_atomically
from ballcast.render.camera import OrbitCamera
from ballcast.viewer import keys
from ballcast.viewer.film import Film
from ballcast.viewer.options import DEFAULT
from ballcast.viewer.panels.canvas import Canvas
from ballcast.viewer.panels.timeline import Timeline
from ballcast.viewer.picture import Picture, sliders
from ballcast.viewer.playback.attribution import Attribution
from ballcast.viewer.playback.overrides import OVERRIDES
from ballcast.viewer.playback.session import FRAME_TIME, Session
from ballcast.viewer.playback.throw import Throw

FRAME_RATE = 60  # frames/s
MAX_FRAME_TIME = 0.1  # s; a frame that took longer counts as this much
PICK_RADIUS, MIN_THROW_FRACTION = (
    24,
    0.03,
)  # px within which the mouse takes the ball; share of the usual speed that is a throw
MESSAGE_FRAMES = 150  # frames that a message stays
PRINCIPAL_SHIFT = 0.09  # of the width: the place stands this far right of the middle, beside the panel


class App:
    """One window, or none when headless. Raises ValueError without a screen.

    frames      how many; None: until it is closed
    screenshot  where the last picture goes
    waiting     what the window says until its first frame is there
    shown       numbers of the predictors that forecast from the start
    record      where the film goes
    options     what is shown from the start
    """

    def __init__(
        self,
        source,
        pool,
        size=(1280, 720),
        headless=False,
        *,
        frames=None,
        screenshot=None,
        loading_text="one moment ...",
        shown=(0,),
        record=None,
        options=DEFAULT,
        warm_start=None,
    ):
        self.headless, self.frames, self.screenshot = headless, frames, screenshot
        self.screen, self.warm_start = _open(size, headless, loading_text), warm_start
        if warm_start:
            self._wait(source)
        self.session = Session(source, pool, shown=shown, clock=None if headless else time.perf_counter)
        self.picture, self.options = Picture(source.sport), options
        self.held, self.running, self.message_frames, self.message = set(), True, 0, ""
        self.scrubbing, self.sliding, self.throw = False, None, None  # what the mouse drags: time, a rule, the ball
        self.attribution = None  # a Why, as long as the show stands at its moment
        self.film = Film(record, self.screen.get_size()) if record else None
        self.reset_camera()
        gc.collect()
        gc.freeze()  # a full collection over all that numba and scipy keep would cost 50 ms, in the middle of a flight

    def run(self):
        """Show frame after frame; then save the screenshot that was asked for."""
        clock, frame_count = pygame.time.Clock(), 0
        try:
            if self.session is None:
                return
            while self.running and frame_count != self.frames:
                elapsed = min(MAX_FRAME_TIME, clock.tick(0 if self.headless else FRAME_RATE) / 1000)
                self.frame(FRAME_TIME if self.headless or self.film else elapsed)
                frame_count += 1
            if self.screenshot:
                self._finish_pending()
                save_png(self.screen, self.screenshot)
        finally:
            if self.film:
                self.film.close()
            pygame.display.quit()

    def _finish_pending(self):
        """Let what takes several frames come to its end."""
        self.session.paused |= self.options.why
        while self._update_attribution():
            self.frame(0.0)

    def frame(self, elapsed):
        """One frame: what was asked for, `elapsed` s more of the show, the picture."""
        for event in pygame.event.get():
            keys.handle(self, event)
        keys.orbit_while_held(self, elapsed)
        self._match_window_size()
        self.session.advance(0.0 if self.throw else elapsed)
        self._update_attribution()
        self.message_frames = max(0, self.message_frames - 1)
        overlays = self.throw, self.message if self.message_frames else "", self.attribution
        self.picture.paint(self.screen, self.session, self.camera, self.options, *overlays)
        if self.film:
            self.film.add(self.screen)
        pygame.display.flip()

    # --- what the keys ask for ----------------------------------------------------------------------------------------

    def orbit(self, azimuth, elevation):
        self.camera = self.camera.orbited(azimuth, elevation)

    def zoom(self, factor):
        self.camera = self.camera.zoomed(factor)

    def view_from(self, azimuth, elevation):
        self.camera = self.camera.from_direction(azimuth, elevation)

    def reset_camera(self):
        size = self.screen.get_size()
        self.camera = OrbitCamera.of(self.session.sport.view, size, PRINCIPAL_SHIFT * size[0])

    def pause(self):
        self.session.paused = not self.session.paused

    def toggle(self, name):
        """Show one of the Options, or no longer."""
        self.options = dataclasses.replace(self.options, **{name: not getattr(self.options, name)})

    def throw_kind(self, step):
        """Throw the next of the sport's throws, where balls are thrown."""
        if not self.session.source.live:
            return self.show_message("a recording is not thrown")
        self.session.throw_kind(step)
        kind = self.session.source.throw_kind
        self.show_message("as play launches" if kind is None else self.session.sport.throws[kind][0])

    def toggle_attribution(self):
        """Pause and show which of the frames seen matter, or put that away."""
        self.toggle("why")
        self.session.paused = self.session.paused or self.options.why

    def _update_attribution(self):
        """While the show is paused: ask a little more of why the forecast is what it is."""
        session, forecaster = self.session, self.session.forecasters[0]
        wanted = self.options.why and session.paused and forecaster.forecast(session.now) is not None
        if not wanted:
            self.attribution = None
        elif self.attribution is None or (self.attribution.forecaster, self.attribution.now) != (
            forecaster,
            session.now,
        ):
            rows, track = session.observed_frames, session.ball.track
            self.attribution = Attribution(forecaster, track.time[rows], track.position[rows], session.now)
        return bool(wanted) and self.attribution.compute_some()

    # --- the world's rules --------------------------------------------------------------------------------------------

    def select_override(self, step):
        self.options = dataclasses.replace(self.options, slider=(self.options.slider + step) % len(OVERRIDES))

    def move_override(self, steps):
        """Move the chosen rule by so many steps; None: to where the sport has it."""
        override, session = OVERRIDES[self.options.slider], self.session
        if not session.source.live:
            return self.show_message("a recording flies as it flew")
        value = session.source.world.get(override.name, override.default(session.sport))
        session.set_override(override.name, None if steps is None else override.clipped(value + steps * override.step))

    def press_slider(self, pixel):
        """Take the slider that is at a place, if one is; whether the panel is there."""
        if self.options.sliders and self.session.source.live:
            self.sliding = sliders(Canvas(self.screen), self.options).slider_at(pixel)
            self.drag_slider(pixel)
        return self.sliding is not None

    def drag_slider(self, pixel):
        """Pull the slider that was taken."""
        if self.sliding is not None:
            self.options = dataclasses.replace(self.options, slider=self.sliding)
            value = sliders(Canvas(self.screen), self.options).value_at(self.sliding, pixel)
            if self.session.source.world.get(OVERRIDES[self.sliding].name) != value:
                self.session.set_override(OVERRIDES[self.sliding].name, value)

    # --- the mouse on the time line and on the ball -------------------------------------------------------------------

    def press_timeline(self, pixel):
        """Take the time line, if it is there; whether it is."""
        self.scrubbing = Timeline(Canvas(self.screen)).contains(pixel)
        self.drag_timeline(pixel)
        return self.scrubbing

    def drag_timeline(self, pixel):
        """Go to the moment of the time line that the mouse is at."""
        if self.scrubbing:
            self.session.rewind(Timeline(Canvas(self.screen)).time_at(self.session, pixel))

    def press_ball(self, pixel):
        """Take the ball, where the mouse is on it, to throw it."""
        position, camera = self.session.ball.state_at(self.session.now)[0], self._active_camera()
        if self.session.source.live and np.linalg.norm(camera.project(position[None])[0][0] - pixel) <= PICK_RADIUS:
            self.throw = Throw(position, self.session.source.typical_speed, self.session.sport.ball.radius)
            self.press_position = pixel

    def _active_camera(self):
        return self.picture.camera(self.session, self.camera, self.options)

    def drag_ball(self, pixel):
        self.throw.drag(self._active_camera(), np.subtract(pixel, self.press_position))
        speed, spin = np.linalg.norm(self.throw.velocity), self.throw
        self.show_message(f"{speed:.1f} m/s, topspin {spin.top:.0f} rad/s, sidespin {spin.side:.0f} rad/s")

    def release(self):
        """Throw the ball that was taken, unless it was hardly pulled."""
        throw, self.throw = self.throw, None
        if throw and np.linalg.norm(throw.velocity) > MIN_THROW_FRACTION * throw.speed:
            self.session.throw(throw.position, throw.velocity, throw.spin)

    def quit(self):
        self.running = False

    def save(self):
        """Save the picture under the next free name in the current folder, and say so (or why not)."""
        name = _free_name(".png")
        try:
            save_png(self.screen, name)
            self.show_message(f"saved {name}")
        except OSError as error:
            self.show_message(f"{name} cannot be written: {error.strerror}")

    def record(self):
        """Begin a film under the next free name in the current folder, or end the one that is being made."""
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
        """Show a message for a while."""
        self.message, self.message_frames = message, MESSAGE_FRAMES

    def _match_window_size(self):
        """The camera follows the window's size."""
        self.screen = pygame.display.get_surface()
        if (size := self.screen.get_size()) != self.camera.size:
            self.camera = self.camera.resized(size, PRINCIPAL_SHIFT * size[0])


def _open(size, headless, loading_text):
    """The surface to draw on. The sound card stays closed: only display and fonts are started."""
    if headless:
        os.environ["SDL_VIDEODRIVER"] = "dummy"
    try:
        pygame.display.init()
        if pygame.display.get_driver() == "offscreen" and "SDL_VIDEODRIVER" not in os.environ:
            raise pygame.error("there is no display")  # SDL would draw where nobody sees it
        pygame.font.init()
        screen = pygame.display.set_mode(size, 0 if headless else pygame.RESIZABLE)
    except pygame.error as error:
        raise ValueError(f"no window can be opened ({error}); --headless needs no screen") from error
    pygame.display.set_caption("Ballcast")
    pygame.key.set_repeat(350, 40)
    text = pygame.font.Font(None, 28).render(loading_text, True, (158, 168, 180))
    screen.blit(text, text.get_rect(center=screen.get_rect().center))
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
    write_atomically(path, buffer.getvalue())
