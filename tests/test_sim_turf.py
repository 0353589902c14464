"""Golf on turf: how far a ball runs after it lands, and what a surface that gives does in a contact."""

import math
import tomllib
from pathlib import Path

import numpy as np
import pytest

from ballcast import sim
from ballcast.sim.reference import turned_normal
from benchmarks import fidelity

ROOT = Path(__file__).parents[1]
UP = np.array([0.0, 0.0, 1.0])


def test_a_drive_and_a_wedge_run_as_far_as_on_a_fairway():
    """They ran 158 m after a drive of 252 m, and 48 m after a wedge."""
    book = tomllib.loads((ROOT / "benchmarks/fidelity.toml").read_text(encoding="utf-8"))
    checks = list(fidelity.check_run_out(book["run_out"]))
    assert len(checks) == 2 and all(check.passed for check in checks), checks


def test_turf_turns_as_penner_measured():
    """At 18.6 m/s and 44.4 degrees from the vertical it turns by 15.4 degrees, against the ball."""
    (turf,) = sim.load("golf").surfaces
    incidence = math.radians(44.4)
    velocity = 18.6 * np.array([0.0, math.sin(incidence), -math.cos(incidence)])
    normal = turned_normal(turf.give, velocity, UP)
    assert math.degrees(math.acos(normal @ UP)) == pytest.approx(15.4, abs=0.05)
    assert normal[1] < 0 and normal[0] == 0
    assert turned_normal(turf.give, 1e3 * velocity, UP) @ velocity == pytest.approx(-18.6)  # never beyond the ball


def test_a_ball_comes_to_rest_after_few_contacts():
    """Small hops on ground that turns would never end."""
    sport = sim.load("golf")
    balls = sim.draw(sport, 64, seed=1, purpose="test")
    launch = balls.launch_position, balls.launch_velocity, balls.launch_spin
    flight = sim.simulate(sport, *launch, [60.0], parameters=balls.parameters)
    assert (flight.velocity[:, -1] == 0).all() and (flight.status == 0).all()
    assert np.bincount(flight.impacts.ball).max() < 100


@pytest.mark.parametrize("kind", ['kind = "bar"\nrod = 0.05', 'kind = "plane"'])
def test_only_a_face_gives(tmp_path, kind):
    text = (ROOT / "sim/sports/golf.toml").read_text(encoding="utf-8")
    ends = "low = [0.0, 0.0, 1.0]\nhigh = [2.0, 0.0, 1.0]\n" if "bar" in kind else 'axis = "x"\nat = 50.0\n'
    surface = f'[[surface]]\nname = "hedge"\n{kind}\n{ends}restitution = {{ e = 0.3 }}\nfriction = 0.4\ngive = 0.01\n\n'
    path = tmp_path / "mine.toml"
    path.write_text(text.replace("[[launch]]", surface + "[[launch]]", 1), encoding="utf-8")
    if "bar" in kind:
        with pytest.raises(ValueError, match="give 0.01: only a plane or a rectangle gives, not a bar"):
            sim.load(path)
    else:
        assert len(sim.load(path).surfaces) == 2
