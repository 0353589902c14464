"""The model card of the weights that ship: python -m ballcast.evaluation.model_card writes docs/model_card.md.

Everything in it is read: provenance from the descriptions in models/weights/, figures from results/*.json, which
`make leaderboard` writes. Nothing is measured here. A test holds the page equal to what this command writes.
"""

import json
import math
from collections.abc import Iterator
from pathlib import Path

from ballcast.evaluation.networks import parameters
from ballcast.evaluation.standings import CENTRAL
from ballcast.models.predictors.neural import READS
from ballcast.models.registry import WEIGHTS_FOLDER, WEIGHTS_OF
from ballcast.models.runtime import weights
from ballcast.models.training.sports import RANDOM_SPORTS
from ballcast.sim.files import write_atomically

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "model_card.md"
TEMPLATE = Path(__file__).with_suffix(".md")
HISTORY, HORIZON = CENTRAL


def main() -> None:
    write_atomically(PAGE, render().encode())
    print(PAGE.relative_to(ROOT))


def render() -> str:
    """The page, from the files as they are."""
    tables = [json.loads(file.read_text(encoding="utf-8")) for file in sorted((ROOT / "results").glob("*.json"))]
    zero_shot = [table for table in tables if not table.get("adapted") and not table.get("pixels")]
    names = [name for name in WEIGHTS_OF if any(name == s["predictor"] for t in zero_shot for s in t["standings"])]
    groups = [[t for t in zero_shot if t["suite"].startswith("sim:") == simulated] for simulated in (True, False)]
    simulated, recorded = (_figures(group, names) for group in groups)
    return TEMPLATE.read_text(encoding="utf-8").format(
        provenance=markdown(["file", "size", "learnt from", "reads"], provenance()), simulated=simulated,
        recorded=recorded, history=f"{HISTORY:g}", horizon=f"{HORIZON:g}",
    )  # fmt: skip


def provenance() -> Iterator[list[str]]:
    """A row for each file: its size, what it learnt from, and what it reads."""
    for path in sorted(WEIGHTS_FOLDER.glob("*.safetensors")):
        info, _ = weights.read(path)
        sports = list(info["sports"])
        balls = f"{len(sports)} sports and {RANDOM_SPORTS} random ones" if info["random_sports"] else ", ".join(sports)
        learnt = f"{balls}; {info['frames'] / 1e6:.1f} million frames in {info['steps']} steps, seed {info['seed']}"
        if source := info.get("from"):
            learnt += f"; it began from an earlier `{source}`, whose frames and steps are not counted"
        if info.get("pixels"):
            learnt += "; some of the balls were seen by cameras"
        size = f"{path.stat().st_size / 1e6:.2f} MB, {parameters(path.stem.rpartition('-')[2], path):,} numbers"
        yield [f"`{path.name}`", size, learnt, READS[info["kind"]]]


def _figures(tables, names):
    """The median error of each network, mm, and how many balls its region of 90 % holds: a row for each suite."""
    shown = [name for name in names if any(_cell(table, name) for table in tables)]
    rows = ([table["suite"].removeprefix("sim:").replace("_", " "), *(_cell(table, n) or "-" for n in shown)]
            for table in tables if any(_cell(table, n) for n in shown))  # fmt: skip
    return markdown(["balls", *(f"`{n}`" for n in shown)], rows)


def _cell(table, name):
    where = name, "horizon", HISTORY, HORIZON
    found = {row["metric"]: row["value"] for row in table["rows"]
             if (row["predictor"], row["protocol"], row["history"], row["horizon"]) == where}  # fmt: skip
    value, inside = (found.get(metric, math.nan) for metric in ("median", "coverage90"))
    if value is None or math.isnan(value):
        return ""
    return f"{1e3 * value:.0f}" + ("" if inside is None or math.isnan(inside) else f" ({inside:.0%})")


def markdown(head: list[str], rows: Iterator[list[str]]) -> str:
    """A table of Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    main()
