"""What the mouse does while a clip is shown: it holds the timeline, or turns the 3D picture."""

from typing import TYPE_CHECKING

import pygame

from ballcast.viewer.clip.timeline import ClipTimeline
from ballcast.viewer.panels.canvas import Canvas

if TYPE_CHECKING:
    from ballcast.viewer.clip.app import ClipApp

DRAG, ZOOM = 0.3, 1.12  # degrees per px; per notch of the wheel


class ClipMouse:
    """The mouse of a ClipApp. held: "timeline", "scene" or ""."""

    def __init__(self, app: "ClipApp"):
        self.app, self.held = app, ""

    def handle(self, event: pygame.event.Event) -> None:
        """Act on an event of pygame, if it is one of the mouse."""
        if event.type == pygame.MOUSEBUTTONDOWN and event.button in (1, 3):
            self._press(event)
        elif event.type == pygame.MOUSEBUTTONUP and event.button in (1, 3):
            self._release(event)
        elif event.type == pygame.MOUSEMOTION and self.held:
            self._drag(event)
        elif event.type == pygame.MOUSEWHEEL:
            self.app.zoom(ZOOM**event.y)

    def _press(self, event):
        app = self.app
        if app.options.help:
            return app.toggle("help")
        timeline = self._timeline()
        if event.button == 1 and timeline.contains(event.pos):
            self.held = "timeline"
            app.player.go_to(timeline.time_at(event.pos), is_final=False)
        elif app.is_scene_at(event.pos):
            self.held = "scene"

    def _drag(self, event):
        if self.held == "timeline":
            self.app.player.go_to(self._timeline().time_at(event.pos), is_final=False)
        elif event.buttons[2]:
            self.app.move_scene(*event.rel)
        elif event.buttons[0]:
            self.app.turn_scene(-event.rel[0] * DRAG, event.rel[1] * DRAG)

    def _release(self, event):
        if self.held == "timeline":
            self.app.player.go_to(self._timeline().time_at(event.pos))
        self.held = ""

    def _timeline(self):
        return ClipTimeline(Canvas(self.app.screen), self.app.player)
