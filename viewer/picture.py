"""The whole picture: a session and what is to be shown of it -> pixels. No clock, no events, no screen needed.

    picture = Picture(sport)
    picture.paint(surface, session, camera, Options(errors=True))

The same arguments give the same pixels. It keeps nothing but the backdrops of the cameras it painted last.
"""

import numpy as np
import pygame
from ballcast.render.camera import Camera
from ballcast.render.painter import Painter
from ballcast.viewer.options import PLAIN
from ballcast.viewer.panels import overlay
from ballcast.viewer.panels.beliefs import Beliefs
from ballcast.viewer.panels.canvas import FAINT, TEXT, Pen
from ballcast.viewer.panels.sidebar import MARGIN, Panel
from ballcast.viewer.panels.sliders import WIDTH, Sliders
from ballcast.viewer.panels.timeline import TimeLine

INSET = WIDTH, 158  # units
ABOVE = 0.0, 88.0  # degrees: the inset's camera
CLOSE = 0.62  # of the view's distance at which the camera follows the ball
SETTLED = 0.25  # s over which it follows


class Picture:
    """Paints a sport's sessions."""

    def __init__(self, sport):
        self.sport = sport
        self._world, self._above = Painter(sport), Painter(sport)

    def paint(self, surface, session, camera, options=PLAIN, throw=None, message="", why=None):
        """Fill the surface; throw: a Throw that is being made; why: a Why to be shown."""
        pen, camera = Pen(surface), self.camera(session, camera, options)
        self._world.paint(surface, session, camera, options.truth, throw, why)
        if options.inset:
            self._inset(pen, session, options)
        overlay.landing(pen, session, camera, pen.wide - (WIDTH + 2 * MARGIN) * (options.inset or options.sliders))
        bottom = Panel().paint(pen, session, camera)
        if options.beliefs:
            Beliefs().paint(pen, session, bottom + 10)
        if options.sliders:
            sliders(pen, options).paint(session, options.slider)
        TimeLine(pen).paint(session, options, why)
        overlay.foot(pen, session, message)
        pen.flush()
        if options.help:
            overlay.help(pen)
            pen.flush()

    def camera(self, session, camera, options):
        """The camera that paints: one that follows looks at where the ball was in the last moments."""
        if not options.follow:
            return camera
        times = session.now - SETTLED * np.linspace(0.0, 1.0, 9)
        return camera.followed(np.mean([session.ball.at(time)[0] for time in times], axis=0), CLOSE)

    def _inset(self, pen, session, options):
        """The place from above, small."""
        x, y = pen.wide - MARGIN - INSET[0], MARGIN
        corner = [round(a * pen.unit) for a in (x, y, *INSET)]
        part = pen.surface.subsurface(pygame.Rect(corner).clip(pen.surface.get_rect()))
        camera = self._from_above(part.get_size())
        self._above.paint(part, session, camera, options.truth)
        pygame.draw.rect(part, FAINT, part.get_rect(), 1)
        pen.outlined(x + 8, y + 6, "from above", 16, TEXT)

    def _from_above(self, size):
        """A camera over the middle of the place, which sees all of it, its longer side level."""
        place = self._above.place
        middle, span = (place.low + place.high) / 2, place.high - place.low
        azimuth = 90.0 if span[1] > span[0] else 0.0
        wide, deep = max(span), min(span)
        distance = max(deep, wide * size[1] / size[0]) * 0.8 / 0.1763  # tan 10 degrees: half of what it sees
        target = (float(middle[0]), float(middle[1]), 0.0)
        return Camera(target, azimuth, ABOVE[1], float(distance), 20.0, size)


def sliders(pen, options):
    """Where the sliders stand: under the inset, where there is one."""
    return Sliders(pen, MARGIN + (INSET[1] + 10 if options.inset else 0))
