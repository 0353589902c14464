"""Events of match play as a suite, and the leaderboard's recorded part: zero-shot and adapted."""

import json
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from test_documented_commands import Inline

from ballcast import sim
from ballcast.evaluation import adaptation, evaluate, events, harness, leaderboard, networks, protocols, splits
from ballcast.evaluation.match_play import COLUMNS, read_pairs
from ballcast.evaluation.results import Results, Row, cell_key
from ballcast.tracks import Track, write_track

SPORT = sim.load("table_tennis")
SONY = splits.recorded_sets()["sony"]
RALLIES = [f"/game_0/rally_{n}" for n in range(40)]


def held_out(rally):
    """Whether no law was fitted on a rally of player A."""
    return zlib.crc32(f"A{rally}".encode()) % 3 == 0


@pytest.fixture
def match_play(tmp_path, monkeypatch):
    """A folder of recorded balls that has match play alone: two shots a rally, each with its bounce, as simulated."""
    lines = [",".join(COLUMNS)]
    for n, rally in enumerate(RALLIES):
        for number in (1, 3):
            y = -1.6 - 0.01 * n
            position, velocity, spin = [0.1, y, 0.25], [0.2, 5.0 + 0.02 * n, 1.8], [100.0, 10.0, 0.0]
            impacts = sim.simulate(SPORT, *(np.array([v]) for v in (position, velocity, spin)), [2.0]).impacts
            later = sim.simulate(SPORT, *(np.array([v]) for v in (position, velocity, spin)), [0.0125])
            states = (("shot_p1", 0.0, position, later.velocity[0, 0], spin),
                      ("bounce_p2", impacts.time[0], impacts.position[0], velocity, spin))  # fmt: skip
            for k, (kind, time, *vectors) in enumerate(states):
                texts = [f"[{v[1]} {-v[0]} {v[2]}]" for v in vectors]  # their x is our y, their y our -x
                lines.append(f"A,{rally}/event{number + k},{kind},{10 * number + time},{','.join(texts)}")
    (tmp_path / "data" / "sony").mkdir(parents=True)
    (tmp_path / "data" / "sony" / "match_data.csv").write_text("\n".join(lines) + "\n")
    monkeypatch.setenv("BALLCAST_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(harness, "ProcessPoolExecutor", Inline)
    return tmp_path / "data"


def test_events_are_split_by_their_rally_and_not_of_rallies_that_the_law_was_fitted_on(match_play):
    suite, count = events.events_suite(SONY, match_play, "test")
    assert count == 2 * sum(map(held_out, RALLIES)) and 0 < len(suite.tracks) < count
    wanted = {r for r in RALLIES if held_out(r) and splits.split_of(f"A{r}") == "test"}
    assert {track.name.rpartition("/")[0] for track in suite.tracks} == {f"A{r}" for r in wanted}
    assert len(suite.tracks) == 2 * len(wanted) and len({t.name for t in suite.tracks}) == len(suite.tracks)


def test_made_frames_depend_on_the_name_alone_and_end_before_the_bounce(match_play):
    suite, _ = events.events_suite(SONY, match_play, "test")
    again, _ = events.events_suite(SONY, match_play, "all", sport=SPORT.without("net"))
    other = {track.name: track for track in again.tracks}
    noise = SPORT.sensor.usual_noise
    for track, landing in zip(suite.tracks, suite.events.landing):
        np.testing.assert_array_equal(track.position, other[track.name].position)
        assert track.time[-1] <= landing[0] - events.MIN_LEAD and len(track) > 20
    pairs = read_pairs(SONY.paths(match_play)[0])
    smooth = np.diff(suite.tracks[0].position[:, 0], 3)
    assert noise / 3 < smooth.std() / 20**0.5 < 3 * noise and len(pairs.rally) == 2 * len(RALLIES)


def test_the_measured_state_lands_where_the_bounce_was_measured(match_play):
    suite, _ = events.events_suite(SONY, match_play, "test")
    np.testing.assert_allclose(suite.events.flown, suite.events.landing, atol=2e-3)


def test_a_bounce_is_asked_where_the_history_is_long_enough(match_play):
    suite, _ = events.events_suite(SONY, match_play, "test")
    cases = protocols.bounce(suite, 0.1)
    assert len(cases) == len(suite.tracks) and cases.asks_landing and cases.seen(0) == 0.1
    for history, truth in zip(cases.histories, cases.truth):
        assert history.time[-1] - history.time[0] <= 0.1 + 1e-6 and truth[0] - history.time[-1] >= 0.1
    assert len(protocols.bounce(suite, 0.6)) == 0


def test_the_command_prints_the_next_bounce_and_the_state_first(match_play, monkeypatch, capsys):
    words = ["evaluate.py", "--suite", "real", "--no-latency", "--predictor", "gru", "parabola", "--json"]
    monkeypatch.setattr(sys, "argv", [*words, str(match_play / "a.json")])
    with pytest.raises(SystemExit) as stop:
        evaluate.main()
    out, found = capsys.readouterr().out, Results.read(match_play / "a.json")
    assert stop.value.code == 0 and "the law was not fitted" in " ".join(out.split())
    assert out.index("state") < out.index("gru") < out.index("parabola") and out.count("│ state ") == 3
    place = {r.predictor: r.value for r in found.rows if (r.metric, r.history) == ("landing_place", 0.2)}
    assert place["state"] < place["gru"] < 0.2 and "parabola" not in place


# --- the leaderboard --------------------------------------------------------------------------------------------------


def rows_of(name, suite, scale, adapted=False):
    """(Rows, errors) of one predictor: errors of 40 tracks at two times."""
    rows, errors = [], {}
    for horizon in (0.2, 0.4):
        own = {str(k): scale * horizon * (1 + k / 40) for k in range(40)}
        errors[cell_key(name, suite, "horizon", 0.2, horizon)] = own
        rows.append(Row(name, suite, "horizon", 0.2, horizon, "median", np.median([*own.values()]), 0, 1, 40, adapted))
    return rows, errors


def made_up(suite, scales, adapted=()):
    found = Results("c", "0", 0, side_information=dict.fromkeys(scales, "sport"), notes=[f"{suite}: 40 of 60 tracks"])
    for name, scale in scales.items():
        rows, errors = rows_of(name, suite, scale, name in adapted)
        found.rows, found.errors = found.rows + rows, found.errors | errors
    found.adapted = [f"{name}|{suite}" for name in adapted]
    return found


def test_adapted_predictors_are_compared_with_their_twins_and_shown_apart():
    scales = {"gru": 0.1, "gru_physics": 0.1, "gru, fine-tuned": 0.05, "gru_physics, fine-tuned": 0.12}
    found = made_up("lfg", scales, adapted=("gru, fine-tuned", "gru_physics, fine-tuned"))
    table = adaptation.adapted_standings(found, adaptation.TWINS)
    assert [(s.name, round(s.ratio, 6), s.better, s.worse, s.cells) for s in table] == [
        ("gru, fine-tuned", 0.5, 2, 0, 2),
        ("gru_physics, fine-tuned", 1.2, 0, 2, 2),
    ]
    kept = {"adapted": True} | leaderboard.condense(found, "python train.py; python evaluate.py", "lfg")
    kept["standings"] = [vars(s) for s in table]
    simulated = leaderboard.condense(made_up("sim:tennis", {"informed": 0.1, "gru": 0.2}), "c", "sim:tennis")
    zero_shot = leaderboard.condense(made_up("lfg", {"gru": 0.1, "physics": 0.2}), "c", "lfg")
    page = leaderboard.render(json.loads(json.dumps([kept, simulated, zero_shot])))
    assert "| lfg | gru, fine-tuned | 0.50 | 2 | 0 | 2 | 14.9 | 29.8 | 29.8 | 59.5 |" in page
    assert "| gru | **1.00** |" in page and "40 of 60 tracks." in page and "`python train.py`" in page
    assert not {row["predictor"] for row in zero_shot["rows"]} & {"gru, fine-tuned"}


def test_adapted_and_zero_shot_predictors_are_ranked_apart():
    found = made_up("lfg", {"gru": 0.1, "tuned": 0.05, "physics": 0.2}, adapted=("tuned",))
    first = {s["predictor"]: s["first"] for s in leaderboard.condense(found, "c", "lfg")["standings"]}
    assert first == {"tuned": 2, "gru": 2, "physics": 0}


def test_results_of_two_runs_are_merged_and_renamed():
    a, b = made_up("lfg", {"gru": 0.1}), made_up("lfg", {"physics": 0.2}, adapted=("physics",))
    both = adaptation.merged(a, adaptation.renamed(b, {"physics": "physics, identified"}))
    assert [*both.side_information] == ["gru", "physics, identified"] and len(both.rows) == 4 and len(both.errors) == 4
    assert both.is_adapted("physics, identified", "lfg") and not both.is_adapted("gru", "lfg")


def test_the_page_keeps_its_latencies_unless_they_are_measured():
    page = "<!-- networks -->\n| a |\n|---|\n| `gru` | 1 | 2 | 1.0 | 0.08 |\n<!-- -->\n"
    assert networks.latencies_on(page) == {"gru": "0.08"}
    results = {"suite": "sim:table_tennis", "standings": [{"predictor": "gru", "times": 1.5}], "rows": []}
    kept = networks.insert_network_table(page, results)
    assert kept.splitlines()[3].endswith("| 1.50 | 0.08 |") and networks.insert_network_table(kept, results) == kept
    measured = networks.insert_network_table(page, results, {"gru": 9.1e-5})
    assert measured.splitlines()[3].endswith("| 1.50 | 0.09 |")


@pytest.fixture
def small_set(tmp_path):
    """A folder of recorded balls with 20 strokes in tt3d/3d."""
    folder = tmp_path / "data" / "tt3d" / "3d"
    folder.mkdir(parents=True)
    t = np.arange(60) / 180.0
    for n in range(20):
        path = np.column_stack([0.1 + 0 * t, -1.3 + 4.0 * t, 0.4 + 1.5 * t - 4.9 * t**2])
        write_track(folder / f"{n:03d}.csv", Track(t, path))
    return tmp_path / "data"


@pytest.mark.parametrize("identifies", (True, False))
def test_adapted_rows_come_from_the_commands_that_a_user_would_run(small_set, identifies, monkeypatch):
    called, names_given = [], []

    def run(words, may_give_up=False):
        called.append(words)
        folder = words[words.index("--tracks") + 1] if "--tracks" in words else words[2]
        names_given.append({file.stem for file in Path(folder).iterdir()})
        assert may_give_up == (words[0] == "-m")
        return identifies or words[0] != "-m"

    def score(arguments):
        names = arguments[arguments.index("--predictor") + 1 :]
        adapted = names if "--sport" in arguments else [n for n in names if ".safetensors" in n]
        return made_up("tt3d", dict.fromkeys(names, 0.1), adapted)

    monkeypatch.setattr(adaptation, "_run", run)
    monkeypatch.setattr(adaptation.importlib.util, "find_spec", lambda name: name)
    monkeypatch.setattr(leaderboard, "score", score)
    monkeypatch.setattr(leaderboard, "MIN_LEARNT", 3)
    ((name, kept),) = leaderboard.adapted_part(small_set)
    learnt = {f"{n:03d}" for n in range(20) if splits.split_of(f"{n:03d}") != "test"}
    assert name == "tt3d_adapted" and names_given == [learnt, learnt]
    assert called[0][:6] == ["train.py", "--sport", "table_tennis", "--finetune", adaptation.WEIGHTS, "--tracks"]
    assert "/tmp" not in kept["command"] and "adapted/tt3d/run/weights.safetensors:gru_physics" in kept["command"]
    names = [s["name"] for s in kept["standings"]]
    assert names == ["gru, fine-tuned", "gru_physics, fine-tuned"] + ["physics, identified"] * identifies
    assert {row["adapted"] for row in kept["rows"] if row["predictor"] in adaptation.TWINS} == {True}
