"""Motion as language: from a displacement to a token, from a token to a vector; and how many tokens are needed.

python -m lessons.vocabulary
"""

import tempfile
from pathlib import Path

import numpy as np
import torch
from scipy.stats import spearmanr

from ballcast import models
from ballcast.evaluation.metrics import distance, energy, min_ade
from ballcast.evaluation.protocols import HORIZONS
from ballcast.models.encoding.nominal import HORIZON_STEP
from ballcast.models.encoding.vocabulary import compand
from ballcast.models.training.token_learner import TokenLearner, token_paths
from lessons import motion, next_word
from lessons.balls import SPORT, make_cases
from lessons.encoding import counted
from lessons.page import Page, finish

CONFIG = {
    "model": "tokens", "sport": SPORT, "data": None, "finetune": None, "tracks": [], "batch": 64, "seed": 0,
    "units": 48, "device": "cpu", "rate": 3e-3, "exact": False,
}  # fmt: skip
SIZES, STEPS, WARM = (8, 64, 512), 150, 20
OWN = {"steps": 1200, "batch": 128, "rate": 1e-2, "decay": 0.01, "size": 16, "units": 64}  # of the network of lesson 5
READ, WRITTEN, PATHS, PATH_BALLS = 7, 4, 20, (4, 11, 25)  # tokens read and written; paths of each of these test balls
TOKENS_SHOWN, NEIGHBOURS = 10, 3  # tokens of a sequence, and neighbours of a token, that are printed
SAMPLES, HISTORY_FRAMES, BALL_COUNT = 20, 36, 200  # samples per forecast, frames of each ball, balls


class SmallTokenLearner(TokenLearner):
    """Trains a small token network with a vocabulary of `words` tokens."""

    def __init__(self, words):
        self.words = words
        super().__init__(CONFIG)


def trained(words, steps=STEPS):
    learner = SmallTokenLearner(words)
    for n in range(steps):
        rate = CONFIG["rate"] * min(1.0, (n + 1) / WARM) * 0.5 * (1.0 + np.cos(np.pi * n / steps))
        learner.step(learner.batches[n], rate, 1.0)
    return learner


def rounding(learner):
    """The median distance, m, between the positions of the tokens and those of the ball, over a batch."""
    batch = token_paths(learner.validation_batches[0])
    vocabulary = learner.network.token_decoder.vocabulary.double().numpy()
    tokens, _, displaced = learner.tokenize(batch, vocabulary)
    return float(np.median(np.linalg.norm((vocabulary[tokens] - displaced) * batch.position_sds[:, None], axis=2)))


def score_samples(predictor, count=BALL_COUNT):
    """(median error, energy score, minADE) m of SAMPLES samples on test balls; and the number of balls."""
    histories, times, truth = make_cases(count, HISTORY_FRAMES, *HORIZONS)
    results = []
    for forecast, path in zip(predictor.forecast_batch(histories, times), truth):
        own, off = forecast.samples[:SAMPLES], np.median(distance(forecast.mean, path))
        results.append((off, energy(own, path).mean(), min_ade(own, path)))
    results = np.array(results)
    return np.array([np.median(results[:, 0]), *results[:, 1:].mean(axis=0)]), len(histories)


def print_tokens(page, learner, vocabulary):
    """Print the displacements and the tokens of a ball that hit something unexpected."""
    batch = token_paths(learner.validation_batches[0])
    tokens, _, displaced = learner.tokenize(batch, vocabulary)
    lengths = np.linalg.norm(displaced, axis=2)
    late = np.where(lengths[:, :2].max(axis=1) < 1.0, lengths[:, 3:7].max(axis=1), 0.0)  # as expected at first
    n = int(np.argsort(late)[int(0.995 * len(late))])
    page.print("one ball: displacement from the simulator's expectation, mm, across, along and up; and its token")
    page.print(f"{'after, s':>9}{'displacement':>26}{'token':>7}{'its displacement':>28}")
    for k in range(TOKENS_SHOWN):
        mm = [1e3 * a * batch.position_sds[n] for a in (displaced[n, k], vocabulary[tokens[n, k]])]
        displacement, word = ("".join(f"{v:9.1f}" for v in a) for a in mm)
        page.print(f"{HORIZON_STEP * (k + 1):9.2f}{displacement:>28}{tokens[n, k]:7}{word:>28}")


def print_neighbours(page, vocabulary, embedding):
    small, distances = compand(vocabulary), np.linalg.norm(embedding[:, None] - embedding, axis=2)
    length, pairs = np.linalg.norm(vocabulary, axis=1), np.triu_indices(len(vocabulary), 1)
    page.print(f"\nembeddings of {embedding.shape[1]} numbers; a token and its nearest ones, with their displacements "
               "in units")  # fmt: skip
    for fraction in (0.02, 0.5, 0.98):
        w = int(np.argsort(length)[int(fraction * len(length))])
        near = np.argsort(distances[w])[: 1 + NEIGHBOURS]
        page.print("   ".join(f"{v:3}: " + " ".join(f"{a:.1f}" for a in vocabulary[v]) for v in near))
    rank = spearmanr(distances[pairs], np.linalg.norm(small[:, None] - small, axis=2)[pairs]).statistic
    page.print(f"similar tokens have similar embeddings: rank correlation of the distances {rank:.2f}")


def own_tokens(page):
    """The network of lesson 5 on displacements as tokens, from positions alone."""
    known, test = motion.displacements(6000, "train"), motion.displacements(1000, "test")
    vocabulary = motion.make_vocabulary(known[:2000])
    indices, others, words = motion.encode(known, vocabulary), motion.encode(test, vocabulary), motion.WORDS + 1
    page.print(f"a ball as tokens: {' '.join(map(str, others[0].tolist()))}")
    network = next_word.trained(indices, words, **OWN)
    page.print(f"\nloss on 1,000 other balls, nats a token; and how many of {words} tokens it leaves open")
    with torch.no_grad():
        rows = {"every token as probable": np.log(words)}
        rows["how often each token comes"] = counted(indices, others, words, 0)
        rows["what follows the last token"] = counted(indices, others, words, 1)
        rows["the recurrent network"] = float(next_word.loss(network, others))
    for name, row in rows.items():
        page.print(f"{name:28}{row:6.2f}{np.exp(row):8.1f}")
    paths = sampled_paths(network, others, vocabulary)
    after, truth = paths[:, :, -1] - paths[:, :, READ - 1], test[:, READ - 1 : READ - 1 + WRITTEN].sum(axis=1)
    repeated = WRITTEN * vocabulary[others[:, READ - 1] - 1]
    page.print(f"\nerror {WRITTEN * motion.EVERY / 60:g} s ahead, mm")
    page.print(f"{'mean of sampled paths':28}{1e3 * np.median(distance(after.mean(axis=1), truth)):6.0f}")
    page.print(f"{'the last token repeated':28}{1e3 * np.median(distance(repeated, truth)):6.0f}")
    draw_paths(page, paths, np.cumsum(test, axis=1))


def sampled_paths(network, others, vocabulary):
    """Positions (B, PATHS, n, 3) m from where each ball began: the READ - 1 tokens that were read, and the sampled."""
    start = others[:, :READ].repeat_interleave(PATHS, dim=0)
    tokens = motion.sample_tokens(network, start, WRITTEN, torch.Generator().manual_seed(0))[:, 1:] - 1
    steps = np.pad(vocabulary[tokens], ((0, 0), (1, 0), (0, 0)))
    return np.cumsum(steps, axis=1).reshape(len(others), PATHS, -1, 3)


def draw_paths(page, paths, truth):
    """Some balls: the tokens read, the paths written, and the truth."""
    figure, plots = page.figure(len(PATH_BALLS))
    for plot, n in zip(plots, PATH_BALLS):
        for path in paths[n]:
            plot.plot(path[READ - 1 :, 1], path[READ - 1 :, 2], color="#d55e00", alpha=0.3, linewidth=0.9)
        plot.plot(*paths[n][0, :READ, 1:].T, color="#111111", marker=".", label="read")
        plot.plot(*truth[n][READ - 2 : READ + WRITTEN - 1, 1:].T, color="#2c6fbb", marker=".", label="measured")
        plot.plot([], [], color="#d55e00", label="sampled")
        finish(plot, xlabel="along, m", ylabel="up, m")
    page.save(figure, "paths")


def main():
    page, predictor = Page("vocabulary"), models.load("tokens", SPORT)
    page.code(motion.make_vocabulary, motion.encode, motion.sample_tokens)
    print("training networks, about a minute and a half", flush=True)
    own_tokens(page)
    page.next_block()
    learners, vocabulary, embedding = {n: trained(n) for n in SIZES}, predictor.vocabulary, predictor.embedding
    print_tokens(page, learners[SIZES[-1]], vocabulary)
    print_neighbours(page, vocabulary, embedding)
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        for words, learner in learners.items():
            path = Path(folder) / f"{words}.safetensors"
            learner.save(path, STEPS, {})
            scores, count = score_samples(models.load(path))
            results[words] = 1e3 * np.r_[rounding(learner), scores]
    page.print(f"\nsmall networks, {STEPS} steps each; mm, {count} balls with {HISTORY_FRAMES} frames, "
               f"{HORIZONS[0]:g} to {HORIZONS[-1]:g} s ahead")  # fmt: skip
    page.print(f"{'tokens':>8}{'rounding error':>16}{'error':>9}{'energy score':>15}{'best of 20':>13}")
    for words, row in results.items():
        page.print(f"{words:8}" + "".join(f"{v:{n}.1f}" for v, n in zip(row, (16, 9, 15, 13))))
    draw(page, vocabulary, embedding, results)


def draw(page, vocabulary, embedding, results):
    """The tokens as displacements and as embeddings, and the errors by their number."""
    figure, (left, middle, right) = page.figure(3)
    small, color = compand(vocabulary), np.arctan2(*compand(vocabulary)[:, [2, 1]].T)
    left.scatter(small[:, 1], small[:, 2], 5, color, cmap="twilight")
    finish(left, 0, xlabel="along, units (asinh)", ylabel="up, units (asinh)", title="displacements of the tokens")
    centred = embedding - embedding.mean(axis=0)
    flat = centred @ np.linalg.svd(centred, full_matrices=False)[2][:2].T
    middle.scatter(*flat.T, 5, color, cmap="twilight")
    finish(middle, 0, title="their embeddings, two components", xticks=[], yticks=[])
    figures = np.array(list(results.values()))
    for column, name in enumerate(("rounding error", "error", "energy score", "best of 20")):
        right.loglog(list(results), figures[:, column], marker=".", label=name)
    right.set_xticks(list(results), [str(n) for n in results])
    right.minorticks_off()
    finish(right, xlabel="tokens in the vocabulary", ylabel="mm")
    page.save(figure)
    page.close()


if __name__ == "__main__":
    main()
