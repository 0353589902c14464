"""Write a generated set of balls: what was measured of them, and the truth.

python -m ballcast.sim table_tennis --tracks 10000 --seed 0 --out set.npz
python -m ballcast.sim table_tennis --tracks 5000 --first 5000 --out second.npz    # any slice of the same endless set
python -m ballcast.sim --join first.npz second.npz --out set.npz                   # equal, byte for byte, to the whole
"""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from ballcast import command


@dataclass(frozen=True, kw_only=True)
class Options:
    """Write a generated set of balls: what was measured of them, and the truth."""

    sport: Annotated[str, tyro.conf.Positional] = ""  # a sport's name, or a .toml file of your own
    tracks: int = 1000  # how many balls
    first: int = 0  # number of the first: any slice of the same endless set
    seed: int = 0  # of the set
    purpose: str = "data"  # data, or train, validation, test: sets that share no ball
    join: tuple[Path, ...] = ()  # slices of one set to put together, in place of a sport
    out: Path  # the file to write, .npz; one that is there is replaced


def main() -> None:
    options = command.options(Options, "python -m ballcast.sim")
    command.run("python -m ballcast.sim", lambda: run(options))


def run(options: Options) -> None:
    """Write the file. Raises ValueError or OSError with one line."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from ballcast import sim
    from ballcast.sim.sets import join_sets, write_set

    check(options, sim.names())
    start, console = time.perf_counter(), Console(stderr=True)
    columns = TextColumn(options.out.name, markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    count = sum(len(sim.open_set(part)) for part in options.join) if options.join else options.tracks
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task("", total=count)
        if options.join:
            join_sets(options.out, options.join, lambda done: bar.advance(task, done))
        else:
            selection = options.sport, options.tracks, options.first, options.seed, options.purpose
            write_set(options.out, *selection, progress=lambda done: bar.advance(task, done))
    took, size = time.perf_counter() - start, options.out.stat().st_size
    print(f"{options.out}: {count} tracks, {size / 1e6:.1f} MB, {count / took:,.0f} tracks/s")


def check(options: Options, names: list[str]) -> None:
    """Refuse options that cannot work. Raises ValueError."""
    if bool(options.sport) == bool(options.join):
        raise ValueError(f"name a sport ({', '.join(names)}), or slices with --join")
    if options.out.suffix != ".npz":
        raise ValueError(f"--out {options.out}: name the file to write, one that ends in .npz")
    if options.out.is_dir() or not os.access(options.out.absolute().parent, os.W_OK):
        raise ValueError(f"--out {options.out}: cannot be written there; name a file in another folder")
    if options.tracks < 1 or options.first < 0 or options.seed < 0:
        raise ValueError(f"--tracks {options.tracks} must be at least 1, --first {options.first} and --seed at least 0")


if __name__ == "__main__":
    main()
