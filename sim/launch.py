"""How play launches a ball: distributions of position, velocity and spin, read from a sport's [[launch]] tables.

A distribution is a number, {uniform = [low, high]}, {normal = [mean, sd]} (with `within = [low, high]` drawn again
until inside), or {half_normal = sd}. Angles are degrees; azimuth 0 is along +y, positive towards -x; bearing is where
the ball stands, seen from `around`, 0 towards the middle of the court. A launch is one row of numbers; the compiled
`draw_launch` turns rows and a random stream into states.
"""

import math
from dataclasses import dataclass

import numpy as np

from ballcast.sim.jit import strict
from ballcast.sim.rng import normal, uniform
from ballcast.sim.toml_fields import SportError, finite, numbers, reject_unknown_keys

POSITION_FORMS = {"components": ("x", "y", "z"), "around": ("distance", "bearing", "z")}
VELOCITY_FORMS = {
    "components": ("x", "y", "z"),
    "polar": ("speed", "azimuth", "elevation"),
    "isotropic": ("speed",),
    "shot": ("factor", "azimuth", "elevation"),  # speed: factor times the vacuum speed to `target`
    "aimed": ("speed", "azimuth", "elevation"),  # azimuth: from where `target` lies
}
SPIN_FORMS = {
    "components": ("x", "y", "z"),
    "isotropic": ("size",),
    "flight": ("top", "side", "gyro"),
    "across": ("size", "tilt", "gyro"),  # top = size cos tilt, side = size sin tilt
}
DISTRIBUTIONS = ("number", "uniform", "normal", "half_normal")


@dataclass(frozen=True)
class Launch:
    """One way to launch: `row` holds the forms, then nine distributions of (kind, a, b, low, high), then the points."""

    weight: float
    row: tuple


def read_launch(table, where):
    """The Launch of one [[launch]] table; SportError says what is wrong with it."""
    if not isinstance(table, dict):
        raise SportError(f"{where} must be a table, not {table!r}")
    reject_unknown_keys(table, ("weight", "position", "velocity", "spin", "mirror"), where)
    for key in ("position", "velocity", "spin"):
        if not isinstance(table.get(key), dict):
            raise SportError(f"{where}.{key} is missing; a launch needs position, velocity and spin tables")
    at = table["position"]
    forms, rows = [list(POSITION_FORMS).index("around" if "around" in at else "components")], []
    rows += _distributions(at, POSITION_FORMS[list(POSITION_FORMS)[forms[0]]], ("around",), f"{where}.position")
    for part, known, points in (("velocity", VELOCITY_FORMS, ("form", "target")), ("spin", SPIN_FORMS, ("form",))):
        form = table[part].get("form")
        if form not in known:
            raise SportError(f"{where}.{part}.form {form!r} is not known; the forms are {', '.join(known)}")
        forms.append(list(known).index(form))
        rows += _distributions(table[part], known[form], points, f"{where}.{part}")
    around = numbers(at.get("around", (0, 0)), 2, f"{where}.position.around")
    if table["velocity"]["form"] in ("shot", "aimed") and "target" not in table["velocity"]:
        raise SportError(f"{where}.velocity.target is missing; a shot needs a point [x, y, z] to be aimed at")
    target = numbers(table["velocity"].get("target", (0, 0, 0)), 3, f"{where}.velocity.target")
    mirror, weight = (finite(table.get(k, d), f"{where}.{k}") for k, d in (("mirror", 0.0), ("weight", 1.0)))
    if not 0 <= mirror <= 1 or weight <= 0:
        raise SportError(f"{where}: mirror {mirror:g} must be between 0 and 1, weight {weight:g} above 0")
    return Launch(weight, (*forms, *(v for row in rows for v in row), *around, *target, mirror))


def _distributions(table, keys, points, where):
    """Three rows of (kind, a, b, low, high); unused ones are zero."""
    reject_unknown_keys(table, (*points, *keys), where)
    missing = [k for k in keys if k not in table]
    if missing:
        raise SportError(f"{where}.{missing[0]} is missing; it needs {', '.join(keys)}")
    rows = [_distribution(table[k], f"{where}.{k}") for k in keys]
    return rows + [(0.0, 0.0, 0.0, 0.0, 0.0)] * (3 - len(rows))


def _distribution(value, where):
    if not isinstance(value, dict):
        return 0.0, finite(value, where), 0.0, -math.inf, math.inf
    reject_unknown_keys(value, (*DISTRIBUTIONS[1:], "within"), where)
    kinds = [k for k in DISTRIBUTIONS[1:] if k in value]
    if len(kinds) != 1:
        raise SportError(f"{where} = {value!r} must be a number or one of {', '.join(DISTRIBUTIONS[1:])}")
    kind = kinds[0]
    a, b = (0.0, finite(value[kind], where)) if kind == "half_normal" else numbers(value[kind], 2, where)
    low, high = numbers(value["within"], 2, f"{where}.within") if "within" in value else (-math.inf, math.inf)
    if b < (a if kind == "uniform" else 0.0) or low >= high:
        raise SportError(f"{where} = {value!r}: ranges must rise and standard deviations not be negative")
    if kind != "uniform" and not (low < a + 3 * b and high > a - 3 * b):
        raise SportError(f"{where} = {value!r}: `within` lies more than three standard deviations from the mean")
    return float(DISTRIBUTIONS.index(kind)), a, b, low, high


def launch_records(sport):
    """(cumulative weights, rows) of the sport's launches, for `draw_launch`."""
    weights = np.array([launch.weight for launch in sport.launches])
    return np.cumsum(weights / weights.sum()), np.array([launch.row for launch in sport.launches])


@strict
def draw_launch(stream, weights, rows, gravity, position, velocity, spin):
    """Fill position (3,) m, velocity (3,) m/s and spin (3,) rad/s from the random stream."""
    pick = uniform(stream)
    k = 0
    while k < len(weights) - 1 and pick > weights[k]:
        k += 1
    row = rows[k]
    for i in range(3):
        position[i] = _sample(stream, row, i)
        velocity[i] = _sample(stream, row, 3 + i)
        spin[i] = _sample(stream, row, 6 + i)
    if row[0] == 1.0:
        _position_around(row, position)
    _direct_velocity(stream, row, gravity, position, velocity)
    _orient_spin(stream, row, velocity, spin)
    if uniform(stream) < row[53]:  # turned round: the same ball from the other end, spin turned with it
        position[1], velocity[1] = -position[1], -velocity[1]
        spin[0], spin[2] = -spin[0], -spin[2]


@strict
def _sample(stream, row, k):
    kind, a, b, low, high = row[3 + 5 * k], row[4 + 5 * k], row[5 + 5 * k], row[6 + 5 * k], row[7 + 5 * k]
    if kind == 0.0:
        return a
    while True:
        if kind == 1.0:
            x = a + (b - a) * uniform(stream)
        elif kind == 2.0:
            x = a + b * normal(stream)
        else:
            x = abs(b * normal(stream))
        if low <= x <= high:
            return x


@strict
def _position_around(row, position):
    distance, bearing = position[0], math.radians(position[1])
    inward = -1.0 if row[49] > 0.0 else 1.0
    position[0] = row[48] + distance * math.sin(bearing)
    position[1] = row[49] + inward * distance * math.cos(bearing)


@strict
def _direct_velocity(stream, row, gravity, position, velocity):
    form = row[1]
    if form == 0.0:
        return
    if form == 2.0:
        _isotropic(stream, velocity)
        return
    speed, azimuth, elevation = velocity[0], math.radians(velocity[1]), math.radians(velocity[2])
    dx, dy, dz = row[50] - position[0], row[51] - position[1], row[52] - position[2]
    if form == 3.0:
        distance = math.hypot(dx, dy)
        rise = max(distance * math.tan(elevation) - dz, 1e-3)
        speed *= distance / math.cos(elevation) * math.sqrt(0.5 * gravity / rise)
    if form >= 3.0:
        azimuth += math.atan2(-dx, dy)
    velocity[0] = -speed * math.cos(elevation) * math.sin(azimuth)
    velocity[1] = speed * math.cos(elevation) * math.cos(azimuth)
    velocity[2] = speed * math.sin(elevation)


@strict
def _orient_spin(stream, row, velocity, spin):
    """flight: top is about the level axis to the left's opposite, side about the axis up, gyro along the motion."""
    if row[2] == 1.0:
        _isotropic(stream, spin)
    elif row[2] >= 2.0:
        top, side, gyro = spin[0], spin[1], spin[2]
        if row[2] == 3.0:
            tilt = math.radians(side)
            top, side = top * math.cos(tilt), top * math.sin(tilt)
        speed = math.sqrt(velocity[0] ** 2 + velocity[1] ** 2 + velocity[2] ** 2) + 1e-12
        fx, fy, fz = velocity[0] / speed, velocity[1] / speed, velocity[2] / speed
        level = math.hypot(fx, fy)
        lx, ly = (-fy / level, fx / level) if level > 1e-9 else (-1.0, 0.0)  # to the left of the motion, level
        ux, uy, uz = -fz * ly, fz * lx, fx * ly - fy * lx  # across the motion, upwards
        spin[0] = top * lx + side * ux + gyro * fx
        spin[1] = top * ly + side * uy + gyro * fy
        spin[2] = side * uz + gyro * fz


@strict
def _isotropic(stream, vector):
    size = vector[0]
    z, angle = 2.0 * uniform(stream) - 1.0, 2.0 * math.pi * uniform(stream)
    level = math.sqrt(1.0 - z * z)
    vector[0], vector[1], vector[2] = size * level * math.cos(angle), size * level * math.sin(angle), size * z
