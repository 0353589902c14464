"""Landings of table-tennis match play, simulated from the measured state of a shot or a bounce.

    python -m benchmarks.match_play [--delay 0.0125]

Data: SonyResearch/ace_public, data/match_data.csv (Outplaying elite table tennis players with an autonomous robot,
Nature 652, 2026), in the folder sony of the folder of recorded balls: states after shots and bounces. A pair is a shot
or a bounce, and the bounce after it. The published velocities are those of about 12.5 ms after the event: `delay`.

The name of a rally decides whether the law may be fitted on it: zlib.crc32(name) % 3 == 0 are for reports alone.
"""

import csv
import math
import zlib
from collections import namedtuple
from pathlib import Path

import numpy as np
import tyro

from ballcast import sim
from ballcast.evaluation.splits import data_folder
from ballcast.sim.sport import Restitution, Surface

FILE = Path("sony") / "match_data.csv"
DELAY = 0.0125  # s
PLANE = Surface(
    "plane", "plane", (-math.inf, -math.inf, 0.0), (math.inf, math.inf, 0.0), 0.0, 0.0, Restitution(0.9), 0.2
)
LONGEST = 2.0  # s, of a flight
# of N pairs: names of the rallies, whether a shot began it, s; m, m/s, rad/s at the start; m at the bounce, all (N, 3)
Pairs = namedtuple("Pairs", "rally is_shot duration position velocity spin bounce")


def read_pairs(path: Path) -> Pairs:
    """The Pairs of a file in our frame, less those with a net touch. Ends the program if there is no file."""
    if not path.is_file():
        raise SystemExit(f"{path}: does not exist; BALLCAST_DATA names the folder of recorded balls")
    with open(path, newline="", encoding="utf-8") as file:
        events = [_event(row) for row in csv.DictReader(file)]
    rows = []
    for (rally, number, kind, time, *state), after in zip(events, events[1:]):
        follows = after[:2] == (rally, number + 1)
        if follows and after[2].startswith("bounce") and not kind.startswith("net"):
            rows.append((rally, kind.startswith("shot"), after[3] - time, *state, after[4]))
    return Pairs(*(np.array(column) for column in zip(*rows)))


def _event(row):
    """(rally, number in it, kind, time, position, velocity, spin): the file's x is our y, its y our -x."""
    rally, number = row["rally_id"].rsplit("/event", 1)
    vectors = (np.array(row[key].strip("[]").split(), float) for key in ("ball_pos", "ball_vel_out", "ball_spin_out"))
    state = (np.array([-y, x, z]) for x, y, z in vectors)
    return row["player_id"] + rally, int(number), row["type"], float(row["timestamp"]), *state


def is_held_out(pairs: Pairs) -> np.ndarray:
    """Which pairs (N,) belong to rallies that no law was fitted on."""
    return np.array([zlib.crc32(name.encode()) % 3 == 0 for name in pairs.rally])


def landing_errors(sport: sim.Sport, pairs: Pairs, delay: float = DELAY) -> tuple[np.ndarray, np.ndarray]:
    """Distances (N,) m in the plane of the table, and times (N,) s, from the simulated landing to the measured one."""
    plane, velocity = sport.replace(surfaces=(PLANE,)), velocity_at_start(sport, pairs, delay)
    impacts = sim.simulate(plane, pairs.position, velocity, pairs.spin, [LONGEST]).impacts
    balls, first = np.unique(impacts.ball, return_index=True)
    if len(balls) < len(pairs.rally):
        raise ValueError(f"{len(pairs.rally) - len(balls)} balls do not land within {LONGEST} s")
    away = np.linalg.norm((impacts.position[first] - pairs.bounce)[:, :2], axis=1)
    return away, abs(impacts.time[first] - pairs.duration)


def velocity_at_start(sport: sim.Sport, pairs: Pairs, delay: float) -> np.ndarray:
    """Velocities (N, 3) m/s that become the measured ones after `delay` s of flight."""
    velocity, air = pairs.velocity, sport.replace(surfaces=())
    for _ in range(3):
        after = sim.simulate(air, pairs.position, velocity, pairs.spin, [delay]).velocity[:, 0]
        velocity = velocity + pairs.velocity - after
    return velocity


def summary(away: np.ndarray, late: np.ndarray) -> tuple[float, float, float]:
    """(median mm, 90th percentile mm, median ms) of landing errors."""
    return 1e3 * np.median(away), 1e3 * np.percentile(away, 90), 1e3 * np.median(late)


def main(delay: float = DELAY) -> None:
    """Print the landing errors of the sport's own law."""
    pairs = read_pairs(data_folder() / FILE)
    away, late = landing_errors(sim.load("table_tennis"), pairs, delay)
    held = is_held_out(pairs)
    parts = {"fitted on": ~held, "not fitted on": held}
    parts |= {"not fitted on, shots": held & pairs.is_shot, "not fitted on, bounces": held & ~pairs.is_shot}
    for name, part in parts.items():
        median, p90, ms = summary(away[part], late[part])
        print(f"rallies {name:24} {part.sum():4} pairs: median {median:5.1f} mm, p90 {p90:5.1f} mm, time {ms:4.1f} ms")


if __name__ == "__main__":
    tyro.cli(main)
