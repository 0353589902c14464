"""The suite of recorded balls: the sets of splits.toml that belong to it, one Suite for each.

suites, notes = real_suites(data_folder(), "test")
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ballcast import sim
from ballcast.evaluation.events import events_suite
from ballcast.evaluation.protocols import HISTORIES
from ballcast.evaluation.splits import SPLITS, RecordedSet, recorded_sets, split_of
from ballcast.evaluation.suites import Suite
from ballcast.tracks import Track, TrackError, read_tracks, write_track

REAL_HISTORIES = (*HISTORIES, 0.5)  # s


def real_suites(
    data: Path, split: str, sports: Sequence[sim.Sport] = (), only: Sequence[str] = ()
) -> tuple[list[Suite], list[str]]:
    """The Suite of each set, of one split or of "all", and notes: what is evaluated, which sets are missing.

    data: the folder of recorded balls; sports: those that predictors get in place of the shipped ones of their names;
    only: these sets alone. Raises ValueError if there is no set, or none of a name or sport.
    """
    if split not in (*SPLITS, "all"):
        raise ValueError(f"--split {split}: unknown; one of all, {', '.join(SPLITS)}")
    suites, notes, own = [], [], {sport.name: sport for sport in sports}
    chosen_sets = [s for s in recorded_sets().values() if s.suite]
    for name in only:
        if name not in (known := [s.name for s in chosen_sets]):
            raise ValueError(f"--only {name}: is no set of the suite; there are {', '.join(known)}")
    chosen_sets = [s for s in chosen_sets if not only or s.name in only]
    if unknown := own.keys() - {s.sport for s in chosen_sets}:
        raise ValueError(f"--suite real has no set of the sport {sorted(unknown)[0]}; leave it out of --sport")
    for chosen in chosen_sets:
        suite, note = _suite(chosen, data, split, own.get(chosen.sport))
        notes.append(f"{chosen.name}: {note}")
        suites += [suite] if suite is not None and suite.tracks else []
    if not suites:
        which = "" if split == "all" else f" of split {split}"
        raise ValueError(f"--suite real: no recorded balls{which} in {data}; BALLCAST_DATA names their folder")
    return suites, notes


def _suite(chosen, data, split, own):
    """(the Suite of a set or None, the note on it); own: the sport in place of the set's, or None."""
    if not chosen.paths(data):
        return None, f"skipped, there is no {Path(chosen.folder) / chosen.files} in {data}"
    sport = (own or sim.load(chosen.sport)).without(*chosen.without)
    try:
        if chosen.events:
            suite, count = events_suite(chosen, data, split, sport)
        else:
            tracks = read_set(chosen, data)
            kept = [track for track in tracks if split in ("all", split_of(chosen.ball_name(track.name)))]
            suite, count = Suite(chosen.name, sport, kept), len(tracks)
    except TrackError as error:
        return None, f"skipped: {error}"
    setting = " without ".join([chosen.sport, *chosen.without]) + " of your own" * (own is not None)
    setting += f"; {chosen.note}" if chosen.note else ""
    kind = "events" if chosen.events else "tracks"
    return suite, f"{len(suite.tracks)} of {count} {kind}, split {split}; {setting}"


def split_tracks(chosen: RecordedSet, data: Path, splits: Sequence[str]) -> dict[str, Track]:
    """The tracks of a set that are in these splits, in the sport's frame, by the names of their balls."""
    named = {chosen.ball_name(track.name): track for track in read_set(chosen, data)}
    return {name: track for name, track in named.items() if split_of(name) in splits}


def write_tracks(tracks: dict[str, Track], folder: Path) -> None:
    """Write tracks by name into a folder, each as a CSV file. Raises TrackError, OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, track in tracks.items():
        write_track(folder / f"{name}.csv", track)


def read_set(chosen: RecordedSet, data: Path) -> list[Track]:
    """All tracks of a set, in the sport's frame."""
    frame: dict[str, Any] = {"axes": chosen.axes, "origin": chosen.origin}
    return [track for path in chosen.paths(data) for track in read_tracks(path, **frame)]
