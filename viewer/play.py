"""Open the viewer: a live ball, or a recorded one, and the forecast of where it goes next.

python play.py                                   # live, table tennis
python play.py --sport basketball --predictor parabola physics
python play.py --track stroke.csv                # a recorded track; a folder, or - for standard input
python play.py --headless --frames 120 --screenshot out.png
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from ballcast import command
from ballcast.viewer.options import TOGGLES, DisplayOptions

HEADLESS_FRAMES = 120


@dataclass(frozen=True)
class Options:
    """A ball flies, bounces and spins; a forecast, made from the seen track alone, is drawn ahead. H: all keys."""

    sport: str = "table_tennis"
    """a sport's name, or a .toml file of your own"""
    predictor: tuple[str, ...] = ()
    """predictors (names, or files of weights) that forecast side by side; the best alone where none is named.
    The keys 1-9 choose one, with Shift one more"""
    track: tuple[str, ...] = ()
    """recorded tracks to replay: CSV files (t,x,y,z), TT3D or SpinDOE files, folders of them, - for standard input"""
    format: str | None = None
    """of the tracks: csv, tt3d or spindoe; known by itself where not named"""
    scale: float = 1.0
    """metres per unit of the tracks' positions: 0.001 for millimetres"""
    axes: str = "x,y,z"
    """which of the tracks' axes are our x (across), y (along) and z (up), as in x,-z,y"""
    origin: str = "0,0,0"
    """our origin in the tracks' frame, after scale and axes, in metres, as in 0,0,0.76"""
    seed: int = 0
    """of the live throws"""
    size: str = "1280x720"
    """of the picture, in pixels"""
    show: tuple[str, ...] = ()
    """what is open from the start: truth, errors, gates, beliefs, inset, follow, sliders, why, help"""
    throw: str | None = None
    """the kind of throw that is thrown, one of the sport's own: serve, lob, free kick ..."""
    world: tuple[str, ...] = ()
    """rules by which the ball flies and is seen, and that no predictor is told, as in gravity=1.6 missed=50; W: all"""
    headless: bool = False
    """without a window: 1/60 s a frame, the same picture every time"""
    frames: int = 0
    """stop after so many frames; 0: when the window is closed, or after 120 where headless"""
    screenshot: Path | None = None
    """save the last picture as this PNG"""
    record: Path | None = None
    """save what is shown as this film, .mp4 or .gif, 60 frames a second; also with --headless"""


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
    if options.seed < 0:
        raise ValueError(f"--seed {options.seed}: at least 0")
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


def make_source(options, sport):
    """Recorded tracks where some are named, else live throws."""
    from ballcast.viewer.playback.source import LiveSource, RecordedSource

    if not options.track:
        throws = LiveSource(sport, options.seed)
        throws.throw_kind, throws.world = throw_number(options.throw, sport), parse_world(options.world)
        return throws
    from ballcast.tracks import read_tracks

    reader_options = {"scale": options.scale, "axes": options.axes, "origin": tuple(options.origin.split(","))}
    tracks = read_tracks(options.track, format=options.format, **reader_options)
    for note in (note for track in tracks for note in track.notes):
        print(note)
    return RecordedSource(sport, tracks)


def throw_number(name, sport):
    """The number of the sport's throw of that name; None for none."""
    names = [label for label, _ in sport.throws]
    if name is not None and name not in names:
        raise ValueError(f"--throw {name!r}: {sport.name} has {', '.join(names) or 'none'}")
    return None if name is None else names.index(name)


def parse_world(words):
    """Rule -> value of words like gravity=1.6."""
    from ballcast.viewer.playback.overrides import OVERRIDES

    ranges, world = {override.name: override for override in OVERRIDES}, {}
    for word in words:
        name, _, value = word.partition("=")
        override = ranges.get(name)
        if override is None:
            raise ValueError(f"--world {word}: RULE=NUMBER; the rules are {', '.join(ranges)}")
        try:
            world[name] = float(value)
        except ValueError:
            raise ValueError(f"--world {word}: {value!r} is not a number") from None
        if not override.low <= world[name] <= override.high:
            raise ValueError(f"--world {word}: from {override.low:g} to {override.high:g}")
    return world


def load_predictors(names, shown, sport):
    """The predictors for the keys 1-9. Those in `shown` are loaded now, so that a wrong name is refused."""
    from ballcast.viewer.playback.session import PredictorPool

    pool = PredictorPool(names, sport)
    for index in shown:
        pool.load(index)
    return pool


def start_warm(options, names, shown, source):
    """For a window: (predictors, WarmStart), only what was compiled before is loaded now. A wrong name is refused."""
    from ballcast import models
    from ballcast.viewer import warm_start
    from ballcast.viewer.playback.first_flight import first_flight
    from ballcast.viewer.playback.session import PredictorPool

    compiled = {i for i, name in enumerate(names) if warm_start.is_warm(name, options.sport)}
    pool = PredictorPool(names, source.sport, compiled)
    for index in shown:
        if names[index] not in models.PREDICTORS:  # loading is the way to check it
            compiled.add(index)
        pool.load(index)
    source.ready = source.ready and (not source.live or warm_start.is_warm(warm_start.SIMULATOR, options.sport))
    if not source.ready and options.throw is None and not options.world:
        source.stand_in = first_flight(source.sport)
    if pool.waiting or not source.ready:
        print("compiling, once: the window shows what is left", flush=True)
    return pool, warm_start.WarmStart(pool, source, options.sport)


def run(options):
    """Check what was asked for, then show it. Raises ValueError or OSError, one line each."""
    check(options)
    size = picture_size(options.size)
    from ballcast import models, sim

    sport = sim.load(options.sport)
    source, loading_text, warm_start = make_source(options, sport), "one moment ...", None
    names, shown = options.predictor or models.available(sport), range(max(1, len(options.predictor)))
    if not options.headless:
        predictors, warm_start = start_warm(options, names, shown, source)
    else:
        simulates = {"parabola", "constant_velocity"}.isdisjoint(options.predictor)
        if (source.live or simulates) and not sim.is_compiled():
            loading_text = "compiling the simulator, once ..."
            print(loading_text, flush=True)
        predictors = load_predictors(names, shown, sport)
    from ballcast.viewer.window import App

    App(
        source, predictors, size, options.headless,
        frames=options.frames or (HEADLESS_FRAMES if options.headless else None), screenshot=options.screenshot,
        loading_text=loading_text, shown=shown, record=options.record,
        options=DisplayOptions(**dict.fromkeys(options.show, True)), warm_start=warm_start,
    ).run()  # fmt: skip


def main():
    options = command.options(Options, "play.py")
    command.run("play.py", lambda: run(options))
