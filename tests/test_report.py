"""Standings, the report's page and the leaderboard, of results that are known by hand."""

import json
import re
import xml.etree.ElementTree as tree
from pathlib import Path

import pytest

from ballcast import sim
from ballcast.evaluation import evaluate, leaderboard, report, suites
from ballcast.evaluation.results import COVERAGE_LEVELS, Results, Row, cell_key
from ballcast.evaluation.standings import standings

SPORT = sim.load("table_tennis")
HISTORIES, HORIZONS = (0.1, 0.2), (0.1, 0.3)
SCALES = {"informed": 1.0, "constant_velocity": 2.0, "parabola": 2.0, "own_predictors:Still": 3.0}  # of the errors


@pytest.fixture(scope="module")
def suite():
    return suites.simulated(SPORT, 40, seed=4)


@pytest.fixture(scope="module")
def results():
    """Results of predictors that are worse by a known factor; the third as good as the second, track by track."""
    found = Results("evaluate.py --x 'a < b'", "0", 0, side_information=dict.fromkeys(SCALES, "gravity"))
    for name, scale in SCALES.items():
        for history in HISTORIES:
            for horizon in HORIZONS:
                where = name, "sim:table_tennis", "horizon", history, horizon
                errors = {str(i): scale * horizon * (1 + i / 40) for i in range(40)}
                found.errors[cell_key(*where)] = errors
                found.reliability[cell_key(*where)] = list(COVERAGE_LEVELS)
                found.rows.append(Row(*where, "median", scale * horizon * 1.4875, 0.1, 0.2, 40))
                found.rows.append(Row(*where, "coverage90", 0.9, 0.8, 0.95, 40))
    found.rows.append(Row("parabola", "sim:table_tennis", "landing", 0.3, None, "landing_place", 0.02, 0.01, 0.03, 40))
    found.rows.append(Row("parabola", "sim:table_tennis", "latency", None, None, "latency_p50", 1e-4, None, None, 40))
    found.rows.append(Row("parabola", "sim:table_tennis", "latency", None, None, "latency_p99", 4e-4, None, None, 40))
    found.notes.append("sim:table_tennis, landing, 0.3 s: 3 of 40 tracks left out: <why>")
    return found


def test_standings_of_known_factors(results):
    table = standings(results, "sim:table_tennis")
    assert [(s.name, round(s.ratio_to_limit, 9), s.first, s.cells) for s in table] == [
        ("informed", 1.0, 4, 4),
        ("constant_velocity", 2.0, 4, 4),
        ("parabola", 2.0, 4, 4),
        ("own_predictors:Still", 3.0, 0, 4),
    ]
    assert table[2].rows["median"].history == 0.2 and table[2].rows["median"].horizon == 0.3
    assert table[2].latency == {50: 1e-4, 99: 4e-4}


def test_the_page_stands_alone(results, suite, monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    page = report.page(results, [suite], HISTORIES, HORIZONS)
    assert not re.search(r"<script|<link|<img|@import|src=|url\((?!#)|href=\"(?!#)", page)
    assert "evaluate.py --x &#39;a &lt; b&#39;" in page and "<why>" not in page
    assert "constant_velocity forecasts best: its median error is 892 mm, 0.3 s ahead after 0.2 s of history" in page
    assert "2.00 times that of the limit. It ties with parabola, by the paired intervals." in page
    for heading in ("Error against horizon", "The spread", "against history", "Calibration", "Latency", "Gallery"):
        assert heading in page, heading
    drawings = re.findall(r"<svg role=.*?</svg>", page, flags=re.S)
    assert len(drawings) >= 2 + 4 + 2 + 1 + 2 + 1 + 6
    for drawing in drawings:
        assert "mm" in drawing or "ms" in drawing or ", m<" in drawing or "fraction" in drawing, "an axis has no unit"
        tree.fromstring(drawing)


def test_the_same_results_make_the_same_page(results, suite, monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    assert report.page(results, [suite], HISTORIES, HORIZONS) == report.page(results, [suite], HISTORIES, HORIZONS)


def test_the_command_writes_the_page(tmp_path, monkeypatch, capsys):
    words = "evaluate.py --balls 4 --predictor parabola --history 0.2 --horizon 0.1 --protocol horizon --report"
    monkeypatch.setattr("sys.argv", [*words.split(), str(tmp_path / "page")])
    with pytest.raises(SystemExit) as stop:
        evaluate.main()
    assert stop.value.code == 0 and "index.html" in capsys.readouterr().out
    assert [file.name for file in (tmp_path / "page").iterdir()] == ["index.html"]


def test_the_leaderboard_is_written_from_condensed_results(results):
    kept = leaderboard.condense(results, "python evaluate.py --sport table_tennis", "sim:table_tennis")
    text = leaderboard._json_by_row(kept)
    assert json.loads(text)["standings"][1] == {
        "predictor": "constant_velocity",
        "times": 2.0,
        "first": 4,
        "cells": 4,
    }
    assert "latency" not in text and '"2": ' not in text  # a latency would differ from run to run
    page = leaderboard.render([json.loads(text)])
    assert "| *informed* | 1.00 |" in page and "| constant_velocity | **2.00** |" in page
    assert "| parabola | 2.00 | 4 of 4 | 892 | 892 | - | 90 | 20 | - | - |" in page
    assert "`python evaluate.py --sport table_tennis`" in page


def test_cells_of_few_tracks_decide_nothing(results):
    few = Results("", "0", 0, side_information=results.side_information, errors=dict(results.errors), rows=results.rows)
    for cell, errors in results.errors.items():
        if cell.endswith("|0.1"):
            few.errors[cell] = {track: 1.0 for track in list(errors)[:29]}
    assert {s.cells for s in standings(few, "sim:table_tennis")} == {2}
