"""Lengths and speeds as the window writes them."""

from collections.abc import Callable

KMH = 3.6  # km/h in one m/s


def format_length(metres: float) -> str:
    """A length (m) in mm, or in m from 1 m on."""
    return f"{1e3 * metres:.0f} mm" if metres < 0.9995 else f"{metres:.2f} m"


def format_speed(speed: float, has_room: Callable[[str], bool] = lambda text: True, sign: str = "") -> str:
    """A speed (m/s) as "31.2 m/s (112 km/h)"; without the second number where that has no room.

    sign  "+" writes the sign of a positive speed too
    """
    short = f"{speed:{sign}.1f} m/s"
    both = f"{short} ({KMH * speed:{sign}.0f} km/h)"
    return both if has_room(both) else short
