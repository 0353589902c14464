"""train.py as a user runs it: stopped, killed and resumed to the bit; wrong input in one line; several processes."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the extra train is not installed")

ROOT = Path(__file__).parents[1]
SMALL = ["--batch", "32", "--units", "16", "--steps", "24"]
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}


def started(*arguments):
    options = {"cwd": ROOT, "env": ENVIRONMENT, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "train.py", *map(str, arguments)], **options)


def ran(*arguments):
    process = started(*arguments)
    out, err = process.communicate(timeout=600)
    return process.returncode, out, err


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The bytes of the weights of a small run that nobody stopped, and what it said."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    code, output, err = ran(*SMALL, "--out", out)
    assert code == 0, err
    return (out / "weights.safetensors").read_bytes(), output, out


def test_a_run_leaves_weights_metrics_and_the_command_to_see_them(whole):
    content, output, out = whole
    assert output.splitlines()[-1] == f"python play.py --predictor {out / 'weights.safetensors'}"
    rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert rows[-1]["step"] == 24 and "validation_belief" in rows[-1]
    assert json.loads((out / "config.json").read_text())["steps"] == 24
    assert len(list(out.glob("checkpoint-*"))) >= 1


def test_ctrl_c_ends_with_a_checkpoint_and_resume_goes_on_to_the_bit(whole, tmp_path):
    process = started(*SMALL, "--out", tmp_path / "run")
    wait_for(tmp_path / "run" / "config.json", process)
    time.sleep(random.Random(0).uniform(3.0, 4.0))
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    if "stopped after step" in out:
        assert out.splitlines()[-1] == f"python train.py --out {tmp_path / 'run'} --resume"
        code, _, err = ran("--out", tmp_path / "run", "--resume")
        assert code == 0, err
    assert (tmp_path / "run" / "weights.safetensors").read_bytes() == whole[0]


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_at_any_moment_it_goes_on_to_the_bit(whole, tmp_path, seed):
    out, moments = tmp_path / "run", random.Random(seed)
    process = started(*SMALL, "--out", out)
    wait_for(out / "config.json", process)
    time.sleep(moments.uniform(0.5, 6.0))
    process.kill()
    process.communicate()
    code, _, err = ran("--out", out, "--resume")
    assert code == 0, err
    assert (out / "weights.safetensors").read_bytes() == whole[0]
    assert not list(out.glob(".*.tmp"))


def wait_for(path, process, patience=300):
    until = time.monotonic() + patience
    while not path.exists():
        assert process.poll() is None and time.monotonic() < until, process.communicate()[1]
        time.sleep(0.05)


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
        (["--tracks", "recordings"], "goes with --finetune"),
        (["--data", "{empty}/no.npz"], "no.npz"),
    ],
)
def test_wrong_input_ends_in_one_line(tmp_path, arguments, message):
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    names = {"empty": tmp_path / "empty", "full": tmp_path / "full"}
    arguments = [a.format(**names) for a in arguments]
    if "--out" not in arguments:
        arguments += ["--out", str(tmp_path / "out")]
    code, _, err = ran(*arguments)
    assert code == 2 and message in err and len(err.strip().splitlines()) == 1
    assert (tmp_path / "full" / "notes.txt").read_text() == "mine"
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="no limits on files there")
def test_a_full_disk_ends_in_one_line_and_leaves_no_part_of_a_file(tmp_path):
    import resource

    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))  # noqa: E731
    options = {"cwd": ROOT, "env": ENVIRONMENT | {"PYTHONDONTWRITEBYTECODE": "1"}, "preexec_fn": limit}
    run = subprocess.run(
        [sys.executable, "train.py", *SMALL, "--out", str(tmp_path / "run")], capture_output=True, text=True, **options
    )
    assert run.returncode == 2 and len(run.stderr.strip().splitlines()) == 1 and "File too large" in run.stderr
    assert {path.name for path in (tmp_path / "run").iterdir()} <= {"config.json", "metrics.jsonl"}


def test_two_processes_train_together(tmp_path):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "train.py"]
    arguments = ["--steps", "3", "--batch", "64", "--units", "16", "--out", str(tmp_path / "run")]
    run = subprocess.run([*command, *arguments], cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, timeout=600)
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[-1].endswith("weights.safetensors")
