"""Where the lanes' paths first touch a surface, and the balls after it.

Nearly every contact is with a face alone: a root of one polynomial in one axis. Such pairs of lane and surface are
gathered and solved side by side; only paths near edges, rings and the like go to the search of one ball (detection.py).
A step that meets a surface is not taken: the lane makes it again, up to the contact, in the next round.
"""

import math
from typing import NamedTuple

import numpy as np

from ballcast.sim.jit import inlined, kernel
from ballcast.sim.kernels.contact import CONTACT_TOLERANCE, RESTING, after_contact, gap_and_normal, note_contact
from ballcast.sim.kernels.detection import MIN_ADVANCE, SIMULTANEITY_TOLERANCE, face_axis, first_contact
from ballcast.sim.kernels.flight import onto_contact, rolling_step
from ballcast.sim.kernels.lane_numbers import where
from ballcast.sim.kernels.lane_rows import (
    ACCELERATION,
    BALL,
    BOX_HIGH,
    BOX_LOW,
    CONTACT_COUNT,
    CONTACT_STEP,
    CONTACTS_FOUND,
    CURVE,
    CURVE_SIZE,
    FLYING,
    FRICTION,
    IS_TAKEN,
    LANES,
    LAST_LANE,
    MEETING,
    MET,
    MODE,
    NEAR,
    PHASE,
    POSITION,
    SPIN,
    STEP,
    SUPPORT,
    VELOCITY,
    lane_parameters,
    read_exact,
    read_number,
    read_vector,
    set_start,
    set_step_end,
    set_vector,
    step_end,
    step_start,
)
from ballcast.sim.kernels.lane_steps import mark_near
from ballcast.sim.kernels.layout import IN_FLIGHT, LAID_TO_REST
from ballcast.sim.kernels.quintic import quintic_coefficients

MAX_CONTACTS_SIMULATED = 5000  # of one ball: one that is wedged and hops without end is laid to rest
BLOCK = 16  # pairs of lanes and faces that are solved at once
GAP, RATE, ROOT, FACE_ROWS = 0, 1, 6, 7  # of a block: the gaps at the start, the coefficients 1 to 5, the answers
FREE, UNDECIDED = 2.0, -1.0  # answers that are no fraction of the step
NEWTON_STEPS = 4
ABOVE = -2  # in place of an axis: over the face throughout


class Pairs(NamedTuple):
    """Pairs of a lane and a surface that it may touch, and the lanes' first contacts."""

    lane: np.ndarray  # (P,), some more than there are lanes times surfaces
    surface: np.ndarray  # (P,)
    axis: np.ndarray  # (P,) ABOVE, or another number where the lane's path may leave the face
    faces: np.ndarray  # (P / BLOCK, FACE_ROWS BLOCK)
    time: np.ndarray  # (LANES,) s in the step, of the first contact; UNDECIDED where the search of one ball must say
    met: np.ndarray  # (LANES,) the surface, or IN_FLIGHT


@inlined
def new_pairs(surface_count):
    """Room for Pairs of so many surfaces."""
    blocks = LANES * surface_count // BLOCK + 1
    lane, surface, axis = np.zeros((3, blocks * BLOCK), np.int64)
    return Pairs(lane, surface, axis, np.zeros((blocks, FACE_ROWS * BLOCK)), np.zeros(LANES), np.zeros(LANES, np.int64))


@inlined
def end_special_steps(sport, launches, s, exact, m, lanes):
    """The ends of the steps of lanes that are not in free flight: at a contact, or on a surface."""
    count = 0
    for i in range(LANES):  # without branches: which lanes it will be cannot be foreseen
        lanes[count] = i
        count += s[MODE * LANES + i] > FLYING
    for q in range(count):
        i = lanes[q] & LAST_LANE
        if m[SUPPORT, i] >= 0:
            _roll(sport, launches[m[BALL, i], FRICTION], s, exact, m, i)
        else:
            end, h, m[MET, i] = onto_contact(sport, step_end(s, exact, i), read_number(s, STEP, i), m[MET, i])
            set_step_end(s, exact, i, end, h)


@kernel
def _roll(sport, friction_factor, s, exact, m, i):
    """A step of a lane whose ball is on a surface; MET: the surface met, IN_FLIGHT at the edge, or what supports it."""
    start, end, h, m[MET, i], m[PHASE, i] = rolling_step(
        sport, friction_factor, step_start(s, exact, i), m[SUPPORT, i], m[PHASE, i]
    )
    set_step_end(s, exact, i, end, h)
    set_vector(s, ACCELERATION, i, start.acceleration)


@inlined
def find_contacts(sport, boxes, s, exact, m, pairs):
    """Look for the first contacts of flying lanes; a lane that has one makes its step again, up to there.

    boxes (S, 6): of the surfaces, grown by the ball's reach, in the lanes' precision.
    """
    count = 0
    for j in range(len(boxes)):
        mark_near(s, boxes, j)
        first = count
        for i in range(LANES):
            pairs.lane[count] = i
            count += s[NEAR * LANES + i] > 0.5
        pairs.surface[first:count] = j
    for q in range(count):
        _gather(sport, s, exact, pairs, q)
    for block in range((count + BLOCK - 1) // BLOCK):
        _solve(pairs.faces[block])
    for q in range(count):
        _choose(sport, s, pairs, q)
    for q in range(count):
        i = pairs.lane[q] & LAST_LANE
        if pairs.time[i] == UNDECIDED:
            pairs.time[i], pairs.met[i] = _search(sport, s, exact, i)
        if pairs.time[i] < s[STEP * LANES + i]:
            # a path that grazes at its very start moves on; a true contact there is stepped back to
            s[CONTACT_STEP * LANES + i], m[MET, i] = max(pairs.time[i], MIN_ADVANCE), pairs.met[i]
            s[MODE * LANES + i], s[IS_TAKEN * LANES + i] = MEETING, 0


@inlined
def _gather(sport, s, exact, pairs, q):
    """Fill pair q: how the gap between the lane's ball and the surface's plane changes; NaN if that decides nothing."""
    i, surface = pairs.lane[q] & LAST_LANE, sport.surfaces[pairs.surface[q]]
    face, place = pairs.faces[q // BLOCK], q % BLOCK
    axis, is_above = face_axis(surface, read_vector(s, BOX_LOW, i), read_vector(s, BOX_HIGH, i))
    row, is_flat = max(axis, 0), axis >= 0
    pairs.time[i], pairs.met[i], pairs.axis[q] = math.inf, IN_FLIGHT, ABOVE if is_above else axis
    gap = read_exact(s, exact, row, i) - surface["low"][row]
    side = 1.0 if gap > 0.0 else -1.0
    gap = side * gap - surface["contact_distance"]
    face[place] = gap if is_flat and (is_above or gap > CONTACT_TOLERANCE) else math.nan
    for k in range(CURVE_SIZE):
        face[(RATE + k) * BLOCK + place] = side * read_number(s, CURVE + CURVE_SIZE * row + k, i)


@inlined
def _solve(face):
    """When the gaps of a block close: fractions of the step, FREE or UNDECIDED.

    Where a gap is concave it has one root at most: one that is open at both ends stays open, else Newton's method from
    above cannot run away.
    """
    for q in range(BLOCK):
        c = face[q], face[BLOCK + q], face[2 * BLOCK + q], face[3 * BLOCK + q], face[4 * BLOCK + q], face[5 * BLOCK + q]
        is_concave = 2.0 * c[2] + 6.0 * abs(c[3]) + 12.0 * abs(c[4]) + 20.0 * abs(c[5]) < 0.0
        root = math.sqrt(max(c[1] * c[1] - 4.0 * c[2] * max(c[0], 0.0), 0.0))
        f = min((c[1] + root) / (1e-12 - 2.0 * c[2]), 1.0)  # the parabola's
        for _ in range(NEWTON_STEPS):
            f = min(max(f - _gap(c, f) / _gap_rate(c, f), 0.0), 1.0)
        is_root = (abs(_gap(c, f)) <= CONTACT_TOLERANCE) & (_gap_rate(c, f) < 0.0)
        f = where((c[0] <= CONTACT_TOLERANCE) & (c[1] < 0.0), 0.0, where(is_root, f, UNDECIDED))
        f = where(c[0] + c[1] + c[2] + c[3] + c[4] + c[5] >= -CONTACT_TOLERANCE, FREE, f)
        face[ROOT * BLOCK + q] = where(is_concave & (f == f), f, UNDECIDED)


@inlined
def _gap(c, f):
    return c[0] + f * (c[1] + f * (c[2] + f * (c[3] + f * (c[4] + f * c[5]))))


@inlined
def _gap_rate(c, f):
    return c[1] + f * (2.0 * c[2] + f * (3.0 * c[3] + f * (4.0 * c[4] + f * 5.0 * c[5])))


@inlined
def _choose(sport, s, pairs, q):
    """Note the contact of pair q, if there is one, where it is the lane's first.

    A ball cannot touch a face before its plane. Of contacts at the same moment the first surface of the list wins.
    """
    i, f = pairs.lane[q] & LAST_LANE, pairs.faces[q // BLOCK, ROOT * BLOCK + q % BLOCK]
    if f == FREE:
        return
    t = f * read_number(s, STEP, i)
    if f == UNDECIDED or (pairs.axis[q] != ABOVE and not _is_over(sport.surfaces[pairs.surface[q]], s, i, f)):
        pairs.time[i] = UNDECIDED
    elif t < pairs.time[i] - SIMULTANEITY_TOLERANCE:
        pairs.time[i], pairs.met[i] = t, pairs.surface[q]


@inlined
def _is_over(surface, s, i, f):
    """Whether the ball of lane i is over a face, not beyond its edges, at the fraction f of the step."""
    is_over = True
    for k in range(3):
        row = CURVE + CURVE_SIZE * k
        p, c1, c2 = read_number(s, POSITION + k, i), read_number(s, row, i), read_number(s, row + 1, i)
        c3, c4, c5 = read_number(s, row + 2, i), read_number(s, row + 3, i), read_number(s, row + 4, i)
        x = p + f * (c1 + f * (c2 + f * (c3 + f * (c4 + f * c5))))
        is_flat = surface["low"][k] == surface["high"][k]
        is_over &= is_flat | ((surface["low"][k] <= x) & (x <= surface["high"][k]))
    return is_over


@kernel
def _search(sport, s, exact, i):
    """(time, surface) of the lane's first contact, by the search of one ball."""
    h, start = read_number(s, STEP, i), step_start(s, exact, i)
    bounds = (read_vector(s, BOX_LOW, i), read_vector(s, BOX_HIGH, i))
    path = start, quintic_coefficients(start, step_end(s, exact, i), h), h
    return first_contact(sport.surfaces, sport.boxes, IN_FLIGHT, bounds, *path)


@inlined
def is_on_edge(sport, position, surface):
    """Whether a ball at that position touches an edge, a rod or a ring, not a face."""
    _, n = gap_and_normal(position, sport.surfaces[surface])
    return max(max(abs(n[0]), abs(n[1])), abs(n[2])) < 1.0 - 1e-14  # a face's normal may err by rounding


@inlined
def apply_contact(task, surface, s, exact, m, i, t):
    """Take the lane's ball through contact with a surface, and note the contact."""
    sport, b, before = task.lane_sport.sport, m[BALL, i], step_start(s, exact, i)
    velocity, spin, m[SUPPORT, i], m[PHASE, i], _ = after_contact(
        sport, lane_parameters(task.launches, b, s, i), before, surface, m[SUPPORT, i], m[PHASE, i]
    )
    note_contact(task.contacts, m[CONTACTS_FOUND, 0], b, surface, t, before, velocity, spin)
    m[CONTACTS_FOUND, 0] += 1
    m[CONTACT_COUNT, i] += 1
    if m[CONTACT_COUNT, i] > MAX_CONTACTS_SIMULATED:
        m[SUPPORT, i], m[PHASE, i], task.status[b] = surface, RESTING, LAID_TO_REST
        velocity = spin = (0.0, 0.0, 0.0)
    set_start(s, exact, VELOCITY, i, velocity)
    set_start(s, exact, SPIN, i, spin)
