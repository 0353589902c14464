"""Where suites of pixels come from: simulated balls, a user's files, the recorded sets of splits.toml.

suite = simulated_pixels(sport, 100, seed=0, rigs=random_rigs(sport, 1, 0))
suite = pixels_from_files(sport, ["side/"], "side.yaml", [])
suites, notes = pixel_sets(data_folder(), "test", 240)
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ballcast import sim
from ballcast.evaluation.pixel_suites import PixelSuite, between_frames
from ballcast.evaluation.splits import SPLITS, RecordedSet, recorded_sets, split_of
from ballcast.models.sight_check import check_sight
from ballcast.tracks import Camera, PixelTrack, Track, TrackError, read_cameras, read_pixel_tracks, read_tracks

MIN_SHARED = 0.5  # of the pixels' time that the truth must cover
MAX_OFFSET = 8.0  # px, median, from pixels to the projected truth: beyond it, the two are not on one clock
SETS_RIGS = 200  # random rigs, which see the simulated balls in turn
Rigs = Callable[[int], Sequence[sim.PixelSensor]]  # from the number of a ball to the cameras that see it


def random_rigs(sport: sim.Sport, views: int, seed: int) -> Rigs:
    """`views` random cameras for each ball, of the test set."""
    return lambda ball: sim.random_cameras(sport, views, seed, "test", number=ball % SETS_RIGS)


def rigs_of(cameras: Sequence[Camera], rate: float, noise: float) -> Rigs:
    """The same cameras for every ball, at `rate` Hz with `noise` px, taken as calibrated."""
    sensors = tuple(sim.PixelSensor.of(camera, rate=rate, noise=noise) for camera in cameras)
    return lambda ball: sensors


def simulated_pixels(sport: sim.Sport, count: int, seed: int, rigs: Rigs) -> PixelSuite:
    """The PixelSuite of the first `count` balls of the sport's test set."""
    balls = sim.draw(sport, count, seed=seed, purpose="test", cameras=rigs)
    tracks = []
    for i in range(count):
        time, pixel, camera, diameter = balls.pixels.of(i)
        cameras = [Camera(*sensor.calibrated) for sensor in balls.pixels.sensors[i]]
        sized = diameter if np.isfinite(diameter).any() else None
        tracks.append(PixelTrack(time, pixel, camera, cameras, sized, str(i)))
    return PixelSuite(f"sim:{sport.name}", sport, tracks, balls)


def pixels_from_files(
    sport: sim.Sport, pixels: Sequence[str], cameras: str, tracks: Sequence[str], **options: Any
) -> PixelSuite:
    """The PixelSuite of a user's files and folders; `tracks` of the same names are the truth, if there are any.

    options: as for tracks.read_pixels. ValueError, one line: no pixels, cameras or tracks that do not belong to them.
    """
    rig = read_cameras(cameras)
    check_sight(sport, rig, cameras)
    found = read_pixel_tracks(list(pixels), rig, **options)
    names = [track.name for track in found]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"--pixels: two files are named {twice[0]}; give each ball a name of its own")
    place = Path(pixels[0])
    place = place if place.is_dir() else place.parent
    truth = None
    if tracks:
        by_name = {track.name: track for track in read_tracks(list(tracks), ground=sport.ground)}
        if missing := [name for name in names if name not in by_name]:
            known = ", ".join(list(by_name)[:3])
            raise ValueError(f"--tracks: none is named {missing[0]}, as a file of --pixels is; there are {known}")
        truth = tuple(by_name[name] for name in names)
        for track, other in zip(found, truth):
            check_truth(track, other)
    return PixelSuite("/".join(place.resolve().parts[-2:]), sport, found, truth=truth)


def check_truth(pixels: PixelTrack, truth: Track) -> None:
    """ValueError if the truth covers too little of the time of the pixels, or is elsewhere in the image."""
    first, last = pixels.time[0], pixels.time[-1]
    shared = min(last, truth.time[-1]) - max(first, truth.time[0]) if len(truth) else 0.0
    if shared < MIN_SHARED * (last - first):
        when = f"{truth.time[0]:g} to {truth.time[-1]:g} s" if len(truth) else "no frames"
        raise ValueError(f"--tracks: the truth of {pixels.name} has {when}, its pixels are of {first:g} to {last:g} s; "
                         "give tracks of the same balls, on the same clock")  # fmt: skip
    if (offset := image_offset(pixels, truth)) > MAX_OFFSET:
        raise ValueError(f"--tracks: the truth of {pixels.name}, projected, is {offset:.0f} px from its pixels in the "
                         "median; give tracks of the same balls, in the cameras' frame, on their clock")  # fmt: skip


def pixel_sets(
    data: Path, split: str, count: int, sports: Sequence[sim.Sport] = (), only: Sequence[str] = ()
) -> tuple[list[PixelSuite], list[str]]:
    """The PixelSuite of each recorded set of pixels, of one split or of "all", and a note on each.

    count: at most so many balls of each set, evenly spaced; the other arguments as for real.real_suites.
    """
    if split not in (*SPLITS, "all"):
        raise ValueError(f"--split {split}: unknown; one of all, {', '.join(SPLITS)}")
    sets = {name: chosen for name, chosen in recorded_sets().items() if chosen.cameras}
    for name in only:
        if name not in sets:
            raise ValueError(f"--only {name}: is no set of pixels; there are {', '.join(sets)}")
    suites, notes, own = [], [], {sport.name: sport for sport in sports}
    if unknown := own.keys() - {chosen.sport for chosen in sets.values()}:
        raise ValueError(f"--suite pixels has no set of the sport {sorted(unknown)[0]}; leave it out of --sport")
    for name, chosen in sets.items():
        if not only or name in only:
            sport = (own.get(chosen.sport) or sim.load(chosen.sport)).without(*chosen.without)
            suite, note = _pixel_set(chosen, data, split, count, sport)
            notes.append(f"{name}: {note}")
            suites += [suite] if suite is not None and suite.tracks else []
    if not suites:
        which = "" if split == "all" else f" of split {split}"
        raise ValueError(f"--suite pixels: no recorded pixels{which} in {data}; BALLCAST_DATA names their folder")
    return suites, notes


def _pixel_set(chosen, data, split, count, sport):
    """(the PixelSuite of a set or None, the note on it)."""
    paths = chosen.paths(data)
    if not paths:
        return None, f"skipped, there is no {Path(chosen.folder) / chosen.files} in {data}"
    truths = {path.stem: path for path in (data / chosen.truth).glob(chosen.files)}
    kept = [p for p in paths if (split == "all" or split_of(p.stem) == split) and p.stem in truths]
    few = [kept[k] for k in sorted({round(k) for k in np.linspace(0, len(kept) - 1, min(count, len(kept)))})]
    try:
        cameras = read_cameras(data / chosen.cameras)
        seen = read_pixel_tracks([str(path) for path in few], cameras) if few else []
        found = [seen_by(track, chosen.views) for track in seen]
        truth = [on_pixel_clock(chosen, read_tracks(truths[path.stem])[0]) for path in few]
    except TrackError as error:
        return None, f"skipped: {error}"
    kept = [k for k in range(len(few)) if image_offset(found[k], truth[k]) <= MAX_OFFSET]
    setting = " without ".join([chosen.sport, *chosen.without]) + (f"; {chosen.note}" if chosen.note else "")
    note = f"{len(kept)} of {len(paths)} balls, split {split}; {setting}"
    if left_out := len(few) - len(kept):
        note += f"; {left_out} more left out: their tracks, projected, are {MAX_OFFSET:g} px and more from their pixels"
    found, truth = [found[k] for k in kept], [truth[k] for k in kept]
    return PixelSuite(chosen.name, sport, found, truth=tuple(truth), noise=chosen.pixel_noise), note


def image_offset(pixels: PixelTrack, truth: Track) -> float:
    """The median distance, px, from pixels to the projected truth at their times; infinite if they share no time."""
    points, distances = between_frames(truth, pixels.time), np.full(len(pixels), np.nan)
    for c, camera in enumerate(pixels.cameras):
        own = pixels.camera == c
        distances[own] = np.linalg.norm(camera.project(points[own]) - pixels.pixel[own], axis=1)
    return float(np.nanmedian(distances)) if np.isfinite(distances).any() else np.inf


def seen_by(track: PixelTrack, views: Sequence[str]) -> PixelTrack:
    """What some of the cameras saw, without the further columns of the file."""
    part = track.seen_by(*views) if views else track
    used = sorted(set(part.camera.tolist())) or [0]
    cameras = [part.cameras[c] for c in used]
    return PixelTrack(part.time, part.pixel, np.searchsorted(used, part.camera), cameras, part.diameter, part.name)


def on_pixel_clock(chosen: RecordedSet, track: Track) -> Track:
    """A track of the truth on the clock of its pixels: of some sets both begin at their first frame."""
    if not chosen.same_start:
        return track
    return Track(track.time - track.time[0], track.position, track.name)
