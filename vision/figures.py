"""Players as moving, articulated figures: shaded limbs, a head with hair, a racket. Only what looks like motion.

    figure = Figure.random(rng)
    figure.paint(image, feet=(400.0, 600.0), height=180.0, time=1.3, swing=0.4)

A figure is a skeleton in a frame of its own, seen from a direction: legs run, the free arm swings with them, and the
arm with the racket goes through a stroke. Limbs are capsules in the picture, lit from above and a side.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from ballcast.vision.textures import any_color

HIP, CHEST, NECK, HEAD = 0.52, 0.74, 0.82, 0.93  # of the height, above the feet
SHOULDERS, HIPS = 0.105, 0.055  # half their widths, of the height
THIGH, SHIN, ARM, BODY, SKULL = 0.095, 0.062, 0.05, 0.165, 0.115  # widths, of the height
UPPER, FORE = 0.17, 0.16  # of the arm, of the height
TILT = 0.16  # how far down what is nearer to the camera is shown
SHADED = 4.0  # px, width from which on a limb has a bright and a dark side
DARK, BRIGHT = 0.62, 1.16  # of the colour
FARTHEST = 1e6  # px; what is farther away is not painted
SHIFT = 3  # bits of a fraction of a pixel that OpenCV draws with

Color = tuple[float, float, float]


class Part(NamedTuple):
    """A limb."""

    depth: float  # towards the camera, of the height
    color: Color
    width: float  # of the height
    joints: np.ndarray  # (N, 2) px from the feet over the height, y down


@dataclass(frozen=True)
class Figure:
    """What one player looks like. Colours are blue, green, red."""

    shirt: Color
    trousers: Color
    skin: Color
    shoes: Color
    hair: Color
    racket: Color | None  # None: no racket
    racket_length: float  # of the height
    stride: float  # steps per second
    phase: float  # rad
    side: float  # 1 right-handed, -1 left-handed
    pace: float  # how far the legs swing: 0 stands, 1 runs
    crouch: float  # 0 upright, 1 low
    stance: float  # between the feet, of the height
    facing: float  # rad: 0 towards the camera, pi / 2 to the right of the picture
    covered: tuple[bool, bool]  # whether sleeves and trousers are long
    light: float  # from which side, -1 left, 1 right
    is_mask: bool = False  # all of it white, without shading

    @staticmethod
    def random(random: np.random.Generator) -> "Figure":
        """Any player."""
        skin = np.array([110.0, 150.0, 205.0]) * random.uniform(0.3, 1.15)
        colors = [_color(any_color(random)) for _ in range(4)]
        shoes = (235.0, 235.0, 235.0) if random.random() < 0.5 else colors[2]
        racket = colors[3] if random.random() < 0.7 else None
        hair = _color(np.array([40.0, 60.0, 90.0]) * random.uniform(0.1, 1.8))
        return Figure(
            colors[0], colors[1], _color(skin), shoes, hair, racket, float(random.uniform(0.1, 0.38)),
            random.uniform(0.3, 2.5), random.uniform(0.0, 2.0 * np.pi), float(random.choice([-1.0, 1.0])),
            random.uniform(0.0, 1.0), random.uniform(0.0, 1.0), random.uniform(0.12, 0.3),
            random.uniform(0.0, 2.0 * np.pi), (bool(random.random() < 0.2), bool(random.random() < 0.3)),
            random.uniform(-1.0, 1.0),
        )  # fmt: skip

    def in_white(self) -> "Figure":
        """The same figure as a mask: all of it white."""
        return replace(self, is_mask=True)

    def towards(self, facing: float) -> "Figure":
        """The same figure, turned: rad as `facing`."""
        return replace(self, facing=facing)

    def paint(self, image: np.ndarray, feet: Sequence[float], height: float, time: float, swing: float = 0.0) -> None:
        """Paint the figure into an image.

        feet    px, where it stands; height px
        time    s, which moves the limbs; swing  -1 to 1, of the racket's arm from back to front
        """
        place = np.array(feet, float)
        for part in sorted(self._parts(float(time), float(swing)), key=lambda part: part.depth):
            joints, width = (place + float(height) * part.joints).tolist(), float(height) * part.width
            if self.is_mask:
                _capsules(image, (255.0, 255.0, 255.0), width, joints)
            else:
                _shaded(image, part.color, width, joints, self.light)

    def _parts(self, time: float, swing: float) -> Iterator[Part]:
        """The limbs at a time, in no order."""
        angle = 2.0 * math.pi * self.stride * time + self.phase
        bob = 0.015 * self.pace * math.cos(2.0 * angle)
        low, lean = 0.10 * self.crouch, 0.04 + 0.12 * self.crouch * (0.4 + 0.6 * self.pace)
        hip = np.array([0.0, HIP - low + bob, 0.0])
        chest = hip + [0.0, CHEST - HIP, 0.6 * lean]
        neck = hip + [0.0, NECK - HIP - 0.02 * self.crouch, lean]
        for side in (-1.0, 1.0):
            yield from self._leg(side, hip, angle)
        yield self._part(self.shirt, BODY, [hip + [0.0, 0.04, 0.0], chest])
        across = np.array([SHOULDERS - 0.5 * ARM, 0.0, 0.0])
        yield self._part(self.shirt, 0.075, [neck - across, neck + across], 0.01)
        yield self._part(self.trousers, 0.13, [hip - [0.3 * HIPS, 0.0, 0.0], hip + [0.3 * HIPS, 0.0, 0.0]], -0.01)
        head = hip + [0.0, HEAD - HIP - 0.02 * self.crouch, 1.3 * lean]
        yield self._part(self.skin, 0.055, [neck, head])
        yield self._part(self.skin, SKULL, [head, head + [0.0, 0.0, 0.004]])
        yield self._part(self.hair, 0.93 * SKULL, [head + [0.0, 0.022, -0.03], head + [0.0, 0.022, -0.02]])
        yield from self._free_arm(neck, angle)
        yield from self._stroke_arm(neck, swing, angle)

    def _leg(self, side, hip, angle):
        """Thigh, shin and shoe of a side."""
        turn = angle + (0.0 if side > 0.0 else math.pi)
        top = hip + [side * HIPS, 0.0, 0.0]
        foot = np.array([side * 0.5 * self.stance, 0.02, 0.17 * self.pace * math.sin(turn)])
        foot[1] += 0.11 * self.pace * max(0.0, math.cos(turn))
        knee = 0.5 * (top + foot) + [0.02 * side, 0.02, 0.03 + 0.09 * self.crouch + 0.05 * self.pace]
        yield self._part(self.trousers, THIGH, [top, knee])
        yield self._part(self.trousers if self.covered[1] else self.skin, SHIN, [knee, foot])
        yield self._part(self.shoes, 0.045, [foot, foot + [0.01 * side, -0.005, 0.07]], 0.005)

    def _free_arm(self, neck, angle):
        """The arm without a racket, which swings against the legs."""
        shoulder = neck + [-self.side * SHOULDERS, -0.01, 0.0]
        reach = 0.5 * self.pace * math.sin(angle) + 0.25 * self.crouch
        elbow = shoulder + UPPER * np.array([-0.35 * self.side, -math.cos(reach), math.sin(reach)])
        hand = elbow + FORE * np.array([0.1 * self.side, -0.55 + 0.5 * self.crouch, 0.8])
        yield from self._arm(shoulder, elbow, hand)

    def _stroke_arm(self, neck, swing, angle):
        """The arm with the racket: from behind the body (swing -1) round its side to the front (1)."""
        shoulder = neck + [self.side * SHOULDERS, -0.01, 0.0]
        turn = 1.2 * swing + 0.15 * self.pace * math.sin(angle)
        rise = 0.15 + 0.45 * swing
        ahead = np.array([self.side * math.cos(turn), 0.0, math.sin(turn)])
        elbow = shoulder + UPPER * (0.8 * ahead + [0.0, -0.55 + 0.3 * rise, 0.0])
        along = ahead + [0.0, rise, 0.0]
        along /= np.linalg.norm(along)
        hand = elbow + FORE * along
        yield from self._arm(shoulder, elbow, hand)
        if self.racket is not None:
            tip = hand + self.racket_length * along
            neck_of = hand + 0.45 * self.racket_length * along
            yield self._part(self.racket, 0.02, [hand, neck_of])
            yield self._part(self.racket, 0.4 * self.racket_length, [neck_of + 0.3 * (tip - neck_of), tip], 0.01)

    def _arm(self, shoulder, elbow, hand):
        """Upper arm, its sleeve, forearm and hand."""
        sleeve = shoulder + 0.55 * (elbow - shoulder)
        yield self._part(self.shirt if self.covered[0] else self.skin, ARM, [shoulder, elbow])
        yield self._part(self.shirt, 1.25 * ARM, [shoulder, sleeve], 0.005)
        yield self._part(self.shirt if self.covered[0] else self.skin, 0.9 * ARM, [elbow, hand])
        yield self._part(self.skin, 0.9 * ARM, [hand, hand + [0.0, 0.01, 0.0]], 0.005)

    def _part(self, color, width, joints, nearer=0.0):
        """A Part from its joints (to the right, up, ahead) in the figure's frame."""
        cosine, sine = math.cos(self.facing), math.sin(self.facing)
        right, up, ahead = np.array(joints, float).T
        depth = cosine * ahead + sine * right
        flat = np.stack([sine * ahead - cosine * right, TILT * depth - up], axis=1)
        return Part(float(depth.mean()) + nearer, color, width, flat)


def _color(values) -> Color:
    blue, green, red = np.clip(values, 0.0, 255.0).tolist()
    return blue, green, red


def _shaded(image, color, width, points, light):
    """A limb with a dark and a bright side."""
    if width < SHADED:
        _capsules(image, color, width, points)
        return
    across, down = 0.275 * width * light, -0.225 * width
    for share, brightness, shift in ((1.0, DARK, 0.0), (0.78, 0.9, 0.18), (0.45, BRIGHT, 0.58)):
        shade = tuple(min(255.0, brightness * value) for value in color)
        _capsules(image, shade, share * width, [(x + shift * across, y + shift * down) for x, y in points])


def _capsules(image, color, width, points):
    """Thick lines with round ends through points (x, y) px."""
    import cv2

    thickness = max(1, round(width))
    if not all(-FARTHEST < value < FARTHEST for point in points for value in point):
        return
    fixed = [(round(x * (1 << SHIFT)), round(y * (1 << SHIFT))) for x, y in points]
    for a, b in zip(fixed[:-1], fixed[1:]):
        cv2.line(image, a, b, color, thickness, cv2.LINE_AA, SHIFT)
