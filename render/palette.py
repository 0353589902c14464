"""All colours that are not a sport's own, (red, green, blue) from 0 to 255."""

TRACK_COLOR, TRUTH_COLOR, SHADOW_COLOR = (178, 208, 255), (255, 255, 255), (0, 0, 0)
FORECAST_COLORS = (  # by the predictor's number; distinct without telling red from green (after Okabe and Ito 2008)
    (96, 240, 190), (255, 159, 64), (226, 140, 255), (255, 235, 110), (90, 180, 255), (255, 120, 120), (170, 200, 110),
    (255, 190, 215), (200, 160, 110), (120, 220, 255), (190, 180, 255), (225, 225, 225),
)  # fmt: skip
FORECAST_COLOR = FORECAST_COLORS[0]

# of panels and text
TEXT_COLOR, MUTED_COLOR, FAINT_COLOR, RULE_COLOR = (238, 241, 245), (158, 168, 180), (112, 122, 134), (62, 70, 80)
PANEL_COLOR, SOLID_PANEL_COLOR, VEIL_COLOR = (10, 13, 18, 200), (16, 20, 27, 255), (0, 0, 0, 120)  # with alpha
BACKGROUND_COLOR = (0, 0, 0)
TIMELINE_COLORS = ((70, 78, 88), (120, 130, 142), FORECAST_COLOR)  # of the whole ball, what was reached, and the past
COLORMAP_STOPS = ((14, 18, 28), (56, 44, 112), (190, 70, 110), (255, 178, 90), (255, 250, 210))  # from 0 to 1
LIGHT_LINE_COLOR, DARK_LINE_COLOR, LEG_COLOR = (226, 231, 236), (62, 72, 84), (30, 33, 38)


def predictor_color(number: int) -> tuple[int, int, int]:
    """The colour of the predictor with this number, the same wherever it is drawn."""
    return FORECAST_COLORS[number % len(FORECAST_COLORS)]
