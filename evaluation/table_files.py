"""Results as files for papers and notebooks: the tables as Markdown, every figure as a row of CSV.

python evaluate.py --predictor gru runs/seeds --markdown table.md --csv figures.csv
"""

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import fields

from rich.table import Table
from rich.text import Text

from ballcast.evaluation.results import Results, Row, display_name


def to_markdown(results: Results, tables: Iterable[Table]) -> str:
    """The tables of the results as a page of Markdown: what makes it, what each predictor knows, the tables, notes."""
    knows = ([f"`{display_name(name)}`", what] for name, what in results.side_information.items())
    parts = [f"Made by `{results.command}`, Ballcast {results.version}.", _rows(["predictor", "knows"], knows)]
    for table in tables:
        heads = [_plain(column.header) or "predictor" for column in table.columns]
        body = _rows(heads, zip(*([_cell(cell) for cell in column.cells] for column in table.columns)))
        parts += [f"**{_plain(table.title)}**", body, _caption(table.caption)]
    if results.notes:
        parts.append("\n".join(f"- {note}" for note in results.notes))
    return "\n\n".join(part for part in parts if part) + "\n"


def _rows(heads, rows):
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def _plain(text):
    return Text.from_markup(str(text or "")).plain


def _cell(cell):
    """A cell without rich's marks; figures that lead are bold."""
    plain = _plain(cell)
    return f"**{plain.removeprefix('*')}**" if str(cell).startswith("[bold]") else plain


def _caption(text):
    """What stands below a table; the mark of figures that lead is bold here, not an asterisk."""
    return _plain(text).replace("* first", "bold: first")


def to_csv(results: Results) -> str:
    """Every figure of the results as a row, in SI units, with what its predictor knows."""
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows(_figures(results))
    return file.getvalue()


def _figures(results: Results) -> Iterator[list]:
    names = [field.name for field in fields(Row)]
    yield [*names, "knows"]
    for row in results.rows:
        values = ["" if (v := getattr(row, name)) is None else v for name in names]
        yield [*values, results.side_information.get(row.predictor, "")]
