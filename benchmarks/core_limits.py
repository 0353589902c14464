"""What one core can do: operations on vector registers a second, and bytes written a second.

Each is the fastest of several rounds of a loop that does nothing else, in CPU time, so that other programs on the
machine count little.
"""

import time
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils
from numba.extending import intrinsic

REGISTER_BITS = 512  # where registers are smaller, LLVM splits
REGISTERS = (8, 12, 16)  # independent ones: enough to keep all units busy, and few enough to stay in registers
ROUNDS, LOOPS = 5, 2_000_000
OPERATIONS = {"multiply_add": 2, "divide": 1, "root": 1}  # flops of one number


def operations_per_second(name: str, dtype: type) -> float:
    """How many numbers of a precision one core takes through an operation a second."""
    size = REGISTER_BITS // (8 * np.dtype(dtype).itemsize)
    found = 0.0
    for registers in REGISTERS if name == "multiply_add" else REGISTERS[:1]:
        loop, start = _loop(name, registers), dtype(1.5)
        loop(start, 1)
        found = max(found, registers * size * LOOPS / fastest(loop, start, LOOPS))
    return found


def bytes_per_second(array: np.ndarray) -> float:
    """Bytes of an array, larger than the caches, that one core fills a second."""
    array.fill(0)
    return array.nbytes / fastest(array.fill, 1)


def fastest(call: Callable[..., object], *args: Any, rounds: int = ROUNDS, **options: Any) -> float:
    """The CPU time of a call, s, all threads together, the shortest of a few."""
    taken = []
    for _ in range(rounds):
        begin = time.process_time()
        call(*args, **options)
        taken.append(time.process_time() - begin)
    return min(taken)


def _loop(name, registers):
    """A compiled function (number, rounds) that takes each of so many registers through an operation in each round."""

    @intrinsic
    def work(typing, start, rounds):
        def generate(context, builder, signature, arguments):
            number = context.get_data_type(signature.args[0])
            kind = ir.VectorType(number, REGISTER_BITS // signature.args[0].bitwidth)
            first = cgutils.get_null_value(kind)
            for k in range(kind.count):
                first = builder.insert_element(first, arguments[0], ir.Constant(ir.IntType(32), k))
            slots = [cgutils.alloca_once_value(builder, first) for _ in range(registers)]
            with cgutils.for_range(builder, arguments[1]):
                for slot in slots:
                    builder.store(_operation(builder, name, builder.load(slot)), slot)
            total = builder.load(slots[0])
            for slot in slots[1:]:
                total = builder.fadd(total, builder.load(slot))
            return builder.extract_element(total, ir.Constant(ir.IntType(32), 0))

        return start(start, rounds), generate

    return numba.njit(lambda start, rounds: work(start, rounds))


def _operation(builder, name, x):
    """x after the operation: it stays between 0.5 and 2, so that no number is slow for its size."""
    kind = x.type
    half, two = (ir.Constant(kind, [c] * kind.count) for c in (0.5, 2.0))
    if name == "divide":
        return builder.fdiv(two, x)
    letter = "f32" if kind.element == ir.FloatType() else "f64"
    llvm_name, more = ("fma", [half, half]) if name == "multiply_add" else ("sqrt", [])
    function_type = ir.FunctionType(kind, [kind] * (1 + len(more)))
    function = cgutils.get_or_insert_function(builder.module, function_type, f"llvm.{llvm_name}.v{kind.count}{letter}")
    return builder.call(function, [x, *more])
