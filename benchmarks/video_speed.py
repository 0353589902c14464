"""How fast a ball is found and forecast in a video, and how soon the forecast of a frame is in the window.

    python -m benchmarks.video_speed [--sport tennis] [--frames 300] [--memory 0]

Clips are rendered into a temporary folder. The last line is one JSON object, for each size of picture:
    fps              frames/s of the follower alone: decoding in a thread, detection and forecast in another
    p50_ms, p95_ms   from the decoding of a frame to the window surface with its forecast, played as from a camera (ms)
    shown, dropped   frames that were shown, and that were left out because they came too fast
with --space, the same where the camera is known (fps_space, ...); with --memory N:
    memory_mb        of the process after N/5, 2N/5, ... N frames of a clip in a loop (MB)
"""

import contextlib
import itertools
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ballcast import command, sim
from ballcast.viewer.clip.clip import Clip, open_clip
from ballcast.viewer.clip.following import Following
from ballcast.vision.feed import Feed
from ballcast.vision.video import open_video

SIZES = (1280, 720), (1920, 1080)
WARM_UP = 20  # frames before the clock runs
PROGRAM = "python -m benchmarks.video_speed"


@dataclass(frozen=True)
class Options:
    """Measure how fast a ball is found and forecast in a rendered clip."""

    sport: str = "table_tennis"
    frames: int = 300  # of each clip
    rate: float = 50.0  # frames/s of the clips, at which they are played
    space: bool = False  # also with the camera known
    memory: int = 0  # frames of a clip in a loop, after which the memory is measured
    window: tuple[int, int] = (1280, 720)  # px


class Looped:
    """A clip in a loop, as from a camera: frames come at their times, and are stamped with when they were decoded."""

    is_camera, count = True, None

    def __init__(self, path, is_paced=True):
        self.name, self._path, self._is_paced = str(path), path, is_paced
        with open_video(path) as video:
            self.size, self.rate, self.notes = video.size, video.rate, []
        self.decoded, self._began = {}, None
        self._images = self._decode()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def close(self):
        """Nothing is held."""

    def _decode(self):
        for _ in itertools.count():
            with open_video(self._path, keep_repeats=True) as video:
                yield from video

    def read(self):
        """The next frame, when it is due."""
        number, frame = len(self.decoded), next(self._images)
        if self._is_paced:
            self._began = self._began or time.perf_counter() - number / self.rate
            time.sleep(max(0.0, self._began + number / self.rate - time.perf_counter()))
        self.decoded[number] = time.perf_counter()
        return frame._replace(number=number, time=number / self.rate)


def render(folder, options, size):
    """A rendered clip of a size."""
    path = folder / f"{size[1]}.mp4"
    words = ["--sport", options.sport, "--out", path, "--rate", options.rate, "--frames", options.frames, "--seed", 3]
    words += ["--size", *size]
    subprocess.run([sys.executable, "-m", "ballcast.vision", "render", *map(str, words)], check=True, stdout=sys.stderr)
    return path


def rate_of(path, sport, camera):
    """frames/s of the follower, decoding in another thread."""
    clip = open_clip(str(path), sport, camera)
    following, feed, count, start = Following(clip), Feed(clip.source), 0, 0.0
    while not feed.ended:
        feed.wait(1.0)
        if (due := feed.next_time) is None:
            continue
        for frame in feed.take(due):
            following.take(frame)
            count += 1
            if count == WARM_UP:
                start = time.perf_counter()
    return (count - WARM_UP) / (time.perf_counter() - start)


def latencies(path, sport, camera, options):
    """Seconds from decoding to the window surface, (N,), and how many frames were left out."""
    from ballcast.viewer.clip.app import ClipApp

    os.environ["SDL_VIDEODRIVER"] = "dummy"
    video, known = Looped(path), open_clip(str(path), sport, camera)
    clip = Clip(0, "loop", video.size, video.rate, None, True, sport, known.camera, known.predictor, video)
    app, took, last = ClipApp(clip, options.window), [], -1
    with contextlib.closing(app.player):
        end = time.perf_counter() + 120.0
        while len(took) < options.frames + WARM_UP and time.perf_counter() < end:
            app.frame(1 / 60)
            frame = app.player.frame
            if frame is not None and frame.number != last:
                last = frame.number
                took.append(time.perf_counter() - video.decoded[last])
            app.player.wait(1 / 60)
        dropped = app.player.dropped
    return np.array(took[WARM_UP:]), dropped


def memory(path, sport, count):
    """MB of this process after a fifth, two fifths, ... of `count` frames of a clip in a loop, each of them painted."""
    from ballcast.viewer.clip.options import DEFAULT
    from ballcast.viewer.clip.picture import ClipPicture
    from ballcast.viewer.clip.shown import shown_of
    from ballcast.viewer.screen import open_screen

    video, found = Looped(path, is_paced=False), []
    clip = Clip(0, "loop", video.size, video.rate, None, True, sport)
    shown, picture, surface = shown_of(clip), ClipPicture(clip), open_screen((640, 360), True)
    for number in range(1, count + 1):
        shown.take(video.read())
        picture.paint(surface, shown, DEFAULT)
        if number % (count // 5) == 0:
            found.append(round(int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6))
    return found


def main():
    options = command.options(Options, PROGRAM)
    sport, result = sim.load(options.sport), {}
    with tempfile.TemporaryDirectory() as folder:
        for size in SIZES:
            path = render(Path(folder), options, size)
            cameras = [("", None, None)]
            if options.space:
                cameras.append(("_space", sport, str(path.with_suffix(".camera.yaml"))))
            for suffix, known_sport, camera in cameras:
                took, dropped = latencies(path, known_sport, camera, options)
                p50, p95 = np.percentile(1e3 * took, (50, 95))
                numbers = {
                    "fps": rate_of(path, known_sport, camera), "p50_ms": p50, "p95_ms": p95, "shown": len(took),
                    "dropped": dropped,
                }  # fmt: skip
                result[f"{size[1]}{suffix}"] = {name: round(float(value), 1) for name, value in numbers.items()}
                print(f"{size[0]}x{size[1]}{suffix}: {result[f'{size[1]}{suffix}']}", flush=True)
        if options.memory:
            result["memory_mb"] = memory(Path(folder) / f"{SIZES[0][1]}.mp4", None, options.memory)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
