"""The engine against the reference implementation, on every sport's launches, until rest or for ten seconds.

    python -m benchmarks.agreement [--launches 100] [--sport NAME ...] [--seed 0]

Prints a row per sport, then one JSON object with the keys: launches; grazing (balls left out: they pass or touch an
edge, a net or a ring within 0.1 mm, or turn back that close to a surface); impacts (compared); lists_differ and
lists_differ_float32 (balls whose impacts are not on the same surfaces in the same order);
worst_float64_mm, median_float64_mm, worst_float32_mm, median_float32_mm (of each ball's largest error
over time; over the sports, those of the worst sport).
Contacts slower than MIN_COMPARED_SPEED are not compared.
"""

import json
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import fields
from multiprocessing import get_context

import numpy as np
import tyro

from ballcast import sim
from ballcast.sim.reference import Impacts, normals, reference_flight

NEAR_MISS = 1e-4  # m
MIN_COMPARED_SPEED = 0.06  # m/s, speed of approach
TIMES = np.arange(0, 1801) / 180  # s


def approach_speeds(sport, impacts):
    """Speeds (N,) m/s at which the balls approached the surfaces."""
    speed = np.zeros(len(impacts.time))
    for i, surface in enumerate(sport.surfaces):
        here = impacts.surface == i
        direction, _ = normals(surface, impacts.position[here])
        speed[here] = -np.einsum("ij,ij->i", impacts.velocity_before[here], direction)
    return speed


def compared_contacts(sport, computed, truth, until):
    """The surfaces of two lists of impacts, in order, without slow contacts.

    The limit is raised if a true contact is so close to it that rounding would decide.
    """
    speed, limit = approach_speeds(sport, truth), MIN_COMPARED_SPEED
    while (abs(speed - limit) < 1e-3).any():
        limit += 1e-3
    for impacts in (computed, truth):
        yield impacts.surface[(approach_speeds(sport, impacts) >= limit) & (impacts.time < until)]


def ball_impacts(impacts, ball):
    rows = impacts.ball == ball
    return Impacts(*(getattr(impacts, field.name)[rows] for field in fields(Impacts)))


def compare(sport, launch, truths, times, dtype=np.float64):
    """The engine against the reference's flights of the same balls: (errors (B,) m, whether contacts differ (B,), how
    many contacts were compared (B,)). launch: position, velocity, spin (B, 3) and parameters (B, P) or None."""
    *state, parameters = launch
    flight = sim.simulate(sport, *state, times, parameters=parameters, dtype=dtype)
    errors, differ, counts = [], [], []
    for i, truth in enumerate(truths):
        errors.append(np.linalg.norm(flight.position[i].astype(float) - truth.position, axis=1).max())
        end = times[-1] - 1e-3  # a contact at the end itself is in neither list
        contacts = [*compared_contacts(sport, ball_impacts(flight.impacts, i), truth.impacts, end)]
        differ.append(not np.array_equal(*contacts))
        counts.append(len(contacts[1]))
    return np.array(errors), np.array(differ), np.array(counts)


def _truth(case):
    sport, *launch = case
    return reference_flight(sport, *launch[:3], TIMES, launch[3])


def agreement(sport, launches, seed, pool):
    balls = sim.draw(sport, launches, seed=seed, purpose="test")
    launch = balls.launch_position, balls.launch_velocity, balls.launch_spin, balls.parameters
    truths = list(pool.map(_truth, [(sport, *ball) for ball in zip(*launch)], chunksize=4))
    clear = np.array([truth.near_miss >= NEAR_MISS for truth in truths])
    compared = [truth for truth, keep in zip(truths, clear) if keep]
    launch = [part[clear] for part in launch]
    impacts = sum((approach_speeds(sport, truth.impacts) >= MIN_COMPARED_SPEED).sum() for truth in compared)
    row = {"launches": launches, "grazing": int((~clear).sum()), "impacts": int(impacts)}
    for name, dtype, key in (("float64", np.float64, "lists_differ"), ("float32", np.float32, "lists_differ_float32")):
        errors, differ, _ = compare(sport, launch, compared, TIMES, dtype)
        row[f"worst_{name}_mm"], row[f"median_{name}_mm"] = 1e3 * errors.max(), 1e3 * np.median(errors)
        row[key] = int(differ.sum())
    return row


def main(launches: int = 100, sport: tuple[str, ...] = (), seed: int = 0):
    rows = []
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        for name in sport or sim.names():
            rows.append(agreement(sim.load(name), launches, seed, pool))
            if len(rows) == 1:
                print(f"{'':14}" + "".join(f"{key:>22}" for key in rows[0]))
            print(f"{name:14}" + "".join(f"{value:22.3g}" for value in rows[-1].values()), flush=True)
    merge = {key: max if key.endswith("_mm") else sum for key in rows[0]}  # the largest errors, else sums
    print(json.dumps({key: merge[key](row[key] for row in rows) for key in merge}))


if __name__ == "__main__":
    try:
        tyro.cli(main, description=__doc__)
    except sim.SportError as error:
        print(f"agreement: {error}", file=sys.stderr)
        sys.exit(2)
