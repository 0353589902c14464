"""A recording for the viewer of Rerun (rerun.io): track, forecasts, regions, landings, cameras, images and events.

with RerunFile("out.rrd", sport) as file:
    file.frame(t, position)                                # of a tracker, in m
    file.forecast(t, times, stream.forecast(times))        # a Forecast of models

rerun-sdk (167 MB, the extra `rerun`) is imported only here, when a file is begun. Positions are in the sport's frame.
The file gets its name when it is finished; before that it is written aside.
"""

import importlib.util
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ballcast.render.confidence_tube import CHI_90_3DOF
from ballcast.render.palette import FORECAST_COLOR, TRACK_COLOR
from ballcast.render.scene import Scene
from ballcast.render.shapes import Polygon
from ballcast.sim.files import aside, sync_and_rename

if TYPE_CHECKING:
    from ballcast.sim.sport import Sport

NEEDED = "needs rerun-sdk: pip install rerun-sdk, or ballcast[rerun]"
TIMELINE = "time"  # s
TRAIL = 240  # measured frames that are shown, the last ones
REGIONS = 8  # ellipsoids of a forecast, evenly over its times
IMAGE_QUALITY = 80  # of JPEG, percent
LINE, DOT = 0.005, 0.006  # m, the radii of lines and dots, in a place of USUAL_SIZE
USUAL_SIZE = 3.0  # m from where a place is seen whose lines and dots have these radii
BELOW_LINES, MIN_ALPHA = 1e-3, 0.3  # m, of the floor; of a polygon that is drawn: others hide what is behind them


def check(path: Path | str, option: str = "") -> None:
    """ValueError, with one line, if a file cannot be written at path, or rerun-sdk is missing; option: its name."""
    path, name = Path(path), f"{option} {path}".strip()
    if path.suffix.lower() != ".rrd" or path.is_dir():
        raise ValueError(f"{name}: name a file that ends in .rrd")
    if not path.absolute().parent.is_dir():
        raise ValueError(f"{name}: {path.absolute().parent} is not a folder")
    if importlib.util.find_spec("rerun") is None:
        raise ValueError(f"{option or name} {NEEDED}")


class RerunFile:
    """A file that is being written. Times are s, and what is logged later may be earlier.

    offset  s, added to all times: for balls whose clocks all begin at 0
    """

    def __init__(self, path: Path | str, sport: "Sport | None" = None):
        """ValueError, with one line, for a path that cannot be, or without rerun-sdk."""
        check(path)
        import rerun

        self._rr, self.path, self._aside = rerun, Path(path), aside(path)
        self._stream = rerun.RecordingStream("ballcast")
        self._stream.set_log_time_enabled(False)  # the wall clock is not the ball's
        self._stream.set_log_tick_enabled(False)
        self._stream.save(self._aside, default_blueprint=self._layout(sport))
        self._trail: deque = deque(maxlen=TRAIL)
        self._cameras: dict[str, Any] = {}
        self._has_content = False  # whether anything is logged beside the place
        self._scale, self._ball_radius, self._is_open, self.offset = 1.0, 3.0 * DOT, True, 0.0
        self._log("world", rerun.ViewCoordinates.RIGHT_HAND_Z_UP, static=True)
        if sport is not None:
            self.place(sport)

    def __enter__(self) -> "RerunFile":
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        """Finish the file; after an error before anything was logged there is none."""
        self.close(keep=kind is None or self._has_content)

    def close(self, keep: bool = True) -> None:
        """Finish the file and give it its name, or remove it; nothing more can be logged."""
        if self._is_open:
            self._is_open = False
            self._stream.flush()
            self._stream.disconnect()
            if keep:
                sync_and_rename(self._aside, self.path)
            self._aside.unlink(missing_ok=True)

    def frame(self, time: float, position: np.ndarray) -> None:
        """A measured frame: time s, position (3,) m."""
        self._trail.append(np.asarray(position, float))
        self._at(time)
        self._log("world/track", self._rr.Points3D(np.array(self._trail), radii=self._scale * DOT, colors=TRACK_COLOR))

    def ball(self, time: float, position: np.ndarray, color: tuple[int, int, int] = (255, 160, 60)) -> None:
        """Where the ball is at a time, (3,) m, as far as that is known."""
        self._at(time)
        if np.isfinite(position).all():
            self._log("world/ball", self._rr.Points3D([position], radii=self._ball_radius, colors=color))

    def next_ball(self, time: float) -> None:
        """Another ball begins: the track and the forecasts until now are not shown any more."""
        self._trail.clear()
        self._at(time)
        for path in ("world/track", "world/ball", "world/forecasts"):
            self._log(path, self._rr.Clear(recursive=True))

    def forecast(
        self, now: float, times: np.ndarray, forecast: Any, name: str = "forecast",
        color: tuple[int, int, int] = FORECAST_COLOR,
    ) -> None:  # fmt: skip
        """A Forecast made at `now` s for times (H,) s: its path, its region of 90 % as ellipsoids, its landing."""
        self._at(now)
        base, mean = f"world/forecasts/{name}", np.asarray(forecast.mean, float)
        if not len(mean) or not np.isfinite(mean).all():
            return
        self._log(f"{base}/path", self._rr.LineStrips3D([mean], radii=self._scale * LINE, colors=color))
        if forecast.covariance is not None:
            rows = np.unique(np.linspace(0, len(mean) - 1, min(REGIONS, len(mean))).astype(int))
            self._log(f"{base}/region", self._ellipsoids(mean[rows], np.asarray(forecast.covariance)[rows], color))
        landing = forecast.landing
        if landing is None:
            return self._log(f"{base}/landing", self._rr.Clear(recursive=False))
        label = f"lands {landing.time - now:+.2f} s"
        points = self._rr.Points3D([landing.position], radii=self._ball_radius, colors=color, labels=label)
        self._log(f"{base}/landing", points)

    def camera(self, time: float, name: str, camera: Any) -> None:
        """The calibrated Camera of tracks that has this name from a time on; its distortion is not shown."""
        if self._cameras.get(name) is camera:
            return
        self._cameras[name] = camera
        self._at(time)
        rotation = np.asarray(camera.R, float)
        path, size = f"world/cameras/{name}", tuple(map(int, camera.size))
        self._log(path, self._rr.Transform3D(translation=-rotation.T @ camera.t, mat3x3=rotation.T))
        lens = self._rr.Pinhole(
            image_from_camera=np.asarray(camera.K, float), resolution=size, camera_xyz=self._rr.ViewCoordinates.RDF,
            image_plane_distance=0.3 * self._scale,
        )  # fmt: skip
        self._log(path, lens)

    def image(self, time: float, name: str, image: np.ndarray) -> None:
        """What the camera of this name sees at a time: (H, W, 3) uint8: blue, green, red. It is kept as JPEG."""
        self._at(time)
        shown = self._rr.Image(np.ascontiguousarray(image[..., ::-1]))
        self._log(f"world/cameras/{name}/image", shown.compress(jpeg_quality=IMAGE_QUALITY))

    def pixel(self, time: float, name: str, pixel: np.ndarray | None) -> None:
        """Where the camera of this name saw the ball at a time, (2,) px; None: nowhere."""
        self._at(time)
        path = f"world/cameras/{name}/image/ball"
        if pixel is None:
            return self._log(path, self._rr.Clear(recursive=False))
        self._log(path, self._rr.Points2D([pixel], radii=-5.0, colors=TRACK_COLOR))

    def image_path(self, time: float, name: str, pixels: np.ndarray | None) -> None:
        """A forecast (H, 2) px in the image of the camera of this name; None: there is none."""
        self._at(time)
        path = f"world/cameras/{name}/image/path"
        if pixels is None or not np.isfinite(pixels).all():
            return self._log(path, self._rr.Clear(recursive=False))
        self._log(path, self._rr.LineStrips2D([pixels], radii=-1.5, colors=FORECAST_COLOR))

    def event(self, time: float, text: str) -> None:
        """What happens at a time, in a word or a line: hit, bounce, landing."""
        self._at(time)
        self._log("events", self._rr.TextLog(text))

    def _at(self, time):
        self._has_content = True
        self._stream.set_time(TIMELINE, duration=float(time) + self.offset)

    def _log(self, path, what, static=False):
        self._stream.log(path, what, static=static)

    def _layout(self, sport):
        """How the recording is first shown: space as the sport is seen elsewhere, and whatever else there is."""
        blueprint, view = self._rr.blueprint, None
        if sport is not None:
            place = {"position": sport.view.eye, "look_target": sport.view.target, "eye_up": (0.0, 0.0, 1.0)}
            view = blueprint.EyeControls3D(**place)
        space = blueprint.Spatial3DView(origin="world", eye_controls=view)
        return blueprint.Blueprint(blueprint.Grid(space), auto_views=True)

    def _ellipsoids(self, centers, covariance, color):
        """The regions of 90 % at points (N, 3) m with covariances (N, 3, 3) m2."""
        variance, axes = np.linalg.eigh(covariance)
        axes[np.linalg.det(axes) < 0.0] *= -1.0  # rotations
        half = CHI_90_3DOF * np.sqrt(np.maximum(variance, 0.0))
        shape = {"centers": centers, "half_sizes": half, "quaternions": quaternions(axes)}
        return self._rr.Ellipsoids3D(**shape, colors=color, line_radii=0.1 * self._scale * LINE)

    def place(self, sport: "Sport") -> None:
        """The place, which does not move: what can be seen through is left out, walls are outlines."""
        self._scale = float(np.linalg.norm(np.subtract(sport.view.eye, sport.view.target))) / USUAL_SIZE
        self._ball_radius = max(float(sport.ball.radius), self._scale * DOT)
        scene = Scene.of(sport)
        parts = [polygon for occluder in scene.occluders for polygon in occluder.polygons]
        parts += [wall for wall in scene.walls if wall.normal is None]
        if scene.floor is not None:
            (x, y), (far_x, far_y), z = scene.low, scene.high, scene.floor.high[2] - BELOW_LINES
            corners = np.array([[x, y, z], [far_x, y, z], [far_x, far_y, z], [x, far_y, z]])
            parts.append(Polygon(corners, scene.floor.color))
        self._log("world/place", self._mesh([part for part in parts if part.alpha >= MIN_ALPHA]), static=True)
        outlines = [np.vstack([wall.points, wall.points[:1]]) for wall in scene.walls if wall.normal is not None]
        if outlines:
            self._log("world/walls", self._rr.LineStrips3D(outlines, radii=self._scale * LINE), static=True)

    def _mesh(self, parts):
        """Polygons as one mesh of triangles."""
        vertices, triangles, colors, total = [], [], [], 0
        for part in parts:
            points = np.asarray(part.points, float)
            points = points.reshape(-1, *points.shape[-2:])  # (K, N, 3)
            count, corners = points.shape[:2]
            fan = np.array([[0, k, k + 1] for k in range(1, corners - 1)])
            triangles.append((total + corners * np.arange(count)[:, None, None] + fan).reshape(-1, 3))
            vertices.append(points.reshape(-1, 3))
            colors.append(np.tile(np.array(part.color, np.uint8), (count * corners, 1)))
            total += count * corners
        whole = np.concatenate(vertices), np.concatenate(triangles), np.concatenate(colors)
        return self._rr.Mesh3D(vertex_positions=whole[0], triangle_indices=whole[1], vertex_colors=whole[2])


def quaternions(rotations: np.ndarray) -> np.ndarray:
    """Rotations (N, 3, 3) as unit quaternions (N, 4): x, y, z, w."""
    r = np.asarray(rotations, float)
    trace = np.trace(r, axis1=1, axis2=2)
    products = np.empty((len(r), 4, 4))  # 4 q q', from whose largest row q is read (Bar-Itzhack 2000)
    for i in range(3):
        for j in range(3):
            products[:, i, j] = r[:, i, j] + r[:, j, i]
        products[:, i, i] = 1.0 + 2.0 * r[:, i, i] - trace
        a, b = (i + 1) % 3, (i + 2) % 3
        products[:, i, 3] = products[:, 3, i] = r[:, b, a] - r[:, a, b]
    products[:, 3, 3] = 1.0 + trace
    largest = np.argmax(np.diagonal(products, axis1=1, axis2=2), axis=1)
    q = products[np.arange(len(r)), largest]
    return q / np.linalg.norm(q, axis=1, keepdims=True)
