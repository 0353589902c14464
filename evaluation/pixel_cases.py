"""What is asked of predictors that get pixels, and the truth, which they do not get.

pixels          the history is what the cameras saw in the first h seconds; where is the ball h' seconds after its last
                frame, in space and in the image? 0 s is now: a camera does not see where the ball is
pixels_bounce   the history ends 0.1 s before the first bounce, with the first frame after it, or 0.2 s after it
reconstruction  all frames of a ball; where was it at each of them? No forecast (Gossard et al. 2025)

Errors are split along and across the line of sight of the camera that saw the last frame, and the image is that
camera's. If it is not known where the balls were in space, only the image is scored, at the next frame of any camera.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ballcast.evaluation.pixel_suites import PixelSuite
from ballcast.evaluation.protocols import TIME_TOLERANCE, Cases, frame_covariances
from ballcast.evaluation.suites import is_clear_of_edges
from ballcast.tracks import Camera

PIXEL_PROTOCOLS = ("pixels", "pixels_bounce", "reconstruction")
PIXEL_HISTORIES, PIXEL_HORIZONS = (0.2, 0.4), (0.0, 0.1, 0.2)  # s
AROUND = (-0.1, 0.0, 0.2)  # s from the first bounce to the end of the history; 0: its first frame after it
NOW = 1e-6  # s after the last frame, since a forecast is of a time after it
MIN_SEEN = 3  # frames
AFTER_BOUNCE = 1e-3  # s by which a frame must be later than the bounce to show what comes after it
LATE = 0.05  # s before the end of an asked history that its last frame may be


@dataclass(frozen=True, eq=False, kw_only=True)
class PixelCases(Cases):
    """Cases whose histories are PixelTracks. Further truth: the image, and the first bounce."""

    image: np.ndarray  # (N, H, 2) px, where the ball is in the image
    image_cameras: list[list[Camera]]  # (N, H) whose image it is
    bounce: np.ndarray  # (N,) s, the first; infinite if there is none


def pixels(suite: PixelSuite, history: float, horizons: Sequence[float]) -> PixelCases:
    """The PixelCases of `pixels` after `history` s, asked at `horizons` (H,) s after the last frame."""
    ends = [float(track.time[0]) + history + TIME_TOLERANCE if len(track) else np.nan for track in suite.tracks]
    return _forecasts("pixels", history, suite, np.array(ends, float), suite.bounces(), horizons)


def pixels_bounce(suite: PixelSuite, after: float, horizons: Sequence[float]) -> PixelCases:
    """The PixelCases of `pixels_bounce`: histories that end `after` s after the first bounce."""
    bounce, ends = suite.bounces(), np.full(len(suite.tracks), np.nan)
    for i in np.flatnonzero(np.isfinite(bounce)):
        time = suite.tracks[i].time
        if after == 0.0:
            later = np.flatnonzero(time >= bounce[i] + AFTER_BOUNCE)
            ends[i] = time[later[0]] if len(later) else np.nan
        elif len(time) and (time[time <= bounce[i] + after + TIME_TOLERANCE][-1:] > bounce[i] + after - LATE).any():
            ends[i] = bounce[i] + after + TIME_TOLERANCE
    return _forecasts("pixels_bounce", after, suite, ends, bounce, horizons)


def reconstruction(suite: PixelSuite) -> PixelCases:
    """The PixelCases of `reconstruction`: all frames are given and asked."""
    rows = np.array([i for i, track in enumerate(suite.tracks) if len(track) >= MIN_SEEN], int)
    histories = [suite.tracks[i] for i in rows]
    times = np.full((len(rows), max(map(len, histories), default=1)), np.nan)
    for n, history in enumerate(histories):
        times[n, : len(history)] = history.time
    truth = suite.positions(rows, times) if len(rows) else np.empty((*times.shape, 3))
    times = np.where(np.isnan(truth).any(axis=2), np.nan, times)
    cameras = [[history.cameras[c] for c in history.camera] for history in histories]
    image, known = np.full((*times.shape, 2), np.nan), np.ones(len(rows), bool)
    spread = _truth_spread(suite, rows, times)
    return PixelCases("reconstruction", 0.0, rows, histories, times, truth, known, spread, image=image,
                      image_cameras=cameras, bounce=suite.bounces()[rows])  # fmt: skip


def _forecasts(protocol, history, suite, ends, bounces, horizons):
    """PixelCases whose histories end at `ends` (B,) s, NaN for none."""
    cut = [track.until(end) if end == end else None for track, end in zip(suite.tracks, ends)]
    rows = np.array([i for i, track in enumerate(cut) if track is not None and len(track) >= MIN_SEEN], int)
    histories = [cut[i] for i in rows]
    last = np.array([track.time[-1] for track in histories])
    times = np.maximum(last[:, None] + np.asarray(horizons, float), last[:, None] + NOW)
    cameras = [[track.cameras[track.camera[-1]]] * len(horizons) for track in histories]
    image, spread = np.full((*times.shape, 2), np.nan), _truth_spread(suite, rows, times)
    clear = np.ones(len(rows), bool)
    if not len(rows):
        truth = np.empty((*times.shape, 3))
    elif suite.has_space:
        truth = suite.positions(rows, times)
        for n in range(len(rows)):
            image[n] = cameras[n][0].project(truth[n])
        if suite.balls is not None:
            clear = is_clear_of_edges(suite, rows, np.nanmax(times, axis=1))
        times = np.where(np.isnan(truth).any(axis=2), np.nan, times)
    else:
        truth = np.full((*times.shape, 3), np.nan)
        for n, i in enumerate(rows):
            times[n], image[n], cameras[n] = _next_frames(suite.tracks[i], last[n], times[n])
    beyond_end = int(np.isnan(times).sum())
    return PixelCases(protocol, history, rows, histories, times, truth, clear, spread, beyond_end, image=image,
                      image_cameras=cameras, bounce=bounces[rows])  # fmt: skip


def _truth_spread(suite, rows, times):
    """Covariances (N, H, 3, 3) m2 of the truth at times (N, H) s: of a measured track its noise, else none."""
    spread = np.zeros((*times.shape, 3, 3))
    for n, i in enumerate(rows) if suite.truth is not None else ():
        track = suite.truth[i]
        spread[n] = frame_covariances(suite.sport, track, np.searchsorted(track.time, times[n]))
    return spread


def _next_frames(track, last, times):
    """The frames at or after times (H,) s: their times, pixels (H, 2) and cameras; NaN where there is none, or where
    another time has the same frame."""
    at = np.searchsorted(track.time, times - TIME_TOLERANCE)
    fresh = (at < len(track)) & (np.diff(at, prepend=-1) > 0)
    at = np.minimum(at, len(track) - 1)
    fresh &= track.time[at] > last
    found = np.where(fresh, track.time[at], np.nan), np.where(fresh[:, None], track.pixel[at], np.nan)
    return *found, [track.cameras[c] for c in track.camera[at]]
