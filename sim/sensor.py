"""What a tracker sees of a flight: frame times, time-stamp jitter, noise, outliers, missed frames.

Every track draws its own sensor (rate, noise of each axis, jitter, rate and pattern of misses, outliers) and keeps it.
A frame is exposed a little before or after its stamp; what is measured is where the ball is then.
"""

import math
from collections import namedtuple

import numpy as np

from ballcast.sim.jit import strict
from ballcast.sim.rng import normal, uniform

# what a track's sensor is, and how sensors differ
TrackSensor = namedtuple("TrackSensor", "rate noise_x noise_y noise_z jitter miss run_low run_high outlier")
MAX_EXPOSURE_OFFSET = 0.4  # of the frame interval, from time stamp to exposure: so exposures keep their order


def sensor_ranges(sensor, rate, training):
    """Numbers for `draw_sensor`: low and high of the rate, then noise, jitter, bursts, outliers; and the miss rates."""
    low, high = (rate, rate) if rate else sensor.train_rate if training else (sensor.rate, sensor.rate)
    burst, outlier = sensor.burst, sensor.outlier
    row = (low, high, *sensor.noise, *sensor.jitter, burst.share, *burst.run, outlier.share, *outlier.rate)
    return np.array([*row, *outlier.size]), np.array(sensor.miss)


@strict
def draw_sensor(stream, row, misses):
    """The sensor of one track."""
    rate = row[0] + (row[1] - row[0]) * uniform(stream)
    spread = row[3] - row[2]
    x, y, z = row[2] + spread * uniform(stream), row[2] + spread * uniform(stream), row[2] + spread * uniform(stream)
    jitter = row[4] + (row[5] - row[4]) * uniform(stream)
    miss = misses[min(int(uniform(stream) * len(misses)), len(misses) - 1)]
    has_bursts = uniform(stream) < row[6]
    has_outliers = uniform(stream) < row[9]
    outlier_rate = row[10] + (row[11] - row[10]) * uniform(stream)
    return TrackSensor(
        rate,
        x,
        y,
        z,
        jitter,
        miss,
        row[7] if has_bursts else 1.0,
        row[8] if has_bursts else 1.0,
        outlier_rate if has_outliers else 0.0,
    )


@strict
def draw_frame_times(stream, sensor, duration, stamps, exposures):
    """Fill stamps and exposures (s) of one track, which starts within a frame of the launch; the number of frames."""
    phase, count = uniform(stream), int(duration * sensor.rate)
    for k in range(count):
        stamps[k] = (k + phase) / sensor.rate
        offset = sensor.jitter * normal(stream)
        limit = min(MAX_EXPOSURE_OFFSET / sensor.rate, stamps[k])
        exposures[k] = stamps[k] + min(max(offset, -limit), MAX_EXPOSURE_OFFSET / sensor.rate)
    return count


@strict
def measure(stream, sensor, row, count, exposed_position, measured_position, is_observed):
    """Fill seen (T, 3) m from positions at the exposures, and which of the frames are kept; the number kept."""
    burst_length = 0.5 * (sensor.run_low + sensor.run_high)
    # the expected fraction of missed frames is then sensor.miss
    dropout_rate = sensor.miss / (sensor.miss + (1.0 - sensor.miss) * burst_length)
    frames_missing, total = 0, 0
    for k in range(count):
        measured_position[k, 0] = exposed_position[k, 0] + sensor.noise_x * normal(stream)
        measured_position[k, 1] = exposed_position[k, 1] + sensor.noise_y * normal(stream)
        measured_position[k, 2] = exposed_position[k, 2] + sensor.noise_z * normal(stream)
        if frames_missing == 0 and uniform(stream) < dropout_rate:
            frames_missing = int(sensor.run_low + (sensor.run_high - sensor.run_low + 1.0) * uniform(stream))
        if sensor.outlier > 0.0 and uniform(stream) < sensor.outlier:
            size = row[12] + (row[13] - row[12]) * uniform(stream)
            z, angle = 2.0 * uniform(stream) - 1.0, 2.0 * math.pi * uniform(stream)
            level = math.sqrt(1.0 - z * z)
            measured_position[k, 0] += size * level * math.cos(angle)
            measured_position[k, 1] += size * level * math.sin(angle)
            measured_position[k, 2] += size * z
        is_observed[k] = frames_missing == 0
        total += is_observed[k]
        frames_missing = max(frames_missing - 1, 0)
    return total
