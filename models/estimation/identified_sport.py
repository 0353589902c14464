"""From what was identified to a sport: its numbers, how its balls vary, its tracker and its launches.

    sport = place_sport(found)               # the Sport of this place
    text = place_text(text, found, sport)    # the sport's TOML with its numbers

`spread` then says how balls of this place differ, `spread.places` what is still unknown of it.
"""

import dataclasses
import math
import tomllib
from collections.abc import Sequence

import numpy as np

from ballcast.models.estimation.correlated_noise import usual_factor
from ballcast.models.estimation.identification import MIN_WEIGHT, Identified
from ballcast.models.estimation.launch_mixture import measured_launches
from ballcast.sim.kernels.aerodynamics import DRAG_FORMS, LIFT_FORMS
from ballcast.sim.launch import Launch
from ballcast.sim.sport import ParameterSpread, Sensor, Sport
from ballcast.sim.sport_text import SportText, rounded, toml

MEASURED_SHARE = 0.95  # of the launches; the sport's own are the rest, so that an unusual ball is not excluded
MIN_LAUNCHES = 10  # balls; of fewer no launch is made
MIN_NOISE_SPREAD = 0.15  # of logarithms: a tracker's noise differs by this from track to track, at least
MIN_RATIO_SCALE, MAX_RATIO_SCALE = 0.1, 10.0
CAUCHY_QUARTILE = 0.6745  # of a standard deviation: half of all are nearer
MAX_SPREAD, MAX_TILT = 1.0, 5.0  # what a sport's file may say


def place_sport(found: Identified, with_launches: bool = True) -> Sport:
    """The Sport of the place that was identified; without its launches if these are not wanted."""
    sport, population = found.sport, found.population
    error = np.sqrt(np.diag(population.covariance))
    tau = population.tau.copy()
    if found.friction:
        tau[3], error[3] = found.friction.tau, found.friction.sd
    drag, lift, restitution, friction = np.minimum(error[:4], MAX_SPREAD).tolist()
    places = ParameterSpread(drag, lift, restitution, friction)
    drag, lift, restitution, friction = np.minimum(tau[:4], MAX_SPREAD).tolist()
    spread = ParameterSpread(drag, lift, restitution, friction, sport.spread.total[4:], places)
    launches = found_launches(found) if with_launches else ()
    if launches:
        old = [launch for launch in sport.launches if not launch.correlation]
        scale = (1.0 - MEASURED_SHARE) / sum(launch.weight for launch in old) if old else 0.0
        launches = (*(dataclasses.replace(x, weight=scale * x.weight) for x in old), *launches)
    return dataclasses.replace(sport, spread=spread, sensor=_sensor(found, error), launches=launches or sport.launches)


def found_launches(found: Identified) -> tuple:
    """The measured launches of a place; none if too few balls were seen from their first frame on."""
    usable = [fit.fit for fit, weight in zip(found.fits, found.population.weights)
              if fit.is_whole and weight >= MIN_WEIGHT]  # fmt: skip
    if len(usable) < MIN_LAUNCHES:
        return ()
    states = np.array([fit.x[:9] for fit in usable])
    return measured_launches(states, np.array([np.diag(fit.covariance)[:9] for fit in usable]), MEASURED_SHARE)


def _sensor(found: Identified, error) -> Sensor:
    """The sensor of a place: noise, jitter, errors that last, and how its frame lies."""
    sensor, tau = found.sport.sensor, found.population.tau
    counts = found.population.weights >= MIN_WEIGHT
    fits = [fit.fit for fit, count in zip(found.fits, counts) if count]
    sd, between = found.noise.sd, np.maximum(found.noise.between, MIN_NOISE_SPREAD)
    noise = (sd[:3] * np.exp(-between[:3])).min(), (sd[:3] * np.exp(between[:3])).max()
    jitter = sd[3] * math.exp(-between[3]), sd[3] * math.exp(between[3])
    tilt = min(math.degrees(math.hypot(*np.hypot(tau, error)[6:]) / math.sqrt(2.0)), MAX_TILT)
    frame = dataclasses.replace(sensor.frame, height=CAUCHY_QUARTILE * float(np.hypot(tau[4], error[4])), tilt=tilt)
    sensor = dataclasses.replace(sensor, noise=tuple(map(float, noise)), jitter=tuple(map(float, jitter)), frame=frame)
    return _with_factor(sensor, float(np.mean([fit.noise_factor for fit in fits])))


def _with_factor(sensor, factor):
    """The Sensor whose errors last so that frames count as many times too much as they do here."""
    low, high = math.log(MIN_RATIO_SCALE), math.log(MAX_RATIO_SCALE)
    for _ in range(30):
        middle = 0.5 * (low + high)
        trial = _scaled_drift(sensor, math.exp(middle))
        low, high = (middle, high) if usual_factor(trial) < factor else (low, middle)
    return _scaled_drift(sensor, math.exp(0.5 * (low + high)))


def _scaled_drift(sensor, scale):
    ratio = tuple(scale * v for v in sensor.drift.ratio)
    return dataclasses.replace(sensor, drift=dataclasses.replace(sensor.drift, ratio=ratio))


def place_text(text: str, found: Identified, sport: Sport, tracks: Sequence[str], command: str, note: str) -> str:
    """A sport's TOML with the numbers of the place's Sport in it; it begins with a comment, the note."""
    edited = SportText(text)
    for name, law, forms in (("drag", sport.drag, DRAG_FORMS), ("lift", sport.lift, LIFT_FORMS)):
        edited.set(name, dict(zip(forms[law.form], law.values)))
    _set_surface(edited, text, sport, found)
    sensor = sport.sensor
    parts = {"drift": {"ratio": sensor.drift.ratio}, "frame": dataclasses.asdict(sensor.frame)}
    edited.set("sensor", {"noise": sensor.noise, "jitter": sensor.jitter, **parts})
    own = dataclasses.asdict(sport.spread)
    places = {key: value for key, value in own.pop("places").items() if key != "places"}
    edited.set("spread", own)
    edited.set("spread.places", places)
    _set_launches(edited, sport)
    if "identified" in tomllib.loads(text):
        edited.remove("identified")
    edited.append("[identified]           # evaluate.py scores nothing on these tracks")
    edited.append(f"command = {toml(command)}\ntracks = {toml(list(dict.fromkeys(tracks)))}")
    edited.insert(f"# {note}")
    return str(edited)


def _set_surface(edited, text, sport, found):
    surface = sport.surfaces[found.surface]
    tables = tomllib.loads(text)["surface"]
    number = [table["name"] for table in tables].index(surface.name)
    law, old = surface.restitution, tables[number]["restitution"]
    keys = ("e", "slope", *(key for key in ("curve", "min", "max") if key in old))
    values = {key: getattr(law, key) for key in keys}
    edited.set("surface", {"restitution": values, "friction": surface.friction}, number)


def _set_launches(edited, sport):
    """The sport's own launches with their weights, and the measured ones anew."""
    tables = tomllib.loads(str(edited))["launch"]
    for number in reversed(range(len(tables))):
        if "correlation" in tables[number]:
            edited.remove("launch", number)
    own = [launch for launch in sport.launches if not launch.correlation]
    for number, launch in enumerate(own):
        edited.set("launch", {"weight": launch.weight}, number)
    for launch in sport.launches:
        if launch.correlation:
            edited.append(launch_text(launch))


def launch_text(launch: Launch) -> str:
    """A measured Launch as a [[launch]] table."""
    names, lines = ("position", "velocity", "spin"), ["[[launch]]             # measured: its nine numbers go together"]
    lines.append(f"weight = {rounded(launch.weight)}")
    for k, name in enumerate(names):
        numbers = launch.distributions[3 * k : 3 * k + 3]
        form = {} if name == "position" else {"form": "components"}
        table = form | {axis: {"normal": [mean, sd]} for axis, (_, mean, sd, *_) in zip("xyz", numbers)}
        lines.append(f"{name} = {toml(table)}")
    rows = ["  " + toml([round(v, 4) for v in row[:i]]) + "," for i, row in enumerate(launch.correlation)]
    return "\n".join([*lines, "correlation = [", *rows, "]"])
