"""What can be chosen: predictors, throws, sports and sources; and the menu that lists them."""

import dataclasses

import pygame

from ballcast import sim
from ballcast.viewer import introduction
from ballcast.viewer.menu import Menu, plain, sections
from ballcast.viewer.playback import sight
from ballcast.viewer.playback.first_flight import first_flight
from ballcast.viewer.playback.session import Session
from ballcast.viewer.playback.source import LiveSource, SourceChoice, sample_source

NOT_SEEN = "a recording has only what its tracker or its cameras measured"
NOT_THROWN, COMPILING = "a recording is not thrown", "the simulator is still being compiled"
SIMULATED = "live play of the simulator: rallies, or the throws of the sport"
SAMPLE = "a rally of table tennis as a tracker records it; simulated, in tracks/samples/rally.csv"


class Choices:
    """The choices of an App. `menu` is the open Menu, or None; `number` that of the source that is shown.

    seed     of live balls; None: the seed of each sport's introduction
    sources  SourceChoices besides live play
    """

    def __init__(self, app, source, seed, sources):
        self.app, self.seed, self.own_sport = app, seed, source.sport  # which may be no sport of ours
        sample = SourceChoice("sample recording", SAMPLE, lambda sport: sample_source())
        self.sources = [SourceChoice("simulated balls", SIMULATED, self._live_source), *sources, sample]
        self.number = 0 if source.live else 1
        self.menu = None

    def throw_kind(self, step: int) -> None:
        """Throw the next kind, or the one before; a message says why it cannot be."""
        if self.app.is_simulated(NOT_THROWN):
            kinds = list(self.app.session.source.throw_kinds)
            self.set_throw_kind(kinds[(kinds.index(self.app.session.source.throw_kind) + step) % len(kinds)])

    def set_throw_kind(self, kind: int | None) -> None:
        """Throw balls of one of source.throw_kinds from now on; a message names it."""
        if self.app.is_simulated(NOT_THROWN):
            self.app.session.set_throw_kind(kind)
            self.app.show_message(f"Throws: {self.app.session.source.throw_kinds[kind]}")

    def next_sight(self) -> None:
        """Predictors see the ball by the next of sight.SEEN_BY; a message says so, or why it cannot be."""
        if self.app.is_simulated(NOT_SEEN):
            names = sight.SEEN_BY
            self.set_sight(names[(names.index(self.app.session.source.seen_by) + 1) % len(names)])

    def set_sight(self, name: str) -> None:
        """Predictors see the ball by one of sight.SEEN_BY; a message says so, and which of them cannot."""
        session = self.app.session
        session.set_seen_by(name)
        problems = [forecaster.problem for forecaster in session.forecasters if forecaster.problem]
        self.app.show_message("; ".join([f"Seen by {session.seen_by}", *problems[:1]]))

    def select_predictor(self, number: int) -> None:
        """Only this predictor forecasts; a message names it, or says why it cannot."""
        if self._is_loadable(number):
            self.app.session.select_predictor(number)
            self.app.show_message(f"Predictor: {self.app.session.pool.describe(number).title}")

    def toggle_predictor(self, number: int) -> None:
        """Add a predictor, or remove it; a message says which, or why it cannot be."""
        if self._is_loadable(number):
            before = self.app.session.selected
            self.app.session.toggle_predictor(number)
            word = "added" if number in self.app.session.selected else "removed"
            title = self.app.session.pool.describe(number).title
            alone = self.app.session.selected == before  # one always stays
            self.app.show_message(f"Predictor: {title} alone" if alone else f"Predictor {word}: {title}")

    def _is_loadable(self, number):
        pool = self.app.session.pool
        problem = pool.missing(number) if number < len(pool.names) else "there are no more predictors"
        if problem:
            self.app.show_message(problem)
        return not problem

    def next_sport(self, step: int) -> None:
        """The next sport, or the one before; after a sport of one's own, the first."""
        names, name = sim.names(), self.app.session.sport.name
        self.change_sport(names[(names.index(name) + step) % len(names)] if name in names else names[0])

    def change_sport(self, name: str) -> None:
        """Play live balls of the sport of that name."""
        if name != self.app.session.sport.name:
            own = self.own_sport if name == self.own_sport.name else None
            self._show(self._live_source(own or sim.load(name)), 0)

    def change_source(self, number: int) -> None:
        """Play balls of the source of that number."""
        if number != self.number:
            self._show(self.sources[number].make(self.app.session.sport), number)

    def _live_source(self, sport):
        seed = introduction.opening(sport).seed if self.seed is None else self.seed
        source = LiveSource(sport, seed, rallies=True)
        source.seen_by = getattr(self.app.session.source, "seen_by", sight.TRACKER)
        if self.app.warm_start and not self.app.warm_start.simulator_ready:
            source.ready, source.stand_in = False, first_flight(sport)
        return source

    def _show(self, source, number):
        """Play another source from its first ball, with the predictors that its sport has."""
        if not (source.ready or source.stand_in):
            return self.app.show_message(COMPILING)
        pool = self.app.session.pool.for_sport(source.sport)
        shown = [n for n in self.app.session.selected if not pool.missing(n)]
        shown = shown or [next(n for n in range(len(pool.names)) if not pool.missing(n))]
        self.number = number
        self.app.begin(Session(source, pool, shown=shown, clock=self.app.session.clock))
        if self.app.warm_start:
            self.app.warm_start.follow(pool, source)
        self.app.show_message(f"{plain(source.sport.name)}, {self.sources[number].label}")

    def toggle_menu(self) -> None:
        """Open the menu, or close it."""
        self.menu = None if self.menu else Menu(sections(self.app))
        self.app.options = dataclasses.replace(self.app.options, help=False)

    def choose_entry(self) -> None:
        """Do what the selected entry of the menu says. The menu stays open, except after a change of the show."""
        entry, before = self.menu.entry, (self.app.session, self.app.session.index)
        if entry.act is None:
            return self.app.show_message(entry.note)
        entry.act(self.app, bool(pygame.key.get_mods() & pygame.KMOD_SHIFT))
        self.menu = self.menu if before == (self.app.session, self.app.session.index) else None
        if self.menu:
            self.menu.refresh(sections(self.app))
