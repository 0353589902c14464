"""The place of a sport as a camera sees it, without players: floor, lines, table and net of render/, in a hall.

    place = PaintedPlace(sport, camera, rng)
    image = place.ground.copy()              # (H, W, 3) uint8: everything that hides nothing
    place.layers                             # what can hide a ball or a player, from far to near

render/ paints a level camera without distortion; the picture is then bent as the camera's lens does it. Round the place
stand boards and stands with people, drawn at random: a real picture is full of what is no ball.
"""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ballcast.render.backdrop import Backdrop
from ballcast.render.camera import FixedCamera
from ballcast.render.scene import Scene
from ballcast.tracks.camera import Camera
from ballcast.vision import textures

if TYPE_CHECKING:
    from ballcast.sim.sport import Sport

GRID = 8  # px between the rays that are computed; the others are interpolated
SPARE = 4  # px round the level picture
BOARD, STAND = 1.0, 9.0  # m, height of the boards, and of the stands above them
WALL_PIXELS = 60.0  # px per m of their pictures
ROOM = 2.0, 6.0  # m between the place and the boards, and over the size of a place of 10 m
MAX_WALL = 3000  # px, width of the picture of a wall


class Layer(NamedTuple):
    """What can hide a ball, as the camera sees it: a part of the image, and where it is."""

    image: np.ndarray  # (h, w, 3) uint8, premultiplied
    alpha: np.ndarray  # (h, w) float32, 0 to 1
    corner: tuple[int, int]  # px, left and top

    def paint(self, image: np.ndarray) -> None:
        """Paint it over an image (H, W, 3) uint8."""
        part = image[self.rows, self.columns]
        part[...] = self.image + (part * (1.0 - self.alpha[..., None]) + 0.5).astype(np.uint8)

    @property
    def rows(self) -> slice:
        return slice(self.corner[1], self.corner[1] + len(self.alpha))

    @property
    def columns(self) -> slice:
        return slice(self.corner[0], self.corner[0] + self.alpha.shape[1])


class PaintedPlace:
    """What stands still.

    ground  (H, W, 3) uint8
    layers  from far to near
    room    m between the place and the boards round it
    """

    def __init__(self, sport: "Sport", camera: Camera, random: np.random.Generator):
        self.scene, self.camera = Scene.of(sport), camera
        size = float((self.scene.high - self.scene.low).max())
        self.room = random.uniform(*ROOM) * max(1.0, size / 10.0)
        self._level, self._map = _level_camera(camera)
        self._backdrop = Backdrop.of(self.scene, sport.view, self._level)
        ground = _unpacked(self._backdrop.ground)[..., :3]
        ground = textures.textured(random, np.ascontiguousarray(ground), random.uniform(0.5, 5.0))
        if self.scene.floor is not None:
            self._add_walls(random, ground)
        self.ground = textures.lit(random, self._bent(ground), random.uniform(0.02, 0.12))
        layers = [self._layer(layer) for layer in self._backdrop.layers]
        self._indices = [k for k, layer in enumerate(layers) if layer is not None]
        self.layers = [layer for layer in layers if layer is not None]

    def layer_that_hides(self, points: np.ndarray) -> np.ndarray:
        """The first of the layers (N,) that hides each point (N, 3) m; len(layers) for none."""
        xy, _ = self._level.project(points)
        first = self._backdrop.occluding_layer(np.asarray(points, float), xy, 40)
        return np.searchsorted(self._indices, first)

    def _layer(self, layer):
        """A layer of the backdrop as the camera sees it; None if it is outside."""
        import cv2

        width, height = self._level.size
        level = np.zeros((height, width, 4), np.uint8)
        x, y = layer.corner
        part = _unpacked(layer.image)
        level[y : y + part.shape[0], x : x + part.shape[1]] = part
        bent = self._bent(level)
        seen = cv2.boundingRect((bent[..., 3] > 0).astype(np.uint8))
        left, top, w, h = seen
        if not w or not h:
            return None
        bent = bent[top : top + h, left : left + w]
        return Layer(bent[..., :3].copy(), bent[..., 3].astype(np.float32) / 255.0, (left, top))

    def _bent(self, level):
        """A level picture as the camera sees it."""
        import cv2

        return cv2.remap(level, *self._map, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)

    def _add_walls(self, random, ground):
        """Paint boards and stands round the place into the level picture."""
        centre, floor = self.camera.centre, float(self.scene.floor.high[2])
        low, high = self.scene.low - self.room, self.scene.high + self.room
        directions = _directions(self._level)
        with np.errstate(divide="ignore", invalid="ignore"):
            nearest = np.where(directions[..., 2] < 0, (floor - centre[2]) / directions[..., 2], np.inf)
        for axis, is_high in ((1, True), (1, False), (0, True), (0, False)):
            end, length = (high if is_high else low)[axis], float(high[1 - axis] - low[1 - axis])
            if (centre[axis] < end) != is_high:
                continue  # seen from behind
            with np.errstate(divide="ignore", invalid="ignore"):
                reach = (end - centre[axis]) / directions[..., axis]
                across = centre[1 - axis] + reach * directions[..., 1 - axis] - low[1 - axis]
                up = centre[2] + reach * directions[..., 2] - floor
            across = across if is_high == (axis == 1) else length - across  # text from left to right
            is_hit = (reach > 0) & (reach < nearest) & (across >= 0) & (across <= length)
            is_hit &= (up >= 0) & (up <= BOARD + STAND)
            if is_hit.any():
                _paint_wall(random, ground, is_hit, across, up, length)
                nearest = np.where(is_hit, reach, nearest)


def _paint_wall(random, ground, is_hit, across, up, length):
    """Paint a wall `length` m long into the pixels (H, W) that it fills; across, up (H, W): where on it, m."""
    import cv2

    wall, scale = _wall(random, length)
    where = np.where(is_hit, across, 0.0) * scale, np.where(is_hit, BOARD + STAND - up, 0.0) * scale
    painted = cv2.remap(wall, *(part.astype(np.float32) for part in where), cv2.INTER_LINEAR)
    ground[is_hit] = painted[is_hit]


def _wall(random, length):
    """The picture of a wall `length` m long, and its px per m."""
    scale = min(WALL_PIXELS, MAX_WALL / length)
    width, height, boards = round(length * scale), round((BOARD + STAND) * scale), max(4, round(BOARD * scale))
    wall = np.empty((height, width, 3), np.uint8)
    if random.random() < 0.7:
        wall[...] = textures.crowd(random, (width, height), max(2.0, 0.35 * scale))
    else:
        wall[...] = textures.textured(random, np.full_like(wall, textures.any_color(random, 0.4)), 8.0)
    if random.random() < 0.8:
        textures.add_boards(random, wall, height - boards, boards)
    textures.add_lights(random, wall, int(random.integers(0, 4)))
    return wall, scale


def _level_camera(camera):
    """A FixedCamera without roll and distortion that sees all that `camera` sees, and where its pixels are there.

    The second is a pair of maps (H, W) float32 as cv2.remap takes them.
    """
    import cv2

    width, height = camera.size
    forward = camera.R[2]
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right = right / np.linalg.norm(right) if np.linalg.norm(right) > 1e-6 else camera.R[0]
    basis = np.stack([right, np.cross(forward, right), forward])
    columns, rows = (np.arange(0.0, side + GRID, GRID) for side in (width, height))
    centre, rays = camera.rays(np.stack(np.meshgrid(columns, rows), axis=-1))
    local = rays @ basis.T
    with np.errstate(divide="ignore", invalid="ignore"):
        flat = local[..., :2] / local[..., 2:]
    if not np.isfinite(flat).all():
        raise ValueError("the camera's distortion does not invert in a part of the picture; it cannot be painted")
    focal = float(camera.K[0, 0])
    low, high = focal * flat.min(axis=(0, 1)) - SPARE, focal * flat.max(axis=(0, 1)) + SPARE
    size = tuple(int(side) for side in np.ceil(high - low))
    distance = float(np.linalg.norm(centre))
    level = FixedCamera(centre, basis, focal, -low, size, max(distance, 1.0))  # pixel (0, 0) covers 0 to 1: as fills do
    coarse = (focal * flat - low - 0.5).astype(np.float32)
    x, y = np.meshgrid(np.arange(width, dtype=np.float32) / GRID, np.arange(height, dtype=np.float32) / GRID)
    fine = cv2.remap(coarse, x, y, cv2.INTER_LINEAR)
    return level, (np.ascontiguousarray(fine[..., 0]), np.ascontiguousarray(fine[..., 1]))


def _directions(level):
    """Directions (h, w, 3) of the pixels of a level camera, 1 along its axis."""
    width, height = level.size
    x = (np.arange(width) + 0.5 - level.principal_point[0]) / level.focal_length
    y = (np.arange(height) + 0.5 - level.principal_point[1]) / level.focal_length
    return (x[None, :, None] * level.basis[0] + y[:, None, None] * level.basis[1] + level.basis[2]).astype(np.float32)


def _unpacked(pixels):
    """A picture (W, H) uint32 of render/ as (H, W, 4) uint8: blue, green, red, alpha."""
    return np.ascontiguousarray(pixels.T).view(np.uint8).reshape(pixels.shape[1], pixels.shape[0], 4)
