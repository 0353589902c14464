"""A batch of balls on the GPU: checks, memory, kernels. See sim/engine.py, whose `simulate` hands over to this one."""

import functools
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import cuda
from numpy.typing import ArrayLike

from ballcast.sim.cuda import memory
from ballcast.sim.cuda.arrays import DeviceArray, in_memory_order
from ballcast.sim.cuda.device_functions import SIMULATED, Precision
from ballcast.sim.cuda.flight import BLOCK, Contacts, Frames, Written, fly_balls
from ballcast.sim.engine import Flight, Impacts, check_times, pack_launches
from ballcast.sim.kernels.aerodynamics import aero_coefficients
from ballcast.sim.kernels.compiled_sport import SURFACE_DTYPE, CompiledSport, compile_sport

if TYPE_CHECKING:
    from ballcast.sim.sport import Sport

THREADS = 128  # of a block
BOX_MARGIN = 1e-4  # m: more than float32 rounds a place by
FARTHEST = 1e15  # m, in place of infinity: its square is a number in float32
CACHE_SIZE = 512  # sports
GIGABYTE = 1e9
BALLS_FIRST = 2, 0, 1  # of the axes (T, 3, B) in memory, as (B, T, 3)


def simulate(sport: "Sport", position: ArrayLike, velocity: ArrayLike, spin: ArrayLike, times: ArrayLike,
             parameters: ArrayLike | None, dtype: np.dtype, out: Any = None) -> Flight:  # fmt: skip
    """As engine.simulate, whose fields are arrays on the GPU here; `out`: see `empty`."""
    require_gpu()
    launches = pack_launches(position, velocity, spin, parameters)
    times = check_times(times, len(launches))
    shape = times.shape[1], 3, len(launches)
    require_memory(shape, dtype, (3 if out is None else 0) + (len(times) > 1))
    frames, launches = to_frames(times, dtype.type), to_device(launches.T, dtype.type)
    if out is not None:
        written = written_to(_checked(out, shape, dtype))
        fly_batch(sport, launches, frames, written)
        return Flight(out, None, None, None, written.status)
    written, contacts = fly_noting(sport, launches, frames, with_velocity=True)
    position, velocity, spin = (_balls_first(a) for a in (written.position, written.velocity, written.spin))
    return Flight(position, velocity, spin, _impacts(contacts), written.status)


def fly_noting(sport: "Sport", launches: Any, frames: Frames, with_velocity: bool) -> tuple[Written, Contacts]:
    """Fly balls: launches (LAUNCH_SIZE, B) on the GPU. What is written, and all contacts, ordered by ball and time."""
    shape, dtype = (frames.blocks.shape[0], 3, launches.shape[1]), launches.dtype
    written = written_to(*(memory.empty(shape, dtype) for _ in range(3 if with_velocity else 1)))
    fly_batch(sport, launches, frames, written)
    contacts = _room(written.contact_counts.copy_to_host(), dtype)
    if contacts.are_noted:  # the same flights again: now it is known where each ball's contacts go
        fly_batch(sport, launches, frames, written, contacts)
    return written, contacts


def empty(balls: int, frames: int, dtype: type = np.float32) -> Any:
    """An array (B, T, 3) on the GPU for `out` of simulate: in memory, frames come first and balls last."""
    require_gpu()
    return _balls_first(memory.empty((frames, 3, balls), dtype))


def require_gpu() -> None:
    """RuntimeError, where there is no GPU to use."""
    if not cuda.is_available():
        raise RuntimeError("device 'cuda' needs an NVIDIA GPU and its driver, and finds none: leave it out for the CPU")


def require_memory(shape: tuple[int, int, int], dtype: np.dtype, arrays: int) -> None:
    """ValueError, where so many arrays of T frames of B balls, (T, 3, B), do not fit the GPU's free memory."""
    free = memory.free_bytes()
    needed = 1.1 * arrays * np.prod(shape, dtype=float) * dtype.itemsize
    if needed > free:
        raise ValueError(f"{shape[2]} balls of {shape[0]} frames need {needed / GIGABYTE:.1f} GB on the GPU, which has "
                         f"{free / GIGABYTE:.1f} GB free: fewer at a time")  # fmt: skip


def fly_batch(sport: "Sport", launches: Any, frames: Frames, written: Written, contacts: Contacts | None = None,
              threads: int = THREADS, **options: Any) -> None:  # fmt: skip
    """Fly balls: launches (LAUNCH_SIZE, B) on the GPU; options: of `compiled`. Contacts are counted or noted."""
    dtype, count = launches.dtype.type, launches.shape[1]
    with_velocity = written.velocity is not written.position
    options |= {"DRAG_MODEL": compile_sport(sport).drag_model, "WITH_VELOCITY": with_velocity}
    given, kernel = device_sport(sport, dtype), compiled(fly_balls, dtype, **options)
    contacts = _no_room(dtype) if contacts is None else contacts
    launch(kernel, count, threads, given, launches, frames, written, contacts)


def launch(kernel: Any, count: int, threads: int, *arguments: Any) -> None:
    """Run a kernel of `count` threads, so many of them to a block."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*Grid size")  # a few balls do not fill a large GPU
        kernel[-(-count // threads), threads](*arguments)


@functools.cache
def compiled(kernel: Callable, dtype: type, max_registers: int | None = None, **constants: Any) -> Any:
    """A kernel, a Python function, in a precision; it is compiled at its first call. constants: see Precision."""
    options = {} if SIMULATED else {"max_registers": max_registers}
    return cuda.jit(Precision(dtype, **constants).function(kernel), fastmath=dtype is np.float32, **options)


@functools.lru_cache(CACHE_SIZE)
def device_sport(sport: "Sport", dtype: type) -> CompiledSport:
    """The constants of a Sport in a precision, its arrays on the GPU."""
    numbers = sport_numbers(sport, dtype)
    surfaces, boxes, is_landing = (cuda.to_device(a) for a in (numbers.surfaces, numbers.boxes, numbers.is_landing))
    return numbers._replace(surfaces=surfaces, boxes=boxes, is_landing=is_landing)


def sport_numbers(sport: "Sport", dtype: type) -> CompiledSport:
    """The constants of a Sport in a precision, without infinities."""
    given = compile_sport(sport)
    kind = np.dtype([(name, dtype, SURFACE_DTYPE[name].shape) for name in SURFACE_DTYPE.names or ()], align=True)
    surfaces = np.zeros(len(given.surfaces), kind)
    for name in kind.names or ():
        surfaces[name] = np.clip(given.surfaces[name], -FARTHEST, FARTHEST)
    boxes = given.boxes + BOX_MARGIN * np.repeat([-1.0, 1.0], 3)
    boxes, (model, aero) = np.clip(boxes, -FARTHEST, FARTHEST).astype(dtype), aero_coefficients(sport, dtype)
    return CompiledSport(model, aero, dtype(given.radius), dtype(given.inertia), surfaces, boxes, given.is_landing)


def to_device(array: np.ndarray, dtype: type) -> Any:
    """A contiguous copy on the GPU."""
    return cuda.to_device(np.ascontiguousarray(array, dtype))


def borrow(tensor: Any) -> Any:
    """An array of torch's on the GPU as one of numba's, without a copy; in numba's simulator, a copy."""
    return cuda.to_device(tensor.numpy()) if SIMULATED else cuda.as_cuda_array(tensor)


def to_frames(times: np.ndarray, dtype: type, block: float = BLOCK) -> Frames:
    """Times (N, T) s as Frames on the GPU, for a kernel with blocks of that length (s); N is 1 or B."""
    blocks = np.floor(times.T / block)
    counts = cuda.to_device(np.full(len(times), times.shape[1], np.int32))
    return Frames(to_device(blocks, dtype), to_device(times.T - block * blocks, dtype), counts)


def written_to(position: Any, velocity: Any = None, spin: Any = None) -> Written:
    """The arrays (T, 3, B) as Written, with room for the rest."""
    count = position.shape[2]
    vectors = position, position if velocity is None else velocity, position if spin is None else spin
    return Written(*vectors, memory.empty(count, np.int8), memory.empty(count, np.int32))


def _room(counts, dtype):
    """Contacts with room for so many of each ball."""
    first, total = np.cumsum(counts, dtype=np.int64) - counts, int(counts.sum())
    whole = (memory.empty(total, np.int32) for _ in range(2))
    return Contacts(int(total > 0), cuda.to_device(first), *whole, memory.empty((16, total), dtype))


@functools.cache
def _no_room(dtype):
    """Contacts that are only counted."""
    whole = memory.empty(1, np.int32)
    return Contacts(0, memory.empty(1, np.int64), whole, whole, memory.empty((16, 1), dtype))


def _balls_first(array) -> Any:
    return DeviceArray(array, BALLS_FIRST)


def _impacts(contacts):
    """The Impacts, views of Contacts."""
    numbers = contacts.numbers
    if not contacts.are_noted:
        none, no_times = memory.empty((0, 3), numbers.dtype), memory.empty(0, numbers.dtype)
        return Impacts(contacts.ball, no_times, none, contacts.surface, none, none, none, none)
    vectors = (DeviceArray(numbers[row : row + 3], (1, 0)) for row in range(1, 16, 3))
    position, velocity_before, velocity_after, spin_before, spin_after = vectors
    velocity, spin = (velocity_before, velocity_after), (spin_before, spin_after)
    return Impacts(contacts.ball, numbers[0], position, contacts.surface, *velocity, *spin)


def _checked(out, shape, dtype):
    """The array of `out` as the kernel takes it, (T, 3, B). ValueError says what does not fit."""
    base = in_memory_order(out, BALLS_FIRST, dtype)
    if base is None or base.shape != shape:
        raise ValueError(f"out must be a {dtype} array {(shape[2], shape[0], 3)} on the GPU, the ball being the last "
                         "of its axes in memory, as sim.cuda.engine.empty makes")  # fmt: skip
    return base
