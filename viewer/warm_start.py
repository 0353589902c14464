"""A window that opens at once: what is missing is compiled in a process beside it, and loaded in a thread.

A marker on the disk says that a predictor was compiled with today's source, so that the next window loads it directly.
"""

import contextlib
import functools
import hashlib
import os
import platform
import signal
import subprocess
import sys
import threading
from pathlib import Path

import llvmlite.binding
import numba

from ballcast.sim.code_folder import cache_folder
from ballcast.viewer.playback.ball import BallRecord
from ballcast.viewer.playback.session import PredictorPool
from ballcast.viewer.playback.source import LiveSource, RecordedSource

ROOT = Path(__file__).parents[1]
COMPILED_SOURCE = ("sim", "models", "tracks", "render")  # packages whose source is compiled, or decides what is
NO_KERNELS = ("parabola", "constant_velocity")  # predictors that need nothing compiled
SIMULATOR = "simulator"  # stands for what live throws need, in place of a predictor


def command(predictor: str, sport: str) -> list[str]:
    """The command that compiles a predictor, or the simulator; it prints `compiled N of about M: NAME` lines."""
    return [sys.executable, "-m", "ballcast", "warm", "--predictor", predictor, "--sport", sport]


@functools.cache
def _source_digest() -> str:
    files = sorted(path for package in COMPILED_SOURCE for path in (ROOT / package).rglob("*.py"))
    machine = numba.__version__, platform.python_version(), llvmlite.binding.get_host_cpu_name()
    return hashlib.sha256(repr(machine).encode() + b"".join(path.read_bytes() for path in files)).hexdigest()


def _marker(predictor: str) -> Path | None:
    """The marker's file; None where nothing can be kept."""
    name = hashlib.sha256(f"{predictor}, {_source_digest()}".encode()).hexdigest()
    folder = cache_folder(str(ROOT / "viewer"))
    return Path(folder) / f"warm-{name[:16]}" if folder else None


def is_warm(predictor: str) -> bool:
    """Whether everything that a predictor needs was compiled by an earlier window, for any sport."""
    marker = _marker(predictor)
    return predictor in NO_KERNELS or (marker is not None and marker.exists())


def mark_warm(predictor: str) -> None:
    """Note on the disk that a predictor needs nothing compiled any more, if the disk can be written to."""
    marker = _marker(predictor)
    with contextlib.suppress(OSError):
        if marker is not None:
            marker.parent.mkdir(parents=True, exist_ok=True)
            marker.touch()


class WarmStart:
    """Compiles jobs in turn: None, the simulator, or a predictor's number in the pool. `sport` is a name or a file."""

    def __init__(self, pool, source, sport: str):
        self.pool, self.source, self.sport = pool, source, sport
        self.simulator_ready = source.ready if source.live else is_warm(SIMULATOR)
        self._arguments = {source.sport.name: sport}  # what stands for a sport on the command line
        self._process = self._thread = self._job = None
        self._line, self._failed = "", set()

    @property
    def message(self) -> str:
        if self._process is None and self._thread is None:
            return ""
        name = "the simulator" if self._job is None else self.pool.describe(self._job).title
        count = self._line.rpartition(": ")[0] if " of about " in self._line else ""  # without the function's name
        return f"{'loading' if self._thread else 'compiling'} {name}, once{count}"

    def follow(self, pool: PredictorPool, source: LiveSource | RecordedSource) -> None:
        """Go on for another sport's pool, of the same names, and for its source."""
        pool.waiting += [job for job in self.pool.waiting if job not in pool.waiting]
        name = source.sport.name
        self.pool, self.source, self.sport = pool, source, self._arguments.get(name, name)

    def _name(self, job):
        return SIMULATOR if job is None else self.pool.names[job]

    def poll(self, ball: BallRecord | None = None) -> list[int]:
        """Do what is next; numbers of predictors that became ready. One is loaded by forecasting a BallRecord."""
        if self._thread:
            return [] if self._thread.is_alive() else self._finish()
        if self._process:
            if self._process.poll() is None or (self._job is not None and ball is None):
                return []
            if self._process.returncode:
                print(f"compiling in another process failed: {self._line.strip(': ')}", file=sys.stderr)
            self._process, self._line = None, ""
            self._thread = threading.Thread(target=self._load, args=(ball,), daemon=True)
            self._thread.start()
        elif (job := self._next()) is not False:
            self._start(job)
        return []

    def _next(self):
        """The simulator if no ball can fly without it, the predictors asked for, then the simulator; False if none."""
        simulator = [] if self.source.ready else [None]
        jobs = [*([] if self.source.stand_in else simulator), *self.pool.waiting, *simulator]
        return next((job for job in jobs if job not in self._failed), False)

    def _start(self, job):
        self._job = job
        checkout = str(ROOT) if (ROOT / "ballcast").is_dir() else ""
        path = os.pathsep.join(filter(None, (checkout, os.environ.get("PYTHONPATH"))))
        self._process = subprocess.Popen(
            command(self._name(job), self.sport), env=os.environ | {"PYTHONPATH": path}, text=True, errors="replace",
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        threading.Thread(target=self._read, args=(self._process,), daemon=True).start()

    def _read(self, process):
        for line in process.stdout:
            if process is self._process and line.strip():
                self._line = ": " + line.strip().removeprefix("compiled ")[:80]

    def _load(self, ball):
        """In a thread: let every kernel be loaded from the disk, by using it once."""
        self._error = None
        pool, sport = self.pool, self.source.sport
        try:
            if self._job is None:
                LiveSource(sport).ball(0)
            else:
                pool.try_out(self._job, ball)
            mark_warm(self._name(self._job))
        except Exception as error:  # noqa: BLE001 (a user's own predictor may raise anything)
            self._error = error

    def _finish(self):
        """Make ready what was loaded. Returns the numbers of the predictors to be exchanged."""
        self._thread, job = None, self._job
        if self._error is not None:
            self._failed.add(job)
            print(f"{self._name(job)}: {self._error}", file=sys.stderr)
        if job is None:
            self.source.ready = self.simulator_ready = True
        if job is None or self._error is not None:
            return []
        self.pool.waiting = [other for other in self.pool.waiting if other != job]
        self.pool.compiled.add(job)
        return [job]

    def close(self) -> None:
        if self._process and self._process.poll() is None:
            if hasattr(os, "killpg"):
                os.killpg(self._process.pid, signal.SIGTERM)
            else:
                self._process.terminate()
            self._process.wait()
