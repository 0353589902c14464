"""What a camera's detector reports of a ball, frame by frame: exposures, streaks, noise, borders, what hides the ball.

Compiled; pixels.py calls it for many balls at once, and says what is simulated.
"""

import math

import numpy as np

from ballcast.sim.jit import strict
from ballcast.sim.pixel_sensor import project
from ballcast.sim.rng import normal, seed_stream, uniform

STREAMS = 8  # apart in `purpose` are the streams of one ball's cameras; 0 is that of the ball itself
MAX_CAMERAS = 1 << 20  # the streams of triggers come after those of so many cameras
MAX_JITTER = 0.4  # of the frame interval: so the stamps of a camera keep their order
NEAR_SHARE, NEAR_DISTANCE = 0.5, (5.0, 150.0)  # of the false detections are so near the ball, px (e)
FALSE_DIAMETER = (0.4, 2.0)  # of a false detection over the ball's (e)
MIN_DIAMETER = 0.1  # of the true one, that is measured
FRAME_DTYPE = np.dtype(
    [("ball", "i8"), ("camera", "i8"), ("time", "f8"), ("exposed", "f8"), ("pixel", "f8", 2), ("diameter", "f8")]
    + [("position", "f8", 3), ("velocity", "f8", 3), ("is_false", "?")]
)
OCCLUDER_DTYPE = np.dtype([("low", "f8", 3), ("high", "f8", 3), ("axis", "i8"), ("is_net", "?")])


@strict
def _seed(stream, purpose, seed, number, which):
    """The stream of a ball's camera or trigger `which`."""
    seed_stream(stream, purpose + STREAMS * (1 + which), seed, number)


@strict
def draw_exposures(purpose, seed, first, k, rows, sensors, duration, capacity, times, counts):
    """Fill the middles of the exposures (s) of camera k of the balls `rows`, and how many there are, 1 to capacity.

    Where they begin within a frame interval is drawn: by the camera, or by its trigger for all of its cameras.
    """
    stream = np.empty(4, np.uint64)
    for n in range(len(rows)):
        b, sensor = rows[n], sensors[n]
        which = k if sensor["trigger"] < 0 else MAX_CAMERAS + sensor["trigger"]
        _seed(stream, purpose, seed, first + b, which)
        phase, rate = uniform(stream), sensor["rate"]
        counts[b] = min(int(max(duration * rate - phase, 0.0)) + 1, capacity)
        for i in range(counts[b]):
            times[b, i] = (i + phase) / rate


@strict
def measure_pixels(purpose, seed, first, k, rows, sensors, occluders, radius, times, counts, position, velocity, out):
    """Fill the frames `out`, FRAME_DTYPE, in which camera k reports something of the balls `rows`; their number."""
    stream, total = np.empty(4, np.uint64), 0
    for n in range(len(rows)):
        b, sensor = rows[n], sensors[n]
        _seed(stream, purpose, seed, first + b, k)
        uniform(stream)  # the phase
        burst, missing = sensor["burst"], 0
        starts = sensor["miss"] / (sensor["miss"] + (1.0 - sensor["miss"]) * (0.5 * (burst[0] + burst[1])))
        for i in range(counts[b]):
            jitter = sensor["jitter"] * normal(stream) * sensor["rate"]
            jitter = min(max(jitter, -MAX_JITTER), MAX_JITTER) / sensor["rate"]
            if missing == 0 and uniform(stream) < starts:
                missing = int(burst[0] + (burst[1] - burst[0] + 1.0) * uniform(stream))
            frame = out[total]
            is_seen = _see_ball(stream, sensor, occluders, radius, position[b, i], velocity[b, i], frame)
            is_seen, missing = is_seen and missing == 0, max(missing - 1, 0)
            is_false = uniform(stream) < sensor["outlier"] and _see_something_else(stream, sensor, radius, frame)
            if is_seen or is_false:
                frame["ball"], frame["camera"], frame["is_false"] = b, k, is_false
                frame["exposed"], frame["time"] = times[b, i], times[b, i] + sensor["clock_offset"] + jitter
                for j in range(3):
                    frame["position"][j], frame["velocity"][j] = position[b, i, j], velocity[b, i, j]
                total += 1
    return total


@strict
def _see_ball(stream, sensor, occluders, radius, x, v, frame):
    """Fill the measured pixel and diameter of a ball at x (3,) m with velocity v (3,); whether the camera sees it.

    The pixel is NaN where the camera has no picture of it.
    """
    half, pixel, size = 0.5 * sensor["exposure"], frame["pixel"], sensor["size"]
    u0, v0, _ = project(sensor, x[0] - half * v[0], x[1] - half * v[1], x[2] - half * v[2])
    u1, v1, _ = project(sensor, x[0] + half * v[0], x[1] + half * v[1], x[2] + half * v[2])
    pixel[0], pixel[1] = 0.5 * (u0 + u1), 0.5 * (v0 + v1)
    is_inside = -0.5 <= pixel[0] <= size[0] - 0.5 and -0.5 <= pixel[1] <= size[1] - 0.5
    frame["diameter"] = _diameter(sensor, radius, x)
    if not is_inside or _is_hidden(stream, sensor, occluders, x):
        return False
    along = sensor["blur_noise"] * normal(stream)
    pixel[0] += sensor["noise"] * normal(stream) + along * (u1 - u0)
    pixel[1] += sensor["noise"] * normal(stream) + along * (v1 - v0)
    measured = sensor["diameter_scale"] * frame["diameter"] + sensor["diameter_noise"] * normal(stream)
    frame["diameter"] = max(measured, MIN_DIAMETER * frame["diameter"]) if sensor["diameter_noise"] >= 0.0 else math.nan
    return True


@strict
def _see_something_else(stream, sensor, radius, frame):
    """Fill the pixel and diameter of a false detection, near the ball or anywhere; whether it is in the image."""
    pixel, size, is_near = frame["pixel"], sensor["size"], uniform(stream) < NEAR_SHARE
    if is_near and pixel[0] == pixel[0]:
        distance = NEAR_DISTANCE[0] * (NEAR_DISTANCE[1] / NEAR_DISTANCE[0]) ** uniform(stream)
        angle = 2.0 * math.pi * uniform(stream)
        pixel[0] += distance * math.cos(angle)
        pixel[1] += distance * math.sin(angle)
    else:
        for j in range(2):
            pixel[j] = size[j] * uniform(stream) - 0.5
    factor = FALSE_DIAMETER[0] * (FALSE_DIAMETER[1] / FALSE_DIAMETER[0]) ** uniform(stream)
    frame["diameter"] = factor * abs(frame["diameter"]) if sensor["diameter_noise"] >= 0.0 else math.nan
    return -0.5 <= pixel[0] <= size[0] - 0.5 and -0.5 <= pixel[1] <= size[1] - 0.5


@strict
def _diameter(sensor, radius, x):
    """The diameter (px) of the circle of the area of a ball's image, to first order; NaN behind the camera.

    The ball's disc, which faces the camera, is projected by two steps across the line of sight.
    """
    c = sensor["centre"]
    a0, a1, a2 = x[0] - c[0], x[1] - c[1], x[2] - c[2]
    distance = math.sqrt(a0 * a0 + a1 * a1 + a2 * a2)
    a0, a1, a2 = a0 / distance, a1 / distance, a2 / distance
    right = sensor["turn"][0]  # the camera's own axis to the right, made perpendicular to the line of sight
    dot = a0 * right[0] + a1 * right[1] + a2 * right[2]
    b0, b1, b2 = right[0] - dot * a0, right[1] - dot * a1, right[2] - dot * a2
    scale = radius / math.sqrt(b0 * b0 + b1 * b1 + b2 * b2)
    b0, b1, b2 = scale * b0, scale * b1, scale * b2
    d0, d1, d2 = a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, a0 * b1 - a1 * b0
    p0, q0, _ = project(sensor, x[0] + b0, x[1] + b1, x[2] + b2)
    p1, q1, _ = project(sensor, x[0] - b0, x[1] - b1, x[2] - b2)
    p2, q2, _ = project(sensor, x[0] + d0, x[1] + d1, x[2] + d2)
    p3, q3, _ = project(sensor, x[0] - d0, x[1] - d1, x[2] - d2)
    return math.sqrt(abs((p1 - p0) * (q3 - q2) - (p3 - p2) * (q1 - q0)))


@strict
def _is_hidden(stream, sensor, occluders, x):
    """Whether a rectangle lies between the camera and a ball at x (3,) m, and is no net that shows it this time."""
    c = sensor["centre"]
    for s in range(len(occluders)):
        one, axis = occluders[s], occluders[s]["axis"]
        before, after = one["low"][axis] - c[axis], x[axis] - one["low"][axis]
        if before * after > 0.0:
            fraction, is_between = before / (before + after), True
            for j in range(3):
                at = c[j] + fraction * (x[j] - c[j])
                if j != axis and not one["low"][j] <= at <= one["high"][j]:
                    is_between = False
            if is_between and (not one["is_net"] or uniform(stream) < sensor["net"]):
                return True
    return False
