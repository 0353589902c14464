"""Compile ahead of time, for images, robots and tests: no forecast waits for the compiler afterwards. In a process that
calls ballcast.warm, what is compiled is loaded too: its first forecast takes no longer than the others.

    ballcast warm --predictor gru_physics --sport table_tennis
    ballcast warm                                               # every predictor with weights for table tennis
    ballcast.warm("gru_physics", "table_tennis")                # the same from Python

Two processes share the work: one compiles what reads frames, the other what simulates ahead; then one what pixels need,
the other the rest. Compiled code depends on no sport: another sport needs nothing more.
"""

import importlib.util
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ballcast import command, models, sim
from ballcast.models.estimation.fit import map_fit
from ballcast.models.estimation.posterior import fly_samples
from ballcast.models.estimation.prior import sport_prior
from ballcast.models.estimation.unknowns import UNKNOWNS
from ballcast.models.predictors.neural import NeuralPredictor
from ballcast.models.runtime.network import advance
from ballcast.render.painter import compile_kernels
from ballcast.sim import jit
from ballcast.sim.kernels.compiled_sport import compile_lanes, compile_sport
from ballcast.sim.kernels.lanes import fly_lanes
from ballcast.sim.kernels.layout import CONTACT_DTYPE
from ballcast.tracks import Camera, PixelTrack, Track

PROGRAM = "ballcast warm"
SIMULATOR = "simulator"  # in place of a predictor: what live throws and generated balls need
VIDEO = "video"  # in place of a predictor: what following a ball in a video needs; nothing without OpenCV
PIXELS = "pixels"  # in place of a predictor: what balls seen by cameras need, whatever the predictor
TAKE_PIXELS = ("physics", "gru", "gru_physics")
SIMULATE_SAMPLES = ("gru_physics", "physics")  # predictors whose compiling is shared by two processes
TIMES = np.arange(12) / 100  # s, of the frames of a made-up track: a ball thrown through the air above the origin
TRACK = Track(TIMES, np.stack([0 * TIMES, 2 * TIMES - 1, 1 + 2 * TIMES - 4.9 * TIMES**2], axis=1))


@dataclass(frozen=True)
class Options:
    """Compile ahead of time what predictors need, so that nothing is compiled when a program uses them."""

    predictor: tuple[str, ...] = ()
    """names, files of weights, `simulator` for live throws, `pixels` for balls seen by cameras, `video` for balls in
    videos; all of these and the viewer if none is named"""
    sport: tuple[str, ...] = ("table_tennis",)  # sports' names, or .toml files of your own
    second: bool = False  # compile the half that the first process leaves to a second one


def main() -> None:
    options = command.options(Options, PROGRAM)
    command.run(PROGRAM, lambda: run(options))


def run(options: Options) -> None:
    """Compile, and print a line for every function. Raises ValueError or OSError, one line each."""
    sports = [sim.load(name) for name in options.sport]
    progress = Progress()
    if options.second:
        return compile_second_half(options.predictor[0], options.sport[0])
    if options.predictor:
        for sport in sports:
            for name in options.predictor:
                warm(name, sport, progress)
    else:
        warm_all(sports, options.sport, progress)
    print("everything is compiled", flush=True)


def warm_all(sports: list[sim.Sport], names: tuple[str, ...], progress: "Progress") -> None:
    """Compile everything for some sports, given by these names: what pixels need by a process of its own, as soon as
    there is what it builds on."""
    beside = None
    for sport in sports:
        for name in (*models.available(sport), SIMULATOR):
            warm(name, sport, progress)
            if beside is None and name in SIMULATE_SAMPLES:
                beside = start_beside("--predictor", PIXELS, "--sport", names[0])
                progress.follow_beside(beside)
    compile_kernels()
    warm(VIDEO, sports[0], progress)
    if beside:
        beside.wait()
    for sport in sports:
        warm(PIXELS, sport, progress)


def start_beside(*arguments: str) -> subprocess.Popen[str]:
    """Another `ballcast warm`, beside this process."""
    command_line = [sys.executable, "-m", "ballcast", "warm", *arguments]
    return subprocess.Popen(command_line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


class Progress:
    """Prints `compiled N of about M: NAME` for this process and for those it starts."""

    def __init__(self, show: Callable[[str], None] = lambda line: print(line, flush=True)):
        self.show, self.done, self.total = show, 0, 0
        jit.report_compiling(lambda _, total, name: self.step(total, name) if name else None)

    def step(self, total: int, name: str) -> None:
        self.done, self.total = self.done + 1, max(total, self.total, self.done + 1)
        self.show(f"compiled {self.done} of about {self.total}: {name}")

    def follow_beside(self, other: subprocess.Popen[str]) -> None:
        """Show what another process compiles, until it ends."""
        threading.Thread(target=self.follow, args=(other.stdout,), daemon=True).start()

    def follow(self, lines: Iterable[str]) -> None:
        for line in lines:
            if line.startswith("compiled "):
                self.step(0, line.strip().rpartition(": ")[2])


def warm(
    predictor: str = "gru_physics", sport: sim.Sport | str = "table_tennis", progress: Progress | None = None
) -> None:
    """Compile what a predictor of a sport needs, or "simulator", "pixels" or "video", unless compiled code of today's
    source is kept."""
    loaded_sport = sport if isinstance(sport, sim.Sport) else sim.load(sport)
    if predictor == SIMULATOR:
        sim.draw(loaded_sport, 1, purpose="play", cameras=sim.random_cameras(loaded_sport, 1))
        return
    if predictor == PIXELS:
        return exercise_pixels(loaded_sport)
    if predictor == VIDEO:
        return exercise_video()
    loaded = models.load(predictor, loaded_sport)
    if predictor in SIMULATE_SAMPLES and not jit.is_kept(fly_lanes):
        arguments = ["--predictor", predictor, "--sport", str(getattr(sport, "name", sport)), "--second"]
        with start_beside(*arguments) as second:
            if progress:
                progress.follow_beside(second)
            observe(loaded)
    exercise(loaded)


def exercise_video() -> None:
    """Follow a ball in a made-up video, where OpenCV is installed."""
    if importlib.util.find_spec("cv2"):
        from ballcast.vision.warm import follow_made_up

        follow_made_up()


def compile_second_half(predictor: str, sport: str) -> None:
    """What comes after the last frame: samples simulated ahead, and the network."""
    lanes, contacts = compile_lanes(sim.load(sport), np.float32), np.empty(0, CONTACT_DTYPE)
    fly_samples(lanes, np.zeros((1, UNKNOWNS)), np.ones((1, 1)), contacts)
    loaded = models.load(predictor, sport)
    if isinstance(loaded, NeuralPredictor):
        batch = loaded.streams(1)
        advance(loaded.network, batch.features, np.zeros(1), batch.hidden, batch.cell_state, np.arange(1))
        batch.forecast(TIMES[1:3])


def observe(predictor: models.Predictor) -> None:
    """Show a predictor the frames of a made-up track: the filter and the fit."""
    stream = predictor.stream()
    for time, position in zip(TRACK.time, TRACK.position, strict=True):
        stream.observe(time, position)
    prior = sport_prior(predictor.sport)
    frames = TRACK.time.copy(), TRACK.position.copy()
    map_fit(compile_sport(predictor.sport), *frames, prior.mean, prior, np.int64(1))


def exercise(predictor: models.Predictor) -> None:
    """Have a predictor forecast a made-up track in all the ways there are: whole, in a batch, frame by frame."""
    times = TIMES[-1] + np.arange(1, 3) / 10
    predictor.forecast(TRACK, times)
    predictor.forecast_batch([TRACK, TRACK], times)
    stream = predictor.stream()
    for time, position in zip(TRACK.time, TRACK.position, strict=True):
        stream.observe(time, position)
    stream.forecast(times)
    stream.at_plane((0.0, 1.0, 0.0), 0.5)


def exercise_pixels(sport: sim.Sport) -> None:
    """Have the predictors that take pixels forecast a made-up ball, whole and frame by frame, and smooth its path."""
    turn = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, -1.0], [-1.0, 0.0, 0.0]])  # looks along -x, from 4 m
    lens = np.array([[1000.0, 0.0, 640.0], [0.0, 1000.0, 360.0], [0.0, 0.0, 1.0]])
    camera = Camera(lens, np.empty(0), turn, turn @ [-4.0, 0.0, -1.0], (1280, 720), "made up")
    times = TIMES[-1] + np.arange(1, 3) / 10
    track = PixelTrack(TIMES, camera.project(TRACK.position), np.zeros(len(TIMES)), [camera])
    for name in TAKE_PIXELS:
        if name in models.available(sport):
            predictor = models.load(name, sport)
            predictor.forecast(track, times)
            stream: Any = predictor.stream()
            for time, pixel in zip(track.time, track.pixel, strict=True):
                stream.observe_pixel(time, pixel, camera)
            now = TIMES[-1] + 0.01
            middle = stream.observe_candidates(now, [], [], camera).pixel
            stream.observe_candidates(now, middle + [[4.0, 0.0], [-4.0, 0.0]], [0.3, 0.3], camera)  # both are plausible
            stream.forecast(times)
            stream.restart()
    models.smooth(track, sport)
