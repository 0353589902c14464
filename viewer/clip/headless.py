"""A clip without a window and without a clock: every frame is searched and painted, the same every time."""

from pathlib import Path
from typing import Any

import pygame

from ballcast import command
from ballcast.viewer.clip.clip import Clip
from ballcast.viewer.clip.options import DEFAULT, ClipOptions
from ballcast.viewer.clip.picture import ClipPicture
from ballcast.viewer.clip.shown import Shown, shown_of
from ballcast.viewer.film import Film
from ballcast.viewer.screen import open_screen, save_png
from ballcast.vision.video import open_video


def show(
    clip: Clip, size: tuple[int, int], *, frames: int | None = None, screenshot: Path | None = None,
    record: Path | None = None, options: ClipOptions = DEFAULT, log: Any = None,
) -> Shown:  # fmt: skip
    """Show up to `frames` frames, None for all of them; the last one is the screenshot. log: a rerun_log.ClipLog."""
    screen, picture = open_screen(size, True), ClipPicture(clip)
    shown = shown_of(clip)
    reel = Reel(Film(record, size, clip.rate), screen) if record else None
    try:
        with clip.opened or open_video(clip.source) as video:
            for count, frame in enumerate(video, 1):
                if reel:
                    reel.hold(frame.time)
                shown.take(frame)
                if log:
                    log.add(shown.frame, shown.image)
                if reel:
                    picture.paint(screen, shown, options)
                if count == frames:
                    break
        command.print_notes(video.notes)
        if reel:
            reel.hold(shown.end if count != frames else shown.now)
        if screenshot:
            picture.paint(screen, shown, options)
            save_png(screen, screenshot)
    finally:
        if reel:
            reel.film.close()
        pygame.display.quit()
    return shown


class Reel:
    """A Film in which each picture is held until the time of the next frame."""

    def __init__(self, film: Film, screen: pygame.Surface):
        self.film, self._screen = film, screen
        self._begin: float | None = None

    def hold(self, time: float) -> None:
        """The next frame is of a time, s: hold the picture that is on the screen, once or more often."""
        if self._begin is None:
            self._begin = time
            return
        self.film.add(self._screen)
        while self.film.frames + 0.5 < (time - self._begin) * self.film.rate:
            self.film.add(self._screen)
