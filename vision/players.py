"""The players of a rally: each runs to where he hits, faces the other end and swings his racket.

players = Players(rally, scene, figures)
for person in players.at(1.3):                     # Person: figure, feet (3,) m, swing
    ...
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ballcast.vision.figures import Figure

if TYPE_CHECKING:
    from ballcast.render.scene import Scene
    from ballcast.sim.rallies import Rally

SWING = 0.25  # s before and after a hit in which the racket moves
REACH = 0.6  # m from the ball to the feet of who hits it
BEHIND = 0.8  # m from the end of the place to who never hits


class Person(NamedTuple):
    """Somebody who stands in the place."""

    figure: Figure
    feet: np.ndarray  # (3,) m
    swing: float = 0.0  # -1 to 1, of the racket's arm from back to front
    ahead: np.ndarray | None = None  # (3,) where it looks; None: anywhere


class Players:
    """The two players of a rally."""

    def __init__(self, rally: "Rally", scene: "Scene", figures: Sequence[Figure]):
        self._figures: Sequence[Figure] = figures
        self._hits: list[list[tuple[float, np.ndarray]]] = [[], []]
        middle = 0.5 * (scene.low + scene.high)
        floor = 0.0 if scene.floor is None else float(scene.floor.high[2])
        for stroke in rally.strokes:
            side = int(stroke.position[1] > middle[1])
            feet = np.array([*stroke.position[:2], floor])
            feet[0] -= REACH * figures[side].side * (1.0 if side else -1.0)
            feet[1] += 0.3 * (1.0 if side else -1.0)
            self._hits[side].append((stroke.time, feet))
        ends = scene.low[1] - BEHIND, scene.high[1] + BEHIND
        self._waiting = [np.array([middle[0], end, floor]) for end in ends]

    def at(self, time: float) -> Iterator[Person]:
        """Each of them at a time, s of the rally."""
        for side, figure in enumerate(self._figures):
            hits = self._hits[side] or [(0.0, self._waiting[side])]
            times = np.array([hit[0] for hit in hits])
            places = np.array([hit[1] for hit in hits])
            feet = np.array([np.interp(time, times, places[:, k]) for k in range(3)])
            swing = float(np.clip((time - times[np.abs(times - time).argmin()]) / SWING, -1.0, 1.0))
            yield Person(figure, feet, swing, np.array([0.0, -1.0 if side else 1.0, 0.0]))
