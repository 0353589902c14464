"""Points that are placed by hand on the pictures of a clip, with undo: what the window of `ballcast calibrate` changes.

    placed = PlacedPoints(sport, size)
    placed.place("corner_near_left", (421.75, 430.0))     # px, in the picture placed.frame
    placed.undo()
    placed.named()                                        # NamedPoints, as a fit takes them
    placed.write("camera.points.csv")                     # as `ballcast calibrate --points` reads them

Points belong to their picture. Those of another side keep their pixels when the place is turned.
"""

import os
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ballcast.sim import Sport
from ballcast.sim.files import write_atomically
from ballcast.tracks import Camera
from ballcast.vision.landmarks import CalibrationError, NamedPoints
from ballcast.vision.sides import PlaceSide

DIGITS = 3  # of a pixel, in files and in fits: both have the same points
HISTORY = 500  # steps that can be undone

Pixel = tuple[float, float]


@dataclass(frozen=True)
class _Moment:
    """What one step of undo goes back to: the side, and of each picture its points, name -> px. Never changed."""

    side: int = 0
    frames: dict[int, dict[str, Pixel]] = field(default_factory=dict)


class PlacedPoints:
    """The points of a place in the pictures of one clip.

    size    (width, height) px
    frame   number of the picture that is shown
    chosen  the name of the point that keys move; None: none
    own     name -> (3,) m of points that the sport's file does not name
    """

    def __init__(self, sport: Sport, size: tuple[int, int], frame: int = 0) -> None:
        self.sport, self.size, self.frame = sport, size, frame
        self.sides = PlaceSide.all_of(sport) or (PlaceSide("", {}),)
        self._whole_sides = self.sides
        self.own: dict[str, tuple[float, float, float]] = {}
        self.chosen: str | None = None
        self.version = 0  # rises with every change
        self._projected: dict[tuple[int, str], Pixel] = {}  # where a camera put points
        self._now, self._before, self._after = _Moment(), [], []
        self._saved = self._now

    @property
    def side(self) -> PlaceSide:
        """The side from which the place is seen, with the points of one's own."""
        return self._whole_sides[self._now.side]

    @property
    def points(self) -> dict[str, Pixel]:
        """name -> px of the picture that is shown, as far as this side has the names."""
        return self.of(self.frame)

    def of(self, frame: int) -> dict[str, Pixel]:
        """The points of any picture."""
        places = self.side.places
        return {name: pixel for name, pixel in self._now.frames.get(frame, {}).items() if name in places}

    @property
    def frames(self) -> list[int]:
        """The numbers of the pictures that have points."""
        return sorted(number for number in self._now.frames if self.of(number))

    @property
    def is_saved(self) -> bool:
        """Whether nothing was changed since the last `write`; nothing to save counts as saved."""
        return self._now == self._saved or not self.frames

    @property
    def untouched(self) -> int:
        """How many points of the picture are where a camera put them: they agree with it by themselves."""
        return sum(self._projected.get((self.frame, name)) == pixel for name, pixel in self.points.items())

    def next_name(self, skipped: frozenset[str] = frozenset()) -> str | None:
        """The point that is to be placed next: the first that is not there; None if all are."""
        missing = [name for name in self.side.order if name not in self.points]
        return next((name for name in missing if name not in skipped), missing[0] if missing else None)

    def place(self, name: str, pixel: Pixel, is_step: bool = True) -> None:
        """Put a point at a pixel of the picture, within its borders; is_step: whether undo comes back to before."""
        if name not in self.side.places:
            raise CalibrationError(f"{self.sport.name} seen from {self.side.seen_from} has no point {name!r}")
        u, v = (float(np.clip(round(p, DIGITS), -0.5, end - 0.5)) for p, end in zip(pixel, self.size))
        self.chosen = name
        self._change(self._with(self.frame, self._all() | {name: (u, v)}), is_step)

    def move(self, u: float, v: float) -> None:
        """Move the chosen point by (u, v) px."""
        if self.chosen in self.points:
            at = self.points[self.chosen]
            self.place(self.chosen, (at[0] + u, at[1] + v))

    def remove(self, name: str | None) -> None:
        """Take a point away from the picture."""
        if name in self.points:
            self._change(self._with(self.frame, {n: p for n, p in self._all().items() if n != name}))
            self.chosen = None

    def place_all(self, points: dict[str, Pixel], is_step: bool = True) -> None:
        """Put several points at once."""
        width, height = self.size
        inside = {n: (round(float(u), DIGITS), round(float(v), DIGITS)) for n, (u, v) in points.items()
                  if -0.5 <= u <= width - 0.5 and -0.5 <= v <= height - 0.5}  # fmt: skip
        self._change(self._with(self.frame, self._all() | inside), is_step)

    def copy_from(self, frame: int) -> None:
        """The points of another picture, for those that this one does not have."""
        self._change(self._with(self.frame, self.of(frame) | self._all()))

    def turn(self, side: str | None = None) -> None:
        """See the place from the next side, or from the one that is named."""
        names = [s.seen_from for s in self.sides]
        k = names.index(side) if side is not None else (self._now.side + 1) % len(names)
        if k != self._now.side:
            self._change(replace(self._now, side=k))
        self.chosen = self.chosen if self.chosen in self.side.places else None

    def undo(self) -> bool:
        """One step back; whether there was one."""
        return self._travel(self._before, self._after)

    def redo(self) -> bool:
        """One step forward again; whether there was one."""
        return self._travel(self._after, self._before)

    def begin(self) -> None:
        """What was done until now is the beginning: it cannot be undone, and is not what the user changed."""
        self._before, self._after, self._saved = [], [], self._now

    def named(self, frame: int | None = None) -> NamedPoints:
        """The points of a picture, by default the shown one, each with its place: nothing is left to choose."""
        number = self.frame if frame is None else frame
        points, places = self.of(number), self.side.places
        return NamedPoints(
            tuple(points), np.array(list(points.values()), float).reshape(-1, 2),
            np.array([places[name] for name in points], float).reshape(-1, 3), number,
        )  # fmt: skip

    def add(self, named: NamedPoints, places: np.ndarray) -> None:
        """Take points of a file with their places (N, 3) m, into the picture that they are of."""
        known = self.side.places
        for name, place in zip(named.names, places):
            if name not in known or not np.allclose(known[name], place, atol=1e-6):
                self.own[name] = (float(place[0]), float(place[1]), float(place[2]))
        self._whole_sides = tuple(PlaceSide(side.seen_from, side.places | self.own) for side in self.sides)
        self.place_all({name: (float(u), float(v)) for name, (u, v) in zip(named.names, named.pixels)}, False)

    def add_projected(self, camera: Camera) -> None:
        """Put every point of the side where a camera sees it, if that is inside the picture."""
        places = np.array(list(self.side.places.values()), float)
        pixels = np.where(camera.sees(places)[:, None], camera.project(places), np.nan)
        self.place_all({name: (float(u), float(v)) for name, (u, v) in zip(self.side.places, pixels)})
        self._projected |= {(self.frame, name): pixel for name, pixel in self.points.items()}

    def write(self, path: str | os.PathLike, first: int | None = None) -> None:
        """Write all points as CSV, those of the picture `first` first, by default of the shown one. Raises OSError.

        A file is whole or not there.
        """
        rows, first = ["name,u,v,x,y,z,frame"], self.frame if first is None else first
        for number in sorted(self.frames, key=lambda k: (k != first, k)):
            for name, (u, v) in self.of(number).items():
                x, y, z = self.side.places[name]
                rows.append(f"{name},{u:.{DIGITS}f},{v:.{DIGITS}f},{x:g},{y:g},{z:g},{number}")
        write_atomically(Path(path), ("\n".join(rows) + "\n").encode())
        self._saved = self._now

    def _all(self):
        """The points of the shown picture, those that this side does not name too."""
        return self._now.frames.get(self.frame, {})

    def _with(self, frame, points):
        return replace(self._now, frames=self._now.frames | {frame: points})

    def _change(self, moment, is_step=True):
        if moment == self._now:
            return
        if is_step:
            self._before = [*self._before[1 - HISTORY :], self._now]
            self._after = []
        self._now = moment
        self.version += 1

    def _travel(self, from_, to):
        if not from_:
            return False
        to.append(self._now)
        self._now = from_.pop()
        self.version += 1
        if self.chosen not in self.points:
            self.chosen = None
        return True
