"""Where state, parameters and contacts stand in arrays, and the records of one ball that compiled code passes round."""

from typing import NamedTuple

import numpy as np

from ballcast.sim.jit import inlined

POSITION, VELOCITY, SPIN = slice(0, 3), slice(3, 6), slice(6, 9)
DRAG, LIFT, RESTITUTION, FRICTION, WIND_X, WIND_Y = PARAMETER_ROWS = range(9, 15)  # sim.PARAMETERS, in its order
LAUNCH_SIZE = 15  # state and parameters
CONTACT_DTYPE = np.dtype(
    [("ball", "i8"), ("surface", "i8"), ("time", "f8"), ("position", "f8", 3)]  # index into sport.surfaces; s; m
    + [(name, "f8", 3) for name in ("velocity_before", "velocity_after", "spin_before", "spin_after")]  # m/s, rad/s
)
IN_FLIGHT = -1  # in place of the index of the surface that supports a ball, or that it meets
# status of a flight; laid to rest: after too many contacts, where it was; at an edge: to be flown anew in float64
FINE, LAID_TO_REST, AT_EDGE = range(3)


class Parameters(NamedTuple):
    """How one ball differs from the sport's preset: four factors, and the wind (m/s)."""

    drag: float
    lift: float
    restitution: float
    friction: float
    wind_x: float
    wind_y: float


@inlined
def parameters_of(launch):
    """The Parameters of a launch (LAUNCH_SIZE,)."""
    wind_x, wind_y = launch[WIND_X], launch[WIND_Y]
    return Parameters(launch[DRAG], launch[LIFT], launch[RESTITUTION], launch[FRICTION], wind_x, wind_y)


class Motion(NamedTuple):
    """One ball at one moment."""

    position: tuple  # m
    velocity: tuple  # m/s
    spin: tuple  # rad/s
    acceleration: tuple  # m/s2


class FlightEnd(NamedTuple):
    """One ball at the last time asked for, and what happened until then."""

    position: tuple  # m
    velocity: tuple  # m/s
    spin: tuple  # rad/s
    contact_count: int
    first_contact_time: float  # s; inf without a contact
    last_contact_time: float  # s; -inf without a contact
    status: int  # FINE or LAID_TO_REST
