"""vision.image_tracker, vision.follow: the ball in play is found among clutter, followed over bounces, and forecast."""

from types import SimpleNamespace

import numpy as np
import pytest

cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed (extra video)")

from ballcast.vision import finders, network  # noqa: E402
from ballcast.vision.candidates import NONE, Candidates  # noqa: E402
from ballcast.vision.follow import WHOLE_EVERY, WINDOW, Follower, settle, window_at  # noqa: E402
from ballcast.vision.image_tracker import LONGEST_DELAY, Flights, ImageTracker  # noqa: E402
from ballcast.vision.network import ALIGNED, CELL, PLANES, SHRINK, NetworkFinder  # noqa: E402
from ballcast.vision.pan import PanMeter  # noqa: E402
from ballcast.vision.textures import noise  # noqa: E402
from ballcast.vision.video import Frame  # noqa: E402

SIZE = 1280, 720
RATE = 30.0
GRAVITY = 1500.0  # px/s^2


def flight(count, place=(200.0, 200.0), velocity=(600.0, -300.0), ground=None, gravity=GRAVITY):
    """Where a ball is (count, 2) px; it bounces at a row `ground` and loses a tenth of its speed along it."""
    (u, v), (x, y), places, fine = place, velocity, [], 20
    for _ in range(count):
        places.append((u, v))
        for _ in range(fine):
            u, v, y = u + x / RATE / fine, v + y / RATE / fine, y + gravity / RATE / fine
            if ground is not None and v > ground and y > 0.0:
                x, y = 0.9 * x, -0.75 * y
    return np.array(places)


def candidates(random, place=None, clutter=15, probability=0.6, detected=0.9):
    """Candidates of a frame: the ball at a place, perhaps, among clutter; and their probabilities."""
    rows = [(*random.uniform(0.0, SIZE), random.uniform(0.05, 0.3)) for _ in range(random.poisson(clutter))]
    if place is not None and random.random() < detected:
        rows.append((*(place + random.normal(0.0, 0.8, 2)), probability))
    rows = np.array(rows).reshape(-1, 3)
    rows = rows[np.argsort(-rows[:, 2])]
    round_ = np.full(len(rows), 8.0)
    found = Candidates(rows[:, :2], rows[:, 2], round_, round_, np.zeros(len(rows)))
    return found, finders.of_one(found.score)


def follow(places, seed=0, shifts=None, first=0, tracker=None, **options):
    """The tracker and what it saw at once, frame by frame."""
    random, tracker, seen = np.random.default_rng(seed), tracker or ImageTracker(SIZE), []
    for k, place in enumerate(places, first):
        found, probability = candidates(random, place, **options)
        shift = (0.0, 0.0) if shifts is None else shifts[k - first]
        seen.append(tracker.observe(k, k / RATE, found, probability, shift))
    return tracker, seen


def rates(seen, places, tolerance=5.0):
    """Recall and precision."""
    named = [(one.pixel, place) for one, place in zip(seen, places) if one.pixel is not None]
    right = sum(place is not None and np.hypot(*(pixel - place)) < tolerance for pixel, place in named)
    return right / max(sum(place is not None for place in places), 1), right / max(len(named), 1)


@pytest.mark.parametrize("seed", range(4))
def test_the_ball_is_found_among_clutter_over_a_bounce(seed):
    places = flight(40, ground=500.0)
    tracker, seen = follow(places, seed)
    recall, precision = rates(seen, places)
    assert recall > 0.75 and precision > 0.93
    assert [one.event for one in seen if one.event in ("hit", "bounce")] == ["bounce"]
    assert seen[10].flight == seen[-1].flight >= 0
    turn = tracker.turns[0]
    assert turn.kind == "bounce" and abs(turn.pixel[1] - 500.0) < 25.0
    assert turn.before[1] > 200.0 > -200.0 > turn.after[1]


def test_hindsight_finds_more_and_fills_short_gaps():
    places, count = flight(40, ground=500.0), 40
    random, tracker, seen = np.random.default_rng(3), ImageTracker(SIZE), []
    for k, place in enumerate(places):
        tracker.observe(k, k / RATE, *candidates(random, place, detected=0.8))
        if k >= 8:
            seen.append(tracker.settled(8)[0])
    seen += [tracker.settled(left)[0] for left in range(7, -1, -1)]
    assert [one.number for one in seen] == list(range(count))
    recall, precision = rates(seen, places)
    assert recall > 0.92 and precision > 0.95
    with pytest.raises(ValueError, match="must be below"):
        tracker.settled(LONGEST_DELAY + 1)


def test_a_hit_begins_a_flight():
    first = flight(15)
    places = [*first, *flight(15, first[-1], (-900.0, -200.0))]
    _, seen = follow(places, 1)
    assert [one.event for one in seen if one.event] == ["hit"]
    assert seen[10].flight == 0 and seen[-1].flight == 1


def test_what_rests_or_jumps_is_not_in_play():
    random = np.random.default_rng(0)
    jumping = [(400.0, 300.0) + random.choice([-90.0, 90.0], 2) for _ in range(40)]
    for places in ([(640.0, 360.0)] * 40, jumping):
        _, seen = follow([np.array(place) for place in places], 2, clutter=4)
        assert sum(one.pixel is not None for one in seen) <= 6  # clutter that lines up by chance


@pytest.mark.parametrize("seed", range(2))
def test_a_slow_ball_is_found_among_clutter_that_comes_and_goes_where_it_was(seed):
    """A ball that is about where it was in the frame before, but not where it was 0.1 s ago."""
    random, tracker, named = np.random.default_rng(seed), ImageTracker(SIZE), []
    resting = random.uniform(0.0, SIZE, (15, 2))
    places = np.array([300.0, 500.0]) + np.arange(50)[:, None] * [2.2, -0.9] + np.arange(50)[:, None] ** 2 * [0.0, 0.02]
    for k, place in enumerate(places):
        pixel = np.concatenate([resting[random.random(15) < 0.6], [place]])
        pixel = pixel + random.normal(0.0, 0.5, pixel.shape)
        score = np.append(random.uniform(0.1, 0.5, len(pixel) - 1), 0.2)
        found = Candidates(pixel, score, *np.full((2, len(pixel)), 7.0), np.zeros(len(pixel)))
        named.append(tracker.observe(k, k / 50.0, found, finders.of_one(score)))
    recall, precision = rates(named[12:], places[12:])
    assert recall > 0.9 and precision > 0.95


@pytest.mark.parametrize("rate, gap, is_filled", [(60.0, 4, True), (60.0, 7, False), (25.0, 2, True), (25.0, 3, False)])
def test_gaps_up_to_a_tenth_of_a_second_or_two_frames_are_filled(rate, gap, is_filled):
    tracker, count = ImageTracker(SIZE), 40
    time = np.arange(count) / rate
    places = np.stack([200.0 + 600.0 * time, 400.0 - 700.0 * time + 500.0 * time**2], axis=1)
    for k, place in enumerate(places):
        found = NONE if 20 <= k < 20 + gap else Candidates(place[None], *np.array([[0.8], [8.0], [8.0], [0.0]]))
        tracker.observe(k, time[k], found, found.score)
        if k == 20 + gap + 3:
            seen = [tracker.settled(k - n)[0] for n in range(20, 20 + gap)]
    named = [one for one in seen if one.pixel is not None]
    assert len(named) == (gap if is_filled else 0)
    for one in named:
        np.testing.assert_allclose(one.pixel, places[one.number], atol=2.0)


def test_a_large_slow_ball_is_ahead_of_where_the_network_sees_it():
    """Of one whose pictures do not overlap, the place is as it was seen."""
    for diameter, behind in ((40.0, 4.0), (8.0, 0.0)):
        tracker, seen = ImageTracker(SIZE), []
        for k in range(15):
            found = Candidates(np.array([[200.0 + 10.0 * k, 300.0]]), *np.array([[0.8], [diameter], [diameter], [0.0]]))
            seen.append(tracker.observe(k, k / RATE, found, found.score))
        np.testing.assert_allclose(seen[-1].pixel, [340.0 + behind, 300.0], atol=0.5)


def test_no_candidates_and_no_ball():
    tracker = ImageTracker(SIZE)
    for k in range(5):
        seen = tracker.observe(k, k / RATE, NONE, np.empty(0))
        assert seen.pixel is None and seen.flight == -1 and tracker.forecast([1.0]) is None


def test_of_two_balls_one_is_followed_and_a_note_says_so():
    random, tracker, notes = np.random.default_rng(0), ImageTracker(SIZE), []
    one, other = flight(25), flight(25, (1100.0, 150.0), (-500.0, -100.0))
    for k in range(25):
        pixel = np.array([one[k], other[k]]) + random.normal(0.0, 0.8, (2, 2))
        found = Candidates(pixel, np.full(2, 0.8), np.full(2, 8.0), np.full(2, 8.0), np.zeros(2))
        seen = tracker.observe(k, k / RATE, found, np.full(2, 0.45))
        notes.append(seen.note)
    assert notes[-1].startswith("two balls: the one at (") and "\n" not in notes[-1]


def test_a_ball_is_followed_while_the_camera_pans():
    shifts = np.zeros((30, 2))
    shifts[12:, 0] = 18.0
    places = flight(30, (150.0, 300.0), (-300.0, -500.0)) + np.cumsum(shifts, axis=0)
    _, seen = follow(places, 5, shifts, clutter=5, detected=1.0)
    assert rates(seen, places)[0] > 0.85 and not any(one.event for one in seen)


def test_ninety_percent_regions_hold_the_ball_nine_times_in_ten():
    """Gravity, drag and the ground are not known to the tracker. Every third ball bounces before it is asked for."""
    random, inside, errors = np.random.default_rng(7), [], []
    for seed in range(40):
        gravity = random.uniform(400.0, 3000.0)
        velocity = random.uniform([300.0, -700.0], [1000.0, -200.0])
        places = flight(17, velocity=velocity, gravity=gravity, ground=None if seed % 3 else random.uniform(250, 500))
        tracker, _ = follow(places[:11], seed, clutter=3)
        ahead = tracker.forecast([16 / RATE])
        if ahead is not None and places[16].max() < 1280.0:
            error = ahead.pixel[0] - places[16]
            inside.append(error @ np.linalg.solve(ahead.covariance[0], error) < 4.605)
            errors.append(np.hypot(*error))
    assert len(inside) > 25 and 0.75 < np.mean(inside) <= 1.0 and np.median(errors) < 30.0


def test_a_forecast_says_more_of_the_ground_after_bounces():
    places = flight(60, (60.0, 300.0), (300.0, 0.0), ground=450.0)
    tracker, _ = follow(places[:30], 3, clutter=3)
    assert len(tracker.turns) and tracker.ground.chance > 0.5
    assert abs(np.median(tracker.ground.rows) * SIZE[1] - 450.0) < 40.0


def test_time_that_jumps_or_goes_back_begins_anew():
    tracker, seen = follow(flight(12), 0, clutter=3)
    numbers = [seen[-1].flight]
    for first in (500, 0):
        _, seen = follow(flight(12), first, first=first, tracker=tracker, clutter=3)
        assert seen[0].event == "lost" and seen[-1].pixel is not None
        numbers.append(seen[-1].flight)
    assert numbers == [0, 1, 2]


def test_memory_is_bounded():
    random, tracker = np.random.default_rng(0), ImageTracker(SIZE)
    sizes = []
    for k in range(300):
        tracker.observe(k, k / RATE, *candidates(random, flight(30)[k % 30], clutter=30))
        sizes.append((len(tracker._past), len(tracker.turns), len(tracker.ground._seen), len(tracker._past[-1].rows)))
    assert np.max(sizes[100:], axis=0).tolist() <= [LONGEST_DELAY + 2, LONGEST_DELAY, 12, 80]


def test_flights_rise_only_forward():
    seen, flights = SimpleNamespace(event="", _replace=lambda **changes: changes), Flights()
    assert [flights.numbered(seen, origin)["flight"] for origin in (-1, 4, 4, 9, 4, -1, 12)] == [-1, 0, 0, 1, 1, 1, 2]


def test_probabilities_are_of_at_most_one():
    assert finders.of_one(np.array([0.9, 0.9, 0.9])).sum() < 1.0
    assert finders.of_one(np.array([0.3])) == pytest.approx([0.3])
    assert len(finders.of_one(np.empty(0))) == 0
    assert (np.diff(finders.rank_probabilities(20)) < 0).all()


def test_a_window_lies_in_the_picture():
    for place in ((-50.0, 2000.0), (640.0, 360.0), (1279.0, 1.0)):
        left, top, right, bottom = window_at(place, *SIZE)
        assert 0 <= left < right <= SIZE[0] and 0 <= top < bottom <= SIZE[1]
        assert left % ALIGNED == top % ALIGNED == 0 and right - left == bottom - top == WINDOW


def brightest(frames):
    """A network's answer: a ball where the last frame is brightest."""
    last = frames[0, 6:].mean(axis=0)
    height, width = last.shape[0] // CELL, last.shape[1] // CELL
    answer = np.full((2 * PLANES, height, width), -9.0, np.float32)
    answer[[1, 2, 3, 4, 5, 7, 8, 9, 10, 11]] = 0.0
    row, column = np.unravel_index(int(last.argmax()), last.shape)
    answer[6, row // CELL, column // CELL] = 3.0 if last.max() > 0.0 else -9.0
    answer[9] = 2.0
    return answer[None]


def pictures(count):
    """Frames of a bright ball, and where it is."""
    places = flight(count, (200.0, 300.0), (500.0, -300.0))
    for k, place in enumerate(places):
        image = np.full((SIZE[1], SIZE[0], 3), 40, np.uint8)
        cv2.circle(image, tuple(int(x) for x in np.round(place)), 4, (250, 250, 250), -1)
        yield Frame(k, k / RATE, image), place


def test_a_sure_ball_is_searched_in_windows_and_every_frame_is_decided_once(monkeypatch, tmp_path):
    shapes = []
    monkeypatch.setattr(network, "open_network", lambda *_: lambda x: shapes.append(x.shape[2:]) or brightest(x))
    (tmp_path / "ball.onnx").touch()
    follower = Follower(NetworkFinder(tmp_path / "ball.onnx"), SIZE)
    places = [place for _, place in pictures(24)]
    seen = list(settle(follower, (frame for frame, _ in pictures(24)), delay=5))
    assert [one.number for one in seen] == list(range(24))
    recall, precision = rates(seen[2:], places[2:])
    assert recall == 1.0 and precision == 1.0
    small = [shape == (WINDOW // SHRINK, WINDOW // SHRINK) for shape in shapes]
    assert sum(small) > 8 and not any(all(small[k : k + WHOLE_EVERY]) for k in range(len(small) - WHOLE_EVERY + 1))
    with pytest.raises(ValueError, match="delay"):
        list(settle(follower, [], LONGEST_DELAY + 1))


def test_a_pan_is_measured_and_a_moving_player_is_none():
    wide = noise(np.random.default_rng(0), (800, 500), 4.0, 0.8)
    picture = np.clip(120 + 50 * wide, 0, 255).astype(np.uint8)[..., None].repeat(3, axis=2)
    meter = PanMeter()
    assert (meter.measure(picture[20:380, 40:680]) == 0).all()
    np.testing.assert_allclose(meter.measure(picture[22:382, 34:674]), (6.0, -2.0), atol=0.3)
    before, now = picture[20:380, 40:680].copy(), picture[20:380, 40:680].copy()
    before[100:300, 100:200] = picture[:200, :100]
    now[100:300, 130:230] = picture[:200, :100]
    meter.measure(before)
    np.testing.assert_allclose(meter.measure(now), 0.0, atol=0.05)
