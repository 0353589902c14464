"""What a tracker sees of a flight: frame times, time-stamp jitter, noise, outliers, missed frames.

Every track draws its own sensor (rate, noise of each axis, jitter, rate and pattern of misses, outliers) and keeps it.
A frame is exposed a little before or after its stamp; what is measured is where the ball is then.
"""

import math
from collections import namedtuple

import numpy as np
from ballcast.sim.jit import exact
from ballcast.sim.rng import normal, uniform

# what a track's sensor is, and how sensors differ
Drawn = namedtuple("Drawn", "rate noise_x noise_y noise_z jitter miss run_low run_high outlier")
CLEAR = 0.4  # of a frame's interval: an exposure never comes further from its stamp, so exposures keep their order


def ranges(sensor, rate, training):
    """Numbers for `draw_sensor`: low and high of the rate, then noise, jitter, bursts, outliers; and the miss rates."""
    low, high = (rate, rate) if rate else sensor.train_rate if training else (sensor.rate, sensor.rate)
    burst, outlier = sensor.burst, sensor.outlier
    row = (low, high, *sensor.noise, *sensor.jitter, burst.share, *burst.run, outlier.share, *outlier.rate)
    return np.array([*row, *outlier.size]), np.array(sensor.miss)


@exact
def draw_sensor(stream, row, misses):
    """The sensor of one track."""
    rate = row[0] + (row[1] - row[0]) * uniform(stream)
    spread = row[3] - row[2]
    x, y, z = row[2] + spread * uniform(stream), row[2] + spread * uniform(stream), row[2] + spread * uniform(stream)
    jitter = row[4] + (row[5] - row[4]) * uniform(stream)
    miss = misses[min(int(uniform(stream) * len(misses)), len(misses) - 1)]
    runs = uniform(stream) < row[6]
    outlier = uniform(stream) < row[9]
    share = row[10] + (row[11] - row[10]) * uniform(stream)
    return Drawn(
        rate, x, y, z, jitter, miss, row[7] if runs else 1.0, row[8] if runs else 1.0, share if outlier else 0.0
    )


@exact
def frames(stream, d, duration, stamps, exposures):
    """Fill stamps and exposures (s) of one track, which starts within a frame of the launch; the number of frames."""
    phase, count = uniform(stream), int(duration * d.rate)
    for k in range(count):
        stamps[k] = (k + phase) / d.rate
        late = d.jitter * normal(stream)
        limit = min(CLEAR / d.rate, stamps[k])
        exposures[k] = stamps[k] + min(max(late, -limit), CLEAR / d.rate)
    return count


@exact
def see(stream, d, row, count, exposed, seen, kept):
    """Fill seen (T, 3) m from positions at the exposures, and which of the frames are kept; the number kept."""
    run = 0.5 * (d.run_low + d.run_high)
    begin = d.miss / (d.miss + (1.0 - d.miss) * run)  # so that the share of misses is d.miss
    gone, total = 0, 0
    for k in range(count):
        seen[k, 0] = exposed[k, 0] + d.noise_x * normal(stream)
        seen[k, 1] = exposed[k, 1] + d.noise_y * normal(stream)
        seen[k, 2] = exposed[k, 2] + d.noise_z * normal(stream)
        if gone == 0 and uniform(stream) < begin:
            gone = int(d.run_low + (d.run_high - d.run_low + 1.0) * uniform(stream))
        if d.outlier > 0.0 and uniform(stream) < d.outlier:
            size = row[12] + (row[13] - row[12]) * uniform(stream)
            z, angle = 2.0 * uniform(stream) - 1.0, 2.0 * math.pi * uniform(stream)
            level = math.sqrt(1.0 - z * z)
            seen[k, 0] += size * level * math.cos(angle)
            seen[k, 1] += size * level * math.sin(angle)
            seen[k, 2] += size * z
        kept[k] = gone == 0
        total += kept[k]
        gone = max(gone - 1, 0)
    return total
