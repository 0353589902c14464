"""What gates do along a flight: how much of its memory a GRU replaces in each frame, and what a bounce changes."""

import numpy as np

from ballcast import models, sim
from lessons.page import Page, finish

SPORT, BALL_COUNT = "table_tennis", 400
BEFORE, AFTER = 12, 24  # frames about the bounce
SHOWN = (-8, -4, -2, -1, 0, 1, 2, 4, 8, 16)  # frames from the bounce that are printed
STARTS = (0, 1, 2, 4, 8, 16, 32)  # frames from the first


def gates_along_flight(predictor, balls):
    """Update and reset gates (B, T, 2, U) at every frame; NaN after a ball's last frame."""
    lengths = np.diff(balls.offsets)
    batch, results = predictor.streams(len(lengths)), []
    for k in range(lengths.max()):
        rows = np.minimum(balls.offsets[:-1] + k, len(balls.time) - 1)
        is_present, before = k < lengths, batch.hidden.copy()
        positions = np.where(is_present[:, None], balls.position[rows], np.nan)
        batch.observe(np.where(is_present, balls.time[rows], np.nan), positions)
        results.append(np.where(is_present[:, None, None], predictor.gates(batch.features, before), np.nan))
    return np.stack(results, 1)


def bounces(balls):
    """The frame (B,) after each ball's first contact; -1 if that is not on the table, or has too few frames around."""
    impacts = balls.flight(np.array([1e-3, balls.time.max()])).impacts
    table = [k for k, surface in enumerate(balls.sport.surfaces) if surface.landing]
    frames = np.full(len(balls), -1)
    for b, (first, end) in enumerate(zip(balls.offsets[:-1], balls.offsets[1:])):
        ball_rows = np.flatnonzero(impacts.ball == b)
        if len(ball_rows) and impacts.surface[ball_rows[0]] in table:
            k = np.searchsorted(balls.time[first:end], impacts.time[ball_rows].min())
            frames[b] = k if BEFORE <= k < end - first - AFTER else -1
    return frames


def aligned(gates, frames):
    """Gates (B', BEFORE + AFTER, 2, U) around the bounces of the balls that have one."""
    return np.stack([gates[b, k - BEFORE : k + AFTER] for b, k in enumerate(frames) if k >= 0])


def print_rows(page, name, gates, columns, labels):
    """Print the mean update and reset gates (T, 2) at some frames."""
    page.print(f"{name:38}" + "".join(f"{k:>7}" for k in labels))
    for part, label in enumerate(("update: share of the new", "reset: share of the old that is read")):
        page.print(f"{label:38}" + "".join(f"{gates[k, part]:7.3f}" for k in columns))


def main():
    page, predictor = Page("gates"), models.load("gru", SPORT)
    balls = sim.draw(predictor.sport, BALL_COUNT, seed=0, purpose="test")
    gates = gates_along_flight(predictor, balls)
    about = aligned(gates, bounces(balls))
    print_rows(page, "frames from the first", np.nanmean(gates, axis=(0, 3)), STARTS, STARTS)
    page.print()
    title = f"from the bounce, {len(about)} balls"
    print_rows(page, title, about.mean(axis=(0, 3)), [BEFORE + k for k in SHOWN], SHOWN)
    units, quiet = about.mean(axis=0)[:, 0], slice(2, BEFORE - 2)
    calm, at_bounce = units[quiet].mean(axis=0), units[BEFORE]
    timescales = np.sort(1 / calm)
    fast, slow = timescales[len(timescales) // 10], timescales[-len(timescales) // 10]
    page.print(f"\ntime constants of the units in flight, frames: fastest tenth {fast:.1f}, "
               f"median {np.median(timescales):.0f}, slowest tenth {slow:.0f}")  # fmt: skip
    largest = np.argmax(at_bounce - calm)
    page.print(f"at the bounce {np.mean(at_bounce > 1.5 * calm):.0%} of the {len(calm)} units open by at least half, "
               f"{np.mean(at_bounce < calm / 1.5):.0%} close by at least a third; the largest change is from "
               f"{calm[largest]:.2f} to {at_bounce[largest]:.2f}")  # fmt: skip
    draw(page, about, units)


def draw(page, about, units):
    """Quantiles over the units, and every unit, around the bounce."""
    figure, (left, right) = page.figure(2)
    frames = np.arange(-BEFORE, AFTER)
    for part, (name, color) in enumerate((("update", "#d55e00"), ("reset", "#0072b2"))):
        mean = about[:, :, part].mean(axis=0)
        low, middle, high = np.quantile(mean, (0.25, 0.5, 0.75), axis=1)
        left.fill_between(frames, low, high, color=color, alpha=0.2, linewidth=0)
        left.plot(frames, middle, color=color, label=f"{name}: median unit, and half of all")
    left.axvline(0, color="#7a7a7a", linewidth=0.6)
    finish(left, ylim=(0, 1), xlabel="frames from the bounce", ylabel="gate")
    order = np.argsort(units[: BEFORE - 2].mean(axis=0))
    extent = (-BEFORE - 0.5, AFTER - 0.5, 0, units.shape[1])
    image = right.imshow(units[:, order].T, aspect="auto", origin="lower", extent=extent, vmin=0, vmax=1)
    finish(right, 0, xlabel="frames from the bounce", ylabel="unit, the slowest first")
    right.grid(False)
    figure.colorbar(image, label="update gate")
    page.save(figure)
    page.close()


if __name__ == "__main__":
    main()
