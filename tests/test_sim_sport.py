"""Sports as files: what ships can be read, what is wrong is refused in one line that names the place."""

import math

import pytest

from ballcast import sim
from ballcast.sim import atmosphere as air
from ballcast.sim.sport import FOLDER

TEXT = (FOLDER / "table_tennis.toml").read_text(encoding="utf-8")
WRONG = {  # what is wrong: text, what it is replaced with, what the message must say
    "negative mass": ("mass = 0.0027 ", "mass = -0.0027 ", "ball.mass = -0.0027 must be above 0"),
    "mass as text": ("mass = 0.0027 ", 'mass = "light" ', "ball.mass = 'light' must be a finite number"),
    "not a number": ("mass = 0.0027 ", "mass = nan ", "ball.mass = nan must be a finite number"),
    "unknown law": ('form = "crisis"', 'form = "cubic"', "the forms are constant, spin, logistic, goff, polynomial"),
    "law without its number": ("cd = 0.534", "", "drag.cd is missing"),
    "unknown key": ("[ball]", "[ball]\ncolour = 3", "ball.colour is not known"),
    "unknown table": ("[ball]", "[bat]\n[ball]", "bat is not known"),
    "unknown kind of surface": ('kind = "plane"', 'kind = "bowl"', "plane, rectangle, bar, ring"),
    "rectangle upside down": ("low = [-0.7625, -1.37, 0.0]", "low = [0.7625, 1.37, 0.0]", "surface 1"),
    "restitution above one": ("e = 0.93", "e = 1.93", "restitution.e = 1.93 must be at most 1"),
    "unknown spread of a launch": ("normal = [0.0, 1.0]", "cauchy = [0.0, 1.0]", "launch 1.velocity.x"),
    "range that falls": ("uniform = [0.03, 0.6]", "uniform = [0.6, 0.03]", "launch 1.position.z"),
    "drift that ends at once": ("time = [0.005, 0.3]", "time = [0.0, 0.3]", "sensor.drift.time"),
    "unknown key of places": ("[spread.places]", "[spread.places]\nmass = 0.1", "spread.places"),
    "places of places": ("[spread.places]", "[spread.places]\nplaces = {drag = 0.1}", "spread.places"),
    "noise that falls": ("noise = [0.0005, 0.012]", "noise = [0.012, 0.0005]", "sensor.noise"),
    "no ball": ("[ball]", "[world_ball]", "is not known"),
    "not TOML": ("[ball]", "[ball", "not TOML"),
}


@pytest.mark.parametrize("name", sim.names())
def test_a_sport_that_ships_stands(name):
    sport = sim.load(name)
    assert sport.name == name
    assert sport.landing_surfaces
    assert all(s.mu >= 0 if hasattr(s, "mu") else s.friction >= 0 for s in sport.surfaces)


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_reported_in_one_line(case, tmp_path):
    old, new, message = WRONG[case]
    assert old in TEXT
    file = tmp_path / "mine.toml"
    file.write_text(TEXT.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(sim.SportError) as caught:
        sim.load(file)
    assert message in str(caught.value) and str(file) in str(caught.value) and "\n" not in str(caught.value)


def test_an_unknown_name_lists_those_there_are():
    with pytest.raises(sim.SportError, match="table_tennis") as caught:
        sim.load("ping_pong")
    assert "\n" not in str(caught.value)


def test_ones_own_file_is_read(tmp_path):
    file = tmp_path / "heavy.toml"
    file.write_text(TEXT.replace("mass = 0.0027 ", "mass = 0.0054 "), encoding="utf-8")
    assert sim.load(file).ball.mass == 0.0054
    assert sim.load(file).aerodynamic_constant == pytest.approx(sim.load("table_tennis").aerodynamic_constant / 2)


@pytest.mark.parametrize(
    ("weather", "rho"),
    [
        ((15, 0, 0), 1.2250),
        ((0, 0, 0), 1.2922),
        ((20, 0, 0.5), 1.1988),
        ((35, 0, 0.5), 1.1335),
        ((20, 1609, 0.5), 0.9862),
    ],
)
def test_density_of_air(weather, rho):
    assert air.density(*weather) == pytest.approx(rho, abs=1e-4)


def test_replace_reaches_ball_and_world():
    sport = sim.load("room").replace(mass=0.1, density=2.0)
    assert sport.ball.mass == 0.1
    assert sport.aerodynamic_constant == pytest.approx(2.0 * math.pi * 0.03**2 / 0.2)
