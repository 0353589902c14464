"""Synthetic video: rallies of a sport as a camera films them, and the truth.

    clip = SyntheticClip(sport, seed=0, view="broadcast", moving=True)
    for image, truth in clip.frames(100):        # (H, W, 3) uint8, Truth
        clip.camera_at(truth.time)               # the Camera of this frame

A rally (sim/rallies.py; of golf, a shot) is filmed by a random plausible camera (filming.py) that stands still, or
turns and zooms slowly on its tripod. Painted are the place (hall.py), players at the strokes (players.py), balls that
lie about, the ball as the streak of its exposure and its shadow; then the lens and the sensor: defocus, noise, flicker.
rendering.py adds the compression and writes the files.

The time of a frame is that of the middle of its exposure.
"""

import math
import zlib
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ballcast.render.scene import support_height
from ballcast.sim.rng import PURPOSES
from ballcast.tracks.camera import Camera
from ballcast.vision import textures
from ballcast.vision.exposure import Light, SensorNoise, Streak, box_of, paint_ball, paint_shadow, steps_for
from ballcast.vision.figures import Figure
from ballcast.vision.filming import VIEWS, CameraAt, chosen_camera, play_of, turning
from ballcast.vision.hall import PaintedPlace
from ballcast.vision.players import Person, Players

if TYPE_CHECKING:
    from ballcast.sim.sport import Sport

STREAM = 22  # apart from other random numbers of a set
RATES = 25.0, 30.0, 50.0, 60.0  # frames/s
EXPOSURE = 0.0005, 0.1, 0.6  # s, the shortest; of the frame interval, those of broadcasts: labelled ones have 0.15-0.45
SHORT_EXPOSURES = 0.35  # share of the clips with any exposure, as in bright light; others have a broadcast's
SEEN = 0.25  # share of a streak from which on the ball counts as visible
CONTRAST = 12.0  # of 255, by which a ball differs from what is behind it, at the smallest: else it is not visible
PERSON = 1.8  # m
BLURRED = 80.0  # px, height of people from which on their motion is blurred
FEET = 0.32  # m, half of the shadow under a person
RACKETS = (0.0205, 0.12), (0.06, 0.34)  # m, balls with a smaller radius, and the racket's length over the height
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

    camera           what films it; of one that moves, at the start
    rate, exposure   frames/s and s
    events           hits and bounces of the frames asked for until now
    """

    def __init__(
        self, sport: "Sport", seed: int = 0, purpose: str = "test", camera: Camera | None = None,
        size: tuple[int, int] = (1280, 720), rate: float | None = None, *, view: str | None = None,
        moving: bool = False,
    ):  # fmt: skip
        """view: one of filming.VIEWS; None: any. moving: whether the camera turns and zooms.

        ValueError for an unknown purpose or view.
        """
        if view is not None and view not in VIEWS:
            raise ValueError(f"view {view!r} is not known; there are {', '.join(VIEWS)}")
        self.random = np.random.default_rng((STREAM, PURPOSES.index(purpose), seed, zlib.crc32(sport.name.encode())))
        self.sport, self.is_moving = sport, moving
        self.events: list[Event] = []
        self._seed, self._number = (PURPOSES.index(purpose) << 24) + seed, 0
        self._rally = play_of(sport, self._seed, 0)
        drawn = float(self.random.choice(RATES))
        self.rate = float(rate or drawn)
        self.exposure = self._draw_exposure()
        camera = camera or chosen_camera(self._rally, seed, purpose, size, VIEWS if view is None else (view,))
        self.camera_at: CameraAt = lambda time: camera
        spanning = [camera]
        if moving:
            self.camera_at, spanning = turning(camera, self.random)
        self.camera = self.camera_at(0.0)
        self._place = PaintedPlace(sport, spanning, self.random)
        self._look()

    def frames(self, count: int | None = None) -> Iterator[tuple[np.ndarray, Truth]]:
        """Images (H, W, 3) uint8, blue, green, red, with their Truth: `count`, or None for the first rally."""
        number, start = 0, 0.0
        while True:
            rally = self._rally
            players = Players(rally, self._place.scene, self._figures)
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
            self._rally = play_of(self.sport, self._seed, self._number)

    def _draw_exposure(self):
        longest = EXPOSURE[2] / self.rate
        share, is_short = self.random.random(), self.random.random() < SHORT_EXPOSURES
        if is_short:
            return float(EXPOSURE[0] * (longest / EXPOSURE[0]) ** share)
        return float((EXPOSURE[1] + share * (EXPOSURE[2] - EXPOSURE[1])) / self.rate)

    def _look(self):
        """Draw how this clip looks."""
        random, view = self.random, self.sport.view
        color = np.array(view.ball_color, float)[::-1] * random.uniform(0.8, 1.1) + random.normal(0.0, 8.0, 3)
        self._color = tuple(np.clip(color, 5, 250))
        tilt = random.normal(0.0, 0.35, 3) + [0.0, -1.0, -0.3]
        self._light = Light(tuple(tilt / np.linalg.norm(tilt)), random.uniform(0.35, 0.75), random.uniform(0.0, 0.25))
        self._noise = SensorNoise(random, random.uniform(0.5, 3.0), random.uniform(0.3, 0.9))
        self._defocus = random.uniform(0.3, 1.1)
        self._shadow = random.uniform(0.1, 0.6)
        self._flicker = random.choice([0.0, random.uniform(0.0, 0.03)])
        self._figures = [_equipped(Figure.random(random), self.sport) for _ in range(2)]
        self._bystanders = self._draw_bystanders()
        self._resting = self._draw_resting_balls()
        self._graphic = self._draw_graphic()

    def _draw_bystanders(self):
        """People round the place."""
        scene, found = self._place.scene, []
        if scene.floor is None:
            return found
        for _ in range(int(self.random.integers(0, 6))):
            side = self.random.uniform(-1.0, 1.0, 2)
            side /= np.abs(side).max()
            middle, half = 0.5 * (scene.low + scene.high), 0.5 * (scene.high - scene.low)
            feet = middle + side * (half + self._place.room * self.random.uniform(0.6, 0.95))
            found.append(Person(Figure.random(self.random), np.array([*feet, scene.floor.high[2]])))
        return found

    def _draw_resting_balls(self):
        """Places (3,) m of balls that lie about."""
        scene, radius = self._place.scene, self.sport.ball.radius
        if scene.floor is None:
            return []
        count = int(self.random.integers(0, 4))
        places = self.random.uniform(scene.low - 1.0, scene.high + 1.0, (count, 2))
        return [np.array([x, y, scene.floor.high[2] + radius]) for x, y in places]

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

        camera, points = self.camera_at(time), [part[0] for part in state]
        place = self._place.seen_by(camera)
        image = place.ground.copy()
        for rest in self._resting:
            self._paint_shadow(image, camera, [rest] * 3)
            paint_ball(image, self._streak(camera, [rest] * 3), self._color, self._light)
        people = self._people(own_time, players)
        feet = np.array([moments[1].feet for moments in people]).reshape(-1, 3)
        hidden_by = self._place.layer_that_hides(points[1][None], camera)
        people_behind = self._layers_before(feet, camera)
        self._paint_feet(image, camera, feet)
        self._paint_shadow(image, camera, points)
        before = image.copy()
        depths, ball_depth, streak = _depths(camera, feet), _depths(camera, points[1]), self._streak(camera, points)
        covering = [one for one, depth in zip(people, depths) if depth < ball_depth]
        over = self._over(place, hidden_by[0])
        self._add_people(over, camera, covering, own_time, mask=True)
        over = over[..., 0] / np.float32(255.0)
        for k in range(len(place.layers) + 1):
            here = [(one, depth) for one, depth, layer in zip(people, depths, people_behind) if layer == k]
            self._add_people(image, camera, [one for one, depth in here if depth >= ball_depth], own_time)
            if k == hidden_by[0]:
                before = image.copy()
                seen = paint_ball(image, streak, self._color, self._light, over)
                seen = seen if _contrast(before, image, over, streak, self._defocus) >= CONTRAST else 0.0
            self._add_people(image, camera, [one for one, depth in here if depth < ball_depth], own_time)
            if k < len(place.layers):
                place.layers[k].paint(image)
        image = cv2.GaussianBlur(image, (0, 0), self._defocus)
        if self._flicker:
            image = cv2.convertScaleAbs(image, alpha=1.0 + self._flicker * math.sin(2.0 * math.pi * 100.0 * time))
        image = self._noise.add(image)
        graphic, opaque = self._graphic
        image[opaque] = graphic[opaque]
        return image, self._truth(camera, time, state[1], seen, opaque)

    def _layers_before(self, feet, camera):
        """The first of the layers that hides the legs or the middle of each person, given their feet (N, 3) m."""
        heights = [self._place.layer_that_hides(feet + [0.0, 0.0, up * PERSON], camera) for up in (0.15, 0.5)]
        return np.minimum(*heights)

    def _people(self, time, players):
        """Everybody at the start, the middle and the end of the exposure: a list of three Person each."""
        if self._place.scene.floor is None:
            return []
        moments = [[*self._bystanders, *players.at(time + shift * self.exposure)] for shift in (-0.4, 0.0, 0.4)]
        return list(zip(*moments))

    def _truth(self, camera, time, state, seen, opaque):
        position, velocity, _ = state
        pixel = camera.project(position)
        inside = bool(np.isfinite(pixel).all() and camera.sees(position))
        if inside:
            column, row = np.clip(np.round(pixel).astype(int), 0, np.array(camera.size) - 1)
            seen = 0.0 if opaque[row, column] else seen
        diameter = float(camera.diameters(position, 2.0 * self.sport.ball.radius))
        return Truth(time, pixel, diameter, inside and seen >= SEEN, position, velocity)

    def _over(self, place, hidden_by):
        """An image (H, W, 3) uint8 for what hides the ball: the opacity of the layers before it, in 255ths."""
        over = np.zeros_like(place.ground)
        for layer in place.layers[int(hidden_by) :]:
            alpha = (255.0 * layer.alpha).astype(np.uint8)[..., None]
            over[layer.rows, layer.columns] = np.maximum(over[layer.rows, layer.columns], alpha)
        return over

    def _add_people(self, image, camera, people, time, mask=False):
        """Paint people, three Person each as `_people` gives them, from far to near; what moves is blurred."""
        for moments in sorted(people, key=lambda three: -_depths(camera, three[1].feet)):
            height = PERSON * float(camera.K[1, 1]) / _depths(camera, moments[1].feet)
            pixels = [camera.project(one.feet) for one in moments]
            if not (0.0 < height < 10.0 * len(image) and np.isfinite(pixels).all()):
                continue
            if height < BLURRED or mask:
                _paint_person(image, camera, moments[1], pixels[1], height, time, mask)
            else:
                self._paint_blurred(image, camera, moments, pixels, height, time)

    def _paint_blurred(self, image, camera, moments, pixels, height, time):
        """Paint one person at three times of the exposure: the mean of three pictures."""
        (x, y), reach = pixels[1], 0.95 * height
        rows = slice(max(0, int(y - 1.5 * height)), max(0, int(y + 0.2 * height)))
        columns = slice(max(0, int(x - reach)), max(0, int(x + reach)))
        part = image[rows, columns]
        if not part.size:
            return
        total = np.zeros(part.shape, np.uint16)
        for shift, one, pixel in zip((-0.4, 0.0, 0.4), moments, pixels):
            painted = np.ascontiguousarray(part)
            painted = painted.copy() if painted is part else painted
            where = pixel - [columns.start, rows.start]
            _paint_person(painted, camera, one, where, height, time + shift * self.exposure)
            total += painted
        part[...] = (total + 1) // 3

    def _paint_feet(self, image, camera, feet):
        """The soft shadows under people."""
        for place in feet:
            pixel = camera.project(place)
            if np.isfinite(pixel).all() and camera.centre[2] > place[2]:
                axes = camera.jacobian(place)[:, :2] * FEET
                if abs(np.linalg.det(axes)) > 1.0 and np.abs(axes).max() < len(image):
                    soft = 0.5 + 0.5 * float(np.sqrt(abs(np.linalg.det(axes))))
                    paint_shadow(image, Streak(pixel[None], axes[None], soft), self._shadow)

    def _streak(self, camera, points):
        """The Streak of the ball along three points (3,) m of its exposure; a bounce between them bends it."""
        pixels = np.array([camera.project(point) for point in points])
        radius = 0.5 * float(camera.diameters(points[1], 2.0 * self.sport.ball.radius))
        length = float(np.hypot(*np.diff(pixels, axis=0).T).sum())
        if not (np.isfinite(pixels).all() and np.isfinite(radius) and radius > 0.0):
            return Streak(np.full((1, 2), np.nan), np.eye(2)[None])
        share = (np.arange(steps_for(length, radius)) + 0.5) / steps_for(length, radius) * 2.0
        centre = np.stack([np.interp(share, [0.0, 1.0, 2.0], pixels[:, k]) for k in range(2)], axis=1)
        return Streak(centre, np.tile(max(radius, 0.3) * np.eye(2), (len(centre), 1, 1)))

    def _paint_shadow(self, image, camera, points):
        """The ball's shadow on what is below it, paler and softer the higher it is."""
        height = support_height(self.sport, points[1])
        if height is None:
            return
        feet = np.array([[*point[:2], height + 1e-3] for point in points])
        pixels, rise = camera.project(feet), float(points[1][2] - height)
        if not np.isfinite(pixels).all() or (camera.centre[2] <= height):
            return
        radius = self.sport.ball.radius
        axes = camera.jacobian(feet[1])[:, :2] * radius * (1.0 + 0.1 * rise / radius / 4.0)
        if abs(np.linalg.det(axes)) < 1e-4:
            return
        count = steps_for(float(np.hypot(*(pixels[2] - pixels[0]))), radius)
        share = (np.arange(count) + 0.5)[:, None] / count
        soft = 0.5 + 0.15 * float(np.sqrt(abs(np.linalg.det(axes))))
        streak = Streak(pixels[0] + share * (pixels[2] - pixels[0]), np.tile(axes, (count, 1, 1)), soft)
        paint_shadow(image, streak, self._shadow / (1.0 + rise / SHADOW_HEIGHT) ** 2)


def _depths(camera, points):
    """How far points (..., 3) m are in front of a camera, m."""
    return np.asarray(points) @ camera.R[2] + camera.t[2]


def _paint_person(image, camera, person, pixel, height, time, mask=False):
    figure = person.figure.in_white() if mask else person.figure
    if person.ahead is not None:
        ahead = camera.R @ person.ahead
        figure = figure.towards(math.atan2(ahead[0], -ahead[2]))
    figure.paint(image, pixel, height, time, person.swing)


def _equipped(figure, sport):
    """A player with the racket that a ball of this size is hit with, or none."""
    length = next((length for radius, length in RACKETS if sport.ball.radius < radius), None)
    if length is None:
        return replace(figure, racket=None)
    return replace(figure, racket=figure.racket or figure.shoes, racket_length=length)


def _contrast(before, after, over, streak, defocus):
    """By how much of 255 the streak of a ball changes a picture, as the lens shows it, behind what is `over` (H, W)."""
    import cv2

    box = box_of(streak, after.shape[1::-1])
    if box is None:
        return 0.0
    left, top, right, bottom = box
    change = after[top:bottom, left:right].astype(np.float32) - before[top:bottom, left:right]
    change *= 1.0 - over[top:bottom, left:right, None]
    return float(np.abs(cv2.GaussianBlur(change, (0, 0), defocus, borderType=cv2.BORDER_CONSTANT)).max())


def _events(rally):
    """Hits and contacts of a rally in the order of time."""
    landing = rally.sport.landing_surfaces
    found = [Event(stroke.time, "hit", stroke.position) for stroke in rally.strokes]
    for stroke in rally.strokes:
        impacts = stroke.impacts
        for time, position, surface in zip(impacts.time, impacts.position, impacts.surface):
            found.append(Event(float(time), "bounce" if surface in landing else "impact", position))
    return sorted(found, key=lambda event: event.time)
