"""How far off forecasts of recorded tracks are: before something was learned from other tracks, and after.

    before, after = errors(old, tracks), errors(new, tracks)  # (J, 3, 2) m
    print(*comparison(before, after), sep="\\n")

The tracks that are scored are those that were kept out, by `is_kept`: about one in five, by their names.
"""

import zlib
from collections.abc import Sequence

import numpy as np

from ballcast.models.contract import HistoryTooShort, Predictor
from ballcast.tracks import Track

HISTORIES, HORIZONS = (0.1, 0.2, 0.3), (0.2, 0.4)  # s
KEPT_PERIOD = 5  # about one track in five is kept out, the same ones as in the splits
MIN_FRAMES = 5  # of a history
MIN_CELL_TRACKS = 5  # fewer tracks of one history and horizon are not compared
MIN_ERROR = 1e-3  # m, added to errors where their ratios are averaged
TIME_TOLERANCE = 1e-9  # s
RESAMPLES, QUANTILES = 1000, (0.025, 0.975)


def is_kept(name: str) -> bool:
    """Whether the track of this name is kept out."""
    return zlib.crc32(name.encode()) % KEPT_PERIOD == 0


def errors(predictor: Predictor, tracks: Sequence[Track]) -> np.ndarray:
    """Distances, m, between forecast and measured positions, (J, histories, horizons); NaN where nothing is measured.

    As the evaluation has it: the history is the first seconds of a track, the truth the first frame at or after the
    horizon.
    """
    return np.array([[_errors(predictor, track, history) for history in HISTORIES] for track in tracks]).reshape(
        -1, len(HISTORIES), len(HORIZONS)
    )


def _errors(predictor, track, history):
    seen, out = track.until(track.time[0] + history + TIME_TOLERANCE), np.full(len(HORIZONS), np.nan)
    if len(seen) < MIN_FRAMES:
        return out
    at = np.searchsorted(track.time, seen.time[-1] + np.array(HORIZONS) - TIME_TOLERANCE)
    there = at < len(track)
    there[1:] &= np.diff(at) > 0
    if there.any():
        try:
            mean = predictor.forecast(seen, track.time[at[there]]).mean
        except HistoryTooShort:
            return out
        out[there] = np.linalg.norm(mean - track.position[at[there]], axis=1)
    return out


def compare(before: np.ndarray, after: np.ndarray) -> list[dict[str, float]]:
    """A dict for each history and horizon with values: medians in m, their ratio with its 95 % bootstrap interval over
    tracks, paired, and the number of tracks."""
    cells = []
    for i, history in enumerate(HISTORIES):
        for k, horizon in enumerate(HORIZONS):
            a, b = before[:, i, k], after[:, i, k]
            known = np.isfinite(a) & np.isfinite(b)
            if known.sum() < MIN_CELL_TRACKS:
                continue
            a, b = a[known], b[known]
            rows = np.random.default_rng(0).integers(len(a), size=(RESAMPLES, len(a)))
            low, high = np.quantile(np.median(b[rows], axis=1) / np.median(a[rows], axis=1), QUANTILES)
            x, y = float(np.median(a)), float(np.median(b))
            case = {"history": history, "horizon": horizon, "tracks": len(a), "before": x, "after": y}
            cells.append(case | {"ratio": y / x, "low": float(low), "high": float(high)})
    return cells


def overall(before: np.ndarray, after: np.ndarray) -> tuple[float, float, float]:
    """The geometric mean of the ratios of all errors, after over before, and its 95 % bootstrap interval over tracks;
    NaN where nothing is known."""
    logs = np.log((after + MIN_ERROR) / (before + MIN_ERROR)).reshape(len(before), -1)
    logs = logs[np.isfinite(logs).any(axis=1)]
    if not len(logs):
        return np.nan, np.nan, np.nan
    means, counts = np.nansum(logs, axis=1), np.isfinite(logs).sum(axis=1)
    rows = np.random.default_rng(0).integers(len(logs), size=(RESAMPLES, len(logs)))
    low, high = np.quantile(means[rows].sum(axis=1) / counts[rows].sum(axis=1), QUANTILES)
    return float(np.exp(means.sum() / counts.sum())), float(np.exp(low)), float(np.exp(high))
