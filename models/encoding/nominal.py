"""The nominal trajectory: the filter's own forecast. A network outputs residuals to it. Compiled.

Residuals are measured in the filter's standard deviations. For networks without a filter (features `frames`) the
nominal trajectory is a straight line, and residuals are in metres. What a network reads of it is dimensionless, except
that horizons are in seconds.
"""

import math

import numpy as np

from ballcast.models.encoding.features import FILTER, RAW, VELOCITY_LAG, recent_velocity
from ballcast.models.estimation.filter_state import summary
from ballcast.models.estimation.unknowns import HEIGHT, to_launch
from ballcast.sim.jit import inlined, kernel
from ballcast.sim.kernels.flight import fly_ball
from ballcast.sim.kernels.layout import CONTACT_DTYPE

HORIZONS, HORIZON_STEP = 20, 0.05  # number of horizons of a path; s between them
LANDING_HORIZON = 1.5  # s; later landings do not count
MIN_POSITION_SD = 1e-4  # m
MAX_CONTACTS = 8  # the landing is one of these, or none
SD_HORIZONS = (1, 5, 11, 19)  # horizons whose spread a network reads
CONTACT_FEATURES = 3  # times of the first two contacts, and how far inside its surface the first one is
NOMINAL_FEATURES = 3 * HORIZONS + 4 + len(SD_HORIZONS) + CONTACT_FEATURES + 2  # numbers that a network reads
NOMINAL_SIZES = {"filter": NOMINAL_FEATURES, "frames": NOMINAL_FEATURES, "raw": 0}  # by the name of the features
MIN_LANDING_SPEED = 0.5  # m/s, lower bound where the uncertainty of the moment is computed
MAX_MARGIN = 1e3  # standard deviations: no surface has an edge near the trajectory


@kernel
def fill_nominal_start(feature_set, state, x, variances):
    """Fill the unknowns x (16,) that the nominal trajectory starts from.

    variances (3, 3): variance of position, its covariance with velocity, variance of velocity; a column for each axis.
    """
    known = summary(state)
    if feature_set != FILTER:
        x[:], variances[:] = 0.0, 0.0
        variances[0] = 1.0
        x[:3] = known.recent_frames[0, 1:]
        if feature_set == RAW or known.frames > VELOCITY_LAG:
            recent_velocity(known, VELOCITY_LAG, x[3:6])
        return
    x[:] = known.mean
    fill_variances(known.covariance, variances)


@inlined
def fill_variances(P, variances):
    """Fill the variances of a covariance P (16, 16); see fill_nominal_start."""
    for i in range(3):
        variances[0, i], variances[1, i], variances[2, i] = P[i, i], P[i, 3 + i], P[3 + i, 3 + i]
    variances[0, 2] += P[HEIGHT, HEIGHT] + 2.0 * P[2, HEIGHT]
    variances[1, 2] += P[5, HEIGHT]


@kernel
def free_flight_sd(variances, t, out):
    """Fill out (3,) with the standard deviations of position, m, after t s of free flight."""
    for i in range(3):
        variance = variances[0, i] + 2.0 * t * variances[1, i] + t * t * variances[2, i]
        out[i] = math.sqrt(max(variance, MIN_POSITION_SD**2))


@inlined
def free_flight_sd_rate(variances, t, sd):
    """The derivative by t, m/s, of one axis' standard deviation `sd` (m), whose variances are (3,)."""
    return (variances[1] + t * variances[2]) / sd if sd > MIN_POSITION_SD else 0.0


@kernel
def nominal_trajectory(
    feature_set, sport, x, variances, times, positions, nominal_landing, landing_sd, contact_features
):
    """Fill positions (H, 3) m at times (H,) s, the landing's time and position (4,), their sd (4,), and the contact
    features (3,): times of the first two contacts, s, and how far from the surface's edge the first one is. Positions
    (H, 6) get velocities too."""
    columns = positions.shape[1]
    if feature_set != FILTER:
        contact_features[:2], contact_features[2] = LANDING_HORIZON, math.asinh(MAX_MARGIN)
        for k in range(len(times)):
            positions[k, :3] = x[:3] + times[k] * x[3:6]
            positions[k, 3:] = x[3 : 3 + columns - 3]
        nominal_landing[0], landing_sd[:] = 0.0, 1.0
        nominal_landing[1:] = x[:3]
        return
    until, trajectory = np.empty(len(times) + 1), np.empty((len(times) + 1, columns))
    rest = nominal_landing, landing_sd, contact_features
    nominal_flight(sport, x, variances, times, until, trajectory, positions, *rest)


@inlined
def nominal_flight(
    sport, x, variances, times, until, trajectory, positions, nominal_landing, landing_sd, contact_features
):
    """See nominal_trajectory, of the filter's; until (H + 1,) and trajectory, as many: room for the flight."""
    none, no_jacobian, contacts = np.empty(1)[:0], np.empty((1, 3, 1)), np.empty(MAX_CONTACTS, CONTACT_DTYPE)
    contact_features[0] = contact_features[1] = LANDING_HORIZON
    contact_features[2] = math.asinh(MAX_MARGIN)
    for k in range(len(times)):
        until[k] = times[k]
    until[-1] = max(LANDING_HORIZON, times[-1] + 1e-6)
    flight = fly_ball(sport, to_launch(x), until, none, trajectory, no_jacobian, contacts)
    for k in range(len(times)):
        for i in range(positions.shape[1]):
            positions[k, i] = trajectory[k, i]
        positions[k, 2] += x[HEIGHT]
    nominal_landing[0] = LANDING_HORIZON
    for i in range(3):
        nominal_landing[1 + i] = trajectory[len(times), i]
    landing_speed = MIN_LANDING_SPEED
    for n in range(min(flight.contact_count, 2)):
        contact_features[n] = min(contacts[n]["time"], LANDING_HORIZON)
    if flight.contact_count:
        contact_features[2] = _margin(sport.surfaces[contacts[0]["surface"]], contacts[0], variances)
    for contact in contacts[: flight.contact_count]:
        if contact["time"] < nominal_landing[0] and sport.is_landing[contact["surface"]]:
            nominal_landing[0] = contact["time"]
            for i in range(3):
                nominal_landing[1 + i] = contact["position"][i]
            landing_speed = max(MIN_LANDING_SPEED, abs(contact["velocity_before"][2]))
            break
    nominal_landing[3] += x[HEIGHT]
    free_flight_sd(variances, nominal_landing[0], landing_sd[1:])
    landing_sd[0] = landing_sd[3] / landing_speed


@kernel
def _margin(surface, contact, variances):
    """How far inside the edges of its surface a contact is: asinh of the smallest distance in standard deviations."""
    margin, sd, p = MAX_MARGIN, np.empty(3), contact["position"]
    free_flight_sd(variances, contact["time"], sd)
    for i in range(3):
        low, high = surface["low"][i], surface["high"][i]
        if low < high and high - low < np.inf:
            margin = min(margin, min(p[i] - low, high - p[i]) / sd[i])
    return math.asinh(margin)


@kernel
def fill_nominal_features(scales, sport, x, variances, positions, nominal_landing, contact_features, out):
    """Fill out (NOMINAL_FEATURES,), what a network reads: displacements from the start x to the horizons and to the
    landing over U t, the time of the landing, spreads over R, the contact features, and what the ball nearly hits."""
    sd, k = np.empty(3), 3 * HORIZONS + 4
    for n in range(HORIZONS):
        for i in range(3):
            out[3 * n + i] = (positions[n, i] - x[i]) / (scales.speed * HORIZON_STEP * (n + 1))
    out[3 * HORIZONS] = nominal_landing[0]
    for i in range(3):
        seconds = max(nominal_landing[0], HORIZON_STEP)
        out[3 * HORIZONS + 1 + i] = (nominal_landing[1 + i] - x[i]) / (scales.speed * seconds)
    for n in SD_HORIZONS:
        free_flight_sd(variances, HORIZON_STEP * (n + 1), sd)
        out[k] = math.log(math.sqrt(sd[0] * sd[0] + sd[1] * sd[1] + sd[2] * sd[2]) / scales.radius)
        k += 1
    for i in range(CONTACT_FEATURES):
        out[k + i] = contact_features[i]
    out[-2], out[-1] = nearest_miss(sport, x, variances, positions)


@kernel
def nearest_miss(sport, x, variances, positions):
    """(asinh of the clearance in standard deviations, time in s) where a path (20, 3) m crosses the plane of a surface
    with an edge, such as a net or a table, nearest outside that edge."""
    nearest, signed, time, sd = MAX_MARGIN, MAX_MARGIN, LANDING_HORIZON, np.empty(3)
    for surface in sport.surfaces:
        axis = crossing_axis(surface)
        if axis < 0:
            continue
        for n in range(HORIZONS):
            before = x[axis] if n == 0 else positions[n - 1, axis]
            after, plane = positions[n, axis], surface["low"][axis]
            if (before < plane) == (after < plane):
                continue
            fraction = (plane - before) / (after - before)
            seconds = HORIZON_STEP * (n + fraction)
            free_flight_sd(variances, seconds, sd)
            clearance = -MAX_MARGIN
            for i in range(3):
                if i != axis:
                    start = x[i] if n == 0 else positions[n - 1, i]
                    p = start + fraction * (positions[n, i] - start)
                    off = max(surface["low"][i] - p, p - surface["high"][i]) - surface["contact_distance"]
                    clearance = max(clearance, off / sd[i])
            if abs(clearance) < nearest:
                nearest, signed, time = abs(clearance), clearance, seconds
    return math.asinh(signed), time


@inlined
def crossing_axis(surface):
    """The axis across a flat surface or a bar that has an edge, that along the court before others; -1 without one."""
    for axis in (1, 0, 2):
        if surface["low"][axis] == surface["high"][axis] and surface["ring_radius"] == 0.0:
            for i in range(3):
                if i != axis and surface["high"][i] - surface["low"][i] < np.inf:
                    return axis
    return -1


@kernel
def nominal_trajectories(
    feature_set, sport, x, variances, times, positions, horizon_positions, nominal_landing, landing_sd, contact_features
):
    """As nominal_trajectory, at times (H,) s, positions and velocities (H, 6), and at the horizons (20, 3), in one
    flight."""
    all_times, order = np.empty(len(times) + HORIZONS), np.empty(len(times) + HORIZONS, np.int64)
    n, k = 0, 0
    for i in range(len(all_times)):
        horizon = HORIZON_STEP * (k + 1)
        if n < len(times) and (k == HORIZONS or times[n] <= horizon):
            all_times[i], order[i], n = times[n], HORIZONS + n, n + 1
        else:
            all_times[i], order[i], k = horizon, k, k + 1
    out = np.empty((len(all_times), 6))
    nominal_trajectory(feature_set, sport, x, variances, all_times, out, nominal_landing, landing_sd, contact_features)
    for i in range(len(all_times)):
        k = order[i]
        if k < HORIZONS:
            for j in range(3):
                horizon_positions[k, j] = out[i, j]
        else:
            for j in range(6):
                positions[k - HORIZONS, j] = out[i, j]
