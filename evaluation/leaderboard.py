"""python -m ballcast.evaluation.leaderboard [NAME ...]: score every sport that ships, or the named ones.

Writes results/*.json, LEADERBOARD.md, and the table of networks in docs/predictors.md.

Recorded balls are read from the folder that BALLCAST_DATA names (else ../shared/data); without it their last results
are kept. Latency depends on the machine as much as on the predictor: only docs/predictors.md shows it.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import jinja2

from ballcast import sim
from ballcast.evaluation.limits import LIMITS
from ballcast.evaluation.networks import insert_network_table
from ballcast.evaluation.results import Results
from ballcast.evaluation.standings import standings
from ballcast.sim.files import write_atomically

ROOT = Path(__file__).parents[1]
BALLS = 80  # per sport; two or three minutes each
KEPT_METRICS = "median coverage90 landing_place landing_time landing_missing q10 q90 latency_p50".split()
RECORDED = {"tt3d": "tt3d/3d", "spindoe": "spindoe"}  # name of the results -> folder
PUBLISHED = (0.1, 14.0), (0.2, 25.0), (0.3, 39.0), (0.4, 59.0)  # s, mm: Achterhold et al. 2023, launcher unknown


def main() -> None:
    data = Path(os.environ.get("BALLCAST_DATA") or ROOT.parent / "shared" / "data")
    results = ROOT / "results"
    results.mkdir(exist_ok=True)
    commands = dict(runs(data))
    wrong = [name for name in sys.argv[1:] if name not in commands]
    if wrong:
        raise SystemExit(f"leaderboard: unknown results {wrong[0]!r}; known are {', '.join(commands)}")
    for name, arguments in [(n, a) for n, a in commands.items() if n in (sys.argv[1:] or commands)]:
        print(f"{name}: python evaluate.py {' '.join(arguments)}", flush=True)
        command = " ".join(["python evaluate.py", *arguments]).replace(str(data), "$BALLCAST_DATA")
        condensed = condense(score(arguments), command)
        write_atomically(results / f"{name}.json", _json_by_row(condensed).encode())
    files = sorted(results.glob("*.json"), key=lambda f: (f.stem in RECORDED, f.stem))
    tables = {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in files}
    page = ROOT / "docs" / "predictors.md"
    write_atomically(page, insert_network_table(page.read_text("utf-8"), tables["table_tennis"]).encode())
    write_atomically(ROOT / "LEADERBOARD.md", render([*tables.values()]).encode())


def runs(data: Path) -> Iterator[tuple[str, list[str]]]:
    """(name of the results, arguments of evaluate.py): the sports that ship; recorded balls in `data`."""
    for sport in sim.names():
        yield sport, ["--sport", sport, "--balls", str(BALLS)]
    for name, folder in RECORDED.items():
        if (data / folder).is_dir():
            protocols = ["--protocol", "horizon", "landing", "l4dc2023"]
            yield name, ["--tracks", str(data / folder), "--without", "net", *protocols]


def score(arguments: list[str]) -> Results:
    """The Results of evaluate.py with these arguments; SystemExit if it ended with an error."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "results.json"
        command = [sys.executable, "evaluate.py", *arguments, "--json", str(path)]
        if subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL).returncode not in (
            0,
            1,
        ):  # 1: a predictor failed on a track; the notes name it
            raise SystemExit(f"leaderboard: evaluate.py {' '.join(arguments)} ended with an error")
        return Results.read(path)


def condense(results: Results, command: str) -> dict:
    """The part of Results that is kept: standings and rows of KEPT_METRICS, to four digits; no errors of tracks."""
    suite = results.rows[0].suite
    rows = [row for row in results.rows if row.metric in KEPT_METRICS]
    rows = [vars(row) | {k: _four_digits(getattr(row, k)) for k in ("value", "low", "high")} for row in rows]
    table = [{"predictor": s.name, "times": _four_digits(s.ratio_to_limit), "first": s.first, "cells": s.cells}
             for s in standings(results, suite)]  # fmt: skip
    head = {"command": command, "version": results.version, "seed": results.seed, "suite": suite}
    return head | {"side_information": results.side_information, "standings": table, "rows": rows}


def _four_digits(value):
    return None if value is None else float(f"{value:.4g}")


def _json_by_row(table):
    """JSON with one line per row, so that two runs can be compared line by line."""
    head = [f" {json.dumps(k)}: {json.dumps(table[k])}" for k in table if k not in ("standings", "rows")]
    for k in ("standings", "rows"):
        head.append(f" {json.dumps(k)}: [\n  " + ",\n  ".join(json.dumps(row) for row in table[k]) + "\n ]")
    return "{\n" + ",\n".join(head) + "\n}\n"


def render(tables: list[dict]) -> str:
    """LEADERBOARD.md from condensed results."""
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"cell": _cell, "title": lambda name: name.replace("_", " ")}
    template = environment.from_string(Path(__file__).with_name("leaderboard.md").read_text(encoding="utf-8"))
    cell = "predictor", "protocol", "history", "horizon", "metric"
    for table in tables:
        table["by"] = {tuple(row[key] for key in cell): row for row in table["rows"]}
        table["name"] = table["suite"].removeprefix("sim:")
        table["recorded"] = not table["suite"].startswith("sim:")
        table["times"] = {s["predictor"]: s for s in table["standings"]}
    simulated = [table for table in tables if not table["recorded"]]
    names = sorted({s["predictor"] for t in simulated for s in t["standings"]}, key=lambda n: _order(simulated, n))
    return template.render(tables=tables, simulated=simulated, names=names, limits=LIMITS, published=PUBLISHED)


def _order(tables, name):
    """The sort key of a predictor: limits first, then by the number of its sports, then by its mean over them."""
    found = [t["times"][name]["times"] for t in tables if name in t["times"]]
    return name not in LIMITS, -len(found), sum(found) / len(found)


def _cell(table, predictor, protocol, history, horizon, metric, unit=1000.0):
    """The value of a row as text; a dash if there is none."""
    row = table["by"].get((predictor, protocol, history, horizon, metric))
    if row is None or row["value"] is None:
        return "-"
    return f"{unit * row['value']:.3g}" if unit * row["value"] < 100 else f"{unit * row['value']:.0f}"


if __name__ == "__main__":
    main()
