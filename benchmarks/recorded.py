"""How far forecasts of recorded balls are off: the `horizon` protocol of the design, on tracks nobody here simulated.

    python -m benchmarks.recorded                 # BALLCAST_DATA names the folder with tt3d/3d and spindoe

The history is all that was seen in the first 0.1 or 0.2 s (at least 5 frames); the forecast is for 0.1, 0.2 and 0.3 s
past its last frame, asked at the time of the first frame at or after that. The error is the distance to that frame, so
it has the sensor's noise in it. The last line printed is one JSON object.
"""

import json
import os
import time
from pathlib import Path

import numpy as np

import models
import sim
from tracks import read_tracks

SETS = {  # name -> folder, surfaces that stood there; both by cogsys-tuebingen (Gossard, Tebbe, Ziegler, Zell)
    "tt3d": ("tt3d/3d", ("table", "net", "floor")),
    "spindoe": ("spindoe", ("table", "floor")),  # 46 of 112 balls pass 2 cm and more below the top of a net, unhindered
    "spindoe_with_net": ("spindoe", ("table", "net", "floor")),  # what believing in that net costs
}
HISTORIES = (0.1, 0.2)  # s
HORIZONS = (0.1, 0.2, 0.3)  # s
LEAST = 5  # frames


def cases(tracks, seen, ahead):
    """(history, time, position) of every track that is long enough: `ahead` s past the first `seen` s."""
    for track in tracks:
        history = track.until(track.time[0] + seen)
        row = np.searchsorted(track.time, history.time[-1] + ahead - 1e-9)
        if len(history) >= LEAST and row < len(track):
            yield history, track.time[row], track.position[row]


def errors(predictor, tracks, seen, ahead):
    """Distances (m) of the forecasts from the frames, one a case."""
    return np.array(
        [
            np.linalg.norm(predictor.forecast(history, [when]).mean[0] - place)
            for history, when, place in cases(tracks, seen, ahead)
        ]
    )


def latency(predictor, tracks):
    """Observe and forecast of 60 times, over every frame of ten tracks: p50 and p95 in ms."""
    taken = []
    for track in tracks[:10]:
        stream = predictor.stream()
        for t, place in zip(track.time, track.position, strict=True):
            begin = time.perf_counter()
            stream.observe(t, place)
            try:
                stream.forecast(t + np.linspace(1 / 60, 1, 60))
            except models.TooShort:
                continue
            taken.append(1e3 * (time.perf_counter() - begin))
    return np.percentile(taken, (50, 95))


def main():
    folder = Path(os.environ.get("BALLCAST_DATA", Path(__file__).parents[2] / "shared" / "data"))
    result = {}
    for name, (place, standing) in SETS.items():
        tracks = read_tracks(folder / place)
        sport = sim.load("table_tennis")
        sport = sport.replace(surfaces=tuple(s for s in sport.surfaces if s.name in standing))
        for known in models.PREDICTORS:
            predictor = models.load(known, sport)
            p50, p95 = latency(predictor, tracks)
            result[f"{name}.{known}.latency_ms"] = {"p50": round(p50, 2), "p95": round(p95, 2)}
            print(f"{name}, {known}: observe + forecast {p50:.2f} ms (p95 {p95:.2f})")
            for seen in HISTORIES:
                for ahead in HORIZONS:
                    off = 1e3 * errors(predictor, tracks, seen, ahead)
                    line = {"median_mm": round(float(np.median(off)), 1), "p90_mm": round(np.percentile(off, 90), 1)}
                    result[f"{name}.{known}.{seen}.{ahead}"] = line | {"tracks": len(off)}
                    print(f"  seen {seen} s, +{ahead} s: median {line['median_mm']:6.1f} mm, p90 {line['p90_mm']:6.1f}"
                          f" mm, {len(off)} tracks")  # fmt: skip
    print(json.dumps(result))


if __name__ == "__main__":
    main()
