"""A sport of your own: a file, and every program takes it.

    python -m examples.own_sport                # writes large_ball.toml: table tennis with the ball of 44 mm

A sport is a TOML file: a ball, its air, surfaces, launches, a tracker. Copy one of sim/sports/ and change it. This
program changes the ball, looks at how it flies, and asks who forecasts it best: the GRU that ships serves a sport that
it has never seen, because it reads the sport's numbers from the file.
"""

from pathlib import Path

import numpy as np

from ballcast import models, sim
from ballcast.tracks import Track

CHANGES = {  # what stands in the file of table tennis -> what is to stand in mine
    'name = "table_tennis"': 'name = "large_ball"',
    "mass = 0.0027 ": "mass = 0.0023 ",
    "radius = 0.0200 ": "radius = 0.0220 ",
}
PREDICTORS = ("gru", "gru_physics", "physics", "parabola")


def write_sport(path: Path) -> sim.Sport:
    """Write the file, and read it: an impossible value or an unknown key is refused in one line."""
    text = (Path(sim.__file__).parent / "sports" / "table_tennis.toml").read_text(encoding="utf-8")
    for old, new in CHANGES.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")
    return sim.load(path)


def range_of(sport: sim.Sport) -> float:
    """How far a stroke flies in 0.4 s, m."""
    flight = sim.simulate(sport, [[0, -1.4, 0.3]], [[0.3, 8, 1.5]], [[-150, 0, 0]], [0.4])
    return float(flight.position[0, 0, 1] + 1.4)


def main(balls: int = 60, out: Path = Path("large_ball.toml")) -> dict[str, float]:
    """Write the sport; return the median errors, mm, 0.2 s ahead after 0.2 s, by predictor."""
    sport, usual = write_sport(out), sim.load("table_tennis")
    print(f"in 0.4 s the same stroke flies {range_of(sport):.2f} m, {range_of(usual):.2f} m with the usual ball")
    drawn = sim.draw(sport, balls, purpose="test")
    asked = np.array([[drawn.time[a] + 0.4] for a in drawn.offsets[:-1]])
    truth, errors = drawn.flight(asked).position[:, 0], {}
    tracks = [Track(drawn.time[a:b], drawn.position[a:b]) for a, b in zip(drawn.offsets, drawn.offsets[1:])]
    for name in PREDICTORS:
        predictor = models.load(name, sport)
        means = [predictor.forecast(t.until(t.time[0] + 0.2), when).mean[0] for t, when in zip(tracks, asked)]
        errors[name] = 1e3 * float(np.median(np.linalg.norm(np.array(means) - truth, axis=1)))
        print(f"{name:12} {errors[name]:6.1f} mm")
    print(f"next: python play.py --sport {out}; python train.py --sport {out}; python evaluate.py --sport {out}")
    return errors


if __name__ == "__main__":
    main()
