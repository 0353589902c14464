"""Rallies against the rules and against match play: python -m benchmarks.rallies [--strokes 300] [--sport tennis ...]

Plays rallies of each sport until there are so many strokes. Prints which share counts by the sport's zones, of those
that are not played to miss, how many strokes a rally has, how rallies end, and how long one takes. For table tennis it
compares speed, spin and start of all strokes with the human shots of match play (SonyResearch/ace_public, supplement of
Nature 652, 2026): the 5th, 50th and 95th percentile of both, and their ratio.

Keys of the last line: SPORT_counts, SPORT_median (strokes a rally), SPORT_ms (a rally); off_by, the largest deviation
from match play of all percentiles, as a fraction.
"""

import json
import time

import numpy as np
import tyro

from ballcast import sim

PERCENTILES = (5, 50, 95)
MATCH_PLAY = {
    "speed, m/s": (5.3, 9.1, 19.7),
    "along the table, m/s": (4.9, 8.6, 19.0),
    "across it, m/s": (np.nan, 1.6, 5.5),
    "spin, rad/s": (98.0, 289.0, 754.0),
    "start: distance from the net, m": (1.08, 1.69, 2.58),
    "start: height, m": (0.09, 0.22, 0.33),
}
MIN_RALLIES = 300  # of table tennis: percentiles of strokes need many


def play(sport: sim.Sport, count: int, min_rallies: int) -> tuple[list[sim.Rally], float]:
    """Rallies with `count` strokes or more in all, and the ms that one took."""
    sim.rally(sport)
    rallies, began = [], time.perf_counter()
    while len(rallies) < min_rallies or sum(len(r.strokes) for r in rallies) < count:
        rallies.append(sim.rally(sport, 0, len(rallies)))
    return rallies, 1e3 * (time.perf_counter() - began) / len(rallies)


def against_match_play(strokes: list[sim.PlayedStroke]) -> float:
    """Print the percentiles of strokes beside those of match play; the largest deviation, as a fraction."""
    position, velocity, spin = (np.array([getattr(s, k) for s in strokes]) for k in ("position", "velocity", "spin"))
    speed, along = np.linalg.norm(velocity, axis=1), np.abs(velocity[:, 1])
    columns = speed, along, np.abs(velocity[:, 0]), np.linalg.norm(spin, axis=1), np.abs(position[:, 1]), position[:, 2]
    deviation = 0.0
    for (name, wanted), values in zip(MATCH_PLAY.items(), columns):
        here = np.percentile(values, PERCENTILES)
        ratio = here / wanted
        deviation = max(deviation, np.nanmax(np.abs(ratio - 1)))
        cells = "  ".join(f"{a:7.2f} / {b:6.2f} = {c:.2f}" for a, b, c in zip(here, wanted, ratio))
        print(f"    {name:<32} {cells}")
    return deviation


def main(strokes: int = 300, sport: tuple[str, ...] = ()) -> None:
    """Print what the module's docstring says, of these sports, or of all that have strokes."""
    result = {}
    for name in sport or [n for n in sim.names() if sim.load(n).strokes]:
        rallies, duration = play(sim.load(name), strokes, MIN_RALLIES if name == "table_tennis" else 1)
        played = [stroke for rally in rallies for stroke in rally.strokes]
        counts = np.mean([stroke.counts for stroke in played if not stroke.is_missed])
        lengths, ends = [len(r.strokes) for r in rallies], [r.ended_by for r in rallies]
        ended = ", ".join(f"{ends.count(end)} {end}" for end in sorted(set(ends)))
        line = f"{name:<13} {len(played)} strokes, {100 * counts:.1f} % count; strokes a rally: median"
        print(line, f"{np.median(lengths):g}, longest {max(lengths)}; ended by: {ended}; {duration:.0f} ms a rally")
        result |= {f"{name}_counts": round(float(counts), 4), f"{name}_median": float(np.median(lengths)),
                   f"{name}_ms": round(duration, 1)}  # fmt: skip
        if name == "table_tennis":
            result["off_by"] = round(float(against_match_play(played)), 3)
    print(json.dumps(result))


if __name__ == "__main__":
    tyro.cli(main)
