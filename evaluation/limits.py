"""Limits: how small the error can be at best. They are given what no predictor can know, so that others have a measure.

`informed`  the physics fit, started at the truth; it knows the exact spreads, this track's noise and the launches
`oracle`    the same, and it knows this ball's parameters: the value of knowing the ball

Both sample the exact posterior. A Gaussian does not describe it where spin and lift can compensate each other. The
sampler is differential evolution Markov chain Monte Carlo (ter Braak 2006): it starts with draws of the Gaussian fit,
and proposes to move each of them along the difference of two others. Half of the draws start at a fit that was started
at the truth, half at a fit that was not. Otherwise, where two kinds of flight explain the frames, the draws would stay
with the true one, and no predictor could come close. The forecast is the geometric median.
Limits need the truth, so they are not in the registry and cannot be used on recorded balls.
"""

import dataclasses
import math
from collections import namedtuple
from dataclasses import dataclass

import numpy as np

from ballcast import sim
from ballcast.models.contract import Forecast, compiled_arrays, with_times
from ballcast.models.estimation.correlated_noise import factor_of
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
from ballcast.models.estimation.prior import Prior, height_scale, launch_prior
from ballcast.models.estimation.segment import fit_last_segment
from ballcast.models.estimation.unknowns import HEIGHT, PARAMETERS, UNKNOWNS
from ballcast.sim.jit import kernel
from ballcast.sim.kernels.compiled_sport import compile_lanes, compile_sport
from ballcast.sim.kernels.layout import CONTACT_DTYPE
from ballcast.sim.launch import HALF_NORMAL, SPIN_ISOTROPIC
from ballcast.sim.sensor import frame_height
from ballcast.tracks import Track

LIMITS = {"informed": False, "oracle": True}  # name -> whether it knows the ball's parameters
DRAWS, MOVES = 128, 300  # each move proposes new values for half of the draws
INITIAL_INFLATION = 1.3  # of the Gaussian at the start: it is too narrow where the posterior is curved
FLIGHTS = 25
LAUNCHES, FIRST_FRAMES = 2000, 30  # balls drawn for each launch's density; frames each, of which the first is used
MIN_LAUNCH_SD = np.repeat([1e-3, 1e-2, 1e-1], 3)  # m, m/s, rad/s: no launch density is narrower
KNOWN_SD = 1e-6  # standard deviation of an unknown whose value is given
SPIN_FLOOR = 5.0  # rad/s: below it the density of the spin stays finite


@dataclass(frozen=True)
class Truth:
    """What a limit is given about one track: the ball at launch, t = 0, and the sensor."""

    position: np.ndarray  # (3,) m
    velocity: np.ndarray  # (3,) m/s
    spin: np.ndarray  # (3,) rad/s
    parameters: np.ndarray  # (6,) in the order of sim.PARAMETERS
    noise: np.ndarray  # (3,) m
    jitter: float  # s
    rate: float  # Hz
    outlier: float = 0.0  # fraction of the frames
    drift: np.ndarray = dataclasses.field(default_factory=lambda: np.array([0.0, 0.0, 0.0, 1.0, 1.0]))  # see sim.Balls
    frame: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(3))  # (3,) see sim.Balls


# The density of launches: a Gaussian mixture over the state at the first frame. Log weights (M,), means (M, D) and
# whiteners (M, D, D). D is 9. If the spin is isotropic with a half-normal size, D is 6 (no spin), and spin_size is its
# scale, rad/s; else spin_size is 0.
LaunchDensity = namedtuple("LaunchDensity", "weights means whiteners spin_size")

# The random numbers of the sampler, the same for every track. start (K, 16): standard normal draws; for each move its
# step_scale, noise (K / 2, 16), pairs (K / 2, 2) of draws of the other half, and log_uniforms (K / 2,).
ProposalNoise = namedtuple("ProposalNoise", "start step_scale noise pairs log_uniforms")


def draw_proposals(generator: np.random.Generator) -> ProposalNoise:
    """The random numbers of the sampler."""
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
    """Forecasts one track, given its Truth."""

    def __init__(self, name: str, sport: sim.Sport):
        self.name, self.sport, self.knows_ball = name, sport, LIMITS[name]
        self.side_information = "the spreads, the noise, the launches" + ", the ball's parameters" * self.knows_ball
        self.compiled_sport, self.lane_sport = compile_sport(sport), compile_lanes(sport, np.float64)
        self.launch_density = launch_density(sport)
        self.mean, self.sd = launch_prior(sport)
        self.proposals = draw_proposals(np.random.default_rng(0))

    def forecast(self, history: Track, times: np.ndarray, truth: Truth) -> Forecast:
        """The Forecast at times (H,) s from a Track, given its Truth."""
        mean, sd = self.mean.copy(), self.sd.copy()
        true_unknowns = self._at(history.time[0], truth)
        if self.knows_ball:
            mean[PARAMETERS], sd[PARAMETERS] = true_unknowns[PARAMETERS], KNOWN_SD
        prior = self._prior(mean, sd, truth)

        frames = compiled_arrays(history.time, history.position)
        given = self.compiled_sport, self.lane_sport, *frames, true_unknowns, prior
        found = _limit(*given, self.launch_density, self.proposals, times - history.time[-1])
        informed_fit, positions, spread, probability, landing, landing_spread = found
        no_velocity = np.empty((0, 3)), np.empty((0, 3, 3))
        prediction = Prediction(positions, spread, probability, landing, landing_spread, *no_velocity)
        forecast = to_forecast(informed_fit.final, informed_fit.final_covariance, prediction, history.time[-1])
        return with_times(forecast, times)

    def _prior(self, mean, sd, truth):
        """The Prior of a track whose sensor is known, but not where its frame of reference lies."""
        noise, drift = np.asarray(truth.noise, float), truth.drift[:3]
        sensor = np.array([*(noise**2 + drift**2), truth.jitter**2, 1e6])
        factor = float(factor_of(drift / np.maximum(noise, 1e-9), truth.drift[3], truth.rate, truth.drift[4]).mean())
        known = sensor, sensor[:4], sensor[:4], 0.0, max(truth.outlier, 1e-9), factor
        return Prior(mean, np.diag(sd**-2.0), height_scale(self.sport), *known)

    def _at(self, time, truth):
        """The true unknowns (16,) at `time` s."""
        launch_state = (np.asarray(a, float)[None] for a in (truth.position, truth.velocity, truth.spin))
        parameters = np.asarray(truth.parameters, float)
        flight = sim.simulate(self.sport, *launch_state, [time], parameters[None])
        flight = sim.in_tracker_frames(flight, truth.frame[None])
        position, velocity, spin = flight.position[0, 0], flight.velocity[0, 0], flight.spin[0, 0]
        height = frame_height(truth.frame, position)
        position = position - np.array([0.0, 0.0, height])
        return np.concatenate([position, velocity, spin, np.log(parameters[:4]), parameters[4:], [height]])


def load(name: str, sport: sim.Sport) -> Limit:
    """The limit of that name; ValueError for an unknown name."""
    if name not in LIMITS:
        raise ValueError(f"unknown limit {name!r}; known are {', '.join(LIMITS)}")
    return Limit(name, sport)


def launch_density(sport: sim.Sport) -> LaunchDensity:
    """The launch density of a sport: one component for each launch, two if half of its balls go the opposite way.

    A network learns from its training balls how they are launched (basketball's shots go to the hoop), so a limit must
    know it too.
    """
    spin_size, components = _spin_size(sport), []
    total = sum(launch.weight for launch in sport.launches)
    for launch in sport.launches:
        state = _first_states(sport, launch)[:, : 6 if spin_size else 9]
        for side in _split_by_direction(state, launch.mirror):
            whitener = np.linalg.inv(np.linalg.cholesky(np.cov(side.T) + np.diag(MIN_LAUNCH_SD[: side.shape[1]] ** 2)))
            weight = math.log(launch.weight / total * len(side) / len(state)) + np.log(np.diag(whitener)).sum()
            components.append((weight, side.mean(axis=0), whitener))
    weights, means, whiteners = map(np.array, zip(*components, strict=True))
    return LaunchDensity(weights, means, whiteners, spin_size)


def _first_states(sport, launch):
    """Position, velocity and spin (N, 9) at the first frame of balls with this launch."""
    alone, rate = dataclasses.replace(sport, launches=(launch,)), sport.sensor.rate
    balls = sim.draw(alone, LAUNCHES, rate=rate, duration=FIRST_FRAMES / rate)
    first = balls.offsets[:-1][np.diff(balls.offsets) > 0]
    return np.concatenate([balls.truth_position[first], balls.truth_velocity[first], balls.truth_spin[first]], axis=1)


def _split_by_direction(state, mirror):
    """The states, split by direction if some of the launches are mirrored."""
    if mirror in (0.0, 1.0):
        return [state]
    _, axes = np.linalg.eigh(np.cov(state[:, 3:5].T))
    one_way = state[:, 3:5] @ axes[:, 1] > 0.0
    return [state[one_way], state[~one_way]]


def _spin_size(sport):
    """The scale, rad/s, of the half-normal size of an isotropic spin; 0 if the spin is distributed otherwise."""
    sizes = {(launch.spin_form, *launch.distributions[6][:3:2]) for launch in sport.launches}  # form, kind, scale
    form, kind, scale = next(iter(sizes))
    return scale if len(sizes) == 1 and (form, kind) == (SPIN_ISOTROPIC, HALF_NORMAL) else 0.0


@kernel
def _limit(sport, lane_sport, t, y, truth, prior, density, proposals, times):
    """The fit that was started at the truth, and the fields of the posterior's Prediction."""
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
    """Draws (K, 16) of the unknowns at the first frame. Every second one starts at the blind fit: otherwise the draws
    could not leave the true side where a bounce either slips or grips."""
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
    """Whiteners (T, 3, 3) of the frames' errors at the fit's flight, and half the log-determinants (T,)."""
    near = np.empty(2 * len(t))
    near[0::2], near[1::2] = t, t + 1e-4
    unknowns = np.ascontiguousarray(informed_fit.x).reshape((1, UNKNOWNS))
    positions, _ = fly_samples(lane_sport, unknowns, near.reshape((1, len(near))), np.empty(0, CONTACT_DTYPE))
    whiteners, norms = np.empty((len(t), 3, 3)), np.empty(len(t))
    scale = 1.0 / np.sqrt(informed_fit.noise_factor * informed_fit.noise[:3])
    for n in range(len(t)):
        velocity = (positions[0, 2 * n + 1] - positions[0, 2 * n]) * 1e4 * scale
        speed2 = np.dot(velocity, velocity) + 1e-30
        widened = 1.0 + informed_fit.noise_factor * informed_fit.noise[3] * speed2
        norms[n] = 0.5 * math.log(widened) - np.log(scale).sum() + 1.5 * math.log(2.0 * math.pi)
        for i in range(3):
            for j in range(3):
                whiteners[n, i, j] = (
                    (i == j) + (1.0 / math.sqrt(widened) - 1.0) / speed2 * velocity[i] * velocity[j]
                ) * scale[j]
    return whiteners, norms


@kernel
def _log_posterior(lane_sport, t, y, draws, prior, density, whiteners, norms, nothing):
    """Log of the posterior density (K,) of draws (K, 16)."""
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
    """Log prior density of the unknowns (16,): launch density and parameter spreads."""
    total = _log_launch(x, density)
    for k in range(9, UNKNOWNS):
        total -= 0.5 * prior.precision[k, k] * (x[k] - prior.mean[k]) ** 2
    total -= math.log1p((x[HEIGHT] / prior.height_offset_scale) ** 2)
    if density.spin_size > 0.0:
        spin2 = x[6] * x[6] + x[7] * x[7] + x[8] * x[8]
        total -= 0.5 * spin2 / (density.spin_size * density.spin_size) + math.log(spin2 + SPIN_FLOOR * SPIN_FLOOR)
    return total


@kernel
def _log_launch(x, density):
    """Log launch density of the state in x (16,), up to a constant."""
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
    """Geometric medians (H, 3) m of samples (K, H, 3) m, by Weiszfeld's algorithm, and the covariance about them."""
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
