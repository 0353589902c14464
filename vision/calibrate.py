"""Calibrate the camera of a clip from named points of the place: `ballcast calibrate`.

ballcast calibrate clip.mp4 --sport tennis --points points.csv --out camera.yaml --show fitted.png
ballcast calibrate clip.mp4 --sport tennis --list            # the names that points.csv may have

points.csv has the columns name,u,v: the name of a point in the sport's file, and its pixel. Four points are enough
where the camera looks at the place from an oblique angle; points above the ground, as the tops of net posts, help most.
A column `frame` says of which frame they are; x,y,z (m) are the places of points of your own.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import tyro

from ballcast import command, sim
from ballcast.sim.files import write_atomically
from ballcast.tracks import write_cameras
from ballcast.vision.calibration import Calibration, calibrate_place
from ballcast.vision.landmarks import CalibrationError, NamedPoints, read_points
from ballcast.vision.overlay import draw_place, draw_points
from ballcast.vision.video import Frame, read_frame

PROGRAM = "python -m ballcast.vision.calibrate"
LENS = {"auto": None, "fit": True, "none": False}
PICTURES = (".png", ".jpg", ".jpeg")


@dataclass(frozen=True)
class Options:
    """Calibrate the camera of a clip from named points of the place. Exit status 2: it cannot; nothing is written."""

    video: Annotated[str, tyro.conf.Positional]
    """a video"""
    sport: str = "table_tennis"  # a sport's name, or a .toml file of your own
    points: Path | None = None  # CSV with the columns name,u,v: named points of the place and their pixels
    out: Path | None = None  # write the camera here, a .yaml
    show: Path | None = None  # write the frame with the fitted place drawn over it here, a .png or .jpg
    frame: int | None = None  # of the video, from 0; by default that of the points, else the first
    seen_from: str | None = None  # the side as whose near, far, left and right the names are meant, such as end
    focal: float | None = None  # px, if the focal length is known
    k1: Literal["auto", "fit", "none"] = "auto"  # the lens's distortion: by default fitted from 8 points on
    list: bool = False  # print the names of the sport's points and their places, and end


def main() -> None:
    options = command.options(Options, PROGRAM)
    command.run(PROGRAM, lambda: run(options))


def run(options: Options) -> None:
    """Calibrate, print, write. Raises ValueError or OSError, one line each."""
    sport = sim.load(options.sport)
    if options.list:
        print(listing(sport))
        return
    _check_outputs(options)
    if options.points is None:
        raise CalibrationError("--points is missing: a CSV file with the columns name,u,v; --list prints the names")
    named = read_points(options.points, options.frame)
    frame = read_frame(options.video, (named.frame or 0) if options.frame is None else options.frame)
    height, width = frame.image.shape[:2]
    name = (options.out or Path(options.video)).stem
    side, result = calibrate_place(
        named, sport, (width, height), seen_from=options.seen_from, focal=options.focal,
        distortion=LENS[options.k1], name=name,
    )  # fmt: skip
    print(report(sport, side, named, result))
    if options.show:
        write_picture(options.show, frame, sport, named, result)
    if options.out:
        write_cameras(options.out, [result.camera])
        print(f"{options.out}: the camera")


def report(sport: sim.Sport, side: str, named: NamedPoints, result: Calibration) -> str:
    """What was found, as text of some lines."""
    camera, where = result.camera, f" seen from {side}" if side else ""
    fit = f"{int(result.used.sum())} points of {sport.name}{where}: reprojection {result.rms:.2f} px"
    if result.predicted_rms is not None:
        fit += f", each predicted from the others {result.predicted_rms:.2f} px"
    angle = np.degrees(2.0 * np.arctan(0.5 * camera.size[0] / camera.K[0, 0]))
    lens = f"focal length {camera.K[0, 0]:.0f} px +- {100 * result.focal_spread:.1f} %, {angle:.1f} degrees across"
    if len(camera.distortion):
        lens += f", k1 {camera.distortion[0]:+.3f}"
    x, y, z = camera.centre
    pose = f"camera at ({x:.2f}, {y:.2f}, {z:.2f}) m +- {result.place_spread:.2f} m, its direction "
    return "\n".join([fit, lens, pose + f"+- {np.degrees(result.turn_spread):.2f} degrees", *result.notes])


def listing(sport: sim.Sport) -> str:
    """The named points of a sport, as CSV."""
    if not sport.view.landmarks:
        raise CalibrationError(f"{sport.name} names no points of its place: give yours with columns name,u,v,x,y,z")
    rows = [
        f"{side.seen_from},{name},{x:g},{y:g},{z:g}"
        for side in sport.view.landmarks
        for name, (x, y, z) in zip(side.names, side.points)
    ]
    return "\n".join(["seen_from,name,x,y,z", *rows])


def write_picture(path: Path, frame: Frame, sport: sim.Sport, named: NamedPoints, result: Calibration) -> None:
    """Write the frame with the place and the points drawn over it."""
    import cv2

    drawn = draw_place(frame.image, result.camera, sport)
    drawn = draw_points(drawn, named.pixels, named.pixels - result.residuals, result.used)
    write_atomically(path, cv2.imencode(path.suffix, drawn)[1].tobytes())


def _check_outputs(options):
    """Refuse, before anything is done, what could not be written."""
    for path, endings in ((options.out, (".yaml", ".yml")), (options.show, PICTURES)):
        if path is not None and path.suffix not in endings:
            raise CalibrationError(f"{path}: its name has to end in {' or '.join(endings)}")
        if path is not None and not path.parent.is_dir():
            raise CalibrationError(f"{path}: there is no folder {path.parent}")


if __name__ == "__main__":
    main()
