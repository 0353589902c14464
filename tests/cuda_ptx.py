"""Compiles every kernel of the GPU to PTX, without a driver: python -m tests.cuda_ptx. Lines: kernel, float64 used."""

import types

import numpy as np
from numba import cuda
from numba.cuda import dispatcher
from numba.cuda.typing.typeof import Purpose, typeof

from ballcast import sim

HOPPER = 9, 0


class HostArray(np.ndarray):
    """Stands for an array on the GPU."""

    def copy_to_host(self) -> np.ndarray:
        """Itself, all zeros."""
        return np.asarray(self)

    def is_c_contiguous(self) -> bool:
        """Whether it is."""
        return self.flags.c_contiguous


def main() -> None:
    """Take the place of the GPU, and simulate and draw."""
    zeros = {"device_array": lambda shape, dtype=float: np.zeros(shape, dtype).view(HostArray),
             "to_device": lambda a: np.zeros_like(a).view(HostArray),
             "is_available": lambda: True}  # fmt: skip
    for name, function in zeros.items():
        setattr(cuda, name, function)
    dispatcher.get_current_device = lambda: types.SimpleNamespace(compute_capability=HOPPER)

    from ballcast.sim.cuda import engine

    engine.launch, engine.require_memory = compile_kernel, lambda *arguments: None
    launch, sport = (np.ones((2, 3)),) * 3, sim.load("golf")
    for name in ():
        sim.simulate(sim.load(name), *launch, [0.1, 0.2], dtype=np.float32, device="cuda")
    sim.simulate(sim.load("table_tennis"), *launch, [0.1, 0.2], dtype=np.float32, device="cuda", out=engine.empty(2, 2))
    sim.simulate(sim.load("golf"), *launch, [0.1, 0.2], device="cuda")
    sim.draw(sport, 2, device="cuda")


compiled: dict = {}


def compile_kernel(kernel, count, threads, *arguments):
    """What engine.launch does, but for the launch."""
    kinds = tuple(typeof(plain(a), Purpose.argument) for a in arguments)
    if (kernel, kinds) not in compiled:
        fast = bool(kernel.targetoptions["fastmath"])
        compiled[kernel, kinds] = ptx = cuda.compile_ptx(kernel.py_func, kinds, cc=HOPPER, fastmath=fast)[0]
        doubles = [line.strip() for line in ptx.splitlines() if ".f64" in line and ".reg" not in line]
        print(kernel.py_func.__name__, "float32" if fast else "float64", len(doubles), *doubles[:3], flush=True)


def plain(value):
    """Arguments with numpy arrays."""
    if isinstance(value, tuple):
        values = map(plain, value)
        return type(value)(*values) if hasattr(value, "_fields") else tuple(values)
    return np.asarray(value) if isinstance(value, HostArray) else value


if __name__ == "__main__":
    main()
