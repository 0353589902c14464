"""The tracks that are kept from fine-tuning: what weights are worth on them, before and after, and their regions.

    cases = kept_cases(tracks, sport)                            # many histories of every track
    before, after = (errors(path, "gru", sport, cases) for path in (old, new))
    print(compare(cases, before, after))                         # a line for each history, with paired intervals

The histories are those that evaluate.py asks; the truth is the first frame at or after a horizon.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.stats import chi2

from ballcast import sim
from ballcast.models.encoding.nominal import HORIZON_STEP, HORIZONS
from ballcast.models.registry import load, variance_factors
from ballcast.models.runtime import weights
from ballcast.models.training.calibrate import COVERAGE, MAX_FACTOR, MIN_FACTOR, mahalanobis2
from ballcast.tracks import Track

HISTORIES = (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5)  # s
SHOWN_HISTORIES, SHOWN = (0.1, 0.2, 0.4), (0.1, 0.2, 0.3, 0.4, 0.6)  # s
MIN_FRAMES, SLACK = 5, 1e-9  # frames of a history; s
RESAMPLES, QUANTILES = 1000, (0.025, 0.975)  # of a bootstrap over tracks
LEVELS = (0.6, 0.75, COVERAGE)  # of the regions that the scale of the errors is measured with
PSEUDO_TRACKS = 8.0  # that the factors of simulated balls count for
NOISE_SCALE = 0.6745 * np.sqrt(20.0)  # of the median of third differences over white noise


class Cases(NamedTuple):
    """N histories, and what was measured at the horizons of a path after them."""

    track: np.ndarray  # (N,) numbers of the tracks
    history: np.ndarray  # (N,) s
    histories: list[Track]
    times: np.ndarray  # (N, HORIZONS) s
    truth: np.ndarray  # (N, HORIZONS, 3) m, NaN where nothing was measured
    noise: np.ndarray  # (N, HORIZONS, 3, 3) m2, of the measurement


class Scores(NamedTuple):
    """A predictor's answers to Cases."""

    error: np.ndarray  # (N, HORIZONS) m, NaN where nothing was measured
    difference: np.ndarray  # (N, HORIZONS, 3) m
    covariance: np.ndarray  # (N, HORIZONS, 3, 3) m2


def kept_cases(tracks: Sequence[Track], sport: sim.Sport, histories: Sequence[float] = HISTORIES) -> Cases:
    """The Cases of tracks at all histories that leave something to forecast."""
    rows: list[tuple] = []
    for number, track in enumerate(tracks):
        noise, jitter = np.diag(_noise(track, sport) ** 2), float(np.mean(sport.sensor.jitter)) ** 2
        velocity = np.gradient(track.position, track.time, axis=0)
        for history in histories:
            seen = track.until(track.time[0] + history + SLACK)
            if len(seen) < MIN_FRAMES or track.time[-1] < seen.time[-1] + HORIZON_STEP:
                continue
            times = seen.time[-1] + HORIZON_STEP * np.arange(1, HORIZONS + 1)
            at = np.searchsorted(track.time, times - SLACK)
            there, at = at < len(track), np.minimum(at, len(track) - 1)
            times = np.maximum.accumulate(np.where(there, track.time[at], times) + SLACK * np.arange(HORIZONS))
            truth = np.where(there[:, None], track.position[at], np.nan)
            late = jitter * velocity[at][:, :, None] * velocity[at][:, None, :]
            rows.append((number, history, seen, times, truth, noise + late))
    if not rows:
        raise ValueError("--tracks: the tracks are too short to say how well a ball is forecast")
    track, history, seen, times, truth, covariance = zip(*rows)
    return Cases(np.array(track), np.array(history), list(seen), *map(np.array, (times, truth, covariance)))


def _noise(track, sport):
    """The noise (3,) m of the axes of a track, by third differences; of one too short, the sport's usual noise."""
    third = np.abs(np.diff(track.position, 3, axis=0))
    return np.median(third, axis=0) / NOISE_SCALE if len(third) >= 9 else np.full(3, sport.sensor.usual_noise)


def scores(path: str | Path, name: str, sport: sim.Sport, cases: Cases) -> Scores:
    """The Scores of the predictor `name` with a file of weights."""
    forecasts = load(f"{path}:{name}", sport).forecast_batch(cases.histories, cases.times)
    difference = np.array([f.mean for f in forecasts]) - cases.truth
    covariance = np.array([f.covariance for f in forecasts])
    return Scores(np.linalg.norm(difference, axis=-1), difference, covariance)


def ratio(cases: Cases, before: Scores, after: Scores) -> tuple[float, float, float]:
    """Error after over before, the geometric mean over all tracks, histories and horizons, and its 95 % interval over
    tracks."""
    log = np.log(np.maximum(after.error, 1e-4) / np.maximum(before.error, 1e-4))
    tracks = np.unique(cases.track)
    means = np.array([np.nanmean(log[cases.track == track]) for track in tracks])
    rows = np.random.default_rng(0).integers(len(tracks), size=(RESAMPLES, len(tracks)))
    low, high = np.quantile(means[rows].mean(axis=1), QUANTILES)
    return float(np.exp(means.mean())), float(np.exp(low)), float(np.exp(high))


def median_lines(cases: Cases, before: Scores, after: Scores) -> list[str]:
    """For each history shown, the median errors before and after, in mm, with the paired interval of the change."""
    lines = []
    for history in SHOWN_HISTORIES:
        rows = np.flatnonzero(np.isclose(cases.history, history))
        cells = []
        for horizon in SHOWN:
            k = round(horizon / HORIZON_STEP) - 1
            own = rows[np.isfinite(before.error[rows, k])]
            if len(own) < 2:
                continue
            a, b = 1e3 * before.error[own, k], 1e3 * after.error[own, k]
            draws = np.random.default_rng(0).integers(len(own), size=(RESAMPLES, len(own)))
            low, high = np.quantile(np.median(b[draws], axis=1) - np.median(a[draws], axis=1), QUANTILES)
            cells.append(f"+{horizon:g} s {np.median(a):.0f} -> {np.median(b):.0f} ({low:+.0f} to {high:+.0f})")
        if cells:
            lines.append(f"  after {history:g} s: " + ", ".join(cells) + " mm")
    return lines


def factors(cases: Cases, found: Scores, simulated: Sequence[float] | np.ndarray, tails: np.ndarray) -> list[float]:
    """The factors (HORIZONS,) on the variances for which the regions of COVERAGE hold as many of the measurements.

    simulated (HORIZONS,): the factors of simulated balls, which count for PSEUDO_TRACKS tracks. tails (HORIZONS,): of
    tail_factors. The scale is that of several regions: few tracks say little of the outermost tenth alone.
    """
    logs = log_factors(cases, found)
    counts = np.array([len(np.unique(cases.track[np.isfinite(found.error[:, k])])) for k in range(HORIZONS)])
    own = np.nan_to_num(logs.mean(axis=0) + tails)
    log = (counts * own + PSEUDO_TRACKS * np.log(simulated)) / (counts + PSEUDO_TRACKS)
    return [round(float(v), 4) for v in np.clip(np.exp(log), MIN_FACTOR, MAX_FACTOR)]


def tail_factors(cases: Cases, found: Scores) -> np.ndarray:
    """By how much (HORIZONS,) the logarithm of the factor of COVERAGE exceeds the mean of those of all LEVELS: the
    shape of the errors, which tracks that were learned from show as well as others."""
    logs = log_factors(cases, found)
    return np.nan_to_num(logs[LEVELS.index(COVERAGE)] - logs.mean(axis=0))


def log_factors(cases: Cases, found: Scores) -> np.ndarray:
    """The logarithms (LEVELS, HORIZONS) of the factors for which the regions of all LEVELS hold as many; NaN where
    nothing was measured."""
    out = np.full((len(LEVELS), HORIZONS), np.nan)
    for k in range(HORIZONS):
        near = slice(max(0, k - 1), k + 2)  # neighbouring horizons are alike
        known = np.isfinite(found.error[:, near])
        if known.any():
            difference, covariance, noise = (
                a[:, near][known] for a in (found.difference, found.covariance, cases.noise)
            )
            out[:, k] = [_log_factor(difference, covariance, noise, level) for level in LEVELS]
    return out


def calibrate_recorded(path: str | Path, sport: sim.Sport, kept: Cases, learned: Cases, names: Sequence[str]) -> None:
    """Store the factors of recorded balls in a file of weights, as those of the sport: their scale by kept tracks,
    their shape by those that were learned from."""
    info, tensors = weights.read(path)
    simulated = {key: v for key, v in variance_factors(info, sport).items() if key != "sports"}
    own = dict(simulated)
    for name in names:
        key = "flown" if name == "gru_physics" else "path"
        own[key] = simulated.get(key, [1.0] * HORIZONS)
        found, of_learned = (scores(path, name, sport, cases) for cases in (kept, learned))
        relative = factors(kept, found, np.ones(HORIZONS), tail_factors(learned, of_learned))
        own[key] = [round(float(np.clip(a * b, MIN_FACTOR, MAX_FACTOR)), 4) for a, b in zip(own[key], relative)]
    widen = info.get("widen", {})
    info["widen"] = widen | {"sports": widen.get("sports", {}) | {sport.name: own}}
    weights.save(path, tensors, info)


def _log_factor(difference, covariance, noise, level):
    """The logarithm of the factor on covariances (N, 3, 3) for which regions hold `level` of the differences (N, 3)."""
    low, high, limit = np.log(MIN_FACTOR), np.log(MAX_FACTOR), chi2.ppf(level, 3)
    for _ in range(12):
        middle = 0.5 * (low + high)
        region = np.exp(middle) * covariance + noise
        is_too_small = np.mean(mahalanobis2(difference, region) <= limit) < level
        low, high = (middle, high) if is_too_small else (low, middle)
    return 0.5 * (low + high)


def coverage(cases: Cases, found: Scores) -> float:
    """The share of the measurements that lie in the regions of COVERAGE."""
    known = np.isfinite(found.error)
    region = (found.covariance + cases.noise)[known]
    return float(np.mean(mahalanobis2(found.difference[known], region) <= chi2.ppf(COVERAGE, 3)))
