"""The page of a lesson: what its script prints and its code are written into the page, its pictures saved beside it.

page = Page("gates")
page.code(Cell, train)                       # the source of these, in the next block ```python of the page
page.print("a line")                         # printed, and kept for the next block ```text of the page
page.next_block()                            # lines from here on are for the block after it
figure, (left, right) = page.figure(2)
page.save(figure)                            # gates.png; page.save(figure, "cell") is gates_cell.png
page.close()                                 # gates.md

`python -m lessons.gates` writes into runs/lessons, and says which lines differ from the page in the checkout;
`python -m lessons.gates --update` writes the page in the checkout. Code is taken from the script, so that what a page
shows is what ran.
"""

import inspect
import os
import re
import sys
from io import BytesIO
from pathlib import Path

import torch
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ballcast.evaluation.figures import PALETTE, STYLE
from ballcast.sim.files import write_atomically

FOLDER = Path(__file__).parent
OUTPUT = Path("runs/lessons")
WIDTH, HEIGHT = 4.4, 3.2  # inches of one plot
MAX_DIFFERENCES = 12  # lines of a page that are shown when they differ


class Page:
    """A lesson's page, lessons/NAME.md.

    name      of the lesson
    source    the folder with the page
    folder    where the filled page and its pictures go; None: runs/lessons, or `source` after --update
    """

    def __init__(self, name: str, source: Path = FOLDER, folder: Path | None = None):
        torch.set_num_threads(1)  # matrices are small: a second thread would wait for the first
        self.name, self.source = name, source / f"{name}.md"
        self.folder = folder or (source if "--update" in sys.argv[1:] else OUTPUT)
        self.blocks: list[list[str]] = [[]]
        self.codes: list[str] = []

    def print(self, line: str = "") -> None:
        """Print a line, and keep it for the page."""
        print(line, flush=True)
        self.blocks[-1].extend(line.split("\n"))

    def next_block(self) -> None:
        """Lines that are printed from now on belong to the next block ```text of the page."""
        print(flush=True)
        self.blocks.append([])

    def code(self, *objects) -> None:
        """Show the source of functions and classes in the next block ```python of the page."""
        self.codes.append("\n\n".join(inspect.getsource(each).rstrip() + "\n" for each in objects))

    def figure(self, columns: int = 1, width: float = WIDTH, height: float = HEIGHT) -> tuple:
        """A Figure with some plots side by side, each so many inches large, and these plots."""
        with rc_context(STYLE):
            figure = Figure((width * columns, height), dpi=110)
            return figure, figure.subplots(1, columns)

    def save(self, figure: Figure, suffix: str = "") -> None:
        """Save a picture of the lesson: NAME.png, or NAME_SUFFIX.png."""
        with rc_context(STYLE):
            FigureCanvasAgg(figure)
            image = BytesIO()
            figure.savefig(image, format="png", metadata={"Software": None})
        self.folder.mkdir(parents=True, exist_ok=True)
        write_atomically(
            self.folder / (f"{self.name}_{suffix}.png" if suffix else f"{self.name}.png"), image.getvalue()
        )

    def close(self) -> None:
        """Write the filled page, and say which lines differ. ValueError if its blocks are not as many as are filled."""
        text = self.source.read_text(encoding="utf-8")
        outputs = ["".join(line.rstrip() + "\n" for line in block) for block in self.blocks]
        filled = fill(fill(text, "python", self.codes, self.source), "text", outputs, self.source)
        self.folder.mkdir(parents=True, exist_ok=True)
        write_atomically(self.folder / self.source.name, filled.encode())
        if self.folder.resolve() != self.source.parent.resolve():
            report_differences(text, filled, os.path.relpath(self.folder / self.source.name))


def fill(text: str, language: str, contents: list[str], path: Path) -> str:
    """The text with these contents, in turn, in its blocks of a language. ValueError if they are not as many."""
    pattern = re.compile(rf"(^```{language}\n).*?(^```$)", re.DOTALL | re.MULTILINE)
    if (blocks := len(pattern.findall(text))) != len(contents):
        raise ValueError(f"{path} has {blocks} blocks ```{language}, and its script fills {len(contents)}")
    rest = iter(contents)
    return pattern.sub(lambda block: block[1] + next(rest) + block[2], text)


def report_differences(old: str, new: str, path: str) -> None:
    """Print the lines of a page that differ from the page in the checkout."""
    pairs = [pair for pair in zip(old.splitlines(), new.splitlines()) if pair[0] != pair[1]]
    count = len(pairs) + abs(len(old.splitlines()) - len(new.splitlines()))
    print(f"\n{path}: {count} lines differ from the page in the checkout" + (":" if pairs else ""))
    for before, after in pairs[:MAX_DIFFERENCES]:
        print(f"  - {before}\n  + {after}")
    if len(pairs) > MAX_DIFFERENCES:
        print(f"  and {len(pairs) - MAX_DIFFERENCES} more")


def finish(plot, legend=7, **labels):
    """Set a plot's labels, title and limits, and draw its legend in this font size, unless 0."""
    plot.set(**labels)
    if legend:
        plot.legend(fontsize=legend)


def line_style(name):
    """The colour, dash and label of a model, as in the reports."""
    color, dash = PALETTE[name]
    return {"color": color, "linestyle": dash, "label": name}
