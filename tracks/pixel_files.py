"""Read and write what cameras saw of a ball.

    track = read_pixels("ball.csv", cameras)                 # the cameras of read_cameras
    track = read_pixels("match.csv", cameras, rate=25)       # TrackNet, WASB: frame numbers
    tracks = read_pixel_tracks("folder", cameras)            # without subfolders, in sorted order
    write_pixels("copy.csv", track)

The format is recognised by the header, see pixel_layout.py. Ours is t,camera,u,v[,diameter]: s, the name of a camera,
px, px; without `camera` where there is one camera. Rows may be in any order of cameras; each camera's own rows must be
in the order of time. What looks wrong gets a note in `PixelTrack.notes`; data that cannot be used raise TrackError.
Frames in which the ball was not seen (no pixel, visibility 0, (0, 0), (-1, -1)) are left out, with a note.
"""

import csv
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ballcast.tracks.camera import Camera
from ballcast.tracks.files import Source, bytes_of, files_of, name_of
from ballcast.tracks.layout import split_cells
from ballcast.tracks.notes import Notes, pixel_time_note
from ballcast.tracks.options import ReadOptions
from ballcast.tracks.pixel_layout import KEYS, OURS, find_pixel_layout
from ballcast.tracks.pixel_rows import (
    NOT_SEEN,
    CameraNames,
    check_cells,
    frame_time_in,
    is_far_outside,
    outside,
    pixel_in,
)
from ballcast.tracks.pixel_track import PixelTrack, check_names, first_invalid_frame
from ballcast.tracks.table import Lines, number_in
from ballcast.tracks.track import TrackError
from ballcast.tracks.writing import write_whole

MAX_SHARE_OUTSIDE = 0.1  # of the rows of a camera; more are pixels of another resolution
MAX_SHARE_BLIND = 0.1  # of the rows of a camera that may be without a ray before a note says so
PLACED = ("format", "scale", "axes", "rotate", "origin")  # options that pixels do not have


def read_pixels(source: Source, cameras: Sequence[Camera], **options: Any) -> PixelTrack:
    """What the cameras saw of the one ball in a file.

    source    a path, "-" for standard input, or anything with read()
    cameras   that the file may name; one, if it names none
    options   the fields of ReadOptions that are about rows: columns (keys t, camera, u, v, diameter, frame,
              visibility), time_scale, rate, keep_all

    Raises TrackError, one line: what is wrong, in which file and row (as an editor counts), how to fix it.
    """
    parsed = ReadOptions(**options)
    check_pixel_options(parsed)
    check_names(cameras)
    name, notes = name_of(source), Notes()
    frames = _read_frames(name, bytes_of(name, source), cameras, parsed, notes)
    frames = _seen(frames, parsed, notes)
    frames = _in_order(frames, cameras, notes)
    _check_resolution(frames, cameras, notes)
    for k, camera in enumerate(cameras):
        if note := pixel_time_note(frames.time[frames.camera == k], camera.name):
            notes.add("time", f"{name}: {note}")
    if len(frames.time) < 2:
        why = "".join(f"; {note.partition(': ')[2]}" for note in notes.lines())
        raise TrackError(f"{name}: {len(frames.time)} rows are measurements; a track needs at least 2{why}")
    if bad := first_invalid_frame(frames.time, frames.pixel, frames.camera, cameras, frames.diameter):
        raise TrackError(f"{name}, row {frames.rows[bad[0]]}: {bad[1]}")
    return PixelTrack(frames.time, frames.pixel, frames.camera, cameras, frames.diameter, Path(name).stem,
                      frames.columns, notes.lines())  # fmt: skip


def read_pixel_tracks(source: Source | list[Source], cameras: Sequence[Camera], **options: Any) -> list[PixelTrack]:
    """The tracks of a folder of .csv files, of a file, or of several of either; the rest as for read_pixels."""
    return [read_pixels(file, cameras, **options) for file in files_of(source)]


def write_pixels(path: str | os.PathLike, track: PixelTrack) -> None:
    """Write our CSV: t,camera,u,v, the diameters if there are any, the camera if there are several.

    read_pixels gives the same numbers, to the bit, with keep_all and all cameras. Further columns are not written. The
    file appears whole or not at all. Raises TrackError if it cannot be written.
    """
    names = [camera.name for camera in track.cameras]
    columns = {"t": track.time.tolist()}
    if len(names) > 1:
        columns["camera"] = [names[k] for k in track.camera]
    columns |= {"u": track.pixel[:, 0].tolist(), "v": track.pixel[:, 1].tolist()}
    if track.diameter is not None:
        columns["diameter"] = ["" if value != value else value for value in track.diameter.tolist()]
    if bad := [name for name in names if name != name.strip() or "\n" in name or '"' in name or not name]:
        if len(names) > 1:
            raise TrackError(f"{path}: the name of camera {bad[0]!r} cannot be in a CSV; rename it")
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    write_whole(Path(path), text.getvalue())


def check_pixel_options(options: ReadOptions) -> None:
    """Raise TrackError, one line, for options that cannot work, or that pixels do not have."""
    options.check(KEYS)
    if given := [key for key in PLACED if getattr(options, key) != getattr(ReadOptions(), key)]:
        raise TrackError(f"{given[0]}: an option of tracks in space; it does nothing to pixels")


@dataclass
class _Frames:
    """The rows of a file, in seconds."""

    where: str
    rows: np.ndarray  # (T,) as an editor counts
    time: np.ndarray  # (T,) s
    pixel: np.ndarray  # (T, 2) px; NaN in a missed frame
    camera: np.ndarray  # (T,)
    diameter: np.ndarray | None
    columns: dict[str, np.ndarray]

    def __getitem__(self, part):
        diameter = None if self.diameter is None else self.diameter[part]
        columns = {key: values[part] for key, values in self.columns.items()}
        arrays = self.rows[part], self.time[part], self.pixel[part], self.camera[part]
        return _Frames(self.where, *arrays, diameter, columns)


def _read_frames(name, content, cameras, options, notes):
    """All rows of a file."""
    lines = Lines.of(name, content)
    if not lines.texts:
        raise TrackError(f"{name}: the file is empty; its first line should be {','.join(OURS[:4])}")
    layout = find_pixel_layout(name, lines.rows[0], lines.texts[0], options, [camera.name for camera in cameras])
    start, columns = int(layout.header is not None), layout.columns
    if len(cameras) > 1 and "camera" not in columns:
        names = ", ".join(camera.name for camera in cameras)
        raise TrackError(f"{name}: no column camera, and there are {len(cameras)} cameras ({names}); give one of them")
    table, rows = [split_cells(text, layout.separator) for text in lines.texts[start:]], lines.rows[start:]
    where = [f"{name}, row {row}" for row in rows]
    for place, cells in zip(where, table):
        check_cells(place, cells, layout.width)
    camera = np.zeros(len(table), int)
    if "camera" in columns:
        names, column = CameraNames(cameras), columns["camera"]
        camera = np.array([names.index(place, cells[column]) for place, cells in zip(where, table)], int)
        if names.has_numbers:
            notes.add("numbers", f"{name}: {names.note()}")
    pixel = np.array([pixel_in(*each, columns) for each in zip(where, table)]).reshape(-1, 2)
    diameter = None
    if "diameter" in columns:
        diameter = np.array([number_in(place, cells[columns["diameter"]]) for place, cells in zip(where, table)])
    time = _times(where, table, columns, camera, pixel) * layout.time_unit * options.time_scale
    further = {key: np.array([cells[k] for cells in table]) for key, k in layout.further.items()}
    return _Frames(name, np.array(rows), time, pixel, camera, diameter, further)


def _times(where, table, columns, camera, pixel):
    """Times or frame numbers (T,); without a column of them, each camera's rows are counted."""
    if "t" not in columns:
        time = np.zeros(len(table))
        for k in np.unique(camera):
            time[camera == k] = np.arange((camera == k).sum())
        return time
    time = np.full(len(table), np.nan)
    for k, (place, cells) in enumerate(zip(where, table)):
        if not np.isnan(pixel[k]).any():  # of a missed frame the time may be missing too
            time[k] = frame_time_in(place, cells[columns["t"]])
    return time


def _seen(frames, options, notes):
    """The frames in which the ball was seen."""
    is_missed = np.isnan(frames.pixel).any(axis=1)
    zero = np.zeros(len(is_missed), bool)
    for pixel in NOT_SEEN:
        zero |= (frames.pixel == pixel).all(axis=1) & (not options.keep_all)
    for kind, dropped, what in (
        ("missed", is_missed, "have no pixel"),
        ("zero", zero, "are (0, 0) or (-1, -1), which stand for a ball that was not seen"),
    ):
        if dropped.any():
            count = f"{dropped.sum()} of {len(dropped)} rows {what} (first: row {frames.rows[dropped.argmax()]})"
            how = "missed frames" if kind == "missed" else "left out, --keep-all keeps them"
            notes.add(kind, f"{frames.where}: {count}: {how}")
    return frames[~is_missed & ~zero]


def _in_order(frames, cameras, notes):
    """The frames of all cameras merged by time, one of each camera and time."""
    if not np.isfinite(frames.time).all():
        row = frames.rows[(~np.isfinite(frames.time)).argmax()]
        raise TrackError(f"{frames.where}, row {row}: no time; correct or delete the row")
    for k, camera in enumerate(cameras):
        mine = np.flatnonzero(frames.camera == k)
        back = np.flatnonzero(np.diff(frames.time[mine]) < 0.0)
        if len(back):
            now, before = frames.time[mine[back[0] + 1]], frames.time[mine[back[0]]]
            what = f"time {now:g} s comes before {before:g} s, of the same camera {camera.name!r}"
            raise TrackError(f"{frames.where}, row {frames.rows[mine[back[0] + 1]]}: {what}; sort the rows by time")
    again = np.ones(len(frames.time), bool)
    again[np.unique(np.column_stack([frames.time, frames.camera]), axis=0, return_index=True)[1]] = False
    if again.any():
        what = f"{again.sum()} of {len(again)} rows left out (first: row {frames.rows[again.argmax()]})"
        notes.add("times", f"{frames.where}: {what}: they repeat the time of an earlier row of the same camera")
    frames = frames[~again]
    return frames[np.argsort(frames.time, kind="stable")]


def _check_resolution(frames, cameras, notes):
    """TrackError if many pixels of a camera are outside its image; notes if few are, or have no ray."""
    for k, camera in enumerate(cameras):
        mine = np.flatnonzero(frames.camera == k)
        pixel = frames.pixel[mine]
        far = is_far_outside(pixel, camera)
        if far.any():
            where = f"{frames.where}, row {frames.rows[mine[far.argmax()]]}: {outside(pixel[far.argmax()], camera)}"
            if far.mean() > MAX_SHARE_OUTSIDE:
                raise TrackError(f"{where}; of another resolution? scale the pixels, or the camera's size and K")
            notes.add("outside", f"{where} (and {far.sum() - 1} more rows)" if far.sum() > 1 else where)
        blind = np.isnan(camera.rays(pixel)[1]).any(axis=1) & ~far
        if blind.mean() > MAX_SHARE_BLIND if len(mine) else False:
            count = f"{blind.sum()} of {len(mine)} pixels of {camera.name!r}"
            where = f"(first: row {frames.rows[mine[blind.argmax()]]})"
            notes.add("rays", f"{frames.where}: {count} lie where its distortion does not invert {where}: no ray")
