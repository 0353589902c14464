"""What a camera has to show of a sport: where its balls fly, and the surfaces and zones there. No pygame.

The strokes of shipped sports are stored, because rallies take 0.1 s at the start. After a change of the physics:

    python -m ballcast.viewer.place
"""

import io
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ballcast import sim
from ballcast.sim.files import write_atomically

FILE = Path(__file__).with_name("strokes.npz")
STROKES, BALLS, RECORDINGS = 24, 32, 8  # strokes or launches that are simulated; recorded tracks that are looked at
SHOWN_TIME, AHEAD = 0.4, 5  # s of flight ahead of a ball that are shown with it, and points on them
STEP, MAX_PATHS = 0.04, 4000  # s between the moments at which balls are looked at; at how many
PERCENTILES, SPARE = (5, 95), 0.25  # of where balls are; what is this share of its extent beyond does not matter


class Place(NamedTuple):
    """What is to be seen. Each row of paths is a moment of a ball: its next SHOWN_TIME s if nobody hits it."""

    corners: np.ndarray  # (N, 3) m, of surfaces and zones
    paths: np.ndarray  # (M, AHEAD, 3) m, near where the sport's view looks
    all_paths: np.ndarray  # (L, AHEAD, 3) m


def place_of(source: Any) -> Place:
    """The Place of a LiveSource or a RecordedSource (viewer/playback/source.py), near where the sport's view looks."""
    view, paths = source.sport.view, _played(source) if _flies(source) else _stored(source)
    paths = paths[:: -(-len(paths) // MAX_PATHS)]
    reach = np.linalg.norm(np.subtract(view.eye, view.target))
    is_near = (np.linalg.norm(paths - view.target, axis=2) <= reach).all(axis=1)
    near = paths[is_near] if is_near.any() else paths
    return Place(_corners(source.sport, near), near, paths)


def _flies(source):
    """Whether simulated balls show where balls fly: no stored or recorded ball says where it was."""
    return (source.live and source.ready) or not source.ball(0).is_motion_known


def _played(source):
    """The paths of simulated balls of play."""
    stored = stored_launches(source.sport)
    launches, durations = launches_of(source.sport) if stored is None else stored
    times = np.arange(0.0, max(durations) + SHOWN_TIME + STEP, STEP)
    flights = sim.simulate(source.sport, *launches, times).position
    return np.concatenate([_ahead(times, *flight) for flight in zip(flights, durations)])


def _stored(source):
    """The paths of recorded balls, or of the one that is shown until the simulator is compiled."""
    balls = [source.ball(index) for index in range(1 if source.live else RECORDINGS)]
    return np.concatenate([_ahead(ball.time - ball.time[0], ball.position, np.ptp(ball.time)) for ball in balls])


def _ahead(times, positions, duration):
    """The path ahead (N, AHEAD, 3) m at each moment of a flight at times (T,) s that lasts `duration` s."""
    asked = np.add.outer(np.arange(0.0, max(duration, STEP), STEP), np.linspace(0.0, SHOWN_TIME, AHEAD))
    return np.stack([np.interp(asked, times, axis) for axis in positions.T], axis=-1)


def launches_of(sport: sim.Sport) -> tuple[np.ndarray, np.ndarray]:
    """Launches of play: position, velocity and spin (3, N, 3) in SI units; and for how long each ball flies (N,), s."""
    if not sport.strokes:
        balls = sim.draw(sport, BALLS, purpose="play")
        launches = np.array([balls.launch_position, balls.launch_velocity, balls.launch_spin])
        return launches, np.full(BALLS, sport.sensor.duration)
    strokes, number = [], 0
    while len(strokes) < STROKES:
        strokes, number = [*strokes, *sim.rally(sport, number=number).strokes], number + 1
    launches = np.array([(stroke.position, stroke.velocity, stroke.spin) for stroke in strokes])
    durations = np.array([stroke.end - stroke.time for stroke in strokes])
    if any(stroke.launch.mirror for stroke in sport.strokes):  # the same from the other end
        mirrored = launches * ((1, -1, 1), (1, -1, 1), (-1, 1, -1))
        launches, durations = np.concatenate([launches, mirrored]), np.tile(durations, 2)
    return launches.swapaxes(0, 1), durations


def stored_launches(sport: sim.Sport) -> tuple[np.ndarray, np.ndarray] | None:
    """What launches_of a shipped sport gives, from the disk; None for any other."""
    with np.load(FILE) as file:
        if f"{sport.name}.launches" not in file or sport != sim.load(sport.name):
            return None
        return file[f"{sport.name}.launches"].astype(float), file[f"{sport.name}.durations"].astype(float)


def _corners(sport, paths):
    """The corners (N, 3) m of the surfaces and zones that are where balls fly."""
    boxes = [np.array([part.low, part.high]) for part in (*sport.surfaces, *sport.zones)]
    corners = np.array([box[index, range(3)] for box in boxes for index in np.ndindex(2, 2, 2)]).reshape(-1, 3)
    low, high = np.percentile(paths.reshape(-1, 3), PERCENTILES, axis=0)
    spare = SPARE * (high - low).max()
    return corners[((corners >= low - spare) & (corners <= high + spare)).all(axis=1)]


def main():
    arrays = {}
    for name in sim.names():
        launches, durations = launches_of(sim.load(name))
        arrays |= {f"{name}.launches": launches.astype(np.float32), f"{name}.durations": durations.astype(np.float32)}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    write_atomically(FILE, buffer.getvalue())


if __name__ == "__main__":
    main()
