"""All of the place that stands still, painted once for each camera: the ground, then one layer for each part.

backdrop = Backdrop.of(place, sport.view, camera)
slots = backdrop.hidden(points, xy, 40)          # the layer that hides each point
backdrop.paint(screen, set(slots), pour)         # pour(slot) paints what that layer hides, before the layer
"""

from dataclasses import dataclass

import numpy as np
import pygame

from viewer import raster
from viewer.scene import Part

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
    width, height = -(-camera.size[0] // COARSE) + 1, -(-camera.size[1] // COARSE) + 1
    x, y = np.meshgrid((np.arange(width) + 0.5) * COARSE, (np.arange(height) + 0.5) * COARSE)
    sky = np.array(view.background, np.float32)
    color = sky * (1.25 - 0.45 * (y / camera.size[1]))[..., None].astype(np.float32)
    if place.floor is not None:
        rays = camera.rays(np.stack([x, y], axis=-1))
        share, light = _lit(place, camera.eye.astype(np.float32), rays)
        color += share[..., None] * (np.array(place.floor.color, np.float32) * light[..., None] - color)
    pixels = np.clip(color, 0, 255).astype(np.uint8)
    coarse = pygame.image.frombuffer(np.ascontiguousarray(pixels), (width, height), "RGB")
    large = pygame.transform.smoothscale(coarse, (width * COARSE, height * COARSE))
    ground = pygame.Surface(camera.size)
    ground.blit(large, (0, 0))
    return ground.convert()


def _lit(place, eye, rays):
    """For each ray: how much of the floor it sees (fading away from the place), and how light the floor is there."""
    height = np.float32(place.floor.high[2])
    down = np.minimum(rays[..., 2], -1e-6)
    spot = eye[:2] + rays[..., :2] * ((height - eye[2]) / down)[..., None]  # where the ray meets the floor
    outside = np.maximum(np.maximum(place.low - spot, spot - place.high), 0)
    far = np.hypot(outside[..., 0], outside[..., 1]) / place.reach
    share = np.where((rays[..., 2] < 0) & (eye[2] > height), np.exp(-(far**2)), 0)
    light = 0.62 + 0.38 * np.exp(-((far * 0.9) ** 2))
    for part in place.parts:
        if part.level:
            light = light * (1 - TABLE_SHADOW * _inside(spot, *part.vertices[[0, 2], :2]))
    return share.astype(np.float32), light.astype(np.float32)


def _inside(spot, low, high):
    """1 within a rectangle, 0 outside, soft between."""
    depth = np.minimum(spot - low, high - spot).min(axis=-1)
    return 0.5 + 0.5 * np.tanh(np.clip(depth / SOFT, -9, 9))
