"""Train a network on balls that are simulated as it learns. No ball is used twice.

python train.py --minutes 3                                  # table tennis, a GRU, into runs/table_tennis-gru
python train.py --sport all --frames 4e8                     # one network for every sport: nine, and random ones
python train.py --sport tennis --model lstm --steps 20000 --out runs/mine
python train.py --features raw --minutes 30                  # a GRU that reads positions, without the filter
python train.py --model my_module:MyTrunk --features raw     # a trunk of your own: docs/own_model.md
python train.py --out runs/mine --resume                     # continue where it stopped, to the bit
python train.py --out runs/mine --resume --steps 40000       # the same to a later step
torchrun --nproc-per-node 2 train.py --minutes 30            # data-parallel
python train.py --finetune runs/mine/weights.safetensors --tracks recordings/ --without net   # ends by itself
python train.py --sport all --finetune models/weights/gru.safetensors --pixels runs/pixels    # cameras, too

Ctrl-C and SIGTERM stop the run with a checkpoint; another is written every 20 s. The weights with the best validation
score are kept, and calibrated (calibrate.py) after the last step. A stopped run says how to calibrate them.
"""

import contextlib
import dataclasses
import importlib.util
import math
import shlex
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from ballcast import command
from ballcast.models.training import makes_on_device, needs_no_cpu, network_of
from ballcast.tracks import ReadOptions

if TYPE_CHECKING:  # torch takes seconds to import
    from ballcast.models.training.learner import Learner
    from ballcast.models.training.run_folder import RunFolder, RunState

WARM_UP_STEPS = 100  # steps in which the learning rate rises
TIMED_STEPS = 100  # steps that are timed to turn --minutes into steps
MAX_GRADIENT_NORM = 1.0  # gradients are clipped to this, the path head and the rest separately
LOG_INTERVAL = 25  # steps
SAVE_INTERVAL = 20.0  # s between checkpoints
MODELS = ("gru", "gru_physics", "gru_raw", "lstm", "rnn", "mlp", "mingru", "transformer", "tokens")


@dataclass(frozen=True)
class Options:
    """Train a network on balls that are simulated as it learns. No ball is used twice."""

    model: str = "gru"
    """gru, lstm, rnn; gru_physics (the same weights as gru, with the simulator); mingru or transformer, which train on
    all frames at once; mlp, which has no memory; tokens, which generates paths on top of a gru; gru_raw, a gru with
    --features raw; or my_module:MyTrunk, a trunk of your own"""
    features: str | None = None
    """what the network reads: filter, the state and spread of the running filter, the default; or raw, the measured
    positions, without the filter. mlp reads raw frames and nothing older"""
    sport: tuple[str, ...] = ("table_tennis",)
    """names of sports, or .toml files of your own; all for those that ship and random ones, mixed. A network that
    learns from several sports serves every sport"""
    data: Path | None = None  # train on this generated set (python -m ballcast.sim) instead of fresh balls
    minutes: float | None = None
    """how long to train, by default 30: the first 100 steps are timed, and the number of steps is set by them. With
    --tracks: at most so long, by default 5; the run ends by itself"""
    steps: int = 0  # how many steps to train, instead of minutes
    frames: float = 0.0  # how many frames to learn from, instead of minutes: the first 100 steps say how many steps
    out: Path | None = None  # folder of the run; the default is runs/SPORT-MODEL
    resume: bool = False
    """continue the run in that folder, with the options it was started with; --steps (in all), --minutes (from now on)
    and --device may be given anew"""
    finetune: Path | None = None  # start from these weights
    tracks: tuple[str, ...] = ()
    """with --finetune: train on these recorded tracks too; files or folders. One track in five is kept: the run ends
    where these no longer improve, and the best weights are restored"""
    pixels: Path | None = None
    """with --finetune: train on the balls of this folder too, which random cameras saw (python -m
    ballcast.models.training.pixel_set)"""
    without: tuple[str, ...] = ()  # surfaces of the sport that were not there when --tracks were recorded, such as net
    reading: Annotated[ReadOptions, tyro.conf.arg(name="")] = ReadOptions()
    batch: int | None = None
    """balls in a step, over all processes; the default is 192, with --tracks 96, where a GPU makes them 3072"""
    rate: Annotated[float | None, tyro.conf.arg(name="learning-rate")] = None
    """the highest learning rate; the default is 3e-3, with --tracks 2e-3"""
    units: int | None = None  # hidden units; the default is 192, for mingru 160, for transformer and tokens 128
    seed: int = 0  # of the weights and of the balls
    device: str = "cpu"  # cpu, cuda, ...
    workers: int | None = None
    """threads of a process that make batches, by default as many as it has cores to spare; with --device cuda the GPU
    makes them where it can, unless --workers is given"""
    exact: bool = False  # compute in float32 throughout; otherwise bfloat16 is used where it is fast


DEFAULTS = {"minutes": (30.0, 5.0), "batch": (192, 96), "rate": (3e-3, 2e-3)}  # of a run, and with --tracks
DEVICE_BATCH = 3072  # balls in a step, where a GPU makes them
RENEWABLE = ("steps", "minutes", "device")  # options that may be given anew with --resume


def main() -> None:
    options = command.options(Options, "train.py")
    command.run("train.py", lambda: run(options, sys.argv[1:]))


def run(options: Options, arguments: Sequence[str] = ()) -> None:
    """Start a run, or continue one, and train to its end. Raises ValueError or OSError, one line each.

    arguments: those of the command line, which say what is given with --resume.
    """
    check(options)
    from ballcast.models.training import check_recorded, compile_cache, distributed, make_learner

    folder, config = resume(options, arguments) if options.resume else prepare(options)
    check_recorded(config)
    distributed.own_gpu(config["device"])
    require_device(config)
    if not makes_on_device(config):
        compile_cache.warm_up(config)
    stop_signals = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: stop_signals.append(number))
    with distributed.process_group(config["device"]), within_memory(config):
        learner = make_learner(config, distributed.rank(), distributed.world_size())
        config["steps"] = config["steps"] or learner.default_steps
        if distributed.rank() == 0:
            folder.write_config(config)
        train(learner, folder, config, stop_signals)


def require_device(config: dict) -> None:
    """Say who makes the batches for a GPU. Raises ValueError, one line, where there is no GPU."""
    import torch

    from ballcast.models.training import distributed

    if not config["device"].startswith("cuda"):
        return
    if not torch.cuda.is_available():
        raise ValueError(f"--device {config['device']}: torch finds no NVIDIA GPU here, or was built without CUDA; "
                         "leave it out for the CPU")  # fmt: skip
    if distributed.rank() > 0:
        return
    if not makes_on_device(config):
        threads = config.get("workers") or distributed.spare_cores(config["device"])
        print(f"{threads} threads of the CPU make the batches, {_why_not_there(config)}", flush=True)
    elif network_of(config)[1] == "filter":
        print("the filter is compiled for the GPU: that takes a minute or two", flush=True)


@contextlib.contextmanager
def within_memory(config: dict) -> Iterator[None]:
    """With ValueError, one line, where a GPU's memory is too small."""
    import torch

    on_gpu = (MemoryError,) if config["device"].startswith("cuda") else ()  # raised for arrays of the simulator
    try:
        yield
    except (torch.OutOfMemoryError, *on_gpu):
        raise ValueError(f"--batch {config['batch']}: the balls of a batch need more memory than the GPU has free; "
                         "give a smaller one") from None  # fmt: skip


def _why_not_there(config):
    """Why a run's batches are not made on its GPU."""
    if not needs_no_cpu(config):
        return "since a GPU makes filter and raw features alone, of fresh balls"
    return "as --workers asks" if config.get("workers") else "since numba-cuda is missing (extra gpu)"


def train(learner: "Learner", folder: "RunFolder", config: dict, stop_signals: list[int]) -> None:
    """Train from the last checkpoint to the last step of the config, or until a signal arrives."""
    from ballcast.models.training import distributed

    is_main, processes = distributed.rank() == 0, distributed.world_size()
    state = folder.load_checkpoint(learner.network, learner.optimizer)
    if is_main:
        folder.truncate_log(state.step)
        validation = learner.validation()
    log, saved = Log(folder, config, state, is_main), time.monotonic()
    if is_main and learner.patience and state.best is None:
        validate(learner, folder, state, log, validation)  # what is to be improved on
    with learner.feed(state.step) as feed:
        while not distributed.all_reduce_max(bool(stop_signals) or is_done(state, config)):
            # a step
            batch, rate = next(feed), config["rate"] * learning_rate_factor(state.step, config["steps"])
            losses, norms, skipped = learner.step(batch, rate, MAX_GRADIENT_NORM)
            state.step, state.skipped = state.step + 1, state.skipped + skipped
            state.frames += int(batch.frame_count) * processes
            log.count(batch.frame_count * processes)

            # --minutes or --frames become a number of steps
            if config["steps"] is None and log.steps == TIMED_STEPS:
                left = config["frames"] / state.frames * state.step - state.step
                remaining = left / TIMED_STEPS if config["frames"] else 60 * config["minutes"] / log.seconds() - 1
                remaining = distributed.all_reduce_max(remaining) * TIMED_STEPS
                config["steps"] = state.step + max(1, int(remaining))
                if is_main:
                    folder.write_config(config)

            # a run that ends by itself leaves out what its time does not allow
            if learner.patience and state.step % learner.validation_interval == 0:
                shorten(config, state, learner.seconds_left() / log.seconds() * log.steps)
                if is_main:
                    folder.write_config(config)

            # the main process logs, validates and saves
            if not is_main:
                continue
            if state.step % LOG_INTERVAL == 0 or is_done(state, config):
                log.training(losses, norms)
            if state.step % learner.validation_interval == 0 or is_done(state, config):
                validate(learner, folder, state, log, validation)
                state.ended = bool(learner.patience) and state.stale >= learner.patience
            if time.monotonic() - saved > SAVE_INTERVAL:
                folder.save_checkpoint(state, learner.network, learner.optimizer)
                saved = time.monotonic()
    if is_main:
        folder.save_checkpoint(state, learner.network, learner.optimizer)
        finish(learner, folder, config, state)


def validate(learner: "Learner", folder: "RunFolder", state: "RunState", log: "Log", batches: list) -> None:
    """Compute and log the validation scores; save the weights if they are the best so far."""
    scores = learner.scores(batches)
    log.validation(scores)
    state.stale += 1
    if state.best is None or sum(scores.values()) < state.best:
        state.best, state.best_step, state.stale = sum(scores.values()), state.step, 0
        learner.save(folder.weights, state.step, scores, state.frames)


def shorten(config: dict, state: "RunState", allowed: float) -> None:
    """Leave out the steps at the end beyond the next `allowed` ones, so that the learning rate still falls to zero; all
    processes leave out the same."""
    from ballcast.models.training import distributed

    last = -distributed.all_reduce_max(-(state.step + max(0, int(allowed))))
    config["steps"] = min(config["steps"], int(last))


def check(options: Options) -> None:
    """Refuse wrong options before anything takes time. Raises ValueError."""
    if options.model not in MODELS and ":" not in options.model:
        raise ValueError(f"--model {options.model}: there are {', '.join(MODELS)}, and my_module:MyTrunk for your own")
    if options.features not in (None, "filter", "raw"):
        raise ValueError(f"--features {options.features}: there are filter and raw")
    _check_features(options)
    for name in ("minutes", "rate", "units", "batch", "workers"):
        if (value := getattr(options, name)) is not None and not value > 0:
            raise ValueError(f"{_option(name)} {value}: must be above 0")
    if options.steps < 0 or options.seed < 0 or not options.frames >= 0:
        raise ValueError("--steps, --frames and --seed: must be 0 or more")
    if not options.sport:
        raise ValueError("--sport: name a sport, a .toml file, or all")
    if len(options.sport) > 1 or options.sport == ("all",):
        _check_mixed(options)
    if options.tracks and options.frames:
        raise ValueError("--frames: a run with --tracks ends by itself; limit it with --minutes or --steps")
    if options.without and not options.tracks:
        raise ValueError("--without says what was not there when --tracks were recorded: name those too")
    if options.reading != ReadOptions() and not options.tracks:
        raise ValueError("options that say how tracks are read, such as --rate, go with --tracks; the rate at which a "
                         "network learns is --learning-rate")  # fmt: skip
    if options.tracks and not options.finetune:
        raise ValueError("--tracks goes with --finetune WEIGHTS: recorded tracks are too few to start from nothing")
    if options.tracks and options.data:
        raise ValueError("--tracks are mixed with fresh balls, so --data cannot be given too")
    if options.pixels and not options.finetune:
        raise ValueError("--pixels goes with --finetune WEIGHTS: a set of them is too small to start from nothing")
    if options.pixels and (options.tracks or options.data):
        raise ValueError(f"--pixels are mixed with fresh balls: {'--tracks' if options.tracks else '--data'} cannot be "
                         "given too")  # fmt: skip
    if options.tracks and options.model == "tokens":
        raise ValueError("--model tokens trains on simulated balls; fine-tune its gru on --tracks first")


def _check_features(options):
    """Refuse features that the model does not read."""
    if options.features == "raw" and options.model in ("gru_physics", "tokens"):
        raise ValueError(f"--model {options.model} is built on the filter: it cannot read --features raw")
    if options.features == "filter" and options.model in ("gru_raw", "mlp"):
        raise ValueError(f"--model {options.model} reads no filter; leave --features out, or name another model")
    reads_raw = options.features == "raw" or options.model in ("gru_raw", "mlp", "tokens")
    if options.pixels and reads_raw:
        raise ValueError(f"--model {_model_of(options)} does not read the filter, and takes no pixels")


def _check_mixed(options):
    """Refuse what needs one sport."""
    needs_one = {"--model tokens": options.model == "tokens", "--data": options.data, "--tracks": options.tracks}
    for name, given in needs_one.items():
        if given:
            raise ValueError(f"{name} goes with one sport; name it alone: --sport table_tennis")


def prepare(options: Options) -> tuple["RunFolder", dict]:
    """The folder and config of a new run, with nothing written yet."""
    from ballcast.models.training import distributed

    folder = run_folder(options)
    if distributed.rank() == 0:  # the others may come here after it has written
        folder.require_empty()
    return folder, to_config(options)


def run_folder(options: Options) -> "RunFolder":
    """The folder of a run, which need not exist."""
    from ballcast.models.training.run_folder import RunFolder

    names = "-".join(Path(name).stem for name in options.sport)
    return RunFolder(options.out or Path("runs") / f"{names}-{_model_of(options).rpartition(':')[2]}")


def to_config(options: Options) -> dict:
    """The config of a run, as it is in config.json."""
    config = {name: str(v) if isinstance(v, Path) else list(v) if isinstance(v, tuple) else v
              for name, v in asdict(options).items() if name not in ("resume", "out")}  # fmt: skip
    if config["batch"] is None and makes_on_device(config | {"model": _model_of(options)}):
        config["batch"] = DEVICE_BATCH
    for name, values in DEFAULTS.items():
        config[name] = values[bool(options.tracks)] if config[name] is None else config[name]
    return config | {"steps": options.steps or None, "model": _model_of(options)}


def _model_of(options):
    """The model of a run: a gru that reads raw positions has a name of its own."""
    return "gru_raw" if options.model == "gru" and options.features == "raw" else options.model


def resume(options: Options, arguments: Sequence[str]) -> tuple["RunFolder", dict]:
    """The folder and config of the run in --out, with --steps, --minutes and --device as they are given anew.

    arguments: of the command line. ValueError for any other option that is not as in the config, or for a past step.
    """
    folder = run_folder(options)
    config, done = folder.config(), folder.last_step()
    before = dataclasses.replace(from_config(config, options), minutes=-1.0)  # so that any that are given differ
    given = to_config(command.options(Options, "train.py", arguments, before)) if arguments else to_config(before)
    changed = {name: given[name] for name, value in to_config(before).items() if given[name] != value}
    for name in changed.keys() - set(RENEWABLE):
        has = f"the run in {folder.folder} has {_as_written(config.get(name))} and cannot change it"
        raise ValueError(
            f"{_option(name)} {_as_written(given[name])}: {has}; leave {_option(name)} out, or start another run with "
            "another --out"
        )
    if "minutes" in changed:
        if "steps" in changed:
            raise ValueError("--steps and --minutes: give one of them with --resume")
        changed["steps"] = None  # as at the start, the first steps are timed
    elif changed.get("steps", done) is None or changed.get("steps", done) < done:
        raise ValueError(
            f"--steps {changed['steps'] or 0}: the run in {folder.folder} has done {done}; name a later step"
        )
    return folder, config | changed


def _option(name):
    """How an option is written on the command line."""
    return {"rate": "--learning-rate", "reading": "how tracks are read"}.get(name, f"--{name}")


def _as_written(value):
    """An option's value as it is written on the command line."""
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else value


def from_config(config: dict, options: Options) -> Options:
    """The options of a run with this config; its folder is that of `options`."""
    paths = {name: Path(config[name]) for name in ("data", "finetune", "pixels") if config.get(name)}
    known = {name: config[name] for name in asdict(options) if name in config}
    known |= paths | {name: tuple(config.get(name) or ()) for name in ("sport", "tracks", "without")}
    known["reading"] = ReadOptions(**config.get("reading") or {})
    known["steps"] = config.get("steps") or 0
    return Options(**known | {"out": options.out, "resume": True})


def is_done(state: "RunState", config: dict) -> bool:
    return state.ended or (config["steps"] is not None and state.step >= config["steps"])


def learning_rate_factor(step: int, steps: int | None) -> float:
    """The fraction of the highest learning rate: it rises in WARM_UP_STEPS, then falls to zero along a cosine."""
    fraction = 0.0 if steps is None else max(0, step - WARM_UP_STEPS) / max(1, steps - WARM_UP_STEPS)
    return min(1.0, (step + 1) / WARM_UP_STEPS) * 0.5 * (1.0 + math.cos(math.pi * fraction))


class Log:
    """Counts steps, frames and seconds of this process. The main process writes metrics.jsonl, and TensorBoard files if
    that is installed, and prints a status line and validation scores."""

    def __init__(self, folder: "RunFolder", config: dict, state: "RunState", is_main: bool):
        self.folder, self.config, self.state, self.board = folder, config, state, None
        self.steps, self.frames, self.started = 0, 0, time.monotonic()
        if is_main and importlib.util.find_spec("tensorboard"):
            from torch.utils.tensorboard import SummaryWriter

            self.board = SummaryWriter(folder.folder)

    def count(self, frames: int) -> None:
        """Count one step and its frames."""
        self.steps, self.frames = self.steps + 1, self.frames + int(frames)

    def seconds(self) -> float:
        return time.monotonic() - self.started

    def training(self, losses: Any, norms: list[float]) -> None:
        """The losses and gradient norms of a step."""
        numbers = {name: float(v) for name, v in losses._asdict().items()}
        more = {"skipped": self.state.skipped, "frames_per_second": round(self.frames / self.seconds())}
        self._write(numbers | {"norm_path": norms[0], "norm": norms[1]} | more)
        if sys.stderr.isatty():
            status = f"{self._status()}, loss {sum(numbers.values()):.3f}"
            print(f"\r{status}\x1b[K", end="", file=sys.stderr, flush=True)

    def validation(self, scores: dict[str, float]) -> None:
        """The validation scores."""
        self._write({f"validation_{name}": v for name, v in scores.items()})
        clear = "\r\x1b[K" if sys.stderr.isatty() else ""
        text = ", ".join(f"{name} {v:.3f}" for name, v in scores.items())
        print(f"{clear}{self._status()}; validation: {text}", flush=True)

    def _status(self):
        steps, step = self.config["steps"], self.state.step
        minutes = 0.0 if steps is None or not self.steps else (steps - step) * self.seconds() / self.steps / 60
        remaining = "" if steps is None or not self.steps else f", {minutes:.1f} min left"
        return f"step {step} of {steps or '?'}, {self.frames / max(self.seconds(), 1e-6):,.0f} frames/s{remaining}"

    def _write(self, numbers):
        self.folder.log(step=self.state.step, **numbers)
        for name, v in numbers.items() if self.board else ():
            self.board.add_scalar(name, v, self.state.step)


def finish(learner: "Learner", folder: "RunFolder", config: dict, state: "RunState") -> None:
    """Calibrate the weights if the run is done, and print how it ended. The last line is the next command."""
    from ballcast.models.training import distributed
    from ballcast.models.training.calibrate import PROGRAM

    weights, sports = folder.weights, config["sport"]
    if state.skipped:
        print(f"{state.skipped} of {state.step} steps changed no weights, because a gradient was not finite")
    if is_done(state, config):
        learner.finish(weights, state)
        option = "" if sports[0] in ("table_tennis", "all") else f" --sport {sports[0]}"
        print(f"{weights} is ready; see it in the window:\npython play.py{option} --predictor {weights}")
        return
    if weights.exists() and not config["tracks"]:
        print(f"{weights} is not calibrated yet: its regions may be too small or too large; calibrate it now with:")
        print(f"{PROGRAM} {weights} {' '.join(sports)}")
    print(f"stopped after step {state.step}; continue, and calibrate at the end, with:")
    print(f"{distributed.launch_command()} --out {shlex.quote(str(folder.folder))} --resume")
