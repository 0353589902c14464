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
from ballcast.render.scene import Part
from ballcast.sim.jit import exact

COARSE = 6  # pixels of the picture to one of the smooth floor's
TABLE_SHADOW = 0.45  # how much darker the floor is under a table
SOFT = 0.12  # m, the softness of that shadow


@dataclass(frozen=True, eq=False)
class Layer:
    part: Part
    image: pygame.Surface
    corner: tuple  # px


@dataclass(frozen=True, eq=False)
class Backdrop:
    eye: np.ndarray  # (3,) m
    ground: pygame.Surface
    layers: tuple  # of Layer, far to near
    whole: pygame.Surface  # all of it, for when nothing is hidden
    room: np.ndarray  # for raster.fill

    @classmethod
    def of(cls, place, view, camera):
        ground = _floor(place, view, camera)
        if walls := painted([p for p in place.walls if p.faces(camera.eye)], camera):
            ground.blit(*walls, special_flags=pygame.BLEND_PREMULTIPLIED)
        layers = []
        for part in sorted(place.parts, key=lambda part: part.order(camera.eye)):
            if layer := painted([p for p in part.patches if p.faces(camera.eye)], camera):
                layers.append(Layer(part, *layer))
        whole = ground.copy()
        for layer in layers:
            whole.blit(layer.image, layer.corner, special_flags=pygame.BLEND_PREMULTIPLIED)
        return cls(camera.eye, ground, tuple(layers), whole, raster.room_for(camera.size))

    def hidden(self, points, xy, edge):
        """The number of the first layer that hides each point (N, 3) m at xy (N, 2) px; len(layers) for none.

        edge  px round a layer within which a thing, as large as it is, may be hidden by it
        """
        first, (x, y) = np.full(len(points), len(self.layers)), xy.T
        for i in reversed(range(len(self.layers))):
            (left, top), (wide, high) = self.layers[i].corner, self.layers[i].image.get_size()
            inside = (x >= left - edge) & (x <= left + wide + edge) & (y >= top - edge) & (y <= top + high + edge)
            over = np.flatnonzero(inside)
            if len(over):
                first[over[self.layers[i].part.hides(self.eye, points[over])]] = i
        return first

    def paint(self, surface, slots, pour):
        """Fill the surface; pour(slot) paints the things of a slot: before that layer, or last, before none."""
        last = len(self.layers)
        surface.blit(self.whole if slots <= {last} else self.ground, (0, 0))
        for slot, layer in enumerate(() if slots <= {last} else self.layers):
            if slot in slots:
                pour(slot)
            surface.blit(layer.image, layer.corner, special_flags=pygame.BLEND_PREMULTIPLIED)
        pour(last)


def painted(patches, camera):
    """Patches in their order as (image, its corner in px), no larger than it must be; None when none is in sight.

    The image holds colours already multiplied by their alpha; blit it with pygame.BLEND_PREMULTIPLIED.
    """
    outlines = [camera.outline(patch.points) for patch in patches]
    corners = np.concatenate([*outlines, np.empty((0, 2))])
    if not len(corners):
        return None
    low = np.maximum(np.floor(corners.min(axis=0)) - 2, 0).astype(int)
    high = np.minimum(np.ceil(corners.max(axis=0)) + 2, camera.size).astype(int)
    if (high <= low).any():
        return None
    image = pygame.Surface(tuple(high - low), pygame.SRCALPHA)
    starts = np.cumsum([0, *map(len, outlines)])
    colors, alphas = np.array([p.color for p in patches], float), np.array([p.alpha for p in patches], float)
    room = raster.room_for(image.get_size())
    raster.fill_each(pygame.surfarray.pixels2d(image), corners - low, starts, colors, alphas, room)
    return image, tuple(low.tolist())


def _floor(place, view, camera):
    """The picture's lowest layer: the sky and a floor that fades into it, as an opaque image."""
    size = -(-camera.size[0] // COARSE) + 1, -(-camera.size[1] // COARSE) + 1
    sky, pixels = np.array(view.background, float), np.empty((size[1], size[0], 3), np.uint8)
    tables = np.array([part.vertices[[0, 2], :2].ravel() for part in place.parts if part.level]).reshape(-1, 4)
    height, color = (-np.inf, sky) if place.floor is None else (place.floor.high[2], np.array(place.floor.color, float))
    seen = camera.eye, camera.axes, camera.focal, camera.centre, camera.size[1]
    _light(pixels, *seen, sky, color, height, place.low, place.high, place.reach, tables)
    coarse = pygame.image.frombuffer(pixels, size, "RGB")
    ground = pygame.Surface(camera.size)
    ground.blit(pygame.transform.smoothscale(coarse, (size[0] * COARSE, size[1] * COARSE)), (0, 0))
    return ground


@exact
def _light(pixels, eye, axes, focal, centre, tall, sky, color, height, low, high, reach, tables):
    """Fill pixels (H, W, 3), each COARSE wide, with the sky and the floor, lit in the middle, dark below tables (K, 4).

    The floor is at `height` m; it fades away, over `reach` m, outside of low ... high (2,) m.
    """
    ray, spot = np.empty(3), np.empty(2)
    for j in range(pixels.shape[0]):
        v = (j + 0.5) * COARSE
        dusk = 1.25 - 0.45 * v / tall
        for i in range(pixels.shape[1]):
            u = (i + 0.5) * COARSE
            for k in range(3):
                ray[k] = ((u - centre[0]) * axes[0, k] + (v - centre[1]) * axes[1, k]) / focal + axes[2, k]
            share, light = 0.0, 1.0
            if ray[2] < -1e-6 and eye[2] > height:
                far = 0.0
                for k in range(2):
                    spot[k] = eye[k] + ray[k] * (height - eye[2]) / ray[2]
                    far += (max(low[k] - spot[k], spot[k] - high[k], 0.0) / reach) ** 2
                share, light = math.exp(-far), 0.62 + 0.38 * math.exp(-0.81 * far)
                for table in tables:
                    depth = min(spot[0] - table[0], spot[1] - table[1], table[2] - spot[0], table[3] - spot[1])
                    light *= 1.0 - TABLE_SHADOW * (0.5 + 0.5 * math.tanh(min(max(depth / SOFT, -9.0), 9.0)))
            for k in range(3):
                shade = dusk * sky[k]
                pixels[j, i, k] = np.uint8(min(max(shade + share * (color[k] * light - shade), 0.0), 255.0))
