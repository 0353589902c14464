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


def insert_network_table(text: str, results: dict) -> str:
    """A page's text with a new table between its two marks; results: the table of results/table_tennis.json."""
    rows = [f"| {' | '.join(HEAD)} |", "|---|---:|---:|---:|---:|"]
    rows += [f"| {' | '.join(table_row(standing, results))} |" for standing in results["standings"]
             if standing["predictor"] in WEIGHTS_OF]  # fmt: skip
    return MARKED.sub(lambda found: found[1] + "\n".join(rows) + "\n" + found[2], text)


def table_row(standing: dict, results: dict) -> tuple[str, ...]:
    """The cells of a network's row."""
    name = standing["predictor"]
    measured = [row["value"] for row in results["rows"] if (row["predictor"], row["metric"]) == (name, "latency_p50")]
    weights = weights_path(name, sim.load(results["suite"].removeprefix("sim:")))
    frames = MILLION_FRAMES[weights.stem] + (MILLION_FRAMES["gru"] if name == "tokens" else 0)
    latency = f"{1e3 * measured[0]:.2f}" if measured else "-"
    return f"`{name}`", f"{parameters(name, weights):,}", str(frames), f"{standing['times']:.2f}", latency


def parameters(name: str, weights: Path) -> int:
    """The number of learned parameters that a predictor uses, of its file of weights."""
    constants = ("_mean", "_scale", "vocabulary", "frequencies")
    unused = "path." if name in WITHOUT_PATH_HEAD else ()
    _, tensors = read(weights)
    return sum(math.prod(a.shape) for k, a in tensors.items() if not (k.endswith(constants) or k.startswith(unused)))
