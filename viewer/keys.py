"""What the keys do. The table BINDINGS is also the help that H shows.

A key is named by the character it types, else by pygame's name of it, in small letters.
"""

from collections.abc import Callable
from typing import NamedTuple

import pygame

DEGREES_PER_PRESS = 2.0
DEGREES_PER_SECOND = 80.0  # while held down
ZOOM = 1.12  # per press, per notch of the wheel
DRAG = 0.3  # degrees per pixel
PAN = 5.0  # px in place of a degree

_ARROWS = {pygame.K_LEFT: (-1, 0), pygame.K_RIGHT: (1, 0), pygame.K_UP: (0, 1), pygame.K_DOWN: (0, -1)}


class Binding(NamedTuple):
    keys: tuple
    label: str  # the name of the keys in the help
    help: str
    act: Callable | None  # takes the App
    repeats: bool = False  # while held down


def _arrow(app, key, move_slider, step):
    """An arrow turns the camera; with the sliders open it selects and moves them."""
    if app.options.sliders:
        move_slider(step)
    elif key not in app.held:  # held down, it turns smoothly in orbit_while_held
        _orbit_or_pan(app, _ARROWS[key], DEGREES_PER_PRESS)


def _orbit_or_pan(app, direction, degrees):
    if pygame.key.get_mods() & pygame.KMOD_SHIFT:
        app.camera = app.camera.panned(-direction[0] * degrees * PAN, direction[1] * degrees * PAN)
    else:
        app.orbit(direction[0] * degrees, direction[1] * degrees)


def _digit(n, action, shift=""):
    """Digit n selects predictor n; only the first of them is in the help."""
    label, text = (f"{shift.capitalize()} 1-9".strip(), action) if n == 1 else ("", "")
    method = "toggle_predictor" if shift else "select_predictor"
    key = f"{shift}+{n}" if shift else str(n)
    return Binding((key,), label, text, lambda app: getattr(app.session, method)(n - 1))


BINDINGS = (
    Binding(("space",), "Space", "pause, resume", lambda app: app.pause()),
    Binding((".",), ".", "one frame forward", lambda app: app.session.step(), repeats=True),
    Binding((",",), ",  or the timeline", "one frame back", lambda app: app.session.step_back(), repeats=True),
    Binding(("r",), "R", "the same ball again", lambda app: app.session.restart()),
    Binding(("n",), "N", "the next ball", lambda app: app.session.next()),
    Binding(("o",), "O", "hide the ball from the predictors", lambda app: app.session.toggle_hidden()),
    Binding(("p",), "P, Shift P", "kinds of throws: serve, lob ...", lambda app: app.throw_kind(1)),
    Binding(("shift+p",), "", "", lambda app: app.throw_kind(-1)),
    Binding(("t",), "T", "show where the ball will truly go", lambda app: app.toggle("truth")),
    Binding(("e",), "E", "errors over time", lambda app: app.toggle("errors")),
    Binding(("g",), "G", "the gates of a gru over time", lambda app: app.toggle("gates")),
    Binding(("b",), "B", "estimates of spin, drag ...", lambda app: app.toggle("beliefs")),
    Binding(("y",), "Y", "which frames matter for the forecast", lambda app: app.toggle_attribution()),
    Binding(("w",), "W", "change the ball's world: sliders", lambda app: app.toggle("sliders")),
    Binding(("backspace",), "", "", lambda app: app.move_override(None)),
    Binding(("[", "page down"), "[  or Page Down", "slower", lambda app: app.session.change_speed(-1)),
    Binding(("]", "page up"), "]  or Page Up", "faster", lambda app: app.session.change_speed(1)),
    Binding(("left",), "arrows, mouse drag", "turn the camera",
            lambda app: _arrow(app, pygame.K_LEFT, app.move_override, -1), True),
    Binding(("right",), "", "", lambda app: _arrow(app, pygame.K_RIGHT, app.move_override, 1), True),
    Binding(("up",), "", "", lambda app: _arrow(app, pygame.K_UP, app.select_override, -1), True),
    Binding(("down",), "", "", lambda app: _arrow(app, pygame.K_DOWN, app.select_override, 1), True),
    Binding((), "with W: arrows", "select and move; Backspace: reset", None),
    Binding(("+", "="), "+ -, mouse wheel", "zoom", lambda app: app.zoom(ZOOM), repeats=True),
    Binding(("-", "_"), "", "", lambda app: app.zoom(1 / ZOOM), repeats=True),
    Binding(("c",), "C, F1 F2 F3", "camera as on TV; side, end, above", lambda app: app.reset_camera()),
    Binding(("f", "f4"), "F", "the camera follows the ball", lambda app: app.toggle("follow")),
    Binding(("i",), "I", "a small picture from above", lambda app: app.toggle("inset")),
    Binding(("f1",), "", "", lambda app: app.view_from(90, 8)),
    Binding(("f2",), "", "", lambda app: app.view_from(0, 8)),
    Binding(("f3",), "", "", lambda app: app.view_from(0, 88)),
    Binding((), "drag the ball", "throw it; wheel, Shift wheel: spin", None),
    Binding((), "Shift, right drag", "move the camera", None),
    *(_digit(n, "choose the predictor") for n in range(1, 10)),
    *(_digit(n, "add or remove a predictor", "shift") for n in range(1, 10)),
    Binding(("j",), "J", "play against the network", lambda app: app.toggle_game()),
    Binding(("s",), "S", "save a screenshot", lambda app: app.save()),
    Binding(("v",), "V", "start or stop recording a film", lambda app: app.record()),
    Binding(("h",), "H", "show or hide the keys", lambda app: app.toggle("help")),
    Binding(("q", "escape"), "Q  or Esc", "quit", lambda app: app.quit()),
)  # fmt: skip
QUIT = BINDINGS[-1].keys
HELP = tuple((b.label, b.help) for b in BINDINGS if b.label)
_BY_KEY = {key: binding for binding in BINDINGS for key in binding.keys}


def name_of(event):
    """The name that a KEYDOWN event has in BINDINGS; None for another event."""
    if event.type != pygame.KEYDOWN:
        return None
    shifted = f"shift+{pygame.key.name(event.key)}"
    if getattr(event, "mod", 0) & pygame.KMOD_SHIFT and shifted in _BY_KEY:
        return shifted
    typed = getattr(event, "unicode", "").lower()
    return typed if typed in _BY_KEY else pygame.key.name(event.key)


def handle(app, event):
    if event.type == pygame.QUIT:
        app.quit()
    elif event.type == pygame.KEYDOWN:
        binding = _BY_KEY.get(name_of(event))
        if binding and (binding.repeats or event.key not in app.held):
            binding.act(app)
        app.held.add(event.key)
    elif event.type == pygame.KEYUP:
        app.held.discard(event.key)
    elif event.type == pygame.MOUSEBUTTONDOWN and event.button == 1:
        app.press_timeline(event.pos) or app.press_slider(event.pos) or app.press_ball(event.pos)
    elif event.type == pygame.MOUSEBUTTONUP and event.button == 1:
        app.scrubbing, app.sliding = False, None
        app.release()
    elif event.type == pygame.MOUSEMOTION and app.throw:
        app.drag_ball(event.pos)
    elif event.type == pygame.MOUSEWHEEL and app.throw:
        sideways = pygame.key.get_mods() & pygame.KMOD_SHIFT
        app.throw.add_spin(*((0, event.y) if sideways else (event.y, 0)))
    elif event.type == pygame.MOUSEMOTION and event.buttons[0] and app.scrubbing:
        app.drag_timeline(event.pos)
    elif event.type == pygame.MOUSEMOTION and event.buttons[0] and app.sliding is not None:
        app.drag_slider(event.pos)
    elif event.type == pygame.MOUSEMOTION and event.buttons[2]:
        app.camera = app.camera.panned(*event.rel)
    elif event.type == pygame.MOUSEMOTION and event.buttons[0]:
        app.orbit(-event.rel[0] * DRAG, event.rel[1] * DRAG)
    elif event.type == pygame.MOUSEWHEEL:
        app.zoom(ZOOM**event.y)
    elif event.type == pygame.WINDOWFOCUSLOST:
        app.held.clear()
        app.scrubbing, app.sliding, app.throw = False, None, None


def orbit_while_held(app, elapsed):
    """The arrows that are held down turn or move the camera for `elapsed` seconds."""
    for key in () if app.options.sliders else app.held & _ARROWS.keys():
        _orbit_or_pan(app, _ARROWS[key], DEGREES_PER_SECOND * elapsed)
