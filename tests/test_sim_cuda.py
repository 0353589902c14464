"""The engine on a GPU: in numba's CUDA simulator, and compiled without a driver; and what it says where it cannot run.

The simulator runs kernels as Python functions, so it checks the event loop and the arrays, not the arithmetic of a GPU:
python -m benchmarks.gpu_speed does that where there is one.
"""

import importlib.util
import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from ballcast import sim

ROOT = Path(__file__).parents[1]
LAUNCH = [[0.0, 0.0, 1.0]], [[0.0, 3.0, 0.0]], [[0.0, 0.0, 0.0]], [0.1]
MAX_CONSTANTS = 65_536  # bytes of the memory of constants, of all kernels that use any
HAS_NUMBA_CUDA = importlib.util.find_spec("numba_cuda") is not None
needs_numba_cuda = pytest.mark.skipif(not HAS_NUMBA_CUDA, reason="numba-cuda is not installed (extra gpu)")


def check(name: str) -> dict:
    """What a check of cuda_checks.py prints, run in a process of its own."""
    done = subprocess.run([sys.executable, "-m", "tests.cuda_checks", name], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@needs_numba_cuda
def test_the_gpu_has_the_flights_and_draws_of_the_cpu():
    found = check("simulate")
    assert set(found) == set(sim.names())
    assert sum(sport["impacts"] for sport in found.values()) > 2000
    for name, sport in found.items():
        assert sport["same"], name
        assert sport["mm"] < 1.0 and sport["late"] < 1e-4, (name, sport)
        assert sport["drawn"] < 1e-6 and sport["flown_mm"] < 1.0, (name, sport)
    batch = found["table_tennis"]
    assert batch["landings"] > 0 and batch["same_landings"], batch
    assert batch["measured_mm"] < 1.0 and batch["future_mm"] < 1.0 and batch["landing"] < 1e-3, batch


@needs_numba_cuda
def test_the_filter_on_the_gpu_is_that_of_the_cpu():
    found = check("follow")  # in standard deviations and dimensionless features, over contacts too
    assert found["times"] == found["active"] == found["has_landing"] == 0.0
    for name in ("features", "nominal", "truth", "future", "landing"):
        assert found[name] < 5e-3 and found[f"median {name}"] < 2e-5, (name, found)
    assert found["sums"] and found["contacts"] == 2


@needs_numba_cuda
def test_kernels_compile_and_those_in_float32_have_no_float64():
    pytest.importorskip("cuda.pathfinder")
    nvvm = pytest.importorskip("numba.cuda.cudadrv.nvvm")
    try:
        nvvm.NVVM()
        importlib.import_module("numba.cuda.cudadrv.nvrtc").get_supported_ccs()
    except Exception as error:  # noqa: BLE001 - of whatever kind: the compiler is not there
        pytest.skip(f"numba-cuda's compiler is not installed (nvidia-nvvm, nvidia-cuda-nvrtc): {type(error).__name__}")
    lines = check("compile")
    assert lines.pop("constants") < MAX_CONSTANTS
    names = {"fly_balls", "initialise_balls", "measure_balls", "collect_balls", "follow_balls", "fly_nominal"}
    assert names == {name.split()[0] for name in lines}
    assert lines["fly_balls float32"] == 0
    assert lines["measure_balls float64"] > 0  # the count can tell


@pytest.mark.parametrize("device, words", [("gpu", "device 'gpu' is not known; there are cpu, cuda")])
def test_an_unknown_device_is_one_line(device, words):
    for call in (lambda: sim.simulate(sim.load("tennis"), *LAUNCH, device=device),
                 lambda: sim.draw(sim.load("tennis"), 1, device=device)):  # fmt: skip
        with pytest.raises(ValueError, match=words):
            call()


def test_without_numba_cuda_one_line_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(RuntimeError, match=r"needs numba-cuda: pip install 'ballcast\[gpu\]'"):
        sim.simulate(sim.load("tennis"), *LAUNCH, device="cuda")


@needs_numba_cuda
def test_without_a_gpu_one_line_says_so(monkeypatch):
    from numba import cuda

    monkeypatch.setattr(cuda, "is_available", lambda: False)
    with pytest.raises(RuntimeError, match="needs an NVIDIA GPU and its driver, and finds none"):
        sim.simulate(sim.load("tennis"), *LAUNCH, dtype=np.float32, device="cuda")


@needs_numba_cuda
def test_too_little_memory_is_one_line(monkeypatch):
    from numba import cuda

    from ballcast.sim.cuda import engine

    class Context:
        """With little memory."""

        def get_memory_info(self):
            return 1_000_000_000, 2_000_000_000

    monkeypatch.setattr(cuda, "current_context", Context)
    with pytest.raises(ValueError, match=r"^4000000 balls of 200 frames need 10\.6 GB on the GPU, which has 1\.0 GB"):
        engine.require_memory((200, 3, 4_000_000), np.dtype(np.float32), 1)


@needs_numba_cuda
def test_memory_of_the_gpu_is_used_again_when_nobody_holds_it(monkeypatch):
    from numba import cuda

    from ballcast.sim.cuda import memory

    class Block:
        """A block of memory on a GPU."""

        made: ClassVar[list] = []

        def __init__(self, size, dtype):
            assert dtype is np.uint8
            self.size = size
            self.__cuda_array_interface__ = {"data": (len(self.made), False), "version": 3, "strides": None}
            self.made.append(self)

    monkeypatch.setattr(memory, "SIMULATED", False)
    monkeypatch.setattr(memory, "_free", defaultdict(list))
    monkeypatch.setattr(cuda, "device_array", Block)
    monkeypatch.setattr(cuda, "as_cuda_array", lambda room: room, raising=False)
    first, second = memory.empty((1000, 3), np.float32), memory.empty((3, 1000), np.float32)
    assert len(Block.made) == 2 and Block.made[0].size >= 12_000  # both are held
    assert first.__cuda_array_interface__["shape"] == (1000, 3) and second.__cuda_array_interface__["typestr"] == "<f4"
    del first
    third = memory.empty(1490)  # float64: a block of that size is free
    assert third.__cuda_array_interface__["data"] == (0, False) and len(Block.made) == 2
    del second, third
    memory.release()
    memory.empty(1490)
    assert len(Block.made) == 3
