"""The engine as its callers see it: the same bits in any batch, on any threads; shapes, times and refusals."""

import numpy as np
import pytest

from ballcast import sim
from ballcast.sim import engine
from ballcast.sim.reference import normals

TIMES = np.arange(1, 151) / 20  # s, past the landing of a golf ball


@pytest.fixture(scope="module", params=sim.names())
def balls(request):
    return sim.draw(sim.load(request.param), 300, purpose="test", duration=0.1)


def launched(balls, part):
    return balls.launch_position[part], balls.launch_velocity[part], balls.launch_spin[part]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("count", [1, 63, 64, 65])
def test_a_ball_flies_the_same_in_any_batch(balls, count, dtype):
    whole = sim.simulate(balls.sport, *launched(balls, slice(None)), TIMES, balls.parameters, dtype=dtype)
    part = slice(100, 100 + count)
    some = sim.simulate(balls.sport, *launched(balls, part), TIMES, balls.parameters[part], dtype=dtype)
    assert np.array_equal(some.position, whole.position[part])
    assert np.array_equal(some.velocity, whole.velocity[part])
    assert np.array_equal(some.spin, whole.spin[part])


def test_a_ball_flies_the_same_on_one_thread_and_on_two(balls, monkeypatch):
    flights = []
    for threads in ("1", "2"):
        monkeypatch.setenv("NUMBA_NUM_THREADS", threads)
        monkeypatch.setattr(engine, "MIN_BALLS_PER_THREAD", 100)
        flights.append(sim.simulate(balls.sport, *launched(balls, slice(None)), TIMES, balls.parameters))
    assert np.array_equal(flights[0].position, flights[1].position)
    for name in ("ball", "time", "position", "velocity_after", "spin_after"):
        assert np.array_equal(getattr(flights[0].impacts, name), getattr(flights[1].impacts, name)), name


def test_positions_into_an_array_are_those_of_the_flight(balls):
    full = sim.simulate(balls.sport, *launched(balls, slice(None)), TIMES)
    out = np.empty_like(full.position)
    sim.simulate(balls.sport, *launched(balls, slice(None)), TIMES, out=out)
    assert np.array_equal(out, full.position)


def test_the_times_asked_do_not_change_the_flight(balls):
    some = sim.simulate(balls.sport, *launched(balls, slice(None)), TIMES[::7])
    many = sim.simulate(balls.sport, *launched(balls, slice(None)), TIMES)
    assert np.allclose(some.position, many.position[:, ::7], rtol=0, atol=1e-12)


def test_impacts_are_ordered_and_change_the_way(balls):
    impacts = sim.simulate(balls.sport, *launched(balls, slice(None)), TIMES, balls.parameters).impacts
    assert len(impacts) > 100
    order = np.lexsort((impacts.time, impacts.ball))
    assert np.array_equal(order, np.arange(len(impacts)))
    assert impacts.time.max() < TIMES[-1]
    assert (impacts.velocity_before != impacts.velocity_after).any(axis=1).all()


def test_float32_flights_off_an_edge_are_those_of_float64(balls):
    """Rods and edges magnify rounding: what touches one is flown in float64, with the contacts of that flight."""
    exact = sim.simulate(balls.sport, *launched(balls, slice(None)), TIMES, balls.parameters)
    single = sim.simulate(balls.sport, *launched(balls, slice(None)), TIMES, balls.parameters, dtype=np.float32)
    is_off_face = np.zeros(len(exact.impacts), bool)
    for k, surface in enumerate(balls.sport.surfaces):
        here = exact.impacts.surface == k
        is_off_face[here] = np.abs(normals(surface, exact.impacts.position[here])[0]).max(axis=1) < 1.0
    at_edge = np.unique(exact.impacts.ball[is_off_face])
    expected = {"table_tennis", "basketball", "soccer"}  # of these sports some balls touch rods or edges
    assert len(at_edge) or balls.sport.name not in expected
    for name in ("position", "velocity", "spin"):
        assert np.array_equal(getattr(single, name)[at_edge], getattr(exact, name)[at_edge].astype(np.float32)), name
    for ball in at_edge:
        rows, exact_rows = single.impacts.ball == ball, exact.impacts.ball == ball
        assert np.array_equal(single.impacts.time[rows], exact.impacts.time[exact_rows])
    assert np.abs(single.position - exact.position).max() < 1e-3


def test_a_ball_left_alone_comes_to_rest_and_stays():
    sport = sim.load("table_tennis")
    flight = sim.simulate(sport, [[0.1, 0.2, 0.3]], [[0, 0, 0]], [[0, 0, 0]], [0.0, 20.0, 30.0])
    assert flight.position[0, 0].tolist() == [0.1, 0.2, 0.3]
    assert np.allclose(flight.position[0, 1:], [0.1, 0.2, 0.02], atol=1e-12)
    assert not flight.velocity[0, 1:].any()
    assert len(flight.impacts) < 100


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"position": [[0, 0]]}, "position"),
        ({"velocity": [[0, 0, np.nan]]}, "finite"),
        ({"times": [0.2, 0.1]}, "increase"),
        ({"times": [-0.1, 0.1]}, "from 0"),
        ({"times": []}, "times"),
        ({"parameters": [[1, 1]]}, "drag"),
        ({"dtype": np.int32}, "float32"),
        ({"out": np.zeros((1, 2, 3), np.float32)}, "out"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(change, message):
    given = {"position": [[0, 0, 1]], "velocity": [[0, 1, 0]], "spin": [[0, 0, 0]], "times": [0.1, 0.2]} | change
    with pytest.raises(ValueError, match=message) as caught:
        sim.simulate(sim.load("room"), **given)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_hop_lower_than_rounding_ends(dtype):
    """Off the net a ball that rolled rose by less than float32 can tell: its contact was looked for without end."""
    launch = np.array(
        [
            [-0.052985802316596879, 0.022106404578521473, 0.024343954141319648],
            [0.30276762063594814, -0.0047886150025326507, -0.075732028136347718],
            [0.24673663265080722, 15.15605675775268, 8.1089176660378168],
        ]
    )
    parameters = np.append(
        np.exp([0.048339612618447811, 0.10583544699204289, -0.1192814352184953, -0.062710448616156614]),
        [0.0070474450578040275, 0.018348642538095632],
    )
    flight = sim.simulate(sim.load("table_tennis"), *launch[:, None], [0.5, 1.0], parameters[None], dtype=dtype)
    assert np.isfinite(flight.position).all() and flight.position[0, 1, 2] == pytest.approx(0.02, abs=1e-3)
