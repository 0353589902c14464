"""Training that goes on to the bit needs the same machine code every time.

Code that numba has just compiled may round otherwise than the same code from the cache (seen: the last bit of one
number in ten thousand). So a process that had to compile begins anew, and only code from the cache trains.
"""

import os
import sys

import numpy as np
from ballcast.models.encoding.nominal import KNOTS
from ballcast.models.encoding.tokenizer import NUMBERS, spell
from ballcast.models.estimation.fit import SIZE
from ballcast.models.training.batches import Batches

from ballcast import sim

BALLS = 32  # of the batch that calls all that training calls
ONCE = "BALLCAST_BEGUN_ANEW"  # where nothing can be cached, once is enough


def warm(config):
    """Compile what a run by this config needs; where that had to be done, the process begins anew."""
    kind = "frames" if config["model"] == "mlp" else "filter"
    batches = Batches(sim.load(config["sport"]), kind, BALLS, 0)
    batches[0]
    if config["model"] == "tokens":
        said, numbers = np.zeros((0, KNOTS), int), np.zeros((0, KNOTS, NUMBERS), np.float32)
        none, path = np.zeros((0, 3)), np.zeros((0, KNOTS, 3))
        spell(batches.surroundings[0], np.zeros((0, SIZE)), none, path, none, said, numbers, path)
    if compiled_here() and ONCE not in os.environ:
        os.environ[ONCE] = "1"
        sys.stdout.flush()
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def compiled_here():
    """Whether anything of ours was compiled in this process, and not loaded."""
    ours = [module for name, module in sys.modules.items() if name.partition(".")[0] in ("sim", "models")]
    stats = [getattr(value, "stats", None) for module in ours for value in vars(module).values()]
    return any(getattr(stat, "cache_misses", None) for stat in stats)
