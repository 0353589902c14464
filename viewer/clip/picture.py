"""The whole picture of a clip: its frame with the forecast in it, the same in 3D beside it, text and timeline.

No clock, no events: the same state gives the same pixels.
"""

import numpy as np
import pygame

from ballcast.render.palette import FAINT_COLOR, FORECAST_COLOR, TEXT_COLOR
from ballcast.viewer.clip import panel
from ballcast.viewer.clip.clip import Clip
from ballcast.viewer.clip.keys import HELP
from ballcast.viewer.clip.marks import CIRCLE, Marks, Placement
from ballcast.viewer.clip.options import ClipOptions
from ballcast.viewer.clip.player import Player
from ballcast.viewer.clip.scene import Scene
from ballcast.viewer.clip.shown import Shown
from ballcast.viewer.clip.timeline import ClipTimeline
from ballcast.viewer.panels import help as help_panel
from ballcast.viewer.panels.canvas import Canvas, scale_of
from ballcast.viewer.panels.layout import MARGIN
from ballcast.viewer.screen import draw_pixels
from ballcast.vision.display import as_pixels, fitted, scaled
from ballcast.vision.overlay import place_lines

SMALL = 0.3  # of the picture's sides: those of the small picture
COURT_TIME, COURT_FADE = 3.0, 1.0  # s for which the court is drawn after the camera is known, and over which it fades
RADII, MIN_RING = 2.5, 10.0  # of a landing mark: in radii of the ball, and px in the frame that it has at least
MESSAGE, MESSAGE_TOP = 22, 118  # units: the size of a message, and where it stands above the lower edge
SOON = 0.01  # s before a landing in which its time is not written any more
LATE = 0.05  # s by which a landing may be past and is still marked


class ClipPicture:
    """Paints a Player. scene: the Scene, where there is a sport."""

    def __init__(self, clip: Clip):
        self.clip, self.scene = clip, Scene(clip.sport) if clip.sport is not None else None
        self._court = None, []  # a camera, and the lines of the court in its picture
        self._base = None, None, None  # the last image, its size on the surface, its pixels

    def small_box(self, size: tuple[int, int]) -> pygame.Rect:
        """Where the small picture stands, px: in the upper right corner, where a court seldom is."""
        unit, width, height = scale_of(size), round(SMALL * size[0]), round(SMALL * size[1])
        return pygame.Rect(round(size[0] - MARGIN * unit - width), round(MARGIN * unit), width, height)

    def has_space(self, player: Player | Shown) -> bool:
        """Whether there is anything to be shown in 3D."""
        return self.scene is not None and player.following.camera is not None

    def paint(self, surface: pygame.Surface, player: Player | Shown, options: ClipOptions, message: str = "") -> None:
        """Fill the surface with this moment."""
        has_space = self.has_space(player)
        is_swapped = options.swapped and has_space
        small = surface.subsurface(self.small_box(surface.get_size())) if has_space and options.inset else None
        if is_swapped and self.scene is not None:
            self.scene.paint(surface, player.frame, self._camera(player))
        label = self._frame(surface if not is_swapped else small, player, options)
        if small is not None:
            if not is_swapped and self.scene is not None:
                self.scene.paint(small, player.frame, self._camera(player))
            pygame.draw.rect(small, FAINT_COLOR, small.get_rect(), 1)
        self._texts(surface, player, options, label if not is_swapped else None, small is not None, message)

    def _texts(self, surface, player, options, label, has_small, message):
        canvas = Canvas(surface)
        if has_small:
            box = self.small_box(surface.get_size())
            canvas.taken.append(tuple(value / canvas.scale for value in box))
        if options.panel:
            panel.paint(canvas, panel.rows(player))
        ClipTimeline(canvas, player).paint()
        if label is not None:
            (x, y), text, away = label
            canvas.label(x / canvas.scale, y / canvas.scale, text, 22, FORECAST_COLOR, away=away / canvas.scale)
        if message:
            line = canvas.fitted(message, MESSAGE, canvas.width - 80)
            width, top = canvas.text_size(line, MESSAGE)[0] + 40, canvas.height - MESSAGE_TOP
            canvas.panel_background((canvas.width - width) / 2, top, width, 36)
            canvas.text(canvas.width / 2, top + 9, line, MESSAGE, TEXT_COLOR, 0.5)
        canvas.flush()
        if options.help:
            help_panel.paint(canvas, HELP)
            canvas.flush()

    def _frame(self, surface, player, options):
        """The frame with its marks. Returns the label of the landing: (place px, text, px to be left free), or None."""
        if surface is None:
            return None
        place = self._image(surface, player.image)
        result = player.frame
        if result is None or place is None:
            return None
        marks = Marks(surface, place)
        marks.court(self._court_lines(player), self._court_alpha(player, options))
        if options.candidates:
            marks.candidates(result)
        marks.trail(player.results.before(result))
        ring = self._landing_ring(result)
        marks.forecast(_before_landing(result), ring)
        marks.ball(result)
        marks.paint()
        landing = result.path.landing if result.path is not None else None
        if landing is None or landing.time < result.time + SOON:
            return None
        return place.of(landing.pixel), f"{landing.time - result.time:.2f} s", 14 * marks.unit

    def _image(self, surface, image):
        """Paint an image in the middle of the surface, as large as it fits. Its Placement, or None without one."""
        surface.fill((0, 0, 0))
        if image is None:
            return None
        height, width = image.shape[:2]
        size = fitted((width, height), surface.get_size())
        left, top = ((room - side) // 2 for room, side in zip(surface.get_size(), size))
        if self._base[0] is not image or self._base[1] != size:
            self._base = image, size, as_pixels(scaled(image, size))
        pixels = self._base[2]

        def copy(target):
            target[left : left + size[0], top : top + size[1]] = pixels

        draw_pixels(surface, copy)
        return Placement(size[0] / width, left, top, size)

    def _court_lines(self, player):
        camera = self._camera(player)
        if camera is None or self.clip.sport is None:
            return []
        if self._court[0] is not camera:
            self._court = camera, place_lines(camera, self.clip.sport)
        return self._court[1]

    def _court_alpha(self, player, options):
        """How strong the lines of the court are."""
        if options.court is not None:
            return float(options.court)
        search = player.following.search
        since = search.found_at if search is not None else 0.0
        if since is None:
            return 0.0
        return float(np.clip((COURT_TIME - (player.frame.time - since)) / COURT_FADE, 0.0, 1.0))

    def _camera(self, player):
        """The camera of the frame that is shown."""
        return None if player.frame is None else player.frame.camera

    def _landing_ring(self, result):
        """The landing mark (N, 2) px as it lies on its surface; None where the camera does not say it."""
        landing = result.path.landing if result.path is not None else None
        if landing is None or landing.place is None or result.camera is None:
            return None
        foot = np.array(landing.place, float) - (0.0, 0.0, self.clip.sport.ball.radius)
        circle = np.column_stack([CIRCLE, np.zeros(len(CIRCLE))])
        ring = result.camera.project(foot + RADII * self.clip.sport.ball.radius * circle)
        width = float(np.ptp(ring[:, 0])) / 2
        return ring.mean(axis=0) + (ring - ring.mean(axis=0)) * max(1.0, MIN_RING / max(width, 1e-6))


def _before_landing(result):
    """The Result, its path without a landing that is past."""
    path = result.path
    if path is not None and path.landing is not None and path.landing.time < result.time - LATE:
        return result._replace(path=path._replace(landing=None))
    return result
