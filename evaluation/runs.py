"""Runs predictors over suites of balls: their answers, scored, and notes on what was left out or failed.

failed = evaluate(results, plan, work, predictions, horizons=(0.1, 0.2), has_latency=True, console=console)
"""

import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ballcast.evaluation import harness
from ballcast.evaluation.adapted import adapted_tracks, is_unseen
from ballcast.evaluation.pixel_cases import PixelCases
from ballcast.evaluation.pixel_scores import score_pixels
from ballcast.evaluation.pixel_suites import PixelSuite
from ballcast.evaluation.predictions import Predictions
from ballcast.evaluation.protocols import Cases
from ballcast.evaluation.reconstruction import SMOOTH
from ballcast.evaluation.results import STATE, Results, display_name
from ballcast.evaluation.scores import score, score_latency
from ballcast.evaluation.suites import Suite

Work = Sequence[tuple[Suite, Cases]]


def evaluate(
    results: Results, plan: Sequence[tuple[str, Suite]], work: Work, predictions: Sequence[Predictions], *,
    horizons: Sequence[float], has_latency: bool, console: Console,
) -> bool:  # fmt: skip
    """Fill the Results; return whether a predictor failed on some track.

    plan: (name of a predictor, a suite that it is scored on). Tracks that a predictor learnt from are left out of its
    cells. ValueError if nothing is left of one.
    """
    for suite, cases in work:
        results.notes += left_out_lines(suite, cases)
    loaded = load_plan(results, plan)
    unseen = {(name, suite.name): note_adapted(results, name, suite) for name, suite, _ in loaded}
    names = list(dict.fromkeys(name for name, _, _ in loaded))
    own = {name: _own_work(name, work, unseen) for name in names}
    failed = False
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True) as bar, harness.Workers(os.cpu_count() or 1) as workers:
        task = bar.add_task("", total=sum(len(cases) for parts in own.values() for _, cases in parts))
        for name, suite, predictor in loaded:  # first latency, while no worker is busy
            results.side_information[name] = knowledge(predictor)
            if has_latency and hasattr(predictor, "stream") and suite.events is None:
                bar.update(task, description=f"{name}: latency")
                failed |= measure_latency(results, name, suite, predictor)
        for name in names:
            for suite, cases in own[name]:
                bar.update(task, description=f"{name}, {suite.name}, {cases.protocol}")
                answers = workers.forecast(name, suite, cases, lambda done: bar.advance(task, done))
                add_scores(results, name, suite, cases, answers, horizons)
                results.notes += failure_lines(name, suite, cases, answers)
                failed |= bool(answers.failures)
    score_files(results, work, predictions, horizons)
    score_states(results, work)
    return failed


def knowledge(predictor: Any) -> str:
    """What a predictor knows beyond the history, and of a network what it reads."""
    reads = getattr(predictor, "reads", "")
    return f"{predictor.side_information}; reads {reads}" if reads else predictor.side_information


def load_plan(results: Results, plan: Sequence[tuple[str, Suite]]) -> list[tuple[str, Suite, Any]]:
    """(name, suite, predictor) of the plan, without those that take no pixels where pixels are given; the results note
    these. ValueError, one line, if none is left."""
    loaded, refused = [], {}
    for name, suite in plan:
        predictor = harness.load(name, suite.sport, isinstance(suite, PixelSuite))
        if why := harness.refusal(predictor, suite):
            refused[name] = why
        else:
            loaded.append((name, suite, predictor))
    if plan and refused and not any(name != SMOOTH for name, _, _ in loaded):
        raise ValueError(f"--predictor {next(iter(refused.values()))}")
    if refused:
        results.notes.append(f"left out, because they take positions and no pixels: {', '.join(refused)}")
    return loaded


def add_scores(
    results: Results, name: str, suite: Suite, cases: Cases, answers: harness.Answers, horizons: Sequence[float]
) -> None:
    """Add the rows and errors of one predictor's answers to the results."""
    if isinstance(cases, PixelCases):
        score_pixels(results, name, suite, cases, answers, horizons)
    else:
        score(results, name, suite, cases, answers, horizons)


def note_adapted(results: Results, name: str, suite: Suite) -> np.ndarray:
    """Which tracks (B,) of a suite a predictor has not learnt from; the results note that it is adapted."""
    learnt = adapted_tracks(name, suite.sport)
    if learnt is not None:
        results.adapted.append(f"{name}|{suite.name}")
    unseen = is_unseen(suite, learnt)
    if left_out := int((~unseen).sum()):
        shown = display_name(name)
        results.notes.append(f"{shown}: {suite.name}: {left_out} of {len(unseen)} tracks left out: it learnt from them")
    return unseen


def _own_work(name, work, unseen):
    """The suites and Cases that a predictor is asked, without the tracks that it learnt from."""
    asked = [(suite, cases) for suite, cases in work if (name, suite.name) in unseen]
    asked = [(suite, cases) for suite, cases in asked if (cases.protocol == "reconstruction") == (name == SMOOTH)]
    own = [(suite, cases.of(unseen[name, suite.name][cases.track_numbers])) for suite, cases in asked]
    if any(len(cases) for _, cases in asked) and not any(len(cases) for _, cases in own):
        raise ValueError(f"--predictor {name}: it learnt from every track that is asked; score it on others")
    return [(suite, cases) for suite, cases in own if len(cases)]


def score_files(results: Results, work: Work, predictions: Sequence[Predictions], horizons: Sequence[float]) -> None:
    """Score files of predictions, and note how many questions each answers. ValueError if one answers none."""
    for found in predictions:
        results.side_information[found.name] = found.side_information
        counts = np.zeros(2, int)
        for suite, cases in work:
            counts += found.counts(suite, cases)
            add_scores(results, found.name, suite, cases, found.answers(suite, cases), horizons)
        if not counts[0]:
            what = f"answers none of {counts[1]} questions; are seen and time as --export writes them?"
            raise ValueError(f"--predictions {found.name}.csv: {what}")
        results.notes.append(f"{found.name}: answers {counts[0]} of {counts[1]} questions")


def score_states(results: Results, work: Work) -> None:
    """Score what the measured states themselves say of the landings that are asked."""
    for suite, cases in work:
        if suite.events is not None and len(cases):
            results.side_information[STATE] = "the measured state"
            landing = suite.events.flown[cases.track_numbers]
            shape = cases.times.shape
            answers = harness.Answers(np.zeros((*shape, 3)), np.full((*shape, 3, 3), np.nan), landing=landing)
            score(results, STATE, suite, cases, answers, ())


def measure_latency(results: Results, name: str, suite: Suite, predictor: Any) -> bool:
    """Add a predictor's latency to the results; return whether it failed."""
    try:
        durations = harness.latency(predictor, suite.tracks)
    except Exception as error:  # noqa: BLE001 - a user's own predictor may raise anything
        results.notes.append(f"{name}: no latency, {type(error).__name__}: {error}")
        return True
    if len(durations):
        score_latency(results, name, suite, durations)
    return False


LEFT_OUT = {  # protocol -> why a track is left out
    "bounce": "shorter than this and 0.1 s",
    "horizon": "fewer than 5 frames", "landing": "no landing with 5 frames this long before it",
    "l4dc2023": "fewer than 10 frames this long before the end", "pixels": "fewer than 3 frames",
    "pixels_bounce": "no bounce, or fewer than 3 frames until this long after it",
    "reconstruction": "fewer than 3 frames",
}  # fmt: skip


def left_out_lines(suite: Suite, cases: Cases) -> Iterator[str]:
    """Notes on tracks and times that are left out."""
    case_name = f"{suite.name}, {cases.protocol}, {cases.history:g} s"
    if isinstance(cases, PixelCases) and not len(cases) and cases.protocol == "pixels_bounce":
        yield f"{case_name}: no ball has a bounce that is known"
        return
    if left_out := len(suite.tracks) - len(cases):
        yield f"{case_name}: {left_out} of {len(suite.tracks)} tracks left out: {LEFT_OUT[cases.protocol]}"
    if cases.beyond_end:
        yield f"{case_name}: {cases.beyond_end} times after a track's end left out"
    if near_edges := int((~cases.clear_of_edges).sum()):
        yield f"{case_name}: {near_edges} of {len(cases)} balls within 1 cm of an edge or net: not counted in coverage"


def failure_lines(name: str, suite: Suite, cases: Cases, answers: harness.Answers) -> Iterator[str]:
    """Notes on the tracks on which a predictor failed."""
    case_name = f"{name}: {suite.name}, {cases.protocol}, {cases.history:g} s"
    if answers.too_short:
        yield f"{case_name}: {answers.too_short} histories too short for it"
    if answers.failures:
        track, cause = answers.failures[0]
        yield f"{case_name}: failed on {len(answers.failures)} of {len(cases)} tracks; on track {track}: {cause}"
