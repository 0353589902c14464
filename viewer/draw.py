"""A session and a camera -> the picture. No clock, no events, no screen needed: the same state gives the same pixels.

    painter = Painter(sport)
    painter.paint(surface, session, camera)

What lies behind a net, a board or a table is painted before it: each thing gets the slot of the first layer (far to
near) that hides it from the eye.
"""

import itertools

import numpy as np
import pygame

from viewer.backdrop import Backdrop, painted
from viewer.region import region
from viewer.scene import Patch, Place, below
from viewer.stamps import along, ball_image, dots

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
EDGE = 40  # px round a layer within which a ball, as large as it is, may be hidden by it
RIM = np.stack([np.cos(np.linspace(0, 2 * np.pi, 49)), np.sin(np.linspace(0, 2 * np.pi, 49)), np.zeros(49)], axis=1)


class Painter:
    """Paints a sport's sessions; keeps the backdrop until the camera moves."""

    def __init__(self, sport):
        self.sport, self.place = sport, Place.of(sport)
        self._camera = self._backdrop = None

    def paint(self, surface, session, camera, throw=None):
        """Fill the surface with the picture of this moment; throw: a Throw that is being made."""
        if camera != self._camera:
            self._camera, self._backdrop = camera, Backdrop.of(self.place, self.sport.view, camera)
        self._dots, self._images = [], []
        self._shadow(session)
        if session.truth:
            self._truth(session)
        for watcher in reversed(session.watchers):
            self._paths(session, watcher, watcher is session.watchers[0])
        self._seen(session)
        if throw is not None:
            self._arrow(throw)
        self._ball(session)
        surface.blit(self._backdrop.ground, (0, 0))
        for slot, layer in zip(self._sorted(), (*self._backdrop.layers, None)):
            surface.fblits(slot, pygame.BLEND_PREMULTIPLIED)
            if layer is not None:
                surface.blit(layer.image, layer.corner, special_flags=pygame.BLEND_PREMULTIPLIED)

    # --- things at their depth ----------------------------------------------------------------------------------------

    def _line(self, points, radius, color, alpha, spacing=None):
        """A path through points (N, 3) m whose strength alpha (N,) may change along it."""
        xy, _ = self._camera.project(points)
        xy[(np.abs(xy - self._camera.centre) > self._camera.size).any(axis=1)] = np.nan  # far out of the picture
        values = np.column_stack([points, np.broadcast_to(alpha, len(points))])
        xy, values = along(xy, values, spacing or radius)
        use = ((xy > -9) & (xy < np.add(self._camera.size, 9))).all(axis=1)
        self._dots.append((values[use, :3], xy[use], radius, color, values[use, 3]))

    def _sorted(self):
        """All dots and images as lists to blit, one for each layer and one for what nothing hides."""
        styles = []
        for (radius, color), group in itertools.groupby(self._dots, key=lambda dot: dot[2:4]):
            parts = zip(*((points, xy, alpha) for points, xy, _, _, alpha in group))
            styles.append((*map(np.concatenate, parts), radius, color))
        places = [(points, xy) for points, xy, *_ in styles] + [(p[None], xy[None]) for p, xy, _ in self._images]
        where = self._hidden_by(*map(np.concatenate, zip(*places)))
        slots, start = [[] for _ in range(len(self._backdrop.layers) + 1)], 0
        for points, xy, alpha, radius, color in styles:
            mine = where[start : start + len(points)]
            start += len(points)
            for slot in set(mine.tolist()):
                use = mine == slot
                slots[slot] += dots(xy[use], radius, color, alpha[use])
        for slot, (_, _, stamp) in zip(where[start:].tolist(), self._images):
            slots[slot].append(stamp)
        return slots

    def _hidden_by(self, points, xy):
        """The number of the first layer that hides each point (N, 3) m at xy (N, 2) px; len(layers) for none."""
        layers = self._backdrop.layers
        first = np.full(len(points), len(layers))
        for i in reversed(range(len(layers))):
            corner, size = np.array(layers[i].corner), layers[i].image.get_size()
            over = np.flatnonzero(((xy >= corner - EDGE) & (xy <= corner + size + EDGE)).all(axis=1))
            if len(over):
                first[over[layers[i].part.hides(self._camera.eye, points[over])]] = i
        return first

    # --- the things ---------------------------------------------------------------------------------------------------

    def _shadow(self, session):
        """The ball's shadow on what is below it, fainter the higher it is, and a plumb line down to it."""
        position = session.ball.at(session.now)[0]
        if (height := below(self.sport, position)) is None:
            return
        foot = np.array([*position[:2], height + 1e-3])
        up = (position[2] - height) / (self._camera.distance * 0.5)
        radius = self._radius(position)[1] * (1 + 0.5 * up)
        shape = painted([Patch(foot + RIM * radius, SHADOW, 0.5 / (1 + 1.5 * up))], self._camera)
        if shape:
            self._images.append((foot, self._camera.project(foot[None])[0][0], shape))
        self._line(np.linspace(foot, position, 9), 0.6, (255, 255, 255), 0.16, spacing=1.5)

    def _truth(self, session):
        """Where the ball will truly go, which nobody was told."""
        ball, ahead = session.ball, session.now + session.offsets
        ahead = ahead[[ball.known(time) for time in ahead]]
        if len(ahead) > 1:
            self._line(np.array([ball.at(time)[0] for time in ahead]), 1.0, TRUTH, 0.35, spacing=4.0)

    def _paths(self, session, watcher, first):
        """A forecast, the first predictor's older ones fading behind it, and where the ball is to land."""
        now, color = watcher.forecast(session.now), color_of(watcher)
        if now is None:
            return
        if first:
            self._fan(session, watcher.past(session.now), now, color)
        ahead = now.times > session.now
        if now.covariance is not None and ahead.any():
            tube = region(self._camera, now.mean[ahead], now.covariance[ahead], color)
            self._images += [(now.mean[ahead][0], np.array(tube[1], float), tube)] if tube else []
        points = np.vstack([session.ball.at(session.now)[0], now.mean[ahead]]) if ahead.all() else now.mean[ahead]
        self._line(points, 1.6, color, np.linspace(0.75, 0.06, len(points)))
        if now.landing is not None and now.landing.time > session.now - 0.5:
            self._mark(np.asarray(now.landing.place, float), color)

    def _arrow(self, throw):
        """The launch: as long as the ball flies in AIM seconds."""
        tip = throw.place + AIM * throw.velocity
        self._line(np.linspace(throw.place, tip, 9), 2.2, TRUTH, 0.9)
        across = np.cross(throw.velocity, self._camera.axes[2])
        size = np.linalg.norm(across)
        if size > 1e-6:
            barb = 0.25 * AIM * np.linalg.norm(throw.velocity) * across / size * 0.5
            back = tip - 0.25 * AIM * throw.velocity
            for side in (barb, -barb):
                self._line(np.linspace(back + side, tip, 5), 2.2, TRUTH, 0.9)

    def _fan(self, session, past, now, color):
        shown = now.made
        for old in past[::-1]:
            if old.made < now.made - FAN / 2 and old.made <= shown - FAN + 1e-9:
                shown = old.made
                ahead = old.times > session.now
                fade = 0.16 * (1 - (now.made - old.made) / 0.7) * np.linspace(1, 0.2, ahead.sum())
                self._line(old.mean[ahead], 1.0, color, fade)

    def _mark(self, place, color):
        """A landing: a target on the surface, under the ball's centre at contact."""
        foot = place - (0, 0, self.sport.ball.radius - 1e-3)
        _, depth = self._camera.project(foot[None])
        pixel = max(depth[0], 0.1) / self._camera.focal  # m
        radius = max(2.5 * self.sport.ball.radius, 11 * pixel)
        self._line(foot + RIM * radius, 1.6, color, 0.6)
        self._line(foot + RIM * radius * 0.3, 1.6, color, 0.6)

    def _seen(self, session):
        """What the tracker saw, the older the fainter."""
        rows = session.seen[-DOTS:]
        points, age = session.ball.seen.position[rows], session.now - session.ball.seen.time[rows]
        xy, _ = self._camera.project(points)
        self._dots.append((points, xy, 1.9, SEEN, 0.25 + 0.6 * np.exp(-age / FADING)))

    def _ball(self, session):
        position = session.ball.at(session.now)[0]
        radius, _ = self._radius(position)
        xy = self._camera.project(position[None])[0][0]
        if not np.isfinite(xy).all() or radius > self._camera.size[1]:
            return
        image = ball_image(round(radius, 1), self.sport.view.ball_color, seen_turn(self._camera, session.turn))
        corner = np.round(xy - image.get_width() / 2).astype(int)
        self._images.append((position, xy, (image, tuple(corner.tolist()))))

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
