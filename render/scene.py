"""The scene of a sport as polygons, made from its TOML alone: a floor, walls, and occluders that can hide a ball.

What the TOML does not contain is derived: a level rectangle is a board with some thickness; an upright one of small
restitution is drawn as a net, any other as glass.
"""

import dataclasses
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ballcast.render.palette import DARK_LINE_COLOR, LEG_COLOR, LIGHT_LINE_COLOR

if TYPE_CHECKING:
    from ballcast.sim.sport import Sport, Surface

NET_RESTITUTION = 0.2  # restitution below which an upright rectangle is a net
EDGE_MARGIN = 0.03  # of the extent: how far past a rectangle's edge a ball still counts as behind it
Color = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class Polygon:
    """A flat polygon of one colour. With normals (3,) or (K, 3), painted if one points to the camera."""

    points: np.ndarray  # (N, 3) m
    color: Color
    alpha: float = 1.0
    normal: np.ndarray | None = None

    def is_front_facing(self, eye: np.ndarray) -> bool:
        return self.normal is None or bool(np.any(self.normal @ (eye - self.points[0]) > 0))


@dataclass(frozen=True, eq=False)
class Occluder:
    """Polygons painted together, in their order, that can hide what is behind them."""

    polygons: tuple[Polygon, ...]
    vertices: np.ndarray  # (V, 3) m
    axis: int | None = None  # in which a rectangle is flat; None: a thin part, whose nearest vertex decides
    level: bool = False  # horizontal, and painted first

    def occludes(self, eye: np.ndarray, points: np.ndarray) -> np.ndarray:
        """Which points (N, 3) m this hides from a camera at `eye` (3,) m."""
        if self.axis is None:
            gaps = np.linalg.norm(points[:, None] - self.vertices, axis=-1)
            nearest = np.linalg.norm(self.vertices - eye, axis=-1)[gaps.argmin(axis=1)]
            return np.linalg.norm(points - eye, axis=-1) > nearest
        low, high = self.vertices.min(axis=0), self.vertices.max(axis=0)
        offset, margin = low[self.axis], EDGE_MARGIN * (high - low).max()
        eye_side, point_side = eye[self.axis] - offset, points[:, self.axis] - offset
        crosses = eye_side * point_side < -1e-9
        fraction = eye_side / np.where(crosses, eye_side - point_side, 1.0)
        intersection = eye + fraction[:, None] * (points - eye)
        return crosses & ((intersection >= low - margin) & (intersection <= high + margin)).all(axis=1)

    def depth_key(self, eye: np.ndarray) -> tuple[bool, float]:
        """Sort key: level occluders first, then from far to near."""
        return (not self.level, -float(np.linalg.norm(self.vertices.mean(axis=0) - eye)))


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
        lines = [end for line in sport.view.lines for end in _line_bounds(line)]
        corners = [corner for s in sport.surfaces for corner in _bounds(s.low, s.high, s.radius)]
        corners = np.array([sport.view.target, *lines, *corners])
        bounded = np.where(np.isfinite(corners), corners, np.nan)
        low, high = np.nanmin(bounded, axis=0), np.nanmax(bounded, axis=0)
        planes = [s for s in sport.surfaces if s.kind == "plane"]
        has_walls = any(_flat(s) != 2 for s in planes)
        floor = None if has_walls else next((s for s in planes if s.supports), None)
        width = min(0.05, 0.007 * (high - low)[:2].max()) * (1.0 if floor else 0.4)  # m, of a line; edges are thinner
        walls, occluders, surface_lines = [], [], defaultdict(list)
        for line in sport.view.lines:
            surface_lines[next(_surfaces_under(line, sport.surfaces), None)].append(line)
        for i, surface in enumerate(sport.surfaces):
            lines = [p for line in surface_lines[i] for p in _line(line, surface, width)]
            if surface.kind == "plane":
                walls += lines if surface is floor else [_wall(surface, low, high)]
            elif surface.kind == "ring":
                occluders += _ring(surface)
            else:
                occluders.append(_occluder(surface, lines, width, floor))
        if floor is None:
            walls += _wall_lines(sport, low, high, width)
        walls += [p for line in surface_lines[None] for p in _line(line, None, width)]
        distance = float(np.linalg.norm(np.subtract(sport.view.eye, sport.view.target)))
        fade_distance = 0.45 * max((high - low)[:2].max(), distance)
        return cls(floor, tuple(walls), tuple(occluders), low[:2], high[:2], fade_distance)


def support_height(sport: "Sport", point: np.ndarray) -> float | None:
    """Height (m) of the highest surface below a ball's centre (3,) m that can support it, or None."""
    x, y, z = point
    over = [s for s in sport.surfaces if s.low[0] <= x <= s.high[0] and s.low[1] <= y <= s.high[1]]
    return max((s.high[2] for s in over if s.supports and s.high[2] <= z), default=None)


def _bounds(low, high, radius=0.0):
    """Two corners (3,) that bound everything within a horizontal radius of a box."""
    extent = np.array([radius, radius, 0.0])
    return np.array(low) - extent, np.array(high) + extent


def _line_bounds(line):
    first, second = line
    return _bounds(first, first, second) if np.isscalar(second) else _bounds(first, second)


def _flat(surface):
    """The axis in which a plane or rectangle is flat."""
    return int(np.flatnonzero(np.equal(surface.low, surface.high))[0])


def _surfaces_under(line, surfaces):
    ends = np.array(_line_bounds(line))
    for i, s in enumerate(surfaces):
        on = s.kind in ("plane", "rectangle") and (ends >= np.array(s.low) - 1e-6) & (ends <= np.array(s.high) + 1e-6)
        if np.all(on):
            yield i


def scale_brightness(color: Color, factor: float) -> Color:
    red, green, blue = (int(min(255, max(0, round(c * factor)))) for c in color)
    return red, green, blue


def band(start: np.ndarray, end: np.ndarray, across: np.ndarray, color: Color, alpha: float = 1.0) -> Polygon:
    """A straight band from start to end, whose half width is the vector `across`."""
    points = np.array([start - across, start + across, end + across, end - across])
    return Polygon(points, color, alpha)


def _line(line, surface, width):
    is_bright = surface is not None and np.dot(surface.color, (0.299, 0.587, 0.114)) > 170
    color = DARK_LINE_COLOR if is_bright else LIGHT_LINE_COLOR
    normal = np.eye(3)[_flat(surface) if surface is not None else 2]
    alpha = 1.0 if surface is not None else 0.25
    first, second = np.array(line[0]), line[1]
    if not np.isscalar(second):
        along = np.array(second) - first
        across = np.cross(normal, along)
        if not across.any():
            across = np.cross((1.0, 0.0, 0.0), along)
        return [band(first, np.array(second), across / np.linalg.norm(across) * width / 2, color, alpha)]
    angle = np.linspace(0, 2 * np.pi, 65)
    rim = np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=1)
    inner, outer = first + rim * (second - width / 2), first + rim * (second + width / 2)
    return [Polygon(np.array([inner[i], outer[i], outer[i + 1], inner[i + 1]]), color, alpha) for i in range(64)]


def _wall(surface, low, high):
    """A plane, clipped to the scene, painted if the camera is inside."""
    bounds = (surface.low, low), (surface.high, high)
    corners = _corners(*(np.where(np.isfinite(own), own, scene) for own, scene in bounds))
    return Polygon(corners, surface.color, 1.0, _inward(surface, low, high))


def _inward(surface, low, high):
    """The normal (3,) of a wall, towards the middle of low and high."""
    axis = _flat(surface)
    return np.eye(3)[axis] * (1.0 if 2 * surface.low[axis] <= low[axis] + high[axis] else -1.0)


def _wall_lines(sport, low, high, width):
    """The lines on walls, painted if the camera is on the inner side of one of their walls."""
    polygons = []
    for line in sport.view.lines:
        walls = [s for s in (sport.surfaces[i] for i in _surfaces_under(line, sport.surfaces)) if s.kind == "plane"]
        if walls:
            inward = np.array([_inward(wall, low, high) for wall in walls])
            polygons += [dataclasses.replace(polygon, normal=inward) for polygon in _line(line, walls[0], width)]
    return polygons


def _corners(low, high):
    """The corners (4, 3) of an axis-parallel rectangle."""
    a, b = (i for i in range(3) if low[i] != high[i])
    corners = np.tile(np.asarray(low, float), (4, 1))
    corners[1:3, a], corners[2:4, b] = high[a], high[b]
    return corners


def _occluder(surface, lines, width, floor):
    """A rectangle or bar as an occluder; a level one gets legs if the floor is below it."""
    low, high = np.array(surface.low), np.array(surface.high)
    if surface.kind == "bar":
        return _bar(low, high, max(surface.rod, 0.01), surface.color)
    corners, axis = _corners(low, high), _flat(surface)
    if axis == 2:
        legs = _legs(low, high, floor.high[2]) if floor and floor.high[2] < low[2] else ()
        return Occluder((*legs, *_board(corners, surface.color), *lines), corners, 2, True)
    if surface.restitution.e < NET_RESTITUTION:
        return Occluder((*_net(low, high, width, surface.color), *lines), corners, axis)
    edges = []
    for a, b in zip(corners, np.roll(corners, -1, axis=0)):
        across = np.cross(np.eye(3)[axis], b - a)
        edges.append(band(a, b, across / np.linalg.norm(across) * (width / 2), surface.color, 0.95))
    return Occluder((Polygon(corners, surface.color, 0.5), *edges, *lines), corners, axis)


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
    polygons = []
    for x in (low[0] + inset[0], high[0] - inset[0]):
        for y in (low[1] + inset[1], high[1] - inset[1]):
            foot, top = np.array([x, y, ground]), np.array([x, y, low[2]])
            polygons += [band(foot, top, np.eye(3)[axis] * half_width, LEG_COLOR) for axis in (0, 1)]
    return polygons


def _net(low, high, width, color):
    long_axis = int(np.argmax((high - low)[:2]))
    along, up = np.eye(3)[long_axis] * (high - low), np.eye(3)[2] * (high - low)
    cell = up[2] / 8
    thread = 0.08 * cell
    polygons = [Polygon(_corners(low, high), color, 0.12)]
    for fraction in np.linspace(0, 1, max(2, round(along.sum() / cell)) + 1):
        foot = low + fraction * along
        polygons.append(band(foot, foot + up, np.eye(3)[long_axis] * thread, color, 0.42))
    for fraction in np.linspace(0, 1, 9)[:-1]:
        polygons.append(band(low + fraction * up, low + fraction * up + along, np.eye(3)[2] * thread, color, 0.42))
    tape = low + up * (1 - 0.6 * width / up[2])
    return [*polygons, band(tape, tape + along, np.eye(3)[2] * 0.6 * width, LIGHT_LINE_COLOR, 0.95)]


def _bar(low, high, rod, color):
    long_axis = int(np.argmax(high - low))
    sides = [np.eye(3)[i] * rod for i in range(3) if i != long_axis]
    polygons = (band(low, high, side, scale_brightness(color, light)) for side, light in zip(sides, (0.85, 1.0)))
    return Occluder(tuple(polygons), np.linspace(low, high, 24))


def _ring(surface, arcs=8, pieces=6):
    """A ring in arcs, so that a ball can be behind one and in front of another; each is a level and an upright band."""
    angle = np.linspace(0, 2 * np.pi, arcs * pieces + 1)
    rim = np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=1)
    centre, rod, up = np.array(surface.low), max(surface.rod, 0.015), np.array([0, 0, max(surface.rod, 0.015)])
    circle = centre + rim * surface.radius
    inner, outer = centre + rim * (surface.radius - rod), centre + rim * (surface.radius + rod)
    occluders = []
    for arc in range(arcs):
        polygons = []
        for i in range(arc * pieces, (arc + 1) * pieces):
            side = np.array([circle[i] - up, circle[i] + up, circle[i + 1] + up, circle[i + 1] - up])
            polygons.append(Polygon(side, scale_brightness(surface.color, 0.8)))
            polygons.append(Polygon(np.array([inner[i], outer[i], outer[i + 1], inner[i + 1]]), surface.color))
        occluders.append(Occluder(tuple(polygons), circle[arc * pieces : (arc + 1) * pieces + 1]))
    return occluders
