"""What a folder of recordings shares, and how its balls vary: system identification by empirical Bayes.

    found = identify(sport, tracks)            # Identified: numbers with intervals, and the sport with these numbers

Each round fits every track with what is known so far (track_messages.py), asks what all tracks share (population.py),
and changes the sport by it (laws.py). The rounds end when the numbers stay.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from ballcast.models.estimation import population
from ballcast.models.estimation.friction_profile import MAX_TRACKS, Friction, estimate, profile
from ballcast.models.estimation.laws import Change, changed
from ballcast.models.estimation.pooled_noise import Noise, pool
from ballcast.models.estimation.population import Messages, Population
from ballcast.models.estimation.prior import Prior, sport_prior
from ballcast.models.estimation.track_messages import (
    OWN,
    SHARED,
    SHARED_COLUMNS,
    SLOPE_STEP,
    Air,
    TrackFit,
    contacts_of,
    fit_track,
    message,
)
from ballcast.models.estimation.unknowns import HEIGHT
from ballcast.sim.kernels.compiled_sport import compile_sport
from ballcast.sim.kernels.layout import SPIN
from ballcast.sim.sensor import known_frame
from ballcast.sim.sport import Sport
from ballcast.tracks import Track

ROUNDS = 7  # of fits, at most
SETTLED = 0.1  # standard errors: a smaller step of every number ends the rounds
FIRST_HEIGHT_SCALE = 0.02  # m, of Cauchy's law in the first round: a frame may be far too high
# standard deviations of what is shared, where the sport says less: see SHARED
MIN_SDS = np.array([0.25, 0.25, 0.06, 0.3, 0.05, 0.02, 0.007, 0.007])
SPIN_FACTOR = 3.0  # by which the prior of the spin is wider than the sport's: it would pull the lift
MIN_OWN_SD = 1e-3  # of the four factors
# m, s/m, rad: errors of a tracker that last for a whole track look like another height, slope or tilt
OWN_SDS = np.array([0.002, 0.002, 0.001, 0.001])
PSEUDO_BALLS = 3.0  # that the sport's own spread counts for
MAIN_SHARE = 0.1  # of the balls that touch a surface: enough
MAX_BOUNCES = 2  # of a track: later ones are too far from the first frame for a linear fit
CUT_BEFORE = 0.005  # s that a track ends before a contact which does not count
MIN_FRAMES = 8
SEEN_AFTER, MIN_CONTACTS = 0.03, 3  # s that a ball is seen after a contact; tracks: fewer tell nothing of friction
MIN_EXPLAINED = 0.5  # of the frames of a track by one flight; with less it counts nothing
MIN_WEIGHT = 0.3  # tracks that count less are named


class Identified(NamedTuple):
    """What was found."""

    sport: Sport  # with the numbers found; its spreads, sensor and launches are still the old ones
    surface: int  # whose restitution and friction these are
    shared: np.ndarray  # (8,) sums of the changes; logarithms of factors, m, s/m, rad
    population: Population  # of the last round, about the sport
    fits: list[TrackFit]
    prior: Prior  # of the last fits
    friction: Friction | None  # about the sport; None if no track tells of it
    noise: Noise  # of the tracker


def identify(
    sport: Sport, tracks: Sequence[Track], report: Callable[[int, int], None] = lambda done, total: None
) -> Identified:
    """What tracks share; see the module's docstring. `report` is called with fits done and all of them, at most."""
    first, surface, prior = sport, 0, _first_prior(sport)
    shared, step = np.zeros(len(SHARED)), np.zeros(len(SHARED))
    fits: list[TrackFit] = []
    for number in range(ROUNDS + 1):
        air, frame = _air(sport, surface), known_frame(sport.sensor)
        starts = [_moved(fit.fit.x, step) if fit.is_whole else None for fit in fits] or [None] * len(tracks)
        fits = []
        for track, start in zip(tracks, starts, strict=True):
            fits.append(fit_track(air.sport, track, frame, prior, start))
            report(number * len(tracks) + len(fits), (ROUNDS + 1) * len(tracks))
        if number == 0:
            surface, tracks, usable = _cut_tracks(sport, air.sport, tracks, fits)
            continue
        found = _population(air, fits, prior, usable, _population_prior(first, shared))
        step = found.theta.copy()
        is_settled = number > 1 and (np.abs(step) < SETTLED * np.sqrt(np.diag(found.covariance))).all()
        if is_settled or number == ROUNDS:
            break
        sport, shared = changed(sport, _change(step), surface), shared + step
        prior = _next_prior(sport, found)
    friction = _friction(first, air.sport, shared, found, fits, prior)
    if friction:  # it takes the place of the last step's
        step[3] = 0.0
    sport, shared = changed(sport, _change(step), surface), shared + step
    if friction:
        sport = changed(sport, Change(friction=math.exp(friction.middle)), surface)
    usual = [fit for fit, weight in zip(fits, found.weights) if weight >= MIN_WEIGHT] or fits
    return Identified(sport, surface, shared, found, fits, prior, friction, pool(air, usual))


def _population(air, fits, prior, usable, known):
    """The Population of balls by their fits; usable (J,): 0 for tracks that tell nothing."""
    parts = [message(air, fit, prior) for fit in fits]
    messages = Messages(np.array([m.mean for m in parts]), np.array([m.information for m in parts]))
    return population.estimate(messages, known, usable * [float(fit.explained >= MIN_EXPLAINED) for fit in fits])


def _friction(first, compiled, shared, found, fits, prior):
    """The Friction about the sport of the last fits, by the tracks that touch the surface."""
    rows = [j for j, fit in enumerate(fits)
            if fit.fit.first_contact < fit.time[-1] - SEEN_AFTER and found.weights[j] >= MIN_WEIGHT]  # fmt: skip
    if len(rows) < MIN_CONTACTS:
        return None
    rows = [rows[k] for k in np.unique(np.linspace(0, len(rows) - 1, min(len(rows), MAX_TRACKS)).round().astype(int))]
    known = _population_prior(first, shared)
    profiles = [profile(compiled, fits[j], prior) for j in rows]
    return estimate(profiles, np.minimum(found.weights[rows], 1.0), -shared[3], known.sd[3], known.tau[3])


def _air(sport, surface):
    three = (sport, *(changed(sport, Change(slope=step), surface) for step in (-SLOPE_STEP, SLOPE_STEP)))
    return Air(*map(compile_sport, three))


def _change(theta):
    return Change(
        *np.exp(theta[:4]).tolist(),
        slope=float(theta[5]),
        height=float(theta[4]),
        tilt_x=float(theta[6]),
        tilt_y=float(theta[7]),
    )


def _moved(x, theta):
    """Unknowns (16,) about a sport that was changed by theta (8,)."""
    x = x.copy()
    x[SHARED_COLUMNS[:OWN]] -= theta[:OWN]
    return x


def _first_prior(sport):
    return _wide(sport_prior(sport))._replace(height_offset_scale=FIRST_HEIGHT_SCALE)


def _wide(prior):
    """The Prior with a wider spin."""
    precision = prior.precision.copy()
    precision[SPIN, SPIN] /= SPIN_FACTOR**2
    return prior._replace(precision=precision)


def _next_prior(sport, found):
    """The Prior of a ball of this place."""
    prior = _wide(sport_prior(sport))
    mean, precision = prior.mean.copy(), prior.precision.copy()
    mean[HEIGHT] = 0.0  # the frames are in the sport's frame of reference
    for k, column in enumerate(SHARED_COLUMNS[:OWN]):
        precision[column, column] = (found.tau[k] ** 2 + found.covariance[k, k]) ** -1.0
    return prior._replace(mean=mean, precision=precision, height_offset_scale=0.0)


def _population_prior(sport, shared):
    sd = np.maximum(MIN_SDS, np.append(sport.spread.between[:4], np.zeros(4)))
    tau = np.append(np.maximum(sport.spread.own[:4], MIN_OWN_SD), OWN_SDS)
    return population.Prior(-shared, sd, tau, PSEUDO_BALLS)


def _main_surface(sport, contacts):
    """The first surface to land on that enough balls touch; else the one that most do."""
    touched = [surface for c in contacts for surface in set(c["surface"].tolist())]
    counts = np.bincount(touched, minlength=len(sport.surfaces) + 1)
    for surface in sport.landing_surfaces:
        if counts[surface] >= MAIN_SHARE * len(contacts):
            return surface
    return int(np.argmax(counts)) if counts.any() else 0


def _cut_tracks(sport, compiled, tracks, fits):
    """The surface whose numbers are fitted, the tracks until they touch another or bounce MAX_BOUNCES times, and which
    of them (J,) then still tell something."""
    contacts = [contacts_of(compiled, fit) for fit in fits]
    surface = _main_surface(sport, contacts)
    cut = []
    for track, fit, c in zip(tracks, fits, contacts):
        ends = [*c["time"][c["surface"] != surface], *c["time"][c["surface"] == surface][MAX_BOUNCES:], math.inf]
        begin = track.time[-1] - fit.time[-1]
        cut.append(track[(track.time >= begin - 1e-9) & (track.time < begin + min(ends) - CUT_BEFORE)])
    return (
        surface,
        cut,
        np.array([float(len(t) >= MIN_FRAMES and f.explained >= MIN_EXPLAINED) for t, f in zip(cut, fits)]),
    )
