"""The report: one HTML page without other files, from Results and their suites.

It shows which predictor is best and by how much; error against horizon and history; landings; calibration of the
uncertainty; latency; the best, the median and the worst track; side information; and the command that makes it again.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup

from ballcast.evaluation.figures import Curve, Panel, curves, dot_plot, style
from ballcast.evaluation.gallery import drawable, gallery
from ballcast.evaluation.limits import LIMITS
from ballcast.evaluation.pixel_limits import LIMIT
from ballcast.evaluation.pixel_scores import times_limit
from ballcast.evaluation.pixel_suites import PixelSuite
from ballcast.evaluation.pixel_tables import ahead, ends_of_history
from ballcast.evaluation.results import COVERAGE_LEVELS, MIN_TRACKS, Results, cell_key, display_name
from ballcast.evaluation.standings import CENTRAL, GIVEN_MORE, Standing, nearest, standings
from ballcast.evaluation.suites import Suite
from ballcast.sim.files import write_atomically

MM, MS = 1e3, 1e3
TEMPLATE = Path(__file__).parent / "report.html"


def write(folder: str | Path, *contents: Any) -> Path:
    """Write folder/index.html, whole or not at all, and return its path. contents: the arguments of page."""
    path = Path(folder) / "index.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, page(*contents).encode())
    return path


def page(results: Results, suites: Sequence[Suite], histories: Sequence[float], horizons: Sequence[float]) -> str:
    """The page as text."""
    environment = jinja2.Environment(autoescape=True, trim_blocks=True)
    environment.filters |= {"mm": _millimetres, "short": display_name, "style": style, "figure": Markup}
    sections = [_section(results, suite, histories, horizons) for suite in suites]
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    return template.render(results=results, sections=sections, few=MIN_TRACKS, limits=GIVEN_MORE)


def _section(results, suite, histories, horizons):
    table = standings(results, suite.name)
    names, sport = [s.name for s in table], suite.sport.name.replace("_", " ")
    return {
        "name": suite.name,
        "title": _title(suite, sport),
        "tracks": len(suite.tracks),
        "recorded": suite.balls is None,
        "standings": table,
        "verdict": verdict(table),
        "middle": _middle(table),
        "of_pixels": isinstance(suite, PixelSuite),
        "before": _where(table, "landing_place", "{0.history:g} s " + ("seen" if suite.events else "before it")),
        "latency": _latency(table),
        "gallery": [*gallery(results, suite, names, histories, horizons)],
        "drawn": drawable(results, names),
        "notes": [n for n in results.notes if n.startswith(f"{suite.name},") or f": {suite.name}," in n],
    } | {key: [*make(results, suite.name, names)] for key, make in MAKERS.items()}


def _title(suite, sport):
    """A suite in words."""
    title = f"{sport}, recorded: {suite.name}" if suite.balls is None else f"{sport}, simulated"
    return f"{title}, seen by cameras" if isinstance(suite, PixelSuite) else title


def _middle(table):
    """The cell from which the errors of the ranking were taken, as text."""
    row = next((s.rows["median"] for s in table if "median" in s.rows), None)
    if row is None:
        return ""
    if row.protocol == "pixels_bounce":
        return f"{ends_of_history(row.protocol, row.history)} the first bounce, {row.horizon:g} s ahead"
    return f"{row.history:g} s of history, {row.horizon:g} s ahead"


def _where(table, metric, text):
    """The cell from which a column of the ranking was taken, as text."""
    rows = [s.rows[metric] for s in table if metric in s.rows]
    return text.format(rows[0]) if rows else ""


def verdict(table: list[Standing]) -> str:
    """Which predictor is best and by how much, in a sentence or two."""
    best = next((s for s in table if not s.limit), None)
    if best is None:
        return "Only limits were evaluated."
    others = [s for s in table if not s.limit and s is not best]
    level = [display_name(s.name) for s in others if s.first == s.cells]
    text = f"{display_name(best.name)} forecasts best"
    row = best.rows.get("median")
    if row and row.horizon:
        text += f": its median error is {_millimetres(row.value)} mm, {row.horizon:g} s ahead"
        is_around = row.protocol == "pixels_bounce"
        seen = ends_of_history(row.protocol, row.history) + " the first bounce"
        text += f", seen until {seen}" if is_around else f" after {row.history:g} s of history"
    if any(s.name == "informed" for s in table):
        text += f"; over all cells its error is {best.ratio_to_limit:.2f} times that of the limit"
    if level:
        text += f". It ties with {', '.join(level)}, by the paired intervals"
    elif others:
        ratio = others[0].ratio_to_limit / best.ratio_to_limit
        text += f". Next is {display_name(others[0].name)}, with {ratio:.2f} times its error"
    return text + "."


def _millimetres(value):
    """Metres as text in millimetres: one decimal below 10."""
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


def _curve(name, rows, axis):
    """A Curve of rows (or None) in mm against their history or horizon."""
    rows = [row for row in rows if row]
    return Curve(name, [getattr(row, axis) for row in rows], [MM * row.value for row in rows])


def _by_horizon(results, suite, names):
    """A Panel of medians for every history."""
    rows = _by(results, suite, "median", "horizon")
    for history in _axis(rows, 1):
        lines = [_curve(n, [rows.get((n, history, h)) for h in _axis(rows, 2)], "horizon") for n in names]
        title = f"{history:g} s of history"
        yield curves(Panel(title, "s after the last frame", "median error, mm", lines, log=True))


def _bands(results, suite, names):
    """A Panel for each predictor: the median, a band from q10 to q90, and the limits, for the central history."""
    rows = _by(results, suite, "median", "horizon")
    history = nearest(_axis(rows, 1), CENTRAL[0])
    every = {name: _quantiles(results, suite, name, history, _axis(rows, 2)) for name in names}
    for name in names:
        if every[name].x:
            reference = [Curve(n, every[n].x, every[n].y) for n in LIMITS if n in names and n != name]
            title = f"{display_name(name)}, {history:g} s of history"
            yield curves(Panel(title, "s after the last frame", "error, mm", [*reference, every[name]], log=True))


def _quantiles(results, suite, name, history, horizons):
    found = {h: results.errors.get(cell_key(name, suite, "horizon", history, h)) for h in horizons}
    found = {h: np.quantile(list(e.values()), (0.1, 0.5, 0.9)) for h, e in found.items() if e}
    low, mid, high = MM * np.array([*found.values()]).reshape(-1, 3).T
    return Curve(name, [*found], mid, low, high)


def _by_history(results, suite, names):
    """Panels of medians against the history, for a near, a central and a far horizon."""
    rows = _by(results, suite, "median", "horizon")
    histories, horizons = _axis(rows, 1), _axis(rows, 2)
    if len(histories) < 2:
        return
    for horizon in sorted({horizons[0], nearest(horizons, CENTRAL[1]), horizons[-1]}):
        lines = [_curve(n, [rows.get((n, h, horizon)) for h in histories], "history") for n in names]
        yield curves(Panel(f"{horizon:g} s ahead", "s of history", "median error, mm", lines, log=True))


def _landings(results, suite, names):
    """Panels of the error of the landing's position, that of its time, and how often no landing is forecast."""
    shown = (
        ("landing_place", "landing position", "median error, mm", MM, True),
        ("landing_time", "landing time", "median error, ms", MS, True),
        ("landing_missing", "no landing forecast", "of the tracks, %", 100.0, False),
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
    """A Panel of l4dc2023: the medians, with a band from q10 to q90 for the best predictor."""
    rows = {m: _by(results, suite, m, "l4dc2023") for m in ("median", "q10", "q90")}
    lines = []
    for name in names:
        own = [(name, h, None) for h in _axis(rows["median"], 1) if (name, h, None) in rows["median"]]
        mid, low, high = ([MM * rows[m][cell].value for cell in own] for m in rows)
        lines.append(Curve(name, [cell[1] for cell in own], mid, *((low, high) if not lines else ())))
    if rows["median"]:
        x, y = "s from the history's end to the track's", "largest error of the last 5, mm"
        yield curves(Panel("last frames of the track", x, y, lines, log=True))


def _reliability(results, suite, names):
    """A Panel for each history: coverage of the regions, mean over the horizons, against their probability."""
    found = {}
    for cell, coverage in results.reliability.items():
        name, where, protocol, history, _ = cell.split("|")
        if where == suite:
            found.setdefault((protocol, float(history)), {}).setdefault(name, []).append(coverage)
    for (protocol, history), by_name in sorted(found.items()):
        lines = [Curve(n, COVERAGE_LEVELS, np.mean(by_name[n], axis=0)) for n in names if n in by_name]
        title = f"{history:g} s of history" if protocol == "horizon" else ends_of_history(protocol, history)
        title += " the bounce" * (protocol == "pixels_bounce")
        labels = ("probability of the region", "fraction of truths inside")
        yield curves(Panel(title, *labels, lines, diagonal=True))


def _pixels(results, suite, names):
    """Panels of the median errors in space of forecasts from pixels, one for each end of the history."""
    for protocol, suffix in (("pixels", ""), ("pixels_bounce", " the first bounce")):
        rows = _by(results, suite, "median", protocol)
        for history in _axis(rows, 1):
            lines = [_curve(n, [rows.get((n, history, h)) for h in _axis(rows, 2)], "horizon") for n in names]
            title = ends_of_history(protocol, history) + suffix
            yield curves(Panel(title, "s after the last frame", "median error, mm", lines, log=True))


def _sight(results, suite, names):
    """Panels of the errors at the last frame along and across the line of sight, against the end of the history."""
    for part in ("along", "across"):
        rows = _by(results, suite, f"{part}_median", "pixels_bounce")
        now = [horizon for horizon in _axis(rows, 2)][:1]
        lines = [_curve(n, [rows.get((n, h, now[0])) for h in _axis(rows, 1)], "history") for n in names if now]
        if rows:
            x, y = "s from the first bounce to the history's end", "median error, mm"
            yield curves(Panel(f"{part} the line of sight", x, y, lines, log=True))


def _pixel_lines(results, suite, names):
    """(end of the history, time ahead, predictor, its Rows by metric, its RMS over the limit's) of each cell."""
    for protocol in ("pixels", "pixels_bounce"):
        rows = [r for r in results.rows if (r.suite, r.protocol) == (suite, protocol)]
        for history, horizon in sorted({(r.history, r.horizon) for r in rows}):
            own = [r for r in rows if (r.history, r.horizon) == (history, horizon)]
            end = ends_of_history(protocol, history) + " the bounce" * (protocol == "pixels_bounce")
            for name in dict.fromkeys(r.predictor for r in own):
                by_metric = {r.metric: r for r in own if r.predictor == name}
                ratio = times_limit(results, name, LIMIT, suite, protocol, history, horizon) if name != LIMIT else None
                yield end, ahead(horizon), name, by_metric, ratio


def _frames(results, suite, names):
    """(method, its Rows by metric) of `reconstruction`."""
    rows = [r for r in results.rows if (r.suite, r.protocol) == (suite, "reconstruction")]
    for name in dict.fromkeys(r.predictor for r in rows):
        yield name, {r.metric: r for r in rows if r.predictor == name}


def _latency(table):
    """Dots of p50, p95 and p99 of every predictor, as SVG; empty if none was measured."""
    rows = [(display_name(s.name), [MS * s.latency[p] for p in sorted(s.latency)]) for s in table if s.latency]
    return dot_plot("observe a frame, forecast 60 times", "ms: p50, p95, p99", rows) if rows else ""


def _cells(results, suite, names):
    """(history, horizons, [(predictor, [Row or None])]) of the medians, for the tables below the figures."""
    rows = _by(results, suite, "median", "horizon")
    horizons = _axis(rows, 2)
    for history in _axis(rows, 1):
        yield history, horizons, [(name, [rows.get((name, history, h)) for h in horizons]) for name in names]


MAKERS = {  # variable of the template -> function of (results, suite's name, predictors) that yields its items
    "horizon": _by_horizon, "bands": _bands, "history": _by_history, "landing": _landings, "ends": _ends,
    "reliability": _reliability, "cells": _cells, "pixels": _pixels, "sight": _sight, "pixel_lines": _pixel_lines,
    "frames": _frames,
}  # fmt: skip
