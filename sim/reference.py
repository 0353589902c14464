"""The reference implementation: one ball, scipy's DOP853 at tight tolerance, every contact by root finding.

    flight = reference_flight(sport, position, velocity, spin, times)     # one ball: (3,), (3,), (3,), (T,)

Tests compare the engine with it. It shares no code with the engine: laws and contact rules are written again from the
equations. A flight is a chain of segments (a step of the integrator, sliding, rolling, rest). Each is a path in closed
or dense form, searched for its first contact. Ten seconds of flight take 50-100 ms.
"""

import math
from collections import namedtuple
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import DOP853
from scipy.optimize import brentq

if TYPE_CHECKING:
    from ballcast.sim.sport import Law, Restitution, Sport, Surface

MIN_DEPTH = 1e-4  # m, by which a ball must be below the place where it lies to be put there
MIN_REBOUND_SPEED = 0.03  # m/s: a ball that would leave a contact more slowly rolls, or is pushed off at this speed
MIN_REBOUND_SPEED_SOFT = 0.3  # m/s: the same on a surface that gives
RTOL, ATOL = 1e-11, 1e-13
MAX_STEP = 0.05  # s; keeps the dense output as good as the steps
SAMPLE_SPACING = 0.1  # radii that the ball moves between two samples of the gaps
SIMULTANEITY_TOLERANCE = 1e-11  # s; of contacts closer than this the first surface of the list wins
UP = np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True)
class Impacts:
    """The contacts of one ball, in the order of time; N of them."""

    time: np.ndarray  # (N,) s
    position: np.ndarray  # (N, 3) m, the ball's centre
    surface: np.ndarray  # (N,) index into sport.surfaces
    velocity_before: np.ndarray  # (N, 3) m/s
    velocity_after: np.ndarray  # (N, 3) m/s
    spin_before: np.ndarray  # (N, 3) rad/s
    spin_after: np.ndarray  # (N, 3) rad/s


@dataclass(frozen=True)
class Flight:
    """One ball's true motion.

    near_miss: how nearly the ball went another way, m, inf if it never did. It is the least gap of a pass by a surface
    without contact, or the least depth that a contact with an edge or a ring would have reached, had the ball not been
    deflected. Where it is small, rounding decides the flight: comparisons may leave it out.
    """

    position: np.ndarray  # (T, 3) m
    velocity: np.ndarray  # (T, 3) m/s
    spin: np.ndarray  # (T, 3) rad/s
    impacts: Impacts
    near_miss: float


# the sport with this ball's own factors
_Ball = namedtuple("_Ball", "sport radius inertia drag lift restitution friction wind_x wind_y")


def reference_flight(sport: "Sport", position: ArrayLike, velocity: ArrayLike, spin: ArrayLike, times: ArrayLike,
                     parameters: ArrayLike | None = None) -> Flight:  # fmt: skip
    """The Flight of one ball from t = 0: position, velocity, spin (3,) in m, m/s, rad/s.

    times (T,) s, increasing, none below 0; parameters (6,) as in sim.PARAMETERS, or None for the preset. At the moment
    of a contact the state is the one after it.
    """
    factors = (1.0, 1.0, 1.0, 1.0, 0.0, 0.0) if parameters is None else np.asarray(parameters, float)
    ball, times = _Ball(sport, sport.ball.radius, sport.ball.inertia, *factors), np.asarray(times, float)
    state, support = np.concatenate([position, velocity, spin]).astype(float), None
    state[2] = _onto_surface(ball, state)
    now, states, contacts, near_misses = 0.0, np.empty((len(times), 9)), [], []
    for i, surface in enumerate(sport.surfaces):  # what the ball touches and does not leave is a contact at t = 0
        if max(_gap(ball, surface, state[None])) <= 0:
            state, support = _contact(ball, now, state, i, support, contacts)
    states[times <= now] = state
    while now < times[-1]:
        for begin, finish, path in _segments(ball, now, state, support, times[-1]):
            hit = _first_hit(ball, path, begin, finish, support, near_misses)
            now, surface = hit or (finish, None)
            inside = (begin <= times) & (times <= now)
            states[inside] = path(times[inside])
            if hit or now == times[-1]:
                break
        state = path(np.array([now]))[0]
        if hit and surface == support:
            support = None  # past the edge of what supported it
        elif hit:
            near_misses.append(_depth(ball, state, surface))
            state, support = _contact(ball, now, state, surface, support, contacts)
        states[times == now] = state
    time, surface = (np.array([c[i] for c in contacts], kind) for i, kind in ((0, float), (1, int)))
    before, after = (np.array([c[i] for c in contacts]).reshape(-1, 9) for i in (2, 3))
    impacts = Impacts(time, before[:, :3], surface, before[:, 3:6], after[:, 3:6], before[:, 6:], after[:, 6:])
    return Flight(states[:, :3], states[:, 3:6], states[:, 6:], impacts, min(near_misses, default=math.inf))


def _onto_surface(ball, state):
    """The height of a ball that starts there, or that on a level surface if it starts up to a radius below it."""
    x, y, z = state[:3]
    for surface in ball.sport.surfaces:
        (x0, y0, level), (x1, y1, _) = surface.low, surface.high
        reach = ball.radius + surface.rod
        if (
            surface.supports
            and x0 <= x <= x1
            and y0 <= y <= y1
            and level - ball.radius <= z < level + reach - MIN_DEPTH
        ):
            z = level + reach
    return z


def _segments(ball, now, state, support, end):
    """Segments (begin, finish, path) from `now` to `end`; path: times (n,) -> states (n, 9)."""
    if support is not None:
        yield from _roll(ball, ball.sport.surfaces[support], now, state, end)
        return
    solver = DOP853(lambda t, y: _rates(ball, y), now, state, end, rtol=RTOL, atol=ATOL, max_step=MAX_STEP)
    while solver.status == "running":
        solver.step()
        dense = solver.dense_output()
        yield solver.t_old, solver.t, lambda t, dense=dense: dense(t).T


def _rates(ball, state):
    """d state / dt in the air: gravity, drag, Magnus force, decay of spin."""
    sport = ball.sport
    vx, vy, vz, wx, wy, wz = state[3:].tolist()
    ux, uy, uz = vx - ball.wind_x, vy - ball.wind_y, vz  # velocity through the air
    speed = math.sqrt(ux * ux + uy * uy + uz * uz)
    cx, cy, cz = wy * uz - wz * uy, wz * ux - wx * uz, wx * uy - wy * ux  # w x u
    cross = math.sqrt(cx * cx + cy * cy + cz * cz)
    spin_ratio = ball.radius * cross / speed**2 if speed > 0 else 0.0  # S
    reynolds = 2.0 * ball.radius * speed / sport.world.nu
    k, size = sport.aerodynamic_constant, math.sqrt(wx * wx + wy * wy + wz * wz)
    cd = drag_coefficient(sport.drag, speed, spin_ratio, reynolds, size)
    if sport.drag.form == "crisis":
        cd -= sport.drag.values[1] * crisis(sport.lift, speed, spin_ratio)
    drag = ball.drag * k * cd * speed
    lift = ball.lift * k * lift_coefficient(sport.lift, speed, spin_ratio) * speed**2 / cross if cross > 0 else 0.0
    acceleration = lift * cx - drag * ux, lift * cy - drag * uy, lift * cz - drag * uz - sport.world.gravity
    decay = sport.spin_decay_rate * speed
    return [vx, vy, vz, *acceleration, -decay * wx, -decay * wy, -decay * wz]


def drag_coefficient(law: "Law", speed: float, spin_ratio: float, reynolds: float, size: float) -> float:
    """Cd at a speed (m/s), S, Re and |w| (rad/s), by the forms of a sport's [drag], without the dip of `crisis`."""
    if law.form in ("constant", "crisis"):
        return law.values[0]
    if law.form == "spin":
        base, per_krpm = law.values
        return base + per_krpm * size * 60 / (2 * math.pi) / 1000
    if law.form in ("logistic", "goff"):
        subcritical, supercritical, crisis_speed, crisis_width, *rest = law.values
        fall = 0.5 * (1 - math.tanh((speed - crisis_speed) / crisis_width / 2))  # 1 / (1 + exp), which cannot overflow
        still = supercritical + (subcritical - supercritical) * fall
        if law.form == "logistic":
            return still
        spin, factor, power = rest
        spinning = max(factor * spin_ratio**power, supercritical)
        return still + _ramp((speed - crisis_speed) / 0.5) * _ramp((spin_ratio - spin) / 0.02) * (spinning - still)
    if law.form == "polynomial":
        constant, s, s2, re, re_at, low, high = law.values
        cd = constant + s * spin_ratio + s2 * spin_ratio**2 + re * (reynolds / 1e5 - re_at)
        return min(max(cd, low), high)
    raise ValueError(f"the reference knows no drag of the form {law.form!r}")


def _ramp(x):
    """0 below -1/2, 1 above 1/2, smooth between."""
    x = min(max(x + 0.5, 0.0), 1.0)
    return x * x * (3 - 2 * x)


def crisis(lift: "Law", speed: float, spin_ratio: float) -> float:
    """The dip D of the lift form `crisis` at a speed (m/s) and S: 0 with another form."""
    if lift.form != "crisis":
        return 0.0
    *_, at, shift, half_speed, width = lift.values
    q = speed**2 / (speed**2 + half_speed**2)
    return q**4 / (1.0 + ((spin_ratio - (at - shift * q)) / width) ** 2)


def lift_coefficient(law: "Law", speed: float, spin_ratio: float) -> float:
    """CL at a speed (m/s) and S, by the forms of a sport's [lift]."""
    if law.form == "none":
        return 0.0
    if law.form == "saturating":
        a, b = law.values
        return spin_ratio / (a + b * spin_ratio)
    if law.form == "crisis":
        a, b, depth, *_ = law.values
        return spin_ratio / (a + b * spin_ratio) - depth * spin_ratio * crisis(law, speed, spin_ratio)
    if law.form == "polynomial":
        constant, s, s2, high = law.values
        return min(max(constant + s * spin_ratio + s2 * spin_ratio**2, 0.0), high)
    raise ValueError(f"the reference knows no lift of the form {law.form!r}")


def _roll(ball, surface, now, state, end):
    """Segments of a ball on a surface: it slides until its lowest point stands still, rolls until it stops, rests."""
    radius, inertia = ball.radius, ball.inertia
    grip = ball.friction * surface.friction * ball.sport.world.gravity  # m/s2, deceleration of sliding
    slowing = surface.rolling_resistance * ball.sport.world.gravity  # m/s2
    unspin = slowing / (inertia * radius)  # of the spin about the vertical, rad/s2
    slip = np.array([state[3] - radius * state[7], state[4] + radius * state[6], 0.0])  # v + w x (-R z)
    push = -grip * _unit(slip)
    twist = np.cross(-radius * UP, push) / (inertia * radius**2)
    duration = _time_to_zero(np.linalg.norm(slip), grip * (1 + 1 / inertia))
    finish, path = _planar_motion(now, state, push, twist, unspin, duration, end)
    yield now, finish, path

    now, state = finish, path(np.array([finish]))[0]
    state[6:8] = -state[4] / radius, state[3] / radius
    push = -slowing * _unit(state[3:6])
    twist = np.cross(UP, push) / radius
    duration = _time_to_zero(np.linalg.norm(state[3:6]), slowing)
    finish, path = _planar_motion(now, state, push, twist, unspin, duration, end)
    yield now, finish, path

    now, state = finish, path(np.array([finish]))[0]
    state[3:8] = 0.0
    yield now, end, _planar_motion(now, state, np.zeros(3), np.zeros(3), unspin, math.inf, end)[1]


def _planar_motion(now, state, push, twist, unspin, duration, end):
    """End of the segment, and its path: constant accelerations `push` and `twist` (3,); the spin about z decays."""

    def path(t):
        elapsed = (np.asarray(t) - now)[:, None]
        out = np.empty((len(elapsed), 9))
        out[:, :3] = state[:3] + state[3:6] * elapsed + 0.5 * push * elapsed**2
        out[:, 3:6] = state[3:6] + push * elapsed
        out[:, 6:] = state[6:] + twist * elapsed
        out[:, 8] = np.sign(state[8]) * np.maximum(abs(state[8]) - unspin * elapsed[:, 0], 0.0)
        return out

    return min(now + duration, end), path


def _time_to_zero(amount, rate):
    """amount / rate: how long it takes; never, where the rate is 0."""
    return 0.0 if amount == 0 else amount / rate if rate > 0 else math.inf


def _unit(vector):
    size = np.linalg.norm(vector)
    return vector / size if size > 0 else np.zeros(3)


def _gap(ball, surface, states):
    """Distance from ball to surface (n,) m, negative when they overlap, and its rate of change (n,) m/s."""
    normal, distance = normals(surface, states[:, :3])
    return distance - (ball.radius + surface.rod), np.einsum("ij,ij->i", states[:, 3:6], normal)


def normals(surface: "Surface", positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors (n, 3) from the surface (less its rod) to positions (n, 3), and the distances (n,)."""
    nearest = np.clip(positions, surface.low, surface.high)
    if surface.kind == "ring":
        level = (positions - surface.low) * [1.0, 1.0, 0.0]
        level[~level.any(axis=1), 0] = 1.0  # on the axis every point is as near: take one
        nearest = surface.low + surface.radius * level / np.linalg.norm(level, axis=1, keepdims=True)
    away = positions - nearest
    distance = np.linalg.norm(away, axis=1)
    return away / np.where(distance > 0, distance, 1.0)[:, None], distance


def _first_hit(ball, path, begin, finish, support, near_misses):
    """(time, index of the surface) of the first contact in a segment, or None. Passes without one go to near_misses.

    For the surface that supports the ball it is the time when its centre passes the edge.
    """
    speed = np.linalg.norm(path(np.linspace(begin, finish, 9))[:, 3:6], axis=1).max()
    times = np.linspace(begin, finish, 9 + int(1.1 * speed * (finish - begin) / (SAMPLE_SPACING * ball.radius)))
    states, hits, passes = path(times), [], []
    for i, surface in enumerate(ball.sport.surfaces):
        if i == support:
            time = _end_of_support(surface, path, times, states)
        else:
            time = _contact_time(ball, surface, path, times, states, passes)
        if time is not None:
            hits.append((time, i))
    first = min(hits, default=(math.inf,))[0]
    hit = min((h for h in hits if h[0] <= first + SIMULTANEITY_TOLERANCE), key=lambda h: h[1], default=None)
    near_misses += [gap for t, gap in passes if hit is None or t < hit[0]]
    return hit


def _contact_time(ball, surface, path, times, states, passes):
    """The first time when ball and surface touch while they draw together, or None. Adds (time, gap) of passes."""
    gap, rate = _gap(ball, surface, states)
    if gap.min() > ball.radius:
        return None
    for i in np.flatnonzero((rate < 0) & (gap < ball.radius)):
        if max(gap[i], rate[i]) < 0:  # between samples i - 1 and i
            if i == 0 or max(gap[i - 1], rate[i - 1]) <= 0:
                return times[max(i - 1, 0)]
            return _root(path, lambda y: max(_gap(ball, surface, y))[0], times[i - 1], times[i])
        if i + 1 < len(times) and rate[i + 1] >= 0:  # the least gap lies between samples i and i + 1
            low = _root(path, lambda y: _gap(ball, surface, y)[1][0], times[i], times[i + 1])
            min_gap = _gap(ball, surface, path(np.array([low])))[0][0]
            if min_gap < 0:
                return _root(path, lambda y: _gap(ball, surface, y)[0][0], times[i], low)
            passes.append((low, min_gap))
    return None


def _end_of_support(surface, path, times, states):
    """The time when a rolling ball's centre passes the edge of its rectangle, or None."""

    def inside(y):
        return np.minimum(y[:, :2] - surface.low[:2], surface.high[:2] - y[:, :2]).min(axis=1)

    depth = inside(states)
    if depth.min() >= 0:
        return None
    i = np.argmax(depth < 0)
    if i == 0 or depth[i - 1] <= 0:
        return times[max(i - 1, 0)]
    return _root(path, lambda y: inside(y)[0], times[i - 1], times[i])


def _root(path, function, before, after):
    """The time between two at which `function` of the state (1, 9) changes sign, to 1e-14 s."""
    return brentq(lambda t: function(path(np.array([t]))), before, after, xtol=1e-14, rtol=1e-15)


def _depth(ball, state, index):
    """How deep a contact with an edge or a ring would go, m, on the ball's arc in vacuum; inf for a face."""
    surface = ball.sport.surfaces[index]
    beyond = (state[:3] < surface.low) | (state[:3] > surface.high)
    if surface.kind != "ring" and beyond.sum() < 2:
        return math.inf
    reach, gravity = ball.radius + surface.rod, ball.sport.world.gravity
    longest = min(2 * reach / max(np.linalg.norm(state[3:6]), 1e-9), math.sqrt(2 * reach / max(gravity, 1e-9)))
    elapsed = np.linspace(0, longest, 400)[:, None]
    arc = state[:3] + state[3:6] * elapsed - 0.5 * gravity * UP * elapsed**2
    return reach - normals(surface, arc)[1].min()


def _contact(ball, now, state, index, support, contacts):
    """(state after, the index of the surface it rolls on or None) of a contact, which is added to `contacts`."""
    surface = ball.sport.surfaces[index]
    normal = normals(surface, state[None, :3])[0][0]
    velocity, spin, is_captured = _impulse(ball, surface, state, normal)
    if is_captured:
        support = index
    elif support is not None and velocity[2] <= 0:
        velocity[2] = 0.0  # it stays on its support
    else:
        support = None
    after = np.concatenate([state[:3], velocity, spin])
    contacts.append((now, index, state, after))
    return after, support


def _impulse(ball, surface, state, normal):
    """(velocity, spin, whether it is captured) after contact: a normal impulse, and friction that grips or slips."""
    radius, inertia, velocity, spin, level = ball.radius, ball.inertia, state[3:6], state[6:], normal
    normal = turned_normal(surface.give, velocity, normal)
    approach = -velocity @ normal
    rebound_speed = restitution(surface.restitution, approach, ball.restitution) * approach
    is_captured = rebound_speed < MIN_REBOUND_SPEED and _is_supported(surface, state, level)
    if rebound_speed < MIN_REBOUND_SPEED:
        rebound_speed = 0.0 if is_captured else MIN_REBOUND_SPEED
    arm = -radius * normal
    slip = velocity + approach * normal + np.cross(spin, arm)  # velocity of the contact point along the surface
    grip = (1 + surface.tangential_restitution) * inertia / (1 + inertia) * np.linalg.norm(slip)
    friction = -min(grip, ball.friction * surface.friction * (approach + rebound_speed)) * _unit(slip)
    after = velocity + (approach + rebound_speed) * normal + friction
    if surface.give > 0 and after @ level < MIN_REBOUND_SPEED_SOFT:
        is_captured = _is_supported(surface, state, level)
        after += max(0.0, MIN_REBOUND_SPEED - after @ level) * level
    if is_captured:
        after[2] = 0.0
    return after, spin + np.cross(arm, friction) / (inertia * radius**2), is_captured


def turned_normal(give: float, velocity: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """The normal (3,) of a surface that gives by `give` (s/m), turned against a ball's velocity (3,) along it."""
    along = velocity - (velocity @ normal) * normal
    incidence = math.atan2(np.linalg.norm(along), -velocity @ normal)
    angle = min(give * float(np.linalg.norm(velocity)), 1.0) * incidence
    return math.cos(angle) * normal - math.sin(angle) * _unit(along)


def restitution(law: "Restitution", approach: float, factor: float = 1.0) -> float:
    """e at a speed of approach in m/s, by a surface's law and the ball's own factor; never above 1."""
    e = law.e + law.slope * (approach - law.at) + law.curve * (approach - law.at) ** 2
    return min(1.0, factor * min(max(e, law.min), law.max))


def _is_supported(surface, state, normal):
    """Whether the ball is on a level surface; one at the very edge and on its way out is not."""
    soon = state[:3] + 1e-9 * state[3:6]
    over = np.all(soon[:2] >= surface.low[:2]) and np.all(soon[:2] <= surface.high[:2])
    return surface.supports and normal[2] > 1 - 1e-12 and over
