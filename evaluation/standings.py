"""Which predictor is best on a suite, by how much, and how far from the limit: one Standing per predictor."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ballcast.evaluation.limits import LIMITS
from ballcast.evaluation.results import IMAGE, MIN_TRACKS, STATE, Results, Row, ranking

RANKING = ("horizon", "l4dc2023", "landing", "bounce", "pixels_bounce", "pixels", f"pixels{IMAGE}")  # the first counts
GIVEN_MORE = (*LIMITS, STATE)  # names of rows that know more than a predictor can
CENTRAL = 0.2, 0.3  # s of history, s ahead: the cell that is shown where there is room for only one

CENTRAL_OF_PIXELS = 0.0, 0.1  # s from the first bounce to the history's end, s ahead


@dataclass(frozen=True)
class Standing:
    """What one predictor achieved on a suite."""

    name: str
    side_information: str
    ratio_to_limit: float  # its median error over that of the base (see `standings`); geometric mean over cells
    first: int  # cells in which it is first among predictors, or ties with the first
    cells: int
    rows: dict[str, Row]  # metric -> Row, of the central cell and the central time before a landing
    latency: dict[int, float]  # percentile -> s
    adapted: bool = False  # whether it learnt from recorded tracks

    @property
    def limit(self) -> bool:
        return self.name in GIVEN_MORE


def standings(results: Results, suite: str) -> list[Standing]:
    """The Standings of a suite, the best first, by the protocol that ranks it (see ranking_cells).

    The base of the ratios is `informed`, of events `state`, of other recorded balls the best of each cell.
    """
    cells = ranking_cells(results, suite)
    medians = {c: {n: np.median(list(e.values())) for n, e in by_name.items()} for c, by_name in cells.items()}
    base = {cell: m.get("informed", m.get(STATE, min(m.values()))) for cell, m in medians.items()}
    found = []
    for name, side_information in results.side_information.items():
        own = [cell for cell in cells if name in medians[cell]]
        if own:
            ratios = [max(medians[cell][name], 1e-9) / max(base[cell], 1e-9) for cell in own]
            ratio = float(np.exp(np.mean(np.log(ratios))))
            first = sum(_ties_with_first(results, suite, cell, name) for cell in own)
            latency = {int(r.metric[9:]): r.value for r in _rows(results, suite, name) if r.protocol == "latency"}
            rows = _central_rows(results, suite, name)
            adapted = results.is_adapted(name, suite)
            found.append(Standing(name, side_information, ratio, first, len(own), rows, latency, adapted))
    return sorted(found, key=lambda s: (s.ratio_to_limit, s.name))


def ranking_cells(results: Results, suite: str) -> dict[tuple[str, float, float], dict[str, dict[str, float]]]:
    """(protocol, history, horizon) -> predictor -> track -> error m, of the protocol that ranks the suite.

    That is the first of RANKING that was asked. Cells with fewer than MIN_TRACKS
    tracks are left out, unless there are no others.
    """
    found = {}
    for name, errors in results.errors.items():
        predictor, where, protocol, history, horizon = name.split("|")
        if where == suite:
            found.setdefault((protocol, float(history), float(horizon)), {})[predictor] = errors
    ranks = next((p for p in RANKING if any(c[0] == p for c in found)), None)
    found = {cell: by_name for cell, by_name in sorted(found.items()) if cell[0] == ranks}
    enough = {cell: by_name for cell, by_name in found.items() if max(map(len, by_name.values())) >= MIN_TRACKS}
    return enough or found


def _ties_with_first(results, suite, cell, name):
    """Whether a predictor or limit is first, or ties with the first predictor: of those that are adapted, or of those
    that are zero-shot, as it is itself."""
    adapted = results.is_adapted(name, suite)
    rivals = [n for n in results.side_information if n not in GIVEN_MORE and results.is_adapted(n, suite) == adapted]
    among = [n for n in results.side_information if n in rivals or n == name]
    return ranking(results, suite, *cell, of=among)[name]


def nearest(values: Sequence[float], wanted: float) -> float | None:
    """The value that is nearest to `wanted`; None if there are no values."""
    return min(values, key=lambda v: abs(v - wanted)) if values else None


def _central_rows(results, suite, name):
    """metric -> Row of the central history and horizon; ADE and FDE of that history; landings of the central time."""
    chosen = {}
    for protocol in ("horizon", "landing", "l4dc2023", "bounce", "pixels_bounce", "pixels"):
        rows = [r for r in _rows(results, suite, name) if r.protocol == protocol]
        central = CENTRAL_OF_PIXELS if protocol == "pixels_bounce" else CENTRAL
        history = nearest({r.history for r in rows}, central[0])
        rows = [r for r in rows if r.history == history]
        horizon = nearest({r.horizon for r in rows if r.horizon is not None}, central[1])
        chosen = {r.metric: r for r in rows if r.horizon in (None, horizon)} | chosen
    return chosen


def _rows(results, suite, name):
    return [r for r in results.rows if (r.suite, r.predictor) == (suite, name)]
