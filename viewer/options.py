"""What is shown besides the picture itself: everything that a key shows or hides."""

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class DisplayOptions:
    """Each of these can be on or off; `slider` is the number of the override that the keys move."""

    truth: bool = False  # where the ball will truly go
    errors: bool = False  # the strip of errors over time
    gates: bool = False  # of a GRU, over time
    beliefs: bool = False  # estimates of spin and parameters, and the truth
    inset: bool = False  # a small picture from above
    follow: bool = False  # the camera follows the ball
    sliders: bool = False  # overrides of the world
    why: bool = False  # which frames matter, while the show is paused
    numbers: bool = False  # all numbers of this ball
    help: bool = False  # the keys
    slider: int = 0


DEFAULT = DisplayOptions()
TOGGLES = tuple(field.name for field in fields(DisplayOptions) if field.type is bool)
ALL_ON = DisplayOptions(
    truth=True, errors=True, gates=True, beliefs=True, numbers=True, inset=True, sliders=True
)  # fmt: skip
