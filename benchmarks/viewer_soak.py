"""The viewer under strain: memory over a long show, moments gone back to, keys mashed and windows resized.

    python -m benchmarks.viewer_soak [hour rewind mash] [--frames 216000]

The last line is one JSON object:
    memory_growth    of the process from the first minute (3,600 frames) to the end of `hour`, in fast motion: share
    rewinds_equal    of 50 random moments gone back to, those whose picture is what it was to the pixel
    mash_frames      frames of random keys, mouse and window sizes that went by without an exception
    film_frames      of the film that was being made when the window was closed
"""

import argparse
import contextlib
import hashlib
import itertools
import json
import os
import tempfile
from pathlib import Path

import numpy as np
import pygame

from ballcast import sim
from ballcast.viewer import keys
from ballcast.viewer.options import ALL_ON, DEFAULT
from ballcast.viewer.playback.session import FRAME_TIME, PredictorPool
from ballcast.viewer.playback.source import LiveSource
from ballcast.viewer.window import App

MINUTE = 3600  # frames
PREDICTORS = ("gru_physics", "gru", "physics")
SIZES = ((320, 180), (640, 360), (1280, 720), (501, 333), (3840, 2160))
KEYS = sorted({key for binding in keys.BINDINGS for key in binding.keys} - {"q", "escape"})


def make_app(size=(1280, 720), predictors=PREDICTORS, opened=ALL_ON, **options):
    """A table-tennis App without a screen, everything open."""
    pool = PredictorPool(predictors, sport := sim.load("table_tennis"))
    source = LiveSource(sport, rallies=True)
    return App(source, pool, size, True, shown=range(len(predictors)), options=opened, **options)


def memory_by_minute(frames):
    """Memory (bytes) at the end of each minute of a show at eight times its speed, as the viewer starts."""
    app, held = make_app((320, 180), PREDICTORS[:1], DEFAULT), []  # what is kept does not hang on the picture's size
    app.session.speed = 8.0
    for frame in range(1, frames + 1):
        app.frame(FRAME_TIME)
        if frame % MINUTE == 0:
            held.append(int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE"))
            print(f"{frame:7} frames, ball {app.session.index:6}: {held[-1] / 2**20:.1f} MB", flush=True)
    return held


def frame_hash(app):
    """A checksum of the picture, its state line left out: it says whether the show is paused."""
    pixels = pygame.surfarray.array3d(app.screen)
    return hashlib.sha256(pixels[:, : int(0.88 * pixels.shape[1])].tobytes()).hexdigest()


def rewinds(frames, count, **options):
    """Of `count` random moments of one ball, how many show the same picture when gone back to."""
    app, hashes = make_app(**options), {}
    for _ in range(frames):
        app.frame(FRAME_TIME)
        hashes[app.session.now] = frame_hash(app)
    same = 0
    for time in np.random.default_rng(1).choice(list(hashes), count):
        app.session.rewind(time)
        app.frame(FRAME_TIME)
        same += frame_hash(app) == hashes[time]
    return same


def random_input(frames, seed=0, **options):
    """Random keys, mouse and window sizes; closed while a film is made, whose frames are counted."""
    rng, app = np.random.default_rng(seed), make_app(**options)
    for frame in range(frames):
        for event in itertools.islice(_events(rng, app), int(rng.integers(4))):
            pygame.event.post(event)
        if frame % 50 == 49:
            pygame.display.set_mode(SIZES[rng.integers(len(SIZES))])
        if frame >= frames - 40 and app.film is None:
            app.record()
        app.frame(FRAME_TIME)
    pygame.event.post(pygame.event.Event(pygame.QUIT))
    path = app.film.path if app.film else None
    app.run()
    return path


def _events(rng, app):
    """Endless events as a person who understands nothing would make them."""
    width, height = app.screen.get_size()
    while True:
        name = KEYS[rng.integers(len(KEYS))]
        bare, mod = name.removeprefix("shift+"), pygame.KMOD_LSHIFT if name.startswith("shift+") else 0
        code, typed = pygame.key.key_code(bare), bare if len(bare) == 1 else ""
        position = int(rng.integers(width)), int(rng.integers(height))
        if rng.random() < 0.3:  # at the ball, else it would hardly ever be taken
            pixel = app.active_camera().project(app.session.ball.state_at(app.session.now)[0][None])[0][0]
            position = tuple(np.nan_to_num(pixel).astype(int).tolist())
        pressed, rel = (int(rng.random() < 0.7), 0, int(rng.random() < 0.3)), tuple(rng.integers(-40, 40, 2).tolist())
        kinds = (
            pygame.event.Event(pygame.KEYDOWN, key=code, unicode=typed, mod=mod),
            pygame.event.Event(pygame.KEYUP, key=code, mod=mod),
            pygame.event.Event(pygame.MOUSEBUTTONDOWN, button=1, pos=position),
            pygame.event.Event(pygame.MOUSEBUTTONUP, button=1, pos=position),
            pygame.event.Event(pygame.MOUSEMOTION, pos=position, rel=rel, buttons=pressed),
            pygame.event.Event(pygame.MOUSEWHEEL, x=0, y=int(rng.integers(-3, 4)), flipped=False),
            pygame.event.Event(pygame.WINDOWFOCUSLOST),
        )
        yield kinds[rng.choice(len(kinds), p=(0.4, 0.15, 0.1, 0.1, 0.19, 0.05, 0.01))]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="*", default=["hour", "rewind", "mash"])
    parser.add_argument("--frames", type=int, default=60 * MINUTE, help="of the hour")
    options, result = parser.parse_args(), {}
    if "rewind" in options.what:
        result["rewinds_equal"] = rewinds(150, 50)
        print(f"{result['rewinds_equal']} of 50 moments look as they did")
    if "mash" in options.what:
        import imageio_ffmpeg

        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):  # for screenshots and films
            path = random_input(5000)
            result |= {"mash_frames": 5000, "film_frames": imageio_ffmpeg.count_frames_and_secs(str(path))[0]}
        print(f"5000 frames of random keys; the film that was closed in the middle has {result['film_frames']} frames")
    if "hour" in options.what:
        held = memory_by_minute(options.frames)
        result["memory_growth"] = round(held[-1] / held[0] - 1, 4)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
