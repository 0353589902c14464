"""What a robot needs: when and where a ball crosses a plane, and how long it waits for the answer.

    python -m benchmarks.robots [--part crossing cost loop first] [--predictor gru_physics gru] [--balls 1000]

crossing   simulated table-tennis balls that cross y = 1.2 m, 0.3 s after the last frame that is given. Errors of time
           and of position in the plane against the true flight, as medians over those of `informed`, the best forecast
           that is possible (docs/evaluation.md); how often the 90 % interval of the time and the 90 % region in the
           plane hold the truth. As in every score, balls within 1 cm of an edge or the net count for errors alone.
cost       what at_plane takes beyond a forecast, in turns, us
loop       a control loop at 200 Hz after ballcast.warm, its first call included, beside a process that is always busy:
           observe, at_plane and forecast_at; 5 % of the frames are bad (NaN, late, repeated, far off). Times of the
           clock on the wall, and of the processor alone, which other programs change less; --realtime keeps them away
first      in a fresh process after ballcast.warm: the first observe, and the first at_plane, ms

Keys of the last line: PREDICTOR_time_ratio, _position_ratio, _time_interval, _region (fractions), _none; _cost_us;
_loop_p50_us, _loop_p999_us, _loop_max_us, _loop_cpu_p999_us, _loop_growth_bytes, _loop_exceptions; _first_ms.
"""

import os

for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):  # before numpy and numba are imported
    os.environ.setdefault(name, "1")

import json  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from dataclasses import dataclass  # noqa: E402
from typing import Literal, NamedTuple, get_args  # noqa: E402

import numpy as np  # noqa: E402
import tyro  # noqa: E402

import ballcast  # noqa: E402
from ballcast import models, sim  # noqa: E402
from ballcast.evaluation import limits, suites  # noqa: E402
from ballcast.models.contract import times_ahead  # noqa: E402
from ballcast.tracks import Track  # noqa: E402

Part = Literal["crossing", "cost", "loop", "first"]
NORMAL, OFFSET, AHEAD = (0.0, 1.0, 0.0), 1.2, 0.3  # the plane y = 1.2 m; s
FRAMES, MIN_HISTORY, STEP = 18, 0.1, 1e-3  # at least; s, at least; s between positions of the true flight
WITHIN_TIME, WITHIN_PLANE = 1.645, 4.605  # 90 % of a Gaussian: standard deviations; their square in two dimensions
RATE, LATENCY, BAD = 200.0, 0.02, 0.05  # Hz; s; fraction of the frames


@dataclass(frozen=True)
class Options:
    """What is measured."""

    part: tuple[Part, ...] = get_args(Part)
    predictor: tuple[str, ...] = ("gru_physics", "gru")
    balls: int = 1000
    seconds: float = 60.0  # of the loop
    purpose: str = "test"  # the balls; `validation` for choices that are made with this
    realtime: bool = False  # run the loop with real-time priority (SCHED_FIFO), as a robot's does; needs the right to
    child: bool = False  # measure the first calls in this process


class Question(NamedTuple):
    """Balls that cross the plane."""

    suite: suites.Suite
    rows: np.ndarray  # (N,) of the suite
    histories: list[Track]
    at: np.ndarray  # (N, 4) true time and position
    is_clear: np.ndarray  # (N,) of edges and the net


def questions(count: int, purpose: str) -> Question:
    """The first balls of a set that cross the plane with AHEAD s between their last given frame and the crossing."""
    sport = sim.load("table_tennis")
    found, first = ([], [], []), 0
    grid = np.arange(0.0, 1.6, STEP)
    balls = sim.draw(sport, 10 * count, seed=3, purpose=purpose, duration=1.5)
    suite = suites.from_balls("crossings", sport, balls)
    while len(found[0]) < count:
        rows = np.arange(first, min(first + 500, len(balls)))
        if not len(rows):
            raise ValueError(f"only {len(found[0])} of {len(balls)} balls cross the plane so")
        paths = suite.flight(rows, np.tile(grid, (len(rows), 1))).position
        for row, path in zip(rows, paths, strict=True):
            at = true_crossing(grid, path)
            track = suite.tracks[row]
            n = 0 if at is None else int(np.searchsorted(track.time, at[0] - AHEAD, side="right"))
            if n >= FRAMES and track.time[n - 1] - track.time[0] >= MIN_HISTORY:
                for values, value in zip(found, (row, track[:n], at), strict=True):
                    values.append(value)
        first += 500
    rows, histories, at = (values[:count] for values in found)
    rows, at = np.array(rows), np.array(at)
    return Question(suite, rows, histories, at, suites.is_clear_of_edges(suite, rows, at[:, 0]))


def true_crossing(grid, path):
    """(4,) time and position where a path (T, 3) first crosses the plane along y; None if it does not."""
    y = path[:, 1] - OFFSET
    after = np.flatnonzero((y[:-1] < 0.0) & (y[1:] >= 0.0))
    if y[0] >= 0.0 or not len(after):
        return None
    k = after[0]
    f = y[k] / (y[k] - y[k + 1])
    return np.array([grid[k] + f * STEP, *(path[k] + f * (path[k + 1] - path[k]))])


def crossings(name: str, question: Question) -> tuple[np.ndarray, np.ndarray]:
    """Times and positions (N, 4) and covariances (N, 4, 4) that a predictor or limit answers; NaN for none."""
    at, covariance = np.full(question.at.shape, np.nan), np.full((len(question.at), 4, 4), np.nan)
    predictor = limits.load(name, question.suite.sport) if name in limits.LIMITS else models.load(name)
    for n, (row, history) in enumerate(zip(question.rows, question.histories, strict=True)):
        times = history.time[-1] + times_ahead(1.0)
        if name in limits.LIMITS:
            forecast = predictor.forecast(history, times, question.suite.truth_of(row))
        else:
            forecast = predictor.forecast(history, times)
        if (crossing := forecast.at_plane(NORMAL, OFFSET)) is not None:
            at[n], covariance[n] = (crossing.time, *crossing.position), crossing.covariance
    return at, covariance


def measure_crossing(options):
    question = questions(options.balls, options.purpose)
    informed, _ = crossings("informed", question)
    result = {}
    for name in options.predictor:
        at, covariance = crossings(name, question)
        both = np.isfinite(at[:, 0]) & np.isfinite(informed[:, 0])
        errors = [distances(a, question.at)[both] for a in (at, informed)]
        medians, means = (f(errors, axis=1) for f in (np.median, np.mean))
        asked = both & question.is_clear
        held_time, held_plane = held(at, covariance, question.at, asked)
        found = {
            "time_ratio": medians[0, 0] / medians[1, 0], "position_ratio": medians[0, 1] / medians[1, 1],
            "time_mean_ratio": means[0, 0] / means[1, 0], "position_mean_ratio": means[0, 1] / means[1, 1],
            "time_interval": held_time, "region": held_plane, "none": int((~np.isfinite(at[:, 0])).sum()),
        }  # fmt: skip
        result |= {f"{name}_{key}": round(float(value), 4) for key, value in found.items()}
        print(
            f"{name}: time {1e3 * medians[0, 0]:.1f} ms, informed {1e3 * medians[1, 0]:.1f} "
            f"(ratio {found['time_ratio']:.3f}; of means {found['time_mean_ratio']:.3f}); "
            f"position {1e3 * medians[0, 1]:.1f} mm, informed {1e3 * medians[1, 1]:.1f} "
            f"({found['position_ratio']:.3f}; {found['position_mean_ratio']:.3f}); 90 % interval of the time holds "
            f"{held_time:.1%}, region {held_plane:.1%} of {asked.sum()} balls; no crossing {found['none']}"
        )
    return result


def distances(at, truth):
    """Errors (N, 2): of the time, s, and of the position, m."""
    return np.stack([np.abs(at[:, 0] - truth[:, 0]), np.linalg.norm(at[:, 1:] - truth[:, 1:], axis=1)], axis=1)


def held(at, covariance, truth, asked):
    """How often the 90 % interval of the time and the 90 % region in the plane hold the truth, of the balls asked."""
    off, spread = (at - truth)[asked], covariance[asked]
    time_held = np.abs(off[:, 0]) <= WITHIN_TIME * np.sqrt(spread[:, 0, 0])
    beside, region = off[:, [1, 3]], spread[:, [1, 3]][:, :, [1, 3]]
    square = np.einsum("ni,ni->n", beside, np.linalg.solve(region, beside[..., None])[..., 0])
    return time_held.mean(), (square <= WITHIN_PLANE).mean()


def measure_cost(options):
    question, result = questions(40, options.purpose), {}
    for name in options.predictor:
        stream, taken = models.load(name).stream(), ([], [])
        for history in question.histories:
            stream.restart()
            for t, position in zip(history.time, history.position, strict=True):
                stream.observe(t, position)
            times = stream.last_time + times_ahead(1.0)
            for _ in range(30):
                for seconds, ask, arguments in (
                    (taken[0], stream.forecast, (times,)),
                    (taken[1], stream.at_plane, (NORMAL, OFFSET)),
                ):
                    begin = time.perf_counter()
                    ask(*arguments)
                    seconds.append(time.perf_counter() - begin)
        forecast, crossing = (1e6 * np.median(seconds[30:]) for seconds in taken)
        result[f"{name}_cost_us"] = round(crossing - forecast, 1)
        print(f"{name}: a forecast {forecast:.0f} us, with its crossing {crossing - forecast:.0f} us more")
    return result


def frames_of_play(seconds: float, seed: int = 0):
    """(begins a ball, time, position) of frames at RATE: balls one after the other; BAD of the frames are bad."""
    sport, rng = sim.load("table_tennis"), np.random.default_rng(seed)
    balls = sim.draw(sport, int(seconds * 2) + 1, seed=5, purpose="play", rate=RATE, duration=1.0)
    now, count = 0.0, 0
    for ball in range(len(balls)):
        rows = slice(balls.offsets[ball], balls.offsets[ball + 1])
        for k, position in enumerate(balls.position[rows]):
            now, count = now + 1.0 / RATE, count + 1
            t, seen, before = now, position, balls.position[rows][max(k - 1, 0)]
            if k and rng.random() < BAD:
                kind = rng.integers(4)
                t = now - rng.uniform(0.01, 0.1) if kind == 0 else now
                seen = (position, np.full(3, np.nan), before, position + rng.uniform(5.0, 50.0, 3))[kind]
            yield k == 0, t, seen
            if count == int(seconds * RATE):
                return


def measure_loop(options):
    result = {}
    for name in options.predictor:
        frames = list(frames_of_play(options.seconds))
        predictor = models.load(name)
        busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
        try:
            ballcast.warm(name)
            if options.realtime:
                os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
            wall, processor, exceptions, growth = run_loop(predictor.stream(), frames)
        finally:
            if options.realtime:
                os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
            busy.kill()
            busy.wait()
        p50, p99, p999, worst = 1e6 * np.percentile(wall, (50, 99, 99.9, 100))
        cpu = 1e6 * np.percentile(processor, 99.9)
        found = {"p50_us": p50, "p99_us": p99, "p999_us": p999, "max_us": worst, "cpu_p999_us": cpu}
        result |= {f"{name}_loop_{key}": round(float(value), 1) for key, value in found.items()}
        result |= {f"{name}_loop_growth_bytes": growth, f"{name}_loop_exceptions": exceptions}
        print(
            f"{name}: {len(wall)} frames at {RATE:g} Hz: p50 {p50:.0f}, p99 {p99:.0f}, p99.9 {p999:.0f}, largest "
            f"{worst:.0f} us; of the processor p99.9 {cpu:.0f} us; memory {growth:+} bytes; {exceptions} exceptions"
        )
    return result


def run_loop(stream, frames):
    """Seconds of each frame on the wall's clock and of the processor, exceptions, and how the memory grew, bytes, in
    the last five sixths."""
    wall, processor, exceptions, held = np.zeros(len(frames)), np.zeros(len(frames)), 0, 0
    start = time.perf_counter()
    for k, (begins, t, position) in enumerate(frames):
        time.sleep(max(start + k / RATE - time.perf_counter(), 0.0))
        begin, cpu = time.perf_counter(), time.thread_time()
        try:
            if begins:
                stream.restart()
            stream.observe(t, position)
            stream.at_plane(NORMAL, OFFSET)
            stream.forecast_at(t + LATENCY)
        except Exception as error:  # noqa: BLE001 - what a robot would have to catch
            exceptions += 1
            print(f"frame {k}: {type(error).__name__}: {error}")
        wall[k], processor[k] = time.perf_counter() - begin, time.thread_time() - cpu
        if k == len(frames) // 6:
            held = resident()
    return wall, processor, exceptions, resident() - held


def resident():
    """The memory of this process, bytes; 0 where the system does not say."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def measure_first(options):
    result = {}
    for name in options.predictor:
        command = [sys.executable, "-m", "benchmarks.robots", "--child", "--predictor", name]
        run = subprocess.run(command, capture_output=True, text=True, check=True)
        result[f"{name}_first_ms"] = float(run.stdout.split()[-1])
        print(f"{name}: first observe and at_plane after ballcast.warm {result[f'{name}_first_ms']} ms")
    return result


def first_calls(name):
    """Milliseconds of the first observe and the first at_plane that this process makes after ballcast.warm."""
    frames = [frame for frame in frames_of_play(0.5) if np.isfinite(frame[2]).all()]
    ballcast.warm(name)
    stream, taken = models.load(name).stream(), 0.0
    for k, (_, t, position) in enumerate(frames[:12]):
        begin = time.perf_counter()
        stream.observe(t, position)
        taken += (time.perf_counter() - begin) if k == 0 else 0.0
    begin = time.perf_counter()
    stream.at_plane(NORMAL, OFFSET)
    return 1e3 * (taken + time.perf_counter() - begin)


def main():
    options, result = tyro.cli(Options, description=__doc__), {}
    if options.child:
        print(round(first_calls(options.predictor[0]), 3))
        return
    for part in options.part:
        result |= PARTS[part](options)
    print(json.dumps(result))


PARTS = {"crossing": measure_crossing, "cost": measure_cost, "loop": measure_loop, "first": measure_first}

if __name__ == "__main__":
    main()
