"""python -m ballcast.evaluation.leaderboard [NAME ...]: every sport with weights (or those) scored anew.

Writes results/*.json, LEADERBOARD.md, and the README's table of networks.

Recorded balls are scored where they are found, in the folder that BALLCAST_DATA names (else ../shared/data); without
them the figures of before stay. Latency is the machine's as much as the predictor's: only the README shows it.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import jinja2

from ballcast.evaluation.limits import LIMITS
from ballcast.evaluation.networks import insert_network_table
from ballcast.evaluation.results import Results
from ballcast.evaluation.standings import standings
from ballcast.models.registry import WEIGHTS_FOLDER
from ballcast.models.runtime.weights import write_atomically

ROOT = Path(__file__).parents[1]
BALLS = 80  # a sport in two or three minutes
KEPT_METRICS = "median coverage90 landing_place landing_time landing_missing q10 q90 latency_p50".split()
RECORDED = {  # name of the results -> folder, further words of the command
    "tt3d": ("tt3d/3d", ["--without", "net"]),
    "spindoe": ("spindoe", ["--without", "net"]),
}
PUBLISHED = (0.1, 14.0), (0.2, 25.0), (0.3, 39.0), (0.4, 59.0)  # s, mm: Achterhold et al. 2023, no launcher told


def main():
    data = Path(os.environ.get("BALLCAST_DATA") or ROOT.parent / "shared" / "data")
    results = ROOT / "results"
    results.mkdir(exist_ok=True)
    commands = dict([*simulated(), *recorded(data)])
    wrong = [name for name in sys.argv[1:] if name not in commands]
    if wrong:
        raise SystemExit(f"leaderboard: no results are called {wrong[0]!r}; there are {', '.join(commands)}")
    for name, words in [(n, w) for n, w in commands.items() if n in (sys.argv[1:] or commands)]:
        print(f"{name}: python evaluate.py {' '.join(words)}", flush=True)
        write_atomically(
            results / f"{name}.json", _lines(condense(score(words), _public_command(words, data))).encode()
        )
    readme, table = ROOT / "README.md", json.loads((results / "table_tennis.json").read_text(encoding="utf-8"))
    write_atomically(readme, insert_network_table(readme.read_text(encoding="utf-8"), table).encode())
    files = sorted(results.glob("*.json"), key=lambda f: (f.stem in RECORDED, f.stem))
    write_atomically(
        ROOT / "LEADERBOARD.md", render([json.loads(file.read_text(encoding="utf-8")) for file in files]).encode()
    )


def simulated():
    """(name of the results, words of the command) of every sport that has weights."""
    for path in sorted(WEIGHTS_FOLDER.glob("*-gru.safetensors")):
        sport = path.name.removesuffix("-gru.safetensors")
        yield sport, ["--sport", sport, "--balls", str(BALLS)]


def recorded(data):
    """The same of the recorded balls that are there."""
    for name, (folder, words) in RECORDED.items():
        if (data / folder).is_dir():
            protocols = ["--protocol", "horizon", "landing", "l4dc2023"]
            yield name, ["--tracks", str(data / folder), *words, *protocols]


def score(words):
    """The Results of evaluate.py with these words; SystemExit where it could not."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "results.json"
        done = subprocess.run(
            [sys.executable, "evaluate.py", *words, "--json", str(path)], cwd=ROOT, stdout=subprocess.DEVNULL
        )
        if done.returncode not in (0, 1):  # 1: a predictor failed on a track, which the notes say
            raise SystemExit(f"leaderboard: evaluate.py {' '.join(words)} ended with an error")
        return Results.read(path)


def _public_command(words, data):
    """The command as others give it: recorded balls lie elsewhere for them."""
    return " ".join(["python evaluate.py", *words]).replace(str(data), "$BALLCAST_DATA")


def condense(results, command):
    """What is kept of Results: standings and the rows of KEPT, with four figures; no track's own errors."""
    suite = next(row.suite for row in results.rows)
    rows = [row for row in results.rows if row.metric in KEPT_METRICS]
    table = standings(results, suite)
    return {
        "command": command,
        "version": results.version,
        "seed": results.seed,
        "suite": suite,
        "told": results.told,
        "standings": [
            {"predictor": s.name, "times": _figures(s.ratio_to_limit), "first": s.first, "cells": s.cells}
            for s in table
        ],
        "rows": [vars(row) | {k: _figures(getattr(row, k)) for k in ("value", "low", "high")} for row in rows],
    }


def _figures(value):
    return None if value is None else float(f"{value:.4g}")


def _lines(table):
    """JSON with a line for every row, so that two runs can be compared by eye."""
    head = [f" {json.dumps(k)}: {json.dumps(table[k])}" for k in table if k not in ("standings", "rows")]
    for k in ("standings", "rows"):
        head.append(f" {json.dumps(k)}: [\n  " + ",\n  ".join(json.dumps(row) for row in table[k]) + "\n ]")
    return "{\n" + ",\n".join(head) + "\n}\n"


def render(tables):
    """LEADERBOARD.md of condensed results."""
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"cell": _cell, "title": lambda name: name.replace("_", " ")}
    template = environment.from_string(Path(__file__).with_name("leaderboard.md").read_text(encoding="utf-8"))
    for table in tables:
        table["by"] = {
            (r["predictor"], r["protocol"], r["history"], r["horizon"], r["metric"]): r for r in table["rows"]
        }
        table["name"] = table["suite"].removeprefix("sim:")
        table["recorded"] = not table["suite"].startswith("sim:")
        table["times"] = {s["predictor"]: s for s in table["standings"]}
    played = [table for table in tables if not table["recorded"]]
    names = sorted({s["predictor"] for t in played for s in t["standings"]}, key=lambda n: _mean(played, n))
    return template.render(tables=tables, played=played, names=names, limits=LIMITS, published=PUBLISHED)


def _mean(tables, name):
    """Of a predictor the mean over the sports it plays: the fewer it plays, the later it comes."""
    found = [t["times"][name]["times"] for t in tables if name in t["times"]]
    return name not in LIMITS, -len(found), sum(found) / len(found)


def _cell(table, predictor, protocol, history, horizon, metric, unit=1000.0):
    """The figure of a row; a dash where there is none."""
    row = table["by"].get((predictor, protocol, history, horizon, metric))
    if row is None or row["value"] is None:
        return "-"
    return f"{unit * row['value']:.3g}" if unit * row["value"] < 100 else f"{unit * row['value']:.0f}"


if __name__ == "__main__":
    main()
