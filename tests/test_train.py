"""train.py as a user runs it: stopped, killed and resumed to the bit; wrong input in one line; several processes."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("torch", reason="the extra train is not installed")

from ballcast.command import CALLED_AS  # noqa: E402
from ballcast.models.training import distributed, train  # noqa: E402
from ballcast.models.training.learner import StepResult  # noqa: E402
from ballcast.models.training.run_folder import RunFolder, RunState  # noqa: E402

ROOT = Path(__file__).parents[1]
SMALL, STEPS = ["--batch", "32", "--units", "16", "--steps", "24"], 24
INTERRUPTED = """
import os, signal
from ballcast.models.training import train

train.SAVE_INTERVAL, replace = 0.0, os.replace  # a checkpoint after every step

def interrupting_replace(temporary, path):
    interrupts = "checkpoint-00000009" in str(path)
    if interrupts and {before}:
        os.kill(os.getpid(), signal.{signal})
    replace(temporary, path)
    if interrupts:
        os.kill(os.getpid(), signal.{signal})

os.replace = interrupting_replace
train.main()
"""  # train.py, which sends itself a signal as it writes the checkpoint of step 9
NEED_PROCESS = "a multiple of 8", "a multiple of 32", "no.npz"  # found after compile_cache.warm_up, which may execv
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}


def ran(*arguments, program="train.py"):
    """(exit status, output, errors) of train.py, or of `-c CODE`."""
    command = [sys.executable, *([program] if program == "train.py" else ["-c", program]), *map(str, arguments)]
    run = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, timeout=600)
    return run.returncode, run.stdout, run.stderr


def interrupted(signal, out, before=False):
    """A run with a signal before or after its checkpoint of step 9 is renamed: as `ran`, and the last checkpoint."""
    result = ran(*SMALL, "--out", out, program=INTERRUPTED.format(signal=signal, before=before))
    assert not (out / "weights.safetensors").exists()
    return *result, int(RunFolder(out).checkpoints()[-1].stem.rpartition("-")[2])


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The bytes of the weights of a small run that nobody stopped, its output and its folder."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    code, output, err = ran(*SMALL, "--out", out)
    assert code == 0, err
    return (out / "weights.safetensors").read_bytes(), output, out


def test_a_run_leaves_weights_metrics_and_the_command_to_see_them(whole):
    content, output, out = whole
    assert output.splitlines()[-1] == f"python play.py --predictor {out / 'weights.safetensors'}"
    rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert rows[-1]["step"] == STEPS and "validation_belief" in rows[-1] and rows[-2]["skipped"] == 0
    assert json.loads((out / "config.json").read_text())["steps"] == STEPS
    assert len(list(out.glob("checkpoint-*"))) >= 1


def test_ctrl_c_ends_with_a_checkpoint_and_resume_continues_to_the_bit(whole, tmp_path):
    status, output, err, step = interrupted("SIGINT", tmp_path / "run")
    assert status == 0 and 9 <= step < STEPS, err
    assert output.splitlines()[-2:] == [
        f"stopped after step {step}; continue, and calibrate at the end, with:",
        f"python train.py --out {tmp_path / 'run'} --resume",
    ]
    resumed_to_the_bit(tmp_path / "run", whole)


def test_killed_while_it_saves_it_resumes_to_the_bit(whole, tmp_path):
    """The half-written checkpoint is left aside, and the one before it is gone on from."""
    status, output, _, step = interrupted("SIGKILL", tmp_path / "run", before=True)
    assert status == -signal.SIGKILL and "is ready" not in output
    assert step == 8 and len(list((tmp_path / "run").glob(".*.tmp"))) == 1
    resumed_to_the_bit(tmp_path / "run", whole)


def resumed_to_the_bit(out, whole):
    status, output, err = ran("--out", out, "--resume")
    assert status == 0 and "is ready" in output, err
    assert (out / "weights.safetensors").read_bytes() == whole[0]
    assert not list(out.glob(".*.tmp"))


@pytest.fixture
def finished(whole, tmp_path):
    """A copy of the small run's folder: it is done."""
    return Path(shutil.copytree(whole[2], tmp_path / "finished"))


def test_resume_takes_a_later_step(finished):
    """A finished run trained nothing, whatever --steps said."""
    status, output, err = ran("--out", finished, "--resume", "--steps", STEPS + 4)
    assert status == 0 and "is ready" in output, err
    rows = [json.loads(line) for line in (finished / "metrics.jsonl").read_text().splitlines()]
    assert rows[-1]["step"] == STEPS + 4 and RunFolder(finished).last_step() == STEPS + 4
    assert RunFolder(finished).config()["steps"] == STEPS + 4


def test_resume_takes_minutes_from_now_on(finished):
    config, arguments = RunFolder(finished).config(), ["--out", str(finished), "--resume", "--minutes", "30"]
    options = train.Options(out=finished, resume=True, minutes=30)
    assert config["minutes"] == 30.0  # given anew it counts all the same
    assert train.resume(options, arguments)[1] == config | {"steps": None}
    assert train.resume(options, arguments[:-2])[1] == config


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--seed", "5"], "--seed 5: the run in {out} has 0"),
        (["--units", "24"], "--units 24: the run in {out} has 16"),
        (["--sport", "tennis"], "--sport tennis: the run in {out} has table_tennis"),
        (["--exact"], "--exact True: the run in {out} has False"),
        (["--steps", "3"], f"--steps 3: the run in {{out}} has done {STEPS}"),
        (["--steps", "99", "--minutes", "2"], "give one of them"),
    ],
)
def test_resume_refuses_what_it_would_ignore(finished, arguments, message):
    options = train.Options(out=finished, resume=True)
    with pytest.raises(ValueError, match=re.escape(message.format(out=finished))):
        train.resume(options, ["--out", str(finished), "--resume", *arguments])


@pytest.mark.parametrize(
    "processes, here, called, command",
    [
        (None, None, None, "python train.py"),
        ("2", "2", None, "torchrun --nproc-per-node 2 train.py"),
        ("8", "4", None, "torchrun --nnodes 2 --nproc-per-node 4 train.py"),
        (None, None, "ballcast train", "ballcast train"),
        ("2", "2", "ballcast train", "torchrun --nproc-per-node 2 -m ballcast train"),
    ],
)
def test_a_stopped_run_names_the_command_that_continues_it(processes, here, called, command, monkeypatch):
    for name, value in (("WORLD_SIZE", processes), ("LOCAL_WORLD_SIZE", here)):
        monkeypatch.delenv(name, raising=False)
        if value:
            monkeypatch.setenv(name, value)
    if called:
        monkeypatch.setitem(CALLED_AS, "train.py", called)
    assert distributed.launch_command() == command


def test_a_stopped_run_says_what_is_missing(tmp_path, capsys):
    folder = RunFolder(tmp_path)
    folder.weights.touch()
    train.finish(None, folder, {"steps": 9, "sport": ["tennis"], "tracks": []}, RunState(step=5, skipped=2))
    output = capsys.readouterr().out
    assert "2 of 5 steps changed no weights" in output and "is not calibrated yet" in output
    assert f"python -m ballcast.models.training.calibrate {folder.weights} tennis" in output.splitlines()


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--model", "perceptron"], "--model perceptron: there are gru"),
        (["--model", "transformer", "--units", "20"], "a multiple of 8"),
        (["--resume", "--out", "{empty}"], "holds no training run"),
        (["--out", "{full}"], "there is something already"),
        (["--minutes", "0"], "--minutes"),
        (["--batch", "33"], "a multiple of 32"),
        (["--sport", "quidditch"], "quidditch"),
        (["--sport", "tennis", "room", "--model", "tokens"], "--model tokens goes with one sport"),
        (["--sport", "all", "--data", "set.npz"], "--data goes with one sport"),
        (["--tracks", "recordings"], "goes with --finetune"),
        (["--data", "{empty}/no.npz"], "no.npz"),
    ],
)
def test_wrong_input_ends_in_one_line(tmp_path, arguments, message, monkeypatch, capsys):
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    names = {"empty": tmp_path / "empty", "full": tmp_path / "full"}
    arguments = [a.format(**names) for a in arguments]
    if "--out" not in arguments:
        arguments += ["--out", str(tmp_path / "out")]
    if message in NEED_PROCESS:
        code, _, err = ran(*arguments)
    else:
        monkeypatch.setattr(sys, "argv", ["train.py", *arguments])
        with pytest.raises(SystemExit) as stop:
            train.main()
        code, err = stop.value.code, capsys.readouterr().err
    assert code == 2 and message in err and len(err.strip().splitlines()) == 1
    assert (tmp_path / "full" / "notes.txt").read_text() == "mine"
    assert not (tmp_path / "out").exists()


def test_frames_say_how_many_steps(tmp_path, monkeypatch):
    class Learner:
        network = optimizer = None
        validation_interval, patience = 250, 0

        def validation(self):
            return []

        def seconds_left(self):
            return float("inf")

        @contextlib.contextmanager
        def feed(self, first):
            yield iter(lambda: SimpleNamespace(frame_count=500), None)

        def step(self, batch, rate, max_norm):
            return StepResult(SimpleNamespace(_asdict=dict), (0.0, 0.0), False)

    monkeypatch.setattr(RunFolder, "load_checkpoint", lambda *_: RunState())
    monkeypatch.setattr(RunFolder, "save_checkpoint", lambda *_: None)
    folder, state = RunFolder(tmp_path), []
    monkeypatch.setattr(train, "finish", lambda learner, folder, config, ended: state.append(ended))
    monkeypatch.setattr(train.Log, "validation", lambda *_: None)
    Learner.scores = lambda self, batches: {"path": 1.0}
    Learner.save = lambda self, path, steps, scores, frames: None
    train.train(Learner(), folder, {"steps": None, "frames": 1e5, "minutes": 30.0, "rate": 1e-3}, [])
    assert state[0].step == 200 and state[0].frames == 100_000


@pytest.mark.skipif(sys.platform == "win32", reason="no limits on files there")
def test_a_full_disk_ends_in_one_line_and_leaves_no_part_of_a_file(tmp_path):
    import resource

    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))  # noqa: E731
    options = {"cwd": ROOT, "env": ENVIRONMENT | {"PYTHONDONTWRITEBYTECODE": "1"}, "preexec_fn": limit}
    run = subprocess.run(
        [sys.executable, "train.py", *SMALL, "--out", str(tmp_path / "run")], capture_output=True, text=True, **options
    )
    assert run.returncode == 2 and len(run.stderr.strip().splitlines()) == 1 and "File too large" in run.stderr
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"config.json", "metrics.jsonl"}


def test_two_processes_train_together(tmp_path):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "train.py"]
    arguments = ["--steps", "3", "--batch", "64", "--units", "16", "--out", str(tmp_path / "run")]
    run = subprocess.run([*command, *arguments], cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, timeout=600)
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[-1].endswith("weights.safetensors")
