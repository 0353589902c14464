"""A batch of balls from launch to any times: checks, precision, threads. The flight itself is compiled (kernels/).

flight = simulate(sport, position, velocity, spin, times)                            # (B, 3) each, times (T,) or (B, T)
flight, jacobian = simulate_with_jacobian(sport, position, velocity, spin, times)    # (B, T, 3, 15)
"""

import dataclasses
import importlib.util
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from ballcast.sim.kernels import lanes
from ballcast.sim.kernels.compiled_sport import compile_lanes, compile_sport
from ballcast.sim.kernels.flight import linearise_flights
from ballcast.sim.kernels.layout import AT_EDGE, CONTACT_DTYPE, LAUNCH_SIZE

if TYPE_CHECKING:  # an import would make every edit of sport.py compile this module anew
    from ballcast.sim.sport import Sport

PARAMETERS = ("drag", "lift", "restitution", "friction", "wind_x", "wind_y")
PRESET_PARAMETERS = np.array([1.0, 1.0, 1.0, 1.0, 0.0, 0.0])
MIN_BALLS_PER_THREAD = 256  # below which a second thread costs more than it gains
MIN_JACOBIANS_PER_THREAD = 32
FLOAT64_CHUNK = 4096  # balls whose float64 results wait for their place among float32 ones


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

    def __len__(self) -> int:
        return len(self.ball)


@dataclass(frozen=True)
class Flight:
    """The true motion of B balls at T times each, in the world frame; at a contact, the state after it.

    status: 0 is fine. 1: the ball met surfaces too often, as a wedged ball does that hops without end (5,000 times; 200
    times for a Jacobian), and was laid to rest where it was.
    """

    position: np.ndarray  # (B, T, 3) m
    velocity: np.ndarray | None  # (B, T, 3) m/s
    spin: np.ndarray | None  # (B, T, 3) rad/s
    impacts: Impacts | None
    status: np.ndarray  # (B,)


def simulate(sport: "Sport", position: ArrayLike, velocity: ArrayLike, spin: ArrayLike, times: ArrayLike,
             parameters: ArrayLike | None = None, dtype: DTypeLike = np.float64,
             out: Any = None, *, device: str = "cpu") -> Flight:  # fmt: skip
    """The Flight of balls launched at t = 0.

    position, velocity, spin (B, 3) in m, m/s, rad/s; times (T,) or (B, T) in s, increasing, from 0 on; parameters
    (B, 6) in the order of PARAMETERS, or None for the preset; dtype of the flight float64 (its error is below 0.1 mm)
    or float32 (1 mm). With `out` (B, T, 3), contiguous and of that dtype, positions are written there, and velocity,
    spin and impacts are not computed, which is the fast way. ValueError says what does not fit. Ball b's flight is the
    same to the bit in any batch, on any threads.

    device "cuda": on a GPU (extra `gpu`). All arrays of the Flight are there then, and have __cuda_array_interface__
    and copy_to_host(); `out` is an array of sim.cuda.engine.empty. RuntimeError says what is missing.
    """
    dtype = np.dtype(dtype)
    if dtype not in (np.float32, np.float64):
        raise ValueError(f"dtype {dtype} must be float32 or float64")
    if on_gpu(device):
        from ballcast.sim.cuda import engine as gpu  # here: importing it asks for numba-cuda, and takes a second

        return gpu.simulate(sport, position, velocity, spin, times, parameters, dtype, out)
    launches = pack_launches(position, velocity, spin, parameters)
    times = check_times(times, len(launches))
    shape = (len(launches), times.shape[1], 3)
    times = np.pad(times, ((0, 0), (0, lanes.CHUNK)), constant_values=np.inf)
    counts = np.full(len(launches), shape[1])
    if out is not None:
        _check_out(out, shape, dtype)
        return Flight(out, None, None, None, fly_batch(sport, launches, times, counts, out)[0])
    position, velocity, spin = (np.empty(shape, dtype) for _ in range(3))
    status, contacts = fly_batch(sport, launches, times, counts, position, velocity, spin, with_contacts=True)
    fields = (np.ascontiguousarray(contacts[f.name]) for f in dataclasses.fields(Impacts))
    return Flight(position, velocity, spin, Impacts(*fields), status)


def simulate_with_jacobian(sport: "Sport", position: ArrayLike, velocity: ArrayLike, spin: ArrayLike, times: ArrayLike,
                           parameters: ArrayLike | None = None,
                           out: np.ndarray | None = None) -> tuple[Flight | None, np.ndarray]:  # fmt: skip
    """The Flight, as `simulate` has it, and the Jacobian (B, T, 3, 15) of its positions, float64.

    Columns: position (m/m), velocity (m per m/s) and spin (m per rad/s) at launch, then PARAMETERS. With `out` of that
    shape the Jacobian is written there and the flight is None, which is the fast way. ValueError says what does not
    fit. Where a ball just hits or just misses, the Jacobian is that of the side on which it is.
    """
    launches = pack_launches(position, velocity, spin, parameters)
    checked_times = check_times(times, len(launches))
    shape = (len(launches), checked_times.shape[1], 3, LAUNCH_SIZE)
    jacobian = np.empty(shape) if out is None else _check_out(out, shape, np.dtype(float))
    compiled, status = compile_sport(sport), np.empty(len(launches), np.int8)

    def work_chunk(first, last):
        own = checked_times if len(checked_times) == 1 else checked_times[first:last]
        linearise_flights(compiled, launches[first:last], own, jacobian[first:last], status[first:last])

    run_in_threads(work_chunk, len(launches), MIN_JACOBIANS_PER_THREAD)
    if out is not None:
        return None, jacobian
    flight = simulate(sport, position, velocity, spin, times, parameters)
    return dataclasses.replace(flight, status=np.maximum(flight.status, status)), jacobian


def on_gpu(device: str) -> bool:
    """Whether a device is "cuda", not "cpu". ValueError for others, RuntimeError without numba-cuda."""
    if device not in ("cpu", "cuda"):
        raise ValueError(f"device {device!r} is not known; there are cpu, cuda")
    if device == "cuda" and importlib.util.find_spec("numba_cuda") is None:
        raise RuntimeError("device 'cuda' needs numba-cuda: pip install 'ballcast[gpu]'")
    return device == "cuda"


def pack_launches(position: ArrayLike, velocity: ArrayLike, spin: ArrayLike,
                  parameters: ArrayLike | None) -> np.ndarray:  # fmt: skip
    """Launches (B, LAUNCH_SIZE) in the order of kernels/layout.py. ValueError says what does not fit."""
    vectors = [np.asarray(a, float) for a in (position, velocity, spin)]
    count = vectors[0].shape[0] if vectors[0].ndim == 2 else -1
    for name, a in zip(("position", "velocity", "spin"), vectors, strict=True):
        if a.shape != (count, 3):
            raise ValueError(f"{name} has shape {a.shape}; position, velocity and spin must all be (B, 3)")
    p = np.broadcast_to(PRESET_PARAMETERS, (count, 6)) if parameters is None else np.asarray(parameters, float)
    if p.shape != (count, 6):
        raise ValueError(f"parameters have shape {p.shape}; they must be ({count}, 6): {', '.join(PARAMETERS)}")
    launches = np.hstack([*vectors, p])
    if not np.isfinite(launches).all():
        raise ValueError("position, velocity, spin and parameters must be finite")
    return launches


def check_times(times: ArrayLike, count: int) -> np.ndarray:
    """Times for so many balls as (1 or B, T) s. ValueError says what does not fit."""
    times = np.array(np.atleast_2d(np.asarray(times, float)), order="C")
    if times.ndim != 2 or times.shape[0] not in (1, count) or times.shape[1] == 0:
        raise ValueError(f"times have shape {times.shape}; they must be (T,) or ({count}, T), with at least one time")
    if not (np.isfinite(times).all() and (times[:, 0] >= 0).all() and (np.diff(times, axis=1) > 0).all()):
        raise ValueError("times must be finite, from 0 on, and increase")
    return times


def _check_out(out, shape, dtype):
    if out.shape != shape or out.dtype != dtype or not out.flags.c_contiguous:
        raise ValueError(f"out must be a contiguous {dtype} array of shape {shape}, not {out.dtype} {out.shape}")
    return out


def fly_batch(sport: "Sport", launches: np.ndarray, times: np.ndarray, counts: np.ndarray, position: np.ndarray,
              velocity: np.ndarray | None = None, spin: np.ndarray | None = None,
              with_contacts: bool = False) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Fly balls on as many threads as help: status (B,), and contacts (N,) CONTACT_DTYPE, ordered by ball and time.

    See lanes.LaneTask for the arrays. position (B, T, 3) is written, and velocity and spin where they are given.
    In float32, balls that touch an edge, a rod or a ring are flown in float64: such contacts magnify rounding.
    """
    outputs, count = (position, velocity, spin), len(launches)
    if position.dtype == np.float32 and any(surface.kind == "ring" for surface in sport.surfaces):  # most would touch
        status, contacts = _fly_in_float64(sport, launches, times, counts, outputs, np.arange(count), with_contacts)
    else:
        status, contacts = _fly(sport, launches, times, counts, outputs, with_contacts)
        if len(at_edge := np.flatnonzero(status == AT_EDGE)):
            again = _fly_in_float64(sport, launches, times, counts, outputs, at_edge, with_contacts)
            status[at_edge] = again[0]
            contacts = np.concatenate([contacts[~np.isin(contacts["ball"], at_edge)], again[1]])
    return status, contacts[np.argsort(contacts["ball"], kind="stable")]


def _fly(sport, launches, times, counts, outputs, with_contacts):
    """Status and contacts of a batch in the precision of its outputs; in float32 balls may end AT_EDGE."""
    position, velocity, spin = outputs
    none, status = np.empty((0, 0, 0), position.dtype), np.empty(len(launches), np.int8)
    written = position.reshape(-1), none if velocity is None else velocity, none if spin is None else spin, status
    fixed = compile_lanes(sport, position.dtype.type), launches, times, counts, *written
    stops_at_edges = position.dtype == np.float32

    def work_chunk(first, last):
        size = 8 * (last - first) + 64 if with_contacts else 0
        while True:
            contacts = np.empty(size, CONTACT_DTYPE)
            found = lanes.fly_lanes(lanes.LaneTask(*fixed, contacts), first, last, stops_at_edges)
            if not with_contacts or found <= size:
                return contacts[: found if with_contacts else 0]
            size = found

    return status, np.concatenate(run_in_threads(work_chunk, len(launches), MIN_BALLS_PER_THREAD))


def _fly_in_float64(sport, launches, times, counts, outputs, balls, with_contacts):
    """Status and contacts of some of the balls (N,), flown in float64 from their launches, some at a time; `outputs`
    get the results."""
    statuses, lists = [], []
    for first in range(0, len(balls), FLOAT64_CHUNK):
        part = balls[first : first + FLOAT64_CHUNK]
        rows = times if len(times) == 1 else times[part // (len(launches) // len(times))]
        flown = [None if a is None else np.empty((len(part), *a.shape[1:])) for a in outputs]
        status, contacts = _fly(sport, launches[part], rows, counts[part], flown, with_contacts)
        for out, exact in zip(outputs, flown, strict=True):
            if out is not None:
                out[part] = exact
        contacts["ball"] = part[contacts["ball"]]
        statuses.append(status)
        lists.append(contacts)
    return np.concatenate(statuses), np.concatenate(lists)


def run_in_threads(work: Callable[[int, int], object], count: int, min_per_thread: int) -> list:
    """What work(first, last) returns for chunks of `count` balls, none smaller than min_per_thread, a thread each."""
    threads = int(os.environ.get("NUMBA_NUM_THREADS") or os.cpu_count() or 1)
    chunk_count = max(1, min(threads, count // min_per_thread))
    if chunk_count == 1:
        return [work(0, count)]
    cuts = np.linspace(0, count, chunk_count + 1).astype(int)
    with ThreadPoolExecutor(chunk_count) as pool:
        return list(pool.map(work, cuts[:-1], cuts[1:]))
