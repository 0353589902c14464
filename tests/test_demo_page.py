"""The page of docs/demo.html in headless Chromium: its scripts compute what Python computes."""

import itertools
import json
import re
import shutil
import subprocess

import numpy as np
import pytest

from ballcast import sim
from tools.demo import build

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chrome")
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
         "--disable-background-networking", "--disable-component-update", "--virtual-time-budget=2000")  # fmt: skip
CHECK = """
<!doctype html><pre id="answer"></pre><script type="application/json" id="data">DATA</script><script>
SCRIPTS
const data = JSON.parse(document.getElementById("data").textContent);
const follower = new Forecaster({ weights: readWeights(data.weights), constants: data.constants });
const forecasts = data.frames.map((frames) => {
  follower.restart();
  for (const [t, ...p] of frames) follower.observe(t, p);
  return follower.forecast();
});
const flights = data.launches.map((launch) => {
  const flight = new Flight(data.sport, { position: launch.slice(0, 3), velocity: launch.slice(3, 6),
    spin: launch.slice(6) });
  return data.times.map((t) => flight.advance(t).p);
});
document.getElementById("answer").textContent = JSON.stringify({ forecasts, flights });
</script>
"""


def run(page, folder):
    """What the page wrote into #answer."""
    (folder / "check.html").write_text(page)
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={folder / 'profile'}", "--dump-dom", f"file://{folder}/check.html"]
    dom = subprocess.run(command, capture_output=True, text=True, timeout=120).stdout
    return json.loads(re.search(r'<pre id="answer">(.+?)</pre>', dom, re.DOTALL)[1])


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """(page's answers, whole network in torch, balls, flights of the engine) of the same balls."""
    torch = pytest.importorskip("torch")
    if CHROMIUM is None:
        pytest.skip("no Chromium here")
    from ballcast.models.nets import export
    from ballcast.models.registry import require_weights

    sport = sim.load("table_tennis")
    balls = sim.draw(sport, 6, seed=1, purpose="test", duration=0.4)
    ends = itertools.pairwise(balls.offsets)
    frames = [np.column_stack([balls.time[a:b], balls.position[a:b]]) for a, b in ends]
    launches = [launch for kind in build.sport_numbers(sport)["throws"].values() for launch in kind[:4]]
    times = np.linspace(0.02, 0.8, 40)
    data = {"sport": build.sport_numbers(sport), **build.network_numbers("gru_raw", sport), "launches": launches,
            "frames": [f.tolist() for f in frames], "times": times.tolist()}  # fmt: skip
    page = CHECK.replace("DATA", json.dumps(data)).replace("SCRIPTS", build.scripts())
    whole, found = export.load_whole(require_weights("gru_raw", sport), sport), []
    for ball in frames:
        frame, history, state = whole.before(1)
        with torch.no_grad():
            for row in ball:
                *forecast, history, state = whole(torch.from_numpy(row[None]), history, state)
        found.append([part[0].numpy() for part in forecast])
    position, velocity, spin = np.split(np.array(launches), 3, axis=1)
    flight = sim.simulate(sport, position, velocity, spin, times)
    return run(page, tmp_path_factory.mktemp("page")), found, flight.position


def test_the_network_of_the_page_forecasts_what_pythons_does(answers):
    page, python, _ = answers
    for page_forecast, (mean, covariance, landing, landing_covariance) in zip(page["forecasts"], python, strict=True):
        assert np.abs(np.array(page_forecast["mean"]) - mean).max() < 1e-3  # m
        assert np.allclose(page_forecast["covariance"], covariance, rtol=0.02, atol=1e-7)
        assert abs(page_forecast["landing"]["probability"] - landing[0]) < 1e-3
        assert np.abs(np.array(page_forecast["landing"]["position"]) - landing[2:]).max() < 1e-3
        assert np.allclose(page_forecast["landing"]["covariance"], landing_covariance, rtol=0.02, atol=1e-6)


def test_the_simulator_of_the_page_flies_as_the_engine(answers):
    page, _, flown = answers
    off = np.linalg.norm(np.array(page["flights"]) - flown, axis=2)
    assert np.median(off.max(axis=1)) < 1e-3 and np.quantile(off, 0.95) < 5e-3  # m; an edge or the net may part two
    assert (np.diff(np.sign(np.diff(flown[:, :, 2], axis=1)), axis=1) > 0).any(axis=1).mean() > 0.5  # balls bounce


def test_the_page_that_ships_is_the_one_that_is_built():
    pytest.importorskip("torch")
    page = (build.FOLDER.parents[1] / "docs" / "demo.html").read_text()
    assert page == build.build("gru_raw", sim.load("table_tennis"))
    assert len(page) < 3e6 and "http" not in page
