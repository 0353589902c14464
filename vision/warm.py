"""Compile what following a ball in a video needs, by following one in a made-up video."""

import numpy as np

from ballcast.vision.candidates import CandidateFinder
from ballcast.vision.follow import Follower, settle
from ballcast.vision.network import decode
from ballcast.vision.video import Frame

SIZE, COUNT, RATE = (320, 240), 40, 30.0  # px; frames; frames/s


def follow_made_up() -> None:
    """Follow a disc that flies, bounces and comes back over a floor of noise. Needs OpenCV."""
    follower = Follower(CandidateFinder(background=True), SIZE)
    for _ in settle(follower, made_up_frames()):
        if follower.image.forecast(np.array([2.0, 2.1])) is not None:
            follower.forecast(np.array([2.0, 2.1]))
    decode(np.zeros((12, 8, 8), np.float32), 0)


def made_up_frames() -> list[Frame]:
    """The frames: a white disc over grey noise."""
    import cv2

    random, frames = np.random.default_rng(0), []
    floor = random.normal(90.0, 20.0, (SIZE[1], SIZE[0], 3)).clip(0, 255).astype(np.uint8)
    for n in range(COUNT):
        image = floor.copy()
        fallen = abs(4.0 * (n % 20) - 40.0)
        cv2.circle(image, (20 + 7 * n, round(60 + 120 - 3.0 * fallen)), 4, (255, 255, 255), -1, cv2.LINE_AA)
        frames.append(Frame(n, n / RATE, image))
    return frames
