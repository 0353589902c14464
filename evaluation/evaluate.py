"""Score predictors on the same balls, simulated and recorded, and against limits: the smallest errors possible.

python evaluate.py                                        # simulated table tennis, all predictors
python evaluate.py --sport tennis room --predictor physics informed
python evaluate.py --tracks recordings/ --without net     # recorded balls: files, folders
python evaluate.py --suite real                           # recorded balls of the public sets in BALLCAST_DATA
python evaluate.py --report page                          # an HTML report: page/index.html
python evaluate.py --json a.json; python evaluate.py --compare a.json b.json
python evaluate.py --suite real --compare a.json          # evaluate, and compare with an earlier run
"""
# ruff: noqa: E402 - the number of threads must be set before numpy and numba are imported

import os

for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"  # latency is that of one thread; there is one worker process per core

import importlib.util
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ballcast import __version__, command, models, sim
from ballcast.evaluation import harness, protocols, suites
from ballcast.evaluation.limits import LIMITS
from ballcast.evaluation.paired import paired_tables
from ballcast.evaluation.protocols import Cases
from ballcast.evaluation.real import REAL_HISTORIES, real_suites
from ballcast.evaluation.results import Results, compare
from ballcast.evaluation.scores import score, score_latency
from ballcast.evaluation.splits import data_folder
from ballcast.evaluation.suites import Suite
from ballcast.evaluation.table import by_suite, latencies, tables
from ballcast.tracks import ReadOptions


@dataclass(frozen=True)
class Options:
    """Score predictors on the same balls, simulated and recorded, and against limits: the smallest errors possible.

    Exit status: 0 success; 1 a predictor failed on some track; 2 wrong input.
    """

    predictor: tuple[str, ...] = ()
    """names, files of weights, your own as module:Class, or the limits informed and oracle; default: all available"""
    sport: tuple[str, ...] = ("table_tennis",)
    """names of sports, or your own .toml files; with --tracks the sport of the tracks"""
    tracks: tuple[str, ...] = ()
    """recorded tracks: files (CSV, TT3D, SpinDOE, Motive, HDF5) or folders of them, each folder on its own, files
    together; or generated sets (.npz); default: simulated balls"""
    suite: str | None = None
    """real: the recorded sets of evaluation/splits.toml in the folder BALLCAST_DATA (else ../shared/data), zero-shot"""
    split: str = "test"  # tracks of --suite real: test, validation, train or all
    reading: Annotated[ReadOptions, tyro.conf.arg(name="")] = ReadOptions()
    without: tuple[str, ...] = ()  # surfaces of the sport to leave out, such as net
    protocol: tuple[str, ...] = ()
    """horizon, landing, l4dc2023, or several; default: horizon and landing, of --suite real horizon alone"""
    history: tuple[float, ...] = ()
    """histories of the protocol horizon, in seconds; default: 0.1, 0.2 and 0.3, of --suite real also 0.5"""
    horizon: tuple[float, ...] = protocols.HORIZONS  # seconds after the last frame
    balls: int = 240  # number of simulated balls, or of balls taken from a generated set
    seed: int = 0  # seed of the simulated balls
    json: Path | None = None  # write the results to this file
    report: Path | None = None  # write an HTML report into this folder, as the single file index.html
    compare: tuple[Path, ...] = ()
    """two files of results: print the differences that exceed their paired intervals, and do nothing else; one file:
    evaluate, and print every difference to that run"""


def main() -> None:
    options = command.options(Options, "evaluate.py")
    status = []
    command.run("evaluate.py", lambda: status.append(run(options)))
    raise SystemExit(status[0])


def run(options: Options) -> int:
    """Evaluate or compare, print, and return the exit status, 0 or 1. Raises ValueError or OSError, one line each."""
    console = Console(width=None if sys.stdout.isatty() else 150, emoji=False)
    if len(options.compare) > 2:
        raise ValueError(f"--compare takes one or two files of results, not {len(options.compare)}")
    if len(options.compare) == 2:
        for line in compare(*(Results.read(file) for file in options.compare)):
            console.print(line, markup=False, highlight=False)
        return 0
    options = with_defaults(options)
    check(options)
    before = Results.read(options.compare[0]) if options.compare else None
    balls, notes = make_suites(options)
    results, failed = evaluate(options, predictor_names(options, balls), balls, console)
    results.notes = notes + results.notes
    if options.json:
        results.write(options.json)
    if options.report:
        from ballcast.evaluation import report  # needs jinja2 and matplotlib

        console.print(f"{report.write(options.report, results, balls, options.history, options.horizon)}: the report")
    show(options, results, before, console)
    return 1 if failed else 0


def show(options: Options, results: Results, before: Results | None, console: Console) -> None:
    """Print the tables and notes of the results, and the differences to an earlier run."""
    for table in by_suite(results) if options.suite else ():
        console.print(table, "")
    for table in [*tables(results, without="horizon" if options.suite else ""), latencies(results)]:
        console.print(table, "")
    for table in paired_tables(before, results) if before else ():
        console.print(table, "", highlight=False)
    for note in results.notes:
        console.print(note, markup=False, highlight=False)


def with_defaults(options: Options) -> Options:
    """The options with protocol and history filled in where they are not given."""
    protocol = ("horizon",) if options.suite else ("horizon", "landing")
    history = REAL_HISTORIES if options.suite else protocols.HISTORIES
    return replace(options, protocol=options.protocol or protocol, history=options.history or history)


def check(options: Options) -> None:
    """Reject options that cannot work, before anything takes time. Raises ValueError."""
    for name, values in (("history", options.history), ("horizon", options.horizon)):
        if not values or any(not 0 < v < 60 for v in values) or list(values) != sorted(set(values)):
            raise ValueError(f"--{name} {' '.join(f'{v:g}' for v in values)}: seconds above 0 that increase")
    for protocol in options.protocol:
        if protocol not in protocols.PROTOCOLS:
            raise ValueError(f"--protocol {protocol}: unknown; known are {', '.join(protocols.PROTOCOLS)}")
    if options.suite not in (None, "real"):
        raise ValueError(f"--suite {options.suite}: unknown; the only one is real")
    if options.suite and (options.tracks or options.without or options.sport != Options.sport):
        raise ValueError("--suite real has its own tracks and sports: leave out --tracks, --sport and --without")
    if options.split != Options.split and not options.suite:
        raise ValueError(f"--split {options.split}: goes with --suite real")
    if options.balls < 1 or options.seed < 0:
        raise ValueError(f"--balls {options.balls} must be at least 1, --seed {options.seed} at least 0")
    if options.tracks and len(options.sport) > 1:
        raise ValueError("--tracks are of one sport: name one with --sport")
    if options.report and not all(importlib.util.find_spec(library) for library in ("jinja2", "matplotlib")):
        raise ValueError("--report needs jinja2 and matplotlib: pip install -c constraints.txt jinja2 matplotlib")
    if options.report and options.report.exists() and not options.report.is_dir():
        raise ValueError(f"--report {options.report}: is a file; name a folder")
    if options.json and (options.json.is_dir() or not os.access(options.json.absolute().parent, os.W_OK)):
        raise ValueError(f"--json {options.json}: cannot be written; name a file in a folder with write permission")


def predictor_names(options: Options, balls: Sequence[Suite]) -> list[str]:
    """The predictors to score; by default all that are available for every suite, and limits for simulated balls."""
    is_recorded = any(suite.balls is None for suite in balls)
    for name in options.predictor:
        if name in LIMITS and is_recorded:
            raise ValueError(f"--predictor {name}: a limit needs the truth, which recorded balls do not have")
    available = [name for name in models.PREDICTORS if all(name in models.available(suite.sport) for suite in balls)]
    return list(dict.fromkeys(options.predictor or [*available, *([] if is_recorded else LIMITS)]))


def make_suites(options: Options) -> tuple[list[Suite], list[str]]:
    """The suites of balls to forecast, and notes on them."""
    if options.suite:
        return real_suites(data_folder(), options.split)
    sports = [sim.load(name).without(*options.without) for name in options.sport]
    if not options.tracks:
        return [suites.simulated(sport, options.balls, options.seed) for sport in sports], []
    sets = [suites.generated(source, options.balls) for source in options.tracks if source.endswith(".npz")]
    sources = suites.group_files([source for source in options.tracks if not source.endswith(".npz")])
    found = [suites.recorded(source, sports[0], **vars(options.reading)) for source in sources]
    command.print_notes(note for suite in found for track in suite.tracks for note in track.notes)
    found, notes = zip(*map(suites.unseen, found)) if found else ((), ())
    return [*sets, *found], [note for note in notes if note]


def make_cases(options: Options, suite: Suite) -> Iterator[Cases]:
    """All Cases of a suite, protocol by protocol."""
    if "horizon" in options.protocol:
        yield from (protocols.horizon(suite, history, options.horizon) for history in options.history)
    if "landing" in options.protocol:
        yield from (protocols.landing(suite, before) for before in protocols.LANDING_LEAD_TIMES)
    if "l4dc2023" in options.protocol:
        yield from (protocols.l4dc2023(suite, before) for before in protocols.END_LEAD_TIMES)


def evaluate(options: Options, names: Sequence[str], balls: Sequence[Suite], console: Console) -> tuple[Results, bool]:
    """(Results, whether a predictor failed on some track)."""
    results = Results(" ".join(["evaluate.py", *sys.argv[1:]]), __version__, options.seed)
    work = [(suite, cases) for suite in balls for cases in make_cases(options, suite)]
    for suite, cases in work:
        results.notes += left_out_lines(suite, cases)
    predictors = [(name, suite, harness.load(name, suite.sport)) for suite in balls for name in names]
    failed = False
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True) as bar, harness.Workers(os.cpu_count() or 1) as workers:
        task = bar.add_task("", total=len(names) * sum(len(cases) for _, cases in work))
        for name, suite, predictor in predictors:  # first latency, while no worker is busy
            results.side_information[name] = predictor.side_information
            if hasattr(predictor, "stream"):
                bar.update(task, description=f"{name}: latency")
                failed |= measure_latency(results, name, suite, predictor)
        for name in names:
            for suite, cases in work:
                bar.update(task, description=f"{name}, {suite.name}, {cases.protocol}")
                answers = workers.forecast(name, suite, cases, lambda done: bar.advance(task, done))
                score(results, name, suite, cases, answers, options.horizon)
                results.notes += failure_lines(name, suite, cases, answers)
                failed |= bool(answers.failures)
    return results, failed


def measure_latency(results: Results, name: str, suite: Suite, predictor: Any) -> bool:
    """Add a predictor's latency to the results; return whether it failed."""
    try:
        durations = harness.latency(predictor, suite.tracks)
    except Exception as error:  # noqa: BLE001 - a user's own predictor may raise anything
        results.notes.append(f"{name}: no latency, {type(error).__name__}: {error}")
        return True
    if len(durations):
        score_latency(results, name, suite, durations)
    return False


LEFT_OUT = {  # protocol -> why a track is left out
    "horizon": "fewer than 5 frames", "landing": "no landing with 5 frames this long before it",
    "l4dc2023": "fewer than 10 frames this long before the end",
}  # fmt: skip


def left_out_lines(suite: Suite, cases: Cases) -> Iterator[str]:
    """Notes on tracks and times that are left out."""
    case_name = f"{suite.name}, {cases.protocol}, {cases.history:g} s"
    if left_out := len(suite.tracks) - len(cases):
        yield f"{case_name}: {left_out} of {len(suite.tracks)} tracks left out: {LEFT_OUT[cases.protocol]}"
    if cases.beyond_end:
        yield f"{case_name}: {cases.beyond_end} times after a track's end left out"
    if near_edges := int((~cases.clear_of_edges).sum()):
        yield f"{case_name}: {near_edges} of {len(cases)} balls within 1 cm of an edge or net: not counted in coverage"


def failure_lines(name: str, suite: Suite, cases: Cases, answers: harness.Answers) -> Iterator[str]:
    """Notes on the tracks on which a predictor failed."""
    case_name = f"{name}: {suite.name}, {cases.protocol}, {cases.history:g} s"
    if answers.too_short:
        yield f"{case_name}: {answers.too_short} histories too short for it"
    if answers.failures:
        track, cause = answers.failures[0]
        yield f"{case_name}: failed on {len(answers.failures)} of {len(cases)} tracks; on track {track}: {cause}"
