"""Physics: how a ball flies, and what a tracker measures of it. Imports none of the other packages."""

if __name__ != "ballcast.sim":
    raise ImportError("this package is ballcast.sim: write `from ballcast import sim`")

from ballcast.sim.dataset import Balls, draw, in_tracker_frames
from ballcast.sim.engine import PARAMETERS, Flight, Impacts, simulate, simulate_with_jacobian
from ballcast.sim.random_sports import random_sport
from ballcast.sim.sets import BallSet, open_set
from ballcast.sim.sport import Sport, load, names
from ballcast.sim.toml_fields import SportError

__all__ = ["PARAMETERS", "BallSet", "Balls", "Flight", "Impacts", "Sport", "SportError", "draw", "load",
           "in_tracker_frames", "names", "open_set", "random_sport", "simulate", "simulate_with_jacobian"]  # fmt: skip
