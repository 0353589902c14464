"""Results: rows of figures and the errors behind them, written to JSON and read back; two of them compared."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from ballcast.evaluation import bootstrap
from ballcast.evaluation.metrics import STATISTICS
from ballcast.sim.files import write_atomically

MIN_TRACKS = 30  # tracks; a cell with fewer decides nothing
MIN_ANSWERED = 0.9  # of the tracks of a cell, by which a predictor may be first
STATE = "state"  # the row of the measured state itself, see events.py: given more than predictors are
IMAGE = "_image"  # ends the protocol of errors in the image, px, of balls of which nothing else is known
FROM_FILE = "what is in the file"  # the side information of a file of predictions
COVERAGE_LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)  # nominal probabilities of regions


@dataclass(frozen=True)
class Row:
    """One figure of one predictor."""

    predictor: str
    suite: str
    protocol: str
    history: float | None  # s of history; of `landing` and `l4dc2023`, s before the landing or the end
    horizon: float | None  # s after the last frame
    metric: str
    value: float | None
    low: float | None  # the 95 % interval over tracks
    high: float | None
    tracks: int  # on which the figure is based
    adapted: bool = False  # whether the predictor learnt from recorded tracks; else it is zero-shot
    spread: float | None = None  # of the mean of several training runs: the standard deviation between them


@dataclass
class Results:
    """All figures of one run. Its cells are named "predictor|suite|protocol|history|horizon"."""

    command: str  # with version and seed, it makes the same results again
    version: str
    seed: int
    rows: list[Row] = field(default_factory=list)
    errors: dict[str, dict[str, float]] = field(default_factory=dict)  # cell -> track -> m
    side_information: dict[str, str] = field(default_factory=dict)  # predictor -> what it knows beyond the history
    notes: list[str] = field(default_factory=list)  # what was left out, what failed
    reliability: dict[str, list[float]] = field(default_factory=dict)  # cell -> coverage of each of COVERAGE_LEVELS
    adapted: list[str] = field(default_factory=list)  # "predictor|suite" of those that learnt from recorded tracks

    def is_adapted(self, predictor: str, suite: str) -> bool:
        """Whether a predictor learnt from recorded tracks, as it was used on a suite."""
        return f"{predictor}|{suite}" in self.adapted

    def write(self, path: str | Path) -> None:
        """Write JSON; the file appears whole or not at all."""
        table = asdict(self) | {"rows": [asdict(row) for row in self.rows]}
        write_atomically(path, json.dumps(table, indent=1, allow_nan=False).encode())

    @staticmethod
    def read(path: str | Path) -> "Results":
        """The Results of a file; ValueError, one line, if it is not a file of results."""
        try:
            table = json.loads(Path(path).read_text(encoding="utf-8"))
            rows = [Row(**row) for row in table["rows"]]
            return Results(**table | {"rows": rows})
        except (KeyError, TypeError, UnicodeDecodeError, json.JSONDecodeError) as error:
            raise ValueError(f"{path}: not a results file of evaluate.py --json ({error})") from None


def joined_errors(parts: Sequence[Results]) -> dict[str, dict[str, float]]:
    """The errors of runs over different tracks as those of one run: cell -> track -> m. ValueError for a track that two
    runs have."""
    joined: dict[str, dict[str, float]] = {}
    for part in parts:
        for cell, errors in part.errors.items():
            if both := joined.setdefault(cell, {}).keys() & errors.keys():
                raise ValueError(f"{cell}: two runs have track {min(both)}; join runs over different tracks")
            joined[cell] |= errors
    return joined


def only(results: Results, names: Sequence[str]) -> Results:
    """The Results of some predictors."""
    rows = [row for row in results.rows if row.predictor in names]
    errors = {cell: found for cell, found in results.errors.items() if cell.partition("|")[0] in names}
    known = {name: knows for name, knows in results.side_information.items() if name in names}
    return replace(results, rows=rows, errors=errors, side_information=known)


def display_name(name: str) -> str:
    """The short form of a predictor's name: for a file of weights, its folder."""
    file, weights, model = name.partition(".safetensors")
    return "/".join(Path(file).parts[-2:]).removesuffix("/weights") + model if weights else name


def cell_key(predictor: str, suite: str, protocol: str, history: float, horizon: float) -> str:
    """The name of one cell of Results.errors."""
    return f"{predictor}|{suite}|{protocol}|{history:g}|{horizon:g}"


def unit(protocol: str) -> tuple[str, float]:
    """The unit in which errors of a protocol are printed, and how many of it one kept error is."""
    return ("px", 1.0) if protocol.endswith(IMAGE) else ("mm", 1e3)


def json_number(value: float) -> float | None:
    """A float for JSON: None if it is not finite."""
    return float(value) if np.isfinite(value) else None


def ranking(
    results: Results, suite: str, protocol: str, history: float, horizon: float, of: list[str] | None = None
) -> dict[str, bool]:
    """Predictors, sorted by median error -> whether it is first, or ties with the first by their paired interval.

    of: the predictors to rank; None for all. One that answers for less than MIN_ANSWERED of the tracks comes after all
    others, so that nobody is first on a choice of tracks.
    """
    names = results.side_information if of is None else of
    cells = {name: results.errors.get(cell_key(name, suite, protocol, history, horizon)) for name in names}
    cells = {name: errors for name, errors in cells.items() if errors}
    enough = MIN_ANSWERED * max(map(len, cells.values()), default=0)
    order = sorted(cells, key=lambda name: (len(cells[name]) < enough, np.median(list(cells[name].values()))))
    level = {}
    for name in order:
        shared = [t for t in cells[name] if t in cells[order[0]]]
        pair = [[cells[n][t] for t in shared] for n in (name, order[0])]
        level[name] = name == order[0] or (bool(shared) and _difference(*pair)[1] <= 0.0)
    return level


@dataclass(frozen=True)
class Difference:
    """The difference of two runs in one cell: of the median errors over the tracks that both have."""

    names: str  # the predictor, or "one against another"
    suite: str
    protocol: str
    history: float  # s
    horizon: float  # s
    tracks: int
    median: float  # m, the second run's minus the first's
    low: float  # m, the paired 95 % interval
    high: float  # m


def differences(a: Results, b: Results) -> Iterator[Difference]:
    """The Difference of every cell that Results a and b share.

    Each predictor is compared with itself; if a and b share none, every predictor of a with every one of b.
    """
    first_names, second_names = ([n for n in run.side_information if n != STATE] for run in (a, b))
    pairs = [(n, n) for n in first_names if n in second_names]
    pairs = pairs or [(m, n) for m in first_names for n in second_names]
    for first, second in pairs:
        names = display_name(first) if first == second else f"{display_name(second)} against {display_name(first)}"
        for cell, errors in a.errors.items():
            name, _, rest = cell.partition("|")
            other = b.errors.get(f"{second}|{rest}")
            both = [t for t in errors if other and t in other] if name == first else []
            if len(both) < 2:
                continue
            suite, protocol, history, horizon = rest.split("|")
            found = _difference([other[t] for t in both], [errors[t] for t in both])
            yield Difference(names, suite, protocol, float(history), float(horizon), len(both), *found)


def compare(a: Results, b: Results) -> list[str]:
    """Lines that name the cells in which Results a and b differ by more than their paired 95 % interval."""
    found = [*differences(a, b)]
    if not found:
        raise ValueError("the two files have no cell with the same tracks; evaluate the same suites and seed")
    larger = [d for d in found if d.low > 0.0 or d.high < 0.0]
    return [*map(_line, larger), f"{len(larger)} of {len(found)} cells differ by more than their paired 95 % interval"]


def _line(d):
    """A Difference as text."""
    few = f", only {d.tracks} tracks: decides nothing" if d.tracks < MIN_TRACKS else ""
    where = f"{d.names}: {d.suite}, {d.protocol}, {d.history:g} s, +{d.horizon:g} s"
    name, scale = unit(d.protocol)
    figures = f"{scale * d.median:+.1f} {name} ({scale * d.low:+.1f} to {scale * d.high:+.1f})"
    return f"{where}: {figures} in the median{few}"


def _difference(a, b):
    return bootstrap.paired(a, b, STATISTICS["median"])
