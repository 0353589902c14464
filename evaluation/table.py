"""Results as tables for the terminal."""

from collections.abc import Iterator

import numpy as np
from rich.table import Table

from ballcast.evaluation.results import MIN_TRACKS, STATE, Results, display_name, ranking
from ballcast.evaluation.standings import GIVEN_MORE


def tables(results: Results, without: str = "") -> Iterator[Table]:
    """A rich Table for every suite, protocol (but `without`) and history of the results."""
    order = {name: k for k, name in enumerate(("horizon", "landing")) if name != without}
    cells = {(r.suite, r.protocol, r.history) for r in results.rows if r.protocol in order}
    for suite, protocol, history in sorted(cells, key=lambda c: (c[0], order[c[1]], c[2])):
        rows = [r for r in results.rows if (r.suite, r.protocol, r.history) == (suite, protocol, history)]
        make = _landings if protocol == "landing" else _horizons
        yield make(results, suite, history, rows)
    for suite in sorted({r.suite for r in results.rows if r.protocol == "l4dc2023"}):
        yield _ends(results, suite)
    for suite in sorted({r.suite for r in results.rows if r.protocol == "bounce"}):
        yield _bounces(results, suite)


def _table(title, left, right):
    """A Table without rows: columns of text at the left, columns of figures at the right."""
    table = Table(title=title, title_justify="left", caption_justify="left")
    for justify, columns in (("left", left), ("right", right)):
        for column in columns:
            table.add_column(column, justify=justify)
    return table


def by_suite(results: Results) -> Iterator[Table]:
    """One rich Table for every suite, of the protocol horizon: a section for each history."""
    for suite in dict.fromkeys(r.suite for r in results.rows if r.protocol == "horizon"):
        rows = [r for r in results.rows if (r.suite, r.protocol) == (suite, "horizon")]
        horizons = sorted({r.horizon for r in rows if r.horizon is not None})
        title = f"{suite}: median error in mm (95 % interval)"
        table = _table(title, ["s", "", "tracks"], [*(f"+{h:g} s" for h in horizons), "in 90 %"])
        for history in sorted({r.history for r in rows}):
            table.add_section()
            own = [r for r in rows if r.history == history]
            for name, cells in _horizon_rows(results, suite, history, own, horizons):
                mine = {m: [r for r in own if (r.predictor, r.metric) == (name, m)] for m in ("median", "coverage90")}
                count = [r.tracks for r in mine["median"]]
                counts = "-".join(str(n) for n in dict.fromkeys((min(count), max(count))))
                title = _titled(name, results.is_adapted(name, suite))
                table.add_row(f"{history:g}", title, counts, *cells, _mean_coverage(mine["coverage90"]))
        table.caption = f"s of history; * first, or ties with the first; fewer than {MIN_TRACKS} tracks decide nothing"
        yield table


def _mean_coverage(rows):
    """The coverage of all horizons' forecasts together."""
    return f"{np.average([r.value for r in rows], weights=[r.tracks for r in rows]):.0%}" if rows else "-"


def _horizons(results, suite, history, rows):
    horizons = sorted({r.horizon for r in rows if r.horizon is not None})
    title = f"{suite}: {history:g} s of history, median error in mm (95 % interval)"
    last = [f"{name} +{horizons[-1]:g} s" for name in ("in 90 %", "nll")]
    table = _table(title, [""], [*(f"+{h:g} s" for h in horizons), *last])
    value = {(r.predictor, r.metric): r for r in rows if r.horizon == horizons[-1]}
    for name, cells in _horizon_rows(results, suite, history, rows, horizons):
        for metric, form in (("coverage90", "{:.0%}"), ("nll", "{:.2f}")):
            row = value.get((name, metric))
            cells.append(form.format(row.value) if row and row.value is not None else "-")
        table.add_row(_titled(name, results.is_adapted(name, suite)), *cells)
    count = max((r.tracks for r in rows), default=0)
    table.caption = f"{count} tracks; * first, or ties with the first by their paired interval"
    if count < MIN_TRACKS:
        table.caption += f". Fewer than {MIN_TRACKS} tracks decide nothing"
    return table


def _horizon_rows(results, suite, history, rows, horizons):
    """(predictor, its medians as text) for each predictor, in the order of their errors at the middle horizon.

    Those that are adapted come after the others; each group has its own stars.
    """
    value = {(r.predictor, r.horizon): r for r in rows if r.metric == "median"}
    middle = horizons[len(horizons) // 2]
    for group in groups(results, suite):
        levels = {h: ranking(results, suite, "horizon", history, h, of=group) for h in horizons}
        for name in levels[min((h for h in horizons if levels[h]), key=lambda h: abs(h - middle), default=middle)]:
            cells = []
            for h in horizons:
                row = value.get((name, h))
                cells.append(_cell(row, levels[h].get(name, False)) if row else "-")
            yield name, cells


def groups(results: Results, suite: str) -> tuple[list[str], list[str]]:
    """The predictors of a suite that are zero-shot, and those that are adapted to recorded balls."""
    names = [*results.side_information]
    adapted = [name for name in names if results.is_adapted(name, suite)]
    return [name for name in names if name not in adapted], adapted


def _cell(row, leads):
    """A figure with its interval, marked if it leads in a cell with enough tracks."""
    leads = leads and row.tracks >= MIN_TRACKS
    if row.spread is not None:  # of several runs
        text = f"{1e3 * row.value:.1f} ± {1e3 * row.spread:.1f}"
        return f"[bold]*{text}[/bold]" if leads else text
    text = f"{1e3 * row.value:.1f}" + (f" [dim]{1e3 * row.low:.0f}-{1e3 * row.high:.0f}[/dim]" if row.low else "")
    return f"[bold]*{text}[/bold]" if leads else text


def _landings(results, suite, history, rows):
    value = {(r.predictor, r.metric): r for r in rows}
    columns = "position mm (95 %)", "time ms", "no landing", "tracks"
    table = _table(f"{suite}: landing, history until {history:g} s before it", [""], columns)
    known = {r.predictor for r in rows}
    position_error = {n: value[n, "landing_place"].value for n in known if (n, "landing_place") in value}
    for name in sorted(known, key=lambda n: position_error.get(n, 1e9)):
        at, when, missing = (value.get((name, f"landing_{k}")) for k in ("place", "time", "missing"))
        errors = (_cell(at, False), f"{1e3 * when.value:.1f}") if at else ("-", "-")
        title = _titled(name, results.is_adapted(name, suite))
        table.add_row(title, *errors, f"{missing.value:.0%}", str(missing.tracks))
    return table


def _bounces(results, suite):
    """Landings after events: a section for each history; the measured state first, adapted predictors last."""
    rows = [r for r in results.rows if (r.suite, r.protocol) == (suite, "bounce")]
    value = {(r.predictor, r.history, r.metric): r for r in rows}
    title = f"{suite}: next bounce, median errors; made frames of the first s"
    table = _table(title, ["s", "", "tracks"], ["position mm (95 %)", "time ms", "no landing"])
    for history in sorted({r.history for r in rows}):
        table.add_section()
        for group in ([STATE], *([n for n in group if n != STATE] for group in groups(results, suite))):
            known = [name for name in group if (name, history, "landing_missing") in value]
            levels = ranking(results, suite, "bounce", history, 0.0, of=known)
            for name in [*levels, *(n for n in known if n not in levels)]:
                at, late, none = (value.get((name, history, f"landing_{k}")) for k in ("place", "time", "missing"))
                figures = (_cell(at, name != STATE and levels[name]), f"{1e3 * late.value:.1f}") if at else ("-", "-")
                shown = _titled(name, results.is_adapted(name, suite))
                table.add_row(f"{history:g}", shown, str(none.tracks), *figures, f"{none.value:.0%}")
    table.caption = f"* first, or ties with the first; {STATE}: the measured state, flown by the law that ships: it is "
    table.caption += "given the velocity and the spin. The frames are made from it; the bounce is measured"
    return table


def _ends(results, suite):
    """l4dc2023: median, q10 and q90, a column for each time from the history's end to the track's."""
    rows = [r for r in results.rows if (r.suite, r.protocol) == (suite, "l4dc2023")]
    value = {(r.predictor, r.history, r.metric): r for r in rows}
    before = sorted({r.history for r in rows})
    title = f"{suite}: l4dc2023, largest error over the last 5 frames in mm, median (q10-q90)"
    table = _table(title, [""], [f"{h:g} s" for h in before])
    levels = {h: ranking(results, suite, "l4dc2023", h, 0.0) for h in before}
    for name in levels[before[0]]:
        line = [_titled(name, results.is_adapted(name, suite))]
        for h in before:
            mm = [1e3 * value[name, h, m].value if (name, h, m) in value else np.nan for m in ("median", "q10", "q90")]
            text = "-" if np.isnan(mm[0]) else f"{mm[0]:.0f} [dim]{mm[1]:.0f}-{mm[2]:.0f}[/dim]"
            line.append(f"[bold]*{text}[/bold]" if levels[h].get(name) else text)
        table.add_row(*line)
    counts = ", ".join(f"{h:g} s {max(r.tracks for r in rows if r.history == h)}" for h in before)
    table.caption = f"tracks: {counts}; * first, or ties with the first by their paired interval"
    return table


def _titled(name, is_adapted=False):
    """A name as it is shown: limits in colour, files of weights by their folders, adapted predictors marked."""
    return f"[cyan]{name}[/cyan]" if name in GIVEN_MORE else display_name(name) + " (adapted)" * is_adapted


def latencies(results: Results) -> Table:
    """A rich Table of the predictors' side information and latency."""
    title = "one ball, one thread: observe a frame, forecast 60 times"
    table = _table(title, ["", "knows"], ["p50 us", "p95 us", "p99 us"])
    value = {(r.predictor, r.metric): r.value for r in results.rows if r.protocol == "latency"}
    for name, side_information in results.side_information.items():
        if (name, "latency_p50") not in value:
            continue
        figures = [value.get((name, f"latency_p{p}")) for p in (50, 95, 99)]
        table.add_row(_titled(name), side_information, *(f"{1e6 * v:.0f}" if v else "-" for v in figures))
    return table
