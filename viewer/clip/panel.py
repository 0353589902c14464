"""The text in the corner: the frame's time, the sport and who forecasts, the camera, and what is known of the ball."""

from collections.abc import Sequence
from pathlib import Path

from ballcast import models
from ballcast.render.palette import FORECAST_COLOR, MUTED_COLOR, TEXT_COLOR
from ballcast.viewer.clip.player import Player
from ballcast.viewer.clip.results import Result
from ballcast.viewer.clip.shown import Shown
from ballcast.viewer.panels.canvas import Canvas
from ballcast.viewer.panels.layout import LEFT, MARGIN, PAD, WIDTH

ROW, SIZE, HEAD = 21, 18, 22  # units
SURE = 0.5  # probability from which on a ball is followed
WARNING_COLOR = (255, 190, 90)
Row = tuple[str, int, tuple[int, int, int]]  # text, its size in units, its colour


def rows(player: Player | Shown) -> list[Row]:
    """All lines of the panel."""
    clip, result = player.clip, player.frame
    found = [(Path(clip.name).name, HEAD, TEXT_COLOR), (moment(player), SIZE, TEXT_COLOR)]
    found += [(line, SIZE, MUTED_COLOR) for line in (who(player), player.following.camera_message)]
    found.append((ball_line(player, result), SIZE, FORECAST_COLOR if result and result.path else TEXT_COLOR))
    notes = [result.note] if result is not None and result.note else []
    if player.dropped:
        frames = f"{player.dropped} frame{'s' * (player.dropped > 1)}"
        notes.append(f"{frames} left out: the forecast is slower than the video")
    return found + [(note, SIZE, WARNING_COLOR) for note in notes]


def moment(player: Player | Shown) -> str:
    """The frame's time and number."""
    if player.frame is None:
        return "not searched yet" if player.preview else "one moment ..."
    return f"{player.frame.time:.2f} s    frame {player.frame.number}"


def who(player: Player | Shown) -> str:
    """The sport, and who forecasts."""
    sport = player.clip.sport
    place = "" if sport is None else f"{_plain(sport.name)}; "
    if sport is None or player.following.camera is None:
        return f"{place}forecast in the image"
    return f"{place}{models.describe(player.clip.predictor).title}"


def ball_line(player: Player | Shown, result: Result | None) -> str:
    """What is known of the ball."""
    if result is None:
        return ""
    if result.pixel is not None:
        return f"ball found, {100 * result.probability:.0f} %"
    if result.path is not None:
        return "ball hidden, still followed"
    was_found = any(other.pixel is not None for other in player.results.before(result, float("inf")))
    return "ball lost" if was_found else "no ball found yet"


def paint(canvas: Canvas, lines: Sequence[Row]) -> None:
    """Paint the panel in the upper left corner."""
    room = WIDTH - 2 * PAD
    wrapped = [(part, size, color) for text, size, color in lines for part in canvas.wrapped(text, size, room)]
    canvas.panel_background(MARGIN, MARGIN, WIDTH, PAD + ROW * len(wrapped) + PAD)
    for number, (text, size, color) in enumerate(wrapped):
        canvas.text(LEFT, MARGIN + PAD + ROW * number, text, size, color)


def _plain(name):
    return name.replace("_", " ")
