"""The nominal trajectory: the filter's own forecast. A network outputs residuals to it. Compiled.

Residuals are measured in the filter's standard deviations. For networks without a filter (features `frames`) the
nominal trajectory is a straight line, and residuals are in metres.
"""

import numpy as np

from ballcast.models.encoding.features import FRAMES
from ballcast.models.estimation.kalman import summary
from ballcast.models.estimation.unknowns import HEIGHT, to_launch
from ballcast.sim.jit import kernel
from ballcast.sim.kernels.flight import fly_ball
from ballcast.sim.kernels.layout import CONTACT_DTYPE

HORIZONS, HORIZON_STEP = 20, 0.05  # number of horizons of a path; s between them
LANDING_HORIZON = 1.5  # s; later landings do not count
MIN_POSITION_SD = 1e-4  # m
MAX_CONTACTS = 8  # the landing is one of these, or none
NOMINAL_FEATURES = 3 * HORIZONS + 4  # numbers of a nominal trajectory that a network reads
MIN_LANDING_SPEED = 0.5  # m/s, lower bound where the uncertainty of the moment is computed
LAG_VELOCITY_COLUMN = 3 + 4 * 3 + 1  # the first column of `frames` that is a velocity


@kernel
def fill_nominal_start(feature_set, state, raw_features, x, variances):
    """Fill the unknowns x (16,) that the nominal trajectory starts from.

    variances (3, 3): variance of position, its covariance with velocity, variance of velocity; a column for each axis.
    """
    known = summary(state)
    if feature_set == FRAMES:
        x[:], variances[:] = 0.0, 0.0
        variances[0] = 1.0
        x[:3] = known.recent_frames[0, 1:]
        x[3:6] = raw_features[LAG_VELOCITY_COLUMN : LAG_VELOCITY_COLUMN + 3]
        return
    x[:], P = known.mean, known.covariance
    for i in range(3):
        variances[0, i], variances[1, i], variances[2, i] = P[i, i], P[i, 3 + i], P[3 + i, 3 + i]
    variances[0, 2] += P[HEIGHT, HEIGHT] + 2.0 * P[2, HEIGHT]
    variances[1, 2] += P[5, HEIGHT]


@kernel
def free_flight_sd(variances, t, out):
    """Fill out (3,) with the standard deviations of position, m, after t s of free flight."""
    for i in range(3):
        variance = variances[0, i] + 2.0 * t * variances[1, i] + t * t * variances[2, i]
        out[i] = np.sqrt(max(variance, MIN_POSITION_SD**2))


@kernel
def nominal_trajectory(feature_set, sport, x, variances, times, positions, nominal_landing, landing_sd):
    """Fill positions (H, 3) m at times (H,) s, the landing's time and position (4,), and their sd (4,)."""
    if feature_set == FRAMES:
        for k in range(len(times)):
            positions[k] = x[:3] + times[k] * x[3:6]
        nominal_landing[0], landing_sd[:] = 0.0, 1.0
        nominal_landing[1:] = x[:3]
        return
    until, none = np.append(times, max(LANDING_HORIZON, times[-1] + 1e-6)), np.empty(0)
    trajectory, contacts = np.empty((len(until), 6)), np.empty(MAX_CONTACTS, CONTACT_DTYPE)
    flight = fly_ball(sport, to_launch(x), until, none, trajectory, np.empty((0, 3, 0)), contacts)
    positions[:] = trajectory[:-1, :3]
    positions[:, 2] += x[HEIGHT]
    nominal_landing[0] = LANDING_HORIZON
    nominal_landing[1:] = trajectory[-1, :3]
    landing_speed = MIN_LANDING_SPEED
    for contact in contacts[: flight.contact_count]:
        if contact["time"] < nominal_landing[0] and sport.is_landing[contact["surface"]]:
            nominal_landing[0] = contact["time"]
            nominal_landing[1:] = contact["position"]
            landing_speed = max(MIN_LANDING_SPEED, abs(contact["velocity_before"][2]))
            break
    nominal_landing[3] += x[HEIGHT]
    free_flight_sd(variances, nominal_landing[0], landing_sd[1:])
    landing_sd[0] = landing_sd[3] / landing_speed


@kernel
def fill_nominal_features(positions, nominal_landing, x, out):
    """Fill out (64,), what a network reads: positions at the horizons and the landing, relative to the start x."""
    for k in range(HORIZONS):
        for i in range(3):
            out[3 * k + i] = positions[k, i] - x[i]
    out[3 * HORIZONS] = nominal_landing[0]
    for i in range(3):
        out[3 * HORIZONS + 1 + i] = nominal_landing[1 + i] - x[i]


@kernel
def nominal_trajectories(
    feature_set, sport, x, variances, times, positions, horizon_positions, nominal_landing, landing_sd
):
    """As nominal_trajectory, at times (H,) s and at the horizons (20, 3), in one flight."""
    all_times, order = np.empty(len(times) + HORIZONS), np.empty(len(times) + HORIZONS, np.int64)
    n, k = 0, 0
    for i in range(len(all_times)):
        horizon = HORIZON_STEP * (k + 1)
        if n < len(times) and (k == HORIZONS or times[n] <= horizon):
            all_times[i], order[i], n = times[n], HORIZONS + n, n + 1
        else:
            all_times[i], order[i], k = horizon, k, k + 1
    out = np.empty((len(all_times), 3))
    nominal_trajectory(feature_set, sport, x, variances, all_times, out, nominal_landing, landing_sd)
    for i in range(len(all_times)):
        if order[i] < HORIZONS:
            horizon_positions[order[i]] = out[i]
        else:
            positions[order[i] - HORIZONS] = out[i]
