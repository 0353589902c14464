"""Motion as language: futures are sampled word by word, as a language model writes.

    predictor = load("tokens")
    predictor.forecast(history, times).samples     # (K, H, 3) m: ways the ball may go
    predictor.vocabulary                           # (V, 3): the displacement that each word stands for (words.py)
    predictor.embedding                            # (V, E): the vector that each word is to the network

A GRU has read the frames, as in `gru`. A second GRU says word after word how the ball is displaced beside what physics
expect of it: it hears what was said before and where that has led, so it can say what one normal law cannot, over the
net or into it. The random numbers are fixed: the same history, the same samples.
"""

from collections import namedtuple

import numpy as np
from ballcast.models.contract import Forecast, Landing
from ballcast.models.encoding.nominal import KNOTS, LANDS, SEEN, STEP, base, shown, spot_of, unit
from ballcast.models.encoding.tokenizer import CONTACTS, NUMBERS, STATE, lead, note, onward, outset
from ballcast.models.estimation.fit import HEIGHT, SIZE
from ballcast.models.estimation.posterior import likeliest_landing, middle_first
from ballcast.models.predictors.neural import Neural
from ballcast.models.runtime.layers import F
from ballcast.models.runtime.network import believe, reading
from ballcast.models.runtime.token_decoder import begin, choose, move, query, speech_of
from ballcast.sim.jit import kernel
from ballcast.sim.kernels.flight import MET

SAMPLES = 32
# of B balls at H times: samples (B, K, H, 3) m, their mean (B, H, 3) and covariance (B, H, 3, 3); the landing as in
# recurrent.py
Spoken = namedtuple("Spoken", "samples mean covariance probability landing landing_covariance")


class Tokens(Neural):
    """Samples of the future, said in words."""

    name = "tokens"

    def __init__(self, sport, path=None):
        super().__init__(sport, path)
        self.speech, self.chances = speech_of(self.tensors), chances(SAMPLES)
        self.vocabulary, self.embedding = (self.tensors[f"speech.{n}"] for n in ("vocabulary", "embedding.weight"))
        self.beliefs = 2 * self.info["shape"]["unknowns"]

    def blank(self, count, asked):
        path, landing = ((count, asked, 3), (count, asked, 3, 3)), ((count,), (count, 4), (count, 4, 4))
        return Spoken(*map(np.empty, ((count, SAMPLES, asked, 3), *path, *landing)))

    def ahead(self, watch, rows, times, out):
        state = watch.h[rows], watch.x[rows], watch.raw[rows], watch.memories[rows]
        told = self.brain, self.speech, self.eye.kind, self.eye.place, self.landing, self.beliefs, self.chances
        speak(*told, *state, times, out)

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
def speak(brain, speech, kind, place, landing, beliefs, chances, h, x, raw, memories, times, out):
    """What is Spoken, into out, of balls with memories h (B, H), features x (B, F), at times (B, H) s ahead."""
    spot, sd, where, scale, one = np.empty(SIZE), np.empty((3, 3)), np.empty(4), np.empty(4), np.empty(3)
    knots, seen, at_knots = np.empty((KNOTS, 3)), np.empty((1, SEEN)), STEP * np.arange(1, KNOTS + 1)
    found = np.empty((chances.shape[1], 5))
    for b in range(len(times)):
        spot_of(kind, memories[b], raw[b], spot, sd)
        base(kind, place, landing, spot, sd, at_knots, knots, where, scale)
        shown(knots, where, spot, seen[0])
        unit(sd, STEP, one)
        own = slice(b, b + 1)
        told = np.ascontiguousarray(believe(brain, x[own], h[own])[:, :beliefs])
        first = begin(speech, reading(brain, x[own], h[own], seen, told))
        say(speech, first, place, landing, spot, one, times[b], chances, out.samples[b], found)
        summed(out.samples[b], out.mean[b], out.covariance[b])
        out.probability[b], out.landing[b], out.landing_covariance[b] = likeliest_landing(
            middle_first(found), len(landing)
        )


@kernel
def say(speech, first, place, landing, spot, unit, times, chances, samples, found):
    """Say K ways that a ball may go from a spot on: samples (K, H, 3) m at times (H,) s, first landings found (K, 5).

    first (1, H): what is remembered before the first word; unit (3,) m; chances (KNOTS, K). After the last word the
    ball flies on as it is.
    """
    count, begun, height = len(samples), 0, spot[HEIGHT]
    h, words, numbers = np.empty((count, first.shape[1]), np.float32), np.full(count, -1), np.empty((count, NUMBERS), F)
    states, ends, met = np.empty((count, STATE)), np.empty((count, 9)), np.empty(count, np.bool_)
    path, contacts = np.empty((len(times) + 1, 6)), np.empty((CONTACTS, MET))
    h[:], found[:] = first[0], np.inf
    for n in range(count):
        states[n] = outset(spot)
    for k in range(KNOTS + 1):
        until = STEP * (k + 1) if k < KNOTS else max(LANDS, times[-1])
        done = np.searchsorted(times, until, side="right")
        stretch = np.append(times[begun:done], until) - STEP * k
        for n in range(count):
            ends[n], met[n] = onward(place, spot, states[n], stretch, path[: len(stretch)], contacts)
            samples[n, begun:done] = path[: done - begun, :3]
            samples[n, begun:done, 2] += height
            if found[n, 0] == np.inf:
                land(contacts, landing, STEP * k, height, found[n])
            if k < KNOTS:
                note(states[n], ends[n], met[n], unit, k, numbers[n])
        if k < KNOTS:
            move(speech, words, numbers, h)
            words[:] = choose(query(speech, h), chances[k])
            for n in range(count):
                lead(states[n], ends[n], met[n], speech.vocabulary[words[n]], unit)
                for j in range(begun, done):
                    samples[n, j] += stretch[j - begun] / STEP * (states[n, :3] - ends[n, :3])
        begun = done


@kernel
def land(contacts, landing, begun, height, found):
    """The first landing among contacts (n, MET) of a stretch that began at `begun` s, into found (5,)."""
    for met in contacts:
        if met[0] < np.inf and landing[int(met[1])]:
            found[0], found[4] = begun + met[0], met[1]
            found[1:4] = met[2:5]
            found[3] += height
            return


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
