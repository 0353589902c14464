"""Train a network on balls that are simulated as it learns, never the same one twice.

python train.py --minutes 3                                  # table tennis, a GRU, into runs/table_tennis-gru
python train.py --sport tennis --model lstm --steps 20000 --out runs/mine
python train.py --out runs/mine --resume                     # go on where it stopped, to the bit
torchrun --nproc-per-node 2 train.py --minutes 30            # data-parallel
python train.py --finetune runs/mine/weights.safetensors --tracks recordings/ --minutes 2

Ctrl-C and SIGTERM end it with a checkpoint; another is written every 20 s. The best weights by validation are kept.
"""

import math
import signal
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from ballcast import command

WARM_UP_STEPS, TIMED_STEPS = 100, 100  # steps: of warm-up; and those that are timed where minutes are given
MAX_GRADIENT_NORM = 1.0  # norm of the gradient of a part, at most
VALIDATION_INTERVAL, VALIDATION_BATCHES, LOG_INTERVAL = 250, 4, 25  # steps; batches; steps
SAVE_INTERVAL = 20.0  # s
MODELS = ("gru", "gru_physics", "lstm", "rnn", "mlp", "mingru", "transformer", "tokens")


@dataclass(frozen=True)
class Options:
    """Train a network on balls that are simulated as it learns, never the same one twice."""

    model: str = "gru"
    """gru, gru_physics (the same weights, its belief flown by the simulator), lstm, rnn; mingru and transformer, which
    are trained on all frames at once; mlp, which has no memory; or tokens, words of motion on the sport's gru"""
    sport: str = "table_tennis"
    """a sport's name, or a .toml file of your own"""
    data: Path | None = None
    """learn from this generated set (python -m ballcast.sim) in place of fresh balls"""
    minutes: float = 30.0
    """how long: the first 100 steps are timed, from then on steps are counted"""
    steps: int = 0
    """how many steps, in place of minutes"""
    out: Path | None = None
    """folder of the run; runs/SPORT-MODEL where none is named"""
    resume: bool = False
    """go on with the run in that folder, as it was begun"""
    finetune: Path | None = None
    """begin with these weights"""
    tracks: tuple[str, ...] = ()
    """with --finetune: learn the future of these recorded balls too; files or folders, one in five for validation"""
    batch: int = 192
    """balls a step, of all processes together"""
    rate: float = 3e-3
    """learning rate at its highest"""
    units: int | None = None
    """of the memory; 192 where none are asked for, of mingru 160, of a transformer 128, of what speaks in tokens 128"""
    seed: int = 0
    """of the weights and of the balls"""
    device: str = "cpu"
    """cpu, cuda, ..."""
    exact: bool = False
    """compute in float32 throughout, where else bfloat16 is used"""


def main():
    options = command.options(Options, "train.py")
    command.run("train.py", lambda: run(options))


def run(options):
    """Begin a run or go on with one, and train to its end. Raises ValueError or OSError, one line each."""
    check(options)
    from ballcast.models.training import compile_cache as fresh
    from ballcast.models.training import distributed as ranks
    from ballcast.models.training.learner import make_learner

    stopped = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.append(True))
    run_folder, config = prepare_run(options)
    fresh.warm_up(config)
    with ranks.process_group(options.device):
        learner = make_learner(config, ranks.rank(), ranks.world_size())
        if not options.resume and ranks.is_main():
            run_folder.create(config)
        step, best = run_folder.load_checkpoint(learner.network, learner.optimizer)
        if ranks.is_main():
            run_folder.truncate_log(step)
        validation = learner.validation(VALIDATION_BATCHES) if ranks.is_main() else []
        progress, logger = Progress(step), Logger(run_folder, config)
        with learner.feed(step) as feed:
            while not ranks.all_reduce_max(bool(stopped)) and not is_done(step, config):
                batch = next(feed)
                losses, norms = learner.step(
                    batch, config["rate"] * learning_rate_factor(step, config["steps"]), MAX_GRADIENT_NORM
                )
                step = progress.tick(batch.frame_count * ranks.world_size())
                if config["steps"] is None and progress.steps == TIMED_STEPS:
                    config["steps"] = step + max(
                        1, int(ranks.all_reduce_max(60 * config["minutes"] / progress.spent - 1) * TIMED_STEPS)
                    )
                    if ranks.is_main():
                        run_folder.write_config(config)
                if not ranks.is_main():
                    continue
                if step % LOG_INTERVAL == 0 or is_done(step, config):
                    logger.step(step, losses, norms, progress)
                if step % VALIDATION_INTERVAL == 0 or is_done(step, config):
                    scores = learner.scores(validation)
                    logger.validation(step, scores, progress)
                    if best is None or sum(scores.values()) < best:
                        best = sum(scores.values())
                        learner.save(run_folder.folder / "weights.safetensors", step, scores)
                if progress.since_saved() > SAVE_INTERVAL:
                    run_folder.save_checkpoint(step, learner.network, learner.optimizer, best)
                    progress.saved = time.monotonic()
        if ranks.is_main():
            run_folder.save_checkpoint(step, learner.network, learner.optimizer, best)
            report_end(run_folder.folder, step, config)


def check(options):
    """Refuse what cannot work before anything takes time. Raises ValueError."""
    if options.model not in MODELS:
        raise ValueError(f"--model {options.model}: there are {', '.join(MODELS)}")
    for name in ("minutes", "rate", "units", "batch"):
        if (value := getattr(options, name)) is not None and not value > 0:
            raise ValueError(f"--{name} {value}: must be above 0")
    if options.steps < 0 or options.seed < 0:
        raise ValueError("--steps and --seed: 0 or more")
    if options.tracks and not options.finetune:
        raise ValueError("--tracks RECORDINGS goes with --finetune WEIGHTS: they are too few to begin with")
    if options.tracks and options.data:
        raise ValueError("--tracks are learnt beside fresh balls, not beside --data")
    if options.tracks and options.model == "tokens":
        raise ValueError("--model tokens learns from simulated balls; finetune its gru on --tracks first")


def prepare_run(options):
    """(Run, config) of a new run, of which nothing is written yet, or of the one in --out that goes on."""
    from ballcast.models.training import distributed as ranks
    from ballcast.models.training.run_folder import RunFolder

    out = options.out or Path("runs") / f"{Path(options.sport).stem}-{options.model}"
    run_folder = RunFolder(out)
    if options.resume:
        return run_folder, run_folder.config()
    if ranks.is_main():  # the others may come late, when it has begun
        run_folder.require_empty()
    plain = {name: str(v) if isinstance(v, Path) else list(v) if isinstance(v, tuple) else v
             for name, v in asdict(options).items() if name not in ("resume", "out")}  # fmt: skip
    config = plain | {"steps": options.steps or None}
    return run_folder, config


def is_done(step, config):
    return config["steps"] is not None and step >= config["steps"]


def learning_rate_factor(step, steps):
    """The learning rate's share: a warm-up, then a cosine to zero."""
    past = 0.0 if steps is None else max(0, step - WARM_UP_STEPS) / max(1, steps - WARM_UP_STEPS)
    return min(1.0, (step + 1) / WARM_UP_STEPS) * 0.5 * (1.0 + math.cos(math.pi * past))


class Progress:
    """Counts steps, frames and seconds."""

    def __init__(self, step):
        self.step, self.steps, self.frames = step, 0, 0
        self.started = self.saved = time.monotonic()

    def tick(self, frames):
        """One step more, of so many frames; the number of steps done."""
        self.step, self.steps, self.frames = self.step + 1, self.steps + 1, self.frames + int(frames)
        return self.step

    @property
    def spent(self):
        return time.monotonic() - self.started

    @property
    def speed(self):
        return self.frames / self.spent

    def since_saved(self):
        return time.monotonic() - self.saved


class Logger:
    """What is written down of a run, and what is seen of it: a bar on a screen, else a line a validation."""

    def __init__(self, run_folder, config):
        self.run_folder, self.config, self.board = run_folder, config, None
        try:
            from torch.utils.tensorboard import SummaryWriter

            self.board = SummaryWriter(run_folder.folder)
        except ImportError:  # the extra is not installed
            pass

    def step(self, step, losses, norms, progress):
        numbers = {name: float(v) for name, v in losses._asdict().items()}
        self._note(
            step, numbers | {"norm_path": norms[0], "norm": norms[1], "frames_per_second": round(progress.speed)}
        )
        if sys.stderr.isatty():
            loss = sum(numbers.values())
            print(f"\r{self._where(step, progress)}, loss {loss:.3f}\x1b[K", end="", file=sys.stderr, flush=True)

    def validation(self, step, scores, progress):
        self._note(step, {f"validation_{name}": v for name, v in scores.items()})
        clear = "\r\x1b[K" if sys.stderr.isatty() else ""
        text = ", ".join(f"{name} {v:.3f}" for name, v in scores.items())
        print(f"{clear}{self._where(step, progress)}; validation: {text}", flush=True)

    def _where(self, step, progress):
        steps = self.config["steps"]
        remaining = "" if steps is None else f", {(steps - step) * progress.spent / progress.steps / 60:.1f} min left"
        return f"step {step} of {steps or '?'}, {progress.speed:,.0f} frames/s{remaining}"

    def _note(self, step, numbers):
        self.run_folder.log(step=step, **numbers)
        for name, v in numbers.items() if self.board else ():
            self.board.add_scalar(name, v, step)


def report_end(folder, step, config):
    """Say how it ended; the last line is the command that comes next."""
    if not is_done(step, config):
        print(f"stopped after step {step}; it goes on with:\npython train.py --out {folder} --resume")
        return
    from ballcast.models.training.calibrate import calibrate

    weights = folder / "weights.safetensors"
    calibrate(weights, config["sport"])
    sport = "" if config["sport"] == "table_tennis" else f" --sport {config['sport']}"
    print(f"{weights} is ready; see it in the window:\npython play.py{sport} --predictor {weights}")
