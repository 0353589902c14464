"""Predictions of other people's methods, from a CSV file: scored as one more predictor.

found = Predictions.read(Path("theirs.csv"), known)
answers = found.answers(suite, cases)

    track,seen,time,x,y,z[,cxx,cxy,cxz,cyy,cyz,czz][,landing]

track    as evaluate.py --export writes it, SET/NAME
seen     s of history, as exported; it names the question together with the track and the time
time     s, on the track's clock: the asked time, or that of the forecast landing
x, y, z  m; cxx to czz the covariance in m2, blank in rows that have none
landing  1 in a row that forecasts the next landing, 0 or blank in the others
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ballcast.evaluation.harness import Answers
from ballcast.evaluation.protocols import Cases
from ballcast.evaluation.questions import asked_times
from ballcast.evaluation.results import FROM_FILE
from ballcast.evaluation.suites import Suite

COLUMNS = ("track", "seen", "time", "x", "y", "z")
COVARIANCE = ("cxx", "cxy", "cxz", "cyy", "cyz", "czz")
SEEN_TOLERANCE, TIME_TOLERANCE = 2e-6, 1e-4  # s, by which a question's numbers may be rounded
EXACT = 1e-9  # s
SYMMETRIC = np.array([[0, 1, 2], [1, 3, 4], [2, 4, 5]])  # of the six numbers of a covariance


@dataclass(frozen=True, eq=False)
class Predictions:
    """The rows of one file, by track."""

    name: str  # of the file, without suffix
    rows: dict[str, np.ndarray]  # track -> (N, 12): seen, time, x, y, z, six of the covariance (NaN: none), landing
    lines: dict[str, list[int]]  # track -> the rows' numbers in the file (N,), as an editor counts
    side_information = FROM_FILE

    @staticmethod
    def read(path: Path, known: set[str]) -> "Predictions":
        """The Predictions of a file; `known` are the tracks of which something is asked. ValueError, one line with the
        row's number, for a row that cannot be used; OSError."""
        rows: dict[str, list] = {}
        lines: dict[str, list[int]] = {}
        with open(path, newline="", encoding="utf-8-sig") as file:
            try:
                table = csv.DictReader(file, skipinitialspace=True)
                _check_header(path, [name.strip() for name in table.fieldnames or ()])
                table.fieldnames = [name.strip() for name in table.fieldnames or ()]
                for row in table:
                    where = f"{path}: row {table.line_num}"
                    track = (row["track"] or "").strip()
                    if track not in known:
                        raise ValueError(f"{where}: nothing is asked of a track {track!r}; --export writes the names")
                    rows.setdefault(track, []).append(_numbers(where, row))
                    lines.setdefault(track, []).append(table.line_num)
            except (UnicodeDecodeError, csv.Error) as error:
                raise ValueError(f"{path}: not a CSV file in UTF-8 ({error})") from None
        if not rows:
            raise ValueError(f"{path}: has no rows below its header")
        return Predictions(path.stem, {track: np.array(found) for track, found in rows.items()}, lines)

    def answers(self, suite: Suite, cases: Cases) -> Answers:
        """The Answers to Cases of a Suite; NaN where the file has none. ValueError if it has two for a question."""
        mean, covariance = np.full((*cases.times.shape, 3), np.nan), np.full((*cases.times.shape, 3, 3), np.nan)
        answers = Answers(mean, covariance, landing=np.full((len(cases), 4), np.nan))
        for n, h, row in self._matched(suite, cases):
            if h is None:
                answers.landing[n], answers.mean[n] = row[1:5], row[2:5]  # a landing counts as answered by its mean
            else:
                answers.mean[n, h], answers.covariance[n, h] = row[2:5], row[5:11][SYMMETRIC]
        return answers

    def counts(self, suite: Suite, cases: Cases) -> tuple[int, int]:
        """(how many questions of the Cases the file answers, how many there are)."""
        asked = len(cases) if cases.asks_landing else int((~np.isnan(cases.times)).sum())
        return sum(1 for _ in self._matched(suite, cases)), asked

    def _matched(self, suite, cases) -> Iterator[tuple[int, int | None, np.ndarray]]:
        """(case, number of the time or None for a landing, row) of each question that the file answers."""
        for n, i in enumerate(cases.track_numbers):
            name = suite.full_name(i)
            if name not in self.rows:
                continue
            rows = self.rows[name]
            own = (abs(rows[:, 0] - cases.seen(n)) < SEEN_TOLERANCE) & ((rows[:, 11] > 0) == cases.asks_landing)
            if cases.asks_landing:
                yield from ((n, None, row) for row in self._only(name, own))
                continue
            columns = np.flatnonzero(~np.isnan(cases.times[n]))
            for h, time in zip(columns, asked_times(cases, n), strict=True):
                off = np.where(own, abs(rows[:, 1] - time), np.inf)
                found = (off < TIME_TOLERANCE) & (off <= off.min() + EXACT)  # two protocols may ask a microsecond apart
                yield from ((n, int(h), row) for row in self._only(name, found))

    def _only(self, track, mask):
        """The row of a mask, in a list, or none; ValueError if there are two."""
        numbers = np.flatnonzero(mask)
        if len(numbers) > 1:
            first, second = (self.lines[track][k] for k in numbers[:2])
            raise ValueError(f"{self.name}.csv: row {second} answers the question of row {first} again; keep one")
        return self.rows[track][numbers]


def _check_header(path, names):
    missing = [name for name in COLUMNS if name not in names]
    if missing or 0 < len(set(COVARIANCE) & set(names)) < len(COVARIANCE):
        wanted = f"{','.join(COLUMNS)}[,{','.join(COVARIANCE)}][,landing]"
        raise ValueError(f"{path}: the header is {','.join(names)[:80]!r}; it must have {wanted}")


def _numbers(where, row):
    """The 12 numbers of a row. ValueError if one is missing or not finite, or if the covariance is none."""
    cells = {name: (row.get(name) or "").strip() for name in (*COLUMNS[1:], *COVARIANCE, "landing")}
    blank = not any(cells[name] for name in COVARIANCE)
    numbers = []
    for name, cell in cells.items():
        if (name in COVARIANCE and blank) or (name == "landing" and not cell):
            numbers.append(0.0 if name == "landing" else np.nan)
            continue
        try:
            numbers.append(float(cell))
        except ValueError:
            raise ValueError(f"{where}: {name} is {cell!r}, not a number") from None
        if not np.isfinite(numbers[-1]):
            raise ValueError(f"{where}: {name} is {cell}; leave the row out if there is no forecast")
    if not blank and np.linalg.eigvalsh(np.array(numbers[5:11])[SYMMETRIC])[0] <= 0.0:
        raise ValueError(f"{where}: {' '.join(COVARIANCE)} are no covariance: not positive definite")
    return numbers
