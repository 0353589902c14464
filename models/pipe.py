"""Lines in: what `python -m ballcast.models` does alike with positions and with pixels. What comes out: answers.py."""

import itertools
import json
import sys
from collections.abc import Callable, Iterable, Iterator

PROGRAM = "python -m ballcast.models"
SEPARATOR = "\t"  # of the rows that lines of JSON become
Lines = Iterator[tuple[int, str]]


def begin_reading(header: str) -> tuple[tuple[int, str], str, Lines]:
    """The first line (row, line) of standard input, the comment before it, and an iterator over the lines after it.

    header: what the first line should be, for the message if nothing comes."""
    decoded = (line.decode("utf-8", "replace") for line in sys.stdin.buffer)
    lines = ((row, line) for row, line in enumerate(decoded, 1) if line.strip())
    comment = ""
    for first in lines:
        if not first[1].lstrip("\ufeff \t").startswith("#"):
            break
        comment = first[1].lstrip("\ufeff \t#").strip()
    else:
        raise ValueError(f"standard input: nothing came; it should start with the line {header}")
    return first, comment, ((row, line) for row, line in lines if not line.lstrip().startswith("#"))


def begin_json(header: str) -> tuple[tuple[int, str], Lines, Callable[[str], str]]:
    """As begin_reading, of lines of JSON: the header of their rows, all of the lines, and what makes a row of a line.

    The keys of the first line name the columns; what a later line has beyond them is ignored."""
    keys = ",".join(f'"{name}": 0' for name in header.split(","))
    first, _, lines = begin_reading(f"{{{keys}}}")
    names = list(json_object(first[1]))

    def to_row(line):
        found = json_object(line)
        cells = ("" if found.get(name) is None else str(found[name]) for name in names)
        return SEPARATOR.join(" ".join(cell.split()) for cell in cells)

    return (first[0], SEPARATOR.join(names)), itertools.chain([first], lines), to_row


def json_object(line: str) -> dict[str, object]:
    """The object in a line of JSON, its numbers as they are written; ValueError if there is none."""
    try:
        found = json.loads(line.lstrip("\ufeff"), parse_float=str, parse_int=str, parse_constant=str)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ValueError(f'no JSON object such as {{"t": 0.0, "x": 0.1, "y": 1.2, "z": 0.3}}: {line.strip()[:60]}')
    return found


def answer_lines(lines: Iterable[tuple[int, str]], answer: Callable[[int, str], None]) -> int:
    """Call answer(row, line) for every line; returns 1 if lines were left out, each with a line that says why."""
    from ballcast.tracks import TrackError

    bad = 0
    for row, line in lines:
        try:
            answer(row, line)
            sys.stdout.flush()
        except ValueError as error:
            bad += 1
            where = "" if isinstance(error, TrackError) else f"standard input, row {row}: "
            print(f"{PROGRAM}: left out: {where}{' '.join(str(error).split())}", file=sys.stderr, flush=True)
    return int(bad > 0)
