"""What the mouse does in the calibration window: it puts points, moves them, the picture and the slider."""

from typing import TYPE_CHECKING

import numpy as np
import pygame

from ballcast.viewer.calibration import keys, numbers, plan, scene
from ballcast.viewer.panels.canvas import Canvas

if TYPE_CHECKING:
    from ballcast.viewer.calibration.window import CalibrationApp

PICK = 14  # px of the screen within which a click takes a point
SLOW = 0.125  # of the way of the mouse, that a point goes while Shift is held
GRAB = 14  # units above and below the slider


class Mouse:
    """held: the name of the point that is dragged; None: none."""

    def __init__(self, app: "CalibrationApp") -> None:
        self.app, self.is_sliding = app, False
        self.held: str | None = None

    def handle(self, event: pygame.event.Event) -> None:
        """Act on an event of pygame, if it is one of the mouse."""
        if event.type == pygame.MOUSEBUTTONDOWN and event.button == 1:
            self._press(event.pos)
        elif event.type == pygame.MOUSEBUTTONUP and event.button == 1:
            self.let_go()
        elif event.type == pygame.MOUSEMOTION:
            self._move(event)
        elif event.type == pygame.MOUSEWHEEL:
            self.app.zoom(keys.ZOOM**event.y)
        elif event.type == pygame.WINDOWFOCUSLOST:
            self.let_go()

    def let_go(self) -> None:
        """Hold nothing any more."""
        self.held, self.is_sliding = None, False

    def _press(self, place):
        app, canvas = self.app, Canvas(self.app.screen)
        where = place[0] / canvas.scale, place[1] / canvas.scale
        if app.options.help:
            app.options.help = False
        elif len(app.fitting.rivals) > 1 and any(r.collidepoint(place) for r in scene.thumbs(canvas, app)):
            app.choose([r.collidepoint(place) for r in scene.thumbs(canvas, app)].index(True))
        elif self._on_slider(canvas, where):
            self.is_sliding = True
            self._slide(canvas, where)
        elif app.view.holds(place):
            self._take(place)
        else:
            self._in_column(canvas, where)

    def _take(self, place):
        """Take the point that is there, or put the one that is asked for."""
        app, pixel = self.app, self.app.view.in_video(place)
        points = app.placed.points
        off = {name: np.linalg.norm(app.view.on_screen(np.array(p)) - place - 0.5) for name, p in points.items()}
        name = min(off, key=lambda n: off[n]) if off else None
        if name is not None and off[name] <= PICK:
            app.choose_point(name)
            self.held, self._at, self._fresh = name, np.array(points[name]), True
        elif app.wanted is not None:
            self.held, self._at, self._fresh = app.wanted, pixel, False
            app.put(self.held, pixel)
        else:
            app.placed.chosen = None

    def _move(self, event):
        app, canvas = self.app, Canvas(self.app.screen)
        if self.is_sliding:
            self._slide(canvas, (event.pos[0] / canvas.scale, event.pos[1] / canvas.scale))
        elif self.held is not None and event.buttons[0]:
            slow = SLOW if pygame.key.get_mods() & pygame.KMOD_SHIFT else 1.0
            self._at = self._at + np.array(event.rel) * slow / app.view.scale
            app.put(self.held, self._at, is_step=self._fresh)
            self._fresh = False  # the whole drag is one step
        elif event.buttons[2]:
            app.view.pan(*event.rel)
        app.loupe_at = self._loupe(event.pos)

    def _loupe(self, place):
        """What the loupe shows: the point that is dragged, or what is under the mouse."""
        app = self.app
        if self.held is not None:
            return np.array(app.placed.points[self.held])
        return app.view.in_video(place) if app.view.holds(place) else None

    def _on_slider(self, canvas, where):
        left, right, y = scene.slider(canvas)
        return left - GRAB <= where[0] <= right + GRAB and abs(where[1] - y) <= GRAB

    def _slide(self, canvas, where):
        left, right, _ = scene.slider(canvas)
        share = float(np.clip((where[0] - left) / (right - left), 0.0, 1.0))
        self.app.frames.ask(round(share * (self.app.frames.count - 1)))

    def _in_column(self, canvas, where):
        """A click in the plan or in the list chooses a point."""
        box = numbers.plan_box(canvas)
        name = plan.point_at(self.app, where, box) or numbers.name_at(canvas, self.app, where)
        if name is not None:
            self.app.choose_point(name)
