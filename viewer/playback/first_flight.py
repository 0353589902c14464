"""One stored flight per shipped sport: the first ball of a live show while the simulator is being compiled.

python -m ballcast.viewer.playback.first_flight      # simulate them again, after the physics has changed
"""

from pathlib import Path

import numpy as np

from ballcast import sim
from ballcast.tracks import Track
from ballcast.viewer.playback.ball import BallRecord

FILE = Path(__file__).parents[1] / "first_flights.npz"
STEP = 20  # one row of the motion in 20 is stored, and the rows about every impact: interpolation errs by 2 mm
IMPACT = 0.2  # m/s; velocity changes by more within one row only at an impact


def first_flight(sport):
    """The stored BallRecord of a shipped Sport; None for any other."""
    with np.load(FILE) as file:
        if f"{sport.name}.motion" not in file or sport != sim.load(sport.name):
            return None
        parts = (file[f"{sport.name}.{part}"].astype(float) for part in ("motion", "spin", "track", "landings"))
        motion, spin, frames, landings = parts
    name = "a flight for the start"
    return BallRecord(
        name=name, track=Track(frames[:, 0], frames[:, 1:], name), is_recorded=False, end=float(motion[-1, 0]),
        time=motion[:, 0], position=motion[:, 1:], velocity=np.gradient(motion[:, 1:], motion[:, 0], axis=0), spin=spin,
        landing_time=landings[:, 0], landing_position=landings[:, 1:],
    )  # fmt: skip


def main():
    from ballcast.viewer.playback.source import LiveSource

    arrays = {}
    for name in sim.names():
        ball = LiveSource(sim.load(name)).ball(0)
        jumps = np.flatnonzero(np.abs(np.diff(ball.velocity, axis=0)).max(axis=1) > IMPACT)
        last = len(ball.time) - 1
        rows = np.unique(np.clip([*range(0, last, STEP), *jumps, *(jumps + 1), last], 0, last))
        arrays[name + ".motion"] = np.column_stack([ball.time, ball.position])[rows].astype(np.float32)
        arrays[name + ".spin"] = ball.spin[rows].astype(np.float16)
        arrays[name + ".track"] = np.column_stack([ball.track.time, ball.track.position]).astype(np.float32)
        arrays[name + ".landings"] = np.column_stack([ball.landing_time, ball.landing_position]).astype(np.float32)
    np.savez_compressed(FILE, **arrays)


if __name__ == "__main__":
    main()
