"""Hits that nobody announces: python -m benchmarks.hits [--sport table_tennis] [--hits 150] [--predictor gru ...]

Rallies are measured by a tracker typical of the sport, and one stream follows each of them through all hits. SEEN
seconds after a hit it forecasts AHEAD seconds ahead. A fresh stream that begins at the hit, and has the same frames
since, does the same: it knows that a ball begins there. Prints the median and the 90 % quantile of both errors, and the
ratio of the medians. A ball that touches something within AHEAD seconds counts too.

Keys of the last line: SPORT_PREDICTOR_ratio.
"""

import json
from collections.abc import Iterator

import numpy as np
import tyro

from ballcast import models, sim

SEEN, AHEAD = 0.1, 0.1  # s
MIN_FRAMES = 5  # between a hit and the forecast


def cases(sport: sim.Sport, count: int) -> Iterator[tuple[np.ndarray, np.ndarray, float, np.ndarray]]:
    """(times (T,) s and positions (T, 3) m of a rally until SEEN s after a hit, the hit's time, the ball's true
    position AHEAD s after the last frame), for hits before which a ball was seen."""
    found = number = 0
    while found < count:
        rally = sim.rally(sport, 1, number)
        time, position = sim.measure_path(sport, rally.position, rally.end, number, 1, "test")
        for k, hit in enumerate(rally.hits[1:], 1):
            is_seen = time <= hit + SEEN
            end = rally.hits[k + 1] if k + 1 < len(rally.hits) else rally.end
            if (time[is_seen] > hit).sum() < MIN_FRAMES or time[is_seen][-1] + AHEAD > end:
                continue
            yield time[is_seen], position[is_seen], hit, rally.position(np.array([time[is_seen][-1] + AHEAD]))[0]
            found += 1
            if found == count:
                return
        number += 1


def error(predictor: models.Predictor, time: np.ndarray, position: np.ndarray, truth: np.ndarray) -> float:
    """How far off, m, a stream of these frames is AHEAD s after the last one."""
    stream = predictor.stream()
    for t, y in zip(time, position, strict=True):
        stream.observe(t, y)
    return float(np.linalg.norm(stream.forecast([time[-1] + AHEAD]).mean[0] - truth))


def main(
    sport: str = "table_tennis", hits: int = 150, predictor: tuple[str, ...] = ("gru", "gru_physics", "physics", "ukf")
) -> None:
    chosen, result = sim.load(sport), {}
    print(f"{sport}: {hits} hits, {SEEN:g} s after each, {AHEAD:g} s ahead; mm")
    for name in predictor:
        model, errors = models.load(name, chosen), []
        for time, position, hit, truth in cases(chosen, hits):
            since = time > hit
            errors.append((error(model, time, position, truth), error(model, time[since], position[since], truth)))
        median, high = 1e3 * np.median(errors, axis=0), 1e3 * np.quantile(errors, 0.9, axis=0)
        ratio = median[0] / median[1]
        print(f"{name:<16} through the hit {median[0]:6.1f} (90 %: {high[0]:.0f}); fresh {median[1]:6.1f} "
              f"({high[1]:.0f}); ratio {ratio:.2f}")  # fmt: skip
        result[f"{sport}_{name}_ratio"] = round(float(ratio), 3)
    print(json.dumps(result))


if __name__ == "__main__":
    tyro.cli(main)
