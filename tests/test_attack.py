"""Every kind of file of ours, damaged at random: read, or refused in one line; seeded, so that it repeats.

``MTL_ATTACK=10000`` tries so many; without, a tenth of that.
"""

from __future__ import annotations

import json
import os
import random
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bench.workloads.peers import problem_file
from mtl_core.errors import UserError
from mtl_core.platform.on_disk import ForeignError, content, json_value
from mtl_core.program import checkpoint, files, picture
from mtl_core.program.picture import from_file
from tests.attack.kinds import KINDS, Kind
from tests.attack.shown import complaints
from tests.attack.wholes import archive

TRIES = int(os.environ.get("MTL_ATTACK", "1000"))
SHOWN = 1 if "MTL_ATTACK" in os.environ else 12  # every how many files are shown in every format, too
FOUND = sorted((Path(__file__).parent / "attack" / "found").iterdir())


def test_what_is_damaged_was_whole(tmp_path: Path) -> None:
    for name, kind in KINDS.items():
        path = tmp_path / kind.file
        path.write_bytes(kind.whole())
        kind.read(path)
        assert [complaint for page in kind.pages(path) for complaint in complaints(page)] == [], name


@pytest.mark.parametrize("name", KINDS)
def test_a_damaged_file_is_read_or_costs_one_line(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    kind = KINDS[name]
    whole, path, refused = kind.whole(), tmp_path / kind.file, 0
    for number in range(TRIES // len(KINDS)):
        damaged = kind.damage(whole, random.Random(f"{name} {number}"))
        refused += outcome(kind, path, damaged, shown=number % SHOWN == 0) == "refused"
    assert refused
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("example", FOUND, ids=lambda path: path.name)
def test_what_was_found_once_stays_mended(example: Path, tmp_path: Path) -> None:
    kind = KINDS[example.name.partition("--")[0].replace("_", " ")]
    outcome(kind, tmp_path / kind.file, example.read_bytes(), shown=True)


def outcome(kind: Kind, path: Path, content: bytes, *, shown: bool) -> str:
    """Whether such a file is refused, in one line, or read; then it is shown in every format as well."""
    path.write_bytes(content)
    try:
        kind.read(path)
        pages = kind.pages(path) if shown else []
    except UserError as error:
        assert "\n" not in str(error)
        return "refused"
    assert [complaint for page in pages for complaint in complaints(page)] == []
    return "read"


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("place", ["pipe", "device", "folder", "circle", "long", "missing"])
def test_what_is_no_file_is_refused_at_once(name: str, place: str, tmp_path: Path) -> None:
    kind = KINDS[name]
    path = tmp_path / ("x" * 300 if place == "long" else kind.file)
    if name == "declaration" and place in ("long", "missing", "circle"):
        pytest.skip("a repository may have none")
    if place == "pipe":
        os.mkfifo(path)
    elif place == "device":
        path.symlink_to("/dev/zero")
    elif place == "folder":
        path.mkdir()
    elif place == "circle":
        path.symlink_to(path)
    with pytest.raises(UserError) as caught:
        kind.read(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "raw", [b"[" * 10**6, b'{"a":' * 10**6, b"[" * 30 + b"]" * 30, b"1" * 10**6, b"1e999", b"NaN", b"\xff"]
)
def test_hostile_json_reaches_no_decoder(raw: bytes) -> None:
    with pytest.raises(ForeignError):
        json_value(raw)


def test_brackets_in_texts_are_no_depth() -> None:
    text = '["' * 30 + "\\"
    assert json_value(json.dumps([text]).encode()) == [text]


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "run.npz"
    np.savez_compressed(path, about=np.zeros(64 * 2**20, np.uint8))
    assert path.stat().st_size < 10**6
    with pytest.raises(UserError, match="no whole checkpoint"):
        checkpoint.load(path)
    path.write_bytes(archive(rolled_over=[10**30]))
    with pytest.raises(UserError, match="no whole checkpoint"):
        checkpoint.load(path)


def test_an_archive_of_very_many_arrays_is_refused_before_one_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.npz"
    with zipfile.ZipFile(path, "w") as many:
        for number in range(20_000):
            many.writestr(f"parameter_{number}.npy", b"")
    assert path.stat().st_size < checkpoint.LARGEST_FILE
    unpacked: list[object] = []
    monkeypatch.setattr(zipfile.ZipFile, "read", lambda self, name: unpacked.append(name))
    with pytest.raises(UserError, match="no whole checkpoint"):
        checkpoint.load(path)
    with pytest.raises(UserError, match="is damaged"):
        problem_file.read(path, 8)
    assert not unpacked


@pytest.mark.parametrize(("kind", "mode"), [("JPEG", "L"), ("PNG", "I;16"), ("PNG", "P")])
def test_a_large_image_is_made_small_before_it_is_looked_at(
    kind: str, mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A JPEG while it is decoded already, any other right after; of 16 bits too."""
    side = 2 * picture.LONGEST_SIDE + 4
    pixels = np.zeros((side, side), np.uint16 if mode == "I;16" else np.uint8)
    pixels[600:3800, 1900:2200] = 60_000 if mode == "I;16" else 255
    path = tmp_path / "large"
    image = Image.fromarray(pixels)
    (image if mode == "I;16" else image.convert(mode)).save(path, kind, compress_level=1)
    decoded: list[int] = []
    seen: list[int] = []
    reduced, grey = picture._reduced, picture._grey

    def reducing(image: Image.Image, factor: int) -> Image.Image:
        decoded.append(image.width)
        return reduced(image, factor)

    def looking(image: Image.Image) -> Any:
        seen.append(image.width)
        return grey(image)

    monkeypatch.setattr(picture, "_reduced", reducing)
    monkeypatch.setattr(picture, "_grey", looking)
    digit, did = from_file(path)
    assert decoded == [side // 2 if kind == "JPEG" else side]
    assert max(seen) <= picture.LONGEST_SIDE
    rows, columns = np.nonzero(digit > 100)
    assert (rows.min(), rows.max()) == (4, 23) and np.ptp(columns) <= 3
    assert did[0].startswith(f"read {side}x{side}")


def test_more_pixels_than_are_decoded_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    Image.new("1", (9400, 9400)).save(path)
    with pytest.raises(UserError, match="9400x9400 pixels; expected at most 50 million"):
        from_file(path)


def test_a_file_that_grows_beyond_its_bound_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(bytes(2000))
    with pytest.raises(UserError, match="larger than 1 kB"):
        content(path, 1024, "give another")


@pytest.mark.parametrize("place", ["circle", "circle/x", "file/x", "x" * 300, "folder"])
def test_a_place_that_cannot_be_written_is_refused_before_the_work(place: str, tmp_path: Path) -> None:
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match=r"--json .* cannot be written"):
        files.check_place(tmp_path / place, "--json")


def test_what_a_full_disk_does_not_take_is_kept_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full, room = tmp_path / "full", tmp_path / "room"
    full.mkdir()
    room.mkdir()
    monkeypatch.setattr(files.tempfile, "gettempdir", lambda: str(room))
    to_disk = os.fsync

    def no_room(number: int) -> None:
        if Path(f"/proc/self/fd/{number}").readlink().is_relative_to(full):
            raise OSError(28, "No space left on device")
        to_disk(number)

    monkeypatch.setattr(os, "fsync", no_room)
    with pytest.raises(files.NotWrittenError, match=r"No space left on device\); it is kept as") as caught:
        files.write_whole(full / "run.json", lambda file: file.write(b"measured"), "--json")
    assert caught.value.kept is not None and caught.value.kept.parent == room
    assert caught.value.kept.read_bytes() == b"measured"
    assert list(full.iterdir()) == []
