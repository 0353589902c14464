"""From what a file holds to Tracks: units, missed, held and repeated frames, placement, and the notes about them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ballcast.tracks.held import measured_frames
from ballcast.tracks.notes import Notes, plausibility_notes
from ballcast.tracks.options import ReadOptions
from ballcast.tracks.track import Track, TrackError, first_invalid_row


@dataclass(frozen=True, eq=False)
class Recording:
    """The frames of one ball as they are in a file, in seconds and metres as far as the file names its units."""

    where: str  # the file, and the place in it, for messages
    name: str  # of the track
    time: np.ndarray  # (T,)
    position: np.ndarray  # (T, 3); NaN in a missed frame
    rows: Sequence[int]  # (T,) the row of each frame, for messages
    columns: Mapping[str, np.ndarray] = field(default_factory=dict)
    axes: str = "x,y,z"  # the file's axes that are ours, if the option `axes` is not given

    def __getitem__(self, mask):
        columns = {key: values[mask] for key, values in self.columns.items()}
        rows = np.asarray(self.rows)[mask]
        return replace(self, time=self.time[mask], position=self.position[mask], rows=rows, columns=columns)


def to_tracks(
    recordings: Sequence[Recording], options: ReadOptions, notes: Notes, ground: float | None = None
) -> list[Track]:
    """The tracks of a file's recordings; the first track carries the notes.

    ground   height of the lowest ground, m: balls under it get a note
    Of several recordings, those with fewer than 2 frames are left out, with a note. Raises TrackError, one line.
    """
    tracks: list[Track] = []
    for recording in recordings:
        try:
            tracks.append(_to_track(recording, options, notes, ground))
        except TooFewFrames as error:
            if len(recordings) == 1:
                raise
            notes.add("short", f"{error}; left out")
    if not tracks:
        raise TrackError(f"{recordings[0].where}: none of {len(recordings)} balls has 2 frames")
    return [replace(tracks[0], notes=notes.lines()), *tracks[1:]]


class TooFewFrames(TrackError):
    """A ball with fewer than 2 frames."""


def _to_track(recording, options, notes, ground):
    """The track of one recording."""
    frames = _with_position(recording, notes)
    frames = _with_new_times(frames, notes)
    time, position = frames.time * options.time_scale, frames.position * options.scale
    if bad := first_invalid_row(time, position):
        raise TrackError(f"{frames.where}, row {frames.rows[bad[0]]}: {bad[1]}")
    mask = np.ones(len(time), bool) if options.keep_all else measured_frames(time, position)
    _note_unmeasured(frames, position, mask, notes)
    placement = options.placement(frames.axes)
    time, position, frames = time[mask], placement.apply(position[mask]), frames[mask]
    if len(time) < 2:
        raise TooFewFrames(f"{frames.where}: {len(time)} rows of numbers are measurements; a track needs at least 2")
    for kind, text in plausibility_notes(time, position, placement, ground):
        notes.add(kind, f"{frames.where}: {text}")
    return Track(time, position, recording.name, frames.columns)


def _with_position(recording, notes):
    """The frames in which the ball was seen."""
    seen = ~np.isnan(recording.position).any(axis=1)
    if not seen.all():
        missed = f"{np.sum(~seen)} of {len(seen)} rows have no position (first: row {recording.rows[seen.argmin()]})"
        notes.add("missed", f"{recording.where}: {missed}: missed frames")
    if seen.sum() < 2:
        count = f"{seen.sum()} of {len(seen)} rows have a position"
        raise TooFewFrames(f"{recording.where}: {count}; a track needs at least 2")
    return recording if seen.all() else recording[seen]


def _with_new_times(recording, notes):
    """Of frames with the same time, the first."""
    first = np.append(True, recording.time[1:] != recording.time[:-1])
    if first.all():
        return recording
    if first.sum() < 2:
        raise TooFewFrames(f"{recording.where}: all rows have the same time; a track needs at least 2 times")
    what = f"{np.sum(~first)} of {len(first)} rows left out (first: row {recording.rows[first.argmin()]})"
    notes.add("times", f"{recording.where}: {what}: they repeat the time of the row before")
    return recording[first]


def _note_unmeasured(frames, position, mask, notes):
    """Note the frames that repeat a position, and those at (0, 0, 0)."""
    zero = ~mask & ~position.any(axis=1)
    for kind, dropped, what in (
        ("zero", zero, "are (0, 0, 0), which stands for a ball that was not seen"),
        ("held", ~mask & ~zero, "repeat the position before while the ball moves: it was held"),
    ):
        if dropped.any():
            count = f"{dropped.sum()} of {len(mask)} rows {what} (first: row {frames.rows[dropped.argmax()]})"
            notes.add(kind, f"{frames.where}: {count}; left out, --keep-all keeps them")
