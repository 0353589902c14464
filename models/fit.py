"""The state, at the first of some frames, that explains them best: maximum a posteriori on the simulator.

Unknown are position, velocity and spin, and those of the ball's own parameters that the sport lets vary. The data pull
with a robust loss; along the flight they are less certain than across it, because time stamps jitter. The launches of
the sport are the prior: broad for the velocity, of their own width for the spin, nothing for the position.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares

import sim
from models.parabola import last_arc

STEP = np.repeat([1e-3, 1e-2, 2.0], 3)  # m, m/s, rad/s: finite differences, and how unknowns are scaled
PARAMETER_STEP = 0.05  # standard deviations
HEIGHT_STEP = 1e-3  # m
ROBUST = 2.0  # standard deviations, from where residuals count less than squared
FAR = 8.0  # standard deviations; a frame so far off is an outlier, or of another flight
LOST = 0.15  # a larger share of far frames, or most of the latest, and the frames are not of one flight
LATEST = 4  # frames
PRIOR_FRAMES = 4  # what the sport's own sensor counts against the noise that was met
REGISTERED = 0.01  # m, standard deviation of a tracker's idea of how high the surfaces are
BROAD = 3.0  # the velocity may lie this many times farther off than at launch


@dataclass(frozen=True, eq=False)
class Fit:
    time: float  # s, of the first frame
    state: np.ndarray  # (9,) position m, velocity m/s, spin rad/s then
    parameters: np.ndarray  # (6,) in the order of sim.PARAMETERS
    height: float  # m, by which the tracker's frame sees all too high
    unknown: np.ndarray  # (U,) the same, as the solver sees it
    sensor: tuple  # standard deviations of the positions (m) and of the time stamps (s), by what is left over
    lost: bool  # the frames are not of one flight


class Fitter:
    """Fits flights of one sport."""

    def __init__(self, sport):
        self.sport = sport
        self.ranges = np.array([sport.sensor.noise, sport.sensor.jitter])
        spread = sport.spread
        self.spread = np.array([spread.drag, spread.lift, spread.restitution, spread.friction, *spread.wind])
        self.free = np.flatnonzero(self.spread > 0)
        balls = sim.draw(sport, 2000, purpose="train", duration=0.05)
        self.velocity, self.spin = balls.launch_velocity.mean(axis=0), balls.launch_spin.mean(axis=0)
        self.velocity_sd = BROAD * balls.launch_velocity.std(axis=0) + 1e-3
        self.spin_sd = balls.launch_spin.std(axis=0) + 1e-3
        self.steps = np.concatenate([STEP, np.full(len(self.free), PARAMETER_STEP), [HEIGHT_STEP]])

    def fit(self, time, position, start=None, evaluations=30):
        """The Fit to frames time (T,) s and position (T, 3) m, begun from an earlier Fit of the same ball if given."""
        sensor = start.sensor if start else self.ranges.mean(axis=1)
        problem = _Problem(self, time - time[0], position, sensor)
        begin = self._moved(start, time[0]) if start else problem.guess()
        answer = least_squares(
            problem.residuals, begin, problem.jacobian, loss=problem.loss, max_nfev=evaluations, ftol=1e-4, xtol=1e-4
        )
        state, parameters = self.spread_out(answer.x[None])
        far = np.linalg.norm(problem.weighed(answer.x), axis=1) > FAR
        lost = bool(far[-LATEST:].mean() > 0.5 or far.mean() > LOST)
        height = answer.x[-1] * HEIGHT_STEP
        return Fit(time[0], state[0], parameters[0], height, answer.x, problem.sensed(), lost)

    def spread_out(self, unknown):
        """States (B, 9) and parameters (B, 6) of unknowns (B, U)."""
        state = unknown[:, :9] * STEP
        z = np.zeros((len(unknown), 6))
        z[:, self.free] = unknown[:, 9:-1] * PARAMETER_STEP * self.spread[self.free]
        return state, np.concatenate([np.exp(z[:, :4]), z[:, 4:]], axis=1)

    def fly(self, state, parameters, times):
        """The Flight of states (B, 9) with parameters (B, 6), or of one of them, at times (T,) s from there."""
        state, parameters = np.atleast_2d(state), np.atleast_2d(parameters)
        return sim.simulate(self.sport, state[:, :3], state[:, 3:6], state[:, 6:], times, parameters)

    def _moved(self, fit, time):
        """The unknowns of an earlier fit, its state moved on to `time` s."""
        if time <= fit.time:
            return fit.unknown
        flight = self.fly(fit.state, fit.parameters, np.array([time - fit.time]))
        state = np.concatenate([flight.position[0, 0], flight.velocity[0, 0], flight.spin[0, 0]])
        return np.append(state / STEP, fit.unknown[9:])


class _Problem:
    """One least-squares problem: residuals (3 T + prior) of unknowns (U,), each in units of its finite difference."""

    def __init__(self, fitter, time, position, sensor):
        self.fitter, self.time, self.position = fitter, time, position
        self.noise, self.jitter = sensor
        self.mean = np.concatenate([fitter.velocity, fitter.spin, np.zeros(len(fitter.free) + 1)]) / fitter.steps[3:]
        sd = np.concatenate([fitter.velocity_sd, fitter.spin_sd, np.ones(len(fitter.free)), [REGISTERED]])
        self.weight = fitter.steps[3:] / sd

    def guess(self):
        """An arc through the first frames (time turned round), and the prior's mean for the rest."""
        place, velocity = last_arc(-self.time[::-1], self.position[::-1], self.fitter.sport.world.gravity)
        return np.concatenate([np.append(place, -velocity) / STEP[:6], self.mean[3:]])

    def residuals(self, unknown):
        return np.append(self.weighed(unknown).ravel(), (unknown[3:] - self.mean) * self.weight)

    def weighed(self, unknown):
        """What separates flight and frames, (T, 3), in standard deviations; keeps the flight for the Jacobian."""
        fitter = self.fitter
        flight = fitter.fly(*fitter.spread_out(unknown[None]), self.time)
        self.flown, velocity = flight.position[0], flight.velocity[0]
        speed = np.sqrt((velocity * velocity).sum(axis=1, keepdims=True)) + 1e-9
        self.along = velocity / speed
        self.speed = speed
        self.gain = self.noise / np.sqrt(self.noise**2 + (self.jitter * speed) ** 2) - 1.0
        self.off = self.flown - self.position
        self.off[:, 2] += unknown[-1] * HEIGHT_STEP
        return self._whitened(self.off)

    def sensed(self):
        """Noise and jitter by the residuals last asked for: those across the flight, then those along it.

        Drawn to the middle of the sport's range by as much as a few frames would, and kept within the range.
        """
        count, ranges = len(self.time), self.fitter.ranges
        along = (self.off * self.along).sum(axis=1)
        across = np.sqrt(((self.off**2).sum(axis=1) - along**2).clip(0.0) / 2.0)
        share = count / (count + PRIOR_FRAMES)
        free = count / max(count - 3.0, 1.0)  # what the unknowns have eaten up
        noise2 = free * (np.median(across) / 0.83) ** 2  # 0.83: median of a Rayleigh over sqrt(2)
        jitter2 = max(free * (1.48 * np.median(np.abs(along))) ** 2 - noise2, 0.0) / np.median(self.speed) ** 2
        middle = ranges.mean(axis=1)
        found = np.sqrt(share * np.array([noise2, jitter2]) + (1.0 - share) * middle**2)
        return tuple(np.clip(found, *ranges.T))

    def _whitened(self, off):
        """Offsets (..., T, 3) in m over their standard deviations, which are larger along the flight."""
        along = (off * self.along).sum(axis=-1, keepdims=True)
        return (off + along * self.gain * self.along) / self.noise

    def jacobian(self, unknown):
        """By finite differences, all in one batch. The solver asks for it where it last asked for residuals."""
        moved = self.fitter.fly(*self.fitter.spread_out(unknown + np.eye(len(unknown))), self.time).position
        moved[-1, :, 2] += HEIGHT_STEP
        data = self._whitened(moved - self.flown).reshape(len(unknown), -1).T
        prior = np.zeros((len(self.weight), len(unknown)))
        prior[:, 3:] = np.diag(self.weight)
        return np.concatenate([data, prior])

    def loss(self, z):
        """Cauchy for the data, squares for the prior; z is squared residuals, see scipy's least_squares."""
        rho = np.array([z, np.ones_like(z), np.zeros_like(z)])
        data = slice(3 * len(self.time))
        t = 1.0 + z[data] / ROBUST**2
        rho[:, data] = ROBUST**2 * np.log(t), 1.0 / t, -1.0 / (t * ROBUST) ** 2
        return rho
