"""python -m ballcast.evaluation.splits: the recorded balls of a split, as arguments of train.py --tracks.

python -m ballcast.evaluation.splits $BALLCAST_DATA/spindoe --split train validation     # prints the files
python -m ballcast.evaluation.splits mpi --split train validation --out learn            # writes them into a folder
"""

import sys
from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

from ballcast import command
from ballcast.evaluation.real import split_tracks, write_tracks
from ballcast.evaluation.splits import SPLITS, data_folder, recorded_sets, split_of
from ballcast.tracks import Track, TrackError, read_tracks

PROGRAM = "python -m ballcast.evaluation.splits"
SUFFIXES = (".csv", ".hdf5", ".h5")  # of the files that are looked for in a folder


@dataclass(frozen=True)
class Options:
    """Print those of the given files that are in a split, one a line, or write their balls into a folder."""

    sources: Positional[tuple[str, ...]]
    """files of recorded balls, folders of them (without subfolders), or names of sets in evaluation/splits.toml, which
    are in the folder BALLCAST_DATA (else ../shared/data)"""
    split: tuple[str, ...] = ("train", "validation")
    """train, validation, test, or several"""
    out: Path | None = None
    """write the balls of the split into this folder, each as a CSV file: for files that hold balls of several splits;
    those of a set are moved into the sport's frame"""


def main() -> None:
    options = command.options(Options, PROGRAM)
    command.run(PROGRAM, lambda: run(options))


def run(options: Options) -> None:
    """Print the files, or write the balls. Raises ValueError, one line, if there are none, or for a wrong name."""
    if unknown := set(options.split) - set(SPLITS):
        raise ValueError(f"--split {unknown.pop()}: unknown; one of {', '.join(SPLITS)}")
    if options.out and options.out.exists() and (not options.out.is_dir() or any(options.out.iterdir())):
        raise ValueError(f"--out {options.out}: name a new or empty folder")
    if options.out:
        tracks = {name: track for source in options.sources for name, track in balls(source, options.split).items()}
        if not tracks:
            raise ValueError(f"{' '.join(options.sources)}: no ball is in {', '.join(options.split)}")
        write_tracks(tracks, options.out)
        print(f"{options.out}: {len(tracks)} balls of {', '.join(options.split)}")
        return
    found = [path for source in options.sources for path in files(source) if holds_split(path, options.split)]
    if not found:
        raise ValueError(f"{' '.join(options.sources)}: no file has all its balls in {', '.join(options.split)}")
    for path in found:
        print(path)


def files(source: str) -> list[Path]:
    """The files of a source: a file, a folder, or the name of a set. ValueError, one line, if there are none."""
    path, chosen = Path(source), recorded_sets().get(source)
    if not path.exists() and chosen:
        found = chosen.paths(data_folder())
        if not found or chosen.events:
            cause = "has states after events, no tracks" if found else f"is not in {data_folder()} (BALLCAST_DATA)"
            raise ValueError(f"{source}: the set {cause}")
        return found
    if not path.exists():
        raise ValueError(f"{source}: does not exist; name files, folders, or sets: {', '.join(recorded_sets())}")
    if not path.is_dir():
        return [path]
    found = _recordings(path)
    if not found:
        inside = sorted(folder.name for folder in path.iterdir() if folder.is_dir() and _recordings(folder))
        cure = f"; name its folders {', '.join(inside)}" if inside else ""
        raise ValueError(f"{source}: has no files of recorded balls ({' '.join(SUFFIXES)}){cure}")
    return found


def _recordings(folder):
    """The files of a folder, as tracks.read_tracks takes them."""
    paths = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in SUFFIXES]
    return [path for path in paths if path.name != "index.csv" and not path.name.startswith(".")]


def balls(source: str, split: tuple[str, ...]) -> dict[str, Track]:
    """The balls of a source that are in a split, by name; those of a set in the frame of its sport."""
    paths, chosen = files(source), recorded_sets().get(source)
    if not Path(source).exists() and chosen:
        return split_tracks(chosen, data_folder(), split)
    tracks = {track.name.replace("/", "#"): track for path in paths for track in read_tracks(path)}
    return {name: track for name, track in tracks.items() if split_of(name) in split}


def holds_split(path: Path, split: tuple[str, ...]) -> bool:
    """Whether all balls of a file are in a split. If it holds others too, a note on standard error says how many."""
    try:
        names = [track.name.replace("/", "#") for track in read_tracks(path)]
    except TrackError:
        names = []  # its name still has a split
    if len(names) < 2:
        return split_of(path.stem) in split
    count = sum(split_of(name) in split for name in names)
    if 0 < count < len(names):
        words = f"left out, only {count} of its {len(names)} balls are in {', '.join(split)}"
        print(f"{path}: {words}; --out FOLDER writes those alone", file=sys.stderr)
    return count == len(names)
