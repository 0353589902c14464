"""A window before everything is compiled: stored flights, stand-ins, the process beside it, the exchange."""

import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest
from viewer_fakes import OneBall

from ballcast import sim
from ballcast.viewer import warm_start
from ballcast.viewer.playback.first_flight import first_flight
from ballcast.viewer.playback.session import FRAME_TIME, PredictorPool, Session
from ballcast.viewer.playback.source import LiveSource
from ballcast.viewer.window import App

SPORT = sim.load("table_tennis")


@pytest.fixture
def start(monkeypatch, tmp_path):
    """start(code, source) -> (a WarmStart that runs the code in place of compiling, its pool)."""
    monkeypatch.setattr(warm_start, "_marker", lambda predictor: tmp_path / predictor)

    def start(code, source=None):
        monkeypatch.setattr(warm_start, "command", lambda predictor, sport: [sys.executable, "-c", code])
        pool = PredictorPool(["constant_velocity"], SPORT, compiled=set())
        return warm_start.WarmStart(pool, source or OneBall(), "table_tennis"), pool

    return start


def poll(warm, ball, until):
    """Poll until something holds; the messages on the way."""
    messages, ready, deadline = set(), [], time.monotonic() + 60
    while not until(ready):
        assert time.monotonic() < deadline, messages
        ready += warm.poll(ball)
        messages.add(warm.message)
        time.sleep(0.01)
    return messages, ready


def test_a_predictor_is_compiled_beside_the_window_then_exchanged(start, tmp_path):
    warm, pool = start("print('compiled 3 of about 7: fit', flush=True); import time; time.sleep(0.5)")
    session = Session(OneBall(), pool)
    assert session.predictor.name == "parabola" and "until Straight line" in session.forecasters[0].remark
    for _ in range(20):
        session.advance(FRAME_TIME)
    assert not warm_start.is_warm("gru")
    messages, ready = poll(warm, session.ball, bool)
    assert "compiling Straight line, once: 3 of about 7" in messages and ready == [0] and warm.message == ""
    session.exchange(0)
    for _ in range(20):
        session.advance(FRAME_TIME)
    assert session.predictor.name == "constant_velocity" and not session.forecasters[0].remark
    assert (tmp_path / "constant_velocity").exists()
    alone = Session(OneBall(), PredictorPool(["constant_velocity"], SPORT))
    for _ in range(40):
        alone.advance(FRAME_TIME)
    np.testing.assert_array_equal(session.forecast.mean, alone.forecast.mean)
    assert session.errors == alone.errors


def test_the_next_ball_may_come_before_the_exchange_is_over(start):
    _, pool = start("")
    session = Session(OneBall(), pool)
    for _ in range(30):
        session.advance(FRAME_TIME)
    pool.compiled.add(0)
    session.exchange(0)
    session.advance(FRAME_TIME)
    session.next()
    session.advance(FRAME_TIME)
    assert session.predictor.name == "constant_velocity" and not session._arriving


def test_where_compiling_beside_fails_the_predictor_is_loaded_all_the_same(start, capsys):
    warm, pool = start("raise SystemExit('no such command')")
    session = Session(OneBall(), pool)
    assert poll(warm, session.ball, bool)[1] == [0]
    assert "failed" in capsys.readouterr().err


def test_a_predictor_that_cannot_be_loaded_is_tried_once(start, capsys):
    warm, pool = start("")
    pool.try_out = lambda index, ball: 1 / 0
    session = Session(OneBall(), pool)
    poll(warm, session.ball, lambda ready: 0 in warm._failed)
    assert warm.poll(session.ball) == [] and warm._process is None and "division" in capsys.readouterr().err


def test_live_balls_follow_the_stored_flight_once_the_simulator_is_there(start):
    source = LiveSource(SPORT, 3, first_flight(SPORT), ready=False)
    warm, pool = start("", source)
    pool.compiled.add(0)
    session = Session(source, pool)
    assert session.ball.name == "a flight for the start"
    poll(warm, session.ball, lambda ready: source.ready)
    session.next()
    assert session.ball.name == "throw 2, seed 3"


def test_what_is_being_compiled_serves_the_sport_that_is_changed_to(start):
    source = LiveSource(SPORT, 3, first_flight(SPORT), ready=False)
    warm, pool = start("import time; time.sleep(0.3)", source)
    warm.poll(Session(source, pool).ball)
    tennis = sim.load("tennis")
    other, other_pool = LiveSource(tennis, 3, first_flight(tennis), ready=False), pool.for_sport(tennis)
    session = Session(other, other_pool)
    warm.follow(other_pool, other)
    assert warm.sport == "tennis" and not warm.simulator_ready
    assert poll(warm, session.ball, bool)[1] == [0]
    assert other_pool.load(0)[0].name == "constant_velocity" and not other_pool.waiting
    poll(warm, session.ball, lambda ready: other.ready)
    assert warm.simulator_ready and not source.ready
    session.next()
    assert session.ball.name == "throw 2, seed 3"


def test_a_window_that_still_compiles_changes_to_the_stored_flight_of_another_sport(start):
    source = LiveSource(SPORT, 3, first_flight(SPORT), ready=False)
    warm, pool = start("import time; time.sleep(600)", source)
    app = App(source, pool, (320, 180), headless=True, warm_start=warm)
    app.frame(FRAME_TIME)
    app.choices.next_sport(1)
    app.frame(FRAME_TIME)
    assert app.session.sport.name == "tennis" and app.session.ball.name == "a flight for the start"
    assert app.session.predictor.name == "parabola" and "until Straight line" in app.session.forecasters[0].remark
    warm.close()


def test_closing_the_window_ends_the_other_process(start):
    warm, pool = start("import time; time.sleep(600)")
    session = Session(OneBall(), pool)
    warm.poll(session.ball)
    process = warm._process
    warm.close()
    assert process.poll() is not None


def test_a_marker_is_for_one_source(monkeypatch):
    before = warm_start._marker("gru")
    assert before != warm_start._marker("lstm")
    monkeypatch.setattr(warm_start, "_source_digest", lambda: "edited")
    assert before != warm_start._marker("gru")
    assert warm_start.is_warm("parabola")


@pytest.mark.parametrize("name", sim.names())
def test_stored_flights_are_the_first_balls_of_the_simulator(name):
    stored, ball = first_flight(sim.load(name)), LiveSource(sim.load(name)).ball(0)
    times = np.linspace(0.0, stored.end, 500)
    distances = [np.linalg.norm(stored.state_at(t)[0] - ball.state_at(t)[0]) for t in times]
    assert max(distances) < 0.005, "run python -m ballcast.viewer.playback.first_flight"
    np.testing.assert_allclose(stored.track.position, ball.track.position, atol=1e-4)
    np.testing.assert_allclose(stored.landing_time, ball.landing_time, atol=1e-4)


def test_no_flight_is_stored_for_another_sport():
    assert first_flight(SPORT.replace(gravity=1.6)) is None
    assert first_flight(SimpleNamespace(name="quidditch")) is None
