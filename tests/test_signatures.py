"""Every kernel is compiled for one type signature: a second one would cost every cold start its compilation again."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
CODE = """
import json, sys
import numpy as np
from numba.core.registry import CPUDispatcher
from ballcast import models, sim
from ballcast.tracks import Track

sport = sim.load("table_tennis")
balls = sim.draw(sport, 2, purpose="test", duration=0.4)
tracks = [Track(balls.time[a:b], balls.position[a:b]) for a, b in zip(balls.offsets[:-1], balls.offsets[1:])]
time, position = tracks[0].time, tracks[0].position
lead_times = np.array([0.1, 0.3])
for name in models.available(sport):
    predictor = models.load(name, sport)
    predictor.forecast(tracks[0], time[-1] + lead_times)
    predictor.forecast_batch(tracks, np.array([track.time[-1] for track in tracks])[:, None] + lead_times)
    stream = predictor.stream()
    for k in range(len(time)):
        stream.observe(time[k], position[k])
        if k == 20:
            stream.forecast(time[k] + lead_times)
    stream.forecast(list(time[-1] + lead_times))
kernels = {v for name, module in sys.modules.items() if name.startswith("ballcast.")
           for v in vars(module).values() if isinstance(v, CPUDispatcher) and not v.targetoptions.get("forceinline")}
print(json.dumps({f"{v.__module__}.{v.__name__}": [list(map(str, s)) for s in v.signatures] for v in kernels}))
"""  # pieces that are @inlined do not count: they are part of their callers, where literals and precisions differ
TWO_PRECISIONS = {  # the lanes fly float32 (samples, forecasts) and float64 (simulated truth)
    f"ballcast.sim.kernels.{name}"
    for name in (
        "lanes.fly_lanes",
        "lanes._load_next_ball",
        "lane_contacts._search",
        "lane_contacts._roll",
        "lane_frames.write_velocity_and_spin",
    )
}
BY_CONTENT = {"ballcast.sim.kernels.packed.pack"}  # one signature for each kind of record that is packed


def differing(types):
    """The arguments that differ between signatures, as text."""
    return [f"argument {k}: {' | '.join(sorted(set(column)))}" for k, column in enumerate(zip(*types))
            if len(set(column)) > 1]  # fmt: skip


def test_every_kernel_has_one_signature_after_forecasts_and_streams_of_all_predictors():
    environment = os.environ | {"PYTHONPATH": str(ROOT), "NUMBA_NUM_THREADS": "1"}
    run = subprocess.run([sys.executable, "-c", CODE], env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    signatures = json.loads(run.stdout.splitlines()[-1])
    assert sum(map(bool, signatures.values())) > 80, "most kernels were called"
    allowed = {name: 1 + (name in TWO_PRECISIONS) + 9 * (name in BY_CONTENT) for name in signatures}
    more = {name: types for name, types in signatures.items() if len(types) > allowed[name]}
    assert not more, "\n".join(f"{name}: {', '.join(differing(types))}" for name, types in more.items())
