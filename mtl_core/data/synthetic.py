"""Digits drawn deterministically: identical bit for bit on every machine, Python and NumPy.

Each digit is a few strokes. Their distance to every pixel is computed once for a set of rotations
and widths, with operations that IEEE 754 rounds exactly (no sine, no exponential); an image then is
a shifted window of one such map, turned into ink by a thickness and given noise. All randomness is
SplitMix64 of (seed, image, lane) in integers (Steele, Lea & Flood, "Fast splittable pseudorandom
number generators", OOPSLA 2014), so image i does not depend on how many are drawn with it.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mtl_core.data.dataset import Bytes, Dataset, Split

SIDE = 28  # pixels of an image's side
MAP_SIDE = 40  # of a distance map: room for the shift
HEIGHT = 0.875  # vertical stretch of the strokes; exact in binary
STEPS_A_PIXEL = 8  # resolution of the maps
CHUNK = 2048  # images drawn at once, so that the working set stays in the cache

# Strokes of each digit as polylines in a box 12 wide and 20 high, y downwards.
_STROKES: dict[int, tuple[tuple[tuple[int, int], ...], ...]] = {
    0: (((6, 0), (10, 3), (11, 10), (10, 17), (6, 20), (2, 17), (1, 10), (2, 3), (6, 0)),),
    1: (((3, 4), (7, 0), (7, 20)),),
    2: (((1, 4), (4, 0), (9, 1), (11, 5), (9, 10), (1, 20), (11, 20)),),
    3: (((1, 2), (6, 0), (10, 3), (9, 7), (5, 9), (10, 12), (11, 16), (7, 20), (1, 18)),),
    4: (((9, 20), (9, 0), (1, 13), (12, 13)),),
    5: (((11, 0), (2, 0), (2, 8), (8, 8), (11, 12), (10, 17), (6, 20), (1, 18)),),
    6: (((9, 0), (4, 5), (1, 12), (2, 18), (6, 20), (10, 17), (10, 12), (6, 10), (2, 13)),),
    7: (((1, 0), (11, 0), (5, 20)), ((3, 10), (10, 10))),
    8: (
        ((6, 9), (2, 6), (3, 1), (6, 0), (9, 1), (10, 6), (6, 9)),
        ((6, 9), (1, 14), (3, 19), (6, 20), (9, 19), (11, 14), (6, 9)),
    ),
    9: (((10, 7), (6, 10), (2, 8), (2, 3), (6, 0), (10, 3), (10, 8), (9, 14), (6, 20)),),
}
# Rotations as tangents of the half angle, in 1/64: exact rationals, about -16 to 16 degrees.
_HALF_TANGENTS = tuple(range(-9, 10, 2))
_WIDTHS = (0.875, 1.0, 1.125, 1.25)  # horizontal stretch; exact in binary
# Half a stroke's thickness in steps of the map, 0.4 to 1.1 pixels, then a fading edge. It makes the images
# about as bright on average as MNIST's (0.12; there 0.13). With images half as bright again the tutorial's
# learning rate drives every unit of some networks below zero for good.
_RADII = (3, 5, 7, 9)
_VARIANTS = len(_HALF_TANGENTS) * len(_WIDTHS)

UInt64 = NDArray[np.uint64]


def _mix(z: UInt64) -> UInt64:
    """SplitMix64's finaliser: well mixed bits of a counter."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: UInt64 = z ^ (z >> np.uint64(31))
    return mixed


def _random(seed: int, first: int, count: int, lanes: int) -> UInt64:
    """(count, lanes) random words, each of (seed, image, lane) alone."""
    key = _mix(np.array([seed], dtype=np.uint64) + np.uint64(0x9E3779B97F4A7C15))
    images = np.arange(first, first + count, dtype=np.uint64)
    keyed = _mix(images * np.uint64(0xD1B54A32D192ED03) + key)
    lane = np.arange(1, lanes + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    return _mix(keyed[:, None] + lane[None, :])


def _segments(digit: int, half_tangent: int, width: float) -> NDArray[np.float64]:
    """(segments, 4) ends of the digit's strokes on the map, stretched and rotated about its middle."""
    t = half_tangent / 64.0
    cosine, sine = (1.0 - t * t) / (1.0 + t * t), 2.0 * t / (1.0 + t * t)
    ends = []
    for stroke in _STROKES[digit]:
        points = [((x - 6.0) * width, (y - 10.0) * HEIGHT) for x, y in stroke]
        turned = [(cosine * x - sine * y + 20.0, sine * x + cosine * y + 20.0) for x, y in points]
        ends += [(*start, *stop) for start, stop in pairwise(turned)]
    return np.array(ends, dtype=np.float64)


def _distance_map(segments: NDArray[np.float64]) -> Bytes:
    """(40, 40) distance of each pixel to the nearest stroke, in eighths of a pixel, capped at 255."""
    y, x = np.mgrid[0:MAP_SIDE, 0:MAP_SIDE].astype(np.float64) + 0.5
    nearest = np.full((MAP_SIDE, MAP_SIDE), 1e9)
    for x0, y0, x1, y1 in segments:
        dx, dy = x1 - x0, y1 - y0
        along = np.clip(((x - x0) * dx + (y - y0) * dy) / (dx * dx + dy * dy), 0.0, 1.0)
        away_x, away_y = x - (x0 + along * dx), y - (y0 + along * dy)
        nearest = np.minimum(nearest, away_x * away_x + away_y * away_y)
    steps: Bytes = np.minimum(np.floor(np.sqrt(nearest) * STEPS_A_PIXEL), 255.0).astype(np.uint8)
    return steps


@lru_cache(maxsize=1)
def _maps() -> Bytes:
    """All distance maps end to end: digit, rotation, width."""
    variants = [(t, w) for t in _HALF_TANGENTS for w in _WIDTHS]
    return np.concatenate([_distance_map(_segments(d, t, w)).ravel() for d in range(10) for t, w in variants])


@lru_cache(maxsize=1)
def _ink() -> Bytes:
    """(radii * 256,) brightness by thickness and distance: full inside, fading over one pixel."""
    distance = np.arange(256)
    fades = [np.clip((radius + STEPS_A_PIXEL - distance) * 255 // STEPS_A_PIXEL, 0, 255) for radius in _RADII]
    return np.concatenate(fades).astype(np.uint8)


def _draw(count: int, seed: int, first: int) -> Split:
    words = _random(seed, first, count, 6)
    labels = (words[:, 0] % np.uint64(10)).astype(np.int64)
    variant = (words[:, 1] % np.uint64(_VARIANTS)).astype(np.int64)
    shift = 3 + (words[:, 2:4] % np.uint64(7)).astype(np.int64)  # the window's corner: -3 to 3 off the middle
    radius = (words[:, 4] % np.uint64(len(_RADII))).astype(np.int64)
    corner = (labels * _VARIANTS + variant) * MAP_SIDE**2 + shift[:, 0] * MAP_SIDE + shift[:, 1]
    offsets = (np.arange(SIDE)[:, None] * MAP_SIDE + np.arange(SIDE)).ravel()
    distance = _maps()[corner[:, None] + offsets]  # (count, 784)
    ink = _ink()[(radius * 256)[:, None] + distance]
    noise = _random(seed ^ 0x6E6F697365, first, count, SIDE * SIDE // 8).astype("<u8").view(np.uint8)
    # Up to a quarter of the ink is lost; the background stays exactly black, as MNIST's is.
    worn = ink - ((ink.astype(np.uint16) * noise) >> 10).astype(np.uint8)
    return Split(images=worn.reshape(count, SIDE, SIDE), labels=labels.astype(np.uint8))


def draw_digits(count: int, seed: int = 0, first: int = 0) -> Split:
    """``count`` images from number ``first`` on: (count, 28, 28) and (count,), both uint8."""
    starts = range(first, first + count, CHUNK)
    chunks = [_draw(min(CHUNK, first + count - start), seed, start) for start in starts]
    if not chunks:
        return Split(images=np.zeros((0, SIDE, SIDE), np.uint8), labels=np.zeros(0, np.uint8))
    return Split(
        images=np.concatenate([chunk.images for chunk in chunks]),
        labels=np.concatenate([chunk.labels for chunk in chunks]),
    )


def load_synthetic(train: int = 60_000, test: int = 10_000, seed: int = 0) -> Dataset:
    """Training images first, then test images that were never trained on."""
    return Dataset("synthetic", draw_digits(train, seed), draw_digits(test, seed, first=train))
