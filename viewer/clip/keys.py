"""What the keys do while a clip is shown. The table GROUPS is also the help that H shows."""

from typing import TYPE_CHECKING

import pygame

from ballcast.viewer import bindings
from ballcast.viewer.bindings import Binding

if TYPE_CHECKING:
    from ballcast.viewer.clip.app import ClipApp

JUMP, LONG_JUMP = 1.0, 10.0  # s


GROUPS = {
    "The clip": (
        Binding(("space",), "Space", "pause, resume; at the end: again", lambda app: app.player.pause()),
        Binding(("r", "home"), "R", "from the beginning", lambda app: app.player.begin_again()),
        Binding((",",), ",", "one frame back", lambda app: app.step(-1), True),
        Binding((".",), ".", "one frame forward", lambda app: app.step(1), True),
        Binding(("left",), "left, right", "one second back, forward", lambda app: app.jump(-JUMP), True),
        Binding(("right",), "", "", lambda app: app.jump(JUMP), True),
        Binding(("shift+left",), "Shift left, right", "ten seconds", lambda app: app.jump(-LONG_JUMP), True),
        Binding(("shift+right",), "", "", lambda app: app.jump(LONG_JUMP), True),
        Binding(("[", "page down"), "[  or Page Down", "slower", lambda app: app.change_speed(-1)),
        Binding(("]", "page up"), "]  or Page Up", "faster", lambda app: app.change_speed(1)),
        Binding((), "the timeline", "drag it to go to any moment", None),
    ),
    "Show": (
        Binding(("c",), "C", "the lines of the court", lambda app: app.toggle_court()),
        Binding(("k",), "K", "everything that may be the ball", lambda app: app.toggle("candidates")),
        Binding(("d",), "D", "the text in the corner", lambda app: app.toggle("panel")),
        Binding(("x",), "X", "the clip and 3D change places", lambda app: app.swap()),
        Binding(("i",), "I", "the small picture", lambda app: app.toggle("inset")),
    ),
    "3D, where the camera is known": (
        Binding((), "drag in it", "turn it; right drag: move it", None),
        Binding(("+", "="), "+ -, wheel", "zoom", lambda app: app.zoom(1.12), True),
        Binding(("-", "_"), "", "", lambda app: app.zoom(1 / 1.12), True),
    ),
    "Window": (
        Binding(("s",), "S", "save a screenshot", lambda app: app.save()),
        Binding(("v",), "V", "start or stop a film", lambda app: app.record()),
        Binding(("h",), "H", "show or hide this help", lambda app: app.toggle("help")),
        Binding(("q", "escape"), "Q  or Esc", "quit", lambda app: app.quit()),
    ),
}  # fmt: skip
BINDINGS = tuple(binding for group in GROUPS.values() for binding in group)
HELP, _BY_KEY = bindings.help_of(GROUPS), bindings.by_key(GROUPS)


def press(app: "ClipApp", event: pygame.event.Event) -> None:
    """Do what a key does; Esc closes the help first."""
    binding = _BY_KEY.get(bindings.name_of(event, _BY_KEY))
    if app.options.help and event.key == pygame.K_ESCAPE:
        app.toggle("help")
    elif binding is not None and binding.act is not None and (binding.repeats or event.key not in app.held):
        binding.act(app)
    app.held.add(event.key)
