"""What is written: no text runs into another, help and menu hide what they cover, messages say their number."""

import itertools

import numpy as np
import pygame
import pytest
from viewer_fakes import FixedPool, OneBall, Recorder

from ballcast import sim
from ballcast.render.palette import MUTED_COLOR, predictor_color
from ballcast.viewer import play
from ballcast.viewer.options import DisplayOptions
from ballcast.viewer.panels import canvas as canvas_module
from ballcast.viewer.panels import card, legend
from ballcast.viewer.panels.timeline import speed_words
from ballcast.viewer.playback.overrides import OVERRIDES
from ballcast.viewer.playback.session import FRAME_TIME, PredictorPool
from ballcast.viewer.playback.source import LiveSource
from ballcast.viewer.units import format_speed
from ballcast.viewer.window import App

SIZES = ((640, 360), (1280, 720), (1920, 1080))
STATES = {
    "plain": {},
    "left": {"beliefs": True, "numbers": True, "truth": True},
    "right": {"inset": True, "sliders": True},
    "strips": {"errors": True, "gates": True, "sliders": True, "inset": True},
    "all": {"truth": True, "errors": True, "beliefs": True, "numbers": True, "inset": True, "sliders": True},
}


def texts_of(app, monkeypatch):
    """(text, rectangle in px) of everything that one frame writes: the scene's texts, then those that cover them."""
    batches = []
    original = canvas_module.Canvas.flush

    def flush(canvas):
        if canvas._texts:
            batches.append([(image, pygame.Rect(corner, image.get_size())) for image, corner in canvas._texts])
        original(canvas)

    with monkeypatch.context() as patch:
        patch.setattr(canvas_module.Canvas, "flush", flush)
        app.frame(0.0)
    return batches[-1]


def overlaps(written, margin):
    """Pairs of rectangles that run into each other by more than `margin` px; an outline is its text, a px aside."""
    pairs = itertools.combinations([rectangle for _, rectangle in written], 2)
    outlines = [(a, b) for a, b in pairs if not (a.size == b.size and abs(a.x - b.x) <= 3 and abs(a.y - b.y) <= 3)]
    return [(a, b) for a, b in outlines if a.inflate(-2 * margin, -2 * margin).colliderect(b.inflate(-margin, -margin))]


def make_app(sport, size, options=None, count=1, **more):
    names = ["gru", "parabola", "physics"][:count]
    source, pool = LiveSource(sport, 3, rallies=True), PredictorPool(names, sport)
    options = DisplayOptions(**(options or {}))
    return App(source, pool, size, headless=True, shown=range(count), options=options, **more)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", STATES)
def test_no_text_runs_into_another(name, size, monkeypatch):
    sport = sim.load("table_tennis")
    for count in (1, 3):
        app = make_app(sport, size, STATES[name], count, introduce=True)
        app.session.hidden = True
        for _ in range(45):
            app.frame(FRAME_TIME * 8)
        app.message, app.message_frames = "topspin 40 rad/s, a message that is as long as the longest of them", 99
        for _ in range(4):
            written = texts_of(app, monkeypatch)
            assert len(written) > 15 and not overlaps(written, 2)
            assert all(app.screen.get_rect().inflate(2, 2).contains(rectangle) for _, rectangle in written)
            for _ in range(4):
                app.frame(FRAME_TIME * 4)


@pytest.mark.parametrize("name", sim.names())
def test_no_text_runs_into_another_in_any_sport(name, monkeypatch):
    app = make_app(sim.load(name), (640, 360), {"truth": True, "inset": True}, 1)
    for frame in range(120):
        app.frame(FRAME_TIME)
        if frame % 12 == 0:
            assert not overlaps(texts_of(app, monkeypatch), 2)


@pytest.mark.parametrize("size", [*SIZES, (960, 720), (1600, 600)])
@pytest.mark.parametrize("key", ["h", "m"])
def test_help_and_menu_hide_what_they_cover_and_are_whole(key, size, monkeypatch):
    sport, boxes = sim.load("table_tennis"), []
    names = play.predictor_names(play.Options(), sport)
    app = App(LiveSource(sport, 3, rallies=True), PredictorPool(names, sport), size, headless=True)
    original = canvas_module.Canvas.cover

    def cover(canvas, *box):
        boxes.append(pygame.Rect([round(a * canvas.scale) for a in box]))
        original(canvas, *box)

    monkeypatch.setattr(canvas_module.Canvas, "cover", cover)
    pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=pygame.key.key_code(key), unicode=key, mod=0))
    app.frame(FRAME_TIME)
    inner = boxes[-1].inflate(-24, -24).clip(app.screen.get_rect())
    first = pygame.surfarray.array3d(app.screen.subsurface(inner))
    for _ in range(40):
        app.frame(FRAME_TIME)
    assert np.array_equal(pygame.surfarray.array3d(app.screen.subsurface(inner)), first)
    assert app.screen.get_rect().inflate(8, 8).contains(boxes[-1])
    written = texts_of(app, monkeypatch)
    assert len(written) > 20 and not overlaps(written, 2)
    assert not [rectangle for _, rectangle in written if not inner.inflate(6, 6).contains(rectangle)], inner


def test_the_ball_is_seen_on_a_panel_that_covers_it():
    app = make_app(sim.load("table_tennis"), (1280, 720))
    for _ in range(20):
        app.frame(FRAME_TIME)
    ball = app.session.ball.state_at(app.session.now)[0][None]
    for _ in range(8):
        app.camera = app.camera.panned(*((200, 85) - app.camera.project(ball)[0][0]))  # into the card
    app.frame(0.0)
    x, y = app.camera.project(ball)[0][0].round().astype(int)
    assert abs(x - 200) < 3 and abs(y - 85) < 3
    around = pygame.surfarray.array3d(app.screen)[x - 3 : x + 4, y - 3 : y + 4]
    assert around[..., 0].max() > 150 > 90 > around[..., 2].min()  # an orange ball, on a dark panel


def press(app, key, typed=""):
    pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=key, unicode=typed, mod=0))
    pygame.event.post(pygame.event.Event(pygame.KEYUP, key=key, unicode=typed, mod=0))
    app.frame(FRAME_TIME)


def test_messages_say_their_number():
    app = make_app(sim.load("table_tennis"), (640, 360))
    press(app, pygame.K_LEFTBRACKET, "[")
    assert app.message == "half speed" == speed_words(app.session.speed)
    assert [speed_words(s) for s in (1 / 16, 0.25, 1, 4)] == [
        "1/16 speed",
        "quarter speed",
        "normal speed",
        "4 x speed",
    ]
    press(app, pygame.K_w, "w")
    press(app, pygame.K_LEFT)
    assert app.message == "gravity 9.7 m/s²"
    press(app, pygame.K_BACKSPACE)
    assert app.message == "gravity 9.8 m/s²"


def test_a_throw_names_its_topspin_or_backspin():
    app = make_app(sim.load("table_tennis"), (640, 360))
    for _ in range(10):
        app.frame(FRAME_TIME)
    at = app.active_camera().project(app.session.ball.state_at(app.session.now)[0][None])[0][0]
    pygame.event.post(pygame.event.Event(pygame.MOUSEBUTTONDOWN, button=1, pos=tuple(at.astype(int).tolist())))
    pygame.event.post(pygame.event.Event(pygame.MOUSEWHEEL, x=0, y=-2, flipped=False))
    app.frame(FRAME_TIME)
    assert "backspin" in app.message and "rad/s" in app.message


def test_the_legend_has_the_colours_of_the_predictors_and_no_region_where_none_is_drawn():
    app = App(OneBall(), FixedPool(Recorder(), Recorder()), (640, 360), headless=True, shown=(0, 1))
    for _ in range(30):
        app.frame(FRAME_TIME)
    rows = {row.sample: row for row in legend.marks(app.session)}
    assert set(rows) == {"dots", "line", "ring"} and len(set(rows["line"].colors)) == 2
    app.session.select_predictor(1)
    assert legend.marks(app.session)[1].colors == rows["line"].colors[1:]
    assert legend.marks(app.session, truth=True)[-1].sample == "path"


@pytest.mark.parametrize("name, word, seed", [("soccer", "goal", 4), ("basketball", "basket", 12)])
def test_a_call_covers_neither_the_path_nor_the_goal(name, word, seed, monkeypatch):
    sport = sim.load(name)
    app = App(LiveSource(sport, seed, rallies=True), PredictorPool(["parabola"], sport), (1280, 720), headless=True)
    image, ball = canvas_module._text_image(word.upper(), 34, (238, 241, 245)), app.session.ball
    since, _, place = next(call for call in ball.calls if call[1] == word)
    while app.session.now < since + 0.3:
        app.frame(FRAME_TIME)
    box = next(rectangle for drawn, rectangle in texts_of(app, monkeypatch) if drawn is image)
    path = ball.positions_at(np.linspace(since - 0.8, since + 0.8, 200))[1]
    near = [s for s in sport.surfaces if s.kind == "bar" or s.radius]
    middle = [(np.array(s.low) + s.high) / 2 for s in near]
    for x, y in app.active_camera().project(np.array([*path, *middle, place]))[0]:
        assert not box.inflate(8, 8).collidepoint(x, y)


def test_old_forecasts_are_not_drawn():
    """A line begins at the ball: after a stroke, nothing is left of what was forecast before it."""
    app = make_app(sim.load("table_tennis"), (640, 360))
    for _ in range(120):
        app.frame(FRAME_TIME / 4)
        ball = app.session.ball.state_at(app.session.now)[0]
        lines = [line for line in app.picture._world._draw_list._lines if tuple(line[3]) == predictor_color(0)]
        starts = [line[0][0] for line in lines if not np.allclose(line[0][0], line[0][-1])]  # a ring is closed
        assert len(starts) <= 2 and (not starts or np.linalg.norm(starts[0] - ball) < 0.01)
    assert starts


def test_a_call_is_written_in_capitals(monkeypatch):
    sport = sim.load("table_tennis")
    app = make_app(sport, (1280, 720))
    while app.session.ball.call(app.session.now) is None:
        app.frame(FRAME_TIME)
    called = app.session.ball.call(app.session.now)[0].upper()
    assert called == "IN"  # the usual call is small
    image = canvas_module._text_image(called, 18, MUTED_COLOR)
    assert any(drawn is image for drawn, _ in texts_of(app, monkeypatch))


def test_speeds_are_given_in_km_h_too_where_there_is_room():
    assert format_speed(31.2) == "31.2 m/s (112 km/h)" and format_speed(31.2, lambda text: False) == "31.2 m/s"
    wind = next(override for override in OVERRIDES if override.name == "across")
    assert wind.text(3.0) == "+3.0 m/s (+11 km/h)" and wind.text(-1.5) == "-1.5 m/s (-5 km/h)"
    for width in (640, 1280):
        app = make_app(sim.load("tennis"), (width, width * 9 // 16))
        app.frame(FRAME_TIME)
        assert any("km/h" in text for text in written(app))


def written(app):
    """The texts of the card of an App."""
    texts, canvas = [], canvas_module.Canvas(app.screen)
    canvas.text = lambda x, y, text, *_: texts.append(text)
    card.paint(canvas, app.session, False)
    return texts
