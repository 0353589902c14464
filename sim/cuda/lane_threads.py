"""Code of lanes (kernels/lane_numbers.py) on a GPU: one lane is one thread, and LANES neighbouring threads are a ball.

All threads of a ball run the same code. What is of the ball, such as its last frames, each of them has for itself, and
works out alike. Of an array of rows of lanes a thread has its own column alone; the number of another lane, s[k, i],
comes from the thread that has it. So no thread ever writes what another reads, and none waits for memory.

The functions are those of the CPU, taken from their source, with these changes:

    s[k, i]                 lane_number(s, k, i), where s is one of LANE_ROWS
    s[k, i] = a             set_lane_number(s, k, i, a)
    TABLE[k, j]             TABLE(k, j) of a table of numbers that `constants` replace by a function
    np.empty, empty_rows    cuda.local.array, of a thread's own; np.zeros the same, filled
"""

import ast
import contextlib
import inspect
import textwrap
import threading
from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import Any

import numpy as np
from numba import cuda
from numba.core.dispatcher import Dispatcher

from ballcast.sim.cuda.device_functions import Precision, device
from ballcast.sim.kernels.lane_numbers import LANES

LANE_ROWS = {"s", "q", "anchor", "flown", "before", "rows", "state.anchor"}  # what arrays of rows are called
MASK = 0xFFFF  # of the threads of a ball in a warp, which holds two
MAX_INLINED = 400  # lines of LLVM's code of a function that may be put into its callers
REAL = np.float64  # set where a kernel is compiled
_compiling = threading.RLock()


class LanePrecision(Precision):
    """Makes device functions of lanes. package: whose functions have rows of lanes; constants: as Precision, and
    functions in place of the CPU's of the same names."""

    def __init__(self, dtype: type, package: str, **constants: Any):
        super().__init__(dtype, **PRIMITIVES | constants)
        self.package = package

    def is_inlined(self, compiled: Dispatcher) -> bool:
        """The compiler decides: there are too many."""
        return False

    def code_of(self, function: FunctionType) -> CodeType:
        """The code of a function, one lane a thread."""
        has_rows = function.__module__.startswith(self.package)
        tables = {name for name, value in function.__globals__.items()
                  if isinstance(value, np.ndarray) and name in self.constants}  # fmt: skip
        return _rewritten(function, LANE_ROWS if has_rows else set(), tables)


@contextlib.contextmanager
def compact_code() -> Iterator[None]:
    """While a kernel of many functions may be compiled, which takes a minute then, in place of a quarter of an hour.

    numba-cuda hands each function on as often as there are ways to it, and the compiler puts them all into one.
    """
    from numba.cuda import codegen

    def compile_compact(modules, **options):
        return plain(list(map(_outlined, dict.fromkeys(modules))), **options)

    with _compiling:
        plain = codegen.nvvm.compile_ir
        codegen.nvvm.compile_ir = compile_compact
        try:
            yield
        finally:
            codegen.nvvm.compile_ir = plain


def _outlined(module):
    """The module of a function, which is not put into its callers if it is large."""
    if module.count("\n") < MAX_INLINED:
        return module
    lines = module.split("\n")
    for n, line in enumerate(lines):
        if line.startswith("define linkonce_odr"):  # not a kernel itself
            lines[n] = line.replace(" alwaysinline", "").rstrip() + " noinline"
    return "\n".join(lines)


def _rewritten(function, lane_rows, tables):
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    tree.body[0].decorator_list = []
    tree = ast.fix_missing_locations(_Rewriter(lane_rows, tables).visit(tree))
    module = compile(tree, function.__code__.co_filename, "exec")
    return next(c for c in module.co_consts if isinstance(c, CodeType) and c.co_name == function.__name__)


class _Rewriter(ast.NodeTransformer):
    """Rewrites a function: see the changes above."""

    def __init__(self, lane_rows, tables):
        self.lane_rows, self.tables = lane_rows, tables

    def _is_lane_number(self, node):
        is_pair = isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Tuple)
        return is_pair and ast.unparse(node.value) in self.lane_rows

    def visit_Subscript(self, node):
        node = self.generic_visit(node)
        if self._is_lane_number(node) and isinstance(node.ctx, ast.Load):
            return _call("lane_number", node.value, *node.slice.elts)
        if isinstance(node.value, ast.Name) and node.value.id in self.tables:
            return ast.Call(node.value, node.slice.elts, [])
        return node

    def visit_AugAssign(self, node):
        if not self._is_lane_number(node.target):
            return self.generic_visit(node)
        place = ast.Subscript(node.target.value, node.target.slice, ast.Load())
        return self.visit_Assign(ast.Assign([node.target], ast.BinOp(place, node.op, node.value)))

    def visit_Assign(self, node):
        targets = [target for one in node.targets for target in (one.elts if isinstance(one, ast.Tuple) else [one])]
        if not any(map(self._is_lane_number, targets)):
            return self.generic_visit(node)
        statements = [ast.Assign([ast.Name("assigned", ast.Store())], self.visit(node.value))]
        for one in node.targets:
            value = ast.Name("assigned", ast.Load())
            if isinstance(one, ast.Tuple):
                parts = [(t, ast.Subscript(value, ast.Constant(n), ast.Load())) for n, t in enumerate(one.elts)]
            else:
                parts = [(one, value)]
            statements += [self._set(target, part) for target, part in parts]
        return statements

    def _set(self, target, value):
        if self._is_lane_number(target):
            index = [self.visit(i) for i in target.slice.elts]
            return ast.Expr(_call("set_lane_number", target.value, *index, value))
        return ast.Assign([self.visit(target)], value)

    def visit_Call(self, node):
        node, name = self.generic_visit(node), ast.unparse(node.func)
        if name == "empty_rows":
            return _local(ast.Tuple([node.args[0], ast.Constant(1)], ast.Load()), _attribute("np", "float32"))
        if name in ("np.empty", "np.zeros"):
            shape, dtype = node.args[0], node.args[1] if len(node.args) > 1 else _attribute("np", "float64")
            made = _local(shape, dtype)
            return made if name == "np.empty" else _call("zeroed", made)
        return _call("sum_of_products", *node.args) if name == "np.dot" else node


def _attribute(value, name):
    return ast.Attribute(ast.Name(value, ast.Load()), name, ast.Load())


def _call(name, *arguments):
    return ast.Call(ast.Name(name, ast.Load()), list(arguments), [])


def _local(shape, dtype):
    function = ast.Attribute(_attribute("cuda", "local"), "array", ast.Load())
    return ast.Call(function, [shape, dtype], [])


@device
def zeroed(array):
    """The array, filled with zeros."""
    array[:] = 0
    return array


@device
def sum_of_products(a, b):
    """The scalar product of two rows."""
    total = 0.0
    for k in range(len(b)):
        total += a[k] * b[k]
    return total


@device
def lane():
    """The number of a thread's lane."""
    return cuda.laneid & (LANES - 1)


@device
def from_lane(value, i):
    """The value that lane i of the ball has."""
    first = cuda.laneid & LANES
    return cuda.shfl_sync(MASK << first, value, first + i)


@device
def lane_number(rows, k, i):
    return from_lane(REAL(rows[k, 0]), i)


@device
def set_lane_number(rows, k, i, value):
    if lane() == i:
        rows[k, 0] = value


@device
def load(rows, k):
    """Of rows of lanes, or of a tangent (kernels/column_numbers.py)."""
    if rows.ndim == 2:
        return REAL(rows[k, 0])
    return REAL(rows[k])


@device
def store(rows, k, value):
    """As load."""
    if rows.ndim == 2:
        rows[k, 0] = value
    else:
        rows[k] = value


@device
def where(condition, a, b):
    return a if condition else b


@device
def same_in_all(value):
    return REAL(value)


@device
def lane_sum(value):
    """The sum over the lanes; from one of them, since all have to have the same to the bit."""
    value, first = REAL(value), cuda.laneid & LANES
    for step in (8, 4, 2, 1):
        value += cuda.shfl_xor_sync(MASK << first, value, step)
    return from_lane(value, 0)


@device
def lane_max(value):
    value, first = REAL(value), cuda.laneid & LANES
    for step in (8, 4, 2, 1):
        value = max(value, cuda.shfl_xor_sync(MASK << first, value, step))
    return from_lane(value, 0)


@device
def any_lane(condition):
    return lane_max(where(condition, 1.0, 0.0)) > 0.5


@device
def unchanged(value):
    return value


PRIMITIVES: dict[str, Any] = {f.__name__: f for f in (
    zeroed, sum_of_products, lane, from_lane, lane_number, set_lane_number, load, store, where, same_in_all, lane_sum,
    lane_max, any_lane,
)} | {"cuda": cuda, "np": np, "borrowed": unchanged}  # fmt: skip
