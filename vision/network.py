"""The network that finds the ball, as it runs: three frames in, candidates out. Without torch.

    finder = NetworkFinder("ball.onnx")
    for frame in video:                        # frames without repeats, as vision/video.py gives them
        found = finder.find(frame.image)       # Candidates of this frame, the best first; none in the first two

The network sees the last three frames at half resolution, side by side in 9 channels. For the middle and the last of
them it says, in cells of 2 x 2 half-size pixels: how probable it is that a ball's middle is there, where in the cell,
how large the ball is, and its streak. Peaks of the probability become candidates (candidates.py), as from the way
without weights. vision/training trains it and writes the file, ONNX; onnxruntime runs it, or OpenCV's dnn.
"""

import importlib.util
import os
from collections import deque
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ballcast.sim.jit import strict
from ballcast.vision.candidates import NONE, Candidates

SHRINK = 2  # of a frame, before the network sees it
CELL = 2  # half-size px along the side of a cell
MULTIPLE = 16  # sides of the network's pictures are multiples of it
ANSWERED = 1, 2  # of the three frames, those that it answers for
PLANES = (
    6  # numbers of each of these frames in a cell: logit, u and v in cells from its middle, log2 of the diameter in
)
# half-size px, and the streak as a double angle: s * cos(2 a), s * sin(2 a) with s = log2(1 + its length in px)
ALIGNED = SHRINK * MULTIPLE  # px, of the sides of windows
INPUT = "frames"  # its name in the file
MAX_COUNT = 20  # candidates of a frame
MIN_SCORE = 0.05  # probability below which a peak is none


class NetworkFinder:
    """Finds candidates frame by frame, with a network from a file. delay: 0 or 1 frame, as in CandidateFinder.

    threads: of the processor; None: as many as there are. Raises OSError if the file is not there or no network.
    """

    def __init__(self, path: str | os.PathLike, delay: int = 0, threads: int | None = None):
        if delay not in (0, 1):
            raise ValueError(f"delay = {delay} must be 0 or 1 frame")
        if not Path(path).is_file():
            raise OSError(f"{path}: there is no such file; python -m ballcast.vision.training writes one")
        try:
            self._run = open_network(path, threads)
        except Exception as error:  # noqa: BLE001 - each library has its own
            raise OSError(f"{path}: no network that can be read") from error
        self._images: deque[np.ndarray] = deque(maxlen=3)
        self._planes: deque[np.ndarray | None] = deque(maxlen=3)  # of these whole images, once they were wanted
        self._answer = ANSWERED.index(2 - delay)

    def find(self, image: np.ndarray, window: tuple[int, int, int, int] | None = None) -> Candidates:
        """The candidates of an image (H, W, 3) uint8, or of the one before. Images of another size start again.

        window: left, top, right, bottom px (both ends are multiples of ALIGNED): search only there, in less time.
        The images are kept, not copied: do not write into one afterwards.
        """
        if self._images and self._images[-1].shape != image.shape:
            self._images.clear()
            self._planes.clear()
        self._images.append(image)
        self._planes.append(None)
        if len(self._images) < 3:
            return NONE
        if window is not None:
            left, top, right, bottom = window
            parts = [prepared(one[top:bottom, left:right]) for one in self._images]
            found = decode(self._run(np.concatenate(parts)[None])[0], self._answer)
            return Candidates(found.pixel + [left, top], *found[1:])
        for k, planes in enumerate(self._planes):
            if planes is None:
                self._planes[k] = prepared(self._images[k])
        return decode(self._run(np.concatenate(list(self._planes))[None])[0], self._answer)


def open_network(path: str | os.PathLike, threads: int | None = None) -> Callable[[np.ndarray], np.ndarray]:
    """The function from frames (1, 9, h, w) float32 to the network's output (1, A * PLANES, h / 2, w / 2).

    By onnxruntime where it is installed, which is the faster, else by OpenCV. Raises whatever they raise.
    """
    if importlib.util.find_spec("onnxruntime"):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or 0
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        return lambda frames: session.run(None, {INPUT: frames})[0]
    import cv2

    net = cv2.dnn.readNetFromONNX(str(path))
    if threads is not None:
        cv2.setNumThreads(threads)

    def run(frames):
        net.setInput(frames)
        return net.forward()

    return run


def prepared(image: np.ndarray) -> np.ndarray:
    """An image (H, W, 3) uint8 as the network sees it: (3, h, w) float32 from -0.5 to 0.5, padded to its multiples."""
    import cv2

    height, width = image.shape[0] // SHRINK, image.shape[1] // SHRINK
    small = cv2.resize(image[: SHRINK * height, : SHRINK * width], (width, height), interpolation=cv2.INTER_AREA)
    below, right = -height % MULTIPLE, -width % MULTIPLE
    small = cv2.copyMakeBorder(small, 0, below, 0, right, cv2.BORDER_REPLICATE) if below or right else small
    return cv2.dnn.blobFromImage(small, 1.0 / 255.0, mean=(127.5, 127.5, 127.5))[0]


def decode(output: np.ndarray, answer: int, max_count: int = MAX_COUNT) -> Candidates:
    """The Candidates of one answered frame in an output (len(ANSWERED) * PLANES, h, w), in px of the video."""
    planes = np.ascontiguousarray(output[answer * PLANES : (answer + 1) * PLANES], np.float32)
    rows, columns = _peaks(planes[0], float(np.log(MIN_SCORE / (1.0 - MIN_SCORE))))
    if not len(rows):
        return NONE
    logit, du, dv, size, cosine, sine = planes[:, rows, columns].astype(float)
    order = np.argsort(-logit, kind="stable")[:max_count]
    scale = float(SHRINK)
    u, v = (CELL * (at + 0.5 + offset) - 0.5 for at, offset in ((columns, du), (rows, dv)))
    pixel = scale * (np.stack([u, v], axis=1) + 0.5) - 0.5
    diameter = scale * np.exp2(np.clip(size, -3.0, 8.0))
    length = diameter + scale * (np.exp2(np.clip(np.hypot(cosine, sine), 0.0, 9.0)) - 1.0)
    score = 1.0 / (1.0 + np.exp(-logit))
    angle = 0.5 * np.arctan2(sine, cosine)
    return Candidates(*(values[order] for values in (pixel, score, diameter, length, angle)))


@strict
def _peaks(logit, minimum):
    """Rows and columns (N,) of the cells that are above a minimum and above their 24 neighbours."""
    height, width = logit.shape
    rows, columns = np.empty(logit.size, np.int64), np.empty(logit.size, np.int64)
    count = 0
    for j in range(height):
        for i in range(width):
            value = logit[j, i]
            if value < minimum:
                continue
            is_peak = True
            for y in range(max(0, j - 2), min(height, j + 3)):
                for x in range(max(0, i - 2), min(width, i + 3)):
                    if logit[y, x] > value or (logit[y, x] == value and (y, x) < (j, i)):
                        is_peak = False
            if is_peak:
                rows[count], columns[count] = j, i
                count += 1
    return rows[:count].copy(), columns[:count].copy()
