"""Every kind of file of ours, damaged at random: read, or refused in one line; seeded, so that it repeats.

``MTL_ATTACK=10000`` tries so many; without, a tenth of that.
"""

from __future__ import annotations

import io
import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from PIL import Image

from bench.counters.work import GOLDEN, read_golden
from bench.records.regression import REGRESSION_SCHEMA
from bench.results.recognise import read_regression
from bench.results.run_file import read_run
from bench.trust import units as trust_recording
from mtl_core.data.mnist import parse_idx
from mtl_core.errors import UserError
from mtl_core.on_disk import ForeignError, content, json_value
from mtl_core.program import checkpoint, files
from mtl_core.program.picture import from_file

TRIES = int(os.environ.get("MTL_ATTACK", "1000"))
RUN = Path(__file__).parent / "old_runs" / "schema2.json"
HOSTILE: tuple[Any, ...] = (None, True, -1, 0, 10**30, 1e308, -1e308, 5e-324, "", "\x1b[2J", [], {}, [[]] * 9)


def archive(**about: Any) -> bytes:
    file = io.BytesIO()
    made = {"format": 1, "updates": 0, "settings": {}, "history": [], "rolled_over": [1], **about}
    text = np.frombuffer(json.dumps(made).encode(), np.uint8)
    np.savez(file, about=text, parameter_0=np.ones((3, 2), np.float32))
    return file.getvalue()


def image(kind: str) -> bytes:
    pixels = np.zeros((40, 30), np.uint8)
    pixels[5:35, 12:18] = 255
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


def regression() -> bytes:
    ratio = {"ratio": 1.1, "low": 1.05, "high": 1.2, "confidence": 0.95, "n": 5}
    compared = {
        "benchmark": "step",
        "asks": "a step",
        "effect": ratio,
        "verdict": "slower",
        "tolerance": 0.02,
        "seconds": 3.0,
    }
    whole = {
        "schema": REGRESSION_SCHEMA,
        "base": "a",
        "head": "b",
        "budget_s": 60.0,
        "confidence": 0.95,
        "comparisons": [compared],
    }
    return json.dumps(whole).encode()


def recording() -> bytes:
    head = trust_recording.Head(machine="m", rounds=2, variants=("base", "again"))
    unit = trust_recording.Unit(
        at="2026-11-26T12:00:00+00:00",
        condition="alone",
        revision="r",
        pair_s=4.0,
        iterations=10,
        us={"base": [1200.0, 1210.0], "again": [1201.0, 1205.0]},
    )
    return msgspec.json.encode(head) + b"\n" + msgspec.json.encode(unit) + b"\n"


def idx(path: Path) -> object:
    return parse_idx(path.read_bytes(), path.name, 3)


KINDS: dict[str, tuple[bytes, Callable[[Path], object]]] = {
    "run": (RUN.read_bytes(), read_run),
    "golden": (GOLDEN.read_bytes(), read_golden),
    "regression": (regression(), read_regression),
    "recording": (recording(), trust_recording.read),
    "checkpoint": (archive(), checkpoint.load),
    "png": (image("PNG"), from_file),
    "jpeg": (image("JPEG"), from_file),
    "tiff": (image("TIFF"), from_file),
    "idx": (bytes((0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 2, 1, 2, 3, 4)), idx),
}


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every container of a document with each of its keys."""
    if not isinstance(value, (dict, list)):
        return []
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    return [(value, key) for key in keys] + [place for key in keys for place in places(value[key])]


def damaged(seed: bytes, rng: random.Random) -> bytes:
    """A value of a document replaced by a hostile one, or bytes changed, cut out or doubled."""
    if seed[:1] == b"{" and rng.random() < 0.6:
        document = json.loads(seed.splitlines()[0] if seed.endswith(b"}\n") and b"\n{" in seed else seed)
        where, key = rng.choice(places(document))
        where[key] = rng.choice(HOSTILE)
        return json.dumps(document).encode()
    raw = bytearray(seed)
    for _ in range(rng.choice((1, 1, 2, 8))):
        at = rng.randrange(len(raw) or 1)
        until = at + rng.choice((1, 4, 200))
        change = rng.randrange(4)
        if change == 0:
            raw[at:until] = rng.randbytes(min(4, until - at))
        elif change == 1:
            del raw[at:until]
        elif change == 2:
            raw[at:at] = raw[at:until]
        else:
            raw[at : at + 1] = bytes([rng.randrange(256)])
    return bytes(raw)


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_file_is_read_or_costs_one_line(
    kind: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    seed, read = KINDS[kind]
    path, refused = tmp_path / "file", 0
    path.write_bytes(seed)
    read(path)  # what is damaged was whole
    for number in range(TRIES // len(KINDS)):
        path.write_bytes(damaged(seed, random.Random(f"{kind} {number}")))
        try:
            read(path)
        except UserError as error:
            refused += 1
            assert "\n" not in str(error), number
    assert refused
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "idx"])
@pytest.mark.parametrize("place", ["pipe", "device", "folder", "circle", "long", "missing"])
def test_what_is_no_file_is_refused_at_once(kind: str, place: str, tmp_path: Path) -> None:
    path = tmp_path / ("x" * 300 if place == "long" else place)
    if place == "pipe":
        os.mkfifo(path)
    elif place == "folder":
        path.mkdir()
    elif place == "circle":
        path.symlink_to(path)
    with pytest.raises(UserError) as caught:
        KINDS[kind][1](Path("/dev/zero") if place == "device" else path)
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
