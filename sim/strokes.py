"""How play goes on: the strokes of a sport and the zones that decide about them, read from its TOML.

A [[zone]] is a part of a surface that a ball may land on, or a window: a rectangle in the air that a ball may pass.
A [[stroke]] is a launch by a player, the zones that it has to reach in their order, and which strokes it may follow.
All is written for a player who stands at negative y; a first stroke with `mirror` is played from the other end too.
"""

import math
from dataclasses import dataclass

from ballcast.sim.launch import Launch, read_launch
from ballcast.sim.toml_fields import SportError, finite, numbers, reject_unknown_keys

AXES = ("x", "y", "z")
STROKE_KEYS = ("name", "role", "after", "weight", "zones", "miss", "fault", "meet", "position", "velocity", "spin",
               "mirror", "holds")  # fmt: skip
HELD = {"velocity": {"form": "components"} | dict.fromkeys(AXES, 0.0),
        "spin": {"form": "components"} | dict.fromkeys(AXES, 0.0)}  # fmt: skip
MEET_KEYS = ("axis", "at", "towards", "low", "high", "bounces", "before", "side")
SIDES = ("same", "other")


@dataclass(frozen=True)
class Zone:
    """Part of a surface, or a window in the air: a rectangle that is flat in one axis."""

    name: str
    surface: str  # "" for a window
    low: tuple  # (3,) m
    high: tuple  # (3,) m
    axis: int = -1  # in which a window is flat
    towards: float = 0.0  # +-1: passing the window's plane in this direction beside it is a fault; 0: it is none
    quiet: bool = False  # nothing is called when a stroke reaches it


@dataclass(frozen=True)
class Meet:
    """Where a player meets the ball: where it crosses the plane axis = at, inside a box."""

    axis: int  # `at` is the stroke's launch position in this axis, a distribution
    low: tuple  # (3,) m
    high: tuple  # (3,) m
    bounces: tuple  # (2,) how often the ball lands between its last zone and the meeting: minimum, maximum
    before: bool  # met before it reaches its last zone
    towards: float  # +-1: crosses the plane in this direction; 0: in either
    other_side: bool  # the player stands at the other end from the one who hit it


@dataclass(frozen=True)
class Stroke:
    """One kind of stroke."""

    name: str
    role: str
    after: tuple  # roles of the strokes that it may follow; () for one that begins play
    zones: tuple  # names of zones that the ball must reach, in this order
    miss: float  # probability that it is missed on purpose
    fault: str  # what is called when it misses
    meet: Meet | None  # None for a stroke that begins play
    launch: Launch  # a stroke that follows another starts where the ball is met, whatever its position
    holds: bool = False  # the player catches the ball and keeps it: play is over

    @property
    def weight(self) -> float:
        """How often it is chosen among the strokes that may follow, relative to the others."""
        return self.launch.weight


def read_zone(table: object, surfaces: tuple, where: str) -> Zone:
    """The Zone of one [[zone]] table; SportError says what is wrong with it."""
    _require_table(table, ("name",), where)
    assert isinstance(table, dict)
    reject_unknown_keys(table, ("name", "surface", "low", "high", "towards", "quiet"), where)
    quiet = bool(table.get("quiet", False))
    if "surface" in table:
        return _surface_zone(table, quiet, [s.name for s in surfaces], where)
    low, high = _box(table, where)
    flat = [k for k in range(3) if low[k] == high[k]]
    if len(flat) != 1:
        raise SportError(f"{where}: a window from low {low} to high {high} must be flat in one axis; or name a surface")
    return Zone(table["name"], "", low, high, flat[0], _direction(table, where), quiet)


def _surface_zone(table, quiet, names, where):
    """The Zone on one of the surfaces of these names: a part of it, or all of it without low and high."""
    if table["surface"] not in names:
        raise SportError(f"{where}.surface {table['surface']!r} is none of this sport; it has {', '.join(names)}")
    if "towards" in table:
        raise SportError(f"{where}.towards is for a window, which has no surface; leave one of them out")
    has_box = "low" in table or "high" in table
    low, high = _box(table, where) if has_box else ((-math.inf,) * 3, (math.inf,) * 3)
    return Zone(table["name"], table["surface"], low, high, quiet=quiet)


def read_stroke(table: object, zones: tuple, where: str) -> Stroke:
    """The Stroke of one [[stroke]] table; SportError says what is wrong with it."""
    _require_table(table, ("name", "role"), where)
    assert isinstance(table, dict)
    reject_unknown_keys(table, STROKE_KEYS, where)
    if table.get("holds", False):
        return _read_catch(table, where)
    _require_table(table, ("zones",), where)
    after, reach = (_names(table.get(key, []), f"{where}.{key}") for key in ("after", "zones"))
    known = [z.name for z in zones]
    if not reach or any(name not in known for name in reach):
        raise SportError(f"{where}.zones = {list(reach)} must name zones of this sport: {', '.join(known) or 'none'}")
    if bool(after) != ("meet" in table):
        raise SportError(f"{where}: a stroke that comes after another needs `after` and `meet`; the first has neither")
    miss = finite(table.get("miss", 0.0), f"{where}.miss")
    if not 0 <= miss <= 1:
        raise SportError(f"{where}.miss = {miss:g} must be between 0 and 1")
    meet, launch = _meet_and_launch(table, where)
    return Stroke(table["name"], table["role"], after, reach, miss, table.get("fault", "out"), meet, launch)


def _read_catch(table, where):
    """The Stroke of a player who holds the ball: it has neither zones nor a launch of its own."""
    _require_table(table, ("after", "meet"), where)
    if extra := [key for key in ("zones", "miss", "fault", "velocity", "spin", "position", "mirror") if key in table]:
        raise SportError(f"{where}.{extra[0]}: whoever holds the ball does not play it; leave it out")
    after = _names(table["after"], f"{where}.after")
    return Stroke(table["name"], table["role"], after, (), 0.0, "", *_meet_and_launch(table | HELD, where), holds=True)


def _meet_and_launch(table, where):
    """The Meet (None for a stroke that begins play) and the Launch of a [[stroke]] table."""
    launch = {k: table[k] for k in ("weight", "position", "velocity", "spin", "mirror") if k in table}
    if "meet" not in table:
        return None, read_launch(launch, where)
    if "position" in table:
        raise SportError(f"{where}.position: a stroke after another starts where the ball is met; leave it out")
    meet = _read_meet(table["meet"], f"{where}.meet")
    launch["position"] = dict.fromkeys(AXES, 0.0) | {AXES[meet.axis]: table["meet"]["at"]}
    return meet, read_launch(launch, where)


def check_play(strokes: tuple, where: str) -> None:
    """Refuse strokes that can never be played: SportError, one line."""
    if strokes and all(s.after for s in strokes):
        raise SportError(f"{where}: no stroke begins play; leave `after` and `meet` out of one of them")
    roles = {s.role for s in strokes}
    for stroke in strokes:
        if lost := [role for role in stroke.after if role not in roles]:
            raise SportError(f"{where}: stroke {stroke.name!r} comes after {lost[0]!r}, the role of no stroke; "
                             f"there are {', '.join(sorted(roles))}")  # fmt: skip


def _read_meet(table, where):
    _require_table(table, ("axis", "at", "low", "high"), where)
    reject_unknown_keys(table, MEET_KEYS, where)
    if table["axis"] not in AXES:
        raise SportError(f"{where}.axis {table['axis']!r} must be x, y or z")
    low, high = _box(table, where)
    bounces = numbers(table.get("bounces", (0, 0)), 2, f"{where}.bounces")
    if not 0 <= bounces[0] <= bounces[1]:
        raise SportError(f"{where}.bounces = {list(bounces)} must rise from at least 0")
    side = table.get("side", "same")
    if side not in SIDES:
        raise SportError(f"{where}.side = {side!r} must be one of {', '.join(SIDES)}")
    before, towards = bool(table.get("before", False)), _direction(table, where)
    return Meet(AXES.index(table["axis"]), low, high, bounces, before, towards, side == "other")


def _direction(table, where):
    towards = table.get("towards", 0)
    if towards not in (-1, 0, 1):
        raise SportError(f"{where}.towards = {towards!r} must be -1, 0 or 1")
    return float(towards)


def _box(table, where):
    for key in ("low", "high"):
        if key not in table:
            raise SportError(f"{where}.{key} is missing; a box needs low and high, three numbers each")
    low, high = numbers(table["low"], 3, f"{where}.low"), numbers(table["high"], 3, f"{where}.high")
    if any(a > b for a, b in zip(low, high, strict=True)):
        raise SportError(f"{where}: low {low} is above high {high}")
    return low, high


def _names(value, where):
    if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
        raise SportError(f"{where} = {value!r} must be a list of names")
    return tuple(value)


def _require_table(table, keys, where):
    if not isinstance(table, dict):
        raise SportError(f"{where} must be a table, not {table!r}")
    for key in keys:
        if key not in table:
            raise SportError(f"{where}.{key} is missing; it needs {', '.join(keys)}")
    for key in ("name", "role", "fault", "surface"):
        if key in table and not isinstance(table[key], str):
            raise SportError(f"{where}.{key} = {table[key]!r} must be a text")
