"""How well the ball is followed in the labelled clips, and forecast in the image.

python -m benchmarks.following [--network runs/ball/ball.onnx] [--delay 12]

The clips lie in the folder of recorded balls, in video/ (NOTES.md there); they are not ours to publish, these figures
are. Nothing in vision/ was trained on them; settings of the tracker were changed where these clips showed a mistake, so
that the figures are a little better than those of new clips will be. Two rows for each finder: decided at once, and
decided --delay frames later, as `ballcast detect` does.

Found: the ball is within 5 px (1080p: 7 px) of the label. recall: of the frames in which it is labelled visible;
precision: of the frames in which a ball was named, those labelled not visible count as wrong. Frames that NOTES excepts
are left out, and so are repeated frames, which vision/video.py drops: neither they nor their copies count twice. The
frames before a finder can answer (two) count as missed. `pool` is tt00, tennis3 and tennis5; ball and ball3 (a ball
thrown up, and one carried by a hand) are apart.

Forecast: from every frame in which the ball is labelled visible, 0.2 s ahead, against the label there (between two
frames: interpolated), if no hit is labelled from that frame to the target. A frame without a forecast counts as
infinitely wrong. Beside it the best of line and parabola, fitted to the last 3 to 12 labels: the number of frames and
the degree are chosen on these very targets, for each clip. `region`: how many labels lie in the 90 % regions, to which
the labels' error of 1 px (1080p: 1.5 px) is added.
"""

import csv
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ballcast import command
from ballcast.vision.candidates import CandidateFinder
from ballcast.vision.finders import SHIPPED
from ballcast.vision.follow import Follower, Seen
from ballcast.vision.image_tracker import LONGEST_DELAY, Flights, ImageForecast
from ballcast.vision.network import NetworkFinder
from ballcast.vision.video import open_video
from benchmarks.detection import CLIPS, DATA, EXCEPTED, TOLERANCE, TOLERANCE_1080, Label, check_clips, read_labels

POOL = "tt00", "tennis3", "tennis5"
AHEAD = 0.2  # s
ERROR = 1.0 / 720.0  # heights, of a label
FITTED = range(3, 13)  # labels that a line or a parabola is fitted to
REGION = 4.605  # squared Mahalanobis distance that holds 90 % of a Gaussian in the plane


@dataclass(frozen=True, kw_only=True)
class Options:
    """Measure how well the ball is followed and forecast in the labelled clips."""

    clips: tuple[str, ...] = CLIPS
    network: Path = SHIPPED  # a file of weights
    delay: int = 12  # frames, of the decisions with hindsight
    threads: int = 1  # of the network


class Score(NamedTuple):
    """Frames of one clip or more."""

    right: int
    wrong: int
    visible: int

    @property
    def line(self) -> str:
        """recall and precision"""
        return f"{self.right / max(self.visible, 1):6.3f} {self.right / max(self.right + self.wrong, 1):9.3f}"


class Clip(NamedTuple):
    """What was seen and forecast in a clip."""

    name: str
    height: int  # px
    labels: dict[int, Label]
    times: dict[int, float]  # s, of all frames that are no repeats
    at_once: list[Seen]
    settled: list[Seen]
    forecasts: dict[int, ImageForecast | None]
    milliseconds: float  # of the processor per frame, the mean


def main() -> None:
    options = command.options(Options, "python -m benchmarks.following")
    command.run("python -m benchmarks.following", lambda: run(options))


def run(options: Options) -> None:
    """Print the tables. Raises ValueError for clips that are not there."""
    import cv2

    cv2.setNumThreads(1)
    check_clips(options.clips)
    print(f"{'':10} {'':8} {'at once':>16} {f'{options.delay} frames later':>18} {'forecast at +0.2 s, px':>36}")
    print(f"{'finder':10} {'clip':8} {'recall':>6} {'precision':>9}   {'recall':>6} {'precision':>9}   "
          f"{'targets':>7} {'median':>7} {'fit':>4} {'ratio':>5} {'region':>6}     ms")  # fmt: skip
    for kind in ("classical", "network"):
        pooled, inside = [], []
        for name in options.clips:
            finder = CandidateFinder() if kind == "classical" else NetworkFinder(options.network, 0, options.threads)
            clip = follow(name, finder, options.delay)
            scores = score(clip, clip.at_once), score(clip, clip.settled)
            errors, is_inside = forecast_errors(clip)
            fit = best_fit(clip)
            ratio = f"{np.median(errors) / fit:5.2f}" if len(errors) else ""
            print(f"{kind:10} {name:8} {scores[0].line}   {scores[1].line}   {len(errors):7} "
                  f"{np.median(errors) if len(errors) else np.nan:7.1f} {fit:4.0f} {ratio:>5} {mean(is_inside)}"
                  f" {clip.milliseconds:6.1f}", flush=True)  # fmt: skip
            if name in POOL:
                pooled.append(scores)
            inside += [] if name == "ball3" else list(is_inside)
        if pooled:
            total = [Score(*np.sum([one[k] for one in pooled], axis=0)) for k in range(2)]
            print(f"{kind:10} {'pool':8} {total[0].line}   {total[1].line}   {len(inside):7} {'':18} {mean(inside)}")


def mean(values: Sequence[bool]) -> str:
    """The mean as text."""
    return f"{np.mean(values):6.2f}" if len(values) else f"{'-':>6}"


def follow(name: str, finder: CandidateFinder | NetworkFinder, delay: int) -> Clip:
    """Follow the ball in a clip, until its last label can be decided with hindsight."""
    labels = read_labels(name)
    at_once, settled, flights, forecasts, times, spent = [], [], Flights(), {}, {}, []
    delay = min(delay, LONGEST_DELAY)
    with open_video(DATA / f"{name}.mp4") as video:
        follower, height = Follower(finder, video.size), video.size[1]
        for frame in video:
            if frame.number > max(labels) + 2 * delay:
                break
            start = time.process_time()
            at_once.append(follower.observe(frame))
            forecast = follower.forecast([frame.time + AHEAD])
            spent.append(time.process_time() - start)
            times[frame.number] = frame.time
            forecasts[frame.number] = forecast and ImageForecast(forecast.pixel[0], forecast.covariance[0])
            if len(at_once) > delay:
                settled.append(flights.numbered(*follower.image.settled(delay)))
        for left in range(min(delay, len(at_once)) - 1, -1, -1):
            settled.append(flights.numbered(*follower.image.settled(left)))
    return Clip(name, height, labels, times, at_once, settled, forecasts, 1e3 * float(np.mean(spent)))


def score(clip: Clip, seen: Iterable[Seen]) -> Score:
    """How many frames were right and wrong, and in how many the ball is visible."""
    tolerance, right, wrong, visible = TOLERANCE_1080 if clip.height >= 1080 else TOLERANCE, 0, 0, 0
    for one in seen:
        label = clip.labels.get(one.number)
        if label is None or one.number in EXCEPTED.get(clip.name, ()):
            continue
        visible += label.is_visible
        if one.pixel is not None:
            is_right = label.is_visible and np.hypot(*(one.pixel - label.pixel)) <= tolerance
            right, wrong = right + is_right, wrong + (not is_right)
    return Score(int(right), int(wrong), int(visible))


def targets(clip: Clip) -> Iterable[tuple[int, np.ndarray]]:
    """Frames, and where the ball is AHEAD of them, (2,) px, if it is not hit until then."""
    hits = read_hits(clip.name)
    numbers = np.array(sorted(clip.times))
    times = np.array([clip.times[n] for n in numbers])
    for n, now in zip(numbers, times):
        k = int(np.searchsorted(times, now + AHEAD - 1e-6))
        if k == len(numbers) or not is_labelled(clip, n):
            continue
        later, earlier = numbers[k], numbers[k - 1]
        w = (now + AHEAD - times[k - 1]) / (times[k] - times[k - 1])
        is_on_frame = w > 1.0 - 1e-3
        if any(n <= hit <= later for hit in hits) or not is_labelled(clip, later):
            continue
        if is_on_frame:
            yield int(n), clip.labels[later].pixel
        elif is_labelled(clip, earlier):
            yield int(n), (1.0 - w) * clip.labels[earlier].pixel + w * clip.labels[later].pixel


def is_labelled(clip: Clip, number: int) -> bool:
    """Whether the ball is labelled visible in a frame, and the frame counts."""
    label = clip.labels.get(int(number))
    return label is not None and label.is_visible and number not in EXCEPTED.get(clip.name, ())


def forecast_errors(clip: Clip) -> tuple[np.ndarray, np.ndarray]:
    """Errors (N,) px of the forecasts, inf for none, and which (M,) of the regions hold the label."""
    errors, inside, noise = [], [], (ERROR * clip.height) ** 2 * np.eye(2)
    for number, pixel in targets(clip):
        forecast = clip.forecasts.get(number)
        if forecast is None:
            errors.append(np.inf)
            continue
        error = forecast.pixel - pixel
        errors.append(float(np.hypot(*error)))
        inside.append(error @ np.linalg.solve(forecast.covariance + noise, error) < REGION)
    return np.array(errors), np.array(inside)


def best_fit(clip: Clip) -> float:
    """The median error px of the best line or parabola through the last labels."""
    medians = []
    for degree in (1, 2):
        for count in FITTED:
            found = [fit_error(clip, number, pixel, degree, count) for number, pixel in targets(clip)]
            errors = [error for error in found if error is not None]
            medians += [np.median(errors)] if len(errors) > 5 else []
    return float(min(medians, default=np.nan))


def fit_error(clip, number, pixel, degree, count):
    """The error px of a polynomial through the last `count` labels, or None without so many."""
    used = [n for n in sorted(clip.times) if n <= number and is_labelled(clip, n)][-count:]
    if len(used) < count:
        return None
    time_ = np.array([clip.times[n] - clip.times[number] for n in used])
    fitted = np.polyfit(time_, np.array([clip.labels[n].pixel for n in used]), degree)
    return float(np.hypot(*(AHEAD ** np.arange(degree, -1, -1) @ fitted - pixel)))


def read_hits(name: str) -> list[int]:
    """Frames in which the ball is hit or thrown."""
    with open(DATA / f"{name}_events.csv", newline="") as file:
        return [int(row["frame"]) for row in csv.DictReader(file) if row["kind"] in ("hit", "throw")]


if __name__ == "__main__":
    main()
