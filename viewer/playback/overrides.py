"""Overrides of the world in which live balls fly and are measured. Predictors do not know them."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ballcast.sim.sport import Sport, TrackerFrame
from ballcast.viewer.units import format_speed

WIND = "m/s"  # the unit of a wind


@dataclass(frozen=True)
class WorldOverride:
    """One slider: from low to high in steps, shown as `unit`; `default(sport)` is the value without an override."""

    name: str
    label: str
    low: float
    high: float
    step: float
    unit: str
    default: Callable[[Sport], float]
    varies: bool = False  # from ball to ball, without an override

    def text(self, value: float) -> str:
        """A value with its unit; that of a wind is given in km/h too."""
        return format_speed(value, sign="+") if self.unit == WIND else self.unit.format(value)

    def clipped(self, value: float) -> float:
        """The nearest value on the slider's steps."""
        return float(np.clip(self.low + round((value - self.low) / self.step) * self.step, self.low, self.high))


OVERRIDES = (
    WorldOverride("gravity", "gravity", 0.0, 25.0, 0.1, "{:.1f} m/s²", lambda sport: sport.world.gravity),
    WorldOverride("density", "air density", 0.0, 5.0, 0.05, "{:.2f} kg/m³", lambda sport: sport.world.rho),
    WorldOverride("across", "wind across", -12.0, 12.0, 0.5, WIND, lambda sport: 0.0),
    WorldOverride("along", "wind along", -12.0, 12.0, 0.5, WIND, lambda sport: 0.0),
    WorldOverride("bounce", "restitution", 0.1, 1.5, 0.05, "{:.2f} x usual", lambda sport: 1.0),
    WorldOverride("friction", "friction", 0.0, 3.0, 0.1, "{:.1f} x usual", lambda sport: 1.0),
    WorldOverride("noise", "tracker noise", 0.0, 50.0, 1.0, "{:.0f} mm", lambda s: 1e3 * s.sensor.usual_noise, True),
    WorldOverride("rate", "frame rate", 10.0, 400.0, 10.0, "{:.0f} Hz", lambda sport: sport.sensor.rate),
    WorldOverride("missed", "missed frames", 0.0, 90.0, 5.0, "{:.0f} %", lambda s: 100 * np.mean(s.sensor.miss), True),
)


def apply(sport, world):
    """The sport with the overrides, and further arguments for sim.draw. The window shows the tracker's frame as the
    sport's, so that balls lie on what is drawn."""
    air = {key: world[key] for key in ("gravity", "density") if key in world}
    surfaces = tuple(_scale_surface(s, world.get("bounce", 1.0), world.get("friction", 1.0)) for s in sport.surfaces)
    sensor = dataclasses.replace(sport.sensor, frame=TrackerFrame())
    if "noise" in world:
        sensor = dataclasses.replace(sensor, noise=(world["noise"] / 1e3,) * 2)
    if "missed" in world:
        no_burst = dataclasses.replace(sensor.burst, share=0.0)
        sensor = dataclasses.replace(sensor, miss=(world["missed"] / 100,), burst=no_burst)
    draw_options = {"wind": (world.get("across", 0.0), world.get("along", 0.0)), "rate": world.get("rate")}
    return sport.replace(surfaces=surfaces, sensor=sensor, **air), draw_options


def _scale_surface(surface, bounce, friction):
    """A surface whose coefficients of restitution and of friction are multiplied by a factor each."""
    restitution = surface.restitution
    scaled = {key: bounce * getattr(restitution, key) for key in ("e", "slope", "curve", "min")}
    scaled = {key: min(value, 1.0) if key in ("e", "min") else value for key, value in scaled.items()}
    restitution = dataclasses.replace(restitution, **scaled, max=min(1.0, bounce * restitution.max))
    return dataclasses.replace(surface, restitution=restitution, friction=friction * surface.friction)


def parameters_relative_to(reference, actual, parameters):
    """Parameters (6,) of a ball that flies in the sport `actual`, relative to the sport `reference`."""
    air = actual.world.rho / reference.world.rho if reference.world.rho else 1.0
    pairs = list(zip(reference.surfaces, actual.surfaces))
    a, b = next((pair for pair in pairs if pair[0].landing), pairs[0])
    bounce = b.restitution.e / a.restitution.e if a.restitution.e else 1.0
    friction = b.friction / a.friction if a.friction else 1.0
    return np.asarray(parameters) * [air, air, bounce, friction, 1.0, 1.0]
