"""The window: a source of balls -> a session (frames, forecasts, errors) -> a picture. pygame is imported only here.

play.py        the command line
window.py      the loop, with a screen and without
keys.py        what the keys do; also the help
picture.py     a session and display options -> the whole picture
options.py     what is shown besides the picture itself
film.py        the screen as a film
warm_start.py  compiling in another process while the window is open
playback/      balls, clock, forecasts and their errors; without pygame
panels/        what is written on the picture
"""

if __name__ != "ballcast.viewer":
    raise ImportError("this package is ballcast.viewer: write `from ballcast import viewer`")

import os

os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")  # before pygame is imported anywhere in here
