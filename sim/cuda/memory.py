"""Memory of the GPU that is used again: to get gigabytes from the driver takes longer than to fill them.

A block that nobody holds any more goes to the next who asks for one of its size. All kernels here, and torch's unless
it is asked to use another stream, run one after the other, so nobody can still be reading it.
"""

import math
import threading
import weakref
from collections import defaultdict
from typing import Any

import numpy as np
from numba import cuda

from ballcast.sim.cuda.device_functions import SIMULATED

MIN_SIZE = 512  # bytes of a block
STEPS = 8  # sizes of blocks between one power of two and the next
_free: defaultdict[int, list] = defaultdict(list)  # blocks by size
_lock = threading.RLock()  # a finalizer may run while its thread holds it


class _Room:
    """A block, or its beginning, as an array."""

    def __init__(self, block: Any, shape: tuple[int, ...], dtype: np.dtype):
        self.__cuda_array_interface__ = block.__cuda_array_interface__ | {
            "shape": shape, "typestr": dtype.str, "descr": dtype.descr, "strides": None,
        }  # fmt: skip
        weakref.finalize(self, _give_back, block).atexit = False


def empty(shape: int | tuple[int, ...], dtype: Any = np.float64) -> Any:
    """An array on the GPU; the numbers in it are whatever was there. MemoryError where there is no room for it."""
    shape, dtype = (shape,) if isinstance(shape, int) else tuple(map(int, shape)), np.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    if SIMULATED or size == 0 or dtype.names:
        return cuda.device_array(shape, dtype)
    return cuda.as_cuda_array(_Room(_block(_rounded(size)), shape, dtype))


def free_bytes() -> int:
    """How much of the GPU's memory is free, blocks that wait to be used again included."""
    with _lock:
        waiting = sum(size * len(blocks) for size, blocks in _free.items())
    return cuda.current_context().get_memory_info()[0] + waiting


def release() -> None:
    """Return the blocks that nobody holds to the driver."""
    with _lock:
        _free.clear()


def _block(size):
    with _lock:
        if _free[size]:
            return _free[size].pop()
    try:
        return cuda.device_array(size, np.uint8)
    except cuda.cudadrv.driver.CudaAPIError:  # other sizes may hold what is needed
        release()
    try:
        return cuda.device_array(size, np.uint8)
    except cuda.cudadrv.driver.CudaAPIError:
        raise MemoryError(f"the GPU has no {size / 1e9:.2f} GB more: fewer balls at a time") from None


def _give_back(block):
    with _lock:
        _free[block.size].append(block)


def _rounded(size):
    """The size of a block that holds so many bytes: few sizes, so that blocks of about the same length fit."""
    step = max(MIN_SIZE, 2 ** (size.bit_length() - 1) // STEPS)
    return -(-size // step) * step
