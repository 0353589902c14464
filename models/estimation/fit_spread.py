"""By how much the covariance of a fit is too small: factors measured on simulated balls, fit_spread.toml.

A fit's covariance is that of the parabola at its best cost. The true one is wider the more frames there are: two spins
give the same lift of a fast ball, a ball may have slipped or gripped, and errors that last for longer than the frames
cannot be seen in them. python -m ballcast.models.training.calibrate physics measures the factors anew.
"""

import tomllib
from pathlib import Path
from typing import NamedTuple

import numpy as np

FILE = Path(__file__).with_name("fit_spread.toml")
FIRST_FRAME, FULL_FRAMES = 20, 55  # between these the factor rises from 1
SPEEDS = 4  # groups of balls by their speed


class FitSpread(NamedTuple):
    """Factors on a fit's covariance from FULL_FRAMES frames on, by the speed at the last frame."""

    speed: tuple[float, ...] = (0.0,)  # m/s, rising
    flight: tuple[float, ...] = (1.0,)  # at these speeds, with no contact among the frames
    contact: tuple[float, ...] = (1.0,)  # with one or more

    def factor(self, frames: int, has_contact: bool, speed: float) -> float:
        """The factor after so many frames of a ball whose speed is now `speed` m/s."""
        share = min(max((frames - FIRST_FRAME) / (FULL_FRAMES - FIRST_FRAME), 0.0), 1.0)
        return float(1.0 + share * (np.interp(speed, self.speed, self.contact if has_contact else self.flight) - 1.0))


def read_fit_spread(sport: str) -> FitSpread:
    """The factors of a sport by its name; of a sport that is not in the file, the usual ones of those that are."""
    table = tomllib.loads(FILE.read_text(encoding="utf-8"))
    row = table.get(sport, table["other"])
    return FitSpread(*(tuple(row[name]) for name in FitSpread._fields))
