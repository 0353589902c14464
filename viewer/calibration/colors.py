"""The colours of points and of the fitted place, (red, green, blue)."""

NEXT_COLOR = (255, 226, 90)  # the point that is asked for
PLACED_COLOR = (90, 255, 130)
CHOSEN_COLOR = (255, 255, 255)
WRONG_COLOR = (255, 92, 84)  # the point that is the farthest off, and those that are left out
PLACE_COLOR = (255, 230, 60)  # the lines of the fitted place
NET_SHOWN = (60, 190, 255)  # its nets
EXPECTED_COLOR = (200, 206, 214)  # where the fit expects a point that is not placed
