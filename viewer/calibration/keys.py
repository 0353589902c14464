"""The keys of the calibration window. The table GROUPS is also the help that H shows."""

from ballcast.viewer import bindings
from ballcast.viewer.bindings import Binding

STEP, LARGE_STEP = 0.25, 2.0  # px of the video, of an arrow; with Shift
ZOOM = 1.25  # of a key or a notch of the wheel


def _arrow(key, right, down):
    """The Bindings of an arrow: the first of them is in the help."""
    label, text = ("arrows", f"move the point by {STEP:g} px; Shift: {LARGE_STEP:g} px") if key == "left" else ("", "")
    return (
        Binding((key,), label, text, lambda app: app.nudge(right * STEP, down * STEP), True),
        Binding((f"shift+{key}",), "", "", lambda app: app.nudge(right * LARGE_STEP, down * LARGE_STEP), True),
    )


GROUPS = {
    "Points": (
        Binding((), "click, drag", "put the next point, or move one; Shift: slowly", None),
        *_arrow("left", -1, 0), *_arrow("right", 1, 0), *_arrow("up", 0, -1), *_arrow("down", 0, 1),
        Binding(("tab",), "Tab, Shift Tab", "another point: this one is not seen", lambda app: app.skip(1)),
        Binding(("shift+tab",), "", "", lambda app: app.skip(-1)),
        Binding(("delete", "backspace"), "Delete", "take the chosen point away", lambda app: app.remove()),
        Binding(("u", "ctrl+z"), "U  or Ctrl Z", "undo", lambda app: app.undo(), True),
        Binding(("y", "ctrl+y"), "Y  or Ctrl Y", "do it again", lambda app: app.redo(), True),
        Binding(("l",), "L", "let the painted lines correct the camera", lambda app: app.take_lines()),
    ),
    "The place": (
        Binding(("t",), "T", "turn the plan: seen from another side", lambda app: app.turn()),
        Binding(("1",), "1 2", "choose, where two cameras fit", lambda app: app.choose(0)),
        Binding(("2",), "", "", lambda app: app.choose(1)),
        Binding(("g",), "G", "hide or show the fitted lines", lambda app: app.toggle("place")),
    ),
    "The picture": (
        Binding((), "wheel, + -", "zoom where the mouse is", None),
        Binding(("+", "="), "", "", lambda app: app.zoom(ZOOM), True),
        Binding(("-", "_"), "", "", lambda app: app.zoom(1 / ZOOM), True),
        Binding((), "right drag", "move the picture", None),
        Binding(("c",), "C", "the whole picture", lambda app: app.view.reset()),
        Binding(("z",), "Z", "the loupe: 4, 6, 8 times, none", lambda app: app.next_loupe()),
    ),
    "The clip": (
        Binding((",",), ",  .", "one frame back or forward", lambda app: app.go(-1), True),
        Binding((".",), "", "", lambda app: app.go(1), True),
        Binding(("page up",), "Page Up, Down", "25 frames back or forward", lambda app: app.go(-25), True),
        Binding(("page down",), "", "", lambda app: app.go(25), True),
        Binding((), "the slider", "any frame", None),
        Binding(("k",), "K", "copy the points of the nearest frame", lambda app: app.copy()),
    ),
    "Window": (
        Binding(("s", "ctrl+s"), "S", "save the camera and the points", lambda app: app.save()),
        Binding(("h",), "H", "show or hide this help", lambda app: app.toggle("help")),
        Binding(("q", "escape"), "Q  or Esc", "close; asks if something is not saved", lambda app: app.leave()),
    ),
}  # fmt: skip
BINDINGS = tuple(binding for group in GROUPS.values() for binding in group)
HELP, BY_KEY = bindings.help_of(GROUPS), bindings.by_key(GROUPS)
