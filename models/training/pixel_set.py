"""A set of balls that random cameras saw, as a network reads them: features of every frame, and targets.

    python -m ballcast.models.training.pixel_set runs/pixels --balls 4096 --processes 2
    python train.py --sport all --finetune models/weights/gru.safetensors --pixels runs/pixels

The filter on pixels takes thousands of times longer than the network, so a set is made once. It is a folder of parts,
each of PART_BALLS balls of one sport, which depend on the seed and on the number of the part alone. A command that was
stopped continues: parts that are there are kept. Half of the balls are seen by one camera, the others by two or three.
"""

import dataclasses
import io
import itertools
import math
import multiprocessing
import os
import signal
import sys
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import tyro
from rich.console import Console
from rich.progress import Progress

from ballcast import command, sim
from ballcast.models.encoding.features import FEATURE_SIZES, FeatureFrontend
from ballcast.models.encoding.pixel_features import read_filter
from ballcast.models.estimation.filter_state import new_filter_states
from ballcast.models.estimation.pixel_filter import PixelFilter
from ballcast.models.estimation.unknowns import HEIGHT, UNKNOWNS
from ballcast.models.runtime.weights import FEATURES_VERSION
from ballcast.models.training.batches import (
    TARGET_LIMIT,
    VARIANT_PERIOD,
    Batch,
    Starts,
    Targets,
    future_of,
    new_starts,
    residual_batch,
    spread_frames,
)
from ballcast.models.training.sports import SportPool, random_count_of, sports_of
from ballcast.sim.files import write_atomically
from ballcast.sim.kernels.packed import pack
from ballcast.tracks.camera import Camera

PROGRAM = "python -m ballcast.models.training.pixel_set"
PART_BALLS = 16
CAMERA_SHARES = (0.5, 0.3, 0.2)  # of the balls are seen by one camera, by two, by three
MAX_FRAMES, LOSS_FRAMES = 128, 24  # of a ball: frames at most, and frames with a loss
MIN_FRAMES = 4  # with fewer a ball teaches nothing
KEPT_PERIOD = 8  # one part in so many is kept to validate on
DESCRIPTION = ("counts", "cameras", "sport", "variant")  # of each ball
# what calibration needs of a part that is kept: at the loss frames, the filter's x (B, n, 16) and the lower triangle of
# its covariance (B, n, 136); true positions then and at the horizons (B, n, 21, 3) m; landings as in Targets, or NaN
KEPT_FIELDS = ("x", "triangle", "path", "next_landing")
TRIANGLE = np.tril_indices(UNKNOWNS)
FIELDS = tuple(name for name in Batch._fields if name not in ("future_known", "paths", "frame_count", "later"))


@dataclass(frozen=True)
class Options:
    """Make a set of balls that random cameras saw, to train on with train.py --pixels."""

    folder: Annotated[Path, tyro.conf.Positional]  # where the parts are written
    sport: tuple[str, ...] = ("all",)  # as for train.py
    balls: int = 4096  # how many
    seed: int = 0  # of the balls and of the cameras
    processes: int = 1  # that make parts at the same time


class Seen(NamedTuple):
    """What a filter held of a ball at its frames, from the first with a belief on."""

    time: np.ndarray  # (T,) s, true times of the frames by the mean of the cameras' clocks
    features: np.ndarray  # (T, F + 1)
    starts: Starts  # of shape (T,)
    covariance: np.ndarray  # (T, 16, 16)
    cameras: int  # number that saw it


def main() -> None:
    options = command.options(Options, PROGRAM)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)  # both stop it as Ctrl-C does
    command.run(PROGRAM, lambda: make(options))


def make(options: Options) -> None:
    """Make the parts of a set that are not there. Raises ValueError or OSError, one line each."""
    if options.balls < PART_BALLS or options.seed < 0 or options.processes < 1:
        raise ValueError(f"--balls must be {PART_BALLS} or more, --seed 0 or more, --processes 1 or more")
    sports_of(options.sport)  # an unknown one is refused here
    options.folder.mkdir(parents=True, exist_ok=True)
    numbers = range(math.ceil(options.balls / PART_BALLS))
    missing = [n for n in numbers if not part_file(options.folder, options.seed, n).exists()]
    work = [(options.folder, options.sport, options.seed, n) for n in missing]
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("balls seen by cameras", total=len(numbers), completed=len(numbers) - len(missing))
        try:
            for _ in _mapped(work, options.processes):
                bar.advance(task)
        except KeyboardInterrupt:
            print(f"stopped; the same command continues, and keeps the parts in {options.folder}", file=sys.stderr)
            raise
    print(f"{options.folder}: {len(numbers)} parts of {PART_BALLS} balls; train with --pixels {options.folder}")


def _mapped(work, processes):
    """Make parts, in this process or in several; yields as often as one is made."""
    if processes == 1:
        yield from map(_make_part, work)
        return
    with multiprocessing.get_context("spawn").Pool(processes, _ignore_interrupts) as pool:
        yield from pool.imap_unordered(_make_part, work)


def _ignore_interrupts():
    """Ctrl-C is for the process that started this one; each process has one thread."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ["NUMBA_NUM_THREADS"] = "1"


def _make_part(work):
    folder, sports, seed, number = work
    write_part(part_file(folder, seed, number), make_part(sports, seed, number))


def part_file(folder: Path, seed: int, number: int) -> Path:
    """The file of a part."""
    return folder / f"pixels-{seed}-{number:05d}.npz"


def make_part(sports: str | Sequence[str], seed: int, number: int, purpose: str = "train") -> dict[str, np.ndarray]:
    """The arrays of a part by the names of Batch, and `cameras` (B,), how many cameras saw each ball."""
    generator = np.random.default_rng((21, seed, number))
    pool = SportPool(sports_of(sports), random_count_of(sports), "filter", purpose)
    index = int(pool.draw(generator, 1)[0])
    is_variant = number % VARIANT_PERIOD == 0 and pool.has_variants(index)
    sport, frontend = pool[2 * index + is_variant]
    first = number * PART_BALLS
    balls = sim.draw(sport, PART_BALLS, first, seed, purpose, cameras=lambda n: rig(sport, seed, n, purpose))
    balls = dataclasses.replace(balls, frame=np.zeros_like(balls.frame))  # cameras are in the sport's frame
    seen, rows = [], []
    for b in range(PART_BALLS):
        followed = follow(sport, frontend, balls.pixels, b)
        if followed is not None:
            seen.append(followed)
            rows.append(b)
    part = _part(frontend, balls, np.array(rows, int), seen, generator.random((PART_BALLS, LOSS_FRAMES)))
    return part | {
        "sport": np.array([pool.sport_name(index)] * len(rows), str),
        "variant": np.full(len(rows), is_variant),
    }


def rig(sport: sim.Sport, seed: int, number: int, purpose: str = "train") -> tuple[sim.PixelSensor, ...]:
    """The random cameras that see a ball of that number."""
    draw = np.random.default_rng((22, seed, number)).random()
    count = 1 + int(np.searchsorted(np.cumsum(CAMERA_SHARES)[:-1], draw, side="right"))
    return sim.random_cameras(sport, count, seed, purpose, number=number)


def follow(sport: sim.Sport, frontend: FeatureFrontend, pixels: sim.Pixels, ball: int) -> Seen | None:
    """Run the filter over the pixels of a ball, by its row; None if it has too few frames."""
    packed, shape = pack(frontend), (MAX_FRAMES,)
    features, starts, n = np.zeros((*shape, FEATURE_SIZES["filter"] + 1)), new_starts(frontend, shape), 0
    times, covariance, last, cameras = np.zeros(shape), np.zeros((*shape, UNKNOWNS, UNKNOWNS)), None, 0
    for frame, states in itertools.islice(filter_states(sport, pixels, ball), MAX_FRAMES):
        gap = 0.0 if last is None else max(frame.time - last, 0.0)
        read_filter(packed, states, gap, features[n], starts.x[n], starts.variances[n], starts.cholesky[n])
        times[n], covariance[n] = max(frame.time - frame.late, 0.0), states[0]["P"]
        last, cameras, n = frame.time, frame.cameras, n + 1
    if n < MIN_FRAMES:
        return None
    times = np.maximum.accumulate(times[:n])
    return Seen(times, features[:n], Starts(*(a[:n] for a in starts)), covariance[:n], cameras)


class Frame(NamedTuple):
    """A frame of a ball that cameras saw."""

    time: float  # s, its stamp
    pixel: np.ndarray  # (2,) px
    camera: Camera  # as calibrated
    diameter: float | None  # px
    late: float  # s, of the mean clock of the cameras that have seen the ball: filters take that for the time
    cameras: int  # that have seen the ball


def frames_of(pixels: sim.Pixels, ball: int) -> Iterator[Frame]:
    """The frames of a ball, by its row."""
    sensors = pixels.sensors[ball]
    cameras, late = [Camera(*sensor.calibrated) for sensor in sensors], {}
    for t, pixel, c, diameter in zip(*pixels.of(ball)):
        late[int(c)] = sensors[c].clock_offset
        size = float(diameter) if np.isfinite(diameter) else None
        yield Frame(float(t), pixel, cameras[c], size, float(np.mean(list(late.values()))), len(late))


def filter_states(sport: sim.Sport, pixels: sim.Pixels, ball: int) -> Iterator[tuple[Frame, np.ndarray]]:
    """(Frame, states (1,)) of the frames of a ball after which a filter has a belief. The states are the filter's own
    and change."""
    running, states = PixelFilter(sport), new_filter_states(1)
    for frame in frames_of(pixels, ball):
        if running.observe(states[0], frame.time, frame.pixel, frame.camera, frame.diameter):
            yield frame, states


def _part(frontend, balls, rows, seen, jitter):
    """The arrays of a part of the balls at those rows."""
    counts = np.array([len(each.time) for each in seen], int)
    loss_frames = spread_frames(jitter[rows], counts)
    longest = int(counts.max(initial=1))
    times = np.zeros((len(rows), longest))
    features = np.zeros((*times.shape, FEATURE_SIZES["filter"] + 1), np.float32)
    starts, moments = new_starts(frontend, loss_frames.shape), np.zeros(loss_frames.shape)
    for k, each in enumerate(seen):
        features[k, : counts[k]], frames = each.features, loss_frames[k]
        times[k] = np.concatenate([each.time, np.full(longest - counts[k], each.time[-1])]) - each.time[0]
        moments[k] = each.time[frames]
        for into, of in zip(starts, each.starts):
            into[k] = of[frames]
    future, has_landing, landing, truth = _truth(balls, rows, moments)
    triangles = [each.covariance[frames][:, *TRIANGLE] for each, frames in zip(seen, loss_frames)]
    path, next_landing = (
        np.concatenate([truth[..., None, :3], future], 2),
        np.where(has_landing[..., None], landing, np.nan),
    )
    kept = {"x": starts.x.copy(), "triangle": np.array(triangles).reshape(*moments.shape, -1), "path": path,
            "next_landing": next_landing}  # fmt: skip
    targets = Targets(truth, future, None, has_landing, landing)
    batch, *_ = residual_batch(frontend, features, times, loss_frames, int(counts.sum()), starts, targets, TARGET_LIMIT)
    batch.active[:, HEIGHT] = 0.0  # cameras are in the place's frame: it is known
    cameras = np.array([each.cameras for each in seen], int)
    return {name: getattr(batch, name) for name in FIELDS} | kept | {"counts": counts, "cameras": cameras}


def _truth(balls, rows, moments):
    """future, has_landing and landing as in Targets, and the true unknowns (B, n, UNKNOWNS), after times (B, n) s of
    the balls at rows (B,)."""
    all_moments = np.zeros((len(balls), moments.shape[1]))
    all_moments[rows] = moments
    future, has_landing, landing = (a[rows] for a in future_of(balls, all_moments))
    flight = balls.flight(strictly_increasing(all_moments))
    parameters = np.concatenate([np.log(balls.parameters[:, :4]), balls.parameters[:, 4:]], 1)[rows]
    truth = np.zeros((*moments.shape, UNKNOWNS))
    truth[..., :9] = np.concatenate([flight.position, flight.velocity, flight.spin], 2)[rows]
    truth[..., 9:HEIGHT] = parameters[:, None]
    return future, has_landing, landing, truth


def strictly_increasing(times: np.ndarray) -> np.ndarray:
    """Times (B, n) s that do not decrease, moved by nanoseconds."""
    return np.maximum.accumulate(times + 1e-9 * np.arange(times.shape[1]), axis=1)


def write_part(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write a part, atomically; what calibration needs only if it is kept."""
    content, kept = io.BytesIO(), is_kept(path)
    written: dict[str, Any] = {name: a for name, a in arrays.items() if kept or name not in KEPT_FIELDS}
    np.savez_compressed(content, version=FEATURES_VERSION, **written)
    write_atomically(path, content.getvalue())


class PixelSet:
    """The balls of a set, all in memory: Batches by rows."""

    def __init__(self, folder: Path | str, kept: bool | None = None):
        """kept: only the parts that are kept to validate on, or only the others; None: all. ValueError, one line, if
        there are none, or if they are of another Ballcast."""
        files = sorted(Path(folder).glob("pixels-*.npz"))
        chosen = [file for file in files if kept is None or kept == is_kept(file)]
        if not chosen:
            raise ValueError(f"--pixels {folder}: holds too few balls; make some: {PROGRAM} {folder}")
        parts = [_read_part(file) for file in chosen]
        self.counts, self.cameras, self.sport, self.variant = (
            np.concatenate([part[name] for part in parts]) for name in DESCRIPTION
        )
        longest = int(self.counts.max())
        for part in parts:
            missing = longest - part["times"].shape[1]
            part["features"] = np.pad(part["features"], [(0, 0), (0, missing), (0, 0)])
            part["times"] = np.concatenate([part["times"], np.repeat(part["times"][:, -1:], missing, axis=1)], 1)
        own = [part for part in parts if len(part["counts"])]
        names = (*FIELDS, *(KEPT_FIELDS if kept else ()))
        self.arrays = {name: np.concatenate([part[name] for part in own]) for name in names}

    def __len__(self) -> int:
        return len(self.counts)

    def batch(self, rows: np.ndarray) -> Batch:
        """The Batch of the balls at these rows. All of their future is known, and said to be."""
        frames = int(self.counts[rows].max())
        fields: dict[str, Any] = {name: self.arrays[name][rows] for name in FIELDS}
        fields |= {name: fields[name][:, :frames] for name in ("features", "times")}
        known = np.ones(fields["future"].shape[:-1], np.float32)
        return Batch(**fields, future_known=known, paths=None, frame_count=int(self.counts[rows].sum()))


def is_kept(file: Path) -> bool:
    """Whether a part is kept to validate on, by its number."""
    return int(file.stem.rpartition("-")[2]) % KEPT_PERIOD == KEPT_PERIOD - 1


def _read_part(file):
    """The arrays of a part."""
    try:
        with np.load(file) as arrays:
            names = (*FIELDS, *DESCRIPTION, *(KEPT_FIELDS if is_kept(file) else ()))
            part = {name: arrays[name] for name in names}
            version = int(arrays["version"])
    except (OSError, KeyError, ValueError, zipfile.BadZipFile):
        raise ValueError(f"--pixels: {file} is not a part made by {PROGRAM}, or not whole; remove it") from None
    if version != FEATURES_VERSION:
        raise ValueError(f"--pixels: {file} holds features of version {version}, and this Ballcast reads version "
                         f"{FEATURES_VERSION}; make another set: {PROGRAM}")  # fmt: skip
    return part


if __name__ == "__main__":
    main()
