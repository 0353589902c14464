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
from ballcast.models.estimation.fit import HEIGHT, LOGS, SIZE, Prior, fit
from ballcast.models.estimation.likelihood import OUTLIER_DENSITY
from ballcast.models.estimation.posterior import (
    LOG_SHARE,
    first_landings,
    fly_draws,
    likeliest_landing,
    middle_first,
    root,
    sky,
)
from ballcast.models.predictors.physics import AHEAD, Ahead, explain, launch_prior, told_by
from ballcast.sim.jit import kernel
from ballcast.sim.kernels.flight import surroundings
from ballcast.sim.kernels.lanes import LOG
from ballcast.sim.launch import KINDS, SPINS

from ballcast import sim

LIMITS = {"informed": False, "oracle": True}  # whether it is told the ball's parameters
DRAWS, MOVES = 128, 300  # a move is one of half of the draws
WIDE = 1.3  # the walk starts from so much more than the Gaussian, which is too narrow where the law is bent
FLIGHTS = 25
LAUNCHES, FIRST_FRAMES = 2000, 30  # drawn of each way to launch, to know its law; of which the first that is seen
FINEST = np.repeat([1e-3, 1e-2, 1e-1], 3)  # m, m/s, rad/s: no launch is known better
MIRROR = 53  # in a launch's row: the share that is turned round
EXACT = 1e-6  # standard deviation of what is told
CALM = 5.0  # rad/s, below which the density of the spin stays finite


@dataclass(frozen=True)
class Told:
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
Law = namedtuple("Law", "weights means whiteners spin_size")

# random numbers of a walk, the same for every track: standard draws (K, 16) to start from; of each move its stride, a
# little noise (K / 2, 16), pairs of the other half (K / 2, 2), and the logarithms of chances (K / 2,)
Walk = namedtuple("Walk", "start stride noise pairs chances")


def a_walk(generator):
    """The Walk of a random generator."""
    half = DRAWS // 2
    first, apart = generator.integers(half, size=(MOVES, half)), generator.integers(1, half, size=(MOVES, half))
    stride = np.where(np.arange(MOVES) // 2 % 10 == 9, 1.0, 2.38 / math.sqrt(2 * (SIZE - 3)))
    return Walk(
        WIDE * generator.standard_normal((DRAWS, SIZE)),
        stride,
        0.05 * generator.standard_normal((MOVES, half, SIZE)),
        np.stack([first, (first + apart) % half], axis=2),
        np.log(generator.random((MOVES, half))),
    )


class Limit:
    """Forecasts one track of which it is Told the truth."""

    def __init__(self, name, sport):
        self.name, self.sport, self.knows_ball = name, sport, LIMITS[name]
        self.told = "the spreads, the noise, the launches" + (", the ball's parameters" if self.knows_ball else "")
        self.place, self.sky, self.law = surroundings(sport), sky(sport, np.float64), launch_law(sport)
        self.mean, self.sd = launch_prior(sport)
        self.sd[HEIGHT] = EXACT
        self.landing = np.array([s.landing for s in sport.surfaces], bool)
        self.walk = a_walk(np.random.default_rng(0))

    def forecast(self, history, times, told):
        """The Forecast at times (H,) s from a Track, given its Told."""
        mean, sd = self.mean.copy(), self.sd.copy()
        truth = self._at(history.time[0], told)
        if self.knows_ball:
            mean[LOGS:HEIGHT], sd[LOGS:HEIGHT] = truth[LOGS:HEIGHT], EXACT
        sensor = np.array([*np.square(told.noise), told.jitter**2, 1e6])
        prior = Prior(mean, np.diag(sd**-2.0), 0.0, sensor, sensor[:4], sensor[:4], 0.0, max(told.outlier, 1e-9))
        ahead = times - history.time[-1]
        seen = history.time, history.position
        found, *rest = _limit(self.place, self.sky, self.landing, *seen, truth, prior, self.law, self.walk, ahead)
        return told_by(found, Ahead(*rest), history.time[-1])

    def _at(self, time, told):
        """The true unknowns (16,) at `time` s."""
        launched = (np.asarray(a, float)[None] for a in (told.position, told.velocity, told.spin))
        parameters = np.asarray(told.parameters, float)
        flight = sim.simulate(self.sport, *launched, [time], parameters[None])
        state = flight.position[0, 0], flight.velocity[0, 0], flight.spin[0, 0]
        return np.concatenate([*state, np.log(parameters[:4]), parameters[4:], [0.0]])


def load(name, sport):
    """The limit of that name for a Sport; ValueError says which there are."""
    if name not in LIMITS:
        raise ValueError(f"no limit is called {name!r}; there are {', '.join(LIMITS)}")
    return Limit(name, sport)


def launch_law(sport):
    """The Law of a sport: a part for each way to launch, two where it is turned round for half of the balls.

    A network learns from its training how balls are launched - basketball's shots go to the hoop - so a limit must
    know it too.
    """
    spin_size, parts = _spin_size(sport), []
    total = sum(launch.weight for launch in sport.launches)
    for launch in sport.launches:
        state = _first_states(sport, launch)[:, : 6 if spin_size else 9]
        for some in _sides(state, launch.row[MIRROR]):
            W = np.linalg.inv(np.linalg.cholesky(np.cov(some.T) + np.diag(FINEST[: some.shape[1]] ** 2)))
            weight = math.log(launch.weight / total * len(some) / len(state)) + np.log(np.diag(W)).sum()
            parts.append((weight, some.mean(axis=0), W))
    return Law(*map(np.array, zip(*parts, strict=True)), spin_size)


def _first_states(sport, launch):
    """Position, velocity and spin (N, 9) at the first seen frames of balls launched so."""
    alone, rate = dataclasses.replace(sport, launches=(launch,)), sport.sensor.rate
    balls = sim.draw(alone, LAUNCHES, rate=rate, duration=FIRST_FRAMES / rate)
    first = balls.offsets[:-1][np.diff(balls.offsets) > 0]
    return np.concatenate([balls.truth_position[first], balls.truth_velocity[first], balls.truth_spin[first]], axis=1)


def _sides(state, mirror):
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
    isotropic = list(SPINS).index("isotropic"), KINDS.index("half_normal")
    same = all((row[form], row[kind], row[scale]) == (*isotropic, rows[0][scale]) for row in rows)
    return float(rows[0][scale]) if same else 0.0


@kernel
def _limit(place, sky, landing, t, y, truth, prior, law, walk, times):
    """The Fit, and what is ahead of its posterior: see models.physics.Ahead."""
    found = fit(place, t, y, truth, prior, FLIGHTS)
    blind, first = explain(place, t, y, prior.mean, False, prior, prior, FLIGHTS)
    if first:  # not of all frames
        blind = found
    draws = _posterior(sky, t - t[0], y, found, blind, prior, law, walk)
    log, seen = np.empty((LOG_SHARE * len(draws), LOG)), t[-1] - t[0]
    places, used = fly_draws(sky, draws, seen + times, log)
    middle, spread = _middle(places)
    landings = _landings_after(log, used, seen, landing, draws)
    if (landings[:, 0] == math.inf).any() and times[-1] < AHEAD:
        _, used = fly_draws(sky, draws, np.array([seen + AHEAD]), log)
        landings = _landings_after(log, used, seen, landing, draws)
    places[0] = middle
    probability, at, covariance = likeliest_landing(middle_first(landings), len(landing))
    return found, places, spread, probability, at, covariance


@kernel
def _landings_after(log, used, seen, landing, draws):
    """The first landing of each draw later than `seen` s, in time from then."""
    late = log[:used][log[:used, 2] > seen]
    late[:, 2] -= seen
    return first_landings(late, len(late), landing, draws)


@kernel
def _posterior(sky, t, y, found, blind, prior, law, walk):
    """Draws (K, 16) of the unknowns at the first frame, after the walk of Walk: every second one began at the Fit that
    was not begun at the truth, or the draws could not leave the truth's side of a bounce that slips or grips."""
    half, nothing = len(walk.start) // 2, np.empty((0, LOG))
    L = root(found.covariance)
    whiteners, norms = _whiteners(sky, t, found)
    draws = found.x + walk.start @ L.T
    draws[1::2] = (blind.x + walk.start @ root(blind.covariance).T)[1::2]
    weight = _log_posterior(sky, t, y, draws, prior, law, whiteners, norms, nothing)
    for m in range(len(walk.chances)):
        mine, others = draws[:half], draws[half:]
        if m % 2:
            mine, others = others, mine
        score = weight[half:] if m % 2 else weight[:half]
        moved = walk.noise[m] @ L.T
        for n in range(half):
            moved[n] += mine[n] + walk.stride[m] * (others[walk.pairs[m, n, 0]] - others[walk.pairs[m, n, 1]])
        better = _log_posterior(sky, t, y, moved, prior, law, whiteners, norms, nothing)
        for n in range(half):
            if walk.chances[m, n] < better[n] - score[n]:
                mine[n], score[n] = moved[n], better[n]
    return draws


@kernel
def _whiteners(sky, t, found):
    """W (T, 3, 3) that whiten a frame's error at the Fit's flight, and half the log-determinants (T,)."""
    near = np.empty(2 * len(t))
    near[0::2], near[1::2] = t, t + 1e-4
    one = np.ascontiguousarray(found.x).reshape((1, SIZE))
    places, _ = fly_draws(sky, one, near, np.empty((0, LOG)))
    W, norms = np.empty((len(t), 3, 3)), np.empty(len(t))
    scale = 1.0 / np.sqrt(found.sensor[:3])
    for n in range(len(t)):
        e = (places[0, 2 * n + 1] - places[0, 2 * n]) * 1e4 * scale
        ee = np.dot(e, e) + 1e-30
        widened = 1.0 + found.sensor[3] * ee
        norms[n] = 0.5 * math.log(widened) - np.log(scale).sum() + 1.5 * math.log(2.0 * math.pi)
        for i in range(3):
            for j in range(3):
                W[n, i, j] = ((i == j) + (1.0 / math.sqrt(widened) - 1.0) / ee * e[i] * e[j]) * scale[j]
    return W, norms


@kernel
def _log_posterior(sky, t, y, draws, prior, law, W, norms, nothing):
    """Log of the posterior (K,) of draws (K, 16)."""
    places, _ = fly_draws(sky, draws, t, nothing)
    weight = np.empty(len(draws))
    near, far = math.log(1.0 - prior.outliers), math.log(prior.outliers * OUTLIER_DENSITY)
    for n in range(len(draws)):
        total = _log_prior(draws[n], prior, law)
        for k in range(len(t)):
            square = 0.0
            for i in range(3):
                a = 0.0
                for j in range(3):
                    a += W[k, i, j] * (places[n, k, j] - y[k, j])
                square += a * a
            likely = near - 0.5 * square - norms[k]
            top = max(likely, far)
            total += top + math.log(math.exp(likely - top) + math.exp(far - top))
        weight[n] = total
    return weight


@kernel
def _log_prior(x, prior, law):
    """Log density of the unknowns (16,): how balls are launched, and how they differ."""
    total = _log_launch(x, law)
    for k in range(9, SIZE):
        total -= 0.5 * prior.precision[k, k] * (x[k] - prior.mean[k]) ** 2
    if law.spin_size > 0.0:
        ww = x[6] * x[6] + x[7] * x[7] + x[8] * x[8]
        total -= 0.5 * ww / (law.spin_size * law.spin_size) + math.log(ww + CALM * CALM)
    return total


@kernel
def _log_launch(x, law):
    """Log density of the Law at the state of x (16,), up to a constant."""
    logs = law.weights.copy()
    for m in range(len(logs)):
        for i in range(law.means.shape[1]):
            a = 0.0
            for j in range(i + 1):
                a += law.whiteners[m, i, j] * (x[j] - law.means[m, j])
            logs[m] -= 0.5 * a * a
    top = logs.max()
    return top + math.log(np.exp(logs - top).sum())


@kernel
def _middle(places):
    """The places (H, 3) of least expected distance to samples (K, H, 3), by Weiszfeld's rule; covariance about them."""
    count, asked, _ = places.shape
    middle, spread = np.zeros((asked, 3)), np.zeros((asked, 3, 3))
    for k in range(asked):
        p = places[:, k].sum(axis=0) / count
        for _ in range(20):
            q, total = np.zeros(3), 0.0
            for n in range(count):
                w = 1.0 / math.sqrt(((places[n, k] - p) ** 2).sum() + 1e-8)
                q += w * places[n, k]
                total += w
            p = q / total
        middle[k] = p
        for n in range(count):
            off = places[n, k] - p
            for i in range(3):
                for j in range(3):
                    spread[k, i, j] += off[i] * off[j] / count
    return middle, spread
