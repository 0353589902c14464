"""What `play.py --video` does: check the options, open the clip, show it."""

import contextlib
from typing import Any

from ballcast.viewer.clip.options import ClipOptions

ELSEWHERE = ("track", "pixels", "cameras", "throw", "world", "game", "seed")  # options of balls that are no video's
SHOWN = ("candidates", "help")  # what --show may name


def run_clip(options: Any, size: tuple[int, int]) -> None:
    """Show options.video in a window of `size` px. Raises ValueError or OSError with one line.

    options: viewer.play.Options; ModuleNotFoundError (cv2) without OpenCV
    """
    check(options)
    from ballcast import sim
    from ballcast.viewer.clip.clip import open_clip

    sport = None if options.sport is None else sim.load(options.sport)
    clip = open_clip(options.video, sport, options.camera, predictor_name(options, sport))
    chosen = ClipOptions(**dict.fromkeys(options.show, True))
    asked = {"screenshot": options.screenshot, "record": options.record, "options": chosen}
    if clip.is_camera and options.headless and not options.frames:
        raise ValueError(f"--video {options.video}: a camera has no end; with --headless, say --frames N")
    with clip_log(options, sport) as log:
        asked |= {"frames": options.frames or None, "log": log}
        if options.headless:
            from ballcast.viewer.clip.headless import show

            show(clip, size, **asked)
        else:
            from ballcast.viewer.clip.app import ClipApp

            ClipApp(clip, size, **asked).run()


def clip_log(options: Any, sport: Any) -> Any:
    """What logs the clip for Rerun, if that was asked for."""
    if options.rerun is None:
        return contextlib.nullcontext()
    from ballcast.viewer.rerun_log import ClipLog

    return ClipLog(options.rerun, sport)


def check(options: Any) -> None:
    """Refuse options that do not go with a video. Raises ValueError."""
    wrong = [name for name in ELSEWHERE if getattr(options, name) not in (None, (), False)]
    if options.seen_by != "tracker":
        wrong.append("seen_by")
    if wrong:
        raise ValueError(f"--video shows a video; leave out --{wrong[0].replace('_', '-')}")
    if options.camera and options.sport is None:
        raise ValueError("--camera needs the sport, whose place the camera sees: add --sport NAME")
    if len(options.predictor) > 1:
        raise ValueError(f"--video has one forecast: name one predictor, not {len(options.predictor)}")
    for name in options.show:
        if name not in SHOWN:
            raise ValueError(f"--show {name}: of a video there are {', '.join(SHOWN)}")


def predictor_name(options: Any, sport: Any) -> str:
    """The predictor of the ball in space: the one that was named, else the first that takes pixels."""
    from ballcast import models
    from ballcast.viewer.play import takes_pixels

    if options.predictor or sport is None:
        return options.predictor[0] if options.predictor else "physics"
    return next((name for name in models.available(sport) if takes_pixels(name)), "physics")
