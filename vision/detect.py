"""Find the ball in every frame of a video: `ballcast detect`.

ballcast detect clip.mp4 --out pixels.csv
ballcast detect clip.mp4 --out pixels.csv --events events.csv --sport tennis --camera camera.yaml

pixels.csv has a row for every frame but copies:
    frame         in the order of decoding, from 0
    t             s, when it was taken
    u, v          px, the middle of the ball's streak; empty where the ball is not seen
    diameter      px, across the streak; length: px, of the streak; angle: rad, of the streak from u towards v
    probability   that this is the ball in play; 0 where it is not seen
    flight        number of the flight, from 0; a hit, or a new ball, begins the next
events.csv has a row for every hit and bounce:
    t, frame      when: s, and the frame with its fraction
    kind          hit or bounce
    u, v          px, where in the picture
    x, y, z       m, the ball's centre; of bounces, with --camera
    speed_before, speed_after, unit      m/s of bounces with --camera, else px/s

Without --network, the network that ships searches the frames; where nothing runs it, what moves is looked for.
"""

import csv
import io
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import numpy as np
import tyro

from ballcast import command

if TYPE_CHECKING:
    from ballcast.tracks import Camera
    from ballcast.vision.bounces import Happening

PROGRAM = "python -m ballcast.vision.detect"
PIXEL_COLUMNS = "frame", "t", "u", "v", "diameter", "length", "angle", "probability", "flight"
EVENT_COLUMNS = ("t", "frame", "kind", "u", "v", "x", "y", "z", "speed_before", "speed_after", "unit")
NEW_BALL = 1.0  # s without a ball after which it is another one

CameraAt = Callable[[float], "Camera | None"]


@dataclass(frozen=True)
class Options:
    """Find the ball in every frame of a video. Exit status 2, or 130 after Ctrl-C: nothing is written."""

    video: Annotated[str, tyro.conf.Positional]
    """a video, or the number of a camera such as 0, until Ctrl-C"""
    out: Path  # write where the ball is in each frame here, a .csv
    events: Path | None = None  # write hits and bounces here, a .csv
    sport: str | None = None  # a sport's name, or a .toml file of your own; with --camera
    camera: Path | None = None  # the video's camera, .yaml; or the camera of each frame, .csv: places and speeds in m
    network: Path | None = None  # a file of weights, .onnx; by default the network that ships


class Found(NamedTuple):
    """What was found in a video; N frames."""

    frame: np.ndarray  # (N,) numbers
    time: np.ndarray  # (N,) s
    pixel: np.ndarray  # (N, 2) px, NaN where the ball is not seen
    shape: np.ndarray  # (N, 3) diameter, length px, angle rad
    probability: np.ndarray  # (N,)
    size: tuple[int, int]  # px
    notes: list[str]


def main() -> None:
    options = command.options(Options, PROGRAM)
    command.run(PROGRAM, lambda: run(options))


def run(options: Options) -> None:
    """Search the video, print, write. Raises ValueError or OSError, one line each."""
    from ballcast import sim
    from ballcast.vision.video import open_video

    check(options)
    sport = None if options.sport is None else sim.load(options.sport)
    with open_video(options.video) as video:
        camera_at = None if options.camera is None else read_camera_at(options.camera, video.size, video.rate)
        found = search(video, options.network)
    command.print_notes(found.notes)
    happenings = events_of(found, sport, camera_at)
    flights = flights_of(found, happenings)
    texts = {options.out: pixel_text(found, flights)}
    if options.events is not None:
        texts[options.events] = event_text(found, happenings)
    write_all(texts)
    print(report(options, flights, happenings))


def search(video: Any, network: Path | None = None) -> Found:
    """What is found in an open Video, frame by frame, in the picture alone; the candidates of a frame are not kept."""
    from ballcast.vision.finders import open_finder
    from ballcast.vision.follow import SETTLED, Follower

    follower = Follower(open_finder(network), video.size)
    rows, notes, count = [], [], 0
    with _progress(video.count) as progress:
        task = progress.add_task(Path(video.name).name, total=video.count)
        try:
            for frame in video:
                note = follower.observe(frame).note
                count += 1
                if count > SETTLED:
                    rows.append(_row(follower.image.settled(SETTLED)[0]))
                if note and note not in notes:
                    notes.append(note)
                progress.update(task, completed=frame.number + 1)
        except KeyboardInterrupt:
            if not video.is_camera or not count:
                print(f"stopped after {count} frames; nothing is written", file=sys.stderr)
                raise SystemExit(130) from None
    rows += [_row(follower.image.settled(delay)[0]) for delay in reversed(range(min(count, SETTLED)))]
    table = np.array(rows, float).reshape(-1, 8)
    notes = [*video.notes, *(f"{video.name}: {note}" for note in notes)]
    return Found(
        table[:, 0].astype(int), table[:, 1], table[:, 2:4], table[:, 4:7], table[:, 7], video.size, notes
    )  # fmt: skip


def _row(seen):
    """A frame as numbers: number, time, pixel, shape, probability."""
    if seen.pixel is None:
        return [seen.number, seen.time, *[np.nan] * 5, 0.0]
    shape = seen.diameter, seen.length, seen.angle
    return [seen.number, seen.time, *seen.pixel, *shape, seen.probability]


def events_of(found: Found, sport: Any, camera_at: CameraAt | None) -> "list[Happening]":
    """Hits and bounces, from all frames; in space, if there are a sport and a camera."""
    from ballcast.vision.bounces import find_happenings, refined

    happenings = find_happenings(found.time, found.pixel, found.size, sport, camera_at)
    if camera_at is None or not happenings:
        return happenings
    camera = camera_at(happenings[0].time)
    if camera is None or any(camera_at(event.time) is not camera for event in happenings):
        return happenings
    return refined(happenings, found.time, found.pixel, sport, camera)


def flights_of(found: Found, happenings: "list[Happening]") -> np.ndarray:
    """The number (N,) of the flight in each frame: a hit begins the next, and a new ball; -1 where no ball is seen."""
    hits = [event.time for event in happenings if event.kind == "hit"]
    seen = np.flatnonzero(np.isfinite(found.pixel).all(axis=1))
    flights = np.full(len(found.time), -1)
    if len(seen):
        number = np.searchsorted(hits, found.time[seen])
        is_new = np.diff(found.time[seen]) > NEW_BALL
        starts = np.concatenate([[0], np.cumsum(is_new | (np.diff(number) > 0))])
        flights[seen] = starts
    return flights


def read_camera_at(path: Path, size: tuple[int, int], rate: float) -> CameraAt:
    """The Camera of each time, s, from a .yaml or a .csv. ValueError if it is of pictures of another size."""
    from ballcast.tracks import read_cameras, read_moving_camera

    if path.suffix.lower() == ".csv":
        moving = read_moving_camera(path, size, rate)
        first, camera_at = moving.cameras[0], moving
    else:
        cameras = read_cameras(path)
        if len(cameras) > 1:
            raise ValueError(f"{path}: {len(cameras)} cameras; a video has one: leave the others out")
        first = cameras[0]
        camera_at = lambda time: first  # noqa: E731
    if tuple(first.size) != tuple(size):
        (a, b), (c, d) = first.size, size
        raise ValueError(f"{path}: a camera of {a} x {b} px, and the video has {c} x {d}; calibrate with this video")
    return camera_at


def pixel_text(found: Found, flights: np.ndarray) -> str:
    """pixels.csv."""
    digits = "d", ".6f", ".2f", ".2f", ".2f", ".2f", ".3f", ".3f", "d"
    rows = []
    for k in range(len(found.time)):
        values = [found.frame[k], found.time[k], *found.pixel[k], *found.shape[k], found.probability[k], flights[k]]
        rows.append([format(int(v) if d == "d" else v, d) for v, d in zip(values, digits)])
        if flights[k] < 0:
            rows[-1][2:7], rows[-1][8] = [""] * 5, ""
    return _csv(PIXEL_COLUMNS, rows)


def event_text(found: Found, happenings: "list[Happening]") -> str:
    """events.csv."""
    rows = []
    for event in happenings:
        frame = np.interp(event.time, found.time, found.frame)
        place = [""] * 3 if event.place is None else [f"{value:.4f}" for value in event.place]
        speeds = [f"{value:.2f}" for value in (event.speed_before, event.speed_after)]
        pixel = [f"{value:.2f}" for value in event.pixel]
        rows.append([f"{event.time:.6f}", f"{frame:.3f}", event.kind, *pixel, *place, *speeds,
                     "px/s" if event.place is None else "m/s"])  # fmt: skip
    return _csv(EVENT_COLUMNS, rows)


def write_all(texts: dict[Path, str]) -> None:
    """Write files; each appears whole or not at all."""
    from ballcast.sim.files import write_atomically

    for path, text in texts.items():
        write_atomically(path, text.encode())


def report(options: Options, flights: np.ndarray, happenings: "list[Happening]") -> str:
    """What was found, as a line of text."""
    seen, kinds = flights[flights >= 0], [event.kind for event in happenings]
    if not len(seen):
        return f"{options.out}: no ball was found in {len(flights)} frames"
    what = f"{options.out}: the ball in {len(seen)} of {len(flights)} frames, {_counted(seen[-1] + 1, 'flight')}"
    return f"{what}; {_counted(kinds.count('hit'), 'hit')}, {_counted(kinds.count('bounce'), 'bounce')}"


def check(options: Options) -> None:
    """Refuse, before anything is done, what cannot work. Raises ValueError."""
    for name, path in (("--out", options.out), ("--events", options.events)):
        if path is None:
            continue
        if path.suffix.lower() != ".csv":
            raise ValueError(f"{name} {path}: its name has to end in .csv")
        if not path.absolute().parent.is_dir():
            raise ValueError(f"{name} {path}: there is no folder {path.parent}")
    if options.events == options.out:
        raise ValueError(f"--events {options.events}: give it another name than --out")
    if options.camera is not None and options.sport is None:
        raise ValueError(f"--camera {options.camera}: of which sport? Add --sport NAME")


def _counted(count, noun):
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _csv(header, rows):
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


def _progress(count):
    """A bar on standard error."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    left = [MofNCompleteColumn(), TimeRemainingColumn()] if count else [MofNCompleteColumn()]
    console = Console(stderr=True)
    return Progress(TextColumn("{task.description}", markup=False), BarColumn(), *left, console=console,
                    transient=True, disable=not console.is_terminal)  # fmt: skip


if __name__ == "__main__":
    main()
