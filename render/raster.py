"""Pixels: soft discs, filled outlines, the shaded ball, blended into a picture of 32 bits. Compiled.

    pixels = pygame.surfarray.pixels2d(surface)         # (W, H) uint32: 8 bits each of alpha, red, green, blue
    discs(pixels, xy, radius, color, alpha, slots, 0)
    fill(pixels, corners, starts, color, 0.5, room_for(surface.get_size()))

Edges are smooth: a disc's by its distance, an outline's by the exact area that it covers of every pixel. Colours are
0 ... 255, alpha 0 ... 1; what lies outside of the picture is left out. No fastmath: the same state gives the same
pixels, also from code that was just compiled.
"""

import functools
import math

import numpy as np
from ballcast.sim.jit import exact

melted = functools.partial(exact, forceinline=True)

LIGHT = np.array([-0.45, -0.65, 0.61]) / math.sqrt(0.45**2 + 0.65**2 + 0.61**2)  # towards it: right, down, to the eye
SHINE = (LIGHT + np.array([0.0, 0.0, 1.0])) / np.linalg.norm(LIGHT + np.array([0.0, 0.0, 1.0]))
BOTH, HALF = 0xFF00FF, 0x800080  # two channels of a pixel, and a half in each
SEAM = 0.13  # half width of a seam, in radii
MOST = 200_000  # dots of all lines together


@melted
def ink_of(red, green, blue):
    """A colour as blend takes it: its red and blue, and its full alpha and green, 16 bits each."""
    return np.int64(red) << 16 | np.int64(blue), np.int64(255) << 16 | np.int64(green)


@melted
def blend(pixels, x, y, ink, alpha):
    """A colour over a pixel, whose own colours are multiplied by its alpha already; alpha in 255ths.

    Two channels are taken together, and divided by 255 as (a + (a >> 8)) >> 8.
    """
    under, rest = np.int64(pixels[x, y]), 255 - alpha
    low = ink[0] * alpha + (under & BOTH) * rest + HALF
    high = ink[1] * alpha + (under >> 8 & BOTH) * rest + HALF
    low, high = low + (low >> 8 & BOTH), high + (high >> 8 & BOTH)
    pixels[x, y] = np.uint32(low >> 8 & BOTH | high & BOTH << 8)


@melted
def parts(share):
    """A share between 0 and 1 in 255ths."""
    return np.int64(255.0 * share + 0.5)


@exact
def discs(pixels, xy, radius, color, alpha, slots, slot):
    """Discs about xy (N, 2) px of radius (N,) px, color (N, 3), alpha (N,): those whose slots (N,) are `slot`."""
    wide, high = pixels.shape
    for n in range(len(xy)):
        x, y, reach = xy[n, 0], xy[n, 1], radius[n] + 0.5
        inner = max(reach - 1.0, 0.0) ** 2
        if slots[n] != slot or not (-reach < x < wide + reach and -reach < y < high + reach):
            continue
        ink = ink_of(color[n, 0], color[n, 1], color[n, 2])
        for j in range(max(0, math.ceil(y - reach)), min(high - 1, math.floor(y + reach)) + 1):
            for i in range(max(0, math.ceil(x - reach)), min(wide - 1, math.floor(x + reach)) + 1):
                far = (i - x) ** 2 + (j - y) ** 2
                if far < reach * reach:
                    cover = 1.0 if far <= inner else min(1.0, reach - math.sqrt(far))
                    blend(pixels, i, j, ink, parts(cover * alpha[n]))


def room_for(size):
    """Where fill reckons what is covered, for a picture (W, H) px: new memory each time would take longer than that."""
    return np.zeros((size[0] + 1) * size[1], np.float32)


@exact
def fill(pixels, corners, starts, color, alpha, room):
    """What any of the outlines covers: outline k has the corners starts[k] ... starts[k + 1] of corners (M, 2) px.

    room  as of room_for(the picture's size), all zero, as it is left
    """
    left, top = max(0, math.floor(corners[:, 0].min())), max(0, math.floor(corners[:, 1].min()))
    right = min(pixels.shape[0], math.ceil(corners[:, 0].max()) + 1)
    bottom = min(pixels.shape[1], math.ceil(corners[:, 1].max()) + 1)
    if right <= left or bottom <= top:
        return
    change = room[: (bottom - top) * (right - left + 1)].reshape((bottom - top, right - left + 1))
    for k in range(len(starts) - 1):
        outline = corners[starts[k] : starts[k + 1]]
        turn = 1.0 if twice_area(outline) > 0.0 else -1.0
        for n in range(len(outline)):
            edge(
                change,
                outline[n - 1, 0] - left,
                outline[n - 1, 1] - top,
                outline[n, 0] - left,
                outline[n, 1] - top,
                turn,
            )
    ink, whole = ink_of(color[0], color[1], color[2]), parts(alpha)
    for j in range(bottom - top):
        cover = 0.0
        for i in range(right - left):
            cover += change[j, i]
            change[j, i] = 0.0
            if cover > 0.999:
                blend(pixels, left + i, top + j, ink, whole)
            elif cover > 2e-3:
                blend(pixels, left + i, top + j, ink, parts(alpha * cover))
        change[j, right - left] = 0.0


@exact
def fill_each(pixels, corners, starts, colors, alphas, room):
    """Outlines as of fill, one after the other, each in its color (K, 3) and alpha (K,)."""
    for k in range(len(starts) - 1):
        if starts[k + 1] - starts[k] > 2:
            mine = corners[starts[k] : starts[k + 1]]
            fill(pixels, mine, np.array([0, len(mine)]), colors[k], alphas[k], room)


@exact
def twice_area(outline):
    """Twice the area (px2) within an outline (N, 2), with the sign of its turn."""
    area = 0.0
    for n in range(len(outline)):
        area += outline[n - 1, 0] * outline[n, 1] - outline[n, 0] * outline[n - 1, 1]
    return area


@exact
def edge(change, x0, y0, x1, y1, turn):
    """An edge of an outline: by how much the area covered changes from each pixel to the next on its right.

    change (H, W + 1); the running sum of a row is what is covered of each of its pixels (as in Levien's font-rs).
    """
    if y0 > y1:
        x0, y0, x1, y1, turn = x1, y1, x0, y0, -turn
    high, wide = change.shape[0], change.shape[1] - 1
    slope = (x1 - x0) / max(y1 - y0, 1e-12)
    for j in range(max(0, math.floor(y0)), min(high, math.ceil(y1))):
        above, below = max(y0, float(j)), min(y1, j + 1.0)
        height = turn * (below - above)
        a, b = x0 + slope * (above - y0), x0 + slope * (below - y0)
        a, b = min(a, b), max(a, b)
        first, last = max(0, math.floor(a)), min(wide, math.floor(b))
        before = 0.0  # of the pixel before, what lies right of the edge
        for i in range(first, last + 1):
            enter, leave, run = max(a, float(i)), min(b, i + 1.0), max(b - a, 1e-12)
            right = (
                (enter - a + (leave - enter) * (i + 1.0 - 0.5 * (enter + leave))) / run if run > 1e-9 else i + 1.0 - a
            )
            change[j, i] -= height * (right - before)
            before = right
        if last < wide:
            change[j, max(last + 1, 0)] -= height * (1.0 - before)


@exact
def sphere(pixels, x, y, radius, color, turn):
    """A ball of `radius` px, lit from above left, with two seams that show how it is turned.

    turn  (3, 3): takes a direction in the picture (right, down, towards the eye) to the ball's own axes
    """
    reach = radius + 0.5
    for i in range(max(0, math.ceil(x - reach)), min(pixels.shape[0] - 1, math.floor(x + reach)) + 1):
        for j in range(max(0, math.ceil(y - reach)), min(pixels.shape[1] - 1, math.floor(y + reach)) + 1):
            u, v = (i - x) / radius, (j - y) / radius
            cover = min(1.0, (1.0 - math.hypot(u, v)) * radius + 0.5)
            if cover <= 0.0:
                continue
            w = math.sqrt(max(0.0, 1.0 - u * u - v * v))
            first = abs(turn[0, 0] * u + turn[0, 1] * v + turn[0, 2] * w)
            second = abs(turn[1, 0] * u + turn[1, 1] * v + turn[1, 2] * w)
            dark = min(max((SEAM - min(first, second)) * radius / 1.5 + 0.5, 0.0), 1.0) * 0.72
            light = min(max(u * LIGHT[0] + v * LIGHT[1] + w * LIGHT[2], 0.0), 1.0)
            shine = 90.0 * min(max(u * SHINE[0] + v * SHINE[1] + w * SHINE[2], 0.0), 1.0) ** 30
            tone = (0.36 + 0.70 * light) * (1.0 - dark)
            red, green, blue = tone * color[0] + shine, tone * color[1] + shine, tone * color[2] + shine
            ink = ink_of(min(red, 255.0), min(green, 255.0), min(blue, 255.0))
            blend(pixels, i, j, ink, parts(cover))


@exact
def along(xy, values, starts, spacing, size):
    """Points every spacing[k] px along line k, xy (N, 2) from starts[k] to starts[k + 1], and `values` (N, V) there.

    Returns xy (M, 2), values (M, V), and the line of each (M,). What is out of the picture of that size is left out;
    corners that are out of sight (NaN) break a line.
    """
    count = 0
    out, told, line = np.empty((MOST, 2)), np.empty((MOST, values.shape[1])), np.empty(MOST, np.int64)
    for k in range(len(starts) - 1):
        due = 0.0  # px to the next point
        for n in range(starts[k], starts[k + 1] - 1):
            dx, dy = xy[n + 1, 0] - xy[n, 0], xy[n + 1, 1] - xy[n, 1]
            length = math.hypot(dx, dy)
            if not length < 1e5:
                due = 0.0
                continue
            while due < length and count < MOST:
                part = due / length
                x, y = xy[n, 0] + part * dx, xy[n, 1] + part * dy
                if -9 < x < size[0] + 9 and -9 < y < size[1] + 9:
                    out[count, 0], out[count, 1], line[count] = x, y, k
                    for v in range(values.shape[1]):
                        told[count, v] = values[n, v] + part * (values[n + 1, v] - values[n, v])
                    count += 1
                due += spacing[k]
            due -= length
    return out[:count].copy(), told[:count].copy(), line[:count].copy()
