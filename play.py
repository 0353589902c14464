"""Open the viewer: a live ball or a recorded one, with the forecast of its flight. See `python play.py --help`."""

from ballcast.viewer.play import main

if __name__ == "__main__":
    main()
