"""By how much the picture moves from frame to frame, because the camera pans."""

import numpy as np

from ballcast.vision.candidates import COARSE, pan


class PanMeter:
    """Measures the shift of each frame against the one before."""

    def __init__(self) -> None:
        self._coarse: np.ndarray | None = None
        self._size = (0, 0)

    def measure(self, image: np.ndarray) -> tuple[int, int]:
        """By how many px (right, down) what stands still has moved since the frame before; (0, 0) for the first."""
        import cv2

        height, width = image.shape[:2]
        size = COARSE, max(1, round(COARSE * height / width))
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        before, self._coarse = self._coarse, cv2.cvtColor(small, cv2.COLOR_BGR2GRAY).astype(np.float32)
        is_other, self._size = self._size != (width, height), (width, height)
        if before is None or is_other:
            return 0, 0
        return pan(before, self._coarse, width)
