"""The scene of a sport as polygons, made from its TOML alone: a floor, walls, and occluders that can hide a ball.

What the TOML does not contain is derived: a level rectangle is a board with some thickness; an upright one of small
restitution is drawn as a net, any other as glass.
"""

from collections import defaultdict
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from ballcast.render.palette import DARK_LINE_COLOR, LEG_COLOR, LIGHT_LINE_COLOR
from ballcast.render.shapes import (
    Occluder,
    Polygon,
    mesh,
    net,
    one_path,
    path_quads,
    quads,
    ring,
    rods,
    scale_brightness,
    tube,
)
from ballcast.sim.view import Net

if TYPE_CHECKING:
    from ballcast.sim.sport import Sport, Surface

NET_RESTITUTION = 0.2  # restitution below which an upright rectangle is a net
NET_ROWS = 10  # cells of such a net, one above the other
TAPE = 0.06, 0.1  # width of its tape: m, and no more than this share of its height
LINE_ALPHA, FREE_LINE_ALPHA = 0.82, 0.4  # of lines on a surface; of those in the air, without a colour of their own


@dataclass(frozen=True, eq=False)
class Scene:
    """Everything that stands still."""

    floor: "Surface | None"  # the level plane without walls round it
    walls: tuple[Polygon, ...]  # behind everything else
    occluders: tuple[Occluder, ...]
    low: np.ndarray  # (2,) m, bounds across and along
    high: np.ndarray
    fade_distance: float  # m over which the floor fades away beyond the bounds

    @classmethod
    def of(cls, sport: "Sport") -> "Scene":
        low, high = _bounds(sport)
        planes = [s for s in sport.surfaces if s.kind == "plane"]
        has_walls = any(_flat(s) != 2 for s in planes)
        floor = None if has_walls else next((s for s in planes if s.supports), None)
        walls = [] if floor else [_wall(s, low, high) for s in planes]
        markings = _markings(sport, low, high, floor)
        occluders = [
            occluder
            for i, surface in enumerate(sport.surfaces)
            if surface.kind != "plane" and surface.name not in sport.view.hidden
            for occluder in _occluders(surface, markings[i], floor)
        ]
        for group in sport.view.rods:
            occluders.append(rods(np.array(group.rods), group.radius, group.color, group.stripe))
        for shape in sport.view.nets:
            occluders += _net(shape)
        distance = float(np.linalg.norm(np.subtract(sport.view.eye, sport.view.target)))
        fade_distance = 0.45 * max((high - low)[:2].max(), distance)
        return cls(floor, (*walls, *markings[None]), tuple(occluders), low[:2], high[:2], fade_distance)

    def far_to_near(self, eye: np.ndarray) -> list[Occluder]:
        """The occluders in the order of painting for a camera at `eye` (3,) m.

        What is wholly on the camera's side of a flat one is painted after it, all else by its distance.
        """
        eye_sides = [0.0 if o.normal is None else np.sign((eye - o.vertices[0]) @ o.normal) for o in self.occluders]
        after = self._sides * np.array(eye_sides)[:, None]  # (n, n): 1 if j lies on the camera's side of i
        later = (after > 0) | (after.T < 0)
        later &= ~later.T  # no order where two contradict each other
        waiting = sorted(range(len(self.occluders)), key=lambda i: self.occluders[i].depth_key(eye))
        order: list[int] = []
        while waiting:
            order.append(next((i for i in waiting if not later[waiting, i].any()), waiting[0]))
            waiting.remove(order[-1])
        return [self.occluders[i] for i in order]

    @cached_property
    def _sides(self) -> np.ndarray:
        """On which side of flat occluder i the occluder j lies, (n, n): 1 that of its normal, -1, or 0 for neither."""
        sides = [[_side(flat, other) for other in self.occluders] for flat in self.occluders]
        return np.array(sides, float).reshape(len(sides), len(sides))


def support_height(sport: "Sport", point: np.ndarray) -> float | None:
    """Height (m) of the highest surface below a ball's centre (3,) m that can support it, or None."""
    x, y, z = point
    over = [s for s in sport.surfaces if s.low[0] <= x <= s.high[0] and s.low[1] <= y <= s.high[1]]
    return max((s.high[2] for s in over if s.supports and s.high[2] <= z), default=None)


def _markings(sport, low, high, floor):
    """Areas and lines as polygons by what they lie on: the number of a rectangle, or None for all other places.

    Lines that follow each other and look the same are one polygon, which is painted faster than several.
    """
    on = defaultdict(list)
    for area in sport.view.areas:
        surfaces = _surfaces_under(area.corners, sport.surfaces)
        polygon = Polygon(np.array(area.corners), scale_brightness(area.color, 1.0))
        on[_rectangle(surfaces, sport)].append(replace(polygon, normal=_inward(surfaces, sport, low, high, floor)))
    width = sport.view.line_width or min(0.05, 0.007 * (high - low)[:2].max()) * (1.0 if floor else 0.4)
    lines = [
        (line, _surfaces_under([p for path in line.paths for p in path], sport.surfaces)) for line in sport.view.lines
    ]
    for (surfaces, _), group in groupby(lines, lambda item: (item[1], item[0].color)):
        polygon = _line_polygon([line for line, _ in group], sport.surfaces[surfaces[0]] if surfaces else None, width)
        on[_rectangle(surfaces, sport)].append(replace(polygon, normal=_inward(surfaces, sport, low, high, floor)))
    return on


def _surfaces_under(points, surfaces):
    """The numbers of the planes and rectangles in which all points lie."""
    points = np.array(points)
    flat = ((i, s) for i, s in enumerate(surfaces) if s.kind in ("plane", "rectangle"))
    return tuple(
        i for i, s in flat if (points >= np.array(s.low) - 1e-6).all() and (points <= np.array(s.high) + 1e-6).all()
    )


def _rectangle(numbers, sport):
    return next((i for i in numbers[:1] if sport.surfaces[i].kind == "rectangle"), None)


def _line_polygon(lines, surface, width):
    """Lines of one colour on a surface, or in the air without one."""
    is_bright = surface is not None and np.dot(surface.color, (0.299, 0.587, 0.114)) > 170
    color = lines[0].color or (DARK_LINE_COLOR if is_bright else LIGHT_LINE_COLOR)
    alpha = FREE_LINE_ALPHA if surface is None and lines[0].color is None else LINE_ALPHA
    normals = np.eye(3)[[_flat(surface)]] if surface is not None else np.eye(3)
    paths = [(np.array(path), line.width or width) for line in lines for path in line.paths]
    bands = [path_quads(path, own_width, normal) for path, own_width in paths for normal in normals]
    return Polygon(np.concatenate(bands), scale_brightness(color, 1.0), alpha)


def _side(flat, other):
    if flat is other or flat.normal is None:
        return 0
    height = (other.vertices - flat.vertices[0]) @ flat.normal
    return int(height.max() > 1e-6) * int(height.min() > -1e-6) - int(height.min() < -1e-6) * int(height.max() < 1e-6)


def _bounds(sport):
    """The corners (3,) of a box round the surfaces, where they end, and round what the view draws."""
    view = sport.view
    points = [view.target, *(c for area in view.areas for c in area.corners)]
    points += [point for line in view.lines for path in line.paths for point in path]
    for s in sport.surfaces:
        extent = np.array([s.radius, s.radius, 0.0])
        points += [np.array(s.low) - extent, np.array(s.high) + extent]
    corners = np.array(points)
    bounded = np.where(np.isfinite(corners), corners, np.nan)
    return np.nanmin(bounded, axis=0), np.nanmax(bounded, axis=0)


def _flat(surface):
    """The axis in which a plane or rectangle is flat."""
    return int(np.flatnonzero(np.equal(surface.low, surface.high))[0])


def _wall(surface, low, high):
    """A plane, clipped to the scene, painted if the camera is inside."""
    bounds = (surface.low, low), (surface.high, high)
    corners = _corners(*(np.where(np.isfinite(own), own, scene) for own, scene in bounds))
    return Polygon(corners, surface.color, 1.0, _wall_normal(surface, low, high))


def _wall_normal(surface, low, high):
    """The normal (3,) of a wall, towards the middle of low and high."""
    axis = _flat(surface)
    return np.eye(3)[axis] * (1.0 if 2 * surface.low[axis] <= low[axis] + high[axis] else -1.0)


def _inward(numbers, sport, low, high, floor):
    """The normals (K, 3) of those of some surfaces that are walls; None where everything is seen from both sides."""
    walls = [s for s in (sport.surfaces[i] for i in numbers) if s.kind == "plane" and s is not floor]
    return np.array([_wall_normal(wall, low, high) for wall in walls]) if walls else None


def _corners(low, high):
    """The corners (4, 3) of an axis-parallel rectangle."""
    a, b = (i for i in range(3) if low[i] != high[i])
    corners = np.tile(np.asarray(low, float), (4, 1))
    corners[1:3, a], corners[2:4, b] = high[a], high[b]
    return corners


def _occluders(surface, painted, floor):
    """A ring, bar or rectangle as occluders; a level rectangle gets legs if the floor is below it."""
    low, high = np.array(surface.low), np.array(surface.high)
    if surface.kind == "ring":
        return ring(low, surface.radius, max(surface.rod, 0.015), surface.color)
    if surface.kind == "bar":
        return [rods(np.array([[low, high]]), max(surface.rod, 0.01), surface.color)]
    corners, axis = _corners(low, high), _flat(surface)
    if axis == 2:
        legs = _legs(low, high, floor.high[2]) if floor and floor.high[2] < low[2] else ()
        return [Occluder((*legs, *_board(corners, surface.color), *painted), corners, np.eye(3)[axis], True)]
    front = _hanging_net if surface.restitution.e < NET_RESTITUTION else _glass
    return [Occluder((*front(corners, axis, surface.color), *painted), corners, np.eye(3)[axis])]


def _net(shape):
    if isinstance(shape, Net):
        return [net(np.array(shape.corners), shape.cell, shape.color)]
    return tube(np.array(shape.rims), np.array(shape.radii), shape.color)


def _glass(corners, axis, color):
    edge = 0.006 * np.ptp(corners, axis=0).max()
    frame = path_quads(np.concatenate([corners, corners[:1]]), 2 * edge, np.eye(3)[axis])
    return [Polygon(corners, color, 0.5), Polygon(one_path([frame]), color, 0.95)]


def _board(corners, color):
    up = np.array([0.0, 0.0, 1.0])
    thickness = 0.015 * np.ptp(corners, axis=0).max() * up
    polygons = [Polygon(corners - thickness, scale_brightness(color, 0.35), 1.0, -up)]
    for a, b in zip(corners, np.roll(corners, -1, axis=0)):
        side = np.array([a, b, b - thickness, a - thickness])
        polygons.append(Polygon(side, scale_brightness(color, 0.55), 1.0, np.cross(b - a, up)))
    return [*polygons, Polygon(corners, color, 1.0, up)]


def _legs(low, high, ground):
    inset, half_width = 0.12 * (high - low), 0.009 * (high - low).max()
    xs, ys = (low + inset)[:2], (high - inset)[:2]
    feet = np.array([(x, y, ground) for x in (xs[0], ys[0]) for y in (xs[1], ys[1])])
    tops = feet + np.array([0.0, 0.0, low[2] - ground])
    legs = quads(feet, tops, half_width * np.eye(3)[0]), quads(feet, tops, half_width * np.eye(3)[1])
    return [Polygon(one_path([side]), LEG_COLOR) for side in legs]


def _hanging_net(corners, axis, color):
    """The mesh of an upright rectangle, and the tape along its top."""
    height = float(np.ptp(corners[:, 2]))
    tape = min(TAPE[0], TAPE[1] * height)
    top = corners[np.argsort(corners[:, 2])[2:]] - np.array([0.0, 0.0, tape / 2])
    along = (top[1] - top[0]) / np.linalg.norm(top[1] - top[0]) * tape / 2
    band = path_quads(np.array([top[0] + along, top[1] - along]), tape, np.eye(3)[axis])
    return [*mesh(corners, height / NET_ROWS, color), Polygon(band[0], LIGHT_LINE_COLOR, 0.95)]
