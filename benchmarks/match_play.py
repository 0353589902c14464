"""Landings of table-tennis match play, simulated from the measured state of a shot or a bounce.

    python -m benchmarks.match_play [--delay 0.0125]

The data, and which rallies no law was fitted on: evaluation/match_play.py.
"""

import math

import numpy as np
import tyro

from ballcast import sim
from ballcast.evaluation.match_play import DELAY, FILE, Pairs, is_held_out, read_pairs, velocity_at_start
from ballcast.evaluation.splits import data_folder
from ballcast.sim.sport import Restitution, Surface

PLANE = Surface(
    "plane", "plane", (-math.inf, -math.inf, 0.0), (math.inf, math.inf, 0.0), 0.0, 0.0, Restitution(0.9), 0.2
)
LONGEST = 2.0  # s, of a flight


def landing_errors(sport: sim.Sport, pairs: Pairs, delay: float = DELAY) -> tuple[np.ndarray, np.ndarray]:
    """Distances (N,) m in the plane of the table, and times (N,) s, from the simulated landing to the measured one."""
    plane, velocity = sport.replace(surfaces=(PLANE,)), velocity_at_start(sport, pairs, delay)
    impacts = sim.simulate(plane, pairs.position, velocity, pairs.spin, [LONGEST]).impacts
    balls, first = np.unique(impacts.ball, return_index=True)
    if len(balls) < len(pairs.rally):
        raise ValueError(f"{len(pairs.rally) - len(balls)} balls do not land within {LONGEST} s")
    away = np.linalg.norm((impacts.position[first] - pairs.bounce)[:, :2], axis=1)
    return away, abs(impacts.time[first] - pairs.duration)


def summary(away: np.ndarray, late: np.ndarray) -> tuple[float, float, float]:
    """(median mm, 90th percentile mm, median ms) of landing errors."""
    return 1e3 * np.median(away), 1e3 * np.percentile(away, 90), 1e3 * np.median(late)


def main(delay: float = DELAY) -> None:
    """Print the landing errors of the sport's own law."""
    path = data_folder() / FILE
    if not path.is_file():
        raise SystemExit(f"{path}: does not exist; BALLCAST_DATA names the folder of recorded balls")
    pairs = read_pairs(path)
    away, late = landing_errors(sim.load("table_tennis"), pairs, delay)
    held = is_held_out(pairs)
    parts = {"fitted on": ~held, "not fitted on": held}
    parts |= {"not fitted on, shots": held & pairs.is_shot, "not fitted on, bounces": held & ~pairs.is_shot}
    for name, part in parts.items():
        median, p90, ms = summary(away[part], late[part])
        print(f"rallies {name:24} {part.sum():4} pairs: median {median:5.1f} mm, p90 {p90:5.1f} mm, time {ms:4.1f} ms")


if __name__ == "__main__":
    tyro.cli(main)
