"""Drawings of networks for the pages: boxes, arrows, and a network unrolled in time.

figure, plot = canvas(page, (0, 10), (0, 4))       # one unit is about 0.6 inches
box(plot, 2, 1, "$x_t$", INPUT)
arrow(plot, (2, 1.4), (2, 2.6), "U")
page.save(figure, "drawing")
"""

INPUT, HIDDEN, OUTPUT, LOSS = "#d9d9d9", "#a6cee3", "#b2df8a", "#fdbf6f"
INCHES = 0.62  # of one unit
HALF_WIDTH, HALF_HEIGHT = 0.42, 0.3  # of a box


def canvas(page, x, y):
    """A Figure, and its plot without axes, from x[0] to x[1] and y[0] to y[1] units."""
    figure, plot = page.figure(1, INCHES * (x[1] - x[0]), INCHES * (y[1] - y[0]))
    plot.set(xlim=x, ylim=y, aspect="equal")
    plot.axis("off")
    return figure, plot


def box(plot, x, y, text, color, half_width=HALF_WIDTH, half_height=HALF_HEIGHT):
    """A box about (x, y) with a text."""
    left, right, low, high = x - half_width, x + half_width, y - half_height, y + half_height
    outline = [left, right, right, left], [low, low, high, high]
    plot.fill(*outline, facecolor=color, edgecolor="#404040", linewidth=0.8, zorder=2)
    plot.text(x, y, text, ha="center", va="center", fontsize=10)


def arrow(plot, start, end, text="", color="#404040", curve=0.0, shift=(0.18, 0.0)):
    """An arrow, bent by `curve`, with a text `shift` from its middle."""
    shape = {"arrowstyle": "-|>", "color": color, "linewidth": 1.0, "shrinkA": 0, "shrinkB": 0,
             "connectionstyle": f"arc3,rad={curve}"}  # fmt: skip
    plot.annotate("", end, start, arrowprops=shape)
    middle = [(a + b) / 2 + s for a, b, s in zip(start, end, shift)]
    plot.text(*middle, text, ha="center", va="center", fontsize=10, color=color)


def unrolled(plot, x, y, labels, top=None, spacing=1.7):
    """A recurrent network at one step after another, from (x, y) upwards; `top` names a row above the outputs.

    labels    of the steps, as in ("1", "2", "T"); None: three dots
    """
    for k, t in enumerate(labels):
        here = x + k * spacing
        arrow(plot, (here - spacing + HALF_WIDTH, y + 1.3), (here - HALF_WIDTH, y + 1.3), "$W$", shift=(0, 0.2))
        if t is None:
            plot.text(here, y + 1.3, "...", ha="center", va="center", fontsize=13)
            continue
        rows = [("x", INPUT, ""), ("h", HIDDEN, "$U$"), ("y", OUTPUT, "$V$"), (top, LOSS, "")][: 3 + bool(top)]
        for row, (letter, color, weights) in enumerate(rows):
            height = y + 1.3 * row
            box(plot, here, height, f"${letter}_{{{t}}}$", color)
            if row:
                arrow(plot, (here, height - 1.3 + HALF_HEIGHT), (here, height - HALF_HEIGHT), weights, shift=(0.22, 0))
