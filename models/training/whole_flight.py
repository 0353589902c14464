"""The flight that a recorded ball took, fitted to all of its frames: what a network's estimate of the state is held to.

    flights = fit_flights(sport, track)               # windows of the track, one flight each
    x, path, is_known = states_and_path(flights, times)   # the unknowns and the path at times (N,) s of the track

A fit to later frames knows the state better than any filter can. One flight does not explain a track of seconds, so
windows begin every ANCHOR_STEP s; each is fitted from where the window before it passes. A window whose frames lie off
its flight is not used. Where the flight ends badly, the later frames themselves decide: see later_frames.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ballcast import sim
from ballcast.models.estimation.arc import initial_arc
from ballcast.models.estimation.fit import map_fit
from ballcast.models.estimation.prior import Prior, sport_prior
from ballcast.models.estimation.unknowns import HEIGHT, LOG_PARAMETERS, UNKNOWNS
from ballcast.sim.kernels.compiled_sport import compile_sport
from ballcast.sim.kernels.layout import DRAG
from ballcast.tracks import Track

ANCHOR_STEP, WINDOW = 0.4, 1.2  # s between the beginnings of two windows; s of a window
GROWTH = (0.15, 0.3, 0.6, WINDOW)  # s: the first fit sees so much, then more
MAX_FIT_FRAMES, MAX_FLIGHTS = 80, 16  # of one fit: evenly spread frames, simulated flights
MIN_FRAMES = 6  # of a window
SLACK = 0.02  # s after its last frame, for which a window counts
MAX_MISFIT = 0.06  # m: with a larger median distance between frames and flight a window is not used


class Window(NamedTuple):
    """A flight that explains some frames of a track."""

    start: float  # s
    end: float  # s, of its last frame
    x: np.ndarray  # (16,) the unknowns at the start
    misfit: float  # m, the median distance of the frames from the flight


@dataclass(frozen=True)
class Flights:
    """The windows of a track, in order of time."""

    sport: sim.Sport
    windows: Sequence[Window]


def states_and_path(flights: Flights, times: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """At times (N,) s that do not decrease, by the latest window that has begun: the unknowns (N, 16), the measured
    positions (N, 3) m, and whether both are known (N,); they are 0 where not."""
    x, is_known = np.zeros((len(times), UNKNOWNS)), np.zeros(len(times), bool)
    for n, window in enumerate(flights.windows):
        last = flights.windows[n + 1].start if n + 1 < len(flights.windows) else np.inf
        rows = np.flatnonzero((times >= window.start) & (times < last) & (times <= window.end + SLACK))
        if len(rows) and window.misfit <= MAX_MISFIT:
            x[rows] = state_after(flights.sport, window.x, times[rows] - window.start)
            is_known[rows] = np.isfinite(x[rows]).all(axis=1)
    x[~is_known] = 0.0
    path = x[:, :3].copy()
    path[:, 2] += x[:, HEIGHT]
    return x, path, is_known


def fit_flights(sport: sim.Sport, track: Track) -> Flights:
    """The Flights of a recorded track."""
    prior, windows, x, start = sport_prior(sport), [], None, 0
    while len(track) - start >= MIN_FRAMES:
        window = _fit_window(sport, track, start, x, prior)
        windows.append(window)
        after = int(np.searchsorted(track.time, track.time[start] + ANCHOR_STEP))
        if after >= len(track) or track.time[-1] - track.time[after] < GROWTH[0]:
            break
        is_good = window.misfit <= MAX_MISFIT
        x = state_after(sport, window.x, np.array([track.time[after] - track.time[start]]))[0] if is_good else None
        start = after
    return Flights(sport, windows)


def _fit_window(sport, track, start, x, prior: Prior) -> Window:
    """The Window from frame `start` on; x (16,): the unknowns there, None if they are not known."""
    compiled, time = compile_sport(sport), track.time[start:] - track.time[start]
    if x is None:
        x = prior.mean.copy()
        x[:6] = initial_arc(time, np.ascontiguousarray(track.position[start:]), sport.world.gravity)
    for seconds in GROWTH:
        count = int(np.searchsorted(time, seconds, side="right"))
        rows = np.unique(np.linspace(0, count - 1, min(count, MAX_FIT_FRAMES)).astype(int))
        if len(rows) >= MIN_FRAMES:
            t, y = time[rows], np.ascontiguousarray(track.position[start + rows])
            x = map_fit(compiled, t, y, x, prior, MAX_FLIGHTS).x
    rows = np.flatnonzero(time <= GROWTH[-1])
    path = positions_after(sport, x, time[rows])
    misfit = float(np.median(np.linalg.norm(path - track.position[start + rows], axis=1)))
    return Window(track.time[start], track.time[start + rows[-1]], x, misfit if np.isfinite(misfit) else np.inf)


def launch_of(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Position, velocity, spin (N, 3) and parameters (N, 6) of unknowns (N, 16), as sim.simulate takes them."""
    parameters = x[:, DRAG:HEIGHT].copy()
    parameters[:, : len(LOG_PARAMETERS)] = np.exp(parameters[:, : len(LOG_PARAMETERS)])
    return x[:, :3], x[:, 3:6], x[:, 6:9], parameters


def state_after(sport: sim.Sport, x: np.ndarray, times: np.ndarray) -> np.ndarray:
    """The unknowns (N, 16) of a flight from x (16,), at times (N,) s that do not decrease."""
    position, velocity, spin, parameters = launch_of(x[None])
    increasing = times + 1e-9 * np.arange(1, len(times) + 1)
    flight = sim.simulate(sport, position, velocity, spin, increasing, parameters)
    assert flight.velocity is not None and flight.spin is not None
    out = np.repeat(x[None], len(times), axis=0)
    out[:, :3], out[:, 3:6], out[:, 6:9] = flight.position[0], flight.velocity[0], flight.spin[0]
    return out


def positions_after(sport: sim.Sport, x: np.ndarray, times: np.ndarray) -> np.ndarray:
    """The measured positions (N, 3) m of that flight."""
    path = state_after(sport, x, times)[:, :3]
    path[:, 2] += x[HEIGHT]
    return path
