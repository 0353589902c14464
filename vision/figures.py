"""Players as moving, articulated figures: limbs of two colours, a head, a racket. Only what looks like motion.

    figure = Figure.random(rng)
    figure.paint(image, feet=(400.0, 600.0), height=180.0, time=1.3, swing=0.4)

Limbs are capsules in the picture. They swing as in running, and the arm with the racket through a stroke.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ballcast.vision.textures import any_color

HEAD, HIP, SHOULDER = 0.93, 0.52, 0.80  # of the height, above the feet
SHIFT = 3  # bits of a fraction of a pixel that OpenCV draws with


@dataclass(frozen=True)
class Figure:
    """What one player looks like. Colours are blue, green, red."""

    shirt: tuple
    trousers: tuple
    skin: tuple
    shoes: tuple
    racket: tuple | None  # its colour; None: no racket
    stride: float  # steps per second
    phase: float  # rad
    side: float  # 1 right-handed, -1 left-handed

    @staticmethod
    def random(random: np.random.Generator) -> "Figure":
        """Any player."""
        skin = np.array([110.0, 150.0, 205.0]) * random.uniform(0.3, 1.15)
        colors = [tuple(any_color(random).tolist()) for _ in range(4)]
        shoes = (235.0, 235.0, 235.0) if random.random() < 0.5 else colors[2]
        racket = colors[3] if random.random() < 0.7 else None
        stride, phase = random.uniform(0.3, 2.5), random.uniform(0.0, 2.0 * np.pi)
        return Figure(colors[0], colors[1], tuple(np.clip(skin, 0, 255).tolist()), shoes, racket, stride, phase,
                      float(random.choice([-1.0, 1.0])))  # fmt: skip

    def in_white(self) -> "Figure":
        """The same figure as a mask: all of it white."""
        white = (255.0, 255.0, 255.0)
        racket = None if self.racket is None else white
        return replace(self, shirt=white, trousers=white, skin=white, shoes=white, racket=racket)

    def paint(self, image: np.ndarray, feet: Sequence[float], height: float, time: float, swing: float = 0.0) -> None:
        """Paint the figure into an image.

        feet    px, where it stands; height px
        time    s, which moves the limbs; swing  -1 to 1, of the racket's arm from back to front
        """
        for color, width, points in self._parts(np.array(feet, float), float(height), time, swing):
            _capsules(image, color, width, points)

    def _parts(self, feet, height, time, swing):
        """Colour, width px and joints (N, 2) px of the limbs, from back to front."""
        angle = 2.0 * np.pi * self.stride * time + self.phase
        sway = 0.02 * height * np.array([np.sin(angle), 0.3 * np.cos(2.0 * angle)])

        def at(x, up):
            return feet + sway * up + height * np.array([x, -up])

        step, reach = 0.10 + 0.06 * np.sin(angle), 1.1 * swing + 0.25 * np.sin(angle)
        hip, shoulder = at(0.0, HIP), at(0.0, SHOULDER)
        hand = shoulder + 0.30 * height * self.side * np.array([np.cos(reach), -np.sin(reach)])
        elbow = 0.5 * (shoulder + hand) + [0.0, 0.07 * height]
        free = at(-0.20 * self.side, 0.60 + 0.05 * np.cos(angle))
        for sign in (-1.0, 1.0):
            foot = at(sign * step, 0.0 if sign * np.sin(angle) < 0.5 else 0.03)
            knee = 0.5 * (hip + foot) + [0.04 * height * sign, 0.0]
            yield self.trousers, 0.10 * height, [hip + [0.04 * height * sign, 0.0], knee]
            yield self.skin, 0.06 * height, [knee, foot]
            yield self.shoes, 0.05 * height, [foot, foot + [0.05 * height * sign, 0.0]]
        yield self.skin, 0.05 * height, [at(-0.09 * self.side, SHOULDER), free]
        yield self.shirt, 0.19 * height, [at(0.0, HIP + 0.04), at(0.0, SHOULDER - 0.07)]
        yield self.skin, 0.05 * height, [at(0.09 * self.side, SHOULDER), elbow, hand]
        yield self.skin, 0.12 * height, [at(0.0, HEAD), at(0.0, HEAD)]
        if self.racket is not None:
            tip = hand + (hand - elbow) / max(np.hypot(*(hand - elbow)), 1e-6) * 0.16 * height
            yield self.racket, 0.03 * height, [hand, tip]
            yield self.racket, 0.10 * height, [tip, tip]


def _capsules(image, color, width, points):
    """Thick lines with round ends through points px."""
    import cv2

    fixed = np.round(np.array(points) * (1 << SHIFT)).astype(np.int32)
    thickness = max(1, round(width))
    for a, b in zip(fixed[:-1], fixed[1:]):
        if (np.abs(np.array([a, b])) < 1 << 24).all():
            cv2.line(image, tuple(map(int, a)), tuple(map(int, b)), color, thickness, cv2.LINE_AA, SHIFT)
