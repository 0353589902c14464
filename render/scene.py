"""A sport's place as things to paint, made from its TOML alone: a floor, walls, and parts that can hide a ball.

    place = Place.of(sport)
    place.parts[0].hides(eye, points)        # (N,) bool

What the TOML does not say is derived: a level rectangle is a board with some thickness, an upright one that takes
nearly all of a ball's bounce is cloth and drawn as a net, other upright ones are glass.
"""

import dataclasses
from dataclasses import dataclass

import numpy as np

CLOTH = 0.2  # restitution below which an upright rectangle is a net
MARGIN = 0.03  # of the extent: how far past a rectangle's edge a ball still counts as behind it
WHITE, DARK, LEG = (226, 231, 236), (62, 72, 84), (30, 33, 38)


@dataclass(frozen=True, eq=False)
class Patch:
    """A flat polygon of one colour. With a normal, (3,) or (K, 3), painted where the eye is on that (a) side."""

    points: np.ndarray  # (N, 3) m
    color: tuple
    alpha: float = 1.0
    normal: np.ndarray | None = None

    def faces(self, eye):
        return self.normal is None or bool(np.any(self.normal @ (eye - self.points[0]) > 0))


@dataclass(frozen=True, eq=False)
class Part:
    """Patches painted together, in their order, that can hide what is behind them.

    axis is the flat axis of a rectangle, with its low and high (3,) m; None for a thin thing (a ring's arc, a bar),
    which hides what is farther away than its nearest vertex.
    """

    patches: tuple
    vertices: np.ndarray  # (V, 3) m
    axis: int | None = None
    level: bool = False

    def hides(self, eye, points):
        """Which points (N, 3) lie behind this part, seen from the eye (3,)."""
        if self.axis is None:
            gaps = np.linalg.norm(points[:, None] - self.vertices, axis=-1)
            nearest = np.linalg.norm(self.vertices - eye, axis=-1)[gaps.argmin(axis=1)]
            return np.linalg.norm(points - eye, axis=-1) > nearest
        low, high = self.vertices.min(axis=0), self.vertices.max(axis=0)
        at, edge = low[self.axis], MARGIN * (high - low).max()
        ahead, behind = eye[self.axis] - at, points[:, self.axis] - at
        across = ahead * behind < -1e-9
        part = ahead / np.where(across, ahead - behind, 1.0)
        hit = eye + part[:, None] * (points - eye)
        return across & ((hit >= low - edge) & (hit <= high + edge)).all(axis=1)

    def order(self, eye):
        """Sort key: level things first, then from far to near."""
        return (not self.level, -np.linalg.norm(self.vertices.mean(axis=0) - eye))


@dataclass(frozen=True, eq=False)
class Place:
    """floor: the level plane without walls round it, or None; walls: patches behind everything; parts: what hides.

    low, high (2,) m bound what there is across and along; `reach` (m) is how far past that the floor fades away.
    """

    floor: object
    walls: tuple
    parts: tuple
    low: np.ndarray
    high: np.ndarray
    reach: float

    @classmethod
    def of(cls, sport):
        lines = [end for line in sport.view.lines for end in _ends(line)]
        corners = np.array([sport.view.target, *lines, *(c for s in sport.surfaces for c in _reach(s))])
        bounded = np.where(np.isfinite(corners), corners, np.nan)
        low, high = np.nanmin(bounded, axis=0), np.nanmax(bounded, axis=0)
        floor = next((s for s in sport.surfaces if _is_floor(s, sport.surfaces)), None)
        width = min(0.05, 0.007 * (high - low)[:2].max()) * (1.0 if floor else 0.4)  # m, of a line; edges are thinner
        walls, parts, drawn = [], [], {i: [] for i in range(len(sport.surfaces))}
        for line in sport.view.lines:
            drawn.setdefault(next(iter(_owners(line, sport.surfaces)), None), []).append(line)
        for i, surface in enumerate(sport.surfaces):
            lines = [p for line in drawn[i] for p in _line(line, surface, width)]
            if surface.kind == "plane":
                walls += lines if surface is floor else [_wall(surface, low, high)]
            elif surface.kind == "ring":
                parts += _ring(surface)
            else:
                parts.append(_solid(surface, lines, width, floor))
        if floor is None:
            walls += _edges(sport, low, high, width)
        walls += [p for line in drawn.get(None, []) for p in _line(line, None, width)]
        reach = 0.45 * max((high - low)[:2].max(), np.linalg.norm(np.subtract(sport.view.eye, sport.view.target)))
        return cls(floor, tuple(walls), tuple(parts), low[:2], high[:2], reach)


def below(sport, point):
    """Height (m) of the highest surface that carries, below a ball's centre (3,); None where there is none."""
    heights = [
        s.high[2]
        for s in sport.surfaces
        if s.carries and s.high[2] <= point[2] and all(s.low[i] <= point[i] <= s.high[i] for i in (0, 1))
    ]
    return max(heights, default=None)


# --- what there is ----------------------------------------------------------------------------------------------------


def _reach(surface):
    """Two corners (3,) that bound a surface."""
    out = np.array([surface.radius, surface.radius, 0.0])
    return np.array(surface.low) - out, np.array(surface.high) + out


def _ends(line):
    """Two corners (3,) that bound a line or circle."""
    first, second = line
    out = np.array([second, second, 0.0]) if np.isscalar(second) else None
    return (np.array(first), np.array(second)) if out is None else (np.array(first) - out, np.array(first) + out)


def _flat(surface):
    """The axis in which a plane or rectangle is flat."""
    return int(np.flatnonzero(np.equal(surface.low, surface.high))[0])


def _is_floor(surface, surfaces):
    """A level plane that no walls bound."""
    walls = [s for s in surfaces if s.kind == "plane" and _flat(s) != 2]
    return surface.kind == "plane" and surface.carries and not walls


def _owners(line, surfaces):
    """Indices of the surfaces on which a line is drawn."""
    ends = np.array(_ends(line))
    for i, s in enumerate(surfaces):
        on = s.kind in ("plane", "rectangle") and (ends >= np.array(s.low) - 1e-6) & (ends <= np.array(s.high) + 1e-6)
        if np.all(on):
            yield i


# --- patches ----------------------------------------------------------------------------------------------------------


def shade(color, factor):
    """A colour made darker or lighter."""
    return tuple(int(min(255, max(0, round(c * factor)))) for c in color)


def _contrast(color):
    """Lines on a bright thing are dark."""
    return DARK if np.dot(color, (0.299, 0.587, 0.114)) > 170 else WHITE


def ribbon(start, end, across, color, alpha=1.0, normal=None):
    """A straight band from start to end, whose half width is the vector `across`."""
    points = np.array([start - across, start + across, end + across, end - across])
    return Patch(points, color, alpha, normal)


def _line(line, surface, width):
    """The patches of a line or circle that lies on a surface (or on none)."""
    color = WHITE if surface is None else _contrast(surface.color)
    normal = np.eye(3)[_flat(surface) if surface is not None else 2]
    alpha = 1.0 if surface is not None else 0.25
    first, second = np.array(line[0]), line[1]
    if not np.isscalar(second):
        along = np.array(second) - first
        across = np.cross(normal, along)
        if not across.any():
            across = np.cross((1.0, 0.0, 0.0), along)
        return [ribbon(first, np.array(second), across / np.linalg.norm(across) * width / 2, color, alpha)]
    angle = np.linspace(0, 2 * np.pi, 65)
    rim = np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=1)
    inner, outer = first + rim * (second - width / 2), first + rim * (second + width / 2)
    return [Patch(np.array([inner[i], outer[i], outer[i + 1], inner[i + 1]]), color, alpha) for i in range(64)]


def _wall(surface, low, high):
    """A plane cut off where the place ends, painted where it is seen from inside."""
    inward = _inward(surface, low, high)
    low, high = (np.where(np.isfinite(mine), mine, all) for mine, all in ((surface.low, low), (surface.high, high)))
    return Patch(_corners(low, high), surface.color, 1.0, inward)


def _inward(surface, low, high):
    """The normal (3,) of a wall, into the place between low and high."""
    axis = _flat(surface)
    return np.eye(3)[axis] * (1.0 if 2 * surface.low[axis] <= low[axis] + high[axis] else -1.0)


def _edges(sport, low, high, width):
    """The lines on walls, painted where any of their walls is seen from inside."""
    patches = []
    for line in sport.view.lines:
        walls = [s for s in (sport.surfaces[i] for i in _owners(line, sport.surfaces)) if s.kind == "plane"]
        if walls:
            inward = np.array([_inward(wall, low, high) for wall in walls])
            patches += [dataclasses.replace(patch, normal=inward) for patch in _line(line, walls[0], width)]
    return patches


def _corners(low, high):
    """The corners (4, 3) of an axis-parallel rectangle."""
    a, b = (i for i in range(3) if low[i] != high[i])
    corners = np.tile(np.asarray(low, float), (4, 1))
    corners[1:3, a], corners[2:4, b] = high[a], high[b]
    return corners


def _solid(surface, lines, width, floor):
    """A rectangle or bar as a part; a level one stands on the floor, if there is one below it."""
    low, high = np.array(surface.low), np.array(surface.high)
    if surface.kind == "bar":
        return _bar(low, high, max(surface.rod, 0.01), surface.color)
    corners, axis = _corners(low, high), _flat(surface)
    if axis == 2:
        legs = _legs(low, high, floor.high[2]) if floor and floor.high[2] < low[2] else ()
        return Part((*legs, *_slab(corners, surface.color), *lines), corners, 2, True)
    if surface.restitution.e < CLOTH:
        return Part((*_net(low, high, width, surface.color), *lines), corners, axis)
    edges = [
        ribbon(a, b, _across(a, b, axis, width / 2), surface.color, 0.95)
        for a, b in zip(corners, np.roll(corners, -1, axis=0))
    ]
    return Part((Patch(corners, surface.color, 0.5), *edges, *lines), corners, axis)


def _slab(corners, color):
    """A level board: its sides, then its top (or its underside, seen from below)."""
    up = np.array([0.0, 0.0, 1.0])
    thick = 0.015 * np.ptp(corners, axis=0).max() * up
    patches = [Patch(corners - thick, shade(color, 0.35), 1.0, -up)]
    for a, b in zip(corners, np.roll(corners, -1, axis=0)):
        out = np.cross(b - a, up)
        patches.append(Patch(np.array([a, b, b - thick, a - thick]), shade(color, 0.55), 1.0, out))
    return [*patches, Patch(corners, color, 1.0, up)]


def _legs(low, high, ground):
    """Four legs under a level board, each as two bands that cross."""
    inset, thick = 0.12 * (high - low), 0.009 * (high - low).max()
    patches = []
    for x in (low[0] + inset[0], high[0] - inset[0]):
        for y in (low[1] + inset[1], high[1] - inset[1]):
            foot, top = np.array([x, y, ground]), np.array([x, y, low[2]])
            patches += [ribbon(foot, top, np.eye(3)[axis] * thick, LEG) for axis in (0, 1)]
    return patches


def _net(low, high, width, color):
    """An upright net: mesh, and a band along its top."""
    wide = int(np.argmax((high - low)[:2]))
    along, up = np.eye(3)[wide] * (high - low), np.eye(3)[2] * (high - low)
    cell = up[2] / 8
    thread = 0.08 * cell
    patches = [Patch(_corners(low, high), color, 0.12)]
    for part in np.linspace(0, 1, max(2, round(along.sum() / cell)) + 1):
        patches.append(ribbon(low + part * along, low + part * along + up, np.eye(3)[wide] * thread, color, 0.42))
    for part in np.linspace(0, 1, 9)[:-1]:
        patches.append(ribbon(low + part * up, low + part * up + along, np.eye(3)[2] * thread, color, 0.42))
    band = low + up * (1 - 0.6 * width / up[2])
    return [*patches, ribbon(band, band + along, np.eye(3)[2] * 0.6 * width, WHITE, 0.95)]


def _across(a, b, axis, half):
    """The half width of a band from a to b in the plane that is flat in `axis`."""
    across = np.cross(np.eye(3)[axis], b - a)
    return across / np.linalg.norm(across) * half


def _bar(low, high, rod, color):
    """A round bar as two bands that cross."""
    length = int(np.argmax(high - low))
    sides = [np.eye(3)[i] * rod for i in range(3) if i != length]
    patches = [ribbon(low, high, side, shade(color, tone)) for side, tone in zip(sides, (0.85, 1.0))]
    return Part(tuple(patches), np.linspace(low, high, 24))


def _ring(surface, arcs=8, pieces=6):
    """A ring in arcs, so that a ball can be behind one and in front of another. A level and an upright band each."""
    angle = np.linspace(0, 2 * np.pi, arcs * pieces + 1)
    rim = np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=1)
    centre, rod, up = np.array(surface.low), max(surface.rod, 0.015), np.array([0, 0, max(surface.rod, 0.015)])
    circle = centre + rim * surface.radius
    inner, outer = centre + rim * (surface.radius - rod), centre + rim * (surface.radius + rod)
    parts = []
    for arc in range(arcs):
        patches = []
        for i in range(arc * pieces, (arc + 1) * pieces):
            side = np.array([circle[i] - up, circle[i] + up, circle[i + 1] + up, circle[i + 1] - up])
            patches.append(Patch(side, shade(surface.color, 0.8)))
            patches.append(Patch(np.array([inner[i], outer[i], outer[i + 1], inner[i + 1]]), surface.color))
        parts.append(Part(tuple(patches), circle[arc * pieces : (arc + 1) * pieces + 1]))
    return parts
