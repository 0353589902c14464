"""What the network should answer for a sample: heat map, offsets, size and streak, with weights. Its inputs, too."""

from collections.abc import Sequence

import numpy as np

from ballcast.sim.jit import strict
from ballcast.vision.network import ANSWERED, CELL, PLANES
from ballcast.vision.training.images import Sample, draw_sample

SPREAD = 1.0  # cells, standard deviation of a ball's peak in the heat map
COLORS = (0, 1, 2), (0, 2, 1), (1, 0, 2), (2, 1, 0)  # orders of blue, green and red in a twin
IGNORED = 3.0  # cells round a ball without weight in which nothing is asked


def batch(numbers: Sequence[int], seed: int, purpose: str, side: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Inputs (B, 9, S, S) uint8, answers (B, A * PLANES, h, w) float32 and weights (B, A, h, w) of samples.

    Two neighbouring numbers are one drawn sample, as it is and as its `twin`: drawing is as dear as learning.
    """
    drawn = {half: draw_sample(half, seed, purpose, side) for half in {number // 2 for number in numbers}}
    return stacked([twin(drawn[n // 2], n) if n % 2 else drawn[n // 2] for n in numbers])


def twin(sample: Sample, number: int) -> Sample:
    """The sample in a mirror, backwards in time, with its colours in another order, which `number` decides."""
    images = sample.images[::-1, :, ::-1, COLORS[number // 2 % len(COLORS)]]
    balls = []
    for rows in sample.balls[::-1]:
        turned = rows.copy()
        turned[:, 0] = images.shape[2] - 1.0 - rows[:, 0]
        turned[:, 4] = -rows[:, 4]  # the streak: mirrored across, and backwards
        balls.append(turned)
    return Sample(np.ascontiguousarray(images), tuple(balls))


def stacked(samples: Sequence[Sample]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """As `batch`, of samples that are there. In an answer the first plane of each frame is the heat, from 0 to 1."""
    inputs = np.stack([s.images.transpose(0, 3, 1, 2).reshape(-1, *s.images.shape[1:3]) for s in samples])
    cells = inputs.shape[2] // CELL, inputs.shape[3] // CELL
    answers = np.zeros((len(samples), len(ANSWERED), PLANES, *cells), np.float32)
    weights = np.ones((len(samples), len(ANSWERED), *cells), np.float32)
    for b, sample in enumerate(samples):
        for a, frame in enumerate(ANSWERED):
            _fill(np.ascontiguousarray(sample.balls[frame]), float(CELL), answers[b, a], weights[b, a])
    return inputs, answers.reshape(len(samples), -1, *cells), weights


@strict
def _fill(balls, cell, answer, weight):
    """Fill the answer (PLANES, h, w) and the weights (h, w) of one frame from its balls (K, 6)."""
    height, width = weight.shape
    for n in range(len(balls)):
        x, y = (balls[n, 0] + 0.5) / cell - 0.5, (balls[n, 1] + 0.5) / cell - 0.5
        reach = IGNORED + 0.5 * balls[n, 2] / cell
        if balls[n, 5] == 0.0:
            for j in range(max(0, int(y - reach)), min(height, int(y + reach) + 2)):
                for i in range(max(0, int(x - reach)), min(width, int(x + reach) + 2)):
                    weight[j, i] = 0.0
    for n in range(len(balls)):
        if balls[n, 5] == 0.0:
            continue
        x, y = (balls[n, 0] + 0.5) / cell - 0.5, (balls[n, 1] + 0.5) / cell - 0.5
        angle, length = np.arctan2(balls[n, 4], balls[n, 3]), np.hypot(balls[n, 3], balls[n, 4])
        streak = np.log2(1.0 + length)
        middle_i, middle_j = min(max(int(round(x)), 0), width - 1), min(max(int(round(y)), 0), height - 1)
        for j in range(max(0, int(y) - 4), min(height, int(y) + 6)):
            for i in range(max(0, int(x) - 4), min(width, int(x) + 6)):
                heat = np.exp(-0.5 * ((i - x) ** 2 + (j - y) ** 2) / SPREAD**2)
                if i == middle_i and j == middle_j:
                    heat = 1.0
                if heat > answer[0, j, i]:
                    answer[0, j, i] = heat
                    answer[1, j, i], answer[2, j, i] = x - i, y - j
                    answer[3, j, i] = np.log2(balls[n, 2])
                    answer[4, j, i], answer[5, j, i] = streak * np.cos(2.0 * angle), streak * np.sin(2.0 * angle)
                weight[j, i] = 1.0
