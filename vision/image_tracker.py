"""Which candidate of each frame is the ball in play, and where it goes: in the image alone, without a camera.

    tracker = ImageTracker((1280, 720))
    seen = tracker.observe(number, time, candidates, probability, shift)      # Seen: decided at once
    earlier = tracker.settled(3)                                              # Seen: of 3 frames ago, with hindsight
    forecast = tracker.forecast(times)                                        # ImageForecast or None

Sequences of candidates are weighed against each other (hypotheses.py); the most probable place is that of the ball, if
it is more probable than not. A bounce or a hit is one of the things that may have happened since the frame before, and
is decided by what comes after it. What a flight teaches about gravity, drag and the ground in this picture
(image_laws.py) serves the next ones.

Settings are physical guesses. Some were chosen on the labelled clips of benchmarks/following.py, or changed where these
or rendered clips showed what was wrong, so those clips are not held out.
"""

import math
from collections import deque
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ballcast.vision import hypotheses as hyp
from ballcast.vision.candidates import Candidates
from ballcast.vision.image_forecast import forecast
from ballcast.vision.image_laws import Ground, Laws

NOISE = 0.0017, 0.1  # heights, and share of a streak's length, standard deviations of a candidate's place
ODDS = 5.0  # the logarithm of the odds by looks is at most so large
SURE = 0.25  # probability from which on a candidate is named as the ball; chosen on the labelled clips
PAN_NOISE = 0.0007  # heights
DRIFT = 0.3  # share of a new shift in the speed of the pan
USUAL_STEP, MAX_STEP = 0.04, 0.5  # s between frames; after a longer step everything begins anew
LONGEST_DELAY = 16  # frames
PROPOSALS = 20000  # continuations of the hypotheses in a frame
PER_CANDIDATE = 200  # most of these for each hypothesis and candidate: more candidates are not taken
CONFIRMED = 2  # candidates after a turn until it is believed
ENOUGH = 4  # candidates of a flight that teaches
FILLED, FILLED_TIME = 2, 0.1  # frames, or s, between two candidates of one flight, that are filled with hindsight
EARLIER = 0.0, 0.1  # s: clutter may be that of the frame before, and of the last one that is so long ago
LAG = 0.1, 0.4, 0.8  # diameters: so far behind the ball the network sees it, if its way from frame to frame is shorter
# than the second, since its pictures overlap then; where it is longer than the third, not at all
FUTURES, WORSE = 5, 3.0  # hypotheses that are forecast, and by how much their scores may be below the best
WELL_KNOWN, SURELY, DEVIATIONS = 4, 0.9, 4.0  # candidates, probability and standard deviations to search a window
APART = 5  # frames for which two balls must have been two
OTHER = 10.0, 6, 0.05  # of a second ball: score below the best, candidates, and heights from it at least


class Seen(NamedTuple):
    """What is known of the ball in one frame."""

    number: int  # of the frame
    time: float  # s
    pixel: np.ndarray | None  # (2,) px; None: not seen in this frame
    covariance: np.ndarray | None  # (2, 2) px^2
    probability: float  # that this is the ball in play
    diameter: float  # px, across the streak
    length: float  # px, of the streak
    angle: float  # rad, of the streak from u towards v, from -pi/2 to pi/2
    candidates: Candidates  # all of this frame
    flight: int  # its number, from 0; rises when a hit or a new ball begins one; -1 before the first
    event: str  # "", "hit", "bounce" or "lost"
    note: str  # "" or one line


class Turn(NamedTuple):
    """A bounce or a hit, as far as the image tells."""

    kind: str  # "bounce" or "hit"
    number: int  # of the first frame after it
    time: float  # s
    pixel: np.ndarray  # (2,) px
    before: np.ndarray  # (2,) px/s, velocity
    after: np.ndarray  # (2,) px/s


class ImageForecast(NamedTuple):
    """Where the ball will be in the image."""

    pixel: np.ndarray  # (H, 2) px
    covariance: np.ndarray  # (H, 2, 2) px^2


class _Frame(NamedTuple):
    """A frame of the past."""

    number: int
    time: float
    candidates: Candidates
    hypotheses: np.ndarray
    left: int  # the hypothesis that most probably ended here, if no ball is in play now; -1: none was in play before
    shift: np.ndarray  # (2,) heights, by which the picture had moved since the first frame
    rows: np.ndarray  # the candidates as records; where nothing was searched, those of the frame before


class ImageTracker:
    """Follows the ball in play.

    turns    the last bounces and hits
    laws     what is known of gravity and drag in the image; ground: of where the ball bounces
    """

    def __init__(self, size: tuple[int, int], by_motion: bool = False):
        """size: (width, height) px of the picture. by_motion: candidates are what moves, found without a network."""
        self.size, self._by_motion = size, by_motion
        self._whole = np.array([-math.inf, -math.inf, math.inf, math.inf])
        self._scores = np.empty(PROPOSALS)
        self._integers = np.empty((3, PROPOSALS), np.int64)
        self._means = np.empty((3, hyp.CAPACITY, 6))
        self._covariances = np.empty((3, hyp.CAPACITY, 6, 6))
        self.restart()

    def restart(self) -> None:
        """Forget everything."""
        self.laws, self.ground = Laws(), Ground()
        self.turns: deque[Turn] = deque(maxlen=LONGEST_DELAY)
        self._past: deque[_Frame] = deque(maxlen=LONGEST_DELAY + 2)
        self._nothing, self._index, self._turned, self._together = 0.0, -1, -1, 0  # frames since a cut
        self._shift, self._drift = np.zeros(2), np.zeros(2)
        self._flights, self._was_followed = Flights(), False

    def observe(
        self, number: int, time: float, candidates: Candidates, probability: np.ndarray,
        shift: ArrayLike = (0.0, 0.0), window: tuple[int, int, int, int] | None = None,
    ) -> Seen:  # fmt: skip
        """Take a frame. probability (N,): of each candidate, by its looks; shift: px by which the picture moved.

        window: left, top, right, bottom px of the part that was searched; None for all of it.
        """
        dt = time - self._past[-1].time if self._past else USUAL_STEP
        is_cut = not 0.0 < dt < MAX_STEP
        dt = USUAL_STEP if is_cut else dt
        move = np.asarray(shift, float) / self.size[1]
        rows = self._rows(candidates, probability)
        self._index, self._shift = self._index + 1, self._shift + move
        self._drift += DRIFT * (move / dt - self._drift)
        self.ground.shift(move[1])
        searched = self._whole if window is None else np.array(window) / self.size[1]
        self._together = 0 if is_cut else self._together + 1
        kept, left = self._continue(rows, move, dt, is_cut, searched)
        rows = rows if window is None else self._with_earlier(rows, move, searched)
        self._past.append(_Frame(number, time, candidates, kept, left, self._shift.copy(), rows))
        event = self._confirm()
        found, origin = self._describe(0)
        seen = self._flights.numbered(found, origin, event)
        self._was_followed |= seen.pixel is not None and seen.flight >= 0
        return seen

    def settled(self, delay: int) -> tuple[Seen, int]:
        """What is known now of the frame `delay` frames ago, and where its flight began: see Flights.

        ValueError for a delay that is longer than LONGEST_DELAY, or than there are frames.
        """
        if not 0 <= delay < min(len(self._past), LONGEST_DELAY + 1):
            raise ValueError(f"delay = {delay} must be below {min(len(self._past), LONGEST_DELAY + 1)} frames")
        return self._describe(delay)

    def forecast(self, times: ArrayLike) -> ImageForecast | None:
        """Where the ball will be at times (H,) s after the last frame; None if none is followed.

        A camera that pans is taken to go on so.
        """
        best = self._best()
        if best is None:
            return None
        last = self._past[-1]
        good = last.hypotheses[last.hypotheses["total"] > best["total"] - WORSE][:FUTURES]
        weights = np.exp(good["total"] - best["total"])
        ahead = np.maximum(np.asarray(times, float) - last.time, 0.0)
        mean, covariance = np.empty((len(ahead), 2)), np.empty((len(ahead), 2, 2))
        forecast(good, weights / weights.sum(), self.laws.values, self.ground.rows, self.ground.chance,
                 ahead, mean, covariance)  # fmt: skip
        H = self.size[1]
        return ImageForecast((mean + ahead[:, None] * self._drift) * H, covariance * H * H)

    def window(self, time: float, side: int) -> tuple[float, float] | None:
        """The place (u, v) px from which the ball is surely not half a side away at a time in s; None: not sure."""
        best = self._best()
        if best is None or best["detections"] < WELL_KNOWN or best["missing"] > 0.0:
            return None
        if 1.0 < SURELY * (1.0 + math.exp(self._nothing)):
            return None
        ahead = self.forecast([time])
        if ahead is None:
            return None
        spread = math.sqrt(np.linalg.eigvalsh(ahead.covariance[0])[-1])
        u, v = ahead.pixel[0]
        return (float(u), float(v)) if DEVIATIONS * spread < 0.5 * side else None

    def _rows(self, candidates, probability):
        """The candidates as records in heights, the likelier ones of too many."""
        rows, H = np.zeros(len(candidates), hyp.CANDIDATE), self.size[1]
        if not len(candidates):
            return rows
        rows["u"], rows["v"] = candidates.pixel.T / H
        rows["fresh"] = 1.0
        rows["streak"], rows["angle"] = np.maximum(candidates.length - candidates.diameter, 0.0) / H, candidates.angle
        rows["size"] = np.log(np.maximum(candidates.diameter, 1.0) / H)
        along = (NOISE[1] * rows["streak"]) ** 2
        x, y = np.cos(rows["angle"]), np.sin(rows["angle"])
        rows["noise"] = np.stack([NOISE[0] ** 2 + along * x * x, along * x * y, NOISE[0] ** 2 + along * y * y], axis=1)
        odds = np.log(probability) - np.log1p(-np.asarray(probability))
        rows["looks"] = np.clip(odds, -ODDS, ODDS)
        return rows[:PER_CANDIDATE]

    def _continue(self, rows, move, dt, is_cut, window):
        """The hypotheses after a frame (N,), the best first, and which of those before ended if no ball is in play."""
        old = self._past[-1].hypotheses.copy() if self._past else np.zeros(0, hyp.HYPOTHESIS)
        if is_cut:
            best = self._best()
            self._nothing = 0.0
            return old[:0], -1 if best is None else 0
        aspect, laws, (parents, numbers, kinds) = self.size[0] / self.size[1], self.laws.values, self._integers
        earlier = self._earlier(dt)
        for before in earlier:
            by = self._shift - before.shift
            if len(before.rows):
                hyp.add_clutter(rows, before.rows, by[0], by[1], hyp.AGAIN / len(earlier), dt, aspect)
        if move.any():
            old["mean"][:, :2] += move
            old["start"] += move
            old["covariance"][:, [0, 1], [0, 1]] += PAN_NOISE**2
        count = hyp.propose(old, rows, self._nothing, dt, laws, aspect, window, self._means, self._covariances,
                            self._scores, parents, numbers, kinds)  # fmt: skip
        new = np.zeros(hyp.CAPACITY, hyp.HYPOTHESIS)
        size = hyp.select(old, rows, laws, self._index, dt, self._means, self._covariances, self._scores[:count],
                          parents[:count], numbers[:count], kinds[:count], new)  # fmt: skip
        kept = new[:size].copy()
        self._nothing += math.log1p(-hyp.BIRTH_RATE * dt)
        end = np.logaddexp.reduce(old["total"]) + math.log(hyp.DEATH_RATE * dt) if len(old) else -np.inf
        left = int(old["total"].argmax()) if end > self._nothing else -1
        self._nothing = float(np.logaddexp(self._nothing, end))
        base = max(self._nothing, kept["total"].max(initial=-np.inf))
        kept["total"] -= base
        self._nothing -= base
        return kept, left

    def _earlier(self, dt):
        """The frames whose clutter may have come again, as EARLIER has them; the first after a cut for none so old."""
        frames = [self._past[-k] for k in range(1, min(self._together, len(self._past)) + 1)]
        ages = EARLIER[:1] if self._by_motion else EARLIER  # what rests is no candidate there
        now = frames[0].time + dt if frames else 0.0
        return [next((f for f in frames if now - f.time >= age - 1e-6), frames[-1]) for age in ages if frames]

    def _with_earlier(self, rows, move, window):
        """The candidates that later ones are compared with: those outside a window are of an earlier frame."""
        earlier = self._past[-1].rows.copy() if self._together and self._past else rows[:0]
        earlier["u"], earlier["v"] = earlier["u"] + move[0], earlier["v"] + move[1]
        u, v = earlier["u"], earlier["v"]
        outside = (u <= window[0]) | (u >= window[2]) | (v <= window[1]) | (v >= window[3])
        return np.concatenate([rows, earlier[outside]])

    def _best(self):
        """The best hypothesis; None if that no ball is in play is likelier."""
        kept = self._past[-1].hypotheses if self._past else ()
        return kept[0] if len(kept) and kept[0]["total"] > self._nothing else None

    def _describe(self, delay):
        """The Seen of a frame `delay` frames ago, without its flight, and the frame in which that began; -1: none."""
        last, frame = self._past[-1], self._past[-1 - delay]
        weights = np.exp(np.append(last.hypotheses["total"], self._nothing))
        ancestors = self._ancestors(np.append(np.arange(len(weights) - 1), -1), delay)
        taken = np.append(frame.hypotheses["candidate"], -1)[ancestors]
        total, has_one = weights.sum(), taken >= 0
        mass = np.bincount(taken[has_one], weights[has_one], minlength=max(len(frame.candidates), 1)) / total
        nothing = Seen(frame.number, frame.time, None, None, float(mass.max()), 0.0, 0.0, 0.0, frame.candidates,
                       -1, "", "")  # fmt: skip
        best = int(mass.argmax())
        one = frame.hypotheses[ancestors[np.flatnonzero(taken == best)[0]]] if mass[best] > 0.0 else None
        is_one_of_two = delay == 0 and mass.sum() > SURELY and mass[best] > 0.5 * SURE and self._second_ball(one)
        if mass[best] < SURE and not is_one_of_two:
            return self._filled(nothing, delay) if delay else (nothing, -1)
        covariance = one["covariance"][:2, :2] * self.size[1] ** 2
        diameter, length, angle = (float(values[best]) for values in frame.candidates[2:])
        pixel = frame.candidates.pixel[best] + self._behind(one, diameter, delay)
        seen = Seen(frame.number, frame.time, pixel, covariance, float(mass[best]),
                    diameter, length, angle, frame.candidates, -1, _event(one["kind"]) if delay >= CONFIRMED else "",
                    "" if delay else self._second_ball(one))  # fmt: skip
        return seen, int(one["origin"]) if delay or one["since"] >= CONFIRMED else -1

    def _behind(self, one, diameter, delay):
        """How far (2,) px a candidate of this diameter, px, lies behind the ball of a hypothesis: see LAG."""
        if self._by_motion or len(self._past) < delay + 2:
            return np.zeros(2)
        way = one["mean"][2:4] * (self._past[-1 - delay].time - self._past[-2 - delay].time) * self.size[1]
        ways = float(np.hypot(*way)) / diameter
        share = min(max((LAG[2] - ways) / (LAG[2] - LAG[1]), 0.0), 1.0)
        return share * min(LAG[0] * diameter / max(float(np.hypot(*way)), 1e-9), 1.0) * way

    def _ancestors(self, numbers, delay):
        """The numbers of the hypotheses `delay` frames ago from which these come; -1: no ball was in play."""
        for k in range(1, delay + 1):
            numbers = np.append(self._past[-k].hypotheses["parent"], self._past[-k].left)[numbers]
        return numbers

    def _filled(self, nothing, delay):
        """What _describe returns for a frame without a candidate that lies between two of one flight."""
        best = self._best()
        if best is None:
            return nothing, -1
        path = [(0, 0)]
        while path[-1][0] < len(self._past) - 1 and path[-1][1] >= 0:
            k, h = path[-1]
            path.append((k + 1, int(self._past[-1 - k].hypotheses["parent"][h])))
        steps = [(k, self._past[-1 - k].hypotheses[h]) for k, h in path if h >= 0]
        after = [(k, one) for k, one in steps if k < delay and one["candidate"] >= 0][-1:]
        before = [(k, one) for k, one in steps if k > delay and one["candidate"] >= 0][:1]
        if not (after and before) or after[0][1]["turned"] != before[0][1]["turned"]:
            return nothing, -1
        (k1, one), (k0, _) = after[0], before[0]
        frame0, frame1 = self._past[-1 - k0], self._past[-1 - k1]
        if k0 - k1 - 1 > FILLED and frame1.time - frame0.time > FILLED_TIME:
            return nothing, -1
        return self._between(nothing, frame0, before[0][1], frame1, one), int(one["origin"])

    def _between(self, nothing, frame0, before, frame1, after):
        """The Seen between two frames, along the arc of the later state."""
        here = self._past[-1 - (len(self._past) - 1 - [f.number for f in self._past].index(nothing.number))]
        t0, t1, t = frame0.time, frame1.time, nothing.time
        w = (t - t0) / (t1 - t0)
        places = [one["mean"][:2] - f.shift + here.shift for one, f in ((before, frame0), (after, frame1))]
        speed, drag, gravity = np.hypot(*after["mean"][2:4]), self.laws.mean[1], self.laws.mean[0]
        bend = after["mean"][4:] + [0.0, gravity] - drag * speed * after["mean"][2:4]
        place = (1.0 - w) * places[0] + w * places[1] - 0.5 * bend * (t - t0) * (t1 - t)
        H, size = self.size[1], math.exp(after["size"]) * self.size[1]
        spread = 0.5 * (before["covariance"][:2, :2] + after["covariance"][:2, :2]) * H * H
        return nothing._replace(pixel=place * H, covariance=spread, probability=SURE, diameter=size, length=size)

    def _second_ball(self, one):
        """A note if something else is followed that could be the ball in play as well."""
        H, kept = self.size[1], self._past[-1].hypotheses
        if len(self._past) <= APART:
            return ""
        for other in kept[kept["total"] > -OTHER[0]]:
            is_sure = other["detections"] >= OTHER[1] and other["candidate"] >= 0
            if is_sure and np.hypot(*(other["mean"][:2] - one["mean"][:2])) > OTHER[2] and self._are_apart(one, other):
                (u, v), (x, y) = one["mean"][:2] * H, other["mean"][:2] * H
                return f"two balls: the one at ({u:.0f}, {v:.0f}) is followed, not the one at ({x:.0f}, {y:.0f})"
        return ""

    def _are_apart(self, one, other):
        """Whether two hypotheses about the last frame have had nothing in common for a while."""
        parents = np.array([one["parent"], other["parent"]])
        for k in range(2, APART + 1):
            if (parents < 0).any() or parents[0] == parents[1]:
                return False
            before = self._past[-k].hypotheses
            if before["candidate"][parents[0]] == before["candidate"][parents[1]] >= 0:
                return False
            parents = before["parent"][parents]
        return True

    def _confirm(self):
        """The event that this frame makes certain; what ended is learned from."""
        best = self._best()
        if best is None or math.exp(best["total"]) < SURE * (1.0 + math.exp(self._nothing)):
            event = "lost" if best is None and self._was_followed else ""
            self._was_followed &= best is not None
            return event
        turned = int(best["turned"])
        if turned <= self._turned or best["since"] < CONFIRMED:
            return ""
        self._turned, since = turned, self._index - turned
        if best["birth"] == turned or since + 1 >= len(self._past):
            return ""
        after, before = self._ancestors(0, since), self._ancestors(0, since + 1)
        first, last = self._past[-1 - since].hypotheses[after], self._past[-2 - since].hypotheses[before]
        if last["since"] >= ENOUGH:
            self.laws.learn(last["mean"], last["covariance"])
        self.turns.append(self._turn(last, first, best, since))
        if first["kind"] == hyp.BOUNCE:
            self.ground.learn(float(self.turns[-1].pixel[1]) / self.size[1] + self._shift[1] -
                              self._past[-1 - since].shift[1])  # fmt: skip
        return self.turns[-1].kind

    def _turn(self, last, first, best, since):
        """The Turn between the last state of a flight and the first of the next; best: that now."""
        frame, before = self._past[-1 - since], self._past[-2 - since]
        step, H = frame.time - before.time, self.size[1]
        place, velocity = last["mean"][:2] + frame.shift - before.shift, last["mean"][2:4]
        later = best["mean"][2:4] - [0.0, self.laws.mean[0] * (self._past[-1].time - frame.time)]
        change = velocity[1] - later[1]
        share = (first["mean"][1] - later[1] * step - place[1]) / change if abs(change) > 1e-6 else 0.5 * step
        share = min(max(share, 0.0), step)
        pixel = (place + share * velocity) * H
        return Turn(_event(first["kind"]), frame.number, before.time + share, pixel, velocity * H, later * H)


class Flights:
    """Numbers of flights. A flight is told by where it began; the number rises when one began later."""

    def __init__(self) -> None:
        self.number, self._origin = -1, -1

    def numbered(self, seen: Seen, origin: int, event: str = "") -> Seen:
        """The Seen with the number of its flight, and an event if it has none."""
        if origin > self._origin:
            self.number, self._origin = self.number + 1, origin
        return seen._replace(flight=self.number, event=event or seen.event)


def _event(kind):
    return {hyp.BOUNCE: "bounce", hyp.HIT: "hit"}.get(int(kind), "")
