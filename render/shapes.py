"""What a scene is made of: flat polygons, and occluders, which are polygons that can hide a ball.

Lines, nets, rods and rings become many quadrilaterals of one colour that are painted as one outline: that is faster,
and where two of them cross nothing is painted twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ballcast.render.palette import LIGHT_LINE_COLOR

EDGE_MARGIN = 0.03  # of the extent: how far past a rectangle's edge a ball still counts as behind it
NET_ALPHA, MESH_ALPHA = 0.12, 0.42  # of the cloth of a net, and of its threads
THREAD = 0.16  # of a cell, the width of a thread
ROD_VERTICES = 24  # on all rods of one occluder, for what is behind and what before them
TUBE_STRANDS, TUBE_ROWS, TUBE_PARTS = 12, 5, 4  # threads round a tube, rows of nodes, occluders round it
TUBE_THREAD = 0.03  # of the upper radius, half the width of a thread
Color = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class Polygon:
    """A flat polygon of one colour, or K polygons that are painted together.

    With normals (3,) or (K, 3) it is painted if one of them points to the camera.
    """

    points: np.ndarray  # (N, 3) or (K, N, 3) m
    color: Color
    alpha: float = 1.0
    normal: np.ndarray | None = None

    def is_front_facing(self, eye: np.ndarray) -> bool:
        return self.normal is None or bool(np.any(self.normal @ (eye - self.points.reshape(-1, 3)[0]) > 0))


@dataclass(frozen=True, eq=False)
class Occluder:
    """Polygons painted together, in their order, that can hide what is behind them."""

    polygons: tuple[Polygon, ...]
    vertices: np.ndarray  # (V, 3) m
    normal: np.ndarray | None = None  # (3,) of a flat one; None: a thin part, whose nearest vertex decides
    level: bool = False  # horizontal, and painted first

    def occludes(self, eye: np.ndarray, points: np.ndarray) -> np.ndarray:
        """Which points (N, 3) m this hides from a camera at `eye` (3,) m."""
        if self.normal is None:
            gaps = np.linalg.norm(points[:, None] - self.vertices, axis=-1)
            nearest = np.linalg.norm(self.vertices - eye, axis=-1)[gaps.argmin(axis=1)]
            return np.linalg.norm(points - eye, axis=-1) > nearest
        low, high = self.vertices.min(axis=0), self.vertices.max(axis=0)
        margin = EDGE_MARGIN * (high - low).max()
        eye_side, point_side = (eye - self.vertices[0]) @ self.normal, (points - self.vertices[0]) @ self.normal
        crosses = eye_side * point_side < -1e-9
        fraction = eye_side / np.where(crosses, eye_side - point_side, 1.0)
        intersection = eye + fraction[:, None] * (points - eye)
        return crosses & ((intersection >= low - margin) & (intersection <= high + margin)).all(axis=1)

    def depth_key(self, eye: np.ndarray) -> tuple[bool, float]:
        """Sort key: level occluders first, then from far to near."""
        return (not self.level, -float(np.linalg.norm(self.vertices.mean(axis=0) - eye)))


def scale_brightness(color: Sequence[float], factor: float) -> Color:
    red, green, blue = (int(min(255, max(0, round(c * factor)))) for c in color)
    return red, green, blue


def one_path(groups: Sequence[np.ndarray]) -> np.ndarray:
    """Polygons, in groups (K, N, D), as one closed path (M, D) through them all.

    The ways between them are gone there and back, so that they enclose nothing. In a plane, polygons with the same
    sense of rotation are so painted as one: where two cross they add up, and raster.fill takes more than 1 for 1.
    """
    dimension = groups[0].shape[2]
    loops = [np.concatenate([group, group[:, :1]], axis=1).reshape(-1, dimension) for group in groups]
    return np.concatenate([*loops, *(group[::-1, 0] for group in reversed(groups))])


def quads(start: np.ndarray, end: np.ndarray, across: np.ndarray) -> np.ndarray:
    """The corners (K, 4, 3) of straight bands from start to end (K, 3), whose half widths are the vectors across."""
    start, end, across = np.broadcast_arrays(*map(np.atleast_2d, (start, end, across)))
    return np.stack([start - across, start + across, end + across, end - across], axis=1)


def path_quads(path: np.ndarray, width: float, normal: np.ndarray) -> np.ndarray:
    """A path (N, 3) as bands (N - 1, 4, 3) in the plane of a normal, mitred where they meet; its ends are square.

    A path along the normal gets bands across it. Where a path turns by more than 120 degrees its bands overlap.
    """
    along = np.diff(path, axis=0)
    along = along / np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-12)
    across = np.cross(normal, along)
    length = np.linalg.norm(across, axis=1, keepdims=True)
    across = np.where(length > 1e-6, across / np.maximum(length, 1e-12), np.eye(3)[int(np.argmin(np.abs(normal)))])
    is_closed = len(path) > 3 and np.allclose(path[0], path[-1])
    before, after = np.roll(across, 1, axis=0), np.roll(across, -1, axis=0)
    meets_before, meets_after = ((across * other).sum(axis=1) > -0.5 for other in (before, after))
    if not is_closed:
        meets_before[0] = meets_after[-1] = False
    sides = []
    for point, other, meets, out in ((path[:-1], before, meets_before, -1), (path[1:], after, meets_after, 1)):
        mitre = (across + other) / np.maximum(1 + (across * other).sum(axis=1, keepdims=True), 1e-12)
        middle = np.where(meets[:, None], point, point + out * along * width / 2)
        half = np.where(meets[:, None], mitre, across) * width / 2
        sides.append((middle - half, middle + half))
    (a, b), (d, c) = sides
    return np.stack([a, b, c, d], axis=1)


def rods(ends: np.ndarray, radius: float, color: Sequence[float], stripe: float | None = None) -> Occluder:
    """Round rods between pairs of points (K, 2, 3) as one occluder; each is two bands across each other."""
    vertices = np.concatenate([np.linspace(a, b, max(2, ROD_VERTICES // len(ends))) for a, b in ends])
    pieces = [(start, end, i % 2) for a, b in ends for i, (start, end) in enumerate(_stripes(a, b, stripe))]
    polygons = []
    for second, tone in ((0, color), (1, LIGHT_LINE_COLOR)):
        for k, light in ((0, 0.85), (1, 1.0)):
            bands = [quads(a, b, radius * _across(b - a)[k]) for a, b, which in pieces if which == second]
            if bands:
                polygons.append(Polygon(np.concatenate(bands), scale_brightness(tone, light)))
    return Occluder(tuple(polygons), vertices)


def _stripes(start, end, stripe):
    """Pieces (start, end) of a rod, each `stripe` m long; the whole rod without."""
    count = max(1, round(float(np.linalg.norm(end - start)) / stripe)) if stripe else 1
    nodes = np.linspace(start, end, count + 1)
    return list(zip(nodes[:-1], nodes[1:]))


def _across(along):
    """Two unit vectors at right angles to a direction and to each other; along an axis, along the other two axes."""
    axis = np.eye(3)[int(np.argmin(np.abs(along)))]
    first = np.cross(along, axis)
    first = first / max(float(np.linalg.norm(first)), 1e-12)
    second = np.cross(along, first)
    return first, second / max(float(np.linalg.norm(second)), 1e-12)


def mesh(corners: np.ndarray, cell: float, color: Sequence[float]) -> list[Polygon]:
    """The cloth and the threads of a flat net with corners (4, 3), its threads about a cell apart."""
    a, b, c, d = corners
    normal = _normal(corners)
    bands = []
    for first, second, third, fourth in ((a, b, d, c), (a, d, b, c)):  # threads from first-second to third-fourth
        length = max(float(np.linalg.norm(second - first)), float(np.linalg.norm(fourth - third)))
        fraction = np.linspace(0, 1, max(1, round(length / cell)) + 1)[:, None]
        start, end = first + fraction * (second - first), third + fraction * (fourth - third)
        across = np.cross(normal, end - start)
        across = across / np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-12)
        bands.append(quads(start, end, across * THREAD * cell / 2))
    tone = scale_brightness(color, 1.0)
    return [Polygon(corners, tone, NET_ALPHA), Polygon(one_path(bands), tone, MESH_ALPHA)]


def net(corners: np.ndarray, cell: float, color: Sequence[float]) -> Occluder:
    """A flat net that hangs free."""
    return Occluder(tuple(mesh(corners, cell, color)), corners, _normal(corners))


def _normal(corners):
    across = np.cross(corners[2] - corners[0], corners[3] - corners[1])
    return across / max(float(np.linalg.norm(across)), 1e-12)


def tube(rims: np.ndarray, radii: np.ndarray, color: Sequence[float]) -> list[Occluder]:
    """A net of diamonds between two level circles, in parts, so that a ball in it is behind one and before another."""
    height = np.linspace(0, 1, TUBE_ROWS)
    radius = radii[0] + (radii[1] - radii[0]) * np.sqrt(height)  # narrows most below the ring
    angle = 2 * np.pi * (np.arange(TUBE_STRANDS + 1) + 0.5 * (np.arange(TUBE_ROWS)[:, None] % 2)) / TUBE_STRANDS
    outward = np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=-1)  # (rows, strands + 1, 3)
    nodes = (rims[0] + height[:, None] * (rims[1] - rims[0]))[:, None] + radius[:, None, None] * outward
    size = TUBE_STRANDS // TUBE_PARTS
    return [_tube_part(nodes, outward, slice(first, first + size), color) for first in range(0, TUBE_STRANDS, size)]


def _tube_part(nodes, outward, own, color):
    """The threads that start at some strands; flat, for what is behind it and what before it."""
    start, end, out = [], [], []
    for row in range(len(nodes) - 1):
        ahead = 2 * (row % 2) - 1  # the row below is turned by half a strand, forwards or backwards
        for shift in (0, ahead):
            start.append(nodes[row, own])
            end.append(np.roll(nodes[row + 1, :-1], -shift, axis=0)[own])
            out.append(outward[row, own])
    begin, finish = np.concatenate(start), np.concatenate(end)
    across = np.cross(np.concatenate(out), finish - begin)
    width = TUBE_THREAD * np.linalg.norm(nodes[0, 0] - nodes[0].mean(axis=0))
    across *= width / np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-12)
    corners = nodes[:, own.start : own.stop + 1].reshape(-1, 3)
    facing = outward[0, own.start] + outward[0, own.stop]
    threads = Polygon(quads(begin, finish, across), scale_brightness(color, 1.0), 0.8)
    return Occluder((threads,), corners, facing / np.linalg.norm(facing))


def ring(centre: np.ndarray, radius: float, rod: float, color: Color, arcs: int = 8, pieces: int = 6) -> list[Occluder]:
    """A ring in arcs, so that a ball can be behind one and before another; each is a level and an upright strip."""
    angle = np.linspace(0, 2 * np.pi, arcs * pieces + 1)
    rim = np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=1)
    circle, up = centre + rim * radius, np.array([0, 0, rod])
    occluders = []
    for first in range(0, arcs * pieces, pieces):
        a, b = slice(first, first + pieces), slice(first + 1, first + pieces + 1)
        side = np.stack([circle[a] - up, circle[a] + up, circle[b] + up, circle[b] - up], axis=1)
        level = np.stack([circle[a] - rod * rim[a], circle[a] + rod * rim[a], circle[b] + rod * rim[b],
                          circle[b] - rod * rim[b]], axis=1)  # fmt: skip
        strips = Polygon(side, scale_brightness(color, 0.8)), Polygon(one_path([level]), scale_brightness(color, 1.0))
        occluders.append(Occluder(strips, circle[first : first + pieces + 1]))
    return occluders
