"""Laws that no sport has, flown by the engine's own step: linear drag, Nathan's golf sheet. For benchmarks.fidelity."""

import math

import numpy as np

from ballcast.sim.jit import inlined, kernel
from ballcast.sim.kernels.aerodynamics import rk5
from ballcast.sim.kernels.compiled_sport import compile_sport


@inlined
def linear(aero, drag, lift, ux, uy, uz, wx, wy, wz):
    """dv/dt = -drag u."""
    return -drag * ux, -drag * uy, -drag * uz, 0.0


@inlined
def sheet(aero, drag, lift, ux, uy, uz, wx, wy, wz):
    """Nathan's golf sheet: Cd by Re between two points and linear in S, CL = 0.2294096 S^0.4."""
    speed = math.sqrt(ux * ux + uy * uy + uz * uz)
    mx, my, mz = wy * uz - wz * uy, wz * ux - wx * uz, wx * uy - wy * ux
    m = math.sqrt(mx * mx + my * my + mz * mz + aero.tiny)
    S, Re = aero.R * m / (speed * speed), drag * speed  # drag: 2 R / nu / 1e5
    blend = min(max((Re - 0.5) / 0.5, 0.0), 1.0)
    Cd = 1.9451114 + blend * (0.13248 - 1.9451114) + 0.2087217 * S
    d, k = -aero.K * Cd * speed, aero.K * 0.2294096 * S**0.4 * speed * speed / m
    return d * ux + k * mx, d * uy + k * my, d * uz + k * mz, -aero.decay * speed


LINEAR, SHEET, STEP = 0, 1, 0.002  # s


def fly_linear(sport, rate, velocity, seconds):
    """Place and velocity (3,) after so many seconds of drag `rate` (1/s) times the velocity."""
    rows = _flown(LINEAR, compile_sport(sport).aero, rate, np.array(velocity), np.zeros(3), seconds)
    return rows[-1, 1:4], rows[-1, 4:]


def carry(sport, velocity, spin):
    """(distance, time) of a golf ball by the sheet until it is back at the tee's height."""
    re_per_speed = 2.0 * sport.ball.radius / sport.world.nu / 1e5
    rows = _flown(SHEET, compile_sport(sport).aero, re_per_speed, np.array(velocity), np.array(spin), 12.0)
    k = np.flatnonzero(rows[1:, 3] < 0.0)[0]
    fraction = rows[k, 3] / (rows[k, 3] - rows[k + 1, 3])
    end = rows[k] + fraction * (rows[k + 1] - rows[k])
    return math.hypot(end[1], end[2]), end[0]


@kernel
def _flown(law, aero, drag, v, w, seconds):
    """Rows (time, place, velocity) of a flight from the origin, by steps of the engine's rule."""
    count = int(round(seconds / STEP))
    rows, p, f = np.zeros((count + 1, 7)), np.zeros(3), 1.0
    a = np.zeros(3)
    rows[0, 4:] = v
    for n in range(count):
        x, y, z = f * w[0], f * w[1], f * w[2]
        if law == LINEAR:
            a[0], a[1], a[2], _ = linear(aero, drag, 1.0, v[0], v[1], v[2], x, y, z)
            a[2] -= aero.gravity
            step = rk5(linear, aero, STEP, drag, 1.0, a[0], a[1], a[2], v[0], v[1], v[2], x, y, z)
        else:
            a[0], a[1], a[2], _ = sheet(aero, drag, 1.0, v[0], v[1], v[2], x, y, z)
            a[2] -= aero.gravity
            step = rk5(sheet, aero, STEP, drag, 1.0, a[0], a[1], a[2], v[0], v[1], v[2], x, y, z)
        for i in range(3):
            p[i] += step[i]
            v[i] += step[3 + i]
        f *= step[6]
        rows[n + 1, 0] = (n + 1) * STEP
        rows[n + 1, 1:4], rows[n + 1, 4:] = p, v
    return rows
