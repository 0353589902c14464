"""From answers to rows of figures, with intervals over tracks."""

from collections.abc import Callable, Sequence

import numpy as np

from ballcast.evaluation import metrics
from ballcast.evaluation.bootstrap import interval
from ballcast.evaluation.harness import Answers
from ballcast.evaluation.metrics import STATISTICS
from ballcast.evaluation.protocols import Cases
from ballcast.evaluation.results import COVERAGE_LEVELS, Results, Row, cell_key, json_number
from ballcast.evaluation.suites import Suite

Cell = tuple[str, str, str, float]  # predictor, suite, protocol, history
END_STATISTICS = {  # of errors (N, ...) over tracks
    "median": STATISTICS["median"],
    "q10": lambda e: np.quantile(e, 0.1, axis=0),
    "q90": lambda e: np.quantile(e, 0.9, axis=0),
}


def score(results: Results, name: str, suite: Suite, cases: Cases, answers: Answers, horizons: Sequence[float]) -> None:
    """Add the rows and errors of one predictor's answers to the results."""
    if cases.protocol == "horizon":
        _score_horizons(results, name, suite, cases, answers, horizons)
    elif cases.asks_landing:
        _score_landings(results, name, suite, cases, answers)
    else:
        _score_ends(results, name, suite, cases, answers)


def _score_horizons(results, name, suite, cases, answers, horizons):
    cell = name, suite.name, "horizon", cases.history
    errors = metrics.distance(answers.mean, cases.truth)  # (N, H)
    covariance = answers.covariance + cases.sensor_covariance
    for h, horizon in enumerate(horizons):
        rows = np.flatnonzero(~np.isnan(errors[:, h]))
        if not len(rows):
            continue
        add_errors(results, cell, horizon, suite, cases, rows, errors[rows, h])
        for metric, statistic in STATISTICS.items():
            add_figure(results, cell, horizon, metric, errors[rows, h], statistic)
        has_covariance = ~np.isnan(covariance[rows, h]).any(axis=(1, 2))
        if has_covariance.any():
            score_regions(results, cell, horizon, answers, rows[has_covariance], h, covariance, cases)
    whole = ~np.isnan(errors).any(axis=1)
    if whole.any():
        add_figure(results, cell, None, "ade", metrics.ade(errors[whole]), STATISTICS["mean"])
        add_figure(results, cell, None, "fde", metrics.fde(errors[whole]), STATISTICS["mean"])


def score_regions(
    results: Results, cell: Cell, horizon: float, answers: Answers, rows: np.ndarray, h: int, covariance: np.ndarray,
    cases: Cases,
) -> None:  # fmt: skip
    """Add coverage, over the cases clear of edges, and the proper scores."""
    scored = answers.mean[rows, h], covariance[rows, h], cases.truth[rows, h]
    is_clear = cases.clear_of_edges[rows]
    inside = {level: metrics.in_region(*scored, level)[is_clear] for level in COVERAGE_LEVELS}
    for level in (0.5, 0.9):
        add_figure(results, cell, horizon, f"coverage{100 * level:.0f}", inside[level], STATISTICS["mean"])
    if is_clear.any():
        coverage = [round(float(inside[level].mean()), 4) for level in COVERAGE_LEVELS]
        results.reliability[cell_key(*cell, horizon)] = coverage
    add_figure(results, cell, horizon, "nll", metrics.nll(*scored), STATISTICS["mean"])
    add_figure(results, cell, horizon, "crps", metrics.crps(*scored), STATISTICS["mean"])
    columns, scores = (~np.isnan(cases.times[rows, :h])).sum(axis=1), []
    for n, column, mean, spread, truth in zip(rows, columns, *scored, strict=True):
        own = answers.samples.get(n)
        samples = own[:, column] if own is not None else metrics.gaussian_samples(mean, spread)
        scores.append(metrics.energy(samples, truth))
    add_figure(results, cell, horizon, "energy", np.array(scores), STATISTICS["mean"])


def _score_landings(results, name, suite, cases, answers):
    cell = name, suite.name, cases.protocol, cases.history
    answered = ~np.isnan(answers.mean).any(axis=(1, 2))
    if not answered.any():
        return
    missing = np.isnan(answers.landing[:, 0])
    add_figure(results, cell, None, "landing_missing", missing[answered].astype(float), STATISTICS["mean"])
    rows = np.flatnonzero(~missing)
    if len(rows):
        position_error = metrics.distance(answers.landing[rows, 1:], cases.truth[rows, 1:])
        time_error = np.abs(answers.landing[rows, 0] - cases.truth[rows, 0])
        add_figure(results, cell, None, "landing_place", position_error, STATISTICS["median"])
        add_figure(results, cell, None, "landing_time", time_error, STATISTICS["median"])
        add_errors(results, cell, 0.0, suite, cases, rows, position_error)


def _score_ends(results, name, suite, cases, answers):
    """l4dc2023: the error of a track is the largest at its last frames."""
    cell = name, suite.name, "l4dc2023", cases.history
    errors = metrics.distance(answers.mean, cases.truth)
    rows = np.flatnonzero((np.isnan(errors) == np.isnan(cases.times)).all(axis=1))
    if not len(rows):
        return
    worst = np.nanmax(errors[rows], axis=1)
    add_errors(results, cell, 0.0, suite, cases, rows, worst)
    for metric, statistic in END_STATISTICS.items():
        add_figure(results, cell, None, metric, worst, statistic)


def score_latency(results: Results, name: str, suite: Suite, durations: np.ndarray) -> None:
    """Add the latency (M,) s of a stream."""
    for percent in (50, 95, 99):
        value = json_number(np.percentile(durations, percent))
        cell = name, suite.name, "latency", None, None, f"latency_p{percent}"
        adapted = results.is_adapted(name, suite.name)
        results.rows.append(Row(*cell, value, None, None, len(durations), adapted))


def add_errors(
    results: Results,
    cell: Cell,
    horizon: float,
    suite: Suite,
    cases: Cases,
    rows: np.ndarray,
    errors: np.ndarray,
) -> None:
    """Keep the errors (N,) m of the cases `rows` (N,), by the names of their tracks."""
    names = [suite.tracks[i].name for i in cases.track_numbers[rows]]
    results.errors[cell_key(*cell, horizon)] = dict(zip(names, np.round(errors, 6).tolist(), strict=True))


def add_figure(
    results: Results,
    cell: Cell,
    horizon: float | None,
    metric: str,
    values: np.ndarray,
    statistic: Callable,
) -> None:
    """Add the Row of a metric: the statistic of values (N, ...) over tracks, with its interval."""
    values = np.asarray(values, float)
    if not len(values):
        return
    low, high = interval(values, statistic)
    figures = json_number(statistic(values)), json_number(low), json_number(high), len(values)
    results.rows.append(Row(*cell, horizon, metric, *figures, results.is_adapted(*cell[:2])))
