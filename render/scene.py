"""The scene of a sport as polygons, made from its TOML alone: a floor, walls, and occluders that can hide a ball.

What the TOML does not contain is derived: a level rectangle is a board with some thickness; an upright one of small
restitution is drawn as a net, any other as glass.
"""

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ballcast.render.palette import DARK_LINE_COLOR, LEG_COLOR, LIGHT_LINE_COLOR
from ballcast.render.shapes import Occluder, Polygon, mesh, net, path_quads, quads, ring, rods, scale_brightness, tube
from ballcast.sim.view import Net

if TYPE_CHECKING:
    from ballcast.sim.sport import Sport, Surface

NET_RESTITUTION = 0.2  # restitution below which an upright rectangle is a net
NET_ROWS = 10  # cells of such a net, one above the other
TAPE = 0.06, 0.1  # width of its tape: m, and no more than this share of its height
LINE_ALPHA, FREE_LINE_ALPHA = 0.82, 0.4  # of lines on a surface; of those on none, in the air


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
        walls = () if floor else tuple(_wall(s, low, high) for s in planes)
        markings = _Markings.of(sport, low, high, floor)
        occluders = [
            occluder
            for i, surface in enumerate(sport.surfaces)
            if surface.kind != "plane" and surface.name not in sport.view.hidden
            for occluder in _occluders(surface, markings.on.pop(i, ()), floor)
        ]
        for group in sport.view.rods:
            occluders.append(rods(np.array(group.rods), group.radius, group.color, group.stripe))
        for mesh_ in sport.view.nets:
            occluders += _net(mesh_)
        distance = float(np.linalg.norm(np.subtract(sport.view.eye, sport.view.target)))
        fade_distance = 0.45 * max((high - low)[:2].max(), distance)
        painted = tuple(polygon for polygons in markings.on.values() for polygon in polygons)
        return cls(floor, walls + painted, tuple(occluders), low[:2], high[:2], fade_distance)


def support_height(sport: "Sport", point: np.ndarray) -> float | None:
    """Height (m) of the highest surface below a ball's centre (3,) m that can support it, or None."""
    x, y, z = point
    over = [s for s in sport.surfaces if s.low[0] <= x <= s.high[0] and s.low[1] <= y <= s.high[1]]
    return max((s.high[2] for s in over if s.supports and s.high[2] <= z), default=None)


@dataclass(frozen=True, eq=False)
class _Markings:
    """Areas and lines as polygons: those on each rectangle, and all others under -1, in the order of painting."""

    on: dict

    @classmethod
    def of(cls, sport, low, high, floor):
        """Sort what is painted by the surface it lies on; `floor`: the plane of a place without walls."""
        on = defaultdict(list)
        width = sport.view.line_width or min(0.05, 0.007 * (high - low)[:2].max()) * (1.0 if floor else 0.4)
        for area in sport.view.areas:
            corners = np.array(area.corners)
            place, _, inward = _place(corners, sport.surfaces, low, high, floor)
            on[place].append(Polygon(corners, scale_brightness(area.color, 1.0), 1.0, inward))
        for line in sport.view.lines:
            points = np.concatenate([np.array(path) for path in line.paths])
            place, surface, inward = _place(points, sport.surfaces, low, high, floor)
            _add_line(on[place], line, surface, inward, line.width or width)
        return cls(on)


def _place(points, surfaces, low, high, floor):
    """Where something painted lies: its rectangle's index or -1, its surface or None, and the sides that show it."""
    found = [i for i, s in enumerate(surfaces) if _lies_on(points, s)]
    if not found:
        return -1, None, None
    surface = surfaces[found[0]]
    if surface.kind == "rectangle":
        return found[0], surface, None
    walls = [surfaces[i] for i in found if surfaces[i].kind == "plane"]
    inward = None if surface is floor else np.array([_inward(wall, low, high) for wall in walls])
    return -1, surface, inward


def _lies_on(points, surface):
    if surface.kind not in ("plane", "rectangle"):
        return False
    return bool(np.all((points >= np.array(surface.low) - 1e-6) & (points <= np.array(surface.high) + 1e-6)))


def _add_line(polygons, line, surface, inward, width):
    """Append a line's strip, or join it to the last one if that looks the same."""
    is_bright = surface is not None and np.dot(surface.color, (0.299, 0.587, 0.114)) > 170
    color = DARK_LINE_COLOR if is_bright else LIGHT_LINE_COLOR
    if line.color is not None:
        color = scale_brightness(line.color, 1.0)
    alpha = FREE_LINE_ALPHA if surface is None else LINE_ALPHA
    normals = np.eye(3)[[_flat(surface)]] if surface is not None else np.eye(3)[[0, 1, 2]]
    strip = np.concatenate([path_quads(np.array(path), width, n) for path in line.paths for n in normals])
    last = polygons[-1] if polygons else None
    if last is not None and inward is None and last.points.ndim == 3 and (last.color, last.alpha) == (color, alpha):
        polygons[-1] = Polygon(np.concatenate([last.points, strip]), color, alpha)
    else:
        polygons.append(Polygon(strip, color, alpha, inward))


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
    return Polygon(corners, surface.color, 1.0, _inward(surface, low, high))


def _inward(surface, low, high):
    """The normal (3,) of a wall, towards the middle of low and high."""
    axis = _flat(surface)
    return np.eye(3)[axis] * (1.0 if 2 * surface.low[axis] <= low[axis] + high[axis] else -1.0)


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
    path = path_quads(np.concatenate([corners, corners[:1]]), 2 * edge, np.eye(3)[axis])
    return [Polygon(corners, color, 0.5), Polygon(path, color, 0.95)]


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
    return [Polygon(quads(feet, tops, half_width * np.eye(3)[axis]), LEG_COLOR) for axis in (0, 1)]


def _hanging_net(corners, axis, color):
    """The mesh of an upright rectangle, and the tape along its top."""
    height = float(np.ptp(corners[:, 2]))
    tape = min(TAPE[0], TAPE[1] * height)
    top = corners[np.argsort(corners[:, 2])[2:]] - np.array([0.0, 0.0, tape / 2])
    along = (top[1] - top[0]) / np.linalg.norm(top[1] - top[0]) * tape / 2
    band = path_quads(np.array([top[0] + along, top[1] - along]), tape, np.eye(3)[axis])
    return [*mesh(corners, height / NET_ROWS, color), Polygon(band, LIGHT_LINE_COLOR, 0.95)]
