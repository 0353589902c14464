"""The drawn 90 % region of forecasts: how much of the picture it covers, and how often the ball is inside.

    python -m benchmarks.forecast_region [--predictor gru_physics] [--sports tennis soccer] [--seeds 0 1 2] [--balls 5]

Single balls of play, forecast after 0.05 ... 0.5 s, in the sport's own view. One row a sport and time:
    share      of the picture that the region covers: the mean and the largest of the balls
    ahead      how far ahead of the ball it is drawn, the median and the shortest (s)
    in 90 %    of the moments of the drawn stretch, at how many the ball is inside the ellipsoid of that moment
    in picture at how many its place in the picture is inside the drawn region
The last line is one JSON object, of all sports together.
"""

import json
from typing import NamedTuple

import numpy as np
import tyro

from ballcast import sim
from ballcast.render import raster
from ballcast.render.camera import OrbitCamera
from ballcast.render.confidence_tube import CHI_90_3DOF
from ballcast.render.draw_list import paint_region
from ballcast.render.painter import Painter
from ballcast.viewer.playback.session import FRAME_TIME, PredictorPool, Session
from ballcast.viewer.playback.source import LiveSource

TIMES_SEEN = (0.05, 0.1, 0.2, 0.5)  # s
SIZE = (1280, 720)  # px
SIZE_LIMIT = 0.15  # of the picture
COVERAGE_LIMITS = (0.85, 0.95)


class Measured(NamedTuple):
    """One region: what it covers, how far ahead it reaches, and the shares of its moments with the ball inside."""

    share: float  # of the picture's pixels
    ahead: float  # s
    moments: int
    inside: int  # moments at which the ball is in the ellipsoid
    inside_picture: int  # moments at which its pixel is in the drawn region


def measure(sport, predictor, seeds, balls):
    """time seen -> the Measured of each ball that has a region then."""
    painter, camera = Painter(sport), OrbitCamera.of(sport.view, SIZE)
    pool, pixels = PredictorPool([predictor], sport), raster.new_picture(SIZE)
    regions = {seen: [] for seen in TIMES_SEEN}
    for seed in seeds:
        session = Session(LiveSource(sport, seed), pool)
        for _ in range(balls):
            for seen in TIMES_SEEN:
                while session.now < session.ball.track.time[0] + seen - 1e-9:
                    session.advance(min(FRAME_TIME, session.ball.track.time[0] + seen - session.now))
                painter.paint(pixels, session, camera)
                if painter.regions:
                    regions[seen].append(_measured(session, camera, painter.regions[0]))
            session.next()
    return regions


def _measured(session, camera, region):
    forecast = session.forecast
    rows = (forecast.times > session.now) & (forecast.times <= min(region.until, session.ball.time[-1]))
    _, truth = session.ball.positions_at(forecast.times[rows])
    off = truth - forecast.mean[rows]
    distance = np.sqrt(np.einsum("hi,hi->h", off, np.linalg.solve(forecast.covariance[rows], off[..., None])[..., 0]))
    picture = raster.new_picture(SIZE)
    paint_region(picture, region, (255, 255, 255))
    xy, _ = camera.project(truth)
    in_sight = ((xy >= 0) & (xy < SIZE)).all(axis=1)
    x, y = xy[in_sight].astype(int).T
    inside_picture = int((picture[x, y] > 0).sum() + (~in_sight & (distance < CHI_90_3DOF)).sum())
    inside = int((distance < CHI_90_3DOF).sum())
    return Measured(float((picture > 0).mean()), region.until - session.now, len(truth), inside, inside_picture)


def summary(measured):
    """The columns of a row, of a list of Measured."""
    share, ahead, moments, inside, inside_picture = map(np.array, zip(*measured, strict=True))
    return {
        "balls": len(measured), "share": round(float(share.mean()), 4), "largest": round(float(share.max()), 4),
        "ahead_s": round(float(np.median(ahead)), 3), "shortest_s": round(float(ahead.min()), 3),
        "inside": round(float(inside.sum() / moments.sum()), 4),
        "inside_picture": round(float(inside_picture.sum() / moments.sum()), 4),
    }  # fmt: skip


def main(
    predictor: str = "gru_physics", sports: tuple[str, ...] = (), seeds: tuple[int, ...] = (0, 1, 2), balls: int = 5
):
    print(f"{predictor}; {'sport':14} seen  balls  share  largest  ahead  shortest  in 90 %  in picture")
    together = {seen: [] for seen in TIMES_SEEN}
    for name in sports or sim.names():
        for seen, measured in measure(sim.load(name), predictor, seeds, balls).items():
            together[seen] += measured
            if measured:
                print_row(name, seen, summary(measured))
    rows = {seen: summary(measured) for seen, measured in together.items() if measured}
    for seen, row in rows.items():
        print_row("all", seen, row)
    print(json.dumps({str(seen): row for seen, row in rows.items()}))


def print_row(name, seen, row):
    marks = " share!" * (row["largest"] >= SIZE_LIMIT)
    marks += " coverage!" * (not COVERAGE_LIMITS[0] <= row["inside"] <= COVERAGE_LIMITS[1])
    print(
        f"{name:27} {seen:4.2f}  {row['balls']:5d}  {row['share']:5.1%}  {row['largest']:7.1%}  {row['ahead_s']:5.2f}"
        f"  {row['shortest_s']:8.2f}  {row['inside']:7.1%}  {row['inside_picture']:10.1%}{marks}",
        flush=True,
    )


if __name__ == "__main__":
    tyro.cli(main, description=__doc__.splitlines()[0])
