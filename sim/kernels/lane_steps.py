"""What all lanes do at once, as vectors: a Runge-Kutta step, its path and the box around it, and taking it.

Every loop is over LANES and holds no call, so that the compiler makes vector instructions of it.
"""

from ballcast.sim.jit import inlined
from ballcast.sim.kernels.aerodynamics import (
    DRAG_MODELS,
    constant_drag,
    drag_crisis,
    lift_crisis,
    polynomial_drag,
    spin_drag,
)
from ballcast.sim.kernels.dormand_prince import dormand_prince_step, next_scale, step_length
from ballcast.sim.kernels.lane_numbers import where
from ballcast.sim.kernels.lane_rows import (
    ACCELERATION,
    BOX_HIGH,
    BOX_LOW,
    CONTACT_STEP,
    CURVE,
    CURVE_SIZE,
    DRAG,
    END_ACCELERATION,
    END_POSITION,
    END_SPIN,
    END_VELOCITY,
    IS_NEW,
    IS_TAKEN,
    LANES,
    LIFT,
    MODE,
    NEAR,
    POSITION,
    SPIN,
    STEP,
    STEP_ERROR,
    STEP_SCALE,
    VELOCITY,
    WIND_X,
    WIND_Y,
    lane_vector,
    set_vector,
)
from ballcast.sim.kernels.literals import literals
from ballcast.sim.kernels.quintic import unit_coefficients

CONSTANT_DRAG, _, DRAG_CRISIS, SPIN_DRAG, LIFT_CRISIS = DRAG_MODELS


@inlined
def integrate_lanes(drag_model, aero, s, has_new):
    """One step of all lanes; the acceleration at its start is computed where it is not known, if has_new."""
    if drag_model == CONSTANT_DRAG:
        _integrate(constant_drag, aero, s, has_new)
    elif drag_model == DRAG_CRISIS:
        _integrate(drag_crisis, aero, s, has_new)
    elif drag_model == SPIN_DRAG:
        _integrate(spin_drag, aero, s, has_new)
    elif drag_model == LIFT_CRISIS:
        _integrate(lift_crisis, aero, s, has_new)
    else:
        _integrate(polynomial_drag, aero, s, has_new)


@inlined
def _integrate(drag_function, aero, s, has_new):
    if has_new:
        _accelerate(drag_function, aero, s)
    for i in range(LANES):
        wx, wy = s[WIND_X * LANES + i], s[WIND_Y * LANES + i]
        v, w, a = lane_vector(s, VELOCITY, i), lane_vector(s, SPIN, i), lane_vector(s, ACCELERATION, i)
        u = v[0] - wx, v[1] - wy, v[2]
        h = min(s[STEP_SCALE * LANES + i] * step_length(aero, u), s[CONTACT_STEP * LANES + i])
        d, dv, spin_factor, a, error, _ = dormand_prince_step(
            drag_function, aero, h, s[DRAG * LANES + i], s[LIFT * LANES + i], a, u, w
        )
        s[STEP * LANES + i], s[STEP_ERROR * LANES + i] = h, error
        s[END_POSITION * LANES + i] = s[POSITION * LANES + i] + (d[0] + h * wx)
        s[(END_POSITION + 1) * LANES + i] = s[(POSITION + 1) * LANES + i] + (d[1] + h * wy)
        s[(END_POSITION + 2) * LANES + i] = s[(POSITION + 2) * LANES + i] + d[2]
        for k in range(3):
            s[(END_VELOCITY + k) * LANES + i] = v[k] + dv[k]
            s[(END_SPIN + k) * LANES + i] = spin_factor * w[k]
            s[(END_ACCELERATION + k) * LANES + i] = a[k]


@inlined
def _accelerate(drag_function, aero, s):
    """Set the acceleration in the air of the lanes that are new, or come from a contact."""
    n = literals(aero.gravity)
    for i in range(LANES):
        v, w, old = lane_vector(s, VELOCITY, i), lane_vector(s, SPIN, i), lane_vector(s, ACCELERATION, i)
        u = v[0] - s[WIND_X * LANES + i], v[1] - s[WIND_Y * LANES + i], v[2]
        ax, ay, az, _ = drag_function(aero, s[DRAG * LANES + i], s[LIFT * LANES + i], u, w)
        is_new = s[IS_NEW * LANES + i] > n.half
        new = where(is_new, ax, old[0]), where(is_new, ay, old[1]), where(is_new, az - aero.gravity, old[2])
        set_vector(s, ACCELERATION, i, new)
        s[IS_NEW * LANES + i] = n.zero


@inlined
def judge_steps(aero, s):
    """Mark the steps that count, and set the scale of the next. Errors decide over steps in free flight alone."""
    n = literals(aero.gravity)
    for i in range(LANES):
        scale, mode = s[STEP_SCALE * LANES + i], s[MODE * LANES + i]
        is_accepted, next_one = next_scale(aero, scale, s[STEP_ERROR * LANES + i])
        is_flying, is_idle = mode == n.one, mode == n.zero  # FLYING, IDLE
        s[STEP_SCALE * LANES + i] = where(is_flying, next_one, scale)
        s[IS_TAKEN * LANES + i] = where((is_flying & ~is_accepted) | is_idle, n.zero, n.one)


@inlined
def trace_paths(aero, s):
    """Curves and boxes of all steps."""
    for i in range(LANES):
        _trace_axis(aero, s, i, 0)
        _trace_axis(aero, s, i, 1)
        _trace_axis(aero, s, i, 2)


@inlined
def _trace_axis(aero, s, i, axis):
    """The quintic in one axis, and the extent of its control points, as quintic_bounds has them."""
    n, h, row = literals(aero.gravity), s[STEP * LANES + i], CURVE + CURVE_SIZE * axis
    hh = n.half * h * h
    p, p1 = s[(POSITION + axis) * LANES + i], s[(END_POSITION + axis) * LANES + i]
    v, v1 = h * s[(VELOCITY + axis) * LANES + i], h * s[(END_VELOCITY + axis) * LANES + i]
    a, a1 = hh * s[(ACCELERATION + axis) * LANES + i], hh * s[(END_ACCELERATION + axis) * LANES + i]
    c = unit_coefficients(n, p, v, a, p1, v1, a1)
    for k in range(CURVE_SIZE):
        s[(row + k) * LANES + i] = c[k + 1]
    second, fifth, tenth = p + n.fifth * v, p1 - n.fifth * v1, n.half * n.fifth
    third, fourth = second + n.fifth * v + tenth * a, fifth - n.fifth * v1 + tenth * a1
    s[(BOX_LOW + axis) * LANES + i] = min(min(min(p, second), min(third, fourth)), min(fifth, p1))
    s[(BOX_HIGH + axis) * LANES + i] = max(max(max(p, second), max(third, fourth)), max(fifth, p1))


@inlined
def mark_near(s, boxes, j):
    """Mark flying lanes whose boxes come within reach of surface j; boxes (S, 6) are grown by that reach."""
    x0, y0, z0, x1, y1, z1 = boxes[j, 0], boxes[j, 1], boxes[j, 2], boxes[j, 3], boxes[j, 4], boxes[j, 5]
    n = literals(x0)
    for i in range(LANES):
        is_apart = (s[BOX_HIGH * LANES + i] < x0) | (s[BOX_LOW * LANES + i] > x1)
        is_apart |= (s[(BOX_HIGH + 1) * LANES + i] < y0) | (s[(BOX_LOW + 1) * LANES + i] > y1)
        is_apart |= (s[(BOX_HIGH + 2) * LANES + i] < z0) | (s[(BOX_LOW + 2) * LANES + i] > z1)
        is_apart |= (s[MODE * LANES + i] != n.one) | (s[IS_TAKEN * LANES + i] < n.half)
        s[NEAR * LANES + i] = where(is_apart, n.zero, n.one)


@inlined
def take_steps(aero, s):
    """The ends of the steps that count become the starts of the next."""
    half = literals(aero.gravity).half
    for i in range(LANES):
        is_taken = s[IS_TAKEN * LANES + i] > half
        for k in range(9):
            row = POSITION + k
            s[row * LANES + i] = where(is_taken, s[(END_POSITION + k) * LANES + i], s[row * LANES + i])
        for k in range(3):
            row = ACCELERATION + k
            s[row * LANES + i] = where(is_taken, s[(END_ACCELERATION + k) * LANES + i], s[row * LANES + i])
