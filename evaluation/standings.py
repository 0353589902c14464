"""Who is best on a suite, by how much, and how far from the limit: one line a predictor, of Results."""

from dataclasses import dataclass

import numpy as np

from ballcast.evaluation.limits import LIMITS
from ballcast.evaluation.results import MIN_TRACKS, ranking

CENTRAL = 0.2, 0.3  # s seen, s ahead: the cell that stands for the others in a sentence


@dataclass(frozen=True)
class Standing:
    """What a predictor reached on a suite; None where it was not asked, or does not say."""

    name: str
    side_information: str
    ratio_to_limit: (
        float  # of its median error to that of `informed` (recorded: of the best), geometric mean over cells
    )
    first: int  # cells in which it is first, (other) limits aside, or within its paired interval of the first
    cells: int
    rows: dict  # metric -> Row, of the middle cell and the middle time before a landing
    latency: dict  # share of the forecasts, such as 50 -> s

    @property
    def limit(self):
        return self.name in LIMITS


def standings(results, suite):
    """Standings of a suite, the best first: of `horizon`, else of the first protocol that was asked."""
    cells = ranking_cells(results, suite)
    medians = {c: {n: np.median(list(e.values())) for n, e in by_name.items()} for c, by_name in cells.items()}
    base = {cell: m["informed"] if "informed" in m else min(m.values()) for cell, m in medians.items()}
    found = []
    for name in results.told:
        own = [cell for cell in cells if name in medians[cell]]
        if own:
            ratios = [max(medians[cell][name], 1e-9) / max(base[cell], 1e-9) for cell in own]
            first = sum(_ties_with_first(results, suite, cell, name) for cell in own)
            latency = {int(r.metric[9:]): r.value for r in _rows(results, suite, name) if r.protocol == "latency"}
            side_information, rows = results.told[name], _central_rows(results, suite, name)
            found.append(
                Standing(name, side_information, float(np.exp(np.mean(np.log(ratios)))), first, len(own), rows, latency)
            )
    return sorted(found, key=lambda s: (s.ratio_to_limit, s.name))


def ranking_cells(results, suite):
    """(protocol, history, horizon) -> predictor -> track -> error m, of the protocol that ranks the suite.

    Cells of few tracks decide nothing and are left out, unless there are no others.
    """
    found = {}
    for name, errors in results.errors.items():
        predictor, where, protocol, history, horizon = name.split("|")
        if where == suite:
            found.setdefault((protocol, float(history), float(horizon)), {})[predictor] = errors
    ranks = next((p for p in ("horizon", "l4dc2023", "landing") if any(c[0] == p for c in found)), None)
    found = {cell: by_name for cell, by_name in sorted(found.items()) if cell[0] == ranks}
    enough = {cell: by_name for cell, by_name in found.items() if max(map(len, by_name.values())) >= MIN_TRACKS}
    return enough or found


def _ties_with_first(results, suite, cell, name):
    """Whether a predictor, or a limit, is first or level with the first of all predictors."""
    among = [n for n in results.told if n not in LIMITS or n == name]
    return ranking(results, suite, *cell, of=among)[name]


def nearest(values, wanted):
    """The one of values that is nearest to what is wanted; None of none."""
    return min(values, key=lambda v: abs(v - wanted)) if values else None


def _central_rows(results, suite, name):
    """metric -> Row of the middle history and horizon; ADE and FDE of that history; landings of the middle time."""
    chosen = {}
    for protocol in ("horizon", "landing", "l4dc2023"):
        rows = [r for r in _rows(results, suite, name) if r.protocol == protocol]
        history = nearest({r.history for r in rows}, CENTRAL[0])
        rows = [r for r in rows if r.history == history]
        horizon = nearest({r.horizon for r in rows if r.horizon is not None}, CENTRAL[1])
        chosen = {r.metric: r for r in rows if r.horizon in (None, horizon)} | chosen
    return chosen


def _rows(results, suite, name):
    return [r for r in results.rows if (r.suite, r.predictor) == (suite, name)]
