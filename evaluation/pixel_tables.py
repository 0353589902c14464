"""Tables of forecasts from pixels for the terminal."""

from collections.abc import Iterator

from rich.table import Table

from ballcast.evaluation.pixel_limits import LIMIT
from ballcast.evaluation.pixel_scores import times_limit
from ballcast.evaluation.results import IMAGE, MIN_TRACKS, Results, Row, display_name, ranking

SPACE = "median mm (95 %)", "RMS mm", "along", "across", "image px", "in 90 %", "energy mm", f"RMS / {LIMIT}"
PARTS = ("along_median", 1e3, "{:.0f}"), ("across_median", 1e3, "{:.0f}"), ("image_median", 1.0, "{:.1f}"), (
    "coverage90", 100.0, "{:.0f} %"), ("energy", 1e3, "{:.0f}")  # fmt: skip
Values = dict[tuple, Row]  # (predictor, history, horizon, metric) -> Row


def pixel_tables(results: Results) -> Iterator[Table]:
    """A rich Table for every suite of pixels and protocol."""
    suites = dict.fromkeys(row.suite for row in results.rows)
    for suite in suites:
        for protocol in ("pixels", "pixels_bounce"):
            rows = [row for row in results.rows if (row.suite, row.protocol) == (suite, protocol)]
            if rows:
                yield _forecasts(results, suite, protocol, rows)
    rows = [row for row in results.rows if row.protocol == "reconstruction"]
    if rows:
        yield _reconstructions(rows)


def ends_of_history(protocol: str, history: float) -> str:
    """When the history of a cell ends, in words."""
    if protocol == "pixels":
        return f"{history:g} s seen"
    if history == 0.0:
        return "first frame after"
    return f"{abs(history):g} s {'before' if history < 0.0 else 'after'}"


def ahead(horizon: float) -> str:
    """A time after the last frame, in words."""
    return f"+{horizon:g} s" if horizon else "now"


def _forecasts(results, suite, protocol, rows):
    """A section for each history, in it a row for each horizon and predictor."""
    values = {(row.predictor, row.history, row.horizon, row.metric): row for row in rows}
    in_space = any(row.metric == "median" for row in rows)
    what = "errors of forecasts from pixels" + (", seen until the first bounce" if protocol == "pixels_bounce" else "")
    table = Table(title=f"{suite}: {what}", title_justify="left", caption_justify="left")
    for name in ("seen until" if protocol == "pixels_bounce" else "history", "", ""):
        table.add_column(name)
    for name in ("tracks", *(SPACE if in_space else ("median px (95 %)", "RMS px"))):
        table.add_column(name, justify="right")
    for history in sorted({row.history for row in rows}):
        table.add_section()
        for horizon in sorted({row.horizon for row in rows if row.history == history}):
            own = protocol if in_space else protocol + IMAGE
            levels = ranking(results, suite, own, history, horizon, of=_ranked(results))
            names = [*levels, *(LIMIT for _ in [0] if (LIMIT, history, horizon, "median") in values)]
            for name in names:
                cells = _space_cells if in_space else _image_cells
                found = cells(results, values, (name, suite, protocol, history, horizon), levels.get(name, False))
                shown = f"[cyan]{name}[/cyan]" if name == LIMIT else display_name(name)
                shown += " (adapted)" * results.is_adapted(name, suite)
                table.add_row(ends_of_history(protocol, history), ahead(horizon), shown, *found)
    table.caption = f"* first, or ties with the first; fewer than {MIN_TRACKS} tracks decide nothing"
    if in_space:
        table.caption += "; along, across: the line of sight, medians; image: in that of the last frame's camera"
    return table


def _ranked(results):
    return [name for name in results.side_information if name != LIMIT]


def _space_cells(results, values, cell, leads):
    """The figures of one cell in space, as text."""
    name, suite, protocol, history, horizon = cell
    own = {metric: row for (n, h, ahead_, metric), row in values.items() if (n, h, ahead_) == (name, history, horizon)}
    median = own["median"]
    text = f"{1e3 * median.value:.0f}" + (
        f" [dim]{1e3 * median.low:.0f}-{1e3 * median.high:.0f}[/dim]" if median.low else ""
    )
    text = f"[bold]*{text}[/bold]" if leads and median.tracks >= MIN_TRACKS else text
    parts = [
        form.format(scale * own[m].value) if m in own and own[m].value is not None else "-" for m, scale, form in PARTS
    ]
    ratio = None if name == LIMIT else times_limit(results, name, LIMIT, suite, protocol, history, horizon)
    against = f"{ratio[0]:.2f} [dim]{ratio[1]:.2f}-{ratio[2]:.2f}[/dim]" if ratio else "-"
    return str(median.tracks), text, f"{1e3 * own['rmse'].value:.0f}", *parts, against


def _image_cells(results, values, cell, leads):
    """The figures of one cell of which only the image is known, as text."""
    name, _, _, history, horizon = cell
    median, rms = (values[name, history, horizon, f"image_{metric}"] for metric in ("median", "rmse"))
    text = f"{median.value:.1f}" + (f" [dim]{median.low:.1f}-{median.high:.1f}[/dim]" if median.low else "")
    text = f"[bold]*{text}[/bold]" if leads and median.tracks >= MIN_TRACKS else text
    return str(median.tracks), text, f"{rms.value:.1f}"


def _reconstructions(rows):
    """One row for each suite and method: the error at every frame, from all frames."""
    table = Table(title="reconstruction: the error at every frame from all frames, mm", title_justify="left",
                  caption_justify="left")  # fmt: skip
    table.add_column("")
    table.add_column("")
    for name in ("balls", "mean (95 %)", "median", "along, mean", "across, mean", "worst ball", "in 90 %", "lost"):
        table.add_column(name, justify="right")
    for suite, name in dict.fromkeys((row.suite, row.predictor) for row in rows):
        own = {row.metric: row for row in rows if (row.suite, row.predictor) == (suite, name)}
        if "mean" not in own:
            continue
        mean, mm = (
            own["mean"],
            {m: f"{1e3 * own[m].value:.0f}" for m in ("median", "along_mean", "across_mean", "worst")},
        )
        first = f"{1e3 * mean.value:.0f}" + (
            f" [dim]{1e3 * mean.low:.0f}-{1e3 * mean.high:.0f}[/dim]" if mean.low else ""
        )
        shares = (f"{100 * own[m].value:.0f} %" if m in own else "-" for m in ("coverage90", "lost"))
        table.add_row(suite, name, str(mean.tracks), first, *mm.values(), *shares)
    table.caption = "means over all frames of all balls; worst ball: the largest mean of one"
    return table
