"""Recordings of your own: read them, see whether they are right, score predictors on them, smooth them.

    python -m examples.own_recordings           # makes a folder of recordings as a tracker might write them

Trackers write in their own units and axes. Here: frame numbers at 200 Hz, millimetres, y up, the origin on the floor.
The program writes such files (simulated balls, so that it runs anywhere), and then treats them as yours: put your
folder and your options in the place of them.
"""

import csv
from pathlib import Path

import numpy as np

from ballcast import models, sim
from ballcast.tracks import Track, read_tracks

RATE, FLOOR = 200.0, 0.76  # Hz; m from the floor to the table's surface, where our origin is
OPTIONS = {"rate": RATE, "scale": 0.001, "axes": "x,-z,y", "origin": f"0,0,{FLOOR}"}
AHEAD = (0.1, 0.2)  # s


def record(folder: Path, balls: int) -> None:
    """Write balls as the tracker does: frame, x to the right, y up, z towards the camera, mm."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = sim.draw(sim.load("table_tennis"), balls, purpose="test", rate=RATE)
    for n, (a, b) in enumerate(zip(drawn.offsets, drawn.offsets[1:])):
        with open(folder / f"ball_{n:02}.csv", "w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["frame", "x", "y", "z"])
            for t, (x, y, z) in zip(drawn.time[a:b], drawn.position[a:b]):
                rows.writerow([round((t - drawn.time[a]) * RATE), *(f"{1e3 * v:.1f}" for v in (x, z + FLOOR, -y))])


def errors_of(name: str, tracks: list[Track]) -> list[float]:
    """The median distances, mm, from the forecasts after 0.2 s to what was measured AHEAD of the last frame."""
    predictor, found = models.load(name, "table_tennis"), []
    for track in tracks:
        history = track.until(track.time[0] + 0.2)
        at = np.searchsorted(track.time, history.time[-1] + np.array(AHEAD) - 1e-9)  # the first frame from then on
        if len(history) >= 5 and at[-1] < len(track):
            forecast = predictor.forecast(history, track.time[at])
            found.append(np.linalg.norm(forecast.mean - track.position[at], axis=1))
    return (1e3 * np.median(found, axis=0)).tolist()


def main(balls: int = 20, folder: Path = Path("recordings")) -> dict[str, list[float]]:
    """Record, read and score; return the errors, mm, by predictor."""
    record(folder, balls)
    tracks = read_tracks(folder, **OPTIONS)
    notes = [note for track in tracks for note in track.notes]
    print(f"{len(tracks)} tracks, {sum(map(len, tracks))} frames; notes of the reader: {notes or 'none'}")
    errors = {name: errors_of(name, tracks) for name in ("gru", "physics", "parabola")}
    for name, row in errors.items():
        print(f"{name:10}", ", ".join(f"+{h:g} s {error:.0f} mm" for h, error in zip(AHEAD, row)))
    smooth = models.smooth(tracks[0], "table_tennis")
    moved = 1e3 * np.linalg.norm(smooth.position - tracks[0].position, axis=1)
    print(f"all frames together move a measured place by {np.median(moved):.1f} mm in the median")
    options = " ".join(f"--{name} {value}" for name, value in OPTIONS.items())
    print(f"next: python evaluate.py --tracks {folder} {options}")
    return errors


if __name__ == "__main__":
    main()
