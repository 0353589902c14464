"""All of the place that stands still, painted once for each camera: the ground, then one layer for each part.

backdrop = Backdrop.of(place, sport.view, camera)
slots = backdrop.hidden(points, xy, 40)          # the layer that hides each point
backdrop.paint(screen, set(slots), pour)         # pour(slot) paints what that layer hides, before the layer
"""

import math
from dataclasses import dataclass

import numpy as np
import pygame

from ballcast.render import raster
from ballcast.render.scene import Occluder
from ballcast.sim.jit import strict

FLOOR_DOWNSCALE = 6  # pixels of the picture to one of the smooth floor's
TABLE_SHADOW_STRENGTH = 0.45  # how much darker the floor is under a table
SHADOW_SOFTNESS = 0.12  # m, the softness of that shadow


@dataclass(frozen=True, eq=False)
class Layer:
    occluder: Occluder
    image: pygame.Surface
    corner: tuple  # px


@dataclass(frozen=True, eq=False)
class Backdrop:
    eye: np.ndarray  # (3,) m
    ground: pygame.Surface
    layers: tuple  # of Layer, far to near
    whole: pygame.Surface  # all of it, for when nothing is hidden
    coverage_buffer: np.ndarray  # for raster.fill

    @classmethod
    def of(cls, scene, view, camera):
        ground = _floor(scene, view, camera)
        if walls := rasterise([p for p in scene.walls if p.is_front_facing(camera.eye)], camera):
            ground.blit(*walls, special_flags=pygame.BLEND_PREMULTIPLIED)
        layers = []
        for occluder in sorted(scene.occluders, key=lambda occluder: occluder.depth_key(camera.eye)):
            if layer := rasterise([p for p in occluder.polygons if p.is_front_facing(camera.eye)], camera):
                layers.append(Layer(occluder, *layer))
        whole = ground.copy()
        for layer in layers:
            whole.blit(layer.image, layer.corner, special_flags=pygame.BLEND_PREMULTIPLIED)
        return cls(camera.eye, ground, tuple(layers), whole, raster.make_coverage_buffer(camera.size))

    def occluding_layer(self, points, xy, margin):
        """The number of the first layer that hides each point (N, 3) m at xy (N, 2) px; len(layers) for none.

        edge  px round a layer within which a thing, as large as it is, may be hidden by it
        """
        first, (x, y) = np.full(len(points), len(self.layers)), xy.T
        for i in reversed(range(len(self.layers))):
            (left, top), (width, height) = self.layers[i].corner, self.layers[i].image.get_size()
            inside = (
                (x >= left - margin) & (x <= left + width + margin) & (y >= top - margin) & (y <= top + height + margin)
            )
            nearby = np.flatnonzero(inside)
            if len(nearby):
                first[nearby[self.layers[i].occluder.occludes(self.eye, points[nearby])]] = i
        return first

    def paint(self, surface, layer_indices, draw_layer):
        """Fill the surface; pour(slot) paints the things of a slot: before that layer, or last, before none."""
        last = len(self.layers)
        surface.blit(self.whole if layer_indices <= {last} else self.ground, (0, 0))
        for layer_index, layer in enumerate(() if layer_indices <= {last} else self.layers):
            if layer_index in layer_indices:
                draw_layer(layer_index)
            surface.blit(layer.image, layer.corner, special_flags=pygame.BLEND_PREMULTIPLIED)
        draw_layer(last)


def rasterise(polygons, camera):
    """Patches in their order as (image, its corner in px), no larger than it must be; None when none is in sight.

    The image holds colours already multiplied by their alpha; blit it with pygame.BLEND_PREMULTIPLIED.
    """
    outlines = [camera.project_polygon(polygon.points) for polygon in polygons]
    corners = np.concatenate([*outlines, np.empty((0, 2))])
    if not len(corners):
        return None
    low = np.maximum(np.floor(corners.min(axis=0)) - 2, 0).astype(int)
    high = np.minimum(np.ceil(corners.max(axis=0)) + 2, camera.size).astype(int)
    if (high <= low).any():
        return None
    image = pygame.Surface(tuple(high - low), pygame.SRCALPHA)
    starts = np.cumsum([0, *map(len, outlines)])
    colors, alphas = np.array([p.color for p in polygons], float), np.array([p.alpha for p in polygons], float)
    coverage_buffer = raster.make_coverage_buffer(image.get_size())
    raster.fill_each(pygame.surfarray.pixels2d(image), corners - low, starts, colors, alphas, coverage_buffer)
    return image, tuple(low.tolist())


def _floor(scene, view, camera):
    """The picture's lowest layer: the sky and a floor that fades into it, as an opaque image."""
    size = -(-camera.size[0] // FLOOR_DOWNSCALE) + 1, -(-camera.size[1] // FLOOR_DOWNSCALE) + 1
    background, pixels = np.array(view.background, float), np.empty((size[1], size[0], 3), np.uint8)
    tables = np.array(
        [occluder.vertices[[0, 2], :2].ravel() for occluder in scene.occluders if occluder.level]
    ).reshape(-1, 4)
    height, color = (
        (-np.inf, background) if scene.floor is None else (scene.floor.high[2], np.array(scene.floor.color, float))
    )
    projection = camera.eye, camera.basis, camera.focal_length, camera.principal_point, camera.size[1]
    _shade_floor(pixels, *projection, background, color, height, scene.low, scene.high, scene.fade_distance, tables)
    coarse = pygame.image.frombuffer(pixels, size, "RGB")
    ground = pygame.Surface(camera.size)
    ground.blit(pygame.transform.smoothscale(coarse, (size[0] * FLOOR_DOWNSCALE, size[1] * FLOOR_DOWNSCALE)), (0, 0))
    return ground


@strict
def _shade_floor(
    pixels,
    eye,
    basis,
    focal_length,
    principal_point,
    image_height,
    background,
    color,
    height,
    low,
    high,
    fade_distance,
    tables,
):
    """Fill pixels (H, W, 3), each COARSE wide, with the sky and the floor, lit in the middle, dark below tables (K, 4).

    The floor is at `height` m; it fades away, over `reach` m, outside of low ... high (2,) m.
    """
    ray, floor_point = np.empty(3), np.empty(2)
    for j in range(pixels.shape[0]):
        v = (j + 0.5) * FLOOR_DOWNSCALE
        vertical_gradient = 1.25 - 0.45 * v / image_height
        for i in range(pixels.shape[1]):
            u = (i + 0.5) * FLOOR_DOWNSCALE
            for k in range(3):
                ray[k] = (
                    (u - principal_point[0]) * basis[0, k] + (v - principal_point[1]) * basis[1, k]
                ) / focal_length + basis[2, k]
            floor_alpha, light = 0.0, 1.0
            if ray[2] < -1e-6 and eye[2] > height:
                falloff = 0.0
                for k in range(2):
                    floor_point[k] = eye[k] + ray[k] * (height - eye[2]) / ray[2]
                    falloff += (max(low[k] - floor_point[k], floor_point[k] - high[k], 0.0) / fade_distance) ** 2
                floor_alpha, light = math.exp(-falloff), 0.62 + 0.38 * math.exp(-0.81 * falloff)
                for table in tables:
                    depth = min(
                        floor_point[0] - table[0],
                        floor_point[1] - table[1],
                        table[2] - floor_point[0],
                        table[3] - floor_point[1],
                    )
                    light *= 1.0 - TABLE_SHADOW_STRENGTH * (
                        0.5 + 0.5 * math.tanh(min(max(depth / SHADOW_SOFTNESS, -9.0), 9.0))
                    )
            for k in range(3):
                shade = vertical_gradient * background[k]
                pixels[j, i, k] = np.uint8(min(max(shade + floor_alpha * (color[k] * light - shade), 0.0), 255.0))
