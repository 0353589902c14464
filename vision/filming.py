"""What films a synthetic clip: a camera that shows a rally well, and how it turns and zooms.

    rally = play_of(sport, seed, number)                       # a rally; of golf, one shot
    camera = chosen_camera(rally, seed, "test", (1280, 720), kinds=("broadcast",))
    camera_at = turning(camera, random)                        # time (s) -> Camera

Cameras are the random plausible ones of sim/random_cameras.py. Where the ball would be tiny, the camera zooms in on the
rally, as a cameraman does. One that moves stays on its tripod: it turns to and fro and zooms slowly.
"""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ballcast import sim
from ballcast.sim.dataset import draw_launches
from ballcast.sim.kernels.layout import DRAG, POSITION, SPIN, VELOCITY
from ballcast.sim.rallies import AFTERMATH, PlayedStroke, Rally
from ballcast.tracks.camera import Camera, rotation_of

if TYPE_CHECKING:
    from ballcast.sim.sport import Sport

VIEWS = "broadcast", "side", "behind", "corner", "phone"  # kinds of cameras that people film with
TRIED = 40  # cameras, until one shows the rally well
TRIED_TEES = 5  # the same of golf, where none does for long
MIN_DIAMETER, MAX_DIAMETER = 4.5, 36.0  # px of the ball at 720 rows, in the median, and at the quantile NEAR
NEAR, WIDEST = 0.85, 0.6  # WIDEST: by how much a camera zooms out for it
MIN_SHARE = 0.75  # of the rally that is in the picture
SHORT_SIDE = 720.0  # px, of a picture that MIN_DIAMETER is for
SHOWN = 3.0  # s at the beginning of a rally that a camera has to show
TURN, ZOOM = 0.07, 0.08  # of the picture's width, and of the focal length: by how much a moving camera moves at most
MARGIN, MAX_HALVED = 32.0, 8  # px round the picture that have to have rays; how often distortion is halved for that
SLOW = 5.0, 12.0  # s, a turn to and fro
TEE = (6.0, 14.0), (1.0, 2.2), (0.25, 0.9)  # m behind and above the tee, and s into the flight at which it looks

CameraAt = Callable[[float], Camera]


def play_of(sport: "Sport", seed: int, number: int) -> Rally:
    """Rally `number` of a seed; of a sport without rallies, as golf, one of its launches, until after it has landed."""
    if sport.strokes:
        return sim.rally(sport, seed, number)
    row = draw_launches(sport, number + 1, seed, "play")[number]
    launch = row[POSITION][None], row[VELOCITY][None], row[SPIN][None]
    parameters = row[None, DRAG:]
    flight = sim.simulate(sport, *launch, [0.0, sport.sensor.duration], parameters)
    impacts = flight.impacts
    assert impacts is not None
    landings = impacts.time[np.isin(impacts.surface, sport.landing_surfaces)]
    end = float(min(sport.sensor.duration, (landings[0] if len(landings) else np.inf) + AFTERMATH))
    position, velocity, spin = (part[0] for part in launch)
    place = flight.position[0, -1]
    stroke = PlayedStroke("launch", "launch", 0.0, end, position, velocity, spin, impacts, "landing", end, place, True,
                          False)  # fmt: skip
    return Rally(sport, parameters[0], (stroke,), "winner")


def chosen_camera(
    rally: Rally, seed: int, purpose: str, size: tuple[int, int], kinds: Sequence[str] | None = None
) -> Camera:
    """The first random camera that shows a rally well, with pictures of `size` px; the best of them if none does.

    kinds: of sim/random_cameras.py; None: any.
    """
    points = rally.position(np.linspace(0.0, min(rally.end, SHOWN), 150))
    wanted = MIN_DIAMETER * min(size) / SHORT_SIDE
    best: tuple[float, Camera | None] = (-1.0, None)
    for number in range(TRIED if rally.sport.strokes else TRIED_TEES):
        for camera in _zoomed(_tried(rally, (seed, purpose, number), size, kinds), points, wanted, rally.sport):
            share = float(camera.sees(points).mean())
            diameters = camera.diameters(points, 2.0 * rally.sport.ball.radius)
            usual, large = float(np.nanmedian(diameters)), float(np.nanquantile(diameters, NEAR))
            size_fits = min(usual / wanted, MAX_DIAMETER / MIN_DIAMETER * wanted / large, 1.0)
            score = min(share / MIN_SHARE, 1.0) * size_fits
            if score > best[0]:
                best = score, camera
        if best[0] >= 1.0:
            break
    assert best[1] is not None
    return best[1]


def _tried(rally, stream, size, kinds):
    """One of the random cameras."""
    seed, purpose, number = stream
    if not rally.sport.strokes:
        return _behind_the_tee(rally, np.random.default_rng((len(purpose), seed, number)), size)
    lens = sim.random_cameras(rally.sport, 1, seed, purpose, number=number, kinds=kinds)[0].lens
    return painted(resized(Camera(*lens), size))


def painted(camera: Camera) -> Camera:
    """The camera, with less distortion if pixels near its corners have no ray: all of its picture is to be painted."""
    lens, (width, height) = camera.coefficients, camera.size
    corners = np.array([(u, v) for u in (-MARGIN, width + MARGIN) for v in (-MARGIN, height + MARGIN)])
    for _ in range(MAX_HALVED):
        tried = Camera(camera.K, lens if lens.any() else np.empty(0), camera.R, camera.t, camera.size, camera.name)
        if np.isfinite(tried.rays(corners)[1]).all():
            return tried
        lens = 0.5 * lens
    return Camera(camera.K, np.empty(0), camera.R, camera.t, camera.size, camera.name)


def _behind_the_tee(rally, random, size):
    """A Camera behind the player, as those that film golf shots: nearly all of the field would show no ball."""
    start = rally.strokes[0].position
    back, height, look = (random.uniform(*ends) for ends in TEE)
    flat = rally.strokes[0].velocity * [1.0, 1.0, 0.0]
    ahead = flat / np.linalg.norm(flat)
    centre = start - back * ahead + np.cross(ahead, [0.0, 0.0, 1.0]) * random.uniform(-2.5, 2.5) + [0.0, 0.0, height]
    focal = size[1] * random.uniform(0.9, 2.2)
    K = np.array([[focal, 0.0, 0.5 * (size[0] - 1)], [0.0, focal, 0.5 * (size[1] - 1)], [0.0, 0.0, 1.0]])
    target = 0.5 * (start + rally.position([look])[0])
    R = looking(centre, target)
    return Camera(K, np.empty(0), R, -R @ centre, size, "tee_1")


def _zoomed(camera, points, wanted, sport):
    """The camera, and if balls are too small or too large in it, ones that zoom on the middle of the points."""
    diameters = camera.diameters(points, 2.0 * sport.ball.radius)
    usual, large = float(np.nanmedian(diameters)), float(np.nanquantile(diameters, NEAR))
    yield camera
    if not (usual > 0.0 and sport.strokes):
        return
    zoom = max(1.0, wanted / usual) * min(1.0, max(WIDEST, MAX_DIAMETER / MIN_DIAMETER * wanted / large))
    if zoom == 1.0:
        return
    R = turned_to(camera, 0.5 * (points.min(axis=0) + points.max(axis=0))).R
    for power in (0.5, 1.0):
        K = camera.K.copy()
        K[[0, 1], [0, 1]] *= zoom**power
        lens = camera.distortion * 0.0 if zoom > 1.0 else camera.distortion
        yield painted(Camera(K, lens, R, -R @ camera.centre, camera.size, camera.name))


def looking(centre: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The rotation (3, 3) of a level camera at `centre` (3,) m that looks at a target (3,) m."""
    forward = (target - centre) / np.linalg.norm(target - centre)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(forward, right), forward])


def turned_to(camera: Camera, target: np.ndarray) -> Camera:
    """The camera, turned by the smallest angle that puts a target (3,) m on its axis."""
    there = camera.R @ (target - camera.centre)
    there /= np.linalg.norm(there)
    axis = np.cross(there, [0.0, 0.0, 1.0])
    sine = float(np.linalg.norm(axis))
    turn = rotation_of(axis / sine * math.atan2(sine, there[2])) if sine > 1e-9 else np.eye(3)
    R = turn @ camera.R
    return Camera(camera.K, camera.distortion, R, -R @ camera.centre, camera.size, camera.name)


def turning(camera: Camera, random: np.random.Generator) -> tuple[CameraAt, list[Camera]]:
    """A camera that turns to and fro and zooms: the Camera at a time (s), and cameras that span all it sees.

    Its principal point is in the middle and its lens has k1 alone, as `ballcast calibrate --moving` takes it.
    """
    width, height = camera.size
    wide = camera.K.copy()
    wide[[0, 1], [0, 1]] *= math.exp(-ZOOM)
    k1 = np.array([camera.coefficients[0], 0.0, 0.0, 0.0])
    lens = painted(Camera(wide, k1, camera.R, camera.t, camera.size)).distortion
    rates = 2.0 * np.pi / random.uniform(*SLOW, 3)
    phases = random.uniform(0.0, 2.0 * np.pi, 3)
    swings = np.array([TURN, 0.35 * TURN]) * width / camera.K[0, 0] * random.uniform(0.4, 1.0, 2)
    zoom = ZOOM * random.uniform(0.3, 1.0)

    def at(pan: float, tilt: float, stretch: float) -> Camera:
        down = camera.R @ np.array([0.0, 0.0, -1.0])
        turn = rotation_of([tilt, 0.0, 0.0]) @ rotation_of(pan * down)
        focal = float(camera.K[0, 0]) * math.exp(stretch)
        K = np.array([[focal, 0.0, 0.5 * (width - 1)], [0.0, focal, 0.5 * (height - 1)], [0.0, 0.0, 1.0]])
        R = turn @ camera.R
        return Camera(K, lens, R, -R @ camera.centre, camera.size, camera.name)

    def camera_at(time: float) -> Camera:
        pan, tilt, stretch = np.array([*swings, zoom]) * np.sin(rates * time + phases)
        return at(float(pan), float(tilt), float(stretch))

    corners = [at(a * swings[0], b * swings[1], -zoom) for a in (-1.0, 1.0) for b in (-1.0, 1.0)]
    return camera_at, [*corners, at(0.0, 0.0, zoom)]


def resized(camera: Camera, size: tuple[int, int]) -> Camera:
    """The camera with pictures of another size (px): scaled to the width, cut or extended above and below.

    A picture that is made upright is scaled to keep its area, and cut at the left and the right.
    """
    scale = size[0] / camera.size[0]
    if size[1] > size[0] and camera.size[1] <= camera.size[0]:
        scale = math.sqrt(size[0] * size[1] / (camera.size[0] * camera.size[1]))
    K = camera.K.copy()
    K[:2, :2] *= scale
    for axis in range(2):
        K[axis, 2] = (camera.K[axis, 2] + 0.5 - 0.5 * camera.size[axis]) * scale + 0.5 * size[axis] - 0.5
    return Camera(K, camera.distortion, camera.R, camera.t, size, camera.name)
