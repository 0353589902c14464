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
from ballcast.viewer.panels import beliefs, camera_views, card, game, help, menu, numbers, overlay
from ballcast.viewer.panels.canvas import Canvas, scale_of
from ballcast.viewer.panels.layout import CARD_HEIGHT, FOOT_HEIGHT, GAP, MARGIN, WIDTH, has_right_column
from ballcast.viewer.panels.sliders import Sliders
from ballcast.viewer.panels.timeline import ERROR_STRIP_HEIGHT, GATE_STRIP_HEIGHT, STRIP_GAP, Timeline
from ballcast.viewer.place import place_of
from ballcast.viewer.screen import draw_pixels

INSET = WIDTH, 158  # units
FOOT_GAP = 14  # units above the foot that are left free: a ring on the floor has room
PANEL = MARGIN + WIDTH, MARGIN + CARD_HEIGHT  # units: the right and the lower edge of the card
CAMERA_ROOM = 110  # units below the upper edge that are left free beside what a camera sees
CAPTION, MESSAGE, PROGRESS = 30, 24, 18  # sizes of texts above the foot, units


class Overlays(NamedTuple):
    """What is shown for a moment: a Throw that is being made, texts above the foot, an Attribution, an open Menu."""

    throw: object = None
    message: str = ""  # what a key did
    attribution: object = None
    caption: str = ""  # of the introduction
    progress: str = ""  # of what is being compiled
    menu: object = None
    game: object = None  # a Game, which takes the whole picture


NO_OVERLAYS = Overlays()


class Picture:
    def __init__(self, sport):
        self.sport = sport
        self._world, self._above = Painter(sport), Painter(sport)
        self._camera_views = camera_views.CameraViews(sport)
        self._framed_by = None  # whether the source was ready, and the Cameras

    @property
    def region_share(self) -> float:
        """The share of the last picture that the largest region covers."""
        return max((region.share for region in self._world.regions.values()), default=0.0)

    def paint(self, surface, session, camera, options=DEFAULT, overlays=NO_OVERLAYS):
        canvas, camera = Canvas(surface), self.camera(session, camera, options)
        if overlays.game is not None:
            game.paint(canvas, self._world, overlays.game, camera, overlays.message)
            return
        things = options.truth, overlays.throw, overlays.attribution
        draw_pixels(surface, self._world.paint, session, camera, *things)
        self._panels(canvas, session, camera, options, overlays.attribution is not None)
        timeline = Timeline(canvas, options)
        timeline.paint(session, overlays.attribution)
        texts = (overlays.caption, CAPTION), (overlays.message, MESSAGE), (overlays.progress, PROGRESS)
        overlay.notices(canvas, options, timeline.top, [text for text in texts if text[0]])
        overlay.leave_the_ball_free(canvas, session, camera)
        overlay.stroke_call(canvas, session, camera)
        overlay.landing_countdown(canvas, session, camera)
        canvas.flush()
        if overlays.menu is not None:
            menu.paint(canvas, overlays.menu)
        elif options.help:
            help.paint(canvas)
        canvas.flush()

    def _panels(self, canvas, session, camera, options, has_attribution):
        """The columns on both sides."""
        if session.cameras:
            self._camera_views.paint(canvas, session, not has_right_column(options), options.truth)
        if options.inset:
            self._inset(canvas, session, options, right_column_top(canvas, session, options))
        bottom = card.paint(canvas, session, options.truth, has_attribution)
        if options.beliefs:
            beliefs.paint(canvas, session, bottom + GAP)
        if options.numbers:
            top = sliders(canvas, session, options).top + (Sliders.height + GAP if options.sliders else 0)
            numbers.paint(canvas, session, camera, top)
        if options.sliders:
            sliders(canvas, session, options).paint(session, options.slider)
        overlay.buttons(canvas)

    def fitted_camera(self, session, size, options, direction=None):
        """The camera that is fitted to the place, from the sport's own view or a direction (azimuth, elevation)."""
        return self._cameras(session).view(size, free_part(size, options, bool(session.cameras)), direction)

    def framed_camera(self, session, camera, size, options):
        """The camera at a picture's size, moved so that it shows ball and forecast, unless the user has moved it."""
        if size != camera.size:
            shift = camera.principal_shift * size[0] / camera.size[0]
            camera = dataclasses.replace(camera, size=size, principal_shift=shift)
        free = free_part(size, options, bool(session.cameras))
        return self._cameras(session).standing.camera(session, camera, free)

    def camera(self, session, camera, options):
        """The camera that paints: `camera`, or one that follows the ball from its direction."""
        if not options.follow:
            return camera
        free = free_part(camera.size, options, bool(session.cameras))
        return self._cameras(session).following.camera(session, camera, free)

    def _cameras(self, session):
        """The sport's Cameras; new ones once the simulator is compiled, and shows where play takes place."""
        if self._framed_by is None or self._framed_by[0] != session.source.ready:
            self._framed_by = session.source.ready, Cameras(self.sport.view, place_of(session.source))
        return self._framed_by[1]

    def _inset(self, canvas, session, options, y):
        x = canvas.width - MARGIN - INSET[0]
        corner = [round(a * canvas.scale) for a in (x, y, *INSET)]
        inset = canvas.surface.subsurface(pygame.Rect(corner).clip(canvas.surface.get_rect()))
        camera = self._cameras(session).from_above(session, inset.get_size())
        draw_pixels(inset, self._above.paint, session, camera, options.truth)
        pygame.draw.rect(inset, FAINT_COLOR, inset.get_rect(), 1)
        canvas.taken.append((x, y, *INSET))
        canvas.text(x + 8, y + 6, "from above", 17, TEXT_COLOR)


def free_part(size, options, has_cameras=False):
    """The part of a picture (width, height) px that no panel covers; has_cameras: whether it shows what they see."""
    scale = scale_of(size)
    right = (WIDTH + 2 * MARGIN) * has_right_column(options)
    strips = options.errors * (ERROR_STRIP_HEIGHT + STRIP_GAP) + options.gates * (GATE_STRIP_HEIGHT + STRIP_GAP)
    top = scale * CAMERA_ROOM if has_cameras and not right else 0.0
    whole = Rectangle(0.0, top, size[0] - scale * right, size[1] - scale * (FOOT_HEIGHT + FOOT_GAP + strips))
    bottom = PANEL[1] + card.CAMERA_ROWS * has_cameras
    return Free(whole, Rectangle(0.0, 0.0, scale * PANEL[0], scale * bottom))


def right_column_top(canvas, session, options):
    """Where the right column begins, units: below what cameras see."""
    return camera_views.bottom(canvas, [camera for _, camera in session.cameras], not has_right_column(options))


def sliders(canvas, session, options):
    """The Sliders, below what else stands in the right column."""
    return Sliders(canvas, right_column_top(canvas, session, options) + (INSET[1] + 10 if options.inset else 0))
