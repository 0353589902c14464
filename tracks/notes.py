"""What looks wrong in a track: wrong units, gravity that does not point down, positions under the ground.

Each note says what, where and which option mends it. Nothing is repaired here.
"""

from collections.abc import Iterator

import numpy as np

from ballcast.tracks.options import Placement

MAX_PLAUSIBLE_SIZE = 500.0  # m; no ball flies as far, and in millimetres every flight spans more
MIN_TIME_STEP = 0.5  # a ball is seen more often than this many seconds
SLOW = 0.2  # m/s; where nine in ten frames are slower, times with such long steps are no seconds
MAX_NUMBER = 1e6  # m, s
UNDER_GROUND = 0.05  # m that a ball's centre may be under the ground: trackers err by centimetres
MIN_SHARE_UNDER = 0.1  # of the frames; fewer are outliers
GRAVITY = 9.81  # m/s2
WINDOW, MAX_WINDOW, MIN_WINDOW_FRAMES = 0.2, 0.6, 6  # s, s, frames: of a parabola
MAX_WINDOWS = 200  # evenly spread over a long track
MAX_MISFIT = 5.0  # m/s2 by which accelerations may miss gravity and drag along the best axis
MAX_RATIO = 0.4  # of that to how much they miss it along -z
TIME_UNITS = (  # steps below this many units -> the unit, and its seconds as an option says them
    (1e3, "milliseconds", "0.001"), (1e6, "microseconds", "1e-6"), (np.inf, "nanoseconds", "1e-9"),
)  # fmt: skip
DIRECTIONS = {  # where gravity points in our frame -> the axes that would turn it to -z
    "-z": "x,y,z", "+z": "x,-y,-z", "-y": "x,-z,y", "+y": "x,z,-y", "-x": "y,z,x", "+x": "z,y,-x",
}  # fmt: skip


class Notes:
    """The notes on one file: one of each kind, with the number of tracks that it is true of."""

    def __init__(self) -> None:
        self._first: dict[str, str] = {}
        self._counts: dict[str, int] = {}

    def add(self, kind: str, text: str) -> None:
        """Keep the text if it is the first of its kind."""
        self._first.setdefault(kind, text)
        self._counts[kind] = self._counts.get(kind, 0) + 1

    def lines(self) -> tuple[str, ...]:
        """One line for each kind."""
        more = {kind: count - 1 for kind, count in self._counts.items()}
        return tuple(text + f" (and in {more[kind]} more tracks)" * (more[kind] > 0)
                     for kind, text in self._first.items())  # fmt: skip


def plausibility_notes(
    time: np.ndarray, position: np.ndarray, placement: Placement, ground: float | None = None
) -> Iterator[tuple[str, str]]:
    """(kind, note) of what looks wrong in frames at time (T,) s and position (T, 3) m in our frame.

    placement   how the positions were brought into our frame
    ground      height of the lowest ground that a ball can lie on, m; None if it is not known
    """
    units = list(_unit_notes(time, position))
    yield from units
    if units:
        return  # with wrong units the rest looks wrong too
    if direction := misdirected_gravity(time, position):
        mend = "--axes mends it"
        if placement.turn == (1.0, 0.0):
            mend = f"try --axes={placement.axes_text(DIRECTIONS[direction])}"
        yield "gravity", f"the ball falls along {direction}, not along -z; {mend}"
    elif ground is not None and np.mean(low := position[:, 2] < ground - UNDER_GROUND) > MIN_SHARE_UNDER:
        depth, count = position[:, 2].min(), f"{low.sum()} of {len(low)} frames"
        where = f"z = {depth:.2f} m; the ground is at {ground:.2f} m"
        yield "ground", f"{count} are under the ground, down to {where}; --origin shifts the positions"


def misdirected_gravity(time: np.ndarray, position: np.ndarray) -> str | None:
    """The axis along which the ball is seen to fall, such as "-y"; None if that is -z, or cannot be seen.

    Parabolas are fitted to short windows. Their accelerations are compared with gravity along each axis, together with
    a drag against the velocity, by the third quartile of what remains. Only an axis that explains them well, and far
    better than -z, counts: spin lifts and drops balls too.
    """
    if np.abs(position).max() > MAX_NUMBER or np.ptp(time) > MAX_NUMBER:  # no ball: its squares may overflow
        return None
    acceleration, velocity = parabolas(time, position)
    if len(acceleration) < 3:
        return None
    drag = np.linalg.norm(velocity, axis=1, keepdims=True) * velocity
    misfits = {}
    for direction in DIRECTIONS:
        remaining = acceleration.copy()
        remaining[:, "xyz".index(direction[1])] -= GRAVITY if direction[0] == "+" else -GRAVITY
        strength = max(0.0, -np.sum(remaining * drag) / max(np.sum(drag * drag), 1e-12))  # 1/m
        misfits[direction] = float(np.quantile(np.linalg.norm(remaining + strength * drag, axis=1), 0.75))
    best = min(misfits, key=lambda direction: misfits[direction])
    return best if misfits[best] < min(MAX_MISFIT, MAX_RATIO * misfits["-z"]) else None


def parabolas(time: np.ndarray, position: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Acceleration (W, 3) m/s2 and velocity (W, 3) m/s of parabolas through short windows: the half that fits best."""
    step = np.median(np.diff(time))
    frames = max(MIN_WINDOW_FRAMES, int(np.ceil(min(WINDOW, step * len(time)) / step)) + 1)
    last = len(time) - frames
    if last < 0 or frames * step > MAX_WINDOW:
        return np.empty((0, 3)), np.empty((0, 3))
    stride = max(1, frames // 8, -(-last // MAX_WINDOWS))
    found = []
    for begin in range(0, last + 1, stride):
        t = time[begin : begin + frames] - time[begin]
        if t[-1] > 1.5 * frames * step:
            continue  # a gap
        powers = np.vander(t - 0.5 * t[-1], 3)
        fit, *_ = np.linalg.lstsq(powers, position[begin : begin + frames], rcond=None)
        misfit = np.sqrt(np.mean((powers @ fit - position[begin : begin + frames]) ** 2))
        if 2.0 * np.linalg.norm(fit[0]) > 0.5 * GRAVITY:  # else the ball rests, rolls or is held
            found.append((misfit, 2.0 * fit[0], fit[1]))
    found.sort(key=lambda window: window[0])
    found = found[: (len(found) + 1) // 2]
    return np.array([a for _, a, _ in found]).reshape(-1, 3), np.array([v for _, _, v in found]).reshape(-1, 3)


def guess_time_unit(step: float, are_whole: bool) -> str:
    """What times with such a usual step, in s, may be instead: a question, and the option that mends it."""
    if step == 1.0 and are_whole:
        return "frame numbers? try --rate with the frames per second"
    unit, factor = next(unit for unit in TIME_UNITS if step < unit[0])[1:]
    return f"{unit}? try --time-scale {factor}"


def pixel_time_note(time: np.ndarray, name: str) -> str:
    """What to say of the times (T,) s at which the camera `name` saw a ball; "" if nothing looks wrong."""
    steps = np.diff(time)
    step = float(np.median(steps)) if len(steps) > 1 else 0.0
    if not MIN_TIME_STEP <= step < np.inf:
        return ""
    guess = guess_time_unit(step, bool((steps == np.round(steps)).all()))
    return f"camera {name!r} has one frame every {step:.4g} s: {guess}"


def _unit_notes(time, position):
    """Notes on units of length and of time."""
    with np.errstate(over="ignore", invalid="ignore"):
        span = np.ptp(position, axis=0).max()
        if is_huge := span > MAX_PLAUSIBLE_SIZE:
            yield "length", f"the positions span {span:.4g} m; are these millimetres? try --scale 0.001"
        steps = np.diff(time)
        step, distance = np.median(steps), np.linalg.norm(np.diff(position, axis=0), axis=1)
        speed = np.quantile(distance / steps, 0.9) * (0.001 if is_huge else 1.0)
    if MIN_TIME_STEP <= step < np.inf and 0.0 < speed < SLOW:
        guess = guess_time_unit(step, bool((steps == np.round(steps)).all()))
        yield "time", f"the ball moves {speed:.2g} m/s, one frame every {step:.4g} s: {guess}"
