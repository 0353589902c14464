"""System identification: what simulated places tell, what is refused, and the file that every program takes."""

import dataclasses
import sys
import tomllib

import numpy as np
import pytest

from ballcast import command, models, sim
from ballcast.evaluation import identification_report, suites
from ballcast.evaluation.real import read_set
from ballcast.evaluation.splits import recorded_sets
from ballcast.models import held_out, identify
from ballcast.models.estimation import population, recordings_check
from ballcast.models.estimation.identification import MIN_WEIGHT
from ballcast.models.estimation.identification import identify as find
from ballcast.models.estimation.identification_table import rows
from ballcast.models.estimation.identified_sport import place_sport, place_text
from ballcast.models.estimation.laws import Change, changed
from ballcast.models.estimation.recordings_check import check_recordings
from ballcast.models.training.recorded import in_sport_frame
from ballcast.models.training.sports import SportPool, sports_of
from ballcast.sim.kernels.layout import POSITION, SPIN, VELOCITY
from ballcast.sim.sensor import known_frame, to_sport_frame, to_tracker_frame
from ballcast.sim.sport import parse, read_toml
from ballcast.sim.sport_text import SportText, toml
from ballcast.sim.toml_fields import SportError
from ballcast.tracks import Track, write_track

NAMES = ("drag", "lift", "restitution", "friction", "height", "slope", "tilt_x", "tilt_y")
TRUTH = np.array([0.15, -0.2, -0.04, -0.15, 0.006, -0.008, *np.radians([0.4, -0.3])])
TRACKS = 24


@pytest.fixture(scope="module")
def preset():
    return sim.load("table_tennis").without("net")


def place_like(sport, friction=TRUTH[3]):
    """A place with the numbers TRUTH, whose balls are launched towards the table."""
    logs = [*TRUTH[:3], friction]
    change = Change(*np.exp(logs), slope=TRUTH[5], height=TRUTH[4], tilt_x=TRUTH[6], tilt_y=TRUTH[7])
    place = changed(sport, change, 0)
    frame = dataclasses.replace(place.sensor.frame, height=0.0, tilt=0.0)
    sensor = dataclasses.replace(place.sensor, noise=(0.002, 0.002), jitter=(3e-4, 3e-4), frame=frame)
    return dataclasses.replace(place, sensor=sensor, spread=dataclasses.replace(sport.spread, places=None),
                               launches=sport.launches[1:2])  # fmt: skip


def tracks_of(sport, count=TRACKS, seed=400, name="ball"):
    balls = sim.draw(sport, count, seed=seed, purpose="data")
    parts = [slice(*balls.offsets[i : i + 2]) for i in range(count)]
    return [Track(balls.time[p], balls.position[p], f"{name}{i:02d}") for i, p in enumerate(parts)]


@pytest.fixture(scope="module")
def tracks(preset):
    return tracks_of(place_like(preset))


@pytest.fixture(scope="module")
def found(preset, tracks):
    return find(preset, tracks)


@pytest.fixture(scope="module")
def file(found, tracks, tmp_path_factory):
    path = tmp_path_factory.mktemp("place") / "mine.toml"
    text = read_toml("table_tennis")[0]
    path.write_text(place_text(text, found, place_sport(found), [t.name for t in tracks], "the command", "a note"))
    return path


def test_the_numbers_of_a_simulated_place_are_found(found):
    value, error = found.shared.copy(), np.sqrt(np.diag(found.population.covariance))
    value[3] += found.friction.middle
    error[3] = found.friction.sd
    off = np.abs(value - TRUTH) / error
    assert (off < 3.5).all(), dict(zip(NAMES, off.round(1)))
    assert (error < [0.05, 0.08, 0.02, 0.1, 0.002, 0.02, 0.002, 0.003]).all(), dict(zip(NAMES, error))
    assert found.noise.sd[:3] == pytest.approx(0.0028, abs=0.0012) and found.noise.sd[3] < 8e-4


def test_the_same_tracks_give_the_same_numbers(preset, tracks, found):
    again = find(preset, tracks)
    assert (again.shared == found.shared).all() and again.friction == found.friction


def test_a_few_wrong_tracks_count_little(preset, tracks, found):
    random = np.random.default_rng(0)
    wrong = [Track(t.time, random.uniform(-1, 1, t.position.shape), f"wrong{i}") for i, t in enumerate(tracks[:3])]
    wrong.append(Track(tracks[3].time, tracks[3].position * [1.0, 1.0, 0.6], "squeezed"))
    other = find(preset, [*tracks, *wrong])
    assert (other.population.weights[-4:] < MIN_WEIGHT).all()
    error = np.sqrt(np.diag(found.population.covariance))
    assert (np.abs(other.shared - found.shared) < 1.5 * error).all()


def test_a_ball_that_grips_tells_a_lower_bound_alone(preset):
    rough = find(preset, tracks_of(place_like(preset, friction=1.5)))
    assert np.isinf(rough.friction.high) and rough.shared[3] + rough.friction.low > -0.2
    row = next(row for row in rows(preset, rough, place_sport(rough)) if "friction" in row.name)
    assert identify.interval(row).startswith("at least 0.")


def test_the_friction_of_mpis_table_has_a_lower_bound_alone(preset, data_folder):
    chosen = recorded_sets()["mpi"]
    balls = read_set(chosen, data_folder)
    if not balls:
        pytest.skip(f"no {chosen.folder} in {data_folder}")
    place = find(preset, balls)
    row = next(row for row in rows(preset, place, place_sport(place, with_launches=False)) if "friction" in row.name)
    assert row.high >= 0.26 and 0.1 < row.low < 0.4


def test_the_file_keeps_the_rest_of_the_sports_file(file, found):
    text, before = file.read_text(), read_toml("table_tennis")[0]
    kept = [line for line in before.splitlines() if line in text.splitlines()]
    assert len(kept) > 0.9 * len(before.splitlines()) and text.startswith("# a note")
    assert "# ITF rebound, drag-corrected" in text
    sport, place = sim.load(file), place_sport(found)
    assert sport.name == "table_tennis" and sport.identified == tuple(f"ball{i:02d}" for i in range(TRACKS))
    assert sport.drag.values == pytest.approx(place.drag.values, rel=1e-4)
    assert sport.surfaces[0].restitution.slope == pytest.approx(place.surfaces[0].restitution.slope, rel=1e-4)
    assert sport.sensor.frame.offset == pytest.approx(place.sensor.frame.offset, rel=1e-4)
    assert sport.spread.between[:4] == pytest.approx(place.spread.between[:4], rel=1e-4)
    assert sport.surfaces[1].name == "net" and sport.surfaces[0].friction < 0.25
    assert sum(launch.weight for launch in sport.launches if launch.correlation) == pytest.approx(0.95, abs=1e-3)


def test_a_file_can_be_identified_again(file, found, tracks):
    text = place_text(file.read_text(), found, place_sport(found), ["other"], "again", "another note")
    assert parse(text, "again").identified == ("other",)
    assert text.count("[identified]  ") == 1
    assert text.count("correlation =") == file.read_text().count("correlation =")


def test_every_program_takes_the_file(file, tracks, tmp_path, capsys, monkeypatch):
    from ballcast.sim import __main__ as simulate

    sport = sim.load(file)
    monkeypatch.setattr(sys, "argv", ["x", str(file), "--tracks", "3", "--out", str(tmp_path / "set.npz")])
    simulate.main()
    assert len(sim.open_set(tmp_path / "set.npz")) == 3
    for name in ("physics", "gru", "gru_physics", "parabola"):
        track = tracks[0]
        forecast = models.load(name, sport.without("net")).forecast(track.until(track.time[0] + 0.1), [track.time[-1]])
        assert np.isfinite(forecast.mean).all()
    pool = SportPool(sports_of([str(file)]), 0, "filter", "train")
    assert pool[0][0].sensor.frame.offset == (0.0, 0.0, 0.0) and pool[0][0].launches == sport.launches
    suite = suites.Suite("some", sport, [*tracks, Track(tracks[0].time, tracks[0].position, "new")])
    left, note = suites.unseen(suite)
    assert [t.name for t in left.tracks] == ["new"] and "24 of 25 tracks left out" in note
    with pytest.raises(ValueError, match="identified from all of these tracks"):
        suites.unseen(suites.Suite("some", sport, tracks))


def test_forecasts_of_kept_tracks_get_better(preset, found):
    kept = tracks_of(place_like(preset), 40, seed=401, name="kept")
    before, after = (held_out.errors(models.load("physics", s), kept) for s in (preset, place_sport(found)))
    ratio, low, high = held_out.overall(before, after)
    assert ratio < 0.9 and high < 1.0
    assert {cell["tracks"] for cell in held_out.compare(before, after)} <= set(range(5, 41))


def test_the_command_writes_a_file_and_a_report(preset, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "recordings"
    folder.mkdir()
    for track in tracks_of(place_like(preset), 20, seed=402):
        write_track(folder / f"{track.name}.csv", track)
    options = identify.Options((str(folder),), tmp_path / "mine.toml", without=("net",), report=tmp_path / "page")
    assert identify.run(options) == 0
    out = capsys.readouterr().out
    assert "table restitution" in out and "kept tracks" in out and "mine.toml: the sport of this place" in out
    assert sim.load(tmp_path / "mine.toml").identified
    page = (tmp_path / "page" / "index.html").read_text()
    assert page.count("<svg") == 4 and page.count("</svg>") == 4
    assert command.load_report("identification") is identification_report
    monkeypatch.setattr(held_out, "overall", lambda before, after: (1.3, 1.1, 1.5))
    worse = dataclasses.replace(options, out=tmp_path / "worse.toml", report=None)
    assert identify.run(worse) == 1 and not (tmp_path / "worse.toml").exists()
    assert identify.run(dataclasses.replace(worse, force=True)) == 0 and (tmp_path / "worse.toml").exists()


def test_wrong_output_is_refused(tmp_path):
    for out, words in (("mine.txt", "ends in .toml"), ("none/mine.toml", "make it first")):
        with pytest.raises(ValueError, match=words):
            identify.check_output(tmp_path / out)


def raised(track, height):
    return Track(track.time, track.position + [0.0, 0.0, height], track.name)


WRONG = {
    "few": (lambda t: t[:3], "3 tracks of at least 8 frames: too few; record 10 or more"),
    "high": (lambda t: [raised(x, 0.1) for x in t], r"balls bounce at z = .* m; .*--origin=0,0,0\.\d+ mends it"),
    "corrupt": (
        lambda t: [Track(x.time, np.random.default_rng(i).uniform(-1, 1, x.position.shape), x.name) if i % 2 else x
                   for i, x in enumerate(t)],
        "12 of 24 tracks jump about as no ball flies",
    ),
    "turned": (lambda t: [Track(x.time, x.position[:, [0, 2, 1]], x.name) for x in t], "along -y.*--axes mends it"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_wrong_recordings_are_refused_in_one_line(preset, tracks, name):
    change, words = WRONG[name]
    with pytest.raises(ValueError, match=words) as error:
        check_recordings(preset, change(tracks), 10)
    assert "\n" not in str(error.value)


def test_the_origin_that_was_given_counts(preset, tracks):
    with pytest.raises(ValueError, match=r"--origin=1,2,3\.1"):
        check_recordings(preset, [raised(t, 0.1) for t in tracks], 10, (1.0, 2.0, 3.0))


def test_tracks_of_another_sport_are_refused(preset, tracks):
    with pytest.raises(ValueError, match="slows these balls .* times as much as a ball of tennis.*table_tennis"):
        check_recordings(sim.load("tennis"), tracks, 10)
    with pytest.raises(ValueError, match="times as much as a ball of table_tennis"):
        check_recordings(preset, tracks_of(sim.load("tennis")), 10)


def test_a_net_that_was_not_there_is_seen_and_one_that_was_is_not_asked_for(tracks):
    with_net = sim.load("table_tennis")
    low = tracks_of(dataclasses.replace(with_net.without("net"), launches=with_net.launches[:1]), 60, seed=403)
    with pytest.raises(ValueError, match="balls fly through the net .*--without net"):
        check_recordings(with_net, low, 10)
    assert (
        check_recordings(with_net, tracks_of(dataclasses.replace(with_net, launches=with_net.launches[:1]), 60)) == []
    )


def test_a_few_corrupt_tracks_are_a_note(preset, tracks):
    noise = np.random.default_rng(0).uniform(-1, 1, tracks[0].position.shape)
    notes = check_recordings(preset, [Track(tracks[0].time, noise, "odd"), tracks[0][:4], *tracks[1:]], 10)
    assert "odd: jump about" in notes[0] and "1 tracks have fewer than 8 frames" in notes[1]


def test_bounces_are_found_without_a_surface(preset):
    flight = sim.simulate(preset, [[0, -1.2, 0.3]], [[0, 4, 0]], [[0, 0, 0]], np.arange(0, 0.5, 1 / 200))
    at = recordings_check.bounces(Track(np.arange(0, 0.5, 1 / 200), flight.position[0], "one"))
    assert at == pytest.approx(flight.impacts.position[:1], abs=0.005)


@pytest.mark.parametrize("name", sim.names())
def test_laws_with_other_numbers_give_the_force_of_a_factor(name):
    sport = sim.load(name)
    launches = sim.draw(sport, 8, duration=0.1, seed=3)
    state = launches.launch_position, launches.launch_velocity, launches.launch_spin
    factors = np.tile([1.3, 0.8, 1.0, 1.0, 0.0, 0.0], (8, 1))
    other = changed(sport, Change(drag=1.3, lift=0.8), 0)
    a, b = sim.simulate(sport, *state, [0.2], factors), sim.simulate(other, *state, [0.2])
    assert a.position == pytest.approx(b.position, abs=2e-4)


def test_a_linear_mixed_model_finds_what_balls_share():
    random = np.random.default_rng(1)
    tau, sd = np.array([0.2, 0.05]), random.uniform(0.05, 0.3, (400, 2))
    means = np.array([1.0, -0.5]) + tau * random.standard_normal((400, 2)) + sd * random.standard_normal((400, 2))
    information = np.einsum("jk,kl->jkl", sd**-2.0, np.eye(2))
    prior = population.Prior(np.zeros(2), np.full(2, 10.0), np.array([0.1, 0.1]), 1.0)
    found = population.estimate(population.Messages(means, information), prior, np.ones(400))
    assert found.theta == pytest.approx([1.0, -0.5], abs=0.04) and found.tau == pytest.approx(tau, rel=0.3)
    means[:8] += 5.0
    robust = population.estimate(population.Messages(means, information), prior, np.ones(400))
    assert (robust.weights[:8] < 0.1).all() and robust.theta == pytest.approx([1.0, -0.5], abs=0.05)


def with_offset(sport, offset):
    frame = dataclasses.replace(sport.sensor.frame, offset=offset)
    return dataclasses.replace(sport, sensor=dataclasses.replace(sport.sensor, frame=frame))


@pytest.mark.parametrize("name", ["physics", "ukf", "gru", "gru_physics"])
def test_a_known_frame_moves_frames_in_and_forecasts_out(preset, tracks, name):
    if name not in models.available(preset):
        pytest.skip(f"{name} is not available")
    sport = with_offset(preset, (0.05, 0.4, -0.3))
    frame, track = known_frame(sport.sensor), tracks[1].until(tracks[1].time[0] + 0.15)
    moved = Track(track.time, to_tracker_frame(frame, to_sport_frame(np.zeros(3), track.position)), track.name)
    assert to_sport_frame(frame, moved.position) == pytest.approx(track.position, abs=1e-4)
    times = [track.time[-1] + 0.1]
    plain, offset = models.load(name, preset), models.load(name, sport)
    expected = to_tracker_frame(frame, plain.forecast(track, times).mean)
    near = 0.01 if name.startswith("gru") else 0.003  # m: the phase of the filter's passes depends on the first frame
    assert offset.forecast(moved, times).mean == pytest.approx(expected, abs=near)
    stream = offset.stream()
    for t, y in zip(moved.time, moved.position):
        stream.observe(t, y)
    assert stream.forecast(times).mean == pytest.approx(expected, abs=near)


def test_trackers_of_a_sport_are_drawn_about_the_known_frame(preset):
    frames = sim.draw(with_offset(preset, (0.05, 1.0, 0.0)), 200, duration=0.1).frame
    assert np.median(frames, axis=0) == pytest.approx([0.05, np.radians(1.0), 0.0], abs=2e-3)
    track = Track(np.arange(3.0), np.zeros((3, 3)), "a")
    sport = with_offset(preset, (0.05, 0.0, 0.0))
    assert in_sport_frame(sport, [track])[0].position[0, 2] == pytest.approx(-0.05)
    assert in_sport_frame(preset, [track])[0] is track


LAUNCH = """
[[launch]]
weight = 5.0
position = { x = { normal = [0.0, 0.01] }, y = { normal = [-1.5, 0.02] }, z = { normal = [0.3, 0.01] } }
velocity = { form = "components", x = { normal = [0, 0.1] }, y = { normal = [6.0, 0.2] }, z = { normal = [1.0, 0.2] } }
spin = { form = "components", x = { normal = [-100, 30] }, y = { normal = [0.0, 10.0] }, z = { normal = [0.0, 10.0] } }
correlation = [[], [0.0], [0.0, 0.0], [0.9, 0.0, 0.0], [0, 0, 0, 0], [0, 0, 0, 0, 0], [0, 0, 0, 0, 0.8, 0],
  [0, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0, 0]]
"""


def test_launches_are_drawn_with_their_correlations():
    sport = parse(read_toml("table_tennis")[0] + LAUNCH, "mine")
    launches = sim.dataset.draw_launches(dataclasses.replace(sport, launches=sport.launches[-1:]), 4000)
    position, velocity, spin = launches[:, POSITION], launches[:, VELOCITY], launches[:, SPIN]
    assert np.corrcoef(position[:, 0], velocity[:, 0])[0, 1] == pytest.approx(0.9, abs=0.03)
    assert np.corrcoef(velocity[:, 1], spin[:, 0])[0, 1] == pytest.approx(0.8, abs=0.03)
    assert velocity[:, 1].mean() == pytest.approx(6.0, abs=0.02) and spin[:, 0].std() == pytest.approx(30.0, rel=0.05)


@pytest.mark.parametrize(
    "old, new, words",
    [
        ("[0.9, 0.0, 0.0]", "[0.9, 0.0]", "must be a list of 3 numbers"),
        ("[0.9, 0.0, 0.0]", "[1.9, 0.0, 0.0]", "positive definite"),
        ("x = { normal = [0.0, 0.01] }", "x = { uniform = [0.0, 0.01] }", "only numbers that are all"),
        ("[[], [0.0],", "[[0.0],", "nine rows"),
    ],
)
def test_wrong_correlations_are_refused(old, new, words):
    with pytest.raises(SportError, match=words):
        parse(read_toml("table_tennis")[0] + LAUNCH.replace(old, new, 1), "mine")


@pytest.mark.parametrize("name", ["physics", "gru"])
def test_a_measured_launch_helps_its_balls_and_leaves_others_alone(name):
    plain = sim.load("table_tennis").without("net")
    known = parse(read_toml("table_tennis")[0] + LAUNCH, "mine").without("net")
    own = tracks_of(dataclasses.replace(known, launches=known.launches[-1:]), 40, seed=404)
    others = tracks_of(plain, 60, seed=405)
    for tracks, limit in ((own, 0.9), (others, 1.12)):
        before, after = (held_out.errors(models.load(name, sport), tracks) for sport in (plain, known))
        assert held_out.overall(before, after)[0] < limit


def test_text_is_changed_where_it_stands():
    text = SportText('[a]\nx = 1.0    # one\ny = { p = 1, q = 2 }   # "two" # three\n\n[b.c]\nz = [\n  1,\n  2,\n]\n')
    text.set("a", {"x": 0.123456789, "y": {"q": 3.0}, "new": "word"})
    text.set("b", {"c": {"z": [3.0]}})
    text.set("d", {"k": True})
    table = tomllib.loads(str(text))
    assert table == {
        "a": {"x": 0.12346, "y": {"p": 1, "q": 3.0}, "new": "word"},
        "b": {"c": {"z": [3.0]}},
        "d": {"k": True},
    }
    assert "x = 0.12346    # one" in str(text) and '# "two" # three' in str(text)
    assert toml({"a": [1e-9, 2]}) == "{ a = [1.0e-09, 2] }"
    text.remove("a")
    assert "a" not in tomllib.loads(str(text))


def test_kept_tracks_are_those_of_training():
    assert [name for name in ("010", "012", "n1_n4_00", "008", "002") if held_out.is_kept(name)] == [
        "010",
        "012",
        "n1_n4_00",
    ]
