"""One step of Dormand and Prince's fifth-order Runge-Kutta rule, RK5(4)7M (1980), and the control of its length.

No force depends on the position, so the position needs no stages of its own (Nystrom): its weights are sum_j b_j a_ji.
The rule's last stage is its end, so the acceleration there starts the next step.
"""

from collections import namedtuple

import numpy as np

from ballcast.sim.jit import by_precision, inlined
from ballcast.sim.kernels.literals import literals
from ballcast.sim.kernels.vectors import norm

STAGES = 7
A_MATRIX = np.zeros((STAGES, STAGES))  # row i: what stage i adds of the stages before it; the last row is b
for _i, _row in enumerate((
    (1 / 5,),
    (3 / 40, 9 / 40),
    (44 / 45, -56 / 15, 32 / 9),
    (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
    (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
    (35 / 384, 0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84),
)):  # fmt: skip
    A_MATRIX[_i + 1, : len(_row)] = _row
B = A_MATRIX[-1]
POSITION_WEIGHTS = sum(B[j] * A_MATRIX[j] for j in range(STAGES))
# b less the b of the fourth-order rule
ERROR_WEIGHTS = np.array([71 / 57600, 0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40])
# the rule's numbers in one precision: a of the stages, b, p of the position, e of the error
DormandPrince = namedtuple(
    "DormandPrince",
    "a21 a31 a32 a41 a42 a43 a51 a52 a53 a54 a61 a62 a63 a64 a65 b1 b3 b4 b5 b6 p1 p2 p3 p4 p5 e1 e3 e4 e5 e6 e7",
)


def tableau(dtype: type) -> DormandPrince:
    """The rule's numbers as scalars of a numpy type."""
    a = [A_MATRIX[i, j] for i in range(1, STAGES - 1) for j in range(i)]
    rows = *a, *B[[0, 2, 3, 4, 5]], *POSITION_WEIGHTS[:5], *ERROR_WEIGHTS[[0, 2, 3, 4, 5, 6]]
    return DormandPrince(*map(dtype, rows))


coefficients = by_precision(tableau)


@inlined
def dormand_prince_step(drag_function, aero, h, drag, lift, a, u, w):
    """One step of length h from velocity u through the air, acceleration a and spin w; drag, lift: the ball's factors.

    (displacement through the air, change of velocity, factor of the spin, acceleration at the end, error of the
    velocity of the fourth-order rule, the (u, spin factor) of the step's STAGES stages, tuples of four)
    """
    t, one = coefficients(aero.gravity), literals(aero.gravity).one
    y1 = u[0], u[1], u[2], one
    k1 = a[0], a[1], a[2], -aero.spin_decay * norm(u)
    y2 = add4(y1, h * t.a21, k1)
    k2 = _stage(drag_function, aero, drag, lift, w, y2)
    y3 = add4(y1, h, sum2(t.a31, k1, t.a32, k2))
    k3 = _stage(drag_function, aero, drag, lift, w, y3)
    y4 = add4(y1, h, sum3(t.a41, k1, t.a42, k2, t.a43, k3))
    k4 = _stage(drag_function, aero, drag, lift, w, y4)
    y5 = add4(y1, h, add4(sum3(t.a51, k1, t.a52, k2, t.a53, k3), t.a54, k4))
    k5 = _stage(drag_function, aero, drag, lift, w, y5)
    y6 = add4(y1, h, sum5(t.a61, k1, t.a62, k2, t.a63, k3, t.a64, k4, t.a65, k5))
    k6 = _stage(drag_function, aero, drag, lift, w, y6)
    b = sum5(t.b1, k1, t.b3, k3, t.b4, k4, t.b5, k5, t.b6, k6)
    p = sum5(t.p1, k1, t.p2, k2, t.p3, k3, t.p4, k4, t.p5, k5)
    hh, dv, f = h * h, (h * b[0], h * b[1], h * b[2]), one + h * b[3]
    y7 = u[0] + dv[0], u[1] + dv[1], u[2] + dv[2], f
    k7 = _stage(drag_function, aero, drag, lift, w, y7)
    e = add4(sum5(t.e1, k1, t.e3, k3, t.e4, k4, t.e5, k5, t.e6, k6), t.e7, k7)
    dp = h * u[0] + hh * p[0], h * u[1] + hh * p[1], h * u[2] + hh * p[2]
    error = h * (abs(e[0]) + abs(e[1]) + abs(e[2]))
    return dp, dv, f, (k7[0], k7[1], k7[2]), error, (y1, y2, y3, y4, y5, y6, y7)


@inlined
def _stage(drag_function, aero, drag, lift, w, y):
    """Rates of change of y, (u, spin factor)."""
    f = y[3]
    ax, ay, az, spin_rate = drag_function(aero, drag, lift, (y[0], y[1], y[2]), (f * w[0], f * w[1], f * w[2]))
    return ax, ay, az - aero.gravity, spin_rate * f


@inlined
def add4(y, k, x):
    """y + k x, of tuples of four."""
    return y[0] + k * x[0], y[1] + k * x[1], y[2] + k * x[2], y[3] + k * x[3]


@inlined
def sum2(a, x, b, y):
    """a x + b y; the functions below add more."""
    return a * x[0] + b * y[0], a * x[1] + b * y[1], a * x[2] + b * y[2], a * x[3] + b * y[3]


@inlined
def sum3(a, x, b, y, c, z):
    return add4(sum2(a, x, b, y), c, z)


@inlined
def sum5(a, v, b, w, c, x, d, y, e, z):
    return add4(add4(sum3(a, v, b, w, c, x), d, y), e, z)


@inlined
def step_length(aero, u):
    """How long a step may be at velocity u through the air, s: the air turns or slows the ball by STEP_FRACTION."""
    return min(
        aero.max_step, literals(aero.gravity).one / (aero.inverse_step_length * norm(u) + literals(aero.gravity).tiny)
    )


@inlined
def next_scale(aero, scale, error):
    """(whether a step of that error is accepted, the scale of the next step): scales are of `step_length`.

    A step that errs too much is tried again at half its length; a very good one lengthens the next.
    """
    n = literals(aero.gravity)
    if error > aero.tolerance and scale > n.twentieth * n.twentieth:
        return False, n.half * scale
    if error < n.half * n.twentieth * aero.tolerance:
        return True, min(n.one, scale + scale)
    return True, scale
