"""What only the past shows: two balls that have the same position and velocity now, and opposite spin."""

import numpy as np

from ballcast import sim
from ballcast.tracks import Track
from lessons.balls import NOISE, RATE, errors, interval, make_cases, networks
from lessons.page import Page, finish, line_style

MODELS = ("mlp", "rnn", "gru")
POSITION, VELOCITY = np.array([0.1, -0.7, 0.45]), np.array([0.2, 6.0, 0.6])  # m, m/s: of both balls, now
SPIN = np.array([-200.0, 0.0, 0.0])  # rad/s: topspin; the other ball has backspin
HISTORY_FRAMES, PAIR_DURATION, PAIR_LEAD_TIME = 54, 0.25, 0.2  # frames; s ahead that are drawn; s ahead that are scored
HISTORY_LENGTHS = (4, 6, 9, 14, 20, 30, 42, 54)  # frames
FRAMES, BALL_COUNT, LEAD_TIME = (3, 4, 6, 9, 14, 20, 30, 45, 60), 500, 0.3  # for the many balls; s ahead


def launch_for(sport, spin, seconds):
    """The launch (9,) of a ball that has POSITION, VELOCITY and (nearly) this spin after `seconds`; by Newton."""
    state, moment = np.r_[POSITION - seconds * VELOCITY, VELOCITY, spin], 0.005
    times = np.array([seconds, seconds + moment])
    for _ in range(20):
        flight, jacobian = sim.simulate_with_jacobian(sport, state[None, :3], state[None, 3:6], state[None, 6:], times)
        targets = np.stack([POSITION, POSITION + moment * VELOCITY + 0.5 * moment**2 * np.array([0, 0, -9.81])])
        off = (targets - flight.position[0]).ravel()
        state[:6] += np.linalg.solve(jacobian[0, :, :, :6].reshape(6, 6), off)
    return state


def spin_pair():
    """(history, times (H,) s, true positions (H, 3) m) of the ball with topspin and of the one with backspin."""
    sport, generator, results = sim.load("table_tennis"), np.random.default_rng(0), []
    past, lead_times = np.arange(HISTORY_FRAMES) / RATE, np.linspace(0.01, PAIR_DURATION, 25)
    noise = NOISE * generator.standard_normal((HISTORY_FRAMES, 3))
    for sign in (1.0, -1.0):
        state = launch_for(sport, sign * SPIN, past[-1])
        times = np.r_[past, past[-1] + lead_times]
        path = sim.simulate(sport, state[None, :3], state[None, 3:6], state[None, 6:], times).position[0]
        results.append((Track(past, path[:HISTORY_FRAMES] + noise), past[-1] + lead_times, path[HISTORY_FRAMES:]))
    return results


def separation(predictor, pair, frames):
    """Distance, m, between the forecasts for both balls, PAIR_LEAD_TIME ahead, from their last `frames` frames."""
    times = pair[0][0].time[-1:] + PAIR_LEAD_TIME
    a, b = (predictor.forecast(track[-frames:], times).mean[0] for track, _, _ in pair)
    return np.linalg.norm(a - b)


def by_history(predictors, count=BALL_COUNT):
    """name -> errors (B, len(FRAMES)) m on the same balls at the same moment, given only their last frames."""
    histories, times, truth = make_cases(count, max(FRAMES), LEAD_TIME)
    cut = [[track[-n:] for track in histories] for n in FRAMES]
    return {k: np.stack([errors(p, h, times, truth)[:, 0] for h in cut], 1) for k, p in predictors.items()}


def main():
    page, predictors, pair = Page("memory"), networks(*MODELS), spin_pair()
    (_, times, up), (_, _, down) = pair
    k = np.searchsorted(times, pair[0][0].time[-1] + PAIR_LEAD_TIME - 1e-9)
    page.print(f"two balls with the same position and velocity, spin {-SPIN[0]:.0f} and {SPIN[0]:.0f} rad/s: "
               f"{PAIR_LEAD_TIME:g} s later they are {1e3 * np.linalg.norm(up[k] - down[k]):.0f} mm apart")  # fmt: skip
    page.print(f"{'forecasts apart, mm; frames given':36}" + "".join(f"{n:>7}" for n in HISTORY_LENGTHS))
    for name, predictor in predictors.items():
        page.print(f"{name:36}" + "".join(f"{1e3 * separation(predictor, pair, n):7.0f}" for n in HISTORY_LENGTHS))
    results = by_history(predictors)
    count = len(results["gru"])
    page.print(f"\nerror {LEAD_TIME:g} s ahead, mm, median of {count} balls; only the last frames of each are given")
    page.print(f"{'frames given':36}" + "".join(f"{n:>7}" for n in FRAMES))
    for name, off in results.items():
        page.print(f"{name:36}" + "".join(f"{1e3 * v:7.0f}" for v in np.median(off, axis=0)))
    page.print(f"{'half the 95 % interval, gru':36}" + "".join(f"{1e3 * interval(e):7.0f}" for e in results["gru"].T))
    draw(page, predictors, pair, results)


def draw(page, predictors, pair, results):
    """Both balls from the side with their forecasts, and the errors on many balls."""
    figure, (side, many) = page.figure(2)
    for (track, times, path), how in zip(pair, ("topspin", "backspin")):
        side.plot(track.position[:, 1], track.position[:, 2], ".", color="#7a7a7a", markersize=2)
        label = "both balls" if how == "topspin" else None
        side.plot(path[:, 1], path[:, 2], color="#000000", linewidth=0.8, label=label)
        for name in ("mlp", "gru"):
            mean = predictors[name].forecast(track[-(HISTORY_FRAMES if name == "gru" else 3) :], times).mean
            label = {"mlp": "mlp, 3 frames", "gru": f"gru, {HISTORY_FRAMES} frames"}[name] if how == "topspin" else None
            side.plot(mean[:, 1], mean[:, 2], **line_style(name) | {"label": label})
    finish(side, xlabel="along the table, m", ylabel="height, m")
    for name, off in results.items():
        many.loglog(FRAMES, 1e3 * np.median(off, axis=0), marker=".", **line_style(name))
    many.set_xticks([3, 10, 30, 60], ["3", "10", "30", "60"])
    many.minorticks_off()
    many.set_yticks([20, 50, 100, 200], ["20", "50", "100", "200"])
    finish(many, xlabel="frames given", ylabel=f"error {LEAD_TIME:g} s ahead, mm")
    page.save(figure)
    page.close()


if __name__ == "__main__":
    main()
