"""Random sports: possible, the same again, never shared between purposes, and played like the sport they come from."""

from dataclasses import asdict

import numpy as np
import pytest

from ballcast import sim
from ballcast.sim.sport import Ball, Environment, ParameterSpread, Restitution
from ballcast.sim.toml_fields import from_table

SPORTS = [sim.random_sport(n) for n in range(48)]


@pytest.mark.parametrize("sport", SPORTS[:24], ids=lambda sport: sport.name)
def test_it_is_possible_and_its_balls_are_in_play(sport):
    for cls, part in ((Ball, sport.ball), (Environment, sport.world), (ParameterSpread, sport.spread)):
        assert from_table(cls, {k: v for k, v in asdict(part).items() if v is not None}, sport.name) == part
    for surface in sport.surfaces:
        assert from_table(Restitution, asdict(surface.restitution), surface.name) == surface.restitution
        assert 0 < surface.friction <= 1.5 and surface.restitution.min <= surface.restitution.e <= 0.95
    volume = 4 / 3 * np.pi * sport.ball.radius**3
    assert 29 < sport.ball.mass / volume < 1501  # kg/m3: between a balloon-like shell and a solid ball
    balls = sim.draw(sport, 48, purpose="validation")
    lengths = np.diff(balls.offsets)
    assert np.median(lengths) > 25 and np.isfinite(balls.position).all()
    launch = balls.launch_position, balls.launch_velocity, balls.launch_spin
    flight = sim.simulate(sport, *launch, np.linspace(0.01, sport.sensor.duration, 20), balls.parameters)
    assert (flight.status == 0).mean() > 0.95 and np.isfinite(flight.position).all()
    lands = np.isin(flight.impacts.surface, sport.landing_surfaces)
    assert len(np.unique(flight.impacts.ball[lands])) > 24 or "golf" in sport.origin
    speed = np.linalg.norm(balls.truth_velocity, axis=1)[balls.offsets[:-1]]
    assert np.median(speed) > 0.5 * np.median(np.linalg.norm(balls.launch_velocity, axis=1))  # none stops in the air
    assert (flight.position[:, :, 2] > min(s.low[2] for s in sport.surfaces if s.supports) - 1e-3).all()


def test_it_depends_on_purpose_seed_and_number_alone_and_is_never_shared():
    assert sim.random_sport(3) == SPORTS[3] == sim.random_sport(3, seed=0, purpose="train")
    drawn = [sim.random_sport(n, seed, purpose) for n in range(5) for seed in (0, 1) for purpose in ("train", "test")]
    assert len({sport.ball.mass for sport in drawn}) == len({sport.name for sport in drawn}) == 20
    assert all(sim.load(sport.name) == sport for sport in drawn[::7])
    for name in ("random-exam-0-1", "random-train-0", "random-train-0-x"):
        with pytest.raises(sim.SportError, match=f"'{name}' is no random sport; name it random-PURPOSE"):
            sim.load(name)
    with pytest.raises(ValueError, match="purpose 'exam' is not known"):
        sim.random_sport(0, purpose="exam")


def test_they_are_drawn_widely():
    masses, radii = (np.array([getattr(sport.ball, name) for sport in SPORTS]) for name in ("mass", "radius"))
    assert np.ptp(np.log(masses)) > np.log(100) and np.ptp(np.log(radii)) > np.log(8)
    assert len({sport.drag.form for sport in SPORTS}) == 4 and len({sport.lift.form for sport in SPORTS}) == 3
    assert len({sport.origin for sport in SPORTS}) == 9
    for name in ("rate", "noise"):
        assert len({getattr(sport.sensor, name) for sport in SPORTS}) > 40
