"""The laws that every flight keeps, over every sport that ships: a new sport is tested with no new test."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ballcast import sim
from ballcast.sim.reference import MIN_REBOUND_SPEED, MIN_REBOUND_SPEED_SOFT, normals, turned_normal

BALLS = 8
TIMES = np.arange(0, 361) / 120  # s
IMPACTS = ("ball", "time", "position", "surface", "velocity_before", "velocity_after", "spin_before", "spin_after")


@pytest.fixture(scope="module", params=sim.names())
def sport(request):
    return sim.load(request.param)


def drawn(sport, count=BALLS, seed=3):
    """position, velocity, spin (B, 3) and parameters (B, P) of the sport's own launches."""
    balls = sim.draw(sport, count, seed=seed, purpose="test")
    return [balls.launch_position, balls.launch_velocity, balls.launch_spin, balls.parameters]


def fly(sport, launch, times=TIMES):
    *state, parameters = launch
    return sim.simulate(sport, *state, times, parameters=parameters)


def energy(sport, flight):
    """Of a flight, per mass (B, T) in J/kg: of height, of motion, of spin."""
    turning = sport.ball.inertia * sport.ball.radius**2 * np.sum(flight.spin**2, axis=-1) / 2
    return sport.world.gravity * flight.position[..., 2] + np.sum(flight.velocity**2, axis=-1) / 2 + turning


def contact_normals(sport, impacts):
    """Unit vectors (N, 3) from the surface to the ball."""
    out = np.empty_like(impacts.position)
    for i, surface in enumerate(sport.surfaces):
        out[impacts.surface == i] = normals(surface, impacts.position[impacts.surface == i])[0]
    return out


def slips(sport, impacts, normal):
    """Velocities (N, 3) of the contact point along the surface, before and after."""
    for v, w in ((impacts.velocity_before, impacts.spin_before), (impacts.velocity_after, impacts.spin_after)):
        yield v - np.sum(v * normal, axis=1, keepdims=True) * normal + np.cross(w, -sport.ball.radius * normal)


# --- energy -----------------------------------------------------------------------------------------------------------


def allowed_rise(flight):
    """J/kg (B, T - 1) that a flight may gain from frame to frame: a ball that would stick to an edge is pushed off."""
    return (
        MIN_REBOUND_SPEED**2
        / 2
        * np.stack(
            [np.histogram(flight.impacts.time[flight.impacts.ball == i], TIMES)[0] for i in range(len(flight.position))]
        )
    )


def test_energy_never_rises_without_wind(sport):
    launch = drawn(sport)
    launch[3][:, 4:] = 0
    flight = fly(sport, launch)
    rise = np.diff(energy(sport, flight), axis=1)
    assert (rise <= allowed_rise(flight) + 1e-6 * energy(sport, flight).max()).all()


@settings(max_examples=25)
@given(
    st.lists(st.floats(-1, 1), min_size=9, max_size=9),
    st.lists(st.floats(0.2, 3), min_size=4, max_size=4),
    st.sampled_from(sim.names()),
)
def test_energy_never_rises_whatever_the_launch(state, factors, name):
    sport = sim.load(name)
    position = np.array(state[:3]) * [2, 3, 0.5] + [0, 0, 1.6]
    launch = [[position], [np.array(state[3:6]) * 30], [np.array(state[6:]) * 600], [[*factors, 0, 0]]]
    flight = fly(sport, launch)
    rise = np.diff(energy(sport, flight), axis=1)
    assert np.isfinite(flight.position).all()
    assert (rise <= allowed_rise(flight) + 1e-6 * energy(sport, flight).max()).all()


def test_the_magnus_force_does_no_work(sport):
    launch = drawn(sport)
    launch[3][:] = [0, 1, 1, 1, 0, 0]  # no drag
    flight = fly(sport.replace(surfaces=()), launch)
    speeds = energy(sport.replace(inertia=1e-9), flight)  # spin decays: leave it out
    np.testing.assert_allclose(speeds, speeds[:, :1].repeat(len(TIMES), 1), rtol=1e-6)


# --- flight -----------------------------------------------------------------------------------------------------------


def test_an_arc_in_vacuum_flies_back(sport):
    empty = sport.replace(surfaces=(), density=0.0)
    launch = drawn(sport)
    there = fly(empty, launch, [0.0, 1.0])
    back = fly(empty, [there.position[:, 1], -there.velocity[:, 1], launch[2], launch[3]], [0.0, 1.0])
    np.testing.assert_allclose(back.position[:, 1], launch[0], atol=1e-9)
    np.testing.assert_allclose(back.velocity[:, 1], -launch[1], atol=1e-9)


def test_a_steady_wind_carries_the_whole_flight_along(sport):
    """Galilei: launched with the wind W, in it, a ball is W t from where it is in still air."""
    empty, launch = sport.replace(surfaces=()), drawn(sport)
    launch[3][:, 4:] = 0
    wind = np.array([3.0, -2.0, 0.0])
    still = fly(empty, launch)
    launch[1] = launch[1] + wind
    launch[3][:, 4:] = wind[:2]
    np.testing.assert_allclose(fly(empty, launch).position - wind * TIMES[:, None], still.position, atol=1e-6)


def test_twice_the_mass_in_twice_the_air_flies_the_same(sport):
    """Only K = rho A / 2 m counts; gravity and contacts know no mass."""
    world, launch = sport.world, drawn(sport)
    one = sport.replace(density=world.rho, viscosity=world.nu)
    two = one.replace(density=2 * world.rho, mass=2 * sport.ball.mass)
    np.testing.assert_allclose(fly(two, launch).position, fly(one, launch).position, atol=1e-6)


def test_the_mirror_image_is_a_flight(sport):
    """x -> -x: velocity is mirrored as an arrow, spin (a turn) about the other two axes."""
    arrow, turn = np.array([-1.0, 1, 1]), np.array([1.0, -1, -1])

    def flipped(s):
        pairs = [sorted((a * f, b * f)) for a, b, f in zip(s.low, s.high, arrow)]
        return dataclasses.replace(s, low=tuple(p[0] for p in pairs), high=tuple(p[1] for p in pairs))

    position, velocity, spin, parameters = drawn(sport)
    image = parameters * [1, 1, 1, 1, -1, 1]
    mirror = sport.replace(surfaces=tuple(flipped(s) for s in sport.surfaces))
    there = fly(sport, (position, velocity, spin, parameters))
    here = fly(mirror, (position * arrow, velocity * arrow, spin * turn, image))
    np.testing.assert_allclose(here.position * arrow, there.position, atol=1e-6)
    np.testing.assert_allclose(here.spin * turn, there.spin, atol=1e-3)


def test_the_flight_does_not_depend_on_the_times_asked(sport):
    launch = drawn(sport)
    all_times, every_fifth = fly(sport, launch).position, fly(sport, launch, TIMES[::5]).position
    np.testing.assert_allclose(every_fifth, all_times[:, ::5], atol=1e-4)


def test_no_ball_enters_a_surface(sport):
    flight = fly(sport, drawn(sport))
    centres = flight.position.reshape(-1, 3)
    for surface in sport.surfaces:
        gap = normals(surface, centres)[1] - sport.ball.radius - surface.rod
        assert gap.min() >= -1e-4, f"{1e3 * -gap.min():.3f} mm into the {surface.name}"


# --- contact ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def contacts(sport):
    """Contacts (impacts, normals) of the sport's balls in flight; one that rolls has the ground to push on too."""
    impacts = fly(sport, drawn(sport, 32), 3 * TIMES).impacts
    free = (abs(impacts.velocity_before[:, 2]) > 1e-9) & (np.linalg.norm(impacts.velocity_before, axis=1) > 0)
    chosen = SimpleNamespace(**{name: getattr(impacts, name)[free] for name in IMPACTS})
    return chosen, contact_normals(sport, chosen)


@pytest.fixture(scope="module")
def impulses(sport, contacts):
    """The contacts (impacts, normals) again, with the normals of surfaces that give as they are turned; of those
    surfaces only contacts after which the ball leaves freely, since the ground holds or lifts the others."""
    impacts, normal = contacts
    gives = np.array([surface.give for surface in sport.surfaces])[impacts.surface]
    free = (gives == 0) | (np.sum(impacts.velocity_after * normal, axis=1) > MIN_REBOUND_SPEED_SOFT)
    chosen = SimpleNamespace(**{name: getattr(impacts, name)[free] for name in IMPACTS})
    turned = [turned_normal(*row) for row in zip(gives[free], chosen.velocity_before, normal[free])]
    return chosen, np.array(turned)


def test_impacts_are_contacts(sport, contacts):
    impacts, normal = contacts
    assert len(impacts.time) > BALLS
    assert (np.lexsort((impacts.time, impacts.ball)) == np.arange(len(impacts.time))).all()
    for i, surface in enumerate(sport.surfaces):
        here = impacts.surface == i
        distance = normals(surface, impacts.position[here])[1]
        np.testing.assert_allclose(distance, sport.ball.radius + surface.rod, atol=1e-6)
    assert (np.sum(impacts.velocity_before * normal, axis=1) <= 1e-9).all()
    assert (np.sum(impacts.velocity_after * normal, axis=1) >= -1e-9).all()


def test_angular_momentum_about_the_contact_point_stays(sport, impulses):
    impacts, normal = impulses
    radius, inertia = sport.ball.radius, sport.ball.inertia

    def momentum(v, w):  # per mass
        return inertia * radius**2 * w + np.cross(radius * normal, v)

    before = momentum(impacts.velocity_before, impacts.spin_before)
    after = momentum(impacts.velocity_after, impacts.spin_after)
    np.testing.assert_allclose(after, before, atol=1e-12 * max(1, abs(before).max() / 1e-2))


def test_friction_never_turns_the_slip_round_more_than_the_surface_gives_back(sport, impulses):
    impacts, normal = impulses
    before, after = slips(sport, impacts, normal)
    size = np.linalg.norm(before, axis=1)
    slid = size > 1e-6
    assert slid.sum() > BALLS
    before, after = before[slid], after[slid]
    ratio = np.sum(before * after, axis=1) / size[slid] ** 2
    gives_back = np.array([surface.tangential_restitution for surface in sport.surfaces])[impacts.surface][slid]
    assert (ratio <= 1 + 1e-9).all() and (ratio >= -gives_back - 1e-9).all()
    np.testing.assert_allclose(after, ratio[:, None] * before, atol=1e-9)  # along the same line


def test_a_contact_gives_no_energy(sport, contacts):
    impacts, _ = contacts
    turning = sport.ball.inertia * sport.ball.radius**2
    before = np.sum(impacts.velocity_before**2, axis=1) + turning * np.sum(impacts.spin_before**2, axis=1)
    after = np.sum(impacts.velocity_after**2, axis=1) + turning * np.sum(impacts.spin_after**2, axis=1)
    assert (after <= before + MIN_REBOUND_SPEED**2 + 1e-12).all()


def test_spin_about_the_normal_goes_through_a_contact(impulses):
    impacts, normal = impulses
    change = np.sum((impacts.spin_after - impacts.spin_before) * normal, axis=1)
    np.testing.assert_allclose(change, 0, atol=1e-9 * max(1, abs(impacts.spin_before).max()))
