"""The best that can be hoped for: predictors that are told what no predictor can know, so that others have a measure.

`informed`  the physics fit started at the truth, told the exact spreads, this track's noise and how play launches balls
`oracle`    the same, told this very ball's parameters: what knowing the ball would be worth

Both answer with the posterior itself, which a Gaussian misses where spin and lift make up for each other: draws of the
Gaussian fit walk by Metropolis' rule, each along the difference of two others (differential evolution, ter Braak 2006),
until they follow the exact law. Half of them begin at the fit that was begun at the truth, half at one that was not:
else they would stay on the truth's side where two kinds of flight explain the frames, and nobody else could come near.
The forecast is the place of least expected distance.
They need the truth, so they stand outside the registry and cannot be asked for on recorded balls.
"""

import dataclasses
import math
from collections import namedtuple
from dataclasses import dataclass

import numpy as np

from ballcast import sim
from ballcast.models.contract import compiled_arrays
from ballcast.models.estimation.fit import map_fit
from ballcast.models.estimation.likelihood import OUTLIER_DENSITY
from ballcast.models.estimation.linear import cholesky_with_jitter
from ballcast.models.estimation.posterior import (
    CONTACTS_PER_SAMPLE,
    JITTER,
    MIN_LANDING_HORIZON,
    Prediction,
    first_landings,
    fly_samples,
    median_landing_first,
    modal_landing,
    to_forecast,
    transform_samples,
)
from ballcast.models.estimation.prior import Prior, launch_prior
from ballcast.models.estimation.segment import fit_last_segment
from ballcast.models.estimation.unknowns import HEIGHT, PARAMETERS, UNKNOWNS
from ballcast.sim.jit import kernel
from ballcast.sim.kernels.compiled_sport import compile_lanes, compile_sport
from ballcast.sim.kernels.layout import CONTACT_DTYPE
from ballcast.sim.launch import DISTRIBUTIONS, SPIN_FORMS

LIMITS = {"informed": False, "oracle": True}  # whether it is told the ball's parameters
DRAWS, MOVES = 128, 300  # a move is one of half of the draws
INITIAL_INFLATION = 1.3  # of the Gaussian, from which the walk starts: it is too narrow where the posterior is curved
FLIGHTS = 25
LAUNCHES, FIRST_FRAMES = 2000, 30  # drawn of each way to launch, to know its law; of which the first that is seen
MIN_LAUNCH_SD = np.repeat([1e-3, 1e-2, 1e-1], 3)  # m, m/s, rad/s: no launch is known better
MIRROR = 53  # in a launch's row: the share that is turned round
KNOWN_SD = 1e-6  # standard deviation of what is told
SPIN_FLOOR = 5.0  # rad/s, below which the density of the spin stays finite


@dataclass(frozen=True)
class Truth:
    """What a limit is told of one track: the ball at launch, t = 0, and the sensor that saw it."""

    position: np.ndarray  # (3,) m
    velocity: np.ndarray  # (3,) m/s
    spin: np.ndarray  # (3,) rad/s
    parameters: np.ndarray  # (6,) in the order of sim.PARAMETERS
    noise: np.ndarray  # (3,) m
    jitter: float  # s
    rate: float  # Hz
    outlier: float = 0.0  # share of the frames


# how play launches, as a mixture of normal laws of the state at the first seen frame: logarithms of their weights (M,),
# means (M, D) and whiteners (M, D, D). D is 9; 6, without the spin, where its size is half-normal and its axis any:
# spin_size is then the scale, rad/s, else 0
LaunchDensity = namedtuple("LaunchDensity", "weights means whiteners spin_size")

# random numbers of a walk, the same for every track: standard draws (K, 16) to start from; of each move its stride, a
# little noise (K / 2, 16), pairs of the other half (K / 2, 2), and the logarithms of chances (K / 2,)
ProposalNoise = namedtuple("ProposalNoise", "start step_scale noise pairs log_uniforms")


def draw_proposals(generator):
    """The Walk of a random generator."""
    half = DRAWS // 2
    first, apart = generator.integers(half, size=(MOVES, half)), generator.integers(1, half, size=(MOVES, half))
    step_scale = np.where(np.arange(MOVES) // 2 % 10 == 9, 1.0, 2.38 / math.sqrt(2 * (UNKNOWNS - 3)))
    return ProposalNoise(
        INITIAL_INFLATION * generator.standard_normal((DRAWS, UNKNOWNS)),
        step_scale,
        0.05 * generator.standard_normal((MOVES, half, UNKNOWNS)),
        np.stack([first, (first + apart) % half], axis=2),
        np.log(generator.random((MOVES, half))),
    )


class Limit:
    """Forecasts one track of which it is Told the truth."""

    def __init__(self, name, sport):
        self.name, self.sport, self.knows_ball = name, sport, LIMITS[name]
        self.side_information = "the spreads, the noise, the launches" + (
            ", the ball's parameters" if self.knows_ball else ""
        )
        self.compiled_sport, self.lane_sport = compile_sport(sport), compile_lanes(sport, np.float64)
        self.launch_density = launch_density(sport)
        self.mean, self.sd = launch_prior(sport)
        self.sd[HEIGHT] = KNOWN_SD
        self.proposals = draw_proposals(np.random.default_rng(0))

    def forecast(self, history, times, truth):
        """The Forecast at times (H,) s from a Track, given its Told."""
        mean, sd = self.mean.copy(), self.sd.copy()
        true_unknowns = self._at(history.time[0], truth)
        if self.knows_ball:
            mean[PARAMETERS], sd[PARAMETERS] = true_unknowns[PARAMETERS], KNOWN_SD
        sensor = np.array([*np.square(truth.noise), truth.jitter**2, 1e6])
        prior = Prior(mean, np.diag(sd**-2.0), 0.0, sensor, sensor[:4], sensor[:4], 0.0, max(truth.outlier, 1e-9))
        lead_times = times - history.time[-1]
        frames = compiled_arrays(history.time, history.position)
        informed_fit, *rest = _limit(
            self.compiled_sport,
            self.lane_sport,
            *frames,
            true_unknowns,
            prior,
            self.launch_density,
            self.proposals,
            lead_times,
        )
        return to_forecast(informed_fit.final, informed_fit.final_covariance, Prediction(*rest), history.time[-1])

    def _at(self, time, truth):
        """The true unknowns (16,) at `time` s."""
        launch_state = (np.asarray(a, float)[None] for a in (truth.position, truth.velocity, truth.spin))
        parameters = np.asarray(truth.parameters, float)
        flight = sim.simulate(self.sport, *launch_state, [time], parameters[None])
        state = flight.position[0, 0], flight.velocity[0, 0], flight.spin[0, 0]
        return np.concatenate([*state, np.log(parameters[:4]), parameters[4:], [0.0]])


def load(name, sport):
    """The limit of that name for a Sport; ValueError says which there are."""
    if name not in LIMITS:
        raise ValueError(f"no limit is called {name!r}; there are {', '.join(LIMITS)}")
    return Limit(name, sport)


def launch_density(sport):
    """The Law of a sport: a part for each way to launch, two where it is turned round for half of the balls.

    A network learns from its training how balls are launched - basketball's shots go to the hoop - so a limit must
    know it too.
    """
    spin_size, components = _spin_size(sport), []
    total = sum(launch.weight for launch in sport.launches)
    for launch in sport.launches:
        state = _first_states(sport, launch)[:, : 6 if spin_size else 9]
        for side in _split_by_direction(state, launch.row[MIRROR]):
            whitener = np.linalg.inv(np.linalg.cholesky(np.cov(side.T) + np.diag(MIN_LAUNCH_SD[: side.shape[1]] ** 2)))
            weight = math.log(launch.weight / total * len(side) / len(state)) + np.log(np.diag(whitener)).sum()
            components.append((weight, side.mean(axis=0), whitener))
    return LaunchDensity(*map(np.array, zip(*components, strict=True)), spin_size)


def _first_states(sport, launch):
    """Position, velocity and spin (N, 9) at the first seen frames of balls launched so."""
    alone, rate = dataclasses.replace(sport, launches=(launch,)), sport.sensor.rate
    balls = sim.draw(alone, LAUNCHES, rate=rate, duration=FIRST_FRAMES / rate)
    first = balls.offsets[:-1][np.diff(balls.offsets) > 0]
    return np.concatenate([balls.truth_position[first], balls.truth_velocity[first], balls.truth_spin[first]], axis=1)


def _split_by_direction(state, mirror):
    """The states apart by which way they go, where some are turned round."""
    if mirror in (0.0, 1.0):
        return [state]
    _, axes = np.linalg.eigh(np.cov(state[:, 3:5].T))
    one_way = state[:, 3:5] @ axes[:, 1] > 0.0
    return [state[one_way], state[~one_way]]


def _spin_size(sport):
    """The scale of a half-normal size of isotropic spin, rad/s; 0 where launches spin otherwise."""
    rows = [launch.row for launch in sport.launches]
    form, kind, scale = 2, 3 + 5 * 6, 3 + 5 * 6 + 2
    isotropic = list(SPIN_FORMS).index("isotropic"), DISTRIBUTIONS.index("half_normal")
    same = all((row[form], row[kind], row[scale]) == (*isotropic, rows[0][scale]) for row in rows)
    return float(rows[0][scale]) if same else 0.0


@kernel
def _limit(sport, lane_sport, t, y, truth, prior, density, proposals, times):
    """The Fit, and what is ahead of its posterior: see models.physics.Ahead."""
    informed_fit = map_fit(sport, t, y, truth, prior, np.int64(FLIGHTS))
    blind_fit, first = fit_last_segment(sport, t, y, prior.mean, False, prior, prior, np.int64(FLIGHTS))
    if first:  # not of all frames
        blind_fit = informed_fit
    draws = _sample_posterior(lane_sport, t - t[0], y, informed_fit, blind_fit, prior, density, proposals)
    contacts, observed_time = np.empty(CONTACTS_PER_SAMPLE * len(draws), CONTACT_DTYPE), t[-1] - t[0]
    positions, used = fly_samples(lane_sport, draws, (observed_time + times).reshape((1, len(times))), contacts)
    median, spread = geometric_median(positions)
    landings = first_landings(lane_sport, contacts, used, draws, observed_time)
    if (landings[:, 0] == math.inf).any() and times[-1] < MIN_LANDING_HORIZON:
        _, used = fly_samples(lane_sport, draws, np.full((1, 1), observed_time + MIN_LANDING_HORIZON), contacts)
        landings = first_landings(lane_sport, contacts, used, draws, observed_time)
    positions[0] = median
    probability, at, covariance = modal_landing(median_landing_first(landings), len(sport.surfaces))
    return informed_fit, positions, spread, probability, at, covariance


@kernel
def _sample_posterior(lane_sport, t, y, informed_fit, blind_fit, prior, density, proposals):
    """Draws (K, 16) of the unknowns at the first frame, after the walk of Walk: every second one began at the Fit that
    was not begun at the truth, or the draws could not leave the truth's side of a bounce that slips or grips."""
    half, nothing = len(proposals.start) // 2, np.empty(0, CONTACT_DTYPE)
    L = np.empty((UNKNOWNS, UNKNOWNS))
    cholesky_with_jitter(informed_fit.covariance, JITTER, L)
    whiteners, norms = _whiteners(lane_sport, t, informed_fit)
    draws = informed_fit.x + proposals.start @ L.T
    draws[1::2] = transform_samples(blind_fit.x, blind_fit.covariance, proposals.start)[1::2]
    weight = _log_posterior(lane_sport, t, y, draws, prior, density, whiteners, norms, nothing)
    for m in range(len(proposals.log_uniforms)):
        current, others = draws[:half], draws[half:]
        if m % 2:
            current, others = others, current
        score = weight[half:] if m % 2 else weight[:half]
        proposal = proposals.noise[m] @ L.T
        for n in range(half):
            proposal[n] += current[n] + proposals.step_scale[m] * (
                others[proposals.pairs[m, n, 0]] - others[proposals.pairs[m, n, 1]]
            )
        better = _log_posterior(lane_sport, t, y, proposal, prior, density, whiteners, norms, nothing)
        for n in range(half):
            if proposals.log_uniforms[m, n] < better[n] - score[n]:
                current[n], score[n] = proposal[n], better[n]
    return draws


@kernel
def _whiteners(lane_sport, t, informed_fit):
    """W (T, 3, 3) that whiten a frame's error at the Fit's flight, and half the log-determinants (T,)."""
    near = np.empty(2 * len(t))
    near[0::2], near[1::2] = t, t + 1e-4
    unknowns = np.ascontiguousarray(informed_fit.x).reshape((1, UNKNOWNS))
    positions, _ = fly_samples(lane_sport, unknowns, near.reshape((1, len(near))), np.empty(0, CONTACT_DTYPE))
    whiteners, norms = np.empty((len(t), 3, 3)), np.empty(len(t))
    scale = 1.0 / np.sqrt(informed_fit.noise[:3])
    for n in range(len(t)):
        velocity = (positions[0, 2 * n + 1] - positions[0, 2 * n]) * 1e4 * scale
        speed2 = np.dot(velocity, velocity) + 1e-30
        widened = 1.0 + informed_fit.noise[3] * speed2
        norms[n] = 0.5 * math.log(widened) - np.log(scale).sum() + 1.5 * math.log(2.0 * math.pi)
        for i in range(3):
            for j in range(3):
                whiteners[n, i, j] = (
                    (i == j) + (1.0 / math.sqrt(widened) - 1.0) / speed2 * velocity[i] * velocity[j]
                ) * scale[j]
    return whiteners, norms


@kernel
def _log_posterior(lane_sport, t, y, draws, prior, density, whiteners, norms, nothing):
    """Log of the posterior (K,) of draws (K, 16)."""
    positions, _ = fly_samples(lane_sport, draws, t.reshape((1, len(t))), nothing)
    weight = np.empty(len(draws))
    near, far = math.log(1.0 - prior.outlier_rate), math.log(prior.outlier_rate * OUTLIER_DENSITY)
    for n in range(len(draws)):
        total = _log_prior(draws[n], prior, density)
        for k in range(len(t)):
            square = 0.0
            for i in range(3):
                a = 0.0
                for j in range(3):
                    a += whiteners[k, i, j] * (positions[n, k, j] - y[k, j])
                square += a * a
            likely = near - 0.5 * square - norms[k]
            top = max(likely, far)
            total += top + math.log(math.exp(likely - top) + math.exp(far - top))
        weight[n] = total
    return weight


@kernel
def _log_prior(x, prior, density):
    """Log density of the unknowns (16,): how balls are launched, and how they differ."""
    total = _log_launch(x, density)
    for k in range(9, UNKNOWNS):
        total -= 0.5 * prior.precision[k, k] * (x[k] - prior.mean[k]) ** 2
    if density.spin_size > 0.0:
        spin2 = x[6] * x[6] + x[7] * x[7] + x[8] * x[8]
        total -= 0.5 * spin2 / (density.spin_size * density.spin_size) + math.log(spin2 + SPIN_FLOOR * SPIN_FLOOR)
    return total


@kernel
def _log_launch(x, density):
    """Log density of the Law at the state of x (16,), up to a constant."""
    logs = density.weights.copy()
    for m in range(len(logs)):
        for i in range(density.means.shape[1]):
            a = 0.0
            for j in range(i + 1):
                a += density.whiteners[m, i, j] * (x[j] - density.means[m, j])
            logs[m] -= 0.5 * a * a
    top = logs.max()
    return top + math.log(np.exp(logs - top).sum())


@kernel
def geometric_median(positions):
    """The places (H, 3) of least expected distance to samples (K, H, 3), by Weiszfeld's rule; covariance about them."""
    count, horizons, _ = positions.shape
    median, spread = np.zeros((horizons, 3)), np.zeros((horizons, 3, 3))
    for k in range(horizons):
        point = positions[:, k].sum(axis=0) / count
        for _ in range(20):
            weighted_sum, total = np.zeros(3), 0.0
            for n in range(count):
                weight = 1.0 / math.sqrt(((positions[n, k] - point) ** 2).sum() + 1e-8)
                weighted_sum += weight * positions[n, k]
                total += weight
            point = weighted_sum / total
        median[k] = point
        for n in range(count):
            off = positions[n, k] - point
            for i in range(3):
                for j in range(3):
                    spread[k, i, j] += off[i] * off[j] / count
    return median, spread
