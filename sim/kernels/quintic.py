"""The path within a step: the quintic with position, velocity and acceleration of the step's start and end.

Three forms of one polynomial: coefficients in time, for one ball, where contacts are looked for; weights of the six
vectors, which trajectory and Jacobian share; coefficients over the unit interval, for the lanes.
"""

from ballcast.sim.jit import inlined
from ballcast.sim.kernels.vectors import add_scaled, maximum, minimum, scaled


@inlined
def quintic_coefficients(start, end, h):
    """(c2, c3, c4, c5) of p + v t + c2 t^2 + c3 t^3 + ..., vectors, of a step of length h from Motion to Motion."""
    x2, x3, x4, x5 = _axis(start, end, h, 0)
    y2, y3, y4, y5 = _axis(start, end, h, 1)
    z2, z3, z4, z5 = _axis(start, end, h, 2)
    return (x2, y2, z2), (x3, y3, z3), (x4, y4, z4), (x5, y5, z5)


@inlined
def _axis(start, end, h, i):
    k = 1.0 / h
    k3, k4, k5 = k * k * k, k * k * k * k, k * k * k * k * k
    v, a = start.velocity[i], start.acceleration[i]
    d = end.position[i] - start.position[i] - h * (v + 0.5 * h * a)
    e = h * (end.velocity[i] - v - h * a)
    f = 0.5 * h * h * (end.acceleration[i] - a)
    return 0.5 * a, k3 * (10.0 * d - 4.0 * e + f), k4 * (7.0 * e - 15.0 * d - 2.0 * f), k5 * (6.0 * d - 3.0 * e + f)


@inlined
def quintic_position(start, c, t):
    """Position at time t after the start, on the path with coefficients c."""
    curve = add_scaled(c[0], t, add_scaled(c[1], t, add_scaled(c[2], t, c[3])))
    return add_scaled(start.position, t, add_scaled(start.velocity, t, curve))


@inlined
def quintic_velocity(start, c, t):
    """The derivative of `quintic_position` by t."""
    curve = add_scaled(scaled(3.0, c[1]), t, add_scaled(scaled(4.0, c[2]), 5.0 * t, c[3]))
    return add_scaled(start.velocity, t, add_scaled(scaled(2.0, c[0]), t, curve))


@inlined
def quintic_bounds(start, end, h):
    """Low and high corners of a box that holds the path: of the box around the quintic's control points."""
    p, v, p1, v1, k, kk = start.position, start.velocity, end.position, end.velocity, 0.2 * h, 0.05 * h * h
    second, third = add_scaled(p, k, v), add_scaled(add_scaled(p, 2.0 * k, v), kk, start.acceleration)
    fifth, fourth = add_scaled(p1, -k, v1), add_scaled(add_scaled(p1, -2.0 * k, v1), kk, end.acceleration)
    low = minimum(minimum(minimum(minimum(minimum(p, p1), second), third), fifth), fourth)
    high = maximum(maximum(maximum(maximum(maximum(p, p1), second), third), fifth), fourth)
    return low, high


@inlined
def hermite_weights(f, h):
    """Weights, for the position at the fraction f of a step, of (position, velocity, acceleration) at start and end."""
    f3, hh = f * f * f, h * h
    p1 = f3 * (10.0 - f * (15.0 - 6.0 * f))
    v1 = -h * f3 * (4.0 - f * (7.0 - 3.0 * f))
    a1 = hh * f3 * (0.5 - f * (1.0 - 0.5 * f))
    return 1.0 - p1, h * f - h * p1 - v1, 0.5 * hh * f * f - 0.5 * hh * p1 - h * v1 - a1, p1, v1, a1


@inlined
def hermite_velocity_weights(f, h):
    """Weights, for the velocity, of (displacement, velocity and acceleration at the start, and at the end)."""
    f2, k = f * f, 1.0 / (h + 1e-18)
    d = 30.0 * f2 * (1.0 - f) * (1.0 - f) * k
    v1 = -f2 * (12.0 - f * (28.0 - 15.0 * f))
    a1 = h * f2 * (1.5 - f * (4.0 - 2.5 * f))
    return d, 1.0 - h * d - v1, h * f - 0.5 * h * h * d - h * v1 - a1, v1, a1


@inlined
def interpolate(start, end, f, h):
    """Position and velocity at the fraction f of a step of length h."""
    return interpolate_position(start, end, f, h), interpolate_velocity(start, end, f, h)


@inlined
def interpolate_position(start, end, f, h):
    """Position at the fraction f of a step of length h."""
    p, v, a, p1, v1, a1 = hermite_weights(f, h)
    position = add_scaled(add_scaled(scaled(p, start.position), v, start.velocity), a, start.acceleration)
    return add_scaled(add_scaled(add_scaled(position, p1, end.position), v1, end.velocity), a1, end.acceleration)


@inlined
def interpolate_velocity(start, end, f, h):
    """Velocity at the fraction f of a step of length h."""
    d, v, a, v1, a1 = hermite_velocity_weights(f, h)
    velocity = scaled(d, add_scaled(end.position, -1.0, start.position))
    velocity = add_scaled(add_scaled(velocity, v, start.velocity), a, start.acceleration)
    return add_scaled(add_scaled(velocity, v1, end.velocity), a1, end.acceleration)


@inlined
def unit_coefficients(n, p, v, a, p1, v1, a1):
    """The six coefficients in one axis, of velocities times h and half accelerations times h^2; n: the Literals."""
    d, e, f = p1 - p - v - a, v1 - v - a - a, a1 - a
    c3, c4 = n.ten * d - n.four * e + f, n.seven * e - n.fifteen * d - n.two * f
    return p, v, a, c3, c4, n.three * (d + d - e) + f


@inlined
def unit_position(c, f):
    """The position in one axis at the fraction f of the step."""
    return c[0] + f * (c[1] + f * (c[2] + f * (c[3] + f * (c[4] + f * c[5]))))


@inlined
def unit_velocity_coefficients(n, c):
    """The five coefficients of the derivative of `unit_position` by f; n: the Literals."""
    return c[1], n.two * c[2], n.three * c[3], n.four * c[4], n.five * c[5]
