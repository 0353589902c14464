"""Where things stand in the picture, in units, so that no two stand in the same place.

left    a column: the card, the estimates below it, two buttons at the foot
right   a column: what cameras see, at the top, the view from above, the sliders, the numbers
foot    the timeline between the columns' inner edges; strips, captions and messages above it
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ballcast.viewer.options import DisplayOptions
    from ballcast.viewer.panels.canvas import Canvas

MARGIN, PAD, GAP = 16, 14, 8  # round the picture, inside a panel, between two panels
WIDTH = 268  # of both columns
LEFT, RIGHT = MARGIN + PAD, MARGIN + WIDTH - PAD  # of what stands in the left column
MIDDLE = WIDTH + 2 * MARGIN  # where the middle begins
CARD_HEIGHT = 280  # of the card with one predictor
BUTTON_TOP = 44  # of the buttons, above the lower edge
FOOT_HEIGHT = 68  # of the timeline, its seconds and the state above it


def has_right_column(options: "DisplayOptions") -> bool:
    """Whether anything stands in the right column but the small pictures of cameras, which leave most of it free."""
    return options.inset or options.sliders or options.numbers


def middle_end(canvas: "Canvas", options: "DisplayOptions") -> float:
    """Where the middle ends: at the right column if anything is in it."""
    return canvas.width - MARGIN - (WIDTH + MARGIN if has_right_column(options) else 0)


def timeline_end(canvas: "Canvas", options: "DisplayOptions") -> float:
    """Where the timeline ends, and the strips above it: they leave room for a right column."""
    has_strips = options.errors or options.gates or options.why
    return middle_end(canvas, options) if has_strips else canvas.width - MARGIN
