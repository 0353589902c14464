"""Numbers that note what is computed with them, so that the arithmetic of a formula can be counted.

    x = Traced.input(3.0)
    y = x * x + sqrt(x * x)
    operations([y])               # Counter({"*": 1, "+": 1, "sqrt": 1}): what is computed twice is counted once

As in compiled code: results that nothing needs do not count, nor does what depends on no input, since a compiler takes
it out of the loop.
"""

import math
import operator
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

ARITHMETIC = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv,
              "sqrt": math.sqrt, "exp": math.exp, "log": math.log}  # fmt: skip
CHOICES = {"min": min, "max": max, "<": operator.lt, ">": operator.gt, "abs": abs, "negative": operator.neg,
           "where": lambda condition, a, b: a if condition else b}  # fmt: skip


class Traced:
    """A number, and how it was computed. Equal computations are one object."""

    known: ClassVar[dict[tuple, "Traced"]] = {}

    def __init__(self, value: Any, name: str = "constant", operands: tuple["Traced", ...] = ()) -> None:
        self.value, self.name, self.operands = value, name, operands
        self.varies = name == "input" or any(operand.varies for operand in operands)

    @classmethod
    def input(cls, value: float) -> "Traced":
        """A number that differs from ball to ball."""
        return cls(value, "input")

    def __neg__(self) -> "Traced":
        return traced("negative", self)

    def __abs__(self) -> "Traced":
        return traced("abs", self)

    def __lt__(self, other: Any) -> "Traced":
        return traced("<", self, other)

    def __gt__(self, other: Any) -> "Traced":
        return traced(">", self, other)


def traced(name: str, *operands: Any) -> Traced:
    """The result of an operation on Traced or plain numbers."""
    nodes = [x if isinstance(x, Traced) else Traced.known.setdefault(("constant", x), Traced(x)) for x in operands]
    if name in ("+", "*"):
        nodes.sort(key=id)
    key = (name, *map(id, nodes))
    if key not in Traced.known:
        value = (ARITHMETIC | CHOICES)[name](*(x.value for x in nodes))
        Traced.known[key] = Traced(value, name, tuple(nodes))
    return Traced.known[key]


def operation(name: str) -> Callable:
    """A function of Traced numbers, to put in the place of one of plain numbers: `min`, `sqrt`."""
    return lambda *operands: traced(name, *operands)


def _set_operator(name: str, method: str) -> None:
    setattr(Traced, f"__{method}__", lambda a, b: traced(name, a, b))
    setattr(Traced, f"__r{method}__", lambda a, b: traced(name, b, a))


for _pair in (("+", "add"), ("-", "sub"), ("*", "mul"), ("/", "truediv")):
    _set_operator(*_pair)


def operations(results: Iterable[Any]) -> Counter:
    """How often each operation of ARITHMETIC is needed for these results."""
    found: Counter = Counter()
    todo, seen = [x for x in results if isinstance(x, Traced)], set()
    while todo:
        node = todo.pop()
        if id(node) not in seen and node.varies:
            seen.add(id(node))
            found[node.name] += node.name in ARITHMETIC
            todo += node.operands
    return +found
