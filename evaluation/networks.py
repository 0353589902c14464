"""The table of networks in docs/predictors.md: their cost and their error. Written by evaluation/leaderboard.py."""

import math
import re
from pathlib import Path

from ballcast import sim
from ballcast.models.registry import WEIGHTS_OF, weights_path
from ballcast.models.runtime.weights import read
from ballcast.models.training.ship import MILLION_FRAMES

MARKED = re.compile(r"(<!-- networks -->\n).*?(<!-- -->\n)", re.DOTALL)
HEAD = ("network", "parameters", "training, million frames", "error over `informed`", "a forecast, ms")
WITHOUT_PATH_HEAD = ("gru_physics", "tokens")  # these do not use the path head of their gru


def insert_network_table(text: str, results: dict, latency: dict[str, float] | None = None) -> str:
    """A page's text with a new table between its two marks.

    results: the table of results/table_tennis.json; latency: s of each network, or None to keep what the page has.
    """
    rows = [f"| {' | '.join(HEAD)} |", "|---|---:|---:|---:|---:|"]
    shown = latencies_on(text) if latency is None else {name: f"{1e3 * s:.2f}" for name, s in latency.items()}
    rows += [f"| {' | '.join(table_row(standing, results, shown))} |" for standing in results["standings"]
             if standing["predictor"] in WEIGHTS_OF]  # fmt: skip
    return MARKED.sub(lambda found: found[1] + "\n".join(rows) + "\n" + found[2], text)


def latencies_on(text: str) -> dict[str, str]:
    """The last column of a page's table, ms, by network."""
    found = MARKED.search(text)
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in found[0].splitlines()[3:-1]] if found else []
    return {row[0].strip("`"): row[-1] for row in rows}


def table_row(standing: dict, results: dict, latency: dict[str, str]) -> tuple[str, ...]:
    """The cells of a network's row; latency: ms as text, by network."""
    name = standing["predictor"]
    weights = weights_path(name, sim.load(results["suite"].removeprefix("sim:")))
    frames = MILLION_FRAMES[weights.stem] + (MILLION_FRAMES["gru"] if name == "tokens" else 0)
    figures = f"{parameters(name, weights):,}", str(frames), f"{standing['times']:.2f}", latency.get(name, "-")
    return f"`{name}`", *figures


def parameters(name: str, weights: Path) -> int:
    """The number of learned parameters that a predictor uses, of its file of weights."""
    constants = ("_mean", "_scale", "vocabulary", "frequencies")
    unused = "path." if name in WITHOUT_PATH_HEAD else ()
    _, tensors = read(weights)
    return sum(math.prod(a.shape) for k, a in tensors.items() if not (k.endswith(constants) or k.startswith(unused)))
