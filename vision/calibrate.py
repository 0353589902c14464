"""Find the camera of a clip: `ballcast calibrate`.

ballcast calibrate clip.mp4 --sport tennis --points points.csv --out camera.yaml --show fitted.png
ballcast calibrate clip.mp4 --sport tennis --out camera.yaml               # from the lines of the court alone
ballcast calibrate clip.mp4 --sport tennis --out camera.yaml --window      # by hand, in a window
ballcast calibrate clip.mp4 --sport tennis --moving cameras.csv            # a camera that turns and zooms
ballcast calibrate clip.mp4 --sport tennis --list                          # the names that points.csv may have

points.csv has the columns name,u,v: the name of a point in the sport's file, and its pixel. Four points are enough
where the camera looks at the place from an oblique angle; points above the ground, as the tops of net posts, help most.
A column `frame` says of which frame they are; x,y,z (m) are the places of points of your own. Without points, the lines
of the court or table are looked for; where they are not found for sure, it says so, and offers the window if somebody
is there to answer.
"""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import tyro
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ballcast import command, sim
from ballcast.sim.files import write_atomically
from ballcast.tracks import write_cameras
from ballcast.vision.calibration import Calibration, calibrate_place
from ballcast.vision.court_finder import find_court
from ballcast.vision.landmarks import CalibrationError, NamedPoints, read_points
from ballcast.vision.overlay import draw_place, draw_points
from ballcast.vision.video import Frame, open_video, read_frame

PROGRAM = "python -m ballcast.vision.calibrate"
LENS = {"auto": None, "fit": True, "none": False}
TRIES, TRY_EVERY = 6, 0.4  # frames in which lines are looked for; s from one to the next
RUNS = 8  # of lost frames, in one line
PICTURES = (".png", ".jpg", ".jpeg")


@dataclass(frozen=True)
class Options:
    """Find the camera of a clip. Exit status 2: it is not found, and nothing is written."""

    video: Annotated[str, tyro.conf.Positional]
    """a video"""
    sport: str = "table_tennis"  # a sport's name, or a .toml file of your own
    points: Path | None = None  # CSV, columns name,u,v: named points of the place; without it, lines are looked for
    out: Path | None = None  # write the camera here, a .yaml
    show: Path | None = None  # write the frame with the fitted place drawn over it here, a .png or .jpg
    moving: Path | None = None  # follow a camera that turns and zooms by the lines: one row a frame, a .csv
    frame: int | None = None  # of the video, from 0; by default that of the points, else one where lines are found
    seen_from: str | None = None  # the side as whose near, far, left and right the names are meant, such as end
    focal: float | None = None  # px, if the focal length is known; with points
    k1: Literal["auto", "fit", "none"] = "auto"  # the lens's distortion: by default fitted from 8 points on
    window: bool = False  # open a window, in which points are put onto the picture with the mouse
    size: str = "1280x720"  # of the window, in px
    headless: bool = False  # with --window: paint one picture of it and end, without a screen
    screenshot: Path | None = None  # with --window: save the last picture as this PNG
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
    if options.moving:
        write_moving(options.video, sport, options.moving)
        return
    named = None if options.points is None else read_points(options.points, options.frame)
    if options.window:
        print(_by_hand(options, sport, named, search=named is None))
        return
    if named is None:
        try:
            frame, result = from_lines(options, sport)
        except CalibrationError as error:
            if not _wants_window(options, sport, error):
                raise
            print(_by_hand(options, sport, None, search=False))
            return
        print(line_report(sport, frame, result))
    else:
        frame, side, result = from_points(options, sport, named)
        print(report(sport, side, named, result))
    if options.show:
        write_picture(options.show, frame, sport, named, result)
    if options.out:
        write_cameras(options.out, [result.camera])
        print(f"{options.out}: the camera")


def _by_hand(options, sport, named, search):
    """Open the window: what was saved, as text."""
    return command.load_window("calibration").open_window(options, sport, named, search)


def _wants_window(options, sport, error):
    """Say why the lines did not give a camera, and ask whether the window shall be opened.

    False, without a question, where nobody could answer or see it: in a script, without a display, without --out.
    """
    is_asked = sys.stdin.isatty() and sys.stderr.isatty() and has_display() and options.out and sport.view.landmarks
    if not is_asked:
        return False
    print(f"{error}. Open the window now? [Y/n] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("", "y", "yes")


def has_display() -> bool:
    """Whether a window can probably be opened."""
    return sys.platform in ("win32", "darwin") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def points_file(options: Options) -> Path:
    """Where the window saves the points: beside the camera."""
    out = options.out or Path(options.video).with_suffix(".yaml")
    return out.with_name(f"{out.stem}.points.csv")


def from_points(options: Options, sport: sim.Sport, named: NamedPoints) -> tuple[Frame, str, Calibration]:
    """The frame, the side from which it shows the place, and the Calibration from named points."""
    frame = read_frame(options.video, (named.frame or 0) if options.frame is None else options.frame)
    height, width = frame.image.shape[:2]
    side, result = calibrate_place(
        named, sport, (width, height), seen_from=options.seen_from, focal=options.focal,
        distortion=LENS[options.k1], name=(options.out or Path(options.video)).stem,
    )  # fmt: skip
    return frame, side, result


def from_lines(options: Options, sport: sim.Sport) -> tuple[Frame, Calibration]:
    """The frame in which the lines are found, the one asked for or the first of several, and the Calibration."""
    name = (options.out or Path(options.video)).stem
    if options.frame is not None:
        frame = read_frame(options.video, options.frame)
        return frame, find_court(frame.image, sport, name)
    tried, first = 0, None
    with open_video(options.video) as video:
        for frame in video:
            if frame.time < tried * TRY_EVERY:
                continue
            try:
                return frame, find_court(frame.image, sport, name)
            except CalibrationError as error:
                first, tried = first or error, tried + 1
            if tried == TRIES:
                break
    raise CalibrationError(f"{options.video}: {first} ({tried} frames tried)")


def write_moving(name: str, sport: sim.Sport, path: Path) -> None:
    """Write the camera of every frame in which the lines are found."""
    from ballcast.vision.moving import HEADER, follow, row

    rows, lost = [HEADER], []
    with open_video(name) as video, _progress(video.count) as progress:
        task = progress.add_task("following the lines", total=video.count)
        for number, time, fit in follow(video, sport):
            progress.update(task, completed=number + 1)
            if fit is None:
                lost.append(number)
            else:
                rows.append(row(number, time, fit))
    if len(rows) == 1:
        raise CalibrationError(f"{name}: the lines of {sport.name} are found in none of {len(lost)} frames")
    write_atomically(path, ("\n".join(rows) + "\n").encode())
    where = f"; lost in the frames {_runs(lost)}" if lost else ""
    print(f"{path}: the camera of {len(rows) - 1} frames{where}")


def line_report(sport: sim.Sport, frame: Frame, result: Calibration) -> str:
    """What was found of the lines, as text of some lines."""
    found = f"{len(result.residuals)} places on the lines of {sport.name} in frame {frame.number}"
    return "\n".join([f"{found}: {result.rms:.2f} px off", *_camera_lines(result)])


def report(sport: sim.Sport, side: str, named: NamedPoints, result: Calibration) -> str:
    """What was found from points, as text of some lines."""
    where = f" seen from {side}" if side else ""
    fit = f"{int(result.used.sum())} points of {sport.name}{where}: reprojection {result.rms:.2f} px"
    if result.predicted_rms is not None:
        fit += f", each predicted from the others {result.predicted_rms:.2f} px"
    return "\n".join([fit, *_camera_lines(result), *result.notes])


def _camera_lines(result):
    """Lens and pose with their standard deviations."""
    camera = result.camera
    angle = np.degrees(2.0 * np.arctan(0.5 * camera.size[0] / camera.K[0, 0]))
    lens = f"focal length {camera.K[0, 0]:.0f} px +- {100 * result.focal_spread:.1f} %, {angle:.1f} degrees across"
    if len(camera.distortion):
        lens += f", k1 {camera.distortion[0]:+.3f}"
    x, y, z = camera.centre
    pose = f"camera at ({x:.2f}, {y:.2f}, {z:.2f}) m +- {result.place_spread:.2f} m, its direction "
    return lens, pose + f"+- {np.degrees(result.turn_spread):.2f} degrees"


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


def write_picture(path: Path, frame: Frame, sport: sim.Sport, named: NamedPoints | None, result: Calibration) -> None:
    """Write the frame with the place and the points, if there are any, drawn over it."""
    import cv2

    drawn = draw_place(frame.image, result.camera, sport)
    if named is not None:
        drawn = draw_points(drawn, named.pixels, named.pixels - result.residuals, result.used)
    write_atomically(path, cv2.imencode(path.suffix, drawn)[1].tobytes())


def _progress(count):
    """A bar on standard error."""
    left = [MofNCompleteColumn(), TimeRemainingColumn()] if count else [MofNCompleteColumn()]
    console = Console(stderr=True)
    return Progress(TextColumn("{task.description}"), BarColumn(), *left, console=console, transient=True,
                    disable=not console.is_terminal)  # fmt: skip


def _runs(numbers):
    """Numbers as text: 3, 7-12."""
    runs = np.split(np.array(numbers), np.flatnonzero(np.diff(numbers) > 1) + 1)
    texts = [f"{run[0]}" if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs]
    return ", ".join(texts[:RUNS]) + (f" and {len(texts) - RUNS} more" if len(texts) > RUNS else "")


def _check_outputs(options):
    """Refuse, before anything is done, what could not be written."""
    if options.moving and (options.points or options.out or options.show or options.frame is not None):
        raise CalibrationError(
            "--moving writes a camera for every frame: leave out --points, --out, --show and --frame"
        )
    if options.window and options.moving:
        raise CalibrationError("--moving follows lines without anybody's help: leave out --window")
    if options.window and not (options.out or options.headless):
        raise CalibrationError("--window needs --out camera.yaml: where S saves")
    if not options.window and (options.headless or options.screenshot):
        raise CalibrationError("--headless and --screenshot are for --window: add it")
    for path, endings in (
        (options.screenshot, (".png",)),
        (options.out, (".yaml", ".yml")),
        (options.show, PICTURES),
        (options.moving, (".csv",)),
    ):
        if path is not None and path.suffix not in endings:
            raise CalibrationError(f"{path}: its name has to end in {' or '.join(endings)}")
        if path is not None and not path.parent.is_dir():
            raise CalibrationError(f"{path}: there is no folder {path.parent}")


if __name__ == "__main__":
    main()
