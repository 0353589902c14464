"""Bounces forecast 0.2 s before they happen, in labelled clips of broadcasts and in rendered clips.

    python -m benchmarks.bounces                        # 13 labelled bounces, 100 rendered ones, all together
    python -m benchmarks.bounces --rendered 0           # the labelled ones alone
    python -m benchmarks.bounces --rendered 40 --no-labelled --sport tennis

A forecast is that of the last frame at least 0.2 s before a bounce. A rendered bounce is asked for if the ball was
visible in four frames since the last hit, a labelled one (25 frames/s) if it was visible in one; none if another bounce
or a hit lies between. Medians count a bounce without a forecast as infinitely wrong; `none` is the share of these.

in the picture    where the ball is at the time of the bounce, px of 1080 rows: by the picture alone, with the camera
landing           where and when it lands, with the true camera (of labelled clips: fitted to labelled points): px of
                  1080 rows, m on the table or court, s
from true pixels  the same landing by a filter that is given where the ball is (labels) since the last hit: nothing is
                  mistaken for the ball, no hit is overlooked
found camera      m, with the camera that is found in the first frame; in labelled clips only until theirs moves

--verbose prints each bounce. The clips and their labels are described in following.py; the rendered clips stand still.
"""

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ballcast import command, models, sim
from ballcast.tracks import Camera
from ballcast.tracks.yaml_file import read_yaml
from ballcast.vision.candidates import CandidateFinder
from ballcast.vision.court_finder import find_court
from ballcast.vision.filming import VIEWS
from ballcast.vision.finders import Finder, open_finder, probabilities
from ballcast.vision.follow import Follower, ImageLanding
from ballcast.vision.landmarks import CalibrationError
from ballcast.vision.space_tracker import SpaceTracker, moved
from ballcast.vision.video import open_video
from benchmarks.detection import DATA, check_clips, read_labels
from benchmarks.following import POOL, read_hits
from benchmarks.rendered_clips import Clip, Event, test_clip
from benchmarks.video_space import camera_of

SPORTS = "table_tennis", "tennis"
RATES = 25.0, 30.0, 50.0, 60.0
SIZES = ((1280, 720), (1920, 1080))
AHEAD = 0.2  # s before a bounce
SEEN_BEFORE = 4  # frames with the ball since the last hit, of rendered clips; of labelled ones, at 25 frames/s, 1
FIRST_SEED = 1000
WANTED = "wanted: 30 px"

CameraAt = Callable[[float], Camera | None]


@dataclass(frozen=True, kw_only=True)
class Options:
    """Forecast bounces in labelled and in rendered clips."""

    rendered: int = 100  # bounces, half of each sport
    labelled: bool = True
    sport: str | None = None  # one sport alone
    network: Path | None = None  # a file of weights; by default the network that ships
    without_network: bool = False  # only what moves is looked for
    verbose: bool = False  # a line for each bounce


class Ball(NamedTuple):
    """A clip with one ball whose bounces are asked for."""

    name: str
    path: Path
    sport: str
    size: tuple[int, int]  # px
    camera_at: CameraAt  # the true one
    until: float  # s: that long the camera stands as in the first frame
    keep_repeats: bool
    time: np.ndarray  # (T,) s, of the frames in which the ball is visible
    pixel: np.ndarray  # (T, 2) px
    hits: np.ndarray  # s
    bounces: list[Event]  # and other impacts
    asked: list[Event]  # bounces that can be asked for


class Known(NamedTuple):
    """What is forecast of a bounce; None where nothing is."""

    pixels: tuple[np.ndarray | None, np.ndarray | None]  # (2,) px at its time, by the picture alone and with the camera
    landings: tuple[ImageLanding | None, ImageLanding | None]  # with the true camera and with the one that is found


NOTHING = Known((None, None), (None, None))


class Bounce(NamedTuple):
    """A bounce, and how far off its forecast was; inf where there was none, NaN where none was asked for.

    Lengths in the picture are px of 1080 rows.
    """

    clip: str
    sport: str
    time: float  # s
    seen: int  # frames with the ball since the last hit
    picture: float  # px, by the picture alone
    camera: float  # px, with the camera
    landing: float  # px
    place: float  # m
    delay: float  # s
    pixels: float  # px, from true pixels
    pixels_place: float  # m, the same
    found: float  # m, with the camera found in the picture


def main() -> None:
    program = "python -m benchmarks.bounces"
    options = command.options(Options, program)
    command.run(program, lambda: run(options))


def run(options: Options) -> None:
    """Print the table. Raises ValueError for labelled clips that are not there."""
    if options.labelled:
        check_clips(POOL)
    print(f"{'':22} {'':7} {'in the picture':>17} {'':5} {'landing':>22} {'':5} {'from true pixels':>15} "
          f"{'':5} {'found camera':>12}")  # fmt: skip
    print(f"{f'({WANTED})':22} bounces px alone   camera  none       px      m      s  none       px      m  none "
          "     m  none")  # fmt: skip
    labelled = [b for ball in labelled_balls(options) for b in of_clip(ball, options)] if options.labelled else []
    often = [b for b in labelled if b.seen >= SEEN_BEFORE]
    print_rows({"labelled": labelled, f"  seen {SEEN_BEFORE} times": often})
    made = list(rendered_bounces(options))
    sports = [sport for sport in SPORTS if options.sport in (None, sport)]
    for kind, part in (("labelled", labelled), ("rendered", made)):
        print_rows({f"{kind} {sport}": [b for b in part if b.sport == sport] for sport in sports})
    print_rows({"rendered": made, "all": labelled + made})


def print_rows(rows: dict[str, list[Bounce]]) -> None:
    """Print a line for each group of bounces."""
    for name, found in rows.items():
        if found:
            print(bounce_line(name, found), flush=True)


def rendered_bounces(options: Options) -> Iterator[Bounce]:
    """As many bounces as asked for, half of each sport."""
    for sport in SPORTS if options.sport is None else (options.sport,):
        left, seed = options.rendered // (1 if options.sport else len(SPORTS)), FIRST_SEED
        while left > 0:
            size = SIZES[seed % 2]
            clip = test_clip(sport, VIEWS[seed % len(VIEWS)], RATES[seed % 4], size, seed)
            made = of_clip(rendered_ball(clip, size), options, left)
            left -= len(made)
            yield from made
            seed += 1


def labelled_balls(options: Options) -> Iterator[Ball]:
    """The labelled clips of broadcasts."""
    for name in POOL:
        sport = "table_tennis" if name.startswith("tt") else "tennis"
        if options.sport in (None, sport):
            yield labelled_ball(name, sport)


def rendered_ball(clip: Clip, size: tuple[int, int]) -> Ball:
    """A rendered clip with pictures of a size px."""
    hits, bounces, others = ([event for event in clip.events if event.kind == kind]
                             for kind in ("hit", "bounce", "impact"))  # fmt: skip
    seen, times = clip.visible, np.array([event.time for event in hits])
    ball = Ball(clip.path.stem, clip.path, clip.sport, size, clip.camera_at, np.inf, True, clip.time[seen],
                clip.pixel[seen], times, [*bounces, *others], [])  # fmt: skip
    asked = []
    for event in bounces:
        camera = clip.camera_at(event.time)
        is_seen = camera is not None and camera.sees(event.position) and event.time <= clip.time[-1]
        if is_seen and _frames_since_hit(ball, event) >= SEEN_BEFORE:
            asked.append(event)
    return ball._replace(asked=asked)


def labelled_ball(name: str, sport: str) -> Ball:
    """A labelled clip."""
    with open_video(DATA / f"{name}.mp4") as video:
        size, cameras = video.size, camera_of(name, video.size)
        frames = [(frame.number, frame.time) for frame in video]
    numbers, times = (np.array(part, float) for part in zip(*frames))
    labels = {n: label for n, label in read_labels(name).items() if label.is_visible and n in numbers}
    with open(DATA / f"{name}_bounces.csv", newline="") as file:
        rows = [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]
    radius = sim.load(sport).ball.radius
    bounces = []
    for row in rows:
        place, pixel = np.array([row["x"], row["y"], radius]), np.array([row["u"], row["v"]])
        bounces.append(Event(float(np.interp(row["frame_float"], numbers, times)), "bounce", place, pixel))
    last = read_yaml(name, (DATA / f"{name}_camera.yaml").read_bytes())["valid_frames"][1]
    ball = Ball(
        name, DATA / f"{name}.mp4", sport, size, lambda t: cameras(int(numbers[np.abs(times - t).argmin()])),
        float(np.interp(last, numbers, times)), False, np.interp(list(labels), numbers, times),
        np.array([label.pixel for label in labels.values()]), np.interp(read_hits(name), numbers, times), bounces, [],
    )  # fmt: skip
    return ball._replace(asked=[event for event in bounces if _frames_since_hit(ball, event) >= 1])


def _frames_since_hit(ball, event):
    """In how many frames the ball is seen from the last hit until it is asked for; 0 if something lies between."""
    return int(_rows_since_hit(ball, event).sum())


def _rows_since_hit(ball, event):
    """Which frames (T,) of the ball are known when a bounce is asked for and come after the last hit."""
    asked = event.time - AHEAD
    last_hit = max((hit for hit in ball.hits if hit < event.time), default=-np.inf)
    is_between = any(asked < other.time < event.time - 1e-6 for other in ball.bounces)
    return (ball.time > last_hit) & (ball.time <= asked) & (asked >= 0.0 and not is_between)


def of_clip(ball: Ball, options: Options, count: int | None = None) -> list[Bounce]:
    """The forecasts of the bounces of a clip that can be asked for; of the first `count`."""
    asked, found = ball.asked[:count], []
    for event, known in zip(asked, forecasts(ball, asked, _finder(options)), strict=True):
        pixels, court = from_true_pixels(ball, event), known.landings[1]
        found.append(Bounce(
            ball.name, ball.sport, event.time, _frames_since_hit(ball, event),
            *(_off(ball, event, pixel) for pixel in known.pixels), *_errors(ball, event, known.landings[0]),
            *_errors(ball, event, pixels)[:2],
            np.nan if event.time - AHEAD > ball.until else _errors(ball, event, court)[1],
        ))  # fmt: skip
        if options.verbose:
            print(f"{ball.name} {event.time:.2f} s, seen {found[-1].seen} times: "
                  + " ".join(f"{value:.3g}" for value in found[-1][4:]), flush=True)  # fmt: skip
    return found


def _off(ball, event, pixel):
    """How far a pixel (2,) is from a bounce, px of 1080 rows; inf without one."""
    return np.inf if pixel is None else float(np.hypot(*(pixel - event.pixel))) * 1080.0 / min(ball.size)


def _errors(ball, event, landing):
    """How far off an ImageLanding is: px of 1080 rows, m, s; inf without one."""
    if landing is None:
        return np.inf, np.inf, np.inf
    place = float(np.hypot(*(landing.place - event.position)[:2]))
    return _off(ball, event, landing.pixel), place, abs(landing.time - event.time)


def forecasts(ball: Ball, asked: Sequence[Event], finder: Finder) -> list[Known]:
    """What is known of each of the bounces AHEAD before it."""
    found: list[Known] = []
    court = calibrated_camera(ball) if asked else None
    other = None if court is None else SpaceTracker(ball.sport)
    with open_video(ball.path, keep_repeats=ball.keep_repeats) as video:
        follower = Follower(finder, video.size, sport=ball.sport, camera=ball.camera_at)
        for frame in video:
            while len(found) < len(asked) and frame.time > asked[len(found)].time - AHEAD:
                found.append(_known(follower, other, asked[len(found)].time))
            if len(found) == len(asked):
                break
            seen = follower.observe(frame)
            if other is not None:
                other.observe(seen, probabilities(finder, seen.candidates), court, follower.image.settled)
    return found + [NOTHING] * (len(asked) - len(found))


def _known(follower, other, time):
    """What is Known now of the bounce at a time."""
    alone, full = follower.image.forecast([time]), follower.forecast([time])
    court = None if other is None else other.forecast([time])
    pixels = (None if alone is None else alone.pixel[0]), (None if full is None else full.pixel[0])
    seen = _landing(None if court is None else court.landing, None if other is None else other.camera)
    return Known(pixels, (None if full is None else full.landing, seen))


def _landing(landing, camera):
    """A Landing in space as a camera sees it; None without one."""
    if landing is None:
        return None
    return ImageLanding(landing.time, camera.project(landing.position), np.full((2, 2), np.nan), landing.position)


def from_true_pixels(ball: Ball, event: Event) -> ImageLanding | None:
    """The landing by a stream that is given the true pixels since the last hit, moved to the first of their cameras."""
    stream, rows = models.load("physics", sport=ball.sport).stream(), _rows_since_hit(ball, event)
    cameras = [ball.camera_at(float(time)) for time in ball.time[rows]]
    for time, pixel, camera in zip(ball.time[rows], ball.pixel[rows], cameras):
        stream.observe_pixel(float(time), moved(pixel[None], camera, cameras[0])[0], cameras[0])
    try:
        return _landing(stream.forecast([event.time]).landing, cameras[-1])
    except ValueError:  # too few frames
        return None


def calibrated_camera(ball: Ball) -> Camera | None:
    """The camera that is found in the first frame of a clip; None where none is found. The place looks the same from
    its other end: then the camera is turned to stand where the true one does."""
    with open_video(ball.path, keep_repeats=True) as video:
        frame = next(iter(video))
    try:
        camera = find_court(frame.image, sim.load(ball.sport)).camera
    except CalibrationError:
        return None
    true = ball.camera_at(0.0)
    assert true is not None
    if float(camera.centre[:2] @ true.centre[:2]) >= 0.0:
        return camera
    half = np.diag([-1.0, -1.0, 1.0])
    return Camera(camera.K, camera.distortion, camera.R @ half, camera.t, camera.size, camera.name)


def bounce_line(name: str, found: list[Bounce]) -> str:
    """The row of a group."""
    table = np.array([one[4:] for one in found])
    asked = [column[~np.isnan(column)] for column in table.T]
    middle = [f"{np.median(own):.3g}" if len(own) else "-" for own in asked]
    none = [f"{np.isinf(own).mean():.0%}" if len(own) else "-" for own in asked]
    picture, camera, landing, place, delay, pixels, pixels_place, court = middle
    return (f"{name:22} {len(found):7} {picture:>8} {camera:>8} {none[0]:>5} {landing:>8} {place:>6} {delay:>6} "
            f"{none[2]:>5} {pixels:>8} {pixels_place:>6} {none[5]:>5} {court:>6} {none[7]:>5}")  # fmt: skip


def _finder(options):
    return CandidateFinder() if options.without_network else open_finder(options.network, threads=1)


if __name__ == "__main__":
    main()
