"""Networks on pixels: what they make of the filter's belief, and whether their regions hold the ball.

    python -m benchmarks.pixel_networks [--sport table_tennis tennis] [--cameras 1 2] [--balls 40]
                                        [--predictor filter gru gru_physics physics]

Simulated balls of purpose "validation" seen by random cameras (sim/cameras.toml), a rig for each ball. Errors in space
at the last frame and 0.2 s later: 0.1 s before the first contact and 0.2 s after it. `filter` is the running filter by
itself, whose belief the networks read. Medians, and how many of the balls the 90 % regions hold.
"""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import tyro

from ballcast import models, sim
from ballcast.models.contract import HistoryTooShort
from ballcast.tracks import Camera, PixelTrack
from benchmarks.pixels import NOW, Errors, FilterForecaster

BEFORE, AFTER, AHEAD = 0.1, 0.2, (NOW, 0.2)  # s
MIN_FRAMES = 4


@dataclass(frozen=True)
class Options:
    """Which sports, cameras and predictors."""

    sport: tuple[str, ...] = tuple(sim.names())
    cameras: tuple[int, ...] = (1, 2)
    balls: int = 40  # of each sport
    predictor: tuple[str, ...] = ("filter", "gru", "gru_physics", "physics")
    first: int = 0  # number of the first ball


def histories(sport: sim.Sport, cameras: int, options: Options) -> Iterator[tuple[str, PixelTrack, np.ndarray]]:
    """(when, what was seen, true positions (2, 3) m at AHEAD) before and after the first contact of balls."""
    balls = sim.draw(sport, options.balls, options.first, purpose="validation",
                     cameras=lambda n: sim.random_cameras(sport, cameras, purpose="validation", number=n))  # fmt: skip
    balls = dataclasses.replace(balls, frame=np.zeros_like(balls.frame))  # cameras are in the sport's frame
    impacts = balls.flight(np.array([0.0, sport.sensor.duration])).impacts
    assert impacts is not None
    for b in range(len(balls)):
        own, sensors = impacts.time[impacts.ball == b], balls.pixels.sensors[b]
        first = own.min() if len(own) else np.inf
        time, pixel, camera, diameter = balls.pixels.of(b)
        size = diameter if np.isfinite(diameter).any() else None
        track = PixelTrack(time, pixel, camera, [Camera(*sensor.calibrated) for sensor in sensors], size)
        for when, until in (("before", first - BEFORE), ("after", first + AFTER)):
            seen = track.until(until)
            if len(seen) >= MIN_FRAMES and np.isfinite(until):
                late = np.mean(
                    [sensors[c].clock_offset for c in np.unique(seen.camera)]
                )  # filters take it for the time
                times = np.zeros((len(balls), 2)) + (0.0, 1.0)
                times[b] = max(seen.time[-1] - late, 0.0) + np.array(AHEAD)
                yield when, seen, balls.flight(times).position[b]


def measure(sport: sim.Sport, cameras: int, options: Options) -> dict[str, Errors]:
    """Errors by "when predictor ahead"."""
    predictors = {name: models.load(name, sport) for name in options.predictor if name != "filter"}
    cells: dict[str, Errors] = {}
    for when, seen, truth in histories(sport, cameras, options):
        if "filter" in options.predictor:
            predictors["filter"] = FilterForecaster(sport)  # anew, since it keeps its cameras
        times = seen.time[-1] + np.array(AHEAD)
        try:
            forecasts = {name: each.forecast(seen, times) for name, each in predictors.items()}
        except HistoryTooShort:
            continue
        for name, forecast in forecasts.items():
            for k, ahead in enumerate(("now", "+0.2")):
                cells.setdefault(f"{when:6s} {ahead:4s} {name}", Errors([], [])).add(forecast, k, truth[k], 0.0)
    return cells


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    for cameras in options.cameras:
        together: dict[str, Errors] = {}
        for name in options.sport:
            for key, errors in measure(sim.load(name), cameras, options).items():
                print(f"{cameras} cameras {name:14s} {key:24s} {errors.row()}", flush=True)
                whole = together.setdefault(key, Errors([], []))
                whole.distance.extend(errors.distance)
                whole.inside.extend(errors.inside)
        for key, errors in together.items():
            print(f"{cameras} cameras {'together':14s} {key:24s} {errors.row()}", flush=True)


if __name__ == "__main__":
    main()
