"""Whether a folder of recordings can be learned from: what is refused, and what is only worth a note.

notes = check_recordings(sport, tracks, minimum=10)      # ValueError, one line, for recordings that cannot be right

Nothing is fitted here. Each check compares the frames with the sport by one simple measurement: the noise of a track,
the direction in which balls fall, how much the air slows them, where they bounce, and what they fly through. `models.
identify` and `train.py --finetune` call it before they change anything.
"""

import math
from collections.abc import Sequence

import numpy as np

from ballcast import sim
from ballcast.sim.sport import Sport, Surface
from ballcast.tracks import Track
from ballcast.tracks.notes import misdirected_gravity, parabolas

MIN_FRAMES = 8  # a shorter track says nothing
MIN_TRACKS = 3  # fewer say nothing of what tracks share
CORRUPT_SHARE = 0.3  # of the tracks; with more, something is wrong with the folder
NOISE_FACTOR = 6.0  # of the sport's largest noise: a track with more is no ball's flight
MISDIRECTED_SHARE = 0.5  # of the tracks that say where gravity points
DRAG_FACTOR, DRAG_SDS = 2.2, 3.0  # the air may slow a ball by so many times more or less; beyond by these errors
DRAG_ALIKE = 1.6  # a sport whose drag differs by less is suggested
MIN_DRAG_TRACKS = 5
SIDE_TIME, SIDE_FRAMES = 0.08, 4  # s and frames on either side of a bounce
MIN_BOUNCE_SPEED = 0.5  # m/s down before, up after
MAX_BOUNCE_MISFIT = 0.02  # m, of the parabolas on either side
MIN_BOUNCES = 5
MIN_HEIGHT_ERROR, BALL_RADII = 0.03, 1.5  # m, and radii of a ball: bounces so far from every surface are refused
THROUGH_SHARE, MIN_THROUGH = 0.03, 2  # of the tracks that pass a net's place: so many fly through it
THROUGH_MARGIN = 0.5  # radii of a ball that it flies within the net's outline
KEPT_SPEED = 0.6  # of the speed across, behind the net's place: a ball that the net stopped keeps less


def check_recordings(
    sport: Sport, tracks: Sequence[Track], minimum: int = MIN_TRACKS, origin: Sequence[float] = (0.0, 0.0, 0.0)
) -> list[str]:
    """Notes on tracks that are to be learned from, one line each; see the module's docstring.

    minimum: fewer tracks are refused. origin: what the option --origin was, so that messages name the whole of it.
    Raises ValueError, one line with what is seen and what to do, for recordings that cannot be right.
    """
    long = [track for track in tracks if len(track) >= MIN_FRAMES]
    if len(long) < minimum:
        short = f", {len(tracks) - len(long)} more are shorter" if len(long) < len(tracks) else ""
        raise ValueError(
            f"{len(long)} tracks of at least {MIN_FRAMES} frames{short}: too few; record {minimum} or more"
        )
    corrupt = [track.name for track in long if track_noise(track) > NOISE_FACTOR * sport.sensor.noise[1]]
    if len(corrupt) > CORRUPT_SHARE * len(long):
        raise ValueError(
            f"{len(corrupt)} of {len(long)} tracks jump about as no ball flies ({_some(corrupt)}): leave them out, or "
            "mend how the files are read (--columns, --scale, --rate)"
        )
    sound = [track for track in long if track.name not in set(corrupt)]
    _check_gravity(sound)
    _check_drag(sport, sound)
    _check_bounces(sport, sound, origin)
    _check_obstacles(sport, sound)
    notes = [f"{_some(corrupt)}: jump about as no ball flies"] if corrupt else []
    if len(long) < len(tracks):
        notes.append(f"{len(tracks) - len(long)} tracks have fewer than {MIN_FRAMES} frames: left out")
    return notes


def track_noise(track: Track) -> float:
    """The noise of an axis, m, by the median of third differences over that of white noise; robust to outliers.

    Unequal steps of time count as noise, so that a track with gaps seems noisier than it is; the median forgives a few.
    """
    third = np.abs(np.diff(track.position, 3, axis=0))
    return float(np.median(third) / (0.6745 * math.sqrt(20.0))) if len(third) else 0.0


def _some(names):
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _check_gravity(tracks):
    """Refuse tracks whose balls fall along another axis than -z."""
    directions = [found for track in tracks if (found := misdirected_gravity(track.time, track.position))]
    if len(directions) > MISDIRECTED_SHARE * len(tracks):
        usual = max(set(directions), key=directions.count)
        raise ValueError(f"in {len(directions)} of {len(tracks)} tracks the ball falls along {usual}, not along -z: "
                         "--axes mends it")  # fmt: skip


def _check_drag(sport, tracks):
    """Refuse tracks that the air slows far more or less than a ball of this sport."""
    windows = [parabolas(track.time, track.position) for track in tracks]
    ratio, error = drag_ratio(sport, windows)
    if not abs(math.log(ratio)) > math.log(DRAG_FACTOR) + DRAG_SDS * error:
        return
    alike = []
    for name in sim.names():
        other, other_error = drag_ratio(sim.load(name), windows)
        if name != sport.name and abs(math.log(other)) < math.log(DRAG_ALIKE) + other_error:
            alike.append((abs(math.log(other)), name))
    suggestion = f"; {' or '.join(name for _, name in sorted(alike)[:2])} would fit: --sport" if alike else ""
    raise ValueError(f"the air slows these balls {ratio:.2g} times as much as a ball of {sport.name}: tracks of "
                     f"another sport, or of other units{suggestion}")  # fmt: skip


def drag_ratio(sport: Sport, windows: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[float, float]:
    """How many times as much the air slows balls as a ball of the sport without spin, and the error of its logarithm.

    windows: accelerations (W, 3) m/s2 and velocities (W, 3) m/s of each track. Lift has no part along the velocity. It
    is (1, inf) where too few tracks tell.
    """
    found = []
    for acceleration, velocity in windows:
        speed = np.linalg.norm(velocity, axis=1)
        if not len(speed) or not speed.max() > 1.0:
            continue
        expected = _drag_of(sport, velocity)
        slowing = -((acceleration * velocity).sum(axis=1) + sport.world.gravity * velocity[:, 2]) / speed
        found.append((float((slowing * expected).sum()), float((expected**2).sum())))
    if len(found) < MIN_DRAG_TRACKS:
        return 1.0, math.inf
    a = np.array(found)
    ratios, weights = a[:, 0] / a[:, 1], a[:, 1]
    order = np.argsort(ratios)
    share = np.cumsum(weights[order]) / weights.sum()
    low, middle, high = (
        float(ratios[order][min(np.searchsorted(share, q), len(order) - 1)]) for q in (0.25, 0.5, 0.75)
    )
    middle = max(middle, 0.01)
    return middle, (high - low) / 1.35 / math.sqrt(len(found)) / middle


def _drag_of(sport, velocity):
    """How much the air slows balls of velocities (W, 3) m/s without spin, m/s2, (W,)."""
    air, step = sport.replace(surfaces=()), 0.005
    start, none = np.zeros_like(velocity), np.zeros_like(velocity)
    flight = sim.simulate(air, start, velocity, none, np.array([0.0, step]))
    change = (flight.velocity[:, 1] - velocity) / step
    change[:, 2] += sport.world.gravity
    return -(change * velocity).sum(axis=1) / np.linalg.norm(velocity, axis=1)


def _check_bounces(sport, tracks, origin):
    """Refuse tracks that bounce where no surface is."""
    at = np.concatenate([bounces(track) for track in tracks])
    if len(at) < MIN_BOUNCES:
        return
    errors = np.array([_height_error(sport, point) for point in at])
    middle = float(np.median(errors))
    limit = max(MIN_HEIGHT_ERROR, BALL_RADII * sport.ball.radius)
    if not abs(middle) > limit:
        return
    if not np.isfinite(middle):
        raise ValueError(f"the balls bounce at z = {np.median(at[:, 2]):.2f} m, where {sport.name} has no surface")
    is_common = np.mean(np.abs(errors - middle) < limit) > 0.5
    seen = float(np.median(at[:, 2]))
    what = f"the balls bounce at z = {seen:.2f} m; a {sport.name} ball's centre is at {seen - middle:.2f} m there"
    shift = np.array(origin, float) + [0.0, 0.0, middle]
    mend = f"--origin={','.join(f'{v:.3g}' for v in shift)} mends it" if is_common else "see --origin and --axes"
    raise ValueError(f"{what}: {mend}")


def _height_error(sport, point):
    """By how much, m, a bounce at `point` (3,) m lies above the nearest level surface under or over it."""
    heights = [
        s.high[2] + sport.ball.radius
        for s in sport.surfaces
        if s.supports and s.low[0] <= point[0] <= s.high[0] and s.low[1] <= point[1] <= s.high[1]
    ]
    return min((point[2] - h for h in heights), key=abs, default=math.inf)


def bounces(track: Track) -> np.ndarray:
    """Where a ball bounces, (N, 3) m: where parabolas of its frames before and after meet. No surface is needed."""
    t, p = track.time, track.position
    z, found, last = p[:, 2], [], -math.inf
    for i in np.flatnonzero((z[1:-1] <= z[:-2]) & (z[1:-1] <= z[2:])) + 1:
        first, end = np.searchsorted(t, [t[i] - SIDE_TIME, t[i] + SIDE_TIME])
        if z[i] > z[first:end].min() or min(i - first, end - i - 1) < SIDE_FRAMES or t[i] - last < SIDE_TIME:
            continue
        point = _meeting_point(t[first:end] - t[i], p[first:end], i - first)
        if point is not None:
            found.append(point)
            last = t[i]
    return np.array(found).reshape(-1, 3)


def _meeting_point(t, p, middle):
    """Where the ball of frames p (T, 3) m at t (T,) s bounces near frame `middle`; None if it does not."""
    sides, fits = (slice(0, middle), slice(middle + 1, None)), []
    fall = np.array([0.0, 0.0, 0.5 * 9.81])
    for side in sides:
        line = np.vander(t[side], 2)
        straight = p[side] + fall * t[side, None] ** 2
        fit, *_ = np.linalg.lstsq(line, straight, rcond=None)
        if np.sqrt(np.mean((line @ fit - straight) ** 2)) > MAX_BOUNCE_MISFIT:
            return None
        fits.append(fit)  # (2, 3): velocity and position at the middle frame
    before, after = fits
    if not (before[0, 2] < -MIN_BOUNCE_SPEED and after[0, 2] > MIN_BOUNCE_SPEED):
        return None
    at = (before[1, 2] - after[1, 2]) / (after[0, 2] - before[0, 2])
    if abs(at) > SIDE_TIME:
        return None
    return 0.5 * sum(fit[1] + at * fit[0] - fall * at * at for fit in fits)


def _check_obstacles(sport, tracks):
    """Refuse tracks that fly through a net or another upright surface that was not there."""
    for surface in sport.surfaces:
        if surface.kind != "rectangle" or surface.supports:
            continue
        passing = [passes_through(surface, sport.ball.radius, track) for track in tracks]
        names = [track.name for track, through in zip(tracks, passing) if through]
        near = sum(through is not None for through in passing)
        if len(names) >= max(MIN_THROUGH, THROUGH_SHARE * near):
            raise ValueError(f"{len(names)} of {near} balls fly through the {surface.name} ({_some(names)}): it was "
                             f"not there; --without {surface.name}")  # fmt: skip


def passes_through(surface: Surface, radius: float, track: Track) -> bool | None:
    """Whether a ball flies through an upright rectangle as if it were not there; None if it never passes its plane."""
    low, high = np.array(surface.low), np.array(surface.high)
    axis = int(np.flatnonzero(low == high)[0])
    others = [k for k in range(3) if k != axis]
    side = track.position[:, axis] - low[axis]
    crossings, result = np.flatnonzero(side[:-1] * side[1:] < 0.0), None
    for i in crossings:
        share = side[i] / (side[i] - side[i + 1])
        point = track.position[i] + share * (track.position[i + 1] - track.position[i])
        margin = THROUGH_MARGIN * radius
        inside = all(low[k] + margin < point[k] < high[k] - margin for k in others)
        result = bool(result) or (inside and _keeps_speed(track, i, axis))
    return result


def _keeps_speed(track, i, axis):
    """Whether the speed along an axis after frame i is that before it."""
    t, x = track.time, track.position[:, axis]
    sides = slice(max(0, i - 5), i + 1), slice(i + 1, i + 7)
    if min(len(t[side]) for side in sides) < 3:
        return False
    before, after = (np.polyfit(t[side] - t[i], x[side], 1)[0] for side in sides)
    return bool(after * before > KEPT_SPEED * before * before)
