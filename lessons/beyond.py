"""What Ballcast does beyond a recurrent network: a filter in front of it, a simulator behind it, and a covariance."""

import numpy as np
import torch
from torch import nn

from ballcast.evaluation.metrics import distance, in_region
from ballcast.tracks import Track
from lessons.balls import networks
from lessons.boxes import BLUE, ORANGE, arrow, box, empty
from lessons.page import Page, finish, line_style
from lessons.positions import LEAD_TIME, RATE, SPEED, errors, features, positions, train

GRAVITY, NOISE, ACCELERATION = (0.0, 0.0, -9.81), 0.002, 8.0  # m/s2; m; m/s2: what the filter does not know of a path
STEPS, BALLS, TEST_BALLS, UNITS = 800, 20_000, 1000, 64
SHOWN, SHIPPED = (2, 4, 8, 16, 32, 47), ("parabola", "physics", "gru", "gru_physics")  # frames (from 0); predictors
SHIPPED_BALLS = 300
ACCELERATIONS, RISE = (1.0, 8.0, 60.0), 0.1  # m/s2; m: a ball so much higher than gravity says has bounced
COLORS = {"filter": "#7a7a7a", "network": "#4c9be8", "filter and network": "#e8954c"}


def kalman_filter(positions, acceleration=ACCELERATION):
    """The estimates of position and velocity (B, T, 3) each, m and m/s, at every frame of positions (B, T, 3) m."""
    dt, gravity = 1.0 / RATE, torch.tensor(GRAVITY)
    transition = torch.tensor([[1.0, dt], [0.0, 1.0]])  # where position and velocity go in a frame
    push = torch.tensor([dt * dt / 2, dt])  # what an acceleration does to them
    process_noise = acceleration**2 * torch.outer(push, push)
    covariance = torch.tensor([[NOISE**2, 0.0], [0.0, 10.0**2]])  # at first the velocity may be anything
    state = torch.stack([positions[:, 0], torch.zeros_like(positions[:, 0])], dim=1)  # (B, 2, 3)
    states = [state]
    for measured in positions.unbind(1)[1:]:
        state = transition @ state + push[:, None] * gravity  # 1. predict
        covariance = transition @ covariance @ transition.T + process_noise
        gain = covariance[:, :1] / (covariance[0, 0] + NOISE**2)  # 2. how far to believe the measurement
        innovation = measured - state[:, 0]  # what the measurement says that was not expected
        state = state + gain * innovation[:, None]  # 3. correct
        covariance = covariance - gain @ covariance[:1]
        states.append(state)
    return torch.stack(states, dim=1).unbind(2)


def extrapolated(positions, acceleration=ACCELERATION):
    """How far the ball moves in LEAD_TIME by the filter and gravity alone, (B, T, 3) m."""
    position, velocity = kalman_filter(positions, acceleration)
    return position - positions + velocity * LEAD_TIME + torch.tensor(GRAVITY) * LEAD_TIME**2 / 2


class Recurrent(nn.Module):
    """A network that reads a sequence (B, T, inputs) and gives three numbers at every frame, (B, T, 3)."""

    def __init__(self, inputs, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.lstm, self.output = nn.LSTM(inputs, UNITS, batch_first=True), nn.Linear(UNITS, 3)

    def forward(self, x):
        return self.output(self.lstm(x)[0])


def filtered(positions):
    """What the network behind the filter reads (B, T, 15): positions, the filter's estimates, and what it expects."""
    position, velocity = kalman_filter(positions)
    return torch.cat(
        [features(positions), (position - positions) / NOISE, velocity / SPEED, extrapolated(positions)], -1
    )


class Correcting(Recurrent):
    """A network that corrects what filter and gravity expect: it has to learn only what these two do not know."""

    def __init__(self, seed=0):
        super().__init__(15, seed)

    def forward(self, x):
        return x[..., -3:] + super().forward(x)


def trained(count=BALLS, steps=STEPS):
    """Both networks, trained on the same balls for as many steps: (from positions alone, behind the filter)."""
    inputs, targets = positions(count)
    alone = train(Recurrent(6), features(inputs), targets, steps)
    return alone, train(Correcting(), filtered(inputs), targets, steps)


def own_errors(alone, correcting, count=TEST_BALLS):
    """name -> errors (B, T) mm on test balls, of the filter and of both networks."""
    inputs, targets = positions(count, purpose="test")
    return {
        "filter": errors(extrapolated, inputs, targets),
        "network": errors(alone, features(inputs), targets),
        "filter and network": errors(correcting, filtered(inputs), targets),
    }


def shipped(count=SHIPPED_BALLS, frames=SHOWN):
    """(name -> errors (B, F) mm, name -> share of the balls in the 90 % region (F,)) of Ballcast's own predictors."""
    inputs, targets = (a.double().numpy() for a in positions(TEST_BALLS, purpose="test"))
    times, off, held = np.arange(inputs.shape[1]) / RATE, {}, {}
    for name, predictor in networks(*SHIPPED).items():
        off[name], held[name] = np.full((count, len(frames)), np.nan), np.full(len(frames), np.nan)
        for column, last in enumerate(frames):
            if last + 1 >= predictor.min_frames:
                tracks = [Track(times[: last + 1], path[: last + 1]) for path in inputs[:count]]
                truth = (inputs + targets)[:count, last]
                off[name][:, column], held[name][column] = scores(predictor, tracks, times[last] + LEAD_TIME, truth)
    return off, held


def scores(predictor, tracks, time, truth):
    """(errors (B,) mm, the share of balls in the 90 % region) of forecasts of tracks at a time, s; truth (B, 3) m."""
    forecasts = predictor.forecast_batch(tracks, np.full((len(tracks), 1), time))
    means = np.array([forecast.mean[0] for forecast in forecasts])
    if any(forecast.covariance is None for forecast in forecasts):
        return 1e3 * distance(means, truth), np.nan
    covariances = np.array([forecast.covariance[0] for forecast in forecasts])
    return 1e3 * distance(means, truth), in_region(means, covariances, truth, 0.9).mean()


def by_noise(accelerations=ACCELERATIONS):
    """Errors (len(accelerations), T) mm, median over test balls, of filters that expect such accelerations."""
    inputs, targets = positions(TEST_BALLS, purpose="test")
    return [np.median(errors(lambda x, a=a: extrapolated(x, a), inputs, targets), axis=0) for a in accelerations]


def bouncing(frame):
    """Which test balls (B,) bounce in the LEAD_TIME after a frame: gravity alone would take them lower by far."""
    inputs, targets = positions(TEST_BALLS, purpose="test")
    return ((targets - extrapolated(inputs))[:, frame, 2] > RISE).numpy()


def print_row(page, name, values):
    page.print(f"{name:34}" + "".join(f"{value:7.0f}" for value in values))


def print_exercises(page, results):
    """The figures of both solutions."""
    page.next_block()
    page.print(f"filter alone, error {LEAD_TIME:g} s ahead, mm, median")
    print_row(page, "frames seen", [frame + 1 for frame in SHOWN])
    for acceleration, row in zip(ACCELERATIONS, by_noise()):
        print_row(page, f"expects {acceleration:g} m/s2 besides gravity", row[list(SHOWN)])
    page.next_block()
    bounces = bouncing(SHOWN[3])
    page.print(f"error after {SHOWN[3] + 1} frames, mm, median      bounce ahead   no bounce")
    for name, rows in results.items():
        both = (np.median(rows[which, SHOWN[3]]) for which in (bounces, ~bounces))
        page.print(f"{name:34}" + "".join(f"{value:12.0f}" for value in both))


def main():
    page = Page("beyond")
    page.code(kalman_filter, extrapolated)
    page.code(Recurrent, filtered, Correcting)
    page.print(f"error {LEAD_TIME:g} s ahead, mm, median of {TEST_BALLS} balls")
    print_row(page, "frames seen", [frame + 1 for frame in SHOWN])
    results = own_errors(*trained())
    for name, rows in results.items():
        print_row(page, name, np.median(rows, axis=0)[list(SHOWN)])
    page.next_block()
    off, held = shipped()
    page.print(f"as they ship: error {LEAD_TIME:g} s ahead, mm, median of {SHIPPED_BALLS} of these balls")
    print_row(page, "frames seen", [frame + 1 for frame in SHOWN])
    for name, rows in off.items():
        print_row(page, name, np.median(rows, axis=0))
    page.print("balls inside the 90 % region, %")
    for name in [name for name, shares in held.items() if np.isfinite(shares).any()]:
        print_row(page, name, 100 * held[name])
    print_exercises(page, results)
    draw_parts(page)
    draw(page, results, off)
    page.close()


def draw_parts(page):
    """The drawing: measurements go through a filter, a network and a simulator."""
    figure, plot = page.figure(1, 9.0, 2.4)
    empty(plot, (0, 11.4), (0, 2.4))
    knows = {"camera": "", "filter": "knows physics\nand noise", "network": "knows what\nballs do",
             "simulator": "knows what\nis possible"}  # fmt: skip
    for k, (name, text) in enumerate(knows.items()):
        box(plot, (1.1 + 3.05 * k, 1.3), name, ORANGE if name == "network" else BLUE, size=(1.6, 0.8))
        plot.text(1.1 + 3.05 * k, 0.75, text, ha="center", va="top", fontsize=8)
    for k, word in enumerate(("positions", "estimates", "corrections")):
        arrow(plot, (1.1 + 3.05 * k, 1.3), (4.15 + 3.05 * k, 1.3), word, gap=0.85, beside=(0.0, 0.22))
    page.save(figure, "drawing")


def draw(page, results, off):
    """Errors against the number of frames: of the lesson's own networks, and of the predictors that ship."""
    figure, (left, right) = page.figure(2)
    frames = np.arange(results["network"].shape[1]) + 1
    for name, rows in results.items():
        left.semilogy(frames, np.median(rows, axis=0), color=COLORS[name], label=name)
    finish(left, xlabel="frames seen", ylabel="error 0.2 s ahead, mm", title="from positions alone", ylim=(5, 1500))
    for name, rows in off.items():
        right.semilogy(np.array(SHOWN) + 1, np.median(rows, axis=0), marker=".", **line_style(name))
    finish(right, xlabel="frames seen", title="as they ship", ylim=(5, 1500))
    page.save(figure)


if __name__ == "__main__":
    main()
