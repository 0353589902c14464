"""How well cameras and what tracks the ball in their images are known."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np


@dataclass(frozen=True, eq=False)
class CameraModel:
    """How well cameras and their trackers are known: standard deviations.

    Most cameras are known to a pixel, a few are off by a degree: turn, shift and focal length are `scales` times as
    uncertain as is usual, each with its share. A ball, and more so several, show which it is.
    """

    noise: float = 2.0  # px, usual, of a pixel's coordinates
    diameter_noise: float = 0.7  # px, usual
    noise_range: tuple[float, float] = (0.25, 5.0)  # factors of these
    pseudo_frames: float = 5.0  # that these count for
    outlier_rate: float = 0.01  # fraction of the frames
    turn: float = 4.0  # px by which a turn of the camera moves its image
    shift: float = 0.01  # m, displaced
    focal: float = 0.008  # fraction of the focal length
    clock: float = 0.005  # s between the clocks of two cameras
    scales: tuple[float, ...] = (0.3, 1.0, 3.0)
    scale_shares: tuple[float, ...] = (0.45, 0.35, 0.2)  # of cameras
    far_turn: float = 0.005  # rad, of those of the last scale, where that is more: a mount gives way by an angle
    angle: float = 0.0  # rad: no turn is known better
    learned: tuple[np.ndarray, np.ndarray] | None = None  # from balls before: mean (8 C,), covariance (8 C, 8 C)
    taught: tuple["CameraModel", ...] = ()  # of each scale, with its own scale_shares, from balls before

    def alternatives(self, cameras: int = 1) -> tuple["CameraModel", ...]:
        """The CameraModels (Q) of one scale each, of which one is right. Several cameras are as is usual: where they
        agree, none is far off, and what they leave open is where all of them are."""
        return self._all if cameras == 1 else tuple(a for a in self._all if a.scales[0] == 1.0)

    def likeliest(self, cameras: int = 1) -> "CameraModel":
        """The likeliest of the alternatives, where the narrowest ones do not count: a fit starts from it."""
        return max((a for a in self.alternatives(cameras) if a.scales[0] >= 1.0), key=lambda a: a.scale_shares[0])

    @cached_property
    def _all(self):
        return self.taught or tuple(map(self._of_scale, self.scales, self.scale_shares))

    def _of_scale(self, scale: float, share: float) -> "CameraModel":
        wide = replace(self, turn=scale * self.turn, shift=scale * self.shift, focal=scale * self.focal)
        angle = self.far_turn if scale == self.scales[-1] > 1.0 else 0.0
        return replace(wide, scales=(scale,), scale_shares=(share,), angle=angle)
