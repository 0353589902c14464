"""Estimation from pixels: what one camera and several tell of where a ball is and will be.

    python -m benchmarks.pixels [--part whole around simulated filter lfg clock wrong_camera] [--balls 60]

Recorded balls are found through BALLCAST_DATA (else ../shared/data). Parts, each of some minutes at most:

    whole         TT3D: the position at every frame from all frames of one camera, mean and median error, mm
    around        TT3D: forecasts around the bounce from one camera, RMS error and coverage of the 90 % regions
    simulated     simulated balls that reach the table, seen by TT3D's cameras at 25 Hz with 2 px: median error 0.2 s
                  after the bounce, and at the bounce, with and without a diameter to 0.5 px
    filter        the running filter against the fit of all frames, on simulated strokes; what a frame costs
    lfg           real pixels of three cameras, and of each alone, against the fit of the triangulated tracks
    clock         two cameras, the clock of one 4 ms late
    wrong_camera  a camera that is wrong by 2 % in focal length, 0.5 degrees and 2 cm: one ball alone, and a stream
                  that has seen ten balls

TT3D: Gossard, Ziegler, Zell 2025. X, Y, Z of its pixel files are the truth, and go nowhere but into the errors.
"""

import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import numpy as np
import tyro

from ballcast import models, sim
from ballcast.models import Predictor
from ballcast.models.estimation.filter_state import new_filter_states
from ballcast.models.estimation.pixel_filter import PixelFilter
from ballcast.models.estimation.pixel_measurement import mixture_samples
from ballcast.models.estimation.pixels import CLOCK, ERRORS
from ballcast.models.estimation.posterior import standard_normal_samples, transform_samples
from ballcast.models.estimation.unknowns import UNKNOWNS
from ballcast.models.predictors.pixel_physics import predict_samples
from ballcast.sim.engine import simulate
from ballcast.sim.kernels.compiled_sport import compile_lanes
from ballcast.tracks import Camera, PixelTrack, read_cameras, read_pixels, read_track
from ballcast.tracks.camera import rotation_of

VIEWS = "side", "oblique", "back"
CHI2_90 = 6.251  # three degrees of freedom
NOW = 1e-6  # s after the last frame
MIN_FRAMES, TRACK_SD = 8, 0.012  # of a history of lfg; m, of its triangulated positions
RATE, NOISE, DIAMETER_NOISE = 25.0, 2.0, 0.5  # Hz, px, px
Part = Literal["whole", "around", "simulated", "filter", "lfg", "clock", "wrong_camera"]


@dataclass(frozen=True)
class Options:
    """Which parts are measured, and on how many balls."""

    part: tuple[Part, ...] = get_args(Part)
    balls: int = 60
    predictor: str = "physics"
    seed: int = 0


class Stroke(NamedTuple):
    """One ball seen by one camera or several, and where it was."""

    pixels: PixelTrack
    time: np.ndarray  # (T,) s
    truth: np.ndarray  # (T, 3) m
    bounce: float  # s of the first contact with the table


class Errors(NamedTuple):
    """Errors of one cell: distances, m, and whether the 90 % regions held the ball."""

    distance: list[float]
    inside: list[bool]

    def add(self, forecast: models.Forecast, k: int, truth: np.ndarray, sd: float) -> None:
        offset = truth - forecast.mean[k]
        covariance = forecast.covariance[k] + sd**2 * np.eye(3)
        self.distance.append(float(np.linalg.norm(offset)))
        self.inside.append(bool(offset @ np.linalg.solve(covariance, offset) < CHI2_90))

    def row(self) -> str:
        d = 1e3 * np.array(self.distance)
        inside = 100.0 * np.mean(self.inside)
        return (
            f"{len(d):4d} balls  median {np.median(d):6.1f}  RMS {np.sqrt((d**2).mean()):6.1f} mm  90 %: {inside:3.0f}"
        )


def data_folder() -> Path:
    """The folder of recorded balls."""
    folder = Path(os.environ.get("BALLCAST_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        sys.exit(f"{folder}: no recorded balls; set BALLCAST_DATA to their folder")
    return folder


def tt3d_camera(view: str) -> Camera:
    return read_cameras(data_folder() / "tt3d/pixels" / f"{view}.yaml")[0]


def tt3d_strokes(view: str, count: int | None = None) -> Iterator[Stroke]:
    """TT3D's strokes as a camera saw them."""
    camera = tt3d_camera(view)
    for file in sorted((data_folder() / "tt3d/pixels" / view).glob("*.csv"))[:count]:
        rows = np.genfromtxt(file, delimiter=",", skip_header=1)
        pixels = PixelTrack(rows[:, 0], rows[:, 4:6], np.zeros(len(rows)), [camera], name=file.stem)
        yield Stroke(pixels, rows[:, 0], rows[:, 1:4], bounce_time(file.stem))


def bounce_time(name: str) -> float:
    """When a stroke of TT3D bounces, s: where its path in space, measured at 179 Hz, is lowest."""
    track = read_track(data_folder() / "tt3d/3d" / f"{name}.csv")
    return float(track.time[track.position[:, 2].argmin()] - track.time[0])


def measure_whole(options: Options) -> None:
    for view in VIEWS:
        errors, strokes = [], []
        for stroke in tt3d_strokes(view):
            smoothed = models.smooth(stroke.pixels, "table_tennis")
            errors.append(np.linalg.norm(smoothed.position - stroke.truth, axis=1))
            strokes.append(errors[-1].mean())
        all_errors, worst = 1e3 * np.concatenate(errors), 1e3 * np.sort(strokes)[-3:]
        mean, median = all_errors.mean(), np.median(all_errors)
        counted = f"{len(strokes)} strokes, worst {worst.round()}"
        print(f"whole  {view:8s} mean {mean:5.0f}  median {median:5.0f} mm  {counted}")


def measure_around(options: Options) -> None:
    predictor = models.load(options.predictor, sport="table_tennis")
    for view in VIEWS:
        cells: dict[str, Errors] = {}
        for stroke in tt3d_strokes(view):
            before = np.searchsorted(stroke.time, stroke.bounce - 0.1, side="right") - 1
            after = np.searchsorted(stroke.time, stroke.bounce + 0.001, side="left")
            for name, last, ahead in (("before", before, (0.0, 0.1, 0.2)), ("after", after, (0.0, 0.1))):
                if last >= 2 and last < len(stroke.time):
                    score(predictor, stroke, last, ahead, cells, name)
        for name, errors in cells.items():
            print(f"around {view:8s} {name:12s} {errors.row()}")


def score(predictor: Predictor, stroke: Stroke, last: int, ahead: tuple, cells: dict[str, Errors], name: str) -> None:
    """Add the errors of a forecast from the frames up to number `last`, at the first frames so many seconds ahead."""
    end = stroke.time[last]
    rows = [int(np.searchsorted(stroke.time, end + a - 1e-6)) for a in ahead]
    rows = [row for row in rows if row < len(stroke.time)]
    times = np.array([max(stroke.time[row], end + NOW) for row in rows])
    forecast = predictor.forecast(stroke.pixels.until(end), times)
    for k, row in enumerate(rows):
        cells.setdefault(f"{name} +{ahead[k]:g}", Errors([], [])).add(forecast, k, stroke.truth[row], 0.003)


def simulated_strokes(
    cameras: list[Camera], options: Options, surface: str = "table", purpose: str = "test"
) -> Iterator[Stroke]:
    """Simulated balls that bounce on this surface before any other, seen by these cameras in turn; with diameters."""
    sport = sim.load("table_tennis")
    balls = sim.draw(sport, 8 * options.balls, seed=options.seed, purpose=purpose)
    rng, number = np.random.default_rng((3, options.seed)), 0
    state = balls.launch_position, balls.launch_velocity, balls.launch_spin
    times = np.arange(0.0, 2.0, 1.0 / (RATE * len(cameras)))
    flight = simulate(sport, *state, times, balls.parameters)
    names, landing = np.array([s.name for s in sport.surfaces]), np.array([s.landing for s in sport.surfaces])
    for b in range(len(balls)):
        own = np.flatnonzero((flight.impacts.ball == b) & landing[flight.impacts.surface])
        if not len(own) or number == options.balls:
            continue
        first = own[flight.impacts.time[own].argmin()]
        bounce = flight.impacts.time[first]
        if bounce > 1.4 or names[flight.impacts.surface[first]] != surface:
            continue
        truth, which = flight.position[b], np.arange(len(times)) % len(cameras)
        pixel, diameter, seen = np.zeros((len(times), 2)), np.zeros(len(times)), np.zeros(len(times), bool)
        for c, camera in enumerate(cameras):
            mine = which == c
            pixel[mine] = camera.project(truth[mine]) + rng.normal(0.0, NOISE, (mine.sum(), 2))
            diameter[mine] = camera.diameters(truth[mine], 2.0 * sport.ball.radius)
            seen[mine] = camera.sees(truth[mine])
        diameter = np.maximum(diameter + rng.normal(0.0, DIAMETER_NOISE, len(times)), 0.5)
        if (seen & (times < bounce)).sum() >= 3 and (seen & (times > bounce)).any():
            number += 1
            track = PixelTrack(times[seen], pixel[seen], which[seen], cameras, diameter[seen])
            yield Stroke(track, times, truth, bounce)


def plain(track: PixelTrack) -> PixelTrack:
    return replace(track, diameter=None)


def add_now_and_later(
    predictor: Predictor, stroke: Stroke, until: float, cells: dict[str, Errors], name: str, pixels: PixelTrack
) -> None:
    """Add the errors at the last frame up to `until` s, and 0.2 s later."""
    history = pixels.until(until)
    rows, times = rows_and_times(stroke, float(history.time[-1]))
    add_forecast(predictor.forecast(history, times), stroke, rows, cells, name)


def measure_simulated(options: Options) -> None:
    predictor = models.load(options.predictor, sport="table_tennis")
    for view in VIEWS:
        cells: dict[str, Errors] = {}
        for stroke in simulated_strokes([tt3d_camera(view)], options):
            add_now_and_later(predictor, stroke, stroke.bounce + 0.2, cells, "after 0.2 s", plain(stroke.pixels))
            add_now_and_later(predictor, stroke, stroke.bounce, cells, "at bounce", plain(stroke.pixels))
            add_now_and_later(predictor, stroke, stroke.bounce, cells, "diameter", stroke.pixels)
        for name, errors in cells.items():
            print(f"simulated {view:8s} {name:18s} {errors.row()}")


def add_forecast(
    forecast: models.Forecast, stroke: Stroke, rows: list[int], cells: dict[str, Errors], name: str
) -> None:
    """Add the errors of a forecast at those rows of a stroke: now and 0.2 s later."""
    for k, ahead in enumerate(("now", "+0.2")):
        cells.setdefault(f"{name} {ahead}", Errors([], [])).add(forecast, k, stroke.truth[rows[k]], 0.0)


def rows_and_times(stroke: Stroke, end: float) -> tuple[list[int], np.ndarray]:
    """The rows of a stroke at `end` s and 0.2 s later, and the times (2,) s to ask for."""
    rows = [int(np.searchsorted(stroke.time, end + ahead - 1e-6)) for ahead in (0.0, 0.2)]
    return rows, np.maximum(stroke.time[rows], end + NOW)


def measure_filter(options: Options) -> None:
    sport = sim.load("table_tennis")
    predictor, running = models.load("physics", sport=sport), FilterForecaster(sport)
    for view in VIEWS:
        cells: dict[str, Errors] = {}
        running.seconds.clear()
        fits = 0
        for stroke in simulated_strokes([tt3d_camera(view)], options):
            for name, until in (("at bounce", stroke.bounce), ("after 0.2 s", stroke.bounce + 0.2)):
                history = plain(stroke.pixels).until(until)
                rows, times = rows_and_times(stroke, float(history.time[-1]))
                add_forecast(predictor.forecast(history, times), stroke, rows, cells, f"{name} fit")
                add_forecast(running.forecast(history, times), stroke, rows, cells, f"{name} filter")
                fits += running.filter.fits
        for name, errors in cells.items():
            print(f"filter {view:8s} {name:24s} {errors.row()}")
        ms = 1e3 * np.array(running.seconds)
        print(f"filter {view:8s} a frame: median {np.median(ms):.3f}, mean {ms.mean():.1f} ms; "
              f"{fits / 2 / options.balls:.1f} fits of a ball")  # fmt: skip


class FilterForecaster:
    """Forecasts of the running filter by itself, without a network."""

    def __init__(self, sport: sim.Sport):
        self.sport, self.lane_sport = sport, compile_lanes(sport)
        self.filter, self.normal, self.seconds = PixelFilter(sport), standard_normal_samples(200), []

    def forecast(self, track: PixelTrack, times: np.ndarray) -> models.Forecast:
        self.filter.restart()
        state = new_filter_states(1)[0]
        sizes = [None] * len(track) if track.diameter is None else track.diameter.tolist()
        for t, pixel, c, size in zip(track.time, track.pixel, track.camera, sizes, strict=True):
            begin = time.perf_counter()
            self.filter.observe(state, float(t), pixel, track.cameras[c], size)
            self.seconds.append(time.perf_counter() - begin)
        self.filter.finish(state)  # else a filter that is lost may have no component
        self.state = state
        samples = np.zeros((len(self.normal), UNKNOWNS))
        samples = samples[: mixture_samples(state, self.normal, samples)]
        common = transform_samples(np.zeros(UNKNOWNS), self.filter.common, np.roll(self.normal, 1, axis=0))
        samples = np.ascontiguousarray(samples + common[: len(samples)])
        ahead = predict_samples(self.lane_sport, samples, np.ascontiguousarray(times - track.time[-1]))
        return models.Forecast(ahead.positions[0].astype(float), ahead.covariance.astype(float))


def measure_clock(options: Options) -> None:
    cameras = [tt3d_camera("side"), tt3d_camera("oblique")]
    predictor = models.load("physics", sport="table_tennis")
    for late in (0.0, 0.004):
        cells: dict[str, Errors] = {}
        alone, stream, learned = [], predictor.stream(), []
        for stroke in simulated_strokes(cameras, options):
            seen = late_pixels(plain(stroke.pixels), late)
            rows, times = rows_and_times(stroke, float(seen.until(stroke.bounce + 0.2).time[-1]))
            forecast = predictor.forecast(seen.until(stroke.bounce + 0.2), times)
            add_forecast(forecast, stroke, rows, cells, "after 0.2 s")
            alone.append(np.diff(models.smooth(seen.until(stroke.bounce + 0.2), "table_tennis").clock)[0])
            show_stroke(stream, seen.until(stroke.bounce + 0.2))
            learned.append(np.diff(stream.cameras.likeliest(2).learned[0][CLOCK::ERRORS])[0])
        one, found, late_ms = 1e3 * np.array(alone), 1e3 * np.array(learned), 1e3 * late
        after = ", ".join(f"{n} balls {found[n - 1]:.2f}" for n in (1, 2, 5, 10, 20, 40) if n <= len(found))
        print(f"clock {late_ms:.0f} ms  one ball: {one.mean():.2f} +- {one.std():.2f} ms; learned after {after}")
        for name, errors in cells.items():
            print(f"clock {late_ms:.0f} ms  {name:18s} {errors.row()}")


def late_pixels(track: PixelTrack, late: float) -> PixelTrack:
    """A track whose second camera has a clock that is `late` s behind."""
    stamps = track.time - late * (track.camera == 1)
    order = np.argsort(stamps, kind="stable")
    return PixelTrack(stamps[order], track.pixel[order], track.camera[order], track.cameras)


def show_stroke(stream: models.Stream, track: PixelTrack) -> None:
    """Let a stream see a ball to its end: what it learns of the cameras stays."""
    for t, pixel, c in zip(track.time, track.pixel, track.camera, strict=True):
        stream.observe_pixel(float(t), pixel, track.cameras[c])
    stream.restart()


def wrong(camera: Camera, rng: np.random.Generator) -> Camera:
    """A camera wrong by 2 % in focal length, 0.5 degrees and 2 cm."""
    turn, shift = (v / np.linalg.norm(v) for v in rng.normal(size=(2, 3)))
    R = rotation_of(np.radians(0.5) * turn)
    K = camera.K.copy()
    K[[0, 1], [0, 1]] *= 1.0 + 0.02 * rng.choice([-1, 1])
    return Camera(K, camera.distortion, R @ camera.R, R @ camera.t + 0.02 * shift, camera.size, camera.name)


def measure_wrong_camera(options: Options) -> None:
    for view in VIEWS:
        rng, camera = np.random.default_rng(7), tt3d_camera(view)
        cells: dict[str, Errors] = {}
        image: dict[str, list[float]] = {}
        strokes = list(simulated_strokes([camera], options))
        for number, stroke in enumerate(strokes):
            other = wrong(camera, rng)
            taught = taught_stream(strokes, number, other)
            tries = [("true", camera, None), ("wrong", other, None)]
            for name, used, stream in tries + ([("wrong, 10 balls", other, taught)] if taught else []):
                history = replace(plain(stroke.pixels), cameras=(used,)).until(stroke.bounce + 0.2)
                rows, times = rows_and_times(stroke, float(history.time[-1]))
                forecast = forecast_of(history, times, stream)
                add_forecast(forecast, stroke, rows, cells, name)
                if stream is None:  # one that has learned forecasts in space, not in the image of a wrong camera
                    miss = used.project(forecast.mean[1]) - camera.project(stroke.truth[rows[1]])
                    image.setdefault(name, []).append(float(np.linalg.norm(miss)))
        for name, errors in cells.items():
            print(f"wrong_camera {view:8s} {name:22s} {errors.row()}")
        medians = ", ".join(f"{name} {np.median(px):.2f} px" for name, px in image.items())
        print(f"wrong_camera {view:8s} in the image, +0.2 s: {medians}")


def taught_stream(strokes: list[Stroke], number: int, camera: Camera) -> models.Stream | None:
    """A stream that has seen the ten strokes before one of that number by this camera; None every other time."""
    if number % 3 or number < 10:
        return None
    stream = models.load("physics", sport="table_tennis").stream()
    for stroke in strokes[number - 10 : number]:
        show_stroke(stream, replace(plain(stroke.pixels), cameras=(camera,)).until(stroke.bounce + 0.25))
    return stream


def forecast_of(history: PixelTrack, times: np.ndarray, stream: models.Stream | None) -> models.Forecast:
    """The forecast of `physics` from a history, alone or by a stream that knows its camera."""
    if stream is None:
        return models.load("physics", sport="table_tennis").forecast(history, times)
    for t, pixel in zip(history.time, history.pixel, strict=True):
        stream.observe_pixel(float(t), pixel, history.cameras[0])
    return stream.forecast(times)


def measure_lfg(options: Options) -> None:
    folder = data_folder() / "lfg"
    cameras = read_cameras(folder / "cameras.yaml")
    sport = sim.load("table_tennis").without("net")
    predictors = models.load(options.predictor, sport=sport), FilterForecaster(sport)
    cells: dict[str, Errors] = {}
    files = sorted((folder / "pixels").glob("*.csv"))
    for file in files[:: max(1, len(files) // options.balls)]:
        track, pixels = read_track(folder / "tracks" / file.name), read_pixels(file, cameras)
        for seen in (0.2, 0.4):
            score_lfg(predictors, cells, f"seen {seen:g}", track, pixels, track.time[0] + seen)
        bounce = first_bounce(track)
        if bounce is not None:
            score_lfg(predictors, cells, "bounce + 0.2", track, pixels, bounce + 0.2, alone=True)
    for name, errors in cells.items():
        print(f"lfg {name:34s} {errors.row()}{paired(cells, name)}")


def paired(cells: dict[str, Errors], name: str) -> str:
    """The ratio of the median error to that from the triangulated track, with its bootstrap 95 % interval."""
    source = next((source for source in (" pixels ", " filter ") if source in name), "")
    if not source:
        return ""
    own, track = (np.array(cells[key].distance) for key in (name, name.replace(source, " track ")))
    rows = np.random.default_rng(0).integers(0, len(own), (2000, len(own)))
    low, high = np.quantile(np.median(own[rows], axis=1) / np.median(track[rows], axis=1), [0.025, 0.975])
    return f"  x {np.median(own) / np.median(track):.2f} ({low:.2f}-{high:.2f}) of the track"


def first_bounce(track) -> float | None:
    """The time of the first bounce of a triangulated track: where its height turns; None if it is not there."""
    low = np.flatnonzero(track.position[:, 2] < 0.10)
    if not len(low):
        return None
    first = low[0]
    near = np.flatnonzero(track.time < track.time[first] + 0.1)
    return float(track.time[first + track.position[first : near[-1] + 1, 2].argmin()])


def score_lfg(predictors, cells, name, track, pixels, until, alone=False):
    """Add the errors of forecasts from the track, from all cameras, and from each alone, against later positions.

    predictors: (the one asked for, the running filter).
    """
    seen, (predictor, running) = pixels.until(until), predictors
    tries = {"track": (predictor, track.until(until)), "pixels": (predictor, seen), "filter": (running, seen)}
    if alone:
        tries |= {camera.name: (predictor, seen.seen_by(camera.name)) for camera in pixels.cameras}
    rows = [int(np.searchsorted(track.time, until + ahead)) for ahead in (0.1, 0.2)]
    if rows[-1] >= len(track) or min(len(history) for _, history in tries.values()) < MIN_FRAMES:
        return
    for source, (which, history) in tries.items():
        forecast = which.forecast(history, track.time[rows])
        for k, ahead in enumerate((0.1, 0.2)):
            errors = cells.setdefault(f"{name} {source} +{ahead:g}", Errors([], []))
            errors.add(forecast, k, track.position[rows[k]], TRACK_SD)


MEASURES = {
    "whole": measure_whole, "around": measure_around, "simulated": measure_simulated, "filter": measure_filter,
    "lfg": measure_lfg, "clock": measure_clock, "wrong_camera": measure_wrong_camera,
}  # fmt: skip


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    for part in options.part:
        MEASURES[part](options)


if __name__ == "__main__":
    main()
