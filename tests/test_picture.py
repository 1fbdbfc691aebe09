"""Any image file a person might have becomes what MNIST would have made of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mtl_core.errors import UserError
from mtl_core.picture import as_text, from_file


def ink(mode: str, light: bool) -> Image.Image:
    """A vertical stroke of 8 x 60 off the middle of a 100 x 90 picture."""
    pixels = np.zeros((90, 100), np.uint8)
    pixels[20:80, 70:78] = 255
    image = Image.fromarray(pixels if not light else 255 - pixels)
    if mode == "LA":
        return Image.merge("LA", (Image.new("L", image.size, 0), Image.fromarray(pixels)))
    if mode == "I;16":
        return Image.fromarray(np.asarray(image).astype(np.uint16) * 257)
    return image.convert(mode)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "LA", "1", "I;16"])
@pytest.mark.parametrize("light", [True, False])
def test_every_kind_of_image_gives_the_same_digit(tmp_path: Path, mode: str, light: bool) -> None:
    path = tmp_path / "stroke.png"
    ink(mode, light).save(path)
    pixels, did = from_file(path)
    rows, columns = np.nonzero(pixels > 100)
    assert (pixels.shape, pixels.dtype) == ((28, 28), np.uint8)
    assert (rows.min(), rows.max()) == (4, 23)  # 20 pixels high, in the middle
    assert abs(columns.mean() - 13.5) < 1
    assert ("inverted to light on dark" in did) == (light or mode == "LA")


def test_a_rotated_photograph_is_turned_upright(tmp_path: Path) -> None:
    path = tmp_path / "turned.jpg"
    picture = ink("L", True).rotate(90, expand=True)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter clockwise
    picture.save(path, exif=exif)
    rows, columns = np.nonzero(from_file(path)[0] > 100)
    assert np.ptp(rows) > 3 * np.ptp(columns)


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_image_costs_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file.png"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"file\.png is no image"):
        from_file(path)


def test_an_empty_page_shows_no_digit(tmp_path: Path) -> None:
    path = tmp_path / "page.png"
    Image.new("L", (50, 50), 200).save(path)
    with pytest.raises(UserError, match="shows no digit"):
        from_file(path)


def test_the_terminal_shows_fourteen_lines() -> None:
    image = np.zeros((28, 28), np.uint8)
    image[10:18, 10:18] = 255
    lines = as_text(image).split("\n")
    assert len(lines) == 14
    assert lines[6] == " " * 10 + "@" * 8
