"""The report: one page of HTML that needs nothing else, from Results and the suites they are of.

    write(folder, results, suites, histories, horizons)      # folder/index.html

Who is best and by how much; error against horizon and history; landings; how honest the told spreads are; latency;
the best, the median and the worst track; what each predictor was told; the command that makes it again.
"""

from pathlib import Path

import jinja2
import numpy as np
from markupsafe import Markup

from ballcast.evaluation.figures import Curve, Panel, curves, dot_plot, style
from ballcast.evaluation.gallery import MAX_PREDICTORS, gallery
from ballcast.evaluation.limits import LIMITS
from ballcast.evaluation.results import COVERAGE_LEVELS, MIN_TRACKS, cell_key, display_name
from ballcast.evaluation.standings import CENTRAL, nearest, standings
from ballcast.models.runtime import weights as files

MM, MS = 1e3, 1e3
TEMPLATE = Path(__file__).parent / "report.html"


def write(folder, results, suites, histories, horizons):
    """Write folder/index.html; it appears whole or not at all. Returns its path."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "index.html"
    files.write_atomically(path, page(results, suites, histories, horizons).encode())
    return path


def page(results, suites, histories, horizons):
    """The page as text."""
    environment = jinja2.Environment(autoescape=True, trim_blocks=True)
    environment.filters |= {"mm": _millimetres, "short": display_name, "style": style, "figure": Markup}
    sections = [_section(results, suite, histories, horizons) for suite in suites]
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    return template.render(results=results, sections=sections, few=MIN_TRACKS, limits=LIMITS)


def _section(results, suite, histories, horizons):
    """What the page shows of one suite."""
    table = standings(results, suite.name)
    names = [s.name for s in table]
    return {
        "name": suite.name,
        "title": _title(suite),
        "tracks": len(suite.tracks),
        "recorded": suite.balls is None,
        "standings": table,
        "verdict": verdict(table),
        "middle": _where(table, "median", "{0.history:g} s seen, {0.horizon:g} s ahead"),
        "before": _where(table, "landing_place", "{0.history:g} s before it"),
        "horizon": [*_by_horizon(results, suite.name, names)],
        "bands": [*_bands(results, suite.name, names)],
        "history": [*_by_history(results, suite.name, names)],
        "landing": [*_landings(results, suite.name, names)],
        "ends": [*_ends(results, suite.name, names)],
        "reliability": [*_reliability(results, suite.name, names)],
        "latency": _latency(table),
        "gallery": [*gallery(results, suite, names, histories, horizons)],
        "drawn": [name for name in names if name not in LIMITS][:MAX_PREDICTORS],
        "notes": [n for n in results.notes if n.startswith(f"{suite.name},") or f": {suite.name}," in n],
        "cells": _cells(results, suite.name, names),
    }


def _where(table, metric, text):
    """Where the figure in the table's column was measured."""
    rows = [s.rows[metric] for s in table if metric in s.rows]
    return text.format(rows[0]) if rows else ""


def _title(suite):
    sport = suite.sport.name.replace("_", " ")
    return f"{sport}, recorded: {suite.name}" if suite.balls is None else f"{sport}, simulated"


def verdict(table):
    """Who is best and by how much, in a sentence or two."""
    best = next((s for s in table if not s.limit), None)
    if best is None:
        return "Only limits were asked."
    others = [s for s in table if not s.limit and s is not best]
    level = [display_name(s.name) for s in others if s.first == s.cells]
    text = f"{display_name(best.name)} forecasts best"
    row = best.rows.get("median")
    if row and row.horizon:
        text += f": {_millimetres(row.value)} mm off, {row.horizon:g} s ahead after {row.history:g} s seen"
    if any(s.name == "informed" for s in table):
        text += f"; over all that was asked {best.ratio_to_limit:.2f} times as far off as the limit"
    if level:
        text += f". Level with it, within the paired intervals: {', '.join(level)}"
    elif others:
        ratio = others[0].ratio_to_limit / best.ratio_to_limit
        text += f". Next is {display_name(others[0].name)}, {ratio:.2f} times as far off"
    return text + "."


def _millimetres(value):
    """Metres as millimetres with two or three figures."""
    if value is None:
        return "-"
    mm = MM * value
    return f"{mm:.1f}" if mm < 10 else f"{mm:,.0f}"


def _by(results, suite, metric, protocol):
    """(predictor, history, horizon) -> Row."""
    rows = (r for r in results.rows if (r.suite, r.metric, r.protocol) == (suite, metric, protocol))
    return {(r.predictor, r.history, r.horizon): r for r in rows}


def _axis(rows, index):
    return sorted({cell[index] for cell in rows})


def _by_horizon(results, suite, names):
    """A Panel of medians for every history."""
    rows = _by(results, suite, "median", "horizon")
    for history in _axis(rows, 1):
        lines = []
        for name in names:
            own = [rows[name, history, h] for h in _axis(rows, 2) if (name, history, h) in rows]
            lines.append(Curve(name, [r.horizon for r in own], [MM * r.value for r in own]))
        yield curves(Panel(f"{history:g} s seen", "s past the last seen frame", "median error, mm", lines, log=True))


def _bands(results, suite, names):
    """A Panel a predictor: the median and from q10 to q90 of the middle history, the limits beside it."""
    rows = _by(results, suite, "median", "horizon")
    history = nearest(_axis(rows, 1), CENTRAL[0])
    every = {name: _quantiles(results, suite, name, history, _axis(rows, 2)) for name in names}
    for name in names:
        if every[name].x:
            beside = [Curve(n, every[n].x, every[n].y) for n in LIMITS if n in names and n != name]
            title = f"{display_name(name)}, {history:g} s seen"
            yield curves(Panel(title, "s past the last seen frame", "error, mm", [*beside, every[name]], log=True))


def _quantiles(results, suite, name, history, horizons):
    found = {h: results.errors.get(cell_key(name, suite, "horizon", history, h)) for h in horizons}
    found = {h: np.quantile(list(e.values()), (0.1, 0.5, 0.9)) for h, e in found.items() if e}
    low, mid, high = MM * np.array([*found.values()]).reshape(-1, 3).T
    return Curve(name, [*found], mid, low, high)


def _by_history(results, suite, names):
    """Panels of medians against what was seen, for a near, a middle and a far horizon."""
    rows = _by(results, suite, "median", "horizon")
    histories, horizons = _axis(rows, 1), _axis(rows, 2)
    if len(histories) < 2:
        return
    for horizon in sorted({horizons[0], nearest(horizons, CENTRAL[1]), horizons[-1]}):
        lines = []
        for name in names:
            own = [rows[name, h, horizon] for h in histories if (name, h, horizon) in rows]
            lines.append(Curve(name, [r.history for r in own], [MM * r.value for r in own]))
        yield curves(Panel(f"{horizon:g} s ahead", "s seen", "median error, mm", lines, log=True))


def _landings(results, suite, names):
    """Panels of the landing's place, its time, and how often none is told."""
    shown = (
        ("landing_place", "where it lands", "median error, mm", MM, True),
        ("landing_time", "when it lands", "median error, ms", MS, True),
        ("landing_missing", "no landing told", "share of the tracks, %", 100.0, False),
    )
    for metric, title, label, unit, log in shown:
        rows = _by(results, suite, metric, "landing")
        lines = []
        for name in names:
            own = [rows[name, d, None] for d in _axis(rows, 1) if (name, d, None) in rows]
            band = [[unit * max(r.low, 1e-9) for r in own], [unit * r.high for r in own]] if log else [None, None]
            lines.append(Curve(name, [r.history for r in own], [unit * r.value for r in own], *band))
        if rows:
            yield curves(Panel(title, "s before the landing", label, lines, log))


def _ends(results, suite, names):
    """A Panel of l4dc2023: the median, and from q10 to q90 of the best."""
    rows = {m: _by(results, suite, m, "l4dc2023") for m in ("median", "q10", "q90")}
    lines = []
    for name in names:
        own = [(name, h, None) for h in _axis(rows["median"], 1) if (name, h, None) in rows["median"]]
        mid, low, high = ([MM * rows[m][cell].value for cell in own] for m in rows)
        lines.append(Curve(name, [cell[1] for cell in own], mid, *((low, high) if not lines else ())))
    if rows["median"]:
        x, y = "s from the history's end to the track's", "largest error of the last 5, mm"
        yield curves(Panel("the track's last frames", x, y, lines, log=True))


def _reliability(results, suite, names):
    """A Panel a history: how often the truth lay within regions, over all horizons, against what was told."""
    found = {}
    for cell, shares in results.reliability.items():
        name, where, _, history, _ = cell.split("|")
        if where == suite:
            found.setdefault(float(history), {}).setdefault(name, []).append(shares)
    for history, by_name in sorted(found.items()):
        lines = [Curve(n, COVERAGE_LEVELS, np.mean(by_name[n], axis=0)) for n in names if n in by_name]
        label = "share of true places within"
        yield curves(Panel(f"{history:g} s seen", "told share of the region", label, lines, diagonal=True))


def _latency(table):
    """Dots of p50, p95 and p99 of every predictor, as SVG; nothing where none was measured."""
    rows = [(display_name(s.name), [MS * s.latency[p] for p in sorted(s.latency)]) for s in table if s.latency]
    return dot_plot("a frame observed, 60 times forecast", "ms: p50, p95, p99", rows) if rows else ""


def _cells(results, suite, names):
    """(history, horizons, [(predictor, [Row or None])]) of the medians, for the table behind the figures."""
    rows = _by(results, suite, "median", "horizon")
    horizons = _axis(rows, 2)
    return [
        (history, horizons, [(name, [rows.get((name, history, h)) for h in horizons]) for name in names])
        for history in _axis(rows, 1)
    ]
