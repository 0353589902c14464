"""A session and a camera -> the picture. No clock, no events, no screen needed: the same state gives the same pixels.

painter = Painter(sport)
painter.paint(surface, session, camera)          # the world alone; picture.py has all
"""

import numpy as np
from ballcast.render.backdrop import Backdrop
from ballcast.render.confidence_tube import tube
from ballcast.render.draw_list import Ink
from ballcast.render.scene import Place, below

SEEN, TRUTH, SHADOW = (178, 208, 255), (255, 255, 255), (0, 0, 0)
FORECASTS = (  # by the number of the predictor; to be told apart without red and green (after Okabe and Ito 2008)
    (96, 240, 190), (255, 159, 64), (226, 140, 255), (255, 235, 110), (90, 180, 255), (255, 120, 120), (170, 200, 110),
)  # fmt: skip
FORECAST = FORECASTS[0]
DOTS = 600  # of the seen frames are drawn, the last ones
FADING = 1.2  # s over which a seen dot fades
SMALLEST = 6.0  # px; a ball is drawn no smaller, or nobody would see it
AIM = 0.12  # s of flight that the arrow of a launch shows
FAN = 0.1  # s between the old forecasts that are drawn
PALE = 0.13  # alpha of the region
RIM = np.stack([np.cos(np.linspace(0, 2 * np.pi, 49)), np.sin(np.linspace(0, 2 * np.pi, 49)), np.zeros(49)], axis=1)


class Painter:
    """Paints a sport's sessions; keeps the backdrop until the camera moves."""

    def __init__(self, sport):
        self.sport, self.place = sport, Place.of(sport)
        self._camera = self._backdrop = None

    def paint(self, surface, session, camera, truth=False, throw=None, why=None):
        """Fill the surface with the picture of this moment.

        truth  whether to show where the ball will truly go; throw: a Throw that is being made; why: a Why
        """
        if camera != self._camera:
            self._camera, self._backdrop = camera, Backdrop.of(self.place, self.sport.view, camera)
        self._ink = Ink(camera)
        self._shadow(session)
        if truth:
            self._truth(session)
        for watcher in reversed(session.watchers):
            self._paths(session, watcher, watcher is session.watchers[0])
        self._seen(session)
        if why is not None and len(why.time):
            self._mattered(why)
        if throw is not None:
            self._arrow(throw)
        self._ball(session)
        self._ink.paint(surface, self._backdrop)

    # --- the things ---------------------------------------------------------------------------------------------------

    def _shadow(self, session):
        """The ball's shadow on what is below it, fainter the higher it is, and a plumb line down to it."""
        position = session.ball.at(session.now)[0]
        if (height := below(self.sport, position)) is None:
            return
        foot = np.array([*position[:2], height + 1e-3])
        up = (position[2] - height) / (self._camera.distance * 0.5)
        radius = self._radius(position)[1] * (1 + 0.5 * up)
        outline = self._camera.outline(foot + RIM * radius)
        self._ink.fill(foot, outline, np.array([0, len(outline)]), SHADOW, 0.5 / (1 + 1.5 * up))
        self._ink.line(np.linspace(foot, position, 9), 0.6, (255, 255, 255), 0.16, spacing=1.5)

    def _truth(self, session):
        """Where the ball will truly go, which nobody was told."""
        _, places = session.ball.path(session.now + session.offsets)
        if len(places) > 1:
            self._ink.line(places, 1.0, TRUTH, 0.35, spacing=4.0)

    def _paths(self, session, watcher, first):
        """A forecast, the first predictor's older ones fading behind it, and where the ball is to land."""
        now, color = watcher.forecast(session.now), color_of(watcher)
        if now is None:
            return
        if first:
            self._fan(session, watcher.past(session.now), now, color)
        ahead = now.times > session.now
        if now.covariance is not None and ahead.any():
            outlines = tube(self._camera, now.mean[ahead], now.covariance[ahead])
            self._ink.fill(now.mean[ahead][0], *outlines, color, PALE)
        points = np.vstack([session.ball.at(session.now)[0], now.mean[ahead]]) if ahead.all() else now.mean[ahead]
        self._ink.line(points, 1.6, color, np.linspace(0.75, 0.06, len(points)))
        if now.landing is not None and now.landing.time > session.now - 0.5:
            self._mark(np.asarray(now.landing.place, float), color)

    def _arrow(self, throw):
        """The launch: as long as the ball flies in AIM seconds."""
        tip = throw.place + AIM * throw.velocity
        self._ink.line(np.linspace(throw.place, tip, 9), 2.2, TRUTH, 0.9)
        across = np.cross(throw.velocity, self._camera.axes[2])
        size = np.linalg.norm(across)
        if size > 1e-6:
            barb = 0.25 * AIM * np.linalg.norm(throw.velocity) * across / size * 0.5
            back = tip - 0.25 * AIM * throw.velocity
            for side in (barb, -barb):
                self._ink.line(np.linspace(back + side, tip, 5), 2.2, TRUTH, 0.9)

    def _fan(self, session, past, now, color):
        shown = now.made
        for old in past[::-1]:
            if old.made < now.made - FAN / 2 and old.made <= shown - FAN + 1e-9:
                shown = old.made
                ahead = old.times > session.now
                fade = 0.16 * (1 - (now.made - old.made) / 0.7) * np.linspace(1, 0.2, ahead.sum())
                self._ink.line(old.mean[ahead], 1.0, color, fade)

    def _mark(self, place, color):
        """A landing: a target on the surface, under the ball's centre at contact."""
        foot = place - (0, 0, self.sport.ball.radius - 1e-3)
        _, depth = self._camera.project(foot[None])
        pixel = max(depth[0], 0.1) / self._camera.focal  # m
        radius = max(2.5 * self.sport.ball.radius, 11 * pixel)
        self._ink.line(foot + RIM * radius, 1.6, color, 0.6)
        self._ink.line(foot + RIM * radius * 0.3, 1.6, color, 0.6)

    def _seen(self, session):
        """What the tracker saw, the older the fainter."""
        rows = session.seen[-DOTS:]
        points, age = session.ball.seen.position[rows], session.now - session.ball.seen.time[rows]
        self._ink.dots(points, 1.9, SEEN, 0.25 + 0.6 * np.exp(-age / FADING))

    def _mattered(self, why):
        """The seen frames again, the larger the further the forecast moves with them."""
        share = why.weight / max(why.weight.max(), 1e-12)
        points = why.history[1][-len(share) :]
        self._ink.dots(points, 2.0 + 5.0 * np.sqrt(share), SEEN, 0.35 + 0.6 * share)

    def _ball(self, session):
        position = session.ball.at(session.now)[0]
        radius, _ = self._radius(position)
        if radius <= self._camera.size[1]:
            self._ink.ball(position, radius, self.sport.view.ball_color, seen_turn(self._camera, session.turn))

    def _radius(self, position):
        """How large the ball is drawn: (px, m)."""
        depth = max(float(self._camera.project(position[None])[1][0]), 0.05)
        pixels = max(self.sport.ball.radius * self._camera.focal / depth, SMALLEST)
        return pixels, pixels * depth / self._camera.focal


def color_of(watcher):
    """A predictor's colour, the same wherever it is drawn."""
    return FORECASTS[watcher.number % len(FORECASTS)]


def seen_turn(camera, turn):
    """From the picture's axes (right, down, towards the eye) to those of a ball turned by `turn` (3, 3)."""
    right, down, forward = camera.axes
    return turn.T @ np.column_stack([right, down, -forward])
