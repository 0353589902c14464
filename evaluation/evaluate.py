"""Score predictors on the same balls, simulated and recorded, and against limits: the smallest errors possible.

python evaluate.py                                        # simulated table tennis, all predictors
python evaluate.py --sport tennis room --predictor physics informed
python evaluate.py --tracks recordings/ --without net     # recorded balls: files, folders
python evaluate.py --suite real                           # recorded balls of the public sets in BALLCAST_DATA
python evaluate.py --protocol pixels                      # the same balls, as one camera sees them
python evaluate.py --pixels seen/ --cameras cameras.yaml --tracks truth/ --sport table_tennis
python evaluate.py --suite pixels                         # recorded balls that cameras saw
python evaluate.py --suite real --export questions        # what is asked, as CSV files
python evaluate.py --suite real --predictions theirs.csv  # score the answers of any other program
python evaluate.py --report page                          # an HTML report: page/index.html
python evaluate.py --predictor gru runs/seeds --markdown table.md --csv figures.csv   # a folder of runs: one row
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
from rich.table import Table

from ballcast import __version__, command, models, sim
from ballcast.evaluation import pixel_runs, protocols, questions, runs, seeds, suites
from ballcast.evaluation.limits import LIMITS
from ballcast.evaluation.paired import paired_tables
from ballcast.evaluation.pixel_cases import PIXEL_PROTOCOLS
from ballcast.evaluation.pixel_limits import LIMIT
from ballcast.evaluation.pixel_suites import PixelSuite
from ballcast.evaluation.pixel_tables import pixel_tables
from ballcast.evaluation.predictions import Predictions
from ballcast.evaluation.protocols import Cases
from ballcast.evaluation.real import REAL_HISTORIES, real_suites
from ballcast.evaluation.reconstruction import SMOOTH
from ballcast.evaluation.results import STATE, Results, compare, only
from ballcast.evaluation.splits import data_folder
from ballcast.evaluation.suites import Suite
from ballcast.evaluation.table import by_suite, latencies, tables
from ballcast.evaluation.table_files import to_csv, to_markdown
from ballcast.models.registry import missing, serves
from ballcast.models.runtime import weights
from ballcast.sim.files import write_atomically
from ballcast.tracks import ReadOptions


@dataclass(frozen=True)
class Options:
    """Score predictors on the same balls, simulated and recorded, and against limits: the smallest errors possible.

    Exit status: 0 success; 1 a predictor failed on some track; 2 wrong input.
    """

    predictor: tuple[str, ...] = ()
    """names, files of weights, your own as module:Class, folders of training runs (one row: mean and spread of
    RUN/weights.safetensors), or the limits informed and oracle; default: all available"""
    sport: tuple[str, ...] = ()
    """names of sports, or your own .toml files; default: table_tennis; with --tracks or --pixels the sport of the
    balls; with --suite your own .toml files, in place of the sports of their names"""
    tracks: tuple[str, ...] = ()
    """recorded tracks: files (CSV, TT3D, SpinDOE, Motive, HDF5) or folders of them, each folder on its own, files
    together; or generated sets (.npz); default: simulated balls; with --pixels where the same balls were, in files of
    the same names and on the same clock"""
    pixels: tuple[str, ...] = ()
    """what cameras saw of balls: files (CSV t,camera,u,v) or folders of them. Predictors get these; --tracks, if
    given, are the truth, else the forecasts are scored in the image alone"""
    cameras: str | None = None
    """the file of the cameras that saw the pixels; without --pixels those that see the simulated balls, at --rate Hz"""
    views: int = 1  # number of random cameras that see a simulated ball, with --protocol pixels
    pixel_noise: float = 1.0  # px, of the cameras of --cameras that see simulated balls
    suite: str | None = None
    """real: the recorded sets of evaluation/splits.toml in the folder BALLCAST_DATA (else ../shared/data); pixels:
    those that cameras saw, at most --balls of each"""
    split: str = "test"  # tracks of --suite: test, validation, train or all
    only: tuple[str, ...] = ()  # of --suite these sets alone
    reading: Annotated[ReadOptions, tyro.conf.arg(name="")] = ReadOptions()
    without: tuple[str, ...] = ()  # surfaces of the sport to leave out, such as net
    protocol: tuple[str, ...] = ()
    """horizon, landing, l4dc2023, bounce (of --suite real alone), or several; default: horizon and landing, of --suite
    real horizon and bounce. Of pixels: pixels, pixels_bounce, reconstruction; default: all three"""
    history: tuple[float, ...] = ()
    """histories of the protocol horizon, in seconds; default: 0.1, 0.2 and 0.3, of --suite real also 0.5; also those of
    the protocol bounce; its default: 0.05, 0.1 and 0.2; and of pixels; its default: 0.2 and 0.4"""
    horizon: tuple[float, ...] = ()
    """seconds after the last frame; default: 0.1 to 0.6, of pixels 0 (now), 0.1 and 0.2"""
    balls: int = 240  # number of simulated balls, or of balls taken from a generated set or a set of pixels
    first: int = 0  # number of the first simulated ball, or of the first taken from a generated set (docs/scale.md)
    seed: int = 0  # seed of the simulated balls
    export: Path | None = None
    """write what is asked, and the frames that may be used, into this folder as CSV files, and do nothing else"""
    predictions: tuple[Path, ...] = ()
    """CSV files of other programs' answers: track,seen,time,x,y,z[,cxx,cxy,cxz,cyy,cyz,czz][,landing], each scored as
    one more predictor; see docs/benchmark.md"""
    latency: bool = True  # measure the predictors' latency too
    json: Path | None = None  # write the results to this file
    markdown: Path | None = None  # write the tables to this file, for a page or a paper
    csv: Path | None = None  # write every figure to this file, a row each, in SI units
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
    runs_of = seeds.runs_in(options.predictor)
    options = with_defaults(replace(options, predictor=seeds.members(options.predictor, runs_of)))
    check(options)
    before = Results.read(options.compare[0]) if options.compare else None
    balls, notes = make_suites(options)
    work = [(suite, cases) for suite in balls for cases in make_cases(options, suite)]
    if options.export:
        for line in questions.export(options.export, work):
            console.print(line, markup=False, highlight=False)
        return 0
    results = Results(" ".join(["evaluate.py", *sys.argv[1:]]), __version__, options.seed)
    plan, more_notes = predictor_plan(options, balls)
    predictions = read_predictions(options, balls)
    failed = runs.evaluate(results, plan, work, predictions, horizons=options.horizon, has_latency=options.latency,
                           console=console)  # fmt: skip
    results.notes = notes + more_notes + results.notes
    seeds.merge(results, runs_of)
    write_files(options, results)
    if options.report:
        from ballcast.evaluation import report  # needs jinja2 and matplotlib

        console.print(f"{report.write(options.report, results, balls, options.history, options.horizon)}: the report")
    show(options, results, before, console)
    return 1 if failed else 0


def write_files(options: Options, results: Results) -> None:
    """Write what --json, --markdown and --csv name."""
    if options.json:
        results.write(options.json)
    if options.markdown:
        write_atomically(options.markdown, to_markdown(results, all_tables(options, results)).encode())
    if options.csv:
        write_atomically(options.csv, to_csv(results).encode())


def all_tables(options: Options, results: Results) -> Iterator[Table]:
    """The tables of the results, in the order in which they are printed."""
    yield from by_suite(results) if options.suite else ()
    yield from pixel_tables(results)
    yield from tables(results, without="horizon" if options.suite else "")
    if options.latency:
        yield latencies(results)


def show(options: Options, results: Results, before: Results | None, console: Console) -> None:
    """Print the tables and notes of the results, and the differences to an earlier run."""
    for table in all_tables(options, results):
        console.print(table, "")
    files = [path.stem for path in options.predictions]
    others = [name for name in results.side_information if name not in (*files, STATE)]
    pairs = [(only(results, others), only(results, [name])) for name in files] if others else []
    for first, second in [*([(before, results)] if before else []), *pairs]:
        for table in paired_tables(first, second):
            console.print(table, "", highlight=False)
    for note in results.notes:
        console.print(note, markup=False, highlight=False)


def with_defaults(options: Options) -> Options:
    """The options with sport, protocol, history and horizon filled in where they are not given."""
    if pixel_runs.asks_pixels(options):
        return pixel_runs.pixel_defaults(options)
    protocol = ("horizon", "bounce") if options.suite else ("horizon", "landing")
    history = REAL_HISTORIES if options.suite else protocols.HISTORIES
    return replace(
        options, sport=options.sport or ("table_tennis",), protocol=options.protocol or protocol,
        history=options.history or history, horizon=options.horizon or protocols.HORIZONS,
    )  # fmt: skip


def check(options: Options) -> None:
    """Reject options that cannot work, before anything takes time. Raises ValueError."""
    of_pixels = pixel_runs.asks_pixels(options)
    for name, values in (("history", options.history), ("horizon", options.horizon)):
        is_now = of_pixels and name == "horizon" and values[:1] == (0.0,)
        if not values or any(not 0 < v < 60 for v in values[is_now:]) or list(values) != sorted(set(values)):
            above = "from 0 on" if of_pixels and name == "horizon" else "above 0"
            raise ValueError(f"--{name} {' '.join(f'{v:g}' for v in values)}: seconds {above} that increase")
    known = (*protocols.PROTOCOLS, *PIXEL_PROTOCOLS)
    for protocol in options.protocol:
        if protocol not in known:
            raise ValueError(f"--protocol {protocol}: unknown; known are {', '.join(known)}")
    if options.suite not in (None, "real", "pixels"):
        raise ValueError(f"--suite {options.suite}: unknown; there are real and pixels")
    if of_pixels:
        pixel_runs.check_pixels(options)
    if options.suite and (options.tracks or options.without):
        raise ValueError(f"--suite {options.suite} has its own tracks and sports: leave out --tracks and --without")
    if "bounce" in options.protocol and not options.suite:
        raise ValueError("--protocol bounce: is for the events of match play in --suite real")
    if options.export and (options.predictor or options.predictions or options.report or writes(options)):
        raise ValueError("--export writes the questions and scores nothing: leave out the predictors and the outputs")
    for name, given in (("split", options.split != Options.split), ("only", options.only)):
        if given and not options.suite:
            raise ValueError(f"--{name}: goes with --suite real or pixels")
    if options.balls < 1 or options.seed < 0:
        raise ValueError(f"--balls {options.balls} must be at least 1, --seed {options.seed} at least 0")
    is_numbered = not (of_pixels or options.suite) and all(source.endswith(".npz") for source in options.tracks)
    if options.first < 0 or (options.first and not is_numbered):
        raise ValueError(f"--first {options.first}: from 0 on, and of simulated balls or generated sets (.npz) alone")
    if options.tracks and len(options.sport) > 1:
        raise ValueError("--tracks are of one sport: name one with --sport")
    if options.report and not all(importlib.util.find_spec(library) for library in ("jinja2", "matplotlib")):
        raise ValueError("--report needs jinja2 and matplotlib: pip install -c constraints.txt jinja2 matplotlib")
    if options.report and options.report.exists() and not options.report.is_dir():
        raise ValueError(f"--report {options.report}: is a file; name a folder")
    for name in ("json", "markdown", "csv"):
        path = getattr(options, name)
        if path and (path.is_dir() or not os.access(path.absolute().parent, os.W_OK)):
            raise ValueError(f"--{name} {path}: cannot be written; name a file in a folder with write permission")


def writes(options: Options) -> bool:
    """Whether the results are to be written to files."""
    return any((options.json, options.markdown, options.csv))


def predictor_plan(options: Options, balls: Sequence[Suite]) -> tuple[list[tuple[str, Suite]], list[str]]:
    """(predictor, suite) of all that is scored, and notes. By default every predictor on the suites for which it is
    available (of simulated balls those that are available for all), and the limits on simulated balls."""
    if pixels := [suite for suite in balls if isinstance(suite, PixelSuite)]:
        return pixel_plan(options, pixels)
    is_recorded = any(suite.balls is None for suite in balls)
    for name in options.predictor:
        if name in LIMITS and is_recorded:
            raise ValueError(f"--predictor {name}: a limit needs the truth, which recorded balls do not have")
    everywhere = [name for name in models.PREDICTORS if all(not missing(name, suite.sport) for suite in balls)]
    default = list(models.PREDICTORS) if options.suite else [*everywhere, *([] if is_recorded else LIMITS)]
    names = list(dict.fromkeys(options.predictor or default))
    if not options.suite:
        return [(name, suite) for suite in balls for name in names], []
    plan = [(name, suite) for suite in balls for name in names if serves_sport(name, suite.sport)]
    scored = {name for name, _ in plan}
    for name in options.predictor:
        if name not in scored:
            models.load(name, balls[0].sport)  # which says why
    left_out = {s.name: [n for n in names if n in scored and (n, s) not in plan] for s in balls}
    return plan, [f"{where}: not available for its sport: {', '.join(n)}" for where, n in left_out.items() if n]


def pixel_plan(options: Options, balls: Sequence[PixelSuite]) -> tuple[list[tuple[str, Any]], list[str]]:
    """As predictor_plan, where predictors get pixels: by default all that take them, and the limit where it can be."""
    for name in options.predictor:
        if name in LIMITS and name != LIMIT:
            raise ValueError(f"--predictor {name}: there is no such limit of pixels; there is {LIMIT}")
        if name == LIMIT and not any(suite.has_limit for suite in balls):
            raise ValueError(f"--predictor {name}: needs the true flight and noise, which are not known of these balls")
    names = list(dict.fromkeys(options.predictor or (*models.PREDICTORS, LIMIT)))
    reconstructs = [(SMOOTH, suite) for suite in balls if "reconstruction" in options.protocol and suite.has_space]
    if set(options.protocol) == {"reconstruction"}:
        return reconstructs, []
    plan = [(name, suite) for suite in balls for name in names if name != LIMIT and serves_sport(name, suite.sport)]
    plan += [(LIMIT, suite) for suite in balls if LIMIT in names and suite.has_limit]
    return plan + reconstructs, []


def serves_sport(name: str, sport: sim.Sport) -> bool:
    """Whether the weights of a name or file are there for a sport. ValueError if a file holds none."""
    file, suffix, _ = name.partition(".safetensors")
    if suffix:
        return serves(weights.read(file + suffix)[0], sport)
    return name not in models.PREDICTORS or not missing(name, sport)


def read_predictions(options: Options, balls: Sequence[Suite]) -> list[Predictions]:
    """The files of predictions. ValueError if one is wrong, or named as another or as a predictor."""
    names = [path.stem for path in options.predictions]
    for name in names:
        if (
            names.count(name) > 1
            or name in (*models.PREDICTORS, *LIMITS, STATE, SMOOTH, *options.predictor)
            or "|" in name
        ):
            raise ValueError(f"--predictions {name}.csv: the name {name} is taken, or has a |; rename the file")
    known = {suite.full_name(i) for suite in balls for i in range(len(suite.tracks))} if names else set()
    return [Predictions.read(path, known) for path in options.predictions]


def make_suites(options: Options) -> tuple[Sequence[Suite], list[str]]:
    """The suites of balls to forecast, and notes on them."""
    if pixel_runs.asks_pixels(options):
        return pixel_runs.pixel_suites(options)
    if options.suite:
        own = [sim.load(name) for name in options.sport if name not in sim.names()]
        return real_suites(data_folder(), options.split, own, options.only)
    sports = [sim.load(name).without(*options.without) for name in options.sport]
    if not options.tracks:
        return [suites.simulated(sport, options.balls, options.seed, options.first) for sport in sports], []
    files = [source for source in options.tracks if source.endswith(".npz")]
    sets = [suites.generated(source, options.balls, options.first) for source in files]
    sources = suites.group_files([source for source in options.tracks if not source.endswith(".npz")])
    found = [suites.recorded(source, sports[0], **vars(options.reading)) for source in sources]
    command.print_notes(note for suite in found for track in suite.tracks for note in track.notes)
    found, notes = zip(*map(suites.unseen, found)) if found else ((), ())
    return [*sets, *found], [note for note in notes if note]


def make_cases(options: Options, suite: Suite) -> Iterator[Cases]:
    """All Cases of a suite, protocol by protocol. Of events only a bounce is asked, of other balls everything else."""
    if isinstance(suite, PixelSuite):
        yield from pixel_runs.cases_of_pixels(options, suite)
        return
    if suite.events is not None:
        histories = options.history if options.history != REAL_HISTORIES else protocols.BOUNCE_HISTORIES
        yield from (protocols.bounce(suite, h) for h in histories if "bounce" in options.protocol)
        return
    if "horizon" in options.protocol:
        yield from (protocols.horizon(suite, history, options.horizon) for history in options.history)
    if "landing" in options.protocol:
        yield from (protocols.landing(suite, before) for before in protocols.LANDING_LEAD_TIMES)
    if "l4dc2023" in options.protocol:
        yield from (protocols.l4dc2023(suite, before) for before in protocols.END_LEAD_TIMES)
