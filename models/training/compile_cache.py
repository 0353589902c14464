"""Training that resumes to the bit needs the same machine code in every process.

Code that numba has just compiled may round differently from the same code loaded from the cache (seen: the last bit of
one number in ten thousand). So a process that had to compile starts again, and only loaded code trains.
"""

import itertools
import os
import sys

import numpy as np

from ballcast import sim
from ballcast.models.encoding.nominal import HORIZONS
from ballcast.models.encoding.tokenizer import CONTEXT_FEATURES, tokenize
from ballcast.models.estimation.unknowns import UNKNOWNS
from ballcast.models.training import network_of
from ballcast.models.training.batches import GROUP, Batches
from ballcast.models.training.recorded import RecordedSet
from ballcast.models.training.sports import sports_of
from ballcast.sim.jit import compiled_here
from ballcast.tracks import Track

RESTARTED = "BALLCAST_RESTARTED"  # set after a restart: if nothing can be cached, one is enough


def warm_up(config: dict) -> None:
    """Compile what a run with this config needs. If anything was compiled, restart the process."""
    batches = Batches(sports_of(config["sport"])[0], network_of(config)[1], GROUP)
    batches[0]
    if config["tracks"]:
        warm_up_recorded(batches)
    if config["model"] == "tokens":
        tokens, context = np.zeros((0, HORIZONS), int), np.zeros((0, HORIZONS, CONTEXT_FEATURES), np.float32)
        none, path = np.zeros((0, 3)), np.zeros((0, HORIZONS, 3))
        tokenize(batches.pool[0][1].sport, np.zeros((0, UNKNOWNS)), none, path, none, tokens, context, path)
    if compiled_here() and RESTARTED not in os.environ:
        os.environ[RESTARTED] = "1"
        sys.stdout.flush()
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def warm_up_recorded(batches: Batches) -> None:
    """Compile what learning from recorded tracks needs."""
    sport = batches.pool[0][0]
    balls = sim.draw(sport, 2, purpose="validation")
    tracks = [Track(balls.time[a:b], balls.position[a:b]) for a, b in itertools.pairwise(balls.offsets)]
    RecordedSet(tracks, sport, batches.feature_set, views=1, twins=1)
