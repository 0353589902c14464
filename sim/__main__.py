"""Write a generated set of balls: what was seen of them, and the truth.

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
    """Write a generated set of balls: what was seen of them, and the truth."""

    sport: Annotated[str, tyro.conf.Positional] = ""
    """a sport's name, or a .toml file of your own"""
    tracks: int = 1000
    """how many balls"""
    first: int = 0
    """number of the first: any slice of the same endless set"""
    seed: int = 0
    """of the set"""
    purpose: str = "data"
    """data, or train, validation, test: sets that share no ball"""
    join: tuple[Path, ...] = ()
    """slices of one set to put together, in place of a sport"""
    out: Path
    """the file to write, .npz; one that stands there is replaced"""


def main():
    asked = command.options(Options, "python -m ballcast.sim")
    command.run("python -m ballcast.sim", lambda: run(asked))


def run(asked):
    """Write what was asked for. Raises ValueError or OSError, one line each."""
    from ballcast.sim.sets import join_sets, write_set
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from ballcast import sim

    check(asked, sim.names())
    start, console = time.perf_counter(), Console(stderr=True)
    columns = TextColumn(asked.out.name, markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    count = sum(len(sim.open_set(part)) for part in asked.join) if asked.join else asked.tracks
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task("", total=count)
        if asked.join:
            join_sets(asked.out, asked.join, lambda done: bar.advance(task, done))
        else:
            told = asked.tracks, asked.first, asked.seed, asked.purpose
            write_set(asked.out, asked.sport, *told, progress=lambda done: bar.advance(task, done))
    took, size = time.perf_counter() - start, asked.out.stat().st_size
    print(f"{asked.out}: {count} tracks, {size / 1e6:.1f} MB, {count / took:,.0f} tracks/s")


def check(asked, names):
    """Refuse what cannot work before anything takes time. Raises ValueError."""
    if bool(asked.sport) == bool(asked.join):
        raise ValueError(f"name a sport ({', '.join(names)}), or slices with --join")
    if asked.out.suffix != ".npz":
        raise ValueError(f"--out {asked.out}: name the file to write, one that ends in .npz")
    if asked.out.is_dir() or not os.access(asked.out.absolute().parent, os.W_OK):
        raise ValueError(f"--out {asked.out}: cannot be written there; name a file in a folder that can be written to")
    if asked.tracks < 1 or asked.first < 0 or asked.seed < 0:
        raise ValueError(f"--tracks {asked.tracks} must be at least 1, --first {asked.first} and --seed at least 0")


if __name__ == "__main__":
    main()
