"""Score predictors on the same balls, simulated and recorded, beside the best that can be hoped for.

python evaluate.py                                        # simulated table tennis, all that needs no weights
python evaluate.py --sport tennis room --predictor physics informed
python evaluate.py --tracks recordings/ --without net     # recorded balls: a file, a folder, several
python evaluate.py --report page                          # a page to read: page/index.html
python evaluate.py --json a.json; python evaluate.py --compare a.json b.json

Exit status: 0 all well; 1 a predictor failed on some track (it is said which); 2 wrong input.
"""

import importlib.util
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from ballcast.evaluation.harness import one_thread

one_thread()

from ballcast import __version__, command  # noqa: E402 - the environment must be set before numba is imported


@dataclass(frozen=True)
class Options:
    """Score predictors on the same balls, simulated and recorded, beside the best that can be hoped for.

    Exit status: 0 all well; 1 a predictor failed on some track; 2 wrong input.
    """

    predictor: tuple[str, ...] = ()
    """names, module:Class of your own, or the limits informed and oracle; all there are where none is named"""
    sport: tuple[str, ...] = ("table_tennis",)
    """sports' names, or .toml files of your own; with --tracks the one that is seen there"""
    tracks: tuple[str, ...] = ()
    """recorded tracks (CSV, TT3D, SpinDOE), folders of them, generated sets (.npz); simulated balls where none"""
    format: str | None = None
    """of the tracks: csv, tt3d or spindoe; known by itself where not named"""
    scale: float = 1.0
    """metres per unit of the tracks' positions: 0.001 for millimetres"""
    axes: str = "x,y,z"
    """which of the tracks' axes are our x (across), y (along) and z (up), as in x,-z,y"""
    origin: str = "0,0,0"
    """our origin in the tracks' frame, after scale and axes, in metres, as in 0,0,0.76"""
    without: tuple[str, ...] = ()
    """surfaces of the sport that were not there, such as net"""
    protocol: tuple[str, ...] = ("horizon", "landing")
    """horizon, landing, l4dc2023, or several"""
    history: tuple[float, ...] = (0.1, 0.2, 0.3)
    """s seen, of horizon"""
    horizon: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
    """s past the last seen frame"""
    balls: int = 240
    """how many are simulated, or taken of a generated set"""
    seed: int = 0
    """of the simulated balls"""
    json: Path | None = None
    """write the results to this file"""
    report: Path | None = None
    """write a page for people into this folder: index.html, all in one"""
    compare: tuple[Path, ...] = ()
    """two such files: say which differences are larger than their paired intervals, and do nothing else"""


def main():
    options = command.options(Options, "evaluate.py")
    status = []
    command.run("evaluate.py", lambda: status.append(run(options)))
    raise SystemExit(status[0])


def run(options):
    """Do what was asked: 0, or 1 where a predictor failed. Raises ValueError or OSError, one line each."""
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else 150, emoji=False)
    if options.compare:
        return compare(options.compare, console)
    check(options)
    balls = suites(options)
    results, failed = evaluate(options, predictors(options, balls), balls, console)
    if options.json:
        results.write(options.json)
    if options.report:
        from ballcast.evaluation import report

        console.print(f"{report.write(options.report, results, balls, options.history, options.horizon)}: the report")
    from ballcast.evaluation.table import latencies, tables

    for table in [*tables(results), latencies(results)]:
        console.print(table, "")
    for note in results.notes:
        console.print(note, markup=False, highlight=False)
    return 1 if failed else 0


def compare(files, console):
    """Say what differs between two files of results."""
    from ballcast.evaluation.results import Results
    from ballcast.evaluation.results import compare as differences

    if len(files) != 2:
        raise ValueError(f"--compare takes two files of results, not {len(files)}")
    for line in differences(*(Results.read(file) for file in files)):
        console.print(line, markup=False, highlight=False)
    return 0


def check(options):
    """Refuse numbers and paths that cannot work before anything takes time. Raises ValueError."""
    from ballcast.evaluation.protocols import PROTOCOLS

    for name, values in (("history", options.history), ("horizon", options.horizon)):
        if not values or any(not 0 < v < 60 for v in values) or list(values) != sorted(set(values)):
            raise ValueError(f"--{name} {' '.join(f'{v:g}' for v in values)}: seconds above 0 that increase")
    for protocol in options.protocol:
        if protocol not in PROTOCOLS:
            raise ValueError(f"--protocol {protocol}: there are {', '.join(PROTOCOLS)}")
    if options.balls < 1 or options.seed < 0:
        raise ValueError(f"--balls {options.balls} must be at least 1, --seed {options.seed} at least 0")
    if options.tracks and len(options.sport) > 1:
        raise ValueError("--tracks are of one sport: name one with --sport")
    if options.report and not all(importlib.util.find_spec(library) for library in ("jinja2", "matplotlib")):
        raise ValueError("--report needs jinja2 and matplotlib: pip install -c constraints.txt jinja2 matplotlib")
    if options.report and options.report.exists() and not options.report.is_dir():
        raise ValueError(f"--report {options.report}: is a file; name a folder")
    if options.json and (options.json.is_dir() or not os.access(options.json.absolute().parent, os.W_OK)):
        raise ValueError(
            f"--json {options.json}: cannot be written there; name a file in a folder that can be written to"
        )


def predictors(options, suites):
    """The names to score, each once: of networks where none is named those that have weights for every sport."""
    from ballcast import models
    from ballcast.evaluation.limits import LIMITS

    is_recorded = bool(options.tracks) and not all(t.endswith(".npz") for t in options.tracks)
    for name in options.predictor:
        if name in LIMITS and is_recorded:
            raise ValueError(f"--predictor {name}: a limit is told the truth, which recorded balls do not have")
    able = [name for name in models.PREDICTORS if all(name in models.available(suite.sport) for suite in suites)]
    every = [*able, *([] if is_recorded else LIMITS)]
    return list(dict.fromkeys(options.predictor or every))


def suites(options):
    """The Suites that were asked for."""
    from ballcast import sim
    from ballcast.evaluation.suites import generated, recorded, simulated

    sports = [sim.load(name).without(*options.without) for name in options.sport]
    if not options.tracks:
        return [simulated(sport, options.balls, options.seed) for sport in sports]
    reader_options = {"scale": options.scale, "axes": options.axes, "origin": tuple(options.origin.split(","))}
    reader_options["format"] = options.format
    return [
        generated(track, options.balls) if track.endswith(".npz") else recorded(track, sports[0], **reader_options)
        for track in options.tracks
    ]


def evaluate(options, names, suites, console):
    """(Results, whether a predictor failed somewhere)."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from ballcast.evaluation import harness, protocols
    from ballcast.evaluation.results import Results
    from ballcast.evaluation.scores import score, score_latency

    results = Results(" ".join(["evaluate.py", *sys.argv[1:]]), __version__, options.seed)
    work = [
        (suite, cases)
        for suite in suites
        for cases in [
            *(protocols.horizon(suite, h, options.horizon) for h in options.history if "horizon" in options.protocol),
            *(protocols.landing(suite, d) for d in protocols.LANDING_LEAD_TIMES if "landing" in options.protocol),
            *(protocols.l4dc2023(suite, h) for h in protocols.END_LEAD_TIMES if "l4dc2023" in options.protocol),
        ]
    ]
    for suite, cases in work:
        results.notes += left_out_lines(suite, cases)
    loaded = {(name, suite.name): harness.load(name, suite.sport) for suite in suites for name in names}
    failed = False
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True) as bar, harness.Workers(os.cpu_count() or 1) as workers:
        task = bar.add_task("", total=len(names) * sum(len(cases) for _, cases in work))
        for (name, suite_name), predictor in loaded.items():  # alone, before the others start
            results.told[name] = predictor.side_information
            suite = next(s for s in suites if s.name == suite_name)
            if hasattr(predictor, "stream"):
                bar.update(task, description=f"{name}: latency")
                failed |= measure_latency(results, name, suite, predictor, score_latency)
        for name in names:
            for suite, cases in work:
                bar.update(task, description=f"{name}, {suite.name}, {cases.protocol}")
                answers = workers.forecast(name, suite, cases, lambda done: bar.advance(task, done))
                score(results, name, suite, cases, answers, options.horizon)
                results.notes += failure_lines(name, suite, cases, answers)
                failed |= bool(answers.failures)
    return results, failed


def measure_latency(results, name, suite, predictor, score_latency):
    """Measure a predictor's latency; whether it failed."""
    from ballcast.evaluation.harness import latency

    try:
        durations = latency(predictor, suite.tracks)
    except Exception as error:  # noqa: BLE001 - a stranger's predictor may raise anything; it is named to the user
        results.notes.append(f"{name}: no latency, {type(error).__name__}: {error}")
        return True
    if len(durations):
        score_latency(results, name, suite, durations)
    return False


def left_out_lines(suite, cases):
    """Lines on what a suite could not be asked, or was set aside."""
    case_name = f"{suite.name}, {cases.protocol}, {cases.history:g} s"
    left_out = len(suite.tracks) - len(cases)
    if left_out:
        why = {
            "horizon": "fewer than 5 frames",
            "landing": "no landing with 5 frames so long before",
            "l4dc2023": "fewer than 10 frames so long before the end",
        }[cases.protocol]
        yield f"{case_name}: {left_out} of {len(suite.tracks)} tracks left out: {why}"
    if cases.beyond_end:
        yield f"{case_name}: {cases.beyond_end} times past a track's end left out"
    near_edges = int((~cases.clear_of_edges).sum())
    if near_edges:
        yield f"{case_name}: {near_edges} of {len(cases)} balls within 1 cm of an edge or net: not counted in coverage"


def failure_lines(name, suite, cases, answers):
    """Lines on where a predictor failed."""
    case_name = f"{name}: {suite.name}, {cases.protocol}, {cases.history:g} s"
    if answers.too_short:
        yield f"{case_name}: {answers.too_short} histories too short for it"
    if answers.failures:
        track, cause = answers.failures[0]
        yield f"{case_name}: failed on {len(answers.failures)} of {len(cases)} tracks; on track {track}: {cause}"
