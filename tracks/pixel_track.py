"""PixelTrack: where cameras saw one ball in their images: irregular, noisy, incomplete, and not yet in space.

    track = PixelTrack(time, pixel, camera, cameras)       # checked here, and nowhere else
    history = track.until(0.2)                             # the frames up to 0.2 s
    side = track.seen_by("side")                           # the frames of one camera

The frames of all cameras are merged by time. A missed frame is absent; there are no NaN rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from ballcast.tracks.camera import Camera
from ballcast.tracks.track import TrackError, numbers_of


@dataclass(frozen=True, eq=False)
class PixelTrack:
    """The frames in which cameras saw one ball. The arrays are read-only copies.

    time      (T,)   s, with any origin; does not decrease: two cameras may see the ball at one instant
    pixel     (T, 2) px, finite: the centre of the ball's image, u to the right and v down
    camera    (T,)   index into `cameras` of the one that saw it
    cameras   of which each index is one; their names differ
    diameter  (T,)   px, of the ball's image (Camera.diameters), NaN where it was not measured; None: nowhere
    name      of the track in a list; for a file, its name without the suffix
    columns   further columns of the file, name -> (T,) values, unchanged (text if read from a file)
    notes     remarks of the reader to the user, one line each

    T may be 0. Raises TrackError, which names the first invalid row (counted from 0).
    """

    time: np.ndarray
    pixel: np.ndarray
    camera: np.ndarray
    cameras: Sequence[Camera]
    diameter: np.ndarray | None = None
    name: str = ""
    columns: Mapping[str, np.ndarray] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self):
        time, pixel, camera = (numbers_of(name, getattr(self, name)) for name in ("time", "pixel", "camera"))
        if time.ndim != 1 or pixel.shape != (len(time), 2) or camera.shape != time.shape:
            shapes = f"{time.shape}, {pixel.shape} and {camera.shape}"
            raise TrackError(f"time must be (T,), pixel (T, 2) and camera (T,); got {shapes}")
        cameras = tuple(self.cameras)
        check_names(cameras)
        diameter = None if self.diameter is None else numbers_of("diameter", self.diameter)
        if diameter is not None and diameter.shape != time.shape:
            raise TrackError(f"diameter must have one value per row, ({len(time)},); got {diameter.shape}")
        if bad := first_invalid_frame(time, pixel, camera, cameras, diameter):
            raise TrackError(f"row {bad[0]} (counting from 0): {bad[1]}")
        columns = {str(key): np.array(values) for key, values in self.columns.items()}
        for key, values in columns.items():
            if values.shape != time.shape:
                raise TrackError(f"column {key!r} must have one value per row, ({len(time)},); got {values.shape}")
        fields = {"time": time, "pixel": pixel, "camera": camera.astype(np.int64), "diameter": diameter}
        for array in (*fields.values(), *columns.values()):
            if array is not None:
                array.flags.writeable = False
        for key, value in (fields | {"cameras": cameras, "columns": MappingProxyType(columns)}).items():
            object.__setattr__(self, key, value)

    def __len__(self) -> int:
        return len(self.time)

    def __getitem__(self, rows: slice | np.ndarray) -> "PixelTrack":
        """A new PixelTrack of these rows, without the notes: a slice, a mask or increasing row numbers."""
        if isinstance(rows, (int, np.integer)):
            raise TypeError("index a track by a slice or a mask; one frame is track.time[i], track.pixel[i]")
        diameter = None if self.diameter is None else self.diameter[rows]
        columns = {key: values[rows] for key, values in self.columns.items()}
        frames = self.time[rows], self.pixel[rows], self.camera[rows]
        return PixelTrack(*frames, self.cameras, diameter, self.name, columns)

    def until(self, time: float) -> "PixelTrack":
        """A new PixelTrack of the frames up to and including `time` s, perhaps empty."""
        return self[: np.searchsorted(self.time, time, side="right")]

    def seen_by(self, *cameras: str) -> "PixelTrack":
        """A new PixelTrack of the frames, perhaps none, of the cameras of these names; it has all cameras."""
        names = [camera.name for camera in self.cameras]
        if unknown := [name for name in cameras if name not in names]:
            raise TrackError(f"unknown camera {unknown[0]!r}; the cameras are {', '.join(names)}")
        return self[np.isin(self.camera, [names.index(name) for name in cameras])]


def check_names(cameras: Sequence[Camera]) -> None:
    """TrackError if there is no camera, or two have the same name."""
    if not cameras:
        raise TrackError("no camera; pixels need a list of at least one")
    for camera in cameras:
        if not isinstance(camera, Camera):
            raise TrackError(f"cameras must be a list of Camera; one of them is {type(camera).__name__}")
    names = [camera.name for camera in cameras]
    if twice := [name for name in names if names.count(name) > 1]:
        raise TrackError(f"camera {twice[0]!r} is there twice; give each camera a name of its own")


def first_invalid_frame(
    time: np.ndarray, pixel: np.ndarray, camera: np.ndarray, cameras: Sequence[Camera], diameter: np.ndarray | None
) -> tuple[int, str] | None:
    """The first row that is not allowed: (row, what is wrong and how to fix it); None if all are valid.

    Arguments as the fields of PixelTrack, camera perhaps not whole numbers. Rows are counted from 0.
    """
    finite = np.isfinite(time) & np.isfinite(pixel).all(axis=1)
    known = np.isin(camera, np.arange(len(cameras)))
    late = np.zeros(len(time), bool)
    late[1:] = time[1:] < time[:-1]
    sizes = np.ones(len(time)) if diameter is None else diameter
    tiny = (sizes <= 0.0) | np.isinf(sizes)
    bad = ~finite | ~known | late | tiny
    if not bad.any():
        return None
    row = int(bad.argmax())
    if not finite[row]:
        values = ", ".join(f"{value:g}" for value in (time[row], *pixel[row]))
        return row, f"t, u, v = {values} is not finite; delete the row (missed frames are left out)"
    if not known[row]:
        return row, f"camera {camera[row]:g} is no index of the {len(cameras)} cameras, 0 to {len(cameras) - 1}"
    if late[row]:
        return row, f"time {time[row]!s} s comes before {time[row - 1]!s} s; sort the rows by time"
    return row, f"diameter {sizes[row]:g} px; give a number above 0, or NaN where it was not measured"
