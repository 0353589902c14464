"""How well cameras are calibrated from the landmarks of a place, by where they stand.

python -m benchmarks.calibration [SPORT ...]

Random cameras (sim.random_cameras: lenses with distortion, principal points off the middle) see the landmarks of a
sport; their pixels get noise of 1 and 2 px. Compared with the true camera: focal length, direction, place, and where it
projects points at which balls are in play (median over the cameras). `vague f`: how often the view does not tell the
focal length; `inside`: how often the true turn, place and focal length are in the 90 % region of the covariance.
Cameras that see fewer than four landmarks are not counted.
"""

import sys
from typing import Any

import numpy as np
from scipy.stats import chi2

from ballcast import sim
from ballcast.sim.random_cameras import _place, camera_kinds, random_cameras
from ballcast.tracks import Camera
from ballcast.vision.calibration import calibrate
from ballcast.vision.landmarks import CalibrationError

SPORTS = ("table_tennis", "tennis")
CAMERAS = 30  # of each kind
NOISES = 1.0, 2.0  # px


def main() -> None:
    sports = sys.argv[1:] or SPORTS
    head = "points  refused  vague f  focal %  turn deg  place m  in play px  left out  inside"
    print(f"{'':36}{head}")
    for name in sports:
        for kind in camera_kinds():
            for noise in NOISES:
                rows = [row for k in range(CAMERAS) if (row := _row(name, kind, k, noise))]
                print(f"{name:14}{kind:12}{noise:.0f} px", *_summary(rows), sep="    ", flush=True)


def _row(name: str, kind: str, number: int, noise: float) -> dict[str, Any] | None:
    """The errors of one camera; None where it sees too little."""
    sport = sim.load(name)
    (sensor,) = random_cameras(sport, 1, number=number, purpose="test", kinds=(kind,))
    lens = sensor.lens
    true = Camera(lens.K, lens.distortion, lens.R, lens.t, lens.size)
    points = np.array(sport.view.landmarks[0].points)
    points = points[true.sees(points)]
    draw = np.random.default_rng((number, int(noise)))
    pixels = true.project(points) + draw.normal(0.0, noise, (len(points), 2))
    is_inside = true.holds(pixels)
    points, pixels = points[is_inside], pixels[is_inside]
    if len(points) < 4:
        return None
    try:
        result = calibrate(points, pixels, lens.size)
    except CalibrationError:
        return {"points": len(points), "refused": True}
    play = _place(sport).points
    play = play[true.sees(play)]
    apart = np.linalg.norm(result.camera.project(play) - true.project(play), axis=1)
    return {"points": len(points), "refused": False, "vague": result.focal_is_vague, "play": np.nanmedian(apart),
            "out": (~result.used).sum(), **_errors(result, true)}  # fmt: skip


def _errors(result, true):
    """Errors of the parameters, and whether they are in the 90 % region."""
    turn = true.R @ result.camera.R.T
    turn = np.array([turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]]) / 2.0
    place = true.centre - result.camera.centre
    focal = np.log(np.sqrt(true.K[0, 0] * true.K[1, 1]) / result.camera.K[0, 0])
    error, covariance = np.array([*turn, *place, focal]), result.covariance[:7, :7]
    free = np.diag(covariance) > 0
    square = error[free] @ np.linalg.solve(covariance[np.ix_(free, free)], error[free])
    return {"focal": 100 * abs(np.expm1(focal)), "turn": np.degrees(np.linalg.norm(turn)),
            "place": np.linalg.norm(place), "inside": square < chi2.ppf(0.9, free.sum())}  # fmt: skip


def _summary(rows):
    """The columns of a line."""
    if not rows:
        return ["no camera sees enough"]
    good = [row for row in rows if not row["refused"]]
    if not good:
        return [f"{len(rows)} refused"]
    middle = {key: np.median([row[key] for row in good]) for key in ("points", "focal", "turn", "place", "play")}
    share = {key: np.mean([row[key] for row in good]) for key in ("vague", "inside", "out")}
    return [
        f"{middle['points']:4.0f}", f"{len(rows) - len(good):3d}/{len(rows):<3d}", f"{share['vague']:5.2f}",
        f"{middle['focal']:6.1f}", f"{middle['turn']:6.2f}", f"{middle['place']:6.2f}", f"{middle['play']:6.1f}",
        f"{share['out']:6.2f}", f"{share['inside']:5.2f}",
    ]  # fmt: skip


if __name__ == "__main__":
    main()
