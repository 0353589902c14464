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
from ballcast.models.runtime.weights import write
from ballcast.render.camera import Camera
from ballcast.viewer import keys
from ballcast.viewer.film import Film
from ballcast.viewer.options import PLAIN
from ballcast.viewer.panels.canvas import Pen
from ballcast.viewer.panels.timeline import TimeLine
from ballcast.viewer.picture import Picture, sliders
from ballcast.viewer.playback.attribution import Why
from ballcast.viewer.playback.overrides import RULES
from ballcast.viewer.playback.session import FRAME, Session
from ballcast.viewer.playback.throw import Throw

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
    options     what is shown from the start
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
        options=PLAIN,
    ):
        self.headless, self.frames, self.screenshot = headless, frames, screenshot
        self.screen = _open(size, headless, waiting)
        self.session = Session(source, choice, shown=shown, clock=None if headless else time.perf_counter)
        self.picture, self.options = Picture(source.sport), options
        self.held, self.running, self.toast, self.message = set(), True, 0, ""
        self.scrubbing, self.sliding, self.thrown = False, None, None  # what the mouse drags: time, a rule, the ball
        self.why = None  # a Why, as long as the show stands at its moment
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
                self._settle()
                save_png(self.screen, self.screenshot)
        finally:
            if self.film:
                self.film.close()
            pygame.display.quit()

    def _settle(self):
        """Let what takes several frames come to its end."""
        self.session.paused |= self.options.why
        while self._find_out():
            self.frame(0.0)

    def frame(self, elapsed):
        """One frame: what was asked for, `elapsed` s more of the show, the picture."""
        for event in pygame.event.get():
            keys.handle(self, event)
        keys.turn_while_held(self, elapsed)
        self._fit()
        self.session.advance(0.0 if self.thrown else elapsed)
        self._find_out()
        self.toast = max(0, self.toast - 1)
        shown = self.thrown, self.message if self.toast else "", self.why
        self.picture.paint(self.screen, self.session, self.camera, self.options, *shown)
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

    def toggle(self, name):
        """Show one of the Options, or no longer."""
        self.options = dataclasses.replace(self.options, **{name: not getattr(self.options, name)})

    def throw_kind(self, step):
        """Throw the next of the sport's throws, where balls are thrown."""
        if not self.session.source.live:
            return self.say("a recording is not thrown")
        self.session.throw_kind(step)
        kind = self.session.source.kind
        self.say("as play launches" if kind is None else self.session.sport.throws[kind][0])

    def ask_why(self):
        """Pause and show which of the frames seen matter, or put that away."""
        self.toggle("why")
        self.session.paused = self.session.paused or self.options.why

    def _find_out(self):
        """While the show is paused: ask a little more of why the forecast is what it is."""
        session, watcher = self.session, self.session.watchers[0]
        asked = self.options.why and session.paused and watcher.forecast(session.now) is not None
        if not asked:
            self.why = None
        elif self.why is None or (self.why.watcher, self.why.now) != (watcher, session.now):
            rows, seen = session.seen, session.ball.seen
            self.why = Why(watcher, seen.time[rows], seen.position[rows], session.now)
        return bool(asked) and self.why.work()

    # --- the world's rules --------------------------------------------------------------------------------------------

    def choose_rule(self, step):
        self.options = dataclasses.replace(self.options, slider=(self.options.slider + step) % len(RULES))

    def move_rule(self, steps):
        """Move the chosen rule by so many steps; None: to where the sport has it."""
        rule, session = RULES[self.options.slider], self.session
        if not session.source.live:
            return self.say("a recording flies as it flew")
        value = session.source.world.get(rule.name, rule.of(session.sport))
        session.change(rule.name, None if steps is None else rule.clipped(value + steps * rule.step))

    def grasp_rule(self, pixel):
        """Take the slider that is at a place, if one is; whether the panel is there."""
        if self.options.sliders and self.session.source.live:
            self.sliding = sliders(Pen(self.screen), self.options).hit(pixel)
            self.slide(pixel)
        return self.sliding is not None

    def slide(self, pixel):
        """Pull the slider that was taken."""
        if self.sliding is not None:
            self.options = dataclasses.replace(self.options, slider=self.sliding)
            value = sliders(Pen(self.screen), self.options).value_at(self.sliding, pixel)
            if self.session.source.world.get(RULES[self.sliding].name) != value:
                self.session.change(RULES[self.sliding].name, value)

    # --- the mouse on the time line and on the ball -------------------------------------------------------------------

    def grasp_time(self, pixel):
        """Take the time line, if it is there; whether it is."""
        self.scrubbing = TimeLine(Pen(self.screen)).hit(pixel)
        self.scrub(pixel)
        return self.scrubbing

    def scrub(self, pixel):
        """Go to the moment of the time line that the mouse is at."""
        if self.scrubbing:
            self.session.rewind(TimeLine(Pen(self.screen)).time_at(self.session, pixel))

    def grasp_ball(self, pixel):
        """Take the ball, where the mouse is on it, to throw it."""
        place, camera = self.session.ball.at(self.session.now)[0], self._seeing()
        if self.session.source.live and np.linalg.norm(camera.project(place[None])[0][0] - pixel) <= GRASP:
            self.thrown = Throw(place, self.session.source.usual_speed, self.session.sport.ball.radius)
            self.taken = pixel

    def _seeing(self):
        return self.picture.camera(self.session, self.camera, self.options)

    def pull(self, pixel):
        self.thrown.pull(self._seeing(), np.subtract(pixel, self.taken))
        speed, spin = np.linalg.norm(self.thrown.velocity), self.thrown
        self.say(f"{speed:.1f} m/s, topspin {spin.top:.0f} rad/s, sidespin {spin.side:.0f} rad/s")

    def let_go(self):
        """Throw the ball that was taken, unless it was hardly pulled."""
        throw, self.thrown = self.thrown, None
        if throw and np.linalg.norm(throw.velocity) > LEAST * throw.speed:
            self.session.throw(throw.place, throw.velocity, throw.spin)

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
        if pygame.display.get_driver() == "offscreen" and "SDL_VIDEODRIVER" not in os.environ:
            raise pygame.error("there is no display")  # SDL would draw where nobody sees it
        pygame.font.init()
        screen = pygame.display.set_mode(size, 0 if headless else pygame.RESIZABLE)
    except pygame.error as error:
        raise ValueError(f"no window can be opened ({error}); --headless needs no screen") from error
    pygame.display.set_caption("Ballcast")
    pygame.key.set_repeat(350, 40)
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
