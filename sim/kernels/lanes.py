"""The engine of many balls: LANES of them side by side, each with its own clock; a ball that is done makes room.

A round takes every lane one step ahead:
    integrate      one Runge-Kutta step of all lanes as vectors; its length depends on the ball, never on the frames
    broad phase    which lanes come near a surface: the box around the quintic's control points against each surface
    narrow phase   of those alone: the exact moment of the contact, and the step again to that moment
    write          the frames that fall into the step, by its quintic
    commit         the end of the step is the start of the next, after the contact if there is one
What is done ball by ball is that of flight.py. State is rows of lanes in one flat array, so that the compiler sees that
rows do not overlap. All lanes take the same instructions whatever their neighbours do: a ball's flight is the same to
the bit in any batch and on any thread.
"""

from typing import NamedTuple

import numpy as np

from ballcast.sim.jit import inlined, kernel
from ballcast.sim.kernels.borrowed import borrowed
from ballcast.sim.kernels.compiled_sport import LaneSport
from ballcast.sim.kernels.contact import SLIDING, onto_surface, touches
from ballcast.sim.kernels.lane_contacts import apply_contact, end_special_steps, find_contacts, is_on_edge, new_pairs
from ballcast.sim.kernels.lane_frames import write_positions, write_velocity_and_spin
from ballcast.sim.kernels.lane_rows import (
    BALL,
    BALLS_PER_ROW,
    BUFFER_SIZE,
    BUSY_LANES,
    CHUNK,
    CONTACT_COUNT,
    CONTACT_STEP,
    CONTACTS_FOUND,
    FLYING,
    FRAME,
    IDLE,
    INT_ROWS,
    IS_NEW,
    IS_TAKEN,
    LANES,
    LAST_LANE,
    MET,
    MODE,
    NEXT_BALL,
    PHASE,
    POSITION,
    STEP,
    STEP_SCALE,
    SUPPORT,
    SUPPORTED,
    TIME_ROW,
    TOO_LONG,
    VELOCITY,
    read_vector,
    set_vector,
    step_start,
)
from ballcast.sim.kernels.lane_steps import integrate_lanes, judge_steps, take_steps, trace_paths
from ballcast.sim.kernels.layout import AT_EDGE, FINE, IN_FLIGHT, LAUNCH_SIZE
from ballcast.sim.kernels.literals import literals


class LaneTask(NamedTuple):
    """What a run of the lanes works on."""

    lane_sport: LaneSport
    launches: np.ndarray  # (B, LAUNCH_SIZE)
    times: np.ndarray  # (N, T + CHUNK) s, inf from T on: each row is of B / N balls that follow one another
    counts: np.ndarray  # (B,) how many of the times are asked for
    position: np.ndarray  # flat (B T 3) m, in the lanes' precision: written
    velocity: np.ndarray  # (B, T, 3) m/s, or empty: written
    spin: np.ndarray  # (B, T, 3) rad/s, or empty: written
    status: np.ndarray  # (B,) FINE, LAID_TO_REST or AT_EDGE: written
    contacts: np.ndarray  # (N,) CONTACT_DTYPE: the first N of all balls are written


@kernel
def fly_lanes(task, first, last, stops_at_edges):
    """Fly balls first..last of a LaneTask to their last frame; how many contacts there were.

    stops_at_edges: end flights at the first contact with an edge, a rod or a ring, with status AT_EDGE.
    """
    # unpacked once: numba counts references on every look into a tuple of arrays
    lane_sport, launches, times, counts, out, velocity, spin, status, contacts = borrowed(task)
    sport, aero, boxes = lane_sport
    frame_capacity, n, has_new = times.shape[1] - CHUNK, literals(aero.gravity), True
    owned = np.zeros(BUFFER_SIZE, out.dtype), np.zeros((INT_ROWS, LANES), np.int64), np.zeros(LANES), new_pairs(len(boxes))
    s, m, clock, pairs = borrowed(owned)
    listed = pairs.listed
    flying, idle = s.dtype.type(FLYING), s.dtype.type(IDLE)
    m[NEXT_BALL, 0], m[BUSY_LANES, 0], m[BALLS_PER_ROW, 0] = first, LANES, max(len(launches) // len(times), 1)
    for i in range(LANES):
        s[VELOCITY * LANES + i] = s[STEP_SCALE * LANES + i] = 1  # an idle lane computes with harmless numbers
        s[CONTACT_STEP * LANES + i] = TOO_LONG
        _load_next_ball(sport, launches, status, contacts, s, m, clock, i, last)
    while m[BUSY_LANES, 0] > 0:
        integrate_lanes(sport.drag_model, aero, s, has_new)
        end_special_steps(sport, launches, s, m, listed)
        judge_steps(aero, s, flying, idle)
        trace_paths(aero, s)
        find_contacts(sport, boxes, s, m, pairs)
        taken_count, ready_count = 0, 0
        for i in range(LANES):  # without branches: which lanes it will be cannot be foreseen
            listed[taken_count] = i
            taken_count += s[IS_TAKEN * LANES + i] > n.half
        for q in range(taken_count):
            i = listed[q] & LAST_LANE
            b, t, k, row = m[BALL, i], clock[i], m[FRAME, i], m[TIME_ROW, i]
            end = t + s[STEP * LANES + i]
            base = b * frame_capacity * 3
            frame = write_positions(n, s, i, t, end, times, row, k, out, base, counts[b])
            if velocity.size > 0:
                inverse = n.one / (s[STEP * LANES + i] + n.tiny)
                write_velocity_and_spin(inverse, s, i, t, end, times, row, k, velocity, spin, base, counts[b])
            clock[i], m[FRAME, i] = end, frame
            listed[ready_count] = i
            ready_count += (frame >= counts[b]) | (s[MODE * LANES + i] > flying)
        take_steps(aero, s)
        has_new = ready_count > 0
        for q in range(ready_count):
            i = listed[q] & LAST_LANE
            b = m[BALL, i]
            is_done = m[FRAME, i] >= counts[b]  # nothing after the last frame counts
            if stops_at_edges and not is_done and m[MET, i] != m[SUPPORT, i] and m[MET, i] != IN_FLIGHT:
                is_done = is_on_edge(sport, read_vector(s, POSITION, i), m[MET, i])
                status[b] = AT_EDGE if is_done else status[b]
            if is_done:
                _load_next_ball(sport, launches, status, contacts, s, m, clock, i, last)
            else:
                _go_on(sport, launches, status, contacts, s, m, clock, i)
    return owned[1][CONTACTS_FOUND, 0]  # borrowed arrays live no longer than their owners


@inlined
def _go_on(sport, launches, status, contacts, s, m, clock, i):
    """Have a lane go on after a step that ended at a contact, or on a surface."""
    surface = m[MET, i]
    if surface == IN_FLIGHT:  # it grazed, or is past the edge of what it rolled on
        m[SUPPORT, i] = IN_FLIGHT
    elif surface != m[SUPPORT, i]:
        apply_contact(sport, launches, status, contacts, surface, s, m, i, clock[i])
    _set_mode(s, m, i)


@inlined
def _set_mode(s, m, i):
    """Have lane i fly or roll."""
    m[MET, i] = m[SUPPORT, i]
    s[MODE * LANES + i] = SUPPORTED if m[SUPPORT, i] >= 0 else FLYING
    s[CONTACT_STEP * LANES + i], s[IS_NEW * LANES + i] = TOO_LONG, 1


@kernel
def _load_next_ball(sport, launches, status, contacts, s, m, clock, i, last):
    """Put the next ball into lane i, if there is one; what it touches and does not leave is a contact at t = 0."""
    b = m[NEXT_BALL, 0]
    if b >= last:
        s[MODE * LANES + i], m[SUPPORT, i], m[MET, i] = IDLE, IN_FLIGHT, IN_FLIGHT
        m[BUSY_LANES, 0] -= 1
        return
    m[NEXT_BALL, 0], m[TIME_ROW, i] = b + 1, b // m[BALLS_PER_ROW, 0]
    for k in range(LAUNCH_SIZE):
        s[k * LANES + i] = launches[b, k]
    set_vector(s, POSITION, i, onto_surface(sport, read_vector(s, POSITION, i)))
    clock[i], s[STEP_SCALE * LANES + i], status[b] = 0.0, 1, FINE
    m[BALL, i], m[FRAME, i], m[SUPPORT, i], m[PHASE, i], m[CONTACT_COUNT, i] = b, 0, IN_FLIGHT, SLIDING, 0
    for j in range(len(sport.surfaces)):
        if touches(sport.surfaces[j], step_start(s, i)):
            apply_contact(sport, launches, status, contacts, j, s, m, i, 0.0)
    _set_mode(s, m, i)
