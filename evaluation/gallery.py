"""The gallery: the best, the median and the worst track of a suite's best predictor, from the side and from above.

The forecasts are made again, densely in time, from the history that was scored.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ballcast.evaluation import harness, protocols
from ballcast.evaluation.figures import View, paths
from ballcast.evaluation.pixel_cases import AROUND, pixels_bounce
from ballcast.evaluation.pixel_suites import PixelSuite
from ballcast.evaluation.reconstruction import SMOOTH
from ballcast.evaluation.results import FROM_FILE, MIN_TRACKS, Results, cell_key
from ballcast.evaluation.standings import CENTRAL, GIVEN_MORE, nearest
from ballcast.evaluation.suites import Suite

STEPS = 60  # positions of a path
MAX_PREDICTORS = 3  # predictors in one picture


@dataclass(frozen=True)
class Picture:
    """One track in two views."""

    rank: str  # best, median or worst
    track: str
    horizon: float  # s
    error: float  # m, at the horizon
    side: str  # SVG
    top: str  # SVG


def gallery(
    results: Results, suite: Suite, names: Sequence[str], histories: Sequence[float], horizons: Sequence[float]
) -> Iterator[Picture]:
    """Pictures of the best, the median and the worst track of names[0]; the first few of `names` are drawn."""
    of_pixels, names = isinstance(suite, PixelSuite), drawable(results, names)
    protocol, history = ("pixels_bounce", AROUND[0]) if of_pixels else ("horizon", nearest(histories, CENTRAL[0]))
    cells = {h: cell_key(names[0], suite.name, protocol, history, h) for h in horizons if names}
    found = {h: results.errors.get(cell, {}) for h, cell in cells.items()}
    if not any(found.values()):
        return
    horizon = max(found, key=lambda h: (min(len(found[h]), MIN_TRACKS), h))  # the last with enough tracks
    errors = found[horizon]
    given = history, (horizon,)
    cases = pixels_bounce(suite, *given) if isinstance(suite, PixelSuite) else protocols.horizon(suite, *given)
    predictors = {name: harness.load(name, suite.sport, of_pixels) for name in names}
    order = sorted(errors, key=errors.get)
    for rank, track in (("best", order[0]), ("median", order[(len(order) - 1) // 2]), ("worst", order[-1])):
        n = next(n for n, row in enumerate(cases.track_numbers) if suite.tracks[row].name == track)
        side, top = _views(suite, cases, n, predictors)
        yield Picture(rank, track, horizon, errors[track], paths(side), paths(top))


def drawable(results: Results, names: Sequence[str]) -> list[str]:
    """The first few names of predictors that can forecast again: no limits, no files of predictions."""
    known = results.side_information
    return [n for n in names if n not in (*GIVEN_MORE, SMOOTH) and known[n] != FROM_FILE][:MAX_PREDICTORS]


def _views(suite, cases, n, predictors):
    """The side View of case n, along the axis on which the ball moves farther, and its top View."""
    history, end = cases.histories[n], cases.times[n, 0]
    times = history.time[-1] + (end - history.time[-1]) * np.arange(1, STEPS + 1) / STEPS
    truth = _truth(suite, cases.track_numbers[n], times)
    forecasts = {}
    for name, predictor in predictors.items():
        if isinstance(answer := harness.make_forecast(predictor, history, times), tuple):
            forecasts[name] = answer
    row = cases.track_numbers[n]
    seen = suite.positions([row], history.time[None])[0] if isinstance(suite, PixelSuite) else history.position
    seen, truth = (points[np.isfinite(points).all(axis=1)] for points in (seen, truth))
    axis = int(np.ptp(np.concatenate([seen, truth])[:, :2], axis=0).argmax())
    shown = suite.sport, seen, truth, forecasts
    return _view("from the side", [axis, 2], *shown), _view("from above", [axis, 1 - axis], *shown)


def _truth(suite, row, times):
    """True positions (T, 3) m of the ball; for a recorded ball its frames."""
    if isinstance(suite, PixelSuite):
        return suite.positions([row], times[None])[0]
    if suite.balls is not None:
        return suite.flight(np.array([row]), times[None]).position[0]
    track = suite.tracks[row]
    return track.position[(track.time >= times[0]) & (track.time <= times[-1] + protocols.TIME_TOLERANCE)]


def _view(title, axes, sport, observed, truth, forecasts):
    """The View along two of the axes."""
    projected, regions, shown = {}, {}, slice(STEPS // 6 - 1, None, STEPS // 6)
    for name, (mean, covariance, *_) in forecasts.items():
        projected[name] = mean[:, axes]
        if covariance is not None:
            regions[name] = mean[shown][:, axes], covariance[shown][:, axes][:, :, axes]
    labels, outlines = [f"{'xyz'[a]}, m" for a in axes], [*_surface_outlines(sport, axes)]
    return View(title, *labels, observed[:, axes], truth[:, axes], projected, regions, outlines)


def _surface_outlines(sport, axes):
    """Outlines (N, 2) m of the sport's surfaces."""
    for surface in sport.surfaces:
        (left, low), (right, high) = (np.clip(np.array(end)[axes], -1e3, 1e3) for end in (surface.low, surface.high))
        yield np.array([(left, low), (right, low), (right, high), (left, high), (left, low)], float)
