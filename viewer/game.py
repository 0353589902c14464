"""A game, "beat the network": balls stop in flight, and the player and the predictors say where each goes next.

The seed and the ball's number choose the moment of the stop, among those at which the ball is in the picture. The
question is where the ball lands next, or where it is 0.4 s later if it does not land soon. The predictors answer with
the forecasts of that moment, so from the frames that the player saw; the window draws no forecast before the player has
answered. No window is needed here.
"""

from collections.abc import Callable
from statistics import mean, median
from typing import NamedTuple

import numpy as np

from ballcast.render.camera import OrbitCamera
from ballcast.viewer.playback.ball import BallRecord
from ballcast.viewer.playback.forecaster import Forecaster
from ballcast.viewer.playback.session import FRAME_TIME, SPEEDS, Session

BALLS = 10  # of a game
SPEED = SPEEDS[3]  # of the show during a game: half of the real one
FIRST_PART = 2.5  # s of a ball within which it stops
MIN_SEEN, MIN_FRAMES = 0.1, 8  # s and frames that were seen since the ball was hit last
MIN_LEAD, MAX_LEAD = 0.15, 0.8  # s from the stop to the landing
LEAD = 0.4  # s ahead, where no landing is near
MIN_SPEED = 1.0  # m/s; a slower ball is not asked about
MAX_SEARCH = 20  # balls in a row that may have no such moment
EDGE = 0.08  # of the picture's width and height
FAR = 1e4  # m, the length of a line of sight
PLAYER = "you"


class Question(NamedTuple):
    """Where will the ball be?"""

    stop: float  # s, when the ball stops
    time: float  # s, of the answer
    position: np.ndarray  # (3,) m, the true answer
    is_landing: bool


class Answer(NamedTuple):
    """What the player (`number` None) or a predictor says: (3,) m or None, and its distance to the truth, m or inf."""

    name: str
    number: int | None
    position: np.ndarray | None
    distance: float


class Standing(NamedTuple):
    """A line of the table: distances in m."""

    name: str
    number: int | None
    distances: list[float]
    closest: int  # on how many balls nobody was closer


def find_question(
    ball: BallRecord, generator: np.random.Generator, is_visible: Callable[[np.ndarray], bool]
) -> Question | None:
    """A question about a ball at a random moment, of a landing rather than of a position; None if there is none.

    is_visible  whether a position (3,) m is in the picture, as the ball has to be, then and at the question's time
    """
    last = min(ball.start + FIRST_PART, float(ball.track.time[-1]))
    moments = [float(t) for t in np.arange(ball.start + MIN_SEEN, last, FRAME_TIME) if _was_seen(ball, t)]
    moments = [t for t in moments if is_visible(ball.state_at(t)[0])]
    for ask in (_ask_landing, _ask_position):
        questions = [question for t in moments if (question := ask(ball, t)) and is_visible(question.position)]
        if questions:
            return questions[generator.integers(len(questions))]
    return None


def _was_seen(ball, moment):
    """Whether enough frames were seen since the last hit, and the ball is not about to rest."""
    since = max([ball.start, *(hit for hit in ball.hits if hit <= moment)])
    frames = np.sum((ball.track.time > since) & (ball.track.time <= moment))
    is_fast = np.linalg.norm(ball.state_at(moment)[1]) > MIN_SPEED
    return moment - since >= MIN_SEEN and frames >= MIN_FRAMES and is_fast


def _ask_landing(ball, moment):
    next_one = int(np.searchsorted(ball.landing_time, moment, side="right"))
    if next_one == len(ball.landing_time):
        return None
    time = float(ball.landing_time[next_one])
    if not MIN_LEAD <= time - moment <= MAX_LEAD or _is_hit(ball, moment, time):
        return None
    return Question(moment, time, ball.landing_position[next_one], True)


def _ask_position(ball, moment):
    time = moment + LEAD
    if _is_hit(ball, moment, time) or not ball.is_known_at(time):
        return None
    return Question(moment, time, ball.state_at(time)[0], False)


def _is_hit(ball, since, until):
    """Whether a player hits the ball in this time; in a recording, which does not say so, whether it turns back."""
    if not ball.is_recorded:
        return any(since < hit <= until for hit in ball.hits)
    rows = (ball.time >= since) & (ball.time <= until)
    return bool(np.any(ball.velocity[rows, :2] @ ball.state_at(since)[1][:2] < 0.0))


def is_in_picture(camera: OrbitCamera, position: np.ndarray) -> bool:
    """Whether a position (3,) m is in the picture, not at its very edge."""
    pixel, size = camera.project(position[None])[0][0], np.array(camera.size)
    return bool(np.all(pixel > EDGE * size) and np.all(pixel < (1 - EDGE) * size))


def first_contact(sport, path: np.ndarray) -> np.ndarray | None:
    """Where the ball's centre (3,) m is when it first touches a landing surface on a path (N, 3) m; None: nowhere."""
    found = []  # (how far along the path, position)
    for surface in sport.surfaces:
        if not (surface.landing and surface.supports):
            continue
        height = path[:, 2] - surface.low[2] - sport.ball.radius
        for row in np.flatnonzero((height[:-1] >= 0.0) & (height[1:] < 0.0)):
            fraction = height[row] / (height[row] - height[row + 1])
            position = path[row] + fraction * (path[row + 1] - path[row])
            if np.all(position[:2] >= surface.low[:2]) and np.all(position[:2] <= surface.high[:2]):
                found.append((row + fraction, tuple(position)))
    return np.array(min(found)[1]) if found else None


def line_of_sight(camera: OrbitCamera, pixel) -> np.ndarray:
    """The direction (3,) from the camera through a pixel, 1 m deep."""
    across = (np.asarray(pixel, float) - camera.principal_point) / camera.focal_length
    return np.append(across, 1.0) @ camera.basis


def pointed_at(sport, question: Question, camera: OrbitCamera, pixel) -> np.ndarray | None:
    """The answer (3,) m that a pixel stands for; None if it points at nothing.

    Of a landing: the ball on the first surface in sight there. Else: the point at the depth of the true answer, so that
    only distances across the line of sight count.
    """
    direction = line_of_sight(camera, pixel)
    if question.is_landing:
        return first_contact(sport, camera.eye + np.outer([0.0, FAR], direction))
    return camera.eye + camera.project(question.position[None])[1][0] * direction


def predicted(sport, question: Question, forecast) -> np.ndarray | None:
    """The answer (3,) m in a StampedForecast, or None. One without a landing lands where its path meets a surface."""
    if forecast is None:
        return None
    if not question.is_landing:
        return np.array([np.interp(question.time, forecast.times, axis) for axis in forecast.mean.T])
    if forecast.landing is not None:
        return np.asarray(forecast.landing.position, float)
    return first_contact(sport, forecast.mean)


def is_ready(session: Session) -> bool:
    """Whether the simulator and the predictors are compiled."""
    return session.source.ready and not getattr(session.pool, "waiting", ())


class Game:
    """A game on a session. Raises ValueError if it is not ready, or if no ball has a moment to stop at.

    camera  returns the camera that paints
    phase   flying, asking (the ball has stopped), revealing (it flies on), answered, over
    rounds  the Answers to each ball so far, the player's first
    aim     the pixel that the player points at; None: the place under the ball, or the ball
    pressed  the pixel where the mouse was pressed and not yet released, or None
    waited  s of wall clock since the show stands still
    """

    def __init__(self, session: Session, camera: Callable[[], OrbitCamera], balls: int = BALLS) -> None:
        self.session, self.camera, self.balls, self._speed_before = session, camera, balls, session.speed
        self.seed: int = getattr(session.source, "seed", 0)
        self.phase, self.aim, self.pressed, self.waited = "flying", None, None, 0.0
        if not is_ready(session):
            raise ValueError("the game begins when everything is compiled: try again")
        if not session.ball.is_motion_known:
            raise ValueError("the game needs balls whose true flight is known; recorded pixels do not say it")
        session.speed, session.paused, session.hidden = SPEED, False, False
        if session.now > session.ball.start:
            session.next()  # a ball that nobody has seen
        else:
            session.restart()
        self.rounds: list[list[Answer]] = []
        self._find_ball()

    def leave(self) -> None:
        """Give the session back as it was: its next ball, at its own speed."""
        self.session.speed = self._speed_before
        self.session.next()

    def advance(self, elapsed: float) -> None:
        """Advance by `elapsed` seconds of wall clock: to the stop, and once answered to the true answer."""
        if self.phase not in ("flying", "revealing"):
            self.waited += elapsed
            return
        until = self.question.stop if self.phase == "flying" else self.question.time
        left = (until - self.session.now) / self.session.speed
        self.session.advance(min(elapsed, left))
        if elapsed >= left:
            self.phase, self.waited = ("asking" if self.phase == "flying" else "answered"), 0.0

    def aimed_pixel(self) -> np.ndarray:
        """The pixel (2,) that the player points at."""
        camera, ball = self.camera(), self.session.ball.state_at(self.session.now)[0]
        below = first_contact(self.session.sport, ball - np.outer([0.0, FAR], (0.0, 0.0, 1.0)))
        start = ball if below is None or not self.question.is_landing else below
        aim = camera.project(start[None])[0][0] if self.aim is None else np.asarray(self.aim, float)
        return np.clip(np.where(np.isfinite(aim), aim, camera.principal_point), 0, np.subtract(camera.size, 1))

    def aimed_position(self) -> np.ndarray | None:
        """The answer (3,) m that the player would give now, or None."""
        return pointed_at(self.session.sport, self.question, self.camera(), self.aimed_pixel())

    def confirm(self) -> bool:
        """Go on: answer, see the truth at once, the next ball, play again. False if the player points at nothing."""
        if self.phase == "asking":
            return self._answer()
        if self.phase == "revealing":
            self.advance(np.inf)
        elif self.phase != "flying":
            if self.phase == "over":
                self.rounds = []
            elif len(self.rounds) == self.balls:
                self.phase, self.waited = "over", 0.0
                return True
            self._next_ball()
        return True

    def standings(self) -> list[Standing]:
        """The player and every predictor, in this order."""
        nearest = [min(answer.distance for answer in answers) for answers in self.rounds]
        lines = []
        for column in zip(*self.rounds):
            distances = [answer.distance for answer in column]
            closest = sum(distance == best < np.inf for distance, best in zip(distances, nearest))
            lines.append(Standing(column[0].name, column[0].number, distances, closest))
        return lines

    def result(self) -> tuple[str, str]:
        """Who has won against the best predictor, and by how much, in two sentences."""
        player, *others = self.standings()
        best = min(others, key=lambda other: (median(other.distances), mean(other.distances)))
        won = sum(mine < its for mine, its in zip(player.distances, best.distances))
        lost = sum(mine > its for mine, its in zip(player.distances, best.distances))
        winner = f"You beat {best.name}" if won > lost else f"{best.name} beats you" if lost > won else "A draw"
        score = f"{max(won, lost)} : {min(won, lost)}"
        medians = f"Your median distance is {centimetres(median(player.distances))}"
        return f"{winner}, {score}.", f"{medians}, that of {best.name} {centimetres(median(best.distances))}."

    def name_of(self, forecaster: Forecaster) -> str:
        """The plain name of a predictor."""
        return self.session.pool.describe(forecaster.number).title

    def _answer(self):
        position = self.aimed_position()
        if position is None:
            return False
        answers = [self._judged(PLAYER, None, position)]
        for forecaster in self.session.forecasters:
            forecast = predicted(self.session.sport, self.question, forecaster.forecast(self.session.now))
            answers.append(self._judged(self.name_of(forecaster), forecaster.number, forecast))
        self.rounds.append(answers)
        self.phase, self.waited = "revealing", 0.0
        return True

    def _judged(self, name, number, position):
        """An Answer with its distance; where only those across the line of sight count, as the player's answer."""
        if position is None or not np.all(np.isfinite(position)):
            return Answer(name, number, None, np.inf)
        if not self.question.is_landing:
            camera = self.camera()
            position = pointed_at(self.session.sport, self.question, camera, camera.project(position[None])[0][0])
        distance = float(np.linalg.norm(position - self.question.position))
        return Answer(name, number, position, distance) if np.isfinite(distance) else Answer(name, number, None, np.inf)

    def _next_ball(self):
        self.session.next()
        self._find_ball()

    def _find_ball(self):
        """This ball or the first after it that has a question."""
        self.phase, self.aim, self.pressed, self.waited = "flying", None, None, 0.0
        camera = self.camera()
        for is_visible in (lambda p: is_in_picture(camera, p), lambda p: True):  # else the player turns the camera
            for _ in range(MAX_SEARCH):
                generator = np.random.default_rng([self.seed, self.session.index])
                if question := find_question(self.session.ball, generator, is_visible):
                    self.question = question
                    return
                self.session.next()
        self.session.speed = self._speed_before
        raise ValueError(f"the game needs a ball that flies for {MIN_SEEN + LEAD:g} s; none of these does")


def centimetres(distance: float) -> str:
    """A distance in m as text, in m from 1 m on."""
    if 0.995 <= distance < np.inf:
        return f"{distance:.2f} m"
    return "no answer" if not np.isfinite(distance) else f"{100 * distance:.{0 if distance >= 0.0995 else 1}f} cm"
