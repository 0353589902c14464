"""Synthetic images for the network that finds the ball: three consecutive frames, and where the balls are.

    sample = draw_sample(17, seed=0, purpose="train")       # sample 17 of the set, which depends on these alone
    sample.images                                            # (3, S, S, 3) uint8, the oldest first
    sample.balls                                             # of each frame, rows u, v, diameter, streak, weight

Images are at half of a video's resolution: what the network sees. Nothing comes from elsewhere: balls of all sports
move in front of courts, noise, crowds, boards and walls, between players, balls at rest, lamps that flicker and other
small things that move. The camera shakes, pans and zooms. Then come defocus, noise and compression.
"""

import functools
import math
from typing import NamedTuple

import numpy as np

from ballcast import sim
from ballcast.sim.rng import PURPOSES
from ballcast.vision import textures
from ballcast.vision.exposure import Light, SensorNoise, paint_ball, paint_shadow, round_streak
from ballcast.vision.figures import Figure
from ballcast.vision.training import places

STREAM = 23  # apart from other random numbers of a set
SIDE = 192  # px
FRAMES = 3
CANVAS = 448  # px, side of the painted backgrounds
PER_CANVAS = 8  # samples that share a background; of one purpose, so sets share none
DIAMETER, SMALL = (1.6, 26.0), (1.6, 5.0)  # px at half resolution, even in logarithms; of small ones, half of all
SPEED, FAST = (0.3, 60.0), (6.0, 60.0)  # px per frame, even in logarithms; of fast ones, half of all
EXPOSURE, OPEN = (0.03, 1.0), (0.75, 1.0)  # of the frame interval; of an open shutter, as many broadcasts have
CONTRAST = 8.0  # of 255, that a streak changes the picture, at the smallest
WITHOUT_BALL, SECOND_BALL, RESTING = 0.12, 0.12, 0.3  # shares of the samples; resting balls are given no weight
FOLDS = 128  # px, side of the pattern on players' clothes
BEFORE_PEOPLE = 0.4  # share of the samples with players in which the ball is at one of them
SEEN = 0.35  # share of a ball that must be seen for it to be asked for
BALL_FIELDS = 6  # u, v (px), diameter (px), streak (px, its two components), weight 0 or 1


class Sample(NamedTuple):
    """What the network is shown, and what it should answer."""

    images: np.ndarray  # (3, S, S, 3) uint8, blue, green, red
    balls: tuple[np.ndarray, ...]  # of each frame: (K, 6), see BALL_FIELDS


def draw_sample(number: int, seed: int = 0, purpose: str = "train", side: int = SIDE) -> Sample:
    """Sample `number` of the set (purpose, seed). ValueError for an unknown purpose."""
    if purpose not in PURPOSES:
        raise ValueError(f"purpose {purpose!r} is not known; there are {', '.join(PURPOSES)}")
    stream = STREAM, PURPOSES.index(purpose), seed
    random = np.random.default_rng((*stream, 1, number))
    canvas = draw_canvas((*stream, 0, number // PER_CANVAS))
    frames = _backgrounds(random, canvas, side)
    rests = _lay_balls(random, frames) if random.random() < RESTING else []
    flights = [_Flight(random, side) for _ in range(_count_of_balls(random))]
    people = [_Runner(random, side) for _ in range(int(random.choice([0, 0, 1, 1, 2, 3])))]
    if people and random.random() < BEFORE_PEOPLE:
        for flight in flights:
            flight.middle = people[0].place(random)
    blobs = [_Blob(random, side) for _ in range(int(random.choice([0, 0, 1, 2, 5])))]
    behind = random.random() < 0.25  # the ball flies behind the people
    balls = []
    for k, image in enumerate(frames):
        for blob in blobs:
            blob.paint(image, k)
        if not behind:
            _paint_people(image, people, k)
        balls.append([flight.paint(image, k) for flight in flights])
        if behind:
            _hide(image, people, k, balls[-1])
    answers = tuple(_answers(found, rests) for found in balls)
    return Sample(np.stack(_filmed(random, frames)), answers)


@functools.lru_cache(4)
def draw_canvas(stream: tuple[int, ...]) -> np.ndarray:
    """A background (CANVAS, CANVAS, 3) uint8."""
    random = np.random.default_rng(stream)
    image = np.empty((CANVAS, CANVAS, 3), np.uint8)
    image[...] = textures.any_color(random)
    kind = random.random()
    if kind < 0.5:
        places.paint_court(random, image)
    elif kind < 0.68:
        places.paint_table(random, image)
    elif kind < 0.8:
        places.paint_room(random, image)
    elif kind < 0.9:
        places.paint_clutter(random, image)
    else:
        image = textures.textured(random, image, random.uniform(4.0, 45.0))
    for _ in range(int(random.choice([0, 1, 2, 4, 9]))):
        left, top = random.integers(0, CANVAS, 2)
        height = _between_logs(random, (4.0, 28.0))
        width = height * random.uniform(1.5, 7.0)
        textures.add_logo(random, image, (int(left), int(top), int(width), int(height)))
    textures.add_lights(random, image, int(random.choice([0, 0, 1, 3])))
    image = textures.textured(random, image, _between_logs(random, (0.3, 5.0)))
    return textures.lit(random, image, random.uniform(0.02, 0.2))


def _backgrounds(random, canvas, side):
    """The canvas as a camera sees it in each frame, which shakes, pans or zooms."""
    import cv2

    angle, scale = random.normal(0.0, 0.05), random.uniform(0.7, 1.3)
    shake = random.choice([0.0, 0.0, random.uniform(0.05, 0.8)])
    pan = random.normal(0.0, 2.5, 2) if random.random() < 0.3 else np.zeros(2)
    zoom = random.normal(0.0, 0.004) if random.random() < 0.15 else 0.0
    middle = random.uniform(0.3, 0.7, 2) * CANVAS
    mirrored = -1.0 if random.random() < 0.5 else 1.0
    found = []
    for k in range(FRAMES):
        own = scale * (1.0 + zoom * k)
        cosine, sine = math.cos(angle), math.sin(angle)
        turn = own * np.array([[mirrored * cosine, -sine], [mirrored * sine, cosine]])
        at = middle + k * pan * own + random.normal(0.0, 1.0, 2) * shake
        affine = np.column_stack([turn, at - turn @ [side / 2, side / 2]])
        found.append(cv2.warpAffine(canvas, affine, (side, side), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                                    borderMode=cv2.BORDER_REFLECT))  # fmt: skip
    return found


@functools.cache
def _ball_colors():
    """Colours (N, 3), blue, green, red, of the balls of all sports."""
    return np.array([sim.load(name).view.ball_color[::-1] for name in sim.names()], float)


def _ball_color(random):
    colors = _ball_colors()
    color = colors[random.integers(len(colors))] if random.random() < 0.7 else np.array([245.0, 245.0, 245.0])
    if random.random() < 0.15:
        color = textures.any_color(random, 1.5)
    return np.clip(color * random.uniform(0.6, 1.1) + random.normal(0.0, 12.0, 3), 5, 255)


def _light(random):
    tilt = random.normal(0.0, 0.4, 3) + [0.0, -1.0, -0.3]
    return Light(tuple(tilt / np.linalg.norm(tilt)), random.uniform(0.3, 0.9), random.uniform(0.0, 0.3))


def _between_logs(random, ends):
    return float(ends[0] * (ends[1] / ends[0]) ** random.random())


def _count_of_balls(random):
    draw = random.random()
    return 0 if draw < WITHOUT_BALL else 2 if draw > 1.0 - SECOND_BALL else 1


class _Flight:
    """A ball over three frames: a bent path in the picture, perhaps with a bounce or a hit."""

    def __init__(self, random, side):
        self.diameter = _between_logs(random, SMALL if random.random() < 0.5 else DIAMETER)
        speed, is_long = _between_logs(random, FAST if random.random() < 0.5 else SPEED), random.random() < 0.25
        if is_long:  # a streak as long as the way of the ball
            speed, self.diameter = _between_logs(random, FAST), _between_logs(random, SMALL)
        direction = random.uniform(0.0, 2.0 * np.pi)
        self.velocity = speed * np.array([math.cos(direction), 0.6 * math.sin(direction)])
        self.middle = random.uniform(-0.02, 1.02, 2) * side
        self.pull = np.array([0.0, random.uniform(0.0, 1.5)])
        self.growth = 1.0 + random.normal(0.0, 0.02)
        self.turned = None
        if random.random() < 0.2:
            self.turned = random.uniform(0.0, 2.0), self.velocity * [1.0, -0.8]
        elif random.random() < 0.1:
            self.turned = random.uniform(0.0, 2.0), random.normal(0.0, speed, 2)
        draw = random.random()
        self.exposure = (
            random.uniform(*(OPEN if draw < 0.3 else EXPOSURE)) if draw < 0.7 else _between_logs(random, EXPOSURE)
        )
        if is_long:
            self.exposure = random.uniform(*OPEN)
        self.color, self.light = _ball_color(random), _light(random)
        self.blur = 0.5 + random.choice([0.0, random.uniform(0.0, 1.0)])
        self.shadow = None
        if random.random() < 0.4:
            offset = random.normal(0.0, 6.0, 2) + [0.0, random.uniform(0.5, 12.0) * self.diameter]
            self.shadow = offset, random.uniform(0.1, 0.6)

    def at(self, time):
        """Where it is (2,) px at a time in frames; 1 is the middle frame."""
        if self.turned is not None and time > self.turned[0]:
            corner, rest = self.turned[0], time - self.turned[0]
            return self.at(corner) + rest * self.turned[1]
        return self.middle + (time - 1.0) * self.velocity + 0.5 * (time - 1.0) ** 2 * self.pull

    def paint(self, image, k):
        """Paint it into frame k: its row, the last number how much of it is seen."""
        start, end, middle = (self.at(k + share * self.exposure) for share in (-0.5, 0.5, 0.0))
        diameter = self.diameter * self.growth**k
        if self.shadow is not None:
            offset, strength = self.shadow
            flat = round_streak(start + offset, end + offset, 0.5 * diameter, self.blur + 0.5)
            flat = flat._replace(axes=flat.axes * np.array([[1.0], [0.4]]))
            paint_shadow(image, flat, strength)
        column, row = np.clip(np.round(middle).astype(int), 0, np.array(image.shape[1::-1]) - 1)
        near = slice(max(0, row - 1), row + 2), slice(max(0, column - 1), column + 2)
        before = image[near].astype(np.int16)
        seen = paint_ball(image, round_streak(start, end, 0.5 * diameter, self.blur), self.color, self.light)
        differs = np.abs(image[near] - before).max() >= CONTRAST
        inside = (middle >= 0).all() and (middle < image.shape[1]).all()
        return [*middle, diameter, *(end - start), seen if inside and differs else 0.0]


class _Runner:
    """A player who crosses the picture."""

    def __init__(self, random, side):
        self.figure, self.height = Figure.random(random), _between_logs(random, (25.0, 260.0))
        self.feet = random.uniform(0.0, 1.3, 2) * side
        self.velocity = random.normal(0.0, 0.025, 2) * self.height * [1.0, 0.3]
        self.time, self.rate = random.uniform(0.0, 10.0), 1.0 / random.choice([25.0, 30.0, 50.0, 60.0])
        self.swing, self.swinging = random.uniform(-1.0, 1.0), random.normal(0.0, 0.25)
        self.blurred = random.random() < 0.5
        self.folds = textures.noise(random, (FOLDS, FOLDS), 2.0, 0.8) * random.uniform(4.0, 25.0)

    def place(self, random):
        """A place (2,) px on the player or within reach of his hands, in the middle frame."""
        return self.feet + self.velocity + self.height * np.array([random.normal(0.0, 0.3), -random.uniform(0.1, 1.0)])

    def paint(self, image, k):
        import cv2

        feet, swing = self.feet + k * self.velocity, self.swing + k * self.swinging
        before = image.copy()
        self.figure.paint(image, feet, self.height, self.time + k * self.rate, swing)
        change = cv2.absdiff(image, before)
        rows, columns = np.nonzero(change[..., 0] | change[..., 1] | change[..., 2])
        right, down = np.round(feet).astype(int)
        folds = self.folds[(rows - down) % FOLDS, (columns - right) % FOLDS]
        image[rows, columns] = np.clip(image[rows, columns] + folds[:, None], 0, 255)


class _Blob:
    """A small thing that moves, appears or flickers, and is no ball: a shoe, a hand, a reflection, a sign."""

    def __init__(self, random, side):
        self.middle, self.velocity = random.uniform(0.0, 1.0, 2) * side, random.normal(0.0, 3.0, 2)
        size = _between_logs(random, (1.0, 10.0))
        self.axes = np.maximum(1, np.round(size * random.uniform([1.0, 0.15], [3.0, 0.7])))
        self.angle, self.turn = random.uniform(0.0, 180.0), random.normal(0.0, 15.0)
        self.color = textures.any_color(random) if random.random() < 0.6 else np.full(3, random.uniform(180, 255))
        self.shown = random.random(FRAMES) < random.choice([1.0, 1.0, 0.6])
        self.square = random.random() < 0.4

    def paint(self, image, k):
        import cv2

        if not self.shown[k]:
            return
        middle, angle = self.middle + k * self.velocity, self.angle + k * self.turn
        axes = tuple(map(float, 2.0 * self.axes))
        if self.square:
            corners = np.round(8 * cv2.boxPoints((tuple(map(float, middle)), axes, angle))).astype(np.int32)
            cv2.fillPoly(image, [corners], self.color.tolist(), cv2.LINE_AA, 3)
        else:
            cv2.ellipse(image, (tuple(map(float, middle)), axes, angle), self.color.tolist(), -1, cv2.LINE_AA)


def _paint_people(image, people, k):
    for person in people:
        if person.blurred:  # the mean of two times within the exposure
            import cv2

            late = image.copy()
            person.paint(image, k - 0.2)
            person.paint(late, k + 0.2)
            cv2.addWeighted(image, 0.5, late, 0.5, 0.0, image)
        else:
            person.paint(image, k)


def _hide(image, people, k, balls):
    """Paint people over the balls; what of these is still seen becomes less where the picture changed there."""
    before = image.copy()
    _paint_people(image, people, k)
    changed = np.abs(image.astype(np.int16) - before).max(axis=2) > 8
    for ball in balls:
        column, row = np.clip(np.round(ball[:2]).astype(int), 0, np.array(image.shape[1::-1]) - 1)
        reach = max(1, round(0.4 * ball[2]))
        rows, columns = (slice(max(0, at - reach), at + reach + 1) for at in (row, column))
        ball[5] *= 1.0 - float(changed[rows, columns].mean())


def _lay_balls(random, frames):
    """Paint balls that rest in all frames; their places and diameters (K, 3)."""
    found = []
    for _ in range(int(random.integers(1, 5))):
        place, diameter = random.uniform(0.0, 1.0, 2) * len(frames[0]), _between_logs(random, DIAMETER)
        color, light, streak = _ball_color(random), _light(random), round_streak(place, place, 0.5 * diameter)
        for image in frames:
            paint_ball(image, streak, color, light)
        found.append((*place, diameter))
    return found


def _answers(balls, rests):
    """The rows (K, 6) of one frame: balls that are seen have the weight 1, hidden and resting ones 0."""
    rows = [[*ball[:5], float(ball[5] >= SEEN)] for ball in balls]
    rows += [[*rest, 0.0, 0.0, 0.0] for rest in rests]
    return np.array(rows, float).reshape(-1, BALL_FIELDS)


def _filmed(random, frames):
    """The frames (S, S, 3) after lens, sensor and compression."""
    import cv2

    defocus, flicker = random.uniform(0.1, 0.8), random.normal(0.0, 0.015, FRAMES) * (random.random() < 0.3)
    noise = SensorNoise(random, _between_logs(random, (0.2, 6.0)), random.uniform(0.3, 0.9), tile=128)
    quality = [cv2.IMWRITE_JPEG_QUALITY, round(97.0 - 70.0 * random.random() ** 2)]
    sharpening = random.uniform(0.2, 1.2) if random.random() < 0.35 else 0.0  # as broadcasts do
    is_compressed, still = random.random() < 0.8, random.choice([0.0, random.uniform(1.0, 5.0)])
    found: list[np.ndarray] = []
    for k, image in enumerate(frames):
        image = cv2.GaussianBlur(image, (0, 0), defocus)
        image = noise.add(cv2.convertScaleAbs(image, alpha=1.0 + flicker[k]))
        if sharpening:
            image = cv2.addWeighted(image, 1.0 + sharpening, cv2.GaussianBlur(image, (0, 0), 1.0), -sharpening, 0.0)
        if is_compressed:
            image = cv2.imdecode(cv2.imencode(".jpg", image, quality)[1], cv2.IMREAD_COLOR)
            image = _with_skipped_blocks(image, found[-1], still) if found and still else image
        found.append(image)
    return found


def _with_skipped_blocks(image, last, threshold):
    """As codecs do: blocks that changed by less than a threshold are those of the last frame."""
    import cv2

    side = len(image)
    change = cv2.absdiff(image, last).max(axis=2)
    blocks = cv2.resize(change, (side // 8, side // 8), interpolation=cv2.INTER_AREA)
    skipped = cv2.resize((blocks < threshold).astype(np.uint8), (side, side), interpolation=cv2.INTER_NEAREST)
    return np.where(skipped[..., None] > 0, last, image)
