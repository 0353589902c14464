"""What is shown of a clip besides its frames: everything that a key shows or hides."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ClipOptions:
    """Each of these can be on or off; `court` None: over the first seconds after the camera is known."""

    court: bool | None = None  # the lines of the court, as the camera sees them
    candidates: bool = False  # everything that may be the ball
    panel: bool = True  # the text in the corner
    inset: bool = True  # the small picture
    swapped: bool = False  # whether 3D is large, and the clip small
    help: bool = False  # the keys


DEFAULT = ClipOptions()
