"""From a TOML table to a frozen dataclass: unknown keys and numbers out of range are refused in one line.

The range of a field is in its metadata: `number_field(above=0)`.
"""

import dataclasses
import math
from collections.abc import Iterable
from typing import Any, TypeVar

T = TypeVar("T")


class SportError(ValueError):
    """A mistake in a sport: one line with what, where and how to mend it."""


def number_field(default: Any = dataclasses.MISSING, *, above: float | None = None, low: float | None = None,
                 high: float | None = None) -> Any:  # fmt: skip
    """A dataclass field that holds a finite number, above `above`, between `low` and `high`."""
    return dataclasses.field(default=default, metadata={"range": (above, low, high)})


def vector_field(length: int, default: Any = dataclasses.MISSING) -> Any:
    """A dataclass field that holds `length` finite numbers."""
    return dataclasses.field(default=default, metadata={"length": length})


def from_table(cls: type[T], table: object, where: str) -> T:
    """`cls(**table)` with its numbers checked; `where` names the table in messages."""
    if not isinstance(table, dict):
        raise SportError(f"{where} must be a table, not {table!r}")
    fields = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    reject_unknown_keys(table, fields, where)
    if missing := [n for n, f in fields.items() if n not in table and f.default is dataclasses.MISSING]:
        raise SportError(f"{where}.{missing[0]} is missing; add it to the file")
    return cls(**{name: _checked(value, fields[name], f"{where}.{name}") for name, value in table.items()})


def reject_unknown_keys(table: Iterable, known: Iterable, where: str) -> None:
    """Refuse the first key of `table` that is not in `known`."""
    for key in table:
        if key not in known:
            raise SportError(f"{where}.{key} is not known; {where} has: {', '.join(known)}")


def finite(value: object, where: str) -> float:
    """`value` as a float; refused unless it is a finite number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise SportError(f"{where} = {value!r} must be a finite number")
    return float(value)


def numbers(value: object, length: int, where: str) -> tuple:
    """`value` as a tuple of `length` floats."""
    if not isinstance(value, (list, tuple)) or len(value) != length:
        raise SportError(f"{where} = {value!r} must be a list of {length} numbers")
    return tuple(finite(v, f"{where}[{i}]") for i, v in enumerate(value))


def _checked(value, field, where):
    if "length" in field.metadata:
        return numbers(value, field.metadata["length"], where)
    if "range" not in field.metadata:
        return value
    value = finite(value, where)
    above, low, high = field.metadata["range"]
    if above is not None and value <= above:
        raise SportError(f"{where} = {value:g} must be above {above:g}")
    if low is not None and value < low:
        raise SportError(f"{where} = {value:g} must be at least {low:g}")
    if high is not None and value > high:
        raise SportError(f"{where} = {value:g} must be at most {high:g}")
    return value
