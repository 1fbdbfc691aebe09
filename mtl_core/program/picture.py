"""A digit as people see it: in characters, as a PNG with both answers, and from any image file."""

from __future__ import annotations

import io
import logging
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, ImageOps

from mtl_core.data.dataset import Bytes
from mtl_core.errors import UserError
from mtl_core.platform.on_disk import content

SHADES = " .:-=+*#%@"
INK_BOX, SIDE = 20, 28  # MNIST fits the ink into 20 x 20 and centres its mass in 28 x 28
INK = 64  # of 255, from which a pixel counts as ink when the picture is cropped: above a photograph's grain
FAINTEST = 16  # of 255, between ink and ground
LARGEST_FILE = 64 * 2**20  # bytes
MOST_PIXELS = 50_000_000  # to be decoded, 200 MB of them; a JPEG is shrunk before they are counted
LONGEST_SIDE = 2048  # pixels that are looked at; a digit of 20 needs no more
# Without those that Pillow hands to another program, such as Ghostscript.
FORMATS = (
    "PNG",
    "JPEG",
    "MPO",
    "GIF",
    "BMP",
    "DIB",
    "TIFF",
    "WEBP",
    "PPM",
    "ICO",
    "TGA",
    "PCX",
    "SGI",
    "AVIF",
)
EXPECTED = "expected an image file such as a PNG or JPEG"
# What Pillow raises for a file it cannot decode; which one depends on the format and the damage.
_UNREADABLE = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    TypeError,
    IndexError,
    KeyError,
    OverflowError,
    MemoryError,
    struct.error,
    zlib.error,
    NotImplementedError,
    AttributeError,
    AssertionError,
    Image.DecompressionBombError,
)
Grey = NDArray[np.float64]  # (height, width), 0 to 255


def as_text(image: Bytes) -> str:
    """(28, 28) as 14 lines of 28 characters, two rows of pixels a line."""
    rows = image.reshape(14, 2, 28).mean(axis=1)
    levels = (rows * (len(SHADES) - 1) / 255 + 0.5).astype(int)
    return "\n".join("".join(SHADES[level] for level in row).rstrip() for row in levels)


def half_blocks(image: Bytes) -> list[list[tuple[str, str]]]:
    """(28, 28) as 14 lines of 28 pairs of colours, ``#rrggbb`` of the upper and the lower pixel."""
    upper, lower = image[0::2], image[1::2]
    return [
        [(f"#{a:02x}{a:02x}{a:02x}", f"#{b:02x}{b:02x}{b:02x}") for a, b in zip(above, below, strict=True)]
        for above, below in zip(upper.tolist(), lower.tolist(), strict=True)
    ]


def from_file(path: Path) -> tuple[Bytes, list[str]]:
    """(28, 28) made from any image file as MNIST was made, and in words what was done to it.

    Raises UserError for a file that is no image or an image without ink.
    """
    raw = content(path, LARGEST_FILE, EXPECTED)
    try:
        with _quiet(), Image.open(io.BytesIO(raw), formats=_formats()) as opened:
            pixels, did = _grey(_small(opened, path))
    except _UNREADABLE as error:
        reason = getattr(error, "strerror", None) or "unknown or damaged format"
        raise UserError(
            f"--image {path} is no image that can be read ({reason}); expected a PNG, JPEG ..."
        ) from None
    ink, evened = _light_on_dark(pixels)
    if ink.max() < FAINTEST:
        raise UserError(
            f"--image {path} shows no digit: its brightness hardly varies; expected ink on a plain ground"
        )
    fitted = _centred(_shrunk(_cropped((ink * (255 / ink.max())).clip(0, 255))))
    return fitted, [
        *did,
        *evened,
        f"cropped to the ink, fitted into {INK_BOX}x{INK_BOX}, centred by mass in {SIDE}x{SIDE}",
    ]


def _formats() -> list[str]:
    """Those of ours that this Pillow can read."""
    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]


@contextmanager
def _quiet() -> Iterator[None]:
    """What Pillow has to say of a damaged file stands in our own line alone."""
    log, silent = logging.getLogger("PIL"), logging.NullHandler()
    log.addHandler(silent)  # else what nobody handles goes to standard error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.removeHandler(silent)


def _small(image: Image.Image, path: Path) -> Image.Image:
    """The image upright, shrunk while it is decoded where its format can, and right after it in any case.

    Raises UserError for more pixels than are decoded here, before they are.
    """
    size = f"{image.width}x{image.height}"
    image.draft(None, (LONGEST_SIDE, LONGEST_SIDE))  # of JPEG alone
    if image.width * image.height > MOST_PIXELS:
        raise UserError(
            f"--image {path} has {size} pixels; expected at most {MOST_PIXELS // 10**6} million: "
            "make it smaller"
        )
    factor = -(-max(image.size) // LONGEST_SIDE)
    image.load()
    if factor > 1:
        image = _reduced(image, factor)
    upright = ImageOps.exif_transpose(image)
    upright.info["size"] = size
    return upright


def _reduced(image: Image.Image, factor: int) -> Image.Image:
    """Means over squares of so many pixels a side; of 16 bits and palettes too, which Pillow leaves out."""
    exif = image.getexif()
    if image.mode in ("P", "PA", "1"):
        image = image.convert("RGBA" if "transparency" in image.info or image.mode == "PA" else "RGB")
    elif image.mode.startswith("I;16"):
        image = image.convert("I")
    elif "transparency" in image.info:
        image = image.convert("RGBA")
    small = image.reduce(factor)
    small.getexif().update(exif)  # which way is up
    return small


def _grey(image: Image.Image) -> tuple[Grey, list[str]]:
    """Brightness, 0 to 255, of each pixel. What is transparent becomes the ground of the ink."""
    did = [f"read {image.info.get('size')} {image.mode}"]
    if image.mode.startswith("I") or image.mode == "F":
        values = np.nan_to_num(np.asarray(image, np.float64))
        top = 65535.0 if values.max() > 255 else 255.0
        return (values / top * 255).clip(0, 255), [*did, "scaled to 8 bits"]
    if "A" in image.getbands() or "transparency" in image.info:
        colour = np.asarray(image.convert("RGBA").convert("LA"), np.float64)  # (height, width, 2)
        grey, cover = colour[..., 0], colour[..., 1] / 255
        light_ink = (grey * cover).sum() > 127 * cover.sum()
        ground, name = (0.0, "black") if light_ink else (255.0, "white")
        return grey * cover + ground * (1 - cover), [*did, f"laid on {name}", "made grey"]
    grey = np.asarray(image.convert("L"), np.float64)
    return grey, did if image.mode == "L" else [*did, "made grey"]


def _light_on_dark(pixels: Grey) -> tuple[Grey, list[str]]:
    """Ink from 0 (the ground, as the border shows it) up, and in words what was done."""
    ground = float(np.median(_border(pixels)))
    light = _light(pixels, ground, float(abs(pixels - ground).max()) / 2)
    did = ["evened the light"] if np.ptp(light) >= FAINTEST else []
    ink = pixels - light
    if -ink.min() > ink.max():
        return -ink, [*did, "inverted to light on dark"]
    return ink, did


def _border(pixels: Grey) -> Grey:
    return np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])


def _light(pixels: Grey, ground: float, nearer: float) -> Grey:
    """The ground's brightness at each pixel: a plane, since a lamp stands on one side of the paper.

    Fitted to the pixels of the border that are nearer to the ground than to the ink.
    """
    y, x = (np.linspace(-0.5, 0.5, length) for length in pixels.shape)
    ys, xs = (_border(along) for along in np.broadcast_arrays(y[:, None], x))
    off = _border(pixels) - ground
    paper = abs(off) <= nearer
    sides = np.stack([np.ones_like(xs), xs, ys], axis=1) * paper[:, None]
    level, across, down = np.linalg.lstsq(sides, off * paper, rcond=None)[0]
    plane: Grey = ground + level + across * x + down * y[:, None]  # (height, width)
    return plane


def _cropped(ink: Grey) -> Grey:
    """Without the rows and columns at the edge that have no ink."""
    rows, columns = (np.flatnonzero((ink >= INK).any(axis=axis)) for axis in (1, 0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _shrunk(ink: Grey) -> Bytes:
    """Into the box, keeping the aspect; as bright as before, since thin strokes pale as they shrink."""
    scale = INK_BOX / max(ink.shape)
    height, width = (max(1, round(length * scale)) for length in ink.shape)
    small = Image.fromarray(ink.round().astype(np.uint8)).resize((width, height), Image.Resampling.LANCZOS)
    pixels = np.asarray(small, np.float64)
    bright: Bytes = (pixels * (255 / pixels.max())).round().astype(np.uint8)
    return bright


def _centred(small: Bytes) -> Bytes:
    """Put the centre of mass into the middle, as far as the frame has room."""
    weights = small / small.sum()
    height, width = small.shape
    middle_y = float(weights.sum(axis=1) @ np.arange(height))
    middle_x = float(weights.sum(axis=0) @ np.arange(width))
    top = min(max(0, round(13.5 - middle_y)), SIDE - height)
    left = min(max(0, round(13.5 - middle_x)), SIDE - width)
    out = np.zeros((SIDE, SIDE), np.uint8)
    out[top : top + height, left : left + width] = small
    return out


def plot(image: Bytes, digits: NDArray[np.float64], odd: float) -> bytes:
    """A PNG of 760 x 360: the picture beside both distributions.

    ``image`` is (28, 28), ``digits`` (10,) probabilities, ``odd`` the probability of odd.
    """
    canvas = Image.new("RGB", (760, 360), "white")
    canvas.paste(Image.fromarray(image).resize((280, 280), Image.Resampling.NEAREST), (40, 40))
    draw = ImageDraw.Draw(canvas)
    font = ImageFont.load_default(14)
    rows = [(str(digit), float(p)) for digit, p in enumerate(digits)] + [("even", 1 - odd), ("odd", odd)]
    for place, (name, probability) in enumerate(rows):
        y = 16 + place * 26 + (14 if place >= 10 else 0)
        draw.text((395, y), name, fill="black", font=font, anchor="ra")
        draw.line((404, y - 2, 404, y + 18), fill="#888888")
        draw.rectangle((405, y, 405 + 260 * probability, y + 16), fill="#1f6fb4")
        draw.text((675, y), f"{probability:.1%}", fill="black", font=font)
    draw.text((405, 334), "probability", fill="#555555", font=font)
    file = io.BytesIO()
    canvas.save(file, format="PNG")
    return file.getvalue()
