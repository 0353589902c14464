"""Checks of the GPU's code where there is no GPU; test_sim_cuda.py runs them in processes of their own.

python -m tests.cuda_checks simulate    kernels as Python functions, in numba's CUDA simulator, against the CPU
python -m tests.cuda_checks follow      the filter's kernels, a ball's lanes as threads of Python, against the CPU
python -m tests.cuda_checks compile     kernels to PTX, without a driver; numba-cuda's compiler must be installed

The last line is JSON.
"""

import contextlib
import json
import os
import re
import sys
import types
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

HOPPER = 9, 0
CONSTANT_BYTES = re.compile(r"^\.(?:visible |weak )?\.?const .*\[(\d+)\]", re.MULTILINE)  # of arrays, in PTX
BALLS, TIMES, DRAWN = 64, np.arange(1, 11) / 4.0, 4
FOLLOWED, FRAMES, BEFORE_CONTACT = 2, 9, 6  # balls that the filter follows, frames of them
RECENT_CONTACT = -21  # the feature that is 1 at a contact and falls from there


def simulate() -> dict[str, dict[str, float]]:
    """By sport: whether the impacts are the CPU's, how far positions (mm) and draws are from the CPU's."""
    os.environ["NUMBA_ENABLE_CUDASIM"] = "1"
    warnings.simplefilter("ignore", RuntimeWarning)  # whole numbers that wrap round, as those of random streams do
    from ballcast import sim

    found = {}
    for name in sim.names():
        sport = sim.load(name)
        balls = sim.draw(sport, BALLS, purpose="test", duration=0.1)
        launch = balls.launch_position, balls.launch_velocity, balls.launch_spin, TIMES, balls.parameters
        cpu, gpu = (sim.simulate(sport, *launch, device=device) for device in ("cpu", "cuda"))
        here, there = cpu.impacts, gpu.impacts
        keys = "ball", "surface"
        same = all(np.array_equal(getattr(here, k), getattr(there, k).copy_to_host()) for k in keys)
        late = np.abs(here.time - there.time.copy_to_host()).max(initial=0.0) if same else np.inf
        off = np.linalg.norm(gpu.position.copy_to_host() - cpu.position, axis=2).max()
        found[name] = {"same": float(same), "impacts": len(here), "late": late, "mm": 1e3 * off, **draws(sim, sport)}
    found["table_tennis"] |= futures(sim, sim.load("table_tennis"))
    return found


def follow() -> dict[str, float]:
    """How far a batch of the filter's features, with a ball's lanes as threads, is from the CPU's."""
    os.environ["NUMBA_ENABLE_CUDASIM"] = "1"
    warnings.simplefilter("ignore", RuntimeWarning)
    import torch

    from ballcast import sim
    from ballcast.models.encoding.features import make_frontend
    from ballcast.models.training import batches, device_beliefs
    from ballcast.models.training.device_batches import Sequences

    sport = sim.load("table_tennis").levelled()
    balls, frontend = sim.draw(sport, FOLLOWED, seed=3), make_frontend(sport, "filter")
    first = np.array([first_contact(balls, b) - BEFORE_CONTACT for b in range(FOLLOWED)])
    count, loss_frames = np.full(FOLLOWED, FRAMES), np.tile(np.arange(2, FRAMES, 3), (FOLLOWED, 1))
    rows, losses = first[:, None] + np.arange(FRAMES), first[:, None] + loss_frames
    times = balls.time[rows] - balls.time[first][:, None]
    sequences = Sequences(*map(torch.from_numpy, (times, balls.position[rows], count, loss_frames, first)))
    truth, future = batches.true_unknowns(balls, losses), batches.future_of(balls, balls.time[losses])
    on_device = device_beliefs.true_unknowns(balls, torch.from_numpy(losses))
    with emulated_gpu():
        followed = device_beliefs.follow(frontend, sequences)
    targets = (torch.from_numpy(a.copy()) for a in future)
    ours = device_beliefs.filter_batch(frontend, sequences, *followed, on_device, *targets)
    flat = batches.Sequences(balls.time, balls.position, first, count, loss_frames)
    wanted = batches.Targets(truth, future[0], None, *future[1:])
    theirs, *_ = batches.assemble(frontend, flat, wanted, batches.TARGET_LIMIT, FRAMES)
    found = {"sums": float(lanes_are_summed()), "contacts": float((theirs.features[:, -1, RECENT_CONTACT] > 0.1).sum())}
    for name in ("features", "times", "nominal", "truth", "active", "future", "has_landing", "landing"):
        mine, cpu = getattr(ours, name).numpy(), getattr(theirs, name)
        found[name] = float(np.abs(mine - cpu).max()) if mine.shape == np.broadcast_shapes(cpu.shape) else np.inf
        found[f"median {name}"] = float(np.median(np.abs(mine - cpu)))
    return found


def lanes_are_summed() -> bool:
    """Whether what the emulated GPU does in one exchange comes out of the GPU's own functions too."""
    from unittest import mock

    from ballcast.sim.cuda import lane_threads
    from tests.lane_emulation import Warp

    warp = Warp()
    with mock.patch.dict(lane_threads.PRIMITIVES, cuda=warp):
        precision = lane_threads.LanePrecision(np.float64, "none")
    lane, total, largest = map(precision.function, (lane_threads.lane, lane_threads.lane_sum, lane_threads.lane_max))
    found = warp.run(lambda: (total(0.1 * lane() ** 2), largest(-((lane() - 6.5) ** 2))), 0)
    return len(set(found)) == 1 and np.allclose(found[0], (124.0, -0.25))


@contextlib.contextmanager
def emulated_gpu() -> Iterator[None]:
    """With kernels of lanes run by lane_emulation.py."""
    from unittest import mock

    from ballcast.models.training import device_beliefs, device_filter
    from ballcast.sim.cuda import engine, lane_threads
    from tests.lane_emulation import Warp

    warp = Warp(1)

    def launch(kernel, count, threads, *arguments):
        if kernel.__name__ == "follow_balls":
            for ball in range(count // lane_threads.LANES):
                warp.run(kernel, ball, *arguments)
        else:
            for warp.thread in range(count):
                kernel(*arguments)

    sums = {"cuda": warp, "lane_sum": warp.lane_sum, "lane_max": warp.lane_max}
    patches = (mock.patch.dict(lane_threads.PRIMITIVES, sums),
               mock.patch.multiple(engine, launch=launch, borrow=lambda tensor: tensor.numpy()),
               mock.patch.object(device_filter, "cuda", types.SimpleNamespace(jit=lambda function: function)),
               mock.patch.object(device_beliefs, "_on_gpu", lambda value: value),
               mock.patch.object(lane_threads, "compact_code", contextlib.nullcontext))  # fmt: skip
    with contextlib.ExitStack() as stack:
        for patch in patches:
            stack.enter_context(patch)
        yield


def first_contact(balls: Any, b: int) -> int:
    """The row of the first frame of ball b after a contact."""
    velocity = balls.truth_velocity[balls.offsets[b] : balls.offsets[b + 1], 2]
    return int(balls.offsets[b] + 1 + np.flatnonzero(np.diff(velocity) > 0.5)[0])


def draws(sim: Any, sport: Any) -> dict[str, float]:
    """How far draws are from the CPU's: those that random integers decide, launches and sensors, and flights (mm)."""
    cpu, gpu = (sim.draw(sport, DRAWN, seed=3, duration=0.4, device=device) for device in ("cpu", "cuda"))
    differences = {}
    for name in vars(cpu):
        if name != "sport":
            there, here = getattr(gpu, name).copy_to_host(), getattr(cpu, name)
            differences[name] = np.abs(there - here).max() if there.shape == here.shape else np.inf
    flown = ("position", "truth_position", "truth_velocity", "truth_spin")
    return {"drawn": float(max(value for name, value in differences.items() if name not in flown)),
            "flown_mm": float(1e3 * max(differences["position"], differences["truth_position"]))}  # fmt: skip


def futures(sim: Any, sport: Any) -> dict[str, float]:
    """How far the positions (mm) and landings after some frames, for batches on a GPU, are from the CPU's."""
    import torch

    from ballcast.models.training.batches import future_of
    from ballcast.models.training.device_flights import device_future_of
    from ballcast.sim.cuda.dataset import draw_measured

    t = np.linspace(0.1, 0.5, 3) + np.zeros((DRAWN, 1))
    here, there = sim.draw(sport, DRAWN, seed=3), draw_measured(sport, DRAWN, 0, 3, "train")
    wanted, found = future_of(here, t), [a.numpy() for a in device_future_of(there, torch.from_numpy(t))]
    measured = float(1e3 * np.abs(there.position.copy_to_host() - here.position).max())
    return {"measured_mm": measured, "future_mm": float(1e3 * np.abs(found[0] - wanted[0]).max()),
            "landings": float(wanted[1].sum()),
            "same_landings": float((found[1] == wanted[1]).all()),
            "landing": float(np.abs((found[2] - wanted[2])[wanted[1]]).max())}  # fmt: skip


class HostArray(np.ndarray):
    """Stands for an array on the GPU."""

    def copy_to_host(self) -> np.ndarray:
        """Ones: so that there are contacts to note."""
        return np.ones_like(self)

    def is_c_contiguous(self) -> bool:
        """Whether it is."""
        return self.flags.c_contiguous


def compile_kernels() -> dict[str, int]:
    """By kernel and precision: how many lines of its PTX are of float64."""
    from numba import cuda
    from numba.cuda import dispatcher

    cuda.is_available = lambda: True
    cuda.device_array = lambda shape, dtype=float: np.zeros(shape, dtype).view(HostArray)
    cuda.to_device = lambda a: a.view(HostArray)
    dispatcher.get_current_device = lambda: types.SimpleNamespace(compute_capability=HOPPER)

    from ballcast import sim
    from ballcast.sim.cuda import engine, memory

    lines: dict[str, int] = {}
    compiled: dict[Any, str] = {}

    def compile_in_place_of_launch(kernel, count, threads, *arguments):
        kinds = tuple(numba_type(a) for a in arguments)
        is_single = bool(kernel.targetoptions["fastmath"])
        if (kernel, kinds) not in compiled:
            compiled[kernel, kinds], _ = cuda.compile_ptx(kernel.py_func, kinds, cc=HOPPER, fastmath=is_single)
            name = f"{kernel.py_func.__name__} {'float32' if is_single else 'float64'}"
            lines[name] = lines.get(name, 0) + sum(".f64" in line for line in compiled[kernel, kinds].splitlines())

    memory.empty = cuda.device_array
    engine.launch, engine.require_memory = compile_in_place_of_launch, lambda *arguments: None
    launch = (np.ones((2, 3)),) * 3
    for name in ("table_tennis", "golf", "soccer", "baseball"):  # each drag model
        sim.simulate(sim.load(name), *launch, [0.1], dtype=np.float32, device="cuda", out=engine.empty(2, 1))
    sim.draw(sim.load("golf"), 2, device="cuda")
    engine.borrow = lambda tensor: tensor.numpy().view(HostArray)
    follow_two_balls()
    constants = sum(int(size) for ptx in compiled.values() for size in CONSTANT_BYTES.findall(ptx))
    return lines | {"constants": constants}


def follow_two_balls() -> None:
    """Run the filter on what is taken for a GPU."""
    import torch

    from ballcast import sim
    from ballcast.models.encoding.features import make_frontend
    from ballcast.models.training.device_batches import Sequences
    from ballcast.models.training.device_beliefs import follow

    time, none = torch.zeros(2, 3, dtype=torch.float64), torch.zeros(2, dtype=torch.int64)
    sequences = Sequences(time, torch.zeros(2, 3, 3), none, torch.zeros(2, 4, dtype=torch.int64), none)
    follow(make_frontend(sim.load("table_tennis"), "filter"), sequences)


def numba_type(value: Any) -> Any:
    """The type of a kernel's argument, with arrays of numpy for those on the GPU."""
    from numba.cuda.typing.typeof import Purpose, typeof

    def plain(value):
        if isinstance(value, tuple):
            return type(value)(*map(plain, value)) if hasattr(value, "_fields") else tuple(map(plain, value))
        return np.asarray(value) if isinstance(value, HostArray) else value

    return typeof(plain(value), Purpose.argument)


if __name__ == "__main__":
    print(json.dumps({"simulate": simulate, "follow": follow, "compile": compile_kernels}[sys.argv[1]]()))
