"""MNIST's files: right arrays or one clear line, from a folder, the cache or a mirror; never half a file."""

from __future__ import annotations

import gzip
import hashlib
import math
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtl_core.data import mnist
from mtl_core.data.mnist import load_mnist, parse_idx
from mtl_core.errors import UserError

NAMES = tuple(mnist.SHA256)
TRAIN_IMAGES = NAMES[0]


def idx(array: np.ndarray) -> bytes:
    """The IDX file of an array of bytes."""
    header = bytes((0, 0, 8, array.ndim)) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    return header + array.tobytes()


def small_files() -> dict[str, bytes]:
    """Four gzip files of MNIST's form with 6 and 3 images."""
    draw = np.random.default_rng(0)
    contents = {}
    for name in NAMES:
        count = 6 if name.startswith("train") else 3
        shape = (count, 28, 28) if "images" in name else (count,)
        contents[name] = gzip.compress(idx(draw.integers(0, 10, shape, dtype=np.uint8)), mtime=0)
    return contents


@dataclass
class Mirror:
    """A web server of this machine: what it has, with which status, and which paths were asked for."""

    files: dict[str, bytes]
    url: str = ""
    promised_extra: int = 0  # bytes that Content-Length promises beyond those sent
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def mirrors(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Mirror, Mirror]]:
    """Two running mirrors with the four small files, in the place of the real ones."""
    pair = (Mirror(small_files()), Mirror(small_files()))
    servers = [serve(mirror) for mirror in pair]
    monkeypatch.setattr(mnist, "MIRRORS", tuple(mirror.url for mirror in pair))
    yield pair
    for server in servers:
        server.shutdown()
        server.server_close()


def serve(mirror: Mirror) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the name that http.server calls
            name = self.path.strip("/")
            mirror.asked.append(name)
            if name not in mirror.files:
                self.send_error(404)
                return
            body = mirror.files[name]
            self.send_response(200)
            self.send_header("Content-Length", str(len(body) + mirror.promised_extra))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # http.server's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    mirror.url = f"http://127.0.0.1:{server.server_port}/"
    return server


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty cache folder, and the sums of the small files."""
    monkeypatch.delenv("MTL_DATA_DIR", raising=False)
    monkeypatch.setenv("MXNET_HOME", str(tmp_path / "home"))
    sums = {name: hashlib.sha256(data).hexdigest() for name, data in small_files().items()}
    monkeypatch.setattr(mnist, "SHA256", sums)
    return tmp_path / "home" / "datasets" / "mnist"


def write(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def one_line(error: pytest.ExceptionInfo[UserError]) -> str:
    assert "\n" not in str(error.value)
    return str(error.value)


def altered(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


# ---- the parser -----------------------------------------------------------------------------------

shapes = st.lists(st.integers(1, 5), min_size=1, max_size=3).map(tuple)
arrays = shapes.flatmap(
    lambda shape: st.binary(min_size=math.prod(shape), max_size=math.prod(shape)).map(
        lambda data: np.frombuffer(data, np.uint8).reshape(shape)
    )
)


@given(arrays)
def test_what_is_written_is_read(array: np.ndarray) -> None:
    found = parse_idx(idx(array), "file", array.ndim)
    assert found.dtype == np.uint8
    assert np.array_equal(found, array)


@given(arrays, st.data())
def test_a_truncated_file_is_an_error_that_names_it(array: np.ndarray, data: st.DataObject) -> None:
    raw = idx(array)
    length = data.draw(st.integers(0, len(raw) - 1))
    with pytest.raises(UserError, match=r"^the-file: ") as error:
        parse_idx(raw[:length], "the-file", array.ndim)
    one_line(error)


@given(arrays, st.data())
def test_an_altered_header_byte_is_an_error(array: np.ndarray, data: st.DataObject) -> None:
    """Any change of the header contradicts the type, the dimensions or the size of what follows."""
    raw = bytearray(idx(array))
    position = data.draw(st.integers(0, 3 + 4 * array.ndim))
    raw[position] ^= data.draw(st.integers(1, 255))
    with pytest.raises(UserError, match=r"^the-file: "):
        parse_idx(bytes(raw), "the-file", array.ndim)


@given(st.integers(1, 3), st.binary(max_size=64))
def test_any_bytes_give_their_array_or_a_user_error(dimensions: int, tail: bytes) -> None:
    raw = bytes((0, 0, 8, dimensions)) + tail
    try:
        array = parse_idx(raw, "file", dimensions)
    except UserError:
        return
    assert idx(array) == raw


@pytest.mark.parametrize("shape", [(0, 2**32 - 1, 2**32 - 1), (2**32 - 1,) * 3])
def test_a_header_of_an_impossible_size_is_an_error(shape: tuple[int, ...]) -> None:
    raw = bytes((0, 0, 8, 3)) + b"".join(n.to_bytes(4, "big") for n in shape)
    with pytest.raises(UserError, match="header"):
        parse_idx(raw, "file", 3)


def test_another_number_of_dimensions_is_another_file() -> None:
    with pytest.raises(UserError, match="begins with 00000801; expected 00000803"):
        parse_idx(idx(np.zeros(28, np.uint8)), "file", 3)


# ---- from a folder --------------------------------------------------------------------------------


def test_a_named_folder_is_read(tmp_path: Path) -> None:
    files = small_files()
    dataset = load_mnist(write(tmp_path / "data", files), download=False)
    assert dataset.name == "mnist"
    assert (dataset.train.images.shape, dataset.train.labels.shape) == ((6, 28, 28), (6,))
    assert (dataset.test.images.shape, dataset.test.labels.shape) == ((3, 28, 28), (3,))
    assert idx(dataset.train.images) == gzip.decompress(files[TRAIN_IMAGES])


def test_the_folder_may_be_named_by_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mirrors: tuple[Mirror, Mirror]
) -> None:
    monkeypatch.setenv("MTL_DATA_DIR", str(write(tmp_path / "data", small_files())))
    assert len(load_mnist().train.labels) == 6
    assert mirrors[0].asked == []


def test_an_option_is_preferred_to_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MTL_DATA_DIR", str(tmp_path / "absent"))
    assert len(load_mnist(write(tmp_path / "data", small_files())).train.labels) == 6


def test_gluons_cache_is_read_without_a_download(cache: Path, mirrors: tuple[Mirror, Mirror]) -> None:
    write(cache, small_files())
    load_mnist()
    assert mirrors[0].asked == []


@pytest.mark.parametrize("missing", NAMES)
def test_a_named_folder_that_lacks_a_file_is_an_error(
    tmp_path: Path, missing: str, mirrors: tuple[Mirror, Mirror]
) -> None:
    files = small_files()
    del files[missing]
    folder = write(tmp_path / "data", files)
    with pytest.raises(UserError) as error:
        load_mnist(folder)
    assert str(folder / missing) in one_line(error)
    assert mirrors[0].asked == []


@pytest.mark.parametrize("damage", [altered, lambda data: data[: len(data) // 2], lambda data: b""])
@pytest.mark.parametrize("name", NAMES)
def test_a_damaged_file_is_an_error_that_names_it(tmp_path: Path, name: str, damage: object) -> None:
    files = small_files()
    files[name] = damage(files[name])  # type: ignore[operator]
    folder = write(tmp_path / "data", files)
    with pytest.raises(UserError, match=r"SHA-256 .*, expected ") as error:
        load_mnist(folder)
    assert str(folder / name) in one_line(error)


def test_a_damaged_cache_is_told_and_left_alone(cache: Path, mirrors: tuple[Mirror, Mirror]) -> None:
    files = small_files()
    files[TRAIN_IMAGES] = altered(files[TRAIN_IMAGES])
    write(cache, files)
    with pytest.raises(UserError, match="delete it"):
        load_mnist()
    assert (cache / TRAIN_IMAGES).read_bytes() == files[TRAIN_IMAGES]
    assert mirrors[0].asked == []


def test_a_file_of_the_right_sum_that_is_no_gzip_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = small_files() | {TRAIN_IMAGES: b"not compressed"}
    sums = mnist.SHA256 | {TRAIN_IMAGES: hashlib.sha256(b"not compressed").hexdigest()}
    monkeypatch.setattr(mnist, "SHA256", sums)
    with pytest.raises(UserError, match="no whole gzip file"):
        load_mnist(write(tmp_path / "data", files))


def test_without_download_an_empty_cache_is_an_error(mirrors: tuple[Mirror, Mirror]) -> None:
    with pytest.raises(UserError, match="--data-dir"):
        load_mnist(download=False)
    assert mirrors[0].asked == []


# ---- from a mirror --------------------------------------------------------------------------------


def test_a_download_fills_the_cache_and_tells_its_progress(
    cache: Path, mirrors: tuple[Mirror, Mirror]
) -> None:
    files, told = small_files(), []
    dataset = load_mnist(progress=lambda name, done, size: told.append((name, done, size)))
    assert {path.name: path.read_bytes() for path in cache.iterdir()} == files
    assert idx(dataset.test.labels) == gzip.decompress(files[NAMES[3]])
    assert told == [(name, len(data), len(data)) for name, data in files.items()]
    load_mnist()
    assert mirrors[0].asked == list(NAMES)  # the second load asked for nothing
    assert mirrors[1].asked == []


def test_the_second_mirror_helps_where_the_first_has_no_file(
    cache: Path, mirrors: tuple[Mirror, Mirror]
) -> None:
    del mirrors[0].files[TRAIN_IMAGES]
    assert len(load_mnist().train.labels) == 6
    assert mirrors[1].asked == [TRAIN_IMAGES]
    assert sorted(path.name for path in cache.iterdir()) == sorted(NAMES)


@pytest.mark.parametrize("damage", [altered, lambda data: data[:-7], lambda data: b"<html>"])
def test_the_second_mirror_helps_where_the_first_gives_another_file(
    cache: Path, mirrors: tuple[Mirror, Mirror], damage: object
) -> None:
    whole = mirrors[0].files[TRAIN_IMAGES]
    mirrors[0].files[TRAIN_IMAGES] = damage(whole)  # type: ignore[operator]
    load_mnist()
    assert (cache / TRAIN_IMAGES).read_bytes() == whole


def test_both_mirrors_reasons_are_told_and_nothing_is_left(
    cache: Path, mirrors: tuple[Mirror, Mirror]
) -> None:
    del mirrors[0].files[TRAIN_IMAGES]
    mirrors[1].files[TRAIN_IMAGES] = altered(mirrors[1].files[TRAIN_IMAGES])
    with pytest.raises(UserError) as error:
        load_mnist()
    line = one_line(error)
    assert f"{mirrors[0].url}: HTTP Error 404" in line
    assert f"{mirrors[1].url}: SHA-256" in line
    assert TRAIN_IMAGES in line
    assert not cache.exists()


def test_a_connection_that_ends_early_leaves_nothing(cache: Path, mirrors: tuple[Mirror, Mirror]) -> None:
    for mirror in mirrors:
        mirror.files[TRAIN_IMAGES] = mirror.files[TRAIN_IMAGES][:-100]
        mirror.promised_extra = 100
    with pytest.raises(UserError, match="could not be downloaded"):
        load_mnist()
    assert not cache.exists()


def test_an_answer_without_end_is_cut(
    mirrors: tuple[Mirror, Mirror], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mnist, "LARGEST_FILE", 1000)
    received = []
    for mirror in mirrors:
        mirror.files[TRAIN_IMAGES] = bytes(1 << 20)
    with pytest.raises(UserError, match="could not be downloaded"):
        load_mnist(progress=lambda name, done, size: received.append(done))
    assert max(received) <= 1 << 16  # one piece


def test_nobody_listening_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mnist, "MIRRORS", ("http://127.0.0.1:1/",))
    with pytest.raises(UserError, match="refused"):
        load_mnist()


@pytest.mark.usefixtures("mirrors")
def test_what_cannot_be_kept_is_used_and_told_and_leaves_no_part_of_a_file(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = mock.Mock(side_effect=OSError(28, "No space left on device"))
    monkeypatch.setattr(os, "fsync", full)
    dataset = load_mnist()
    assert idx(dataset.test.labels) == gzip.decompress(small_files()[NAMES[3]])
    assert dataset.note is not None and "\n" not in dataset.note
    assert "not kept" in dataset.note and "(No space left on device)" in dataset.note
    assert list(cache.iterdir()) == []


@pytest.mark.usefixtures("cache", "mirrors")
def test_what_was_kept_has_no_note() -> None:
    assert load_mnist().note is None


# ---- the real files -------------------------------------------------------------------------------

REAL = os.environ.get("MTL_DATA_DIR")
REAL_SHA256 = dict(mnist.SHA256)


@pytest.mark.skipif(not REAL, reason="MTL_DATA_DIR does not name a folder with MNIST's four files")
def test_the_real_files_are_mnist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mnist, "SHA256", REAL_SHA256)
    dataset = load_mnist(Path(REAL or ""), download=False)
    assert dataset.train.images.shape == (60_000, 28, 28)
    # Digit counts of the database's own description.
    counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(dataset.train.labels).tolist() == counts
    assert dataset.test.images.shape == (10_000, 28, 28)
    assert dataset.test.labels[:5].tolist() == [7, 2, 1, 0, 4]
