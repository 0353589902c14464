"""Where a ball was at every frame, from all frames: the path of the fit, not a forecast.

smoothed = smooth(track, "table_tennis")      # a Track or a PixelTrack
smoothed.position                             # (T, 3) m
"""

from dataclasses import dataclass

import numpy as np

from ballcast.models.contract import HistoryTooShort, compiled_arrays
from ballcast.models.estimation.pixel_fit import path_at
from ballcast.models.estimation.pixel_mixture import median_weights
from ballcast.models.estimation.pixels import CLOCK, ERRORS
from ballcast.models.predictors.physics import Physics
from ballcast.models.registry import load
from ballcast.sim import Sport
from ballcast.tracks.pixel_track import PixelTrack
from ballcast.tracks.track import Track


@dataclass(frozen=True, eq=False)
class Smoothed:
    """A ball's path at the frames of a track."""

    time: np.ndarray  # (T,) s
    position: np.ndarray  # (T, 3) m
    velocity: np.ndarray  # (T, 3) m/s
    covariance: np.ndarray  # (T, 3, 3) m2, of the position
    clock: np.ndarray  # (C,) s by which the clock of each camera is behind the mean of them; empty for a Track


def smooth(track: Track | PixelTrack, sport: str | Sport) -> Smoothed:
    """The Smoothed path of a track of one ball, by the fit of `physics`. After a hit another flight begins.

    HistoryTooShort if the track has fewer than three frames.
    """
    predictor = load("physics", sport=sport)
    assert isinstance(predictor, Physics)
    if len(track) < predictor.min_frames:
        raise HistoryTooShort(f"smooth needs {predictor.min_frames} frames; the track has {len(track)}")
    smooth_flight = _smooth_pixels if isinstance(track, PixelTrack) else _smooth_positions
    parts, end, clock = [], len(track), np.zeros(0)
    while end >= predictor.min_frames:
        first, path, covariance, found = smooth_flight(predictor, track[:end])
        parts.append((path, covariance))
        clock, end = (clock if len(clock) else found), first
    if end:  # one frame or two before the first flight
        path, covariance = parts[-1]
        early = path[:1] + np.outer(track.time[:end] - track.time[end], np.append(path[0, 3:], np.zeros(3)))
        parts.append((early, np.repeat(covariance[:1], end, axis=0)))
    path, covariance = (np.concatenate([part[i] for part in parts[::-1]]) for i in (0, 1))
    return Smoothed(np.array(track.time), path[:, :3], path[:, 3:], covariance, clock)


def _smooth_pixels(predictor, track):
    """(first frame of the last flight, its path (T, 6), covariances, clocks) of a PixelTrack."""
    mixture, first, flights = predictor.pixels.fit_whole(track)
    weights = flights.weights
    path = np.einsum("n,nti->ti", median_weights(flights.paths[..., :3], weights), flights.paths)
    offset = flights.paths[..., :3] - path[:, :3]
    covariance = np.einsum("n,nti,ntj->tij", weights, offset, offset)
    return first, path, covariance, weights @ flights.errors[:, CLOCK::ERRORS]


def _smooth_positions(predictor, track):
    """As _smooth_pixels, of a Track."""
    time, position = compiled_arrays(track.time, track.position)
    fit, first = predictor.fit(time, position, predictor.prior.mean, False, predictor.prior)
    x, covariance = fit.x.copy(), fit.covariance
    path, spread = path_at(predictor.compiled_sport, x, covariance, time[first:] - time[first])
    path[:, 2] += x[-1]
    return first, path, spread, np.zeros(0)
