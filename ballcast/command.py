"""What all command lines share: options by tyro, and one line and exit status 2 for a user's mistake.

options = command.options(Options, "play.py")
command.run("play.py", lambda: work(options))
"""

import contextlib
import functools
import importlib
import io
import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn, TypeVar

import tyro

Options = TypeVar("Options")
MAX_NOTES = 20  # of one command
CALLED_AS: dict[str, str] = {}  # a program's own name -> how the user called it: play.py -> ballcast play
EXTRAS = {  # a library that is not in the core -> the extra of pyproject.toml that installs it
    "torch": "train", "matplotlib": "report", "jinja2": "report", "filterpy": "filters", "imageio_ffmpeg": "record",
    "onnx": "export", "onnxscript": "export", "cv2": "video", "rerun": "rerun",
}  # fmt: skip
PACKAGES = {"cv2": "opencv-python-headless", "rerun": "rerun-sdk"}  # a library -> what pip calls it, if that is another


REPORTS = {"identification": "ballcast.evaluation.identification_report"}  # loaded only where somebody asks for them


WINDOWS = {"calibration": "ballcast.viewer.calibration.window"}  # the same for windows, which are above vision


def load_window(name: str) -> Any:
    """The module of a window that a program opens; it is above the program."""
    return importlib.import_module(WINDOWS[name])


def load_report(name: str) -> Any:
    """The module that writes a report; it is above the programs that call this, and knows what they found."""
    return importlib.import_module(REPORTS[name])


def options(
    cls: type[Options], program: str, arguments: Sequence[str] | None = None, default: Options | None = None
) -> Options:
    """The dataclass `cls` filled from the arguments, by default those of the process. A mistake ends in `fail`.

    `default` has the values of what is not given, in place of the class's own.
    """
    captured = io.StringIO()
    try:
        with contextlib.redirect_stderr(captured):
            name, values = CALLED_AS.get(program, program), tyro.MISSING_NONPROP if default is None else default
            return tyro.cli(cls, prog=name, description=cls.__doc__, args=arguments, default=values)
    except SystemExit as stop:
        if not stop.code:
            raise
        lines = [line.strip("│| ") for line in captured.getvalue().splitlines()[1:]]  # tyro draws a frame around it
        blank = [not line.strip("─-╰╯+") for line in lines]
        start = blank.index(False)
        what = " ".join(lines[start : blank.index(True, start)]).rstrip(".")
    except BrokenPipeError:
        _end_for_lack_of_readers()
    fail(program, f"{what}; --help is the manual")


def fail(program: str, message: object) -> NoReturn:
    """Print one line that says what is wrong, and end with exit status 2."""
    print(f"{CALLED_AS.get(program, program)}: {' '.join(str(message).split())}", file=sys.stderr)
    raise SystemExit(2)


def print_notes(notes: Iterable[str]) -> None:
    """Print what readers of files remark, on standard error: the first MAX_NOTES, and how many more there are."""
    notes = list(notes)
    for note in notes[:MAX_NOTES]:
        print(note, file=sys.stderr, flush=True)
    if len(notes) > MAX_NOTES:
        print(f"... and {len(notes) - MAX_NOTES} more notes like these", file=sys.stderr, flush=True)


def run(program: str, work: Callable[[], object]) -> None:
    """Call work(). A user's mistake (ValueError, OSError) or a missing extra ends in `fail`, Ctrl-C with status 130."""
    try:
        _announce_compiling()
        work()
        sys.stdout.flush()
    except BrokenPipeError:
        _end_for_lack_of_readers()
    except (ValueError, OSError) as error:
        fail(program, error)
    except ModuleNotFoundError as error:
        library = (error.name or "").partition(".")[0]
        if library not in EXTRAS:
            raise
        package = PACKAGES.get(library, library.replace("_", "-"))
        fail(program, f"{library} is not installed: pip install {package}, or ballcast[{EXTRAS[library]}]")
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def _end_for_lack_of_readers() -> NoReturn:
    """End where the reader of our output has stopped, as `head` does; what is still buffered goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise SystemExit(1)


@functools.cache  # once a process
def _announce_compiling() -> None:
    """Print to stderr when something is compiled, and how much is left: on a screen always, else every ten seconds."""
    from ballcast.sim import jit

    is_screen, last = sys.stderr.isatty(), [-10.0]

    def report(number, total, name):
        if is_screen:
            text = f"compiling, once: {number} of about {total}, {name}" if name else ""
            print(f"\r{text}\x1b[K", end="", file=sys.stderr, flush=True)
        elif name and time.monotonic() - last[0] > 10.0:
            last[0] = time.monotonic()
            print(f"compiling, once: {number} of about {total} functions", file=sys.stderr, flush=True)

    jit.report_compiling(report)
