"""Fit table tennis' laws of drag and lift, forms `crisis`, to SpinDOE flights and to match play, jointly.

    python -m benchmarks.fit_lift_crisis [--delay 0.0125] [--spindoe 8] [--free-delay]

Unknowns: the numbers of both laws, and the launch of every SpinDOE flight; with --free-delay the delay of the published
velocities too. A third of the rallies is left out: see match_play.py. Many spins of SpinDOE are wrong (the axis is
turned by ten degrees, or altogether), so a flight that the law cannot explain counts little (Geman-McClure).
Prints the numbers for the sport's TOML, and what they give by the engine. The flights are integrated here by numpy, all
side by side; SpinDOE's measured spin is taken as it is.
"""

import tomllib
from collections import namedtuple

import numpy as np
import tyro
from numpy.polynomial import polynomial
from scipy.optimize import least_squares

from ballcast import sim
from ballcast.evaluation.splits import data_folder
from ballcast.sim.kernels.aerodynamics import DRAG_FORMS, LIFT_FORMS
from ballcast.sim.sport import Law
from benchmarks.fidelity import ROOT, spindoe_flights
from benchmarks.match_play import DELAY, FILE, Pairs, is_held_out, landing_errors, read_pairs, summary

NAMES = (*DRAG_FORMS["crisis"], *LIFT_FORMS["crisis"])
START = (0.53, 0.07, 0.85, 2.2, 0.21, 1.9, 1.2, 3.2, 0.155)
LOW = (0.30, -0.3, 0.3, 0.3, -0.2, 0.5, -0.6, 2.0, 0.08)
HIGH = (0.80, 0.3, 2.0, 6.0, 1.2, 2.5, 2.0, 20.0, 0.80)
PLACE, TIME, KNEE = 0.035, 0.006, 1.5  # m, s: scales of the landing errors; beyond KNEE of them the loss is linear
AXES = np.array([0.0012, 0.0053, 0.0020])  # m, usual rms residuals of SpinDOE
OFF = 1.5  # times these: a flight that is farther off counts little
STEPS = 12  # of a flight
Air = namedtuple("Air", "radius constant decay gravity")  # m, 1/m, 1/m, m/s2
# SpinDOE flights (B, T): times s, positions (B, T, 3) m, which frames there are, spins (B, 3) rad/s
Flights = namedtuple("Flights", "time position there spin")


def coefficients(numbers, S, speed):
    """(Cd, CL / S) of the forms `crisis`, arrays."""
    cd, drag_dip, a, b, depth, at, shift, half_speed, width = numbers
    q = speed**2 / (speed**2 + half_speed**2)
    dip = q**4 / (1.0 + ((S - at + shift * q) / width) ** 2)
    return cd - drag_dip * dip, 1.0 / (a + b * S) - depth * dip


def rates(air, numbers, velocity, spin):
    """(acceleration (..., 3), rate of the spin (...)) of balls at velocity and spin (..., 3)."""
    cross, speed = np.cross(spin, velocity), np.linalg.norm(velocity, axis=-1)
    cd, cl = coefficients(numbers, air.radius * np.linalg.norm(cross, axis=-1) / speed**2, speed)
    drag, lift = air.constant * cd * speed, air.constant * air.radius * cl
    gravity = np.array([0.0, 0.0, air.gravity])
    return lift[..., None] * cross - drag[..., None] * velocity - gravity, -air.decay * speed


def step(air, numbers, state, h):
    """(position, velocity, spin) after a Runge-Kutta step of h (N,) s, and the acceleration near its end."""
    p, v, w = state
    H = h[:, None]
    a, s = rates(air, numbers, v, w)
    b, t = rates(air, numbers, v + H / 2 * a, w * (1 + H / 2 * s[:, None]))
    c, r = rates(air, numbers, v + H / 2 * b, w * (1 + H / 2 * t[:, None]))
    d, q = rates(air, numbers, v + H * c, w * (1 + H * r[:, None]))
    decay = np.exp(h * (s + 2 * t + 2 * r + q) / 6)[:, None]
    return (p + H * (v + H * (a + b + c) / 6), v + H * (a + 2 * b + 2 * c + d) / 6, w * decay), d


def landings(air, numbers, pairs, delay):
    """Errors (N, 2) m of the places of landing, and of their times (N,) s."""
    a, _ = rates(air, numbers, pairs.velocity, pairs.spin)
    a, _ = rates(air, numbers, pairs.velocity - delay / 2 * a, pairs.spin)
    state = pairs.position, pairs.velocity - delay * a, pairs.spin
    for _ in range(STEPS):
        state, a = step(air, numbers, state, pairs.duration / STEPS)
    (p, v, _), t = state, np.zeros(len(a))
    for _ in range(4):  # to the height of a ball on the table
        height = p[:, 2] + t * (v[:, 2] + t / 2 * a[:, 2]) - air.radius
        t = np.clip(t - height / np.minimum(v[:, 2] + t * a[:, 2], -0.3), -0.3, 0.3)
    return (p + t[:, None] * (v + t[:, None] / 2 * a) - pairs.bounce)[:, :2], t


def paths(air, numbers, launches, flights):
    """Positions (B, T, 3) m of flights from launches (B, 6): a cubic through the ends of the steps."""
    duration = flights.time.max(axis=1)
    h, state = duration / STEPS, (launches[:, :3], launches[:, 3:], flights.spin)
    ends = [state]
    for _ in range(STEPS):
        ends.append(step(air, numbers, ends[-1], h)[0])
    p, v = (np.array([end[i] for end in ends]).transpose(1, 0, 2) for i in (0, 1))
    k = np.minimum((flights.time / h[:, None]).astype(int), STEPS - 1)
    f, i, H = (flights.time / h[:, None] - k)[..., None], np.arange(len(h))[:, None], h[:, None, None]
    between = p[i, k] * (1 + 2 * f) * (1 - f) ** 2 + p[i, k + 1] * f * f * (3 - 2 * f)
    return between + H * (v[i, k] * f * (1 - f) ** 2 + v[i, k + 1] * f * f * (f - 1))


class Refit:
    """The launches (B, 6) of SpinDOE flights, fitted to each law anew; they hardly move from law to law."""

    def __init__(self, air, flights, numbers):
        self.air, self.flights = air, flights
        parts = zip(flights.time, flights.position, flights.there)
        self.launches = np.array([np.ravel(polynomial.polyfit(t[n], p[n], 2)[:2]) for t, p, n in parts])
        for _ in range(3):
            self.jacobian = self._jacobian(numbers)
            self.residuals(numbers, 4, keep=True)

    def _jacobian(self, numbers, h=1e-4):
        """d position / d launch (B, T, 3, 6)."""
        start = paths(self.air, numbers, self.launches, self.flights)
        moved = [paths(self.air, numbers, self.launches + h * row, self.flights) for row in np.eye(6)]
        return np.stack([(path - start) / h for path in moved], axis=-1)

    def residuals(self, numbers, rounds=2, keep=False):
        """(B, T, 3) m, 0 where there is no frame; a loss that is linear beyond 10 mm, as in fidelity.py."""
        launches = self.launches
        for _ in range(rounds):
            r = self._misses(numbers, launches)
            weight = self.flights.there[..., None] / np.sqrt(1 + (r / 0.01) ** 2)
            normal = np.einsum("btci,btc,btcj->bij", self.jacobian, weight, self.jacobian)
            gradient = np.einsum("btci,btc,btc->bi", self.jacobian, weight, r)
            launches = launches - np.linalg.solve(normal, gradient[..., None])[..., 0]
        if keep:
            self.launches = launches
        return self._misses(numbers, launches)

    def _misses(self, numbers, launches):
        flights = self.flights
        return (paths(self.air, numbers, launches, flights) - flights.position) * flights.there[..., None]

    def rms(self, numbers, rounds=2):
        """rms residuals (B, 3) m of each flight and axis."""
        squares = self.residuals(numbers, rounds) ** 2
        return np.sqrt(squares.sum(axis=1) / self.flights.there.sum(axis=1)[:, None])


def side_by_side(flights):
    """Flights of different lengths as Flights, padded with the last frame's time."""
    flights = list(flights)
    shape = len(flights), max(len(time) for time, _, _ in flights)
    out = Flights(np.zeros(shape), np.zeros((*shape, 3)), np.zeros(shape, bool), np.array([s for _, _, s in flights]))
    for i, (time, position, _) in enumerate(flights):
        n = len(time)
        out.time[i, :n], out.position[i, :n], out.there[i, :n] = time - time[0], position, True
    return out


def fit(air: Air, pairs: Pairs, flights: Flights, delay: float, weight: float, free: bool) -> np.ndarray:
    """The numbers, in the order of NAMES, and the delay in s."""
    refit = Refit(air, flights, START)

    def residuals(x):
        off, late = landings(air, x[:-1], pairs, x[-1] if free else delay)
        r = np.concatenate([np.ravel(off) / PLACE, late / TIME])
        r = r * np.sqrt(2 / (1 + np.sqrt(1 + (r / KNEE) ** 2)))  # pseudo-Huber
        m = np.ravel(refit.rms(x[:-1]) / AXES)
        return np.concatenate([r, weight * m / np.sqrt(1 + (m / OFF) ** 2)])

    bounds, scale = ((*LOW, 0.0), (*HIGH, 0.03)), (*np.maximum(np.abs(START), 0.1), 0.01)
    return least_squares(residuals, (*START, delay), bounds=bounds, x_scale=scale, max_nfev=60).x


def main(delay: float = DELAY, spindoe: float = 8.0, free_delay: bool = False) -> None:
    """Fit, print the numbers and what they give; `spindoe`: the weight of SpinDOE's flights."""
    data, sport = data_folder(), sim.load("table_tennis")
    air = Air(sport.ball.radius, sport.aerodynamic_constant, sport.spin_decay_rate, sport.world.gravity)
    table = tomllib.loads((ROOT / "benchmarks" / "fidelity.toml").read_text(encoding="utf-8"))["spindoe"]
    pairs, flights = read_pairs(data / FILE), side_by_side(spindoe_flights(table, data))
    held = is_held_out(pairs)
    *x, fitted = fit(air, Pairs(*(a[~held] for a in pairs)), flights, delay, spindoe, free_delay)
    print(", ".join(f"{name} = {value:.4f}" for name, value in zip(NAMES, x)))
    print(f"delay {1e3 * (fitted if free_delay else delay):.1f} ms{'' if free_delay else ', as given'}")
    drag, lift = Law("crisis", tuple(x[:2])), Law("crisis", tuple(x[2:]))
    laws = {"the sport's own": sport, "fitted": sport.replace(drag=drag, lift=lift)}
    for name, law in laws.items():
        for seconds in (DELAY, fitted) if free_delay else (delay,):
            median, p90, ms = summary(*(error[held] for error in landing_errors(law, pairs, seconds)))
            print(f"{name}: rallies not fitted on, delay {1e3 * seconds:.1f} ms:", end=" ")
            print(f"{median:.1f} / {p90:.1f} mm, {ms:.1f} ms")
    refit = Refit(air, flights, x)
    print("SpinDOE, median rms x, y, z:", ", ".join(f"{1e3 * v:.2f}" for v in np.median(refit.rms(x, 6), axis=0)), "mm")


if __name__ == "__main__":
    tyro.cli(main)
