"""Everything that stands still, painted once per camera: the ground, then one layer for each part of the scene."""

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ballcast.render import raster
from ballcast.render.camera import NEAR_PLANE, Perspective
from ballcast.render.scene import Scene
from ballcast.render.shapes import Occluder, Polygon, one_path
from ballcast.sim.jit import strict

if TYPE_CHECKING:
    from ballcast.sim.view import CameraView

FLOOR_DOWNSCALE = 8  # pixels of the picture per pixel in which the floor is shaded
TABLE_SHADOW_STRENGTH = 0.45  # how much darker the floor is under a table
SHADOW_SOFTNESS = 0.12  # m, the softness of that shadow
SHADOW_END = 4.5  # softnesses from a table's edge to where its shadow has ended: tanh(4.5) = 0.9998
FADED = 20.0  # where the floor has faded so far that nothing of it is seen: exp(-20) of it
LAYER_SPARE = 1.3  # memory of a layer's image, of what it takes now: it grows while the camera moves
FAR_PIXELS = 1e4  # px from the middle of the picture; polygons are cut there


Outlined = tuple[Polygon, np.ndarray]  # a polygon and its outline (M, 2) px in the picture


@dataclass(frozen=True, eq=False)
class Layer:
    """An occluder as an image (W, H) uint32 of premultiplied colours, and its corner (x, y) px in the picture."""

    occluder: Occluder
    image: np.ndarray
    corner: tuple[int, int]
    memory: np.ndarray  # (N,) uint32, in which the image is


@dataclass(eq=False)
class Backdrop:
    """The images of one camera. `whole` is ground and layers together, for when nothing is hidden.

    Both are painted when the camera shows a second picture: for one picture alone they would only be copied.
    """

    eye: np.ndarray  # (3,) m
    floor: np.ndarray  # (w, h) uint32, to be enlarged by FLOOR_DOWNSCALE
    walls: list[Outlined]
    layers: tuple[Layer, ...]  # far to near
    coverage_buffer: np.ndarray  # for raster.fill
    size: tuple[int, int]  # of the picture, px
    memory: dict[str, np.ndarray]  # name -> (W, H) uint32, for `ground` and `whole`
    is_used: bool = False

    @classmethod
    def of(cls, scene: Scene, view: "CameraView", camera: Perspective, old: "Backdrop | None" = None) -> "Backdrop":
        """The backdrop of a scene; view: the sport's View, for the colour of its background.

        old: a backdrop that is not used any more. Its memory is: new memory takes as long as the painting.
        """
        reused = old if old is not None and old.size == camera.size else None
        buffer = _coverage_buffer(camera.size)
        floor = _paint_floor(scene, view, camera, reused.floor if reused else None)
        occluders = scene.far_to_near(camera.eye)
        walls, *parts = _outlines([scene.walls, *(occluder.polygons for occluder in occluders)], camera)
        layers, memories = [], [layer.memory for layer in reused.layers] if reused else []
        for occluder, part in zip(occluders, parts):
            if layer := rasterise(part, camera.size, buffer, memories):
                layers.append(Layer(occluder, *layer))
        memory = reused.memory if reused else {}
        return cls(camera.eye, floor, walls, tuple(layers), buffer, camera.size, memory)

    @functools.cached_property
    def ground(self) -> np.ndarray:
        """The floor and the walls, (W, H) uint32."""
        return self._paint_ground(self._picture("ground"))

    @functools.cached_property
    def whole(self) -> np.ndarray:
        """Ground and layers together, (W, H) uint32."""
        pixels = self._paint_ground(self._picture("whole"))
        for layer in self.layers:
            raster.composite(pixels, layer.image, *layer.corner)
        return pixels

    def _picture(self, name):
        if name not in self.memory:
            self.memory[name] = raster.new_picture(self.size)
        return self.memory[name]

    def _paint_ground(self, pixels):
        """Fill a picture (W, H) uint32 with the floor and the walls; returns it."""
        raster.enlarge(pixels, self.floor, FLOOR_DOWNSCALE)
        _fill(pixels, self.walls, self.coverage_buffer)
        return pixels

    def occluding_layer(self, points: np.ndarray, xy: np.ndarray, margin: float) -> np.ndarray:
        """The index (N,) of the first layer that hides each point (N, 3) m at xy (N, 2) px; len(layers) for none.

        margin  px round a layer within which it may hide something of an object's size
        """
        first, (x, y) = np.full(len(points), len(self.layers)), xy.T
        for i in reversed(range(len(self.layers))):
            (left, top), (width, height) = self.layers[i].corner, self.layers[i].image.shape
            inside_x = (x >= left - margin) & (x <= left + width + margin)
            nearby = np.flatnonzero(inside_x & (y >= top - margin) & (y <= top + height + margin))
            if len(nearby):
                first[nearby[self.layers[i].occluder.occludes(self.eye, points[nearby])]] = i
        return first

    def paint(self, pixels: np.ndarray, layer_indices: set[int], draw_layer: Callable[[int], None]) -> None:
        """Fill the picture; draw_layer(i) paints what layer i hides, and at last what no layer hides."""
        last = len(self.layers)
        if layer_indices <= {last} and self.is_used:
            pixels[...] = self.whole
        else:
            if self.is_used:
                pixels[...] = self.ground
            else:
                self._paint_ground(pixels)
            for index, layer in enumerate(self.layers):
                if index in layer_indices:
                    draw_layer(index)
                raster.composite(pixels, layer.image, *layer.corner)
        draw_layer(last)
        self.is_used = True


@functools.lru_cache(maxsize=1)
def _coverage_buffer(size):
    """The memory of raster.fill for pictures of a size; it is all zero after each use, so that all can share it."""
    return raster.make_coverage_buffer(size)


def rasterise(
    outlined: Sequence[Outlined], size: tuple[int, int], buffer: np.ndarray, memories: list[np.ndarray]
) -> tuple[np.ndarray, tuple[int, int], np.ndarray] | None:
    """Polygons, painted in their order, as (image, its corner in px, its memory); None if none is in sight.

    size      of the picture, px
    buffer    of raster.make_coverage_buffer, for a picture of this size
    memories  of layers that are not used any more: the image takes the first that is large enough

    The image (W, H) uint32 is cropped to the picture; it has premultiplied colours, as raster.composite takes it.
    """
    if not outlined:
        return None
    corners = np.concatenate([outline for _, outline in outlined])
    low = np.maximum(np.floor(corners.min(axis=0)) - 2, 0).astype(int)
    high = np.minimum(np.ceil(corners.max(axis=0)) + 2, size).astype(int)
    if (high <= low).any():
        return None
    width, height = (high - low).tolist()
    memory = _memory(width * height, memories)
    memory[: width * height] = 0
    image = memory[: width * height].reshape(height, width).T
    _fill(image, outlined, buffer, low)
    return image, tuple(low.tolist()), memory


def _memory(pixels, memories):
    """The first of some memories that has at least so many pixels, taken out of them; else a new, larger one."""
    fitting = [index for index, memory in enumerate(memories) if len(memory) >= pixels]
    return memories.pop(fitting[0]) if fitting else np.zeros(int(LAYER_SPARE * pixels), np.uint32)


def _fill(image, outlined, buffer, corner=0):
    """Paint polygons in their order into an image whose corner is at `corner` (2,) px of the picture."""
    if outlined:
        polygons, outlines = zip(*outlined)
        corners, starts = np.concatenate(outlines) - corner, np.cumsum([0, *map(len, outlines)])
        colors, alphas = np.array([p.color for p in polygons], float), np.array([p.alpha for p in polygons], float)
        raster.fill_each(image, corners, starts, colors, alphas, buffer)


def _outlines(parts, camera):
    """Of each part, a list of polygons, those that face the camera and are before it, as Outlined."""
    parts = [[p for p in part if p.is_front_facing(camera.eye)] for part in parts]
    pieces = [polygon.points.reshape(-1, 3) for part in parts for polygon in part]
    local = (np.concatenate([np.empty((0, 3)), *pieces]) - camera.eye) @ camera.basis.T
    widest = FAR_PIXELS / camera.focal_length
    inside = (local[:, 2] > NEAR_PLANE) & (np.abs(local[:, :2]) < widest * local[:, 2:]).all(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        pixels, all_inside, end = _pixels(local, camera), inside.all(), 0
    found = []
    for part in parts:
        found.append([])
        for polygon in part:
            start, end = end, end + polygon.points.size // 3
            size = polygon.points.shape[-2]
            if all_inside or inside[start:end].all():
                found[-1].append((polygon, _joined(pixels[start:end].reshape(-1, size, 2))))
            elif groups := _in_sight(local[start:end].reshape(-1, size, 3), camera):
                found[-1].append((polygon, _outline(groups, camera)))
    return found


def _outline(groups, camera):
    """Polygons in the camera's axes, in groups (K, N, 3), as one closed path (M, 2) px."""
    if len(groups) == 1:
        return _joined(_pixels(groups[0], camera))
    return one_path([_same_turn(_pixels(group, camera)) for group in groups])


def _joined(outlines):
    """Outlines (K, N, 2) px as one closed path (M, 2) px, as one_path makes it, all with the same sense of rotation."""
    return outlines[0] if len(outlines) == 1 else _join(outlines)


@strict
def _join(outlines):
    """As one_path([_same_turn(outlines)]), but fast."""
    count, corners = outlines.shape[0], outlines.shape[1]
    path = np.empty((count * (corners + 2), 2))
    for k in range(count):
        outline, begin = outlines[k], k * (corners + 1)
        is_reversed = raster.doubled_signed_area(outline) < 0.0
        for n in range(corners):
            path[begin + n] = outline[corners - 1 - n if is_reversed else n]
        path[begin + corners] = path[begin]
        path[len(path) - 1 - k] = path[begin]
    return path


def _in_sight(local, camera):
    """Polygons (K, N, 3) in the camera's axes, in groups, without those beyond an edge of the picture, and cut."""
    right, down = (np.array(camera.size) - camera.principal_point) / camera.focal_length
    left, up = -camera.principal_point / camera.focal_length
    x, y, depth = np.moveaxis(local, 2, 0)
    beyond = depth <= NEAR_PLANE, x > right * depth, x < left * depth, y > down * depth, y < up * depth
    local = local[~np.any([side.all(axis=1) for side in beyond], axis=0)]
    widest = FAR_PIXELS / camera.focal_length
    near_axis = (np.abs(local[..., :2]) < widest * local[..., 2:]).all(axis=(1, 2))
    whole = near_axis & (local[..., 2] > NEAR_PLANE).all(axis=1)
    groups = [local[whole], *(_clip(polygon, widest)[None] for polygon in local[~whole])]
    return [group for group in groups if group.size]


def _pixels(local, camera):
    """Points (..., 3) in the camera's axes as pixels (..., 2)."""
    return camera.principal_point + camera.focal_length * local[..., :2] / local[..., 2:]


def _same_turn(outlines):
    """Outlines (K, N, 2) px, those that turn the other way round reversed."""
    (x, y), (next_x, next_y) = np.moveaxis(outlines, 2, 0), np.moveaxis(np.roll(outlines, -1, axis=1), 2, 0)
    return np.where(((x * next_y - next_x * y).sum(axis=1) < 0)[:, None, None], outlines[:, ::-1], outlines)


def _clip(local, widest):
    """The part (M, 3) of a polygon (N, 3) in the camera's axes before it and not too far to its sides; perhaps none."""
    sides = ((1, 0, widest), (-1, 0, widest), (0, 1, widest), (0, -1, widest))
    for plane, offset in (((0, 0, 1), NEAR_PLANE * 1.0001), *((side, 0.0) for side in sides)):
        height = local @ np.array(plane, float) - offset
        kept = height >= 0
        if not kept.all():
            before, drop = np.roll(local, 1, axis=0), np.roll(height, 1)
            crosses = kept != np.roll(kept, 1)
            fraction = drop / np.where(crosses, drop - height, 1.0)
            ends = np.stack([before + fraction[:, None] * (local - before), local], axis=1)
            local = ends[np.stack([crosses, kept], axis=1)]
    return local


def _paint_floor(scene, view, camera, memory):
    """The lowest layer, coarse, (w, h) uint32: the background and a floor that fades into it."""
    coarse = raster.new_picture([-(-side // FLOOR_DOWNSCALE) + 1 for side in camera.size]) if memory is None else memory
    background = np.array(view.background, float)
    tables = [occluder.vertices[[0, 2], :2].ravel() for occluder in scene.occluders if occluder.level]
    height, color = (-np.inf, background) if scene.floor is None else (scene.floor.high[2], scene.floor.color)
    projection = camera.eye, camera.basis, camera.focal_length, camera.principal_point, camera.size[1]
    floor = background, np.array(color, float), float(height), scene.low, scene.high, scene.fade_distance
    _shade_floor(coarse, *projection, *floor, np.array(tables).reshape(-1, 4))
    return coarse


@raster.inlined_strict
def _pack_shade(vertical_gradient, background, color, floor_alpha, light):
    """A pixel of the background with a floor over it."""
    packed = 0
    for k in range(3):
        shade = vertical_gradient * background[k]
        packed = packed << 8 | int(min(max(shade + floor_alpha * (color[k] * light - shade), 0.0), 255.0))
    return packed


@strict
def _shade_floor(
    coarse, eye, basis, focal_length, principal_point, image_height,
    background, color, height, low, high, fade_distance, tables,
):  # fmt: skip
    """Shade a coarse picture, FLOOR_DOWNSCALE px to a pixel: the background, and the floor, dark below tables (K, 4).

    The floor is at `height` m; outside low ... high (2,) m it fades away over `fade_distance` m.
    """
    start, step = np.empty(2), np.empty(2)
    for j in range(coarse.shape[1]):
        v = (j + 0.5) * FLOOR_DOWNSCALE
        vertical_gradient = 1.25 - 0.45 * v / image_height
        plain = _pack_shade(vertical_gradient, background, color, 0.0, 1.0)
        down = (v - principal_point[1]) / focal_length
        drop = down * basis[1, 2] + basis[2, 2]  # the picture's rows are level: it is the same in a whole row
        if drop >= -1e-6 or eye[2] <= height or height == -np.inf:
            coarse[:, j] = plain
            continue
        reach = (height - eye[2]) / drop
        for k in range(2):
            start[k] = eye[k] + reach * (down * basis[1, k] + basis[2, k])
            step[k] = reach * basis[0, k] / focal_length
        for i in range(coarse.shape[0]):
            u = (i + 0.5) * FLOOR_DOWNSCALE - principal_point[0]
            x, y = start[0] + u * step[0], start[1] + u * step[1]
            falloff = (max(low[0] - x, x - high[0], 0.0) / fade_distance) ** 2
            falloff += (max(low[1] - y, y - high[1], 0.0) / fade_distance) ** 2
            if falloff > FADED:
                coarse[i, j] = plain
                continue
            floor_alpha, light = 1.0, 1.0
            if falloff > 0.0:
                root = math.exp(-falloff / 16)  # one exponential for both: its powers 16 and 13
                fourth = root * root * root * root
                floor_alpha, light = fourth * fourth * fourth * fourth, 0.62 + 0.38 * fourth * fourth * fourth * root
            for table in tables:
                depth = min(x - table[0], y - table[1], table[2] - x, table[3] - y) / SHADOW_SOFTNESS
                if depth > SHADOW_END:
                    light *= 1.0 - TABLE_SHADOW_STRENGTH
                elif depth > -SHADOW_END:
                    light *= 1.0 - TABLE_SHADOW_STRENGTH * (0.5 + 0.5 * math.tanh(depth))
            coarse[i, j] = _pack_shade(vertical_gradient, background, color, floor_alpha, light)
