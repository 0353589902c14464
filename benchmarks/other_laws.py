"""Laws that no sport uses, integrated by the engine's step: linear drag, Nathan's golf sheet. See fidelity.py."""

import math

import numpy as np

from ballcast.sim.jit import inlined, kernel
from ballcast.sim.kernels.compiled_sport import compile_sport
from ballcast.sim.kernels.dormand_prince import dormand_prince_step
from ballcast.sim.kernels.literals import literals
from ballcast.sim.kernels.vectors import cross, norm


@inlined
def linear(aero, drag, lift, u, w):
    """dv/dt = -drag u."""
    return -drag * u[0], -drag * u[1], -drag * u[2], 0.0


@inlined
def sheet(aero, drag, lift, u, w):
    """Nathan's golf sheet: Cd by Re between two points and linear in S, CL = 0.2294096 S^0.4."""
    speed, c = norm(u), cross(w, u)
    m = math.sqrt(c[0] * c[0] + c[1] * c[1] + c[2] * c[2] + literals(aero.gravity).tiny)
    S, Re = aero.radius * m / (speed * speed), drag * speed  # drag: 2 R / nu / 1e5
    blend = min(max((Re - 0.5) / 0.5, 0.0), 1.0)
    Cd = 1.9451114 + blend * (0.13248 - 1.9451114) + 0.2087217 * S
    d, k = -aero.constant * Cd * speed, aero.constant * 0.2294096 * S**0.4 * speed * speed / m
    return d * u[0] + k * c[0], d * u[1] + k * c[1], d * u[2] + k * c[2], -aero.spin_decay * speed


LINEAR, SHEET, STEP = 0, 1, 0.002  # s


def fly_linear(sport, rate, velocity, seconds):
    """Position and velocity (3,) after `seconds` of a drag of `rate` (1/s) times the velocity."""
    rows = _flown(LINEAR, compile_sport(sport).aero, rate, np.array(velocity), np.zeros(3), seconds)
    return rows[-1, 1:4], rows[-1, 4:]


def carry(sport, velocity, spin):
    """(distance, time) of a golf ball by the sheet, until it is back at the height of the tee."""
    re_per_speed = 2.0 * sport.ball.radius / sport.world.nu / 1e5
    rows = _flown(SHEET, compile_sport(sport).aero, re_per_speed, np.array(velocity), np.array(spin), 12.0)
    k = np.flatnonzero(rows[1:, 3] < 0.0)[0]
    fraction = rows[k, 3] / (rows[k, 3] - rows[k + 1, 3])
    end = rows[k] + fraction * (rows[k + 1] - rows[k])
    return math.hypot(end[1], end[2]), end[0]


@kernel
def _flown(law, aero, drag, velocity, spin, seconds):
    """Rows (time, position, velocity) of a flight from the origin, by the engine's integration step."""
    count = int(round(seconds / STEP))
    rows, p, f = np.zeros((count + 1, 7)), np.zeros(3), 1.0
    v, w = (velocity[0], velocity[1], velocity[2]), (spin[0], spin[1], spin[2])
    rows[0, 4:] = velocity
    for n in range(count):
        now = f * w[0], f * w[1], f * w[2]
        if law == LINEAR:
            ax, ay, az, _ = linear(aero, drag, 1.0, v, now)
            d, dv, factor, _, _, _ = dormand_prince_step(
                linear, aero, STEP, drag, 1.0, (ax, ay, az - aero.gravity), v, now
            )
        else:
            ax, ay, az, _ = sheet(aero, drag, 1.0, v, now)
            d, dv, factor, _, _, _ = dormand_prince_step(
                sheet, aero, STEP, drag, 1.0, (ax, ay, az - aero.gravity), v, now
            )
        v, f = (v[0] + dv[0], v[1] + dv[1], v[2] + dv[2]), f * factor
        rows[n + 1, 0] = (n + 1) * STEP
        for i in range(3):
            p[i] += d[i]
            rows[n + 1, 1 + i], rows[n + 1, 4 + i] = p[i], v[i]
    return rows
