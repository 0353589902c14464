"""A batch of balls from launch to any times: checks, precision, threads; the flying itself is compiled, in lanes.py.

flight = simulate(sport, position, velocity, spin, times)      # (B, 3) each, times (T,) or (B, T)
"""

import dataclasses
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from ballcast.sim.kernels import lanes
from ballcast.sim.kernels.compiled_sport import compile_lanes
from ballcast.sim.kernels.layout import CONTACT_DTYPE

PARAMETERS = ("drag", "lift", "restitution", "friction", "wind_x", "wind_y")
PRESET_PARAMETERS = np.array([1.0, 1.0, 1.0, 1.0, 0.0, 0.0])
MIN_BALLS_PER_THREAD = 256  # balls, below which a second thread costs more than it gains


@dataclass(frozen=True)
class Impacts:
    """Contacts of all balls, ordered by ball, then by time; N of them."""

    ball: np.ndarray  # (N,)
    time: np.ndarray  # (N,) s
    position: np.ndarray  # (N, 3) m, the ball's centre
    surface: np.ndarray  # (N,) index into sport.surfaces
    velocity_before: np.ndarray  # (N, 3) m/s
    velocity_after: np.ndarray  # (N, 3) m/s
    spin_before: np.ndarray  # (N, 3) rad/s
    spin_after: np.ndarray  # (N, 3) rad/s

    def __len__(self):
        return len(self.ball)


@dataclass(frozen=True)
class Flight:
    """The true motion of B balls at T times each, in the world frame; at a contact, the state after it."""

    position: np.ndarray  # (B, T, 3) m
    velocity: np.ndarray | None  # (B, T, 3) m/s
    spin: np.ndarray | None  # (B, T, 3) rad/s
    impacts: Impacts | None


def simulate(sport, position, velocity, spin, times, parameters=None, dtype=np.float64, out=None):
    """Fly balls launched at t = 0 and tell where they are at `times`: a Flight.

    position, velocity, spin (B, 3) in m, m/s, rad/s; times (T,) or (B, T) in s, increasing, from 0 on; parameters
    (B, 6) in the order of PARAMETERS, or None for the preset; dtype of the flight float64 (errs by less than 0.1 mm)
    or float32 (1 mm). With `out` (B, T, 3), contiguous and of that dtype, positions are written there and nothing
    else is made: the fast way. ValueError says what does not fit. Ball b's flight is the same to the bit in any
    batch, on any threads.
    """
    dtype = np.dtype(dtype)
    if dtype not in (np.float32, np.float64):
        raise ValueError(f"dtype {dtype} must be float32 or float64")
    launch = pack_launches(position, velocity, spin, parameters)
    times = check_times(times, len(launch))
    shape = (len(launch), times.shape[1], 3)
    times = np.pad(times, ((0, 0), (0, lanes.CHUNK)), constant_values=np.inf)
    if out is not None and (out.shape != shape or out.dtype != dtype or not out.flags.c_contiguous):
        raise ValueError(f"out must be a contiguous {dtype} array of shape {shape}, not {out.dtype} {out.shape}")
    with_log = out is None
    position = np.empty(shape, dtype) if with_log else out
    velocity_and_spin = [np.empty(shape if with_log else (0, 0, 0), dtype) for _ in range(2)]
    counts = np.full(len(launch), shape[1])
    contacts = fly_batch(sport, launch, times, counts, position.reshape(-1), velocity_and_spin, with_log)
    if not with_log:
        return Flight(position, None, None, None)
    return Flight(position, *velocity_and_spin, _impacts(contacts))


def is_compiled():
    """Whether the compiled simulator lies ready from an earlier run; if not, the first flight takes some seconds."""
    return bool(lanes.fly_lanes._cache._cache_file._load_index())


def pack_launches(position, velocity, spin, parameters):
    """Launches (B, LAUNCH_SIZE) in the order of kernels/layout.py; ValueError says what does not fit."""
    vectors = [np.asarray(a, float) for a in (position, velocity, spin)]
    count = vectors[0].shape[0] if vectors[0].ndim == 2 else -1
    for name, a in zip(("position", "velocity", "spin"), vectors, strict=True):
        if a.shape != (count, 3):
            raise ValueError(f"{name} has shape {a.shape}; position, velocity and spin must all be (B, 3)")
    p = np.broadcast_to(PRESET_PARAMETERS, (count, 6)) if parameters is None else np.asarray(parameters, float)
    if p.shape != (count, 6):
        raise ValueError(f"parameters have shape {p.shape}; they must be ({count}, 6): {', '.join(PARAMETERS)}")
    launch = np.concatenate([*vectors, p], axis=1)
    if not np.isfinite(launch).all():
        raise ValueError("position, velocity, spin and parameters must be finite")
    return launch


def check_times(times, count):
    """Checked times as (1 or B, T) s."""
    times = np.atleast_2d(np.asarray(times, float))
    if times.ndim != 2 or times.shape[0] not in (1, count) or times.shape[1] == 0:
        raise ValueError(f"times have shape {times.shape}; they must be (T,) or ({count}, T), with at least one time")
    if not (np.isfinite(times).all() and (times[:, 0] >= 0).all() and (np.diff(times, axis=1) > 0).all()):
        raise ValueError("times must be finite, from 0 on, and increase")
    return times


def fly_batch(sport, launch, times, counts, out, velocity_and_spin, with_log):
    """Fly balls on as many threads as help (see lanes.py): their contacts (N,) CONTACT_DTYPE, ordered by ball, time."""
    fixed = compile_lanes(sport, out.dtype.type), launch, times, counts, out, *velocity_and_spin

    def work_chunk(first, last):
        size = 8 * (last - first) + 64 if with_log else 0
        while True:
            contacts = np.empty(size, CONTACT_DTYPE)
            used = lanes.fly_lanes(lanes.LaneTask(*fixed, contacts), first, last)
            if not with_log or used <= size:
                return contacts[: used if with_log else 0]
            size = used

    contacts = np.concatenate(run_in_threads(work_chunk, len(launch), MIN_BALLS_PER_THREAD))
    return contacts[np.argsort(contacts["ball"], kind="stable")]


def run_in_threads(work, count, min_per_thread):
    """What work(first, last) returns for shares of so many balls, none smaller than `least`, on as many threads."""
    threads = int(os.environ.get("NUMBA_NUM_THREADS") or os.cpu_count() or 1)
    chunk_count = max(1, min(threads, count // min_per_thread))
    if chunk_count == 1:
        return [work(0, count)]
    cuts = np.linspace(0, count, chunk_count + 1).astype(int)
    with ThreadPoolExecutor(chunk_count) as pool:
        return list(pool.map(work, cuts[:-1], cuts[1:]))


def _impacts(contacts):
    return Impacts(*(np.ascontiguousarray(contacts[f.name]) for f in dataclasses.fields(Impacts)))
