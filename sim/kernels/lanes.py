"""The engine of many balls: LANES of them side by side, each with its own clock; a ball that is done makes room.

A round takes every lane one step ahead:
    integrate      one Runge-Kutta step of all lanes as vectors; its length depends on the ball, never on the frames
    find contacts  lanes whose paths come near a surface, and when they touch it; such a step is made again, to there
    write          the frames that fall into the step, by its quintic
    take           the end of the step is the start of the next, after the contact if there is one
All lanes take the same instructions whatever their neighbours do: a ball's flight is the same to the bit in any batch
and on any thread.
"""

from typing import NamedTuple

import numpy as np

from ballcast.sim.jit import inlined, kernel
from ballcast.sim.kernels.borrowed import borrowed
from ballcast.sim.kernels.compiled_sport import LaneSport
from ballcast.sim.kernels.contact import SLIDING, onto_surface, touches
from ballcast.sim.kernels.frame_block import MAX_FRAMES as CHUNK
from ballcast.sim.kernels.lane_contacts import apply_contact, end_special_steps, find_contacts, is_on_edge, new_pairs
from ballcast.sim.kernels.lane_frames import write_positions, write_velocity_and_spin
from ballcast.sim.kernels.lane_rows import (
    BALL,
    BALLS_PER_ROW,
    BUFFER_SIZE,
    BUSY_LANES,
    CONTACT_COUNT,
    CONTACT_STEP,
    CONTACTS_FOUND,
    EXACT_SIZE,
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
    SPIN,
    STEP,
    STEP_SCALE,
    SUPPORT,
    SUPPORTED,
    TIME_ROW,
    TOO_LONG,
    VELOCITY,
    set_start,
    start_at_set_end,
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
    task = borrowed(task)  # numba counts references on every look into a tuple of arrays
    sport, aero, boxes = task.lane_sport
    owned = _new_state(boxes.dtype), new_pairs(len(boxes))
    (s, exact, m, clock, listed), pairs = borrowed(owned)
    m[NEXT_BALL, 0], m[BUSY_LANES, 0] = first, LANES
    m[BALLS_PER_ROW, 0] = max(len(task.launches) // len(task.times), 1)
    for i in range(LANES):
        s[VELOCITY * LANES + i] = s[STEP_SCALE * LANES + i] = 1  # an idle lane computes with harmless numbers
        s[CONTACT_STEP * LANES + i] = TOO_LONG
        _load_next_ball(task, s, exact, m, clock, i, last)
    has_new = True
    while m[BUSY_LANES, 0] > 0:
        integrate_lanes(sport.drag_model, aero, s, has_new)
        end_special_steps(sport, task.launches, s, exact, m, listed)
        judge_steps(aero, s)
        trace_paths(aero, s)
        find_contacts(sport, boxes, s, exact, m, pairs)
        count = _write_frames(task, s, m, clock, listed)
        take_steps(aero, s, exact)
        for q in range(count):
            i = listed[q] & LAST_LANE
            if s[MODE * LANES + i] > FLYING:
                start_at_set_end(s, exact, i)
            if m[FRAME, i] >= task.counts[m[BALL, i]]:  # nothing after the last frame counts
                _load_next_ball(task, s, exact, m, clock, i, last)
            elif stops_at_edges and _stops_here(task, s, exact, m, i):
                _load_next_ball(task, s, exact, m, clock, i, last)
            else:
                _go_on(task, s, exact, m, clock, i)
        has_new = count > 0
    return owned[0][2][CONTACTS_FOUND, 0]  # what is borrowed lives no longer than its owner


@inlined
def _new_state(dtype):
    """Rows of numbers in the lanes' precision, exact ones, whole ones; clocks (s); room for a list of lanes."""
    integers, clock = np.zeros((INT_ROWS, LANES), np.int64), np.zeros(LANES)
    return np.zeros(BUFFER_SIZE, dtype), np.zeros(EXACT_SIZE), integers, clock, np.zeros(LANES + 1, np.int64)


@inlined
def _write_frames(task, s, m, clock, listed):
    """Write the frames that fall into the steps that count; list the lanes that cannot just fly on, return how many."""
    n, frame_capacity = literals(s[0]), task.times.shape[1] - CHUNK
    taken_count, count = 0, 0
    for i in range(LANES):  # without branches: which lanes it will be cannot be foreseen
        listed[taken_count] = i
        taken_count += s[IS_TAKEN * LANES + i] > n.half
    for q in range(taken_count):
        i = listed[q] & LAST_LANE
        b, t, k = m[BALL, i], clock[i], m[FRAME, i]
        end, base = t + s[STEP * LANES + i], b * frame_capacity * 3
        frames = task.times, m[TIME_ROW, i], k, task.counts[b], base
        frame = write_positions(s, i, (t, end), frames, task.position)
        if task.velocity.size > 0:
            write_velocity_and_spin(s, i, (t, end), frames, task.velocity, task.spin)
        clock[i], m[FRAME, i] = end, frame
        listed[count] = i
        count += (frame >= task.counts[b]) | (s[MODE * LANES + i] > FLYING)
    return count


@inlined
def _stops_here(task, s, exact, m, i):
    """Whether the ball of lane i touches an edge: then its status says so."""
    surface = m[MET, i]
    if surface == IN_FLIGHT or surface == m[SUPPORT, i]:
        return False
    is_at_edge = is_on_edge(task.lane_sport.sport, step_start(s, exact, i).position, surface)
    if is_at_edge:
        task.status[m[BALL, i]] = AT_EDGE
    return is_at_edge


@inlined
def _go_on(task, s, exact, m, clock, i):
    """Have a lane go on after a step that ended at a contact, or on a surface."""
    surface = m[MET, i]
    if surface == IN_FLIGHT:  # it grazed, or is past the edge of what it rolled on
        m[SUPPORT, i] = IN_FLIGHT
    elif surface != m[SUPPORT, i]:
        apply_contact(task, surface, s, exact, m, i, clock[i])
    _set_mode(s, m, i)


@inlined
def _set_mode(s, m, i):
    """Have lane i fly or roll."""
    m[MET, i] = m[SUPPORT, i]
    s[MODE * LANES + i] = SUPPORTED if m[SUPPORT, i] >= 0 else FLYING
    s[CONTACT_STEP * LANES + i], s[IS_NEW * LANES + i] = TOO_LONG, 1


@kernel
def _load_next_ball(task, s, exact, m, clock, i, last):
    """Put the next ball into lane i, if there is one; what it touches and does not leave is a contact at t = 0."""
    b, sport = m[NEXT_BALL, 0], task.lane_sport.sport
    if b >= last:
        s[MODE * LANES + i], m[SUPPORT, i], m[MET, i] = IDLE, IN_FLIGHT, IN_FLIGHT
        m[BUSY_LANES, 0] -= 1
        return
    m[NEXT_BALL, 0], m[TIME_ROW, i] = b + 1, b // m[BALLS_PER_ROW, 0]
    launch = task.launches[b]
    for k in range(LAUNCH_SIZE):
        s[k * LANES + i] = launch[k]
    set_start(s, exact, POSITION, i, onto_surface(sport, (launch[0], launch[1], launch[2])))
    set_start(s, exact, VELOCITY, i, (launch[3], launch[4], launch[5]))
    set_start(s, exact, SPIN, i, (launch[6], launch[7], launch[8]))
    clock[i], s[STEP_SCALE * LANES + i], task.status[b] = 0.0, 1, FINE
    m[BALL, i], m[FRAME, i], m[SUPPORT, i], m[PHASE, i], m[CONTACT_COUNT, i] = b, 0, IN_FLIGHT, SLIDING, 0
    for j in range(len(sport.surfaces)):
        if touches(sport.surfaces[j], step_start(s, exact, i)):
            apply_contact(task, j, s, exact, m, i, 0.0)
    _set_mode(s, m, i)
