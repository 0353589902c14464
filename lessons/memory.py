"""What only the past knows: two balls that are, now, in the same place at the same speed, and spin the other way round.

python -m lessons.memory
"""

import numpy as np
from ballcast.tracks import Track

from ballcast import sim
from lessons.balls import NOISE, RATE, errors, interval, last, networks, some
from lessons.page import Page, color_of

NAMES = ("mlp", "rnn", "gru")
PLACE, VELOCITY = np.array([0.1, -0.7, 0.45]), np.array([0.2, 6.0, 0.6])  # m, m/s: of both balls, now
SPIN = np.array([-200.0, 0.0, 0.0])  # rad/s: topspin; of the other ball backspin
PAST, AHEAD, SOON = 54, 0.25, 0.2  # frames seen; s drawn ahead; s asked
GIVEN = (4, 6, 9, 14, 20, 30, 42, 54)  # frames
FRAMES, BALLS, ASKED = (3, 4, 6, 9, 14, 20, 30, 45, 60), 500, 0.3  # of the many balls; s ahead


def launch_for(sport, spin, seconds):
    """The launch (9,) of a ball that is at PLACE with VELOCITY and (nearly) that spin, so many seconds on: Newton."""
    state, moment = np.r_[PLACE - seconds * VELOCITY, VELOCITY, spin], 0.005
    times = np.array([seconds, seconds + moment])
    for _ in range(20):
        flight, jacobian = sim.simulate_with_jacobian(sport, state[None, :3], state[None, 3:6], state[None, 6:], times)
        wanted = np.stack([PLACE, PLACE + moment * VELOCITY + 0.5 * moment**2 * np.array([0, 0, -9.81])])
        off = (wanted - flight.position[0]).ravel()
        state[:6] += np.linalg.solve(jacobian[0, :, :, :6].reshape(6, 6), off)
    return state


def twins():
    """Of topspin and backspin: (Track seen, times ahead (H,) s, where it goes (H, 3) m), and the true past."""
    sport, chance, found = sim.load("table_tennis"), np.random.default_rng(0), []
    past, ahead = np.arange(PAST) / RATE, np.linspace(0.01, AHEAD, 25)
    noise = NOISE * chance.standard_normal((PAST, 3))
    for sign in (1.0, -1.0):
        state = launch_for(sport, sign * SPIN, past[-1])
        flight = sim.simulate(sport, state[None, :3], state[None, 3:6], state[None, 6:], np.r_[past, past[-1] + ahead])
        path = flight.position[0]
        found.append((Track(past, path[:PAST] + noise), past[-1] + ahead, path[PAST:]))
    return found


def parted(predictor, pair, frames):
    """How far apart the forecasts of both balls are SOON, m, by their last so many frames."""
    middle = [predictor.forecast(last(track, frames), track.time[-1:] + SOON).mean[0] for track, _, _ in pair]
    return np.linalg.norm(middle[0] - middle[1])


def by_history(predictors, count=BALLS):
    """name -> errors (B, len(FRAMES)) m: the same balls at the same moment, of which only the last frames are given."""
    suite = some(count)
    rows = np.array([i for i, track in enumerate(suite.tracks) if len(track) >= max(FRAMES)])
    seen = [suite.tracks[i] for i in rows]
    seen = [Track(track.time[: max(FRAMES)], track.position[: max(FRAMES)]) for track in seen]
    times = np.array([track.time[-1] for track in seen])[:, None] + ASKED
    truth = suite.flight(rows, times).position
    return {
        name: np.stack([errors(p, [last(t, n) for t in seen], times, truth)[:, 0] for n in FRAMES], 1)
        for name, p in predictors.items()
    }


def main():
    page, predictors, pair = Page("memory"), networks(*NAMES), twins()
    (_, times, up), (_, _, down) = pair
    soon = np.searchsorted(times, pair[0][0].time[-1] + SOON - 1e-9)
    page.say(f"two balls in the same place at the same speed, spin {-SPIN[0]:.0f} and {SPIN[0]:.0f} rad/s: "
             f"{SOON:g} s on they are {1e3 * np.linalg.norm(up[soon] - down[soon]):.0f} mm apart")  # fmt: skip
    page.say(f"{'forecasts apart, mm; frames given':36}" + "".join(f"{n:>7}" for n in GIVEN))
    for name, predictor in predictors.items():
        page.say(f"{name:36}" + "".join(f"{1e3 * parted(predictor, pair, n):7.0f}" for n in GIVEN))
    found = by_history(predictors)
    count = len(found["gru"])
    page.say(f"\nerror {ASKED:g} s ahead, mm, median of {count} balls; of each only the last frames are given")
    page.say(f"{'frames given':36}" + "".join(f"{n:>7}" for n in FRAMES))
    for name, off in found.items():
        page.say(f"{name:36}" + "".join(f"{1e3 * v:7.0f}" for v in np.median(off, axis=0)))
    page.say(f"{'half an interval of 95 %, gru':36}" + "".join(f"{1e3 * interval(e):7.0f}" for e in found["gru"].T))
    drawn(page, predictors, pair, found)


def drawn(page, predictors, pair, found):
    """Both balls from the side with what is forecast of them, and the errors."""
    figure, (side, many) = page.figure(2)
    for (track, times, path), how in zip(pair, ("topspin", "backspin")):
        side.plot(track.position[:, 1], track.position[:, 2], ".", color="#7a7a7a", markersize=2)
        side.plot(
            path[:, 1], path[:, 2], color="#000000", linewidth=0.8, label="both balls" if how == "topspin" else None
        )
        for name in ("mlp", "gru"):
            mean = predictors[name].forecast(last(track, PAST if name == "gru" else 3), times).mean
            label = {"mlp": "mlp, 3 frames", "gru": f"gru, {PAST} frames"}[name] if how == "topspin" else None
            side.plot(mean[:, 1], mean[:, 2], **color_of(name) | {"label": label})
    side.set_xlabel("along the table, m")
    side.set_ylabel("height, m")
    side.legend(fontsize=7)
    for name, off in found.items():
        many.loglog(FRAMES, 1e3 * np.median(off, axis=0), marker=".", **color_of(name))
    many.set_xlabel("frames given")
    many.set_ylabel(f"error {ASKED:g} s ahead, mm")
    many.set_xticks([3, 10, 30, 60], ["3", "10", "30", "60"])
    many.minorticks_off()
    many.set_yticks([20, 50, 100, 200], ["20", "50", "100", "200"])
    many.legend(fontsize=7)
    page.close(figure)


if __name__ == "__main__":
    main()
