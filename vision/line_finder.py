"""Painted lines in a picture: which pixels are on one, and the straight lines that they make.

    ridge = ridges(image)                          # Ridges: how much brighter each pixel is than both its sides
    lines, segments = find_lines(ridge)            # (N, 3): unit normal and distance, n . pixel = d; (M, 4) px

A painted line is brighter than the ground on both its sides, a few pixels away. So is text, which is why a line must
have dark sides along most of its length.
"""

from typing import NamedTuple

import numpy as np

REACHES = 1 / 480, 1 / 200  # of the picture's width: how far away the sides of a pixel are looked at
MARGIN = 12  # px at the borders without lines: codecs and overlays
GAP = 1 / 120  # of the width, in a segment
LIT, DARK = 0.6, 0.35  # share of a segment's pixels that are bright; of the pixels at its sides, at most
MERGE_ANGLE = np.radians(1.5)
MERGE_DISTANCE = 1 / 320  # of the width
MAX_LINES = 24


class Search(NamedTuple):
    """How much is taken for a line.

    brighter  of 255, than both its sides
    shortest, votes  of the width: the length of a segment, and its pixels
    away      of the width, at least 4 px: where its sides have to be dark
    """

    brighter: float
    shortest: float
    votes: float
    away: float


CLEAR = Search(14.0, 1 / 22, 1 / 25, 2.2 * REACHES[1])
FAINT = Search(7.0, 1 / 40, 1 / 50, 0.8 * REACHES[1])  # thin lines seen from low down, short ones far away


class Ridges(NamedTuple):
    """Of every pixel, by how much it is brighter than both its sides (H, W), of 255."""

    across: np.ndarray  # than those above and below: of lines that are more level than upright
    upright: np.ndarray  # than those to the left and right
    gray: np.ndarray  # (H, W) uint8

    @property
    def strongest(self) -> np.ndarray:
        return np.maximum(self.across, self.upright)


def ridges(image: np.ndarray) -> Ridges:
    """The Ridges of an image (H, W, 3) uint8."""
    import cv2

    gray = cv2.GaussianBlur(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), (3, 3), 0)
    values, width = gray.astype(np.int16), image.shape[1]
    both = []
    for axis in (0, 1):
        best = np.full(gray.shape, -255, np.int16)
        for share in REACHES:
            reach = max(2, round(share * width))
            sides = np.maximum(np.roll(values, reach, axis), np.roll(values, -reach, axis))
            best = np.maximum(best, values - sides)
        best[:MARGIN] = best[-MARGIN:] = -255
        best[:, :MARGIN] = best[:, -MARGIN:] = -255
        both.append(best)
    return Ridges(both[0], both[1], gray)


def find_lines(found: Ridges, search: Search = CLEAR) -> tuple[np.ndarray, np.ndarray]:
    """The lines (N, 3) of a picture, the longest first, at most MAX_LINES, and the segments (M, 4) they are made of.

    Of a line n . pixel = d, with n[1] >= 0; of a segment the ends u, v, u, v.
    """
    import cv2

    height, width = found.gray.shape
    mask = (found.strongest > search.brighter).astype(np.uint8)
    segments = cv2.HoughLinesP(
        mask, 1, np.pi / 720, threshold=round(search.votes * width), minLineLength=search.shortest * width,
        maxLineGap=GAP * width,
    )  # fmt: skip
    if segments is None:
        return np.empty((0, 3)), np.empty((0, 4))
    segments = segments.reshape(-1, 4).astype(float)
    segments = segments[[_is_line(mask, segment, search.away * width) for segment in segments]]
    return _merged(segments, width), segments


def _is_line(mask, segment, away):
    """Whether a segment (4,) is bright along itself and dark beside."""
    start, end = segment[:2], segment[2:]
    length = np.linalg.norm(end - start)
    normal = np.array([start[1] - end[1], end[0] - start[0]]) / length
    points = start + np.linspace(0.0, 1.0, int(length) + 1)[:, None] * (end - start)
    lit = max(_lit(mask, points + shift * normal) for shift in (-1.0, 0.0, 1.0))
    away = max(4.0, away)
    return lit > LIT and max(_lit(mask, points + away * normal), _lit(mask, points - away * normal)) < DARK


def _lit(mask, points):
    u, v = np.round(points).astype(int).T
    return mask[np.clip(v, 0, mask.shape[0] - 1), np.clip(u, 0, mask.shape[1] - 1)].mean()


def _merged(segments, width):
    """Lines (N, 3) from segments (M, 4): those on one line are one."""
    lengths = np.linalg.norm(segments[:, 2:] - segments[:, :2], axis=1)
    order, lines, weights = list(np.argsort(-lengths)), [], []
    while order:
        group, line = [order[0]], _line_of(segments[order[:1]])
        for _ in range(2):
            group = [k for k in order if _is_on(segments[k], line, width)] or group
            line = _line_of(segments[group])
        order = [k for k in order if k not in group and k != order[0]]
        lines.append(line)
        weights.append(_covered(segments[group], line))
    best = np.argsort(-np.array(weights))[:MAX_LINES]
    return np.array(lines).reshape(-1, 3)[best]


def _line_of(segments):
    """The line (3,) through the ends of segments (M, 4), by least squares."""
    ends = segments.reshape(-1, 2)
    middle = ends.mean(axis=0)
    normal = np.linalg.svd(ends - middle)[2][-1]
    normal = normal if normal[1] > 0 or (normal[1] == 0 and normal[0] > 0) else -normal
    return np.array([*normal, normal @ middle])


def _is_on(segment, line, width):
    direction = segment[2:] - segment[:2]
    off = abs(direction @ line[:2]) / np.linalg.norm(direction)
    apart = np.abs(segment.reshape(2, 2) @ line[:2] - line[2]).max()
    return off < np.sin(MERGE_ANGLE) and apart < max(3.0, MERGE_DISTANCE * width)


def _covered(segments, line):
    """The length of a line that is covered by segments, px."""
    along = np.array([-line[1], line[0]])
    spans = np.sort(segments.reshape(-1, 2, 2) @ along, axis=1)
    spans = spans[np.argsort(spans[:, 0])]
    total, end = 0.0, -np.inf
    for low, high in spans:
        total += max(0.0, high - max(low, end))
        end = max(end, high)
    return total
