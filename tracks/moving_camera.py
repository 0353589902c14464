"""A camera that turns and zooms: one Camera for each frame, and between them.

    camera_at = read_moving_camera("cameras.csv", size=(1280, 720))   # as `ballcast calibrate --moving` writes it
    camera_at(1.52)                                  # the Camera at a time, s; None where it is unknown
    write_moving_camera("copy.csv", camera_at.times, camera_at.cameras)

The file has a row for each frame in which the camera is known: frame, time (s), f (px), k1, rx, ry, rz (OpenCV's
rotation vector, rad), tx, ty, tz (m). The principal point is in the middle of the picture, unless there are columns cx
and cy (px); k2, p1 and p2 are further numbers of the distortion, width and height the size of the picture.
"""

import csv
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from ballcast.tracks.camera import Camera, rotation_of
from ballcast.tracks.table import number_in
from ballcast.tracks.track import TrackError
from ballcast.tracks.writing import write_whole

NEEDED = "f", "rx", "ry", "rz", "tx", "ty", "tz"
LENS = "k1", "k2", "p1", "p2"
COLUMNS = ("frame", "time", "f", "k1", "rx", "ry", "rz", "tx", "ty", "tz", "k2", "p1", "p2", "cx", "cy", "width",
           "height")  # fmt: skip
MAX_GAP = 3.5  # usual intervals between two rows; the camera is unknown within a longer one


@dataclass(frozen=True, eq=False)
class MovingCamera:
    """A camera at each of several times, (N,) s, which rise. Calling it gives the Camera at a time.

    Between two times the picture moves evenly. Half an interval before the first and after the last the camera is that
    of the nearest; farther away, and within gaps of more than MAX_GAP usual intervals, it is unknown: None.
    """

    times: np.ndarray
    cameras: tuple[Camera, ...]

    def __post_init__(self):
        times = np.array(self.times, float)
        if len(times) != len(self.cameras) or not len(times):
            raise TrackError(f"{len(times)} times for {len(self.cameras)} cameras; a moving camera needs one for each")
        if not (np.isfinite(times).all() and (np.diff(times) > 0.0).all()):
            raise TrackError("the times of a moving camera have to rise")
        times.flags.writeable = False
        object.__setattr__(self, "times", times)

    def __call__(self, time: float) -> Camera | None:
        """The Camera at a time, s; None where it is unknown."""
        after = int(np.searchsorted(self.times, time))
        if after == 0 or after == len(self.times):
            end = 0 if after == 0 else len(self.times) - 1
            return self.cameras[end] if abs(time - self.times[end]) <= 0.5 * self.interval + 1e-9 else None
        before, gap = after - 1, self.times[after] - self.times[after - 1]
        share = float((time - self.times[before]) / gap)
        if gap > MAX_GAP * self.interval:
            nearest = before if share < 0.5 else after
            return self.cameras[nearest] if abs(time - self.times[nearest]) <= 0.5 * self.interval else None
        return between(self.cameras[before], self.cameras[after], share)

    @cached_property
    def interval(self) -> float:
        """The usual time between two rows, s."""
        return float(np.median(np.diff(self.times))) if len(self.times) > 1 else 1.0


def between(a: Camera, b: Camera, share: float) -> Camera:
    """The Camera at a share, 0 to 1, of the way from one to another: it turns about one axis, and zooms evenly."""
    if share <= 0.0 or share >= 1.0:
        return a if share <= 0.0 else b
    turn = vector_of(b.R @ a.R.T)
    R = rotation_of(share * turn) @ a.R
    centre = a.centre + share * (b.centre - a.centre)
    K = a.K + share * (b.K - a.K)
    distortion = a.coefficients + share * (b.coefficients - a.coefficients)
    return Camera(K, distortion if distortion.any() else [], R, -R @ centre, a.size, a.name)


def vector_of(R: np.ndarray) -> np.ndarray:
    """OpenCV's rotation vector (3,) rad of a rotation (3, 3); by less than half a turn."""
    skew = 0.5 * np.array([R[2, 1] - R[1, 2], R[0, 2] - R[2, 0], R[1, 0] - R[0, 1]])
    sine, cosine = float(np.linalg.norm(skew)), 0.5 * (float(np.trace(R)) - 1.0)
    if sine > 1e-8:
        return skew / sine * np.arctan2(sine, cosine)
    if cosine > 0.0:
        return skew
    axis = np.sqrt(np.maximum(0.5 * (np.diag(R) + 1.0), 0.0))  # half a turn
    largest = int(axis.argmax())
    signs = np.where(R[largest] + R[:, largest] < 0.0, -1.0, 1.0)
    signs[largest] = 1.0
    return np.pi * axis * signs / np.linalg.norm(axis)


def read_moving_camera(
    path: str | os.PathLike, size: tuple[int, int] | None = None, rate: float | None = None
) -> MovingCamera:
    """The MovingCamera in a CSV file.

    size   (width, height) px of the pictures, if the file has no columns width and height
    rate   frames/s, if the file has no column time
    Raises TrackError, one line: what is wrong, in which row, how to mend it.
    """
    name = str(path)
    try:
        rows = list(csv.DictReader(Path(path).read_text(encoding="utf-8-sig").splitlines()))
    except (OSError, UnicodeError) as error:
        raise TrackError(f"{name}: cannot be read ({getattr(error, 'strerror', None) or error})") from error
    if not rows:
        raise TrackError(f"{name}: it has no rows; `ballcast calibrate VIDEO --moving {Path(name).name}` writes some")
    missing = [column for column in NEEDED if column not in rows[0]]
    if missing:
        known = ", ".join(NEEDED)
        raise TrackError(f"{name}: the column {missing[0]} is missing; a file of a moving camera has {known}")
    times, cameras = [], []
    for number, row in enumerate(rows, start=2):
        where = f"{name}, row {number}"
        numbers = {key: number_in(where, cell or "") for key, cell in row.items() if key in COLUMNS}
        times.append(_time_of(where, numbers, rate))
        try:
            cameras.append(_camera_of(where, numbers, size, Path(name).stem))
        except TrackError as error:
            raise TrackError(f"{where}: {error}" if where not in str(error) else str(error)) from error
    return _checked(name, times, cameras)


def write_moving_camera(
    path: str | os.PathLike, times: ArrayLike, cameras: Sequence[Camera], frames: Sequence[int] | None = None
) -> None:
    """Write cameras at times (N,) s as read_moving_camera reads them. The file appears whole or not at all."""
    numbers = range(len(cameras)) if frames is None else frames
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for frame, time, camera in zip(numbers, np.asarray(times, float), cameras):
        lens = camera.coefficients[:4]
        values = [camera.K[0, 0], lens[0], *vector_of(camera.R), *camera.t, *lens[1:], *camera.K[:2, 2]]
        writer.writerow([frame, f"{time:.6f}", *(f"{value:.9g}" for value in values), *camera.size])
    write_whole(Path(path), text.getvalue())


def _time_of(where, numbers, rate):
    if "time" in numbers:
        return numbers["time"]
    if "frame" in numbers and rate:
        return numbers["frame"] / rate
    raise TrackError(f"{where}: the file has no column time; add one, s")


def _camera_of(where, numbers, size, name):
    """The Camera of a row."""
    if "width" in numbers and "height" in numbers:
        size = int(numbers["width"]), int(numbers["height"])
    if size is None:
        raise TrackError(f"{where}: how large are the pictures? Add the columns width and height, px")
    cx, cy = (numbers.get(key, 0.5 * (side - 1)) for key, side in zip(("cx", "cy"), size))
    K = np.array([[numbers["f"], 0.0, cx], [0.0, numbers["f"], cy], [0.0, 0.0, 1.0]])
    lens = np.array([numbers.get(key, 0.0) for key in LENS])
    R = rotation_of([numbers[key] for key in ("rx", "ry", "rz")])
    t = np.array([numbers[key] for key in ("tx", "ty", "tz")])
    return Camera(K, lens if lens.any() else [], R, t, size, name)


def _checked(name, times, cameras):
    for k in range(1, len(times)):
        if not times[k] > times[k - 1]:
            raise TrackError(f"{name}, row {k + 2}: its time {times[k]:g} s does not come after {times[k - 1]:g} s")
    return MovingCamera(np.array(times), tuple(cameras))
