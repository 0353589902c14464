"""Random plausible cameras around the court or table of any sport; cameras.toml holds their numbers.

    sensors = random_cameras(sport, 2, seed=0, purpose="test")             # two cameras of rig 0
    balls = sim.draw(sport, 1000, cameras=lambda i: random_cameras(sport, 2, number=i % 200))   # 200 rigs in turn

A camera stands as its kind says, looks at the middle of where balls are in play, and zooms so that they fill its
picture; where its lens cannot take them all in, it stands farther away. A small ball on a large field is shown with
MIN_SIZE pixels: then only a part of the field is in the picture. A camera never stands below the ground or beyond a
wall or ceiling. Where balls are in play is drawn from the sport's own launches, so any sport has its cameras.
"""

import functools
import math
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ballcast.sim import engine, rng
from ballcast.sim.dataset import draw_launches
from ballcast.sim.kernels.layout import DRAG, POSITION, SPIN, VELOCITY
from ballcast.sim.pixel_sensor import FREE, WITHOUT_DIAMETER, Lens, PixelSensor, fold_radius

if TYPE_CHECKING:
    from ballcast.sim.sport import Sport

NUMBERS = Path(__file__).parent / "cameras.toml"
STREAM = 21  # apart from other random numbers of a set
FLIGHTS, TIMES = 128, 32  # that show where balls are in play
AFTER_LANDING = 0.5  # s; play goes on for so long, or until the second landing
WITHIN = (0.06, 0.94)  # quantiles of their positions along each axis that bound the place
IN_VIEW = 0.95  # quantile of the positions in the place that fills the picture
CLEARANCE = 0.2  # m that a camera keeps from floors, walls and ceilings
MAX_STEPS = 14  # backwards, each by STEP, until the lens takes the place in
STEP = 1.15
INDOOR_ANGLE = 90.0  # degrees, field of view of a camera between walls, which cannot go backwards
MIN_SIZE = 1.0  # px, diameter of a ball in the middle of the place


class Place(NamedTuple):
    """Where balls of a sport fly."""

    points: np.ndarray  # (N, 3) m, of balls in play
    ball: float  # m, the ball's diameter
    middle: np.ndarray  # (3,) m
    size: float  # m, the diagonal on the ground
    low: np.ndarray  # (3,) m within which a camera can stand
    high: np.ndarray


def random_cameras(sport: "Sport", count: int, seed: int = 0, purpose: str = "train", *, number: int = 0,
                   kinds: Sequence[str] | None = None) -> tuple[PixelSensor, ...]:  # fmt: skip
    """The first `count` cameras of rig `number` of the set (purpose, seed), on which alone they depend.

    kinds: those of camera_kinds() that are drawn from; None: all, by their shares. ValueError says what is wrong.
    """
    if purpose not in rng.PURPOSES:
        raise ValueError(f"purpose {purpose!r} is not known; there are {', '.join(rng.PURPOSES)}")
    for name, value, minimum in (("count", count, 1), ("number", number, 0), ("seed", seed, 0)):
        if value < minimum:
            raise ValueError(f"{name} = {value} must be a whole number from {minimum} on")
    numbers, place = _numbers(), _place(sport)
    for kind in kinds or ():
        if kind not in numbers["kind"]:
            raise ValueError(f"camera kind {kind!r} is not known; there are {', '.join(numbers['kind'])}")
    rig = np.random.default_rng((STREAM, rng.PURPOSES.index(purpose), seed, number))
    is_synchronous = rig.random() < numbers["clock"]["synchronous"]
    common = rig.random()  # chooses the rate of a synchronous rig
    sensors: list[PixelSensor] = []
    for k in range(count):
        draw = np.random.default_rng((STREAM, rng.PURPOSES.index(purpose), seed, number, k))
        sensors.append(_camera(draw, numbers, place, tuple(kinds or ()), k))
        if not is_synchronous:
            offset = draw.normal(0.0, numbers["clock"]["offset"]) if k else 0.0
            limit = numbers["clock"]["max_offset"]
            sensors[k] = sensors[k].replace(clock_offset=float(np.clip(offset, -limit, limit)))
        else:
            rate = _one(common, numbers["kind"][sensors[0].lens.name.partition("_")[0]]["rate"])
            exposure = min(sensors[k].exposure, 0.5 / rate)
            sensors[k] = sensors[k].replace(rate=rate, exposure=exposure, trigger=0)
    return tuple(sensors)


def camera_kinds() -> tuple[str, ...]:
    """The kinds of random cameras."""
    return tuple(_numbers()["kind"])


@functools.cache
def _numbers() -> dict[str, Any]:
    return tomllib.loads(NUMBERS.read_text(encoding="utf-8"))


@functools.lru_cache(64)
def _place(sport: "Sport") -> Place:
    """Where balls of a sport fly, from its launches."""
    launches = draw_launches(sport, FLIGHTS, purpose="data")
    times = np.linspace(0.0, sport.sensor.duration, TIMES)
    position, velocity, spin = (launches[:, part] for part in (POSITION, VELOCITY, SPIN))
    flight = engine.simulate(sport, position, velocity, spin, times, launches[:, DRAG:])
    points = flight.position[times[None] <= _ends_of_play(sport, flight)[:, None]]
    low, high = np.quantile(points, WITHIN, axis=0)
    for surface in sport.surfaces:
        if surface.kind == "rectangle" and surface.supports:  # a table
            low, high = np.minimum(low, surface.low), np.maximum(high, surface.high)
    points = points[((points >= low) & (points <= high)).all(axis=1)]
    middle = 0.5 * (low + high)
    return Place(points, 2.0 * sport.ball.radius, middle, float(np.hypot(*(high - low)[:2])), *_walls(sport, middle))


def _ends_of_play(sport, flight):
    """When each ball (B,) is no longer in play, s."""
    ends = np.full(len(flight.status), np.inf)
    landings = np.isin(flight.impacts.surface, sport.landing_surfaces)
    for ball, time in zip(flight.impacts.ball[landings], flight.impacts.time[landings]):  # in the order of time
        ends[ball] = min(ends[ball], time if np.isfinite(ends[ball]) else time + AFTER_LANDING)
    return ends


def _walls(sport, middle):
    """The low and high ends (3,) m of where a camera can stand."""
    low, high = np.full(3, -np.inf), np.full(3, np.inf)
    for surface in sport.surfaces:
        if surface.kind == "plane":
            axis = next(k for k in range(3) if surface.low[k] == surface.high[k])
            if surface.low[axis] < middle[axis]:
                low[axis] = max(low[axis], surface.low[axis] + CLEARANCE)
            else:
                high[axis] = min(high[axis], surface.low[axis] - CLEARANCE)
    return low, high


def _camera(draw, numbers, place, kinds, k):
    """Camera k of a rig, with a clock of its own that is exact."""
    known = kinds or tuple(numbers["kind"])
    shares = np.array([numbers["kind"][kind]["share"] for kind in known])
    name = known[draw.choice(len(known), p=shares / shares.sum())]
    kind = numbers["kind"][name]
    size = tuple(int(side) for side in _one(draw.random(), kind["size"]))
    lens = _placed(draw, numbers["pose"], kind, place, size, f"{name}_{k + 1}")
    rate = _one(draw.random(), kind["rate"])
    exposure = min(_between_logs(draw, kind["exposure"]), 0.5 / rate)
    return PixelSensor(
        lens=lens,
        calibrated=_calibrated(draw, numbers["calibration"], lens, place.middle),
        rate=rate,
        exposure=exposure,
        trigger=FREE,
        **_detector(draw, numbers["detector"]),
    )


def _placed(draw, pose, kind, place, size, name):
    """The Lens of a camera that stands somewhere and looks at the place."""
    azimuth = math.radians(draw.uniform(*kind["azimuth"]) * draw.choice([-1.0, 1.0]) + draw.choice([0.0, 180.0]))
    elevation = math.radians(draw.uniform(*kind.get("elevation", (0.0, 0.0))))
    height = draw.uniform(*kind["height"]) if "height" in kind else None
    distance, fill = draw.uniform(*kind["distance"]) * place.size, draw.uniform(*kind["fill"])
    target = place.middle + draw.normal(0.0, pose["aim"], 3) * place.size * [1.0, 1.0, 0.3]
    roll, distortion = math.radians(draw.normal(0.0, pose["roll"])), _distortion(draw, kind)
    shortest, longest = (0.5 * size[0] / math.tan(math.radians(0.5 * angle)) for angle in kind["field_of_view"][::-1])
    for _ in range(MAX_STEPS):
        level = distance * math.cos(elevation)
        free = place.middle + [level * math.sin(azimuth), -level * math.cos(azimuth), distance * math.sin(elevation)]
        if np.isfinite(place.low[2]):
            ground = place.low[2] - CLEARANCE
            free[2] = ground + height if height is not None else min(free[2], ground + kind.get("max_height", np.inf))
        centre = np.clip(free, place.low, place.high)
        R = _looking(centre, target, roll)
        focal = _focal(place, R, centre, size, fill)
        if focal >= shortest:
            break
        distance *= STEP
    if (centre != free)[:2].any():
        shortest = 0.5 * size[0] / math.tan(math.radians(0.5 * INDOOR_ANGLE))
    smallest = MIN_SIZE * float(np.linalg.norm(centre - place.middle)) / place.ball
    focal = max(min(max(focal, shortest), longest), smallest)
    K = np.array([[focal, 0.0, 0.5 * (size[0] - 1)], [0.0, focal, 0.5 * (size[1] - 1)], [0.0, 0.0, 1.0]])
    K[:2, 2] += draw.normal(0.0, 0.01, 2) * size[0]
    corner = math.hypot(0.6 * size[0], 0.6 * size[1]) / focal
    while fold_radius(np.pad(distortion, (0, 4))) < 1.2 * corner:  # the picture inverts up to its corners
        distortion = 0.5 * distortion
    return Lens(K, distortion, R, -R @ centre, size, name)


def _focal(place, R, centre, size, fill):
    """The focal length (px) with which the place fills so much of the picture, across or up."""
    inside = (place.points - centre) @ R.T
    flat = np.abs(inside[:, :2] / np.maximum(inside[:, 2:], 0.05))
    reach = np.quantile(flat, IN_VIEW, axis=0)
    return float(fill * np.min(0.5 * np.array(size) / np.maximum(reach, 1e-6)))


def _looking(centre, target, roll):
    """The rotation (3, 3) into the frame (x right, y down, z forwards) of a camera at `centre` that sees `target`."""
    forwards = (target - centre) / np.linalg.norm(target - centre)
    right = np.cross(forwards, [0.0, 0.0, 1.0])
    right = right / np.linalg.norm(right) if np.linalg.norm(right) > 1e-6 else np.array([1.0, 0.0, 0.0])
    down = np.cross(forwards, right)
    cosine, sine = math.cos(roll), math.sin(roll)
    return np.array([cosine * right + sine * down, -sine * right + cosine * down, forwards])


def _distortion(draw, kind):
    """Distortion coefficients (4,), k1, k2, p1, p2."""
    k1 = draw.uniform(*kind["k1"])
    return np.array([k1, -k1 * draw.uniform(0.1, 0.5), *draw.normal(0.0, 3e-4, 2)])


def _calibrated(draw, calibration, lens, middle):
    """The Lens as a calibration finds it: from a wrong place, with a focal length and a direction that make up for it.

    A calibration fits what it sees of the place, so its errors nearly cancel in the picture of the middle (3,) m.
    """
    is_wrong, shift = draw.random() < calibration["share"], draw.normal(0.0, calibration["position"], 3)
    turn, stretch = draw.normal(0.0, calibration["pixels"], 3), draw.normal(0.0, calibration["focal"])
    if not is_wrong:
        return lens
    offset = -lens.R.T @ lens.t - middle
    moved = middle + math.exp(stretch) * offset + shift * np.linalg.norm(offset)
    K = lens.K * np.array([[math.exp(stretch)] * 2 + [1.0]] * 2 + [[1.0] * 3])
    R = _rotation_between(lens.R @ (middle - moved), -lens.R @ offset) @ lens.R
    R = _rotation(turn / lens.K[0, 0]) @ R
    return Lens(K, lens.distortion, R, -R @ moved, lens.size, lens.name)


def _rotation(vector):
    """The rotation (3, 3) by |vector| rad about a vector (3,)."""
    angle = float(np.linalg.norm(vector))
    x, y, z = vector / angle if angle else vector
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return np.eye(3) + math.sin(angle) * cross + (1.0 - math.cos(angle)) * cross @ cross


def _rotation_between(a, b):
    """The rotation (3, 3) that turns the direction of a (3,) into that of b (3,), which is near."""
    axis = np.cross(a, b) / (np.linalg.norm(a) * np.linalg.norm(b))
    sine = float(np.linalg.norm(axis))
    return _rotation(axis / sine * math.asin(min(sine, 1.0)) if sine else axis)


def _detector(draw, numbers):
    """The fields of PixelSensor that are about its detector."""
    burst, outlier, diameter = numbers["burst"], numbers["outlier"], numbers["diameter"]
    has_bursts, has_outliers, has_diameter = draw.random(3) < [burst["share"], outlier["share"], diameter["share"]]
    outlier_rate, diameter_noise = draw.uniform(*outlier["rate"]), draw.uniform(*diameter["noise"])
    return {
        "noise": _between_logs(draw, numbers["noise"]),
        "blur_noise": float(draw.uniform(*numbers["blur_noise"])),
        "miss": _one(draw.random(), numbers["miss"]),
        "burst": tuple(map(float, burst["run"])) if has_bursts else (1.0, 1.0),
        "outlier": float(outlier_rate) if has_outliers else 0.0,
        "diameter_noise": float(diameter_noise) if has_diameter else WITHOUT_DIAMETER,
        "diameter_scale": float(np.exp(draw.normal(0.0, diameter["scale"]))),
        "net": float(draw.uniform(*numbers["net"])),
        "jitter": float(draw.uniform(*numbers["jitter"])),
    }


def _one(share, values):
    """The value at a share (0 to 1) of a list."""
    return values[min(int(share * len(values)), len(values) - 1)]


def _between_logs(draw, ends):
    return float(ends[0] * (ends[1] / ends[0]) ** draw.random())
