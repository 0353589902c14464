"""Training that goes on to the bit needs the same machine code every time.

Code that numba has just compiled may round otherwise than the same code from the cache (seen: the last bit of one
number in ten thousand). So a process that had to compile begins anew, and only code from the cache trains.
"""

import os
import sys

import numpy as np

from ballcast import sim
from ballcast.models.encoding.nominal import HORIZONS
from ballcast.models.encoding.tokenizer import CONTEXT_FEATURES, tokenize
from ballcast.models.estimation.fit import UNKNOWNS
from ballcast.models.training.batches import Batches

BALLS = 32  # of the batch that calls all that training calls
RESTARTED = "BALLCAST_BEGUN_ANEW"  # where nothing can be cached, once is enough


def warm_up(config):
    """Compile what a run by this config needs; where that had to be done, the process begins anew."""
    feature_set = "frames" if config["model"] == "mlp" else "filter"
    batches = Batches(sim.load(config["sport"]), feature_set, BALLS, 0)
    batches[0]
    if config["model"] == "tokens":
        tokens, numbers = np.zeros((0, HORIZONS), int), np.zeros((0, HORIZONS, CONTEXT_FEATURES), np.float32)
        none, path = np.zeros((0, 3)), np.zeros((0, HORIZONS, 3))
        tokenize(batches.compiled_variants[0], np.zeros((0, UNKNOWNS)), none, path, none, tokens, numbers, path)
    if compiled_in_this_process() and RESTARTED not in os.environ:
        os.environ[RESTARTED] = "1"
        sys.stdout.flush()
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def compiled_in_this_process():
    """Whether anything of ours was compiled in this process, and not loaded."""
    ours = [module for name, module in sys.modules.items() if name.startswith("ballcast.")]
    stats = [getattr(value, "stats", None) for module in ours for value in vars(module).values()]
    return any(getattr(stat, "cache_misses", None) for stat in stats)
