"""System identification: what a folder of recordings tells of its place, as a sport's file that every program takes.

python -m ballcast.models.identify recordings/ --sport table_tennis --without net --out mine.toml
python play.py --sport mine.toml; python evaluate.py --sport mine.toml --tracks recordings/

Fitted are drag, lift, restitution and its slope, friction, the height and tilt of the tracker's frame, its noise and
jitter, how balls differ, and how they are launched. About one track in five is kept out; their forecasts by `physics`
are compared before and after. docs/identification.md says what the intervals mean.
"""

import contextlib
import datetime
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from ballcast import command, sim
from ballcast.models import held_out
from ballcast.models.estimation.identification import MIN_WEIGHT, Identified, identify
from ballcast.models.estimation.identification_table import Row, rows
from ballcast.models.estimation.identified_sport import place_sport, place_text
from ballcast.models.estimation.recordings_check import check_recordings
from ballcast.models.predictors.physics import Physics
from ballcast.sim.files import write_atomically
from ballcast.sim.sport import parse, read_toml
from ballcast.tracks import ReadOptions, Track, read_tracks

PROGRAM = "python -m ballcast.models.identify"
MIN_TRACKS = 10  # fewer do not tell what is shared from what is a ball's own
LAUNCHES_HELP = 1.02  # launches are left out if the errors of the kept tracks are larger with them by this factor
MAX_NAMES = 8  # of tracks, in one line


@dataclass(frozen=True)
class Options:
    """System identification: fit a sport's numbers to the recordings of one place, as a sport's file of its own.

    Exit status: 0 success; 1 the forecasts of the kept tracks got worse, and nothing was written; 2 wrong input.
    """

    tracks: Annotated[tuple[str, ...], tyro.conf.Positional]
    """recorded tracks of one place and one tracker: files (CSV, TT3D, SpinDOE, Motive, HDF5) or folders of them"""
    out: Path  # write the sport's file here, a .toml
    sport: str = "table_tennis"  # a sport's name, or a .toml file of your own, to begin with
    without: tuple[str, ...] = ()  # surfaces of the sport that were not there, such as net
    reading: Annotated[ReadOptions, tyro.conf.arg(name="")] = ReadOptions()
    report: Path | None = None  # write a page with pictures of the residuals into this folder
    force: bool = False  # write the file even if the forecasts of the kept tracks got worse


def main() -> None:
    options = command.options(Options, PROGRAM)
    status = []
    command.run(PROGRAM, lambda: status.append(run(options)))
    raise SystemExit(status[0])


def run(options: Options) -> int:
    """Identify, print, write; returns the exit status, 0 or 1. Raises ValueError or OSError, one line each."""
    console = Console(width=None if sys.stdout.isatty() else 120, emoji=False, highlight=False)
    text, where = read_toml(options.sport)
    sport = parse(text, where).without(*options.without)
    check_output(options.out)
    options.reading.check()
    tracks = read_tracks(list(options.tracks), ground=sport.ground, **vars(options.reading))
    origin = [float(v) for v in options.reading.origin.split(",")]
    command.print_notes([note for track in tracks for note in track.notes])
    command.print_notes(check_recordings(sport, tracks, MIN_TRACKS, origin))
    used, kept = ([track for track in tracks if held_out.is_kept(track.name) == k] for k in (False, True))
    with progress_bar(console) as progress:
        found = identify(sport, used, progress)
    place, errors = best_place(sport, found, kept)
    console.print(numbers_table(rows(sport, found, place)))
    print_tracks(console, found, used)
    console.print(held_out_table(held_out.compare(*errors), len(kept)))
    is_worse = print_verdict(console, *held_out.overall(*errors))
    if options.report:
        page = command.load_report("identification").write(options.report, sport, place, found, used)
        console.print(f"{page}: the residuals before and after")
    if is_worse and not options.force:
        console.print(f"{options.out} is not written; --force writes it all the same")
        return 1
    names = [track.name for track in tracks]  # the kept ones decided, too
    content = place_text(text, found, place, names, called_as(), note(names))
    check_text(content, options.out)
    write_atomically(options.out, content.encode())
    console.print(f"{options.out}: the sport of this place, from {len(names)} tracks")
    return 0


def best_place(
    sport: sim.Sport, found: Identified, kept: Sequence[Track]
) -> tuple[sim.Sport, tuple[np.ndarray, np.ndarray]]:
    """The sport of the place, with its launches unless the kept tracks are forecast worse with them; and the errors of
    these before and after, see held_out.errors."""
    before, place = held_out.errors(Physics(sport), kept), place_sport(found)
    after = held_out.errors(Physics(place), kept)
    if any(launch.correlation for launch in place.launches) and len(kept):
        plain = place_sport(found, with_launches=False)
        without = held_out.errors(Physics(plain), kept)
        if held_out.overall(without, after)[0] > LAUNCHES_HELP:
            return plain, (before, without)
    return place, (before, after)


def print_verdict(console: Console, ratio: float, low: float, high: float) -> bool:
    """Say whether the forecasts of the kept tracks got better; returns whether they got worse."""
    if not np.isfinite(ratio):
        console.print("no track was kept out that is long enough: nothing says whether forecasts got better")
        return False
    middle, ends = f"{ratio:.2f} times those before", f"95 % interval {low:.2f} to {high:.2f}"
    if low > 1.0:
        console.print(f"the errors of the kept tracks are {middle} ({ends}): worse; were all tracks recorded at one "
                      "place, by one tracker?")  # fmt: skip
        return True
    verdict = "better" if high < 1.0 else "no clear difference; more tracks would tell"
    console.print(f"the errors of the kept tracks are {middle} ({ends}): {verdict}")
    return False


def check_output(path: Path) -> None:
    """Refuse an output that no program would read. Raises ValueError."""
    if path.suffix != ".toml":
        raise ValueError(f"--out {path}: a sport's file ends in .toml")
    if not path.resolve().parent.is_dir():
        raise ValueError(f"--out {path}: there is no folder {path.parent}; make it first")


def check_text(content: str, path: Path) -> None:
    """Refuse a text that is no sport: a file whose layout could not be changed. Raises ValueError."""
    parse(content, str(path))


def called_as() -> str:
    """The command as the user gave it."""
    return shlex.join([command.CALLED_AS.get(PROGRAM, PROGRAM), *sys.argv[1:]])


def note(names: Sequence[str]) -> str:
    """The comment at the head of the file."""
    return f"Identified from {len(names)} tracks on {datetime.date.today()}; see [identified] at the end.\n"


@contextlib.contextmanager
def progress_bar(console: Console) -> Iterator[Callable[[int, int], None]]:
    """A progress bar of fits; what it gives is called with how many are done, and of how many."""
    columns = TextColumn("fits"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task("")
        yield lambda done, total: progress.update(task, completed=done, total=total)


def numbers_table(found: Sequence[Row]) -> Table:
    """Each number before and after, with its interval."""
    table = Table("number", title="what the tracks share", title_justify="left")
    for name in ("before", "after", "95 % interval", "balls differ by"):
        table.add_column(name, justify="right")
    for row in found:
        name = f"{row.name}, {row.unit}" if row.unit else row.name
        differ = f"{100 * row.balls:.1f} %" if np.isfinite(row.balls) else ""
        table.add_row(name, figure(row.before), figure(row.after), interval(row), differ)
    return table


def figure(value: float) -> str:
    """A number with three significant digits."""
    return f"{value:#.3g}".rstrip(".") if abs(value) >= 1e-3 else f"{value:.4f}"


def interval(row: Row) -> str:
    """The interval of a row; a bound alone where only that is known."""
    if not np.isfinite(row.high):
        return f"at least {figure(row.low)}"
    if not np.isfinite(row.low):
        return f"at most {figure(row.high)}"
    return f"{figure(row.low)} to {figure(row.high)}"


def print_tracks(console: Console, found: Identified, tracks: Sequence[Track]) -> None:
    """Say which tracks count little, and how many launches were found."""
    weights = found.population.weights
    odd = [track.name for track, weight in zip(tracks, weights) if weight < MIN_WEIGHT]
    if odd:
        more = f" and {len(odd) - MAX_NAMES} more" if len(odd) > MAX_NAMES else ""
        console.print(f"{len(odd)} of {len(tracks)} tracks are unlike the others and count little: "
                      f"{', '.join(odd[:MAX_NAMES])}{more}")  # fmt: skip


def held_out_table(cells: Sequence[dict[str, float]], count: int) -> Table:
    """The errors of the kept tracks, before and after."""
    table = Table("seen, ahead", title=f"forecasts of {count} kept tracks by physics, median error in mm",
                  title_justify="left")  # fmt: skip
    for name in ("tracks", "before", "after", "ratio", "95 % interval"):
        table.add_column(name, justify="right")
    for cell in cells:
        table.add_row(
            f"{cell['history']:g} s, +{cell['horizon']:g} s", str(cell["tracks"]), f"{1e3 * cell['before']:.0f}",
            f"{1e3 * cell['after']:.0f}", f"{cell['ratio']:.2f}", f"{cell['low']:.2f} to {cell['high']:.2f}",
        )  # fmt: skip
    return table


if __name__ == "__main__":
    main()
