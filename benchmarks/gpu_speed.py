"""The engine on a GPU: python -m benchmarks.gpu_speed [--balls 4194304] [--reference FILE] [--tune]

Needs an NVIDIA GPU and the extra `gpu`. Every part prints its result at once; one that fails does not stop the next:

- agreement: 64 balls of each sport for five seconds, in float32 and float64, against the CPU's float64: whether their
  impacts are the same, and the largest distance. --reference keeps the balls and the CPU's flights in a file (.npz), so
  that a machine of few cores need not make them again;
- the speed of the launches of benchmarks.sim_speed, table tennis with table and floor, 200 frames at 180 Hz, positions
  alone, and the share of the memory's bandwidth (that of a copy within the GPU); in float64, and of all sports;
- a whole call of sim.simulate, and torch's view of its positions;
- sim.draw: tracks of one second a second, and agreement with the CPU;
- --tune: the same kernel with other sizes of blocks of threads, registers, steps, and with balls in another order.

Keys of the last line: gpu_ball_steps_per_second (float32, table tennis), gpu_float64_ball_steps_per_second,
gpu_bandwidth_share, gpu_tracks_per_second; of both precisions gpu_worst_mm_float32, gpu_same_impacts_float32 (sports).
"""

import contextlib
import json
import statistics
import time
import traceback
from collections.abc import Callable, Iterator
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


@dataclass
class Options:
    """The speed of the engine on a GPU, and its agreement with the CPU."""

    balls: int = 2**22
    """How many balls fly at once."""
    reference: Path | None = None
    """File (.npz) with the balls and the CPU's flights; it is made if it does not exist."""
    tune: bool = False
    """Try other sizes of blocks, registers and steps as well."""


def main() -> None:
    """The whole benchmark."""
    options = command.options(Options, "gpu_speed")
    reference = load_reference(options.reference)
    try:
        on_gpu("cuda")
        from ballcast.sim.cuda.engine import require_gpu

        require_gpu()
    except RuntimeError as error:
        command.fail("gpu_speed", error)
    with part("machine"):
        print_machine()
    with part("speed"):
        speed(reference, options.balls)
    with part("agreement in float32"):
        agreement(reference, np.float32)
    with part("call"):
        whole_call(reference, min(options.balls, 2**18))
    with part("draw"):
        draws(reference, min(options.balls, 2**18))
    if options.tune:
        tune(reference, options.balls)
    with part("sports"):
        all_sports(reference, options.balls)
    with part("agreement in float64"):
        agreement(reference, np.float64)
    print(json.dumps({name: float(f"{value:.5g}") for name, value in result.items()}))


@contextlib.contextmanager
def part(name: str) -> Iterator[None]:
    """Print what a part took, or why it failed, and go on."""
    start = time.perf_counter()
    try:
        yield
    except Exception:  # noqa: BLE001 - whatever it is, the next part may work
        print(f"{name} FAILED\n{traceback.format_exc()}", flush=True)
    print(f"[{name}: {time.perf_counter() - start:.1f} s]", flush=True)


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

    work()
    took = []
    for _ in range(rounds):
        start, end = cuda.event(), cuda.event()
        start.record()
        work()
        end.record()
        end.synchronize()
        took.append(1e-3 * start.elapsed_time(end))
    return statistics.median(took)


def steps_per_second(sport: sim.Sport, launches: np.ndarray, balls: int, dtype: type = np.float32, threads: int = 128,
                     with_velocity: bool = False, **constants: Any) -> float:  # fmt: skip
    """Ball-steps per second of the kernel, which writes positions of FRAMES frames."""
    from numba import cuda

    from ballcast.sim.cuda import engine
    from ballcast.sim.cuda.flight import BLOCK, fly_balls
    from ballcast.sim.kernels.compiled_sport import compile_sport

    times = np.arange(1, FRAMES + 1)[None] / RATE
    frames = engine.to_frames(times, dtype, constants.get("BLOCK", BLOCK))
    given = engine.to_device(np.resize(launches, (balls, 15)).T, dtype)
    arrays = (cuda.device_array((FRAMES, 3, balls), dtype) for _ in range(3 if with_velocity else 1))
    written = engine.written_to(*arrays)
    start = time.perf_counter()
    engine.fly_batch(sport, given, frames, written, threads=threads, **constants)
    cuda.synchronize()
    first = time.perf_counter() - start
    took = gpu_seconds(lambda: engine.fly_batch(sport, given, frames, written, threads=threads, **constants))
    options = {**constants, "DRAG_MODEL": compile_sport(sport).drag_model, "WITH_VELOCITY": with_velocity}
    kernel = engine.compiled(fly_balls, dtype, **options)
    with contextlib.suppress(AttributeError):  # the simulator has no registers
        registers, memory = kernel.get_regs_per_thread().values(), kernel.get_local_mem_per_thread().values()
        print(f"  {[*registers]} registers, {[*memory]} bytes of local memory a thread; compiled in {first:.1f} s, "
              f"flown in {1e3 * took:.2f} ms", flush=True)  # fmt: skip
    return balls * FRAMES / took


def speed(reference: dict[str, np.ndarray], balls: int) -> None:
    """Table tennis with table and floor, in both precisions."""
    sport, launches = ground("table_tennis"), reference["launches"]
    for dtype, size, name in ((np.float32, 12, "gpu_"), (np.float64, 24, "gpu_float64_")):
        found = steps_per_second(sport, launches, balls if size == 12 else balls // 4, dtype)
        result[f"{name}ball_steps_per_second"] = found
        share = size * found / result.get("gpu_copy_bytes_per_second", np.inf)
        result[f"{name}bandwidth_share"] = share
        print(f"{np.dtype(dtype)} {found / 1e9:.1f} billion ball-steps/s, {share:.0%} of the bandwidth", flush=True)


def all_sports(reference: dict[str, np.ndarray], balls: int) -> None:
    """Every sport with all its surfaces, float32."""
    for name in SPORTS:
        with part(name):
            found = steps_per_second(sim.load(name), reference[f"{name}_launches"], balls)
            print(f"{name} {found / 1e9:.1f} billion ball-steps/s", flush=True)
            result[f"gpu_{name}_ball_steps_per_second"] = found


def agreement(reference: dict[str, np.ndarray], dtype: type) -> None:
    """Impacts and positions against the CPU's float64."""
    same = worst = 0.0
    for name in SPORTS:
        with part(name):
            launches, truth = reference[f"{name}_launches"], reference[f"{name}_position"]
            flight: Any = sim.simulate(sim.load(name), *split(launches), CHECKED_TIMES, launches[:, 9:], dtype=dtype,
                                       device="cuda")  # fmt: skip
            error = 1e3 * np.linalg.norm(flight.position.copy_to_host() - truth, axis=2).max(1)
            impacts = {key: getattr(flight.impacts, key).copy_to_host() for key in ("ball", "surface", "time")}
            equal = all(np.array_equal(impacts[key], reference[f"{name}_{key}"]) for key in ("ball", "surface"))
            late = np.abs(impacts["time"] - reference[f"{name}_time"]).max(initial=0.0) if equal else np.nan
            print(f"{name}: same impacts {equal}, {len(impacts['ball'])} within {late:.2g} s; the worst positions "
                  f"within {np.sort(error)[-3:].round(4)} mm, median {np.median(error):.4f}", flush=True)  # fmt: skip
            same, worst = same + equal, max(worst, error.max())
    result[f"gpu_same_impacts_{np.dtype(dtype)}"], result[f"gpu_worst_mm_{np.dtype(dtype)}"] = same, worst


def whole_call(reference: dict[str, np.ndarray], balls: int) -> None:
    """sim.simulate from numpy arrays, with velocities, spins and impacts, and torch's view of the positions."""
    launches, times = np.resize(reference["launches"], (balls, 15)), np.arange(1, FRAMES + 1) / RATE
    for _ in range(2):
        start = time.perf_counter()
        flight: Any = sim.simulate(ground("table_tennis"), *split(launches), times, dtype=np.float32, device="cuda")
        position = flight.position.copy_to_host()
        took = time.perf_counter() - start
    print(f"a whole call, its positions copied back: {len(launches) * FRAMES / took / 1e9:.2f} billion ball-steps/s")
    import torch

    tensor = torch.as_tensor(flight.position, device="cuda")
    is_equal = np.array_equal(tensor[::1000].cpu().numpy(), position[::1000])
    print(f"torch: {tuple(tensor.shape)} {tensor.dtype} on {tensor.device}, without a copy "
          f"{tensor.data_ptr() == flight.position.__cuda_array_interface__['data'][0]}, equal {is_equal}")  # fmt: skip


def draws(reference: dict[str, np.ndarray], count: int) -> None:
    """Tracks a second of sim.draw, and how far they are from the CPU's."""
    from numba import cuda

    sport, options = sim.load("table_tennis"), {"seed": 1, "purpose": "test", "duration": 1.0, "device": "cuda"}
    took = []
    for _ in range(ROUNDS + 1):
        start = time.perf_counter()
        sim.draw(sport, count, **options)  # type: ignore[arg-type]
        cuda.synchronize()
        took.append(time.perf_counter() - start)
    result["gpu_tracks_per_second"] = count / statistics.median(took[1:])
    print(f"{result['gpu_tracks_per_second'] / 1e6:.2f} million tracks/s; {count} in {np.round(took, 4)} s", flush=True)
    for name in SPORTS:
        with part(f"draw {name}"):
            balls = sim.draw(sim.load(name), CHECKED_BALLS, **options)  # type: ignore[arg-type]
            differences = {}
            for key in DRAWN_FIELDS:
                mine, truth = getattr(balls, key).copy_to_host(), reference[f"{name}_draw_{key}"]
                same = mine.shape == truth.shape
                differences[key] = float(f"{np.abs(mine - truth).max():.2g}") if same else (mine.shape, truth.shape)
            print(name, differences, flush=True)


def tune(reference: dict[str, np.ndarray], balls: int) -> None:
    """Variants of the kernel, float32, table tennis."""
    sport, launches = ground("table_tennis"), reference["launches"]
    fast = np.linalg.norm(launches[:, 3:6], axis=1).argsort()
    equal = np.repeat(launches, 32, axis=0)  # no thread waits for another
    variants: dict[str, tuple[np.ndarray, dict[str, Any]]] = {
        **{f"{threads} threads": (launches, {"threads": threads}) for threads in (32, 64, 256)},
        "sorted by speed": (launches[fast], {}), "equal balls in a warp, a bound": (equal, {}),
        **{f"{n} registers": (launches, {"max_registers": n}) for n in (96, 80, 64)},
        "blocks of 1/8 s, steps as due": (launches, {"BLOCK": 0.125, "STRETCH": 1.0}),
        "blocks of 1/4 s, stretched by 2": (launches, {"BLOCK": 0.25, "STRETCH": 2.0}),
        "velocity and spin too": (launches, {"with_velocity": True}),
    }  # fmt: skip
    for name, (some, options) in variants.items():
        with part(name):
            count = balls // 4 if "with_velocity" in options else balls
            found = steps_per_second(sport, some, count, **options)
            print(f"{name}: {found / 1e9:.1f} billion ball-steps/s", flush=True)


if __name__ == "__main__":
    main()
