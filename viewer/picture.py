"""The whole picture: a session and display options -> pixels. No clock, no events, no screen.

The same arguments give the same pixels. Only the backdrops of the last cameras are kept.
"""

import dataclasses
from typing import NamedTuple

import pygame

from ballcast.render.painter import Painter
from ballcast.render.palette import FAINT_COLOR, TEXT_COLOR
from ballcast.viewer.framing import Cameras, Free, Rectangle
from ballcast.viewer.options import DEFAULT
from ballcast.viewer.panels import overlay
from ballcast.viewer.panels.beliefs import Beliefs
from ballcast.viewer.panels.canvas import MIN_HEIGHT, MIN_WIDTH, Canvas
from ballcast.viewer.panels.sidebar import MARGIN, Sidebar
from ballcast.viewer.panels.sliders import WIDTH, Sliders
from ballcast.viewer.panels.timeline import FOOT_HEIGHT, Timeline
from ballcast.viewer.place import place_of

INSET = WIDTH, 158  # units
PANEL = 292 + MARGIN, 408 + MARGIN  # units: the right and the lower edge of what covers the upper left corner


class Overlays(NamedTuple):
    """What is shown for a moment: a Throw that is being made, a message, an Attribution."""

    throw: object = None
    message: str = ""
    attribution: object = None


NO_OVERLAYS = Overlays()


class Picture:
    def __init__(self, sport):
        self.sport = sport
        self._world, self._above = Painter(sport), Painter(sport)
        self._framed_by = None  # whether the source was ready, and the Cameras

    def paint(self, surface, session, camera, options=DEFAULT, overlays=NO_OVERLAYS):
        canvas, camera = Canvas(surface), self.camera(session, camera, options)
        things = options.truth, overlays.throw, overlays.attribution
        self._world.paint(pygame.surfarray.pixels2d(surface), session, camera, *things)
        if options.inset:
            self._inset(canvas, session, options)
        right = canvas.width - (WIDTH + 2 * MARGIN) * (options.inset or options.sliders)
        overlay.stroke_call(canvas, session, camera)
        overlay.landing_countdown(canvas, session, camera, right)
        bottom = Sidebar().paint(canvas, session, camera)
        if options.beliefs:
            Beliefs().paint(canvas, session, bottom + 10)
        if options.sliders:
            sliders(canvas, options).paint(session, options.slider)
        Timeline(canvas).paint(session, options, overlays.attribution)
        overlay.status_line(canvas, session, overlays.message)
        canvas.flush()
        if options.help:
            overlay.key_help(canvas)
            canvas.flush()

    def fitted_camera(self, session, size, options, direction=None):
        """The camera that is fitted to the place, from the sport's own view or a direction (azimuth, elevation)."""
        return self._cameras(session).view(size, free_part(size, options), direction)

    def framed_camera(self, session, camera, size, options):
        """The camera at a picture's size, moved so that it shows ball and forecast, unless the user has moved it."""
        if size != camera.size:
            shift = camera.principal_shift * size[0] / camera.size[0]
            camera = dataclasses.replace(camera, size=size, principal_shift=shift)
        return self._cameras(session).standing.camera(session, camera, free_part(size, options))

    def camera(self, session, camera, options):
        """The camera that paints: `camera`, or one that follows the ball from its direction."""
        if not options.follow:
            return camera
        return self._cameras(session).following.camera(session, camera, free_part(camera.size, options))

    def _cameras(self, session):
        """The sport's Cameras; new ones once the simulator is compiled, and shows where play takes place."""
        if self._framed_by is None or self._framed_by[0] != session.source.ready:
            self._framed_by = session.source.ready, Cameras(self.sport.view, place_of(session.source))
        return self._framed_by[1]

    def _inset(self, canvas, session, options):
        x, y = canvas.width - MARGIN - INSET[0], MARGIN
        corner = [round(a * canvas.scale) for a in (x, y, *INSET)]
        inset = canvas.surface.subsurface(pygame.Rect(corner).clip(canvas.surface.get_rect()))
        camera = self._cameras(session).from_above(session, inset.get_size())
        self._above.paint(pygame.surfarray.pixels2d(inset), session, camera, options.truth)
        pygame.draw.rect(inset, FAINT_COLOR, inset.get_rect(), 1)
        canvas.outlined_text(x + 8, y + 6, "from above", 16, TEXT_COLOR)


def free_part(size, options):
    """The part of a picture (width, height) px that no panel covers."""
    scale = min(size[0] / MIN_WIDTH, size[1] / MIN_HEIGHT)
    right = (WIDTH + 2 * MARGIN) * (options.inset or options.sliders)
    whole = Rectangle(0.0, 0.0, size[0] - scale * right, size[1] - scale * FOOT_HEIGHT)
    return Free(whole, Rectangle(0.0, 0.0, scale * PANEL[0], scale * PANEL[1]))


def sliders(canvas, options):
    return Sliders(canvas, MARGIN + (INSET[1] + 10 if options.inset else 0))
