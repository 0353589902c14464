"""Strokes of the test set as simulated cameras see them: a side view from nearby, and a view from far behind.

track, truth, bounce = strokes(30)[0]                     # a PixelTrack of both, true positions (T, 3) m, s
given, true = part(track, truth, "side", bounce, False)   # until the bounce, without diameters

The truth is for errors alone: what a predictor is given is a part of the track.
"""

from dataclasses import replace
from functools import cache

import numpy as np

from ballcast import sim
from ballcast.tracks import Camera, PixelTrack
from lessons.balls import SPORT

RATE, NOISE, DIAMETER_NOISE = 25.0, 2.0, 0.5  # frames/s, px, px
VIEWS = {"side": ((5.0, 0.0, 1.5), 1250.0), "back": ((0.0, -25.0, 3.0), 5600.0)}  # where it is, m; focal length, px
DRAWN, AFTER, EARLY = 300, 0.1, 6  # balls; s that they are seen after the bounce, and frames before it


def camera(name, at, focal, target=(0.0, 0.0, 0.1)):
    """A Camera at a point (3,) m that looks at another, upright."""
    forward = np.subtract(target, at) / np.linalg.norm(np.subtract(target, at))
    right = np.cross(forward, [0.0, 0.0, 1.0]) / np.linalg.norm(np.cross(forward, [0.0, 0.0, 1.0]))
    R = np.stack([right, np.cross(forward, right), forward])
    return Camera([[focal, 0.0, 640.0], [0.0, focal, 360.0], [0.0, 0.0, 1.0]], None, R, -R @ at, (1280, 720), name)


@cache
def strokes(count):
    """The first `count` strokes whose bounce both cameras see: [(PixelTrack, truth (T, 3) m, when it bounces, s)]."""
    cameras = [camera(name, *view) for name, view in VIEWS.items()]
    sensors = [sim.PixelSensor.of(c, rate=RATE, noise=NOISE, diameter_noise=DIAMETER_NOISE, net=0.0) for c in cameras]
    seen, found = sim.draw(sim.load(SPORT), DRAWN, purpose="test", cameras=sensors).pixels, []
    for ball, (begin, end) in enumerate(zip(seen.offsets[:-1], seen.offsets[1:])):
        time, pixel, index, diameter = seen.of(ball)
        track, truth = PixelTrack(time, pixel, index, cameras, diameter), seen.truth_position[begin:end]
        bounce = time_of_bounce(time, truth, seen.truth_velocity[begin:end, 2])
        views = [(index == c) & (time < bounce) for c in (0, 1)]
        if bounce < time[-1] - AFTER and min(map(np.sum, views)) >= EARLY and len(found) < count:
            found.append((track, truth, bounce))
    return found


def time_of_bounce(time, position, rising):
    """When a ball first bounces on the table, s: its true velocity upwards, (T,) m/s, changes its sign there."""
    low = (np.abs(position[1:]) < (0.75, 1.36, 0.2)).all(axis=1) & (rising[:-1] < -0.5) & (rising[1:] > 0.5)
    return time[1:][low][0] - 0.5 / RATE if low.any() else np.inf


def part(track, truth, view, until, has_diameter):
    """What is given: the track of one camera, or of both, until a time; and the true position (3,) m at its end."""
    mask = track.time <= until if view == "both" else (track.time <= until) & (track.camera == list(VIEWS).index(view))
    given = track[mask]
    return (given if has_diameter else replace(given, diameter=None)), truth[mask][-1]


def split(offset, truth, camera):
    """(along the ray, across it), m, of an offset (3,) m from the true position."""
    ray = (truth - camera.centre) / np.linalg.norm(truth - camera.centre)
    return abs(offset @ ray), np.linalg.norm(offset - ray * (offset @ ray))
