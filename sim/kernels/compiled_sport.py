"""A sport's constants for compiled code, built once a sport.

    sport = compile_sport(sim.load("tennis"))             # float64: for one ball at a time
    lanes = compile_lanes(sim.load("tennis"), np.float32) # beside it, what the lanes need in their own precision

The arrays inside are shared by all callers: leave them as they are (read-only arrays would be another type to numba).
"""

import functools
from dataclasses import astuple
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ballcast.sim.kernels.aerodynamics import Aero, aero_coefficients

if TYPE_CHECKING:  # an import would make every edit of sport.py compile this module anew
    from ballcast.sim.sport import Sport

SURFACE_DTYPE = np.dtype(
    [("low", "f8", 3), ("high", "f8", 3)]  # m
    + [(name, "f8") for name in ("contact_distance", "ring_radius")]  # m
    + [(name, "f8") for name in ("e", "reference_speed", "slope", "curvature", "min", "max")]  # of the restitution
    + [(name, "f8") for name in ("friction", "tangential_restitution", "rolling_resistance", "give", "supports")]
)
CACHE_SIZE = 512  # sports: training mixes a hundred and more, the viewer's sliders make a new one at every move


class CompiledSport(NamedTuple):
    """What every kernel of one ball takes as its first argument, `sport`."""

    drag_model: int  # CONSTANT_DRAG, POLYNOMIAL_DRAG, DRAG_CRISIS, SPIN_DRAG or LIFT_CRISIS
    aero: Aero
    radius: float  # m, of the ball
    inertia: float  # moment of inertia over m R^2
    surfaces: np.ndarray  # (S,) SURFACE_DTYPE
    boxes: np.ndarray  # (S, 6) m: low and high corners that the ball's centre must enter to touch
    is_landing: np.ndarray  # (S,) bool


class LaneSport(NamedTuple):
    """What the lanes take, `lane_sport`: the sport, and what they need of it in their precision."""

    sport: CompiledSport
    aero: Aero
    boxes: np.ndarray


@functools.lru_cache(CACHE_SIZE)
def compile_sport(sport: "Sport") -> CompiledSport:
    """The constants of a Sport, float64. Of an equal Sport the same record is returned."""
    surfaces = surface_records(sport)
    ball = float(sport.ball.radius), float(sport.ball.inertia)
    is_landing = np.array([s.landing for s in sport.surfaces], bool)
    return CompiledSport(*aero_coefficients(sport, np.float64), *ball, surfaces, contact_boxes(surfaces), is_landing)


@functools.lru_cache(CACHE_SIZE)
def compile_lanes(sport: "Sport", dtype: type = np.float32) -> LaneSport:
    """The constants of a Sport for lanes of float32 or float64 (a numpy scalar type)."""
    compiled = compile_sport(sport)
    return LaneSport(compiled, aero_coefficients(sport, dtype)[1], compiled.boxes.astype(dtype))


def surface_records(sport: "Sport") -> np.ndarray:
    """The sport's surfaces, (S,) SURFACE_DTYPE. contact_distance: how near a ball's centre can come."""
    rows = []
    for s in sport.surfaces:
        face = s.friction, s.tangential_restitution, s.rolling_resistance, s.give, s.supports
        rows.append((s.low, s.high, sport.ball.radius + s.rod, s.radius, *astuple(s.restitution), *face))
    return np.array(rows, SURFACE_DTYPE)


def contact_boxes(surfaces: np.ndarray) -> np.ndarray:
    """The box of each surface that a ball's centre must enter to touch it, (S, 6) m: grown a little for rounding."""
    margin = surfaces["ring_radius"][:, None] * [1.0, 1.0, 0.0]
    margin += surfaces["contact_distance"][:, None] * (1 + 1e-6) + 1e-6
    return np.hstack([surfaces["low"] - margin, surfaces["high"] + margin])
