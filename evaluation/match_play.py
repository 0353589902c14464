"""Table-tennis match play: measured states after shots and bounces, each with the bounce that followed.

pairs = read_pairs(data_folder() / FILE)

Data: SonyResearch/ace_public, data/match_data.csv (Outplaying elite table tennis players with an autonomous robot,
Nature 652, 2026), in the folder sony of the folder of recorded balls. A pair is a shot or a bounce, and the bounce
after it. The published velocities are those of about 12.5 ms after the event (DELAY).

The name of a rally decides whether the law may be fitted on it: zlib.crc32(name) % 3 == 0 are for reports alone.
"""

import csv
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ballcast import sim

FILE = Path("sony") / "match_data.csv"
DELAY = 0.0125  # s
COLUMNS = ("player_id", "rally_id", "type", "timestamp", "ball_pos", "ball_vel_out", "ball_spin_out")


class Pairs(NamedTuple):
    """N shots or bounces, each with the bounce after it, in our frame."""

    rally: np.ndarray  # (N,) its name: the player, and the game and rally in the file
    number: np.ndarray  # (N,) of the event in its rally
    is_shot: np.ndarray  # (N,) whether a shot began it
    duration: np.ndarray  # (N,) s, until the bounce
    position: np.ndarray  # (N, 3) m, at the start
    velocity: np.ndarray  # (N, 3) m/s, DELAY after the start
    spin: np.ndarray  # (N, 3) rad/s
    bounce: np.ndarray  # (N, 3) m, the ball at the bounce


def read_pairs(path: Path) -> Pairs:
    """The Pairs of a file, less those with a net touch. ValueError, one line, if it is not such a file; OSError."""
    with open(path, newline="", encoding="utf-8") as file:
        table = csv.DictReader(file)
        if missing := set(COLUMNS) - set(table.fieldnames or ()):
            raise ValueError(f"{path}: no column {', '.join(sorted(missing))}; match_data.csv of ace_public has it")
        events = [_event(path, table.line_num, row) for row in table]
    rows = []
    for (rally, number, kind, time, *state), after in zip(events, events[1:]):
        follows = after[:2] == (rally, number + 1)
        if follows and after[2].startswith("bounce") and not kind.startswith("net"):
            rows.append((rally, number, kind.startswith("shot"), after[3] - time, *state, after[4]))
    if not rows:
        raise ValueError(f"{path}: no shot or bounce with a bounce after it; is the file whole?")
    return Pairs(*(np.array(column) for column in zip(*rows)))


def _event(path, line, row):
    """(rally, number in it, kind, time, position, velocity, spin): the file's x is our y, its y our -x."""
    try:
        rally, number = row["rally_id"].rsplit("/event", 1)
        vectors = (np.array(row[key].strip("[]").split(), float) for key in COLUMNS[-3:])
        state = [np.array([-y, x, z]) for x, y, z in vectors]
        return row["player_id"] + rally, int(number), row["type"], float(row["timestamp"]), *state
    except (AttributeError, ValueError) as error:
        raise ValueError(f"{path}: row {line} is not an event of match play ({error}); is the file whole?") from None


def is_held_out(pairs: Pairs) -> np.ndarray:
    """Which pairs (N,) belong to rallies that no law was fitted on."""
    return np.array([zlib.crc32(name.encode()) % 3 == 0 for name in pairs.rally])


def velocity_at_start(sport: sim.Sport, pairs: Pairs, delay: float = DELAY) -> np.ndarray:
    """Velocities (N, 3) m/s that become the measured ones after `delay` s of flight."""
    velocity, air = pairs.velocity, sport.replace(surfaces=())
    for _ in range(3):
        after = sim.simulate(air, pairs.position, velocity, pairs.spin, [delay]).velocity[:, 0]
        velocity = velocity + pairs.velocity - after
    return velocity
