"""The tangent of a step through the air: the same Runge-Kutta step, of the linear equations.

With u the velocity through the air, f the factor of the spin w at the step's start, and D, L the factors of u and of
w x u in the force, the rates of change are

    u' = D u + L (f w x u) + g,   f' = q f

and the columns of the tangent obey, in each stage, linear equations of 31 numbers, which are the same for all columns
and are made for all stages at once.
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
from ballcast.sim.kernels.dormand_prince import STAGES, coefficients, runge_kutta
from ballcast.sim.kernels.literals import literals
from ballcast.sim.kernels.tangent import (
    A1,
    DRAG,
    LIFT,
    P1,
    STAGE_RATES,
    STAGE_STATES,
    V1,
    W1,
    A,
    C,
    P,
    V,
    W,
)
from ballcast.sim.kernels.tangent import WIND as WIND_ROW
from ballcast.sim.kernels.vectors import add_scaled, cross, dot, scaled

# numbers of a stage: three rows for the acceleration, by (u, spin at the start, f, factor of drag, factor of lift), then
# one for the rate of f, by (u, f)
BY_SPIN, BY_FACTOR, BY_DRAG, BY_LIFT, ROW = 3, 6, 7, 8, 9
FACTOR_RATE = STAGE_RATES + 3 * ROW * WIDTH


@inlined
def tangent_step(sport, parameters, motion, h, stages, tangent):
    """Tangent at the end of a step of length h in the air; stages: see `dormand_prince_stages`."""
    s, w = tangent, motion.spin
    _note_states(stages, s)
    if sport.drag_model == CONSTANT_DRAG:
        _fill_rates(_constant_drag, sport, parameters, w, s)
    elif sport.drag_model == LIFT_CRISIS:
        _fill_rates(_lift_crisis, sport, parameters, w, s)
    else:
        _fill_rates(_general_drag, sport, parameters, w, s)
    for first in range(0, C, WIDTH):
        _step_columns(h, w, stages[STAGES - 1][3], s, first)


@inlined
def _note_states(stages, s):
    y1, y2, y3, y4, y5, y6, y7 = stages
    for k in range(4):
        n = STAGE_STATES + k * WIDTH
        s[n], s[n + 1], s[n + 2], s[n + 3], s[n + 4], s[n + 5], s[n + 6] = (
            y1[k],
            y2[k],
            y3[k],
            y4[k],
            y5[k],
            y6[k],
            y7[k],
        )
        s[n + 7] = y1[k]  # there is no eighth stage; its numbers are used by nobody


@inlined
def _constant_drag(aero, speed, m, w):
    """(AeroDerivatives, the derivative of the drag by |w| over |w|), of a ball whose factors are 1."""
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
def _fill_rates(derivatives, sport, parameters, w, s):
    """Fill the numbers of all stages of a step that starts with spin w, from their states."""
    aero, tiny, drag, lift = sport.aero, literals(sport.aero.gravity).tiny, parameters.drag, parameters.lift
    for i in range(WIDTH):
        n = STAGE_STATES + i
        u, f = (s[n], s[n + WIDTH], s[n + 2 * WIDTH]), s[n + 3 * WIDTH]
        fw = scaled(f, w)
        m = cross(fw, u)
        speed, size = math.sqrt(dot(u, u) + tiny), math.sqrt(dot(m, m) + tiny)
        d, by_spin = derivatives(aero, speed, size, fw)
        D_v, D_m, D_w = drag * d.drag_speed / speed, drag * d.drag_cross / size, drag * by_spin
        L_v, L_m = lift * d.lift_speed / speed, lift * d.lift_cross / size
        m_u, m_w = cross(m, fw), cross(u, m)  # |m| changes by these over |m|
        D_u, D_w = add_scaled(scaled(D_v, u), D_m, m_u), add_scaled(scaled(D_w, fw), D_m, m_w)
        L_u, L_w = add_scaled(scaled(L_v, u), L_m, m_u), scaled(L_m, m_w)
        D, (x, y, z), (a, b, c) = drag * d.drag, scaled(lift * d.lift, fw), scaled(lift * d.lift, u)
        n, factors = STAGE_RATES + i, (f, w, d.drag, d.lift)
        _fill_row(s, n, u[0], m[0], D_u, D_w, L_u, L_w, (D, -z, y), (0.0, c, -b), factors)
        _fill_row(s, n + ROW * WIDTH, u[1], m[1], D_u, D_w, L_u, L_w, (z, D, -x), (-c, 0.0, a), factors)
        _fill_row(s, n + 2 * ROW * WIDTH, u[2], m[2], D_u, D_w, L_u, L_w, (-y, x, D), (b, -a, 0.0), factors)
        q, n = -aero.spin_decay / speed * f, FACTOR_RATE + i
        s[n], s[n + WIDTH], s[n + 2 * WIDTH], s[n + 3 * WIDTH] = q * u[0], q * u[1], q * u[2], -aero.spin_decay * speed


@inlined
def _fill_row(s, n, u, m, D_u, D_w, L_u, L_w, by_u, by_w, factors):
    """Fill the ROW numbers of one axis: of D u + L m, where u and m are those of the axis."""
    f, w, drag, lift = factors
    by_u = add_scaled(add_scaled(by_u, u, D_u), m, L_u)
    by_w = add_scaled(add_scaled(by_w, u, D_w), m, L_w)
    s[n], s[n + WIDTH], s[n + 2 * WIDTH] = by_u
    s[n + 3 * WIDTH], s[n + 4 * WIDTH], s[n + 5 * WIDTH] = scaled(f, by_w)
    s[n + 6 * WIDTH], s[n + 7 * WIDTH], s[n + 8 * WIDTH] = dot(by_w, w), drag * u, lift * m


@kernel
def _step_columns(h, w, f, s, first):
    """A step of the columns from number `first` on, WIDTH of them; w, f: the spin at the start, its factor at the end."""
    p, v, spin = _load_three(s, P * C + first), _load_three(s, V * C + first), _load_three(s, W * C + first)
    wind = load(s, WIND_ROW * C + first), load(s, (WIND_ROW + 1) * C + first)
    fixed = s, spin, load(s, DRAG * C + first), load(s, LIFT * C + first)
    u = v[0] - wind[0], v[1] - wind[1], v[2]
    k1 = *_acceleration(fixed, 0, u), _spin_rate(s, 0, u)
    y = u[0], u[1], u[2], 0.0
    _, _, _, _, _, _, b, b_position = runge_kutta(_rates, None, fixed, coefficients(h), h, y, k1)
    x, y, z, r = u[0] + h * b[0], u[1] + h * b[1], u[2] + h * b[2], h * b[3]
    a = _rates(None, fixed, STAGES - 1, (x, y, z, r))
    _store_three(s, A * C + first, k1)
    _store_three(s, A1 * C + first, a)
    _store_three(s, V1 * C + first, (x + wind[0], y + wind[1], z))
    _store_three(s, P1 * C + first, add_scaled(p, h, add_scaled(v, h, b_position)))
    _store_three(s, W1 * C + first, (f * spin[0] + w[0] * r, f * spin[1] + w[1] * r, f * spin[2] + w[2] * r))


@inlined
def _load_three(s, m):
    return load(s, m), load(s, m + C), load(s, m + 2 * C)


@inlined
def _store_three(s, m, vector):
    store(s, m, vector[0])
    store(s, m + C, vector[1])
    store(s, m + 2 * C, vector[2])


@inlined
def _rates(law, fixed, i, y):
    """Rates of change in stage i of columns y of (u, f); fixed: (tangent, columns of the spin, of drag and lift)."""
    s, u, r, n = fixed[0], (y[0], y[1], y[2]), y[3], STAGE_RATES + BY_FACTOR * WIDTH + i
    x, y, z = _acceleration(fixed, i, u)
    q = s[FACTOR_RATE + 3 * WIDTH + i] * r + _spin_rate(s, i, u)
    return x + s[n] * r, y + s[n + ROW * WIDTH] * r, z + s[n + 2 * ROW * WIDTH] * r, q


@inlined
def _acceleration(fixed, i, u):
    """Columns of the acceleration in stage i, but for what comes from the spin's factor."""
    n = STAGE_RATES + i
    return _axis(fixed, n, u), _axis(fixed, n + ROW * WIDTH, u), _axis(fixed, n + 2 * ROW * WIDTH, u)


@inlined
def _axis(fixed, n, u):
    """Columns of the acceleration in one axis, whose numbers begin at n; the terms that are known first come first."""
    s, w, drag, lift = fixed
    a = s[n + BY_DRAG * WIDTH] * drag + s[n + BY_LIFT * WIDTH] * lift
    a = a + s[n + BY_SPIN * WIDTH] * w[0] + s[n + (BY_SPIN + 1) * WIDTH] * w[1] + s[n + (BY_SPIN + 2) * WIDTH] * w[2]
    return a + s[n] * u[0] + s[n + WIDTH] * u[1] + s[n + 2 * WIDTH] * u[2]


@inlined
def _spin_rate(s, i, u):
    """Columns of the rate of the spin's factor in stage i, but for what comes from the factor itself."""
    n = FACTOR_RATE + i
    return s[n] * u[0] + s[n + WIDTH] * u[1] + s[n + 2 * WIDTH] * u[2]
