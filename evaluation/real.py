"""The suite of recorded balls: the sets of splits.toml that belong to it, zero-shot, one Suite for each.

suites, notes = real_suites(data_folder(), "test")
"""

from pathlib import Path
from typing import Any

from ballcast import sim
from ballcast.evaluation.protocols import HISTORIES
from ballcast.evaluation.splits import SPLITS, RecordedSet, recorded_sets, split_of
from ballcast.evaluation.suites import Suite
from ballcast.tracks import Track, TrackError, read_tracks

REAL_HISTORIES = (*HISTORIES, 0.5)  # s


def real_suites(data: Path, split: str) -> tuple[list[Suite], list[str]]:
    """The Suite of each set, of one split or of "all", and notes: what is evaluated, which sets are missing.

    data: the folder of recorded balls. Raises ValueError if it has no set.
    """
    if split not in (*SPLITS, "all"):
        raise ValueError(f"--split {split}: unknown; one of all, {', '.join(SPLITS)}")
    suites, notes = [], []
    for chosen in (s for s in recorded_sets().values() if s.suite):
        try:
            tracks = read_set(chosen, data)
        except TrackError as error:
            notes.append(f"{chosen.name}: skipped: {error}")
            continue
        if not tracks:
            notes.append(f"{chosen.name}: skipped, there is no {Path(chosen.folder) / chosen.files} in {data}")
            continue
        kept = [track for track in tracks if split in ("all", split_of(track.name.replace("/", "#")))]
        sport = sim.load(chosen.sport).without(*chosen.without)
        setting = " without ".join([chosen.sport, *chosen.without])
        setting += f"; {chosen.note}" if chosen.note else ""
        notes.append(f"{chosen.name}: {len(kept)} of {len(tracks)} tracks, split {split}; {setting}")
        if kept:
            suites.append(Suite(chosen.name, sport, kept))
    if not suites:
        which = "" if split == "all" else f" of split {split}"
        raise ValueError(f"--suite real: no recorded balls{which} in {data}; BALLCAST_DATA names their folder")
    return suites, notes


def read_set(chosen: RecordedSet, data: Path) -> list[Track]:
    """All tracks of a set, in the sport's frame."""
    frame: dict[str, Any] = {"axes": chosen.axes, "origin": chosen.origin}
    return [track for path in chosen.paths(data) for track in read_tracks(path, **frame)]
