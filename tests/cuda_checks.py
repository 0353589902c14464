"""Checks of the GPU's code where there is no GPU; test_sim_cuda.py runs them in processes of their own.

python -m tests.cuda_checks simulate    kernels as Python functions, in numba's CUDA simulator, against the CPU
python -m tests.cuda_checks compile     kernels to PTX, without a driver; numba-cuda's compiler must be installed

The last line is JSON.
"""

import json
import os
import re
import sys
import types
import warnings
from typing import Any

import numpy as np

HOPPER = 9, 0
CONSTANT_BYTES = re.compile(r"^\.(?:visible |weak )?\.?const .*\[(\d+)\]", re.MULTILINE)  # of arrays, in PTX
BALLS, TIMES, DRAWN = 64, np.arange(1, 11) / 4.0, 4


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
    print(json.dumps({"simulate": simulate, "compile": compile_kernels}[sys.argv[1]]()))
