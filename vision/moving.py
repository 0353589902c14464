"""A camera that turns and zooms, followed from picture to picture by the painted lines of the place.

    for number, time, fit in follow(video, sport):       # fit: a LineFit, or None where the lines are lost
        ...

The camera stands still while it turns and zooms, as on a tripod: its place and its lens are those of the first picture
in which it was found. Where the lines are lost, as in a close-up, it is looked for again from time to time.
"""

from collections.abc import Iterable, Iterator

import numpy as np

from ballcast.sim import Sport
from ballcast.vision.court_finder import find_lines_of
from ballcast.vision.landmarks import CalibrationError
from ballcast.vision.line_fit import LineFit, fit_lines
from ballcast.vision.projection import View
from ballcast.vision.video import Frame

WINDOWS = 14.0, 8.0, 5.0, 3.0, 3.0  # px at a width of 1280: how far lines may move from one picture to the next
AGAIN = 0.4  # s between two searches of the whole picture
HEADER = "frame,time,f,k1,rx,ry,rz,tx,ty,tz,rms_px"


def follow(frames: Iterable[Frame], sport: Sport) -> Iterator[tuple[int, float, LineFit | None]]:
    """(number, time in s, LineFit or None) of every frame."""
    fit: LineFit | None = None
    standing: View | None = None
    searched = -np.inf
    for frame in frames:
        if fit is not None:
            fit = next_fit(frame.image, fit, standing)
        if fit is None and frame.time >= searched + AGAIN:
            searched = frame.time
            try:
                fit = find_lines_of(frame.image, sport)
                standing = fit.view
            except CalibrationError:
                fit = None
        yield frame.number, frame.time, fit


def next_fit(image: np.ndarray, fit: LineFit, standing: View | None = None) -> LineFit | None:
    """The LineFit of the next picture; None where the lines are lost.

    standing  the View whose place and lens the camera keeps; None: those of the fit
    """
    import cv2

    gray = cv2.GaussianBlur(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), (3, 3), 0)
    view = fit.view if standing is None else fit.view._replace(centre=standing.centre, k1=standing.k1)
    found = fit_lines(gray, view, fit.lines, WINDOWS, stands=True)
    return None if found is None or found.problem() else found


def row(number: int, time: float, fit: LineFit) -> str:
    """A line of a CSV file with the columns HEADER: OpenCV's rvec (rad) and tvec (m), px."""
    import cv2

    view = fit.view
    turn = cv2.Rodrigues(view.R)[0].ravel()
    numbers = [view.focal, view.k1, *turn, *(-view.R @ view.centre), fit.rms]
    return ",".join([str(number), f"{time:.6f}", *(f"{value:.6f}" for value in numbers)])
