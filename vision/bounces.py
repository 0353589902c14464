"""Which bends of a ball's path are bounces and which are hits; where it bounced, and how fast before and after.

    happenings = find_happenings(times, pixels, (1280, 720))                      # in the picture alone
    happenings = find_happenings(times, pixels, (1280, 720), sport, camera_at)    # on the table or court

With a camera, a bend is a bounce if the ball, as it is seen there, lies on a surface of the sport that balls land on,
comes down to it and goes up from it. That its place is known makes its speed known: the flights before and after begin
there, under gravity and drag. Without a camera a bounce is a bend upwards that does not turn the ball round.
"""

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ballcast import sim
from ballcast.vision.arcs import Kink, find_arcs, find_kinks

if TYPE_CHECKING:
    from ballcast.sim.sport import Sport
    from ballcast.tracks.camera import Camera

FITTED = 0.2  # s before and after a bounce from which its speeds are found
FEWEST, FEWEST_ON_GROUND = 2, 4  # frames of them, on each side: on a table, and where any place can be the bounce
PIXEL_NOISE = 3.0  # px, standard deviation: of detections, and of flights with spin, which is left out
USUAL = (0.8, 0.8, -0.75), 0.15, 0.5  # what a bounce leaves of a velocity across and along the ground and up; by how
# much that may be off, over the speed before, and in m/s at the smallest; half of it upwards
BORDER = 0.06, 0.08  # m, and of the size of a surface: how far beyond its edge a bounce is still believed
FASTEST = 90.0  # m/s; a bend that needs more is no bounce
VERTICAL, RISE = 0.15, 2.0  # m/s down before and up after, at the smallest; up over down, at the largest
LEVEL, ALONG = 1.5, 0.3  # m/s, from which on a ball keeps its direction over the ground: cosine of the angle
MISFIT = 2.0  # root mean square of what differs from USUAL, at the largest, on the ground
FITTED_FRAMES, SAME = 6, (0.05, 0.5)  # frames of a flight that is fitted whole; s and m within which it is that bounce
FASTER = 1.25  # speed after over that before, at the largest
SIDEWAYS = 0.7  # without a camera: of a bounce's change of velocity, how much may be across
TURNED = -0.5  # cosine of the angle between before and after, below which a ball was hit back
GRAVITY = 9.81  # m/s^2

CameraAt = Callable[[float], "Camera | None"]


class Happening(NamedTuple):
    """A hit or a bounce."""

    time: float  # s
    kind: str  # "hit" or "bounce"
    pixel: np.ndarray  # (2,) px
    place: np.ndarray | None  # (3,) m, of the ball's centre; None without a camera, and of hits
    speed_before: float  # m/s with a camera and of a bounce, else px/s
    speed_after: float


class Contact(NamedTuple):
    """A bounce in space."""

    place: np.ndarray  # (3,) m
    before: np.ndarray  # (3,) m/s
    after: np.ndarray


def find_happenings(
    times: np.ndarray, pixels: np.ndarray, size: Sequence[int], sport: "Sport | None" = None,
    camera_at: CameraAt | None = None,
) -> list[Happening]:  # fmt: skip
    """Hits and bounces of the path of one ball: times (N,) s, pixels (N, 2) px, NaN where it is not seen.

    size: of the picture, px. sport, camera_at: both, for bounces in space.
    """
    height = float(min(size))
    arcs = find_arcs(times, pixels, height)
    interval = float(np.median(np.diff(times))) if len(times) > 1 else 0.04
    found = []
    for kink in find_kinks(arcs, height, interval):
        ends = arcs[kink.arcs[0]].first, arcs[kink.arcs[1]].last
        rows = np.arange(ends[0], ends[1] + 1)
        rows = rows[np.isfinite(pixels[rows]).all(axis=1)]
        contact = None
        if sport is not None and camera_at is not None and camera_at(kink.time) is not None:
            contact = find_contact(kink, times[rows], pixels[rows], sport, camera_at)
            found.append(_in_space(kink, contact))
        else:
            found.append(_in_picture(kink))
    return found


def refined(
    happenings: "list[Happening]", times: np.ndarray, pixels: np.ndarray, sport: "Sport", camera: "Camera"
) -> "list[Happening]":
    """The happenings, with bounces as the fit of whole flights between hits knows them (fitted_bounces.py), with spin.

    times (N,) s, pixels (N, 2) px, NaN where the ball is not seen; the camera stands still. A bounce that the fit puts
    elsewhere, or does not have, stays as it is.
    """
    from ballcast.tracks.pixel_track import PixelTrack
    from ballcast.vision.fitted_bounces import find_bounces

    hits = np.array([event.time for event in happenings if event.kind == "hit"])
    seen = np.flatnonzero(np.isfinite(pixels).all(axis=1))
    flights, fits = np.searchsorted(hits, times[seen]), []
    bounced = {int(np.searchsorted(hits, event.time)) for event in happenings if event.kind == "bounce"}
    for flight in sorted(bounced):
        rows = seen[flights == flight]
        if len(rows) >= FITTED_FRAMES:
            track = PixelTrack(times[rows], pixels[rows], np.zeros(len(rows), int), [camera])
            fits += find_bounces(sport, track, rows.astype(float))
    found = []
    for event in happenings:
        near = [fit for fit in fits if abs(fit.time - event.time) < SAME[0] and event.kind == "bounce"]
        near = [fit for fit in near if event.place is None or np.linalg.norm(fit.place - event.place) < SAME[1]]
        if near:
            fit = min(near, key=lambda one: abs(one.time - event.time))
            event = Happening(fit.time, "bounce", fit.pixel, fit.place, fit.speed_before, fit.speed_after)
        found.append(event)
    return found


def _in_space(kink, contact):
    speeds = (kink.before, kink.after) if contact is None else (contact.before, contact.after)
    before, after = (float(np.linalg.norm(speed)) for speed in speeds)
    kind, place = ("hit", None) if contact is None else ("bounce", contact.place)
    return Happening(kink.time, kind, kink.pixel, place, before, after)


def _in_picture(kink: Kink) -> Happening:
    """Whether a bend is a bounce, by its looks: upwards, and not back."""
    change = kink.after - kink.before
    before, after = (float(np.hypot(*speed)) for speed in (kink.before, kink.after))
    cosine = float(kink.before @ kink.after) / max(before * after, 1e-9)
    is_up = change[1] < 0.0 and abs(change[0]) < SIDEWAYS * abs(change[1])
    is_back = cosine < TURNED and after > 0.95 * before
    kind = "bounce" if is_up and not is_back and after < 1.25 * before else "hit"
    return Happening(kink.time, kind, kink.pixel, None, before, after)


def find_contact(
    kink: Kink, times: np.ndarray, pixels: np.ndarray, sport: "Sport", camera_at: CameraAt
) -> Contact | None:
    """The bounce on a surface that a bend is; None if it is none. times (N,) s, pixels (N, 2) px round it."""
    camera = camera_at(kink.time)
    assert camera is not None
    origin, ray = camera.rays(kink.pixel)
    is_near, is_after = np.abs(times - kink.time) < FITTED, times > kink.time
    frames = min((is_near & ~is_after).sum(), (is_near & is_after).sum())
    if not np.isfinite(ray).all() or frames < FEWEST:
        return None
    for height, low, high in landing_areas(sport):
        up = height + sport.ball.radius - origin[2]
        if not ray[2] * up > 0.0:
            continue
        place = origin + ray * (up / ray[2])
        border = BORDER[0] + BORDER[1] * np.minimum(high - low, 20.0)
        if ((place[:2] < low - border) | (place[:2] > high + border)).any():
            continue
        found = velocities_at(place, kink.time, times[is_near], pixels[is_near], sport, camera_at)
        is_table = bool(np.isfinite(low).all())
        looks_right = is_table and _in_picture(kink).kind == "bounce"
        if found is not None and (
            looks_right or (_is_bounce(*found) and (is_table or (frames >= FEWEST_ON_GROUND and _is_usual(*found))))
        ):
            return Contact(place, *found)
    return None


def velocities_at(
    place: np.ndarray, time: float, times: np.ndarray, pixels: np.ndarray, sport: "Sport", camera_at: CameraAt
) -> tuple[np.ndarray, np.ndarray] | None:
    """The velocities (3,) m/s before and after a bounce at a place (3,) m and a time, from pixels (N, 2) round it.

    Least squares of the angles to the rays of the pixels; gravity and drag bend the flights. Pixels say little about
    motion along the line of sight, so a weak assumption about bounces joins the two: USUAL. None without a solution.
    """
    cameras = [camera_at(t) for t in times]
    velocities, pull = np.zeros((2, 3)), np.array([0.0, 0.0, -GRAVITY])
    for _ in range(4):
        rows, right = _assumption(velocities)
        for t, pixel, camera in zip(times, pixels, cameras):
            if camera is None:
                continue
            side, s = int(t > time), t - time
            brake = drag_of(sport) * min(float(np.linalg.norm(velocities[side])), FASTEST) * velocities[side]
            origin, ray = camera.rays(pixel)
            offset = place + 0.5 * (pull - brake) * s * s - origin
            depth = max(float(ray @ (offset + velocities[side] * s)), 0.1)
            across = (np.eye(3) - np.outer(ray, ray)) * float(camera.K[0, 0]) / (depth * PIXEL_NOISE)
            rows.append(np.concatenate([across * s * (side == 0), across * s * (side == 1)], axis=1))
            right.append(-across @ offset)
        left, wanted = np.concatenate(rows), np.concatenate(right)
        if not (np.isfinite(left).all() and np.isfinite(wanted).all()):
            return None
        velocities = np.linalg.lstsq(left, wanted)[0].reshape(2, 3)
    return velocities[0], velocities[1]


def _assumption(velocities):
    """Rows of the least squares that say how bounces usually are: what of a velocity is left, and how sure that is."""
    weights = np.diag(1.0 / _spread_of(velocities[0]))
    rows = [np.concatenate([-weights * np.array(USUAL[0]), weights], axis=1), np.eye(6) / FASTEST]
    return rows, [np.zeros(3), np.zeros(6)]


def _spread_of(before):
    """How far (3,) m/s the velocity after a bounce may be from what is usual, standard deviation."""
    return np.maximum(USUAL[1] * np.linalg.norm(before), USUAL[2]) * np.array([1.0, 1.0, 0.5])


def _is_usual(before, after):
    """Whether a bounce on the ground leaves what is usual: a hit above it, taken for a bounce, seldom does."""
    off = (after - np.array(USUAL[0]) * before) / _spread_of(before)
    return float((off**2).mean()) <= MISFIT**2


@functools.lru_cache(32)
def drag_of(sport: "Sport") -> float:
    """How strongly air brakes a ball of a sport without spin, 1/m: deceleration over the square of the speed."""
    speed, step = 12.0, 2e-3
    high = np.array([[0.0, 0.0, 40.0]]) if sport.strokes else np.array([[0.0, 0.0, 100.0]])
    flight = sim.simulate(sport, high, np.array([[0.0, speed, 0.0]]), np.zeros((1, 3)), [0.0, step])
    assert flight.velocity is not None
    return max(0.0, float(speed - flight.velocity[0, 1, 1]) / (step * speed**2))


def landing_areas(sport: "Sport") -> list[tuple[float, np.ndarray, np.ndarray]]:
    """Height, and low and high ends (2,) in x and y, of what balls land on; the highest first."""
    found = []
    for k in sport.landing_surfaces:
        surface = sport.surfaces[k]
        if surface.low[2] == surface.high[2]:
            found.append((float(surface.low[2]), np.array(surface.low[:2], float), np.array(surface.high[:2], float)))
    return sorted(found, key=lambda area: -area[0])


def _is_bounce(before, after):
    """Whether velocities (3,) m/s before and after can be those of a bounce on something level."""
    speeds = float(np.linalg.norm(before)), float(np.linalg.norm(after))
    if not (np.isfinite(before).all() and np.isfinite(after).all()) or max(speeds) > FASTEST:
        return False
    level = float(np.hypot(*before[:2])), float(np.hypot(*after[:2]))
    keeps_on = min(level) < LEVEL or float(before[:2] @ after[:2]) > ALONG * level[0] * level[1]
    falls = before[2] < -VERTICAL and VERTICAL < after[2] < -RISE * before[2] + VERTICAL
    return bool(keeps_on and falls and speeds[1] < FASTER * speeds[0])
