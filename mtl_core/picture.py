"""A digit as people see it: in characters, as a PNG with both answers, and from any image file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, ImageOps, UnidentifiedImageError

from mtl_core.dataset import Bytes
from mtl_core.errors import UserError

SHADES = " .:-=+*#%@"
INK_BOX, SIDE = 20, 28  # MNIST fits the ink into 20 x 20 and centres its mass in 28 x 28
INK = 32  # brightness from which a pixel counts as ink when the picture is cropped


def as_text(image: Bytes) -> str:
    """(28, 28) as 14 lines of 28 characters, two rows of pixels a line."""
    rows = image.reshape(14, 2, 28).mean(axis=1)
    levels = (rows * (len(SHADES) - 1) / 255 + 0.5).astype(int)
    return "\n".join("".join(SHADES[level] for level in row).rstrip() for row in levels)


def from_file(path: Path) -> tuple[Bytes, list[str]]:
    """(28, 28) made from any image file as MNIST was made, and in words what was done to it.

    Raises UserError for a file that is no image or an image without ink.
    """
    try:
        with Image.open(path) as opened:
            upright = ImageOps.exif_transpose(opened)
            grey, did = _grey(upright)
    except FileNotFoundError:
        raise UserError(
            f"--image {path} is not there; expected an image file such as a PNG or JPEG"
        ) from None
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(
            f"--image {path} is no image that can be read ({error}); expected a PNG, JPEG ..."
        ) from None
    pixels = np.asarray(grey, np.float64)
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    if np.median(border) > 127:
        pixels, did = 255 - pixels, [*did, "inverted to light on dark"]
    if np.ptp(pixels) < INK:
        raise UserError(
            f"--image {path} shows no digit: its brightness hardly varies; expected ink on a plain ground"
        )
    pixels = (pixels - pixels.min()) * (255 / np.ptp(pixels))
    return _fitted(pixels), [
        *did,
        f"cropped to the ink, fitted into {INK_BOX}x{INK_BOX}, centred by mass in 28x28",
    ]


def _grey(image: Image.Image) -> tuple[Image.Image, list[str]]:
    """One channel of 8 bits, transparency laid on white."""
    did = [f"read {image.width}x{image.height} {image.mode}"]
    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image, np.float64)
        top = 65535.0 if values.max() > 255 else 255.0
        return Image.fromarray((values / top * 255).clip(0, 255).astype(np.uint8)), [*did, "scaled to 8 bits"]
    if "A" in image.getbands() or "transparency" in image.info:
        colour = image.convert("RGBA")
        ground = Image.new("RGBA", colour.size, "white")
        return Image.alpha_composite(ground, colour).convert("L"), [*did, "laid on white", "made grey"]
    return image.convert("L"), did if image.mode == "L" else [*did, "made grey"]


def _fitted(pixels: NDArray[np.float64]) -> Bytes:
    """Crop to the ink, scale into the box keeping the aspect, put the centre of mass into the middle."""
    rows, columns = (np.flatnonzero((pixels >= INK).any(axis=axis)) for axis in (1, 0))
    ink = pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = INK_BOX / max(ink.shape)
    size = tuple(max(1, round(length * scale)) for length in reversed(ink.shape))
    small = np.asarray(
        Image.fromarray(ink.astype(np.uint8)).resize((size[0], size[1]), Image.Resampling.LANCZOS)
    )
    weights = small / small.sum()
    middle_y = float(weights.sum(axis=1) @ np.arange(small.shape[0]))
    middle_x = float(weights.sum(axis=0) @ np.arange(small.shape[1]))
    top = min(max(0, round(13.5 - middle_y)), SIDE - small.shape[0])
    left = min(max(0, round(13.5 - middle_x)), SIDE - small.shape[1])
    out = np.zeros((SIDE, SIDE), np.uint8)
    out[top : top + small.shape[0], left : left + small.shape[1]] = small
    return out


def save_plot(path: Path, image: Bytes, digits: NDArray[np.float64], odd: float) -> None:
    """A PNG of 760 x 360: the picture beside both distributions.

    ``digits`` is (10,) probabilities, ``odd`` the probability of odd. Raises UserError when the
    file cannot be written.
    """
    canvas = Image.new("RGB", (760, 360), "white")
    canvas.paste(Image.fromarray(image).resize((280, 280), Image.Resampling.NEAREST), (40, 50))
    draw = ImageDraw.Draw(canvas)
    font = ImageFont.load_default(14)
    rows = [(str(digit), float(p)) for digit, p in enumerate(digits)] + [("even", 1 - odd), ("odd", odd)]
    for place, (name, probability) in enumerate(rows):
        y = 22 + place * 26 + (14 if place >= 10 else 0)
        draw.text((395, y), name, fill="black", font=font, anchor="ra")
        draw.rectangle((405, y, 405 + 260 * probability, y + 16), fill="#1f6fb4")
        draw.text((675, y), f"{probability:.1%}", fill="black", font=font)
    try:
        canvas.save(path, format="PNG")
    except OSError as error:
        raise UserError(
            f"--save-plot {path} cannot be written ({error.strerror}); choose another place"
        ) from None
