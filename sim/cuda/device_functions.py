"""The CPU's compiled functions as functions of a GPU, in float32 or float64.

numba-cuda compiles the Python function of a kernel as it stands. In float32 a plain number in it, as 0.5, would turn
the arithmetic into float64, which most GPUs do at a sixty-fourth of the speed. So every number with a decimal point in
a function, and in the constants that it names, becomes one of the precision; so do those of the functions it calls.
"""

import builtins
from collections.abc import Callable
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np
from numba import cuda
from numba.core import config
from numba.core.dispatcher import Dispatcher

from ballcast.sim.kernels.exponential import exponential, logarithm

# what float32 cannot resolve: a gap of 1e-10 m, say, of a ball at 50 m
CONSTANTS: dict[type, dict[str, float]] = {
    np.float32: {"CONTACT_TOLERANCE": 1e-6, "SIMULTANEITY_TOLERANCE": 1e-8},
    np.float64: {},
}
SIMULATED = bool(config.ENABLE_CUDASIM)  # NUMBA_ENABLE_CUDASIM=1: kernels run as Python, for tests
_device_functions: set[Callable] = {exponential, logarithm}  # as Python has them: a GPU has its own of math


def device(function: Callable) -> Callable:
    """Mark a Python function of this package that runs on the GPU, inlined into its caller."""
    _device_functions.add(function)
    return function


class Precision:
    """Makes device functions in one precision.

    dtype: np.float32 or np.float64; constants: values of global names that differ from those on the CPU.
    """

    def __init__(self, dtype: type, **constants: Any):
        self.dtype, self.constants = dtype, CONSTANTS[dtype] | {"REAL": dtype} | constants
        self._converted: dict[Any, Any] = {}  # functions and modules

    def function(self, function: Any) -> Callable:
        """The Python function with its numbers, and the functions that it calls, in the precision."""
        code, known = self.code_of(function), function.__globals__ | self.constants
        scope = {name: self._convert(known[name]) for name in code.co_names if name in known}
        scope |= {"__builtins__": builtins, "__name__": function.__module__}
        return FunctionType(self._code(code), scope, function.__name__)

    def code_of(self, function: FunctionType) -> CodeType:
        """The code that is to be made."""
        return function.__code__

    def is_inlined(self, compiled: Dispatcher) -> bool:
        """Whether a function of the CPU is put into its callers."""
        return bool(compiled.targetoptions.get("forceinline"))

    def _code(self, code: CodeType) -> CodeType:
        return code.replace(co_consts=tuple(map(self._convert, code.co_consts)))

    def _convert(self, value):
        if isinstance(value, float):
            return self.dtype(value)
        if type(value) is tuple:
            return tuple(map(self._convert, value))
        if isinstance(value, CodeType):
            return self._code(value)
        if isinstance(value, ModuleType) and value.__name__.partition(".")[0] in ("math", "ballcast"):
            return self._module(value)
        if isinstance(value, Dispatcher):
            return self._device(value.py_func, self.is_inlined(value))
        if isinstance(value, FunctionType) and value in _device_functions:
            return self._device(value, True)
        return value

    def _module(self, module):
        """A module with its numbers, as math.inf, and its compiled functions in the precision."""
        if module not in self._converted:
            self._converted[module] = made = ModuleType(module.__name__)
            for name, value in vars(module).items():
                setattr(made, name, value if isinstance(value, ModuleType) else self._convert(value))
        return self._converted[module]

    def _device(self, function, is_inlined):
        if function not in self._converted:
            options = {"forceinline": is_inlined, "fastmath": self.dtype is np.float32}
            made = self.function(function)
            self._converted[function] = made if SIMULATED else cuda.jit(device=True, **options)(made)
        return self._converted[function]
