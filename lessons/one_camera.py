"""One camera: a pixel is a ray. What gravity, the apparent size and above all a bounce tell of how far along it."""

import numpy as np

from ballcast import models, sim
from lessons.balls import SPORT
from lessons.boxes import BLUE, INK, RED, empty
from lessons.page import Page, finish
from lessons.two_views import AFTER, NOISE, RATE, VIEWS, camera, part, split, strokes

GRAVITY, RADIUS = 9.81, 0.02  # m/s2, m
STROKES, SHOWN = 40, 3  # with a bounce in view; the one of the figure
COLORS = {"without": "#4c9be8", "with": "#e8954c"}  # the diameter
HEIGHTS, SPINS = (0.4, 1.5, 4.0), {"topspin": -300.0, "no spin": 0.0, "backspin": 300.0}  # m; rad/s about x


def depth_by_gravity(time, pixel, camera):
    """The depth, m, of a ball that only gravity accelerates, at constant depth: pixels (T, 2) px at times (T,) s."""
    acceleration = 2.0 * np.polyfit(time - time[0], pixel[:, 1], 2)[0]  # px/s2, downwards in the image
    return camera.K[1, 1] * GRAVITY / acceleration


def depth_by_size(diameter, camera):
    """The depth, m, of a ball whose image has these diameters (T,) px, at the last of them."""
    return camera.K[1, 1] * 2.0 * RADIUS / diameter[-1]


def on_table(pixel, camera):
    """Where the ray of a pixel (2,) meets the height at which a ball touches the table, (3,) m."""
    origin, direction = camera.rays(pixel)
    return origin + direction * (RADIUS - origin[2]) / direction[2]


def errors(view, when, has_diameter, count=STROKES):
    """Errors (B, 2) m along and across the ray at the last frame before the bounce, or AFTER it: of models.smooth."""
    rows = []
    for track, truth, bounce in strokes(count):
        given, true = part(track, truth, view, bounce + when, has_diameter)
        found = models.smooth(given, SPORT).position[-1]
        rows.append(split(found - true, true, track.cameras[list(VIEWS).index("side" if view == "both" else view)]))
    return np.array(rows)


def by_hand(count=STROKES):
    """name -> errors (B,) m along the side camera's ray before the bounce, of the two depths written out."""
    rows = {"gravity alone": [], "diameter alone": []}
    for track, truth, bounce in strokes(count):
        given, true = part(track, truth, "side", bounce, True)
        side = track.cameras[0]
        depth = side.R[2] @ true + side.t[2]
        rows["gravity alone"].append(abs(depth_by_gravity(given.time, given.pixel, side) - depth))
        rows["diameter alone"].append(abs(depth_by_size(given.diameter, side) - depth))
    return {name: np.array(row) for name, row in rows.items()}


def along_ray(track, truth, view, has_diameter):
    """(times (T,), mean (T,) and standard deviation (T,) m along the ray from the true position) of a live stream."""
    stream, rows = models.load("physics", SPORT).stream(), []
    given, _ = part(track, truth, view, np.inf, has_diameter)
    true = truth[track.camera == list(VIEWS).index(view)]
    camera, sizes = track.cameras[list(VIEWS).index(view)], given.diameter if has_diameter else [None] * len(given)
    for k, (time, pixel, size) in enumerate(zip(given.time, given.pixel, sizes)):
        stream.observe_pixel(time, pixel, camera, size)
        if k >= 2:
            belief = stream.forecast([time + 0.01]).belief
            ray = (true[k] - camera.centre) / np.linalg.norm(true[k] - camera.centre)
            rows.append((time, ray @ (belief.position - true[k]), np.sqrt(ray @ belief.covariance[:3, :3] @ ray)))
    return np.array(rows).T


def main():
    page = Page("one_camera")
    page.code(depth_by_gravity, depth_by_size, on_table)
    page.print(f"side view, the last frame before the bounce: error of the depth, mm, median of {STROKES} strokes")
    for name, row in by_hand().items():
        page.print(f"{name:34}{1e3 * np.median(row):8.0f}")
    page.next_block()
    page.print("error of models.smooth, mm, median         before the bounce     0.1 s after it")
    page.print("                                             along    across     along    across")
    for view in (*VIEWS, "both"):
        for name in COLORS:
            row = np.hstack([np.median(errors(view, when, name == "with"), axis=0) for when in (0.0, AFTER)])
            page.print(f"{view:6}{name + ' diameter':32}" + "".join(f"{1e3 * value:10.0f}" for value in row))
    exercises(page)
    draw(page)
    draw_rays(page)
    page.close()


def exercises(page):
    """The figures of both solutions."""
    page.next_block()
    page.print(f"side view from 5 m, a bounce seen {NOISE:g} px too high: its point on the table is too far by")
    for height in HEIGHTS:
        seen = camera("side", (5.0, 0.0, height), 1250.0)
        off = on_table(seen.project([0.0, 0.0, RADIUS]) - [0.0, NOISE], seen)
        page.print(f"camera {height:.1f} m above the table{1e3 * np.linalg.norm(off[:2]):8.0f} mm")
    page.next_block()
    page.print("side view without noise, 0.24 s of one stroke at 5.2 m: depth by gravity alone")
    side, times = camera("side", *VIEWS["side"]), np.arange(7) / RATE
    for name, spin in SPINS.items():
        flight = sim.simulate(sim.load(SPORT), [[0.0, -1.3, 0.25]], [[0.0, 6.0, 1.8]], [[spin, 0.0, 0.0]], times)
        depth = depth_by_gravity(times, side.project(flight.position[0]), side)
        page.print(f"{name:12}{depth:6.1f} m")


def draw(page):
    """The belief along the ray against time, for both views of a stroke."""
    figure, plots = page.figure(2)
    track, truth, bounce = strokes(STROKES)[SHOWN]
    for plot, view in zip(plots, VIEWS):
        for name, color in COLORS.items():
            time, mean, sd = along_ray(track, truth, view, name == "with")
            plot.fill_between(time - bounce, mean - 1.645 * sd, mean + 1.645 * sd, color=color, alpha=0.25, linewidth=0)
            plot.plot(time - bounce, mean, color=color, marker=".", label=f"{name} the diameter")
        plot.axvline(0.0, color=RED, linewidth=1.0, label="bounce")
        plot.axhline(0.0, color=INK, linewidth=0.8, linestyle=":")
        finish(plot, 7 * (view == "side"), xlabel="time from the bounce, s", title=f"{view} view", xlim=(-0.3, 0.3))
    plots[0].set_ylabel("along the ray, from the true position, m")
    page.save(figure)


def draw_rays(page):
    """The drawing: three paths that give the same pixels; at the bounce one of them is on the table."""
    figure, plot = page.figure(1, 9.0, 2.6)
    empty(plot, (-0.6, 10.4), (-1.0, 2.0))
    lens, aims = np.array([0.0, 1.6]), np.array([[7.0, 1.5], [7.0, 1.05], [7.0, 0.0]])
    plot.fill_between([4.5, 9.5], -0.12, 0.0, color=BLUE)
    plot.text(4.5, -0.2, "table", va="top", fontsize=9)
    plot.text(-0.05, 1.75, "camera", ha="center", fontsize=9)
    for k, aim in enumerate(aims):
        plot.plot(*np.stack([lens, lens + 1.42 * (aim - lens)]).T, color=INK, linewidth=0.8)
        plot.text(*(lens + 1.44 * (aim - lens)), f"$t_{k + 1}$" + ", bounce" * (k == 2), va="center", fontsize=9)
    for share, name, color in ((0.65, "too near: bounces in the air", "#999999"), (1.0, "on the table", RED),
                               (1.32, "too far: under the table", "#999999")):  # fmt: skip
        path = lens + share * (aims - lens)
        plot.plot(*path.T, color=color, marker="o", linestyle="--", linewidth=1.0)
        plot.text(path[2, 0] - 0.15, path[2, 1] - 0.2, name, ha="right", va="center", color=color, fontsize=8)
    page.save(figure, "drawing")


if __name__ == "__main__":
    main()
