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

WARM, TIMED = 100, 100  # steps: of warm-up; and those that are timed where minutes are given
CLIP = 1.0  # norm of the gradient of a part, at most
VALIDATE, VALIDATED, LOG = 250, 4, 25  # steps; batches; steps
SAVE = 20.0  # s
MODELS = ("gru", "gru_physics", "lstm", "rnn", "mlp", "mingru", "transformer", "tokens")
FRESH = ("resume", "out", "steps", "minutes")  # what may differ when a run goes on


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
    asked = command.options(Options, "train.py")
    command.run("train.py", lambda: run(asked))


def run(asked):
    """Begin a run or go on with one, and train to its end. Raises ValueError or OSError, one line each."""
    check(asked)
    from ballcast.models.training import compile_cache as fresh
    from ballcast.models.training import distributed as ranks
    from ballcast.models.training.learner import learner_of

    stopped = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.append(True))
    record, config = planned(asked)
    fresh.warm(config)
    with ranks.group(asked.device):
        learner = learner_of(config, ranks.rank(), ranks.count())
        if not asked.resume and ranks.first():
            record.begin(config)
        step, best = record.restore(learner.network, learner.optimizer)
        if ranks.first():
            record.forget(step)
        validation = learner.validation(VALIDATED) if ranks.first() else []
        clock, show = Clock(step), Show(record, config)
        with learner.feed(step) as feed:
            while not ranks.agreed(bool(stopped)) and not done(step, config):
                batch = next(feed)
                parts, norms = learner.step(batch, config["rate"] * schedule(step, config["steps"]), CLIP)
                step = clock.tick(batch.count * ranks.count())
                if config["steps"] is None and clock.steps == TIMED:
                    config["steps"] = step + max(1, int(ranks.agreed(60 * config["minutes"] / clock.spent - 1) * TIMED))
                    if ranks.first():
                        record.configure(config)
                if not ranks.first():
                    continue
                if step % LOG == 0 or done(step, config):
                    show.step(step, parts, norms, clock)
                if step % VALIDATE == 0 or done(step, config):
                    scores = learner.scores(validation)
                    show.validation(step, scores, clock)
                    if best is None or sum(scores.values()) < best:
                        best = sum(scores.values())
                        learner.keep(record.folder / "weights.safetensors", step, scores)
                if clock.since_saved() > SAVE:
                    record.keep(step, learner.network, learner.optimizer, best)
                    clock.saved = time.monotonic()
        if ranks.first():
            record.keep(step, learner.network, learner.optimizer, best)
            farewell(record.folder, step, config)


def check(asked):
    """Refuse what cannot work before anything takes time. Raises ValueError."""
    if asked.model not in MODELS:
        raise ValueError(f"--model {asked.model}: there are {', '.join(MODELS)}")
    for name in ("minutes", "rate", "units", "batch"):
        if (value := getattr(asked, name)) is not None and not value > 0:
            raise ValueError(f"--{name} {value}: must be above 0")
    if asked.steps < 0 or asked.seed < 0:
        raise ValueError("--steps and --seed: 0 or more")
    if asked.tracks and not asked.finetune:
        raise ValueError("--tracks RECORDINGS goes with --finetune WEIGHTS: they are too few to begin with")
    if asked.tracks and asked.data:
        raise ValueError("--tracks are learnt beside fresh balls, not beside --data")
    if asked.tracks and asked.model == "tokens":
        raise ValueError("--model tokens learns from simulated balls; finetune its gru on --tracks first")


def planned(asked):
    """(Run, config) of a new run, of which nothing is written yet, or of the one in --out that goes on."""
    from ballcast.models.training import distributed as ranks
    from ballcast.models.training.run_folder import Run

    out = asked.out or Path("runs") / f"{Path(asked.sport).stem}-{asked.model}"
    run = Run(out)
    if asked.resume:
        return run, run.config()
    if ranks.first():  # the others may come late, when it has begun
        run.refuse_if_there()
    plain = {name: str(v) if isinstance(v, Path) else list(v) if isinstance(v, tuple) else v
             for name, v in asdict(asked).items() if name not in ("resume", "out")}  # fmt: skip
    config = plain | {"steps": asked.steps or None}
    return run, config


def done(step, config):
    return config["steps"] is not None and step >= config["steps"]


def schedule(step, steps):
    """The learning rate's share: a warm-up, then a cosine to zero."""
    past = 0.0 if steps is None else max(0, step - WARM) / max(1, steps - WARM)
    return min(1.0, (step + 1) / WARM) * 0.5 * (1.0 + math.cos(math.pi * past))


class Clock:
    """Counts steps, frames and seconds."""

    def __init__(self, step):
        self.step, self.steps, self.frames = step, 0, 0
        self.begun = self.saved = time.monotonic()

    def tick(self, frames):
        """One step more, of so many frames; the number of steps done."""
        self.step, self.steps, self.frames = self.step + 1, self.steps + 1, self.frames + int(frames)
        return self.step

    @property
    def spent(self):
        return time.monotonic() - self.begun

    @property
    def speed(self):
        return self.frames / self.spent

    def since_saved(self):
        return time.monotonic() - self.saved


class Show:
    """What is written down of a run, and what is seen of it: a bar on a screen, else a line a validation."""

    def __init__(self, record, config):
        self.record, self.config, self.board = record, config, None
        try:
            from torch.utils.tensorboard import SummaryWriter

            self.board = SummaryWriter(record.folder)
        except ImportError:  # the extra is not installed
            pass

    def step(self, step, parts, norms, clock):
        numbers = {name: float(v) for name, v in parts._asdict().items()}
        self._note(step, numbers | {"norm_path": norms[0], "norm": norms[1], "frames_per_second": round(clock.speed)})
        if sys.stderr.isatty():
            loss = sum(numbers.values())
            print(f"\r{self._where(step, clock)}, loss {loss:.3f}\x1b[K", end="", file=sys.stderr, flush=True)

    def validation(self, step, scores, clock):
        self._note(step, {f"validation_{name}": v for name, v in scores.items()})
        clear = "\r\x1b[K" if sys.stderr.isatty() else ""
        told = ", ".join(f"{name} {v:.3f}" for name, v in scores.items())
        print(f"{clear}{self._where(step, clock)}; validation: {told}", flush=True)

    def _where(self, step, clock):
        steps = self.config["steps"]
        left = "" if steps is None else f", {(steps - step) * clock.spent / clock.steps / 60:.1f} min left"
        return f"step {step} of {steps or '?'}, {clock.speed:,.0f} frames/s{left}"

    def _note(self, step, numbers):
        self.record.log(step=step, **numbers)
        for name, v in numbers.items() if self.board else ():
            self.board.add_scalar(name, v, step)


def farewell(folder, step, config):
    """Say how it ended; the last line is the command that comes next."""
    if not done(step, config):
        print(f"stopped after step {step}; it goes on with:\npython train.py --out {folder} --resume")
        return
    from ballcast.models.training.calibrate import calibrate

    weights = folder / "weights.safetensors"
    calibrate(weights, config["sport"])
    sport = "" if config["sport"] == "table_tennis" else f" --sport {config['sport']}"
    print(f"{weights} is ready; see it in the window:\npython play.py{sport} --predictor {weights}")


if __name__ == "__main__":
    main()
