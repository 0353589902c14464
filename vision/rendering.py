"""Render a synthetic video of a sport, with its truth beside it: `ballcast render`.

ballcast render --sport tennis --out clip.mp4 --seed 3
ballcast render --sport tennis --out phone.mp4 --view phone --size 720 1280 --rate 60
ballcast render --sport tennis --out moving.mp4 --view broadcast --moving

writes clip.mp4 and beside it
    clip.pixels.csv   t,camera,u,v,diameter,visible: where the ball is in each frame (s, px)
    clip.camera.yaml  the camera, as read_cameras takes it; with --moving instead
    clip.cameras.csv  the camera of each frame, as read_moving_camera takes it
    clip.truth.csv    t,x,y,z,vx,vy,vz: where the ball is in space (m, m/s)
    clip.events.csv   t,kind,x,y,z,u,v: hits, bounces and other impacts

Files appear whole or not at all. The clip is compressed by imageio-ffmpeg (H.264, as phones and broadcasters do) where
it is installed, else by OpenCV (MPEG-4).
"""

import contextlib
import importlib.util
import io
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ballcast import command

if TYPE_CHECKING:
    from ballcast.vision.synthetic import SyntheticClip, Truth

PROGRAM = "python -m ballcast.vision.rendering"
QUALITY = 18, 30  # constant rate factor of H.264, from fine to coarse
SIDES = 64, 4096  # px, of a picture


@dataclass(frozen=True, kw_only=True)
class Options:
    """Render a synthetic video of a sport, with its truth beside it."""

    sport: str  # a sport's name, or a .toml file of your own
    out: Path  # the video to write, .mp4; one that is there is replaced
    seed: int = 0  # of rally, camera and looks
    view: Literal["any", "broadcast", "side", "behind", "corner", "phone"] = "any"  # from where it is filmed
    moving: bool = False  # the camera turns and zooms slowly
    frames: int | None = None  # how many; by default those of one rally
    size: tuple[int, int] | None = None  # of the pictures, px: width height; by default 1280 720, or that of --camera
    camera: Path | None = None  # a file of a camera to film from; by default a random plausible one
    rate: float | None = None  # frames/s; by default one of 25, 30, 50, 60


def main() -> None:
    options = command.options(Options, PROGRAM)
    command.run(PROGRAM, lambda: run(options))


def run(options: Options) -> None:
    """Write the files. Raises ValueError or OSError with one line."""
    from ballcast import sim
    from ballcast.tracks import read_cameras
    from ballcast.vision.filming import resized
    from ballcast.vision.synthetic import SyntheticClip

    check(options)
    sport = sim.load(options.sport)
    camera = read_cameras(options.camera)[0] if options.camera else None
    if camera is not None and options.size is not None:
        camera = resized(camera, options.size)
    clip = SyntheticClip(sport, options.seed, "test", camera, options.size or (1280, 720), options.rate,
                         view=None if options.view == "any" else options.view, moving=options.moving)  # fmt: skip
    truths = write_clip(clip, options.out, options.frames, quality_of(options.seed), shows_progress=True)
    seen = sum(truth.is_visible for truth in truths)
    x, y, z = clip.camera.centre
    print(f"{options.out}: {len(truths)} frames, {clip.rate:g}/s, exposed for {1e3 * clip.exposure:.1f} ms, "
          f"the ball visible in {seen}; camera at ({x:.1f}, {y:.1f}, {z:.1f}) m")  # fmt: skip


def quality_of(seed: int) -> int:
    """How strongly the clip of a seed is compressed: the constant rate factor of H.264."""
    return int(np.random.default_rng(seed).integers(QUALITY[0], QUALITY[1] + 1))


def write_clip(
    clip: "SyntheticClip", path: Path, frames: int | None, quality: int, shows_progress: bool = False
) -> "list[Truth]":
    """Write the video of a clip and the files of its truth; the Truth of each frame.

    frames: how many; None: those of its first rally. quality: as of `quality_of`. Raises OSError.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console, truths = Console(stderr=True), []
    columns = TextColumn(path.name, markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    is_hidden = not (shows_progress and console.is_terminal)
    with Progress(*columns, console=console, disable=is_hidden, transient=True) as bar:
        task = bar.add_task("", total=frames)
        try:
            with video_writer(path, clip.camera.size, clip.rate, quality) as write:
                for image, truth in clip.frames(frames):
                    write(image)
                    truths.append(truth)
                    bar.advance(task)
                write_truth(path, clip, truths)
        except KeyboardInterrupt:
            print(f"stopped after {len(truths)} frames; {path} is not written", file=sys.stderr)
            raise SystemExit(130) from None
    return truths


def check(options: Options) -> None:
    """Refuse options that cannot work. Raises ValueError."""
    if options.out.suffix.lower() != ".mp4":
        raise ValueError(f"--out {options.out}: name the video to write, one that ends in .mp4")
    if options.out.is_dir() or not os.access(options.out.absolute().parent, os.W_OK):
        raise ValueError(f"--out {options.out}: cannot be written there; name a file in another folder")
    if options.seed < 0 or (options.frames is not None and options.frames < 1):
        raise ValueError(f"--seed {options.seed} must be at least 0, --frames {options.frames} at least 1")
    if options.rate is not None and not 1.0 <= options.rate <= 1000.0:
        raise ValueError(f"--rate {options.rate:g} must be from 1 to 1000 frames/s")
    if options.size and not all(SIDES[0] <= side <= SIDES[1] and side % 2 == 0 for side in options.size):
        width, height = options.size
        raise ValueError(f"--size {width} {height}: sides must be even and from {SIDES[0]} to {SIDES[1]} px")


@contextlib.contextmanager
def video_writer(path: Path, size: tuple[int, int], rate: float, quality: int):
    """Write a video of images (H, W, 3) uint8, blue, green, red: a function that takes each. A file, or none at all."""
    from ballcast.sim.files import aside, sync_and_rename

    temporary = aside(path).with_suffix(".mp4")
    write, finish = (_by_ffmpeg if importlib.util.find_spec("imageio_ffmpeg") else _by_opencv)(
        temporary, size, rate, quality
    )
    try:
        try:
            yield write
        finally:
            finish()
        sync_and_rename(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _by_ffmpeg(path, size, rate, quality) -> tuple[Callable[[np.ndarray], Any], Callable[[], Any]]:
    import imageio_ffmpeg

    settings = ["-crf", str(quality), "-preset", "veryfast", "-threads", "1"]
    settings = {"codec": "libx264", "macro_block_size": 1, "ffmpeg_log_level": "error", "output_params": settings}
    writer = imageio_ffmpeg.write_frames(str(path), size, pix_fmt_in="bgr24", fps=rate, **settings)
    writer.send(None)
    return lambda image: writer.send(np.ascontiguousarray(image)), writer.close


def _by_opencv(path, size, rate, quality) -> tuple[Callable[[np.ndarray], Any], Callable[[], Any]]:
    import cv2

    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), rate, size)
    if not writer.isOpened():
        raise OSError(f"{path}: OpenCV cannot write MP4 here; pip install imageio-ffmpeg, or ballcast[record]")
    return writer.write, writer.release


def write_truth(path: Path, clip: "SyntheticClip", truths: "list[Truth]") -> None:
    """Write what is true beside a video PATH, given the Truth of each frame: see above which files."""
    from ballcast.tracks import write_cameras, write_moving_camera

    name = clip.camera.name or "camera"
    pixels = [
        (f"{t.time:.6f}", name, *_rounded(t.pixel, 3), *_rounded([t.diameter], 3), int(t.is_visible)) for t in truths
    ]
    _write_csv(path, "pixels", ("t", "camera", "u", "v", "diameter", "visible"), pixels)
    rows = [(f"{t.time:.6f}", *_rounded(t.position, 6), *_rounded(t.velocity, 6)) for t in truths]
    _write_csv(path, "truth", ("t", "x", "y", "z", "vx", "vy", "vz"), rows)
    events = [
        (f"{e.time:.6f}", e.kind, *_rounded(e.position, 6), *_rounded(clip.camera_at(e.time).project(e.position), 3))
        for e in clip.events
    ]
    _write_csv(path, "events", ("t", "kind", "x", "y", "z", "u", "v"), events)
    if clip.is_moving:
        times = [truth.time for truth in truths]
        write_moving_camera(path.with_suffix(".cameras.csv"), times, [clip.camera_at(time) for time in times])
    else:
        write_cameras(path.with_suffix(".camera.yaml"), [clip.camera])


def _rounded(values, digits):
    """Numbers as text, empty for NaN."""
    return [f"{value:.{digits}f}" if np.isfinite(value) else "" for value in values]


def _write_csv(path, kind, header, rows):
    import csv

    from ballcast.sim.files import write_atomically

    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    write_atomically(path.with_suffix(f".{kind}.csv"), text.getvalue().encode())


if __name__ == "__main__":
    main()
