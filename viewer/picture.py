"""The whole picture: a session and display options -> pixels. No clock, no events, no screen.

The same arguments give the same pixels. Only the backdrops of the last cameras are kept.
"""

from typing import NamedTuple

import numpy as np
import pygame

from ballcast.render.camera import OrbitCamera
from ballcast.render.painter import Painter
from ballcast.render.palette import FAINT_COLOR, TEXT_COLOR
from ballcast.viewer.options import DEFAULT
from ballcast.viewer.panels import beliefs, card, game, help, menu, numbers, overlay
from ballcast.viewer.panels.canvas import Canvas
from ballcast.viewer.panels.layout import GAP, MARGIN, WIDTH
from ballcast.viewer.panels.sliders import Sliders
from ballcast.viewer.panels.timeline import Timeline

INSET = WIDTH, 158  # units
INSET_VIEW = 0.0, 88.0  # degrees: the inset's camera
FOLLOW_DISTANCE = 0.62  # of the view's distance at which the camera follows the ball
FOLLOW_TIME = 0.25  # s over which it follows
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

    def paint(self, surface, session, camera, options=DEFAULT, overlays=NO_OVERLAYS):
        canvas, camera = Canvas(surface), self.camera(session, camera, options)
        if overlays.game is not None:
            game.paint(canvas, self._world, overlays.game, camera, overlays.message)
            return
        things = options.truth, overlays.throw, overlays.attribution
        self._world.paint(pygame.surfarray.pixels2d(surface), session, camera, *things)
        self._panels(canvas, session, camera, options)
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

    def _panels(self, canvas, session, camera, options):
        """The columns on both sides."""
        if options.inset:
            self._inset(canvas, session, options)
        bottom = card.paint(canvas, session, options.truth)
        if options.beliefs:
            beliefs.paint(canvas, session, bottom + GAP)
        if options.numbers:
            numbers.paint(canvas, session, camera)
        if options.sliders:
            sliders(canvas, options).paint(session, options.slider)
        overlay.buttons(canvas)

    def camera(self, session, camera, options):
        """The camera that paints: one that follows looks at the mean of the last positions."""
        if not options.follow:
            return camera
        times = session.now - FOLLOW_TIME * np.linspace(0.0, 1.0, 9)
        return camera.retargeted(np.mean([session.ball.state_at(time)[0] for time in times], axis=0), FOLLOW_DISTANCE)

    def _inset(self, canvas, session, options):
        x, y = canvas.width - MARGIN - INSET[0], MARGIN
        corner = [round(a * canvas.scale) for a in (x, y, *INSET)]
        inset = canvas.surface.subsurface(pygame.Rect(corner).clip(canvas.surface.get_rect()))
        camera = self._from_above(inset.get_size())
        self._above.paint(pygame.surfarray.pixels2d(inset), session, camera, options.truth)
        pygame.draw.rect(inset, FAINT_COLOR, inset.get_rect(), 1)
        canvas.taken.append((x, y, *INSET))
        canvas.text(x + 8, y + 6, "from above", 17, TEXT_COLOR)

    def _from_above(self, size):
        """A camera over the middle of the scene that shows all of it, its longer side level."""
        scene = self._above.scene
        middle, span = (scene.low + scene.high) / 2, scene.high - scene.low
        azimuth = 90.0 if span[1] > span[0] else 0.0
        width, depth = max(span), min(span)
        distance = max(depth, width * size[1] / size[0]) * 0.8 / 0.1763  # tan 10 degrees: half the field of view
        target = (float(middle[0]), float(middle[1]), 0.0)
        return OrbitCamera(target, azimuth, INSET_VIEW[1], float(distance), 20.0, size)


def sliders(canvas, options):
    return Sliders(canvas, MARGIN + (INSET[1] + 10 if options.inset else 0))
