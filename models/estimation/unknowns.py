"""The 16 unknowns that filters and fits estimate: their layout, their bounds, and what they mean. Compiled.

Position (m), velocity (m/s), spin (rad/s), drag, lift, restitution, friction (logarithms of factors), wind (m/s), and
the height (m) by which the tracker's positions are too high. The first 15 are a launch, with four exponentials.
"""

import math

import numpy as np

from ballcast.models.contract import Belief
from ballcast.sim.jit import inlined, kernel
from ballcast.sim.kernels.layout import DRAG, FRICTION, LAUNCH_SIZE, LIFT, RESTITUTION
from ballcast.sim.kernels.tangent import COLUMNS, seed_launch
from ballcast.sim.kernels.tangent import PARAMETERS as PARAMETER_ROWS

HEIGHT, UNKNOWNS = LAUNCH_SIZE, LAUNCH_SIZE + 1
PARAMETERS = slice(DRAG, HEIGHT)  # in the order of sim.PARAMETERS
LOG_PARAMETERS = (DRAG, LIFT, RESTITUTION, FRICTION)  # positive factors, estimated as logarithms
# bounds: what the simulator can fly; a log-parameter of 2.5 is a factor of 12
MAX_SPEED, MAX_SPIN, MAX_LOG, MAX_HEIGHT = 120.0, 2000.0, 2.5, 2.0  # m/s, rad/s, -, m
MIN_SD = 1e-5  # standard deviation of an unknown that does not differ from ball to ball, at most


@inlined
def to_launch(x):
    """The launch (15,) of unknowns (16,); see sim/kernels/layout.py."""
    launch = np.empty(LAUNCH_SIZE)
    fill_launch(x, launch)
    return launch


@inlined
def fill_launch(x, launch):
    """Fill the launch (15,) of unknowns (16,)."""
    for k in range(LAUNCH_SIZE):
        launch[k] = x[k]
    for k in LOG_PARAMETERS:
        launch[k] = math.exp(x[k])


@inlined
def seed_unknowns(tangent, launch):
    """Start the tangent of a launch with derivatives by the unknowns: for its factors, by their logarithms."""
    seed_launch(tangent)
    for k in LOG_PARAMETERS:
        tangent[(PARAMETER_ROWS + k - DRAG) * COLUMNS + k] = launch[k]


@kernel
def clamp(x):
    """Keep unknowns (16,) within their bounds, in place."""
    for i in range(3):
        x[3 + i] = min(max(x[3 + i], -MAX_SPEED), MAX_SPEED)
        x[6 + i] = min(max(x[6 + i], -MAX_SPIN), MAX_SPIN)
    for k in LOG_PARAMETERS:
        x[k] = min(max(x[k], -MAX_LOG), MAX_LOG)
    x[HEIGHT] = min(max(x[HEIGHT], -MAX_HEIGHT), MAX_HEIGHT)


def active_unknowns(covariance: np.ndarray) -> np.ndarray:
    """The indices (D,) of the unknowns that differ from ball to ball, by a prior's covariance (16, 16)."""
    return np.flatnonzero(np.sqrt(np.diag(covariance)) > MIN_SD)


def to_belief(x: np.ndarray, covariance: np.ndarray) -> Belief:
    """The Belief of unknowns x (16,) and their covariance (16, 16); its position is in the tracker's frame."""
    value, out = np.empty(UNKNOWNS), np.empty((HEIGHT, HEIGHT))
    _to_belief(np.ascontiguousarray(x), np.ascontiguousarray(covariance), value, out)
    return Belief(value[:3], value[3:6], value[6:9], value[PARAMETERS], out)


@kernel
def _to_belief(x, covariance, value, out):
    """Fill value (16,) and its covariance, out (15, 15): factors in place of logarithms, the measured height."""
    scale = np.ones(UNKNOWNS)
    value[:] = x
    for k in LOG_PARAMETERS:
        value[k] = scale[k] = math.exp(x[k])
    value[2] += x[HEIGHT]
    for i in range(HEIGHT):
        for j in range(HEIGHT):
            out[i, j] = scale[i] * scale[j] * covariance[i, j]
    for i in range(HEIGHT):
        out[2, i] += scale[i] * covariance[HEIGHT, i]
    for i in range(HEIGHT):
        out[i, 2] += scale[i] * covariance[i, HEIGHT]
    out[2, 2] += covariance[HEIGHT, HEIGHT]
