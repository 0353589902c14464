"""How long a forecast takes: python -m benchmarks.latency. One ball, one thread, warm, table tennis at 180 Hz.

Measured are `forecast` of 36 frames that are new to the predictor, at 60 times of the next second, over many balls;
and a stream's observe and forecast of the same, frame by frame.

Keys of the last line: PREDICTOR_p50_us, PREDICTOR_p99_us (forecast), PREDICTOR_stream_p50_us, PREDICTOR_stream_p99_us.
"""

import os

for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = "1"

import json  # noqa: E402 - the environment must be set before numba is imported
import time  # noqa: E402

import numpy as np  # noqa: E402

import models  # noqa: E402
import sim  # noqa: E402
from tracks import Track  # noqa: E402

FRAMES, BALLS, STREAMED, AHEAD = 36, 1000, 20, np.linspace(1 / 60, 1.0, 60)


def tracks():
    """Tracks of FRAMES frames."""
    balls = sim.draw(sim.load("table_tennis"), 2 * BALLS, purpose="test", seed=1)
    starts = balls.offsets[:-1][np.diff(balls.offsets) >= FRAMES][:BALLS]
    return [Track(balls.time[k : k + FRAMES], balls.position[k : k + FRAMES]) for k in starts]


def forecasts(predictor, seen):
    """Seconds (B,) of a forecast of each track, the first few to warm up; and the last Forecast."""
    taken = []
    for track in [*seen[:20], *seen]:
        times = track.time[-1] + AHEAD
        begin = time.perf_counter()
        forecast = predictor.forecast(track, times)
        taken.append(time.perf_counter() - begin)
    return np.array(taken[20:]), forecast


def streamed(predictor, seen):
    """Seconds (M,) of observing a frame and forecasting, over the frames of some tracks."""
    taken = []
    for track in seen[:STREAMED]:
        stream = predictor.stream()
        for t, place in zip(track.time, track.position, strict=True):
            begin = time.perf_counter()
            stream.observe(t, place)
            try:
                stream.forecast(t + AHEAD)
            except models.TooShort:
                continue
            taken.append(time.perf_counter() - begin)
    return np.array(taken)


def main():
    """Measure, print for people, then one JSON object."""
    seen, result = tracks(), {}
    for name in models.PREDICTORS:
        predictor = models.load(name)
        taken, forecast = forecasts(predictor, seen)
        for what, seconds in (("", taken), ("stream_", streamed(predictor, seen))):
            p50, p99 = 1e6 * np.percentile(seconds, (50, 99))
            result |= {f"{name}_{what}p50_us": float(f"{p50:.4g}"), f"{name}_{what}p99_us": float(f"{p99:.4g}")}
        spread = "with covariance" if forecast.covariance is not None else "no covariance"
        figures = (f"{key.removeprefix(name)[1:]} {v:.0f}" for key, v in result.items() if key.startswith(name))
        print(f"{name} ({spread}): {', '.join(figures)}")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
