"""Forces of the air on a ball: drag, lift (Magnus force), wind, decay of spin.

    u = v - wind,  S = R |w x u| / |u|^2,  Re = 2 R |u| / nu,  K = rho pi R^2 / (2 m)
    dv/dt = g - K Cd |u| u + K CL |u|^2 (w x u) / |w x u|,   dw/dt = -decay |u| w

A sport names a form of Cd and of CL, and the numbers in it. All forms are rows of the same numbers, `Aero`. They fall
into five drag models, each a drag function; a loop over many balls picks the model outside. A drag function takes the
ball's factors of drag and lift, the velocity u through the air and the spin w, and returns the acceleration by the air
(m/s2) and the rate of the spin, d|w|/dt / |w| (1/s). It works in the precision of its arguments.
"""

import math
from collections import namedtuple
from typing import TYPE_CHECKING

import numpy as np

from ballcast.sim.jit import inlined
from ballcast.sim.kernels.dormand_prince import dormand_prince_step
from ballcast.sim.kernels.exponential import exponential, logarithm
from ballcast.sim.kernels.lane_numbers import where
from ballcast.sim.kernels.literals import literals
from ballcast.sim.kernels.vectors import cross, dot, norm

if TYPE_CHECKING:  # an import would make every edit of sport.py compile this module anew
    from ballcast.sim.sport import Sport

DRAG_FORMS = {
    "constant": ("cd",),
    "spin": ("base", "per_krpm"),  # base + per_krpm |w| in thousands of rpm
    "logistic": ("sub", "super", "centre", "width"),  # super + (sub - super) / (1 + exp((|u| - centre) / width))
    # logistic; a ball with S > spin that is faster than centre: factor S^power, at least super. The transition from one
    # to the other is smooth, over 0.02 in S and 0.5 m/s
    "goff": ("sub", "super", "centre", "width", "spin", "factor", "power"),
    "polynomial": ("constant", "s", "s2", "re", "re_at", "min", "max"),  # constant + s S + s2 S^2 + re (Re/1e5 - re_at)
    "crisis": ("cd", "dip"),  # cd - dip D, D as in the lift of the same name; cd alone with another lift
}
LIFT_FORMS = {
    "none": (),
    "saturating": ("a", "b"),  # S / (a + b S)
    "polynomial": ("constant", "s", "s2", "max"),  # constant + s S + s2 S^2, between 0 and max
    # S / (a + b S) less a dip, the lift crisis: S depth D, where D = q^4 / (1 + ((S - at + shift q) / width)^2) and
    # q = |u|^2 / (|u|^2 + speed^2). A slow ball has no dip; the faster the ball, the deeper the dip and the lower its S
    "crisis": ("a", "b", "depth", "at", "shift", "speed", "width"),
}
# constant Cd and saturating CL; polynomials too; Cd that falls at a speed; as that, but spinning balls have another Cd;
# constant Cd and saturating CL with a dip
CONSTANT_DRAG, POLYNOMIAL_DRAG, DRAG_CRISIS, SPIN_DRAG, LIFT_CRISIS = DRAG_MODELS = range(5)

# of one sport in one precision: Cd = drag + drag_s S + drag_s2 S^2 + drag_speed |u| + drag_spin |w|, and the drag
# crisis; CL = lift + lift_s S + lift_s2 S^2, and lift_saturating S / (lift_a + lift_b S); the lift crisis
Aero = namedtuple(
    "Aero",
    "gravity constant radius spin_decay drag drag_s drag_s2 drag_speed drag_spin drag_min drag_max drag_drop "
    "crisis_speed crisis_width spin_threshold spin_factor spin_power blend_rate_speed blend_rate_s lift lift_s "
    "lift_s2 lift_max lift_saturating lift_a lift_b dip_drag dip_lift dip_at dip_shift dip_speed_squared dip_rate "
    "inverse_step_length max_step tolerance",
)
# drag D and lift L of dv/dt = g + D u + L (w x u), with their derivatives by |u|, |w x u| and |w|
AeroDerivatives = namedtuple("AeroDerivatives", "drag drag_speed drag_cross drag_spin lift lift_speed lift_cross")
RPM = 60.0 / (2.0 * math.pi)
STEP_FRACTION = 0.16  # a step may turn or slow the ball by about this fraction
MAX_STEP = 0.12  # s, of a slow ball
# m/s, of the fourth-order rule inside: the fifth errs far less
TOLERANCE: dict[type, float] = {np.float64: 5e-7, np.float32: 5e-6}
DIP_TOLERANCE_FACTOR: dict[type, float] = {np.float64: 0.25, np.float32: 1.0}  # where a law has a narrow dip
NONSMOOTH_TOLERANCE_FACTOR = 0.02  # where a law has corners (min and max), which the estimate of the error misses
BLEND_SPEED, BLEND_S = 0.5, 0.02  # m/s, and in S: width of the transition of `goff`


def aero_coefficients(sport: "Sport", dtype: type) -> tuple[int, Aero]:
    """(drag model, numbers as scalars of a numpy type) of a Sport."""
    radius, constant = sport.ball.radius, sport.aerodynamic_constant
    row: dict = dict.fromkeys(Aero._fields, 0.0)
    row.update(drag_min=-math.inf, drag_max=math.inf, lift_max=math.inf, crisis_width=1.0, lift_a=1.0)
    row.update(dip_speed_squared=1.0)
    row.update(_drag(sport.drag, 2.0 * radius / sport.world.nu / 1e5), **_lift(sport.lift))
    row.update(gravity=sport.world.gravity, constant=constant, radius=radius, spin_decay=sport.spin_decay_rate)
    row.update(inverse_step_length=constant * _largest_coefficients(row) / STEP_FRACTION)
    row.update(max_step=MAX_STEP, blend_rate_speed=1.0 / BLEND_SPEED, blend_rate_s=1.0 / BLEND_S)
    model = _drag_model(sport)
    factor = {CONSTANT_DRAG: 1.0, LIFT_CRISIS: DIP_TOLERANCE_FACTOR[dtype]}.get(model, NONSMOOTH_TOLERANCE_FACTOR)
    row["tolerance"] = TOLERANCE[dtype] * factor
    return model, Aero(**{name: dtype(value) for name, value in row.items()})


def _drag_model(sport):
    """The drag model of a Sport. Raises ValueError where a lift crisis goes with a law of drag that it cannot have."""
    is_constant = sport.drag.form in ("constant", "crisis")
    if sport.lift.form == "crisis":
        if not is_constant:
            raise ValueError(
                f"{sport.name}: lift 'crisis' goes with drag 'constant' or 'crisis', not {sport.drag.form!r}"
            )
        return LIFT_CRISIS
    if is_constant and sport.lift.form in ("none", "saturating"):
        return CONSTANT_DRAG
    return {"logistic": DRAG_CRISIS, "goff": SPIN_DRAG}.get(sport.drag.form, POLYNOMIAL_DRAG)


def _drag(law, re_per_speed):
    v = dict(zip(DRAG_FORMS[law.form], law.values, strict=True))
    if law.form in ("constant", "crisis"):
        return {"drag": v["cd"], "dip_drag": v.get("dip", 0.0)}
    if law.form == "spin":
        return {"drag": v["base"], "drag_spin": v["per_krpm"] * RPM / 1000.0}
    if law.form == "polynomial":
        return {"drag": v["constant"] - v["re"] * v["re_at"], "drag_s": v["s"], "drag_s2": v["s2"],
                "drag_speed": v["re"] * re_per_speed, "drag_min": v["min"], "drag_max": v["max"]}  # fmt: skip
    drop = v["sub"] - v["super"]
    row = {"drag": v["super"], "drag_drop": drop, "crisis_speed": v["centre"], "crisis_width": v["width"]}
    if law.form == "goff":
        row |= {"spin_threshold": v["spin"], "spin_factor": v["factor"], "spin_power": v["power"]}
    return row


def _lift(law):
    v = dict(zip(LIFT_FORMS[law.form], law.values, strict=True))
    if law.form == "saturating":
        return {"lift_saturating": 1.0, "lift_a": v["a"], "lift_b": v["b"]}
    if law.form == "polynomial":
        return {"lift": v["constant"], "lift_s": v["s"], "lift_s2": v["s2"], "lift_max": v["max"]}
    if law.form == "crisis":
        row = {"lift_saturating": 1.0, "lift_a": v["a"], "lift_b": v["b"], "dip_lift": v["depth"], "dip_at": v["at"]}
        return row | {"dip_shift": v["shift"], "dip_speed_squared": v["speed"] ** 2, "dip_rate": 1.0 / v["width"]}
    return {}


def _largest_coefficients(row):
    """Cd and CL together, as large as they become."""
    drag = abs(row["drag"]) + abs(row["drag_drop"]) + abs(row["drag_s"]) * 0.5 + 5e2 * abs(row["drag_spin"])
    total = row["lift_a"] + row["lift_b"]
    saturating = row["lift_saturating"] / total if total > 0 else 0.0
    return min(row["drag_max"], drag) + (saturating + min(row["lift_max"], abs(row["lift"]) + abs(row["lift_s"]) * 0.5))


@inlined
def constant_drag(aero, drag, lift, u, w):
    """Constant Cd, CL = S / (a + b S)."""
    tiny = literals(aero.gravity).tiny
    uu = dot(u, u) + tiny
    speed = math.sqrt(uu)
    c = cross(w, u)
    m = math.sqrt(dot(c, c) + tiny)
    d = -drag * aero.constant * aero.drag * speed
    k = lift * aero.lift_saturating * aero.constant * aero.radius * uu
    k /= aero.lift_a * uu + aero.lift_b * aero.radius * m
    return d * u[0] + k * c[0], d * u[1] + k * c[1], d * u[2] + k * c[2], -aero.spin_decay * speed


@inlined
def polynomial_drag(aero, drag, lift, u, w):
    """Cd a polynomial in S, |u| and |w|, CL a polynomial in S, or saturating."""
    uu = dot(u, u) + literals(aero.gravity).tiny
    return _general_drag(aero, drag, lift, u, w, uu, math.sqrt(uu), literals(aero.gravity).zero)


@inlined
def drag_crisis(aero, drag, lift, u, w):
    """As `polynomial_drag`, with a logistic fall of Cd with speed."""
    uu = dot(u, u) + literals(aero.gravity).tiny
    speed = math.sqrt(uu)
    extra_drag = aero.drag_drop / (
        literals(aero.gravity).one + exponential((speed - aero.crisis_speed) / aero.crisis_width)
    )
    return _general_drag(aero, drag, lift, u, w, uu, speed, extra_drag)


@inlined
def spin_drag(aero, drag, lift, u, w):
    """As `drag_crisis`, but the Cd of a spinning ball grows with its spin."""
    tiny = literals(aero.gravity).tiny
    uu = dot(u, u) + tiny
    speed, c = math.sqrt(uu), cross(w, u)
    extra_drag, _, _ = _goff_drag(aero, speed, aero.radius * math.sqrt(dot(c, c) + tiny) / uu)
    return _general_drag(aero, drag, lift, u, w, uu, speed, extra_drag)


@inlined
def lift_crisis(aero, drag, lift, u, w):
    """Constant Cd and saturating CL, both less a dip."""
    n = literals(aero.gravity)
    uu, c = dot(u, u) + n.tiny, cross(w, u)
    m, shifted = math.sqrt(dot(c, c) + n.tiny), uu + aero.dip_speed_squared
    inverse = n.one / (uu * shifted)  # two divisions in all: they are slow
    S, q = aero.radius * m * shifted * inverse, uu * uu * inverse
    x, below = (S - aero.dip_at + aero.dip_shift * q) * aero.dip_rate, aero.lift_a + aero.lift_b * S
    bell = n.one + x * x
    inverse = n.one / (below * bell)
    speed, q2 = math.sqrt(uu), q * q
    D = q2 * q2 * below * inverse
    d = -drag * aero.constant * (aero.drag - aero.dip_drag * D) * speed
    k = lift * aero.constant * aero.radius * (aero.lift_saturating * bell * inverse - aero.dip_lift * D)
    return d * u[0] + k * c[0], d * u[1] + k * c[1], d * u[2] + k * c[2], -aero.spin_decay * speed


@inlined
def _general_drag(aero, drag, lift, u, w, uu, speed, extra_drag):
    zero, tiny = literals(aero.gravity).zero, literals(aero.gravity).tiny
    c = cross(w, u)
    m = math.sqrt(dot(c, c) + tiny)
    S = aero.radius * m / uu
    Cd = aero.drag + S * (aero.drag_s + S * aero.drag_s2) + aero.drag_speed * speed + aero.drag_spin * norm(w)
    Cd = min(max(Cd + extra_drag, aero.drag_min), aero.drag_max)
    CL = min(max(aero.lift + S * (aero.lift_s + S * aero.lift_s2), zero), aero.lift_max)
    CL += aero.lift_saturating * S / (aero.lift_a + aero.lift_b * S)
    d = -drag * aero.constant * Cd * speed
    k = lift * aero.constant * CL * uu / (m + tiny)
    return d * u[0] + k * c[0], d * u[1] + k * c[1], d * u[2] + k * c[2], -aero.spin_decay * speed


@inlined
def _goff_drag(aero, speed, S):
    """What `goff` adds to the supercritical Cd, and its derivatives by speed and by S."""
    n = literals(aero.gravity)
    z = n.one / (n.one + exponential((speed - aero.crisis_speed) / aero.crisis_width))
    still, still_v = aero.drag_drop * z, -aero.drag_drop * z * (n.one - z) / aero.crisis_width
    spinning = aero.spin_factor * exponential(aero.spin_power * logarithm(S + n.tiny))
    spinning_s = where(spinning > aero.drag, aero.spin_power * spinning / (S + n.tiny), n.zero)
    spinning = max(spinning - aero.drag, n.zero)
    x = min(max((speed - aero.crisis_speed) * aero.blend_rate_speed + n.half, n.zero), n.one)
    y = min(max((S - aero.spin_threshold) * aero.blend_rate_s + n.half, n.zero), n.one)
    a, b = x * x * (n.three - n.two * x), y * y * (n.three - n.two * y)
    a_v, b_s = n.six * x * (n.one - x) * aero.blend_rate_speed, n.six * y * (n.one - y) * aero.blend_rate_s
    excess = spinning - still
    return still + a * b * excess, still_v * (n.one - a * b) + a_v * b * excess, a * b * spinning_s + a * b_s * excess


@inlined
def acceleration(sport, parameters, velocity, spin):
    """Acceleration of a ball in flight, m/s2, gravity included; parameters: a Parameters."""
    aero, drag, lift = sport.aero, parameters.drag, parameters.lift
    u = velocity[0] - parameters.wind_x, velocity[1] - parameters.wind_y, velocity[2]
    if sport.drag_model == CONSTANT_DRAG:
        ax, ay, az, _ = constant_drag(aero, drag, lift, u, spin)
    elif sport.drag_model == POLYNOMIAL_DRAG:
        ax, ay, az, _ = polynomial_drag(aero, drag, lift, u, spin)
    elif sport.drag_model == SPIN_DRAG:
        ax, ay, az, _ = spin_drag(aero, drag, lift, u, spin)
    elif sport.drag_model == LIFT_CRISIS:
        ax, ay, az, _ = lift_crisis(aero, drag, lift, u, spin)
    else:
        ax, ay, az, _ = drag_crisis(aero, drag, lift, u, spin)
    return ax, ay, az - aero.gravity


@inlined
def integrate(sport, h, drag, lift, a, u, w):
    """`dormand_prince_step` with the sport's drag function."""
    if sport.drag_model == CONSTANT_DRAG:
        return dormand_prince_step(constant_drag, sport.aero, h, drag, lift, a, u, w)
    if sport.drag_model == POLYNOMIAL_DRAG:
        return dormand_prince_step(polynomial_drag, sport.aero, h, drag, lift, a, u, w)
    if sport.drag_model == SPIN_DRAG:
        return dormand_prince_step(spin_drag, sport.aero, h, drag, lift, a, u, w)
    if sport.drag_model == LIFT_CRISIS:
        return dormand_prince_step(lift_crisis, sport.aero, h, drag, lift, a, u, w)
    return dormand_prince_step(drag_crisis, sport.aero, h, drag, lift, a, u, w)


@inlined
def constant_drag_derivatives(aero, speed, m):
    """The AeroDerivatives of `constant_drag` at speed |u| and m = |w x u|, of a ball whose factors are 1."""
    L, L_v, L_m = _lift_derivatives(aero, speed, m)
    zero, k = literals(aero.gravity).zero, aero.constant * aero.drag
    return AeroDerivatives(-k * speed, -k, zero, zero, L, L_v, L_m)


@inlined
def lift_crisis_derivatives(aero, speed, m):
    """As `constant_drag_derivatives` for `lift_crisis`."""
    n, K, uu = literals(aero.gravity), aero.constant, speed * speed
    S, q = aero.radius * m / uu, uu / (uu + aero.dip_speed_squared)
    S_v, S_m, q_v = -n.two * S / speed, aero.radius / uu, n.two * q * (n.one - q) / speed
    x, saturating = (S - aero.dip_at + aero.dip_shift * q) * aero.dip_rate, n.one / (aero.lift_a + aero.lift_b * S)
    bell = n.one / (n.one + x * x)
    q2 = q * q
    D, D_x = q2 * q2 * bell, -n.two * x * bell * bell * q2 * q2
    D_m, bend = D_x * aero.dip_rate * S_m, -aero.lift_saturating * aero.lift_b * saturating * saturating
    D_v = n.four * q2 * q * bell * q_v + D_x * aero.dip_rate * (S_v + aero.dip_shift * q_v)
    Cd, k = aero.drag - aero.dip_drag * D, K * aero.radius
    return AeroDerivatives(
        -K * Cd * speed, -K * (Cd - speed * aero.dip_drag * D_v), K * speed * aero.dip_drag * D_m, n.zero,
        k * (aero.lift_saturating * saturating - aero.dip_lift * D),
        k * (bend * S_v - aero.dip_lift * D_v), k * (bend * S_m - aero.dip_lift * D_m),
    )  # fmt: skip


@inlined
def general_drag_derivatives(aero, speed, m, w):
    """As `constant_drag_derivatives` for the models with a drag of their own; w = |w|."""
    n, uu, K = literals(aero.gravity), speed * speed, aero.constant
    S = aero.radius * m / uu
    extra, extra_v, extra_s = _goff_drag(aero, speed, S)
    if aero.spin_factor == n.zero:
        z = n.one / (n.one + exponential((speed - aero.crisis_speed) / aero.crisis_width))
        extra, extra_s = aero.drag_drop * z, n.zero
        extra_v = -aero.drag_drop * z * (n.one - z) / aero.crisis_width
    whole = aero.drag + S * (aero.drag_s + S * aero.drag_s2) + aero.drag_speed * speed + aero.drag_spin * w + extra
    Cd = min(max(whole, aero.drag_min), aero.drag_max)
    free = where(Cd == whole, n.one, n.zero)
    Cd_s = free * (aero.drag_s + n.two * S * aero.drag_s2 + extra_s)
    Cd_v = free * (aero.drag_speed + extra_v) - n.two * Cd_s * S / speed
    L, L_v, L_m = _lift_derivatives(aero, speed, m)
    whole = aero.lift + S * (aero.lift_s + S * aero.lift_s2)
    CL = min(max(whole, n.zero), aero.lift_max)
    bend = where(CL == whole, (aero.lift_s + n.two * S * aero.lift_s2) * S, n.zero)
    k = K / (m + n.tiny)
    return AeroDerivatives(
        -K * Cd * speed, -K * (Cd + speed * Cd_v), -K * Cd_s * aero.radius / speed, -K * speed * free * aero.drag_spin,
        L + k * CL * uu, L_v + n.two * k * speed * (CL - bend), L_m + k * uu * (bend - CL) / (m + n.tiny),
    )  # fmt: skip


@inlined
def _lift_derivatives(aero, speed, m):
    """Lift of saturating CL, and its derivatives by |u| and |w x u|."""
    uu, b = speed * speed, aero.lift_b * aero.radius
    below = aero.lift_a * uu + b * m
    top = aero.lift_saturating * aero.constant * aero.radius
    return (
        top * uu / below,
        literals(aero.gravity).two * top * speed * b * m / (below * below),
        -top * uu * b / (below * below),
    )
