"""The programs in examples/ do what they say, with few balls; what evaluate.py writes of a folder of runs."""

import csv
import signal

import numpy as np
import pytest
from rich.console import Console
from test_documented_commands import Inline

from ballcast.evaluation import evaluate, harness, model_card, seeds
from ballcast.evaluation.results import Results, Row
from ballcast.evaluation.table import tables
from ballcast.evaluation.table_files import to_csv, to_markdown
from examples import own_camera, own_recordings, own_sport

MAX_WEIGHTS = 6_200_000  # bytes, in models/weights
RUNS = ["a/1/weights.safetensors", "a/2/weights.safetensors"]


def test_a_sport_of_my_own_is_forecast_by_the_network_that_never_saw_it(tmp_path):
    errors = own_sport.main(12, tmp_path / "large_ball.toml")
    assert errors["gru"] < 0.5 * errors["parabola"]


def test_recordings_in_other_units_and_axes_are_read_right(tmp_path):
    errors = own_recordings.main(6, tmp_path / "recordings")
    assert errors["gru"][1] < 0.5 * errors["parabola"][1] and errors["gru"][0] < 80


def test_a_camera_of_my_own_sees_a_ball_where_it_is(tmp_path):
    for error, expected in own_camera.main(2, tmp_path):
        assert error < 4 * expected < 1000


@pytest.fixture
def few(monkeypatch):
    """Training and calibration that take seconds; evaluation in this process."""
    pytest.importorskip("torch", reason="the extra train is not installed")
    from ballcast.models.training import calibrate, learner

    monkeypatch.setenv("BALLCAST_RESTARTED", "1")  # else training starts this process again if it has compiled
    monkeypatch.setattr(learner, "VALIDATION_BATCHES", 1)
    monkeypatch.setattr(calibrate, "BALLS", 64)
    monkeypatch.setattr(harness, "ProcessPoolExecutor", Inline)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


def test_a_network_of_my_own_is_trained_and_stands_in_a_table_beside_the_others(few, tmp_path):
    from ballcast.models.runtime import weights
    from examples import own_model

    out = tmp_path / "seeds" / "0"
    errors = own_model.main(steps=2, out=out, batch=32)
    assert errors["gru"] < errors["mine"] < 5000
    info, tensors = weights.read(out / "weights.safetensors")
    assert info["kind"] == "raw" and len(info["widen"]["path"]) == 20
    (tmp_path / "seeds" / "1").mkdir()
    tensors["path_mean"] += 0.5  # m: another run, worse
    weights.save(tmp_path / "seeds" / "1" / "weights.safetensors", tensors, info)
    asked = {"balls": 4, "protocol": ("horizon",), "history": (0.1,), "horizon": (0.1,), "latency": False}
    names = (str(tmp_path / "seeds"), "gru_physics")
    evaluate.run(evaluate.Options(names, **asked, markdown=tmp_path / "table.md", csv=tmp_path / "figures.csv"))
    page = (tmp_path / "table.md").read_text()
    assert "reads positions; 2 runs" in page and "reads the filter" in page and " ± " in page
    with open(tmp_path / "figures.csv", newline="") as file:
        rows = {(row["predictor"], row["metric"]): row for row in csv.DictReader(file)}
    assert float(rows[names[0], "median"]["spread"]) > 0.05 and rows["gru_physics", "median"]["spread"] == ""


def results():
    """Results of two runs and of another predictor."""
    found = Results("evaluate.py", "1", 0)
    for name, errors in zip((*RUNS, "b|c"), ([0.1, 0.3], [0.3, 0.5], [1.0])):
        cell = name, "s", "horizon", 0.1, 0.2
        found.rows.append(Row(*cell, "median", float(np.median(errors)), 0.0, 1.0, len(errors)))
        found.errors["|".join([name, "s", "horizon", "0.1", "0.2"])] = {f"t{n}": e for n, e in enumerate(errors)}
        found.reliability["|".join([name, "s", "horizon", "0.1", "0.2"])] = [0.1, 0.9]
        found.side_information[name] = "sport"
    found.rows.append(Row(RUNS[0], "s", "landing", 0.1, None, "landing_place", 1.0, 0.0, 2.0, 9))
    return found


def test_runs_become_one_row_with_mean_and_spread(tmp_path):
    found = results()
    seeds.merge(found, {"a": RUNS})
    assert list(found.side_information) == ["a", "b|c"] and found.side_information["a"] == "sport; 2 runs"
    (row,) = [row for row in found.rows if row.predictor == "a"]  # what one of them did not answer is left out
    assert (
        row.value == pytest.approx(0.3) and row.spread == pytest.approx(np.std([0.2, 0.4], ddof=1)) and row.low is None
    )
    assert found.errors["a|s|horizon|0.1|0.2"] == pytest.approx({"t0": 0.2, "t1": 0.4})
    page = to_markdown(found, tables(found))
    assert "300.0 ± 141.4" in page and "b\\|c" in page and "[dim]" not in page
    assert "bold: first" in page and "* first" not in page
    assert to_csv(found).splitlines()[0].startswith("predictor,suite,protocol,history,horizon,metric,value,low,high")
    found.write(tmp_path / "r.json")
    assert Results.read(tmp_path / "r.json") == found
    Console(quiet=True).print(*tables(found))


def test_the_model_card_is_made_from_the_files_and_results_that_are_there():
    page = model_card.render()
    assert model_card.PAGE.read_text(encoding="utf-8") == page
    assert all(f"`{path.name}`" in page for path in model_card.WEIGHTS_FOLDER.glob("*"))
    size = sum(path.stat().st_size for path in model_card.WEIGHTS_FOLDER.glob("*"))
    assert size <= MAX_WEIGHTS, "what ships is downloaded by everybody"


def test_a_folder_without_runs_is_refused_and_a_predictor_of_that_name_is_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gru").mkdir()
    (tmp_path / "empty").mkdir()
    assert seeds.runs_in(["gru", "informed", "nobody"]) == {}
    with pytest.raises(ValueError, match="empty: a folder without runs"):
        seeds.runs_in(["empty"])
