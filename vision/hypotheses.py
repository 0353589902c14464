"""The hypotheses of the tracker in the image: which candidates of the frames until now are the ball in play. Compiled.

A hypothesis is a sequence of candidates, one or none of each frame, with the state of the ball after them
(image_motion.py) and its score: the logarithm of how much likelier it is than that all candidates are clutter. A frame
continues every hypothesis with each candidate near its prediction, and with none; in free flight, and with a bounce or
a hit since the last frame; and each candidate begins a new one. Those of a low score are dropped. At most one ball is
in play, so that a new ball begins where no ball was.

Clutter comes again near where it was in the frame before and 0.1 s ago, which a ball in flight does not; a slow one is
still near where it was in the frame before.
"""

import math

import numpy as np

from ballcast.sim.jit import strict
from ballcast.vision.image_motion import BOUNCE, HIT, correct, correct_velocity, fly, start, turn

ON, BIRTH = 0, 1  # kinds of continuations, beside BOUNCE and HIT
CAPACITY = 160  # hypotheses of a frame
PER_CANDIDATE = 4  # hypotheses that end in the same candidate
FLOOR = 18.0  # of the score below the best, at which a hypothesis is dropped
GATE = 16.0  # squared Mahalanobis distance up to which a candidate may be the ball
BIRTH_RATE, DEATH_RATE = 1.0, 0.5  # 1/s: balls that come into play, and leave it
BOUNCE_RATE, HIT_RATE = 1.0, 0.7  # 1/s
SEEN_AGAIN = 0.9, 0.5  # probability that the ball is a candidate, if it was in the frame before, and if not
MAX_MISSED = 0.4  # s without a candidate after which a ball is lost
AGAIN = 0.8  # share of the clutter that comes again near where it was
NEAR = 0.0017, 0.05  # heights, and heights/s: how near
ANGLE = 0.15  # rad, standard deviation of the direction of a streak
LONGEST = 1.1  # streak over the way from frame to frame
SIZE = 0.25  # of the logarithm of the diameter, standard deviation from frame to frame
SIZES = 0.7  # of clutter
REACH, RESTING = 0.008, -1.5  # heights; score of a frame in which a ball has not yet been so far from its start
SAME_VELOCITY = 0.15  # heights/s, below which two hypotheses that end in one candidate are the same

HYPOTHESIS = np.dtype(
    [
        ("total", "f8"),  # score of everything until now
        ("mean", "f8", 6),
        ("covariance", "f8", (6, 6)),
        ("size", "f8"),  # logarithm of the diameter in heights
        ("start", "f8", 2),  # heights, where it was first seen
        ("reach", "f8"),  # heights, how far from there it has been
        ("missing", "f8"),  # s since the last candidate
        ("candidate", "i8"),  # number in the last frame; -1: none
        ("detections", "i8"),  # candidates since the birth
        ("since", "i8"),  # candidates since the last turn or the birth
        ("parent", "i8"),  # number of the hypothesis that it continues; -1: a new ball
        ("kind", "i8"),  # ON, BIRTH, BOUNCE or HIT: what happened at the last frame
        ("origin", "i8"),  # number of the frame of the last BIRTH or HIT
        ("turned", "i8"),  # number of the frame of the last BIRTH, BOUNCE or HIT
        ("bounced", "i8"),  # number of the frame of the last BOUNCE
        ("birth", "i8"),  # number of the frame of the BIRTH
    ],
    align=True,
)

CANDIDATE = np.dtype(
    [
        ("u", "f8"), ("v", "f8"),  # heights
        ("noise", "f8", 3),  # variances uu, uv, vv
        ("looks", "f8"),  # log odds that it is a ball, by its looks
        ("size", "f8"),  # logarithm of the diameter in heights
        ("streak", "f8"),  # heights, length less diameter
        ("angle", "f8"),  # rad
        ("fresh", "f8"), ("again", "f8"),  # densities of clutter here, over the average: new, and come again
    ],
    align=True,
)  # fmt: skip


@strict
def add_clutter(candidates, before, shift_u, shift_v, share, dt, aspect):
    """Take a share of the clutter at each candidate to be that of an earlier frame, come again near where it was.

    shift_u, shift_v: heights by which the picture has moved since. Clutter that comes again looks as it did: what looks
    like a ball, and rests, is not the likelier a ball.
    """
    near2 = NEAR[0] ** 2 + (NEAR[1] * dt) ** 2
    for c in candidates:
        total = 0.0
        for b in before:
            du, dv = c["u"] - b["u"] - shift_u, c["v"] - b["v"] - shift_v
            alike = max(math.exp(min(b["looks"], c["looks"])), 1.0 / len(before))
            total += alike * (1.0 + (du * du + dv * dv) / near2) ** -1.5 / (2.0 * math.pi * near2)
        c["fresh"] -= share
        c["again"] += share * aspect * total


@strict
def against_clutter(features, candidate):
    """Log likelihood ratio of features (their own log ratio) and of the place against clutter, fresh or again."""
    return features - math.log(candidate["fresh"] + candidate["again"] * math.exp(max(features, 0.0)))


@strict
def streak_score(mean, covariance, candidate):
    """Log likelihood ratio of the direction of a candidate's streak; 0 for a round one."""
    streak = candidate["streak"]
    if streak < 0.5 * math.exp(candidate["size"]):
        return 0.0
    x, y = -math.sin(candidate["angle"]), math.cos(candidate["angle"])
    speed2 = mean[2] ** 2 + mean[3] ** 2 + covariance[2, 2] + covariance[3, 3]
    across = mean[2] * x + mean[3] * y
    spread = x * x * covariance[2, 2] + 2.0 * x * y * covariance[2, 3] + y * y * covariance[3, 3]
    S = spread + speed2 * (ANGLE**2 + candidate["noise"][0] / streak**2)
    ratio = math.exp(-0.5 * across * across / S) / math.sqrt(2.0 * math.pi * S) * math.pi * math.sqrt(speed2)
    return math.log(0.1 + 0.9 * ratio)


@strict
def length_score(mean, covariance, candidate, dt):
    """Log likelihood ratio of the length of a streak: a ball's is no longer than its way from frame to frame."""
    way = dt * math.sqrt(mean[2] ** 2 + mean[3] ** 2)
    excess = candidate["streak"] - LONGEST * way
    if excess <= 0.0:
        return 0.0
    variance = (
        candidate["noise"][0] + (0.1 * candidate["streak"]) ** 2 + dt * dt * (covariance[2, 2] + covariance[3, 3])
    )
    return math.log(0.01 + 0.99 * math.exp(-0.5 * excess * excess / variance))


@strict
def place_score(mean, covariance, candidate, aspect):
    """Log of the density of the prediction at a candidate, over that of a uniform one; -inf outside the gate."""
    noise = candidate["noise"]
    a, b, c = covariance[0, 0] + noise[0], covariance[0, 1] + noise[1], covariance[1, 1] + noise[2]
    du, dv = candidate["u"] - mean[0], candidate["v"] - mean[1]
    if du * du > GATE * a or dv * dv > GATE * c:
        return -math.inf
    det = a * c - b * b
    distance = (c * du * du - 2.0 * b * du * dv + a * dv * dv) / det
    if distance > GATE:
        return -math.inf
    return math.log(aspect) - 0.5 * distance - math.log(2.0 * math.pi) - 0.5 * math.log(det)


@strict
def size_score(size, candidate):
    """Log likelihood ratio of a candidate's diameter, after those before."""
    d = candidate["size"] - size
    return math.log(0.1 + 0.9 * SIZES / SIZE * math.exp(-0.5 * d * d * (1.0 / SIZE**2 - 1.0 / SIZES**2)))


@strict
def is_outside(mean, window):
    """Whether a predicted place is outside the window (4,) of the picture that was searched."""
    return not (window[0] < mean[0] < window[2] and window[1] < mean[1] < window[3])


@strict
def propose(old, candidates, nothing, dt, laws, aspect, window, means, covariances, scores, parents, numbers, kinds):
    """Fill all continuations: scores, parents, numbers of candidates and kinds (M,); returns M.

    means (3, N, 6) and covariances (3, N, 6, 6) become the predictions of the N old hypotheses: ON, BOUNCE, HIT.
    nothing: the score that no ball is in play. window: left, top, right, bottom heights of what was searched.
    """
    count, room = 0, len(scores)
    turns = math.log(BOUNCE_RATE * dt), math.log(HIT_RATE * dt)
    for h in range(len(old)):
        one = old[h]
        fly(one["mean"], one["covariance"], dt, laws, means[0, h], covariances[0, h])
        may_turn = one["since"] >= 2
        if may_turn:
            for k in range(2):
                turn(BOUNCE + k, one["mean"], one["covariance"], dt, laws, means[1 + k, h], covariances[1 + k, h])
        seen = SEEN_AGAIN[0] if one["candidate"] >= 0 else SEEN_AGAIN[1]
        for k in range(3 if may_turn else 1):
            base = one["total"] + (turns[k - 1] if k else 0.0)
            mean, covariance = means[k, h], covariances[k, h]
            kind = 0 if k == 0 else BOUNCE + k - 1
            if one["missing"] + dt < MAX_MISSED and one["detections"] >= 2 and count < room:
                missed = 0.0 if is_outside(mean, window) else math.log(1.0 - seen)
                scores[count], parents[count], numbers[count] = base + missed, h, -1
                kinds[count] = kind
                count += 1
            for n in range(len(candidates)):
                c = candidates[n]
                score = place_score(mean, covariance, c, aspect)
                if score > -math.inf and count < room:
                    features = streak_score(mean, covariance, c) + size_score(one["size"], c)
                    score += length_score(mean, covariance, c, dt) + against_clutter(features, c)
                    score += base + math.log(seen) + c["looks"] + (RESTING if one["reach"] < REACH else 0.0)
                    scores[count], parents[count], numbers[count], kinds[count] = score, h, n, kind
                    count += 1
    for n in range(len(candidates)):
        if count < room:
            scores[count] = nothing + math.log(BIRTH_RATE * dt) + candidates[n]["looks"]
            scores[count] += against_clutter(0.0, candidates[n])
            parents[count], numbers[count], kinds[count] = -1, n, BIRTH
            count += 1
    return count


@strict
def select(old, candidates, laws, frame, dt, means, covariances, scores, parents, numbers, kinds, new):
    """Fill `new` (CAPACITY,) with the best continuations, corrected; returns how many."""
    order = np.argsort(-scores)
    held = np.zeros(len(candidates), np.int64)
    count, floor = 0, scores[order[0]] - FLOOR if len(order) else 0.0
    for m in order:
        if count == len(new) or scores[m] < floor:
            break
        n, h, kind = numbers[m], parents[m], kinds[m]
        if n >= 0 and held[n] >= PER_CANDIDATE:
            continue
        one = new[count]
        one["total"], one["parent"], one["candidate"], one["kind"] = scores[m], h, n, kind
        if kind == BIRTH:
            c = candidates[n]
            start(c["u"], c["v"], c["noise"], math.exp(c["size"]), laws, one["mean"], one["covariance"])
            one["detections"] = one["since"] = 1
            one["turned"], one["bounced"] = frame, -1
            one["start"][0], one["start"][1], one["reach"] = c["u"], c["v"], 0.0
            one["missing"], one["size"], one["origin"], one["birth"] = 0.0, c["size"], frame, frame
            aim(one, c)
        else:
            k = 0 if kind == ON else kind - BOUNCE + 1
            one["mean"][:], one["covariance"][:] = means[k, h], covariances[k, h]
            parent = old[h]
            one["birth"], one["origin"] = parent["birth"], frame if kind == HIT else parent["origin"]
            one["turned"] = parent["turned"] if kind == ON else frame
            one["bounced"] = frame if kind == BOUNCE else parent["bounced"]
            one["detections"] = parent["detections"] + (1 if n >= 0 else 0)
            one["since"] = (parent["since"] if kind == ON else 0) + (1 if n >= 0 else 0)
            one["missing"], one["size"] = parent["missing"] + dt, parent["size"]
            if n >= 0:
                c = candidates[n]
                correct(one["mean"], one["covariance"], c["u"], c["v"], c["noise"])
                aim(one, c)
                one["missing"], one["size"] = 0.0, 0.7 * parent["size"] + 0.3 * c["size"]
            one["start"][:] = parent["start"]
            du, dv = one["mean"][0] - one["start"][0], one["mean"][1] - one["start"][1]
            one["reach"] = max(parent["reach"], math.sqrt(du * du + dv * dv) if n >= 0 else 0.0)
        if not is_repeated(new, count):
            if n >= 0:
                held[n] += 1
            count += 1
    return count


@strict
def aim(one, candidate):
    """Correct the velocity across a long streak: the ball flies along it."""
    streak = candidate["streak"]
    if streak < 0.5 * math.exp(candidate["size"]):
        return
    mean, covariance = one["mean"], one["covariance"]
    x, y = -math.sin(candidate["angle"]), math.cos(candidate["angle"])
    speed2 = mean[2] ** 2 + mean[3] ** 2 + covariance[2, 2] + covariance[3, 3]
    variance = speed2 * (ANGLE**2 + candidate["noise"][0] / streak**2)
    across = mean[2] * x + mean[3] * y
    spread = x * x * covariance[2, 2] + 2.0 * x * y * covariance[2, 3] + y * y * covariance[3, 3]
    if across * across < 9.0 * (spread + variance):
        correct_velocity(mean, covariance, x, y, 0.0, variance)


@strict
def is_repeated(new, count):
    """Whether a better hypothesis ends in the same candidate, or in none, with about the same state."""
    one = new[count]
    for k in range(count):
        other = new[k]
        if other["candidate"] != one["candidate"]:
            continue
        du, dv = other["mean"][2] - one["mean"][2], other["mean"][3] - one["mean"][3]
        is_near = one["candidate"] >= 0
        if not is_near:
            x, y = other["mean"][0] - one["mean"][0], other["mean"][1] - one["mean"][1]
            is_near = x * x + y * y < 1e-4
        if is_near and du * du + dv * dv < SAME_VELOCITY**2 and (one["since"] < 3) == (other["since"] < 3):
            return True
    return False
