"""The gallery: the best, the median and the worst track of a suite's best predictor, seen from the side and from above.

The forecasts are made again, dense in time, from the history that was scored.
"""

from dataclasses import dataclass

import numpy as np

from ballcast.evaluation import harness, protocols
from ballcast.evaluation.figures import View, paths
from ballcast.evaluation.limits import LIMITS
from ballcast.evaluation.results import MIN_TRACKS, cell_key
from ballcast.evaluation.standings import CENTRAL, nearest

STEPS = 60  # of a path
MAX_PREDICTORS = 3  # predictors beside each other
AXES = "xyz"


@dataclass(frozen=True)
class Picture:
    """One track: what it stands for, its name, its error, two views."""

    rank: str
    track: str
    horizon: float  # s
    error: float  # m, so long after the last seen frame
    side: str
    top: str


def gallery(results, suite, names, history, horizons):
    """Pictures of the best, the median and the worst track of names[0]; the first few of `names` are drawn."""
    history = nearest(history, CENTRAL[0])
    names = [name for name in names if name not in LIMITS][:MAX_PREDICTORS]
    found = {h: _errors(results, names, suite, history, h) for h in horizons if names}
    if not any(found.values()):
        return
    horizon = max(found, key=lambda h: (min(len(found[h]), MIN_TRACKS), h))  # the last with enough tracks
    errors = found[horizon]
    cases = protocols.horizon(suite, history, (horizon,))
    predictors = {name: harness.load(name, suite.sport) for name in names}
    order = sorted(errors, key=errors.get)
    for rank, track in (("best", order[0]), ("median", order[(len(order) - 1) // 2]), ("worst", order[-1])):
        n = next(n for n, row in enumerate(cases.track_numbers) if suite.tracks[row].name == track)
        side, top = _views(suite, cases, n, predictors)
        yield Picture(rank, track, horizon, errors[track], paths(side), paths(top))


def _errors(results, names, suite, history, horizon):
    return results.errors.get(cell_key(names[0], suite.name, "horizon", history, horizon), {})


def _views(suite, cases, n, predictors):
    """The side View, along the axis with more way to go, and the top View of case n."""
    history, end = cases.histories[n], cases.times[n, 0]
    times = history.time[-1] + (end - history.time[-1]) * np.arange(1, STEPS + 1) / STEPS
    truth = _truth(suite, cases.track_numbers[n], times)
    forecasts = {}
    for name, predictor in predictors.items():
        answer = harness.make_forecast(predictor, history, times)
        if isinstance(answer, tuple):
            forecasts[name] = answer
    axis = int(np.ptp(np.concatenate([history.position, truth])[:, :2], axis=0).argmax())
    return (
        _view("from the side", (axis, 2), suite.sport, history.position, truth, forecasts),
        _view("from above", (axis, 1 - axis), suite.sport, history.position, truth, forecasts),
    )


def _truth(suite, row, times):
    """Places (T, 3) m that the ball truly went through; of a recorded one its frames."""
    if suite.balls is not None:
        return suite.flight(np.array([row]), times[None]).position[0]
    track = suite.tracks[row]
    return track.position[(track.time >= times[0]) & (track.time <= times[-1] + protocols.TIME_TOLERANCE)]


def _view(title, axes, sport, observed, truth, forecasts):
    def project(a):
        return a[..., list(axes)]

    regions = {}
    for name, (mean, covariance, *_) in forecasts.items():
        if covariance is not None:
            shown = slice(STEPS // 6 - 1, None, STEPS // 6)
            regions[name] = project(mean[shown]), covariance[shown][:, axes][:, :, axes]
    forecast_paths = {name: project(answer[0]) for name, answer in forecasts.items()}
    names = [f"{AXES[a]}, m" for a in axes]
    return View(
        title, *names, project(observed), project(truth), forecast_paths, regions, [*_surface_outlines(sport, axes)]
    )


def _surface_outlines(sport, axes):
    """Outlines (N, 2) m of the sport's surfaces."""
    for surface in sport.surfaces:
        low, high = np.array(surface.low)[list(axes)], np.array(surface.high)[list(axes)]
        low, high = np.clip(low, -1e3, 1e3), np.clip(high, -1e3, 1e3)
        corners = [(low[0], low[1]), (high[0], low[1]), (high[0], high[1]), (low[0], high[1]), (low[0], low[1])]
        yield np.array(corners, float)
