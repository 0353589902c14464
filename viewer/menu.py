"""What the menu lists: sports, predictors, ways to play, what predictors see, and sources.

More sections or sources are more entries: `sections` is all that the panel and the keys know.
"""

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from ballcast import sim
from ballcast.render.palette import predictor_color

if TYPE_CHECKING:
    from ballcast.viewer.window import App


SIGHTS = {  # of sight.SEEN_BY -> its name and a line about it
    "tracker": ("a 3D tracker", "positions in space"),
    "camera": ("one camera", "the pixels of one camera, which does not see depth"),
    "cameras": ("two cameras", "the pixels of two cameras, at different times"),
}


class Entry(NamedTuple):
    """One line; `act` takes the App, and whether Shift is held. None: it cannot be chosen, and the note says why."""

    label: str
    note: str
    act: Callable | None
    is_chosen: bool = False
    color: tuple | None = None
    key: str | None = None  # the key that does the same; None in a section without keys


class Section(NamedTuple):
    title: str
    entries: list
    width: float  # share of the panel


class Menu:
    """The open menu: its sections, and which entry is selected."""

    def __init__(self, sections):
        self.sections, self.column, self.row = sections, 0, 0
        self.row = next((row for row, entry in enumerate(sections[0].entries) if entry.is_chosen), 0)

    @property
    def entry(self) -> "Entry":
        """The selected Entry."""
        return self.sections[self.column].entries[self.row]

    def move(self, across: int, down: int) -> None:
        """Select another entry: round the column, or in the next column."""
        self.column = (self.column + across) % len(self.sections)
        count = len(self.sections[self.column].entries)
        self.row = (self.row + down) % count if down else min(self.row, count - 1)

    def refresh(self, sections: "list[Section]") -> None:
        """The same place, in sections that may have changed."""
        self.sections = sections
        self.move(0, 0)


def sections(app: "App") -> list[Section]:
    """The sections for what an App shows now."""
    return [
        Section("Sport", _sports(app), 1.5),
        Section("Predictor", _predictors(app), 3.0),
        Section("Play", [*_throws(app), _GAME], 1.9),
        Section("Seen by", _sights(app), 1.5),
        Section("Source", _sources(app), 2.0),
    ]


def _play_game(app, shift):
    app.toggle_game()


_GAME = Entry("beat the network", "a game: a ball stops, and you click where it will land; J begins it too", _play_game)


def _sports(app):
    current, own, names = app.session.sport.name, app.choices.own_sport.name, sim.names()
    names = names if own in names else [*names, own]
    return [
        Entry(plain(name), f"{plain(name)}: opens on a rally of this sport; Tab goes to the next sport",
              functools.partial(_change_sport, name), name == current)
        for name in names
    ]  # fmt: skip


def _predictors(app):
    session, entries = app.session, []
    for number, name in enumerate(session.pool.names):
        title, summary = session.pool.describe(number)
        missing = session.pool.missing(number)
        entries.append(Entry(
            title, missing or f"{name}: {summary}", None if missing else functools.partial(_choose, number),
            number in session.selected, predictor_color(number), str(number + 1) if number < 9 else "",
        ))  # fmt: skip
    return entries


def _throws(app):
    source = app.session.source
    if not source.live:
        return [Entry("none", "a recording is not thrown", None)]
    note = "" if source.ready else "the simulator is still being compiled"
    return [
        Entry(name, note or f"{name}, until another kind is chosen; P goes to the next kind",
              None if note else functools.partial(_throw, kind), kind == source.throw_kind)
        for kind, name in source.throw_kinds.items()
    ]  # fmt: skip


def _sources(app):
    return [
        Entry(choice.label, choice.note, functools.partial(_change_source, number), number == app.choices.number)
        for number, choice in enumerate(app.choices.sources)
    ]


def _sights(app):
    """By what predictors see the ball."""
    source = app.session.source
    if not source.live:
        return [Entry(app.session.seen_by, "a recording has only what was measured", None)]
    problem = "" if source.ready else "the simulator is still being compiled"
    return [
        Entry(label, problem or f"what the predictors see: {note}; X goes to the next",
              None if problem else functools.partial(_see_by, name), name == source.seen_by)
        for name, (label, note) in SIGHTS.items()
    ]  # fmt: skip


def _see_by(name, app, shift):
    app.choices.set_sight(name)


def _change_sport(name, app, shift):
    app.choices.change_sport(name)


def _choose(number, app, shift):
    (app.choices.toggle_predictor if shift else app.choices.select_predictor)(number)


def _throw(kind, app, shift):
    app.choices.set_throw_kind(kind)


def _change_source(number, app, shift):
    app.choices.change_source(number)


def plain(name: str) -> str:
    """A sport's name as it is written."""
    return name.replace("_", " ").capitalize()
