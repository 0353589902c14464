"""The questions of an evaluation as CSV files, so that a method in any language can answer them.

    python evaluate.py --suite real --export questions
    python evaluate.py --suite real --predictions answers.csv          # scores them, see predictions.py

    questions.csv   track,seen,time       where is the ball at that time (s, on the track's clock)?
    landings.csv    track,seen            where and when is its next landing?
    histories.csv   track,seen,t,x,y,z    the frames that may be used (s, m): of each question those with the same track
                                          and seen, and no others
    pixels.csv      track,seen,t,camera,u,v,diameter    in its place where cameras saw the balls (s, px); diameter may
                                          be blank. cameras.yaml has the cameras

`seen` is the length of the history in s. Numbers are written in full, so that they are read back unchanged.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ballcast.evaluation.protocols import Cases
from ballcast.evaluation.suites import Suite
from ballcast.sim.files import write_atomically
from ballcast.tracks import Camera, PixelTrack, write_cameras

HEADS = {"questions.csv": "track,seen,time", "landings.csv": "track,seen", "histories.csv": "track,seen,t,x,y,z"}
PIXEL_HEADS = {"questions.csv": HEADS["questions.csv"], "pixels.csv": "track,seen,t,camera,u,v,diameter"}


def export(folder: Path, work: Sequence[tuple[Suite, Cases]]) -> list[str]:
    """Write the questions of all Cases into a folder, and return a line on each file. Raises OSError, ValueError."""
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"--export {folder}: is a file; name a folder")
    is_pixels = any(isinstance(track, PixelTrack) for suite, _ in work for track in suite.tracks)
    heads = PIXEL_HEADS if is_pixels else HEADS
    names = _camera_names(work) if is_pixels else {}
    rows: dict[str, dict[tuple, None]] = {name: {} for name in heads}  # as keys: protocols may ask the same twice
    for suite, cases in work:
        for n in range(len(cases)):
            key = quoted(suite.full_name(cases.track_numbers[n])), repr(cases.seen(n))
            asked = [()] if cases.asks_landing else [(time,) for time in _numbers(asked_times(cases, n))]
            rows["landings.csv" if cases.asks_landing else "questions.csv"] |= dict.fromkeys((*key, *q) for q in asked)
            if asked and is_pixels:
                rows["pixels.csv"] |= dict.fromkeys((*key, *frame) for frame in _pixel_rows(cases.histories[n], names))
            elif asked:
                frames = np.column_stack([cases.histories[n].time, cases.histories[n].position])
                rows["histories.csv"] |= dict.fromkeys((*key, *_numbers(frame)) for frame in frames)
    folder.mkdir(parents=True, exist_ok=True)
    for name, head in heads.items():
        write_atomically(folder / name, "".join(f"{line}\n" for line in _lines(head, rows[name])).encode())
    written = [f"{folder / name}: {len(rows[name])} rows of {head}" for name, head in heads.items()]
    if is_pixels:
        write_cameras(folder / "cameras.yaml", [replace(camera, name=name) for camera, name in names.items()])
        written.append(f"{folder / 'cameras.yaml'}: {len(names)} cameras")
    return written


def _camera_names(work):
    """A name of its own for each Camera of suites of pixels: its own, or with those of suite and track before it."""
    names: dict[Camera, str] = {}
    for suite, _ in work:
        for i, track in enumerate(suite.tracks):
            for camera in track.cameras:
                for name in (camera.name, f"{suite.name}/{camera.name}", f"{suite.full_name(i)}/{camera.name}"):
                    if camera not in names and name not in names.values():
                        names[camera] = name
    return names


def _pixel_rows(history, names):
    """Time, camera, pixel and diameter of each frame of a PixelTrack, as text."""
    sizes = np.full(len(history), np.nan) if history.diameter is None else history.diameter
    for t, pixel, c, size in zip(history.time, history.pixel, history.camera, sizes, strict=True):
        (time, *u_v), diameter = _numbers((t, *pixel)), (repr(float(size)) if np.isfinite(size) else "")
        yield time, quoted(names[history.cameras[c]]), *u_v, diameter


def asked_times(cases: Cases, n: int) -> np.ndarray:
    """The times (H,) s at which positions are asked of case n."""
    return np.empty(0) if cases.asks_landing else cases.times[n, ~np.isnan(cases.times[n])]


def quoted(name: str) -> str:
    """A name as a cell of a CSV file."""
    return '"' + name.replace('"', '""') + '"' if any(c in name for c in ',"\n') else name


def _numbers(values: Iterable[float]) -> Iterator[str]:
    """Each number in the fewest digits that give it back."""
    return (repr(float(value)) for value in values)


def _lines(head, rows):
    yield head
    yield from map(",".join, rows)
