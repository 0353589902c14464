"""The speed of the simulator: python -m benchmarks.sim_speed [--part table_tennis sports]. One core, one thread.

table_tennis: launches with table and floor, 200 frames at 180 Hz, positions written to an existing array; the accuracy
is checked in the same run. Also `sim.draw`; and flights with gravity and drag only, compared with MuJoCo's rollout
(RK4) and the reference implementation on scipy. Best of a few rounds, the measurements taken in turn.
sports: every sport with all its surfaces, and how near it is to what the core can do (engine_limit.py).

All speeds are by CPU time, so that other programs on the machine count little. Keys of the last line, of table_tennis:
ball_steps_per_second_per_core (float32), float64_ball_steps_per_second_per_core, tracks_per_second_per_core,
jacobian_ball_steps_per_second_per_core (float64, 15 columns), mujoco_ratio (float32 against MuJoCo), scipy_ratio
(float64 against scipy), impacts_per_step, error_float32_mm, error_float64_mm; of sports: limits, sports.
"""

import os

os.environ["NUMBA_NUM_THREADS"] = "1"

import json
import time
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import tyro

from ballcast import sim
from ballcast.sim import reference
from ballcast.sim.sport import Law
from benchmarks import engine_limit

BALLS, JACOBIAN_BALLS, FRAMES, RATE, ROUNDS, CHECKED_BALLS = 20_000, 1000, 200, 180.0, 7, 20
TIMES = np.arange(1, FRAMES + 1) / RATE
Part = Literal["table_tennis", "sports"]


@dataclass(frozen=True)
class Options:
    """What is measured."""

    part: tuple[Part, ...] = get_args(Part)


def main():
    options, result = tyro.cli(Options, description=__doc__), {}
    for part in options.part:
        result |= PARTS[part]()
    print(json.dumps(rounded(result)))


def rounded(value):
    """Five digits of every number, however deep."""
    if isinstance(value, dict):
        return {key: rounded(of) for key, of in value.items()}
    return float(f"{value:.5g}")


def measure_table_tennis():
    whole = sim.load("table_tennis")
    sport = whole.replace(surfaces=tuple(s for s in whole.surfaces if s.name in ("table", "floor")))
    launch = launches(sport, BALLS)
    outs = {dtype: np.zeros((BALLS, FRAMES, 3), dtype) for dtype in (np.float32, np.float64)}
    speed, draws, steps = dict.fromkeys(outs, 0.0), 0.0, 0.0
    columns = np.zeros((JACOBIAN_BALLS, FRAMES, 3, 15))
    for _ in range(ROUNDS):
        for dtype, out in outs.items():
            took = seconds(sim.simulate, sport, *launch, TIMES, dtype=dtype, out=out)
            speed[dtype] = max(speed[dtype], out[..., 0].size / took)
        took = seconds(sim.simulate_with_jacobian, sport, *(a[:JACOBIAN_BALLS] for a in launch), TIMES, out=columns)
        steps = max(steps, JACOBIAN_BALLS * FRAMES / took)
        draws = max(draws, BALLS / seconds(sim.draw, whole, BALLS, seed=1, purpose="test", duration=1.0))
    errors = {d: error(sport, launch, out) for d, out in outs.items()}
    impacts = len(sim.simulate(sport, *launch, TIMES).impacts) / (BALLS * FRAMES)
    mujoco, scipy, bare32, bare64 = baselines(whole)
    result = {
        "ball_steps_per_second_per_core": speed[np.float32],
        "float64_ball_steps_per_second_per_core": speed[np.float64],
        "jacobian_ball_steps_per_second_per_core": steps, "tracks_per_second_per_core": draws,
        "mujoco_ratio": bare32 / mujoco, "scipy_ratio": bare64 / scipy, "impacts_per_step": impacts,
        "error_float32_mm": errors[np.float32], "error_float64_mm": errors[np.float64],
    }  # fmt: skip
    for name, dtype in (("float32", np.float32), ("float64", np.float64)):
        print(f"{name} {speed[dtype] / 1e6:6.1f} million ball-steps/s, error at most {errors[dtype]:.4f} mm")
    print(f"with the Jacobian {steps / 1e6:.1f} million ball-steps/s")
    print(f"impacts per ball-step {impacts:.4f}; sim.draw {draws:,.0f} tracks of one second a second")
    print(f"without contacts: float32 {bare32 / 1e6:.1f}, float64 {bare64 / 1e6:.1f}, "
          f"MuJoCo {mujoco / 1e6:.4f}, scipy {scipy / 1e6:.5f} million ball-steps/s")  # fmt: skip
    return result


def launches(sport, count):
    balls = sim.draw(sport, count, purpose="test", duration=0.1)
    return balls.launch_position, balls.launch_velocity, balls.launch_spin


def seconds(call, *args, **options):
    """CPU time of a call, s, all threads together."""
    start = time.process_time()
    call(*args, **options)
    return time.process_time() - start


def error(sport, launch, out):
    """The largest error, mm, of the first balls against the reference implementation."""
    truth = [reference.reference_flight(sport, *(a[i] for a in launch), TIMES).position for i in range(CHECKED_BALLS)]
    return 1e3 * np.linalg.norm(out[:CHECKED_BALLS] - truth, axis=2).max()


def baselines(whole):
    """Ball-steps per second of MuJoCo, scipy, and our engine in float32 and float64, with gravity and drag only."""
    sport = whole.replace(surfaces=(), lift=Law("none"), spin_decay=Law("none"))
    launch = launches(sport, BALLS)
    ours = {}
    for dtype in (np.float32, np.float64):
        out = np.zeros((BALLS, FRAMES, 3), dtype)
        rounds = [seconds(sim.simulate, sport, *launch, TIMES, dtype=dtype, out=out) for _ in range(ROUNDS)]
        ours[dtype] = BALLS * FRAMES / min(rounds)
    few = [a[:20] for a in launch]
    took = seconds(lambda: [reference.reference_flight(sport, *(a[i] for a in few), TIMES) for i in range(20)])
    return mujoco_speed(sport, launch), 20 * FRAMES / took, ours[np.float32], ours[np.float64]


def mujoco_speed(sport, launch):
    """Ball-steps per second of MuJoCo's rollout of a free ball: drag of a sphere, no contact, RK4 at the frame rate."""
    import mujoco
    from mujoco import rollout

    ball, world = sport.ball, sport.world
    model = mujoco.MjModel.from_xml_string(f"""
    <mujoco><option timestep="{1 / RATE}" integrator="RK4" density="{world.rho}" gravity="0 0 -{world.gravity}">
      <flag contact="disable"/></option>
      <worldbody><body><freejoint/><geom type="sphere" size="{ball.radius}" mass="{ball.mass}" fluidshape="ellipsoid"
        fluidcoef="{sport.drag.values[0]} 0 0 0 0"/></body></worldbody></mujoco>""")
    count = 500
    state = np.zeros((count, mujoco.mj_stateSize(model, mujoco.mjtState.mjSTATE_FULLPHYSICS)))
    state[:, 1:4], state[:, 4], state[:, 8:11] = launch[0][:count], 1.0, launch[1][:count]
    data = mujoco.MjData(model)
    with rollout.Rollout(nthread=0) as runner:
        took = min(seconds(runner.rollout, model, data, state, nstep=FRAMES) for _ in range(3))
    return count * FRAMES / took


PARTS = {"table_tennis": measure_table_tennis, "sports": engine_limit.measure}

if __name__ == "__main__":
    main()
