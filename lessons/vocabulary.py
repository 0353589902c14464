"""Motion as language: from a displacement to a word, from a word to a vector; and how many words it takes.

python -m lessons.vocabulary
"""

import tempfile
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from ballcast import models
from ballcast.evaluation.metrics import distance, energy, min_ade
from ballcast.evaluation.protocols import HORIZONS
from ballcast.models.encoding.nominal import HORIZON_STEP
from ballcast.models.encoding.vocabulary import compand
from ballcast.models.training.token_learner import TokenLearner, token_paths
from ballcast.tracks import Track
from lessons.balls import SPORT, test_balls
from lessons.page import Page

CONFIG = {
    "model": "tokens", "sport": SPORT, "data": None, "finetune": None, "tracks": [], "batch": 64, "seed": 0,
    "units": 48, "device": "cpu", "rate": 3e-3, "exact": False,
}  # fmt: skip
SIZES, STEPS, WARM = (8, 32, 128, 512), 150, 20
TOKENS_SHOWN, NEIGHBOURS = 10, 3  # words of a sentence, and of a word's neighbours, that are shown
SAMPLES, HISTORY_FRAMES, BALL_COUNT = 20, 36, 200  # frames that are seen of so many balls


class SmallTokenLearner(TokenLearner):
    """A small Speaker of so many words."""

    def __init__(self, words):
        self.words = words
        super().__init__(CONFIG)


def trained(words, steps=STEPS):
    """A Learner that has learnt for so many steps."""
    learner = SmallTokenLearner(words)
    for n in range(steps):
        rate = CONFIG["rate"] * min(1.0, (n + 1) / WARM) * 0.5 * (1.0 + np.cos(np.pi * n / steps))
        learner.step(learner.batches[n], rate, 1.0)
    return learner


def rounding(learner):
    """How far, m, a word's end lies from where the ball was, in the median over the words of a batch."""
    batch = token_paths(learner.validation_batches[0])
    vocabulary = learner.network.token_decoder.vocabulary.double().numpy()
    tokens, _, displaced = learner.tokenize(batch, vocabulary)
    return float(np.median(np.linalg.norm((vocabulary[tokens] - displaced) * batch.position_sds[:, None], axis=2)))


def score_samples(predictor, count=BALL_COUNT):
    """Of balls that were not learnt from, (3,) m: median error, energy score, minADE of SAMPLES samples; how many."""
    suite = test_balls(count)
    rows = np.array([i for i, track in enumerate(suite.tracks) if len(track) >= HISTORY_FRAMES])
    histories = [Track(suite.tracks[i].time[:HISTORY_FRAMES], suite.tracks[i].position[:HISTORY_FRAMES]) for i in rows]
    times = np.array([track.time[-1] for track in histories])[:, None] + np.asarray(HORIZONS)
    truth = suite.flight(rows, times).position
    results = []
    for forecast, path in zip(predictor.forecast_batch(histories, times), truth):
        samples = forecast.samples[:SAMPLES]
        off = np.median(distance(forecast.mean, path))
        results.append((off, energy(samples, path).mean(), min_ade(samples, path)))
    results = np.array(results)
    return np.array([np.median(results[:, 0]), *results[:, 1:].mean(axis=0)]), len(rows)


def as_predictor(learner, folder):
    """The learner's network as a predictor."""
    path = Path(folder) / f"{learner.words}.safetensors"
    learner.save(path, STEPS, {})
    return models.load(path)


def print_tokens(page, learner, vocabulary):
    """Say the sentence of a ball that met something it was not to meet: how it was displaced, and the word for it."""
    batch = token_paths(learner.validation_batches[0])
    tokens, _, displaced = learner.tokenize(batch, vocabulary)
    lengths = np.linalg.norm(displaced, axis=2)
    late = np.where(lengths[:, :2].max(axis=1) < 1.0, lengths[:, 3:7].max(axis=1), 0.0)  # not from the first word on
    n = int(np.argsort(late)[int(0.995 * len(late))])
    page.print("one ball; displaced beside what physics expect, mm, across, along and up; the word that is said for it")
    page.print(f"{'after, s':>9}{'displaced':>26}{'word':>7}{'which stands for':>28}")
    for k in range(TOKENS_SHOWN):
        mm = [1e3 * a * batch.position_sds[n] for a in (displaced[n, k], vocabulary[tokens[n, k]])]
        displacement, word = ("".join(f"{v:9.1f}" for v in a) for a in mm)
        page.print(f"{HORIZON_STEP * (k + 1):9.2f}{displacement:>28}{tokens[n, k]:7}{word:>28}")


def print_neighbours(page, vocabulary, embedding):
    """Say which words are near each other as vectors."""
    small = compand(vocabulary)
    distances = np.linalg.norm(embedding[:, None] - embedding, axis=2)
    length, pairs = np.linalg.norm(vocabulary, axis=1), np.triu_indices(len(vocabulary), 1)
    page.print(
        f"\nvectors of {embedding.shape[1]} numbers; the nearest words of a word, and what they stand for, units"
    )
    for fraction in (0.02, 0.5, 0.98):
        w = int(np.argsort(length)[int(fraction * len(length))])
        near = np.argsort(distances[w])[: 1 + NEIGHBOURS]
        page.print("   ".join(f"{v:3}: " + " ".join(f"{a:.1f}" for a in vocabulary[v]) for v in near))
    rank = spearmanr(distances[pairs], np.linalg.norm(small[:, None] - small, axis=2)[pairs]).statistic
    page.print(f"words that mean nearly the same are near as vectors: rank correlation of the distances {rank:.2f}")


def main():
    page, predictor = Page("vocabulary"), models.load("tokens", SPORT)
    learners = {words: trained(words) for words in SIZES}
    vocabulary, embedding = predictor.vocabulary, predictor.embedding
    print_tokens(page, learners[SIZES[-1]], vocabulary)
    print_neighbours(page, vocabulary, embedding)
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        for words, learner in learners.items():
            scores, count = score_samples(as_predictor(learner, folder))
            results[words] = 1e3 * np.r_[rounding(learner), scores]
    page.print(f"\nsmall networks, {STEPS} steps each; mm, {count} balls seen in {HISTORY_FRAMES} frames, "
               f"{HORIZONS[0]:g} to {HORIZONS[-1]:g} s ahead")  # fmt: skip
    page.print(f"{'words':>8}{'a word is off':>16}{'error':>9}{'energy score':>15}{'best of 20':>13}")
    for words, row in results.items():
        page.print(f"{words:8}" + "".join(f"{v:{n}.1f}" for v, n in zip(row, (16, 9, 15, 13))))
    draw(page, vocabulary, embedding, results)


def draw(page, vocabulary, embedding, results):
    """The words as displacements, as vectors, and how many are needed."""
    figure, (left, middle, right) = page.figure(3)
    small, color = compand(vocabulary), np.arctan2(*compand(vocabulary)[:, [2, 1]].T)
    left.scatter(small[:, 1], small[:, 2], 5, color, cmap="twilight")
    left.set_xlabel("along, units (asinh)")
    left.set_ylabel("up, units (asinh)")
    left.set_title("what words stand for")
    centred = embedding - embedding.mean(axis=0)
    flat = centred @ np.linalg.svd(centred, full_matrices=False)[2][:2].T
    middle.scatter(*flat.T, 5, color, cmap="twilight")
    middle.set_title("their vectors, flattened")
    middle.set_xticks([])
    middle.set_yticks([])
    figures = np.array(list(results.values()))
    for column, name in enumerate(("a word is off", "error", "energy score", "best of 20")):
        right.loglog(list(results), figures[:, column], marker=".", label=name)
    right.set_xticks(list(results), [str(n) for n in results])
    right.minorticks_off()
    right.set_xlabel("words of the vocabulary")
    right.set_ylabel("mm")
    right.legend(fontsize=7)
    page.close(figure)


if __name__ == "__main__":
    main()
