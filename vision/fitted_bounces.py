"""Bounces of a flight: when and where the ball touched what play lands on, how fast before and after.

    for bounce in find_bounces(sport, track, numbers):       # track: PixelTrack of one ball; numbers (T,) of its frames
        print(bounce.frame, bounce.place, bounce.speed_before, bounce.speed_after)

The flight is fitted as a whole, by the fit of `physics`: frames after a bounce say where it was.
"""

from typing import NamedTuple

import numpy as np

from ballcast import models, sim
from ballcast.models.estimation.pixel_mixture import fit_last_flight
from ballcast.models.estimation.unknowns import UNKNOWNS, to_belief
from ballcast.models.predictors.physics import Physics
from ballcast.sim import Sport
from ballcast.sim.kernels.compiled_sport import compile_sport
from ballcast.tracks.pixel_track import PixelTrack

MIN_FRAMES = 3  # of a flight that can be fitted


class Bounce(NamedTuple):
    """A contact of the ball with a surface on which balls land."""

    flight: int  # its number
    frame: float  # with fractions
    time: float  # s
    place: np.ndarray  # (3,) m, of the ball's centre
    velocity_before: np.ndarray  # (3,) m/s
    velocity_after: np.ndarray  # (3,) m/s
    pixel: np.ndarray  # (2,) px, where the camera of the track sees it

    @property
    def speed_before(self) -> float:
        """m/s."""
        return float(np.linalg.norm(self.velocity_before))

    @property
    def speed_after(self) -> float:
        """m/s."""
        return float(np.linalg.norm(self.velocity_after))


def find_bounces(sport: Sport, track: PixelTrack, numbers: np.ndarray, flight: int = 0) -> list[Bounce]:
    """The Bounces of a PixelTrack of one ball and one camera. numbers (T,): those of its frames; flight: its number.

    After a hit another flight begins: the track is fitted from its end, flight by flight.
    """
    predictor = models.load("physics", sport=sport)
    assert isinstance(predictor, Physics)
    found, end = [], len(track)
    while end >= MIN_FRAMES:
        part = track[:end]
        mixture, first = fit_last_flight(sport, compile_sport(sport), part, predictor.pixels.model)
        found = _contacts(sport, track[first:end], numbers[first:end], mixture, flight) + found
        if first == 0:
            break
        end = first
    return found


def _contacts(sport, track, numbers, mixture, flight):
    """The Bounces of a track that is one flight, whose PixelMixture is known."""
    x = mixture.fits[0].x[:UNKNOWNS]
    start = to_belief(x, np.zeros((UNKNOWNS, UNKNOWNS)))
    end = np.array([0.0, float(track.time[-1]) - mixture.epoch])
    state = start.position[None], start.velocity[None], start.spin[None]
    impacts = sim.simulate(sport, *state, end, start.parameters[None]).impacts
    found = []
    for k in range(len(impacts)):
        if impacts.surface[k] in sport.landing_surfaces:
            time, place = mixture.epoch + float(impacts.time[k]), impacts.position[k]
            speeds = impacts.velocity_before[k], impacts.velocity_after[k]
            frame = float(np.interp(time, track.time, numbers))
            found.append(Bounce(flight, frame, time, place, *speeds, track.cameras[0].project(place)))
    return found
