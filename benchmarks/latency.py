"""The time a forecast takes: python -m benchmarks.latency. One ball, one thread, warm, table tennis at 180 Hz.

It measures `forecast` from 36 frames at 60 times of the next second, over many balls, each new to the predictor; and a
stream's observe and forecast, frame by frame. For two networks it also measures a frame of 1,000 balls, in one call of
observe and one of forecast at the 60 times, on two cores (in a separate process).

Keys of the last line: PREDICTOR_p50_us, PREDICTOR_p99_us (forecast), PREDICTOR_stream_p50_us, PREDICTOR_stream_p99_us;
gru_1000_balls_ms, gru_physics_1000_balls_ms.
"""
# ruff: noqa: E402 - the number of threads must be set before numpy and numba are imported

import os

for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import json
import subprocess
import sys
import time

import numpy as np

from ballcast import models, sim
from ballcast.evaluation.harness import LATENCY_TIMES, latency
from ballcast.tracks import Track

BATCH_PREDICTORS = ("gru", "gru_physics")
FRAMES, BALLS, STREAM_TRACKS = 36, 1000, 20


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
    for name in BATCH_PREDICTORS:
        result[f"{name}_1000_balls_ms"] = many_on_two_cores(name)
        print(f"{name}: 1,000 balls, a frame and a forecast, {result[f'{name}_1000_balls_ms']} ms")
    print(json.dumps(result))


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


if __name__ == "__main__":
    main()
