"""python -m ballcast.evaluation.leaderboard [NAME ...]: score everything that ships, or the named parts.

NAME is a sport that ships; `real`, the recorded balls, zero-shot; `adapted`, predictors adapted to each recorded set;
`pixels`, forecasts from cameras; or `latency`. Writes results/*.json, LEADERBOARD.md, docs/model_card.md, and the
table of networks in docs/predictors.md. Two runs on the same machine write the same files.

Recorded balls are read from the folder that BALLCAST_DATA names (else ../shared/data); without it their last results
are kept. Latency depends on the machine as much as on the predictor: only docs/predictors.md shows it, and only the
part `latency` measures it, which is not run by default.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import jinja2

from ballcast import sim
from ballcast.evaluation import model_card
from ballcast.evaluation.adaptation import LEARNT, TWINS, adapted_results, adapted_standings, merged
from ballcast.evaluation.networks import insert_network_table
from ballcast.evaluation.pixel_limits import LIMIT
from ballcast.evaluation.pixel_scores import times_limit
from ballcast.evaluation.real import split_tracks
from ballcast.evaluation.results import MIN_TRACKS, Results, Row
from ballcast.evaluation.splits import data_folder, recorded_sets
from ballcast.evaluation.standings import GIVEN_MORE, standings
from ballcast.models.registry import WEIGHTS_OF
from ballcast.sim.files import write_atomically

ROOT = Path(__file__).parents[1]
BALLS = 80  # per sport; about a minute each
REAL = ["--suite", "real", "--protocol", "horizon", "landing", "bounce", "--no-latency"]
ENDS = ("tt3d", "mpi")  # sets that are scored by the protocol l4dc2023 too
MIN_LEARNT = 10  # tracks in the train and validation splits of a set; with fewer nothing is adapted to it
PIXEL_SCORES = ["physics", "gru", "--protocol", "pixels_bounce", "reconstruction", "--no-latency", "--balls"]
WITH_LIMIT = ["--predictor", LIMIT, "gru_physics", *PIXEL_SCORES]
PIXELS = {  # arguments of the runs; the sets of each, or none for simulated balls. Together below three minutes
    "simulated": [*WITH_LIMIT, "40", "--sport", "table_tennis"],
    "tt3d": [*WITH_LIMIT, "40", "--suite", "pixels", "--only", "tt3d_side", "tt3d_oblique", "tt3d_back"],
    "lfg": ["--predictor", *PIXEL_SCORES, "40", "--suite", "pixels", "--only",
            "lfg_pixels", "lfg_camera_1", "lfg_camera_2", "lfg_camera_3"],
}  # fmt: skip
PIXEL_METRICS = "median rmse coverage90 along_median across_median image_median mean worst lost".split()
VIEWS = {  # of the rows of pixels, in the order of the page
    "sim:table_tennis": "simulated, one random camera", "tt3d_side": "TT3D, side", "tt3d_oblique": "TT3D, oblique",
    "tt3d_back": "TT3D, back", "lfg_pixels": "lfg, three cameras", "lfg_camera_1": "lfg, camera 1",
    "lfg_camera_2": "lfg, camera 2", "lfg_camera_3": "lfg, camera 3",
}  # fmt: skip
LATENCY = ["--sport", "table_tennis", "--balls", "8", "--protocol", "horizon", "--history", "0.1", "--horizon", "0.1"]
KEPT_METRICS = "median coverage90 landing_place landing_time landing_missing q10 q90".split()
PUBLISHED = (0.1, 14.0), (0.2, 25.0), (0.3, 39.0), (0.4, 59.0)  # s, mm: Achterhold et al. 2023, launcher unknown
Part = Callable[[], Iterator[tuple[str, dict]]]  # gives (name of the file of results, its content)


def main() -> None:
    results = ROOT / "results"
    results.mkdir(exist_ok=True)
    known = parts(data_folder())
    wrong = [name for name in sys.argv[1:] if name not in (*known, "latency")]
    if wrong:
        raise SystemExit(f"leaderboard: unknown results {wrong[0]!r}; known are {', '.join((*known, 'latency'))}")
    latency = latencies() if "latency" in sys.argv[1:] else None
    for name in [name for name in known if name in (sys.argv[1:] or known)]:
        for file, condensed in known[name]():
            write_atomically(results / f"{file}.json", _json_by_row(condensed).encode())
    tables = {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in sorted(results.glob("*.json"))}
    page = ROOT / "docs" / "predictors.md"
    write_atomically(page, insert_network_table(page.read_text("utf-8"), tables["table_tennis"], latency).encode())
    write_atomically(ROOT / "LEADERBOARD.md", render([*tables.values()]).encode())
    model_card.main()


def parts(data: Path) -> dict[str, Part]:
    """The parts of the leaderboard by name: the sports that ship; of the recorded balls in `data`, if there are any."""
    found: dict[str, Part] = {sport: partial(simulated_part, sport) for sport in sim.names()}
    found["pixels"] = partial(pixels_part, data)
    if any(chosen.suite and chosen.paths(data) for chosen in recorded_sets().values()):
        found |= {"real": real_part, "adapted": partial(adapted_part, data)}
    return found


def simulated_part(sport: str) -> Iterator[tuple[str, dict]]:
    """The results of one sport's simulated balls."""
    arguments = ["--sport", sport, "--balls", str(BALLS), "--no-latency"]
    found = score(arguments)
    yield sport, condense(found, command_of(arguments), found.rows[0].suite)


def real_part() -> Iterator[tuple[str, dict]]:
    """The results of each recorded set, zero-shot."""
    found, ends = score(REAL), ["--suite", "real", "--only", *ENDS, "--protocol", "l4dc2023", "--no-latency"]
    there = {row.suite for row in found.rows}
    if there & set(ENDS):
        found = merged(found, score(ends))
    for suite in dict.fromkeys(row.suite for row in found.rows):
        commands = [command_of(arguments) for arguments in (REAL, *([ends] if suite in ENDS else []))]
        yield suite, condense(found, "; ".join(commands), suite)


def pixels_part(data: Path) -> Iterator[tuple[str, dict]]:
    """The results of forecasts from pixels: of simulated balls, and of each recorded set that is in `data`."""
    sets = [name for name, chosen in recorded_sets().items() if chosen.cameras and chosen.paths(data)]
    for arguments in PIXELS.values():
        if "--only" in arguments and not any(name in sets for name in arguments):
            continue
        found = score(arguments)
        for suite in dict.fromkeys(row.suite for row in found.rows):
            name = suite.removeprefix("sim:").removesuffix("_pixels")
            yield f"pixels_{name}", condense_pixels(found, command_of(arguments), suite)


def condense_pixels(results: Results, command: str, suite: str) -> dict:
    """As condense, of a suite of pixels: rows of PIXEL_METRICS, and the ratios of RMS errors to the limit's."""
    kept = condense(results, command, suite)
    rows = [row for row in results.rows if row.metric in PIXEL_METRICS and row.suite == suite]
    rows = [row for row in rows if row.protocol != "latency"]
    kept["rows"] = [_kept(row) for row in rows]
    ratios = []
    for row in rows:
        cell = row.protocol, row.history, row.horizon
        if row.metric == "median" and row.horizon is not None and row.predictor != LIMIT:
            if ratio := times_limit(results, row.predictor, LIMIT, suite, *cell):
                ratios.append([row.predictor, row.history, row.horizon, _four_digits(ratio[0])])
    return {"pixels": True, "times_limit": ratios} | kept


def adapted_part(data: Path) -> Iterator[tuple[str, dict]]:
    """The results of predictors that are adapted to each recorded set with tracks to learn from."""
    for chosen in recorded_sets().values():
        if chosen.suite and not chosen.events and len(split_tracks(chosen, data, LEARNT)) >= MIN_LEARNT:
            found, commands = adapted_results(chosen, data, score)
            kept = condense(found, "; ".join(commands), chosen.name)
            table = adapted_standings(found, TWINS)
            kept["standings"] = [vars(s) | {"ratio": _four_digits(s.ratio)} for s in table]
            yield f"{chosen.name}_adapted", {"adapted": True} | kept


def latencies() -> dict[str, float]:
    """The latency, s, of each network on a ball of table tennis."""
    found = score(["--predictor", *WEIGHTS_OF, *LATENCY])
    rows = [row for row in found.rows if row.metric == "latency_p50" and row.value is not None]
    return {row.predictor: row.value for row in rows}


def command_of(arguments: list[str]) -> str:
    """The command with these arguments, as it is printed."""
    return " ".join(["python evaluate.py", *arguments])


def score(arguments: list[str]) -> Results:
    """The Results of evaluate.py with these arguments; SystemExit if it ended with an error."""
    print(command_of(arguments), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "results.json"
        command = [sys.executable, "evaluate.py", *arguments, "--json", str(path)]
        # status 1: a predictor failed on a track; the notes name it
        if subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL).returncode not in (0, 1):
            raise SystemExit(f"leaderboard: evaluate.py {' '.join(arguments)} ended with an error")
        return Results.read(path)


def condense(results: Results, command: str, suite: str) -> dict:
    """The part of Results that is kept of a suite: standings and rows of KEPT_METRICS, to four digits; no errors of
    tracks."""
    rows = [row for row in results.rows if row.metric in KEPT_METRICS and row.suite == suite]
    kept = [_kept(row) for row in rows]
    table = [{"predictor": s.name, "times": _four_digits(s.ratio_to_limit), "first": s.first, "cells": s.cells}
             for s in standings(results, suite)]  # fmt: skip
    known = {row["predictor"] for row in kept}
    knows = {name: text for name, text in results.side_information.items() if name in known}
    setting = next((note.partition(": ")[2] for note in results.notes if note.startswith(f"{suite}: ")), "")
    head = {"command": command, "version": results.version, "seed": results.seed, "suite": suite, "setting": setting}
    return head | {"side_information": knows, "standings": table, "rows": kept}


def _kept(row: Row) -> dict:
    """A Row as it is kept: to four digits, and without a spread between runs, of which there is one here."""
    rounded = {k: _four_digits(getattr(row, k)) for k in ("value", "low", "high")}
    return {k: v for k, v in vars(row).items() if k != "spread"} | rounded


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
    environment.filters |= {"cell": _cell, "title": lambda name: name.replace("_", " "), "tracks": _tracks}
    template = environment.from_string(Path(__file__).with_name("leaderboard.md").read_text(encoding="utf-8"))
    cell, order = ("predictor", "protocol", "history", "horizon", "metric"), list(recorded_sets())
    for table in tables:
        table["by"] = {tuple(row[key] for key in cell): row for row in table["rows"]}
        table["name"] = table["suite"].removeprefix("sim:")
    zero_shot = [table for table in tables if not table.get("adapted") and not table.get("pixels")]
    pixels = [table for table in tables if table.get("pixels") and table["suite"] in VIEWS]
    for table in pixels:
        table["view"] = VIEWS[table["suite"]]
        table["ratios"] = {(name, history, horizon): ratio for name, history, horizon, ratio in table["times_limit"]}
        table["predictors"] = [s["predictor"] for s in table["standings"]]
    for table in zero_shot:
        table["times"] = {s["predictor"]: s for s in table["standings"]}
        table["few"] = max(row["tracks"] for row in table["rows"]) < MIN_TRACKS
    groups = {
        "simulated": [table for table in zero_shot if table["suite"].startswith("sim:")],
        "recorded": sorted((t for t in zero_shot if t["suite"] in order), key=lambda t: order.index(t["suite"])),
        "adapted": sorted((t for t in tables if t.get("adapted")), key=lambda t: order.index(t["suite"])),
        "pixels": sorted(pixels, key=lambda t: list(VIEWS).index(t["suite"])),
    }
    names = {key: _names(groups[key]) for key in ("simulated", "recorded")}
    return template.render(**groups, names=names, limits=GIVEN_MORE, twins=TWINS, few=MIN_TRACKS,
                           ends=ENDS, published=PUBLISHED)  # fmt: skip


def _names(tables):
    """The predictors of some tables, in the order in which they are shown: limits first, then by the number of tables
    in which they are, then by their mean over them."""

    def order(name):
        found = [t["times"][name]["times"] for t in tables if name in t["times"]]
        return name not in GIVEN_MORE, -len(found), sum(found) / len(found)

    return sorted({s["predictor"] for t in tables for s in t["standings"]}, key=lambda name: (order(name), name))


def _cell(table, predictor, protocol, history, horizon, metric, unit=1000.0):
    """The value of a row as text; a dash if there is none."""
    row = table["by"].get((predictor, protocol, history, horizon, metric))
    if row is None or row["value"] is None:
        return "-"
    return f"{unit * row['value']:.3g}" if unit * row["value"] < 100 else f"{unit * row['value']:.0f}"


def _tracks(table, protocol, history, horizon, metric):
    """The number of tracks of a cell, of the predictor that has the most."""
    key = protocol, history, horizon, metric
    return max((row["tracks"] for name, row in table["by"].items() if name[1:] == key), default=0)


if __name__ == "__main__":
    main()
