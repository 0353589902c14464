"""Everything that stands still, painted once per camera: the ground, then one layer for each part of the scene."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ballcast.render import raster
from ballcast.render.camera import OrbitCamera
from ballcast.render.scene import Scene
from ballcast.render.shapes import Occluder, Polygon
from ballcast.sim.jit import strict

if TYPE_CHECKING:
    from ballcast.sim.view import CameraView

FLOOR_DOWNSCALE = 6  # pixels of the picture per pixel in which the floor is shaded
TABLE_SHADOW_STRENGTH = 0.45  # how much darker the floor is under a table
SHADOW_SOFTNESS = 0.12  # m, the softness of that shadow


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
    def of(cls, scene: Scene, view: "CameraView", camera: OrbitCamera) -> "Backdrop":
        """The backdrop of a scene; view: the sport's View, for the colour of its background."""
        ground = _floor(scene, view, camera)
        if walls := rasterise([p for p in scene.walls if p.is_front_facing(camera.eye)], camera):
            raster.composite(ground, walls[0], *walls[1])
        layers = []
        for occluder in sorted(scene.occluders, key=lambda occluder: occluder.depth_key(camera.eye)):
            if layer := rasterise([p for p in occluder.polygons if p.is_front_facing(camera.eye)], camera):
                layers.append(Layer(occluder, *layer))
        whole = ground.copy(order="F")
        for layer in layers:
            raster.composite(whole, layer.image, *layer.corner)
        return cls(camera.eye, ground, tuple(layers), whole, raster.make_coverage_buffer(camera.size))

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


def rasterise(polygons: Sequence[Polygon], camera: OrbitCamera) -> tuple[np.ndarray, tuple[int, int]] | None:
    """Polygons, painted in their order, as (image, its corner in px), cropped to the picture; None if none is in sight.

    The image (W, H) uint32 has premultiplied colours, as raster.composite takes it.
    """
    outlines = [_outline(polygon.points, camera) for polygon in polygons]
    corners = np.concatenate([*outlines, np.empty((0, 2))])
    if not len(corners):
        return None
    low = np.maximum(np.floor(corners.min(axis=0)) - 2, 0).astype(int)
    high = np.minimum(np.ceil(corners.max(axis=0)) + 2, camera.size).astype(int)
    if (high <= low).any():
        return None
    image, starts = raster.new_picture(high - low), np.cumsum([0, *map(len, outlines)])
    colors, alphas = np.array([p.color for p in polygons], float), np.array([p.alpha for p in polygons], float)
    raster.fill_each(image, corners - low, starts, colors, alphas, raster.make_coverage_buffer(image.shape))
    return image, tuple(low.tolist())


def _outline(points, camera):
    """The pixels (M, 2) of a polygon (N, 3), or of a strip (K, N, 3) as one closed path through all its polygons.

    The ways between them are gone there and back, so that they enclose nothing. All turn the same way round: two that
    cross add up, and raster.fill takes more than 1 for 1.
    """
    if points.ndim == 2:
        return camera.project_polygon(points)
    xy, _ = camera.project(points.reshape(-1, 3))
    xy, visible = np.clip(xy, -2e4, 2e4).reshape(*points.shape[:2], 2), np.isfinite(xy[:, 0]).reshape(points.shape[:2])
    cut = [camera.project_polygon(points[i]) for i in np.flatnonzero(visible.any(axis=1) & ~visible.all(axis=1))]
    loops = [_same_turn(xy[visible.all(axis=1)]), *(_same_turn(outline[None]) for outline in cut if len(outline))]
    path = np.concatenate([loop.reshape(-1, 2) for loop in loops])
    return np.concatenate([path, *(loop[::-1, 0] for loop in reversed(loops))])


def _same_turn(outlines):
    """Outlines (K, N, 2) px as closed loops (K, N + 1, 2), all in the same sense of rotation."""
    (x, y), (next_x, next_y) = np.moveaxis(outlines, 2, 0), np.moveaxis(np.roll(outlines, -1, axis=1), 2, 0)
    loops = np.where(((x * next_y - next_x * y).sum(axis=1) < 0)[:, None, None], outlines[:, ::-1], outlines)
    return np.concatenate([loops, loops[:, :1]], axis=1)


def _floor(scene, view, camera):
    """The lowest layer (W, H) uint32: the background and a floor that fades into it."""
    coarse = raster.new_picture([-(-side // FLOOR_DOWNSCALE) + 1 for side in camera.size])
    background = np.array(view.background, float)
    tables = [occluder.vertices[[0, 2], :2].ravel() for occluder in scene.occluders if occluder.level]
    height, color = (-np.inf, background) if scene.floor is None else (scene.floor.high[2], scene.floor.color)
    projection = camera.eye, camera.basis, camera.focal_length, camera.principal_point, camera.size[1]
    floor = background, np.array(color, float), float(height), scene.low, scene.high, scene.fade_distance
    _shade_floor(coarse, *projection, *floor, np.array(tables).reshape(-1, 4))
    ground = raster.new_picture(camera.size)
    raster.enlarge(ground, coarse, FLOOR_DOWNSCALE)
    return ground


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
