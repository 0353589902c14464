"""What the marks in the picture mean, each in the colours of the predictors that are shown."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ballcast.render import palette
from ballcast.viewer.panels.layout import LEFT

if TYPE_CHECKING:
    from ballcast.viewer.panels.canvas import Canvas
    from ballcast.viewer.playback.session import Session

ROW = 20  # units
SAMPLE, TEXT_LEFT = 34, LEFT + 46  # width of a sample; where its name begins
CIRCLE = np.column_stack([f(np.linspace(0, 2 * np.pi, 36)) for f in (np.cos, np.sin)])


class Mark(NamedTuple):
    """A row of the legend: `sample` is dots, line, region, cloud, ring or path."""

    sample: str
    text: str
    colors: tuple


def marks(session: "Session", truth: bool = False, has_attribution: bool = False) -> list[Mark]:
    """The rows for what can be in the picture now; `truth`: the true path too; has_attribution: dots that matter."""
    colors = tuple(palette.predictor_color(forecaster.number) for forecaster in session.forecasters)
    forecasts = [forecaster.forecast(session.now) for forecaster in session.forecasters]
    seen = "seen; large dots matter more" if has_attribution else "seen by the tracker"
    rows = [Mark("dots", seen, (palette.TRACK_COLOR,))]
    if session.cameras:
        rows = [Mark("line", "line of sight of a camera", (palette.TRACK_COLOR,))]
    rows += [Mark("line", "forecast, if nobody hits it", colors)]
    has_region = tuple(c for c, f in zip(colors, forecasts) if f is None or f.covariance is not None)
    rows += [Mark("region", "region: ball in it, 9 times in 10", has_region)] if has_region else []
    rows += [Mark("cloud", "where the ball may be now", has_region)] if has_region and session.cameras else []
    rows += [Mark("ring", "next landing, in seconds", colors)]
    return rows + ([Mark("path", "true path", (palette.TRUTH_COLOR,))] if truth else [])


def paint(canvas: "Canvas", rows: "Sequence[Mark]", top: float) -> None:
    """Paint the rows below a height, in units."""
    for number, row in enumerate(rows):
        y = top + ROW * number
        _SAMPLES[row.sample](canvas, y + 8, row.colors)
        canvas.text(TEXT_LEFT, y, row.text, 18, palette.MUTED_COLOR)


def _parts(colors):
    """(start, end, color) of the parts of a sample that has several colours."""
    width = SAMPLE / len(colors)
    return [(LEFT + i * width, LEFT + (i + 1) * width, color) for i, color in enumerate(colors)]


def _dots(canvas, y, colors):
    canvas.dots([(LEFT + x, y) for x in (3, 12, 21, 30)], 1.9, colors[0], 0.85)


def _path(canvas, y, colors):
    canvas.dots([(LEFT + x, y) for x in range(2, SAMPLE, 4)], 1.0, colors[0], 0.6)


def _line(canvas, y, colors):
    for start, end, color in _parts(colors):
        canvas.dots(np.column_stack([x := np.arange(start, end), np.full(len(x), y)]), 1.6, color, 0.8)


def _region(canvas, y, colors):
    for start, end, color in _parts(colors):
        canvas.bar(start, y - 6, end - start, 12, [round(0.35 * c + 12) for c in color])


def _cloud(canvas, y, colors):
    for start, end, color in _parts(colors):
        canvas.bar(start, y - 4, end - start, 8, [round(0.7 * c + 12) for c in color])


def _ring(canvas, y, colors):
    for i, color in enumerate(colors[:2]):
        centre = (LEFT + SAMPLE / 2 + (i - (len(colors[:2]) - 1) / 2) * 18, y)
        canvas.dots(centre + 7.0 * CIRCLE * (1, 0.7), 1.2, color, 0.8)
        canvas.dots(centre + 2.2 * CIRCLE * (1, 0.7), 1.0, color, 0.8)


_SAMPLES = {"dots": _dots, "line": _line, "region": _region, "cloud": _cloud, "ring": _ring, "path": _path}
