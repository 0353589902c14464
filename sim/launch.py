"""How play launches a ball: distributions of position, velocity and spin, read from a sport's [[launch]] tables.

A distribution is a number, {uniform = [low, high]}, {normal = [mean, sd]} (with `within = [low, high]` drawn again
until inside), or {half_normal = sd}. Angles are degrees; azimuth 0 is along +y, positive towards -x; bearing is the
ball's direction from `around`, 0 towards the middle of the court. Where all nine numbers of a launch are `normal`, a
`correlation` may say which go together: row i of the lower triangle has the i correlations with those before.
"""

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from ballcast.sim.jit import strict
from ballcast.sim.kernels.layout import POSITION, SPIN, VELOCITY
from ballcast.sim.rng import normal, uniform
from ballcast.sim.toml_fields import SportError, finite, numbers, reject_unknown_keys

if TYPE_CHECKING:  # an import would make every edit of sport.py compile this module anew
    from ballcast.sim.sport import Sport

POSITION_FORMS = {"components": ("x", "y", "z"), "around": ("distance", "bearing", "z")}
# shot: speed is factor times the speed that reaches `target` in a vacuum; aimed: azimuth from the direction of `target`
VELOCITY_FORMS = {"components": ("x", "y", "z"), "polar": ("speed", "azimuth", "elevation"), "isotropic": ("speed",),
                  "shot": ("factor", "azimuth", "elevation"), "aimed": ("speed", "azimuth", "elevation")}  # fmt: skip
# across: top = size cos tilt, side = size sin tilt
SPIN_FORMS = {"components": ("x", "y", "z"), "isotropic": ("size",), "flight": ("top", "side", "gyro"),
              "across": ("size", "tilt", "gyro")}  # fmt: skip
# for compiled code a form is its number in the tables above
AROUND = list(POSITION_FORMS).index("around")
COMPONENTS, _, ISOTROPIC, SHOT, AIMED = range(len(VELOCITY_FORMS))
SPIN_ISOTROPIC, FLIGHT, ACROSS = range(1, len(SPIN_FORMS))
DISTRIBUTIONS = ("number", "uniform", "normal", "half_normal")
NUMBER, UNIFORM, NORMAL, HALF_NORMAL = range(len(DISTRIBUTIONS))
DISTRIBUTION_DTYPE = np.dtype([("kind", "i8"), ("a", "f8"), ("b", "f8"), ("low", "f8"), ("high", "f8")])
LAUNCH_DTYPE = np.dtype(
    [("cumulative_weight", "f8"), ("position_form", "i8"), ("velocity_form", "i8"), ("spin_form", "i8")]
    + [("distributions", DISTRIBUTION_DTYPE, 9), ("around", "f8", 2), ("target", "f8", 3), ("mirror", "f8")]
    + [("is_correlated", "i8"), ("mixing", "f8", (9, 9))]  # Cholesky factor of the correlations
)


@dataclass(frozen=True)
class Launch:
    """One way to launch."""

    weight: float
    position_form: int
    velocity_form: int
    spin_form: int
    distributions: tuple[tuple, ...]  # three each of position, velocity and spin: (kind, a, b, low, high)
    around: tuple[float, float]  # m
    target: tuple[float, float, float]  # m
    mirror: float  # fraction of the balls that are launched from the other end
    correlation: tuple[tuple[float, ...], ...] = ()  # (9, 9) of the nine numbers; empty: they are independent


def read_launch(table: object, where: str) -> Launch:
    """The Launch of one [[launch]] table; SportError says what is wrong with it."""
    if not isinstance(table, dict):
        raise SportError(f"{where} must be a table, not {table!r}")
    reject_unknown_keys(table, ("weight", "position", "velocity", "spin", "mirror", "correlation"), where)
    for key in ("position", "velocity", "spin"):
        if not isinstance(table.get(key), dict):
            raise SportError(f"{where}.{key} is missing; a launch needs position, velocity and spin tables")
    at = table["position"]
    form = "around" if "around" in at else "components"
    forms = [list(POSITION_FORMS).index(form)]
    distributions = _distributions(at, POSITION_FORMS[form], ("around",), f"{where}.position")
    for part, known, points in (("velocity", VELOCITY_FORMS, ("form", "target")), ("spin", SPIN_FORMS, ("form",))):
        form = table[part].get("form")
        if form not in known:
            raise SportError(f"{where}.{part}.form {form!r} is not known; the forms are {', '.join(known)}")
        forms.append(list(known).index(form))
        distributions += _distributions(table[part], known[form], points, f"{where}.{part}")
    around = numbers(at.get("around", (0, 0)), 2, f"{where}.position.around")
    if table["velocity"]["form"] in ("shot", "aimed") and "target" not in table["velocity"]:
        raise SportError(f"{where}.velocity.target is missing; a shot needs a point [x, y, z] to be aimed at")
    target = numbers(table["velocity"].get("target", (0, 0, 0)), 3, f"{where}.velocity.target")
    mirror, weight = (finite(table.get(k, d), f"{where}.{k}") for k, d in (("mirror", 0.0), ("weight", 1.0)))
    if not 0 <= mirror <= 1 or weight <= 0:
        raise SportError(f"{where}: mirror {mirror:g} must be between 0 and 1, weight {weight:g} above 0")
    correlation = _correlation(table["correlation"], distributions, where) if "correlation" in table else ()
    return Launch(weight, forms[0], forms[1], forms[2], tuple(distributions), around, target, mirror, correlation)


def _correlation(rows, distributions, where):
    """The correlations (9, 9) of a launch, from the rows of their lower triangle."""
    where = f"{where}.correlation"
    if any(kind != NORMAL or low > -math.inf or high < math.inf for kind, _, _, low, high in distributions):
        raise SportError(f"{where}: only numbers that are all {{ normal = [mean, sd] }} may be correlated")
    if not isinstance(rows, list) or len(rows) != len(distributions):
        raise SportError(f"{where} must have nine rows, of position, velocity and spin")
    matrix = np.eye(len(rows))
    for i, row in enumerate(rows):
        matrix[i, :i] = matrix[:i, i] = numbers(row, i, f"{where}[{i}]")
    if np.linalg.eigvalsh(matrix)[0] <= 0.0:
        raise SportError(f"{where}: no nine numbers have these correlations; they must be positive definite")
    return tuple(tuple(float(v) for v in row) for row in matrix)


def _distributions(table, keys, points, where):
    """Three tuples (kind, a, b, low, high); unused ones are the number 0."""
    reject_unknown_keys(table, (*points, *keys), where)
    if missing := [k for k in keys if k not in table]:
        raise SportError(f"{where}.{missing[0]} is missing; it needs {', '.join(keys)}")
    read = [_distribution(table[k], f"{where}.{k}") for k in keys]
    return read + [(NUMBER, 0.0, 0.0, 0.0, 0.0)] * (3 - len(read))


def _distribution(value, where):
    if not isinstance(value, dict):
        return NUMBER, finite(value, where), 0.0, -math.inf, math.inf
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
    return DISTRIBUTIONS.index(kind), a, b, low, high


def launch_records(sport: "Sport") -> np.ndarray:
    """The sport's launches as LAUNCH_DTYPE records, for `draw_launch`."""
    records, weights = np.zeros(len(sport.launches), LAUNCH_DTYPE), np.array([x.weight for x in sport.launches])
    for record, launch in zip(records, sport.launches, strict=True):
        for field in fields(launch)[1:-1]:
            value = getattr(launch, field.name)
            record[field.name] = list(value) if field.name == "distributions" else value
        if launch.correlation:
            record["is_correlated"], record["mixing"] = 1, np.linalg.cholesky(np.array(launch.correlation))
    records["cumulative_weight"] = np.cumsum(weights / weights.sum())
    return records


@strict
def draw_launch(stream, launches, gravity, state):
    """Fill position (m), velocity (m/s) and spin (rad/s) in `state`, laid out as in layout.py, from a random stream."""
    position, velocity, spin = state[POSITION], state[VELOCITY], state[SPIN]
    pick, k = uniform(stream), 0
    while k < len(launches) - 1 and pick > launches[k]["cumulative_weight"]:
        k += 1
    launch = launches[k]
    if launch["is_correlated"]:
        _draw_correlated(stream, launch, state)
    else:
        for i in range(3):
            position[i] = draw_number(stream, launch["distributions"][i])
            velocity[i] = draw_number(stream, launch["distributions"][3 + i])
            spin[i] = draw_number(stream, launch["distributions"][6 + i])
    if launch["position_form"] == AROUND:
        _position_around(launch, position)
    _direct_velocity(stream, launch, gravity, position, velocity)
    _orient_spin(stream, launch["spin_form"], velocity, spin)
    if uniform(stream) < launch["mirror"]:  # the same ball from the other end, its spin turned with it
        position[1], velocity[1] = -position[1], -velocity[1]
        spin[0], spin[2] = -spin[0], -spin[2]


@strict
def _draw_correlated(stream, launch, state):
    """Fill the nine numbers of a launch whose normal numbers go together; a GPU has no room beside `state`."""
    mixing, distributions = launch["mixing"], launch["distributions"]
    for i in range(9):
        state[i] = normal(stream)
    for i in range(8, -1, -1):
        u = 0.0
        for j in range(i + 1):
            u += mixing[i, j] * state[j]
        state[i] = distributions[i]["a"] + distributions[i]["b"] * u


@strict
def draw_number(stream, distribution):
    """A number from a DISTRIBUTION_DTYPE record."""
    kind, a, b = distribution["kind"], distribution["a"], distribution["b"]
    if kind == NUMBER:
        return a
    while True:
        if kind == UNIFORM:
            x = a + (b - a) * uniform(stream)
        elif kind == NORMAL:
            x = a + b * normal(stream)
        else:
            x = abs(b * normal(stream))
        if distribution["low"] <= x <= distribution["high"]:
            return x


@strict
def _position_around(launch, position):
    around = launch["around"]
    distance, bearing = position[0], math.radians(position[1])
    inward = -1.0 if around[1] > 0.0 else 1.0
    position[0] = around[0] + distance * math.sin(bearing)
    position[1] = around[1] + inward * distance * math.cos(bearing)


@strict
def _direct_velocity(stream, launch, gravity, position, velocity):
    form, target = launch["velocity_form"], launch["target"]
    if form == COMPONENTS:
        return
    if form == ISOTROPIC:
        _isotropic(stream, velocity)
        return
    speed, azimuth, elevation = velocity[0], math.radians(velocity[1]), math.radians(velocity[2])
    dx, dy, dz = target[0] - position[0], target[1] - position[1], target[2] - position[2]
    if form == SHOT:
        distance = math.hypot(dx, dy)
        rise = max(distance * math.tan(elevation) - dz, 1e-3)
        speed *= distance / math.cos(elevation) * math.sqrt(0.5 * gravity / rise)
    if form == SHOT or form == AIMED:
        azimuth += math.atan2(-dx, dy)
    velocity[0] = -speed * math.cos(elevation) * math.sin(azimuth)
    velocity[1] = speed * math.cos(elevation) * math.cos(azimuth)
    velocity[2] = speed * math.sin(elevation)


@strict
def _orient_spin(stream, form, velocity, spin):
    """top: about the horizontal axis to the right of the motion; side: about the axis up; gyro: along the motion."""
    if form == SPIN_ISOTROPIC:
        _isotropic(stream, spin)
    elif form == FLIGHT or form == ACROSS:
        top, side, gyro = spin[0], spin[1], spin[2]
        if form == ACROSS:
            tilt = math.radians(side)
            top, side = top * math.cos(tilt), top * math.sin(tilt)
        speed = math.sqrt(velocity[0] ** 2 + velocity[1] ** 2 + velocity[2] ** 2) + 1e-12
        fx, fy, fz = velocity[0] / speed, velocity[1] / speed, velocity[2] / speed
        level = math.hypot(fx, fy)
        lx, ly = (-fy / level, fx / level) if level > 1e-9 else (-1.0, 0.0)  # horizontal, to the left of the motion
        ux, uy, uz = -fz * ly, fz * lx, fx * ly - fy * lx  # across the motion, upwards
        spin[0] = top * lx + side * ux + gyro * fx
        spin[1] = top * ly + side * uy + gyro * fy
        spin[2] = side * uz + gyro * fz


@strict
def _isotropic(stream, vector):
    """Turn a vector, whose first component is its length, in a random direction."""
    size = vector[0]
    z, angle = 2.0 * uniform(stream) - 1.0, 2.0 * math.pi * uniform(stream)
    level = math.sqrt(1.0 - z * z)
    vector[0], vector[1], vector[2] = size * level * math.cos(angle), size * level * math.sin(angle), size * z
