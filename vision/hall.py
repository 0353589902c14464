"""The place of a sport as a camera sees it, without players: floor, lines, table and net of render/, in a hall.

    place = PaintedPlace(sport, camera, rng)
    seen = place.seen_by(camera)
    image = seen.ground.copy()               # (H, W, 3) uint8: everything that hides nothing
    seen.layers                              # what can hide a ball or a player, from far to near

render/ paints a level camera without distortion, whose picture is large enough for a camera that turns and zooms; a
part of it is bent as the camera's lens does it. Round the place stand boards and stands with people (crowd.py), its
floor has letters and other colours than in other clips, all at random: a real picture is full of what is no ball.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ballcast.render.backdrop import Backdrop
from ballcast.render.camera import FixedCamera
from ballcast.render.scene import Scene
from ballcast.tracks.camera import Camera
from ballcast.vision import textures
from ballcast.vision.crowd import crowd

if TYPE_CHECKING:
    from ballcast.sim.sport import Sport

GRID = 8  # px between the rays that are computed; the others are interpolated
SPARE = 4  # px round the level picture
ZOOMED = 1.5  # px of the level picture between two of the camera's, at most
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


class Seen(NamedTuple):
    """The place as one camera sees it."""

    ground: np.ndarray  # (H, W, 3) uint8
    layers: list[Layer]  # from far to near


class PaintedPlace:
    """What stands still.

    room    m between the place and the boards round it
    """

    def __init__(self, sport: "Sport", cameras: Camera | Sequence[Camera], random: np.random.Generator):
        """cameras: one, or several at the same place, that span everything that is ever seen."""
        cameras = [cameras] if isinstance(cameras, Camera) else list(cameras)
        self.scene, self.centre = Scene.of(sport), cameras[0].centre
        size = float((self.scene.high - self.scene.low).max())
        self.room = random.uniform(*ROOM) * max(1.0, size / 10.0)
        self._level = _level_camera(cameras)
        self._backdrop = Backdrop.of(self.scene, sport.view, self._level)
        tint = _tint(random)
        ground = _tinted(_unpacked(self._backdrop.ground), tint, is_opaque=True)[..., :3]
        ground = textures.textured(random, np.ascontiguousarray(ground), random.uniform(0.5, 5.0))
        if self.scene.floor is not None:
            self._add_letters(random, ground)
            self._add_walls(random, ground)
        self._ground = textures.lit(random, ground, random.uniform(0.01, 0.05))
        self._parts = [(_tinted(_unpacked(layer.image), tint), layer.corner) for layer in self._backdrop.layers]
        self._seen: tuple[Camera, Seen, np.ndarray] | None = None

    def seen_by(self, camera: Camera) -> Seen:
        """The place as a camera sees it. Its arrays are not to be changed."""
        return self._view(camera)[1]

    def layer_that_hides(self, points: np.ndarray, camera: Camera) -> np.ndarray:
        """The first of the layers (N,) of a camera that hides each point (N, 3) m; their number for none."""
        xy, _ = self._level.project(points)
        first = self._backdrop.occluding_layer(np.asarray(points, float), xy, 40)
        return np.searchsorted(self._view(camera)[2], first)

    def _view(self, camera):
        """The camera, what it Seen, and which of the parts its layers are; of the last camera it is kept."""
        if self._seen is None or self._seen[0] is not camera:
            coarse = _coarse_map(self._level, camera)
            layers = [self._layer(part, corner, coarse, camera.size) for part, corner in self._parts]
            indices = [k for k, layer in enumerate(layers) if layer is not None]
            seen = Seen(_bent(self._ground, coarse, camera.size), [layers[k] for k in indices])
            self._seen = camera, seen, np.array(indices, int)
        return self._seen

    def _layer(self, part, corner, coarse, size):
        """A part of the level picture as a camera sees it; None if it is outside."""
        import cv2

        low, high = np.array(corner), np.array(corner) + part.shape[1::-1]
        is_near = ((coarse >= low - 1.5 * GRID * ZOOMED) & (coarse <= high + 1.5 * GRID * ZOOMED)).all(axis=2)
        if not is_near.any():
            return None
        rows, columns = np.flatnonzero(is_near.any(axis=1)), np.flatnonzero(is_near.any(axis=0))
        top, left = max(0, (rows[0] - 1) * GRID), max(0, (columns[0] - 1) * GRID)
        bottom, right = min(size[1], (rows[-1] + 2) * GRID), min(size[0], (columns[-1] + 2) * GRID)
        if top >= bottom or left >= right:
            return None
        bent = _bent(part, coarse - low, size, (left, top, right, bottom), cv2.BORDER_CONSTANT)
        x, y, w, h = cv2.boundingRect((bent[..., 3] > 0).astype(np.uint8))
        if not w or not h:
            return None
        bent = bent[y : y + h, x : x + w]
        return Layer(bent[..., :3].copy(), bent[..., 3].astype(np.float32) / 255.0, (left + x, top + y))

    def _add_letters(self, random, ground):
        """Paint letters and signs on the floor beside the place, into the level picture."""
        low, high, floor = self.scene.low, self.scene.high, float(self.scene.floor.high[2])
        for _ in range(int(random.integers(0, 5))):
            width = float(random.uniform(0.15, 0.5) * (high - low)[:2].min() + 0.5)
            box, side, along = np.array([width, 0.3 * width]), int(random.integers(0, 4)), random.uniform(0.15, 0.85)
            gap = random.uniform(0.15, 0.6) * self.room
            corner = low[:2] + along * (high - low)[:2] - 0.5 * box
            corner[side // 2] = (low[:2] - gap - box if side % 2 else high[:2] + gap)[side // 2]
            sign = np.zeros((60, 200, 3), np.uint8)
            textures.add_logo(random, sign, (2, 2, 196, 56))
            quad = np.array([[0, 1], [1, 1], [1, 0], [0, 0]]) * box + corner
            _paint_flat(ground, self._level, sign, np.column_stack([quad, np.full(4, floor + 1e-3)]))

    def _add_walls(self, random, ground):
        """Paint boards and stands round the place into the level picture."""
        centre, floor = self.centre, float(self.scene.floor.high[2])
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
        wall[...] = crowd(random, (width, height), scale, BOARD)
    else:
        wall[...] = textures.textured(random, np.full_like(wall, textures.any_color(random, 0.4)), 8.0)
    if random.random() < 0.8:
        textures.add_boards(random, wall, height - boards, boards)
    textures.add_lights(random, wall, int(random.integers(0, 4)))
    return wall, scale


def _level_camera(cameras):
    """A FixedCamera without roll and distortion that sees all that the cameras see."""
    forward = np.mean([camera.R[2] for camera in cameras], axis=0)
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right = right / np.linalg.norm(right) if np.linalg.norm(right) > 1e-6 else cameras[0].R[0]
    basis = np.stack([right, np.cross(forward, right), forward])
    flat = np.concatenate([_flat(camera, basis).reshape(-1, 2) for camera in cameras])
    focal = max(float(camera.K[0, 0]) for camera in cameras)
    low, high = focal * flat.min(axis=0) - SPARE, focal * flat.max(axis=0) + SPARE
    size = tuple(int(side) for side in np.ceil(high - low))
    centre = cameras[0].centre
    return FixedCamera(centre, basis, focal, -low, size, max(float(np.linalg.norm(centre)), 1.0))


def _flat(camera, basis):
    """Where pixels of a camera, GRID px apart, are at depth 1 (h, w, 2) of a frame with the same centre."""
    width, height = camera.size
    columns, rows = (np.arange(0.0, side + GRID, GRID) for side in (width, height))
    _, rays = camera.rays(np.stack(np.meshgrid(columns, rows), axis=-1))
    local = rays @ basis.T
    with np.errstate(divide="ignore", invalid="ignore"):
        flat = local[..., :2] / local[..., 2:]
    if not np.isfinite(flat).all() or (local[..., 2] <= 0.0).any():
        raise ValueError("the camera's distortion does not invert in a part of the picture; it cannot be painted")
    return flat


def _coarse_map(level, camera):
    """Where pixels of a camera, GRID px apart, are in the level picture, (h, w, 2) px."""
    flat = _flat(camera, level.basis)
    return level.focal_length * flat + level.principal_point - 0.5  # pixel (0, 0) covers 0 to 1 there


def _bent(level, coarse, size, box=None, border=None):
    """A level picture as a camera of `size` px sees it, or a box (left, top, right, bottom) of what it sees."""
    import cv2

    left, top, right, bottom = box or (0, 0, *size)
    x, y = np.meshgrid(np.arange(left, right, dtype=np.float32) / GRID, np.arange(top, bottom, dtype=np.float32) / GRID)
    fine = cv2.remap(coarse.astype(np.float32), x, y, cv2.INTER_LINEAR)
    border = cv2.BORDER_REPLICATE if border is None else border
    return cv2.remap(level, fine, None, cv2.INTER_LINEAR, borderMode=border)


def _paint_flat(ground, level, sign, corners):
    """Paint a sign (h, w, 3) uint8, where it is not black, on a flat quadrilateral: corners (4, 3) m."""
    import cv2

    xy, depth = level.project(corners)
    if (depth <= 0.1).any() or not np.isfinite(xy).all() or np.abs(xy).max() > 2e4:
        return
    height, width = sign.shape[:2]
    source = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    turn = cv2.getPerspectiveTransform(source, np.asarray(xy, np.float32))
    size = ground.shape[1::-1]
    mask = cv2.warpPerspective(np.uint8(255) * (sign.max(axis=2) > 0).astype(np.uint8), turn, size)
    share = (mask / np.float32(255.0))[..., None]
    painted = cv2.warpPerspective(sign, turn, size)
    ground[...] = (ground * (1.0 - share) + painted * share).astype(np.uint8)


def _tint(random):
    """A matrix (3, 3) that turns colours about grey, perhaps none: floors and tables of other colours than usual."""
    angle = random.uniform(0.0, 2.0 * np.pi) if random.random() < 0.6 else 0.0
    axis = np.full(3, 1.0 / np.sqrt(3.0))
    cross = np.array([[0.0, -axis[2], axis[1]], [axis[2], 0.0, -axis[0]], [-axis[1], axis[0], 0.0]])
    turn = np.eye(3) + np.sin(angle) * cross + (1.0 - np.cos(angle)) * cross @ cross
    strength = random.uniform(0.6, 1.3)
    return (strength * turn + (1.0 - strength) / 3.0).astype(np.float32)


def _tinted(image, tint, is_opaque=False):
    """A picture (h, w, 4) uint8, premultiplied, with other colours: a new array."""
    colors = image[..., :3] @ tint.T
    limit = np.float32(255.0) if is_opaque else image[..., 3:].astype(np.float32)
    return np.concatenate([np.clip(colors, 0.0, limit).astype(np.uint8), image[..., 3:]], axis=-1)


def _directions(level):
    """Directions (h, w, 3) of the pixels of a level camera, 1 along its axis."""
    width, height = level.size
    x = (np.arange(width) + 0.5 - level.principal_point[0]) / level.focal_length
    y = (np.arange(height) + 0.5 - level.principal_point[1]) / level.focal_length
    return (x[None, :, None] * level.basis[0] + y[:, None, None] * level.basis[1] + level.basis[2]).astype(np.float32)


def _unpacked(pixels):
    """A picture (W, H) uint32 of render/ as (H, W, 4) uint8: blue, green, red, alpha."""
    return np.ascontiguousarray(pixels.T).view(np.uint8).reshape(pixels.shape[1], pixels.shape[0], 4)
