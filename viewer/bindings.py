"""A key and what it does, as a row of a window's table of keys, which is also its help."""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import NamedTuple

import pygame


class Binding(NamedTuple):
    """Keys that do one thing. A key is named by the character it types, else by pygame's name of it, in small letters;
    "shift+" or "ctrl+" before the name asks for these, too."""

    keys: tuple[str, ...]
    label: str  # the name of the keys in the help
    help: str
    act: Callable | None  # takes the window
    repeats: bool = False  # while held down


def by_key(groups: Mapping[str, Iterable[Binding]]) -> dict[str, Binding]:
    """The Binding of each key."""
    return {key: binding for group in groups.values() for binding in group for key in binding.keys}


def help_of(groups: Mapping[str, Iterable[Binding]]) -> dict[str, tuple[tuple[str, str], ...]]:
    """What the help says: title -> (label, help) of each row."""
    return {title: tuple((b.label, b.help) for b in group if b.label) for title, group in groups.items()}


def name_of(event: pygame.event.Event, known: Collection[str]) -> str:
    """The name of the key of a KEYDOWN event: of those that it may have, the one that is known."""
    name, mods = pygame.key.name(event.key), getattr(event, "mod", 0)
    for pressed, prefix in ((pygame.KMOD_CTRL, "ctrl+"), (pygame.KMOD_SHIFT, "shift+")):
        if mods & pressed and prefix + name in known:
            return prefix + name
    typed = getattr(event, "unicode", "").lower()
    return typed if typed in known else name
