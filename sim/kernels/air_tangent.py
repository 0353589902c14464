"""The tangent of a step through the air: the same Runge-Kutta step, of the linear equations that the columns obey.

With u the velocity through the air, f the factor of the spin w at the step's start, and D and L the factors of u and of
f w x u in the force, the rates of change are

    du/dt = D u + L (f w x u) + g,    df/dt = q f

Their derivatives, 31 numbers a stage, are the same for all columns: they are made once a step, for all stages at once.
"""

import math

from ballcast.sim.jit import inlined, kernel
from ballcast.sim.kernels.aerodynamics import (
    CONSTANT_DRAG,
    LIFT_CRISIS,
    constant_drag_derivatives,
    general_drag_derivatives,
    lift_crisis_derivatives,
)
from ballcast.sim.kernels.column_numbers import WIDTH, load, store
from ballcast.sim.kernels.dormand_prince import STAGES, add4, coefficients, sum2, sum3, sum5
from ballcast.sim.kernels.literals import literals
from ballcast.sim.kernels.tangent import A1, DRAG, LIFT, P1, STAGE_RATES, STAGE_STATES, V1, W1, WIND, A, C, P, V, W
from ballcast.sim.kernels.vectors import add_scaled, cross, dot, scaled

N = WIDTH  # from a number of a stage to its next: STAGES and one more, a whole vector
# from the first number of an axis of du/dt, the first of three by u: to those by w, by f, by the ball's factors of drag
# and lift, and to the next axis. Then come df/dt by u and by f
BY_SPIN, BY_FACTOR, BY_DRAG, BY_LIFT, AXIS = 3 * N, 6 * N, 7 * N, 8 * N, 9 * N
FACTOR_RATE = STAGE_RATES + 3 * AXIS


@inlined
def note_stages(stages, tangent):
    """Put the stages of a step, as dormand_prince_step returns them, into the tangent."""
    y1, y2, y3, y4, y5, y6, y7 = stages
    _note_stage(tangent, STAGE_STATES, y1)
    _note_stage(tangent, STAGE_STATES + 1, y2)
    _note_stage(tangent, STAGE_STATES + 2, y3)
    _note_stage(tangent, STAGE_STATES + 3, y4)
    _note_stage(tangent, STAGE_STATES + 4, y5)
    _note_stage(tangent, STAGE_STATES + 5, y6)
    _note_stage(tangent, STAGE_STATES + 6, y7)


@inlined
def _note_stage(s, n, y):
    s[n], s[n + N], s[n + 2 * N], s[n + 3 * N] = y


@kernel
def tangent_step(drag_model, aero, factors, w, h, tangent):
    """Tangent at the end of a step of length h in the air, from spin w; factors: of drag and of lift.

    The tangent has the step's stages: see note_stages.
    """
    if drag_model == CONSTANT_DRAG:
        _fill_rates(_constant_drag, aero, factors, w, tangent)
    elif drag_model == LIFT_CRISIS:
        _fill_rates(_lift_crisis, aero, factors, w, tangent)
    else:
        _fill_rates(_general_drag, aero, factors, w, tangent)
    for first in range(0, C, WIDTH):
        _step_columns(h, w, tangent, first)


@inlined
def _constant_drag(aero, speed, m, w):
    """(AeroDerivatives, the drag's derivative by |w| over |w|), of a ball whose factors are 1."""
    return constant_drag_derivatives(aero, speed, m), 0.0


@inlined
def _lift_crisis(aero, speed, m, w):
    return lift_crisis_derivatives(aero, speed, m), 0.0


@inlined
def _general_drag(aero, speed, m, w):
    spin = math.sqrt(dot(w, w) + literals(aero.gravity).tiny)
    d = general_drag_derivatives(aero, speed, m, spin)
    return d, d.drag_spin / spin


@inlined
def _fill_rates(derivatives, aero, factors, w, s):
    """Fill the numbers of all stages of a step from spin w."""
    tiny, (drag, lift) = literals(aero.gravity).tiny, factors
    for i in range(N):
        n = STAGE_STATES + i
        u, f = (s[n], s[n + N], s[n + 2 * N]), s[n + 3 * N]
        fw = scaled(f, w)
        m = cross(fw, u)
        speed, size = math.sqrt(dot(u, u) + tiny), math.sqrt(dot(m, m) + tiny)
        d, by_spin = derivatives(aero, speed, size, fw)
        D_v, D_m, D_w = drag * d.drag_speed / speed, drag * d.drag_cross / size, drag * by_spin
        L_v, L_m = lift * d.lift_speed / speed, lift * d.lift_cross / size
        m_u, m_w = cross(m, fw), cross(u, m)  # half the gradients of |m|^2
        D_u, D_w = add_scaled(scaled(D_v, u), D_m, m_u), add_scaled(scaled(D_w, fw), D_m, m_w)
        L_u, L_w = add_scaled(scaled(L_v, u), L_m, m_u), scaled(L_m, m_w)
        D, (x, y, z), (a, b, c) = drag * d.drag, scaled(lift * d.lift, fw), scaled(lift * d.lift, u)
        n, gradients, factors = STAGE_RATES + i, (D_u, D_w, L_u, L_w), (f, w, d.drag, d.lift)
        _fill_axis(s, n, u[0], m[0], (D, -z, y), (0.0, c, -b), gradients, factors)
        _fill_axis(s, n + AXIS, u[1], m[1], (z, D, -x), (-c, 0.0, a), gradients, factors)
        _fill_axis(s, n + 2 * AXIS, u[2], m[2], (-y, x, D), (b, -a, 0.0), gradients, factors)
        q, n = -aero.spin_decay / speed * f, FACTOR_RATE + i
        s[n], s[n + N], s[n + 2 * N], s[n + 3 * N] = q * u[0], q * u[1], q * u[2], -aero.spin_decay * speed


@inlined
def _fill_axis(s, n, u, m, by_u, by_fw, gradients, factors):
    """Fill the numbers of one axis, whose u and m are given, from n on; by_u, by_fw: where D and L are constant."""
    (D_u, D_w, L_u, L_w), (f, w, drag, lift) = gradients, factors
    by_u = add_scaled(add_scaled(by_u, u, D_u), m, L_u)
    by_fw = add_scaled(add_scaled(by_fw, u, D_w), m, L_w)
    s[n], s[n + N], s[n + 2 * N] = by_u
    s[n + BY_SPIN], s[n + BY_SPIN + N], s[n + BY_SPIN + 2 * N] = scaled(f, by_fw)
    s[n + BY_FACTOR], s[n + BY_DRAG], s[n + BY_LIFT] = dot(by_fw, w), drag * u, lift * m


@kernel
def _step_columns(h, w, s, first):
    """A step of the columns from number `first` on, WIDTH of them.

    Called by its address, once for each half of the columns: compiled into its caller, both halves would share the
    stages' numbers, which do not fit into the registers.
    """
    p, v, spin = _load_three(s, P * C + first), _load_three(s, V * C + first), _load_three(s, W * C + first)
    wind_x, wind_y = load(s, WIND * C + first), load(s, (WIND + 1) * C + first)
    fixed = s, spin, load(s, DRAG * C + first), load(s, LIFT * C + first)
    u = v[0] - wind_x, v[1] - wind_y, v[2]
    a = _acceleration(fixed, 0, u)
    b, b_position = _mean_rates(fixed, h, (u[0], u[1], u[2], 0.0), (a[0], a[1], a[2], _spin_rate(s, 0, u)))
    x, y, z, r = end = u[0] + h * b[0], u[1] + h * b[1], u[2] + h * b[2], h * b[3]
    f = s[STAGE_STATES + 3 * N + STAGES - 1]
    _store_three(s, P1 * C + first, add_scaled(p, h, add_scaled(v, h, b_position)))
    _store_three(s, V1 * C + first, (x + wind_x, y + wind_y, z))
    _store_three(s, W1 * C + first, (f * spin[0] + w[0] * r, f * spin[1] + w[1] * r, f * spin[2] + w[2] * r))
    _store_three(s, A * C + first, a)
    _store_three(s, A1 * C + first, _rates(fixed, STAGES - 1, end))


@inlined
def _mean_rates(fixed, h, y, k1):
    """The mean rates of change, for (u, f) and for the position, of a step from y, whose rates are k1."""
    t = coefficients(h)
    k2 = _rates(fixed, 1, add4(y, h * t.a21, k1))
    k3 = _rates(fixed, 2, add4(y, h, sum2(t.a31, k1, t.a32, k2)))
    k4 = _rates(fixed, 3, add4(y, h, sum3(t.a41, k1, t.a42, k2, t.a43, k3)))
    k5 = _rates(fixed, 4, add4(y, h, add4(sum3(t.a51, k1, t.a52, k2, t.a53, k3), t.a54, k4)))
    k6 = _rates(fixed, 5, add4(y, h, sum5(t.a61, k1, t.a62, k2, t.a63, k3, t.a64, k4, t.a65, k5)))
    b = sum5(t.b1, k1, t.b3, k3, t.b4, k4, t.b5, k5, t.b6, k6)
    return b, sum5(t.p1, k1, t.p2, k2, t.p3, k3, t.p4, k4, t.p5, k5)


@inlined
def _load_three(s, m):
    return load(s, m), load(s, m + C), load(s, m + 2 * C)


@inlined
def _store_three(s, m, vector):
    store(s, m, vector[0])
    store(s, m + C, vector[1])
    store(s, m + 2 * C, vector[2])


@inlined
def _rates(fixed, i, y):
    """Rates of change in stage i of columns y of (u, f); fixed: (tangent, columns of the spin, of drag and lift)."""
    s, u, f, n = fixed[0], (y[0], y[1], y[2]), y[3], STAGE_RATES + BY_FACTOR + i
    x, y, z = _acceleration(fixed, i, u)
    rate = s[FACTOR_RATE + 3 * N + i] * f + _spin_rate(s, i, u)
    return x + s[n] * f, y + s[n + AXIS] * f, z + s[n + 2 * AXIS] * f, rate


@inlined
def _acceleration(fixed, i, u):
    """Columns of the acceleration in stage i, but for what comes from f."""
    n = STAGE_RATES + i
    return _axis(fixed, n, u), _axis(fixed, n + AXIS, u), _axis(fixed, n + 2 * AXIS, u)


@inlined
def _axis(fixed, n, u):
    """See _acceleration, in the axis whose numbers begin at n. What does not wait for the stage before comes first."""
    s, w, drag, lift = fixed
    a = s[n + BY_DRAG] * drag + s[n + BY_LIFT] * lift
    a = a + s[n + BY_SPIN] * w[0] + s[n + BY_SPIN + N] * w[1] + s[n + BY_SPIN + 2 * N] * w[2]
    return a + s[n] * u[0] + s[n + N] * u[1] + s[n + 2 * N] * u[2]


@inlined
def _spin_rate(s, i, u):
    """Columns of df/dt in stage i, but for what comes from f."""
    n = FACTOR_RATE + i
    return s[n] * u[0] + s[n + N] * u[1] + s[n + 2 * N] * u[2]
