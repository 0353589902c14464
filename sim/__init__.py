"""Physics: how a ball flies, and what a tracker measures of it. Imports none of the other packages."""

if __name__ != "ballcast.sim":
    raise ImportError("this package is ballcast.sim: write `from ballcast import sim`")

from ballcast.sim.dataset import Balls, draw, in_tracker_frames, measure_path
from ballcast.sim.engine import PARAMETERS, Flight, Impacts, simulate, simulate_with_jacobian
from ballcast.sim.rallies import PlayedStroke, Rally, rally
from ballcast.sim.random_sports import random_sport
from ballcast.sim.sets import BallSet, open_set
from ballcast.sim.sport import Sport, load, names
from ballcast.sim.toml_fields import SportError

__all__ = ["PARAMETERS", "BallSet", "Balls", "Flight", "Impacts", "PlayedStroke", "Rally", "Sport", "SportError",
           "draw", "in_tracker_frames", "load", "measure_path", "names", "open_set", "rally", "random_sport",
           "simulate", "simulate_with_jacobian"]  # fmt: skip
