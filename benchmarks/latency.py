"""The time a forecast takes: python -m benchmarks.latency [--part forecasts many pixels]. One ball, one thread, warm,
table tennis at 180 Hz.

It measures `forecast` from 36 frames at 60 times of the next second, over many balls, each new to the predictor; and a
stream's observe and forecast, frame by frame. For two networks it also measures a frame of 1,000 balls, in one call of
observe and one of forecast at the 60 times, on two cores (in a separate process). The part `pixels` measures streams on
the pixels of one camera against streams on positions of the same balls at the same times, ball by ball: each
frame's observe and forecast. Its times are of the processor, so that other programs change them less.

Keys of the last line: PREDICTOR_p50_us, PREDICTOR_p99_us (forecast), PREDICTOR_stream_p50_us, PREDICTOR_stream_p99_us;
gru_1000_balls_ms, gru_physics_1000_balls_ms; PREDICTOR_pixels_RATE_ratio (of the medians), _p50_us, _p99_us, _max_us
and _mean_us of observe_pixel and a forecast, _components (mean number).
"""
# ruff: noqa: E402 - the number of threads must be set before numpy and numba are imported

import os

for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np
import tyro

from ballcast import models, sim
from ballcast.evaluation.harness import LATENCY_TIMES, latency
from ballcast.models.estimation.mixture import DEAD, LOG_WEIGHT
from ballcast.tracks import Track
from ballcast.viewer.playback import sight

BATCH_PREDICTORS = ("gru", "gru_physics")
FRAMES, BALLS, STREAM_TRACKS = 36, 1000, 20
PIXEL_PREDICTORS, PIXEL_RATES = ("gru", "gru_physics", "physics"), (60.0, 200.0)  # Hz
TRACKER_NOISE = 0.003  # m, of the positions beside the pixels
STATISTICS = np.median, lambda a: np.quantile(a, 0.99), np.max, np.mean
Part = Literal["forecasts", "many", "pixels"]


@dataclass(frozen=True)
class Options:
    """What is measured."""

    part: tuple[Part, ...] = get_args(Part)


def tracks():
    balls = sim.draw(sim.load("table_tennis"), 2 * BALLS, purpose="test", seed=1)
    starts = balls.offsets[:-1][np.diff(balls.offsets) >= FRAMES][:BALLS]
    return [Track(balls.time[k : k + FRAMES], balls.position[k : k + FRAMES]) for k in starts]


def forecasts(predictor, histories):
    """Seconds (B,) of the forecast of each track, after a few that are not counted; and the last Forecast."""
    taken = []
    for track in [*histories[:20], *histories]:
        times = track.time[-1] + LATENCY_TIMES
        begin = time.perf_counter()
        forecast = predictor.forecast(track, times)
        taken.append(time.perf_counter() - begin)
    return np.array(taken[20:]), forecast


def main():
    options, result = tyro.cli(Options, description=__doc__), {}
    for part in options.part:
        result |= PARTS[part]()
    print(json.dumps(result))


def measure_forecasts():
    histories, result = tracks(), {}
    for name in models.available(sim.load("table_tennis")):
        predictor = models.load(name)
        taken, forecast = forecasts(predictor, histories)
        for what, seconds in (("", taken), ("stream_", latency(predictor, histories, STREAM_TRACKS))):
            p50, p99 = 1e6 * np.percentile(seconds, (50, 99))
            result |= {f"{name}_{what}p50_us": float(f"{p50:.4g}"), f"{name}_{what}p99_us": float(f"{p99:.4g}")}
        spread = "with covariance" if forecast.covariance is not None else "no covariance"
        own = {key: v for key, v in result.items() if key.startswith((f"{name}_p5", f"{name}_p9", f"{name}_s"))}
        print(f"{name} ({spread}): " + ", ".join(f"{key.removeprefix(name)[1:]} {v:.0f}" for key, v in own.items()))
    return result


def measure_many():
    result = {}
    for name in BATCH_PREDICTORS:
        result[f"{name}_1000_balls_ms"] = many_on_two_cores(name)
        print(f"{name}: 1,000 balls, a frame and a forecast, {result[f'{name}_1000_balls_ms']} ms")
    return result


class Taken(NamedTuple):
    """Seconds of frames."""

    positions: list[float]  # observe and forecast
    pixels: list[float]  # observe_pixel and forecast
    observed: list[float]  # observe_pixel alone
    components: list[float]  # of the filter on pixels; none is known of physics


def measure_pixels():
    result, sport = {}, sim.load("table_tennis")
    for rate in PIXEL_RATES:
        sensors = sight.rig_of(sport, 1, rate, 0.0).sensors
        balls = sim.draw(sport, STREAM_TRACKS + 1, purpose="test", seed=1, cameras=sensors)
        for name in PIXEL_PREDICTORS:
            taken = stream_times(models.load(name, sport), balls.pixels)
            p50, p99, worst, mean = (1e6 * f(taken.pixels) for f in STATISTICS)
            ratio, components = np.median(taken.pixels) / np.median(taken.positions), np.mean(taken.components or [0.0])
            numbers = dict(ratio=ratio, p50_us=p50, p99_us=p99, max_us=worst, mean_us=mean, components=components)
            result |= {f"{name}_pixels_{rate:.0f}_{key}": float(f"{v:.4g}") for key, v in numbers.items()}
            alone = ", ".join(f"{1e6 * f(taken.observed):.0f}" for f in STATISTICS)
            print(f"{name} on pixels at {rate:.0f} Hz: {ratio:.2f} x the time on positions ({p50:.0f} us), "
                  f"{components:.1f} components; observe_pixel p50, p99, max, mean {alone} us")  # fmt: skip
    return result


def stream_times(predictor, pixels):
    """The Taken of streams on the balls that cameras saw, after the first one."""
    taken, rng = Taken([], [], [], []), np.random.default_rng(0)
    cameras = sight.rig_of(predictor.sport, 1).cameras
    for ball in range(len(pixels)):
        time_, pixel, _, _ = pixels.of(ball)
        truth = pixels.truth_position[pixels.offsets[ball] : pixels.offsets[ball + 1]]
        position = truth + rng.normal(0.0, TRACKER_NOISE, truth.shape)
        whole, _, _ = times_of(predictor.stream(), "observe", zip(time_, position, strict=True))
        frames = ((t, u_v, cameras[0]) for t, u_v in zip(time_, pixel, strict=True))
        new = Taken(whole, *times_of(predictor.stream(), "observe_pixel", frames))
        for kept, more in zip(taken, new, strict=True):
            kept += more if ball else []
    return taken


def times_of(stream, method, frames):
    """Seconds of a stream's method with each of some frames and a forecast, where there is one; of the method alone;
    the numbers of components of the filter of a network's stream."""
    both, alone, components, observe = [], [], [], getattr(stream, method)
    for frame in frames:
        begin = time.thread_time()
        observe(*frame)
        seen = time.thread_time()
        try:
            stream.forecast(frame[0] + LATENCY_TIMES)
        except models.HistoryTooShort:
            continue
        both.append(time.thread_time() - begin)
        alone.append(seen - begin)
        if hasattr(stream, "batch"):
            log_weight = stream.batch.filter_states["components"][0, LOG_WEIGHT]
            components.append(float((log_weight > DEAD).sum()))
    return both, alone, components


def many(name, balls=1000, frames=30):
    """Milliseconds of a frame and a forecast of `balls` balls at once, median over frames."""
    predictor = models.load(name)
    drawn = sim.draw(predictor.sport, balls, purpose="test", seed=2, duration=0.5)
    batch, taken = predictor.streams(balls), []
    for k in range(frames):
        row = np.minimum(drawn.offsets[:-1] + k, drawn.offsets[1:] - 1)
        time_, position = drawn.time[row], drawn.position[row]
        position[drawn.offsets[:-1] + k >= drawn.offsets[1:]] = np.nan
        begin = time.perf_counter()
        batch.observe(time_, position)
        batch.forecast(time_[:, None] + LATENCY_TIMES)
        taken.append(time.perf_counter() - begin)
    return float(f"{1e3 * np.median(taken[5:]):.3g}")


def many_on_two_cores(name):
    """The same in a process that may use two cores."""
    environment = {key: value for key, value in os.environ.items() if not key.endswith("_NUM_THREADS")}
    environment |= {"NUMBA_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "1"}  # balls run in parallel, not products
    code = f"from benchmarks.latency import many; print(many({name!r}))"
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return float(run.stdout.split()[-1])


PARTS = {"forecasts": measure_forecasts, "many": measure_many, "pixels": measure_pixels}

if __name__ == "__main__":
    main()
