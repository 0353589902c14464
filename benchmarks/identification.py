"""System identification, measured: python -m benchmarks.identification [--parts halves friction simulated wrong]

halves      of each recorded set, half of the files (crc32 of the name even) are identified, as models.identify does;
            the other half is forecast with the sport as it ships, and with the file that was found
friction    what the recordings say of the friction of MPI's table, whose balls grip
simulated   places with known numbers, --tracks of each: errors in standard errors, and how often the 95 % intervals
            hold the truth
wrong       what is said of recordings that cannot be right

Recorded balls are in BALLCAST_DATA. Keys of the last line: lfg_ratio (physics, +0.4 s after 0.2 s, with the file over
without), SET_PREDICTOR_ratio (all errors), mpi_friction_low and _high, coverage, within_2.
"""

import json
import math
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import tyro
from scipy import stats

from ballcast import command, models, sim
from ballcast.evaluation.real import read_set
from ballcast.evaluation.splits import RecordedSet, data_folder, recorded_sets
from ballcast.models import held_out
from ballcast.models.estimation.identification import Identified, identify
from ballcast.models.estimation.identification_table import half_width, rows
from ballcast.models.estimation.identified_sport import place_sport, place_text
from ballcast.models.estimation.laws import Change, changed
from ballcast.models.estimation.recordings_check import check_recordings
from ballcast.models.estimation.track_messages import SHARED
from ballcast.sim.sport import Sport, read_toml
from ballcast.tracks import Track

SETS = ("lfg", "spindoe", "mpi", "tt3d")
PREDICTORS = ("physics", "gru", "gru_physics")
NOISES = ("noise x", "noise y", "noise z", "jitter")
MIN_TRACKS = 10
DRIFT_RATIO, DRIFT_TIME, JITTER = 0.5, 0.01, 4e-4  # of the simulated trackers: over the noise, s, s
FIRST_SEED = 900  # of the simulated tracks, purpose `data`: no test ball is among them
TABLE = 0  # the surface whose numbers are changed


@dataclass(frozen=True)
class Options:
    """System identification, measured on recorded and simulated places."""

    parts: tuple[str, ...] = ("halves", "friction", "simulated", "wrong")
    predictor: tuple[str, ...] = PREDICTORS
    repeats: int = 20  # simulated places
    tracks: int = 60  # of each


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    found: dict[str, float] = {}
    parts = {"halves": halves, "friction": friction, "simulated": simulated, "wrong": wrong}
    if unknown := set(options.parts) - set(parts):
        command.fail("benchmarks.identification", f"--parts {unknown.pop()}: unknown; one of {', '.join(parts)}")
    for name in options.parts:
        print(f"\n{name}", flush=True)
        found |= parts[name](options)
    print(json.dumps({key: round(value, 4) for key, value in found.items()}))


def half_of(name: str) -> int:
    """Which half of a set a file is in: 0 is identified, 1 is scored."""
    return zlib.crc32(name.encode()) % 2


def sets_there() -> Iterator[tuple[RecordedSet, list[Track], Sport]]:
    """The recorded sets that are in the folder, with their tracks and sports."""
    for name in SETS:
        chosen = recorded_sets()[name]
        tracks = read_set(chosen, data_folder())
        if tracks:
            yield chosen, tracks, sim.load(chosen.sport).without(*chosen.without)
        else:
            print(f"{name}: skipped, it is not in {data_folder()}")


def halves(options: Options) -> dict[str, float]:
    """Identify half of each set, forecast the other half; ratios of the errors."""
    found = {}
    for chosen, tracks, sport in sets_there():
        used, scored = ([t for t in tracks if half_of(t.name) == k] for k in (0, 1))
        place = through_file(chosen, sport, used)
        print(f"{chosen.name}: {len(used)} tracks identified, {len(scored)} scored")
        for name in options.predictor:
            before, after = (held_out.errors(models.load(name, s), scored) for s in (sport, place))
            for cell in held_out.compare(before, after):
                print(f"  {name:12} {cell['history']:g} s, +{cell['horizon']:g} s  {1e3 * cell['before']:6.1f} -> "
                      f"{1e3 * cell['after']:6.1f} mm  ratio {cell['ratio']:.2f} ({cell['low']:.2f} to "
                      f"{cell['high']:.2f}), {cell['tracks']} tracks", flush=True)  # fmt: skip
                if (chosen.name, name, cell["history"], cell["horizon"]) == ("lfg", "physics", 0.2, 0.4):
                    found["lfg_ratio"] = cell["ratio"]
            ratio, low, high = held_out.overall(before, after)
            print(f"  {name:12} all errors: {ratio:.2f} ({low:.2f} to {high:.2f})")
            found[f"{chosen.name}_{name}_ratio"] = ratio
    return found


def through_file(chosen: RecordedSet, sport: Sport, tracks: list[Track]) -> Sport:
    """The sport of the place, written and read as by the command. Without the choice that kept tracks make."""
    identified = identify(sport, tracks)
    names = [track.name for track in tracks]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "place.toml"
        place = place_sport(identified)
        path.write_text(place_text(read_toml(chosen.sport)[0], identified, place, names, "benchmark", ""))
        return sim.load(path).without(*chosen.without)


def friction(options: Options) -> dict[str, float]:
    """The 95 % interval of the friction of MPI's table."""
    for chosen, tracks, sport in sets_there():
        if chosen.name == "mpi":
            found = identify(sport, tracks)
            row = next(row for row in rows(sport, found, place_sport(found, False)) if "friction" in row.name)
            print(f"{row.name}: {row.after:.3f}, interval {row.low:.3f} to {row.high:.3f}, {len(tracks)} tracks")
            return {"mpi_friction_low": row.low, "mpi_friction_high": min(row.high, 9.0)}
    return {}


def make_place(number: int) -> tuple[Sport, np.ndarray]:
    """The sport of a place, and its numbers: SHARED, then logarithms of the noise of the axes and of the jitter."""
    sport, random = sim.load("table_tennis").without("net"), np.random.default_rng((7, number))
    logs = [random.normal(0.0, 0.15), random.normal(0.0, 0.15), random.uniform(-0.06, 0.01), random.normal(0.0, 0.2)]
    height, slope, tilt = (
        random.normal(0.0, 0.005),
        random.uniform(-0.012, 0.008),
        np.radians(random.normal(0.0, 0.3, 2)),
    )
    noise = math.exp(random.uniform(math.log(0.001), math.log(0.006)))
    place = changed(sport, Change(*np.exp(logs), slope, height, *tilt), TABLE)
    drift = replace(sport.sensor.drift, share=1.0, ratio=(DRIFT_RATIO,) * 2, time=(DRIFT_TIME,) * 2, turns=0.0)
    frame = replace(place.sensor.frame, height=0.0, tilt=0.0)
    sensor = replace(sport.sensor, noise=(noise, noise), jitter=(JITTER, JITTER), drift=drift, frame=frame)
    seen = math.log(noise * math.hypot(1.0, DRIFT_RATIO))
    truth = np.array([*logs, height, slope, *tilt, seen, seen, seen, math.log(JITTER)])
    return replace(place, sensor=sensor, spread=replace(sport.spread, places=None)), truth


def tracks_of(sport: Sport, count: int, seed: int) -> list[Track]:
    """Simulated tracks of a place."""
    balls = sim.draw(sport, count, seed=seed, purpose="data")
    parts = [slice(*balls.offsets[i : i + 2]) for i in range(count)]
    return [Track(balls.time[part], balls.position[part], f"{i:03d}") for i, part in enumerate(parts)]


def estimates(found: Identified) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Values (12,), standard errors, lower and upper ends of the 95 % intervals, as make_place has them."""
    value, error, half = found.shared.copy(), np.sqrt(np.diag(found.population.covariance)), half_width(found)
    low, high = value - half, value + half
    if found.friction:
        ends = value[3] + np.array([found.friction.middle, found.friction.low, found.friction.high])
        (value[3], low[3], high[3]), error[3] = ends, found.friction.sd
    noise, error_n = np.log(found.noise.sd), found.noise.error
    half_n = stats.t.ppf(0.975, len(found.fits) - 1) * error_n
    return (np.append(value, noise), np.append(error, error_n), np.append(low, noise - half_n),
            np.append(high, noise + half_n))  # fmt: skip


def simulated(options: Options) -> dict[str, float]:
    """Identify simulated places; how far off the numbers are."""
    names, sport = (*SHARED, *NOISES), sim.load("table_tennis").without("net")
    errors, inside = [], []
    for number in range(options.repeats):
        place, truth = make_place(number)
        value, error, low, high = estimates(identify(sport, tracks_of(place, options.tracks, FIRST_SEED + number)))
        errors.append((value - truth) / error)
        inside.append((low <= truth) & (truth <= high))
    z, held = np.array(errors), np.array(inside)
    print(f"{options.repeats} places of {options.tracks} tracks; the first: {np.round(z[0], 1)} standard errors")
    print(f"{'number':12} mean error / se   rms   within 2 se   in the 95 % interval")
    for k, name in enumerate(names):
        print(f"{name:12} {z[:, k].mean():15.2f} {np.sqrt((z[:, k] ** 2).mean()):5.2f} "
              f"{np.mean(abs(z[:, k]) < 2):13.2f} {held[:, k].mean():22.2f}")  # fmt: skip
    print(f"{'all':12} {'':15} {np.sqrt((z**2).mean()):5.2f} {np.mean(abs(z) < 2):13.3f} {held.mean():22.3f}")
    return {"coverage": float(held.mean()), "within_2": float(np.mean(abs(z) < 2))}


def wrong(options: Options) -> dict[str, float]:
    """What is said of recordings that cannot be right."""
    lifted, random = np.array([0.0, 0.0, 0.1]), np.random.default_rng(0)
    refused = 0
    for chosen, tracks, sport in sets_there():
        noise = [Track(t.time, random.uniform(-1, 1, t.position.shape), t.name) if i % 2 else t
                 for i, t in enumerate(tracks)]  # fmt: skip
        cases = {
            "3 tracks": (sport, tracks[:3]),
            "as tennis": (sim.load("tennis"), tracks),
            "10 cm too high": (sport, [Track(t.time, t.position + lifted, t.name) for t in tracks]),
            "half corrupt": (sport, noise),
            "with a net": (sim.load(chosen.sport), tracks),
            "as they are": (sport, tracks),
        }
        for name, (as_sport, as_tracks) in cases.items():
            try:
                answer = "; ".join(check_recordings(as_sport, as_tracks, MIN_TRACKS)) or "fine"
            except ValueError as error:
                answer, refused = f"refused: {error}", refused + 1
            print(f"{chosen.name}, {name}: {answer}")
    return {"refused": float(refused)}


if __name__ == "__main__":
    main()
