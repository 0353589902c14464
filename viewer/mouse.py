"""What the mouse holds: the ball, a slider or the timeline; and what it does with buttons and the menu."""

import dataclasses

import numpy as np
import pygame

from ballcast.viewer import keys
from ballcast.viewer.panels import menu as menu_panel
from ballcast.viewer.panels import overlay
from ballcast.viewer.panels.canvas import Canvas
from ballcast.viewer.panels.timeline import Timeline
from ballcast.viewer.picture import sliders
from ballcast.viewer.playback.overrides import OVERRIDES
from ballcast.viewer.playback.throw import Throw
from ballcast.viewer.units import format_speed

PICK_RADIUS = 24  # px within which the mouse takes the ball
MIN_THROW_FRACTION = 0.03  # of the sport's usual speed; a slower throw is none
DRAG = 0.3  # degrees per pixel


class Mouse:
    """The mouse of an App. `throw`: the Throw that is being made; `sliding`: the number of the slider that is held."""

    def __init__(self, app):
        self.app = app
        self.let_go()

    def let_go(self) -> None:
        """Hold nothing any more."""
        self.scrubbing, self.sliding, self.throw = False, None, None

    def handle(self, event: pygame.event.Event) -> None:
        """Act on an event of pygame, if it is one of the mouse."""
        if self.app.choices.menu is not None:
            self._in_menu(event)
        elif event.type == pygame.MOUSEBUTTONDOWN and event.button == 1:
            self._press(event.pos)
        elif event.type == pygame.MOUSEBUTTONUP and event.button == 1:
            self._release()
        elif event.type == pygame.MOUSEMOTION:
            self._drag(event)
        elif event.type == pygame.MOUSEWHEEL and self.throw:
            sideways = pygame.key.get_mods() & pygame.KMOD_SHIFT
            self.throw.add_spin(*((0, event.y) if sideways else (event.y, 0)))
            self._say_throw()
        elif event.type == pygame.MOUSEWHEEL:
            self.app.zoom(keys.ZOOM**event.y)

    def _in_menu(self, event):
        app, canvas = self.app, Canvas(self.app.screen)
        if event.type == pygame.MOUSEMOTION and (entry := menu_panel.entry_at(canvas, app.choices.menu, event.pos)):
            app.choices.menu.column, app.choices.menu.row = entry
        elif event.type == pygame.MOUSEBUTTONDOWN and event.button == 1:
            if entry := menu_panel.entry_at(canvas, app.choices.menu, event.pos):
                app.choices.menu.column, app.choices.menu.row = entry
                app.choices.choose_entry()
            elif not menu_panel.contains(canvas, app.choices.menu, event.pos):
                app.choices.toggle_menu()

    def _press(self, pixel):
        if name := overlay.button_at(Canvas(self.app.screen), pixel):
            self.app.press_button(name)
        elif self.app.options.help:
            self.app.toggle("help")
        elif not (self._take_timeline(pixel) or self._take_slider(pixel)):
            self._take_ball(pixel)

    def _drag(self, event):
        if self.throw:
            self._drag_ball(event.pos)
        elif event.buttons[0] and self.scrubbing:
            self._drag_timeline(event.pos)
        elif event.buttons[0] and self.sliding is not None:
            self._drag_slider(event.pos)
        elif event.buttons[2]:
            self.app.camera = self.app.camera.panned(*event.rel)
        elif event.buttons[0]:
            self.app.orbit(-event.rel[0] * DRAG, event.rel[1] * DRAG)

    def _take_timeline(self, pixel):
        self.scrubbing = Timeline(Canvas(self.app.screen), self.app.options).contains(pixel)
        self._drag_timeline(pixel)
        return self.scrubbing

    def _drag_timeline(self, pixel):
        if self.scrubbing:
            session = self.app.session
            session.rewind(Timeline(Canvas(self.app.screen), self.app.options).time_at(session, pixel))

    def _take_slider(self, pixel):
        if self.app.options.sliders and self.app.is_simulated():
            panel = sliders(Canvas(self.app.screen), self.app.session, self.app.options)
            self.sliding = panel.slider_at(pixel)
            self._drag_slider(pixel)
        return self.sliding is not None

    def _drag_slider(self, pixel):
        if self.sliding is not None:
            app = self.app
            app.options = dataclasses.replace(app.options, slider=self.sliding)
            value = sliders(Canvas(app.screen), app.session, app.options).value_at(self.sliding, pixel)
            if app.session.source.world.get(OVERRIDES[self.sliding].name) != value:
                app.set_override(value)

    def _take_ball(self, pixel):
        session, camera = self.app.session, self.app.active_camera()
        position = session.ball.state_at(session.now)[0]
        if self.app.is_simulated() and np.linalg.norm(camera.project(position[None])[0][0] - pixel) <= PICK_RADIUS:
            self.throw = Throw(position, session.source.typical_speed, session.sport.ball.radius)
            self.press_position = pixel

    def _drag_ball(self, pixel):
        self.throw.drag(self.app.active_camera(), np.subtract(pixel, self.press_position))
        self._say_throw()

    def _say_throw(self):
        speed, throw = np.linalg.norm(self.throw.velocity), self.throw
        top = f"{'top' if throw.top >= 0 else 'back'}spin {abs(throw.top):.0f} rad/s"
        side = f"sidespin {throw.side:.0f} rad/s"
        self.app.show_message(f"{format_speed(speed)}, {top}, {side}")

    def _release(self):
        """Throw the taken ball, unless it was hardly dragged."""
        throw = self.throw
        self.let_go()
        if throw and np.linalg.norm(throw.velocity) > MIN_THROW_FRACTION * throw.speed:
            self.app.session.throw(throw.position, throw.velocity, throw.spin)
