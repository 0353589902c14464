"""Whether ball and forecast stay in the picture: every sport, from every view, over some seeds of live play.

    python -m benchmarks.viewer_framing [--sports tennis soccer] [--seeds 3] [--frames 600] [--predictor gru_physics]

Of each sport and view: the share of frames in which all of the ball, and the mean of the forecast for the next 0.4 s,
are in the picture and not behind the panel (%); the ball's diameter, were it drawn to scale (px, median); and the share
of frames in which the camera moved, so that the place is painted anew (%). Nothing is painted.

The last line is one JSON object:
    shown_min      the least share of shown frames (%)
    ball_min       the least share of frames that show the ball (%)
    moving_mean    the mean share of frames in which the camera moved (%)
"""

import json

import numpy as np
import tyro

from ballcast import models, sim
from ballcast.render.painter import MIN_BALL_PIXELS
from ballcast.viewer.options import DEFAULT, DisplayOptions
from ballcast.viewer.picture import Picture, free_part
from ballcast.viewer.place import SHOWN_TIME
from ballcast.viewer.playback.session import FRAME_TIME, PredictorPool, Session
from ballcast.viewer.playback.source import LiveSource

VIEWS = {"default": None, "side": (90, 8), "end": (0, 8), "above": (0, 88), "follow": None}


class Shots:
    """One view of a session: what its camera shows, frame by frame."""

    def __init__(self, view, session, size):
        self.options = DisplayOptions(follow=True) if view == "follow" else DEFAULT
        self.picture, self.size = Picture(session.sport), size
        self.camera = self.picture.fitted_camera(session, size, self.options, VIEWS[view])
        self.shows_ball, self.shows_forecast, self.diameters, self.moves = [], [], [], []
        self.last = None

    def add(self, session):
        self.camera = self.picture.framed_camera(session, self.camera, self.size, self.options)
        camera = self.picture.camera(session, self.camera, self.options)
        self.moves.append(self.last is not None and self.last[0] == session.index and self.last[1] != camera)
        self.last = session.index, camera
        ball, forecast = session.ball.state_at(session.now)[0], session.forecast
        ahead = np.empty((0, 3))
        if forecast is not None:
            ahead = forecast.mean[(forecast.times > session.now) & (forecast.times <= session.now + SHOWN_TIME)]
        pixels, depth = camera.project(np.vstack([ball, ahead]))
        radius = session.sport.ball.radius * camera.focal_length / depth[0]
        free = free_part(self.size, self.options)
        self.diameters.append(2 * radius)
        self.shows_ball.append(bool(_is_shown(pixels[:1], max(radius, MIN_BALL_PIXELS), free.panel, self.size)))
        self.shows_forecast.append(bool(_is_shown(pixels[1:], 0.0, free.panel, self.size)))

    def summary(self):
        """Shares (%) of frames that show ball and forecast, that show the ball, in which it moved; diameter (px)."""
        both = np.logical_and(self.shows_ball, self.shows_forecast)
        return 100 * np.mean(both), 100 * np.mean(self.shows_ball), 100 * np.mean(self.moves), np.median(self.diameters)


def _is_shown(pixels, radius, panel, size):
    """Whether discs of a radius, px, are all in the picture and outside the panel."""
    inside = (pixels >= radius) & (pixels <= np.subtract(size, radius))
    covered = (pixels > np.subtract(panel[:2], radius)) & (pixels < np.add(panel[2:], radius))
    return inside.all() and not covered.all(axis=1).any()


def measure(sport, seeds, frames, predictor="", size=(1280, 720)):
    """view -> summary, over `frames` frames of live play of each of the first seeds."""
    results = {view: [] for view in VIEWS}
    for seed in range(seeds):
        pool = PredictorPool([predictor or models.available(sport)[0]], sport)
        session = Session(LiveSource(sport, seed, rallies=True), pool)
        shots = {view: Shots(view, session, size) for view in VIEWS}
        for _ in range(frames):
            for each in shots.values():
                each.add(session)
            session.advance(FRAME_TIME)
        for view, each in shots.items():
            results[view].append(each.summary())
    return {view: np.mean(values, axis=0) for view, values in results.items()}


def main(sports: tuple[str, ...] = (), seeds: int = 3, frames: int = 600, predictor: str = ""):
    print("shown %  ball px  moving %" + "".join(f"{view:>20}" for view in VIEWS))
    rows = []
    for name in sports or sim.names():
        result = measure(sim.load(name), seeds, frames, predictor)
        rows += result.values()
        cells = (f"{shown:8.1f} {px:5.1f} {moving:5.0f}" for shown, _, moving, px in result.values())
        print(f"{name:25}" + "".join(cells), flush=True)
    shown, ball, moving, _ = np.array(rows).T
    result = {"shown_min": shown.min(), "ball_min": ball.min(), "moving_mean": moving.mean()}
    print(json.dumps({key: round(float(value), 2) for key, value in result.items()}))


if __name__ == "__main__":
    tyro.cli(main, description=__doc__.splitlines()[0])
