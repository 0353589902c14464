"""Rendered clips for benchmarks and tests: made once, kept in a temporary folder, with their truth.

    clip = test_clip("tennis", "broadcast", rate=30.0, size=(1280, 720), seed=0)
    clip.path                          # the video; rendering.py says which files are beside it
    clip.camera_at(0.5)                # the true Camera at a time, s
    clip.visible, clip.pixel           # (T,) bool and (T, 2) px of every frame
    clip.events                        # hits and bounces

Their seeds are of the purpose test: no network learns from such a clip.
"""

import csv
import functools
import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ballcast import sim
from ballcast.tracks import Camera, read_cameras, read_moving_camera
from ballcast.vision import crowd, exposure, figures, filming, hall, players, rendering, synthetic

SECONDS = 2.5  # of a clip
MODULES = (crowd, exposure, figures, filming, hall, players, rendering, synthetic)  # that decide how clips look


class Event(NamedTuple):
    """A hit or a bounce."""

    time: float  # s
    kind: str  # "hit", "bounce" or "impact"
    position: np.ndarray  # (3,) m, of the ball's centre
    pixel: np.ndarray  # (2,) px


class Clip(NamedTuple):
    """A rendered video and its truth; T frames."""

    path: Path
    sport: str
    camera_at: Callable[[float], Camera | None]  # of the time in s
    is_moving: bool
    time: np.ndarray  # (T,) s
    pixel: np.ndarray  # (T, 2) px
    diameter: np.ndarray  # (T,) px
    visible: np.ndarray  # (T,) bool
    position: np.ndarray  # (T, 3) m
    events: list[Event]


def test_clip(
    sport: str, view: str | None = None, rate: float | None = None, size: tuple[int, int] = (1280, 720),
    seed: int = 0, *, moving: bool = False, seconds: float = SECONDS, folder: Path | None = None,
) -> Clip:  # fmt: skip
    """The clip of a sport; made if it is not in the folder, by default one for this version of the code.

    view: of filming.VIEWS, None: any. rate: frames/s, None: one of several. seed: of the purpose test.
    """
    folder = folder or Path(tempfile.gettempdir()) / f"ballcast-clips-{_version()}"
    folder.mkdir(parents=True, exist_ok=True)
    words = [sport, view or "any", f"{rate:g}" if rate else "any", f"{size[0]}x{size[1]}", str(seed), f"{seconds:g}"]
    path = folder / ("-".join([*words, "moving"] if moving else words) + ".mp4")
    if not path.is_file():
        clip = synthetic.SyntheticClip(sim.load(sport), seed, "test", None, size, rate, view=view, moving=moving)
        rendering.write_clip(clip, path, max(3, round(seconds * clip.rate)), rendering.quality_of(seed))
    return read_clip(path, sport)


def read_clip(path: Path, sport: str) -> Clip:
    """The clip of a rendered video, from the files beside it."""
    pixels, truth = _numbers(path, "pixels"), _numbers(path, "truth")
    moving = path.with_suffix(".cameras.csv")
    is_moving = moving.is_file()
    if is_moving:
        camera_at: Callable[[float], Camera | None] = read_moving_camera(moving)
    else:
        (camera,) = read_cameras(path.with_suffix(".camera.yaml"))
        camera_at = lambda time: camera  # noqa: E731
    events = [
        Event(float(row["t"]), row["kind"], _of(row, "xyz"), _of(row, "uv")) for row in _rows(path, "events")
    ]  # fmt: skip
    return Clip(
        path, sport, camera_at, is_moving, pixels["t"], np.stack([pixels["u"], pixels["v"]], axis=1),
        pixels["diameter"], pixels["visible"] > 0.5, np.stack([truth[key] for key in "xyz"], axis=1), events,
    )  # fmt: skip


@functools.cache
def _version() -> str:
    """Of the code that makes clips: another one makes other clips."""
    text = b"".join(Path(str(module.__file__)).read_bytes() for module in MODULES)
    return hashlib.sha256(text).hexdigest()[:12] + (f"-{os.getuid()}" if hasattr(os, "getuid") else "")


def _rows(path, kind):
    with open(path.with_suffix(f".{kind}.csv"), newline="") as file:
        return list(csv.DictReader(file))


def _numbers(path, kind):
    rows = _rows(path, kind)
    return {key: np.array([float(row[key] or "nan") for row in rows]) for key in rows[0] if key != "camera"}


def _of(row, keys):
    return np.array([float(row[key] or "nan") for key in keys])
