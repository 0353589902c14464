"""What a predictor is asked: histories and times; and the truth, which it does not get.

horizon   the history is the first h seconds of the track; where is the ball h' seconds after its last frame?
landing   the history ends d seconds before a landing; where and when is that landing?
l4dc2023  the history ends H seconds before the track does; where are its last frames? (Achterhold et al. 2023)
bounce    of events of match play: the history is the first h seconds after a shot or bounce; where and when is the next
          bounce?

The truth of simulated balls is the true flight. That of recorded balls is the first frame at or after the requested
time; `Cases.sensor_covariance` is the uncertainty of this measurement.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from ballcast import sim
from ballcast.evaluation.suites import Suite, is_clear_of_edges
from ballcast.tracks import Track, recorded_landings

PROTOCOLS = ("horizon", "landing", "l4dc2023", "bounce")
HISTORIES, HORIZONS = (0.1, 0.2, 0.3), (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)  # s
BOUNCE_HISTORIES, BOUNCE_TIME = (0.05, 0.1, 0.2), 1.0  # s; s after the last frame, a time that is asked but not scored
LANDING_LEAD_TIMES = (0.1, 0.2, 0.3, 0.5)  # s before a landing
END_LEAD_TIMES = tuple(k / 10 for k in range(1, 11))  # s before the end of a track
MIN_FRAMES = 5  # frames
END_FRAMES, END_MIN_FRAMES = 5, 10  # l4dc2023: frames to forecast, and the least frames of a history
TIME_TOLERANCE = 1e-9  # s, by which equal times may differ
# of third differences of a track: frames that they need; their variance over that of white noise; the median of the
# absolute value of a standard normal number
MIN_NOISE_FRAMES, THIRD_DIFFERENCE_VARIANCE, MEDIAN_OF_NORMAL = 12, 20.0, 0.6745


@dataclass(frozen=True, eq=False)
class Cases:
    """N histories of one protocol and length, the times to forecast, and the truth, which no predictor gets."""

    protocol: str
    history: float  # s of history; of `landing` and `l4dc2023`, s before the landing or the end
    track_numbers: np.ndarray  # (N,) tracks of the suite
    histories: list[Any]  # (N,) of Track; of pixels, of PixelTrack
    times: np.ndarray  # (N, H) s, NaN where nothing is asked
    truth: np.ndarray  # (N, H, 3) m, NaN where it is not known; of landings (N, 4), time (s) and position (m)
    clear_of_edges: np.ndarray  # (N,) whether the ball stays away from edges and nets
    sensor_covariance: np.ndarray  # (N, H, 3, 3) m2, to be added to a forecast's covariance for recorded frames
    beyond_end: int = 0  # times past the end of a recorded track, left out

    def __len__(self):
        return len(self.track_numbers)

    @property
    def asks_landing(self) -> bool:
        """Whether a landing is asked, not positions at times."""
        return self.protocol in ("landing", "bounce")

    def seen(self, n: int) -> float:
        """The seconds of history of case n, which name the case together with its track: frames until so long after
        the first are seen."""
        if self.protocol in ("horizon", "bounce", "pixels"):
            return float(self.history)
        time = self.histories[n].time
        return round(float(time[-1] - time[0]), 6)

    def of(self, rows: np.ndarray) -> "Cases":
        """The Cases of these rows, numbers or a mask."""
        rows = np.arange(len(self))[rows]
        parts: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        chosen: dict[str, Any] = {key: value[rows] for key, value in parts.items() if isinstance(value, np.ndarray)}
        chosen |= {key: [value[n] for n in rows] for key, value in parts.items() if isinstance(value, list)}
        return replace(self, **chosen)


def horizon(suite: Suite, history: float, horizons: Sequence[float]) -> Cases:
    """The Cases of `horizon` after `history` s, asked at `horizons` (H,) s after the last frame."""
    cut = [track.until(track.time[0] + history + TIME_TOLERANCE) for track in suite.tracks]
    rows = np.array([i for i, track in enumerate(cut) if len(track) >= MIN_FRAMES], int)
    histories = [cut[i] for i in rows]
    last = np.array([track.time[-1] for track in histories])
    times = last[:, None] + np.asarray(horizons, float)
    truth, sensor_covariance = np.full((*times.shape, 3), np.nan), np.zeros((*times.shape, 3, 3))
    clear_of_edges, beyond_end = np.ones(len(rows), bool), 0
    if suite.balls is not None and len(rows):
        truth, clear_of_edges = suite.flight(rows, times).position, is_clear_of_edges(suite, rows, times[:, -1])
    elif suite.balls is None:
        for n, i in enumerate(rows):
            track = suite.tracks[i]
            at = np.searchsorted(track.time, times[n] - TIME_TOLERANCE)
            there = at < len(track)
            times[n, there], truth[n, there] = track.time[at[there]], track.position[at[there]]
            times[n, ~there], sensor_covariance[n] = np.nan, frame_covariances(suite.sport, track, at)
            times[n, 1:][np.diff(times[n]) <= 0] = np.nan  # after a gap two horizons would have the same frame
        truth[np.isnan(times)] = np.nan
        beyond_end = int(np.isnan(times).sum())
    return Cases("horizon", history, rows, histories, times, truth, clear_of_edges, sensor_covariance, beyond_end)


def landing(suite: Suite, before: float) -> Cases:
    """The Cases of `landing`: of each track the first landing with enough frames until `before` s before it."""
    found = true_landings(suite) if suite.balls is not None else [_recorded(suite.sport, t) for t in suite.tracks]
    rows, histories, truth = [], [], []
    for i, (track, landings) in enumerate(zip(suite.tracks, found, strict=True)):
        previous = -np.inf
        for at in landings:
            history = track.until(at[0] - before)
            if len(history) >= MIN_FRAMES and previous < history.time[-1]:
                rows.append(i)
                histories.append(history)
                truth.append(at)
                break
            previous = at[0]
    rows, truth = np.array(rows, int), np.array(truth).reshape(-1, 4)
    times = np.array([[track.time[-1] + before] for track in histories]).reshape(-1, 1)
    clear_of_edges = np.ones(len(rows), bool)
    if suite.balls is not None and len(rows):
        clear_of_edges = is_clear_of_edges(suite, rows, truth[:, 0] + 1e-3)
    return Cases("landing", before, rows, histories, times, truth, clear_of_edges, np.zeros((len(rows), 1, 3, 3)))


def bounce(suite: Suite, history: float) -> Cases:
    """The Cases of `bounce` after `history` s, of the events whose made frames last so long."""
    cut = [track.until(track.time[0] + history + TIME_TOLERANCE) if len(track) else track for track in suite.tracks]
    end = suite.events.end
    rows = [i for i, t in enumerate(cut) if len(t) >= MIN_FRAMES and t.time[0] + history <= end[i]]
    histories = [cut[i] for i in rows]
    times = np.array([[track.time[-1] + BOUNCE_TIME] for track in histories]).reshape(-1, 1)
    rows, truth = np.array(rows, int), suite.events.landing[rows]
    return Cases("bounce", history, rows, histories, times, truth, np.ones(len(rows), bool),
                 np.zeros((len(rows), 1, 3, 3)))  # fmt: skip


def l4dc2023(suite: Suite, before: float) -> Cases:
    """The Cases of `l4dc2023`: a history is every frame more than `before` s before the last one.

    The last five frames are asked, without those in the history (at low frame rates).
    """
    cut = [np.searchsorted(t.time, t.time[-1] - before - TIME_TOLERANCE) if len(t) else 0 for t in suite.tracks]
    rows = np.array([i for i, count in enumerate(cut) if count >= END_MIN_FRAMES], int)
    histories = [suite.tracks[i].until(suite.tracks[i].time[cut[i] - 1]) for i in rows]
    times = np.array([suite.tracks[i].time[-END_FRAMES:] for i in rows]).reshape(-1, END_FRAMES)
    truth = np.array([suite.tracks[i].position[-END_FRAMES:] for i in rows]).reshape(-1, END_FRAMES, 3)
    if suite.balls is not None and len(rows):
        truth = suite.flight(rows, times).position
    known = times <= np.array([track.time[-1] for track in histories])[:, None]
    times, truth = np.where(known, np.nan, times), np.where(known[..., None], np.nan, truth)
    clear_of_edges = np.ones(len(rows), bool)
    return Cases("l4dc2023", before, rows, histories, times, truth, clear_of_edges, np.zeros((*times.shape, 3, 3)))


def true_landings(suite: Suite) -> list[np.ndarray]:
    """The landings (L, 4) of each simulated ball until its last frame: time (s) and position (m)."""
    ends = np.array([[track.time[-1]] if len(track) else [1e-3] for track in suite.tracks])
    impacts = suite.flight(np.arange(len(ends)), ends).impacts
    landed = np.isin(impacts.surface, suite.sport.landing_surfaces)
    table = np.column_stack([impacts.time, impacts.position])[landed]
    return [table[impacts.ball[landed] == i] for i in range(len(ends))]


def _recorded(sport, track):
    """The landings (L, 4) of a recorded ball."""
    surfaces = [surface for surface in sport.surfaces if surface.landing]
    return np.column_stack(recorded_landings(track, surfaces, sport.ball.radius))


def frame_covariances(sport: sim.Sport, track: Track, at: np.ndarray) -> np.ndarray:
    """Covariance (H, 3, 3) m2 of frames `at` (H,) of a track: its own noise, and the jitter of the sport's sensor."""
    velocity = np.gradient(track.position, track.time, axis=0)[np.minimum(at, len(track) - 1)]
    late = np.mean(sport.sensor.jitter) ** 2 * velocity[:, :, None] * velocity[:, None, :]
    return np.diag(_noise_variances(sport, track)) + late


def _noise_variances(sport, track):
    """The variance (3,) m2 of the noise of each axis of a track: by its third differences, which no smooth flight has.

    Bounces and outliers are few, so the median is of the noise. A track that is too short has the usual noise.
    """
    if len(track) < MIN_NOISE_FRAMES:
        return np.full(3, sport.sensor.usual_noise**2)
    size = np.median(np.abs(np.diff(track.position, 3, axis=0)), axis=0) / MEDIAN_OF_NORMAL
    return np.square(size) / THIRD_DIFFERENCE_VARIANCE
