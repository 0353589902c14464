"""Boxes and arrows, for drawings of networks.

figure, plot = page.figure(1, 9.0, 3.0)
empty(plot, (0, 10), (0, 4))                              # no axes, both directions at the same scale
box(plot, (1, 1), "$x_t$")                                # centred there
arrow(plot, (1, 1), (1, 2), "U")                          # from box to box, with a label beside it
"""

from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

GREY, BLUE, ORANGE, RED, GREEN = "#eeeeee", "#cfe3f5", "#fde2c3", "#c0392b", "#d5ecd0"
BOX = (0.8, 0.6)  # width and height
INK = "#333333"


def empty(plot, across: tuple[float, float], up: tuple[float, float]) -> None:
    """Prepare a plot for a drawing with these limits."""
    plot.set(xlim=across, ylim=up, aspect="equal")
    plot.set_axis_off()


def box(plot, centre, text, color=GREY, size=BOX, fontsize=10, dashed=False) -> None:
    """Draw a box with a text in it."""
    corner = centre[0] - size[0] / 2 + 0.08, centre[1] - size[1] / 2 + 0.08
    style = {"facecolor": color, "edgecolor": INK, "linewidth": 0.9, "linestyle": "--" if dashed else "-"}
    plot.add_patch(FancyBboxPatch(corner, size[0] - 0.16, size[1] - 0.16, boxstyle="round,pad=0.08", zorder=2, **style))
    plot.text(*centre, text, ha="center", va="center", fontsize=fontsize, zorder=3)


def arrow(plot, start, end, text="", *, color=INK, gap=0.36, bend=0.0, beside=(0.0, 0.14), fontsize=9, **style) -> None:
    """Draw an arrow between two centres, which leaves out `gap` at both ends, with a text at its middle."""
    length = ((end[0] - start[0]) ** 2 + (end[1] - start[1]) ** 2) ** 0.5
    step = [(b - a) / length * gap for a, b in zip(start, end)]
    a, b = ([start[0] + step[0], start[1] + step[1]], [end[0] - step[0], end[1] - step[1]])
    style = {"linewidth": 1.1, "arrowstyle": "-|>", "mutation_scale": 11, **style}
    plot.add_patch(FancyArrowPatch(a, b, color=color, connectionstyle=f"arc3,rad={bend}", zorder=1, **style))
    middle = [(p + q) / 2 for p, q in zip(start, end)]
    plot.text(middle[0] + beside[0], middle[1] + beside[1], text, ha="center", va="center", color=color,
              fontsize=fontsize, zorder=3)  # fmt: skip
