"""Work in steps, so that a stream can go on between them.

    def squares(n) -> Steps[int]:         # a generator; it yields about how long each step took, ms
        ...
    finished(squares(3))                  # all of its steps, and what it returns

The times are nominal, of one usual machine: what becomes of a stream then depends on its frames alone.
"""

from collections.abc import Generator
from typing import TypeVar

T = TypeVar("T")
Steps = Generator[float, None, T]


def finished(steps: Steps[T]) -> T:
    """What some Steps return, once all of them are made."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value
