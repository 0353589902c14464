"""Pixels: soft discs, filled outlines, the shaded ball, blended into a picture. Compiled.

    pixels = new_picture((1280, 720))       # (W, H) uint32: 8 bits each of alpha, red, green, blue
    discs(pixels, xy, radius, color, alpha, layers, 0)
    fill(pixels, corners, starts, color, 0.5, make_coverage_buffer(pixels.shape))

Edges are smooth: a disc's by its distance, an outline's by the exact area of each pixel that it covers. Colours are
0 ... 255, alpha 0 ... 1; points outside the picture are left out. No fastmath: the same state gives the same pixels,
from code just compiled too.
"""

import functools
import math
from collections.abc import Sequence

import numpy as np

from ballcast.sim.jit import strict

inlined_strict = functools.partial(strict, forceinline=True)

LIGHT_DIRECTION = np.array([-0.45, -0.65, 0.61]) / math.sqrt(0.45**2 + 0.65**2 + 0.61**2)  # right, down, to the camera
HALFWAY_VECTOR = LIGHT_DIRECTION + np.array([0.0, 0.0, 1.0])
HALFWAY_VECTOR /= np.linalg.norm(HALFWAY_VECTOR)
CHANNEL_MASK, ROUNDING = 0xFF00FF, 0x800080  # two channels of a pixel, and a half in each
MASK_32, ONE_32, EIGHT_32 = np.uint32(CHANNEL_MASK), np.uint32(0x10001), np.uint32(8)
SEAM_HALF_WIDTH = 0.13  # half width of a seam, in radii
MAX_POINTS = 200_000  # points of all lines together
FILL_BLOCK = 32  # px of a row that are filled at once where no edge is
VISIBLE, WHOLE = 2e-3, 0.999  # shares of a pixel: with less nothing is painted, with more all of it


@inlined_strict
def pack_color(red, green, blue):
    """A colour as blend takes it: (red and blue, full alpha and green), 16 bits per channel."""
    return np.int64(red) << 16 | np.int64(blue), np.int64(255) << 16 | np.int64(green)


@inlined_strict
def blend(pixels, x, y, packed_color, alpha):
    """Paint a colour over a pixel of premultiplied colour; alpha in 255ths.

    Two channels are computed together, and divided by 255 as (a + (a >> 8)) >> 8.
    """
    under, inverse_alpha = np.int64(pixels[x, y]), 255 - alpha
    low = packed_color[0] * alpha + (under & CHANNEL_MASK) * inverse_alpha + ROUNDING
    high = packed_color[1] * alpha + (under >> 8 & CHANNEL_MASK) * inverse_alpha + ROUNDING
    low, high = low + (low >> 8 & CHANNEL_MASK), high + (high >> 8 & CHANNEL_MASK)
    pixels[x, y] = np.uint32(low >> 8 & CHANNEL_MASK | high & CHANNEL_MASK << 8)


@inlined_strict
def to_alpha8(fraction):
    """A fraction from 0 to 1 in 255ths."""
    return np.int64(255.0 * fraction + 0.5)


@strict
def discs(pixels, xy, radius, color, alpha, layers, layer):
    """Discs at xy (N, 2) px of radius (N,) px, color (N, 3), alpha (N,): those whose layers (N,) equal `layer`."""
    width, height = pixels.shape
    for n in range(len(xy)):
        x, y, outer_radius = xy[n, 0], xy[n, 1], radius[n] + 0.5
        inner_squared = max(outer_radius - 1.0, 0.0) ** 2
        in_sight = -outer_radius < x < width + outer_radius and -outer_radius < y < height + outer_radius
        if layers[n] != layer or not in_sight:
            continue
        packed_color = pack_color(color[n, 0], color[n, 1], color[n, 2])
        for j in range(max(0, math.ceil(y - outer_radius)), min(height - 1, math.floor(y + outer_radius)) + 1):
            for i in range(max(0, math.ceil(x - outer_radius)), min(width - 1, math.floor(x + outer_radius)) + 1):
                distance_squared = (i - x) ** 2 + (j - y) ** 2
                if distance_squared < outer_radius * outer_radius:
                    coverage = 1.0
                    if distance_squared > inner_squared:
                        coverage = min(1.0, outer_radius - math.sqrt(distance_squared))
                    blend(pixels, i, j, packed_color, to_alpha8(coverage * alpha[n]))


def new_picture(size: Sequence[int]) -> np.ndarray:
    """A black, transparent picture of (width, height) px: (W, H) uint32, its rows one after the other in memory."""
    return np.zeros(tuple(size), np.uint32, order="F")


@inlined_strict
def over(color, under, alpha):
    """Two channels of a premultiplied colour over those of a pixel; in 32 bits, so that the loop is vectorised."""
    under = np.uint32(under & MASK_32)
    hidden = np.uint32(np.uint32(np.uint32(under + ONE_32) * alpha) >> EIGHT_32)
    return np.uint32(np.uint32(np.uint32(color & MASK_32) + under) - np.uint32(hidden & MASK_32))


@strict
def composite(pixels, image, left, top):
    """Paint an image (W, H) of premultiplied colours over the picture, its corner at (left, top) px."""
    for j in range(image.shape[1]):
        colors, row = image.T[j], pixels.T[top + j][left : left + image.shape[0]]
        for i in range(len(colors)):
            alpha = np.uint32(colors[i] >> np.uint32(24))
            low, high = np.uint32(colors[i] >> EIGHT_32), np.uint32(row[i] >> EIGHT_32)
            low, high = over(colors[i], row[i], alpha), over(low, high, alpha)
            row[i] = np.uint32(np.uint32(low & MASK_32) | np.uint32(np.uint32(high & MASK_32) << EIGHT_32))


@inlined_strict
def mix(first, second, weight):
    """The mean of two channels each of two pixels, the second with a weight in 256ths."""
    first, second = np.uint32(first & MASK_32), np.uint32(second & MASK_32)
    total = np.uint32(np.uint32(first * np.uint32(256 - weight)) + np.uint32(second * np.uint32(weight)))
    return np.uint32(np.uint32(total >> EIGHT_32) & MASK_32)


@inlined_strict
def mix_pixels(first, second, weight):
    high = mix(np.uint32(first >> EIGHT_32), np.uint32(second >> EIGHT_32), weight)
    return np.uint32(mix(first, second, weight) | np.uint32(high << EIGHT_32))


@strict
def enlarge(pixels, coarse, factor):
    """Fill the picture with a coarse one, enlarged by a whole factor with bilinear interpolation."""
    columns, rows = coarse.shape[0] - 1, coarse.shape[1] - 1
    width, height = factor * (columns + 1), factor * (rows + 1)
    wide = np.empty((rows + 1, pixels.shape[0]), np.uint32)
    for i in range(pixels.shape[0]):
        k, weight = i * columns // width, 256 * (i * columns % width) // width
        for j in range(rows + 1):
            wide[j, i] = mix_pixels(coarse[k, j], coarse[k + 1, j], weight)
    for j in range(pixels.shape[1]):
        k, weight = j * rows // height, 256 * (j * rows % height) // height
        row, above, below = pixels.T[j], wide[k], wide[k + 1]
        for i in range(len(row)):
            row[i] = mix_pixels(above[i], below[i], weight)


def make_coverage_buffer(size: Sequence[int]) -> np.ndarray:
    """Memory in which fill computes coverage, for a picture (W, H) px; allocating it takes longer than that."""
    return np.zeros((size[0] + 1) * size[1], np.float32)


@strict
def fill(pixels, corners, starts, color, alpha, coverage_buffer):
    """Fill what any outline covers: outline k has the corners starts[k] ... starts[k + 1] of corners (M, 2) px.

    coverage_buffer  of make_coverage_buffer(the picture's size), all zero before and after
    """
    low_x, low_y, high_x, high_y = np.inf, np.inf, -np.inf, -np.inf
    for n in range(len(corners)):
        low_x, low_y = min(low_x, corners[n, 0]), min(low_y, corners[n, 1])
        high_x, high_y = max(high_x, corners[n, 0]), max(high_y, corners[n, 1])
    left, top = max(0, math.floor(low_x)), max(0, math.floor(low_y))
    right, bottom = min(pixels.shape[0], math.ceil(high_x) + 1), min(pixels.shape[1], math.ceil(high_y) + 1)
    if right <= left or bottom <= top:
        return
    change = coverage_buffer[: (bottom - top) * (right - left + 1)].reshape((bottom - top, right - left + 1))
    for k in range(len(starts) - 1):
        outline = corners[starts[k] : starts[k + 1]]
        winding = 1.0 if doubled_signed_area(outline) > 0.0 else -1.0
        for n in range(len(outline)):
            x0, y0 = outline[n - 1, 0] - left, outline[n - 1, 1] - top
            accumulate_edge(change, x0, y0, outline[n, 0] - left, outline[n, 1] - top, winding)
    paint_covered(pixels, left, top, change, pack_color(color[0], color[1], color[2]), alpha)


@strict
def paint_covered(pixels, left, top, change, packed_color, alpha):
    """Paint a colour where an outline covers the picture, by `change` (H, W + 1) of accumulate_edge; clear `change`.

    A row goes by in blocks: no edge goes through most of them, and these are wholly inside or outside.
    """
    width, full_alpha, bits = change.shape[1] - 1, to_alpha8(alpha), change.view(np.uint32)
    opaque = np.uint32(packed_color[1] << 8 | packed_color[0])
    for j in range(change.shape[0]):
        coverage, row = 0.0, pixels.T[top + j][left : left + width]
        for start in range(0, width, FILL_BLOCK):
            stop, edges = min(start + FILL_BLOCK, width), np.uint32(0)
            block = bits[j][start:stop]
            for i in range(len(block)):
                edges = np.uint32(edges | block[i])
            if edges == 0 and coverage <= VISIBLE:
                continue
            if edges == 0 and coverage > WHOLE and full_alpha == 255:
                row[start:stop] = opaque
                continue
            for i in range(start, stop):
                coverage += change[j, i]
                change[j, i] = 0.0
                if coverage > WHOLE and full_alpha == 255:  # what blend gives, without what is below
                    row[i] = opaque
                elif coverage > WHOLE:
                    blend(pixels, left + i, top + j, packed_color, full_alpha)
                elif coverage > VISIBLE:
                    blend(pixels, left + i, top + j, packed_color, to_alpha8(alpha * coverage))
        change[j, width] = 0.0


@strict
def cloud(pixels, density, corner, spacing, color, rim, rim_alpha, middle_alpha):
    """Blend a colour over the picture, as dense as a coarse grid (h, w) float32 says, with bilinear interpolation.

    density[0, 0] is at corner (x, y) px, neighbours are `spacing` px apart. The alpha rises with the square of the
    density, from rim_alpha at 0 to middle_alpha at 1; the rim appears over densities from 0 to `rim`.
    """
    red, green, blue = np.uint32(color[0]), np.uint32(color[1]), np.uint32(color[2])
    tone = np.uint32(np.uint32(0xFF000000) | red << np.uint32(16) | green << np.uint32(8) | blue)
    base, rise = np.float32(256.0 * rim_alpha), np.float32(256.0 * (middle_alpha - rim_alpha))
    sharpness, zero, one = np.float32(1.0 / rim), np.float32(0.0), np.float32(1.0)
    columns = density.shape[1] - 1
    line = np.empty(columns * spacing, np.float32)
    for j in range(density.shape[0] - 1):
        first, last = columns, 0  # cells in which anything shows
        for i in range(columns):
            if max(density[j, i], density[j, i + 1], density[j + 1, i], density[j + 1, i + 1]) > zero:
                first, last = min(first, i), i + 1
        top, left = corner[1] + j * spacing, corner[0] + first * spacing
        stop = min(last * spacing, pixels.shape[0] - corner[0]) - first * spacing
        for y in range(top, min(top + spacing, pixels.shape[1]) if stop > 0 else top):
            below = np.float32((y - top) / spacing)
            for i in range(first, last):
                value = density[j, i] + below * (density[j + 1, i] - density[j, i])
                right = density[j, i + 1] + below * (density[j + 1, i + 1] - density[j, i + 1])
                slope, start = (right - value) / np.float32(spacing), (i - first) * spacing
                for x in range(spacing):
                    line[start + x] = value + np.float32(x) * slope
            row = pixels.T[y][left : left + stop]
            for x in range(len(row)):
                value = max(line[x], zero)
                weight = (base + rise * value * value) * min(value * sharpness, one)
                row[x] = mix_pixels(row[x], tone, np.uint32(weight))


@strict
def fill_each(pixels, corners, starts, colors, alphas, coverage_buffer):
    """Fill outlines one after the other, each with its color (K, 3) and alpha (K,)."""
    for k in range(len(starts) - 1):
        if starts[k + 1] - starts[k] > 2:
            outline = corners[starts[k] : starts[k + 1]]
            fill(pixels, outline, np.array([0, len(outline)]), colors[k], alphas[k], coverage_buffer)


@strict
def doubled_signed_area(outline):
    """Twice the area (px2) within an outline (N, 2), its sign by the direction of rotation."""
    area = 0.0
    for n in range(len(outline)):
        area += outline[n - 1, 0] * outline[n, 1] - outline[n, 0] * outline[n - 1, 1]
    return area


@strict
def accumulate_edge(change, x0, y0, x1, y1, winding):
    """Add an edge of an outline to `change` (H, W + 1): how much the covered area changes from pixel to pixel.

    The running sum along a row is the covered area of each pixel (as in Raph Levien's font-rs).
    """
    if y0 > y1:
        x0, y0, x1, y1, winding = x1, y1, x0, y0, -winding
    height, width = change.shape[0], change.shape[1] - 1
    slope = (x1 - x0) / max(y1 - y0, 1e-12)
    for j in range(max(0, math.floor(y0)), min(height, math.ceil(y1))):
        above, below = max(y0, float(j)), min(y1, j + 1.0)
        signed_height = winding * (below - above)
        a, b = x0 + slope * (above - y0), x0 + slope * (below - y0)
        a, b = min(a, b), max(a, b)
        first, last = max(0, math.floor(a)), min(width, math.floor(b))
        before = 0.0  # the part of the previous pixel that is right of the edge
        for i in range(first, last + 1):
            enter, leave, run = max(a, float(i)), min(b, i + 1.0), max(b - a, 1e-12)
            right = i + 1.0 - a
            if run > 1e-9:
                right = (enter - a + (leave - enter) * (i + 1.0 - 0.5 * (enter + leave))) / run
            change[j, i] -= signed_height * (right - before)
            before = right
        if last < width:
            change[j, max(last + 1, 0)] -= signed_height * (1.0 - before)


@strict
def sphere(pixels, x, y, radius, color, orientation):
    """A ball of `radius` px, lit from above left, with two seams that show its orientation.

    orientation  (3, 3): takes a direction in the picture (right, down, towards the camera) to the ball's own axes
    """
    outer_radius = radius + 0.5
    for i in range(max(0, math.ceil(x - outer_radius)), min(pixels.shape[0] - 1, math.floor(x + outer_radius)) + 1):
        for j in range(max(0, math.ceil(y - outer_radius)), min(pixels.shape[1] - 1, math.floor(y + outer_radius)) + 1):
            u, v = (i - x) / radius, (j - y) / radius
            coverage = min(1.0, (1.0 - math.hypot(u, v)) * radius + 0.5)
            if coverage <= 0.0:
                continue
            w = math.sqrt(max(0.0, 1.0 - u * u - v * v))
            first = abs(orientation[0, 0] * u + orientation[0, 1] * v + orientation[0, 2] * w)
            second = abs(orientation[1, 0] * u + orientation[1, 1] * v + orientation[1, 2] * w)
            seam = min(max((SEAM_HALF_WIDTH - min(first, second)) * radius / 1.5 + 0.5, 0.0), 1.0) * 0.72
            diffuse = min(max(u * LIGHT_DIRECTION[0] + v * LIGHT_DIRECTION[1] + w * LIGHT_DIRECTION[2], 0.0), 1.0)
            halfway = u * HALFWAY_VECTOR[0] + v * HALFWAY_VECTOR[1] + w * HALFWAY_VECTOR[2]
            specular, shading = 90.0 * min(max(halfway, 0.0), 1.0) ** 30, (0.36 + 0.70 * diffuse) * (1.0 - seam)
            red, green = min(shading * color[0] + specular, 255.0), min(shading * color[1] + specular, 255.0)
            packed_color = pack_color(red, green, min(shading * color[2] + specular, 255.0))
            blend(pixels, i, j, packed_color, to_alpha8(coverage))


@strict
def resample_polylines(xy, values, starts, spacing, size):
    """Points every spacing[k] px along line k, xy (N, 2) from starts[k] to starts[k + 1], and `values` (N, V) there.

    Returns xy (M, 2), values (M, V), and the line of each point (M,). Points outside a picture of that size are left
    out; a corner that is out of sight (NaN) interrupts its line.
    """
    count = 0
    out_xy, out_line = np.empty((MAX_POINTS, 2)), np.empty(MAX_POINTS, np.int64)
    out_values = np.empty((MAX_POINTS, values.shape[1]))
    for k in range(len(starts) - 1):
        to_next = 0.0  # px to the next point
        for n in range(starts[k], starts[k + 1] - 1):
            dx, dy = xy[n + 1, 0] - xy[n, 0], xy[n + 1, 1] - xy[n, 1]
            length = math.hypot(dx, dy)
            if not length < 1e5:
                to_next = 0.0
                continue
            while to_next < length and count < MAX_POINTS:
                fraction = to_next / length
                x, y = xy[n, 0] + fraction * dx, xy[n, 1] + fraction * dy
                if -9 < x < size[0] + 9 and -9 < y < size[1] + 9:
                    out_xy[count, 0], out_xy[count, 1], out_line[count] = x, y, k
                    for v in range(values.shape[1]):
                        out_values[count, v] = values[n, v] + fraction * (values[n + 1, v] - values[n, v])
                    count += 1
                to_next += spacing[k]
            to_next -= length
    return out_xy[:count].copy(), out_values[:count].copy(), out_line[:count].copy()
