"""Sports with other numbers: factors of drag, lift, restitution and friction, another slope, another tracker's frame.

changed(sport, Change(drag=1.1, slope=-0.01))     # the sport whose balls are slowed 1.1 times as much

The forms of drag and lift have several numbers each, of which those here scale with the force.
"""

import dataclasses
import math
from typing import NamedTuple

from ballcast.sim.sport import Law, Sport

# form -> the exponents of the factor, for the numbers of the form
DRAG_EXPONENTS = {
    "constant": (1,), "spin": (1, 1), "logistic": (1, 1, 0, 0), "goff": (1, 1, 0, 0, 0, 1, 0),
    "polynomial": (1, 1, 1, 1, 0, 1, 1), "crisis": (1, 1),
}  # fmt: skip
LIFT_EXPONENTS = {"none": (), "saturating": (-1, -1), "polynomial": (1, 1, 1, 1), "crisis": (-1, -1, 1, 0, 0, 0, 0)}


class Change(NamedTuple):
    """What is to be another than in a sport's file."""

    drag: float = 1.0  # factors
    lift: float = 1.0
    restitution: float = 1.0
    friction: float = 1.0
    slope: float = 0.0  # s/m, added to the slope of restitution after it was multiplied
    height: float = 0.0  # m, added to how much the tracker's frame is too high
    tilt_x: float = 0.0  # rad, added to how it is turned
    tilt_y: float = 0.0


def changed(sport: Sport, change: Change, surface: int) -> Sport:
    """The Sport with a Change; restitution and friction are those of the surface of that number."""
    height, tilt_x, tilt_y = sport.sensor.frame.offset
    degrees = math.degrees(change.tilt_x), math.degrees(change.tilt_y)
    frame = dataclasses.replace(
        sport.sensor.frame, offset=(height + change.height, tilt_x + degrees[0], tilt_y + degrees[1])
    )
    surfaces = list(sport.surfaces)
    if surfaces:
        surfaces[surface] = _changed_surface(surfaces[surface], change)
    return dataclasses.replace(
        sport,
        drag=_scaled(sport.drag, DRAG_EXPONENTS, change.drag),
        lift=_scaled(sport.lift, LIFT_EXPONENTS, change.lift),
        surfaces=tuple(surfaces),
        sensor=dataclasses.replace(sport.sensor, frame=frame),
    )


def _changed_surface(surface, change):
    law, factor = surface.restitution, change.restitution
    e = min(max(factor * law.e, 0.0), 1.0)
    low, high = min(factor * law.min, e), law.max if law.max >= 1.0 else min(max(factor * law.max, e), 1.0)
    numbers = {"e": e, "slope": factor * law.slope + change.slope, "curve": factor * law.curve, "min": low, "max": high}
    law = dataclasses.replace(law, **numbers)
    return dataclasses.replace(surface, restitution=law, friction=change.friction * surface.friction)


def _scaled(law, exponents, factor):
    values = tuple(v * factor**k for v, k in zip(law.values, exponents[law.form], strict=True))
    return Law(law.form, values)
