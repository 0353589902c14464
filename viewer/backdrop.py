"""All of the place that stands still, painted once for each camera: the ground, then one layer for each part.

    backdrop = Backdrop.of(place, sport.view, camera)
    screen.blit(backdrop.ground, (0, 0))
    for layer in backdrop.layers: ...        # far to near; what is behind a layer is drawn before it

Polygons are drawn twice as large and scaled down, which smooths their edges. Layers hold colours already multiplied by
their alpha; blit them with pygame.BLEND_PREMULTIPLIED.
"""

from dataclasses import dataclass

import numpy as np
import pygame

from viewer.scene import Part

FINE = 2  # times the picture's size that polygons are drawn at
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
    ground: pygame.Surface
    layers: tuple  # of Layer, far to near

    @classmethod
    def of(cls, place, view, camera):
        ground = _floor(place, view, camera)
        if walls := painted([p for p in place.walls if p.faces(camera.eye)], camera):
            ground.blit(*walls, special_flags=pygame.BLEND_PREMULTIPLIED)
        layers = []
        for part in sorted(place.parts, key=lambda part: part.order(camera.eye)):
            if layer := painted([p for p in part.patches if p.faces(camera.eye)], camera):
                layers.append(Layer(part, *layer))
        return cls(ground, tuple(layers))


def painted(patches, camera):
    """Patches in their order as (image, its corner in px), no larger than it must be; None when none is in sight."""
    outlines = [camera.outline(patch.points) for patch in patches]
    corners = np.concatenate([*outlines, np.empty((0, 2))])
    if not len(corners):
        return None
    low = np.maximum(np.floor(corners.min(axis=0)) - 2, 0).astype(int)
    high = np.minimum(np.ceil(corners.max(axis=0)) + 2, camera.size).astype(int)
    if (high <= low).any():
        return None
    large = pygame.Surface(tuple((high - low) * FINE), pygame.SRCALPHA)
    for patch, outline in zip(patches, outlines):
        if len(outline):
            color = [round(c * patch.alpha) for c in (*patch.color, 255)]
            corners = ((outline - low) * FINE).tolist()
            pygame.draw.polygon(large, color, corners)
            pygame.draw.aalines(large, color, True, corners)
    return pygame.transform.smoothscale(large, tuple(high - low)), tuple(low.tolist())


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
