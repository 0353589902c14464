"""Calibrate a camera by hand: named points are put onto a frame of a clip, and the place is drawn as they fit it.

ballcast calibrate clip.mp4 --sport tennis --out camera.yaml --window

It begins with what the painted lines gave, or with --points. Headless, it paints one picture and waits for nothing.
"""

import threading
from pathlib import Path

import numpy as np
import pygame

from ballcast import sim
from ballcast.render.palette import MUTED_COLOR, TEXT_COLOR
from ballcast.tracks import write_cameras
from ballcast.viewer.bindings import name_of
from ballcast.viewer.calibration import keys, scene
from ballcast.viewer.calibration.colors import NEXT_COLOR, WRONG_COLOR
from ballcast.viewer.calibration.fitting import Fitting
from ballcast.viewer.calibration.loupe import FACTORS
from ballcast.viewer.calibration.mouse import Mouse
from ballcast.viewer.calibration.view import PictureView
from ballcast.viewer.screen import open_screen, save_png
from ballcast.vision.calibrate import LENS, Options, from_lines, points_file, report, write_picture
from ballcast.vision.frames import Frames
from ballcast.vision.hand_fit import NEEDED, LensOptions, SideFit, by_lines, fit
from ballcast.vision.landmarks import CalibrationError, NamedPoints, places
from ballcast.vision.placed_points import PlacedPoints
from ballcast.vision.sides import nearest_side
from ballcast.vision.video import read_frame

FRAME_RATE = 60  # frames/s
READ_BUDGET = 0.02  # s of each picture that may go into decoding
FIRST = "Its place is the yellow ring in the plan. Drag it, or use the arrows, until the loupe shows it right."
NO_LINES = f"The painted lines are not found for sure. {FIRST}"
NOT_SAVED = "the window was closed without saving: no camera is written"


class Shown:
    """What keys switch: the fitted place, the help, how many times the loupe enlarges."""

    def __init__(self) -> None:
        self.place, self.help, self.loupe = True, False, FACTORS[0]


class CalibrationApp:
    """One window, or none when headless. Raises ValueError without a screen, and what opening the clip raises.

    wanted    the name of the point that is asked for; None: all are there
    loupe_at  (2,) px of the video that the loupe shows; None: the mouse is elsewhere
    saved     the SideFit that was saved last
    """

    def __init__(
        self, options: Options, sport: sim.Sport, size: tuple[int, int] = (1280, 720), headless: bool = False,
        named: NamedPoints | None = None, search: bool = True,
    ) -> None:  # fmt: skip
        self.settings, self.headless = options, headless
        self.frames = Frames(options.video)
        self.screen = open_screen(size, headless)
        pygame.display.set_caption(f"Ballcast: calibrate {Path(options.video).name}")
        self.options, self.running, self.is_asking = Shown(), True, False
        self.message, self.list_top, self.drawn = FIRST, 0.0, None
        self.saved: SideFit | None = None
        self.placed = PlacedPoints(sport, self.frames.size)
        if not self.placed.side.places and named is None:
            raise CalibrationError(f"{sport.name} names no points of its place: give yours with --points, x, y and z")
        self.skipped: frozenset[str] = frozenset()
        lens = LensOptions(options.focal, LENS[options.k1])
        self.fitting = Fitting(self.placed, lens, points_file(options).stem.removesuffix(".points"), not headless)
        self.view: PictureView = PictureView(self.frames.size)
        self.mouse = Mouse(self)
        self.loupe_at: np.ndarray | None = None
        self._begin(options, named)
        self._search(named is None and search)
        self._arrange()

    # --- the beginning ------------------------------------------------------------------------------------------------

    def _begin(self, options, named):
        """The first frame, and the points of a file."""
        if options.seen_from is not None:
            self._check_side(options.seen_from)
            self.placed.turn(options.seen_from)
            self.fitting.has_chosen = True
        number = options.frame if options.frame is not None else (named.frame or 0) if named is not None else 0
        self.frames.ask(number)
        self._take_frame(self.frames.read_some())
        if named is not None:
            side, points = places(named, self.placed.sport, options.seen_from)[0]
            if side:
                self.placed.turn(side)
            self.placed.add(named, points)
            self.message = f"{len(named.names)} points of {options.points}"
        self.placed.begin()

    def _check_side(self, name):
        known = [side.seen_from for side in self.placed.sides]
        if name not in known:
            raise CalibrationError(
                f"{self.placed.sport.name} is not known from {name!r}; its sides are {', '.join(known)}"
            )

    def _search(self, wanted):
        """Look for the painted lines, beside the window."""
        self._found, self._thread = None, None
        if not wanted:
            return
        self.message = "looking for the painted lines ..."
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        if self.headless:
            self._thread.join()

    def _look(self):
        try:
            self._found = from_lines(self.settings, self.placed.sport)
        except (CalibrationError, OSError) as error:
            self._found = error

    def _take_lines_found(self):
        """Begin with what the lines gave, unless points were put meanwhile."""
        found, self._found, self._thread = self._found, None, None
        if isinstance(found, Exception) or self.placed.frames:
            self.message = NO_LINES if isinstance(found, Exception) else ""
            return
        frame, result = found
        side, camera = nearest_side(result.camera, self.placed.sport)
        self.frames.ask(frame.number)
        self._take_frame(self.frames.read_some())
        self.placed.turn(side)
        self.placed.add_projected(camera)
        self.message = "The painted lines gave these points: move those that are off."

    # --- the loop -----------------------------------------------------------------------------------------------------

    def run(self, screenshot: Path | None = None) -> SideFit | None:
        """Until the window is closed: what was saved. CalibrationError if nothing was; headless: one picture."""
        clock = pygame.time.Clock()
        try:
            while self.running:
                self.frame()
                if self.headless:
                    self._show_last_point()
                    break
                clock.tick(FRAME_RATE)
            if screenshot is not None:
                save_png(self.screen, screenshot)
        finally:
            self.close()
        if self.saved is None and not self.headless:
            raise CalibrationError(NOT_SAVED)
        return self.saved

    def _show_last_point(self):
        """Choose a point, so that a picture of the window shows the loupe."""
        if self.placed.points:
            self.choose_point(list(self.placed.points)[-1])
            scene.paint(self)

    def close(self) -> None:
        self.fitting.close()
        self.frames.close()
        pygame.display.quit()

    def frame(self) -> None:
        """One picture: events, the clip, the fit, paint."""
        for event in pygame.event.get():
            self.handle(event)
        self.screen = pygame.display.get_surface() or self.screen
        self._arrange()
        if self._thread is not None and not self._thread.is_alive():
            self._take_lines_found()
        if self.frames.asked != self.number:
            self._take_frame(self.frames.read_some(float("inf") if self.headless else READ_BUDGET))
        self.fitting.update(self.mouse.held is not None, wait=self.headless)
        if self.fitting.note:
            self.message, self.fitting.note = self.fitting.note, ""
        scene.paint(self)
        pygame.display.flip()

    def handle(self, event: pygame.event.Event) -> None:
        """Act on an event of pygame."""
        if event.type == pygame.QUIT:
            self.leave()
        elif event.type == pygame.KEYDOWN and self.is_asking:
            self._answer(name_of(event, keys.BY_KEY))
        elif event.type == pygame.KEYDOWN:
            self._press(name_of(event, keys.BY_KEY))
        elif not self.is_asking:
            self.mouse.handle(event)

    def _press(self, name):
        if self.options.help and name in ("escape", "q"):
            self.options.help = False
        elif (binding := keys.BY_KEY.get(name)) is not None and binding.act is not None:
            binding.act(self)

    def _answer(self, name):
        """Of the question whether to close without saving."""
        self.is_asking = False
        if name == "n":
            self.running = False
        elif name == "s":
            self.save()
            self.running = not self.placed.is_saved

    def _arrange(self):
        self.view.arrange(scene.area_of(self.screen))

    def _take_frame(self, frame):
        """Show a frame that was reached."""
        if frame is not None:
            self.image, self.number = frame.image, frame.number
            self.placed.frame, self.placed.chosen = frame.number, None

    # --- what is asked for --------------------------------------------------------------------------------------------

    @property
    def wanted(self) -> str | None:
        """The point that is asked for."""
        name = self.placed.next_name(self.skipped)
        return None if name in self.placed.points else name

    @property
    def shows_worst(self) -> bool:
        """Whether a worst point is worth a mark: with four points all fit, and small errors are nobody's fault."""
        errors = self.fitting.errors
        return len(errors) > NEEDED and max(errors.values()) > 1.5 * self.placed.size[0] / 1280

    def expected(self, name: str | None) -> np.ndarray | None:
        """Where the fit expects a point, px of the video; None if it is outside the picture or not known."""
        fitting = self.fitting
        if name is None or fitting.view is None or fitting.frame != self.number:
            return None
        place = np.array([self.placed.side.places[name]])
        pixel = fitting.view.project(place)[0]
        inside = (pixel >= 0).all() and (pixel < self.placed.size).all()
        return pixel if inside and fitting.view.depth(place)[0] > 0 else None

    def hint(self) -> tuple[str, tuple[int, int, int]]:
        """What to do next, and in which colour."""
        count = len(self.placed.points)
        if len(self.fitting.rivals) > 1:
            return "Two cameras fit. Which of them has the net in its place? 1 or 2", NEXT_COLOR
        if self.fitting.error:
            return "These points do not fit: see the right column. U takes the last step back.", WRONG_COLOR
        if self.fitting.wrong:
            name = max(self.fitting.wrong, key=lambda each: self.fitting.errors[each])
            off = f"{self.fitting.errors[name]:.0f} px"
            return f"{name.replace('_', ' ')} is left out: {off} from where the others put it. Move it.", WRONG_COLOR
        if self.wanted is None:
            return "All points are there. S saves.", TEXT_COLOR
        words = self.wanted.replace("_", " ")
        if count < NEEDED:
            return f"Click the point: {words}  (Tab: it is not in the picture)", NEXT_COLOR
        return f"S saves. More points make it surer: {words}", TEXT_COLOR if self.fitting.is_full else MUTED_COLOR

    # --- what keys do -------------------------------------------------------------------------------------------------

    def put(self, name: str, pixel: np.ndarray, is_step: bool = True) -> None:
        """Put a point."""
        self.placed.place(name, (float(pixel[0]), float(pixel[1])), is_step)
        self.loupe_at = np.array(self.placed.points[name])
        self.message = ""

    def nudge(self, right: float, down: float) -> None:
        """Move the chosen point by px of the video."""
        if self.placed.chosen not in self.placed.points:
            self.message = "no point is chosen: click one"
            return
        self.placed.move(right, down)
        self.loupe_at = np.array(self.placed.points[self.placed.chosen])
        self.view.show(self.loupe_at)

    def choose_point(self, name: str) -> None:
        """Choose a point that is there, or ask for one that is not."""
        if name in self.placed.points:
            self.placed.chosen, self.loupe_at = name, np.array(self.placed.points[name])
        else:
            missing = [each for each in self.placed.side.order if each not in self.placed.points]
            self.skipped = frozenset(missing) - {name}

    def skip(self, step: int) -> None:
        """Ask for the next point that is not there, or for the one before."""
        missing = [name for name in self.placed.side.order if name not in self.placed.points]
        if missing:
            k = missing.index(self.wanted or missing[0])
            self.skipped = frozenset(missing) - {missing[(k + step) % len(missing)]}

    def remove(self) -> None:
        name = self.placed.chosen
        self.placed.remove(name)
        self.message = f"{name.replace('_', ' ')} is taken away" if name else "no point is chosen: click one"

    def undo(self) -> None:
        self.message = "one step back" if self.placed.undo() else "there is nothing to undo"

    def redo(self) -> None:
        self.message = "one step forward again" if self.placed.redo() else "there is nothing to do again"

    def turn(self) -> None:
        """The place is seen from the next side."""
        if len(self.placed.sides) < 2:
            self.message = f"{self.placed.sport.name} is known from one side only"
            return
        self.placed.turn()
        self.fitting.has_chosen, self.skipped = True, frozenset()
        self.message = f"the place is seen from the {self.placed.side.seen_from}"

    def choose(self, number: int) -> None:
        """Choose among two cameras that fit."""
        if number < len(self.fitting.rivals) > 1:
            self.fitting.choose(self.fitting.rivals[number].seen_from)
            self.message = f"the place is seen from the {self.placed.side.seen_from}"

    def take_lines(self) -> None:
        """Let the painted lines near those of the fit correct the camera, and with it the points."""
        view = self.fitting.view
        if view is None or self.fitting.frame != self.number:
            self.message = f"first put {NEEDED} points, about where they are"
            return
        try:
            camera = by_lines(self.image, self.placed.sport, view)
        except CalibrationError as error:
            self.message = str(error)
            return
        self.placed.add_projected(camera)
        self.message = "The painted lines put the points. U takes that back."

    def go(self, step: int) -> None:
        self.frames.ask(self.frames.asked + step)

    def copy(self) -> None:
        """The points of the nearest frame that has some."""
        others = [number for number in self.placed.frames if number != self.number]
        if not others:
            self.message = "no other frame has points"
            return
        nearest = min(others, key=lambda number: abs(number - self.number))
        self.placed.copy_from(nearest)
        self.message = f"the points of frame {nearest}"

    def toggle(self, name: str) -> None:
        setattr(self.options, name, not getattr(self.options, name))

    def next_loupe(self) -> None:
        factor = FACTORS[(FACTORS.index(self.options.loupe) + 1) % len(FACTORS)]
        self.options.loupe, self.message = factor, f"loupe: {factor} times" if factor else "no loupe"

    def zoom(self, factor: float) -> None:
        place = pygame.mouse.get_pos()
        if not self.view.holds(place):
            x, y, width, height = self.view.area
            place = x + width // 2, y + height // 2
        self.view.zoom_at(place, factor)

    def leave(self) -> None:
        """Close; ask first if something is not saved."""
        if self.placed.is_saved or self.is_asking:
            self.running = False
        self.is_asking = self.running

    def save(self) -> None:
        """Write the camera and the points; a message says what, or why not."""
        out = self.settings.out
        if out is None:
            self.message = "--out FILE says where to save: nothing is written"
            return
        frame = self.number if len(self.placed.points) >= NEEDED else self.fitting.frame
        named = self.placed.named(frame)
        try:
            result = fit(named, self.placed.size, self.fitting.lens, out.stem)
            self.placed.write(points_file(self.settings), frame)
            write_cameras(out, [result.camera])
        except (CalibrationError, OSError) as error:
            self.message = f"not saved: {error}"
            return
        self.saved_points, self.untouched = named, self.placed.untouched
        self.saved = SideFit(self.placed.side.seen_from, named.names, result)
        self.message = f"saved {out} and {points_file(self.settings).name}: {result.rms:.2f} px"


def open_window(options: Options, sport: sim.Sport, named: NamedPoints | None, search: bool) -> str:
    """Open the window; what was saved as text of some lines. ValueError, CalibrationError: one line each.

    named   the points to begin with
    search  whether the painted lines are looked for, where there are none
    """
    size = picture_size(options.size)
    app = CalibrationApp(options, sport, size, options.headless, named, search)
    saved = app.run(options.screenshot)
    if saved is None:
        return f"{options.screenshot}: the window" if options.screenshot else ""
    if options.show:
        shown = read_frame(options.video, app.saved_points.frame or 0)
        write_picture(options.show, shown, sport, app.saved_points, saved.result)
    text = report(sport, saved.seen_from, app.saved_points, saved.result)
    if app.untouched:
        text += f"\n{app.untouched} of the points are where the painted lines put them"
    return f"{text}\n{options.out}: the camera\n{points_file(options)}: its points"


def picture_size(text: str) -> tuple[int, int]:
    """(width, height) px of "1280x720"."""
    from ballcast.viewer import play

    return play.picture_size(text)
