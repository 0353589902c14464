"""A sport: a ball, its air, the surfaces it can hit, how it is launched, measured and drawn. Read from sports/*.toml.

    sport = sim.load("table_tennis")        # a name, or a path to your own .toml
    sport.replace(density=1.2)              # the same sport in other air

A mistake is refused when the file is read: SportError, one line with what, where and how to mend it.
The keys of a file are the fields of the classes below; sports/table_tennis.toml has a comment for each.
"""

import dataclasses
import math
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ballcast.sim import atmosphere as air
from ballcast.sim.kernels.aerodynamics import DRAG_FORMS, LIFT_FORMS
from ballcast.sim.launch import read_launch
from ballcast.sim.strokes import check_play, read_stroke, read_zone
from ballcast.sim.toml_fields import SportError, from_table, number_field, numbers, reject_unknown_keys, vector_field

if TYPE_CHECKING:
    from ballcast.sim.view import CameraView

FOLDER = Path(__file__).parent / "sports"
SPIN_DECAY_FORMS = {"none": (), "scaling": (), "path": ("rate",)}
SURFACE_KINDS = {"plane": ("axis", "at"), "rectangle": ("low", "high"), "bar": ("low", "high", "rod"),
                 "ring": ("centre", "radius", "rod")}  # fmt: skip


@dataclass(frozen=True)
class Ball:
    mass: float = number_field(above=0)  # kg
    radius: float = number_field(above=0)  # m
    inertia: float = number_field(above=0, high=2 / 3 + 1e-3)  # moment of inertia over m R^2: solid 2/5, thin shell 2/3


@dataclass(frozen=True)
class Environment:
    gravity: float = number_field(9.81, low=0)  # m/s2
    temperature: float = number_field(20.0, low=-60, high=60)  # C
    altitude: float = number_field(0.0, low=-500, high=9000)  # m
    humidity: float = number_field(0.5, low=0, high=1)
    density: float | None = number_field(None, low=0)  # kg/m3, in place of the three above
    viscosity: float | None = number_field(None, above=0)  # m2/s, kinematic

    @property
    def rho(self) -> float:
        """Density of the air, kg/m3."""
        return self.density if self.density is not None else air.density(self.temperature, self.altitude, self.humidity)

    @property
    def nu(self) -> float:
        """Kinematic viscosity of the air, m2/s."""
        return self.viscosity if self.viscosity is not None else air.VISCOSITY / max(self.rho, 1e-9)


@dataclass(frozen=True)
class Law:
    """A named form and its numbers, in the order of the form's keys."""

    form: str
    values: tuple = ()


@dataclass(frozen=True)
class Restitution:
    """e(vn) = clip(e + slope (vn - at) + curve (vn - at)^2, min, max), vn the speed of approach in m/s."""

    e: float = number_field(low=0, high=1)
    at: float = number_field(0.0, low=0)
    slope: float = number_field(0.0)
    curve: float = number_field(0.0)
    min: float = number_field(0.0, low=0, high=1)
    max: float = number_field(1.0, low=0, high=1)


@dataclass(frozen=True)
class Surface:
    """All that lies within `rod` of an axis-parallel box (flat in one or more axes), or of a circle."""

    name: str
    kind: str  # plane, rectangle, bar, ring
    low: tuple  # (3,) m; -inf where a plane has no end; a ring's centre
    high: tuple  # (3,) m
    radius: float  # m, of a ring's circle
    rod: float  # m
    restitution: Restitution
    friction: float
    tangential_restitution: float = 0.0  # e_x: 0 grips, up to 1 reverses the speed of the contact point
    rolling_resistance: float = 0.02  # deceleration of rolling over gravity
    landing: bool = False
    optional: bool = False  # play goes on without it too: networks learn both
    color: tuple = (128, 128, 128)
    give: float = 0.0  # s/m: the surface turns against a ball by this x its speed x its angle of incidence, like turf

    @property
    def supports(self) -> bool:
        """Whether a ball can rest on it."""
        return self.kind in ("plane", "rectangle") and self.low[2] == self.high[2]


@dataclass(frozen=True)
class DropoutBurst:
    share: float = number_field(low=0, high=1)  # of the tracks miss their frames in runs
    run: tuple = vector_field(2)  # frames, shortest and longest


@dataclass(frozen=True)
class Outlier:
    share: float = number_field(low=0, high=1)  # of the tracks have outliers
    rate: tuple = vector_field(2)  # of their frames
    size: tuple = vector_field(2)  # m


@dataclass(frozen=True)
class Drift:
    """An error of a tracker that lasts for some frames."""

    share: float = number_field(0.0, low=0, high=1)  # of the tracks
    ratio: tuple = vector_field(2, default=(1.0, 1.0))  # of its standard deviation over that of the noise
    time: tuple = vector_field(2, default=(0.1, 0.1))  # s, after which e^-1 of it is left
    turns: float = number_field(0.0, low=0, high=1)  # of these tracks: cameras take turns, each has its own


@dataclass(frozen=True)
class TrackerFrame:
    """How the trackers' frames of reference lie in the sport's."""

    height: float = number_field(0.0, low=0)  # m: half of them are nearer (Cauchy's law)
    tilt: float = number_field(0.0, low=0, high=5)  # degrees, standard deviation about x and about y
    offset: tuple = vector_field(3, default=(0.0, 0.0, 0.0))  # what is known: m too high, degrees about x and about y


@dataclass(frozen=True, kw_only=True)
class Sensor:
    rate: float = number_field(above=0)  # Hz
    train_rate: tuple = vector_field(2)  # Hz
    duration: float = number_field(above=0)  # s, of a drawn track
    noise: tuple = vector_field(2)  # m, standard deviation of each axis: the ends of a range, even in logarithms
    jitter: tuple = vector_field(2)  # s, range of the standard deviation of the time stamps
    miss: tuple  # rates of missed frames, one drawn per track
    burst: DropoutBurst
    outlier: Outlier
    drift: Drift = Drift()
    frame: TrackerFrame = TrackerFrame()

    @property
    def usual_noise(self) -> float:
        """The standard deviation of an axis of a typical tracker, m: the middle of the range of logarithms."""
        low, high = self.noise
        return math.sqrt(max(low, 1e-3 * high) * high)


@dataclass(frozen=True)
class ParameterSpread:
    """How balls of one place differ from each other, and, in `places`, how places do: tables, halls, days."""

    drag: float = number_field(0.0, low=0, high=1)
    lift: float = number_field(0.0, low=0, high=1)
    restitution: float = number_field(0.0, low=0, high=1)
    friction: float = number_field(0.0, low=0, high=1)
    wind: tuple = vector_field(2, default=(0.0, 0.0))  # m/s
    places: "ParameterSpread | None" = None

    @property
    def own(self) -> tuple[float, ...]:
        """The standard deviations (6,) between balls of one place, in the order of sim.PARAMETERS."""
        return self.drag, self.lift, self.restitution, self.friction, *self.wind

    @property
    def between(self) -> tuple[float, ...]:
        """The standard deviations (6,) between places."""
        return self.places.own if self.places else (0.0,) * 6

    @property
    def total(self) -> tuple[float, ...]:
        """The standard deviations (6,) of a ball about which nothing is known."""
        return tuple(math.hypot(a, b) for a, b in zip(self.own, self.between))


@dataclass(frozen=True)
class Sport:
    """A ball, its air, the surfaces it can hit, how it is launched, measured and drawn: what a file says of it."""

    name: str
    version: int
    ball: Ball
    world: Environment
    drag: Law
    lift: Law
    spin_decay: Law
    surfaces: tuple  # of Surface
    launches: tuple  # of Launch
    sensor: Sensor
    spread: ParameterSpread
    view: "CameraView"
    origin: str = ""
    throws: tuple = ()  # of (name, Launch): for the viewer; sim.draw does not use them
    zones: tuple = ()  # of Zone: what decides about a stroke
    strokes: tuple = ()  # of Stroke: what sim.rally plays
    identified: tuple[str, ...] = ()  # names of the tracks that its numbers were fitted to: these score nothing

    def replace(self, **changes: Any) -> "Sport":
        """The sport with other numbers: fields of Sport, Ball or Environment by their names."""
        for part in ("ball", "world"):
            part_changes = {k: changes.pop(k) for k in list(changes) if k in vars(getattr(self, part))}
            if part_changes:
                changes[part] = dataclasses.replace(getattr(self, part), **part_changes)
        return dataclasses.replace(self, **changes)

    def without(self, *names: str) -> "Sport":
        """The sport without the surfaces of these names; SportError says which it has."""
        has = [s.name for s in self.surfaces]
        if unknown := [n for n in names if n not in has]:
            raise SportError(f"{self.name} has no surface called {unknown[0]!r} to go without; it has {', '.join(has)}")
        return dataclasses.replace(self, surfaces=tuple(s for s in self.surfaces if s.name not in names))

    def levelled(self) -> "Sport":
        """The sport measured by trackers whose frames lie in its own, as far as is known of them."""
        frame = dataclasses.replace(self.sensor.frame, offset=(0.0, 0.0, 0.0))
        return dataclasses.replace(self, sensor=dataclasses.replace(self.sensor, frame=frame))

    @property
    def aerodynamic_constant(self) -> float:
        """K = rho pi R^2 / (2 m), 1/m: drag deceleration is K Cd u^2."""
        return self.world.rho * math.pi * self.ball.radius**2 / (2.0 * self.ball.mass)

    @property
    def spin_decay_rate(self) -> float:
        """Rate of spin decay along the path through the air, 1/m: d|w|/dt = -decay |u| |w|.

        scaling: tau = inertia m / (0.0315 rho R^2 v), a golf measurement (Smits & Smith 1994, Nathan 2008) scaled.
        """
        if self.spin_decay.form == "scaling":
            return 0.0315 * self.world.rho * self.ball.radius**2 / (self.ball.inertia * self.ball.mass)
        return self.spin_decay.values[0] if self.spin_decay.values else 0.0

    @property
    def landing_surfaces(self) -> list[int]:
        """Indices of the surfaces on which a contact is a landing."""
        return [i for i, s in enumerate(self.surfaces) if s.landing]

    @property
    def ground(self) -> float | None:
        """Height of the lowest surface on which a ball can rest, m; None if there is none."""
        return min((float(s.high[2]) for s in self.surfaces if s.supports), default=None)


def names() -> list[str]:
    """The sports that ship, sorted."""
    return sorted(p.stem for p in FOLDER.glob("*.toml"))


def load(name: str | Path) -> Sport:
    """The Sport of a shipped name, of a .toml file, or of a random sport's name, such as random-test-0-3; SportError
    says what is wrong with it."""
    if str(name).startswith("random-"):
        from ballcast.sim.random_sports import random_sport_named

        return random_sport_named(str(name))
    return parse(*read_toml(name))


def read_toml(name: str | Path) -> tuple[str, str]:
    """The TOML of a shipped name or of a .toml file, and its path."""
    path = FOLDER / f"{name}.toml"
    if str(name) not in names():
        path = Path(name)
        if path.suffix != ".toml":
            raise SportError(f"no sport is called {str(name)!r}; there are {', '.join(names())}, or name a .toml file")
    try:
        return path.read_text(encoding="utf-8"), str(path)
    except OSError as error:
        raise SportError(f"{path}: {error.strerror}; name a sport ({', '.join(names())}) or a .toml file") from None
    except UnicodeDecodeError as error:
        raise SportError(f"{path}: not TOML: {error}") from None


def parse(text: str, where: str) -> Sport:
    """The Sport of a TOML text; `where` names it in messages."""
    from ballcast.sim.view import read_view  # here, so that an edit of it compiles nothing

    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SportError(f"{where}: not TOML: {error}") from None
    known = ("name", "version", "origin", "ball", "world", "drag", "lift", "spin_decay", "surface", "launch",
             "throw", "zone", "stroke", "sensor", "spread", "view", "identified")  # fmt: skip
    reject_unknown_keys(table, known, where)
    for key in ("name", "version", "ball", "drag", "lift", "surface", "launch", "sensor", "view"):
        if key not in table:
            raise SportError(f"{where}: {key} is missing; every sport needs it, see sports/table_tennis.toml")
    drag, lift = (
        _law(table[key], forms, f"{where}: {key}") for key, forms in (("drag", DRAG_FORMS), ("lift", LIFT_FORMS))
    )
    _check_crisis(drag, lift, where)
    surfaces = tuple(_surface(t, f"{where}: surface {i + 1}") for i, t in enumerate(table["surface"]))
    zones = tuple(read_zone(t, surfaces, f"{where}: zone {i + 1}") for i, t in enumerate(table.get("zone", ())))
    strokes = tuple(read_stroke(t, zones, f"{where}: stroke {i + 1}") for i, t in enumerate(table.get("stroke", ())))
    check_play(strokes, where)
    return Sport(
        name=table["name"],
        version=table["version"],
        origin=table.get("origin", ""),
        ball=from_table(Ball, table["ball"], f"{where}: ball"),
        world=from_table(Environment, table.get("world", {}), f"{where}: world"),
        drag=drag,
        lift=lift,
        spin_decay=_law(table.get("spin_decay", {"form": "none"}), SPIN_DECAY_FORMS, f"{where}: spin_decay"),
        surfaces=surfaces,
        launches=tuple(read_launch(t, f"{where}: launch {i + 1}") for i, t in enumerate(table["launch"])),
        sensor=_sensor(table["sensor"], f"{where}: sensor"),
        spread=_spread(table.get("spread", {}), f"{where}: spread"),
        view=read_view(table["view"], surfaces, f"{where}: view"),
        throws=tuple(_throw(t, f"{where}: throw {i + 1}") for i, t in enumerate(table.get("throw", ()))),
        zones=zones,
        strokes=strokes,
        identified=_identified(table.get("identified", {}), f"{where}: identified"),
    )


def _identified(table, where):
    """The names of the tracks that a file's numbers were fitted to; models/identify.py writes the table."""
    reject_unknown_keys(table, ("command", "tracks"), where)
    tracks = table.get("tracks", [])
    if not isinstance(tracks, list) or not all(isinstance(name, str) for name in tracks):
        raise SportError(f"{where}.tracks must be a list of names")
    return tuple(tracks)


def _throw(table, where):
    """(name, Launch) of a [[throw]] table."""
    if not isinstance(table, dict) or not isinstance(table.get("name"), str):
        raise SportError(f"{where} must be a table with a name, and what a launch has")
    return table["name"], read_launch({k: v for k, v in table.items() if k != "name"}, where)


def _law(table, forms, where):
    form = table.get("form") if isinstance(table, dict) else None
    if form not in forms:
        raise SportError(f"{where}.form {form!r} is not known; the forms are {', '.join(forms)}")
    keys = forms[form]
    reject_unknown_keys(table, ("form", *keys), where)
    if missing := [k for k in keys if k not in table]:
        raise SportError(f"{where}.{missing[0]} is missing; the form {form!r} needs {', '.join(keys)}")
    return Law(form, numbers([table[k] for k in keys], len(keys), where))


def _check_crisis(drag, lift, where):
    """Refuse a lift crisis whose numbers are impossible, or laws of drag and lift that do not go together."""
    if drag.form == "crisis" and lift.form != "crisis":
        raise SportError(f"{where}: drag.form 'crisis' needs lift.form 'crisis', not {lift.form!r}: they share the dip")
    if lift.form == "crisis":
        if drag.form not in ("constant", "crisis"):
            raise SportError(f"{where}: lift.form 'crisis' needs drag.form 'constant' or 'crisis', not {drag.form!r}")
        for key, value in zip(LIFT_FORMS["crisis"], lift.values):
            if key in ("a", "speed", "width") and value <= 0:
                raise SportError(f"{where}: lift.{key} {value:g} must be above 0")


def _surface(table, where):
    kind = table.get("kind") if isinstance(table, dict) else None
    if kind not in SURFACE_KINDS:
        raise SportError(f"{where}.kind {kind!r} is not known; the kinds are {', '.join(SURFACE_KINDS)}")
    shared = (
        "name",
        "kind",
        "restitution",
        "friction",
        "tangential",
        "rolling",
        "give",
        "landing",
        "optional",
        "color",
    )
    reject_unknown_keys(table, (*shared, *SURFACE_KINDS[kind]), where)
    for key in ("name", "restitution", "friction", *SURFACE_KINDS[kind]):
        if key not in table:
            raise SportError(f"{where}.{key} is missing; a {kind} needs {', '.join(SURFACE_KINDS[kind])}")
    scalars = from_table(_Scalars, {k: v for k, v in table.items() if k in _Scalars.__annotations__}, where)
    if scalars.give and kind not in ("plane", "rectangle"):
        raise SportError(f"{where}.give {scalars.give:g}: only a plane or a rectangle gives, not a {kind}")
    low, high = _ends(table, kind, where)
    return Surface(
        table["name"], kind, low, high, scalars.radius, scalars.rod,
        from_table(Restitution, table["restitution"], f"{where}.restitution"),
        scalars.friction, scalars.tangential, scalars.rolling,
        bool(table.get("landing", False)), bool(table.get("optional", False)),
        numbers(table.get("color", (128, 128, 128)), 3, f"{where}.color"), scalars.give,
    )  # fmt: skip


@dataclass(frozen=True)
class _Scalars:
    friction: float = number_field(low=0)
    tangential: float = number_field(0.0, low=-1, high=1)
    rolling: float = number_field(0.02, above=0)
    give: float = number_field(0.0, low=0, high=1)
    rod: float = number_field(0.0, low=0)
    radius: float = number_field(0.0, low=0)


def _ends(table, kind, where):
    """low, high of any kind."""
    if kind == "plane":
        if table["axis"] not in ("x", "y", "z"):
            raise SportError(f"{where}.axis {table['axis']!r} must be x, y or z")
        (at,) = numbers([table["at"]], 1, f"{where}.at")
        flat = [axis == table["axis"] for axis in "xyz"]
        return tuple(at if f else -math.inf for f in flat), tuple(at if f else math.inf for f in flat)
    if kind == "ring":
        return (numbers(table["centre"], 3, f"{where}.centre"),) * 2
    low, high = numbers(table["low"], 3, f"{where}.low"), numbers(table["high"], 3, f"{where}.high")
    flat = sum(a == b for a, b in zip(low, high, strict=True))
    if any(a > b for a, b in zip(low, high, strict=True)) or flat != (1 if kind == "rectangle" else 2):
        raise SportError(f"{where}: a {kind} from low {low} to high {high} must be flat in "
                         f"{'one axis' if kind == 'rectangle' else 'two axes'}, low never above high")  # fmt: skip
    return low, high


def _sensor(table, where):
    parts = dict(table)
    for key, cls in (("burst", DropoutBurst), ("outlier", Outlier), ("drift", Drift), ("frame", TrackerFrame)):
        parts[key] = from_table(cls, parts.get(key, {}), f"{where}.{key}")
    miss = parts.get("miss", [0.0])
    parts["miss"] = numbers(miss, len(miss) if isinstance(miss, list) else 1, f"{where}.miss")
    sensor = from_table(Sensor, parts, where)
    for key in ("train_rate", "noise", "jitter"):
        low, high = getattr(sensor, key)
        if not 0 <= low <= high:
            raise SportError(f"{where}.{key} = {[low, high]} must rise from at least 0")
    for key in ("ratio", "time"):
        low, high = getattr(sensor.drift, key)
        if not 0 < low <= high:
            raise SportError(f"{where}.drift.{key} = {[low, high]} must rise from above 0")
    return sensor


def _spread(table, where):
    own = from_table(ParameterSpread, {k: v for k, v in table.items() if k != "places"}, where)
    if "places" not in table:
        return own
    known = [field.name for field in dataclasses.fields(ParameterSpread) if field.name != "places"]
    if isinstance(table["places"], dict):
        reject_unknown_keys(table["places"], known, f"{where}.places")
    places = from_table(ParameterSpread, table["places"], f"{where}.places")
    return dataclasses.replace(own, places=places)
