"""Scores of forecasts from pixels: in space, along and across the line of sight, in the image; reconstructions."""

from collections.abc import Sequence

import numpy as np

from ballcast.evaluation import metrics
from ballcast.evaluation.bootstrap import interval
from ballcast.evaluation.harness import Answers
from ballcast.evaluation.metrics import STATISTICS
from ballcast.evaluation.pixel_cases import PixelCases
from ballcast.evaluation.results import IMAGE, Results, Row, cell_key, json_number
from ballcast.evaluation.scores import add_errors, add_figure, score_regions
from ballcast.evaluation.suites import Suite

SPLIT = {"median": STATISTICS["median"], "rmse": STATISTICS["rmse"]}
FRAMES = {  # of errors (N, ..., H) over all frames of all balls, NaN where there is none
    "mean": lambda e: np.nanmean(e, axis=(0, -1)),
    "median": lambda e: np.nanmedian(e, axis=(0, -1)),
}


def score_pixels(
    results: Results, name: str, suite: Suite, cases: PixelCases, answers: Answers, horizons: Sequence[float]
) -> None:
    """Add the rows and errors of one predictor's answers to PixelCases to the results."""
    if cases.protocol == "reconstruction":
        _score_frames(results, name, suite, cases, answers)
        return
    cell = name, suite.name, cases.protocol, cases.history
    errors, covariance = metrics.distance(answers.mean, cases.truth), answers.covariance + cases.sensor_covariance
    along, across = by_line_of_sight(answers.mean, cases)
    in_image = image_errors(answers.mean, cases)
    for h, horizon in enumerate(horizons):
        rows = np.flatnonzero(~np.isnan(errors[:, h]))
        if len(rows):
            add_errors(results, cell, horizon, suite, cases, rows, errors[rows, h])
            for metric, statistic in STATISTICS.items():
                add_figure(results, cell, horizon, metric, errors[rows, h], statistic)
            for part, values in (("along", along), ("across", across)):
                for metric, statistic in SPLIT.items():
                    add_figure(results, cell, horizon, f"{part}_{metric}", values[rows, h], statistic)
            _score_sides_of_bounce(results, cell, horizon, cases, rows, errors[rows, h])
            has_covariance = ~np.isnan(covariance[rows, h]).any(axis=(1, 2))
            if has_covariance.any():
                score_regions(results, cell, horizon, answers, rows[has_covariance], h, covariance, cases)
        rows = np.flatnonzero(~np.isnan(in_image[:, h]))
        for metric, statistic in SPLIT.items() if len(rows) else ():
            add_figure(results, cell, horizon, f"image_{metric}", in_image[rows, h], statistic)
        if len(rows) and np.isnan(errors[:, h]).all():  # it is not known where the balls were in space
            add_errors(results, (*cell[:2], cell[2] + IMAGE, cell[3]), horizon, suite, cases, rows, in_image[rows, h])


def by_line_of_sight(mean: np.ndarray, cases: PixelCases) -> tuple[np.ndarray, np.ndarray]:
    """Errors (N, H) m along and across the line from the camera to the ball, of positions mean (N, H, 3) m."""
    centres = np.full(cases.truth.shape, np.nan)
    for n, row in enumerate(cases.image_cameras):
        centres[n, : len(row)] = [camera.centre for camera in row]
    sight = cases.truth - centres
    sight = sight / np.linalg.norm(sight, axis=-1, keepdims=True)
    off = mean - cases.truth
    along = (off * sight).sum(axis=-1)
    return np.abs(along), np.linalg.norm(off - along[..., None] * sight, axis=-1)


def image_errors(mean: np.ndarray, cases: PixelCases) -> np.ndarray:
    """Distances (N, H) px in the image between positions mean (N, H, 3) m, projected, and where the ball is there."""
    found = np.full(mean.shape[:2], np.nan)
    for n, row in enumerate(cases.image_cameras):
        for h, camera in enumerate(row):
            found[n, h] = np.linalg.norm(camera.project(mean[n, h]) - cases.image[n, h])
    return found


def _score_sides_of_bounce(results, cell, horizon, cases, rows, errors):
    """The median errors of balls that were seen before their first bounce alone, and of the others."""
    if cases.protocol == "pixels" and np.isfinite(cases.bounce[rows]).any():
        last = np.array([cases.histories[n].time[-1] for n in rows])
        is_before = last < cases.bounce[rows]
        for side, mask in (("before", is_before), ("after", ~is_before)):
            add_figure(results, cell, horizon, f"{side}_bounce", errors[mask], STATISTICS["median"])


def _score_frames(results, name, suite, cases, answers):
    """`reconstruction`: over all frames of all balls, as Gossard et al. (2025) score theirs."""
    cell = name, suite.name, cases.protocol, cases.history
    errors = metrics.distance(answers.mean, cases.truth)
    asked = ~np.isnan(cases.times).all(axis=1)
    rows = np.flatnonzero(~np.isnan(errors).all(axis=1))
    lost = (asked & np.isnan(errors).all(axis=1))[asked]
    add_figure(results, cell, None, "lost", lost.astype(float), STATISTICS["mean"])
    if not len(rows):
        return
    add_errors(results, cell, 0.0, suite, cases, rows, np.nanmean(errors[rows], axis=1))
    inside = metrics.in_region(answers.mean, answers.covariance + cases.sensor_covariance, cases.truth, 0.9)
    for part, values in zip(("error", "along", "across"), (errors, *by_line_of_sight(answers.mean, cases))):
        for metric, statistic in FRAMES.items():
            _add_frames(results, cell, metric if part == "error" else f"{part}_{metric}", values[rows], statistic)
    if not np.isnan(inside).all():
        _add_frames(results, cell, "coverage90", inside[rows], FRAMES["mean"])
    add_figure(results, cell, None, "worst", np.nanmean(errors[rows], axis=1), lambda e: np.max(e, axis=0))


def _add_frames(results, cell, metric, values, statistic):
    """A Row of values (N, H) of N balls, NaN where there is no frame; resampled by balls."""
    low, high = interval(values, statistic)
    figures = json_number(statistic(values)), json_number(low), json_number(high), len(values)
    results.rows.append(Row(*cell, None, metric, *figures, results.is_adapted(*cell[:2])))


def times_limit(
    results: Results, name: str, limit: str, suite: str, protocol: str, history: float, horizon: float
) -> tuple[float, float, float] | None:
    """The RMS error of a predictor over that of a limit on the same balls, with its paired 95 % interval; None if one
    of them has no errors."""
    cells = [results.errors.get(cell_key(n, suite, protocol, history, horizon), {}) for n in (name, limit)]
    shared = [track for track in cells[0] if track in cells[1]]
    if not shared:
        return None
    squares = np.array([[cell[track] ** 2 for track in shared] for cell in cells]).T  # (N, 2)

    def ratio(values):
        mean = values.mean(axis=0)
        return np.sqrt(mean[..., 0] / np.maximum(mean[..., 1], 1e-18))

    low, high = interval(squares, ratio)
    return float(ratio(squares)), float(low), float(high)
