"""Networks on trackers unlike most of their training data: python -m benchmarks.robustness [--balls 400]

On simulated table tennis (test set) with HISTORY s of history: the median error LEAD_TIME s ahead, relative to that on
a clean track of 180 Hz with the same launches. The limit `informed` is given for reference, since fewer frames have
less information. And on flights five times as long as any in training: the error relative to that of the same network
given only the last second.

Keys of the last line, ratios for each NAME: NAME_60_hz, _120_hz, _240_hz, _missing, _outliers; for networks also _long.
"""

import dataclasses
import json

import numpy as np
import tyro

from ballcast import models, sim
from ballcast.evaluation import limits
from ballcast.evaluation.suites import from_balls
from ballcast.sim.sport import DropoutBurst, Outlier

HISTORY, LEAD_TIME = 0.3, 0.3  # s
MIN_FRAMES, LONG_FRAMES, LAST = 5, 480, 1.0  # frames; frames; s
PREDICTORS = ("gru_physics", "gru", "informed")


def sensor_variants(sensor):
    """name -> (sensor, rate in Hz); `clean` is the reference."""
    clean = dataclasses.replace(sensor, miss=(0.0,), outlier=Outlier(0.0, (0.0, 0.0), (0.05, 0.5)))
    runs = dataclasses.replace(clean, miss=(0.2,), burst=DropoutBurst(1.0, (2, 6)))
    outliers = dataclasses.replace(clean, outlier=Outlier(1.0, (0.02, 0.02), (0.05, 0.5)))
    rates = {f"{rate:.0f}_hz": (clean, rate) for rate in (60.0, 120.0, 240.0)}
    return {"clean": (clean, 180.0), **rates, "missing": (runs, 180.0), "outliers": (outliers, 180.0)}


def make_suite(sport, count, rate, duration=None):
    """The Suite of `count` balls, measured at a rate in Hz."""
    return from_balls("sim", sport, sim.draw(sport, count, seed=3, purpose="test", rate=rate, duration=duration))


def truncate(suite, until):
    """(rows, histories) of the first `until` s of each track, if that has MIN_FRAMES frames."""
    histories = {i: t.until(t.time[0] + until) for i, t in enumerate(suite.tracks) if len(t)}
    histories = {i: t for i, t in histories.items() if len(t) >= MIN_FRAMES}
    return np.array(list(histories)), list(histories.values())


def error(name, suite, rows, histories):
    """The median error, m, of a predictor or limit LEAD_TIME s after the last frames."""
    times = np.array([[track.time[-1] + LEAD_TIME] for track in histories])
    truth = suite.flight(rows, times).position
    if name in limits.LIMITS:
        limit = limits.load(name, suite.sport)
        forecasts = [limit.forecast(track, t, suite.truth_of(i)) for i, track, t in zip(rows, histories, times)]
    else:
        forecasts = models.load(name, suite.sport).forecast_batch(histories, times)
    return float(np.median(np.linalg.norm(np.array([forecast.mean for forecast in forecasts]) - truth, axis=2)))


def long_history_ratio(name, sport, count):
    """The error after LONG_FRAMES frames, relative to that after only the last LAST s of them."""
    suite = make_suite(sport, count, 180.0, LONG_FRAMES / 180.0 + 0.01)
    rows, histories = truncate(suite, np.inf)
    late = [track[track.time > track.time[-1] - LAST] for track in histories]
    return error(name, suite, rows, histories) / error(name, suite, rows, late)


def main(balls: int = 400):
    result, sport = {}, sim.load("table_tennis")
    variants = sensor_variants(sport.sensor).items()
    suites = {name: make_suite(sport.replace(sensor=s), balls, rate) for name, (s, rate) in variants}
    for name in PREDICTORS:
        errors = {variant: error(name, suite, *truncate(suite, HISTORY)) for variant, suite in suites.items()}
        for variant, off in errors.items():
            result[f"{name}_{variant}"] = ratio = round(off / errors["clean"], 3)
            print(f"{name}, {variant}: {1e3 * off:.1f} mm, {ratio} times that on clean tracks", flush=True)
        if name not in limits.LIMITS:
            result[f"{name}_long"] = ratio = round(long_history_ratio(name, sport, balls // 4), 3)
            print(f"{name}, {LONG_FRAMES} frames: {ratio} times the error with the last {LAST} s alone", flush=True)
    print(json.dumps(result))


if __name__ == "__main__":
    tyro.cli(main, description=__doc__.splitlines()[0])
