"""Networks that say the future themselves: place and spread on a grid of horizons, and the next landing.

What they say stands beside the running filter's own forecast, in its standard deviations; `mlp`, which has no filter,
says it beside a straight line.
"""

from collections import namedtuple

import numpy as np
from ballcast.models.contract import Forecast, Landing
from ballcast.models.encoding.decoding import landing_of, path_of
from ballcast.models.encoding.nominal import KNOTS, SEEN, both, shown, spot_of
from ballcast.models.estimation.fit import SIZE
from ballcast.models.predictors.neural import Neural
from ballcast.models.runtime.network import believe, foresee
from ballcast.sim.jit import kernel

# of B balls at H times: mean (B, H, 3) m, covariance (B, H, 3, 3), probability of a landing (B,), its time (s from the
# last frame) and place (B, 4), their covariance (B, 4, 4)
Paths = namedtuple("Paths", "mean covariance probability landing landing_covariance")
# what a path is told in, beside the baseline: mean and scale (KNOTS, 3), widening (KNOTS,); of the landing (4,), (4,),
# one number; numbers of the belief that the path's head reads
Measure = namedtuple("Measure", "mean scale widen landing_mean landing_scale landing_widen beliefs")


class Direct(Neural):
    """The network itself says the future."""

    def __init__(self, sport, path=None):
        super().__init__(sport, path)
        t, widen = self.tensors, self.info.get("widen", {})
        scale = (np.where(np.isfinite(t[name]), t[name], 0.0) for name in ("path_scale", "landing_scale"))
        self.measure = Measure(
            t["path_mean"], next(scale), np.array(widen.get("path", np.ones(KNOTS))), t["landing_mean"], next(scale),
            float(widen.get("landing", 1.0)), 2 * self.info["shape"]["unknowns"],
        )  # fmt: skip

    def blank(self, count, asked):
        spaces = (count, asked, 3), (count, asked, 3, 3), (count,), (count, 4), (count, 4, 4)
        return Paths(*map(np.empty, spaces))

    def ahead(self, watch, rows, times, out):
        state = watch.h[rows], watch.x[rows], watch.raw[rows], watch.memories[rows]
        paths(self.brain, self.eye.kind, self.eye.place, self.landing, self.measure, *state, times, out)

    def said(self, ahead, n, last):
        landing = None
        if ahead.probability[n] >= 0.5:
            at = ahead.landing[n]
            landing = Landing(last + at[0], at[1:], ahead.landing_covariance[n], float(ahead.probability[n]))
        return Forecast(ahead.mean[n], ahead.covariance[n], landing=landing)


@kernel
def paths(brain, kind, place, landing, measure, h, x, raw, memories, times, out):
    """The Paths, into out, of balls with memories h (B, H), features x (B, F), at times (B, H) s ahead."""
    count, asked = times.shape
    mean, covariance, probability, landings, spread = out
    beliefs = np.empty((count, 0), np.float32)
    if measure.beliefs:
        beliefs = np.ascontiguousarray(believe(brain, x, h)[:, : measure.beliefs])
    spots, sds, wheres, units = (
        np.empty((count, SIZE)),
        np.empty((count, 3, 3)),
        np.empty((count, 4)),
        np.empty((count, 4)),
    )
    places, knots, seen = np.empty((count, asked, 3)), np.empty((KNOTS, 3)), np.empty((count, SEEN))
    for b in range(count):
        spot_of(kind, memories[b], raw[b], spots[b], sds[b])
        both(kind, place, landing, spots[b], sds[b], times[b], places[b], knots, wheres[b], units[b])
        shown(knots, wheres[b], spots[b], seen[b])
    told = foresee(brain, x, h, seen, beliefs).astype(np.float64)
    for b in range(count):
        beside = told[b], measure.mean, measure.scale, measure.widen, sds[b], times[b], places[b]
        mean[b], covariance[b] = path_of(*beside)
        beside = told[b], measure.landing_mean, measure.landing_scale, measure.landing_widen, wheres[b], units[b]
        probability[b], landings[b], spread[b] = landing_of(*beside)


class Gru(Direct):
    name = "gru"


class Lstm(Direct):
    name = "lstm"


class Rnn(Direct):
    name = "rnn"


class MinGru(Direct):
    """Gates that see the frame alone, so that it is trained on all frames at once."""

    name = "mingru"


class Transformer(Direct):
    """Attention to the last frames, known by their times."""

    name = "transformer"


class Mlp(Direct):
    """Feed-forward on the last frames: no memory of what was before them."""

    name = "mlp"
