"""The window of a clip: events -> player -> picture."""

import dataclasses
import gc
import time
from pathlib import Path
from typing import Any

import pygame

from ballcast.viewer.clip import keys
from ballcast.viewer.clip.clip import Clip
from ballcast.viewer.clip.mouse import ClipMouse
from ballcast.viewer.clip.options import DEFAULT, ClipOptions
from ballcast.viewer.clip.picture import ClipPicture
from ballcast.viewer.clip.player import Player
from ballcast.viewer.film import Film, start_or_stop
from ballcast.viewer.panels.timeline import speed_words
from ballcast.viewer.screen import open_screen, save_next_png, save_png

FRAME_RATE = 60  # frames/s
MAX_FRAME_TIME = 0.1  # s; a frame that took longer counts as this much
MESSAGE_TIME = 2.5  # s that a message stays
NO_SPACE = "3D needs the camera: --camera FILE, or --sport NAME to look for the court"
NOT_BACK = "a camera cannot be wound back"


class ClipApp:
    """A window that shows a Clip. frames: how many pictures; None: until it is closed. record: a film of it.
    log: a rerun_log.ClipLog that gets every frame, or None."""

    def __init__(
        self, clip: Clip, size: tuple[int, int], *, frames: int | None = None, screenshot: Path | None = None,
        record: Path | None = None, options: ClipOptions = DEFAULT, log: Any = None,
    ):  # fmt: skip
        self.screen = open_screen(size, False)
        self.clip, self.player, self.picture, self.options = clip, Player(clip, log), ClipPicture(clip), options
        self.frames, self.screenshot, self.mouse = frames, screenshot, ClipMouse(self)
        self.held, self.message, self._message_until, self.running = set(), "", 0.0, True
        self.film = Film(record, self.screen.get_size()) if record else None
        self._painted, self._notes = None, 0
        gc.collect()
        gc.freeze()

    def run(self) -> None:
        """Show the clip until the window is closed."""
        last, count = time.perf_counter(), 0
        try:
            while self.running and count != self.frames:
                now = time.perf_counter()
                self.frame(1 / FRAME_RATE if self.film else min(MAX_FRAME_TIME, now - last))
                last, count = now, count + 1
                self.player.wait(max(0.001, now + 1 / FRAME_RATE - time.perf_counter()))
            if self.screenshot and count:
                save_png(self.screen, self.screenshot)
        finally:
            if self.film:
                self.film.close()
            self.player.close()
            pygame.display.quit()

    def frame(self, elapsed: float) -> None:
        """One picture: handle events, go on by `elapsed` s, paint what has changed."""
        for event in pygame.event.get():
            self._handle(event)
        self.screen = pygame.display.get_surface() or self.screen
        try:
            self.player.advance(elapsed)
        except (ValueError, OSError) as error:
            self.show_message(str(error))
        if self.player.is_over and len(self.player.notes) > self._notes:
            self.show_message(self.player.notes[-1])
            self._notes = len(self.player.notes)
        if time.perf_counter() > self._message_until:
            self.message = ""
        if (state := self._state()) != self._painted:
            self.picture.paint(self.screen, self.player, self.options, self.message)
            self._painted = state
            pygame.display.flip()
        if self.film:
            self.film.add(self.screen)

    def _state(self):
        """All that the picture depends on."""
        player = self.player
        camera = player.following.camera_message, player.dropped, player.is_over, len(player.results)
        view = None if self.picture.scene is None else self.picture.scene.view
        shown = id(player.image), id(player.frame), player.preview, player.shown_time, player.paused, player.speed
        return id(self.screen), self.screen.get_size(), self.message, self.options, shown, camera, view

    def _handle(self, event):
        if event.type == pygame.QUIT:
            self.quit()
        elif event.type == pygame.KEYDOWN:
            keys.press(self, event)
        elif event.type == pygame.KEYUP:
            self.held.discard(event.key)
        elif event.type == pygame.WINDOWFOCUSLOST:
            self.held.clear()
            self.mouse.held = ""
        elif event.type in (pygame.WINDOWEXPOSED, pygame.VIDEORESIZE):
            self._painted = None
        else:
            self.mouse.handle(event)

    def toggle(self, name: str) -> None:
        self.options = dataclasses.replace(self.options, **{name: not getattr(self.options, name)})

    def toggle_court(self) -> None:
        """Show the lines of the court, or hide them."""
        if not self.picture.has_space(self.player):
            return self.show_message(NO_SPACE)
        self.options = dataclasses.replace(self.options, court=not self.options.court)

    def swap(self) -> None:
        """The clip and 3D change places."""
        if not self.picture.has_space(self.player):
            return self.show_message(NO_SPACE)
        self.options = dataclasses.replace(self.options, swapped=not self.options.swapped, inset=True)

    def step(self, count: int) -> None:
        self._wind(lambda: self.player.step(count))

    def jump(self, seconds: float) -> None:
        self._wind(lambda: self.player.jump(seconds))

    def _wind(self, act):
        if self.clip.is_camera:
            return self.show_message(NOT_BACK)
        act()

    def change_speed(self, steps: int) -> None:
        if self.clip.is_camera:
            return self.show_message("a camera has its own speed")
        self.player.change_speed(steps)
        self.show_message(speed_words(self.player.speed))

    def is_scene_at(self, pixel: tuple[int, int]) -> bool:
        """Whether the 3D picture is at a pixel (x, y)."""
        if not self.picture.has_space(self.player):
            return False
        is_small = self.options.inset and self.picture.small_box(self.screen.get_size()).collidepoint(pixel)
        return is_small != self.options.swapped

    def turn_scene(self, azimuth: float, elevation: float) -> None:
        self._move_scene(lambda view: view.orbited(azimuth, elevation))

    def move_scene(self, right: float, down: float) -> None:
        self._move_scene(lambda view: view.panned(right, down))

    def zoom(self, factor: float) -> None:
        self._move_scene(lambda view: view.zoomed(factor))

    def _move_scene(self, move):
        """Change the view of the 3D picture, where there is one."""
        if self.picture.scene is not None and self.picture.has_space(self.player):
            self.picture.scene.view = move(self.picture.scene.view)

    def save(self) -> None:
        """Save the picture under the next free name in the current folder; a message gives the name or the reason."""
        self.show_message(save_next_png(self.screen))

    def record(self) -> None:
        """Start a film under the next free name in the current folder, or finish the current one."""
        self.film, message = start_or_stop(self.film, self.screen.get_size())
        self.show_message(message)

    def show_message(self, message: str) -> None:
        self.message, self._message_until = message, time.perf_counter() + MESSAGE_TIME

    def quit(self) -> None:
        self.running = False
