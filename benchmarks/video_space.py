"""The ball in space from a video: which candidates the filter takes, and how well it forecasts after a bounce.

    python -m benchmarks.video_space --rallies 6                      # no pictures: true pixels among clutter
    python -m benchmarks.video_space --part rendered --clips 4        # end to end, from rendered files
    python -m benchmarks.video_space --part rendered --sports tennis --view behind
    python -m benchmarks.video_space --part labelled                  # clips of broadcasts, with their cameras

association: rallies as a random camera sees them, with pixels of 1 px noise, a tenth of the frames missed, --clutter
false candidates anywhere in the picture and --near of them 40 px round the ball. From the fourth frame of a flight on
the stream of `physics` weighs them; beside it a stream that is given the ball. rendered: Follower with the true camera,
against a stream that is given the true pixels of every visible frame, and the hits. Both: error in space at +0.2 s,
from all frames after a bounce, if the ball is not hit until then. A frame without a forecast counts as infinitely
wrong. `paired`: median of the ratios of single forecasts; `held`: fraction of the true positions in the 90 % region.

rendered asks only in frames until which the ball was clear in at least CLEAR_SHARE of the last CLEAR_FRAMES: visible by
the truth, and CONTRAST grey levels off what is round it and off the picture without it. A white ball before a white
wall is not clear.

A view tells depth if a ball's fall in FALL seconds is seen by at least DEPTH_PIXELS more or less where it flies one
metre nearer or farther along the line of sight: about as much as true pixels have to be known to tell it. Very long
lenses do not: there a forecast from true pixels alone is metres off. Printed are all clips, and those of such views.

labelled: clips and labels as in following.py, with the cameras that were fitted to the labelled points. image: error px
of Follower's forecast at +0.2 s; bounces: those of SpaceTracker against the labelled ones, m on the table or court.
"""

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from ballcast import command, models, sim
from ballcast.tracks import Camera
from ballcast.tracks.camera import rotation_of
from ballcast.tracks.yaml_file import read_yaml
from ballcast.vision.filming import resized
from ballcast.vision.finders import open_finder
from ballcast.vision.follow import Follower
from ballcast.vision.video import open_video
from benchmarks.detection import DATA, read_labels
from benchmarks.following import AHEAD, ERROR, POOL, REGION, Clip, targets
from benchmarks.rendered_clips import Clip as RenderedClip
from benchmarks.rendered_clips import test_clip

SPORTS, RATES = ("table_tennis", "tennis"), (30.0, 60.0)
IN_SPACE = 6.251  # squared Mahalanobis distance that holds 90 % of a Gaussian in space
NOISE, MISSED, ROUND = 1.0, 0.1, 40.0  # px, fraction of the frames, px
FIRST = 4  # frames of a flight that are given
SIZE = 1280, 720
CONTRAST, CLEAR_FRAMES, CLEAR_SHARE = 15.0, 6, 0.5
EMPTY_FRAMES = 15
FALL, DEPTH_PIXELS = 0.5, 1.0  # s; px per metre
RING = 1.5, 3.0  # diameters, of what is round the ball
BOUNCE_WITHIN = 2.0  # frames, of a labelled bounce


@dataclass(frozen=True, kw_only=True)
class Options:
    """Measure the ball in space from a video."""

    part: Literal["association", "rendered", "labelled"] = "association"
    sports: tuple[str, ...] = SPORTS
    rates: tuple[float, ...] = RATES  # frames/s
    rallies: int = 6  # of each sport and rate
    clips: int = 4  # of each sport and rate
    view: Literal["any", "broadcast", "side", "behind", "corner", "phone"] = "any"  # of rendered clips
    clutter: int = 30
    near: int = 1
    network: Path | None = None  # a file of weights, in place of the shipped one
    threads: int = 1


class Pair(NamedTuple):
    """Errors m of forecasts from candidates and from the true pixels, and whether the region of the first held."""

    error: float
    alone: float
    is_held: bool


def main() -> None:
    program = "python -m benchmarks.video_space"
    options = command.options(Options, program)
    parts = {"association": run_association, "rendered": run_rendered, "labelled": run_labelled}
    command.run(program, lambda: parts[options.part](options))


def run_association(options: Options) -> None:
    """Print the errors with true pixels among clutter."""
    for sport in options.sports:
        for rate in options.rates:
            pairs = [p for seed in range(options.rallies) for p in of_rally(sport, rate, seed, options)]
            print_pairs(f"{sport} {rate:g}/s, {options.clutter} + {options.near} false candidates", pairs)


def run_rendered(options: Options) -> None:
    """Print the errors end to end."""
    for sport in options.sports:
        for rate in options.rates:
            pairs: list[Pair] = []
            telling: list[Pair] = []
            for seed in range(options.clips):
                clip = test_clip(sport, None if options.view == "any" else options.view, rate=rate, seed=seed)
                own, px_per_metre = list(of_clip(clip, options)), depth_pixels(clip)
                print_pairs(f"{sport} {rate:g}/s, clip {seed}, {px_per_metre:.2f} px for a metre of depth", own)
                pairs += own
                telling += own if px_per_metre >= DEPTH_PIXELS else []
            print_pairs(f"{sport} {rate:g}/s, rendered", pairs)
            print_pairs(f"{sport} {rate:g}/s, rendered, views that tell depth", telling)


def print_pairs(name: str, pairs: list[Pair]) -> None:
    """Print one line."""
    if not pairs:
        print(f"{name}: no forecasts after a bounce")
        return
    error, alone, held = (np.array(values) for values in zip(*pairs))
    middle, other = np.median(error), np.median(alone)
    none = np.mean(np.isinf(error))
    print(f"{name}: {len(pairs)} forecasts, median {middle:.3f} m, from true pixels {other:.3f} m, ratio "
          f"{middle / other:.2f}, paired {np.median(error / alone):.2f}; without a forecast {none:.2f}, "
          f"held {held[np.isfinite(error)].mean():.2f}", flush=True)  # fmt: skip


def of_rally(name: str, rate: float, seed: int, options: Options) -> Iterator[Pair]:
    """The Pairs of a rally, from true pixels among clutter."""
    sport, rng = sim.load(name), np.random.default_rng(seed)
    rally = sim.rally(sport, seed)
    camera = resized(Camera(*sim.random_cameras(sport, 1, seed, "test")[0].lens), SIZE)
    weighing, alone = (models.load("physics", sport=sport).stream() for _ in range(2))
    for stroke in rally.strokes:
        times = np.arange(stroke.time + rng.uniform() / rate, stroke.end, 1.0 / rate)
        position = rally.position(times)
        pixels = camera.project(position)
        seen = camera.sees(position) & (rng.uniform(size=len(times)) > MISSED)
        lands = [t for t, s in zip(stroke.impacts.time, stroke.impacts.surface) if s in sport.landing_surfaces]
        weighing.restart(), alone.restart()
        given = 0
        for k in np.flatnonzero(np.isfinite(pixels).all(axis=1)):
            t, pixel = float(times[k]), pixels[k] + rng.normal(0.0, NOISE, 2)
            if seen[k]:
                alone.observe_pixel(t, pixel, camera)
            if given >= FIRST:
                weighing.observe_candidates(t, *among_clutter(rng, pixel if seen[k] else None, camera, options), camera)
            elif seen[k]:
                weighing.observe_pixel(t, pixel, camera)
                given += 1
            if given >= FIRST and seen[k] and lands and lands[0] < t and t + AHEAD < stroke.end:
                truth = rally.position([t + AHEAD])[0]
                yield pair(weighing.forecast([t + AHEAD]), alone.forecast([t + AHEAD]), truth)


def among_clutter(rng, pixel, camera, options):
    """Candidates (N, 2) px and their scores (N,): the ball, if it is seen, and false ones."""
    false = rng.uniform(size=(options.clutter, 2)) * camera.size
    if pixel is not None:
        false = np.vstack([false, pixel + rng.normal(0.0, ROUND, (options.near, 2)), pixel[None]])
    return false, rng.uniform(0.05, 1.0, len(false))


def pair(forecast: models.Forecast | None, alone: models.Forecast, truth: np.ndarray) -> Pair:
    """The Pair of two forecasts of one moment."""
    error = float(np.linalg.norm(alone.mean[0] - truth))
    if forecast is None or forecast.covariance is None:
        return Pair(np.inf, error, False)
    offset = forecast.mean[0] - truth
    is_held = offset @ np.linalg.solve(forecast.covariance[0], offset) < IN_SPACE
    return Pair(float(np.linalg.norm(offset)), error, bool(is_held))


def depth_pixels(clip: RenderedClip) -> float:
    """By how many px the fall of a ball in FALL seconds changes where it flies a metre farther away, in the middle of
    the places where it is visible."""
    camera, place = clip.camera_at(0.0), np.median(clip.position[clip.visible], axis=0)
    distance = float(np.linalg.norm(place - camera.centre))
    fall = 0.5 * sim.load(clip.sport).world.gravity * FALL**2
    return fall * float(camera.K[1, 1]) / distance**2


def of_clip(clip: RenderedClip, options: Options) -> Iterator[Pair]:
    """The Pairs of a rendered clip, end to end."""
    name, camera = clip.sport, clip.camera_at(0.0)
    hits = np.array([event.time for event in clip.events if event.kind == "hit"])
    bounces = np.array([event.time for event in clip.events if event.kind == "bounce"])
    empty = empty_picture(clip)
    finder, alone = open_finder(options.network, 0, options.threads), models.load("physics", sport=name).stream()
    rate = 1.0 / float(np.median(np.diff(clip.time)))
    steps, last, given, clear = round(AHEAD * rate), 0, 0, []
    with open_video(clip.path) as video:
        follower = Follower(finder, video.size, sport=name, camera=camera)
        for frame in video:
            k, t = int(np.abs(clip.time - frame.time).argmin()), frame.time
            follower.observe(frame)
            clear.append(clip.visible[k] and contrast(frame.image, empty, clip.pixel[k], clip.diameter[k]) >= CONTRAST)
            flight = int((hits <= clip.time[k]).sum())
            if flight != last:
                alone.restart()
                last, given = flight, 0
            if clip.visible[k]:
                alone.observe_pixel(clip.time[k], clip.pixel[k], camera)
                given += 1
            later = k + steps
            is_clear = np.mean(clear[-CLEAR_FRAMES:]) >= CLEAR_SHARE and clip.visible[k]
            if later >= len(clip.time) or not flight or given < FIRST or not is_clear:
                continue
            is_free = int((hits <= clip.time[later]).sum()) == flight
            if is_free and ((bounces > hits[flight - 1]) & (bounces < clip.time[k])).any():
                found = follower.forecast([t + clip.time[later] - clip.time[k]])
                yield pair(found and found.space, alone.forecast([clip.time[later]]), clip.position[later])


def contrast(image: np.ndarray, empty: np.ndarray, pixel: np.ndarray, diameter: float) -> float:
    """How many grey levels the ball differs from what is round it and from the empty picture, the smaller of both; each
    in the channel in which it differs the more."""
    u, v = np.meshgrid(np.arange(image.shape[1]), np.arange(image.shape[0]))
    off = np.hypot(u - pixel[0], v - pixel[1]) / max(diameter, 2.0)
    is_ball, is_ring = off < 0.5, (off > RING[0]) & (off < RING[1])
    if not (is_ball.any() and is_ring.any()):
        return 0.0
    ball = image[is_ball].mean(axis=0)
    return min(float(np.abs(ball - other.mean(axis=0)).max()) for other in (image[is_ring], empty[is_ball]))


def empty_picture(clip: RenderedClip) -> np.ndarray:
    """The median of frames of a clip whose camera stands still: without what moves."""
    with open_video(clip.path) as video:
        every = max(1, len(clip.time) // EMPTY_FRAMES)
        return np.median([frame.image for frame in video if frame.number % every == 0], axis=0)


def run_labelled(options: Options) -> None:
    """Print what is found in clips of broadcasts."""
    errors, held, places, expected = [], [], [], 0
    for name in POOL:
        sport = "table_tennis" if name.startswith("tt") else "tennis"
        clip, follower = follow(name, sport, options)
        own, is_held = image_errors(clip)
        close, count = bounce_errors(name, follower)
        print(f"{name}: {len(own)} forecasts at +{AHEAD:g} s, median {np.median(own):.1f} px, in the 90 % region "
              f"{np.mean(is_held):.2f}; {len(close)} of {count} bounces found, median {median(close):.2f} m",
              flush=True)  # fmt: skip
        errors, held, places, expected = errors + own, held + is_held, places + close, expected + count
    print(f"pool: in the 90 % region {np.mean(held):.2f}; {len(places)} of {expected} bounces, {median(places):.2f} m")


def median(values: list[float]) -> float:
    """The median; NaN of none."""
    return float(np.median(values)) if values else np.nan


def follow(name: str, sport: str, options: Options) -> tuple[Clip, Follower]:
    """A labelled clip, followed with its camera."""
    labels, times, forecasts = read_labels(name), {}, {}
    with open_video(DATA / f"{name}.mp4") as video:
        cameras = camera_of(name, video.size)
        number = [0]
        finder = open_finder(options.network, 0, options.threads)
        follower = Follower(finder, video.size, sport=sport, camera=lambda time: cameras(number[0]))
        for frame in video:
            if frame.number > max(labels):
                break
            number[0] = frame.number
            follower.observe(frame)
            times[frame.number] = frame.time
            found = follower.forecast([frame.time + AHEAD])
            forecasts[frame.number] = found
        return Clip(name, video.size[1], labels, times, [], [], forecasts, 0.0), follower


def image_errors(clip: Clip) -> tuple[list[float], list[bool]]:
    """Errors px of forecasts in the image, inf for none, and which of the regions held the label."""
    errors, held, noise = [], [], (ERROR * clip.height) ** 2 * np.eye(2)
    for number, pixel in targets(clip):
        found = clip.forecasts.get(number)
        offset = np.full(2, np.inf) if found is None else found.pixel[0] - pixel
        errors.append(float(np.hypot(*offset)))
        if found is not None:
            held.append(bool(offset @ np.linalg.solve(found.covariance[0] + noise, offset) < REGION))
    return errors, held


def bounce_errors(name: str, follower: Follower) -> tuple[list[float], int]:
    """Errors m on the plane of the bounces that were found, and how many are labelled."""
    found, errors = [bounce for bounce in follower.space.bounces if bounce.place[2] < 1.0], []
    with open(DATA / f"{name}_bounces.csv", newline="") as file:
        labelled = [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]
    for row in labelled:
        near = [b for b in found if abs(b.frame - row["frame_float"]) < BOUNCE_WITHIN]
        if near:
            best = min(near, key=lambda bounce: abs(bounce.frame - row["frame_float"]))
            errors.append(float(np.hypot(best.place[0] - row["x"], best.place[1] - row["y"])))
    return errors, len(labelled)


def camera_of(name: str, size: tuple[int, int]) -> Callable[[int], Camera]:
    """The camera of a labelled clip by the number of the frame: files NAME_camera.yaml and NAME_cameras_moving.csv."""
    still = read_yaml(name, (DATA / f"{name}_camera.yaml").read_bytes())
    last, best = still["valid_frames"][1], {**still, **still.get("k1_model", {})}
    first, moving = _camera(best["f"], best["rvec"], best["tvec"], best.get("k1", 0.0), size), {}
    file = DATA / f"{name}_cameras_moving.csv"
    for row in csv.DictReader(file.read_text().splitlines()) if file.is_file() else ():
        numbers = {key: float(value) for key, value in row.items()}
        turn, shift = ([numbers[kind + axis] for axis in "xyz"] for kind in "rt")
        moving[int(numbers["frame"])] = _camera(numbers["f"], turn, shift, 0.0, size)
    frames = np.array(sorted(moving))
    return lambda n: first if n <= last or not moving else moving[int(frames[np.abs(frames - n).argmin()])]


def _camera(focal, turn, shift, k1, size):
    K = [[focal, 0.0, 0.5 * (size[0] - 1)], [0.0, focal, 0.5 * (size[1] - 1)], [0.0, 0.0, 1.0]]
    return Camera(K, [k1, 0.0, 0.0, 0.0], rotation_of(turn), shift, size, "camera")


if __name__ == "__main__":
    main()
