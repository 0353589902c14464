"""What of the show is drawn, beside the show itself: all that a key shows or hides."""

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class DisplayOptions:
    """Each of these can be on or off; `slider` is the number of the rule that the keys move."""

    truth: bool = False  # where the ball will truly go
    errors: bool = False  # the strip of errors over time
    gates: bool = False  # of a GRU, over time
    beliefs: bool = False  # spin and parameters beside the truth
    inset: bool = False  # a small picture from above
    follow: bool = False  # the camera goes with the ball
    sliders: bool = False  # the rules of the world
    why: bool = False  # which frames mattered, while the show is paused
    help: bool = False  # the keys
    slider: int = 0


DEFAULT = DisplayOptions()
TOGGLES = tuple(field.name for field in fields(DisplayOptions) if field.type is bool)
ALL_ON = DisplayOptions(truth=True, errors=True, gates=True, beliefs=True, inset=True, sliders=True)
