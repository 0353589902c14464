"""A throw by hand: the ball is dragged in the direction in which it is to fly, further for faster.

Sideways in the picture is sideways in the scene; up in the picture is partly up and partly away. Only the launch is
shown, because forecasting the flight is the predictor's task.
"""

import numpy as np

DRAG_FRACTION = 0.35  # of the picture's height, dragged for the sport's usual speed
ELEVATION = 35.0  # degrees above the ground that straight up in the picture means
SPIN_PER_NOTCH = 0.08  # of the usual speed that a notch of the wheel adds at the ball's equator
UP = np.array([0.0, 0.0, 1.0])


class Throw:
    """A throw that is being made; `top` and `side` spin in rad/s."""

    def __init__(self, position, speed, radius):
        self.position, self.speed, self.radius = np.asarray(position, float), speed, radius
        self.velocity, self.top, self.side = np.zeros(3), 0.0, 0.0

    def drag(self, camera, pixels):
        right, _, forward = camera.basis
        away = np.array([*forward[:2], 0.0]) if np.hypot(*forward[:2]) > 0.1 else np.array([*-camera.basis[1][:2], 0.0])
        away /= np.linalg.norm(away)
        elevation = np.radians(ELEVATION)
        up = np.cos(elevation) * away + np.sin(elevation) * UP
        self.velocity = self.speed * (pixels[0] * right - pixels[1] * up) / (DRAG_FRACTION * camera.size[1])

    def add_spin(self, top=0, side=0):
        """Add notches of topspin (negative: backspin), and of sidespin to the left."""
        step = SPIN_PER_NOTCH * self.speed / self.radius
        self.top, self.side = self.top + step * top, self.side + step * side

    @property
    def spin(self):
        """The spin (3,) rad/s: topspin turns the top of the ball forward."""
        along = self.velocity * [1, 1, 0]
        norm = np.linalg.norm(along)
        return self.side * UP + (self.top * np.cross(UP, along / norm) if norm > 1e-9 else 0.0)
