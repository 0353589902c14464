"""Rallies: strokes that count by the sport's zones, one path, the same again for the same seed."""

import dataclasses

import numpy as np
import pytest

from ballcast import sim
from ballcast.sim.shooting import MIRROR, NOT_MIRRORED
from ballcast.sim.strokes import Meet, Zone
from ballcast.sim.umpire import BallPath, judge, meeting_time
from benchmarks import rallies as rallies_benchmark

TT = "table_tennis"
WITH_RALLIES = [name for name in sim.names() if sim.load(name).strokes]


@pytest.fixture(scope="module", params=WITH_RALLIES)
def rallies(request):
    return [sim.rally(sim.load(request.param), 3, number) for number in range(12)]


def test_all_sports_but_golf_have_rallies():
    assert set(sim.names()) - set(WITH_RALLIES) == {"golf"}
    with pytest.raises(ValueError, match=r"golf has no rallies; .*\[\[stroke\]\]"):
        sim.rally(sim.load("golf"))


def test_a_rally_depends_on_its_seed_and_number_alone():
    sport, times = sim.load(TT), np.linspace(0.0, 4.0, 200)
    first, again = sim.rally(sport, 5, 2), sim.rally(sim.load(TT), 5, 2)
    sim.rally(sport, 5, 1)
    np.testing.assert_array_equal(first.position(times), again.position(times))
    assert [s.name for s in first.strokes] == [s.name for s in again.strokes]
    for other in (sim.rally(sport, 6, 2), sim.rally(sport, 5, 3)):
        assert not np.array_equal(first.position(times), other.position(times))


def test_strokes_count_unless_they_are_played_to_miss(rallies):
    strokes = [stroke for rally in rallies for stroke in rally.strokes]
    tried = [stroke for stroke in strokes if not stroke.is_missed]
    assert np.mean([stroke.counts for stroke in tried]) >= 0.97
    assert not any(stroke.counts for stroke in strokes if stroke.is_missed)
    assert all(stroke.counts for rally in rallies for stroke in rally.strokes[:-1]), "play goes on after what counts"
    assert len({stroke.outcome for stroke in strokes}) > 1


def test_a_rally_is_one_path_which_the_hits_turn(rallies):
    for rally in rallies:
        times = np.arange(0.0, rally.end, 2e-3)
        position, velocity, _ = rally.state(times)
        steps = np.linalg.norm(np.diff(position, axis=0), axis=1)
        speeds = np.linalg.norm(velocity, axis=1)
        assert np.all(steps <= 2e-3 * np.maximum(speeds[1:], speeds[:-1]) * 1.05 + 1e-3), "it never jumps"
        for before, stroke in zip(rally.strokes, rally.strokes[1:]):
            assert stroke.time == before.end
            just_before, at = rally.position([stroke.time - 1e-6, stroke.time])
            np.testing.assert_allclose(just_before, at, atol=1e-3)
            np.testing.assert_allclose(rally.state([stroke.time])[1][0], stroke.velocity)


def test_a_path_may_be_sampled_in_any_order_and_stands_outside():
    rally = sim.rally(sim.load(TT), 1, 4)
    times = np.linspace(-1.0, rally.end + 1.0, 300)
    order = np.random.default_rng(0).permutation(300)
    np.testing.assert_array_equal(rally.position(times[order]), rally.position(times)[order])
    np.testing.assert_array_equal(rally.position([-1.0])[0], rally.strokes[0].position)
    np.testing.assert_array_equal(*rally.position([rally.end, rally.end + 9.0]))


def test_table_tennis_strokes_go_over_the_net_onto_the_other_half():
    sport = sim.load(TT)
    for number in range(20):
        for stroke in sim.rally(sport, 2, number).strokes:
            side = np.sign(stroke.position[1])
            table = [y for y, s in zip(stroke.impacts.position[:, 1], stroke.impacts.surface) if s == 0]
            if stroke.counts:
                own = 1 if stroke.role == "serve" else 0
                assert all(np.sign(table[:own]) == side) and np.sign(table[own]) == -side


def test_a_return_starts_where_the_ball_is_after_its_bounce():
    sport = sim.load(TT)
    for number in range(20):
        strokes = sim.rally(sport, 2, number).strokes
        for before, stroke in zip(strokes, strokes[1:]):
            assert np.sign(before.position[1]) == -np.sign(stroke.position[1]), "they take turns"
            assert len(before.impacts) and before.impacts.time[-1] < stroke.time < before.impacts.time[-1] + 1.0
            assert 0.02 < stroke.position[2] < 0.7


@pytest.fixture(scope="module")
def many_rallies():
    return [sim.rally(sim.load(TT), 0, number) for number in range(150)]


def test_a_rally_of_table_tennis_has_four_strokes_in_the_median(many_rallies):
    lengths = [len(rally.strokes) for rally in many_rallies]
    assert np.median(lengths) == 4 and max(lengths) > 8


def test_strokes_of_table_tennis_are_those_of_match_play(many_rallies, capsys):
    strokes = [stroke for rally in many_rallies for stroke in rally.strokes]
    assert rallies_benchmark.against_match_play(strokes) < 0.15, capsys.readouterr().out


def test_strokes_still_count_in_another_world():
    sport = sim.load(TT).replace(gravity=7.0, density=0.8)
    strokes = [s for number in range(8) for s in sim.rally(sport, 0, number).strokes if not s.is_missed]
    assert np.mean([s.counts for s in strokes]) >= 0.97


def test_wind_moves_the_ball_of_a_rally():
    still, windy = (sim.rally(sim.load("tennis"), 0, 1, wind) for wind in ((0.0, 0.0), (3.0, 0.0)))
    np.testing.assert_allclose(windy.parameters - still.parameters, [0, 0, 0, 0, 3.0, 0], atol=1e-12)


def test_a_tracker_measures_a_rally_as_it_would_a_ball():
    sport = sim.load(TT)
    rally = sim.rally(sport, 0, 3)
    time, position = sim.measure_path(sport, rally.position, rally.end, 3)
    again = sim.measure_path(sport, rally.position, rally.end, 3)
    np.testing.assert_array_equal(position, again[1])
    error = np.linalg.norm(position - rally.position(time), axis=1)
    assert 0 < np.median(error) < 5 * sport.sensor.noise[1] and time[-1] <= rally.end and np.all(np.diff(time) > 0)


LINE = np.linspace(0.0, 1.0, 101)


def straight_path(start, end, *contacts):
    """A BallPath straight from start to end within 1 s; contacts (time, surface)."""
    start, end = np.array(start, float), np.array(end, float)
    where = np.array([start + t * (end - start) for t, _ in contacts]).reshape(-1, 3)
    surfaces = np.array([s for _, s in contacts], int)
    times = np.array([t for t, _ in contacts], float)
    return BallPath(LINE, start + LINE[:, None] * (end - start), times, where, surfaces, np.ones(len(contacts), bool))


def verdict(name, stroke, path, mirror=NOT_MIRRORED):
    sport = sim.load(name)
    return judge(next(s for s in sport.strokes if s.name == stroke), sport, path, mirror)


def test_windows_are_passed_and_beside_them_is_a_fault():
    inside, wide, back = ((x, y, 1.0) for x, y in ((1.0, 60.0), (9.0, 60.0), (1.0, 50.0)))
    goal = verdict("soccer", "free kick", straight_path((0, 40, 1.0), inside))
    assert goal.counts and goal.time == pytest.approx(0.625, abs=1e-6)
    np.testing.assert_allclose(goal.position, [0.625, 52.5, 1.0], atol=1e-6)
    assert not verdict("soccer", "free kick", straight_path((0, 40, 1.0), wide)).counts
    assert verdict("soccer", "free kick", straight_path((0, 40, 1.0), back)).time == 1.0, "nothing was decided"


def test_rising_past_the_ring_is_no_fault_and_falling_past_it_is_one():
    up, down = straight_path((0, 8, 2.0), (0, 10, 4.0)), straight_path((0, 8, 4.0), (0, 10, 2.0))
    assert verdict("basketball", "shot", up).time == 1.0
    missed = verdict("basketball", "shot", down)
    assert not missed.counts and missed.time == pytest.approx(0.475, abs=1e-6)


@pytest.mark.parametrize(("mirror", "turn"), [(NOT_MIRRORED, 1), (MIRROR, -1)])
def test_zones_are_reached_in_their_order_from_either_end(mirror, turn):
    ends = (0, -1.4 * turn, 0.02), (0, 1.4 * turn, 0.02)
    both = straight_path(*ends, (0.2, 0), (0.8, 0))
    assert verdict(TT, "serve", both, mirror).counts
    assert not verdict(TT, "loop", both, mirror).counts, "on one's own half first"
    assert verdict(TT, "loop", straight_path(*ends, (0.8, 0)), mirror).counts
    assert not verdict(TT, "serve", straight_path(*ends, (0.8, 0)), mirror).counts
    assert not verdict(TT, "loop", straight_path(*ends, (0.1, 2), (0.8, 0)), mirror).counts, "the floor first"
    assert verdict(TT, "loop", straight_path(*ends, (0.5, 1), (0.8, 0)), mirror).counts, "the net does not matter"


def test_a_ball_is_met_between_its_bounces():
    meet = Meet(1, (-1, -3, 0), (1, 0, 1), (0, 0), False, 0.0, True)
    path = straight_path((0, 2, 0.2), (0, -2, 0.2), (0.3, 0), (0.9, 0))
    assert meeting_time(meet, -1.0, path, NOT_MIRRORED, 0.3) == pytest.approx(0.75)
    assert meeting_time(meet, -1.8, path, NOT_MIRRORED, 0.3) is None, "after its second bounce"
    assert meeting_time(dataclasses.replace(meet, bounces=(0, 1)), -1.8, path, NOT_MIRRORED, 0.3) is not None
    assert meeting_time(dataclasses.replace(meet, low=(-1, -3, 0.5)), -1.0, path, NOT_MIRRORED, 0.3) is None
    assert meeting_time(dataclasses.replace(meet, towards=1.0), -1.0, path, NOT_MIRRORED, 0.3) is None
    assert meeting_time(dataclasses.replace(meet, before=True), -1.0, path, NOT_MIRRORED, 0.3) is None
    assert meeting_time(meet, -1.0, path, MIRROR, 0.0) == pytest.approx(0.25), "the player at the other end"


def load_with(tmp_path, old, new):
    text = (sim.sport.FOLDER / f"{TT}.toml").read_text(encoding="utf-8")
    assert old in text
    (tmp_path / "mine.toml").write_text(text.replace(old, new, 1), encoding="utf-8")
    return sim.load(tmp_path / "mine.toml")


MISTAKES = {
    "an unknown surface": ('surface = "table"', 'surface = "chair"', r"zone 1.surface 'chair' is none of this sport"),
    "a window with depth": ('surface = "table"\nlow = [-0.7625, 0.0, 0.0]', "low = [-0.7625, 0.0, -1.0]",
                            r"zone 1: a window from low .* flat in one axis"),
    "a box upside down": ("high = [0.7625, 1.37, 0.0]\n\n[[zone]]", "high = [0.7625, -1.0, 0.0]\n\n[[zone]]",
                          r"zone 1: low .* is above high"),
    "an unknown zone": ('zones = ["own half", "in"]', 'zones = ["in", "goal"]', r"stroke 1.zones = .* in, own half"),
    "no zones": ('zones = ["own half", "in"]', "zones = []", r"stroke 1.zones = \[\]"),
    "an unknown key": ('name = "push"', 'name = "push"\ncolour = 3', r"stroke 2.colour is not known"),
    "a miss above 1": ("miss = 0.06", "miss = 6.0", r"stroke 1.miss = 6 must be between 0 and 1"),
    "nothing to meet": ('after = ["serve", "return"]\nweight = 0.30', "weight = 0.30", r"stroke 2: .* `meet`"),
    "an unknown role": ('after = ["serve", "return"]', 'after = ["volley"]', r"'push' comes after 'volley'"),
    "no axis": ('meet = { axis = "y"', 'meet = { axis = "w"', r"stroke 2.meet.axis 'w' must be x, y or z"),
    "an unknown side": ('side = "other"', 'side = "left"', r"stroke 2.meet.side = 'left' must be one of same, other"),
    "no distribution": ("at = { normal = [-1.38", "at = { gauss = [-1.38", r"stroke 2"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_refused_in_one_line(tmp_path, mistake):
    old, new, message = MISTAKES[mistake]
    with pytest.raises(sim.SportError, match=message) as error:
        load_with(tmp_path, old, new)
    assert "\n" not in str(error.value)


def test_a_sport_without_a_first_stroke_is_refused(tmp_path):
    text = (sim.sport.FOLDER / f"{TT}.toml").read_text(encoding="utf-8")
    begin, end = text.index("[[stroke]]             # on one"), text.index("[[stroke]]             # backspin")
    (tmp_path / "mine.toml").write_text(text[:begin] + text[end:].replace('["serve", "return"]', '["return"]'))
    with pytest.raises(sim.SportError, match="no stroke begins play"):
        sim.load(tmp_path / "mine.toml")


def test_zones_of_surfaces_that_are_left_out_do_not_matter():
    sport = sim.load(TT).without("net")
    assert any(isinstance(zone, Zone) for zone in sport.zones)
    assert sim.rally(sport, 0).strokes[0].counts


def test_a_goal_ends_in_the_net_and_a_catch_ends_the_rally():
    soccer = [sim.rally(sim.load("soccer"), 0, number) for number in range(8)]
    for rally in soccer:
        names = [stroke.name for stroke in rally.strokes]
        assert names.count("net") == (rally.ended_by == "winner") and "net" not in names[:-1]
        if rally.ended_by == "winner":
            line, net = rally.strokes[-2].outcome_time, rally.position(np.linspace(rally.strokes[-1].time, rally.end))
            assert rally.strokes[-2].outcome == "goal" and line < rally.strokes[-1].time
            assert np.all((net[:, 1] > 52.5) & (net[:, 1] < 54.6)), "it stays in the goal"
        for shot, save in zip(rally.strokes, rally.strokes[1:]):
            assert save.role != "save" or save.time < shot.outcome_time, "saved before the line"
    assert {rally.ended_by for rally in soccer} >= {"winner"}
    caught = next(r for r in (sim.rally(sim.load("baseball"), 0, n) for n in range(9)) if r.ended_by == "catch")
    assert caught.strokes[-1].outcome == "strike" and caught.strokes[-1].outcome_time < caught.end
    np.testing.assert_allclose(caught.position([caught.end])[0, 1], -0.8, atol=1e-3)
    assert len(sim.rally(sim.load("cricket"), 0, 0).strokes) == 2


def test_whoever_holds_the_ball_does_not_play_it(tmp_path):
    text = (sim.sport.FOLDER / "baseball.toml").read_text(encoding="utf-8")
    (tmp_path / "mine.toml").write_text(text.replace("holds = true", 'holds = true\nzones = ["strike"]'))
    with pytest.raises(sim.SportError, match="zones: whoever holds the ball does not play it"):
        sim.load(tmp_path / "mine.toml")
