"""A camera of your own: from where it stands and what it sees to a forecast in space, with its uncertainty.

    python -m examples.own_camera               # writes cameras.yaml and ball.csv as your detector would

You need the camera's calibration (OpenCV's K, distortion, R and t) and the pixel of the ball in each frame. Here the
camera is placed by hand beside the table, and the pixels come from the simulator with the noise of a detector: put your
own files in the place of them. docs/cameras.md says how a camera is calibrated.
"""

from pathlib import Path

import numpy as np

from ballcast import models, sim
from ballcast.tracks import Camera, PixelTrack, read_cameras, read_pixels, write_cameras, write_pixels

SIZE, FOCAL = (1280, 720), 1100.0  # px
STANDS, LOOKS_AT = np.array([2.6, -1.6, 1.3]), np.array([0.0, 0.2, 0.1])  # m, in the frame of the table
SEEN, AHEAD = 0.3, 0.1  # s


def place_camera() -> Camera:
    """A camera that stands at STANDS and looks at LOOKS_AT, upright."""
    forwards = (LOOKS_AT - STANDS) / np.linalg.norm(LOOKS_AT - STANDS)
    right = np.cross(forwards, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    R = np.array([right, np.cross(forwards, right), forwards])  # the rows are the camera's x, y (down) and z
    K = np.array([[FOCAL, 0.0, SIZE[0] / 2], [0.0, FOCAL, SIZE[1] / 2], [0.0, 0.0, 1.0]])
    return Camera(K, [], R, -R @ STANDS, SIZE, name="side")


def main(balls: int = 12, folder: Path = Path(".")) -> list[tuple[float, float]]:
    """Return (error, mm, its standard deviation by the forecast, mm) of balls that the camera saw for SEEN s."""
    write_cameras(folder / "cameras.yaml", [place_camera()])
    cameras, found = read_cameras(folder / "cameras.yaml"), []
    drawn = sim.draw(sim.load("table_tennis"), balls, purpose="test", cameras=cameras)
    predictor = models.load("physics", sport="table_tennis")
    for n in range(balls):
        write_pixels(folder / "ball.csv", PixelTrack(*drawn.pixels.of(n)[:3], cameras))
        track = read_pixels(folder / "ball.csv", cameras)
        history = track.until(track.time[0] + SEEN)
        asked = history.time[-1] + AHEAD
        forecast = predictor.forecast(history, [asked])
        truth = drawn.flight([asked]).position[n, 0]
        error, spread = forecast.mean[0] - truth, np.sqrt(np.trace(forecast.covariance[0]))
        found.append((1e3 * float(np.linalg.norm(error)), 1e3 * float(spread)))
        image = cameras[0].project(forecast.mean[0])
        off, expected = found[-1]
        print(f"ball {n:2}: {len(history)} frames, {off:5.0f} mm off where {expected:5.0f} mm were to be expected; "
              f"in the image at {image[0]:.0f}, {image[1]:.0f} px")  # fmt: skip
    print("next: python play.py --pixels ball.csv --cameras cameras.yaml --predictor physics")
    return found


if __name__ == "__main__":
    main()
