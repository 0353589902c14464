"""The scales of a sport: what makes the features of its frames dimensionless, and what describes it to a network.

A network that reads lengths in ball radii or in U^2 / g, speeds in U, the usual launch speed, and everything else in
standard deviations of the prior serves every sport. Only horizons are fixed in seconds. A change of the units of length
and time changes no feature, except those that are marked (s).
"""

import math
from typing import NamedTuple

import numpy as np

from ballcast.models.estimation.prior import FilterPrior, launch_prior
from ballcast.models.estimation.unknowns import MIN_SD, UNKNOWNS, to_launch
from ballcast.sim.jit import kernel
from ballcast.sim.kernels.aerodynamics import acceleration
from ballcast.sim.kernels.compiled_sport import CompiledSport, compile_sport
from ballcast.sim.kernels.layout import DRAG, FRICTION, LIFT, RESTITUTION, SPIN, VELOCITY, WIND_X, WIND_Y, parameters_of
from ballcast.sim.sport import Sport, Surface
from ballcast.sim.toml_fields import SportError

MIN_GRAVITY = 0.1  # m/s2: below, lengths are compared with this
MIN_RATIO = 1e-3  # of an acceleration to gravity, where its logarithm is taken
IMPACT_SPEED = 0.3  # of U: a usual speed across a surface at impact, where restitution is described
DESCRIPTORS = (
    "log drag / g", "log lift / g", "log U^2 / g R", "log R w / U", "restitution", "log friction", "tangential",
    "log rolling", "inertia", "log noise / R", "log jitter U / R", "drag spread", "lift spread", "restitution spread",
    "friction spread", "wind / U", "log 0.05 U / R (s)", "obstacles",
)  # fmt: skip


class FeatureScales(NamedTuple):
    """The scales of one sport."""

    speed: float  # U, m/s: rms of the launch speeds
    radius: float  # R, m
    gravity: float  # m/s2
    prior_mean: np.ndarray  # (16,) of the unknowns
    inverse_sd: np.ndarray  # (16,) 1 / sd of the prior; 0 for an unknown that does not vary in this sport
    log_unit: np.ndarray  # (16,) logarithm of what standard deviations are compared with: R, U, the prior's
    active: np.ndarray  # (D,) indices of the unknowns that vary in this sport
    descriptors: np.ndarray  # (18,) constants that describe the sport, by DESCRIPTORS


def make_scales(sport: Sport, prior: FilterPrior) -> FeatureScales:
    """The FeatureScales of a Sport and the FilterPrior that its filter has."""
    mean, sd = launch_prior(sport)
    radius, gravity = sport.ball.radius, max(sport.world.gravity, MIN_GRAVITY)
    speed, spin = (math.sqrt(float((mean[k] ** 2 + sd[k] ** 2).sum())) for k in (VELOCITY, SPIN))
    speed = max(speed, math.sqrt(gravity * radius))  # balls that are dropped have a scale too
    prior_sd = np.sqrt(np.diag(prior.covariance))
    active = prior_sd > MIN_SD
    log_unit = np.log(np.maximum(prior_sd, MIN_SD))
    log_unit[:3], log_unit[VELOCITY] = math.log(radius), math.log(speed)
    inverse_sd = np.where(active, 1.0 / np.maximum(prior_sd, MIN_SD), 0.0)
    descriptors = _descriptors(sport, prior, speed, spin)
    return FeatureScales(
        speed, radius, gravity, prior.mean.copy(), inverse_sd, log_unit, np.flatnonzero(active), descriptors
    )


def _descriptors(sport, prior, speed, spin):
    """The numbers of DESCRIPTORS; speed m/s and spin rad/s: usual ones at launch."""
    compiled, radius, gravity = compile_sport(sport), sport.ball.radius, max(sport.world.gravity, MIN_GRAVITY)
    drag, lift = usual_air_acceleration(compiled, speed, spin)
    surface = main_surface(sport)
    law, excess = surface.restitution, IMPACT_SPEED * speed - surface.restitution.at
    restitution = min(max(law.e + law.slope * excess + law.curve * excess**2, law.min), law.max)
    noise, jitter = math.sqrt(prior.noise[:3].mean()), math.sqrt(prior.noise[3])
    sd = np.sqrt(np.diag(prior.covariance))
    spreads = (sd[k] if sd[k] > MIN_SD else 0.0 for k in (DRAG, LIFT, RESTITUTION, FRICTION))
    ratios = drag / gravity, lift / gravity
    return np.array([
        *(math.log(ratio + MIN_RATIO) for ratio in ratios), math.log(speed**2 / (gravity * radius)),
        math.log(radius * spin / speed + MIN_RATIO), restitution, math.log(surface.friction + 0.01),
        surface.tangential_restitution, math.log(surface.rolling_resistance), sport.ball.inertia,
        math.log(noise / radius + 1e-4), math.log(jitter * speed / radius + 1e-4), *spreads,
        math.hypot(sd[WIND_X], sd[WIND_Y]) / speed, math.log(0.05 * speed / radius), has_obstacles(sport),
    ])  # fmt: skip


def main_surface(sport: Sport) -> Surface:
    """The surface that play lands on: the first that supports a ball and counts as a landing, else the first.

    SportError for a sport without surfaces: its features would describe nothing.
    """
    if not sport.surfaces:
        raise SportError(f"{sport.name} has no surfaces, and networks need one; add a [[surface]], or use physics")
    support = [s for s in sport.surfaces if s.supports] or list(sport.surfaces)
    return ([s for s in support if s.landing] or support)[0]


def has_obstacles(sport: Sport) -> float:
    """1 if the sport has a surface that a ball may hit or pass, such as a net, else 0."""
    return float(any(s.kind != "plane" and not s.supports for s in sport.surfaces))


def usual_air_acceleration(sport: CompiledSport, speed: float, spin: float) -> tuple[float, float]:
    """Drag and lift, m/s2, of a ball at `speed` m/s with `spin` rad/s across its motion, without wind."""
    x = np.zeros(UNKNOWNS)
    x[3], x[8] = speed, spin
    out = np.empty(4)
    air_acceleration(sport, x, out)
    return float(out[0]), float(np.linalg.norm(out[1:]))


@kernel
def air_acceleration(sport, x, out):
    """Fill out (4,) with the drag along the motion through the air, and the lift (3,), m/s2, of unknowns x (16,)."""
    ax, ay, az = acceleration(sport, parameters_of(to_launch(x)), (x[3], x[4], x[5]), (x[6], x[7], x[8]))
    az += sport.aero.gravity
    ux, uy, uz = x[3] - x[WIND_X], x[4] - x[WIND_Y], x[5]
    square = ux * ux + uy * uy + uz * uz + 1e-12
    along = (ax * ux + ay * uy + az * uz) / square
    out[0] = -along * math.sqrt(square)
    out[1], out[2], out[3] = ax - along * ux, ay - along * uy, az - along * uz
