"""What one track says of what all tracks share: a fit of it, linearised, with the ball's own state eliminated.

The numbers are SHARED, in this order. The first five may differ from ball to ball and are among the unknowns of a fit;
the slope of restitution and the tilt of the tracker's frame are not: their derivatives are added to its Jacobian. The
state at the first frame and the wind are the ball's own; they are eliminated by a Schur complement, as in bundle
adjustment.
"""

from typing import NamedTuple

import numpy as np

from ballcast.models.contract import compiled_arrays
from ballcast.models.estimation.fit import Fit, linearised_flight
from ballcast.models.estimation.likelihood import accumulate_normal_equations
from ballcast.models.estimation.prior import Prior
from ballcast.models.estimation.segment import OUTLIER_WEIGHT, fit_last_segment
from ballcast.models.estimation.unknowns import HEIGHT, UNKNOWNS, to_launch
from ballcast.sim.jit import kernel
from ballcast.sim.kernels.compiled_sport import CompiledSport
from ballcast.sim.kernels.flight import fly_ball
from ballcast.sim.kernels.layout import CONTACT_DTYPE, DRAG, FRICTION, LIFT, RESTITUTION, WIND_X, WIND_Y
from ballcast.sim.kernels.tangent import TANGENT_SIZE
from ballcast.sim.sensor import to_sport_frame
from ballcast.tracks import Track

SHARED = ("drag", "lift", "restitution", "friction", "height", "slope", "tilt_x", "tilt_y")
OWN = 5  # the first of SHARED may differ from ball to ball
SLOPE, TILT_X, TILT_Y = UNKNOWNS, UNKNOWNS + 1, UNKNOWNS + 2  # columns beside the 16 unknowns
SHARED_COLUMNS = np.array([DRAG, LIFT, RESTITUTION, FRICTION, HEIGHT, SLOPE, TILT_X, TILT_Y])
LOCAL_COLUMNS = np.array([*range(9), WIND_X, WIND_Y])
SLOPE_STEP = 1e-3  # s/m, of the numerical derivative
MAX_BEND = 0.2  # of it: where the two sides differ more, a contact comes or goes, and nothing is said of the slope
MAX_CONTACTS = 12
MAX_FLIGHTS = np.int64(40)  # of a fit
PRIOR_SHARE = 1e-3  # of the prior's precision where a track says nothing, so that a mean is defined


class Air(NamedTuple):
    """What flies a track: a sport, and two that differ from it in the slope of restitution."""

    sport: CompiledSport
    flatter: CompiledSport
    steeper: CompiledSport


class TrackFit(NamedTuple):
    """A fit of one track in the sport's frame, by what is known of the tracker's."""

    time: np.ndarray  # (T,) s
    position: np.ndarray  # (T, 3) m, of the frames that one flight explains
    fit: Fit
    explained: float  # fraction of the track's frames
    is_whole: bool  # it begins with the first frame


class Message(NamedTuple):
    """What a track says of the SHARED numbers."""

    mean: np.ndarray  # (8,)
    information: np.ndarray  # (8, 8)


def fit_track(
    sport: CompiledSport, track: Track, frame: np.ndarray, prior: Prior, start: np.ndarray | None
) -> TrackFit:
    """The TrackFit of a track whose tracker's frame is (3,), see sensor.py; start (16,) is where the fit begins, if it
    is known."""
    time, position = compiled_arrays(track.time, to_sport_frame(frame, track.position))
    x = prior.mean.copy() if start is None else start
    fit, first = fit_last_segment(sport, time, position, x, start is not None, prior, prior, MAX_FLIGHTS)
    explained = float((fit.weights >= OUTLIER_WEIGHT).sum() / len(time))
    return TrackFit(time[first:] - time[first], position[first:], fit, explained, first == 0)


def contacts_of(sport: CompiledSport, track: TrackFit) -> np.ndarray:
    """The contacts of a track's fit, CONTACT_DTYPE, MAX_CONTACTS at most; times count from its first frame."""
    contacts = np.zeros(MAX_CONTACTS, CONTACT_DTYPE)
    return contacts[: _fly(sport, track.fit.x, track.time[-1], contacts)]


@kernel
def _fly(sport, x, duration, contacts):
    """Fill the first contacts of unknowns x (16,) within `duration` s; their number."""
    trajectory, jacobian, times = np.empty((1, 6)), np.empty((1, 3, UNKNOWNS)), np.full(1, duration)
    flight = fly_ball(sport, to_launch(x), times, np.empty(0), trajectory, jacobian, contacts)
    return min(flight.contact_count, len(contacts))


def message(air: Air, track: TrackFit, prior: Prior) -> Message:
    """The Message of a track's fit."""
    fit, at = track.fit, linearised(air, track)
    size = UNKNOWNS + 3
    hessian, gradient = np.zeros((size, size)), np.zeros(size)
    noise = fit.noise * np.array([fit.noise_factor] * 4 + [1.0])
    weights, squares = np.empty(len(track.time)), np.empty(len(track.time))
    accumulate_normal_equations(*at, track.position, noise, prior.outlier_rate, weights, squares, hessian, gradient)
    shrink = (noise[4] + 3.0) / (noise[4] + 5.0)  # Student's t tells less than its weights say
    hessian, gradient = shrink * hessian, shrink * gradient
    s, u = SHARED_COLUMNS, LOCAL_COLUMNS
    own = hessian[np.ix_(u, u)] + prior.precision[np.ix_(u, u)]
    own_gradient = gradient[u] + prior.precision[np.ix_(u, u)] @ (fit.x - prior.mean)[u]
    gain = np.linalg.solve(own, hessian[np.ix_(u, s)]).T  # (8, 11)
    information = hessian[np.ix_(s, s)] - gain @ hessian[np.ix_(u, s)]
    information = 0.5 * (information + information.T)
    slope = gradient[s] - gain @ own_gradient
    weak = np.zeros(len(s))
    weak[:OWN] = PRIOR_SHARE * prior.precision[s[:OWN], s[:OWN]]
    weak[OWN:] = 1e-2 * np.array([1e3, 1e2, 1e2])
    here = np.append(fit.x[s[:OWN]], np.zeros(len(s) - OWN))
    return Message(here - np.linalg.solve(information + np.diag(weak), slope), information)


def linearised(air: Air, track: TrackFit) -> tuple[np.ndarray, np.ndarray]:
    """The path (T, 6) of a track's fit, and the Jacobian (T, 3, 19) of the measured positions."""
    count = len(track.time)
    paths = [np.empty((count, 6)) for _ in range(3)]
    jacobian, spare = np.empty((count, 3, UNKNOWNS)), np.empty((count, 3, UNKNOWNS))
    linearised_flight(air.sport, track.fit.x, track.time, np.zeros(TANGENT_SIZE), paths[0], jacobian)
    for sport, path in zip(air[1:], paths[1:]):
        linearised_flight(sport, track.fit.x, track.time, np.zeros(TANGENT_SIZE), path, spare)
    sides = (paths[0] - paths[1])[:, :3], (paths[2] - paths[0])[:, :3]
    is_smooth = np.abs(sides[1] - sides[0]).max() < MAX_BEND * np.abs(sides).max() + 1e-6
    slope = (sides[0] + sides[1]) / (2.0 * SLOPE_STEP) * is_smooth
    x, y, z = paths[0][:, :3].T
    none = np.zeros(count)
    extra = np.stack([slope, np.column_stack([none, -z, y]), np.column_stack([z, none, -x])], axis=2)
    return paths[0], np.ascontiguousarray(np.concatenate([jacobian, extra], axis=2))
