"""Two balls that have the same position and velocity now, and opposite spin; and what networks forecast for them."""

import numpy as np
import torch

from ballcast import sim
from ballcast.tracks import Track
from lessons.positions import NOISE, RATE

POSITION, VELOCITY = np.array([0.1, -0.7, 0.45]), np.array([0.2, 6.0, 0.6])  # m, m/s: of both balls of the pair, now
SPIN = np.array([-200.0, 0.0, 0.0])  # rad/s: topspin; the other ball has backspin
LOW = (-0.1, -3.0, -0.5, -0.1, 5.5, -0.5, -300.0, 0.0, 0.0)  # m, m/s, rad/s: launches of balls with much spin
HIGH = (0.3, -0.7, 0.6, 0.5, 9.0, 6.0, 300.0, 0.0, 0.0)
PAST, AHEAD, NOISES = 18, 0.2, 100  # frames; s; how many times both balls are measured


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
    """True positions (2, PAST + 12, 3) m of a ball with topspin and one with backspin, RATE frames a second; at frame
    PAST - 1 both have the same position and velocity."""
    sport, times, paths = sim.load("table_tennis"), np.arange(PAST + 12) / RATE, []
    for sign in (1.0, -1.0):
        state = launch_for(sport, sign * SPIN, times[PAST - 1])
        paths.append(sim.simulate(sport, state[None, :3], state[None, 3:6], state[None, 6:], times).position[0])
    return np.array(paths)


def measured(pair):
    """The pair's past (NOISES, 2, PAST, 3) m, measured many times; the noise of both balls is the same."""
    noise = NOISE * np.random.default_rng(0).standard_normal((NOISES, 1, PAST, 3))
    return pair[:, :PAST] + noise


def spinning(count, seed=0):
    """Balls in the air with much topspin or backspin: measured positions and true displacements (B, PAST, 3) m."""
    generator, times = np.random.default_rng(seed), np.arange(PAST + 12) / RATE
    low, high = np.array([LOW, HIGH])
    launches = np.split(generator.uniform(low, high, (count, 9)), 3, axis=1)
    path = sim.simulate(sim.load("table_tennis").without("table", "net"), *launches, times).position
    noise = NOISE * generator.standard_normal((count, PAST, 3))
    now, later = path[:, :PAST], path[:, 12:]
    return torch.tensor(now + noise, dtype=torch.float32), torch.tensor(later - now, dtype=torch.float32)


def apart(pair, forecasts):
    """How far, m, the forecasts (N, 2, 3) of both balls are apart along the line on which the balls will be: 0 if they
    are the same, negative if they are the wrong way round. Median over N."""
    difference = pair[0, PAST + 11] - pair[1, PAST + 11]
    return float(np.median((forecasts[:, 0] - forecasts[:, 1]) @ difference) / np.linalg.norm(difference))


def own_forecasts(network, read, tracks):
    """Forecasts (N, 2, 3) m of one of the lessons' networks from tracks (N, 2, n, 3) m; `read` makes its inputs."""
    flat = torch.tensor(tracks, dtype=torch.float32).flatten(0, 1)
    with torch.no_grad():
        ahead = network(read(flat))[:, -1]
    return (flat[:, -1] + ahead).reshape(*tracks.shape[:2], 3).numpy()


def shipped_forecasts(predictor, tracks):
    """The same of a predictor that ships."""
    times = np.arange(tracks.shape[2]) / RATE
    histories = [Track(times, track) for track in tracks.reshape(-1, *tracks.shape[2:])]
    ahead = np.full((len(histories), 1), times[-1] + AHEAD)
    return np.array([f.mean[0] for f in predictor.forecast_batch(histories, ahead)]).reshape(*tracks.shape[:2], 3)
