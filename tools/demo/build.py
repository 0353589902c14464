"""Put the page together: its scripts, the numbers of a sport, and the weights of a network that reads raw positions.

The scripts compute the same as Python does (tests/test_demo_page.py): network.js what models/nets/export.py exports,
simulator.js what ballcast.sim flies.
"""

import base64
import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ballcast import command, sim
from ballcast.sim.files import write_atomically
from ballcast.sim.sport import Surface

PROGRAM = "python -m tools.demo"
FOLDER = Path(__file__).parent
SCRIPTS = "network.js", "simulator.js", "camera.js", "view.js", "main.js"
LAUNCHES = 40  # of each kind of throw
SEED = 0
FAR = 1e6  # m, where a surface has no end: JSON has no infinity


@dataclass(frozen=True)
class Options:
    """Write a page in which a ball is thrown, and a network forecasts where it goes."""

    weights: str = "gru_raw"  # gru_raw, or a file of weights of train.py --features raw
    sport: str = "table_tennis"  # one with a table, a net and a lift crisis
    out: Path = Path("docs/demo.html")  # the page to write


def main() -> None:
    options = command.options(Options, PROGRAM)
    command.run(PROGRAM, lambda: run(options))


def run(options: Options) -> None:
    """Write the page. Raises ValueError or OSError, one line each."""
    page = build(options.weights, sim.load(options.sport))
    write_atomically(options.out, page.encode())
    print(f"{options.out}: {len(page.encode()) / 1e6:.2f} MB")


def build(name: str, sport: sim.Sport) -> str:
    """The page, for the weights of that name or file."""
    data = json.dumps({"sport": sport_numbers(sport), **network_numbers(name, sport)}, allow_nan=False)
    buttons = " ".join(f'<button data-throw="{throw}">{throw}</button>' for throw, _ in sport.throws)
    parts = {"buttons": buttons, "data": data.replace("<", "\\u003c"), "scripts": scripts()}
    page = (FOLDER / "page.html").read_text()
    for key, part in parts.items():
        page = page.replace(f"{{{{{key}}}}}", part)
    return page


def scripts() -> str:
    """All scripts as one; each says "use strict", which counts at the beginning of a script alone."""
    texts = ((FOLDER / name).read_text().replace('"use strict";\n\n', "") for name in SCRIPTS)
    return '"use strict";\n\n' + "\n".join(texts)


def sport_numbers(sport: sim.Sport) -> dict:
    """What simulator.js and view.js read of a sport."""
    if sport.lift.form != "crisis":
        raise ValueError(
            f"{sport.name}: its lift is {sport.lift.form!r}, and the page's simulator knows 'crisis' alone"
        )
    laws = {"drag": ("cd", "dip"), "lift": ("a", "b", "depth", "at", "shift", "speed", "width")}
    air = {law: dict(zip(keys, getattr(sport, law).values, strict=True)) for law, keys in laws.items()}
    view = sport.view
    lines = [{"path": path, "width": line.width} for line in view.lines for path in line.paths]
    return air | {
        "constant": sport.aerodynamic_constant,
        "spinDecay": sport.spin_decay_rate,
        "gravity": sport.world.gravity,
        "radius": sport.ball.radius,
        "inertia": sport.ball.inertia,
        "surfaces": [surface_numbers(surface) for surface in sport.surfaces],
        "throws": {name: draw_launches(sport, launch) for name, launch in sport.throws},
        "view": {"eye": list(view.eye), "target": list(view.target), "ballColor": list(view.ball_color),
                 "background": list(view.background), "lines": lines},
    }  # fmt: skip


def surface_numbers(surface: Surface) -> dict:
    """One surface."""
    ends = {end: np.clip(getattr(surface, end), -FAR, FAR).tolist() for end in ("low", "high")}
    rest = {"name": surface.name, "friction": surface.friction, "color": list(surface.color)}
    return ends | rest | {"restitution": dataclasses.asdict(surface.restitution)}


def draw_launches(sport: sim.Sport, launch: object) -> list[list[float]]:
    """Launches of one kind of throw: position, velocity and spin, nine numbers each."""
    thrown = dataclasses.replace(sport, launches=(launch,))
    balls = sim.draw(thrown, LAUNCHES, seed=SEED, purpose="play", duration=0.1)
    numbers = np.hstack([balls.launch_position, balls.launch_velocity, balls.launch_spin])
    return np.round(numbers, 3).tolist()


def network_numbers(name: str, sport: sim.Sport) -> dict:
    """Weights, and the constants of network.js. Needs torch."""
    from ballcast.models.encoding import features
    from ballcast.models.encoding.decoding import MAX_LOG_SCALE, MIN_LOG_SCALE, PATH_OUTPUTS
    from ballcast.models.nets import export
    from ballcast.models.registry import require_weights
    from ballcast.models.runtime.network import FEATURE_LIMIT

    whole = export.load_whole(name if name.endswith(".safetensors") else require_weights("gru_raw", sport), sport)
    arrays = {key: value.numpy() for key, value in whole.state_dict().items()}
    network = {key.removeprefix("network."): a for key, a in arrays.items() if key.startswith("network.")}
    constants = {
        "units": whole.network.shape.units,
        "history": export.HISTORY,
        "lags": arrays["lags"].tolist(),
        "ending": arrays["ending"].tolist(),
        "times": arrays["times"].tolist(),
        "spread": arrays["spread"].tolist(),
        "landingSpread": float(arrays["landing_spread"][0]),
        "length": whole.length,
        "speed": whole.speed,
        "radius": whole.radius,
        "velocityLag": features.VELOCITY_LAG,
        "velocityRatio": features.VELOCITY_RATIO,
        "usualGap": features.USUAL_GAP,
        "maxFrames": features.MAX_FRAMES,
        "featureLimit": FEATURE_LIMIT,
        "pathOutputs": PATH_OUTPUTS,
        "logScales": [MIN_LOG_SCALE, MAX_LOG_SCALE],
        "minLandingTime": export.MIN_LANDING_TIME,
    }
    return {"constants": constants, "weights": {key: stored(a) for key, a in network.items() if a.size}}


def stored(a: np.ndarray) -> dict:
    """An array as text: in half precision where that loses nothing, as in the files of weights."""
    with np.errstate(over="ignore"):
        half = a.astype("<f2")
    is_half = bool(np.array_equal(half.astype(np.float32), a, equal_nan=True))
    content = half if is_half else a.astype("<f4")
    return {"shape": list(a.shape), "half": is_half, "base64": base64.b64encode(content.tobytes()).decode()}
