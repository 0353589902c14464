"""draw: endless seeded balls, as a tracker measures them and, if asked, as cameras see them.

balls = draw(sport, 1000, seed=0, purpose="train")                              # Balls, see dataset.py
balls = draw(sport, 1000, cameras=random_cameras(sport, 2))                     # SeenBalls: balls.pixels, see pixels.py
"""

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, overload

import numpy as np
from numpy.typing import ArrayLike

from ballcast.sim import dataset
from ballcast.sim.dataset import Balls
from ballcast.sim.engine import on_gpu
from ballcast.sim.pixels import Cameras, Pixels, see_flights

if TYPE_CHECKING:
    from ballcast.sim.sport import Sport


@dataclass(frozen=True)
class SeenBalls(Balls):
    """Balls that cameras saw, too."""

    pixels: Pixels  # of the same balls; in the sport's frame, not in those of the trackers


@overload
def draw(sport: "Sport", count: int, first: int = 0, seed: int = 0, purpose: str = "train", *,
         cameras: None = None, rate: float | None = None, duration: float | None = None, wind: ArrayLike = (0.0, 0.0),
         launch_state: ArrayLike | None = None, place: int | None = None,
         device: str = "cpu") -> Balls: ...  # fmt: skip


@overload
def draw(sport: "Sport", count: int, first: int = 0, seed: int = 0, purpose: str = "train", *,
         cameras: Cameras, rate: float | None = None, duration: float | None = None, wind: ArrayLike = (0.0, 0.0),
         launch_state: ArrayLike | None = None, place: int | None = None,
         device: str = "cpu") -> SeenBalls: ...  # fmt: skip


def draw(sport: "Sport", count: int, first: int = 0, seed: int = 0, purpose: str = "train", *,
         cameras: Cameras | None = None, rate: float | None = None, duration: float | None = None,
         wind: ArrayLike = (0.0, 0.0), launch_state: ArrayLike | None = None,
         place: int | None = None, device: str = "cpu") -> Balls:  # fmt: skip
    """Balls `first` to `first + count` of the set (purpose, seed), as a tracker measures them for `duration` seconds.

    purpose is one of rng.PURPOSES; `train` draws the frame rate of each ball, the others take the sensor's. rate (Hz)
    and duration (s) override the sport's. wind (2,) m/s is added to that of each ball; launch_state (3, 3), a position
    (m), velocity (m/s) and spin (rad/s), replaces play's launches. Every ball is of a place of its own (a table, a
    hall, a day), unless they all are of the `place` of that number.

    cameras: those that see all balls (PixelSensor, or tracks.Camera, which is then taken with the usual numbers), or a
    function from the number of a ball to its own. The result is then SeenBalls, with `pixels`.

    Ball i depends on (purpose, seed, i) alone, its parameters and its sensor not even on how it is launched, its track
    not on cameras, and the pixels of one camera not on the others. ValueError says what is wrong.

    device "cuda": on a GPU (see `simulate`). The same balls; all arrays are there, positions, velocities and spins in
    float32. Cameras are not: ValueError.
    """
    if on_gpu(device):
        from ballcast.sim.cuda.dataset import draw_balls  # here: importing it asks for numba-cuda, and takes a second

        if cameras is not None:
            raise ValueError("device 'cuda' draws no pixels: leave out cameras, or draw on the device 'cpu'")
        setting = dataset.checked_setting(sport, count, first, seed, purpose, rate=rate, duration=duration, wind=wind,
                                          launch_state=launch_state, place=place)  # fmt: skip
        return draw_balls(sport, setting, count, first)
    balls = dataset.draw(sport, count, first, seed, purpose, rate=rate, duration=duration, wind=wind,
                         launch_state=launch_state, place=place)  # fmt: skip
    if cameras is None:
        return balls
    launches = np.hstack([balls.launch_position, balls.launch_velocity, balls.launch_spin, balls.parameters])
    pixels = see_flights(sport, launches, cameras, duration or sport.sensor.duration, first, seed, purpose)
    return SeenBalls(**{field.name: getattr(balls, field.name) for field in fields(balls)}, pixels=pixels)
