"""Which bounces a benchmark asks for, and how it counts those without a forecast."""

from pathlib import Path

import numpy as np

from benchmarks.bounces import Ball, Bounce, _frames_since_hit, bounce_line
from benchmarks.rendered_clips import Event


def ball_of(hits, bounces):
    time = np.arange(0.0, 2.0, 0.04)
    events = [Event(t, "bounce", np.zeros(3), np.zeros(2)) for t in bounces]
    return Ball("clip", Path(), "tennis", (1280, 720), lambda t: None, np.inf, True, time, np.zeros((len(time), 2)),
                np.array(hits), events, [])  # fmt: skip


def test_only_frames_between_the_hit_and_the_question_count():
    ball = ball_of([0.5], [1.01])
    assert _frames_since_hit(ball, ball.bounces[0]) == 8  # 0.52 to 0.80 s
    assert _frames_since_hit(ball_of([0.9], [1.01]), ball.bounces[0]) == 0  # hit after the question
    assert _frames_since_hit(ball_of([0.5], [0.9, 1.01]), ball.bounces[0]) == 0  # another bounce after it
    assert _frames_since_hit(ball_of([0.5], [0.7, 1.01]), ball.bounces[0]) == 8  # and one before


def test_a_bounce_without_a_forecast_is_infinitely_wrong_and_one_that_was_not_asked_for_does_not_count():
    def one(landing, found):
        return Bounce("clip", "tennis", 1.0, 8, 10.0, 10.0, landing, 0.5, 0.01, 5.0, 0.2, found)

    line = bounce_line("all", [one(20.0, 1.0), one(np.inf, np.nan), one(np.inf, 3.0)]).split()
    assert line[5:9] == ["inf", "0.5", "0.01", "67%"]
    assert line[-2:] == ["2", "0%"]
