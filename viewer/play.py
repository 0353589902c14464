"""Open the viewer: a live ball, or a recorded one, and the forecast of where it goes next.

python play.py                                   # live, table tennis
python play.py --sport basketball --predictor parabola physics
python play.py --track rally                     # a sample track that ships; or a file, a folder, - for standard input
python play.py --video clip.mp4                  # the forecast in a video; or 0, a camera of this machine
python play.py --game                            # beat the network
python play.py --headless --frames 120 --screenshot out.png
"""

import contextlib
import os
import pkgutil
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from ballcast import command
from ballcast.tracks import ReadOptions
from ballcast.viewer.options import TOGGLES, DisplayOptions

HEADLESS_FRAMES = 120
DEFAULT_SPORT = "table_tennis"


@dataclass(frozen=True)
class Options:
    """A ball flies, bounces and spins; its forecast, from the observed track alone, is drawn ahead. H: all keys."""

    sport: str | None = None
    """a sport's name, or a .toml file of your own; without it table tennis, and of a video nothing is known"""
    predictor: tuple[str, ...] = ()
    """predictors (names, or files of weights) that forecast side by side; without any, the best one.
    The keys 1-9 choose one, with Shift they add one"""
    track: tuple[str, ...] = ()
    """recorded tracks to replay: files (CSV, TT3D, SpinDOE, Motive, HDF5), folders of them, - for standard input;
    `rally`: a sample that ships"""
    pixels: tuple[str, ...] = ()
    """pixels of a ball to replay, as cameras measured them: files (`t,camera,u,v`), folders of them, - for standard
    input; with --cameras"""
    cameras: str | None = None  # the file of the calibrated cameras of --pixels (YAML)
    video: str | None = None
    """a video in which a ball is found and forecast, or the number of a camera, as in 0; with --sport in 3D, too"""
    camera: str | None = None
    """the file of the calibrated camera of --video (YAML); without it the lines of the court are looked for"""
    seen_by: Literal["tracker", "camera", "cameras"] = "tracker"
    """what the predictors see of live balls: positions of a 3D tracker, the pixels of one camera, or of two; X"""
    reading: Annotated[ReadOptions, tyro.conf.arg(name="")] = ReadOptions()
    seed: int | None = None  # of the live balls; without it 0, in a window that of a good rally of the sport
    size: str = "1280x720"  # of the picture, in pixels
    show: tuple[str, ...] = ()
    """what is shown from the start: truth, errors, gates, beliefs, inset, follow, sliders,
    why, numbers, help"""
    throw: str | None = None
    """single balls in place of rallies: a kind of throw of the sport (serve, lob, free kick ...), or `single`"""
    world: tuple[str, ...] = ()
    """overrides of the world, unknown to the predictors, as in gravity=1.6 missed=50; W shows all"""
    game: bool = False  # beat the network: a ball stops, and you click where it will land
    intro: Literal["auto", "yes", "no"] = "auto"
    """begin in slow motion, with captions on what the marks mean; auto: in a window, unless a ball is asked for by
    --track, --pixels, --throw, --world, --game, --seen-by, --seed or --frames"""
    headless: bool = False  # without a window: 1/60 s per frame, the same picture every time
    frames: int = 0  # stop after this many frames; 0: when the window is closed, or after 120 if headless
    screenshot: Path | None = None  # save the last picture as this PNG
    record: Path | None = None  # save a film of it, .mp4 or .gif, 60 frames per second; also with --headless
    rerun: Path | None = None  # save a recording for the viewer of Rerun, .rrd: tracks, forecasts, cameras, images


def picture_size(text):
    """(width, height) px of "1280x720"."""
    match = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text.strip().lower())
    size = tuple(map(int, match.groups())) if match else (0, 0)
    if not (320 <= size[0] <= 7680 and 180 <= size[1] <= 4320):
        raise ValueError(f"--size {text!r}: width x height in pixels, 320x180 to 7680x4320, as in 1280x720")
    return size


def check(options):
    """Refuse numbers and paths that cannot work before anything takes time. Raises ValueError."""
    if options.frames < 0:
        raise ValueError(f"--frames {options.frames}: 0 or more")
    if options.seed is not None and options.seed < 0:
        raise ValueError(f"--seed {options.seed}: at least 0")
    check_sight(options)
    if options.screenshot is not None:
        folder = options.screenshot.parent
        if options.screenshot.is_dir() or options.screenshot.suffix.lower() != ".png":
            raise ValueError(f"--screenshot {options.screenshot}: name a file that ends in .png")
        if not folder.is_dir() or not os.access(folder, os.W_OK):
            raise ValueError(f"--screenshot {options.screenshot}: {folder} is not a folder that can be written to")
    for name in options.show:
        if name not in TOGGLES:
            raise ValueError(f"--show {name}: there are {', '.join(TOGGLES)}")
    if options.record is not None:
        from ballcast.viewer import film

        film.check(options.record)
    if options.rerun is not None:
        from ballcast.render import rerun_file

        rerun_file.check(options.rerun, "--rerun")


def check_sight(options):
    """Refuse options of tracks, pixels and cameras that do not go together. Raises ValueError."""
    if options.camera and options.video is None:
        raise ValueError("--camera says what filmed a --video: add --video FILE")
    if options.pixels and not options.cameras:
        raise ValueError("--pixels needs the cameras that measured them: add --cameras FILE")
    if options.cameras and not options.pixels:
        raise ValueError("--cameras says what measured --pixels: add --pixels FILE; --seen-by has cameras of its own")
    if options.pixels and options.track:
        raise ValueError("--track and --pixels: name one of them")
    if options.seen_by != "tracker" and (options.pixels or options.track):
        raise ValueError(f"--seen-by {options.seen_by}: a recording has only what was measured; leave it out")
    if options.pixels and options.game:
        raise ValueError("--game needs balls whose true flight is known, which recorded pixels do not have")


def is_introduced(options):
    """Whether the show begins with the introduction."""
    asked = options.track or options.pixels or options.throw or options.world or options.game or options.frames
    asked = asked or options.seed is not None or options.seen_by != "tracker"
    return options.intro == "yes" or (options.intro == "auto" and not options.headless and not asked)


def opening_seed(options, sport):
    """The seed of the live balls."""
    from ballcast.viewer import introduction

    if options.seed is not None:
        return options.seed
    return introduction.opening(sport).seed if is_introduced(options) else 0


def make_source(options, sport):
    from ballcast.viewer.playback.source import SINGLE, LiveSource, RecordedSource

    if options.pixels:
        return make_pixel_source(options, sport)
    if not options.track:
        throws = LiveSource(sport, opening_seed(options, sport), rallies=True)
        kinds = {name: number for number, (name, _) in enumerate(sport.throws)}
        kinds |= {"single": SINGLE} if throws.rallies else {}
        if options.throw is not None and options.throw not in kinds:
            raise ValueError(f"--throw {options.throw!r}: {sport.name} has {', '.join(kinds) or 'none'}")
        throws.throw_kind = kinds.get(options.throw)
        throws.world, throws.seen_by = parse_world(options.world), options.seen_by
        return throws
    from ballcast.tracks import read_tracks

    tracks = read_tracks(list(options.track), ground=sport.ground, **vars(options.reading))
    command.print_notes(note for track in tracks for note in track.notes)
    return RecordedSource(sport, tracks)


def make_pixel_source(options, sport):
    from ballcast.models.sight_check import check_sight
    from ballcast.tracks import read_cameras, read_pixel_tracks
    from ballcast.viewer.playback.source import PixelSource

    cameras = read_cameras(options.cameras)
    tracks = read_pixel_tracks(list(options.pixels), cameras, **vars(options.reading))
    command.print_notes(note for track in tracks for note in track.notes)
    check_sight(sport, cameras, options.cameras)
    return PixelSource(sport, tracks)


def recordings(options, source):
    """The recorded source as an entry of the menu, if there is one."""
    from ballcast.viewer.playback.source import SourceChoice

    if source.live:
        return []
    count, first = len(source.tracks), Path((options.track or options.pixels)[0]).name
    what = "recorded track" if options.track else "recording of pixel"
    note = f"{count} {what}{'s' if count > 1 or options.pixels else ''} of {source.sport.name.replace('_', ' ')}"
    return [SourceChoice(first if first != "-" else "standard input", note, lambda sport: source)]


def predictor_names(options, sport):
    """The predictors that were named, or the best one, and after them all others: a key or the menu chooses them."""
    from ballcast import models

    first = options.predictor or models.available(sport)[:1]
    if not options.predictor and (options.pixels or options.seen_by != "tracker"):
        first = [next(name for name in models.available(sport) if takes_pixels(name))]
    return [*first, *(name for name in models.PREDICTORS if name not in first)]


def takes_pixels(name):
    """Whether a predictor that ships takes pixels."""
    from ballcast import models

    predictor = pkgutil.resolve_name(models.PREDICTORS[name])
    return predictor.forecast_pixels is not models.Predictor.forecast_pixels


def parse_world(words):
    """Override -> value, from words like gravity=1.6."""
    from ballcast.viewer.playback.overrides import OVERRIDES

    ranges, world = {override.name: override for override in OVERRIDES}, {}
    for word in words:
        name, _, value = word.partition("=")
        override = ranges.get(name)
        if override is None:
            raise ValueError(f"--world {word}: NAME=NUMBER; the names are {', '.join(ranges)}")
        try:
            world[name] = float(value)
        except ValueError:
            raise ValueError(f"--world {word}: {value!r} is not a number") from None
        if not override.low <= world[name] <= override.high:
            raise ValueError(f"--world {word}: from {override.low:g} to {override.high:g}")
    return world


def prepare_window(options, source, pool, shown):
    """A WarmStart for what was never compiled; the rest is loaded now. A wrong name of a predictor is refused."""
    from ballcast import models
    from ballcast.viewer import warm_start
    from ballcast.viewer.playback.first_flight import first_flight

    pool.compiled = {i for i, name in enumerate(pool.names) if warm_start.is_warm(name)}
    pool.compiled |= {i for i in shown if pool.names[i] not in models.PREDICTORS}  # to check these, load them
    for index in shown:
        pool.load(index)
    if source.live and not warm_start.is_warm(warm_start.SIMULATOR):
        source.ready = False
        if options.throw is None and not options.world and options.seen_by == "tracker":
            source.stand_in = first_flight(source.sport)
    if pool.waiting or not source.ready:
        print("compiling, once: the window shows what is left", flush=True)
    return warm_start.WarmStart(pool, source, options.sport or DEFAULT_SPORT)


def run(options):
    """Check the options, then show what they ask for. Raises ValueError or OSError with a message of one line."""
    check(options)
    size = picture_size(options.size)
    if options.video is not None:
        from ballcast.viewer.clip.play import run_clip

        return run_clip(options, size)
    from ballcast import sim
    from ballcast.viewer.playback.session import PredictorPool

    sport = sim.load(options.sport or DEFAULT_SPORT)
    source, warm_start = make_source(options, sport), None
    pool = PredictorPool(predictor_names(options, sport), sport)
    shown = range(max(1, len(options.predictor)))
    if options.headless:
        for index in shown:
            pool.load(index)
    else:
        warm_start = prepare_window(options, source, pool, shown)
    from ballcast.viewer.window import App

    frames = options.frames or (HEADLESS_FRAMES if options.headless else None)
    display_options = DisplayOptions(**dict.fromkeys(options.show, True))
    with session_log(options, sport) as log:
        App(
            source, pool, size, options.headless, frames=frames, screenshot=options.screenshot, shown=shown,
            record=options.record, options=display_options, warm_start=warm_start, introduce=is_introduced(options),
            seed=options.seed, sources=recordings(options, source), game=options.game, log=log,
        ).run()  # fmt: skip


def session_log(options, sport):
    """What logs the session for Rerun, if that was asked for."""
    if options.rerun is None:
        return contextlib.nullcontext()
    from ballcast.viewer.rerun_log import SessionLog

    return SessionLog(options.rerun, sport)


def main():
    options = command.options(Options, "play.py")
    command.run("play.py", lambda: run(options))
