"""The rules by which live balls fly and are seen, to be changed while they fly; nobody tells the predictors.

world = {"gravity": 1.62, "along": -3.0}         # what is not named is as the sport has it
sport, drawn = applied(sport, world)             # sim.draw(sport, ..., **drawn)
"""

import dataclasses
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class WorldOverride:
    """One slider: from low to high in steps, shown as `unit`; `of(sport)` is where it stands where nobody moved it."""

    name: str
    label: str
    low: float
    high: float
    step: float
    unit: str
    default: object
    varies: bool = False  # from ball to ball, where nobody moved it

    def clipped(self, value):
        """A value on the slider's steps."""
        return float(np.clip(self.low + round((value - self.low) / self.step) * self.step, self.low, self.high))


OVERRIDES = (
    WorldOverride("gravity", "gravity", 0.0, 25.0, 0.1, "{:.1f} m/s²", lambda sport: sport.world.gravity),
    WorldOverride("density", "air density", 0.0, 5.0, 0.05, "{:.2f} kg/m³", lambda sport: sport.world.rho),
    WorldOverride("across", "wind across", -12.0, 12.0, 0.5, "{:+.1f} m/s", lambda sport: 0.0),
    WorldOverride("along", "wind along", -12.0, 12.0, 0.5, "{:+.1f} m/s", lambda sport: 0.0),
    WorldOverride("bounce", "restitution", 0.1, 1.5, 0.05, "x {:.2f}", lambda sport: 1.0),
    WorldOverride("friction", "friction", 0.0, 3.0, 0.1, "x {:.1f}", lambda sport: 1.0),
    WorldOverride(
        "noise", "sensor noise", 0.0, 50.0, 1.0, "{:.0f} mm", lambda sport: 1e3 * np.mean(sport.sensor.noise), True
    ),
    WorldOverride("rate", "frame rate", 10.0, 400.0, 10.0, "{:.0f} Hz", lambda sport: sport.sensor.rate),
    WorldOverride(
        "missed", "missed frames", 0.0, 90.0, 5.0, "{:.0f} %", lambda sport: 100 * np.mean(sport.sensor.miss), True
    ),
)


def apply(sport, world):
    """The sport by other rules, and what else sim.draw is to be told."""
    air = {key: world[key] for key in ("gravity", "density") if key in world}
    surfaces = tuple(_scale_surface(s, world.get("bounce", 1.0), world.get("friction", 1.0)) for s in sport.surfaces)
    sensor = sport.sensor
    if "noise" in world:
        sensor = dataclasses.replace(sensor, noise=(world["noise"] / 1e3,) * 2)
    if "missed" in world:
        no_burst = dataclasses.replace(sensor.burst, share=0.0)
        sensor = dataclasses.replace(sensor, miss=(world["missed"] / 100,), burst=no_burst)
    draw_options = {"wind": (world.get("across", 0.0), world.get("along", 0.0)), "rate": world.get("rate")}
    return sport.replace(surfaces=surfaces, sensor=sensor, **air), draw_options


def _scale_surface(surface, bounce, friction):
    """A surface with its coefficients of restitution, and of friction, times a factor."""
    restitution = surface.restitution
    scaled = {key: bounce * getattr(restitution, key) for key in ("e", "slope", "curve", "min")}
    scaled = {key: min(value, 1.0) if key in ("e", "min") else value for key, value in scaled.items()}
    restitution = dataclasses.replace(restitution, **scaled, max=min(1.0, bounce * restitution.max))
    return dataclasses.replace(surface, restitution=restitution, friction=friction * surface.friction)


def parameters_relative_to(reference, actual, parameters):
    """Parameters (6,) of a ball that flies by the sport `true`, as they would be in the sport `told`."""
    air = actual.world.rho / reference.world.rho if reference.world.rho else 1.0
    pairs = [(a, b) for a, b in zip(reference.surfaces, actual.surfaces) if a.landing] or list(
        zip(reference.surfaces, actual.surfaces)
    )
    a, b = pairs[0]
    bounce = b.restitution.e / a.restitution.e if a.restitution.e else 1.0
    friction = b.friction / a.friction if a.friction else 1.0
    return np.asarray(parameters) * [air, air, bounce, friction, 1.0, 1.0]
