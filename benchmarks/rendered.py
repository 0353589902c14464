"""The ball in rendered clips: how often it is found. bounces.py forecasts its bounces.

    python -m benchmarks.rendered                            # 50 clips, all sports
    python -m benchmarks.rendered --clips 10
    python -m benchmarks.rendered --network runs/ball/ball.onnx

Each clip is 2.5 s of a sport, seen from one of five views by a camera that stands still or moves, at 25 to 60 frames/s,
of 1280 x 720, 1920 x 1080 or 720 x 1280 px (rendered_clips.py). `recall`: of the frames in which the ball is visible,
those in which it is followed within 5 px, 7 px at 1080p; `precision`: the same of the frames in which a ball is
followed. The first two frames, which cannot be searched, do not count. `at once`: as it is known when the frame is
there; `settled`: 12 frames later, as `ballcast detect` has it.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ballcast import command
from ballcast.vision.candidates import CandidateFinder
from ballcast.vision.filming import VIEWS
from ballcast.vision.finders import SHIPPED, open_finder
from ballcast.vision.follow import SETTLED, Follower
from ballcast.vision.video import open_video
from benchmarks.rendered_clips import Clip, test_clip

SPORTS = ("table_tennis", "tennis", "soccer", "basketball", "volleyball", "baseball", "cricket", "golf", "room")
RATES = 25.0, 30.0, 50.0, 60.0
SIZES = ((1280, 720), (1920, 1080), (1280, 720), (1280, 720), (720, 1280), (1920, 1080))
TOLERANCE, TOLERANCE_1080 = 5.0, 7.0  # px
FIRST = 2  # frames at the beginning that no finder can search
WANTED = "wanted: recall 0.95 at precision 0.97"


@dataclass(frozen=True, kw_only=True)
class Options:
    """Find the ball in rendered clips."""

    clips: int = 50
    network: Path | None = None  # a file of weights; by default the network that ships
    without_network: bool = False  # only what moves is looked for
    sport: str | None = None  # one sport alone
    verbose: bool = False  # a line for each clip


class Frames(NamedTuple):
    """The followed ball of each frame: pixels (T, 2) px, NaN where none is followed."""

    at_once: np.ndarray
    settled: np.ndarray
    milliseconds: float  # of a frame, the median


def main() -> None:
    options = command.options(Options, "python -m benchmarks.rendered")
    command.run("python -m benchmarks.rendered", lambda: run(options))


def run(options: Options) -> None:
    """Print the tables."""
    has_network = options.network is not None or SHIPPED.is_file()
    ways = ["candidates"] if options.without_network or not has_network else ["candidates", "network"]
    scores: dict[str, list[np.ndarray]] = {}
    for number, clip in enumerate(clips(options)):
        for way in ways:
            frames = follow_ball(clip, _finder(way, options))
            for kind, pixels in (("at once", frames.at_once), ("settled", frames.settled)):
                counts = count(clip, pixels)
                for group in ("all", clip.sport, _view_of(clip), "moving" if clip.is_moving else "still"):
                    scores.setdefault(f"{way:10} {kind:8} {group}", []).append(counts)
                if options.verbose:
                    print(f"{number:3} {clip.path.stem:44} {way:10} {kind:8} {_rates(counts)}", flush=True)
    print(f"{'':34}  recall precision of frames with a ball ({WANTED})")
    for name in sorted(scores):
        print(f"{name:34} {_rates(np.sum(scores[name], axis=0))}")


def clips(options: Options) -> Iterator[Clip]:
    """The clips: of all sports, views, rates and sizes."""
    for k in range(options.clips):
        sport = options.sport or SPORTS[k % len(SPORTS)]
        again = k // len(SPORTS)  # so that a sport is not always seen from the same side
        yield test_clip(sport, VIEWS[(k + 2 * again) % len(VIEWS)], RATES[(k + k // 4) % 4], SIZES[k % len(SIZES)],
                        seed=k, moving=(k + again) % 3 == 2)  # fmt: skip


def follow_ball(clip: Clip, finder: Any) -> Frames:
    """Follow the ball through a clip, in the picture alone."""
    at_once, settled, times = [], [], []
    with open_video(clip.path, keep_repeats=True) as video:
        follower = Follower(finder, video.size)
        for frame in video:
            start = time.perf_counter()
            at_once.append(_pixel(follower.observe(frame)))
            times.append(time.perf_counter() - start)
            if len(at_once) > SETTLED:
                settled.append(_pixel(follower.image.settled(SETTLED)[0]))
    settled += [_pixel(follower.image.settled(k)[0]) for k in reversed(range(min(len(at_once), SETTLED)))]
    return Frames(np.array(at_once), np.array(settled), 1e3 * float(np.median(times)))


def count(clip: Clip, pixels: np.ndarray) -> np.ndarray:
    """Frames (3,) with a visible ball, with a followed one, and with one that is right."""
    wide = min(open_size(clip)) >= 1080
    off = np.hypot(*(pixels - clip.pixel[: len(pixels)]).T)
    visible = clip.visible[: len(pixels)]
    is_right = visible & (off <= (TOLERANCE_1080 if wide else TOLERANCE))
    return np.array([part[FIRST:].sum() for part in (visible, np.isfinite(pixels[:, 0]), is_right)])


def open_size(clip: Clip) -> tuple[int, int]:
    """The size of its pictures, px."""
    camera = clip.camera_at(float(clip.time[0]))
    assert camera is not None
    return camera.size


def _finder(way, options):
    return CandidateFinder() if way == "candidates" else open_finder(options.network, threads=1)


def _view_of(clip):
    return clip.path.stem.split("-")[1]


def _pixel(seen):
    return np.full(2, np.nan) if seen.pixel is None else np.asarray(seen.pixel)


def _rates(counts):
    visible, followed, right = counts
    return f"{right / max(visible, 1):7.3f} {right / max(followed, 1):9.3f} {visible:9}"


if __name__ == "__main__":
    main()
