"""What real feeds do to a filter: python -m benchmarks.feeds [--predictor gru physics] [--balls 300] [--part rolling]

Rolling balls. Trackers put a ball that rolls at z = 0, at its radius, or anywhere between. Sequences made as such feeds
make them, and recorded ones (soccer/dfl_*.csv, hawkeye_flight_*.csv in the folder that BALLCAST_DATA names, skipped
without it), are observed frame by frame. Counted are: frames whose normalised innovation squared (NIS) is beyond the
99.99 % quantile, after the first ten; frames whose belief of the position has a standard deviation of at most five
times the sensor's, along its widest axis; and forecasts 0.1 ... 1.0 s ahead whose mean is more than 1 mm below the
ground, z = 0 of the feed.

Held frames. On simulated table-tennis strokes (180 Hz, seen 0.25 s) a tracker repeats its last position, or writes
zeros. Measured is how often the 90 % region contains the ball, and the median error, relative to that without those
frames. `--through-files` writes each track to a file first and reads it, so that the readers' repairs count too.

Keys of the last line: PREDICTOR_nis_frames, _sd_share, _below_ground; PREDICTOR_CASE_AHEAD_coverage and _ratio.
"""

import json
import tempfile
from collections import namedtuple
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from scipy.stats import chi2

from ballcast import models, sim
from ballcast.evaluation import metrics
from ballcast.evaluation.splits import data_folder
from ballcast.evaluation.suites import from_balls, is_clear_of_edges
from ballcast.models.estimation.unknowns import to_belief
from ballcast.tracks import Track, read_track, write_track

PREDICTORS = ("gru", "gru_physics", "physics", "ukf")
NIS_BOUND, FIRST_FRAMES = chi2.ppf(0.9999, 3), 10
AHEAD = np.arange(1, 11) / 10  # s
MAX_SD_RATIO, GROUND_TOLERANCE = 5.0, 0.001  # sensor's standard deviations; m
ROLLING = (  # sport, z (m), rate (Hz), speed (m/s), deceleration (m/s2), duration (s)
    ("soccer", 0.0, 25.0, 9.0, 0.8, 5.0), ("soccer", 0.08, 25.0, 9.0, 0.8, 5.0), ("soccer", 0.11, 25.0, 9.0, 0.8, 5.0),
    ("basketball", 0.06, 120.0, 3.0, 0.2, 3.0), ("tennis", 0.033, 100.0, 5.0, 0.5, 2.0),
)  # fmt: skip
RATE, SEEN, HELD_AHEAD = 180.0, 0.25, (0.1, 0.3)  # Hz; s; s after the last frame
MIN_FRAMES = 36  # of a stroke, with missed ones
CASES = {  # name -> frames that are lost, and what the tracker writes instead
    "last_3_held": (slice(-3, None), "held"), "last_8_held": (slice(-8, None), "held"),
    "middle_8_held": (slice(16, 24), "held"), "last_5_zero": (slice(-5, None), "zero"),
    "middle_12_zero": (slice(14, 26), "zero"),
}  # fmt: skip

Estimate = namedtuple("Estimate", "mean covariance nis")  # unknowns (16,), (16, 16); of the last frame's innovation


def filter_estimate(stream, ball: int = 0) -> Estimate | None:
    """What the running filter under a network holds of a ball; None for predictors without one.

    stream: of one ball, or a StreamBatch
    """
    batch = getattr(stream, "batch", stream)
    if not hasattr(batch, "filter_states"):
        return None
    state = batch.filter_states[ball]
    covariance = state["P"].copy()
    covariance[3:9, 3:9] += state["jump"]
    return Estimate(state["x"].copy(), covariance, float(state["mahalanobis2"]))


# --- rolling balls ----------------------------------------------------------------------------------------------------


@dataclass
class Counts:
    """What is counted on one sequence."""

    frames: int = 0
    nis: int | None = None  # frames beyond NIS_BOUND; None: the predictor has no innovation
    narrow: int = 0  # frames whose position is known to MAX_SD_RATIO times the sensor's noise
    beliefs: int = 0  # frames with a belief
    below: int = 0  # forecasts below the ground
    forecasts: int = 0
    lowest: float = np.inf  # m, of all forecasts
    failures: int = 0  # forecasts that are not finite, or raised an error


def rolling_track(case: tuple, noise: float, seed: int = 0) -> Track:
    """A ball of ROLLING along y, as a feed shows it: its z is constant, but for the noise (m)."""
    _, z, rate, speed, deceleration, duration = case
    time = np.arange(int(duration * rate)) / rate
    y = speed * time - 0.5 * deceleration * time**2 - 10.0
    position = np.stack([1.0 + 0.05 * y, y, np.full(len(time), z)], axis=1)
    return Track(time, position + noise * np.random.default_rng(seed).standard_normal(position.shape))


def sequences(data: Path) -> Iterator[tuple[str, sim.Sport, Track]]:
    """(name, sport, track) of every rolling ball and of the recorded feeds."""
    for case in ROLLING:
        sport = sim.load(case[0])
        for noise in (0.0, sport.sensor.usual_noise):
            yield f"{case[0]} z={case[1]:g}, noise {1e3 * noise:.0f} mm", sport, rolling_track(case, noise)
    soccer = sim.load("soccer")
    files = [data / "soccer" / f"dfl_{name}.csv" for name in ("rolling_pass", "flat")]
    for path in [*files, *sorted((data / "soccer").glob("hawkeye_flight_*.csv"))]:
        if path.exists():
            yield path.stem, soccer, read_track(path, axes="-y,x,z")
        else:
            print(f"{path} does not exist: skipped")


def count_rolling(name: str, sport: sim.Sport, track: Track) -> Counts:
    """The Counts of a predictor that observes a track frame by frame, and forecasts after each."""
    stream, counts = models.load(name, sport).stream(), Counts(len(track))
    for k, (time, position) in enumerate(zip(track.time, track.position)):
        stream.observe(time, position)
        estimate = filter_estimate(stream)
        if estimate:
            counts.nis = (counts.nis or 0) + int(k >= FIRST_FRAMES and not estimate.nis <= NIS_BOUND)
        forecast = _forecast(stream, time, counts)
        belief = forecast.belief if forecast else None
        if estimate and not belief:
            belief = to_belief(estimate.mean, estimate.covariance)
        if belief is not None:
            covariance = belief.covariance[:3, :3]
            sd = np.sqrt(np.linalg.eigvalsh(covariance)[-1]) if np.isfinite(covariance).all() else np.inf
            counts.beliefs += 1
            counts.narrow += int(sd <= MAX_SD_RATIO * sport.sensor.usual_noise)
    return counts


def _forecast(stream, time, counts):
    """The Forecast AHEAD of the last frame; None if there are too few frames or it failed. It is counted."""
    try:
        forecast = stream.forecast(time + AHEAD)
    except models.HistoryTooShort:
        return None
    except Exception as error:  # noqa: BLE001 - a benchmark counts what goes wrong
        print(f"  failed at {time:g} s: {type(error).__name__}: {error}")
        counts.failures += 1
        return None
    z = forecast.mean[:, 2]
    counts.forecasts += len(z)
    counts.failures += int(not np.isfinite(forecast.mean).all())
    counts.below += int((z < -GROUND_TOLERANCE).sum())
    counts.lowest = min(counts.lowest, float(z.min()))
    return forecast


def rolling(name: str, data: Path) -> dict:
    """Print the Counts of a predictor on every sequence; return the totals."""
    title = f"{name}: rolling balls and flights"
    print(f"\n{title:<46} {'frames':>6} {'NIS':>6} {'sd<=5':>6} {'below':>6} {'of':>6} {'lowest':>9}")
    every = []
    for label, sport, track in sequences(data):
        if name in models.available(sport):
            every.append(count_rolling(name, sport, track))
            print_counts(label, every[-1])
    nis = None if any(c.nis is None for c in every) else sum(c.nis for c in every)
    total = Counts(nis=nis, lowest=min(c.lowest for c in every))
    for field in ("frames", "narrow", "beliefs", "below", "forecasts", "failures"):
        setattr(total, field, sum(getattr(c, field) for c in every))
    print_counts("all", total)
    print(f"{'asked':<46} {'':>6} {'<=3':>6} {'>=90%':>6} {'0':>6}")
    share = round(total.narrow / max(total.beliefs, 1), 3)
    keys = {"nis_frames": nis, "sd_share": share, "below_ground": total.below, "failures": total.failures}
    return {f"{name}_{key}": value for key, value in keys.items()}


def print_counts(label: str, c: Counts) -> None:
    """Print one row."""
    nis, share = "-" if c.nis is None else c.nis, f"{c.narrow / max(c.beliefs, 1):.0%}"
    failed = f"  {c.failures} forecasts failed" if c.failures else ""
    below = f"{c.below:>6} {c.forecasts:>6} {f'{1e3 * c.lowest:.0f} mm':>9}"
    print(f"{label:<46} {c.frames:>6} {nis:>6} {share:>6} {below}{failed}", flush=True)


# --- held frames ------------------------------------------------------------------------------------------------------


def strokes(count: int):
    """(Suite, rows, histories) of `count` simulated strokes, seen SEEN s."""
    sport = sim.load("table_tennis")
    suite = from_balls("sim", sport, sim.draw(sport, 2 * count + 20, seed=7, purpose="test", rate=RATE))
    histories = {i: track.until(track.time[0] + SEEN) for i, track in enumerate(suite.tracks) if len(track)}
    histories = {i: track for i, track in histories.items() if len(track) >= MIN_FRAMES}
    rows = np.array([*histories])[:count]
    return suite, rows, [histories[i] for i in rows]


def faulty(track: Track, lost: slice, instead: str) -> tuple[Track, Track]:
    """The track with the frames `lost` held or at zero, and without these frames."""
    is_lost, position = np.zeros(len(track), bool), track.position.copy()
    is_lost[lost] = True
    position[is_lost] = 0.0 if instead == "zero" else position[is_lost.argmax() - 1]
    return Track(track.time, position, track.name), track[~is_lost]


def as_read(track: Track, folder: str) -> Track:
    """The track, written to a file and read again."""
    write_track(Path(folder) / "track.csv", track)
    return read_track(Path(folder) / "track.csv")


def held(name: str, count: int, through_files: bool) -> dict:
    """Print coverage and errors of a predictor for all CASES; return them by their keys."""
    suite, rows, histories = strokes(count)
    times = np.array([track.time[-1] for track in histories])[:, None] + HELD_AHEAD
    truth, predictor = suite.flight(rows, times).position, models.load(name, suite.sport)
    is_clear, result = is_clear_of_edges(suite, rows, times[:, -1]), {}
    print(f"\n{name}: {len(rows)} strokes{'':>16} {'ahead':>6} {'in 90%':>7} {'error':>9} {'missing':>9} {'ratio':>6}")
    for case, (lost, instead) in CASES.items():
        pairs = [faulty(track, lost, instead) for track in histories]
        if through_files:
            with tempfile.TemporaryDirectory() as folder:
                pairs = [(as_read(with_fault, folder), missing) for with_fault, missing in pairs]
        found, missing = (predictor.forecast_batch(list(tracks), times) for tracks in zip(*pairs))
        mean, without = (np.array([f.mean for f in forecasts]) for forecasts in (found, missing))
        inside = metrics.in_region(mean, np.array([f.covariance for f in found]), truth, 0.9)[is_clear].mean(axis=0)
        error, reference = (np.median(metrics.distance(m, truth), axis=0) for m in (mean, without))
        for k, ahead in enumerate(HELD_AHEAD):
            ratio = error[k] / reference[k]
            mm = f"{1e3 * error[k]:>6.1f} mm {1e3 * reference[k]:>6.1f} mm"
            print(f"{case:<28} {f'+{ahead:g} s':>12} {inside[k]:>7.0%} {mm} {ratio:>6.2f}", flush=True)
            key = f"{name}_{case}_{1e3 * ahead:.0f}ms"
            result |= {f"{key}_coverage": round(float(inside[k]), 3), f"{key}_ratio": round(float(ratio), 3)}
    print(f"{'asked':<28} {'':>12} {'>=85%':>7} {'':>9} {'':>9} {'<=2':>6}")
    return result


def main(predictor: tuple[str, ...] = PREDICTORS, balls: int = 300, part: tuple[str, ...] = ("rolling", "held"),
         through_files: bool = False):  # fmt: skip
    result, data = {}, data_folder()
    for name in predictor:
        if "rolling" in part:
            result |= rolling(name, data)
        if "held" in part:
            result |= held(name, balls, through_files)
    print(json.dumps(result))


if __name__ == "__main__":
    tyro.cli(main, description=__doc__.splitlines()[0])
