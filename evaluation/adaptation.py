"""Predictors adapted to one recorded set: fine-tuned or identified on its train and validation balls, scored on others.

results, commands = adapted_results(recorded_sets()["lfg"], data_folder(), score)

It runs the commands that a user would run: train.py --finetune, and python -m ballcast.models.identify where it is
there. The zero-shot predictors are scored in the same run, so that each adapted one is compared with its own twin.
"""

import importlib.util
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ballcast.evaluation import bootstrap
from ballcast.evaluation.metrics import STATISTICS
from ballcast.evaluation.real import split_tracks, write_tracks
from ballcast.evaluation.results import MIN_TRACKS, Results
from ballcast.evaluation.splits import RecordedSet

ROOT = Path(__file__).parents[1]
WEIGHTS = "models/weights/gru.safetensors"
LENGTH = ("--steps", "300", "--minutes", "60")  # of fine-tuning: a limit of time would end two runs at different steps
IDENTIFY = "ballcast.models.identify"
LEARNT = ("train", "validation")  # splits
TWINS = {"gru, fine-tuned": "gru", "gru_physics, fine-tuned": "gru_physics", "physics, identified": "physics"}


@dataclass(frozen=True)
class AdaptedStanding:
    """An adapted predictor against its zero-shot twin, over the cells of a suite that have enough tracks."""

    name: str
    ratio: float  # its median error over that of the twin; geometric mean over cells
    better: int  # cells in which the paired interval of the difference is below 0
    worse: int
    cells: int


def adapted_results(
    chosen: RecordedSet, data: Path, score: Callable[[list[str]], Results]
) -> tuple[Results, list[str]]:
    """(the Results of adapted predictors and their twins on a set's test balls, the commands that made them).

    score: the Results of evaluate.py with the given arguments. SystemExit if a command fails.
    """
    setting = ["--sport", chosen.sport, *(["--without", *chosen.without] if chosen.without else [])]
    suite = ["--suite", "real", "--only", chosen.name, "--protocol", "horizon", "--no-latency"]
    with tempfile.TemporaryDirectory() as temporary:
        folder, commands = Path(temporary), []
        tracks, run, weights = (str(folder / name) for name in ("tracks", "run", "run/weights.safetensors"))
        write_tracks(split_tracks(chosen, data, LEARNT), folder / "tracks")
        commands += [["train.py", *setting, "--finetune", WEIGHTS, "--tracks", tracks, *LENGTH, "--out", run]]
        _run(commands[-1])
        names = [f"{weights}:gru", f"{weights}:gru_physics"]
        commands += [["evaluate.py", *suite, "--predictor", *TWINS.values(), *names]]
        found = renamed(score(commands[-1][1:]), dict(zip(names, TWINS)))
        if importlib.util.find_spec(IDENTIFY):
            toml = str(folder / f"{chosen.sport}.toml")
            commands += [["-m", IDENTIFY, tracks, *setting, "--out", toml]]
            if _run(commands[-1], may_give_up=True):
                commands += [["evaluate.py", *suite, "--sport", toml, "--predictor", "physics"]]
                found = merged(found, renamed(score(commands[-1][1:]), {"physics": "physics, identified"}))
    return found, [" ".join(["python", *words]).replace(str(folder), f"adapted/{chosen.name}") for words in commands]


def _run(words, may_give_up=False):
    """Run python with these words; return whether it wrote its results: with status 1 it may have given up. SystemExit,
    with the last line that it printed, if it failed."""
    print(" ".join(["python", *words]), flush=True)
    done = subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True)
    line = " ".join((done.stderr.strip() or done.stdout.strip()).splitlines()[-1:])
    if done.returncode not in (0, int(may_give_up)):
        raise SystemExit(f"leaderboard: python {' '.join(words)} ended with an error: {line}")
    if done.returncode:
        print(line, flush=True)
    return not done.returncode


def renamed(results: Results, names: dict[str, str]) -> Results:
    """The Results with predictors of other names."""

    def cell(key: str) -> str:
        name, _, rest = key.partition("|")
        return f"{names.get(name, name)}|{rest}"

    return replace(
        results,
        rows=[replace(row, predictor=names.get(row.predictor, row.predictor)) for row in results.rows],
        errors={cell(key): errors for key, errors in results.errors.items()},
        reliability={cell(key): coverage for key, coverage in results.reliability.items()},
        side_information={names.get(name, name): knows for name, knows in results.side_information.items()},
        adapted=[cell(key) for key in results.adapted],
    )


def merged(a: Results, b: Results) -> Results:
    """The Results of two runs over the same suites, with other predictors or protocols."""
    return replace(
        a,
        rows=a.rows + b.rows,
        errors=a.errors | b.errors,
        reliability=a.reliability | b.reliability,
        side_information=a.side_information | b.side_information,
        adapted=list(dict.fromkeys(a.adapted + b.adapted)),
        notes=list(dict.fromkeys(a.notes + b.notes)),
    )


def adapted_standings(results: Results, twins: dict[str, str]) -> list[AdaptedStanding]:
    """The AdaptedStandings of the adapted predictors in the Results; twins: adapted predictor -> zero-shot one.

    Cells with fewer than MIN_TRACKS tracks are left out, unless there are no others.
    """
    found = []
    for name, twin in twins.items():
        pairs = []
        for cell, errors in results.errors.items():
            predictor, _, rest = cell.partition("|")
            other = results.errors.get(f"{twin}|{rest}", {})
            both = [track for track in errors if track in other]
            if predictor == name and len(both) > 1:
                pairs.append(([errors[t] for t in both], [other[t] for t in both]))
        pairs = [pair for pair in pairs if len(pair[0]) >= MIN_TRACKS] or pairs
        if pairs:
            found.append(_adapted_standing(name, pairs))
    return found


def _adapted_standing(name, pairs):
    ratios = [np.median(own) / max(np.median(other), 1e-9) for own, other in pairs]
    intervals = [bootstrap.paired(own, other, STATISTICS["median"])[1:] for own, other in pairs]
    better, worse = sum(high < 0.0 for _, high in intervals), sum(low > 0.0 for low, _ in intervals)
    return AdaptedStanding(name, float(np.exp(np.mean(np.log(ratios)))), better, worse, len(pairs))
