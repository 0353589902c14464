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

from ballcast.viewer.options import SHOWN
from ballcast.viewer.options import Options as Opened

from ballcast import command

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


def check(asked):
    """Refuse numbers and paths that cannot work before anything takes time. Raises ValueError."""
    if asked.frames < 0:
        raise ValueError(f"--frames {asked.frames}: 0 or more")
    if asked.seed < 0:
        raise ValueError(f"--seed {asked.seed}: at least 0")
    if asked.screenshot is not None:
        folder = asked.screenshot.parent
        if asked.screenshot.is_dir() or asked.screenshot.suffix.lower() != ".png":
            raise ValueError(f"--screenshot {asked.screenshot}: name a file that ends in .png")
        if not folder.is_dir() or not os.access(folder, os.W_OK):
            raise ValueError(f"--screenshot {asked.screenshot}: {folder} is not a folder that can be written to")
    for name in asked.show:
        if name not in SHOWN:
            raise ValueError(f"--show {name}: there are {', '.join(SHOWN)}")
    if asked.record is not None:
        from ballcast.viewer import film

        film.check(asked.record)


def source(asked, sport):
    """Recorded tracks where some are named, else live throws."""
    from ballcast.viewer.playback.source import Replays, Throws

    if not asked.track:
        throws = Throws(sport, asked.seed)
        throws.kind, throws.world = kind_of_throw(asked.throw, sport), world_of(asked.world)
        return throws
    from ballcast.tracks import read_tracks

    placement = {"scale": asked.scale, "axes": asked.axes, "origin": tuple(asked.origin.split(","))}
    tracks = read_tracks(asked.track, format=asked.format, **placement)
    for note in (note for track in tracks for note in track.notes):
        print(note)
    return Replays(sport, tracks)


def kind_of_throw(name, sport):
    """The number of the sport's throw of that name; None for none."""
    names = [label for label, _ in sport.throws]
    if name is not None and name not in names:
        raise ValueError(f"--throw {name!r}: {sport.name} has {', '.join(names) or 'none'}")
    return None if name is None else names.index(name)


def world_of(words):
    """Rule -> value of words like gravity=1.6."""
    from ballcast.viewer.playback.overrides import RULES

    ranges, world = {rule.name: rule for rule in RULES}, {}
    for word in words:
        name, _, value = word.partition("=")
        rule = ranges.get(name)
        if rule is None:
            raise ValueError(f"--world {word}: RULE=NUMBER; the rules are {', '.join(ranges)}")
        try:
            world[name] = float(value)
        except ValueError:
            raise ValueError(f"--world {word}: {value!r} is not a number") from None
        if not rule.low <= world[name] <= rule.high:
            raise ValueError(f"--world {word}: from {rule.low:g} to {rule.high:g}")
    return world


def choice(asked, sport):
    """The predictors for the keys 1-9. Those that were named are loaded at once, so that a wrong name is refused."""
    from ballcast.viewer.playback.session import Choice

    from ballcast import models

    chooser = Choice(asked.predictor or models.available(sport), sport)
    for index in range(max(1, len(asked.predictor))):
        chooser.load(index)
    return chooser


def run(asked):
    """Check what was asked for, then show it. Raises ValueError or OSError, one line each."""
    check(asked)
    size = picture_size(asked.size)
    from ballcast import sim

    sport = sim.load(asked.sport)
    balls, waiting = source(asked, sport), "one moment ..."
    simulates = {"parabola", "constant_velocity"}.isdisjoint(asked.predictor)
    if (balls.live or simulates) and not sim.compiled():
        waiting = "compiling the simulator, once ..."
        print(waiting, flush=True)
    predictors = choice(asked, sport)
    from ballcast.viewer.window import App

    frames = asked.frames or (HEADLESS_FRAMES if asked.headless else None)
    shown = range(max(1, len(asked.predictor)))
    opened = Opened(**dict.fromkeys(asked.show, True))
    saved = asked.screenshot, waiting, shown, asked.record
    App(balls, predictors, size, asked.headless, frames, *saved, opened).run()


def main():
    asked = command.options(Options, "play.py")
    command.run("play.py", lambda: run(asked))


if __name__ == "__main__":
    main()
