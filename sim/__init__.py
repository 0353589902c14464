"""PHYSICS: how a ball truly flies, and what a tracker would see. Knows nothing of the rest of the house."""

from sim.checked import SportError
from sim.dataset import Balls, draw
from sim.engine import PARAMETERS, Flight, Impacts, compiled, simulate
from sim.sensitivity import simulate_with_jacobian
from sim.sets import BallSet, open_set
from sim.sport import Sport, load, names

__all__ = ["PARAMETERS", "BallSet", "Balls", "Flight", "Impacts", "Sport", "SportError", "compiled", "draw", "load",
           "names", "open_set", "simulate", "simulate_with_jacobian"]  # fmt: skip
