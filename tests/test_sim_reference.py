"""The reference itself: exact answers of mechanics, contact vectors, and flights that are easy to get wrong."""

import math

import numpy as np
import pytest

from ballcast import sim
from ballcast.sim.reference import MIN_REBOUND_SPEED, reference_flight
from ballcast.sim.sport import Law, Restitution, Surface

G = 9.81
ORIGIN, STILL = np.zeros(3), np.zeros(3)


def bare(**changes):
    """A sport without surfaces, lift or decay, in vacuum unless told otherwise."""
    plain = {"surfaces": (), "lift": Law("none"), "spin_decay": Law("none"), "density": 0.0, "gravity": G}
    return sim.load("table_tennis").replace(**(plain | changes))


def ground(e, friction=0.0, **other):
    """A level plane at z = 0."""
    inf = math.inf
    return Surface("ground", "plane", (-inf, -inf, 0.0), (inf, inf, 0.0), 0.0, 0.0, Restitution(e), friction, **other)


def in_air(k, cd=0.5, **changes):
    """Quadratic drag k u^2 m/s2: the density that makes K Cd = k."""
    unit = bare(drag=Law("constant", (cd,)), density=1.0, **changes)
    return unit.replace(density=k / (unit.aerodynamic_constant * cd))


# --- flight -----------------------------------------------------------------------------------------------------------


def test_vacuum_is_a_parabola():
    times = np.linspace(0, 2, 9)
    flight = reference_flight(bare(), [1, 2, 3], [4, 5, 6], [7, 8, 9], times)
    exact = np.array([1, 2, 3]) + np.outer(times, [4, 5, 6]) - np.outer(G * times**2 / 2, [0, 0, 1])
    np.testing.assert_allclose(flight.position, exact, atol=1e-11)
    np.testing.assert_array_equal(flight.spin, np.tile([7.0, 8.0, 9.0], (9, 1)))


def test_fall_with_drag():
    terminal = 8.4
    flight = reference_flight(in_air(G / terminal**2), ORIGIN, STILL, STILL, [1.0])
    assert flight.velocity[0, 2] == pytest.approx(-terminal * math.tanh(G / terminal), rel=1e-9)
    assert flight.position[0, 2] == pytest.approx(-(terminal**2) / G * math.log(math.cosh(G / terminal)), rel=1e-9)


def test_drag_without_gravity():
    flight = reference_flight(in_air(0.1, gravity=0.0), ORIGIN, [0, 10, 0], STILL, [1.0])
    np.testing.assert_allclose([flight.position[0, 1], flight.velocity[0, 1]], [10 * math.log(2), 5], rtol=1e-10)


def test_magnus_force_alone_makes_a_circle():
    sport = bare(lift=Law("saturating", (0.0, 4.0)), drag=Law("constant", (0.0,)), density=1.2, gravity=0.0)
    sport = sport.replace(mass=0.43, radius=0.11)
    radius, speed = 1 / (sport.aerodynamic_constant * 0.25), 20.0
    assert radius == pytest.approx(75.4123, rel=1e-6)
    flight = reference_flight(
        sport, ORIGIN, [0, speed, 0], [0, 0, 50], [math.pi * radius / speed]
    )  # half of it, turning left
    np.testing.assert_allclose(flight.position[0], [-2 * radius, 0, 0], atol=1e-8)
    np.testing.assert_allclose(flight.velocity[0], [0, -speed, 0], atol=1e-9)


def test_spin_dies_along_the_path_through_the_air():
    sport = bare(spin_decay=Law("path", (0.05,)), gravity=0.0)
    flight = reference_flight(
        sport, ORIGIN, [0, 3, 0], [10, 20, 30], [2.0], [1, 1, 1, 1, 0, -1]
    )  # 4 m/s through the air
    np.testing.assert_allclose(flight.spin[0], np.array([10, 20, 30]) * math.exp(-0.05 * 8), rtol=1e-10)


# --- contact ----------------------------------------------------------------------------------------------------------

VECTORS = {  # physics of rigid spheres: R, inertia, e, mu, e_x | v, w before | v, w after; x forward, z up
    "topspin": (0.02, 2 / 3, 0.9, 0.25, 0, [6, 0, -2.5], [0, 400, 0], [6.8, 0, 2.25], [0, 340, 0]),
    "flat": (0.02, 2 / 3, 0.9, 0.25, 0, [8, 0, -1.5], [0, 0, 0], [7.2875, 0, 1.35], [0, 53.4375, 0]),
    "mixed": (0.02, 2 / 3, 0.9, 0.25, 0, [4, 1, -3], [100, -300, 50],
              [2.6351, 0.59053, 2.7], [69.2897, -197.6323, 50]),
    "tennis": (0.033, 0.55, 0.8, 0.55, 0, [28.838, 0, -8.269], [0, 0, 0], [20.65169, 0, 6.6152], [0, 451.0364, 0]),
    "superball": (0.025, 0.4, 0.85, 1.0, 0.6, [3, 0, -3], [0, -100, 0], [0.48571, 0, 2.55], [0, 151.4286, 0]),
    "basketball": (0.12, 2 / 3, 0.8, 0.5, 0, [3, 0, -5], [0, -12, 0], [1.224, 0, 4], [0, 10.2, 0]),
    "frictionless": (0.12, 2 / 3, 0.8, 0.0, 0, [3, 2, -5], [1, 2, 3], [3, 2, 4], [1, 2, 3]),
    "wedge": (0.02134, 0.4, 0.3, 0.4, 0, [12, 0, -17], [0, -500, 0], [5.52286, 0, 5.1], [0, 258.8031, 0]),
}  # fmt: skip


@pytest.mark.parametrize("name", VECTORS)
def test_contact_vectors(name):
    radius, inertia, e, mu, tangential, v, w, v_after, w_after = VECTORS[name]
    sport = bare(radius=radius, inertia=inertia, surfaces=(ground(e, mu, tangential_restitution=tangential),))
    impacts = reference_flight(sport, [0, 0, radius], v, w, [0.001]).impacts
    np.testing.assert_allclose(impacts.velocity_after[0], v_after, atol=1e-4)
    np.testing.assert_allclose(impacts.spin_after[0], w_after, atol=1e-4)


def test_bounces_die_as_the_geometric_series_says():
    sport, e = bare(surfaces=(ground(0.8),)), 0.8
    radius = sport.ball.radius
    flight = reference_flight(sport, [0, 0, 1 + radius], STILL, STILL, [5.0])
    first, times = math.sqrt(2 / G), flight.impacts.time
    exact = first * (1 + 2 * e * (1 - e ** np.arange(len(times))) / (1 - e))
    np.testing.assert_allclose(times, exact, rtol=1e-10)
    approach = -flight.impacts.velocity_before[:, 2]
    assert (
        e * approach[-1] < MIN_REBOUND_SPEED <= e * approach[-2]
    )  # it stops at the first bounce that would be too slow
    np.testing.assert_array_equal(flight.velocity[0], STILL)


# --- rolling ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("inertia, speed, distance", [(0.4, 5 / 7, 12 / 49), (2 / 3, 3 / 5, 8 / 25)])
def test_a_sliding_ball_comes_to_roll(inertia, speed, distance):
    mu, v0 = 0.2, 3.0
    sport = bare(inertia=inertia, surfaces=(ground(0.8, mu, rolling_resistance=1e-9),))
    radius, end = sport.ball.radius, inertia / (1 + inertia) * v0 / (mu * G)
    flight = reference_flight(sport, [0, 0, radius], [0, v0, 0], STILL, [end, end + 1.0])
    assert flight.velocity[0, 1] == pytest.approx(speed * v0, rel=1e-8)
    assert flight.position[0, 1] == pytest.approx(distance * v0**2 / (mu * G), rel=1e-8)
    assert flight.position[1, 1] - flight.position[0, 1] == pytest.approx(speed * v0, rel=1e-6)
    assert flight.spin[1, 0] == pytest.approx(-speed * v0 / radius, rel=1e-6)


def test_a_rolling_ball_stops():
    sport = bare(surfaces=(ground(0.8, 0.2, rolling_resistance=0.01),))
    radius = sport.ball.radius
    flight = reference_flight(sport, [0, 0, radius], [1, 0, 0], [0, 1 / radius, 9], [20.0])
    assert flight.position[0, 0] == pytest.approx(1 / (2 * 0.01 * G), rel=1e-9)
    np.testing.assert_array_equal([flight.velocity[0], flight.spin[0]], [STILL, STILL])


# --- flights that are easy to get wrong -------------------------------------------------------------------------------

TIMES = np.linspace(0, 8, 801)


def impact_names(sport, flight):
    return [sport.surfaces[i].name for i in flight.impacts.surface]


def test_a_ball_at_rest_on_the_table_stays():
    flight = reference_flight(sim.load("table_tennis"), [0, -0.5, 0.02], STILL, STILL, TIMES)
    np.testing.assert_array_equal(flight.position, np.tile([0, -0.5, 0.02], (len(TIMES), 1)))


def test_a_ball_that_touches_and_leaves_is_no_contact():
    flight = reference_flight(sim.load("table_tennis"), [0, -0.5, 0.02], [0, 1, 2], STILL, [0.1])
    assert len(flight.impacts.time) == 0 and flight.position[0, 2] > 0.1


def test_a_ball_inside_the_table_bounces_at_once():
    flight = reference_flight(sim.load("table_tennis"), [0, -0.5, 0.015], [0, 1, -1], STILL, [0.1])
    assert flight.impacts.time[0] == 0 and flight.velocity[0, 2] > -0.2


def test_three_walls_at_once():
    room = sim.load("room")
    flight = reference_flight(room, [2.97, 3.97, 0.03], [3, 3, -2], [10, 20, 30], TIMES)
    assert impact_names(room, flight)[:3] == ["floor", "right wall", "back wall"]
    np.testing.assert_array_equal(flight.impacts.time[:3], 0)
    assert (flight.position.max(axis=0) <= [2.97 + 1e-9, 3.97 + 1e-9, 2.97 + 1e-9]).all()


def test_a_ball_rolls_off_the_end_of_the_table():
    sport = sim.load("table_tennis")
    flight = reference_flight(sport, [0, 1.2, 0.02], [0, 1, 0], [-50, 0, 0], TIMES)
    names = impact_names(sport, flight)
    assert names[0] == "table" and set(names[1:]) == {"floor"}
    leaves = TIMES[np.argmax(flight.position[:, 2] < 0.02 - 1e-6)]
    speed = 1 - 0.01 * G * leaves
    assert flight.position[np.searchsorted(TIMES, leaves), 1] == pytest.approx(1.37, abs=2 * speed * 0.01)
    assert flight.position[-1, 2] == pytest.approx(-0.74, abs=1e-12)


def test_a_slow_ball_tips_over_the_edge():
    sport = sim.load("table_tennis")
    flight = reference_flight(sport, [0, 1.3, 0.02], [0, 0.2, 0], [-10, 0, 0], TIMES)
    assert "floor" in impact_names(sport, flight) and flight.position[-1, 1] > 1.39


def test_a_ball_rolls_into_the_net():
    sport = sim.load("table_tennis")
    flight = reference_flight(sport, [0, -0.3, 0.02], [0, 1, 0], [-50, 0, 0], TIMES)
    assert impact_names(sport, flight)[:2] == ["table", "net"]
    assert flight.impacts.velocity_after[1, 2] > 0  # the front of a rolling ball moves down: the net lifts it
    assert flight.position[:, 1].max() <= -0.02 + 1e-12
    np.testing.assert_array_equal(flight.velocity[-1], STILL)


def test_a_ball_under_the_table_bounces_off_its_underside():
    sport = sim.load("table_tennis")
    flight = reference_flight(sport, [0, -0.5, -0.3], [0, 2, 4], STILL, TIMES)
    assert impact_names(sport, flight)[:2] == ["table", "floor"] and flight.impacts.position[0, 2] == pytest.approx(
        -0.02
    )


def test_a_ball_on_the_edge_of_the_net_hops_at_the_stopping_speed():
    flight = reference_flight(sim.load("table_tennis"), [0.05, 0, 0.3], STILL, STILL, [0.6])
    np.testing.assert_allclose(flight.impacts.velocity_after[-1], [0, 0, MIN_REBOUND_SPEED])
    assert flight.position[0, 2] == pytest.approx(0.1625, abs=MIN_REBOUND_SPEED**2 / (2 * G) + 1e-9)


def test_a_ball_between_ring_and_board_overlaps_neither():
    sport = sim.load("basketball")
    flight = reference_flight(sport, [0.15, 12.60, 3.5], [0, 0.3, -1], [20, 0, 0], TIMES)
    touched = set(impact_names(sport, flight))
    assert {"ring", "board"} <= touched
    from_ring = np.hypot(
        np.hypot(flight.position[:, 0], flight.position[:, 1] - 12.425) - 0.2286, flight.position[:, 2] - 3.05
    )
    assert from_ring.min() >= 0.12 + 0.009 - 1e-9


def test_a_pass_and_a_touch_within_a_tenth_of_a_millimetre_are_near_misses():
    sport = sim.load("table_tennis").replace(gravity=0.0, density=0.0)
    over, into = (reference_flight(sport, [0, -1, 0.1625 + d], [0, 10, 0], STILL, [0.2]) for d in (5e-5, -5e-5))
    assert len(over.impacts.time) == 0 and over.near_miss == pytest.approx(5e-5, abs=1e-9)
    assert len(into.impacts.time) == 1 and into.near_miss == pytest.approx(5e-5, abs=1e-7)
    assert reference_flight(sport, [0, -1, 0.1], [0, 10, 0], STILL, [0.2]).near_miss > 0.01
