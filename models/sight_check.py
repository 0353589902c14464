"""Whether cameras look at where balls of a sport fly: a wrong pose is the most common mistake with pixels.

check_sight(sport, cameras, "cameras.yaml")     # ValueError, one line
"""

from collections.abc import Sequence

import numpy as np

from ballcast import sim
from ballcast.tracks import Camera

BALLS, DURATION = 64, 1.0  # flights that are looked at, and for how long, s
MEANING = "a point X in the sport's frame is at R X + t in the camera's, z forwards"


def check_sight(sport: sim.Sport, cameras: Sequence[Camera], where: str) -> None:
    """ValueError, one line that begins with `where`, if a camera sees none of the balls that the sport launches."""
    points = sim.draw(sport, BALLS, purpose="play", duration=DURATION).truth_position
    for camera in cameras:
        if camera.sees(points).any():
            continue
        depth = points @ camera.R[2] + camera.t[2]
        how = "they fly behind it" if np.median(depth) <= 0.0 else "they fly outside its image"
        what = f"camera {camera.name!r} sees no ball of {sport.name}: {how}"
        raise ValueError(f"{where}: {what}; check the sport, and R and t: {MEANING}")
