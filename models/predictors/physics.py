"""The physics forecast: the state that explains what was seen, fitted on the simulator, then simulated ahead.

fit.py says what is fitted, posterior.py how what may follow is flown. Everything between the frames and the forecast
is one compiled call.
"""

import math
from collections import namedtuple

import numpy as np

from ballcast import sim
from ballcast.models.contract import Belief, Forecast, Landing, Predictor, Stream
from ballcast.models.estimation.arc import initial_arc, theil_sen_arc
from ballcast.models.estimation.fit import HEIGHT, UNKNOWNS, Prior, map_fit, marginalise
from ballcast.models.estimation.posterior import (
    CONTACTS_PER_SAMPLE,
    covariance_about_first,
    first_landings,
    fly_samples,
    modal_landing,
    standard_normal_samples,
    transform_samples,
)
from ballcast.sim.jit import kernel
from ballcast.sim.kernels.compiled_sport import compile_lanes, compile_sport
from ballcast.sim.kernels.layout import CONTACT_DTYPE, DRAG

MIN_LANDING_HORIZON = 2.0  # s beyond the last seen frame, at least, in which a landing is looked for
SAMPLES, MAX_UNLANDED = 40, 0.1  # and their share that may be without a landing by the last time asked
MAX_FLIGHTS = 24  # of one fit, at most
HEAVY_TAIL_DEGREES, OUTLIER_SQUARE = (
    4.0,
    20.0,
)  # degrees of freedom, squared residual: so heavy tails, so odd a frame are suspicious
RESTART_FRAMES = (4, 9)  # frames that another start is made from
TRIAL_FLIGHTS, TRIAL_MARGIN = 3, 3.0  # its flights, and how much worse it may be then
OUTLIER_WEIGHT = 0.1  # weight of a frame that is an outlier, or of another flight
MAX_OUTLIER_FRACTION = 0.15  # a larger share of far frames, or most of the latest, and the frames are not of one flight
LATEST_FRAMES, MIN_FRAMES = 4, 5  # frames; so many are never dropped
INITIAL_DEGREES = 5.0  # of Student's t, to begin with
OUTLIER_RATE = 0.004  # share of the frames
FRAMES_AFTER_CONTACT = 8  # frames after a contact, with which a stream lets go of those before it
MAX_NOISE_PSEUDO_FRAMES = 30.0  # that a stream's knowledge of the sensor counts for
NOISE_PSEUDO_FRAMES = 2.0  # what the sport's own sensor counts against the noise that was met
HEIGHT_OFFSET_SCALE = 0.001  # m, half of all trackers are nearer in their idea of how high the surfaces are
UNINFORMATIVE_SD = 100.0  # m, standard deviation where nothing is known
VELOCITY_PRIOR_FACTOR = 3.0  # the velocity may lie this many times farther off than at launch

# what is flown ahead of a fit: places (K, H, 3) m of draws, the first the likeliest, their covariance (H, 3, 3) about
# it; the landing: its probability, time (s from the last frame) and place (4,), their covariance (4, 4)
Prediction = namedtuple("Prediction", "positions covariance probability landing landing_covariance")
Estimate = namedtuple("Estimate", "final final_covariance")  # a belief at the last frame, of whatever made it


def launch_prior(sport):
    """Mean (16,) and standard deviations (16,) of the unknowns before anything is seen: launches and spreads."""
    balls = sim.draw(sport, 2000, purpose="train", duration=0.05)
    spread, mean, sd = sport.spread, np.zeros(UNKNOWNS), np.empty(UNKNOWNS)
    mean[3:6], mean[6:9] = balls.launch_velocity.mean(axis=0), balls.launch_spin.mean(axis=0)
    sd[:3] = UNINFORMATIVE_SD
    sd[3:6], sd[6:9] = balls.launch_velocity.std(axis=0), balls.launch_spin.std(axis=0)
    sd[DRAG:HEIGHT] = spread.drag, spread.lift, spread.restitution, spread.friction, *spread.wind
    sd[HEIGHT] = UNINFORMATIVE_SD
    return mean, np.maximum(sd, 1e-6)


def sport_prior(sport):
    """The Prior of a ball of this sport, seen by a tracker such as the sport's."""
    ranges = np.array([sport.sensor.noise] * 3 + [sport.sensor.jitter])
    min_sd, max_sd = np.maximum(0.7 * ranges[:, 0], 1e-5), 2.0 * ranges[:, 1]
    mean, sd = launch_prior(sport)
    sd[3:6] *= VELOCITY_PRIOR_FACTOR
    noise = np.append(ranges.mean(axis=1) ** 2, INITIAL_DEGREES)
    return Prior(
        mean, np.diag(sd**-2.0), HEIGHT_OFFSET_SCALE, noise, min_sd**2, max_sd**2, NOISE_PSEUDO_FRAMES, OUTLIER_RATE
    )


@kernel
def fit_last_segment(sport, t, y, x, warm_start, prior, broad_prior, max_flights):
    """(Fit, first frame used) to as many of the last frames as one flight explains: after a hit, those since then.

    x (16,): the unknowns at t[0] where the fit is warm, else it starts with an arc through the first frames. prior: of
    this ball; fresh: of any other.
    """
    first, gravity = 0, sport.aero.gravity
    while True:
        if not warm_start:
            x = prior.mean.copy()
            x[:6] = initial_arc(t[first:], y[first:], gravity)
        fit = map_fit(sport, t[first:], y[first:], x, prior, max_flights)
        if not warm_start and _is_doubtful(fit):
            fit = _multi_start(sport, t[first:], y[first:], fit, prior, max_flights)
        remaining = len(t) - first
        is_outlier = fit.weights < OUTLIER_WEIGHT
        is_rejected = is_outlier.mean() > MAX_OUTLIER_FRACTION or is_outlier[-LATEST_FRAMES:].mean() > 0.5
        if not is_rejected or remaining <= MIN_FRAMES:
            return fit, first
        first, warm_start, prior = len(t) - max(MIN_FRAMES, remaining // 2), False, broad_prior


@kernel
def _is_doubtful(fit):
    """Whether a frame lies farther off than a sensor's do: a contact may have been missed, or taken otherwise."""
    degrees = fit.noise[4]
    return degrees <= HEAVY_TAIL_DEGREES or (degrees + 3.0) / (fit.weights.min() + 1e-9) - degrees > OUTLIER_SQUARE


@kernel
def _multi_start(sport, t, y, fit, prior, max_flights):
    """The better of a Fit and those begun from arcs through the very first frames, before an early contact."""
    for count in RESTART_FRAMES:
        if count < len(t):
            x = prior.mean.copy()
            theil_sen_arc(t[:count], y[:count], sport.aero.gravity, x[:6])
            other = map_fit(sport, t, y, x, prior, TRIAL_FLIGHTS)
            if other.cost < fit.cost + TRIAL_MARGIN:
                other = map_fit(sport, t, y, other.x, prior, max_flights // 2)
            if other.cost < fit.cost:
                fit = other
    return fit


@kernel
def predict(lane_sport, standard_normal, estimate, times):
    """What is Ahead of a Fit at times (H,) s after its last frame."""
    contacts = np.empty(CONTACTS_PER_SAMPLE * len(standard_normal), CONTACT_DTYPE)
    samples = transform_samples(estimate.final, estimate.final_covariance, standard_normal)
    positions, used = fly_samples(lane_sport, samples, times, contacts)
    covariance = covariance_about_first(positions)
    landings = first_landings(lane_sport, contacts, used, samples, 0.0)
    if (landings[:, 0] == math.inf).mean() > MAX_UNLANDED and times[-1] < MIN_LANDING_HORIZON:
        _, used = fly_samples(lane_sport, samples, np.array([MIN_LANDING_HORIZON]), contacts)
        landings = first_landings(lane_sport, contacts, used, samples, 0.0)
    return Prediction(positions, covariance, *modal_landing(landings, len(lane_sport.boxes)))


@kernel
def fit_and_predict(sport, lane_sport, standard_normal, t, y, x, warm_start, prior, broad_prior, max_flights, times):
    """Fit, the first frame used, and what is Ahead at times (H,) s after the last frame."""
    fit, first = fit_last_segment(sport, t, y, x, warm_start, prior, broad_prior, max_flights)
    return fit, first, predict(lane_sport, standard_normal, fit, times)


class Physics(Predictor):
    """Fits position, velocity, spin and the ball's own parameters to the last 60 frames; simulates. Told the sport."""

    name = "physics"
    side_information = "sport"
    min_frames = 3
    window = 60

    def __init__(self, sport):
        super().__init__(sport)
        self.compiled_sport, self.lane_sport = compile_sport(sport), compile_lanes(sport)
        self.prior, self.standard_normal = sport_prior(sport), standard_normal_samples(SAMPLES)

    def predict(self, time, position, times):
        fit, _, prediction = self.fit_and_predict(time, position, times, self.prior.mean, False, self.prior)
        return to_forecast(fit, prediction, time[-1])

    def stream(self):
        return PhysicsStream(self)

    def fit_and_predict(self, time, position, times, x, warm_start, prior):
        """Fit, the first frame used, and what is Ahead at times (H,) s."""
        frames = np.ascontiguousarray(time), np.ascontiguousarray(position)
        constants = self.compiled_sport, self.lane_sport, self.standard_normal
        return fit_and_predict(*constants, *frames, x, warm_start, prior, self.prior, MAX_FLIGHTS, times - time[-1])


class PhysicsStream(Stream):
    """Keeps the frames since the last landing; what earlier ones said stands in a Gaussian prior."""

    def __init__(self, predictor):
        super().__init__(predictor)
        self._reset(-math.inf)

    def forecast(self, times):
        time, position = self.frames
        times = self.predictor.check_times(time, times)
        if self._segment_start < time[0]:  # frames went by unasked
            self._reset(time[0])
        begin = np.searchsorted(time, self._segment_start)
        time, position = time[begin:], position[begin:]
        fit, first, prediction = self.predictor.fit_and_predict(
            time, position, times, self._x, self._warm_start, self._prior
        )
        if first:
            self._reset(time[first])
        self._x, self._warm_start = fit.x, True
        if not first:
            self._marginalise_old_frames(time, position, fit)
        return to_forecast(fit, prediction, time[-1])

    def _reset(self, since):
        """Begin anew with the frames from `since` s on."""
        self._segment_start, self._prior, self._x, self._warm_start = (
            since,
            self.predictor.prior,
            self.predictor.prior.mean,
            False,
        )

    def _marginalise_old_frames(self, time, position, fit):
        """Turn the frames before the last contact, or the oldest of a full window, into the prior."""
        cut = int(np.searchsorted(time, time[0] + fit.last_contact))
        if not 0 < cut <= len(time) - FRAMES_AFTER_CONTACT:
            cut = len(time) // 3 if len(time) >= self.predictor.window - 1 else 0
        if not cut:
            return
        frames = np.ascontiguousarray(time), np.ascontiguousarray(position)
        mean, precision = marginalise(self.predictor.compiled_sport, *frames, cut, fit, self._prior)
        pseudo_frames = min(self._prior.pseudo_frames + cut, MAX_NOISE_PSEUDO_FRAMES)
        self._prior = self._prior._replace(
            mean=mean, precision=precision, height_offset_scale=0.0, noise=fit.noise, pseudo_frames=pseudo_frames
        )
        self._segment_start, self._x = time[cut], mean


def to_forecast(estimate, prediction, last):
    """The Forecast of a Fit and what is Ahead of it, the last frame seen at `last` s."""
    landing = None
    if prediction.probability >= 0.5:
        at = prediction.landing
        landing = Landing(last + at[0], at[1:], prediction.landing_covariance, prediction.probability)
    return Forecast(
        prediction.positions[0].astype(float), prediction.covariance, prediction.positions, landing, to_belief(estimate)
    )


def to_belief(estimate):
    """The Belief of a Fit at its last frame."""
    x = estimate.final
    parameters = np.array([*np.exp(x[9:13]), *x[13:15]])
    transform = np.eye(UNKNOWNS)
    transform[2, HEIGHT] = 1.0  # the place as the tracker sees it
    transform[9:13, 9:13] = np.diag(parameters[:4])
    position = x[:3] + [0.0, 0.0, x[HEIGHT]]
    covariance = (transform @ estimate.final_covariance @ transform.T)[:HEIGHT, :HEIGHT]
    return Belief(position, x[3:6].copy(), x[6:9].copy(), parameters, covariance)
