"""Density and viscosity of air from temperature, altitude and humidity."""

import math

VISCOSITY = 1.81e-5  # Pa s, dynamic, air at 20 C


def density(temperature: float, altitude: float = 0.0, humidity: float = 0.0) -> float:
    """Density of moist air in kg/m3.

    temperature in C, altitude in m above the sea, humidity relative, 0 to 1.
    Ideal gases under the pressure of the standard atmosphere; saturation pressure by Buck (1996).
    """
    kelvin = temperature + 273.15
    pressure = 101325.0 * (1.0 - 2.25577e-5 * altitude) ** 5.25588
    saturation = 611.21 * math.exp((18.678 - temperature / 234.5) * temperature / (257.14 + temperature))
    vapour = humidity * saturation
    return (pressure - vapour) / (287.058 * kelvin) + vapour / (461.495 * kelvin)
