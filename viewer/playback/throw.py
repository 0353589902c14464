"""A throw by hand: the ball is pulled in the direction it is to fly, further for faster; the wheel turns it.

    throw = Throw(place, speed)          # where the ball is (3,) m; the sport's usual speed, m/s
    throw.pull(camera, (120, -80))       # px from where it was taken
    throw.turn(top=1, side=0)            # notches
    throw.velocity, throw.spin           # (3,) m/s, (3,) rad/s

Along the picture is along the picture; up in it is half up and half away. Only the launch is shown: the future is the
predictor's to tell.
"""

import numpy as np

REACH = 0.35  # of the picture's height that one pulls for the sport's usual speed
RISE = 35.0  # degrees above the ground that straight up in the picture means
NOTCH = 0.08  # of the usual speed that a notch of the wheel adds at the ball's equator
UP = np.array([0.0, 0.0, 1.0])


class Throw:
    """A throw that is being made; `top` and `side` spin in rad/s."""

    def __init__(self, place, speed, radius):
        self.place, self.speed, self.radius = np.asarray(place, float), speed, radius
        self.velocity, self.top, self.side = np.zeros(3), 0.0, 0.0

    def pull(self, camera, pixels):
        """The ball was pulled so many pixels (right, down)."""
        right, _, forward = camera.axes
        away = np.array([*forward[:2], 0.0]) if np.hypot(*forward[:2]) > 0.1 else np.array([*-camera.axes[1][:2], 0.0])
        away /= np.linalg.norm(away)
        rise = np.radians(RISE)
        up = np.cos(rise) * away + np.sin(rise) * UP
        self.velocity = self.speed * (pixels[0] * right - pixels[1] * up) / (REACH * camera.size[1])

    def turn(self, top=0, side=0):
        """So many notches more topspin (fewer: backspin), and sidespin to the left."""
        step = NOTCH * self.speed / self.radius
        self.top, self.side = self.top + step * top, self.side + step * side

    @property
    def spin(self):
        """The spin (3,) rad/s: topspin turns the top of the ball forward."""
        along = self.velocity * [1, 1, 0]
        size = np.linalg.norm(along)
        return self.side * UP + (self.top * np.cross(UP, along / size) if size > 1e-9 else 0.0)
