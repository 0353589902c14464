"""Where state, parameters and contacts stand in arrays: one layout for launches, Jacobians, unknowns and logs."""

import numpy as np

POSITION, VELOCITY, SPIN = slice(0, 3), slice(3, 6), slice(6, 9)
DRAG, LIFT, RESTITUTION, FRICTION, WIND_X, WIND_Y = range(9, 15)  # sim.PARAMETERS, in its order
LAUNCH_SIZE = 15  # state and parameters
CONTACT_DTYPE = np.dtype(
    [
        ("ball", "i8"),
        ("surface", "i8"),  # index into sport.surfaces
        ("time", "f8"),  # s
        ("position", "f8", 3),  # m, the ball's centre
        ("velocity_before", "f8", 3),  # m/s
        ("velocity_after", "f8", 3),
        ("spin_before", "f8", 3),  # rad/s
        ("spin_after", "f8", 3),
    ]
)
