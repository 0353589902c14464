"""What cameras saw of balls, as suites: simulated, recorded sets, or a user's own files; and where the balls were.

suite.positions(rows, times)           # where balls were: never given to a predictor
suite.bounces()                        # when they first landed

pixel_sources.py makes suites. The truth is the true flight of a simulated ball, else a Track of the same ball on the
same clock, or nothing. Then forecasts are scored in the image alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ballcast import sim
from ballcast.evaluation.pixel_limits import PixelTruth
from ballcast.evaluation.suites import Suite
from ballcast.models.predictors.physics import Physics
from ballcast.tracks import (
    Camera,
    Track,
    recorded_landings,
)

MAX_GAP = 0.05  # s: between frames of the truth farther apart than this, the ball's place is not known
MIN_SHARED = 0.5  # of the pixels' time that the truth must cover
Rigs = Callable[[int], Sequence[sim.PixelSensor]]  # from the number of a ball to the cameras that see it


@dataclass(frozen=True, eq=False)
class PixelSuite(Suite):
    """PixelTracks (B,) of one sport. `balls` are SeenBalls for simulated ones."""

    balls: Any = None
    truth: tuple[Track, ...] | None = None  # (B,) where recorded balls were, on the clock of their pixels
    noise: float | None = None  # px, of recorded pixels, if it is known: then the limit `informed` can be asked for

    @property
    def has_space(self) -> bool:
        """Whether it is known where the balls were in space."""
        return self.balls is not None or self.truth is not None

    @property
    def has_limit(self) -> bool:
        """Whether the limit `informed` can be asked for."""
        return self.balls is not None or (self.truth is not None and self.noise is not None)

    def flight(self, rows: np.ndarray, times: np.ndarray) -> sim.Flight:
        """The true Flight of simulated balls `rows` (N,) at times (N, T) s, in the sport's frame, as cameras are."""
        b = self.balls
        launch = b.launch_position[rows], b.launch_velocity[rows], b.launch_spin[rows]
        return sim.simulate(b.sport, *launch, times, b.parameters[rows])

    def positions(self, rows: np.ndarray, times: np.ndarray) -> np.ndarray:
        """Where balls `rows` (N,) were at times (N, H) s, (N, H, 3) m; NaN where it is not known."""
        found = np.full((*times.shape, 3), np.nan)
        for n, i in enumerate(rows):
            known = ~np.isnan(times[n])
            if self.balls is not None and known.any():
                moments, which = np.unique(times[n, known], return_inverse=True)
                found[n, known] = self.flight(np.array([i]), moments[None]).position[0][which]
            elif self.truth is not None:
                found[n, known] = between_frames(self.truth[i], times[n, known])
        return found

    def bounces(self) -> np.ndarray:
        """When each ball (B,) first lands, s; infinite if it does not, or if that is not known."""
        first = np.full(len(self.tracks), np.inf)
        if self.balls is not None:
            ends = np.full((len(first), 1), self.sport.sensor.duration)
            impacts = self.flight(np.arange(len(first)), ends).impacts
            landed = np.isin(impacts.surface, self.sport.landing_surfaces)
            np.minimum.at(first, impacts.ball[landed], impacts.time[landed])
        surfaces = [surface for surface in self.sport.surfaces if surface.landing]
        for i, track in enumerate(self.truth or ()):
            when, _ = recorded_landings(track, surfaces, self.sport.ball.radius)
            first[i] = when[0] if len(when) else np.inf
        return first

    def truth_of(self, i: int) -> PixelTruth:
        """What the limit is given of ball i."""
        if self.balls is None:
            cameras, (x, time) = tuple(self.tracks[i].cameras), self._fitted(i)
            return PixelTruth(x, cameras, np.zeros(len(cameras)), float(self.noise or 0.0), time=time)
        b, sensors = self.balls, self.balls.pixels.sensors[i]
        launch = b.launch_position[i], b.launch_velocity[i], b.launch_spin[i]
        parameters = np.log(b.parameters[i, :4]), b.parameters[i, 4:], [0.0]
        diameters = [s.diameter_noise for s in sensors if s.diameter_noise >= 0.0]
        return PixelTruth(
            np.concatenate([*launch, *parameters]), tuple(Camera(*sensor.lens) for sensor in sensors),
            np.array([s.clock_offset for s in sensors]), self._true_noise(i),
            diameter_noise=diameters[0] if diameters else 0.5,
            diameter_scale=np.array([s.diameter_scale for s in sensors]), outlier=max(s.outlier for s in sensors),
        )  # fmt: skip

    def _true_noise(self, i):
        """Standard deviation, px, of the pixels of simulated ball i: of the detector, stamps and streaks."""
        found, rows = self.balls.pixels, slice(*self.balls.pixels.offsets[i : i + 2])
        variances = []
        for c, sensor in enumerate(found.sensors[i]):
            own = found.camera[rows] == c
            if own.any():
                by_point = Camera(*sensor.lens).jacobian(found.truth_position[rows][own])
                velocity = np.einsum("nij,nj->ni", by_point, found.truth_velocity[rows][own])
                along = np.hypot(sensor.blur_noise * sensor.exposure, sensor.jitter) * np.linalg.norm(velocity, axis=1)
                variances += list(sensor.noise**2 + 0.5 * along**2)
        return float(np.sqrt(np.nanmean(variances))) if variances else 1.0

    def _fitted(self, i):
        """The unknowns (16,) of a recorded ball, and the time (s) that they are of, by the fit of its whole track in
        space."""
        physics, track = Physics(self.sport), self.truth[i]
        fit, first = physics.fit(track.time, track.position, physics.prior.mean, False, physics.prior)
        x = fit.x.copy()
        x[2], x[-1] = x[2] + x[-1], 0.0
        return x, float(track.time[first])


def between_frames(track: Track, times: np.ndarray) -> np.ndarray:
    """Positions (H, 3) m at times (H,) s, on straight lines between frames; NaN where the frames are too far apart."""
    after = np.searchsorted(track.time, times)
    known = (after > 0) & (after < len(track)) | np.isin(times, track.time)
    after = np.clip(after, 1, len(track) - 1)
    gap = track.time[after] - track.time[after - 1]
    share = np.where(known & (gap <= MAX_GAP), (times - track.time[after - 1]) / gap, np.nan)[:, None]
    return track.position[after - 1] + share * (track.position[after] - track.position[after - 1])
