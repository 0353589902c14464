"""Several training runs of one network in one row: the mean of their figures, and the spread between them.

    python evaluate.py --predictor gru runs/seeds       # the folder has runs/seeds/0/weights.safetensors, .../1/...

The runs differ in their --seed, say. Each is evaluated as usual; then their rows become one.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ballcast import models
from ballcast.evaluation.limits import LIMITS
from ballcast.evaluation.results import Results, Row

WEIGHTS = "*/weights.safetensors"


def runs_in(names: Sequence[str]) -> dict[str, list[str]]:
    """Those of the names that are folders of runs -> the files of weights in them. ValueError if a folder has none."""
    folders = [name for name in names if name not in (*models.PREDICTORS, *LIMITS) and Path(name).is_dir()]
    found = {name: sorted(str(path) for path in Path(name).glob(WEIGHTS)) for name in folders}
    for name, files in found.items():
        if not files:
            raise ValueError(f"--predictor {name}: a folder without runs; it should have RUN/weights.safetensors")
    return found


def members(names: Sequence[str], runs: dict[str, list[str]]) -> tuple[str, ...]:
    """The names with every folder of runs replaced by the files in it."""
    return tuple(dict.fromkeys(own for name in names for own in runs.get(name, [name])))


def merge(results: Results, runs: dict[str, list[str]]) -> None:
    """Replace the rows of each folder's runs by one row of the folder: mean, and standard deviation between runs.

    The errors kept of a track are the means over runs: they decide which predictor is first, and paired intervals.
    """
    for folder, files in runs.items():
        rows = [row for row in results.rows if row.predictor in files]
        results.rows = [row for row in results.rows if row.predictor not in files] + _merged_rows(folder, files, rows)
        results.errors = _merged(folder, files, results.errors, _mean_of_tracks)
        results.reliability = _merged(folder, files, results.reliability, lambda a: np.mean(a, axis=0).tolist())
        knows = f"{results.side_information[files[0]]}; {len(files)} runs"
        known = {name: knows if name == files[0] else what for name, what in results.side_information.items()
                 if name not in files[1:]}  # fmt: skip
        results.side_information = {folder if name == files[0] else name: what for name, what in known.items()}
        own = [name.partition("|") for name in results.adapted]
        results.adapted = list(dict.fromkeys(f"{folder if n in files else n}|{suite}" for n, _, suite in own))


def _merged_rows(folder, files, rows):
    cells = defaultdict(list)
    for row in rows:
        cells[row.suite, row.protocol, row.history, row.horizon, row.metric].append(row)
    return [_mean_row(folder, own) for own in cells.values() if len(own) == len(files)]


def _mean_row(folder: str, rows: list[Row]) -> Row:
    """One row of several: without an interval over tracks, with the spread between runs."""
    values = [row.value for row in rows]
    if None in values:
        return replace(rows[0], predictor=folder, value=None, low=None, high=None)
    spread = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return replace(rows[0], predictor=folder, value=float(np.mean(values)), low=None, high=None, spread=spread)


def _merged(folder, files, cells, mean):
    """Cells "predictor|..." with those of the files replaced by their mean."""
    found, own = {}, defaultdict(list)
    for cell, content in cells.items():
        name, _, rest = cell.partition("|")
        if name in files:
            own[rest].append(content)
        else:
            found[cell] = content
    return found | {f"{folder}|{rest}": mean(parts) for rest, parts in own.items() if len(parts) == len(files)}


def _mean_of_tracks(parts):
    return {track: float(np.mean([part[track] for part in parts])) for track in parts[0]
            if all(track in part for part in parts)}  # fmt: skip
