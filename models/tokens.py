"""Motion as language: futures are sampled word by word, as a language model writes.

    predictor = load("tokens")
    predictor.forecast(history, times).samples     # (K, H, 3) m: ways the ball may go
    predictor.vocabulary                           # (V, 3): the displacement that each word stands for (words.py)
    predictor.embedding                            # (V, E): the vector that each word is to the network

A GRU has read the frames and tells a normal law at every knot, as `gru` does. A second GRU then says, word after word,
how this ball goes beside the middle of that law: it hears what was said before and where that has led, so it can say
what one normal law cannot, over the net or into it. The random numbers are fixed: the same history, the same samples.
"""

from collections import namedtuple

import numpy as np

from models.activations import F
from models.baseline import KNOTS, SEEN, STEP, both, shown, spot_of, unit
from models.fit import SIZE
from models.landed import FINE, landing_of
from models.network import believe, foresee, reading
from models.neural import Neural
from models.predictor import Forecast, Landing
from models.speech import NUMBERS, begin, choose, move, note, query, speech_of
from models.told import law_of
from sim.compiled import kernel

SAMPLES = 32
# of B balls at H times: samples (B, K, H, 3) m, their mean (B, H, 3) and covariance (B, H, 3, 3); the landing as in
# recurrent.py
Spoken = namedtuple("Spoken", "samples mean covariance probability landing landing_covariance")
# what a path is told in, mean and scale (KNOTS, 3); numbers of the belief that the path's head reads
Measure = namedtuple("Measure", "mean scale beliefs")


class Tokens(Neural):
    """Samples of the future, said in words."""

    name = "tokens"

    def __init__(self, sport, path=None):
        super().__init__(sport, path)
        t = self.tensors
        scale = np.where(np.isfinite(t["path_scale"]), t["path_scale"], 0.0)
        self.measure = Measure(t["path_mean"], scale, 2 * self.info["shape"]["unknowns"])
        self.speech, self.chances = speech_of(t), chances(SAMPLES)
        self.vocabulary, self.embedding = t["speech.vocabulary"], t["speech.embedding.weight"]
        lands = [s for s in sport.surfaces if s.landing]
        self.grounds = np.array([[*s.low, *s.high] for s in lands], float)
        self.grounds[:, [2, 5]] += sport.ball.radius

    def blank(self, count, asked):
        path, landing = ((count, asked, 3), (count, asked, 3, 3)), ((count,), (count, 4), (count, 4, 4))
        return Spoken(*map(np.empty, ((count, SAMPLES, asked, 3), *path, *landing)))

    def ahead(self, watch, rows, times, out):
        state = watch.h[rows], watch.x[rows], watch.raw[rows], watch.memories[rows]
        place = self.eye.kind, self.eye.place, self.landing
        speak(self.brain, self.speech, place, self.measure, self.grounds, self.chances, *state, times, out)

    def said(self, ahead, n, last):
        landing = None
        if ahead.probability[n] >= 0.5:
            at = ahead.landing[n]
            landing = Landing(last + at[0], at[1:], ahead.landing_covariance[n], float(ahead.probability[n]))
        return Forecast(ahead.mean[n], ahead.covariance[n], ahead.samples[n], landing)


def chances(count, seed=0):
    """Fixed random numbers (KNOTS, count) between 0 and 1: at every word one in each stretch of equal length."""
    rng = np.random.default_rng(seed)
    return (np.array([rng.permutation(count) for _ in range(KNOTS)]) + rng.random((KNOTS, count))) / count


@kernel
def speak(brain, speech, place, measure, grounds, chances, h, x, raw, memories, times, out):
    """What is Spoken, into out, of balls with memories h (B, H), features x (B, F), at times (B, H) s ahead."""
    kind, surroundings, landing = place
    (count, asked), samples = times.shape, chances.shape[1]
    fine = FINE * np.arange(1, int(round(KNOTS * STEP / FINE)) + 1)
    spot, sd, where, one = np.empty(SIZE), np.empty((3, 3)), np.empty(4), np.empty(4)
    knots, seen, along = np.empty((KNOTS, 3)), np.empty((1, SEEN)), np.empty((len(fine), 3))
    places, ways = np.empty((asked, 3)), np.empty((samples, len(fine), 3))
    told = np.empty((count, 0), np.float32)
    if measure.beliefs:
        told = np.ascontiguousarray(believe(brain, x, h)[:, : measure.beliefs])
    for b in range(count):
        spot_of(kind, memories[b], raw[b], spot, sd)
        both(kind, surroundings, landing, spot, sd, times[b], places, knots, where, one)
        shown(knots, where, spot, seen[0])
        own = slice(b, b + 1)
        row = foresee(brain, x[own], h[own], seen, told[own])[0].astype(np.float64)
        off, A = law_of(row, measure.mean, measure.scale, np.ones(KNOTS))
        first = begin(speech, reading(brain, x[own], h[own], seen, told[own]))
        beside = say(speech, first, off, A, knots, sd, spot, chances)
        follow(beside, places, sd, times[b], out.samples[b])
        both(kind, surroundings, landing, spot, sd, fine, along, knots, where, one)
        follow(beside, along, sd, fine, ways)
        summed(out.samples[b], out.mean[b], out.covariance[b])
        out.probability[b] = landing_of(ways, fine, grounds, out.landing[b], out.landing_covariance[b])


@kernel
def say(speech, first, off, A, knots, sd, spot, chances):
    """Where K samples lie beside the baseline's knots (KNOTS, 3), in its units: (K, KNOTS + 1, 3), from the last frame.

    first (1, H): what is remembered before; off and A: the law (told.law_of); chances (KNOTS, K).
    """
    count = chances.shape[1]
    h, words, numbers = np.empty((count, first.shape[1]), np.float32), np.full(count, -1), np.empty((count, NUMBERS), F)
    place, velocity = np.empty((count, 3)), np.empty((count, 3))
    for n in range(count):
        h[n], place[n], velocity[n] = first[0], spot[:3], spot[3:6]
    z, beside = np.zeros((count, 3)), np.zeros((count, KNOTS + 1, 3))
    one, middle = np.empty(3), np.empty(3)
    for k in range(KNOTS):
        unit(sd, STEP * (k + 1), one)
        middle[:] = knots[k] + one * off[k + 1]
        spread = one * np.diag(A[k + 1])
        for n in range(count):
            note(place[n], velocity[n], z[n], (middle - place[n]) / STEP, spread, k / KNOTS, numbers[n])
        move(speech, words, numbers, h)
        words[:] = choose(query(speech, h), chances[k])
        for n in range(count):
            for i in range(3):
                z[n, i] += speech.vocabulary[words[n], i]
            beside[n, k + 1] = off[k + 1] + A[k + 1] @ z[n]
            if k == 0:  # before the first knot a path is off as it is there
                beside[n, 0] = z[n]
            for i in range(3):
                now = knots[k, i] + one[i] * beside[n, k + 1, i]
                velocity[n, i], place[n, i] = (now - place[n, i]) / STEP, now
    return beside


@kernel
def follow(beside, places, sd, times, out):
    """Samples out (K, H, 3) m at times (H,) s, beside the baseline's places (H, 3); straight between knots."""
    one = np.empty(3)
    for k in range(len(times)):
        s = min(times[k] / STEP, float(KNOTS))
        m = min(int(s), KNOTS - 1)
        unit(sd, times[k], one)
        for n in range(len(out)):
            for i in range(3):
                away = beside[n, m, i] + (s - m) * (beside[n, m + 1, i] - beside[n, m, i])
                out[n, k, i] = places[k, i] + one[i] * away


@kernel
def summed(samples, mean, covariance):
    """Mean (H, 3) and covariance (H, 3, 3) of samples (K, H, 3)."""
    count = len(samples)
    mean[:], covariance[:] = 0.0, 0.0
    for n in range(count):
        mean += samples[n] / count
    for n in range(count):
        off = samples[n] - mean
        for k in range(len(mean)):
            for i in range(3):
                for j in range(3):
                    covariance[k, i, j] += off[k, i] * off[k, j] / (count - 1)
