"""What the keys do. The table GROUPS is also the help that H shows."""

from typing import TYPE_CHECKING

import pygame

from ballcast.viewer import bindings
from ballcast.viewer.bindings import Binding

if TYPE_CHECKING:
    from ballcast.viewer.window import App

DEGREES_PER_PRESS = 2.0
DEGREES_PER_SECOND = 80.0  # while held down
ZOOM = 1.12  # per press, per notch of the wheel
PAN = 5.0  # px in place of a degree

_ARROWS = {pygame.K_LEFT: (-1, 0), pygame.K_RIGHT: (1, 0), pygame.K_UP: (0, 1), pygame.K_DOWN: (0, -1)}


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
    return Binding((key,), label, text, lambda app: getattr(app.choices, method)(n - 1))


GROUPS = {  # as the help shows them, sorted by use
    "The ball": (
        Binding(("space",), "Space", "pause, resume", lambda app: app.pause()),
        Binding(("n",), "N", "the next ball", lambda app: app.session.next()),
        Binding(("r",), "R", "the same ball again", lambda app: app.session.restart()),
        Binding((), "drag the ball", "throw it; wheel, Shift wheel: spin", None),
        Binding(("p",), "P, Shift P", "kinds of throws: serve, lob ...", lambda app: app.choices.throw_kind(1)),
        Binding(("shift+p",), "", "", lambda app: app.choices.throw_kind(-1)),
        Binding(("tab",), "Tab, Shift Tab", "another sport", lambda app: app.choices.next_sport(1)),
        Binding(("shift+tab",), "", "", lambda app: app.choices.next_sport(-1)),
        Binding(("j",), "J", "play against the network", lambda app: app.toggle_game()),
        Binding(("m",), "M", "menu: sports, predictors, throws", lambda app: app.choices.toggle_menu()),
    ),
    "Time": (
        Binding(("[", "page down"), "[  or Page Down", "slower", lambda app: app.change_speed(-1)),
        Binding(("]", "page up"), "]  or Page Up", "faster", lambda app: app.change_speed(1)),
        Binding((",",), ",", "one frame back", lambda app: app.session.step_back(), repeats=True),
        Binding((".",), ".", "one frame forward", lambda app: app.session.step(), repeats=True),
        Binding((), "the timeline", "drag it to go to any moment", None),
    ),
    "Predictors": (
        *(_digit(n, "choose a predictor") for n in range(1, 10)),
        *(_digit(n, "add or remove one", "shift") for n in range(1, 10)),
        Binding(("o",), "O", "hide the ball from them", lambda app: app.toggle_hidden()),
        Binding(("x",), "X", "they see by a tracker, by one camera, by two", lambda app: app.choices.next_sight()),
    ),
    "Show": (
        Binding(("t",), "T", "where the ball will truly go", lambda app: app.toggle("truth")),
        Binding(("d",), "D", "all numbers of this ball", lambda app: app.toggle("numbers")),
        Binding(("e",), "E", "errors over time", lambda app: app.toggle("errors")),
        Binding(("b",), "B", "estimates of spin, drag, wind ...", lambda app: app.toggle("beliefs")),
        Binding(("y",), "Y", "which frames matter for the forecast", lambda app: app.toggle_attribution()),
        Binding(("g",), "G", "the gates of a GRU over time", lambda app: app.toggle("gates")),
    ),
    "Camera": (
        Binding(("left",), "arrows, drag", "turn the camera",
                lambda app: _arrow(app, pygame.K_LEFT, app.move_override, -1), True),
        Binding(("right",), "", "", lambda app: _arrow(app, pygame.K_RIGHT, app.move_override, 1), True),
        Binding(("up",), "", "", lambda app: _arrow(app, pygame.K_UP, app.select_override, -1), True),
        Binding(("down",), "", "", lambda app: _arrow(app, pygame.K_DOWN, app.select_override, 1), True),
        Binding((), "Shift, right drag", "move the camera", None),
        Binding(("+", "="), "+ -, wheel", "zoom", lambda app: app.zoom(ZOOM), repeats=True),
        Binding(("-", "_"), "", "", lambda app: app.zoom(1 / ZOOM), repeats=True),
        Binding(("c",), "C, F1 F2 F3", "usual view; side, end, above", lambda app: app.reset_camera()),
        Binding(("f1",), "", "", lambda app: app.view_from(90, 8)),
        Binding(("f2",), "", "", lambda app: app.view_from(0, 8)),
        Binding(("f3",), "", "", lambda app: app.view_from(0, 88)),
        Binding(("f", "f4"), "F", "the camera follows the ball", lambda app: app.toggle("follow")),
        Binding(("i",), "I", "a small picture from above", lambda app: app.toggle("inset")),
    ),
    "The ball's world": (
        Binding(("w",), "W", "sliders of gravity, air, wind ...", lambda app: app.toggle("sliders")),
        Binding((), "arrows", "select and move a slider", None),
        Binding(("backspace",), "Backspace", "as in the sport again", lambda app: app.reset_override()),
    ),
    "Window": (
        Binding(("s",), "S", "save a screenshot", lambda app: app.save()),
        Binding(("v",), "V", "start or stop a film", lambda app: app.record()),
        Binding(("h",), "H", "show or hide this help", lambda app: app.toggle("help")),
        Binding(("q", "escape"), "Q  or Esc", "quit", lambda app: app.quit()),
    ),
}  # fmt: skip
BINDINGS = tuple(binding for group in GROUPS.values() for binding in group)
QUIT = BINDINGS[-1].keys
HELP, _BY_KEY = bindings.help_of(GROUPS), bindings.by_key(GROUPS)
_MENU_KEYS = {
    pygame.K_LEFT: lambda app: app.choices.menu.move(-1, 0),
    pygame.K_RIGHT: lambda app: app.choices.menu.move(1, 0),
    pygame.K_UP: lambda app: app.choices.menu.move(0, -1),
    pygame.K_DOWN: lambda app: app.choices.menu.move(0, 1),
    pygame.K_RETURN: lambda app: app.choices.choose_entry(),
    pygame.K_KP_ENTER: lambda app: app.choices.choose_entry(),
    pygame.K_SPACE: lambda app: app.choices.choose_entry(),
    pygame.K_m: lambda app: app.choices.toggle_menu(),
    pygame.K_ESCAPE: lambda app: app.choices.toggle_menu(),
}


def name_of(event: pygame.event.Event) -> str | None:
    """The name that a KEYDOWN event has in BINDINGS; None for another event."""
    return bindings.name_of(event, _BY_KEY) if event.type == pygame.KEYDOWN else None


def handle(app: "App", event: pygame.event.Event) -> None:
    """Act on an event of pygame."""
    if event.type == pygame.QUIT:
        app.quit()
    elif event.type == pygame.KEYDOWN:
        _press(app, event)
    elif event.type == pygame.KEYUP:
        app.held.discard(event.key)
    elif event.type == pygame.WINDOWFOCUSLOST:
        app.held.clear()
        app.mouse.let_go()
    else:
        app.mouse.handle(event)


def _press(app, event):
    """A key goes to the open menu; Esc closes the help; else the key does what BINDINGS says."""
    if app.choices.menu is not None:
        if event.key in _MENU_KEYS and (event.key in _ARROWS or event.key not in app.held):
            _MENU_KEYS[event.key](app)
        app.held.add(event.key)
        return
    binding = _BY_KEY.get(name_of(event))
    if app.options.help and event.key == pygame.K_ESCAPE:
        app.toggle("help")
    elif binding and (binding.repeats or event.key not in app.held):
        binding.act(app)
    app.held.add(event.key)


def orbit_while_held(app: "App", elapsed: float) -> None:
    """The arrows that are held down turn or move the camera for `elapsed` seconds."""
    for key in () if app.options.sliders or app.choices.menu else app.held & _ARROWS.keys():
        _orbit_or_pan(app, _ARROWS[key], DEGREES_PER_SECOND * elapsed)
