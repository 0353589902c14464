"""The screen as a film: MP4 (H.264) or GIF, through imageio-ffmpeg.

Frames of another size are scaled to the film's. Raises ValueError if the film cannot be made.
"""

import importlib.util
import os
from pathlib import Path

import pygame

from ballcast.viewer.screen import free_name

FRAME_RATE = 60  # frames/s
PALETTE_FILTER = "split[a][b];[a]palettegen=stats_mode=diff[p];[b][p]paletteuse=dither=bayer"
GIF_FILTER = "fps=20,scale=640:-1:flags=lanczos," + PALETTE_FILTER
CODECS = {
    ".mp4": {"codec": "libx264", "output_params": ["-crf", "20", "-preset", "veryfast"]},
    ".gif": {"codec": "gif", "pix_fmt_out": "pal8", "output_params": ["-vf", GIF_FILTER]},
}


def check(path: str | Path) -> None:
    """Refuse a film that cannot be made, before anything takes time. Raises ValueError."""
    path = Path(path)
    if path.suffix.lower() not in CODECS or path.is_dir():
        raise ValueError(f"--record {path}: name a file that ends in {' or '.join(CODECS)}")
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise ValueError(f"--record {path}: {path.parent} is not a folder that can be written to")
    if not importlib.util.find_spec("imageio_ffmpeg"):
        raise ValueError("--record needs imageio-ffmpeg: pip install -c constraints.txt imageio-ffmpeg")


class Film:
    def __init__(self, path, size, rate=FRAME_RATE):
        import imageio_ffmpeg

        check(path)
        self.path, self.frames, self.rate = Path(path), 0, rate
        self.size = size[0] // 2 * 2, size[1] // 2 * 2  # H.264 halves the colours: even sides
        self._temporary_path = self.path.with_name(f".{self.path.stem}.{os.getpid()}{self.path.suffix}")
        settings = CODECS[self.path.suffix.lower()] | {"fps": rate, "macro_block_size": 1, "ffmpeg_log_level": "error"}
        self._writer = imageio_ffmpeg.write_frames(str(self._temporary_path), self.size, **settings)
        self._writer.send(None)

    def add(self, surface: pygame.Surface) -> None:
        """Add a frame. Raises OSError if it cannot be written."""
        if surface.get_size() != self.size:
            surface = pygame.transform.smoothscale(surface, self.size)
        self._writer.send(pygame.image.tobytes(surface, "RGB"))
        self.frames += 1

    def close(self) -> None:
        """Finish the film and give it its name; a film without frames is deleted."""
        self._writer.close()
        if self.frames:
            os.replace(self._temporary_path, self.path)
        self._temporary_path.unlink(missing_ok=True)


def start_or_stop(film: Film | None, size: tuple[int, int]) -> tuple[Film | None, str]:
    """Start a film under the next free name in the current folder, or finish the one that runs: the film that runs
    now, and what to say of it."""
    try:
        if film is not None:
            film.close()
            return None, f"saved {film.path}"
        film = Film(free_name(".mp4"), size)
        return film, f"recording {film.path}"
    except (ImportError, OSError, ValueError) as error:
        return None, str(error)
