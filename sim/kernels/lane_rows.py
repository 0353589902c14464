"""The state of the lanes: rows of LANES numbers in one flat array, so that the compiler sees that no rows overlap."""

import numpy as np

from ballcast.sim.jit import by_precision, inlined
from ballcast.sim.kernels.layout import PARAMETER_ROWS, Motion, Parameters

LANES = 64
LAST_LANE = LANES - 1  # as a mask, it tells the compiler that the number of a lane is not negative
# rows of lanes: a launch (layout.py), acceleration; the end of the step
POSITION, VELOCITY, SPIN, ACCELERATION = 0, 3, 6, 15
DRAG, LIFT, RESTITUTION, FRICTION, WIND_X, WIND_Y = PARAMETER_ROWS
END_POSITION, END_VELOCITY, END_SPIN, END_ACCELERATION = 18, 21, 24, 27
# the step's length, its error, the scale of the next step, the length up to a contact that was found (or TOO_LONG)
STEP, STEP_ERROR, STEP_SCALE, CONTACT_STEP = 30, 31, 32, 33
# what the lane does; truth values: the step counts, the acceleration is to be computed, the path is near a surface
MODE, IS_TAKEN, IS_NEW, NEAR = 34, 35, 36, 37
BOX_LOW, BOX_HIGH = 38, 41  # the box around the path
CHANGE, SPIN_FACTOR = 44, 50  # of position and velocity, and of the spin, in the step
CURVE, CURVE_SIZE = 51, 5  # the path over the unit interval: coefficients 1 to 5 of x, then of y, then of z
BUFFER_SIZE = (CURVE + 3 * CURVE_SIZE) * LANES
# beside float32 rows, in float64: position, velocity and spin at the start of the step, and where its end was set
EXACT_END, EXACT_SIZE = 9, 18 * LANES
IDLE, FLYING, MEETING, SUPPORTED = range(4)  # modes; MEETING: this step ends at a contact
TOO_LONG = 1e9  # s, of a step
# rows of whole numbers: of each lane; the last four, of the run, in lane 0
BALL, TIME_ROW, FRAME, SUPPORT, PHASE, CONTACT_COUNT, MET = range(7)
NEXT_BALL, BALLS_PER_ROW, BUSY_LANES, CONTACTS_FOUND = range(7, 11)
INT_ROWS = CONTACTS_FOUND + 1


@inlined
def lane_vector(s, row, i):
    """A vector in the lanes' precision."""
    return s[row * LANES + i], s[(row + 1) * LANES + i], s[(row + 2) * LANES + i]


@inlined
def set_vector(s, row, i, a):
    """Write a vector of lane i."""
    s[row * LANES + i], s[(row + 1) * LANES + i], s[(row + 2) * LANES + i] = a


@inlined
def read_vector(s, row, i):
    """A vector of a lane, in float64: so that the kernels of one ball have one type."""
    return read_number(s, row, i), read_number(s, row + 1, i), read_number(s, row + 2, i)


@inlined
def read_number(s, row, i):
    """A number of a lane, in float64."""
    return np.float64(s[row * LANES + i])


is_exact = by_precision(lambda dtype: dtype is np.float64)  # whether rows of such numbers need no exact ones beside


@inlined
def read_exact(s, exact, row, i):
    """One of the nine numbers of a lane's motion at the start of its step, row 0 to 8, in float64."""
    return exact[row * LANES + i] if not is_exact(s[0]) else np.float64(s[(POSITION + row) * LANES + i])


@inlined
def _read_end(s, exact, row, i):
    """The same at its end, as it was integrated."""
    if is_exact(s[0]):
        return np.float64(s[(END_POSITION + row) * LANES + i])
    if row >= SPIN:
        return exact[row * LANES + i] * s[SPIN_FACTOR * LANES + i]
    return exact[row * LANES + i] + s[(CHANGE + row) * LANES + i]


@inlined
def step_start(s, exact, i):
    """The lane's Motion at the start of its step."""
    return _motion(read_exact, ACCELERATION, s, exact, i)


@inlined
def step_end(s, exact, i):
    """The lane's Motion at the end of its step, as it was integrated."""
    return _motion(_read_end, END_ACCELERATION, s, exact, i)


@inlined
def _motion(read, acceleration, s, exact, i):
    position = read(s, exact, 0, i), read(s, exact, 1, i), read(s, exact, 2, i)
    velocity = read(s, exact, 3, i), read(s, exact, 4, i), read(s, exact, 5, i)
    spin = read(s, exact, 6, i), read(s, exact, 7, i), read(s, exact, 8, i)
    return Motion(position, velocity, spin, read_vector(s, acceleration, i))


@inlined
def set_start(s, exact, row, i, a):
    """Write a vector of the motion at the start of the lane's step: row POSITION, VELOCITY or SPIN."""
    set_vector(s, row, i, a)
    set_vector(exact, row, i, a)


@inlined
def set_step_end(s, exact, i, end, h):
    """Have the lane's step of length h end in that Motion."""
    s[STEP * LANES + i] = h
    set_vector(s, END_POSITION, i, end.position)
    set_vector(s, END_VELOCITY, i, end.velocity)
    set_vector(s, END_SPIN, i, end.spin)
    set_vector(s, END_ACCELERATION, i, end.acceleration)
    set_vector(exact, EXACT_END + POSITION, i, end.position)
    set_vector(exact, EXACT_END + VELOCITY, i, end.velocity)
    set_vector(exact, EXACT_END + SPIN, i, end.spin)


@inlined
def start_at_set_end(s, exact, i):
    """Begin the lane's next step where set_step_end had the last one end."""
    if not is_exact(s[0]):
        for row in (POSITION, VELOCITY, SPIN):
            set_start(s, exact, row, i, lane_vector(exact, EXACT_END + row, i))


@inlined
def lane_parameters(launches, b, s, i):
    """The ball's Parameters; those of the air as the lanes have them."""
    drag, lift = read_number(s, DRAG, i), read_number(s, LIFT, i)
    wind = read_number(s, WIND_X, i), read_number(s, WIND_Y, i)
    return Parameters(drag, lift, launches[b, RESTITUTION], launches[b, FRICTION], *wind)
