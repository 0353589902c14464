"""A sport's TOML as text with other numbers in it: the comments and all else stay as they are.

    text = SportText(content)
    text.set("drag", {"cd": 0.52})                                   # [drag] cd = ...
    text.set("surface", {"restitution": {"e": 0.91}}, number=0)      # of an inline table, these keys alone
    text.remove("launch", 2)
    text.append("[[launch]]\n...")
    str(text)

Tables have to begin with a line of their own, as in the sports that ship.
"""

import math
import re
import tomllib
from typing import Any

from ballcast.sim.toml_fields import SportError

HEADER = re.compile(r"^\s*\[{1,2}\s*([\w.-]+)\s*\]{1,2}\s*(#.*)?$")
KEY = re.compile(r"^(\s*)([\w-]+)(\s*=\s*)")
DIGITS = 5  # significant ones of a number


class SportText:
    """The lines of a TOML file, to be changed in place."""

    def __init__(self, text: str):
        self.lines = text.splitlines()

    def __str__(self) -> str:
        return "\n".join(self.lines) + "\n"

    def set(self, table: str, values: dict[str, Any], number: int = 0) -> None:
        """Give keys of a table other values; number: which of several tables of this name. What is not there is added:
        keys at the table's end, a missing table at the end of the file. SportError if that cannot be done."""
        found = self._tables(table)
        if number >= len(found):
            if number:
                raise SportError(f"there is no [[{table}]] {number + 1}")
            self.lines += ["", f"[{table}]"]
            found = self._tables(table)
        for key, value in values.items():
            self._set_key(table, self._tables(table)[number], key, value)

    def remove(self, table: str, number: int = 0) -> None:
        """Remove a table, with its lines."""
        first, end = self._tables(table)[number]
        del self.lines[first:end]

    def append(self, text: str) -> None:
        """Add text at the end."""
        self.lines += ["", *text.splitlines()]

    def insert(self, text: str) -> None:
        """Add text at the beginning."""
        self.lines[:0] = text.splitlines()

    def _tables(self, name):
        """First line and end of all tables of a name; a file's first keys are the table ''."""
        heads = [(n, found[1]) for n, line in enumerate(self.lines) if (found := HEADER.match(line))]
        ends = [n for n, _ in heads[1:]] + [len(self.lines)]
        return [(n, end) for (n, head), end in zip(heads, ends) if head == name]

    def _set_key(self, table, place, key, value):
        first, end = place
        for n in range(first + 1, end):
            found = KEY.match(self.lines[n])
            if found and found[2] == key:
                last, old, comment = self._value(n, end, found.end(), f"{table}.{key}")
                value = old | _plain(value) if isinstance(value, dict) else _plain(value)
                if toml(value) == toml(old):
                    return
                self.lines[n : last + 1] = [self.lines[n][: found.end()] + toml(value) + comment]
                return
        if isinstance(value, dict) and self._tables(f"{table}.{key}"):
            self.set(f"{table}.{key}", value)
            return
        while end > first + 1 and (not self.lines[end - 1].strip() or self.lines[end - 1].lstrip().startswith("#")):
            end -= 1
        self.lines.insert(end, f"{key} = {toml(value)}")

    def _value(self, n, end, column, where):
        """Last line, value and comment of a key whose value begins in line n at a column."""
        text = self.lines[n][column:]
        for last in range(n, end):
            if last > n:
                text += "\n" + self.lines[last]
            try:
                value = tomllib.loads(f"v = {text}")["v"]
            except tomllib.TOMLDecodeError:
                continue
            return last, value, _comment(self.lines[last])
        raise SportError(f"{where} cannot be replaced: its value is not understood")


def _plain(value):
    """A value with the numbers as they are written."""
    return tomllib.loads(f"v = {toml(value)}")["v"]


def _comment(line):
    """The comment at the end of a line, with the blanks before it."""
    is_quoted = False
    for n, character in enumerate(line):
        is_quoted ^= character in "\"'"
        if character == "#" and not is_quoted:
            return line[len(line[:n].rstrip()) :]
    return ""


def toml(value: Any) -> str:
    """A value as TOML on one line; numbers have five significant digits."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml(v)}" for key, v in value.items()) + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(toml(v) for v in value) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, int):
        return str(value)
    return rounded(float(value))


def rounded(value: float, digits: int = DIGITS) -> str:
    """A number as TOML with so many significant digits."""
    if not math.isfinite(value):
        return repr(value)
    text = repr(float(f"{value:.{digits}g}"))
    return text if "e" not in text or "." in text else text.replace("e", ".0e")
