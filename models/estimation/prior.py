"""What filters and fits know of a ball before they see a frame: launches, spreads, and the tracker of a sport."""

import math
from typing import NamedTuple

import numpy as np

from ballcast.models.estimation.correlated_noise import MAX_FACTOR, usual_factor
from ballcast.models.estimation.unknowns import HEIGHT, PARAMETERS, UNKNOWNS
from ballcast.sim.dataset import draw_launches
from ballcast.sim.kernels.layout import FRICTION, RESTITUTION, SPIN, VELOCITY
from ballcast.sim.sport import Sport

UNINFORMATIVE_SD = 100.0  # m, standard deviation of what is not known
VELOCITY_PRIOR_FACTOR = 3.0  # how much wider than at launch the velocity is spread
OUTLIER_RATE = 0.004  # fraction of the frames
# a fit estimates the noise of each track anew, a filter adapts it slowly: they need other starts
FIT_DEGREES, FILTER_DEGREES = 5.0, 6.0  # of Student's t: a fit starts from this and estimates it, a filter keeps it
FIT_PSEUDO_FRAMES, FILTER_PSEUDO_FRAMES = 2.0, 4.0  # frames that the sport's own noise counts for
MAX_NOISE_FACTORS = np.array([1.3, 1.3, 1.3, 2.0])  # of the largest noise and jitter of a sport: more is a hit
# the tracker's height: Cauchy's law in a fit (half of all trackers are nearer), a Gaussian in the filter
MIN_HEIGHT_SCALE, HEIGHT_SDS = 0.001, 3.0  # m; the Gaussian's standard deviation over the scale of Cauchy's law
SPLIT_SPIN_FRACTION = 0.35  # of the first standard deviation of the spin
ANYWHERE_SD = 1.0  # m, of where the first frame of a ball with no measured launch is: its prior says nothing of it
MIN_OTHERS = 1e-3  # of the launches, that are not measured
START_ROWS = np.append(np.arange(9), HEIGHT)  # the unknowns that a measured launch and the first frame tell of
INITIAL_POSITION_SD = 1.0  # m, of the filter before the first frame
TILT_TIME = 0.3  # s, a usual time between contacts: for so long a tilted frame changes the height under a ball
CONTACT_SDS = {RESTITUTION: 0.01, FRICTION: 0.1}  # by which the next contact may differ from the last one
# process noise in a second, as a fraction of the first standard deviations. The product of spin and lift is not
# linear: without process noise the filter becomes overconfident
PROCESS_NOISE_SD = np.array([0.0] * 3 + [1e-3] * 3 + [0.3] * 3 + [0.01, 0.4, 0.01, 0.01] + [0.01] * 2 + [0.01])


class Prior(NamedTuple):
    """What a fit knows before it sees a frame."""

    mean: np.ndarray  # (16,) of the unknowns
    precision: np.ndarray  # (16, 16)
    height_offset_scale: float  # m, Cauchy scale of the tracker's height; 0: the precision is all that is known
    noise: np.ndarray  # (5,) variances of the axes (m2) and of the time stamps (s2), degrees of freedom
    min_variances: np.ndarray  # (4,) bounds of the variances
    max_variances: np.ndarray  # (4,)
    pseudo_frames: float  # that the noise counts for; 0: the noise is known
    outlier_rate: float  # fraction of the frames
    noise_factor: float  # how many times a frame's noise counts, because neighbouring frames err alike


class LaunchStarts(NamedTuple):
    """What a first frame says of a ball with each of K measured launches: of its state and height, in START_ROWS."""

    log_weights: (
        np.ndarray
    )  # (K + 1,) with the density's factor; the last is that of a ball with none of these launches
    mean: np.ndarray  # (K, 10) before the frame
    whitener: np.ndarray  # (K, 3, 3) of where the first frame is expected
    gain: np.ndarray  # (K, 10, 3)
    covariance: np.ndarray  # (K, 10, 10) after it


class FilterPrior(NamedTuple):
    """What a filter knows before it sees a frame."""

    mean: np.ndarray  # (16,) of the unknowns
    covariance: np.ndarray  # (16, 16)
    noise: np.ndarray  # (4,) variances of the axes (m2) and of the time stamps (s2)
    min_variances: np.ndarray  # (4,) bounds of the variances
    max_variances: np.ndarray  # (4,)
    process_noise: np.ndarray  # (16,) variance that each unknown gains per second
    split_spin_sd: float  # rad/s: a component whose spin is known worse is split
    noise_factor: float  # how many times a frame's noise counts at first, because neighbouring frames err alike
    max_noise_factor: float  # how many times it counts at most
    launches: "LaunchStarts"  # of K measured launches


def launch_prior(sport: Sport) -> tuple[np.ndarray, np.ndarray]:
    """Mean (16,) and standard deviations (16,) of the unknowns at launch."""
    launches = draw_launches(sport, 2000)
    mean, sd = np.zeros(UNKNOWNS), np.full(UNKNOWNS, UNINFORMATIVE_SD)
    for part in (VELOCITY, SPIN):
        values = np.ascontiguousarray(launches[:, part])
        mean[part], sd[part] = values.mean(axis=0), values.std(axis=0)
    sd[PARAMETERS] = sport.spread.total
    return mean, np.maximum(sd, 1e-6)


def sport_prior(sport: Sport) -> Prior:
    """The Prior of a ball of this sport, measured by a tracker typical of it, from any frame of its flight on.

    Measured launches, see launch_priors, say nothing of later frames. They do not count, unless there are no others.
    """
    if wide := tuple(launch for launch in sport.launches if not launch.correlation):
        sport = sport.replace(launches=wide)
    ranges = np.array([sport.sensor.noise] * 3 + [sport.sensor.jitter])
    variances = np.maximum(0.7 * ranges[:, 0], 1e-5) ** 2, (MAX_NOISE_FACTORS * ranges[:, 1]) ** 2
    mean, sd = launch_prior(sport)
    sd[3:6] *= VELOCITY_PRIOR_FACTOR
    noise = np.array([*[sport.sensor.usual_noise**2] * 3, ranges[3].mean() ** 2, FIT_DEGREES])
    scale = height_scale(sport)
    rest = FIT_PSEUDO_FRAMES, OUTLIER_RATE, usual_factor(sport.sensor)
    return Prior(mean, np.diag(sd**-2.0), scale, noise, *variances, *rest)


def launch_priors(sport: Sport) -> list[tuple[float, Prior]]:
    """The measured launches of a sport, those with a `correlation`: (weight among all launches, Prior of a track that
    begins with it)."""
    prior, total, found = sport_prior(sport), sum(launch.weight for launch in sport.launches), []
    for launch in sport.launches:
        if launch.correlation:
            mean, precision = prior.mean.copy(), prior.precision.copy()
            mean[:9], sd = np.array(launch.distributions)[:, 1:3].T
            precision[:9, :9] = np.linalg.inv(np.outer(sd, sd) * np.array(launch.correlation))
            found.append((launch.weight / total, prior._replace(mean=mean, precision=precision)))
    return found


def _launch_starts(sport, noise, height_variance):
    """The LaunchStarts of a sport; noise (3,): variances of a frame, m2."""
    found, size = launch_priors(sport), len(START_ROWS)
    count = len(found)
    starts = LaunchStarts(
        np.zeros(count + 1), *(np.zeros((count, *s)) for s in ((size,), (3, 3), (size, 3), (size, size)))
    )
    for k, (weight, prior) in enumerate(found):
        C, H = np.zeros((size, size)), np.eye(3, size)
        C[:9, :9], C[9, 9], H[2, 9] = np.linalg.inv(prior.precision[:9, :9]), height_variance, 1.0
        S = H @ C @ H.T + np.diag(noise)
        starts.mean[k], starts.gain[k] = prior.mean[START_ROWS], C @ H.T @ np.linalg.inv(S)
        starts.covariance[k] = C - starts.gain[k] @ H @ C
        starts.whitener[k] = np.linalg.inv(np.linalg.cholesky(S))
        starts.log_weights[k] = math.log(weight) + np.log(np.diag(starts.whitener[k])).sum()
    others = 1.0 - sum(weight for weight, _ in found)
    starts.log_weights[count] = math.log(max(others, MIN_OTHERS)) - 3.0 * math.log(ANYWHERE_SD)
    return starts


def height_scale(sport: Sport) -> float:
    """By how much a tracker's frame is too high or low, m: the scale of Cauchy's law."""
    return max(sport.sensor.frame.height, MIN_HEIGHT_SCALE)


def tilt_variance(sport: Sport, time: float) -> float:
    """Variance, m2, of the height that a tilted frame of reference gains or loses under a ball in `time` s."""
    mean, sd = launch_prior(sport)
    return math.radians(sport.sensor.frame.tilt) ** 2 * float((mean[VELOCITY] ** 2 + sd[VELOCITY] ** 2).sum()) * time**2


def next_contact_covariance(sport: Sport) -> np.ndarray:
    """Covariance (16, 16) by which the unknowns at the next contact may differ from those that the last frames show."""
    covariance, variance = np.zeros((UNKNOWNS, UNKNOWNS)), tilt_variance(sport, TILT_TIME)
    covariance[2, 2] = covariance[HEIGHT, HEIGHT] = variance
    covariance[2, HEIGHT] = covariance[HEIGHT, 2] = -variance
    for k, sd in CONTACT_SDS.items():
        covariance[k, k] = sd**2
    return covariance


def make_filter_prior(sport: Sport) -> FilterPrior:
    """The FilterPrior of a ball of this sport, measured by a tracker typical of it."""
    prior = sport_prior(sport)
    covariance = np.diag(1.0 / np.diag(prior.precision))
    covariance[:3, :3] = INITIAL_POSITION_SD**2 * np.eye(3)
    covariance[HEIGHT, HEIGHT] = (HEIGHT_SDS * height_scale(sport)) ** 2
    process_noise = PROCESS_NOISE_SD**2 * np.diag(covariance)
    process_noise[HEIGHT] = tilt_variance(sport, TILT_TIME) / TILT_TIME
    sensor = prior.noise[:4], prior.min_variances, prior.max_variances
    split_sd = SPLIT_SPIN_FRACTION * float(np.sqrt(np.diag(covariance)[6:9].mean()))
    factors = usual_factor(sport.sensor), MAX_FACTOR
    starts = _launch_starts(sport, prior.noise[:3], covariance[HEIGHT, HEIGHT])
    return FilterPrior(prior.mean, covariance, *sensor, process_noise, split_sd, *factors, starts)
