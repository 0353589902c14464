"""What is drawn of a sport: from where it is seen, in which colours, and what lies and stands in its place.

The table [view] of a sport's file; docs/sport.md lists its keys. Only pictures use it: those that are drawn, and
those of cameras, which are calibrated with its landmarks. No flight depends on it. Lengths in m, points (x, y, z) in
the sport's frame, colours (red, green, blue) from 0 to 255.
"""

import dataclasses
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ballcast.sim.toml_fields import SportError, from_table, number_field, numbers, reject_unknown_keys, vector_field

if TYPE_CHECKING:
    from ballcast.sim.sport import Surface

CIRCLE_PIECES = 96  # straight pieces of a full circle
STROKES = {  # a character as one path in a cell 1 wide and 2 high
    "0": ((0, 0), (1, 0), (1, 2), (0, 2), (0, 0)),
    "1": ((0.1, 1.5), (0.5, 2), (0.5, 0)),
    "2": ((0, 2), (1, 2), (1, 1), (0, 1), (0, 0), (1, 0)),
    "3": ((0, 2), (1, 2), (1, 1), (0, 1), (1, 1), (1, 0), (0, 0)),
    "4": ((0, 2), (0, 1), (1, 1), (1, 2), (1, 0)),
    "5": ((1, 2), (0, 2), (0, 1), (1, 1), (1, 0), (0, 0)),
    "6": ((1, 2), (0, 2), (0, 0), (1, 0), (1, 1), (0, 1)),
    "7": ((0, 2), (1, 2), (0.4, 0)),
    "8": ((0, 1), (0, 2), (1, 2), (1, 0), (0, 0), (0, 1), (1, 1)),
    "9": ((1, 1), (0, 1), (0, 2), (1, 2), (1, 0), (0, 0)),
    "m": ((0, 0), (0, 1), (0.5, 1), (0.5, 0), (0.5, 1), (1, 1), (1, 0)),
    " ": (),
}
ADVANCE = {" ": 0.5}  # from the left of a character to that of the next one, over its width
USUAL_ADVANCE = 1.5


@dataclass(frozen=True)
class Line:
    """Painted lines: paths, straight from point to point, with square ends half a width beyond their last points."""

    paths: tuple  # of tuples of points
    width: float | None = None  # None: the view's line_width
    color: tuple | None = None  # None: light on a dark surface, dark on a bright one, faint in the air


@dataclass(frozen=True)
class Area:
    """A flat polygon in one colour."""

    corners: tuple  # of points
    color: tuple


@dataclass(frozen=True)
class Rods:
    """Round rods that stand near each other, as posts do. With `stripe` every second piece of this length is white."""

    rods: tuple  # of (point, point)
    radius: float = number_field(above=0)
    color: tuple = vector_field(3, default=(238, 240, 242))
    stripe: float | None = number_field(None, above=0)


@dataclass(frozen=True)
class Net:
    """A flat mesh with four corners."""

    corners: tuple  # of 4 points
    cell: float = number_field(above=0)  # between threads
    color: tuple = vector_field(3, default=(225, 228, 232))


@dataclass(frozen=True)
class Tube:
    """A mesh between two level circles, as below a basketball ring."""

    rims: tuple  # of 2 points, the centres of the circles
    radii: tuple = vector_field(2)  # of the circles
    color: tuple = vector_field(3, default=(225, 228, 232))


@dataclass(frozen=True)
class Landmarks:
    """Named points of the place, as somebody sees and names them who films it from one side."""

    seen_from: str
    names: tuple  # (N,) of str
    points: tuple  # (N,) of points


@dataclass(frozen=True)
class CameraView:
    eye: tuple = vector_field(3)
    target: tuple = vector_field(3)
    field_of_view: float = number_field(45.0, above=1, high=150)  # degrees, vertical
    ball_color: tuple = vector_field(3, default=(255, 176, 59))
    background: tuple = vector_field(3, default=(22, 26, 33))
    line_width: float | None = number_field(None, above=0)  # None: by the size of the place
    lines: tuple = ()  # of Line
    areas: tuple = ()  # of Area: below the lines, the later over the earlier
    rods: tuple = ()  # of Rods
    nets: tuple = ()  # of Net or Tube
    hidden: tuple = ()  # names of surfaces that are not drawn themselves, because rods or nets show them
    landmarks: tuple = ()  # of Landmarks, one for each side from which the place is usually filmed

    def bare(self) -> "CameraView":
        """The same view of a place in which nothing but its surfaces is drawn."""
        return dataclasses.replace(self, line_width=None, lines=(), areas=(), rods=(), nets=(), hidden=(), landmarks=())


def read_view(table: object, surfaces: Sequence["Surface"], where: str) -> CameraView:
    """The CameraView of a [view] table; SportError names the first mistake."""
    if not isinstance(table, dict):
        raise SportError(f"{where} must be a table, not {table!r}")
    parts: dict[str, Any] = dict(table)
    for key, read in (("lines", _line), ("areas", _area), ("rods", _rods), ("nets", _net)):
        parts[key] = _each(table.get(key, ()), read, f"{where}.{key}")
    parts["hidden"] = _hidden(table.get("hidden", []), surfaces, f"{where}.hidden")
    parts["landmarks"] = _landmarks(table.get("landmarks", {}), f"{where}.landmarks")
    return from_table(CameraView, parts, where)


@dataclass(frozen=True)
class _Path:
    path: list
    width: float | None = number_field(None, above=0)
    color: tuple | None = vector_field(3, default=None)

    def paths(self, where):
        return (_points(self.path, (2, None), f"{where}.path"),)


@dataclass(frozen=True)
class _Circle:
    circle: tuple = vector_field(3)
    radius: float = number_field(above=0)
    arc: tuple = vector_field(2, default=(0.0, 360.0))  # degrees from x towards y
    width: float | None = number_field(None, above=0)
    color: tuple | None = vector_field(3, default=None)

    def paths(self, where):
        return (_arc(self, where),)


@dataclass(frozen=True)
class _Text:
    text: str
    at: tuple = vector_field(3)  # the middle of its foot
    height: float = number_field(above=0)
    upright: bool = False  # else it lies on the ground, its top towards y
    width: float | None = number_field(None, above=0)
    color: tuple | None = vector_field(3, default=None)

    def paths(self, where):
        if not isinstance(self.text, str) or not self.text or set(self.text) - set(STROKES):
            raise SportError(f"{where}.text = {self.text!r} must be made of digits, m and spaces")
        if not isinstance(self.upright, bool):
            raise SportError(f"{where}.upright = {self.upright!r} must be true or false")
        x, y, z = self.at
        cell = self.height / 2
        starts = [0.0, *itertools.accumulate(ADVANCE.get(c, USUAL_ADVANCE) for c in self.text)]
        left = x - cell * (starts[-2] + 1) / 2
        up, back = (0, cell) if self.upright else (cell, 0)
        strokes = [(left + cell * start, STROKES[c]) for start, c in zip(starts, self.text) if STROKES[c]]
        return tuple(tuple((s + cell * u, y + up * v, z + back * v) for u, v in path) for s, path in strokes)


@dataclass(frozen=True)
class _Corners:
    corners: list
    color: tuple = vector_field(3)


@dataclass(frozen=True)
class _Disc:
    color: tuple = vector_field(3)
    circle: tuple = vector_field(3)
    radius: float = number_field(above=0)
    arc: tuple = vector_field(2, default=(0.0, 360.0))  # with less than a circle: what its chord cuts off


def _line(table, where):
    if "from" in table or "to" in table:
        reject_unknown_keys(table, ("from", "to", "width", "color"), where)
        if missing := [k for k in ("from", "to") if k not in table]:
            raise SportError(f"{where}.{missing[0]} is missing; a straight line needs from and to")
        ends = [numbers(table[k], 3, f"{where}.{k}") for k in ("from", "to")]
        table = {**{k: v for k, v in table.items() if k not in ("from", "to")}, "path": ends}
    shape = _shape(table, {"path": _Path, "circle": _Circle, "text": _Text}, "from and to, path, circle or text", where)
    return Line(shape.paths(where), shape.width, _color(shape.color, where))


def _area(table, where):
    shape = _shape(table, {"corners": _Corners, "circle": _Disc}, "corners or circle", where)
    corners = _arc(shape, where) if isinstance(shape, _Disc) else _corners(shape, (3, None), where)
    return Area(corners, _color(shape.color, where))


def _rods(table, where):
    rods = from_table(Rods, table, where)
    if not isinstance(rods.rods, list) or not rods.rods:
        raise SportError(f"{where}.rods = {rods.rods!r} must be a list of pairs of points")
    pairs = tuple(_points(rod, (2, 2), f"{where}.rods[{i}]") for i, rod in enumerate(rods.rods))
    return dataclasses.replace(rods, rods=pairs, color=_color(rods.color, where))


def _net(table, where):
    net = _shape(table, {"corners": Net, "rims": Tube}, "corners or rims", where)
    _color(net.color, where)
    if isinstance(net, Net):
        return dataclasses.replace(net, corners=_corners(net, (4, 4), where))
    if min(net.radii) <= 0:
        raise SportError(f"{where}.radii = {list(net.radii)} must be above 0")
    return dataclasses.replace(net, rims=_points(net.rims, (2, 2), f"{where}.rims"))


def _landmarks(table, where):
    """The Landmarks of the tables [view.landmarks.SIDE]."""
    if not isinstance(table, dict) or not all(isinstance(side, dict) for side in table.values()):
        raise SportError(f"{where} must be tables of points by their names, such as [{where}.end]")
    sides = []
    for side, named in table.items():
        points = tuple(numbers(point, 3, f"{where}.{side}.{name}") for name, point in named.items())
        sides.append(Landmarks(side, tuple(named), points))
    return tuple(sides)


def _each(entries, read: Callable[[dict, str], Any], where: str) -> tuple:
    """Every table of a list, read."""
    if not isinstance(entries, (list, tuple)):
        raise SportError(f"{where} must be a list of tables, not {entries!r}")
    for i, entry in enumerate(entries):
        if not isinstance(entry, dict):
            raise SportError(f"{where}[{i}] must be a table, not {entry!r}")
    return tuple(read(entry, f"{where}[{i}]") for i, entry in enumerate(entries))


def _shape(table, kinds, choice, where):
    """The table as an object of the class whose key it has."""
    found = [cls for key, cls in kinds.items() if key in table]
    if len(found) != 1:
        raise SportError(f"{where} = {table!r} needs one of {choice}")
    return from_table(found[0], table, where)


def _points(value, count, where):
    """A tuple of points; count: how few and how many there may be, None for any number."""
    fewest, most = count
    if not isinstance(value, (list, tuple)) or len(value) < fewest or (most is not None and len(value) > most):
        raise SportError(f"{where} = {value!r} must be a list of {fewest}{'' if most else ' or more'} points [x, y, z]")
    return tuple(numbers(point, 3, f"{where}[{i}]") for i, point in enumerate(value))


def _corners(shape, count, where):
    return _points(shape.corners, count, f"{where}.corners")


def _color(color, where):
    if color is not None and not all(0 <= c <= 255 for c in color):
        raise SportError(f"{where}.color = {list(color)} must be from 0 to 255")
    return color


def _arc(shape, where):
    """The points of a shape's arc."""
    first, last = shape.arc
    if not first < last <= first + 360:
        raise SportError(f"{where}.arc = {list(shape.arc)} must rise, by at most 360 degrees")
    count = max(2, math.ceil(CIRCLE_PIECES * (last - first) / 360))
    angles = [math.radians(first + (last - first) * i / count) for i in range(count + 1)]
    x, y, z = shape.circle
    return tuple((x + shape.radius * math.cos(a), y + shape.radius * math.sin(a), z) for a in angles)


def _hidden(names, surfaces, where):
    if not isinstance(names, list):
        raise SportError(f"{where} = {names!r} must be a list of names of surfaces")
    has = [surface.name for surface in surfaces]
    if unknown := [name for name in names if name not in has]:
        raise SportError(f"{where}: no surface is called {unknown[0]!r}; there are {', '.join(map(str, has))}")
    return tuple(names)
