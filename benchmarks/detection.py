"""Detection of the ball in the labelled clips: recall and candidates, by the ball's speed, and the time of a frame.

    python -m benchmarks.detection                           # the ways without weights
    python -m benchmarks.detection --clips tt00 --delay 1
    python -m benchmarks.detection --network runs/ball/ball.onnx

The clips are in the folder video of BALLCAST_DATA (else ../shared/data). A frame counts if its label says that the ball
is visible and the clip's notes do not except it; copies of frames are left out. A ball is found if a candidate is
within 5 px of the label, 7 px at 1080p. The time is that of the process, on one thread.
"""

import csv
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ballcast import command
from ballcast.vision.candidates import CandidateFinder, Candidates
from ballcast.vision.network import NetworkFinder
from ballcast.vision.video import open_video

DATA = Path(os.environ.get("BALLCAST_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data") / "video"
CLIPS = "tt00", "tennis3", "tennis5", "ball", "ball3"
EXCEPTED = {"tt00": {122}, "ball3": {*range(109, 157), *range(273, 290)}}  # frames that are not scored
TOLERANCE, TOLERANCE_1080 = 5.0, 7.0  # px
FIRST = 1, 3, 10, 30  # ranks: how often the ball is among so many of the best candidates
SPEEDS = 0.0, 10.0, 30.0, np.inf  # px per frame, between which recall is given


@dataclass(frozen=True, kw_only=True)
class Options:
    """Measure the detection of the ball in the labelled clips."""

    clips: tuple[str, ...] = CLIPS
    delay: int = 0  # frames that the finder waits for: 0, or 1 to compare with the frame after
    background: bool = False  # also what differs from the median of older frames
    network: Path | None = None  # a file of weights: the network in place of the ways without


class Label(NamedTuple):
    """Where the ball is in a frame."""

    is_visible: bool
    pixel: np.ndarray  # (2,) px


class Found(NamedTuple):
    """What was found in one clip."""

    rank: np.ndarray  # (F,) of the first candidate within the tolerance, of the frames with a ball; inf for none
    speed: np.ndarray  # (F,) px per frame
    counts: np.ndarray  # candidates of every scored frame
    milliseconds: float  # per frame, the median


def main() -> None:
    options = command.options(Options, "python -m benchmarks.detection")
    command.run("python -m benchmarks.detection", lambda: run(options))


def run(options: Options) -> None:
    """Print one line per clip. Raises ValueError for clips that are not there."""
    import cv2

    cv2.setNumThreads(1)
    check_clips(options.clips)
    ranks = " ".join(f"{f'first {n}':>8}" for n in FIRST)
    speeds = " ".join(f"{f'{low:.0f}-{high:.0f}':>8}" for low, high in zip(SPEEDS, SPEEDS[1:]))
    print(f"{'clip':8} {'frames':>6} {'recall':>6} {ranks} | px/frame {speeds} | median candidates, ms")
    for name in options.clips:
        if options.network is None:
            finder: CandidateFinder | NetworkFinder = CandidateFinder(options.delay, options.background)
        else:
            finder = NetworkFinder(options.network, options.delay, threads=1)
        result = measure(name, finder, options.delay)
        print(line(name, result), flush=True)


def check_clips(names: Sequence[str]) -> None:
    """Refuse clips that are not there. Raises ValueError."""
    for name in names:
        if not (DATA / f"{name}.mp4").is_file():
            raise ValueError(f"{DATA / name}.mp4 is not there; BALLCAST_DATA names the folder of recorded balls")


def line(name: str, result: Found) -> str:
    """The row of a clip."""
    found = np.isfinite(result.rank)
    first = " ".join(f"{(result.rank < n).mean():8.2f}" for n in FIRST)
    rows = [(result.speed >= low) & (result.speed < high) for low, high in zip(SPEEDS, SPEEDS[1:])]
    by_speed = " ".join(f"{found[row].mean():8.2f}" if row.any() else f"{'-':>8}" for row in rows)
    rest = f"{np.median(result.counts):.0f}, {result.milliseconds:.1f}"
    return f"{name:8} {len(found):6} {found.mean():6.2f} {first} |          {by_speed} | {rest}"


def measure(name: str, finder: CandidateFinder | NetworkFinder, delay: int) -> Found:
    """Search a clip. Frames before the first that can be searched do not count."""
    labels, excepted = read_labels(name), EXCEPTED.get(name, set())
    ranks, speeds, counts, times, before, last = [], [], [], [], [], None
    with open_video(DATA / f"{name}.mp4") as video:
        tolerance = TOLERANCE_1080 if min(video.size) >= 1080 else TOLERANCE
        for frame in video:
            start = time.process_time()
            found = finder.find(frame.image)
            times.append(time.process_time() - start)
            before.append(frame.number)
            number = before[-1 - delay] if len(before) > 2 else -1
            label = labels.get(number)
            if label is None or number in excepted:
                last = None
                continue
            counts.append(len(found))
            if label.is_visible:
                ranks.append(rank_of(label.pixel, found, tolerance))
                speeds.append(np.nan if last is None else np.hypot(*(label.pixel - last)))
            last = label.pixel if label.is_visible else None
    return Found(np.array(ranks), np.array(speeds), np.array(counts), 1e3 * float(np.median(times)))


def rank_of(pixel: np.ndarray, found: Candidates, tolerance: float) -> float:
    """The number, from 0, of the first candidate within the tolerance of a pixel (2,); inf for none."""
    near = np.flatnonzero(np.hypot(*(found.pixel - pixel).T) <= tolerance)
    return float(near[0]) if len(near) else np.inf


def read_labels(name: str) -> dict[int, Label]:
    """The labels of a clip by frame."""
    with open(DATA / f"{name}.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    return {
        int(row["frame"]): Label(row["visible"] == "1", np.array([float(row[k] or "nan") for k in ("u", "v")]))
        for row in rows
    }


if __name__ == "__main__":
    main()
