"""Physics: how a ball flies, and what trackers and cameras measure of it. Imports none of the other packages."""

if __name__ != "ballcast.sim":
    raise ImportError("this package is ballcast.sim: write `from ballcast import sim`")

from ballcast.sim.dataset import Balls, in_tracker_frames, measure_path
from ballcast.sim.drawing import SeenBalls, draw
from ballcast.sim.engine import PARAMETERS, Flight, Impacts, simulate, simulate_with_jacobian
from ballcast.sim.pixel_sensor import PixelSensor
from ballcast.sim.pixels import Pixels, see_path
from ballcast.sim.rallies import PlayedStroke, Rally, rally
from ballcast.sim.random_cameras import camera_kinds, random_cameras
from ballcast.sim.random_sports import random_sport
from ballcast.sim.sets import BallSet, open_set
from ballcast.sim.sport import Sport, load, names
from ballcast.sim.toml_fields import SportError

__all__ = ["PARAMETERS", "BallSet", "Balls", "Flight", "Impacts", "PixelSensor", "Pixels", "PlayedStroke", "Rally",
           "SeenBalls", "Sport", "SportError", "camera_kinds", "draw", "in_tracker_frames", "load", "measure_path",
           "names", "open_set", "rally", "random_cameras", "random_sport", "see_path", "simulate",
           "simulate_with_jacobian"]  # fmt: skip
