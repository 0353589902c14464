"""The engine on a GPU: python -m benchmarks.gpu_speed [--balls 4194304] [--reference FILE] [--tune]

Needs an NVIDIA GPU and the extra `gpu`. Every part prints its result at once; one that fails does not stop the next.
Kernels take seconds to compile, so parts run in processes of their own beside each other; one at a time is measured.

- the speed of the launches of benchmarks.sim_speed, table tennis with table and floor, 200 frames at 180 Hz, positions
  alone, and the share of the memory's bandwidth (that of a copy within the GPU); in float64, and of all sports;
- sim.draw: tracks of one second a second, and what its kernels take; a whole call of sim.simulate, and torch's view;
- agreement of every sport: 64 balls for five seconds, in float32 and float64, against the CPU's float64: whether their
  impacts are the same, and the largest distance; and of draws. --reference keeps the balls and the CPU's flights in a
  file (.npz), so that a machine of few cores need not make them again;
- --tune: the same kernel with other numbers of threads, registers, frames and steps of a turn, and with balls in
  another order.

Keys of the last line: gpu_ball_steps_per_second (float32, table tennis), gpu_float64_ball_steps_per_second,
gpu_bandwidth_share, gpu_tracks_per_second; by sport gpu_SPORT_ball_steps_per_second; gpu_worst_mm_float32,
gpu_same_impacts_float32 (sports), and these in float64.
"""

import contextlib
import gc
import io
import json
import multiprocessing
import statistics
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ballcast import command, sim
from ballcast.sim.engine import on_gpu

FRAMES, RATE, ROUNDS, DRAWN = 200, 180.0, 5, 20_000
CHECKED_BALLS, CHECKED_TIMES = 64, np.arange(1, 41) / 8.0
SPORTS = tuple(sim.names())
result: dict[str, float] = {}
state: dict[str, Any] = {"lock": contextlib.nullcontext()}


@dataclass
class Options:
    """The speed of the engine on a GPU, and its agreement with the CPU."""

    balls: int = 2**22
    """How many balls fly at once."""
    reference: Path | None = None
    """File (.npz) with the balls and the CPU's flights; it is made if it does not exist."""
    tune: bool = False
    """Try other sizes of blocks, registers, turns and steps as well."""
    processes: int = 14
    """How many processes compile beside each other."""


def main() -> None:
    """The whole benchmark."""
    options = command.options(Options, "gpu_speed")
    file = options.reference or Path(tempfile.mkdtemp()) / "reference.npz"
    load_reference(file)
    try:
        on_gpu("cuda")
        from ballcast.sim.cuda.engine import require_gpu

        require_gpu()
    except RuntimeError as error:
        command.fail("gpu_speed", error)
    few = min(options.balls, 2**20)
    tasks: list[tuple] = [("speed", options.balls), ("draw", min(options.balls, 2**18)), ("float64", few),
                          ("call", min(options.balls, 2**18))]  # fmt: skip
    tasks += [(kind, name, few) for kind in ("sport", "agreement") for name in SPORTS]
    tasks += [("variant", name, few) for name in VARIANTS] if options.tune else []
    context = multiprocessing.get_context("spawn")
    found: dict[str, list[float]] = {}
    own = context, begin_work, (context.Lock(), file)
    with ProcessPoolExecutor(options.processes, *own, max_tasks_per_child=1) as pool:  # an error may spoil a process
        for numbers in pool.map(work, tasks):
            for key, value in numbers.items():
                found.setdefault(key, []).append(value)
    joined = {key: joined_by(key)(values) for key, values in found.items()}
    print(json.dumps({name: float(f"{value:.5g}") for name, value in joined.items()}))


def joined_by(key: str) -> Callable[[list[float]], float]:
    """How the numbers of several sports become one."""
    return sum if key.startswith("gpu_same") else max


def begin_work(lock: Any, file: Path) -> None:
    """Begin a process of the pool, which measures while it holds the lock."""
    state["lock"], state["reference"] = lock, load_reference(file)


def work(task: tuple) -> dict[str, float]:
    """The numbers of one part."""
    kind, *arguments = task
    result.clear()
    with part(" ".join(map(str, task))):
        PARTS[kind](state["reference"], *arguments)
        release()
    return dict(result)


def release() -> None:
    """Leave the GPU's memory to the other processes."""
    from numba import cuda

    from ballcast.sim.cuda import engine, memory

    gc.collect()
    engine.device_sport.cache_clear()
    memory.release()
    with contextlib.suppress(AttributeError):  # the simulator has none
        cuda.current_context().memory_manager.deallocations.clear()


@contextlib.contextmanager
def part(name: str) -> Iterator[None]:
    """Print what a part took and printed, or why it failed, and go on."""
    start, text = time.perf_counter(), io.StringIO()
    try:
        with contextlib.redirect_stdout(text):
            yield
    except Exception:  # noqa: BLE001 - whatever it is, the next part may work
        text.write(f"{name} FAILED\n{traceback.format_exc()}")
    print(f"{text.getvalue()}[{name}: {time.perf_counter() - start:.1f} s]", flush=True)


# balls, and what the CPU says of them


def load_reference(file: Path | None) -> dict[str, np.ndarray]:
    """Launches and flights of the CPU's float64, by sport, from the file or made anew."""
    if file is not None and file.exists():
        return dict(np.load(file))
    made: dict[str, np.ndarray] = {"launches": drawn_launches(ground("table_tennis"), DRAWN)}
    for name in SPORTS:
        sport = sim.load(name)
        launches = drawn_launches(sport, CHECKED_BALLS)
        flight = sim.simulate(sport, *split(launches), CHECKED_TIMES, launches[:, 9:])
        made |= {f"{name}_launches": launches, f"{name}_position": flight.position}
        made |= {f"{name}_{key}": getattr(flight.impacts, key) for key in ("ball", "surface", "time")}
        balls = sim.draw(sport, CHECKED_BALLS, seed=1, purpose="test", duration=1.0)
        made |= {f"{name}_draw_{key}": getattr(balls, key) for key in DRAWN_FIELDS}
    if file is not None:
        np.savez_compressed(file, **made)  # type: ignore[arg-type]
    return made


DRAWN_FIELDS = ("offsets", "time", "position", "truth_position", "truth_velocity", "truth_spin", "launch_position",
                "launch_velocity", "launch_spin", "parameters", "rate", "noise", "jitter", "outlier", "drift",
                "frame")  # fmt: skip


def ground(name: str) -> sim.Sport:
    """A sport with table and floor alone."""
    sport = sim.load(name)
    return sport.replace(surfaces=tuple(s for s in sport.surfaces if s.name in ("table", "floor")))


def drawn_launches(sport: sim.Sport, count: int) -> np.ndarray:
    """Launches (B, 15) of a sport's test set."""
    balls = sim.draw(sport, count, purpose="test", duration=0.1)
    return np.hstack([balls.launch_position, balls.launch_velocity, balls.launch_spin, balls.parameters])


def split(launches: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Position, velocity and spin of launches (B, 15)."""
    return launches[:, :3], launches[:, 3:6], launches[:, 6:9]


# the GPU's part


def print_machine() -> None:
    """What runs here, and the bandwidth of a copy within the GPU (read and written)."""
    import importlib.metadata
    import platform

    from numba import cuda

    device = cuda.get_current_device()
    versions = (f"{name} {importlib.metadata.version(name)}" for name in ("numba", "numba-cuda", "numpy"))
    name = getattr(device, "name", "a simulated GPU")
    print(name, f"capability {device.compute_capability}; Python {platform.python_version()},", *versions)
    source = cuda.device_array(2**30, np.float32)
    target = cuda.device_array(2**30, np.float32)
    result["gpu_copy_bytes_per_second"] = 2 * source.nbytes / gpu_seconds(lambda: target.copy_to_device(source))
    print(f"a copy moves {result['gpu_copy_bytes_per_second'] / 1e9:,.0f} GB/s")


def gpu_seconds(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    """The median time of what is launched on the GPU, after a first round."""
    from numba import cuda

    took = []
    for _ in range(rounds + 1):
        start, end = cuda.event(), cuda.event()
        start.record()
        work()
        end.record()
        end.synchronize()
        took.append(1e-3 * start.elapsed_time(end))
    return statistics.median(took[1:])


def steps_per_second(sport: sim.Sport, launches: np.ndarray, balls: int, dtype: type = np.float32, threads: int = 128,
                     with_velocity: bool = False, **constants: Any) -> float:  # fmt: skip
    """Ball-steps per second of the kernel, which writes positions of FRAMES frames."""
    from numba import cuda

    from ballcast.sim.cuda import engine, memory
    from ballcast.sim.cuda.flight import fly_balls
    from ballcast.sim.kernels.compiled_sport import compile_sport

    times = np.arange(1, FRAMES + 1)[None] / RATE

    columns = np.ascontiguousarray(np.resize(launches, (balls, 15)).T, dtype)

    def fly(count):
        frames = engine.to_frames(times, dtype)
        given = engine.to_device(columns[:, :count], dtype)
        arrays = (memory.empty((FRAMES, 3, count), dtype) for _ in range(3 if with_velocity else 1))
        written = engine.written_to(*arrays)
        return lambda: engine.fly_batch(sport, given, frames, written, threads=threads, **constants)

    start = time.perf_counter()
    fly(threads)()  # compiles
    cuda.synchronize()
    first = time.perf_counter() - start
    with state["lock"]:
        took = gpu_seconds(fly(balls))
        release()
    options = {**constants, "DRAG_MODEL": compile_sport(sport).drag_model, "WITH_VELOCITY": with_velocity}
    kernel = engine.compiled(fly_balls, dtype, **options)
    with contextlib.suppress(AttributeError):  # the simulator has no registers
        registers, memory = kernel.get_regs_per_thread().values(), kernel.get_local_mem_per_thread().values()
        print(f"  {[*registers]} registers, {[*memory]} bytes of local memory a thread; compiled in {first:.1f} s, "
              f"flown in {1e3 * took:.2f} ms", flush=True)  # fmt: skip
    return balls * FRAMES / took


def speed(reference: dict[str, np.ndarray], balls: int) -> None:
    """Table tennis with table and floor, float32."""
    with state["lock"]:
        print_machine()
        release()
    found = steps_per_second(ground("table_tennis"), reference["launches"], balls)
    share = 12 * found / result["gpu_copy_bytes_per_second"]
    result["gpu_ball_steps_per_second"], result["gpu_bandwidth_share"] = found, share
    print(f"float32 {found / 1e9:.1f} billion ball-steps/s, {share:.0%} of the bandwidth")


def float64_speed(reference: dict[str, np.ndarray], balls: int) -> None:
    """The same in float64."""
    found = steps_per_second(ground("table_tennis"), reference["launches"], balls, np.float64)
    result["gpu_float64_ball_steps_per_second"] = found
    print(f"float64 {found / 1e9:.1f} billion ball-steps/s")


def sport_speed(reference: dict[str, np.ndarray], name: str, balls: int) -> None:
    """A sport with all its surfaces, float32."""
    found = steps_per_second(sim.load(name), reference[f"{name}_launches"], balls)
    print(f"{name} {found / 1e9:.1f} billion ball-steps/s")
    result[f"gpu_{name}_ball_steps_per_second"] = found


def agreement(reference: dict[str, np.ndarray], name: str, _: int) -> None:
    """Impacts and positions of a sport, in both precisions, and draws, against the CPU's."""
    launches, truth = reference[f"{name}_launches"], reference[f"{name}_position"]
    for dtype in (np.float32, np.float64):
        flight: Any = sim.simulate(sim.load(name), *split(launches), CHECKED_TIMES, launches[:, 9:], dtype=dtype,
                                   device="cuda")  # fmt: skip
        error = 1e3 * np.linalg.norm(flight.position.copy_to_host() - truth, axis=2).max(1)
        impacts = {key: getattr(flight.impacts, key).copy_to_host() for key in ("ball", "surface", "time")}
        equal = all(np.array_equal(impacts[key], reference[f"{name}_{key}"]) for key in ("ball", "surface"))
        late = np.abs(impacts["time"] - reference[f"{name}_time"]).max(initial=0.0) if equal else np.nan
        print(f"{name} {np.dtype(dtype)}: same impacts {equal}, {len(impacts['ball'])} within {late:.2g} s; the worst "
              f"positions within {np.sort(error)[-3:].round(4)} mm, median {np.median(error):.4f}")  # fmt: skip
        result[f"gpu_same_impacts_{np.dtype(dtype)}"] = equal
        result[f"gpu_worst_mm_{np.dtype(dtype)}"] = error.max()
    balls, differences = sim.draw(sim.load(name), CHECKED_BALLS, **DRAW_OPTIONS), {}  # type: ignore[arg-type]
    for key in DRAWN_FIELDS:
        mine, wanted = getattr(balls, key).copy_to_host(), reference[f"{name}_draw_{key}"]
        same = mine.shape == wanted.shape
        differences[key] = float(f"{np.abs(mine - wanted).max():.2g}") if same else (mine.shape, wanted.shape)
    print("draws of", name, differences)


def whole_call(reference: dict[str, np.ndarray], balls: int) -> None:
    """sim.simulate from numpy arrays, with velocities, spins and impacts, and torch's view of the positions."""
    launches, times = np.resize(reference["launches"], (balls, 15)), np.arange(1, FRAMES + 1) / RATE
    options: dict[str, Any] = {"dtype": np.float32, "device": "cuda"}
    sim.simulate(ground("table_tennis"), *split(launches[:2]), times, **options)  # compiles
    with state["lock"]:
        for _ in range(2):
            start = time.perf_counter()
            flight: Any = sim.simulate(ground("table_tennis"), *split(launches), times, **options)
            position = flight.position.copy_to_host()
            took = time.perf_counter() - start
    print(f"a whole call, its positions copied back: {len(launches) * FRAMES / took / 1e9:.2f} billion ball-steps/s")
    import torch

    tensor = torch.as_tensor(flight.position, device="cuda")
    is_equal = np.array_equal(tensor[::1000].cpu().numpy(), position[::1000])
    print(f"torch: {tuple(tensor.shape)} {tensor.dtype} on {tensor.device}, without a copy "
          f"{tensor.data_ptr() == flight.position.__cuda_array_interface__['data'][0]}, equal {is_equal}")  # fmt: skip


DRAW_OPTIONS = {"seed": 1, "purpose": "test", "duration": 1.0, "device": "cuda"}


def draws(_: dict[str, np.ndarray], count: int) -> None:
    """Tracks a second of sim.draw, and what its kernels take."""
    from numba import cuda

    from ballcast.sim.cuda import engine

    sport, took, kernels = sim.load("table_tennis"), [], []
    sim.draw(sport, 2, **DRAW_OPTIONS)  # type: ignore[arg-type] # compiles
    launch = engine.launch

    def timed(kernel, *arguments):
        events = cuda.event(), cuda.event()
        events[0].record()
        launch(kernel, *arguments)
        events[1].record()
        kernels.append((kernel.py_func.__name__, *events))

    with state["lock"]:
        for _ in range(ROUNDS + 2):
            start = time.perf_counter()
            sim.draw(sport, count, **DRAW_OPTIONS)  # type: ignore[arg-type]
            cuda.synchronize()
            took.append(time.perf_counter() - start)
        engine.launch = timed
        sim.draw(sport, count, **DRAW_OPTIONS)  # type: ignore[arg-type]
        cuda.synchronize()
    engine.launch = launch
    result["gpu_tracks_per_second"] = count / statistics.median(took[2:])
    print(f"{result['gpu_tracks_per_second'] / 1e6:.2f} million tracks/s; {count} in {np.round(took, 4)} s")
    print("kernels, ms:", ", ".join(f"{name} {a.elapsed_time(b):.2f}" for name, a, b in kernels))


VARIANTS: dict[str, dict[str, Any]] = {
    "as it is": {},
    **{f"{threads} threads": {"threads": threads} for threads in (64, 256)},
    **{f"{n} registers": {"max_registers": n} for n in (128, 96, 80)},
    **{f"turns of {n} frames, {m} steps": {"TURN_FRAMES": n, "TURN_STEPS": m}
       for n, m in ((32, 12), (64, 12), (128, 24), (200, 32))},
    "turns of 200 frames, 32 steps, 128 registers": {"TURN_FRAMES": 200, "TURN_STEPS": 32, "max_registers": 128},
    "sorted by speed": {}, "equal balls in a warp, a bound": {}, "velocity and spin too": {"with_velocity": True},
}  # fmt: skip


def variant(reference: dict[str, np.ndarray], name: str, balls: int) -> None:
    """A variant of the kernel, float32, table tennis."""
    launches = reference["launches"]
    if name.startswith("sorted"):
        launches = launches[np.linalg.norm(launches[:, 3:6], axis=1).argsort()]
    if name.startswith("equal"):
        launches = np.repeat(launches, 32, axis=0)  # no thread waits for another
    found = steps_per_second(ground("table_tennis"), launches, balls, **VARIANTS[name])
    print(f"{name}: {found / 1e9:.1f} billion ball-steps/s")


PARTS: dict[str, Callable] = {"speed": speed, "float64": float64_speed, "draw": draws, "call": whole_call,
                              "sport": sport_speed, "agreement": agreement, "variant": variant}  # fmt: skip

if __name__ == "__main__":
    main()
