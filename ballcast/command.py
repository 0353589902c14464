"""What every command line of the house does alike: options by tyro, and one line, exit status 2, for a mistake.

asked = command.options(Options, "play.py")
command.run("play.py", lambda: work(asked))
"""

import contextlib
import io
import os
import sys

import tyro


def options(cls, program, arguments=None):
    """The dataclass `cls` filled from the arguments (those of the process where None), or `refuse`."""
    captured = io.StringIO()
    try:
        with contextlib.redirect_stderr(captured):
            return tyro.cli(cls, prog=program, description=cls.__doc__, args=arguments)
    except SystemExit as stop:
        if not stop.code:
            raise
        lines = [line.strip("│| ") for line in captured.getvalue().splitlines()[1:]]  # tyro frames what it says
        blank = [not line.strip("─-╰╯+") for line in lines]
        start = blank.index(False)
        what = " ".join(lines[start : blank.index(True, start)]).rstrip(".")
    fail(program, f"{what}; --help is the manual")


def fail(program, message):
    """End with one line on what is wrong, and exit status 2."""
    print(f"{program}: {' '.join(str(message).split())}", file=sys.stderr)
    raise SystemExit(2)


def run(program, work):
    """Call work(): a user's mistake (ValueError, OSError) ends with one line, Ctrl-C with status 130."""
    try:
        work()
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read our output has gone, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except (ValueError, OSError) as error:
        fail(program, error)
    except KeyboardInterrupt:
        raise SystemExit(130) from None
