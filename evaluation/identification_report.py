"""A page about an identification: what the tracks say with the sport's numbers before and after, as pictures.

    write(folder, before, place, found, tracks)      # folder/index.html; models/identify.py --report calls it

Each track is fitted with the sport as it was and as it is now; residuals are measured less fitted positions. With the
right numbers they scatter about 0 at all times and places.
"""

import html
import io
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from ballcast.evaluation.figures import STYLE
from ballcast.models.estimation.identification import MIN_WEIGHT, Identified
from ballcast.models.estimation.prior import sport_prior
from ballcast.models.estimation.recordings_check import bounces
from ballcast.models.estimation.track_messages import SHARED, Air, TrackFit, fit_track, linearised
from ballcast.sim.files import write_atomically
from ballcast.sim.kernels.compiled_sport import compile_sport
from ballcast.sim.sensor import known_frame, to_sport_frame
from ballcast.sim.sport import Sport
from ballcast.tracks import Track

COLOURS = {"before": "#d55e00", "after": "#0072b2"}
SIZE = (7.6, 2.6)  # inches
BIN, MAX_TIME = 0.05, 1.2  # s of a bin, from the first frame
MIN_BIN = 20  # frames in a bin
MAX_DISTANCE = 8.0  # drawn
MAX_TRACKS = 120  # evenly chosen
LIMITS = {"drag": 0.5, "lift": 1.0, "restitution": 0.15, "friction": 1.0}  # of the histograms


def write(folder: Path, before: Sport, place: Sport, found: Identified, tracks: Sequence[Track]) -> Path:
    """Write folder/index.html; the path of the page."""
    rows = np.unique(np.linspace(0, len(tracks) - 1, min(len(tracks), MAX_TRACKS)).round().astype(int))
    chosen = [tracks[j] for j in rows if found.population.weights[j] >= MIN_WEIGHT]
    fits = {"before": _fits(before, chosen), "after": _fits(place, chosen)}
    with matplotlib.rc_context(STYLE):
        figures = [
            ("Residuals along the track: the middle half of all frames", _residuals(before, place, chosen, fits)),
            ("Bounces: height of the ball's centre along and across the court", _bounces(before, place, chosen)),
            ("Balls of this place: logarithms of their factors, over the sport's numbers", _balls(fits)),
            ("How far each track is from the others", _distances(found)),
        ]
    body = "".join(f"<h2>{html.escape(title)}</h2>\n{picture}\n" for title, picture in figures)
    head = f"<h1>{html.escape(place.name)}: identified from {len(tracks)} tracks</h1><p>{_legend()}</p>"
    style = "body{font:15px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}svg{max-width:100%;height:auto}"
    page = f"<!doctype html><meta charset=utf-8><title>Identification</title><style>{style}</style>{head}{body}"
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / "index.html", page.encode())
    return folder / "index.html"


def _legend():
    return ", ".join(f'<b style="color:{colour}">{name}</b>' for name, colour in COLOURS.items())


def _fits(sport, tracks) -> list[TrackFit]:
    compiled, frame, prior = compile_sport(sport), known_frame(sport.sensor), sport_prior(sport)
    return [fit_track(compiled, track, frame, prior, None) for track in tracks]


def _svg(figure):
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue()[out.getvalue().index("<svg") :]


def residuals(sport: Sport, fit: TrackFit) -> np.ndarray:
    """Measured less fitted positions (T, 3) m, of a fit about the sport."""
    compiled = compile_sport(sport)
    return fit.position - linearised(Air(compiled, compiled, compiled), fit)[0][:, :3]


def _residuals(before, place, tracks, fits):
    figure = Figure(figsize=SIZE)
    axes = figure.subplots(1, 3, sharey=True)
    for (name, found), sport in zip(fits.items(), (before, place)):
        time = np.concatenate([fit.time for fit in found])
        error = 1e3 * np.concatenate([residuals(sport, fit) for fit in found])
        for axis, letter, values in zip(axes, "xyz", error.T):
            edges = np.arange(0.0, min(MAX_TIME, time.max()) + BIN, BIN)
            inside = [values[(time >= a) & (time < a + BIN)] for a in edges]
            rows = [
                (a + 0.5 * BIN, *np.quantile(v, (0.25, 0.5, 0.75))) for a, v in zip(edges, inside) if len(v) >= MIN_BIN
            ]
            if rows:
                t, low, middle, high = np.array(rows).T
                axis.fill_between(t, low, high, color=COLOURS[name], alpha=0.2, linewidth=0)
                axis.plot(t, middle, color=COLOURS[name])
            axis.set_title(f"{letter}, mm")
            axis.set_xlabel("s from the first frame")
    return _svg(figure)


def _bounces(before, place, tracks):
    figure = Figure(figsize=SIZE)
    axes = figure.subplots(1, 2, sharey=True)
    seen = np.concatenate([bounces(track) for track in tracks]).reshape(-1, 3)
    for name, sport in (("before", before), ("after", place)):
        at = to_sport_frame(known_frame(sport.sensor), seen)
        levels = np.array([s.high[2] + sport.ball.radius for s in sport.surfaces if s.supports])
        if not len(at) or not len(levels):
            continue
        over = at[:, 2] - levels[np.abs(at[:, 2:] - levels).argmin(axis=1)]
        for axis, column, letter in zip(axes, (1, 0), "yx"):
            axis.plot(at[:, column], 1e3 * over, ".", color=COLOURS[name], markersize=4)
            axis.set_title(f"mm over the surface, at {letter}")
            axis.set_xlabel(f"{letter}, m")
    if len(seen):
        middle = np.median(np.concatenate([line.get_ydata() for axis in axes for line in axis.lines] or [np.zeros(1)]))
        axes[0].set_ylim(min(-25.0, middle - 25.0), max(25.0, middle + 25.0))
    return _svg(figure)


def _balls(fits):
    figure = Figure(figsize=SIZE)
    axes = figure.subplots(1, 4)
    for k, (axis, name) in enumerate(zip(axes, SHARED)):
        edges = np.linspace(-LIMITS[name], LIMITS[name], 31)
        for label, found in fits.items():
            values = np.clip([fit.fit.x[9 + k] for fit in found], edges[0], edges[-1])
            axis.hist(values, edges, histtype="stepfilled", color=COLOURS[label], alpha=0.35)
        axis.set_title(name)
    return _svg(figure)


def _distances(found):
    figure = Figure(figsize=SIZE)
    axis = figure.subplots()
    distance = np.sqrt(found.population.distances / np.maximum(found.population.ranks, 1.0))
    is_odd = found.population.weights < MIN_WEIGHT
    numbers = np.arange(len(distance))
    axis.plot(numbers[~is_odd], distance[~is_odd], ".", color=COLOURS["after"])
    axis.plot(numbers[is_odd], np.minimum(distance[is_odd], MAX_DISTANCE), "x", color=COLOURS["before"])
    axis.set_xlabel("track, in the order of the files; crosses count little")
    axis.set_title("standard deviations")
    return _svg(figure)
