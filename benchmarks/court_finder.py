"""Cameras found from painted lines alone: rendered views from everywhere, and recorded clips.

python -m benchmarks.court_finder [VIEWS]

Each of VIEWS (10) random cameras of each kind but ceilings sees a rendered court or table, blurred and with noise.
`found`: accepted; `wrong`: accepted, with landmarks more than 5 px off; px: their RMS distance in the median. Recorded
clips, if they are there: every twelfth frame against the camera that was fitted to labels. Then the other sport's lines
in the same pictures, and rooms without any: each is to be refused.
"""

import os
import sys
from pathlib import Path

import cv2
import numpy as np

from ballcast import sim
from ballcast.render.backdrop import Backdrop
from ballcast.render.camera import FixedCamera
from ballcast.render.scene import Scene
from ballcast.sim.random_cameras import random_cameras
from ballcast.tracks import Camera, read_cameras
from ballcast.vision.court_finder import find_court
from ballcast.vision.landmarks import CalibrationError
from ballcast.vision.video import open_video

KINDS = ("broadcast", "behind", "corner", "side", "phone")
SIZE = 1280, 720
WRONG = 5.0  # px
DATA = Path(os.environ.get("BALLCAST_DATA", "../shared/data")) / "video"
CLIPS = (("tt00", "table_tennis", 44), ("tennis3", "tennis", 92), ("tennis5", "tennis", 77))  # the last still frame
ROOMS = ("ball", "ball3")


def main() -> None:
    views = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    for name in ("tennis", "table_tennis"):
        for kind in KINDS:
            _print(f"{name} {kind}", [_rendered(sim.load(name), kind, k) for k in range(views)])
    if DATA.is_dir():
        for clip, name, last in CLIPS:
            _print(clip, _recorded(clip, name, last))
            _print(f"{clip}, the other sport", _recorded(clip, {"tennis": "table_tennis"}.get(name, "tennis"), last))
        for clip in ROOMS:
            _print(clip, _recorded(clip, "table_tennis", 60) + _recorded(clip, "tennis", 60))


def _rendered(sport: sim.Sport, kind: str, number: int) -> float | None:
    """How far off the landmarks of a rendered view are, px; None if it is refused."""
    (sensor,) = random_cameras(sport, 1, number=number, purpose="test", kinds=(kind,))
    lens = sensor.lens
    focal = lens.K[0, 0] * SIZE[0] / lens.size[0]
    K = np.array([[focal, 0.0, 0.5 * (SIZE[0] - 1)], [0.0, focal, 0.5 * (SIZE[1] - 1)], [0.0, 0.0, 1.0]])
    true = Camera(K, [], lens.R, lens.t, SIZE)
    fixed = FixedCamera(true.centre, true.R, focal, K[:2, 2] + 0.5, SIZE, 10.0)  # its pixel centres are halves
    whole = Backdrop.of(Scene.of(sport), sport.view, fixed).whole.T
    image = np.stack([whole & 255, (whole >> 8) & 255, (whole >> 16) & 255], axis=-1).astype(np.uint8)
    noise = np.random.default_rng(number).normal(0.0, 3.0, image.shape)
    return _error(np.clip(cv2.GaussianBlur(image, (0, 0), 0.8) + noise, 0, 255).astype(np.uint8), sport, true)


def _recorded(clip: str, name: str, last: int) -> list[float | None]:
    """The same of every twelfth frame of a clip; infinite where something is found that is not labelled."""
    path, errors = DATA / f"{clip}_camera.yaml", []
    true = read_cameras(path)[0] if path.exists() and name == {c: n for c, n, _ in CLIPS}.get(clip) else None
    with open_video(DATA / f"{clip}.mp4", keep_repeats=True) as video:
        for frame in video:
            if frame.number % 12 == 0 and frame.number <= last:
                errors.append(_error(frame.image, sim.load(name), true))
    return errors


def _error(image, sport, true):
    try:
        camera = find_court(image, sport).camera
    except CalibrationError:
        return None
    if true is None:
        return np.inf
    points = np.array(sport.view.landmarks[0].points)
    points = points[true.sees(points)]
    off = [camera.project(points * [side, side, 1.0]) - true.project(points) for side in (1.0, -1.0)]
    return min(float(np.sqrt((each**2).sum(axis=1).mean())) for each in off)


def _print(what, errors):
    found = [error for error in errors if error is not None]
    middle = f"{np.median(found):.2f} px" if found else ""
    wrong = sum(error > WRONG for error in found)
    print(f"{what:32}{len(errors):3d} pictures  found {len(found):3d}  wrong {wrong:3d}  {middle}", flush=True)


if __name__ == "__main__":
    main()
