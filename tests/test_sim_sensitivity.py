"""The Jacobian against central differences of the engine, over every sport and law; its shapes and refusals."""

import numba
import numpy as np
import pytest

from ballcast import sim
from ballcast.sim.kernels.compiled_sport import compile_sport
from ballcast.sim.kernels.flight import fly_ball
from ballcast.sim.kernels.layout import CONTACT_DTYPE
from ballcast.sim.kernels.tangent import COLUMNS, TANGENT_SIZE, seed_launch
from ballcast.sim.sport import Law

STEPS = np.array([1e-5] * 3 + [1e-4] * 3 + [1e-2] * 3 + [1e-4] * 6)  # of the differences: m, m/s, rad/s, factors, m/s
TIMES = np.arange(1, 61) / 50.0
LAWS = {
    "spin drag": {"drag": Law("spin", (0.3, 0.03))},
    "drag of a ball that spins": {"drag": Law("goff", (0.5, 0.155, 7.0, 1.3, 0.3, 0.4127, 0.3056))},
    "drag crisis": {"drag": Law("logistic", (0.47, 0.17, 9.0, 1.5)), "lift": Law("saturating", (0.583, 2.333))},
    "lift crisis": {
        "drag": Law("crisis", (0.53, 0.06)),
        "lift": Law("crisis", (0.9, 2.1, 0.19, 2.2, 1.5, 9.0, 0.18)),
    },
    "polynomials": {
        "drag": Law("polynomial", (0.1971, 0.5485, -0.5269, -0.0916, 1.5, 0.15, 0.45)),
        "lift": Law("polynomial", (0.0663, 1.3755, -1.4162, 0.40)),
    },
}


def launched(sport, count, times):
    balls = sim.draw(sport, count, seed=5, purpose="test", duration=0.1)
    state = balls.launch_position, balls.launch_velocity, balls.launch_spin
    return np.concatenate([*state, balls.parameters], axis=1), times


def differences(sport, launch, times, fraction):
    """Central differences (B, T, 3, 15) over `share` of STEPS."""
    result = np.empty((len(launch), len(times), 3, 15))
    for k, step in enumerate(fraction * STEPS):
        ends = []
        for sign in (1, -1):
            moved = launch.copy()
            moved[:, k] += sign * step
            ends.append(sim.simulate(sport, *np.split(moved[:, :9], 3, axis=1), times, moved[:, 9:]).position)
        result[..., k] = (ends[0] - ends[1]) / (2 * step)
    return result


def compare(sport, times=TIMES, count=40):
    """(share of columns that differences can tell, relative error among those: of 999 in 1000, and the largest)."""
    launch, times = launched(sport, count, times)
    _, jacobian = sim.simulate_with_jacobian(sport, *np.split(launch[:, :9], 3, axis=1), times, launch[:, 9:])
    coarse, fine = (differences(sport, launch, times, fraction) for fraction in (1.0, 0.25))
    size = np.linalg.norm(fine, axis=2) + 1e-2 * STEPS[0] / STEPS  # below which rounding rules
    sure = np.linalg.norm(coarse - fine, axis=2) < 3e-5 * size  # a grazing impact lies elsewhere for each step
    off = np.linalg.norm(jacobian - fine, axis=2) / size
    return sure.mean(), np.quantile(off[sure], 0.999), off[sure].max()


@pytest.mark.parametrize("name", sim.names())
def test_jacobian_equals_differences(name):
    sure, off, largest = compare(sim.load(name))
    limit = 1.5e-3 if name == "table_tennis" else 3e-4  # the differences move the ends of steps too
    assert sure > 0.97 and off < 1e-4 and largest < limit


@pytest.mark.parametrize("law", LAWS)
def test_jacobian_of_every_law_equals_differences(law):
    sure, off, largest = compare(sim.load("tennis").replace(**LAWS[law]))
    assert sure > 0.97 and off < (1e-3 if law == "polynomials" else 1e-4)  # these have corners
    assert largest < 3e-3


def test_jacobian_of_balls_that_skid_roll_and_rest():
    sport = sim.load("room")
    times, count = np.array([0.3, 1.0, 2.0, 4.0]), 12
    launch = np.zeros((count, 15))
    launch[:, :3] = [[0.0, 0.0, sport.ball.radius]]
    launch[:, 3:5] = np.linspace([0.4, -0.3], [1.2, 0.6], count)
    launch[:, 6:9] = np.linspace([-9.0, 3.0, 5.0], [12.0, 4.0, -2.0], count)
    launch[:, 9:13] = 1.0
    _, jacobian = sim.simulate_with_jacobian(sport, *np.split(launch[:, :9], 3, axis=1), times, launch[:, 9:])
    columns = [0, 1, 3, 4, 6, 7, 12]  # what keeps it on the floor
    narrow = differences(sport, launch, times, 0.1)
    assert np.abs(jacobian - narrow)[..., columns].max() < 1e-4 * np.abs(narrow).max()


def test_flight_is_the_engines_and_a_ball_alone_is_as_in_a_batch():
    sport = sim.load("table_tennis")
    launch, times = launched(sport, 70, TIMES)
    parts = np.split(launch[:, :9], 3, axis=1)
    flight, jacobian = sim.simulate_with_jacobian(sport, *parts, times, launch[:, 9:])
    assert jacobian.shape == (70, 60, 3, 15)
    assert np.array_equal(flight.position, sim.simulate(sport, *parts, times, launch[:, 9:]).position)
    out = np.empty((1, 60, 3, 15))
    sim.simulate_with_jacobian(sport, *(a[41:42] for a in parts), times, launch[41:42, 9:], out=out)
    assert np.array_equal(out[0], jacobian[41])


def test_rows_of_a_fit_hold_the_same_columns_and_one_of_zeros():
    sport, seed = sim.load("table_tennis"), numba.njit(lambda tangent: seed_launch(tangent))
    launch, times = launched(sport, 3, TIMES)
    _, jacobian = sim.simulate_with_jacobian(sport, *np.split(launch[:, :9], 3, axis=1), times, launch[:, 9:])
    for one, expected in zip(launch, jacobian, strict=True):
        tangent, path, wide = np.zeros(TANGENT_SIZE), np.empty((60, 6)), np.full((60, 3, COLUMNS), np.nan)
        seed(tangent)
        fly_ball(compile_sport(sport), one, times, tangent, path, wide, np.empty(0, CONTACT_DTYPE))
        assert np.array_equal(wide[..., :-1], expected) and not wide[..., -1].any()
        end = tangent[: 3 * COLUMNS].reshape(3, COLUMNS)[:, :-1]  # of the state at the last time
        np.testing.assert_allclose(end, expected[-1], rtol=0, atol=1e-9)


def test_at_launch_the_jacobian_is_the_identity():
    _, jacobian = sim.simulate_with_jacobian(sim.load("room"), [[0, 0, 1]], [[1, 2, 3]], [[4, 5, 6]], [0.0, 0.1])
    assert np.array_equal(jacobian[0, 0], np.eye(3, 15))


def test_a_wrong_out_is_refused():
    with pytest.raises(ValueError, match=r"shape \(1, 2, 3, 15\)"):
        arguments = [[0, 0, 1]], [[1, 2, 3]], [[4, 5, 6]], [0.0, 0.1]
        sim.simulate_with_jacobian(sim.load("room"), *arguments, out=np.empty((1, 2, 3, 9)))


def test_a_ball_wedged_between_ring_and_board_comes_to_an_end():
    wedged = np.array([[0.05 * k, 12.425 + 0.2286 + 0.07, 3.05 + 0.02 * j] for k in range(6) for j in range(8)])
    still, spin = np.tile([0.0, 0.1, -1.0], (48, 1)), np.zeros((48, 3))
    flight, jacobian = sim.simulate_with_jacobian(sim.load("basketball"), wedged, still, spin, [1.0, 2.0])
    assert np.isfinite(flight.position).all() and np.isfinite(jacobian).all()
    assert flight.status.shape == (48,) and set(flight.status) == {0, 1}
