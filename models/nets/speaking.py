"""What learns to speak: train.py --model tokens. A sport's gru reads the balls and stays as it is; words are learnt.

The vocabulary is learnt first, from a few batches.
"""

from collections import namedtuple
from dataclasses import asdict

import numpy as np
import torch

from models import weights
from models.nets.learning import Learner, tensors
from models.nets.network import Shape
from models.nets.speech import Sizes, Tokens
from models.nets.vocabulary import learn
from models.neural import weights_of

CHOSEN, SURVEYED = 6, 8  # frames of a sequence from which a path is said; batches that words are learnt from
FAR = 1e4  # standard deviations: a ball that goes another way is not held back
READ = ("features", "times", "frames", "base", "future", "unit")  # of a Batch
Spelled = namedtuple("Spelled", "words")  # mean cross-entropy of a word, nats


class Speaker(Learner):
    """A Learner whose network says futures word by word."""

    balls = {"chosen": CHOSEN, "far": FAR}

    def begun(self):
        path = self.config["finetune"] or weights_of("gru", self.sport)
        info, parts = weights.read(path)
        if info["model"] != "gru" or info["sport"] != self.sport.name:
            told = f"weights of {info['model']} for {info['sport']}"
            raise ValueError(f"{path}: {told}; tokens is taught on a gru for {self.sport.name}")
        torch.manual_seed(self.config["seed"])
        sizes = Sizes(**({"units": self.config["units"]} if self.config["units"] else {}))
        network = Tokens(Shape(**info["shape"]), sizes)
        network.load_state_dict({name: torch.from_numpy(a) for name, a in parts.items()}, strict=False)
        z = surveyed(network, [self.batches[2**40 + n] for n in range(SURVEYED)])
        network.speech.teach(learn(z, sizes.words), z)
        return network

    def losses(self, network, batch):
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.autocast):
            return Spelled(network(*(getattr(batch, name) for name in READ)).mean())

    def told(self):
        return super().told() | {"sizes": asdict(self.network.sizes)}


@torch.no_grad()
def surveyed(network, batches):
    """Paths z (M, KNOTS, 3) of batches, in the standard deviations of the gru's law."""
    found = []
    for batch in map(tensors, batches):
        _, law = network.law(batch.features, batch.times, batch.frames, batch.base)
        found.append(network.standard(law, batch.future).flatten(0, 1).double().numpy())
    return np.concatenate(found)
