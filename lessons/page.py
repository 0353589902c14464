"""The page of a lesson: what its script prints is written into the page, and its picture is saved beside it.

page = Page("gates")
page.print("a line")                         # printed, and kept for the page
figure, (left, right) = page.figure(2)
page.close(figure)                           # lessons/gates.png, and the block of text in lessons/gates.md
"""

import re
from io import BytesIO
from pathlib import Path

from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ballcast.evaluation.figures import PALETTE, STYLE
from ballcast.sim.files import write_atomically

FOLDER = Path(__file__).parent
BLOCK = re.compile(r"(```text\n).*?(```)", re.DOTALL)  # the first one of a page has the lines that its script printed
WIDTH, HEIGHT = 4.4, 3.2  # inches of one plot


class Page:
    """A lesson's page, lessons/NAME.md."""

    def __init__(self, name, folder=FOLDER):
        self.path, self.picture, self.lines = folder / f"{name}.md", folder / f"{name}.png", []

    def print(self, line=""):
        """Print a line, and keep it for the page."""
        print(line, flush=True)
        self.lines.append(line)

    def figure(self, columns=1):
        """A Figure with some plots side by side, and these plots."""
        with rc_context(STYLE):
            figure = Figure((WIDTH * columns, HEIGHT), dpi=110)
            return figure, figure.subplots(1, columns)

    def close(self, figure):
        """Save the picture, and write the printed lines into the page. ValueError if the page has no block for them."""
        text = self.path.read_text(encoding="utf-8")
        output = "".join(line.rstrip() + "\n" for line in self.lines)
        filled, replaced = BLOCK.subn(lambda block: block[1] + output + block[2], text, count=1)
        if not replaced:
            raise ValueError(f"{self.path} has no block of figures (```text)")
        with rc_context(STYLE):
            FigureCanvasAgg(figure)
            image = BytesIO()
            figure.savefig(image, format="png", metadata={"Software": None})
        write_atomically(self.picture, image.getvalue())
        write_atomically(self.path, filled.encode())


def finish(plot, legend=7, **labels):
    """Set a plot's labels, title and limits, and draw its legend in this font size, unless 0."""
    plot.set(**labels)
    if legend:
        plot.legend(fontsize=legend)


def line_style(name):
    """The colour, dash and label of a model, as in the reports."""
    color, dash = PALETTE[name]
    return {"color": color, "linestyle": dash, "label": name}
