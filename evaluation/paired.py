"""Two runs on the same tracks, predictor by predictor: every cell's paired difference, with its interval, as tables.

A cell of MIN_TRACKS tracks and more whose 95 % interval lies wholly above zero is marked as worse.
"""

from collections.abc import Iterator, Sequence

from rich.table import Table

from ballcast.evaluation.results import MIN_TRACKS, Difference, Results, differences, unit


def paired_tables(before: Results, after: Results) -> Iterator[Table | str]:
    """A rich Table of `after` minus `before` for every suite and protocol; then a line that counts the worse cells.

    Raises ValueError if the two have no cell with the same tracks.
    """
    found = [*differences(before, after)]
    if not found:
        raise ValueError("the two runs have no cell with the same tracks; evaluate the same suites, split and seed")
    for suite, protocol in dict.fromkeys((d.suite, d.protocol) for d in found):
        yield _table([d for d in found if (d.suite, d.protocol) == (suite, protocol)])
    deciding = [d for d in found if d.tracks >= MIN_TRACKS]
    worse, better = sum(d.low > 0.0 for d in deciding), sum(d.high < 0.0 for d in deciding)
    yield (f"{worse} of {len(deciding)} cells of {MIN_TRACKS} tracks and more are worse by their paired interval, "
           f"{better} are better")  # fmt: skip


def _table(found: Sequence[Difference]) -> Table:
    """A row for each history and predictor, a column for each horizon."""
    horizons = sorted({d.horizon for d in found})
    where, name = f"{found[0].suite}, {found[0].protocol}", unit(found[0].protocol)[0]
    title = f"{where}: change of the median error in {name} (paired 95 % interval)"
    table = Table(title=title, title_justify="left", caption_justify="left")
    for name in ("s", "", "tracks"):
        table.add_column(name)
    for horizon in horizons:
        table.add_column(f"+{horizon:g} s" if horizon else "", justify="right")
    histories = sorted({d.history for d in found})
    for history in histories:
        table.add_section()
        for names in dict.fromkeys(d.names for d in found):
            row = {d.horizon: d for d in found if (d.history, d.names) == (history, names)}
            if row:
                counts = [d.tracks for d in row.values()]
                count = f"{min(counts)}-{max(counts)}" if min(counts) < max(counts) else str(counts[0])
                table.add_row(f"{history:g}", names, count, *(_cell(row.get(h)) for h in horizons))
    table.caption = f"! worse, * better by the interval; in brackets: fewer than {MIN_TRACKS} tracks decide nothing"
    return table


def _cell(difference: Difference | None) -> str:
    """One difference as text, marked if its interval does not include zero."""
    if difference is None:
        return "-"
    _, scale = unit(difference.protocol)
    figures = (scale * v for v in (difference.median, difference.low, difference.high))
    value, low, high = (f"{v:+.1f}" if abs(v) < 10 else f"{v:+.0f}" for v in figures)
    text = f"{value} ({low} to {high})"
    if difference.tracks < MIN_TRACKS:
        return f"[dim]\\[{text}][/dim]"
    if difference.low > 0.0:
        return f"[bold red]!{text}[/bold red]"
    return f"[green]*{text}[/green]" if difference.high < 0.0 else text
