"""What is drawn of a sport: the shapes of [view] are read, mistakes are refused in one line, no flight knows of it."""

import math
from pathlib import Path

import numpy as np
import pytest

from ballcast import sim
from ballcast.sim.jit import import_closure
from ballcast.sim.sport import FOLDER, parse
from ballcast.sim.view import Net, Tube

TEXT = (FOLDER / "table_tennis.toml").read_text(encoding="utf-8")
HEAD = TEXT[: TEXT.index("[view]")] + "[view]\neye = [2.6, -3.6, 1.7]\ntarget = [0.0, 0.1, 0.0]\n"
WRONG = {  # what is wrong: text of [view], what the message must say
    "a line with no end": ("lines = [{ from = [0, 0, 0] }]", "lines[0].to is missing"),
    "a line of no kind": ("lines = [{ width = 1.0 }]", "needs one of from and to, path, circle or text"),
    "a line of two kinds": (
        "lines = [{ circle = [0, 0, 0], radius = 1.0, path = [[0, 0, 0], [1, 0, 0]] }]",
        "needs one of from and to, path, circle or text",
    ),
    "an unknown key": ("lines = [{ from = [0, 0, 0], to = [1, 0, 0], colour = [0, 0, 0] }]", "lines[0].colour"),
    "a path of one point": (
        "lines = [{ path = [[0, 0, 0]] }]",
        "lines[0].path = [[0, 0, 0]] must be a list of 2 or more",
    ),
    "a point of two numbers": ("lines = [{ path = [[0, 0], [1, 0, 0]] }]", "lines[0].path[0] = [0, 0]"),
    "a circle without a radius": ("lines = [{ circle = [0, 0, 0] }]", "lines[0].radius is missing"),
    "an arc that falls": ("lines = [{ circle = [0, 0, 0], radius = 1.0, arc = [90, 0] }]", "must rise"),
    "letters": ('lines = [{ text = "far", at = [0, 0, 0], height = 1.0 }]', "made of digits, m and spaces"),
    "a line without a width": (
        "lines = [{ from = [0, 0, 0], to = [1, 0, 0], width = 0 }]",
        "width = 0 must be above 0",
    ),
    "a colour too bright": ("lines = [{ from = [0, 0, 0], to = [1, 0, 0], color = [300, 0, 0] }]", "from 0 to 255"),
    "an area of two corners": ("areas = [{ corners = [[0, 0, 0], [1, 0, 0]], color = [9, 9, 9] }]", "3 or more points"),
    "an area without a colour": ("areas = [{ circle = [0, 0, 0], radius = 1.0 }]", "areas[0].color is missing"),
    "rods that are no pairs": ("rods = [{ rods = [[[0, 0, 0]]], radius = 0.1 }]", "rods[0].rods[0]"),
    "a net of three corners": (
        "nets = [{ corners = [[0, 0, 0], [1, 0, 0], [1, 0, 1]], cell = 0.1 }]",
        "list of 4 points",
    ),
    "a tube of no width": ("nets = [{ rims = [[0, 0, 1], [0, 0, 0]], radii = [0.2, 0.0] }]", "radii = [0.2, 0.0]"),
    "a surface that is not there": ('hidden = ["roof"]', "no surface is called 'roof'; there are table, net, floor"),
    "lines that are no list": ("lines = 3", "view.lines must be a list of tables, not 3"),
    "a line that is no table": ("lines = [3]", "view.lines[0] must be a table, not 3"),
}


def view_of(text):
    return parse(HEAD + text, "mine.toml").view


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_reported_in_one_line(case):
    text, message = WRONG[case]
    with pytest.raises(sim.SportError) as caught:
        view_of(text)
    assert (
        message in str(caught.value)
        and "\n" not in str(caught.value)
        and str(caught.value).startswith("mine.toml: view")
    )


def test_lines_of_earlier_files_are_read():
    view = view_of("lines = [{ from = [0, 0, 0], to = [1, 2, 0] }, { circle = [1, 0, 0], radius = 2.0 }]")
    straight, circle = view.lines
    assert straight.paths == (((0.0, 0.0, 0.0), (1.0, 2.0, 0.0)),) and straight.width is None
    (path,) = circle.paths
    distance = np.linalg.norm(np.array(path) - (1, 0, 0), axis=1)
    np.testing.assert_allclose(distance, 2.0)
    np.testing.assert_allclose(path[0], path[-1], atol=1e-12)


def test_an_arc_has_its_ends():
    (path,) = view_of("lines = [{ circle = [0, 1, 0], radius = 2.0, arc = [90, 180] }]").lines[0].paths
    np.testing.assert_allclose([path[0], path[-1]], [[0, 3, 0], [-2, 1, 0]], atol=1e-12)


def test_figures_stand_in_the_middle_of_their_place():
    lying, upright = view_of(
        'lines = [{ text = "100 m", at = [1, 2, 3], height = 4.0 }, '
        '{ text = "88", at = [1, 2, 3], height = 4.0, upright = true }]'
    ).lines
    for line, axis in ((lying, 1), (upright, 2)):
        points = np.concatenate(line.paths)
        assert points[:, 0].min() + points[:, 0].max() == pytest.approx(2.0, abs=0.3)
        assert np.ptp(points[:, axis]) == pytest.approx(4.0) and np.ptp(points[:, 3 - axis]) == 0
    assert len(lying.paths) == 4


def test_rods_nets_and_areas_are_read():
    view = view_of(
        "rods = [{ rods = [[[0, 0, 0], [0, 0, 1]]], radius = 0.1, stripe = 0.2 }]\n"
        "areas = [{ circle = [0, 0, 0], radius = 1.0, color = [9, 9, 9] }]\n"
        "nets = [{ corners = [[0, 0, 0], [1, 0, 0], [1, 0, 1], [0, 0, 1]], cell = 0.1 }, "
        "{ rims = [[0, 0, 1], [0, 0, 0]], radii = [0.2, 0.1] }]\n"
        'hidden = ["net"]'
    )
    assert [type(net) for net in view.nets] == [Net, Tube] and view.hidden == ("net",)
    assert view.rods[0].rods == (((0.0, 0.0, 0.0), (0.0, 0.0, 1.0)),) and view.rods[0].stripe == 0.2
    corners = np.array(view.areas[0].corners)[:, :2]
    x, y = (corners[:-1] + corners[1:]).T / 2
    area = np.sum(x * np.diff(corners[:, 1]))
    assert area == pytest.approx(math.pi, rel=0.01)
    assert not (bare := view.bare()).rods and not bare.nets and bare.target == view.target


def test_an_edit_of_what_is_drawn_compiles_nothing():
    """The module is read by sim.sport, whose source is stamped on every kernel that knows a sport."""
    closure = import_closure("ballcast.sim.sport", str(Path(sim.__file__).parent / "sport.py"))
    assert not [file for file in closure if file.endswith("view.py")]


@pytest.mark.parametrize("name", sim.names())
def test_every_sport_shows_more_than_its_surfaces_and_nothing_below_the_ground(name):
    sport = sim.load(name)
    low = min(s.low[2] for s in sport.surfaces if s.supports)
    points = [p for line in sport.view.lines for path in line.paths for p in path]
    points += [p for area in sport.view.areas for p in area.corners]
    points += [p for rods in sport.view.rods for pair in rods.rods for p in pair]
    heights = np.array(points)[:, 2]
    assert len(points) > 8 and heights.min() >= low - 1e-9 and heights.max() < low + 14


# field, rule: what a fan would measure in the picture, m
SIZES = {
    "basketball: the three-point line is 6.75 m from the ring": ("basketball", (0.0, 12.425), 6.725),
    "soccer: the arc is 9.15 m from the spot": ("soccer", (0.0, 41.5), 9.09),
    "cricket: the inner ring": ("cricket", (0.0, 10.06), 27.43),
}


@pytest.mark.parametrize("case", SIZES)
def test_arcs_lie_where_the_rules_put_them(case):
    name, centre, radius = SIZES[case]
    paths = [np.array(path)[:, :2] for line in sim.load(name).view.lines for path in line.paths if len(path) > 9]
    assert any(np.allclose(np.linalg.norm(path - centre, axis=1), radius) for path in paths)
