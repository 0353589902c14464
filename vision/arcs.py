"""Where the path of a ball in the picture bends: arcs between hits and bounces, found from all frames at once.

    arcs = find_arcs(times, pixels, height=720)      # of one ball, in the order of time; NaN where it was not seen
    kinks = find_kinks(arcs, height=720)             # where one arc goes over into the next

An arc is a parabola in time, across and down, which is what a ball in the air draws while it comes neither much nearer
nor gets much farther away. Dynamic programming chooses where arcs end: each costs COST, and what it does not explain
costs the square of the distance over NOISE. So the whole path decides, not the frame after a bend.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

NOISE = 1.6  # px at 720 rows: what a parabola leaves, standard deviation; of detections and of perspective
COST = 16.0  # of an arc, in squares of NOISE
OUTLIER = 9.0  # the most that one frame may cost, in the same: beyond it, it is no ball
LONGEST = 90  # frames of an arc
GAP = 0.35  # s without a ball, after which a new path begins
FEWEST = 3  # frames of an arc
LEAP = 14.0, 1.5  # px at 720 rows, and in steps to the neighbours: farther off between them, it is no ball
KINK = 110.0, 0.12  # px/s at 720 rows, and share of the speed: smaller changes of velocity are none
MEETING = 9.0  # px at 720 rows: arcs that come no nearer are two balls


class Arc(NamedTuple):
    """Part of the path: pixel = place + velocity s + bend s^2, with s the time since `time`."""

    first: int  # frames from here
    last: int  # to here, included
    time: float  # s, in its middle
    place: np.ndarray  # (2,) px
    velocity: np.ndarray  # (2,) px/s
    bend: np.ndarray  # (2,) px/s^2
    start: float  # s, of its first frame
    end: float  # s

    def at(self, time: float) -> np.ndarray:
        """Where it is, (2,) px."""
        s = time - self.time
        return self.place + self.velocity * s + self.bend * s * s

    def speed(self, time: float) -> np.ndarray:
        """Its velocity (2,) px/s."""
        return self.velocity + 2.0 * self.bend * (time - self.time)


class Kink(NamedTuple):
    """Where the ball was hit or bounced."""

    time: float  # s
    pixel: np.ndarray  # (2,) px
    before: np.ndarray  # (2,) px/s
    after: np.ndarray
    arcs: tuple[int, int]  # the arcs before and after


def find_arcs(times: np.ndarray, pixels: np.ndarray, height: float) -> list[Arc]:
    """The arcs of a path: times (N,) s, pixels (N, 2) px. height: of the picture, px."""
    scale, seen = height / 720.0, np.flatnonzero(np.isfinite(pixels).all(axis=1))
    seen = seen[~_leaps(times[seen], pixels[seen], scale)]
    breaks = np.flatnonzero(np.diff(times[seen]) > GAP) + 1
    arcs: list[Arc] = []
    for run in np.split(seen, breaks):
        if len(run) >= FEWEST:
            cuts = _cuts(times[run], pixels[run] / (NOISE * scale))
            pieces = [run[a:b] for a, b in zip(cuts, cuts[1:])]
            arcs += _joined([fit_arc(piece, times, pixels) for piece in pieces], times, pixels, scale)
    return arcs


def fit_arc(frames: np.ndarray, times: np.ndarray, pixels: np.ndarray) -> Arc:
    """The parabola through frames, of at least two; through two or three, a line."""
    t = times[frames]
    middle = float(t.mean())
    powers = np.vander(t - middle, 3 if len(frames) > FEWEST else 2, increasing=True)
    weights, found = np.ones(len(t)), np.zeros((3, 2))
    for _ in range(3):  # by weights that fall beyond twice the usual distance
        found[: powers.shape[1]] = np.linalg.lstsq(powers * weights[:, None], pixels[frames] * weights[:, None])[0]
        off = np.hypot(*(pixels[frames] - powers @ found[: powers.shape[1]]).T)
        weights = 1.0 / np.maximum(1.0, off / max(2.0 * float(np.median(off)), 1e-6)) ** 0.5
    place, velocity, bend = found
    return Arc(int(frames[0]), int(frames[-1]), middle, place, velocity, bend, float(t[0]), float(t[-1]))


def find_kinks(arcs: Sequence[Arc], height: float, interval: float) -> list[Kink]:
    """Where arcs meet that follow each other. interval: s between frames."""
    found, scale = [], height / 720.0
    for k, (a, b) in enumerate(zip(arcs, arcs[1:])):
        if b.start - a.end > GAP:
            continue
        time, gap = meeting(a, b, interval)
        if gap <= MEETING * scale + 0.15 * interval * float(np.hypot(*(b.speed(time) - a.speed(time)))):
            pixel = 0.5 * (a.at(time) + b.at(time))
            found.append(Kink(time, pixel, a.speed(time), b.speed(time), (k, k + 1)))
    return found


def meeting(a: Arc, b: Arc, interval: float) -> tuple[float, float]:
    """When two arcs that follow each other are nearest, s, and how near, px."""
    times = np.linspace(a.end - 0.75 * interval, b.start + 0.75 * interval, 61)
    gaps = np.array([np.hypot(*(a.at(t) - b.at(t))) for t in times])
    best = int(gaps.argmin())
    if 0 < best < len(times) - 1:
        before, here, after = gaps[best - 1 : best + 2] ** 2
        bend = before - 2.0 * here + after
        share = 0.5 * (before - after) / bend if bend > 0.0 else 0.0
        return float(times[best] + share * (times[1] - times[0])), float(gaps[best])
    return float(times[best]), float(gaps[best])


def _leaps(times, pixels, scale):
    """Which (N,) of the pixels (N, 2) are off any path through their neighbours."""
    found = np.zeros(len(times), bool)
    for k in range(2, len(times) - 2):
        if times[k + 2] - times[k - 2] > 2.0 * GAP:
            continue
        ahead = _line(times, pixels, k - 2, k - 1, times[k])
        back = _line(times, pixels, k + 2, k + 1, times[k])
        across = _line(times, pixels, k - 1, k + 1, times[k])
        off = min(float(np.hypot(*(pixels[k] - guess))) for guess in (ahead, back, across))
        step = float(np.hypot(*(pixels[k + 1] - pixels[k - 1])))
        found[k] = off > LEAP[0] * scale + LEAP[1] * step
    return found


def _line(times, pixels, a, b, time):
    share = (time - times[a]) / (times[b] - times[a])
    return pixels[a] + share * (pixels[b] - pixels[a])


def _cuts(times, scaled):
    """Where arcs begin in a run of N frames, with N at the end; scaled (N, 2): pixels over NOISE."""
    count = len(times)
    cost, begins = np.full(count + 1, np.inf), np.zeros(count + 1, int)
    cost[0] = 0.0
    for end in range(1, count + 1):
        low = max(0, end - LONGEST)
        own = _misfits(times[low:end], scaled[low:end])  # of the arcs that begin at low ... end - 1
        length = end - np.arange(low, end)
        own = own + COST + np.where(length < FEWEST, OUTLIER * length, 0.0)
        total = cost[low:end] + own
        begins[end] = low + int(total.argmin())
        cost[end] = total.min()
    cuts = [count]
    while cuts[-1] > 0:
        cuts.append(int(begins[cuts[-1]]))
    return cuts[::-1]


def _misfits(times, scaled):
    """What parabolas leave (n,) of the last n, n - 1, ... 1 frames: sums of squares."""
    s = times[::-1] - times[-1]
    s = s / max(-float(s.min()), 1e-9)
    sums = np.cumsum(np.stack([s**k for k in range(5)]), axis=1)  # (5, n)
    normal = np.stack([np.stack([sums[i + j] for j in range(3)], axis=-1) for i in range(3)], axis=-2)  # (n, 3, 3)
    normal = normal + 1e-9 * np.eye(3)
    misfit = np.zeros(len(times))
    for axis in range(2):
        y = scaled[::-1, axis] - scaled[-1, axis]
        right = np.cumsum(np.stack([y * s**k for k in range(3)]), axis=1).T  # (n, 3)
        found = np.linalg.solve(normal, right[..., None])[..., 0]
        misfit += np.maximum(np.cumsum(y * y) - (found * right).sum(axis=1), 0.0)
    return misfit[::-1]


def _joined(arcs, times, pixels, scale):
    """The arcs of a run, those joined between which the velocity hardly changes; short ones between others left out."""
    arcs = [arc for arc in arcs if arc.last - arc.first + 1 >= FEWEST]
    k = 0
    while k + 1 < len(arcs):
        a, b = arcs[k], arcs[k + 1]
        middle = 0.5 * (a.end + b.start)
        change = float(np.hypot(*(b.speed(middle) - a.speed(middle))))
        usual = max(float(np.hypot(*arc.speed(middle))) for arc in (a, b))
        if change < KINK[0] * scale + KINK[1] * usual and np.hypot(*(a.at(middle) - b.at(middle))) < MEETING * scale:
            frames = np.arange(a.first, b.last + 1)
            frames = frames[np.isfinite(pixels[frames]).all(axis=1)]
            arcs[k : k + 2] = [fit_arc(frames, times, pixels)]
        else:
            k += 1
    return arcs
