"""The engine against published measurements and exact answers.

    python -m benchmarks.fidelity [--out docs/fidelity.md]

Checks are data: fidelity.toml has the balls, the launches, the expected values and the tolerances.
Prints a table, writes it to docs/fidelity.md, and ends with one JSON object with the keys checks, failed and skipped.
Measured flights are read from the folder that BALLCAST_DATA names; without it those checks are skipped, with a note.
"""

import itertools
import json
import math
import os
import tomllib
from collections import namedtuple
from pathlib import Path

import numpy as np
import tyro
from numpy.polynomial import polynomial
from scipy.interpolate import CubicHermiteSpline
from scipy.optimize import least_squares

from ballcast import sim
from ballcast.sim.files import write_atomically
from ballcast.sim.kernels.aerodynamics import DRAG_FORMS, LIFT_FORMS
from ballcast.sim.sport import SPIN_DECAY_FORMS, Law, Restitution, Surface
from ballcast.tracks import read_track
from benchmarks import match_play
from benchmarks.other_laws import carry, fly_linear

ROOT = Path(__file__).parents[1]
HEAD = """# Fidelity

The engine (float64) against exact answers and published measurements; [the physics](physics.md) says what it \
computes. Made by `python -m benchmarks.fidelity`. The balls and launches are in `benchmarks/fidelity.toml`."""
UNITS = {"mph": 0.44704, "ft": 0.3048, "yd": 0.9144, "rpm": 2 * math.pi / 60, "rps": 2 * math.pi}  # in SI
FORMS = {"drag": DRAG_FORMS, "lift": LIFT_FORMS, "spin_decay": SPIN_DECAY_FORMS}
GRID = np.arange(0, 8, 0.002)  # s


Check = namedtuple("Check", "section name expected got tolerance passed")  # texts, and whether it passed
Run = namedtuple("Run", "sport flight time position velocity")  # a flight on GRID; the state at which it is evaluated


def make_sport(table, row):
    """The Sport of a [ball.X] table and of a row's columns about the ball; its only surface is a ground, or none."""
    table = {key: _law(key, value) if key in FORMS else value for key, value in table.items()}
    table |= {key: row[key] for key in ("mass", "radius", "inertia", "gravity", "density") if key in row}
    table["surfaces"] = (_ground(row),) if "e" in row else ()
    sport = sim.load(table.pop("sport", "table_tennis")).replace(**table)
    cd = row.get("cd")
    if "per_metre" in row:
        cd = row["per_metre"] / sport.aerodynamic_constant
    if "terminal" in row:
        cd = sport.world.gravity / (sport.aerodynamic_constant * row["terminal"] ** 2)
    return sport if cd is None else sport.replace(drag=Law("constant", (cd,)))


def _law(kind, table):
    form = table["form"]
    return Law(form, tuple(float(table[key]) for key in FORMS[kind][form]))


def _ground(row):
    low, high = (-math.inf, -math.inf, 0.0), (math.inf, math.inf, 0.0)
    contact = Restitution(row["e"]), row["mu"], row.get("tangential", 0.0)
    return Surface("ground", "plane", low, high, 0.0, 0.0, *contact)


def launch(sport, row):
    """position, velocity, spin (1, 3) and parameters (1, P) from a row's columns about the launch."""
    height = row.get("launch_height", sport.ball.radius + row.get("drop", 0.0) if sport.surfaces else 0.0)
    elevation, tilt = math.radians(row.get("elevation", 0.0)), math.radians(row.get("tilt", 0.0))
    speed, back = row.get("speed", 0.0), row.get("back", 0.0)
    position = row.get("position", [0.0, 0.0, height])
    velocity = row.get("velocity", [0.0, speed * math.cos(elevation), speed * math.sin(elevation)])
    spin = row.get("spin", [back * math.cos(tilt), 0.0, row.get("side", 0.0) - back * math.sin(tilt)])
    parameters = [1, 1, 1, 1, row.get("wind_x", 0.0), row.get("wind_y", 0.0)]
    return [np.array([part], float) for part in (position, velocity, spin, parameters)]


def run(sport, start, stop):
    """The Run of one ball until `stop`: {time: s}, {impact: number}, or the last time it crosses {z: m} or {y: m}."""
    *state, parameters = start
    flight = sim.simulate(sport, *state, GRID, parameters=parameters)
    if "impact" in stop:
        i, impacts = stop["impact"], flight.impacts
        return Run(sport, flight, impacts.time[i], impacts.position[i], impacts.velocity_before[i])
    time = stop["time"] if "time" in stop else _crossing(flight, *stop.items())
    end = sim.simulate(sport, *state, [0.0, time], parameters=parameters)
    return Run(sport, flight, time, end.position[0, -1], end.velocity[0, -1])


def _crossing(flight, stop):
    axis, value = "xyz".index(stop[0]), stop[1]
    path = CubicHermiteSpline(GRID, flight.position[0, :, axis] - value, flight.velocity[0, :, axis])
    return path.roots(extrapolate=False)[-1]


def _apex(r):
    flown = GRID <= r.time
    path = CubicHermiteSpline(GRID[flown], r.flight.position[0, flown, 2], r.flight.velocity[0, flown, 2])
    return max(path(path.derivative().roots(extrapolate=False)), default=math.nan)


def _total_time(r):
    """The total time of infinitely many bounces: the last contact, and the sum of the hops after it."""
    e, impacts = r.sport.surfaces[0].restitution.e, r.flight.impacts
    return impacts.time[-1] - 2 * e * impacts.velocity_before[-1, 2] / (r.sport.world.gravity * (1 - e))


def _apexes(r):
    between = [(GRID > a) & (GRID < b) for a, b in zip(r.flight.impacts.time[:3], r.flight.impacts.time[1:4])]
    return [r.flight.position[0, hop, 2].max() - r.sport.ball.radius for hop in between]


def _angle(velocity):
    return math.degrees(math.atan2(abs(velocity[2]), math.hypot(*velocity[:2])))


QUANTITIES = {
    "time": lambda r: r.time, "place": lambda r: r.position, "drift": lambda r: r.position[0],
    "distance": lambda r: r.position[1], "height": lambda r: r.position[2], "forward": lambda r: r.velocity[1],
    "up": lambda r: r.velocity[2], "speed_end": lambda r: np.linalg.norm(r.velocity),
    "angle": lambda r: _angle(r.velocity), "apex": _apex, "total_time": _total_time, "apexes": _apexes,
    "impact_speeds": lambda r: -r.flight.impacts.velocity_before[:3, 2],
    "velocity_after": lambda r: r.flight.impacts.velocity_after[0],
    "spin_after": lambda r: r.flight.impacts.spin_after[0],
    "forward_after": lambda r: r.flight.impacts.velocity_after[0, 1],
    "up_after": lambda r: r.flight.impacts.velocity_after[0, 2],
    "speed_after": lambda r: np.linalg.norm(r.flight.impacts.velocity_after[0]),
    "angle_after": lambda r: _angle(r.flight.impacts.velocity_after[0]),
    "top_after": lambda r: -r.flight.impacts.spin_after[0, 0],
}  # fmt: skip


def check_case(case, balls):
    """The Checks of a [[case]]: the quantities of each row, their ratios to those of one row, or their rms errors."""
    rows = [dict(zip(case["columns"], values)) for values in case["rows"]]
    answers = [_evaluate(case, balls[case["ball"]], row) for row in rows]
    if "relative_to" in case:
        base = case["relative_to"]
        rows = [row | {key: row[key] / rows[base][key] for key in answers[base]} for row in rows]
        answers = [{key: got[key] / answers[base][key] for key in got} for got in answers]
        del rows[base], answers[base]
    for row, got in zip(rows, answers):
        for key, tolerance in case.get("tolerance", {}).items():
            yield _compare(case, row, key, got[key], tolerance)
    for key, tolerance in case.get("rms", {}).items():
        rms = math.sqrt(np.mean([(got[key] - row[key]) ** 2 for row, got in zip(rows, answers)]))
        name, unit = f"{case['name']}: rms of {key} over {len(rows)} rows", _unit(case, key)
        yield Check(case["section"], name, "0", f"{rms:.3g} {unit}", f"{tolerance} {unit}", bool(rms <= tolerance))


def _unit(case, key):
    return case.get("units", {}).get(key, "") if "relative_to" not in case else ""


def _evaluate(case, table, row):
    """Quantity -> value in the units of the case, for the columns of a row that name quantities."""
    units = {key: UNITS[unit] for key, unit in case.get("units", {}).items()}
    given = {"launch_height": case["launch_height"]} if "launch_height" in case else {}
    given |= {key: value * units.get(key, 1) if key in units else value for key, value in row.items()}
    quantities = [key for key in row if key in QUANTITIES]
    given = {key: value for key, value in given.items() if key not in quantities}
    sport = make_sport(table | case.get("overrides", {}), given)
    r = run(sport, launch(sport, given), case["stop"])
    return {key: np.asarray(QUANTITIES[key](r)) / units.get(key, 1) for key in quantities}


def _compare(case, row, key, got, tolerance):
    expected, allowed = np.asarray(row[key], float), tolerance
    if isinstance(tolerance, str):  # per cent
        allowed = float(tolerance.rstrip(" %")) / 100 * abs(expected)
    given = [f"{column} {row[column]:g}" for column in case["columns"] if np.isscalar(row[column]) and column != "row"]
    label = row.get("row", ", ".join(words for words in given if words.split()[0] not in QUANTITIES))
    name = ": ".join(part for part in (case["name"], label, f"{key} {_unit(case, key)}".rstrip()) if part)
    passed = bool(np.all(abs(got - expected) <= allowed))
    return Check(case["section"], name, _format(row[key]), _format(got), str(tolerance), passed)


def _format(value):
    return ", ".join(f"{v:.8g}" for v in np.ravel(value))


def check_galilean(table, balls):
    """Launched with the velocity of a wind W added, the ball flies as in still air, moved by W t."""
    sport = make_sport(balls[table["ball"]], {})
    wind = np.array([*table["wind"], 0.0])
    times = [0.0, table["time"]]
    position, velocity, spin = (np.array([table[key]], float) for key in ("position", "velocity", "spin"))
    still = sim.simulate(sport, position, velocity, spin, times).position[0, -1]
    blown = sim.simulate(sport, position, velocity + wind, spin, times, parameters=[[1, 1, 1, 1, *table["wind"]]])
    off = np.linalg.norm(blown.position[0, -1] - still - wind * table["time"])
    limit = table["tolerance"]
    yield Check(table["section"], table["name"], "0", f"{off:.1e} m", f"{limit} m", bool(off <= limit))


def check_other_laws(linear, sheet):
    """Laws that no sport uses, integrated by the engine's step."""
    p, v = fly_linear(sim.load("table_tennis"), linear["rate"], [float(a) for a in linear["velocity"]], linear["time"])
    case = {"section": linear["section"], "name": linear["name"], "columns": []}
    yield _compare(case, {"place": linear["expected"]}, "place", np.array([*p[1:], *v[1:]]), linear["tolerance"])
    mph, degrees, rpm = sheet["launch"]
    speed, angle = mph * UNITS["mph"], math.radians(degrees)
    air = {"density": sheet["density"], "viscosity": 1.5e-5}
    ball = sim.load("golf").replace(**air, spin_decay=Law("path", (sheet["rate"],)))
    got = carry(ball, [0.0, speed * math.cos(angle), speed * math.sin(angle)], [rpm * UNITS["rpm"], 0.0, 0.0])
    case = {"section": sheet["section"], "name": sheet["name"], "columns": [], "units": {"carry": "yd"}}
    for key, value in zip(("carry", "time"), (got[0] / UNITS["yd"], got[1])):
        yield _compare(case, sheet["expected"], key, value, sheet["tolerance"][key])


def check_run_out(table):
    """How far a ball is from its first contact, along its flight, when it lies still."""
    sport = sim.load(table["sport"])
    for row in (dict(zip(table["columns"], values)) for values in table["rows"]):
        si = {key: row[key] * UNITS[table["units"][key]] for key in table["units"]}
        flight = sim.simulate(sport, *launch(sport, row | si)[:3], [60.0])
        got = flight.position[0, -1, 1] - flight.impacts.position[flight.impacts.time > 0.5][0, 1]
        expected = f"{row['low']} to {row['high']}"
        passed = bool(row["low"] <= got <= row["high"])
        yield Check(table["section"], f"{table['name']}: {row['row']}", expected, f"{got:.1f}", "the range", passed)


def check_measured(table, balls, data):
    """The rms distance, m, of measured points (y, z) or (y, -x) from the engine's curve."""
    points = np.loadtxt(data / table["file"], delimiter=";")
    sport, axes = make_sport(balls[table["ball"]], {}), (1, 0) if table.get("points") == "left" else (1, 2)
    points = points * [1, -1] if axes == (1, 0) else points

    def distances(velocity):
        row = {"launch_height": table["launch_height"], "spin": table.get("spin", [0, 0, 0])}
        start = launch(sport, row | {"velocity": [table["velocity"][0], *velocity]})
        curve = sim.simulate(sport, *start[:3], np.arange(0, 4, 5e-4)).position[0][:, axes]
        return np.linalg.norm(points[:, None] - curve, axis=2).min(axis=1)

    velocity = table["velocity"][1:]
    if table.get("refit"):
        velocity = least_squares(distances, velocity, diff_step=1e-4).x
    rms = math.sqrt(np.mean(distances(velocity) ** 2))
    name = f"{table['name']}: rms distance of {len(points)} points, launch {velocity[0]:.2f}, {velocity[1]:.2f} m/s"
    tolerance = f"{table['tolerance']} m" if "tolerance" in table else "none"
    yield Check(table["section"], name, "0", f"{rms:.4f} m", tolerance, bool(rms <= table.get("tolerance", math.inf)))


def check_spindoe(table, data):
    """The rms residual, m, of each axis, median over flights; the launch is fitted, the spin is the measured one."""
    residuals = [_refit(*flight) for flight in spindoe_flights(table, data)]
    for axis, got in zip("xyz", np.median(residuals, axis=0)):
        name = f"{table['name']}, {axis}, {len(residuals)} flights"
        limit = table["tolerance"][axis]
        yield Check(table["section"], name, "0", f"{1e3 * got:.2f} mm", f"{1e3 * limit:.1f} mm", bool(got <= limit))


def spindoe_flights(table, data):
    """(times (T,) s, positions (T, 3) m, measured spin (3,) rad/s) of the flights of fidelity.toml's [spindoe]."""
    for number, *spin in np.loadtxt(data / "spindoe" / "index.csv", delimiter=",", skiprows=1):
        if np.linalg.norm(spin) <= table["spin"]:
            time, position = _clean(read_track(data / "spindoe" / f"{int(number):03d}.csv"), table)
            if len(time) >= table["frames"]:
                yield time, position, spin


def check_match_play(table, data):
    """Landing errors of balls simulated from their measured states: medians and the 90th percentile, mm and ms."""
    pairs = match_play.read_pairs(data / match_play.FILE)
    held = match_play.is_held_out(pairs)
    errors = match_play.landing_errors(sim.load("table_tennis"), pairs)
    for key, got in zip(("median", "p90", "time"), match_play.summary(*(error[held] for error in errors))):
        unit, limit = "ms" if key == "time" else "mm", table["tolerance"][key]
        name = f"{table['name']}, {key}, {held.sum()} balls"
        yield Check(table["section"], name, "0", f"{got:.1f} {unit}", f"{limit} {unit}", bool(got <= limit))


def _clean(track, table):
    """time (T,) s and position (T, 3) m of a track's frames over the table before the bounce, without outliers."""
    low = track.position[1:-1, 2]
    turns = (np.diff(track.position[:-1, 2]) < 0) & (np.diff(track.position[1:, 2]) > 0) & (low < 0.08)
    past = abs(track.position[:, 1]) > table["end"]
    frames = min(np.argmax([*turns, True]), np.argmax([*past, True]))
    time, position = track.time[:frames], track.position[:frames]
    for limit in (10 * table["outlier"], 3 * table["outlier"], table["outlier"]):
        if len(time) < table["frames"]:
            break
        curve = polynomial.polyval(time, polynomial.polyfit(time, position, 4)).T
        keep = np.linalg.norm(position - curve, axis=1) < limit
        time, position = time[keep], position[keep]
    return time, position


def _refit(time, position, spin):
    """rms residuals (3,) m of the best-fitting flight; only the launch is fitted."""
    sport, time = sim.load("table_tennis").replace(surfaces=()), time - time[0]

    def residual(state):
        flight = sim.simulate(sport, [state[:3]], [state[3:]], [spin], time)
        return np.ravel(flight.position[0] - position)

    fit = least_squares(residual, np.ravel(polynomial.polyfit(time, position, 2)[:2]), loss="soft_l1", f_scale=0.01)
    return np.sqrt(np.mean(residual(fit.x).reshape(-1, 3) ** 2, axis=0))


def all_checks(book):
    """(Checks, notes on those that were skipped)."""
    balls, checks, skipped = book["ball"], [], []
    for case in book["case"]:
        checks += check_case(case, balls)
    checks += check_galilean(book["galilean"], balls)
    checks += check_other_laws(book["linear"], book["sheet"])
    checks += check_run_out(book["run_out"])
    data = Path(os.environ.get("BALLCAST_DATA") or ROOT.parent / "shared" / "data")
    for table in book["measured"]:
        if (data / table["file"]).is_file():
            checks += check_measured(table, balls, data)
        else:
            skipped.append(f"{table['name']}: BALLCAST_DATA has no {table['file']}")
    table = book["spindoe"]
    if (data / "spindoe" / "index.csv").is_file():
        checks += check_spindoe(table, data)
    else:
        skipped.append(f"{table['name']}: BALLCAST_DATA has no spindoe/index.csv")
    table = book["match_play"]
    if (data / match_play.FILE).is_file():
        checks += check_match_play(table, data)
    else:
        skipped.append(f"{table['name']}: BALLCAST_DATA has no {match_play.FILE}")
    return sorted(checks, key=lambda c: [int(n) for n in c.section.split(".")]), skipped


def page(checks, skipped, book):
    failed = sum(not check.passed for check in checks)
    lines = [HEAD, f"\n{len(checks)} checks, {failed} failed."]
    for section, rows in itertools.groupby(checks, lambda check: check.section):
        part = book["part"][section]
        lines += [f"\n## {part['title']}\n\n{part['source']}\n",
                  "| check | expected | got | tolerance | |\n|---|---|---|---|---|"]  # fmt: skip
        lines += [f"| {' | '.join(c[1:5])} | {'pass' if c.passed else '**fail**'} |" for c in rows]
    lines += ["\n## Not checked\n", *(f"- {x['what']}: {x['why']}" for x in book["left_out"])]
    lines += [f"- {reason}" for reason in skipped]
    return "\n".join(lines) + "\n"


def main(out: Path = ROOT / "docs" / "fidelity.md"):
    book = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
    checks, skipped = all_checks(book)
    for c in checks:
        result = "pass" if c.passed else "FAIL"
        print(f"{result:5}{c.section:5}{c.name[:110]:111}{c.expected:>24}{c.got:>30} {c.tolerance}")
    out.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(out, page(checks, skipped, book).encode())
    failed = sum(not check.passed for check in checks)
    print(json.dumps({"checks": len(checks), "failed": failed, "skipped": len(skipped)}))


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
