"""From what was answered to rows of figures, with intervals over tracks."""

import numpy as np
from ballcast.evaluation import metrics
from ballcast.evaluation.bootstrap import interval
from ballcast.evaluation.metrics import STATISTICS
from ballcast.evaluation.results import LEVELS, Row, key, number

ENDS = {  # of errors (N, ...) over tracks
    "median": STATISTICS["median"],
    "q10": lambda e: np.quantile(e, 0.1, axis=0),
    "q90": lambda e: np.quantile(e, 0.9, axis=0),
}


def score(results, name, suite, cases, answers, horizons):
    """Add the rows and errors of one predictor's answers to the results."""
    if cases.protocol == "horizon":
        _score_horizons(results, name, suite, cases, answers, horizons)
    elif cases.protocol == "landing":
        _score_landings(results, name, suite, cases, answers)
    else:
        _score_ends(results, name, suite, cases, answers)


def _score_horizons(results, name, suite, cases, answers, horizons):
    where = name, suite.name, "horizon", cases.history
    errors = metrics.distance(answers.mean, cases.truth)  # (N, H)
    covariance = answers.covariance + cases.sensor
    for h, horizon in enumerate(horizons):
        had = ~np.isnan(errors[:, h])
        rows = np.flatnonzero(had)
        if not len(rows):
            continue
        names = [suite.tracks[i].name for i in cases.rows[rows]]
        results.errors[key(*where, horizon)] = dict(zip(names, np.round(errors[rows, h], 6).tolist(), strict=True))
        for metric, statistic in STATISTICS.items():
            _add(results, where, horizon, metric, errors[rows, h], statistic)
        told = ~np.isnan(covariance[rows, h]).any(axis=(1, 2))
        if told.any():
            rows = rows[told]
            _score_regions(results, where, horizon, answers, rows, h, covariance, cases)
    whole = ~np.isnan(errors).any(axis=1)
    if whole.any():
        _add(results, where, None, "ade", metrics.ade(errors[whole]), STATISTICS["mean"])
        _add(results, where, None, "fde", metrics.fde(errors[whole]), STATISTICS["mean"])


def _score_regions(results, where, horizon, answers, rows, h, covariance, cases):
    """Coverage over the clear cases, and the proper scores."""
    told = answers.mean[rows, h], covariance[rows, h], cases.truth[rows, h]
    safe = cases.clear[rows]
    inside = {level: metrics.covered(*told, level)[safe] for level in LEVELS}
    for level in (0.5, 0.9):
        _add(results, where, horizon, f"coverage{100 * level:.0f}", inside[level], STATISTICS["mean"])
    if safe.any():
        results.reliability[key(*where, horizon)] = [round(float(inside[level].mean()), 4) for level in LEVELS]
    _add(results, where, horizon, "nll", metrics.nll(*told), STATISTICS["mean"])
    _add(results, where, horizon, "crps", metrics.crps(*told), STATISTICS["mean"])
    asked = ~np.isnan(cases.times)
    scores = []
    for n, mean, spread, truth in zip(rows, *told, strict=True):
        column = int(asked[n, :h].sum())
        own = answers.samples.get(n)
        samples = own[:, column] if own is not None else metrics.gaussian_samples(mean, spread)
        scores.append(metrics.energy(samples, truth))
    _add(results, where, horizon, "energy", np.array(scores), STATISTICS["mean"])


def _score_landings(results, name, suite, cases, answers):
    where = name, suite.name, "landing", cases.history
    answered = ~np.isnan(answers.mean).any(axis=(1, 2))
    if not answered.any():
        return
    missing = np.isnan(answers.landing[:, 0])
    _add(results, where, None, "landing_missing", missing[answered].astype(float), STATISTICS["mean"])
    rows = np.flatnonzero(~missing)
    if len(rows):
        place = metrics.distance(answers.landing[rows, 1:], cases.truth[rows, 1:])
        late = np.abs(answers.landing[rows, 0] - cases.truth[rows, 0])
        _add(results, where, None, "landing_place", place, STATISTICS["median"])
        _add(results, where, None, "landing_time", late, STATISTICS["median"])
        names = [suite.tracks[i].name for i in cases.rows[rows]]
        results.errors[key(*where, 0.0)] = dict(zip(names, np.round(place, 6).tolist(), strict=True))


def _score_ends(results, name, suite, cases, answers):
    """l4dc2023: the error of a track is the largest of those at its last frames."""
    where = name, suite.name, "l4dc2023", cases.history
    errors = metrics.distance(answers.mean, cases.truth)
    rows = np.flatnonzero((np.isnan(errors) == np.isnan(cases.times)).all(axis=1))
    if not len(rows):
        return
    worst = np.nanmax(errors[rows], axis=1)
    names = [suite.tracks[i].name for i in cases.rows[rows]]
    results.errors[key(*where, 0.0)] = dict(zip(names, np.round(worst, 6).tolist(), strict=True))
    for metric, statistic in ENDS.items():
        _add(results, where, None, metric, worst, statistic)


def score_latency(results, name, suite, taken):
    """Add the latency, s, of one ball watched alone."""
    for share in (50, 95, 99):
        value = number(np.percentile(taken, share))
        results.rows.append(
            Row(name, suite.name, "latency", None, None, f"latency_p{share}", value, None, None, len(taken))
        )


def _add(results, where, horizon, metric, values, statistic):
    values = np.asarray(values, float)
    if not len(values):
        return
    low, high = interval(values, statistic)
    row = Row(*where, horizon, metric, number(statistic(values)), number(low), number(high), len(values))
    results.rows.append(row)
