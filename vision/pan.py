"""By how much the picture moves from frame to frame, because the camera pans.

Corners all over the picture are found again in the next frame (Lucas and Kanade's optical flow, of OpenCV); the median
of their motions is that of what stands still, as long as players and graphics have fewer than half of them. The phase
correlation of candidates.py is quicker and coarser: with players near the camera, it sees pans where there are none.
"""

import numpy as np

WIDTH = 320  # px, of the pictures that are compared
CORNERS, QUALITY, APART = 80, 0.02, 8  # how many, how much weaker than the best at the worst, and px between them
WINDOW, LEVELS = 11, 2  # px, and halvings, of the flow
FEWEST = 8  # corners that are found again; with fewer, nothing is known
AGREE = 0.5, 0.5  # px, and the share of the corners that must move within that of the median
NONE = np.zeros(2)


class PanMeter:
    """Measures the shift of each frame against the one before."""

    def __init__(self) -> None:
        self._before: np.ndarray | None = None
        self._size = (0, 0)

    def measure(self, image: np.ndarray) -> np.ndarray:
        """By how many px (2,), right and down, what stands still has moved since the frame before; 0 if not known."""
        import cv2

        height, width = image.shape[:2]
        size = WIDTH, max(1, round(WIDTH * height / width))
        now = cv2.cvtColor(cv2.resize(image, size, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY)
        before, self._before = self._before, now
        is_other, self._size = self._size != (width, height), (width, height)
        return NONE if before is None or is_other else shift(before, now) * (width / WIDTH)


def shift(before: np.ndarray, now: np.ndarray) -> np.ndarray:
    """The median motion (2,) px of the corners from one picture (h, w) uint8 to another; 0 if too few agree."""
    import cv2

    corners = cv2.goodFeaturesToTrack(before, CORNERS, QUALITY, APART)
    if corners is None or len(corners) < FEWEST:
        return NONE
    found, is_found, _ = cv2.calcOpticalFlowPyrLK(before, now, corners, None, winSize=(WINDOW, WINDOW), maxLevel=LEVELS)
    motion = (found - corners)[is_found.ravel() == 1].reshape(-1, 2)
    if len(motion) < FEWEST:
        return NONE
    median = np.median(motion, axis=0).astype(float)
    agreeing = (np.hypot(*(motion - median).T) < AGREE[0]).mean()
    return median if agreeing >= AGREE[1] else NONE
