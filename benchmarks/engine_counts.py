"""What the engine computes, counted: a part of engine_limit.py, which starts it in a process without numba's compiler.

    NUMBA_DISABLE_JIT=1 python -m benchmarks.engine_counts FOLDER

Without the compiler the engine is plain Python. Its very functions take Traced numbers here, which count the arithmetic
of a step; and they fly the launches of FOLDER/launches.npz, NAME (3, B, 3), while the steps are counted. The positions
are written to FOLDER/positions.npz, so that they can be held against those of the compiled engine.

The last line is a JSON object of what each sport takes: flops_of_step, and of these divisions_of_step (with roots) and
exponentials_of_step (with logarithms), each of which counts as one; flops_of_frame; and steps_PLACE_PRECISION, a ball's
steps in float32, in float64 (in float32 those of flights flown anew), and how many do not count, but are made again.
"""

import json
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from ballcast import sim
from ballcast.sim.kernels import aerodynamics, dormand_prince, lane_rows, lane_steps, lanes
from ballcast.sim.kernels.compiled_sport import compile_lanes
from ballcast.sim.kernels.quintic import unit_position
from benchmarks.traced import Traced, operation, operations

RATE, FRAMES = 180.0, 200
TIMES = np.arange(1, FRAMES + 1) / RATE  # s
FRACTION_FLOPS = 2  # a frame's time as a fraction of its step: a difference and a product
REGISTER_BYTES = 64
PLACES: dict[str, Callable] = {"all": lambda sport: sport, "none": lambda sport: sport.replace(surfaces=())}


class Replaced:
    """Names of loaded modules of the kernels that stand for something else for a while: Replaced(min=..., LANES=1)."""

    def __init__(self, **values: Any) -> None:
        modules = [m for name, m in sys.modules.items() if name.startswith("ballcast.sim.kernels.")]
        self.values = [(m, name, value) for m in modules for name, value in values.items() if _has(m, name)]

    def __enter__(self) -> None:
        self.before = [(m, name, vars(m).get(name)) for m, name, _ in self.values]
        for module, name, value in self.values:
            setattr(module, name, value)

    def __exit__(self, *_: object) -> None:
        for module, name, value in self.before:
            delattr(module, name) if value is None else setattr(module, name, value)


def _has(module, name):
    return hasattr(module, name) or (name in ("min", "max") and module in (aerodynamics, dormand_prince, lane_steps))


def step_operations(sport) -> Any:
    """The operations of a step of one lane, its path and the box around it."""
    lane_sport = compile_lanes(sport, np.float64)
    aero = aerodynamics.Aero(*map(Traced, lane_sport.aero))
    rows = np.array([Traced.input(1.0 + 0.1 * k) for k in range(lane_rows.BUFFER_SIZE // lane_rows.LANES)])
    before = list(rows)
    mathematics = SimpleNamespace(**{name: operation(name) for name in ("sqrt", "exp", "log")})
    choices = {name: operation(name) for name in ("min", "max", "where")}
    with Replaced(LANES=1, math=mathematics, **choices):
        lane_steps.integrate_lanes(lane_sport.sport.drag_model, aero, rows, False)
        lane_steps.trace_paths(aero, rows)
    return operations(new for new, old in zip(rows, before) if new is not old)


def frame_flops() -> int:
    """The operations of one frame: a fraction, and three polynomials of it."""
    numbers = [[Traced.input(1.0) for _ in range(6)] for _ in range(3)]
    fraction = Traced.input(0.5)
    return FRACTION_FLOPS + sum(operations(unit_position(c, fraction) for c in numbers).values())


def write_frames(out, begin, times, first, count, span, axes):
    """frame_block.write_frames, without its vector instructions."""
    size = REGISTER_BYTES // out.itemsize
    start, end, per_step = span
    asked = times.reshape(-1)[first : first + min(count, size)]
    rows = int(np.sum(asked < end))
    fraction = (asked[:rows] - start).astype(out.dtype) * per_step
    for k in range(3):
        out[begin + k : begin + k + 3 * rows : 3] = np.polynomial.polynomial.polyval(fraction, axes[k])
    return rows, rows == size


def flown(sport, launch, dtype) -> tuple[np.ndarray, dict[str, int]]:
    """Positions (B, T, 3) m, and how many steps the lanes made: by precision, and those that are made again."""
    steps, take_steps = {"float32": 0, "float64": 0, "again": 0}, lanes.take_steps

    def take_and_count(aero, s, exact):
        rows = s.reshape(-1, lane_rows.LANES)
        is_busy = rows[lane_rows.MODE] != lane_rows.IDLE
        steps[s.dtype.name] += int(np.sum(is_busy))
        steps["again"] += int(np.sum(is_busy & (rows[lane_rows.IS_TAKEN] == 0)))
        take_steps(aero, s, exact)

    out = np.zeros((len(launch[0]), FRAMES, 3), dtype)
    numbers = {name: _made_once(getattr(dormand_prince, name)) for name in ("literals", "coefficients")}
    with Replaced(take_steps=take_and_count, write_frames=write_frames, borrowed=lambda value: value, **numbers):
        sim.simulate(sport, *launch, TIMES, dtype=dtype, out=out)
    return out, steps


def _made_once(make):
    """The same numbers for every argument of a type."""
    made: dict = {}

    def numbers(x):
        if type(x) not in made:
            made[type(x)] = make(x)
        return made[type(x)]

    return numbers


def count(name: str, launch: np.ndarray, positions: dict[str, np.ndarray]) -> dict[str, float]:
    """What a sport takes; adds the positions."""
    sport = sim.load(name)
    of_step = step_operations(sport)
    result = {"flops_of_step": sum(of_step.values()), "divisions_of_step": of_step["/"] + of_step["sqrt"],
              "exponentials_of_step": of_step["exp"] + of_step["log"], "flops_of_frame": frame_flops()}  # fmt: skip
    for place, change in PLACES.items():
        for dtype in (np.float32, np.float64):
            key = f"{place}_{np.dtype(dtype).name}"
            out, steps = flown(change(sport), launch, dtype)
            result[f"steps_{key}"] = {kind: n / len(out) for kind, n in steps.items()}
            positions[f"{name}_{key}"] = out
    return result


def main() -> None:
    folder, positions = Path(sys.argv[1]), {}
    warnings.simplefilter("ignore")  # of numpy, where compiled code divides by zero and goes on
    with np.load(folder / "launches.npz") as launches, np.errstate(all="ignore"):
        result = {name: count(name, launches[name], positions) for name in launches}
    np.savez(folder / "positions.npz", **positions)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
