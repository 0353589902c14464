"""Synthetic video: rallies of a sport as a camera films them, and the truth.

    clip = SyntheticClip(sport, seed=0)
    for image, truth in clip.frames(100):        # (H, W, 3) uint8, Truth
        ...

A rally (sim/rallies.py) is filmed by a random plausible camera that stands still. Painted are the place
(hall.py), players at the strokes, balls that lie about, the ball as the streak of its exposure and its shadow;
then the lens and the sensor: defocus, noise, flicker. rendering.py adds the compression and writes the files.

The time of a frame is that of the middle of its exposure.
"""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ballcast import sim
from ballcast.render.scene import support_height
from ballcast.sim.rng import PURPOSES
from ballcast.tracks.camera import Camera
from ballcast.vision import textures
from ballcast.vision.exposure import Light, SensorNoise, Streak, paint_ball, paint_shadow, steps_for
from ballcast.vision.figures import Figure
from ballcast.vision.hall import PaintedPlace

if TYPE_CHECKING:
    from ballcast.sim.sport import Sport

STREAM = 22  # apart from other random numbers of a set
RATES = 25.0, 30.0, 50.0, 60.0  # frames/s
EXPOSURE = 0.0005, 0.6  # s, the shortest, and of the frame interval, the longest
TRIED = 40  # cameras, until one shows the rally well
MIN_DIAMETER, MIN_SHARE = 3.0, 0.7  # px of the ball in the middle of the rally, and share of the rally in the picture
SEEN = 0.25  # share of a streak from which on the ball counts as visible
PERSON = 1.8  # m
SWING = 0.2  # s before and after a hit in which the racket moves
REACH = 0.6  # m from the ball to the feet of who hits it
SHADOW_HEIGHT = 2.0  # m at which a shadow is half as dark as on the ground


class Truth(NamedTuple):
    """Where the ball is in a frame."""

    time: float  # s
    pixel: np.ndarray  # (2,) px, at the middle of the exposure
    diameter: float  # px
    is_visible: bool  # enough of it is in the picture, and nothing hides it
    position: np.ndarray  # (3,) m
    velocity: np.ndarray  # (3,) m/s


class Event(NamedTuple):
    """A hit or a bounce."""

    time: float  # s
    kind: str  # "hit", or "bounce" with a surface on which balls land, else "impact"
    position: np.ndarray  # (3,) m, of the ball's centre


class SyntheticClip:
    """A clip of rallies one after the other, which depends on the arguments alone.

    camera, rate, exposure   frames/s and s of what films it
    events                   hits and bounces of the frames asked for until now
    """

    def __init__(
        self, sport: "Sport", seed: int = 0, purpose: str = "test", camera: Camera | None = None,
        size: tuple[int, int] = (1280, 720), rate: float | None = None,
    ):  # fmt: skip
        self.random = np.random.default_rng((STREAM, PURPOSES.index(purpose), seed))
        self.sport, self.events = sport, []
        self._seed, self._number = (PURPOSES.index(purpose) << 24) + seed, 0
        self._rally = sim.rally(sport, self._seed, 0)
        self.rate = float(rate or self.random.choice(RATES))
        longest = EXPOSURE[1] / self.rate
        self.exposure = float(EXPOSURE[0] * (longest / EXPOSURE[0]) ** self.random.random())
        self.camera = camera or _chosen_camera(self._rally, seed, purpose, size)
        self._place = PaintedPlace(sport, self.camera, self.random)
        self._look()

    def frames(self, count: int | None = None) -> Iterator[tuple[np.ndarray, Truth]]:
        """Images (H, W, 3) uint8, blue, green, red, with their Truth: `count`, or None for the first rally."""
        number, start = 0, 0.0
        while True:
            rally = self._rally
            players = _Players(rally, self._place.scene, self._figures)
            frames = max(1, math.floor(rally.end * self.rate))
            frames = frames if count is None else min(frames, count - number)
            times = np.arange(frames) / self.rate
            paths = [rally.state(times + shift * self.exposure) for shift in (-0.5, 0.0, 0.5)]
            self.events += [e._replace(time=start + e.time) for e in _events(rally) if e.time <= times[-1]]
            for k in range(frames):
                state = [tuple(part[k] for part in path) for path in paths]
                yield self._frame(state, times[k], start + times[k], players)
            number, start = number + frames, start + frames / self.rate
            if count is None or number >= count:
                return
            self._number += 1
            self._rally = sim.rally(self.sport, self._seed, self._number)

    def _look(self):
        """Draw how this clip looks."""
        random, view = self.random, self.sport.view
        color = np.array(view.ball_color, float)[::-1] * random.uniform(0.8, 1.1) + random.normal(0.0, 8.0, 3)
        self._color = tuple(np.clip(color, 5, 250))
        tilt = random.normal(0.0, 0.35, 3) + [0.0, -1.0, -0.3]
        self._light = Light(tuple(tilt / np.linalg.norm(tilt)), random.uniform(0.35, 0.75), random.uniform(0.0, 0.25))
        self._noise = SensorNoise(random, random.uniform(0.5, 4.0), random.uniform(0.3, 0.9))
        self._defocus = random.uniform(0.3, 1.1)
        self._shadow = random.uniform(0.1, 0.6)
        self._flicker = random.choice([0.0, random.uniform(0.0, 0.03)])
        self._figures = [Figure.random(random) for _ in range(2)]
        self._bystanders = self._draw_bystanders()
        self._lay_balls()
        self._graphic = self._draw_graphic()

    def _draw_bystanders(self):
        """People round the place: figures and where they stand (3,) m."""
        scene, found = self._place.scene, []
        if scene.floor is None:
            return found
        for _ in range(int(self.random.integers(0, 6))):
            side = self.random.uniform(-1.0, 1.0, 2)
            side /= np.abs(side).max()
            middle, half = 0.5 * (scene.low + scene.high), 0.5 * (scene.high - scene.low)
            feet = middle + side * (half + self._place.room * self.random.uniform(0.6, 0.95))
            found.append((Figure.random(self.random), np.array([*feet, scene.floor.high[2]])))
        return sorted(found, key=lambda one: -self._depth(one[1]))

    def _lay_balls(self):
        """Paint balls that lie about into the ground."""
        scene, radius = self._place.scene, self.sport.ball.radius
        for _ in range(int(self.random.integers(0, 4)) if scene.floor is not None else 0):
            x, y = self.random.uniform(scene.low - 1.0, scene.high + 1.0)
            place = np.array([x, y, scene.floor.high[2] + radius])
            self._paint_shadow(self._place.ground, [place] * 3)
            paint_ball(self._place.ground, self._streak([place] * 3), self._color, self._light)

    def _draw_graphic(self):
        """What a broadcaster lays over the picture, and where it is opaque; perhaps nothing."""
        import cv2

        width, height = self.camera.size
        graphic = np.zeros((height, width, 3), np.uint8)
        if self.random.random() < 0.5:
            for left, top in ((0.05, 0.86), (0.04, 0.04))[: int(self.random.integers(1, 3))]:
                box = round(left * width), round(top * height), round(0.16 * width), round(0.06 * height)
                cv2.rectangle(graphic, box, (24, 18, 16), -1)
                textures.add_logo(self.random, graphic, box)
        return graphic, (graphic > 0).any(axis=2)

    def _frame(self, state, own_time, time, players):
        """The image and the Truth; state: position, velocity, spin at start, middle and end of the exposure."""
        import cv2

        points = [part[0] for part in state]
        image, place = self._place.ground.copy(), self._place
        people = [*self._bystanders, *players.at(own_time)] if place.scene.floor is not None else []
        feet = np.array([one[1] for one in people]).reshape(-1, 3)
        hidden_by = place.layer_that_hides(np.vstack([points[1][None], feet + [0.0, 0.0, 0.5 * PERSON]]))
        self._paint_shadow(image, points)
        ball_depth, streak, over = self._depth(points[1]), self._streak(points), self._over(hidden_by[0])
        covering = [one for one, where in zip(people, feet) if self._depth(where) < ball_depth]
        self._add_people(over, covering, own_time, mask=True)
        seen = 0.0
        for k in range(len(place.layers) + 1):
            here = [one for one, layer in zip(people, hidden_by[1:]) if layer == k]
            far = [one for one in here if self._depth(one[1]) >= ball_depth]
            self._add_people(image, far, own_time)
            if k == hidden_by[0]:
                seen = paint_ball(image, streak, self._color, self._light, over[..., 0] / np.float32(255.0))
            self._add_people(image, [one for one in here if self._depth(one[1]) < ball_depth], own_time)
            if k < len(place.layers):
                place.layers[k].paint(image)
        image = cv2.GaussianBlur(image, (0, 0), self._defocus)
        if self._flicker:
            image = cv2.convertScaleAbs(image, alpha=1.0 + self._flicker * math.sin(2.0 * math.pi * 100.0 * time))
        image = self._noise.add(image)
        graphic, opaque = self._graphic
        image[opaque] = graphic[opaque]
        return image, self._truth(time, state[1], seen, opaque)

    def _truth(self, time, state, seen, opaque):
        position, velocity, _ = state
        pixel = self.camera.project(position)
        inside = bool(np.isfinite(pixel).all() and self.camera.sees(position))
        if inside:
            column, row = np.clip(np.round(pixel).astype(int), 0, np.array(self.camera.size) - 1)
            seen = 0.0 if opaque[row, column] else seen
        diameter = float(self.camera.diameters(position, 2.0 * self.sport.ball.radius))
        return Truth(time, pixel, diameter, inside and seen >= SEEN, position, velocity)

    def _over(self, hidden_by):
        """An image (H, W, 3) uint8 for what hides the ball: the opacity of the layers before it, in 255ths."""
        width, height = self.camera.size
        over = np.zeros((height, width, 3), np.uint8)
        for layer in self._place.layers[int(hidden_by) :]:
            alpha = (255.0 * layer.alpha).astype(np.uint8)[..., None]
            over[layer.rows, layer.columns] = np.maximum(over[layer.rows, layer.columns], alpha)
        return over

    def _add_people(self, image, people, time, mask=False):
        """Paint figures, given with their feet (3,) m and a swing, from far to near."""
        for figure, feet, *swing in sorted(people, key=lambda one: -self._depth(one[1])):
            pixel, depth = self.camera.project(feet), self._depth(feet)
            if depth > 0.3 and np.isfinite(pixel).all():
                height = PERSON * float(self.camera.K[1, 1]) / depth
                shown = figure.in_white() if mask else figure
                shown.paint(image, pixel, height, time, swing[0] if swing else 0.0)

    def _depth(self, point):
        return float(self.camera.R[2] @ point + self.camera.t[2])

    def _streak(self, points):
        """The Streak of the ball along three points (3,) m of its exposure; a bounce between them bends it."""
        pixels = np.array([self.camera.project(point) for point in points])
        radius = 0.5 * float(self.camera.diameters(points[1], 2.0 * self.sport.ball.radius))
        length = float(np.hypot(*np.diff(pixels, axis=0).T).sum())
        if not (np.isfinite(pixels).all() and np.isfinite(radius) and radius > 0.0):
            return Streak(np.full((1, 2), np.nan), np.eye(2)[None])
        share = (np.arange(steps_for(length, radius)) + 0.5) / steps_for(length, radius) * 2.0
        centre = np.stack([np.interp(share, [0.0, 1.0, 2.0], pixels[:, k]) for k in range(2)], axis=1)
        return Streak(centre, np.tile(max(radius, 0.3) * np.eye(2), (len(centre), 1, 1)))

    def _paint_shadow(self, image, points):
        """The ball's shadow on what is below it, paler and softer the higher it is."""
        height = support_height(self.sport, points[1])
        if height is None:
            return
        feet = np.array([[*point[:2], height + 1e-3] for point in points])
        pixels, rise = self.camera.project(feet), float(points[1][2] - height)
        if not np.isfinite(pixels).all() or (self.camera.centre[2] <= height):
            return
        radius = self.sport.ball.radius
        axes = self.camera.jacobian(feet[1])[:, :2] * radius * (1.0 + 0.1 * rise / radius / 4.0)
        if abs(np.linalg.det(axes)) < 1e-4:
            return
        count = steps_for(float(np.hypot(*(pixels[2] - pixels[0]))), radius)
        share = (np.arange(count) + 0.5)[:, None] / count
        soft = 0.5 + 0.15 * float(np.sqrt(abs(np.linalg.det(axes))))
        streak = Streak(pixels[0] + share * (pixels[2] - pixels[0]), np.tile(axes, (count, 1, 1)), soft)
        paint_shadow(image, streak, self._shadow / (1.0 + rise / SHADOW_HEIGHT) ** 2)


class _Players:
    """The two players of a rally: each runs to where he hits."""

    def __init__(self, rally, scene, figures):
        self._figures, self._hits = figures, [[], []]
        middle = 0.5 * (scene.low + scene.high)
        floor = 0.0 if scene.floor is None else float(scene.floor.high[2])
        for stroke in rally.strokes:
            side = int(stroke.position[1] > middle[1])
            feet = np.array([*stroke.position[:2], floor])
            feet[0] -= REACH * figures[side].side * (1.0 if side else -1.0)
            feet[1] += 0.3 * (1.0 if side else -1.0)
            self._hits[side].append((stroke.time, feet))
        self._waiting = [np.array([middle[0], end, floor]) for end in (scene.low[1], scene.high[1])]

    def at(self, time):
        """Each player's Figure, feet (3,) m and swing at a time."""
        for side in range(2):
            hits = self._hits[side] or [(0.0, self._waiting[side])]
            times = np.array([hit[0] for hit in hits])
            places = np.array([hit[1] for hit in hits])
            feet = np.array([np.interp(time, times, places[:, k]) for k in range(3)])
            swing = float(np.clip((time - times[np.abs(times - time).argmin()]) / SWING, -1.0, 1.0))
            yield self._figures[side], feet, swing


def _chosen_camera(rally, seed, purpose, size):
    """The first random camera that shows a rally well, with pictures of `size` px; the best of them if none does."""
    points = rally.position(np.linspace(0.0, rally.end, 200))
    best = (-1.0, None)
    for number in range(TRIED):
        lens = sim.random_cameras(rally.sport, 1, seed, purpose, number=number)[0].lens
        camera = resized(Camera(*lens), size)
        share = float(camera.sees(points).mean())
        diameter = float(np.nanmedian(camera.diameters(points, 2.0 * rally.sport.ball.radius)))
        score = min(share / MIN_SHARE, 1.0) * min(diameter / MIN_DIAMETER, 1.0)
        if score > best[0]:
            best = score, camera
        if score >= 1.0:
            break
    return best[1]


def resized(camera: Camera, size: tuple[int, int]) -> Camera:
    """The camera with pictures of another size (px): scaled to the width, cut or extended above and below."""
    scale = size[0] / camera.size[0]
    K = camera.K.copy()
    K[:2, :2] *= scale
    K[0, 2] = (camera.K[0, 2] + 0.5) * scale - 0.5
    K[1, 2] = (camera.K[1, 2] + 0.5 - 0.5 * camera.size[1]) * scale + 0.5 * size[1] - 0.5
    return Camera(K, camera.distortion, camera.R, camera.t, size, camera.name)


def _events(rally):
    """Hits and contacts of a rally in the order of time."""
    landing = rally.sport.landing_surfaces
    found = [Event(stroke.time, "hit", stroke.position) for stroke in rally.strokes]
    for stroke in rally.strokes:
        impacts = stroke.impacts
        for time, position, surface in zip(impacts.time, impacts.position, impacts.surface):
            found.append(Event(float(time), "bounce" if surface in landing else "impact", position))
    return sorted(found, key=lambda event: event.time)
