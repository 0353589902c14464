"""The loop: events -> session -> picture, with a screen or (headless) without one.

Headless, every frame is 1/60 s and no wall clock is shown: the same call gives the same PNG. Else time is real.
"""

import dataclasses
import gc
import threading
import time

import pygame

from ballcast.render.painter import compile_kernels
from ballcast.viewer import introduction, keys
from ballcast.viewer.choices import COMPILING, Choices
from ballcast.viewer.film import Film, start_or_stop
from ballcast.viewer.game import Game, is_ready
from ballcast.viewer.mouse import Mouse
from ballcast.viewer.options import DEFAULT
from ballcast.viewer.panels import game as game_panel
from ballcast.viewer.panels.timeline import speed_words
from ballcast.viewer.picture import Overlays, Picture
from ballcast.viewer.playback.attribution import Attribution
from ballcast.viewer.playback.overrides import OVERRIDES
from ballcast.viewer.playback.session import FRAME_TIME, Session
from ballcast.viewer.screen import open_screen, save_next_png, save_png, write_line

FRAME_RATE = 60  # frames/s
COMPILING_RATE = 30  # frames/s while a process beside the window compiles: it needs the processor
WAITING_RATE = 20  # frames/s while nothing flies yet, so that compiling gets the time
MAX_FRAME_TIME = 0.1  # s; a frame that took longer counts as this much
HEADLESS_ANSWER_TIME = 1.0  # s after which a game without a window is answered: nobody can click
MESSAGE_FRAMES = 150  # frames that a message stays
NOT_CHANGED = "a recording flies as it flew"
NO_ATTRIBUTION = "which frames matter is shown for the frames of a tracker; X goes back to it"


class App:
    """One window, or none when headless. Raises ValueError without a screen.

    frames      how many; None: until the window is closed
    shown       numbers of the predictors that forecast from the start
    warm_start  a WarmStart: the window opens before everything is compiled
    game        whether it begins with the game, as soon as everything is compiled
    introduce   whether it begins with the introduction
    seed        of live balls, also after a change of the sport; None: the seed of the sport's introduction
    log         a rerun_log.SessionLog that gets every moment, or None
    sources     SourceChoices of the menu besides live play; the first of them is shown if `source` is not live
    """

    def __init__(
        self, source, pool, size=(1280, 720), headless=False, *, frames=None, screenshot=None,
        shown=(0,), record=None, options=DEFAULT, warm_start=None, introduce=False, seed=None, sources=(), game=False,
        log=None,
    ):  # fmt: skip
        self.headless, self.frames, self.screenshot, self.warm_start = headless, frames, screenshot, warm_start
        self.log = log
        self.screen, self.running, self.film = open_screen(size, headless), True, None
        if warm_start and not self._wait(source):
            return
        self.options, self.choices, self.mouse = options, Choices(self, source, seed, sources), Mouse(self)
        self.held, self.message_frames, self.message = set(), 0, ""
        self.attribution = None  # an Attribution, as long as the show is paused at its moment
        self.game, self.game_wanted = None, game  # a Game; whether one begins
        self.begin(Session(source, pool, shown=shown, clock=None if headless else time.perf_counter))
        speed = introduction.opening(source.sport).speed
        self.introduction = introduction.Introduction(self.session, speed) if introduce else None
        self.film = Film(record, self.screen.get_size()) if record else None
        gc.collect()
        gc.freeze()  # a full collection over all that numba and scipy keep would take 50 ms in the middle of a flight

    def begin(self, session):
        """Show another Session."""
        self.session, self.picture = session, Picture(session.sport)
        self.introduction = self.attribution = self.game = None
        self.mouse.let_go()
        self.reset_camera()

    def _wait(self, source):
        """Show what is being compiled, until a picture can be drawn and a ball can fly; False if it is closed."""
        thread, clock = threading.Thread(target=compile_kernels, daemon=True), pygame.time.Clock()
        thread.start()
        while self.running and (thread.is_alive() or not (source.ready or source.stand_in)):
            self.warm_start.poll()
            for event in pygame.event.get():
                self.running &= event.type != pygame.QUIT and keys.name_of(event) not in keys.QUIT
            drawing = "compiling what draws the picture, once"
            write_line(self.screen, drawing if thread.is_alive() else self.warm_start.message)
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
            if not (self.game and game_panel.handle(self, event)):
                keys.handle(self, event)
        keys.orbit_while_held(self, elapsed)
        self.screen = pygame.display.get_surface()
        for number in self.warm_start.poll(self.session.ball) if self.warm_start else ():
            self.session.exchange(number)
        if self.introduction:
            self._introduce(elapsed)
        self._play_game()
        (self.game or self.session).advance(0.0 if self.mouse.throw else elapsed)
        if self.log:
            self.log.update(self.session)
        seen = game_panel.WithoutForecasts(self.session) if self.game else self.session  # the camera shall not betray
        self.camera = self.picture.framed_camera(seen, self.camera, self.screen.get_size(), self.options)
        self._update_attribution()
        self.message_frames = max(0, self.message_frames - 1)
        self.picture.paint(self.screen, self.session, self.camera, self.options, self._overlays())
        if self.film:
            self.film.add(self.screen)
        pygame.display.flip()

    def _introduce(self, elapsed):
        """Go on with the introduction; it stands still while the menu or the help covers it."""
        is_covered = self.choices.menu is not None or self.options.help
        if self.introduction.advance(0.0 if is_covered else elapsed, self.picture.region_share):
            self.show_message(introduction.LAST_MESSAGE)
        if self.introduction.is_over:
            self.introduction = None

    def _overlays(self):
        return Overlays(
            throw=self.mouse.throw, message=self.message if self.message_frames else "", attribution=self.attribution,
            caption=self.introduction.caption if self.introduction else "",
            progress=self.warm_start.message if self.warm_start else "", menu=self.choices.menu, game=self.game,
        )  # fmt: skip

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

    def toggle_game(self):
        """Begin the game, or leave it; a message says why it cannot begin."""
        try:
            self.game = self.game.leave() if self.game else self._new_game()
        except ValueError as error:
            self.show_message(str(error))

    def _new_game(self):
        self.mouse.let_go()
        self.choices.menu = self.introduction = self.attribution = None
        self.game_wanted, self.options = False, dataclasses.replace(self.options, help=False)
        return Game(self.session, self.active_camera)

    def _play_game(self):
        """Begin the game that was asked for; without a window, answer."""
        if self.game_wanted and is_ready(self.session):
            self.game = self._new_game()
        if self.game and self.headless and self.game.waited > HEADLESS_ANSWER_TIME:
            self.game.confirm()

    def is_simulated(self, otherwise=""):
        """Whether balls come from the simulator, and it is compiled; if not, a message shows why."""
        source = self.session.source
        if otherwise and not (source.live and source.ready):
            self.show_message(COMPILING if source.live else otherwise)
        return source.live and source.ready

    def change_speed(self, steps):
        self.session.change_speed(steps)
        self.show_message(speed_words(self.session.speed))

    def press_button(self, name):
        if name == "menu":
            self.choices.toggle_menu()
        else:
            self.toggle(name)

    def toggle_hidden(self):
        self.session.toggle_hidden()
        self.show_message(
            "the ball is hidden from the predictors" if self.session.hidden else "they see the ball again"
        )

    def toggle_attribution(self):
        if self.session.cameras and not self.options.why:
            return self.show_message(NO_ATTRIBUTION)
        self.toggle("why")
        self.session.paused = self.session.paused or self.options.why

    def _update_attribution(self):
        """While the show is paused, compute a little more of the attribution; whether any is left."""
        session, forecaster = self.session, self.session.forecasters[0]
        wanted = self.options.why and session.paused and forecaster.forecast(session.now) is not None
        wanted = wanted and not session.cameras
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
        if self.is_simulated(NOT_CHANGED):
            value = session.source.world.get(override.name, override.default(session.sport))
            self.set_override(None if steps is None else override.clipped(value + steps * override.step))

    def reset_override(self):
        """Backspace: with the sliders open, the selected one is as in the sport again."""
        if self.options.sliders:
            self.move_override(None)

    def set_override(self, value):
        """Set the selected override; None: the sport's own value."""
        override = OVERRIDES[self.options.slider]
        self.session.set_override(override.name, value)
        own = "as in the sport" if override.varies else override.text(override.default(self.session.sport))
        self.show_message(f"{override.label} {own if value is None else override.text(value)}")

    @property
    def throw(self):
        """The Throw that is being made with the mouse, or None."""
        return self.mouse.throw

    def active_camera(self):
        """The camera that paints."""
        return self.picture.camera(self.session, self.camera, self.options)

    def quit(self):
        self.running = False

    def save(self):
        """Save the picture under the next free name in the current folder; a message gives the name or the reason."""
        self.show_message(save_next_png(self.screen))

    def record(self):
        """Start a film under the next free name in the current folder, or finish the current one."""
        self.film, message = start_or_stop(self.film, self.screen.get_size())
        self.show_message(message)

    def show_message(self, message):
        self.message, self.message_frames = message, MESSAGE_FRAMES
