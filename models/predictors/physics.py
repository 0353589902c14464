"""The physics forecast: the state that explains what was seen, fitted on the simulator, then simulated ahead.

fit.py says what is fitted, posterior.py how what may follow is flown. Everything between the frames and the forecast
is one compiled call.
"""

import math
from collections import namedtuple

import numpy as np
from ballcast.models.contract import Belief, Forecast, Landing, Predictor, Stream
from ballcast.models.estimation.arc import arc, first_arc
from ballcast.models.estimation.fit import HEIGHT, LOGS, SIZE, Prior, absorb, fit
from ballcast.models.estimation.posterior import (
    LOG_SHARE,
    first_landings,
    fly_draws,
    likeliest_landing,
    sky,
    spread_about_first,
    spread_draws,
    standard_draws,
)
from ballcast.sim.jit import kernel
from ballcast.sim.kernels.flight import surroundings
from ballcast.sim.kernels.lanes import LOG

from ballcast import sim

AHEAD = 2.0  # s beyond the last seen frame, at least, in which a landing is looked for
DRAWS, UNSETTLED = 40, 0.1  # and their share that may be without a landing by the last time asked
FLIGHTS = 24  # of one fit, at most
HEAVY, ODD = 4.0, 20.0  # degrees of freedom, squared residual: so heavy tails, so odd a frame are suspicious
SHORT = (4, 9)  # frames that another start is made from
TRIAL, HOPE = 3, 3.0  # its flights, and how much worse it may be then
FAR = 0.1  # weight of a frame that is an outlier, or of another flight
LOST = 0.15  # a larger share of far frames, or most of the latest, and the frames are not of one flight
LATEST, LEAST = 4, 5  # frames; so many are never dropped
DEGREES = 5.0  # of Student's t, to begin with
OUTLIERS = 0.004  # share of the frames
AFTER = 8  # frames after a contact, with which a stream lets go of those before it
MOST_SENSOR_FRAMES = 30.0  # that a stream's knowledge of the sensor counts for
SENSOR_FRAMES = 2.0  # what the sport's own sensor counts against the noise that was met
REGISTERED = 0.001  # m, half of all trackers are nearer in their idea of how high the surfaces are
FAR_AWAY = 100.0  # m, standard deviation where nothing is known
BROAD = 3.0  # the velocity may lie this many times farther off than at launch

# what is flown ahead of a fit: places (K, H, 3) m of draws, the first the likeliest, their covariance (H, 3, 3) about
# it; the landing: its probability, time (s from the last frame) and place (4,), their covariance (4, 4)
Ahead = namedtuple("Ahead", "places covariance probability landing landing_covariance")
Found = namedtuple("Found", "last last_covariance")  # a belief at the last frame, of whatever made it


def launch_prior(sport):
    """Mean (16,) and standard deviations (16,) of the unknowns before anything is seen: launches and spreads."""
    balls = sim.draw(sport, 2000, purpose="train", duration=0.05)
    spread, mean, sd = sport.spread, np.zeros(SIZE), np.empty(SIZE)
    mean[3:6], mean[6:9] = balls.launch_velocity.mean(axis=0), balls.launch_spin.mean(axis=0)
    sd[:3] = FAR_AWAY
    sd[3:6], sd[6:9] = balls.launch_velocity.std(axis=0), balls.launch_spin.std(axis=0)
    sd[LOGS:HEIGHT] = spread.drag, spread.lift, spread.restitution, spread.friction, *spread.wind
    sd[HEIGHT] = FAR_AWAY
    return mean, np.maximum(sd, 1e-6)


def sport_prior(sport):
    """The Prior of a ball of this sport, seen by a tracker such as the sport's."""
    ranges = np.array([sport.sensor.noise] * 3 + [sport.sensor.jitter])
    least, most = np.maximum(0.7 * ranges[:, 0], 1e-5), 2.0 * ranges[:, 1]
    mean, sd = launch_prior(sport)
    sd[3:6] *= BROAD
    sensor = np.append(ranges.mean(axis=1) ** 2, DEGREES)
    return Prior(mean, np.diag(sd**-2.0), REGISTERED, sensor, least**2, most**2, SENSOR_FRAMES, OUTLIERS)


@kernel
def explain(place, t, y, x, warm, prior, fresh, most):
    """(Fit, first frame used) to as many of the last frames as one flight explains: after a hit, those since then.

    x (16,): the unknowns at t[0] where the fit is warm, else it starts with an arc through the first frames. prior: of
    this ball; fresh: of any other.
    """
    first, gravity = 0, place[1].gravity
    while True:
        if not warm:
            x = prior.mean.copy()
            x[:6] = first_arc(t[first:], y[first:], gravity)
        found = fit(place, t[first:], y[first:], x, prior, most)
        if not warm and _suspicious(found):
            found = _other_starts(place, t[first:], y[first:], found, prior, most)
        left = len(t) - first
        far = found.weights < FAR
        lost = far.mean() > LOST or far[-LATEST:].mean() > 0.5
        if not lost or left <= LEAST:
            return found, first
        first, warm, prior = len(t) - max(LEAST, left // 2), False, fresh


@kernel
def _suspicious(found):
    """Whether a frame lies farther off than a sensor's do: a contact may have been missed, or taken otherwise."""
    degrees = found.sensor[4]
    return degrees <= HEAVY or (degrees + 3.0) / (found.weights.min() + 1e-9) - degrees > ODD


@kernel
def _other_starts(place, t, y, found, prior, most):
    """The better of a Fit and those begun from arcs through the very first frames, before an early contact."""
    for count in SHORT:
        if count < len(t):
            x = prior.mean.copy()
            arc(t[:count], y[:count], place[1].gravity, x[:6])
            other = fit(place, t, y, x, prior, TRIAL)
            if other.cost < found.cost + HOPE:
                other = fit(place, t, y, other.x, prior, most // 2)
            if other.cost < found.cost:
                found = other
    return found


@kernel
def ahead(sky, landing, standard, found, times):
    """What is Ahead of a Fit at times (H,) s after its last frame; landing (n,) bool: the surfaces that count."""
    log = np.empty((LOG_SHARE * len(standard), LOG))
    draws = spread_draws(found.last, found.last_covariance, standard)
    places, used = fly_draws(sky, draws, times, log)
    covariance = spread_about_first(places)
    landings = first_landings(log, used, landing, draws)
    if (landings[:, 0] == math.inf).mean() > UNSETTLED and times[-1] < AHEAD:
        _, used = fly_draws(sky, draws, np.array([AHEAD]), log)
        landings = first_landings(log, used, landing, draws)
    return Ahead(places, covariance, *likeliest_landing(landings, len(landing)))


@kernel
def explain_and_fly(place, sky, landing, standard, t, y, x, warm, prior, fresh, most, times):
    """Fit, the first frame used, and what is Ahead at times (H,) s after the last frame."""
    found, first = explain(place, t, y, x, warm, prior, fresh, most)
    return found, first, ahead(sky, landing, standard, found, times)


class Physics(Predictor):
    """Fits position, velocity, spin and the ball's own parameters to the last 60 frames; simulates. Told the sport."""

    name = "physics"
    told = "sport"
    needs = 3
    window = 60

    def __init__(self, sport):
        super().__init__(sport)
        self.place, self.prior, self.standard = surroundings(sport), sport_prior(sport), standard_draws(DRAWS)
        self.sky, self.landing = sky(sport, np.float32), np.array([s.landing for s in sport.surfaces], bool)

    def predict(self, time, position, times):
        found, _, ahead = self.explained(time, position, times, self.prior.mean, False, self.prior)
        return told_by(found, ahead, time[-1])

    def stream(self):
        return PhysicsStream(self)

    def explained(self, time, position, times, x, warm, prior):
        """Fit, the first frame used, and what is Ahead at times (H,) s."""
        frames = np.ascontiguousarray(time), np.ascontiguousarray(position)
        told = self.place, self.sky, self.landing, self.standard
        return explain_and_fly(*told, *frames, x, warm, prior, self.prior, FLIGHTS, times - time[-1])


class PhysicsStream(Stream):
    """Keeps the frames since the last landing; what earlier ones said stands in a Gaussian prior."""

    def __init__(self, predictor):
        super().__init__(predictor)
        self._forget(-math.inf)

    def forecast(self, times):
        time, position = self.seen
        times = self.predictor.checked(time, times)
        if self._since < time[0]:  # frames went by unasked
            self._forget(time[0])
        begin = np.searchsorted(time, self._since)
        time, position = time[begin:], position[begin:]
        found, first, ahead = self.predictor.explained(time, position, times, self._x, self._warm, self._prior)
        if first:
            self._forget(time[first])
        self._x, self._warm = found.x, True
        if not first:
            self._let_go(time, position, found)
        return told_by(found, ahead, time[-1])

    def _forget(self, since):
        """Begin anew with the frames from `since` s on."""
        self._since, self._prior, self._x, self._warm = since, self.predictor.prior, self.predictor.prior.mean, False

    def _let_go(self, time, position, found):
        """Turn the frames before the last contact, or the oldest of a full window, into the prior."""
        cut = int(np.searchsorted(time, time[0] + found.last_contact))
        if not 0 < cut <= len(time) - AFTER:
            cut = len(time) // 3 if len(time) >= self.predictor.window - 1 else 0
        if not cut:
            return
        frames = np.ascontiguousarray(time), np.ascontiguousarray(position)
        mean, precision = absorb(self.predictor.place, *frames, cut, found, self._prior)
        weight = min(self._prior.weight + cut, MOST_SENSOR_FRAMES)
        self._prior = self._prior._replace(
            mean=mean, precision=precision, registered=0.0, sensor=found.sensor, weight=weight
        )
        self._since, self._x = time[cut], mean


def told_by(found, ahead, last):
    """The Forecast of a Fit and what is Ahead of it, the last frame seen at `last` s."""
    landing = None
    if ahead.probability >= 0.5:
        at = ahead.landing
        landing = Landing(last + at[0], at[1:], ahead.landing_covariance, ahead.probability)
    return Forecast(ahead.places[0].astype(float), ahead.covariance, ahead.places, landing, believed(found))


def believed(found):
    """The Belief of a Fit at its last frame."""
    x = found.last
    factors = np.array([*np.exp(x[9:13]), *x[13:15]])
    M = np.eye(SIZE)
    M[2, HEIGHT] = 1.0  # the place as the tracker sees it
    M[9:13, 9:13] = np.diag(factors[:4])
    place = x[:3] + [0.0, 0.0, x[HEIGHT]]
    covariance = (M @ found.last_covariance @ M.T)[:HEIGHT, :HEIGHT]
    return Belief(place, x[3:6].copy(), x[6:9].copy(), factors, covariance)
