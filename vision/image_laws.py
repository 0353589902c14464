"""What the flights of a clip teach about its image: how large gravity and drag are in it, and where the ball bounces.

The unit is the height of the picture. At the beginning little is known: a picture shows one metre or fifty. Every
flight that ends, as the tracker saw it, measures the acceleration in it; a Kalman filter for gravity and drag takes
that. Bounces tell the row of the ground in the image: seen from the side it is about one, from behind a court it is
not, and its spread stays wide.
"""

import numpy as np

from ballcast.vision.image_motion import DRAG, GRAVITY, LEARNED, SPREAD_U, SPREAD_V

START = 2.0, 0.1  # gravity in heights/s^2 and drag in 1/height before the first flight
UNKNOWN = 3.0, 0.4  # their standard deviations then
DRIFT = 0.3, 0.05  # standard deviations of their changes from flight to flight
SPREAD = 0.7, 1.0  # heights/s^2, standard deviation of a flight's acceleration about theirs, at first; counts as:
COUNT = 3.0  # flights
MIN_KNOWN = 0.5  # share of the variance of the deviation that a flight must have removed to count
GROUND = 0.8, 0.3, 0.1  # heights below the upper edge, its standard deviation, before the first bounce; for how many
BOUNCES = 0.5, 1.5  # chance that a falling ball bounces where others did: (n + the one) / (n + the other) after n
REMEMBERED = 12  # bounces
QUANTILES = np.array([-1.69, -1.1, -0.75, -0.47, -0.23, 0.0, 0.23, 0.47, 0.75, 1.1, 1.69])  # of a Gaussian


class Laws:
    """Gravity and drag in the image. values (5,): what fly() wants."""

    def __init__(self) -> None:
        self.mean = np.array(START)
        self.covariance = np.diag(np.square(UNKNOWN))
        self._squares, self._count = COUNT * np.square(SPREAD), COUNT
        self.values = np.zeros(5)
        self._fill(1.0)

    def learn(self, mean: np.ndarray, covariance: np.ndarray) -> None:
        """Take the state (6,), (6, 6) at the end of a flight."""
        spread2 = self.values[[SPREAD_U, SPREAD_V]] ** 2
        left = np.diag(covariance)[4:] / spread2
        if left[1] > MIN_KNOWN:
            return
        left = np.minimum(left, 0.95)
        speed = float(np.hypot(mean[2], mean[3]))
        H = np.array([[0.0, -speed * mean[2]], [1.0, -speed * mean[3]]])
        innovation, own = mean[4:] / (1.0 - left), np.diag(covariance)[4:] / (1.0 - left)
        self.covariance += np.diag(np.square(DRIFT))
        S = H @ self.covariance @ H.T + np.diag(own + self._squares / self._count)
        gain = self.covariance @ H.T @ np.linalg.inv(S)
        self.mean = self.mean + gain @ innovation
        self.covariance = self.covariance - gain @ H @ self.covariance
        self.mean = np.maximum(self.mean, 0.0)
        rest = innovation - H @ gain @ innovation
        self.values[LEARNED] += 1.0
        self._squares, self._count = 0.9 * self._squares + np.minimum(rest**2, 9.0 * spread2), 0.9 * self._count + 1.0
        self._fill(speed)

    def _fill(self, speed):
        self.values[GRAVITY], self.values[DRAG] = self.mean
        spread2 = self._squares / self._count
        self.values[SPREAD_U] = np.sqrt(spread2[0] + speed**4 * self.covariance[1, 1])
        self.values[SPREAD_V] = np.sqrt(spread2[1] + self.covariance[0, 0])


class Ground:
    """The rows at which the ball may bounce."""

    def __init__(self) -> None:
        self._seen: list[float] = []
        self._fill()

    def shift(self, down: float) -> None:
        """The picture has moved."""
        if self._seen and down:
            self._seen = [row + down for row in self._seen]
            self._fill()

    def learn(self, row: float) -> None:
        """Take a bounce."""
        self._seen = [*self._seen, row][-REMEMBERED:]
        self._fill()

    def _fill(self):
        """rows: quantiles of Student's distribution; chance: that the ball bounces there."""
        seen, (middle, spread, k) = np.array(self._seen), GROUND
        n = len(seen)
        mean = (k * middle + seen.sum()) / (k + n)
        squares = k * spread**2 + k * (middle - mean) ** 2 + ((seen - mean) ** 2).sum()
        scale = float(np.sqrt(squares / (k + n) * (1.0 + 1.0 / (k + n)))) if n else spread
        heavy = 1.0 + (QUANTILES**2 + 1.0) / (4.0 * max(n, 1))
        self.rows, self.chance = mean + scale * QUANTILES * heavy, (n + BOUNCES[0]) / (n + BOUNCES[1])
