"""The window: a source of balls -> a session (what was seen, what was forecast) -> a picture. pygame lives here only.

source.py   where balls come from: live throws, recorded tracks
session.py  one ball after the other: the clock, the predictor, its forecasts and their errors
scene.py    the sport's place as things to paint, from its TOML
camera.py   perspective
backdrop.py all of the place that stands still, painted once a view
stamps.py   small antialiased sprites: dots, paths, the ball
panel.py    the words
draw.py     a session and a camera -> the picture
keys.py     what the keys do; also the help
window.py   the loop, with a screen and without
"""

if __name__ != "ballcast.viewer":
    raise ImportError("this package is ballcast.viewer: write `from ballcast import viewer`")

import os

os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")  # before pygame is imported anywhere in here
