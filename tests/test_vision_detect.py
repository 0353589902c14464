"""`ballcast detect`: arcs, hits and bounces of a path; its files; and what it says where there is nothing to find."""

import csv
import subprocess
import sys

import clips
import numpy as np
import pytest

cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed (extra video)")

from ballcast import sim  # noqa: E402
from ballcast.tracks import Camera, read_cameras, read_pixels, write_cameras  # noqa: E402
from ballcast.vision import detect  # noqa: E402
from ballcast.vision.arcs import find_arcs, find_kinks  # noqa: E402
from ballcast.vision.bounces import drag_of, find_happenings, refined  # noqa: E402
from ballcast.vision.candidates import CandidateFinder  # noqa: E402
from ballcast.vision.filming import looking  # noqa: E402
from ballcast.vision.video import VideoError  # noqa: E402

SIZE = 1280, 720


@pytest.fixture(autouse=True)
def without_network(monkeypatch):
    """The way without weights: these tests are about what is made of candidates."""
    monkeypatch.setattr("ballcast.vision.finders.open_finder", lambda network=None, **others: CandidateFinder())


def beside(size=SIZE, centre=(5.0, -0.4, 2.0)):
    """A camera beside a table, 5 m away and 2 m high."""
    R = looking(np.array(centre), np.array([0.0, 0.0, 0.1]))
    K = np.array(
        [[1.1 * size[0], 0.0, 0.5 * (size[0] - 1)], [0.0, 1.1 * size[0], 0.5 * (size[1] - 1)], [0.0, 0.0, 1.0]]
    )
    return Camera(K, [], R, -R @ centre, size, "beside")


def path(seed=0, rate=50.0, noise=1.0, camera=None):
    """Sport, camera, rally, times (s), pixels and bounces (s, m) of table tennis as the camera beside it sees it."""
    sport, camera = sim.load("table_tennis"), camera or beside()
    rally = sim.rally(sport, seed)
    times = np.arange(0.0, rally.end - 1.0, 1.0 / rate)
    pixels = camera.project(rally.position(times))
    pixels += np.random.default_rng(seed).normal(0.0, noise, pixels.shape)
    pixels[::11] = np.nan
    landing = sport.landing_surfaces
    bounces = [
        (float(t), p) for stroke in rally.strokes
        for t, p, surface in zip(stroke.impacts.time, stroke.impacts.position, stroke.impacts.surface)
        if surface in landing and p[2] > -0.1
    ]  # fmt: skip
    return sport, camera, rally, times, pixels, bounces


def test_a_path_is_cut_where_it_bends():
    times = np.arange(60) / 30.0
    bend, after = 1.013, times - 1.013
    u = 100.0 + 500.0 * times
    v = np.where(
        times < bend, 100.0 + 300.0 * times * times, 100.0 + 300.0 * bend**2 - 420.0 * after + 300.0 * after**2
    )
    pixels = np.stack([u, v], axis=1) + np.random.default_rng(0).normal(0.0, 1.0, (60, 2))
    pixels[[7, 20]] = np.nan
    pixels[40] += [90.0, -60.0]  # something else, once
    arcs = find_arcs(times, pixels, 720.0)
    (kink,) = find_kinks(arcs, 720.0, 1.0 / 30.0)
    assert len(arcs) == 2 and kink.time == pytest.approx(bend, abs=0.006)
    np.testing.assert_allclose(kink.before, [500.0, 600.0 * bend], rtol=0.1)
    np.testing.assert_allclose(kink.after, [500.0, -420.0], rtol=0.1)


def test_one_parabola_is_one_arc_and_a_short_path_none():
    times = np.arange(40) / 50.0
    pixels = np.stack([200.0 + 900.0 * times, 300.0 - 500.0 * times + 700.0 * times**2], axis=1)
    assert len(find_arcs(times, pixels, 720.0)) == 1
    assert not find_arcs(times[:2], pixels[:2], 720.0) and not find_arcs(times, np.full((40, 2), np.nan), 720.0)
    assert find_happenings(times[:0], pixels[:0], SIZE) == []


@pytest.mark.parametrize("seed", range(3))
def test_bounces_are_where_and_as_fast_as_they_were(seed):
    sport, camera, rally, times, pixels, bounces = path(seed)
    found = find_happenings(times, pixels, SIZE, sport, lambda time: camera)
    found = [event for event in found if event.kind == "bounce"]
    right, asked = 0, [(time, place) for time, place in bounces if 0.1 < time < times[-1] - 0.1]
    for time, place in asked:
        near = [event for event in found if abs(event.time - time) < 0.02]
        if near:
            right += 1
            assert np.hypot(*(near[0].place - place)[:2]) < 0.12
            before, after = (np.linalg.norm(rally.state([time + s])[1]) for s in (-2e-3, 2e-3))
            assert near[0].speed_before == pytest.approx(before, rel=0.25)
            assert near[0].speed_after == pytest.approx(after, rel=0.35)
    wrong = [event for event in found if min(abs(event.time - time) for time, _ in bounces) > 0.02]
    assert len(asked) >= 2 and right >= 0.75 * len(asked) and len(wrong) <= 2


def test_a_camera_that_stands_still_knows_speeds_along_its_line_of_sight():
    sport, camera, rally, times, pixels, bounces = path(2, 30.0, camera=beside(centre=(0.6, -6.5, 2.2)))
    rough = find_happenings(times, pixels, SIZE, sport, lambda time: camera)
    fine = refined(rough, times, pixels, sport, camera)
    off: dict[str, list[float]] = {"rough": [], "fine": []}
    for key, events in (("rough", rough), ("fine", fine)):
        for time, _ in bounces:
            near = [event for event in events if event.kind == "bounce" and abs(event.time - time) < 0.05]
            off[key] += [abs(near[0].speed_before - np.linalg.norm(rally.state([time - 2e-3])[1]))] if near else []
    assert len(off["rough"]) >= 2 and sum(off["fine"]) < 0.75 * sum(off["rough"])
    assert [event.kind for event in fine] == [event.kind for event in rough]


def test_hits_are_no_bounces():
    sport, camera, rally, times, pixels, _ = path(1)
    events = find_happenings(times, pixels, SIZE, sport, lambda time: camera)
    hits = [stroke.time for stroke in rally.strokes if 0.1 < stroke.time < times[-1] - 0.1]
    kinds = [event.kind for time in hits for event in events if abs(event.time - time) < 0.025]
    assert len(hits) >= 1 and kinds.count("hit") >= 0.75 * len(hits) and "bounce" not in kinds


def test_air_brakes_light_balls_more():
    assert drag_of(sim.load("table_tennis")) == pytest.approx(0.13, abs=0.04)
    assert drag_of(sim.load("soccer")) < 0.3 * drag_of(sim.load("table_tennis"))


WIDE = 640, 360


def rolling(k, size=WIDE):
    """A picture with a ball that flies and bounces, between frames 5 and 34."""
    wall = cv2.resize(np.random.default_rng(99).uniform(60.0, 120.0, (90, 160)), size).repeat(3).reshape(*size[::-1], 3)
    image = (wall + np.random.default_rng(k).normal(0.0, 2.0, wall.shape)).astype(np.uint8)
    s = k - 5
    if 0 <= s < 30:
        v = 60.0 + 0.5 * s * s if s < 20 else 260.0 - 16.0 * (s - 20) + 0.5 * (s - 20) ** 2
        cv2.circle(image, (round(8 * (30.0 + 18.0 * s)), round(8 * v)), 40, (240, 240, 240), -1, cv2.LINE_AA, 3)
    return image


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return clips.write_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", [rolling(k) for k in range(40)], 30.0)


def rows_of(file):
    with open(file, newline="") as lines:
        return list(csv.DictReader(lines))


def test_the_files_of_a_clip(clip, tmp_path, capsys):
    out, events, camera = tmp_path / "pixels.csv", tmp_path / "events.csv", tmp_path / "camera.yaml"
    detect.run(detect.Options(str(clip), out=out, events=events))
    rows = rows_of(out)
    assert len(rows) == 40 and tuple(rows[0]) == detect.PIXEL_COLUMNS
    seen = [row for row in rows if row["u"]]
    off = [abs(float(row["u"]) - (30.0 + 18.0 * (int(row["frame"]) - 5))) for row in seen]
    assert len(seen) >= 24 and np.median(off) < 1.5
    assert all(row["probability"] == "0.000" and not row["flight"] for row in rows if not row["u"])
    (bend,) = rows_of(events)
    assert bend["kind"] == "bounce" and float(bend["frame"]) == pytest.approx(25.0, abs=0.5) and bend["unit"] == "px/s"
    assert "1 flight; 0 hits, 1 bounce" in capsys.readouterr().out
    write_cameras(camera, [beside(WIDE)])
    track = read_pixels(out, read_cameras(camera))
    assert len(track.time) == len(seen) and track.diameter is not None
    np.testing.assert_array_equal(track.pixel[:, 0], [float(row["u"]) for row in seen])


def test_with_a_camera_that_moves_or_of_another_size(clip, tmp_path):
    moving = tmp_path / "cameras.csv"
    moving.write_text("frame,f,rx,ry,rz,tx,ty,tz\n" + "".join(f"{k},400,1.6,0.1,0,0,0.2,6\n" for k in range(40)))
    camera_at = detect.read_camera_at(moving, WIDE, 30.0)
    assert camera_at(0.5).size == WIDE and camera_at(5.0) is None
    write_cameras(tmp_path / "camera.yaml", [beside()])
    with pytest.raises(ValueError, match="1280 x 720 px, and the video has 640 x 360"):
        detect.read_camera_at(tmp_path / "camera.yaml", WIDE, 30.0)


@pytest.mark.parametrize("kind", ["still", "empty", "portrait"])
def test_a_clip_without_a_ball_gives_rows_without_places(kind, tmp_path, capsys):
    size = (96, 160) if kind == "portrait" else (160, 96)
    pictures = [np.random.default_rng(k).normal(90.0, 2.0, (size[1], size[0], 3)) for k in range(20)]
    pictures = [image.clip(0, 255).astype(np.uint8) for image in pictures]
    pictures = [pictures[0]] * 20 if kind == "still" else pictures
    clip, out, events = clips.write_clip(tmp_path / "clip.mp4", pictures), tmp_path / "p.csv", tmp_path / "e.csv"
    detect.run(detect.Options(str(clip), out=out, events=events))
    assert events.read_text().splitlines() == [",".join(detect.EVENT_COLUMNS)]
    assert out.read_text().startswith(",".join(detect.PIXEL_COLUMNS)) and not any(row["u"] for row in rows_of(out))
    assert "no ball was found" in capsys.readouterr().out


def test_ctrl_c_leaves_nothing_behind(clip, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("ballcast.vision.follow.Follower.observe", lambda self, frame: stop())

    def stop():
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as caught:
        detect.run(detect.Options(str(clip), out=tmp_path / "p.csv"))
    assert caught.value.code == 130 and capsys.readouterr().err.count("\n") == 1 and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "options, says",
    [
        ({"video": "none.mp4"}, "no such file"),
        ({"video": "97"}, "camera 97: no picture comes from it"),
        ({"video": "broken.mp4"}, "no video that OpenCV can read"),
        ({"out": "p.txt"}, "end in .csv"),
        ({"out": "nowhere/p.csv"}, "no folder"),
        ({"events": "p.csv"}, "another name"),
        ({"camera": "camera.yaml"}, "--sport"),
        ({"sport": "marbles"}, "marbles"),
    ],
)
def test_mistakes_end_in_one_line_and_write_nothing(clip, tmp_path, monkeypatch, options, says):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.mp4").write_bytes(clip.read_bytes()[:400])
    given = {"video": str(clip), "out": "p.csv"} | options
    given |= {key: detect.Path(given[key]) for key in ("out", "events", "camera") if key in given}
    with pytest.raises((ValueError, OSError, VideoError), match=says) as caught:
        detect.run(detect.Options(**given))
    assert "\n" not in str(caught.value) and not list(tmp_path.glob("*.csv"))


def test_it_is_a_command(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "ballcast", "detect", "none.mp4", "--out", "p.csv"], cwd=tmp_path, capture_output=True,
        text=True, env={**__import__("os").environ, "PYTHONPATH": str(detect.Path(detect.__file__).parents[1])},
    )  # fmt: skip
    assert done.returncode == 2 and done.stderr.startswith("ballcast detect: none.mp4: there is no such file")
