"""The window: a source of balls -> a session (frames, forecasts, errors) -> a picture. pygame is imported only here."""

if __name__ != "ballcast.viewer":
    raise ImportError("this package is ballcast.viewer: write `from ballcast import viewer`")

import os

os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")  # before pygame is imported anywhere in here
