"""How fast the viewer is without a screen: frame times, a forecast in each, and the time to a first frame.

    python -m benchmarks.viewer_speed [--frames 600] [--predictor parabola]

The last line is one JSON object; frames are of live table tennis at 1280x720, the change to the next throws included:
    p50_ms, p99_ms   of a frame, `parabola` forecasting in each (ms); the first, which paints the place, is left out
    full_p50_ms, full_p99_ms   gru_physics, gru and physics forecasting side by side, sliders and strips open (ms)
    full_1080_p99_ms           the same at 1920x1080 (ms)
    follow_p50_ms              as p50_ms, the camera following the ball, so that the place is painted anew (ms)
    first_frame_s    from the command `python play.py --headless --frames 1` to its end, warm: the best of three (s)
"""

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import tyro

from ballcast import sim
from ballcast.viewer.options import DEFAULT, DisplayOptions
from ballcast.viewer.playback.session import FRAME_TIME, PredictorPool
from ballcast.viewer.playback.source import LiveSource
from ballcast.viewer.window import App

FULL = ("gru_physics", "gru", "physics")
ROOT = Path(__file__).parents[1]


def frame_times(sport, predictors, frames, size=(1280, 720), options=DEFAULT):
    """Seconds of each frame after the first, (frames,)."""
    pool = PredictorPool(predictors, sport)
    app = App(LiveSource(sport), pool, size, headless=True, shown=range(len(predictors)), options=options)
    app.frame(FRAME_TIME)
    times = np.empty(frames)
    for i in range(frames):
        start = time.perf_counter()
        app.frame(FRAME_TIME)
        times[i] = time.perf_counter() - start
    return times


def first_frame(runs=3):
    """Seconds from the command to the end of its one frame: the best of some runs after one that warms up."""
    command, took = [sys.executable, "play.py", "--headless", "--frames", "1"], []
    for _ in range(runs + 1):
        start = time.perf_counter()
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        took.append(time.perf_counter() - start)
    return min(took[1:])


def full(frames):
    """Frame times of everything that is asked of the viewer at once, and of a camera that never stands still."""
    sport, result = sim.load("table_tennis"), {}
    for size in ((1280, 720), (1920, 1080)):
        times = 1e3 * frame_times(sport, FULL, frames, size, DisplayOptions(errors=True, gates=True, sliders=True))
        p50, p99 = np.percentile(times, [50, 99])
        print(f"{size[0]}x{size[1]} {', '.join(FULL)}, sliders and strips: p50 {p50:5.2f} ms, p99 {p99:5.2f} ms")
        both = {"full_p50_ms": round(p50, 3), "full_p99_ms": round(p99, 3)}
        result |= {"full_1080_p99_ms": both["full_p99_ms"]} if result else both
    follow = np.median(1e3 * frame_times(sport, ["parabola"], frames, options=DisplayOptions(follow=True)))
    print(f"1280x720 parabola, the camera following: p50 {follow:5.2f} ms")
    return result | {"follow_p50_ms": round(float(follow), 3)}


def main(frames: int = 600, predictor: str = "parabola"):
    for name in sim.names():
        times = 1e3 * frame_times(sim.load(name), [predictor], frames)
        p50, p99 = np.percentile(times, [50, 99])
        print(f"{name:14} {predictor}: p50 {p50:5.2f} ms, p99 {p99:5.2f} ms, longest {times.max():.1f} ms")
        if name == "table_tennis":
            result = {"p50_ms": round(p50, 3), "p99_ms": round(p99, 3)}
    result |= full(frames)
    result["first_frame_s"] = round(first_frame(), 3)
    print(f"first frame {result['first_frame_s']:.2f} s after the command, warm")
    print(json.dumps(result))


if __name__ == "__main__":
    tyro.cli(main, description=__doc__.splitlines()[0])
