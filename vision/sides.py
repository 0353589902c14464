"""The sides from which a place is seen, as a plan of it shows them: which way is to the right, and which is away.

    side = PlaceSide.all_of(sport)[0]
    side.flat(points)                        # (N, 2): to the right, and away from who looks from this side
    name, camera = nearest_side(camera, sport)

What is right and what is far stands in the names of the points: left and right, near and far.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ballcast.sim import Sport
from ballcast.tracks import Camera
from ballcast.vision.landmarks import CalibrationError

OPPOSITE = ("left", "right"), ("near", "far")
HALF_TURN = np.diag([-1.0, -1.0, 1.0])
SAME = 0.02  # m, between points of a place and those of the same place turned by half


@dataclass(frozen=True)
class PlaceSide:
    """The named points of a place from one side. seen_from: its name; places: name -> (3,) m."""

    seen_from: str
    places: dict[str, tuple[float, float, float]]

    @staticmethod
    def all_of(sport: Sport) -> tuple["PlaceSide", ...]:
        """Every side that the sport's file names, in its order."""
        return tuple(PlaceSide(s.seen_from, dict(zip(s.names, s.points))) for s in sport.view.landmarks)

    @cached_property
    def points(self) -> np.ndarray:
        """(N, 3) m."""
        return np.array(list(self.places.values()), float)

    @cached_property
    def right(self) -> np.ndarray:
        """The unit vector (2,) to the right, along x or y."""
        across, away = (self._between(*words) for words in OPPOSITE)
        if np.linalg.norm(across) >= np.linalg.norm(away):
            return _axis(across)
        return np.array([_axis(away)[1], -_axis(away)[0]])

    @property
    def away(self) -> np.ndarray:
        """The unit vector (2,) away from who looks."""
        return np.array([-self.right[1], self.right[0]])

    def flat(self, points: np.ndarray) -> np.ndarray:
        """Points (..., 3) m seen from above: (..., 2) m to the right and away."""
        return np.asarray(points)[..., :2] @ np.stack([self.right, self.away], axis=1)

    @cached_property
    def order(self) -> list[str]:
        """The names, as they are asked for: four corners, what is above the ground, the others; each far from those."""
        flat, names = self.flat(self.points), list(self.places)
        extent = np.maximum(np.ptp(flat, axis=0), 1e-9)
        low = self.points[:, 2] <= self.points[:, 2].min() + 1e-6
        first: list[int] = []
        for across, away in ((-1, -1), (1, -1), (1, 1), (-1, 1)):
            reach = np.where(low, flat / extent @ np.array([across, away]), -np.inf)
            first.append(int(np.argmax(reach)))
        chosen = list(dict.fromkeys(first))
        while len(chosen) < len(names):
            gap = np.linalg.norm(self.points[:, None] - self.points[chosen], axis=2).min(axis=1)
            rest = [k for k in range(len(names)) if k not in chosen]
            chosen.append(max(rest, key=lambda k: (not low[k], gap[k])))
        return [names[k] for k in chosen]

    def _between(self, low, high):
        """From the middle of the points with one word to that of the points with the other."""
        words = {name: name.split("_") for name in self.places}
        groups = [[point for name, point in self.places.items() if w in words[name]] for w in (low, high)]
        if not all(groups):
            return np.zeros(2)
        return np.subtract(*(np.mean(group, axis=0)[:2] for group in reversed(groups)))


def nearest_side(camera: Camera, sport: Sport) -> tuple[str, Camera]:
    """The side whose near, far, left and right are those of a camera, and the camera as this side has it.

    A place that looks the same from its other end is turned by half where that puts the camera on a named side.
    CalibrationError where the sport names no points.
    """
    sides = PlaceSide.all_of(sport)
    if not sides:
        raise CalibrationError(f"{sport.name} names no points of its place")
    cameras = [camera]
    if _is_symmetric(sides[0].points):
        R = camera.R @ HALF_TURN
        cameras.append(
            Camera(camera.K, camera.distortion, R, -R @ (HALF_TURN @ camera.centre), camera.size, camera.name)
        )
    pairs = [(side, each) for side in sides for each in cameras]
    side, best = max(pairs, key=lambda pair: _agreement(*pair))
    return side.seen_from, best


def _agreement(side, camera):
    """How far a side's right and away are those of a camera."""
    return float(camera.R[0, :2] @ side.right + camera.R[2, :2] @ side.away)


def _is_symmetric(points):
    """Whether the points (N, 3), turned by half a turn, are the same points."""
    apart = np.linalg.norm((points @ HALF_TURN)[:, None] - points[None], axis=2).min(axis=1)
    return bool((apart < SAME).all())


def _axis(vector):
    """The unit vector along x or y that is nearest to a vector (2,)."""
    axis = np.zeros(2)
    k = int(np.argmax(np.abs(vector)))
    axis[k] = np.sign(vector[k]) or 1.0
    return axis
