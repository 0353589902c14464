"""The engine against the reference implementation: every sport's launches, difficult flights, every form of law."""

import dataclasses
import math

import numpy as np
import pytest

from ballcast import sim
from ballcast.sim.reference import reference_flight
from ballcast.sim.sport import Law, Restitution
from benchmarks.agreement import NEAR_MISS, compare

LAUNCHES = 8
TIMES = np.arange(0, 1201) / 120  # s
CLOSE = {np.float64: 1e-4, np.float32: 1e-3}  # m


def reference_flights(sport, launch, times=TIMES):
    """Flights of the reference, one for every ball: none of the launches here may be a near miss."""
    *state, parameters = launch
    rows = [None] * len(state[0]) if parameters is None else parameters
    truths = [reference_flight(sport, *ball, times, row) for *ball, row in zip(*state, rows, strict=True)]
    near = [ball for ball, truth in enumerate(truths) if truth.near_miss < NEAR_MISS]
    assert len(truths) == len(state[0]) > 0 and not near, f"rounding decides where balls {near} go: launch others"
    return truths


def assert_agree(sport, launch, times=TIMES, min_contacts=1):
    """Every ball agrees in both precisions, and at least `min_contacts` contacts of each were compared."""
    truths = reference_flights(sport, launch, times)
    for dtype, tolerance in CLOSE.items():
        errors, differ, contacts = compare(sport, launch, truths, times, dtype)
        assert len(errors) == len(differ) == len(contacts) == len(launch[0])
        assert contacts.min() >= min_contacts, f"{dtype.__name__}: contacts compared of each ball: {contacts}"
        assert errors.max() <= tolerance, f"{dtype.__name__}: ball {errors.argmax()} is off by {errors.max():.2e} m"
        assert not differ.any(), f"{dtype.__name__}: balls {np.flatnonzero(differ)} have other impacts"


def drawn(sport, count=LAUNCHES, seed=7):
    balls = sim.draw(sport, count, seed=seed, purpose="test")
    return balls.launch_position, balls.launch_velocity, balls.launch_spin, balls.parameters


@pytest.mark.parametrize("name", sim.names())
def test_own_launches_until_rest(name):
    sport = sim.load(name)
    assert_agree(sport, drawn(sport))


# --- flights that are easy to get wrong -------------------------------------------------------------------------------

HARD_CASES = {  # sport, position, velocity, spin
    "at rest on the table": ("table_tennis", [0, -0.5, 0.02], [0, 0, 0], [0, 0, 0]),
    "a top on the table": ("table_tennis", [0, -0.5, 0.02], [0, 0, 0], [-50, 0, 30]),
    "touching and leaving": ("table_tennis", [0, -0.5, 0.02], [0, 1, 2], [0, 0, 0]),
    "starting inside the table": ("table_tennis", [0, -0.5, 0.015], [0, 1, -1], [0, 0, 0]),
    "off the end of the table": ("table_tennis", [0.1, 1.2, 0.02], [0, 1, 0], [-50, 0, 0]),
    "slowly over the edge": ("table_tennis", [0, 1.3, 0.02], [0, 0.2, 0], [-10, 0, 0]),
    "rolling into the net": ("table_tennis", [0, -0.3, 0.02], [0.1, 1, 0], [-50, 5, 0]),
    "skidding with backspin": ("table_tennis", [0, -0.9, 0.02], [0, 1, 0], [100, 0, 0]),
    "under the table": ("table_tennis", [0, -0.5, -0.3], [0, 2, 4], [0, 0, 0]),
    "onto the edge of the table": ("table_tennis", [0, 0.4, 0.3], [0, 4.2, 0], [0, 0, 0]),
    "onto the top of the net": ("table_tennis", [0.05, -0.6, 0.3], [0, 3.1, 0.6], [-100, 0, 0]),
    "past the end of the net": ("table_tennis", [0.93, -0.6, 0.1], [0, 6, 0.5], [0, 20, 0]),
    "three walls at once": ("room", [2.97, 3.97, 0.03], [3, 3, -2], [10, 20, 30]),
    "along a wall": ("room", [2.97, -3, 1.5], [0.5, 4, 0], [0, 0, 50]),
    "between ring and board": ("basketball", [0.15, 12.60, 3.5], [0, 0.3, -1], [20, 0, 0]),
    "onto the ring from above": ("basketball", [0.1, 12.2, 3.6], [0.1, 0, -2], [0, 0, 0]),
    "the board from behind": ("basketball", [0.3, 13.4, 3.2], [0, -4, 2], [0, 0, 5]),
    "a skidding serve": ("tennis", [0, -11, 2.7], [0, 50, -6], [-300, 50, 20]),
}


WITHOUT_CONTACTS = ("at rest on the table", "skidding with backspin")  # but for the slow one with the table they are on


@pytest.mark.parametrize("case", HARD_CASES)
def test_hard_cases(case):
    name, *state = HARD_CASES[case]
    launch = [np.array([row], float) for row in state]
    assert_agree(sim.load(name), (*launch, None), min_contacts=0 if case in WITHOUT_CONTACTS else 1)


def test_wind_and_factors():
    sport = sim.load("tennis")
    position, velocity, spin, _ = drawn(sport, 4)
    parameters = np.array(
        [[1.3, 0.5, 0.9, 0.7, 4, -3], [0.5, 2, 1.2, 1.5, -5, 8], [0, 0, 1, 1, 9, 9], [1, 1, 2, 0, 0, 0]]
    )
    assert_agree(sport, (position, velocity, spin, parameters))


# --- every form of law ------------------------------------------------------------------------------------------------

FORMS = {
    "logistic drag": {"drag": Law("logistic", (0.501, 0.155, 12.19, 1.309))},
    "drag of a ball that spins": {"drag": Law("goff", (0.501, 0.155, 32.0, 1.309, 0.2, 0.4127, 0.3056))},
    "polynomial drag and lift": {
        "drag": Law("polynomial", (0.1971, 0.5485, -0.5269, -0.0916, 1.5, 0.15, 0.45)),
        "lift": Law("polynomial", (0.0663, 1.3755, -1.4162, 0.40)),
    },
    "a lift crisis": {
        "drag": Law("crisis", (0.53, 0.06)),
        "lift": Law("crisis", (0.9, 2.1, 0.19, 2.2, 1.5, 3.6, 0.18)),
    },
    "a lift crisis with constant drag": {"lift": Law("crisis", (0.9, 2.1, 0.19, 2.2, 1.5, 3.6, 0.18))},
    "drag by spin": {"drag": Law("spin", (0.3008, 0.0292))},
    "no lift": {"lift": Law("none")},
    "lift linear in S": {"lift": Law("saturating", (2.5, 0.0))},
    "decay along the path": {"spin_decay": Law("path", (0.02,))},
    "no decay": {"spin_decay": Law("none")},
    "vacuum": {"density": 0.0},
    "on the moon": {"gravity": 1.62},
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_law(form):
    sport = sim.load("tennis").replace(**FORMS[form])
    launch = drawn(sport, 4)
    assert_agree(sport, launch, TIMES[:361])


def test_restitution_with_a_curve():
    sport = sim.load("tennis")
    law = Restitution(0.51, 0.0, -0.0375, 0.000903, 0.12, 0.51)  # turf, by the speed of approach
    surfaces = tuple(dataclasses.replace(s, restitution=law) for s in sport.surfaces)
    assert_agree(sport.replace(surfaces=surfaces), drawn(sport, 4), TIMES[:361])


def test_a_bar_is_a_rounded_edge():
    sport = sim.load("table_tennis")
    bar = dataclasses.replace(
        sport.surfaces[1], name="bar", kind="bar", low=(-1.0, 0.3, 0.2), high=(1.0, 0.3, 0.2), rod=0.05
    )
    sport = sport.replace(surfaces=(*sport.surfaces, bar))
    launch = [np.array([[0.1 * i, -0.5, 0.2] for i in range(4)]), np.array([[0.3, 5, z] for z in (0.4, 0.72, 1, 1.3)])]
    launch.append(np.array([[-50.0 * i, 0, 20] for i in range(4)]))
    truths = reference_flights(sport, (*launch, None), TIMES[:361])
    assert any((truth.impacts.surface == 3).any() for truth in truths)
    assert_agree(sport, (*launch, None), TIMES[:361])


# --- the times asked --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "times", [[0.0], [0.7], [3.0], [0.0, 1e-6, 0.31, 0.32, 2.9], np.linspace(0, 3, 7), np.linspace(0, 3, 3001)]
)
def test_any_times_may_be_asked(times):
    sport = sim.load("table_tennis")
    times = np.asarray(times, float)
    launch = drawn(sport, 4)
    truths = reference_flights(sport, launch, times)
    errors = sim.simulate(sport, *launch[:3], times, parameters=launch[3]).position - [t.position for t in truths]
    assert np.linalg.norm(errors, axis=-1).max() <= CLOSE[np.float64]


def test_every_ball_its_own_times():
    sport = sim.load("room")
    launch = drawn(sport, 4)
    reference_flights(sport, launch, TIMES)
    ball_times = np.sort(np.random.default_rng(0).uniform(0, 5, (4, 60)))
    flight = sim.simulate(sport, *launch[:3], ball_times, parameters=launch[3])
    for i in range(4):
        truth = reference_flight(sport, *(part[i] for part in launch[:3]), ball_times[i], launch[3][i])
        np.testing.assert_allclose(flight.position[i], truth.position, atol=CLOSE[np.float64])
    assert math.isfinite(flight.velocity.sum())
