"""When and where a forecast path crosses a plane, or comes within reach of a point. Compiled.

The path. Between two times it is the cubic through both positions and velocities. Where the velocity changes far more
than before and after, the ball bounces in between: both ends then go on with the acceleration around, until they meet.

The spread. A ball that is off by d when the mean path crosses, with speed n.v across the surface of normal n, crosses
later by -n.d / n.v, and by d - v n.d / n.v beside. So the covariance P of the position becomes J P J^T with
J = [-n^T / n.v; 1 - v n^T / n.v]. A forecast with samples says more: each sample crosses by itself, through its own
bounces, or never. The crossing is then their median: after a bounce that may grip or slip they are skewed, and the mean
path is not in their middle. Their spread about it is scaled as the forecast scales that of its positions.

The probability is the fraction of the samples that cross; without samples, the largest probability, over the times,
that the ball is on the other side.
"""

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ballcast.models.contract import MIN_LANDING_PROBABILITY, Crossing
from ballcast.sim.jit import inlined, kernel

if TYPE_CHECKING:
    from ballcast.models.contract import Forecast
    from ballcast.models.predictors.neural import BatchForecast

PLANE, SPHERE = 0.0, 1.0
NO_VELOCITY, NO_COVARIANCE, NO_SAMPLES = np.empty((1, 0, 3)), np.empty((1, 0, 3, 3)), np.empty((1, 0, 0, 3))
PIECES = 4  # of each interval of times: a path may enter and leave a sphere in one
ROOT_STEPS = 24  # halvings of a piece
BEND = 4.0  # an acceleration so many times that before and after is a bounce
MIN_SPEED = 1e-3  # m/s across the surface, and a fraction of the speed: a path that grazes crosses at no certain time


class BatchCrossing(NamedTuple):
    """Crossings of B balls: arrays with the balls first. NaN where a crossing is less likely than 0.5."""

    time: np.ndarray  # (B,) s
    position: np.ndarray  # (B, 3) m
    velocity: np.ndarray  # (B, 3) m/s
    covariance: np.ndarray  # (B, 4, 4) of time and position
    probability: np.ndarray  # (B,)


def plane(normal: ArrayLike, offset: float) -> np.ndarray:
    """The surface normal . position = offset as (5,): its kind, its unit normal, its offset in m."""
    values: Any = normal
    try:
        a, b, c = (float(v) for v in values)
        length, offset = math.hypot(a, b, c), float(offset)
    except (TypeError, ValueError):
        length = math.nan
    if not (0.0 < length < math.inf and math.isfinite(offset)):
        raise ValueError(f"a plane is a normal (3,), not zero, and an offset in m, not {normal!r}, {offset!r}")
    return np.array([PLANE, a / length, b / length, c / length, offset / length])


def sphere(centre: ArrayLike, radius: float) -> np.ndarray:
    """The surface of a sphere as (5,): its kind, its centre and its radius in m."""
    values: Any = centre
    try:
        x, y, z = (float(v) for v in values)
        radius = float(radius)
        is_sphere = math.isfinite(x + y + z) and 0.0 < radius < math.inf
    except (TypeError, ValueError):
        is_sphere = False
    if not is_sphere:
        raise ValueError(f"a sphere is a centre (3,) and a radius above 0, in m, not {centre!r}, {radius!r}")
    return np.array([SPHERE, x, y, z, radius])


def first_crossing(forecast: "Forecast", surface: np.ndarray) -> Crossing | None:
    """The Crossing of a Forecast with a surface (5,); None if it is less likely than 0.5."""
    if forecast.times is None:
        raise ValueError("this forecast does not hold its times, which a crossing needs: Forecast(..., times=times)")
    times, mean, samples = forecast.times, forecast.mean, forecast.samples
    optional = ((forecast.velocity, NO_VELOCITY), (forecast.covariance, NO_COVARIANCE), (samples, NO_SAMPLES))
    arrays = [_of_one_ball(a) for a in (times, mean)] + [none if a is None else _of_one_ball(a) for a, none in optional]
    probability, at, spread = cross_all(surface, *arrays)
    if not probability[0] >= MIN_LANDING_PROBABILITY:
        return None
    covariance = None if forecast.covariance is None and samples is None else spread[0]
    return Crossing(float(at[0, 0]), at[0, 1:4], at[0, 4:], covariance, float(probability[0]))


def first_crossings(
    surface: np.ndarray, times: np.ndarray, forecast: "BatchForecast", is_known: np.ndarray
) -> BatchCrossing:
    """The BatchCrossing of the balls of a BatchForecast, made for times (B, H) s, with a surface (5,); of those alone
    that are known, (B,)."""
    arrays = (np.array(a, float, order="C") for a in (times, forecast.mean, *forecast.path_spread))
    probability, at, spread = cross_all(surface, *arrays)
    probability = np.where(is_known, np.nan_to_num(probability), 0.0)
    is_none = ~(probability >= MIN_LANDING_PROBABILITY)
    at[is_none], spread[is_none] = np.nan, np.nan
    return BatchCrossing(at[:, 0], at[:, 1:4], at[:, 4:], spread, probability)


def _of_one_ball(values):
    """An array of a Forecast as that of a batch of one ball."""
    return np.array(values, float, order="C")[None]


@kernel
def cross_all(surface, times, mean, velocity, covariance, samples):
    """Probabilities (B,), times and positions and velocities (B, 7), covariances (B, 4, 4) of the first crossings of
    paths: times (B, H) s, mean (B, H, 3); velocity, covariance (B, H, 3, 3) and samples (B, K, H, 3) may be empty."""
    count = len(times)
    probability, at, spread = np.empty(count), np.zeros((count, 7)), np.zeros((count, 4, 4))
    for b in range(count):
        t = np.empty(times.shape[1])
        for k in range(len(t)):
            t[k] = times[b, k] - times[b, 0]
        v = velocity[b] if len(velocity[b]) else _differences(t, mean[b])
        is_met = _cross_mean(surface, t, mean[b], v, len(velocity[b]) > 0, at[b])
        if len(samples[b]):
            probability[b] = _cross_samples(surface, t, mean[b], covariance[b], samples[b], is_met, at[b], spread[b])
        else:
            probability[b] = _other_side(surface, mean[b], covariance[b], is_met)
            if is_met and len(covariance[b]):
                _project(surface, t, covariance[b], at[b], spread[b])
        at[b, 0] += times[b, 0]
    return probability, at, spread


@inlined
def _distance(surface, x, y, z):
    """Distance, m, from a plane on its normal's side, or outside a sphere."""
    if surface[0] == PLANE:
        return surface[1] * x + surface[2] * y + surface[3] * z - surface[4]
    dx, dy, dz = x - surface[1], y - surface[2], z - surface[3]
    return math.sqrt(dx * dx + dy * dy + dz * dz) - surface[4]


@inlined
def _normal(surface, x, y, z):
    """The unit vector along which the distance grows."""
    if surface[0] == PLANE:
        return surface[1], surface[2], surface[3]
    dx, dy, dz = x - surface[1], y - surface[2], z - surface[3]
    inverse = 1.0 / (math.sqrt(dx * dx + dy * dy + dz * dz) + 1e-12)
    return dx * inverse, dy * inverse, dz * inverse


@inlined
def _enters(surface, before, after):
    """Whether a path with these distances crosses: a plane from either side, a sphere from outside."""
    return (before > 0.0) != (after > 0.0) if surface[0] == PLANE else after <= 0.0


@kernel
def _differences(times, mean):
    """Velocities (H, 3) by differences of neighbouring positions."""
    velocity, last = np.zeros(mean.shape), len(times) - 1
    for k in range(last + 1):
        before, after = max(k - 1, 0), min(k + 1, last)
        for i in range(3):
            if after > before:
                velocity[k, i] = (mean[after, i] - mean[before, i]) / (times[after] - times[before])
    return velocity


@kernel
def _cross_mean(surface, times, mean, velocity, has_velocity, at):
    """Fill at (7,) with time, position and velocity of the mean path's first crossing; whether there is one."""
    p, v = mean[0], velocity[0]
    before, path = _distance(surface, p[0], p[1], p[2]), np.empty(6)
    if surface[0] != PLANE and before <= 0.0:
        for i in range(3):
            at[1 + i], at[4 + i] = p[i], v[i]
        return True
    for k in range(len(times) - 1):
        bend = _bend(times, mean, velocity, k) if has_velocity else -1.0
        h = times[k + 1] - times[k]
        for piece in range(1, PIECES + 1):
            _path(times, mean, velocity, k, bend, h * piece / PIECES, path)
            after = _distance(surface, path[0], path[1], path[2])
            if _enters(surface, before, after):
                low, high = h * (piece - 1) / PIECES, h * piece / PIECES
                for _ in range(ROOT_STEPS):
                    middle = 0.5 * (low + high)
                    _path(times, mean, velocity, k, bend, middle, path)
                    if _enters(surface, before, _distance(surface, path[0], path[1], path[2])):
                        high = middle
                    else:
                        low = middle
                _path(times, mean, velocity, k, bend, high, path)
                at[0] = times[k] + high
                for i in range(6):
                    at[1 + i] = path[i]
                return True
            before = after
    return False


@kernel
def _bend(times, mean, velocity, k):
    """When a path bounces after times[k] and before the next, s after the first of these; -1 if it does not."""
    h, change, around = times[k + 1] - times[k], 0.0, 0.0
    for i in range(3):
        change += (velocity[k + 1, i] - velocity[k, i]) ** 2
    for other in (k - 1, k + 1):
        if 0 <= other < len(times) - 1:
            beside = 0.0
            for i in range(3):
                beside += (velocity[other + 1, i] - velocity[other, i]) ** 2
            around = max(around, math.sqrt(beside) / (times[other + 1] - times[other]))
    if not math.sqrt(change) / h > BEND * around > 0.0:
        return -1.0
    along, square = 0.0, 0.0
    for i in range(3):  # both ends, as parabolas, differ by d + w t
        a = _acceleration(times, velocity, k, i)
        v0, v1 = velocity[k, i], velocity[k + 1, i]
        d, w = mean[k, i] - mean[k + 1, i] + h * (v1 - 0.5 * a * h), v0 - v1 + a * h
        along, square = along - d * w, square + w * w
    return min(max(along / square, 0.0), h)


@inlined
def _acceleration(times, velocity, k, i):
    """That before and after the interval k, along one axis."""
    total, count = 0.0, 0
    for other in (k - 1, k + 1):
        if 0 <= other < len(times) - 1:
            total += (velocity[other + 1, i] - velocity[other, i]) / (times[other + 1] - times[other])
            count += 1
    return total / max(count, 1)


@kernel
def _path(times, mean, velocity, k, bend, s, out):
    """Fill out (6,) with position and velocity s seconds after times[k], before the next; bend: see _bend."""
    h = times[k + 1] - times[k]
    f, left = s / h, h - s
    for i in range(3):
        p0, p1, v0, v1 = mean[k, i], mean[k + 1, i], velocity[k, i], velocity[k + 1, i]
        if bend < 0.0:
            d = p1 - p0 - h * v0
            e = h * (v1 - v0)
            out[i] = p0 + s * v0 + f * f * (3.0 * d - e + f * (e - 2.0 * d))
            out[3 + i] = v0 + f / h * (2.0 * (3.0 * d - e) + 3.0 * f * (e - 2.0 * d))
            continue
        a = _acceleration(times, velocity, k, i)
        if s < bend:
            out[i], out[3 + i] = p0 + s * (v0 + 0.5 * a * s), v0 + a * s
        else:
            out[i], out[3 + i] = p1 - left * (v1 - 0.5 * a * left), v1 - a * left


@inlined
def _interval(times, t):
    """(k, fraction): t lies in the interval after times[k]."""
    k = 0
    while k < len(times) - 2 and times[k + 1] <= t:
        k += 1
    if len(times) == 1:
        return k, 0.0
    return k, min(max((t - times[k]) / (times[k + 1] - times[k]), 0.0), 1.0)


@kernel
def _project(surface, times, covariance, at, out):
    """Fill out (4, 4), the covariance of time and position of a crossing, from covariances (H, 3, 3) of positions."""
    k, f = _interval(times, at[0])
    last = min(k + 1, len(times) - 1)
    n, v = _normal(surface, at[1], at[2], at[3]), (at[4], at[5], at[6])
    across = n[0] * v[0] + n[1] * v[1] + n[2] * v[2]
    slowest = MIN_SPEED * (1.0 + math.sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]))
    if abs(across) < slowest:
        across = slowest if across > 0.0 else -slowest
    J = np.empty((4, 3))
    for j in range(3):
        J[0, j] = -n[j] / across
        for i in range(3):
            J[1 + i, j] = (1.0 if i == j else 0.0) - v[i] * n[j] / across
    for i in range(4):
        for j in range(4):
            total = 0.0
            for a in range(3):
                for b in range(3):
                    P = (1.0 - f) * covariance[k, a, b] + f * covariance[last, a, b]
                    total += J[i, a] * P * J[j, b]
            out[i, j] = total


@kernel
def _other_side(surface, mean, covariance, is_met):
    """The largest probability, over the times, that the ball is beyond the surface."""
    if not len(covariance):
        return 1.0 if is_met else 0.0
    side = 1.0 if _distance(surface, mean[0, 0], mean[0, 1], mean[0, 2]) > 0.0 else -1.0
    if surface[0] != PLANE:
        side = 1.0
    largest = 0.5 if is_met else 0.0
    for k in range(len(mean)):
        p = mean[k]
        n, variance = _normal(surface, p[0], p[1], p[2]), 1e-18
        for i in range(3):
            for j in range(3):
                variance += n[i] * covariance[k, i, j] * n[j]
        off = side * _distance(surface, p[0], p[1], p[2])
        if k > 0 or surface[0] != PLANE:
            largest = max(largest, 0.5 * math.erfc(off / math.sqrt(2.0 * variance)))
    return largest


@kernel
def _first_along(surface, times, path, out):
    """Fill out (4,) with time and position of the first crossing of a path (H, 3) of straight pieces; whether there is
    one."""
    before = _distance(surface, path[0, 0], path[0, 1], path[0, 2])
    if surface[0] != PLANE and before <= 0.0:
        out[0], out[1], out[2], out[3] = 0.0, path[0, 0], path[0, 1], path[0, 2]
        return True
    for k in range(1, len(times)):
        after = _distance(surface, path[k, 0], path[k, 1], path[k, 2])
        if _enters(surface, before, after):
            f = before / (before - after)
            out[0] = times[k - 1] + f * (times[k] - times[k - 1])
            for i in range(3):
                out[1 + i] = path[k - 1, i] + f * (path[k, i] - path[k - 1, i])
            return True
        before = after
    return False


@kernel
def _cross_samples(surface, times, mean, covariance, samples, is_met, at, spread):
    """The fraction of the samples that cross. Fills spread (4, 4) with that of their crossings, and moves at (7,) from
    the crossing of the mean path to their median: where the mean path does not cross, to their median alone."""
    count, crossed, reference, one = len(samples), 0, np.zeros(4), np.empty((4, len(samples)))
    for n in range(count):
        if _first_along(surface, times, samples[n], reference):
            for i in range(4):
                one[i, crossed] = reference[i]
            crossed += 1
    if crossed == 0:
        return 0.0
    is_met = is_met and _first_along(surface, times, mean, reference)  # of straight pieces, as the samples are
    scale = _spread_scale(times, mean, covariance, samples, at[0]) if is_met else 1.0
    if not is_met:
        k, _ = _interval(times, _median(one, 0, crossed))
        for i in range(4):
            reference[i] = at[i] = 0.0
        for i in range(3):
            at[4 + i] = (mean[k + 1, i] - mean[k, i]) / (times[k + 1] - times[k]) if len(times) > 1 else 0.0
    for i in range(4):
        middle = _median(one, i, crossed)
        at[i] += middle - reference[i]
        reference[i] = middle
    _move_onto(surface, at)
    for n in range(crossed):
        for i in range(4):
            for j in range(4):
                off = (one[i, n] - reference[i]) * (one[j, n] - reference[j])
                spread[i, j] += scale * off / max(crossed - 1, 1)
    return crossed / count


@kernel
def _median(rows, i, count):
    """The median of the first `count` numbers of row i."""
    values = np.empty(count)
    for n in range(count):  # sorted by hand: numpy's sort takes long to compile
        k = n
        while k > 0 and values[k - 1] > rows[i, n]:
            values[k] = values[k - 1]
            k -= 1
        values[k] = rows[i, n]
    return 0.5 * (values[(count - 1) // 2] + values[count // 2])


@inlined
def _move_onto(surface, at):
    """Move the position at[1:4] onto the surface: medians of each axis may lie beside it."""
    off, n = _distance(surface, at[1], at[2], at[3]), _normal(surface, at[1], at[2], at[3])
    for i in range(3):
        at[1 + i] -= off * n[i]


@kernel
def _spread_scale(times, mean, covariance, samples, t):
    """How many times larger the covariance of the position at t s is than the samples about the mean path."""
    if not len(covariance):
        return 1.0
    k, own, theirs = _interval(times, t)[0], 1e-18, 1e-18
    for i in range(3):
        own += covariance[k, i, i]
        for n in range(len(samples)):
            theirs += (samples[n, k, i] - mean[k, i]) ** 2 / (len(samples) - 1)
    return own / theirs
