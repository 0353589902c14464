"""The README's table of networks: what they cost, and what they reach. Written by evaluation/leaderboard.py.

text = with_networks(text, results)        # of the README, and of results/table_tennis.json
"""

import math
import re

from ballcast.models.registry import WEIGHTS_FOLDER, WEIGHTS_OF
from ballcast.models.runtime.weights import read
from ballcast.models.training.ship import MINUTES

MARKED = re.compile(r"(<!-- networks -->\n).*?(<!-- -->\n)", re.DOTALL)
HEAD = ("network", "parameters", "training, minutes", "error over `informed`", "a forecast, ms")
WITHOUT_PATH_HEAD = ("gru_physics", "tokens")  # these have no use for the path's head of their gru


def insert_network_table(text, results):
    """The text with the table between its marks made anew."""
    rows = [f"| {' | '.join(HEAD)} |", "|---|---:|---:|---:|---:|"]
    rows += [f"| {' | '.join(table_row(standing, results))} |" for standing in results["standings"]
             if standing["predictor"] in WEIGHTS_OF]  # fmt: skip
    return MARKED.sub(lambda found: found[1] + "\n".join(rows) + "\n" + found[2], text)


def table_row(standing, results):
    """What stands in the row of a network."""
    name = standing["predictor"]
    taken = [row["value"] for row in results["rows"] if (row["predictor"], row["metric"]) == (name, "latency_p50")]
    weights = f"{results['suite'].removeprefix('sim:')}-{WEIGHTS_OF[name]}"
    minutes = MINUTES[weights] + (MINUTES[weights.replace("tokens", "gru")] if name == "tokens" else 0)
    latency = f"{1e3 * taken[0]:.2f}" if taken else "-"
    return f"`{name}`", f"{parameters(name, weights):,}", str(minutes), f"{standing['times']:.2f}", latency


def parameters(name, weights):
    """How many numbers were learnt of what the network runs on."""
    info, tensors = read(WEIGHTS_FOLDER / f"{weights}.safetensors")
    own = {key: a for key, a in tensors.items() if not key.endswith(("_mean", "_scale", "vocabulary", "frequencies"))}
    return sum(
        math.prod(a.shape) for key, a in own.items() if not (name in WITHOUT_PATH_HEAD and key.startswith("path."))
    )
