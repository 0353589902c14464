"""Everything that stands still, painted once per camera: the ground, then one layer for each part of the scene."""

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ballcast.render import raster
from ballcast.render.camera import NEAR_PLANE, OrbitCamera
from ballcast.render.scene import Scene
from ballcast.render.shapes import Occluder, Polygon, one_path
from ballcast.sim.jit import strict

if TYPE_CHECKING:
    from ballcast.sim.view import CameraView

FLOOR_DOWNSCALE = 6  # pixels of the picture per pixel in which the floor is shaded
TABLE_SHADOW_STRENGTH = 0.45  # how much darker the floor is under a table
SHADOW_SOFTNESS = 0.12  # m, the softness of that shadow
FAR_PIXELS = 1e4  # px from the middle of the picture; polygons are cut there


@dataclass(frozen=True, eq=False)
class Layer:
    """An occluder as an image (W, H) uint32 of premultiplied colours, and its corner (x, y) px in the picture."""

    occluder: Occluder
    image: np.ndarray
    corner: tuple[int, int]


@dataclass(frozen=True, eq=False)
class Backdrop:
    """The images of one camera: `whole` is ground and layers together, for when nothing is hidden."""

    eye: np.ndarray  # (3,) m
    ground: np.ndarray  # (W, H) uint32
    layers: tuple[Layer, ...]  # far to near
    whole: np.ndarray  # (W, H) uint32
    coverage_buffer: np.ndarray  # for raster.fill

    @classmethod
    def of(cls, scene: Scene, view: "CameraView", camera: OrbitCamera, old: "Backdrop | None" = None) -> "Backdrop":
        """The backdrop of a scene; view: the sport's View, for the colour of its background.

        old: a backdrop that is not used any more. Its memory is: new memory takes as long as the painting.
        """
        reused = old if old is not None and old.ground.shape == tuple(camera.size) else None
        ground = reused.ground if reused else raster.new_picture(camera.size)
        _paint_floor(ground, scene, view, camera)
        buffer = _coverage_buffer(camera.size)
        shown, outlines = _outlines([p for p in scene.walls if p.is_front_facing(camera.eye)], camera)
        _fill(ground, shown, outlines, buffer)
        layers = []
        for occluder in scene.far_to_near(camera.eye):
            if layer := rasterise([p for p in occluder.polygons if p.is_front_facing(camera.eye)], camera, buffer):
                layers.append(Layer(occluder, *layer))
        whole = ground
        if layers:
            whole = raster.new_picture(camera.size) if not reused or reused.whole is ground else reused.whole
            whole[...] = ground
        for layer in layers:
            raster.composite(whole, layer.image, *layer.corner)
        return cls(camera.eye, ground, tuple(layers), whole, buffer)

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
        if layer_indices <= {last}:
            pixels[...] = self.whole
        else:
            pixels[...] = self.ground
            for index, layer in enumerate(self.layers):
                if index in layer_indices:
                    draw_layer(index)
                raster.composite(pixels, layer.image, *layer.corner)
        draw_layer(last)


@functools.lru_cache(maxsize=1)
def _coverage_buffer(size):
    """The memory of raster.fill for pictures of a size; it is all zero after each use, so that all can share it."""
    return raster.make_coverage_buffer(size)


def rasterise(
    polygons: Sequence[Polygon], camera: OrbitCamera, buffer: np.ndarray
) -> tuple[np.ndarray, tuple[int, int]] | None:
    """Polygons, painted in their order, as (image, its corner in px), cropped to the picture; None if none is in sight.

    buffer  of raster.make_coverage_buffer, for a picture of the camera's size

    The image (W, H) uint32 has premultiplied colours, as raster.composite takes it.
    """
    shown, outlines = _outlines(polygons, camera)
    corners = np.concatenate([*outlines, np.empty((0, 2))])
    if not len(corners):
        return None
    low = np.maximum(np.floor(corners.min(axis=0)) - 2, 0).astype(int)
    high = np.minimum(np.ceil(corners.max(axis=0)) + 2, camera.size).astype(int)
    if (high <= low).any():
        return None
    image = raster.new_picture(high - low)
    _fill(image, shown, [outline - low for outline in outlines], buffer)
    return image, tuple(low.tolist())


def _fill(image, polygons, outlines, buffer):
    """Paint polygons, in their order, whose outlines are in pixels of the image."""
    if polygons:
        corners, starts = np.concatenate(outlines), np.cumsum([0, *map(len, outlines)])
        colors, alphas = np.array([p.color for p in polygons], float), np.array([p.alpha for p in polygons], float)
        raster.fill_each(image, corners, starts, colors, alphas, buffer)


def _outlines(polygons, camera):
    """The polygons that are before the camera, and their outlines (M, 2) px."""
    pieces = [polygon.points.reshape(-1, 3) for polygon in polygons]
    local = (np.concatenate([np.empty((0, 3)), *pieces]) - camera.eye) @ camera.basis.T
    widest = FAR_PIXELS / camera.focal_length
    inside = (local[:, 2] > NEAR_PLANE) & (np.abs(local[:, :2]) < widest * local[:, 2:]).all(axis=1)
    all_inside, end, found = inside.all(), 0, []
    for polygon, piece in zip(polygons, pieces):
        start, end = end, end + len(piece)
        groups = [local[start:end].reshape(-1, *polygon.points.shape[-2:])]
        if not (all_inside or inside[start:end].all()):
            groups = _in_sight(groups[0], camera)
        if groups:
            found.append((polygon, _outline(groups, camera)))
    return [polygon for polygon, _ in found], [outline for _, outline in found]


def _outline(groups, camera):
    """Polygons in the camera's axes, in groups (K, N, 3), as one closed path (M, 2) px."""
    if len(groups) == 1 and len(groups[0]) == 1:
        return _pixels(groups[0][0], camera)
    return one_path([_same_turn(_pixels(group, camera)) for group in groups])


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


def _paint_floor(ground, scene, view, camera):
    """Fill the lowest layer (W, H) uint32: the background and a floor that fades into it."""
    coarse = raster.new_picture([-(-side // FLOOR_DOWNSCALE) + 1 for side in camera.size])
    background = np.array(view.background, float)
    tables = [occluder.vertices[[0, 2], :2].ravel() for occluder in scene.occluders if occluder.level]
    height, color = (-np.inf, background) if scene.floor is None else (scene.floor.high[2], scene.floor.color)
    projection = camera.eye, camera.basis, camera.focal_length, camera.principal_point, camera.size[1]
    floor = background, np.array(color, float), float(height), scene.low, scene.high, scene.fade_distance
    _shade_floor(coarse, *projection, *floor, np.array(tables).reshape(-1, 4))
    raster.enlarge(ground, coarse, FLOOR_DOWNSCALE)


@strict
def _shade_floor(
    coarse, eye, basis, focal_length, principal_point, image_height,
    background, color, height, low, high, fade_distance, tables,
):  # fmt: skip
    """Shade a coarse picture, FLOOR_DOWNSCALE px to a pixel: the background, and the floor, dark below tables (K, 4).

    The floor is at `height` m; outside low ... high (2,) m it fades away over `fade_distance` m.
    """
    ray, floor_point = np.empty(3), np.empty(2)
    for j in range(coarse.shape[1]):
        v = (j + 0.5) * FLOOR_DOWNSCALE
        vertical_gradient = 1.25 - 0.45 * v / image_height
        for i in range(coarse.shape[0]):
            u = (i + 0.5) * FLOOR_DOWNSCALE
            for k in range(3):
                across = (u - principal_point[0]) * basis[0, k] + (v - principal_point[1]) * basis[1, k]
                ray[k] = across / focal_length + basis[2, k]
            floor_alpha, light = 0.0, 1.0
            if ray[2] < -1e-6 and eye[2] > height:
                falloff = 0.0
                for k in range(2):
                    floor_point[k] = eye[k] + ray[k] * (height - eye[2]) / ray[2]
                    falloff += (max(low[k] - floor_point[k], floor_point[k] - high[k], 0.0) / fade_distance) ** 2
                floor_alpha, light = math.exp(-falloff), 0.62 + 0.38 * math.exp(-0.81 * falloff)
                for table in tables:
                    depth = min(floor_point[0] - table[0], floor_point[1] - table[1],
                                table[2] - floor_point[0], table[3] - floor_point[1])  # fmt: skip
                    shadow = 0.5 + 0.5 * math.tanh(min(max(depth / SHADOW_SOFTNESS, -9.0), 9.0))
                    light *= 1.0 - TABLE_SHADOW_STRENGTH * shadow
            packed = 0
            for k in range(3):
                shade = vertical_gradient * background[k]
                packed = packed << 8 | int(min(max(shade + floor_alpha * (color[k] * light - shade), 0.0), 255.0))
            coarse[i, j] = packed
