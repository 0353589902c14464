"""Every command in the README, docs/ and lessons/ is one that its program takes, and runs to its first output.

A command is a line of a fenced block, or inline code, that begins with python, ballcast, make or torchrun, or that
pipes into one of them. It runs in this process, in a folder with the files that the documents name, with few frames,
balls or steps (SHORTENED). Commands that take minutes are listed in BY_HAND, with the reason; their program must exist
and take the options. A renamed option, a predictor that is gone and a file that does not ship fail here.

Blocks marked python run too, those of one page one after the other, to the end. Left out are those of PYTHON_BY_HAND
and PYTHON_ELSEWHERE, and of the lessons, which are the source that made the page (test_lessons.py).
"""

import contextlib
import glob
import importlib
import importlib.util
import io
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tomllib
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import pytest
from test_tracks_formats import launcher, motive

from ballcast import command, sim
from ballcast.__main__ import SUBCOMMANDS
from ballcast.evaluation import splits
from ballcast.tracks import Camera, PixelTrack, read_cameras, read_track, write_cameras, write_pixels, write_track
from ballcast.vision import landmarks
from tools import documents

ROOT = Path(__file__).parents[1]
DOCUMENTS = ["README.md", *(f"{d}/{f.name}" for d in ("docs", "lessons") for f in sorted((ROOT / d).glob("*.md")))]
PROGRAMS = {  # what python runs -> the module whose main() that is; the subcommands of `ballcast` are the same modules
    "play.py": "ballcast.viewer.play",
    "train.py": "ballcast.models.training.train",
    "evaluate.py": "ballcast.evaluation.evaluate",
    "-m ballcast.sim": "ballcast.sim.__main__",
    "-m ballcast.models": "ballcast.models.__main__",
    "-m ballcast.models.identify": "ballcast.models.identify",
    "-m ballcast.models.nets.export": "ballcast.models.nets.export",
    "-m ballcast.vision.training": "ballcast.vision.training.train",
    "-m ballcast.vision.calibrate": "ballcast.vision.calibrate",
    "-m ballcast.vision.detect": "ballcast.vision.detect",
    "-m ballcast.vision.rendering": "ballcast.vision.rendering",
    "-m ballcast.models.training.pixel_set": "ballcast.models.training.pixel_set",
    "-m ballcast warm": "ballcast.warm_up",
    **{f"-m lessons.{page.stem}": f"lessons.{page.stem}" for page in sorted((ROOT / "lessons").glob("[a-z]*.md"))},
}
SHORTENED = (  # (pattern, what is added, which overrides what is there); the first that matches
    (r"^play\.py", "--headless --size 320x180 --frames 12"),  # so that there is a forecast
    (r"^evaluate\.py .*--compare \S+ \S+$", ""),
    (r"^evaluate\.py .*--export", "--balls 2 --protocol horizon --history 0.1 --horizon 0.1"),
    (r"^evaluate\.py .*--(pixels|cameras|protocol pixels)", "--balls 2 --history 0.1 --predictor physics"),
    (r"^evaluate\.py .*--predictor", "--balls 2 --protocol horizon --history 0.1 --horizon 0.1"),
    (r"^evaluate\.py", "--balls 2 --protocol horizon --history 0.1 --horizon 0.1 --predictor parabola"),
    (r"^train\.py .*--finetune", "--steps 1 --batch 32 --out run"),
    (r"^train\.py", "--steps 1 --batch 32 --units 8 --out run"),
    (r"^-m ballcast\.vision\.calibrate .*--window", "--headless"),
    (r"^-m ballcast\.sim .*--join", ""),
    (r"^-m ballcast\.sim .*--first", "--tracks 32 --first 32"),
    (r"^-m ballcast\.sim", "--tracks 32"),
    (r"^-m ballcast\.vision\.rendering", "--frames 3 --size 320 180"),
)  # fmt: skip
BY_HAND = (  # (pattern, why it does not run here)
    (r"^play\.py --video 0", "needs a camera"),
    (r"^play\.py --video runs/", "needs the clip that the command before it renders"),
    (r"^-m benchmarks\.", "takes a minute or more"),
    (r"^-m ballcast\.evaluation\.leaderboard", "takes hours: all predictors on every sport"),
    (r"^-m ballcast\.models\.training\.ship", "takes days: trains all weights"),
    (r"^-m ballcast\.models\.training\.calibrate", "takes minutes"),
    (r"^-m ballcast\.models\.identify", "needs ten recordings of a place; test_identification.py runs it"),
    (r"^-m ballcast\.models\.training\.pixel_set", "takes an hour; test_pixel_training.py makes a small set"),
    (r"^-m ballcast warm", "compiles everything"),
    (r"^-m ballcast\.vision\.training", "takes an hour; test_vision_training.py trains a small one"),
    (r"^-m ballcast\.evaluation\.splits", "needs recorded sets"),
    (r"^train\.py .*--finetune .*--tracks", "needs several recordings: tests/test_finetune.py"),
    (r"^train\.py .*--finetune .*--pixels", "needs a set of pixels: tests/test_pixel_training.py"),
    (r"^evaluate\.py .*--predictor runs/mine", "needs what the command before it makes"),
    (r"--suite (real|pixels)", "needs the recorded sets, and minutes"),
    (r"^evaluate\.py .*--predictor (\S+ )*runs/(my_trunk|seeds)", "needs runs; test_examples.py has some"),
    (r"^-m ballcast\.evaluation\.model_card", "writes a page of this repository; test_examples.py compares it"),
    (r"^-m examples\.own_model", "takes a minute; test_examples.py trains for two steps"),
    (r"^answer\.py", "is the program that docs/benchmark.md prints; tests/test_benchmark.py runs it"),
    (r"constant_acceleration|--show apex", "is a step of a recipe, after the files that the recipe adds"),
    (r"^train\.py --minutes 30$", "is for several processes"),
    (r"^train\.py .*--device cuda", "needs a GPU; test_device_batches.py learns from such batches on the CPU"),
)  # fmt: skip
NOT_RUN = (
    "-m ballcast warm", "-m ballcast.models.identify", "-m ballcast.models.training.pixel_set",
    "-m ballcast.vision.training",
)  # fmt: skip  # all commands of these are in BY_HAND
OTHERS = (
    "venv",
    "pip",
    "pytest",
    "ruff",
    "tools.typecheck",
    "tools.demo",
    "mkdocs",
)  # modules that are not Ballcast's programs, or check it
EXTRAS = {"--record": "imageio_ffmpeg", "ukf": "filterpy", "train.py": "torch", "export": "onnx", "hdf5": "h5py",
          "--report": "jinja2", "--rerun": "rerun", "clip.mp4": "cv2", "vision": "cv2"}  # fmt: skip


PYTHON_ELSEWHERE = {  # page -> the test that runs its blocks, with what they need; pages that are not there yet, too
    "docs/benchmark.md": "test_benchmark.py",
    "docs/robots.md": "test_robots.py",
    "docs/environment.md": "test_env.py",
    "docs/data.md": "test_data.py",
    "docs/own_model.md": "test_raw_network.py",
}
PYTHON_BY_HAND = (  # (page, what its block begins with, why it does not run here)
    ("docs/scale.md", "import numpy as np", "reads what the commands above it write"),
    ("docs/commands.md", "import numpy as np\nimport torch\n", "needs an NVIDIA GPU"),
    ("docs/commands.md", "from ballcast.sim.cuda.engine import empty", "needs an NVIDIA GPU"),
)
PYTHON_EXTRAS = {"docs/cameras.md": "cv2", "docs/video.md": "cv2", "docs/viewer.md": "rerun"}


class FirstOutput(BaseException):
    """A command has printed something: that is enough."""


def in_document(text):
    """The commands of a document, as printed."""
    blocks = re.findall(r"^( *)```(\w*)\n(.*?)^\1```", text, re.MULTILINE | re.DOTALL)
    lines = [line.strip() for _, language, block in blocks if not language for line in block.splitlines()]
    inline = re.findall(r"`([^`\n]+)`", re.sub(r"^( *)```.*?^\1```", "", text, flags=re.MULTILINE | re.DOTALL))
    lines = [re.sub(r"\s{2,}#.*", "", line) for line in lines] + inline
    begins = re.compile(r"^(tail .*\| )?(\.venv/bin/)?(python|ballcast|make|torchrun) [^|]*$")
    return [line for line in lines if begins.match(line) and "NAME" not in line]


def as_python(printed):
    """What python is given: a list of arguments for each program that a printed command starts."""
    words = [word for word in shlex.split(printed.rpartition("| ")[2]) if word != "..."]
    program, arguments = words[0].rpartition("/")[2], words[1:]
    if program == "make":
        done = subprocess.run(
            ["make", "-n", *arguments], cwd=ROOT, env=clean_environment(), capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return [shlex.split(line)[5:] for line in done.stdout.splitlines() if "IN_ENVIRONMENT" in line]
    if program == "torchrun":
        return [arguments[arguments.index("train.py") :]]
    return [["-m", "ballcast", *arguments] if program == "ballcast" else arguments]


def clean_environment():
    return {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS", "VENV"))}


def as_program(arguments):
    """(program, its arguments): `ballcast play` is play.py."""
    name, rest = (arguments[0], arguments[1:]) if arguments[0] != "-m" else (" ".join(arguments[:2]), arguments[2:])
    if name == "-m ballcast" and rest[0] in SUBCOMMANDS:
        own_name = SUBCOMMANDS[rest[0]][1]
        return own_name.removeprefix("python ") if rest[0] != "warm" else "-m ballcast warm", rest[1:]
    return name, rest


def collected():
    """(program, its arguments) of every command -> the documents with the printed command."""
    found = {}
    for document in DOCUMENTS:
        for printed in in_document((ROOT / document).read_text(encoding="utf-8")):
            for arguments in as_python(printed):
                name, rest = as_program(arguments)
                found.setdefault((name, *rest), []).append(f"{document}: {printed}")
    return found


def first_match(table, text):
    return next((value for pattern, value in table if re.search(pattern, text)), None)


def is_mention(name, arguments):
    """Whether only the name of a program stands there that needs arguments."""
    return not arguments and name.startswith("-m ballcast.")


@pytest.fixture(scope="module")
def commands():
    if not shutil.which("make"):
        pytest.skip("no make here")
    return collected()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, with every file that the documents name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("docs", "recordings", "freethrow", "runs/table_tennis-gru"):
        Path(name).mkdir(parents=True)
    Path("models").mkdir()
    Path("models/weights").symlink_to(ROOT / "models" / "weights")
    shutil.copyfile(ROOT / "models/weights/gru.safetensors", "runs/table_tennis-gru/weights.safetensors")
    Path("mine.toml").write_bytes((ROOT / "sim/sports/table_tennis.toml").read_bytes())
    Path("my_module.py").write_text(
        "from ballcast.models.predictors.parabola import Parabola\n\n\nclass MyClass(Parabola):\n    name = 'mine'\n"
    )
    write_tracks(read_track("rally").until(0.6))
    write_seen(read_track("rally").until(0.6))
    write_clip()
    yield tmp_path
    sys.modules.pop("my_module", None)


def write_seen(track):
    """What a camera behind one end of the table saw of a track: ball.csv, cameras.yaml."""
    K, R = np.array([[1200.0, 0, 640], [0, 1200, 360], [0, 0, 1]]), np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    camera = Camera(K, [], R, -R @ (0.0, -6.0, 0.8), (1280, 720), "behind")
    pixel = camera.project(track.position)
    seen = camera.sees(track.position)
    write_cameras("cameras.yaml", [camera])
    Path("seen").mkdir()
    Path("truth").mkdir()
    write_track("truth/ball.csv", track)
    write_pixels("ball.csv", PixelTrack(track.time[seen], pixel[seen], np.zeros(seen.sum(), int), [camera]))
    shutil.copy("ball.csv", "seen/ball.csv")
    shutil.copy("ball.csv", "pixels.csv")
    shutil.copy("cameras.yaml", "camera.yaml")


def write_clip():
    """A clip of a tennis court, and its landmarks in it: clip.mp4, camera.yaml, points.csv."""
    if importlib.util.find_spec("cv2") is None:
        return
    import clips
    from test_court_finder import picture

    tennis = sim.load("tennis")
    side = tennis.view.landmarks[0]
    R = np.array([[1.0, 0.0, 0.0], [0.0, -0.26, -0.9656], [0.0, 0.9656, -0.26]])
    camera = Camera([[1250.0, 0, 640], [0, 1250, 360], [0, 0, 1]], [], R, -R @ (0.0, -24.0, 7.0), (1280, 720))
    write_cameras("camera.yaml", [camera])
    rows = [f"{name},{u:.2f},{v:.2f}" for name, (u, v) in zip(side.names, camera.project(side.points))]
    Path("points.csv").write_text("\n".join(["name,u,v", *rows]))
    clips.write_clip(Path("clip.mp4"), [picture(tennis, camera)])


def write_tracks(track):
    """The recordings of the examples in docs/commands.md: other units, axes, columns and formats."""
    t, (x, y, z) = track.time, track.position.T
    lines = [json.dumps(dict(zip("txyz", row, strict=True))) for row in np.column_stack([t, x, y, z]).tolist()]
    Path("growing.json").write_text("\n".join(lines))
    for name in ("recordings/one.csv", "stroke.csv", "growing.csv"):
        np.savetxt(name, np.column_stack([t, x, y, z]), delimiter=",", header="t,x,y,z", comments="", fmt="%.6f")
    unity = np.column_stack([t, 1e3 * x, 1e3 * (z + 0.76), -1e3 * y])
    np.savetxt("unity.csv", unity, delimiter=",", header="t,x,y,z", comments="", fmt="%.6f")
    feet = np.column_stack([1e3 * t, *(np.array([y, -x, z + 2.0]) / 0.3048)])
    np.savetxt("freethrow/one.csv", feet, delimiter=",", header="t,x,y,z", comments="", fmt="%.6f")
    frames = np.column_stack([np.arange(len(t)), x, y, z + 1.0])
    np.savetxt("frames.csv", frames, delimiter=",", header="frame,ball_east,ball_north,height", comments="", fmt="%.6f")
    Path("Take 1.csv").write_text(motive([("Rigid Body", "ball", 1.0)]))
    if importlib.util.find_spec("h5py"):
        launcher(Path("launcher.hdf5"), ["originals/0", "originals/1"])


class Inline:
    """In place of a ProcessPoolExecutor: the work is done at once, in this process."""

    def __init__(self, *_, **__):
        pass

    def submit(self, work, *arguments):
        future = Future()
        future.set_result(work(*arguments))
        return future

    def shutdown(self, **_):
        pass


class _Trap(io.StringIO):
    def write(self, text):
        if text.strip():
            raise FirstOutput
        return len(text)


@pytest.fixture
def run(monkeypatch):
    """run(program, arguments): to the first output, or to the end; its message if it ends in a mistake, else None."""
    from ballcast.evaluation import harness
    from ballcast.models.training import learner, train

    def one_step(*_):
        raise FirstOutput

    monkeypatch.setattr(command, "CALLED_AS", {})
    monkeypatch.setenv("BALLCAST_RESTARTED", "1")  # else training starts this process again if it has compiled
    monkeypatch.setattr(harness, "ProcessPoolExecutor", Inline)
    monkeypatch.setattr(learner, "VALIDATION_BATCHES", 0)
    monkeypatch.setattr(train.Log, "count", one_step)  # train.py prints after some minutes: one step is enough
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def run(name, arguments):
        message = io.StringIO()
        monkeypatch.setattr(sys, "argv", [name, *arguments])
        with contextlib.redirect_stderr(message), contextlib.redirect_stdout(_Trap()):
            try:
                importlib.import_module(PROGRAMS[name]).main()
            except FirstOutput:
                pass
            except SystemExit as stop:
                return message.getvalue() if stop.code else None
        return None

    yield run
    for number, handler in handlers.items():
        signal.signal(number, handler)


def expanded(arguments):
    """As a shell does it: patterns are the files that match them."""
    return [name for word in arguments for name in (sorted(glob.glob(word)) if "*" in word else [word])]


def is_run(name, arguments):
    text = " ".join([name, *arguments])
    return name in PROGRAMS and not is_mention(name, arguments) and first_match(BY_HAND, text) is None


def missing_extra(text):
    """A library that a command needs and that is not installed, or None."""
    return next((m for word, m in EXTRAS.items() if word in text and not importlib.util.find_spec(m)), None)


def shortened(commands, name):
    """The commands of a program that run here, each once: their arguments -> where they are printed."""
    found = {}
    for (program, *arguments), places in commands.items():
        if program == name and is_run(program, arguments):
            more = first_match(SHORTENED, " ".join([program, *arguments])) or ""
            found.setdefault((*arguments, *more.split()), []).extend(places)
    return found


def test_the_documents_have_commands_and_each_is_of_a_known_kind(commands):
    assert len(commands) > 60
    for name, *arguments in commands:
        text, places = " ".join([name, *arguments]), commands[name, *arguments]
        kinds = (
            name in PROGRAMS,
            first_match(BY_HAND, text) is not None,
            name.removeprefix("-m ") in OTHERS,
            name == "-c",
        )
        assert any(kinds) or (name, arguments) == ("-m ballcast", ["--version"]), places


@pytest.mark.parametrize("pattern", [pattern for pattern, _ in (*SHORTENED, *BY_HAND)])
def test_every_rule_is_for_a_command_that_is_there(commands, pattern):
    assert any(re.search(pattern, " ".join(words)) for words in commands)


def test_the_programs_of_what_does_not_run_here_exist(commands):
    for name, *arguments in commands:
        module = name.removeprefix("-m ").replace("ballcast warm", "ballcast.warm_up")
        if name.startswith("-m ") and module not in OTHERS:
            assert importlib.util.find_spec(module), commands[name, *arguments]
        for file in [word for word in arguments if word.startswith("tests/")]:
            assert (ROOT / file).exists(), commands[name, *arguments]


def test_what_does_not_run_here_has_options_that_its_program_takes(commands, monkeypatch):
    class Parsed(BaseException):
        pass

    def stop(program, work):
        raise Parsed

    monkeypatch.setattr(command, "run", stop)
    for name, *arguments in commands:
        if name in PROGRAMS and not is_run(name, arguments) and not is_mention(name, arguments):
            monkeypatch.setattr(sys, "argv", [name, *arguments])
            with pytest.raises(Parsed):
                importlib.import_module(PROGRAMS[name]).main()


@pytest.mark.parametrize("name", [name for name in PROGRAMS if name not in NOT_RUN])
def test_every_command_runs_to_its_first_output(commands, folder, run, name, monkeypatch):
    wrong, skipped, runs = [], [], shortened(commands, name)
    prepare_results(run, folder)
    for arguments, places in runs.items():
        if (missing := missing_extra(" ".join([name, *arguments]))) is not None:
            skipped.append(f"{missing} is not installed: {places[0]}")
            continue
        lines = "ball.csv" if "--cameras" in arguments else f"growing.{'json' if '--json' in arguments else 'csv'}"
        stdin = io.TextIOWrapper(io.BytesIO(Path(lines).read_bytes()))
        monkeypatch.setattr(sys, "stdin", stdin)
        if (message := run(name, expanded(arguments))) is not None:
            wrong.append(f"{places[0]}\n    {message}")
        shutil.rmtree("run", ignore_errors=True)
    assert runs and not wrong, "\n".join(wrong)
    if len(skipped) == len(runs):
        pytest.skip("; ".join(skipped))


def prepare_results(run, folder):
    """What earlier commands of the documents have written: sets of balls, results."""
    for file, first in (("set.npz", 0), ("first.npz", 0), ("second.npz", 32)):
        assert run("-m ballcast.sim", f"table_tennis --tracks 32 --first {first} --out {file}".split()) is None
    quick = "--balls 2 --protocol horizon --history 0.1 --horizon 0.1 --predictor parabola constant_velocity"
    for file in ("a.json", "b.json"):
        assert run("evaluate.py", [*quick.split(), "--json", file]) is None


def python_blocks(page):
    """The blocks of Python of a page that run here."""
    if page.startswith("lessons/") or page in PYTHON_ELSEWHERE:
        return []
    blocks = [block for block in documents.blocks(documents.read(page)) if block.language == "python"]
    by_hand = [first for name, first, _ in PYTHON_BY_HAND if name == page]
    return [block for block in blocks if not block.text.startswith(tuple(by_hand))]


def run_python(page):
    """Run the blocks of a page one after the other: the names that they leave. A traceback names the page's line."""
    names = {"__name__": page}
    for block in python_blocks(page):
        exec(compile("\n" * (block.line - 1) + block.text, page, "exec"), names)
    return names


def test_the_python_of_the_pages_runs(folder, monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    pages = [page for page in DOCUMENTS if importlib.util.find_spec(PYTHON_EXTRAS.get(page, "numpy"))]
    left = {page: run_python(page) for page in pages}
    predictor = left["docs/architecture.md"]["ConstantAcceleration"](sim.load("table_tennis"))
    track = read_track("rally").until(0.2)
    assert predictor.forecast(track, [0.21]).mean == pytest.approx(track.position[-1:], abs=0.1)
    assert sum(map(bool, map(python_blocks, pages))) > 5


def test_the_python_that_does_not_run_here_is_there_and_has_another_test():
    for page, file in PYTHON_ELSEWHERE.items():
        assert page not in DOCUMENTS or page.rpartition("/")[2] in (ROOT / "tests" / file).read_text(encoding="utf-8")
    for page, first, _ in PYTHON_BY_HAND:
        assert any(block.text.startswith(first) for block in documents.blocks(documents.read(page))), (page, first)


def test_the_files_that_pages_print_can_be_read(tmp_path, monkeypatch):
    def write(page, begins, file):
        (block,) = (block for block in documents.blocks(documents.read(page)) if block.text.startswith(begins))
        (tmp_path / file).write_text(block.text)
        return tmp_path / file

    assert [camera.name for camera in read_cameras(write("docs/cameras.md", "cameras:", "cameras.yaml"))] == ["left"]
    named = landmarks.read_points(write("docs/video.md", "name,u,v", "points.csv"))
    assert len(named.names) == 5 and landmarks.places(named, sim.load("tennis"))
    garage = tomllib.loads(write("docs/benchmark.md", "[sets.", "splits.toml").read_text())
    monkeypatch.setattr(splits, "_table", lambda: garage)
    assert splits.recorded_sets()["garage"].sport == "table_tennis"


def test_films_and_screenshots_of_the_window_are_ignored_by_git():
    names = ["ballcast-001.png", "ballcast-012.mp4", ".ballcast-001.77.mp4", "docs/ballcast-003.png"]
    if not shutil.which("git") or not (ROOT / ".git").exists():
        pytest.skip("no git checkout")
    done = subprocess.run(["git", "check-ignore", "--no-index", *names], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.split() == names
