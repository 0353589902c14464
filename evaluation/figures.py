"""Plots as SVG for a page: curves, dots, paths. They draw what they are given and compute nothing.

Each plot fits on a phone; wide pages put several side by side. People who cannot distinguish red and green can
distinguish the colours (Okabe and Ito 2008), and each line has its own dash.
"""

import html
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse
from matplotlib.ticker import LogLocator, NullLocator

SIZE, DOT_PLOT_SIZE, PATH = (3.9, 2.9), (3.9, 0.32), (3.9, 2.3)  # inches of 96 px; of a dot plot the height of one row
SIDES = np.array([-1.0, 1.0])
PALETTE = {  # name -> colour, dash
    "gru_physics": ("#0072b2", "-"), "gru": ("#d55e00", "-"), "physics": ("#009e73", "-"), "ukf": ("#cc79a7", "--"),
    "lstm": ("#e69f00", "--"), "rnn": ("#56b4e9", "--"), "mingru": ("#332288", "-"), "transformer": ("#882255", "-"),
    "tokens": ("#999933", "-"), "mlp": ("#8c6d1f", "-."), "gru_raw": ("#44aa99", ":"), "parabola": ("#7a7a7a", "-."),
    "constant_velocity": ("#a9a9a9", ":"), "informed": ("#000000", "--"), "oracle": ("#000000", ":"),
}  # fmt: skip
OTHER_STYLES = (("#6a3d9a", "-"), ("#b15928", "-"), ("#1b7837", "--"), ("#c51b7d", "-."))
STYLE = {
    "svg.fonttype": "none", "svg.hashsalt": "ballcast", "font.size": 9, "axes.spines.top": False,
    "axes.spines.right": False, "axes.linewidth": 0.6, "axes.titlesize": 10, "axes.titlelocation": "left",
    "axes.grid": True, "grid.linewidth": 0.4, "grid.color": "#e2e2e2", "lines.linewidth": 1.6,
    "figure.constrained_layout.use": True,
}  # fmt: skip


@dataclass(frozen=True)
class Curve:
    """A predictor's line x, y (N,), with a band from low to high (N,) or none."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None


@dataclass(frozen=True)
class Panel:
    """Curves in one frame."""

    title: str
    x: str  # what the axis is, with its unit
    y: str
    curves: list[Curve]
    log: bool = False  # whether y is logarithmic
    diagonal: bool = False  # whether to draw y = x


@dataclass(frozen=True)
class View:
    """One track seen from one side."""

    title: str
    x: str
    y: str
    observed: np.ndarray  # (T, 2) m, the history
    truth: np.ndarray  # (N, 2) m
    forecasts: dict[str, np.ndarray]  # predictor -> (N, 2) m
    regions: dict[str, tuple]  # predictor -> centres (M, 2) m, covariances (M, 2, 2) m2
    ground: list[np.ndarray]  # outlines (N, 2) m of the surfaces


def style(name: str) -> tuple[str, str]:
    """(colour, dash) of a predictor, the same in every figure."""
    name = re.sub(r"^.*\.safetensors:?", "", name) or name
    if name in PALETTE:
        return PALETTE[name]
    return OTHER_STYLES[sum(map(ord, name)) % len(OTHER_STYLES)]


def curves(panel: Panel) -> str:
    """A Panel as SVG."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(SIZE)
        axes = figure.add_subplot(title=panel.title, xlabel=panel.x, ylabel=panel.y)
        if panel.log:
            axes.set_yscale("log")
            axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
            axes.yaxis.set_major_formatter("{x:g}")
            axes.yaxis.set_minor_locator(NullLocator())
        if panel.diagonal:
            axes.plot([0, 1], [0, 1], color="#999999", lw=0.8)
            axes.set(xlim=(0, 1), ylim=(0, 1))
        if panel.curves and len(ticks := panel.curves[0].x) < 8:
            axes.set_xticks(ticks, [f"{x:g}" for x in ticks])
        for curve in panel.curves:
            color, dash = style(curve.name)
            if curve.low is not None:
                axes.fill_between(curve.x, curve.low, curve.high, color=color, alpha=0.15, lw=0)
            axes.plot(curve.x, curve.y, dash, color=color, marker="." if len(curve.x) < 12 else "")
        return _svg(figure, panel.title)


def dot_plot(title: str, x: str, rows: list[tuple[str, list[float]]]) -> str:
    """Rows of (name, values) as SVG: a dot for each value, on a logarithmic axis."""
    with matplotlib.rc_context(STYLE):
        figure = Figure((DOT_PLOT_SIZE[0], 0.9 + DOT_PLOT_SIZE[1] * len(rows)))
        axes = figure.add_subplot(title=title, xlabel=x, xscale="log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_locator(NullLocator())
        for k, (name, values) in enumerate(reversed(rows)):
            color, _ = style(name)
            axes.plot([min(values), max(values)], [k, k], color=color)
            axes.plot(values, [k] * len(values), "o", color=color, ms=4)
        axes.set_yticks(range(len(rows)), [name for name, _ in reversed(rows)])
        axes.set_ylim(-0.6, len(rows) - 0.4)
        return _svg(figure, title)


def paths(view: View) -> str:
    """A View as SVG, both axes in the same scale."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(PATH)
        axes = figure.add_subplot(title=view.title, xlabel=view.x, ylabel=view.y)
        for line in view.ground:
            axes.plot(*line.T, color="#c9c9c9", lw=1.0)
        for name, (centres, covariances) in view.regions.items():
            for centre, covariance in zip(centres, covariances, strict=True):
                axes.add_patch(_ellipse(centre, covariance, style(name)[0]))
        axes.plot(*view.truth.T, color="#000000", lw=3.2, alpha=0.25)
        for name, line in view.forecasts.items():
            axes.plot(*line.T, style(name)[1], color=style(name)[0])
        axes.plot(*view.observed.T, "o", color="#333333", ms=2)
        points = np.concatenate([view.observed, view.truth, *view.forecasts.values()])
        centre, size = (points.max(axis=0) + points.min(axis=0)) / 2, np.ptp(points, axis=0)
        reach = max(size[0] / 2, size[1]) * np.array([1.1, 0.55])  # the frame is twice as long as high
        axes.set(xlim=centre[0] + reach[0] * SIDES, ylim=centre[1] + reach[1] * SIDES, aspect="equal")
        return _svg(figure, view.title)


def _ellipse(centre, covariance, color):
    """The ellipse that contains a normal variable in the plane with probability 0.9."""
    values, vectors = np.linalg.eigh(covariance)
    width, height = 2.0 * np.sqrt(-2.0 * np.log(0.1) * np.maximum(values, 0.0))
    angle = np.degrees(np.arctan2(vectors[1, 0], vectors[0, 0]))
    return Ellipse(centre, width, height, angle=angle, color=color, alpha=0.13, lw=0)


def _svg(figure, title):
    """The figure's SVG element: in the page's font, with a label for screen readers, without ids that could clash."""
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None, "Type": None, "Format": None})
    text = out.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.S)
    text = re.sub(r' id="[A-Za-z0-9]+_\d+"', "", text)
    text = re.sub(r"(\d\.\d\d)\d{2,}", r"\1", text).replace("'DejaVu Sans'", "system-ui").replace("\n", " ")
    return text.replace("<svg ", f'<svg role="img" aria-label="{html.escape(title)}" ', 1)
