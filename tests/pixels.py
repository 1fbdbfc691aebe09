"""Pictures looked at pixel by pixel: how much is of a colour, and whether that can be told from the rest."""

from __future__ import annotations

import io
from functools import cached_property

import numpy as np
from PIL import Image

RGB = tuple[int, int, int]
WITHIN = 36.0  # of a distance of 441 from black to white: edges are smoothed


class Picture:
    """Red, green and blue of each pixel, (rows, columns, 3), 0 to 255."""

    def __init__(self, pixels: np.ndarray) -> None:
        self.pixels = pixels[..., :3].astype(float)

    def part(self, left: int, top: int, right: int, bottom: int) -> Picture:
        return Picture(self.pixels[max(0, top) : bottom, max(0, left) : right])

    @cached_property
    def ground(self) -> RGB:
        """What most pixels have."""
        numbers, counts = np.unique(self.pixels.astype(int) @ (1 << 16, 1 << 8, 1), return_counts=True)
        most = int(numbers[counts.argmax()])
        return most >> 16, most >> 8 & 255, most & 255

    def area(self, colour: RGB, opacity: float = 1.0) -> int:
        """How many pixels are of the colour, as it comes out of so much of it before the ground."""
        ground = np.array(self.ground, dtype=float)
        shade = ground + opacity * (np.array(colour, dtype=float) - ground)
        return int((np.linalg.norm(self.pixels - shade, axis=-1) < WITHIN).sum())

    def empty_below(self) -> float:
        """The share of the height below the last row that is not of one colour alone."""
        drawn = np.nonzero((self.pixels != self.pixels[:, :1]).any(axis=(1, 2)))[0]
        return 1.0 - (int(drawn[-1]) + 1) / len(self.pixels) if len(drawn) else 1.0


def picture(png: bytes) -> Picture:
    with Image.open(io.BytesIO(png)) as opened:
        return Picture(np.array(opened.convert("RGB")))


def contrast(one: RGB, other: RGB) -> float:
    """WCAG's contrast ratio, 1 to 21."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: RGB) -> float:
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in np.array(colour) / 255
    ]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))
