"""Results: rows of figures and the errors behind them, as JSON and back; as a table; two of them compared."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from ballcast.evaluation import bootstrap
from ballcast.evaluation.metrics import STATISTICS
from ballcast.models.runtime.weights import write_atomically

MIN_TRACKS = 30  # tracks; a cell of fewer decides nothing
COVERAGE_LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)  # that regions are told to hold


@dataclass(frozen=True)
class Row:
    predictor: str
    suite: str
    protocol: str
    history: float | None  # s seen; of `landing`, s before it
    horizon: float | None  # s past the last seen frame
    metric: str
    value: float | None
    low: float | None  # of the 95 % interval over tracks
    high: float | None
    tracks: int


@dataclass
class Results:
    """command, version and seed make them again; errors: "predictor|suite|protocol|history|horizon" -> track -> m."""

    command: str
    version: str
    seed: int
    rows: list = field(default_factory=list)
    errors: dict = field(default_factory=dict)
    told: dict = field(default_factory=dict)  # predictor -> what it knows beyond the history
    notes: list = field(default_factory=list)  # what was left out, what failed
    reliability: dict = field(default_factory=dict)  # as errors -> shares that lay within the regions of LEVELS

    def write(self, path):
        """Write JSON; the file appears whole or not at all."""
        table = asdict(self) | {"rows": [asdict(row) for row in self.rows]}
        write_atomically(path, json.dumps(table, indent=1, allow_nan=False).encode())

    @staticmethod
    def read(path):
        """The Results of a file; ValueError in one line where it holds none."""
        try:
            table = json.loads(Path(path).read_text(encoding="utf-8"))
            rows = [Row(**row) for row in table["rows"]]
            keep = {key: table[key] for key in ("command", "version", "seed", "errors", "told", "notes")}
            return Results(**keep, rows=rows, reliability=table.get("reliability", {}))
        except (KeyError, TypeError, UnicodeDecodeError, json.JSONDecodeError) as error:
            raise ValueError(f"{path}: not a results file of evaluate.py --json ({error})") from None


def display_name(name):
    """A predictor's name as it is shown: files of weights by their folder."""
    file, weights, model = name.partition(".safetensors")
    return "/".join(Path(file).parts[-2:]).removesuffix("/weights") + model if weights else name


def cell_key(predictor, suite, protocol, history, horizon):
    """The name of one cell of Results.errors."""
    return f"{predictor}|{suite}|{protocol}|{history:g}|{horizon:g}"


def json_number(value):
    """A float for JSON: None where it is not finite."""
    return float(value) if np.isfinite(value) else None


def ranking(results, suite, protocol, history, horizon, of=None):
    """Predictors by median error, each with whether it is first, or within its paired interval of the first.

    of: the predictors that are ranked; all where it is not said.
    """
    cells = {}
    for name in results.told if of is None else of:
        found = results.errors.get(cell_key(name, suite, protocol, history, horizon))
        if found:
            cells[name] = found
    order = sorted(cells, key=lambda name: np.median(list(cells[name].values())))
    level = {}
    for name in order:
        shared = [t for t in cells[name] if t in cells[order[0]]]
        pair = [[cells[n][t] for t in shared] for n in (name, order[0])]
        level[name] = name == order[0] or (bool(shared) and _difference(*pair)[1] <= 0.0)
    return level


def compare(a, b):
    """Lines that say which errors of Results a and b differ by more than their paired 95 % interval.

    The same predictors are compared; where the two share none, every one of a with every one of b.
    """
    shared = set(a.told) & set(b.told)
    pairs = [(n, n) for n in a.told if n in shared] or [(m, n) for m in a.told for n in b.told]
    lines, larger, count = [], 0, 0
    for first, second in pairs:
        for cell, errors in a.errors.items():
            name, _, rest = cell.partition("|")
            other = b.errors.get(f"{second}|{rest}")
            both = [t for t in errors if other and t in other] if name == first else []
            if len(both) < 2:
                continue
            difference, low, high = _difference([other[t] for t in both], [errors[t] for t in both])
            count += 1
            if low > 0.0 or high < 0.0:
                larger += 1
                few = f", only {len(both)} tracks: decides nothing" if len(both) < MIN_TRACKS else ""
                suite, protocol, history, horizon = rest.split("|")
                names = first if first == second else f"{second} against {first}"
                lines.append(f"{names}: {suite}, {protocol}, {history} s, +{horizon} s: {1e3 * difference:+.1f} mm "
                             f"({1e3 * low:+.1f} to {1e3 * high:+.1f}) in the median{few}")  # fmt: skip
    if not count:
        raise ValueError("the two files have no cell with the same tracks; evaluate the same suites and seed")
    return [*lines, f"{larger} of {count} cells differ by more than their paired 95 % interval"]


def _difference(a, b):
    return bootstrap.paired(a, b, STATISTICS["median"])
