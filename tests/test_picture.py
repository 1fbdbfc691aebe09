"""Any image file a person might have becomes what MNIST would have made of it."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from mtl_core.errors import UserError
from mtl_core.program.picture import as_text, from_file, half_blocks, plot


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
    assert pixels.shape == (28, 28)
    assert pixels.dtype == np.uint8
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


def test_a_shaded_grainy_photograph_is_cropped_to_its_ink(tmp_path: Path) -> None:
    """Grey paper darker than half, a quarter of the light lost across it, JPEG's own grain."""
    paper = np.linspace(120, 90, 400)[None, :] * np.ones((300, 1))
    paper[60:240, 250:270] = 20
    noisy = paper + np.random.default_rng(0).normal(0, 3, paper.shape)
    path = tmp_path / "photograph.jpg"
    Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(path, quality=75)
    pixels, did = from_file(path)
    rows, columns = np.nonzero(pixels > 100)
    assert "inverted to light on dark" in did
    assert (rows.min(), rows.max()) == (4, 23)
    assert np.ptp(columns) <= 3
    assert abs(columns.mean() - 13.5) < 1


@pytest.mark.parametrize(("left", "top"), [(0.7, 1.0), (1.0, 0.7), (1.3, 0.9)])
def test_a_lamp_on_one_side_is_evened_out(tmp_path: Path, left: float, top: float) -> None:
    """The paper is up to 30 % brighter on one side than in its middle, and as much darker on the other."""
    across, down = np.linspace(left, 2 - left, 640), np.linspace(top, 2 - top, 480)
    paper = 160 * (across + down[:, None] - 1)
    paper[100:380, 400:430] *= 0.3
    path = tmp_path / "lamp.png"
    Image.fromarray(paper.round().astype(np.uint8)).save(path)
    pixels, did = from_file(path)
    rows, columns = np.nonzero(pixels > 100)
    assert "evened the light" in did
    assert np.ptp(rows) == 19  # the stroke and nothing else
    assert np.ptp(columns) <= 3


def test_paper_without_a_digit_is_told_whatever_the_light(tmp_path: Path) -> None:
    path = tmp_path / "paper.png"
    Image.fromarray(np.tile(np.linspace(100, 220, 300), (200, 1)).round().astype(np.uint8)).save(path)
    with pytest.raises(UserError, match="shows no digit"):
        from_file(path)


def test_a_thin_stroke_stays_bright(tmp_path: Path) -> None:
    path = tmp_path / "thin.png"
    page = Image.new("L", (800, 800), 255)
    page.paste(0, (400, 100, 403, 700))
    page.save(path)
    assert from_file(path)[0].max() == 255


@pytest.mark.parametrize(("colour", "ground"), [("white", "black"), ("navy", "white")])
def test_a_transparent_ground_contrasts_with_the_ink(tmp_path: Path, colour: str, ground: str) -> None:
    path = tmp_path / "transparent.png"
    image = Image.new("RGBA", (60, 60), (0, 0, 0, 0))
    image.paste(colour, (20, 10, 26, 50))
    image.save(path)
    pixels, did = from_file(path)
    assert f"laid on {ground}" in did
    assert np.ptp(np.nonzero(pixels > 100)[0]) == 19


def test_mass_and_not_the_box_is_centred(tmp_path: Path) -> None:
    """An L: most of its ink is at the left and below."""
    page = np.zeros((80, 80), np.uint8)
    page[10:70, 10:20] = page[60:70, 10:70] = 255
    path = tmp_path / "l.png"
    Image.fromarray(page).save(path)
    pixels = from_file(path)[0].astype(float)
    middle = np.array(np.nonzero(pixels > -1)) @ pixels.ravel() / pixels.sum()
    assert np.abs(middle - 13.5).max() <= 0.5 + 1e-9


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_image_costs_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file.png"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"file\.png is no image") as caught:
        from_file(path)
    assert "\n" not in str(caught.value)


def test_a_folder_is_no_image(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read \\(it is a folder\\); expected an image"):
        from_file(tmp_path)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), kind=st.sampled_from(["png", "jpeg", "gif", "bmp", "tiff"]))
def test_a_damaged_image_is_told_or_read(tmp_path: Path, data: st.DataObject, kind: str) -> None:
    """Whatever the damage: a picture of the right shape or one line, never another exception."""
    file = io.BytesIO()
    ink("L", True).save(file, kind)
    content = bytearray(file.getvalue())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, min(len(content), 200) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / f"damaged.{kind}"
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, of what it mends
        try:
            pixels, _ = from_file(path)
        except UserError as error:
            assert "\n" not in str(error)
        else:
            assert pixels.shape == (28, 28)


def test_the_plot_shows_the_picture_and_a_bar_by_probability() -> None:
    digits = np.zeros(10)
    digits[3], digits[8] = 0.75, 0.25
    with Image.open(io.BytesIO(plot(np.full((28, 28), 200, np.uint8), digits, 0.5))) as image:
        drawn = np.asarray(image.convert("RGB")).astype(int)
    assert drawn.shape == (360, 760, 3)
    assert (drawn[40:320, 40:320] == 200).all()
    blue = (drawn[..., 2] - drawn[..., 0] > 100)[:, 405:670].sum(axis=1)
    longest = [int(blue[16 + 26 * digit + 5]) for digit in range(10)]
    assert (longest[3], longest[8]) == (196, 66)  # 260 pixels stand for certainty, both ends drawn
    assert max(longest[:3]) <= 1


def test_half_blocks_carry_both_rows() -> None:
    image = np.zeros((28, 28), np.uint8)
    image[0, 5], image[1, 5] = 255, 16
    lines = half_blocks(image)
    assert (len(lines), {len(line) for line in lines}) == (14, {28})
    assert lines[0][5] == ("#ffffff", "#101010")


def test_the_terminal_shows_fourteen_lines() -> None:
    image = np.zeros((28, 28), np.uint8)
    image[10:18, 10:18] = 255
    lines = as_text(image).split("\n")
    assert len(lines) == 14
    assert lines[6] == " " * 10 + "@" * 8
