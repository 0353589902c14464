"""Random sports: one of those that ship, with another ball, other air, surfaces, speeds and another sensor.

    sport = random_sport(17, seed=0, purpose="train")        # always the same one; sim.load("random-train-0-17")

Networks that learn from many of them work for a sport that nobody has trained them on. Lengths are multiplied by a
factor and speeds by its root, so that a launch reaches as far on its court as before. The ball's mass follows from the
ratio of drag to weight, which is drawn, so that no ball stops in the air. Purposes never share a sport.
"""

import math
import re
from dataclasses import replace

import numpy as np

from ballcast.sim import rng
from ballcast.sim.dataset import draw_launches
from ballcast.sim.kernels.layout import VELOCITY
from ballcast.sim.launch import AROUND, COMPONENTS, ISOTROPIC, SHOT, SPIN_FORMS, UNIFORM, Launch
from ballcast.sim.sport import Ball, Environment, Law, ParameterSpread, Restitution, Sensor, Sport, Surface, load, names
from ballcast.sim.toml_fields import SportError

LENGTH_RANGE = (0.5, 2.0)  # factor of all lengths of the court
SPEED_RANGE = (0.85, 1.15)  # of the launch speeds, beside the root of the factor of lengths
RADIUS_RANGE, SPIN_RANGE = (0.6, 1.5), (0.4, 2.0)  # of the ball's radius over the lengths; of R w / U
DENSITY_RANGE = (30.0, 1500.0)  # kg/m3, mass over volume of the ball: a balloon-like shell to a solid ball
DRAG_RANGE = (0.02, 3.0)  # drag over weight at the usual launch speed
DRAG_FACTOR_RANGE = (0.4, 2.5)  # of that ratio over that of the sport it is derived from
MAX_RESTITUTION, MAX_FRICTION = 0.95, 1.2
SENSOR_RANGES = {"rate": (0.6, 1.6), "noise": (0.4, 2.5), "jitter": (0.5, 1.5)}
RATE_LIMITS = (20.0, 400.0)  # Hz
ACROSS = list(SPIN_FORMS).index("across")
CAMERA_POINTS = ("eye", "target")


def random_sport(number: int, seed: int = 0, purpose: str = "train") -> Sport:
    """The random Sport of that number: it depends on (purpose, seed, number) alone. ValueError for a wrong purpose."""
    if purpose not in rng.PURPOSES:
        raise ValueError(f"purpose {purpose!r} is not known; there are {', '.join(rng.PURPOSES)}")
    draw = np.random.default_rng((rng.PURPOSES.index(purpose), seed, number))
    base = load(names()[draw.integers(len(names()))])
    length = _between(draw, LENGTH_RANGE)
    radius = base.ball.radius * length * _between(draw, RADIUS_RANGE)
    speed = math.sqrt(length) * _between(draw, SPEED_RANGE)
    base_speed = _rms(draw_launches(base, 500)[:, VELOCITY])  # m/s
    spin = speed * base.ball.radius / radius * _between(draw, SPIN_RANGE)
    radii = base.ball.radius * length, radius
    world = Environment(base.world.gravity, draw.uniform(0, 35), draw.uniform(0, 2000), draw.uniform(0, 1))
    drag, cd = _drag(draw, speed * base_speed)
    own_ratio = 0.4 * base.aerodynamic_constant * base_speed**2 / base.world.gravity  # of drag to weight
    ratio = float(np.clip(own_ratio * _between(draw, DRAG_FACTOR_RANGE), *DRAG_RANGE))
    mass = world.rho * math.pi * radius**2 * cd * (speed * base_speed) ** 2 / (2.0 * ratio * world.gravity)
    mass = float(np.clip(mass, *(4.0 / 3.0 * math.pi * radius**3 * density for density in DENSITY_RANGE)))
    return replace(
        base,
        name=f"random-{purpose}-{seed}-{number}",
        version=1,
        origin=f"as in {base.name}",
        ball=Ball(mass, radius, draw.uniform(0.38, 2 / 3)),
        world=world,
        drag=drag,
        lift=_lift(draw),
        surfaces=tuple(_surface(draw, s, length) for s in base.surfaces),
        launches=tuple(scaled_launch(x, length, speed, spin, radii) for x in base.launches),
        sensor=_sensor(draw, base.sensor, length),
        spread=_spread(draw, base.spread, speed),
        view=replace(base.view.bare(), **{k: _scaled(getattr(base.view, k), length) for k in CAMERA_POINTS}),
        throws=(),
        zones=(),
        strokes=(),
    )


def random_sport_named(name: str) -> Sport:
    """The random Sport of a name random-PURPOSE-SEED-NUMBER; SportError if it is none."""
    found = re.fullmatch(rf"random-({'|'.join(rng.PURPOSES)})-(\d{{1,18}})-(\d{{1,18}})", name)
    if not found:
        purposes = ", ".join(rng.PURPOSES)
        raise SportError(f"{name!r} is no random sport; name it random-PURPOSE-SEED-NUMBER, PURPOSE one of {purposes}")
    return random_sport(int(found[3]), int(found[2]), found[1])


def _between(draw, ends):
    """A number between two ends, evenly in its logarithm."""
    return math.exp(draw.uniform(math.log(ends[0]), math.log(ends[1])))


def _rms(vectors):
    return float(np.sqrt((vectors**2).sum(axis=1).mean()))


def _scaled(values, factor):
    return tuple(factor * v for v in values)


def _drag(draw, speed):
    """A law of drag and its coefficient near `speed` m/s."""
    cd, form = (
        draw.uniform(0.2, 0.6),
        draw.choice(["constant", "logistic", "spin", "polynomial"], p=[0.5, 0.2, 0.1, 0.2]),
    )
    if form == "constant":
        return Law("constant", (cd,)), cd
    if form == "spin":
        return Law("spin", (cd, draw.uniform(0.0, 0.04))), cd
    if form == "polynomial":
        s, s2, re = draw.uniform(0.2, 0.7), -draw.uniform(0.1, 0.6), -draw.uniform(0.0, 0.1)
        return Law("polynomial", (0.9 * cd, s, s2, re, draw.uniform(0.2, 2.0), 0.15, 0.7)), cd
    sub, supercritical, centre = draw.uniform(0.4, 0.55), draw.uniform(0.12, 0.3), draw.uniform(0.4, 1.5) * speed
    width = draw.uniform(0.05, 0.15) * centre
    falls = 1.0 / (1.0 + math.exp((speed - centre) / width))
    return Law("logistic", (sub, supercritical, centre, width)), supercritical + (sub - supercritical) * falls


def _lift(draw):
    form = draw.choice(["saturating", "polynomial", "none"], p=[0.8, 0.12, 0.08])
    if form == "saturating":
        return Law("saturating", (_between(draw, (0.5, 2.5)), draw.uniform(0.5, 3.5)))
    if form == "polynomial":
        return Law("polynomial", (draw.uniform(0.0, 0.07), draw.uniform(0.6, 1.4), -draw.uniform(0.3, 1.4), 0.4))
    return Law("none")


def _surface(draw, surface: Surface, length):
    """The surface with lengths multiplied, and another restitution and friction."""
    own, root = surface.restitution, math.sqrt(length)
    e = draw.uniform(0.4, 0.92) if surface.supports else min(own.e * _between(draw, (0.5, 2.0)), MAX_RESTITUTION)
    factor = e / own.e
    low, high = min(own.min * factor, e), min(own.max * factor, MAX_RESTITUTION)
    restitution = Restitution(e, own.at * root, own.slope * factor / root, own.curve * factor / length, low, high)
    return replace(
        surface,
        low=_scaled(surface.low, length),
        high=_scaled(surface.high, length),
        radius=surface.radius * length,
        rod=surface.rod * length,
        restitution=restitution,
        friction=float(np.clip(surface.friction * _between(draw, (0.4, 2.0)), 0.05, MAX_FRICTION)),
        tangential_restitution=float(draw.uniform(0.0, 0.25)) if draw.random() < 0.3 else 0.0,
        rolling_resistance=surface.rolling_resistance * _between(draw, (0.5, 2.0)),
    )


def scaled_launch(launch: Launch, length: float, speed: float, spin: float, radii: tuple[float, float]) -> Launch:
    """The launch with lengths, speeds and spins multiplied; radii (m) of the old ball, scaled, and of the new one."""
    position, velocity, spins = (launch.distributions[k : k + 3] for k in (0, 3, 6))
    level = _scaled_distribution(position[2], length, radii[1] - radii[0])
    if launch.position_form == AROUND:  # distance, bearing, z
        position = _scaled_distribution(position[0], length), position[1], level
    else:
        position = *(_scaled_distribution(d, length) for d in position[:2]), level
    if launch.velocity_form in (COMPONENTS, ISOTROPIC):
        velocity = tuple(_scaled_distribution(d, speed) for d in velocity)
    elif launch.velocity_form != SHOT:  # a shot's speed follows from the distance of its target
        velocity = _scaled_distribution(velocity[0], speed), *velocity[1:]
    angle = 1 if launch.spin_form == ACROSS else -1
    spins = (d if k == angle else _scaled_distribution(d, spin) for k, d in enumerate(spins))
    return replace(
        launch,
        distributions=(*position, *velocity, *spins),
        around=_scaled(launch.around, length),
        target=_scaled(launch.target, length),
    )


def _scaled_distribution(distribution, factor, shift=0.0):
    """A distribution (kind, a, b, low, high) of numbers that are multiplied by a factor and then shifted."""
    kind, a, b, low, high = distribution
    end = shift if kind == UNIFORM else 0.0
    return kind, factor * a + shift, factor * b + end, factor * low + shift, factor * high + shift


def _sensor(draw, sensor: Sensor, length):
    """The sensor with another rate, noise and jitter; outliers are as large on the court as before."""
    rate, noise, jitter = (_between(draw, SENSOR_RANGES[name]) for name in ("rate", "noise", "jitter"))
    low, high = (float(np.clip(rate * r, *RATE_LIMITS)) for r in sensor.train_rate)
    return replace(
        sensor,
        rate=float(np.clip(rate * sensor.rate, low, high)),
        train_rate=(low, high),
        duration=sensor.duration * math.sqrt(length),
        noise=_scaled(sensor.noise, noise * math.sqrt(length)),
        jitter=_scaled(sensor.jitter, jitter / rate),
        outlier=replace(sensor.outlier, size=_scaled(sensor.outlier.size, length)),
        frame=replace(sensor.frame, height=sensor.frame.height * length),
    )


def _spread(draw, spread: ParameterSpread, speed):
    parts = ("drag", "lift", "restitution", "friction")
    total = dict(zip(parts, spread.total))
    factors = {name: min(total[name] * draw.uniform(0.5, 1.6), 0.5) for name in parts}
    return ParameterSpread(**factors, wind=_scaled(spread.total[4:], speed * draw.uniform(0.0, 1.5)))
