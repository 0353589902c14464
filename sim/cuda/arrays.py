"""Arrays on the GPU whose axes stand in another order than in memory."""

from typing import Any

import numpy as np
from numba import cuda


class DeviceArray:
    """Another view of an array on the GPU, with its axes permuted as by numpy's transpose; nothing is copied.

    torch.as_tensor(array, device="cuda") and cupy.asarray(array) take it without a copy; copy_to_host() and
    numpy.asarray(array) copy it to the CPU.
    """

    def __init__(self, base: Any, axes: tuple[int, ...]):
        self.base, self.axes = base, axes
        self.shape, self.dtype = tuple(base.shape[axis] for axis in axes), base.dtype
        self.strides = tuple(base.strides[axis] for axis in axes)

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self.copy_to_host(), dtype)

    @property
    def __cuda_array_interface__(self) -> dict:
        return self.base.__cuda_array_interface__ | {"shape": self.shape, "strides": self.strides}

    def copy_to_host(self) -> np.ndarray:
        """A numpy array of the same shape."""
        return self.base.copy_to_host().transpose(self.axes)


def in_memory_order(array: Any, axes: tuple[int, ...], dtype: np.dtype) -> Any:
    """An array on the GPU, which holds `axes` of this view of it one after the other in memory, without a copy.

    The inverse of DeviceArray(., axes). None where memory has another order, or the numbers are of another dtype.
    """
    if isinstance(array, DeviceArray) and array.axes == axes:
        base = array.base
    else:
        base = cuda.as_cuda_array(DeviceArray(array, tuple(int(axis) for axis in np.argsort(axes))))
    return base if base.is_c_contiguous() and base.dtype == dtype else None
