"""What is asked of a predictor: histories and times, and beside them, kept from it, the truth.

horizon   the history is all that was seen in the first h seconds; where is the ball h' seconds past its last frame?
landing   the history ends d seconds before a landing; where and when is it?
l4dc2023  the history ends H seconds before the track does; where are its last frames? (Achterhold et al. 2023)

Simulated balls are scored against the true flight. Recorded ones against the first frame at or after the wanted time,
and what the sensor adds to that is `sensor`.
"""

from dataclasses import dataclass

import numpy as np

from ballcast.evaluation.suites import is_clear_of_edges

PROTOCOLS = ("horizon", "landing", "l4dc2023")
HISTORIES, HORIZONS = (0.1, 0.2, 0.3), (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)  # s
LANDING_LEAD_TIMES = (0.1, 0.2, 0.3, 0.5)  # s before a landing
END_LEAD_TIMES = tuple(k / 10 for k in range(1, 11))  # s before the end of a track
MIN_FRAMES = 5  # frames
END_FRAMES, END_MIN_FRAMES = 5, 10  # of l4dc2023: frames that are asked, and seen at least
SIDE_FRAMES = 6  # frames on either side of a recorded landing
TIME_TOLERANCE = 1e-9  # s, by which equal times may differ


@dataclass(frozen=True, eq=False)
class Cases:
    """N histories of one protocol and length, what is asked of each, and the truth, which no predictor sees."""

    protocol: str
    history: float  # s seen, or s before the landing or the end
    track_numbers: np.ndarray  # (N,) tracks of the suite
    histories: list  # (N,) of Track
    times: np.ndarray  # (N, H) s, NaN where nothing is asked
    truth: np.ndarray  # (N, H, 3) m, NaN where it is not known; of a landing (N, 4), time (s) and place (m)
    clear_of_edges: np.ndarray  # (N,) whether the ball keeps off edges and nets
    sensor_covariance: np.ndarray  # (N, H, 3, 3) m2, what a recorded frame adds to a forecast's covariance
    beyond_end: int = 0  # askings past the end of a recorded track, left out

    def __len__(self):
        return len(self.track_numbers)


def horizon(suite, history, horizons):
    """The Cases of `horizon` after `history` s, asked at `horizons` (H,) s past the last frame."""
    cut = [track.until(track.time[0] + history + TIME_TOLERANCE) for track in suite.tracks]
    rows = np.array([i for i, track in enumerate(cut) if len(track) >= MIN_FRAMES], int)
    histories = [cut[i] for i in rows]
    last = np.array([track.time[-1] for track in histories])
    times = last[:, None] + np.asarray(horizons, float)
    if suite.balls is not None:
        truth = suite.flight(rows, times).position if len(rows) else np.empty((0, len(horizons), 3))
        clear_of_edges = is_clear_of_edges(suite, rows, times[:, -1]) if len(rows) else np.ones(0, bool)
        return Cases("horizon", history, rows, histories, times, truth, clear_of_edges, np.zeros((*times.shape, 3, 3)))
    truth, sensor_covariance = np.full((*times.shape, 3), np.nan), np.zeros((*times.shape, 3, 3))
    for n, i in enumerate(rows):
        track = suite.tracks[i]
        at = np.searchsorted(track.time, times[n] - TIME_TOLERANCE)
        there = at < len(track)
        times[n, there], truth[n, there] = track.time[at[there]], track.position[at[there]]
        times[n, ~there], sensor_covariance[n] = np.nan, _sensor_covariance(suite.sport, track, at)
        times[n, 1:][np.diff(times[n]) <= 0] = np.nan  # a gap: the same frame answers for both
    truth[np.isnan(times)] = np.nan
    beyond_end = int(np.isnan(times).sum())
    return Cases(
        "horizon", history, rows, histories, times, truth, np.ones(len(rows), bool), sensor_covariance, beyond_end
    )


def landing(suite, before):
    """The Cases of `landing`, seen until `before` s before it: of each track the first with enough frames."""
    found = true_landings(suite) if suite.balls is not None else [_recorded_landing(t) for t in suite.tracks]
    rows, histories, truth = [], [], []
    for i, (track, landings) in enumerate(zip(suite.tracks, found, strict=True)):
        previous = -np.inf
        for at in landings:
            history = track.until(at[0] - before)
            if len(history) >= MIN_FRAMES and previous < history.time[-1]:
                rows.append(i), histories.append(history), truth.append(at)
                break
            previous = at[0]
    rows, truth = np.array(rows, int), np.array(truth).reshape(-1, 4)
    times = np.array([[track.time[-1] + before] for track in histories]).reshape(-1, 1)
    clear_of_edges = np.ones(len(rows), bool)
    if suite.balls is not None and len(rows):
        clear_of_edges = is_clear_of_edges(suite, rows, truth[:, 0] + 1e-3)
    return Cases("landing", before, rows, histories, times, truth, clear_of_edges, np.zeros((len(rows), 1, 3, 3)))


def l4dc2023(suite, before):
    """The Cases of `l4dc2023`: seen is every frame more than `before` s before the last; asked are the last five.

    Of those five, one that was seen (at low frame rates) is not asked.
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


def true_landings(suite):
    """Of every simulated ball the (time, x, y, z) of its landings while it is watched, (L, 4) each."""
    ends = np.array([[track.time[-1]] if len(track) else [1e-3] for track in suite.tracks])
    impacts = suite.flight(np.arange(len(ends)), ends).impacts
    landed = np.isin(impacts.surface, suite.sport.landing_surfaces)
    table = np.column_stack([impacts.time, impacts.position])[landed]
    return [table[impacts.ball[landed] == i] for i in range(len(ends))]


def _recorded_landing(track):
    """(1, 4) where quadratics through SIDE frames on either side of the low point cross; (0, 4) if fewer."""
    k = int(np.argmin(track.position[:, 2]))
    if k < SIDE_FRAMES or k > len(track) - SIDE_FRAMES - 1:
        return np.empty((0, 4))
    t = track.time - track.time[k]
    sides = [
        np.polyfit(t[s], track.position[s], 2) for s in (slice(k - SIDE_FRAMES, k), slice(k + 1, k + 1 + SIDE_FRAMES))
    ]
    roots = np.roots((sides[0] - sides[1])[:, 2])
    roots = roots[np.isreal(roots)].real
    if not len(roots):
        return np.empty((0, 4))
    at = roots[np.argmin(np.abs(roots))]
    if not t[k - 1] <= at <= t[k + 1]:
        return np.empty((0, 4))
    return np.array([[at + track.time[k], *(sides[0].T @ [at * at, at, 1.0])]])


def _sensor_covariance(sport, track, at):
    """Covariance (H, 3, 3) of frames `at` (H,) of a track, by the middle of the sport's sensor: noise, late stamps."""
    velocity = np.gradient(track.position, track.time, axis=0)[np.minimum(at, len(track) - 1)]
    late = np.mean(sport.sensor.jitter) ** 2 * velocity[:, :, None] * velocity[:, None, :]
    return np.mean(sport.sensor.noise) ** 2 * np.eye(3) + late
